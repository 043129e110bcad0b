"""Comparison of two mixed models of the same rows by their likelihoods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc

from sweval.errors import DesignError
from sweval.models.base.mixed_design import Array, MixedDesign
from sweval.models.base.rows import Facts
from sweval.result import Result

if TYPE_CHECKING:
    from sweval.models.engine.mixed.fit import MixedFit
    from sweval.models.engine.mixed.model import Factor

Model = tuple["MixedFit", MixedDesign, Facts]

_WHERE = "likelihood_ratio"
_FEW = 40
_CLOSE = 1e-6


@dataclass(frozen=True, kw_only=True)
class _Extra:
    """What the larger model has more: fixed effects, variance parameters, and (q before, q after) by factor."""

    fixed: int
    variances: int
    grown: tuple[tuple[int, int, bool], ...]


def likelihood_ratio(first: Model, second: Model) -> Result:
    """Return the test of the smaller model against the larger; see `MixedResult.likelihood_ratio`."""
    _same_rows(first, second)
    small, large = sorted((first, second), key=lambda model: parameters(model[0]))
    extra = _extra(small[0], large[0])
    method, (small_fit, large_fit) = _comparable(small[0], large[0], refit=extra.fixed > 0)
    statistic = 2 * (_in_any_units(large_fit) - _in_any_units(small_fit))
    df = extra.fixed + extra.variances
    if statistic < -_CLOSE:
        raise DesignError(
            "the larger model has the smaller likelihood, so one of the two fits has not converged.",
            where=_WHERE,
            fix="Simplify the random part.",
        )
    statistic = max(statistic, 0.0)
    term = f"{small[1].model} against {large[1].model}"
    facts = small[2]
    rows = [
        facts.row(
            term,
            "likelihood_ratio",
            statistic,
            method=f"likelihood-ratio chi-square with {df} df, {method}",
            statistic=statistic,
            df=float(df),
            p_value=float(chdtrc(df, statistic)),
        )
    ]
    notes = []
    if extra.grown:
        notes.append(
            "The smaller model puts a variance at zero, the edge of what is possible, so the p-value of the "
            "chi-square is too large (conservative)."
        )
    mixture = _mixture(extra, statistic)
    if mixture is not None:
        low, p = mixture
        rows.append(
            facts.row(
                term,
                "likelihood_ratio_mixture",
                statistic,
                method=f"equal mixture of chi-squares with {low} and {low + 1} df (Stram & Lee 1994), {method}",
                statistic=statistic,
                p_value=p,
            )
        )
    units = min(part.units for part in large[1].random)
    if extra.fixed and units < _FEW:
        notes.append(
            f"With {units} units this test of fixed effects rejects too often; use the t or F tests of the larger "
            "model."
        )
    return Result(estimates=tuple(rows), notes=tuple(notes))


def _same_rows(first: Model, second: Model) -> None:
    """Refuse models of other rows or another outcome."""
    same = np.array_equal(first[1].rows, second[1].rows) and np.array_equal(first[0].y, second[0].y)
    if not same or first[2].outcome != second[2].outcome:
        raise DesignError(
            f"the models were fitted to different rows or outcomes ({first[0].n} and {second[0].n} rows).",
            where=_WHERE,
            fix="Leave out before both fits the rows that miss a value in a term of either.",
        )
    one, other = (fit.weights if fit.weights is not None else np.ones(fit.n) for fit in (first[0], second[0]))
    if not np.array_equal(one, other):
        raise DesignError("the models have different weights.", where=_WHERE, fix="Fit both with the same weights.")


def parameters(fit: MixedFit) -> int:
    """Return the number of parameters: of the fixed effects, the random effects and the residuals."""
    return len(fit.coefficients) + _residual_parameters(fit) + sum(_covariances(factor) for factor in fit.factors)


def _covariances(factor: Factor) -> int:
    return factor.q if factor.covariance == "diagonal" else factor.q * (factor.q + 1) // 2


def _residual_parameters(fit: MixedFit) -> int:
    if fit.residual_covariance is not None:
        size = len(fit.residual_covariance)
        return size * (size + 1) // 2
    return len(fit.residual_variances) + (fit.correlation is not None)


def _extra(small: MixedFit, large: MixedFit) -> _Extra:
    """Return what the larger model has more.

    Raises
    ------
    DesignError
        If the smaller one is not contained in the larger.
    """
    if not _within(small.X, large.X):
        raise _no_part("fixed terms", small, large)
    if not _residual_within(small, large):
        raise _no_part("residual structure", small, large)
    left = list(large.factors)
    grown = []
    variances = _residual_parameters(large) - _residual_parameters(small)
    for factor in small.factors:
        match = next((k for k, other in enumerate(left) if _contains(other, factor)), None)
        if match is None:
            raise _no_part("random terms", small, large)
        other = left.pop(match)
        variances += _covariances(other) - _covariances(factor)
        if other.q > factor.q:
            grown.append((factor.q, other.q, other.covariance == "diagonal"))
    for other in left:
        variances += _covariances(other)
        grown.append((0, other.q, other.covariance == "diagonal"))
    extra = _Extra(fixed=large.X.shape[1] - small.X.shape[1], variances=variances, grown=tuple(grown))
    if extra.fixed + extra.variances == 0:
        raise DesignError("the models have the same parameters, so there is nothing to test.", where=_WHERE)
    return extra


def _no_part(what: str, small: MixedFit, large: MixedFit) -> DesignError:
    """Return the error of two models that do not nest: `what` the smaller has is not all in the larger."""
    why = f"their {what} differ in both directions"
    if what == "random terms" and large.X.shape[1] > small.X.shape[1]:
        why = "the one has more random terms, the other more fixed terms"
    return DesignError(
        f"neither model contains the other: {why}.",
        where=_WHERE,
        fix="Compare a model with one that has more terms, or compare log-likelihoods and AIC yourself.",
    )


def _contains(large: Factor, small: Factor) -> bool:
    """Tell whether a factor groups the same rows and has the other's effects among its own."""
    return (
        np.array_equal(large.codes, small.codes)
        and (large.covariance == small.covariance or small.q == 1 or large.covariance == "full")
        and large.q >= small.q
        and _within(small.Z, large.Z)
    )


def _residual_within(small: MixedFit, large: MixedFit) -> bool:
    """Tell whether the residual structure is the same, or independent in the smaller model."""
    if small.residual.kind == "independent":
        return True
    if small.residual.kind != large.residual.kind:
        return False
    pairs = [(getattr(small.residual, name), getattr(large.residual, name)) for name in ("classes", "unit", "occasion")]
    return all(a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs)


def _within(small: Array, large: Array) -> bool:
    """Tell whether the columns of the one are combinations of those of the other."""
    if small.shape == large.shape and np.array_equal(small, large):
        return True
    size = np.sqrt((large * large).sum(axis=0))
    Q = np.linalg.qr(large / np.where(size > 0, size, 1.0))[0]
    left = small - Q @ (Q.T @ small)
    return bool(((left * left).sum(axis=0) < 1e-14 * len(small) * (small * small).sum(axis=0)).all())


def _comparable(small: MixedFit, large: MixedFit, *, refit: bool) -> tuple[str, tuple[MixedFit, MixedFit]]:
    """Return fits whose likelihoods can be compared: restricted ones only where the fixed parts are the same."""
    if small.reml and large.reml and not refit:
        return "restricted likelihoods of models with the same fixed effects", (small, large)
    was = small.reml or large.reml
    said = "both fitted again by maximum likelihood" if was else "maximum likelihood"
    return said, (_by_likelihood(small), _by_likelihood(large))


def _in_any_units(fit: MixedFit) -> float:
    """Return the log-likelihood; a restricted one without -log|R| of X = QR, which only holds the units of X."""
    if not fit.reml:
        return fit.log_likelihood
    return fit.log_likelihood + float(np.log(np.abs(np.diag(fit._root))).sum())


def _by_likelihood(fit: MixedFit) -> MixedFit:
    from sweval.models.engine.mixed.fit import mixed_fit

    if not fit.reml:
        return fit
    return mixed_fit(fit.y, fit.X, fit.factors, residual=fit.residual, weights=fit.weights, reml=False)


def _mixture(extra: _Extra, statistic: float) -> tuple[int, float] | None:
    """Return the lower df and the p-value of the mixture where exactly one variance is tested; else None."""
    if len(extra.grown) != 1 or extra.fixed:
        return None
    before, after, diagonal = extra.grown[0]
    low = 0 if diagonal else before
    if after != before + 1 or extra.variances != low + 1:
        return None
    lower = (float(statistic <= 0) if low == 0 else float(chdtrc(low, statistic))) / 2
    return low, lower + float(chdtrc(low + 1, statistic)) / 2
