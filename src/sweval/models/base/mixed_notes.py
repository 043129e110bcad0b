"""Notes of the open mixed model: what its terms leave out, and what its shares of variance mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweval.frames import take
from sweval.models.base.grouping import highest, nested
from sweval.models.base.long import refuse_duplicates
from sweval.models.base.mixed_data import MixedData
from sweval.models.base.random_terms import formula_term
from sweval.models.base.values import counted, keyed
from sweval.models.engine.logistic import is_binary
from sweval.result import CHECK, Estimate

Codes = NDArray[np.intp]

_FEWEST_ROWS = 3
"""With fewer rows per unit than this no slope of the unit could be told from chance."""


def notes_on_terms(data: MixedData, outcome: str) -> list[str]:
    """Return warnings on an outcome that is no measure, and on effects that are not allowed to vary where they may."""
    notes = []
    if is_binary(data.y):
        notes.append(
            f'{CHECK}"{outcome}" holds only 0 and 1, and this model takes it as a measure with normal residuals. '
            'ClusterRobust with family="binomial" gives risks, their difference and ratio, and odds ratios.'
        )
    return notes + _missing_slopes(data)


def _missing_slopes(data: MixedData) -> list[str]:
    """Return a warning where an effect within units is compared between units but may not vary among them."""
    design, n = data.design, len(data.y)
    terms = dict.fromkeys(design.terms)
    notes = []
    for number in highest(data.groupings):
        if number >= len(design.random):
            continue  # units of residuals only
        own, part = data.groupings[number], design.random[number]
        if n < _FEWEST_ROWS * own.units:
            continue
        varying = {name for term in part.terms for name in term}
        lacking: dict[tuple[str, ...], list[str]] = {}
        for term in terms:
            within = tuple(name for name in term if not _constant(_values(data, name), own.codes))
            if 0 < len(within) < len(term) and not varying & set(within):
                lacking.setdefault(within, []).append(":".join(term))
        for within, tested in lacking.items():
            name, others = ":".join(within), [one for one in ":".join(tested).split(":") if one not in within]
            notes.append(
                f'{CHECK}"{" and ".join(dict.fromkeys(others))}" is the same in all rows of each "{own.name}", and the '
                f'effect of "{name}" is not allowed to vary between "{own.name}". If it does, {" and ".join(tested)} '
                f"is tested with far too many degrees of freedom. Let it vary: "
                f"{formula_term(f'1 + {name}', part.columns, diagonal=False)}."
            )
    return notes


def _values(data: MixedData, name: str) -> NDArray[Any]:
    """Return the values or level numbers of a column."""
    read = data.design.read
    return read.numeric[name] if name in read.numeric else read.coded[name][1]


def _constant(values: NDArray[Any], codes: Codes) -> bool:
    """Tell whether no unit holds two values."""
    has = codes >= 0
    first = np.zeros(int(codes.max()) + 1, dtype=values.dtype)
    first[codes[has]] = values[has]
    return bool((first[codes[has]] == values[has]).all())


def notes_on_shares(data: MixedData, rows: Sequence[Estimate]) -> list[str]:
    """Return what the shares of nested factors mean, or why a model has none."""
    design = data.design
    shares = {row.term: row.estimate for row in rows if row.measure == "icc"}
    if not shares:
        slopes = {":".join(term) for part in design.random for term in part.terms if term}
        if slopes:
            what = " and ".join(f'"{name}"' for name in sorted(slopes))
            return [f"No ICC: how alike two rows of a unit are depends on their {what}, as its effect varies."]
        return ["No ICC: how alike two rows are depends on the structure of the residuals."] if design.random else []
    notes = []
    for number, part in enumerate(design.random):
        above = [
            other.name
            for k, other in enumerate(design.random)
            if k != number and nested(data.groupings[number], data.groupings[k])
        ]
        if above and part.name in shares:
            joined = " and ".join(f'"{name}"' for name in [*above, part.name])
            total = sum(shares[name] for name in [*above, part.name])
            notes.append(
                f'Two rows of the same "{part.name}" correlate {total:.3f}: the sum of the shares of {joined}.'
            )
    return notes


def notes_on_clients(
    frame: Any, data: MixedData, client: str | None, wave: str | None, *, crossed: Sequence[str], where: str
) -> list[str]:
    """Return a warning where clients have several rows and nothing in the model says so.

    Clients of whom the model says that they cross other factors may be seen by several units at the same wave.

    Raises
    ------
    DesignError
        If a client has several rows at the same wave.
    """
    if client is None:
        return []
    own = [grouping for grouping in data.groupings if client in grouping.columns]
    if own:
        codes = max(own, key=lambda grouping: grouping.units).codes
    else:
        codes = keyed(take(frame, [client], where=where)[client], as_label=False)[0][data.design.rows]
    if wave is not None and not any(grouping.name in crossed for grouping in own):
        waves = keyed(take(frame, [wave], where=where)[wave], as_label=True)[0][data.design.rows]
        refuse_duplicates(codes, waves, (codes >= 0) & (waves >= 0), (client, wave), where=where, rows=data.design.rows)
    several = int((np.bincount(codes[codes >= 0]) > 1).sum())
    if own or not several:
        return []
    return [
        f"{CHECK}{counted(several, 'client')} have several rows, and the model takes them as different clients. "
        f'Add "{client}" to random, or choose one wave.'
    ]
