"""The same clients before and after, with or without a comparison arm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sweval.errors import DesignError
from sweval.models.base.classical import classical_tests
from sweval.models.base.clustered import (
    ROBUST,
    cluster_spread,
    effect_test,
    few_df_note,
    robust_tests,
    whole_clusters,
)
from sweval.models.base.design import Design, check_level, direction, located
from sweval.models.base.roles import Roles
from sweval.models.base.rows import Facts, Unit, arm_rows, coefficient_rows, effect_row, pooled_sd, whole_rows
from sweval.models.base.sample import Sample, draw
from sweval.models.base.values import label_key
from sweval.models.engine.ols import least_squares
from sweval.models.engine.sandwich import ContrastTest
from sweval.result import Estimate, Fit, Result


@dataclass(frozen=True, kw_only=True)
class PrePost(Design):
    """Compare clients after with before; with a comparison arm, compare the two gains.

    Without `arm` the change is described and marked as uncontrolled: time, regression to the mean and the program
    cannot be told apart, and the effect must not be pooled with controlled ones. With `arm` it is the difference
    between the gains of the arms. Where clients were assigned at random, `TwoGroup` with a baseline is more precise.

    Parameters
    ----------
    pre
        The wave before; or, where `wave` is not set, the column that holds the outcome before.
    post
        The wave after. Without `wave` the outcome passed to `fit` is the one after.
    arm, treated, control
        Column of the arms and the labels of the two; all three or none.
    cluster
        Column of the agency, school or team the clients belong to.

    Notes
    -----
    Change: paired t test; standardised by the standard deviation before (Becker 1988), with the exact small-sample
    factor. Difference in gains: t test on the gains; the effect is d_ppc2 of Morris (2008), over the pooled standard
    deviation before. With clusters: CR2 and Satterthwaite's df.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"before": [14, 11, 16, 9, 13], "after": [9, 10, 11, 8, 12]})
    >>> result = PrePost(pre="before").fit(frame, "after", better="lower")
    >>> change = result.effect("standardized_mean_change")
    >>> round(change.estimate, 2), change.metric
    (0.77, 'uncontrolled_change')
    """

    pre: object
    post: object = None
    arm: str | None = None
    treated: object = None
    control: object = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [part is not None for part in (self.arm, self.treated, self.control)]
        if any(given) and not all(given):
            raise DesignError(
                "arm, treated and control belong together.", where=self.where, fix="Give all three or none of them."
            )
        if (self.wave is None) != (self.post is None):
            raise DesignError(
                "waves need both the column that holds them (wave) and the wave after (post).",
                where=self.where,
                fix="With one row per client leave out both and name the column before the program as pre.",
            )
        if self.outcome_wave is not None:
            raise DesignError("the wave after is named as post.", where=self.where, fix="Leave out outcome_wave.")

    def fit(self, frame: Any, outcome: str, *, better: str | None = None, conf_level: float = 0.95) -> Result:
        """Analyse one outcome.

        Parameters
        ----------
        frame
            Any data frame that narwhals knows (pandas, polars, pyarrow, DuckDB, Spark).
        outcome
            Column of the outcome (of the outcome after, where `wave` is not set).
        better
            "higher" or "lower": which direction is an improvement. Known for scores of our instruments.
        conf_level
            Level of the intervals.

        Returns
        -------
        Result
            Coefficients of the change, the standardised effect, and mean and spread before and after.

        Raises
        ------
        DataError
            If a column is not there.
        DesignError
            If the design does not fit the data, or the data do not identify the effect.
        """
        check_level(conf_level, where=self.where)
        found = direction(outcome, better, where=self.where)
        roles = Roles(
            where=self.where,
            arm=self.arm,
            treated=self.treated,
            control=self.control,
            baseline=self.pre,
            cluster=self.cluster,
            client=self.client,
            wave=self.wave,
            outcome_waves=() if self.post is None else (self.post,),
        )
        sample = draw(frame, outcome, roles)[0]
        facts = Facts(
            comparison=self.name,
            service=self.service,
            outcome=sample.outcome,
            better=found,
            conf_level=conf_level,
            n=sample.n,
            clusters=None if sample.cluster is None else int(sample.cluster.max()) + 1,
        )
        with located(self.where):
            return self._analyse(sample, facts)

    def _analyse(self, sample: Sample, facts: Facts) -> Result:
        before = sample.before(where=self.where)
        gain = sample.y - before
        columns, terms = [np.ones(sample.n)], ["change"]
        if sample.treated is not None:
            columns, terms = (
                [*columns, sample.treated.astype(float)],
                ["(Intercept)", f"{self.arm}[{label_key(self.treated)}]"],
            )
        try:
            fit = least_squares(gain, np.column_stack(columns))
        except DesignError as error:
            raise DesignError(f"change: {error.what}", where=self.where, fix=error.fix) from error
        notes: list[str] = []
        tests: tuple[ContrastTest, ...]
        if self.cluster is None:
            tests, how = classical_tests(fit), "t test on the gains" if self.arm else "paired t test"
        else:
            tests, notes = robust_tests(fit, terms, sample.clusters(where=self.where), self.cluster)
            effect_test(tests[-1], self.cluster, where=self.where)
            notes += few_df_note(tests[-1], self.cluster)
            how = f"{'difference in gains' if self.arm else 'change'}, {ROBUST}"
        rows = coefficient_rows(facts, tuple(terms), tests, method=how)
        effect, extra = self._effect(sample, facts, tests[-1], before, how)
        if sample.treated is None:
            rows += [effect, *whole_rows(facts, sample)]
            notes.append("There is no comparison arm: the change is not the effect of the program.")
        else:
            rows += [effect, *arm_rows(facts, sample, str(self.arm), (self.control, self.treated))]
        record = Fit(
            outcome=sample.outcome,
            model="difference in gains" if self.arm else "change",
            rows=sample.rows,
            used=sample.n,
            dropped=sample.rows - sample.n,
            clusters=facts.clusters,
            converged=True,
            engine="sweval least squares",
        )
        return Result(estimates=(*rows, *extra), fits=(record,), notes=(*sample.notes, *notes))

    def _effect(
        self, sample: Sample, facts: Facts, test: ContrastTest, before: np.ndarray, how: str
    ) -> tuple[Estimate, list[Estimate]]:
        """Return the standardised effect, and the ICC of the values before where there are clusters."""
        arms = np.zeros(sample.n, dtype=np.intp) if sample.treated is None else sample.treated.astype(np.intp)
        sd = float(before.std(ddof=1)) if sample.treated is None else pooled_sd(before, arms == 1)
        if not sd > 0:
            raise DesignError("the values before do not vary, so no effect can be standardised.", where=self.where)
        nu, c, extra = float(sample.n - 1 - (sample.treated is not None)), 1.0, []
        level = "client"
        if self.cluster is not None:
            clusters = sample.clusters(where=self.where)
            spread = cluster_spread(before, clusters, arms, facts, self.cluster, where=self.where)
            nu, c, extra = spread.nu, spread.c, [replace(spread.row, measure="baseline_icc")]
            if sample.treated is not None and whole_clusters(clusters, sample.treated):
                level = "cluster"
        if sample.treated is None:
            unit = Unit(sd=sd, nu=nu, c=c, standardizer="pretest", separate=self.cluster is not None)
            text = f"standardised mean change (no comparison arm): change / sd before; {how}"
            kind = {"measure": "standardized_mean_change", "metric": "uncontrolled_change", "adjusted": False}
        else:
            unit = Unit(sd=sd, nu=nu, c=c, standardizer="pretest_pooled", separate=self.cluster is not None)
            text = f"Hedges g (d_ppc2, Morris 2008): difference in gains / pooled sd before; {how}"
            kind = {"adjusted": True, "level_assigned": level}
        return effect_row(facts, effect_term(self), test, unit, method=text, **kind), extra


def effect_term(design: PrePost) -> str:
    """Return the term of the effect."""
    return "change" if design.arm is None else f"{design.arm}[{label_key(design.treated)}]"
