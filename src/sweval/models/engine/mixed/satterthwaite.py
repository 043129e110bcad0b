"""t and F tests with Satterthwaite's degrees of freedom."""

from __future__ import annotations

import numpy as np
from scipy.special import fdtrc

from sweval.models.engine.mixed.model import Array, inverse
from sweval.models.engine.mixed.variances import Variances
from sweval.models.engine.ols import two_sided_p
from sweval.models.engine.sandwich import ContrastTest, WaldTest


def contrasts(found: Variances, H: Array, values: Array, zero: int | None = None) -> tuple[ContrastTest, ...]:
    """Return the t test of every row of H (contrasts of the coefficients of Q) with its value.

    `df = 2 v^2 / (g' A g)` with v = h' Phi h, g its gradient in theta and A the inverse observed information
    (Giesbrecht & Burns 1985, Biometrics 41, 477-486). `zero` is the number of the only variance that is estimated at
    zero, if there is one.
    """
    dfs = degrees_of_freedom(found, H, zero)
    errors = np.sqrt(np.einsum("ma,ab,mb->m", H, found.phi, H))
    out = []
    for value, error, df in zip(values.tolist(), errors.tolist(), dfs.tolist(), strict=True):
        t = value / error
        out.append(ContrastTest(estimate=value, std_error=error, df=df, statistic=t, p_value=two_sided_p(t, df)))
    return tuple(out)


def degrees_of_freedom(found: Variances, H: Array, zero: int | None = None) -> Array:
    """Return Satterthwaite's df of every row of H."""
    PhiH = H @ found.phi
    variance = np.einsum("ma,ma->m", PhiH, H)
    g = -((PhiH @ found.P) * PhiH).sum(axis=2).T
    if zero is not None:
        return _at_zero(variance, g, inverse(found.expected), zero)
    spread = np.einsum("mt,tm->m", g, np.linalg.solve(found.observed, g.T))
    out: Array = 2 * variance**2 / spread
    return out


def _at_zero(variance: Array, g: Array, W: Array, zero: int) -> Array:
    """Return `2 E(v)^2 / Var(v)` for the estimated variance v of a contrast, one component being estimated at zero.

    On the boundary the estimate of that component is distributed as max(0, x), x normal around zero, and the others as
    their residuals given x plus their regression on it (Self & Liang 1987, Journal of the American Statistical
    Association 82, 605-610, case 5); so it has mean s / sqrt(2 pi) and variance s^2 (1 - 1/pi) / 2, s^2 being that of
    x. The df are those of a chi-square with these moments; v itself is left at its plain value. Without the cut at
    zero the df would be those of units that are known to differ, with the variance taken as known those of the rows.
    """
    s2 = W[zero, zero]
    regression = W[:, zero] / s2
    free = W - np.outer(W[:, zero], regression)
    slope = np.maximum(g @ regression, 0.0)
    mean = variance + slope * np.sqrt(s2 / (2 * np.pi))
    spread = np.einsum("mt,tu,mu->m", g, free, g) + slope**2 * s2 * (1 - 1 / np.pi) / 2
    out: Array = 2 * mean**2 / spread
    return out


def joint(found: Variances, H: Array, zero: int | None = None) -> WaldTest:
    """Return the F test of all rows of H.

    The contrasts are turned into independent ones; with their df the denominator df of F follow from the expectation
    of its parts (Fai & Cornelius 1996, Journal of Statistical Computation and Simulation 54, 363-378), as lmerTest
    does (Kuznetsova, Brockhoff & Christensen 2017, Journal of Statistical Software 82(13)).
    """
    values, vectors = np.linalg.eigh(H @ found.phi @ H.T)
    turned = vectors.T @ H
    t2 = (turned @ found.beta) ** 2 / values
    dfs = degrees_of_freedom(found, turned, zero)
    q = len(values)
    F = float(t2.mean())
    df = _denominator(dfs)
    return WaldTest(statistic=F, df_numerator=q, df_denominator=df, p_value=float(fdtrc(q, df, F)))


def _denominator(dfs: Array) -> float:
    """Return the df of the F statistic from those of its independent parts."""
    if np.ptp(dfs) < 1e-8 * abs(dfs.mean()):
        return float(dfs.mean())
    if (dfs <= 2).any():
        return 2.0
    E = float((dfs / (dfs - 2)).sum())
    return 2 * E / (E - len(dfs))
