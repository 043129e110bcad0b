"""Single cases: one line per case with the numbers that are read first, and a table of all other indices."""

from __future__ import annotations

import re

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

_CASE = re.compile(r"case (?P<number>\d+)$")
_OF_CASE = re.compile(r"case (?P<number>\d+): (?P<term>.+)")
_ALL = "all cases"
_FIRST = {
    "baseline_phase_mean": "baseline_mean",
    "treated_phase_mean": "treated_mean",
    "nonoverlap_of_all_pairs": "nonoverlap",
    "nonoverlap_of_all_pairs_serial": "nonoverlap_serial",
    "tau_baseline_corrected": "tau_corrected",
    "within_case_smd": "within_case",
}
"""Measures of the first table -> column."""
_INTERVALS = ("nonoverlap", "nonoverlap_serial")
_TINY = 0.02
"""Below it, as slopes per day are, two decimals would say nothing."""


def of_case(row: Record) -> bool:
    """Tell whether a row is about one case of a single-case design, or the mean of them."""
    return row["measure"] != "coefficient" and bool(_CASE.match(row["term"]) or row["term"] == _ALL)


def cases_table(rows: list[Record], words: Language, small_cells: int) -> Table:
    """Return one line per outcome and case: means of the phases, overlap with both intervals, trend taken off."""
    lines: dict[tuple[str | None, str | None, str], dict[str, Record]] = {}
    for row in rows:
        if row["measure"] in _FIRST:
            held = lines.setdefault((row["comparison"], row["outcome"], row["term"]), {})
            held[_FIRST[row["measure"]]] = row
    shown = [row for held in lines.values() for row in held.values()]
    columns = (
        Column(name="outcome", label=words.say("column.outcome")),
        Column(name="case", label=words.say("column.case")),
        *(Column(name=name, label=words.say(f"column.{name}"), digits=2) for name in ("baseline_mean", "treated_mean")),
        *(interval_column(name, shown, words) for name in _INTERVALS),
        *(Column(name=name, label=words.say(f"column.{name}"), digits=2) for name in ("tau_corrected", "within_case")),
    )
    made = [
        Row(
            group=comparison,
            cells=(
                text_cell(outcome, words),
                text_cell(case_in_words(term, words), words),
                *(_with_count(held.get(name), words) for name in ("baseline_mean", "treated_mean")),
                *(
                    interval_cell(held[name], shown, words) if name in held else text_cell(None, words)
                    for name in _INTERVALS
                ),
                *(
                    number_cell(held[name]["estimate"], words, 2) if name in held else text_cell(None, words)
                    for name in ("tau_corrected", "within_case")
                ),
            ),
        )
        for (comparison, outcome, term), held in lines.items()
    ]
    return finished("cases", columns, made, words, [words.say("table.cases_note")])


def case_indices_table(rows: list[Record], words: Language, small_cells: int) -> Table:
    """Return every other number of the cases, one line each."""
    rest = [row for row in rows if row["measure"] not in _FIRST]
    columns = (
        Column(name="outcome", label=words.say("column.outcome")),
        Column(name="case", label=words.say("column.case")),
        Column(name="measure", label=words.say("column.measure")),
        Column(name="metric", label=words.say("column.metric")),
        interval_column("estimate", rest, words),
        Column(name="df", label=words.say("column.df"), digits=1),
        Column(name="p", label=words.say("column.p"), digits=3),
    )
    made = [
        Row(
            group=row["comparison"],
            cells=(
                text_cell(row["outcome"], words),
                text_cell(case_in_words(row["term"], words), words),
                text_cell(measure_in_words(row, words), words),
                text_cell(words.known(f"metric.{row['metric']}", row["metric"]), words),
                interval_cell(row, rest, words, digits=4 if 0 < abs(row["estimate"]) < _TINY else 2),
                number_cell(row["df"], words, 1),
                Cell(text=words.p_value(row["p_value"]), numbers=(row["p_value"],)),
            ),
        )
        for row in rest
    ]
    return finished("case_indices", columns, made, words, [words.say("table.case_indices_note")])


def case_in_words(term: str, words: Language) -> str:
    """Return the name of a case in the reader's language."""
    found = _CASE.match(term)
    return words.say("case.one", number=found["number"]) if found else words.say("case.all")


def coefficient_in_words(term: str, words: Language) -> str:
    """Return the term of a coefficient; that of one case begins with the case in the reader's language."""
    found = _OF_CASE.fullmatch(term)
    return f"{words.say('case.one', number=found['number'])}: {found['term']}" if found else term


def _with_count(row: Record | None, words: Language) -> Cell:
    """Return a mean with the number of its measurements."""
    if row is None:
        return text_cell(None, words)
    text = f"{words.number(row['estimate'], 2)} ({row['n']})" if row["n"] is not None else None
    return Cell(text=text or words.number(row["estimate"], 2), numbers=(row["estimate"],))
