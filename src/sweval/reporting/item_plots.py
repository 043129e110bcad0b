"""Stacked answers to each item of a questionnaire, turned the way they count in the score."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from sweval.errors import DataError
from sweval.frames import require_columns, wrap
from sweval.reporting.canvas import drawing, plain, points_wide, text_width
from sweval.scoring import kernel
from sweval.scoring.definition import instrument as find_instrument
from sweval.scoring.fit import refuse_misfits
from sweval.scoring.records import Instrument, Item
from sweval.scoring.request import CodingArgument, Column, RawCode, missing_codes, request
from sweval.scoring.rules import points_of
from sweval.scoring.score import answers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW = 0.36
_BAR = 0.78
_MARGIN = 1.5
_LABEL = 30
_ENTRIES = 9
_LINE = "#8A8A8A"
_UNASKED: dict[str, Any] = {"facecolor": "#D9D9D9"}
_MISSING: dict[str, Any] = {"facecolor": "white", "edgecolor": _LINE, "hatch": "////", "linewidth": 0.6}


@dataclass(frozen=True, kw_only=True)
class _Bar:
    """The answers to one item: share of the rows by what the answer counts, not asked, and without an answer."""

    column: str
    turned: bool
    shares: dict[int, float]
    unasked: float
    missing: float

    @property
    def label(self) -> str:
        """The column, and that the item is turned round."""
        return textwrap.shorten(self.column, _LABEL, placeholder=" …") + (" (reversed)" if self.turned else "")


def items(
    frame: Any,
    instrument: str | os.PathLike[str] | Instrument,
    ax: Axes | None = None,
    *,
    items: str | Sequence[str],
    missing: Sequence[RawCode] | RawCode = (),
    coding: CodingArgument = None,
    order: str | None = None,
    accept_licence: bool = False,
) -> Axes:
    """Draw how often each answer was given, item by item, one stacked bar each.

    Use it before scoring: answers are turned the way they count (reversed items are marked), so that an item whose bar
    runs against the others looks unreversed, or was reversed before. It also shows items that nearly all answer alike,
    and items that many leave out. For whole scores use `sweval.plots.scale`.

    Parameters
    ----------
    frame, instrument, items, missing, coding, order, accept_licence
        As in `sweval.score`. Where a variant of the instrument skips items, pass `sw.instrument(id).of_variant(name)`.
    ax
        Where to draw; by default a new figure, high enough for all items.

    Returns
    -------
    matplotlib.axes.Axes
        Items from top to bottom in the order of the instrument. Segments are shares of all rows, from the lowest points
        (light) to the highest (dark), in a blue that all kinds of colour vision and grey print tell apart; then rows
        that were not asked (grey) and rows without an answer (hatched). Percentages stand where there is room.

    Raises
    ------
    InstrumentError
        If answers do not fit the instrument, as in `sweval.score`.
    DataError
        If item columns are absent, or the frame has no rows.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [[0, 1, 2, 3, 3], [5, 5, 4, 4, 5], [4, 3, None, 4, 2]]
    >>> answers = pd.DataFrame(rows, columns=[f"who_{i}" for i in range(1, 6)])
    >>> import sweval as sw
    >>> sw.plots.items(answers, "who5", items="who_{item}").get_xlabel()
    'Share of 3 rows, %'
    """
    found = find_instrument(instrument, accept_licence=accept_licence)
    found = found.of_variant(found.scores[0].variant)
    absent = missing_codes(missing)
    bars, rows = _bars(frame, found, request(found, items, coding, absent, order), absent)
    with drawing(ax, width=7.6, height=_MARGIN + _ROW * len(bars)) as canvas:
        _draw(canvas, bars, rows, found)
    return canvas


def _bars(
    frame: Any, instrument: Instrument, columns: Sequence[Column], missing: Sequence[RawCode]
) -> tuple[list[_Bar], int]:
    """Return the bar of each item, and the number of rows."""
    names = [column.name for column in columns]
    wrapped = wrap(frame)
    require_columns(wrapped, names, where=instrument.id)
    selected = wrapped.select(names)
    table = selected.collect() if isinstance(selected, nw.LazyFrame) else selected
    if not len(table):
        raise DataError("the data have no rows, so there is nothing to draw.", where="plots.items")
    plan = kernel.layout(instrument)
    given, facts = answers(table, columns, missing, plan)
    refuse_misfits(instrument, facts)
    asked = dict(given)
    kernel.fill_gated(instrument.gates, instrument.items, asked, plan)
    bars = []
    for column, fill in zip(columns, plan.fills, strict=True):
        raw, filled = given[column.item.id], asked[column.item.id]
        points = _points(instrument, column.item)
        shares = dict.fromkeys(sorted(set(points.values())), 0.0)
        for code, count in points.items():
            shares[count] += float(np.mean(raw == code))
        bars.append(
            _Bar(
                column=column.name,
                turned=points[column.item.low] > points[column.item.high],
                shares=shares,
                unasked=float(np.mean((raw == fill) & (filled != fill))),
                missing=float(np.mean(filled == fill)),
            )
        )
    return bars, len(table)


def _points(instrument: Instrument, item: Item) -> dict[int, int]:
    """Return what each code of an item counts in the first score that it is part of, itself where it is in none."""
    for scale in instrument.scores:
        if not scale.parts and item.id in scale.items:
            return points_of(instrument, scale)[item.id]
    return {code: code for code in item.codes}


def _draw(ax: Axes, bars: Sequence[_Bar], rows: int, instrument: Instrument) -> None:
    values = sorted({value for bar in bars for value in bar.shares})
    colours = _colours(values)
    ax.set(xlim=(0, 100), ylim=(len(bars) - 0.45, -0.55), xlabel=f"Share of {rows:,} row{'s' * (rows != 1)}, %")
    ax.set_yticks(range(len(bars)), [bar.label for bar in bars])
    for tick in ax.get_yticklabels():
        tick.set_parse_math(False)
    ax.tick_params(axis="y", length=0)
    plain(ax)
    ax.spines["left"].set_visible(False)
    _legend(ax, bars, values, colours, instrument)
    narrowest = 100 * (text_width("88", ax) + 4.0) / points_wide(ax)
    for y, bar in enumerate(bars):
        parts: list[tuple[float, dict[str, Any], str]] = [
            (share, {"facecolor": colours[value]}, "white" if _dark(colours[value]) else "black")
            for value, share in bar.shares.items()
        ]
        parts += [(bar.unasked, _UNASKED, "black"), (bar.missing, _MISSING, "black")]
        left = 0.0
        for share, looks, ink in parts:
            width = 100 * share
            if width:
                ax.barh(y, width, left=left, height=_BAR, **{"edgecolor": "white", "linewidth": 0.8, **looks})
            if width >= narrowest:
                _label(ax, left + width / 2, y, f"{width:.0f}", ink, boxed=looks is _MISSING)
            left += width


def _label(ax: Axes, x: float, y: float, text: str, ink: str, *, boxed: bool) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0} if boxed else None
    ax.text(x, y, text, ha="center", va="center", color=ink, fontsize="small", bbox=box)


def _legend(
    ax: Axes, bars: Sequence[_Bar], values: Sequence[int], colours: dict[int, Any], instrument: Instrument
) -> None:
    """Explain the colours above the bars; of many values some, the lowest and the highest among them."""
    from matplotlib.patches import Patch

    few = min(len(values), _ENTRIES)
    shown = [values[place] for place in sorted({round(i * (len(values) - 1) / max(few - 1, 1)) for i in range(few)})]
    handles = [Patch(facecolor=colours[value], edgecolor=_LINE, linewidth=0.5, label=str(value)) for value in shown]
    if any(bar.unasked for bar in bars):
        handles.append(Patch(**{"edgecolor": _LINE, "linewidth": 0.5, **_UNASKED}, label="not asked"))
    if any(bar.missing for bar in bars):
        handles.append(Patch(**_MISSING, label="no answer"))
    better = {scale.better for scale in instrument.scores}
    way = f" ({next(iter(better))} is better)" if len(better) == 1 and None not in better else ""
    legend = ax.legend(
        handles=handles,
        title=f"{instrument.id}: what the answer counts{way}",
        ncols=len(handles),
        loc="lower left",
        bbox_to_anchor=(0, 1),
        frameon=False,
        alignment="left",
        handlelength=1.2,
        columnspacing=1.1,
        borderaxespad=0.2,
    )
    legend.get_title().set_parse_math(False)


def _colours(values: Sequence[int]) -> dict[int, Any]:
    """Return a blue per value, light to dark in equal steps."""
    from matplotlib import colormaps

    blues = colormaps["Blues"]
    last = max(len(values) - 1, 1)
    return {value: blues(0.12 + 0.86 * place / last) for place, value in enumerate(values)}


def _dark(colour: Sequence[float]) -> bool:
    """Whether white letters are read more easily than black ones on a colour."""
    red, green, blue = colour[:3]
    return 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
