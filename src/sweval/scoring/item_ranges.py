"""Which items use other codes than the key: one lower or one higher than the others, or a wider form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FEWEST_ANSWERS = 50
"""Below so many answers an unused end of the range says little."""

_FEWEST_OTHERS = 4
_THRESHOLD_SD = 0.2
_PRIOR_ITEMS, _PRIOR_SD = 2, 0.3
_LEAST_SHAPE = -1.0
_PRICE_OF_A_CUT = 2.0
_LEAST_END = 0.02
_ODDS = 4.0
_PLACES = np.arange(-3.0, 3.01, 0.05)

Counts = NDArray[np.int64]
Offset = Literal["higher", "lower", "outside"]


@dataclass(frozen=True, kw_only=True)
class Codes:
    """How often each raw code of one item was given.

    `counts` are the codes of the form from the lowest to the highest, `below` and `above` the answers one outside of
    it. `reversed` is whether the key reverses the item: its answers pile up at the other end.
    """

    counts: Counts
    below: int
    above: int
    reversed: bool


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An offset of an item's codes, and whether it was `seen` outside the form's codes or is inferred from counts."""

    offset: Offset
    seen: bool


def code_offsets(items: Sequence[Codes]) -> list[Finding | None]:
    """Return for each item whether its codes stand one higher or lower than the form's.

    Answers one outside the form are certain: with the other end unused, the item is offset; with both ends used, some
    rows are, or the form had more answers. Where two items or more are offset like that and no item uses the end that
    an offset leaves empty, all are. Inside the range an offset is inferred where an end is unused and the counts are
    better explained by the next code (see `_log_odds`).

    Parameters
    ----------
    items
        Counts of all items.
    """
    found = [_seen(item) for item in items]
    moved: tuple[tuple[Offset, bool], ...] = (
        ("higher", any(item.counts[0] or item.below for item in items)),
        ("lower", any(item.counts[-1] or item.above for item in items)),
    )
    for offset, end_used in moved:
        if not end_used and sum(finding is not None and finding.offset == offset for finding in found) > 1:
            return [Finding(offset=offset, seen=True) for _ in items]
    return [finding or _inferred(place, items) for place, finding in enumerate(found)]


def _seen(item: Codes) -> Finding | None:
    if not item.below and not item.above:
        return None
    if item.above and not item.below and not item.counts[0]:
        return Finding(offset="higher", seen=True)
    if item.below and not item.above and not item.counts[-1]:
        return Finding(offset="lower", seen=True)
    return Finding(offset="outside", seen=True)


def _inferred(place: int, items: Sequence[Codes]) -> Finding | None:
    """Return an offset that leaves no answer outside the form's codes, where the other items speak for it."""
    item = items[place]
    own = _keyed(item)
    others = [
        _keyed(other)
        for number, other in enumerate(items)
        if number != place and len(other.counts) == len(own) and other.counts.sum() >= FEWEST_ANSWERS
    ]
    if (
        len(own) < 3
        or own.sum() < FEWEST_ANSWERS
        or len(others) < _FEWEST_OTHERS
        or (own[0] and own[-1])
        or (own > 0).sum() < 2
    ):
        return None
    up, down = _log_odds(own, others)
    if max(up, down) < _ODDS:
        return None
    higher = (up > down) != item.reversed
    return Finding(offset="higher" if higher else "lower", seen=False)


def _keyed(item: Codes) -> Counts:
    return item.counts[::-1] if item.reversed else item.counts


def _log_odds(own: Counts, others: Sequence[Counts]) -> tuple[float, float]:
    """Return the log odds that the codes stand one higher, and one lower, than those meant.

    Answers are taken as a normal variable cut at thresholds, which are the medians of the normal quantiles of the other
    items' cumulative shares. The shares of each code are compared as they are and moved by one code, each at the place
    of the item that fits best: by shape alone, and, unless the shape speaks against the move, with the price of a place
    far from the other items (a t distribution of their places, with the weight of two items 0.3 apart). A move may also
    have been cut off at the end of the form; as this explains more, it has to be clearer. Thresholds are let differ by
    0.2 between items, which makes the counts weigh as those of fewer people. An end that the other items hardly use
    says nothing.
    """
    quantiles = np.array([_quantiles(counts) for counts in others])
    thresholds = np.median(quantiles, axis=0)
    price = _price((quantiles - thresholds).mean(axis=1))
    noise = 1.6 / float(own.sum())  # variance of a normal quantile, about 1.6 / n for shares around one half
    weight = noise / (noise + _THRESHOLD_SD**2)
    shares = _shares(thresholds)
    as_is = _fits(own, shares, weight)

    def gain(moved: NDArray[np.float64]) -> float:
        fits = _fits(own, moved, weight)
        shape = float(fits.max() - as_is.max())
        placed = float((fits - price).max() - (as_is - price).max())
        return max(shape, placed) if shape > _LEAST_SHAPE else shape

    up = down = -np.inf
    ends = np.median([counts[[0, -1]] / counts.sum() for counts in others], axis=0)
    if not own[0] and ends[0] >= _LEAST_END:
        moved = np.pad(shares[:, :-1], ((0, 0), (1, 0)))
        cut = np.concatenate([moved[:, :-1], moved[:, -1:] + shares[:, -1:]], axis=1)
        up = max(gain(moved), gain(cut) - _PRICE_OF_A_CUT)
    if not own[-1] and ends[1] >= _LEAST_END:
        moved = np.pad(shares[:, 1:], ((0, 0), (0, 1)))
        cut = np.concatenate([moved[:, :1] + shares[:, :1], moved[:, 1:]], axis=1)
        down = max(gain(moved), gain(cut) - _PRICE_OF_A_CUT)
    return up, down


def _price(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the price of every place, from the places of the other items."""
    count, middle = len(places), float(places.mean())
    df = count - 1 + _PRIOR_ITEMS
    spread = (((places - middle) ** 2).sum() + _PRIOR_ITEMS * _PRIOR_SD**2) / df * (1 + 1 / count)
    return np.asarray((df + 1) / 2 * np.log1p((_PLACES - middle) ** 2 / (spread * df)))


def _shares(thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of each code at every place that an item could have, shape (places, codes)."""
    from scipy.special import ndtr

    return np.diff(ndtr(thresholds + _PLACES[:, None]), axis=1, prepend=0.0, append=1.0)


def _fits(counts: Counts, shares: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """Return the log likelihood of the counts at every place."""
    return np.asarray(weight * (counts * np.log(np.maximum(shares, 1e-6))).sum(axis=1))


def _quantiles(counts: Counts) -> NDArray[np.float64]:
    """Return the normal quantiles of the cumulative shares, shape (codes - 1,)."""
    from scipy.special import ndtri

    return np.asarray(ndtri((counts.cumsum()[:-1] + 0.5) / (counts.sum() + 1)))
