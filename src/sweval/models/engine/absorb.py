"""Least squares with fixed effects that are taken out of the data, with the tests that dummies would give."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError
from sweval.models.engine.ols import Array, LeastSquares, least_squares

MOST_DUMMIES = 400
"""Levels that cannot be taken out, but need a column each: the cost of CR2 grows with their third power."""
_GONE = 1e-7
"""A column of which less than this share of its length is left within the levels does not vary within them."""


@dataclass(frozen=True, kw_only=True)
class Absorbed:
    """A least squares fit within levels of absorbed factors.

    Parameters
    ----------
    fit
        Ready for `cluster_covariance`; may hold columns of absorbed levels before those of the terms. Its `df` counts
        all levels.
    at
        Positions of the terms' coefficients in `fit.coefficients`.
    kept, aliased
        Columns of the design matrix that were used, and that do not vary within the levels or add nothing.
    levels
        Number of levels of each factor.
    """

    fit: LeastSquares
    at: tuple[int, ...]
    kept: tuple[int, ...]
    aliased: tuple[int, ...]
    levels: tuple[int, ...]


def absorbed_least_squares(
    y: Array,
    X: Array,
    factors: Sequence[NDArray[np.integer]],
    cluster: NDArray[np.integer],
    *,
    weights: Array | None = None,
) -> Absorbed:
    """Fit least squares with a fixed effect for every level of the factors.

    Use it for clients within agencies, or agencies within years, where the levels themselves are of no interest. Terms
    that are constant within the levels cannot be estimated.

    Parameters
    ----------
    y
        Outcome, shape (n,).
    X
        Design matrix, shape (n, p); its constant is absorbed too.
    factors
        Codes of the levels, shape (n,) each.
    cluster
        Codes of the clusters for which the covariance will be robust, shape (n,).
    weights
        Positive weights, shape (n,).

    Returns
    -------
    Absorbed

    Raises
    ------
    DesignError
        If the outcome or all terms are constant within the levels, or too many levels need a column of their own.

    Notes
    -----
    The factor with most levels among those whose levels lie within one cluster each is taken out by its means. Without
    weights CR0 to CR3 and all degrees of freedom are then those of the fit with dummies (Pustejovsky & Tipton 2018,
    Journal of Business & Economic Statistics 36, 672-683, theorem 2). All others get dummies.

    Examples
    --------
    >>> y = np.array([1.0, 2, 5, 6, 7, 9])
    >>> X = np.column_stack([np.ones(6), [0.0, 1, 0, 1, 0, 1]])
    >>> agency = np.repeat([0, 1, 2], 2)
    >>> found = absorbed_least_squares(y, X, [agency], agency)
    >>> found.fit.coefficients[list(found.at)].round(4).tolist(), found.fit.df
    ([1.3333], 2)
    """
    y, X = np.asarray(y, dtype=float), np.asarray(X, dtype=float)
    codes = [np.unique(factor, return_inverse=True)[1] for factor in factors]
    counts = [int(code.max()) + 1 for code in codes]
    within = [k for k, code in enumerate(codes) if weights is None and _nested(code, cluster)]
    out = max(within, key=lambda k: counts[k]) if within else None
    dummies = _dummies([code for k, code in enumerate(codes) if k != out], len(y))
    varying = [k for k in range(X.shape[1]) if np.ptp(X[:, k]) > 0]
    blocks = [dummies, X[:, varying]] if out is not None else [np.ones((len(y), 1)), dummies, X[:, varying]]
    columns = np.concatenate(blocks, axis=1)
    if out is not None:
        columns, y = _within(columns, codes[out]), _within(y[:, None], codes[out])[:, 0]
    if not y.any():
        raise DesignError("the outcome does not vary within the absorbed levels.", fix="Absorb fewer columns.")
    first = columns.shape[1] - len(varying)
    if not columns[:, first:].any():
        raise DesignError("no term varies within the absorbed levels.", fix="Absorb fewer columns.")
    fit = least_squares(y, columns, weights=weights)
    df = fit.df - (counts[out] if out is not None else 0)
    if out is not None:
        fit = dataclasses.replace(
            fit, df=df, sigma=fit.sigma * np.sqrt(fit.df / df), covariance=fit.covariance * (fit.df / df)
        )
    kept = tuple(varying[k - first] for k in fit.kept if k >= first)
    constant = {k for k in range(X.shape[1]) if k not in varying and X[0, k] != 0}
    return Absorbed(
        fit=fit,
        at=tuple(position for position, k in enumerate(fit.kept) if k >= first),
        kept=kept,
        aliased=tuple(k for k in range(X.shape[1]) if k not in kept and k not in constant),
        levels=tuple(counts),
    )


def _nested(code: NDArray[np.intp], cluster: NDArray[np.integer]) -> bool:
    """Tell whether each level lies within one cluster."""
    owner = np.empty(code.max() + 1, dtype=cluster.dtype)
    owner[code] = cluster
    return bool((owner[code] == cluster).all())


def _dummies(codes: list[NDArray[np.intp]], rows: int) -> Array:
    """Return a column for every level but the first of each factor."""
    total = sum(int(code.max()) for code in codes)
    if total > MOST_DUMMIES:
        raise DesignError(
            f"{total} absorbed levels need a column each, which is more than {MOST_DUMMIES}.",
            fix="Absorb columns whose levels lie within one cluster, without weights; or join levels.",
        )
    columns = [(code[:, None] == np.arange(1, code.max() + 1)).astype(float) for code in codes]
    return np.concatenate(columns, axis=1) if columns else np.zeros((rows, 0))


def _within(columns: Array, code: NDArray[np.intp]) -> Array:
    """Return columns less the means of their level; what does not vary within levels becomes exactly zero."""
    sizes = np.bincount(code)
    centred = columns - columns.mean(axis=0)
    means = np.column_stack([np.bincount(code, column) / sizes for column in centred.T]) if columns.size else centred
    left = centred - means[code] if columns.size else centred
    length, before = np.sqrt((left**2).sum(axis=0)), np.sqrt((centred**2).sum(axis=0))
    return np.where(length <= _GONE * before, 0.0, left)
