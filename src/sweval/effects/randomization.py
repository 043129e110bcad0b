"""Randomisation tests of single cases: what would other draws of the start, or of the order, have given?

They are valid only where the draw was made before the study, and only for the draw that was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.samples import orientation
from sweval.errors import DataError, DesignError, did_you_mean

__all__ = ["alternating_orders", "phase_changes", "randomization_test", "start_points"]

FloatArray = NDArray[np.float64]
Assignment = NDArray[np.bool_]
Statistic = Literal["mean_difference", "median_difference", "nonoverlap"]
_STATISTICS = ("mean_difference", "median_difference", "nonoverlap")
_MOST_EXACT, _MOST_LISTED = 1_000_000, 100_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Randomization:
    """Result of a randomisation test.

    Attributes
    ----------
    statistic
        What was observed, oriented so that positive (or above .5) means improvement; the mean over cases.
    p_value
        One-sided: the share of draws at least as favourable, the one that was made included.
    draws
        Draws that were possible, or that were taken where those were too many.
    exact
        Whether all possible draws were counted.
    distribution
        The statistic of every draw.
    """

    statistic: float
    p_value: float
    draws: int
    exact: bool
    distribution: FloatArray


def randomization_test(
    values: Sequence[ArrayLike],
    treated: Sequence[ArrayLike],
    possible: Sequence[ArrayLike],
    *,
    better: str = "higher",
    statistic: Statistic = "mean_difference",
    draws: int = 9_999,
    rng: int | np.random.Generator = 1,
) -> Randomization:
    """Compare what was observed with what every draw that could have been made would have given.

    It needs no model, and holds with any autocorrelation, if the start (or the order) really was drawn by lot. With few
    possible draws p cannot be small: 8 possible starts give at best 1/8.

    Parameters
    ----------
    values
        Measurements of each case in the order of time, none missing.
    treated
        For each case, which measurements were treated.
    possible
        For each case, all assignments that could have been drawn (draws, measurements): from `start_points`,
        `phase_changes` or `alternating_orders`. Cases are drawn independently.
    better
        "higher" or "lower".
    statistic
        Treated against baseline measurements: "mean_difference", "median_difference" or "nonoverlap" (NAP).
    draws
        How many to take where there are more than a million.
    rng
        Seed or generator for that.

    Returns
    -------
    Randomization

    Raises
    ------
    DataError, DesignError
        If cases do not fit together, or the assignment that was made is none of the possible ones.

    Notes
    -----
    Edgington and Onghena (2007), Randomization Tests, 4th ed. With drawn draws p is (1 + hits)/(1 + draws).

    Examples
    --------
    >>> y = [4, 5, 4, 6, 5, 9, 8, 9, 10, 9]
    >>> made = [False] * 5 + [True] * 5
    >>> found = randomization_test([y], [made], [start_points(10, least_baseline=3, least_treated=3)])
    >>> found.draws, found.p_value
    (5, 0.2)
    """
    if statistic not in _STATISTICS:
        raise DesignError(f'statistic="{statistic}" is unknown.', fix=did_you_mean(str(statistic), _STATISTICS))
    sign = orientation(better)
    if not len(values) == len(treated) == len(possible) > 0:
        raise DataError("values, treated and possible need one entry per case, and there must be a case.")
    observed, options = [], []
    for y, made, could in zip(values, treated, possible, strict=True):
        series, chosen, table = _case(y, made, could)
        own = _statistics(sign * series, table, statistic)
        observed.append(float(own[(table == chosen).all(axis=1)][0]))
        options.append(own)
    total = float(np.prod([float(own.size) for own in options]))
    exact = total <= _MOST_EXACT
    if exact:
        sums = np.zeros(1)
        for own in options:
            sums = (sums[:, None] + own).ravel()
    else:
        source = np.random.default_rng(rng)
        sums = np.zeros(draws)
        for own in options:
            sums += own[source.integers(0, own.size, draws)]
    distribution = sums / len(options)
    found = sum(observed) / len(options)
    hits = int((distribution >= found - 1e-9 * max(1.0, float(np.abs(distribution).max()))).sum())
    p = hits / distribution.size if exact else (1 + hits) / (1 + draws)
    return Randomization(
        statistic=found, p_value=p, draws=distribution.size, exact=exact, distribution=np.sort(distribution)
    )


def start_points(
    length: int, *, least_baseline: int = 3, least_treated: int = 3, starts: Sequence[int] | None = None
) -> Assignment:
    """Return every assignment of a design with one change from baseline to service, drawn by lot (AB).

    Parameters
    ----------
    length
        Measurements of the case.
    least_baseline, least_treated
        Fewest measurements of each phase that the draw allowed.
    starts
        The measurements, counted from 1, at which the service could have started, in place of the two above.

    Returns
    -------
    array
        Shape (draws, length), True where treated.

    Raises
    ------
    DesignError
        If no start, or an impossible one, is left.

    Examples
    --------
    >>> start_points(5, least_baseline=2, least_treated=2).astype(int).tolist()
    [[0, 0, 1, 1, 1], [0, 0, 0, 1, 1]]
    """
    chosen = range(least_baseline + 1, length - least_treated + 2) if starts is None else starts
    first = np.array(sorted(set(chosen)), dtype=int)
    if first.size == 0 or first[0] < 2 or first[-1] > length:
        raise DesignError(
            f"with {length} measurements no such start is possible.",
            fix="The service starts at measurement 2 or later and before the end; ask for shorter phases.",
        )
    return np.arange(1, length + 1) >= first[:, None]


def phase_changes(length: int, *, phases: int = 4, least: int = 3) -> Assignment:
    """Return every assignment of a reversal design with random changes: baseline, service, baseline, service, ...

    Parameters
    ----------
    length
        Measurements of the case.
    phases
        Phases, 4 for ABAB; the first is the baseline.
    least
        Fewest measurements of each phase.

    Returns
    -------
    array
        Shape (draws, length), True where treated.

    Raises
    ------
    DesignError
        If the phases do not fit into the series, or could be drawn in more than 100,000 ways.

    Examples
    --------
    >>> phase_changes(9, phases=4, least=2).shape
    (4, 9)
    """
    if phases < 2 or least < 1 or phases * least > length:
        raise DesignError(f"{phases} phases of {least} measurements or more do not fit into {length}.")
    free = length - phases * least
    ways = _count_changes(free, phases)
    if ways > _MOST_LISTED:
        raise DesignError(
            f"the changes could be drawn in {ways:,.0f} ways, more than are counted.",
            fix="Say a larger `least`, as the draw will have had.",
        )
    cuts = np.array(list(combinations(range(free + phases - 1), phases - 1)), dtype=int)
    return _changed(cuts, length, least)


def _count_changes(free: int, phases: int) -> int:
    """Return in how many ways `free` measurements can be shared out among the phases."""
    return comb(free + phases - 1, phases - 1)


def _changed(cuts: NDArray[np.int_], length: int, least: int) -> Assignment:
    """Return assignments from places of the changes in a series without the least measurements of each phase."""
    number = cuts.shape[1]
    changes = cuts - np.arange(number) + least * np.arange(1, number + 1)
    phase = (np.arange(length)[None, :, None] >= changes[:, None, :]).sum(axis=2)
    return phase % 2 == 1


def alternating_orders(length: int, *, treated: int | None = None, longest_run: int | None = 2) -> Assignment:
    """Return every order of an alternating treatments design with a given number of treated sessions.

    Parameters
    ----------
    length
        Sessions.
    treated
        How many of them are treated; by default half.
    longest_run
        Most sessions in a row under one condition that the draw allowed; None for any number.

    Returns
    -------
    array
        Shape (draws, length), True where treated.

    Raises
    ------
    DesignError
        If there is no such order, or more than 100,000.

    Examples
    --------
    >>> alternating_orders(4, longest_run=1).astype(int).tolist()
    [[1, 0, 1, 0], [0, 1, 0, 1]]
    """
    count = length // 2 if treated is None else treated
    if not 0 < count < length:
        raise DesignError("both conditions need a session.")
    limit = length if longest_run is None else longest_run
    ways = sum(_orders(length, count, limit)[-1].values())
    if ways == 0:
        raise DesignError(f"no order of {length} sessions keeps to runs of {limit}.")
    if ways > _MOST_LISTED:
        raise DesignError(
            f"there are {ways:,} orders, more than are counted.",
            fix="Pass the orders that were drawn from, or say the runs that the draw allowed.",
        )
    rows: list[tuple[bool, ...]] = [()]
    for place in range(length):
        rows = [
            (*row, condition)
            for row in rows
            for condition in (True, False)
            if sum(row) + condition <= count and place - sum(row) + (not condition) <= length - count
            if row[-limit:] != (condition,) * limit
        ]
    return np.array(rows)


def drawn_orders(
    made: ArrayLike, *, longest_run: int | None = 2, draws: int = 9_999, rng: int | np.random.Generator = 1
) -> Assignment | None:
    """Return the order that was made and others drawn at random from all, each as likely; None if all can be listed.

    The test stays valid: if the order was drawn by lot, it is one of these 10,000 as likely as any other.
    """
    order = np.asarray(made, dtype=bool)
    length, count = order.size, int(order.sum())
    limit = length if longest_run is None else longest_run
    if not 0 < count < length:
        return None
    layers = _orders(length, count, limit)
    if sum(layers[-1].values()) <= _MOST_LISTED:
        return None
    if np.diff(np.flatnonzero(np.diff(np.r_[~order[0], order, ~order[-1]]))).max() > limit:
        raise _not_possible()
    source = np.random.default_rng(rng)
    rows = np.zeros((draws + 1, length), dtype=bool)
    rows[0] = order
    # Backwards from the end: the state before is taken in proportion to the ways that lead to it.
    numbered = [{state: number for number, state in enumerate(layer)} for layer in layers]
    now = _pick(layers[-1], list(layers[-1]), source.random(draws), numbered[-1])
    for place in range(length - 1, -1, -1):
        states = list(layers[place + 1])
        rows[1:, place] = np.array([last for _, last, _ in states])[now]
        before, earlier = _sources(layers[place], limit), np.zeros(draws, dtype=np.intp)
        chance = source.random(draws)
        for number in np.unique(now):
            here = now == number
            earlier[here] = _pick(layers[place], before[states[number]], chance[here], numbered[place])
        now = earlier
    return rows


def drawn_changes(
    made: ArrayLike, *, phases: int, least: int, draws: int = 9_999, rng: int | np.random.Generator = 1
) -> Assignment | None:
    """Return the changes of phase that were made and others drawn at random; None if all can be listed."""
    chosen = np.asarray(made, dtype=bool)
    free = chosen.size - phases * least
    if free < 0 or _count_changes(free, phases) <= _MOST_LISTED:
        return None
    runs = np.diff(np.r_[0, np.flatnonzero(np.diff(chosen.astype(int))) + 1, chosen.size])
    if chosen[0] or runs.size != phases or runs.min() < least:
        raise _not_possible()
    source = np.random.default_rng(rng)
    places = np.argsort(source.random((draws, free + phases - 1)), axis=1)[:, : phases - 1]
    return np.concatenate([chosen[None], _changed(np.sort(places, axis=1), chosen.size, least)])


def _not_possible() -> DesignError:
    return DesignError(
        "the assignment that was made is none of those that could have been drawn.",
        fix="Check the fewest measurements per phase, the longest run, or the possible starts.",
    )


State = tuple[int, bool, int]


def _orders(length: int, treated: int, limit: int) -> list[dict[State, int]]:
    """Return, after each session, in how many ways each state (treated so far, last, run at the end) is reached."""
    ways: dict[State, int] = {(0, True, 0): 1}
    layers = [ways]
    for place in range(length):
        grown: dict[State, int] = {}
        for (done, last, run), number in ways.items():
            for condition in (True, False):
                now = run + 1 if run and condition == last else 1
                total = done + condition
                if now <= limit and total <= treated and place + 1 - total <= length - treated:
                    key = total, condition, now
                    grown[key] = grown.get(key, 0) + number
        ways = grown
        layers.append(ways)
    return layers


def _sources(layer: dict[State, int], limit: int) -> dict[State, list[State]]:
    """Return the states from which each next one can be reached."""
    found: dict[State, list[State]] = {}
    for done, last, run in layer:
        for condition in (True, False):
            now = run + 1 if run and condition == last else 1
            if now <= limit:
                found.setdefault((done + condition, condition, now), []).append((done, last, run))
    return found


def _pick(
    ways: dict[State, int], states: list[State], chance: FloatArray, numbered: dict[State, int]
) -> NDArray[np.intp]:
    """Return the number of one of the states for every chance, each as likely as its ways are many."""
    total = np.cumsum([float(ways[state]) for state in states])
    place = np.minimum(np.searchsorted(total, chance * total[-1], side="right"), len(states) - 1)
    return np.array([numbered[state] for state in states], dtype=np.intp)[place]


def _case(y: ArrayLike, made: ArrayLike, could: ArrayLike) -> tuple[FloatArray, Assignment, Assignment]:
    """Return one case, whose assignment must be among the possible ones."""
    series = np.asarray(y, dtype=float)
    chosen, table = np.asarray(made, dtype=bool), np.asarray(could, dtype=bool)
    if series.ndim != 1 or chosen.shape != series.shape or table.ndim != 2 or table.shape[1] != series.size:
        raise DataError("values, treated and every possible assignment of a case need the same length.")
    if not np.isfinite(series).all():
        raise DataError(
            f"{int((~np.isfinite(series)).sum())} measurements are missing.",
            fix="Leave them out of the values and of the assignments alike.",
        )
    if table.all(axis=1).any() or not table.any(axis=1).all():
        raise DesignError("every possible assignment needs measurements with and without the service.")
    if not (table == chosen).all(axis=1).any():
        raise _not_possible()
    return series, chosen, table


def _statistics(y: FloatArray, table: Assignment, statistic: str) -> FloatArray:
    """Return the statistic of every assignment."""
    count = table.sum(axis=1)
    if statistic == "mean_difference":
        total = table @ y
        return np.asarray(total / count - (y.sum() - total) / (y.size - count))
    if statistic == "nonoverlap":
        q = (y[:, None] < y).astype(float) + 0.5 * (y[:, None] == y)
        return np.asarray(np.einsum("ki,ij,kj->k", ~table, q, table) / (count * (y.size - count)))
    return np.array([np.median(y[row]) - np.median(y[~row]) for row in table])
