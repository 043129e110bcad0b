"""The interval of a standardised effect whose standard error was estimated apart from its standard deviation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = ["generalized_interval"]

FloatArray = NDArray[np.float64]

_NODES = ((0.3, 41), (1.0, 61), (2.0, 161), (np.inf, 641))
"""Largest |b / SE| / sqrt(2 nu) -> nodes: the further SE / b lies from the spread of W, the finer the sum must be."""
_STEPS = 100


def generalized_interval(
    b: ArrayLike, std_error: ArrayLike, sd: ArrayLike, *, nu: ArrayLike, df: ArrayLike, conf_level: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    r"""Return limits for b / sigma where SE(b) and the estimate of sigma are separate sources of error.

    For clustered designs: the standard error comes from few clusters, the standard deviation from all clients. Where
    the standard error is a known multiple of the standard deviation (two independent groups) the noncentral t is
    exact; use `noncentral_t_interval` there. Multiplying noncentral-t limits by an estimated kappa instead counts the
    error of the standard error twice: with 22 degrees of freedom and an effect of 1.5 they cover 1.00 instead of .95.

    Parameters
    ----------
    b, std_error
        Effect in raw units and its standard error. All arguments broadcast.
    sd
        Estimate of sigma (with any design factor applied).
    nu
        Degrees of freedom of `sd`; infinity for a known one.
    df
        Degrees of freedom of `std_error`; infinity for a known one.
    conf_level
        Between 0 and 1; the tails are equal.

    Returns
    -------
    low, high : numpy.ndarray
        The limits. They exclude 0 exactly when the two-sided t test of b at `df` rejects.

    Notes
    -----
    Quantiles of the generalised pivot (Weerahandi, 1993)

    .. math:: R = W\,(b - T \cdot SE)/s, \quad T \sim t_{df}, \quad W^2 \sim \chi^2_\nu/\nu

    with T and W independent: the chance that R stays below r is the mean over W of
    :math:`P(T \ge (b - r s/W)/SE)`, a trapezoidal sum on the normal scale of W. As `df` grows R tends to the pivot
    of the noncentral t with `nu`. Its coverage is shown by simulation in the tests.

    Examples
    --------
    >>> low, high = generalized_interval(2.4, 0.9, 5.5, nu=500, df=20)
    >>> print(f"{low:.3f} {high:.3f}")
    0.095 0.780
    """
    parts = np.broadcast_arrays(*(np.asarray(part, dtype=float) for part in (b, std_error, sd, nu, df)))
    flat = [part.ravel()[:, None] for part in parts]
    limits = np.empty((2, parts[0].size))
    rough = np.abs(flat[0] / flat[1])[:, 0] / np.sqrt(2 * flat[3][:, 0])
    least = -1.0
    for most, nodes in _NODES:
        chosen = np.flatnonzero((rough > least) & (rough <= most))
        if chosen.size:
            limits[:, chosen] = _solve(*(part[chosen] for part in flat), nodes=nodes, tail=(1 - conf_level) / 2)
        least = most
    return limits[0].reshape(parts[0].shape), limits[1].reshape(parts[0].shape)


def _solve(
    effect: FloatArray, error: FloatArray, unit: FloatArray, unit_df: FloatArray, error_df: FloatArray, *,
    nodes: int, tail: float,
) -> FloatArray:  # fmt: skip
    """Return both limits of columns of numbers, by Newton steps kept inside a bracket."""
    z = np.linspace(-8.0, 8.0, nodes)
    weights = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()
    scale = _chi_quantile(special.ndtr(z), special.ndtr(-z), unit_df)
    reach = np.abs(effect) + _t_quantile(tail / 4, error_df) * error
    widest = (_chi_quantile(np.array(1 - tail / 4), np.array(tail / 4), unit_df) * reach / unit)[:, 0]
    near = _t_quantile(tail, error_df) * np.hypot(error, effect / np.sqrt(2 * unit_df)) / unit
    limits = []
    for level, side in ((tail, -1), (1 - tail, 1)):
        limit = np.clip((effect / unit + side * near)[:, 0], -widest, widest)
        low, high, left = -widest, widest.copy(), np.arange(limit.size)
        for _ in range(_STEPS):
            now, slope = limit[left], unit[left] / (scale[left] * error[left])
            t, df = now[:, None] * slope - (effect / error)[left], error_df[left]
            below = _t_distribution(t, df) @ weights  # the chance that R stays below
            density = (_t_density(t, df) * slope) @ weights
            low[left] = np.where(below < level, now, low[left])
            high[left] = np.where(below < level, high[left], now)
            newton = now - (below - level) / np.maximum(density, 1e-300)
            inside = (newton >= low[left]) & (newton <= high[left])
            limit[left] = np.where(inside, newton, (low[left] + high[left]) / 2)
            left = left[np.abs(limit[left] - now) > 1e-12 * widest[left]]
            if left.size == 0:
                break
        limits.append(limit)
    return np.array(limits)


def _chi_quantile(p: FloatArray, upper: FloatArray, nu: FloatArray) -> FloatArray:
    """Return quantiles of sqrt(chi-square / nu) from the nearer tail; 1 at infinite nu."""
    half = np.where(np.isinf(nu), 1.0, nu) / 2
    square = np.where(p < 0.5, special.gammaincinv(half, p), special.gammainccinv(half, upper)) / half
    return np.where(np.isinf(nu), 1.0, np.sqrt(square))


def _t_distribution(t: FloatArray, df: FloatArray) -> FloatArray:
    return np.where(np.isinf(df), special.ndtr(t), special.stdtr(np.where(np.isinf(df), 1.0, df), t))


def _t_density(t: FloatArray, df: FloatArray) -> FloatArray:
    finite = np.where(np.isinf(df), 1.0, df)
    log_scale = special.gammaln((finite + 1) / 2) - special.gammaln(finite / 2) - np.log(finite * np.pi) / 2
    student = np.exp(log_scale - (finite + 1) / 2 * np.log1p(t * t / finite))
    return np.where(np.isinf(df), np.exp(-t * t / 2) / np.sqrt(2 * np.pi), student)


def _t_quantile(tail: float, df: FloatArray) -> FloatArray:
    """Return the upper quantile."""
    return np.where(np.isinf(df), -special.ndtri(tail), -special.stdtrit(np.where(np.isinf(df), 1.0, df), tail))
