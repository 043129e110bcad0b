"""Which kind of file is it? The first bytes decide; a name that says something else is an error, not a guess."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sweval.errors import DataError

FORMATS = {
    ".sav": "sav",
    ".zsav": "sav",
    ".por": "por",
    ".dta": "dta",
    ".sas7bdat": "sas7bdat",
    ".xpt": "xpt",
    ".csv": "text",
    ".tsv": "text",
    ".txt": "text",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".parquet": "parquet",
}
"""File name ending -> format."""

NAMES = {
    "sav": "an SPSS file (.sav)",
    "por": "an SPSS portable file (.por)",
    "dta": "a Stata file (.dta)",
    "sas7bdat": "a SAS file (.sas7bdat)",
    "sas7bcat": "a SAS format catalog (.sas7bcat)",
    "xpt": "a SAS transport file (.xpt)",
    "xlsx": "an Excel workbook (.xlsx)",
    "parquet": "a Parquet file (.parquet)",
    "text": "plain text (.csv)",
    "ole": "an old Excel workbook (.xls) or a workbook with a password",
    "zip": "a zip archive",
    "gzip": "a compressed file (gzip)",
    "pickle": "a Python pickle",
    "r": "an R data file",
    "pdf": "a PDF document",
    "html": "a web page (HTML)",
}
"""Format -> what to call it in a sentence."""

_EXPORT = "Open it in the program it comes from and export it as .csv, .xlsx or .sav."
_REFUSED_ENDINGS = {
    ".pkl": "Python pickles can run programs when they are opened and are never read.",
    ".pickle": "Python pickles can run programs when they are opened and are never read.",
    ".rdata": "R workspaces are not read.",
    ".rda": "R workspaces are not read.",
    ".rds": "R data files are not read.",
    ".xls": "the old Excel format (.xls) is not read.",
    ".xlsb": "the binary Excel format (.xlsb) is not read.",
    ".ods": "OpenDocument sheets (.ods) are not read.",
}
_REFUSED_FIX = {
    ".rdata": 'In R: haven::write_sav(x, "x.sav") or write.csv(x, "x.csv", row.names = FALSE).',
    ".rda": 'In R: haven::write_sav(x, "x.sav") or write.csv(x, "x.csv", row.names = FALSE).',
    ".rds": 'In R: haven::write_sav(x, "x.sav") or write.csv(x, "x.csv", row.names = FALSE).',
    ".xls": "Open it in Excel or LibreOffice and save it as .xlsx.",
    ".xlsb": "Open it in Excel and save it as .xlsx.",
    ".ods": "Open it in LibreOffice and save it as .xlsx.",
}
_URL = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+:/")
_HEAD = 4096


def local_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of an existing, non-empty regular file.

    Raises
    ------
    DataError
        For an address, a missing file, a folder, an unreadable file or an empty one.
    """
    if isinstance(path, str) and _URL.match(path) and not Path(path).exists():
        raise DataError(
            "sweval reads files only, no addresses.",
            where=path.split("?")[0].split("@")[-1],
            fix="Download the file first and pass its path.",
        )
    try:
        found = Path(path)
    except TypeError as error:
        raise DataError(f"a path is needed, not a {type(path).__name__}.", fix='Example: "clients.sav".') from error
    try:
        if found.is_dir():
            raise DataError("this is a folder, not a file.", where=found.name, fix="Name the file inside it.")
        if not found.exists():
            raise DataError("there is no such file.", where=str(found), fix=_nearby(found))
        if not found.is_file():
            raise DataError("this is no regular file.", where=found.name)
        size = found.stat().st_size
        with found.open("rb"):
            pass
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = error.strerror if isinstance(error, OSError) else None
        raise DataError(f"the file cannot be opened ({reason or 'invalid path'}).", where=found.name) from error
    if size == 0:
        raise DataError("the file is empty (0 bytes).", where=found.name, fix="Copy or export it again.")
    return found


def detect_format(path: Path) -> str:
    """Return the format of an existing file, one of the values of `FORMATS`.

    Raises
    ------
    DataError
        If the ending is refused or unknown, or the content is something else than the ending says.
    """
    ending = path.suffix.lower()
    if ending in _REFUSED_ENDINGS:
        raise DataError(_REFUSED_ENDINGS[ending], where=path.name, fix=_REFUSED_FIX.get(ending, _EXPORT))
    with path.open("rb") as file:
        content = _content(file.read(_HEAD))
    if content == "sas7bcat" or ending == ".sas7bcat":
        raise DataError(
            "this is a SAS format catalog, it holds labels but no data.",
            where=path.name,
            fix="Read the .sas7bdat file and pass this one as catalog=.",
        )
    if ending not in FORMATS:
        known = ", ".join(FORMATS)
        hint = f"The content is {NAMES[content]}. " if content in NAMES else ""
        raise DataError(f'the ending "{ending}" is unknown.', where=path.name, fix=f"{hint}Endings read: {known}.")
    expected = FORMATS[ending]
    if content in (expected, None):
        return expected
    fix = _EXPORT
    right = [suffix for suffix, name in FORMATS.items() if name == content]
    if right:
        fix = f"Rename it to end in {right[0]}, or export it again as {ending}."
    elif content == "ole":
        fix = "Remove the password, or save it as .xlsx in Excel or LibreOffice."
    elif content in ("gzip", "zip"):
        fix = "Unpack it first."
    raise DataError(f"the name ends in {ending}, but the content is {NAMES[content]}.", where=path.name, fix=fix)


def _content(head: bytes) -> str | None:
    """Return the format the first bytes give away, None where they do not."""
    starts: list[tuple[bytes, str]] = [
        (b"$FL2", "sav"),
        (b"$FL3", "sav"),
        (b"<stata_dta>", "dta"),
        (b"HEADER RECORD*******LIB", "xpt"),
        (b"PAR1", "parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
        (b"\x1f\x8b", "gzip"),
        (b"RDX", "r"),
        (b"RDA", "r"),
        (b"%PDF", "pdf"),
        (b"\x00" * 12 + b"\xc2\xea\x81\x60", "sas7bdat"),
        (b"\x00" * 12 + b"\xc2\xea\x81\x63", "sas7bcat"),
    ]
    for start, name in starts:
        if head.startswith(start):
            return name
    if head.startswith(b"PK\x03\x04"):
        return "xlsx" if b"[Content_Types].xml" in head or b"xl/" in head else "zip"
    if len(head) > 10 and head[0] in (*range(102, 106), 108, *range(110, 116)) and head[1] in (1, 2) and head[2] == 1:
        return "dta"
    if b"SPSSPORT" in head.replace(b"\r", b"").replace(b"\n", b"") or b"SPSS PORT FILE" in head[:200]:
        return "por"
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and head.find(b"\x00") >= 0:
        return "pickle"
    if head.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html", b"<table")):
        return "html"
    return "text" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return True
    controls = sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head)
    return controls == 0


def _nearby(path: Path) -> str:
    from sweval.errors import did_you_mean

    folder = path.parent
    if not folder.is_dir():
        return "Its folder does not exist either."
    names = sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() in FORMATS)
    hint = did_you_mean(path.name, names)
    return hint if hint.startswith("Did") else "Check the name and the folder."
