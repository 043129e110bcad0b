"""The answers to an instrument as scoring reads them, and keyed: what reliability and the audit of the key look at."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sweval.frames import require_columns, wrap
from sweval.scoring import kernel
from sweval.scoring.answers import Codes, Facts
from sweval.scoring.definition import instrument as find_instrument
from sweval.scoring.fit import refuse_misfits
from sweval.scoring.records import Instrument, Scale
from sweval.scoring.request import CodingArgument, Column, RawCode, missing_codes, request
from sweval.scoring.rules import points_of
from sweval.scoring.score import answers

_Check = Callable[[Instrument, Sequence[Facts]], None]


@dataclass(frozen=True, kw_only=True)
class ItemAnswers:
    """The answers of a frame to an instrument, in the codes of its definition."""

    instrument: Instrument
    columns: tuple[Column, ...]
    codes: dict[str, Codes]
    facts: tuple[Facts, ...]
    plan: kernel.Layout

    @property
    def names(self) -> dict[str, str]:
        """Item id -> column."""
        return {column.item.id: column.name for column in self.columns}

    @property
    def rows(self) -> int:
        return len(next(iter(self.codes.values())))

    def given(self, item_id: str) -> NDArray[np.float64]:
        """Return the codes of one item, nan = missing, shape (rows,)."""
        place = [column.item.id for column in self.columns].index(item_id)
        codes = self.codes[item_id]
        return np.where(codes == self.plan.fills[place], np.nan, codes.astype(float))

    @property
    def summed(self) -> tuple[Scale, ...]:
        """The scores that add up or average what their own items count."""
        return tuple(scale for scale in self.instrument.scores if scale.op in ("sum", "mean"))

    def keyed(self, scale: Scale) -> NDArray[np.float64]:
        """Return what each answer counts in a score, nan = missing, shape (rows, items of the score)."""
        return kernel.keyed_points(self.instrument, scale, self.codes, self.plan)

    def directed(self, scale: Scale, step: int = 1) -> NDArray[np.float64]:
        """Return the codes of every `step`-th row, mirrored where the key turns the item, nan = missing.

        Unlike points, codes keep answers apart that count the same, so that they show better how an item runs.
        """
        columns = []
        for item in map(self.instrument.item, scale.items):
            given = self.given(item.id)[::step]
            columns.append(item.low + item.high - given if self.turns(item.id, scale) else given)
        return np.column_stack(columns)

    def turns(self, item_id: str, scale: Scale | None = None) -> bool:
        """Say whether the key turns an item round: its lowest code counts most. By default in its first score."""
        scale = scale or next((entry for entry in self.summed if item_id in entry.items), None)
        item = self.instrument.item(item_id)
        if scale is None:
            return item.reversed
        points = points_of(self.instrument, scale)[item_id]
        return points[item.low] > points[item.high]

    def scores(self) -> tuple[kernel.Scored, ...]:
        """Return every score of every row."""
        return kernel.score_columns(self.instrument, self.codes, self.plan)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which instrument to read from which columns, as the arguments of `sweval.score` say."""

    instrument: str | os.PathLike[str] | Instrument
    items: str | Sequence[str]
    missing: Sequence[RawCode] | RawCode
    coding: CodingArgument
    order: str | None
    accept_licence: bool


def read_items(frame: Any, asked: Asked, check: _Check = refuse_misfits) -> ItemAnswers:
    """Return the answers as `sweval.score` reads them; lazy frames are collected, but only the item columns.

    `check` may refuse answers that are no codes; those it lets pass are read as missing. Scores that need a variant are
    left out.
    """
    found = find_instrument(asked.instrument, accept_licence=asked.accept_licence).of_variant("")
    absent = missing_codes(asked.missing)
    columns = request(found, asked.items, asked.coding, absent, asked.order)
    names = [column.name for column in columns]
    wrapped = wrap(frame)
    require_columns(wrapped, names, where=found.id)
    selected = wrapped.select(names)
    table = selected.collect() if isinstance(selected, nw.LazyFrame) else selected
    plan = kernel.layout(found)
    codes, facts = answers(table, columns, absent, plan)
    check(found, facts)
    kernel.fill_gated(found.gates, found.items, codes, plan)
    return ItemAnswers(instrument=found, columns=columns, codes=codes, facts=tuple(facts), plan=plan)
