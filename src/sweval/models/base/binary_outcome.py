"""Outcomes that are 0 or 1: how they are read, and which level of which column has no variation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError
from sweval.models.base.terms import Encoded, Term
from sweval.models.base.values import counted, keyed, numbers

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


def zero_one(column: pd.Series, *, where: str) -> tuple[Array, list[str]]:
    """Return an outcome as 0 and 1, missing as NaN, with notes on what was done.

    Yes/no columns of type bool are 1 where true.

    Raises
    ------
    DesignError
        If there are labels or other numbers, because the program would have to guess which of them counts as 1.
    """
    from pandas.api import types

    name = str(column.name)
    held = column.dropna()
    if len(held) and (types.is_bool_dtype(held) or held.map(lambda value: isinstance(value, (bool, np.bool_))).all()):
        values = column.astype("boolean").to_numpy(dtype=float, na_value=np.nan)
        return values, [f'"{name}" holds yes/no values; true was read as 1.']
    if not types.is_numeric_dtype(column):
        labels = keyed(column, as_label=True)[1]
        if any(not _is_number(label) for label in labels):
            raise DesignError(
                f'"{name}" holds {counted(len(labels), "label")}, not 0 and 1.',
                where=where,
                fix="Code it as numbers, 1 = the event that is counted, 0 = no event.",
            )
    values, notes = numbers(column, where=where)
    seen = values[~np.isnan(values)]
    bad = int((~((seen == 0) | (seen == 1))).sum())
    if bad:
        raise DesignError(
            f'{counted(bad, "value")} of {seen.size} in "{name}" {"is" if bad == 1 else "are"} neither 0 nor 1.',
            where=where,
            fix="Code it as numbers, 1 = the event that is counted, 0 = no event; make codes for no answer missing.",
        )
    return values, notes


def check_varies(y: Array, outcome: str, *, where: str) -> None:
    """Refuse an outcome that is 0 in every row, or 1 in every row."""
    if y.min() == y.max():
        raise DesignError(
            f'"{outcome}" is {y[0]:g} in all {len(y)} rows used, so there is nothing to compare.',
            where=where,
            fix="Check how it was coded, and which rows were left out.",
        )


def separation_in_words(y: Array, encoded: Encoded, columns: tuple[int, ...], outcome: str) -> str:
    """Say which levels have zeros or ones only, or else which columns tell zeros from ones together."""
    named = list(dict.fromkeys(name for k in columns for name in encoded.terms[k]))
    for name in named:
        for level, rows in _cells(encoded, columns, name):
            if rows.any() and y[rows].min() == y[rows].max():
                return (
                    f'"{outcome}" is {y[rows][0]:g} in all {counted(int(rows.sum()), "row")} where "{name}" is '
                    f'"{level}", so the odds ratio is infinite or zero.'
                )
    listed = ", ".join(f'"{encoded.names[k]}"' for k in columns) or "the terms"
    return f'{listed} {"tells" if len(columns) == 1 else "tell"} zeros of "{outcome}" from ones without error.'


def _cells(encoded: Encoded, columns: tuple[int, ...], name: str) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return level and rows of a categorical column, or of a numeric one that is 0 and 1."""
    numeric = encoded.numeric.get(name)
    if numeric is not None:
        two = set(np.unique(numeric)) <= {0.0, 1.0}
        return [(f"{value:g}", numeric == value) for value in (0.0, 1.0)] if two else []
    term: Term = (name,)
    at = {encoded.names[k]: k for k, own in enumerate(encoded.terms) if own == term}
    found, rest = [], np.ones(len(encoded.X), dtype=bool)
    for level in encoded.levels.get(name, ())[::-1]:
        k = at.get(f"{name}[{level}]")
        rows = rest if k is None else encoded.X[:, k] == 1
        found.append((level, rows & rest))
        rest = rest & ~rows
    return found[::-1]


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True
