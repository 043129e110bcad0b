"""The arithmetic of one score, stated once: the kernel tabulates it, the lazy path writes it as expressions.

    complete answers   sum = multiply * (sum of keyed answers)          mean = multiply * (that sum / items)
    m missing, allowed sum = multiply * (sum of answered * items / answered)   mean = multiply * (sum / answered)
    otherwise          missing

Keyed means low + high - answer for reversed items. Order of operations and type (float64) are the same on both paths,
so results agree to the last bit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sweval.scoring.records import Scale


def score_value(scale: Scale, total: float, answered: int) -> float:
    """Return the score for the sum of the keyed answers given and their number; nan where the rule allows none."""
    members = len(scale.items)
    if answered == 0 or members - answered > scale.missing.max_missing:
        return math.nan
    if scale.op == "mean":
        return total / answered * scale.multiply
    if answered == members:
        return total * scale.multiply
    prorated = total * members / answered
    if scale.missing.rounded:
        prorated = math.floor(prorated + 0.5)
    return prorated * scale.multiply


def band_numbers(scale: Scale, values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the number of each value's band; 0 for a missing value, which has none."""
    cuts = np.array([band.cut for band in scale.bands[1:]])
    return np.where(np.isnan(values), 0, np.searchsorted(cuts, values, side="right"))
