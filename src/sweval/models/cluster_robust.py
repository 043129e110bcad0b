"""The open model for researchers: least squares or logistic regression on any terms, cluster-robust tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError, did_you_mean
from sweval.models.base.binary_outcome import check_varies, separation_in_words, zero_one
from sweval.models.base.complete_rows import CompleteRows, require_terms, take_rows
from sweval.models.base.conditional_odds import conditional_rows
from sweval.models.base.design import Design, check_level, names
from sweval.models.base.robust_fit import (
    ALL_KINDS,
    GEE_KINDS,
    WORKING,
    FamilyName,
    RobustFit,
    linear_fit,
    logistic_fit,
    marginal_fit,
)
from sweval.models.base.rows import Facts, coefficient_rows, wald_row
from sweval.models.base.standardisation import event_rows, standardisable, standardise, standardised_rows
from sweval.models.base.terms import Encoded, Read, Term, columns_of, encode, parse_terms, read_columns
from sweval.models.base.values import keyed
from sweval.models.engine.logistic import SeparationError
from sweval.models.engine.ols import Array
from sweval.models.engine.sandwich import ContrastTest
from sweval.result import BETTER, Estimate, Fit, Result

FAMILIES = ("gaussian", "binomial")
CORRELATIONS = ("independence", "exchangeable")


@dataclass(frozen=True, kw_only=True)
class _Data:
    """The complete rows as arrays."""

    y: Array
    weights: Array | None
    cluster: NDArray[np.intp]
    absorb: tuple[NDArray[np.intp], ...]
    encoded: Encoded
    read: Read
    rows: int
    notes: list[str]


@dataclass(frozen=True, kw_only=True)
class ClusterRobust(Design):
    """Fit a linear or logistic model on terms of your own, with standard errors that hold for clients in clusters.

    Use it for questions the named designs do not ask: `arm * wave + age`, fixed effects, weights, yes/no outcomes. Rows
    are used as they are, so a client may have several as long as all are in the same cluster. It gives coefficients and
    joint tests, no standardised effect: what the effect is, only you know.

    Parameters
    ----------
    fixed
        Terms: column names joined by `+ : *` and parentheses. Numbers enter as they are; text, yes/no and categories
        become one column per level but the reference level. Names that hold an operator stand between back-quotes.
    cluster
        Column of the highest level at which rows belong together.
    kind
        "CR2" (default), "CR3" (jackknife), or "CR0", "CR1", "CR1S" to compare with other software. For yes/no outcomes
        and marginal models also "KC" (Kauermann-Carroll) and "MD" (Mancl-DeRouen).
    weights
        Column of positive weights.
    working
        What the weights are: "constant" for sampling or attrition weights (errors of equal variance), "inverse_weights"
        where they are the inverse variances of the errors.
    reference
        Column -> reference level; a numeric column named here becomes categorical. Default: the first level in sorted
        order.
    family
        "gaussian" (default) for numbers, "binomial" for an outcome that is 0 or 1: logistic regression.
    correlation
        "independence" (default), or "exchangeable": a marginal model (GEE) in which any two rows of a cluster are
        equally correlated, which is more precise where clusters differ in size.
    absorb
        Column, or columns, whose levels get an effect each without being printed (fixed effects of agencies, years);
        for family="gaussian".

    Notes
    -----
    t tests with Satterthwaite's df (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018). Rows with measure "wald" are
    joint tests by the approximate Hotelling test AHT, in clubSandwich called HTZ (Tipton & Pustejovsky 2015): one of
    all slopes, and one of every term with several columns.

    For family="binomial" coefficients are log odds ratios. Beside them every category, and every number that is 0 or 1,
    gets `events` (how many of the `n` rows), `risk` (mean predicted risk if every row had this level),
    `risk_difference`, `risk_ratio`, `odds_ratio` and `nnt` against its reference level, standardised over the rows
    used, covariates taken as fixed. The interval of `nnt` (Altman 1998, BMJ 317, 1309-1312) is closed only where that
    of the risk difference excludes 0; else `method` says its two parts. `odds_ratio_conditional` comes from a mixed
    logistic model; below 40 clusters it has a p-value only where the corrected logistic regression agrees.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "agency": list("aabbccddeeff"),
    ...     "arm": ["usual", "usual"] * 3 + ["program", "program"] * 3,
    ...     "age": [30, 41, 25, 37, 52, 44, 29, 33, 48, 61, 39, 27],
    ...     "distress": [14, 12, 11, 15, 13, 16, 9, 11, 12, 8, 10, 7],
    ...     "housed": [0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1],
    ... })
    >>> model = ClusterRobust(fixed="arm + age", cluster="agency", reference={"arm": "usual"})
    >>> [row.term for row in model.fit(frame, "distress").estimates]
    ['(Intercept)', 'arm[program]', 'age', 'all slopes']
    >>> housed = ClusterRobust(fixed="arm", cluster="agency", reference={"arm": "usual"}, family="binomial")
    >>> round(housed.fit(frame, "housed").effect("risk_difference").estimate, 3)
    0.5
    """

    fixed: str
    cluster: str
    kind: str = "CR2"
    weights: str | None = None
    working: str = "constant"
    reference: Mapping[str, object] = field(default_factory=dict)
    family: str = "gaussian"
    correlation: str = "independence"
    absorb: str | tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for value, options, what in (
            (self.kind, ALL_KINDS, "kind"),
            (self.working, WORKING, "working"),
            (self.family, FAMILIES, "family"),
            (self.correlation, CORRELATIONS, "correlation"),
        ):
            if value not in options:
                raise DesignError(f'{what}="{value}" is unknown.', where=self.where, fix=did_you_mean(value, options))
        parse_terms(self.fixed, where=f"{self.where}, fixed")
        marginal = self.correlation == "exchangeable"
        if self.kind in GEE_KINDS and self.family == "gaussian" and not marginal:
            raise DesignError(
                f'kind="{self.kind}" is for marginal models.',
                where=self.where,
                fix=f'For least squares it equals kind="{GEE_KINDS[self.kind]}".',
            )
        if marginal and self.weights is not None:
            raise DesignError(
                'correlation="exchangeable" takes no weights.',
                where=self.where,
                fix='Use correlation="independence", or leave the weights out.',
            )
        if names(self.absorb) and (marginal or self.family == "binomial"):
            raise DesignError(
                "effects can be absorbed in least squares only.",
                where=self.where,
                fix='Name the columns in fixed, or use family="gaussian" with correlation="independence".',
            )

    def fit(self, frame: Any, outcome: str, *, better: str | None = None, conf_level: float = 0.95) -> Result:
        """Fit the model to one outcome.

        Parameters
        ----------
        frame
            Any data frame that narwhals knows (pandas, polars, pyarrow, DuckDB, Spark).
        outcome
            Column of the outcome: a number; for family="binomial" 0 and 1, or true and false.
        better
            "higher" or "lower"; it is passed on to the rows and changes no number but the sign of `nnt`. For 0 and 1:
            whether the event is wanted.
        conf_level
            Level of the intervals.

        Returns
        -------
        Result
            One row per coefficient and one per joint test; for family="binomial" also risks and their contrasts.

        Raises
        ------
        DataError
            If a column is not there.
        DesignError
            If the terms cannot be read, or the data do not identify the model.
        """
        check_level(conf_level, where=self.where)
        if better is not None and better not in BETTER:
            raise DesignError(f'better="{better}" is neither "higher" nor "lower".', where=self.where)
        data = self._complete(frame, outcome, parse_terms(self.fixed, where=f"{self.where}, fixed"))
        fit = self._fitted(data, outcome)
        terms = tuple(data.encoded.names[k] for k in fit.kept)
        tests = fit.covariance.contrasts(fit.contrast(np.eye(len(terms)))) if terms else ()
        clusters = fit.covariance.clusters
        facts = Facts(
            comparison=self.name,
            service=self.service,
            outcome=outcome,
            better=better,
            conf_level=conf_level,
            n=len(data.y),
            clusters=clusters,
        )
        notes = [*data.notes, *fit.notes]
        notes += [
            f'"{data.encoded.names[k]}" adds nothing to the terms before it and was left out.' for k in fit.aliased
        ]
        lonely = [name for name, test in zip(terms, tests, strict=True) if np.isnan(test.df)]
        if lonely:
            notes.append(f'No standard error for {", ".join(lonely)}: in this model it rests on one "{self.cluster}".')
        few = [name for name, test in zip(terms, tests, strict=True) if test.df < 4]
        if few:
            notes.append(f"Fewer than 4 degrees of freedom for {', '.join(few)}: take these p-values as rough.")
        joint = _joint_rows(facts, fit, [data.encoded.terms[k] for k in fit.kept], self.kind, notes)
        rows = [*coefficient_rows(facts, terms, tests, method=fit.method), *joint]
        if self.family == "binomial":
            rows = [replace(row, metric="log_odds") if row.measure == "coefficient" else row for row in rows]
            rows += self._risks(fit, data, facts, tests, notes)
        record = Fit(
            outcome=outcome,
            model=self._model(),
            rows=data.rows,
            used=len(data.y),
            dropped=data.rows - len(data.y),
            clusters=clusters,
            icc=fit.alpha,
            log_likelihood=fit.log_likelihood,
            converged=True,
            engine=fit.engine,
        )
        return Result(estimates=tuple(rows), fits=(record,), notes=tuple(notes))

    def _model(self) -> str:
        """Return the model in one line."""
        absorbed = "".join(f" | {name}" for name in names(self.absorb))
        return f"{self.fixed}{absorbed} ({self.kind} by {self.cluster})"

    def _fitted(self, data: _Data, outcome: str) -> RobustFit:
        """Fit the model that the fields ask for."""
        y, X, family = data.y, data.encoded.X, cast(FamilyName, self.family)
        try:
            if self.correlation == "exchangeable":
                return marginal_fit(y, X, data.cluster, family=family, kind=self.kind)
            if family == "binomial":
                return logistic_fit(y, X, data.cluster, weights=data.weights, working=self.working, kind=self.kind)
            return linear_fit(
                y, X, data.cluster, weights=data.weights, working=self.working, kind=self.kind, absorb=data.absorb
            )
        except SeparationError as error:
            raise DesignError(
                separation_in_words(y, data.encoded, error.columns, outcome),
                where=self.where,
                fix='Join levels or leave the term out; or compare the shares themselves with family="gaussian".',
            ) from error
        except DesignError as error:
            raise DesignError(f'"{outcome}": {error.what}', where=self.where, fix=error.fix) from error

    def _risks(
        self, fit: RobustFit, data: _Data, facts: Facts, tests: tuple[ContrastTest, ...], notes: list[str]
    ) -> list[Estimate]:
        """Return standardised risks and contrasts of every category, and the mixed logistic model beside them."""
        rows: list[Estimate] = []
        terms = [data.encoded.terms[k] for k in fit.kept]
        columns = {name for term in terms for name in term}
        gone = {name for k in fit.aliased for name in data.encoded.terms[k]}
        found = {name: levels for name, levels in standardisable(data.read).items() if name in columns - gone}
        notes += [
            f'No risks by "{name}": its effect cannot be told from that of other terms.'
            for name in standardisable(data.read)
            if name in gone
        ]
        for name, levels in found.items():
            rows += event_rows(name, levels, data.y, data.cluster, data.read, facts)
            risks = standardise(name, levels, fit, data.encoded, data.read, data.weights)
            label = name if name in data.read.numeric else None
            rows += standardised_rows(risks, fit, facts, label=label, adjusted=len(columns) > 1)
        crossed = {name for term in terms if len(term) > 1 for name in term}
        beside = {
            k: test
            for k, term, test in zip(fit.kept, terms, tests, strict=True)
            if len(term) == 1 and term[0] in found and term[0] not in crossed
        }
        if beside and data.weights is None:
            mixed, said = conditional_rows(
                data.y, data.encoded.X, data.cluster, data.encoded.names,
                facts=facts, cluster_name=self.cluster, beside=beside,
            )  # fmt: skip
            rows += mixed
            notes += said
        return rows

    def _complete(self, frame: Any, outcome: str, terms: tuple[Term, ...]) -> _Data:
        """Take the columns and leave out incomplete rows, with a note on each reason."""
        absorb = names(self.absorb)
        require_terms(frame, columns_of(terms), outcome=outcome, where=self.where, part="fixed")
        require_terms(frame, absorb, outcome=outcome, where=self.where, part="absorb")
        extra = [name for name in (self.weights, self.wave if self.outcome_waves else None) if name is not None]
        table = take_rows(
            frame, dict.fromkeys([outcome, self.cluster, *columns_of(terms), *absorb, *extra]), where=self.where
        )
        rows = CompleteRows(table, where=self.where)
        if self.outcome_waves:
            rows.at_waves(self.wave, self.outcome_waves)
        if self.family == "binomial":
            y, said = zero_one(table[outcome], where=self.where)
            rows.notes += said
            rows.leave_out(np.isnan(y), f'without a value in "{outcome}"')
        else:
            y = rows.outcome(outcome)
        rows.complete([*columns_of(terms), *absorb])
        cluster, _, _ = keyed(table[self.cluster], as_label=False)
        rows.leave_out(cluster < 0, f'without a value in "{self.cluster}" (no cluster)')
        weights = rows.weights(self.weights)
        rows.require_any()
        keep, kept = rows.keep, rows.kept()
        if self.family == "binomial":
            check_varies(y[keep], outcome, where=self.where)
        place = f"{self.where}, fixed"
        encoded = encode(terms, kept, reference=self.reference, where=place)
        codes = [keyed(kept[name], as_label=True) for name in absorb]
        levels = [f'{len(labels)} levels of "{name}"' for name, (_, labels, _) in zip(absorb, codes, strict=True)]
        absorbed = [f"The effects of {' and of '.join(levels)} were absorbed."] if levels else []
        return _Data(
            y=y[keep],
            weights=None if weights is None else weights[keep],
            cluster=cluster[keep],
            absorb=tuple(code for code, _, _ in codes),
            encoded=encoded,
            read=read_columns(columns_of(terms), kept, reference=self.reference, where=place),
            rows=len(table),
            notes=[*rows.notes, *encoded.notes, *absorbed],
        )


def _joint_rows(facts: Facts, fit: RobustFit, terms: list[Term], kind: str, notes: list[str]) -> list[Estimate]:
    """Return the joint test of all slopes, and of every term with several columns."""
    slopes = [k for k, term in enumerate(terms) if term]
    several = {":".join(term): [k for k in slopes if terms[k] == term] for term in dict.fromkeys(terms) if term}
    tested = {name: columns for name, columns in several.items() if len(columns) > 1 and len(columns) < len(slopes)}
    if len(slopes) > 1:
        tested["all slopes"] = slopes
    rows = []
    for name, columns in tested.items():
        try:
            test = fit.covariance.wald(fit.contrast(np.eye(len(terms))[columns]))
        except DesignError as error:
            notes.append(f"No joint test of {name}: {error.what}")
            continue
        if np.isnan(test.p_value):
            notes.append(f"No joint test of {name}: too few clusters tell its coefficients apart.")
            continue
        rows.append(wald_row(facts, name, test, method=f"{kind}, AHT (HTZ)"))
    return rows
