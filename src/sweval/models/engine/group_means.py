"""Partially nested comparison in closed form: group means in the treated arm, clients in the control arm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError
from sweval.models.engine.ols import Array, least_squares, two_sided_p
from sweval.models.engine.sandwich import ContrastTest

_NO_VARIATION = 1e-9


@dataclass(frozen=True, kw_only=True)
class GroupMeans:
    """The comparison, ready for tests.

    Parameters
    ----------
    slopes
        Pooled within-unit slopes of the adjusters that were kept, shape (q,).
    kept
        Numbers of these adjusters; the others do not vary within groups or the control arm, or repeat others.
    groups
        Number of groups k.
    """

    slopes: Array
    kept: tuple[int, ...]
    groups: int
    _means: tuple[float, float]
    _centres: tuple[Array, Array]
    _variances: tuple[float, float]
    _dfs: tuple[float, float]
    _slope_parts: tuple[tuple[Array, float], ...]

    def intercept(self) -> ContrastTest:
        """Return the control arm's mean where all adjusters are 0."""
        return self._test(0.0, 1.0, np.zeros(len(self.slopes)))

    def effect(self) -> ContrastTest:
        """Return treated minus control, at equal adjusters."""
        return self._test(1.0, -1.0, np.zeros(len(self.slopes)))

    def slope_tests(self) -> tuple[ContrastTest, ...]:
        """Return the test of every kept slope."""
        return tuple(self._test(0.0, 0.0, direction) for direction in np.eye(len(self.slopes)))

    def _test(self, treated: float, control: float, slope: Array) -> ContrastTest:
        """Test `treated * adjusted mean_T + control * adjusted mean_C + slope'b` by Welch and Satterthwaite."""
        along = slope - treated * self._centres[0] - control * self._centres[1]
        estimate = treated * self._means[0] + control * self._means[1] + float(along @ self.slopes)
        parts = [
            (treated**2 * self._variances[0], self._dfs[0]),
            (control**2 * self._variances[1], self._dfs[1]),
            *((float(along @ matrix @ along), df) for matrix, df in self._slope_parts),
        ]
        variance = sum(part for part, _ in parts)
        if not variance > 0:
            raise DesignError("the groups' means and the control arm do not vary, so there is no standard error.")
        df = variance**2 / sum(part**2 / df for part, df in parts if part > 0)
        error = float(np.sqrt(variance))
        t = estimate / error
        return ContrastTest(estimate=estimate, std_error=error, df=df, statistic=t, p_value=two_sided_p(t, df))


def group_mean_difference(y: Array, X: Array, group: NDArray[np.integer]) -> GroupMeans:
    """Compare clients treated in groups with clients who were not, adjusted for columns of X.

    Each group counts once, whatever its size, so the differences between groups enter the standard error without a
    model for them. Slopes are pooled within groups and within the control arm; what their uncertainty adds to the
    difference is included.

    Parameters
    ----------
    y
        Outcome, shape (n,).
    X
        Baseline and covariates, shape (n, q); q may be 0.
    group
        Codes 0 .. k-1 in the treated arm, -1 in the control arm.

    Returns
    -------
    GroupMeans

    Raises
    ------
    DesignError
        If there are fewer than two groups, or too few clients for the adjusters.

    Notes
    -----
    With adjusted group means m_j, control residual variance s_C^2 and slopes b of covariance S,
    Var = s_m^2 / k + s_C^2 / N_C + (x_T - x_C)' S (x_T - x_C); the df are those of Welch (1947) and Satterthwaite
    (1946) over these parts.

    Examples
    --------
    >>> y, group = np.array([4.0, 6, 7, 9, 5, 5, 2, 3, 5, 4]), np.array([0, 0, 1, 1, 2, 2, -1, -1, -1, -1])
    >>> test = group_mean_difference(y, np.zeros((10, 0)), group).effect()
    >>> round(test.estimate, 3), round(test.std_error, 3), round(test.df, 2)
    (2.5, 1.19, 3.6)
    """
    treated = group >= 0
    k, controls = int(group.max(initial=-1)) + 1, int((~treated).sum())
    if k < 2:
        raise DesignError(
            "there are fewer than two groups, so how much groups differ cannot be seen.",
            fix="At least two groups are needed, better four or more.",
        )
    unit = np.where(treated, group, k)
    within_x, within_y = deviations(X, unit), deviations(y[:, None], unit)[:, 0]
    slopes, kept, residuals = np.zeros(0), tuple[int, ...](), within_y
    if within_x.any():
        fit = least_squares(within_y, within_x)
        slopes, kept, residuals = fit.coefficients, fit.kept, fit.residuals
    x = within_x[:, kept]
    inverse = np.linalg.inv(x.T @ x) if kept else np.zeros((0, 0))
    parts, noise, free = [], [0.0, 0.0], [0.0, 0.0]
    for side, (rows, means) in enumerate(((treated, k), (~treated, 1))):
        squares = x[rows].T @ x[rows]
        free[side] = float(rows.sum()) - means - float(np.trace(squares @ inverse))
        if free[side] > 1e-9:
            noise[side] = float(residuals[rows] @ residuals[rows]) / free[side]
            parts.append((noise[side] * inverse @ squares @ inverse, free[side]))
        elif side == 1:
            raise DesignError(
                "the control arm has too few clients for these adjusters.", fix="Adjust for fewer columns."
            )
    sizes = np.bincount(unit)[:, None]
    centres = np.stack([np.bincount(unit, column) for column in [y, *X[:, kept].T]], axis=1) / sizes
    adjusted = centres[:k, 0] - centres[:k, 1:] @ slopes
    return GroupMeans(
        slopes=slopes,
        kept=kept,
        groups=k,
        _means=(float(centres[:k, 0].mean()), float(centres[k, 0])),
        _centres=(centres[:k, 1:].mean(axis=0), centres[k, 1:]),
        _variances=(float(adjusted.var(ddof=1)) / k, noise[1] / controls),
        _dfs=(k - 1.0, free[1]),
        _slope_parts=tuple(parts) if kept else (),
    )


def deviations(values: Array, unit: NDArray[np.integer]) -> Array:
    """Return columns as deviations from the means of their units; exactly 0 where nothing is left of a column."""
    sizes = np.bincount(unit)
    out = (
        values - np.stack([np.bincount(unit, column) / sizes for column in values.T], axis=1)[unit]
        if values.shape[1]
        else values.copy()
    )
    left, length = np.sqrt((out**2).sum(axis=0)), np.sqrt((values**2).sum(axis=0))
    out[:, left <= _NO_VARIATION * length] = 0.0
    return out
