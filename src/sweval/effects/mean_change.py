"""Standardised effects of change, with and without a control group, and of adjusted differences; one row each.

In units of the standard deviation of persons before the service unless asked otherwise. That of the change scores
inflates an effect by 1 / sqrt(2 (1 - r)) and cannot be compared with anything; it has a metric of its own.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike

from sweval.effects.kernel import standardize
from sweval.effects.mean_changes import change_unit
from sweval.effects.samples import count, effect_row, orientation, pairs
from sweval.effects.summaries import pooled_sd
from sweval.effects.summaries import pre_post as change_of_one
from sweval.effects.summaries import pre_post_control as change_of_two
from sweval.errors import DesignError
from sweval.result import Estimate

__all__ = [
    "hedges_g_adjusted",
    "pre_post",
    "pre_post_control",
    "pre_post_control_from_summary",
    "pre_post_from_summary",
]

_UNITS = {
    "pretest": "standard deviation before",
    "average": "root mean variance before and after",
    "change": "standard deviation of the change, comparable with no other effect",
    "change_adjusted": "standard deviation of the change / sqrt(2(1 - r))",
}


def pre_post(
    pre: ArrayLike,
    post: ArrayLike,
    *,
    better: str = "higher",
    standardizer: str = "pretest",
    conf_level: float = 0.95,
) -> Estimate:
    """Return the standardised mean change of one group, in units of the standard deviation before.

    Without a control group this is no effect of the service: maturation, regression to the mean and other help are in
    it. It is reported with metric "uncontrolled_change" and must not be averaged with controlled effects.

    Parameters
    ----------
    pre, post
        Raw scores of the same clients in the same order, none missing.
    better
        "higher" or "lower".
    standardizer
        "pretest" (Becker's d), "average" of both variances (d_av), "change" (d_z, metric "change_score") or
        "change_adjusted" (d_rm); see `standardized_mean_change`.
    conf_level
        Of the noncentral-t interval.

    Returns
    -------
    Estimate
        measure "standardized_mean_change"; statistic, df = n - 1 and p are those of the paired t test.

    Raises
    ------
    DataError
        If scores are missing (the message counts them), lengths differ, or nothing varies.
    DesignError
        If `better` is neither "higher" nor "lower".

    Notes
    -----
    g = J(n - 1) (mean post - mean pre) / s_pre, kappa = SE(mean change) / s_pre. Becker (1988) and the R package
    metafor (SMCR) put kappa^2 = 2(1 - r)/n, the same if both standard deviations are equal.

    Examples
    --------
    >>> row = pre_post([30, 26, 34, 28, 32], [24, 25, 27, 26, 25], better="lower")
    >>> print(f"{row.estimate:.3f}, p = {row.p_value:.3f}")
    1.161, p = 0.023
    """
    sign = orientation(better)
    before, after = pairs(pre, post, name="scores")
    change = sign * (after - before)
    n, change_sd = before.size, change.std(ddof=1)
    s1, s2 = before.std(ddof=1), after.std(ddof=1)
    r = 0.0 if s2 == 0 else float(np.corrcoef(before, after)[0, 1])
    s, nu = change_unit(s1, s2, change_sd, r, n, standardizer=standardizer)
    kappa = change_sd / math.sqrt(n) / s
    effect = standardize(change.mean(), s, nu=nu, kappa=kappa, df=n - 1, conf_level=conf_level)
    row = _uncontrolled(
        effect_row(
            effect,
            better=better,
            n=n,
            method=f"standardised mean change, exact J, {_UNITS[standardizer]}",
            standardizer=standardizer,
            conf_level=conf_level,
        )
    )
    return dataclasses.replace(row, metric="change_score") if standardizer == "change" else row


def pre_post_from_summary(
    change: float, *, sd_pre: float, n: int, correlation: float, better: str = "higher", conf_level: float = 0.95
) -> Estimate:
    """Return the standardised mean change from reported numbers.

    Parameters
    ----------
    change
        Mean after - mean before.
    sd_pre
        Standard deviation before.
    n
        Clients with both measurements.
    correlation
        Between before and after. Reports often leave it out: then try .3, .5 and .7 and show all three.
    better
        "higher" or "lower".
    conf_level
        Of the noncentral-t interval.

    Returns
    -------
    Estimate
        As `pre_post`, with kappa^2 = 2(1 - r)/n.

    Raises
    ------
    DesignError
        If `n` is no whole number of 2 or more, or the correlation not between -1 and 1.

    Examples
    --------
    >>> print(f"{pre_post_from_summary(-7.9, sd_pre=15, n=20, correlation=0.47, better='lower').estimate:.4f}")
    0.5056
    """
    effect = change_of_one(
        orientation(better) * change,
        sd_pre=sd_pre,
        n=count(n, name="n"),
        correlation=_correlation(correlation),
        conf_level=conf_level,
    )
    return _uncontrolled(
        effect_row(
            effect,
            better=better,
            n=n,
            method="standardised mean change from summaries, exact J, standard deviation before",
            standardizer="pretest",
            conf_level=conf_level,
        )
    )


def pre_post_control(
    pre_treated: ArrayLike,
    post_treated: ArrayLike,
    pre_control: ArrayLike,
    post_control: ArrayLike,
    *,
    better: str = "higher",
    conf_level: float = 0.95,
) -> Estimate:
    """Return the difference of the changes of two groups in units of their pooled standard deviation before.

    In a randomised trial an adjusted difference (`sweval.TwoGroup` with a baseline) estimates the same and is more
    precise; without randomisation the two answer different questions (Lord's paradox).

    Parameters
    ----------
    pre_treated, post_treated, pre_control, post_control
        Raw scores; before and after are of the same clients in the same order, none missing.
    better
        "higher" or "lower".
    conf_level
        Of the noncentral-t interval.

    Returns
    -------
    Estimate
        measure "hedges_g", standardizer "pretest_pooled"; df N - 2, p of Student's t test of the changes.

    Raises
    ------
    DataError, DesignError
        As `pre_post`.

    Notes
    -----
    d_ppc2 of Morris (2008), doi:10.1177/1094428106291059. kappa^2 = (s_change / s_pre)^2 (1/n_T + 1/n_C), where eq. 25
    has 2(1 - r) for (s_change / s_pre)^2, the same if the standard deviations before and after are equal.

    Examples
    --------
    >>> row = pre_post_control([30, 26, 34, 28, 32], [24, 25, 27, 26, 25], [31, 27, 33, 29], [30, 28, 31, 29],
    ...                        better="lower")
    >>> print(f"{row.estimate:.3f}, df {row.df:.0f}")
    1.244, df 7
    """
    sign = orientation(better)
    before_t, after_t = pairs(pre_treated, post_treated, name="treated")
    before_c, after_c = pairs(pre_control, post_control, name="control")
    change_t, change_c = sign * (after_t - before_t), sign * (after_c - before_c)
    nt, nc = before_t.size, before_c.size
    s = float(pooled_sd(before_t.std(ddof=1), nt, before_c.std(ddof=1), nc))
    s_change = float(pooled_sd(change_t.std(ddof=1), nt, change_c.std(ddof=1), nc))
    effect = standardize(
        change_t.mean() - change_c.mean(),
        s,
        nu=nt + nc - 2,
        kappa=s_change / s * np.sqrt(1 / nt + 1 / nc),
        df=nt + nc - 2,
        conf_level=conf_level,
    )
    return effect_row(
        effect,
        better=better,
        n=nt + nc,
        method="difference of changes (d_ppc2), exact J, pooled standard deviation before",
        standardizer="pretest_pooled",
        conf_level=conf_level,
    )


def pre_post_control_from_summary(
    difference: float,
    *,
    sd_pre_treated: float,
    n_treated: int,
    sd_pre_control: float,
    n_control: int,
    correlation: float,
    better: str = "higher",
    conf_level: float = 0.95,
) -> Estimate:
    """Return d_ppc2 from reported numbers.

    Parameters
    ----------
    difference
        Mean change of the treated - mean change of the control group.
    sd_pre_treated, n_treated, sd_pre_control, n_control
        Standard deviations before, and group sizes.
    correlation
        Between before and after, within groups. If it is not reported, show the result for .3, .5 and .7.
    better
        "higher" or "lower".
    conf_level
        Of the noncentral-t interval.

    Returns
    -------
    Estimate
        As `pre_post_control`, with kappa^2 = 2(1 - r)(1/n_T + 1/n_C) (Morris, 2008, eq. 25).

    Raises
    ------
    DesignError
        If a size is no whole number of 2 or more, or the correlation not between -1 and 1.

    Examples
    --------
    >>> row = pre_post_control_from_summary(7.9 + 3.4, sd_pre_treated=15, n_treated=20, sd_pre_control=13.8,
    ...                                     n_control=20, correlation=0.47)
    >>> print(f"{row.estimate:.4f} {row.variance:.4f}")
    0.7684 0.1157
    """
    effect = change_of_two(
        orientation(better) * difference,
        sd_pre_treated=sd_pre_treated,
        n_treated=count(n_treated, name="n_treated"),
        sd_pre_control=sd_pre_control,
        n_control=count(n_control, name="n_control"),
        correlation=_correlation(correlation),
        conf_level=conf_level,
    )
    return effect_row(
        effect,
        better=better,
        n=n_treated + n_control,
        method="difference of changes (d_ppc2) from summaries, exact J, pooled standard deviation before",
        standardizer="pretest_pooled",
        conf_level=conf_level,
    )


def hedges_g_adjusted(
    difference: float,
    *,
    std_error: float,
    df: float,
    sd: float,
    nu: float,
    c: float = 1.0,
    better: str = "higher",
    conf_level: float = 0.95,
) -> Estimate:
    """Return g from an adjusted difference (analysis of covariance, mixed model) and its standard error.

    The standard deviation must be the unadjusted one of persons; the residual standard deviation of the model would
    make the effect larger the better the covariates predict.

    Parameters
    ----------
    difference, std_error
        Adjusted treated - control, in raw units, and its standard error (for clustered clients: the clustered one).
    df
        Degrees of freedom of the standard error: residual df, or Satterthwaite's.
    sd, nu
        Unadjusted standard deviation pooled within arms and its degrees of freedom (N - 2). `nu=math.inf` for a
        published standard deviation of a norm sample.
    c
        Design factor for clustered clients, from `cluster_factors`; 1 otherwise.
    better
        "higher" or "lower".
    conf_level
        Of the noncentral-t interval.

    Returns
    -------
    Estimate
        measure "hedges_g", adjusted True; statistic, df and p are those of the adjusted difference.

    Raises
    ------
    DesignError
        If a standard error or standard deviation is not positive.

    Notes
    -----
    kappa = c * std_error / sd. The interval is the generalized one where the standard error is a source of error of
    its own (c is not 1, or df below half of nu), else the noncentral t, which covers as well for residual df. Hedges,
    Tipton, Zejnullahi & Diaz (2023) lower nu by the number of covariates; pass that nu to follow them, the difference
    is small.

    Examples
    --------
    >>> row = hedges_g_adjusted(-3.95, std_error=1.71, df=94, sd=10.58, nu=95, better="lower")
    >>> print(f"{row.estimate:.3f} [{row.conf_low:.3f}, {row.conf_high:.3f}]")
    0.370 [0.051, 0.694]
    """
    effect = standardize(
        orientation(better) * difference,
        sd,
        nu=nu,
        kappa=c * std_error / sd,
        df=df,
        c=c,
        conf_level=conf_level,
        separate=c != 1 or df < nu / 2,
    )
    row = effect_row(
        effect,
        better=better,
        n=None,
        method="Hedges g from an adjusted difference, exact J, unadjusted standard deviation of persons",
        standardizer="supplied" if math.isinf(nu) else "posttest_pooled",
        conf_level=conf_level,
    )
    return dataclasses.replace(row, adjusted=True, level_assigned="client" if c == 1 else None)


def _uncontrolled(row: Estimate) -> Estimate:
    """Mark a change without a control group as what it is."""
    return dataclasses.replace(
        row, term="change", measure="standardized_mean_change", metric="uncontrolled_change", level_assigned=None
    )


def _correlation(value: float) -> float:
    """Return a correlation that lies between -1 and 1."""
    if not -1 < value < 1:
        raise DesignError("the correlation of before and after must lie between -1 and 1.")
    return value
