"""Clients in clusters: a mixed model with CR2 beside it, and what clusters do to the unit of the effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweval.effects.variance_components import pooled_sd_moments
from sweval.errors import DesignError
from sweval.models.base.comparison import Comparison, adjusted_fit
from sweval.models.base.comparison_model import beside_rows, equal_effects_note, fit_comparison
from sweval.models.base.rows import Facts, Unit, arm_rows, effect_row, interval_columns, pooled_sd
from sweval.models.base.sample import Array, Codes, Sample
from sweval.models.engine.mixed.fit import MixedFit, mixed_fit
from sweval.models.engine.mixed.icc import icc_intervals
from sweval.models.engine.mixed.model import Factor
from sweval.models.engine.ols import LeastSquares
from sweval.models.engine.sandwich import ContrastTest, cluster_covariance
from sweval.result import Estimate, Result

ROBUST = "CR2, Satterthwaite df"
CR2 = "_cr2"
"""Ends the measure of the effect by least squares with CR2, beside that of the mixed model."""
_FEW_DF = 4.0


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What clusters do to the pooled standard deviation of persons: c, nu and the ICC row."""

    c: float
    nu: float
    icc: float
    row: Estimate


def clustered_result(design: Comparison, sample: Sample, facts: Facts, *, cluster: str) -> Result:
    """Return the rows of a comparison of clients in clusters, whole clusters assigned or both arms in each."""
    clusters, treated = sample.clusters(where=design.where), sample.arms(where=design.where)
    _refuse_single_clients(clusters, cluster, where=design.where)
    line, terms, _ = adjusted_fit(sample, design.effect_term, where=design.where)
    robust = cluster_covariance(line, clusters).contrast(np.eye(len(terms))[terms.index(design.effect_term)])
    effect_test(robust, cluster, where=design.where)
    model = fit_comparison(design, sample, [(cluster, clusters)])
    if model.adjusted:
        spread = cluster_spread(sample.y, clusters, treated.astype(np.intp), facts, cluster, where=design.where)
    else:
        spread = _spread(model.fit, clusters, treated.astype(np.intp), facts, cluster)
    unit = Unit(
        sd=pooled_sd(sample.y, treated), nu=spread.nu, c=spread.c, standardizer="posttest_pooled", separate=True
    )
    whole = whole_clusters(clusters, treated)
    how = "adjusted difference" if model.adjusted else "difference"
    rows = [
        *model.rows(facts),
        *beside_rows(facts, design.effect_term, robust, CR2, method=f"least squares, {ROBUST}"),
        effect_row(
            facts,
            design.effect_term,
            model.effect,
            unit,
            method=f"Hedges g with clusters: {how} / pooled person sd of the outcome; {model.how}",
            adjusted=model.adjusted,
            level_assigned="cluster" if whole else "client",
        ),
        *arm_rows(facts, sample, design.arm, (design.control, design.treated)),
        spread.row,
        *model.component_rows(facts),
    ]
    notes = [*sample.notes, *model.notes, *few_df_note(model.effect, cluster)]
    if not whole:
        notes.append(equal_effects_note(robust.std_error, model.effect.std_error, cluster))
    return Result(estimates=tuple(rows), fits=(model.record(sample, facts, icc=spread.icc),), notes=tuple(notes))


def robust_tests(
    fit: LeastSquares, terms: Sequence[str], clusters: Codes, cluster: str
) -> tuple[tuple[ContrastTest, ...], list[str]]:
    """Return the CR2 test of every coefficient, and a note on those that rest on a single cluster."""
    tests = cluster_covariance(fit, clusters).contrasts(np.eye(len(terms)))
    lonely = [term for term, test in zip(terms, tests, strict=True) if np.isnan(test.df)]
    note = f'No standard error for {", ".join(lonely)}: in this model it rests on a single "{cluster}".'
    return tests, [note] if lonely else []


def effect_test(test: ContrastTest, cluster: str, *, where: str) -> ContrastTest:
    """Return the CR2 test of the effect, or refuse one that rests on a single cluster."""
    if np.isnan(test.df):
        raise DesignError(
            f'once the other terms are in the model, the effect rests on a single "{cluster}".',
            where=where,
            fix="Adjust for fewer columns, or use more clusters.",
        )
    return test


def few_df_note(test: ContrastTest, cluster: str) -> list[str]:
    """Return a warning where the standard error itself is poorly known."""
    if test.df >= _FEW_DF - 0.05:
        return []
    return [
        f'The standard error of the effect rests on few "{cluster}" ({test.df:.1f} degrees of freedom); '
        "take its interval and p-value as rough."
    ]


def whole_clusters(clusters: Codes, treated: NDArray[np.bool_]) -> bool:
    """Tell whether no cluster has clients in both arms."""
    return not np.intersect1d(clusters[treated], clusters[~treated]).size


def cluster_spread(values: Array, clusters: Codes, arms: Codes, facts: Facts, cluster: str, *, where: str) -> Spread:
    """Estimate the ICC within arms by REML, and from it c and nu of the pooled standard deviation of `values`."""
    _refuse_single_clients(clusters, cluster, where=where)
    one = np.ones((len(values), 1))
    X = np.column_stack([one, arms]) if arms.min() < arms.max() else one
    return _spread(mixed_fit(values, X, [Factor(clusters, one)]), clusters, arms, facts, cluster)


def _spread(fit: MixedFit, clusters: Codes, arms: Codes, facts: Facts, cluster: str) -> Spread:
    """Return the same from the fit of the values on the arms alone."""
    between, within = float(fit.covariances[0][0, 0]), fit.residual_variances[0]
    moments = pooled_sd_moments(arms, [clusters], [between], residual=within)
    (share,) = icc_intervals(fit, conf_level=facts.conf_level)
    method = "REML, within arms; exact F interval (Harville & Fenech 1985)"
    row = facts.row(cluster, "icc", share.estimate, method=method, **interval_columns(facts, share.low, share.high))
    return Spread(c=moments.c, nu=moments.nu, icc=share.estimate, row=row)


def _refuse_single_clients(clusters: Codes, cluster: str, *, where: str) -> None:
    """Refuse clusters that hold one client each."""
    if clusters.max() + 1 == len(clusters):
        raise DesignError(
            f'every "{cluster}" holds one client only, so clients are not clustered.',
            where=where,
            fix="Name the column of the agency, school or team; without one use TwoGroup (or PrePost) and no cluster.",
        )
