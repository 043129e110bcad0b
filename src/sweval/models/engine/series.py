"""Regression of one series, or of several, with AR(1) errors: restricted maximum likelihood and small-sample tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from sweval.errors import DesignError
from sweval.models.engine.mixed import kenward_roger, satterthwaite
from sweval.models.engine.mixed.variances import Variances
from sweval.models.engine.ols import Array, least_squares, two_sided_p
from sweval.models.engine.sandwich import ContrastTest, WaldTest
from sweval.models.engine.serial import Indices, serial_moments, serial_order
from sweval.models.engine.serial_fit import EDGE, serial_optimum, serial_variances

SeriesDf = Literal["kenward-roger", "satterthwaite"]

_LEAST_DF = 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SeriesFit:
    """A regression with AR(1) errors.

    Parameters
    ----------
    coefficients, covariance
        Of the kept columns, and their model-based covariance (without the adjustment of Kenward-Roger).
    kept, aliased
        Columns of the design matrix that were used, and that add nothing to the columns before them.
    n, series
        Rows and series.
    rho
        Autocorrelation: correlation of errors one unit of time apart.
    sigma
        Marginal standard deviation of the errors (not that of the innovations, which is `sigma sqrt(1 - rho^2)`).
    level_variance
        Variance of the levels of the series; None where they have none of their own.
    log_likelihood
        With all constants, as nlme prints it.
    reml
        Restricted (True) or full maximum likelihood.
    converged
        Whether the search ended well.
    variances
        Derivatives in (sigma^2, rho[, level variance]) for inference.
    """

    coefficients: Array
    covariance: Array
    kept: tuple[int, ...]
    aliased: tuple[int, ...]
    n: int
    series: int
    rho: float
    sigma: float
    level_variance: float | None
    log_likelihood: float
    reml: bool
    converged: bool
    variances: Variances = field(repr=False)
    _root: Array = field(repr=False)

    @property
    def at_edge(self) -> bool:
        """Tell whether rho ran to its bound, so that autocorrelation cannot be told from trend in this series."""
        return abs(self.rho) > EDGE

    def contrasts(self, L: ArrayLike, df: SeriesDf = "kenward-roger") -> tuple[ContrastTest, ...]:
        """Test every row of L on its own.

        Parameters
        ----------
        L
            Contrasts of the kept coefficients, shape (m, p) or (p,).
        df
            "kenward-roger" (default; the only one that held its level in short series), or "satterthwaite".

        Raises
        ------
        DesignError
            For Kenward-Roger on a maximum likelihood fit, or if a variance parameter cannot be told apart.

        Notes
        -----
        Kenward & Roger (1997, Biometrics 53, 983-997) in (variance, rho) with second derivatives and the expected
        information. As in the simulations behind it the standard error is never taken below the unadjusted one, and
        the df are kept between 2 and n - p.
        """
        H = self._in_q(L)
        own = self.variances
        least = np.einsum("ma,ab,mb->m", H, own.phi, H)
        if df == "kenward-roger":
            self._need_reml()
            phi, W = kenward_roger.adjusted(own)
            variances = np.maximum(np.einsum("ma,ab,mb->m", H, phi, H), least)
            half = H @ own.phi
            g = -np.einsum("ma,tab,mb->mt", half, own.P, half)
            # for one contrast the formulas of Kenward & Roger come down to this
            dfs = 2 * least**2 / np.einsum("mt,tu,mu->m", g, W, g)
        else:
            variances, dfs = least, satterthwaite.degrees_of_freedom(own, H)
        most = max(float(self.n - len(self.kept)), _LEAST_DF)
        out = []
        for value, variance, found in zip((H @ own.beta).tolist(), variances.tolist(), dfs.tolist(), strict=True):
            error, bounded = variance**0.5, min(max(found, _LEAST_DF), most)
            p = two_sided_p(value / error, bounded)
            out.append(ContrastTest(estimate=value, std_error=error, df=bounded, statistic=value / error, p_value=p))
        return tuple(out)

    def joint(self, L: ArrayLike) -> WaldTest:
        """Test that all rows of L times the coefficients are 0 together, by Kenward-Roger's scaled F.

        Raises
        ------
        DesignError
            As `contrasts`, and if the rows depend on each other.
        """
        self._need_reml()
        H = self._in_q(L)
        if np.linalg.matrix_rank(H) < len(H):
            raise DesignError(
                "the joint contrasts depend on each other.", fix="Leave out those that follow from others."
            )
        return kenward_roger.joint(self.variances, H)

    def _in_q(self, L: ArrayLike) -> Array:
        """Return contrasts of the coefficients as contrasts of those of Q."""
        out: Array = np.linalg.solve(self._root.T, np.atleast_2d(np.asarray(L, dtype=float)).T).T
        return out

    def _need_reml(self) -> None:
        if not self.reml:
            raise DesignError("Kenward-Roger needs a REML fit.", fix="Fit with reml=True.")


def series_fit(
    y: ArrayLike,
    X: ArrayLike,
    *,
    time: ArrayLike,
    series: ArrayLike | None = None,
    levels: bool = False,
    reml: bool = True,
) -> SeriesFit:
    """Fit `y = X b + e` with errors that follow an AR(1) within every series.

    Use it for piecewise regression of one client and for interrupted series. Do not use it below about 8 points per
    series, where autocorrelation cannot be estimated, and do not read the absence of autocorrelation from it: 12
    points cannot show that.

    Parameters
    ----------
    y
        Outcome, shape (n,).
    X
        Design matrix, shape (n, p), with its constant.
    time
        Whole numbers; errors d units apart correlate rho^d, so that gaps are respected.
    series
        Series of every row; one series by default. All share rho and the error variance.
    levels
        Whether every series has a random level of its own.
    reml
        Restricted (default) or full maximum likelihood.

    Returns
    -------
    SeriesFit

    Raises
    ------
    DesignError
        If numbers are missing, times are no whole numbers or occur twice, the outcome is constant or fitted exactly,
        or there are too few rows for the variance, rho and the coefficients.

    Examples
    --------
    >>> t = np.arange(24)
    >>> after = (t >= 12).astype(float)
    >>> y = 10 + 3 * after + np.random.default_rng(5).normal(size=24)
    >>> fit = series_fit(y, np.column_stack([np.ones(24), after]), time=t)
    >>> level = fit.contrasts([0, 1])[0]
    >>> print(f"{level.estimate:.2f} {level.std_error:.2f} {level.df:.1f}")
    2.76 0.46 5.3
    """
    y, X = np.asarray(y, dtype=float), np.asarray(X, dtype=float)
    if y.ndim != 1 or X.ndim != 2 or len(X) != len(y):
        raise DesignError(f"outcome and terms differ in length ({len(y)}, {len(X)}).")
    when = whole_times(time, len(y))
    unit = np.zeros(len(y), dtype=np.intp) if series is None else codes_of(series, len(y))
    order = serial_order(unit, when)
    line = least_squares(y[order], X[order])
    p, units = len(line.kept), int(unit.max()) + 1
    if len(y) < p + 3 + levels:
        raise DesignError(
            f"there are {len(y)} rows for {p} coefficients, a variance and an autocorrelation.",
            fix="Use fewer terms, or more points.",
        )
    if units == len(y):
        raise DesignError("every series has one row, so there is no autocorrelation to estimate.")
    if levels and units < 2:
        raise DesignError("one series has no variance of levels.", fix="Use levels=False.")
    W = np.column_stack([line.Q, line.residuals / line.sigma])[None]
    found = serial_moments(W, unit[order], when[order], random=levels)
    best = serial_optimum(found, reml=reml)
    variances = serial_variances(found, best, scale=np.array([line.sigma]), reml=reml).one()
    inverse = np.linalg.inv(line.R)
    nu = len(y) - p if reml else len(y)
    constant = nu * (1 + np.log(2 * np.pi) - np.log(nu)) + 2 * nu * np.log(line.sigma)
    if reml:
        constant += 2 * np.log(np.abs(np.diag(line.R))).sum()
    shifted = variances.shifted(line.R @ line.coefficients)
    return SeriesFit(
        coefficients=line.coefficients + inverse @ variances.beta,
        covariance=inverse @ variances.phi @ inverse.T,
        kept=line.kept,
        aliased=line.aliased,
        n=len(y),
        series=units,
        rho=float(best.rho[0]),
        sigma=float(np.sqrt(variances.sigma2)),
        level_variance=float(best.psi[0] * variances.sigma2) if levels else None,
        log_likelihood=-float(best.value[0] + constant) / 2,
        reml=reml,
        converged=bool(best.converged[0]),
        variances=shifted,
        _root=line.R,
    )


def whole_times(time: ArrayLike, n: int) -> Indices:
    """Return times as integers.

    Raises
    ------
    DesignError
        If they are not n whole numbers.
    """
    try:
        when = np.asarray(time, dtype=float)
    except (TypeError, ValueError) as error:
        raise DesignError("times must be numbers.", fix="Number the sessions 1, 2, 3, ...") from error
    if when.shape != (n,):
        raise DesignError(f"there are {n} outcomes and times of shape {when.shape}.")
    bad = int((~np.isfinite(when) | (when != np.round(when))).sum())
    if bad:
        raise DesignError(
            f"{bad} times are missing or no whole numbers, so distances between sessions are not counted in steps.",
            fix="Number the sessions (or weeks, or months) 1, 2, 3, ..., leaving gaps where some were missed.",
        )
    return when.astype(np.intp)


def codes_of(labels: ArrayLike, n: int) -> Indices:
    """Return labels as numbers 0 .. J - 1 in the order of their first appearance.

    Raises
    ------
    DesignError
        If there are not n of them.
    """
    given = np.asarray(labels)
    if given.shape != (n,):
        raise DesignError(f"there are {n} outcomes and labels of shape {given.shape}.")
    if given.dtype == object:
        given = given.astype(str)
    _, first, inverse = np.unique(given, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.reshape(-1)]
