"""The rows of a food insecurity survey: answers, weights, clusters and groups, and notes on what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sweval.errors import DataError
from sweval.frames import require_columns, wrap
from sweval.scoring import kernel
from sweval.scoring.definition import instrument as find_instrument
from sweval.scoring.fit import refuse_misfits
from sweval.scoring.rasch import Floats
from sweval.scoring.request import CodingArgument, RawCode, missing_codes, request
from sweval.scoring.score import answers

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class FoodSample:
    """Complete rows: answers (n, 8), weights (n,), cluster numbers (n,), group labels (n,) or None.

    `columns` are the item columns, `rows` the rows given, `notes` tell which were left out.
    """

    answers: Floats
    weight: Floats
    cluster: NDArray[np.intp]
    group: NDArray[Any] | None
    columns: tuple[str, ...]
    rows: int
    notes: tuple[str, ...]

    @property
    def scores(self) -> NDArray[np.intp]:
        """Raw scores, shape (n,)."""
        return np.asarray(self.answers.sum(axis=1), dtype=np.intp)

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Rows that are neither all no nor all yes, shape (n,)."""
        return np.asarray((self.scores > 0) & (self.scores < self.answers.shape[1]))


def read_food_sample(
    frame: Any,
    items: str | Sequence[str],
    missing: Sequence[RawCode] | RawCode,
    coding: CodingArgument,
    roles: Mapping[str, str | None],
) -> FoodSample:
    """Return the complete rows.

    Parameters
    ----------
    frame, items, missing, coding
        As in `sweval.score`, for the instrument `fies8`.
    roles
        Columns (or None) of "weight", "cluster" and "by".

    Raises
    ------
    InstrumentError, DataError
        If answers, weights or clusters cannot be used.
    """
    found = find_instrument("fies8")
    absent = missing_codes(missing)
    columns = request(found, items, coding, absent)
    names = [column.name for column in columns]
    wanted = list(dict.fromkeys([*names, *filter(None, roles.values())]))
    wrapped = wrap(frame)
    require_columns(wrapped, wanted, where="food_insecurity")
    selected = wrapped.select(wanted)
    table = selected.collect() if isinstance(selected, nw.LazyFrame) else selected
    plan = kernel.layout(found)
    codes, facts = answers(table, columns, absent, plan)
    refuse_misfits(found, facts)
    fills = dict(zip([item.id for item in found.items], plan.fills, strict=True))
    matrix = np.column_stack([np.where(codes[name] == fill, np.nan, codes[name]) for name, fill in fills.items()])
    complete = ~np.isnan(matrix).any(axis=1)
    notes = _drop_notes(np.count_nonzero(~complete), "not all eight items were answered")
    design = table.select(list(dict.fromkeys(filter(None, roles.values())))).to_pandas()
    weight = np.ones(len(matrix))
    if roles["weight"]:
        weight = _weights(design, roles["weight"])
        notes += _drop_notes(np.count_nonzero(complete & np.isnan(weight)), "they have no weight")
        complete &= ~np.isnan(weight)
    else:
        notes.append("food_insecurity: no weights were given, so every row counts the same.")
    cluster = np.arange(len(matrix))
    if roles["cluster"]:
        cluster = design[roles["cluster"]].factorize()[0]
        notes += _drop_notes(np.count_nonzero(complete & (cluster < 0)), "they have no cluster")
        complete &= cluster >= 0
    group = None
    if roles["by"]:
        group = design[roles["by"]].astype(object).where(design[roles["by"]].notna(), None).to_numpy()
        lacking = sum(label is None for label in group[complete])
        if lacking:
            notes.append(f"food_insecurity: {lacking} rows without {roles['by']} count in the total, but in no group.")
    used = FoodSample(
        answers=matrix[complete],
        weight=weight[complete],
        cluster=np.unique(cluster[complete], return_inverse=True)[1].astype(np.intp),
        group=None if group is None else group[complete],
        columns=tuple(names),
        rows=len(matrix),
        notes=tuple(notes),
    )
    if roles["cluster"] and len(np.unique(used.cluster)) < 2:
        raise DataError("the rows lie in one cluster only.", where="food_insecurity", fix="Leave out cluster=.")
    return used


def _weights(design: pd.DataFrame, name: str) -> Floats:
    """Return the weights, nan where there is none."""
    try:
        weight: Floats = design[name].to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(f"the weights in {name} are no numbers.", where="food_insecurity") from error
    wrong = int(np.count_nonzero((weight <= 0) | np.isinf(weight)))
    if wrong:
        raise DataError(
            f"{wrong} weights in {name} are not positive numbers.",
            where="food_insecurity",
            fix="Leave out rows that the survey gives no weight, or correct the column.",
        )
    return weight


def _drop_notes(count: int | np.intp, why: str) -> list[str]:
    rows = "1 row was" if count == 1 else f"{count} rows were"
    return [f"food_insecurity: {rows} left out, because {why}."] if count else []
