"""Cohen's three measures of how far two normal distributions lie apart, from a row or from numbers."""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.translation import Map, Translated, translate
from sweval.result import Estimate

__all__ = ["cohens_u1", "cohens_u2", "cohens_u3"]

FloatArray = NDArray[np.float64]


def _u2(d: FloatArray) -> FloatArray:
    """Return Phi(|d|/2)."""
    return special.ndtr(np.abs(d) / 2)


_U3 = Map(
    measure="cohens_u3",
    metric="probability",
    of=special.ndtr,
    said="share of the comparison group below the average person with the service",
)
_U2 = Map(
    measure="cohens_u2",
    metric="probability",
    of=_u2,
    said="share of the better group above the same share of the other",
    even=True,
)
_U1 = Map(
    measure="cohens_u1",
    metric="probability",
    of=lambda d: (2 * _u2(d) - 1) / _u2(d),
    said="share of both distributions together that they do not have in common",
    even=True,
)


@overload
def cohens_u3(effect: Estimate) -> Estimate: ...
@overload
def cohens_u3(
    effect: ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> Translated: ...
def cohens_u3(
    effect: Estimate | ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> Estimate | Translated:
    r"""Return Cohen's U3: the share of the comparison group that does worse than the average person with the service.

    The number for a board: U3 = .66 says that the average person with the service does better than 66 of 100 persons
    without it. .50 says that the service made no difference.

    Parameters
    ----------
    effect
        A row in units of the spread of persons (metric "person_total"; an uncontrolled change is translated too and
        said to be one), or standardised differences, positive = improvement.
    conf_low, conf_high
        Limits of the differences, where `effect` are numbers.

    Returns
    -------
    Estimate or Translated
        A row if `effect` is one (measure "cohens_u3", between 0 and 1), otherwise arrays.

    Raises
    ------
    DesignError
        If the row is on another scale (within one client, within or between clusters, log odds, ...).

    Notes
    -----
    :math:`U_3 = \Phi(\delta)`; the limits are those of the effect, mapped in the same way, and keep their coverage
    because the map is monotone. Cohen (1988), Statistical power analysis, 2nd ed., section 2.2.1.

    Examples
    --------
    >>> row = cohens_u3(Estimate(term="arm[program]", measure="hedges_g", estimate=0.4, conf_low=0.1, conf_high=0.7,
    ...                          conf_level=0.95, metric="person_total", method="example"))
    >>> print(f"{row.estimate:.3f} [{row.conf_low:.3f}, {row.conf_high:.3f}]")
    0.655 [0.540, 0.758]
    >>> cohens_u3([0.2, 0.5]).estimate.round(3).tolist()
    [0.579, 0.691]
    """
    return translate(effect, _U3, conf_low, conf_high)


@overload
def cohens_u1(effect: Estimate) -> Estimate: ...
@overload
def cohens_u1(
    effect: ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> Translated: ...
def cohens_u1(
    effect: Estimate | ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> Estimate | Translated:
    r"""Return Cohen's U1: the share of the area under both distributions together that is not common to them.

    For comparison with reports that give it; `cohens_u3` and `overlap` are easier to read.

    Parameters
    ----------
    effect
        A row in units of the spread of persons, or standardised differences.
    conf_low, conf_high
        Limits of the differences, where `effect` are numbers.

    Returns
    -------
    Estimate or Translated
        A row if `effect` is one (measure "cohens_u1", 0 = no difference), otherwise arrays; the lower limit is 0 where
        the interval of the effect holds 0.

    Raises
    ------
    DesignError
        If the row is on another scale.

    Notes
    -----
    :math:`U_1 = (2 U_2 - 1)/U_2`, Cohen (1988), section 2.2.1.

    Examples
    --------
    >>> cohens_u1([0.0, 0.5, 0.8]).estimate.round(3).tolist()
    [0.0, 0.33, 0.474]
    """
    return translate(effect, _U1, conf_low, conf_high)


@overload
def cohens_u2(effect: Estimate) -> Estimate: ...
@overload
def cohens_u2(
    effect: ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> Translated: ...
def cohens_u2(
    effect: Estimate | ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> Estimate | Translated:
    r"""Return Cohen's U2: the share of the better group that exceeds the same share of the other group.

    Parameters
    ----------
    effect
        A row in units of the spread of persons, or standardised differences.
    conf_low, conf_high
        Limits of the differences, where `effect` are numbers.

    Returns
    -------
    Estimate or Translated
        A row if `effect` is one (measure "cohens_u2", .5 = no difference), otherwise arrays; the lower limit is .5
        where the interval of the effect holds 0.

    Raises
    ------
    DesignError
        If the row is on another scale.

    Notes
    -----
    :math:`U_2 = \Phi(|\delta|/2)`, Cohen (1988), section 2.2.1.

    Examples
    --------
    >>> cohens_u2([0.0, 0.5, 0.8]).estimate.round(3).tolist()
    [0.5, 0.599, 0.655]
    """
    return translate(effect, _U2, conf_low, conf_high)
