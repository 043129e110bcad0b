"""Delimited text files: encoding, delimiter and shape are found and checked, never guessed in silence."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

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
_BARE_UTF16 = "the text looks like UTF-16 without the mark that says so."
_BARE_UTF16_FIX = 'Pass encoding="utf-16-le".'
_SAMPLE_ROWS = 200
_SAMPLE_CHARACTERS = 1_000_000
_CHUNK_ROWS = 300
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
    text, notes, first_row = decoded.text, list(decoded.notes), 1
    if "\x00" in text:
        if text[:_BLOCK].count("\x00") > len(text[:_BLOCK]) // 4:
            raise DataError(_BARE_UTF16, where=name, fix=_BARE_UTF16_FIX)
        row = text.count("\n", 0, text.index("\x00")) + 1
        raise DataError(
            f"row {row} holds a NUL byte; the file is damaged or no text.", where=name, fix="Export it again."
        )
    if text[:4].lower() == "sep=" and delimiter is None:
        line, _, rest = text.partition("\n")
        declared = line[4:].strip("\r") or "\t"
        delimiter, text, first_row = declared[0], rest, 2
        notes.append("the first line of the file states the delimiter and is no data.")
    if delimiter is None:
        delimiter = find_delimiter(text, name=name)
        if delimiter != ("\t" if name.lower().endswith(".tsv") else ",") and delimiter in text:
            notes.append(f"the cells are separated by {DELIMITERS[delimiter]}.")
    elif len(delimiter) != 1 or delimiter in '"\r\n':
        raise DataError("delimiter must be one character, and no quote.", where=name, fix='Example: delimiter=";".')
    if not text.endswith(("\n", "\r")) and len(data) > _BLOCK:
        notes.append("the last line has no line end: if the file was cut off, its last row is incomplete.")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row, record in enumerate(reader, start=first_row):
            if record:
                table = _table(reader, checked_header(record, where=name, row=row), tuple(notes), name)
                return dataclasses.replace(table, delimiter=delimiter)
    except csv.Error:
        _refuse_quotes(text, delimiter, first_row, name)
    raise DataError("the file holds no text, only blank lines.", where=name, fix="Export it again.")


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
    except UnicodeDecodeError as error:
        if encoding is None and mark is None and data[:_BLOCK].count(0) > len(data[:_BLOCK]) // 4:
            raise DataError(_BARE_UTF16, where=name, fix=_BARE_UTF16_FIX) from error
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
    except (LookupError, UnicodeError) as error:
        raise DataError(
            f'"{encoding}" is no character encoding.', where=name, fix='Examples: "utf-8", "cp1252", "utf-16".'
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
    sample = text if len(text) <= _SAMPLE_CHARACTERS else text[: text.rfind("\n", 0, _SAMPLE_CHARACTERS) + 1]
    fitting, in_header = {}, {}
    for delimiter in DELIMITERS:
        lengths = []
        try:
            for record in islice(
                csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, strict=True), _SAMPLE_ROWS
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


class _Places(dict[str, int]):
    """Text -> its place in the order of first appearance."""

    def __missing__(self, text: str) -> int:
        self[text] = place = len(self)
        return place


def _refuse_quotes(text: str, delimiter: str, first_row: int, name: str) -> NoReturn:
    """Find the row at which reading failed; a quote is never closed, or stands unpaired inside a cell."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    row = first_row
    try:
        for _ in reader:
            row += 1
    except csv.Error as error:
        if "unexpected end of data" in str(error) or "field larger" in str(error):
            what = f"a quote that opens in row {row} is never closed."
        else:
            what = f"row {row} has a quote inside a cell that is not doubled."
        raise DataError(what, where=name, fix="Correct this row, or export the file again.") from error
    raise DataError("the quotes of the file do not pair.", where=name, fix="Export the file again.")


def _table(reader: Iterator[list[str]], header: Header, notes: tuple[str, ...], name: str) -> RawTable:
    """Collect the rows in chunks; each column keeps its different texts once and a number per row."""
    places = [_Places() for _ in range(header.width)]
    parts: list[list[np.ndarray]] = [[] for _ in places]
    numbers: list[np.ndarray] = []
    start = header.row + 1
    while chunk := list(islice(reader, _CHUNK_ROWS)):
        rows = np.arange(start, start + len(chunk))
        start += len(chunk)
        if set(map(len, chunk)) != {header.width}:
            # A blank line gives no cells at all; it is no row.
            rows = rows[[bool(record) for record in chunk]]
            chunk = [record for record in chunk if record]
            _refuse_ragged(rows, chunk, header, name)
        numbers.append(rows)
        for place, part, cells in zip(places, parts, zip(*chunk, strict=True), strict=False):
            part.append(np.fromiter(map(place.__getitem__, cells), dtype=np.int32, count=len(cells)))
    columns = []
    for column_name, place, part in zip(header.names, places, parts, strict=True):
        data, texts = drop_blank(np.concatenate([*part, np.zeros(0, dtype=np.int32)]), list(place))
        columns.append(RawColumn(name=column_name, kind="text", data=data, texts=texts, open_texts=True))
    row_numbers = np.concatenate([*numbers, np.zeros(0, dtype=np.int64)])
    blank = np.logical_and.reduce([column.missing for column in columns])
    if blank.any():
        notes = (*notes, f"{count_text(int(blank.sum()), 'row')} without any cell filled left out.")
        columns = [dataclasses.replace(column, data=column.data[~blank]) for column in columns]
        row_numbers = row_numbers[~blank]
    kept, header_notes = header.without_nameless(columns, where=name)
    return RawTable(
        family="delimited",
        rows=len(row_numbers),
        columns=kept,
        notes=(*notes, *header_notes),
        row_numbers=row_numbers,
    )


def _refuse_ragged(rows: np.ndarray, chunk: list[list[str]], header: Header, name: str) -> None:
    width = header.width
    odd = [(int(row), len(record)) for row, record in zip(rows, chunk, strict=True) if len(record) != width]
    if not odd:
        return
    first, cells = odd[0]
    others = f" ({rows_text([row for row, _ in odd])} differ)" if len(odd) > 1 else ""
    if width == 1 and header.row == first - 1:
        fix = "If there are title lines above the column names, delete them."
    elif cells == width + 1 and len(odd) == len(chunk):
        fix = "One column has no name (row names of R?), or decimal commas are not quoted: export with semicolons."
    elif cells < width:
        fix = "The row is cut off or cells are missing: correct it, or export the file again."
    else:
        fix = "A cell that holds the delimiter must stand in double quotes: correct the row, or export the file again."
    raise DataError(
        f"row {first} has {count_text(cells, 'cell')}, the header (row {header.row}) has {width}{others}.",
        where=name,
        fix=fix,
    )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
