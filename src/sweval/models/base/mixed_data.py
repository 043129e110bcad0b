"""From a data frame to the arrays of a mixed model: complete rows, coded terms, units, and what was done to them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError, did_you_mean
from sweval.frames import wrap
from sweval.models.base.complete_rows import CompleteRows, require_terms, take_rows
from sweval.models.base.grouping import Grouping, group, refuse_reused
from sweval.models.base.mixed_checks import refuse_doubles, refuse_unidentified, refuse_without_variation
from sweval.models.base.mixed_design import MixedDesign, RandomPart, row_labels
from sweval.models.base.random_terms import RandomTerm, effect_columns, random_columns
from sweval.models.base.residual_terms import ResidualTerms
from sweval.models.base.terms import Read, Term, columns_of, read_columns, term_columns
from sweval.models.base.values import counted, keyed, label_key, levels, numbers
from sweval.models.engine.mixed.model import Factor, Residual

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class MixedRequest:
    """What a mixed model asks of the data.

    Parameters
    ----------
    outcome, terms, random, residual
        The model.
    weights
        Column of prior weights.
    reference
        Column -> reference level.
    crossed
        Factors whose ids mean the same unit wherever they occur.
    wave, waves
        Column of waves, and those that are analysed (all where none is named).
    where
        What to call the model in an error.
    """

    outcome: str
    terms: tuple[Term, ...]
    random: tuple[RandomTerm, ...]
    residual: ResidualTerms
    weights: str | None
    reference: Mapping[str, object]
    crossed: tuple[str, ...]
    wave: str | None
    waves: tuple[object, ...]
    where: str


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedData:
    """Arrays for the engine, and the words for them.

    Parameters
    ----------
    y, X, factors, residual, weights
        As `mixed_fit` takes them.
    design
        Names of all columns, levels, units.
    groupings
        Units of every factor, then those within which residuals correlate.
    classes
        Labels of the residual classes or occasions, in the order of the engine.
    rows
        Rows that were looked at.
    notes
        What was left out or changed, how many rows, and why.
    """

    y: Array
    X: Array
    factors: tuple[Factor, ...]
    residual: Residual
    weights: Array | None
    design: MixedDesign
    groupings: tuple[Grouping, ...]
    classes: tuple[str, ...]
    rows: int
    notes: tuple[str, ...]


def mixed_data(frame: Any, request: MixedRequest, *, model: str) -> MixedData:
    """Choose rows, code terms and number units.

    Parameters
    ----------
    frame
        Any supported data frame.
    request
        The model in column names.
    model
        The model in one line.

    Raises
    ------
    DataError
        If a column is not there.
    DesignError
        If the values are not what their part needs, ids were used again, or no variance can be estimated.
    """
    where = request.where
    present = wrap(frame).collect_schema().names()
    fixed = columns_of(request.terms)
    varying = [effect_columns(term, present) for term in request.random]
    require_terms(frame, fixed, outcome=request.outcome, where=where, part="fixed")
    require_terms(frame, itertools.chain(*varying), outcome=request.outcome, where=where, part="random")
    names = tuple(dict.fromkeys([*fixed, *itertools.chain(*varying)]))
    units = [term.factor for term in request.random] + ([request.residual.unit] if request.residual.unit else [])
    if request.outcome in itertools.chain(*units):
        raise DesignError(f'"{request.outcome}" is both the outcome and a grouping column.', where=where)
    own = [c for c in (request.residual.classes, request.residual.occasion, request.weights) if c is not None]
    waves = [request.wave] if request.waves and request.wave is not None else []
    table = take_rows(frame, [request.outcome, *names, *itertools.chain(*units), *own, *waves], where=where)
    rows = CompleteRows(table, where=where)
    rows.at_waves(request.wave, request.waves)
    y = rows.outcome(request.outcome)
    rows.complete(dict.fromkeys([*names, *(c for c in own if c != request.weights)]))
    weights = rows.weights(request.weights)
    groupings = _units(table, units, rows)
    _require_units(rows, groupings, request, varying)
    rows.require_any()
    kept = rows.kept()
    if y[rows.keep].min() == y[rows.keep].max():
        raise DesignError(f'"{request.outcome}" has the same value in all {len(kept)} usable rows.', where=where)
    read = read_columns(names, kept, reference=_known(request.reference, names, request), where=f"{where}, fixed")
    blocks = term_columns(request.terms, read.numeric, read.coded, rows=len(kept), where=f"{where}, fixed")
    groupings = [own.at(rows.keep) for own in groupings]
    notes = [*rows.notes, *read.notes]
    factors, parts = [], []
    for number, term in enumerate(request.random):
        columns = random_columns(term, read, rows=len(kept), where=f'{where}, random "{term.name}"')
        Z = np.column_stack([values for _, _, values in columns])
        if not term.intercept:
            groupings[number] = groupings[number].only((Z != 0).any(axis=1))
        found = groupings[number]
        factors.append(Factor(found.codes, Z, "diagonal" if term.diagonal else "full"))
        parts.append(
            RandomPart(
                name=term.name,
                columns=term.factor,
                keys=found.keys,
                names=tuple(label for label, _, _ in columns),
                terms=tuple(owner for _, owner, _ in columns),
            )
        )
    refuse_reused(groupings, request.crossed, where=where)
    X = np.column_stack([values for _, _, values in blocks])
    refuse_doubles(groupings, request.random, request.residual, where=where)
    refuse_without_variation(y[rows.keep], X, (groupings, factors), outcome=request.outcome, where=where)
    refuse_unidentified(groupings, factors, parts, where=where)
    residual, classes = _residual(kept, request, groupings)
    labels = row_labels(frame)
    design = MixedDesign(
        model=model,
        names=tuple(label for label, _, _ in blocks),
        terms=tuple(term for _, term, _ in blocks),
        random=tuple(parts),
        read=read,
        rows=np.flatnonzero(rows.keep),
        index=None if labels is None else labels[rows.keep],
    )
    return MixedData(
        y=y[rows.keep],
        X=X,
        factors=tuple(factors),
        residual=residual,
        weights=None if weights is None else weights[rows.keep],
        design=design,
        groupings=tuple(groupings),
        classes=classes,
        rows=len(table),
        notes=tuple(notes),
    )


def _units(table: pd.DataFrame, factors: Sequence[tuple[str, ...]], rows: CompleteRows) -> list[Grouping]:
    """Return the units of every factor among all rows; notes on spaces are said once."""
    found, notes = [], list[str]()
    for columns in factors:
        own, said = group(table, columns)
        found.append(own)
        notes += said
    rows.notes += dict.fromkeys(notes)
    return found


def _require_units(
    rows: CompleteRows, groupings: Sequence[Grouping], request: MixedRequest, varying: Sequence[tuple[str, ...]]
) -> None:
    """Leave out rows without a unit, but not where all columns that vary between units are 0 in the row."""
    for number, found in enumerate(groupings):
        absent = found.codes < 0
        if number < len(request.random) and not request.random[number].intercept and (absent & rows.keep).any():
            inside = _read_part(rows, varying[number], request)
            term = request.random[number]
            columns = random_columns(term, inside, rows=int(rows.keep.sum()), where=f"{rows.where}, random")
            idle = np.zeros(len(absent), dtype=bool)
            idle[rows.keep] = ~np.any([values != 0 for _, _, values in columns], axis=0)
            count = int((absent & idle & rows.keep).sum())
            if count:
                rows.notes.append(
                    f'{counted(count, "row")} without a value in "{found.name}" stayed in: what varies between units '
                    "is 0 there."
                )
            absent = absent & ~idle
        rows.leave_out(absent, f'without a value in "{found.name}" (no unit)')


def _read_part(rows: CompleteRows, names: tuple[str, ...], request: MixedRequest) -> Read:
    """Return some columns of the rows that are in."""
    reference = {name: level for name, level in request.reference.items() if name in names}
    return read_columns(names, rows.kept(), reference=reference, where=f"{rows.where}, random")


def _known(reference: Mapping[str, object], names: Sequence[str], request: MixedRequest) -> dict[str, object]:
    """Return the references of the terms, without one that belongs to the residual classes alone."""
    return {name: level for name, level in reference.items() if name in names or name != request.residual.classes}


def _residual(
    kept: pd.DataFrame, request: MixedRequest, groupings: Sequence[Grouping]
) -> tuple[Residual, tuple[str, ...]]:
    """Return the structure of the residuals and the labels of its classes or occasions."""
    asked = request.residual
    if asked.classes is not None:
        codes, labels, _ = keyed(kept[asked.classes], as_label=True)
        first = label_key(request.reference.get(asked.classes))
        if first is not None and first not in labels:
            raise DesignError(
                f'the reference level "{first}" of "{asked.classes}" is not in the data.',
                where=request.where,
                fix=did_you_mean(first, labels),
            )
        ordered = labels if first is None else [first, *(label for label in labels if label != first)]
        return Residual(kind=asked.kind, classes=_placed(codes, labels, ordered)), tuple(ordered)
    if asked.kind == "independent":
        return Residual(), ()
    unit = groupings[-1].codes
    if asked.occasion is None:
        return Residual(kind=asked.kind, unit=unit), ()
    if asked.kind == "ar1":
        times, _ = numbers(kept[asked.occasion], where=request.where)
        if (times != np.round(times)).any():
            raise DesignError(
                f'"{asked.occasion}" holds times that are no whole numbers, as "ar1" needs them.',
                where=request.where,
                fix="Count time in a unit in which it is whole, for example days.",
            )
        occasion = times.astype(np.intp)
        labels = []
    else:
        occasion, labels = levels(kept[asked.occasion], where=request.where)
    pairs = np.column_stack([unit, occasion])[unit >= 0]
    repeated = len(pairs) - len(np.unique(pairs, axis=0))
    if repeated:
        raise DesignError(
            f'{counted(repeated, "row")} repeat "{asked.occasion}" within a "{groupings[-1].name}".',
            where=request.where,
            fix=f'Keep one row per "{groupings[-1].name}" and "{asked.occasion}"; if ids start anew in each agency, '
            f'write "agency/{groupings[-1].name}".',
        )
    return Residual(kind=asked.kind, unit=unit, occasion=occasion), tuple(labels)


def _placed(codes: NDArray[np.intp], labels: Sequence[str], ordered: Sequence[str]) -> NDArray[np.intp]:
    """Return codes in another order of the labels."""
    place = np.array([ordered.index(label) for label in labels], dtype=np.intp)
    return place[codes]
