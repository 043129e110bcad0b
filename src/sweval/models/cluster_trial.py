"""Whole clusters (agencies, schools, teams) assigned to a program, clients measured."""

from __future__ import annotations

from dataclasses import dataclass

from sweval.models.base.clustered import clustered_result
from sweval.models.base.comparison import Comparison
from sweval.models.base.roles import Roles
from sweval.models.base.rows import Facts
from sweval.models.base.sample import Sample
from sweval.result import Result


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
    Mixed model (REML) of the outcome on arm, baseline and covariates with a random intercept of the cluster, as
    `lmer(y ~ arm + baseline + (1 | cluster))`; Satterthwaite's df. Where the variance between clusters is
    estimated at zero, they are those of an estimate that cannot be negative (Self & Liang 1987), and below 6 clusters
    those of Kenward and Roger. Beside it stand Kenward and Roger's test below 20 clusters
    (`coefficient_kenward_roger`) and least squares with CR2 (`coefficient_cr2`; Bell & McCaffrey 2002; Pustejovsky &
    Tipton 2018). The effect is Hedges' g for clusters (Hedges 2007): the adjusted difference over the pooled unadjusted
    standard deviation of clients, with the design factor and df that follow from the intraclass correlation.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "agency": ["a", "a", "b", "b", "c", "c", "d", "d", "e", "e", "f", "f"],
    ...     "arm": ["usual"] * 6 + ["training"] * 6,
    ...     "distress": [16, 15, 11, 12, 13, 15, 9, 11, 12, 11, 7, 6],
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
        return clustered_result(self, sample, facts, cluster=self.cluster)
