"""Probabilities of superiority from reported numbers, vectorised over studies: for tables of published results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects import summaries
from sweval.effects.arrays import floats
from sweval.effects.kernel import standardize
from sweval.effects.superiority import newcombe_variance
from sweval.errors import DesignError

__all__ = [
    "Superiority",
    "superiority_from_change_summary",
    "superiority_from_summary",
    "superiority_variance",
]

FloatArray = NDArray[np.float64]

_VARIANCES = ("newcombe", "hanley_mcneil", "no_difference", "largest")


@dataclass(frozen=True, kw_only=True)
class Superiority:
    """Probabilities of superiority; every field has the same shape.

    Attributes
    ----------
    estimate, variance
        The probability, and its large-sample variance.
    conf_low, conf_high
        Its limits, mapped from the noncentral-t interval of the standardised difference.
    """

    estimate: FloatArray
    variance: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray


def superiority_from_summary(
    *,
    mean_treated: ArrayLike,
    sd_treated: ArrayLike,
    n_treated: ArrayLike,
    mean_control: ArrayLike,
    sd_control: ArrayLike,
    n_control: ArrayLike,
    equal_spread: bool = False,
) -> Superiority:
    r"""Return how likely a treated person scores above a comparison person, from means and standard deviations.

    Use it for published tables. Normal distributions are assumed; their spread may differ.

    Parameters
    ----------
    mean_treated, sd_treated, n_treated, mean_control, sd_control, n_control
        One entry per study. For scores where lower is better exchange the groups.
    equal_spread
        Whether to pool the standard deviations.

    Returns
    -------
    Superiority
        95 per cent limits.

    Raises
    ------
    DesignError
        If a standard deviation is not above zero or a group has fewer than 2 persons.

    Notes
    -----
    :math:`\Phi\big((m_T - m_C)/\sqrt{s_T^2 + s_C^2}\big)` with the variance of the binormal model by the delta method,
    degrees of freedom n - 1 (as metafor's measure CLESN); the limits are those of the difference standardised by the
    root of the mean variance (`hedges_g_heteroscedastic`), divided by the root of 2 and mapped.

    Examples
    --------
    >>> found = superiority_from_summary(mean_treated=12, sd_treated=4, n_treated=30, mean_control=10, sd_control=5,
    ...                                  n_control=30)
    >>> print(f"{found.estimate:.3f} [{found.conf_low:.3f}, {found.conf_high:.3f}]")
    0.623 [0.479, 0.750]
    """
    mt, st, nt, mc, sc, nc = floats(
        mean_treated=mean_treated,
        sd_treated=sd_treated,
        n_treated=n_treated,
        mean_control=mean_control,
        sd_control=sd_control,
        n_control=n_control,
    )
    if not ((nt >= 2).all() and (nc >= 2).all()):
        raise DesignError("each group needs two persons or more.")
    if equal_spread:
        effect = summaries.two_groups(mt - mc, sd_treated=st, n_treated=nt, sd_control=sc, n_control=nc)
        d = effect.d
        variance = np.exp(-(d**2) / 2) / (4 * np.pi) * (1 / nt + 1 / nc + d**2 / (2 * (nt + nc)))
    else:
        effect = summaries.heteroscedastic(mt - mc, sd_treated=st, n_treated=nt, sd_control=sc, n_control=nc)
        d, share = effect.d, st**2 / (st**2 + sc**2)
        spread = (d**2 * share**2 + 4 * share) / (nt - 1) + (d**2 * (1 - share) ** 2 + 4 * (1 - share)) / (nc - 1)
        variance = np.exp(-(d**2) / 2) / (8 * np.pi) * spread
    low, high = (special.ndtr(limit / np.sqrt(2)) for limit in (effect.conf_low, effect.conf_high))
    return Superiority(estimate=special.ndtr(d / np.sqrt(2)), variance=variance, conf_low=low, conf_high=high)


def superiority_from_change_summary(
    *,
    mean_before: ArrayLike,
    sd_before: ArrayLike,
    mean_after: ArrayLike,
    sd_after: ArrayLike,
    n: ArrayLike,
    correlation: ArrayLike,
) -> Superiority:
    r"""Return how likely a person afterwards scores above another person before, from means and standard deviations.

    A change without a comparison group: not to be set beside effects that have one.

    Parameters
    ----------
    mean_before, sd_before, mean_after, sd_after, n
        One entry per study, the same persons at both times. For scores where lower is better exchange the times.
    correlation
        Of the scores before with those after, above -1 and below 1.

    Returns
    -------
    Superiority
        95 per cent limits.

    Raises
    ------
    DesignError
        If a standard deviation is not above zero, there are fewer than 3 persons, or a correlation is out of range.

    Notes
    -----
    :math:`\Phi\big((m_2 - m_1)/\sqrt{s_1^2 + s_2^2}\big)` with the variance of the bivariate normal model by the delta
    method (as metafor's measure CLESCN); Bonett (2008), Psychological Methods, 13, 99-109. The limits are those of the
    change standardised by the root of the mean variance, whose degrees of freedom are :math:`2(n-1)/(1+r^2)`.

    Examples
    --------
    >>> found = superiority_from_change_summary(mean_before=10, sd_before=4, mean_after=12, sd_after=5, n=30,
    ...                                         correlation=0.6)
    >>> print(f"{found.estimate:.3f} [{found.conf_low:.3f}, {found.conf_high:.3f}]")
    0.623 [0.526, 0.710]
    """
    m1, s1, m2, s2, size, r = floats(
        mean_before=mean_before,
        sd_before=sd_before,
        mean_after=mean_after,
        sd_after=sd_after,
        n=n,
        correlation=correlation,
    )
    if not ((size >= 3).all() and ((r > -1) & (r < 1)).all()):
        raise DesignError("a change needs 3 persons or more and a correlation above -1 and below 1.")
    if not ((s1 > 0).all() and (s2 > 0).all()):
        raise DesignError("standard deviations must be above zero.")
    square = (s1**2 + s2**2) / 2
    change = s1**2 + s2**2 - 2 * r * s1 * s2
    effect = standardize(
        m2 - m1,
        np.sqrt(square),
        nu=2 * (size - 1) / (1 + r**2),
        kappa=np.sqrt(change / (square * size)),
        df=size - 1,
    )
    d = effect.d
    spread = change / square + d**2 * (s1**4 + s2**4 + 2 * r**2 * s1**2 * s2**2) / (8 * square**2)
    low, high = (special.ndtr(limit / np.sqrt(2)) for limit in (effect.conf_low, effect.conf_high))
    return Superiority(
        estimate=special.ndtr(d / np.sqrt(2)),
        variance=np.exp(-(d**2) / 2) / (4 * np.pi) * spread / (size - 1),
        conf_low=low,
        conf_high=high,
    )


def superiority_variance(
    superiority: ArrayLike,
    *,
    n_treated: ArrayLike,
    n_control: ArrayLike,
    tied: ArrayLike = 0.0,
    kind: str = "newcombe",
) -> FloatArray:
    r"""Return the variance of a reported probability of superiority (or area under the curve).

    Parameters
    ----------
    superiority
        Reported probabilities between 0 and 1.
    n_treated, n_control
        Persons per group, 2 or more.
    tied
        Which share of the pairs is tied (used by "hanley_mcneil").
    kind
        "newcombe", "hanley_mcneil", "no_difference" (under no difference and no ties), or "largest" (the largest
        possible variance).

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    DesignError
        If a probability or share lies outside 0 and 1, a group is smaller than 2, or `kind` is not one of those named.

    Notes
    -----
    Newcombe (2006), doi:10.1002/sim.2324, and Hanley & McNeil (1982), doi:10.1148/radiology.143.1.7063747, both over
    (n_T - 1)(n_C - 1); Bamber (1975) for the largest. As metafor's measure CLES with vtype LS, LS2, H0 and MAX.

    Examples
    --------
    >>> superiority_variance(0.7, n_treated=20, n_control=25).round(5).item()
    0.00682
    """
    if kind not in _VARIANCES:
        raise DesignError(f'kind must be one of {", ".join(_VARIANCES)}, not "{kind}".')
    a, m, n, ties = floats(superiority=superiority, n_treated=n_treated, n_control=n_control, tied=tied)
    if not ((a >= 0) & (a <= 1) & (ties >= 0) & (ties <= 1)).all():
        raise DesignError("a probability of superiority and a share of ties lie between 0 and 1.")
    if not ((m >= 2).all() and (n >= 2).all()):
        raise DesignError("each group needs two persons or more.")
    if kind == "no_difference":
        return np.asarray((m + n + 1) / (12 * m * n))
    if kind == "largest":
        return np.asarray(a * (1 - a) / (np.minimum(m, n) - 1))
    if kind == "newcombe":
        return np.asarray(newcombe_variance(a, m, n) * m * n / ((m - 1) * (n - 1)))
    beyond = (m - 1) * (a / (2 - a) - a**2) + (n - 1) * (2 * a**2 / (1 + a) - a**2)
    return np.asarray((a * (1 - a) - ties / 4 + beyond) / ((m - 1) * (n - 1)))
