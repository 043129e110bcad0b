"""Many studies together: means of effects, their differences, and how much studies vary."""

from __future__ import annotations

from sweval.reporting.cells import (
    Cell,
    Column,
    Record,
    Row,
    Table,
    finished,
    interval_cell,
    interval_column,
    measure_in_words,
    number_cell,
    text_cell,
)
from sweval.reporting.language import Language

SYNTHESIS = (
    "mean_effect",
    "prediction",
    "difference_in_effects",
    "difference_within_studies",
    "difference_adjusted",
    "q",
    "tau2",
    "i2",
    "egger",
    "mean_effect_pet",
    "mean_effect_peese",
    "mean_effect_pet_peese",
    "mean_effect_trim_and_fill",
    "missing_effects",
    "mean_effect_selection",
    "selection_weight",
)
"""Measures of a synthesis; their n are effects and their clusters studies, which are no persons."""


def synthesis_table(rows: list[Record], words: Language, small_cells: int) -> Table:
    """Return a line for each number, in the order of the synthesis."""
    columns = (
        Column(name="outcome", label=words.say("column.outcome")),
        Column(name="term", label=words.say("column.term")),
        Column(name="measure", label=words.say("column.measure")),
        Column(name="effects", label=words.say("column.effects"), digits=0),
        Column(name="studies", label=words.say("column.studies"), digits=0),
        interval_column("estimate", rows, words),
        Column(name="df", label=words.say("column.df"), digits=1),
        Column(name="p", label=words.say("column.p"), digits=3),
    )
    lines = [
        Row(
            group=row["comparison"],
            cells=(
                text_cell(row["outcome"], words),
                text_cell(row["term"], words),
                text_cell(measure_in_words(row, words), words),
                _count(row["n"], words),
                _count(row["clusters"], words),
                interval_cell(row, rows, words),
                number_cell(row["df"], words, 1),
                Cell(text=words.p_value(row["p_value"]), numbers=(row["p_value"],)),
            ),
        )
        for row in rows
    ]
    return finished("synthesis", columns, lines, words, [words.say("table.synthesis_note")])


def _count(value: int | None, words: Language) -> Cell:
    """Return a number of effects or studies, small or not: nobody can be recognised by it."""
    if value is None:
        return Cell(text=words.say("table.empty"))
    return Cell(text=str(int(value)), numbers=(int(value),))
