"""Degrees of freedom of cluster-robust tests, from the moments of the clusters' scores under the working model.

The covariance of the scores of clusters j and k is `P_jk = [j = k] D_j + z_j' K z_k` for every estimator here: `D_j` is
what the cluster's own errors add, `z_j' K z_k` what estimating the coefficients takes away. All cost is linear in the
number of clusters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def satterthwaite_df(D: Array, z: Array, K: Array) -> Array:
    """Return `tr(P)^2 / tr(P P)` of every contrast on its own (Bell & McCaffrey 2002; Satterthwaite).

    Parameters
    ----------
    D
        Shape (J, m, m) for J clusters and m contrasts; only the diagonals are used.
    z
        Shape (J, r, m).
    K
        Shape (r, r), symmetric.

    Returns
    -------
    numpy.ndarray
        Shape (m,); NaN for a contrast on which no cluster's errors bear.
    """
    out = []
    for m in range(D.shape[1]):
        d, zm = D[:, m, m], z[:, :, m]
        own, cross = ((zm @ K) * zm).sum(axis=1), K @ (zm.T @ zm)
        below = float((d * d + 2 * d * own).sum() + (cross * cross.T).sum())
        out.append(float((d + own).sum()) ** 2 / below if below > 0 else np.nan)
    return np.array(out)


def hotelling_df(D: Array, z: Array, K: Array) -> float:
    """Return the df of the approximate Hotelling test of m contrasts (AHT, in clubSandwich HTZ).

    `eta = m (m + 1) / sum_st Var(S_st)`, S being the estimated covariance of the contrasts scaled to mean identity:
    Tipton & Pustejovsky (2015, Journal of Educational and Behavioral Statistics 40, 604-634).

    Parameters
    ----------
    D, z, K
        As for `satterthwaite_df`.

    Returns
    -------
    float
        The F test then has m and eta - m + 1 degrees of freedom.
    """
    q = D.shape[1]
    mean = D.sum(axis=0) + np.einsum("jis,ik,jkt->st", z, K, z, optimize=True)
    values, vectors = np.linalg.eigh((mean + mean.T) / 2)
    root = vectors / np.sqrt(values) @ vectors.T
    D, z = root @ D @ root, z @ root
    own = np.einsum("jis,ik,jkt->jst", z, K, z, optimize=True)
    total = 0.0
    for s in range(q):
        for t in range(q):
            for a, b, c, d in ((s, s, t, t), (s, t, t, s)):
                x, y = D[:, a, b], D[:, c, d]
                total += float((x * y + x * own[:, c, d] + y * own[:, a, b]).sum())
                total += float(((K @ (z[:, :, b].T @ z[:, :, d]) @ K.T) * (z[:, :, a].T @ z[:, :, c])).sum())
    return q * (q + 1) / total
