"""Dates written as text. Only what can be read in one way is a date; the order of 05/06/2025 must be declared."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

DATE_ORDERS = ("day-first", "month-first")
"""What `dates=` may be."""

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?", re.ASCII)
_ZONED = re.compile(_ISO.pattern + r"\s?(?:Z|[+-]\d{2}:?\d{2})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})([/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_PARTED = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})", re.ASCII)
_NAMED = re.compile(r"(\d{1,2})([ -]?)([A-Za-z]+)\2(\d{4})", re.ASCII)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januari", "feb february februari", "mar march maret", "apr april", "may mei",
            "jun june juni", "jul july juli", "aug august agustus agu", "sep september", "oct october oktober okt",
            "nov november", "dec december desember des",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip


def is_date(text: str, order: str | None) -> bool:
    """Return whether a text is a date that exists and can be read in one way, given the declared order."""
    iso = _one_way(text, order)
    return iso is not None and _exists(iso)


def is_zoned(text: str) -> bool:
    """Return whether a text is an ISO time with a time zone."""
    return bool(_ZONED.fullmatch(text))


def is_parted(text: str) -> bool:
    """Return whether a text looks like 05/06/2025, 5.6.2025 or 05-06-25, which can be read in two ways."""
    return bool(_PARTED.fullmatch(text))


def iso_texts(texts: Sequence[str], order: str | None) -> list[str] | None:
    """Return the texts as ISO dates, None where they are no dates or their order is not declared.

    The dates need not exist; see `impossible`.

    Examples
    --------
    >>> iso_texts(["31 Desember 2025", "5 May 2025"], None)
    ['2025-12-31', '2025-05-05']
    >>> iso_texts(["05/06/2025"], None) is None
    True
    >>> iso_texts(["05/06/2025"], "day-first")
    ['2025-06-05']
    """
    found = []
    for text in texts:
        iso = _one_way(text, order)
        if iso is None:
            return None
        found.append(iso)
    return found


def impossible(iso: Sequence[str]) -> list[int]:
    """Return the places of ISO dates that do not exist, such as 2025-02-30.

    Examples
    --------
    >>> impossible(["2025-02-28", "2025-02-30"])
    [1]
    """
    try:
        np.array(iso, dtype="datetime64[us]")
    except ValueError:
        return [place for place, text in enumerate(iso) if not _exists(text)]
    return []


def _one_way(text: str, order: str | None) -> str | None:
    """Return one date as ISO, None where the text is no date, or its day, month or century would be a guess."""
    if _ISO.fullmatch(text):
        return text
    if match := _YEAR_FIRST.fullmatch(text):
        year, _, month, day = match.groups()
        return f"{year}-{month:0>2}-{day:0>2}"
    if match := _NAMED.fullmatch(text):
        day, _, name, year = match.groups()
        number = _MONTHS.get(name.lower())
        return None if number is None else f"{year}-{number:02}-{day:0>2}"
    match = _PARTED.fullmatch(text)
    if match is None or order is None or len(match[4]) == 2:
        return None
    day, month = (match[1], match[3]) if order == "day-first" else (match[3], match[1])
    return f"{match[4]}-{month:0>2}-{day:0>2}"


def _exists(text: str) -> bool:
    try:
        np.datetime64(text, "us")
    except ValueError:
        return False
    return True
