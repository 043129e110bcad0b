"""The open model for researchers: least squares on any terms, cluster-robust tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sweval.errors import DataError, DesignError, did_you_mean
from sweval.frames import take, wrap
from sweval.models.base.design import Design, check_level
from sweval.models.base.rows import Facts, coefficient_rows
from sweval.models.base.terms import Encoded, Term, columns_of, encode, foreign_operator, parse_terms
from sweval.models.base.values import counted, keyed, label_key, missing, numbers, was
from sweval.models.engine.ols import least_squares
from sweval.models.engine.sandwich import KINDS, ClusterCovariance, Kind, cluster_covariance
from sweval.result import BETTER, Estimate, Fit, Result

if TYPE_CHECKING:
    import pandas as pd

_WORKING = {"constant": "sampling weights", "inverse_weights": "inverse-variance weights"}


@dataclass(frozen=True, kw_only=True)
class ClusterRobust(Design):
    """Fit a linear model on terms of your own, with standard errors that hold for clients in clusters.

    Use it for questions the named designs do not ask: `arm * wave + age`, fixed effects, weights. Rows are used as they
    are, so a client may have several as long as all are in the same cluster. It gives coefficients and joint tests, no
    standardised effect: what the effect is, only you know.

    Parameters
    ----------
    fixed
        Terms: column names joined by `+ : *` and parentheses. Numbers enter as they are; text, yes/no and categories
        become one column per level but the reference level. Names that hold an operator stand between back-quotes.
    cluster
        Column of the highest level at which rows belong together.
    kind
        "CR2" (default), "CR3" (jackknife), or "CR0", "CR1", "CR1S" to compare with other software.
    weights
        Column of positive weights.
    working
        What the weights are: "constant" for sampling or attrition weights (errors of equal variance), "inverse_weights"
        where they are the inverse variances of the errors.
    reference
        Column -> reference level; a numeric column named here becomes categorical. Default: the first level in sorted
        order.

    Notes
    -----
    t tests with Satterthwaite's df (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018). Rows with measure "wald" are
    joint tests by the approximate Hotelling test AHT, in clubSandwich called HTZ (Tipton & Pustejovsky 2015): one of
    all slopes, and one of every term with several columns.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "agency": list("aabbccddeeff"),
    ...     "arm": ["usual", "usual"] * 3 + ["program", "program"] * 3,
    ...     "age": [30, 41, 25, 37, 52, 44, 29, 33, 48, 61, 39, 27],
    ...     "distress": [14, 12, 11, 15, 13, 16, 9, 11, 12, 8, 10, 7],
    ... })
    >>> model = ClusterRobust(fixed="arm + age", cluster="agency", reference={"arm": "usual"})
    >>> [row.term for row in model.fit(frame, "distress").estimates]
    ['(Intercept)', 'arm[program]', 'age', 'all slopes']
    """

    fixed: str
    cluster: str
    kind: str = "CR2"
    weights: str | None = None
    working: str = "constant"
    reference: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for value, options, what in ((self.kind, KINDS, "kind"), (self.working, _WORKING, "working")):
            if value not in options:
                raise DesignError(f'{what}="{value}" is unknown.', where=self.where, fix=did_you_mean(value, options))
        parse_terms(self.fixed, where=f"{self.where}, fixed")

    def fit(self, frame: Any, outcome: str, *, better: str | None = None, conf_level: float = 0.95) -> Result:
        """Fit the model to one outcome.

        Parameters
        ----------
        frame
            Any data frame that narwhals knows (pandas, polars, pyarrow, DuckDB, Spark).
        outcome
            Column of the outcome, a number.
        better
            "higher" or "lower"; it is passed on to the rows and changes no number.
        conf_level
            Level of the intervals.

        Returns
        -------
        Result
            One row per coefficient and one per joint test.

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
        terms = parse_terms(self.fixed, where=f"{self.where}, fixed")
        table, rows = self._columns(frame, outcome, terms)
        y, w, cluster, encoded, notes = self._complete(table, outcome, terms)
        try:
            fit = least_squares(y, encoded.X, weights=w)
            covariance = cluster_covariance(
                fit,
                cluster,
                kind=cast(Kind, self.kind),
                working="inverse_weights" if self.working == "inverse_weights" else "constant",
            )
        except DesignError as error:
            raise DesignError(f'"{outcome}": {error.what}', where=self.where, fix=error.fix) from error
        names = tuple(encoded.names[k] for k in fit.kept)
        tests = covariance.contrasts(np.eye(len(names)))
        facts = Facts(
            comparison=self.name,
            service=self.service,
            outcome=outcome,
            better=better,
            conf_level=conf_level,
            n=len(y),
            clusters=covariance.clusters,
        )
        weighted = "" if self.weights is None else f", {_WORKING[self.working]}"
        method = f"least squares{weighted}, {self.kind}, Satterthwaite df"
        notes += [f'"{encoded.names[k]}" adds nothing to the terms before it and was left out.' for k in fit.aliased]
        lonely = [name for name, test in zip(names, tests, strict=True) if np.isnan(test.df)]
        if lonely:
            notes.append(f'No standard error for {", ".join(lonely)}: in this model it rests on one "{self.cluster}".')
        few = [name for name, test in zip(names, tests, strict=True) if test.df < 4]
        if few:
            notes.append(f"Fewer than 4 degrees of freedom for {', '.join(few)}: take these p-values as rough.")
        joint = _joint_rows(facts, covariance, [encoded.terms[k] for k in fit.kept], self.kind, notes)
        record = Fit(
            outcome=outcome,
            model=f"{self.fixed} ({self.kind} by {self.cluster})",
            rows=rows,
            used=len(y),
            dropped=rows - len(y),
            clusters=covariance.clusters,
            converged=True,
            engine="sweval least squares",
        )
        rows_out = (*coefficient_rows(facts, names, tests, method=method), *joint)
        return Result(estimates=rows_out, fits=(record,), notes=tuple(notes))

    def _columns(self, frame: Any, outcome: str, terms: tuple[Term, ...]) -> tuple[pd.DataFrame, int]:
        """Take the columns, naming what is wrong with a term that is none; return them with the number of rows."""
        present = wrap(frame).collect_schema().names()
        for name in columns_of(terms):
            if name not in present:
                raise DataError(
                    f'the term "{name}" is no column.{foreign_operator(name)}',
                    where=f"{self.where}, fixed",
                    fix=did_you_mean(name, present),
                )
            if name == outcome:
                raise DesignError(f'"{name}" is both the outcome and a term.', where=self.where)
        extra = [name for name in (self.weights, self.wave if self.outcome_waves else None) if name is not None]
        table = take(frame, [outcome, self.cluster, *columns_of(terms), *extra], where=self.where)
        if table.empty:
            raise DesignError("the data have no rows.", where=self.where)
        return table, len(table)

    def _complete(
        self, table: pd.DataFrame, outcome: str, terms: tuple[Term, ...]
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray, Encoded, list[str]]:
        """Leave out incomplete rows, with a note on each reason; return outcome, weights, cluster codes and columns."""
        y, notes = numbers(table[outcome], where=self.where)
        keep = np.ones(len(y), dtype=bool)

        def leave_out(mask: np.ndarray, why: str) -> None:
            nonlocal keep
            count = int((keep & mask).sum())
            keep = keep & ~mask
            if count:
                notes.append(f"{counted(count, 'row')} {why} {was(count)} left out.")

        if self.outcome_waves and self.wave is not None:
            codes, labels, _ = keyed(table[self.wave], as_label=True)
            wanted = [label_key(wave) or "" for wave in self.outcome_waves]
            for label in wanted:
                if label not in labels:
                    raise DesignError(
                        f'"{label}" is not in "{self.wave}".', where=self.where, fix=did_you_mean(label, labels)
                    )
            leave_out(~np.isin(codes, [labels.index(label) for label in wanted]), f'at other values of "{self.wave}"')
        leave_out(np.isnan(y), f'without a value in "{outcome}"')
        for name in columns_of(terms):
            leave_out(missing(table[name]), f'without a value in "{name}"')
        cluster, _, _ = keyed(table[self.cluster], as_label=False)
        leave_out(cluster < 0, f'without a value in "{self.cluster}" (no cluster)')
        w = None
        if self.weights is not None:
            w, said = numbers(table[self.weights], where=self.where)
            notes += said
            leave_out(np.isnan(w), f'without a value in "{self.weights}" (no weight)')
            bad = int((w[keep] <= 0).sum())
            if bad:
                raise DesignError(
                    f'{counted(bad, "weight")} in "{self.weights}" {was(bad)} zero or negative.',
                    where=self.where,
                    fix="Leave these rows out before, or correct them.",
                )
        if not keep.any():
            raise DesignError("no complete row is left.", where=self.where, fix=" ".join(notes))
        kept = table[keep].reset_index(drop=True)
        encoded = encode(terms, kept, reference=self.reference, where=f"{self.where}, fixed")
        return y[keep], None if w is None else w[keep], cluster[keep], encoded, [*notes, *encoded.notes]


def _joint_rows(
    facts: Facts, covariance: ClusterCovariance, terms: list[Term], kind: str, notes: list[str]
) -> list[Estimate]:
    """Return the joint test of all slopes, and of every term with several columns."""
    slopes = [k for k, term in enumerate(terms) if term]
    several = {":".join(term): [k for k in slopes if terms[k] == term] for term in dict.fromkeys(terms) if term}
    tested = {name: columns for name, columns in several.items() if len(columns) > 1 and len(columns) < len(slopes)}
    if len(slopes) > 1:
        tested["all slopes"] = slopes
    rows = []
    for name, columns in tested.items():
        try:
            test = covariance.wald(np.eye(len(terms))[columns])
        except DesignError as error:
            notes.append(f"No joint test of {name}: {error.what}")
            continue
        if np.isnan(test.p_value):
            notes.append(f"No joint test of {name}: too few clusters tell its coefficients apart.")
            continue
        rows.append(
            facts.row(
                name,
                "wald",
                test.statistic,
                method=f"{kind}, AHT (HTZ) F test of {test.df_numerator} coefficients; df = denominator",
                statistic=test.statistic,
                df=test.df_denominator,
                p_value=test.p_value,
                null=0.0,
            )
        )
    return rows
