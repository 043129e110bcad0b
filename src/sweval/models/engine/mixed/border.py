"""The last step of the sweep for crossed factors: one dense block, in as few large products as possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sweval.models.engine.mixed.model import Array


class Blocks:
    """The covariance of all crossed effects: one Psi per factor, repeated for its units."""

    def __init__(self, sizes: Sequence[tuple[int, int]], psi: Sequence[Array], basis: Sequence[Array]) -> None:
        self.sizes, self.psi = tuple(sizes), tuple(psi)
        ends = np.cumsum([units * q for units, q in sizes])
        self.spans = tuple(slice(int(end) - units * q, int(end)) for end, (units, q) in zip(ends, sizes, strict=True))
        self.directions = tuple((f, D) for f, matrices in enumerate(basis) for D in matrices)

    def times(self, X: Array) -> Array:
        """Return (block diagonal of Psi) X."""
        out = np.empty_like(X)
        for f, span in enumerate(self.spans):
            out[span] = self._one(f, self.psi[f], X)
        return out

    def _one(self, f: int, matrix: Array, X: Array) -> Array:
        """Return the rows of factor f of (I x matrix) X."""
        units, q = self.sizes[f]
        part = X[self.spans[f]]
        if q == 1:
            return matrix[0, 0] * part
        rows: Array = (matrix @ part.reshape(units, q, -1)).reshape(units * q, -1)
        return rows

    def along(self, number: int, X: Array) -> tuple[slice, Array]:
        """Return the non-zero rows of (direction number) X, and where they are."""
        f, D = self.directions[number]
        return self.spans[f], self._one(f, D, X)

    def dense(self, number: int, X: Array) -> Array:
        """Return (direction number) X with its zero rows."""
        out = np.zeros_like(X)
        span, rows = self.along(number, X)
        out[span] = rows
        return out


def border_value(R: Array, blocks: Blocks) -> tuple[float, Array, Array]:
    """Return log|I + A Psi|, `R - B' W B` and K for the crossed block of R."""
    C = blocks.spans[-1].stop
    A, B = R[:C, :C], R[:C, C:]
    K = np.linalg.inv(np.eye(C) + blocks.times(A).T)
    logdet = -float(np.linalg.slogdet(K)[1])
    return logdet, R[C:, C:] - B.T @ blocks.times(K @ B), K


def border_derivatives(
    R: Array, dR: Array, ddR: Array, pairs: tuple[Array, Array], blocks: Blocks, K: Array
) -> tuple[Array, Array, Array, Array]:
    """Return first and second derivatives of `border_value`; `pairs` are those of all directions, old ones first.

    Traces need one product of C x C matrices per direction from below (`Y = K dA`) and one for `N = K A`; what is left
    works on the few columns of B or element by element.
    """
    C, old, own = blocks.spans[-1].stop, len(dR), len(blocks.directions)
    A, B = R[:C, :C], R[:C, C:]
    dA, dB, dC = dR[:, :C, :C], dR[:, :C, C:], dR[:, C:, C:]
    N = K @ A
    KB = K @ B
    WB = blocks.times(KB)
    Y = [K @ dA[i] for i in range(old)]
    WdA = [blocks.times(y) for y in Y]
    ND = [blocks.dense(j, N).T for j in range(own)]  # N D, both symmetric
    d_logdet = np.array([np.trace(x) for x in WdA] + [np.trace(x) for x in ND])
    # dK B, and with it dW B = dPsi K B + Psi dK B
    dKB = [-(Y[i] @ WB) for i in range(old)]
    dKB += [-(K @ (A @ blocks.dense(j, KB))) for j in range(own)]
    dWB = [blocks.times(x) for x in dKB]
    for j in range(own):
        dWB[old + j] = dWB[old + j] + blocks.dense(j, KB)
    zero_B, zero_C = np.zeros_like(B), np.zeros_like(R[C:, C:])
    dBs = [*dB, *([zero_B] * own)]
    dCs = [*dC, *([zero_C] * own)]
    dM = np.stack([_minus_sym(dCs[i] - B.T @ dWB[i], dBs[i].T @ WB) for i in range(old + own)])
    dd_logdet, ddM = np.empty(len(pairs[0])), np.empty((len(pairs[0]), *zero_C.shape))
    W_times = [blocks.times(K @ dBs[i]) if i < old else zero_B for i in range(old + own)]
    for number, (i, ell) in enumerate(zip(*pairs, strict=True)):
        lower = ell < old
        if lower:  # both from below
            ddA, ddB, ddC = ddR[number, :C, :C], ddR[number, :C, C:], ddR[number, C:, C:]
            dd_logdet[number] = np.sum(blocks.times(K) * ddA.T) - np.sum(WdA[i] * WdA[ell].T)
        elif i < old:  # one from below, one of the crossed factors
            span, rows = blocks.along(ell - old, K)
            dd_logdet[number] = np.sum(Y[i][span] * rows)
        else:
            dd_logdet[number] = -np.sum(ND[i - old] * ND[ell - old].T)
        quadratic = _second_of_W(i, ell, old, blocks, (KB, WB, dKB, dWB), dA)
        mixed = dBs[i].T @ W_times[ell] + dBs[i].T @ dWB[ell] + dBs[ell].T @ dWB[i]
        value = -quadratic
        if lower:
            mixed = mixed + ddB.T @ WB
            value = value + ddC + WB.T @ ddA @ WB
        ddM[number] = _minus_sym(value, mixed)
    return d_logdet, dM, dd_logdet, ddM


def _minus_sym(value: Array, half: Array) -> Array:
    return value - half - half.T


def _second_of_W(
    i: int, ell: int, old: int, blocks: Blocks, thin: tuple[Array, Array, list[Array], list[Array]], dA: Array
) -> Array:
    """Return B' d2W B without its term in d2A."""
    KB, WB, dKB, dWB = thin
    out = np.zeros((KB.shape[1], KB.shape[1]))
    if i >= old:  # dK_l' dPsi_i K
        span, rows = blocks.along(i - old, KB)
        half = dKB[ell][span].T @ rows
        out += half + half.T
    if i < old:  # dW_l dA_i W
        half = dWB[ell].T @ (dA[i] @ WB)
        out -= half + half.T
    return out
