"""Does the scoring key fit the answers? Items that look unreversed, reversed twice, shifted or swapped."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sweval.errors import InstrumentError, SwevalError
from sweval.scoring.answers import Facts
from sweval.scoring.fit import refuse_misfits
from sweval.scoring.item_ranges import Codes, code_offsets
from sweval.scoring.item_signs import FEWEST_ROWS, Signs, item_signs
from sweval.scoring.key_audit_notes import audit_notes
from sweval.scoring.keyed import Asked, ItemAnswers, read_items
from sweval.scoring.records import Instrument, Scale
from sweval.scoring.request import CodingArgument, Column, RawCode

if TYPE_CHECKING:
    import pandas as pd

FOUND = {
    "unreversed": "runs against the other items, and the key does not reverse it",
    "reversed_twice": "runs against the other items once the key has reversed it",
    "swapped": "runs against the other items together with one of the opposite key",
    "shifted": "is coded one higher or one lower than the form",
    "outside": "holds answers outside the form's codes, though both ends of the form are used",
}
"""What an audit can find in an item -> what it means in words."""

_SAMPLE = 20_000


@dataclass(frozen=True, kw_only=True)
class ItemAudit:
    """What the audit saw in one item; a row of `KeyAudit.tidy()`.

    Attributes
    ----------
    column, item, reversed
        Where the answers are, which item they belong to, and whether the key reverses it.
    found
        A key of `FOUND`, or None.
    score
        The score that says most about it; None where no score has three items.
    item_rest_r
        Correlation of the item's codes, turned as the key says, with the sum of the score's other items, of which those
        that run against are turned once more.
    first_component
        Its loading on the first principal component of the score's correlations, 1 to -1.
    mean, lowest, highest
        Of the answers as stored.
    answered, outside
        Answers, and how many of them are no codes of the form.
    """

    column: str
    item: str
    reversed: bool
    found: str | None = None
    score: str | None = None
    item_rest_r: float | None = None
    first_component: float | None = None
    mean: float | None = None
    lowest: float | None = None
    highest: float | None = None
    answered: int
    outside: int


@dataclass(frozen=True, kw_only=True, repr=False)
class KeyAudit:
    """What `sweval.audit_key` found: one row per item, and notes in words.

    Attributes
    ----------
    instrument
        Its id.
    items
        One `ItemAudit` per item, in the instrument's order.
    notes
        What was found, and what to do; empty where nothing was found.

    Examples
    --------
    >>> import sweval as sw
    >>> audit = sw.audit_key(sw.dataset("harbour"), "phq9", items="phq_{item}")
    >>> audit.found
    {}
    >>> audit.tidy().shape[0]
    9
    """

    instrument: str
    items: tuple[ItemAudit, ...]
    notes: tuple[str, ...]

    @property
    def found(self) -> dict[str, str]:
        """Column -> what was found, of the items where something was."""
        return {item.column: item.found for item in self.items if item.found}

    def tidy(self) -> pd.DataFrame:
        """Return one row per item; `found` is null where the key fits."""
        import pandas as pd

        columns = list(ItemAudit.__dataclass_fields__)
        rows = [[getattr(item, name) for name in columns] for item in self.items]
        frame = pd.DataFrame(rows, columns=columns).astype(
            dict.fromkeys(("item_rest_r", "first_component", "mean", "lowest", "highest"), "float64")
        )
        return frame.astype(dict.fromkeys(("column", "item", "found", "score"), "object"))

    def __repr__(self) -> str:
        shown = ["column", "reversed", "found", "item_rest_r", "first_component", "mean", "lowest", "highest"]
        frame = self.tidy()[shown].assign(found=[item.found or "" for item in self.items])
        table = frame.to_string(index=False, float_format=lambda value: f"{value:.2f}", na_rep="")
        wrong = "1 item looks" if len(self.found) == 1 else f"{len(self.found) or 'no'} items look"
        head = f"{self.instrument}: {wrong} wrong, of {len(self.items)}"
        return "\n".join([head, "", table, *(["", *(f"note: {note}" for note in self.notes)] if self.notes else [])])


def audit_key(
    frame: Any,
    instrument: str | os.PathLike[str] | Instrument,
    *,
    items: str | Sequence[str],
    missing: Sequence[RawCode] | RawCode = (),
    coding: CodingArgument = None,
    order: str | None = None,
    accept_licence: bool = False,
) -> KeyAudit:
    """Check whether the scoring key fits the answers: items that look unreversed, reversed twice, shifted or swapped.

    Use it before you score a file for the first time: a wrong key gives numbers that look like scores. It needs answers
    of at least 20 people, and finds next to everything from 200 people on where alpha is .7 or more. It cannot see two
    items of the same key that changed places, a scale that is coded the other way round as a whole (unless its mean is
    far from published norms), or a shift of one item that leaves no answer outside the form's codes and its lowest (or
    highest) answer believably rare.

    Parameters
    ----------
    frame, instrument, items, missing, coding, order, accept_licence
        As in `sweval.score`. Answers one below or above the form's codes are reported here instead of refused.

    Returns
    -------
    KeyAudit
        `tidy()` has one row per item with what was `found` (null if nothing): `unreversed`, `reversed_twice`,
        `swapped`, `shifted` or `outside`; `found` is the dictionary of these; `notes` say what to do.

    Raises
    ------
    InstrumentError
        If answers are no codes at all (text, fractions, far outside the form), or fewer than 20 people answered.

    Notes
    -----
    Signs: the first principal component of the correlations of the codes, turned as the key says, splits the items of a
    score in two camps; those of the smaller camp are turned, and an item runs against the others if it then correlates
    below -4 / n with their sum. An item of several scores is judged in the one where it correlates most; all reversed
    items, or all items of a subscale, count as against if they are so in a larger score. One item of each key against
    the others is called swapped: that is one error instead of two. Ranges: `sweval.scoring.item_ranges`.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import sweval as sw
    >>> rng = np.random.default_rng(1)
    >>> trust = rng.normal(size=(200, 1)) + rng.normal(size=(200, 10))
    >>> answers = pd.DataFrame(np.clip(np.round(trust + 2), 0, 4).astype(int), columns=[f"p{i}" for i in range(1, 11)])
    >>> for item in (4, 5, 7):  # item 8 of this scale is reversed too, but here it was turned already
    ...     answers[f"p{item}"] = 4 - answers[f"p{item}"]
    >>> sw.audit_key(answers, "pss10", items="p{item}").found
    {'p8': 'reversed_twice'}
    """
    asked = Asked(
        instrument=instrument, items=items, missing=missing, coding=coding, order=order, accept_licence=accept_licence
    )
    read = read_items(frame, asked, check=_refuse_far_misfits)
    most = max(facts.answered for facts in read.facts)
    if most < FEWEST_ROWS:
        raise InstrumentError(
            f"no item has more than {most} answers, which say too little about the key.",
            where=read.instrument.id,
            fix=f"An audit needs at least {FEWEST_ROWS} people; 200 are better.",
        )
    judged = _judged(read)
    against = _against(read, judged)
    counts = [_codes(read, facts, facts.column.item.id in against) for facts in read.facts]
    offsets = {
        name: finding
        for name, finding in zip(read.names, code_offsets(counts), strict=True)
        if finding is not None and (finding.seen or name not in against)
    }
    found = _named(read, against) | {
        item: "outside" if finding.offset == "outside" else "shifted" for item, finding in offsets.items()
    }
    rows = tuple(_row(read, facts, found.get(facts.column.item.id), judged) for facts in read.facts)
    notes = audit_notes(read, found, judged, offsets, _better_readings(frame, asked, read) if against else ())
    return KeyAudit(instrument=read.instrument.id, items=rows, notes=notes)


def _better_readings(frame: Any, asked: Asked, read: ItemAnswers) -> tuple[str, ...]:
    """Return the arguments, of the codings and orders that the instrument knows, with which no item runs against."""
    tried: list[tuple[str, Asked]] = []
    if asked.coding is None:
        tried += [(f'coding="{entry.name}"', replace(asked, coding=entry.name)) for entry in read.instrument.codings]
    if asked.order is None:
        tried += [(f'order="{entry.name}"', replace(asked, order=entry.name)) for entry in read.instrument.orders]
    found = []
    for argument, other in tried:
        try:
            again = read_items(frame, other, check=_refuse_far_misfits)
        except SwevalError:  # the columns or codes do not fit this reading
            continue
        judged = _judged(again)
        if judged and not _against(again, judged) and any(signs.coherent for signs in judged.values()):
            found.append(argument)
    return tuple(found)


def _refuse_far_misfits(instrument: Instrument, facts: Sequence[Facts]) -> None:
    """Refuse what scoring refuses, but for whole numbers next to the form's codes."""
    for entry in facts:
        below, above = _next_to_codes(entry)
        if entry.text or entry.words or entry.fractions or entry.outside > below + above:
            refuse_misfits(instrument, facts)


def _next_to_codes(facts: Facts) -> tuple[int, int]:
    raw = list(facts.column.numbers)
    if not raw or len(raw) != raw[-1] - raw[0] + 1:
        return 0, 0
    return facts.strays[raw[0] - 1], facts.strays[raw[-1] + 1]


def _codes(read: ItemAnswers, facts: Facts, against: bool) -> Codes:
    """Return the counts of one item; one that runs against the others piles up at the other end than the key says."""
    column = facts.column
    given = read.given(column.item.id)
    below, above = _next_to_codes(facts)
    return Codes(
        counts=np.array([np.count_nonzero(given == code) for code in dict.fromkeys(column.numbers.values())]),
        below=below,
        above=above,
        reversed=read.turns(column.item.id) != against,
    )


def _judged(read: ItemAnswers) -> dict[str, Signs]:
    """Return score id -> signs of the scores whose items can be compared, each set of items once."""
    step = max(1, read.rows // _SAMPLE)
    seen: list[set[str]] = []
    judged: dict[str, Signs] = {}
    for scale in read.summed:
        if len(scale.items) < 3 or set(scale.items) in seen:
            continue
        seen.append(set(scale.items))
        turned = np.array([read.turns(name, scale) for name in scale.items])
        signs = item_signs(read.directed(scale, step), turned)
        if signs is not None:
            judged[scale.id] = signs
    return judged


def _best(read: ItemAnswers, item: str, judged: Mapping[str, Signs]) -> tuple[Scale, Signs, int] | None:
    """Return the coherent score in which an item correlates most with the others, and its place there."""
    places = []
    for name, signs in judged.items():
        scale = read.instrument.scale(name)
        if item in scale.items and not np.isnan(signs.item_rest_r[scale.items.index(item)]):
            places.append((scale, signs, scale.items.index(item)))
    return max(
        places,
        key=lambda entry: (entry[1].coherent, not entry[1].tied, abs(entry[1].item_rest_r[entry[2]])),
        default=None,
    )


def _against(read: ItemAnswers, judged: Mapping[str, Signs]) -> list[str]:
    """Return the items that run against the others."""
    against = set()
    for item in read.instrument.items:
        best = _best(read, item.id, judged)
        if best is not None and best[1].against[best[2]]:
            against.add(item.id)
    members = {name: read.instrument.scale(name).items for name in judged}
    for name, signs in judged.items():
        there = {item for item, value in zip(members[name], signs.against, strict=True) if value and not signs.tied}
        groups = [{item for item in members[name] if read.turns(item)}]
        groups += [set(other) for other in members.values() if set(other) < set(members[name])]
        for group in groups:
            if len(group) > 1 and group <= there:
                against |= group
    return [item.id for item in read.instrument.items if item.id in against]


def _named(read: ItemAnswers, against: Sequence[str]) -> dict[str, str]:
    """Return item -> what was found in the items that run against the others."""
    found = {name: "reversed_twice" if read.turns(name) else "unreversed" for name in against}
    for scale in sorted(read.summed, key=lambda scale: len(scale.items)):
        here = [name for name in scale.items if found.get(name) in ("unreversed", "reversed_twice")]
        twice = [name for name in here if found[name] == "reversed_twice"]
        if twice and 2 * len(twice) == len(here):
            found |= dict.fromkeys(here, "swapped")
    return found


def _row(read: ItemAnswers, facts: Facts, found: str | None, judged: Mapping[str, Signs]) -> ItemAudit:
    column = facts.column
    row = ItemAudit(
        column=column.name,
        item=column.item.id,
        reversed=read.turns(column.item.id),
        found=found,
        lowest=None if facts.low is None else float(facts.low),
        highest=None if facts.high is None else float(facts.high),
        answered=facts.answered,
        outside=facts.outside,
        mean=_mean(read, column, facts),
    )
    best = _best(read, column.item.id, judged)
    if best is None:
        return row
    scale, signs, place = best
    return replace(
        row,
        score=scale.column,
        item_rest_r=float(signs.item_rest_r[place]),
        first_component=float(signs.loadings[place]),
    )


def _mean(read: ItemAnswers, column: Column, facts: Facts) -> float | None:
    """Return the mean of the raw codes, those next to the form's codes among them."""
    back = {declared: raw for raw, declared in column.numbers.items()}
    given = read.given(column.item.id)
    raw = [(back.get(int(code), int(code)), int(np.count_nonzero(given == code))) for code in column.item.codes]
    raw += [(int(code), count) for code, count in facts.strays.items()]
    total = sum(count for _, count in raw)
    return sum(code * count for code, count in raw) / total if total else None
