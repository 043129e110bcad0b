"""The last step of the sweep for crossed factors: one dense block, in as few large products as possible."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sweval.models.engine.mixed.model import Array, inverse


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
    K = inverse(np.eye(C) + blocks.times(A).T)
    logdet = -float(np.linalg.slogdet(K)[1])
    return logdet, R[C:, C:] - B.T @ blocks.times(K @ B), K


def border_derivatives(
    R: Array, dR: Array, ddR: Array, pairs: tuple[NDArray[np.intp], NDArray[np.intp]], blocks: Blocks, K: Array
) -> tuple[Array, Array, Array, Array]:
    """Return first and second derivatives of `border_value`; `pairs` are those of all directions, old ones first.

    Traces need one product of C x C matrices per direction from below (`Y = K dA`) and one for `N = K A`; what is left
    works on the few columns of B or element by element. The algebra is that of `_level` in `sweep`.
    """
    C, old, own = blocks.spans[-1].stop, len(dR), len(blocks.directions)
    A, B = R[:C, :C], R[:C, C:]
    dA, dB, dC = dR[:, :C, :C], dR[:, :C, C:], dR[:, C:, C:]
    N, KB = K @ A, K @ B
    W, WB = blocks.times(K), blocks.times(KB)
    Y = [K @ one for one in dA]
    WdA = [blocks.times(y) for y in Y]
    DN = [blocks.dense(number, N) for number in range(own)]
    DKB = [blocks.dense(number, KB) for number in range(own)]
    E = [dB[i] - dA[i] @ WB for i in range(old)]
    G = [K @ e for e in E]
    WE = [blocks.times(g) for g in G]
    NDKB = [N @ x for x in DKB]
    d_logdet = np.array([np.trace(x) for x in WdA] + [np.trace(x) for x in DN])
    dM = [dC[i] - _symmetric(dB[i].T @ WB) + WB.T @ dA[i] @ WB for i in range(old)]
    dM += [-KB.T @ x for x in DKB]
    dd_logdet, ddM = np.empty(len(pairs[0])), np.empty((len(pairs[0]), *dC.shape[1:]))
    for number, (i, ell) in enumerate(zip(*pairs, strict=True)):
        if ell < old:
            ddA, ddB, ddC = ddR[number, :C, :C], ddR[number, :C, C:], ddR[number, C:, C:]
            dd_logdet[number] = np.sum(W * ddA) - np.sum(WdA[i] * WdA[ell].T)
            ddM[number] = ddC + WB.T @ ddA @ WB - _symmetric(ddB.T @ WB + E[i].T @ WE[ell])
        elif i < old:
            span, rows = blocks.along(ell - old, K)
            dd_logdet[number] = np.sum(Y[i][span] * rows)
            ddM[number] = -_symmetric(G[i].T @ DKB[ell - old])
        else:
            dd_logdet[number] = -np.sum(DN[i - old] * DN[ell - old].T)
            ddM[number] = _symmetric(DKB[ell - old].T @ NDKB[i - old])
    return d_logdet, np.array(dM), dd_logdet, ddM


def _symmetric(X: Array) -> Array:
    return X + X.T
