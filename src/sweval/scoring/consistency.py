"""Covariances and correlations of keyed items, and what follows from them in closed form: alpha, item-rest r."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def pairwise_covariance(keyed: Matrix) -> Matrix:
    """Return covariances from every pair of answers present (nan = missing), shape (k, k)."""
    present = ~np.isnan(keyed)
    if present.all():
        return np.atleast_2d(np.cov(keyed, rowvar=False))
    weights = present.astype(float)
    counts = np.maximum(present.sum(axis=0), 1)
    centred = np.where(present, keyed - np.where(present, keyed, 0.0).sum(axis=0) / counts, 0.0)
    pairs = weights.T @ weights
    with np.errstate(divide="ignore", invalid="ignore"):  # items that nobody answered together have no covariance
        means = (centred.T @ weights) / pairs
        return np.asarray((centred.T @ centred - pairs * means * means.T) / (pairs - 1))


def correlation(covariance: Matrix) -> Matrix:
    """Return the correlations that belong to covariances of items that all vary, shape (k, k)."""
    deviation = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(deviation, deviation))


def cronbach_alpha(covariance: Matrix) -> float:
    """Return Cronbach's alpha of items with this covariance matrix, shape (k, k)."""
    count = len(covariance)
    return float(count / (count - 1) * (1 - np.trace(covariance) / covariance.sum()))


def standardized_alpha(covariance: Matrix) -> float:
    """Return alpha of the standardized items: from the mean correlation, shape (k, k) covariances given."""
    count = len(covariance)
    mean = (correlation(covariance).sum() - count) / (count * (count - 1))
    return float(count * mean / (1 + (count - 1) * mean))


def alpha_without(covariance: Matrix) -> Matrix:
    """Return alpha of the other items as each item in turn is left out, shape (k,); k is three or more."""
    count = len(covariance) - 1
    rest = covariance.sum() - 2 * covariance.sum(axis=1) + np.diag(covariance)
    own = np.trace(covariance) - np.diag(covariance)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(count / (count - 1) * (1 - own / rest))


def item_rest_correlations(covariance: Matrix) -> Matrix:
    """Return the correlation of each item with the sum of the others, shape (k,)."""
    with_rest = covariance.sum(axis=1) - np.diag(covariance)
    rest = covariance.sum() - 2 * covariance.sum(axis=1) + np.diag(covariance)
    return np.asarray(with_rest / np.sqrt(np.diag(covariance) * rest))


def feldt_interval(alpha: float, rows: int, items: int, *, conf_level: float = 0.95) -> tuple[float, float]:
    """Return the interval of Feldt (1965) for alpha; exact for normal, essentially parallel items."""
    from scipy.special import fdtri

    tail = (1 - conf_level) / 2
    high, low = fdtri(rows - 1, (rows - 1) * (items - 1), [tail, 1 - tail])
    return float(1 - (1 - alpha) * low), float(1 - (1 - alpha) * high)
