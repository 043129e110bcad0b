"""The text of a study file as TOML, with advice on what people paste into it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from sweval.data.sniff import FORMATS
from sweval.errors import StudyError

_CURLY = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a"


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a study file.

    Raises
    ------
    StudyError
        If it cannot be read, holds data, or is no TOML; with what is likely the matter.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StudyError(
            f"the study file cannot be read ({error.strerror}).",
            where=str(path),
            fix="Give the path of a study.toml; `sweval demo` makes one to copy.",
        ) from error
    if path.suffix.casefold() in FORMATS.keys() - {".txt"}:
        raise StudyError(
            "this is a data file, and a study file is wanted here.",
            where=path.name,
            fix=f'Write a study.toml with data = "{path.name}"; `sweval demo` makes one to copy. '
            f"`sweval codebook {path.name}` shows what the data hold.",
        )
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise StudyError(
            "the file is not text in UTF-8.",
            where=path.name,
            fix="Save the study file as UTF-8 text. If these are the data: a study.toml is wanted here (`sweval demo` "
            "makes one to copy), and `sweval codebook` shows what data hold.",
        ) from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyError(
            f"this is no valid TOML: {str(error).rstrip('.')}.", where=path.name, fix=_advice(text, str(error))
        ) from error


def _advice(text: str, error: str) -> str:
    """Return what is likely the matter with the line that the error names."""
    place = re.search(r"at line (\d+)", error)
    lines = text.split("\n")
    line = lines[min(int(place[1]), len(lines)) - 1] if place else ""
    curly = sorted(set(line) & set(_CURLY))
    if curly:
        held = " ".join(curly)
        return f'The line holds curly quotes ({held}), as word processors make them: write straight quotes (").'
    if "\\" in line:
        return 'Write paths with forward slashes, as in "folder/clients.sav": a backslash has a meaning of its own.'
    return "Texts stand in quotes; each [section] stands once, and only [[comparisons]] and [[outcomes]] repeat."
