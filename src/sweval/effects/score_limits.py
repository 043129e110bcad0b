"""Score limits of risk difference, risk ratio and odds ratio: the values that the data do not reject.

All three invert the score test with its factor (N - 1)/N (Miettinen & Nurminen, 1985, doi:10.1002/sim.4780040211).
At no difference the three tests are one, the chi-square test with N - 1 in place of N, so p-value and the three
intervals never contradict each other. They need no cell to be filled and no half to be added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__: list[str] = []

FloatArray = NDArray[np.float64]

_STEPS = 64
_WIDEST = 30.0  # of a log ratio; counts that lead beyond it give an infinite limit


@dataclass(frozen=True, kw_only=True)
class ScoreLimits:
    """Limits with the two risks (treated, control) that fit best where the value is the limit."""

    low: FloatArray
    high: FloatArray
    risks_low: tuple[FloatArray, FloatArray]
    risks_high: tuple[FloatArray, FloatArray]


def score_at_null(x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray) -> FloatArray:
    """Return the signed root of the chi-square statistic with N - 1; 0 where all or none have the event."""
    total = n1 + n2
    pooled = (x1 + x2) / total
    spread = pooled * (1 - pooled) * (1 / n1 + 1 / n2) * total / (total - 1)
    difference = x1 / n1 - x2 / n2
    return np.where(spread > 0, difference / np.sqrt(np.where(spread > 0, spread, 1.0)), 0.0)


def difference_limits(x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray, z: FloatArray) -> ScoreLimits:
    """Return score limits of the risk difference."""

    def score(value: FloatArray) -> FloatArray:
        p1, p2 = _risks_at_difference(value, x1, n1, x2, n2)
        return _standard(x1 / n1 - x2 / n2 - value, p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2, n1 + n2)

    low, high = invert(score, x1 / n1 - x2 / n2, -1.0, 1.0, z)
    return _with_risks(_risks_at_difference, low, high, x1, n1, x2, n2)


def log_risk_ratio_limits(x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray, z: FloatArray) -> ScoreLimits:
    """Return score limits of the log risk ratio; infinite where one arm has no event."""

    def score(value: FloatArray) -> FloatArray:
        ratio = np.exp(value)
        p1, p2 = _risks_at_ratio(value, x1, n1, x2, n2)
        # divided by the root of the ratio, so that neither end loses its digits
        return _standard(
            x1 / n1 / np.sqrt(ratio) - np.sqrt(ratio) * (x2 / n2),
            p1 * (1 - p1) / n1 / ratio + ratio * p2 * (1 - p2) / n2,
            n1 + n2,
        )

    low, high = invert(score, _log_ratio(x1 / n1, x2 / n2), -_WIDEST, _WIDEST, z)
    low, high = np.where(x1 == 0, -np.inf, low), np.where(x2 == 0, np.inf, high)
    return _with_risks(_risks_at_ratio, low, high, x1, n1, x2, n2)


def log_odds_ratio_limits(x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray, z: FloatArray) -> ScoreLimits:
    """Return score limits of the log odds ratio; infinite where a cell is empty."""

    def score(value: FloatArray) -> FloatArray:
        p1, p2 = _risks_at_odds(value, x1, n1, x2, n2)
        first, second = n1 * p1 * (1 - p1), n2 * p2 * (1 - p2)
        both = first * second / np.maximum(first + second, 1e-300)  # 1 / (1/first + 1/second)
        return _standard(x1 - n1 * p1, both, n1 + n2)

    centre = _log_ratio(x1 * (n2 - x2), (n1 - x1) * x2)
    low, high = invert(score, centre, -_WIDEST, _WIDEST, z)
    low = np.where((x1 == 0) | (x2 == n2), -np.inf, low)
    high = np.where((x1 == n1) | (x2 == 0), np.inf, high)
    return _with_risks(_risks_at_odds, low, high, x1, n1, x2, n2)


def _with_risks(
    fitted: Callable[..., tuple[FloatArray, FloatArray]], low: FloatArray, high: FloatArray, *counts: FloatArray
) -> ScoreLimits:
    """Return the limits with the risks there."""
    return ScoreLimits(
        low=low,
        high=high,
        risks_low=fitted(np.maximum(low, -_WIDEST), *counts),
        risks_high=fitted(np.minimum(high, _WIDEST), *counts),
    )


def _standard(distance: FloatArray, variance: FloatArray, total: FloatArray) -> FloatArray:
    """Return distance / sqrt(variance) with the factor (N - 1)/N; far out where the variance vanishes."""
    return distance / np.sqrt(np.maximum(variance * total / (total - 1), 1e-300))


def _log_ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Return log(above / below) within what is searched."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(above) - np.log(below)
    return np.clip(np.where(np.isnan(ratio), 0.0, ratio), -_WIDEST, _WIDEST)


def invert(
    score: Callable[[FloatArray], FloatArray], centre: FloatArray, lowest: ArrayLike, highest: ArrayLike, z: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return where the score, which falls in its argument, is z and -z, by bisection from the estimate outwards."""
    limits = []
    for end, goal in ((lowest, z), (highest, -z)):
        last = np.broadcast_to(np.asarray(end, dtype=float), np.shape(centre))
        near, far = np.array(centre, dtype=float), last
        for _ in range(_STEPS):
            middle = (near + far) / 2
            inside = np.abs(score(middle)) < np.abs(goal)
            near, far = np.where(inside, middle, near), np.where(inside, far, middle)
        limits.append(np.where(np.abs(score(last)) < np.abs(goal), last, (near + far) / 2))
    return limits[0], limits[1]


def _risks_at_difference(
    value: FloatArray, x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the most likely risks whose difference is the value: the middle root of a cubic, in its closed form."""
    total, events = n1 + n2, x1 + x2
    square = (n1 + 2 * n2) * value - total - events
    linear = (n2 * value - total - 2 * x2) * value + events
    constant = x2 * value * (1 - value)
    shift = square / (3 * total)
    q = shift**3 - square * linear / (6 * total**2) + constant / (2 * total)
    p = np.where(q < 0, -1.0, 1.0) * np.sqrt(np.maximum(shift**2 - linear / (3 * total), 0.0))
    angle = (np.pi + np.arccos(np.clip(q / np.where(p == 0, 1.0, p**3), -1.0, 1.0))) / 3
    control = np.clip(2 * p * np.cos(angle) - shift, np.maximum(0.0, -value), np.minimum(1.0, 1 - value))
    return np.clip(control + value, 0.0, 1.0), control


def _risks_at_ratio(
    value: FloatArray, x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the most likely risks where the log risk ratio is given."""
    ratio, events = np.exp(value), x1 + x2
    b = n1 * ratio + x1 + n2 + x2 * ratio
    root = np.sqrt(np.maximum(b**2 - 4 * (n1 + n2) * ratio * events, 0.0))
    control = np.clip(2 * events / (b + root), 0.0, np.minimum(1.0, 1 / ratio))
    return np.minimum(control * ratio, 1.0), control


def _risks_at_odds(
    value: FloatArray, x1: FloatArray, n1: FloatArray, x2: FloatArray, n2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the most likely risks where the log odds ratio is given; they keep the number of events."""
    events, odds = x1 + x2, np.exp(value)
    b = n1 * odds + n2 - events * (odds - 1)
    root = np.sqrt(np.maximum(b**2 + 4 * n2 * (odds - 1) * events, 0.0))
    control = np.clip(2 * events / np.maximum(b + root, 1e-300), 0.0, 1.0)
    treated = control * odds / (1 + control * (odds - 1))
    return np.clip(treated, 0.0, 1.0), control
