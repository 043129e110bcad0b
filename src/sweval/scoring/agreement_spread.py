"""Standard errors and intervals of coefficients of agreement, for few rated units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sweval.scoring.agreement_chance import Coefficient, pair_agreement

Array = NDArray[np.float64]


def leave_one_out(coefficient: Coefficient) -> Array:
    """Return the coefficient without each unit in turn, shape (units,); nan where it does not exist then."""
    return coefficient.from_sums(coefficient.features.sum(axis=0) - coefficient.features)


def jackknife_error(left_out: Array) -> float:
    """Return the jackknife standard error of values that each leave one unit out (Quenouille and Tukey)."""
    count = len(left_out)
    return float(np.sqrt((count - 1) / count * np.square(left_out - left_out.mean()).sum()))


def fisher_interval(estimate: float, std_error: float, df: float, conf_level: float) -> tuple[float, float]:
    """Return the limits tanh(atanh(estimate) -+ t * std_error / (1 - estimate^2)): they stay between -1 and 1."""
    half = float(special.stdtrit(df, (1 + conf_level) / 2)) * std_error / (1 - estimate**2)
    centre = np.arctanh(estimate)
    return float(np.tanh(centre - half)), float(np.tanh(centre + half))


def logit_interval(share: float, std_error: float, df: float, conf_level: float) -> tuple[float, float]:
    """Return the limits of a share between 0 and 1 by t on the logit scale, where they stay between 0 and 1."""
    half = float(special.stdtrit(df, (1 + conf_level) / 2)) * std_error / (share * (1 - share))
    centre = special.logit(share)
    return float(special.expit(centre - half)), float(special.expit(centre + half))


def perfect_interval(units: int, expected: float, conf_level: float) -> tuple[float, float]:
    """Return the interval of a coefficient of 1: no unit of `units` had any disagreement.

    Clopper and Pearson (1934) bound the share of units with a disagreement by 1 - tail^(1 / units); if all the pairs in
    such units disagreed, the coefficient would be 1 - share / expected, with the disagreement expected by chance.
    """
    share = 1 - ((1 - conf_level) / 2) ** (1 / units)
    return max(-1.0, 1 - share / expected), 1.0


def bootstrap_draws(coefficient: Coefficient, draws: int, rng: np.random.Generator) -> Array:
    """Return the coefficient of `draws` samples of units with replacement; nan where it does not exist."""
    units = len(coefficient.features)
    parts = []
    for start in range(0, draws, 250):
        times = rng.multinomial(units, np.full(units, 1 / units), size=min(250, draws - start))
        parts.append(coefficient.from_sums(times.astype(float) @ coefficient.features))
    return np.concatenate(parts)


def kappa_variance(shares: Array, weights: Array) -> float:
    """Return the large-sample variance, times n, of kappa of two raters (Fleiss, Cohen and Everitt 1969).

    Parameters
    ----------
    shares
        Cross-table of the two raters as proportions, shape (q, q).
    weights
        Agreement of categories, shape (q, q).
    """
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    margins = (weights @ columns)[:, None] + rows @ weights
    chance = float(rows @ weights @ columns)
    kappa = (float((shares * weights).sum()) - chance) / (1 - chance)
    spread = (shares * np.square(weights - margins * (1 - kappa))).sum()
    return float((spread - (kappa - chance * (1 - kappa)) ** 2) / (1 - chance) ** 2)


def kappa_null_variance(shares: Array, weights: Array) -> float:
    """Return the variance, times n, of kappa of two raters who agree by chance (Fleiss, Cohen and Everitt 1969)."""
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    margins = (weights @ columns)[:, None] + rows @ weights
    chance = float(rows @ weights @ columns)
    spread = (np.outer(rows, columns) * np.square(weights - margins)).sum()
    return float((spread - chance**2) / (1 - chance) ** 2)


def fleiss_null_variance(margins: Array, units: int, raters: int) -> float:
    """Return the variance of Fleiss' kappa if raters agree by chance only (Fleiss, Nee and Landis 1979).

    Parameters
    ----------
    margins
        Share of all ratings in each category, shape (q,).
    units, raters
        How many units, each with the same number of ratings.
    """
    spread = margins * (1 - margins)
    top = spread.sum() ** 2 - (spread * (1 - 2 * margins)).sum()
    return float(2 * top / (spread.sum() ** 2 * units * raters * (raters - 1)))


def linearized_variance(counts: Array, weights: Array, kind: str) -> float:
    """Return the variance of Fleiss' kappa or of AC1/AC2 by linearization, for a sample of units (Gwet 2008, 2014).

    Parameters
    ----------
    counts
        How many raters put each unit into each category, shape (units, q), each unit rated at least once.
    weights
        Agreement of categories, shape (q, q).
    kind
        "fleiss" or "gwet".
    """
    ratings = counts.sum(axis=1)
    units, paired = len(counts), ratings >= 2
    shares = counts / ratings[:, None]
    margins = shares.mean(axis=0)
    agreeing = pair_agreement(counts, weights)
    observed = agreeing[paired].mean()
    if kind == "fleiss":
        own_chance = shares @ ((weights + weights.T) / 2 @ margins)
        chance = float(margins @ weights @ margins)
    else:
        size = len(weights)
        factor = weights.sum() / (size * (size - 1))
        own_chance = factor * (shares * (1 - margins)).sum(axis=1)
        chance = float(factor * (margins * (1 - margins)).sum())
    coefficient = (observed - chance) / (1 - chance)
    own = np.where(paired, units / paired.sum() * (agreeing - chance) / (1 - chance), 0.0)
    linear = own - 2 * (1 - coefficient) * (own_chance - chance) / (1 - chance)
    return float(np.square(linear - coefficient).sum() / (units * (units - 1)))


def wilson_interval(share: float, n: int, conf_level: float) -> tuple[float, float]:
    """Return the score interval of a proportion (Wilson 1927)."""
    z = float(special.ndtri((1 + conf_level) / 2))
    bottom = 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / bottom
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / bottom
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def marginal_homogeneity(table: Array) -> tuple[float, int]:
    """Return chi-square and df of whether two raters use the categories equally often (Stuart 1955; Maxwell 1970).

    Parameters
    ----------
    table
        Cross-table of counts, shape (q, q); categories that neither rater used are left out.
    """
    used = (table.sum(axis=0) + table.sum(axis=1)) > 0
    table = table[np.ix_(used, used)]
    differences = (table.sum(axis=1) - table.sum(axis=0))[:-1]
    covariance = -(table + table.T)
    np.fill_diagonal(covariance, table.sum(axis=1) + table.sum(axis=0) - 2 * np.diag(table))
    covariance = covariance[:-1, :-1]
    rank = int(np.linalg.matrix_rank(covariance)) if covariance.size else 0
    return float(differences @ np.linalg.pinv(covariance) @ differences) if rank else 0.0, rank
