"""Excel workbooks: one sheet with a header row; runs in the child process of `native`."""

from __future__ import annotations

import datetime
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from sweval.data.header import checked_header
from sweval.data.phrases import columns_text, count_text, rows_text
from sweval.data.raw import RawColumn, RawTable, encode_texts
from sweval.data.refusal import RefusalError
from sweval.data.text_numbers import number_style
from sweval.errors import DataError, did_you_mean

_HIDDEN_ROW = re.compile(rb"<row\b[^>]*\br=\"(\d+)\"[^>]*\bhidden=\"(?:1|true)\"")
_FORMULA = re.compile(rb"<f[ >/]")
_MERGED = re.compile(rb"<mergeCell\b[^>]*\bref=\"[A-Z]+(\d+):[A-Z]+(\d+)\"")
_TOTALS = {"total", "grand total", "subtotal", "sum", "mean", "average", "jumlah", "rata-rata", "summe", "gesamt"}
_LONGEST_EXACT = 1e15


def parse_workbook(path: Path, *, sheet: str | None) -> RawTable:
    """Return the columns of one sheet; the first filled row holds the names.

    Raises
    ------
    RefusalError
        If the workbook is damaged, the sheet does not exist, no header is found, or formulas were never calculated.
    """
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        names = [found.title for found in book.worksheets]
        chosen = _chosen(names, sheet)
        page = book[chosen]
        page.reset_dimensions()
        rows = [list(cells) for cells in page.iter_rows(values_only=True)]
        source = page._worksheet_path
        book.close()
        with zipfile.ZipFile(path) as archive:
            xml = archive.read(source)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, EOFError, SyntaxError) as error:
        raise RefusalError("the workbook is damaged or cut off.", "Open it in Excel and save it again.") from error
    _refuse_uncalculated(path, chosen, rows, xml)
    notes = []
    if len(names) > 1 and sheet is None:
        others = ", ".join(f'"{name}"' for name in names if name != chosen)
        notes.append(f'the sheet "{chosen}" was read; the others are {others}. Pass sheet= to choose.')
    try:
        return _table(rows, xml, notes, path.name)
    except DataError as error:
        raise RefusalError(error.what, error.fix or "") from error


def _chosen(names: list[str], sheet: str | None) -> str:
    if not names:
        raise RefusalError("the workbook has no sheet with cells.")
    if sheet is None:
        return names[0]
    if sheet not in names:
        raise RefusalError(f'the workbook has no sheet "{sheet}".', did_you_mean(sheet, names))
    return sheet


def _refuse_uncalculated(path: Path, sheet: str, rows: list[list[Any]], xml: bytes) -> None:
    """Refuse formulas without a stored result: another program wrote them and no program calculated them."""
    if not _FORMULA.search(xml):
        return
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=False)
    page = book[sheet]
    page.reset_dimensions()
    uncalculated = []
    for number, (cells, values) in enumerate(zip(page.iter_rows(), rows, strict=False), start=1):
        if any(
            cell.data_type == "f" and value is None
            for cell, value in zip(cells, [*values, *[None] * len(cells)], strict=False)
        ):
            uncalculated.append(number)
    book.close()
    if uncalculated:
        raise RefusalError(
            f"{count_text(len(uncalculated), 'row')} with formulas that were never calculated "
            f"({rows_text(uncalculated)}).",
            "Open the workbook in Excel or LibreOffice, save it, and read it again.",
        )


def _table(rows: list[list[Any]], xml: bytes, notes: list[str], name: str) -> RawTable:
    filled = [[value is not None and value != "" for value in row] for row in rows]
    if not any(map(any, filled)):
        raise RefusalError("the sheet is empty.", "Pass sheet= to read another sheet.")
    start = next(number for number, row in enumerate(filled) if any(row))
    width = max(place + 1 for row in filled for place, full in enumerate(row) if full)
    header = checked_header([_header_text(value) for value in _padded(rows[start], width)], where=name, row=start + 1)
    body = [
        (number + 1, _padded(row, width)) for number, row in enumerate(rows) if number > start and any(filled[number])
    ]
    _refuse_title(header.names, body, start + 1, xml)
    gaps = body[-1][0] - start - 1 - len(body) if body else 0
    if gaps:
        notes.append(f"{count_text(gaps, 'row')} without any cell filled left out.")
    columns = [
        _column(column_name, list(cells), notes)
        for column_name, cells in zip(header.names, zip(*(row for _, row in body), strict=True), strict=False)
    ] or [_column(column_name, [], notes) for column_name in header.names]
    kept, header_notes = header.without_nameless(columns, where=name)
    disguised = [column.name for column in kept if column.kind == "text" and _holds_numbers(column)]
    if disguised:
        notes.append(
            f"{columns_text(disguised)}: numbers stored as text stay text. If you need them as numbers, "
            "convert them in Excel (Convert to Number)."
        )
    numbers = np.array([number for number, _ in body], dtype=np.int64)
    notes += [*header_notes, *_sheet_notes(body, xml)]
    return RawTable(family="workbook", rows=len(body), columns=kept, notes=tuple(notes), row_numbers=numbers)


def _refuse_title(names: tuple[str, ...], body: list[tuple[int, list[Any]]], row: int, xml: bytes) -> None:
    """Refuse a title row where names are expected: columns with data but no name, or merged cells in the row."""
    merged = [int(first) for first, _ in _MERGED.findall(xml)]
    nameless = [
        place for place, name in enumerate(names) if not name and any(cells[place] is not None for _, cells in body)
    ]
    if row in merged or (len(nameless) > 1 and len(nameless) >= len(names) / 2):
        why = (
            "has merged cells" if row in merged else f"names only {len(names) - len(nameless)} of {len(names)} columns"
        )
        raise RefusalError(
            f"row {row} {why}; no header was found.",
            "Delete title rows and merged cells, so that the first row holds one name per column.",
        )


def _sheet_notes(body: list[tuple[int, list[Any]]], xml: bytes) -> list[str]:
    notes = []
    hidden = sorted({int(number) for number in _HIDDEN_ROW.findall(xml)} & {number for number, _ in body})
    if hidden:
        notes.append(f"{count_text(len(hidden), 'hidden row')} ({rows_text(hidden)}) was read like the others.")
    totals = [
        number
        for number, cells in body
        if any(isinstance(value, str) and value.strip().rstrip(":").lower() in _TOTALS for value in cells)
    ]
    if totals:
        notes.append(
            f"{rows_text(totals)} looks like a total, not like a client, and is in the data; delete it in the workbook."
        )
    return notes


def _header_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _padded(row: list[Any], width: int) -> list[Any]:
    return [*row[:width], *[None] * (width - len(row))]


def _column(name: str, cells: list[Any], notes: list[str]) -> RawColumn:
    """Return a column by what its filled cells are; what differs among them makes it text."""
    kinds = {_cell_kind(value) for value in cells if value is not None and not _is_blank(value)}
    if kinds <= {"number"}:
        values = [np.nan if value is None or _is_blank(value) else value for value in cells]
        long = [value for value in values if abs(value) >= _LONGEST_EXACT]
        if any(isinstance(value, float) for value in long):
            raise RefusalError(
                f'column "{name}" holds {count_text(len(long), "number")} of more than 15 digits, of which Excel keeps '
                "only 15: the ids are no longer what they were.",
                "Store such ids as text in Excel, from their original source.",
            )
        if not long:
            return RawColumn(name=name, kind="number", data=np.array(values, dtype=np.float64))
    elif kinds == {"boolean"}:
        truth = np.array([-1 if value is None else int(value) for value in cells], dtype=np.int8)
        return RawColumn(name=name, kind="boolean", data=truth)
    elif kinds == {"moment"}:
        moments = np.array([None if value is None else _moment(value) for value in cells], dtype="datetime64[us]")
        return RawColumn(name=name, kind="datetime", data=moments)
    elif kinds == {"duration"}:
        seconds = [np.nan if value is None else _seconds(value) for value in cells]
        return RawColumn(name=name, kind="number", data=np.array(seconds, dtype=np.float64), format="TIME")
    codes, texts = encode_texts([None if value is None else _cell_text(value) for value in cells])
    # Text cells are text because someone made them so; only a mixture is looked at again.
    return RawColumn(name=name, kind="text", data=codes, texts=texts, open_texts=len(kinds) > 1)


def _holds_numbers(column: RawColumn) -> bool:
    """Return whether text cells look like numbers; zeros in front and long digits are ids."""
    style = number_style(column.texts) if not column.open_texts else None
    return style is not None and not style.whole_text


def _cell_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, datetime.datetime | datetime.date):
        return "moment"
    return "duration" if isinstance(value, datetime.time | datetime.timedelta) else "text"


def _is_blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def _moment(value: Any) -> datetime.datetime | datetime.date:
    return value.replace(tzinfo=None) if isinstance(value, datetime.datetime) else value


def _seconds(value: Any) -> float:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6


def _cell_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
