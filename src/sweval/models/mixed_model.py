"""The open model for researchers: random effects, with tests that hold with few units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from sweval.errors import DesignError, did_you_mean
from sweval.models.base.design import Design, check_level, located, names
from sweval.models.base.formula import parse_fixed, parse_formula
from sweval.models.base.grouping import highest
from sweval.models.base.mixed_data import MixedRequest, mixed_data
from sweval.models.base.mixed_notes import notes_on_clients, notes_on_shares, notes_on_terms
from sweval.models.base.mixed_result import MixedResult
from sweval.models.base.mixed_rows import fixed_rows, inference_of, notes_on_fit
from sweval.models.base.random_terms import RandomTerm, formula_term, parse_random
from sweval.models.base.residual_terms import ResidualTerms, parse_residual
from sweval.models.base.rows import Facts
from sweval.models.base.variance_rows import notes_on_limits, variance_rows
from sweval.models.engine.mixed.fit import Df, mixed_fit
from sweval.result import BETTER, Fit

_METHODS = ("REML", "ML")


@dataclass(frozen=True, kw_only=True)
class MixedModel(Design):
    """Fit a linear mixed model on terms of your own: clients in groups, groups in agencies, repeated measures.

    Use it for questions the named designs do not ask. It gives coefficients, variance components and joint tests, no
    standardised effect: what the effect is, only you know. With one or two units per factor no variance can be
    estimated; use `ClusterRobust` or a comparison within them.

    Parameters
    ----------
    fixed
        Terms: column names joined by `+ : *` and parentheses; "1" is the intercept alone. Numbers enter as they are;
        text, yes/no and categories become one column per level but the reference level. `outcome ~` before the terms
        names the outcome, which `fit` then needs no more.
    random
        Grouping factor -> what varies between its units: `{"agency": "1 + wave", "agency/client": "1"}`. `a/b` is b
        within a, and ids of b need not be unique across a. Effects correlate where `+` joins them and do not where `||`
        does ("1 || wave"); "0 + wave" has no intercept; `arm[program]` varies in that arm only. A row without a unit
        stays in where all that varies is 0 in it, as for clients in no group.
    residual
        "independent"; "by(arm)": a variance in each arm; "ar1(wave | client)": a correlation that fades with time;
        "compound_symmetry(client)"; "unstructured(wave | client)".
    weights
        Column of prior weights: the residual variance of a row is divided by its weight.
    reference
        Column -> reference level; a numeric column named here becomes categorical. Default: the first level in sorted
        order.
    crossed
        Factors whose ids mean the same unit wherever they occur, such as raters who work in several agencies. Without
        it, ids that occur in several units of a factor they are not said to be within are refused.
    method
        "REML" (default), or "ML" to compare models with different fixed terms.

    Notes
    -----
    t tests with Satterthwaite's df (Fai & Cornelius 1996). With fewer than 20 units of the highest factor the tests of
    Kenward & Roger (1997, Biometrics 53, 983-997) stand beside them, with `_kenward_roger` after the measure. Where one
    variance is estimated at zero the df are those of an estimate that cannot be negative (Self & Liang 1987); where
    more lies on the boundary, or below 6 units, Kenward and Roger's tests are used instead. Rows with measure "wald"
    are F tests of terms with several columns. "sd" and "correlation" are the variance components. Their intervals are
    profiles of the likelihood that was fitted; for REML these cover better with few units than profiles of the full
    likelihood, which R's confint() gives. "icc" is the share of the variance that the terms leave.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "agency": list("aaabbbcccdddeeefff"),
    ...     "arm": ["usual"] * 9 + ["program"] * 9,
    ...     "distress": [14, 12, 11, 15, 13, 17, 9, 11, 12, 8, 10, 7, 9, 11, 9, 12, 13, 10],
    ... })
    >>> model = MixedModel(fixed="arm", random={"agency": "1"}, reference={"arm": "usual"})
    >>> row = model.fit(frame, "distress").effect("coefficient", term="arm[program]")
    >>> round(row.estimate, 2), round(row.df, 1)
    (-2.78, 4.0)
    """

    fixed: str
    random: Mapping[str, str] = field(default_factory=dict)
    residual: str = "independent"
    weights: str | None = None
    reference: Mapping[str, object] = field(default_factory=dict)
    crossed: str | tuple[str, ...] = ()
    method: str = "REML"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method not in _METHODS:
            raise DesignError(
                f'method="{self.method}" is unknown.', where=self.where, fix=did_you_mean(self.method, _METHODS)
            )
        parse_fixed(self.fixed, where=f"{self.where}, fixed")
        random, _ = self._parsed()
        factors = [term.name for term in random]
        for name in names(self.crossed):
            if name not in factors:
                raise DesignError(
                    f'crossed names "{name}", which is no factor of random.',
                    where=self.where,
                    fix=did_you_mean(name, factors),
                )

    @classmethod
    def formula(cls, formula: str, **fields: Any) -> MixedModel:
        """Make the model that a formula of R's lme4 says.

        The formula is read, never evaluated: functions such as `log(age)` are refused; make the column first.

        Parameters
        ----------
        formula
            For example `y ~ arm * wave + (1 + wave | agency) + (1 | agency:client)`. `(1 | a/b)` is short for
            `(1 | a) + (1 | a:b)`; `||` keeps effects from correlating.
        **fields
            The other fields of `MixedModel`.

        Returns
        -------
        MixedModel
            With the outcome in `fixed`, so that `fit(frame)` needs no other name.

        Raises
        ------
        DesignError
            With the position of what cannot be read.

        Examples
        --------
        >>> model = MixedModel.formula("distress ~ arm * wave + (1 + wave | agency) + (1 | agency:client)")
        >>> model.fixed, model.random
        ('distress ~ arm * wave', {'agency': '1 + wave', 'agency/client': '1'})
        """
        doubled = [name for name in ("fixed", "random") if name in fields]
        if doubled:
            raise DesignError(f"{doubled[0]} is in the formula already.", where=cls.__name__, fix="Leave one out.")
        found = parse_formula(formula, where=f"{fields.get('name') or cls.__name__}, formula")
        return cls(fixed=found.fixed, random=found.random, **fields)

    def fit(
        self,
        frame: Any,
        outcome: str | None = None,
        *,
        better: str | None = None,
        conf_level: float = 0.95,
        df: Df = "satterthwaite",
    ) -> MixedResult:
        """Fit the model to one outcome.

        Parameters
        ----------
        frame
            Any data frame that narwhals knows (pandas, polars, pyarrow, DuckDB, Spark).
        outcome
            Column of the outcome, a number. Not needed where `fixed` or the formula names it.
        better
            "higher" or "lower"; it is passed on to the rows and changes no number.
        conf_level
            Level of the intervals.
        df
            "satterthwaite" or "kenward-roger" (needs REML).

        Returns
        -------
        MixedResult
            Rows of coefficients, joint tests, variance components and intraclass correlations; and the fitted model
            for predictions, marginal means and contrasts.

        Raises
        ------
        DataError
            If a column is not there.
        DesignError
            If the data do not identify the model, or ids were used again without saying so.
        """
        check_level(conf_level, where=self.where)
        if better is not None and better not in BETTER:
            raise DesignError(f'better="{better}" is neither "higher" nor "lower".', where=self.where)
        if df not in get_args(Df):
            raise DesignError(f'df="{df}" is unknown.', where=self.where, fix=did_you_mean(str(df), get_args(Df)))
        if df == "kenward-roger" and self.method == "ML":
            raise DesignError("Kenward-Roger needs a REML fit.", where=self.where, fix='Use method="REML".')
        random, residual = self._parsed()
        request = self._request(outcome, random, residual)
        data = mixed_data(frame, request, model=self._model(random, residual))
        with located(f'{self.where}, "{request.outcome}"'):
            fitted = mixed_fit(
                data.y,
                data.X,
                data.factors,
                residual=data.residual,
                weights=data.weights,
                reml=self.method == "REML",
            )
        tests = inference_of(fitted, data.groupings, df)
        top = highest(data.groupings)
        facts = Facts(
            comparison=self.name,
            service=self.service,
            outcome=request.outcome,
            better=better,
            conf_level=conf_level,
            n=fitted.n,
            clusters=min((data.groupings[k].units for k in top), default=None),
        )
        fixed, said = fixed_rows(fitted, data, facts, tests)
        components = variance_rows(facts, fitted, data.design, classes=data.classes)
        above = {data.groupings[k].name for k in top}
        between = [row.estimate for row in components if row.measure == "icc" and row.term in above]
        record = Fit(
            outcome=request.outcome,
            model=data.design.model,
            rows=data.rows,
            used=fitted.n,
            dropped=data.rows - fitted.n,
            clusters=facts.clusters,
            icc=between[0] if len(between) == 1 else None,
            log_likelihood=fitted.log_likelihood,
            converged=fitted.converged,
            singular=fitted.any_singular,
            engine="sweval mixed",
        )
        crossed = request.crossed
        notes = [*data.notes, *notes_on_clients(frame, data, self.client, self.wave, crossed=crossed, where=self.where)]
        notes += [*notes_on_fit(fitted, data), *notes_on_terms(data, request.outcome), *tests.notes, *said]
        notes += [*notes_on_shares(data, components), *notes_on_limits(components)]
        return MixedResult(
            estimates=(*fixed, *components),
            fits=(record,),
            notes=tuple(notes),
            fitted=fitted,
            design=data.design,
            facts=facts,
            df=tests.df or df,
        )

    def _parsed(self) -> tuple[tuple[RandomTerm, ...], ResidualTerms]:
        """Return random terms and residual structure, of which there must be one."""
        residual = parse_residual(self.residual, where=f"{self.where}, residual")
        if not self.random and residual.kind != "independent":
            return (), residual
        return parse_random(self.random, where=f"{self.where}, random"), residual

    def _request(self, outcome: str | None, random: tuple[RandomTerm, ...], residual: ResidualTerms) -> MixedRequest:
        """Return what the data are asked for; the outcome must be named once, or twice alike."""
        own, terms = parse_fixed(self.fixed, where=f"{self.where}, fixed")
        if outcome is None and own is None:
            raise DesignError("no outcome is named.", where=self.where, fix='Write .fit(frame, "outcome").')
        if outcome is not None and own not in (None, outcome):
            raise DesignError(
                f'fixed names the outcome "{own}", and fit is asked for "{outcome}".',
                where=self.where,
                fix="Name it once.",
            )
        return MixedRequest(
            outcome=str(outcome or own),
            terms=terms,
            random=random,
            residual=residual,
            weights=self.weights,
            reference=self.reference,
            crossed=names(self.crossed),
            wave=self.wave,
            waves=self.outcome_waves,
            where=self.where,
        )

    def _model(self, random: tuple[RandomTerm, ...], residual: ResidualTerms) -> str:
        """Return the model in one line."""
        fixed = self.fixed.rpartition("~")[2].strip()
        effects = [
            formula_term(self.random[key], term.factor, diagonal=term.diagonal)
            for key, term in zip(self.random, random, strict=True)
        ]
        text = " + ".join([fixed, *effects])
        return text if residual.kind == "independent" else f"{text}, residuals {residual.spelled}"
