"""Ratios of means and of spreads after and before, in one group, as logarithms.

Without a comparison arm a change is no effect of the service; the metrics say so.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sweval.effects.arrays import Effects, oriented, tail_quantile, wald
from sweval.effects.moments import TwoMoments
from sweval.effects.ratios import corrected_words, require_positive
from sweval.effects.samples import orientation

__all__ = ["log_cv_ratio_of_change", "log_response_ratio_of_change", "log_variability_ratio_of_change"]

FloatArray = NDArray[np.float64]


def log_response_ratio_of_change(moments: TwoMoments, *, correct: bool = True, conf_level: float = 0.95) -> Effects:
    """Return the log of the ratio of the means after and before, of one group.

    Parameters
    ----------
    moments
        By `two_moments`; both means must be above 0.
    correct
        Whether to take away the small-sample bias of the estimate.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure "log_response_ratio", metric "uncontrolled_log_response_ratio"; t with n - 1 degrees of freedom.

    Raises
    ------
    DesignError
        If a mean is not above 0.

    Notes
    -----
    log(m_2/m_1) + (CV_2^2 - CV_1^2)/(2n), the last part being the correction; variance
    (CV_1^2 + CV_2^2 - 2 r CV_1 CV_2)/n (Lajeunesse, 2011, doi:10.1890/11-0423.1).

    Examples
    --------
    >>> import sweval as sw
    >>> effect = log_response_ratio_of_change(sw.effects.two_moments(38.5, 11.6, 30.6, 15.0, 20, 0.47))
    >>> print(f"{effect.estimate:.4f} {effect.variance:.5f}")
    0.2259 0.00961
    """
    cv1, cv2 = _cvs(moments)
    bias = (cv1**2 - cv2**2) / (2 * moments.n)
    effects = wald(
        np.log(moments.mean_after / moments.mean_before) + (bias if correct else 0.0),
        (cv1**2 + cv2**2 - 2 * moments.correlation * cv1 * cv2) / moments.n,
        measure="log_response_ratio",
        metric="uncontrolled_log_response_ratio",
        method=f"log ratio of means after and before{corrected_words(correct)}; t with n - 1 df",
        df=moments.n - 1,
        conf_level=conf_level,
    )
    turned = oriented(effects, moments.better, orientation(moments.better))
    return dataclasses.replace(turned, n=moments.n, about="change")


def log_variability_ratio_of_change(moments: TwoMoments, *, conf_level: float = 0.95) -> Effects:
    """Return the log of the ratio of the standard deviations after and before, of one group.

    Parameters
    ----------
    moments
        By `two_moments`.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure "log_variability_ratio", metric "uncontrolled_log_variability_ratio"; positive = more spread after.

    Notes
    -----
    log(s_2/s_1), variance (1 - r^2)/(n - 1). Limits and p are those of the test of Pitman and Morgan (1939), exact for
    normal scores: t with n - 2 degrees of freedom.

    Examples
    --------
    >>> import sweval as sw
    >>> effect = log_variability_ratio_of_change(sw.effects.two_moments(38.5, 11.6, 30.6, 15.0, 20, 0.47))
    >>> print(f"{effect.estimate:.4f} [{effect.conf_low:.3f}, {effect.conf_high:.3f}]")
    -0.2570 [-0.681, 0.167]
    """
    r, df = moments.correlation, moments.n - 2
    log_ratio = np.log(moments.sd_after / moments.sd_before)
    free = 1 - r**2
    width = np.arccosh(1 + 2 * free * tail_quantile(conf_level, df) ** 2 / df) / 2
    t = np.sinh(log_ratio) * np.sqrt(df / free)
    return Effects(
        measure="log_variability_ratio",
        metric="uncontrolled_log_variability_ratio",
        estimate=log_ratio,
        variance=free / (moments.n - 1),
        conf_low=log_ratio - width,
        conf_high=log_ratio + width,
        conf_level=conf_level,
        statistic=t,
        p_value=2 * special.stdtr(df, -np.abs(t)),
        df=df,
        n=moments.n,
        about="change",
        method="log ratio of standard deviations after and before; Pitman-Morgan interval; positive = more after",
    )


def log_cv_ratio_of_change(moments: TwoMoments, *, correct: bool = True, conf_level: float = 0.95) -> Effects:
    """Return the log of the ratio of the coefficients of variation after and before, of one group.

    Parameters
    ----------
    moments
        By `two_moments`; both means must be above 0.
    correct
        Whether to take away the small-sample bias of the estimate.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure "log_cv_ratio", metric "uncontrolled_log_cv_ratio"; t with n - 1 degrees of freedom.

    Raises
    ------
    DesignError
        If a mean is not above 0.

    Examples
    --------
    >>> import sweval as sw
    >>> print(f"{log_cv_ratio_of_change(sw.effects.two_moments(38.5, 11.6, 30.6, 15.0, 20, 0.47)).estimate:.4f}")
    -0.4830
    """
    cv1, cv2 = _cvs(moments)
    r = moments.correlation
    effects = wald(
        np.log(cv1 / cv2) - ((cv1**2 - cv2**2) / (2 * moments.n) if correct else 0.0),
        (1 - r**2) / (moments.n - 1) + (cv1**2 + cv2**2 - 2 * r * cv1 * cv2) / moments.n,
        measure="log_cv_ratio",
        metric="uncontrolled_log_cv_ratio",
        method=f"log ratio of coefficients of variation after and before{corrected_words(correct)}; t with n - 1 df; "
        "positive = more spread after",
        df=moments.n - 1,
        conf_level=conf_level,
    )
    return dataclasses.replace(effects, n=moments.n, about="change")


def _cvs(moments: TwoMoments) -> tuple[FloatArray, FloatArray]:
    """Return the coefficients of variation after and before."""
    require_positive(moments.mean_after, moments.mean_before)
    return moments.sd_after / moments.mean_after, moments.sd_before / moments.mean_before
