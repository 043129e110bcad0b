"""Agreement on categories: coefficients corrected for chance, from sums over the rated units.

Every coefficient is a function of sums over units, so that leaving a unit out or drawing units again only changes
sums: `features` (one row per unit) hold what is summed, and `from_sums` makes the coefficient of such sums.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """A coefficient of agreement as a function of sums over units.

    `features` has shape (units, p); `from_sums` takes sums of shape (..., p) and returns (...): nan where the
    coefficient does not exist. `expected` is the disagreement by chance as a share of the largest one possible.
    """

    features: Array
    from_sums: Callable[[Array], Array]
    expected: float

    @property
    def estimate(self) -> float:
        """The coefficient of all units; nan if there is no disagreement to expect by chance."""
        return float(self.from_sums(self.features.sum(axis=0)))


def agreement_weights(values: Array, kind: str) -> Array:
    """Return how much two categories agree, 1 on the diagonal, shape (q, q).

    Parameters
    ----------
    values
        The categories as numbers, shape (q,), ascending.
    kind
        "unweighted" (equal or not), "linear" (1 - distance / range) or "quadratic" (1 - squared distance / range^2;
        Cohen 1968).
    """
    if kind == "unweighted":
        return np.eye(len(values))
    distance = np.abs(values[:, None] - values) / (values[-1] - values[0])
    return np.asarray(1 - (distance if kind == "linear" else np.square(distance)))


def category_counts(codes: NDArray[np.int64], categories: int) -> Array:
    """Return how many raters put each unit into each category, shape (units, categories); code -1 is no rating."""
    counts = np.zeros((len(codes), categories))
    for column in codes.T:
        rated = np.flatnonzero(column >= 0)
        counts[rated, column[rated]] += 1
    return counts


def pair_agreement(counts: Array, weights: Array) -> Array:
    """Return the mean weighted agreement of all pairs of ratings of each unit; 0 for units with fewer than two."""
    ratings = counts.sum(axis=1)
    pairs = np.where(ratings >= 2, ratings * (ratings - 1), 1.0)
    agreeing = (counts * (counts @ weights)).sum(axis=1) - counts @ np.diag(weights)
    return np.asarray(np.where(ratings >= 2, agreeing / pairs, 0.0))


def conger_kappa(codes: NDArray[np.int64], weights: Array) -> Coefficient:
    """Return kappa of raters who each have their own margins: Cohen (1960, 1968) for two, Conger (1980) for more.

    Parameters
    ----------
    codes
        Category of each unit by each rater, shape (units, raters), without gaps.
    weights
        Agreement of categories, shape (q, q).
    """
    units, raters = codes.shape
    size = len(weights)
    indicators = np.eye(size)[codes]
    agreeing = pair_agreement(category_counts(codes, size), weights)
    features = np.column_stack([np.ones(units), agreeing, indicators.reshape(units, -1)])

    def expected(sums: Array) -> Array:
        margins = sums[..., 2:].reshape(*sums.shape[:-1], raters, size) / sums[..., :1, None]
        together = margins.sum(axis=-2)
        own = np.einsum("...rk,kl,...rl->...", margins, weights, margins)
        pairs = np.einsum("...k,kl,...l->...", together, weights, together) - own
        return np.asarray(pairs / (raters * (raters - 1)))

    return _corrected(features, lambda sums: sums[..., 1] / sums[..., 0], expected)


def fleiss_kappa(counts: Array, weights: Array) -> Coefficient:
    """Return the kappa of Fleiss (1971) of counts (units, q): raters share their margins and may differ by unit.

    Units with one rating count in the margins only (Gwet 2014).
    """

    def expected(sums: Array) -> Array:
        margins = sums[..., 3:] / sums[..., :1]
        return np.asarray(np.einsum("...k,kl,...l->...", margins, weights, margins))

    return _corrected(_shared_features(counts, weights), _observed_where_pairs, expected)


def gwet_ac(counts: Array, weights: Array) -> Coefficient:
    """Return AC1 (identity weights) or AC2 of Gwet (2008, 2014) of counts (units, q).

    Chance agreement is sum(weights) / (q * (q - 1)) * sum(margin * (1 - margin)): it counts every category of the form,
    also those that nobody used.
    """
    size = len(weights)
    factor = weights.sum() / (size * (size - 1))

    def expected(sums: Array) -> Array:
        margins = sums[..., 3:] / sums[..., :1]
        return np.asarray(factor * (margins * (1 - margins)).sum(axis=-1))

    return _corrected(_shared_features(counts, weights), _observed_where_pairs, expected)


def krippendorff_alpha(counts: Array, values: Array, level: str) -> Coefficient:
    """Return alpha of Krippendorff (2004, 2011) of counts (units, q); units with fewer than two ratings are left out.

    Alpha = 1 - observed / expected disagreement of pairs of ratings, inside units and over all of them.

    Parameters
    ----------
    counts
        How many raters chose each category, shape (units, q).
    values
        The categories as numbers, shape (q,), ascending.
    level
        How much two ratings differ: "nominal" (equal or not), "ordinal" (squared difference of their mean ranks),
        "interval" (squared difference) or "ratio" (squared difference over squared sum).
    """
    counts = counts[counts.sum(axis=1) >= 2]
    if level == "ordinal":
        return _ordinal_alpha(counts)
    ratings = counts.sum(axis=1, keepdims=True)
    if level == "interval":
        moments = counts @ np.column_stack([values, np.square(values)])
        observed = 2 * (ratings * moments[:, 1:] - np.square(moments[:, :1])) / (ratings - 1)
        return _ratio(
            np.column_stack([observed, ratings, moments]),
            lambda sums: 2 * (sums[..., 1] * sums[..., 3] - np.square(sums[..., 2])),
            largest=float(np.square(values[-1] - values[0])),
        )
    apart = _apart(values, level)
    observed = (counts * (counts @ apart)).sum(axis=1, keepdims=True) / (ratings - 1)
    return _ratio(
        np.column_stack([observed, ratings, counts]),
        lambda sums: np.einsum("...k,kl,...l->...", sums[..., 2:], apart, sums[..., 2:]),
        largest=1.0,
    )


def _apart(values: Array, level: str) -> Array:
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    total = values[:, None] + values
    return np.square(np.divide(values[:, None] - values, total, out=np.zeros_like(total), where=total > 0))


def _ratio(features: Array, expected: Callable[[Array], Array], *, largest: float) -> Coefficient:
    """Return 1 - (n - 1) * observed / expected, where the first two features are observed disagreement and ratings."""

    def from_sums(sums: Array) -> Array:
        bottom = expected(sums)
        exists = bottom > 1e-9 * np.square(sums[..., 1]) * largest
        top = (sums[..., 1] - 1) * sums[..., 0]
        return 1 - np.divide(top, bottom, out=np.full_like(top, np.nan), where=exists)

    sums = features.sum(axis=0)
    pairs = sums[1] * max(sums[1] - 1, 1) * (largest or 1.0)
    return Coefficient(features=features, from_sums=from_sums, expected=float(expected(sums) / pairs))


def _ordinal_alpha(counts: Array) -> Coefficient:
    """Return alpha of mean ranks; the ranks follow the margins, so features hold the coincidences themselves."""
    size = counts.shape[1]
    ratings = counts.sum(axis=1, keepdims=True)
    coincidences = np.einsum("uk,ul->ukl", counts, counts / (ratings - 1)).reshape(len(counts), -1)
    features = np.column_stack([ratings, counts, counts * ratings / (ratings - 1), coincidences])

    def ranks_of(sums: Array) -> Array:
        return np.asarray(np.cumsum(sums[..., 1 : size + 1], axis=-1) - sums[..., 1 : size + 1] / 2)

    def expected(sums: Array) -> Array:
        margins, ranks, total = sums[..., 1 : size + 1], ranks_of(sums), sums[..., 0]
        return np.asarray(2 * (total * (margins * ranks**2).sum(axis=-1) - np.square((margins * ranks).sum(axis=-1))))

    def from_sums(sums: Array) -> Array:
        scaled, ranks, bottom = sums[..., size + 1 : 2 * size + 1], ranks_of(sums), expected(sums)
        together = sums[..., 2 * size + 1 :].reshape(*sums.shape[:-1], size, size)
        observed = 2 * ((scaled * ranks**2).sum(axis=-1) - np.einsum("...k,...kl,...l->...", ranks, together, ranks))
        top = (sums[..., 0] - 1) * observed
        exists = bottom > 1e-9 * sums[..., 0] ** 2
        return 1 - np.divide(top, bottom, out=np.full_like(top, np.nan), where=exists)

    sums = features.sum(axis=0)
    ranks, total = ranks_of(sums), sums[0]
    largest = float(np.square(ranks[-1] - ranks[0])) or 1.0
    return Coefficient(
        features=features, from_sums=from_sums, expected=float(expected(sums) / (total * max(total - 1, 1) * largest))
    )


def _shared_features(counts: Array, weights: Array) -> Array:
    """Return 1, "has pairs", agreement of the pairs and shares of categories of each unit with a rating."""
    counts = counts[counts.sum(axis=1) >= 1]
    ratings = counts.sum(axis=1)
    return np.column_stack(
        [np.ones(len(counts)), ratings >= 2, pair_agreement(counts, weights), counts / ratings[:, None]]
    )


def _observed_where_pairs(sums: Array) -> Array:
    return np.divide(sums[..., 2], sums[..., 1], out=np.full_like(sums[..., 2], np.nan), where=sums[..., 1] > 0)


def _corrected(features: Array, observed: Callable[[Array], Array], expected: Callable[[Array], Array]) -> Coefficient:
    """Return (observed - expected) / (1 - expected) as a coefficient."""

    def from_sums(sums: Array) -> Array:
        chance, agreeing = expected(sums), observed(sums)
        exists = chance < 1 - 1e-12
        return np.divide(agreeing - chance, 1 - chance, out=np.full_like(agreeing, np.nan), where=exists)

    return Coefficient(features=features, from_sums=from_sums, expected=float(1 - expected(features.sum(axis=0))))
