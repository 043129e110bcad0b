"""Clients assigned one by one, the treated meeting in groups, the others not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sweval.effects.variance_components import VarianceComponents, moment_components, pooled_sd_moments
from sweval.errors import DesignError
from sweval.models.base.clustered import ROBUST, effect_test, few_df_note, robust_tests
from sweval.models.base.comparison import Comparison
from sweval.models.base.roles import Roles
from sweval.models.base.rows import NEGATIVE, Facts, Unit, arm_rows, coefficient_rows, effect_row, pooled_sd
from sweval.models.base.sample import Sample
from sweval.models.engine.group_means import deviations, group_mean_difference
from sweval.models.engine.ols import least_squares
from sweval.models.engine.sandwich import ContrastTest
from sweval.result import Estimate, Fit, Result

_VARIANCES = ("auto", "within", "total")


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
    Without `cluster`: difference between the mean of the group means and the control mean, each adjusted by slopes
    pooled within groups and control arm; Welch's standard error with Satterthwaite's df. With `cluster`: differences
    within agencies (agency fixed effects), CR2 by agency with Satterthwaite's df, which covers groups and agencies
    alike. The effect is Hedges' g over the pooled person standard deviation, with the design factor and df of the
    layout.

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
        if self.cluster is None:
            facts = replace(facts, clusters=int(groups.max()) + 1)
        terms, tests, how, notes = self._by_groups(sample) if self.cluster is None else self._by_agency(sample)
        adjusted = any(label in terms for label in sample.adjusters[1])
        effects, icc = self._effects(sample, facts, tests[terms.index(self.effect_term)], how, adjusted)
        rows = [
            *coefficient_rows(facts, terms, tests, method=how),
            *effects,
            *arm_rows(
                facts,
                sample,
                self.arm,
                (self.control, self.treated),
                units=groups if self.cluster is None else sample.cluster,
            ),
            *icc,
        ]
        record = Fit(
            outcome=sample.outcome,
            model="group means, Welch" if self.cluster is None else f"fixed effects and CR2 by {self.cluster}",
            rows=sample.rows,
            used=sample.n,
            dropped=sample.rows - sample.n,
            clusters=facts.clusters,
            icc=icc[0].estimate,
            converged=True,
            engine="sweval least squares",
        )
        return Result(estimates=tuple(rows), fits=(record,), notes=(*sample.notes, *notes, *self._said(effects)))

    def _by_groups(self, sample: Sample) -> tuple[tuple[str, ...], tuple[ContrastTest, ...], str, list[str]]:
        """Compare group means with control clients."""
        adjusters, labels = sample.adjusters
        found = group_mean_difference(sample.y, adjusters, sample.groups(where=self.where))
        dropped = [label for number, label in enumerate(labels) if number not in found.kept]
        notes = [
            f'"{label}" was not adjusted for: it does not vary within groups and the control arm, or repeats others.'
            for label in dropped
        ]
        effect = found.effect()
        terms = ("(Intercept)", self.effect_term, *(labels[number] for number in found.kept))
        tests = (found.intercept(), effect, *found.slope_tests())
        return (
            terms,
            tests,
            "group means against clients, Welch-Satterthwaite df",
            notes + few_df_note(effect, self.group),
        )

    def _by_agency(self, sample: Sample) -> tuple[tuple[str, ...], tuple[ContrastTest, ...], str, list[str]]:
        """Compare within agencies; the agencies' means are taken off, which equals one indicator each."""
        agency, treated = sample.clusters(where=self.where), sample.arms(where=self.where)
        adjusters, labels = sample.adjusters
        X = deviations(np.column_stack([treated.astype(float), adjusters]), agency)
        count = int(agency.max()) + 1
        both = int(np.isin(np.arange(count), np.intersect1d(agency[treated], agency[~treated])).sum())
        if both < 2:
            raise DesignError(
                f'{both} of {count} "{self.cluster}" have clients in both arms; at least 2 are needed.',
                fix="If whole agencies were assigned, groups in them are clusters: use ClusterTrial.",
            )
        notes = [f'The model has one indicator per "{self.cluster}"; these are not listed.']
        if both < count:
            notes.append(f'{count - both} of {count} "{self.cluster}" have one arm only and do not inform the effect.')
        fit = least_squares(deviations(sample.y[:, None], agency)[:, 0], X)
        if 0 not in fit.kept:
            raise DesignError("the adjusters leave nothing of the arm.", fix="Adjust for fewer columns.")
        terms = (self.effect_term, *labels)
        notes += [f'"{terms[number]}" adds nothing within agencies and was left out.' for number in fit.aliased]
        kept = tuple(terms[number] for number in fit.kept)
        tests, said = robust_tests(fit, kept, agency, str(self.cluster))
        effect_test(tests[0], str(self.cluster), where=self.where)
        notes += said + few_df_note(tests[0], str(self.cluster))
        return kept, tests, f"least squares within {self.cluster}, {ROBUST}", notes

    def _effects(
        self, sample: Sample, facts: Facts, test: ContrastTest, how: str, adjusted: bool
    ) -> tuple[list[Estimate], list[Estimate]]:
        """Return the effect under the chosen variance model and under the other, and the ICC rows."""
        treated = sample.arms(where=self.where)
        arms, groups = treated.astype(np.intp), sample.groups(where=self.where)
        factors = [groups] if sample.cluster is None else [groups, sample.cluster]
        by_arm = moment_components(sample.y, arms, factors, residual_by_arm=True)
        chosen = self.control_variance if self.control_variance != "auto" else _better_fit(by_arm)
        pooled = moment_components(sample.y, arms, factors)
        rows = []
        for model in (chosen, "total" if chosen == "within" else "within"):
            parts = pooled if model == "within" else by_arm
            inside = parts.residual[1]
            outside = inside if model == "within" else inside + parts.factors[0]
            moments = pooled_sd_moments(
                arms, factors, parts.factors, residual=(outside, inside), target=sum(parts.factors) + inside
            )
            unit = Unit(
                sd=pooled_sd(sample.y, treated),
                nu=moments.nu,
                c=moments.c,
                standardizer="posttest_pooled",
                separate=True,
            )
            text = f"Hedges g, partially nested (control variance: {model}); {how}"
            measure = "hedges_g" if model == chosen else "hedges_g_alternative"
            rows.append(
                effect_row(
                    facts,
                    self.effect_term,
                    test,
                    unit,
                    method=text,
                    measure=measure,
                    adjusted=adjusted,
                    level_assigned="client",
                )
            )
        parts = pooled if chosen == "within" else by_arm
        total = sum(parts.factors) + parts.residual[1]
        columns = [self.group] if self.cluster is None else [self.group, self.cluster]
        icc = [
            facts.row(
                column,
                "icc",
                variance / total,
                method=f"variance components by moments; {_OF_TREATED}{NEGATIVE if number in parts.truncated else ''}",
            )
            for number, (column, variance) in enumerate(zip(columns, parts.factors, strict=True))
        ]
        return rows, icc

    def _said(self, effects: list[Estimate]) -> list[str]:
        """Return the note on the variance model."""
        model = "within" if "control variance: within" in effects[0].method else "total"
        why = "fits the variances of the arms better" if self.control_variance == "auto" else "was asked for"
        other = "total" if model == "within" else "within"
        return [
            f'Control variance "{model}" {why}; the effect under "{other}" is the row hedges_g_alternative '
            f"({effects[1].estimate:.3f} against {effects[0].estimate:.3f})."
        ]


_OF_TREATED = "share of the treated clients' variance"


def _better_fit(parts: VarianceComponents) -> str:
    """Return the variance model under which the control arm's variance is more likely (chi-square likelihood)."""
    control, inside = parts.residual
    total = inside + parts.factors[0]
    if not (inside > 0 and control > 0):
        return "within"

    def misfit(variance: float) -> float:
        return float(np.log(variance) + control / variance)

    return "total" if misfit(total) < misfit(inside) else "within"
