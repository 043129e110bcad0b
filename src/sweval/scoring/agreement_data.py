"""Ratings from a data frame: one column per rater, one row per rating, or members in rows, as arrays."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DataError, SwevalError
from sweval.frames import take

if TYPE_CHECKING:
    import pandas as pd

WHERE = "agreement"
Scale = Sequence[float] | Sequence[str] | None


@dataclass(frozen=True, kw_only=True)
class Ratings:
    """A table of rated units by raters.

    Attributes
    ----------
    codes
        Place of each rating among the categories, shape (units, raters); -1 is no rating.
    values
        The categories as numbers, ascending; of text their place in the declared order.
    numeric, ordered
        Whether the ratings are numbers, and whether the categories have an order.
    declared
        Whether the categories are those of the form, not merely those that occur.
    raters
        Names of the raters; empty where a unit's ratings have no rater.
    outcome
        What was rated, as the rows of the result call it.
    rows
        Rows of the data that were read.
    notes
        What was done to the data.
    """

    codes: NDArray[np.int64]
    values: NDArray[np.float64]
    numeric: bool
    ordered: bool
    declared: bool
    raters: tuple[str, ...]
    outcome: str
    rows: int
    notes: tuple[str, ...]

    @property
    def table(self) -> NDArray[np.float64]:
        """The ratings as numbers, nan where there is none, shape (units, raters)."""
        return np.where(self.codes >= 0, self.values[self.codes], np.nan)

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Which units every rater has rated."""
        return np.asarray((self.codes >= 0).all(axis=1))


@dataclass(frozen=True, kw_only=True)
class Members:
    """Answers of members about the unit they belong to: one row per member, one column per item, no gaps."""

    answers: NDArray[np.float64]
    units: NDArray[np.int64]
    names: tuple[str, ...]
    unit: str
    outcome: str
    low: float
    high: float
    rows: int
    notes: tuple[str, ...]


def wide_ratings(frame: Any, raters: Sequence[str], unit: str | None, scale: Scale) -> Ratings:
    """Read one column per rater, one row per rated unit."""
    names = _distinct(raters, "raters")
    if len(names) < 2:
        raise SwevalError(
            f"raters names {len(names)} column.", where=WHERE, fix="Name the column of each rater, at least two."
        )
    table = take(frame, [*names, *([unit] if unit else [])], where=WHERE)
    if unit:
        twice = int(table[unit].duplicated(keep=False).sum())
        if twice:
            raise DataError(
                f"{twice} rows share their {unit} with another row.",
                where=WHERE,
                fix="One column per rater needs one row per rated unit; choose one wave, or give long data.",
            )
    columns = [table[name] for name in names]
    categories = _categories(columns, names, scale)
    codes = np.column_stack([categories.codes_of(column) for column in columns])
    return _ratings(codes, categories, tuple(names), ", ".join(names), len(table), ())


def complete_notes(data: Ratings, least: int, fix: str) -> list[str]:
    """Return the notes with one on units that not all raters rated; raises DataError with fewer than `least` others."""
    complete, raters = data.complete, data.codes.shape[1]
    if complete.sum() < least:
        raise DataError(
            f"{int(complete.sum())} of {len(complete)} units were rated by all {raters} raters.", where=WHERE, fix=fix
        )
    if complete.all():
        return list(data.notes)
    left = f"{int((~complete).sum())} of {len(complete)} units were not rated by all {raters} raters and are left out."
    return [*data.notes, left]


def long_ratings(frame: Any, raters: str | None, ratings: str, unit: str, scale: Scale) -> Ratings:
    """Read one row per rating: the rated unit, the rater (if there is a column of raters) and the rating."""
    import pandas as pd

    table = take(frame, [unit, *([raters] if raters else []), ratings], where=WHERE)
    rows = len(table)
    keys = [unit, *([raters] if raters else [])]
    known = table[keys].notna().all(axis=1)
    notes = []
    if not known.all():
        notes.append(f"{int((~known).sum())} of {rows} rows have no {' or '.join(keys)} and are left out.")
        table = table[known].reset_index(drop=True)
    if raters:
        twice = int(table.duplicated(keys, keep=False).sum())
        if twice:
            raise DataError(
                f"{twice} rows share both {unit} and {raters} with another row.",
                where=WHERE,
                fix="Each rater may rate a unit once; choose one wave or item.",
            )
    categories = _categories([table[ratings]], [ratings], scale)
    flat = categories.codes_of(table[ratings])
    places, units = pd.factorize(table[unit].astype(str))
    if raters:
        seats, named = pd.factorize(table[raters].astype(str), sort=True)
        names = tuple(str(name) for name in named)
    else:
        table, flat, places = table[flat >= 0], flat[flat >= 0], places[flat >= 0]
        seats, names = table.groupby(places).cumcount().to_numpy(), ()
    codes = np.full((len(units), int(seats.max(initial=-1)) + 1), -1, dtype=np.int64)
    codes[places, seats] = flat
    return _ratings(codes, categories, names, ratings, rows, tuple(notes))


def members_of_units(frame: Any, items: Sequence[str], unit: str, scale: Scale) -> Members:
    """Read one row per member: the unit and the answers to one or several items."""
    import pandas as pd

    names = _distinct(items, "ratings")
    low, high = _ends(scale)
    table = take(frame, [unit, *names], where=WHERE)
    rows = len(table)
    answers = np.column_stack([_numbers(table[name], name) for name in names])
    _refuse_outside(answers, names, low, high)
    absent, gaps = table[unit].isna().to_numpy(), np.isnan(answers).any(axis=1)
    notes = []
    if absent.any():
        notes.append(f"{int(absent.sum())} of {rows} rows have no {unit} and are left out.")
    if (gaps & ~absent).any():
        what = "an answer" if len(names) == 1 else f"an answer to one of {len(names)} items"
        notes.append(f"{int((gaps & ~absent).sum())} of {rows} rows lack {what} and are left out.")
    keep = ~absent & ~gaps
    return _members(answers[keep], table.loc[keep, unit].astype(str), unit, names, (low, high), rows, notes, pd)


def members_in_columns(frame: Any, raters: Sequence[str], scale: Scale) -> Members:
    """Read one column per rater, each row a unit that the raters know: one item, the raters its members."""
    import pandas as pd

    names = _distinct(raters, "raters")
    low, high = _ends(scale)
    table = take(frame, names, where=WHERE)
    answers = np.column_stack([_numbers(table[name], name) for name in names])
    _refuse_outside(answers, names, low, high)
    row, column = np.nonzero(~np.isnan(answers))
    units = pd.Series([str(number + 1) for number in row], dtype=object)
    return _members(answers[row, column][:, None], units, "row", names, (low, high), len(table), [], pd)


def _members(
    answers: NDArray[np.float64],
    units: pd.Series,
    unit: str,
    names: Sequence[str],
    ends: tuple[float, float],
    rows: int,
    notes: list[str],
    pd: Any,
) -> Members:
    """Leave out units with one member, and number the others in the order of the data."""
    places, found = pd.factorize(units)
    sizes = np.bincount(places, minlength=len(found))
    alone = sizes[places] < 2
    if alone.any():
        notes.append(f"{int(alone.sum())} units ({unit}) have one member only and are left out.")
    kept = np.flatnonzero(sizes >= 2)
    if len(kept) == 0:
        raise DataError(
            f"no unit ({unit}) has two members with answers.", where=WHERE, fix="Agreement needs at least two members."
        )
    return Members(
        answers=answers[~alone],
        units=np.searchsorted(kept, places[~alone]).astype(np.int64),
        names=tuple(str(found[place]) for place in kept),
        unit=unit,
        outcome=", ".join(names),
        low=ends[0],
        high=ends[1],
        rows=rows,
        notes=tuple(notes),
    )


@dataclass(frozen=True, kw_only=True)
class _Categories:
    """The categories in their order, as the data hold them, and as numbers."""

    labels: NDArray[Any]
    values: NDArray[np.float64]
    numeric: bool
    ordered: bool
    declared: bool

    def codes_of(self, column: pd.Series) -> NDArray[np.int64]:
        """Return the place of each rating; -1 is no rating."""
        import pandas as pd

        cells = _numbers(column, str(column.name)) if self.numeric else _texts(column)
        return np.asarray(pd.Index(self.labels).get_indexer(pd.Index(cells)), dtype=np.int64)


def _categories(columns: Sequence[pd.Series], names: Sequence[str], scale: Scale) -> _Categories:
    """Return the declared categories, or else those that occur."""
    numeric = [_is_numeric(column) for column in columns]
    if any(numeric) and not all(numeric):
        text = ", ".join(name for name, number in zip(names, numeric, strict=True) if not number)
        raise DataError(f"some raters' columns hold numbers, but {text} text.", where=WHERE, fix="Use the same codes.")
    if all(numeric):
        return _number_categories(columns, names, scale)
    texts = np.concatenate([_texts(column) for column in columns])
    found = sorted({text for text in texts if text is not None})
    order = scale if scale is not None else _declared_order(columns)
    if order is None:
        return _Categories(
            labels=np.array(found, dtype=object),
            values=np.arange(1.0, len(found) + 1),
            numeric=False,
            ordered=False,
            declared=False,
        )
    labels = [str(label) for label in order]
    outside = sum(1 for text in texts if text is not None and text not in labels)
    if outside or len(set(labels)) < len(labels):
        raise DataError(
            f"{outside} ratings are none of the {len(labels)} categories that scale names."
            if outside
            else "scale names a category twice.",
            where=WHERE,
            fix="List every category of the form once, lowest first, as the data spell it.",
        )
    return _Categories(
        labels=np.array(labels, dtype=object),
        values=np.arange(1.0, len(labels) + 1),
        numeric=False,
        ordered=True,
        declared=True,
    )


def _number_categories(columns: Sequence[pd.Series], names: Sequence[str], scale: Scale) -> _Categories:
    cells = np.column_stack([_numbers(column, name) for column, name in zip(columns, names, strict=True)])
    found = np.unique(cells[~np.isnan(cells)])
    if scale is not None:
        if len(scale) == 2:
            low, high = _ends(scale)
            _refuse_outside(cells, names, low, high)
            whole = all(float(value).is_integer() for value in (low, high, *found)) and high - low <= 100
            found = np.arange(low, high + 1) if whole else np.union1d(found, [low, high])
        else:
            listed = np.array([_number_of(value) for value in scale], dtype=float)
            outside = int((~np.isnan(cells) & ~np.isin(cells, listed)).sum())
            if outside:
                raise DataError(
                    f"{outside} ratings are none of the {len(listed)} categories that scale names.",
                    where=WHERE,
                    fix="List every code of the form, and read codes for missing values as missing first.",
                )
            found = np.unique(listed)
    return _Categories(labels=found, values=found, numeric=True, ordered=True, declared=scale is not None)


def _ratings(
    codes: NDArray[np.int64],
    categories: _Categories,
    raters: tuple[str, ...],
    outcome: str,
    rows: int,
    notes: tuple[str, ...],
) -> Ratings:
    rated = (codes >= 0).any(axis=1) if codes.size else np.zeros(len(codes), dtype=bool)
    if codes.shape[1] < 2 or not rated.any():
        raise DataError(
            "no unit was rated by two raters.", where=WHERE, fix="Check the columns of raters, ratings and units."
        )
    return Ratings(
        codes=codes,
        values=categories.values,
        numeric=categories.numeric,
        ordered=categories.ordered,
        declared=categories.declared,
        raters=raters,
        outcome=outcome,
        rows=rows,
        notes=notes,
    )


def _distinct(names: Sequence[str], argument: str) -> list[str]:
    listed = [names] if isinstance(names, str) else list(names)
    if not listed or len(set(listed)) < len(listed):
        raise SwevalError(
            f"{argument} names {'a column twice' if listed else 'no column'}.",
            where=WHERE,
            fix="List each column once.",
        )
    return listed


def _ends(scale: Scale) -> tuple[float, float]:
    """Return the lowest and the highest possible answer."""
    if scale is None or len(scale) < 2:
        raise SwevalError(
            "scale is needed: what would be no agreement depends on the answers that were possible.",
            where=WHERE,
            fix="Give the lowest and the highest, such as scale=(1, 5).",
        )
    ends = [_number_of(value) for value in scale]
    low, high = min(ends), max(ends)
    if not low < high:
        raise SwevalError("scale has no range.", where=WHERE, fix="Give the lowest and the highest, such as (1, 5).")
    return low, high


def _number_of(value: object) -> float:
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(value)
    raise SwevalError(
        "scale mixes text with ratings that are numbers.", where=WHERE, fix="Give numbers, such as scale=(1, 5)."
    )


def _refuse_outside(cells: NDArray[np.float64], names: Sequence[str], low: float, high: float) -> None:
    outside = (cells < low) | (cells > high)
    if outside.any():
        where = ", ".join(name for name, count in zip(names, outside.sum(axis=0), strict=True) if count)
        raise DataError(
            f"{int(outside.sum())} ratings in {where} lie outside the scale {low:g} to {high:g}.",
            where=WHERE,
            fix="Correct scale, or read codes for missing values (such as 9 or 99) as missing first.",
        )


def _declared_order(columns: Sequence[pd.Series]) -> list[str] | None:
    """Return the categories of ordered categorical columns, if all have the same."""
    orders = [
        tuple(str(label) for label in column.cat.categories)
        if getattr(column.dtype, "ordered", False) is True
        else None
        for column in columns
    ]
    return list(orders[0]) if orders[0] is not None and len(set(orders)) == 1 else None


def _is_numeric(column: pd.Series) -> bool:
    from pandas.api.types import infer_dtype, is_numeric_dtype

    kinds = {"integer", "floating", "mixed-integer-float", "decimal", "boolean", "empty"}
    return is_numeric_dtype(column.dtype) or (column.dtype == object and infer_dtype(column, skipna=True) in kinds)


def _numbers(column: pd.Series, name: str) -> NDArray[np.float64]:
    import pandas as pd

    if not _is_numeric(column):
        raise DataError(f"{name} holds text, but numbers are needed.", where=WHERE, fix="Recode it to numbers first.")
    cells = pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    if np.isinf(cells).any():
        raise DataError(f"{name} holds infinite numbers.", where=WHERE, fix="Correct them or make them missing.")
    return np.asarray(cells)


def _texts(column: pd.Series) -> NDArray[Any]:
    """Return trimmed text; None is no rating."""
    made = [None if missing else str(cell).strip() or None for cell, missing in zip(column, column.isna(), strict=True)]
    out = np.empty(len(made), dtype=object)
    out[:] = made
    return out
