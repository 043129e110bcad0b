"""What an audit of the key says in words: what looks wrong, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from sweval.result import CHECK
from sweval.scoring.consistency import correlation, pairwise_covariance
from sweval.scoring.item_ranges import Finding
from sweval.scoring.item_signs import FEWEST_ROWS, Signs
from sweval.scoring.keyed import ItemAnswers

_FAR = 2.5
_NEAR = 1.5


def audit_notes(
    read: ItemAnswers,
    found: Mapping[str, str],
    judged: Mapping[str, Signs],
    offsets: Mapping[str, Finding],
    better: Sequence[str],
) -> tuple[str, ...]:
    """Return the notes; none where the key fits and every score could be judged.

    Parameters
    ----------
    read
        The answers.
    found
        Item id -> what was found.
    judged
        The scores whose items were compared.
    offsets
        Item id -> offset of its codes.
    better
        Arguments with which no item would run against the others.
    """
    ties, undecided = _ties(read, found, judged)
    notes = [
        *_sign_notes(read, {name: kind for name, kind in found.items() if name not in undecided}),
        *ties,
        *(f"with {argument} all items run along: pass it if the file is like that." for argument in better),
        *_offset_notes(read, offsets),
        *_unjudged_notes(read, judged),
        *_pair_notes(read, found),
        *_norm_notes(read, found),
    ]
    return tuple(f"{read.instrument.id}: {note}" for note in notes)


def _sign_notes(read: ItemAnswers, found: Mapping[str, str]) -> list[str]:
    notes = []
    twice, unreversed, swapped = (
        [name for name, value in found.items() if value == kind] for kind in ("reversed_twice", "unreversed", "swapped")
    )
    if twice:
        every = len(twice) > 1 and len(twice) == sum(read.turns(item.id) for item in read.instrument.items)
        which = "these are all that the key reverses" if every else f"the key reverses {_it(twice)}"
        notes.append(
            f"{_named(read, twice)} {_run(twice)} against the other items, and {which}: the answers look reversed in "
            f"the file already, so that scoring would reverse them twice. Turn them back in the file "
            "first."
        )
    if unreversed:
        notes.append(
            f"{_named(read, unreversed)} {_run(unreversed)} against the other items, and the key does not reverse "
            f"{_it(unreversed)}: turned in the file, worded the other way round in this form, or in the place of "
            "another item. Compare with the form."
        )
    if swapped:
        keyed = [name for name in swapped if read.turns(name)]
        plain = [name for name in swapped if name not in keyed]
        notes.append(
            f"{_named(read, keyed)} (reversed by the key) and {_named(read, plain)} (not reversed) run against the "
            f"other items: these {'two ' if len(swapped) == 2 else ''}look swapped. Compare the order of the columns "
            "with the form."
        )
    return [CHECK + note for note in notes]


def _ties(read: ItemAnswers, found: Mapping[str, str], judged: Mapping[str, Signs]) -> tuple[list[str], set[str]]:
    """Say where either half of a score's items may be the wrong one, and return these items."""
    notes, undecided = [], set()
    for name, signs in judged.items():
        items = read.instrument.scale(name).items
        if signs.tied and all(item in found for item in items):
            one = [item for item, along in zip(items, signs.loadings > 0, strict=True) if along]
            other = [item for item in items if item not in one]
            undecided |= set(items)
            notes.append(
                f"{CHECK}{_named(read, one)} run against {_named(read, other)}, with as many reversed items on either "
                "side: one side is turned, or two of its columns are swapped. The data cannot tell which side."
            )
    return notes, undecided


def _offset_notes(read: ItemAnswers, offsets: Mapping[str, Finding]) -> list[str]:
    notes = []
    facts = {entry.column.item.id: entry for entry in read.facts}
    for offset, step in (("higher", 1), ("lower", -1)):
        shifted = [name for name, finding in offsets.items() if finding.offset == offset]
        if not shifted:
            continue
        codes = list(facts[shifted[0]].column.numbers)
        span, moved = f"{codes[0]} to {codes[-1]}", (codes[0] + step, codes[-1] + step)
        if len(shifted) == len(facts):
            notes.append(
                f"{CHECK}all items look coded {moved[0]} to {moved[1]} where the form has {span}: "
                f'pass coding="{moved[0]}-{moved[1]}".'
            )
            continue
        seen = [name for name in shifted if offsets[name].seen]
        inferred = [name for name in shifted if not offsets[name].seen]
        change = f"{'take 1 off' if step > 0 else 'add 1'}"
        if seen:
            counts = ", ".join(f"{read.names[name]} ({facts[name].outside})" for name in seen)
            notes.append(
                f"{CHECK}{counts} {_look(seen)} coded {moved[0]} to {moved[1]} where the form has {span}; answers "
                f"outside stand in brackets. If so, {change} in the file."
            )
        if inferred:
            unused = codes[0] if step > 0 else codes[-1]
            notes.append(
                f"{CHECK}{_named(read, inferred)} {_look(inferred)} coded one too "
                f"{'high' if step > 0 else 'low'}: nobody gave {unused}, which its other answers and the other items "
                f"speak for. Compare with the form; if so, {change} in the file."
            )
    outside = [name for name, finding in offsets.items() if finding.offset == "outside"]
    if outside:
        counts = ", ".join(f"{read.names[name]} ({facts[name].outside})" for name in outside)
        notes.append(
            f"{CHECK}answers outside the form's codes in {counts}, though both ends of the form are used: the form had "
            "more answers, some rows are coded otherwise, or these are slips. The number of answers stands in brackets."
        )
    return notes


def _unjudged_notes(read: ItemAnswers, judged: Mapping[str, Signs]) -> list[str]:
    members = {name: set(read.instrument.scale(name).items) for name in judged}
    told = {item for name, signs in judged.items() if signs.coherent for item in members[name]}
    notes = [
        f"the items of {read.instrument.scale(name).column} hang together too little to tell which of them run the "
        f"wrong way (alpha {signs.alpha:.2f} even with items turned to fit)."
        for name, signs in judged.items()
        if not signs.coherent and not members[name] <= told
    ]
    unseen = [
        read.names[item.id]
        for item in read.instrument.items
        if not any(item.id in items for items in members.values()) or _flat(read, item.id)
    ]
    if unseen:
        notes.append(
            f"signs of {_and(unseen)} cannot be judged: an answer that never varies, a score of fewer than three "
            "items, or too few answers."
        )
    return notes


def _flat(read: ItemAnswers, item: str) -> bool:
    given = read.given(item)
    given = given[~np.isnan(given)]
    return given.size == 0 or bool(np.ptp(given) == 0)


def _pair_notes(read: ItemAnswers, found: Mapping[str, str]) -> list[str]:
    """Say where the two items of a score run against each other; which of them is wrong cannot be told."""
    notes = []
    for scale in read.summed:
        if len(scale.items) != 2 or any(name in found for name in scale.items):
            continue
        keyed = read.keyed(scale)
        rows = int(np.count_nonzero(~np.isnan(keyed).any(axis=1)))
        covariance = pairwise_covariance(keyed) if rows >= FEWEST_ROWS else np.zeros((2, 2))
        if (np.diag(covariance) > 0).all() and correlation(covariance)[0, 1] < -2 / np.sqrt(rows):
            first, second = (read.names[name] for name in scale.items)
            notes.append(
                f"{CHECK}{first} and {second}, the two items of {scale.column}, run against each other: one of them "
                "looks reversed wrongly, and the data cannot tell which."
            )
    return notes


def _norm_notes(read: ItemAnswers, found: Mapping[str, str]) -> list[str]:
    """Say where a score's mean is far from all norms, and near one of them once the whole scale is turned round.

    Distances are in standard deviations of the norm or of these data, whichever is larger: clients differ from the
    general population, and scales with many zeros have small norms' deviations.
    """
    notes = []
    for scored in read.scores():
        scale = scored.scale
        values = scored.values[~np.isnan(scored.values)]
        norms = [norm for norm in read.instrument.norms if norm.score == scale.id]
        if not norms or len(values) < FEWEST_ROWS or any(name in found for name in scale.items):
            continue
        mean, own = float(values.mean()), float(values.std(ddof=1))
        mirrored = sum(scale.range) - mean
        near = min(norms, key=lambda norm: abs(mirrored - norm.mean) / max(norm.sd, own))
        far = min(abs(mean - norm.mean) / max(norm.sd, own) for norm in norms)
        if far > _FAR and abs(mirrored - near.mean) / max(near.sd, own) < _NEAR:
            unchecked = "" if near.verified else "; this norm was not checked against a source"
            notes.append(
                f"{CHECK}the mean of {scale.column} is {mean:.1f}, but {near.mean:g} in {near.population} "
                f"(SD {near.sd:g}{unchecked}). With all answers the other way round it would be {mirrored:.1f}: is the "
                "highest code stored for the lowest answer?"
            )
    return notes


def _named(read: ItemAnswers, items: Sequence[str]) -> str:
    return _and(read.names[name] for name in items)


def _it(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _run(names: Sequence[str]) -> str:
    return "runs" if len(names) == 1 else "run"


def _look(names: Sequence[str]) -> str:
    return "looks" if len(names) == 1 else "look"


def _and(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
