"""Common factors of items, and omega: how much of a score's variance a general factor, or all of them, explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweval.scoring.consistency import Matrix, correlation

_LEAST_UNIQUENESS = 0.005
_GROUP_FACTORS = 3
FEWEST_FOR_GROUPS = 6
"""With fewer items three group factors have more loadings than there are correlations."""


@dataclass(frozen=True, kw_only=True)
class OneFactor:
    """Omega of the score under one common factor, with its standard error (nan where there is none).

    `standardized` is omega of the standardized items, one less the share of the uniquenesses in the sum of R.
    """

    omega: float
    standardized: float
    std_error: float
    bounded: bool


@dataclass(frozen=True, kw_only=True)
class Bifactor:
    """Omega total and hierarchical from a Schmid-Leiman solution; `bounded` if a uniqueness was held at its bound."""

    total: float
    hierarchical: float
    general: Matrix
    bounded: bool


def minres(matrix: Matrix, factors: int) -> tuple[Matrix, Matrix]:
    """Return unrotated loadings (k, factors) and uniquenesses (k,) that leave the least squared residual correlations.

    Harman and Jones (1966, Psychometrika 31:351-368), computed as unweighted least squares (Joreskog 1977): the
    uniquenesses, held within 0.005 and 1, minimise the sum of squares of the discarded eigenvalues of R - Psi.

    Parameters
    ----------
    matrix
        Correlations, shape (k, k).
    factors
        Number of factors.
    """
    from scipy.optimize import minimize

    def loss(uniqueness: Matrix) -> tuple[float, Matrix]:
        values, vectors = np.linalg.eigh(matrix - np.diag(uniqueness))
        values, vectors = values[:-factors], vectors[:, :-factors]
        return 0.5 * float(values @ values), -(vectors**2) @ values

    start = np.clip(1 - _squared_multiple_correlations(matrix), _LEAST_UNIQUENESS, 1.0)
    bounds = [(_LEAST_UNIQUENESS, 1.0)] * len(matrix)
    fit = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 2000}
    )
    values, vectors = np.linalg.eigh(matrix - np.diag(fit.x))
    loadings = vectors[:, ::-1][:, :factors] * np.sqrt(np.maximum(values[::-1][:factors], 0.0))
    signs = np.where(loadings.sum(axis=0) < 0, -1.0, 1.0)
    return loadings * signs, fit.x


def varimax(loadings: Matrix) -> Matrix:
    """Return loadings rotated by Kaiser's varimax, rows normalised (Kaiser 1958, Psychometrika 23:187-200)."""
    length = np.sqrt((loadings**2).sum(axis=1, keepdims=True))
    rows = loadings / np.maximum(length, np.finfo(float).tiny)
    turn, before = np.eye(loadings.shape[1]), 0.0
    for _ in range(1000):
        turned = rows @ turn
        left, sizes, right = np.linalg.svd(rows.T @ (turned**3 - turned * (turned**2).mean(axis=0)))
        turn = left @ right
        if sizes.sum() <= before * (1 + 1e-12):
            break
        before = float(sizes.sum())
    return np.asarray(loadings @ turn)


def quartimin(loadings: Matrix) -> tuple[Matrix, Matrix]:
    """Return oblique loadings (k, m) and the factors' correlations (m, m): oblimin with gamma 0.

    Gradient projection of Jennrich (2002, Psychometrika 67:7-19), begun at the loadings given.
    """
    turn, step = np.eye(loadings.shape[1]), 1.0
    rotated = loadings
    value, slope = _quartimin(rotated)
    for _ in range(2000):
        gradient = -(rotated.T @ slope @ np.linalg.inv(turn)).T
        tangent = gradient - turn * (turn * gradient).sum(axis=0)
        size = float(np.sqrt((tangent**2).sum()))
        if size < 1e-9:
            break
        step *= 2
        for _ in range(40):
            moved = turn - step * tangent
            moved /= np.sqrt((moved**2).sum(axis=0))
            candidate = loadings @ np.linalg.inv(moved).T
            new, new_slope = _quartimin(candidate)
            if new < value - 0.5 * size**2 * step:
                break
            step /= 2
        if not new < value:
            break
        turn, rotated, value, slope = moved, candidate, new, new_slope
    return rotated, turn.T @ turn


def one_factor_omega(keyed: Matrix, covariance: Matrix) -> OneFactor:
    """Return omega of a sum of items under one common factor, in the units of the score.

    omega = (sum of loadings)**2 / ((sum of loadings)**2 + sum of unique variances), with minres loadings times the
    items' standard deviations (McDonald 1999, Test Theory, ch. 6). The standard error is asymptotic and assumes no
    distribution: each complete row's influence on the correlations and standard deviations moves the loadings as the
    derivatives of the minres equations say.

    Parameters
    ----------
    keyed
        Keyed answers, nan = missing, shape (rows, k), k three or more; incomplete rows do not enter the standard error.
    covariance
        Of the items, which all vary, shape (k, k).
    """
    matrix, deviation = correlation(covariance), np.sqrt(np.diag(covariance))
    loadings, uniqueness = minres(matrix, 1)
    own, unique = loadings[:, 0], 1 - loadings[:, 0] ** 2
    common, rest = float(deviation @ own), float(deviation**2 @ unique)
    omega = common**2 / (common**2 + rest)
    bounded = bool((uniqueness <= _LEAST_UNIQUENESS).any() or (uniqueness >= 1).any())
    complete = keyed[~np.isnan(keyed).any(axis=1)]
    standardized = 1 - float(unique.sum() / matrix.sum())
    if bounded or len(complete) <= 2:
        return OneFactor(omega=omega, standardized=standardized, std_error=float("nan"), bounded=bounded)
    z = (complete - complete.mean(axis=0)) / deviation
    square = z**2
    pull = (
        z * ((z @ own)[:, None] - z * own) - 0.5 * square * (matrix @ own - own) - 0.5 * square @ _off(matrix * own).T
    )
    others = float(own @ own) - own**2
    jacobian = _off(matrix - 2 * np.outer(own, own)) - np.diag(others)
    d_own = -np.linalg.solve(jacobian, pull.T).T
    d_deviation = 0.5 * deviation * (square - 1)
    d_common = d_deviation @ own + d_own @ deviation
    d_rest = 2 * d_deviation @ (deviation * unique) - 2 * d_own @ (deviation**2 * own)
    influence = (2 * common * rest * d_common - common**2 * d_rest) / (common**2 + rest) ** 2
    std_error = float(influence.std(ddof=1) / np.sqrt(len(complete)))
    return OneFactor(omega=omega, standardized=standardized, std_error=std_error, bounded=bounded)


def omega_interval(found: OneFactor, rows: int, *, conf_level: float = 0.95) -> tuple[float, float]:
    """Return the interval of omega: log(1 - omega) with t of rows - 1 df, so that it never leaves 1 behind."""
    from scipy.special import stdtrit

    reach = float(stdtrit(rows - 1, (1 + conf_level) / 2)) * found.std_error / (1 - found.omega)
    return 1 - (1 - found.omega) * np.exp(reach), 1 - (1 - found.omega) * np.exp(-reach)


def bifactor_omega(covariance: Matrix) -> Bifactor:
    """Return omega total and hierarchical of standardized items, with three group factors.

    Minres factors, varimax and then oblimin; the factors' correlations give the general factor (Schmid and Leiman 1957,
    Psychometrika 22:53-61). With general loadings g and uniquenesses u, omega total = 1 - sum(u) / sum(R) and omega
    hierarchical = sum(g)**2 / sum(R) (Zinbarg, Revelle, Yovel and Li 2005, Psychometrika 70:123-133).

    Parameters
    ----------
    covariance
        Of six items or more, which all vary, shape (k, k).
    """
    matrix = correlation(covariance)
    loadings, uniqueness = minres(matrix, _GROUP_FACTORS)
    oblique, between = quartimin(varimax(loadings))
    top, _ = minres(between, 1)
    general = (oblique @ top)[:, 0]
    general *= np.sign(general.sum()) or 1.0
    variance = float(matrix.sum())
    unique = 1 - (loadings**2).sum(axis=1)
    return Bifactor(
        total=1 - float(unique.sum()) / variance,
        hierarchical=float(general.sum()) ** 2 / variance,
        general=general,
        bounded=bool((uniqueness <= _LEAST_UNIQUENESS).any()),
    )


def _quartimin(loadings: Matrix) -> tuple[float, Matrix]:
    """Return the criterion and its slope: products of squared loadings of different factors."""
    squared = loadings**2
    others = squared.sum(axis=1, keepdims=True) - squared
    return float((squared * others).sum() / 4), np.asarray(loadings * others)


def _squared_multiple_correlations(matrix: Matrix) -> Matrix:
    inverse = np.linalg.pinv(matrix, hermitian=True)
    return np.asarray(1.0 - 1.0 / np.maximum(np.diag(inverse), 1.0))


def _off(matrix: Matrix) -> Matrix:
    return np.asarray(matrix - np.diag(np.diag(matrix)))
