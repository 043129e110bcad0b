"""Score a questionnaire: any frame in, the same frame with its score columns out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from sweval.errors import InstrumentError
from sweval.frames import require_columns, wrap
from sweval.scoring import kernel
from sweval.scoring.answers import Codes, Facts, read_answers
from sweval.scoring.definition import instrument as find_instrument
from sweval.scoring.fit import refuse_misfits
from sweval.scoring.lazy import LazyScores
from sweval.scoring.notes import Tally, scoring_notes, unreversed_note
from sweval.scoring.records import Instrument
from sweval.scoring.request import CodingArgument, Column, RawCode, missing_codes, request

_SAMPLE = 20_000
"""So many rows, evenly spread, are enough to see whether an item runs against the others."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A scored frame, the notes on what was done, and the names of the added columns."""

    frame: Any
    notes: tuple[str, ...]
    columns: tuple[str, ...]


def score(
    frame: Any,
    instrument: str | os.PathLike[str] | Instrument,
    *,
    items: str | Sequence[str],
    missing: Sequence[RawCode] | RawCode = (),
    coding: CodingArgument = None,
    accept_licence: bool = False,
) -> Any:
    """Add the scores of an instrument to a data frame.

    Use it where answers to single items are stored as codes. The codes are compared with the instrument before anything
    is computed, and what does not fit is refused. Totals of incomplete answers follow the authors' rule for missing
    items: prorated where they allow it, otherwise missing; a partial sum is never passed off as a total.

    Parameters
    ----------
    frame
        pandas, polars (eager or lazy), pyarrow, DuckDB relation or Spark frame; one row per answered questionnaire.
        Lazy frames stay lazy: only one aggregate (range check and counts) is computed.
    instrument
        Id in the catalogue, path of a definition (.toml), or an `Instrument`.
    items
        Pattern such as `"phq_{item}"` (`{item:02d}` for 01, 02, ...), or a list of columns in item order.
    missing
        Raw codes that mean "no answer", such as `(9, 99)`. Null, NaN and blank text always do.
    coding
        How the answers are coded, if not as the instrument says: `"1-4"` (raw codes in the order of the declared ones;
        `"4-1"` where the first means the highest), a table `{1: 0, 2: 1, 3: 2, 4: 3}` (labels of text columns are
        possible keys), or the name of a coding that the instrument defines.
    accept_licence
        True if you hold the permission that the owner of the instrument asks for.

    Returns
    -------
    same type as `frame`
        With, for every score, `<id>_<score>` (float), `<id>_<score>_band` (text, where the instrument has bands) and
        `<id>_<score>_answered` (whole number: items answered, or not asked by a screening rule). The given frame is
        not changed. Bands cut unrounded scores half-way between printed edges: with 0-4 and 5-9, a prorated 4.5 is in
        the second. `sweval.scoring.score.score_with_notes` also tells how many rows were prorated, recoded or left
        without a score.

    Raises
    ------
    InstrumentError
        If answers do not fit the instrument (codes, text, fractions), columns of these names exist already, or the
        instrument is unknown.
    DataError
        If item columns are absent, or `frame` is no data frame.

    Examples
    --------
    >>> import pandas as pd
    >>> import sweval as sw
    >>> answers = pd.DataFrame([[0, 1, 2, 3, 3], [5, 5, 4, 4, 5]], columns=[f"who_{i}" for i in range(1, 6)])
    >>> sw.score(answers, "who5", items="who_{item}")["who5_percent"].tolist()
    [36.0, 92.0]
    """
    return _score(frame, instrument, items, missing, coding, accept_licence, with_notes=False).frame


def score_with_notes(
    frame: Any,
    instrument: str | os.PathLike[str] | Instrument,
    *,
    items: str | Sequence[str],
    missing: Sequence[RawCode] | RawCode = (),
    coding: CodingArgument = None,
    accept_licence: bool = False,
) -> Scored:
    """Score like `score`, and say what was done.

    Notes tell how many answers were read as missing, how many rows were prorated or left without a score, which bands
    or rules were not checked against a source, which items never vary, and (frames in memory) which items run against
    the others and so look unreversed or twice reversed.

    Parameters
    ----------
    frame, instrument, items, missing, coding, accept_licence
        As in `score`.

    Returns
    -------
    Scored
        `frame`, `notes` and the names of the added `columns`.

    Raises
    ------
    InstrumentError, DataError
        As in `score`.

    Examples
    --------
    >>> import pandas as pd
    >>> answers = pd.DataFrame([[0, 1, 2, 3, 99]], columns=[f"who_{i}" for i in range(1, 6)])
    >>> print("\\n".join(score_with_notes(answers, "who5", items="who_{item}", missing=(99,)).notes))
    who5: 1 answer with the code 99 was read as missing.
    who5_raw: 1 of 1 rows have no score because not all 5 items were answered.
    who5_percent: 1 of 1 rows have no score because not all 5 items were answered.
    """
    return _score(frame, instrument, items, missing, coding, accept_licence, with_notes=True)


def _score(
    frame: Any,
    instrument: str | os.PathLike[str] | Instrument,
    items: str | Sequence[str],
    missing: Sequence[RawCode] | RawCode,
    coding: CodingArgument,
    accept_licence: bool,
    *,
    with_notes: bool,
) -> Scored:
    found = find_instrument(instrument, accept_licence=accept_licence)
    absent = missing_codes(missing)
    columns = request(found, items, coding, absent)
    wrapped = wrap(frame)
    require_columns(wrapped, [column.name for column in columns], where=found.id)
    added = tuple(name for scale in found.scores for name in scale.columns)
    taken = [name for name in added if name in wrapped.collect_schema().names()]
    if taken:
        raise InstrumentError(
            f"the data have the column {', '.join(taken)} already.",
            where=found.id,
            fix="Rename or drop it, or score a copy without it.",
        )
    if isinstance(wrapped, nw.LazyFrame):
        lazy = LazyScores(wrapped, found, columns, absent)
        refuse_misfits(found, lazy.facts)
        notes = scoring_notes(found, lazy.facts, lazy.tallies, lazy.unasked)
        return Scored(frame=lazy.frame().to_native(), notes=tuple(notes), columns=added)
    return _score_eager(wrapped, found, columns, absent, added, with_notes=with_notes)


def _score_eager(
    frame: nw.DataFrame[Any],
    instrument: Instrument,
    columns: Sequence[Column],
    missing: Sequence[RawCode],
    added: tuple[str, ...],
    *,
    with_notes: bool,
) -> Scored:
    plan = kernel.layout(instrument)
    codes, facts = answers(frame, columns, missing, plan)
    refuse_misfits(instrument, facts)
    unasked = kernel.fill_gated(instrument.gates, instrument.items, codes, plan)
    scores = kernel.score_columns(instrument, codes, plan)
    native = _with_scores(frame, scores).to_native()
    notes: list[str] = []
    if with_notes:
        notes = scoring_notes(instrument, facts, [_tally(entry) for entry in scores], unasked)
        for entry in scores:
            names = [column.name for column in columns if column.item.id in entry.scale.items]
            notes += unreversed_note(entry.scale, names, _complete_sample(instrument, entry, codes))
    return Scored(frame=native, notes=tuple(notes), columns=added)


def answers(
    frame: nw.DataFrame[Any], columns: Sequence[Column], missing: Sequence[RawCode], plan: kernel.Layout
) -> tuple[dict[str, Codes], list[Facts]]:
    """Return item id -> codes in the layout of the kernel, and the facts of each column."""

    def work(place: int) -> tuple[Codes, Facts]:
        column = columns[place]
        return read_answers(frame[column.name], column, missing, plan.fills[place], plan.kind)

    read = kernel.in_threads(work, range(len(columns)), len(frame))
    return {facts.column.item.id: codes for codes, facts in read}, [facts for _, facts in read]


def _with_scores(frame: nw.DataFrame[Any], scores: Sequence[kernel.Scored]) -> nw.DataFrame[Any]:
    """Add the columns in the frame's own kind; a missing score is null and has no band."""
    backend = frame.implementation
    made, unbanded = [], []
    for entry in scores:
        column, band = entry.scale.column, f"{entry.scale.column}_band"
        values = nw.new_series(column, entry.values, backend=backend)
        made.append(values if backend.is_pandas_like() else values.fill_nan(None))
        if entry.bands is not None:
            labels = nw.new_series("labels", [label.label for label in entry.scale.bands], backend=backend)
            made.append(labels[entry.bands].alias(band))
            if made[-2].null_count():
                unbanded.append(nw.when(~nw.col(column).is_null()).then(nw.col(band)).alias(band))
        made.append(nw.new_series(f"{column}_answered", entry.answered, backend=backend))
    scored = frame.with_columns(*made)
    return scored.with_columns(*unbanded) if unbanded else scored


def _tally(entry: kernel.Scored) -> Tally:
    counts = np.bincount(entry.answered, minlength=1)
    return Tally(scale=entry.scale, rows=len(entry.answered), by_answered=dict(enumerate(counts.tolist())))


def _complete_sample(instrument: Instrument, entry: kernel.Scored, codes: dict[str, Codes]) -> Any:
    """Return the keyed answers of complete rows, at most `_SAMPLE` of them, evenly spread."""
    complete = np.flatnonzero(entry.answered == len(entry.scale.items))
    rows = complete[:: max(1, len(complete) // _SAMPLE)]
    keyed = [
        item.low + item.high - codes[item.id][rows].astype(float) if item.reversed else codes[item.id][rows]
        for item in map(instrument.item, entry.scale.items)
    ]
    return np.column_stack(keyed).astype(float)
