"""The printed form of a mixed model: what is asked of it at a glance, and what a reader must know."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sweval.models.base.likelihood_ratio import parameters
from sweval.models.base.marginal_means import DF_METHODS
from sweval.models.base.random_terms import formula_name
from sweval.models.base.values import counted
from sweval.result import Estimate

if TYPE_CHECKING:
    from sweval.models.base.mixed_result import MixedResult

_COEFFICIENTS = ("estimate", "std_error", "df", "t", "p_value", "interval")
_JOINT = ["joint test", "F", "df1", "df2", "p_value"]
_SPREADS = ("variance component", "estimate", "interval")
_BESIDE = "_kenward_roger"
_WORDS = {"sd": "sd", "correlation": "correlation", "icc": "ICC"}


def printed(result: MixedResult) -> str:
    """Return coefficients, variance components, counts, likelihood and notes; the same bytes each time."""
    fit, design, facts = result.fitted, result.design, result.facts
    heads = {"interval": f"{100 * facts.conf_level:g}% interval"}
    formula, _, residual = design.model.partition(", residuals ")
    lines = [f"{formula_name(facts.outcome)} ~ {formula}", *([f"residuals: {residual}"] if residual else [])]
    for measure, first in (("coefficient", "coefficient"), (f"coefficient{_BESIDE}", "the same, Kenward-Roger")):
        rows = [row for row in result.estimates if row.measure == measure]
        if rows:
            head = [first, *(heads.get(name, name) for name in _COEFFICIENTS)]
            lines += ["", *_table(head, [_coefficient(row) for row in rows])]
    joint = [row for row in result.estimates if row.measure.startswith("wald")]
    if joint:
        lines += ["", *_table(_JOINT, [_tested(result, row) for row in joint])]
    spreads = [row for row in result.estimates if row.measure in _WORDS]
    words = _WORDS if len(design.random) < 2 else _WORDS | {"icc": "share of variance"}
    if spreads:
        head = [heads.get(name, name) for name in _SPREADS]
        lines += ["", *_table(head, [_spread(row, words[row.measure]) for row in spreads])]
    units = ", ".join(f'{part.units} units of "{part.name}"' for part in design.random)
    kind = "restricted log-likelihood (REML)" if fit.reml else "log-likelihood (ML)"
    lines += ["", "; ".join([counted(fit.n, "row"), *([units] if units else [])])]
    lines += [f"{kind} {_number(fit.log_likelihood, 3)}; t tests with {DF_METHODS[result.df]}"]
    lines.append(_criteria(result))
    if not fit.converged:
        lines.append("NOT CONVERGED: do not use these numbers.")
    lines += [f"note: {note}" for note in result.notes]
    return "\n".join(lines).rstrip()


def _criteria(result: MixedResult) -> str:
    """Return deviance, AIC and BIC as lme4 defines them, of the likelihood that was fitted."""
    fit = result.fitted
    count, deviance = parameters(fit), -2 * fit.log_likelihood
    aic, bic = deviance + 2 * count, deviance + math.log(fit.n) * count
    of = "; restricted, so only for models with the same fixed effects" if fit.reml else ""
    return f"{count} parameters; deviance {deviance:.2f}, AIC {aic:.2f}, BIC {bic:.2f}{of}"


def _coefficient(row: Estimate) -> list[str]:
    t = "" if row.statistic is None else f"{row.statistic:.2f}"
    return [row.term, _number(row.estimate), _number(row.std_error), _df(row), t, _p(row), _interval(row)]


def _tested(result: MixedResult, row: Estimate) -> list[str]:
    """Return a joint test: which coefficients, where they hold if the term interacts with others, and both df."""
    design = result.design
    kept = [design.terms[k] for k in result.fitted.kept]
    term = next(own for own in kept if ":".join(own) == row.term)
    how = "Kenward-Roger" if row.measure.endswith(_BESIDE) else ""
    name = ", ".join(part for part in (row.term, design.where_tested(term), how) if part)
    return [name, f"{row.estimate:.2f}", str(kept.count(term)), _df(row), _p(row)]


def _df(row: Estimate) -> str:
    return "" if row.df is None else f"{row.df:.1f}"


def _p(row: Estimate) -> str:
    return "" if row.p_value is None else "<.001" if row.p_value < 0.001 else f"{row.p_value:.3f}"


def _spread(row: Estimate, word: str) -> list[str]:
    return [f"{row.term}, {word}", _number(row.estimate), _interval(row)]


def _interval(row: Estimate) -> str:
    if row.conf_low is None or row.conf_high is None:
        return ""
    return f"{_number(row.conf_low)} to {_number(row.conf_high)}"


def _number(value: float | None, decimals: int | None = None) -> str:
    """Return four significant digits, or as many decimals as asked; never an exponent for common sizes."""
    if value is None or math.isnan(value):
        return ""
    if decimals is not None:
        return f"{value:.{decimals}f}"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    places = 3 - math.floor(math.log10(abs(value)))
    return f"{value:.4g}" if places > 8 else f"{value:.{max(0, min(places, 6))}f}"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return aligned lines; names to the left, numbers to the right."""
    cells = [head, *rows]
    widths = [max(len(line[k]) for line in cells) for k in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
