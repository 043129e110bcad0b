"""A standardised effect as a share of people: U3, probability of superiority, overlap, improvement index and the rest.

Each function takes a row (`sw.effects.cohens_u3(result.effect("hedges_g"))`) and returns a row, or takes numbers with
their limits and returns arrays. All of them assume normal distributions with equal spread in both groups; from raw
scores without that assumption use `probability_of_superiority`, `cliffs_delta` and `cohens_u3_nonparametric`.
"""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.translation import Map, Translated, translate
from sweval.errors import DesignError
from sweval.result import Estimate

__all__ = [
    "binomial_effect_size_display",
    "common_language_effect",
    "improvement_index",
    "overlap",
]

FloatArray = NDArray[np.float64]

_SUPERIORITY = Map(
    measure="common_language_effect",
    metric="probability",
    of=lambda d: special.ndtr(d / np.sqrt(2)),
    said="probability that a person with the service does better than one without",
)
_OVERLAP = Map(
    measure="overlap",
    metric="probability",
    of=lambda d: 2 * special.ndtr(-np.abs(d) / 2),
    said="share of scores common to both groups",
    even=True,
)
_IMPROVEMENT = Map(
    measure="improvement_index",
    metric="percent",
    of=lambda d: 100 * (special.ndtr(d) - 0.5),
    said="percentile ranks that the average person of the comparison group would rise",
    needs_comparison=True,
)


@overload
def common_language_effect(effect: Estimate) -> Estimate: ...
@overload
def common_language_effect(
    effect: ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> Translated: ...
def common_language_effect(
    effect: Estimate | ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> Estimate | Translated:
    r"""Return the common-language effect: how likely a person with the service does better than one without.

    One person is drawn from each group; .50 says that both are equally likely to be the better one. From raw scores
    `probability_of_superiority` answers the same question without assuming a distribution.

    Parameters
    ----------
    effect
        A row in units of the spread of persons, or standardised differences, positive = improvement.
    conf_low, conf_high
        Limits of the differences, where `effect` are numbers.

    Returns
    -------
    Estimate or Translated
        A row if `effect` is one (measure "common_language_effect", between 0 and 1), otherwise arrays.

    Raises
    ------
    DesignError
        If the row is on another scale.

    Notes
    -----
    :math:`\Phi(\delta/\sqrt 2)`, McGraw & Wong (1992), doi:10.1037/0033-2909.111.2.361; limits as in `cohens_u3`.

    Examples
    --------
    >>> found = common_language_effect(0.5, conf_low=0.1, conf_high=0.9)
    >>> print(f"{found.estimate:.3f} [{found.conf_low:.3f}, {found.conf_high:.3f}]")
    0.638 [0.528, 0.738]
    """
    return translate(effect, _SUPERIORITY, conf_low, conf_high)


@overload
def overlap(effect: Estimate) -> Estimate: ...
@overload
def overlap(
    effect: ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> Translated: ...
def overlap(
    effect: Estimate | ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> Estimate | Translated:
    r"""Return the overlapping coefficient: the share of scores that both groups have in common.

    Show it beside an effect to keep apart what differs on average and what differs between persons: at an effect of
    0.5 the groups still share 80 per cent of their area. It does not know which group did better.

    Parameters
    ----------
    effect
        A row in units of the spread of persons, or standardised differences.
    conf_low, conf_high
        Limits of the differences, where `effect` are numbers.

    Returns
    -------
    Estimate or Translated
        A row if `effect` is one (measure "overlap", between 0 and 1), otherwise arrays. The upper limit is 1 where
        the interval of the effect holds 0.

    Raises
    ------
    DesignError
        If the row is on another scale.

    Notes
    -----
    :math:`2\Phi(-|\delta|/2)`, Reiser & Faraggi (1999), Journal of the Royal Statistical Society D, 48, 413-418.

    Examples
    --------
    >>> found = overlap(0.3, conf_low=-0.1, conf_high=0.7)
    >>> print(f"{found.estimate:.3f} [{found.conf_low:.3f}, {found.conf_high:.3f}]")
    0.881 [0.726, 1.000]
    """
    return translate(effect, _OVERLAP, conf_low, conf_high)


@overload
def improvement_index(effect: Estimate) -> Estimate: ...
@overload
def improvement_index(
    effect: ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> Translated: ...
def improvement_index(
    effect: Estimate | ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> Estimate | Translated:
    r"""Return the improvement index: percentile ranks that the average person of the comparison group would rise.

    The number of the What Works Clearinghouse. It is U3 in per cent, less 50.

    Parameters
    ----------
    effect
        A row against a comparison group in units of the spread of persons, or standardised differences.
    conf_low, conf_high
        Limits of the differences, where `effect` are numbers.

    Returns
    -------
    Estimate or Translated
        A row if `effect` is one (measure "improvement_index", between -50 and 50), otherwise arrays.

    Raises
    ------
    DesignError
        If the row is on another scale, or a change without a comparison group.

    Notes
    -----
    :math:`100\,(\Phi(g) - .5)`, What Works Clearinghouse (2020), Procedures Handbook, Version 4.1.

    Examples
    --------
    >>> improvement_index([0.25, 0.5]).estimate.round(1).tolist()
    [9.9, 19.1]
    """
    return translate(effect, _IMPROVEMENT, conf_low, conf_high)


@overload
def binomial_effect_size_display(effect: Estimate, *, share_treated: float = 0.5) -> Estimate: ...
@overload
def binomial_effect_size_display(
    effect: ArrayLike,
    *,
    conf_low: ArrayLike | None = None,
    conf_high: ArrayLike | None = None,
    share_treated: float = 0.5,
) -> Translated: ...
def binomial_effect_size_display(
    effect: Estimate | ArrayLike,
    *,
    conf_low: ArrayLike | None = None,
    conf_high: ArrayLike | None = None,
    share_treated: float = 0.5,
) -> Estimate | Translated:
    r"""Return the binomial effect size display: the success rate with the service if half of all people succeed.

    For comparison with reports that give it. It sets the success rate over both groups to one half, whatever it was,
    and so is no forecast; a number needed to treat with the true rate says more.

    Parameters
    ----------
    effect
        A row against a comparison group in units of the spread of persons, or standardised differences.
    conf_low, conf_high
        Limits of the differences, where `effect` are numbers.
    share_treated
        Which part of all people had the service, between 0 and 1.

    Returns
    -------
    Estimate or Translated
        .5 + r/2: a row if `effect` is one (measure "binomial_effect_size_display"), otherwise arrays. The rate of the
        comparison group is one less this one.

    Raises
    ------
    DesignError
        If the row is on another scale or a change without a comparison group, or `share_treated` is not between 0
        and 1.

    Notes
    -----
    :math:`r = d/\sqrt{d^2 + 1/(pq)}`, Rosenthal & Rubin (1982), doi:10.1037/0022-0663.74.2.166.

    Examples
    --------
    >>> binomial_effect_size_display(0.5).estimate.round(3).item()
    0.621
    """
    if not isinstance(share_treated, (int, float, np.number)) or not 0 < share_treated < 1:
        raise DesignError("share_treated must lie between 0 and 1: which part of all people had the service?")
    spread = 1 / (share_treated * (1 - share_treated))

    def rate(d: FloatArray) -> FloatArray:
        return 0.5 + np.sin(np.arctan(d / np.sqrt(spread))) / 2  # d / sqrt(d^2 + 1/(pq)), also of an infinite d

    display = Map(
        measure="binomial_effect_size_display",
        metric="probability",
        of=rate,
        said="success rate with the service if half of all people succeed (a display, no forecast)",
        needs_comparison=True,
    )
    return translate(effect, display, conf_low, conf_high)
