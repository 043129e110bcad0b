"""What the texts of a file without types stand for: numbers, dates, yes/no, or just text.

A column is decided over all its cells. It becomes numbers or dates only if every filled cell is one; ids that begin
with zero or are longer than 15 digits stay text, because as numbers they would change. What could be read in two
ways stays text and is reported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweval.data.phrases import columns_text, count_text, rows_text
from sweval.data.raw import RawColumn, RawTable
from sweval.data.text_dates import impossible, is_date, is_parted, is_zoned, iso_texts
from sweval.data.text_numbers import NumberStyle, number_style, parse_numbers
from sweval.errors import DataError

_TRUTH = [("false", "true"), ("False", "True"), ("FALSE", "TRUE")]
_NUMBER_STARTS = frozenset("0123456789+-.,")
_TRUTH_WORDS = {"true", "false", "yes", "no"}
_MISSING_WORDS = {"na", "n/a", "#n/a", "nan", "null", "none", ".", "-", "--"}


@dataclass(frozen=True, kw_only=True)
class TextRules:
    """What the user said about the texts of a file.

    Parameters
    ----------
    decimal
        "." or ",", None to find it out.
    dates
        "day-first" or "month-first" for 05/06/2025; None leaves such cells text.
    missing
        Texts that mean missing in every column.
    comma_likely
        True where the file separates cells by semicolons, as programs do where the comma is the decimal mark.
    where
        Name of the file for errors.
    """

    decimal: str | None = None
    dates: str | None = None
    missing: tuple[str, ...] = ()
    comma_likely: bool = False
    where: str


def resolve(table: RawTable, rules: TextRules) -> RawTable:
    """Return the table with every open text column turned into what all its cells are.

    Raises
    ------
    DataError
        If `dates` is given and a column of such dates holds one that is impossible; row and column are named.
    """
    columns = [_without_tokens(column, rules.missing) for column in table.columns]
    styles = [number_style(column.texts) if column.open_texts else None for column in columns]
    decimal = _decimal_of_file(styles, rules)
    notes: list[str] = []
    found: dict[str, list[str]] = {}
    resolved = []
    for column, style in zip(columns, styles, strict=True):
        if not column.open_texts or not column.texts:
            resolved.append(_empty(column) if column.open_texts else column)
            continue
        numbers = parse_numbers(column.texts, style, decimal)
        if style is not None and numbers is not None:
            if style.grouped or style.ambiguous_with(decimal):
                found.setdefault("grouped", []).append(column.name)
            elif style.proven and rules.decimal not in (None, style.mark):
                found.setdefault("against", []).append(column.name)
            elif style.mark == ",":
                found.setdefault("comma", []).append(column.name)
            resolved.append(_numbers(column, numbers))
            continue
        other = _as_dates(column, rules, table) or _as_truth(column)
        if other is None:
            other = dataclasses.replace(column, open_texts=False)
            notes += _oddities(column, style, table, rules.dates)
        resolved.append(other)
    notes = [*_found_notes(found), *notes]
    return dataclasses.replace(table, columns=tuple(resolved), notes=(*table.notes, *notes))


def _without_tokens(column: RawColumn, tokens: Sequence[str]) -> RawColumn:
    """Empty the cells that hold a missing token, and count them by token."""
    if not tokens:
        return column
    if column.kind == "number":
        return _without_number_tokens(column, tokens)
    if column.kind != "text":
        return column
    hit = [text.strip() in tokens for text in column.texts]
    if not any(hit):
        return column
    counts = np.bincount(column.data[column.data >= 0], minlength=len(column.texts))
    tagged: dict[str, int] = {}
    for text, count, is_token in zip(column.texts, counts, hit, strict=True):
        if is_token:
            tagged[text.strip()] = tagged.get(text.strip(), 0) + int(count)
    place = np.cumsum([not is_token for is_token in hit]) - 1
    lookup = np.append(np.where(hit, -1, place), -1).astype(np.int32)
    texts = tuple(text for text, is_token in zip(column.texts, hit, strict=True) if not is_token)
    return dataclasses.replace(column, data=lookup[column.data], texts=texts, tagged=tuple(sorted(tagged.items())))


def _without_number_tokens(column: RawColumn, tokens: Sequence[str]) -> RawColumn:
    data, tagged = column.data.astype(np.float64), []
    for token in tokens:
        style = number_style((token.strip(),))
        values = parse_numbers((token.strip(),), style, ".") if style is not None else None
        if values is not None and (data == values[0]).any():
            tagged.append((token.strip(), int((data == values[0]).sum())))
            data = np.where(data == values[0], np.nan, data)
    return dataclasses.replace(column, data=data, tagged=tuple(tagged)) if tagged else column


def _decimal_of_file(styles: Sequence[NumberStyle | None], rules: TextRules) -> str | None:
    """Return the decimal mark: declared, else the only one that some column proves, else the likely one."""
    if rules.decimal is not None:
        return rules.decimal
    proven = {style.mark for style in styles if style is not None and style.mark and style.proven}
    if len(proven) == 1:
        return proven.pop()
    return "," if rules.comma_likely and not proven else None


def _numbers(column: RawColumn, numbers: np.ndarray) -> RawColumn:
    values = np.append(numbers, np.nan)[column.data]
    return dataclasses.replace(column, kind="number", data=values, texts=(), open_texts=False)


def _empty(column: RawColumn) -> RawColumn:
    return dataclasses.replace(column, kind="number", data=np.full(len(column.data), np.nan), open_texts=False)


def _as_dates(column: RawColumn, rules: TextRules, table: RawTable) -> RawColumn | None:
    """Return the column as dates if all its texts are dates that can be read in one way only."""
    iso = iso_texts([text.strip() for text in column.texts], rules.dates)
    if iso is None:
        return None
    wrong = impossible(iso)
    if wrong and rules.dates is not None:
        raise DataError(
            f'column "{column.name}" holds no {rules.dates} date in '
            f"{rows_text(table.file_rows(np.isin(column.data, wrong)))}.",
            where=rules.where,
            fix="Write dates as 2025-06-05 (year-month-day), which can be read in one way only.",
        )
    if wrong:
        return None
    moments = np.array([*iso, "NaT"], dtype="datetime64[us]")
    return dataclasses.replace(column, kind="datetime", data=moments[column.data], texts=(), open_texts=False)


def _as_truth(column: RawColumn) -> RawColumn | None:
    """Return the column as yes/no if it holds true and false in one spelling."""
    if len(column.texts) > len(_TRUTH[0]):
        return None
    texts = {text.strip() for text in column.texts}
    for false, true in _TRUTH:
        if texts <= {false, true}:
            values = np.array([*(text.strip() == true for text in column.texts), -1], dtype=np.int8)
            return dataclasses.replace(column, kind="boolean", data=values[column.data], texts=(), open_texts=False)
    return None


def _found_notes(found: dict[str, list[str]]) -> list[str]:
    notes = []
    if "comma" in found:
        notes.append(f"{columns_text(found['comma'])}: the comma was read as the decimal mark (3,5 is 3.5).")
    if "against" in found:
        notes.append(
            f"{columns_text(found['against'])}: the cells show another decimal mark than decimal= says, and were read "
            "by what they show."
        )
    if "grouped" in found:
        notes.append(
            f"{columns_text(found['grouped'])}: a point or comma before three digits was read by the decimal mark of "
            "the file. Pass decimal= if that is wrong."
        )
    return notes


def _oddities(column: RawColumn, style: NumberStyle | None, table: RawTable, order: str | None) -> list[str]:
    """Say why a column stays text although most of its cells look like something else."""
    name = f'column "{column.name}"'
    cells = np.bincount(column.data[column.data >= 0], minlength=len(column.texts))
    texts = [text.strip() for text in column.texts]
    if not _mostly(cells, [text[0] in _NUMBER_STARTS or text.lower() in _TRUTH_WORDS for text in texts]):
        return []
    if style is not None and style.whole_text:
        zero = [text[0] == "0" and len(text) > 1 and text[1].isdigit() for text in texts]
        padded = len({len(text) for text in texts}) == 1
        odd = np.isin(column.data, np.flatnonzero(zero))
        if padded or not odd.any() or _mostly(cells, zero):
            return []
        return [f"{name} stays text: {count_text(int(odd.sum()), 'cell')} ({_rows(table, odd)}) with a zero in front."]
    if style is not None and style.mark and not style.mixed:
        count = count_text(int(cells[[style.mark in text for text in texts]].sum()), "cell")
        other = "," if style.mark == "." else "."
        return [
            f'{name} stays text: {count} like 1{style.mark}250 can mean 1250 or 1.25. Pass decimal="{other}" if the '
            f'mark separates thousands, or decimal="{style.mark}" if it is the decimal mark.'
        ]
    parted = [is_parted(text) for text in texts]
    dated = [is_date(text, order) for text in texts]
    if any(parted) and order is None and _mostly(cells, [any(pair) for pair in zip(parted, dated, strict=True)]):
        return [
            f"{name} stays text: dates such as 05/06/2025 can be read in two ways. Pass "
            'dates="day-first" if the day comes first (four-digit years), or write 2025-06-05.'
        ]
    if all(parted):
        return [f"{name} stays text: dates need years of four digits."]
    if all(is_zoned(text) for text in texts):
        return [f"{name} stays text: its times carry time zones."]
    lowered = {text.lower() for text in texts}
    if lowered <= _TRUTH_WORDS and (len(lowered) < len(set(texts)) or len(lowered) > 2):
        spellings = ", ".join(sorted(set(texts)))
        return [f"{name} stays text: yes and no are spelled in different ways ({spellings})."]
    if style is not None and style.mixed:
        return [f"{name} stays text: its numbers mix decimal marks."]
    numeric = [_is_plain_number(text) for text in texts]
    for fits, noun in ((numeric, "number"), (dated, "date")):
        if _mostly(cells, fits) and not all(fits):
            return [_exceptions(column, texts, fits, table, f"{name} stays text", noun)]
    return []


def _exceptions(column: RawColumn, texts: list[str], fits: list[bool], table: RawTable, start: str, noun: str) -> str:
    """Name the rows, not the contents, of the cells that keep a column from being numbers or dates."""
    odd = np.isin(column.data, np.flatnonzero(~np.array(fits)))
    words = sorted({text for text, fit in zip(texts, fits, strict=True) if not fit})
    fix = ""
    if all(word.lower() in _MISSING_WORDS for word in words):
        fix = f" If these cells mean missing, pass missing={words!r}."
    verb = "is not" if odd.sum() == 1 else "are not"
    ending = f"a {noun}" if odd.sum() == 1 else f"{noun}s"
    return f"{start}: {count_text(int(odd.sum()), 'cell')} ({_rows(table, odd)}) {verb} {ending}.{fix}"


def _rows(table: RawTable, mask: np.ndarray) -> str:
    return rows_text(table.file_rows(mask))


def _mostly(cells: np.ndarray, fits: list[bool]) -> bool:
    return bool(cells[np.array(fits)].sum() > cells.sum() / 2)


def _is_plain_number(text: str) -> bool:
    style = number_style((text,))
    return style is not None and not style.whole_text
