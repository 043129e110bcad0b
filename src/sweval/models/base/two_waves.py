"""One score of each client at two waves, from one row per client and wave or from one row per client."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError, did_you_mean
from sweval.frames import take
from sweval.models.base.values import counted, keyed, label_key, numbers

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TwoWaves:
    """Ids, scores at the first and at the second wave (nan = missing), one entry per client; row of each in the data.

    `rows` are -1 where the client has no row at a wave, and the same row twice with one row per client.
    """

    ids: NDArray[np.object_]
    first: FloatArray
    second: FloatArray
    rows: tuple[NDArray[np.intp], NDArray[np.intp]]
    notes: list[str] = field(default_factory=list)


def scores_at_waves(
    frame: Any, outcome: str, *, client: str, wave: str, waves: dict[str, object], where: str
) -> TwoWaves:
    """Return the scores from one row per client and wave.

    Parameters
    ----------
    frame, outcome, client, wave
        Data and columns.
    waves
        Name of each argument that names a wave, and the label given: two of them.
    where
        What to call the caller in an error.

    Raises
    ------
    DesignError
        If a wave is not in the data, both are the same, or a client has two rows at one.
    """
    table = take(frame, [client, wave, outcome], where=where)
    values, notes = numbers(table[outcome], where=where)
    of_row, ids, _ = keyed(table[client], as_label=False)
    at, labels, _ = keyed(table[wave], as_label=True)
    unlinked = int((of_row < 0).sum())
    if unlinked:
        notes.append(f'{counted(unlinked, "row")} without a client id in "{client}" left out.')
    places = []
    for part, value in waves.items():
        label = label_key(value) or ""
        if label not in labels:
            raise DesignError(f'{part}="{label}" is not in "{wave}".', where=where, fix=did_you_mean(label, labels))
        here = np.flatnonzero((at == labels.index(label)) & (of_row >= 0))
        repeated = int((np.bincount(of_row[here], minlength=len(ids)) > 1).sum())
        if repeated:
            raise DesignError(
                f'there is more than one row at "{label}" for {counted(repeated, "client")}.',
                where=where,
                fix=f'Each client needs one row per "{wave}".',
            )
        place = np.full(len(ids), -1, dtype=np.intp)
        place[of_row[here]] = here
        places.append(place)
    if len({label_key(value) for value in waves.values()}) == 1:
        raise DesignError(f"{' and '.join(waves)} are the same wave.", where=where)
    seen = (places[0] >= 0) | (places[1] >= 0)
    first, second = (np.where(place >= 0, values[place], np.nan)[seen] for place in places)
    return TwoWaves(
        ids=np.array(ids, dtype=object)[seen],
        first=first,
        second=second,
        rows=(places[0][seen], places[1][seen]),
        notes=notes,
    )


def scores_in_columns(frame: Any, first: str, second: str, *, client: str | None, part: str, where: str) -> TwoWaves:
    """Return the scores from one row per client: a column for each wave; `part` is the argument that names `first`.

    Raises
    ------
    DesignError
        If both columns are the same, or a client has two rows.
    """
    if first == second:
        raise DesignError(f'"{second}" is named both as {part} and as outcome.', where=where)
    table = take(frame, [first, second] if client is None else [client, first, second], where=where)
    before, notes = numbers(table[first], where=where)
    after, said = numbers(table[second], where=where)
    ids = np.array([str(number) for number in range(1, len(table) + 1)], dtype=object)
    if client is not None:
        of_row, labels, _ = keyed(table[client], as_label=False)
        repeated = int((np.bincount(of_row[of_row >= 0]) > 1).sum())
        if repeated:
            raise DesignError(
                f"there is more than one row for {counted(repeated, 'client')}.",
                where=where,
                fix='If the rows are waves, name their column with wave="...".',
            )
        ids = np.array([*labels, None], dtype=object)[of_row]
    rows = np.arange(len(table))
    return TwoWaves(ids=ids, first=before, second=after, rows=(rows, rows), notes=[*notes, *said])
