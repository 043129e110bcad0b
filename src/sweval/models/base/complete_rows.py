"""The rows that a model on free terms can use: columns looked up, incomplete rows left out with a note on each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DataError, DesignError, did_you_mean
from sweval.frames import take, wrap
from sweval.models.base.terms import foreign_operator
from sweval.models.base.values import counted, keyed, label_key, missing, missing_code, numbers, was
from sweval.result import CHECK

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


def require_terms(frame: Any, names: Iterable[str], *, outcome: str, where: str, part: str) -> None:
    """Check that every name of the terms is a column and not the outcome.

    Raises
    ------
    DataError
        If a name is no column; the message says so where it holds an operator of another language.
    DesignError
        If it is the outcome.
    """
    present = wrap(frame).collect_schema().names()
    for name in names:
        if name not in present:
            raise DataError(
                f'the term "{name}" is no column.{foreign_operator(name)}',
                where=f"{where}, {part}",
                fix=did_you_mean(name, present),
            )
        if name == outcome:
            raise DesignError(f'"{name}" is both the outcome and a term.', where=where)


def take_rows(frame: Any, columns: Iterable[str], *, where: str) -> pd.DataFrame:
    """Return the columns, which must have rows."""
    table = take(frame, columns, where=where)
    if table.empty:
        raise DesignError("the data have no rows.", where=where)
    return table


class CompleteRows:
    """Which rows of a table are still in, and the notes on those that are not."""

    def __init__(self, table: pd.DataFrame, *, where: str) -> None:
        self.table, self.where = table, where
        self.keep = np.ones(len(table), dtype=bool)
        self.notes: list[str] = []

    def leave_out(self, mask: NDArray[np.bool_], why: str) -> None:
        """Leave rows out, with a note on how many and why."""
        count = int((self.keep & mask).sum())
        self.keep = self.keep & ~mask
        if count:
            self.notes.append(f"{counted(count, 'row')} {why} {was(count)} left out.")

    def at_waves(self, wave: str | None, waves: Iterable[object]) -> None:
        """Keep the named waves only; all where none is named."""
        wanted = [label_key(value) or "" for value in waves]
        if wave is None or not wanted:
            return
        codes, labels, _ = keyed(self.table[wave], as_label=True)
        for label in wanted:
            if label not in labels:
                raise DesignError(f'"{label}" is not in "{wave}".', where=self.where, fix=did_you_mean(label, labels))
        chosen = [labels.index(label) for label in wanted]
        self.leave_out(~np.isin(codes, chosen), f'at other values of "{wave}"')

    def outcome(self, name: str) -> Array:
        """Return the outcome of all rows as numbers; rows without one are left out."""
        y, said = numbers(self.table[name], where=self.where)
        self.notes += said
        found = missing_code(y[self.keep])
        if found is not None:
            self.notes.append(
                f'{CHECK}"{name}" is {found[0]:g} in {counted(found[1], "row")}, far from all other values. If that '
                "is a code for no answer, make it missing first."
            )
        self.leave_out(np.isnan(y), f'without a value in "{name}"')
        return y

    def complete(self, names: Iterable[str]) -> None:
        """Leave out rows where any of these columns is missing."""
        for name in names:
            self.leave_out(missing(self.table[name]), f'without a value in "{name}"')

    def weights(self, name: str | None) -> Array | None:
        """Return positive weights of all rows, None where no column is named."""
        if name is None:
            return None
        w, said = numbers(self.table[name], where=self.where)
        self.notes += said
        self.leave_out(np.isnan(w), f'without a value in "{name}" (no weight)')
        bad = int((w[self.keep] <= 0).sum())
        if bad:
            raise DesignError(
                f'{counted(bad, "weight")} in "{name}" {was(bad)} zero or negative.',
                where=self.where,
                fix="Leave these rows out before, or correct them.",
            )
        return w

    def require_any(self) -> None:
        """Refuse an analysis without rows."""
        if not self.keep.any():
            raise DesignError("no complete row is left.", where=self.where, fix=" ".join(self.notes))

    def kept(self) -> pd.DataFrame:
        """Return the rows that are in, numbered anew."""
        return self.table[self.keep].reset_index(drop=True)
