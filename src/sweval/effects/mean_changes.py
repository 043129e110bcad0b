"""Standardised changes for many studies at once, with and without a control group: arrays in, arrays out.

Changes are already oriented (positive = improvement). The unit is the standard deviation of persons; that of the change
scores is offered for comparison with other software and marked by a metric of its own, since it inflates an effect by
1 / sqrt(2(1 - r)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.arrays import Effects, floats, refuse, wald
from sweval.effects.kernel import Standardized, small_sample_factor, standardize
from sweval.effects.summaries import pooled_sd
from sweval.effects.summaries import pre_post as change_of_one
from sweval.effects.summaries import pre_post_control as change_of_two
from sweval.errors import DesignError

__all__ = [
    "ArmChange",
    "baseline_adjusted_difference",
    "difference_of_changes",
    "large_sample_change",
    "standardized_mean_change",
]

FloatArray = NDArray[np.float64]

CHANGE_UNITS = ("pretest", "average", "change", "change_adjusted")
_VARIANTS = ("ppc1", "ppc2", "ppc3")


@dataclass(frozen=True, kw_only=True)
class ArmChange:
    """What a report says of the change in one arm; arrays, one entry per study.

    `change` is mean after - mean before, oriented; `correlation` that of before and after. `sd_post` is needed for
    `ppc3` only.
    """

    change: ArrayLike
    sd_pre: ArrayLike
    n: ArrayLike
    correlation: ArrayLike
    sd_post: ArrayLike | None = None


def standardized_mean_change(
    change: ArrayLike,
    *,
    sd_pre: ArrayLike,
    n: ArrayLike,
    correlation: ArrayLike,
    sd_post: ArrayLike | None = None,
    standardizer: str = "pretest",
    conf_level: float = 0.95,
) -> Standardized:
    r"""Return standardised mean changes of single groups. Without a control group they are no effects of a service.

    Parameters
    ----------
    change
        Mean after - mean before, oriented.
    sd_pre, sd_post
        Standard deviations; without `sd_post` it is taken to equal `sd_pre`.
    n
        Clients with both measurements.
    correlation
        Between before and after. If it is not reported: `pre_post_correlation` recovers it from a test or the
        standard deviation of the change; otherwise `over_correlations`.
    standardizer
        "pretest"; "average", the root of the mean of both variances (d_av); "change", the standard deviation of the
        change scores (d_z; comparable with nothing else); "change_adjusted", that divided by sqrt(2(1 - r)) (d_rm).
    conf_level
        Between 0 and 1.

    Returns
    -------
    Standardized

    Raises
    ------
    DesignError
        If a number is missing or impossible, or the standardizer unknown.

    Notes
    -----
    With :math:`s_D^2 = s_1^2 + s_2^2 - 2 r s_1 s_2`: kappa^2 = s_D^2 / (n s^2), df = n - 1, nu = n - 1; for "average"
    nu = 2(n - 1)/(1 + r^2), the degrees of freedom of the mean of two correlated variances.

    Examples
    --------
    >>> found = standardized_mean_change([7.9, 3.3], sd_pre=[15, 3.1], n=[20, 50], correlation=[0.47, 0.64])
    >>> found.g.round(3).tolist()
    [0.506, 1.048]
    """
    b, s1, size, r, s2 = _changes(change, sd_pre, n, correlation, sd_pre if sd_post is None else sd_post)
    change_sd = np.sqrt(s1**2 + s2**2 - 2 * r * s1 * s2)
    s, nu = change_unit(s1, s2, change_sd, r, size, standardizer=standardizer)
    kappa = change_sd / np.sqrt(size) / s
    return standardize(b, s, nu=nu, kappa=kappa, df=size - 1, conf_level=conf_level)


def large_sample_change(
    change: ArrayLike,
    *,
    sd_pre: ArrayLike,
    n: ArrayLike,
    correlation: ArrayLike,
    sd_post: ArrayLike | None = None,
    standardizer: str = "pretest",
    vtype: str = "LS",
) -> Effects:
    r"""Return what the R package metafor prints for changes, to compare or to repeat a published synthesis.

    For new work use `standardized_mean_change`.

    Parameters
    ----------
    change, sd_pre, n, correlation, sd_post
        As in `standardized_mean_change`.
    standardizer
        "raw" (escalc MC), "change" (SMCC), "pretest" (SMCR; with `vtype="H"` SMCRH) or "average" (SMCRP; SMCRPH).
    vtype
        "LS"; "LS2" for "change" and "pretest"; "H" for variances that differ between before and after.

    Returns
    -------
    Effects

    Raises
    ------
    DesignError
        As `standardized_mean_change`, or if the two choices do not go together.

    Notes
    -----
    With :math:`\kappa^2 = 2(1-r)/n` (for "change" 1/n) LS is :math:`\kappa^2 + g^2/(2n)` and, for "average",
    :math:`\kappa^2 + g^2(1+r^2)/(4n)`. H is :math:`s_D^2/(s^2(n-1)) + g^2/(2(n-1))`, and for "average"
    :math:`s_D^2/(s^2(n-1)) + g^2(s_1^4+s_2^4+2r^2s_1^2s_2^2)/(8s^4(n-1))`. Checked against metafor 5.1.

    Examples
    --------
    >>> found = large_sample_change([7.9, 3.3], sd_pre=[15, 3.1], sd_post=[11.6, 4.1], n=[20, 50],
    ...                             correlation=[0.47, 0.64], standardizer="change")
    >>> found.estimate.round(4).tolist(), found.variance.round(5).tolist()
    ([0.5417, 1.0198], [0.05733, 0.0304])
    """
    allowed = {"raw": ("LS",), "change": ("LS", "LS2"), "pretest": ("LS", "LS2", "H"), "average": ("LS", "H")}
    if vtype not in allowed.get(standardizer, ()):
        words = "; ".join(f"{name}: {', '.join(kinds)}" for name, kinds in allowed.items())
        raise DesignError(f"this standardizer and vtype do not go together. There are {words}.")
    b, s1, size, r, s2 = _changes(change, sd_pre, n, correlation, sd_pre if sd_post is None else sd_post)
    change_variance = s1**2 + s2**2 - 2 * r * s1 * s2
    method = f"as metafor's escalc, change, {standardizer}, vtype {vtype}; Wald interval"
    if standardizer == "raw":
        return wald(b, change_variance / size, measure="mean_change", metric="raw", method=method)
    average = standardizer == "average"
    square = {"change": change_variance, "pretest": s1**2, "average": (s1**2 + s2**2) / 2}[standardizer]
    j = small_sample_factor(2 * (size - 1) / (1 + r**2) if average else size - 1)
    d = b / np.sqrt(square)
    g = j * d
    kappa_squared = 1 / size if standardizer == "change" else 2 * (1 - r) / size
    if vtype == "H":
        own = (s1**4 + s2**4 + 2 * r**2 * s1**2 * s2**2) / (8 * square**2) if average else 0.5
        variance = change_variance / square / (size - 1) + g**2 * own / (size - 1)
    elif vtype == "LS2":
        variance = j**2 * (kappa_squared + d**2 / (2 * size))
    else:
        variance = kappa_squared + g**2 * ((1 + r**2) / 4 if average else 0.5) / size
    metric = "change_score" if standardizer == "change" else "uncontrolled_change"
    return wald(g, variance, measure="standardized_mean_change", metric=metric, method=method)


def difference_of_changes(
    treated: ArmChange, control: ArmChange, *, variant: str = "ppc2", conf_level: float = 0.95
) -> Standardized:
    r"""Return standardised differences of the changes of two groups.

    Parameters
    ----------
    treated, control
        Changes of both arms.
    variant
        "ppc2", in units of the pooled standard deviation before (the default; Morris, 2008). "ppc1" divides each
        arm's change by its own (Becker, 1988), for arms that differ in spread before. "ppc3" pools before and after as
        well; it assumes that the service leaves the spread as it was.
    conf_level
        Between 0 and 1.

    Returns
    -------
    Standardized
        "ppc1" has no test (`statistic` and `p_value` are nan); its limits are recovered from those of both arms.

    Raises
    ------
    DesignError
        If a number is missing or impossible, or the variant unknown.

    Notes
    -----
    ppc2: kappa^2 = 2(1 - r)(1/n_T + 1/n_C), nu = N - 2, with the correlation pooled over arms by n - 1; Morris (2008),
    doi:10.1177/1094428106291059, eq. 8 and 25. ppc3: the same with nu = 2(N - 2)/(1 + r^2); Morris takes 2(N - 2),
    which is right for r = 0 only. ppc1: the variances add, and the limits are those of Zou & Donner (2008):

    .. math:: g - \sqrt{(g_T - l_T)^2 + (u_C - g_C)^2}, \quad g + \sqrt{(u_T - g_T)^2 + (g_C - l_C)^2}

    Examples
    --------
    >>> treated = ArmChange(change=7.9, sd_pre=15, sd_post=11.6, n=20, correlation=0.47)
    >>> control = ArmChange(change=-3.4, sd_pre=13.8, sd_post=14.8, n=20, correlation=0.47)
    >>> [float(difference_of_changes(treated, control, variant=name).g.round(2)) for name in ("ppc1", "ppc2", "ppc3")]
    [0.74, 0.77, 0.81]
    """
    if variant not in _VARIANTS:
        raise DesignError('variant must be "ppc1", "ppc2" or "ppc3".')
    parts = []
    for arm, name in ((treated, "treated"), (control, "control")):
        if variant == "ppc3" and arm.sd_post is None:
            raise DesignError('"ppc3" needs the standard deviations after the service.', where=name)
        parts.append(
            _changes(arm.change, arm.sd_pre, arm.n, arm.correlation, arm.sd_pre if arm.sd_post is None else arm.sd_post)
        )
    (bt, s1t, nt, rt, s2t), (bc, s1c, nc, rc, s2c) = parts
    if variant == "ppc1":
        return _becker(
            *(change_of_one(b, sd_pre=s, n=n, correlation=r, conf_level=conf_level)
              for b, s, n, r in ((bt, s1t, nt, rt), (bc, s1c, nc, rc)))
        )  # fmt: skip
    nu = nt + nc - 2
    r = ((nt - 1) * rt + (nc - 1) * rc) / nu
    if variant == "ppc2":
        return change_of_two(
            bt - bc, sd_pre_treated=s1t, n_treated=nt, sd_pre_control=s1c, n_control=nc, correlation=r,
            conf_level=conf_level,
        )  # fmt: skip
    square = (pooled_sd(s1t, nt, s1c, nc) ** 2 + pooled_sd(s2t, nt, s2c, nc) ** 2) / 2
    kappa = np.sqrt(2 * (1 - r) * (1 / nt + 1 / nc))
    return standardize(bt - bc, np.sqrt(square), nu=2 * nu / (1 + r**2), kappa=kappa, df=nu, conf_level=conf_level)


def baseline_adjusted_difference(
    post: Standardized, pre: Standardized, *, n_treated: ArrayLike, n_control: ArrayLike, correlation: ArrayLike,
    conf_level: float = 0.95,
) -> Standardized:  # fmt: skip
    """Return effects after the service less the differences that were there before it.

    For reports that give both times with own standard deviations, of the same measure. The What Works Clearinghouse
    adjusts so where arms differ at the baseline. Without random assignment this and an adjusted difference answer
    different questions (Lord's paradox).

    Parameters
    ----------
    post, pre
        Standardised differences at both times, by the same function.
    n_treated, n_control
        Group sizes.
    correlation
        Between before and after.
    conf_level
        Between 0 and 1.

    Returns
    -------
    Standardized
        g = g_post - g_pre, kappa^2 = 2(1 - r)(1/n_T + 1/n_C), nu = N - 2.

    Raises
    ------
    DesignError
        If a number is missing or impossible.

    Examples
    --------
    >>> import sweval as sw
    >>> found = [sw.effects.standardized_mean_difference(b, sd_treated=9, n_treated=40, sd_control=10, n_control=38)
    ...          for b in (4.0, 1.0)]
    >>> float(baseline_adjusted_difference(*found, n_treated=40, n_control=38, correlation=0.6).g.round(3))
    0.313
    """
    d, nt, nc, r = floats(difference=post.d - pre.d, n_treated=n_treated, n_control=n_control, correlation=correlation)
    _possible(r)
    nu, kappa = nt + nc - 2, np.sqrt(2 * (1 - r) * (1 / nt + 1 / nc))
    return standardize(d, 1.0, nu=nu, kappa=kappa, df=nu, conf_level=conf_level)


def change_unit(
    s1: ArrayLike, s2: ArrayLike, change_sd: ArrayLike, r: ArrayLike, n: ArrayLike, *, standardizer: str
) -> tuple[FloatArray, FloatArray]:
    """Return the standard deviation that serves as unit of a change, and its degrees of freedom."""
    if standardizer not in CHANGE_UNITS:
        raise DesignError('standardizer must be "pretest", "average", "change" or "change_adjusted".')
    before, after, change, correlation, size = (np.asarray(part, dtype=float) for part in (s1, s2, change_sd, r, n))
    if standardizer == "average":
        return np.sqrt((before**2 + after**2) / 2), 2 * (size - 1) / (1 + correlation**2)
    if standardizer == "change_adjusted":
        refuse(correlation >= 1, "with a correlation of 1 this unit is not defined", where="correlation")
        return change / np.sqrt(2 * (1 - correlation)), size - 1
    return (before if standardizer == "pretest" else change), size - 1


def _becker(treated: Standardized, control: Standardized) -> Standardized:
    """Return the difference of two changes in their own units, with limits recovered from those of both."""
    g = treated.g - control.g
    low = g - np.hypot(treated.g - treated.conf_low, control.conf_high - control.g)
    high = g + np.hypot(treated.conf_high - treated.g, control.g - control.conf_low)
    none = np.full_like(g, np.nan)
    return Standardized(
        d=treated.d - control.d,
        g=g,
        variance=treated.variance + control.variance,
        weight_variance=treated.weight_variance + control.weight_variance,
        conf_low=low,
        conf_high=high,
        statistic=none,
        p_value=none,
        nu=treated.nu + control.nu,
        df=treated.df + control.df,
        interval="interval recovered from the noncentral-t limits of both arms",
    )


def _changes(*parts: ArrayLike) -> tuple[FloatArray, ...]:
    """Return change, standard deviation before, size, correlation and standard deviation after."""
    b, s1, n, r, s2 = floats(**dict(zip(("change", "sd_pre", "n", "correlation", "sd_post"), parts, strict=True)))
    refuse(n < 2, "a change needs two clients or more", where="n")
    for name, s in (("sd_pre", s1), ("sd_post", s2)):
        refuse(s <= 0, "a standard deviation must be above zero", where=name)
    _possible(r)
    return b, s1, n, r, s2


def _possible(r: FloatArray) -> None:
    """Refuse correlations of 1 and beyond."""
    refuse(np.abs(r) >= 1, "the correlation of before and after must lie between -1 and 1", where="correlation")
