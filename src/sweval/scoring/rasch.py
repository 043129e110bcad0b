"""The Rasch model of yes/no answers: item severities by conditional maximum likelihood, what a raw score then means.

Throughout, item i is affirmed by a person of severity t with probability 1 / (1 + exp(b_i - t)), and the severities b
sum to zero. Given the raw score, an answer pattern depends on b alone (Rasch 1960); weights make the conditional
likelihood a weighted sum of persons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DataError

Floats = NDArray[np.float64]

_ROUNDS = 100
_TOLERANCE = 1e-12
_LARGEST_STEP = 2.0
_FLAT = 1e-7


@dataclass(frozen=True, kw_only=True)
class Conditional:
    """What the severities say about k answers given the raw score r = 0 ... k.

    `log_patterns` is the logarithm of the sum of exp(-b summed over the affirmed items) over all patterns of score r,
    shape (k + 1,); `single` the probability of affirming item i, shape (k + 1, k); `pair` of affirming i and j, with
    `single` on the diagonal, shape (k + 1, k, k).
    """

    log_patterns: Floats
    single: Floats
    pair: Floats

    @property
    def covariance(self) -> Floats:
        """Covariances of the answers given the raw score, shape (k + 1, k, k)."""
        return self.pair - self.single[:, :, None] * self.single[:, None, :]


@dataclass(frozen=True, kw_only=True)
class RaschFit:
    """Item severities, shape (k,), their generalised inverse information, (k, k), and the log-likelihood there.

    `gradient` is the largest derivative left, per unit of weight; `rounds` the Newton steps taken.
    """

    severity: Floats
    inverse_information: Floats
    log_likelihood: float
    gradient: float
    rounds: int


@dataclass(frozen=True, kw_only=True)
class RawScores:
    """Severity of persons by raw score 0 ... k, and its standard error, each shape (k + 1,)."""

    severity: Floats
    std_error: Floats


@dataclass(frozen=True, kw_only=True)
class ItemFit:
    """Mean squared residuals of each item, shape (k,): infit (weighted by information), its SE, and outfit."""

    infit: Floats
    infit_std_error: Floats
    outfit: Floats


def conditional(severity: Floats) -> Conditional:
    """Return the conditional probabilities of the answers, by sums over patterns (elementary symmetric functions).

    Examples
    --------
    >>> import numpy as np
    >>> conditional(np.zeros(3)).single[1].round(4).tolist()
    [0.3333, 0.3333, 0.3333]
    """
    ease = np.exp(-severity)
    count = len(ease)
    whole = _patterns(ease)
    single = np.zeros((count + 1, count))
    pair = np.zeros((count + 1, count, count))
    for first in range(count):
        rest = np.delete(ease, first)
        single[1:, first] = ease[first] * _patterns(rest) / whole[1:]
        pair[:, first, first] = single[:, first]
        for second in range(first):
            others = _patterns(np.delete(rest, second))
            both = ease[first] * ease[second] * others / whole[2:]
            pair[2:, first, second] = pair[2:, second, first] = both
    return Conditional(log_patterns=np.log(whole), single=single, pair=pair)


def fit_rasch(items: Floats, scores: Floats) -> RaschFit:
    """Estimate item severities by conditional maximum likelihood.

    Parameters
    ----------
    items
        Weighted number of persons who affirmed each item, shape (k,), among those with raw scores 1 ... k - 1.
    scores
        Weighted number of persons with each raw score 0 ... k, shape (k + 1,). The extremes say nothing and are not
        used.

    Raises
    ------
    DataError
        If an item was affirmed by nobody or by everybody who counts, or the likelihood has no top.

    Notes
    -----
    log L(b) = -sum_i T_i b_i - sum_r N_r log g_r(b), g_r the sum over patterns of score r (Andersen 1972, JRSS B
    34:42-54). Newton steps on the plane sum(b) = 0, halved where they would not climb.
    """
    weight = scores.copy()
    weight[[0, -1]] = 0.0
    total = float(weight.sum())
    if total <= 0 or (items <= 0).any() or (items >= total).any():
        raise DataError(
            "the item severities cannot be estimated: among the rows that are neither all yes nor all no, at least one "
            "item has the same answer everywhere.",
            fix="Check the item columns; more rows are needed.",
        )
    share = items / total
    severity = np.log((1 - share) / share)
    severity -= severity.mean()
    found, value = conditional(severity), -np.inf
    for rounds in range(1, _ROUNDS + 1):
        value = _log_likelihood(severity, items, weight, found)
        gradient = weight @ found.single - items
        information = np.einsum("r,rij->ij", weight, found.covariance)
        values, axes = np.linalg.eigh(information)
        if values[1] < _FLAT * values[-1]:
            break
        inverse = (axes[:, 1:] / values[1:]) @ axes[:, 1:].T  # along (1, ..., 1), the first axis, nothing is known
        step = inverse @ gradient
        if float(np.abs(gradient).max()) <= _TOLERANCE * total or float(np.abs(step).max()) <= _TOLERANCE:
            return RaschFit(
                severity=severity,
                inverse_information=inverse,
                log_likelihood=value,
                gradient=float(np.abs(gradient).max()) / total,
                rounds=rounds,
            )
        step /= max(1.0, float(np.abs(step).max()) / _LARGEST_STEP)
        for _ in range(30):
            tried = conditional(severity + step)
            if _log_likelihood(severity + step, items, weight, tried) >= value - 1e-12 * abs(value):
                break
            step /= 2
        severity, found = severity + step, tried
    raise DataError(
        "the item severities have no finite estimate: the items fall into parts that no answers connect.",
        fix="More rows that are neither all yes nor all no are needed.",
    )


def raw_scores(severity: Floats) -> RawScores:
    """Return what each raw score says about a person's severity.

    Raw score r has the severity at which the expected score is r; raw scores 0 and k, which have no finite estimate,
    the severity at which it is 0.5 and k - 0.5. Standard errors are 1 / sqrt(information) at these severities.

    Notes
    -----
    The half points for 0 and k are the default of RM.weights (Cafiero, Viviani and Nord, FAO). Its manual has the
    standard errors of both extremes at their own half point, as here; its program (2.0) uses that of 0.5 for both.
    """
    count = len(severity)
    target = np.arange(count + 1.0)
    target[[0, -1]] = 0.5, count - 0.5
    low = np.full(count + 1, severity.min() - 10.0 - np.log(2.0 * count))
    high = np.full(count + 1, severity.max() + 10.0 + np.log(2.0 * count))
    person = np.zeros(count + 1)
    for _ in range(200):
        chance = _affirm(person, severity)
        excess = chance.sum(axis=1) - target
        low, high = np.where(excess < 0, person, low), np.where(excess >= 0, person, high)
        newton = person - excess / (chance * (1 - chance)).sum(axis=1)
        following = np.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
        if float(np.abs(following - person).max()) < 1e-13:
            break
        person = following
    chance = _affirm(person, severity)
    return RawScores(severity=person, std_error=1 / np.sqrt((chance * (1 - chance)).sum(axis=1)))


def item_fit(answers: Floats, weight: Floats, severity: Floats) -> ItemFit:
    """Return how well each item follows the model: 1 is expected, above 1 is noisier, below 1 is more regular.

    Parameters
    ----------
    answers
        0 or 1, shape (n, k), complete; all-yes and all-no rows are passed over.
    weight
        Shape (n,).
    severity
        Shape (k,).

    Notes
    -----
    With x the answer, p its probability given the raw score, v = p (1 - p): infit = sum w (x - p)^2 / sum w v, outfit =
    sum w (x - p)^2 / v / sum w. The standard error of infit, sqrt(sum w v - 4 sum w v^2) / sum w v with weights of mean
    1, is that of Wright and Masters (1982) as FAO computes it.
    """
    score = answers.sum(axis=1).astype(int)
    inside = (score > 0) & (score < answers.shape[1])
    chance = conditional(severity).single[score[inside]]
    scaled = weight[inside] / weight[inside].mean()
    spread = chance * (1 - chance)
    squared = (answers[inside] - chance) ** 2
    information = scaled @ spread
    return ItemFit(
        infit=(scaled @ squared) / information,
        infit_std_error=np.sqrt(np.maximum(information - 4 * (scaled @ spread**2), 0.0)) / information,
        outfit=(scaled @ (squared / spread)) / scaled.sum(),
    )


def _patterns(ease: Floats) -> Floats:
    """Return the sum, over all patterns of score r, of the product of the ease of the affirmed items; r = 0 ... k."""
    sums = np.ones(1)
    for value in ease:
        longer = np.zeros(len(sums) + 1)
        longer[:-1] = sums
        longer[1:] += value * sums
        sums = longer
    return sums


def _log_likelihood(severity: Floats, items: Floats, weight: Floats, found: Conditional) -> float:
    return float(-items @ severity - weight @ found.log_patterns)


def _affirm(person: Floats, severity: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(severity[None, :] - person[:, None])))
