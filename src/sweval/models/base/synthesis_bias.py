"""Small-study effects and publication bias of a synthesis: what the effects would be without the small or the lucky."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sweval.errors import DesignError
from sweval.models.base.rows import Facts
from sweval.models.base.synthesis_fit import Fitted, fit_working_model, sampling_of
from sweval.models.base.synthesis_rows import df_notes, quantile, tested_row
from sweval.models.base.terms import Encoded
from sweval.models.engine.meta.bias import selection_model, trim_and_fill
from sweval.models.engine.meta.heterogeneity import ESTIMATORS, Estimator
from sweval.models.engine.meta.summaries import aggregate
from sweval.models.engine.ols import Array
from sweval.models.engine.sandwich import ContrastTest
from sweval.result import CHECK, Estimate, Result

EGGER, PET, PEESE, CHOSEN = "egger", "mean_effect_pet", "mean_effect_peese", "mean_effect_pet_peese"
FILLED, MISSING = "mean_effect_trim_and_fill", "missing_effects"
SELECTED, WEIGHT = "mean_effect_selection", "selection_weight"

_FEW_STUDIES = 10
_ONE_SIDED = 0.10
"""Two-sided p of PET below which PEESE is taken: a one-sided test at .05 (Stanley & Doucouliagos 2014)."""


@dataclass(frozen=True, kw_only=True)
class Composites:
    """One effect per study, for methods that need independent effects."""

    y: Array
    v: Array


def composites(fitted: Fitted) -> Composites:
    """Return the effects of each study averaged under the assumed correlations."""
    y, v, _ = aggregate(fitted.effects.y, sampling_of(fitted.effects, fitted.plan), fitted.effects.study)
    return Composites(y=y, v=v)


def bias_rows(fitted: Fitted, facts: Facts) -> Result:
    """Return every check on bias; see `SynthesisResult.bias`."""
    rows: list[Estimate] = []
    notes: list[str] = []
    studies = len(fitted.effects.studies)
    if studies < _FEW_STUDIES:
        notes.append(
            f"{CHECK}with {studies} studies no check on bias can find much; that nothing is found does not mean that "
            "nothing is there."
        )
    if fitted.exact:
        notes.append("All effects are what the model says, to the last digit, so there is no funnel to look at.")
        return Result(estimates=(), notes=tuple(notes))
    rows += _regressions(fitted, facts, notes)
    if len(fitted.names) > 1:
        notes.append("Trim and fill and the selection model leave the moderators out.")
    one = composites(fitted)
    sign = 1.0 if float(np.average(one.y, weights=1 / one.v)) >= 0 else -1.0
    for make in (_filled, _selected):
        try:
            rows += make(fitted, one, sign, facts)
        except DesignError as error:
            notes.append(error.what[0].upper() + error.what[1:])
    rows = [replace(row, outcome=row.outcome or None) for row in rows]
    return Result(estimates=tuple(rows), notes=(*notes, *df_notes(rows)))


def _regressions(fitted: Fitted, facts: Facts, notes: list[str]) -> list[Estimate]:
    """Return Egger's test, PET, PEESE and the one of the two that the rule takes."""
    effects, plan = fitted.effects, fitted.plan
    rows, means = [], {}
    for measure, predictor in ((PET, np.sqrt(effects.w)), (PEESE, effects.w)):
        if np.ptp(predictor) <= 1e-9 * predictor.max():
            notes.append("All effects are equally precise, so nothing tells small studies from large ones.")
            return []
        X = np.column_stack([fitted.encoded.X[:, list(fitted.model.kept)], predictor])
        names = (*fitted.names, "standard error")
        terms = (*(fitted.encoded.terms[k] for k in fitted.model.kept), ("standard error",))
        encoded = Encoded(X=X, names=names, terms=terms, levels={}, numeric={}, notes=())
        try:
            model = fit_working_model(effects, encoded, plan)
        except DesignError as error:
            notes.append(f"No regression on precision: {error.what}")
            return []
        if len(model.names) < len(names):
            notes.append("Precision goes together with the moderators, so it cannot be looked at by itself.")
            return []
        at_zero = np.append(X[:, :-1].mean(axis=0), 0.0)
        slope, mean = model.tests(np.array([np.eye(len(names))[-1], at_zero]))
        means[measure] = mean
        if measure == PET:
            text = f"Egger's test: slope on the standard error; {model.method}"
            rows.append(tested_row(facts, "standard error", EGGER, slope, method=text))
        kind = "standard error" if measure == PET else "variance"
        text = f"mean of effects regressed on their {kind}, at {kind} 0; {model.method}"
        rows.append(tested_row(facts, "(Intercept)", measure, mean, method=text))
    chosen = PEESE if means[PET].p_value < _ONE_SIDED and means[PET].estimate * _sign(fitted) > 0 else PET
    text = (
        f"PET-PEESE: {'PEESE, as PET finds an effect' if chosen == PEESE else 'PET, as it finds no effect'} at "
        "one-sided .05; unreliable where effects vary much or studies are few"
    )
    return [*rows, tested_row(facts, "(Intercept)", CHOSEN, means[chosen], method=text)]


def _sign(fitted: Fitted) -> float:
    """Return the direction of the effects on average."""
    return 1.0 if float(np.average(fitted.effects.y, weights=1 / fitted.effects.v)) >= 0 else -1.0


def _filled(fitted: Fitted, one: Composites, sign: float, facts: Facts) -> list[Estimate]:
    """Return trim and fill of one composite per study."""
    method: Estimator = fitted.plan.method if fitted.plan.method in ESTIMATORS else "REML"
    found = trim_and_fill(one.y, one.v, side="left" if sign > 0 else "right", method=method)
    test = ContrastTest(
        estimate=float(found.fit.coefficients[0]), std_error=float(found.fit.std_errors[0]), df=found.fit.df,
        statistic=float(found.fit.statistics[0]), p_value=float(found.fit.p_values[0]),
    )  # fmt: skip
    text = f"exploratory: trim and fill (L0) of one composite per study, {found.missing} filled in on the {found.side}"
    own = {"n": len(one.y) + found.missing, "clusters": len(one.y)}
    return [
        tested_row(facts, "(Intercept)", FILLED, test, method=f"{text}; Knapp-Hartung t test", **own),
        facts.row("studies", MISSING, float(found.missing), method=text, n=len(one.y), clusters=len(one.y)),
    ]


def _selected(fitted: Fitted, one: Composites, sign: float, facts: Facts) -> list[Estimate]:
    """Return the selection model of one composite per study."""
    found = selection_model(sign * one.y, one.v)
    text = (
        "three-parameter selection model of one composite per study: effects with one-sided p above .025 are seen less "
        f"often; {found.significant} of {len(one.y)} are below"
    )
    own = {"n": len(one.y), "clusters": len(one.y)}
    z = found.estimate / found.std_error
    test = ContrastTest(
        estimate=sign * found.estimate, std_error=found.std_error, df=np.inf, statistic=sign * z,
        p_value=float(2 * _upper(abs(z))),
    )  # fmt: skip
    mean = tested_row(facts, "(Intercept)", SELECTED, test, method=f"{text}; z test", **own)
    reach = quantile(np.inf, facts.conf_level) * found.weight_error
    known = np.isfinite(found.weight_error)
    weight = facts.row(
        "p above .025", WEIGHT, found.weight,
        method=f"relative chance of being seen; {text}; likelihood-ratio test of no selection",
        std_error=found.weight_error if known else None,
        conf_low=max(found.weight - reach, 0.0) if known else None,
        conf_high=found.weight + reach if known else None,
        conf_level=facts.conf_level if known else None,
        statistic=found.statistic, df=1.0, p_value=found.p_value, null=1.0, **own,
    )  # fmt: skip
    return [mean, weight]


def _upper(z: float) -> float:
    from scipy.special import ndtr

    return float(ndtr(-z))
