"""Clients assigned to two arms one by one."""

from __future__ import annotations

from dataclasses import dataclass

from sweval.models.base.classical import classical_tests
from sweval.models.base.clustered import clustered_result
from sweval.models.base.comparison import Comparison, adjusted_fit
from sweval.models.base.roles import Roles
from sweval.models.base.rows import Facts, Unit, arm_rows, coefficient_rows, effect_row, pooled_sd
from sweval.models.base.sample import Sample
from sweval.result import Fit, Result


@dataclass(frozen=True, kw_only=True)
class TwoGroup(Comparison):
    """Compare two arms of clients, adjusted for the baseline (analysis of covariance).

    Use it when single clients were assigned, or when two existing groups are compared (then the adjustment does not
    make them comparable, it only helps). Do not use it when whole agencies were assigned (`ClusterTrial`) or the
    treated clients met in groups (`PartiallyNested`): the interval would be too narrow.

    Parameters
    ----------
    arm, treated, control
        Column of the arms and the labels of the two.
    baseline
        The outcome before the program: a wave (where `wave` is set) or a column.
    covariates
        Further columns to adjust for, measured before the program.
    cluster
        Column of the agency, school or team where clients of both arms belong to the same ones.

    Notes
    -----
    Least squares with the classical t test (equal variances). Where a cluster is named, a mixed model (REML) with a
    random intercept of the cluster and Satterthwaite's df, which takes the effect as the same in all clusters. The row
    `coefficient_cr2` beside it does not: it compares within clusters (one indicator each) where at least half of them
    hold both arms, else all rows. The effect is Hedges' g: the adjusted difference over the pooled unadjusted standard
    deviation of the outcome (Hedges 1981).

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"arm": ["usual"] * 4 + ["program"] * 4, "phq": [12, 14, 9, 13, 7, 9, 11, 6]})
    >>> result = TwoGroup(arm="arm", treated="program", control="usual").fit(frame, "phq", better="lower")
    >>> round(result.effect("coefficient", term="arm[program]").estimate, 2)
    -3.75
    >>> round(result.effect("hedges_g").estimate, 2)
    1.49
    """

    cluster: str | None = None

    def _roles(self) -> Roles:
        return self._common_roles(cluster=self.cluster)

    def _analyse(self, sample: Sample, facts: Facts) -> Result:
        if self.cluster is not None:
            return clustered_result(self, sample, facts, cluster=self.cluster)
        fit, terms, notes = adjusted_fit(sample, self.effect_term, where=self.where)
        tests = classical_tests(fit)
        treated = sample.arms(where=self.where)
        adjusted = len(terms) > 2
        unit = Unit(
            sd=pooled_sd(sample.y, treated), nu=sample.n - 2, c=1.0, standardizer="posttest_pooled", separate=False
        )
        how = "adjusted difference (ANCOVA)" if adjusted else "difference"
        rows = [
            *coefficient_rows(facts, terms, tests, method="least squares, t test with equal variances"),
            effect_row(
                facts,
                self.effect_term,
                tests[terms.index(self.effect_term)],
                unit,
                method=f"Hedges g: {how} / pooled sd of the outcome",
                adjusted=adjusted,
                level_assigned="client",
            ),
            *arm_rows(facts, sample, self.arm, (self.control, self.treated)),
        ]
        record = Fit(
            outcome=sample.outcome,
            model="analysis of covariance" if adjusted else "two-sample t",
            rows=sample.rows,
            used=sample.n,
            dropped=sample.rows - sample.n,
            converged=True,
            engine="sweval least squares",
        )
        return Result(estimates=tuple(rows), fits=(record,), notes=(*sample.notes, *notes))
