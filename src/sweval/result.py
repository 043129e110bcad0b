"""The one row type and the one container that every fit, study and synthesis returns."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sweval.errors import SwevalError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

SERVICES = {
    "individual": "direct",
    "family": "direct",
    "group": "direct",
    "planning": "indirect",
    "consultation": "indirect",
    "training": "indirect",
    "community": "indirect",
}
"""Service type -> side (Suasa 2009)."""

BETTER = {"higher": 1.0, "lower": -1.0}
"""Which direction of the outcome is an improvement -> the factor that orients an effect."""

COMPARABLE = "person_total"
"""The metric of effects that can be set beside each other whatever the design: total standard deviations of persons."""

METRICS = (
    COMPARABLE,
    "within_cluster",
    "between_cluster",
    "uncontrolled_change",
    "change_score",
    "within_case",
    "aggregate",
    "organization",
    "log_odds_ratio",
    "log_risk_ratio",
    "log_rate_ratio",
    "risk_difference",
    "rate_difference",
    "log_response_ratio",
    "log_variability_ratio",
    "log_cv_ratio",
    "arcsine_difference",
    "root_rate_difference",
    "uncontrolled_risk_difference",
    "uncontrolled_log_risk_ratio",
    "uncontrolled_log_odds_ratio",
    "uncontrolled_log_response_ratio",
    "uncontrolled_log_variability_ratio",
    "uncontrolled_log_cv_ratio",
    "correlation",
    "nonoverlap",
    "share",
    "percent",
    "log_odds",
    "raw",
)
"""What an estimate can be measured in; only estimates of one metric can be averaged or ranked."""

CHECK = "Check: "
"""Begins the sentence of a note that asks the reader to look at something before using the numbers."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One number with everything that is needed to read it; a row of `Result.tidy()`.

    `estimate` of a coefficient keeps its raw sign. A standardised effect is oriented so that positive means
    improvement, and `method` says so. `variance` belongs in reports, `weight_variance` (free of the effect itself)
    in the weights of a synthesis.

    Attributes
    ----------
    comparison, service
        The design's name, and the service type that makes it direct or indirect (`SERVICES`).
    outcome
        Column that was analysed, with the wave where there are several.
    term
        What the number belongs to: `arm[training]`, `(Intercept)`, `change`, a cluster column.
    measure
        What kind of number it is: `hedges_g`, `coefficient`, `mean`, `sd`, `icc`, `alpha`, ...
    estimate
        The number.
    std_error, conf_low, conf_high, conf_level
        Its standard error and the interval that belongs to the measure, at this level.
    statistic, df, p_value, null
        The test of `estimate` = `null`; `df` are the degrees of freedom of the standard error.
    better
        Which direction of the outcome is an improvement: "higher" or "lower".
    n, clusters
        Rows and clusters that were used.
    method
        How the number was made, in one line.
    study
        Title of the study file.
    metric
        The scale of `estimate`, one of `METRICS`: `raw`, `person_total`, ...; only equal metrics are comparable.
    standardizer
        Which standard deviation a standardised effect was divided by.
    adjusted
        Whether the baseline or other covariates were taken into account.
    level_assigned, level_outcome
        What was assigned, and on whom the outcome was measured.
    variance, weight_variance
        Sampling variance for reports, and the part free of the effect itself for weights.
    """

    comparison: str | None = None
    service: str | None = None
    outcome: str | None = None
    term: str
    measure: str
    estimate: float
    std_error: float | None = None
    conf_low: float | None = None
    conf_high: float | None = None
    conf_level: float | None = None
    statistic: float | None = None
    df: float | None = None
    p_value: float | None = None
    null: float | None = None
    better: str | None = None
    n: int | None = None
    clusters: int | None = None
    method: str
    study: str | None = None
    metric: str | None = None
    standardizer: str | None = None
    adjusted: bool | None = None
    level_assigned: str | None = None
    level_outcome: str | None = None
    variance: float | None = None
    weight_variance: float | None = None


@dataclass(frozen=True, kw_only=True)
class Fit:
    """One fitted model; a row of `Result.glance()`. `rows` = `used` + `dropped`.

    Attributes
    ----------
    outcome, model, engine
        What was analysed, with which design, computed by what.
    rows, used, dropped, clusters
        Counts; why rows were dropped is in the notes.
    icc
        Share of the outcome's variance between clusters, within arms.
    log_likelihood, converged, singular
        State of the fit, where the engine has one.
    """

    outcome: str | None
    model: str
    rows: int
    used: int
    dropped: int
    clusters: int | None = None
    icc: float | None = None
    log_likelihood: float | None = None
    converged: bool | None = None
    singular: bool | None = None
    engine: str


COLUMNS = tuple(field.name for field in dataclasses.fields(Estimate))
GLANCE_COLUMNS = tuple(field.name for field in dataclasses.fields(Fit))
_DTYPES = {"int": "Int64", "bool": "boolean", "float": "float64", "str": "object"}
_KINDS = {
    field.name: _DTYPES[str(field.type).removesuffix(" | None")]
    for record in (Estimate, Fit)
    for field in dataclasses.fields(record)
}
_PRINTED = (
    "comparison", "outcome", "term", "measure", "estimate", "std_error", "conf_low", "conf_high", "df", "p_value",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Result:
    """What an analysis found: rows, the facts of each fit, and notes on all that was done to the data.

    Parameters
    ----------
    estimates
        The rows of `tidy()`.
    fits
        The rows of `glance()`, one per fitted model.
    notes
        Sentences: what was dropped, recoded or assumed, how many rows, and why. They travel into the report.
    clients
        One row per client where the analysis classifies clients (`ReliableChange`), otherwise None.
    labels
        Outcome column -> what the data file calls it, where a study knows; the report names outcomes so.

    Examples
    --------
    >>> row = Estimate(term="arm[program]", measure="hedges_g", estimate=0.25, method="example")
    >>> result = Result(estimates=(row,))
    >>> result.tidy()["estimate"].tolist()
    [0.25]
    >>> len((result + result).estimates)
    2
    """

    estimates: tuple[Estimate, ...]
    fits: tuple[Fit, ...] = ()
    notes: tuple[str, ...] = ()
    clients: pd.DataFrame | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def tidy(self) -> pd.DataFrame:
        """Return one row per estimate; the columns are `COLUMNS`, always all of them and in this order."""
        return _frame(self.estimates, COLUMNS, _KINDS)

    def glance(self) -> pd.DataFrame:
        """Return one row per fitted model; the columns are `GLANCE_COLUMNS`."""
        return _frame(self.fits, GLANCE_COLUMNS, _KINDS)

    def effect(self, measure: str, *, term: str | None = None) -> Estimate:
        """Return the only row of a measure (and term).

        Raises
        ------
        SwevalError
            If no row, or more than one, fits; the message names what there is.
        """
        rows = [row for row in self.estimates if row.measure == measure and term in (None, row.term)]
        if not rows:
            raise SwevalError(
                f'there is no row with measure "{measure}"' + (f' and term "{term}".' if term else "."),
                fix=did_you_mean(measure, dict.fromkeys(row.measure for row in self.estimates)),
            )
        if len(rows) > 1:
            terms = ", ".join(dict.fromkeys(row.term for row in rows))
            raise SwevalError(
                f'{len(rows)} rows have the measure "{measure}".',
                fix=f"Name the term, or filter tidy(). Terms: {terms}.",
            )
        return rows[0]

    def in_study(self, title: str) -> Result:
        """Return a copy whose rows carry the study's title."""
        return dataclasses.replace(
            self, estimates=tuple(dataclasses.replace(row, study=title) for row in self.estimates)
        )

    def __add__(self, other: Result) -> Result:
        """Join two results: rows, fits and notes in order; equal notes once."""
        if not isinstance(other, Result):
            return NotImplemented
        return Result(
            estimates=self.estimates + other.estimates,
            fits=self.fits + other.fits,
            notes=tuple(dict.fromkeys(self.notes + other.notes)),
            clients=_joined(self.clients, other.clients),
            labels={**self.labels, **other.labels},
        )

    def __radd__(self, other: object) -> Result:
        """Let `sum(results)` work."""
        return self if other == 0 else NotImplemented

    def __repr__(self) -> str:
        header, rows = _printed_rows(self.estimates)
        widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in [header, *rows]
        ]
        methods = dict.fromkeys(row.method for row in self.estimates)
        lines += ["", *(f"method: {method}" for method in methods), *(f"note: {note}" for note in self.notes)]
        return "\n".join(lines).rstrip()

    def _repr_html_(self) -> str:
        header, rows = _printed_rows(self.estimates)
        head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in header)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return table + (f"<ul>{notes}</ul>" if notes else "")


def _frame(rows: Sequence[Estimate | Fit], columns: tuple[str, ...], kinds: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: pd.Series([getattr(row, name) for row in rows], dtype=kinds[name]) for name in columns})


def _joined(left: pd.DataFrame | None, right: pd.DataFrame | None) -> pd.DataFrame | None:
    if left is None or right is None:
        return right if left is None else left
    import pandas as pd

    return pd.concat([left, right], ignore_index=True)


def _printed_rows(estimates: tuple[Estimate, ...]) -> tuple[list[str], list[list[str]]]:
    """Return header and cells of the columns that hold anything; numbers at a fixed precision, so bytes repeat."""
    names = [name for name in _PRINTED if any(getattr(row, name) is not None for row in estimates)]
    return names, [[_printed(name, getattr(row, name)) for name in names] for row in estimates]


def _printed(name: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    if name == "p_value":
        return "<.001" if value < 0.001 else f"{value:.3f}"
    return f"{value:.1f}" if name == "df" or abs(value) >= 1000 else f"{value:.3f}"
