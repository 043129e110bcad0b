"""Many studies together: which service helps more, how sure that is, and how much it differs between studies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sweval.errors import DesignError
from sweval.models.base.design import Design, check_level
from sweval.models.base.rows import Facts
from sweval.models.base.synthesis_comparison import comparison_rows
from sweval.models.base.synthesis_data import Asked, Effects, moderator_notes, take_effects
from sweval.models.base.synthesis_fit import Plan, check_plan
from sweval.models.base.synthesis_model import model_effects
from sweval.models.base.synthesis_result import SynthesisResult, sensitivity_frame, sensitivity_note
from sweval.models.base.synthesis_rows import (
    coefficient_and_joint_rows,
    df_notes,
    heterogeneity_rows,
    mean_rows,
)
from sweval.models.base.terms import Term, columns_of, parse_terms
from sweval.models.engine.ols import Array
from sweval.result import BETTER, Fit


@dataclass(frozen=True, kw_only=True)
class Synthesis(Design):
    """Combine effects of several studies, sites or comparisons, and ask what makes them differ.

    Use it for effects that are measured in one thing (`metric`): rows of `tidy()`, results of last year, numbers from
    reports. Studies may bring several effects; nobody needs to know how their errors correlate. Not for effects that
    answer different questions: a mean of those means nothing.

    Parameters
    ----------
    effects, variance
        Columns of the effects and of their sampling variances ("variance" by default).
    std_error
        Column of standard errors, instead of `variance`.
    study
        Column that tells studies apart; effects of different studies are taken to be independent.
    effect
        Column that tells the effects of a study apart; without it any two rows may be two effects, unless all columns
        are equal.
    moderators
        Terms: columns joined by `+ : *`. `side` (direct or indirect) is made from a column `service`.
    reference
        Column -> reference level; a numeric column named here becomes categorical.
    compare
        Column whose levels are compared, such as "side" or "service": the mean of each, every difference between and
        within studies, and the difference adjusted for the moderators; notes say what the data cannot tell apart.
    model
        "CHE" (default): correlated and hierarchical effects, true effects vary between and within studies, and errors
        correlate by `rho`. "HE": the same without correlated errors. "CE": no variance within studies. "SCE": one
        variance between studies for each level of `subgroup`. "RE": independent effects. "CORR": the weights of
        robumeta, for comparison with it (rho .8 there).
    rho
        Assumed correlation of the sampling errors of two effects of one study. The result is given for 0 to .9 as well.
    subgroup
        For "SCE": the column whose levels have a variance each.
    random
        Further levels: "study/sample" is nested in study, "scale" crosses studies where its values do.
    cluster
        Column of clusters above studies, such as research teams.
    control, control_n
        Columns of the control arm that several effects share and of its number of persons; the column `n` has that of
        both arms. Their covariance is then computed instead of assumed.
    method
        "REML" (default) or "ML"; "EE" for equal true effects; for "RE" also "DL", "PM", "EB", "SJ", "HE", "HS".
    test
        "CR2" (default) and its kin; for "RE" also "knapp-hartung", "knapp-hartung-adhoc"; "t", "z".
    metric
        Take only the effects measured in this.
    generalized_inverse
        Whether coefficients that rest on one study get clubSandwich's standard errors, which are far too small. For
        comparison with that program only.

    Notes
    -----
    Pustejovsky & Tipton (2022, Prevention Science 23, 425-438) for the models; CR2 with Satterthwaite's df and the
    approximate Hotelling test AHT (HTZ) hold their level with few studies (Tipton & Pustejovsky 2015), and stay valid
    where rho is wrong. Below 4 df they are rough, and a note says so.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "study": list("aabbccddeeff"),
    ...     "service": ["group", "group", "training", "group", "training", "training"] * 2,
    ...     "estimate": [0.41, 0.52, 0.18, 0.30, 0.22, 0.10, 0.60, 0.35, 0.05, 0.44, 0.31, 0.27],
    ...     "variance": [0.03, 0.04, 0.05, 0.04, 0.02, 0.02, 0.06, 0.05, 0.03, 0.04, 0.02, 0.03],
    ...     "metric": "person_total",
    ... })
    >>> result = Synthesis(moderators="service").fit(frame)
    >>> row = result.effect("mean_effect", term="service[training]")
    >>> round(row.estimate, 2), round(row.df, 1), row.clusters
    (0.18, 2.8, 4)
    """

    effects: str = "estimate"
    variance: str | None = None
    std_error: str | None = None
    study: str = "study"
    effect: str | None = None
    moderators: str = ""
    reference: Mapping[str, object] = field(default_factory=dict)
    compare: str | None = None
    model: str = "CHE"
    rho: float = 0.6
    subgroup: str | None = None
    random: tuple[str, ...] = ()
    cluster: str | None = None
    control: str | None = None
    control_n: str | None = None
    method: str = "REML"
    test: str = "CR2"
    metric: str | None = None
    generalized_inverse: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.random, str):
            object.__setattr__(self, "random", (self.random,))
        if self.model == "SCE" and self.subgroup is None and self.compare is not None:
            object.__setattr__(self, "subgroup", self.compare)
        if self.client or self.wave:
            raise DesignError("a synthesis has no clients and waves; its rows are effects.", where=self.where)
        if self.variance is not None and self.std_error is not None:
            raise DesignError("variance and std_error are both given.", where=self.where, fix="Name one of them.")
        if (self.control is None) != (self.control_n is None):
            raise DesignError("control and control_n belong together.", where=self.where)
        check_plan(self._plan(None))
        self._terms()

    def fit(
        self,
        frame: Any,
        outcome: str | None = None,
        *,
        better: str | None = None,
        conf_level: float = 0.95,
        covariance: ArrayLike | None = None,
    ) -> SynthesisResult:
        """Combine the effects of a table.

        Parameters
        ----------
        frame
            A data frame with one row per effect, or a `Result` of ours.
        outcome
            Take only the effects on this outcome, as the column `outcome` names it. By default, or with the name of the
            column of effects (as in a study file), all.
        better
            "higher" or "lower": which direction of the effects is an improvement; effects of ours point up.
        conf_level
            Level of the intervals.
        covariance
            Sampling covariance of all rows of the table, instead of `rho`.

        Returns
        -------
        SynthesisResult
            Rows "mean_effect" (of all, or by level of each categorical moderator) each with a "prediction" interval,
            "coefficient" and "wald" where there are moderators; with `compare` instead "difference_in_effects",
            "difference_within_studies" and "difference_adjusted"; then "q", "tau2" and "i2". `sensitivity` holds
            means and coefficients for other values of rho.

        Raises
        ------
        DataError
            If a column is not there.
        DesignError
            If the effects cannot be combined as asked; the message says why.
        """
        check_level(conf_level, where=self.where)
        if better is not None and better not in BETTER:
            raise DesignError(f'better="{better}" is neither "higher" nor "lower".', where=self.where)
        terms = self._terms()
        outcome = None if outcome == self.effects else outcome  # as a study file names it
        effects = take_effects(frame, self._asked(outcome))
        given = _covariance_of_rows(covariance, effects, self.where)
        if given is not None:
            effects = replace(effects, v=np.diag(given).copy())
        plan = self._plan(given)
        shown = terms if self.compare is None else ((self.compare,),)
        model = model_effects(effects, shown, plan, reference=self.reference)
        fitted, encoded = model.fitted, model.fitted.encoded
        facts = Facts(
            comparison=self.name, service=self.service, outcome=outcome or "", better=better, conf_level=conf_level,
            n=len(effects.y), clusters=fitted.clusters,
        )  # fmt: skip
        notes = [*effects.notes, *encoded.notes, *fitted.notes]
        notes += moderator_notes(effects, self._columns(), self.study)
        notes += [
            f'"{encoded.names[k]}" adds nothing to the terms before it and was left out.' for k in fitted.model.aliased
        ]
        rows = mean_rows(fitted, model.targets, facts)
        if self.compare is None:
            rows += coefficient_and_joint_rows(fitted, terms, facts, notes)
        else:
            rows += comparison_rows(model, self.compare, terms, facts=facts, reference=self.reference, notes=notes)
        rows += heterogeneity_rows(fitted, fitted.levels(conf_level), facts)
        notes += df_notes(rows, exact=fitted.exact)
        sensitivity = sensitivity_frame(fitted, model.targets, conf_level)
        notes += sensitivity_note(sensitivity, fitted)
        right = self.moderators or "1" if self.compare is None else self.compare
        record = Fit(
            outcome=outcome, model=f"{self.effects} ~ {right} | {self.study} ({fitted.method})", rows=effects.rows,
            used=len(effects.y), dropped=effects.rows - len(effects.y), clusters=fitted.clusters,
            log_likelihood=fitted.model.log_likelihood, converged=fitted.model.converged, singular=fitted.singular,
            engine="sweval",
        )  # fmt: skip
        return SynthesisResult(
            estimates=tuple(replace(row, outcome=outcome) for row in rows),
            fits=(record,), notes=tuple(dict.fromkeys(notes)), sensitivity=sensitivity,
            fitted=fitted, targets=model.targets, facts=facts,
        )  # fmt: skip

    def _terms(self) -> tuple[Term, ...]:
        """Return the moderators as terms."""
        text = self.moderators.strip()
        return parse_terms(text, where=f"{self.where}, moderators") if text not in ("", "1") else ()

    def _columns(self) -> tuple[str, ...]:
        """Return the columns that are to explain differences."""
        return columns_of(((self.compare,), *self._terms()) if self.compare is not None else self._terms())

    def _asked(self, outcome: str | None) -> Asked:
        """Return which columns play which part."""
        nested = [name for entry in self.random for name in entry.split("/")]
        levels = [*nested, *(name for name in (self.subgroup, self.cluster) if name is not None)]
        return Asked(
            effects=self.effects, variance=self.variance, std_error=self.std_error, study=self.study,
            effect=self.effect, metric=self.metric, outcome=outcome, columns=self._columns(),
            levels=tuple(dict.fromkeys(levels)),
            control=tuple(name for name in (self.control, self.control_n) if name is not None), where=self.where,
        )  # fmt: skip

    def _plan(self, covariance: Array | None) -> Plan:
        """Return the model that the fields ask for."""
        return Plan(
            model=self.model, rho=self.rho, method=self.method, test=self.test, subgroup=self.subgroup,
            random=self.random, cluster=self.cluster, generalized=self.generalized_inverse, covariance=covariance,
            control=None if self.control is None or self.control_n is None else (self.control, self.control_n),
            where=self.where,
        )  # fmt: skip


def _covariance_of_rows(covariance: ArrayLike | None, effects: Effects, where: str) -> Array | None:
    """Return the part of a given covariance that belongs to the effects that are used."""
    if covariance is None:
        return None
    given = np.asarray(covariance, dtype=float)
    if given.shape != (effects.rows, effects.rows):
        raise DesignError(
            f"the covariance has shape {given.shape}, but the table has {effects.rows} rows.",
            where=where,
            fix="Give one row and column for every row of the table, in its order.",
        )
    used = given[np.ix_(effects.positions, effects.positions)]
    if not np.isfinite(used).all() or not np.allclose(used, used.T):
        raise DesignError("the covariance has missing values, or is not symmetric.", where=where)
    return used
