"""How many people must be served for one more to benefit: from a difference of risks, or from a standardised effect.

A number needed to treat is the reciprocal of a difference of risks, so it is infinite where there is no difference.
Where the interval of the difference holds zero, that of the number runs from a benefit through infinity to a harm and
has no two limits (Altman, 1998); it is then reported as its two parts, never as the stretch between them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.arrays import numbers, same_shape
from sweval.effects.translation import ORIENTED_RISKS, limits, translatable
from sweval.errors import DesignError
from sweval.result import BETTER, Estimate

__all__ = [
    "NumberNeeded",
    "number_needed_to_treat",
    "number_needed_to_treat_from_effect",
    "risk_difference_from_effect",
]

FloatArray = NDArray[np.float64]

_METHODS = ("furukawa_leucht", "kraemer_kupfer")
_EVENTS = ("wanted", "unwanted")
_ROUNDING = 1e-12  # a difference of risks no further from 0 is none


@dataclass(frozen=True, kw_only=True)
class NumberNeeded:
    """Numbers needed to treat with their intervals; every field has the same shape.

    Attributes
    ----------
    estimate
        Positive: so many must be served for one more to benefit. Negative: for one more to be harmed.
    conf_low, conf_high
        Limits where the interval is closed; NaN where it runs through infinity, and where none was given.
    benefit_from, harm_from
        The smallest number to benefit and the smallest number to harm that the interval holds; infinity where it
        holds no such number, NaN where no interval was given.
    closed
        False where the interval runs from `benefit_from` through infinity to `harm_from`.
    """

    estimate: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    benefit_from: FloatArray
    harm_from: FloatArray
    closed: NDArray[np.bool_]


@overload
def number_needed_to_treat(risk_difference: Estimate) -> Estimate: ...
@overload
def number_needed_to_treat(
    risk_difference: ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> NumberNeeded: ...
def number_needed_to_treat(
    risk_difference: Estimate | ArrayLike, *, conf_low: ArrayLike | None = None, conf_high: ArrayLike | None = None
) -> Estimate | NumberNeeded:
    r"""Return the number needed to treat from a difference of risks, with Altman's interval.

    Use it where the outcome is yes or no and both risks are known. It holds for the risk in the comparison group of
    this study; where fewer people have the event anyway, more must be served.

    Parameters
    ----------
    risk_difference
        A row with measure "risk_difference", or numbers between -1 and 1, positive = more people with what is wanted.
        Rows of models give the difference of the event as it is, which `better` turns; rows of
        `sweval.effects.risk_difference` (metric "risk_difference") are turned already.
    conf_low, conf_high
        Limits of the differences, where they are numbers.

    Returns
    -------
    Estimate or NumberNeeded
        A row if `risk_difference` is one (measure "nnt"; without limits where the interval is not closed, whose parts
        are then in `method`), otherwise arrays.

    Raises
    ------
    DesignError
        If a difference is 0 (the number is infinite) or outside -1 and 1, or the row is no risk difference or does
        not say which direction is better.

    Notes
    -----
    Altman (1998), doi:10.1136/bmj.317.7168.1309: 1/RD with limits 1/upper and 1/lower where the interval of RD
    excludes 0; otherwise two parts: from 1/upper to infinity to benefit, from -1/lower to infinity to harm.

    Examples
    --------
    >>> found = number_needed_to_treat([0.12, 0.05], conf_low=[0.02, -0.05], conf_high=[0.22, 0.15])
    >>> found.estimate.round(1).tolist(), found.conf_low.round(1).tolist(), found.closed.tolist()
    ([8.3, 20.0], [4.5, nan], [True, False])
    >>> found.benefit_from.round(1).tolist(), found.harm_from.round(1).tolist()
    ([4.5, 6.7], [inf, 20.0])
    """
    if not isinstance(risk_difference, Estimate):
        return _reciprocal(*limits(numbers(risk_difference, name="risk_difference"), conf_low, conf_high))
    _no_limits(conf_low, conf_high)
    row = risk_difference
    where = f'row "{row.measure}" of {row.term}'
    if row.measure != "risk_difference":
        raise DesignError(
            "a number needed to treat is made of a risk difference, or of a standardised effect.",
            where=where,
            fix="For a standardised effect use number_needed_to_treat_from_effect.",
        )
    if row.better not in BETTER:
        raise DesignError(
            "the row does not say whether the event is wanted, so benefit and harm cannot be told apart.",
            where=where,
            fix='Fit with better="higher" (the event is wanted) or better="lower".',
        )
    sign = 1.0 if row.metric == ORIENTED_RISKS else BETTER[row.better]
    ends = (None, None) if row.conf_low is None or row.conf_high is None else (row.conf_low, row.conf_high)
    low, high = ends if sign > 0 or ends[0] is None or ends[1] is None else (-ends[1], -ends[0])
    found = _reciprocal(*limits(np.asarray(sign * row.estimate), low, high))
    return _row(row, found, measure="nnt", said="reciprocal of the risk difference (Altman 1998)")


@overload
def number_needed_to_treat_from_effect(
    effect: Estimate,
    *,
    comparison_event_rate: ArrayLike | None = None,
    event: str = "wanted",
    method: str = "furukawa_leucht",
) -> Estimate: ...
@overload
def number_needed_to_treat_from_effect(
    effect: ArrayLike,
    *,
    conf_low: ArrayLike | None = None,
    conf_high: ArrayLike | None = None,
    comparison_event_rate: ArrayLike | None = None,
    event: str = "wanted",
    method: str = "furukawa_leucht",
) -> NumberNeeded: ...
def number_needed_to_treat_from_effect(
    effect: Estimate | ArrayLike,
    *,
    conf_low: ArrayLike | None = None,
    conf_high: ArrayLike | None = None,
    comparison_event_rate: ArrayLike | None = None,
    event: str = "wanted",
    method: str = "furukawa_leucht",
) -> Estimate | NumberNeeded:
    r"""Return the number needed to treat that goes with a standardised effect.

    Use it where only a scale was measured and a board asks for people. It depends as much on how many people of the
    comparison group have the event as on the effect, so that rate must be given; try the rates that are plausible.

    Parameters
    ----------
    effect
        A row against a comparison group in units of the spread of persons, or standardised differences, positive =
        improvement.
    conf_low, conf_high
        Limits of the differences, where they are numbers.
    comparison_event_rate
        Which part of the comparison group has the event, between 0 and 1. Required by `furukawa_leucht`.
    event
        "wanted" (recovered, employed) or "unwanted" (relapsed, placed in care).
    method
        "furukawa_leucht", or "kraemer_kupfer", which takes the event to be that a person with the service does better
        than one without, and so needs no rate.

    Returns
    -------
    Estimate or NumberNeeded
        A row if `effect` is one (measure "nnt_furukawa_leucht" or "nnt_kraemer_kupfer"; its interval as in
        `number_needed_to_treat`), otherwise arrays.

    Raises
    ------
    DesignError
        If the rate is missing, not between 0 and 1, or given where it is not used; if the effect is exactly 0; if the
        row is on another scale or a change without a comparison group.

    Notes
    -----
    Furukawa & Leucht (2011), doi:10.1371/journal.pone.0019070:
    :math:`1/[\Phi(d + \Phi^{-1}(CER)) - CER]` for a wanted event. Kraemer & Kupfer (2006),
    doi:10.1016/j.biopsych.2005.09.014: :math:`1/[2\Phi(d/\sqrt 2) - 1]`. The limits of d are mapped to those of the
    risk difference, then turned over by Altman's rule. Normal distributions with equal spread are assumed.

    Examples
    --------
    >>> found = number_needed_to_treat_from_effect(0.5, comparison_event_rate=[0.1, 0.4])
    >>> found.estimate.round(1).tolist()
    [8.5, 5.1]
    >>> number_needed_to_treat_from_effect(0.5, method="kraemer_kupfer").estimate.round(1).item()
    3.6
    """
    if method not in _METHODS:
        raise DesignError(f'method must be one of {", ".join(_METHODS)}, not "{method}".')
    if method == "kraemer_kupfer" and comparison_event_rate is not None:
        raise DesignError("the method of Kraemer and Kupfer uses no comparison_event_rate.", fix="Leave it out.")
    said = "Kraemer & Kupfer (2006): for one more person with the service to do better than one without"
    if method == "furukawa_leucht":
        said = f"Furukawa & Leucht (2011), {event} event, comparison event rate {_said_rate(comparison_event_rate)}"

    def difference(d: FloatArray) -> FloatArray:
        if method == "kraemer_kupfer":
            return 2 * special.ndtr(d / np.sqrt(2)) - 1
        return _risk_difference(d, comparison_event_rate, event)

    if not isinstance(effect, Estimate):
        parts = limits(numbers(effect, name="effect"), conf_low, conf_high)
        return _reciprocal(*np.broadcast_arrays(*(difference(part) for part in parts)))
    _no_limits(conf_low, conf_high)
    translatable(effect, into="a number needed to treat", needs_comparison=True)
    if comparison_event_rate is not None and np.ndim(comparison_event_rate):
        raise DesignError("one row takes one comparison_event_rate.", fix="Call it once per rate, or pass numbers.")
    parts = limits(np.asarray(effect.estimate), effect.conf_low, effect.conf_high)
    found = _reciprocal(*(difference(part) for part in parts))
    return _row(effect, found, measure=f"nnt_{method}", said=f"{said}; scores normal with equal spread")


def risk_difference_from_effect(
    effect: ArrayLike, *, comparison_event_rate: ArrayLike, event: str = "wanted"
) -> FloatArray:
    r"""Return by how much the event becomes more common (wanted) or rarer (unwanted) at a standardised effect.

    Parameters
    ----------
    effect
        Standardised differences, positive = improvement; limits are mapped in the same way.
    comparison_event_rate
        Which part of the comparison group has the event, between 0 and 1.
    event
        "wanted" or "unwanted".

    Returns
    -------
    numpy.ndarray
        Differences of risks, positive = benefit.

    Raises
    ------
    DesignError
        If the rate is not between 0 and 1, or `event` is something else.

    Notes
    -----
    :math:`\Phi(d + \Phi^{-1}(CER)) - CER` and :math:`CER - \Phi(\Phi^{-1}(CER) - d)`: the event is to lie on one side
    of a cut-off on a normally distributed score.

    Examples
    --------
    >>> risk_difference_from_effect(0.5, comparison_event_rate=0.4).round(3).item()
    0.197
    """
    d = numbers(effect, name="effect")
    missing = int(np.isnan(d).sum())
    if missing:
        raise DesignError(f"{missing} of {d.size} effects are missing.", fix="Leave them out first.")
    return _risk_difference(d, comparison_event_rate, event)


def _risk_difference(d: FloatArray, rate: ArrayLike | None, event: str) -> FloatArray:
    if event not in _EVENTS:
        raise DesignError('event must be "wanted" or "unwanted": is it good or bad for a person to have it?')
    if rate is None:
        raise DesignError(
            "a number needed to treat depends on how many people of the comparison group have the event.",
            fix="Give comparison_event_rate, for example 0.3; try the rates that are plausible.",
        )
    d, common = same_shape(effect=d, comparison_event_rate=numbers(rate, name="comparison_event_rate"))
    if not ((common > 0) & (common < 1)).all():
        raise DesignError("comparison_event_rate must lie between 0 and 1, for example 0.3.")
    z = special.ndtri(common)
    return special.ndtr(d + z) - common if event == "wanted" else common - special.ndtr(z - d)


def _reciprocal(difference: FloatArray, low: FloatArray, high: FloatArray) -> NumberNeeded:
    """Turn differences of risks over; an interval that holds 0 is not closed."""
    zero = int((np.abs(difference) < _ROUNDING).sum())
    if zero:
        raise DesignError(
            f"{zero} difference(s) are 0, so that no number of people served would make one.",
            fix="Report the difference with its interval.",
        )
    outside = int(((np.abs(difference) > 1) | (low < -1) | (high > 1)).sum())
    if outside:
        raise DesignError(f"{outside} difference(s) of risks lie outside -1 and 1.", fix="Give shares, not per cent.")
    with np.errstate(divide="ignore"):
        benefit = np.where(np.isnan(high), np.nan, np.where(high > 0, 1 / high, np.inf))
        harm = np.where(np.isnan(low), np.nan, np.where(low < 0, -1 / low, np.inf))
        closed = (low > 0) | (high < 0)
        first, second = 1 / high, 1 / low
    return NumberNeeded(
        estimate=1 / difference,
        conf_low=np.where(closed, first, np.nan),
        conf_high=np.where(closed, second, np.nan),
        benefit_from=benefit,
        harm_from=harm,
        closed=closed | np.isnan(low),
    )


def _row(row: Estimate, found: NumberNeeded, *, measure: str, said: str) -> Estimate:
    """Return a row with what the other one says of data and design."""
    said += "; positive = to benefit (NNTB), negative = to harm (NNTH)"
    if not found.closed:
        level = "" if row.conf_level is None else f"{row.conf_level:.0%} "
        benefit, harm = (
            "infinity" if np.isinf(part) else f"{part:.1f}" for part in (found.benefit_from, found.harm_from)
        )
        said += (
            f"; the {level}interval is not closed, since that of the difference holds 0: "
            f"NNTB {benefit} to infinity to NNTH {harm}"
        )
    held = bool(found.closed) and row.conf_low is not None
    return dataclasses.replace(
        row,
        measure=measure,
        metric="number_needed",
        estimate=float(found.estimate),
        std_error=None,
        conf_low=float(found.conf_low) if held else None,
        conf_high=float(found.conf_high) if held else None,
        null=None,
        statistic=None,
        p_value=None,
        method=f"{said}; from {row.measure}: {row.method}",
        variance=None,
        weight_variance=None,
    )


def _no_limits(conf_low: ArrayLike | None, conf_high: ArrayLike | None) -> None:
    if conf_low is not None or conf_high is not None:
        raise DesignError("a row brings its own limits; give conf_low and conf_high with numbers only.")


def _said_rate(rate: ArrayLike | None) -> str:
    return "missing" if rate is None or np.ndim(rate) else f"{float(numbers(rate, name='comparison_event_rate')):g}"
