"""The data of a study: read once, coded columns by their labels where the study file names labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweval.data.codebook import like_code
from sweval.data.read import Source, read_source
from sweval.errors import DataError, StudyError, SwevalError, did_you_mean
from sweval.models.base.design import Design, names
from sweval.models.base.terms import columns_of, parse_terms
from sweval.models.base.values import counted, is_number, label_key, missing_code, numbers
from sweval.result import CHECK
from sweval.scoring.request import item_columns
from sweval.study.file import Codes, Given, Scored, StudyFile
from sweval.study.problems import in_toml

if TYPE_CHECKING:
    import pandas as pd

# Which keys of a comparison hold values of the column that another key names.
_VALUES_OF = {"arm": ("treated", "control"), "wave": ("baseline", "outcome_wave", "pre", "post", "times")}


@dataclass(frozen=True, kw_only=True)
class StudyData:
    """The rows of a study, what was found while reading them, and the labels that the file gives to outcomes."""

    frame: pd.DataFrame
    notes: tuple[str, ...]
    labels: Mapping[str, str]


def read_data(file: StudyFile) -> StudyData:
    """Read the data file of a study.

    Raises
    ------
    DataError
        If the file cannot be read.
    StudyError
        If one comparison names codes and another names labels of the same column.
    """
    try:
        source = read_source(file.data, **file.reading)
    except DataError as error:
        fix = None if error.fix is None else in_toml(error.fix)
        if fix != error.fix:
            fix = f"{fix} Such options stand in a section [read] of the study file."
        raise DataError(error.what, where=error.where, fix=fix) from error
    shape = f"{file.data.name}: {len(source.frame)} rows and {len(source.frame.columns)} columns were read."
    import pandas as pd

    labelled = _labelled(source, file)
    coded = source
    if labelled:
        source = read_source(file.data, labels=labelled, **file.reading)
    said = [f'{file.data.name}: the codes of "{column}" were read as their value labels.' for column in labelled]
    frame = source.frame
    wave = file.study.wave
    if wave in labelled:  # the order of the codes is the order in time, which the labels alone do not tell
        categories = dict.fromkeys(coded.codebook.values(wave).values())
        frame = frame.assign(**{wave: pd.Categorical(frame[wave], categories=list(categories), ordered=True)})
    frame, notes = _without_declared(frame, coded, file)
    said += notes
    for outcome in file.outcomes:
        said += _declared_missing(coded, outcome)
        if isinstance(outcome, Given) and outcome.column in frame.columns:
            frame, notes = _without_codes(frame, coded, outcome.column, outcome.missing)
            said += notes + _labelled_codes(frame, coded, outcome)
            _check_range(frame, outcome, file)
    said += _likely_codes(frame, file)
    return StudyData(frame=frame, notes=(shape, *source.notes, *said), labels=_labels(coded, file))


def _labels(source: Source, file: StudyFile) -> dict[str, str]:
    """Return column -> label of the outcomes that are columns; none that two of them share."""
    present = [outcome.column for outcome in file.outcomes if isinstance(outcome, Given)]
    found = {column: source.codebook.label(column) for column in present if column in source.frame.columns}
    return {
        column: label.strip()
        for column, label in found.items()
        if label and label.strip() and list(found.values()).count(label) == 1
    }


def _declared_missing(source: Source, outcome: Scored | Given) -> list[str]:
    """Return a note on the cells of an outcome that the file itself declares missing."""
    present = set(source.frame.columns)
    try:
        columns = (
            item_columns(outcome.instrument, outcome.items, outcome.order)
            if isinstance(outcome, Scored)
            else (outcome.column,)
        )
    except SwevalError:
        return []  # the scoring says it, with what to do
    counts: dict[str, int] = {}
    for column in columns:
        for reason in source.codebook.missing(column) if column in present else ():
            name = f"{reason.code}" if reason.label is None else f"{reason.code} = {reason.label}"
            counts[name] = counts.get(name, 0) + reason.count
    listed = ", ".join(f"{name}: {count}" for name, count in counts.items() if count)
    place = outcome.instrument.id if isinstance(outcome, Scored) else outcome.column
    return [f"{place}: the file declares codes missing, and they were read so ({listed})."] if listed else []


def _without_declared(frame: pd.DataFrame, coded: Source, file: StudyFile) -> tuple[pd.DataFrame, list[str]]:
    """Return the frame without the codes that `[study]` declares missing in its columns, and how many there were."""
    notes: list[str] = []
    present = [str(name) for name in frame.columns]
    for column, codes in file.study.missing.items():
        if column not in present:
            raise StudyError(
                f'study.missing: the data have no column "{column}".',
                where=file.path.name,
                fix=did_you_mean(column, present),
            )
        frame, said = _without_codes(frame, coded, column, codes)
        notes += said
    return frame, notes


def _without_codes(frame: pd.DataFrame, coded: Source, column: str, codes: Codes) -> tuple[pd.DataFrame, list[str]]:
    """Return the frame without codes of a column that may be read as labels, and how many there were."""
    import pandas as pd

    if not codes:
        return frame, []
    values, keys = frame[column], coded.frame[column].map(label_key)
    wanted = {label_key(code): code for code in codes}
    notes = [
        f"{column}: {counted(int((keys == key).sum()), 'value')} with the code {code} read as missing."
        for key, code in wanted.items()
    ]
    emptied = values.where(~keys.isin(list(wanted)), other=pd.NA if values.dtype == "string" else None)
    return frame.assign(**{column: emptied}), notes


def _check_range(frame: pd.DataFrame, outcome: Given, file: StudyFile) -> None:
    """Refuse an outcome with values outside the range that the study file gives."""
    if outcome.range is None:
        return
    low, high = outcome.range
    y, _ = numbers(frame[outcome.column], where=f"{file.path.name}, {outcome.path}")
    outside = y[(y < low) | (y > high)]
    if not len(outside):
        return
    codes = sorted(set(outside.tolist()))
    listed = ", ".join(f"{code:g}" for code in codes) if all(map(like_code, codes)) else "..."
    raise StudyError(
        f'{counted(len(outside), "value")} of "{outcome.column}" {"lies" if len(outside) == 1 else "lie"} outside the '
        f"range from {low:g} to {high:g}.",
        where=f"{file.path.name}, {outcome.path}",
        fix=f"If such codes mean no answer, declare them: missing = [{listed}] in this outcome; else correct the data, "
        "or the range.",
    )


def _likely_codes(frame: pd.DataFrame, file: StudyFile) -> list[str]:
    """Return a note on covariates and terms that hold what looks like a code for no answer; designs check outcomes."""
    outcomes = {outcome.column for outcome in file.outcomes if isinstance(outcome, Given)}
    notes = []
    for column in dict.fromkeys(name for comparison in file.comparisons for name in _explaining(comparison.design)):
        if column not in frame.columns or column in outcomes or not is_number(frame[column]):
            continue
        y, _ = numbers(frame[column], where=column)
        found = missing_code(y)
        if found is not None:
            notes.append(
                f"{column}: {CHECK}it is {found[0]:g} in {counted(found[1], 'row')}, far from all other values. If "
                f"that is a code for no answer, declare it: missing = {{ {column} = [{found[0]:g}] }} in [study]."
            )
    return notes


def _explaining(design: Design) -> Iterator[str]:
    """Give the columns that a comparison adjusts for: covariates, a baseline column, and the terms of open models."""
    yield from names(getattr(design, "covariates", None))
    yield from (value for key in ("baseline", "pre") if isinstance(value := getattr(design, key, None), str))
    fixed = getattr(design, "fixed", None)
    if isinstance(fixed, str):
        yield from columns_of(parse_terms(fixed, where="fixed"))


def _labelled_codes(frame: pd.DataFrame, source: Source, outcome: Given) -> list[str]:
    """Return a note on single codes with a value label among values without one: often a code for no answer."""
    labels = {label_key(code): label for code, label in source.codebook.values(outcome.column).items()}
    keys = frame[outcome.column].dropna().map(label_key)
    counts = keys[keys.isin(list(labels))].value_counts(sort=False)
    if counts.empty or counts.sum() == len(keys):
        return []
    listed = ", ".join(f'{key} = "{labels[key]}" ({count})' for key, count in sorted(counts.items()))
    return [
        f"{outcome.column}: {CHECK}some of its values are codes with a label: {listed}. "
        "If one means no answer, declare it: missing = [...] in this outcome."
    ]


def _labelled(source: Source, file: StudyFile) -> list[str]:
    """Return the columns of which the study file names value labels rather than codes."""
    by_label: dict[str, dict[bool, str]] = {}
    for comparison in file.comparisons:
        for column, given in _named_values(comparison.design):
            if column not in source.frame.columns:
                continue
            wanted = {label_key(value) for value in given if value not in source.frame.columns}
            choice = _by_label(wanted - {None}, column, source)
            if choice is not None:
                by_label.setdefault(column, {})[choice] = comparison.path
    for outcome in file.outcomes:
        if isinstance(outcome, Scored) and outcome.variant is not None and outcome.variant in source.frame.columns:
            variants: set[str | None] = {label_key(entry.name) for entry in outcome.instrument.variants}
            choice = _by_label(variants, outcome.variant, source)
            if choice is not None:
                by_label.setdefault(outcome.variant, {})[choice] = outcome.path
    for column, found in by_label.items():
        if len(found) > 1:
            raise StudyError(
                f'{found[True]} names value labels of "{column}" and {found[False]} names its codes.',
                where=file.path.name,
                fix="Use labels, or codes, in both.",
            )
    return [column for column, found in by_label.items() if True in found]


def _named_values(design: Design) -> Iterator[tuple[str, list[object]]]:
    """Give every column of which a comparison names values, with the values."""
    for key, value_keys in _VALUES_OF.items():
        column = getattr(design, key, None)
        if column is not None:
            yield column, [value for name in value_keys for value in _values(getattr(design, name, None))]
    for column, value in dict(getattr(design, "reference", None) or {}).items():
        yield column, [value]


def _by_label(wanted: set[str | None], column: str, source: Source) -> bool | None:
    """Return whether the values are labels; None where the column has no labels or nothing is wanted."""
    labels = source.codebook.values(column)
    if not labels or not wanted:
        return None
    codes = {label_key(value) for value in source.frame[column].unique()} | {label_key(code) for code in labels}
    return not wanted <= codes


def _values(value: object) -> Sequence[object]:
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return tuple(value)
    return value if isinstance(value, tuple) else (value,)
