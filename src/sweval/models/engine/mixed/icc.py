"""Intraclass correlations of a fitted mixed model, with intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import cast

import numpy as np
from scipy.optimize import brentq
from scipy.special import fdtri, ndtri

from sweval.models.engine.mixed.fit import MixedFit
from sweval.models.engine.mixed.fixed_parameter import FixedVariance, Point, rise, root_between
from sweval.models.engine.mixed.model import Array
from sweval.models.engine.mixed.modes import placed_levels
from sweval.models.engine.mixed.optimise import minimise
from sweval.models.engine.mixed.structure import Diagonal, Structure

_CLOSE = 1e-9
_NEARLY_ZERO, _NEARLY_ONE = 1e-6, 1 - 1e-9
_STEPS = 20


@dataclass(frozen=True, kw_only=True)
class IccInterval:
    """Share of the variance between units of one factor, given the fixed effects.

    Parameters
    ----------
    factor
        Number of the grouping factor.
    estimate
        Its variance divided by the sum of all variances.
    low, high
        Limits; NaN where there are none.
    exact
        Whether the interval is the exact one of a single factor, else it is a likelihood profile.
    """

    factor: int
    estimate: float
    low: float
    high: float
    exact: bool


def icc_intervals(fit: MixedFit, *, conf_level: float = 0.95) -> tuple[IccInterval, ...]:
    """Return the intraclass correlation of every factor of a model with random intercepts.

    Use it to say how alike clients of one agency are, and to plan the next study. Models with random slopes or
    structured residuals have no single intraclass correlation: for them the tuple is empty.

    Parameters
    ----------
    fit
        From `mixed_fit`.
    conf_level
        Level of the intervals.

    Returns
    -------
    tuple of IccInterval
        One per factor. With factors that nest, each has its own share; add them for rows that share several units.

    Notes
    -----
    One factor, any sizes and covariates: exact interval from the F ratio

    .. math:: F(\\rho) = \\frac{(y'P_\\rho y - SSE)/r}{SSE/f} \\sim F(r, f)

    with the generalised residual sum of squares at the variance ratio rho, SSE with the units as fixed effects, f its
    degrees of freedom and r = n - p - f (Wald, 1947, Annals of Mathematical Statistics 18, 586-589; Harville & Fenech,
    1985, Biometrics 41, 137-152). For equal sizes without covariates it is that of Searle (1971). Several factors: the
    profile of the fitted (for REML the restricted) likelihood, which also gives the upper limit where the exact set is
    empty because units differ less than chance makes them.

    Examples
    --------
    >>> from sweval.models.engine.mixed.fit import mixed_fit
    >>> from sweval.models.engine.mixed.model import Factor
    >>> agency, y = np.repeat(np.arange(4), 3), np.array([1.0, 2, 3, 4, 5, 6, 3, 4, 5, 8, 9, 10])
    >>> (found,) = icc_intervals(mixed_fit(y, np.ones((12, 1)), [Factor(agency, np.ones((12, 1)))]))
    >>> print(f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})")
    0.893 (0.559 to 0.992)
    """
    if fit.residual.kind != "independent" or not all(_intercept_only(fit, k) for k in range(len(fit.factors))):
        return ()
    between = np.array([float(covariance[0, 0]) for covariance in fit.covariances])
    shares = between / (between.sum() + fit.residual_variances[0])
    if len(between) == 1:
        low, high = _exact(fit, conf_level)
        if high == 0:  # the exact set is empty: variation between units is unusually small, even for none
            high = _Profile(fit, float(ndtri((1 + conf_level) / 2))).limits(0, 0.0)[1]
        return (IccInterval(factor=0, estimate=float(shares[0]), low=low, high=high, exact=True),)
    profile = _Profile(fit, float(ndtri((1 + conf_level) / 2)))
    out = []
    for k, share in enumerate(shares):
        low, high = profile.limits(k, float(share))
        out.append(IccInterval(factor=k, estimate=float(share), low=low, high=high, exact=False))
    return tuple(out)


def _intercept_only(fit: MixedFit, number: int) -> bool:
    factor = fit.factors[number]
    return factor.q == 1 and bool((factor.Z[factor.codes >= 0] == 1).all())


def _exact(fit: MixedFit, conf_level: float) -> tuple[float, float]:
    """Return the limits from the F ratio of a single factor; NaN where units or rows within them are too few."""
    within, df_within = _within(fit)
    df_between = fit.n - fit.X.shape[1] - df_within
    if df_within < 1 or df_between < 1 or not within > 0:
        return np.nan, np.nan
    objective = fit._objective
    scale = fit.variances.sigma2 * objective.nu / fit._optimum.at.residual_sum

    @cache
    def ratio(rho: float) -> float:
        swept = objective.swept(np.array([np.sqrt(rho)]), 0)
        left = objective._solve(swept.M)[1] * scale
        return (left - within) / df_between / (within / df_within)

    limits = []
    for probability in ((1 + conf_level) / 2, (1 - conf_level) / 2):
        quantile = float(fdtri(df_between, df_within, probability))
        if ratio(0.0) <= quantile:
            limits.append(0.0)
            continue
        top = 1.0
        while ratio(top) > quantile and top < 1e12:
            top *= 4.0
        if ratio(top) > quantile:
            limits.append(1.0)
            continue
        rho = float(brentq(lambda value, at=quantile: ratio(value) - at, 0.0, top, rtol=_CLOSE, xtol=1e-12))
        limits.append(rho / (1 + rho))
    return limits[0], limits[1]


def _within(fit: MixedFit) -> tuple[float, int]:
    """Return the residual sum of squares with the units as fixed effects, and its degrees of freedom."""
    codes = np.asarray(fit.factors[0].codes, dtype=np.intp)
    w = np.ones(fit.n) if fit.weights is None else np.asarray(fit.weights, dtype=float)
    columns = np.column_stack([fit.X, fit.y - fit.y.mean()])
    has = codes >= 0
    sizes = np.bincount(codes[has], w[has])
    units = int((np.bincount(codes[has]) > 0).sum())
    for k in range(columns.shape[1]):
        means = np.bincount(codes[has], w[has] * columns[has, k]) / np.where(sizes > 0, sizes, 1.0)
        columns[has, k] -= means[codes[has]]
    columns *= np.sqrt(w)[:, None]
    X, y = columns[:, :-1], columns[:, -1]
    length = np.sqrt((X * X).sum(axis=0))
    size = np.sqrt((w[:, None] * fit.X**2).sum(axis=0))
    X = X[:, length > 1e-9 * size] / length[length > 1e-9 * size]
    rank = 0
    if X.shape[1]:
        values, vectors = np.linalg.eigh(X.T @ X)
        good = values > 1e-9 * values[-1]
        rank = int(good.sum())
        Q = np.linalg.qr(X @ vectors[:, good])[0]
        y = y - Q @ (Q.T @ y)
    return float(y @ y), fit.n - units - rank


@dataclass(frozen=True, eq=False)
class _Variance(Diagonal):
    """A random intercept whose parameter is its relative variance itself."""

    def psi(self, phi: Array) -> Array:
        """Return the variance."""
        return phi[:, None].copy()

    def coordinates(self, phi: Array) -> Array:
        """Return the variance."""
        return phi

    def chain(self, phi: Array) -> tuple[Array, Array]:
        """Return that parameters and coordinates are the same."""
        return np.eye(1), np.zeros((1, 1, 1))


@dataclass(frozen=True, kw_only=True, eq=False)
class _HeldShare:
    """The criterion with the share of one level held: its variance is `odds (1 + sum of the others)`."""

    inner: FixedVariance
    level: int
    odds: float

    def _variances(self, phi: Array) -> tuple[Array, Array]:
        """Return all relative variances, and their derivatives in the others' standard deviations."""
        count = len(phi) + 1
        others = [k for k in range(count) if k != self.level]
        c, J = np.empty(count), np.zeros((count, count - 1))
        c[others] = phi * phi
        c[self.level] = self.odds * (1 + float(phi @ phi))
        J[others, np.arange(count - 1)] = 2 * phi
        J[self.level] = 2 * self.odds * phi
        return c, J

    def value(self, phi: Array) -> float:
        """Return -2 log L up to a constant."""
        return self.inner.value(self._variances(phi)[0])

    def full(self, phi: Array) -> Point:
        """Return -2 log L with its derivatives."""
        c, J = self._variances(phi)
        at = self.inner.full(c)
        others = [k for k in range(len(c)) if k != self.level]
        bend = 2 * (at.gradient[others] + self.odds * at.gradient[self.level])
        return Point(value=at.value, gradient=J.T @ at.gradient, hessian=J.T @ at.hessian @ J + np.diag(bend))


class _Profile:
    """The likelihood of a fit with several random intercepts, profiled along the share of one."""

    def __init__(self, fit: MixedFit, z: float) -> None:
        self.z = z
        self.levels, self.place = placed_levels(fit)
        structures = cast(tuple[Structure, ...], tuple(_Variance(1) for _ in fit._objective.structures))
        objective = replace(fit._objective, structures=structures)
        self.inner = FixedVariance(objective=objective, weights=np.zeros(len(structures)))
        self.sds = np.abs(fit._optimum.phi)
        self.least = self.inner.value(self.sds**2)

    def limits(self, factor: int, share: float) -> tuple[float, float]:
        """Return the limits of the share of a factor."""
        level = self.place[factor]
        start = np.delete(self.sds, level)

        @cache
        def root(value: float) -> float:
            held = _HeldShare(inner=self.inner, level=level, odds=value / (1 - value))
            least = np.inf if len(start) else held.value(start)
            for begin in (start, start + 0.3):  # a variance of zero is stationary for any data
                if len(start) and (begin is start or (start < 1e-3).any()):
                    try:
                        least = min(least, minimise(held, begin)[1].value)
                    except np.linalg.LinAlgError:  # V cannot be told from a singular one
                        return np.nan
            return float(np.sqrt(rise(least, self.least))) - self.z

        units = int(self.levels[factor].codes.max()) + 1
        step = min(1.0, 2.6 * self.z / float(np.sqrt(2 * units)))
        low = 0.0 if root(0.0) < 0 else _limit(root, share, -step)
        return low, _limit(root, share, step)


def _limit(root: Callable[[float], float], share: float, step: float) -> float:
    """Return where the root is zero, going from the estimate in steps of its logit that double."""
    inner = max(share, _NEARLY_ZERO)
    at = float(np.log(inner / (1 - inner)))
    for _ in range(_STEPS):
        at, step = at + step, 2 * step
        outer = float(1 / (1 + np.exp(-at)))
        if outer > _NEARLY_ONE:
            return 1.0
        if np.isnan(root(outer)):
            return np.nan
        if root(outer) > 0:
            return root_between(root, inner, outer)
        inner = outer
    return np.nan
