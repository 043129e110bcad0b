"""Clients measured at several waves: do the treated grow faster than the others?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np

from sweval.errors import DesignError, did_you_mean
from sweval.models.base.clustered import cluster_spread, whole_clusters
from sweval.models.base.design import Design, check_level, direction, located, names
from sweval.models.base.growth_model import GrowthFit, departure, fit_growth
from sweval.models.base.growth_rows import component_rows, wave_rows
from sweval.models.base.mixed_rows import Inference, fixed_rows, inference_of, notes_on_fit
from sweval.models.base.repeated import Repeated, repeated
from sweval.models.base.roles import Roles
from sweval.models.base.rows import Facts, Unit, effect_row, pooled_sd
from sweval.models.base.values import label_key
from sweval.models.base.variance_rows import notes_on_limits
from sweval.models.engine.mixed.fit import Df
from sweval.models.engine.sandwich import ContrastTest
from sweval.result import CHECK, Estimate, Fit, Result

_SHAPES = ("linear", "waves")
_BENT = 0.05
_TESTS: dict[Df, str] = {"satterthwaite": "Satterthwaite df", "kenward-roger": "Kenward-Roger standard error and df"}


@dataclass(frozen=True, kw_only=True)
class Growth(Design):
    """Compare how two arms change over several waves, with every client's waves that there are.

    Use it where clients were measured before and at two or more times after, and some missed a wave: nobody is left out
    for that. Do not use it for one group without comparison (`PrePost`), or for single measurements at many different
    times, such as daily ratings (`MixedModel`). With one wave after, `TwoGroup` with a baseline is more precise where
    clients were assigned at random.

    Parameters
    ----------
    arm, treated, control
        Column of the arms and the labels of the two. A client stays in the arm that was assigned.
    client, wave
        Columns of the client's id and of the wave; one row per client and wave.
    baseline
        The wave before the program; by default the first in time. Its standard deviation is the unit of the effect.
    outcome_wave
        The later waves to use; by default all. The effect is taken at the last of them.
    covariates
        Columns to adjust for, measured before the program. Text becomes categories.
    cluster
        Column of the agency, school or team the clients belong to, whether or not whole ones were assigned.
    shape
        "linear": a straight line in time. "waves": a mean of its own for each arm at each wave.
    times
        Time of each wave in any unit, for waves that are not numbers: `{"pre": 0, "m3": 3, "m12": 12}`.

    Notes
    -----
    Time is counted from the baseline. "linear": outcome on arm * wave and covariates, every client with an own level
    and slope that may correlate. "waves": the same with wave as categories and unstructured residuals within the client
    (MMRM); with too many waves or too few clients one variance with equal or fading (AR(1)) correlation, whichever fits
    better, and a note. With only two waves, both are the second. A cluster has a level and a slope of its own, in both
    shapes: where whole clusters were assigned it is their slopes that the arms are compared by, and a model without
    them finds effects where there are none. A note says so where the means of the waves depart from straight lines:
    then choose "waves".

    REML; Satterthwaite's df, with the tests of Kenward & Roger (1997) beside them below 20 clients (or clusters) and in
    their place where slopes are estimated not to vary. The effect is Feingold's (2009, Psychological Methods 14,
    43-53): the difference in growth from baseline to the last wave over the pooled standard deviation of clients at the
    baseline. Rows count clients (`n`), `glance()` counts rows. Waves that are missing are taken as missing at random.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(client, "program" if client % 2 else "usual", wave) for client in range(12) for wave in (0, 3, 6)]
    >>> frame = pd.DataFrame(rows, columns=["id", "arm", "month"])
    >>> frame["phq"] = 14 + frame.id * 7 % 5 - frame.month * (0.4 + 0.5 * (frame.arm == "program")) + frame.index % 4
    >>> design = Growth(arm="arm", treated="program", control="usual", client="id", wave="month")
    >>> result = design.fit(frame, "phq", better="lower")
    >>> round(result.effect("coefficient", term="arm[program]:month").estimate, 2)
    -0.5
    >>> row = result.effect("hedges_g")
    >>> row.n, row.standardizer, row.estimate > 0
    (12, 'pretest_pooled', True)
    """

    arm: str
    treated: object
    control: object
    baseline: object = None
    covariates: tuple[str, ...] = ()
    cluster: str | None = None
    shape: str = "linear"
    times: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "covariates", names(self.covariates))
        super().__post_init__()
        absent = [part for part in ("client", "wave") if getattr(self, part) is None]
        if absent:
            keys = " and ".join(f'{part}="..."' for part in absent)
            raise DesignError(
                f"growth is seen in rows of the same client at several waves; {' and '.join(absent)} "
                f"{'is' if len(absent) == 1 else 'are'} not named.",
                where=self.where,
                fix=f"Add {keys}, the name of the column.",
            )
        if self.shape not in _SHAPES:
            raise DesignError(
                f'shape="{self.shape}" is unknown.', where=self.where, fix=did_you_mean(str(self.shape), _SHAPES)
            )
        odd = [str(label) for label, time in self.times.items() if not np.isfinite(float(time))]
        if odd:
            raise DesignError(f'the time of "{odd[0]}" is no finite number.', where=self.where)

    def fit(
        self,
        frame: Any,
        outcome: str,
        *,
        better: str | None = None,
        conf_level: float = 0.95,
        df: Df = "satterthwaite",
    ) -> Result:
        """Analyse one outcome.

        Parameters
        ----------
        frame
            Any data frame that narwhals knows (pandas, polars, pyarrow, DuckDB, Spark).
        outcome
            Column of the outcome.
        better
            "higher" or "lower": which direction is an improvement. Known for scores of our instruments.
        conf_level
            Level of the intervals.
        df
            "satterthwaite" or "kenward-roger".

        Returns
        -------
        Result
            Coefficients, the standardised effect, the clients of each arm (`clients`) with their means and spreads at
            the baseline and at the last wave, and the variance components.

        Raises
        ------
        DataError
            If a column is not there.
        DesignError
            If the design does not fit the data, or the data do not identify the effect.
        """
        check_level(conf_level, where=self.where)
        if df not in get_args(Df):
            raise DesignError(f'df="{df}" is unknown.', where=self.where, fix=did_you_mean(str(df), get_args(Df)))
        found = direction(outcome, better, where=self.where)
        roles = self._roles()
        sample = repeated(frame, outcome, roles, times=self.times, need_times=self.shape == "linear")
        facts = Facts(
            comparison=self.name,
            service=self.service,
            outcome=outcome,
            better=found,
            conf_level=conf_level,
            n=len(sample.treated),
            clusters=None if sample.cluster is None else int(sample.cluster.max()) + 1,
        )
        with located(self.where):
            model = fit_growth(sample, roles, linear=self.shape == "linear")
            tests = inference_of(model.fit, model.data.groupings, df)
            return self._result(sample, model, tests, facts)

    @property
    def effect_term(self) -> str:
        """Return the term of the effect, for example `arm[training]`."""
        return f"{self.arm}[{label_key(self.treated)}]"

    def _roles(self) -> Roles:
        return Roles(
            where=self.where,
            arm=self.arm,
            treated=self.treated,
            control=self.control,
            baseline=self.baseline,
            covariates=self.covariates,
            cluster=self.cluster,
            client=self.client,
            wave=self.wave,
            outcome_waves=self.outcome_waves,
        )

    def _result(self, sample: Repeated, model: GrowthFit, tests: Inference, facts: Facts) -> Result:
        fixed, said = fixed_rows(model.fit, model.data, facts, tests)
        test = contrast_test(model, tests)
        effect, extra = self._effect(sample, model, tests, test, facts)
        record = Fit(
            outcome=facts.outcome,
            model=model.data.design.model,
            rows=sample.rows,
            used=model.fit.n,
            dropped=sample.rows - model.fit.n,
            clusters=facts.clusters,
            icc=extra[0].estimate if extra else None,
            log_likelihood=model.fit.log_likelihood,
            converged=model.fit.converged,
            singular=model.fit.any_singular,
            engine="sweval mixed",
        )
        components = component_rows(facts, model)
        rows = [
            *fixed,
            effect,
            *wave_rows(facts, sample, self.arm, (self.control, self.treated)),
            *components,
            *extra,
        ]
        if self.shape == "linear":
            said += _bent_note(departure(model, sample), sample.labels[-1])
        said += notes_on_limits(components)
        notes = [*model.data.notes, *model.notes, *notes_on_fit(model.fit, model.data), *tests.notes, *said]
        return Result(estimates=tuple(rows), fits=(record,), notes=tuple(notes))

    def _effect(
        self, sample: Repeated, model: GrowthFit, tests: Inference, test: ContrastTest, facts: Facts
    ) -> tuple[Estimate, list[Estimate]]:
        """Return the standardised effect, and the ICC of the values at the baseline where there are clusters."""
        values, who = sample.at(0)
        treated = sample.treated[who]
        sd = pooled_sd(values, treated)
        if not sd > 0:
            raise DesignError(
                f'all values at the baseline "{sample.labels[0]}" are equal within the arms, so there is no unit in '
                "which to express the effect.",
                fix="Name another baseline.",
            )
        nu, c, extra, level = float(len(values) - 2), 1.0, [], "client"
        if sample.cluster is not None:
            clusters = sample.cluster[who]
            spread = cluster_spread(
                values, clusters, treated.astype(np.intp), facts, str(self.cluster), where=self.where
            )
            nu, c, extra = spread.nu, spread.c, [replace(spread.row, measure="baseline_icc", n=len(values))]
            if whole_clusters(sample.cluster, sample.treated):
                level = "cluster"
        how = "straight lines in time" if self.shape == "linear" else "means at each wave"
        first, last = sample.labels[0], sample.labels[-1]
        row = effect_row(
            facts,
            self.effect_term,
            test,
            Unit(sd=sd, nu=nu, c=c, standardizer="pretest_pooled", separate=True),
            method=f"Hedges g (Feingold 2009): difference in growth from {first} to {last} / pooled sd at {first}; "
            f"{how}, {model.within}; REML, {_TESTS[tests.df or 'kenward-roger']}",
            adjusted=True,
            level_assigned=level,
        )
        return row, extra


def _bent_note(p: float | None, last: str) -> list[str]:
    """Return a warning where the lines do not fit the means of the waves."""
    if p is None or p >= _BENT:
        return []
    shown = "< 0.001" if p < 0.001 else f"= {p:.3f}"
    return [
        f"{CHECK}the means of the waves depart from straight lines (F test, p {shown}), "
        f'so the difference at "{last}" may be another than the lines say. The shape "waves" compares the means.'
    ]


def contrast_test(model: GrowthFit, tests: Inference) -> ContrastTest:
    """Return the test of the difference in growth from the baseline to the last wave.

    Raises
    ------
    DesignError
        If it has no degrees of freedom.
    """
    (test,) = model.fit.contrasts(model.contrast, tests.df or "kenward-roger")
    if not (np.isfinite(test.df) and test.df > 0 and test.std_error > 0):
        raise DesignError(
            "the difference in growth has no degrees of freedom: too few clients or clusters show how much it varies.",
            fix="More clients or clusters are needed; or adjust for fewer columns.",
        )
    return test
