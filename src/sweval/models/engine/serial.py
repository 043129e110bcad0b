"""Series whose errors follow an AR(1), each with a level of its own if asked: cross-products and the likelihood.

The inverse of an AR(1) correlation matrix is tridiagonal, so with `w` a row of the data and `g = rho^lag` the
correlation with the row before,

    W' R^-1 W = first first' + sum_i (w_i - g w_before)(w_i - g w_before)' / (1 - g^2),

and three sums of cross-products for every distinct lag hold all that any rho needs. A random level of each series
changes this by rank one. One evaluation of the likelihood with both derivatives therefore costs nothing in the length
of the series, and whole batches of data sets (a leading axis on everything) are fitted at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

MOST_ROWS = 2000
"""Longest series; the curvature in rho is a square matrix of that size."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SerialMoments:
    """Cross-products of the columns `[Q e]`, and of a column of ones where series have levels of their own.

    Parameters
    ----------
    base
        What no rho changes, shape (batch, units, m, m).
    pairs
        For every lag the sums that weigh `1 / (1 - g^2)`, then those that weigh `-g / (1 - g^2)`; shape
        (batch, units, 2 L, m m).
    lags, counts
        Distinct lags, shape (L,), and how often each occurs in a unit, shape (units, L).
    rows, times
        The columns with every unit in a row of its own, padded by zeros: (batch, units, T, m) and (units, T).
    n, p
        Rows, and columns of Q.
    random
        Whether the last column is that of ones.
    """

    base: Array
    pairs: Array
    lags: Array
    counts: Array
    rows: Array
    times: Array
    n: int
    p: int
    random: bool

    def take(self, members: Indices) -> SerialMoments:
        """Return part of the batch, without its rows."""
        return replace(self, base=self.base[members], pairs=self.pairs[members], rows=self.rows[:0])


def serial_order(unit: Indices, time: Indices) -> Indices:
    """Return the order by unit and time.

    Raises
    ------
    DesignError
        If a unit has two rows at one time, or a series is too long.
    """
    order = np.lexsort((time, unit))
    same = (np.diff(unit[order]) == 0) & (np.diff(time[order]) == 0)
    if same.any():
        raise DesignError(
            f"{int(same.sum())} rows repeat the time of another row of the same series.",
            fix="Keep one row per series and time.",
        )
    longest = int(np.bincount(unit).max())
    if longest > MOST_ROWS:
        raise DesignError(f"a series has {longest} rows; up to {MOST_ROWS} are possible.")
    return order


def serial_moments(W: Array, unit: Indices, time: Indices, *, random: bool) -> SerialMoments:
    """Return the cross-products of the columns `[Q e]`, shape (batch, n, p + 1); rows sorted by unit and time."""
    batch, n, columns = W.shape
    units = int(unit[-1]) + 1
    starts = np.searchsorted(unit, np.arange(units))
    if random:
        W = np.concatenate([W, np.ones((batch, n, 1))], axis=2)
    m = W.shape[2]
    later = np.flatnonzero(np.diff(unit) == 0) + 1
    lags, kind = np.unique(time[later] - time[later - 1], return_inverse=True)
    L = len(lags)
    base = W[:, starts, :, None] * W[:, starts, None, :]
    pairs = np.zeros((batch, units, 2 * L, m, m))
    counts = np.zeros((units, L))
    owner = unit[later]
    for u, k in np.unique(np.column_stack([owner, kind.reshape(-1)]), axis=0).tolist():
        here = later[(owner == u) & (kind.reshape(-1) == k)]
        now, before = W[:, here], W[:, here - 1]
        earlier = np.swapaxes(before, 1, 2) @ before
        cross = np.swapaxes(now, 1, 2) @ before
        counts[u, k] = len(here)
        base[:, u] -= earlier
        pairs[:, u, k] = np.swapaxes(now, 1, 2) @ now + earlier
        pairs[:, u, L + k] = cross + np.swapaxes(cross, 1, 2)
    place = np.arange(n) - starts[unit]
    rows = np.zeros((batch, units, int(place.max()) + 1, m))
    times = np.zeros(rows.shape[1:3])
    rows[:, unit, place], times[unit, place] = W, time - time[starts][unit]
    return SerialMoments(
        base=base,
        pairs=pairs.reshape(batch, units, 2 * L, m * m),
        lags=lags.astype(float),
        counts=counts,
        rows=rows,
        times=times,
        n=n,
        p=columns - 1,
        random=random,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Products:
    """`M = [Q e]' V^-1 [Q e]` and `log |V|` for `V = R(rho) + psi * ones`, with derivatives in (rho, psi).

    Parameters
    ----------
    M, logdet
        Shapes (batch, p + 1, p + 1) and (batch,).
    d_M, d_logdet
        First derivatives, shapes (batch, t, ...), t = 1 or 2.
    dd_M, dd_logdet
        Second derivatives, shapes (batch, t, t, ...).
    """

    M: Array
    logdet: Array
    d_M: Array
    d_logdet: Array
    dd_M: Array
    dd_logdet: Array


def serial_value(found: SerialMoments, rho: Array, psi: Array) -> tuple[Array, Array]:
    """Return M and log |V| only; rho and psi may have axes before those of the batch."""
    a, b, gap = _weights(found.lags, rho, orders=1)
    A = _combined(found, np.concatenate([a, b], axis=-1))[..., 0, :, :] + found.base
    logdet = gap[..., 0, :] @ found.counts.sum(axis=0)
    if not found.random:
        return A.sum(axis=-3), logdet
    k = found.p + 1
    G, H = A[..., k, k], A[..., :k, k]
    u = 1 / (1 + psi[..., None] * G)
    M = A[..., :k, :k].sum(axis=-3) - np.swapaxes(H * (psi[..., None] * u)[..., None], -1, -2) @ H
    return M, logdet - np.log(u).sum(axis=-1)


def serial_products(found: SerialMoments, rho: Array, psi: Array) -> Products:
    """Return M and log |V| with both derivatives; rho and psi have shape (batch,)."""
    a, b, gap = _weights(found.lags, rho, orders=3)
    A = _combined(found, np.concatenate([a, b], axis=-1))
    A[..., 0, :, :] += found.base
    logs = gap @ found.counts.sum(axis=0)
    k = found.p + 1
    K = A[..., :k, :k].sum(axis=1)
    if not found.random:
        return Products(
            M=K[:, 0],
            logdet=logs[:, 0],
            d_M=K[:, 1:2],
            d_logdet=logs[:, 1:2],
            dd_M=K[:, 2:3, None],
            dd_logdet=logs[:, 2:3, None],
        )
    H, G = np.moveaxis(A[..., :k, k], 2, 0), np.moveaxis(A[..., k, k], 2, 0)
    s = psi[:, None]
    u = 1 / (1 + s * G[0])
    w = s * u
    w_r, w_s = -(w**2) * G[1], u**2
    w_rr, w_rs, w_ss = 2 * w**3 * G[1] ** 2 - w**2 * G[2], -2 * w * u**2 * G[1], -2 * G[0] * u**3
    HH, HH1 = _outer(H[0], H[0]), 2 * _outer(H[0], H[1])
    HH2 = 2 * (_outer(H[0], H[2]) + _outer(H[1], H[1]))

    def over(weight: Array, part: Array) -> Array:
        return (weight[..., None, None] * part).sum(axis=1)

    M_rs = -over(w_rs, HH) - over(w_s, HH1)
    log_rs = (w_s * G[1]).sum(axis=1)
    return Products(
        M=K[:, 0] - over(w, HH),
        logdet=logs[:, 0] - np.log(u).sum(axis=1),
        d_M=np.stack([K[:, 1] - over(w_r, HH) - over(w, HH1), -over(w_s, HH)], axis=1),
        d_logdet=np.stack([logs[:, 1] + (w * G[1]).sum(axis=1), (G[0] * u).sum(axis=1)], axis=1),
        dd_M=_symmetric(K[:, 2] - over(w_rr, HH) - 2 * over(w_r, HH1) - over(w, HH2), M_rs, -over(w_ss, HH)),
        dd_logdet=_symmetric(logs[:, 2] + (w_r * G[1] + w * G[2]).sum(axis=1), log_rs, -((G[0] * u) ** 2).sum(axis=1)),
    )


def curvature_direction(found: SerialMoments, rho: Array, psi: Array) -> tuple[Array, Array]:
    """Return the derivatives of M and log |V| as V moves along the second derivative of R in rho."""
    a, b, _ = _weights(found.lags, rho, orders=1)
    lag = np.abs(found.times[:, :, None] - found.times[:, None])
    bend = lag * (lag - 1) * np.power(rho[:, None, None, None], np.maximum(lag - 2, 0))
    Y = _whitened(found, a[:, 0], b[:, 0])
    inside = -np.swapaxes(Y, 2, 3) @ (bend @ Y)
    own = found.lags * (found.lags - 1) * np.power(rho[:, None], np.maximum(found.lags - 2, 0))
    log = 2 * (b[:, 0] * own) @ found.counts.sum(axis=0)
    k = found.p + 1
    if not found.random:
        return inside.sum(axis=1), log
    A = _combined(found, np.concatenate([a, b], axis=-1))[..., 0, :, :] + found.base
    H, G, dH, dG = A[..., :k, k], A[..., k, k], inside[..., :k, k], inside[..., k, k]
    w = psi[:, None] / (1 + psi[:, None] * G)
    moved = w[..., None, None] * 2 * _outer(H, dH) - (w**2 * dG)[..., None, None] * _outer(H, H)
    return inside[..., :k, :k].sum(axis=1) - moved.sum(axis=1), log + (w * dG).sum(axis=1)


def _whitened(found: SerialMoments, a: Array, b: Array) -> Array:
    """Return `R^-1` times the rows, from its three diagonals; a and b have shape (batch, L)."""
    place = np.searchsorted(found.lags, np.diff(found.times, axis=1))
    real = np.diff(found.times, axis=1) > 0
    place = np.where(real, place, 0)
    off, more = np.where(real, b[:, place], 0.0), np.where(real, a[:, place] - 1, 0.0)
    zero = np.zeros((*off.shape[:2], 1))
    diagonal = 1 + np.concatenate([more, zero], axis=2) + np.concatenate([zero, more], axis=2)
    out = diagonal[..., None] * found.rows
    out[:, :, 1:] += off[..., None] * found.rows[:, :, :-1]
    out[:, :, :-1] += off[..., None] * found.rows[:, :, 1:]
    return out


def _weights(lags: Array, rho: Array, *, orders: int) -> tuple[Array, Array, Array]:
    """Return `a = 1 / (1 - g^2)`, `b = -g a` and `log(1 - g^2)` with derivatives, shapes (..., orders, L)."""
    r = rho[..., None]
    g = np.power(r, lags)
    a = 1 / (1 - g * g)
    parts: list[tuple[Array, ...]] = [(a, -g * a, -np.log(a))]
    if orders > 1:
        d1 = lags * np.power(r, lags - 1)
        d2 = lags * (lags - 1) * np.power(r, np.maximum(lags - 2, 0))
        square = g * g
        slopes = 2 * g * a**2, -(a**2) * (1 + square), -2 * g * a
        bends = 2 * a**2 + 8 * square * a**3, -4 * g * a**3 * (1 + square) - 2 * g * a**2, -2 * a - 4 * square * a**2
        parts.append((slopes[0] * d1, slopes[1] * d1, slopes[2] * d1))
        parts.append(tuple(two * d1 * d1 + one * d2 for one, two in zip(slopes, bends, strict=True)))
    stacked = [np.stack([part[i] for part in parts], axis=-2) for i in range(3)]
    return stacked[0], stacked[1], stacked[2]


def _combined(found: SerialMoments, weights: Array) -> Array:
    """Return the weighted sums over lags, shape (..., units, orders, m, m), without the base."""
    m = found.base.shape[-1]
    out = weights[..., None, :, :] @ found.pairs
    return out.reshape(*out.shape[:-1], m, m)


def _outer(x: Array, y: Array) -> Array:
    """Return the symmetric part of the outer products of the last axes."""
    one = x[..., :, None] * y[..., None, :]
    out: Array = (one + np.swapaxes(one, -1, -2)) / 2
    return out


def _symmetric(first: Array, mixed: Array, second: Array) -> Array:
    """Return second derivatives in two parameters as a 2 x 2 block after the batch axis."""
    return np.stack([np.stack([first, mixed], axis=1), np.stack([mixed, second], axis=1)], axis=1)
