"""Differences in level between two phases of a single case: ratios, odds, goals and the case's own spread.

They stand on scales of their own: a standard deviation within one client is no standard deviation between clients, so
none of these numbers may be set beside effects of groups. No interval here knows of autocorrelation.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, ndtri

from sweval.effects.case_arrays import CaseEffect, Phase, PhasePair, level, mean, median, phase_pair, variance
from sweval.effects.kernel import small_sample_factor, standardize
from sweval.effects.samples import orientation
from sweval.errors import DataError, DesignError, did_you_mean

__all__ = [
    "log_odds_ratio_within_case",
    "log_ratio_of_medians",
    "log_response_ratio_within_case",
    "percent_of_goal_obtained",
    "standardized_mean_difference_within_case",
]

FloatArray = NDArray[np.float64]
Scale = Literal["count", "rate", "proportion", "percentage"]
_TOP = {"count": np.inf, "rate": np.inf, "proportion": 1.0, "percentage": 100.0}
_FORMS = ("increase", "decrease")
_SDS = ("baseline", "pooled", "average")
_J = ("exact", "approximate", "durlak", "none")


def log_response_ratio_within_case(
    baseline: Phase,
    treated: Phase,
    *,
    better: str = "higher",
    scale: Scale = "count",
    form: Literal["increase", "decrease"] = "increase",
    resolution: float | None = None,
    bias_correct: bool = True,
    conf_level: float = 0.95,
) -> CaseEffect:
    """Return the logarithm of the ratio of mean levels; positive = improvement, exp(it) - 1 the relative change.

    Use it for what has a true zero: counts, rates, shares of time. Not for sums of questionnaires.

    Parameters
    ----------
    baseline, treated, better
        As for `nonoverlap_of_all_pairs`.
    scale
        "count", "rate", "proportion" (0 to 1) or "percentage" (0 to 100).
    form
        Matters for proportions and percentages only, where the ratio of what is left over is another number:
        "increase" compares the share that should grow, "decrease" the share that should shrink.
    resolution
        Smallest steps in one unit: 1 for counts (the default there), minutes observed for a rate, intervals observed
        for a proportion, a hundredth of them for a percentage. With it a mean is at least 1/(2 resolution n), so that a
        phase of zeros has a logarithm.
    bias_correct
        Whether to take off the delta-method bias.
    conf_level
        Of the normal interval.

    Returns
    -------
    CaseEffect
        nan where a mean is 0 and no resolution is known. R's `LRRd` is minus the form "decrease".

    Raises
    ------
    DataError, DesignError
        If a value lies outside the scale, or an argument is unknown.

    Notes
    -----
    log(m_B) - log(m_A) + s_B^2/(2 n m_B^2) - s_A^2/(2 m m_A^2), variance s_A^2/(m m_A^2) + s_B^2/(n m_B^2);
    Pustejovsky (2018), doi:10.1016/j.jsp.2018.02.003.

    Examples
    --------
    >>> row = log_response_ratio_within_case([12, 14, 18, 14, 6], [2, 6, 9, 5, 7], better="lower")
    >>> print(f"{row.estimate:.3f}, SE {row.std_error:.3f}")
    0.783, SE 0.252
    """
    if form not in _FORMS:
        raise DesignError(f'form="{form}" is unknown.', fix=did_you_mean(str(form), _FORMS))
    sign, pair = orientation(better), phase_pair(baseline, treated, better="higher")
    top = _checked_scale(pair, scale)
    if form == "increase":
        turned = sign < 0 and np.isfinite(top)
        direction = -1.0 if sign < 0 and not turned else 1.0
    else:
        turned = sign > 0 and np.isfinite(top)
        direction = -1.0 if sign < 0 or turned else 1.0
    found, var = [], np.zeros(len(pair.m))
    for values, n in ((pair.baseline, pair.m), (pair.treated, pair.n)):
        centre = mean(values, n)
        centre, v = _floored(top - centre if turned else centre, variance(values, n), n, _steps(scale, resolution))
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = v / (n * centre**2)
            logged = np.where(centre > 0, np.log(centre), np.nan)
        found.append(logged + np.where(np.isfinite(relative) & bias_correct, relative / 2, 0.0))
        var = var + relative
    return _normal(pair, direction * (found[1] - found[0]), np.sqrt(var), conf_level)


def log_odds_ratio_within_case(
    baseline: Phase,
    treated: Phase,
    *,
    better: str = "higher",
    scale: Literal["proportion", "percentage"] = "percentage",
    resolution: float | None = None,
    bias_correct: bool = True,
    conf_level: float = 0.95,
) -> CaseEffect:
    """Return the logarithm of the odds ratio of mean shares; positive = improvement.

    Parameters
    ----------
    baseline, treated, better
        As for `nonoverlap_of_all_pairs`; shares.
    scale
        "proportion" (0 to 1) or "percentage" (0 to 100).
    resolution
        As for `log_response_ratio_within_case`.
    bias_correct
        Whether to take off the delta-method bias.
    conf_level
        Of the normal interval.

    Returns
    -------
    CaseEffect
        nan where a mean is none or all, and no resolution is known.

    Raises
    ------
    DataError, DesignError
        If a value lies outside the scale, or the scale is no share.

    Notes
    -----
    Pustejovsky (2015), doi:10.1037/met0000019.

    Examples
    --------
    >>> row = log_odds_ratio_within_case([45, 43, 36], [60, 71, 65, 80])
    >>> print(f"{row.estimate:.3f}")
    1.142
    """
    if scale not in ("proportion", "percentage"):
        raise DesignError("odds are of shares.", fix='Say scale="proportion" or scale="percentage".')
    pair = phase_pair(baseline, treated, better="higher")
    top = _checked_scale(pair, scale)
    steps = None if resolution is None else resolution * top
    found, var = [], np.zeros(len(pair.m))
    for values, n in ((pair.baseline, pair.m), (pair.treated, pair.n)):
        p, v = _floored(mean(values, n) / top, variance(values, n) / top**2, n, steps)
        if steps is not None:
            p = np.minimum(p, 1 - 1 / (2 * steps * n))
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.where((p > 0) & (p < 1), np.log(p) - np.log1p(-p), np.nan)
            spread = v / (n * (p * (1 - p)) ** 2)
        bias = np.where(np.isfinite(spread) & bias_correct, (2 * p - 1) * spread / 2, 0.0)
        found.append(odds - bias)
        var = var + spread
    return _normal(pair, orientation(better) * (found[1] - found[0]), np.sqrt(var), conf_level)


def log_ratio_of_medians(
    baseline: Phase,
    treated: Phase,
    *,
    better: str = "higher",
    delta_method: bool = False,
    conf_level: float = 0.95,
) -> CaseEffect:
    """Return the logarithm of the ratio of medians; positive = improvement. For skewed amounts, such as minutes.

    Parameters
    ----------
    baseline, treated, better
        As for `nonoverlap_of_all_pairs`; no value below zero.
    delta_method
        Whether the variance of the log median is taken from that of the median.
    conf_level
        Of the normal interval.

    Returns
    -------
    CaseEffect
        nan where a median is 0; no standard error where an order statistic that it needs is.

    Raises
    ------
    DataError
        If a value is below zero.

    Notes
    -----
    The variance of a median is that of Bonett and Price (2020), doi:10.3102/1076998620934125: order statistics o and
    n - o + 1 with o = max(1, round(n/2 - sqrt(n))), divided by twice the normal quantile of their coverage.

    Examples
    --------
    >>> row = log_ratio_of_medians([12, 14, 18, 14, 6], [2, 6, 9, 5, 7], better="lower")
    >>> print(f"{row.estimate:.3f}")
    0.847
    """
    sign, pair = orientation(better), phase_pair(baseline, treated, better="higher")
    _checked_scale(pair, "count")
    found, var = [], np.zeros(len(pair.m))
    rows = np.arange(len(pair.m))
    for values, n in ((pair.baseline, pair.m), (pair.treated, pair.n)):
        ordered = np.sort(values, axis=1)
        first = np.maximum(np.round(n / 2 - np.sqrt(n)), 1)
        low, high = ordered[rows, first.astype(int) - 1], ordered[rows, (n - first).astype(int)]
        z = ndtri(1 - bdtr(first - 1, n.astype(int), 0.5))
        middle = median(values)
        with np.errstate(divide="ignore", invalid="ignore"):
            width = (high - low) / middle if delta_method else np.log(high) - np.log(low)
            found.append(np.where(middle > 0, np.log(middle), np.nan))
            var = var + (width / (2 * z)) ** 2
    se = np.where(np.isfinite(var) & (pair.m > 1) & (pair.n > 1), np.sqrt(np.abs(var)), np.nan)
    return _normal(pair, sign * (found[1] - found[0]), se, conf_level)


def percent_of_goal_obtained(
    baseline: Phase, treated: Phase, *, goal: ArrayLike, conf_level: float = 0.95
) -> CaseEffect:
    """Return PoGO: how much of the way from the baseline's mean to the goal was gone, in per cent.

    Use it where a goal was set beforehand. It needs no direction: the goal says which way is better.

    Parameters
    ----------
    baseline, treated
        As for `nonoverlap_of_all_pairs`.
    goal
        The level aimed at, one number or one per case.
    conf_level
        Of the normal interval.

    Returns
    -------
    CaseEffect
        nan where the mean of the baseline is at the goal already.

    Raises
    ------
    DataError
        If the goal is no finite number.

    Notes
    -----
    100 (m_B - m_A)/(goal - m_A); Ferron, Goldstein, Olszewski and Rohrer (2020), doi:10.1080/17489539.2020.1732024. The
    mean of the baseline stands above and below the line, so with P = PoGO/100 the variance of P is
    [s_B^2/n + (1 - P)^2 s_A^2/m]/(goal - m_A)^2. SingleCaseES leaves the covariance out, and is too wide or too narrow.

    Examples
    --------
    >>> row = percent_of_goal_obtained([10, 12, 11], [15, 17, 16, 18], goal=20)
    >>> print(f"{row.estimate:.1f}")
    61.1
    """
    pair = phase_pair(baseline, treated, better="higher")
    aim = np.asarray(goal, dtype=float)
    if not np.isfinite(aim).all():
        raise DataError("the goal must be a finite number.", where="goal")
    a, b = mean(pair.baseline, pair.m), mean(pair.treated, pair.n)
    with np.errstate(divide="ignore", invalid="ignore"):
        way = np.where(aim == a, np.nan, aim - a)
        p = (b - a) / way
        var = variance(pair.treated, pair.n) / pair.n + (1 - p) ** 2 * variance(pair.baseline, pair.m) / pair.m
    return _normal(pair, 100 * p, 100 * np.sqrt(var) / np.abs(way), conf_level)


def standardized_mean_difference_within_case(
    baseline: Phase,
    treated: Phase,
    *,
    better: str = "higher",
    sd: Literal["baseline", "pooled", "average"] = "baseline",
    j: Literal["exact", "approximate", "durlak", "none"] = "exact",
    conf_level: float = 0.95,
) -> CaseEffect:
    """Return the difference of means in standard deviations of the one client; positive = improvement.

    Never compare it with Hedges' g of groups: one client's days differ far less than clients do, so it is much larger.
    For three or more cases the between-case effect is on the scale of groups.

    Parameters
    ----------
    baseline, treated, better
        As for `nonoverlap_of_all_pairs`.
    sd
        "baseline", "pooled" over both phases, or the root of their "average" variance.
    j
        Small-sample factor: "exact", "approximate" 1 - 3/(4 df - 1), as SingleCaseES and scan; "durlak"; "none".
    conf_level
        Of the interval: noncentral t with "exact", otherwise normal.

    Returns
    -------
    CaseEffect
        nan where the standard deviation is 0 or needs more measurements.

    Raises
    ------
    DesignError
        If an argument is unknown.

    Notes
    -----
    With the baseline's sd: nu = m - 1 and kappa^2 = 1/m + s_B^2/(n s_A^2) (Pustejovsky 2015, doi:10.1037/met0000019,
    has the same kappa with a normal interval). The interval's df are the smaller of nu and Welch's: at Welch's alone it
    would take the sd of a short baseline as known. In simulations of independent normal days, m and n from 3 to 20 and
    treated days that spread half to four times as widely, 95% intervals held the truth in .90 or more, on average .96.

    Examples
    --------
    >>> row = standardized_mean_difference_within_case([12, 14, 18, 14, 6], [2, 6, 9, 5, 7], better="lower")
    >>> print(f"{row.estimate:.3f}")
    1.275
    """
    for name, value, known in (("sd", sd, _SDS), ("j", j, _J)):
        if value not in known:
            raise DesignError(f'{name}="{value}" is unknown.', fix=did_you_mean(str(value), known))
    pair = phase_pair(baseline, treated, better=better)
    m, n = pair.m, pair.n
    va, vb = variance(pair.baseline, m), variance(pair.treated, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        if sd == "baseline":
            s2, nu = va, m - 1
            kappa2 = 1 / m + vb / (n * va)
            df = np.minimum((va / m + vb / n) ** 2 / ((va / m) ** 2 / (m - 1) + (vb / n) ** 2 / (n - 1)), nu)
        elif sd == "pooled":
            nu = m + n - 2
            s2 = (np.where(m > 1, (m - 1) * va, 0) + np.where(n > 1, (n - 1) * vb, 0)) / nu
            kappa2, df = 1 / m + 1 / n, nu
        else:
            s2 = (va + vb) / 2
            nu = (va + vb) ** 2 / (va**2 / (m - 1) + vb**2 / (n - 1))
            kappa2 = (va / m + vb / n) / s2
            df = (va / m + vb / n) ** 2 / ((va / m) ** 2 / (m - 1) + (vb / n) ** 2 / (n - 1))
        d = (mean(pair.treated, n) - mean(pair.baseline, m)) / np.sqrt(s2)
    usable = np.isfinite(d) & np.isfinite(kappa2) & (s2 > 0) & (nu > 1)
    if j == "exact":
        return _exact(pair, usable, d, kappa2=kappa2, nu=nu, df=df, conf_level=conf_level)
    total = m + n
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = {
            "approximate": 1 - 3 / (4 * nu - 1),
            "durlak": (total - 3) / (total - 2.25) * np.sqrt((total - 2) / total),
            "none": np.ones_like(nu),
        }[j]
        g = np.where(s2 > 0, factor * d, np.nan)
        se = factor * np.sqrt(kappa2 + g**2 / (2 * nu))
    return _normal(pair, g, np.where(np.isfinite(g), se, np.nan), conf_level)


def _exact(
    pair: PhasePair,
    usable: NDArray[np.bool_],
    d: FloatArray,
    *,
    kappa2: FloatArray,
    nu: FloatArray,
    df: FloatArray,
    conf_level: float,
) -> CaseEffect:
    """Return exact J and the noncentral-t interval of the cases that have them; only g where df is 1."""
    g, se, low, high = (np.full(len(d), np.nan) for _ in range(4))
    if usable.any():
        found = standardize(
            d[usable], 1.0, nu=nu[usable], kappa=np.sqrt(kappa2[usable]), df=df[usable], conf_level=level(conf_level)
        )
        g[usable], se[usable] = small_sample_factor(nu[usable]) * d[usable], np.sqrt(found.variance)
        low[usable], high[usable] = found.conf_low, found.conf_high
    shape = pair.shaped
    return CaseEffect(
        estimate=shape(g),
        std_error=shape(se),
        conf_low=shape(low),
        conf_high=shape(high),
        n_baseline=shape(pair.m),
        n_treated=shape(pair.n),
    )


def _normal(pair: PhasePair, estimate: FloatArray, se: FloatArray, conf_level: float) -> CaseEffect:
    """Return estimates with a normal interval; a case without estimate has no standard error."""
    se = np.where(np.isfinite(estimate) & np.isfinite(se), se, np.nan)
    reach = float(ndtri((1 + level(conf_level)) / 2)) * se
    shape = pair.shaped
    return CaseEffect(
        estimate=shape(estimate),
        std_error=shape(se),
        conf_low=shape(estimate - reach),
        conf_high=shape(estimate + reach),
        n_baseline=shape(pair.m),
        n_treated=shape(pair.n),
    )


def _steps(scale: str, resolution: float | None) -> float | None:
    """Return how many of the smallest steps make one unit, where it is known."""
    if resolution is not None and not (np.isfinite(resolution) and resolution > 0):
        raise DesignError("resolution must be above zero: how many of the smallest steps make one unit of the scale.")
    return 1.0 if resolution is None and scale == "count" else resolution


def _floored(centre: FloatArray, var: FloatArray, n: FloatArray, steps: float | None) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance that are at least half a step and its square (Pustejovsky, 2018)."""
    if steps is None:
        return centre, var
    return np.maximum(1 / (2 * steps * n), centre), np.maximum(1 / (steps**2 * n**3), var)


def _checked_scale(pair: PhasePair, scale: str) -> float:
    """Return the largest value of a scale, or refuse values outside."""
    if scale not in _TOP:
        raise DesignError(f'scale="{scale}" is unknown.', fix=did_you_mean(str(scale), _TOP))
    outside = sum(int(((one < 0) | (one > _TOP[scale])).sum()) for one in (pair.baseline, pair.treated))
    if outside:
        limits = "below 0" if np.isinf(_TOP[scale]) else f"outside 0 to {_TOP[scale]:g}"
        raise DataError(f"{outside} measurements lie {limits}, which a {scale} cannot.")
    return _TOP[scale]
