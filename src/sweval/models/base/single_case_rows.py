"""Rows of a single-case design: each case, their mean, the between-case effect, randomisation and regression."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sweval.effects.case_combination import mean_over_cases
from sweval.effects.piecewise import piecewise_regression
from sweval.effects.randomization import (
    alternating_orders,
    drawn_changes,
    drawn_orders,
    phase_changes,
    randomization_test,
    start_points,
)
from sweval.errors import DataError, DesignError
from sweval.models.base.rows import Facts
from sweval.models.base.single_case_data import Sessions
from sweval.models.base.single_case_indices import BASELINE_MEAN, NAP, PHI, SERIAL_NAP, TREATED_MEAN, Index, Indices
from sweval.models.base.values import counted
from sweval.result import CHECK, Estimate

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
ALL_CASES, OVER_CASES = "all cases", "mean over cases"
_LEAST_FOR_GROUP_EFFECT, _MOST_FOR_GROUP_EFFECT = 3, 500
_LEAST_FOR_AR1 = 12
_NOTABLE_PHI = 0.1


def case_rows(facts: Facts, found: Indices) -> list[Estimate]:
    """Return one row per case and index, case by case."""
    sizes = found.n_baseline + found.n_treated
    of_phase = {BASELINE_MEAN: found.n_baseline, TREATED_MEAN: found.n_treated}
    rows = []
    for case in range(len(sizes)):
        for index in found.rows:
            value = float(index.estimate[case])
            if np.isfinite(value):
                n = of_phase.get(index.measure, sizes)[case]
                rows.append(_row(facts, index, case, value, int(n)))
    return rows


def _row(facts: Facts, index: Index, case: int, value: float, n: int) -> Estimate:
    """Return the row of one index of one case."""
    error, p = _at(index.std_error, case), _at(index.p_value, case)
    low, high = _at(index.conf_low, case), _at(index.conf_high, case)
    bounded = low is not None and high is not None
    return facts.row(
        f"case {case + 1}",
        index.measure,
        value,
        method=index.method,
        n=n,
        clusters=None,
        std_error=error,
        conf_low=low if bounded else None,
        conf_high=high if bounded else None,
        conf_level=facts.conf_level if bounded else None,
        p_value=p,
        null=index.null if bounded or p is not None else None,
        metric=index.metric,
        standardizer=index.standardizer,
        adjusted=False,
        level_assigned="phase",
        level_outcome="client",
        variance=None if error is None else error**2,
    )


def _at(values: FloatArray | None, case: int) -> float | None:
    """Return the number of one case; None where it has none."""
    if values is None or not np.isfinite(values[case]):
        return None
    return float(values[case])


def overall_rows(facts: Facts, found: Indices) -> list[Estimate]:
    """Return the mean of each index over cases where there are two or more, and the pooled autocorrelation."""
    cases = len(found.n_baseline)
    rows = []
    if np.isfinite(found.phi):
        method = "lag-1 autocorrelation of residuals from the phase means, pooled over phases and cases, bias taken off"
        rows.append(facts.row(ALL_CASES, PHI, found.phi, method=method, metric="correlation"))
    if cases < 2:
        return rows
    for index in found.rows:
        known = np.isfinite(index.estimate)
        if not index.over_cases or not known.any():
            continue
        mean = mean_over_cases(
            index.estimate,
            own=_own_limits(index, found),
            null=index.null or 0.0,
            limits=index.limits,
            conf_level=facts.conf_level,
        )
        bounded, differ = np.isfinite(mean.conf_low), np.isfinite(mean.std_error)
        tested = np.isfinite(mean.p_value) and index.null is not None
        how = "interval from how much they differ" if bounded else "no interval"
        if mean.own:
            how += ", no narrower than that of these very cases"
        rows.append(
            facts.row(
                ALL_CASES,
                index.measure,
                mean.estimate,
                method=f"{OVER_CASES}; {how}; {index.method.partition(',')[0]}",
                n=mean.n,
                clusters=mean.n,
                std_error=mean.std_error if differ else None,
                conf_low=mean.conf_low if bounded else None,
                conf_high=mean.conf_high if bounded else None,
                conf_level=facts.conf_level if bounded else None,
                statistic=(mean.estimate - (index.null or 0.0)) / mean.std_error if tested else None,
                df=mean.df if differ else None,
                p_value=mean.p_value if tested else None,
                null=index.null if tested else None,
                metric=index.metric,
                standardizer=index.standardizer,
                adjusted=False,
                level_assigned="phase",
                level_outcome="client",
                variance=mean.std_error**2 if differ else None,
            )
        )
    return rows


def _own_limits(index: Index, found: Indices) -> tuple[FloatArray, FloatArray] | None:
    """Return the limits of each case; of NAP and Tau those that allow for autocorrelation."""
    source = found.of(SERIAL_NAP) if index.measure in (NAP, "tau") else index
    if source is None or source.conf_low is None or source.conf_high is None:
        return None
    if index.measure == "tau":
        return 2 * source.conf_low - 1, 2 * source.conf_high - 1
    return source.conf_low, source.conf_high


def between_rows(facts: Facts, sessions: Sessions, treated: str) -> tuple[list[Estimate], list[str]]:
    """Return the between-case effect where it can be had, or a note on why not."""
    cases = len(sessions.ids)
    if cases < _LEAST_FOR_GROUP_EFFECT:
        return [], [
            f"With {counted(cases, 'case')} there is no effect on the scale of groups; it needs "
            f"{_LEAST_FOR_GROUP_EFFECT} cases. What is said here is about the {'case' if cases == 1 else 'cases'} seen."
        ]
    if cases > _MOST_FOR_GROUP_EFFECT:
        return [], [
            f"No between-case effect was computed for {cases} cases: above {_MOST_FOR_GROUP_EFFECT}, use Growth."
        ]
    from sweval.effects.between_case import between_case_g
    from sweval.effects.between_case_data import CaseModel

    time, _, notes = _whole(sessions)
    try:
        row = between_case_g(
            sessions.value,
            case=sessions.case,
            phase=np.where(sessions.treated, "treated", "baseline"),
            time=time,
            model=CaseModel(baseline="baseline"),
            better=str(facts.better),
            conf_level=facts.conf_level,
        )
    except (DesignError, DataError) as error:
        return [], [f"{CHECK}no between-case effect could be computed: {error.what}"]
    placed = dataclasses.replace(
        row,
        comparison=facts.comparison,
        service=facts.service,
        outcome=facts.outcome,
        term=f"phase[{treated}]",
        level_assigned="phase",
        n=cases,
        clusters=None,
    )
    return [placed], notes


def _whole(sessions: Sessions) -> tuple[NDArray[np.intp], int, list[str]]:
    """Return times as whole numbers, and how many units of time one is; else each session's number within its case.

    Sessions a week apart, timed in days, are neighbours: their autocorrelation is estimated at their own spacing.
    """
    first = np.r_[True, np.diff(sessions.case) != 0]
    if (sessions.time == np.round(sessions.time)).all():
        time = sessions.time.astype(np.intp)
        step = int(np.gcd.reduce(np.diff(time)[~first[1:]]))
        if step == 1:
            return time, 1, []
        start = time[np.flatnonzero(first)][np.cumsum(first) - 1]
        note = (
            f"Times are {step} apart or a multiple of it, so AR(1) errors of the between-case effect and regressions "
            "count in such steps."
        )
        return (time - start) // step, step, [note]
    start = np.flatnonzero(first)[np.cumsum(first) - 1]
    note = "Times are no whole numbers; for the between-case effect and regressions sessions were numbered instead."
    return np.arange(len(sessions.case)) - start + 1, 1, [note]


def randomization_rows(
    facts: Facts,
    sessions: Sessions,
    *,
    design: str,
    least: int,
    longest_run: int | None,
    rng: int | np.random.Generator,
) -> list[Estimate]:
    """Return the randomisation test of the mean difference over all cases."""
    values, treated, possible = [], [], []
    source, drawn = np.random.default_rng(rng), False
    for case in range(len(sessions.ids)):
        own = sessions.planned_case == case
        made, seen = sessions.planned_treated[own], sessions.planned_seen[own]
        if design == "alternating":
            some = drawn_orders(made, longest_run=longest_run, rng=source)
            drawn |= some is not None
            table = (
                alternating_orders(made.size, treated=int(made.sum()), longest_run=longest_run)
                if some is None
                else some
            )
        elif design == "abab":
            phases = 1 + int((np.diff(made.astype(int)) != 0).sum())
            some = drawn_changes(made, phases=phases, least=least, rng=source)
            drawn |= some is not None
            table = phase_changes(made.size, phases=phases, least=least) if some is None else some
        else:
            table = start_points(made.size, least_baseline=least, least_treated=least)
        # Drawn among the sessions planned, of which some were not seen; a draw with one side unseen tells nothing.
        shown = table[:, seen]
        possible.append(shown[shown.any(axis=1) & ~shown.all(axis=1)])
        values.append(sessions.value[sessions.case == case])
        treated.append(made[seen])
    found = randomization_test(values, treated, possible, better=str(facts.better), rng=source)
    what = {"alternating": "orders", "abab": "changes of phase"}.get(design, "starts")
    how = f"all {found.draws:,}" if found.exact and not drawn else f"{found.draws:,} drawn"
    return [
        facts.row(
            ALL_CASES,
            "randomization_test",
            found.statistic,
            method=f"mean difference of treated and untreated sessions, mean over cases; one-sided p from {how} "
            f"possible {what}; positive = improvement",
            p_value=found.p_value,
            null=0.0,
            metric="raw",
        )
    ]


def _phase_names(sessions: Sessions, own: NDArray[np.intp]) -> list[str]:
    """Return a name of its own for the phase of each session: its label, with a number where labels come back."""
    run = np.cumsum(np.r_[0, np.diff(sessions.treated[own].astype(int)) != 0])
    of_run = ["+".join(dict.fromkeys(sessions.label[own][run == number])) for number in range(run[-1] + 1)]
    if len(set(of_run)) < len(of_run):
        gap = "_" if any(name[-1].isdigit() for name in of_run) else ""
        of_run = [f"{name}{gap}{number // 2 + 1}" for number, name in enumerate(of_run)]
    return [of_run[number] for number in run]


def piecewise_rows(facts: Facts, sessions: Sessions) -> tuple[list[Estimate], list[str]]:
    """Return level, trend and what the phases change in both, case by case."""
    time, step, notes = _whole(sessions)
    rows, short = [], 0
    for case in range(len(sessions.ids)):
        own = np.flatnonzero(sessions.case == case)
        serial = own.size >= _LEAST_FOR_AR1
        try:
            found = piecewise_regression(
                sessions.value[own],
                _phase_names(sessions, own),
                time=time[own],
                errors="ar1" if serial else "independent",
                conf_level=facts.conf_level,
            )
        except DesignError:
            short += 1
            continue
        how = f"AR(1) errors (rho = {found.rho:.2f}), REML, Kenward-Roger" if serial else "independent errors, t test"
        for number, term in enumerate(found.terms):
            unit = step if term.endswith("time") else 1  # slopes are per unit of time as given
            rows.append(
                facts.row(
                    f"case {case + 1}: {term}",
                    "coefficient",
                    float(found.estimate[number]) / unit,
                    method=f"piecewise regression, time from the first session; {how}",
                    n=found.n,
                    clusters=None,
                    std_error=float(found.std_error[number]) / unit,
                    conf_low=float(found.conf_low[number]) / unit,
                    conf_high=float(found.conf_high[number]) / unit,
                    conf_level=facts.conf_level,
                    statistic=float(found.statistic[number]),
                    df=float(found.df[number]),
                    p_value=float(found.p_value[number]),
                    null=0.0,
                    metric="raw",
                )
            )
    if short:
        notes.append(f"{counted(short, 'case')} too short, or too even, for a piecewise regression.")
    return rows, notes


def notes_on(found: Indices, cases: int, *, given: bool) -> list[str]:
    """Return what the intervals leave out, and which autocorrelation the wider ones allow for."""
    if given:
        allowed = f"phi = {found.phi_used:.2f} as given"
    elif not np.isfinite(found.phi):
        allowed = "none, since nothing varies within the phases"
    else:
        told = "one case cannot tell it well" if cases == 1 else f"pooled over {cases} cases"
        if found.phi > found.phi_used > 0:
            told = f"the most that is allowed for; it is {found.phi:.2f}, {told}"
        allowed = f"phi = {found.phi_used:.2f}, {told}"
    text = (
        "Intervals of single cases take measurements as independent; if one resembles the next they are too narrow. "
        f"Beside NAP stands an interval that allows for autocorrelation: {allowed}."
    )
    notes = [f"{CHECK}{text}" if found.phi_used > _NOTABLE_PHI else text]
    goal = found.of("percent_of_goal_obtained")
    without = 0 if goal is None else int((~np.isfinite(goal.estimate)).sum())
    if without:
        notes.append(
            f"{counted(without, 'case')} without a percentage of the goal, the baseline being at the goal or better "
            "already; the mean leaves them out."
        )
    return notes


def clients_frame(sessions: Sessions, found: Indices) -> pd.DataFrame:
    """Return one row per case: id, name, sizes of the phases, and every index in a column."""
    import pandas as pd

    columns: dict[str, Any] = {
        "client": sessions.ids,
        "case": [f"case {number + 1}" for number in range(len(sessions.ids))],
        "n_baseline": found.n_baseline.astype(int),
        "n_treated": found.n_treated.astype(int),
    }
    for index in found.rows:
        columns[index.measure] = index.estimate
        if index.measure == NAP and index.conf_low is not None and index.conf_high is not None:
            columns[f"{NAP}_low"], columns[f"{NAP}_high"] = index.conf_low, index.conf_high
    return pd.DataFrame(columns)


def as_given(table: pd.DataFrame, frame: Any) -> Any:
    """Return a table as the kind of frame that was given; as pandas where that is a database or lazy elsewhere."""
    kind = nw.from_native(frame).implementation
    if kind.is_polars() or kind.is_pyarrow():
        return nw.from_dict({name: table[name].tolist() for name in table}, backend=kind).to_native()
    return table
