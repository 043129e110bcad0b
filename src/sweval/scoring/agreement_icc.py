"""Agreement of numbers: mean squares, the six intraclass correlations with their intervals, Kendall's W."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class MeanSquares:
    """Mean squares of a complete table of n rated units (rows) by k raters (columns).

    `units` is between units, `raters` between raters, `error` what is left of the two-way table, and `within` all that
    differs inside units (raters and error together).
    """

    units: float
    raters: float
    error: float
    within: float
    n: int
    k: int


@dataclass(frozen=True, kw_only=True)
class Intraclass:
    """An intraclass correlation with its limits and the exact F test of a correlation of zero."""

    estimate: float
    low: float
    high: float
    f: float
    df1: float
    df2: float
    p_value: float


def mean_squares(ratings: Array) -> MeanSquares:
    """Return the mean squares of a table without gaps, shape (n units, k raters), both at least two."""
    n, k = ratings.shape
    unit_means, rater_means, mean = ratings.mean(axis=1), ratings.mean(axis=0), ratings.mean()
    within = float(np.square(ratings - unit_means[:, None]).sum())
    raters = float(n * np.square(rater_means - mean).sum())
    error = float(np.square(ratings - unit_means[:, None] - rater_means + mean).sum())
    return MeanSquares(
        units=float(k * np.square(unit_means - mean).sum() / (n - 1)),
        raters=raters / (k - 1),
        error=error / ((n - 1) * (k - 1)),
        within=within / (n * (k - 1)),
        n=n,
        k=k,
    )


def one_rater_one_way(ms: MeanSquares, conf_level: float) -> Intraclass:
    """Return ICC(1,1): every unit has raters of its own (Shrout and Fleiss 1979)."""
    return _from_f(ms.units / ms.within, ms.n - 1, ms.n * (ms.k - 1), ms.k, conf_level)


def one_rater_consistency(ms: MeanSquares, conf_level: float) -> Intraclass:
    """Return ICC(3,1) = ICC(C,1): the same raters for all units, differences in their level left out."""
    return _from_f(ms.units / ms.error, ms.n - 1, (ms.n - 1) * (ms.k - 1), ms.k, conf_level)


def one_rater_agreement(ms: MeanSquares, conf_level: float) -> Intraclass:
    """Return ICC(2,1) = ICC(A,1): absolute agreement of raters who stand for other raters.

    The limits are those of `agreement_limits` at the df of the estimate; the test of zero is the exact F test.
    """
    n, k = ms.n, ms.k
    estimate = (ms.units - ms.error) / (ms.units + (k - 1) * ms.error + k * (ms.raters - ms.error) / n)
    low, high = agreement_limits(ms, agreement_df(ms, estimate), conf_level)
    f, df2 = ms.units / ms.error, (n - 1) * (k - 1)
    p_value = float(special.fdtrc(n - 1, df2, f))
    return Intraclass(estimate=estimate, low=low, high=high, f=f, df1=n - 1, df2=df2, p_value=p_value)


def agreement_df(ms: MeanSquares, icc: float) -> float:
    """Return Satterthwaite's df of the error of absolute agreement, at this correlation of single raters.

    With a = k * icc / (n * (1 - icc)) and b = 1 + a * (n - 1), the df are those of a * MS(raters) + b * MS(error)
    (McGraw and Wong 1996, Table 7).
    """
    n, k = ms.n, ms.k
    ratio = k * icc / (n * (1 - icc))
    a, b = ratio * ms.raters, (1 + ratio * (n - 1)) * ms.error
    return float((a + b) ** 2 / (a**2 / (k - 1) + b**2 / ((n - 1) * (k - 1))))


def agreement_limits(ms: MeanSquares, df: float, conf_level: float) -> tuple[float, float]:
    """Return the limits of ICC(A,1) with these df of its error (Fleiss and Shrout 1978; McGraw and Wong 1996)."""
    n, k = ms.n, ms.k
    level = k * ms.raters + (k * n - k - n) * ms.error
    upper, lower = _quantile(n - 1, df, conf_level), _quantile(df, n - 1, conf_level)
    low = n * (ms.units - upper * ms.error) / (upper * level + n * ms.units)
    high = n * (lower * ms.units - ms.error) / (level + n * lower * ms.units)
    return low, high


def generalized_limits(ms: MeanSquares, conf_level: float) -> tuple[float, float]:
    """Return generalized confidence limits of ICC(A,1), which hold with few raters (Ionan et al. 2014).

    They are quantiles of `generalized_pivot`, cut at -1 / (k - 1), as no correlation is lower.
    """
    n, k = ms.n, ms.k
    share_below = generalized_pivot(ms)
    tail = (1 - conf_level) / 2
    low, high = (
        optimize.brentq(lambda icc, share=share: share_below(icc) - share, -n / (n * (k - 1) - k), 1.0, xtol=1e-12)
        for share in (tail, 1 - tail)
    )
    return max(float(low), -1 / (k - 1)), float(high)


def generalized_pivot(ms: MeanSquares) -> Callable[[float], float]:
    """Return the distribution function of the generalized pivot of ICC(A,1), from these mean squares.

    Each mean square over its expectation is chi-square over df, so the correlation is a function of the mean squares
    and three independent chi-squares. The share of them that puts it below a value comes from Gauss-Legendre quadrature
    over two chi-squares, with the third in closed form: nothing is drawn.
    """
    n, k = ms.n, ms.k
    df = (n - 1, k - 1, (n - 1) * (k - 1))
    (wide, own), (narrow, other) = _nodes(256), _nodes(48)  # the raters' few df need more nodes
    raters = (ms.raters * df[1] / special.chdtri(df[1], wide))[:, None]
    error = ms.error * df[2] / special.chdtri(df[2], narrow)
    together = own[:, None] * other

    def share_below(icc: float) -> float:
        rest = icc * k / n * raters + (1 + icc * (k - 1 - k / n)) * error
        reached = np.where(rest > 0, ms.units * df[0] * (1 - icc) / np.where(rest > 0, rest, 1.0), np.inf)
        return float((together * special.chdtrc(df[0], reached)).sum())

    return share_below


@lru_cache
def _nodes(count: int) -> tuple[Array, Array]:
    """Return nodes and weights of Gauss and Legendre between 0 and 1."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


def of_mean(one: Intraclass, k: float) -> Intraclass:
    """Return the correlation of means of k raters, by Spearman and Brown, limits likewise (Shrout and Fleiss 1979)."""
    return Intraclass(
        estimate=step_up(one.estimate, k),
        low=step_up(one.low, k),
        high=step_up(one.high, k),
        f=one.f,
        df1=one.df1,
        df2=one.df2,
        p_value=one.p_value,
    )


def step_up(icc: float, k: float) -> float:
    """Return k * icc / (1 + (k - 1) * icc); minus infinity at and below -1 / (k - 1)."""
    bottom = 1 + (k - 1) * icc
    return float(k * icc / bottom) if bottom > 0 else -np.inf


@dataclass(frozen=True, kw_only=True)
class OneWay:
    """A one-way analysis of variance of members in units of any size."""

    between: float
    within: float
    df1: int
    df2: int
    sizes: Array
    means: Array

    @property
    def f(self) -> float:
        """Mean square between units over mean square within."""
        return self.between / self.within


def one_way(values: Array, units: NDArray[np.int64]) -> OneWay:
    """Return the analysis of `values` (n,) by unit codes 0 .. u-1, each present at least once."""
    sizes = np.bincount(units).astype(float)
    means = np.bincount(units, weights=values) / sizes
    df1, df2 = len(sizes) - 1, len(values) - len(sizes)
    between = float((sizes * np.square(means - values.mean())).sum()) / df1
    within = float(np.square(values - means[units]).sum()) / df2
    return OneWay(between=between, within=within, df1=df1, df2=df2, sizes=sizes, means=means)


def intraclass_of_units(table: OneWay, conf_level: float) -> Intraclass:
    """Return ICC(1) of members in units of unequal size, with the exact limits of Wald (1940).

    The estimate is (MSB - MSW) / (MSB + (m - 1) * MSW) with the mean size m (Bliese 2000). The limits hold exactly for
    normal values and any sizes: with w = size / (1 + size * theta), the weighted spread of the unit means over MSW
    follows F at the true theta = variance between / variance within. With equal sizes they are those of
    ICC(1,1).
    """
    size = float(table.sizes.mean())
    upper, lower = _quantile(table.df1, table.df2, conf_level), 1 / _quantile(table.df2, table.df1, conf_level)
    low, high = (_theta(table, quantile) for quantile in (upper, lower))
    estimate = (table.f - 1) / (table.f + size - 1)
    return Intraclass(
        estimate=estimate,
        low=min(low / (1 + low), estimate),  # an estimate below the least possible limit, -1 / (largest size - 1)
        high=high / (1 + high),
        f=table.f,
        df1=table.df1,
        df2=table.df2,
        p_value=float(special.fdtrc(table.df1, table.df2, table.f)),
    )


def _theta(table: OneWay, quantile: float) -> float:
    """Return the ratio of variances at which the weighted spread of the means is `quantile` times MSW."""

    def excess(theta: float) -> float:
        weights = table.sizes / (1 + table.sizes * theta)
        mean = (weights * table.means).sum() / weights.sum()
        return float((weights * np.square(table.means - mean)).sum() / table.df1 / table.within - quantile)

    low, high = -1 / float(table.sizes.max()), 1.0
    start = low + 1e-9 * abs(low)
    if excess(start) <= 0:  # the largest unit lies at the grand mean, or nothing varies: the limit is the bound
        return low
    while excess(high) > 0:
        high *= 4
    return float(optimize.brentq(excess, start, high, xtol=1e-14, rtol=1e-13))


@dataclass(frozen=True, kw_only=True)
class Concordance:
    """Kendall's coefficient of concordance and its chi-square."""

    estimate: float
    chi_square: float
    df: int
    p_value: float


def kendall_w(ratings: Array) -> Concordance:
    """Return Kendall's W of a table without gaps (n units, k raters), corrected for ties (Kendall and Smith 1939)."""
    from scipy.stats import rankdata

    n, k = ratings.shape
    ranks = rankdata(ratings, axis=0)
    counts = [np.unique(column, return_counts=True)[1] for column in ratings.T]
    ties = float(sum((np.power(count, 3.0) - count).sum() for count in counts))
    spread = float(np.square(ranks.sum(axis=1) - k * (n + 1) / 2).sum())
    w = 12 * spread / (k**2 * (n**3 - n) - k * ties)
    chi_square = k * (n - 1) * w
    return Concordance(estimate=w, chi_square=chi_square, df=n - 1, p_value=float(special.chdtrc(n - 1, chi_square)))


def _from_f(f: float, df1: int, df2: int, k: int, conf_level: float) -> Intraclass:
    """Return the correlation that F stands for, with exact limits."""
    low, high = f / _quantile(df1, df2, conf_level), f * _quantile(df2, df1, conf_level)
    return Intraclass(
        estimate=(f - 1) / (f + k - 1),
        low=(low - 1) / (low + k - 1),
        high=(high - 1) / (high + k - 1),
        f=f,
        df1=df1,
        df2=df2,
        p_value=float(special.fdtrc(df1, df2, f)),
    )


def _quantile(df1: float, df2: float, conf_level: float) -> float:
    return float(special.fdtri(df1, df2, (1 + conf_level) / 2))
