"""The tetrachoric correlation: two yes/no variables taken for normal ones that were cut in two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sweval.effects.arrays import Effects, refuse
from sweval.effects.contingency import TwoByTwo
from sweval.effects.score_limits import log_odds_ratio_limits

__all__ = ["tetrachoric_correlation"]

FloatArray = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_STEPS = 60


def tetrachoric_correlation(table: TwoByTwo, *, conf_level: float = 0.95) -> Effects:
    r"""Return the correlation of the two normal variables that the rows and columns of a table may stand for.

    For two dichotomised states (need above a cut-off, outcome above a cut-off). Where the arms were allotted nothing
    continuous lies behind them, and `probit_d` is the effect to use.

    Parameters
    ----------
    table
        Counts, by `two_by_two`, without an empty cell: with one the likelihood rises to a correlation of 1.
    conf_level
        Of the limits: the correlations of the shares that fit best at the score limits of the odds ratio.

    Returns
    -------
    Effects
        measure "tetrachoric_correlation", metric "correlation".

    Raises
    ------
    DesignError
        If a table has an empty cell.

    Notes
    -----
    The cuts are the normal quantiles of the margins; the correlation gives the first cell its share (Pearson, 1900).
    The bivariate normal distribution is
    :math:`\Phi(h)\Phi(k) + \frac{1}{2\pi}\int_0^{\arcsin\rho}
    \exp\!\left(-\frac{h^2 + k^2 - 2hk\sin t}{2\cos^2 t}\right) dt`.
    The variance is that of maximum likelihood; the model is saturated, so the delta method gives it exactly.

    Examples
    --------
    >>> import sweval as sw
    >>> effect = tetrachoric_correlation(sw.effects.two_by_two(12, 20, 6, 20))
    >>> print(f"{effect.estimate:.4f} [{effect.conf_low:.3f}, {effect.conf_high:.3f}]")
    0.4576 [-0.019, 0.772]
    """
    refuse(
        table.incomplete,
        "a cell is empty, where the tetrachoric correlation runs off to 1 or -1",
        fix="Use phi_coefficient, or risk_difference for arms.",
    )
    n1, n2 = table.n_treated, table.n_control
    a, b, c, d = table.cells
    limits = table.limits(log_odds_ratio_limits, conf_level)
    low, high = (_correlation(n1, n2, *risks) for risks in (limits.risks_low, limits.risks_high))
    rho = _correlation(n1, n2, a / n1, c / n2)
    return table.effects(
        rho,
        _variance(rho, a, b, c, d),
        (low, high),
        names=("tetrachoric_correlation", "correlation"),
        method="tetrachoric correlation; limits by way of the score interval of the odds ratio",
        conf_level=conf_level,
        filled=False,
    )


def _correlation(n1: FloatArray, n2: FloatArray, p1: FloatArray, p2: FloatArray) -> FloatArray:
    """Return the correlation that gives the first cell its share, by bisection over its arcsine."""
    total = n1 + n2
    h, k = special.ndtri(n1 / total), special.ndtri((n1 * p1 + n2 * p2) / total)
    wanted = n1 * p1 / total - special.ndtr(h) * special.ndtr(k)
    low, high = np.full(h.shape, -np.pi / 2), np.full(h.shape, np.pi / 2)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        below = _beyond_independence(h, k, middle) < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.sin((low + high) / 2)


def _beyond_independence(h: FloatArray, k: FloatArray, angle: FloatArray) -> FloatArray:
    """Return by how much the share of the first cell exceeds that of independence, at a correlation sin(angle)."""
    t = angle[..., None] * (_NODES + 1) / 2
    h, k = h[..., None], k[..., None]
    squares = (h**2 + k**2 - 2 * h * k * np.sin(t)) / (2 * np.maximum(np.cos(t) ** 2, 1e-300))
    return np.asarray((np.exp(-squares) * _WEIGHTS).sum(axis=-1) * angle / (4 * np.pi))


def _variance(rho: FloatArray, a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:
    """Return the variance by the delta method from the four multinomial shares."""
    n = a + b + c + d
    h, k = special.ndtri((a + b) / n), special.ndtri((a + c) / n)
    root = np.sqrt(1 - rho**2)
    density = np.exp(-(h**2 + k**2 - 2 * rho * h * k) / (2 * root**2)) / (2 * np.pi * root)
    row, column = special.ndtr((k - rho * h) / root), special.ndtr((h - rho * k) / root)
    # d rho = (d p_a - row d(p_a + p_b) - column d(p_a + p_c)) / density: the slope of rho in each share
    slopes = (1 - row - column, -row, -column, np.zeros_like(row))
    mean = sum((slope * cell for slope, cell in zip(slopes, (a, b, c, d), strict=True)), start=np.asarray(0.0)) / n
    square = sum((slope**2 * cell for slope, cell in zip(slopes, (a, b, c, d), strict=True)), start=np.asarray(0.0)) / n
    return (square - mean**2) / (n * density**2)
