"""The reference grid: rows of a balanced population, on which marginal means stand."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sweval.errors import DesignError, did_you_mean
from sweval.models.base.mixed_design import Array, Codes, MixedDesign
from sweval.models.base.terms import columns_of, parse_terms
from sweval.models.base.values import label_key

_MOST_ROWS = 20_000
_KEPT_VALUES = 2
_NOT_ESTIMABLE = 1e-7
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Combinations of the named columns, each averaged over the rest of the grid.

    Parameters
    ----------
    columns
        The named columns.
    labels
        For every combination its value of each column, as printed.
    L
        What every combination makes of the kept coefficients, shape (m, p).
    estimable
        Whether the data determine it, shape (m,).
    size
        Largest value of every kept column, shape (p,): what is small beside it is rounding error.
    """

    columns: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    L: Array
    estimable: tuple[bool, ...]
    size: Array

    def nothing(self, row: Array) -> bool:
        """Tell whether a combination of rows of L is zero but for rounding errors."""
        return bool((np.abs(row) <= _ROUNDING * self.size).all())


def named_columns(terms: str | Sequence[str], design: MixedDesign, *, where: str) -> tuple[str, ...]:
    """Return the columns of `"arm * wave"` or `["arm", "wave"]`, which must be in the fixed terms.

    Raises
    ------
    DesignError
        If one is not, or none is named.
    """
    known = columns_of(design.terms)
    if isinstance(terms, str):
        names = columns_of(parse_terms(terms, where=where))
    elif isinstance(terms, list | tuple) and all(isinstance(name, str) for name in terms):
        names = tuple(dict.fromkeys(terms))
    else:
        raise DesignError(
            "columns are named by text, or by a list of texts.",
            where=where,
            fix=f'The columns of the fixed terms are {", ".join(known)}; write for example "{known[0]}".'
            if known
            else "The model has no fixed term.",
        )
    if not names:
        raise DesignError("no column is named.", where=where, fix=did_you_mean("", known))
    for name in names:
        if name not in known:
            raise DesignError(
                f'"{name}" is in no fixed term of the model.', where=where, fix=did_you_mean(str(name), known)
            )
    return names


def cells(
    design: MixedDesign,
    kept: Sequence[int],
    names: tuple[str, ...],
    *,
    at: Mapping[str, object] | None,
    trend: str | None,
    where: str,
) -> Cells:
    """Return the combinations of the named columns on the reference grid.

    Parameters
    ----------
    design
        The model.
    kept
        Columns of the design matrix that were used.
    names
        From `named_columns`.
    at
        Column -> value or values.
    trend
        A numeric column: the change per unit of it is returned instead of the mean.
    where
        What to call the caller in an error.

    Raises
    ------
    DesignError
        If a value is no level, the trend is no number, or the grid would have more than 20,000 rows.
    """
    every = columns_of(design.terms)
    if at is not None and not isinstance(at, Mapping):
        raise DesignError(
            "at= must name columns with their values.",
            where=f"{where}, at",
            fix='Write for example at={"wave": [0, 8]}.',
        )
    at = dict(at or {})
    for name in at:
        named_columns([name], design, where=f"{where}, at")
    if trend is not None:
        _require_number(trend, design, names, where=where)
    values = {name: _values(name, design, at.get(name), where=where) for name in every}
    length = int(np.prod([len(own) for own in values.values()], dtype=float))
    if length > _MOST_ROWS:
        raise DesignError(
            f"the reference grid would have {length:,} rows.", where=where, fix="Hold columns at one value with at=."
        )
    rows = list(itertools.product(*(range(len(values[name])) for name in every)))
    grid = {name: np.array([values[name][row[k]][1] for row in rows]) for k, name in enumerate(every)}
    X = _matrix(design, grid, len(rows))
    size = np.maximum(np.abs(X).max(axis=0), np.abs(design.used()).max(axis=0))
    if trend is not None:
        X = _matrix(design, grid | {trend: grid[trend] + 1}, len(rows)) - X
    combinations = list(itertools.product(*(range(len(values[name])) for name in names)))
    place = {combination: number for number, combination in enumerate(combinations)}
    chosen = [every.index(name) for name in names]
    cell = np.array([place[tuple(row[k] for k in chosen)] for row in rows])
    L = np.zeros((len(combinations), X.shape[1]))
    np.add.at(L, cell, X)
    L /= len(rows) / len(combinations)
    return Cells(
        columns=names,
        labels=tuple(
            tuple(values[name][k][0] for name, k in zip(names, combination, strict=True))
            for combination in combinations
        ),
        L=L[:, list(kept)],
        estimable=_estimable(design, kept, L),
        size=size[list(kept)],
    )


def _require_number(trend: str, design: MixedDesign, names: tuple[str, ...], *, where: str) -> None:
    named_columns([trend], design, where=f"{where}, trend")
    if trend in design.read.coded:
        raise DesignError(f'"{trend}" is a category and has no slope.', where=f"{where}, trend")
    if trend in names:
        raise DesignError(
            f'"{trend}" is both the trend and a column to look at.',
            where=where,
            fix="A slope is the same at every value; leave the column out of the terms.",
        )


def _values(name: str, design: MixedDesign, asked: object, *, where: str) -> list[tuple[str, float]]:
    """Return label and number (or level number) of every value of a column on the grid."""
    given = None if asked is None else list(asked) if isinstance(asked, list | tuple | range | np.ndarray) else [asked]
    if given == []:
        raise DesignError(f'no value is given for "{name}".', where=f"{where}, at")
    if name in design.read.coded:
        levels = design.levels[name]
        wanted = list(levels) if given is None else [label_key(value) or "" for value in given]
        for label in wanted:
            if label not in levels:
                raise DesignError(
                    f'"{name}" has no level "{label}" in the model.',
                    where=f"{where}, at",
                    fix=did_you_mean(label, levels),
                )
        _refuse_twice(wanted, name, where=where)
        return [(label, float(levels.index(label))) for label in wanted]
    if given is None:
        found = np.unique(design.read.numeric[name])
        numbers = found if len(found) <= _KEPT_VALUES else np.array([design.read.numeric[name].mean()])
        return [(f"{value:.6g}", float(value)) for value in numbers]
    out = []
    for value in given:
        if isinstance(value, bool | str) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
            raise DesignError(f'"{name}" is a number; at= holds a value for it that is none.', where=f"{where}, at")
        out.append((f"{float(value):.6g}", float(value)))
    _refuse_twice([number for _, number in out], name, where=where)
    return out


def _refuse_twice(values: Sequence[str | float], name: str, *, where: str) -> None:
    """Refuse a value that at= holds more than once."""
    if len(set(values)) < len(values):
        raise DesignError(f'at= holds a value of "{name}" more than once.', where=f"{where}, at", fix="Name it once.")


def _matrix(design: MixedDesign, grid: Mapping[str, Array], rows: int) -> Array:
    numeric = {name: grid[name] for name in grid if name not in design.read.coded}
    codes: dict[str, Codes] = {name: grid[name].astype(np.intp) for name in grid if name in design.read.coded}
    return design.fixed(numeric, codes, rows)


def _estimable(design: MixedDesign, kept: Sequence[int], L: Array) -> tuple[bool, ...]:
    """Tell for each row of L whether the columns that were left out follow from the kept ones as in the data."""
    aliased = [k for k in range(L.shape[1]) if k not in kept]
    if not aliased:
        return (True,) * len(L)
    X = design.used()
    size = np.sqrt((X * X).mean(axis=0)) + (np.abs(X).max(axis=0) == 0)
    B = np.linalg.lstsq(X[:, list(kept)] / size[list(kept)], X[:, aliased] / size[aliased], rcond=None)[0]
    off = np.abs(L[:, aliased] / size[aliased] - L[:, list(kept)] / size[list(kept)] @ B)
    return tuple(bool(row.max() < _NOT_ESTIMABLE * (1 + np.abs(L).max())) for row in off)
