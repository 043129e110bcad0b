"""The effects of a synthesis: one metric, no row twice, no standard error taken for a variance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweval.effects.one_metric import require_one_metric
from sweval.errors import DesignError
from sweval.frames import take, wrap
from sweval.models.base.complete_rows import CompleteRows, require_terms
from sweval.models.base.values import counted, is_number, keyed, label_key, missing, numbers, was
from sweval.models.engine.meta.blocks import Codes
from sweval.models.engine.ols import Array
from sweval.result import CHECK, COMPARABLE, SERVICES, Result

if TYPE_CHECKING:
    import pandas as pd

SIDE = "side"
"""Column that a table with service types need not have: whether the service is direct or indirect."""

_ALTERNATIVE = "_alternative"
_RESULT = ("study", "comparison", "outcome", "term")
_ALIKE = (0.7, 1.5)
"""Squared 'variances' within these factors of what the numbers of persons imply are standard errors."""
_MOST_VARIANCE = 0.2
"""Above it variances and standard errors are too alike to be told apart."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which columns play which part; see `Synthesis`."""

    effects: str
    variance: str | None
    std_error: str | None
    study: str
    effect: str | None
    metric: str | None
    outcome: str | None
    columns: tuple[str, ...]
    levels: tuple[str, ...]
    control: tuple[str, ...]
    where: str


@dataclass(frozen=True, kw_only=True)
class Effects:
    """The effects that are synthesised.

    Parameters
    ----------
    y, v
        Effects and sampling variances, shape (k,).
    w
        Variances free of the effect itself, where the table has them, otherwise `v`.
    study, studies
        Code of each effect's study, and the names of the studies.
    table
        Their rows, all columns.
    positions
        Their positions in the table that was given.
    metric
        What the effects are measured in; None where the table does not say.
    rows
        Rows of the table that was given.
    notes
        What was left out or is worth a look.
    """

    y: Array
    v: Array
    w: Array
    study: Codes
    studies: tuple[str, ...]
    table: pd.DataFrame
    positions: Codes
    metric: str | None
    rows: int
    notes: tuple[str, ...]


def take_effects(frame: Any, asked: Asked) -> Effects:
    """Choose and check the effects of a synthesis.

    Raises
    ------
    DataError
        If a column is not there.
    DesignError
        If effects are measured in different things, a row is there twice, a variance is impossible or is a standard
        error, or only one study is left.
    """
    frame = frame.tidy() if isinstance(frame, Result) else frame
    present = wrap(frame).collect_schema().names()
    spread = asked.variance or asked.std_error or "variance"
    derived = {SIDE} if SIDE not in present and "service" in present else set()
    roles = [asked.effect] if asked.effect else []
    levels = [name for name in asked.levels if name not in derived]
    wanted = [asked.effects, spread, asked.study, *roles, *levels, *asked.control]
    require_terms(
        frame,
        [n for n in asked.columns if n not in derived],
        outcome=asked.effects,
        where=asked.where,
        part="moderators",
    )
    take(frame, wanted, where=asked.where)
    table = take(frame, present, where=asked.where)
    if SIDE in derived:
        table[SIDE] = [SERVICES.get(label_key(value) or "") for value in table["service"]]
    rows = CompleteRows(table, where=asked.where)
    y, said = numbers(table[asked.effects], where=asked.where)
    v, more = numbers(table[spread], where=asked.where)
    rows.notes += [*said, *more]
    rows.leave_out(np.isnan(y), f'without a value in "{asked.effects}"')
    rows.leave_out(np.isnan(v), f'without a value in "{spread}"')
    _keep_asked(rows, asked)
    study, names, _ = keyed(table[asked.study], as_label=True)
    nameless = int((study[rows.keep] < 0).sum())
    if nameless:
        raise DesignError(
            f'{nameless} of {int(rows.keep.sum())} effects have no study in "{asked.study}".',
            where=asked.where,
            fix='Name the study of results of your own with result.in_study("Our trial") before joining them, fill the '
            'column, or name another one that tells studies apart, such as study="comparison".',
        )
    if SIDE in derived and SIDE in (*asked.columns, *asked.levels):
        nowhere = missing(table[SIDE]) & ~missing(table["service"])
        rows.leave_out(nowhere, f'whose "service" is none of {", ".join(SERVICES)}')
    rows.complete(dict.fromkeys([*asked.columns, *asked.levels]))
    rows.require_any()
    if len(set(study[rows.keep])) < 2:
        raise DesignError(
            "there is only one study, so how much studies vary cannot be seen.",
            where=asked.where,
            fix="Report it by itself, or name the column that tells studies apart.",
        )
    metric = _metric(table, rows, asked)
    keep, kept = rows.keep, rows.kept()
    _refuse_variances(
        v[keep], spread, is_error=asked.variance is None and asked.std_error is not None, where=asked.where
    )
    _refuse_repeated(kept, asked)
    _refuse_constant(kept, asked)
    if asked.std_error is not None:
        _refuse_variances_as_errors(kept, v[keep], spread, asked.where)
    if asked.variance is not None or asked.std_error is None:
        _refuse_errors_as_variances(kept, y[keep], v[keep], spread, metric, asked.where)
        variance = v[keep]
    else:
        variance = v[keep] ** 2
    codes, found = _renumbered(study[keep], names)
    return Effects(
        y=y[keep],
        v=variance,
        w=_weight_variance(kept, variance),
        study=codes,
        studies=found,
        table=kept,
        positions=np.flatnonzero(keep),
        metric=metric,
        rows=len(table),
        notes=(*rows.notes, *_metric_notes(metric, kept)),
    )


def _keep_asked(rows: CompleteRows, asked: Asked) -> None:
    """Keep the rows of the metric and outcome asked for, and no effect a second time under another assumption."""
    table = rows.table
    if "measure" in table:
        alternative = np.array([str(value).endswith(_ALTERNATIVE) for value in table["measure"]])
        rows.leave_out(
            alternative, "with an effect under an assumption that nobody chose (measure ends in _alternative)"
        )
    for column, value in (("metric", asked.metric), ("outcome", asked.outcome)):
        if value is not None and column in table:
            other = np.array([label_key(cell) != value for cell in table[column]])
            rows.leave_out(other, f'with another {column} than "{value}"')
    if asked.outcome is not None and "outcome" not in table:
        raise DesignError(
            f'effects on "{asked.outcome}" are asked for, but no column "outcome" says what each effect is on.',
            where=asked.where,
            fix="Call fit(frame) without an outcome.",
        )


def _metric(table: pd.DataFrame, rows: CompleteRows, asked: Asked) -> str | None:
    """Return the one metric of the effects that are left."""
    if "metric" not in table:
        return asked.metric
    held = [label_key(value) for value in table.loc[rows.keep, "metric"]]
    try:
        return require_one_metric(held, where=asked.where)
    except DesignError as error:
        if len(set(held) - {None}) < 2:
            raise
        likely = COMPARABLE if COMPARABLE in held else max(set(held) - {None}, key=held.count)
        raise DesignError(
            error.what, where=asked.where, fix=f'Say metric="{likely}" to take these effects and no others.'
        ) from error


def _metric_notes(metric: str | None, kept: pd.DataFrame) -> list[str]:
    """Say what nobody has checked: the metric of a table that names none, and kinds of effect under one metric."""
    if metric is None:
        return [
            'Nothing in the data says what the effects are measured in (a column "metric"); they were taken to be '
            "comparable."
        ]
    if "measure" not in kept:
        return []
    held = [label_key(value) or "unnamed" for value in kept["measure"]]
    counts = ", ".join(f"{name} ({held.count(name)})" for name in dict.fromkeys(held))
    return [f"The effects are of several kinds on one scale: {counts}."] if len(set(held)) > 1 else []


def _refuse_variances(v: Array, column: str, *, is_error: bool, where: str) -> None:
    """Refuse what is no variance."""
    bad = int((v <= 0).sum())
    if bad:
        what = "standard error" if is_error else "variance"
        raise DesignError(
            f'{counted(bad, what)} in "{column}" {was(bad)} zero or negative; no study is that sure.',
            where=where,
            fix="Compute them from the numbers of persons (see sweval.effects), or leave these effects out.",
        )


def _refuse_repeated(kept: pd.DataFrame, asked: Asked) -> None:
    """Refuse an effect that would count twice."""
    twice = int(kept.duplicated().sum())
    if twice:
        raise DesignError(
            f"{counted(twice, 'row')} {'repeats' if twice == 1 else 'repeat'} another row in every column, so an "
            "effect would count twice.",
            where=asked.where,
            fix="Remove the copies; if they are different effects, add a column that tells them apart.",
        )
    key = [asked.study, asked.effect] if asked.effect else [name for name in _RESULT if name in kept]
    named = asked.effect is not None or ("measure" in kept and set(_RESULT) <= set(kept.columns))
    again = int(kept.duplicated(subset=key).sum()) if named else 0
    if again and asked.effect:
        raise DesignError(
            f'{counted(again, "row")} {"has" if again == 1 else "have"} the same "{asked.study}" and '
            f'"{asked.effect}" as another.',
            where=asked.where,
            fix="Remove the copies, or number the effects of a study.",
        )
    if again and kept["measure"].nunique() > 1:
        raise DesignError(
            f"{counted(again, 'row')} {'gives' if again == 1 else 'give'} a result that is in the data already, under "
            "another measure.",
            where=asked.where,
            fix='Keep one measure of each result, such as tidy[tidy["measure"] == "hedges_g"].',
        )


def _refuse_constant(kept: pd.DataFrame, asked: Asked) -> None:
    """Refuse a moderator that cannot explain anything."""
    for name in asked.columns:
        if not missing(kept[name]).all() and _distinct(kept[name]) < 2:
            raise DesignError(
                f'"{name}" is the same for all {len(kept)} effects, so it can explain no difference between them.',
                where=asked.where,
                fix="Leave it out, or add studies that differ in it.",
            )


def _distinct(column: pd.Series) -> int:
    """Return how many different values a column has."""
    return int(column.nunique()) if is_number(column) else len(set(keyed(column, as_label=True)[0]))


def _refuse_errors_as_variances(
    kept: pd.DataFrame, y: Array, v: Array, column: str, metric: str | None, where: str
) -> None:
    """Refuse a column of variances that can only be standard errors."""
    fix = f'Say std_error="{column}".'
    if "std_error" in kept and column != "std_error":
        error = kept["std_error"].to_numpy(dtype=float, na_value=np.nan)
        told = np.isfinite(error) & (np.abs(error - 1) > 1e-6)
        if told.any() and np.allclose(v[told], error[told], rtol=1e-6):
            raise DesignError(f'"{column}" is equal to "std_error": it holds standard errors.', where=where, fix=fix)
    if {"conf_low", "conf_high"} <= set(kept.columns):
        width = (kept["conf_high"] - kept["conf_low"]).to_numpy(dtype=float, na_value=np.nan) / (2 * 1.96)
        if _are_errors(v, width**2):
            raise DesignError(
                f'the intervals fit "{column}" as standard errors, not as variances.', where=where, fix=fix
            )
    if "n" in kept and metric in (COMPARABLE, None) and is_number(kept["n"]):
        n = kept["n"].to_numpy(dtype=float, na_value=np.nan)
        implied = np.where(n > 3, 4 / np.maximum(n, 1), np.nan) + y**2 / np.where(n > 3, 2 * n, np.nan)
        if metric == COMPARABLE and _are_errors(v, implied):
            raise DesignError(
                f'"{column}" is far too large for variances of effects on so many persons ("n"), but just right for '
                "standard errors.",
                where=where,
                fix=f'{fix} If they are variances of heavily clustered trials, leave out the column "n".',
            )


def _refuse_variances_as_errors(kept: pd.DataFrame, error: Array, column: str, where: str) -> None:
    """Refuse a column of standard errors that the intervals show to be variances."""
    if {"conf_low", "conf_high"} <= set(kept.columns):
        half = (kept["conf_high"] - kept["conf_low"]).to_numpy(dtype=float, na_value=np.nan) / (2 * 1.96)
        known = np.isfinite(half) & (half > 0) & (half < np.sqrt(_MOST_VARIANCE))
        ratio = error[known] / half[known] ** 2
        alike = (ratio > _ALIKE[0]) & (ratio < _ALIKE[1]) & (2 * error[known] < half[known])
        if known.sum() >= 3 and alike.all():
            raise DesignError(
                f'the intervals fit "{column}" as variances, not as standard errors.',
                where=where,
                fix=f'Say variance="{column}".',
            )


def _are_errors(v: Array, implied: Array) -> bool:
    """Tell whether the squares of three or more numbers are what they should be, and the numbers far above."""
    known = np.isfinite(implied) & (implied > 0) & (implied < _MOST_VARIANCE)
    if known.sum() < 3:
        return False
    ratio = v[known] ** 2 / implied[known]
    return bool(((ratio > _ALIKE[0]) & (ratio < _ALIKE[1])).all() and (v[known] > 2 * implied[known]).all())


def _weight_variance(kept: pd.DataFrame, v: Array) -> Array:
    """Return the variances free of the effect, where every row has one."""
    if "weight_variance" not in kept or not is_number(kept["weight_variance"]):
        return v
    w = kept["weight_variance"].to_numpy(dtype=float, na_value=np.nan)
    return w if np.isfinite(w).all() and (w > 0).all() else v


def _renumbered(codes: Codes, names: Sequence[str]) -> tuple[Codes, tuple[str, ...]]:
    """Return codes 0, 1, ... in order of appearance, and their names."""
    _, first, label = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.arange(len(order))
    return place[label], tuple(names[codes[at]] for at in np.sort(first))


def codes_of(kept: pd.DataFrame, columns: Iterable[str]) -> Codes:
    """Return one code for each combination of the columns' values."""
    joined = np.zeros(len(kept), dtype=np.intp)
    for name in columns:
        codes = keyed(kept[name], as_label=True)[0]
        _, joined = np.unique(joined * (codes.max() + 2) + codes + 1, return_inverse=True)
        joined = joined.astype(np.intp)
    return joined


def moderator_notes(effects: Effects, columns: Iterable[str], study: str) -> list[str]:
    """Say for each moderator whether studies or effects differ in it: what its coefficient compares."""
    notes = []
    for name in columns:
        codes = codes_of(effects.table, [name])
        pairs = np.unique(np.column_stack([effects.study, codes]), axis=0)
        several = int((np.bincount(pairs[:, 0]) > 1).sum())
        if several == 0:
            notes.append(
                f'"{name}" differs between studies only, so its effect rests on comparing studies, which differ in '
                "other ways too."
            )
        elif not is_number(effects.table[name]):
            notes.append(f'In {several} of {len(effects.studies)} studies effects differ in "{name}".')
        labels = [] if is_number(effects.table[name]) else keyed(effects.table[name], as_label=True)[1]
        per = np.bincount(pairs[:, 1])
        lonely = [label for label, count in zip(labels, per, strict=False) if count == 1]
        if lonely and len(labels) == len(per):
            named = ", ".join(f'"{label}"' for label in lonely)
            notes.append(f'{CHECK}only one study has {named} in "{name}"; its mean is that study\'s.')
    return notes
