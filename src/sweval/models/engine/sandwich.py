"""Cluster-robust covariance (CR0 to CR3) with small-sample tests, for (weighted) least squares.

Everything is done in p x p algebra: with `sqrt(w) X = QR` and the rows `Q_j` of a cluster, the hat matrix of the
cluster is `Q_j Q_j'`, so its functions need only the eigenvectors of `Q_j'Q_j`. The cost is O(n p^2 + J p^3) for J
clusters; a matrix as large as a cluster is never formed, so one cluster may hold half the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ellipj, ellipkm1, fdtrc

from sweval.errors import DesignError
from sweval.models.engine.ols import Array, LeastSquares, two_sided_p
from sweval.models.engine.small_sample import hotelling_df, satterthwaite_df

Kind = Literal["CR0", "CR1", "CR1S", "CR2", "CR3"]
KINDS: tuple[Kind, ...] = ("CR0", "CR1", "CR1S", "CR2", "CR3")

_SINGULAR = 1e-10
"""An eigenvalue of I - H_jj below this is zero: the cluster alone determines that direction of the coefficients."""
_RESTS = 1e-8
"""Share of a contrast's variance in such directions above which its standard error would leave part out."""


@dataclass(frozen=True, kw_only=True)
class ContrastTest:
    """A t test of one contrast `l'b`.

    Parameters
    ----------
    estimate, std_error, df, statistic, p_value
        `std_error`, `df`, `statistic` and `p_value` are NaN when the contrast rests on a single cluster, because no
        other cluster shows how much it varies.
    """

    estimate: float
    std_error: float
    df: float
    statistic: float
    p_value: float


@dataclass(frozen=True, kw_only=True)
class WaldTest:
    """A joint test that q contrasts are null; `df_denominator` is infinite for the chi-square test."""

    statistic: float
    df_numerator: int
    df_denominator: float
    p_value: float


@dataclass(frozen=True, kw_only=True)
class ClusterCovariance:
    """Cluster-robust covariance of a least squares fit, ready for tests.

    Parameters
    ----------
    kind
        CR0 to CR3.
    covariance
        Shape (p, p), of the kept coefficients.
    clusters
        Number of clusters.
    fit
        The fit it belongs to.
    """

    kind: Kind
    covariance: Array
    clusters: int
    fit: LeastSquares
    _blocks: tuple[slice, ...]
    _Q: Array
    _adjusted: Array
    _working: Array
    _fixed: Array

    def contrast(self, weights: Array) -> ContrastTest:
        """Test one contrast `l'b` with Satterthwaite's df (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018).

        Parameters
        ----------
        weights
            The contrast l, shape (p,).
        """
        return self.contrasts(weights)[0]

    def contrasts(self, weights: Array) -> tuple[ContrastTest, ...]:
        """Test each row of `weights`, shape (m, p), on its own."""
        L = np.atleast_2d(np.asarray(weights, dtype=float))
        H: Array = np.linalg.solve(self.fit.R.T, L.T)
        estimates = L @ self.fit.coefficients
        errors = np.sqrt(np.clip(np.einsum("ij,jk,ik->i", L, self.covariance, L), 0, None))
        known = ~self._rests_on_one_cluster(H) & (errors > 0)
        dfs = np.full(len(L), np.nan)
        if known.any():
            dfs[known] = self._satterthwaite(H[:, known])
        return tuple(
            _t_test(float(estimate), float(error), float(df))
            for estimate, error, df in zip(estimates, errors, dfs, strict=True)
        )

    def wald(self, weights: Array, *, test: Literal["HTZ", "naive F", "chi-square"] = "HTZ") -> WaldTest:
        """Test that all rows of `weights` (q, p) times the coefficients are 0.

        HTZ is the approximate Hotelling test of Tipton & Pustejovsky (2015, Journal of Educational and Behavioral
        Statistics 40, 604-634); with few clusters it alone holds its level. The naive F has J - 1 denominator df. All
        is NaN where a contrast rests on a single cluster.

        Raises
        ------
        DesignError
            If the contrasts depend on each other, or are more than the clusters can test together.
        """
        L = np.atleast_2d(np.asarray(weights, dtype=float))
        q = len(L)
        H: Array = np.linalg.solve(self.fit.R.T, L.T)
        if np.linalg.matrix_rank(H) < q:
            raise DesignError("the contrasts to be tested together depend on each other.")
        if self._rests_on_one_cluster(H).any():
            return WaldTest(statistic=np.nan, df_numerator=q, df_denominator=np.nan, p_value=np.nan)
        V, b = L @ self.covariance @ L.T, L @ self.fit.coefficients
        scale = 1 / np.sqrt(np.diag(V))
        if np.linalg.matrix_rank(scale[:, None] * V * scale, hermitian=True, tol=1e-10) < q:
            raise DesignError(
                f"{q} coefficients cannot be tested together with {self.clusters} clusters.", fix="Test fewer at once."
            )
        wald = float(b @ np.linalg.solve(V, b))
        if test == "chi-square":
            return WaldTest(statistic=wald / q, df_numerator=q, df_denominator=np.inf, p_value=float(chdtrc(q, wald)))
        eta = self._hotelling_df(H) if test == "HTZ" else self.clusters + q - 2.0
        df = eta - q + 1
        F = df / (eta * q) * wald if test == "HTZ" else wald / q
        p = float(fdtrc(q, df, F)) if df > 0 else np.nan
        return WaldTest(statistic=F, df_numerator=q, df_denominator=df, p_value=p)

    def _rests_on_one_cluster(self, H: Array) -> NDArray[np.bool_]:
        """Tell for each column of H whether part of it lies in directions that one cluster alone determines."""
        return ((self._fixed.T @ H) ** 2).sum(axis=0) > _RESTS * (H**2).sum(axis=0)

    def _moments(self, H: Array) -> tuple[Array, Array]:
        """Return D (J, m, m) and z (J, 2p, m): P_jk = [j = k] D_j + z_j' K z_k for the m columns of H."""
        p, m = H.shape
        D, z = np.empty((self.clusters, m, m)), np.empty((self.clusters, 2 * p, m))
        for j, rows in enumerate(self._blocks):
            a = self._adjusted[rows] @ H
            weighted = self._working[rows, None] * a
            D[j], z[j, :p], z[j, p:] = a.T @ weighted, self._Q[rows].T @ a, self._Q[rows].T @ weighted
        return D, z

    def _kernel(self) -> Array:
        """Return K (2p, 2p) of `_moments`: what (I - H) Phi (I - H)' adds to Phi."""
        one = np.eye(self._Q.shape[1])
        return np.block([[self._Q.T @ (self._working[:, None] * self._Q), -one], [-one, np.zeros_like(one)]])

    def _satterthwaite(self, H: Array) -> Array:
        """Return tr(P)^2 / tr(P P) for every column of H, P under the working model."""
        K, width = self._kernel(), max(1, min(16, 20_000_000 // (self.clusters * 2 * H.shape[0])))
        starts = range(0, H.shape[1], width)
        return np.concatenate([satterthwaite_df(*self._moments(H[:, start : start + width]), K) for start in starts])

    def _hotelling_df(self, H: Array) -> float:
        """Return eta = q (q + 1) / sum_st Var(D_st), D being the covariance scaled to mean identity."""
        return hotelling_df(*self._moments(H), self._kernel())


def cluster_covariance(
    fit: LeastSquares,
    cluster: NDArray[np.integer],
    *,
    kind: Kind = "CR2",
    working: Literal["constant", "inverse_weights"] = "constant",
) -> ClusterCovariance:
    """Return the cluster-robust covariance of a fit.

    Use CR2 (bias-reduced linearisation), whose t tests with Satterthwaite's df hold their level down to about six
    clusters. CR0 and CR1 reject too often below forty clusters and are here to compare with other software; CR3 is the
    jackknife, somewhat conservative.

    Where a cluster alone determines a direction of the coefficients (its own dummy), the adjustment is a generalised
    inverse, and contrasts that rest on such a direction get no standard error.

    Parameters
    ----------
    fit
        From `least_squares`.
    cluster
        Codes of the clusters, shape (n,), any integers.
    kind
        "CR0", "CR1" = J/(J-1) CR0, "CR1S" = J(n-1)/((J-1)(n-p)) CR0 (Stata), "CR2", "CR3".
    working
        Working model of the errors for the CR2 adjustment and all df: "constant" variance (weights are sampling
        weights, as clubSandwich treats `lm`), or "inverse_weights" (weights are inverse variances).

    Returns
    -------
    ClusterCovariance

    Raises
    ------
    DesignError
        If there are fewer than two clusters.

    Notes
    -----
    Bell & McCaffrey (2002, Survey Methodology 28, 169-181); Pustejovsky & Tipton (2018, Journal of Business & Economic
    Statistics 36, 672-683). With h = R^-T l and the adjusted rows T_j of a cluster, a_j = T_j h and
    P_jk = ((I - H)_j' a_j)' Phi ((I - H)_k' a_k); df = tr(P)^2 / tr(P P).

    Examples
    --------
    >>> from sweval.models.engine.ols import least_squares
    >>> y = np.array([3.0, 4, 4, 6, 5, 7, 8, 8])
    >>> X = np.column_stack([np.ones(8), [0.0, 0, 0, 0, 1, 1, 1, 1]])
    >>> test = cluster_covariance(least_squares(y, X), np.array([0, 0, 1, 1, 2, 2, 3, 3])).contrast(np.array([0, 1.0]))
    >>> round(test.std_error, 4), round(test.df, 4)
    (1.25, 2.0)
    """
    labels, codes = np.unique(cluster, return_inverse=True)
    J = len(labels)
    if J < 2:
        raise DesignError(
            "there is only one cluster, so how much clusters vary cannot be seen.",
            fix="Name a column with several clusters, or leave the cluster out and say so.",
        )
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes))
    blocks = tuple(slice(int(a), int(b)) for a, b in zip(np.append(0, ends[:-1]), ends, strict=True))
    Q, w, root = fit.Q[order], fit.weights[order], np.sqrt(fit.weights[order])
    weighted = bool(w.min() < w.max())
    adjusted = Q if kind in ("CR0", "CR1", "CR1S") else np.empty_like(Q)
    fixed = []
    for rows in blocks:
        values, vectors = np.linalg.eigh(Q[rows].T @ Q[rows])
        left = 1.0 - values
        singular = left < _SINGULAR
        if singular.any():
            fixed.append(vectors[:, singular])
        if adjusted is Q:
            continue
        if kind == "CR2" and working == "constant" and weighted:
            adjusted[rows] = _constant_variance_root(Q[rows], root[rows], Q, w)
        elif kind == "CR2" and w[rows].min() < w[rows].max():
            adjusted[rows] = _inverse_weight_root(Q[rows], w[rows], left, vectors)
        else:
            power = np.where(singular, 0.0, np.where(singular, 1.0, left) ** (-0.5 if kind == "CR2" else -1.0))
            adjusted[rows] = Q[rows] @ (vectors * power) @ vectors.T
    residuals = root * fit.residuals[order]
    scores = np.stack([adjusted[rows].T @ residuals[rows] for rows in blocks])
    n, p = Q.shape
    scale = {"CR1": J / (J - 1), "CR1S": J * (n - 1) / ((J - 1) * fit.df)}.get(kind, 1.0)
    half = np.linalg.solve(fit.R, scores.T)
    return ClusterCovariance(
        kind=kind,
        covariance=scale * half @ half.T,
        clusters=J,
        fit=fit,
        _blocks=blocks,
        _Q=Q,
        _adjusted=adjusted,
        _working=w if working == "constant" else np.ones(n),
        _fixed=np.concatenate(fixed, axis=1) if fixed else np.zeros((p, 0)),
    )


def _t_test(estimate: float, error: float, df: float) -> ContrastTest:
    """Return the record; without df there is no test."""
    if np.isnan(df):
        return ContrastTest(estimate=estimate, std_error=np.nan, df=np.nan, statistic=np.nan, p_value=np.nan)
    t = estimate / error
    return ContrastTest(estimate=estimate, std_error=error, df=df, statistic=t, p_value=two_sided_p(t, df))


def _constant_variance_root(Qj: Array, root: Array, Q: Array, w: Array) -> Array:
    """Return W^-1/2 B^-1/2 W^1/2 Q_j, where B = [(I - H)(I - H)']_jj and H = X (X'WX)^-1 X'W.

    B is the identity but for the span of (X_j, W_j X_j), so a 2p x 2p eigenproblem gives its root.
    """
    p = Q.shape[1]
    lower, upper = Qj / root[:, None], Qj * root[:, None]
    basis, r = np.linalg.qr(np.concatenate([lower, upper], axis=1))
    core = np.block([[Q.T @ (w[:, None] * Q), -np.eye(p)], [-np.eye(p), np.zeros((p, p))]])
    values, vectors = np.linalg.eigh(np.eye(len(r)) + r @ core @ r.T)
    power = np.where(values < _SINGULAR, 0.0, np.where(values < _SINGULAR, 1.0, values) ** -0.5)
    inside = basis.T @ upper
    change = (vectors * power) @ (vectors.T @ inside) - inside
    return (upper + basis @ change) / root[:, None]


def _inverse_weight_root(Qj: Array, w: Array, left: Array, vectors: Array) -> Array:
    """Return W^-1 G^-1/2 Q_j with G = W^-1 (I - Q_j Q_j') W^-1: clubSandwich's root when weights are 1/variances.

    G is diagonal plus rank p, so every node of the quadrature of Hale, Higham & Trefethen (2008, SIAM Journal on
    Numerical Analysis 46, 2505-2523, method 3) costs O(n_j p^2) by Woodbury's formula.
    """
    singular = left < _SINGULAR
    null = np.linalg.qr(w[:, None] * (Qj @ vectors[:, singular]))[0]
    B = Qj - null @ (null.T @ Qj)
    diagonal, Y = w**-2.0, Qj / w[:, None]
    low, high = diagonal.min() * min(1.0, left[~singular].min(initial=1.0)), diagonal.max()
    quarter = ellipkm1(low / high)
    nodes = int(np.ceil(35 * (np.log(high / low) + 6) / (2 * np.pi**2)))
    sn, cn, dn, _ = ellipj((np.arange(nodes) + 0.5) * quarter / nodes, 1 - low / high)
    total = np.zeros_like(B)
    for shift, weight in zip(low * (sn / cn) ** 2, dn / cn**2, strict=True):
        inverse = 1 / (diagonal + shift)
        scaled = inverse[:, None] * Y
        total += weight * (
            inverse[:, None] * B + scaled @ np.linalg.solve(np.eye(Y.shape[1]) - Y.T @ scaled, scaled.T @ B)
        )
    total *= 2 * quarter * np.sqrt(low) / (np.pi * nodes)
    return (total - null @ (null.T @ total)) / w[:, None]
