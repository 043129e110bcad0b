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
from sweval.models.engine.group_means import deviations
from sweval.models.engine.mixed.fit import MixedFit, mixed_fit
from sweval.models.engine.mixed.icc import icc_intervals
from sweval.models.engine.mixed.model import Factor
from sweval.models.engine.ols import LeastSquares, least_squares
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
    both, count = clusters_with_both(clusters, treated), int(clusters.max()) + 1
    # with few such clusters the effect is seen between the others, and indicators would throw that away
    inside = both >= max(2, count / 2)
    robust, way = (within_clusters if inside else _all_rows)(design, sample, cluster)
    model = fit_comparison(design, sample, [(cluster, clusters)])
    if model.adjusted:
        spread = cluster_spread(sample.y, clusters, treated.astype(np.intp), facts, cluster, where=design.where)
    else:
        spread = _spread(model.fit, clusters, treated.astype(np.intp), facts, cluster)
    unit = Unit(
        sd=pooled_sd(sample.y, treated), nu=spread.nu, c=spread.c, standardizer="posttest_pooled", separate=True
    )
    how = "adjusted difference" if model.adjusted else "difference"
    rows = [
        *model.rows(facts),
        *beside_rows(facts, design.effect_term, robust, CR2, method=way),
        effect_row(
            facts,
            design.effect_term,
            model.effect,
            unit,
            method=f"Hedges g with clusters: {how} / pooled person sd of the outcome; {model.how}",
            adjusted=model.adjusted,
            level_assigned="client" if both else "cluster",
        ),
        *arm_rows(facts, sample, design.arm, (design.control, design.treated)),
        spread.row,
        *model.component_rows(facts),
    ]
    notes = [*sample.notes, *model.notes, *few_df_note(model.effect, cluster)]
    if inside and both < count:
        notes.append(one_arm_note(count - both, count, cluster))
    if both:
        seen = robust.std_error if inside else 0.0  # only differences within clusters show whether they are alike
        notes.append(equal_effects_note(seen, model.effect.std_error, cluster))
    return Result(estimates=tuple(rows), fits=(model.record(sample, facts, icc=spread.icc),), notes=tuple(notes))


def _all_rows(design: Comparison, sample: Sample, cluster: str) -> tuple[ContrastTest, str]:
    """Return the CR2 test of the effect by least squares, and its method."""
    line, terms, _ = adjusted_fit(sample, design.effect_term, where=design.where)
    covariance = cluster_covariance(line, sample.clusters(where=design.where))
    test = covariance.contrast(np.eye(len(terms))[terms.index(design.effect_term)])
    return effect_test(test, cluster, where=design.where), f"least squares, {ROBUST}"


def within_clusters(design: Comparison, sample: Sample, cluster: str) -> tuple[ContrastTest, str]:
    """Return the CR2 test of the effect within clusters, and its method.

    The clusters' means are taken off, which equals one indicator each. Clusters with one arm do not inform the effect.

    Raises
    ------
    DesignError
        If the adjusters leave nothing of the arm, or the effect rests on a single cluster.
    """
    clusters, treated = sample.clusters(where=design.where), sample.arms(where=design.where)
    X = deviations(np.column_stack([treated.astype(float), sample.adjusters[0]]), clusters)
    fit = least_squares(deviations(sample.y[:, None], clusters)[:, 0], X)
    if 0 not in fit.kept:
        raise DesignError("the adjusters leave nothing of the arm.", fix="Adjust for fewer columns.")
    test = cluster_covariance(fit, clusters).contrast(np.eye(len(fit.kept))[0])
    return effect_test(test, cluster, where=design.where), f"least squares within {cluster}, {ROBUST}"


def clusters_with_both(clusters: Codes, treated: NDArray[np.bool_]) -> int:
    """Return how many clusters hold clients of both arms."""
    return len(np.intersect1d(clusters[treated], clusters[~treated]))


def one_arm_note(single: int, count: int, cluster: str) -> str:
    """Return a note on clusters that do not inform a comparison within clusters."""
    return f'{single} of {count} "{cluster}" have one arm only; they do not inform coefficient_cr2.'


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
    return clusters_with_both(clusters, treated) == 0


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
