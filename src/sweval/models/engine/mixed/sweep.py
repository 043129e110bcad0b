"""The hierarchical sweep: log|V| and `[Q e]' V^-1 [Q e]` with exact first and second derivatives.

With `V = I + sum_k Z_k (I x Psi_k) Z_k'` and the levels nested, one unit after the other is swept out of the
cross-products (Woodbury): `K = (I + A Psi)^-1`, `W = Psi K`, `log|V| += log|I + A Psi|`, `R <- R - B' W B`, where
A, B, R are the blocks of a unit's cross-products. W needs no inverse of Psi, so Psi may be singular or, for residual
structures, indefinite. What is left over of a level's units is summed by their parents, and the next level follows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sweval.models.engine.mixed.border import Blocks, border_derivatives, border_value
from sweval.models.engine.mixed.model import Array, inverse
from sweval.models.engine.mixed.moments import Leaf, Moments

_PART = 4096
"""Units swept at a time where units are kept apart."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Swept:
    """Value and derivatives along the directions of all levels, chain first (lowest first), then border.

    Parameters
    ----------
    logdet
        log|V|.
    M
        `[Q e]' V^-1 [Q e]`, shape (p + 1, p + 1).
    d_logdet, d_M
        First derivatives, shapes (D,) and (D, p + 1, p + 1).
    dd_logdet, dd_M
        Second derivatives, shapes (D, D) and (D, D, p + 1, p + 1).
    """

    logdet: float
    M: Array
    d_logdet: Array
    d_M: Array
    dd_logdet: Array
    dd_M: Array


@dataclass(eq=False)
class _Carried:
    """Cross-products on their way up, with derivatives; pair (i, l), i <= l, is number l (l + 1) / 2 + i."""

    logdet: float
    d_logdet: Array
    dd_logdet: Array
    R: Array
    first_R: Array
    second_R: Array


def sweep(found: Moments, psi: Sequence[Array], basis: Sequence[Array], *, order: int = 2) -> Swept:
    """Sweep all levels.

    Parameters
    ----------
    found
        The cross-products.
    psi
        Psi of each level, chain first, then border.
    basis
        Direction matrices of each level, shape (b, q, q).
    order
        0 for the value, 2 for both derivatives.
    """
    state = _leaf(found, psi[0], basis[0], order)
    for level, width in enumerate(found.widths, start=1):
        state = _level(state, width, psi[level], basis[level], found.starts[level - 1], order)
    if found.border:
        first = 1 + len(found.widths)
        state = _border(state, Blocks(found.border, psi[first:], basis[first:]), order)
    D = len(state.d_logdet)
    pair = _pair_numbers(D)
    return Swept(
        logdet=state.logdet,
        M=state.R[0],
        d_logdet=state.d_logdet,
        d_M=state.first_R[:, 0],
        dd_logdet=state.dd_logdet[pair],
        dd_M=state.second_R[:, 0][pair],
    )


def left_within(found: Moments) -> float:
    """Return the residual sum of squares when the effects of the lowest level are fixed instead of random."""
    p, leaf = found.p, found.leaf
    M = found.total.sum(axis=0)
    if leaf is not None:
        if leaf.A.shape[1] == 1:
            inverse_A = np.divide(1.0, leaf.A, out=np.zeros_like(leaf.A), where=leaf.A > 0)
        else:
            inverse_A = np.linalg.pinv(leaf.A, rcond=1e-9, hermitian=True)
        for part, parents in _parts(replace(leaf, A=inverse_A), len(found.total)):
            M = M - _contract(part, part.A[None], parents.stop - parents.start, len(M))[0].sum(axis=0)
    M = M[-p - 1 :, -p - 1 :]
    return float(M[p, p] - M[p, :p] @ np.linalg.pinv(M[:p, :p], rcond=1e-9, hermitian=True) @ M[:p, p])


@cache
def _pairs(D: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return i and l of the pairs i <= l in their order."""
    i = np.concatenate([np.arange(top + 1) for top in range(D)] or [np.zeros(0, dtype=int)])
    ell = np.repeat(np.arange(D), np.arange(1, D + 1))
    return i.astype(np.intp), ell.astype(np.intp)


@cache
def _pair_numbers(D: int) -> NDArray[np.intp]:
    """Return the number of every pair as a symmetric (D, D) table."""
    i, ell = np.meshgrid(np.arange(D), np.arange(D), indexing="ij")
    low, high = np.minimum(i, ell), np.maximum(i, ell)
    return high * (high + 1) // 2 + low


def _leaf(found: Moments, psi: Array, basis: Array, order: int) -> _Carried:
    """Sweep the units of the lowest level, group by group."""
    leaf = found.leaf
    J, m = len(found.total), found.total.shape[1]
    if leaf is None:
        none = np.zeros(0)
        empty = np.zeros((0, J, m, m))
        return _Carried(logdet=0.0, d_logdet=none, dd_logdet=none, R=found.total, first_R=empty, second_R=empty)
    d = len(basis) if order else 0
    logs = np.zeros(1 + d + d * (d + 1) // 2)
    taken = np.zeros((len(logs), J, m, m))
    for part, parents in _parts(leaf, J):
        weight, some = _weights(part, psi, basis[:d])
        logs += some
        taken[:, parents] += _contract(part, weight, parents.stop - parents.start, m)
    return _Carried(
        logdet=float(logs[0]),
        d_logdet=logs[1 : 1 + d],
        dd_logdet=logs[1 + d :],
        R=found.total - taken[0],
        first_R=-taken[1 : 1 + d],
        second_R=-taken[1 + d :],
    )


def _parts(leaf: Leaf, J: int) -> Iterator[tuple[Leaf, slice]]:
    """Cut units that are kept apart into parts that stay in the processor's cache; a parent is never cut."""
    if leaf.B is None or len(leaf.A) <= 2 * _PART:
        yield leaf, slice(0, J)
        return
    units = len(leaf.A)
    if J == 1:
        cuts = [*range(0, units, _PART), units]
        spans = [(slice(0, 1), start, end) for start, end in itertools.pairwise(cuts)]
    else:
        firsts = np.unique(np.searchsorted(leaf.starts, np.arange(0, units, _PART)))
        ends = [*firsts[1:].tolist(), J]
        begin = np.append(leaf.starts, units)
        spans = [
            (slice(a, b), int(begin[a]), int(begin[b])) for a, b in zip(firsts.tolist(), ends, strict=True) if a < b
        ]
    for parents, start, end in spans:
        starts = np.zeros(1, dtype=np.intp) if J == 1 else leaf.starts[parents] - start
        rows = slice(start, end)
        yield (
            Leaf(A=leaf.A[rows], count=leaf.count[rows], squares=None, B=leaf.B[:, :, rows], starts=starts),
            parents,
        )


def _weights(leaf: Leaf, psi: Array, basis: Array) -> tuple[Array, Array]:
    """Return W and its derivatives by group, shape (t, g, q, q), and log|I + A psi| with its derivatives, summed."""
    d = len(basis)
    i, ell = _pairs(d)
    if psi.shape == (1, 1):
        a, count = leaf.A[:, 0, 0], leaf.count
        k = 1 / (1 + a * psi[0, 0])
        n = k * a
        b = basis[:, 0, 0]
        spread = float(count @ (n * n))
        logs = [np.atleast_1d(count @ np.log1p(a * psi[0, 0])), b * float(count @ n), -b[i] * b[ell] * spread]
        weight = np.empty((1 + d + len(i), len(a), 1, 1))
        weight[0, :, 0, 0] = psi[0, 0] * k
        if d:
            weight[1 : 1 + d, :, 0, 0] = b[:, None] * (k * k)
            weight[1 + d :, :, 0, 0] = (-2 * b[i] * b[ell])[:, None] * (n * k * k)
        return weight, np.concatenate(logs)
    K, log_inside = _inverse(np.eye(len(psi)) + _times(leaf.A, psi))
    N = _times(K, leaf.A)
    weight = np.empty((1 + d + len(i), *K.shape))
    weight[0] = _times(psi, K)
    ND = _times(N, basis[:, None])
    logs = [
        np.atleast_1d(leaf.count @ log_inside),
        np.trace(ND, axis1=2, axis2=3) @ leaf.count,
        -((ND[i] * _t(ND[ell])).sum(axis=(2, 3)) @ leaf.count),
    ]
    if d:
        KD = _times(_t(K), basis[:, None])
        weight[1 : 1 + d] = _times(KD, K)
        NDK = _times(ND, K)
        for number, (first, second) in enumerate(zip(i, ell, strict=True)):
            weight[1 + d + number] = -_symmetric(_times(KD[second], NDK[first]))
    return weight, np.concatenate(logs)


def _inverse(X: Array) -> tuple[Array, Array]:
    """Return inverse and log-determinant of a stack of matrices."""
    if X.shape[-1] != 2:
        return inverse(X), np.linalg.slogdet(X)[1]
    determinant = X[:, 0, 0] * X[:, 1, 1] - X[:, 0, 1] * X[:, 1, 0]
    out = np.empty_like(X)
    out[:, 0, 0], out[:, 1, 1] = X[:, 1, 1], X[:, 0, 0]
    out[:, 0, 1], out[:, 1, 0] = -X[:, 0, 1], -X[:, 1, 0]
    return out / determinant[:, None, None], np.log(determinant)


def _times(X: Array, Y: Array) -> Array:
    """Return the products of stacks of small matrices; for many tiny ones sums beat a call per matrix."""
    q = X.shape[-1]
    if q > 3 or max(X.size, Y.size) < 1000:
        return np.asarray(X @ Y, dtype=np.float64)
    out = np.empty(np.broadcast_shapes(X.shape, Y.shape))
    for a, b in itertools.product(range(q), range(q)):
        total = X[..., a, 0] * Y[..., 0, b]
        for c in range(1, q):
            total = total + X[..., a, c] * Y[..., c, b]
        out[..., a, b] = total
    return out


def _contract(leaf: Leaf, weight: Array, J: int, m: int) -> Array:
    """Return sum of B' W B by parent for every W in `weight` (t, g, q, q); shape (t, J, m, m)."""
    t, g, q = weight.shape[:3]
    if leaf.squares is not None:
        if J == 1:
            return (weight.reshape(t, -1) @ leaf.squares.reshape(-1, m * m)).reshape(t, 1, m, m)
        if q == 1:
            each = weight.reshape(t, g, 1) * leaf.squares[:, 0]
        else:
            each = np.matmul(weight.reshape(t, g, 1, q * q), leaf.squares)[:, :, 0]
        return np.add.reduceat(each, leaf.starts, axis=1).reshape(t, J, m, m)
    B = leaf.B
    if B is None:
        return np.zeros((t, J, m, m))
    out = np.empty((t, J, m, m))
    for number in range(t):
        W = np.ascontiguousarray(weight[number].transpose(1, 2, 0))
        WB = [sum((W[a, b] * B[b] for b in range(1, q)), start=W[a, 0] * B[0]) for a in range(q)]
        if J == 1:
            out[number, 0] = sum(B[a] @ WB[a].T for a in range(q))
            continue
        for c in range(m):
            product = sum((B[a, c] * WB[a][c:] for a in range(1, q)), start=B[0, c] * WB[0][c:])
            block = np.add.reduceat(product, leaf.starts, axis=1)
            out[number, :, c, c:] = block.T
            out[number, :, c:, c] = block.T
    return out


def _level(state: _Carried, q: int, psi: Array, basis: Array, starts: NDArray[np.intp], order: int) -> _Carried:
    """Sweep the units of a level above the leaf, with all derivatives of what came from below."""
    A, B, R = state.R[:, :q, :q], state.R[:, :q, q:], state.R[:, q:, q:]
    inside = np.eye(q) + A @ psi
    K = inverse(inside)
    KB = K @ B
    WB = psi @ KB
    logdet = state.logdet + float(np.linalg.slogdet(inside)[1].sum())
    summed = np.add.reduceat(R - _t(B) @ WB, starts, axis=0)
    if not order:
        none, empty = np.zeros(0), np.zeros((0, *summed.shape))
        return _Carried(logdet=logdet, d_logdet=none, dd_logdet=none, R=summed, first_R=empty, second_R=empty)
    old, own, P = len(state.first_R), len(basis), len(state.second_R)
    W: Array = psi @ K
    N, D = K @ A, basis[:, None]
    dA, dB, first_R = state.first_R[:, :, :q, :q], state.first_R[:, :, :q, q:], state.first_R[:, :, q:, q:]
    ddA, ddB, second_R = state.second_R[:, :, :q, :q], state.second_R[:, :, :q, q:], state.second_R[:, :, q:, q:]
    E = dB - dA @ WB
    WdA, ND, DKB = W @ dA, N @ D, D @ KB
    d_logdet = np.concatenate(
        [state.d_logdet + np.trace(WdA, axis1=2, axis2=3).sum(axis=1), (N * D).sum(axis=(1, 2, 3))]
    )
    dM = np.concatenate([first_R - _symmetric(_t(dB) @ WB) + _t(WB) @ dA @ WB, -_t(KB) @ DKB])
    i, ell = _pairs(old)
    dd_logdet = np.empty((old + own) * (old + own + 1) // 2)
    ddM = np.empty((len(dd_logdet), *R.shape))
    dd_logdet[:P] = state.dd_logdet + (W * ddA - WdA[i] * _t(WdA[ell])).sum(axis=(1, 2, 3))
    ddM[:P] = second_R + _t(WB) @ ddA @ WB - _symmetric(_t(ddB) @ WB + _t(E[i]) @ (W @ E[ell]))
    G, KdAK = K @ E, K @ dA @ _t(K)
    for number in range(own):  # pairs of this direction: those from below first, then the level's own
        at = P + number * old + number * (number + 1) // 2
        dd_logdet[at : at + old] = (KdAK * D[number]).sum(axis=(1, 2, 3))
        ddM[at : at + old] = -_symmetric(_t(G) @ DKB[number])
        mine = slice(at + old, at + old + number + 1)
        dd_logdet[mine] = -(ND[: number + 1] * _t(ND[number])).sum(axis=(1, 2, 3))
        ddM[mine] = _symmetric(_t(DKB[number]) @ (N @ DKB[: number + 1]))
    return _Carried(
        logdet=logdet,
        d_logdet=d_logdet,
        dd_logdet=dd_logdet,
        R=summed,
        first_R=np.add.reduceat(dM, starts, axis=1),
        second_R=np.add.reduceat(ddM, starts, axis=1),
    )


def _t(X: Array) -> Array:
    """Return the transpose of every matrix in a stack."""
    return np.swapaxes(X, -1, -2)


def _symmetric(X: Array) -> Array:
    """Return X plus its transpose."""
    return X + np.swapaxes(X, -1, -2)


def _border(state: _Carried, blocks: Blocks, order: int) -> _Carried:
    """Sweep the crossed factors."""
    logdet, M, K = border_value(state.R[0], blocks)
    logdet += state.logdet
    if not order:
        none = np.zeros(0)
        empty = np.zeros((0, 1, *M.shape))
        return _Carried(logdet=logdet, d_logdet=none, dd_logdet=none, R=M[None], first_R=empty, second_R=empty)
    old, own, P = len(state.first_R), len(blocks.directions), len(state.second_R)
    d, dM, dd, ddM = border_derivatives(
        state.R[0], state.first_R[:, 0], state.second_R[:, 0], _pairs(old + own), blocks, K
    )
    d[:old] += state.d_logdet
    dd[:P] += state.dd_logdet
    return _Carried(logdet=logdet, d_logdet=d, dd_logdet=dd, R=M[None], first_R=dM[:, None], second_R=ddM[:, None])
