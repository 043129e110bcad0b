"""Between-case effects as arrays: the mixed model of one design, fitted to one outcome or to thousands at once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from sweval.effects.between_case_data import CaseData, CaseModel, CaseTerms, case_terms
from sweval.effects.between_case_interval import VarianceParts, two_variance_interval
from sweval.effects.kernel import Standardized, standardize
from sweval.errors import DesignError
from sweval.models.engine.mixed import kenward_roger
from sweval.models.engine.mixed.fit import mixed_fit
from sweval.models.engine.mixed.levels import levels_of
from sweval.models.engine.mixed.model import Factor, Residual
from sweval.models.engine.ols import least_squares
from sweval.models.engine.serial import serial_moments
from sweval.models.engine.serial_fit import EDGE, serial_optimum, serial_variances

__all__ = ["BetweenCase"]

FloatArray = NDArray[np.float64]

_NOTHING = 1e-9
"""Share of what the terms leave that must be left within cases; below it rounding decides."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BetweenCase:
    """A between-case effect with what it is made of; numpy, 0-dimensional for one data set.

    Attributes
    ----------
    effect
        d, g, variance, limits, p-value and degrees of freedom.
    numerator, numerator_error, numerator_df
        Change of the outcome in raw units, its standard error (without Kenward & Roger's adjustment) and the degrees of
        freedom of that.
    total_variance
        Variance between and within cases at baseline, when the effect is read.
    level_variance, residual_variance
        Its parts: between cases (and clusters), and of sessions around the course of their case.
    rho
        Autocorrelation of neighbouring sessions; NaN where the model has none.
    log_likelihood
        Restricted; with all constants, as nlme prints it.
    coefficients
        Fixed effects.
    converged, singular
        Whether the search ended well, and whether a variance or correlation ended on its bound.
    data, model
        What was fitted.
    """

    effect: Standardized
    numerator: FloatArray
    numerator_error: FloatArray
    numerator_df: FloatArray
    total_variance: FloatArray
    level_variance: FloatArray
    residual_variance: FloatArray
    rho: FloatArray
    log_likelihood: FloatArray
    coefficients: FloatArray
    converged: NDArray[np.bool_]
    singular: NDArray[np.bool_]
    data: CaseData
    model: CaseModel

    @property
    def icc(self) -> FloatArray:
        """Return the share of the total variance that lies between cases."""
        return self.level_variance / self.total_variance


@dataclass(frozen=True, kw_only=True, eq=False)
class _Parts:
    """What an effect needs of a fit: everything with the axis of the batch first."""

    b: FloatArray
    variance: FloatArray
    adjusted: FloatArray
    df: FloatArray
    spread: FloatArray
    level: FloatArray
    residual: FloatArray
    level_spread: FloatArray
    cross: FloatArray
    residual_spread: FloatArray
    rho: FloatArray
    log_likelihood: FloatArray
    coefficients: FloatArray
    converged: NDArray[np.bool_]
    singular: NDArray[np.bool_]


def between_case_numbers(
    outcomes: FloatArray, data: CaseData, model: CaseModel, *, conf_level: float = 0.95
) -> BetweenCase:
    """Return the effects of many outcomes of one design at once, shape (batch, n); oriented, rows as in `data`."""
    terms = case_terms(data, model)
    if model.random == ("level",) and data.cluster is None:
        parts = _serial(outcomes, data, terms, model)
    else:
        each = [_mixed(y, data, terms, model) for y in outcomes]
        parts = _Parts(
            **{
                field.name: np.concatenate([getattr(one, field.name) for one in each])
                for field in dataclasses.fields(_Parts)
            }
        )
    variance = parts.level + parts.residual
    nu = 2 * variance**2 / parts.spread
    kappa = np.sqrt(parts.variance / variance)
    effect = standardize(parts.b, np.sqrt(variance), nu=nu, kappa=kappa, df=nu, conf_level=conf_level).with_j(model.j)
    if model.interval == "symmetric":
        effect = _symmetric(effect, conf_level)
    elif model.interval == "generalized":
        effect = _generalized(effect, parts, conf_level)
    return BetweenCase(
        effect=effect,
        numerator=parts.b,
        numerator_error=np.sqrt(parts.variance),
        numerator_df=parts.df,
        total_variance=variance,
        level_variance=parts.level,
        residual_variance=parts.residual,
        rho=parts.rho,
        log_likelihood=parts.log_likelihood,
        coefficients=parts.coefficients,
        converged=parts.converged,
        singular=parts.singular,
        data=data,
        model=model,
    )


def _serial(outcomes: FloatArray, data: CaseData, terms: CaseTerms, model: CaseModel) -> _Parts:
    """Fit random levels and one autocorrelation, all outcomes at once."""
    line = least_squares(outcomes[0], terms.X)
    if line.aliased:
        raise DesignError("the terms of the model repeat each other.", fix="Use trends of a lower degree.")
    n, p = line.X.shape
    inverse = np.linalg.inv(line.R)
    centre = outcomes.mean(axis=1, keepdims=True)
    gamma = (outcomes - centre) @ line.Q
    left = outcomes - centre - gamma @ line.Q.T
    correction = left @ line.Q
    gamma, left = gamma + correction, left - correction @ line.Q.T
    scale = np.sqrt((left**2).sum(axis=1) / (n - p))
    _require_variation(left, line.Q, data.case)
    columns = np.concatenate(
        [np.broadcast_to(line.Q, (len(outcomes), n, p)), (left / scale[:, None])[..., None]], axis=2
    )
    found = serial_moments(columns, data.case, data.time, random=True)
    independent = model.correlation == "independent"
    best = serial_optimum(found, reml=True, independent=independent)
    own = serial_variances(found, best, scale=scale, reml=True)
    keep = [0, 2] if independent else [0, 1, 2]
    r = np.ones(3)
    r[1] = 0.0
    info = {"expected": own.expected, "observed": own.observed, "average": own.average}[model.information]
    C = np.asarray(np.linalg.inv(info[:, keep][:, :, keep]), dtype=np.float64)
    W = np.asarray(np.linalg.inv(own.expected[:, keep][:, :, keep]), dtype=np.float64)
    h = np.linalg.solve(line.R.T, terms.contrast)
    variance = np.einsum("a,bac,c->b", h, own.phi, h)
    half = own.phi @ h
    P, Q, R = own.P[:, keep], own.Q[:, keep][:, :, keep], own.R[:, keep][:, :, keep]
    g = -np.einsum("ba,btac,bc->bt", half, P, half)
    inner = Q / 2 - (P @ own.phi[:, None])[:, :, None] @ P[:, None] - R / 4
    bend = np.einsum("btu,btuac->bac", W, inner)
    adjusted = variance + 2 * np.einsum("ba,bac,bc->b", half, bend, half)
    level = best.psi * own.sigma2
    nu = n - p
    constant = nu * (1 + np.log(2 * np.pi) - np.log(nu)) + 2 * np.log(np.abs(np.diag(line.R))).sum()
    coefficients = (gamma + own.beta) @ inverse.T
    coefficients[:, 0] += centre[:, 0]
    return _Parts(
        b=coefficients @ terms.contrast,
        variance=variance,
        adjusted=np.maximum(adjusted, variance),
        df=2 * variance**2 / np.einsum("bt,btu,bu->b", g, W, g),
        spread=np.einsum("t,btu,u->b", r[keep], C, r[keep]),
        level=level,
        residual=own.sigma2,
        level_spread=W[:, -1, -1],
        cross=W[:, 0, -1],
        residual_spread=W[:, 0, 0],
        rho=np.full(len(outcomes), np.nan) if independent else best.rho,
        log_likelihood=-(best.value + constant + 2 * nu * np.log(scale)) / 2,
        coefficients=coefficients,
        converged=best.converged,
        singular=(best.psi == 0) | best.at_edge,
    )


def _require_variation(left: FloatArray, Q: FloatArray, case: NDArray[np.intp]) -> None:
    """Refuse outcomes of which nothing is left within cases, shape (batch, n), once the terms Q are taken out.

    Raises
    ------
    DesignError
        If there is one.
    """
    size = np.bincount(case)
    own = (np.arange(len(size))[:, None] == case) / size[:, None]
    within = left - (left @ own.T)[:, case]
    basis, sizes, _ = np.linalg.svd(Q - (own @ Q)[case], full_matrices=False)
    basis = basis[:, sizes > _NOTHING]
    within = within - within @ basis @ basis.T
    if not (np.abs(within).max(axis=1) > _NOTHING * np.abs(left).max(axis=1)).all():
        raise DesignError(
            "sessions of one case and condition do not vary, so there is no variance within cases.",
            fix="Check the outcome: does it change from session to session?",
        )


def _mixed(y: FloatArray, data: CaseData, terms: CaseTerms, model: CaseModel) -> _Parts:
    """Fit random terms of cases, and clusters of cases, with the general engine."""
    factors = [Factor(data.case, terms.Z)]
    if data.cluster is not None:
        factors.append(Factor(data.cluster, terms.Z[:, :1]))
    ar1 = model.correlation == "ar1"
    residual = Residual(kind="ar1", unit=data.case, occasion=data.time) if ar1 else Residual()
    fit = mixed_fit(y, terms.X, factors, residual=residual)
    if fit.aliased:
        raise DesignError("the terms of the model repeat each other.", fix="Use trends of a lower degree.")
    own = fit.variances
    r = np.concatenate([[0.0], [0.0] * ar1, *_level_weights(factors, residual)])
    first = np.eye(len(r))[0]
    info = {"expected": own.expected, "observed": own.observed, "average": own.average}[model.information]
    spread = float((r + first) @ _inverse(info) @ (r + first))
    W = _inverse(own.expected)
    h = np.linalg.solve(least_squares(y, terms.X).R.T, terms.contrast)
    half = own.phi @ h
    variance, g = float(h @ half), -np.einsum("a,tac,c->t", half, own.P, half)
    phi, _ = kenward_roger.adjusted(own)
    levels = [float(matrix[0, 0]) for matrix in fit.covariances]
    return _Parts(
        b=np.array([terms.contrast @ fit.coefficients]),
        variance=np.array([variance]),
        adjusted=np.array([max(float(h @ phi @ h), variance)]),
        df=np.array([2 * variance**2 / float(g @ W @ g)]),
        spread=np.array([spread]),
        level=np.array([sum(levels)]),
        residual=np.array([fit.residual_variances[0]]),
        level_spread=np.array([float(r @ W @ r)]),
        cross=np.array([float(r @ W @ first)]),
        residual_spread=np.array([W[0, 0]]),
        rho=np.array([np.nan if fit.correlation is None else fit.correlation]),
        log_likelihood=np.array([fit.log_likelihood]),
        coefficients=fit.coefficients[None],
        converged=np.array([fit.converged]),
        singular=np.array([fit.any_singular or abs(fit.correlation or 0.0) > EDGE]),
    )


def _level_weights(factors: list[Factor], residual: Residual) -> list[FloatArray]:
    """Return, for the variance parameters of every factor, the weights that make up the variance of its first effect.

    The engine has them for scaled effects, `u = T u_scaled`, as the lower triangle by columns.
    """
    out = []
    for level in levels_of(tuple(factors), residual, np.ones(len(factors[0].codes)))[: len(factors)]:
        t = level.T[0]
        q = len(t)
        out.append(np.array([t[a] * t[b] * (1 if a == b else 2) for b in range(q) for a in range(b, q)]))
    return out


def _inverse(info: FloatArray) -> FloatArray:
    """Return the inverse of an information matrix.

    Raises
    ------
    DesignError
        If the data cannot tell the variance parameters apart.
    """
    scale = np.sqrt(np.clip(np.diag(info), 1e-300, None))
    scaled = info / np.outer(scale, scale)
    if not np.linalg.eigvalsh(scaled)[0] > 1e-10:
        raise DesignError(
            "the data cannot tell the variances of the model apart, so the effect has no degrees of freedom.",
            fix="Let fewer terms differ between cases.",
        )
    out: FloatArray = np.linalg.inv(scaled) / np.outer(scale, scale)
    return out


def _generalized(effect: Standardized, parts: _Parts, conf_level: float) -> Standardized:
    """Return the effect with the limits of `two_variance_interval` and Kenward & Roger's test of the change."""
    error = np.sqrt(parts.adjusted)
    low, high = two_variance_interval(
        parts.b,
        error,
        parts.df,
        VarianceParts(
            level=parts.level,
            residual=parts.residual,
            level_spread=parts.level_spread,
            cross=parts.cross,
            residual_spread=parts.residual_spread,
        ),
        conf_level=conf_level,
    )
    t = parts.b / error
    return dataclasses.replace(
        effect,
        conf_low=low,
        conf_high=high,
        statistic=t,
        df=parts.df,
        p_value=2 * stdtr(parts.df, -np.abs(t)),
        interval="generalized interval",
    )


def _symmetric(effect: Standardized, conf_level: float) -> Standardized:
    """Return the effect with the limits g -+ t SE and the test that agrees with them."""
    error = np.sqrt(effect.variance)
    reach, t = -stdtrit(effect.nu, (1 - conf_level) / 2) * error, effect.g / error
    return dataclasses.replace(
        effect,
        conf_low=effect.g - reach,
        conf_high=effect.g + reach,
        statistic=t,
        p_value=2 * stdtr(effect.nu, -np.abs(t)),
        interval="symmetric t interval",
    )
