"""Limits of an effect whose standard deviation is the root of a sum of two variances, one of them known from few cases.

The noncentral t takes the total variance for a multiple of one chi-square with nu degrees of freedom, nu being
estimated from the very variances. With few cases both fail together: where the variance between cases comes out too
small the effect is too large and nu as well. Here the two variances keep distributions of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__: list[str] = []

FloatArray = NDArray[np.float64]

_Z = np.linspace(-4.8, 4.8, 33)
_WEIGHT = np.exp(-(_Z**2) / 2) / np.exp(-(_Z**2) / 2).sum()
_FINE = np.linspace(-4.2, 4.2, 85)
_FINE_WEIGHT = np.exp(-(_FINE**2) / 2) / np.exp(-(_FINE**2) / 2).sum()
_BLOCK = 100
_STEPS = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class VarianceParts:
    """The variance between cases and that of sessions, with the covariance of their estimates; arrays of one shape.

    Attributes
    ----------
    level, residual
        The estimates, at or above 0 and above 0.
    level_spread, cross, residual_spread
        Their variances and covariance, from the expected information.
    """

    level: FloatArray
    residual: FloatArray
    level_spread: FloatArray
    cross: FloatArray
    residual_spread: FloatArray


def two_variance_interval(
    b: FloatArray, error: FloatArray, df: FloatArray, parts: VarianceParts, *, conf_level: float
) -> tuple[FloatArray, FloatArray]:
    r"""Return generalised confidence limits of `beta / sqrt(level + residual)`.

    Parameters
    ----------
    b, error, df
        Estimate of beta, its standard error and the degrees of freedom of that, shape (batch,).
    parts
        The variances.
    conf_level
        Between 0 and 1.

    Returns
    -------
    low, high : numpy.ndarray
        They exclude 0 exactly when the t test of b does.

    Notes
    -----
    With c = -Cov(level, residual) / Var(residual) the mean square B = level + c residual is uncorrelated with the
    residual variance; both are taken for multiples of independent chi-squares whose degrees of freedom follow from
    their variances (for a balanced design B has one less than there are cases). The generalised pivot (Weerahandi
    1993, Journal of the American Statistical Association 88, 899-905) is

    .. math::
        R = \frac{b - T\,SE}{\sqrt{\sigma^2_* + \max(0, B_* - c\,\sigma^2_*)}}, \quad
        \sigma^2_* = \hat\sigma^2 \nu_w/\chi^2_{\nu_w}, \quad B_* = \hat B \nu_B/\chi^2_{\nu_B}, \quad T \sim t_{df}

    and its distribution a sum over normal scores of both chi-squares.

    Examples
    --------
    >>> parts = VarianceParts(level=np.array([2.0]), residual=np.array([3.0]), level_spread=np.array([3.5]),
    ...                       cross=np.array([-0.05]), residual_spread=np.array([0.5]))
    >>> low, high = two_variance_interval(np.array([2.0]), np.array([0.5]), np.array([30.0]), parts, conf_level=0.95)
    >>> print(f"{low[0]:.2f} {high[0]:.2f}")
    0.27 1.41
    """
    c = np.maximum(-parts.cross / parts.residual_spread, 0.0)
    mean = parts.level + c * parts.residual
    spread = parts.level_spread + 2 * c * parts.cross + c**2 * parts.residual_spread
    within_df = 2 * parts.residual**2 / parts.residual_spread
    mean_df = 2 * mean**2 / np.maximum(spread, 1e-300)
    low, high = np.empty_like(b), np.empty_like(b)
    for start in range(0, len(b), _BLOCK):
        part = slice(start, start + _BLOCK)
        within = parts.residual[part, None] / _chi_square(within_df[part])
        between = mean[part, None] / _chi_square(mean_df[part])
        total = within[:, :, None] + np.maximum(between[:, None] - c[part, None, None] * within[:, :, None], 0.0)
        scale = _quantiles(np.sqrt(total).reshape(len(within), -1))
        for side, level in ((low, (1 - conf_level) / 2), (high, (1 + conf_level) / 2)):
            side[part] = _quantile(b[part], error[part], df[part], scale, level)
    return low, high


def _chi_square(df: FloatArray) -> FloatArray:
    """Return chi-square / df at the normal scores, shape (batch, nodes); never 0."""
    half = np.minimum(df, 1e8)[:, None] / 2
    lower = special.gammaincinv(half, special.ndtr(_Z))
    upper = special.gammainccinv(half, special.ndtr(-_Z))
    out: FloatArray = np.maximum(np.where(_Z < 0, lower, upper) / half, 1e-12)
    return out


def _quantiles(scale: FloatArray) -> FloatArray:
    """Return the quantiles of every standard deviation at fine normal scores, from its values on the coarse grid.

    Where b is large beside its error single values of the grid would show as steps; a line through them does not.
    """
    weight = np.outer(_WEIGHT, _WEIGHT).ravel()
    order = np.argsort(scale, axis=1)
    held = weight[order]
    reached = np.cumsum(held, axis=1) - held / 2
    values = np.log(np.take_along_axis(scale, order, axis=1))
    wanted = special.ndtr(_FINE)
    return np.exp(np.stack([np.interp(wanted, x, y) for x, y in zip(reached, values, strict=True)]))


def _quantile(b: FloatArray, error: FloatArray, df: FloatArray, scale: FloatArray, level: float) -> FloatArray:
    """Return r with `P(R <= r) = level`, by Newton steps inside a bracket."""
    weight = _FINE_WEIGHT
    t = special.stdtrit(df, level)
    # for every scale the quantile is this multiple; the one of the mixture lies between the extremes
    reach = b + t * error
    ends = np.column_stack([reach / scale.min(axis=1), reach / scale.max(axis=1)])
    bottom, top = ends.min(axis=1), ends.max(axis=1)
    r = reach / (scale @ weight)
    log_scale = special.gammaln((df + 1) / 2) - special.gammaln(df / 2) - np.log(df * np.pi) / 2
    for _ in range(_STEPS):
        x = (r[:, None] * scale - b[:, None]) / error[:, None]
        reached = special.stdtr(df[:, None], x) @ weight
        density = np.exp(log_scale[:, None] - (df[:, None] + 1) / 2 * np.log1p(x * x / df[:, None]))
        slope = (density * scale) @ weight / error
        bottom, top = np.where(reached < level, r, bottom), np.where(reached < level, top, r)
        newton = r - (reached - level) / np.maximum(slope, 1e-300)
        moved, r = r, np.where((newton >= bottom) & (newton <= top), newton, (bottom + top) / 2)
        if (np.abs(moved - r) <= 1e-9 * (1 + np.abs(r))).all():
            break
    return r
