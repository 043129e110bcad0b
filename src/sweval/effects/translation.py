"""How a standardised effect becomes a share of people: which rows may, and what happens to their limits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.arrays import numbers, same_shape
from sweval.effects.kernel import Standardized
from sweval.errors import DesignError
from sweval.result import Estimate

__all__ = ["Translated"]

FloatArray = NDArray[np.float64]

CONTROLLED = "person_total"
"""The metric of effects against a comparison group in units of the spread of persons."""
UNCONTROLLED = "uncontrolled_change"
"""The metric of a change without a comparison group, in the same units."""
UNCONTROLLED_SHARE = "uncontrolled_probability"
"""The metric of such a change as a share of people; it is in no units and is not translated again."""
ORIENTED_RISKS = "risk_difference"
"""The metric of risk differences that are positive for an improvement; those of models are not turned."""
BETWEEN_CASES = "between_case_total"
"""The standardizer of effects that compare clients with themselves."""
_NORMAL = "if scores are normal with equal spread"


@dataclass(frozen=True, kw_only=True)
class Translated:
    """A number in plain words, or an array of them; limits are NaN where none were given.

    Attributes
    ----------
    estimate
        The translated effect.
    conf_low, conf_high
        Its limits, of the same confidence level as those given.
    """

    estimate: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray


@dataclass(frozen=True, kw_only=True)
class Map:
    """How one number is made of d: `even` ones do not know the direction, and are 0 (or 1) furthest at d = 0."""

    measure: str
    metric: str
    of: Callable[[FloatArray], FloatArray]
    said: str
    even: bool = False
    needs_comparison: bool = False


def translatable(row: Estimate, *, into: str, needs_comparison: bool) -> bool:
    """Return whether a row compares groups; refuse one whose scale does not allow the translation.

    Raises
    ------
    DesignError
        If the row is not in units of the spread of persons, or is a change without a comparison group where one is
        needed.
    """
    if row.metric == CONTROLLED:
        return True
    where = f'row "{row.measure}" of {row.term}'
    if row.metric != UNCONTROLLED:
        raise DesignError(
            f'{into} speaks of persons among persons, and this row is on the scale "{row.metric}".',
            where=where,
            fix='Translate the row with metric "person_total".',
        )
    if needs_comparison:
        raise DesignError(
            f"{into} compares people with the service to people without it, and this row is a change without a "
            "comparison group.",
            where=where,
            fix='Use cohens_u3, which says "before" and "after" of it, or a design with a comparison group.',
        )
    return False


def limits(
    effect: FloatArray, conf_low: ArrayLike | None, conf_high: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return effects and limits of one shape, the limits NaN where none are given.

    Raises
    ------
    DesignError
        If only one limit is given, or an interval is turned round.
    """
    if (conf_low is None) != (conf_high is None):
        raise DesignError("an interval has two limits; only one of conf_low and conf_high was given.")
    low, high = (
        numbers(np.nan if limit is None else limit, name=name)
        for name, limit in (("conf_low", conf_low), ("conf_high", conf_high))
    )
    d, low, high = same_shape(effect=effect, conf_low=low, conf_high=high)
    wrong = int((low > high).sum())
    if wrong:
        raise DesignError(f"in {wrong} interval(s) conf_low is above conf_high.")
    if np.isnan(d).any():
        raise DesignError(f"{int(np.isnan(d).sum())} of {d.size} effects are missing.", fix="Leave them out first.")
    return d, low, high


def translate(
    effect: Estimate | ArrayLike, to: Map, conf_low: ArrayLike | None, conf_high: ArrayLike | None
) -> Estimate | Translated:
    """Return the row or the arrays of one map."""
    if isinstance(effect, Standardized):
        raise DesignError("pass the numbers of the record.", fix=f"{to.measure}(x.g, conf_low=x.conf_low, ...)")
    if not isinstance(effect, Estimate):
        return _mapped(*limits(numbers(effect, name="effect"), conf_low, conf_high), to)
    if conf_low is not None or conf_high is not None:
        raise DesignError("a row brings its own limits; give conf_low and conf_high with numbers only.")
    compared = translatable(effect, into=to.measure, needs_comparison=to.needs_comparison)
    found = _mapped(*limits(np.asarray(effect.estimate), effect.conf_low, effect.conf_high), to)
    said = to.said
    if not compared:
        said += "; after against before, a change without a comparison group"
    elif effect.standardizer == BETWEEN_CASES:
        said += "; the same clients with the service against without"
    held = effect.conf_low is not None
    return dataclasses.replace(
        effect,
        measure=to.measure,
        metric=to.metric if compared else UNCONTROLLED_SHARE,
        estimate=float(found.estimate),
        conf_low=float(found.conf_low) if held else None,
        conf_high=float(found.conf_high) if held else None,
        std_error=None,
        null=None if effect.null is None else float(to.of(np.asarray(effect.null))),
        method=f"{said} {_NORMAL}; limits mapped from {effect.measure}: {effect.method}",
        variance=None,
        weight_variance=None,
    )


def _mapped(d: FloatArray, low: FloatArray, high: FloatArray, to: Map) -> Translated:
    """Return the map of effects and limits; an even map turns where the interval holds 0."""
    ends = np.stack([to.of(low), to.of(high)])
    if to.even:
        ends = np.concatenate([ends, np.where((low <= 0) & (high >= 0), to.of(np.zeros(d.shape)), ends[0])[None]])
    return Translated(estimate=to.of(d), conf_low=ends.min(axis=0), conf_high=ends.max(axis=0))
