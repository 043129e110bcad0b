"""The sessions of one or several clients, cut into phases, as plots of single-case designs need them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DataError
from sweval.frames import take
from sweval.models.base.values import levels, numbers

Floats = NDArray[np.float64]

MOST_CASES = 12
_SHORT_RUN = 2.5
_FEWEST_RUNS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Phase:
    """Neighbouring sessions of one condition; `outcome` is NaN where a session has no value."""

    condition: str
    time: Floats
    outcome: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """One client: the phases in order of time, and the name."""

    name: str
    phases: tuple[Phase, ...]

    @property
    def time(self) -> Floats:
        """Return the sessions."""
        return np.concatenate([phase.time for phase in self.phases])

    @property
    def outcome(self) -> Floats:
        """Return the values."""
        return np.concatenate([phase.outcome for phase in self.phases])

    @property
    def conditions(self) -> tuple[str, ...]:
        """Return the conditions, each once, in the order of their first session."""
        return tuple(dict.fromkeys(phase.condition for phase in self.phases))

    @property
    def changes(self) -> list[float]:
        """Return the times between the last session of a phase and the first of the next."""
        return [float(one.time[-1] + two.time[0]) / 2 for one, two in itertools.pairwise(self.phases)]

    @property
    def alternates(self) -> bool:
        """Tell whether conditions change so quickly that each is a series of its own, as in alternating treatments."""
        runs = self._runs
        return len(runs) >= _FEWEST_RUNS and float(np.mean([len(run.time) for run in runs])) < _SHORT_RUN

    @property
    def _runs(self) -> tuple[Phase, ...]:
        """Return the phases but for a baseline that comes first and does not come again."""
        first = self.phases[0].condition
        again = any(phase.condition == first for phase in self.phases[1:])
        return self.phases if again else self.phases[1:]

    def by_condition(self) -> Series:
        """Return the baseline that comes first, if there is one, then all sessions of every condition together."""
        runs = self._runs
        own = []
        for condition in dict.fromkeys(run.condition for run in runs):
            held = [run for run in runs if run.condition == condition]
            time, outcome = (np.concatenate([getattr(run, name) for run in held]) for name in ("time", "outcome"))
            own.append(Phase(condition=condition, time=time, outcome=outcome))
        return Series(name=self.name, phases=(*self.phases[: len(self.phases) - len(runs)], *own))


def series_of(frame: Any, outcome: str, *, phase: str, time: str, case: str | None, where: str) -> list[Series]:
    """Return the clients in the order in which treatment begins, as multiple baselines are drawn.

    Raises
    ------
    DataError
        If a column is absent or holds no numbers, a session has no phase, time or client or occurs twice, or there
        are too many clients for one picture.
    """
    import pandas as pd

    if isinstance(frame, Mapping):
        frame = pd.DataFrame({name: np.asarray(values) for name, values in frame.items()})
    table = take(frame, [outcome, phase, time, *([case] if case else [])], where=where)
    values, _ = numbers(table[outcome], where=where)
    when, _ = numbers(table[time], where=where)
    codes, conditions = levels(table[phase], where=where)
    owner, names = levels(table[case], where=where) if case else (np.zeros(len(table), dtype=np.intp), [""])
    lacking = int(((codes < 0) | (owner < 0) | np.isnan(when)).sum())
    if lacking:
        raise DataError(
            f"{lacking} of {len(table)} rows have no phase, time or case.",
            where=where,
            fix="Leave them out first, or fill them in.",
        )
    if np.isnan(values).all():
        raise DataError(f'"{outcome}" holds no number, so there is nothing to draw.', where=where)
    if len(names) > MOST_CASES:
        raise DataError(
            f"there are {len(names)} cases, too many for one picture.",
            where=where,
            fix=f"Choose the rows of at most {MOST_CASES} cases.",
        )
    met = list(dict.fromkeys(owner.tolist()))
    found = [_one(names[k], values[owner == k], when[owner == k], codes[owner == k], conditions, where) for k in met]
    return sorted(found, key=lambda one: one.changes[0] if one.changes else np.inf)


def _one(name: str, values: Floats, when: Floats, codes: NDArray[np.intp], conditions: list[str], where: str) -> Series:
    order = np.argsort(when, kind="stable")
    values, when, codes = values[order], when[order], codes[order]
    twice = int((np.diff(when) == 0).sum())
    if twice:
        raise DataError(
            f"{twice} sessions of a case occur twice.", where=where, fix="Keep one row per case and session."
        )
    cuts = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    phases = tuple(
        Phase(condition=conditions[codes[start]], time=when[start:end], outcome=values[start:end])
        for start, end in itertools.pairwise(cuts)
    )
    return Series(name=name, phases=phases)
