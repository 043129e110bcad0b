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
from sweval.scoring.rules import band_numbers, score_value

_CHUNK = 1 << 18
_THREADED_ROWS = 1 << 20
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
    """One score of every row: values (nan = missing), band numbers (None without bands), answers given."""

    scale: Scale
    values: NDArray[np.float64]
    bands: NDArray[np.uint8] | None
    answered: NDArray[np.int32]


def layout(instrument: Instrument) -> Layout:
    """Return how the answers to an instrument are stored."""
    items = {item.id: item for item in instrument.items}
    base = min(item.low for item in instrument.items)
    step = 1 + max(sum(items[name].high - base for name in scale.items) for scale in instrument.scores)
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
    return tuple(_score(scale, instrument, columns, plan) for scale in instrument.scores)


def _score(scale: Scale, instrument: Instrument, columns: dict[str, Codes], plan: Layout) -> Scored:
    items = [instrument.item(name) for name in scale.items]
    added = [columns[item.id] for item in items if not item.reversed]
    taken = [columns[item.id] for item in items if item.reversed]
    start = sum(item.low + item.high - plan.base if item.reversed else -plan.base for item in items)
    values, bands, answered = _tables(scale, plan)
    rows = len(columns[items[0].id])
    last = len(values) - 1
    # Bytes wrap around, so a sum that ends between 0 and 255 is right whatever happened on the way.
    narrow = last <= np.iinfo(np.uint8).max and plan.kind.itemsize == 1
    kind = np.dtype(np.uint8) if narrow else np.dtype(np.int32)
    if narrow:
        added = [column.view(np.uint8) for column in added]
        taken = [column.view(np.uint8) for column in taken]
    out = Scored(
        scale=scale,
        values=np.empty(rows),
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
        if bands is not None and out.bands is not None:
            np.take(bands, place, out=out.bands[part], mode="clip")

    in_threads(work, range(0, rows, _CHUNK), rows)
    return out


def _tables(scale: Scale, plan: Layout) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None, NDArray[np.int32]]:
    """Return score, band number and number of answers by index = points + step * missing."""
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
    return values, bands, answered.astype(np.int32)
