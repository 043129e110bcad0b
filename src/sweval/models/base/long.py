"""From several rows per client to one: the outcome at a wave, the baseline, and what does not change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError, did_you_mean
from sweval.models.base.roles import Roles
from sweval.models.base.values import case_twins, counted, keyed, label_key, was
from sweval.result import CHECK

if TYPE_CHECKING:
    import pandas as pd

Positions = NDArray[np.intp]
_LISTED = 6
_MOST_WAVES = 24


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """The data of one outcome wave, one row per client.

    Parameters
    ----------
    label
        The wave, or None where the data have no waves.
    table
        Columns by role: `outcome`, `baseline`, `arm`, `cluster`, `group`, `covariate <name>`.
    baseline
        What to call the baseline: its column, or `phq9_total at pre`.
    unlinked
        Rows that could not be used because they carry no client id.
    notes
        What was done to get here.
    """

    label: str | None
    table: pd.DataFrame
    baseline: str | None
    unlinked: int
    notes: tuple[str, ...]


def occasions(table: pd.DataFrame, outcome: str, roles: Roles) -> list[Occasion]:
    """Return one table per outcome wave, or the table itself where no wave is named.

    Raises
    ------
    DesignError
        If a client has two rows at a wave, changes arm, cluster or group, or a wave is not in the data.
    """
    import pandas as pd

    if roles.wave is None:
        if roles.client is not None:
            _refuse_repeated_clients(table, roles)
        columns = {"outcome": outcome, "baseline": roles.baseline, **roles.fixed_columns()}
        columns |= {f"covariate {name}": name for name in roles.covariates}
        picked = {role: table[column] for role, column in columns.items() if column is not None}
        baseline = None if roles.baseline is None else str(roles.baseline)
        return [Occasion(label=None, table=pd.DataFrame(picked), baseline=baseline, unlinked=0, notes=())]

    wave, labels, trimmed = keyed(table[roles.wave], as_label=True)
    _refuse_other_columns(wave, labels, roles)
    order, known = _in_time(table[roles.wave], wave, labels)
    before, after = _waves(labels, order, roles, list(table.columns))
    notes = _wave_notes(labels, order if known else None, before, after, roles)
    if trimmed:
        notes.append(f'In {counted(trimmed, "row")} extra spaces in "{roles.wave}" were ignored.')
    unknown = int((wave < 0).sum())
    if unknown:
        notes.append(f'{counted(unknown, "row")} without a value in "{roles.wave}" {was(unknown)} left out.')
    if roles.client is None:
        client = np.arange(len(table))
        count, unlinked = len(table), unknown
    else:
        client, ids, _ = keyed(table[roles.client], as_label=False)
        count, unlinked = len(ids), int((client < 0).sum())
        if unlinked:
            notes.append(
                f'{counted(unlinked, "row")} without a client id in "{roles.client}" {was(unlinked)} left out.'
            )
    used = np.isin(wave, [number for number in [before, *after] if number is not None]) & (client >= 0)
    if roles.client is not None:
        refuse_duplicates(client, wave, used, (roles.client, roles.wave), where=roles.where)
    found = []
    for number in after:
        here = _rows_at(client, wave, number, count)
        first = here if before is None else _rows_at(client, wave, before, count)
        subject = here >= 0 if roles.client is None else np.ones(count, dtype=bool)
        rows = np.flatnonzero(used & np.isin(wave, [number, number if before is None else before]))
        picked = {"outcome": _taken(table[outcome], here[subject])}
        said: list[str] = []
        label = None if roles.baseline is None else str(roles.baseline)
        if before is not None:
            label = f"{outcome} at {labels[before]}"
            picked["baseline"] = _taken(table[outcome], first[subject])
        elif roles.baseline is not None:
            at, note = _covariate_rows(table[roles.baseline], client, rows, first)
            picked["baseline"], said = _taken(table[roles.baseline], at[subject]), said + note
        for role, column in roles.fixed_columns().items():
            at, note = _fixed_rows(table[column], client, rows, np.flatnonzero(client >= 0), count, roles)
            picked[role] = _taken(table[column], at[subject])
            said += [] if role == "group" else note
        for column in roles.covariates:
            at, note = _covariate_rows(table[column], client, rows, first)
            picked[f"covariate {column}"], said = _taken(table[column], at[subject]), said + note
        found.append(
            Occasion(
                label=labels[number],
                table=pd.DataFrame(picked),
                baseline=label,
                unlinked=unlinked,
                notes=(*notes, *said),
            )
        )
    return found


def _taken(column: pd.Series, rows: Positions) -> pd.Series:
    """Return the values at the rows; -1 is missing."""
    return column.reindex(rows).reset_index(drop=True)


def _refuse_other_columns(wave: Positions, labels: list[str], roles: Roles) -> None:
    """Refuse a column that holds no waves, without showing what it holds, and waves written in two ways."""
    counts = np.bincount(wave[wave >= 0], minlength=len(labels))
    if len(labels) > _MOST_WAVES or (len(labels) > 2 and np.median(counts) < 2):
        raise DesignError(
            f'"{roles.wave}" holds {len(labels)} different values; this is not a column of waves.',
            where=roles.where,
            fix="Name the column that tells the occasions apart.",
        )
    twins = case_twins(labels)
    if twins:
        listed = ", ".join(f'"{labels[number]}" ({counts[number]})' for number in twins)
        raise DesignError(
            f'waves in "{roles.wave}" differ only in capital letters: {listed}.',
            where=roles.where,
            fix="Write each wave the same way in all rows.",
        )


def _wave_notes(
    labels: list[str], order: list[int] | None, before: int | None, after: list[int], roles: Roles
) -> list[str]:
    """Return notes on waves that the user did not choose, or may have confused; `order` is None if unknown."""
    listed = ", ".join(f'"{labels[number]}"' for number in after)
    notes = []
    if before is None and not roles.outcome_waves and len(after) > 1:
        notes.append(
            f"{CHECK}neither a baseline wave nor an outcome_wave is named, so the arms are compared at each of "
            f"{listed}. A difference at a wave before the service began is no effect of it."
        )
    elif not roles.outcome_waves:
        notes.append(f'The outcome is taken at {listed} of "{roles.wave}".')
    if before is not None and order is not None:
        earlier = [number for number in after if order.index(number) < order.index(before)]
        if earlier:
            names = ", ".join(f'"{labels[number]}"' for number in earlier)
            notes.append(
                f'{CHECK}the baseline "{labels[before]}" comes after the outcome wave {names}. If the two are swapped, '
                "the effect has the wrong sign."
            )
    return notes


def _in_time(column: pd.Series, wave: Positions, labels: list[str]) -> tuple[list[int], bool]:
    """Return the waves in time, and whether that is known: numbers and ordered categories tell it, text does not.

    Waves that are text stand in the order of their first rows.
    """
    categories = getattr(column.dtype, "categories", None)
    if categories is not None and column.dtype.ordered:
        place = {label_key(value): number for number, value in enumerate(categories)}
        return sorted(range(len(labels)), key=lambda number: place[labels[number]]), True
    if all(_is_number(label) for label in labels):
        return list(range(len(labels))), True
    return sorted(range(len(labels)), key=lambda number: int(np.argmax(wave == number))), False


def _is_number(label: str) -> bool:
    """Tell whether a wave's label is a number."""
    try:
        float(label)
    except ValueError:
        return False
    return True


def _waves(labels: list[str], order: list[int], roles: Roles, columns: list[str]) -> tuple[int | None, list[int]]:
    """Return the numbers of the baseline wave (None where it is a column) and of the outcome waves, in `order`."""
    place = {label: number for number, label in enumerate(labels)}
    before = None if roles.baseline is None else place.get(label_key(roles.baseline) or "")
    if roles.baseline is not None and before is None and roles.baseline not in columns:
        raise DesignError(
            f'the baseline "{roles.baseline}" is neither a wave in "{roles.wave}" nor a column.',
            where=roles.where,
            fix=f"Waves: {', '.join(labels[:_LISTED])}. {did_you_mean(str(roles.baseline), [*labels, *columns])}",
        )
    if before is not None and roles.client is None:
        raise DesignError(
            "a baseline at another wave needs to know which rows are the same client.",
            where=roles.where,
            fix='Name the id column with client="...".',
        )
    wanted = [labels[number] for number in order if number != before]
    if roles.outcome_waves:
        wanted = [label_key(value) or "" for value in roles.outcome_waves]
    for label in wanted:
        if label not in place:
            raise DesignError(
                f'the outcome wave "{label}" is not in "{roles.wave}".',
                where=roles.where,
                fix=did_you_mean(label, labels),
            )
        if place[label] == before:
            raise DesignError(
                f'"{label}" is both the baseline and the outcome wave.', where=roles.where, fix="Name two waves."
            )
    if not wanted:
        raise DesignError(f'"{roles.wave}" holds no wave but the baseline.', where=roles.where)
    return before, [place[label] for label in dict.fromkeys(wanted)]


def _rows_at(client: Positions, wave: Positions, number: int, count: int) -> Positions:
    """Return for each client the row at a wave, or -1."""
    rows = np.flatnonzero((wave == number) & (client >= 0))
    at = np.full(count, -1, dtype=np.intp)
    at[client[rows]] = rows
    return at


def _changes(codes: Positions, client: Positions, rows: Positions, count: int) -> tuple[NDArray[np.bool_], Positions]:
    """Return which clients have more than one value, and for each client a row that has one (-1 = none)."""
    rows = rows[codes[rows] >= 0]
    low, high = np.full(count, np.iinfo(np.intp).max), np.full(count, -1)
    np.minimum.at(low, client[rows], codes[rows])
    np.maximum.at(high, client[rows], codes[rows])
    at = np.full(count, -1, dtype=np.intp)
    at[client[rows]] = rows
    return (high >= 0) & (low < high), at


def _fixed_rows(
    column: pd.Series, client: Positions, rows: Positions, everywhere: Positions, count: int, roles: Roles
) -> tuple[Positions, list[str]]:
    """Return for each client a row that holds the arm (cluster, group), which must not change in the waves in use.

    Who is not there at these waves is still known by the rows at others, so that dropout is counted by arm.
    """
    codes, labels, _ = keyed(column, as_label=True)
    changed, at = _changes(codes, client, rows, count)
    elsewhere = _changes(codes, client, everywhere, count)[1]
    if changed.any():
        twins = case_twins(labels)
        fix = "Keep the value as assigned, in one column that does not change (intention to treat)."
        raise DesignError(
            f'"{column.name}" changes between the waves for {counted(int(changed.sum()), "client")}.',
            where=roles.where,
            fix=f"Some of its values differ only in capital letters: write each the same way. {fix}" if twins else fix,
        )
    known = np.isin(client[rows], np.flatnonzero(at >= 0))
    filled = len(np.unique(client[rows][(codes[rows] < 0) & known]))
    note = f'For {counted(filled, "client")} "{column.name}" is empty at one wave; the value at another was taken.'
    return np.where(at >= 0, at, elsewhere), [note] if filled else []


def _covariate_rows(
    column: pd.Series, client: Positions, rows: Positions, first: Positions
) -> tuple[Positions, list[str]]:
    """Return for each client the row of the first wave in use; any row where the value changes for nobody."""
    import pandas as pd

    codes = pd.factorize(column)[0]
    changed, at = _changes(codes, client, rows, len(first))
    if not changed.any():
        filled = int(((first >= 0) & (codes[first] < 0) & (at >= 0)).sum())
        note = (
            f'"{column.name}" is empty at the first wave in use for {counted(filled, "client")}; its value at another '
        )
        return at, [f"{note}wave was taken."] if filled else []
    count = counted(int(changed.sum()), "client")
    return first, [f'"{column.name}" changes between waves for {count}; its value at the first wave in use was taken.']


def refuse_duplicates(
    client: Positions,
    wave: Positions,
    used: NDArray[np.bool_],
    names: tuple[str | None, str | None],
    *,
    where: str,
    rows: Positions | None = None,
) -> None:
    """Refuse two rows for the same client at the same wave; `rows` are their places in the data (all by default)."""
    at = np.flatnonzero(used)
    pair = client[at] * (int(wave.max(initial=0)) + 1) + wave[at]
    _, inverse, counts = np.unique(pair, return_inverse=True, return_counts=True)
    twice = at[counts[inverse] > 1]
    if twice.size:
        shown = _numbered(twice if rows is None else rows[twice])
        raise DesignError(
            f"{counted(len(np.unique(client[twice])), 'client')} with several rows at the same wave (rows {shown}).",
            where=where,
            fix=f'Keep one row per "{names[0]}" and "{names[1]}"; data rows are counted from 1.',
        )


def _refuse_repeated_clients(table: pd.DataFrame, roles: Roles) -> None:
    """Refuse several rows per client where no wave tells them apart."""
    client, _, _ = keyed(table[roles.client], as_label=False)
    known = client[client >= 0]
    counts = np.bincount(known)
    if (counts > 1).any():
        rows = np.flatnonzero((client >= 0) & (counts[client] > 1))
        raise DesignError(
            f"{counted(int((counts > 1).sum()), 'client')} with several rows ({rows.size} rows: {_numbered(rows)}).",
            where=roles.where,
            fix='Keep one row per client, or name the column that tells the waves apart with wave="...".',
        )


def _numbered(rows: Positions) -> str:
    """Return the first row numbers, counted from 1."""
    shown = ", ".join(str(int(row) + 1) for row in rows[:_LISTED])
    return shown + (", ..." if rows.size > _LISTED else "")
