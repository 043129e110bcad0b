"""Column names of files that keep them in a row: trimmed, unique, and really names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweval.data.phrases import columns_text, count_text
from sweval.data.raw import RawColumn
from sweval.data.text_numbers import number_style
from sweval.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Header:
    """Checked column names; "" where a column has none."""

    names: tuple[str, ...]
    row: int
    trimmed: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.names)

    def without_nameless(
        self, columns: Sequence[RawColumn], *, where: str
    ) -> tuple[tuple[RawColumn, ...], tuple[str, ...]]:
        """Leave out nameless columns that are empty or just number the rows; return the rest and the notes.

        Raises
        ------
        DataError
            If a nameless column holds data.
        """
        notes = []
        if self.trimmed:
            notes.append(f"spaces around the names of {columns_text(self.trimmed)} were removed.")
        nameless = [place for place, name in enumerate(self.names) if not name]
        for place in nameless:
            column = columns[place]
            if column.missing.all():
                continue
            if place == 0 and _numbers_rows(column):
                notes.append("the first column has no name and numbers the rows; it was left out.")
                continue
            raise DataError(
                f"column {place + 1} holds data but has no name in row {self.row}.",
                where=where,
                fix="Give every column a name; delete title rows above the names.",
            )
        return tuple(column for place, column in enumerate(columns) if place not in nameless), tuple(notes)


def checked_header(cells: Sequence[str], *, where: str, row: int) -> Header:
    """Return the names without surrounding spaces.

    Raises
    ------
    DataError
        If names repeat, or the row holds numbers and so is no header.
    """
    names = tuple(cell.strip().strip("\ufeff") for cell in cells)
    filled = [name for name in names if name]
    if not filled:
        raise DataError(f"row {row} holds no column names.", where=where, fix="Put the names into the first row.")
    if all(number_style((name,)) is not None for name in filled):
        raise DataError(
            f"row {row} holds only numbers where column names are expected.",
            where=where,
            fix="Add a first row with the names of the columns.",
        )
    repeated = [name for name, count in Counter(filled).items() if count > 1]
    if repeated:
        raise DataError(
            f"{count_text(len(repeated), 'column name')} stand{'s' if len(repeated) == 1 else ''} there more than "
            f"once: {columns_text(repeated)}.",
            where=where,
            fix="Rename them so that every column has its own name.",
        )
    trimmed = tuple(name for name, cell in zip(names, cells, strict=True) if name and name != cell)
    return Header(names=names, row=row, trimmed=trimmed)


def _numbers_rows(column: RawColumn) -> bool:
    """Return whether a column counts the rows from 0 or 1."""
    if column.kind == "number":
        values = column.data.astype(np.float64)
    else:
        if not all(text.isascii() and text.isdigit() and len(text) < 16 for text in column.texts):
            return False
        values = np.append([float(text) for text in column.texts], np.nan)[column.data]
    return bool(len(values)) and any((values == np.arange(len(values)) + start).all() for start in (0, 1))
