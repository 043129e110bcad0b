"""The likelihood with one variance parameter held at a value: what a profile follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from sweval.models.engine.mixed.model import Array
from sweval.models.engine.mixed.objective import Objective, stack_chains
from sweval.models.engine.mixed.structure import Structure, symmetric_basis

_CLOSE = 1e-7
"""Relative precision of a limit."""
_JUMP = 1e-3
_BELOW = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class Point:
    """Value, gradient and Hessian of a criterion at one set of parameters."""

    value: float
    gradient: Array
    hessian: Array


@dataclass(frozen=True, eq=False)
class Root:
    """A covariance `L L'` with `L = sum_t g_t(x_t) E_t`, where g_t is exp for logged parameters, else the identity.

    Parameters
    ----------
    E
        Shape (t, q, q); no parameter at all is the zero matrix.
    logged
        Shape (t,).
    start
        Shape (t,).
    own
        Which parameters are zero only where a variance is lost, shape (t,).
    """

    E: Array
    logged: NDArray[np.bool_]
    start: Array
    own: NDArray[np.bool_]
    owns_residual: bool = False

    @property
    def q(self) -> int:
        """Return the number of random effects."""
        return int(self.E.shape[1])

    def root(self, phi: Array) -> Array:
        """Return L."""
        out: Array = np.einsum("t,tab->ab", self._scale(phi), self.E)
        return out

    def psi(self, phi: Array) -> Array:
        """Return L L'."""
        L = self.root(phi)
        return L @ L.T

    def basis(self, phi: Array) -> Array:
        """Return the symmetric unit matrices."""
        return symmetric_basis(self.q)[0]

    def coordinates(self, phi: Array) -> Array:
        """Return the lower triangle."""
        return triangles(self.psi(phi)[None])[0]

    def chain(self, phi: Array) -> tuple[Array, Array]:
        """Return the derivatives of the lower triangle, shapes (b, t) and (t, t, b)."""
        L, t = self.root(phi), len(phi)
        slopes = self.E * np.where(self.logged, self._scale(phi), 1.0)[:, None, None]
        first = slopes @ L.T
        first = first + np.swapaxes(first, 1, 2)
        second = slopes[:, None] @ np.swapaxes(slopes, 1, 2)[None]
        second = second + np.swapaxes(second, 2, 3)
        own = np.arange(t)
        second[own, own] += np.where(self.logged[:, None, None], first, 0.0)
        b = self.q * (self.q + 1) // 2
        return triangles(first).T, triangles(second.reshape(t * t, self.q, self.q)).reshape(t, t, b)

    def natural(self, phi: Array, sigma2: float) -> None:
        """Say nothing: a profile makes no inference in these parameters."""

    def _scale(self, phi: Array) -> Array:
        return np.where(self.logged, np.exp(np.where(self.logged, phi, 0.0)), phi)


@dataclass(frozen=True, eq=False)
class Held:
    """A structure whose parameters are held where they are."""

    structure: Structure
    at: Array

    @property
    def q(self) -> int:
        """Return the number of columns."""
        return self.structure.q

    @property
    def owns_residual(self) -> bool:
        """Tell whether it is a structure of residuals."""
        return self.structure.owns_residual

    @property
    def start(self) -> Array:
        """Return no parameter."""
        return np.zeros(0)

    def psi(self, phi: Array) -> Array:
        """Return the covariance that is held."""
        return self.structure.psi(self.at)

    def basis(self, phi: Array) -> Array:
        """Return one direction, along which nothing moves."""
        return self.structure.basis(self.at)[:1]

    def coordinates(self, phi: Array) -> Array:
        """Return a place of no meaning."""
        return np.zeros(1)

    def chain(self, phi: Array) -> tuple[Array, Array]:
        """Return that nothing moves."""
        return np.zeros((1, 0)), np.zeros((0, 0, 1))

    def natural(self, phi: Array, sigma2: float) -> None:
        """Say nothing: a profile makes no inference in these parameters."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedVariance:
    """-2 log L where the variance `sigma^2 (offset + weights'c)` is held, c being the coordinates of all levels.

    The residual variance is then `square / (offset + weights'c)`, so the parameters of the structures stay free of
    constraints.

    Parameters
    ----------
    objective
        The criterion whose scale would else be profiled out.
    weights, offset
        Which variance is held.
    square
        Its value; None where nothing is held and the scale is profiled out.
    """

    objective: Objective
    weights: Array
    offset: float = 0.0
    square: float | None = None

    def at(self, square: float) -> FixedVariance:
        """Return the criterion with another value held."""
        return replace(self, square=square)

    def share(self, phi: Array) -> float:
        """Return the variance in question, as a multiple of the residual variance."""
        parts = zip(self.objective.structures, self.objective.split(phi), strict=True)
        return self.offset + float(self.weights @ np.concatenate([s.coordinates(x) for s, x in parts]))

    def value(self, phi: Array) -> float:
        """Return -2 log L up to a constant; infinite where V is not positive definite."""
        with np.errstate(all="ignore"):
            try:
                swept = self.objective.swept(phi, 0)
                _, left, log_xx = self.objective._solve(swept.M)
            except np.linalg.LinAlgError:
                return np.inf
            share = self.share(phi)
            value = swept.logdet + (log_xx if self.objective.reml else 0.0) + self._scale_part(left, share)
        return value if np.isfinite(value) else np.inf

    def full(self, phi: Array) -> Point:
        """Return -2 log L with its derivatives."""
        objective, nu, p = self.objective, self.objective.nu, self.objective.found.p
        swept = objective.swept(phi, 2)
        beta, left, log_xx = objective._solve(swept.M)
        v = np.append(-beta, 1.0)
        inverse = np.linalg.inv(swept.M[:p, :p])
        a = (swept.d_M @ v)[:, :p]
        d_left = np.einsum("a,dab,b->d", v, swept.d_M, v)
        dd_left = np.einsum("a,deab,b->de", v, swept.dd_M, v, optimize=True) - 2 * a @ inverse @ a.T
        g, H = swept.d_logdet, swept.dd_logdet
        if objective.reml:
            T = inverse @ swept.d_M[:, :p, :p]
            g = g + np.einsum("daa->d", T)
            H = H + np.einsum("ab,deba->de", inverse, swept.dd_M[:, :, :p, :p], optimize=True)
            H = H - np.einsum("dab,eba->de", T, T)
        share = self.share(phi)
        w = self.weights
        if self.square is None:
            g = g + nu * d_left / left
            H = H + nu * (dd_left / left - np.outer(d_left, d_left) / left**2)
        else:
            crossed = np.outer(d_left, w)
            g = g - nu * w / share + (d_left * share + left * w) / self.square
            H = H + nu * np.outer(w, w) / share**2 + (dd_left * share + crossed + crossed.T) / self.square
        parts = [s.chain(x) for s, x in zip(objective.structures, objective.split(phi), strict=True)]
        first, second = stack_chains([one for one, _ in parts], [two for _, two in parts])
        return Point(
            value=swept.logdet + (log_xx if objective.reml else 0.0) + self._scale_part(left, share),
            gradient=first.T @ g,
            hessian=first.T @ H @ first + second @ g,
        )

    def _scale_part(self, left: float, share: float) -> float:
        """Return nu log sigma^2 + RSS / sigma^2."""
        nu = self.objective.nu
        if self.square is None:
            return nu * float(np.log(left / nu)) + nu
        return nu * float(np.log(self.square / share)) + left * share / self.square


def correlated(unscale: Array, sizes: Array, pair: tuple[int, int], rho: float, psi: Array) -> Root:
    """Return a full covariance in which the correlation of two effects is held at rho, with all else as estimated.

    Parameters
    ----------
    unscale
        What turns effects of the columns given into those of the scaled columns, shape (q, q).
    sizes
        A typical standard deviation of every effect, shape (q,), in which the parameters are counted.
    pair
        The two effects.
    rho
        The correlation, -1 and 1 included.
    psi
        The covariance of the effects to start from, shape (q, q); the two have the standard deviations `sizes`.
    """
    q = len(sizes)
    order = [*pair, *(k for k in range(q) if k not in pair)]
    L = _lower((psi / np.outer(sizes, sizes))[np.ix_(order, order)])
    E, logged, start, own = [], [], [], []
    for place, k in enumerate(order):
        columns = [np.eye(q)[0], np.array([rho, np.sqrt(1 - rho * rho), *np.zeros(q - 2)])][place : place + 1]
        for column, direction in enumerate(columns or list(np.eye(q)[: place + 1])):
            E.append(sizes[k] * np.outer(np.eye(q)[k], direction))
            logged.append(place < 2)
            start.append(0.0 if place < 2 else float(L[place, column]))
            own.append(place >= 2 and direction[place] == 1)
    return Root(unscale @ np.stack(E), np.array(logged), np.array(start), np.array(own))


def _lower(psi: Array) -> Array:
    """Return a lower triangle L with `L L' = psi`, which may be singular, and no negative diagonal."""
    values, vectors = np.linalg.eigh(psi)
    upper = np.linalg.qr((vectors * np.sqrt(np.clip(values, 0, None))).T)[1]
    out: Array = upper.T * np.where(np.diag(upper) < 0, -1.0, 1.0)
    return out


@dataclass(frozen=True, kw_only=True, eq=False)
class SdParts:
    """What a covariance `L L'` is made of in which one standard deviation v is a number of its own.

    `L = v first + sum_j x_j rest_j`, and `row' Psi row = v^2` whatever x. All but `first` lies across `row`, so however
    far the origin of the columns is from the data the parts are well scaled.

    Parameters
    ----------
    first
        Shape (q, q).
    rest
        Shape (m, q, q).
    together
        So many of `rest` come first and say how other effects follow the one in question.
    own
        Which of `rest` are zero only where a variance is lost, shape (m,).
    at
        x of the covariance from which the parts were made, shape (m,).
    """

    first: Array
    rest: Array
    together: int
    own: NDArray[np.bool_]
    at: Array

    def absent(self) -> Root:
        """Return the covariance in which the effect in question does not vary at all."""
        k = self.together
        return Root(self.rest[k:], np.zeros(len(self.at) - k, dtype=bool), self.at[k:], self.own[k:])


def sd_parts(row: Array, psi: Array, *, diagonal: bool) -> SdParts:
    """Return the parts of a covariance.

    Parameters
    ----------
    row
        What makes the effect in question of the scaled effects, shape (q,).
    psi
        Covariance of the scaled effects, shape (q, q).
    diagonal
        Whether effects do not correlate; `row` then has one entry.
    """
    q, one = len(row), np.eye(len(row))
    across = one[:, row == 0] if diagonal else np.linalg.svd(row[None])[2][1:].T
    values, vectors = np.linalg.eigh(psi)
    M = np.concatenate([row[None], across.T])
    upper = np.linalg.qr((M @ (vectors * np.sqrt(np.clip(values, 0, None)))).T)[1]
    L = upper.T * np.where(np.diag(upper) < 0, -1.0, 1.0)
    places = [] if diagonal else [(i, 0) for i in range(1, q)]
    places += [(i, j) for i in range(1, q) for j in ([i] if diagonal else range(1, i + 1))]
    rest = [np.outer(across[:, i - 1], one[j]) for i, j in places]
    return SdParts(
        first=np.outer(row / (row @ row), one[0]),
        rest=np.stack(rest) if rest else np.zeros((0, q, q)),
        together=0 if diagonal else q - 1,
        own=np.array([i == j for i, j in places], dtype=bool),
        at=np.array([L[place] for place in places]),
    )


@dataclass(frozen=True, eq=False)
class HeldSd:
    """A covariance in which one standard deviation is held on the absolute scale.

    Parameters are the log t of the residual variance, and x of the parts; relative to the residual variance
    `Psi = exp(-t) L L'`, so small values held cost no more steps than large ones.
    """

    parts: SdParts
    value: float
    start: Array
    owns_residual: bool = False

    @property
    def rest(self) -> Array:
        """Return the free parts."""
        return self.parts.rest

    @property
    def own(self) -> NDArray[np.bool_]:
        """Tell which parameters are zero only where a variance is lost."""
        return np.append(False, self.parts.own)

    @property
    def q(self) -> int:
        """Return the number of random effects."""
        return len(self.parts.first)

    def root(self, phi: Array) -> Array:
        """Return L, relative to the residual standard deviation."""
        out: Array = np.exp(-phi[0] / 2) * (self.value * self.parts.first + np.einsum("t,tab->ab", phi[1:], self.rest))
        return out

    def psi(self, phi: Array) -> Array:
        """Return the relative covariance."""
        L = self.root(phi)
        return L @ L.T

    def basis(self, phi: Array) -> Array:
        """Return the symmetric unit matrices."""
        return symmetric_basis(self.q)[0]

    def coordinates(self, phi: Array) -> Array:
        """Return the lower triangle."""
        return triangles(self.psi(phi)[None])[0]

    def chain(self, phi: Array) -> tuple[Array, Array]:
        """Return the derivatives of the lower triangle, shapes (b, t) and (t, t, b)."""
        t, b, L = len(phi), self.q * (self.q + 1) // 2, self.root(phi)
        outer = np.exp(-phi[0] / 2) * (self.rest @ L.T)
        inner = np.exp(-phi[0]) * (self.rest[:, None] @ np.swapaxes(self.rest, 1, 2)[None])
        psi, slopes = L @ L.T, outer + np.swapaxes(outer, 1, 2)
        first = np.concatenate([-psi[None], slopes])
        second = np.empty((t, t, self.q, self.q))
        second[0, 0], second[1:, 1:] = psi, inner + np.swapaxes(inner, 2, 3)
        second[0, 1:] = second[1:, 0] = -slopes
        return triangles(first).T, triangles(second.reshape(t * t, self.q, self.q)).reshape(t, t, b)

    def natural(self, phi: Array, sigma2: float) -> None:
        """Say nothing: a profile makes no inference in these parameters."""


def rise(value: float, least: float) -> float:
    """Return how far a deviance lies above the minimum; NaN where it lies so far below that this was none."""
    above = value - least
    return max(above, 0.0) if above > -_BELOW else np.nan


def root_between(function: Callable[[float], float], start: float, end: float) -> float:
    """Return the root between two values; NaN where rounding errors hide it, or the function jumps over zero."""
    try:
        found = float(brentq(function, start, end, xtol=_CLOSE * abs(end - start), rtol=_CLOSE))
        return found if abs(function(found)) < _JUMP else np.nan
    except ValueError:
        return np.nan


def triangles(matrices: Array) -> Array:
    """Return the lower triangles by columns, shape (m, b)."""
    positions = symmetric_basis(matrices.shape[-1])[1]
    rows, columns = np.array([a for a, _ in positions]), np.array([b for _, b in positions])
    return matrices[:, rows, columns]
