"""What every table is made of: cells that keep their numbers, columns, rows, and the ways to fill a cell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sweval.reporting.language import Language

Record = dict[str, Any]

_LEVEL = re.compile(r"\[(?P<level>.*)\]$", re.DOTALL)
_GROUPED_BY = {
    "effects": "side",
    "apart": "side",
    "risks": "comparison",
    "contrasts": "comparison",
    "change": "comparison",
    "participants": "comparison",
    "coefficients": "comparison",
    "cases": "comparison",
    "case_indices": "comparison",
    "synthesis": "comparison",
}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What a reader sees, and the numbers behind it for a workbook (none where a count is suppressed)."""

    text: str
    numbers: tuple[float | None, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column; `parts` are the workbook's columns where one cell holds several numbers, as an interval does."""

    name: str
    label: str
    parts: tuple[str, ...] = ()
    digits: int | None = None

    @property
    def numeric(self) -> bool:
        """Whether the cells hold numbers."""
        return self.digits is not None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line; lines of equal `group` stand under one heading."""

    cells: tuple[Cell, ...]
    group: str | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A captioned table with footnotes; `name` is its key in the words file."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    group_label: str = ""
    notes: tuple[str, ...] = ()


def level_of(term: str | None) -> str | None:
    """Return the level inside a term.

    Examples
    --------
    >>> level_of("arm[training]")
    'training'
    """
    found = _LEVEL.search(term or "")
    return found["level"] if found else None


def measure_in_words(row: Record, words: Language) -> str:
    """Return the measure in the reader's language; its data name where there are no words for it."""
    return words.known(f"measure.{row['measure']}", str(row["measure"]).replace("_", " "))


def levels(rows: Sequence[Record], words: Language) -> str:
    """Return the confidence level that stands in a heading: the common one, else all of them."""
    found = dict.fromkeys(row["conf_level"] for row in rows if row["conf_level"] is not None)
    return "/".join(words.level(level) for level in found) or words.level(None)


def text_cell(value: object, words: Language) -> Cell:
    """Return a text; a dash where there is none."""
    return Cell(text=words.say("table.empty") if value is None else str(value))


def count_cell(value: int | None, words: Language, small_cells: int) -> Cell:
    """Return a count; `<limit` and no number where it is small."""
    if value is None:
        return Cell(text=words.say("table.empty"))
    if value < small_cells:
        return Cell(text=f"<{small_cells}")
    return Cell(text=str(int(value)), numbers=(int(value),))


def number_cell(value: float | None, words: Language, digits: int) -> Cell:
    """Return a number in fixed notation."""
    return Cell(text=words.number(value, digits), numbers=(value,))


def interval_column(name: str, rows: Sequence[Record], words: Language, *, digits: int = 2) -> Column:
    """Return the column of an estimate with its limits; the heading names the confidence level."""
    return Column(
        name=name,
        label=words.say(f"column.{name}_interval", level=levels(rows, words)),
        parts=(words.say(f"column.{name}"), words.say("column.low"), words.say("column.high")),
        digits=digits,
    )


def interval_cell(row: Record, rows: Sequence[Record], words: Language, *, digits: int = 2) -> Cell:
    """Return estimate and limits; the level too where the rows of the table differ in it."""
    limits = words.interval(row["conf_low"], row["conf_high"], digits)
    mixed = len({other["conf_level"] for other in rows if other["conf_level"] is not None}) > 1
    level = f" ({words.level(row['conf_level'])})" if mixed and limits else ""
    text = f"{words.number(row['estimate'], digits)} {limits}".rstrip() + level
    return Cell(text=text, numbers=(row["estimate"], row["conf_low"], row["conf_high"]))


def withheld_counts(counts: dict[str, int | None], small_cells: int) -> set[str]:
    """Return the arm whose count must go too: with one small count and the total, the smallest other is known."""
    known = {term: n for term, n in counts.items() if n is not None}
    small = [term for term, n in known.items() if n < small_cells]
    others = [term for term in known if term not in small]
    return {min(others, key=lambda term: known[term])} if len(small) == 1 and others else set()


def finished(name: str, columns: Sequence[Column], rows: Sequence[Row], words: Language, notes: Sequence[str]) -> Table:
    """Return the table with its caption, without the columns that no row fills."""
    empty = words.say("table.empty")
    kept = [i for i, column in enumerate(columns) if any(row.cells[i].text != empty for row in rows)]
    return Table(
        name=name,
        caption=words.say(f"table.{name}"),
        columns=tuple(columns[i] for i in kept),
        rows=tuple(Row(group=row.group, cells=tuple(row.cells[i] for i in kept)) for row in rows),
        group_label=words.say(f"column.{_GROUPED_BY[name]}") if name in _GROUPED_BY else "",
        notes=tuple(notes),
    )
