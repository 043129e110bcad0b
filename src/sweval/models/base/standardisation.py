"""Risks standardised over the sample (g-computation), and the contrasts of them that an evaluation asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, stdtrit

from sweval.models.base.mixed_design import design_columns
from sweval.models.base.robust_fit import RobustFit
from sweval.models.base.rows import Facts
from sweval.models.base.terms import Encoded, Read
from sweval.models.engine.ols import Array, two_sided_p
from sweval.models.engine.sandwich import ContrastTest
from sweval.result import BETTER, Estimate

MOST_LEVELS = 12
_ROUNDING = 1e-9
"""A risk difference below it has no reciprocal worth printing."""

_OVER = "standardised over the rows used, delta method on the corrected covariance, Satterthwaite df"


@dataclass(frozen=True, kw_only=True)
class Standardised:
    """Mean predicted risk when every row has one level of a column, all else as it is.

    Parameters
    ----------
    term
        `arm[program]`.
    risk
        Between 0 and 1.
    gradient
        Derivative of the risk in the kept coefficients, shape (kept,).
    """

    term: str
    risk: float
    gradient: Array


def standardisable(read: Read) -> dict[str, tuple[str, ...]]:
    """Return column -> levels, reference first, of all columns that are categories or 0 and 1."""
    found: dict[str, tuple[str, ...]] = {}
    for name, levels in read.levels.items():
        if 2 <= len(levels) <= MOST_LEVELS:
            found[name] = levels
    for name, values in read.numeric.items():
        if set(np.unique(values)) == {0.0, 1.0}:
            found[name] = ("0", "1")
    return found


def standardise(
    name: str, levels: Sequence[str], fit: RobustFit, encoded: Encoded, read: Read, weights: Array | None
) -> list[Standardised]:
    """Return the standardised risk at every level of a column.

    Parameters
    ----------
    name, levels
        The column and its levels.
    fit
        A logistic or marginal fit.
    encoded, read
        Columns of the design matrix, and the values they were made of.
    weights
        Weights of the rows, or None.
    """
    rows = len(encoded.X)
    share = np.full(rows, 1 / rows) if weights is None else weights / weights.sum()
    names = [encoded.names[k] for k in fit.kept]
    terms = [encoded.terms[k] for k in fit.kept]
    codes: dict[str, NDArray[np.intp]] = {column: code for column, (_, code) in read.coded.items()}
    found = []
    for k, level in enumerate(levels):
        numeric: Mapping[str, Array] = read.numeric
        coded: Mapping[str, NDArray[np.intp]] = codes
        if name in read.numeric:
            numeric = {**read.numeric, name: np.full(rows, float(level))}
        else:
            coded = {**codes, name: np.full(rows, k, dtype=np.intp)}
        X = design_columns(names, terms, encoded.levels, (numeric, coded), rows)
        p = expit(X @ fit.coefficients)
        found.append(
            Standardised(term=f"{name}[{level}]", risk=float(share @ p), gradient=np.asarray((share * p * (1 - p)) @ X))
        )
    return found


def event_rows(
    name: str, levels: Sequence[str], y: Array, cluster: NDArray[np.intp], read: Read, facts: Facts
) -> list[Estimate]:
    """Return for every level how many rows have the event, of how many (`n`) in how many clusters."""
    codes = read.numeric[name].astype(np.intp) if name in read.numeric else read.coded[name][1]
    rows = []
    for number, level in enumerate(levels):
        at = codes == number
        own = {"n": int(at.sum()), "clusters": len(np.unique(cluster[at]))}
        rows.append(
            facts.row(
                f"{name}[{level}]", "events", float(y[at].sum()), method="counted, not weighted or adjusted", **own
            )
        )
    return rows


def standardised_rows(
    risks: Sequence[Standardised], fit: RobustFit, facts: Facts, *, label: str | None, adjusted: bool
) -> list[Estimate]:
    """Return risks, and for every level but the first risk difference, ratio, odds ratio and number needed to treat.

    Parameters
    ----------
    risks
        Reference first.
    fit
        The fit they come from.
    facts
        What all rows have in common.
    label
        Term of the contrast where there are two levels; None to use the level's own.
    adjusted
        Whether other terms were taken into account.
    """
    rows = []
    for one in risks:
        slope = 1 / (one.risk * (1 - one.risk))
        test = _test(fit, one.gradient * slope, float(np.log(one.risk / (1 - one.risk))))
        limits = {key: float(expit(value)) for key, value in _limits(test, facts.conf_level).items()}
        error = {} if np.isnan(test.df) else {"std_error": test.std_error / slope, "df": test.df}
        rows.append(
            facts.row(
                one.term, "risk", one.risk, metric="raw", adjusted=adjusted, **error, **_level(limits, facts), **limits,
                method=f"mean predicted risk, {_OVER}, interval on the logit scale",
            )
        )  # fmt: skip
    reference = risks[0]
    for one in risks[1:]:
        term = label or one.term
        rows += _contrasts(term, one, reference, fit, facts, adjusted)
    return rows


def _contrasts(
    term: str, one: Standardised, reference: Standardised, fit: RobustFit, facts: Facts, adjusted: bool
) -> list[Estimate]:
    """Return the contrasts of one risk with the reference."""
    a, b = one.risk, reference.risk
    difference = _test(fit, one.gradient - reference.gradient, a - b)
    limits = {key: min(1.0, max(-1.0, value)) for key, value in _limits(difference, facts.conf_level).items()}
    against = f"against {reference.term}"
    rows = [
        facts.row(
            term, "risk_difference", a - b, metric="raw", adjusted=adjusted, **_tested(difference, 0.0),
            **_level(limits, facts), **limits, method=f"risk difference {against}, {_OVER}",
        )
    ]  # fmt: skip
    ratio = _test(fit, one.gradient / a - reference.gradient / b, float(np.log(a / b)))
    odds = _test(
        fit,
        one.gradient / (a * (1 - a)) - reference.gradient / (b * (1 - b)),
        float(np.log(a / (1 - a)) - np.log(b / (1 - b))),
    )
    for measure, test in (("risk_ratio", ratio), ("odds_ratio", odds)):
        held = {key: float(np.exp(value)) for key, value in _limits(test, facts.conf_level).items()}
        words = measure.replace("_", " ")
        tested = _tested(test, 1.0)
        if tested:
            tested["std_error"] *= float(np.exp(test.estimate))
        rows.append(
            facts.row(
                term, measure, float(np.exp(test.estimate)), adjusted=adjusted, **tested, **_level(held, facts), **held,
                method=f"{words} {against}, {_OVER}; interval and t on the log scale",
            )
        )  # fmt: skip
    if abs(a - b) > _ROUNDING:
        rows.append(_number_needed(term, difference, limits, facts, adjusted, against))
    return rows


def _number_needed(
    term: str, difference: ContrastTest, limits: dict[str, float], facts: Facts, adjusted: bool, against: str
) -> Estimate:
    """Return the number needed to treat, its interval closed only where that of the difference excludes 0."""
    sign = 1.0 if facts.better is None else BETTER[facts.better]
    said = (
        "positive = for one more event, negative = for one event less"
        if facts.better is None
        else "positive = to benefit (NNTB), negative = to harm (NNTH)"
    )
    method = f"reciprocal of the risk difference {against} (Altman 1998); {said}"
    held: dict[str, float] = {}
    if limits:
        low, high = sorted((sign * limits["conf_low"], sign * limits["conf_high"]))
        if low > 0 or high < 0:
            held = {"conf_low": 1 / high, "conf_high": 1 / low}
        else:
            gain, loss = (_reciprocal(high), _reciprocal(-low))
            names = ("one more event", "one event less") if facts.better is None else ("NNTB", "NNTH")
            method += (
                f"; the {facts.conf_level:.0%} interval is not closed, since that of the risk difference holds 0: "
                f"{names[0]} {gain} to infinity to {names[1]} {loss}"
            )
    df = {} if np.isnan(difference.df) else {"df": difference.df}
    return facts.row(
        term, "nnt", sign / difference.estimate, adjusted=adjusted, method=method, **df, **_level(held, facts), **held
    )


def _reciprocal(limit: float) -> str:
    return "infinity" if limit <= 0 else f"{1 / limit:.1f}"


def _test(fit: RobustFit, gradient: Array, estimate: float) -> ContrastTest:
    """Test a function of the coefficients by its gradient; NaN where it rests on one cluster."""
    linear = fit.covariance.contrast(fit.contrast(gradient)[0])
    if np.isnan(linear.df):
        return ContrastTest(estimate=estimate, std_error=np.nan, df=np.nan, statistic=np.nan, p_value=np.nan)
    statistic = estimate / linear.std_error
    return ContrastTest(
        estimate=estimate,
        std_error=linear.std_error,
        df=linear.df,
        statistic=statistic,
        p_value=two_sided_p(statistic, linear.df),
    )


def _limits(test: ContrastTest, conf_level: float) -> dict[str, float]:
    """Return the t interval; empty without a standard error."""
    if np.isnan(test.df):
        return {}
    reach = float(stdtrit(test.df, (1 + conf_level) / 2)) * test.std_error
    return {"conf_low": test.estimate - reach, "conf_high": test.estimate + reach}


def _tested(test: ContrastTest, null: float) -> dict[str, float]:
    """Return standard error and test as fields of a row; empty without a standard error."""
    if np.isnan(test.df):
        return {}
    return {
        "std_error": test.std_error,
        "statistic": test.statistic,
        "df": test.df,
        "p_value": test.p_value,
        "null": null,
    }


def _level(limits: dict[str, float], facts: Facts) -> dict[str, float]:
    """Return the level of an interval, where there is one."""
    return {"conf_level": facts.conf_level} if limits else {}
