"""The arithmetic of one score, stated once: the kernel tabulates it, the lazy path writes it as expressions.

    complete answers       sum = points          mean = points / items          any = 1 if points > 0, else 0
    m missing, allowed     sum = points * items / answered (fill "zero": points)         mean = points / answered
    otherwise              missing
    then                   at most `cap`; times `multiply`, plus `add`; rounded half up to `decimals`

Points are the codes, low + high - code for reversed items, or what a table of points says. Order of operations and type
(float64) are the same on both paths, so results agree to the last bit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sweval.scoring.records import Instrument, Scale


def points_of(instrument: Instrument, scale: Scale) -> dict[str, dict[int, int]]:
    """Return item id -> code -> points, for the items of a score in their order."""
    found: dict[str, dict[int, int]] = {}
    for item in map(instrument.item, scale.items):
        keyed = {code: item.low + item.high - code if item.reversed else code for code in item.codes}
        found[item.id] = scale.points.get(item.id, keyed)
    return found


def score_value(scale: Scale, total: float, answered: int) -> float:
    """Return the score for the sum of the points given and the number of answers; nan where the rule allows none.

    Not for `weighted` scores, which are made of other scores (`weighted`), nor for the limits of other items.
    """
    if scale.op == "table":
        return _last_steps(scale, looked_up(scale, score_value(scale.parts[0], total, answered), place=1))
    members = len(scale.items)
    if answered == 0 or members - answered > scale.missing.max_missing:
        return math.nan
    if scale.op == "any":
        value = 1.0 if total > 0 else 0.0
    elif scale.op == "mean":
        value = total / answered
    elif answered == members or scale.missing.fill == "zero":
        value = total
    else:
        value = total * members / answered
        if scale.missing.rounded:
            value = math.floor(value + 0.5)
    if scale.cap is not None:
        value = min(value, scale.cap)
    return _last_steps(scale, value)


def _last_steps(scale: Scale, value: float) -> float:
    value = value * scale.multiply + scale.add
    if scale.decimals is not None and not math.isnan(value):
        value = math.floor(value * 10.0**scale.decimals + 0.5) / 10.0**scale.decimals
    return value


def looked_up(scale: Scale, value: float, *, place: int) -> float:
    """Return what the table of a score makes of a value: 1 the result, 2 its standard error; nan if it has no row."""
    table = scale.table
    rows = {row[0]: row[place] for row in table.rows} if table is not None else {}
    return rows.get(value, math.nan)


def weighted(scale: Scale, values: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the score made of other scores; nan where one of them is missing."""
    total = scale.weights[0] * values[0]
    for weight, part in zip(scale.weights[1:], values[1:], strict=True):
        total = total + weight * part
    made: NDArray[np.float64] = total * scale.multiply + scale.add
    if scale.decimals is not None:
        made = np.floor(made * 10.0**scale.decimals + 0.5) / 10.0**scale.decimals
    return made


def band_numbers(scale: Scale, values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the number of each value's band; 0 for a missing value, which has none."""
    cuts = np.array([band.cut for band in scale.bands[1:]])
    return np.where(np.isnan(values), 0, np.searchsorted(cuts, values, side="right"))
