"""Read a file into a data frame: one function for SPSS, Stata, SAS, Excel, Parquet and text files."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from sweval.data.codebook import Codebook
from sweval.data.columns import finish, text_dtype
from sweval.data.delimited import parse_delimited
from sweval.data.native import parse
from sweval.data.phrases import columns_text, count_text
from sweval.data.raw import RawTable
from sweval.data.sniff import detect_format, local_file
from sweval.data.text_dates import DATE_ORDERS
from sweval.data.text_values import TextRules, resolve
from sweval.errors import DataError, MissingLibraryError, SwevalWarning, did_you_mean

if TYPE_CHECKING:
    from typing import Unpack

    import pandas as pd


class FileOptions(TypedDict, total=False):
    """What a file does not say about itself; every key may be left out.

    Parameters
    ----------
    encoding
        Character encoding of a text file without a byte order mark (default: UTF-8, strictly), or of an SPSS, Stata
        or SAS file that declares a wrong one. Example: "cp1252".
    delimiter, decimal
        Of a text file; found from the file if left out. `decimal` is "." or ",".
    dates
        "day-first" or "month-first": how to read 05/06/2025 in a text file. Left out, such cells stay text.
    missing
        Texts (or numbers as text) that mean missing in every column of a text file or workbook. Example: ["NA"].
    sheet
        Name of the sheet of a workbook; the first one if left out.
    catalog
        Path of the .sas7bcat file with the value labels of a .sas7bdat file.
    """

    encoding: str | None
    delimiter: str | None
    decimal: str | None
    dates: str | None
    missing: Sequence[str]
    sheet: str | None
    catalog: str | os.PathLike[str] | None


_APPLIES = {
    "encoding": ("text", "sav", "dta", "sas7bdat", "xpt"),
    "delimiter": ("text",),
    "decimal": ("text", "xlsx"),
    "dates": ("text", "xlsx"),
    "missing": ("text", "xlsx"),
    "sheet": ("xlsx",),
    "catalog": ("sas7bdat",),
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file as it was read.

    Parameters
    ----------
    frame
        pandas, one row per row of the file.
    codebook
        Labels, value labels, missing reasons and counts.
    notes
        Sentences on what was found, left out or left as it is.
    sha256
        Of the bytes of the file, in hexadecimal.
    path
        Name of the file without its folder.
    """

    frame: pd.DataFrame
    codebook: Codebook
    notes: tuple[str, ...] = ()
    sha256: str
    path: str


def read(
    path: str | os.PathLike[str],
    *,
    backend: str = "pandas",
    labels: Sequence[str] | bool = (),
    **options: Unpack[FileOptions],
) -> Any:
    """Read a file into a data frame.

    Reads .sav, .zsav, .por (SPSS), .dta (Stata), .sas7bdat, .xpt (SAS), .csv, .tsv, .txt, .xlsx and .parquet. The file
    is only read, never changed. Use `codebook` to see what the codes mean. Do not use it for text that is no table.

    Parameters
    ----------
    path
        A local file; its ending and its content must agree.
    backend
        Type of the data frame: "pandas", "polars" or "pyarrow"; "polars" and "pyarrow" need the extra `big`.
    labels
        Columns that come back as their value labels (text) instead of codes; True for all labelled columns, of which
        only partly labelled ones keep their codes.
    **options
        `encoding`, `delimiter`, `decimal`, `dates`, `missing`, `sheet`, `catalog`; see `FileOptions`.

    Returns
    -------
    pandas.DataFrame, polars.DataFrame or pyarrow.Table
        User-missing values (SPSS) and tagged missing values (Stata, SAS) are null; the codebook keeps the reasons
        (.por and .xpt give the reader none).
        Whole numbers are int64 if no cell is missing and float64 otherwise. Texts that spell NA or null stay text,
        only empty cells are missing. In text files and workbooks, numbers with zeros in front (007) or more than 15
        digits stay text. Dates are datetimes with microseconds; times of day and durations are seconds.

    Raises
    ------
    DataError
        If the file cannot be read as it is; the message names the file, the row or column, and what to do.
    MissingLibraryError
        If the backend or the format needs a library that is not installed.

    Warns
    -----
    SwevalWarning
        One for each thing the user should know, for example columns that stay text.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "clients.csv"
    >>> _ = path.write_text("id,arm,phq9\\n007,usual,12\\n008,training,\\n")
    >>> read(path)
        id       arm  phq9
    0  007     usual  12.0
    1  008  training   NaN
    """
    _require_backend(backend)
    source = read_source(path, labels=labels, **options)
    warn_of(source.notes)
    return _converted(source.frame, backend)


def read_source(
    path: str | os.PathLike[str], *, labels: Sequence[str] | bool = (), **options: Unpack[FileOptions]
) -> Source:
    """Read a file along with its codebook, notes and checksum; parameters and errors as in `read`.

    Notes are returned, not warned of.

    Returns
    -------
    Source
        The frame is a pandas frame.
    """
    file = local_file(path)
    file_format = detect_format(file)
    given = _checked_options(dict(options), file_format, file.name)
    if file_format == "parquet":
        _require("pyarrow", purpose="Reading a Parquet file")
    data = file.read_bytes() if file_format == "text" else None
    digest = hashlib.sha256(data).hexdigest() if data is not None else _digest(file)
    if data is not None:
        table = parse_delimited(data, name=file.name, encoding=given.get("encoding"), delimiter=given.get("delimiter"))
    else:
        table = parse(file, file_format, _child_options(given))
        if _digest(file) != digest:
            raise DataError(
                "the file changed while it was read.", where=file.name, fix="Close other programs and retry."
            )
    done = finish(resolve(table, _rules(given, table, file.name)), where=file.name)
    frame, label_notes = _labelled(done.frame, done.codebook, labels, where=file.name)
    return Source(
        frame=frame,
        codebook=done.codebook,
        notes=tuple(f"{file.name}: {note}" for note in (*done.notes, *label_notes)),
        sha256=digest,
        path=file.name,
    )


def warn_of(notes: Iterable[str]) -> None:
    """Emit each note as a `SwevalWarning` that points at the caller of the public function."""
    for note in notes:
        warnings.warn(note, SwevalWarning, stacklevel=3)


def _checked_options(options: dict[str, Any], file_format: str, name: str) -> dict[str, Any]:
    """Return the options that were given, after a check that they exist and apply to the format."""
    given = {key: value for key, value in options.items() if value is not None and value != ()}
    for key, value in given.items():
        if key not in _APPLIES:
            raise DataError(f'there is no option "{key}".', where=name, fix=did_you_mean(key, _APPLIES))
        if file_format not in _APPLIES[key]:
            endings = ", ".join({"text": ".csv, .tsv, .txt"}.get(known, f".{known}") for known in _APPLIES[key])
            raise DataError(f"{key}= does not apply to this file.", where=name, fix=f"It applies to: {endings}.")
        if key in ("encoding", "delimiter", "sheet") and not isinstance(value, str):
            raise DataError(f"{key} must be a text, not a {type(value).__name__}.", where=name)
        if key == "decimal" and value not in (".", ","):
            raise DataError('decimal must be "." or ",".', where=name)
        if key == "dates" and value not in DATE_ORDERS:
            raise DataError('dates must be "day-first" or "month-first".', where=name)
    if isinstance(given.get("missing"), str):
        given["missing"] = (given["missing"],)
    return given


def _child_options(given: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {key: value for key, value in given.items() if key in ("encoding", "sheet")}
    if "catalog" in given:
        options["catalog"] = str(local_file(given["catalog"]).resolve())
    return options


def _rules(given: dict[str, Any], table: RawTable, name: str) -> TextRules:
    return TextRules(
        decimal=given.get("decimal"),
        dates=given.get("dates"),
        missing=tuple(str(token).strip() for token in given.get("missing", ())),
        comma_likely=table.delimiter == ";",
        where=name,
    )


def _labelled(
    frame: pd.DataFrame, book: Codebook, labels: Sequence[str] | bool, *, where: str
) -> tuple[pd.DataFrame, list[str]]:
    """Return the frame with codes replaced by their labels in the columns asked for."""
    import pandas as pd

    if labels is False or (not isinstance(labels, bool) and not len(labels)):
        return frame, []
    asked = [labels] if isinstance(labels, str) else labels
    names = [known.name for known in book.variables if known.values] if asked is True else list(asked)
    kept: list[str] = []
    replaced = {}
    for name in names:
        values = book.values(name)
        if not values:
            raise DataError(f'column "{name}" has no value labels.', where=where, fix="Leave it out of labels=.")
        by_label: dict[str, list[Any]] = {}
        for code, label in values.items():
            by_label.setdefault(label, []).append(code)
        doubled = [codes for codes in by_label.values() if len(codes) > 1]
        if doubled:
            codes = ", ".join(str(code) for code in doubled[0])
            raise DataError(
                f'column "{name}" gives the same label to the codes {codes}; as labels they could not be told apart.',
                where=where,
                fix="Keep its codes (leave it out of labels=), or correct the labels in the file.",
            )
        column = frame[name]
        texts = column.map(values)
        unlabelled = int((texts.isna() & column.notna()).sum())
        if unlabelled and asked is True:
            kept.append(name)
            continue
        if unlabelled:
            raise DataError(
                f'column "{name}" has codes without a label in {count_text(unlabelled, "row")}.',
                where=where,
                fix="Keep its codes (leave it out of labels=), or label every code in the file.",
            )
        replaced[name] = pd.Series(texts.where(column.notna(), None), dtype=text_dtype())
    notes = [f"{columns_text(kept)} keep their codes, because not every code has a label."] if kept else []
    return frame.assign(**replaced), notes


def _require(library: str, *, purpose: str) -> None:
    import importlib.util

    if importlib.util.find_spec(library) is None:
        raise MissingLibraryError(library, extra="big", purpose=purpose)


def _require_backend(backend: str) -> None:
    if backend not in ("pandas", "polars", "pyarrow"):
        raise DataError(f'there is no backend "{backend}".', fix='Choose "pandas", "polars" or "pyarrow".')
    for library in {"pandas": (), "polars": ("polars", "pyarrow"), "pyarrow": ("pyarrow",)}[backend]:
        _require(library, purpose=f'backend="{backend}"')


def _converted(frame: pd.DataFrame, backend: str) -> Any:
    if backend == "pandas":
        return frame
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    if backend == "pyarrow":
        return table
    import polars as pl

    return pl.from_arrow(table)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
