"""How many clients changed reliably: one row per outcome and category, with shares of those seen and of all."""

from __future__ import annotations

from sweval.reporting.cells import (
    Cell,
    Column,
    Record,
    Row,
    Table,
    count_cell,
    finished,
    interval_cell,
    interval_column,
    text_cell,
    withheld_counts,
)
from sweval.reporting.language import Language

_COUNT, _SHARE, _SHARE_OF_ALL, _THRESHOLD = CHANGE = (
    "count",
    "proportion",
    "proportion_intention_to_treat",
    "reliable_change_threshold",
)
"""The measures of `ReliableChange`."""


def change_table(rows: list[Record], words: Language, small_cells: int) -> Table:
    """Return the table; a small count hides its shares as well, since shares give it away."""
    columns = (
        Column(name="outcome", label=words.say("column.outcome")),
        Column(name="category", label=words.say("column.category")),
        Column(name="n", label=words.say("column.clients"), digits=0),
        interval_column("share", rows, words),
        interval_column("share_of_all", rows, words),
    )
    analyses: dict[tuple[str | None, str | None], dict[str, dict[str, Record]]] = {}
    notes = [words.say("table.change_note")]
    for row in rows:
        if row["measure"] == _THRESHOLD:
            points = words.number(row["estimate"], 2)
            notes.append(words.say("table.threshold_note", outcome=row["outcome"] or "", points=points))
        else:
            of_outcome = analyses.setdefault((row["comparison"], row["outcome"]), {})
            of_outcome.setdefault(row["term"], {})[row["measure"]] = row
    lines: list[Row] = []
    for (comparison, outcome), categories in analyses.items():
        counts = {name: int(found[_COUNT]["estimate"]) for name, found in categories.items() if _COUNT in found}
        hidden = {name for name, count in counts.items() if 0 < count < small_cells}
        beside = withheld_counts({name: count for name, count in counts.items() if count}, small_cells)
        if hidden and small_cells:
            notes.append(words.say("table.suppressed_note", limit=small_cells))
        for name, found in categories.items():
            secret = name in hidden or name in beside
            lines.append(
                Row(
                    group=comparison,
                    cells=(
                        text_cell(outcome, words),
                        text_cell(words.known(f"change.{name}", name), words),
                        Cell(text=words.say("table.withheld"))
                        if name in beside
                        else count_cell(counts.get(name), words, small_cells if name in hidden else 0),
                        *(
                            interval_cell(found[measure], rows, words)
                            if measure in found and not secret
                            else text_cell(None, words)
                            for measure in (_SHARE, _SHARE_OF_ALL)
                        ),
                    ),
                )
            )
    return finished("change", columns, lines, words, list(dict.fromkeys(notes)))
