"""Rows that several designs make: coefficients, the standardised effect, means and spreads, the ICC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from sweval.effects.kernel import standardize
from sweval.models.base.sample import Codes, Sample
from sweval.models.base.values import label_key
from sweval.models.engine.ols import Array
from sweval.models.engine.sandwich import WaldTest
from sweval.result import BETTER, Estimate


class Tested(Protocol):
    """An estimate with its t test."""

    @property
    def estimate(self) -> float: ...
    @property
    def std_error(self) -> float: ...
    @property
    def df(self) -> float: ...
    @property
    def statistic(self) -> float: ...
    @property
    def p_value(self) -> float: ...


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What all rows of one analysis have in common."""

    comparison: str | None
    service: str | None
    outcome: str
    better: str | None
    conf_level: float
    n: int
    clusters: int | None

    def row(self, term: str, measure: str, estimate: float, *, method: str, **more: Any) -> Estimate:
        """Return a row that carries the common facts; `more` overrides and adds."""
        common = {
            "comparison": self.comparison,
            "service": self.service,
            "outcome": self.outcome,
            "better": self.better,
            "n": self.n,
            "clusters": self.clusters,
        }
        return Estimate(term=term, measure=measure, estimate=estimate, method=method, **(common | more))


@dataclass(frozen=True, kw_only=True)
class Unit:
    """The standard deviation in which an effect is expressed.

    Parameters
    ----------
    sd
        The pooled (or supplied) standard deviation.
    nu
        Its degrees of freedom.
    c
        Design factor: `sd / c` estimates the persons' total standard deviation.
    standardizer
        Its name in the results.
    separate
        Whether standard errors come from other variation than `sd`: from clusters or groups.
    """

    sd: float
    nu: float
    c: float
    standardizer: str
    separate: bool


def coefficient_rows(facts: Facts, terms: tuple[str, ...], tests: tuple[Tested, ...], *, method: str) -> list[Estimate]:
    """Return one row per coefficient, raw sign, t interval; without a standard error only the estimate."""
    rows = []
    for term, test in zip(terms, tests, strict=True):
        if np.isnan(test.df):
            rows.append(facts.row(term, "coefficient", test.estimate, method=method, metric="raw"))
            continue
        reach = float(stdtrit(test.df, (1 + facts.conf_level) / 2)) * test.std_error
        rows.append(
            facts.row(
                term,
                "coefficient",
                test.estimate,
                method=method,
                metric="raw",
                std_error=test.std_error,
                conf_low=test.estimate - reach,
                conf_high=test.estimate + reach,
                conf_level=facts.conf_level,
                statistic=test.statistic,
                df=test.df,
                p_value=test.p_value,
                null=0.0,
            )
        )
    return rows


def wald_row(facts: Facts, name: str, test: WaldTest, *, method: str, at: str = "") -> Estimate:
    """Return the row of a joint test; `method` names the test, to which the numbers of df and where it is are added."""
    return facts.row(
        name,
        "wald",
        test.statistic,
        method=f"{method} F test of {test.df_numerator} coefficients{at and f', {at}'}; df = denominator",
        statistic=test.statistic,
        df=test.df_denominator,
        p_value=test.p_value,
        null=0.0,
    )


def effect_row(facts: Facts, term: str, test: Tested, unit: Unit, *, method: str, **more: Any) -> Estimate:
    """Return the standardised effect of a raw one, oriented so that positive = improvement."""
    sign = BETTER[str(facts.better)]
    effect = standardize(
        sign * test.estimate,
        unit.sd,
        nu=unit.nu,
        kappa=unit.c * test.std_error / unit.sd,
        df=test.df,
        c=unit.c,
        conf_level=facts.conf_level,
        separate=unit.separate,
    )
    given = {
        "metric": "person_total",
        "level_outcome": "client",
        "standardizer": unit.standardizer,
        "std_error": float(np.sqrt(effect.variance)),
        "conf_low": float(effect.conf_low),
        "conf_high": float(effect.conf_high),
        "conf_level": facts.conf_level,
        "statistic": float(effect.statistic),
        "df": test.df,
        "p_value": float(effect.p_value),
        "null": 0.0,
        "variance": float(effect.variance),
        "weight_variance": float(effect.weight_variance),
    }
    text = f"{method}; {effect.interval}; positive = improvement"
    return facts.row(term, str(more.pop("measure", "hedges_g")), float(effect.g), method=text, **(given | more))


def arm_rows(
    facts: Facts, sample: Sample, arm: str, labels: tuple[object, object], *, units: Codes | None = None
) -> list[Estimate]:
    """Return mean and standard deviation of each arm (control first), of the outcome and of the baseline.

    `units` are the codes to count as clusters (-1 = none); by default those of the sample.
    """
    in_treated = np.ones(sample.n, dtype=bool) if sample.treated is None else sample.treated
    codes = sample.cluster if units is None else units
    rows = []
    for prefix, values in (("", sample.y), ("baseline_", sample.baseline)):
        if values is None:
            continue
        for side, label in ((~in_treated, labels[0]), (in_treated, labels[1])):
            count = 0 if codes is None else len(np.unique(codes[side & (codes >= 0)]))
            term = f"{arm}[{label_key(label)}]"
            own: dict[str, Any] = {
                "n": int(side.sum()),
                "clusters": count or None,
                "method": "unadjusted",
                "metric": "raw",
            }
            rows.append(facts.row(term, f"{prefix}mean", float(values[side].mean()), **own))
            rows.append(facts.row(term, f"{prefix}sd", float(values[side].std(ddof=1)), **own))
    return rows


def whole_rows(facts: Facts, sample: Sample) -> list[Estimate]:
    """Return mean and standard deviation of all clients, of the outcome and of the baseline."""
    rows = []
    for prefix, values in (("", sample.y), ("baseline_", sample.baseline)):
        if values is not None:
            rows.append(facts.row("all", f"{prefix}mean", float(values.mean()), method="unadjusted", metric="raw"))
            rows.append(facts.row("all", f"{prefix}sd", float(values.std(ddof=1)), method="unadjusted", metric="raw"))
    return rows


def interval_columns(facts: Facts, low: float, high: float) -> dict[str, Any]:
    """Return the columns of an interval; none where there are no limits."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return {}
    return {"conf_low": low, "conf_high": high, "conf_level": facts.conf_level}


def pooled_sd(values: Array, treated: NDArray[np.bool_]) -> float:
    """Return the pooled within-arm standard deviation, N - 2 degrees of freedom."""
    sides = [values[treated == side] for side in (0, 1)]
    return float(np.sqrt(sum(((side - side.mean()) ** 2).sum() for side in sides) / (len(values) - 2)))
