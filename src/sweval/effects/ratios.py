"""Ratios of means, of standard deviations and of coefficients of variation, as logarithms.

For outcomes that start at a true zero (days, incidents, income): "a third fewer days" needs no standard deviation. Not
for questionnaire scores, whose zero is arbitrary. Ratios of spreads tell whether a service makes clients more or less
alike; they have no better direction and are not turned.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.arrays import Effects, oriented, refuse, tail_quantile, wald
from sweval.effects.moments import TwoMeans, two_means_of_scores
from sweval.effects.samples import orientation
from sweval.errors import DesignError
from sweval.result import Estimate

__all__ = [
    "log_cv_ratio",
    "log_response_ratio",
    "log_variability_ratio",
    "means_ratio",
]

FloatArray = NDArray[np.float64]


def log_response_ratio(
    groups: TwoMeans, *, vtype: str = "LS", correct: bool = True, conf_level: float = 0.95
) -> Effects:
    """Return the log of the ratio of two means.

    Parameters
    ----------
    groups
        By `two_means`; both means must be above 0.
    vtype
        Variance, named as in metafor: "LS" from each arm's own coefficient of variation; "HO" with the pooled standard
        deviation; "AV" and "AVHO" with coefficients averaged over all studies (per arm; over both arms).
    correct
        Whether to take away the small-sample bias of the estimate (Lajeunesse, 2015, doi:10.1890/14-2402.1).
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure and metric "log_response_ratio"; t with Satterthwaite's degrees of freedom.

    Raises
    ------
    DesignError
        If a mean is not above 0, or `vtype` is unknown.

    Notes
    -----
    log(m_T/m_C) + (CV_T^2/n_T - CV_C^2/n_C)/2, the last part being the correction; variance CV_T^2/n_T + CV_C^2/n_C
    (Hedges, Gurevitch & Curtis, 1999).

    Examples
    --------
    >>> import sweval as sw
    >>> effect = log_response_ratio(sw.effects.two_means(20, 12, 30, 31, 15, 28, better="lower"))
    >>> print(f"{effect.estimate:.3f} {effect.variance:.4f} [{effect.conf_low:.3f}, {effect.conf_high:.3f}]")
    0.436 0.0204 [0.150, 0.722]
    """
    m1, m2, n1, n2 = groups.mean_treated, groups.mean_control, groups.n_treated, groups.n_control
    require_positive(m1, m2)
    treated, control = (groups.sd_treated / m1) ** 2 / n1, (groups.sd_control / m2) ** 2 / n2
    df = _satterthwaite((treated, n1 - 1), (control, n2 - 1))
    estimate, variance = np.log(m1 / m2), _ratio_variance(groups, vtype, treated, control)
    if correct:
        estimate = estimate + (treated - control) / 2
    effects = wald(
        estimate,
        variance,
        measure="log_response_ratio",
        metric="log_response_ratio",
        method=f"log ratio of means{corrected_words(correct)}; t by Satterthwaite",
        df=df,
        conf_level=conf_level,
    )
    return dataclasses.replace(oriented(effects, groups.better, orientation(groups.better)), n=groups.n)


def means_ratio(
    treated: ArrayLike, control: ArrayLike, *, better: str = "higher", correct: bool = True, conf_level: float = 0.95
) -> Estimate:
    """Return the ratio of the means of two samples, such as days in care; above 1 means improvement.

    Parameters
    ----------
    treated, control
        Raw values with a true zero, one per client, none missing or negative.
    better
        "higher" or "lower"; with "lower" the ratio is turned over.
    correct
        Whether to take away the small-sample bias of the ratio.
    conf_level
        Of the interval.

    Returns
    -------
    Estimate
        measure "response_ratio", null 1.

    Raises
    ------
    DataError, DesignError
        If values are missing or negative, or a mean is 0.

    Examples
    --------
    >>> row = means_ratio([12, 15, 11, 18, 14], [10, 9, 13, 8, 12])
    >>> print(f"{row.estimate:.3f} [{row.conf_low:.3f}, {row.conf_high:.3f}]")
    1.346 [1.009, 1.795]
    """
    groups = two_means_of_scores(treated, control, better=better)
    for name, values in (("treated", treated), ("control", control)):
        refuse(np.asarray(np.min(np.asarray(values, dtype=float)) < 0), "a ratio needs values of 0 or more", where=name)
    return log_response_ratio(groups, correct=correct, conf_level=conf_level).exponentiated().row()


def log_variability_ratio(groups: TwoMeans, *, correct: bool = True, conf_level: float = 0.95) -> Effects:
    """Return the log of the ratio of two standard deviations; positive = more spread in the treated arm.

    Parameters
    ----------
    groups
        By `two_means`; the direction of the scores does not matter.
    correct
        Whether to take away the small-sample bias of the estimate.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure and metric "log_variability_ratio".

    Notes
    -----
    log(s_T/s_C) + 1/(2(n_T - 1)) - 1/(2(n_C - 1)), variance 1/(2(n_T - 1)) + 1/(2(n_C - 1)) (Nakagawa et al., 2015,
    doi:10.1111/2041-210X.12309). Limits and p are those of the F test, exact for normal scores (`statistic` is its
    normal score).

    Examples
    --------
    >>> import sweval as sw
    >>> effect = log_variability_ratio(sw.effects.two_means(20, 12, 30, 31, 15, 28))
    >>> print(f"{effect.estimate:.4f} {effect.variance:.4f} [{effect.conf_low:.3f}, {effect.conf_high:.3f}]")
    -0.2244 0.0358 [-0.604, 0.153]
    """
    first, second = groups.n_treated - 1, groups.n_control - 1
    log_ratio = np.log(groups.sd_treated / groups.sd_control)
    f = np.exp(2 * log_ratio)
    tail = _tail(conf_level)
    # the upper quantile by way of the swapped degrees of freedom, where fdtri keeps its digits
    low, high = log_ratio + np.log(special.fdtri(second, first, tail)) / 2, log_ratio - _log_fdtri(first, second, tail)
    below, above = special.fdtr(first, second, f), special.fdtrc(first, second, f)
    return _with_exact(
        log_ratio + (1 / (2 * first) - 1 / (2 * second) if correct else 0.0),
        1 / (2 * first) + 1 / (2 * second),
        (low, high),
        (below, above),
        measure="log_variability_ratio",
        method=f"log ratio of standard deviations{corrected_words(correct)}; F interval; positive = more if treated",
        n=groups.n,
        conf_level=conf_level,
    )


def log_cv_ratio(groups: TwoMeans, *, correct: bool = True, conf_level: float = 0.95) -> Effects:
    """Return the log of the ratio of two coefficients of variation: spread beyond what goes with the mean.

    Parameters
    ----------
    groups
        By `two_means`; both means must be above 0.
    correct
        Whether to take away the small-sample bias of the estimate.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure and metric "log_cv_ratio"; positive = relatively more spread in the treated arm.

    Raises
    ------
    DesignError
        If a mean is not above 0.

    Notes
    -----
    log(CV_T/CV_C) + (1/(n_T - 1) - 1/(n_C - 1))/2 - (CV_T^2/n_T - CV_C^2/n_C)/2, all behind the logarithm being the
    correction: its first part by Nakagawa et al. (2015, doi:10.1111/2041-210X.12309), its second by Senior, Viechtbauer
    & Nakagawa (2020). metafor's CVR has the first part only. Variance 1/(2(n - 1)) + CV^2/n of either arm, without
    correlation of mean and standard deviation; t with Satterthwaite's degrees of freedom.

    Examples
    --------
    >>> import sweval as sw
    >>> print(f"{log_cv_ratio(sw.effects.two_means(20, 12, 30, 31, 15, 28)).estimate:.4f}")
    0.2120
    """
    m1, m2, n1, n2 = groups.mean_treated, groups.mean_control, groups.n_treated, groups.n_control
    require_positive(m1, m2)
    cv1, cv2 = groups.sd_treated / m1, groups.sd_control / m2
    half_1, half_2 = 1 / (2 * (n1 - 1)), 1 / (2 * (n2 - 1))
    parts = (half_1 + cv1**2 / n1, half_2 + cv2**2 / n2)
    effects = wald(
        np.log(cv1 / cv2) + (half_1 - half_2 - (cv1**2 / n1 - cv2**2 / n2) / 2 if correct else 0.0),
        parts[0] + parts[1],
        measure="log_cv_ratio",
        metric="log_cv_ratio",
        method=f"log ratio of coefficients of variation{corrected_words(correct)}; t by Satterthwaite; "
        "positive = more spread if treated",
        df=_satterthwaite((parts[0], n1 - 1), (parts[1], n2 - 1)),
        conf_level=conf_level,
    )
    return dataclasses.replace(effects, n=groups.n)


def _ratio_variance(groups: TwoMeans, vtype: str, treated: FloatArray, control: FloatArray) -> FloatArray:
    """Return the variance of a log response ratio by metafor's names."""
    n1, n2 = groups.n_treated, groups.n_control
    if vtype == "LS":
        return treated + control
    if vtype == "HO":
        variance = groups.pooled_sd**2
        return variance / (n1 * groups.mean_treated**2) + variance / (n2 * groups.mean_control**2)
    first, second = (n1 * np.sqrt(treated * n1)).sum(), (n2 * np.sqrt(control * n2)).sum()
    if vtype == "AV":
        return np.asarray((first / n1.sum()) ** 2 / n1 + (second / n2.sum()) ** 2 / n2)
    if vtype == "AVHO":
        return np.asarray(((first + second) / (n1 + n2).sum()) ** 2 * (1 / n1 + 1 / n2))
    raise DesignError('vtype must be "LS", "HO", "AV" or "AVHO".')


def corrected_words(correct: bool) -> str:
    """Return what to say of the small-sample correction."""
    return ", small-sample correction" if correct else ""


def require_positive(*means: FloatArray) -> None:
    """Refuse means that have no logarithm."""
    for mean in means:
        refuse(
            mean <= 0,
            "a mean is not above 0, so no ratio says anything",
            fix="Ratios are for outcomes with a true zero; for others use hedges_g.",
        )


def _satterthwaite(*parts: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Return the degrees of freedom of a sum of variances, each with its own."""
    total = sum((variance for variance, _ in parts), start=np.asarray(0.0))
    return np.asarray(total**2 / sum(variance**2 / df for variance, df in parts))


def _tail(conf_level: float) -> float:
    tail_quantile(conf_level)  # checks the level
    return (1 - conf_level) / 2


def _log_fdtri(first: FloatArray, second: FloatArray, tail: float) -> FloatArray:
    """Return half the log of the lower quantile of F."""
    return np.asarray(np.log(special.fdtri(first, second, tail)) / 2)


def _with_exact(
    estimate: FloatArray,
    variance: FloatArray,
    limits: tuple[FloatArray, FloatArray],
    tails: tuple[FloatArray, FloatArray],
    *,
    measure: str,
    method: str,
    n: FloatArray,
    conf_level: float,
) -> Effects:
    """Return effects whose test has both tails known; the statistic is its normal score."""
    below, above = tails
    score = np.where(below < above, special.ndtri(below), -special.ndtri(above))
    return Effects(
        measure=measure,
        metric=measure,
        estimate=estimate,
        variance=variance,
        conf_low=limits[0],
        conf_high=limits[1],
        conf_level=conf_level,
        statistic=score,
        p_value=np.minimum(1.0, 2 * np.minimum(below, above)),
        n=n,
        method=method,
    )
