"""Score data that come in parts, so that a file larger than memory goes through the same kernel as a frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import narwhals as nw

from sweval.errors import InstrumentError
from sweval.frames import require_columns, wrap
from sweval.scoring import kernel
from sweval.scoring.answers import Facts
from sweval.scoring.fit import refuse_misfits
from sweval.scoring.notes import Tally, scoring_notes
from sweval.scoring.score import Asked, added_columns, answers, left_out, part_with_scores, refuse_taken


def score_parts(
    parts: Iterable[Any], write: Callable[[Any], None], asked: Asked, *, variant: str | None = None
) -> tuple[str, ...]:
    """Score one part after the other and hand each to `write`, as if they were one frame.

    Use it for files that do not fit into memory; for a frame use `sweval.score`. What does not fit the instrument is
    refused once all parts were seen, with the counts of the whole; nothing is written after the first such part, so
    the caller writes to a temporary place.

    Parameters
    ----------
    parts
        Data frames in memory with the same columns, in the order of the rows.
    write
        Takes each scored part, a frame of the same kind.
    asked
        What to score, and how it is coded.
    variant
        The name of a variant of the instrument; not a column.

    Returns
    -------
    tuple of str
        The notes on the whole, as `sweval.scoring.score.score_with_notes` gives them for a plan.

    Raises
    ------
    InstrumentError, DataError
        As `sweval.score`; also if `variant` is no variant of the instrument.

    Examples
    --------
    >>> import pandas as pd
    >>> from sweval.scoring.definition import instrument
    >>> parts = [pd.DataFrame([[3, 2, 1, 0, code]], columns=[f"who_{i}" for i in range(1, 6)]) for code in (4, 99)]
    >>> asked = Asked(instrument=instrument("who5"), items="who_{item}", missing=(99,))
    >>> done = []
    >>> print("\\n".join(score_parts(parts, done.append, asked)))
    who5: 1 answer with the code 99 was read as missing.
    who5_raw: 1 of 2 rows have no score because not all 5 items were answered.
    who5_percent: 1 of 2 rows have no score because not all 5 items were answered.
    >>> [float(part["who5_percent"].iloc[0]) for part in done]
    [40.0, nan]
    """
    whole = asked.instrument
    if variant is not None and variant not in [entry.name for entry in whole.variants]:
        raise InstrumentError(
            f'"{variant}" is no variant of the instrument.',
            where=whole.id,
            fix="Data in parts take one variant for all rows, by its name.",
        )
    found, columns, plan = whole.of_variant(variant or ""), asked.columns(), None
    facts: list[Facts] = []
    tallies: list[Tally] = []
    unasked = [0] * len(found.gates)
    for part in parts:
        frame = wrap(part)
        if isinstance(frame, nw.LazyFrame):
            frame = frame.collect()
        if plan is None:
            require_columns(frame, [column.name for column in columns], where=found.id)
            refuse_taken(frame, found, added_columns(found))
        plan = kernel.layout(found)
        codes, seen = answers(frame, columns, asked.missing, plan)
        facts = [_joined(old, new) for old, new in zip(facts, seen, strict=True)] if facts else seen
        if any(entry.outside or entry.text for entry in facts):
            continue
        closed = kernel.fill_gated(found.gates, found.items, codes, plan)
        unasked = [old + new for old, new in zip(unasked, closed, strict=True)]
        scored, counted = part_with_scores(frame, found, codes, plan)
        tallies = _added(tallies, counted)
        write(scored)
    refuse_misfits(found, facts)
    return (*asked.disorder_note(), *left_out(whole, found), *scoring_notes(found, facts, tallies, unasked))


def _joined(old: Facts, new: Facts) -> Facts:
    """Return the facts of a column over two parts."""
    lows = [entry.low for entry in (old, new) if entry.low is not None]
    highs = [entry.high for entry in (old, new) if entry.high is not None]
    return Facts(
        column=old.column,
        rows=old.rows + new.rows,
        answered=old.answered + new.answered,
        low=min(lows, default=None),
        high=max(highs, default=None),
        outside=old.outside + new.outside,
        fractions=old.fractions + new.fractions,
        strays=old.strays + new.strays,
        missing=old.missing + new.missing,
        text=max(old.text, new.text),
        words=old.words + new.words,
    )


def _added(old: Sequence[Tally], new: Sequence[Tally]) -> list[Tally]:
    """Return the tallies of every score over all parts so far."""
    if not old:
        return list(new)
    return [
        Tally(
            scale=a.scale,
            rows=a.rows + b.rows,
            by_answered=Counter(a.by_answered) + Counter(b.by_answered),
            scored=a.scored + b.scored,
        )
        for a, b in zip(old, new, strict=True)
    ]
