"""Clients assigned one by one, the treated meeting in groups, the others not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sweval.effects.variance_components import pooled_sd_moments
from sweval.errors import DesignError
from sweval.models.base.clustered import CR2, clusters_with_both, few_df_note, one_arm_note, within_clusters
from sweval.models.base.comparison import Comparison
from sweval.models.base.comparison_model import ComparisonModel, beside_rows, equal_effects_note, fit_comparison
from sweval.models.base.nested_variances import NestedVariances, nested_variances
from sweval.models.base.roles import Roles
from sweval.models.base.rows import Facts, Unit, arm_rows, effect_row, interval_columns, pooled_sd
from sweval.models.base.sample import Codes, Sample
from sweval.models.engine.group_means import deviations, group_mean_difference
from sweval.result import Estimate, Result

_VARIANCES = ("auto", "within", "total")
WELCH = "_welch"
"""Ends the measure of the effect by Welch's test of group means, beside that of the mixed model."""


@dataclass(frozen=True, kw_only=True)
class PartiallyNested(Comparison):
    """Compare clients treated in groups with clients who were not in any group.

    Use it when clients were assigned one by one and only the treated meet in groups (group work, parent training,
    peer support), so that the treated of one group resemble each other. Ignoring the groups rejects a true null
    hypothesis two to three times too often. Do not use it when both arms come in groups (`ClusterTrial`).

    Parameters
    ----------
    arm, treated, control
        Column of the arms and the labels of the two.
    group
        Column that holds the group of a treated client; missing in the control arm.
    baseline
        The outcome before the program: a wave (where `wave` is set) or a column.
    covariates
        Further columns to adjust for, measured before the program.
    cluster
        Column of the agency, where clients were assigned within several agencies.
    control_variance
        What groups do to the spread of clients. "within": they add to it, so the control arm has the variance within
        groups (Hedges & Citkowicz 2015). "total": they only divide it up, so both arms have the same variance. "auto":
        the one that fits the arms' variances better; the other is given as `hedges_g_alternative`.

    Notes
    -----
    Mixed model (REML) of the outcome on arm, baseline and covariates: a random effect of the group in the treated arm
    only, a residual variance of its own in each arm, a random intercept of the agency where `cluster` is named (as
    Bauer, Sterba & Hallfors 2008, Multivariate Behavioral Research 43, 210-236). Satterthwaite's df; those of Kenward
    and Roger where the variance between fewer than 6 groups is estimated at zero. Beside it stands an analysis that
    does not need the model: without `cluster` Welch's test of the group means against the control clients
    (`coefficient_welch`), with `cluster` differences within agencies with CR2 (`coefficient_cr2`), which allows any
    resemblance in an agency. The effect is Hedges' g over the pooled person standard deviation, with the design factor
    and df of the layout.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "arm": ["group_work"] * 9 + ["usual"] * 6,
    ...     "group": ["A"] * 3 + ["B"] * 3 + ["C"] * 3 + [None] * 6,
    ...     "distress": [8, 9, 7, 11, 12, 10, 9, 7, 8, 12, 11, 14, 9, 13, 12],
    ... })
    >>> design = PartiallyNested(arm="arm", treated="group_work", control="usual", group="group", service="group")
    >>> row = design.fit(frame, "distress", better="lower").effect("hedges_g")
    >>> row.clusters, row.estimate > 0
    (3, True)
    """

    group: str
    cluster: str | None = None
    control_variance: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.control_variance not in _VARIANCES:
            raise DesignError(
                f'control_variance="{self.control_variance}" is unknown.',
                where=self.where,
                fix=f"Choose one of {', '.join(_VARIANCES)}.",
            )

    def _roles(self) -> Roles:
        return self._common_roles(cluster=self.cluster, group=self.group)

    def _analyse(self, sample: Sample, facts: Facts) -> Result:
        groups = sample.groups(where=self.where)
        if groups.max(initial=-1) < 1:
            raise DesignError(
                f'the treated clients are in one "{self.group}" only, so the effect cannot be told from the group.',
                where=self.where,
                fix="At least two groups are needed, better four or more.",
            )
        self._refuse_no_variation(sample, groups)
        if self.cluster is None:
            facts = replace(facts, clusters=int(groups.max()) + 1)
        beside, said = self._by_group_means(sample, facts) if self.cluster is None else self._by_agency(sample, facts)
        model = fit_comparison(self, sample, self._units(sample), by_arm=True)
        chosen, other = self._variances(sample, model)
        effects = [
            self._effect(sample, facts, model, chosen, "hedges_g"),
            self._effect(sample, facts, model, other, "hedges_g_alternative"),
        ]
        icc = self._icc(facts, chosen)
        counted = groups if self.cluster is None else sample.cluster
        rows = [
            *model.rows(facts),
            *beside,
            *effects,
            *arm_rows(facts, sample, self.arm, (self.control, self.treated), units=counted),
            *icc,
            *model.component_rows(facts),
        ]
        few = few_df_note(model.effect, self.cluster or self.group)
        if self.cluster is not None:
            said = [*said, equal_effects_note(beside[0].std_error or 0.0, model.effect.std_error, self.cluster)]
        notes = (*sample.notes, *model.notes, *said, *few, self._said(effects, chosen.control))
        return Result(estimates=tuple(rows), fits=(model.record(sample, facts, icc=icc[0].estimate),), notes=notes)

    def _units(self, sample: Sample) -> list[tuple[str, Codes]]:
        """Return name and codes of the grouping factors."""
        units = [(self.group, sample.groups(where=self.where))]
        return units if self.cluster is None else [*units, (self.cluster, sample.clusters(where=self.where))]

    def _refuse_no_variation(self, sample: Sample, groups: Codes) -> None:
        """Refuse groups that all hold one client, and values that do not vary within the groups or the control arm."""
        if np.bincount(groups[groups >= 0]).max() == 1:
            raise DesignError(
                f'every "{self.group}" holds one client only, so clients are not in groups.',
                where=self.where,
                fix="Name the column of the groups; without groups use TwoGroup.",
            )
        left = deviations(sample.y[:, None], groups + 1)[:, 0]  # the control arm is one more group
        for side, place in ((groups < 0, f'in the arm "{self.control}"'), (groups >= 0, f'within any "{self.group}"')):
            if not left[side].any():
                raise DesignError(
                    f'"{sample.outcome}" does not vary {place}, so there is no standard error.',
                    where=self.where,
                    fix="Check the scoring of the outcome.",
                )

    def _by_group_means(self, sample: Sample, facts: Facts) -> tuple[list[Estimate], list[str]]:
        """Compare group means with control clients."""
        adjusters, labels = sample.adjusters
        found = group_mean_difference(sample.y, adjusters, sample.groups(where=self.where))
        dropped = [label for number, label in enumerate(labels) if number not in found.kept]
        notes = [
            f'The row coefficient_welch is not adjusted for "{label}", which does not vary within groups and the '
            "control arm, or repeats others."
            for label in dropped
        ]
        method = "group means against clients, Welch-Satterthwaite df"
        return beside_rows(facts, self.effect_term, found.effect(), WELCH, method=method), notes

    def _by_agency(self, sample: Sample, facts: Facts) -> tuple[list[Estimate], list[str]]:
        """Compare within agencies."""
        cluster = str(self.cluster)
        agency, treated = sample.clusters(where=self.where), sample.arms(where=self.where)
        both, count = clusters_with_both(agency, treated), int(agency.max()) + 1
        if both < 2:
            raise DesignError(
                f'{both} of {count} "{cluster}" have clients in both arms; at least 2 are needed.',
                fix="If whole agencies were assigned, groups in them are clusters: use ClusterTrial.",
            )
        test, way = within_clusters(self, sample, cluster)
        notes = [one_arm_note(count - both, count, cluster)] if both < count else []
        return beside_rows(facts, self.effect_term, test, CR2, method=way), notes

    def _variances(self, sample: Sample, model: ComparisonModel) -> tuple[NestedVariances, NestedVariances]:
        """Return the variance components under the chosen view of the control variance and under the other."""
        treated = sample.arms(where=self.where).astype(np.intp)
        by_arm = None if model.adjusted else model.fit
        total = nested_variances(sample.y, treated, self._units(sample), control="total", fit=by_arm)
        within = nested_variances(sample.y, treated, self._units(sample), control="within")
        chosen = total.better if self.control_variance == "auto" else self.control_variance
        return (total, within) if chosen == "total" else (within, total)

    def _effect(
        self, sample: Sample, facts: Facts, model: ComparisonModel, parts: NestedVariances, measure: str
    ) -> Estimate:
        """Return the effect under one view of the control variance."""
        treated = sample.arms(where=self.where)
        inside = parts.residual
        outside = inside + (parts.factors[0] if parts.control == "total" else 0.0)
        moments = pooled_sd_moments(
            treated.astype(np.intp),
            [codes for _, codes in self._units(sample)],
            parts.factors,
            residual=(outside, inside),
            target=sum(parts.factors) + inside,
        )
        sd = pooled_sd(sample.y, treated)
        return effect_row(
            facts,
            self.effect_term,
            model.effect,
            Unit(sd=sd, nu=moments.nu, c=moments.c, standardizer="posttest_pooled", separate=True),
            method=f"Hedges g, partially nested (control variance: {parts.control}); {model.how}",
            measure=measure,
            adjusted=model.adjusted,
            level_assigned="client",
        )

    def _icc(self, facts: Facts, parts: NestedVariances) -> list[Estimate]:
        """Return the ICC rows: what groups, and agencies, share of the treated clients' variance."""
        columns = [self.group] if self.cluster is None else [self.group, self.cluster]
        total = sum(parts.factors) + parts.residual
        return [
            facts.row(
                column,
                "icc",
                variance / total,
                method=f"REML; share of the treated clients' variance{parts.interval}",
                **interval_columns(facts, *limits),
            )
            for column, variance, limits in zip(columns, parts.factors, parts.limits(facts.conf_level), strict=True)
        ]

    def _said(self, effects: list[Estimate], model: str) -> str:
        """Return the note on the variance model."""
        why = "fits the variances of the arms better" if self.control_variance == "auto" else "was asked for"
        other = "total" if model == "within" else "within"
        return (
            f'Control variance "{model}" {why}; the effect under "{other}" is the row hedges_g_alternative '
            f"({effects[1].estimate:.3f} against {effects[0].estimate:.3f})."
        )
