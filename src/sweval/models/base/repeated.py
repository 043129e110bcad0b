"""Repeated waves of clients in two arms: which rows are used, and who is seen when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError
from sweval.frames import take
from sweval.models.base.long import (
    _covariate_rows,
    _fixed_rows,
    _refuse_other_columns,
    _rows_at,
    _taken,
    refuse_duplicates,
)
from sweval.models.base.roles import Roles
from sweval.models.base.sample import (
    _NO_ARM,
    _OTHER,
    _TREATED,
    _arms,
    _check_clusters,
    _refuse_double_parts,
    _renumbered,
    _Rows,
)
from sweval.models.base.terms import Read, read_columns
from sweval.models.base.timeline import Timeline, quoted, timeline
from sweval.models.base.values import counted, keyed, label_key, missing, missing_code, numbers, was
from sweval.result import CHECK

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
Mask = NDArray[np.bool_]

_SHOWN_PATTERNS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Repeated:
    """The rows of an analysis of growth: n rows of C clients at W waves, without missing values.

    Parameters
    ----------
    y, wave, client
        Outcome, number of the wave in time (0 = baseline) and number of the client of every row, shape (n,).
    labels, times
        Names of the waves in time, and their times counted from the baseline (None where they have none).
    treated
        Whether each client is in the treated arm, shape (C,).
    cluster
        Code of each client's cluster, shape (C,), or None.
    covariates
        The covariates of every client, as numbers or levels.
    client_ids, cluster_ids
        Ids in the order of the codes.
    rows
        Rows that were looked at.
    notes
        What was left out or changed, how many, and why; then who was seen when.
    """

    y: Array
    wave: Codes
    client: Codes
    labels: tuple[str, ...]
    times: tuple[float, ...] | None
    treated: Mask
    cluster: Codes | None
    covariates: Read
    client_ids: Sequence[str]
    cluster_ids: Sequence[str]
    rows: int
    notes: tuple[str, ...]

    @property
    def seen(self) -> Mask:
        """Return whether each client has a value at each wave, shape (C, W)."""
        out = np.zeros((len(self.treated), len(self.labels)), dtype=bool)
        out[self.client, self.wave] = True
        return out

    def at(self, wave: int) -> tuple[Array, Codes]:
        """Return the values at a wave, and the clients who have them."""
        rows = np.flatnonzero(self.wave == wave)
        return self.y[rows], self.client[rows]


def repeated(frame: Any, outcome: str, roles: Roles, *, times: Mapping[str, float], need_times: bool) -> Repeated:
    """Choose the rows of clients at their waves.

    Parameters
    ----------
    frame
        Any supported data frame.
    outcome
        Column of the outcome.
    roles
        Which column plays which part; client, wave and arms must be named.
    times, need_times
        As in `timeline`.

    Raises
    ------
    DataError
        If a column is not there.
    DesignError
        If a client changes arm or cluster or has two rows at a wave, the waves cannot be put in time, or too little is
        left.
    """
    _refuse_double_parts(outcome, roles)
    columns = [outcome, *roles.fixed_columns().values(), str(roles.client), str(roles.wave), *roles.covariates]
    table = take(frame, columns, where=roles.where)
    if table.empty:
        raise DesignError("the data have no rows.", where=roles.where)
    notes: list[str] = []
    wave, line = _waves(table, roles, notes, times=times, need_times=need_times)
    client, ids, _ = keyed(table[roles.client], as_label=False)
    _say(notes, (wave >= 0) & (client < 0), f'without a client id in "{roles.client}"')
    rows = np.flatnonzero((wave >= 0) & (client >= 0))
    _refuse_repeats(table, client, wave, rows, roles)
    people = _Rows(len(ids), "client", roles, notes)
    fixed = _fixed(table, client, rows, people, roles, notes)
    at_baseline = _rows_at(client, wave, 0, len(ids))
    covariates = _covariates(table, client, rows, at_baseline, people, roles, notes)
    y, said = numbers(table[outcome], where=roles.where)
    notes += said
    found = missing_code(y[rows])
    if found is not None:
        notes.append(
            f'{CHECK}"{outcome}" is {found[0]:g} in {counted(found[1], "row")}, far from all other values. If that is '
            f"a code for no answer, declare it: missing = [{found[0]:g}]."
        )
    rows = rows[people.keep[client[rows]]]
    without = np.isnan(y[rows])
    _say(notes, without, f'without a value in "{outcome}"')
    rows = rows[~without]
    valued = np.zeros(len(ids), dtype=bool)
    valued[client[rows]] = True
    people.leave_out(~valued, f'without any value in "{outcome}"')
    who = np.flatnonzero(people.keep)
    renumbered = np.full(len(ids), -1, dtype=np.intp)
    renumbered[who] = np.arange(len(who))
    cluster, cluster_ids = fixed.cluster, fixed.cluster_ids
    sample = Repeated(
        y=y[rows],
        wave=wave[rows],
        client=renumbered[client[rows]],
        labels=line.labels,
        times=line.times,
        treated=fixed.arms[who] == _TREATED,
        cluster=None if cluster is None else _renumbered(cluster[who]),
        covariates=read_columns(
            roles.covariates, covariates.iloc[who].reset_index(drop=True), where=f"{roles.where}, covariates"
        ),
        client_ids=ids if len(who) == len(ids) else [ids[k] for k in who.tolist()],
        cluster_ids=[] if cluster is None else [cluster_ids[k] for k in np.unique(cluster[who]).tolist()],
        rows=len(table),
        notes=(),
    )
    _check(sample, outcome, roles)
    return _noted(sample, notes, roles)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fixed:
    """Arm and cluster of every client."""

    arms: Codes
    cluster: Codes | None
    cluster_ids: Sequence[str]


def _waves(
    table: pd.DataFrame, roles: Roles, notes: list[str], *, times: Mapping[str, float], need_times: bool
) -> tuple[Codes, Timeline]:
    """Return the number of every row's wave in time, -1 where it is not used."""
    codes, labels, trimmed = keyed(table[roles.wave], as_label=True)
    _refuse_other_columns(codes, labels, roles)
    line = timeline(table[roles.wave], codes, labels, roles, times=times, need_times=need_times)
    if trimmed:
        notes.append(f'In {counted(trimmed, "row")} extra spaces in "{roles.wave}" were ignored.')
    notes += line.notes
    wave = line.place[codes]
    _say(notes, codes < 0, f'without a value in "{roles.wave}"')
    _say(notes, (codes >= 0) & (wave < 0), f"at other waves ({quoted(line.unused)})")
    return wave, line


def _say(notes: list[str], mask: Mask, why: str) -> None:
    """Add a note on rows that are left out."""
    count = int(mask.sum())
    if count:
        notes.append(f"{counted(count, 'row')} {why} {was(count)} left out.")


def _refuse_repeats(table: pd.DataFrame, client: Codes, wave: Codes, rows: Codes, roles: Roles) -> None:
    """Refuse two rows of a client at a wave; say so where ids start anew in each cluster."""
    used = np.zeros(len(client), dtype=bool)
    used[rows] = True
    try:
        refuse_duplicates(client, wave, used, (roles.client, roles.wave), where=roles.where)
    except DesignError as error:
        if roles.cluster is None:
            raise
        cluster, labels, _ = keyed(table[roles.cluster], as_label=False)
        place = (client[rows] * np.intp(len(labels) + 1) + cluster[rows]) * np.intp(wave.max() + 1) + wave[rows]
        if len(np.unique(place)) < len(place):
            raise
        raise DesignError(
            f'ids in "{roles.client}" occur in more than one "{roles.cluster}", as if they started anew in each.',
            where=roles.where,
            fix=f'Make them unique first, for example by joining "{roles.cluster}" and "{roles.client}" in one column.',
        ) from error


def _fixed(table: pd.DataFrame, client: Codes, rows: Codes, people: _Rows, roles: Roles, notes: list[str]) -> _Fixed:
    """Return arm and cluster of every client, which must not change; leave out clients without them."""
    count = len(people.keep)
    everywhere = np.flatnonzero(client >= 0)
    at, said = _fixed_rows(table[roles.arm], client, rows, everywhere, count, roles)
    notes += said
    arms = people.arms = _arms(_taken(table[roles.arm], at), "client", roles, notes)
    people.leave_out(arms == _OTHER, f'in other arms of "{roles.arm}"', by_arm=False)
    people.leave_out(arms == _NO_ARM, f'without a value in "{roles.arm}"', by_arm=False)
    present = np.zeros(count, dtype=bool)
    present[client[rows]] = True
    people.leave_out(~present, "without a row at the waves in use")
    if roles.cluster is None:
        return _Fixed(arms=arms, cluster=None, cluster_ids=())
    at, said = _fixed_rows(table[roles.cluster], client, rows, everywhere, count, roles)
    notes += said
    cluster, ids, trimmed = keyed(_taken(table[roles.cluster], at), as_label=False)
    if trimmed:
        notes.append(f'For {counted(trimmed, "client")} extra spaces in "{roles.cluster}" were ignored.')
    people.leave_out(cluster < 0, f'without a value in "{roles.cluster}" (no cluster)')
    return _Fixed(arms=arms, cluster=cluster, cluster_ids=ids)


def _covariates(
    table: pd.DataFrame,
    client: Codes,
    rows: Codes,
    at_baseline: Codes,
    people: _Rows,
    roles: Roles,
    notes: list[str],
) -> pd.DataFrame:
    """Return every client's covariates, that of the baseline where one changes; leave out clients without them."""
    import pandas as pd

    found = {}
    for name in roles.covariates:
        at, said = _covariate_rows(table[name], client, rows, at_baseline)
        notes += said
        found[name] = _taken(table[name], at)
        people.leave_out(missing(found[name]), f'without a value in "{name}"')
    return pd.DataFrame(found, index=range(len(people.keep)))


def _check(sample: Repeated, outcome: str, roles: Roles) -> None:
    """Refuse data that cannot show how the arms grow apart."""
    first, last = sample.labels[0], sample.labels[-1]
    seen = sample.seen
    for arm, side in ((roles.treated, sample.treated), (roles.control, ~sample.treated)):
        for number, label in ((0, first), (-1, last)):
            count = int(seen[side, number].sum())
            if count < 2:
                raise DesignError(
                    f'at the {"last " if number else ""}wave "{label}" {counted(count, "client")} of '
                    f'"{label_key(arm)}" {"has" if count == 1 else "have"} a value in "{outcome}"; 2 are needed.',
                    where=roles.where,
                    fix="Name waves at which both arms were measured, with baseline and outcome_wave.",
                )
    if not (seen.sum(axis=1) > 1).any():
        raise DesignError(
            f'no client of "{roles.client}" has values at two waves, so nobody is seen to change.',
            where=roles.where,
            fix="Name the column in which a client has the same id at all waves.",
        )
    if sample.y.min() == sample.y.max():
        raise DesignError(f'"{outcome}" has the same value in all {len(sample.y)} usable rows.', where=roles.where)
    if sample.cluster is not None:
        _check_clusters(sample.cluster, sample.treated, roles)


def _noted(sample: Repeated, notes: list[str], roles: Roles) -> Repeated:
    """Return the sample with notes on who was seen when, and on dropout by arm."""
    seen, labels = sample.seen, sample.labels
    arms = ((label_key(roles.treated), sample.treated), (label_key(roles.control), ~sample.treated))
    at_each = [
        f'"{label}" {seen[:, k].sum()} ({", ".join(f"{name}: {seen[side, k].sum()}" for name, side in arms)})'
        for k, label in enumerate(labels)
    ]
    said = [f"Clients with a value, by wave: {'; '.join(at_each)}."]
    whole = seen.all(axis=1)
    if not whole.all():
        patterns, counts = np.unique(seen @ (1 << np.arange(len(labels))), return_counts=True)
        common = np.argsort(-counts, kind="stable")
        shown = [
            f"{counts[k]} at {' + '.join(label for bit, label in enumerate(labels) if patterns[k] >> bit & 1)}"
            for k in common[:_SHOWN_PATTERNS]
        ]
        rest = int(counts[common[_SHOWN_PATTERNS:]].sum())
        single = int((seen.sum(axis=1) == 1).sum())
        said.append(
            f"Of {len(seen)} clients {whole.sum()} have all {len(labels)} waves and {single} one only; all are used. "
            f"Waves seen: {'; '.join(shown)}{f'; {rest} at others' if rest else ''}."
        )
        lost = " and ".join(
            f'{(~seen[side, -1]).sum()} of {side.sum()} clients ({(~seen[side, -1]).mean():.0%}) of "{name}"'
            for name, side in arms
        )
        said.append(
            f'At "{labels[-1]}" there is no value of {lost}. The estimates hold if, given the values that were seen, '
            "those who left would have gone on like those who stayed (missing at random)."
        )
    return replace(sample, notes=(*notes, *said, *_both_arms(sample, roles)))


def _both_arms(sample: Repeated, roles: Roles) -> list[str]:
    """Return a note on clusters with clients of both arms; a warning where they are the exception."""
    if sample.cluster is None:
        return []
    count = int(sample.cluster.max()) + 1
    treated = np.bincount(sample.cluster[sample.treated], minlength=count)
    smaller = np.minimum(treated, np.bincount(sample.cluster, minlength=count) - treated)
    both = int((smaller > 0).sum())
    if not both:
        return []
    said = f'{both} of {count} "{roles.cluster}" {"has" if both == 1 else "have"} clients of both arms'
    if 2 * both > count:
        return [f'{said}, so clients count as assigned, not whole "{roles.cluster}".']
    return [
        f"{CHECK}{said}, {smaller.sum()} of them in the smaller arm. Clients then count as assigned, not whole "
        f'"{roles.cluster}"; if whole ones were, correct "{roles.arm}" there.'
    ]
