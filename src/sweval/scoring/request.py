"""What the caller asks for, made explicit: which column holds which item, and what each raw code stands for."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sweval.errors import InstrumentError, did_you_mean
from sweval.scoring.records import Instrument, Item

RawCode = int | float | str
CodingArgument = str | Mapping[RawCode, int] | None

_PLACE = re.compile(r"\{item(?::0?(\d+)d)?\}")
_SPAN = re.compile(r"\s*(-?\d+)\s*(?:-|\.\.|to)\s*(-?\d+)\s*")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One item column: the item, its name in the data, and raw code -> declared code."""

    item: Item
    name: str
    codes: Mapping[RawCode, int]
    recoded: bool

    @property
    def numbers(self) -> dict[int, int]:
        """The raw codes that a column of numbers can hold, lowest first."""
        return dict(sorted((raw, code) for raw, code in self.codes.items() if isinstance(raw, int)))

    @property
    def words(self) -> dict[str, int]:
        """The raw codes as a column of text holds them."""
        return {str(raw): code for raw, code in self.codes.items()}


def item_columns(instrument: Instrument, items: str | Sequence[str], order: str | None = None) -> tuple[str, ...]:
    """Return the column of each item, from a pattern such as `phq_{item}` or a list in item order.

    `{item}` stands for the item's id and `{item:02d}` for a number padded with zeros; nothing else is special. With the
    name of another `order` of the instrument, list and numbers follow that order.

    Raises
    ------
    InstrumentError
        If the pattern has no place for the item, the list does not hold one column per item, or the order is unknown.
    """
    if order is None:
        return _columns(instrument, items, [item.id for item in instrument.items])
    named = {entry.name: entry.items for entry in instrument.orders}
    if order not in named:
        raise InstrumentError(
            f'there is no order "{order}".', where=instrument.id, fix=did_you_mean(order, named) or "Leave order out."
        )
    columns = _columns(instrument, items, [str(number) for number in range(1, len(named[order]) + 1)])
    place = dict(zip(named[order], columns, strict=True))
    return tuple(place[item.id] for item in instrument.items)


def _columns(instrument: Instrument, items: str | Sequence[str], ids: Sequence[str]) -> tuple[str, ...]:
    """Return one column for each id, in their order."""
    if isinstance(items, str):
        found = _PLACE.search(items)
        if found is None or _PLACE.search(items, found.end()):
            raise InstrumentError(
                f'items="{items}" is no pattern with one place for the item.',
                where=instrument.id,
                fix='Write items="phq_{item}" (or {item:02d} for 01, 02, ...), or list the columns in item order.',
            )
        before, after = items[: found.start()], items[found.end() :]
        return tuple(before + _padded(name, found) + after for name in ids)
    if not isinstance(items, Sequence):
        raise InstrumentError(
            f"items must be a pattern or a list of columns, not {type(items).__name__}.",
            where=instrument.id,
            fix='Write a pattern such as items="phq_{item}", or list the columns in item order.',
        )
    names = list(items)
    if len(names) != len(ids):
        raise InstrumentError(
            f"items lists {len(names)} columns, but the instrument has {len(ids)} items.",
            where=instrument.id,
            fix=f"List one column per item, in this order: {', '.join(ids)}.",
        )
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise InstrumentError(
            f"items lists {', '.join(doubles)} more than once.",
            where=instrument.id,
            fix="Each item has a column of its own.",
        )
    return tuple(names)


def _padded(item_id: str, place: re.Match[str]) -> str:
    width = place.group(1)
    if width is None:
        return item_id
    if not item_id.isdigit():
        raise InstrumentError(f'item "{item_id}" is no number, so {place.group(0)} cannot pad it.', fix="Use {item}.")
    return item_id.zfill(int(width))


def disorder_note(instrument: Instrument, columns: Sequence[Column]) -> list[str]:
    """Note listed columns whose names are numbered in another order than the items."""
    ends = [re.search(r"(\d+)\D*$", column.name) for column in columns]
    numbers = [int(end[1]) for end in ends if end]
    if len(numbers) < len(columns) or len(set(numbers)) < len(numbers) or numbers == sorted(numbers):
        return []
    place = next(k for k in range(1, len(numbers)) if numbers[k] < numbers[k - 1])
    return [
        f"Check: {instrument.id} takes its items in the instrument's order, but {columns[place].name} stands after "
        f"{columns[place - 1].name}. List the columns in item order, or name another numbering with order=."
    ]


def missing_codes(missing: Sequence[RawCode] | RawCode | None) -> tuple[RawCode, ...]:
    """Return the codes that stand for no answer, each once; NaN needs no declaring."""
    if missing is None:
        return ()
    codes = (missing,) if isinstance(missing, (int, float, str)) else missing
    return tuple(dict.fromkeys(_key(code) for code in codes if isinstance(code, str) or not math.isnan(code)))


def request(
    instrument: Instrument,
    items: str | Sequence[str],
    coding: CodingArgument,
    missing: Sequence[RawCode],
    order: str | None = None,
) -> tuple[Column, ...]:
    """Return every item column with its codes.

    Raises
    ------
    InstrumentError
        If the columns or the coding do not fit the instrument, or a missing code is also an answer code.
    """
    names = item_columns(instrument, items, order)
    recodes = _recodes(instrument, coding)
    columns = tuple(
        Column(item=item, name=name, codes=recodes[item.id], recoded=coding is not None)
        for item, name in zip(instrument.items, names, strict=True)
    )
    for code in missing:
        clash = [column.name for column in columns if code in column.codes]
        if clash:
            raise InstrumentError(
                f"{code} is given as a missing code but is an answer code of {_listed(clash)}.",
                where=instrument.id,
                fix="Leave it out of missing, or declare the raw codes with coding=.",
            )
    return columns


def _recodes(instrument: Instrument, coding: CodingArgument) -> dict[str, Mapping[RawCode, int]]:
    """Return raw code -> declared code for each item id."""
    declared: dict[str, Mapping[RawCode, int]] = {
        item.id: {code: code for code in item.codes} for item in instrument.items
    }
    if coding is None:
        return declared
    if isinstance(coding, str):
        named = {entry.name: entry for entry in instrument.codings}
        if coding in named:
            for row in named[coding].recodes:
                declared |= {item: dict(row.codes.items()) for item in row.items}
            return declared
        span = _SPAN.fullmatch(coding)
        if span is None:
            options = [*named, *[f"{item.low + 1}-{item.high + 1}" for item in instrument.items[:1]]]
            raise InstrumentError(
                f'coding="{coding}" is not understood.',
                where=instrument.id,
                fix=f'Write the raw codes, lowest first, as in coding="1-4", or a table {{1: 0, 2: 1}}. '
                f"{did_you_mean(coding, options)}",
            )
        return {item.id: _span(instrument, item, int(span[1]), int(span[2])) for item in instrument.items}
    table = {_key(raw): code for raw, code in coding.items()}
    wrong = sorted({code for code in table.values() if not any(code in item.codes for item in instrument.items)})
    if wrong or not table:
        raise InstrumentError(
            f"coding leads to {_listed(map(str, wrong))}, which is no code of the instrument."
            if wrong
            else "coding is empty.",
            where=instrument.id,
            fix=f"Codes are {_listed(map(str, instrument.items[0].codes))}.",
        )
    return {item.id: {raw: code for raw, code in table.items() if code in item.codes} for item in instrument.items}


def _span(instrument: Instrument, item: Item, first: int, last: int) -> Mapping[RawCode, int]:
    """Return the codes of a span such as 1-4 (or 4-1) in the order of the declared codes."""
    raw = range(first, last + 1) if first <= last else range(first, last - 1, -1)
    if len(raw) != len(item.codes):
        raise InstrumentError(
            f'coding="{first}-{last}" has {len(raw)} codes, but item {item.id} has {len(item.codes)}: '
            f"{_listed(map(str, item.codes))}.",
            where=instrument.id,
        )
    if len(raw) == 2 and (first, last) != item.codes:
        raise InstrumentError(
            f'coding="{first}-{last}" does not say which of two answers is which.',
            where=instrument.id,
            fix=f"Write coding={{{first}: {item.high}, {last}: {item.low}}} if {first} stands for {item.high} "
            f"({item.high} means yes where items ask yes or no), else {{{first}: {item.low}, {last}: {item.high}}}.",
        )
    return dict(zip(raw, item.codes, strict=True))


def _key(code: RawCode) -> RawCode:
    """Return 1 for "1" and 1.0, so that tables from TOML (text keys) and Python agree; words stay words."""
    if isinstance(code, str):
        text = code.strip()
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else text
    return int(code) if float(code).is_integer() else code


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values)
