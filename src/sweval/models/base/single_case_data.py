"""Single cases as arrays: rows put in order, phases found, baseline phases paired with the treated ones after them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError, did_you_mean
from sweval.frames import take
from sweval.models.base.values import counted, keyed, label_key, numbers, was
from sweval.result import CHECK

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Codes = NDArray[np.intp]
_SHORT = 3
_DAY = 86_400
_MOST_LABELS = 12
_ISO = re.compile(r"\s*\d{4}-\d{2}-\d{2}(?:[T ][\d:.]+(?:Z|[+-]\d{2}:?\d{2})?)?\s*$")


@dataclass(frozen=True, kw_only=True)
class CaseRoles:
    """The columns and labels of a single-case design."""

    where: str
    case: str
    phase: str
    time: str | None
    baseline: tuple[str, ...]
    treated: tuple[str, ...]
    design: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Sessions:
    """All sessions in use, sorted by case and time.

    Attributes
    ----------
    ids
        Of the cases in use, in order of appearance.
    case, time, treated, value
        One entry per session; cases are numbered from 0.
    label
        Label of the phase of each session.
    pair
        Number of the phase pair of each session, -1 where its phase has no partner.
    pair_case
        Case of each pair.
    planned_case, planned_treated, planned_seen
        The sessions that were planned, those without a value too: their case, whether treated, and whether seen. Sorted
        alike; the seen ones are the sessions above.
    rows
        Rows of the data before anything was left out.
    notes
        What was left out, and what to look at.
    """

    ids: NDArray[np.object_]
    case: Codes
    time: FloatArray
    treated: NDArray[np.bool_]
    value: FloatArray
    label: NDArray[np.object_]
    pair: Codes
    pair_case: Codes
    planned_case: Codes
    planned_treated: NDArray[np.bool_]
    planned_seen: NDArray[np.bool_]
    rows: int
    notes: tuple[str, ...]

    def padded(self, values: FloatArray, *, treated: bool) -> FloatArray:
        """Return values of one side of every pair, (pairs, longest) with nan after the last."""
        chosen = (self.pair >= 0) & (self.treated == treated)
        owner = self.pair[chosen]
        order = np.argsort(owner, kind="stable")
        owner = owner[order]
        count = np.bincount(owner, minlength=len(self.pair_case))
        place = np.arange(owner.size) - np.repeat(np.cumsum(count) - count, count)
        out = np.full((len(self.pair_case), int(count.max())), np.nan)
        out[owner, place] = values[chosen][order]
        return out


def read_sessions(frame: Any, outcome: str, roles: CaseRoles) -> Sessions:
    """Return the sessions that can be used.

    Raises
    ------
    DataError
        If a column is not there.
    DesignError
        If a phase label is not there, two sessions of a case have the same time, phases do not come as the design has
        them, or no case has both.
    """
    named = [roles.case, roles.phase, *([roles.time] if roles.time else []), outcome]
    if len(set(named)) < len(named):
        raise DesignError("one column plays two parts.", where=roles.where, fix="Name case, phase, time and outcome.")
    table = take(frame, named, where=roles.where)
    if table.empty:
        raise DesignError("the data have no rows.", where=roles.where)
    y, said = numbers(table[outcome], where=roles.where)
    notes = list(said)
    owner, ids, _ = keyed(table[roles.case], as_label=False)
    condition, label = _conditions(table[roles.phase], roles, notes)
    time, dated = _times(table, roles, notes)
    keep = np.ones(len(table), dtype=bool)
    reasons: tuple[tuple[NDArray[np.bool_], str | None], ...] = (
        (owner < 0, f'without a case in "{roles.case}"'),
        (condition < 0, None),
        (~np.isfinite(time), f'without a time in "{roles.time}"'),
        (~np.isfinite(y), f'without "{outcome}"'),
    )
    for bad, what in reasons:
        lost = int((bad & keep).sum())
        if lost and what is not None:
            notes.append(f"{counted(lost, 'session')} {what} left out.")
        keep &= ~bad
    planned = np.flatnonzero((owner >= 0) & (condition >= 0) & np.isfinite(time))
    planned = planned[np.lexsort((time[planned], owner[planned]))]
    order = planned[keep[planned]]
    whole = owner, condition
    owner, time, condition, y, label = owner[order], time[order], condition[order], y[order], label[order]
    same = int(((np.diff(owner) == 0) & (np.diff(time) == 0)).sum())
    if same:
        raise DesignError(
            f"{counted(same, 'session')} {'has' if same == 1 else 'have'} the same case and time as another one.",
            where=roles.where,
            fix="Each session of a case needs its own time; with several measures make a column of each.",
        )
    without, within = (np.bincount(owner[condition == side], minlength=len(ids)) > 0 for side in (0, 1))
    used: NDArray[np.bool_] = without & within
    left = int((without ^ within).sum())
    if not used.any():
        raise DesignError(
            f"no case has measurements in both the baseline and the treated phase ({counted(len(ids), 'case')} seen).",
            where=roles.where,
            fix="Check the labels of the phases, and whether the column of cases is the right one.",
        )
    if left:
        notes.append(f"{counted(left, 'case')} without measurements in both phases left out.")
    inside = used[owner]
    renumber = np.cumsum(used) - 1
    owner, time, condition, y = renumber[owner[inside]], time[inside], condition[inside], y[inside]
    pair, pair_case = _pairs(owner, condition, roles, notes)
    planned = planned[used[whole[0][planned]]]
    found = Sessions(
        ids=np.array(ids, dtype=object)[used],
        case=owner,
        time=time,
        treated=condition == 1,
        value=y,
        label=label[inside],
        pair=pair,
        pair_case=pair_case,
        planned_case=renumber[whole[0][planned]],
        planned_treated=whole[1][planned] == 1,
        planned_seen=keep[planned],
        rows=len(table),
        notes=(),
    )
    notes += _looks(found, roles, dated=dated)
    return Sessions(**{**found.__dict__, "notes": tuple(notes)})


def _conditions(column: pd.Series, roles: CaseRoles, notes: list[str]) -> tuple[Codes, NDArray[np.object_]]:
    """Return 0 for baseline, 1 for treated, -1 for others, with a note on those; and the label of each row."""
    codes, labels, _ = keyed(column, as_label=True)
    # With so many labels it is hardly a column of phases, and what it holds may be what clients said.
    many = len(labels) > _MOST_LABELS
    hint = f'"{roles.phase}" holds {len(labels)} different values; is it the column of the phases?'
    value = np.full(len(labels) + 1, -1, dtype=np.intp)
    for side, wanted in ((0, roles.baseline), (1, roles.treated)):
        for label in wanted:
            if label not in labels:
                raise DesignError(
                    f'the phase "{label}" is not in "{roles.phase}".',
                    where=roles.where,
                    fix=hint if many else did_you_mean(label, labels),
                )
            value[labels.index(label)] = side
    other = [label for number, label in enumerate(labels) if value[number] < 0]
    missing, foreign = int((codes < 0).sum()), int(np.isin(codes, [labels.index(label) for label in other]).sum())
    if missing:
        notes.append(f'{counted(missing, "session")} without a phase in "{roles.phase}" left out.')
    if foreign:
        listed = ", ".join(f'"{label}"' for label in other)
        notes.append(
            f"{CHECK}{counted(foreign, 'session')} of {len(other)} other phases left out; {hint}"
            if many
            else f"{counted(foreign, 'session')} of other phases ({listed}) left out."
        )
    return value[codes], np.array([*labels, None], dtype=object)[codes]


def _times(table: pd.DataFrame, roles: CaseRoles, notes: list[str]) -> tuple[FloatArray, bool]:
    """Return times as numbers, and whether they are dates: days from the first; by default the order of the rows."""
    if roles.time is None:
        notes.append("No column of times is named, so sessions were taken in the order of the rows.")
        return np.arange(len(table), dtype=float), False
    column = table[roles.time]
    days = _days(column, roles)
    if days is not None:
        notes.append(f'Times are the dates in "{roles.time}", counted in days from the first one.')
        return days, True
    try:
        time, said = numbers(column, where=roles.where)
    except DesignError as error:
        raise DesignError(
            f"{error.what[0].lower()}{error.what[1:]}" if error.what.startswith("The") else error.what,
            where=roles.where,
            fix="Times are dates, or numbers such as the session or the week: 1, 2, 3.",
        ) from error
    notes += said
    return time, False


def _days(column: pd.Series, roles: CaseRoles) -> FloatArray | None:
    """Return days since the first date of a column of dates (as dates, or as text 2025-03-31); None for any other."""
    import pandas as pd

    if not str(column.dtype).startswith("datetime"):
        known = column.dropna()
        if known.empty or not all(
            isinstance(value, date) or (isinstance(value, str) and _ISO.match(value)) for value in known
        ):
            return None
        column = pd.to_datetime(column, format="ISO8601", errors="coerce", utc=True)
        wrong = len(known) - int(column.notna().sum())
        if wrong:
            raise DesignError(
                f'{counted(wrong, "date")} in "{roles.time}" {"is" if wrong == 1 else "are"} no day of the calendar.',
                where=roles.where,
                fix="Write dates as year-month-day: 2025-03-31.",
            )
    days = column.dt.tz_localize(None)
    return np.asarray((days - days.min()).dt.total_seconds() / _DAY, dtype=float)


def _pairs(owner: Codes, condition: Codes, roles: CaseRoles, notes: list[str]) -> tuple[Codes, Codes]:
    """Return the pair of each session and the case of each pair."""
    cases = int(owner.max()) + 1
    if roles.design == "alternating":
        return owner.copy(), np.arange(cases)
    starts = np.r_[True, (np.diff(owner) != 0) | (np.diff(condition) != 0)]
    run = np.cumsum(starts) - 1
    run_case, run_side = owner[starts], condition[starts]
    runs = np.bincount(run_case, minlength=cases)
    first = np.r_[True, np.diff(run_case) != 0]
    if roles.design != "abab":
        backwards = int((run_side[first] == 1).sum())
        if backwards:
            raise DesignError(
                f"{counted(backwards, 'case')} {'begins' if backwards == 1 else 'begin'} with the treated phase.",
                where=roles.where,
                fix="Check the labels of the phases and the times.",
            )
        back = int((runs > 2).sum())
        if back:
            raise DesignError(
                f"{counted(back, 'case')} {'returns' if back == 1 else 'return'} to the baseline after the service.",
                where=roles.where,
                fix='Say design="abab" for phases that come back, or "alternating" where conditions change from '
                "session to session.",
            )
    opens = (run_side == 0) & np.r_[(run_side[1:] == 1) & (run_case[1:] == run_case[:-1]), False]
    number = np.full(len(run_case), -1, dtype=np.intp)
    number[opens] = np.arange(opens.sum())
    after = np.flatnonzero(opens) + 1
    number[after] = number[opens]
    without = np.bincount(run_case[opens], minlength=cases) == 0
    if without.any():
        raise DesignError(
            f"{counted(int(without.sum()), 'case')} never {'goes' if without.sum() == 1 else 'go'} from baseline to "
            "service.",
            where=roles.where,
            fix="Check the labels of the phases and the times.",
        )
    pair = number[run]
    alone = int((pair < 0).sum())
    if alone:
        notes.append(
            f"{counted(alone, 'session')} in phases without a partner {was(alone)} not compared: a baseline phase is "
            "compared with the treated one after it."
        )
    return pair, run_case[opens]


def _looks(found: Sessions, roles: CaseRoles, *, dated: bool) -> list[str]:
    """Return notes on phases that are short, starts that are the same and sessions that were missed."""
    notes = []
    sizes = np.array(
        [
            np.bincount(found.pair[(found.pair >= 0) & (found.treated == side)], minlength=len(found.pair_case))
            for side in (False, True)
        ]
    )
    short = len(np.unique(found.pair_case[(sizes < _SHORT).any(axis=0)]))
    if short:
        notes.append(
            f"{CHECK}{counted(short, 'case')} {'has' if short == 1 else 'have'} a phase of fewer than {_SHORT} "
            "measurements, from which no level and no trend can be told."
        )
    last = np.r_[np.diff(found.case) != 0, True]
    first = np.r_[True, np.diff(found.case) != 0]
    if roles.time is not None and not dated and (found.time == np.round(found.time)).all():
        missed = int((found.time[last] - found.time[first] + 1).sum()) - len(found.time)
        inside = counted(missed, "time")
        if missed and missed < len(found.time):
            notes.append(f'{inside} of "{roles.time}" between the first and the last of a case {was(missed)} not used.')
    if roles.design == "multiple_baseline":
        begin = np.full(len(found.ids), np.inf)
        np.minimum.at(begin, found.case[found.treated], found.time[found.treated])
        if len(begin) < 2 or len(np.unique(begin)) == 1:
            notes.append(
                f"{CHECK}a multiple baseline needs services that start at different times; here they do not differ, so "
                "anything else that happened then could be the cause."
            )
    return notes


def labels_of(value: object) -> tuple[str, ...]:
    """Return one or several phase labels as they are compared."""
    many = value if isinstance(value, (tuple, list)) else (value,)
    return tuple(key for key in map(label_key, many) if key is not None)
