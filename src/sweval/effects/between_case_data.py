"""Sessions of several cases in two conditions: what is checked, and the terms of the model that they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.errors import DataError, DesignError
from sweval.models.engine.series import codes_of, whole_times

__all__ = ["CaseModel"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

LEAST_CASES = 3
OPTIONS = {
    "correlation": ("ar1", "independent"),
    "interval": ("generalized", "noncentral-t", "symmetric"),
    "information": ("expected", "observed", "average"),
    "j": ("exact", "approximate"),
}
TERMS = ("level", "trend", "change", "change_trend")


@dataclass(frozen=True, kw_only=True)
class CaseModel:
    """The mixed model behind a between-case effect, and how the effect is taken from it.

    Every case has a level; what else differs between cases, and whether there are trends, is for you to say. With
    trends an effect depends on when it is read, so `start` and `end` are then required.

    Parameters
    ----------
    baseline_trend
        Degree of the trend in time that runs through baseline and treatment: 0 none, 1 straight, 2 bent.
    treatment_trend
        Degree of what treatment adds to the trend, in sessions since it began: 0 a change of level only.
    random
        What differs between cases: "level", and any of "trend", "change", "change_trend". They correlate.
    correlation
        "ar1": errors d sessions apart correlate rho^d. "independent": they do not.
    start, end
        Last session before treatment begins, and the session at which the outcome is read, in the group trial that
        the effect imitates: everybody starts after `start` and is measured at `end`.
    baseline
        The condition that is the baseline; by default the one that every case begins with.
    interval
        "generalized" (default): the variances between and within cases and the error of the change keep distributions
        of their own. "noncentral-t" (Pustejovsky, Hedges & Shadish, 2014). "symmetric": g -+ t SE, what scdhlm prints.
    information
        "expected" (default), "observed" or "average": from which the degrees of freedom of the total variance come.
    j
        "exact", or "approximate" for 1 - 3/(4 nu - 1) as the R packages scdhlm and lmeInfo have it.

    Raises
    ------
    DesignError
        If a value is not one of these, or trends come without `start` and `end`.

    Examples
    --------
    >>> CaseModel(baseline_trend=1, treatment_trend=1, start=6, end=16).horizon
    10.0
    """

    baseline_trend: int = 0
    treatment_trend: int = 0
    random: tuple[str, ...] = ("level",)
    correlation: str = "ar1"
    start: float | None = None
    end: float | None = None
    baseline: str | None = None
    interval: str = "generalized"
    information: str = "expected"
    j: str = "exact"

    def __post_init__(self) -> None:
        for name, allowed in OPTIONS.items():
            if getattr(self, name) not in allowed:
                raise DesignError(f"{name} must be one of: {', '.join(allowed)}.")
        if min(self.baseline_trend, self.treatment_trend) < 0 or max(self.baseline_trend, self.treatment_trend) > 3:
            raise DesignError("the degree of a trend must be 0, 1, 2 or 3.")
        unknown = [term for term in self.random if term not in TERMS]
        if unknown or self.random[:1] != ("level",) or len(set(self.random)) != len(self.random):
            raise DesignError(f'random must begin with "level", followed by any of {", ".join(TERMS[1:])}, each once.')
        if self.timed and (self.start is None or self.end is None):
            raise DesignError(
                "with a trend the effect depends on when it is read.",
                fix="State start (the last session before treatment) and end (the session at which it is read).",
            )
        if self.start is not None and self.end is not None and not self.end > self.start:
            raise DesignError("end must come after start.")

    @property
    def timed(self) -> bool:
        """Tell whether time enters the model."""
        return bool(self.baseline_trend or self.treatment_trend or {"trend", "change_trend"} & set(self.random))

    @property
    def horizon(self) -> float:
        """Return how many sessions of treatment the effect covers; 1 without trends, where it does not matter."""
        return float(self.end - self.start) if self.start is not None and self.end is not None else 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class CaseData:
    """Checked sessions, sorted by case and time.

    Parameters
    ----------
    outcome, time
        Shape (n,).
    case, cluster
        Codes 0 .. J - 1; cluster is None where there is none.
    treated
        Whether the session is one of treatment.
    baseline, treatment
        Names of the two conditions.
    """

    outcome: FloatArray
    time: IntArray
    case: IntArray
    cluster: IntArray | None
    treated: NDArray[np.bool_]
    baseline: str
    treatment: str

    @property
    def cases(self) -> int:
        """Return the number of cases."""
        return int(self.case.max()) + 1

    @property
    def both(self) -> int:
        """Return the number of cases with sessions of both conditions."""
        counts = self.counts()
        return int((counts > 0).all(axis=1).sum())

    def counts(self) -> IntArray:
        """Return sessions per case and condition, shape (cases, 2)."""
        return np.bincount(2 * self.case + self.treated, minlength=2 * self.cases).reshape(-1, 2)


def case_data(
    outcome: ArrayLike,
    case: ArrayLike,
    phase: ArrayLike,
    time: ArrayLike,
    *,
    cluster: ArrayLike | None = None,
    baseline: str | None = None,
) -> CaseData:
    """Return the checked sessions.

    Raises
    ------
    DataError
        If values are missing, no numbers, or of unequal number.
    DesignError
        If there are not two conditions, fewer than three cases with both, or a session occurs twice.
    """
    try:
        y = np.asarray(outcome, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError("the outcome holds entries that are no numbers.") from error
    if y.ndim != 1 or not len(y):
        raise DataError("the outcome comes as one list of numbers, one per session.")
    n = len(y)
    for name, column in (("case", case), ("phase", phase), ("cluster", cluster)):
        if column is not None:
            _complete(column, n, name)
    missing = int((~np.isfinite(y)).sum())
    if missing:
        raise DataError(
            f"{missing} of {n} outcomes are missing.",
            fix="Leave those sessions out; the model keeps the distance in time between the others.",
        )
    code, when = codes_of(case, n), whole_times(time, n)
    order = np.lexsort((when, code))
    code, when, y = code[order], when[order], y[order]
    twice = int(((np.diff(code) == 0) & (np.diff(when) == 0)).sum())
    if twice:
        raise DesignError(f"{twice} sessions occur twice in a case.", fix="Keep one row per case and session.")
    conditions = np.asarray(phase)[order].astype(str)
    first, second = _two_conditions(conditions, code, baseline)
    group = None if cluster is None else codes_of(cluster, n)[order]
    if group is not None and len(np.unique(group * np.intp(n) + code)) != code[-1] + 1:
        raise DesignError(
            "a case belongs to more than one cluster.", fix="Give cases of different clusters own labels."
        )
    data = CaseData(
        outcome=y,
        time=when,
        case=code,
        cluster=group,
        treated=conditions == second,
        baseline=first,
        treatment=second,
    )
    if data.both < LEAST_CASES:
        raise DesignError(
            f"{data.both} cases have sessions of both conditions; how much cases differ cannot be told from fewer than "
            f"{LEAST_CASES}.",
            fix="Report nonoverlap (NAP) or within-case effects instead.",
        )
    return data


def _complete(column: ArrayLike, n: int, name: str) -> None:
    given = np.asarray(column, dtype=object)
    if given.shape != (n,):
        raise DataError(f"there are {n} outcomes, and entries of shape {given.shape}.", where=name)
    missing = sum(value is None or str(value) in ("nan", "<NA>", "NaT") for value in given.tolist())
    if missing:
        raise DataError(f"{missing} of {n} entries are missing.", where=name, fix="Leave those sessions out first.")


def _two_conditions(conditions: NDArray[np.str_], code: IntArray, baseline: str | None) -> tuple[str, str]:
    """Return the names of baseline and treatment; baseline is what every case begins with, unless it is named."""
    names = sorted(set(conditions.tolist()))
    if len(names) != 2:
        raise DesignError(
            f"the phases hold {len(names)} conditions, and the effect compares two.",
            fix="Keep two conditions, and give all phases of one condition the same name (A, B, A, B; not A1, B1, A2).",
        )
    if baseline is None:
        begins = set(conditions[np.searchsorted(code, np.arange(code[-1] + 1))].tolist())
        if len(begins) > 1:
            raise DesignError(
                "cases begin with different conditions.", fix="Say which one is the baseline: baseline=..."
            )
        baseline = begins.pop()
    if baseline not in names:
        raise DesignError("the baseline named is not among the phases.", fix=f"They are: {', '.join(names)}.")
    return baseline, names[1 - names.index(baseline)]


@dataclass(frozen=True, kw_only=True, eq=False)
class CaseTerms:
    """Design matrix of the fixed effects, columns that vary between cases, and the contrast that is the effect."""

    X: FloatArray
    Z: FloatArray
    contrast: FloatArray


def case_terms(data: CaseData, model: CaseModel) -> CaseTerms:
    """Return the terms of the model; time is counted from `end`, so that levels are those when the effect is read.

    Raises
    ------
    DesignError
        If a case returns to baseline while the model has a trend in treatment.
    """
    one, treated = np.ones(len(data.outcome)), data.treated.astype(float)
    clock = (data.time - (model.end or 0.0)).astype(float)
    since = np.zeros(len(one))
    if model.treatment_trend or "change_trend" in model.random:
        starts = np.full(data.cases, np.inf)
        np.minimum.at(starts, data.case[data.treated], data.time[data.treated])
        after = data.time >= starts[data.case]
        back = len(np.unique(data.case[after & ~data.treated]))
        if back:
            raise DesignError(
                f"{back} cases return to baseline, so the time since treatment began is not defined.",
                fix="Use a model without a trend in treatment.",
            )
        since[after] = (data.time - starts[data.case] + 1)[after]
    trends = [clock**k for k in range(1, model.baseline_trend + 1)]
    gains = [since**k for k in range(1, model.treatment_trend + 1)]
    X = np.column_stack([one, *trends, treated, *gains])
    contrast = np.zeros(X.shape[1])
    contrast[1 + len(trends) :] = model.horizon ** np.arange(len(gains) + 1)
    columns = {"level": one, "trend": clock, "change": treated, "change_trend": since}
    return CaseTerms(X=X, Z=np.column_stack([columns[name] for name in model.random]), contrast=contrast)
