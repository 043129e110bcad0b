"""Score whole-number answers in memory: add the item columns, then look the result up.

A missing answer is stored as a code so large that the sum of a row tells both the points given and how many answers are
missing:  index = points + step * missing,  with `step` above every possible number of points. One table per score then
turns the index into the score, its band and the number of answers. Adding and looking up run in chunks that stay in the
processor's cache, on as many threads as there are processors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sweval.scoring.answers import Codes
from sweval.scoring.records import Gate, Instrument, Item, Scale
from sweval.scoring.rules import band_numbers, looked_up, points_of, score_value, weighted

_CHUNK = 1 << 18
_THREADED_ROWS = 1 << 18
_Argument = TypeVar("_Argument")
_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How answers are stored: the fill code of each item, and the integer type that holds fills and codes."""

    base: int
    step: int
    fills: tuple[int, ...]
    kind: np.dtype[Any]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """One score of every row: values (nan = missing), errors and band numbers (None without), answers given."""

    scale: Scale
    values: NDArray[np.float64]
    errors: NDArray[np.float64] | None
    bands: NDArray[np.uint8] | None
    answered: NDArray[np.int32]


def layout(instrument: Instrument) -> Layout:
    """Return how the answers to an instrument are stored."""
    spans = [
        [(min(points.values()), max(points.values())) for points in points_of(instrument, scale).values()]
        for scale in _made_of_items(instrument)
    ]
    base = min([low for span in spans for low, _ in span] + [item.low for item in instrument.items])
    most = [sum(high - base for _, high in span) for span in spans]
    step = 1 + max(most + [item.high - base for item in instrument.items])
    fills = tuple(item.low + item.high - base - step if item.reversed else base + step for item in instrument.items)
    extremes = [*fills, *(item.high for item in instrument.items), *(item.low for item in instrument.items)]
    return Layout(base=base, step=step, fills=fills, kind=np.min_scalar_type(-max(map(abs, extremes)) - 1))


def in_threads(work: Callable[[_Argument], _Value], parts: Iterable[_Argument], rows: int) -> list[_Value]:
    """Return `[work(part) for part in parts]`, on several threads where there are enough rows."""
    workers = min(os.cpu_count() or 1, 8)
    if rows < _THREADED_ROWS or workers == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, parts))


def fill_gated(gates: Sequence[Gate], items: Sequence[Item], columns: dict[str, Codes], plan: Layout) -> list[int]:
    """Write the code of items that were not asked into their columns; return the number of cells per gate."""
    fills = dict(zip([item.id for item in items], plan.fills, strict=True))
    filled = []
    for gate in gates:
        closed = np.ones(len(next(iter(columns.values()))), dtype=bool)
        for name, codes in gate.when_any.items():
            closed &= (columns[name] != fills[name]) & ~np.isin(columns[name], codes)
        for name in gate.asks:  # whoever gave another answer was asked, whatever the gate says
            closed &= (columns[name] == fills[name]) | (columns[name] == gate.otherwise)
        cells = 0
        for name in gate.asks:
            unasked = closed & (columns[name] == fills[name])
            columns[name] = np.where(unasked, gate.otherwise, columns[name]).astype(plan.kind)
            cells += int(np.count_nonzero(unasked))
        filled.append(cells)
    return filled


def score_columns(instrument: Instrument, columns: dict[str, Codes], plan: Layout) -> tuple[Scored, ...]:
    """Return every score for every row.

    Parameters
    ----------
    instrument
        The rules.
    columns
        Item id -> codes, shape (rows,), with the layout's fill for missing answers.
    plan
        From `layout`.
    """
    made: dict[str, Scored] = {}
    for scale in instrument.scores:
        made[scale.id] = (
            _weighted(scale, made, columns, fills_of(instrument, plan))
            if scale.op == "weighted"
            else (_score(scale, instrument, columns, plan))
        )
    return tuple(made.values())


def fills_of(instrument: Instrument, plan: Layout) -> dict[str, int]:
    """Return item id -> the number that stands for a missing answer."""
    return dict(zip([item.id for item in instrument.items], plan.fills, strict=True))


def keyed_points(instrument: Instrument, scale: Scale, columns: dict[str, Codes], plan: Layout) -> NDArray[np.float64]:
    """Return what each answer counts in a score, nan for missing answers; shape (rows, items of the score)."""
    fills = fills_of(instrument, plan)
    keyed = []
    for name, points in points_of(instrument, scale).items():
        first = min(points)
        table = np.full(max(points) - first + 1, np.nan)
        for code, count in points.items():
            table[code - first] = count
        missing = columns[name] == fills[name]
        place = np.where(missing, first, columns[name]).astype(np.intp) - first
        keyed.append(np.where(missing, np.nan, table[place]))
    return np.column_stack(keyed)


def safety_counts(instrument: Instrument, columns: dict[str, Codes], scores: Sequence[Scored], plan: Layout) -> Any:
    """Return how many safety items of each row ask for action, nan where none was answered; shape (rows,)."""
    fills, values = fills_of(instrument, plan), {entry.scale.id: entry.values for entry in scores}
    rows = len(next(iter(columns.values())))
    given, hits = np.zeros(rows, dtype=bool), np.zeros(rows)
    for entry in instrument.safety:
        if entry.item:
            known = columns[entry.item] != fills[entry.item]
            hits += known & (columns[entry.item] >= entry.at_least)
        else:
            known = ~np.isnan(values[entry.score])
            hits += known & (values[entry.score] >= entry.at_least)
        given |= known
    return np.where(given, hits, np.nan)


def _made_of_items(instrument: Instrument) -> list[Scale]:
    return [scale for scale in instrument.scores if scale.op != "weighted"]


def _weighted(scale: Scale, made: dict[str, Scored], columns: dict[str, Codes], fills: dict[str, int]) -> Scored:
    values = weighted(scale, [made[part.id].values for part in scale.parts])
    answered = np.zeros(len(values), dtype=np.int32)
    for name in scale.items:
        answered += columns[name] != fills[name]
    bands = band_numbers(scale, values).astype(np.uint8) if scale.bands else None
    out = Scored(scale=scale, values=values, errors=None, bands=bands, answered=answered)
    _limit(out, columns, fills)
    return out


def _score(scale: Scale, instrument: Instrument, columns: dict[str, Codes], plan: Layout) -> Scored:
    items = [instrument.item(name) for name in scale.items]
    counted = {name: _counted(columns[name], points, plan) for name, points in scale.points.items()}
    plain = [item for item in items if item.id not in counted]
    added = [columns[item.id] for item in plain if not item.reversed] + list(counted.values())
    taken = [columns[item.id] for item in plain if item.reversed]
    start = sum(item.low + item.high - plan.base if item.reversed else -plan.base for item in plain)
    start -= plan.base * len(counted)
    values, errors, bands, answered = _tables(scale, plan)
    rows = len(columns[items[0].id])
    last = len(values) - 1
    # Small integers wrap around, so a sum that ends within their range is right whatever happened on the way.
    narrow = last <= np.iinfo(np.uint8).max and plan.kind.itemsize == 1
    middle = last <= np.iinfo(np.int16).max and plan.kind.itemsize <= np.dtype(np.int16).itemsize
    kind = np.dtype(np.uint8 if narrow else np.int16 if middle else np.int32)
    if narrow:
        added = [column.view(np.uint8) for column in added]
        taken = [column.view(np.uint8) for column in taken]
    out = Scored(
        scale=scale,
        values=np.empty(rows),
        errors=None if errors is None else np.empty(rows),
        bands=None if bands is None else np.empty(rows, dtype=np.uint8),
        answered=np.empty(rows, dtype=np.int32),
    )

    def work(first: int) -> None:
        part = slice(first, min(first + _CHUNK, rows))
        index = np.full(part.stop - first, start % 256 if narrow else start, dtype=kind)
        for column in added:
            index += column[part]
        for column in taken:
            index -= column[part]
        place = index.astype(np.intp)
        np.take(values, place, out=out.values[part], mode="clip")
        np.take(answered, place, out=out.answered[part], mode="clip")
        if errors is not None and out.errors is not None:
            np.take(errors, place, out=out.errors[part], mode="clip")
        if bands is not None and out.bands is not None:
            np.take(bands, place, out=out.bands[part], mode="clip")

    in_threads(work, range(0, rows, _CHUNK), rows)
    _limit(out, columns, fills_of(instrument, plan))
    return out


def _counted(codes: Codes, points: dict[int, int], plan: Layout) -> Codes:
    """Return what the codes of an item count; a missing answer counts as the layout's fill for an item that adds."""
    first = min(points)
    table = np.full(max(points) - first + 2, plan.base + plan.step, dtype=plan.kind)
    for code, count in points.items():
        table[code - first] = count
    place = codes.astype(np.intp) - first
    place[(place < 0) | (place >= len(table))] = len(table) - 1  # the fill, which is no code
    return table[place]


def _limit(out: Scored, columns: dict[str, Codes], fills: dict[str, int]) -> None:
    """Take away the scores of rows that leave out too many of other items."""
    for limit in out.scale.missing.limits:
        lacking = np.zeros(len(out.values), dtype=np.int32)
        for name in limit.items:
            lacking += columns[name] == fills[name]
        beyond = lacking > limit.max_missing
        out.values[beyond] = np.nan
        if out.errors is not None:
            out.errors[beyond] = np.nan
        if out.bands is not None:
            out.bands[beyond] = 0


Tables = tuple[NDArray[np.float64], NDArray[np.float64] | None, NDArray[np.uint8] | None, NDArray[np.int32]]


def _tables(scale: Scale, plan: Layout) -> Tables:
    """Return score, standard error, band number and number of answers by index = points + step * missing."""
    members = len(scale.items)
    size = members * plan.step + 1
    missing, points = np.divmod(np.arange(size), plan.step)
    answered = members - missing
    values = np.array(
        [
            score_value(scale, float(given + plan.base * count), int(count))
            for given, count in zip(points.tolist(), answered.tolist(), strict=True)
        ]
    )
    bands = band_numbers(scale, values).astype(np.uint8) if scale.bands else None
    return values, _errors(scale, points + plan.base * answered, answered), bands, answered.astype(np.int32)


def _errors(scale: Scale, totals: NDArray[np.intp], answered: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """Return the standard error of a score that is looked up, where its table has one."""
    if scale.table is None or not scale.table.has_errors:
        return None
    raw = [
        score_value(scale.parts[0], float(total), int(count))
        for total, count in zip(totals.tolist(), answered.tolist(), strict=True)
    ]
    return np.array([looked_up(scale, value, place=2) for value in raw])
