"""Waves in time: which are used, which comes first, and when they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError, did_you_mean
from sweval.models.base.long import _in_time, _is_number
from sweval.models.base.roles import Roles
from sweval.models.base.values import label_key

if TYPE_CHECKING:
    import pandas as pd

Codes = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Timeline:
    """The waves in use.

    Parameters
    ----------
    labels
        Their names in time, the baseline first.
    times
        Their times, counted from the baseline; None where none are known.
    place
        For every code of the column the number of the wave, -1 where it is not used; the last entry is for code -1.
    unused
        Labels of the other waves.
    notes
        How the order was found, where the data do not tell, and from where time is counted.
    """

    labels: tuple[str, ...]
    times: tuple[float, ...] | None
    place: Codes
    unused: tuple[str, ...]
    notes: tuple[str, ...]


def timeline(
    column: pd.Series, codes: Codes, labels: list[str], roles: Roles, *, times: Mapping[str, float], need_times: bool
) -> Timeline:
    """Put the waves in time and choose those in use: the baseline and the outcome waves, all by default.

    Parameters
    ----------
    column, codes, labels
        The column of waves as it is, as codes and labels.
    roles
        Names the baseline wave and the outcome waves.
    times
        Time of every wave; empty where the waves are numbers or their times are not needed.
    need_times
        Whether the waves must have times.

    Raises
    ------
    DesignError
        If a wave that is named is not there, the waves cannot be put in time, or there is one only.
    """
    before, after = label_key(roles.baseline), [label_key(value) or "" for value in roles.outcome_waves]
    _require_waves(before, after, labels, roles)
    clock = _clock(labels if not after else [*after, *filter(None, [before])], labels, roles, times)
    order, known = _in_time(column, codes, labels)
    if not clock and need_times:
        listed = [labels[k] for k in order]
        pairs = ", ".join(f'"{label}": {number}' for number, label in enumerate(listed))
        raise DesignError(
            f'the waves of "{roles.wave}" are not numbers ({quoted(listed)}), and a line needs their times.',
            where=roles.where,
            fix=f"Say them in any unit, if they are one apart: times={{{pairs}}}. "
            'Or compare wave by wave: shape="waves".',
        )
    if clock:
        order, known = sorted(order, key=lambda k: clock.get(labels[k], np.inf)), True
    start = labels[order[0]] if before is None else before
    chosen = _chosen(order, labels, start, after, roles)
    names = tuple(labels[k] for k in chosen)
    counted = tuple(clock[label] - clock[start] for label in names) if clock else None
    if counted is not None and len(set(counted)) < len(counted):
        raise DesignError("two waves have the same time.", where=roles.where, fix="Give each wave its own time.")
    notes = []
    if not known:
        notes.append(
            f"The waves were taken in the order in which they first stand in the data: {quoted(names)}. If it is "
            "another, give their times."
        )
    if counted is not None and clock[start] != 0:
        shown = ", ".join(f'"{label}" is {time:g}' for label, time in zip(names, counted, strict=True))
        notes.append(f"Time is counted from the baseline: {shown}.")
    place = np.full(len(labels) + 1, -1, dtype=np.intp)
    place[chosen] = np.arange(len(chosen))
    return Timeline(
        labels=names,
        times=counted,
        place=place,
        unused=tuple(label for k, label in enumerate(labels) if k not in chosen),
        notes=tuple(notes),
    )


def quoted(labels: Sequence[str]) -> str:
    """Return labels in quotes, separated by commas."""
    return ", ".join(f'"{label}"' for label in labels)


def _require_waves(before: str | None, after: Sequence[str], labels: Sequence[str], roles: Roles) -> None:
    """Refuse a baseline or an outcome wave that is no wave."""
    for part, label in [("baseline", before), *(("outcome wave", label) for label in after)]:
        if label is not None and label not in labels:
            raise DesignError(
                f'the {part} "{label}" is not in "{roles.wave}".',
                where=roles.where,
                fix=did_you_mean(label, labels)
                + (
                    " The baseline is a wave here: its values stand in rows of their own." if part == "baseline" else ""
                ),
            )


def _clock(wanted: Sequence[str], labels: Sequence[str], roles: Roles, times: Mapping[str, float]) -> dict[str, float]:
    """Return the times of the waves: as given, else of waves that are numbers; empty where none are known."""
    if not times:
        return {label: float(label) for label in labels} if all(_is_number(label) for label in labels) else {}
    given = {label_key(label) or "": float(time) for label, time in times.items()}
    for label in given:
        if label not in labels:
            raise DesignError(
                f'times names "{label}", which is not in "{roles.wave}".',
                where=roles.where,
                fix=did_you_mean(label, labels),
            )
    untimed = [label for label in wanted if label not in given]
    if untimed:
        raise DesignError(
            f"times leaves out {quoted(untimed)}.",
            where=roles.where,
            fix="Add the time, or name the waves to use: baseline and outcome_wave.",
        )
    return given


def _chosen(order: list[int], labels: Sequence[str], start: str, after: Sequence[str], roles: Roles) -> list[int]:
    """Return the codes of the waves in use, in time."""
    if start in after:
        raise DesignError(
            f'"{start}" is both the baseline and an outcome wave.',
            where=roles.where,
            fix="Name the wave before the program as baseline, and later ones as outcome_wave.",
        )
    place = {labels[k]: number for number, k in enumerate(order)}
    early = [label for label in after if place[label] < place[start]]
    if early:
        raise DesignError(
            f'the outcome wave "{early[0]}" comes before the baseline "{start}".',
            where=roles.where,
            fix="Correct the two, or say with times when the waves are.",
        )
    wanted = set(after) or {label for label in labels if place[label] > place[start]}
    chosen = [k for k in order if labels[k] == start or labels[k] in wanted]
    if len(chosen) < 2:
        raise DesignError(
            f'growth needs two waves or more, and "{roles.wave}" has no wave after "{start}".',
            where=roles.where,
            fix="Name the first wave as baseline.",
        )
    return chosen
