"""The counts behind an odds ratio or a phi, where a report prints how many clients and events there were."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.arrays import floats, refuse
from sweval.effects.contingency import TwoByTwo, two_by_two
from sweval.errors import DesignError

__all__ = ["two_by_two_from_margins"]

FloatArray = NDArray[np.float64]

_ROUNDED = 0.5


def two_by_two_from_margins(
    n_treated: ArrayLike,
    n_control: ArrayLike,
    events: ArrayLike,
    *,
    odds_ratio: ArrayLike | None = None,
    phi: ArrayLike | None = None,
    better: str = "higher",
) -> TwoByTwo:
    """Return the counts of both arms from their sizes, all events together, and one printed effect.

    For a chi-square without continuity correction give phi = +-sqrt(chi-square / n). The counts are rounded to whole
    clients, so a coarsely printed effect can give counts that are off by one.

    Parameters
    ----------
    n_treated, n_control, events
        Clients of either arm, and events of both arms together; numbers or arrays.
    odds_ratio, phi
        One of them, as printed: above 1, or above 0, where the event was more frequent in the treated arm.
    better
        "higher" if the event is an improvement, "lower" if not.

    Returns
    -------
    TwoByTwo

    Raises
    ------
    DesignError
        If neither or both effects are given, or an effect is impossible with these sizes.

    Notes
    -----
    Treated events x with odds ratio r: the root between its bounds of
    (1 - r) x^2 + (n_C - e + r(n_T + e)) x - r n_T e = 0. With phi: x = n_T e/N + phi sqrt(n_T n_C e (N - e))/N.

    Examples
    --------
    >>> table = two_by_two_from_margins(20, 20, 18, odds_ratio=3.5)
    >>> float(table.events_treated), float(table.events_control)
    (12.0, 6.0)
    """
    if (odds_ratio is None) == (phi is None):
        raise DesignError("give an odds ratio or a phi, and not both.")
    name, value = ("odds_ratio", odds_ratio) if phi is None else ("phi", phi)
    n1, n2, total_events, effect = floats(
        n_treated=n_treated, n_control=n_control, events=events, **{name: 0.0 if value is None else value}
    )
    refuse((n1 < 1) | (n2 < 1), "each arm needs one client or more")
    refuse((total_events <= 0) | (total_events >= n1 + n2), "events must lie between 0 and the number of clients")
    if phi is None:
        refuse(effect <= 0, "an odds ratio must be above 0", where="odds_ratio")
        treated = _by_odds(effect, n1, n2, total_events)
    else:
        total = n1 + n2
        spread = np.sqrt(n1 * n2 * total_events * (total - total_events))
        treated = n1 * total_events / total + effect * spread / total
    lowest, highest = np.maximum(0.0, total_events - n2), np.minimum(n1, total_events)
    refuse(
        (treated < lowest - _ROUNDED) | (treated > highest + _ROUNDED),
        "the effect is impossible with these arms and events",
        where=name,
    )
    treated = np.clip(np.round(treated), lowest, highest)
    return two_by_two(treated, n1, total_events - treated, n2, better=better)


def _by_odds(ratio: FloatArray, n1: FloatArray, n2: FloatArray, events: FloatArray) -> FloatArray:
    """Return the treated events that give an odds ratio."""
    b = n2 - events + ratio * (n1 + events)
    c = ratio * n1 * events
    return np.asarray(2 * c / (b + np.sqrt(np.maximum(b**2 + 4 * (1 - ratio) * c, 0.0))))
