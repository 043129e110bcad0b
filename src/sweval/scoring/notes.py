"""What scoring did to the answers, in sentences that travel into the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweval.scoring.answers import Facts
from sweval.scoring.item_signs import FEWEST_ROWS, item_signs
from sweval.scoring.records import Instrument, Scale
from sweval.scoring.rules import points_of


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How many rows of one score have how many answers, and how many have the score."""

    scale: Scale
    rows: int
    by_answered: Mapping[int, int]
    scored: int


def scoring_notes(
    instrument: Instrument, facts: Sequence[Facts], tallies: Sequence[Tally], unasked: Sequence[int]
) -> list[str]:
    """Return the notes on one scoring: recoding, missing codes, gates, missing rule, and what looks odd."""
    notes: list[str] = []
    if any(entry.column.recoded for entry in facts):
        notes.append(f"{instrument.id}: the raw codes were converted as declared by coding.")
    missing: Counter[Any] = sum((entry.missing for entry in facts), Counter())
    for code, count in sorted(missing.items(), key=lambda entry: str(entry[0])):
        if count:
            what = f"1 answer with the code {code} was" if count == 1 else f"{count} answers with the code {code} were"
            notes.append(f"{instrument.id}: {what} read as missing.")
    for gate, count in zip(instrument.gates, unasked, strict=True):
        if count:
            answers = "1 answer" if count == 1 else f"{count} answers"
            why = f"in the variant {gate.variant}" if gate.variant else "by the screening questions"
            notes.append(
                f"{instrument.id}: {answers} to {', '.join(gate.asks)} not asked for, {why}; "
                f"counted as {gate.otherwise}."
            )
    for tally in tallies:
        notes += _missing_notes(tally)
        bands, table = tally.scale.band_set, tally.scale.table
        if bands is not None and not bands.verified:
            notes.append(f"{tally.scale.column}_band: the bands ({bands.source}) were not checked against a source.")
        if table is not None and not table.verified:
            notes.append(f"{tally.scale.column}: the table ({table.source}) was not checked against a source.")
    return notes + _odd_answers(instrument, facts)


def _missing_notes(tally: Tally) -> list[str]:
    scale, members = tally.scale, len(tally.scale.items)
    lost = " or ".join(f"more than {limit.max_missing} of {len(limit.items)} items were left out"
                       for limit in scale.missing.limits)  # fmt: skip
    if scale.op == "weighted":
        reason = "a score that it is made of is missing" + (f" or {lost}" if lost else "")
        return _without(scale, tally.rows, tally.rows - tally.scored, reason)
    needed = max(members - scale.missing.max_missing, 1)
    partial = {count: rows for count, rows in tally.by_answered.items() if needed <= count < members and rows}
    enough = sum(rows for count, rows in tally.by_answered.items() if count >= needed)
    notes = []
    if partial:
        counts = " or ".join(str(count) for count in sorted(partial))
        checked = "" if scale.missing.verified else "; this rule was not checked against a source"
        how = "with missing answers counted as no point" if scale.missing.fill == "zero" else "prorated"
        notes.append(
            f"{scale.column}: {sum(partial.values())} of {tally.rows} rows are {how} from {counts} of {members} "
            f"answers{checked}."
        )
    few = (
        f"fewer than {needed} of {members} items were" if scale.missing.max_missing else f"not all {members} items were"
    )
    notes += _without(scale, tally.rows, tally.rows - enough, f"{few} answered")
    return notes + _without(scale, tally.rows, enough - tally.scored, lost or "its table has no row for their value")


def _without(scale: Scale, rows: int, without: int, reason: str) -> list[str]:
    return [f"{scale.column}: {without} of {rows} rows have no score because {reason}."] if without else []


def _odd_answers(instrument: Instrument, facts: Sequence[Facts]) -> list[str]:
    """Note items without any variation, and a lowest answer that nobody gave."""
    notes = []
    constant = [entry.column.name for entry in facts if entry.answered >= FEWEST_ROWS and entry.low == entry.high]
    if constant:
        notes.append(f"{instrument.id}: every answer is the same in {', '.join(constant)}.")
    unused = all(
        entry.answered >= FEWEST_ROWS and entry.low is not None and entry.low > entry.column.item.low for entry in facts
    )
    if unused and not any(entry.column.recoded for entry in facts):
        item = instrument.items[0]
        notes.append(
            f"{instrument.id}: nobody gave the lowest answer ({item.low}) to any item. If the form counts from "
            f'{item.low + 1}, pass coding="{item.low + 1}-{item.low + len(item.codes)}".'
        )
    return notes


def unreversed_note(
    instrument: Instrument, scale: Scale, names: Mapping[str, str], keyed: NDArray[np.float64]
) -> list[str]:
    """Note items whose keyed answers run against the rest of their score; `sweval.audit_key` looks closer.

    Parameters
    ----------
    instrument, scale
        The instrument and the score.
    names
        Item id -> column.
    keyed
        Keyed answers of complete rows, columns in the order of `scale.items`, shape (rows, items).
    """
    points = points_of(instrument, scale)
    turned = [points[name][instrument.item(name).low] > points[name][instrument.item(name).high] for name in points]
    signs = item_signs(keyed, np.array(turned))
    if signs is None or not signs.against.any():
        return []
    against = [names[name] for name, value in zip(scale.items, signs.against, strict=True) if value]
    return [
        f"{scale.column}: {', '.join(against)} run{'s' if len(against) == 1 else ''} against the other items. "
        "Check whether answers were already reversed in the file, or stand in another order; audit_key looks closer."
    ]
