"""Rows for agreement on categories: kappas, Gwet's coefficients, Krippendorff's alpha."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sweval.errors import DataError, SwevalError
from sweval.result import CHECK, Estimate
from sweval.scoring import agreement_chance as chance
from sweval.scoring import agreement_spread as spread
from sweval.scoring.agreement_data import WHERE, Ratings, complete_notes

Array = NDArray[np.float64]
Rows = tuple[list[Estimate], list[str]]

_INTERVAL = "interval on Fisher's z, jackknife over units, t on units - 1"
_DRAWS = 2000
_MOST_CATEGORIES = 100
"""More different ratings than these are measurements, not categories."""
_UNITS_FOR_AC2 = 40
"""Below so many units the interval of AC2 held the true value in 81 to 94 % of simulations, not 95 %."""
_UNITS_OFF_THE_COMMONEST = 5
"""Below so many units with a rating outside the commonest category, intervals held it in 80 to 95 %."""
_LARGEST = 40_000_000
"""Ordinal and ratio alpha compare all categories: no more cells than this (units or one, times categories squared)."""


def kappa_rows(data: Ratings, kinds: tuple[str, ...], conf_level: float) -> Rows:
    """Return kappa of two raters (Cohen) or of all and of each pair (Conger), by kind of weights."""
    if "unweighted" not in kinds and not data.ordered:
        raise SwevalError(
            "weighted kappa needs ordered categories, but the ratings are text.",
            where=WHERE,
            fix='Name them in order, lowest first: scale=["no", "partly", "yes"]; or use kind="kappa".',
        )
    _refuse_measurements(data)
    codes, notes = _complete(data)
    notes += _rare(chance.category_counts(codes, len(data.values)))
    everyone = tuple(range(codes.shape[1]))
    pairs = [everyone] if len(everyone) == 2 else [everyone, *itertools.combinations(everyone, 2)]
    rows: list[Estimate] = []
    for chosen in pairs:
        term = "all raters" if len(chosen) > 2 else " & ".join(data.raters[place] for place in chosen)
        own, more = _kappas(data, codes[:, list(chosen)], kinds, term, conf_level, main=chosen == everyone)
        rows += own
        notes += more
    return rows, notes


def _kappas(
    data: Ratings, codes: NDArray[np.int64], kinds: tuple[str, ...], term: str, conf_level: float, *, main: bool
) -> Rows:
    """Return the rows of one set of raters."""
    rows, notes = [], []
    pair = codes.shape[1] == 2
    counts = chance.category_counts(codes, len(data.values))
    facts: dict[str, Any] = {"outcome": data.outcome, "term": term, "n": len(codes)}
    if "unweighted" in kinds:
        rows.append(_percent(codes, counts, conf_level, facts))
    table = np.zeros((len(data.values),) * 2)
    np.add.at(table, (codes[:, 0], codes[:, 1]), 1)
    shares = table / len(codes)
    for kind in kinds:
        weights = _weights(data, kind)
        coefficient = chance.conger_kappa(codes, weights)
        if np.isnan(coefficient.estimate) and not main:
            notes.append(f"{term}: kappa does not exist, as both put every unit into one category.")
            continue
        name = "kappa" if kind == "unweighted" else f"kappa_{kind}"
        weighting = "" if kind == "unweighted" else f", {kind} weights"
        author = "Cohen's kappa" if pair else "Conger's kappa of several raters"
        test: dict[str, Any] = {}
        if pair and not np.isnan(coefficient.estimate):
            test = _z_test(coefficient.estimate, spread.kappa_null_variance(shares, weights) / len(codes))
            test["std_error"] = float(np.sqrt(max(spread.kappa_variance(shares, weights), 0.0) / len(codes)))
        words = "; std_error and z test of Fleiss, Cohen and Everitt (1969)" if pair else ""
        row, note = _row(coefficient, name, f"{author}{weighting}", conf_level, words, facts | test)
        rows.append(row)
        notes += note
    if pair and main:
        rows += _homogeneity(table, facts)
    return rows, notes


def fleiss_rows(data: Ratings, conf_level: float) -> Rows:
    """Return Fleiss' kappa with its test, and the share of agreeing pairs of ratings."""
    _refuse_measurements(data)
    counts, notes = _rated_counts(data)
    notes += _rare(counts)
    weights = np.eye(len(data.values))
    facts: dict[str, Any] = {"outcome": data.outcome, "term": "all raters", "n": len(counts)}
    ratings = counts.sum(axis=1)
    coefficient = chance.fleiss_kappa(counts, weights)
    test: dict[str, Any] = {}
    words = "; std_error by linearization (Gwet 2008)"
    if not np.isnan(coefficient.estimate):
        test["std_error"] = float(np.sqrt(spread.linearized_variance(counts, weights, "fleiss")))
    if (ratings == ratings[0]).all() and not np.isnan(coefficient.estimate):
        margins = counts.sum(axis=0) / counts.sum()
        variance = spread.fleiss_null_variance(margins, len(counts), int(ratings[0]))
        test |= _z_test(coefficient.estimate, variance)
        words += ", z test of Fleiss, Nee and Landis (1979)"
    row, note = _row(coefficient, "fleiss_kappa", "Fleiss' kappa", conf_level, words, facts | test)
    return [_percent(data.codes, counts, conf_level, facts), row], notes + note


def gwet_rows(data: Ratings, conf_level: float) -> Rows:
    """Return AC1, and AC2 with linear and quadratic weights where the categories are ordered."""
    _refuse_measurements(data)
    counts, notes = _rated_counts(data)
    facts: dict[str, Any] = {"outcome": data.outcome, "term": "all raters", "n": len(counts)}
    size = len(data.values)
    if size < 2:
        raise SwevalError(
            "all ratings fall into one category, and scale does not say which others there were.",
            where=WHERE,
            fix='Name all categories of the form: scale=(0, 1), or scale=["no", "yes"].',
        )
    if not data.declared:
        notes.append(
            f"{CHECK}AC1 and AC2 count the categories of the form: {size} occur in the data and were taken. If the "
            "form has more, name them with scale."
        )
    rows = [_percent(data.codes, counts, conf_level, facts)]
    for kind in ("unweighted", "linear", "quadratic") if data.ordered and size > 2 else ("unweighted",):
        weights = _weights(data, kind)
        coefficient = chance.gwet_ac(counts, weights)
        error = {"std_error": float(np.sqrt(spread.linearized_variance(counts, weights, "gwet")))}
        name = "gwet_ac1" if kind == "unweighted" else f"gwet_ac2_{kind}"
        title = "Gwet's AC1" if kind == "unweighted" else f"Gwet's AC2, {kind} weights"
        words = "; std_error by linearization (Gwet 2008)"
        row, note = _row(coefficient, name, title, conf_level, words, facts | error)
        rows.append(row)
        notes += note
    if len(rows) > 2 and len(counts) < _UNITS_FOR_AC2:
        notes.append(
            f"{CHECK}AC2 of {len(counts)} units is on average too high, and its interval too narrow; it needs about "
            f"{_UNITS_FOR_AC2} units."
        )
    return rows, notes


def krippendorff_rows(data: Ratings, conf_level: float, rng: np.random.Generator | None) -> Rows:
    """Return Krippendorff's alpha at every level of measurement that the ratings allow."""
    if data.codes.size and len(data.codes) * len(data.values) > _LARGEST:
        raise SwevalError(
            f"{len(data.codes)} units with {len(data.values)} different ratings are too many for alpha.",
            where=WHERE,
            fix='Round the ratings, or use kind="icc".',
        )
    counts, notes = _rated_counts(data, paired=True)
    used = counts.sum(axis=0) > 0
    counts, values = counts[:, used], data.values[used]
    notes += _rare(counts)
    facts: dict[str, Any] = {"outcome": data.outcome, "term": "all raters", "n": len(counts)}
    levels = ["nominal"] if len(values) ** 2 <= _LARGEST else []
    if data.ordered and len(counts) * len(values) ** 2 <= _LARGEST:
        levels.append("ordinal")
    if data.numeric:
        levels.append("interval")
        if values[0] >= 0 and len(values) ** 2 <= _LARGEST:
            levels.append("ratio")
        else:
            notes.append("No alpha for ratios: some ratings are below zero, or too many differ.")
    if not data.ordered:
        notes.append("The ratings are text without an order, so alpha is nominal; give scale=[...], lowest first.")
    rows = []
    for level in levels:
        coefficient = chance.krippendorff_alpha(counts, values, level)
        title = f"Krippendorff's alpha, {level} differences"
        row, note = _row(coefficient, f"krippendorff_alpha_{level}", title, conf_level, "", facts)
        if rng is not None and row.conf_low is not None and row.estimate < 1:
            row = _bootstrapped(row, coefficient, title, conf_level, rng)
        rows.append(row)
        notes += note
    if len(levels) > 1:
        notes.append(
            "Alpha is given for each level of measurement. Which one counts follows from what the codes mean (nominal: "
            "names; ordinal: ranks; interval: equal steps; ratio: a true zero), not from which is highest."
        )
    return rows, notes


def _bootstrapped(
    row: Estimate, coefficient: chance.Coefficient, title: str, conf_level: float, rng: np.random.Generator
) -> Estimate:
    """Return the row with standard error and interval from samples of units with replacement."""
    import dataclasses

    drawn = spread.bootstrap_draws(coefficient, _DRAWS, rng)
    found = drawn[~np.isnan(drawn)]
    tail = (1 - conf_level) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return dataclasses.replace(
        row,
        std_error=float(found.std(ddof=1)),
        conf_low=float(low),
        conf_high=float(high),
        df=None,
        method=f"{title}; percentile interval and standard error of {len(found)} bootstrap samples of units",
    )


def _row(
    coefficient: chance.Coefficient, measure: str, title: str, conf_level: float, words: str, facts: dict[str, Any]
) -> tuple[Estimate, list[str]]:
    """Return the row of a coefficient with the interval that its leave-one-out values allow."""
    estimate, units = coefficient.estimate, len(coefficient.features)
    if np.isnan(estimate):
        raise DataError(
            f"{title} does not exist: every rating falls into one category, so only agreement was to be expected.",
            where=WHERE,
            fix="Report the share of agreement; rate units that differ to learn about the raters.",
        )
    facts = {"conf_level": conf_level, **facts}
    if estimate > 1 - 1e-12:
        facts.pop("std_error", None)
        low, high = spread.perfect_interval(units, coefficient.expected, conf_level)
        method = f"{title}; perfect agreement, lower limit from the exact bound on units with a disagreement"
        return Estimate(measure=measure, estimate=1.0, conf_low=low, conf_high=high, method=method, **facts), []
    left_out = spread.leave_one_out(coefficient) if units > 2 else np.array([np.nan])
    error = spread.jackknife_error(left_out) if not np.isnan(left_out).any() else 0.0
    if not error > 1e-12 or estimate < -1 + 1e-12:
        note = (
            f"{CHECK}{measure} ({facts['term']}) has no interval: it hangs on single units, as a rater (or all) "
            "used nearly one category only. Rate more units that differ."
        )
        return _bare(facts, measure, estimate, f"{title}; no interval{words}"), [note]
    low, high = spread.fisher_interval(estimate, error, units - 1, conf_level)
    row = Estimate(
        measure=measure,
        estimate=estimate,
        conf_low=low,
        conf_high=high,
        df=float(units - 1),
        method=f"{title}; {_INTERVAL}{words}",
        **{"std_error": error, **facts},
    )
    return row, []


def _bare(facts: dict[str, Any], measure: str, estimate: float, method: str) -> Estimate:
    kept = {key: value for key, value in facts.items() if key not in {"std_error", "conf_level"}}
    return Estimate(measure=measure, estimate=estimate, method=method, **kept)


def _percent(codes: NDArray[np.int64], counts: Array, conf_level: float, facts: dict[str, Any]) -> Estimate:
    """Return the share of equal ratings among pairs of ratings, with Wilson's interval for two raters."""
    paired = counts.sum(axis=1) >= 2
    agreeing = chance.pair_agreement(counts, np.eye(counts.shape[1]))[paired]
    share, units = float(agreeing.mean()), int(paired.sum())
    if codes.shape[1] > 2:
        error = float(agreeing.std(ddof=1) / np.sqrt(units))
        known: dict[str, Any] = {}
        if error > 0 and 0 < share < 1:
            low, high = spread.logit_interval(share, error, units - 1, conf_level)
            known = {
                "std_error": error,
                "conf_low": low,
                "conf_high": high,
                "conf_level": conf_level,
                "df": units - 1.0,
            }
        return Estimate(
            measure="percent_agreement",
            estimate=share,
            method="share of equal ratings among pairs of ratings of a unit, not corrected for chance; t interval over "
            "units on the logit scale",
            **{**facts, "n": units, **known},
        )
    low, high = spread.wilson_interval(share, units, conf_level)
    return Estimate(
        measure="percent_agreement",
        estimate=share,
        conf_low=low,
        conf_high=high,
        conf_level=conf_level,
        method="share of units with equal ratings, not corrected for chance; interval of Wilson (1927)",
        **{**facts, "n": units},
    )


def _homogeneity(table: Array, facts: dict[str, Any]) -> list[Estimate]:
    """Return the test that two raters use the categories equally often, where they could differ in that."""
    chi_square, df = spread.marginal_homogeneity(table)
    if df == 0:
        return []
    return [
        Estimate(
            measure="marginal_homogeneity",
            estimate=chi_square,
            statistic=chi_square,
            df=float(df),
            p_value=float(special.chdtrc(df, chi_square)),
            method="chi-square: do both raters use the categories equally often (Stuart 1955, Maxwell 1970)",
            **facts,
        )
    ]


def _z_test(estimate: float, variance: float) -> dict[str, Any]:
    """Return the fields of the test of agreement by chance; none where chance leaves nothing to vary."""
    if not variance > 0:
        return {}
    z = estimate / np.sqrt(variance)
    return {"statistic": float(z), "p_value": float(2 * special.ndtr(-abs(z))), "null": 0.0}


def _rare(counts: Array) -> list[str]:
    """Return a note if nearly every unit lies in the commonest category."""
    commonest = int(counts.sum(axis=0).argmax())
    other = int((counts.sum(axis=1) > counts[:, commonest]).sum())
    if not 0 < other < _UNITS_OFF_THE_COMMONEST:
        return []
    return [
        f"{CHECK}only {other} of {len(counts)} units have a rating outside the commonest category, so the coefficients "
        'hang on these and their intervals are rough. Rate more units that differ, or see kind="gwet".'
    ]


def _refuse_measurements(data: Ratings) -> None:
    if len(data.values) > _MOST_CATEGORIES:
        raise SwevalError(
            f"the ratings have {len(data.values)} different values, so they are no categories.",
            where=WHERE,
            fix='Use kind="icc" or kind="krippendorff" for measurements.',
        )


def _weights(data: Ratings, kind: str) -> Array:
    return chance.agreement_weights(data.values, kind if len(data.values) > 1 else "unweighted")


def _complete(data: Ratings) -> tuple[NDArray[np.int64], list[str]]:
    """Return the units that all raters rated, and a note on the others."""
    notes = complete_notes(data, 2, 'Use kind="krippendorff", kind="gwet" or kind="fleiss", which allow for gaps.')
    return data.codes[data.complete], notes


def _rated_counts(data: Ratings, *, paired: bool = False) -> tuple[Array, list[str]]:
    """Return the counts of units with a rating (or two), and a note on those with fewer than two."""
    counts = chance.category_counts(data.codes, len(data.values))
    ratings = counts.sum(axis=1)
    if (ratings >= 2).sum() < 2:
        raise DataError(
            f"{int((ratings >= 2).sum())} units have two ratings.", where=WHERE, fix="At least two units need two."
        )
    notes = list(data.notes)
    few = int((ratings < 2).sum())
    if few:
        counted = "are left out" if paired else "count only in how often each category is used"
        notes.append(f"{few} of {len(ratings)} units have fewer than two ratings and {counted}.")
    return counts[ratings >= (2 if paired else 1)], notes
