"""The tables of a report, made from `tidy()` alone; page, workbook and terminal print the same ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sweval.reporting.case_table import case_indices_table, cases_table, coefficient_in_words, of_case
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
    measure_in_words,
    number_cell,
    text_cell,
)
from sweval.reporting.change_table import CHANGE, change_table, without_secret_events
from sweval.reporting.language import Language, load_language
from sweval.reporting.participants_table import DESCRIPTIVE, participants_table
from sweval.reporting.safety_table import SAFETY_MEASURES, safety_table
from sweval.reporting.synthesis_table import SYNTHESIS, synthesis_table
from sweval.reporting.yes_no_tables import YES_NO, contrasts_table, risks_table
from sweval.result import COMPARABLE, SERVICES
from sweval.scoring.reliability import MEASURES as RELIABILITY

if TYPE_CHECKING:
    import pandas as pd

SIDES = ("direct", "indirect", "unknown")
_ALTERNATIVE = "_alternative"  # the same effect under an assumption that the design did not choose
_BESIDE = "coefficient_"  # the same coefficient tested in another way, such as coefficient_cr2
_GROWTH = "difference in growth"  # in the method of such designs, which compare changes and adjust for no baseline
_PARTIALLY_NESTED = "partially nested"  # in the method of such designs, whose arms differ in who is in a group
_COMPONENT = re.compile(r"residual$|[^\[]+: ")  # `agency: (Intercept)`, a standard deviation of random effects


def records(tidy: pd.DataFrame) -> list[Record]:
    """Return the rows of `tidy()` as dictionaries in which every missing value is None."""
    return [
        {name: None if missing else value for name, value, missing in zip(tidy.columns, row, absent, strict=True)}
        for row, absent in zip(
            tidy.astype(object).itertuples(index=False, name=None),
            tidy.isna().itertuples(index=False, name=None),
            strict=True,
        )
    ]


def block(row: Record) -> str:
    """Return the table that a row belongs in; "yes_no" and "cases" stand for two."""
    measure, metric = row["measure"], row["metric"]
    if measure.endswith(_ALTERNATIVE):
        return "other"
    if measure in SYNTHESIS:
        return "synthesis"
    if metric == COMPARABLE:
        return "effects"
    if of_case(row):
        return "cases"
    if measure == "sd" and metric is None and _COMPONENT.match(row["term"]):
        return "other"
    if measure in DESCRIPTIVE:
        return "participants"
    if measure in RELIABILITY:
        return "reliability"
    if measure == "icc":
        return "icc"
    if measure == "coefficient" or measure.startswith(_BESIDE):
        return "coefficients"
    if measure in CHANGE:
        return "change"
    if measure in YES_NO:
        return "yes_no"
    if measure in SAFETY_MEASURES:
        return "safety"
    return "other" if metric in (None, "raw") else "apart"


def side(row: Record) -> str:
    """Return direct, indirect or unknown."""
    return SERVICES.get(row["service"] or "", "unknown")


def by_side(rows: Iterable[Record]) -> list[Record]:
    """Return direct rows before indirect ones, otherwise in the order of the study."""
    return sorted(rows, key=lambda row: SIDES.index(side(row)))


def tables(tidy: pd.DataFrame, *, language: str = "en", small_cells: int = 11) -> tuple[Table, ...]:
    """Return every table that the rows fill, in the order of the report.

    Parameters
    ----------
    tidy
        `Result.tidy()`, or some of its rows.
    language
        `"en"` or `"id"`.
    small_cells
        Counts below it are shown as `<11`, and the means and standard deviations of such arms are left out.

    Returns
    -------
    tuple of Table
        Named synthesis, effects, apart, cases, case_indices, risks, contrasts, change, safety, participants,
        reliability, icc, coefficients, other; empty ones are absent. No row of `tidy` is left out but risks that would
        give away counts of categories.
    """
    words = load_language(language)
    held: dict[str, list[Record]] = {}
    for row in without_secret_events(_with_units(records(tidy)), small_cells):
        held.setdefault(block(row), []).append(row)
    if "yes_no" in held:
        held["contrasts"] = held.pop("yes_no")
        if any(row["measure"] in ("events", "risk") and row["estimate"] is not None for row in held["contrasts"]):
            held["risks"] = held["contrasts"]
    if "cases" in held:
        held["case_indices"] = held["cases"]
    makers: dict[str, Callable[[list[Record], Language, int], Table]] = {
        "synthesis": synthesis_table,
        "effects": _effects,
        "apart": _apart,
        "cases": cases_table,
        "case_indices": case_indices_table,
        "risks": risks_table,
        "contrasts": contrasts_table,
        "change": change_table,
        "safety": safety_table,
        "participants": participants_table,
        "reliability": _reliability,
        "icc": _icc,
        "coefficients": _coefficients,
        "other": _other,
    }
    made = (make(held[name], words, small_cells) for name, make in makers.items() if name in held)
    return tuple(table for table in made if table.rows)


def _with_units(rows: list[Record]) -> list[Record]:
    """Return the rows with what their n counts: clients where a comparison has an effect on them, otherwise rows."""
    of_clients = {row["comparison"] for row in rows if block(row) in ("effects", "apart", "change")}
    return [row | {"unit": "clients" if row["comparison"] in of_clients else "rows"} for row in rows]


def design_in_words(row: Record, words: Language) -> str:
    """Return who was assigned and whether the baseline was taken into account."""
    nested = _PARTIALLY_NESTED in row["method"].casefold()
    assigned = words.say("design.partially_nested" if nested else f"design.{row['level_assigned'] or 'unknown'}")
    if row["adjusted"] is None:
        return assigned
    how = "growth" if _GROWTH in row["method"] else "adjusted" if row["adjusted"] else "unadjusted"
    return words.say("locale.joiner").join([assigned, words.say(f"design.{how}")])


def _effects(rows: list[Record], words: Language, small_cells: int) -> Table:
    columns = (
        Column(name="comparison", label=words.say("column.comparison")),
        Column(name="service", label=words.say("column.service")),
        Column(name="design", label=words.say("column.design")),
        Column(name="outcome", label=words.say("column.outcome")),
        Column(name="n", label=words.say("column.n"), digits=0),
        Column(name="clusters", label=words.say("column.clusters"), digits=0),
        interval_column("effect", rows, words),
        Column(name="df", label=words.say("column.df"), digits=1),
        Column(name="p", label=words.say("column.p"), digits=3),
    )
    lines = [
        Row(
            group=words.say(f"side.{side(row)}"),
            cells=(
                text_cell(row["comparison"], words),
                text_cell(service_in_words(row, words), words),
                text_cell(design_in_words(row, words), words),
                text_cell(row["outcome"], words),
                count_cell(row["n"], words, small_cells),
                count_cell(row["clusters"], words, 0),
                interval_cell(row, rows, words),
                number_cell(row["df"], words, 1),
                Cell(text=words.p_value(row["p_value"]), numbers=(row["p_value"],)),
            ),
        )
        for row in by_side(rows)
    ]
    notes = [words.say("table.effects_note"), *_standardizers_note(rows, words)]
    if any(row["n"] is not None and row["n"] < small_cells for row in rows):
        notes.append(words.say("table.suppressed_note", limit=small_cells))
    return finished("effects", columns, lines, words, notes)


def _standardizers_note(rows: list[Record], words: Language) -> list[str]:
    """Say which rows are divided by which standard deviation of clients, where they differ in it."""
    held = Counter(row["standardizer"] for row in rows if row["standardizer"] is not None)
    if len(held) < 2:
        return []
    listed = [
        words.say("table.standardizer", name=words.known(f"standardizer.{name}", name), rows=number)
        for name, number in held.items()
    ]
    return [words.say("table.standardizers_note", listed=words.listing(listed))]


def _apart(rows: list[Record], words: Language, small_cells: int) -> Table:
    columns = (
        Column(name="comparison", label=words.say("column.comparison")),
        Column(name="outcome", label=words.say("column.outcome")),
        Column(name="measure", label=words.say("column.measure")),
        Column(name="metric", label=words.say("column.metric")),
        Column(name="n", label=words.say("column.n"), digits=0),
        interval_column("estimate", rows, words),
        Column(name="df", label=words.say("column.df"), digits=1),
        Column(name="p", label=words.say("column.p"), digits=3),
    )
    lines = [
        Row(
            group=words.say(f"side.{side(row)}"),
            cells=(
                text_cell(row["comparison"], words),
                text_cell(row["outcome"], words),
                text_cell(measure_in_words(row, words), words),
                text_cell(words.known(f"metric.{row['metric']}", row["metric"]), words),
                count_cell(row["n"], words, small_cells),
                interval_cell(row, rows, words),
                number_cell(row["df"], words, 1),
                Cell(text=words.p_value(row["p_value"]), numbers=(row["p_value"],)),
            ),
        )
        for row in by_side(rows)
    ]
    return finished("apart", columns, lines, words, [words.say("table.apart_note")])


def _reliability(rows: list[Record], words: Language, small_cells: int) -> Table:
    columns = (
        Column(name="scale", label=words.say("column.scale")),
        Column(name="n", label=words.say("column.n"), digits=0),
        interval_column("alpha", rows, words),
        Column(name="sem", label=words.say("column.sem"), digits=2),
        Column(name="item", label=words.say("column.item")),
        Column(name="item_rest", label=words.say("column.item_rest"), digits=2),
    )
    lines: list[Row] = []
    for scale, found in _grouped(rows, "outcome").items():
        one = {row["measure"]: row for row in found}
        items = [row for row in found if row["measure"] == "item_rest_r" and row["estimate"] is not None]
        weakest = min(items, key=lambda row: row["estimate"]) if items else None
        alpha = one.get("alpha") or one.get("alpha_standardized")
        n = next((row["n"] for row in found if row["n"] is not None), None)
        lines.append(
            Row(
                cells=(
                    text_cell(scale, words),
                    count_cell(n, words, small_cells),
                    interval_cell(alpha, rows, words) if alpha else Cell(text=words.say("table.empty")),
                    number_cell(one["sem"]["estimate"] if "sem" in one else None, words, 2),
                    text_cell(weakest["term"] if weakest else None, words),
                    number_cell(weakest["estimate"] if weakest else None, words, 2),
                )
            )
        )
    return finished("reliability", columns, lines, words, [words.say("table.reliability_note")])


def _icc(rows: list[Record], words: Language, small_cells: int) -> Table:
    columns = (
        Column(name="comparison", label=words.say("column.comparison")),
        Column(name="outcome", label=words.say("column.outcome")),
        Column(name="cluster", label=words.say("column.cluster")),
        interval_column("icc", rows, words, digits=3),
    )
    lines = [
        Row(
            cells=(
                text_cell(row["comparison"], words),
                text_cell(row["outcome"], words),
                text_cell(row["term"], words),
                interval_cell(row, rows, words, digits=3),
            )
        )
        for row in rows
    ]
    return finished("icc", columns, lines, words, [words.say("table.icc_note")])


def _coefficients(rows: list[Record], words: Language, small_cells: int) -> Table:
    columns = (
        Column(name="outcome", label=words.say("column.outcome")),
        Column(name="term", label=words.say("column.term")),
        interval_column("estimate", rows, words, digits=3),
        Column(name="std_error", label=words.say("column.std_error"), digits=3),
        Column(name="df", label=words.say("column.df"), digits=1),
        Column(name="p", label=words.say("column.p"), digits=3),
        Column(name="method", label=words.say("column.method")),
    )
    lines = [
        Row(
            group=row["comparison"],
            cells=(
                text_cell(row["outcome"], words),
                text_cell(coefficient_in_words(row["term"], words), words),
                interval_cell(row, rows, words, digits=3),
                number_cell(row["std_error"], words, 3),
                number_cell(row["df"], words, 1),
                Cell(text=words.p_value(row["p_value"]), numbers=(row["p_value"],)),
                text_cell(row["method"], words),
            ),
        )
        for row in rows
    ]
    notes = [words.say("table.coefficients_note")]
    if any(row["metric"] == "log_odds" for row in rows):
        notes.append(words.say("table.log_odds_note"))
    return finished("coefficients", columns, lines, words, notes)


def _other(rows: list[Record], words: Language, small_cells: int) -> Table:
    columns = (
        Column(name="comparison", label=words.say("column.comparison")),
        Column(name="outcome", label=words.say("column.outcome")),
        Column(name="term", label=words.say("column.term")),
        Column(name="measure", label=words.say("column.measure")),
        Column(name="n", label=words.say("column.n"), digits=0),
        Column(name="unit", label=words.say("column.unit")),
        interval_column("estimate", rows, words, digits=3),
        Column(name="df", label=words.say("column.df"), digits=1),
        Column(name="p", label=words.say("column.p"), digits=3),
    )
    lines = [
        Row(
            cells=(
                text_cell(row["comparison"], words),
                text_cell(row["outcome"], words),
                text_cell(row["term"], words),
                text_cell(measure_in_words(row, words), words),
                count_cell(row["n"], words, small_cells),
                text_cell(None if row["n"] is None else words.say(f"unit.{row['unit']}"), words),
                interval_cell(row, rows, words, digits=3),
                number_cell(row["df"], words, 1),
                Cell(text=words.p_value(row["p_value"]), numbers=(row["p_value"],)),
            )
        )
        for row in rows
    ]
    return finished("other", columns, lines, words, [])


def service_in_words(row: Record, words: Language) -> str | None:
    """Return the service type in the reader's language."""
    return words.known(f"service.{row['service']}", row["service"]) if row["service"] else None


def _grouped(rows: list[Record], key: str) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for row in rows:
        groups.setdefault(row[key] or row["term"], []).append(row)
    return groups
