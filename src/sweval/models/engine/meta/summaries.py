"""What is read off a fitted multilevel meta-regression: shares of variance, intervals of variances, study averages."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtri

from sweval.errors import DesignError
from sweval.models.engine.meta.blocks import Codes, Sampling, batches_of, blocks_of
from sweval.models.engine.meta.multilevel import MultilevelFit, climb, evaluator
from sweval.models.engine.ols import Array


def typical_variance(fit: MultilevelFit) -> float:
    """Return the typical sampling variance (k - p) / tr(P), P without random effects.

    Higgins & Thompson (2002, Statistics in Medicine 21, 1539-1558) with the covariances of the sampling errors in P.
    """
    p = len(fit.coefficients)
    C, A, trace = np.zeros((p, p)), np.zeros((p, p)), 0.0
    for batch in fit.batches:
        Q = fit.U[batch.rows][:, :, :p]
        W = np.linalg.inv(batch.V)
        WQ = (W @ Q).reshape(-1, p)
        C += Q.reshape(-1, p).T @ WQ
        A += WQ.T @ WQ
        trace += float(np.einsum("jii->", W))
    return (fit.k - p) / (trace - float(np.trace(np.linalg.solve(C, A))))


def i_squared(fit: MultilevelFit) -> Array:
    """Return for every level the percent of the variance of effects that is heterogeneity of that level."""
    return 100 * fit.sigma2 / (fit.sigma2.sum() + typical_variance(fit))


def component_interval(fit: MultilevelFit, component: int, *, conf_level: float = 0.95) -> tuple[float, float]:
    """Return the profile-likelihood interval of one variance component.

    All other components and the coefficients are estimated anew at every value. The upper limit is NaN where none is
    found below a thousand times the largest variance in sight.
    """
    likelihood = evaluator(fit.batches, fit.U, len(fit.sigma2))
    last = fit.sigma2.copy()
    floor = 1e-4 * max(float(fit.sigma2.sum()), 1e-8)

    def profile(value: float) -> float:
        nonlocal last
        start = np.maximum(last, floor)
        start[component] = value
        best, last, _ = climb(likelihood, start, fit.method, held=component)
        return best.deviance

    target = profile(float(fit.sigma2[component])) + float(chdtri(1, 1 - conf_level))

    def above(value: float) -> float:
        return profile(value) - target

    at = float(fit.sigma2[component])
    scale = max(float(fit.sigma2.sum()), float(np.var(fit.U[:, -1])), typical_variance(fit))
    low = 0.0 if at == 0 or above(0.0) <= 0 else _root(above, 0.0, at, scale)
    high = at + 0.1 * scale
    while above(high) < 0:
        high = at + 3 * (high - at)
        if high > 1000 * scale:
            return low, np.nan
    return low, _root(above, at, high, scale)


def _root(function: Callable[[float], float], low: float, high: float, scale: float) -> float:
    return float(brentq(function, low, high, xtol=1e-6 * scale, rtol=1e-6))


def aggregate(y: Array, sampling: Sampling, group: Codes) -> tuple[Array, Array, NDArray[np.intp]]:
    """Return one inverse-variance weighted effect per group, its variance, and how many effects it holds.

    Use it to draw studies, or for methods that need independent effects. Groups are in the order of their codes; the
    composite is 1'V^-1 y / 1'V^-1 1 with V the sampling covariance, its variance 1 / 1'V^-1 1.

    Raises
    ------
    DesignError
        If effects of different groups depend on each other.
    """
    codes, label = np.unique(group, return_inverse=True)
    estimate, variance, count = np.zeros(len(codes)), np.zeros(len(codes)), np.zeros(len(codes), dtype=np.intp)
    for batch in batches_of(blocks_of(len(y), [*sampling.joined(), np.asarray(label)]), sampling, ()):
        W = np.linalg.inv(batch.V)
        at = label[batch.rows[:, 0]]
        if (label[batch.rows] != at[:, None]).any():
            raise DesignError("effects of different groups depend on each other, so they are no independent averages.")
        total = W.sum(axis=(1, 2))
        estimate[at] = np.einsum("jab,jb->j", W, y[batch.rows]) / total
        variance[at] = 1 / total
        count[at] = batch.rows.shape[1]
    return estimate, variance, count
