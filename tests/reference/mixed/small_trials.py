"""Small simulated trials of every layout in which mixed models get stuck, and their likelihood in plain dense algebra.

For `tests/models/engine/test_mixed_optima.py` and `tests/benchmarks/check_optima.py`. Nothing here uses the engine, so
that both can hold its optimum against that of another likelihood and another optimiser. A trial follows from its layout
and number alone: the streams of RandomState are frozen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtrs
from scipy.optimize import minimize, minimize_scalar

ICC = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """One data set: outcome, design, random terms (units, columns), classes or occasions of the residuals.

    `columns` are the data as R reads them.
    """

    y: np.ndarray
    X: np.ndarray
    terms: tuple[tuple[np.ndarray, np.ndarray], ...]
    classes: np.ndarray | None = None
    series: bool = False
    columns: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How to draw a trial, and lme4's formula for it if it has one."""

    draw: Callable[[np.random.RandomState], Trial]
    formula: str | None = None


def trial(name: str, number: int) -> Trial:
    """Return a trial of a layout."""
    return LAYOUTS[name].draw(np.random.RandomState(100_000 * list(LAYOUTS).index(name) + number))


def _columns(*values: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(values[0])), *values])


def _one(codes: np.ndarray) -> np.ndarray:
    return np.ones((len(codes), 1))


def _sizes(rng: np.random.RandomState, units: int, *, equal: bool) -> np.ndarray:
    """Return sizes with mean 15: all alike, or gamma with a coefficient of variation of .7 and at least 3."""
    if equal:
        return np.full(units, 15)
    return np.maximum(np.round(rng.gamma(1 / 0.49, 15 * 0.49, units)), 3).astype(int)


def cluster_trial(rng: np.random.RandomState, *, units: int, equal: bool, treated: int) -> Trial:
    """Return clusters of which some are treated, at an intraclass correlation from 0 to .2."""
    code = np.repeat(np.arange(units), _sizes(rng, units, equal=equal))
    icc, arm = rng.choice(ICC), (code < treated).astype(float)
    y = np.sqrt(icc) * rng.normal(size=units)[code] + np.sqrt(1 - icc) * rng.normal(size=len(code))
    return Trial(y=y, X=_columns(arm), terms=((code, _one(code)),), columns={"y": y, "arm": arm, "unit": code})


def partially_nested(rng: np.random.RandomState, *, groups: int, by_arm: bool) -> Trial:
    """Return as many people alone as in groups of eight; only groups have an effect."""
    code = np.append(np.repeat(np.arange(groups), 8), np.arange(groups, 9 * groups))
    arm = (code < groups).astype(float)
    icc = rng.choice([0.0, 0.1, 0.2])
    y = rng.normal(size=len(code)) * np.where(arm > 0, np.sqrt(1 - icc), 1.0)
    y = y + np.sqrt(icc) * rng.normal(size=9 * groups)[code] * arm
    terms = ((np.where(arm > 0, code, -1), _one(code)),)
    columns = {"y": y, "arm": arm, "unit": code}
    return Trial(y=y, X=_columns(arm), terms=terms, classes=arm.astype(int) if by_arm else None, columns=columns)


def three_levels(rng: np.random.RandomState) -> Trial:
    """Return 8 organisations with 2 to 4 groups of 3 to 8 clients."""
    group = np.repeat(np.arange(8), rng.randint(2, 5, 8))
    code = np.repeat(np.arange(len(group)), rng.randint(3, 9, len(group)))
    org = group[code]
    arm, x = (org % 2).astype(float), rng.normal(size=len(org))
    y = np.sqrt(rng.choice(ICC)) * rng.normal(size=8)[org] + rng.normal(size=len(code))
    y = y + np.sqrt(rng.choice(ICC)) * rng.normal(size=len(group))[code]
    columns = {"y": y, "arm": arm, "x": x, "org": org, "unit": code}
    return Trial(y=y, X=_columns(arm, x), terms=((code, _one(code)), (org, _one(org))), columns=columns)


def slopes(rng: np.random.RandomState) -> Trial:
    """Return 8 clusters whose start and slope over four waves vary, little or not at all in some trials."""
    code = np.repeat(np.arange(8), _sizes(rng, 8, equal=False))
    x, arm = rng.randint(0, 4, len(code)).astype(float), (code % 2).astype(float)
    start, slope = (rng.choice([0.0, 0.2, 0.5]) * rng.normal(size=8) for _ in range(2))
    y = start[code] + slope[code] * x + rng.normal(size=len(code))
    terms = ((code, _columns(x)),)
    return Trial(y=y, X=_columns(arm, x), terms=terms, columns={"y": y, "arm": arm, "x": x, "unit": code})


def no_variance(rng: np.random.RandomState) -> Trial:
    """Return 12 unequal clusters that do not differ."""
    code = np.repeat(np.arange(12), _sizes(rng, 12, equal=False))
    x, arm = rng.normal(size=len(code)), (code % 2).astype(float)
    y = rng.normal(size=len(code))
    columns = {"y": y, "arm": arm, "x": x, "unit": code}
    return Trial(y=y, X=_columns(arm, x), terms=((code, _one(code)),), columns=columns)


def crossed(rng: np.random.RandomState) -> Trial:
    """Return clients rated by raters, with two thirds of the pairs."""
    client, rater = (grid.ravel() for grid in np.indices((10, 7)))
    kept = np.sort(rng.permutation(70)[:48])
    client, rater = client[kept], rater[kept]
    arm = (client % 2).astype(float)
    sds = rng.choice([0.0, 0.3, 0.8], 2)
    y = sds[0] * rng.normal(size=10)[client] + sds[1] * rng.normal(size=7)[rater] + rng.normal(size=48)
    terms = ((client, _one(client)), (rater, _one(rater)))
    return Trial(y=y, X=_columns(arm), terms=terms, columns={"y": y, "arm": arm, "client": client, "rater": rater})


def series(rng: np.random.RandomState, *, length: int) -> Trial:
    """Return one interrupted series whose residuals follow each other."""
    rho = rng.choice([0.0, 0.2, 0.4, 0.6])
    e = rng.normal(size=length)
    e[0] /= np.sqrt(1 - rho * rho)
    for k in range(1, length):
        e[k] += rho * e[k - 1]
    t = np.arange(length, dtype=float)
    after = (t >= length // 2).astype(float)
    return Trial(y=e, X=_columns(t, after, after * (t - length // 2)), terms=(), series=True)


def _layouts() -> dict[str, Layout]:
    out = {}
    for units in (6, 8, 12):
        for equal in (True, False):
            for share, treated in (("half", units // 2), ("quarter", max(units // 4, 2))):
                name = f"{units} {'equal' if equal else 'unequal'} clusters, {share} treated"
                draw = partial(cluster_trial, units=units, equal=equal, treated=treated)
                out[name] = Layout(draw=draw, formula="y ~ arm + (1 | unit)")
    for groups in (4, 6, 10):
        draw = partial(partially_nested, groups=groups, by_arm=False)
        out[f"{groups} groups in one arm"] = Layout(draw=draw, formula="y ~ arm + (0 + arm | unit)")
        draw = partial(partially_nested, groups=groups, by_arm=True)
        out[f"{groups} groups in one arm, two residual variances"] = Layout(draw=draw)
    out["three levels"] = Layout(draw=three_levels, formula="y ~ arm + x + (1 | unit) + (1 | org)")
    out["slopes of 8 clusters"] = Layout(draw=slopes, formula="y ~ arm + x + (x | unit)")
    out["no variance"] = Layout(draw=no_variance, formula="y ~ arm + x + (1 | unit)")
    out["crossed"] = Layout(draw=crossed, formula="y ~ arm + (1 | client) + (1 | rater)")
    for length in (12, 24, 48):
        out[f"series of {length}"] = Layout(draw=partial(series, length=length))
    return out


LAYOUTS = _layouts()


class Likelihood:
    """Log-likelihood of a trial in its relative variance parameters, profiled in coefficients and residual variance.

    The covariance is `V = s2 (D + sum_k Z_k (I x L_k L_k') Z_k')` with D the identity, the variance ratio of the second
    class of residuals, or the correlations of a series. Rows are first rotated to the space of Z and X (in each class),
    outside of which the residuals are independent: the same likelihood, from smaller matrices.
    """

    def __init__(self, given: Trial, *, reml: bool) -> None:
        self.n, self.p = given.X.shape
        self.nu = self.n - self.p if reml else self.n
        self.reml, self.series, self.by_class = reml, given.series, given.classes is not None
        self.widths = [Z.shape[1] for _, Z in given.terms]
        self.size = sum(q * (q + 1) // 2 for q in self.widths) + int(self.series or self.by_class)
        wide = [_indicators(codes, Z) for codes, Z in given.terms]
        rows = np.zeros(self.n, dtype=int) if given.classes is None else given.classes
        X, y, Zs, self.rest, self.left, self.second = [], [], [[] for _ in wide], [], [], []
        for k in range(rows.max() + 1):
            own = rows == k
            design = np.column_stack([*(Z[own] for Z in wide), given.X[own]])
            Q = np.eye(own.sum()) if self.series else np.linalg.qr(design)[0]
            X.append(Q.T @ given.X[own])
            y.append(Q.T @ given.y[own])
            for part, Z in zip(Zs, wide, strict=True):
                part.append(Q.T @ Z[own])
            self.rest.append(float(np.sum((given.y[own] - Q @ y[-1]) ** 2)))
            self.left.append(int(own.sum()) - Q.shape[1])
            self.second.append(np.full(Q.shape[1], k))
        self.data = np.column_stack([np.concatenate(X), np.concatenate(y)])
        self.is_second = np.concatenate(self.second)
        self.lag = np.abs(np.subtract.outer(np.arange(self.n), np.arange(self.n))) if self.series else None
        self.products = []  # for every pair of effects of a unit, the sum over units of their columns' outer product
        for part, q in zip(Zs, self.widths, strict=True):
            Z = np.concatenate(part)
            Z = Z.reshape(len(Z), -1, q)
            self.products.append(np.einsum("iua,jub->abij", Z, Z))

    def at(self, relative: list[np.ndarray], last: float | None = None) -> float:
        """Return the log-likelihood at covariances relative to s2, and the variance ratio or the correlation."""
        if self.lag is not None:
            V = np.power(last, self.lag)
        else:
            V = np.diag(np.where(self.is_second > 0, last, 1.0)) if last is not None else np.eye(len(self.data))
        for psi, products in zip(relative, self.products, strict=True):
            V = V + np.tensordot(psi, products, axes=2)
        root = _cholesky(V)
        both = dtrtrs(root, self.data, lower=1)[0]
        M = both.T @ both
        small = _cholesky(M[:-1, :-1])
        explained = dtrtrs(small, M[:-1, -1], lower=1)[0].ravel()
        scale = [1.0, last if self.by_class and last is not None else 1.0]
        squares = float(M[-1, -1] - explained @ explained) + sum(r / s for r, s in zip(self.rest, scale, strict=False))
        value = 2 * np.log(np.diag(root)).sum() + sum(m * np.log(s) for m, s in zip(self.left, scale, strict=False))
        if self.reml:
            value += 2 * np.log(np.diag(small)).sum()
        return float(-(value + self.nu * (1 + np.log(2 * np.pi * squares / self.nu))) / 2)

    def loss(self, free: np.ndarray) -> float:
        """Return minus the log-likelihood at unbounded parameters; a large number where V is not positive definite."""
        relative, place = [], 0
        for q in self.widths:
            L = np.zeros((q, q))
            size = q * (q + 1) // 2
            L[np.tril_indices(q)] = free[place : place + size]
            relative.append(L @ L.T)
            place += size
        last = None
        if self.series:
            last = 0.98 * float(np.tanh(free[-1]))  # the bound of the engine
        elif self.by_class:
            last = float(np.exp(free[-1]))
        try:
            value = self.at(relative, last)
        except np.linalg.LinAlgError:
            return 1e10
        return -value if np.isfinite(value) else 1e10

    def best(self, *, starts: int, seed: int) -> float:
        """Return the best log-likelihood of several starts.

        One parameter is searched by Brent's method in as many intervals from 0 (or both ways) to 20, several parameters
        by quasi-Newton and simplex searches from random points.
        """
        if self.size == 1:
            ends = np.linspace(-1.52 if self.series else 0.0, 1.52, starts + 1)
            search = {"method": "bounded", "options": {"xatol": 1e-7}}
            done = [
                minimize_scalar(lambda u: self.loss(np.tan([u])), bounds=(low, high), **search).fun
                for low, high in pairwise(ends)
            ]
            return -float(min(done))
        rng = np.random.RandomState(seed)
        found = -np.inf
        for k in range(starts):
            start = rng.normal(size=self.size) * 10 ** rng.uniform(-1.5, 0.7)
            if k % 5 == 4:
                options = {"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000, "maxfev": 4000}
                done = minimize(self.loss, start, method="Nelder-Mead", options=options)
            else:
                done = minimize(self.loss, start, method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-6})
            found = max(found, -float(done.fun))
        return found


def _cholesky(V: np.ndarray) -> np.ndarray:
    """Return the lower triangle of V = L L'."""
    root, failed = dpotrf(V, lower=1)
    if failed:
        raise np.linalg.LinAlgError
    return root


def _indicators(codes: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Return Z spread over the columns of its units."""
    labels, place = np.unique(codes, return_inverse=True)
    units, q = len(labels), Z.shape[1]
    wide = np.zeros((len(codes), units, q))
    wide[np.arange(len(codes)), place] = Z
    wide = wide[:, labels >= 0]
    return wide.reshape(len(codes), -1)
