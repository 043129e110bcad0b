"""Delimited text files: encoding, delimiter and shape are found and checked, never guessed in silence."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from sweval.data.header import Header, checked_header
from sweval.data.phrases import count_text, rows_text
from sweval.data.raw import RawColumn, RawTable, drop_blank
from sweval.errors import DataError

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""Delimiters that are looked for, and what to call them."""

_BOMS = [
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
]
_SAMPLE_ROWS = 200
_CHUNK_ROWS = 20_000
_BLOCK = 4096
_UNICODE = ("utf-8", "utf_8", "utf8", "utf-8-sig", "utf-16", "utf_16", "utf-16-le", "utf-16-be", "utf-32")


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """The text of a file without byte order marks, and what there is to say about it."""

    text: str
    notes: tuple[str, ...] = ()


def parse_delimited(data: bytes, *, name: str, encoding: str | None, delimiter: str | None) -> RawTable:
    """Return the columns of a delimited file, all of them open text.

    Parameters
    ----------
    data
        The whole file.
    name
        Its name, for errors and for what its ending promises (.tsv).
    encoding, delimiter
        Declared, or None to find them.

    Raises
    ------
    DataError
        For bytes that do not fit the encoding, NUL bytes, an ambiguous delimiter, an unclosed quote, rows that are
        longer or shorter than the header, and unusable column names. Row numbers count the header as row 1.
    """
    decoded = decode(data, name=name, encoding=encoding)
    text, notes = decoded.text, list(decoded.notes)
    if "\x00" in text:
        row = text.count("\n", 0, text.index("\x00")) + 1
        raise DataError(
            f"row {row} holds a NUL byte; the file is damaged or no text.", where=name, fix="Export it again."
        )
    if text[:4].lower() == "sep=" and delimiter is None:
        line, _, rest = text.partition("\n")
        declared = line[4:].strip("\r") or "\t"
        delimiter, text = declared[0], rest
        notes.append("the first line of the file states the delimiter and is no data.")
    if delimiter is None:
        delimiter = find_delimiter(text, name=name)
        if delimiter != ("\t" if name.lower().endswith(".tsv") else ",") and delimiter in text:
            notes.append(f"the cells are separated by {DELIMITERS[delimiter]}.")
    elif len(delimiter) != 1:
        raise DataError("delimiter must be one character.", where=name, fix='Example: delimiter=";".')
    if not text.endswith(("\n", "\r")) and len(data) > _BLOCK:
        notes.append("the last line has no line end: if the file was cut off, its last row is incomplete.")
    records = _records(text, delimiter, name)
    first = next(records, None)
    if first is None:
        raise DataError("the file holds no text, only blank lines.", where=name, fix="Export it again.")
    header_row, names = first
    header = checked_header(names, where=name, row=header_row)
    return _table(records, header, header_row, tuple(notes), name)


def decode(data: bytes, *, name: str, encoding: str | None) -> Decoded:
    """Return the text: by the declared encoding, else by a byte order mark, else as strict UTF-8.

    Raises
    ------
    DataError
        If the bytes do not fit; the message names row and byte and what to pass.
    """
    mark = next((found for start, found in _BOMS if data.startswith(start)), None)
    used = mark or encoding or "utf-8"
    try:
        text = data.decode(used)
    except LookupError as error:
        raise DataError(
            f'the encoding "{encoding}" is unknown.', where=name, fix='Examples: "utf-8", "cp1252", "utf-16".'
        ) from error
    except UnicodeDecodeError as error:
        if encoding is None and mark is None and data[:_BLOCK].count(0) > len(data[:_BLOCK]) // 4:
            raise DataError(
                "the text is no UTF-8 but looks like UTF-16 without its mark.",
                where=name,
                fix='Pass encoding="utf-16-le".',
            ) from error
        row = data.count(b"\n", 0, error.start) + 1
        fix = (
            'Pass the encoding it was written in; Excel on Windows mostly writes encoding="cp1252".'
            if encoding is None
            else "Pass the encoding the file was written in."
        )
        raise DataError(
            f"row {row} does not fit the encoding {used} (byte 0x{data[error.start]:02x} at position {error.start}).",
            where=name,
            fix=fix,
        ) from error
    notes = []
    if encoding is not None and mark is not None and encoding.lower().replace("_", "-") not in (mark, f"{mark}-sig"):
        notes.append(f"the file carries the mark of {mark}; that was used instead of {encoding}.")
    elif encoding is not None and encoding.lower() not in _UNICODE and not data.isascii() and _is_utf8(data):
        notes.append(f"the file was read as {encoding}, but its bytes are valid UTF-8: check letters with accents.")
    elif mark == "utf-16":
        notes.append("the file is UTF-16 and was read as such.")
    return Decoded(text=text.lstrip("\ufeff"), notes=tuple(notes))


def find_delimiter(text: str, *, name: str) -> str:
    """Return the delimiter that gives every row of the beginning as many cells as the header.

    Raises
    ------
    DataError
        If several would do.
    """
    fitting, in_header = {}, {}
    for delimiter in DELIMITERS:
        lengths = []
        try:
            for record in islice(
                csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), _SAMPLE_ROWS
            ):
                if record:
                    lengths.append(len(record))
        except csv.Error:
            # A quote that is wrong for this delimiter, or wrong for all: the full pass reports the row.
            pass
        if lengths and lengths[0] > 1:
            in_header[delimiter] = lengths[0]
            if set(lengths) == {lengths[0]}:
                fitting[delimiter] = lengths[0]
    if name.lower().endswith(".tsv") and "\t" in in_header:
        return "\t"
    if len(fitting) == 1:
        return next(iter(fitting))
    if len(fitting) > 1:
        options = " or ".join(f"{DELIMITERS[found]} ({cells} columns)" for found, cells in fitting.items())
        raise DataError(
            f"the cells could be separated by {options}.",
            where=name,
            fix='Pass the delimiter, for example delimiter=";".',
        )
    return max(in_header, key=lambda found: in_header[found]) if in_header else ","


def _records(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (row number, cells); blank lines are skipped but counted."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    row = 0
    while True:
        row += 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            said = str(error)
            if "unexpected end of data" in said or "field larger" in said:
                what = f"a quote that opens in row {row} is never closed."
            else:
                what = f"row {row} has a quote inside a cell that is not doubled."
            raise DataError(what, where=name, fix="Correct this row, or export the file again.") from error
        if record:
            yield row, record


def _table(
    records: Iterator[tuple[int, list[str]]], header: Header, header_row: int, notes: tuple[str, ...], name: str
) -> RawTable:
    """Collect the rows in chunks; each column keeps its different texts once and a number per row."""
    width = header.width
    places: list[dict[str, int]] = [{} for _ in range(width)]
    parts: list[list[np.ndarray]] = [[] for _ in range(width)]
    numbers: list[np.ndarray] = []
    blank: list[int] = []
    while chunk := list(islice(records, _CHUNK_ROWS)):
        lengths = {len(record) for _, record in chunk}
        if lengths != {width}:
            _refuse_ragged(chunk, width, header_row, name)
        empty = [row for row, record in chunk if not any(record)]
        if empty:
            blank += empty
            chunk = [(row, record) for row, record in chunk if any(record)]
        numbers.append(np.array([row for row, _ in chunk], dtype=np.int64))
        for place, cells in zip(range(width), zip(*(record for _, record in chunk), strict=True), strict=False):
            known = places[place]
            parts[place].append(np.array([known.setdefault(cell, len(known)) for cell in cells], dtype=np.int32))
    rows = sum(map(len, numbers))
    row_numbers = np.concatenate(numbers) if numbers else np.zeros(0, dtype=np.int64)
    columns = []
    for place, column_name in enumerate(header.names):
        codes = np.concatenate(parts[place]) if parts[place] else np.zeros(0, dtype=np.int32)
        data, texts = drop_blank(codes, list(places[place]))
        columns.append(RawColumn(name=column_name, kind="text", data=data, texts=texts, open_texts=True))
    kept, header_notes = header.without_nameless(columns, where=name)
    if blank:
        notes = (*notes, f"{count_text(len(blank), 'row')} without any cell filled left out ({rows_text(blank)}).")
    in_order = rows == 0 or (row_numbers[0] == 2 and row_numbers[-1] == rows + 1)
    return RawTable(
        family="delimited",
        rows=rows,
        columns=kept,
        notes=(*notes, *header_notes),
        row_numbers=None if in_order else row_numbers,
    )


def _refuse_ragged(chunk: list[tuple[int, list[str]]], width: int, header_row: int, name: str) -> None:
    odd = [(row, len(record)) for row, record in chunk if len(record) != width]
    first, cells = odd[0]
    others = f" ({rows_text([row for row, _ in odd])} differ)" if len(odd) > 1 else ""
    if width == 1 and header_row == first - 1:
        fix = "If there are title lines above the column names, delete them."
    elif cells == width + 1 and len(odd) == len(chunk):
        fix = "One column has no name (row names of R?), or decimal commas are not quoted: export with semicolons."
    elif cells < width:
        fix = "The row is cut off or cells are missing: correct it, or export the file again."
    else:
        fix = "A cell that holds the delimiter must stand in double quotes: correct the row, or export the file again."
    raise DataError(
        f"row {first} has {count_text(cells, 'cell')}, the header (row {header_row}) has {width}{others}.",
        where=name,
        fix=fix,
    )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
