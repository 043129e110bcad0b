"""Rows and notes of a fitted mixed model: coefficients and joint tests, and what a reader must know of the fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sweval.errors import DesignError
from sweval.models.base.grouping import Grouping, highest
from sweval.models.base.mixed_data import MixedData
from sweval.models.base.mixed_design import RandomPart
from sweval.models.base.rows import Facts, coefficient_rows, wald_row
from sweval.models.base.values import counted
from sweval.models.engine.mixed.fit import Df, MixedFit
from sweval.models.engine.sandwich import ContrastTest
from sweval.result import CHECK, Estimate

FEW_UNITS = 20
"""Below this many units Kenward-Roger stands beside Satterthwaite."""
FEWEST_AT_ZERO = 6
"""From this many units on Satterthwaite's tests hold where the variance between them is zero; below, Kenward-Roger."""
BESIDE = "_kenward_roger"
"""Ends the measure of rows that repeat a test with Kenward and Roger's adjustment."""
TESTED_BY: dict[Df, str] = {"satterthwaite": "Satterthwaite df", "kenward-roger": "Kenward-Roger standard error and df"}
_F_WORDS: dict[Df, str] = {"satterthwaite": "Satterthwaite", "kenward-roger": "Kenward-Roger"}
_ROUGH_DF = 4
_FAR = 5
"""How many ranges of a column zero lies away when an intercept no longer describes the data."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Inference:
    """How the fixed effects are tested.

    Parameters
    ----------
    df
        Method of the rows; None where no test is right.
    beside
        Whether Kenward-Roger is shown as well.
    notes
        Why another method than asked for was used.
    """

    df: Df | None
    beside: bool
    notes: tuple[str, ...]


def inference_of(fit: MixedFit, groupings: Sequence[Grouping], asked: Df) -> Inference:
    """Choose the tests: as asked for, but no Satterthwaite on a boundary for which its df are not known."""
    smallest = min((groupings[k] for k in highest(groupings)), key=lambda own: own.units)
    return inference_for(fit, smallest.units, smallest.name, asked)


def inference_for(fit: MixedFit, units: int, name: str, asked: Df) -> Inference:
    """Choose the tests of a model whose highest factor has this many units."""
    if asked == "kenward-roger":
        return Inference(df=asked, beside=False, notes=())
    if not fit.any_singular:
        if units >= FEW_UNITS or not fit.reml:
            return Inference(df=asked, beside=False, notes=())
        note = (
            f'With {units} "{name}", fewer than {FEW_UNITS}, the tests of Kenward and Roger stand '
            f'beside those of Satterthwaite, with "{BESIDE}" after the measure; neither is '
            "always the more cautious."
        )
        return Inference(df=asked, beside=True, notes=(note,))
    if fit.one_zero is not None and units >= FEWEST_AT_ZERO:
        note = (
            "A variance is estimated at zero. The df of the tests count with an estimate that cannot be negative "
            "(Self & Liang 1987)"
        )
        if not fit.reml:
            return Inference(df="satterthwaite", beside=False, notes=(f"{note}.",))
        note += f'; Kenward and Roger\'s tests stand beside them, with "{BESIDE}" after the measure.'
        return Inference(df="satterthwaite", beside=True, notes=(note,))
    if not fit.reml:
        note = (
            "As a variance is estimated at the edge of what is possible, Satterthwaite's df would be wrong, and "
            'Kenward-Roger needs REML: coefficients stand without tests. Use method="REML" for them.'
        )
        return Inference(df=None, beside=False, notes=(note,))
    note = (
        "Kenward-Roger's tests are used instead of Satterthwaite's, whose df are wrong with so few units, or where "
        "more than one variance or a correlation is estimated at the edge of what is possible."
    )
    return Inference(df="kenward-roger", beside=False, notes=(note,))


def fixed_rows(fit: MixedFit, data: MixedData, facts: Facts, tests: Inference) -> tuple[list[Estimate], list[str]]:
    """Return rows of the coefficients and of joint tests, and notes on tests that cannot be had."""
    names = tuple(data.design.names[k] for k in fit.kept)
    how = "REML" if fit.reml else "ML"
    notes: list[str] = []
    if tests.df is None:
        return coefficient_rows(facts, names, _untested(fit), method=how), notes
    rows: list[Estimate] = []
    for df in [tests.df] + (["kenward-roger"] if tests.beside else []):
        beside = bool(rows)
        try:
            found = fit.contrasts(np.eye(len(names)), df)
        except DesignError as error:
            notes.append(f"No {_F_WORDS[df]} tests: {error.what}")
            if not beside:
                return coefficient_rows(facts, names, _untested(fit), method=how), notes
            continue
        usable = tuple(_checked(test) for test in found)
        own = coefficient_rows(facts, names, usable, method=f"{how}, {TESTED_BY[df]}")
        own += _joint_rows(fit, data, facts, df, notes)
        rows += [replace(row, measure=row.measure + BESIDE) for row in own] if beside else own
        if not beside:
            notes += _notes_on_df(names, usable)
    return rows, notes


def notes_on_fit(fit: MixedFit, data: MixedData) -> list[str]:
    """Return what a reader must know of the fit: units, columns left out, boundaries, a search without an end."""
    parts = data.design.random
    units = " and ".join(f'{part.units} "{part.name}"' for part in parts)
    notes = [f"Random effects of {units}; {counted(fit.n, 'row')}."] if parts else []
    for part in parts:
        above = "/".join(part.columns[:-1])
        if len(part.columns) > 1 and all(set(other.columns) != set(part.columns[:-1]) for other in parts):
            notes.append(f'"{part.name}" stands without "{above}", so nothing is said to vary between "{above}".')
        notes += _far_intercept(part, data)
    for k in fit.aliased:
        name, values = data.design.names[k], data.X[:, k]
        why = (
            "has the same value in all rows" if values.min() == values.max() else "adds nothing to the terms before it"
        )
        notes.append(f'"{name}" {why} and was left out.')
    for part, edge, covariance in zip(parts, fit.singular, fit.covariances, strict=True):
        if edge:
            flat = len(part.names) == 1 or not np.diag(covariance).any()
            what = "is estimated at zero" if flat else "has a variance of zero or a correlation of 1 or -1"
            notes.append(
                f'What varies between "{part.name}" {what}: the data show less variation than the model allows.'
            )
    if not fit.converged:
        notes.append(
            f"{CHECK}the search for the best fit did not end well (remaining slope {fit.gradient:.1g}, which should be "
            "below 0.0001). Do not use these numbers as they are; leave out a random term, or rescale a column."
        )
    return notes


def _far_intercept(part: RandomPart, data: MixedData) -> list[str]:
    """Return a note where a slope is on years or the like: what varies at zero is then far outside the data."""
    slopes = [term[0] for term in part.terms if len(term) == 1 and term[0] in data.design.read.numeric]
    far = []
    for name in slopes if "(Intercept)" in part.names else []:
        values = data.design.read.numeric[name]
        if np.abs(values).min() > _FAR * np.ptp(values) > 0:
            far.append(name)
    return [
        f'The (Intercept) of "{part.name}" is what varies at "{name}" = 0, far from the data: read its standard '
        f'deviation and correlation with care, or count "{name}" from its first value.'
        for name in far
    ]


def _untested(fit: MixedFit) -> tuple[ContrastTest, ...]:
    return tuple(
        ContrastTest(estimate=float(b), std_error=np.nan, df=np.nan, statistic=np.nan, p_value=np.nan)
        for b in fit.coefficients
    )


def _checked(test: ContrastTest) -> ContrastTest:
    """Return a test without its numbers where df are none."""
    if np.isfinite(test.df) and test.df > 0 and np.isfinite(test.std_error):
        return test
    return replace(test, std_error=np.nan, df=np.nan, statistic=np.nan, p_value=np.nan)


def _notes_on_df(names: Sequence[str], tests: Sequence[ContrastTest]) -> list[str]:
    lost = [name for name, test in zip(names, tests, strict=True) if np.isnan(test.df)]
    few = [name for name, test in zip(names, tests, strict=True) if test.df < _ROUGH_DF - 0.05]
    notes = [f"No degrees of freedom, so no test, for {', '.join(lost)}."] if lost else []
    return notes + (
        [f"Fewer than {_ROUGH_DF} degrees of freedom for {', '.join(few)}: take these p-values as rough."]
        if few
        else []
    )


def _joint_rows(fit: MixedFit, data: MixedData, facts: Facts, df: Df, notes: list[str]) -> list[Estimate]:
    """Return the joint test of every term with several columns."""
    terms = [data.design.terms[k] for k in fit.kept]
    rows = []
    for term in dict.fromkeys(terms):
        columns = [k for k, own in enumerate(terms) if own == term]
        if len(columns) < 2:
            continue
        name = ":".join(term)
        try:
            test = fit.joint(np.eye(len(terms))[columns], df)
        except DesignError as error:
            notes.append(f"No joint test of {name}: {error.what}")
            continue
        if not (np.isfinite(test.df_denominator) and test.df_denominator > 0):
            notes.append(f"No joint test of {name}: it has no degrees of freedom.")
            continue
        rows.append(wald_row(facts, name, test, method=_F_WORDS[df], at=data.design.where_tested(term)))
    return rows
