"""Bars of items add up to all rows, run the way the answers count, and say what was left out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import sweval as sw
from sweval.errors import DataError, InstrumentError


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    pyplot.close("all")


def segments(drawn: Axes) -> list[list[float]]:
    """Return the widths of each bar's segments from left to right, bars from top to bottom."""
    bars: dict[float, list[tuple[float, float]]] = {}
    for patch in drawn.patches:
        bars.setdefault(round(patch.get_y(), 6), []).append((patch.get_x(), patch.get_width()))
    return [[width for _, width in sorted(bars[y])] for y in sorted(bars)]


def frame(name: str, rows: list[list[float | None]]) -> pd.DataFrame:
    ids = [item.id for item in sw.instrument(name).items]
    return pd.DataFrame(rows, columns=[f"q_{item}" for item in ids])


def test_segments_are_shares_of_all_rows_with_the_missing_last() -> None:
    data = frame("who5", [[0, 5, 5, 5, 5], [0, 5, 5, 5, 99], [3, 5, 5, 5, None], [5, 5, 5, 5, 5]])
    drawn = sw.plots.items(data, "who5", items="q_{item}", missing=99)
    assert segments(drawn) == [[50.0, 25.0, 25.0], [100.0], [100.0], [100.0], [50.0, 50.0]]
    assert drawn.get_xlabel() == "Share of 4 rows, %"
    assert drawn.patches[-1].get_hatch()
    assert [text.get_text() for text in drawn.get_legend().get_texts()] == ["0", "1", "2", "3", "4", "5", "no answer"]


def test_items_stand_in_order_from_top_to_bottom() -> None:
    drawn = sw.plots.items(frame("who5", [[1] * 5]), "who5", items="q_{item}")
    assert [tick.get_text() for tick in drawn.get_yticklabels()] == [f"q_{i}" for i in range(1, 6)]
    assert drawn.yaxis_inverted()


def test_a_reversed_item_is_drawn_as_it_counts_and_says_so() -> None:
    """Item 4 of the PSS-10 is reversed: the raw answer 4 counts 0, so that it is as light as a raw 0 elsewhere."""
    raw = [0, 0, 0, 4, 4, 0, 4, 4, 0, 0]
    drawn = sw.plots.items(frame("pss10", [raw]), "pss10", items="q_{item}")
    assert len({patch.get_facecolor() for patch in drawn.patches}) == 1
    marked = [tick.get_text() for tick in drawn.get_yticklabels() if "(reversed)" in tick.get_text()]
    assert marked == [f"q_{i} (reversed)" for i in (4, 5, 7, 8)]
    assert "lower is better" in drawn.get_legend().get_title().get_text()


def test_an_item_that_was_keyed_before_stands_out() -> None:
    keyed_before = [0, 0, 0, 0, 4, 0, 4, 4, 0, 0]
    drawn = sw.plots.items(frame("pss10", [keyed_before]), "pss10", items="q_{item}")
    colours = [patch.get_facecolor() for patch in drawn.patches]
    assert [place for place, colour in enumerate(colours) if colour != colours[0]] == [3]


def test_points_of_their_own_decide_colour_and_direction() -> None:
    """Item 7 of the PROMIS Global-10 is answered 0 to 10 and counts 5 to 1."""
    raw = [5, 5, 5, 5, 5, 5, 0, 1, 5, 1]
    drawn = sw.plots.items(frame("promis_global10", [raw]), "promis_global10", items="q_{item}")
    assert len({patch.get_facecolor() for patch in drawn.patches}) == 1
    labels = [tick.get_text() for tick in drawn.get_yticklabels()]
    assert [label for label in labels if "(reversed)" in label] == [f"q_{i} (reversed)" for i in (7, 8, 10)]
    assert [text.get_text() for text in drawn.get_legend().get_texts()] == ["1", "2", "3", "4", "5"]


def test_another_numbering_is_put_into_the_order_of_the_instrument() -> None:
    order = next(entry for entry in sw.instrument("djg6").orders if entry.name == "form")
    data = frame("djg6", [[1, 2, 3, 1, 2, 3]])
    drawn = sw.plots.items(data, "djg6", items="q_{item}", order="form")
    place = {item: f"q_{number}" for number, item in enumerate(order.items, 1)}
    labels = [tick.get_text().removesuffix(" (reversed)") for tick in drawn.get_yticklabels()]
    assert labels == [place[item.id] for item in sw.instrument("djg6").items]


def test_items_that_a_variant_skips_are_not_asked() -> None:
    found = sw.instrument("hfssm18")
    gate = next(gate for gate in found.gates if gate.variant)
    data = pd.DataFrame({f"q_{item.id}": [None if item.id in gate.asks else item.high] for item in found.items})
    plain, variant = (sw.plots.items(data, each, items="q_{item}") for each in (found, found.of_variant(gate.variant)))
    assert "not asked" not in [text.get_text() for text in plain.get_legend().get_texts()]
    assert "no answer" not in [text.get_text() for text in variant.get_legend().get_texts()]


def test_not_asked_is_not_missing() -> None:
    gated = frame("hfssm6", [[0, 0, 0, None, None, None], [1, 1, 1, None, 1, 1]])
    drawn = sw.plots.items(gated, "hfssm6", items="q_{item}")
    labels = [text.get_text() for text in drawn.get_legend().get_texts()]
    assert labels == ["0", "1", "not asked", "no answer"]
    hatched = [patch for patch in drawn.patches if patch.get_hatch()]
    assert [(patch.get_x(), patch.get_width()) for patch in hatched] == [(50.0, 50.0)]
    assert [round(patch.get_y()) for patch in hatched] == [3]


def test_light_to_dark_in_grey_print_too() -> None:
    rows: list[list[float | None]] = [[code] * 5 for code in range(6)]
    drawn = sw.plots.items(frame("who5", rows), "who5", items="q_{item}")
    grey = [0.299 * r + 0.587 * g + 0.114 * b for r, g, b, _ in (p.get_facecolor() for p in drawn.patches[:6])]
    assert (np.diff(grey) < -0.08).all()


def test_percentages_stand_only_where_they_fit() -> None:
    rows: list[list[float | None]] = [[0] * 5] * 99 + [[5] * 5]
    drawn = sw.plots.items(frame("who5", rows), "who5", items="q_{item}")
    assert [text.get_text() for text in drawn.texts] == ["99"] * 5
    sixths: list[list[float | None]] = [[code] * 5 for code in range(6)]
    narrow = Figure(figsize=(1.2, 3)).add_subplot()
    assert sw.plots.items(frame("who5", sixths), "who5", narrow, items="q_{item}").texts[:] == []


def test_lazy_frames_are_drawn_too() -> None:
    data = frame("who5", [[0, 1, 2, 3, 4], [5, 5, 4, 4, 5]])
    lazy = pl.from_pandas(data).lazy()
    eager, drawn = (sw.plots.items(each, "who5", items="q_{item}") for each in (data, lazy))
    assert segments(eager) == segments(drawn)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(InstrumentError, match="who5"):
        sw.plots.items(frame("who5", [[7, 1, 1, 1, 1]]), "who5", items="q_{item}")
    with pytest.raises(DataError, match="no rows"):
        sw.plots.items(frame("who5", []), "who5", items="q_{item}")


def test_it_draws_where_it_is_told() -> None:
    ax, before = Figure().add_subplot(), pyplot.get_fignums()
    assert sw.plots.items(frame("who5", [[1] * 5]), "who5", ax, items="q_{item}") is ax
    assert pyplot.get_fignums() == before
