"""Agreement of the members of a unit about it: rwg, rwg(j), r*wg(j), awg and average deviations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SLIGHTLY_SKEWED = {5: 1.34, 6: 1.85, 7: 2.90, 8: 3.47, 9: 5.66, 10: 6.30, 11: 7.31}
"""Points of the answer scale -> variance of slightly skewed answers (LeBreton and Senter 2008, Table 2)."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """What the agreement of each unit is made of, all of shape (units, items): sizes, means, variances, deviations."""

    sizes: Array
    means: Array
    variances: Array
    about_mean: Array
    about_median: Array


def spread_of_units(answers: Array, units: NDArray[np.int64]) -> Spread:
    """Return means, variances (n - 1) and average deviations of each item in each unit.

    Parameters
    ----------
    answers
        One row per member, one column per item, without gaps.
    units
        Unit code 0 .. u-1 of each row; every unit has at least two rows.
    """
    order = np.argsort(units, kind="stable")
    blocks = np.split(answers[order], np.cumsum(np.bincount(units))[:-1])
    return Spread(
        sizes=np.array([[len(block)] for block in blocks], dtype=float),
        means=np.array([block.mean(axis=0) for block in blocks]),
        variances=np.array([block.var(axis=0, ddof=1) for block in blocks]),
        about_mean=np.array([np.abs(block - block.mean(axis=0)).mean(axis=0) for block in blocks]),
        about_median=np.array([np.abs(block - np.median(block, axis=0)).mean(axis=0) for block in blocks]),
    )


def uniform_variance(points: int) -> float:
    """Return the variance of answers spread evenly over a scale of so many points, (points^2 - 1) / 12."""
    return (points**2 - 1) / 12


def rwg(variances: Array, null_variance: float) -> Array:
    """Return rwg(j) of each unit, between 0 and 1; with one item it is rwg (James, Demaree and Wolf 1984).

    With the share s = mean item variance / variance of no agreement and j items, rwg(j) = j (1 - s) / (j (1 - s) + s).
    Where s is above 1 the value is 0, as its authors recommend.

    Parameters
    ----------
    variances
        Variance of each item in each unit, shape (units, items).
    null_variance
        Variance of answers without any agreement.
    """
    share = np.minimum(variances.mean(axis=1) / null_variance, 1.0)
    agreeing = variances.shape[1] * (1 - share)
    return np.asarray(agreeing / (agreeing + share))


def rwg_star(variances: Array, null_variance: float) -> Array:
    """Return r*wg(j) of each unit, 1 - mean item variance / variance of no agreement.

    Unlike rwg(j) it does not rise with the number of items, and it is negative where members differ more than by chance
    (Lindell, Brandt and Whitney 1999).
    """
    return np.asarray(1 - variances.mean(axis=1) / null_variance)


def awg(spread: Spread, low: float, high: float) -> Array:
    """Return awg of each unit, the mean over items (Brown and Hauenstein 2005); nan where no item has one.

    1 - 2 * variance / ((high + low) * mean - mean^2 - high * low) * (k - 1) / k: against the largest variance that this
    mean allows. Items whose mean lies so near an end of the scale that k answers cannot reach the largest variance have
    none, but 1 where all members gave the same lowest or highest answer.
    """
    k, means = spread.sizes, spread.means
    largest = ((high + low) * means - np.square(means) - high * low) * k / (k - 1)
    defined = (means >= (low * (k - 1) + high) / k) & (means <= (high * (k - 1) + low) / k)
    values = 1 - np.divide(2 * spread.variances, largest, out=np.zeros_like(means), where=largest > 0)
    values = np.where((means == low) | (means == high), 1.0, np.where(defined, values, np.nan))
    counted = ~np.isnan(values)
    total = np.where(counted, values, 0.0).sum(axis=1)
    return np.divide(total, counted.sum(axis=1), out=np.full(len(total), np.nan), where=counted.any(axis=1))
