"""The weights of robumeta: one moment estimate of the variance between studies, equal weights inside a study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweval.errors import DesignError
from sweval.models.engine.meta.blocks import Codes, Sampling
from sweval.models.engine.meta.multilevel import MultilevelFit, multilevel, orthogonal
from sweval.models.engine.ols import Array


@dataclass(frozen=True, kw_only=True)
class CorrelatedWeights:
    """A fit with correlated-effects weights.

    Parameters
    ----------
    fit
        Weighted least squares; its working covariance is the inverse of the weights.
    tau2
        Variance between studies.
    """

    fit: MultilevelFit
    tau2: float


def correlated_weights(y: Array, v: Array, X: Array, group: Codes, *, rho: float = 0.8) -> CorrelatedWeights:
    """Fit with the weights 1 / (k_j (mean v_j + tau2)) for each of the k_j effects of study j.

    Use it to compare with robumeta (`modelweights = "CORR"`); the default working model of a synthesis uses the
    correlations in its weights. Robust tests come from `robust_covariance`: CR2 is robumeta's `small = TRUE`, CR1p its
    `small = FALSE`.

    Parameters
    ----------
    y, v
        Effects and sampling variances, shape (k,).
    X
        Design matrix, shape (k, p).
    group
        Codes of the studies, shape (k,).
    rho
        Assumed correlation of sampling errors of one study; it enters tau2 only.

    Returns
    -------
    CorrelatedWeights

    Raises
    ------
    DesignError
        If there are no more studies than coefficients.

    Notes
    -----
    Hedges, Tipton & Johnson (2010, Research Synthesis Methods 1, 39-65); Tipton (2015, Psychological Methods 20,
    375-393).

    Examples
    --------
    >>> y, v = np.array([0.2, 0.5, 0.1, 0.9, 0.4, 0.3]), np.full(6, 0.04)
    >>> found = correlated_weights(y, v, np.ones((6, 1)), np.array([0, 0, 1, 2, 2, 3]))
    >>> found.fit.coefficients.round(3).tolist(), round(found.tau2, 3)
    ([0.35], 0.039)
    """
    Q = orthogonal(np.asarray(X, dtype=float))[2]
    p = Q.shape[1]
    _, code = np.unique(group, return_inverse=True)
    size = np.bincount(code)
    if len(size) <= p:
        raise DesignError(
            f"there are {len(size)} studies for {p} coefficients, so nothing tells how much studies vary.",
            fix="Use fewer moderators, or more studies.",
        )
    mean = np.bincount(code, v) / size
    w = 1 / (size * mean)
    W = w[code]
    inverse = np.linalg.inv(Q.T @ (W[:, None] * Q))
    e = y - Q @ (inverse @ (Q.T @ (W * y)))
    q = float(W @ (e * e))
    sums = np.zeros((len(size), p))
    np.add.at(sums, code, Q)
    own = Q.T @ ((W / size[code])[:, None] * Q)
    whole = sums.T @ ((w / size)[:, None] * sums)
    excess = q - len(size) + np.trace(inverse @ own) + rho * np.trace(inverse @ (whole - own))
    tau2 = max(float(excess / (size @ w - np.trace(inverse @ (sums.T @ ((w**2)[:, None] * sums))))), 0.0)
    fit = multilevel(y, Sampling(variance=(size * (mean + tau2))[code]), X, (), cluster=np.asarray(code, dtype=np.intp))
    return CorrelatedWeights(fit=fit, tau2=tau2)
