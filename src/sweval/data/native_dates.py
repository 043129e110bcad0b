"""Dates of SPSS, SAS and Stata: numbers since an epoch, told from other numbers by the display format.

SPSS counts seconds from 1582-10-14, SAS days or seconds from 1960-01-01, Stata days or milliseconds from 1960-01-01.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

Meaning = Literal["date", "date and time", "time"]

_DAY_US = 86_400_000_000
_EPOCHS = {"spss": "1582-10-14", "sas": "1960-01-01", "stata": "1960-01-01"}
_SPSS = {
    "date": ("DATE", "ADATE", "EDATE", "JDATE", "SDATE", "QYR", "MOYR", "WKYR"),
    "date and time": ("DATETIME", "YMDHMS"),
    "time": ("TIME", "DTIME", "MTIME"),
}
_SAS = {
    "date": (
        "DATE", "DAY", "DDMMYY", "DDMMYYB", "DDMMYYC", "DDMMYYD", "DDMMYYN", "DDMMYYP", "DDMMYYS", "JULIAN", "MMDDYY",
        "MMDDYYB", "MMDDYYC", "MMDDYYD", "MMDDYYN", "MMDDYYP", "MMDDYYS", "MMYY", "MONYY", "WEEKDATE", "WEEKDATX",
        "WORDDATE", "WORDDATX", "YYMM", "YYMMDD", "YYMMDDB", "YYMMDDD", "YYMMDDN", "YYMMDDP", "YYMMDDS", "YYMON",
        "YYQ", "E8601DA", "B8601DA", "IS8601DA",
    ),
    "date and time": ("DATETIME", "DATEAMPM", "MDYAMPM", "DTDATE", "E8601DT", "B8601DT", "IS8601DT"),
    "time": ("TIME", "HHMM", "TOD", "TIMEAMPM", "E8601TM", "B8601TM", "IS8601TM"),
}  # fmt: skip
_FARTHEST_US = 4e17
_FIRST, _LAST = np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31T23:59:59.999999", "us")


@dataclass(frozen=True, kw_only=True)
class FormatMeaning:
    """What a display format makes of a number; `factor` turns it into microseconds (dates) or seconds (times)."""

    meaning: Meaning
    factor: float


def format_meaning(family: str, display: str | None) -> FormatMeaning | None:
    """Return what the display format says, None where the column is an ordinary number.

    Examples
    --------
    >>> format_meaning("spss", "EDATE10").meaning
    'date'
    >>> format_meaning("stata", "%tc").factor
    1000.0
    >>> format_meaning("sas", "BEST12") is None
    True
    """
    if not display:
        return None
    if family == "stata":
        return _stata_meaning(display)
    name = re.sub(r"\d*\.?\d*$", "", display.upper())
    for meaning, names in (_SAS if family == "sas" else _SPSS).items():
        if name in names:
            if meaning == "time":
                return FormatMeaning(meaning="time", factor=1.0)
            days = family == "sas" and meaning == "date"
            return FormatMeaning(
                meaning="date" if meaning == "date" else "date and time", factor=float(_DAY_US) if days else 1e6
            )
    return None


def _stata_meaning(display: str) -> FormatMeaning | None:
    code = display.lstrip("%-")
    if code.startswith(("td", "d")):
        return FormatMeaning(meaning="date", factor=float(_DAY_US))
    if code.startswith(("tcHH", "tCHH")):
        return FormatMeaning(meaning="time", factor=0.001)
    if code.startswith(("tc", "tC")):
        return FormatMeaning(meaning="date and time", factor=1e3)
    return None


def to_datetimes(values: np.ndarray, family: str, meaning: FormatMeaning) -> np.ndarray | None:
    """Return datetime64[us], NaT for NaN; None where a value lies outside the years 1 to 9999.

    Parameters
    ----------
    values
        float64 in the unit of the format.

    Examples
    --------
    >>> to_datetimes(np.array([0.0, np.nan]), "sas", format_meaning("sas", "DATE9"))
    array(['1960-01-01T00:00:00.000000',                        'NaT'],
          dtype='datetime64[us]')
    """
    missing = np.isnan(values)
    numbers = np.where(missing, 0.0, values)
    if np.any(np.abs(numbers) > _FARTHEST_US / meaning.factor):
        return None
    offset = numbers * meaning.factor
    moments = np.datetime64(_EPOCHS[family], "us") + np.rint(offset).astype(np.int64).astype("timedelta64[us]")
    if np.any((moments < _FIRST) | (moments > _LAST)):
        return None
    if meaning.meaning == "date":
        moments = moments.astype("datetime64[D]").astype("datetime64[us]")
    moments[missing] = np.datetime64("NaT")
    return moments
