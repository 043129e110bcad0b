"""The variance between studies (tau squared) of independent effects: estimators, standard errors, intervals.

With w = 1 / (v + tau2), P = W - W X (X'WX)^-1 X'W. Everything is taken from p x p cross-products, so the cost is linear
in the number of effects. Review of the estimators: Veroniki et al. (2016, Research Synthesis Methods 7, 55-79).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtri

from sweval.errors import DesignError
from sweval.models.engine.ols import Array

Estimator = Literal["EE", "REML", "ML", "DL", "PM", "EB", "SJ", "HE", "HS"]
ESTIMATORS: tuple[Estimator, ...] = ("EE", "REML", "ML", "DL", "PM", "EB", "SJ", "HE", "HS")

_MOST_STEPS = 200


@dataclass(frozen=True, kw_only=True)
class Sums:
    """What every estimator needs at given weights.

    Parameters
    ----------
    weights
        Shape (k,).
    coefficients, phi
        Weighted least squares (p,), and `(X'WX)^-1` (p, p).
    q
        `r'W r`.
    trace, trace_square
        tr(P) and tr(P P).
    square, cube
        y'PPy and y'PPPy.
    log_det
        log|X'WX|.
    """

    weights: Array
    coefficients: Array
    phi: Array
    q: float
    trace: float
    trace_square: float
    square: float
    cube: float
    log_det: float


def sums(y: Array, Q: Array, w: Array) -> Sums:
    """Return the sums for weights w, shape (k,), and a design Q, shape (k, p)."""
    C = Q.T @ (w[:, None] * Q)
    phi = np.linalg.inv(C)
    b = phi @ (Q.T @ (w * y))
    r = w * (y - Q @ b)
    A = Q.T @ ((w**2)[:, None] * Q)
    PA = phi @ A
    a = Q.T @ (w * r)
    return Sums(
        weights=w,
        coefficients=b,
        phi=(phi + phi.T) / 2,
        q=float(r @ (y - Q @ b)),
        trace=float(w.sum() - np.trace(PA)),
        trace_square=float((w**2).sum() - 2 * np.sum(phi * (Q.T @ ((w**3)[:, None] * Q))) + np.sum(PA * PA.T)),
        square=float(r @ r),
        cube=float(w @ (r * r) - a @ phi @ a),
        log_det=float(np.linalg.slogdet(C)[1]),
    )


def tau_squared(y: Array, v: Array, Q: Array, *, method: Estimator) -> tuple[float, float, bool]:
    """Return tau squared, its standard error, and whether an iterative search ended.

    Parameters
    ----------
    y, v
        Effects and sampling variances, shape (k,).
    Q
        Orthonormal design, shape (k, p).
    method
        "REML" and "ML" (likelihood), "DL" (DerSimonian & Laird), "PM" (Paule & Mandel), "EB" (empirical Bayes, the same
        estimate), "SJ" (Sidik & Jonkman), "HE" (Hedges), "HS" (Hunter & Schmidt), "EE" (equal effects: none).

    Raises
    ------
    DesignError
        If the method is unknown.
    """
    if method not in ESTIMATORS:
        raise DesignError(f'"{method}" is no estimator of tau squared.', fix=f"Choose one of {', '.join(ESTIMATORS)}.")
    if method == "EE":
        return 0.0, np.nan, True
    k, p = Q.shape
    if method in ("REML", "ML"):
        return _likelihood(y, v, Q, reml=method == "REML")
    if method in ("PM", "EB"):
        tau2 = max(_where_q_is(float(k - p), y, v, Q), 0.0)
        w = 1 / (v + tau2)
        return tau2, float(np.sqrt(2 * k**2 / (k - p)) / w.sum()), True
    if method == "SJ":
        first = float(np.var(y))
        if first == 0:
            return 0.0, np.nan, True
        s = sums(y, Q, 1 / (v + first))
        tau2 = first * s.q / (k - p)
        inside = 2 * _trace_pvpv(v, Q, s) + 4 * tau2 * _trace_pvp(v, Q, s) + 2 * tau2**2 * s.trace_square
        return tau2, float(first * np.sqrt(inside) / (k - p)), True
    return _moments(y, v, Q, method)


def _moments(y: Array, v: Array, Q: Array, method: Estimator) -> tuple[float, float, bool]:
    """Return the estimators that need no search: DL, HS (weights 1/v) and HE (equal weights)."""
    k, p = Q.shape
    s = sums(y, Q, np.ones(k) if method == "HE" else 1 / v)
    if method == "HE":
        tau2 = max((s.q - _trace_pv(v, Q, s)) / (k - p), 0.0)
        inside = 2 * _trace_pvpv(v, Q, s) + 4 * tau2 * _trace_pv(v, Q, s) + 2 * tau2**2 * (k - p)
        return tau2, float(np.sqrt(inside) / (k - p)), True
    tau2 = max((s.q - (k if method == "HS" else k - p)) / (s.weights.sum() if method == "HS" else s.trace), 0.0)
    inside = 2 * (k - p) + 4 * tau2 * s.trace + 2 * tau2**2 * s.trace_square
    return tau2, float(np.sqrt(inside) / (s.weights.sum() if method == "HS" else s.trace)), True


def _trace_pv(v: Array, Q: Array, s: Sums) -> float:
    """Return tr(P V)."""
    w = s.weights
    return float(w @ v - np.sum(s.phi * (Q.T @ ((w**2 * v)[:, None] * Q))))


def _trace_pvp(v: Array, Q: Array, s: Sums) -> float:
    """Return tr(P V P)."""
    w = s.weights
    crossed = (s.phi @ (Q.T @ ((w**2)[:, None] * Q))) @ (s.phi @ (Q.T @ ((w**2 * v)[:, None] * Q)))
    return float((w**2) @ v - 2 * np.sum(s.phi * (Q.T @ ((w**3 * v)[:, None] * Q))) + np.trace(crossed))


def _trace_pvpv(v: Array, Q: Array, s: Sums) -> float:
    """Return tr(P V P V)."""
    w = s.weights
    one = s.phi @ (Q.T @ ((w**2 * v)[:, None] * Q))
    two = Q.T @ ((w**3 * v**2)[:, None] * Q)
    return float((w * v) @ (w * v) - 2 * np.sum(s.phi * two) + np.sum(one * one.T))


def deviance(tau2: float, y: Array, v: Array, Q: Array, *, reml: bool) -> float:
    """Return -2 log-likelihood without its constants."""
    total = v + tau2
    s = sums(y, Q, 1 / total)
    return float(np.log(total).sum()) + s.q + (s.log_det if reml else 0.0)


def _likelihood(y: Array, v: Array, Q: Array, *, reml: bool) -> tuple[float, float, bool]:
    """Return the highest maximum of the (restricted) likelihood: a scan finds it, Newton's method finishes."""
    spread = float(np.var(y)) + float(np.median(v))
    grid = np.append(0.0, spread * np.logspace(-4, 2, 25))
    values = [deviance(float(tau2), y, v, Q, reml=reml) for tau2 in grid]
    at = int(np.argmin(values))
    low, high = float(grid[max(at - 1, 0)]), float(grid[min(at + 1, len(grid) - 1)])

    def slope(tau2: float) -> tuple[float, Sums]:
        s = sums(y, Q, 1 / (v + tau2))
        return (s.trace if reml else float(s.weights.sum())) - s.square, s

    if at == 0 and slope(0.0)[0] >= 0:
        here = sums(y, Q, 1 / v)
        return 0.0, _information_error(here, reml), True
    tau2 = float(grid[at]) if at else high / 2
    for _ in range(_MOST_STEPS):
        gradient, s = slope(tau2)
        expected = s.trace_square if reml else float((s.weights**2).sum())
        low, high = (tau2, high) if gradient < 0 else (low, tau2)
        observed = 2 * s.cube - expected
        step = -gradient / (observed if observed > 0 else expected)
        new = tau2 + step if low <= tau2 + step <= high else (low + high) / 2
        done = abs(new - tau2) <= 1e-15 + 1e-14 * new
        tau2 = new
        if done:
            break
    return tau2, _information_error(sums(y, Q, 1 / (v + tau2)), reml), done


def _information_error(s: Sums, reml: bool) -> float:
    """Return the standard error from the expected information."""
    return float(np.sqrt(2 / (s.trace_square if reml else (s.weights**2).sum())))


def _where_q_is(target: float, y: Array, v: Array, Q: Array) -> float:
    """Return the tau squared at which Cochran's Q is `target`; -1 where it is lower already at 0."""

    def q(tau2: float) -> float:
        return sums(y, Q, 1 / (v + tau2)).q

    if q(0.0) <= target:
        return -1.0
    high = float(np.var(y)) + float(v.max())
    while q(high) > target:
        high *= 4
    return _root(lambda tau2: q(tau2) - target, high)


def _root(function: Callable[[float], float], high: float) -> float:
    """Return the root between 0 and `high`."""
    return float(brentq(function, 0.0, high, xtol=1e-16, rtol=1e-14, maxiter=500))


def q_profile(y: Array, v: Array, Q: Array, *, conf_level: float = 0.95) -> tuple[float, float]:
    """Return the Q-profile interval of tau squared (Viechtbauer 2007, Statistics in Medicine 26, 37-52).

    Both limits are 0 where the effects vary less than their sampling errors explain, so that no tau squared of 0 or
    more fits: a sign of too large variances, or of a rare sample.
    """
    k, p = Q.shape
    tail = (1 - conf_level) / 2
    low = _where_q_is(float(chdtri(k - p, tail)), y, v, Q)
    high = _where_q_is(float(chdtri(k - p, 1 - tail)), y, v, Q)
    return max(low, 0.0), max(high, 0.0)


def typical_variance(v: Array, Q: Array) -> float:
    """Return the typical sampling variance of Higgins & Thompson (2002), on which I squared and H squared rest."""
    k, p = Q.shape
    w = 1 / v
    A = Q.T @ ((w**2)[:, None] * Q)
    return float((k - p) / (w.sum() - np.sum(np.linalg.inv(Q.T @ (w[:, None] * Q)) * A)))
