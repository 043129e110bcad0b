"""Effects from a table of published reports, one row each: what a synthesis starts from."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from sweval.errors import DataError, DesignError, SwevalError, did_you_mean
from sweval.frames import take, wrap
from sweval.models.base.reported_kinds import ALTERNATIVE, ASSUMED, KINDS, WITH, Cells, Kind
from sweval.result import BETTER, CHECK, SERVICES, Estimate, Result

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["reported_effects"]

_LABELS = ("study", "comparison", "service", "outcome", "level_assigned", "level_outcome")
_CHOICES = {
    "standardizer": ("pooled", "control", "average", "pretest", "change", "change_adjusted"),
    "variant": ("ppc1", "ppc2", "ppc3"),
    "control_variance": ("within", "total"),
}
_LISTED = 20


def reported_effects(
    data: Any, *, better: str | None = None, correlation: float | None = None, conf_level: float = 0.95
) -> Result:
    """Turn a table of published reports into effects, one row of the table each.

    Parameters
    ----------
    data
        A data frame, or the path of an Excel, CSV or other file that `sweval.read` knows. Columns: `study`; `kind` of
        report; `better` ("higher" or "lower": which direction of the outcome is an improvement); the numbers that the
        kind needs; and, where wanted, `comparison`, `service` (as in a study file), `outcome`, `level_assigned`,
        `level_outcome`. Other columns are left alone.
    better
        For tables without a column `better`, or where its cell is empty.
    correlation
        Of before and after, to be assumed where a report neither gives it nor lets it be recovered (from `sd_treated`
        and `sd_change_treated`). Without it such a report yields three rows, for .3, .5 and .7, whose measure ends in
        "_if_correlation_alternative"; none of them enters a synthesis.
    conf_level
        Of the intervals.

    Returns
    -------
    Result
        One row per row of the table (more where something had to be assumed) in its order, with study, comparison,
        service, outcome and levels. Notes say what was assumed, and in which rows.

    Raises
    ------
    DataError
        If a cell is missing or impossible. The message names rows and columns of all of them; row 1 is the first below
        the header. Nothing is dropped.
    DesignError
        If an argument is impossible.

    Notes
    -----
    Kinds, with the columns they need (`a|b`: one of them; "treated" numbers are those after the service unless they say
    `pre`):

    - `two_group`: mean_treated, sd_treated, n_treated, mean_control, sd_control, n_control; standardizer pooled,
      control or average.
    - `t`, `F`, `p`, `correlation`, `beta`: statistic, n_treated, n_control; F and p also direction, 1 where the treated
      fared better and -1 where worse.
    - `ancova`: difference (adjusted), sd|sd_treated and sd_control (unadjusted), n_treated, n_control,
      std_error|correlation; covariates, their number (1).
    - `pre_post`: mean_pre_treated, mean_treated, sd_pre_treated, n_treated; correlation, or sd_treated and
      sd_change_treated or paired_t.
    - `pre_post_control`: the same for both arms; variant ppc1, ppc2 or ppc3. `baseline_adjusted`: with sd_treated and
      sd_control.
    - `clustered`: n_treated, n_control, clusters_treated, clusters_control, icc; means and standard deviations, or a
      difference with its clustered std_error (df) and sd, or the statistic t of a test that ignored the clusters.
    - `partially_nested`: as two_group, with group_size and icc; control_variance within or total.
    - `growth`: coefficient, std_error, duration, sd_pre|sd_pre_treated and sd_pre_control, n_treated, n_control; df.
    - `hedges_g`: estimate, std_error, n_treated, n_control.
    - `odds_ratio`, `risk_ratio`, `risk_difference`, `cox_d`: events_treated, n_treated, events_control, n_control.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({
    ...     "study": ["Reyes 2019", "Park 2021"], "kind": ["two_group", "t"], "better": ["lower", "higher"],
    ...     "mean_treated": [14.7, None], "sd_treated": [10.1, None], "n_treated": [52, 30],
    ...     "mean_control": [19.5, None], "sd_control": [11.1, None], "n_control": [45, 30], "statistic": [None, 2.2],
    ... })
    >>> reported_effects(table).tidy()[["study", "estimate", "n"]].round(3).to_dict("list")
    {'study': ['Reyes 2019', 'Park 2021'], 'estimate': [0.45, 0.561], 'n': [97, 60]}
    """
    if better is not None and better not in BETTER:
        raise DesignError('better must be "higher" or "lower".')
    if correlation is not None and not -1 < correlation < 1:
        raise DesignError("the correlation of before and after must lie between -1 and 1.")
    if not 0 < conf_level < 1:
        raise DesignError("conf_level must lie between 0 and 1, for example 0.95.")
    frame = _frame(data)
    problems: list[str] = []
    estimates: list[Estimate] = []
    notes = _Notes(correlation)
    for number, row in enumerate(frame.to_dict("records"), start=1):
        values = {str(name): value for name, value in row.items() if not _empty(value)}
        if not values:
            notes.blank.append(number)
            continue
        read = _Row(number, values, problems)
        made = read.effects(better, correlation, conf_level, notes)
        estimates += [dataclasses.replace(each, **read.labels(each)) for each in made]
    if problems:
        more = f" There are {len(problems) - _LISTED} more." if len(problems) > _LISTED else ""
        raise DataError(
            f"{len(problems)} cell(s) of the table of reports are missing or impossible: "
            + "; ".join(problems[:_LISTED]) + f".{more}",
            fix="Row 1 is the first below the header. Correct these cells, or take rows out that cannot be completed.",
        )  # fmt: skip
    if not estimates:
        raise DataError("the table of reports has no rows.")
    return Result(estimates=tuple(estimates), notes=notes.sentences())


class _Notes:
    """Which rows something was assumed in."""

    def __init__(self, correlation: float | None) -> None:
        self.correlation = correlation
        self.blank: list[int] = []
        self.assumed: list[int] = []
        self.open: list[int] = []
        self.variance: list[int] = []
        self.sign: list[int] = []

    def sentences(self) -> tuple[str, ...]:
        said = []
        if self.open:
            said.append(
                f"{CHECK}{_rows(self.open)} without the correlation of before and after: shown for .3, .5 and .7, and "
                'in no synthesis until it is given in the column "correlation" (or assumed by correlation=).'
            )
        if self.sign:
            said.append(
                f"{CHECK}{_rows(self.sign)} with a t: taken as treated - control, so with better = lower a positive "
                "t is a worsening. Reports often print it without a sign."
            )
        if self.assumed:
            said.append(
                f"{CHECK}{_rows(self.assumed)} without the correlation of before and after: taken as "
                f"{self.correlation:g}."
            )
        if self.variance:
            said.append(
                f'{_rows(self.variance)}, groups in one arm: the control variance was taken to be that "within" '
                f"groups; the effect under the other view is the row hedges_g{ALTERNATIVE}."
            )
        if self.blank:
            said.append(f"{_rows(self.blank)} of the table without any entry.")
        return tuple(said)


class _Row:
    """One row of the table, and what is wrong with it."""

    def __init__(self, number: int, values: dict[str, Any], problems: list[str]) -> None:
        self.number, self.values, self.problems = number, values, problems

    def effects(
        self, better: str | None, correlation: float | None, conf_level: float, notes: _Notes
    ) -> list[Estimate]:
        """Return the effects of the row; none if something is wrong, which is then among the problems."""
        before = len(self.problems)
        if "study" not in self.values:
            self._wrong("study", "is empty")
        service = self._word("service")
        if service is not None and service not in SERVICES:
            self._wrong("service", f"is unknown; there are {', '.join(SERVICES)}")
        direction = (self._word("better") or better or "").lower()
        if direction not in BETTER:
            self._wrong("better", 'must be "higher" or "lower"')
        kind = self._kind()
        if kind is None:
            return []
        numbers, words = self._cells(kind)
        if len(self.problems) > before:
            return []
        cells = Cells(numbers, words, better=direction, conf_level=conf_level, correlation=correlation)
        try:
            made = kind.make(cells)
        except SwevalError as error:
            self.problems.append(
                f"row {self.number}: {error.where + ': ' if error.where else ''}{error.what.rstrip('.')}"
            )
            return []
        if any(each.measure.endswith(ASSUMED) for each in made):
            notes.open.append(self.number)
        elif cells.assumed:
            notes.assumed.append(self.number)
        if kind is KINDS["t"] and direction == "lower":
            notes.sign.append(self.number)
        if any(each.measure == f"hedges_g{ALTERNATIVE}" for each in made) and "control_variance" not in words:
            notes.variance.append(self.number)
        return made

    def labels(self, made: Estimate) -> dict[str, Any]:
        """Return what the row says of its effect; what it does not say stays as it is."""
        given = {name: str(self.values[name]).strip() for name in _LABELS if name in self.values}
        given.setdefault("comparison", given["study"])
        return {name: getattr(made, name) for name in _LABELS} | given

    def _kind(self) -> Kind | None:
        asked = self._word("kind")
        if asked is None:
            self._wrong("kind", "is empty")
            return None
        names = {name.lower(): name for name in KINDS}
        if asked.lower() not in names:
            self._wrong("kind", f"is unknown. {did_you_mean(asked, KINDS, listed=len(KINDS))}".rstrip("."))
            return None
        return KINDS[names[asked.lower()]]

    def _cells(self, kind: Kind) -> tuple[dict[str, float | None], dict[str, str]]:
        """Return the numbers and words of the kind's columns, checked."""
        name = next(name for name, each in KINDS.items() if each is kind)
        needs = list(kind.needs)
        for column, beside in WITH.get(name, {}).items():
            if column in self.values and not (column == "sd_treated" and "sd" in self.values):
                needs += [each for each in beside if each not in needs]
        for need in needs:
            options = need.split("|")
            if not any(option in self.values for option in options):
                self._wrong(" or ".join(options), "is empty")
        numbers: dict[str, float | None] = {}
        words: dict[str, str] = {}
        for column in dict.fromkeys((*kind.columns, *(part for need in needs for part in need.split("|")))):
            if column in _CHOICES:
                if column in self.values:
                    words[column] = str(self._word(column))
                    if words[column] not in _CHOICES[column]:
                        self._wrong(column, f"must be one of {', '.join(_CHOICES[column])}")
                continue
            numbers[column] = self._number(column) if column in self.values else None
        return numbers, words

    def _number(self, column: str) -> float | None:
        """Return a number that is possible for its column."""
        try:
            value = float(self.values[column])
        except (TypeError, ValueError):
            self._wrong(column, "holds no number")
            return None
        wrong = _impossible(column, value)
        if wrong:
            self._wrong(column, wrong)
            return None
        return value

    def _word(self, column: str) -> str | None:
        return str(self.values[column]).strip() if column in self.values else None

    def _wrong(self, column: str, what: str) -> None:
        self.problems.append(f"row {self.number}, {column} {what}")


def _impossible(column: str, value: float) -> str | None:
    """Return why a number cannot stand in its column, None if it can."""
    whole = np.isfinite(value) and value == round(value)
    rules: list[tuple[bool, str]] = [
        (not np.isfinite(value), "is not finite"),
        (column.startswith("n_") and not (whole and value >= 2), "must be a whole number of 2 or more"),
        (column.startswith("clusters_") and not (whole and value >= 1), "must be a whole number of 1 or more"),
        (column.startswith("events_") and not (whole and value >= 0), "must be a whole number of 0 or more"),
        (column == "covariates" and not (whole and value >= 0), "must be a whole number of 0 or more"),
        (column.startswith("sd") and value <= 0, "must be above 0"),
        (column in ("std_error", "duration", "df") and value <= 0, "must be above 0"),
        (column == "icc" and not 0 <= value < 1, "must lie from 0 to below 1"),
        (column == "correlation" and not -1 < value < 1, "must lie between -1 and 1"),
        (column == "direction" and abs(value) != 1, "must be 1 or -1"),
        (column == "group_size" and value < 1, "must be 1 or more"),
    ]
    return next((words for bad, words in rules if bad), None)


def _frame(data: Any) -> pd.DataFrame:
    """Return the table as a pandas frame that has the columns every table needs."""
    if isinstance(data, str | os.PathLike):
        from sweval.data.read import read

        data = read(data)
    wrapped = wrap(data)
    names = wrapped.collect_schema().names()
    absent = [name for name in ("study", "kind") if name not in names]
    if absent:
        raise DataError(
            f"a table of reports needs a column {' and a column '.join(absent)}.",
            fix=f"Kinds are {', '.join(KINDS)}; see reported_effects for what each of them needs.",
        )
    return take(data, names, where="reported_effects").astype(object)


def _empty(value: Any) -> bool:
    """Tell whether a cell holds nothing."""
    if isinstance(value, str):
        return not value.strip()
    import pandas as pd

    return bool(pd.isna(value))


def _rows(numbers: list[int]) -> str:
    """Name rows, in words that begin a sentence."""
    listed = ", ".join(str(number) for number in numbers[:_LISTED])
    more = f" and {len(numbers) - _LISTED} more" if len(numbers) > _LISTED else ""
    return f"{'Row' if len(numbers) == 1 else 'Rows'} {listed}{more}"
