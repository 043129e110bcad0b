"""`sw.report`: one folder with the page, the numbers and the picture of a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sweval.errors import OutputError, did_you_mean
from sweval.reporting import html
from sweval.reporting.cells import measure_in_words
from sweval.reporting.change_table import without_secret_events
from sweval.reporting.folder import write_folder
from sweval.reporting.language import Language, load_language
from sweval.reporting.plots import RISK_DIFFERENCE, forest_in_words, forest_picture
from sweval.reporting.sentences import effect_sentences, outcome_sentences, question, yes_no_sentences
from sweval.reporting.spreadsheet_safe import csv_bytes
from sweval.reporting.tables import block, records, tables
from sweval.result import CHECK

if TYPE_CHECKING:
    import pandas as pd

    from sweval.reporting.cells import Table
    from sweval.result import Result

FORMATS = ("html", "xlsx")
_PROMISED = ("docx",)
_LONGEST_LABEL = 60
"""A longer label of a variable is a sentence; the outcome is then called as its column."""
_IN_A_TABLE_NOTE = "mean over cases"  # the method of such rows, which the note below their table says
_FOREST, _RISKS = "forest", "risk_differences"


def report(
    result: Result,
    folder: str | Path,
    *,
    title: str | None = None,
    language: str = "en",
    formats: Sequence[str] = ("html",),
    small_cells: int = 11,
    inputs: Mapping[str, str] | None = None,
) -> list[Path]:
    """Write the report of a result: the page, the numbers, the picture, and a manifest.

    Use it for people who decide about a service. It prints what the result holds and never fits anything; for your
    own tables start from `result.tidy()`.

    Parameters
    ----------
    result
        What a design, a study or a sum of results returned.
    folder
        Where to write; made where it does not exist.
    title
        By default the study's title.
    language
        `"en"` or `"id"`.
    formats
        `"html"` (report.html) and `"xlsx"` (effects.xlsx). effects.csv, with the columns of `tidy()`, manifest.json,
        and where there are effects forest.svg and forest.png are always written; for yes/no outcomes also
        risk_differences.svg and risk_differences.png.
    small_cells
        Counts below it are shown as `<11` on the page and in the workbook. effects.csv holds all counts.
    inputs
        Name and SHA-256 of the files that were read, for the manifest.

    Returns
    -------
    list of pathlib.Path
        What was written, the manifest last.

    Raises
    ------
    OutputError
        If a format is unknown, or the folder holds a file of the same name that sweval did not write. Nothing is
        written then.

    Examples
    --------
    >>> import tempfile
    >>> from sweval.result import Estimate, Result
    >>> row = Estimate(term="arm[program]", measure="hedges_g", estimate=0.25, metric="person_total", method="example")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in report(Result(estimates=(row,)), folder)]
    ['effects.csv', 'forest.svg', 'forest.png', 'report.html', 'manifest.json']
    """
    check_formats(formats)
    tidy = result.tidy()
    words = load_language(language)
    named = title or next((row.study for row in result.estimates if row.study), None) or words.say("report.title")
    files = {"effects.csv": csv_bytes(tidy)}
    labels = {column: label for column, label in result.labels.items() if len(label) <= _LONGEST_LABEL}
    tidy = _named(tidy, labels)
    for name, rows in _drawable(tidy, small_cells).items():
        files[f"{name}.svg"] = forest_picture(rows, language=language)
        files[f"{name}.png"] = forest_picture(rows, language=language, kind="png")
    shown = tables(tidy, language=language, small_cells=small_cells)
    if "html" in formats:
        body = _body(replace(result, labels=labels), tidy, shown, files, words, small_cells)
        footer = _footer(words)
        files["report.html"] = html.page(title=named, language=words.code, body=body, footer=footer).encode("utf-8")
    if "xlsx" in formats:
        from sweval.reporting.xlsx import workbook

        notes = words.say("sheet.notes"), words.say("report.notes"), [*to_check(result.notes), *others(result.notes)]
        files["effects.xlsx"] = workbook(shown, sheets=[words.say(f"sheet.{t.name}") for t in shown], notes=notes)
    return write_folder(Path(folder), files, inputs=inputs or {}, option="--out")


def check_formats(formats: Sequence[str]) -> None:
    """Check that every format can be written.

    Raises
    ------
    OutputError
        Naming the format.
    """
    for name in formats:
        if name in _PROMISED:
            raise OutputError("Word output comes with a later release; use html or xlsx.", where=f'format "{name}"')
        if name not in FORMATS:
            raise OutputError(f'"{name}" is no format of a report.', fix=did_you_mean(name, FORMATS))


def _footer(words: Language) -> str:
    from sweval import __version__

    return words.say("report.footer", version=__version__)


def _body(
    result: Result,
    tidy: pd.DataFrame,
    shown: Sequence[Table],
    files: Mapping[str, bytes],
    words: Language,
    small_cells: int,
) -> list[str]:
    """Return the sections of the page in reading order."""
    held = {table.name: html.table(table) for table in shown}
    parts = [html.paragraph(question(tidy, language=words.code), style="lead")]
    parts.append(html.heading(words.say("report.effects")))
    if "synthesis" in held:
        parts.append(held["synthesis"])
    if "effects" in held:
        parts.append(held["effects"])
    elif not {"risks", "contrasts", "synthesis"} & set(held):
        parts.append(html.paragraph(words.say("report.no_effects")))
    parts += _picture(_FOREST, _drawable(tidy, small_cells), files, words)
    if "apart" in held:
        parts.append(held["apart"])
    if "cases" in held:
        parts += [html.heading(words.say("report.cases")), held["cases"]]
    parts += _yes_no(_drawable(tidy, small_cells), held, files, words)
    if "change" in held:
        parts += [html.heading(words.say("report.change")), held["change"]]
    said = effect_sentences(tidy, language=words.code, small_cells=small_cells)
    said += yes_no_sentences(tidy, language=words.code, small_cells=small_cells)
    if said:
        parts += [html.heading(words.say("report.in_words")), html.bullets(said)]
    outcomes = outcome_sentences(tidy, language=words.code, labels=result.labels)
    if outcomes:
        parts += [html.heading(words.say("report.outcomes")), html.bullets(outcomes)]
    if "safety" in held:
        parts += [html.heading(words.say("report.safety")), html.paragraph(words.say("report.safety_intro"))]
        parts.append(held["safety"])
    if "participants" in held:
        parts += [html.heading(words.say("report.participants")), held["participants"]]
    if "reliability" in held:
        parts += [html.heading(words.say("report.reliability")), held["reliability"]]
    parts += _notes(result, words)
    parts.append(html.heading(words.say("report.methods")))
    parts += _in_english(_method_sentences(tidy, words), words)
    parts += [held[name] for name in ("icc", "other") if name in held]
    if "case_indices" in held:
        parts.append(html.folded(words.say("report.case_details"), held["case_indices"]))
    if "coefficients" in held:
        parts.append(html.folded(words.say("report.details"), held["coefficients"]))
    parts += [html.heading(words.say("report.reading"))]
    parts.append(html.bullets([words.say(f"reading.{key}") for key in _reading(tidy)]))
    parts.append(html.paragraph(words.say("report.files"), style="soft"))
    return parts


def _named(tidy: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows with outcomes called by their labels, and the wave after them as before."""

    def name(outcome: str | None) -> str | None:
        column, at, wave = (outcome or "").partition(" at ")
        return f"{labels[column]}{at}{wave}" if column in labels else outcome

    return tidy.assign(outcome=tidy["outcome"].map(name)) if labels else tidy


def _drawable(tidy: pd.DataFrame, small_cells: int) -> dict[str, pd.DataFrame]:
    """Return the rows of each picture by its name."""
    shown = without_secret_events([row | {"place": i} for i, row in enumerate(records(tidy))], small_cells)
    tidy = tidy.iloc[[row["place"] for row in shown]]
    blocks = [block(row) for row in records(tidy)]
    found = {
        _FOREST: tidy[[name == "effects" for name in blocks]],
        _RISKS: tidy[tidy["measure"] == RISK_DIFFERENCE],
    }
    return {name: rows for name, rows in found.items() if len(rows)}


def _picture(name: str, drawable: Mapping[str, pd.DataFrame], files: Mapping[str, bytes], words: Language) -> list[str]:
    """Return a picture with its words; nothing where there is none."""
    if f"{name}.svg" not in files:
        return []
    alternative = forest_in_words(drawable[name], language=words.code)
    caption = words.say("plot.caption" if name == _FOREST else "plot.caption_risks")
    return [html.picture(files[f"{name}.svg"], alternative=alternative, caption=caption)]


def _yes_no(
    drawable: Mapping[str, pd.DataFrame], held: Mapping[str, str], files: Mapping[str, bytes], words: Language
) -> list[str]:
    """Return the section of yes/no outcomes; it has a heading of its own where other results stand before it."""
    tables_of = [held[name] for name in ("risks", "contrasts") if name in held]
    if not tables_of:
        return []
    headed = [html.heading(words.say("report.yes_no"))] if {"effects", "apart"} & set(held) else []
    return [*headed, *tables_of, *_picture(_RISKS, drawable, files, words)]


def _reading(tidy: pd.DataFrame) -> list[str]:
    """Return what must be explained: only what the result holds."""
    rows = records(tidy)
    blocks, measures = {block(row) for row in rows}, {row["measure"] for row in rows}
    wanted = {
        "g": "effects" in blocks,
        "people": "effects" in blocks,
        "risk": "yes_no" in blocks,
        "needed": "nnt" in measures,
        "odds": "odds_ratio" in measures,
        "interval": True,
        "df": True,
        "direct": "effects" in blocks,
        "size": True,
    }
    return [key for key, there in wanted.items() if there]


def _notes(result: Result, words: Language) -> list[str]:
    parts = [html.heading(words.say("report.notes"))]
    if not result.notes:
        return [*parts, html.paragraph(words.say("report.notes_none"))]
    parts.append(html.paragraph(words.say("report.notes_intro")))
    pressing = to_check(result.notes)
    if pressing:
        listed = html.bullets(pressing, language=None if words.code == "en" else "en")
        parts.append(html.marked(words.say("report.notes_check"), listed))
    return [*parts, *_in_english(others(result.notes), words)]


def to_check(notes: Sequence[str]) -> tuple[str, ...]:
    """Return the notes that ask the reader to look at something before using the numbers."""
    return tuple(note for note in notes if CHECK in note)


def others(notes: Sequence[str]) -> tuple[str, ...]:
    """Return the notes that only say what was done."""
    return tuple(note for note in notes if CHECK not in note)


def _in_english(texts: Sequence[str], words: Language) -> list[str]:
    """Return sentences of the program, which are English in every report, and say so where the report is not."""
    if not texts:
        return []
    if words.code == "en":
        return [html.bullets(texts)]
    return [html.paragraph(words.say("report.english"), style="soft"), html.bullets(texts, language="en")]


def _method_sentences(tidy: pd.DataFrame, words: Language) -> list[str]:
    """Return what each measure was computed by, with the analyses it was used for."""
    uses: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in records(tidy):
        if row["method"].startswith(_IN_A_TABLE_NOTE):
            continue
        if block(row) in ("synthesis", "effects", "apart", "cases", "yes_no", "change", "reliability", "icc", "other"):
            where = uses.setdefault((measure_in_words(row, words), row["method"]), {})
            where.setdefault(row["comparison"] or "", []).append(row["outcome"] or row["term"])
    return [
        words.say(
            "report.method_row", measure=measure, used="; ".join(map(_used, where, where.values())), method=method
        )
        for (measure, method), where in uses.items()
    ]


def _used(comparison: str, outcomes: list[str]) -> str:
    listed = ", ".join(dict.fromkeys(outcomes))
    return f"{comparison} ({listed})" if comparison else listed
