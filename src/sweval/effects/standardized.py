"""Standardised effects of two groups, from raw scores or from reported numbers; one row each.

Positive always means improvement; `better` says which direction of the score that is. Clients with missing scores are
never dropped here: leave them out first and say how many they were. Clients in clusters or groups need the functions
of `clustered` and `partially_nested`, or a design (`sweval.ClusterTrial`), whose intervals know about the clusters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.kernel import Standardized
from sweval.effects.mean_differences import difference_from_test
from sweval.effects.samples import count, effect_row, orientation, scores
from sweval.effects.summaries import glass, heteroscedastic, two_groups
from sweval.errors import DataError
from sweval.result import Estimate

__all__ = [
    "glass_delta",
    "hedges_g",
    "hedges_g_from_summary",
    "hedges_g_from_t",
    "hedges_g_from_test",
    "hedges_g_heteroscedastic",
]

FloatArray = NDArray[np.float64]


def hedges_g(treated: ArrayLike, control: ArrayLike, *, better: str = "higher", conf_level: float = 0.95) -> Estimate:
    """Return Hedges' g of two independent groups, standardised by their pooled standard deviation.

    Use it for two groups measured once. With a measurement before as well, `pre_post_control` or an adjusted
    difference is more precise; if the two standard deviations differ clearly, see `glass_delta`.

    Parameters
    ----------
    treated, control
        Raw scores, one per client, none missing.
    better
        "higher" or "lower": which direction of the score is an improvement.
    conf_level
        Of the noncentral-t interval.

    Returns
    -------
    Estimate
        measure "hedges_g", df N - 2; p is that of Student's t test.

    Raises
    ------
    DataError
        If scores are missing (the message counts them), fewer than two in a group, or all equal.
    DesignError
        If `better` is neither "higher" nor "lower".

    Notes
    -----
    kappa^2 = 1/n_T + 1/n_C and nu = N - 2 in the kernel (`standardize`); Hedges (1981),
    doi:10.3102/10769986006002107.

    Examples
    --------
    >>> row = hedges_g([12, 15, 11, 18, 14], [10, 9, 13, 8, 12], better="higher")
    >>> print(f"{row.estimate:.3f} [{row.conf_low:.3f}, {row.conf_high:.3f}]")
    1.338 [0.018, 2.879]
    """
    sign = orientation(better)
    t, c = _two_samples(treated, control)
    effect = _from_samples(two_groups, t, c, sign=sign, conf_level=conf_level)
    return effect_row(
        effect,
        better=better,
        n=t.size + c.size,
        method="Hedges g, exact J, pooled standard deviation",
        standardizer="posttest_pooled",
        conf_level=conf_level,
    )


def glass_delta(
    treated: ArrayLike, control: ArrayLike, *, better: str = "higher", conf_level: float = 0.95
) -> Estimate:
    """Return Glass' delta with the small-sample factor: the difference in units of the control group.

    Use it where the service may change the spread of the scores as well as their mean.

    Parameters
    ----------
    treated, control
        Raw scores, one per client, none missing.
    better
        "higher" or "lower".
    conf_level
        Of the generalized interval.

    Returns
    -------
    Estimate
        measure "glass_delta"; standard error and df are Welch's, J uses n_C - 1.

    Raises
    ------
    DataError, DesignError
        As `hedges_g`.

    Examples
    --------
    >>> row = glass_delta([12, 15, 11, 18, 14], [10, 9, 13, 8, 12])
    >>> print(f"{row.estimate:.3f}")
    1.385
    """
    sign = orientation(better)
    t, c = _two_samples(treated, control)
    effect = _from_samples(glass, t, c, sign=sign, conf_level=conf_level)
    row = effect_row(
        effect,
        better=better,
        n=t.size + c.size,
        method="Glass delta, exact J, standard deviation of the control group, Welch standard error",
        standardizer="posttest_control",
        conf_level=conf_level,
    )
    return dataclasses.replace(row, measure="glass_delta")


def hedges_g_heteroscedastic(
    treated: ArrayLike, control: ArrayLike, *, better: str = "higher", conf_level: float = 0.95
) -> Estimate:
    """Return g standardised by the root of the mean variance of both groups, without assuming equal variances.

    Parameters
    ----------
    treated, control
        Raw scores, one per client, none missing.
    better
        "higher" or "lower".
    conf_level
        Of the noncentral-t interval.

    Returns
    -------
    Estimate
        measure "hedges_g", standardizer "posttest_average"; standard error, df and p are Welch's.

    Raises
    ------
    DataError, DesignError
        As `hedges_g`.

    Notes
    -----
    Bonett (2009), doi:10.1037/a0016619.

    Examples
    --------
    >>> row = hedges_g_heteroscedastic([12, 15, 11, 18, 14], [10, 9, 13, 8, 12])
    >>> print(f"{row.estimate:.3f}, df {row.df:.2f}")
    1.327, df 7.45
    """
    sign = orientation(better)
    t, c = _two_samples(treated, control)
    effect = _from_samples(heteroscedastic, t, c, sign=sign, conf_level=conf_level)
    return effect_row(
        effect,
        better=better,
        n=t.size + c.size,
        method="Hedges g, exact J, root mean variance of both groups, Welch standard error",
        standardizer="posttest_average",
        conf_level=conf_level,
    )


def hedges_g_from_summary(
    *,
    mean_treated: float,
    sd_treated: float,
    n_treated: int,
    mean_control: float,
    sd_control: float,
    n_control: int,
    better: str = "higher",
    conf_level: float = 0.95,
) -> Estimate:
    """Return Hedges' g from published means, standard deviations and group sizes.

    Parameters
    ----------
    mean_treated, sd_treated, n_treated, mean_control, sd_control, n_control
        As printed in the report. A standard error printed in place of a standard deviation gives a far too large g.
    better
        "higher" or "lower".
    conf_level
        Of the noncentral-t interval.

    Returns
    -------
    Estimate
        As `hedges_g`.

    Raises
    ------
    DesignError
        If a size is no whole number of 2 or more, or a standard deviation is not positive.

    Examples
    --------
    >>> row = hedges_g_from_summary(mean_treated=14.7, sd_treated=10.1, n_treated=52,
    ...                             mean_control=19.5, sd_control=11.1, n_control=45, better="lower")
    >>> print(f"{row.estimate:.3f}")
    0.450
    """
    effect = two_groups(
        orientation(better) * (mean_treated - mean_control),
        sd_treated=sd_treated,
        n_treated=count(n_treated, name="n_treated"),
        sd_control=sd_control,
        n_control=count(n_control, name="n_control"),
        conf_level=conf_level,
    )
    return effect_row(
        effect,
        better=better,
        n=n_treated + n_control,
        method="Hedges g from means and standard deviations, exact J",
        standardizer="posttest_pooled",
        conf_level=conf_level,
    )


def hedges_g_from_t(
    t: float, *, n_treated: int, n_control: int, better: str = "higher", conf_level: float = 0.95
) -> Estimate:
    """Return Hedges' g from a reported t of two independent groups (for F with one df: the signed root).

    Not for a t of a regression with covariates, of paired scores or of clustered clients.

    Parameters
    ----------
    t
        Positive where the treated mean is the higher one.
    n_treated, n_control
        Group sizes.
    better
        "higher" or "lower".
    conf_level
        Of the noncentral-t interval.

    Returns
    -------
    Estimate
        As `hedges_g`.

    Raises
    ------
    DesignError
        If a size is no whole number of 2 or more.

    Notes
    -----
    d = t * sqrt(1/n_T + 1/n_C).

    Examples
    --------
    >>> print(f"{hedges_g_from_t(2.2, n_treated=30, n_control=30).estimate:.4f}")
    0.5607
    """
    return hedges_g_from_test(
        orientation(better) * t,
        test="t",
        n_treated=n_treated,
        n_control=n_control,
        better=better,
        conf_level=conf_level,
    )


def hedges_g_from_test(
    value: float,
    *,
    test: str,
    n_treated: int,
    n_control: int,
    direction: int = 1,
    better: str = "higher",
    conf_level: float = 0.95,
) -> Estimate:
    """Return Hedges' g from a reported t, F, p or point-biserial correlation of two independent groups.

    Parameters
    ----------
    value, test, direction
        As in `difference_from_test`: the number, which test it is, and 1 where the treated fared better, -1 where they
        fared worse (for t and correlation: where their sign means so already).
    n_treated, n_control
        Group sizes.
    better
        "higher" or "lower", for the row only: the sign comes from `value` and `direction`.
    conf_level
        Of the noncentral-t interval.

    Returns
    -------
    Estimate
        As `hedges_g`.

    Raises
    ------
    DesignError
        As `difference_from_test`.

    Examples
    --------
    >>> print(f"{hedges_g_from_test(0.03, test='p', n_treated=30, n_control=30).estimate:.3f}")
    0.567
    """
    orientation(better)
    treated, control = count(n_treated, name="n_treated"), count(n_control, name="n_control")
    effect = difference_from_test(
        value, test=test, n_treated=treated, n_control=control, direction=direction, conf_level=conf_level
    )
    return effect_row(
        effect,
        better=better,
        n=treated + control,
        method=f"Hedges g from {test}, exact J",
        standardizer="posttest_pooled",
        conf_level=conf_level,
    )


def _two_samples(treated: ArrayLike, control: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return both samples; the scores must vary within at least one of them."""
    t, c = scores(treated, name="treated"), scores(control, name="control")
    if np.ptp(t) == 0 and np.ptp(c) == 0:
        raise DataError("all scores within each group are equal, so there is no standard deviation.")
    return t, c


def _from_samples(
    numbers: Callable[..., Standardized], t: FloatArray, c: FloatArray, *, sign: float, conf_level: float
) -> Standardized:
    """Hand means, standard deviations and sizes of two samples to a function of `summaries`."""
    return numbers(
        sign * (t.mean() - c.mean()),
        sd_treated=t.std(ddof=1),
        n_treated=t.size,
        sd_control=c.std(ddof=1),
        n_control=c.size,
        conf_level=conf_level,
    )
