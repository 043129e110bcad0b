"""Which items of a score run against the others: signs of the first component, and of item-rest correlations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweval.scoring.consistency import Matrix, correlation, pairwise_covariance, standardized_alpha

FEWEST_ROWS = 20
"""Below so many answered rows an unused answer or a negative correlation says little."""

_LIKELIHOOD_RATIO = 4.0
_LEAST_ALPHA = 0.5


@dataclass(frozen=True, kw_only=True)
class Signs:
    """How each item of a score runs, given that most items run the right way.

    Attributes
    ----------
    against
        Whether the keyed item runs against the others, shape (k,).
    item_rest_r
        Correlation of the keyed item with the sum of the others, of which those that run against are turned; nan where
        an item never varies.
    loadings
        First principal component of the correlations, positive where an item runs with the others.
    alpha
        Standardized alpha once the items that run against are turned.
    coherent
        Whether the items hang together enough for their signs to mean anything.
    tied
        Whether the two camps are of equal size with as many reversed items in each, so that nothing tells which of them
        is wrong; `against` then holds both.
    """

    against: NDArray[np.bool_]
    item_rest_r: Matrix
    loadings: Matrix
    alpha: float
    coherent: bool
    tied: bool


def item_signs(keyed: Matrix, reversed_by_key: NDArray[np.bool_]) -> Signs | None:
    """Return how the items of one score run, or None with too little to tell.

    The first component of the correlations splits the items in two camps. Those in the smaller one are turned; an item
    runs against the others if it then correlates below -4 / n with the sum of the others. For an item-rest correlation
    of usually about .35 that is a likelihood ratio of about 16 for "turned" to "as it should be", so that 400 items in
    order give hardly one alarm. Camps of equal size are told apart by the key: those that the key reverses are taken
    to be the wrong ones, as a file whose answers were reversed before looks like that.

    Parameters
    ----------
    keyed
        Keyed answers, nan = missing, shape (rows, k).
    reversed_by_key
        Whether the key reverses the item, shape (k,).
    """
    spread = np.array([np.ptp(column[~np.isnan(column)]) if (~np.isnan(column)).any() else 0.0 for column in keyed.T])
    varying = spread > 0
    rows = int(np.count_nonzero((~np.isnan(keyed[:, varying])).sum(axis=1) >= 2))
    if np.count_nonzero(varying) < 3 or rows < FEWEST_ROWS:
        return None
    covariance = pairwise_covariance(keyed[:, varying])
    if not np.isfinite(covariance).all() or not (np.diag(covariance) > 0).all():
        return None
    matrix = correlation(covariance)
    values, vectors = np.linalg.eigh(matrix)
    camp = np.where(vectors[:, -1] < 0, -1.0, 1.0)
    turn = _orientation(camp < 0, reversed_by_key[varying])
    camp, component = camp * turn, vectors[:, -1] * turn * np.sqrt(values[-1])
    with_rest = matrix @ camp - camp
    inner = matrix * np.outer(camp, camp)
    rest = inner.sum() - 2 * inner.sum(axis=1) + 1
    item_rest = with_rest / np.sqrt(np.maximum(rest, np.finfo(float).tiny))
    alpha = standardized_alpha(inner)
    coherent = alpha >= _LEAST_ALPHA
    tied = _tied(camp < 0, reversed_by_key[varying]) and coherent
    against = ((item_rest < -_LIKELIHOOD_RATIO / rows) | tied) & coherent
    return Signs(
        against=_spread(against, varying, False),
        item_rest_r=_spread(item_rest, varying, np.nan),
        loadings=_spread(component, varying, np.nan),
        alpha=alpha,
        coherent=coherent,
        tied=tied,
    )


def _tied(wrong: NDArray[np.bool_], reversed_by_key: NDArray[np.bool_]) -> bool:
    same = np.count_nonzero(wrong & reversed_by_key) * 2 == np.count_nonzero(reversed_by_key)
    return bool(same and np.count_nonzero(wrong) * 2 == len(wrong))


def _orientation(negative: NDArray[np.bool_], reversed_by_key: NDArray[np.bool_]) -> float:
    """Return -1 where the items that look positive are the ones in error, else 1."""
    below = np.count_nonzero(negative)
    turn = below * 2 > len(negative)
    if below * 2 == len(negative):
        turn = np.count_nonzero(negative & reversed_by_key) < np.count_nonzero(~negative & reversed_by_key)
    wrong, others = (~negative if turn else negative), ~reversed_by_key
    spared = np.count_nonzero(others & ~wrong)
    if reversed_by_key.any() and not (wrong & reversed_by_key).any():
        turn ^= np.count_nonzero(wrong) >= (2 if spared == 0 else 3) and spared <= 1
    return -1.0 if turn else 1.0


def _spread(values: NDArray[Any], places: NDArray[np.bool_], fill: Any) -> NDArray[Any]:
    out = np.full(len(places), fill, dtype=values.dtype)
    out[places] = values
    return out
