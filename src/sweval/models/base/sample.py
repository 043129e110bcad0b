"""The one place where the rows of an analysis are chosen: who is in which arm, who is left out, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError, did_you_mean
from sweval.frames import take, wrap
from sweval.models.base.long import Occasion, occasions
from sweval.models.base.roles import Roles
from sweval.models.base.terms import encode
from sweval.models.base.values import counted, keyed, label_key, missing, missing_code, numbers, was
from sweval.result import CHECK

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The rows of one analysis as plain arrays, all of length n, without missing values.

    Parameters
    ----------
    outcome
        Label of the outcome; `phq9_total at post` where several waves are analysed.
    y
        Outcome values.
    treated
        True in the treated arm; None where there is no comparison.
    baseline
        Baseline values, or None.
    covariates
        Shape (n, q), categories as columns of 0 and 1, without the baseline.
    covariate_names
        Names of these q columns.
    baseline_name
        What to call the baseline.
    cluster
        Codes 0 .. J-1, or None.
    group
        Codes 0 .. k-1, -1 in the control arm, or None.
    rows
        Rows (clients, where waves were joined) that were looked at.
    notes
        What was left out or changed, how many, and why.
    """

    outcome: str
    y: Array
    treated: NDArray[np.bool_] | None
    baseline: Array | None
    baseline_name: str | None
    covariates: Array
    covariate_names: tuple[str, ...]
    cluster: Codes | None
    group: Codes | None
    rows: int
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Return the number of rows used."""
        return len(self.y)

    @property
    def adjusters(self) -> tuple[Array, tuple[str, ...]]:
        """Return baseline and covariates as one matrix (n, q), with names."""
        if self.baseline is None:
            return self.covariates, self.covariate_names
        return np.column_stack([self.baseline, self.covariates]), (str(self.baseline_name), *self.covariate_names)

    def arms(self, *, where: str) -> NDArray[np.bool_]:
        """Return `treated`, which a comparison always has."""
        if self.treated is None:
            raise DesignError("the analysis needs two arms.", where=where, fix="Name arm, treated and control.")
        return self.treated

    def before(self, *, where: str) -> Array:
        """Return `baseline`, which a change always has."""
        if self.baseline is None:
            raise DesignError("a change needs the values before.", where=where, fix="Name the wave or column before.")
        return self.baseline

    def groups(self, *, where: str) -> Codes:
        """Return `group`, which a partially nested analysis always has."""
        if self.group is None:
            raise DesignError("the analysis needs groups.", where=where, fix="Name the column of the groups.")
        return self.group

    def clusters(self, *, where: str) -> Codes:
        """Return `cluster`, which a clustered analysis always has."""
        if self.cluster is None:
            raise DesignError("the analysis needs clusters.", where=where, fix="Name the column of the clusters.")
        return self.cluster


def draw(frame: Any, outcome: str, roles: Roles) -> list[Sample]:
    """Choose the rows of an analysis; one sample per outcome wave.

    Parameters
    ----------
    frame
        Any supported data frame.
    outcome
        Column of the outcome.
    roles
        Which column plays which part.

    Raises
    ------
    DataError
        If a column is not there.
    DesignError
        If the data do not identify the effect, or values are not what their part needs.
    """
    present = wrap(frame).collect_schema().names()
    _refuse_double_parts(outcome, roles)
    table = take(frame, roles.columns(outcome, present), where=roles.where)
    if table.empty:
        raise DesignError("the data have no rows.", where=roles.where)
    found = occasions(table, outcome, roles)
    samples = []
    for occasion in found:
        label = f"{outcome} at {occasion.label}" if len(found) > 1 else outcome
        samples.append(_select(occasion, outcome, label, roles))
    return samples


def _select(occasion: Occasion, outcome: str, label: str, roles: Roles) -> Sample:
    """Leave out what cannot be used, say so, and check that the rest identifies an effect."""
    table, notes, where = occasion.table, list(occasion.notes), roles.where
    y, said = numbers(table["outcome"].rename(outcome), where=where)
    notes += said
    rows = _Rows(len(table), "client" if roles.client else "row", roles, notes)
    at = f" at {occasion.label}" if occasion.label is not None else ""
    found = missing_code(y)
    if found is not None:
        notes.append(
            f'{CHECK}"{outcome}" is {found[0]:g} in {counted(found[1], rows.unit)}, far from all other values. '
            f"If that is a code for no answer, declare it: missing = [{found[0]:g}]."
        )
    if roles.arm is not None:
        rows.arms = _arms(table["arm"].rename(roles.arm), rows.unit, roles, notes)
        others = int((rows.arms == _OTHER).sum())
        rows.leave_out(rows.arms == _OTHER, f'in other arms of "{roles.arm}"', by_arm=False)
        rows.leave_out(rows.arms == _NO_ARM, f'without a value in "{roles.arm}"', by_arm=False)
        if others == len(table):
            raise DesignError(f'no row is in the two arms of "{roles.arm}".', where=where)
    rows.leave_out(np.isnan(y), f'without a value in "{outcome}"{at}')
    baseline, baseline_name = None, occasion.baseline
    if "baseline" in table:
        baseline, said = numbers(table["baseline"].rename(baseline_name), where=where)
        notes += said
        rows.leave_out(np.isnan(baseline), f'without a baseline ("{baseline_name}")')
    for name in roles.covariates:
        rows.leave_out(missing(table[f"covariate {name}"]), f'without a value in "{name}"')
    cluster = group = None
    if roles.cluster is not None:
        cluster, _, trimmed = keyed(table["cluster"], as_label=False)
        if trimmed:
            notes.append(f'For {counted(trimmed, rows.unit)} extra spaces in "{roles.cluster}" were ignored.')
        if (cluster < 0).all():
            raise DesignError(f'"{roles.cluster}" holds no value, so no row belongs to a cluster.', where=where)
        rows.leave_out(cluster < 0, f'without a value in "{roles.cluster}" (no cluster)')
    if roles.group is not None:
        group = _groups(table["group"], cluster, rows, roles)
    keep = rows.keep
    treated = None if rows.arms is None else rows.arms[keep] == _TREATED
    kept = table[keep].reset_index(drop=True)
    covariates = kept[[f"covariate {name}" for name in roles.covariates]].set_axis(list(roles.covariates), axis=1)
    _check(y[keep], treated, outcome, roles)
    if ((y[keep] == y[keep].min()) | (y[keep] == y[keep].max())).all():
        notes.append(f'"{outcome}" takes two values only; differences of its mean are treated as those of any number.')
    encoded = encode([(name,) for name in roles.covariates], covariates, where=where)
    sample = Sample(
        outcome=label,
        y=y[keep],
        treated=treated,
        baseline=None if baseline is None else baseline[keep],
        baseline_name=baseline_name,
        covariates=encoded.X[:, 1:],
        covariate_names=encoded.names[1:],
        cluster=None if cluster is None else _renumbered(cluster[keep]),
        group=None if group is None else _renumbered(group[keep]),
        rows=len(table) + occasion.unlinked,
        notes=(*notes, *encoded.notes),
    )
    if sample.cluster is not None:
        _check_clusters(sample.cluster, treated, roles)
    return sample


_TREATED, _CONTROL, _OTHER, _NO_ARM = 1, 0, -1, -2
_MOST_ARMS = 12


class _Rows:
    """Which rows are still in, and the notes on those that are not."""

    def __init__(self, count: int, unit: str, roles: Roles, notes: list[str]) -> None:
        self.keep = np.ones(count, dtype=bool)
        self.arms: Codes | None = None
        self.unit, self._roles, self._notes = unit, roles, notes

    def leave_out(self, mask: NDArray[np.bool_], why: str, *, by_arm: bool = True) -> None:
        """Leave rows out, with a note on how many and in which arm."""
        lost = mask & self.keep
        self.keep &= ~mask
        if not lost.any():
            return
        count = int(lost.sum())
        split = ""
        if by_arm and self.arms is not None:
            treated = int((self.arms[lost] == _TREATED).sum())
            split = (
                f" ({label_key(self._roles.treated)}: {treated}, {label_key(self._roles.control)}: {count - treated})"
            )
        self._notes.append(f"{counted(count, self.unit)} {why} {was(count)} left out{split}.")


def _arms(column: pd.Series, unit: str, roles: Roles, notes: list[str]) -> Codes:
    """Return 1 = treated, 0 = control, -1 = another arm, -2 = missing."""
    codes, labels, trimmed = keyed(column, as_label=True)
    counts = np.bincount(codes[codes >= 0], minlength=len(labels))
    if len(labels) > _MOST_ARMS:
        raise DesignError(
            f'"{roles.arm}" holds {len(labels)} different values; this is not a column of arms.',
            where=roles.where,
            fix="Name the column that says who was offered the program.",
        )
    listed = ", ".join(f'"{label}" ({count})' for label, count in zip(labels, counts, strict=True))
    out = np.full(len(codes), _OTHER, dtype=np.intp)
    out[codes < 0] = _NO_ARM
    wanted = {"treated": label_key(roles.treated), "control": label_key(roles.control)}
    if wanted["treated"] == wanted["control"]:
        raise DesignError(f'treated and control are the same label "{wanted["treated"]}".', where=roles.where)
    for part, label in wanted.items():
        if label not in labels:
            raise DesignError(
                f'no row of "{roles.arm}" is "{label}" ({part}). Its labels are {listed or "all missing"}.',
                where=roles.where,
                fix=did_you_mean(str(label), labels) if labels else None,
            )
        alike = [other for other in labels if other != label and other.casefold() == label.casefold()]
        if alike:
            raise DesignError(
                f'labels of "{roles.arm}" differ only in capital letters: {listed}.',
                where=roles.where,
                fix="Write each arm the same way in all rows.",
            )
        out[codes == labels.index(label)] = _TREATED if part == "treated" else _CONTROL
    if trimmed:
        notes.append(f'For {counted(trimmed, unit)} extra spaces in "{roles.arm}" were ignored.')
    return out


def _groups(column: pd.Series, cluster: Codes | None, rows: _Rows, roles: Roles) -> Codes:
    """Return group codes, unique across clusters; only the treated arm may have groups."""
    codes, _, trimmed = keyed(column, as_label=False)
    if trimmed:
        rows._notes.append(f'For {counted(trimmed, rows.unit)} extra spaces in "{roles.group}" were ignored.')
    treated = rows.arms == _TREATED
    strays = int((rows.keep & ~treated & (codes >= 0)).sum())
    if strays:
        raise DesignError(
            f'{strays} clients of the control arm "{label_key(roles.control)}" have a value in "{roles.group}".',
            where=roles.where,
            fix="Make it missing if they were in no group. If they were in groups too, use ClusterTrial "
            f'(or TwoGroup) with cluster="{roles.group}".',
        )
    rows.leave_out(treated & (codes < 0), f'without a value in "{roles.group}" (no group)')
    if cluster is not None:
        used = rows.keep & treated
        pairs = np.unique(np.column_stack([codes[used], cluster[used]]), axis=0)
        reused = int((np.bincount(pairs[:, 0]) > 1).sum()) if len(pairs) else 0
        if reused:
            rows._notes.append(
                f'{reused} of the ids in "{roles.group}" occur in several "{roles.cluster}"; taken as different groups.'
            )
        codes = np.where(codes < 0, -1, codes * (int(cluster.max()) + 1) + cluster)
    return codes


def _renumbered(codes: Codes) -> Codes:
    """Return codes 0, 1, 2, ... in the same order; -1 stays."""
    values, inverse = np.unique(codes, return_inverse=True)
    return inverse.astype(np.intp) - int((values < 0).sum())


def _check(y: Array, treated: NDArray[np.bool_] | None, outcome: str, roles: Roles) -> None:
    """Refuse arms that are too small and an outcome that does not vary."""
    if treated is not None:
        for label, count in ((roles.treated, treated.sum()), (roles.control, (~treated).sum())):
            if count < 2:
                raise DesignError(
                    f'"{roles.arm}" has {counted(int(count), "usable row")} of "{label_key(label)}"; 2 are needed.',
                    where=roles.where,
                    fix="Look at the labels of the arms and at missing values.",
                )
    if len(y) < 2:
        raise DesignError(f'only {len(y)} usable rows are left for "{outcome}".', where=roles.where)
    if y.max() == y.min():
        raise DesignError(f'"{outcome}" has the same value in all {len(y)} usable rows.', where=roles.where)


def _check_clusters(cluster: Codes, treated: NDArray[np.bool_] | None, roles: Roles) -> None:
    """Refuse clusters that do not let an effect be told from themselves."""
    count = int(cluster.max()) + 1
    if count < 2:
        raise DesignError(
            f'all usable rows are in one "{roles.cluster}", so its effect cannot be told from that of the program.',
            where=roles.where,
            fix="More clusters are needed; or describe this one without a comparison.",
        )
    if treated is None:
        return
    has = [np.isin(np.arange(count), cluster[side]) for side in (treated, ~treated)]
    both = has[0] & has[1]
    if roles.nested and both.any():
        raise DesignError(
            f'{int(both.sum())} of {count} "{roles.cluster}" have clients in both arms, so the arms were not assigned '
            "to whole clusters.",
            where=roles.where,
            fix=f'If clients were assigned within clusters, use TwoGroup with cluster="{roles.cluster}"; '
            "otherwise correct the arm.",
        )
    for side, label in zip(has, (roles.treated, roles.control), strict=True):
        if not both.any() and side.sum() < 2:
            raise DesignError(
                f'the arm "{label_key(label)}" has one "{roles.cluster}" only, so the effect cannot be told from the '
                "cluster.",
                where=roles.where,
                fix="At least two clusters in each arm are needed, better four or more.",
            )


def _refuse_double_parts(outcome: str, roles: Roles) -> None:
    """Refuse one column in two parts."""
    parts = {"outcome": outcome, **roles.fixed_columns(), "client": roles.client, "wave": roles.wave}
    if roles.wave is None:
        parts["baseline"] = roles.baseline if isinstance(roles.baseline, str) else None
    seen: dict[str, str] = {}
    for part, column in [*parts.items(), *(("covariates", name) for name in roles.covariates)]:
        if column is not None and column in seen:
            raise DesignError(
                f'"{column}" is named both as {seen[column]} and as {part}.', where=roles.where, fix="Name two columns."
            )
        if column is not None:
            seen[column] = part
