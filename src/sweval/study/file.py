"""The study file: its tables as records, read and checked without touching the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_type_hints

from sweval.data.read import FileOptions
from sweval.errors import OutputError, StudyError, SwevalError, did_you_mean
from sweval.models.base.design import Design, kinds, service_advice
from sweval.reporting.language import languages
from sweval.reporting.report import check_formats
from sweval.result import SERVICES
from sweval.scoring.definition import instrument
from sweval.scoring.records import Instrument
from sweval.scoring.request import CodingArgument
from sweval.study.problems import Problems, checked, checked_keys, list_of_tables, text_of, value_of
from sweval.study.toml_file import read_toml

_SECTIONS = ("study", "read", "comparisons", "outcomes", "report")
_OF_INSTRUMENTS = ("items", "coding", "order", "variant", "scores")

Codes = tuple[int | float | str, ...]
"""Codes that mean no answer."""


@dataclass(frozen=True, kw_only=True)
class StudyTable:
    """`[study]`; `missing` are the codes that mean no answer, for columns that are neither items nor outcomes."""

    title: str
    data: str
    language: str = "en"
    client: str | None = None
    wave: str | None = None
    accept_licence: bool = False
    missing: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class OutcomeTable:
    """`[[outcomes]]`: an instrument with its items, or a column that is a score already."""

    instrument: str | None = None
    items: str | tuple[str, ...] | None = None
    missing: Codes = ()
    coding: str | dict[str, int] | None = None
    order: str | None = None
    variant: str | None = None
    scores: tuple[str, ...] = ()
    column: str | None = None
    better: Literal["higher", "lower"] | None = None
    range: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class ReportTable:
    """`[report]`."""

    formats: tuple[str, ...] = ("html",)
    small_cells: int = 11


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One `[[comparisons]]` with its path inside the file and the design it declares.

    `outcomes` are the columns it is fitted to; none stands for all.
    """

    path: str
    name: str
    design: Design
    outcomes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scored:
    """An outcome that an instrument gives.

    `scores` are the ids of the scores that are analysed; `doubles` those left out because another one is the same
    score in other units.
    """

    path: str
    instrument: Instrument
    source: str | Path
    items: str | tuple[str, ...]
    missing: Codes
    coding: CodingArgument
    order: str | None
    variant: str | None
    scores: tuple[str, ...]
    doubles: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Given:
    """An outcome that is a column; `missing` are codes in it for no answer, `range` its lowest and highest value."""

    path: str
    column: str
    better: str | None
    missing: Codes = ()
    range: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class StudyFile:
    """A study file that has no problem of its own; whether the data fit it is another question."""

    path: Path
    study: StudyTable
    data: Path
    comparisons: tuple[Comparison, ...]
    outcomes: tuple[Scored | Given, ...]
    report: ReportTable
    reading: Mapping[str, Any]


def read_study_file(path: Path) -> StudyFile:
    """Read and check a study file.

    Raises
    ------
    StudyError
        Naming every problem with its path inside the file.
    """
    raw = read_toml(path)
    problems = Problems(path)
    for name in raw:
        if name not in _SECTIONS:
            problems.add(name, f"unknown section. {did_you_mean(name, _SECTIONS)}")
    study = _study(raw, problems)
    named = text_of(raw.get("study"), "data")
    data = None if named is None else _inside(named, path.parent, "study.data", problems)
    reading = _reading(raw, path.parent, problems)
    comparisons = _comparisons(raw, study, problems)
    outcomes = _outcomes(raw, study, path.parent, problems)
    comparisons = _with_columns(comparisons, outcomes, problems)
    report = _report(raw, problems)
    problems.raise_if_any()
    if study is None or data is None or report is None:
        raise StudyError("the file cannot be used.", where=path.name)
    return StudyFile(
        path=path,
        study=study,
        data=data,
        comparisons=comparisons,
        outcomes=outcomes,
        report=report,
        reading=reading,
    )


def _study(raw: Mapping[str, Any], problems: Problems) -> StudyTable | None:
    if "study" not in raw:
        problems.add("study", "is missing: the file needs a [study] section with title and data.")
        return None
    values = checked(raw["study"], StudyTable, "study", problems)
    language = text_of(raw["study"], "language")
    if language is not None and language not in languages():
        problems.add("study.language", f'there are no words for "{language}". {did_you_mean(language, languages())}')
    if values is None:
        return None
    return StudyTable(**values | {"missing": _missing(values.get("missing", {}), problems)})


def _missing(table: Mapping[str, object], problems: Problems) -> dict[str, Codes]:
    """Return column -> codes for no answer."""
    found = {column: value_of(Codes, codes, f"study.missing.{column}", problems) for column, codes in table.items()}
    return {column: codes for column, codes in found.items() if codes is not None}


def _reading(raw: Mapping[str, Any], folder: Path, problems: Problems) -> dict[str, Any]:
    """Return `[read]`: the options of `sweval.read`, for a file that does not say everything about itself."""
    values = checked_keys(raw.get("read", {}), get_type_hints(FileOptions), "read", problems) or {}
    if values.get("catalog") is not None:
        values["catalog"] = _inside(str(values["catalog"]), folder, "read.catalog", problems)
    return values


def _report(raw: Mapping[str, Any], problems: Problems) -> ReportTable | None:
    table = raw.get("report", {})
    values = checked(table, ReportTable, "report", problems)
    formats = table.get("formats") if isinstance(table, dict) else None
    for number, name in enumerate(formats if isinstance(formats, list) else (), 1):
        try:
            check_formats([name])
        except OutputError as error:
            problems.add(f"report.formats[{number}]", str(error))
    if values is None:
        return None
    report = ReportTable(**values)
    if report.small_cells < 0:
        problems.add("report.small_cells", "must not be negative; 0 shows every count.")
    return report


def _comparisons(raw: Mapping[str, Any], study: StudyTable | None, problems: Problems) -> tuple[Comparison, ...]:
    tables = list_of_tables(raw, "comparisons", problems)
    found: list[Comparison] = []
    for path, table in tables:
        design = _design(table, study, path, problems)
        if design is None:
            continue
        if design.name is None and len(tables) > 1:
            problems.add(f"{path}.name", "is missing: with several comparisons each needs a name.")
        name = design.name or type(design).__name__
        if name in [other.name for other in found]:
            problems.add(f"{path}.name", f'another comparison is called "{name}" too.')
        found.append(Comparison(path=path, name=name, design=design, outcomes=_named_outcomes(table, path, problems)))
    return tuple(found)


def _named_outcomes(table: Mapping[str, Any], path: str, problems: Problems) -> tuple[str, ...]:
    """Return the outcomes that a comparison names, as written."""
    named = table.get("outcomes", [])
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        problems.add(f"{path}.outcomes", 'must be a list of names, such as ["phq9", "days_waited"].')
        return ()
    return tuple(named)


def _with_columns(
    comparisons: tuple[Comparison, ...], outcomes: tuple[Scored | Given, ...], problems: Problems
) -> tuple[Comparison, ...]:
    """Return the comparisons with the columns of the outcomes they name: a column, or an instrument for all of its."""
    known: dict[str, tuple[str, ...]] = {}
    for outcome in outcomes:
        columns = columns_of(outcome)
        known |= {column: (column,) for column in columns}
        if isinstance(outcome, Scored):
            known[outcome.instrument.id] = columns
    found = []
    for comparison in comparisons:
        for name in comparison.outcomes:
            if outcomes and name not in known:
                problems.add(
                    f"{comparison.path}.outcomes", f'there is no outcome "{name}". {did_you_mean(name, known)}'
                )
        wanted = {column for name in comparison.outcomes for column in known.get(name, ())}
        chosen = tuple(column for outcome in outcomes for column in columns_of(outcome) if column in wanted)
        found.append(replace(comparison, outcomes=chosen))
    if found and all(comparison.outcomes for comparison in found):
        fitted = {column for comparison in found for column in comparison.outcomes}
        for outcome in outcomes:
            if not fitted & set(columns_of(outcome)):
                problems.add(outcome.path, "no comparison names it among its outcomes.")
    return tuple(found)


def _design(table: object, study: StudyTable | None, path: str, problems: Problems) -> Design | None:
    """Return the design that `kind` names; its fields are the other keys, so no design is known here by name."""
    known = kinds()
    if not isinstance(table, dict):
        problems.add(path, "must be a table.")
        return None
    kind = table.get("kind")
    if kind is None:
        problems.add(f"{path}.kind", f"is missing. {did_you_mean('', known)}")
        return None
    if kind not in known:
        problems.add(f"{path}.kind", f'there is no design "{kind}". {did_you_mean(str(kind), known)}')
        return None
    design = known[kind]
    own = [field.name for field in fields(design)]
    shared = {name: getattr(study, name, None) for name in ("client", "wave") if name in own and name not in table}
    given = {name: value for name, value in table.items() if name not in ("kind", "outcomes")}
    values = checked(given, design, path, problems)
    if given.get("service") is not None and given["service"] not in SERVICES:
        problems.add(
            f"{path}.service",
            f'there is no service "{given["service"]}". {service_advice(str(given["service"]))}',
        )
        return None
    if values is None or study is None:
        return None
    try:
        return design(**{name: value for name, value in shared.items() if value is not None}, **values)
    except SwevalError as error:
        problems.add(path, _without_place(error))
        return None


def _outcomes(
    raw: Mapping[str, Any], study: StudyTable | None, folder: Path, problems: Problems
) -> tuple[Scored | Given, ...]:
    tables = list_of_tables(raw, "outcomes", problems)
    if not tables:
        problems.add("outcomes", "is missing: name at least one [[outcomes]].")
    found: list[Scored | Given] = []
    columns: dict[str, str] = {}
    for path, table in tables:
        values = checked(table, OutcomeTable, path, problems)
        outcome = None if values is None else _outcome(OutcomeTable(**values), study, folder, path, problems)
        if outcome is None:
            continue
        for column in columns_of(outcome):
            if column in columns:
                problems.add(path, f'the outcome "{column}" is in {columns[column]} already.')
            columns[column] = path
        found.append(outcome)
    return tuple(found)


def _outcome(
    table: OutcomeTable, study: StudyTable | None, folder: Path, path: str, problems: Problems
) -> Scored | Given | None:
    if (table.instrument is None) == (table.column is None):
        problems.add(path, "needs either `instrument` (with `items`) or `column` (with `better`).")
        return None
    if table.column is not None:
        return _given(table, table.column, path, problems)
    if table.better is not None:
        problems.add(f"{path}.better", "the instrument says it already; leave this key out.")
    if table.range is not None:
        problems.add(f"{path}.range", "belongs to a column; the instrument knows its codes.")
    if table.items is None:
        problems.add(f"{path}.items", 'is missing: give a pattern such as "phq_{item}", or the columns in item order.')
    source = _instrument_source(table.instrument or "", folder, path, problems)
    if source is None or table.items is None:
        return None
    try:
        definition = instrument(source, accept_licence=study.accept_licence if study else False)
    except SwevalError as error:
        problems.add(f"{path}.instrument", str(error))
        return None
    _check_names(table, definition, path, problems)
    every = [scale.id for scale in definition.scores]
    known = [scale.id for scale in of_variant(definition, table.variant).scores]
    unknown = [score for score in table.scores if score not in known]
    for score in unknown:
        what = f'{definition.id} has no score "{score}". {did_you_mean(score, known)}'
        if score in every:
            what = f'the score "{score}" needs a variant. {did_you_mean("", [v.name for v in definition.variants])}'
        problems.add(f"{path}.scores", what)
    doubles = () if table.scores else _doubles(definition)
    return Scored(
        path=path,
        instrument=definition,
        source=source,
        items=table.items,
        missing=table.missing,
        coding=_coding(table.coding),
        order=table.order,
        variant=table.variant,
        scores=tuple(score for score in table.scores or known if score not in (*unknown, *doubles)),
        doubles=doubles,
    )


def _check_names(table: OutcomeTable, definition: Instrument, path: str, problems: Problems) -> None:
    """Check the order of the items, and that there are variants where one is named; it may be a column of the data."""
    orders = [entry.name for entry in definition.orders]
    if table.order is not None and table.order not in orders:
        advice = did_you_mean(table.order, orders) if orders else "The items have one order: leave this key out."
        problems.add(f"{path}.order", f'{definition.id} has no order "{table.order}". {advice}')
    if table.variant is not None and not definition.variants:
        problems.add(f"{path}.variant", f"{definition.id} has no variants: leave this key out.")


def of_variant(definition: Instrument, variant: str | None) -> Instrument:
    """Return the instrument of a named variant or of none; whole where a column tells the variant of each row."""
    if variant is None or variant in [entry.name for entry in definition.variants]:
        return definition.of_variant(variant or "")
    return definition


def _given(table: OutcomeTable, column: str, path: str, problems: Problems) -> Given | None:
    """Return an outcome that is a column of the data."""
    wrong = [name for name in _OF_INSTRUMENTS if getattr(table, name)]
    for name in wrong:
        problems.add(f"{path}.{name}", "belongs to an instrument, not to a column.")
    if table.range is not None and not table.range[0] < table.range[1]:
        problems.add(f"{path}.range", "needs the lowest and the highest value, in this order: range = [0, 40].")
        return None
    given = Given(path=path, column=column, better=table.better, missing=table.missing, range=table.range)
    return None if wrong else given


def _doubles(definition: Instrument) -> tuple[str, ...]:
    """Return the scores of which a later one is the same sum or mean in other units, as raw and percent are."""
    rules = [(scale.op, scale.items, scale.missing, scale.better) for scale in definition.scores]
    return tuple(scale.id for number, scale in enumerate(definition.scores) if rules[number] in rules[number + 1 :])


def _coding(coding: str | dict[str, int] | None) -> CodingArgument:
    """Return a coding whose raw codes are numbers where they look like numbers: every key of a TOML table is text."""
    if coding is None or isinstance(coding, str):
        return coding
    return {int(raw) if raw.removeprefix("-").isdecimal() else raw: code for raw, code in coding.items()}


def columns_of(outcome: Scored | Given) -> tuple[str, ...]:
    """Return the columns that the comparisons are fitted to."""
    if isinstance(outcome, Given):
        return (outcome.column,)
    return tuple(outcome.instrument.scale(score).column for score in outcome.scores)


def _instrument_source(name: str, folder: Path, path: str, problems: Problems) -> str | Path | None:
    """Return an id of the catalogue as it is, a file as a path inside the study's folder."""
    if not name.endswith(".toml"):
        return name
    return _inside(name, folder, f"{path}.instrument", problems)


def _inside(name: str, folder: Path, path: str, problems: Problems) -> Path | None:
    """Return the file of this name below the study's folder; nothing outside it is ever opened."""
    if "://" in name:
        problems.add(path, "a web address is not opened: save the file beside the study file.")
        return None
    if any(ord(sign) < 32 for sign in name):  # TOML made a tab or a new line of a backslash and the letter after it
        problems.add(path, 'holds a backslash: write paths with forward slashes, as in "folder/clients.sav".')
        return None
    home = folder.resolve()
    try:
        target = (home / name).resolve()
    except (OSError, RuntimeError, ValueError):
        problems.add(path, "is no usable file name.")
        return None
    if Path(name).is_absolute() or "\\" in name or not target.is_relative_to(home):
        problems.add(path, "the file must be inside the folder of the study file, named relative to it with /.")
        return None
    if not target.is_file():
        near = [entry.name for entry in home.iterdir() if entry.is_file()] if home.is_dir() else []
        problems.add(
            path, f'there is no file "{name}" in the folder of the study file. {did_you_mean(name, sorted(near))}'
        )
        return None
    return target


def _without_place(error: SwevalError) -> str:
    """Return an error's sentences without its place: the path inside the study file is the better one."""
    return f"{error.what} {error.fix}" if error.fix else error.what
