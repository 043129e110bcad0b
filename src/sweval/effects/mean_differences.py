"""Standardised differences of two groups for many studies at once: arrays in, arrays out.

Differences are already oriented (positive = improvement). For one effect with its full row see `hedges_g` and its
relatives; for a table of published reports `sweval.reported_effects`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.arrays import Effects, floats, refuse, wald
from sweval.effects.kernel import Standardized, small_sample_factor, standardize
from sweval.effects.summaries import glass, heteroscedastic, pooled_sd, two_groups
from sweval.errors import DesignError

__all__ = [
    "difference_from_beta",
    "difference_from_test",
    "large_sample_difference",
    "sd_within_arms",
    "standardized_mean_difference",
]

FloatArray = NDArray[np.float64]

_KINDS = {"pooled": two_groups, "control": glass, "average": heteroscedastic}
_TESTS = ("t", "F", "p", "correlation")


def standardized_mean_difference(
    difference: ArrayLike,
    *,
    sd_treated: ArrayLike,
    n_treated: ArrayLike,
    sd_control: ArrayLike,
    n_control: ArrayLike,
    standardizer: str = "pooled",
    conf_level: float = 0.95,
) -> Standardized:
    """Return standardised mean differences of studies with two independent groups, from means and deviations.

    Not for clustered clients (`clustered_difference`) nor for differences that were adjusted for a baseline
    (`adjusted_difference`).

    Parameters
    ----------
    difference
        Mean of the treated - mean of the control group, oriented.
    sd_treated, n_treated, sd_control, n_control
        Standard deviations and sizes. All arguments broadcast.
    standardizer
        "pooled" (Hedges' g), "control" (Glass' delta) or "average", the root of the mean of both variances (Bonett).
    conf_level
        Between 0 and 1.

    Returns
    -------
    Standardized

    Raises
    ------
    DesignError
        If numbers are missing, a size is below 2, a standard deviation not positive, or the standardizer unknown.

    Notes
    -----
    pooled: kappa^2 = 1/n_T + 1/n_C, nu = df = N - 2 (Hedges, 1981, doi:10.3102/10769986006002107). control:
    nu = n_C - 1.
    average: nu = (s_T^2 + s_C^2)^2 / (s_T^4/(n_T - 1) + s_C^4/(n_C - 1)) (Bonett, 2009, doi:10.1037/a0016619). The last
    two have Welch's standard error and df.

    Examples
    --------
    >>> found = standardized_mean_difference([4.8, 1.2], sd_treated=[10.1, 4], n_treated=[52, 20], sd_control=[11.1, 5],
    ...                                      n_control=[45, 18])
    >>> found.g.round(3).tolist(), found.conf_low.round(3).tolist()
    ([0.45, 0.261], [0.049, -0.375])
    """
    if standardizer not in _KINDS:
        raise DesignError('standardizer must be "pooled", "control" or "average".')
    b, st, nt, sc, nc = _groups(difference, sd_treated, n_treated, sd_control, n_control)
    return _KINDS[standardizer](b, sd_treated=st, n_treated=nt, sd_control=sc, n_control=nc, conf_level=conf_level)


def large_sample_difference(
    difference: ArrayLike,
    *,
    sd_treated: ArrayLike,
    n_treated: ArrayLike,
    sd_control: ArrayLike,
    n_control: ArrayLike,
    standardizer: str = "pooled",
    vtype: str = "LS",
) -> Effects:
    r"""Return what the R package metafor prints for two groups, to compare or to repeat a published synthesis.

    For new work use `standardized_mean_difference`: these variances are approximations, and the Wald limits ignore that
    the standard deviation is estimated.

    Parameters
    ----------
    difference, sd_treated, n_treated, sd_control, n_control
        As in `standardized_mean_difference`.
    standardizer
        "raw" (escalc MD), "pooled" (SMD), "control" (SMD1), "control_unequal" (SMD1H) or "average" (SMDH).
    vtype
        Variance, under metafor's name: "LS" for all; "LS2", "UB" and "AV" for "pooled", "control"; "HO" for "raw".

    Returns
    -------
    Effects

    Raises
    ------
    DesignError
        As `standardized_mean_difference`, or if the two choices do not go together.

    Notes
    -----
    With N_s the size behind the standard deviation (N, or n_C), m its degrees of freedom and :math:`\bar g` the mean of
    g weighted by N:

    .. math::
        LS = \kappa^2 + \frac{g^2}{2N_s},\; LS2 = J^2\Big(\kappa^2 + \frac{d^2}{2N_s}\Big),\;
        UB = \kappa^2 + \Big(1 - \frac{m-2}{m J^2}\Big)g^2,\; AV = \kappa^2 + \frac{\bar g^2}{2N_s}

    "average" takes J at N - 2, as metafor does. Checked against metafor 5.1.

    Examples
    --------
    >>> found = large_sample_difference([4.8, 1.2], sd_treated=[10.1, 4], n_treated=[52, 20], sd_control=[11.1, 5],
    ...                                 n_control=[45, 18], vtype="UB")
    >>> found.variance.round(5).tolist()
    [0.04254, 0.10655]
    """
    b, st, nt, sc, nc = _groups(difference, sd_treated, n_treated, sd_control, n_control)
    allowed = {"raw": ("LS", "HO"), "pooled": ("LS", "LS2", "UB", "AV"), "control": ("LS", "LS2", "UB", "AV")}
    allowed |= {"control_unequal": ("LS",), "average": ("LS",)}
    if vtype not in allowed.get(standardizer, ()):
        words = "; ".join(f"{name}: {', '.join(kinds)}" for name, kinds in allowed.items())
        raise DesignError(f"this standardizer and vtype do not go together. There are {words}.")
    s, total = pooled_sd(st, nt, sc, nc), nt + nc
    method = f"as metafor's escalc, {standardizer}, vtype {vtype}; Wald interval"
    if standardizer == "raw":
        variance = s**2 * (1 / nt + 1 / nc) if vtype == "HO" else st**2 / nt + sc**2 / nc
        return wald(b, variance, measure="mean_difference", metric="raw", method=method)
    if standardizer == "average":
        mean = (st**2 + sc**2) / 2
        g = small_sample_factor(total - 2) * b / np.sqrt(mean)
        unit = (st**4 / (nt - 1) + sc**4 / (nc - 1)) / (8 * mean**2)
        variance = g**2 * unit + (st**2 / (nt - 1) + sc**2 / (nc - 1)) / mean
    elif standardizer == "control_unequal":
        g = small_sample_factor(nc - 1) * b / sc
        variance = (st / sc) ** 2 / (nt - 1) + 1 / (nc - 1) + g**2 / (2 * (nc - 1))
    else:
        m, persons, sd = (total - 2, total, s) if standardizer == "pooled" else (nc - 1, nc, sc)
        j, kappa_squared, d = small_sample_factor(m), 1 / nt + 1 / nc, b / sd
        g = j * d
        mean_g = (total * g).sum() / total.sum()
        variance = {
            "LS": kappa_squared + g**2 / (2 * persons),
            "LS2": j**2 * (kappa_squared + d**2 / (2 * persons)),
            "UB": kappa_squared + (1 - (m - 2) / (m * j**2)) * g**2,
            "AV": kappa_squared + mean_g**2 / (2 * persons),
        }[vtype]
    return wald(g, variance, measure="hedges_g", metric="person_total", method=method)


def difference_from_test(
    value: ArrayLike,
    *,
    test: str,
    n_treated: ArrayLike,
    n_control: ArrayLike,
    direction: ArrayLike = 1.0,
    conf_level: float = 0.95,
) -> Standardized:
    r"""Return standardised differences from reported tests of two independent groups.

    Not for a test with covariates (`adjusted_difference`), of paired scores, or that ignored clusters.

    Parameters
    ----------
    value
        What the report prints.
    test
        "t"; "F" with one numerator df; "p", two-sided and exact ("p < .05" is no number to work from); or
        "correlation", the point-biserial one of arm and outcome.
    n_treated, n_control
        Group sizes.
    direction
        1 where the treated fared better, -1 where they fared worse. F and p have no sign, so say it; t and correlation
        keep their own, which `direction` turns.
    conf_level
        Between 0 and 1.

    Returns
    -------
    Standardized

    Raises
    ------
    DesignError
        If a number is impossible: F below 0, p not between 0 and 1, a correlation of 1 or beyond, a size below 2.

    Notes
    -----
    .. math:: d = t\sqrt{1/n_T + 1/n_C}, \quad |t| = \sqrt F = |t_{p/2,\,N-2}| = |r|\sqrt{(N-2)/(1-r^2)}

    Examples
    --------
    >>> difference_from_test([2.2, 1.1], test="t", n_treated=30, n_control=30).g.round(4).tolist()
    [0.5607, 0.2803]
    >>> float(difference_from_test(0.03, test="p", n_treated=30, n_control=30, direction=-1).g.round(3))
    -0.567
    """
    if test not in _TESTS:
        raise DesignError('test must be "t", "F", "p" or "correlation".')
    x, nt, nc, sign = floats(value=value, n_treated=n_treated, n_control=n_control, direction=direction)
    _sizes(nt, nc)
    refuse(np.abs(sign) != 1, "direction must be 1 or -1", where="direction")
    nu = nt + nc - 2
    if test == "F":
        refuse(x < 0, "F is never negative", where="value")
        t = np.sqrt(x)
    elif test == "p":
        refuse((x <= 0) | (x > 1), "a p-value lies above 0 and up to 1", where="value")
        t = -special.stdtrit(nu, x / 2)
    elif test == "correlation":
        refuse(np.abs(x) >= 1, "a correlation lies between -1 and 1", where="value")
        t = x * np.sqrt(nu / (1 - x**2))
    else:
        t = x
    kappa = np.sqrt(1 / nt + 1 / nc)
    return standardize(sign * t * kappa, 1.0, nu=nu, kappa=kappa, df=nu, conf_level=conf_level)


def difference_from_beta(
    beta: ArrayLike, *, n_treated: ArrayLike, n_control: ArrayLike, conf_level: float = 0.95
) -> Standardized:
    r"""Return standardised differences from standardised regression coefficients of a treatment indicator.

    Only where the regression had no other predictor; with predictors the coefficient is of an adjusted difference, and
    its standard error is needed (`adjusted_difference`).

    Parameters
    ----------
    beta
        Standardised coefficient: in standard deviations of the outcome per standard deviation of the indicator.
    n_treated, n_control
        Group sizes.
    conf_level
        Between 0 and 1.

    Returns
    -------
    Standardized

    Raises
    ------
    DesignError
        If a coefficient is so large that no variance is left within the groups, or a size is below 2.

    Notes
    -----
    .. math:: b/s_y = \beta\sqrt{\frac{N-1}{n_T n_C/N}}, \quad
        d = \frac{b/s_y}{\sqrt{[(N-1) - (b/s_y)^2\,n_T n_C/N]/(N-2)}}

    Lipsey & Wilson (2001); the R package esc (esc_beta) has the same.

    Examples
    --------
    >>> float(difference_from_beta(0.32, n_treated=100, n_control=150).d.round(4))
    0.6867
    """
    slope, nt, nc = floats(beta=beta, n_treated=n_treated, n_control=n_control)
    _sizes(nt, nc)
    total = nt + nc
    b = slope * np.sqrt((total - 1) * total / (nt * nc))
    s = sd_within_arms(1.0, difference=b, n_treated=nt, n_control=nc)
    return standardize(b, s, nu=total - 2, kappa=np.sqrt(1 / nt + 1 / nc), df=total - 2, conf_level=conf_level)


def sd_within_arms(sd: ArrayLike, *, difference: ArrayLike, n_treated: ArrayLike, n_control: ArrayLike) -> FloatArray:
    r"""Return the standard deviation pooled within arms from that of the whole sample, which holds the effect too.

    Parameters
    ----------
    sd
        Standard deviation of the outcome over both arms together.
    difference
        Mean of the treated - mean of the control group, raw.
    n_treated, n_control
        Group sizes.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    DesignError
        If the difference is larger than the standard deviation allows, or a number is missing.

    Notes
    -----
    .. math:: s^2 = [(N-1)s_y^2 - b^2\,n_T n_C/N]/(N-2)

    Examples
    --------
    >>> float(sd_within_arms(5.0, difference=3.0, n_treated=40, n_control=60).round(3))
    4.801
    """
    s, b, nt, nc = floats(sd=sd, difference=difference, n_treated=n_treated, n_control=n_control)
    total = nt + nc
    left = (total - 1) * s**2 - b**2 * nt * nc / total
    refuse(left <= 0, "the difference is larger than the standard deviation of the whole sample allows")
    return np.sqrt(left / (total - 2))


def _groups(*parts: ArrayLike) -> tuple[FloatArray, ...]:
    """Return difference, deviation and size of the treated, and of the control group."""
    b, st, nt, sc, nc = floats(
        **dict(zip(("difference", "sd_treated", "n_treated", "sd_control", "n_control"), parts, strict=True))
    )
    _sizes(nt, nc)
    for name, s in (("sd_treated", st), ("sd_control", sc)):
        refuse(s <= 0, "a standard deviation must be above zero", where=name)
    return b, st, nt, sc, nc


def _sizes(nt: FloatArray, nc: FloatArray) -> None:
    """Refuse groups of fewer than two."""
    for name, n in (("n_treated", nt), ("n_control", nc)):
        refuse(n < 2, "a group needs two persons or more", where=name)
