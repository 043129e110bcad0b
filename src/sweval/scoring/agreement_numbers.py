"""Rows for agreement of ratings that are numbers: the six intraclass correlations and Kendall's W."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sweval.errors import DataError
from sweval.result import CHECK, Estimate
from sweval.scoring import agreement_icc as icc
from sweval.scoring.agreement_data import WHERE, Ratings, complete_notes

Rows = tuple[list[Estimate], list[str]]


def icc_rows(data: Ratings, conf_level: float) -> Rows:
    """Return the six forms of Shrout and Fleiss, or the two one-way forms where ratings have no rater."""
    if not data.ordered:
        raise DataError(
            "the ratings are text, so there is no intraclass correlation.",
            where=WHERE,
            fix='Use kind="kappa", or name the categories in order with scale=[...] to count them 1, 2, 3, ...',
        )
    if not data.raters:
        return _one_way_rows(data, conf_level)
    table, notes = _complete_table(data)
    ms = icc.mean_squares(table)
    total = ms.units + ms.within
    if not total > 0:
        raise DataError("all ratings are equal, so they say nothing about agreement.", where=WHERE, fix=_VARY)
    if not ms.units > 1e-12 * total:
        raise DataError("the units have the same mean, so the raters tell none apart.", where=WHERE, fix=_VARY)
    if not ms.error > 1e-12 * total:
        raise DataError(
            "the raters never differ but for a constant step, so no interval and no test exist.",
            where=WHERE,
            fix="Check that the columns are ratings made independently of each other.",
        )
    one_way, agreement, consistency = (
        icc.one_rater_one_way(ms, conf_level),
        icc.one_rater_agreement(ms, conf_level),
        icc.one_rater_consistency(ms, conf_level),
    )
    df = icc.agreement_df(ms, agreement.estimate)
    forms: tuple[tuple[str, str, icc.Intraclass, str], ...] = (
        ("1", "1", one_way, "each unit rated by raters of its own; exact F interval"),
        (
            "2",
            "A",
            agreement,
            f"absolute agreement, raters stand for others; F interval with Satterthwaite df {df:.1f}",
        ),
        ("3", "C", consistency, "consistency, differences in level between raters left out; exact F interval"),
    )
    rows = [_row(data, place, letter, 1, form, words, conf_level, ms.n) for place, letter, form, words in forms] + [
        _row(data, place, letter, ms.k, icc.of_mean(form, ms.k), words, conf_level, ms.n)
        for place, letter, form, words in forms
    ]
    rows += _generalized_rows(data, ms, agreement, conf_level)
    rows, more = _without_infinite(rows)
    notes += more
    level = ms.raters / ms.error
    p_value = float(special.fdtrc(ms.k - 1, (ms.n - 1) * (ms.k - 1), level))
    if p_value < 0.05:
        printed = "< .001" if p_value < 0.001 else f"= {p_value:.3f}"
        notes.append(
            f"{CHECK}the raters differ in level (F({ms.k - 1}, {(ms.n - 1) * (ms.k - 1)}) = {level:.2f}, p {printed}): "
            f"icc_2 counts this as disagreement, icc_3 leaves it out. How far raters differ is known from "
            f"{ms.k} raters only: take the interval of icc_2_1_generalized."
        )
    if agreement.estimate < 0 or consistency.estimate < 0:
        notes.append("An intraclass correlation below 0 is agreement worse than by chance: take it as none.")
    return rows, notes


def _row(
    data: Ratings, place: str, letter: str, k: float, form: icc.Intraclass, words: str, conf_level: float, n: int
) -> Estimate:
    single = k == 1
    count = "1" if single else "k"
    wong = f"ICC({'' if place == '1' else letter + ','}{count})"
    stepped = "" if single else ", limits stepped up by Spearman and Brown"
    return Estimate(
        outcome=data.outcome,
        term="one rater" if single else f"mean of {k:g} raters",
        measure=f"icc_{place}_{count}",
        estimate=form.estimate,
        conf_low=form.low,
        conf_high=form.high,
        conf_level=conf_level,
        statistic=form.f,
        df=float(form.df2),
        p_value=form.p_value,
        null=0.0,
        n=n,
        method=f"ICC({place},{count}) of Shrout and Fleiss (1979) = {wong} of McGraw and Wong (1996): {words}{stepped}"
        f"; test of 0 by F({form.df1:g}, {form.df2:g})",
    )


def _without_infinite(rows: list[Estimate]) -> Rows:
    """Leave out means of raters whose reliability is minus infinity, and limits that are."""
    kept = [row for row in rows if np.isfinite(row.estimate)]
    lost = [row.measure for row in rows if not np.isfinite(row.estimate)]
    notes = [f"{', '.join(lost)} do not exist: the raters agree less than by chance."] if lost else []
    return [
        row
        if row.conf_low is None or np.isfinite(row.conf_low)
        else dataclasses.replace(row, conf_low=None, method=f"{row.method}; no lower limit exists")
        for row in kept
    ], notes


def _generalized_rows(
    data: Ratings, ms: icc.MeanSquares, agreement: icc.Intraclass, conf_level: float
) -> list[Estimate]:
    """Return absolute agreement once more, with limits that hold with few raters."""
    low, high = icc.generalized_limits(ms, conf_level)
    words = "generalized confidence interval (Ionan et al. 2014), which holds with few raters"
    return [
        Estimate(
            outcome=data.outcome,
            term="one rater" if k == 1 else f"mean of {k} raters",
            measure=f"icc_2_{'1' if k == 1 else 'k'}_generalized",
            estimate=icc.step_up(agreement.estimate, k),
            conf_low=icc.step_up(low, k),
            conf_high=icc.step_up(high, k),
            conf_level=conf_level,
            n=ms.n,
            method=f"ICC(2,{'1' if k == 1 else 'k'}) of Shrout and Fleiss (1979): absolute agreement; {words}",
        )
        for k in (1, ms.k)
    ]


_VARY = "Rate units that differ in what is rated."


def _one_way_rows(data: Ratings, conf_level: float) -> Rows:
    rated = data.codes >= 0
    sizes = rated.sum(axis=1)
    notes = list(data.notes)
    if (sizes == 1).any():
        notes.append(f"{int((sizes == 1).sum())} of {len(sizes)} units have one rating only and are left out.")
    kept = sizes >= 2
    if kept.sum() < 3:
        raise DataError(f"{int(kept.sum())} units have two ratings.", where=WHERE, fix="At least three are needed.")
    values = data.table[kept][rated[kept]]
    units = np.repeat(np.arange(int(kept.sum())), sizes[kept])
    table = icc.one_way(values, units)
    if not table.within > 0:
        raise DataError("the ratings of a unit never differ, so no interval and no test exist.", where=WHERE, fix=_VARY)
    found = icc.intraclass_of_units(table, conf_level)
    k = float(table.sizes.mean())
    words = "each unit rated by raters of its own; exact F interval"
    if (table.sizes != table.sizes[0]).any():
        words = f"each unit rated by raters of its own, {k:.1f} on average; exact interval of Wald (1940)"
    notes.append("No column says who rated, so only the one-way forms are given.")
    rows = [
        _row(data, "1", "", 1, found, words, conf_level, int(kept.sum())),
        _row(data, "1", "", k, icc.of_mean(found, k), words, conf_level, int(kept.sum())),
    ]
    rows, more = _without_infinite(rows)
    return rows, notes + more


def kendall_rows(data: Ratings) -> Rows:
    """Return Kendall's W: how alike the raters rank the units."""
    if not data.ordered:
        raise DataError("the ratings are text without an order.", where=WHERE, fix="Name the order with scale=[...].")
    table, notes = _complete_table(data)
    if (table == table[0]).all(axis=0).any():
        raise DataError("a rater gave all units the same rating, so there are no ranks.", where=WHERE, fix=_VARY)
    found = icc.kendall_w(table)
    facts: dict[str, Any] = {"outcome": data.outcome, "term": "all raters", "n": len(table)}
    row = Estimate(
        measure="kendall_w",
        estimate=found.estimate,
        statistic=found.chi_square,
        df=float(found.df),
        p_value=found.p_value,
        null=0.0,
        method="Kendall's W, corrected for ties; chi-square test of no concordance (Kendall and Smith 1939)",
        **facts,
    )
    return [row], notes


def _complete_table(data: Ratings) -> tuple[NDArray[np.float64], list[str]]:
    notes = complete_notes(data, 3, 'At least three are needed. kind="krippendorff" allows for gaps.')
    return data.table[data.complete], notes
