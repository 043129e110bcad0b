"""The data of a study: read once, coded columns by their labels where the study file names labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweval.data.read import Source, read_source
from sweval.errors import DataError, StudyError, SwevalError
from sweval.models.base.design import Design
from sweval.models.base.values import counted, label_key
from sweval.result import CHECK
from sweval.scoring.request import item_columns
from sweval.study.file import Given, Scored, StudyFile
from sweval.study.problems import in_toml

if TYPE_CHECKING:
    import pandas as pd

# Which keys of a comparison hold values of the column that another key names.
_VALUES_OF = {"arm": ("treated", "control"), "wave": ("baseline", "outcome_wave", "pre", "post", "times")}


@dataclass(frozen=True, kw_only=True)
class StudyData:
    """The rows of a study and what was found while reading them."""

    frame: pd.DataFrame
    notes: tuple[str, ...]


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
    for outcome in file.outcomes:
        said += _declared_missing(coded, outcome)
        if isinstance(outcome, Given) and outcome.column in frame.columns:
            frame, notes = _without_codes(frame, outcome)
            said += notes + _labelled_codes(frame, coded, outcome)
    return StudyData(frame=frame, notes=(shape, *source.notes, *said))


def _declared_missing(source: Source, outcome: Scored | Given) -> list[str]:
    """Return a note on the cells of an outcome that the file itself declares missing."""
    present = set(source.frame.columns)
    try:
        columns = item_columns(outcome.instrument, outcome.items) if isinstance(outcome, Scored) else (outcome.column,)
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


def _without_codes(frame: pd.DataFrame, outcome: Given) -> tuple[pd.DataFrame, list[str]]:
    """Return the frame without the codes that the study file declares missing in a column, and how many there were."""
    import pandas as pd

    if not outcome.missing:
        return frame, []
    column = frame[outcome.column]
    keys, wanted = column.map(label_key), {label_key(code): code for code in outcome.missing}
    notes = [
        f"{outcome.column}: {counted(int((keys == key).sum()), 'value')} with the code {code} read as missing."
        for key, code in wanted.items()
    ]
    emptied = column.where(~keys.isin(list(wanted)), other=pd.NA if column.dtype == "string" else None)
    return frame.assign(**{outcome.column: emptied}), notes


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
