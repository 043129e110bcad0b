"""Item columns of a frame in memory -> small-integer arrays of declared codes, and the facts of each column.

A missing answer becomes the column's `fill`, a number outside its codes that the kernel relies on. Whole-number columns
whose smallest and largest values are codes need one min/max pass; all others are decoded in chunks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sweval.scoring.request import Column, RawCode

Codes = NDArray[np.signedinteger[Any]]

_CHUNK = 1 << 20
MANY_STRAYS = 50
"""So many different values are no codes: they are not told apart any further."""


@dataclass(kw_only=True)
class Facts:
    """What one item column holds, in raw codes; `answered` leaves out nulls and missing codes.

    `outside` counts answers that are no code, `fractions` those of them that are no whole numbers, `strays` the most
    frequent of them. `text` is set where a column of text cannot be read: "digits", "labels" or "other".
    """

    column: Column
    rows: int
    answered: int = 0
    low: float | None = None
    high: float | None = None
    outside: int = 0
    fractions: int = 0
    strays: Counter[float] = field(default_factory=Counter)
    missing: Counter[RawCode] = field(default_factory=Counter)
    text: str = ""


def read_answers(
    series: nw.Series[Any], column: Column, missing: Sequence[RawCode], fill: int, kind: np.dtype[Any]
) -> tuple[Codes, Facts]:
    """Return declared codes with `fill` for missing answers, and the facts.

    Parameters
    ----------
    series
        The item column, shape (rows,).
    column
        Its item and raw codes.
    missing
        Raw codes that stand for a missing answer.
    fill, kind
        What to write for a missing answer, and the integer type of the result.

    Returns
    -------
    tuple
        Array of shape (rows,) and `Facts`. Answers outside the codes are `fill` in the array and counted in the facts.
    """
    facts = Facts(column=column, rows=len(series))
    nulls = series.null_count()
    if nulls == len(series):
        return np.full(len(series), fill, dtype=kind), facts
    dtype = series.dtype
    if dtype == nw.Boolean:
        series, dtype = series.cast(nw.Int8), nw.Int8()
    if dtype.is_integer():
        codes = _whole(series, nulls, facts, missing, fill, kind)
        if codes is not None:
            return codes, facts
    if dtype.is_numeric():
        return _numbers(_floats(series), facts, missing, fill, kind), facts
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        return _words(series.cast(nw.String), facts, missing, fill, kind), facts
    numbers = _mixed(series)
    if numbers is not None:
        return _numbers(numbers, facts, missing, fill, kind), facts
    facts.text = "other"
    return np.full(len(series), fill, dtype=kind), facts


def _whole(
    series: nw.Series[Any], nulls: int, facts: Facts, missing: Sequence[RawCode], fill: int, kind: np.dtype[Any]
) -> Codes | None:
    """Return the codes of a whole-number column that needs no decoding, else None."""
    item = facts.column.item
    low, high = int(series.min()), int(series.max())
    clean = item.gapless and not facts.column.recoded and item.low <= low and high <= item.high
    if not clean or any(not isinstance(code, str) and low <= code <= high for code in missing):
        return None
    facts.answered, facts.low, facts.high = len(series) - nulls, low, high
    target = nw.Int8 if kind.itemsize == 1 else nw.Int16 if kind.itemsize == 2 else nw.Int32
    if series.dtype != target:
        series = series.cast(target)
    if nulls:
        series = series.fill_null(fill)
    return np.ascontiguousarray(series.to_numpy(), dtype=kind)


def _floats(series: nw.Series[Any]) -> NDArray[np.float64]:
    """Return a numeric column as float64 with nan for null."""
    return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)


def _numbers(
    values: NDArray[np.float64], facts: Facts, missing: Sequence[RawCode], fill: int, kind: np.dtype[Any]
) -> Codes:
    """Decode numbers chunk by chunk, adding to the facts."""
    codes = np.empty(len(values), dtype=kind)
    table = facts.column.numbers
    raw = np.array(list(table), dtype=np.float64)
    declared = np.array([*table.values(), fill], dtype=kind)
    for start in range(0, len(values), _CHUNK):
        part = values[start : start + _CHUNK]
        absent = np.isnan(part)
        for code in missing:
            if not isinstance(code, str):
                hit = part == code
                facts.missing[code] += int(np.count_nonzero(hit))
                absent |= hit
        place = np.searchsorted(raw, part)
        place[place == len(raw)] = 0
        valid = (raw[place] == part) & ~absent if len(raw) else np.zeros(len(part), dtype=bool)
        codes[start : start + _CHUNK] = declared[np.where(valid, place, len(raw))]
        _add(facts, part[~absent], part[~absent & ~valid])
    return codes


def _add(facts: Facts, answers: NDArray[np.float64], strays: NDArray[np.float64]) -> None:
    if not len(answers):
        return
    low, high = float(answers.min()), float(answers.max())
    facts.low = low if facts.low is None else min(facts.low, low)
    facts.high = high if facts.high is None else max(facts.high, high)
    facts.answered += len(answers)
    facts.outside += len(strays)
    whole = strays == np.floor(strays)
    facts.fractions += int(np.count_nonzero(~whole))
    if len(facts.strays) < MANY_STRAYS:
        found, counts = np.unique(strays[whole], return_counts=True)
        facts.strays.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))


def _words(series: nw.Series[Any], facts: Facts, missing: Sequence[RawCode], fill: int, kind: np.dtype[Any]) -> Codes:
    """Decode a column of text by the words of a declared coding; blank text is no answer."""
    trimmed = series.str.strip_chars().fill_null("")
    codes = np.full(len(series), fill, dtype=kind)
    answered = (trimmed != "").to_numpy().copy()
    for code in missing:
        hit = (trimmed == str(code)).to_numpy()
        facts.missing[code] += int(np.count_nonzero(hit))
        answered &= ~hit
    facts.answered = int(np.count_nonzero(answered))
    if not facts.answered:
        return codes
    if not facts.column.recoded:
        digits = trimmed.str.contains(r"^[+-]?\d+(?:\.0*)?$").to_numpy()
        facts.text = "digits" if digits[answered].all() else "labels"
        return codes
    known = np.zeros(len(series), dtype=bool)
    for word, code in facts.column.words.items():
        hit = (trimmed == word).to_numpy() & answered
        codes[hit] = code
        known |= hit
    facts.outside = facts.answered - int(np.count_nonzero(known))
    return codes


def _mixed(series: nw.Series[Any]) -> NDArray[np.float64] | None:
    """Return a column of Python objects as numbers if all of them are, else None."""
    values = series.to_list()
    if all(value is None or isinstance(value, (int, float, np.number)) for value in values):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return None
