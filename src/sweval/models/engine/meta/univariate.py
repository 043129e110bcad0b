"""Random-effects meta-analysis and meta-regression of independent effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import chdtrc, fdtrc, ndtri, stdtrit

from sweval.errors import DesignError
from sweval.models.engine.meta.blocks import Sampling
from sweval.models.engine.meta.heterogeneity import (
    Estimator,
    deviance,
    q_profile,
    sums,
    tau_squared,
    typical_variance,
)
from sweval.models.engine.meta.multilevel import orthogonal
from sweval.models.engine.ols import Array, constant_column, two_sided_p

Test = Literal["z", "t", "knapp-hartung", "knapp-hartung-adhoc"]
TESTS: tuple[Test, ...] = ("z", "t", "knapp-hartung", "knapp-hartung-adhoc")
Prediction = Literal["model", "riley", "hts"]


@dataclass(frozen=True, kw_only=True)
class MetaRegression:
    """A fitted random-effects model of independent effects.

    Parameters
    ----------
    method, test
        Estimator of tau squared, and how coefficients are tested.
    coefficients, covariance, statistics, p_values
        Shapes (p,), (p, p), (p,), (p,).
    df
        Degrees of freedom of the tests; infinite for z.
    kept, aliased
        Columns of the design that were used, and that add nothing to the columns before them.
    tau2, tau2_se, converged
        Variance of true effects around the regression, its standard error, and whether its search ended.
    i2, h2
        Share of the variance that is heterogeneity (percent), and total over sampling variance.
    r2
        Percent of the heterogeneity without moderators that the moderators explain; NaN without moderators.
    q, q_df, q_p
        Cochran's Q of residual heterogeneity.
    qm, qm_df, qm_p
        Joint test of all coefficients but a constant (chi-square; for t tests F with `df`).
    log_likelihood
        With metafor's constants; restricted for REML.
    """

    method: Estimator
    test: Test
    coefficients: Array
    covariance: Array
    statistics: Array
    p_values: Array
    df: float
    kept: tuple[int, ...]
    aliased: tuple[int, ...]
    tau2: float
    tau2_se: float
    converged: bool
    i2: float
    h2: float
    r2: float
    q: float
    q_df: int
    q_p: float
    qm: float
    qm_df: int
    qm_p: float
    log_likelihood: float
    _y: Array
    _v: Array
    _Q: Array

    @property
    def k(self) -> int:
        """Return the number of effects."""
        return len(self._y)

    @property
    def std_errors(self) -> Array:
        """Return standard errors, shape (p,)."""
        return np.sqrt(np.diag(self.covariance))

    def interval(self, weights: Array, *, conf_level: float = 0.95) -> tuple[Array, Array, Array]:
        """Return estimate and confidence limits of each row of `weights` (m, p) times the coefficients."""
        L = np.atleast_2d(np.asarray(weights, dtype=float))
        estimate = L @ self.coefficients
        reach = _quantile(self.df, conf_level) * np.sqrt(np.einsum("ij,jk,ik->i", L, self.covariance, L))
        return estimate, estimate - reach, estimate + reach

    def prediction(
        self, weights: Array, *, conf_level: float = 0.95, kind: Prediction = "model"
    ) -> tuple[Array, Array, Array]:
        """Return estimate and limits for the true effect of one new study.

        Parameters
        ----------
        weights
            Its moderators, shape (m, p).
        conf_level
            Level of the interval.
        kind
            "model": the quantile of the model's own tests (normal for z). "riley": t with k - p df. "hts" (Higgins,
            Thompson & Spiegelhalter 2009): t with k - p - 1 df, k - 2 without moderators.

        Raises
        ------
        DesignError
            If there are too few effects for the degrees of freedom.
        """
        L = np.atleast_2d(np.asarray(weights, dtype=float))
        df = {"model": self.df, "riley": float(self.q_df), "hts": self.q_df - 1.0}[kind]
        if df <= 0:
            raise DesignError(f"{self.k} effects leave no degrees of freedom for this prediction interval.")
        estimate = L @ self.coefficients
        spread = np.sqrt(np.einsum("ij,jk,ik->i", L, self.covariance, L) + self.tau2)
        reach = _quantile(df, conf_level) * spread
        return estimate, estimate - reach, estimate + reach

    def heterogeneity_interval(self, *, conf_level: float = 0.95) -> tuple[Array, Array]:
        """Return the lower and upper limits of tau squared, tau, I squared and H squared, each shape (4,)."""
        typical = typical_variance(self._v, self._Q)
        limits = q_profile(self._y, self._v, self._Q, conf_level=conf_level)
        low, high = (np.array([x, np.sqrt(x), 100 * x / (x + typical), x / typical + 1]) for x in limits)
        return low, high


def meta_regression(
    y: Array, v: Array, X: Array | None = None, *, method: Estimator = "REML", test: Test = "knapp-hartung"
) -> MetaRegression:
    """Fit a random-effects model to independent effects.

    Use it for one effect per study. Where studies bring several, they depend on each other: use
    `sweval.models.engine.meta.multilevel`.

    Parameters
    ----------
    y, v
        Effects and their sampling variances, shape (k,).
    X
        Design matrix, shape (k, p), with its constant if there is to be one; by default a constant alone.
    method
        Estimator of tau squared, see `tau_squared`; "EE" for equal effects.
    test
        "knapp-hartung" (t with k - p df and a variance from the weighted residuals), the same "-adhoc" (never below the
        plain variance), "t" or "z".

    Returns
    -------
    MetaRegression

    Raises
    ------
    DesignError
        If numbers are missing, a variance is not positive, or there are no more effects than coefficients.

    Notes
    -----
    Knapp & Hartung (2003, Statistics in Medicine 22, 2693-2710); Higgins & Thompson (2002, Statistics in Medicine 21,
    1539-1558); R squared of Raudenbush (2009).

    Examples
    --------
    >>> y, v = np.array([0.1, 0.3, 0.5, 0.7]), np.array([0.04, 0.02, 0.03, 0.05])
    >>> fit = meta_regression(y, v)
    >>> fit.coefficients.round(3).tolist(), round(fit.tau2, 4), fit.df
    ([0.383], 0.0155, 3.0)
    """
    y, v = np.asarray(y, dtype=float), Sampling(variance=np.asarray(v, dtype=float)).variance
    X = np.ones((len(y), 1)) if X is None else np.asarray(X, dtype=float)
    bad = int((~np.isfinite(y)).sum() + (~np.isfinite(X)).sum())
    if bad:
        raise DesignError(f"effects or moderators hold {bad} missing or infinite values.", fix="Leave these rows out.")
    if test not in TESTS:
        raise DesignError(f'"{test}" is no test.', fix=f"Choose one of {', '.join(TESTS)}.")
    kept, aliased, Q, R = orthogonal(X)
    k, p = Q.shape
    if k <= p:
        raise DesignError(
            f"there are {k} effects for {p} coefficients, so nothing tells how much effects vary.",
            fix="Use fewer moderators, or more studies.",
        )
    tau2, tau2_se, converged = tau_squared(y, v, Q, method=method)
    s = sums(y, Q, 1 / (v + tau2))
    scale, df = 1.0, np.inf if test == "z" else float(k - p)
    if test.startswith("knapp"):
        scale = s.q / (k - p)
        scale = max(scale, 1.0) if test.endswith("adhoc") else scale
    inverse = np.linalg.solve(R, np.eye(p))
    b, covariance = inverse @ s.coefficients, scale * inverse @ s.phi @ inverse.T
    error = np.sqrt(np.diag(covariance))
    statistics = np.divide(b, error, out=np.full(p, np.nan), where=error > 0)
    constant = constant_column(X[:, kept])
    moderators = [j for j in range(p) if j != constant] or list(range(p))
    q = sums(y, Q, 1 / v).q
    i2, h2 = _relative(tau2, q, k - p, v, Q, method)
    qm, qm_p = _joint(b[moderators], covariance[np.ix_(moderators, moderators)], df)
    reml = method == "REML"
    constants = (k - p if reml else k) * np.log(2 * np.pi)
    return MetaRegression(
        method=method,
        test=test,
        coefficients=b,
        covariance=covariance,
        statistics=statistics,
        p_values=np.array([two_sided_p(float(t), df) for t in statistics]),
        df=df,
        kept=tuple(kept),
        aliased=tuple(aliased),
        tau2=tau2,
        tau2_se=tau2_se,
        converged=converged,
        i2=i2,
        h2=h2,
        r2=_explained(y, v, tau2, method) if constant is not None and p > 1 else np.nan,
        q=q,
        q_df=k - p,
        q_p=float(chdtrc(k - p, q)),
        qm=qm,
        qm_df=len(moderators),
        qm_p=qm_p,
        log_likelihood=-(constants + deviance(tau2, y, v, Q, reml=reml)) / 2,
        _y=y,
        _v=v,
        _Q=Q,
    )


def _quantile(df: float, conf_level: float) -> float:
    return float(ndtri((1 + conf_level) / 2) if np.isinf(df) else stdtrit(df, (1 + conf_level) / 2))


def _relative(tau2: float, q: float, df: int, v: Array, Q: Array, method: Estimator) -> tuple[float, float]:
    """Return I squared (percent) and H squared."""
    if method == "EE":
        return (100 * max((q - df) / q, 0.0) if q > 0 else 0.0), q / df
    typical = typical_variance(v, Q)
    return 100 * tau2 / (tau2 + typical), tau2 / typical + 1


def _joint(b: Array, covariance: Array, df: float) -> tuple[float, float]:
    """Return the joint test of coefficients: chi-square, or F where the tests are t tests."""
    if np.linalg.matrix_rank(covariance, hermitian=True) < len(b):
        return np.nan, np.nan
    wald = float(b @ np.linalg.solve(covariance, b))
    if np.isinf(df):
        return wald, float(chdtrc(len(b), wald))
    return wald / len(b), float(fdtrc(len(b), df, wald / len(b)))


def _explained(y: Array, v: Array, tau2: float, method: Estimator) -> float:
    """Return R squared in percent; 0 where there is no heterogeneity to explain, NaN for equal effects."""
    if method == "EE":
        return np.nan
    alone, _, _ = tau_squared(y, v, np.full((len(y), 1), len(y) ** -0.5), method=method)
    return 100 * max((alone - tau2) / alone, 0.0) if alone > 0 else 0.0
