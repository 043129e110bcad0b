"""The rules by which the What Works Clearinghouse judges effects, for reports that must follow them.

They are conventions of one agency for education in the United States, not laws of statistics; the limits below are
those of its handbooks, as named in each function. Its attrition boundary is not here: the numbers of its table could
not be traced to the handbook itself. The improvement index is `improvement_index`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.arrays import floats, numbers
from sweval.effects.clustered import corrected_t
from sweval.effects.kernel import Standardized, small_sample_factor, standardize
from sweval.effects.multiple_tests import adjusted_p_values
from sweval.errors import DataError, DesignError

__all__ = [
    "ClusterCorrected",
    "WwcFindings",
    "baseline_equivalence",
    "wwc_cluster_correction",
    "wwc_difference_in_differences",
    "wwc_findings",
    "wwc_small_sample_factor",
]

FloatArray = NDArray[np.float64]
TextArray = NDArray[Any]

_SATISFIED, _ADJUSTABLE = 0.05, 0.25
_IMPORTANT = 0.25
_DEFAULT_ICC = {"achievement": 0.20, "other": 0.10}


@dataclass(frozen=True, kw_only=True)
class ClusterCorrected:
    """Tests of effects whose analysis ignored the clusters; every field has the same shape.

    Attributes
    ----------
    t
        As the report has it, clusters ignored.
    t_corrected, df, p_value
        Corrected for them.
    icc
        The intraclass correlation that was used.
    """

    t: FloatArray
    t_corrected: FloatArray
    df: FloatArray
    p_value: FloatArray
    icc: FloatArray


@dataclass(frozen=True, kw_only=True)
class WwcFindings:
    """Findings of one study, in the order given.

    Attributes
    ----------
    effect, p_value
        As given.
    adjusted_p
        After Benjamini and Hochberg, within each domain.
    significant
        Whether `adjusted_p` does not exceed the level.
    characterisation
        "statistically significant positive", "substantively important positive", "indeterminate",
        "substantively important negative" or "statistically significant negative".
    """

    effect: FloatArray
    p_value: FloatArray
    adjusted_p: FloatArray
    significant: NDArray[np.bool_]
    characterisation: TextArray


def wwc_small_sample_factor(persons: ArrayLike) -> FloatArray:
    r"""Return omega, by which the What Works Clearinghouse multiplies d to get g.

    An approximation of `small_sample_factor` at N - 2; use that one for anything else.

    Parameters
    ----------
    persons
        N, both groups, above 3.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    DesignError
        If N is 3 or less.

    Notes
    -----
    :math:`\omega = 1 - 3/(4N - 9)`, What Works Clearinghouse (2020), Procedures Handbook, Version 4.1, Appendix E.

    Examples
    --------
    >>> wwc_small_sample_factor([10, 100]).round(4).tolist()
    [0.9032, 0.9923]
    """
    n = numbers(persons, name="persons")
    if not (n > 3).all():
        raise DesignError("omega needs more than 3 persons.")
    return np.asarray(1 - 3 / (4 * n - 9))


def baseline_equivalence(effects: ArrayLike) -> TextArray:
    """Return how far apart two groups were before the service, in the categories of the What Works Clearinghouse.

    It asks for them where groups were not assigned by chance, or too many left. They say what the analysis must do, not
    whether the comparison is fair: differences that were not measured are not in them.

    Parameters
    ----------
    effects
        Standardised differences at baseline (Hedges g, in the total standard deviation); their sign does not matter.

    Returns
    -------
    numpy.ndarray
        "satisfied" (up to .05), "adjustment_required" (above .05, up to .25: the analysis must adjust for the
        baseline), or "not_satisfied" (above .25).

    Raises
    ------
    DataError
        If effects are missing.

    Notes
    -----
    What Works Clearinghouse (2020), Standards Handbook, Version 4.1, section II, Table II.2.

    Examples
    --------
    >>> baseline_equivalence([0.03, -0.12, 0.4]).tolist()
    ['satisfied', 'adjustment_required', 'not_satisfied']
    """
    size = np.abs(numbers(effects, name="effects"))
    missing = int((~np.isfinite(size)).sum())
    if missing:
        raise DataError(f"{missing} of {size.size} baseline effects are missing.", fix="Leave them out first.")
    return np.asarray(
        np.where(size <= _SATISFIED, "satisfied", np.where(size <= _ADJUSTABLE, "adjustment_required", "not_satisfied"))
    )


def wwc_cluster_correction(
    effects: ArrayLike,
    *,
    n_treated: ArrayLike,
    n_control: ArrayLike,
    clusters: ArrayLike,
    icc: ArrayLike | None = None,
    outcome: str = "other",
) -> ClusterCorrected:
    r"""Return the test of an effect whose report assigned clusters and analysed persons.

    A way to judge a published number; with the data at hand use `sweval.ClusterTrial`.

    Parameters
    ----------
    effects
        Hedges g as reported, clusters ignored.
    n_treated, n_control
        Persons per arm.
    clusters
        Clusters, both arms together; sizes are taken as equal.
    icc
        Intraclass correlation, from 0 to below 1. Where it is not known leave it out.
    outcome
        "achievement" (.20 where `icc` is left out) or "other" (.10).

    Returns
    -------
    ClusterCorrected

    Raises
    ------
    DesignError
        If `outcome` is neither, or sizes or intraclass correlations are out of range.

    Notes
    -----
    What Works Clearinghouse (2020), Procedures Handbook, Version 4.1, Appendix F, F.1.0 to F.1.4:
    :math:`t = g/\sqrt{(n_T + n_C)/(n_T n_C) + g^2/(2(n_T + n_C))}`, then `corrected_t` (Hedges, 2007b). It is
    applied to findings that were reported as significant; a correction never makes one significant.

    Examples
    --------
    >>> found = wwc_cluster_correction(0.3, n_treated=200, n_control=200, clusters=20, outcome="achievement")
    >>> print(f"{found.t:.2f} {found.t_corrected:.2f} {found.df:.1f} {found.p_value:.3f}")
    2.98 1.35 231.7 0.179
    """
    if outcome not in _DEFAULT_ICC:
        raise DesignError('outcome must be "achievement" or "other".')
    g, nt, nc, k, rho = floats(
        effects=effects,
        n_treated=n_treated,
        n_control=n_control,
        clusters=clusters,
        icc=_DEFAULT_ICC[outcome] if icc is None else icc,
    )
    if not ((nt >= 2).all() and (nc >= 2).all() and (k > 2).all()):
        raise DesignError("each arm needs two persons or more, and there must be more than two clusters.")
    total = nt + nc
    t = g / np.sqrt(total / (nt * nc) + g**2 / (2 * total))
    corrected, df = corrected_t(t, persons=total, mean_size=total / k, icc=rho)
    p = 2 * special.stdtr(df, -np.abs(corrected))
    return ClusterCorrected(t=t, t_corrected=corrected, df=df, p_value=p, icc=rho)


def wwc_findings(
    effects: ArrayLike, p_values: ArrayLike, *, domain: ArrayLike | None = None, level: float = 0.05
) -> WwcFindings:
    """Return which findings of a study count, after correction for their number within each outcome domain.

    Where clusters were assigned, the p-values must be those of `wwc_cluster_correction` or of an analysis that knows
    the clusters.

    Parameters
    ----------
    effects
        Standardised effects, positive = improvement.
    p_values
        Their two-sided p-values.
    domain
        Outcome domain of each; one domain where left out.
    level
        Significance level.

    Returns
    -------
    WwcFindings

    Raises
    ------
    DataError
        If lengths differ or values are missing.
    DesignError
        If `level` is not between 0 and 1.

    Notes
    -----
    Benjamini & Hochberg (1995) within a domain; an effect of .25 or more that is not significant is "substantively
    important". What Works Clearinghouse (2008), Procedures and Standards Handbook, Version 2.0, Appendix E; its later
    versions rate bodies of evidence differently, which is not done here.

    Examples
    --------
    >>> found = wwc_findings([0.42, 0.30, -0.02], [0.004, 0.06, 0.9])
    >>> found.characterisation.tolist()
    ['statistically significant positive', 'substantively important positive', 'indeterminate']
    """
    if not isinstance(level, (int, float, np.number)) or not 0 < level < 1:
        raise DesignError("level must lie between 0 and 1, for example 0.05.")
    g, p = (np.atleast_1d(numbers(part, name=name)) for name, part in (("effects", effects), ("p_values", p_values)))
    if g.shape != p.shape:
        raise DataError(f"{g.size} effects and {p.size} p-values; each finding needs both.")
    missing = int((~np.isfinite(g)).sum())
    if missing:
        raise DataError(f"{missing} of {g.size} effects are missing.", fix="Leave them out first.")
    adjusted = adjusted_p_values(p, domain=domain)
    significant = adjusted <= level
    strength = np.where(
        significant & (g != 0),
        "statistically significant",
        np.where(np.abs(g) >= _IMPORTANT, "substantively important", "indeterminate"),
    )
    direction = np.where(strength == "indeterminate", "", np.where(g > 0, " positive", " negative"))
    return WwcFindings(
        effect=g,
        p_value=p,
        adjusted_p=adjusted,
        significant=significant,
        characterisation=np.asarray(np.char.add(strength.astype(str), direction.astype(str))),
    )


def wwc_difference_in_differences(
    effect_after: ArrayLike,
    effect_before: ArrayLike,
    *,
    n_treated: ArrayLike,
    n_control: ArrayLike,
    correlation: ArrayLike,
    conf_level: float = 0.95,
) -> Standardized:
    r"""Return an effect less the difference that was there before, for reports that give only both.

    Only for the same measure at both times, and persons as units. Where the groups were not made by chance it assumes
    that they would have changed alike; an adjusted analysis of the data is better.

    Parameters
    ----------
    effect_after, effect_before
        Hedges g after and before, each in the standard deviation of its own time, positive = improvement.
    n_treated, n_control
        Persons per group.
    correlation
        Of the measure before with that after, below 1. The handbook's lower limit for it is not checked here, as it
        could not be traced.
    conf_level
        Between 0 and 1.

    Returns
    -------
    Standardized
        From the kernel, with nu = df = N - 2.

    Raises
    ------
    DesignError
        If group sizes are below 2 or the correlation is not above -1 and below 1.

    Notes
    -----
    :math:`g = g_{after} - g_{before}`, :math:`\kappa^2 = 2(1 - r)(1/n_T + 1/n_C)`; two times share most of their error,
    and the difference has the variance of a change.

    Examples
    --------
    >>> found = wwc_difference_in_differences(0.45, 0.15, n_treated=60, n_control=60, correlation=0.7)
    >>> print(f"{found.g:.2f} [{found.conf_low:.2f}, {found.conf_high:.2f}]")
    0.30 [0.02, 0.58]
    """
    after, before, nt, nc, r = floats(
        effect_after=effect_after,
        effect_before=effect_before,
        n_treated=n_treated,
        n_control=n_control,
        correlation=correlation,
    )
    if not ((nt >= 2).all() and (nc >= 2).all()):
        raise DesignError("each group needs two persons or more.")
    if not ((r > -1) & (r < 1)).all():
        raise DesignError("the correlation of before and after must lie above -1 and below 1.")
    nu = nt + nc - 2
    d = (after - before) / small_sample_factor(nu)
    kappa = np.sqrt(2 * (1 - r) * (1 / nt + 1 / nc))
    return standardize(d, 1.0, nu=nu, kappa=kappa, df=nu, conf_level=conf_level)
