"""The mixed model of a comparison of two arms: its arrays, its tests, and what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sweval.errors import DesignError
from sweval.models.base.comparison import Comparison
from sweval.models.base.grouping import Grouping
from sweval.models.base.mixed_data import MixedData
from sweval.models.base.mixed_design import MixedDesign, RandomPart
from sweval.models.base.mixed_rows import BESIDE, TESTED_BY, inference_of, notes_on_fit
from sweval.models.base.rows import Facts, coefficient_rows
from sweval.models.base.sample import Codes, Sample
from sweval.models.base.terms import Read
from sweval.models.base.values import label_key
from sweval.models.engine.mixed.fit import Df, MixedFit, mixed_fit
from sweval.models.engine.mixed.model import Factor, Residual
from sweval.models.engine.sandwich import ContrastTest
from sweval.result import CHECK, Estimate, Fit

_DIFFERS = 1.5
"""How many times as large the CR2 standard error must be before the reader is asked to look."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparisonModel:
    """A fitted mixed model of a comparison, tested.

    Parameters
    ----------
    fit, data
        What was fitted, and its words.
    terms
        Names of the kept coefficients.
    place
        Number of the effect among them.
    df
        Method of the tests.
    tests
        Test of every coefficient.
    beside
        Test of the effect by Kenward and Roger where it stands beside the others.
    notes
        On fit and tests.
    """

    fit: MixedFit
    data: MixedData
    terms: tuple[str, ...]
    place: int
    df: Df
    tests: tuple[ContrastTest, ...]
    beside: ContrastTest | None
    notes: tuple[str, ...]

    @property
    def effect(self) -> ContrastTest:
        """Return the test of the effect."""
        return self.tests[self.place]

    @property
    def how(self) -> str:
        """Return the estimator and the tests in words."""
        return f"mixed model (REML), {TESTED_BY[self.df]}"

    @property
    def adjusted(self) -> bool:
        """Tell whether baseline or covariates are in the model."""
        return len(self.terms) > 2

    def rows(self, facts: Facts) -> list[Estimate]:
        """Return the coefficients, and beside that of the effect the test by Kenward and Roger."""
        rows = coefficient_rows(facts, self.terms, self.tests, method=self.how)
        if self.beside is not None:
            words = f"mixed model (REML), {TESTED_BY['kenward-roger']}"
            rows += beside_rows(facts, self.terms[self.place], self.beside, BESIDE, method=words)
        return rows

    def component_rows(self, facts: Facts) -> list[Estimate]:
        """Return the standard deviations between units and of the residuals."""
        names = [f"{part.name}: (Intercept)" for part in self.data.design.random]
        names += [f"residual: {label}" for label in self.data.classes] or ["residual"]
        variances = [*(float(found[0, 0]) for found in self.fit.covariances), *self.fit.residual_variances]
        return [
            facts.row(name, "sd", float(np.sqrt(variance)), method="mixed model (REML); MixedModel gives an interval")
            for name, variance in zip(names, variances, strict=True)
        ]

    def record(self, sample: Sample, facts: Facts, *, icc: float) -> Fit:
        """Return the row of `glance()`."""
        return Fit(
            outcome=sample.outcome,
            model=self.data.design.model,
            rows=sample.rows,
            used=sample.n,
            dropped=sample.rows - sample.n,
            clusters=facts.clusters,
            icc=icc,
            log_likelihood=self.fit.log_likelihood,
            converged=self.fit.converged,
            singular=self.fit.any_singular,
            engine="sweval mixed",
        )


def fit_comparison(
    design: Comparison,
    sample: Sample,
    units: Sequence[tuple[str, Codes]],
    *,
    by_arm: bool = False,
) -> ComparisonModel:
    """Fit outcome on arm, baseline and covariates with a random intercept for every grouping factor, and test.

    Parameters
    ----------
    design
        Names of the columns.
    sample
        The rows.
    units
        Name and codes of every grouping factor; -1 where a client is in no unit.
    by_arm
        Let each arm have a residual variance of its own.

    Raises
    ------
    DesignError
        If the model cannot be fitted, or its effect has no degrees of freedom.
    """
    data = _data(design, sample, units, by_arm=by_arm)
    fit = mixed_fit(data.y, data.X, data.factors, residual=data.residual)
    terms = tuple(data.design.names[k] for k in fit.kept)
    if design.effect_term not in terms:
        raise DesignError("the adjusters leave nothing of the arm.", fix="Adjust for fewer columns.")
    place = terms.index(design.effect_term)
    inference = inference_of(fit, data.groupings, "satterthwaite")
    df: Df = inference.df or "kenward-roger"
    tests = tuple(_usable(test) for test in fit.contrasts(np.eye(len(terms)), df))
    if np.isnan(tests[place].df):
        raise DesignError(
            "the effect has no degrees of freedom: too few units show how much it varies.",
            fix="More clusters or groups are needed; or adjust for fewer columns.",
        )
    beside, notes = None, [*notes_on_fit(fit, data), *inference.notes]
    if inference.beside:
        try:
            (beside,) = fit.contrasts(np.eye(len(terms))[place], "kenward-roger")
        except DesignError as error:
            notes = [*notes_on_fit(fit, data), f"No test by Kenward and Roger: {error.what}"]
    return ComparisonModel(
        fit=fit, data=data, terms=terms, place=place, df=df, tests=tests, beside=beside, notes=tuple(notes)
    )


def beside_rows(facts: Facts, term: str, test: ContrastTest, ending: str, *, method: str) -> list[Estimate]:
    """Return a second test of a coefficient as a row whose measure ends in `ending`."""
    (row,) = coefficient_rows(facts, (term,), (test,), method=method)
    return [replace(row, measure=row.measure + ending)]


def equal_effects_note(robust: float, model: float, cluster: str) -> str:
    """Return the note that the model takes the effect as the same in every cluster, urgent where it seems not to be.

    `robust` and `model` are the standard errors of the effect by CR2 and by the model.
    """
    said = f'the model takes the effect as the same in every "{cluster}"'
    if not robust > _DIFFERS * model:
        return f"{said[0].upper()}{said[1:]}."
    return (
        f"{CHECK}{said}, but the row coefficient_cr2, which does not, has a standard error {robust / model:.1f} times "
        f'as large. The effect seems to differ between "{cluster}": trust that row rather than hedges_g.'
    )


def _usable(test: ContrastTest) -> ContrastTest:
    """Return a test without its numbers where df are none."""
    if np.isfinite(test.df) and test.df > 0 and np.isfinite(test.std_error):
        return test
    return replace(test, std_error=np.nan, df=np.nan, statistic=np.nan, p_value=np.nan)


def _data(design: Comparison, sample: Sample, units: Sequence[tuple[str, Codes]], *, by_arm: bool) -> MixedData:
    """Return the arrays of the model, with their names."""
    arms = sample.arms(where=design.where).astype(np.intp)
    adjusters, labels = sample.adjusters
    one = np.ones((sample.n, 1))
    groupings, parts, random = [], [], []
    for name, codes in units:
        keys = (tuple(str(unit) for unit in range(int(codes.max()) + 1)),)
        groupings.append(Grouping(columns=(name,), codes=codes, keys=keys))
        parts.append(RandomPart(name=name, columns=(name,), keys=keys, names=("(Intercept)",), terms=((),)))
        effects = f"0 + {design.effect_term}" if (codes < 0).any() else "1"
        random.append(f"({effects} | {name})")
    baseline = [] if sample.baseline_name is None else [sample.baseline_name]
    model = " + ".join([design.arm, *baseline, *design.covariates, *random])
    names = ("(Intercept)", design.effect_term, *labels)
    return MixedData(
        y=sample.y,
        X=np.column_stack([one, arms, adjusters]).astype(float),
        factors=tuple(Factor(codes, one) for _, codes in units),
        residual=Residual(kind="by_class", classes=arms) if by_arm else Residual(),
        weights=None,
        design=MixedDesign(
            model=f"{model}; residual variance by {design.arm}" if by_arm else model,
            names=names,
            terms=tuple((name,) for name in names),
            random=tuple(parts),
            read=Read(numeric={}, coded={}, notes=()),
            rows=np.arange(sample.n),
        ),
        groupings=tuple(groupings),
        classes=(str(label_key(design.control)), str(label_key(design.treated))) if by_arm else (),
        rows=sample.rows,
        notes=(),
    )
