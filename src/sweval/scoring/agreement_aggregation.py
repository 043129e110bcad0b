"""Rows that say whether the mean of a team or neighbourhood stands for its members."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sweval.errors import DataError
from sweval.result import CHECK, Estimate
from sweval.scoring import agreement_icc as icc
from sweval.scoring import agreement_teams as teams
from sweval.scoring.agreement_data import WHERE, Members

Array = NDArray[np.float64]

CUSTOMARY = 0.70
"""The customary bound for rwg and for ICC(2), discussed by LeBreton and Senter (2008)."""


def aggregation_rows(data: Members, conf_level: float) -> tuple[list[Estimate], list[str]]:
    """Return the agreement in each unit, its mean and median over units, ICC(1), ICC(2), and notes."""
    if len(data.names) < 2:
        raise DataError("the data hold one unit only.", where=WHERE, fix="ICC(1) and ICC(2) compare at least two.")
    spread = teams.spread_of_units(data.answers, data.units)
    points = _points(data)
    items = data.answers.shape[1]
    indices, notes = _indices(data, spread, points)
    of_units = [
        Estimate(
            outcome=data.outcome,
            term=f"{data.unit}[{name}]",
            measure=measure,
            estimate=float(values[place]),
            n=int(spread.sizes[place, 0]),
            method=method,
        )
        for place, name in enumerate(data.names)
        for measure, (values, method) in indices.items()
        if not np.isnan(values[place])
    ]
    facts: dict[str, Any] = {
        "outcome": data.outcome, "term": data.unit, "n": len(data.answers), "clusters": len(data.names),
    }  # fmt: skip
    rows: list[Estimate] = []
    for measure, (values, _) in indices.items():
        rows += _summaries(measure, values[~np.isnan(values)], conf_level, facts)
    notes += _against_the_rest(data)
    main = "rwg" if items == 1 else "rwg_j"
    scores = data.answers.mean(axis=1)
    table = icc.one_way(scores, data.units)
    found = None
    if table.within > 0:
        found = icc.intraclass_of_units(table, conf_level)
        rows += _icc_rows(table, found, conf_level, facts)
    else:
        notes.append(f"The members of each {data.unit} agree completely, so ICC(1) and ICC(2) have no interval.")
    notes.append(_verdict(data, indices, main, points, found, table))
    return rows + of_units, [*data.notes, *notes]


def _against_the_rest(data: Members) -> list[str]:
    """Note items that run against the others: their mean, which ICC(1) and ICC(2) describe, needs them reversed."""
    if data.answers.shape[1] < 3:
        return []
    covariance = np.cov(data.answers, rowvar=False)
    items = data.outcome.split(", ")
    against = [items[place] for place in np.flatnonzero(covariance.sum(axis=1) - np.diag(covariance) < 0)]
    if not against:
        return []
    return [
        f"{CHECK}{', '.join(against)} run{'s' if len(against) == 1 else ''} against the other items. ICC(1) and ICC(2) "
        "are those of the mean of the items: reverse such items first."
    ]


def _points(data: Members) -> int:
    return round(data.high - data.low) + 1


def _indices(data: Members, spread: teams.Spread, points: int) -> tuple[dict[str, tuple[Array, str]], list[str]]:
    """Return measure -> (value of each unit, method), and notes on what was set to 0 or has none."""
    items = data.answers.shape[1]
    notes = []
    if not (np.mod(data.answers - data.low, 1) == 0).all() or (data.high - data.low) % 1:
        notes.append(
            f"{CHECK}the answers hold fractions, but rwg compares with single answers on {points} points. Give the "
            "items rather than their mean."
        )
    main = "rwg" if items == 1 else "rwg_j"
    title = "rwg" if items == 1 else f"rwg(j) of {items} items"
    uniform = teams.uniform_variance(points)
    nulls = {"": (uniform, f"even answers on {points} points")}
    if points in teams.SLIGHTLY_SKEWED:
        nulls["_slightly_skewed"] = (teams.SLIGHTLY_SKEWED[points], f"slightly skewed answers on {points} points")
    else:
        notes.append(
            f"No rwg against slightly skewed answers: LeBreton and Senter (2008) list 5 to 11 points, not {points}."
        )
    out = {}
    for suffix, (variance, words) in nulls.items():
        method = f"{title} (James, Demaree and Wolf 1984); no agreement = {words}, variance {variance:.2f}"
        out[main + suffix] = (teams.rwg(spread.variances, variance), method)
        beyond = int((spread.variances.mean(axis=1) > variance).sum())
        if beyond:
            notes.append(
                f"{main + suffix}: in {beyond} of {len(data.names)} units the members differ more than by {words}; the "
                "value is set to 0, as its authors recommend."
            )
    if items > 1:
        method = f"r*wg(j) of {items} items (Lindell, Brandt and Whitney 1999); no agreement = even answers"
        out["rwg_star_j"] = (teams.rwg_star(spread.variances, uniform), method)
    out["awg"] = (teams.awg(spread, data.low, data.high), "awg, mean over items (Brown and Hauenstein 2005)")
    undefined = int(np.isnan(out["awg"][0]).sum())
    if undefined:
        notes.append(
            f"awg: {undefined} of {len(data.names)} units have none, as their mean lies too near an end of the scale."
        )
    of_items = "average deviation, mean over items (Burke, Finkelstein and Dusig 1999)"
    out["ad_mean"] = (spread.about_mean.mean(axis=1), f"{of_items}, about the mean")
    out["ad_median"] = (spread.about_median.mean(axis=1), f"{of_items}, about the median")
    return out, notes


_LIMITS: dict[str, tuple[float, float]] = {"rwg": (0.0, 1.0), "awg": (-1.0, 1.0), "ad_": (0.0, np.inf)}


def _summaries(measure: str, values: Array, conf_level: float, facts: dict[str, Any]) -> list[Estimate]:
    """Return mean and median over units, with intervals that take the units as the sample."""
    count = len(values)
    if count == 0:
        return []
    facts = {**facts, "clusters": count}
    low, high = _order_limits(values, conf_level)
    known: dict[str, Any] = {"conf_level": conf_level} if low is not None else {}
    words = "interval from order statistics" if low is not None else "too few units for an interval"
    rows = [
        Estimate(
            measure=f"median_{measure}",
            estimate=float(np.median(values)),
            conf_low=low,
            conf_high=high,
            method=f"median over units, {words}",
            **known,
            **facts,
        )
    ]
    own = Estimate(measure=f"mean_{measure}", estimate=float(values.mean()), method="mean over units", **facts)
    if count < 2 or measure.startswith("rwg_star"):
        bounds = (-np.inf, 1.0)
    else:
        bounds = next(limits for start, limits in _LIMITS.items() if measure.startswith(start))
    if count >= 2:
        error = float(values.std(ddof=1) / np.sqrt(count))
        half = float(special.stdtrit(count - 1, (1 + conf_level) / 2)) * error
        own = Estimate(
            measure=own.measure,
            estimate=own.estimate,
            std_error=error,
            conf_low=max(own.estimate - half, bounds[0]),
            conf_high=min(own.estimate + half, bounds[1]),
            conf_level=conf_level,
            df=float(count - 1),
            method="mean over units, t interval over units",
            **facts,
        )
    return [own, *rows]


def _order_limits(values: Array, conf_level: float) -> tuple[float | None, float | None]:
    """Return the narrowest order statistics that hold the median with at least this confidence, if there are any."""
    count, ordered = len(values), np.sort(values)
    below = special.bdtr(np.arange(count), count, 0.5)
    inside = np.flatnonzero(below <= (1 - conf_level) / 2)
    if len(inside) == 0:
        return None, None
    place = int(inside[-1])
    return float(ordered[place]), float(ordered[count - 1 - place])


def _icc_rows(table: icc.OneWay, found: icc.Intraclass, conf_level: float, facts: dict[str, Any]) -> list[Estimate]:
    size = float(table.sizes.mean())
    mean = icc.of_mean(found, size)
    exact = "exact interval of Wald (1940) for units of any size"
    test = f"test of 0 by F({found.df1:g}, {found.df2:g})"
    words: dict[str, tuple[icc.Intraclass, str]] = {
        "icc_1": (
            found,
            f"ICC(1), share of the variance of a member's answer that lies between units; {exact}; {test}",
        ),
        "icc_2": (mean, f"ICC(2), reliability of the mean of {size:.1f} members; {exact}, stepped up; {test}"),
    }
    return [
        Estimate(
            measure=measure,
            estimate=form.estimate,
            conf_low=form.low if np.isfinite(form.low) else None,
            conf_high=form.high,
            conf_level=conf_level,
            statistic=form.f,
            df=float(form.df2),
            p_value=form.p_value,
            null=0.0,
            method=method,
            **facts,
        )
        for measure, (form, method) in words.items()
        if np.isfinite(form.estimate)
    ]


def _verdict(
    data: Members,
    indices: dict[str, tuple[Array, str]],
    main: str,
    points: int,
    found: icc.Intraclass | None,
    table: icc.OneWay,
) -> str:
    """Return the note that says in plain words whether a mean per unit is defensible, and by which bounds."""
    of = {measure: values for measure, (values, _) in indices.items()}
    agree = int((of[main] >= CUSTOMARY).sum())
    median = float(np.median(of[main]))
    told = [f"median {main} {median:.2f} ({agree} of {len(data.names)} at {CUSTOMARY:.2f} or more)"]
    skewed = f"{main}_slightly_skewed"
    doubt = []
    if skewed in of:
        told.append(f"{float(np.median(of[skewed])):.2f} against slightly skewed answers")
        if median >= CUSTOMARY > float(np.median(of[skewed])):
            doubt.append("agreement reaches the bound only if no agreement means even answers")
    close = int((of["ad_mean"] <= points / 6).sum())
    told.append(f"average deviation at most {points / 6:.2f} (Burke and Dunlap 2002) in {close}")
    if median < CUSTOMARY:
        doubt.append("members do not agree enough in most units")
    if found is not None:
        reliability = 1 - 1 / table.f if table.f > 0 else -np.inf
        told.append(f"ICC(1) = {found.estimate:.2f} (p {_p(found.p_value)}), ICC(2) = {reliability:.2f}")
        if found.p_value >= 0.05:
            doubt.append("no difference between the units shows, so their means hold little but chance")
        elif reliability < CUSTOMARY:
            doubt.append("the means tell the units apart too unreliably")
    facts = "; ".join(told)
    bound = f"The bound of {CUSTOMARY:.2f} is the customary one (LeBreton and Senter 2008)."
    if doubt:
        return f"{CHECK}a mean per {data.unit} is hard to defend: {'; '.join(doubt)}. {facts}. {bound}"
    return f"A mean per {data.unit} is defensible: members agree and the units differ. {facts}. {bound}"


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"= {value:.3f}"
