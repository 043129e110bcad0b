"""Every index of every case at once: computed for the phase pairs, then brought together for each case."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sweval.effects.case_arrays import CaseEffect, PhasePair, mean, phase_pair
from sweval.effects.case_level import (
    Scale,
    log_odds_ratio_within_case,
    log_ratio_of_medians,
    log_response_ratio_within_case,
    percent_of_goal_obtained,
    standardized_mean_difference_within_case,
)
from sweval.effects.case_trend import conservative_dual_criterion, within_phase_autocorrelation
from sweval.effects.nonoverlap import as_tau, nap_of
from sweval.effects.nonoverlap_counts import (
    ird_of,
    most_kept,
    percentage_exceeding_median,
    percentage_exceeding_trend,
    pnd_of,
)
from sweval.effects.tau_trend import Variant, baseline_corrected, tau_u
from sweval.models.base.single_case_data import Sessions
from sweval.result import BETTER

FloatArray = NDArray[np.float64]

NAP, SERIAL_NAP, TAU_BC = "nonoverlap_of_all_pairs", "nonoverlap_of_all_pairs_serial", "tau_baseline_corrected"
BASELINE_MEAN, TREATED_MEAN, WITHIN = "baseline_phase_mean", "treated_phase_mean", "within_case_smd"
CRITERION, SLOPE = "conservative_dual_criterion", "baseline_slope"
PHI = "within_phase_autocorrelation"
_MOST_PHI = 0.8


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be computed, apart from what always is."""

    scale: Scale | None
    resolution: float | None
    goal: float | None
    tau_u: Variant | None
    ordered: bool
    phi: float | None
    conf_level: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Index:
    """One index of every case; nan where a case has none.

    `null` is the value of no effect and `limits` where the index can lie; `over_cases` whether its mean makes sense.
    """

    measure: str
    metric: str
    method: str
    estimate: FloatArray
    std_error: FloatArray | None = None
    conf_low: FloatArray | None = None
    conf_high: FloatArray | None = None
    p_value: FloatArray | None = None
    null: float | None = 0.0
    limits: tuple[float, float] = (-np.inf, np.inf)
    standardizer: str | None = None
    over_cases: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Indices:
    """All indices, and the measurements of each case that they rest on; `phi` is the pooled autocorrelation."""

    rows: tuple[Index, ...]
    n_baseline: FloatArray
    n_treated: FloatArray
    phi: float
    phi_used: float

    def of(self, measure: str) -> Index | None:
        """Return an index by name."""
        return next((row for row in self.rows if row.measure == measure), None)


class _Cases:
    """Brings numbers of phase pairs to numbers of cases, weighted by the comparisons m x n that each pair makes."""

    def __init__(self, owner: NDArray[np.intp], cases: int, m: FloatArray, n: FloatArray) -> None:
        self.owner, self.cases = owner, cases
        self.single = len(owner) == cases
        self.weight = m * n / np.bincount(owner, weights=m * n, minlength=cases)[owner]

    def total(self, values: FloatArray) -> FloatArray:
        if self.single:
            return values
        return np.bincount(self.owner, weights=values, minlength=self.cases).astype(float)

    def mean(self, values: FloatArray) -> FloatArray:
        return values if self.single else self.total(self.weight * values)

    def error(self, values: FloatArray) -> FloatArray:
        return values if self.single else np.sqrt(self.total(self.weight**2 * values**2))

    def effect(self, found: CaseEffect) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return estimate, standard error and limits; limits of several pairs by the distances of each (MOVER)."""
        centre = self.mean(found.estimate)
        if self.single:
            return centre, found.std_error, found.conf_low, found.conf_high
        down, up = self.error(found.estimate - found.conf_low), self.error(found.conf_high - found.estimate)
        return centre, self.error(found.std_error), centre - down, centre + up


def indices_of(sessions: Sessions, better: str, wanted: Wanted) -> Indices:
    """Return every index of every case."""
    a, b = sessions.padded(sessions.value, treated=False), sessions.padded(sessions.value, treated=True)
    times = sessions.padded(sessions.time, treated=False), sessions.padded(sessions.time, treated=True)
    pair = phase_pair(a, b, better=better, time=times)
    raw = phase_pair(a, b, better="higher", time=times)
    join = _Cases(sessions.pair_case, len(sessions.ids), pair.m, pair.n)
    several = "" if join.single else "; phase pairs of a case weighted by their comparisons"
    phi = within_phase_autocorrelation(a, b)
    used = wanted.phi if wanted.phi is not None else float(np.clip(np.nan_to_num(phi), 0.0, _MOST_PHI))
    rows = _overlap(pair, join, used, several, wanted)
    if wanted.ordered:
        rows += _trends(pair, join, several, better, wanted)
    rows += _means(raw, join, several)
    rows += _levels(pair, raw, join, several, better, wanted)
    return Indices(
        rows=tuple(rows), n_baseline=join.total(pair.m), n_treated=join.total(pair.n), phi=phi, phi_used=used
    )


def _overlap(pair: PhasePair, join: _Cases, phi: float, several: str, wanted: Wanted) -> list[Index]:
    """Return NAP, NAP with the wider interval, Tau, and the shares."""
    plain, wide = (nap_of(pair, phi=one, conf_level=wanted.conf_level) for one in (0.0, phi))
    score = "Newcombe's score interval, which ignores autocorrelation" + several
    nap = _index(NAP, "nonoverlap", f"share of pairs without overlap, unbiased SE, {score}", join.effect(plain))
    serial = _index(
        SERIAL_NAP,
        "nonoverlap",
        f"share of pairs without overlap, with SE and interval of series (1 - phi)/(1 + phi) as long, phi = {phi:.2f}"
        + several,
        join.effect(wide),
    )
    pand = (most_kept(pair)) / (pair.m + pair.n)
    shares = {
        "percentage_of_nonoverlapping_data": (pnd_of(pair), "treated measurements beyond the best of the baseline"),
        "percentage_exceeding_median": (
            percentage_exceeding_median(pair.baseline, pair.treated).estimate,
            "treated measurements beyond the baseline's median, ties one half",
        ),
        "percentage_of_all_nonoverlapping_data": (pand, "measurements that can stay so that phases do not overlap"),
    }
    return [
        _range(nap, null=0.5, limits=(0, 1)),
        _range(serial, null=0.5, limits=(0, 1), over_cases=False),
        _range(
            _index("tau", "nonoverlap", f"2 NAP - 1, unbiased SE, {score}", join.effect(as_tau(plain))), limits=(-1, 1)
        ),
        *(
            Index(
                measure=name,
                metric="share",
                method=f"share of {what}; descriptive, no standard error{several}",
                estimate=join.mean(values),
                null=None,
                limits=(0, 1),
            )
            for name, (values, what) in shares.items()
        ),
        Index(
            measure="improvement_rate_difference",
            metric="nonoverlap",
            method="robust improvement rate difference from PAND; descriptive, no standard error" + several,
            estimate=join.mean(ird_of(pand, pair.m, pair.n)),
            limits=(-1, 1),
        ),
    ]


def _trends(pair: PhasePair, join: _Cases, several: str, better: str, wanted: Wanted) -> list[Index]:
    """Return what needs the order of sessions: Tau-BC, PET, the dual criterion, the slope of the baseline."""
    long = pair.m > 1
    corrected, line = baseline_corrected(pair)
    tau = 2 * nap_of(corrected).estimate - 1
    sign = 1.0 if better == "higher" else -1.0
    rows = [
        Index(
            measure=TAU_BC,
            metric="nonoverlap",
            method="Tau after taking off the baseline's Theil-Sen line, always; no interval, since the line itself is "
            "estimated" + several,
            estimate=join.mean(np.where(long, tau, np.nan)),
            limits=(-1, 1),
        ),
        Index(
            measure="percentage_exceeding_trend",
            metric="share",
            method="share of treated measurements beyond the baseline's straight line; descriptive" + several,
            estimate=join.mean(
                percentage_exceeding_trend(
                    pair.baseline, pair.treated, time=(pair.baseline_time, pair.treated_time)
                ).estimate
            ),
            null=None,
            limits=(0, 1),
        ),
    ]
    if wanted.tau_u is not None:
        values = np.full(len(long), np.nan)
        enough = long & (pair.n > 1)
        if enough.any():
            found = tau_u(pair.baseline[enough], pair.treated[enough], variant=wanted.tau_u)
            values[enough] = found.comparison("A vs. B - Trend A")
        method = f"Tau-U, A vs. B - Trend A, variant {wanted.tau_u}; no interval{several}"
        rows.append(
            Index(measure=f"tau_u_{wanted.tau_u}", metric="nonoverlap", method=method, estimate=join.mean(values))
        )
    if join.single:
        rows.append(
            Index(
                measure=SLOPE,
                metric="raw",
                method="Theil-Sen slope of the baseline per unit of time; p of Kendall's test of a trend",
                estimate=sign * line.slope,
                p_value=line.p_value,
                over_cases=False,
            )
        )
        rows.append(_criterion(pair, long))
    return rows


def _criterion(pair: PhasePair, long: NDArray[np.bool_]) -> Index:
    """Return the share of treated measurements beyond both lines of the conservative dual criterion."""
    share, p = np.full(len(long), np.nan), np.full(len(long), np.nan)
    if long.any():
        found = conservative_dual_criterion(
            pair.baseline[long],
            pair.treated[long],
            time=(pair.baseline_time[long], pair.treated_time[long]),
        )
        share[long], p[long] = found.count / found.total, found.p_value
    return Index(
        measure=CRITERION,
        metric="share",
        method="share of treated measurements beyond the baseline's mean and trend, both moved by 0.25 sd; binomial p, "
        "one-sided, measurements taken as independent",
        estimate=share,
        p_value=p,
        null=0.5,
        limits=(0, 1),
        over_cases=False,
    )


def _means(raw: PhasePair, join: _Cases, several: str) -> list[Index]:
    """Return the means of both phases."""
    return [
        Index(
            measure=name,
            metric="raw",
            method="mean of the measurements" + several,
            estimate=join.mean(mean(values, n)),
            null=None,
            over_cases=False,
        )
        for name, values, n in ((BASELINE_MEAN, raw.baseline, raw.m), (TREATED_MEAN, raw.treated, raw.n))
    ]


def _levels(pair: PhasePair, raw: PhasePair, join: _Cases, several: str, better: str, wanted: Wanted) -> list[Index]:
    """Return the differences in level."""
    level = wanted.conf_level
    smd = standardized_mean_difference_within_case(pair.baseline, pair.treated, conf_level=level)
    rows = [
        _range(
            _index(
                WITHIN,
                "within_case",
                "difference of means / standard deviation of this case's baseline, exact J, noncentral-t interval; "
                "ignores autocorrelation" + several,
                join.effect(smd),
            ),
            standardizer="baseline_of_the_case",
        ),
    ]
    normal = "normal interval, which ignores autocorrelation" + several
    if wanted.scale is not None:
        ratio = log_response_ratio_within_case(
            raw.baseline,
            raw.treated,
            better=better,
            scale=wanted.scale,
            resolution=wanted.resolution,
            conf_level=level,
        )
        medians = log_ratio_of_medians(raw.baseline, raw.treated, better=better, conf_level=level)
        name = "log_response_ratio"
        rows.append(_index(name, name, f"log of the ratio of means, bias-corrected, {normal}", join.effect(ratio)))
        rows.append(
            _index("log_ratio_of_medians", name, f"log of the ratio of medians, {normal}", join.effect(medians))
        )
    shares: dict[str, Literal["proportion", "percentage"]] = {"proportion": "proportion", "percentage": "percentage"}
    if wanted.scale in shares:
        odds = log_odds_ratio_within_case(
            raw.baseline,
            raw.treated,
            better=better,
            scale=shares[wanted.scale],
            resolution=wanted.resolution,
            conf_level=level,
        )
        rows.append(
            _index(
                "log_odds_ratio_within_case",
                "log_odds_ratio",
                f"log odds ratio of mean shares, bias-corrected, {normal}",
                join.effect(odds),
            )
        )
    if wanted.goal is not None:
        goal = percent_of_goal_obtained(raw.baseline, raw.treated, goal=wanted.goal, conf_level=level)
        # From beyond the goal the way to it is a change for the worse, which would count as improvement.
        ahead = BETTER[better] * (wanted.goal - mean(raw.baseline, raw.m)) > 0
        goal = replace(goal, estimate=np.where(ahead, goal.estimate, np.nan))
        rows.append(
            _index(
                "percent_of_goal_obtained",
                "percent",
                f"per cent of the way from the baseline's mean to the goal {wanted.goal:g}, delta method with the "
                f"shared baseline, {normal}; none for a case whose baseline is at the goal or better",
                join.effect(goal),
            )
        )
    return rows


def _index(
    measure: str, metric: str, method: str, found: tuple[FloatArray, FloatArray, FloatArray, FloatArray]
) -> Index:
    estimate, error, low, high = found
    return Index(
        measure=measure,
        metric=metric,
        method=f"{method}; positive = improvement" if metric not in ("nonoverlap",) else method,
        estimate=estimate,
        std_error=error,
        conf_low=low,
        conf_high=high,
    )


def _range(
    index: Index,
    *,
    null: float = 0.0,
    limits: tuple[float, float] = (-np.inf, np.inf),
    over_cases: bool = True,
    standardizer: str | None = None,
) -> Index:
    """Return the index with what its numbers mean."""
    changed = {"null": null, "limits": limits, "over_cases": over_cases, "standardizer": standardizer}
    return Index(**{**index.__dict__, **changed})
