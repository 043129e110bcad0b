"""What every reader hands over: columns as the file holds them, before any rule of ours.

The native readers run in a child process, so a table can be written to a folder and loaded again. That costs no
pickle: arrays travel as .npz, everything else as JSON, and `load_table` trusts neither.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

Kind = Literal["number", "text", "datetime", "boolean"]
Code = float | str

_DTYPES = {"number": ("<f8", "<i8"), "text": ("<i4",), "datetime": ("<M8[us]",), "boolean": ("|i1",)}


class BrokenTableError(Exception):
    """A table on disk is not what `save_table` writes."""


@dataclass(frozen=True, kw_only=True)
class RawColumn:
    """One column of a file.

    Parameters
    ----------
    kind, data
        `number`: float64 (NaN is missing) or int64. `text`: int32 positions in `texts`, -1 is missing.
        `datetime`: datetime64[us]. `boolean`: int8 with 0, 1 and -1 for missing.
    texts
        The different texts of a text column.
    open_texts
        True where the file has no types (csv), so that the texts may stand for numbers or dates.
    format
        The display format of SPSS, Stata or SAS; it tells dates from numbers.
    value_labels, missing_ranges
        As declared in the file: (code, label) and (lowest, highest) of the user-missing codes.
    tagged
        (reason, count) of the cells that are missing for a reason the file states.
    """

    name: str
    kind: Kind
    data: np.ndarray
    texts: tuple[str, ...] = ()
    open_texts: bool = False
    label: str | None = None
    measure: str | None = None
    format: str | None = None
    value_labels: tuple[tuple[Code, str], ...] = ()
    missing_ranges: tuple[tuple[Code, Code], ...] = ()
    tagged: tuple[tuple[str, int], ...] = ()

    @property
    def missing(self) -> np.ndarray:
        """True where the cell is empty."""
        if self.kind == "number":
            return np.isnan(self.data) if self.data.dtype.kind == "f" else np.zeros(len(self.data), dtype=bool)
        return np.isnat(self.data) if self.kind == "datetime" else self.data < 0


@dataclass(frozen=True, kw_only=True)
class RawTable:
    """All columns of a file.

    Parameters
    ----------
    family
        "spss", "stata", "sas", "delimited", "workbook" or "parquet".
    row_numbers
        The row of the file that each row came from; None where they follow each other from row 2.
    delimiter
        Of a delimited file.
    """

    family: str
    rows: int
    columns: tuple[RawColumn, ...]
    notes: tuple[str, ...] = ()
    row_numbers: np.ndarray | None = None
    delimiter: str | None = None

    def file_rows(self, mask: np.ndarray) -> list[int]:
        """Return the rows of the file where the mask is true; the header is row 1."""
        found = np.flatnonzero(mask)
        return (found + 2 if self.row_numbers is None else self.row_numbers[found]).tolist()


def encode_texts(values: list[str | None]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return positions and the different texts; None and blank cells get -1.

    Examples
    --------
    >>> encode_texts(["a", "", "b", "a", None])
    (array([ 0, -1,  1,  0, -1], dtype=int32), ('a', 'b'))
    """
    places: dict[str | None, int] = {}
    codes = np.array([places.setdefault(value, len(places)) for value in values], dtype=np.int32)
    return drop_blank(codes, list(places))


def drop_blank(codes: np.ndarray, texts: list[Any]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return codes and texts without None and blank texts."""
    keep = [text is not None and not text.isspace() and text != "" for text in texts]
    if all(keep):
        return codes, tuple(texts)
    new = np.full(len(texts) + 1, -1, dtype=np.int32)
    new[:-1][keep] = np.arange(sum(keep), dtype=np.int32)
    return new[codes], tuple(text for text, kept in zip(texts, keep, strict=True) if kept)


def save_table(table: RawTable, folder: Path) -> None:
    """Write a table into an existing folder as `columns.npz` and `columns.json`."""
    arrays = {f"c{place}": column.data for place, column in enumerate(table.columns)}
    if table.row_numbers is not None:
        arrays["row_numbers"] = table.row_numbers.astype(np.int64)
    np.savez(folder / "columns.npz", **arrays)  # type: ignore[arg-type]
    names = [name for name in RawColumn.__dataclass_fields__ if name != "data"]
    facts = {
        "family": table.family,
        "rows": table.rows,
        "notes": table.notes,
        "columns": [{name: getattr(column, name) for name in names} for column in table.columns],
    }
    (folder / "columns.json").write_text(json.dumps(facts), encoding="ascii")


def load_table(folder: Path) -> RawTable:
    """Read what `save_table` wrote.

    Raises
    ------
    BrokenTableError
        If anything is missing or is not of the promised type and size.
    """
    try:
        facts = json.loads((folder / "columns.json").read_text(encoding="ascii"))
        with np.load(folder / "columns.npz", allow_pickle=False) as arrays:
            columns = tuple(
                _checked_column(column, arrays[f"c{place}"], facts["rows"])
                for place, column in enumerate(facts["columns"])
            )
            row_numbers = arrays.get("row_numbers")
        return RawTable(
            family=str(facts["family"]),
            rows=int(facts["rows"]),
            columns=columns,
            notes=tuple(str(note) for note in facts["notes"]),
            row_numbers=row_numbers,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenTableError(type(error).__name__) from error


def _checked_column(facts: dict[str, Any], data: np.ndarray, rows: int) -> RawColumn:
    if data.shape != (rows,) or data.dtype.str not in _DTYPES[facts["kind"]]:
        raise BrokenTableError("size or type")
    texts = tuple(str(text) for text in facts["texts"])
    if facts["kind"] == "text" and rows and not -1 <= data.min() <= data.max() < len(texts):
        raise BrokenTableError("texts")
    optional = {name: None if facts[name] is None else str(facts[name]) for name in ("label", "measure", "format")}
    return RawColumn(
        name=str(facts["name"]),
        kind=facts["kind"],
        data=data,
        texts=texts,
        open_texts=bool(facts["open_texts"]),
        value_labels=tuple((_code(code), str(label)) for code, label in facts["value_labels"]),
        missing_ranges=tuple((_code(low), _code(high)) for low, high in facts["missing_ranges"]),
        tagged=tuple((str(reason), int(count)) for reason, count in facts["tagged"]),
        **optional,
    )


def _code(value: Any) -> Code:
    return value if isinstance(value, str) else float(value)
