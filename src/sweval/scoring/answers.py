"""Item columns of a frame in memory -> small-integer arrays of declared codes, and the facts of each column.

A missing answer becomes the column's `fill`, a number outside its codes that the kernel relies on. Whole-number columns
whose smallest and largest values are codes need one min/max pass; all others are decoded in chunks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sweval.scoring.request import Column, RawCode

Codes = NDArray[np.signedinteger[Any]]

_CHUNK = 1 << 17
_WIDE_CHUNK = 1 << 20
_NARROW = {1: nw.Int8, 2: nw.Int16, 4: nw.Int32}
MANY_STRAYS = 50
"""So many different values are no codes: they are not told apart any further."""


@dataclass(kw_only=True)
class Facts:
    """What one item column holds, in raw codes; `answered` leaves out nulls and missing codes.

    `outside` counts answers that are no code, `fractions` those of them that are no whole numbers, `strays` the most
    frequent of them. `text` is set where a column of text cannot be read: "digits", "labels" or "other"; `words` then
    counts the answers that are no whole numbers, where that is known.
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
    words: int = 0


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
    if series.null_count() == len(series):
        return np.full(len(series), fill, dtype=kind), facts
    dtype = series.dtype
    if dtype == nw.Boolean:
        series, dtype = series.cast(nw.Int8), nw.Int8()
    if dtype.is_integer():
        codes = _whole(series, facts, missing, fill, kind)
        if codes is not None:
            return codes, facts
    if dtype.is_numeric():
        return _numbers(_floats(series), facts, missing, fill, kind), facts
    if dtype in (nw.String, nw.Categorical, nw.Enum):
        return _words(series, facts, missing, fill, kind), facts
    numbers = _mixed(series)
    if numbers is not None:
        return _numbers(numbers, facts, missing, fill, kind), facts
    facts.text = "other"
    return np.full(len(series), fill, dtype=kind), facts


def _whole(
    series: nw.Series[Any], facts: Facts, missing: Sequence[RawCode], fill: int, kind: np.dtype[Any]
) -> Codes | None:
    """Return the codes of a whole-number column that needs no decoding, else None.

    Wide integers are narrowed part by part, so that each part is read from memory once.
    """
    item, target = facts.column.item, _NARROW[kind.itemsize]
    if not item.gapless or facts.column.recoded:
        return None
    numeric = [code for code in missing if not isinstance(code, str)]
    narrow = series.dtype == target
    step = max(len(series), 1) if narrow else _WIDE_CHUNK
    parts, answered, lows, highs = [], 0, [], []
    for start in range(0, len(series), step):
        part = series if narrow else series[start : start + step]
        nulls = part.null_count()
        answered += len(part) - nulls
        if nulls < len(part):
            low, high = int(part.min()), int(part.max())
            if low < item.low or high > item.high or any(low <= code <= high for code in numeric):
                return None
            lows.append(low)
            highs.append(high)
        part = part if narrow else part.cast(target)
        parts.append((part.fill_null(fill) if nulls else part).to_numpy())
    facts.answered, facts.low, facts.high = answered, min(lows), max(highs)
    return np.ascontiguousarray(parts[0] if len(parts) == 1 else np.concatenate(parts), dtype=kind)


def _floats(series: nw.Series[Any]) -> NDArray[np.float64]:
    """Return a numeric column as float64 with nan for null."""
    return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)


def _numbers(
    values: NDArray[np.float64], facts: Facts, missing: Sequence[RawCode], fill: int, kind: np.dtype[Any]
) -> Codes:
    """Decode numbers chunk by chunk through a table of all whole numbers between the lowest and highest raw code."""
    codes = np.empty(len(values), dtype=kind)
    raw = facts.column.numbers
    first, size = (min(raw), max(raw) - min(raw) + 1) if raw else (0, 0)
    table = np.full(size + 1, fill, dtype=kind)
    known = np.zeros(size + 1, dtype=bool)
    for code, declared in raw.items():
        table[code - first], known[code - first] = declared, True
    counts = np.zeros(size + 1, dtype=np.int64)
    for start in range(0, len(values), _CHUNK):
        part = values[start : start + _CHUNK]
        absent = np.isnan(part)
        for missing_code in missing:
            if not isinstance(missing_code, str):
                hit = part == missing_code
                facts.missing[missing_code] += int(np.count_nonzero(hit))
                absent |= hit
        with np.errstate(invalid="ignore"):  # nan and huge numbers become whole numbers that are ruled out next
            whole = part.astype(np.int32)
        place = np.minimum((whole - np.int32(first)).view(np.uint32), np.uint32(size)).astype(np.intp)
        place[(whole != part) | absent] = size
        np.take(table, place, out=codes[start : start + _CHUNK], mode="clip")
        found = np.bincount(place, minlength=size + 1)
        counts += found
        if int(found[known].sum()) + np.count_nonzero(absent) < len(part):
            _add_strays(facts, part[~known[place] & ~absent])
    given = np.flatnonzero(np.where(known, counts, 0)) + first
    if len(given):
        _widen(facts, int(given[0]), int(given[-1]))
    facts.answered += int(counts[known].sum())
    return codes


def _add_strays(facts: Facts, strays: NDArray[np.float64]) -> None:
    """Count answers that are no codes."""
    _widen(facts, float(strays.min()), float(strays.max()))
    facts.answered += len(strays)
    facts.outside += len(strays)
    finite = strays[np.isfinite(strays)]
    whole = finite == np.floor(finite)
    facts.fractions += int(np.count_nonzero(~whole))
    if len(facts.strays) < MANY_STRAYS:
        found, counts = np.unique(finite[whole], return_counts=True)
        facts.strays.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))


def _widen(facts: Facts, low: float, high: float) -> None:
    facts.low = low if facts.low is None else min(facts.low, low)
    facts.high = high if facts.high is None else max(facts.high, high)


def _words(series: nw.Series[Any], facts: Facts, missing: Sequence[RawCode], fill: int, kind: np.dtype[Any]) -> Codes:
    """Decode a column of text by the words of a declared coding; blank text is no answer."""
    trimmed = series.cast(nw.String).str.strip_chars().fill_null("")
    codes = np.full(len(series), fill, dtype=kind)
    answered = (trimmed != "").to_numpy() & ~series.is_null().to_numpy()
    for code in missing:
        hit = (trimmed == str(code)).to_numpy()
        facts.missing[code] += int(np.count_nonzero(hit))
        answered &= ~hit
    facts.answered = int(np.count_nonzero(answered))
    if not facts.answered:
        return codes
    if not facts.column.recoded:
        digits = trimmed.str.contains(r"^[+-]?\d+(?:\.0*)?$").to_numpy()
        facts.words = int(np.count_nonzero(answered & ~digits))
        facts.text = "labels" if facts.words else "digits"
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
    import pandas as pd

    absent = (type(None), type(pd.NA))
    values = [np.nan if isinstance(value, absent) else value for value in series.to_list()]
    if all(isinstance(value, (int, float, np.number, Decimal)) for value in values):
        return np.array(values, dtype=np.float64)
    return None
