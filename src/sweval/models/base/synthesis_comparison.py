"""Direct against indirect service, or any other grouping: between studies, within studies, adjusted, and in words."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sweval.errors import DesignError
from sweval.models.base.rows import Facts
from sweval.models.base.synthesis_data import SIDE, Effects
from sweval.models.base.synthesis_fit import Plan, fit_working_model
from sweval.models.base.synthesis_model import Modelled, model_effects, part_of
from sweval.models.base.synthesis_rows import DIFFERENCE, joint_row, tested_row
from sweval.models.base.terms import Encoded, Term, columns_of
from sweval.models.base.values import is_number, keyed
from sweval.models.engine.ols import Array
from sweval.result import CHECK, Estimate

if TYPE_CHECKING:
    import pandas as pd

WITHIN, ADJUSTED = "difference_within_studies", "difference_adjusted"
_MOST_PAIRS = 21
_RECORDED = ("level_assigned", "level_outcome", "standardizer", "adjusted", "design")
"""Columns of our own tables that may differ where services differ."""


def comparison_rows(
    model: Modelled,
    compare: str,
    terms: Sequence[Term],
    *,
    facts: Facts,
    reference: Mapping[str, object],
    notes: list[str],
) -> list[Estimate]:
    """Return the differences between the levels of a column: as they are, within studies, and adjusted.

    Parameters
    ----------
    model
        The model with this column alone.
    compare
        The column.
    terms
        Moderators to adjust for.
    facts
        What all rows have in common.
    reference
        Column -> reference level.
    notes
        Is added to: what the data cannot tell apart.
    """
    fitted, plan = model.fitted, model.fitted.plan
    rows = _differences(model, compare, DIFFERENCE, facts)
    levels = model.weights(compare)
    if len(levels) > 2:
        first, *others = levels.values()
        weights = np.array([other.weights - first.weights for other in others])
        rows += joint_row(fitted, f"all levels of {compare}", weights, facts, notes)
    rows += _within(fitted.effects, compare, plan, model.read.coded[compare][0], facts, notes)
    adjusters = tuple(term for term in terms if compare not in term)
    if adjusters:
        adjusted = model_effects(fitted.effects, ((compare,), *adjusters), plan, reference=reference)
        named = ", ".join(columns_of(adjusters))
        found = _differences(adjusted, compare, ADJUSTED, facts)
        rows += [replace(row, adjusted=True, method=f"adjusted for {named}; {row.method}") for row in found]
        if len(found) < len(_pairs(list(levels))):
            notes.append(
                f'{CHECK}some levels of "{compare}" cannot be told from {named}; their difference is not there.'
            )
    notes += _what_goes_together(fitted.effects, compare, columns_of(adjusters))
    return rows


def _pairs(levels: list[str]) -> list[tuple[str, str]]:
    """Return every later level with every earlier one; with many levels each with the first."""
    pairs = [(b, a) for a, b in itertools.combinations(levels, 2)]
    return pairs if len(pairs) <= _MOST_PAIRS else [(b, levels[0]) for b in levels[1:]]


def _differences(model: Modelled, compare: str, measure: str, facts: Facts) -> list[Estimate]:
    """Return the difference of the means at every two levels."""
    levels = model.weights(compare)
    pairs = _pairs(list(levels))
    if not pairs:
        return []
    tests = model.fitted.tests(np.array([levels[b].weights - levels[a].weights for b, a in pairs]))
    labels, codes = model.read.coded[compare]
    rows = []
    for (b, a), test in zip(pairs, tests, strict=True):
        at = np.isin(codes, [labels.index(b), labels.index(a)])
        own = {"n": int(at.sum()), "clusters": len(np.unique(model.fitted.effects.study[at]))}
        term = f"{compare}[{b}] - {compare}[{a}]"
        rows.append(tested_row(facts, term, measure, test, method=model.fitted.method, **own))
    return rows


def _within(
    effects: Effects, compare: str, plan: Plan, labels: Sequence[str], facts: Facts, notes: list[str]
) -> list[Estimate]:
    """Return the differences inside studies that have both levels; what else differs between studies cannot matter."""
    place = {label: number for number, label in enumerate(labels)}
    codes = np.array([place[key] for key in _keys(effects.table[compare])])
    rows = []
    for b, a in _pairs(list(labels)):
        term = f"{compare}[{b}] - {compare}[{a}]"
        inside = np.isin(codes, [labels.index(b), labels.index(a)])
        is_b = (codes == labels.index(b)).astype(float)
        count = np.bincount(effects.study[inside], minlength=len(effects.studies))
        of_b = np.bincount(effects.study[inside], is_b[inside], minlength=len(effects.studies))
        both = np.flatnonzero((of_b > 0) & (of_b < count))
        keep = inside & np.isin(effects.study, both)
        if len(both) < 2:
            held = "No study has" if not len(both) else "Only one study has"
            notes.append(f"{held} effects of both {b} and {a}, so no difference within studies can be tested.")
            continue
        part, planned = part_of(effects, plan, keep)
        try:
            rows.append(_inside_row(part, is_b[keep], planned, term, facts))
        except DesignError as error:
            notes.append(f"No difference of {b} and {a} within studies: {error.what}")
    return rows


def _inside_row(part: Effects, is_b: Array, plan: Plan, term: str, facts: Facts) -> Estimate:
    """Fit the difference within studies: the indicator less its mean in each study."""
    share = np.bincount(part.study, is_b) / np.bincount(part.study)
    X = np.column_stack([np.ones(len(is_b)), is_b - share[part.study]])
    encoded = Encoded(X=X, names=("(Intercept)", term), terms=((), (term,)), levels={}, numeric={}, notes=())
    if plan.model == "SCE":  # its subgroups are what is compared
        plan = replace(plan, model="CHE", subgroup=None)
    fitted = fit_working_model(part, encoded, plan)
    test = fitted.tests(np.array([[0.0, 1.0]]))[0]
    return tested_row(
        facts, term, WITHIN, test, method=f"within {len(part.studies)} studies that have both; {fitted.method}",
        n=len(is_b), clusters=len(part.studies),
    )  # fmt: skip


def _keys(column: pd.Series) -> list[str]:
    """Return the label of every value."""
    codes, labels, _ = keyed(column, as_label=True)
    return [labels[code] for code in codes]


def _what_goes_together(effects: Effects, compare: str, others: Sequence[str]) -> list[str]:
    """Say which other columns have values of their own at each level, so that either may be what matters."""
    notes = []
    recorded = [name for name in _RECORDED if name in effects.table and name != compare]
    levels = np.array(_keys(effects.table[compare]))
    for name in dict.fromkeys([*others, *recorded]):
        column = effects.table[name]
        if is_number(column) or column.isna().any() or (compare == SIDE and name == "service"):
            continue
        values = np.array(_keys(column))
        if len(set(values)) < 2:
            continue
        held = {level: sorted(set(values[levels == level])) for level in dict.fromkeys(levels)}
        if all(len(found) == 1 for found in held.values()):
            told = "; ".join(f"{level}: {found[0]}" for level, found in held.items())
            notes.append(
                f'{CHECK}"{compare}" and "{name}" go together in every effect ({told}), so the data cannot say which '
                "of them makes a difference."
            )
        elif not set.intersection(*(set(found) for found in held.values())):
            notes.append(
                f'{CHECK}no value of "{name}" occurs at all levels of "{compare}": a difference may be due to either.'
            )
    return notes
