"""Weighted least squares by QR: the point estimates on which every robust variance is built."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from sweval.errors import DesignError
from sweval.models.engine.refinement import WELL_CONDITIONED, refined

Array = NDArray[np.float64]

ALIAS_TOLERANCE = 1e-7
"""A column is aliased when less than this share of its length is left after the columns before it (as R's `lm`)."""


@dataclass(frozen=True, kw_only=True)
class LeastSquares:
    """A weighted least squares fit.

    Rows are in the order of the data; columns are those of `kept`, in the order of the design matrix.

    Parameters
    ----------
    coefficients
        Estimates, shape (p,).
    covariance
        Classical covariance `sigma^2 (X'WX)^-1`, shape (p, p).
    residuals
        `y - Xb`, unweighted, shape (n,).
    sigma
        Residual standard deviation (weighted, as `lm` prints it).
    df
        Residual degrees of freedom, `n - p`.
    kept, aliased
        Column numbers of the design matrix that were used, and that add nothing to the columns before them.
    X
        The kept columns, shape (n, p).
    Q, R
        `sqrt(w) X = QR`, with Q (n, p) orthonormal and R (p, p).
    weights
        Shape (n,); ones where none were given.
    """

    coefficients: Array
    covariance: Array
    residuals: Array
    sigma: float
    df: int
    kept: tuple[int, ...]
    aliased: tuple[int, ...]
    X: Array
    Q: Array
    R: Array
    weights: Array

    def standard_errors(self) -> Array:
        """Return the classical standard errors, shape (p,)."""
        return np.sqrt(np.diag(self.covariance))


def least_squares(y: Array, X: Array, *, weights: Array | None = None) -> LeastSquares:
    """Fit `y = Xb + e` by (weighted) least squares.

    Columns are centred when the design holds a constant, so that a year or an amount with a large offset costs no
    digits; the QR decomposition never forms `X'X`. Standard errors from here hold for independent errors of equal
    variance; with clusters use `sweval.models.engine.sandwich`.

    Parameters
    ----------
    y
        Outcome, shape (n,).
    X
        Design matrix, shape (n, p), with its constant if there is to be one.
    weights
        Positive weights, shape (n,). The fit minimises `sum w e^2`.

    Returns
    -------
    LeastSquares

    Raises
    ------
    DesignError
        If a number is not finite, the outcome is constant, a weight is not positive, there are no more rows than
        coefficients, or the design fits the outcome exactly.

    Examples
    --------
    >>> X = np.column_stack([np.ones(4), [0.0, 0, 1, 1]])
    >>> least_squares(np.array([1.0, 3, 4, 8]), X).coefficients.round(6).tolist()
    [2.0, 4.0]
    """
    y, X = np.asarray(y, dtype=float), np.asarray(X, dtype=float)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    _refuse(y, X, w)
    constant = constant_column(X)
    centred, shift = centred_columns(X, w, constant)
    root = np.sqrt(w)
    kept, aliased, Q, Rc = independent_columns(root[:, None] * centred, first=constant)
    if len(y) <= len(kept):
        raise DesignError(
            f"there are {len(y)} rows for {len(kept)} coefficients, so no variance can be estimated.",
            fix="Use fewer terms, or more rows.",
        )
    R = Rc @ shift[np.ix_(kept, kept)]
    offset = 0.0 if constant is None else float(np.average(y, weights=w))
    scaled = root * (y - offset)
    gamma = Q.T @ scaled
    left = scaled - Q @ gamma
    correction = Q.T @ left  # a second projection removes the rounding of the first
    left = left - Q @ correction
    b = np.linalg.solve(R, gamma + correction)
    if constant is not None:
        b[kept.index(constant)] += offset / X[0, constant]
    if np.linalg.cond(Rc / np.sqrt((Rc * Rc).sum(axis=0))) > WELL_CONDITIONED:
        b, residuals = refined(y, X[:, kept], w, b, Rc, shift[np.ix_(kept, kept)])
        left = root * residuals
    rss, eps = float(left @ left), float(np.finfo(float).eps)
    if rss <= (64 * eps) ** 2 * float(w @ (y * y)) + 1e-22 * float(scaled @ scaled):
        raise DesignError(
            "the terms reproduce the outcome exactly, so no variance can be estimated.",
            fix="Check whether a term is a copy of the outcome or identifies single rows.",
        )
    df = len(y) - len(kept)
    inverse = np.linalg.inv(R)
    return LeastSquares(
        coefficients=b,
        covariance=rss / df * inverse @ inverse.T,
        residuals=left / root,
        sigma=float(np.sqrt(rss / df)),
        df=df,
        kept=tuple(kept),
        aliased=tuple(aliased),
        X=X[:, kept],
        Q=Q,
        R=R,
        weights=w,
    )


def two_sided_p(statistic: float, df: float) -> float:
    """Return the two-sided p-value of a t statistic."""
    return float(2.0 * stdtr(df, -abs(statistic)))


def _refuse(y: Array, X: Array, w: Array) -> None:
    """Refuse what would give a wrong or empty answer."""
    if X.ndim != 2 or X.shape[0] != len(y) or len(w) != len(y):
        raise DesignError(f"outcome, terms and weights differ in length ({len(y)}, {X.shape[0]}, {len(w)}).")
    for name, values in (("outcome", y), ("terms", X), ("weights", w)):
        bad = int(np.size(values) - np.isfinite(values).sum())
        if bad:
            raise DesignError(f"the {name} hold {bad} missing or infinite values.", fix="Leave these rows out first.")
    if not (w > 0).all():
        raise DesignError(f"{int((w <= 0).sum())} weights are zero or negative.", fix="Leave these rows out first.")
    if len(y) and y.max() == y.min():
        raise DesignError(
            "the outcome is constant: every row has the same value.", fix="Check the scoring of the outcome."
        )


def constant_column(X: Array) -> int | None:
    """Return the first column that holds one non-zero value."""
    same = (k for k, column in enumerate(X.T) if len(column) and column[0] != 0 and (column == column[0]).all())
    return next(same, None)


def centred_columns(X: Array, w: Array, constant: int | None) -> tuple[Array, Array]:
    """Return the columns centred on their weighted means, and S with `X = centred @ S`."""
    shift = np.eye(X.shape[1])
    if constant is None:
        return X, shift
    means = w @ X / w.sum()
    means[constant] = 0.0
    shift[constant] += means / X[0, constant]
    return X - means, shift


def independent_columns(X: Array, *, first: int | None) -> tuple[list[int], list[int], Array, Array]:
    """Return the columns that add to those before them, those that do not, and QR of the first; the constant leads."""
    order = [k for k in range(X.shape[1]) if k != first]
    order = order if first is None else [first, *order]
    length = np.sqrt(np.einsum("ij,ij->j", X, X))
    aliased = [k for k in order if length[k] == 0]
    order = [k for k in order if length[k] > 0]
    while True:
        Q, R = np.linalg.qr(X[:, order] / length[order])
        full = np.append(np.abs(np.diag(R)), np.zeros(len(order) - len(R)))
        weak = np.flatnonzero(full < ALIAS_TOLERANCE)
        if not weak.size:
            break
        aliased.append(order.pop(int(weak[0])))  # one at a time: the noise it leaves must not hide later columns
    kept = sorted(order)
    Q, R = (Q, R * length[order]) if kept == order else np.linalg.qr(X[:, kept])
    return kept, sorted(aliased), Q, R
