"""FAO's global standard of the Food Insecurity Experience Scale, and what raw scores mean once equated to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from sweval.scoring.rasch import Floats, raw_scores

STANDARD = (-1.2230564, -0.847121, -1.1056616, 0.3509848, -0.3117999, 0.5065051, 0.7546138, 1.8755353)
"""Severities of the eight items on the global standard 2014-2016, in the order of the form."""

THRESHOLDS = {"moderate or severe": STANDARD[4], "severe": STANDARD[7]}
"""Class -> the severity beyond which it begins: that of eating less, and of a whole day without eating."""

APART = 0.35
"""Distance from the standard from which an item is unique to a survey."""

MOST_UNIQUE = 3
"""How many items may be set aside as unique."""

_STEP = 1e-5


@dataclass(frozen=True, kw_only=True)
class Equating:
    """How severities of a survey lie on the global standard: shift + scale * b; `common` items, shape (k,), decide."""

    scale: float
    shift: float
    common: tuple[bool, ...]


def equate(severity: Floats) -> Equating:
    """Return scale and shift to FAO's global standard, and which items take part.

    Examples
    --------
    >>> found = equate(np.array(STANDARD) * 0.5 - 1)
    >>> round(found.scale, 10), round(found.shift, 10), all(found.common)
    (2.0, 2.0, True)
    """
    standard = np.array(STANDARD)
    common = np.ones(len(standard), dtype=bool)
    while True:
        scale, shift = _line(severity, common)
        distance = np.where(common, np.abs(shift + scale * severity - standard), -np.inf)
        if distance.max() < APART or (~common).sum() == MOST_UNIQUE:
            return Equating(scale=scale, shift=shift, common=tuple(common.tolist()))
        common[int(distance.argmax())] = False


def class_probabilities(severity: Floats, equating: Equating) -> Floats:
    """Return the probability of each class of `THRESHOLDS` by raw score, shape (k + 1, 2).

    Examples
    --------
    >>> standard = np.array(STANDARD)
    >>> class_probabilities(standard, equate(standard))[[0, 4, 8]].round(3).tolist()
    [[0.0, 0.0], [0.642, 0.008], [0.989, 0.8]]
    """
    person = raw_scores(severity)
    cut = (np.array(list(THRESHOLDS.values())) - equating.shift) / equating.scale
    beyond = ndtr((person.severity[:, None] - cut) / person.std_error[:, None])
    beyond[0] = 0.0
    return np.asarray(beyond)


def probability_slopes(severity: Floats, equating: Equating) -> Floats:
    """Return the derivatives of the class probabilities by the item severities, shape (k + 1, 2, k)."""
    common = np.array(equating.common)
    ways = []
    for place in range(len(severity)):
        ends = []
        for step in (_STEP, -_STEP):
            moved = severity.copy()
            moved[place] += step
            scale, shift = _line(moved, common)
            ends.append(class_probabilities(moved, Equating(scale=scale, shift=shift, common=equating.common)))
        ways.append((ends[0] - ends[1]) / (2 * _STEP))
    return np.stack(ways, axis=-1)


def _line(severity: Floats, common: NDArray[np.bool_]) -> tuple[float, float]:
    standard = np.array(STANDARD)[common]
    scale = float(standard.std() / severity[common].std())
    return scale, float(standard.mean() - scale * severity[common].mean())
