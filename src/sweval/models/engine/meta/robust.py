"""Cluster-robust tests of a meta-regression: they hold even if the working correlation is wrong.

The fitted covariance of the effects is the working model, as in clubSandwich. Blocks of one size are treated together;
an adjustment costs the cube of the block, everything else is linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, fdtrc

from sweval.errors import DesignError
from sweval.models.engine.meta.blocks import Codes
from sweval.models.engine.meta.multilevel import MultilevelFit
from sweval.models.engine.ols import Array, two_sided_p
from sweval.models.engine.sandwich import ContrastTest, WaldTest
from sweval.models.engine.small_sample import hotelling_df, satterthwaite_df

Kind = Literal["CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"]
KINDS: tuple[Kind, ...] = ("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3")

_SINGULAR = 1e-11
"""Share of the largest eigenvalue below which an adjustment is a generalised inverse."""
_UNBIASED = 0.05
"""Share of a contrast's variance that may be missing in the expectation of its CR2 estimate."""
_RESTS = 1e-8
"""Share of a contrast's variance in such directions above which its standard error would leave part out."""


@dataclass(frozen=True, kw_only=True)
class RobustMeta:
    """Cluster-robust covariance of a meta-regression, ready for tests.

    Parameters
    ----------
    kind
        CR0 to CR3.
    covariance
        Shape (p, p).
    clusters
        Number of clusters.
    fit
        The fit it belongs to.
    generalized
        Whether contrasts that rest on one cluster are tested all the same.
    """

    kind: Kind
    covariance: Array
    clusters: int
    fit: MultilevelFit
    generalized: bool
    _loads: tuple[tuple[Array, Array], ...]  # of every block Q'A'W Q and Q'W A Phi A'W Q, shapes (m, p, p)
    _phi: Array
    _fixed: Array

    def contrasts(self, weights: Array) -> tuple[ContrastTest, ...]:
        """Test each row of `weights` (m, p) times the coefficients with Satterthwaite's df.

        A contrast that rests on one cluster has NaN for all but the estimate: no other cluster shows how it varies.
        """
        L = np.atleast_2d(np.asarray(weights, dtype=float))
        H = self._in_q(L)
        estimates = L @ self.fit.coefficients
        errors = np.sqrt(np.clip(np.einsum("ij,jk,ik->i", L, self.covariance, L), 0, None))
        known = ~self._rests_on_one_cluster(H) & (errors > 0)
        df = np.full(len(L), np.nan)
        if known.any():
            df[known] = satterthwaite_df(*self._moments(H[:, known]), -self._phi)
        return tuple(_tested(float(b), float(se), float(nu)) for b, se, nu in zip(estimates, errors, df, strict=True))

    def wald(self, weights: Array, *, test: Literal["HTZ", "naive F", "chi-square"] = "HTZ") -> WaldTest:
        """Test that all rows of `weights` (q, p) times the coefficients are 0.

        HTZ is the approximate Hotelling test of Tipton & Pustejovsky (2015, Journal of Educational and Behavioral
        Statistics 40, 604-634). All is NaN where a contrast rests on one cluster.

        Raises
        ------
        DesignError
            If the contrasts depend on each other, or are more than the clusters can test together.
        """
        L = np.atleast_2d(np.asarray(weights, dtype=float))
        q, H = len(L), self._in_q(L)
        if np.linalg.matrix_rank(H) < q:
            raise DesignError("the contrasts to be tested together depend on each other.")
        if self._rests_on_one_cluster(H).any():
            return WaldTest(statistic=np.nan, df_numerator=q, df_denominator=np.nan, p_value=np.nan)
        V, b = L @ self.covariance @ L.T, L @ self.fit.coefficients
        scale = np.sqrt(np.diag(V))
        if not (scale > 0).all() or np.linalg.eigvalsh(V / np.outer(scale, scale))[0] < 1e-10:
            raise DesignError(
                f"{q} contrasts cannot be tested together with {self.clusters} studies.", fix="Test fewer at once."
            )
        wald = float(b @ np.linalg.solve(V, b))
        if test == "chi-square":
            return WaldTest(statistic=wald / q, df_numerator=q, df_denominator=np.inf, p_value=float(chdtrc(q, wald)))
        eta = hotelling_df(*self._moments(H), -self._phi) if test == "HTZ" else self.clusters + q - 2.0
        df = eta - q + 1
        F = df / (eta * q) * wald if test == "HTZ" else wald / q
        p = float(fdtrc(q, df, F)) if df > 0 else np.nan
        return WaldTest(statistic=F, df_numerator=q, df_denominator=df, p_value=p)

    def _in_q(self, L: Array) -> Array:
        """Return the contrasts in the coordinates of Q, shape (p, m)."""
        return np.asarray(np.linalg.solve(self.fit.transform.T, L.T), dtype=float)

    def _rests_on_one_cluster(self, H: Array) -> NDArray[np.bool_]:
        """Tell for each contrast whether part of it lies in directions that one cluster alone determines.

        CR2 is unbiased under the working model, so what is lost shows in the expected variance as well, where rounding
        hides the direction.
        """
        half = self._phi @ H
        whole = np.einsum("im,im->m", H, half)
        lost = np.square(self._fixed.T @ half).sum(axis=0) > _RESTS * whole
        if self.kind == "CR2" and not self.generalized:
            D, z = self._moments(H)
            expected = np.einsum("jmm->m", D) - np.einsum("jim,ik,jkm->m", z, self._phi, z, optimize=True)
            lost |= expected < (1 - _UNBIASED) * whole
        return np.asarray(lost, dtype=bool)

    def _moments(self, H: Array) -> tuple[Array, Array]:
        """Return D (J, m, m) and z (J, p, m) of `small_sample`, with K minus `(X'WX)^-1`."""
        D, z = [], []
        for G, own in self._loads:
            half = self._phi @ H
            z.append(G @ half)
            D.append(half.T @ own @ half)
        return np.concatenate(D), np.concatenate(z)


def robust_covariance(
    fit: MultilevelFit, *, cluster: Codes | None = None, kind: Kind = "CR2", generalized: bool = False
) -> RobustMeta:
    """Return the cluster-robust covariance of a meta-regression.

    CR2 with Satterthwaite's df is the default for any number of studies; CR0 and CR1 reject too often below forty.

    Parameters
    ----------
    fit
        From `multilevel`; give it the same `cluster`.
    cluster
        Codes of the clusters (k,); the default is the independent blocks of the fit.
    kind
        "CR0", "CR1" = J/(J-1) CR0, "CR1p" = J/(J-p) CR0, "CR1S" = J(k-1)/((J-1)(k-p)) CR0, "CR2", "CR3".
    generalized
        Whether contrasts that rest on one cluster are tested all the same, as clubSandwich does. Their standard errors
        leave out what only that cluster shows, and are then far too small.

    Returns
    -------
    RobustMeta

    Raises
    ------
    DesignError
        If there is one cluster only, or effects of different clusters depend on each other.

    Notes
    -----
    With Phi the fitted covariance, W its inverse, D_j'D_j = Phi_j (Cholesky) and M = (X'WX)^-1, the adjustment is
    A_j = D_j' [D_j (Phi_j - X_j M X_j') D_j']^(-1/2) D_j: Pustejovsky & Tipton (2018, Journal of Business & Economic
    Statistics 36, 672-683), Tipton & Pustejovsky (2015). CR3 is the jackknife, A_j = (I - X_j M X_j'W_j)^-1.

    Examples
    --------
    >>> from sweval.models.engine.meta.blocks import Component, Sampling
    >>> from sweval.models.engine.meta.multilevel import multilevel
    >>> y, v = np.array([0.2, 0.5, 0.1, 0.9, 0.4, 0.3]), np.full(6, 0.04)
    >>> study = np.array([0, 0, 1, 2, 2, 3])
    >>> fit = multilevel(y, Sampling(variance=v, group=study, rho=0.6), np.ones((6, 1)),
    ...                  (Component(name="study", codes=study), Component(name="effect", codes=np.arange(6))))
    >>> test = robust_covariance(fit, cluster=study).contrasts(np.ones((1, 1)))[0]
    >>> round(test.std_error, 3), round(test.df, 2)
    (0.118, 2.83)
    """
    p = len(fit.coefficients)
    phi = fit.transform @ fit.covariance @ fit.transform.T
    beta = fit.transform @ fit.coefficients
    loads, scores, labels, fixed = [], [], [], []
    for batch in fit.batches:
        Q, y = fit.U[batch.rows][:, :, :p], fit.U[batch.rows][:, :, p]
        codes = batch.label[:, None] if cluster is None else cluster[batch.rows]
        if (codes != codes[:, :1]).any():
            raise DesignError(
                "effects of different clusters depend on each other in this model, so clusters show no independent "
                "errors.",
                fix="Take larger clusters, or leave out the level that crosses them.",
            )
        total = fit.totals(batch)
        XW = np.swapaxes(np.linalg.solve(total, Q), 1, 2)
        adjusted, lost = _adjusted(XW, Q, total, phi, kind)
        fixed.append(lost)
        scores.append((adjusted @ (y - Q @ beta)[:, :, None])[:, :, 0])
        loads.append((np.swapaxes(adjusted @ Q, 1, 2), adjusted @ total @ np.swapaxes(adjusted, 1, 2)))
        labels.append(codes[:, 0])
    joined = np.concatenate(labels)
    J = len(np.unique(joined))
    if len(joined) > J:
        raise DesignError("a cluster holds several independent blocks.", fix="Fit the model with the same clusters.")
    if J < 2:
        raise DesignError(
            "there is only one study, so how much studies vary cannot be seen.",
            fix="Name the column that tells studies apart, or report the study by itself.",
        )
    S = np.concatenate(scores)
    scale = {"CR1": J / (J - 1), "CR1S": J * (fit.k - 1) / ((J - 1) * (fit.k - p))}.get(kind, 1.0)
    if kind == "CR1p":
        if p >= J:
            raise DesignError(f"CR1p needs more studies ({J}) than coefficients ({p}).")
        scale = J / (J - p)
    half = np.linalg.solve(fit.transform, phi @ S.T)
    return RobustMeta(
        kind=kind,
        covariance=scale * half @ half.T,
        clusters=J,
        fit=fit,
        generalized=generalized,
        _loads=tuple(loads),
        _phi=phi,
        _fixed=np.zeros((p, 0)) if generalized else np.concatenate(fixed, axis=1),
    )


def _adjusted(XW: Array, Q: Array, total: Array, phi: Array, kind: Kind) -> tuple[Array, Array]:
    """Return X'W A of every block (m, p, n), and the directions (p, d) that a block alone determines."""
    p = XW.shape[1]
    if kind not in ("CR2", "CR3"):
        return XW, np.zeros((p, 0))
    left = total - Q @ phi @ np.swapaxes(Q, 1, 2)
    root = np.linalg.cholesky(total)  # total = root root'; R's chol is its transpose
    upper = np.swapaxes(root, 1, 2)
    inner = upper @ left @ root
    scale = np.trace(total, axis1=1, axis2=2) ** 2
    values, vectors = np.linalg.eigh((inner + np.swapaxes(inner, 1, 2)) / (2 * scale[:, None, None]))
    singular = values < _SINGULAR * np.maximum(values[:, -1:], 1.0)
    power = np.where(singular, 0.0, np.where(singular, 1.0, values) ** (-0.5 if kind == "CR2" else -1.0))
    factor = scale[:, None] ** (-0.5 if kind == "CR2" else -1.0)
    spectral = vectors * (power * factor)[:, None, :]
    # CR3's (I - X M X'W)^-1 is Phi (Phi - X M X')^-1
    before = XW if kind == "CR2" else np.swapaxes(Q, 1, 2)
    adjusted = before @ root @ spectral @ np.swapaxes(vectors, 1, 2) @ upper
    lost = [np.zeros((p, 0))]
    for j in np.flatnonzero(singular.any(axis=1)):
        white = np.linalg.qr(upper[j] @ root[j] @ vectors[j][:, singular[j]])[0]
        lost.append(XW[j] @ root[j] @ white)
    return adjusted, np.concatenate(lost, axis=1)


def _tested(estimate: float, error: float, df: float) -> ContrastTest:
    """Return the record; without df there is no test."""
    if np.isnan(df):
        return ContrastTest(estimate=estimate, std_error=np.nan, df=np.nan, statistic=np.nan, p_value=np.nan)
    t = estimate / error
    return ContrastTest(estimate=estimate, std_error=error, df=df, statistic=t, p_value=two_sided_p(t, df))
