"""Row numbers and column names as words, short enough for one sentence."""

from __future__ import annotations

from collections.abc import Sequence

_LISTED = 5


def rows_text(numbers: Sequence[int]) -> str:
    """Return "row 4" or "rows 4, 9 and 3 more"; numbers are rows of the file, the first one is 1.

    Examples
    --------
    >>> rows_text([4])
    'row 4'
    >>> rows_text([4, 9, 12, 15, 18, 21, 30])
    'rows 4, 9, 12, 15, 18 and 2 more'
    """
    return _listed("row", [str(int(number)) for number in numbers])


def columns_text(names: Sequence[str]) -> str:
    """Return 'column "a"' or 'columns "a", "b" and "c"'.

    Examples
    --------
    >>> columns_text(["id", "arm"])
    'columns "id" and "arm"'
    """
    return _listed("column", [f'"{name}"' for name in names])


def count_text(number: int, noun: str) -> str:
    """Return "1 cell" or "3 cells".

    Examples
    --------
    >>> count_text(3, "cell")
    '3 cells'
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _listed(noun: str, words: list[str]) -> str:
    if len(words) == 1:
        return f"{noun} {words[0]}"
    if len(words) <= _LISTED:
        return f"{noun}s {', '.join(words[:-1])} and {words[-1]}"
    return f"{noun}s {', '.join(words[:_LISTED])} and {len(words) - _LISTED} more"
