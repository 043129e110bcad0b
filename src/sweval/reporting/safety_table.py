"""How many clients gave an answer that asks for action, per wave; small counts are hidden."""

from __future__ import annotations

import re

from sweval.reporting.cells import Cell, Column, Record, Row, Table, count_cell, finished, text_cell
from sweval.reporting.language import Language

SAFETY, UNANSWERED = SAFETY_MEASURES = ("safety", "safety_unanswered")
"""The measures of `study.safety`."""

ALL_ROWS = "all rows"
"""The term where a study has no waves."""

_LEVEL = re.compile(r"\[(?P<level>.*)\]$", re.DOTALL)


def safety_table(rows: list[Record], words: Language, small_cells: int) -> Table:
    """Return the table; no total over the waves is given, which would tell a hidden count."""
    columns = (
        Column(name="scale", label=words.say("column.scale")),
        Column(name="wave", label=words.say("column.wave")),
        Column(name="n", label=words.say("column.answered"), digits=0),
        Column(name="safety", label=words.say("column.safety"), digits=0),
        Column(name="unanswered", label=words.say("column.unanswered"), digits=0),
    )
    found: dict[tuple[str | None, str], dict[str, Record]] = {}
    for row in rows:
        found.setdefault((row["outcome"], row["term"]), {})[row["measure"]] = row
    lines = [
        Row(
            cells=(
                text_cell(outcome, words),
                text_cell(_wave(term, words), words),
                _count(one[SAFETY]["n"] if SAFETY in one else None, words, small_cells),
                *(
                    _count(one[name]["estimate"] if name in one else None, words, small_cells)
                    for name in SAFETY_MEASURES
                ),
            )
        )
        for (outcome, term), one in found.items()
    ]
    notes = [words.say("table.safety_note")]
    small = [count for row in rows for count in (row["estimate"], row["n"]) if count and count < small_cells]
    if small:
        notes.append(words.say("table.safety_suppressed_note", limit=small_cells))
    notes += dict.fromkeys(f"{row['outcome']}: {row['method']}." for row in rows if row["measure"] == SAFETY)
    return finished("safety", columns, lines, words, notes)


def _wave(term: str, words: Language) -> str:
    level = _LEVEL.search(term)
    if level:
        return level["level"]
    return words.say("table.all_rows") if term == ALL_ROWS else words.say("table.no_wave")


def _count(value: float | None, words: Language, small_cells: int) -> Cell:
    """Return a count; zero is shown, as nobody can be recognised in it."""
    count = None if value is None else int(value)
    return count_cell(count, words, small_cells if count else 0)
