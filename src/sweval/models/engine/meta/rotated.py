"""The likelihood of the usual levels, study and effect within study, without a matrix per study at every step.

In the coordinates of the eigenvectors of a block's sampling covariance `V = E diag(l) E'` an effect's own variance adds
to `l`, and what the block shares is a vector o = E'1: the inverse is a diagonal less a product of vectors. After one
decomposition an evaluation is elementwise in the effects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweval.models.engine.meta.blocks import Batch
from sweval.models.engine.meta.likelihood import Method, Value, assemble
from sweval.models.engine.ols import Array


@dataclass(frozen=True, kw_only=True)
class Rotated:
    """Effects in the coordinates of their sampling errors.

    Parameters
    ----------
    eigenvalues
        Shape (k,).
    one
        E'1, shape (k,).
    u
        E' times design and effects, shape (k, p + 1).
    starts
        Where each block begins.
    whole, each
        Which component a block shares as a whole, and which every effect has for itself; None where there is none.
    """

    eigenvalues: Array
    one: Array
    u: Array
    starts: np.ndarray
    whole: int | None
    each: int | None

    def evaluate(self, sigma2: Array, *, method: Method) -> Value:
        """Return the likelihood at the variance components."""
        s = 0.0 if self.whole is None else float(sigma2[self.whole])
        d = 1 / (self.eigenvalues + (0.0 if self.each is None else float(sigma2[self.each])))
        o, u = self.one, self.u
        do, du = d * o, d[:, None] * u
        powers = np.stack([do, d * do, d * d * do], axis=1)
        a1, a2, a3 = self._sums(o[:, None] * powers).T
        q1, q2, q3 = np.swapaxes(self._sums(powers[:, :, None] * u[:, None, :]), 0, 1)
        r = 1 / (1 + s * a1)
        c = s * r
        rq, left = r[:, None] * q1, q2 - (c * a2)[:, None] * q1
        crossed = q1.T @ (c[:, None] * q2)
        thrice = q1.T @ (c[:, None] * q3)
        squared = q1.T @ ((c * c * a2)[:, None] * q1)
        cubed = q1.T @ ((c * c * a3)[:, None] * q1)
        C = u.T @ du - q1.T @ (c[:, None] * q1)
        K = len(sigma2)
        size = u.shape[1]
        A, B = np.zeros((K, size, size)), np.zeros((K, K, size, size))
        trace, traces = np.zeros(K), np.zeros((K, K))
        if self.whole is not None:
            w = self.whole
            A[w] = rq.T @ rq
            B[w, w] = rq.T @ ((r * a1)[:, None] * rq)
            trace[w], traces[w, w] = (r * a1).sum(), ((r * a1) ** 2).sum()
        if self.each is not None:
            e = self.each
            A[e] = du.T @ du - crossed - crossed.T + squared
            B[e, e] = du.T @ (d[:, None] * du) - thrice - thrice.T + cubed - left.T @ (c[:, None] * left)
            trace[e] = d.sum() - (c * a2).sum()
            traces[e, e] = (d * d).sum() - 2 * (c * a3).sum() + ((c * a2) ** 2).sum()
        if self.whole is not None and self.each is not None:
            w, e = self.whole, self.each
            B[w, e] = rq.T @ (r[:, None] * left)
            B[e, w] = B[w, e].T
            traces[w, e] = traces[e, w] = (r * r * a2).sum()
        log_det = -float(np.log(d).sum()) - float(np.log(r).sum())
        return assemble(C, A, B, trace, traces, log_det, method)

    def _sums(self, values: Array) -> Array:
        """Return the sums over the effects of every block."""
        return np.asarray(np.add.reduceat(values, self.starts, axis=0), dtype=float)


def rotated(batches: tuple[Batch, ...], U: Array, components: int) -> Rotated | None:
    """Return the rotated effects; None where a level is neither shared by whole blocks nor each effect's own."""
    whole, each = None, None
    for k in range(components):
        if each is None and all((batch.same[k] == np.eye(batch.same.shape[2])).all() for batch in batches):
            each = k
        elif whole is None and all((batch.same[k] == 1).all() for batch in batches):
            whole = k
        else:
            return None
    values, ones, vectors, sizes = [], [], [], []
    for batch in batches:
        found, E = np.linalg.eigh(batch.V)
        values.append(found.ravel())
        ones.append(E.sum(axis=1).ravel())
        vectors.append((np.swapaxes(E, 1, 2) @ U[batch.rows]).reshape(-1, U.shape[1]))
        sizes.append(np.full(len(batch.rows), batch.rows.shape[1]))
    ends = np.cumsum(np.concatenate(sizes))
    return Rotated(
        eigenvalues=np.concatenate(values),
        one=np.concatenate(ones),
        u=np.concatenate(vectors),
        starts=np.append(0, ends[:-1]),
        whole=whole,
        each=each,
    )
