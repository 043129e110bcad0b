"""Restricted and full likelihood of effects with random effects, with exact first and second derivatives.

The covariance of the effects is linear in the variance components, `V + sum_k sigma2_k G_k`, and block diagonal. Every
sum over blocks is taken for all blocks of one size at once, so an evaluation costs the sum of the cubed block sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sweval.models.engine.meta.blocks import Batch
from sweval.models.engine.ols import Array

Method = Literal["REML", "ML"]
METHODS: tuple[Method, Method] = ("REML", "ML")


@dataclass(frozen=True, kw_only=True)
class Value:
    """The likelihood at given variance components.

    Parameters
    ----------
    deviance
        -2 log-likelihood without its constants.
    gradient, observed, expected
        First derivative of `deviance` in the components (K,), its second derivative and the expectation of that (K, K).
    coefficients
        Generalised least squares, shape (p,).
    phi
        `(X'WX)^-1`, shape (p, p).
    distance
        `(y - Xb)'W(y - Xb)`.
    log_det
        Logarithm of the determinant of the covariance.
    """

    deviance: float
    gradient: Array
    observed: Array
    expected: Array
    coefficients: Array
    phi: Array
    distance: float
    log_det: float


def evaluate(sigma2: Array, batches: tuple[Batch, ...], U: Array, *, method: Method) -> Value:
    """Return the likelihood at `sigma2`.

    Parameters
    ----------
    sigma2
        Variance components, shape (K,).
    batches
        The blocks.
    U
        Design matrix with the effects as its last column, shape (k, p + 1).
    method
        "REML" or "ML".
    """
    K, q = len(sigma2), U.shape[1]
    C, A, B = np.zeros((q, q)), np.zeros((K, q, q)), np.zeros((K, K, q, q))
    trace, traces, log_det = np.zeros(K), np.zeros((K, K)), 0.0
    for batch in batches:
        u = U[batch.rows]
        total = batch.V + np.tensordot(sigma2, batch.same, axes=1)
        if total.shape[1] == 1:  # most studies of many syntheses have one effect
            W = 1 / total
            log_det += float(np.log(total).sum())
        else:
            half = np.linalg.inv(np.linalg.cholesky(total))
            log_det -= 2 * float(np.log(np.diagonal(half, axis1=1, axis2=2)).sum())
            W = half.transpose(0, 2, 1) @ half
        Wu = W @ u
        C += _summed(u, Wu)
        GWu = [same @ Wu for same in batch.same]
        WG = [W @ same for same in batch.same]
        for k in range(K):
            A[k] += _summed(Wu, GWu[k])
            trace[k] += float(np.einsum("jii->", WG[k]))
            for other in range(k + 1):
                B[k, other] += _summed(GWu[k], W @ GWu[other])
                traces[k, other] += float(np.einsum("jab,jba->", WG[k], WG[other]))
    return assemble(C, A, _full(B), trace, _full(traces), log_det, method)


def _summed(left: Array, right: Array) -> Array:
    """Return the sum of `left_j' right_j` over blocks."""
    return left.reshape(-1, left.shape[2]).T @ right.reshape(-1, right.shape[2])


def _full(lower: Array) -> Array:
    """Fill the upper triangle of the first two axes from the lower one."""
    out = lower.copy()
    for k in range(len(out)):
        for other in range(k):
            out[other, k] = np.swapaxes(lower[k, other], -1, -2) if lower.ndim > 2 else lower[k, other]
    return out


def assemble(C: Array, A: Array, B: Array, trace: Array, traces: Array, log_det: float, method: Method) -> Value:
    """Return value and derivatives from the cross-products of design and effects."""
    p = len(C) - 1
    half = np.linalg.inv(np.linalg.cholesky(C[:p, :p]))
    phi = half.T @ half
    b = phi @ C[:p, p]
    v = np.append(-b, 1.0)
    distance = max(float(v @ C @ v), 0.0)
    a = A @ v
    quadratic = (B @ v) @ v - a[:, :p] @ phi @ a[:, :p].T
    gradient = trace - a @ v
    expected = traces
    deviance = log_det + distance
    if method == "REML":
        PA = phi @ A[:, :p, :p]
        gradient = gradient - PA.trace(axis1=1, axis2=2)
        flat = PA.reshape(len(A), p * p)
        crossed = flat @ np.swapaxes(PA, 1, 2).reshape(len(A), p * p).T
        expected = traces + crossed - 2 * (phi * B[:, :, :p, :p]).sum(axis=(2, 3))
        deviance -= 2 * float(np.log(np.diag(half)).sum())
    return Value(
        deviance=deviance,
        gradient=gradient,
        observed=2 * quadratic - expected,
        expected=expected,
        coefficients=b,
        phi=phi,
        distance=distance,
        log_det=log_det,
    )
