"""Generalised estimating equations with an exchangeable working correlation, ready for small-sample corrections."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sweval.errors import DesignError
from sweval.models.engine.logistic import centred, logistic
from sweval.models.engine.ols import Array, LeastSquares, least_squares
from sweval.models.engine.sandwich import ClusterCovariance, Kind, cluster_covariance

Correction = Literal["none", "kauermann-carroll", "mancl-derouen"]
_KINDS: dict[Correction, Kind] = {"none": "CR0", "kauermann-carroll": "CR2", "mancl-derouen": "CR3"}
_CONVERGED = 1e-10
_MOST_STEPS = 200


@dataclass(frozen=True, kw_only=True)
class Gee:
    """A fitted marginal model.

    Parameters
    ----------
    coefficients
        Shape (p,), of the columns in `kept`.
    means
        Fitted means (probabilities), shape (n,).
    alpha
        Working correlation of two rows of a cluster; 0 under independence.
    scale
        Mean squared Pearson residual.
    truncated
        True where the estimate of alpha was too negative for the largest cluster (below -1/(size - 1), or close to it
        and not settling), so that 0 was used.
    kept, aliased
        Column numbers of the design matrix that were used, and that add nothing to the columns before them.
    white
        The fit in coordinates where the working covariance is the identity, `R(alpha)^-1/2 A^-1/2`.
    cluster
        Codes of the clusters, shape (n,).
    """

    coefficients: Array
    means: Array
    alpha: float
    scale: float
    truncated: bool
    kept: tuple[int, ...]
    aliased: tuple[int, ...]
    white: LeastSquares
    cluster: NDArray[np.intp]

    def robust(self, correction: Correction = "kauermann-carroll") -> ClusterCovariance:
        """Return the sandwich covariance with a correction for few clusters, and its t tests.

        In the coordinates of `white` the hat matrix H of a cluster is symmetric, and both corrections are functions of
        it: Kauermann & Carroll (2001, Journal of the American Statistical Association 96, 1387-1396) multiply the
        residuals of a cluster by (I - H)^-1/2, Mancl & DeRouen (2001, Biometrics 57, 126-134) by (I - H)^-1. Degrees
        of freedom are Satterthwaite's under the working model, those of Bell & McCaffrey (2002) for the linearised
        scores.

        Parameters
        ----------
        correction
            "none" for the sandwich of Liang & Zeger (1986), which rejects too often below about forty clusters.
        """
        return cluster_covariance(self.white, self.cluster, kind=_KINDS[correction])


def gee(
    y: Array,
    X: Array,
    cluster: NDArray[np.integer],
    *,
    family: Literal["binomial", "gaussian"] = "binomial",
    correlation: Literal["independence", "exchangeable"] = "exchangeable",
) -> Gee:
    """Fit a marginal model: logit link for zeros and ones, identity link for numbers.

    Use it where a treatment effect over all clients is asked for, and clusters are a nuisance. The mean is estimated
    consistently whatever the working correlation, as long as values are not missing for reasons that the outcome knows.

    Parameters
    ----------
    y
        Outcome, shape (n,).
    X
        Design matrix, shape (n, p), with its constant if there is to be one.
    cluster
        Codes of the clusters, shape (n,), any integers.
    family
        "binomial" (logit) or "gaussian" (identity).
    correlation
        "exchangeable": any two rows of a cluster are equally correlated; or "independence".

    Returns
    -------
    Gee

    Raises
    ------
    DesignError
        If there are fewer than two clusters, all clusters have one row, or the equations have no solution; for zeros
        and ones also as `logistic`.

    Notes
    -----
    Liang & Zeger (1986, Biometrika 73, 13-22). The moment estimates divide by counts, as in geepack: scale = mean r^2,
    alpha = mean r_i r_k / scale over all pairs within clusters, r being Pearson residuals.

    Examples
    --------
    >>> y = np.array([0.0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1])
    >>> X = np.column_stack([np.ones(12), np.repeat([0.0, 1.0], 6)])
    >>> gee(y, X, np.repeat(np.arange(4), 3)).coefficients.round(3).tolist()
    [-0.693, 2.303]
    """
    y, X = np.asarray(y, dtype=float), np.asarray(X, dtype=float)
    codes = np.unique(cluster, return_inverse=True)[1].astype(np.intp)
    sizes = np.bincount(codes).astype(float)
    if len(sizes) < 2:
        raise DesignError(
            "there is only one cluster, so how much clusters vary cannot be seen.",
            fix="Name a column with several clusters, or leave the cluster out and say so.",
        )
    pairs = float((sizes * (sizes - 1)).sum() / 2)
    if correlation == "exchangeable" and pairs == 0:
        raise DesignError(
            "every cluster has one row, so there is no correlation within clusters.", fix="Use independence."
        )
    start = logistic(y, X) if family == "binomial" else least_squares(y, X)
    X, shift = centred(X[:, start.kept])
    b, alpha, truncated = shift @ start.coefficients, 0.0, False
    least = -1 / (sizes.max() - 1) + 1e-6 if pairs else -1.0
    for count in range(_MOST_STEPS):
        means, v = _means(X @ b, family)
        pearson = (y - means) / np.sqrt(v)
        scale = float(np.mean(pearson**2))
        before = alpha
        if correlation == "exchangeable" and not truncated:
            sums = np.bincount(codes, pearson)
            alpha = float((sums @ sums - pearson @ pearson) / (2 * pairs * scale))
            # near its least value alpha and the means chase each other for ever: cluster means get boundless weight
            truncated = alpha <= least or (alpha < 0 and count >= _MOST_STEPS // 2)
            alpha = 0.0 if truncated else alpha
        white = _whitened(X, np.sqrt(v), pearson, codes, sizes, alpha)
        move = np.linalg.solve(white.R, white.Q.T @ white.residuals)
        size = float(np.linalg.norm(white.R @ move)) / np.sqrt(scale)
        if size < _CONVERGED and abs(alpha - before) < _CONVERGED:
            b = np.asarray(np.linalg.solve(shift, b), dtype=np.float64)
            white = replace(white, coefficients=b, X=white.X @ shift, R=white.R @ shift)
            return Gee(
                coefficients=b,
                means=means,
                alpha=alpha,
                scale=scale,
                truncated=truncated,
                kept=start.kept,
                aliased=start.aliased,
                white=replace(white, kept=start.kept, aliased=start.aliased),
                cluster=codes,
            )
        b = b + move
    raise DesignError(
        "the estimating equations did not converge.", fix='Use correlation="independence", or fewer terms.'
    )


def _means(predictor: Array, family: str) -> tuple[Array, Array]:
    """Return means and variance function (which is also the derivative of the mean; both links are canonical)."""
    if family == "gaussian":
        return predictor, np.ones_like(predictor)
    means = expit(predictor)
    return means, np.maximum(means * (1 - means), 1e-300)


def _whitened(
    X: Array, root: Array, pearson: Array, codes: NDArray[np.intp], sizes: Array, alpha: float
) -> LeastSquares:
    """Return residuals and columns times R(alpha)^-1/2, with the QR of these columns."""
    ends = np.sqrt(1 + (sizes - 1) * alpha)[codes]

    def white(values: Array) -> Array:
        mean = np.bincount(codes, values) / sizes
        return (values - mean[codes]) / np.sqrt(1 - alpha) + mean[codes] / ends

    columns = np.column_stack([white(root * column) for column in X.T])
    Q, R = np.linalg.qr(columns)
    residuals, df = white(pearson), len(pearson) - X.shape[1]
    sigma = float(np.sqrt(residuals @ residuals / df))
    inverse = np.linalg.inv(R)
    return LeastSquares(
        coefficients=np.zeros(X.shape[1]),
        covariance=sigma**2 * inverse @ inverse.T,
        residuals=residuals,
        sigma=sigma,
        df=df,
        kept=(),
        aliased=(),
        X=columns,
        Q=Q,
        R=R,
        weights=np.ones(len(pearson)),
    )
