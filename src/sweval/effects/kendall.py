"""Kendall's tau and Theil and Sen's line of many short series at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from sweval.effects.case_arrays import median

__all__: list[str] = []

FloatArray = NDArray[np.float64]
_EXACT_UP_TO = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class Kendall:
    """Kendall's S and what belongs to it, one entry per row.

    Attributes
    ----------
    s
        Concordant less discordant pairs.
    d
        Denominator of tau-b.
    tau_b
        nan where one of the two does not vary.
    sd
        Standard deviation of S under independence, with ties.
    z, p_value
        Normal approximation, two-sided.
    n
        Length of the series.
    tied
        Whether there is a tie in x.
    """

    s: FloatArray
    d: FloatArray
    tau_b: FloatArray
    sd: FloatArray
    z: FloatArray
    p_value: FloatArray
    n: FloatArray
    tied: NDArray[np.bool_]


def kendall(x: FloatArray, y: FloatArray, *, continuity: bool = False) -> Kendall:
    """Return Kendall's S of rows that are padded with nan, both alike.

    The variance with ties is Kendall's (1970, Rank Correlation Methods, ch. 4).
    """
    there = np.isfinite(x) & np.isfinite(y)
    n = there.sum(axis=1).astype(float)
    step_x = (x[:, :, None] > x[:, None, :]).astype(np.int8) - (x[:, :, None] < x[:, None, :])
    step_y = (y[:, :, None] > y[:, None, :]).astype(np.int8) - (y[:, :, None] < y[:, None, :])
    s = (step_x * step_y).sum(axis=(1, 2), dtype=np.int64) / 2.0
    pairs = n * (n - 1) / 2
    t, u = _tie_sums(x, there), _tie_sums(y, there)
    d = np.sqrt(np.maximum(pairs - t[0] / 2, 0) * np.maximum(pairs - u[0] / 2, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        var = (
            (n * (n - 1) * (2 * n + 5) - t[1] - u[1]) / 18
            + t[0] * u[0] / (2 * n * (n - 1))
            + np.where(n > 2, t[2] * u[2] / (9 * n * (n - 1) * (n - 2)), 0)
        )
        sd = np.sqrt(np.where(d > 0, var, np.nan))
        z = (np.sign(s) * (np.abs(s) - 1) if continuity else s) / sd
        tau_b = np.where(d > 0, s / d, np.nan)
    return Kendall(s=s, d=d, tau_b=tau_b, sd=sd, z=z, p_value=2 * ndtr(-np.abs(z)), n=n, tied=t[0] > 0)


def trend_p_value(values: FloatArray, time: FloatArray) -> FloatArray:
    """Return the two-sided p of a monotone trend: exact without ties, else normal with continuity correction."""
    found = kendall(values, time, continuity=True)
    p = found.p_value.copy()
    p[found.n < 2] = np.nan
    p[(found.s == 0) & (found.n > 1)] = 1.0
    for row in np.flatnonzero(~found.tied & (found.n > 1) & (found.n <= _EXACT_UP_TO)):
        p[row] = _exact_p(int(found.n[row]), abs(int(found.s[row])))
    return np.minimum(p, 1.0)


def theil_sen(values: FloatArray, time: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return intercept (median of what is left) and slope (median of all pairs') of each row."""
    first, second = np.triu_indices(values.shape[1], k=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        run = time[:, second] - time[:, first]
        slopes = np.where(run != 0, (values[:, second] - values[:, first]) / run, np.nan)
    slope = median(slopes) if slopes.shape[1] else np.full(len(values), np.nan)
    return median(values - slope[:, None] * time), slope


def _tie_sums(x: FloatArray, there: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return sums over groups of t equal values: t(t-1), t(t-1)(2t+5), t(t-1)(t-2)."""
    equal = (x[:, :, None] == x[:, None, :]).sum(axis=2)
    t = np.where(there, equal, 1).astype(float)
    return (
        (t - 1).sum(axis=1),
        ((t - 1) * (2 * t + 5)).sum(axis=1),
        ((t - 1) * (t - 2)).sum(axis=1),
    )


@cache
def _inversions(n: int) -> FloatArray:
    """Return the chance of each number of inversions in a random order of n."""
    counts = np.ones(1)
    for size in range(2, n + 1):
        counts = np.convolve(counts, np.full(size, 1 / size))
    return counts


def _exact_p(n: int, s: int) -> float:
    """Return the chance of |S| at least this large in a random order without ties."""
    chances = _inversions(n)
    reach = (n * (n - 1) // 2 - s) // 2
    return float(min(1.0, 2 * chances[: reach + 1].sum()))
