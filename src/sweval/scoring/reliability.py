"""How far the items of a score measure one thing: alpha, omega, standard error of measurement, item statistics."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweval.errors import InstrumentError, SwevalError
from sweval.result import Estimate, Fit, Result
from sweval.scoring.consistency import (
    Matrix,
    alpha_without,
    cronbach_alpha,
    feldt_interval,
    item_rest_correlations,
    pairwise_covariance,
    standardized_alpha,
)
from sweval.scoring.factors import FEWEST_FOR_GROUPS, bifactor_omega, omega_interval, one_factor_omega
from sweval.scoring.keyed import Asked, ItemAnswers, read_items
from sweval.scoring.records import Instrument, Scale
from sweval.scoring.request import CodingArgument, RawCode
from sweval.scoring.rules import points_of

MEASURES = (
    "alpha",
    "alpha_standardized",
    "omega",
    "omega_total",
    "omega_hierarchical",
    "sem",
    "share_lowest",
    "share_highest",
    "item_mean",
    "item_sd",
    "item_rest_r",
    "alpha_without",
)
"""What `reliability` reports, for scores and (from `share_lowest` on) for items."""


def reliability(
    frame: Any,
    instrument: str | os.PathLike[str] | Instrument,
    *,
    items: str | Sequence[str],
    missing: Sequence[RawCode] | RawCode = (),
    coding: CodingArgument = None,
    order: str | None = None,
    accept_licence: bool = False,
    conf_level: float = 0.95,
) -> Result:
    """Estimate the reliability of every score of an instrument in these data.

    Use it to see whether the items hang together in your sample, and for the standard error of measurement. It says
    nothing about whether a score is stable over time (`sweval.retest`) or measures what it should. Alpha
    underestimates reliability where items differ in how well they measure; omega does not, but takes one common factor
    for granted; omega hierarchical says how much of the score is that one factor. Answers of one person at several
    waves are several rows: give one wave at a time.

    Parameters
    ----------
    frame, instrument, items, missing, coding, order, accept_licence
        As in `sweval.score`. Items are reversed and recoded as the instrument says.
    conf_level
        Level of the intervals of alpha and omega.

    Returns
    -------
    Result
        For each score that is a sum or mean of items: `alpha` and `omega` (with intervals), `alpha_standardized`,
        `omega_total` and `omega_hierarchical` (psych's, of standardized items; with fewer than six items, omega total
        of one factor and no hierarchical), `sem` (in points of the score), `share_lowest` and `share_highest` (of
        scores at either end of the range). For each item (term = its column): `item_mean` and `item_sd` of its points,
        `item_rest_r`, `alpha_without` it, and the shares at either end. Covariances use every pair of answers present;
        intervals count only rows with all items answered.

    Raises
    ------
    InstrumentError
        If the answers do not fit the instrument, or fewer than three rows have all items answered.

    Notes
    -----
    With the covariance matrix C of k keyed items, alpha = k / (k - 1) * (1 - trace(C) / sum(C)) (Cronbach 1951,
    Psychometrika 16:297-334). Interval: 1 - (1 - alpha) * F, with quantiles of F on n - 1 and (n - 1)(k - 1) degrees of
    freedom (Feldt 1965, Psychometrika 30:357-370). Standardized: k * r / (1 + (k - 1) * r), r the mean correlation.
    SEM = SD of the score * sqrt(1 - alpha). Omega: `sweval.scoring.factors`.

    Examples
    --------
    >>> import pandas as pd
    >>> import sweval as sw
    >>> rows = [[0, 1, 1, 0, 1], [2, 2, 3, 2, 2], [5, 4, 5, 5, 4], [3, 3, 2, 3, 4], [1, 2, 1, 1, 0]]
    >>> answers = pd.DataFrame(rows, columns=[f"who_{i}" for i in range(1, 6)])
    >>> result = sw.reliability(answers, "who5", items="who_{item}")
    >>> round(result.effect("alpha", term="who5_raw").estimate, 3)
    0.966
    """
    if not 0 < conf_level < 1:
        raise SwevalError(f"conf_level is {conf_level:g}, but must lie between 0 and 1.", fix="Use 0.95.")
    asked = Asked(
        instrument=instrument, items=items, missing=missing, coding=coding, order=order, accept_licence=accept_licence
    )
    read = read_items(frame, asked)
    values = {scored.scale.id: scored.values for scored in read.scores()}
    results = [_of_score(read, scale, values[scale.id], conf_level) for scale in read.summed]
    others = [scale.column for scale in read.instrument.scores if scale not in read.summed]
    if others:
        note = f"{', '.join(others)}: no reliability of items, being made from other scores or a yes/no of its items."
        results.append(Result(estimates=(), notes=(note,)))
    return sum(results[1:], results[0])


@dataclass(frozen=True, kw_only=True)
class _Items:
    """The keyed answers of one score, and what they have in common."""

    scale: Scale
    names: tuple[str, ...]
    keyed: Matrix
    covariance: Matrix
    complete: int
    ends: tuple[tuple[int, int], ...]

    @property
    def varying(self) -> NDArray[np.bool_]:
        return np.asarray(np.diag(self.covariance) > 0)

    def row(self, measure: str, estimate: float, method: str, **more: Any) -> Estimate:
        """Return a row of the score."""
        common = {"outcome": self.scale.column, "term": self.scale.column, "better": self.scale.better}
        return Estimate(measure=measure, estimate=estimate, method=method, **{**common, "n": self.complete, **more})


def _of_score(read: ItemAnswers, scale: Scale, values: NDArray[np.float64], conf_level: float) -> Result:
    """Return the rows of one score."""
    keyed = read.keyed(scale)
    if keyed.shape[1] < 2:
        return Result(estimates=(), notes=(f"{scale.column}: one item alone has no alpha.",))
    complete = int(np.count_nonzero(~np.isnan(keyed).any(axis=1)))
    if complete < 3:
        raise InstrumentError(
            f"{complete} of {len(keyed)} rows have answers to all {keyed.shape[1]} items of {scale.column}.",
            fix="Reliability needs at least three complete rows.",
        )
    points = points_of(read.instrument, scale)
    data = _Items(
        scale=scale,
        names=tuple(read.names[name] for name in scale.items),
        keyed=keyed,
        covariance=pairwise_covariance(keyed),
        complete=complete,
        ends=tuple((min(points[name].values()), max(points[name].values())) for name in scale.items),
    )
    if not data.covariance.sum() > 0:
        raise InstrumentError(
            f"the score {scale.column} does not vary in these data, so it has no reliability.",
            fix="Check that the columns hold the answers, and how items are reversed.",
        )
    alpha = cronbach_alpha(data.covariance)
    notes = _notes(data, alpha)
    rows = [*_alphas(data, alpha, conf_level), *_omegas(data, conf_level, notes), *_score_rows(data, values, alpha)]
    rows += _item_rows(data)
    fit = Fit(
        outcome=scale.column,
        model="reliability",
        rows=len(keyed),
        used=complete,
        dropped=len(keyed) - complete,
        engine="sweval",
    )
    return Result(estimates=tuple(rows), fits=(fit,), notes=tuple(notes))


def _alphas(data: _Items, alpha: float, conf_level: float) -> list[Estimate]:
    low, high = feldt_interval(alpha, data.complete, len(data.names), conf_level=conf_level)
    rows = [
        data.row(
            "alpha",
            alpha,
            "Cronbach alpha of keyed items, pairwise covariances, interval of Feldt (1965)",
            conf_low=low,
            conf_high=high,
            conf_level=conf_level,
            df=float(data.complete - 1),
        )
    ]
    if data.varying.all():
        standardized = standardized_alpha(data.covariance)
        method = "alpha of standardized items, from the mean correlation"
        rows.append(data.row("alpha_standardized", standardized, method))
    return rows


def _omegas(data: _Items, conf_level: float, notes: list[str]) -> list[Estimate]:
    """Return omega under one factor, and omega total and hierarchical as in psych; say what could not be had."""
    column = data.scale.column
    if not data.varying.all() or len(data.names) < 3 or not np.isfinite(data.covariance).all():
        return []
    one = one_factor_omega(data.keyed, data.covariance)
    limits: dict[str, Any] = {}
    if one.bounded:
        notes.append(
            f"{column}: omega has no interval, as one common factor fits only with an item at the bound of what it can "
            "load; read alpha."
        )
    elif not np.isnan(one.std_error):
        low, high = omega_interval(one, data.complete, conf_level=conf_level)
        limits = {
            "std_error": one.std_error,
            "conf_low": low,
            "conf_high": high,
            "conf_level": conf_level,
            "df": float(data.complete - 1),
        }
    method = "omega of the score under one common factor (minres), asymptotic interval on log(1 - omega)"
    rows = [data.row("omega", one.omega, method, **limits)]
    if len(data.names) < FEWEST_FOR_GROUPS:
        method = "omega total of standardized items under one common factor (minres)"
        return [*rows, data.row("omega_total", one.standardized, method)]
    several = bifactor_omega(data.covariance)
    method = "standardized items, three group factors (minres, oblimin, Schmid-Leiman)"
    rows.append(data.row("omega_total", several.total, f"omega total: {method}"))
    rows.append(data.row("omega_hierarchical", several.hierarchical, f"omega hierarchical: {method}"))
    if several.bounded:
        notes.append(
            f"{column}: omega total and hierarchical rest on a solution in which three group factors leave nothing of "
            "an item to itself; with few items or few rows that is common, and they are uncertain."
        )
    return rows


def _score_rows(data: _Items, values: NDArray[np.float64], alpha: float) -> list[Estimate]:
    present = values[~np.isnan(values)]
    rows = []
    if alpha <= 1:
        sem = float(np.std(present, ddof=1) * np.sqrt(1 - alpha))
        rows.append(data.row("sem", sem, "SD of the score * sqrt(1 - alpha)", n=len(present)))
    for measure, end in (("share_lowest", data.scale.range[0]), ("share_highest", data.scale.range[1])):
        share = float(np.isclose(present, end).mean())
        rows.append(data.row(measure, share, "share of scores at this end of the range", n=len(present)))
    return rows


def _item_rows(data: _Items) -> list[Estimate]:
    varying = data.varying
    inner = data.covariance[np.ix_(varying, varying)]
    rest, without = np.full((2, len(varying)), np.nan)
    rest[varying] = item_rest_correlations(inner)
    if varying.all() and len(varying) > 2:
        without = alpha_without(data.covariance)
    rows = []
    for place, name in enumerate(data.names):
        points = data.keyed[:, place]
        points = points[~np.isnan(points)]
        low, high = data.ends[place]
        found = {
            "item_mean": (float(points.mean()), "mean of the points of the keyed item"),
            "item_sd": (float(points.std(ddof=1)), "standard deviation of the points of the keyed item"),
            "item_rest_r": (float(rest[place]), "correlation of the keyed item with the sum of the other items"),
            "alpha_without": (float(without[place]), "Cronbach alpha of the other items"),
            "share_lowest": (float((points == low).mean()), "share of answers at this end of the item"),
            "share_highest": (float((points == high).mean()), "share of answers at this end of the item"),
        }
        rows += [
            data.row(measure, value, method, term=name, n=len(points))
            for measure, (value, method) in found.items()
            if not np.isnan(value)
        ]
    order = list(MEASURES)
    return sorted(rows, key=lambda row: order.index(row.measure))


def _notes(data: _Items, alpha: float) -> list[str]:
    column, rows, notes = data.scale.column, len(data.keyed), []
    if data.complete < rows:
        notes.append(
            f"{column}: {rows - data.complete} of {rows} rows lack an answer; covariances use the pairs present, the "
            f"intervals of alpha and omega count the {data.complete} complete rows."
        )
    if alpha < 0:
        notes.append(f"{column}: alpha is negative: items run against each other. Check which are reversed.")
    flat = [name for name, varies in zip(data.names, data.varying, strict=True) if not varies]
    if flat:
        notes.append(f"{column}: {', '.join(flat)} never vary, so correlations leave them out.")
    return notes
