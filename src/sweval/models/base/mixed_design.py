"""A fitted mixed model in the words of the data: which column is what, so that new rows are encoded alike."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sweval.errors import DataError, DesignError, did_you_mean
from sweval.frames import take, wrap
from sweval.models.base.terms import Read, Term, columns_of
from sweval.models.base.values import counted, is_number, keyed, levels, missing, numbers

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class RandomPart:
    """One grouping factor and its random effects.

    Parameters
    ----------
    name
        As the model names it: `agency`, `agency/client`.
    columns
        Grouping columns from the highest: `("agency", "client")`; a unit is told by all of them.
    keys
        For every grouping column the id of each unit, in the order of the engine's codes.
    names, terms
        For every random effect its name (`(Intercept)`, `wave`) and its term (`()` for the intercept).
    """

    name: str
    columns: tuple[str, ...]
    keys: tuple[Sequence[str], ...]
    names: tuple[str, ...]
    terms: tuple[Term, ...]

    @property
    def units(self) -> int:
        """Return the number of units."""
        return len(self.keys[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedDesign:
    """Columns of a fitted mixed model.

    Parameters
    ----------
    model
        The model in one line, for `glance()` and print.
    names, terms
        For every column given to the engine its name and its term, in their order.
    random
        The grouping factors, in the order given to the engine.
    read
        Every column of fixed and random terms in the rows used, as numbers or levels.
    rows
        Numbers of the rows used (0 = first row of the data), shape (n,).
    index
        Labels of the rows used where the data were a pandas frame; else None.
    """

    model: str
    names: tuple[str, ...]
    terms: tuple[Term, ...]
    random: tuple[RandomPart, ...]
    read: Read
    rows: Codes
    index: pd.Index | None = None

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """Return the levels of every categorical column, reference first."""
        return self.read.levels

    def where_tested(self, term: Term) -> str:
        """Return where a term's coefficients hold: `where arm is usual` in an interaction with arm; else nothing."""
        others = [other for own in dict.fromkeys(self.terms) if set(term) < set(own) for other in own]
        places = [
            f"{name} is {self.levels[name][0] if name in self.levels else 0}"
            for name in dict.fromkeys(others)
            if name not in term
        ]
        return f"where {' and '.join(places)}" if places else ""

    def columns(self) -> tuple[str, ...]:
        """Return every column of fixed and random terms once."""
        return columns_of([*self.terms, *(term for part in self.random for term in part.terms)])

    def values(
        self, frame: Any, *, where: str, names: Sequence[str] | None = None
    ) -> tuple[dict[str, Array], dict[str, Codes], NDArray[np.bool_]]:
        """Return the numbers and level codes of new rows (of all columns, or the named), and which are complete.

        Raises
        ------
        DataError, DesignError
            If a column is absent, holds a level that the model does not know, or no numbers where it held them.
        """
        names = self.columns() if names is None else names
        table = take(frame, names, where=where)
        complete = np.ones(len(table), dtype=bool)
        found: dict[str, Array] = {}
        codes: dict[str, Codes] = {}
        for name in names:
            complete &= ~missing(table[name])
            if name in self.read.coded:
                codes[name] = _known_levels(table[name], self.levels[name], where=where)
            else:
                found[name] = _numbers(table[name], where=where)
        return found, codes, complete

    def fixed(self, numeric: Mapping[str, Array], codes: Mapping[str, Codes], rows: int) -> Array:
        """Return the design matrix of rows, shape (rows, columns), with every column that was given to the engine."""
        return design_columns(self.names, self.terms, self.levels, (numeric, codes), rows)

    def idle(self, part: RandomPart, frame: Any, *, where: str) -> NDArray[np.bool_]:
        """Tell in which new rows all that varies between units is 0, so that they need no unit."""
        if () in part.terms:
            return np.zeros(len(take(frame, part.columns, where=where)), dtype=bool)
        numeric, codes, complete = self.values(frame, where=where, names=columns_of(part.terms))
        Z = design_columns(part.names, part.terms, self.levels, (numeric, codes), len(complete))
        out: NDArray[np.bool_] = complete & ~(Z != 0).any(axis=1)
        return out

    def used(self) -> Array:
        """Return the design matrix of the rows used, with the columns that add nothing."""
        codes = {name: code for name, (_, code) in self.read.coded.items()}
        return self.fixed(self.read.numeric, codes, len(self.rows))

    def unit_codes(self, part: RandomPart, frame: Any, *, where: str) -> Codes:
        """Return the unit of every new row, -1 where the model has not seen it."""
        table = take(frame, part.columns, where=where)
        known = {key: number for number, key in enumerate(zip(*part.keys, strict=True))}
        ids = [_ids(table[name]) for name in part.columns]
        return np.array([known.get(key, -1) for key in zip(*ids, strict=True)], dtype=np.intp)


def design_columns(
    names: Sequence[str],
    terms: Sequence[Term],
    levels: Mapping[str, tuple[str, ...]],
    values: tuple[Mapping[str, Array], Mapping[str, Codes]],
    rows: int,
) -> Array:
    """Return the named columns for rows whose numbers and level codes are `values`."""
    numeric, codes = values
    out = np.ones((rows, len(names)))
    for number, (name, term) in enumerate(zip(names, terms, strict=True)):
        for column, level in _parts(name, term, levels):
            own = numeric[column] if level is None else (codes[column] == levels[column].index(level)).astype(float)
            out[:, number] *= own
    return out


def _parts(name: str, term: Term, levels: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, str | None], ...]:
    """Return the columns that `arm[program]:wave` multiplies, with the level of each that is categorical."""
    choices = [[(part, level) for level in levels.get(part, (None,))] for part in term]
    for chosen in itertools.product(*choices):
        if not chosen or ":".join(c if level is None else f"{c}[{level}]" for c, level in chosen) == name:
            return chosen
    raise DesignError(f'"{name}" is no column of the term "{":".join(term)}".')


def row_labels(frame: Any) -> pd.Index | None:
    """Return the index of a pandas frame; None for any other frame."""
    index: pd.Index | None = nw.maybe_get_index(wrap(frame))
    return index


def _numbers(column: pd.Series, *, where: str) -> Array:
    """Return the numbers of new rows.

    Raises
    ------
    DesignError
        If it holds something else, in words that fit a column of a fitted model.
    """
    try:
        return numbers(column, where=where)[0]
    except DesignError as error:
        if is_number(column):  # infinite ones
            raise
        raise DesignError(
            f'"{column.name}" must hold numbers, as it did in the data of the model.',
            where=where,
            fix="Code it as there, or make missing what is no number.",
        ) from error


def _known_levels(column: pd.Series, known: tuple[str, ...], *, where: str) -> Codes:
    """Return each row's level number, -1 where missing."""
    codes, found = levels(column, where=where)
    strange = [number for number, label in enumerate(found) if label not in known]
    rows = int(np.isin(codes, strange).sum()) if strange else 0
    if rows:
        raise DataError(
            f'{counted(rows, "row")} of "{column.name}" hold levels that were not in the data of the model.',
            where=where,
            fix=f"{did_you_mean(found[strange[0]], known)} Fit the model with these rows, or leave them out.",
        )
    place = np.array([known.index(label) if label in known else -1 for label in found] + [-1], dtype=np.intp)
    return place[codes]


def _ids(column: pd.Series) -> list[str | None]:
    """Return ids as they are compared."""
    codes, labels, _ = keyed(column, as_label=False)
    return [labels[code] if code >= 0 else None for code in codes]
