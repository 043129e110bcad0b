"""The report's tables as a workbook: numbers as numbers, texts never as formulas, the same bytes for the same rows."""

from __future__ import annotations

import datetime
import io
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sweval.reporting.cells import Cell, Column, Table
from sweval.reporting.html import visible

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

_CREATED = datetime.datetime(2000, 1, 1)
_LONGEST_CELL = 32_767
_WIDEST = 48
_NO_SHEET_NAME = re.compile(r"[\[\]:*?/\\]")


def workbook(tables: Sequence[Table], *, sheets: Sequence[str], notes: tuple[str, str, Sequence[str]]) -> bytes:
    """Return an XLSX file with one sheet per table and one for the notes.

    Parameters
    ----------
    tables
        From `sweval.reporting.tables.tables`.
    sheets
        The sheet name of each table.
    notes
        Sheet name, heading and texts of the last sheet.
    """
    import xlsxwriter

    buffer = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(buffer, options) as book:
        # A fixed date, since the current one would make equal results differ.
        book.set_properties({"created": _CREATED, "author": "", "title": ""})
        formats: dict[Any, Any] = {
            "title": book.add_format({"bold": True, "font_size": 12}),
            "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "bottom"}),
            "text": book.add_format({"text_wrap": True, "valign": "top"}),
            "right": book.add_format({"align": "right", "valign": "top"}),
            **{digits: book.add_format({"num_format": _pattern(digits), "valign": "top"}) for digits in range(4)},
        }
        for table, name in zip(tables, sheets, strict=True):
            _fill(book.add_worksheet(_sheet_name(name)), table, formats)
        sheet = book.add_worksheet(_sheet_name(notes[0]))
        sheet.set_column(0, 0, 100)
        sheet.write_string(0, 0, _short(notes[1]), formats["title"])
        for i, text in enumerate(notes[2], start=1):
            sheet.write_string(i, 0, _short(text), formats["text"])
    return buffer.getvalue()


def _fill(sheet: Worksheet, table: Table, formats: dict[Any, Any]) -> None:
    grouped = any(row.group is not None for row in table.rows)
    shift = int(grouped)
    heads = [label for column in table.columns for label in (column.parts or (column.label,))]
    sheet.write_string(0, 0, _short(table.caption), formats["title"])
    for i, label in enumerate(heads):
        sheet.write_string(1, i + shift, _short(label), formats["head"])
    if grouped:
        sheet.write_string(1, 0, _short(table.group_label), formats["head"])
    lengths: dict[int, int] = {}
    for y, row in enumerate(table.rows, start=2):
        if grouped:
            sheet.write_string(y, 0, _short(row.group or ""), formats["text"])
            lengths[0] = max(lengths.get(0, 0), len(row.group or ""))
        x = shift
        for cell, column in zip(row.cells, table.columns, strict=True):
            for value in _values(cell, column):
                _write(sheet, (y, x), value, column, formats)
                lengths[x] = max(lengths.get(x, 0), len(value) if isinstance(value, str) else 9)
                x += 1
    for i in range(len(heads) + shift):
        word = max((len(part) for part in heads[i - shift].split()), default=0) if i >= shift else 0
        sheet.set_column(i, i, min(_WIDEST, max(lengths.get(i, 0), word, 6) + 2))
    sheet.freeze_panes(2, 0)
    for i, note in enumerate(table.notes):
        sheet.write_string(len(table.rows) + 3 + i, 0, _short(note))


def _values(cell: Cell, column: Column) -> list[float | str]:
    """Return one value per workbook column; a suppressed or absent number is the text the page shows."""
    wanted = len(column.parts) or 1
    if column.digits is None or not cell.numbers:
        return [cell.text, *[""] * (wanted - 1)]
    return [number if number is not None and math.isfinite(number) else "" for number in cell.numbers]


def _write(
    sheet: Worksheet, place: tuple[int, int], value: float | str, column: Column, formats: dict[Any, Any]
) -> None:
    if isinstance(value, str):
        sheet.write_string(*place, _short(value), formats["right" if column.numeric else "text"])
    else:
        sheet.write_number(*place, value, formats[column.digits])


def _pattern(digits: int) -> str:
    return "0." + "0" * digits if digits else "0"


def _short(text: str) -> str:
    return visible(text)[:_LONGEST_CELL]


def _sheet_name(name: str) -> str:
    return _NO_SHEET_NAME.sub(" ", name)[:31]
