"""Clients in clusters: CR2 for the difference, variance components for the unit of the effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweval.effects.variance_components import Icc, anova_icc, moment_components, pooled_sd_moments
from sweval.errors import DesignError
from sweval.models.base.comparison import Comparison, adjusted_fit
from sweval.models.base.rows import NEGATIVE, Facts, Unit, arm_rows, coefficient_rows, effect_row, icc_row, pooled_sd
from sweval.models.base.sample import Array, Codes, Sample
from sweval.models.engine.ols import LeastSquares
from sweval.models.engine.sandwich import ContrastTest, cluster_covariance
from sweval.result import Estimate, Fit, Result

ROBUST = "CR2, Satterthwaite df"
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
    fit, terms, notes = adjusted_fit(sample, design.effect_term, where=design.where)
    tests, said = robust_tests(fit, terms, sample.clusters(where=design.where), cluster)
    effect = effect_test(tests[terms.index(design.effect_term)], cluster, where=design.where)
    treated = sample.arms(where=design.where)
    whole = whole_clusters(sample.clusters(where=design.where), treated)
    spread = cluster_spread(
        sample.y, sample.clusters(where=design.where), treated.astype(np.intp), facts, cluster, where=design.where
    )
    unit = Unit(
        sd=pooled_sd(sample.y, treated),
        nu=spread.nu,
        c=spread.c,
        standardizer="posttest_pooled",
        separate=True,
    )
    adjusted = len(terms) > 2
    how = "adjusted difference" if adjusted else "difference"
    rows = [
        *coefficient_rows(facts, terms, tests, method=f"least squares, {ROBUST}"),
        effect_row(
            facts,
            design.effect_term,
            effect,
            unit,
            method=f"Hedges g with clusters: {how} / pooled person sd of the outcome; {ROBUST}",
            adjusted=adjusted,
            level_assigned="cluster" if whole else "client",
        ),
        *arm_rows(facts, sample, design.arm, (design.control, design.treated)),
        spread.row,
    ]
    record = clustered_record(sample, facts, cluster, icc=spread.icc)
    return Result(
        estimates=tuple(rows), fits=(record,), notes=(*sample.notes, *notes, *said, *few_df_note(effect, cluster))
    )


def robust_tests(
    fit: LeastSquares, terms: Sequence[str], clusters: Codes, cluster: str
) -> tuple[tuple[ContrastTest, ...], list[str]]:
    """Return the CR2 test of every coefficient, and a note on those that rest on a single cluster."""
    tests = cluster_covariance(fit, clusters).contrasts(np.eye(len(terms)))
    lonely = [term for term, test in zip(terms, tests, strict=True) if np.isnan(test.df)]
    note = f'No standard error for {", ".join(lonely)}: in this model it rests on a single "{cluster}".'
    return tests, [note] if lonely else []


def effect_test(test: ContrastTest, cluster: str, *, where: str) -> ContrastTest:
    """Return the test of the effect, or refuse one that rests on a single cluster."""
    if np.isnan(test.df):
        raise DesignError(
            f'once the other terms are in the model, the effect rests on a single "{cluster}".',
            where=where,
            fix="Adjust for fewer columns, or use more clusters.",
        )
    return test


def few_df_note(test: ContrastTest, cluster: str) -> list[str]:
    """Return a warning where the standard error itself is poorly known."""
    if test.df >= _FEW_DF:
        return []
    return [
        f'The standard error of the effect rests on few "{cluster}" ({test.df:.1f} degrees of freedom); '
        "take its interval and p-value as rough."
    ]


def whole_clusters(clusters: Codes, treated: NDArray[np.bool_]) -> bool:
    """Tell whether no cluster has clients in both arms."""
    return not np.intersect1d(clusters[treated], clusters[~treated]).size


def cluster_spread(values: Array, clusters: Codes, arms: Codes, facts: Facts, cluster: str, *, where: str) -> Spread:
    """Estimate the ICC within arms, and from it c and nu of the pooled standard deviation of `values`."""
    if clusters.max() + 1 == len(clusters):
        raise DesignError(
            f'every "{cluster}" holds one client only, so clients are not clustered.',
            where=where,
            fix="Name the column of the agency, school or team; without one use TwoGroup (or PrePost) and no cluster.",
        )
    if not whole_clusters(clusters, arms == 1):
        parts = moment_components(values, arms, [clusters])
        between, within = parts.factors[0], parts.residual[0]
        icc = between / (between + within)
        how = "variance components by moments (MINQUE(0)) within arms"
        row = facts.row(cluster, "icc", icc, method=how + (NEGATIVE if 0 in parts.truncated else ""))
    else:
        found: Icc = anova_icc(values, clusters, arms, conf_level=facts.conf_level)
        between, within, icc, row = found.between, found.within, found.icc, icc_row(facts, cluster, found)
    moments = pooled_sd_moments(arms, [clusters], [between], residual=within)
    return Spread(c=moments.c, nu=moments.nu, icc=icc, row=row)


def clustered_record(sample: Sample, facts: Facts, cluster: str, *, icc: float) -> Fit:
    """Return the row of `glance()`."""
    return Fit(
        outcome=sample.outcome,
        model=f"least squares, CR2 by {cluster}",
        rows=sample.rows,
        used=sample.n,
        dropped=sample.rows - sample.n,
        clusters=facts.clusters,
        icc=icc,
        converged=True,
        engine="sweval least squares",
    )
