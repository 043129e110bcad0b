"""Score a questionnaire: any frame in, the same frame with its score columns out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from sweval.errors import InstrumentError, did_you_mean
from sweval.frames import require_columns, wrap
from sweval.scoring import kernel
from sweval.scoring.answers import Codes, Facts, read_answers
from sweval.scoring.definition import instrument as find_instrument
from sweval.scoring.fit import refuse_misfits
from sweval.scoring.lazy import LazyScores
from sweval.scoring.notes import Tally, scoring_notes, unreversed_note
from sweval.scoring.records import Instrument
from sweval.scoring.request import CodingArgument, Column, RawCode, disorder_note, missing_codes, request

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
    missing: Sequence[RawCode] | RawCode | None = (),
    coding: CodingArgument = None,
    order: str | None = None,
    variant: str | None = None,
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
    order
        Name of another numbering of the items that the instrument knows, if the list or the numbers in the pattern
        follow that one.
    variant
        Where tables, bands or skipped items depend on who answered and how: the name of one of the instrument's
        variants, or a column that holds such names (frames in memory only).
    accept_licence
        True if you hold the permission that the owner of the instrument asks for.

    Returns
    -------
    same type as `frame`
        With, for every score, `<id>_<score>` (float), `<id>_<score>_se` (its standard error, where a table gives one),
        `<id>_<score>_band` (text, where the instrument has bands) and `<id>_<score>_answered` (whole number: items
        answered, or not asked by a screening rule); and `<id>_safety`, how many answers ask for action, where the
        instrument has such items. The given frame is not changed. Bands cut unrounded scores half-way between printed
        edges: with 0-4 and 5-9, a prorated 4.5 is in the second. `sweval.score_with_notes` also tells how many rows
        were prorated, recoded or left without a score.

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
    found = find_instrument(instrument, accept_licence=accept_licence)
    asked = Asked(instrument=found, items=items, missing=missing_codes(missing), coding=coding, order=order)
    return _score(frame, asked, variant, with_notes=False).frame


def score_with_notes(
    frame: Any,
    instrument: str | os.PathLike[str] | Instrument,
    *,
    items: str | Sequence[str],
    missing: Sequence[RawCode] | RawCode | None = (),
    coding: CodingArgument = None,
    order: str | None = None,
    variant: str | None = None,
    accept_licence: bool = False,
) -> Scored:
    """Score like `score`, and say what was done.

    Notes tell how many answers were read as missing, how many rows were prorated or left without a score, which bands
    or rules were not checked against a source, which items never vary, and (frames in memory) which items run against
    the others and so look unreversed or twice reversed.

    Parameters
    ----------
    frame, instrument, items, missing, coding, order, variant, accept_licence
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
    found = find_instrument(instrument, accept_licence=accept_licence)
    asked = Asked(instrument=found, items=items, missing=missing_codes(missing), coding=coding, order=order)
    return _score(frame, asked, variant, with_notes=True)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What to score, with which instrument and coding; the fields are those of `score`."""

    instrument: Instrument
    items: str | Sequence[str]
    missing: tuple[RawCode, ...] = ()
    coding: CodingArgument = None
    order: str | None = None

    def columns(self) -> tuple[Column, ...]:
        """Return the item columns with their codes; raises InstrumentError where they do not fit the instrument."""
        return request(self.instrument, self.items, self.coding, self.missing, self.order)

    def disorder_note(self) -> list[str]:
        """Note columns that seem to be listed in another order than the items."""
        if self.order is not None or isinstance(self.items, str):
            return []
        return disorder_note(self.instrument, self.columns())


def _score(frame: Any, asked: Asked, variant: str | None, *, with_notes: bool) -> Scored:
    whole, wrapped = asked.instrument, wrap(frame)
    columns = asked.columns()
    require_columns(wrapped, [column.name for column in columns], where=whole.id)
    named = [entry.name for entry in whole.variants]
    if variant is not None and variant not in named:
        return _score_by_variant(wrapped, asked, columns, variant, with_notes=with_notes)
    found = whole.of_variant(variant or "")
    added = added_columns(found)
    refuse_taken(wrapped, found, added)
    notes = [*asked.disorder_note(), *left_out(whole, found)] if with_notes else []
    if isinstance(wrapped, nw.LazyFrame):
        _refuse_dots(wrapped, found, columns)
        lazy = LazyScores(wrapped, found, columns, asked.missing, counted=with_notes)
        refuse_misfits(found, lazy.facts)
        if with_notes:
            notes += scoring_notes(found, lazy.facts, lazy.tallies, lazy.unasked)
        return Scored(frame=lazy.frame().to_native(), notes=tuple(notes), columns=added)
    scored = _score_eager(wrapped, found, columns, asked.missing, with_notes=with_notes)
    return Scored(frame=scored.frame, notes=(*notes, *scored.notes), columns=added)


def added_columns(instrument: Instrument) -> tuple[str, ...]:
    """Return the columns that scoring adds."""
    safety = (instrument.safety_column,) if instrument.safety else ()
    return (*(name for scale in instrument.scores for name in scale.columns), *safety)


def refuse_taken(frame: Any, instrument: Instrument, added: Sequence[str]) -> None:
    """Refuse a frame that has such a column; raises InstrumentError."""
    taken = [name for name in added if name in frame.collect_schema().names()]
    if taken:
        raise InstrumentError(
            f"the data have the column {', '.join(taken)} already.",
            where=instrument.id,
            fix="Rename or drop it, or score a copy without it.",
        )


def _refuse_dots(frame: nw.LazyFrame[Any], instrument: Instrument, columns: Sequence[Column]) -> None:
    """Refuse names that Spark, and DuckDB in some versions, takes for a field inside a column."""
    dotted = [column.name for column in columns if "." in column.name]
    if dotted and not frame.implementation.is_polars():
        raise InstrumentError(
            f"Spark and DuckDB take the dot in {dotted[0]} for a field inside a column.",
            where=instrument.id,
            fix="Rename the columns, as in x_1_1 for x_1.1, and list them in item order.",
        )


def left_out(whole: Instrument, found: Instrument) -> list[str]:
    """Note the scores and bands that need a variant."""
    kept = {scale.id: scale for scale in found.scores}
    lost = [scale.column for scale in whole.scores if scale.id not in kept]
    lost += [f"{kept[s.id].column}_band" for s in whole.scores if s.id in kept and s.band_sets and not kept[s.id].bands]
    if not lost:
        return []
    options = ", ".join(f'"{entry.name}"' for entry in whole.variants)
    return [f"{whole.id}: {', '.join(lost)} not computed: name the variant ({options}) with variant=."]


def _score_by_variant(frame: Any, asked: Asked, columns: Sequence[Column], variant: str, *, with_notes: bool) -> Scored:
    """Score rows by the variant that a column names for each; rows keep their order."""
    whole = asked.instrument
    named = [entry.name for entry in whole.variants]
    if not named:
        raise InstrumentError("the instrument has no variants.", where=whole.id, fix="Leave variant out.")
    if variant not in frame.collect_schema().names():
        raise InstrumentError(
            f'variant="{variant}" is neither a variant of the instrument nor a column of the data.',
            where=whole.id,
            fix=did_you_mean(variant, named),
        )
    if isinstance(frame, nw.LazyFrame):
        raise InstrumentError(
            "a column of variants is read for data in memory only.",
            where=whole.id,
            fix="Collect the data first, or score each variant apart by its name.",
        )
    of_row = np.array([value if value in named else "" for value in frame[variant].to_list()], dtype=object)
    unknown = int((of_row == "").sum())
    if unknown:
        raise InstrumentError(
            f'column "{variant}" names no variant in {unknown} of {len(frame)} rows.',
            where=whole.id,
            fix=f"Variants are {', '.join(named)}; leave out rows without one, or score them apart.",
        )
    if not len(frame):
        return _score(frame.to_native(), asked, named[0], with_notes=with_notes)
    parts, notes, places = [], [], []
    for name in named:
        rows = np.flatnonzero(of_row == name)
        if len(rows):
            scored = _score(frame[rows].to_native(), asked, name, with_notes=with_notes)
            parts.append(nw.from_native(scored.frame, eager_only=True))
            notes += [f"{name} ({len(rows)} rows): {note}" for note in scored.notes]
            places.append(rows)
    added = tuple(dict.fromkeys(name for part in parts for name in part.columns if name not in frame.columns))
    joined = nw.concat(parts, how="vertical")
    back = np.argsort(np.concatenate(places), kind="stable")
    return Scored(frame=joined[back].to_native(), notes=tuple(notes), columns=added)


def _score_eager(
    frame: nw.DataFrame[Any],
    instrument: Instrument,
    columns: Sequence[Column],
    missing: Sequence[RawCode],
    *,
    with_notes: bool,
) -> Scored:
    plan = kernel.layout(instrument)
    codes, facts = answers(frame, columns, missing, plan)
    refuse_misfits(instrument, facts)
    unasked = kernel.fill_gated(instrument.gates, instrument.items, codes, plan)
    scores = kernel.score_columns(instrument, codes, plan)
    scored = _with_safety(_with_scores(frame, scores), instrument, codes, scores, plan)
    notes: list[str] = []
    if with_notes:
        notes = scoring_notes(instrument, facts, [_tally(entry) for entry in scores], unasked)
        names = {column.item.id: column.name for column in columns}
        for entry in scores:
            if not entry.scale.parts:
                sample = _complete_sample(instrument, entry, codes, plan)
                notes += unreversed_note(instrument, entry.scale, names, sample)
    return Scored(frame=scored.to_native(), notes=tuple(notes), columns=added_columns(instrument))


def part_with_scores(
    frame: nw.DataFrame[Any], instrument: Instrument, codes: dict[str, Codes], plan: kernel.Layout
) -> tuple[Any, list[Tally]]:
    """Return a part of the data with its score columns, and the tallies of its scores."""
    scores = kernel.score_columns(instrument, codes, plan)
    scored = _with_safety(_with_scores(frame, scores), instrument, codes, scores, plan)
    return scored.to_native(), [_tally(entry) for entry in scores]


def _with_safety(
    frame: nw.DataFrame[Any],
    instrument: Instrument,
    codes: dict[str, Codes],
    scores: Sequence[kernel.Scored],
    plan: kernel.Layout,
) -> nw.DataFrame[Any]:
    """Add the count of answers that ask for action, where the instrument has such items."""
    if not instrument.safety:
        return frame
    counts = _values(
        instrument.safety_column, kernel.safety_counts(instrument, codes, scores, plan), frame.implementation
    )
    return frame.with_columns(counts if frame.implementation.is_pandas_like() else counts.cast(nw.Int32))


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
        made.append(_values(column, entry.values, backend))
        if entry.errors is not None:
            made.append(_values(f"{column}_se", entry.errors, backend))
        if entry.bands is not None:
            labels = nw.new_series("labels", [label.label for label in entry.scale.bands], backend=backend)
            made.append(labels[entry.bands].alias(band))
            if np.isnan(entry.values).any():
                unbanded.append(nw.when(~nw.col(column).is_null()).then(nw.col(band)).alias(band))
        made.append(nw.new_series(f"{column}_answered", entry.answered, backend=backend))
    scored = frame.with_columns(*made)
    return scored.with_columns(*unbanded) if unbanded else scored


def _values(name: str, values: Any, backend: Any) -> nw.Series[Any]:
    """Return numbers as a column of the backend's kind, with its own sign for a missing one."""
    made = nw.new_series(name, values, backend=backend)
    return made if backend.is_pandas_like() else made.fill_nan(None)


def _tally(entry: kernel.Scored) -> Tally:
    counts = np.bincount(entry.answered, minlength=1)
    return Tally(
        scale=entry.scale,
        rows=len(entry.answered),
        by_answered=dict(enumerate(counts.tolist())),
        scored=int(np.count_nonzero(~np.isnan(entry.values))),
    )


def _complete_sample(instrument: Instrument, entry: kernel.Scored, codes: dict[str, Codes], plan: kernel.Layout) -> Any:
    """Return the keyed answers of complete rows, at most `_SAMPLE` of them, evenly spread."""
    complete = np.flatnonzero(entry.answered == len(entry.scale.items))
    rows = complete[:: max(1, len(complete) // _SAMPLE)]
    few = {name: codes[name][rows] for name in entry.scale.items}
    return kernel.keyed_points(instrument, entry.scale, few, plan)
