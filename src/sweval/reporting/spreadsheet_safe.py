"""`tidy()` as a CSV file that a spreadsheet opens without running anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# OWASP's list for CSV injection (CWE-1236), and the full-width forms that some spreadsheets read as the same signs.
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def safe_text(text: str) -> str:
    """Return the text with an apostrophe before it where a spreadsheet would take it for a formula.

    Examples
    --------
    >>> safe_text("=HYPERLINK(A1)")
    "'=HYPERLINK(A1)"
    >>> safe_text("usual care")
    'usual care'
    """
    start = text.lstrip(" \n")[:1] or text[:1]
    return f"'{text}" if start in _STARTS_A_FORMULA and start else text


def csv_bytes(tidy: pd.DataFrame) -> bytes:
    """Return the rows as UTF-8 CSV; numbers at full precision, text cells that look like formulas marked by `'`."""
    safe = tidy.copy()
    for name in safe.columns:
        if not _is_number(safe[name]):
            safe[name] = [safe_text(value) if isinstance(value, str) else value for value in safe[name]]
    return safe.to_csv(index=False, lineterminator="\n").encode("utf-8")


def _is_number(column: pd.Series) -> bool:
    return column.dtype.kind in "biuf" if isinstance(column.dtype.kind, str) else False
