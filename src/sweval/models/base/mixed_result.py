"""What a mixed model returns: rows as every design, and the fitted model for further questions."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sweval.errors import DesignError
from sweval.models.base.design import check_level
from sweval.models.base.marginal_means import Questions
from sweval.models.base.mixed_design import MixedDesign
from sweval.models.base.rows import Facts
from sweval.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from sweval.models.engine.mixed.fit import Df, MixedFit


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MixedResult(Result):
    """Result of a mixed model; besides its rows it answers what a fitted model can be asked.

    Joined with another result (`+`) it becomes a plain `Result` of rows.

    Parameters
    ----------
    fitted
        The fit of the engine.
    design
        Its columns in the words of the data.
    facts
        What all rows have in common.
    df
        Method of the degrees of freedom that the rows used.

    Examples
    --------
    >>> import pandas as pd
    >>> from sweval.models.mixed_model import MixedModel
    >>> frame = pd.DataFrame({
    ...     "agency": list("aaabbbcccdddeeefff"),
    ...     "arm": ["usual"] * 9 + ["program"] * 9,
    ...     "distress": [14, 12, 11, 15, 13, 17, 9, 11, 12, 8, 10, 7, 9, 11, 9, 12, 13, 10],
    ... })
    >>> result = MixedModel(fixed="arm", random={"agency": "1"}, reference={"arm": "usual"}).fit(frame, "distress")
    >>> [(row.term, round(row.estimate, 2)) for row in result.marginal_means("arm").estimates]
    [('arm[usual]', 12.67), ('arm[program]', 9.89)]
    >>> result.contrasts("arm").estimates[0].term
    'arm[program] - arm[usual]'
    >>> result.predict(random=False).round(2).unique().tolist()
    [12.67, 9.89]
    """

    fitted: MixedFit
    design: MixedDesign
    facts: Facts
    df: Df

    def predict(self, frame: Any = None, *, random: bool = True) -> pd.Series:
        """Predict the outcome.

        Parameters
        ----------
        frame
            New rows with the columns of the terms (and, for `random=True`, of the grouping factors); by default the
            rows of the fit.
        random
            Whether the units' own effects are in; else the value of an average unit. A unit that the model has not
            seen has the value of an average one, and a `SwevalWarning` says how many rows that are; `known_units`
            says which.

        Returns
        -------
        pandas.Series
            Indexed as the pandas frame, else by the number of the row in the data (0 = first); missing where a term is
            missing.

        Raises
        ------
        DataError
            If a column is absent, or holds a level that was not in the data of the model.
        DesignError
            If a column that held numbers holds something else.
        """
        from sweval.models.base.mixed_prediction import predict

        return predict(self.fitted, self.design, self.facts.outcome, frame, random=random)

    def known_units(self, frame: Any) -> pd.DataFrame:
        """Tell for every new row and factor whether the model has seen the unit, or none is needed."""
        from sweval.models.base.mixed_prediction import known_units

        return known_units(self.design, frame)

    def residuals(self, kind: Literal["conditional", "marginal", "standardized"] = "conditional") -> pd.Series:
        """Return what the model leaves unexplained in every row of the fit.

        Parameters
        ----------
        kind
            "conditional": outcome less prediction with random effects. "marginal": less that of an average unit.
            "standardized": conditional, divided by the residual standard deviation of the row.

        Returns
        -------
        pandas.Series
            Indexed as the pandas frame, else by the number of the row in the data (0 = first).

        Raises
        ------
        DesignError
            If the kind is unknown.
        """
        from sweval.models.base.mixed_prediction import residuals

        return residuals(self.fitted, self.design, self.facts.outcome, kind)

    def random_effects(self) -> pd.DataFrame:
        """Return the random effects of every unit, with standard errors given the parameters of the model.

        The `unit` column holds ids of units (clients, agencies): do not publish it.

        Returns
        -------
        pandas.DataFrame
            Columns `factor`, `unit`, `term`, `estimate`, `std_error`. Estimates are shrunk towards zero; units that
            seem extreme because they are small are shrunk most.
        """
        from sweval.models.base.mixed_prediction import random_effects

        return random_effects(self.fitted, self.design)

    def r_squared(self) -> Result:
        """Return the share of variance that fixed effects, and fixed and random effects, account for.

        Returns
        -------
        Result
            Rows with measure `r_squared_marginal` and `r_squared_conditional`.

        Notes
        -----
        Nakagawa & Schielzeth (2013, Methods in Ecology and Evolution 4, 133-142), with the random slopes of Johnson
        (2014, Methods in Ecology and Evolution 5, 944-946): the variance of the random part is the mean over rows of
        z'Psi z. Where residual variances differ, their mean over rows is used. No interval is given.
        """
        from sweval.models.base.mixed_prediction import r_squared

        return r_squared(self.fitted, self.facts)

    def likelihood_ratio(self, other: MixedResult) -> Result:
        """Compare with another model of the same rows by a likelihood-ratio test.

        Use it for variance parameters, and for fixed effects only where there are many units: with few of them the
        test of fixed effects rejects too often, and the t and F tests of the rows are better.

        Parameters
        ----------
        other
            A model that this one contains, or that contains this one.

        Returns
        -------
        Result
            A row with measure `likelihood_ratio`; where a variance is tested against zero also one with measure
            `likelihood_ratio_mixture`.

        Raises
        ------
        DesignError
            If the other is no mixed model, the models have other rows, or neither contains the other.

        Notes
        -----
        Both models are fitted again by maximum likelihood where their fixed parts differ or one was fitted by it. A
        variance of zero lies on the boundary, so the chi-square p-value is too large; for one more effect that
        correlates with q others the statistic is distributed as an equal mixture of chi-squares with q and q + 1
        degrees of freedom (Self & Liang 1987; Stram & Lee 1994, Biometrics 50, 1171-1177).
        """
        from sweval.models.base.likelihood_ratio import likelihood_ratio

        if not isinstance(other, MixedResult):
            raise DesignError(
                "the other model is no result of a mixed model.",
                where="likelihood_ratio",
                fix="Pass what MixedModel(...).fit(...) returned; results joined with + hold rows only.",
            )
        return likelihood_ratio((self.fitted, self.design, self.facts), (other.fitted, other.design, other.facts))

    def marginal_means(
        self,
        terms: str | Sequence[str],
        *,
        at: Mapping[str, object] | None = None,
        trend: str | None = None,
        df: Df | None = None,
        conf_level: float | None = None,
    ) -> Result:
        """Return the mean outcome at combinations of terms, all else equal (what R's emmeans returns).

        Parameters
        ----------
        terms
            Columns, as `"arm * wave"` or `["arm", "wave"]`.
        at
            Column -> value or values at which to look, for example `{"wave": [0, 8]}`. Without it a category enters
            with all its levels, a number with its mean (with both values where it has only two).
        trend
            A numeric column: the slopes on it are returned instead of means.
        df
            "satterthwaite" or "kenward-roger"; by default as in the rows of the fit.
        conf_level
            Level of the intervals; by default that of the fit.

        Returns
        -------
        Result
            Rows with measure `marginal_mean` (or `slope`). Categories that are not named are averaged with equal
            weights, as in a balanced population.

        Raises
        ------
        DesignError
            If a column is in no term of the model, or a value is not one of its levels.

        Notes
        -----
        Searle, Speed & Milliken (1980, The American Statistician 34, 216-221).
        """
        from sweval.models.base.marginal_means import marginal_means

        return marginal_means(self.asked(df, conf_level), terms, at=at, trend=trend)

    def contrasts(
        self,
        terms: str | Sequence[str],
        *,
        at: Mapping[str, object] | None = None,
        by: str | Sequence[str] | None = None,
        method: Literal["pairwise", "reference"] = "pairwise",
        adjust: Literal["holm", "tukey"] | None = None,
        trend: str | None = None,
        df: Df | None = None,
    ) -> Result:
        """Compare marginal means (or slopes) with each other.

        Parameters
        ----------
        terms, at, trend, df
            As in `marginal_means`.
        by
            Columns within whose values to compare.
        method
            "pairwise": every later combination less every earlier one, so that the sign is that of the coefficients.
            "reference": every other less the first.
        adjust
            Adjustment within each value of `by`: "holm" (any contrasts; Bonferroni intervals), "tukey" (all pairs), or
            none.

        Returns
        -------
        Result
            Rows with measure `contrast`, and for three and more means one with measure `joint_test` that all are equal.

        Raises
        ------
        DesignError
            As `marginal_means`; or if there is nothing to compare.
        """
        from sweval.models.base.marginal_means import contrasts

        return contrasts(self.asked(df, None), terms, at=at, by=by, method=method, adjust=adjust, trend=trend)

    def influence(self, factor: str | None = None) -> pd.DataFrame:
        """Fit the model without each unit of a factor in turn, to see what rests on one unit.

        Parameters
        ----------
        factor
            Name of the factor; by default the one with the fewest units.

        Returns
        -------
        pandas.DataFrame
            One row per unit: `unit` (an id: do not publish it), `rows`, `cooks_distance`, and the change of every
            coefficient (without the unit less with it); missing where the coefficient cannot be had without the unit.

        Raises
        ------
        DesignError
            If the factor is not in the model.

        Notes
        -----
        Cook's distance is `d'V^-1 d / p` with d the change of the p coefficients and V their covariance (Cook, 1977,
        Technometrics 19, 15-18).
        """
        from sweval.models.base.influence import influence

        return influence(self.fitted, self.design, factor)

    def asked(self, df: Df | None, conf_level: float | None) -> Questions:
        """Return what marginal means and contrasts need, with the defaults of this result filled in."""
        if conf_level is not None:
            if isinstance(conf_level, bool) or not isinstance(conf_level, int | float):
                raise DesignError("conf_level is no number.", where="conf_level", fix="Try 0.95.")
            check_level(conf_level, where="conf_level")
        return Questions(
            fitted=self.fitted,
            design=self.design,
            facts=self.facts,
            df=self.df if df is None else df,
            conf_level=self.facts.conf_level if conf_level is None else conf_level,
        )

    def __repr__(self) -> str:
        from sweval.models.base.mixed_print import printed

        return printed(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"
