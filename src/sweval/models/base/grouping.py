"""Grouping factors in the data: units told by one or several columns, which nest, and ids that were used again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError
from sweval.models.base.random_terms import factor_name
from sweval.models.base.values import counted, keyed

if TYPE_CHECKING:
    import pandas as pd

Codes = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Grouping:
    """The units of one factor.

    Parameters
    ----------
    columns
        Grouping columns from the highest; a unit is told by all of them.
    codes
        Unit of every row, shape (n,); -1 where a column is missing.
    keys
        For every grouping column the id of each unit, in the order of the codes.
    """

    columns: tuple[str, ...]
    codes: Codes
    keys: tuple[Sequence[str], ...]

    @property
    def name(self) -> str:
        """Return the factor as the keys of `random` spell it."""
        return factor_name(self.columns)

    @property
    def units(self) -> int:
        """Return the number of units."""
        return len(self.keys[0])

    def only(self, rows: NDArray[np.bool_]) -> Grouping:
        """Return the units of some rows, numbered anew; all other rows belong to none."""
        codes = np.where(rows & (self.codes >= 0), self.codes, -1)
        return self._renumbered(codes)

    def at(self, rows: NDArray[np.bool_]) -> Grouping:
        """Return the same for a part of the rows."""
        return self._renumbered(self.codes[rows])

    def _renumbered(self, codes: Codes) -> Grouping:
        present = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=self.units)).tolist()
        place = np.full(self.units + 1, -1, dtype=np.intp)
        place[present] = np.arange(len(present))
        keys = tuple([own[unit] for unit in present] for own in self.keys)
        return Grouping(columns=self.columns, codes=place[codes], keys=keys)


def group(table: pd.DataFrame, columns: tuple[str, ...]) -> tuple[Grouping, list[str]]:
    """Return the units that the columns tell apart, and notes on ids that had spaces around them."""
    notes, codes, labels = [], [], []
    for name in columns:
        own, ids, trimmed = keyed(table[name], as_label=False)
        codes.append(own)
        labels.append(ids)
        if trimmed:
            notes.append(f'In {counted(trimmed, "row")} extra spaces in "{name}" were ignored.')
    joined = codes[0]
    for own, ids in zip(codes[1:], labels[1:], strict=True):
        joined = np.where((joined < 0) | (own < 0), -1, joined * len(ids) + own)
    values, first, inverse = np.unique(joined, return_index=True, return_inverse=True)
    absent = int(len(values) > 0 and values[0] < 0)
    keys = tuple([ids[code] for code in own[first[absent:]]] for own, ids in zip(codes, labels, strict=True))
    return Grouping(columns=columns, codes=inverse.reshape(-1).astype(np.intp) - absent, keys=keys), notes


def spread(inner: Codes, outer: Codes) -> NDArray[np.intp]:
    """Return for every unit of the one factor in how many units of the other its rows lie."""
    both = (inner >= 0) & (outer >= 0)
    size = int(outer.max(initial=-1)) + 1
    pairs = np.unique(inner[both] * np.intp(size) + outer[both])
    return np.bincount(pairs // max(size, 1), minlength=int(inner.max(initial=-1)) + 1)


def nested(inner: Grouping, outer: Grouping) -> bool:
    """Tell whether every unit of the one lies within one unit of the other, which has fewer."""
    return inner.units >= outer.units and not (spread(inner.codes, outer.codes) > 1).any()


def refuse_reused(groupings: Sequence[Grouping], crossed: Sequence[str], *, where: str) -> None:
    """Refuse two factors of which neither nests in the other, unless one is declared to cross the others.

    Running numbers that start anew in every agency look exactly like raters who work in several, so the user has to
    say which they are.

    Raises
    ------
    DesignError
        Naming both factors, how many ids are concerned, and the two ways out.
    """
    for number, upper in enumerate(groupings):
        for lower in groupings[number + 1 :]:  # people name the higher factor first; counts do not tell which it is
            if set(upper.columns) <= set(lower.columns) or set(lower.columns) <= set(upper.columns):
                continue
            if {upper.name, lower.name} & set(crossed) or nested(lower, upper) or nested(upper, lower):
                continue
            several = int((spread(lower.codes, upper.codes) > 1).sum())
            within = factor_name((*upper.columns, *(name for name in lower.columns if name not in upper.columns)))
            raise DesignError(
                f'{several} of {counted(lower.units, "id")} in "{lower.name}" occur in more than one "{upper.name}".',
                where=where,
                fix=f'If ids start anew in each "{upper.name}", write "{within}" instead of "{lower.name}". If an id '
                f'is the same "{lower.name}" wherever it occurs, add crossed=["{lower.name}"].',
            )


def highest(groupings: Sequence[Grouping]) -> list[int]:
    """Return the numbers of the factors that lie within no other."""
    found = []
    for number, own in enumerate(groupings):
        above = [k for k, other in enumerate(groupings) if k != number and nested(own, other)]
        # of two factors with the same units the first counts
        if not any(k < number or not nested(groupings[k], own) for k in above):
            found.append(number)
    return found
