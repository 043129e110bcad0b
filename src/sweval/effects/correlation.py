"""Correlations: reported ones, and those that a difference between two arms amounts to."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.arrays import Effects, floats, oriented, refuse, tail_quantile, two_sided_p
from sweval.effects.kernel import noncentral_t_interval
from sweval.effects.moments import TwoMeans
from sweval.effects.samples import orientation
from sweval.errors import DesignError

__all__ = [
    "biserial_correlation",
    "log_odds_ratio_from_means",
    "partial_correlation",
    "pearson_correlation",
    "point_biserial_correlation",
    "semipartial_correlation",
]

FloatArray = NDArray[np.float64]

_SCALES = ("raw", "unbiased", "fisher_z")


def pearson_correlation(
    r: ArrayLike,
    n: ArrayLike,
    *,
    scale: str = "raw",
    vtype: str = "LS",
    better: str = "higher",
    conf_level: float = 0.95,
) -> Effects:
    """Return reported correlations with their variances.

    Parameters
    ----------
    r, n
        Correlations between -1 and 1, and numbers of clients (4 or more).
    scale
        "raw"; "unbiased" (Olkin & Pratt, 1958); "fisher_z", the scale for a synthesis, whose variance is free of r.
    vtype
        Variance of "raw" and "unbiased", named as in metafor: "LS" (1 - r^2)^2/(n - 1); "AV" with the mean r of all
        studies; "UB" unbiased, for "unbiased" only.
    better
        "lower" turns the sign, where less of the one variable is an improvement.
    conf_level
        Of the limits, which are Fisher's on every scale.

    Returns
    -------
    Effects
        measure "correlation" or "fisher_z"; metric "correlation", None for Fisher's z.

    Raises
    ------
    DesignError
        If a correlation lies outside -1 to 1, a number is below 4, or `scale` or `vtype` is unknown.

    Examples
    --------
    >>> effect = pearson_correlation(0.187, 109)
    >>> print(f"{effect.estimate:.3f} {effect.variance:.5f} [{effect.conf_low:.3f}, {effect.conf_high:.3f}]")
    0.187 0.00862 [-0.001, 0.362]
    """
    if scale not in _SCALES:
        raise DesignError(f"scale must be one of {', '.join(_SCALES)}.")
    if scale == "fisher_z" and vtype != "LS":
        raise DesignError("the variance of Fisher's z is 1/(n - 3); leave vtype out.")
    rho, size = floats(r=r, n=n)
    refuse(np.abs(rho) >= 1, "a correlation must lie between -1 and 1", where="r")
    refuse(size < 4, "a correlation needs 4 clients or more for its interval", where="n")
    if scale == "unbiased":
        refuse(size < 5, 'scale "unbiased" needs 5 clients or more', where="n")
    error = 1 / np.sqrt(size - 3)
    if scale == "fisher_z":
        estimate, variance = np.arctanh(rho), error**2
    else:
        estimate = rho if scale == "raw" else rho * special.hyp2f1(0.5, 0.5, (size - 2) / 2, 1 - rho**2)
        variance = _correlation_variance(estimate, rho, size, vtype, scale)
    return _by_fisher(estimate, variance, rho, error, size, scale=scale, better=better, conf_level=conf_level)


def partial_correlation(
    t: ArrayLike,
    n: ArrayLike,
    predictors: ArrayLike,
    *,
    scale: str = "raw",
    better: str = "higher",
    conf_level: float = 0.95,
) -> Effects:
    """Return partial correlations from the t of a coefficient in a multiple regression.

    Parameters
    ----------
    t, n, predictors
        t of the coefficient, clients, and how many predictors the regression has, this one included.
    scale
        "raw" or "fisher_z".
    better
        "lower" turns the sign.
    conf_level
        Of the limits, by Fisher's z with standard error 1/sqrt(n - predictors - 2).

    Returns
    -------
    Effects
        measure "partial_correlation" or "fisher_z_partial", without metric: what is held constant differs by study.

    Raises
    ------
    DesignError
        If fewer than 3 clients more than predictors remain, or `scale` is unknown.

    Notes
    -----
    r = t/sqrt(t^2 + n - m - 1) with m predictors, variance (1 - r^2)^2/(n - m); Fisher's z has 1/(n - m - 2).
    metafor before version 4 used n - m - 1 for both.

    Examples
    --------
    >>> effect = partial_correlation(2.5, 60, 4)
    >>> print(f"{effect.estimate:.4f} {effect.variance:.5f}")
    0.3194 0.01440
    """
    if scale not in {"raw", "fisher_z"}:
        raise DesignError('scale must be "raw" or "fisher_z".')
    statistic, size, m = floats(t=t, n=n, predictors=predictors)
    refuse((m < 1) | (size - m < 3), "there must be one predictor or more, and 3 clients more than predictors")
    r = statistic / np.sqrt(statistic**2 + size - m - 1)
    error = 1 / np.sqrt(size - m - 2)
    z = scale == "fisher_z"
    estimate, variance = (np.arctanh(r), error**2) if z else (r, (1 - r**2) ** 2 / (size - m))
    effects = _by_fisher(estimate, variance, r, error, size, scale=scale, better=better, conf_level=conf_level)
    return dataclasses.replace(
        effects,
        measure="fisher_z_partial" if z else "partial_correlation",
        metric=None,
        method="partial correlation; " + effects.method,
    )


def semipartial_correlation(
    t: ArrayLike,
    n: ArrayLike,
    predictors: ArrayLike,
    r_squared: ArrayLike,
    *,
    better: str = "higher",
    conf_level: float = 0.95,
) -> Effects:
    """Return semi-partial correlations from the t of a coefficient and the R^2 of its regression.

    Parameters
    ----------
    t, n, predictors
        t of the coefficient, clients, and how many predictors the regression has, this one included.
    r_squared
        R^2 of the whole regression.
    better
        "lower" turns the sign.
    conf_level
        Of the limits, estimate +- z * SE (Aloe & Becker, 2012, doi:10.3102/1076998610396901).

    Returns
    -------
    Effects
        measure "semipartial_correlation", without metric.

    Raises
    ------
    DesignError
        If no degrees of freedom remain, or R^2 is not from 0 up to below 1.

    Examples
    --------
    >>> print(f"{semipartial_correlation(2.5, 60, 4, 0.3).estimate:.4f}")
    0.2820
    """
    statistic, size, m, r2 = floats(t=t, n=n, predictors=predictors, r_squared=r_squared)
    refuse((m < 1) | (size - m < 2), "there must be one predictor or more, and 2 clients more than predictors")
    refuse((r2 < 0) | (r2 >= 1), "R^2 must lie between 0 and 1", where="r_squared")
    r = statistic * np.sqrt((1 - r2) / (size - m - 1))
    refuse(r**2 > r2, "t and R^2 contradict each other: the coefficient alone would explain more than R^2")
    without = r2 - r**2
    variance = (r2**2 - 2 * r2 + without + 1 - without**2) / size
    half = tail_quantile(conf_level) * np.sqrt(variance)
    score = r / np.sqrt(variance)
    effects = Effects(
        measure="semipartial_correlation",
        metric=None,
        estimate=r,
        variance=variance,
        conf_low=np.maximum(r - half, -1.0),
        conf_high=np.minimum(r + half, 1.0),
        conf_level=conf_level,
        statistic=score,
        p_value=two_sided_p(score),
        n=size,
        about="association",
        method="semi-partial correlation; interval estimate +- z * SE",
    )
    return oriented(effects, better, orientation(better))


def point_biserial_correlation(groups: TwoMeans, *, vtype: str = "ST", conf_level: float = 0.95) -> Effects:
    """Return the correlation of arm and score that a difference of means amounts to.

    It depends on how the clients are divided between the arms; `biserial_correlation` does not.

    Parameters
    ----------
    groups
        By `two_means`.
    vtype
        Variance, named as in metafor: "ST" for arms of fixed size (the default), "CS" for one sample classified.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure "point_biserial_correlation", metric "correlation".

    Raises
    ------
    DesignError
        For an unknown `vtype`.

    Notes
    -----
    r = d/sqrt(d^2 + h), h = (N - 2)(1/n_T + 1/n_C). The limits are those of d by the noncentral t, in the same map; p
    is that of Student's t test (Jacobs & Viechtbauer, 2017, doi:10.1002/jrsm.1218).

    Examples
    --------
    >>> import sweval as sw
    >>> effect = point_biserial_correlation(sw.effects.two_means(14.7, 10.1, 52, 19.5, 11.1, 45, better="lower"))
    >>> print(f"{effect.estimate:.3f} [{effect.conf_low:.3f}, {effect.conf_high:.3f}]")
    0.223 [0.024, 0.396]
    """
    n1, n2, total, d = groups.n_treated, groups.n_control, groups.n, groups.d
    h = (total - 2) * (1 / n1 + 1 / n2)
    r = d / np.sqrt(d**2 + h)
    if vtype == "ST":
        variance = h**2 / (h + d**2) ** 3 * (1 / n1 + 1 / n2 + d**2 / (2 * total))
    elif vtype == "CS":
        variance = (1 - r**2) ** 2 * (total * r**2 / (4 * n1 * n2) + (2 - 3 * r**2) / (2 * total))
    else:
        raise DesignError('vtype must be "ST" or "CS".')
    low, high = _d_limits(groups, conf_level)
    return _from_means(
        groups,
        (r, variance, low / np.sqrt(low**2 + h), high / np.sqrt(high**2 + h)),
        names=("point_biserial_correlation", "correlation"),
        method="point-biserial correlation; limits of d by the noncentral t, transformed",
        conf_level=conf_level,
    )


def biserial_correlation(groups: TwoMeans, *, conf_level: float = 0.95) -> Effects:
    """Return the correlation of the score with a normal variable that was cut in two to give the arms.

    For arms that come from a cut-off (need above or below), not from allotment.

    Parameters
    ----------
    groups
        By `two_means`.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure "biserial_correlation", metric "correlation". Estimates beyond -1 or 1 happen in small samples and are
        kept.

    Notes
    -----
    r_pb * sqrt(pq)/phi(z_p), with Soper's variance (Jacobs & Viechtbauer, 2017, doi:10.1002/jrsm.1218). Limits are
    those of the point-biserial correlation, rescaled and held between -1 and 1 (or the estimate, where it lies beyond).

    Examples
    --------
    >>> import sweval as sw
    >>> print(f"{biserial_correlation(sw.effects.two_means(14.7, 10.1, 52, 19.5, 11.1, 45)).estimate:.3f}")
    -0.280
    """
    n1, n2, total = groups.n_treated, groups.n_control, groups.n
    h = (total - 2) * (1 / n1 + 1 / n2)
    p, q = n1 / total, n2 / total
    z = special.ndtri(q)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    scale = np.sqrt(p * q) / density
    r = scale * groups.d / np.sqrt(groups.d**2 + h)
    held = np.clip(r, -1.0, 1.0)
    shape = 1.5 + (1 - p * z / density) * (1 + q * z / density)
    variance = (p * q / density**2 - shape * held**2 + held**4) / (total - 1)
    low, high = (np.clip(scale * limit / np.sqrt(limit**2 + h), -1.0, 1.0) for limit in _d_limits(groups, conf_level))
    low, high = np.minimum(low, r), np.maximum(high, r)
    return _from_means(
        groups,
        (r, variance, low, high),
        names=("biserial_correlation", "correlation"),
        method="biserial correlation; limits of d by the noncentral t, transformed",
        conf_level=conf_level,
    )


def log_odds_ratio_from_means(groups: TwoMeans, *, scale: str = "logistic", conf_level: float = 0.95) -> Effects:
    """Return the log odds ratio that a standardised difference amounts to, to join studies of yes/no outcomes.

    The other way, `cox_d`, is usually the better one: it keeps the scale of most effects.

    Parameters
    ----------
    groups
        By `two_means`.
    scale
        "logistic": d * pi/sqrt(3); "cox": d * 1.65.
    conf_level
        Of the limits, which are those of d by the noncentral t, multiplied.

    Returns
    -------
    Effects
        measure "log_odds_ratio_from_d", metric "log_odds_ratio".

    Raises
    ------
    DesignError
        For an unknown `scale`.

    Examples
    --------
    >>> import sweval as sw
    >>> groups = sw.effects.two_means(14.7, 10.1, 52, 19.5, 11.1, 45, better="lower")
    >>> print(f"{log_odds_ratio_from_means(groups).estimate:.3f}")
    0.823
    """
    factors = {"logistic": float(np.pi / np.sqrt(3)), "cox": 1.65}
    if scale not in factors:
        raise DesignError('scale must be "logistic" or "cox".')
    factor, d = factors[scale], groups.d
    variance = 1 / groups.n_treated + 1 / groups.n_control + d**2 / (2 * groups.n)
    low, high = _d_limits(groups, conf_level)
    return _from_means(
        groups,
        (factor * d, factor**2 * variance, factor * low, factor * high),
        names=("log_odds_ratio_from_d", "log_odds_ratio"),
        method=f"log odds ratio from d ({scale}); limits of d by the noncentral t, multiplied",
        conf_level=conf_level,
    )


def _d_limits(groups: TwoMeans, conf_level: float) -> tuple[FloatArray, FloatArray]:
    """Return the limits of the standardised difference by the noncentral t."""
    kappa = np.sqrt(1 / groups.n_treated + 1 / groups.n_control)
    low, high = noncentral_t_interval(groups.d / kappa, groups.n - 2, conf_level=conf_level)
    return kappa * low, kappa * high


def _from_means(
    groups: TwoMeans,
    numbers: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    *,
    names: tuple[str, str],
    method: str,
    conf_level: float,
) -> Effects:
    """Return oriented effects with Student's t test."""
    t = groups.d / np.sqrt(1 / groups.n_treated + 1 / groups.n_control)
    plain = Effects(
        measure=names[0],
        metric=names[1],
        estimate=numbers[0],
        variance=numbers[1],
        conf_low=numbers[2],
        conf_high=numbers[3],
        conf_level=conf_level,
        statistic=t,
        p_value=two_sided_p(t, groups.n - 2),
        df=groups.n - 2,
        n=groups.n,
        method=method,
    )
    return oriented(plain, groups.better, orientation(groups.better))


def _by_fisher(
    estimate: FloatArray,
    variance: FloatArray,
    r: FloatArray,
    error: FloatArray,
    n: FloatArray,
    *,
    scale: str,
    better: str,
    conf_level: float,
) -> Effects:
    """Return oriented correlations with limits and test by Fisher's z."""
    z = np.arctanh(r)
    half = tail_quantile(conf_level) * error
    low, high = (z - half, z + half) if scale == "fisher_z" else (np.tanh(z - half), np.tanh(z + half))
    plain = Effects(
        measure="fisher_z" if scale == "fisher_z" else "correlation",
        metric=None if scale == "fisher_z" else "correlation",
        estimate=estimate,
        variance=variance,
        conf_low=low,
        conf_high=high,
        conf_level=conf_level,
        statistic=z / error,
        p_value=two_sided_p(z / error),
        n=n,
        about="association",
        method=("unbiased correlation; " if scale == "unbiased" else "") + "interval and test by Fisher's z",
    )
    return oriented(plain, better, orientation(better))


def _correlation_variance(estimate: FloatArray, r: FloatArray, n: FloatArray, vtype: str, scale: str) -> FloatArray:
    """Return the variance of a correlation by metafor's names."""
    if vtype == "LS":
        return (1 - estimate**2) ** 2 / (n - 1)
    if vtype == "AV":
        mean = (n * estimate).sum() / n.sum()
        return np.asarray((1 - mean**2) ** 2 / (n - 1))
    if vtype == "UB" and scale == "unbiased":
        left = (n - 3) / (n - 2) * (1 - r**2) * special.hyp2f1(1.0, 1.0, n / 2, 1 - r**2)
        return np.asarray(estimate**2 - 1 + left)
    raise DesignError('vtype must be "LS", "AV" or, for scale "unbiased", "UB".')
