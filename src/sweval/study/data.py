"""The data of a study: read once, coded columns by their labels where the study file names labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweval.data.read import Source, read_source
from sweval.errors import DataError, StudyError
from sweval.models.base.values import label_key
from sweval.study.file import StudyFile
from sweval.study.problems import in_toml

if TYPE_CHECKING:
    import pandas as pd

# Which keys of a comparison hold values of the column that another key names.
_VALUES_OF = {"arm": ("treated", "control"), "wave": ("baseline", "outcome_wave", "pre", "post")}


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
    labelled = _labelled(source, file)
    if not labelled:
        return StudyData(frame=source.frame, notes=(shape, *source.notes))
    source = read_source(file.data, labels=labelled, **file.reading)
    said = [f'{file.data.name}: the codes of "{column}" were read as their value labels.' for column in labelled]
    return StudyData(frame=source.frame, notes=(shape, *source.notes, *said))


def _labelled(source: Source, file: StudyFile) -> list[str]:
    """Return the columns of which the study file names value labels rather than codes."""
    by_label: dict[str, dict[bool, str]] = {}
    for comparison in file.comparisons:
        for key, value_keys in _VALUES_OF.items():
            column = getattr(comparison.design, key, None)
            if column is None or column not in source.frame.columns:
                continue
            given = [value for name in value_keys for value in _values(getattr(comparison.design, name, None))]
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
    return value if isinstance(value, tuple) else (value,)
