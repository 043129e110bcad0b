"""How often people with the service do better than people without it, from raw scores and without a distribution.

For scores that are skewed, at the floor or only ordered, where a standardised difference describes nobody. Clients
must be independent: those of one agency or group resemble each other, and these intervals do not know it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from sweval.effects.samples import orientation, scores
from sweval.errors import DataError, DesignError
from sweval.result import Estimate

__all__ = ["cliffs_delta", "generalized_odds_ratio", "matched_rank_biserial", "probability_of_superiority"]

FloatArray = NDArray[np.float64]

_INTERVALS = ("score", "newcombe", "fisher")


@dataclass(frozen=True, kw_only=True)
class _Superiority:
    """Probability of superiority, its limits, and the test of one half."""

    estimate: float
    low: float
    high: float
    std_error: float | None
    statistic: float | None
    df: float | None
    p_value: float | None
    method: str


def probability_of_superiority(
    treated: ArrayLike,
    control: ArrayLike,
    *,
    better: str = "higher",
    conf_level: float = 0.95,
    interval: str = "score",
) -> Estimate:
    r"""Return how likely a person with the service does better than one without it; ties count one half.

    It is also called Vargha and Delaney's A, and the area under the curve. .50 says that both are equally likely to be
    the better one. Use it where scores are skewed or ordered; under normal distributions `common_language_effect` is a
    little more precise.

    Parameters
    ----------
    treated, control
        Raw scores, one per client, none missing.
    better
        "higher" or "lower": which direction of the score is an improvement.
    conf_level
        Between 0 and 1.
    interval
        "score": the variance of Brunner and Munzel, with t, inside Wilson's interval; any distributions, also of
        unequal spread. "newcombe": Newcombe's method 5, for continuous scores of about equal spread. "fisher":
        Fisher's z of `cliffs_delta` with the variance under no difference, as the R package effectsize does; too short
        when the groups lie far apart.

    Returns
    -------
    Estimate
        measure "probability_of_superiority", between 0 and 1, null .5; test and df belong to the interval.

    Raises
    ------
    DataError
        If scores are missing (the message counts them), fewer than two in a group, or all of them equal.
    DesignError
        If `better` or `interval` is not one of those named.

    Notes
    -----
    With placements :math:`p_i` of each person among the other group, Brunner & Munzel (2000),
    doi:10.1002/(SICI)1521-4036(200001)42:1<17::AID-BIMJ17>3.0.CO;2-U, estimate
    :math:`V = s^2_{p,T}/n_T + s^2_{p,C}/n_C` with Satterthwaite's df. The score interval solves
    :math:`(\hat A - A)^2 = t^2 V A(1-A)/[\hat A(1-\hat A)]`, so it stays within 0 and 1 and agrees with the p-value at
    .5. V is never taken below Newcombe's (2006, doi:10.1002/sim.2324) for the same :math:`\hat A`: with few persons
    and groups far apart the placements hardly vary by chance. Where nobody overlaps, :math:`\hat A` is taken at
    :math:`1 - 1/(2 n_T n_C)` in the interval. Simulated coverage .94 or above with 4 to 50 per group, continuous,
    ordered and skewed scores, equal and unequal spread; .91 where 4 persons spread four times as wide as 20 or more.

    Examples
    --------
    >>> row = probability_of_superiority([12, 15, 11, 18, 14], [10, 9, 13, 8, 12])
    >>> print(f"{row.estimate:.2f} [{row.conf_low:.2f}, {row.conf_high:.2f}]")
    0.86 [0.44, 0.98]
    """
    t, c = _two_groups(treated, control)
    sign = orientation(better)
    found = _superiority(sign * t, sign * c, conf_level=conf_level, interval=interval)
    return Estimate(
        term="arm[treated]",
        measure="probability_of_superiority",
        estimate=found.estimate,
        std_error=found.std_error,
        conf_low=found.low,
        conf_high=found.high,
        conf_level=conf_level,
        statistic=found.statistic,
        df=found.df,
        p_value=found.p_value,
        null=0.5,
        better=better,
        n=t.size + c.size,
        method=f"probability of superiority, ties one half; {found.method}; above .5 = improvement",
        metric="probability",
        adjusted=False,
        level_assigned="client",
        level_outcome="client",
        variance=None if found.std_error is None else found.std_error**2,
    )


def cliffs_delta(
    treated: ArrayLike,
    control: ArrayLike,
    *,
    better: str = "higher",
    conf_level: float = 0.95,
    interval: str = "score",
) -> Estimate:
    r"""Return Cliff's delta, the rank-biserial correlation of two groups: how much more often better than worse.

    2A - 1 with A the `probability_of_superiority`: 0 = no difference, 1 = everybody with the service does better than
    everybody without.

    Parameters
    ----------
    treated, control
        Raw scores, one per client, none missing.
    better
        "higher" or "lower".
    conf_level
        Between 0 and 1.
    interval
        As in `probability_of_superiority`.

    Returns
    -------
    Estimate
        measure "cliffs_delta", between -1 and 1.

    Raises
    ------
    DataError, DesignError
        As `probability_of_superiority`.

    Notes
    -----
    Cliff (1993), doi:10.1037/0033-2909.114.3.494.

    Examples
    --------
    >>> row = cliffs_delta([12, 15, 11, 18, 14], [10, 9, 13, 8, 12])
    >>> print(f"{row.estimate:.2f} [{row.conf_low:.2f}, {row.conf_high:.2f}]")
    0.72 [-0.12, 0.96]
    """
    row = probability_of_superiority(treated, control, better=better, conf_level=conf_level, interval=interval)
    low, high = (None if limit is None else 2 * limit - 1 for limit in (row.conf_low, row.conf_high))
    return dataclasses.replace(
        row,
        measure="cliffs_delta",
        metric="dominance",
        estimate=2 * row.estimate - 1,
        std_error=None if row.std_error is None else 2 * row.std_error,
        conf_low=low,
        conf_high=high,
        null=0.0,
        variance=None if row.variance is None else 4 * row.variance,
        method=row.method.replace("probability of superiority", "Cliff's delta (rank-biserial)").replace(
            "above .5", "+"
        ),
    )


def generalized_odds_ratio(
    treated: ArrayLike,
    control: ArrayLike,
    *,
    better: str = "higher",
    conf_level: float = 0.95,
    interval: str = "score",
) -> Estimate:
    r"""Return the odds that a person with the service does better than one without, ties divided between both.

    A/(1 - A) with A the `probability_of_superiority`; 1 = no difference. Also called the Wilcoxon-Mann-Whitney odds.

    Parameters
    ----------
    treated, control
        Raw scores, one per client, none missing.
    better
        "higher" or "lower".
    conf_level
        Between 0 and 1.
    interval
        As in `probability_of_superiority`.

    Returns
    -------
    Estimate
        measure "generalized_odds_ratio", 0 or more.

    Raises
    ------
    DataError
        As `probability_of_superiority`, and if the groups do not overlap, so that the odds have no end.
    DesignError
        As `probability_of_superiority`.

    Notes
    -----
    O'Brien & Castelloe (2006); Agresti (1980), Biometrics, 36, 59-67, for the form without ties.

    Examples
    --------
    >>> row = generalized_odds_ratio([12, 15, 11, 18, 14], [10, 9, 13, 8, 12])
    >>> print(f"{row.estimate:.2f}")
    6.14
    """
    row = probability_of_superiority(treated, control, better=better, conf_level=conf_level, interval=interval)
    if row.estimate in (0.0, 1.0):
        raise DataError(
            "every person of one group does better than every person of the other, so the odds have no end.",
            fix="Report probability_of_superiority, whose interval is defined.",
        )
    ends = [row.conf_low, row.conf_high]
    low, high = (None if end is None else np.inf if end == 1 else end / (1 - end) for end in ends)
    return dataclasses.replace(
        row,
        measure="generalized_odds_ratio",
        metric="odds",
        estimate=row.estimate / (1 - row.estimate),
        std_error=None,
        conf_low=low,
        conf_high=high,
        null=1.0,
        variance=None,
        method=row.method.replace("probability of superiority", "generalised odds").replace("above .5", "above 1"),
    )


def matched_rank_biserial(
    pre: ArrayLike, post: ArrayLike, *, better: str = "higher", conf_level: float = 0.95
) -> Estimate:
    r"""Return the matched-pairs rank-biserial correlation: signed ranks for improvement less those against it.

    For ordered scores of the same clients before and after. It is a change without a comparison group, and must not be
    set beside effects that have one.

    Parameters
    ----------
    pre, post
        Raw scores before and after, of the same clients in the same order, none missing.
    better
        "higher" or "lower".
    conf_level
        Between 0 and 1.

    Returns
    -------
    Estimate
        measure "matched_rank_biserial", between -1 and 1; clients without any change are left out and counted in
        `method`. Without limits where every change goes the same way.

    Raises
    ------
    DataError
        If scores are missing, the lengths differ, or nobody changed.
    DesignError
        If `better` is neither "higher" nor "lower".

    Notes
    -----
    Kerby (2014), doi:10.2466/11.IT.3.1. The interval is on Fisher's z with the variance of the signed-rank sum under no
    change, as the R package effectsize has it: an approximation, good near 0.

    Examples
    --------
    >>> row = matched_rank_biserial([10, 12, 9, 14, 11, 8], [13, 12, 12, 19, 10, 15])
    >>> print(f"{row.estimate:.2f}")
    0.87
    """
    before, after = scores(pre, name="before"), scores(post, name="after")
    if before.size != after.size:
        raise DataError(f"{before.size} scores before and {after.size} after; each client needs both, in order.")
    change = orientation(better) * (after - before)
    change = change[change != 0]
    if change.size == 0:
        raise DataError(f"none of {before.size} clients changed, so there are no ranks to compare.")
    ranks = stats.rankdata(np.abs(change))
    r = float((np.sign(change) * ranks).sum() / ranks.sum())
    n = change.size
    error = float(np.sqrt((2 * n**3 + 3 * n**2 + n) / 6) / (n * (n + 1) / 2))
    z = float(special.ndtri((1 + _level(conf_level)) / 2))
    held = abs(r) < 1
    low, high = (float(np.tanh(np.arctanh(r) + side * z * error)) if held else None for side in (-1, 1))
    return Estimate(
        term="change",
        measure="matched_rank_biserial",
        estimate=r,
        conf_low=low,
        conf_high=high,
        conf_level=conf_level if held else None,
        null=0.0,
        better=better,
        n=before.size,
        method=f"matched-pairs rank-biserial correlation, {before.size - n} clients without change left out; "
        + ("Fisher's z, variance under no change" if held else "every change goes the same way, so no interval")
        + "; positive = improvement",
        metric="uncontrolled_dominance",
        adjusted=False,
        level_outcome="client",
    )


def _superiority(x: FloatArray, y: FloatArray, *, conf_level: float, interval: str) -> _Superiority:
    """Return the probability that x is above y, with the interval of one method."""
    if interval not in _INTERVALS:
        raise DesignError(f'interval must be one of {", ".join(_INTERVALS)}, not "{interval}".')
    z = float(special.ndtri((1 + _level(conf_level)) / 2))
    in_y, in_x = placements(x, y), 1 - placements(y, x)
    m, n = x.size, y.size
    a = float(in_y.mean())
    shown = min(max(a, 1 / (2 * m * n)), 1 - 1 / (2 * m * n))
    if interval == "newcombe":
        low, high = newcombe_interval(a, m, n, z)
        return _Superiority(
            estimate=a, low=low, high=high, std_error=float(np.sqrt(newcombe_variance(shown, m, n))),
            statistic=None, df=None, p_value=None, method="Newcombe's method 5",
        )  # fmt: skip
    if interval == "fisher":
        with np.errstate(divide="ignore"):
            middle, error = np.arctanh(2 * a - 1), np.sqrt((m + n + 1) / (3 * m * n))
        low, high = (float(np.tanh(middle + side * z * error) + 1) / 2 for side in (-1, 1))
        return _Superiority(
            estimate=a, low=low, high=high, std_error=None, statistic=None, df=None, p_value=None,
            method="Fisher's z with the variance under no difference",
        )  # fmt: skip
    parts = np.array([in_y.var(ddof=1) / m, in_x.var(ddof=1) / n])
    brunner_munzel = float(parts.sum())
    df = min(m, n) - 1.0
    if brunner_munzel > 0:
        df = float(brunner_munzel**2 / (parts**2 / np.array([m - 1, n - 1])).sum())
    variance = max(brunner_munzel, float(newcombe_variance(shown, m, n)))
    size = shown * (1 - shown) / variance
    t = float(stats.t.ppf((1 + conf_level) / 2, df))
    middle = (shown + t**2 / (2 * size)) / (1 + t**2 / size)
    half = t * np.sqrt(shown * (1 - shown) / size + t**2 / (4 * size**2)) / (1 + t**2 / size)
    statistic = (shown - 0.5) * 2 * np.sqrt(size)
    return _Superiority(
        estimate=a,
        low=float(middle - half) if a > 0 else 0.0,
        high=float(middle + half) if a < 1 else 1.0,
        std_error=float(np.sqrt(variance)),
        statistic=float(statistic),
        df=df,
        p_value=float(2 * stats.t.sf(abs(statistic), df)),
        method="score interval, Brunner-Munzel variance and Satterthwaite df",
    )


def placements(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return for each x which share of y lies below it, ties one half."""
    ordered = np.sort(y)
    return (np.searchsorted(ordered, x, side="left") + np.searchsorted(ordered, x, side="right")) / (2 * y.size)


def newcombe_variance(a: ArrayLike, m: ArrayLike, n: ArrayLike) -> FloatArray:
    """Return the variance of A that two exponential distributions imply (Newcombe, 2006, method 5)."""
    a, m, n = (np.asarray(part, dtype=float) for part in (a, m, n))
    middle = (m + n) / 2 - 1
    return np.asarray(a * (1 - a) / (m * n) * (1 + middle * ((1 - a) / (2 - a) + a / (1 + a))))


def newcombe_interval(a: float, m: int, n: int, z: float) -> tuple[float, float]:
    """Return the values A at which the estimate lies z standard errors away, each taken at A."""

    def solved(outer: float) -> float:
        """Bisect between the estimate, where the distance is 0, and the end, where the standard error is."""
        inside, outside = a, outer
        for _ in range(54):  # to the last digit of a number below 1
            middle = (inside + outside) / 2
            near = (a - middle) ** 2 < z**2 * float(newcombe_variance(middle, m, n))
            inside, outside = (middle, outside) if near else (inside, middle)
        return (inside + outside) / 2

    return (0.0 if a == 0 else solved(0.0)), (1.0 if a == 1 else solved(1.0))


def _two_groups(treated: ArrayLike, control: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return two samples that are not all of one value."""
    t, c = scores(treated, name="treated"), scores(control, name="control")
    if np.ptp(np.concatenate([t, c])) == 0:
        raise DataError(f"all {t.size + c.size} scores are equal, so nobody does better than anybody.")
    return t, c


def _level(conf_level: float) -> float:
    if not isinstance(conf_level, (int, float, np.number)) or not 0 < conf_level < 1:
        raise DesignError("conf_level must lie between 0 and 1, for example 0.95.")
    return conf_level
