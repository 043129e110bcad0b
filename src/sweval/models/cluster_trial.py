"""Whole clusters (agencies, schools, teams) assigned to a program, clients measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweval.effects.variance_components import anova_icc, pooled_sd_moments
from sweval.errors import DesignError
from sweval.models.base.comparison import Comparison, adjusted_fit
from sweval.models.base.roles import Roles
from sweval.models.base.rows import Facts, Unit, arm_rows, coefficient_rows, effect_row, icc_row, pooled_sd
from sweval.models.base.sample import Sample
from sweval.models.engine.sandwich import cluster_covariance
from sweval.result import Fit, Result


@dataclass(frozen=True, kw_only=True)
class ClusterTrial(Comparison):
    """Compare arms to which whole clusters were assigned; the effect is measured on clients.

    Use it when agencies, schools or teams, not single clients, were assigned: staff training, consultation, planning,
    or a program in whole communities. The number of clusters is then the sample size that counts. Do not use it when
    clients of one agency were assigned to different arms (`TwoGroup` with `cluster=`), or when only the treated clients
    come in groups (`PartiallyNested`).

    Parameters
    ----------
    arm, treated, control
        Column of the arms and the labels of the two.
    cluster
        Column that holds the assigned cluster.
    baseline
        The outcome before the program: a wave (where `wave` is set) or a column.
    covariates
        Further columns to adjust for, measured before the program.

    Notes
    -----
    Least squares of the outcome on arm, baseline and covariates; CR2 standard errors with Satterthwaite's df (Bell &
    McCaffrey 2002; Pustejovsky & Tipton 2018), which hold their level with few clusters. The effect is Hedges' g for
    clusters (Hedges 2007): the adjusted difference over the pooled unadjusted standard deviation of clients, with the
    design factor and df that follow from the intraclass correlation.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "agency": ["a", "a", "b", "b", "c", "c", "d", "d", "e", "e", "f", "f"],
    ...     "arm": ["usual"] * 6 + ["training"] * 6,
    ...     "distress": [14, 12, 11, 15, 13, 16, 9, 11, 12, 8, 10, 7],
    ... })
    >>> trial = ClusterTrial(arm="arm", treated="training", control="usual", cluster="agency", service="training")
    >>> row = trial.fit(frame, "distress", better="lower").effect("hedges_g")
    >>> row.clusters, round(row.df, 2), row.estimate > 0
    (6, 4.0, True)
    """

    cluster: str

    def _roles(self) -> Roles:
        return self._common_roles(cluster=self.cluster, nested=True)

    def _analyse(self, sample: Sample, facts: Facts) -> Result:
        return clustered_result(self, sample, facts, cluster=self.cluster, level_assigned="cluster")


def clustered_result(design: Comparison, sample: Sample, facts: Facts, *, cluster: str, level_assigned: str) -> Result:
    """Return the rows of a comparison of clients in clusters."""
    if sample.cluster is None or sample.treated is None:
        raise DesignError("a comparison of clusters needs clusters and two arms.", where=design.where)
    fit, terms, notes = adjusted_fit(sample, design.effect_term, where=design.where)
    tests = cluster_covariance(fit, sample.cluster).contrasts(np.eye(len(terms)))
    effect = tests[terms.index(design.effect_term)]
    if np.isnan(effect.df):
        raise DesignError(
            f'once the other terms are in, the effect rests on a single "{cluster}".',
            where=design.where,
            fix="Adjust for fewer columns, or use more clusters.",
        )
    lonely = [term for term, test in zip(terms, tests, strict=True) if np.isnan(test.df)]
    if lonely:
        notes.append(f'No standard error for {", ".join(lonely)}: it rests on a single "{cluster}".')
    if effect.df < 4:
        notes.append(
            f"The standard error of the effect has {effect.df:.1f} degrees of freedom only; "
            "read interval and p-value as rough."
        )
    arms = sample.treated.astype(np.intp)
    icc = anova_icc(sample.y, sample.cluster, arms, conf_level=facts.conf_level)
    moments = pooled_sd_moments(arms, [sample.cluster], [icc.between], residual=icc.within)
    unit = Unit(sd=pooled_sd(sample.y, sample.treated), nu=moments.nu, c=moments.c, standardizer="posttest_pooled")
    adjusted = len(terms) > 2
    robust = "CR2, Satterthwaite df"
    kind = "adjusted difference" if adjusted else "difference"
    rows = [
        *coefficient_rows(facts, terms, tests, method=f"least squares, {robust}"),
        effect_row(
            facts,
            design.effect_term,
            effect,
            unit,
            method=f"Hedges g with clusters (2007): {kind} / pooled person sd; {robust}",
            adjusted=adjusted,
            level_assigned=level_assigned,
        ),
        *arm_rows(facts, sample, design.arm, (design.control, design.treated)),
        icc_row(facts, cluster, icc),
    ]
    record = Fit(
        outcome=sample.outcome,
        model=f"least squares with CR2 by {cluster}",
        rows=sample.rows,
        used=sample.n,
        dropped=sample.rows - sample.n,
        clusters=facts.clusters,
        icc=icc.icc,
        converged=True,
        engine="sweval least squares",
    )
    return Result(estimates=tuple(rows), fits=(record,), notes=(*sample.notes, *notes))
