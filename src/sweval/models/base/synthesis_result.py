"""What a synthesis returns: rows as every design, and what the fitted model can be asked further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sweval.models.base.rows import Facts
from sweval.models.base.synthesis_fit import Fitted, fit_working_model
from sweval.models.base.synthesis_rows import Target, quantile
from sweval.models.engine.meta.multilevel import MultilevelFit
from sweval.models.engine.ols import Array
from sweval.result import Result

if TYPE_CHECKING:
    import pandas as pd

RHO = tuple(round(0.1 * step, 1) for step in range(10))
"""Correlations for which a synthesis is repeated."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SynthesisResult(Result):
    """Result of a synthesis.

    Joined with another result (`+`) it becomes a plain `Result` of rows.

    Parameters
    ----------
    sensitivity
        Means and coefficients for rho from 0 to .9: columns rho, term, measure, estimate, std_error, conf_low,
        conf_high, df, p_value and one column tau2 per level. Empty where rho plays no part.
    fitted
        The fitted working model.
    targets
        The means.
    facts
        What all rows have in common.
    """

    sensitivity: pd.DataFrame
    fitted: Fitted
    targets: tuple[Target, ...]
    facts: Facts

    def effects(self) -> pd.DataFrame:
        """Return the effects that were combined, with their weights.

        Returns
        -------
        pandas.DataFrame
            One row per effect: study, row (number of its row in the table, 0 = first), estimate, variance, std_error,
            conf_low, conf_high (normal), weight (percent in the mean it belongs to; with correlated errors a weight may
            be negative) and fitted.
        """
        from sweval.models.base.synthesis_influence import effects_frame

        return effects_frame(self.fitted, self.targets, self.facts.conf_level)

    def bias(self) -> Result:
        """Look for small-study effects and publication bias.

        Use it as a set of questions to the evidence, none of which proves that studies are missing: effects also differ
        by size where small studies serve other people or are done with more care.

        Returns
        -------
        Result
            "egger": slope on the standard error, by the working model and robust tests of the synthesis (where the
            table has `weight_variance`, on its root, which does not depend on the effect: Pustejovsky & Rodgers 2019).
            "mean_effect_pet", "mean_effect_peese" and "mean_effect_pet_peese", the one that PET's test chooses.
            "mean_effect_trim_and_fill" with "missing_effects" (exploratory) and "mean_effect_selection" with
            "selection_weight", both from one composite per study.
        """
        from sweval.models.base.synthesis_bias import bias_rows

        return bias_rows(self.fitted, self.facts)

    def leave_one_out(self) -> pd.DataFrame:
        """Return the means without each study in turn.

        Returns
        -------
        pandas.DataFrame
            study, effects, term, estimate, std_error, conf_low, conf_high, df, p_value and tau2 (of all levels) without
            the study; NaN where the rest does not identify the model.
        """
        from sweval.models.base.synthesis_influence import leave_one_out

        return leave_one_out(self.fitted, self.targets, self.facts.conf_level)

    def influence(self) -> pd.DataFrame:
        """Return how much each study moves the coefficients.

        Returns
        -------
        pandas.DataFrame
            study, effects, cooks_distance (squared change of all coefficients in units of their covariance), tau2
            without the study, and for each coefficient how much it changes by the study.
        """
        from sweval.models.base.synthesis_influence import influence

        return influence(self.fitted)

    def cumulative(self, by: str) -> pd.DataFrame:
        """Return the mean as studies came in.

        Parameters
        ----------
        by
            Column that orders the studies, such as the year; a study counts at its lowest value.

        Returns
        -------
        pandas.DataFrame
            One row per study from the second on: the column, added (study), studies, effects, estimate, std_error,
            conf_low, conf_high, df, p_value, tau2.

        Raises
        ------
        DesignError
            If the column gives no order, or the synthesis has several means.
        """
        from sweval.models.base.synthesis_influence import cumulative

        return cumulative(self.fitted, self.targets, by, self.facts.conf_level)


def targets_and_coefficients(fitted: Fitted, targets: Sequence[Target]) -> tuple[list[tuple[str, str]], Array]:
    """Return term and measure of means and coefficients, and their weights (m, p)."""
    named = [(target.term, "mean_effect") for target in targets]
    weights = [target.weights for target in targets]
    if len(fitted.names) > 1:
        named += [(name, "coefficient") for name in fitted.names]
        weights += list(np.eye(len(fitted.names)))
    return named, np.array(weights)


def sensitivity_frame(fitted: Fitted, targets: Sequence[Target], conf_level: float) -> pd.DataFrame:
    """Return means and coefficients for other correlations of the errors; see `SynthesisResult.sensitivity`."""
    import pandas as pd

    plan, effects = fitted.plan, fitted.effects
    plays = (
        plan.model in ("CHE", "CE", "SCE", "CORR") and plan.covariance is None and len(effects.y) > len(effects.studies)
    )
    named, weights = targets_and_coefficients(fitted, targets)
    lines: list[dict[str, object]] = []
    start: Array | None = None
    for rho in RHO if plays else ():
        other = fitted
        if rho != plan.rho:
            other = fit_working_model(effects, fitted.encoded, replace(plan, rho=rho), start=start)
        if not isinstance(other.model, MultilevelFit):
            break
        start = other.model.sigma2
        levels = zip((c.name for c in other.model.components), other.model.sigma2.tolist(), strict=True)
        variances = {f"tau2 {name}": value for name, value in levels}
        for (term, measure), test in zip(named, other.tests(weights), strict=True):
            reach = np.nan if np.isnan(test.df) else quantile(test.df, conf_level) * test.std_error
            lines.append(
                {
                    "rho": rho, "term": term, "measure": measure, "estimate": test.estimate,
                    "std_error": test.std_error, "conf_low": test.estimate - reach,
                    "conf_high": test.estimate + reach, "df": test.df, "p_value": test.p_value, **variances,
                }
            )  # fmt: skip
    columns = ["rho", "term", "measure", "estimate", "std_error", "conf_low", "conf_high", "df", "p_value"]
    return pd.DataFrame(lines) if lines else pd.DataFrame({name: [] for name in columns})


def sensitivity_note(frame: pd.DataFrame, fitted: Fitted) -> list[str]:
    """Say in one sentence how far the assumed correlation matters."""
    if frame.empty:
        return []
    shown = frame[frame["measure"] == "mean_effect"]
    spread = shown.groupby("term")["estimate"].agg(["min", "max"])
    widest = (spread["max"] - spread["min"]).idxmax()
    low, high = spread.loc[widest, "min"], spread.loc[widest, "max"]
    errors = shown.groupby("term")["std_error"].agg(["min", "max"])
    ratio = float((errors["max"] / errors["min"]).max())
    factor = f", and no standard error changes by more than a factor of {ratio:.2f}" if np.isfinite(ratio) else ""
    return [
        f"The correlation of the errors within studies ({fitted.plan.rho:g}) is assumed. From 0 to .9, the mean "
        f"that changes most ({widest}) lies between {low:.3f} and {high:.3f}{factor}."
    ]
