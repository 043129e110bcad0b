"""Numbers written as text: which marks they use, and what they are worth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_PLAIN_CHARACTERS = frozenset("0123456789+-")
_CHARACTERS = _PLAIN_CHARACTERS | frozenset(".,eE")
_POINT = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_POWER = re.compile(r"[-+]?(?:\d+\.\d*[eE][-+]?\d{1,4}|\d+[eE][-+]\d{1,4})", re.ASCII)
_POINT_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", re.ASCII)
_SWAP = str.maketrans(".,", ",.")
_SAFE_DIGITS = 15


@dataclass(frozen=True, kw_only=True)
class NumberStyle:
    """How the numbers of a column are written.

    Parameters
    ----------
    mark
        The decimal mark that fits all cells, "" if they are whole numbers.
    proven
        The mark cannot separate thousands: some cell shows it.
    grouped
        Some cell holds both marks, or a mark twice, so that thousands are certainly separated.
    whole_text
        The cells are ids rather than numbers: zeros in front, or more than 15 digits.
    mixed
        No decimal mark fits all cells.
    """

    mark: str = ""
    proven: bool = False
    grouped: bool = False
    whole_text: bool = False
    mixed: bool = False

    def ambiguous_with(self, decimal: str | None) -> bool:
        """Return whether a mark that may separate thousands was read as one because the file's decimal is another."""
        return bool(self.mark) and not self.proven and decimal is not None and decimal != self.mark


def number_style(texts: Sequence[str]) -> NumberStyle | None:
    """Return how numbers are written, None if some text is no number.

    Parameters
    ----------
    texts
        The different texts of a column, at least one.

    Examples
    --------
    >>> number_style(["1", "2.5"])
    NumberStyle(mark='.', proven=True, grouped=False, whole_text=False, mixed=False)
    >>> number_style(["1.250"]).proven
    False
    >>> number_style(["007"]).whole_text
    True
    >>> number_style(["5", "tidak tahu"]) is None
    True
    """
    if not texts or not _CHARACTERS.issuperset("".join(texts).replace(" ", "")):
        return None
    cells = [text.strip() for text in texts]
    marked = [cell for cell in cells if not _PLAIN_CHARACTERS.issuperset(cell)]
    plain = cells if not marked else [cell for cell in cells if _PLAIN_CHARACTERS.issuperset(cell)]
    if not all(cell.isdigit() or _POINT.fullmatch(cell) for cell in plain):
        return None
    if any(len(cell) > 1 and _is_id(cell) for cell in plain):
        return NumberStyle(whole_text=True) if all(_is_number(cell) for cell in marked) else None
    if not marked:
        return NumberStyle()
    return _marked_style(marked)


def parse_numbers(texts: Sequence[str], style: NumberStyle | None, decimal: str | None) -> np.ndarray | None:
    """Return float64 values, None where the texts are no numbers or their mark could mean two things.

    Parameters
    ----------
    style
        What `number_style` says about these texts.
    decimal
        The decimal mark of the file, None if unknown.

    Examples
    --------
    >>> parse_numbers(["3,5", "4"], number_style(["3,5", "4"]), None)
    array([3.5, 4. ])
    >>> parse_numbers(["1.250"], number_style(["1.250"]), ",")
    array([1250.])
    >>> parse_numbers(["1.250"], number_style(["1.250"]), None) is None
    True
    """
    if style is None or style.whole_text or style.mixed:
        return None
    mark = style.mark
    if mark and not style.proven:
        if decimal is None:
            return None
        mark = decimal
    cells: Sequence[str] = texts
    if mark == "," or (style.mark == "," and mark == "."):
        group = "." if mark == "," else ","
        cells = [text.replace(group, "").replace(mark, ".") for text in texts]
    elif style.grouped:
        cells = [text.replace(",", "") for text in texts]
    return np.array(list(map(float, cells)), dtype=np.float64)


def _marked_style(marked: Sequence[str]) -> NumberStyle | None:
    """Decide between point and comma; the cells hold a mark or a power of ten each."""
    point = all(map(_fits_point, marked))
    comma = all(_fits_point(_swapped(cell)) for cell in marked)
    if not point and not comma:
        return NumberStyle(mixed=True) if all(_is_number(cell) for cell in marked) else None
    if point and comma:
        marks = {mark for cell in marked for mark in ".," if mark in cell}
        if not marks:
            return NumberStyle(mark=".", proven=True)
        # Every mark stands before exactly three digits; a cell with both kinds would have settled it.
        return NumberStyle(mark=sorted(marks)[-1]) if len(marks) == 1 else NumberStyle(mixed=True)
    mark, other = (".", ",") if point else (",", ".")
    return NumberStyle(mark=mark, proven=True, grouped=any(other in cell for cell in marked))


def _is_id(cell: str) -> bool:
    digits = cell.lstrip("+-")
    return (len(digits) > 1 and digits[0] == "0") or len(digits) > _SAFE_DIGITS


def _is_number(cell: str) -> bool:
    return _fits_point(cell) or _fits_point(_swapped(cell))


def _fits_point(cell: str) -> bool:
    """Return whether a text is a number whose decimal mark is the point."""
    return bool(_POINT.fullmatch(cell) or _POWER.fullmatch(cell) or _POINT_GROUPED.fullmatch(cell))


def _swapped(cell: str) -> str:
    return cell.translate(_SWAP)
