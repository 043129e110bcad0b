"""From scores before and after to a category for every client, by the rule that a design names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sweval.effects.change import CATEGORIES, change_codes, clinical_cutoff, cutoff_categories, position_after
from sweval.effects.change_anchor import (
    NOT_APPLICABLE,
    anchor_categories,
    percentage_categories,
    percentage_change,
)
from sweval.effects.change_index import (
    ALSO_CALLED,
    CHANGE_INDICES,
    ChangeLine,
    change_line,
    critical_value,
    group_level_change,
    sample_moments,
)
from sweval.errors import DesignError
from sweval.models.base.change_published import band_cutoff, the_difference, the_norm, the_reliability
from sweval.models.base.values import counted
from sweval.result import BETTER

if TYPE_CHECKING:
    from sweval.models.reliable_change import ReliableChange

FloatArray = NDArray[np.float64]

OTHER_RULES = {
    "growth": "own slope over its posterior standard deviation",
    "percentage": "percentage change",
    "anchor": "smallest change that matters to clients",
    "cutoff": "cut-off alone",
}
RULES = (*CHANGE_INDICES, *OTHER_RULES)
"""Every `method` of `ReliableChange`."""

NO_ERROR = "measurement error is not looked at"
"""In the method of rows whose rule does not ask whether a change is more than chance."""

_SIGN = {"improved": 1.0, "deteriorated": -1.0}


@dataclass(frozen=True, kw_only=True)
class Sorted:
    """What a rule says of every client; arrays in the order of the clients.

    Parameters
    ----------
    category
        Text, `NOT_APPLICABLE` where the rule says nothing.
    shown
        The categories there can be, best first.
    index
        What was compared with a threshold, raw sign: standard errors, a share of the score before, or points.
    low, high
        Between them a score after is no change; nan where the rule knows no such range.
    method
        The rule in words, for rows.
    cutoff, cutoff_method
        The cut-off, and how it came about.
    threshold
        Points from which a change counts, where it is the same for all clients.
    extras
        Term, measure, value and method of further rows.
    notes
        Where numbers came from, and what is odd about them.
    """

    category: NDArray[np.object_]
    shown: tuple[str, ...]
    index: FloatArray
    low: FloatArray
    high: FloatArray
    method: str
    cutoff: float | None = None
    cutoff_method: str = ""
    threshold: float | None = None
    extras: tuple[tuple[str, str, float, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Cutoff:
    """A cut-off, where it came from, and the measurement error that was taken out of it."""

    value: float | None = None
    method: str = ""
    notes: list[str] = field(default_factory=list)


def sort_clients(
    design: ReliableChange, outcome: str, pre: FloatArray, post: FloatArray, *, better: str, everyone: FloatArray
) -> Sorted:
    """Sort clients by any rule but growth.

    Parameters
    ----------
    design
        Rule and numbers.
    outcome
        Score column, for numbers of its instrument.
    pre, post
        Scores of the clients who have both.
    better
        "higher" or "lower".
    everyone
        Scores before of all clients who have one.

    Raises
    ------
    DesignError
        If a number that the rule needs is not known, or the scores leave nothing to judge by.
    """
    if design.method in OTHER_RULES:
        return _by_other_rule(design, outcome, pre, post, better)
    return _by_index(design, outcome, pre, post, better, everyone)


def sort_slopes(
    design: ReliableChange, outcome: str, index: FloatArray, pre: FloatArray, post: FloatArray, *, better: str
) -> Sorted:
    """Sort clients by the index of their own growth; scores before and after place them by a cut-off."""
    critical = critical_value(design.level)
    cutoff = cutoff_of(design, outcome, pre, better)
    nothing = np.full(len(index), np.nan)
    at = (pre, post) if cutoff.value is not None else (np.zeros(len(index)),) * 2
    code = change_codes(*at, index, better=better, cutoff=cutoff.value, critical=critical)
    return Sorted(
        category=_named(code),
        shown=_shown(cutoff.value),
        index=index,
        low=nothing,
        high=nothing,
        method=f"each client's slope over its posterior standard deviation (mixed model), {critical:.3g} of them",
        cutoff=cutoff.value,
        cutoff_method=cutoff.method,
        notes=tuple(cutoff.notes),
    )


def cutoff_of(design: ReliableChange, outcome: str, pre: FloatArray, better: str, *, error: float = 0.0) -> _Cutoff:
    """Return the cut-off as a score, with notes on its origin and on norms that make no sense for these clients."""
    given = design.cutoff
    if given is None:
        return _Cutoff()
    if not isinstance(given, str):
        return _Cutoff(value=float(given), method="cut-off as given")
    if given not in ("a", "b", "c"):
        value = band_cutoff(given, outcome, where=design.where)
        said = f'Cut-off {value:g}: where the band "{given}" of {outcome} begins by the instrument\'s file.'
        return _Cutoff(value=value, method=f'cut-off where the band "{given}" begins', notes=[said])
    mean, sd = float(pre.mean()), float(pre.std(ddof=1))
    notes: list[str] = []
    norm_mean = norm_sd = np.nan
    if given != "a":
        norm_mean, norm_sd, notes = the_norm(design.functional_mean, design.functional_sd, outcome, where=design.where)
    value = clinical_cutoff(
        given,
        better=better,
        clinical_mean=mean,
        clinical_sd=sd,
        functional_mean=norm_mean,
        functional_sd=norm_sd,
        error=error,
    )
    norms = "" if given == "a" else f", norm mean {norm_mean:g} and standard deviation {norm_sd:g}"
    own = "" if given == "b" else f", mean {mean:.4g} and standard deviation {sd:.4g} of these clients before"
    true = " of true scores" if error else ""
    notes.append(f"Cut-off {given}{true} is {value:.4g}{own}{norms}.")
    if given != "a" and BETTER[better] * (norm_mean - mean) <= 0:
        notes.append(
            "Before the service these clients were on average as well as the norm group or better, so the cut-off "
            "does not separate two populations."
        )
    source = "Hageman & Arrindell (1999)" if error else "Jacobson & Truax (1991)"
    return _Cutoff(value=value, method=f"cut-off {given} of {source}", notes=notes)


def _by_index(
    design: ReliableChange, outcome: str, pre: FloatArray, post: FloatArray, better: str, everyone: FloatArray
) -> Sorted:
    """Sort by a reliable change index."""
    method = ALSO_CALLED.get(design.method, design.method)
    reliability, notes = the_reliability(design.reliability, outcome, where=design.where)
    sd, said = _sd(design, pre, everyone, outcome)
    moments = {} if method == "jacobson_truax" else sample_moments(pre, post)
    line = change_line(method, sd=sd, reliability=reliability, reliability_post=design.reliability_post, **moments)
    error = sd * float(np.sqrt(1 - reliability)) if method == "hageman_arrindell" else 0.0
    cutoff = cutoff_of(design, outcome, pre, better, error=error)
    critical = critical_value(design.level, method=method)
    index = line.index(pre, post)
    extras: list[tuple[str, str, float, str]] = []
    position = None
    if error:
        shares = group_level_change(pre, post, better=better, sd=sd, reliability=reliability, cutoff=cutoff.value)
        if cutoff.value is not None:
            position = position_after(post, cutoff=cutoff.value, sd=float(post.std(ddof=1)), error=error)
        how = "estimated for the group from true scores (Hageman & Arrindell, 1999), no interval"
        named = zip(("improved", "functional after"), shares, strict=True)
        extras = [(term, "proportion_group_level", value, how) for term, value in named if value is not None]
    code = change_codes(pre, post, index, better=better, cutoff=cutoff.value, critical=critical, position=position)
    expected = line.expected(pre)
    reach = critical * line.std_error
    return Sorted(
        category=_named(code),
        shown=_shown(cutoff.value),
        index=index,
        low=expected - reach,
        high=expected + reach,
        method=f"reliable change index of {CHANGE_INDICES[method]}, {critical:.3g} standard errors",
        cutoff=cutoff.value,
        cutoff_method=cutoff.method,
        threshold=reach if method == "jacobson_truax" else None,
        extras=tuple(extras),
        notes=(*notes, *said, *_about(line, method, float(pre.mean()), reach), *cutoff.notes),
    )


def _about(line: ChangeLine, method: str, mean: float, reach: float) -> list[str]:
    """Say what an index other than Jacobson & Truax's expects."""
    if method == "jacobson_truax":
        return []
    expected = float(line.expected(mean))
    notes = [
        f"This index expects {expected:.4g} after of a client who began at the average {mean:.4g} and did not change: "
        f"less than {expected - reach:.4g} or more than {expected + reach:.4g} is reliable change."
    ]
    if method == "hsu_linn_lord":
        notes.append("It counts the average change of these clients as no change, so it ranks them against each other.")
    return notes


def _sd(design: ReliableChange, pre: FloatArray, everyone: FloatArray, outcome: str) -> tuple[float, list[str]]:
    """Return the standard deviation of the index, with a note on where it comes from."""
    if design.sd is not None:
        return design.sd, [f"The index uses the given standard deviation {design.sd:g}."]
    sd = float(pre.std(ddof=1))
    if sd == 0:
        raise DesignError(f'all clients have the same "{outcome}" before, so it has no spread.', where=design.where)
    note = (
        f"The index uses this sample's standard deviation before the service, {sd:.4g}, "
        f"over the {len(pre)} clients with both scores"
    )
    of_all = "" if len(pre) == len(everyone) else (
        f" (over all {len(everyone)} with a score before it is {float(everyone.std(ddof=1)):.4g})"
    )  # fmt: skip
    return sd, [f"{note}{of_all}. A published one (sd=...) makes programs comparable."]


def _by_other_rule(design: ReliableChange, outcome: str, pre: FloatArray, post: FloatArray, better: str) -> Sorted:
    """Sort by percentage, by what matters to clients, or by the cut-off alone."""
    cutoff = cutoff_of(design, outcome, pre, better)
    notes = list(cutoff.notes)
    sign = BETTER[better]
    worse = design.deterioration
    nothing = np.full(len(pre), np.nan)
    threshold = None
    if design.method == "cutoff":
        words = cutoff_categories(pre, post, better=better, cutoff=float(cutoff.value or 0.0))
        return Sorted(
            category=words.astype(object),
            shown=CATEGORIES[1:4],
            index=nothing,
            low=nothing,
            high=nothing,
            method=f"crossing of the cut-off; {NO_ERROR}",
            cutoff=cutoff.value,
            cutoff_method=cutoff.method,
            notes=(*notes, "Who crosses the cut-off by one point counts, whether or not that is more than chance."),
        )  # fmt: skip
    if design.method == "percentage":
        better_by = 0.5 if design.improvement is None else design.improvement
        worse_by = better_by if worse is None else worse
        words = percentage_categories(pre, post, better=better, improvement=better_by, deterioration=worse_by)
        index, unit = percentage_change(pre, post), pre
        method = f"change of {100 * better_by:g}% for the better or {100 * worse_by:g}% for the worse"
        none = int((words == NOT_APPLICABLE).sum())
        if none:
            notes.append(
                f"{counted(none, 'client')} had 0 before, of which no percentage can be taken; "
                f"{'it is' if none == 1 else 'they are'} counted as not applicable and in no proportion."
            )
    else:
        better_by, said = the_difference(design.improvement, outcome, where=design.where)
        notes += said
        worse_by = better_by if worse is None else worse
        words = anchor_categories(pre, post, better=better, improvement=better_by, deterioration=worse_by)
        index, unit = post - pre, np.ones(len(pre))
        threshold = better_by if better_by == worse_by else None
        method = f"change of {better_by:g} points for the better or {worse_by:g} for the worse"
    notes.append("Measurement error is not looked at: some of these changes may be chance.")
    applies = words != NOT_APPLICABLE
    moved = sign * np.array([_SIGN.get(str(word), 0.0) for word in ("improved", "unchanged", "deteriorated")])
    place = np.select([words == "improved", words == "deteriorated"], [0, 2], default=1)
    code = change_codes(pre, post, moved[place], better=better, cutoff=cutoff.value, critical=0.5)
    category = _named(code)
    category[~applies] = NOT_APPLICABLE
    ends = np.sort(np.stack([pre + sign * better_by * unit, pre - sign * worse_by * unit]), axis=0)
    shown = _shown(cutoff.value)
    return Sorted(
        category=category,
        shown=shown if applies.all() else (*shown, NOT_APPLICABLE),
        index=index,
        low=np.where(applies, ends[0], np.nan),
        high=np.where(applies, ends[1], np.nan),
        method=f"{method}; {NO_ERROR}",
        cutoff=cutoff.value,
        cutoff_method=cutoff.method,
        threshold=threshold,
        notes=tuple(notes),
    )


def _named(code: NDArray[np.intp]) -> NDArray[np.object_]:
    """Return categories as text, one object for each, which costs no memory per client."""
    return np.array(CATEGORIES, dtype=object)[code]


def _shown(cutoff: float | None) -> tuple[str, ...]:
    """Return the categories there can be: without a cut-off nobody recovers or is harmed."""
    return CATEGORIES if cutoff is not None else CATEGORIES[1:4]
