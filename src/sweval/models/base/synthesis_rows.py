"""Rows of a synthesis: means, coefficients, joint tests, heterogeneity and prediction intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri, stdtrit

from sweval.errors import DesignError
from sweval.models.base.rows import Facts, wald_row
from sweval.models.base.synthesis_data import SIDE
from sweval.models.base.synthesis_fit import Fitted, Level
from sweval.models.base.terms import Read, Term, term_columns
from sweval.models.engine.ols import Array
from sweval.models.engine.sandwich import ContrastTest
from sweval.result import CHECK, SERVICES, Estimate

_FEW = 4.0
"""Degrees of freedom below which Satterthwaite's approximation is poor (Tipton 2015)."""
_NO_T = ("prediction", "q", "selection_weight")
"""Measures whose df are those of another row, or of a chi-square test."""
MEAN, DIFFERENCE, PREDICTION = "mean_effect", "difference_in_effects", "prediction"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A mean that is wanted: what to call it, its weights on the coefficients, and the effects it is the mean of."""

    term: str
    weights: Array
    level: str | None
    column: str | None
    effects: int
    studies: int


def mean_targets(fitted: Fitted, read: Read, terms: Sequence[Term]) -> list[Target]:
    """Return the overall mean, or the mean at every level of every categorical moderator.

    The other moderators are as in the effects on average. Means that the data do not identify are not there.
    """
    effects, kept = fitted.effects, fitted.model.kept
    X, k = fitted.encoded.X, len(effects.y)
    if not terms:
        return [
            Target(
                term="(Intercept)", weights=np.ones(1), level=None, column=None, effects=k, studies=len(effects.studies)
            )
        ]
    found = []
    for name, (labels, codes) in read.coded.items():
        for number, label in enumerate(labels):
            coded = {**read.coded, name: (labels, np.full(k, number, dtype=np.intp))}
            columns = term_columns(terms, read.numeric, coded, rows=k)
            weights = np.array([column.mean() for _, _, column in columns])
            if not _identified(weights, X, kept):
                continue
            at = codes == number
            found.append(
                Target(
                    term=f"{name}[{label}]", weights=weights[list(kept)], level=label, column=name,
                    effects=int(at.sum()), studies=len(np.unique(effects.study[at])),
                )
            )  # fmt: skip
    if not found:  # numbers only: the mean of effects that are average in them
        weights = X.mean(axis=0)[list(kept)]
        found.append(
            Target(
                term="at average moderators", weights=weights, level=None, column=None, effects=k,
                studies=len(effects.studies),
            )
        )  # fmt: skip
    return found


def _identified(weights: Array, X: Array, kept: Sequence[int]) -> bool:
    """Tell whether a mean does not depend on how columns that add nothing are resolved."""
    rest = [k for k in range(X.shape[1]) if k not in kept]
    if not rest:
        return True
    relation = np.linalg.lstsq(X[:, list(kept)], X[:, rest], rcond=None)[0]
    return bool(np.allclose(weights[list(kept)] @ relation, weights[rest], atol=1e-6))


def tested_row(facts: Facts, term: str, measure: str, test: ContrastTest, *, method: str, **more: object) -> Estimate:
    """Return the row of a tested number with its interval; without df only the estimate."""
    if np.isnan(test.df):
        return facts.row(term, measure, test.estimate, method=method, **more)
    reach = quantile(test.df, facts.conf_level) * test.std_error
    return facts.row(
        term,
        measure,
        test.estimate,
        method=method,
        std_error=test.std_error,
        conf_low=test.estimate - reach,
        conf_high=test.estimate + reach,
        conf_level=facts.conf_level,
        statistic=test.statistic,
        df=test.df,
        p_value=test.p_value,
        null=0.0,
        **more,
    )


def quantile(df: float, conf_level: float) -> float:
    """Return the two-sided quantile of t; of the normal distribution at infinite df."""
    return float(ndtri((1 + conf_level) / 2) if np.isinf(df) else stdtrit(df, (1 + conf_level) / 2))


def mean_rows(fitted: Fitted, targets: Sequence[Target], facts: Facts) -> list[Estimate]:
    """Return each mean, and below it the prediction interval for the true effect of a new study."""
    rows = []
    for target, test in zip(targets, fitted.tests(np.array([t.weights for t in targets])), strict=True):
        own = {"n": target.effects, "clusters": target.studies, "service": _service(target, facts)}
        metric = fitted.effects.metric
        row = tested_row(facts, target.term, MEAN, test, method=fitted.method, metric=metric, **own)
        rows.append(row)
        spread = fitted.spread(target.level)
        if fitted.plan.method == "EE" or np.isnan(test.df) or np.isnan(spread):
            continue
        reach = quantile(test.df, facts.conf_level) * float(np.sqrt(test.std_error**2 + spread))
        rows.append(
            replace(
                row, measure=PREDICTION, std_error=None, statistic=None, p_value=None, null=None, metric=None,
                conf_low=test.estimate - reach, conf_high=test.estimate + reach,
                method=f"interval for the true effect of a new study; {fitted.method}",
            )
        )  # fmt: skip
    return rows


def _service(target: Target, facts: Facts) -> str | None:
    """Return the service type that a mean belongs to."""
    return target.level if target.column == "service" and target.level in SERVICES else facts.service


def coefficient_and_joint_rows(fitted: Fitted, terms: Sequence[Term], facts: Facts, notes: list[str]) -> list[Estimate]:
    """Return the coefficients of a model with moderators, and its joint tests."""
    if not terms:
        return []
    p = len(fitted.names)
    tests = fitted.tests(np.eye(p))
    rows = [
        tested_row(facts, name, "coefficient", test, method=fitted.method)
        for name, test in zip(fitted.names, tests, strict=True)
    ]
    held = [fitted.encoded.terms[k] for k in fitted.model.kept]
    slopes = [k for k, term in enumerate(held) if term]
    several = {":".join(term): [k for k in slopes if held[k] == term] for term in dict.fromkeys(held) if term}
    tested = {name: columns for name, columns in several.items() if 1 < len(columns) < len(slopes)}
    if len(slopes) > 1:
        tested["all moderators"] = slopes
    for name, columns in tested.items():
        rows += joint_row(fitted, name, np.eye(p)[columns], facts, notes)
    return rows


def joint_row(fitted: Fitted, name: str, weights: Array, facts: Facts, notes: list[str]) -> list[Estimate]:
    """Return a joint test, or none with a note on why."""
    try:
        test = fitted.joint(weights)
    except DesignError as error:
        notes.append(f"No joint test of {name}: {error.what}")
        return []
    if np.isnan(test.p_value):
        notes.append(f"No joint test of {name}: too few studies tell its levels apart.")
        return []
    return [wald_row(facts, name, test, method=fitted.joint_name)]


def heterogeneity_rows(fitted: Fitted, levels: Sequence[Level], facts: Facts) -> list[Estimate]:
    """Return Q, the variance components, and I squared of each level and of all."""
    model, rows = fitted.model, list[Estimate]()
    if fitted.moment is None:
        text = "Cochran's Q, generalised to the assumed correlations; chi-square"
        test = {"statistic": model.q, "df": float(model.q_df), "p_value": model.q_p, "null": 0.0}
        rows.append(facts.row("heterogeneity", "q", model.q, method=text, **test))
    for level in levels:
        known = np.isfinite([level.low, level.high]).all()
        how = "Q-profile interval" if fitted.robust is None and len(levels) == 1 else "profile-likelihood interval"
        limits = {"conf_low": level.low, "conf_high": level.high, "conf_level": facts.conf_level} if known else {}
        rows.append(
            facts.row(
                level.name, "tau2", level.tau2, method=f"{fitted.method}" + (f"; {how}" if known else ""), **limits
            )
        )
    shares = [(level.name, level.share) for level in levels]
    if len(shares) > 1 and fitted.plan.model != "SCE":
        shares.append(("all levels", sum(share for _, share in shares)))
    if fitted.plan.model not in ("SCE", "CORR"):
        rows += [
            facts.row(
                name, "i2", share,
                method="percent of the variance of effects that is no sampling error (typical variance of Higgins & "
                "Thompson 2002)",
            )
            for name, share in shares
        ]  # fmt: skip
    return rows


def df_notes(rows: Sequence[Estimate], *, exact: bool = False) -> list[str]:
    """Warn of tests with fewer than 4 degrees of freedom, and of means whose variation nothing shows.

    With `exact` no effect differs from the model; otherwise a mean without a standard error rests on one study.
    """
    notes = []
    few = [
        f"{row.term} ({row.measure})"
        for row in rows
        if row.measure not in _NO_T and row.df is not None and row.df < _FEW
    ]
    if few:
        notes.append(
            f"{CHECK}fewer than 4 degrees of freedom for {', '.join(dict.fromkeys(few))}: p-values and intervals are "
            "rough, whatever they say; more studies are needed."
        )
    lonely = [row.term for row in rows if row.std_error is None and row.measure in (MEAN, DIFFERENCE, "coefficient")]
    if lonely and exact:
        notes.append(
            f"{CHECK}no standard errors: all effects are what the model says, to the last digit, so nothing shows how "
            "much they vary. Was a column filled with one number, or a mean copied to every row?"
        )
    elif lonely:
        notes.append(
            f"{CHECK}no standard error for {', '.join(dict.fromkeys(lonely))}: in this model it rests on one study, "
            "and no other shows how much it varies."
        )
    return notes


def side_of(level: str | None, column: str | None) -> str | None:
    """Return direct or indirect for a level of the service type or the side itself."""
    if column == SIDE:
        return level
    return SERVICES.get(level or "")
