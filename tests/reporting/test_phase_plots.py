"""Single-case graphs keep the conventions of the field: what is joined, where the lines are, what the axes hold."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import sweval as sw
from sweval.errors import DataError, SwevalError
from sweval.reporting.control_charts import control_limits


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    pyplot.close("all")


def days(phases: str, values: list[float] | None = None, *, case: str = "a") -> pd.DataFrame:
    """Return one session per letter."""
    counted = list(range(1, len(phases) + 1))
    return pd.DataFrame(
        {"case": case, "session": counted, "phase": list(phases), "calls": values or [float(k) for k in counted]}
    )


def joined(ax: Axes) -> list[Line2D]:
    """Return the lines with points."""
    return [line for line in ax.lines if line.get_marker() not in ("None", None, "") and len(line.get_xdata())]


def dashed(ax: Axes) -> list[float]:
    """Return where vertical lines cross the whole panel."""
    return [
        float(np.asarray(line.get_xdata())[0])
        for line in ax.lines
        if len(line.get_xdata()) == 2 and list(line.get_ydata()) == [0, 1] and np.ptp(line.get_xdata()) == 0
    ]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_points_are_joined_within_phases_only() -> None:
    (ax,) = sw.plots.phases(days("AAABBBAABB"), "calls", phase="phase", time="session")
    assert [list(line.get_xdata()) for line in joined(ax)] == [[1, 2, 3], [4, 5, 6], [7, 8], [9, 10]]
    assert dashed(ax) == [3.5, 6.5, 8.5]
    assert texts(ax) == ["A", "B", "A", "B"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Session", "calls")


def test_rows_may_come_in_any_order_and_any_frame() -> None:
    table = days("AAABBB").sample(frac=1, random_state=1)
    for frame in (table, pl.from_pandas(table), {name: table[name].to_numpy() for name in table}):
        (ax,) = sw.plots.phases(frame, "calls", phase="phase", time="session")
        assert [list(line.get_ydata()) for line in joined(ax)] == [[1, 2, 3], [4, 5, 6]]


def test_a_missing_value_breaks_the_line_and_is_counted() -> None:
    (ax,) = sw.plots.phases(days("AAAABBBB", [1, 2, np.nan, 3, 4, 5, 6, 7]), "calls", phase="phase", time="session")
    drawn = np.asarray(joined(ax)[0].get_ydata(), dtype=float)
    assert np.isnan(drawn).tolist() == [False, False, True, False]
    assert ax.get_xlabel().splitlines()[1] == "Sessions without a value: 1; points are not joined across them"


@pytest.mark.parametrize(("line", "heights"), [("mean", [2, 8]), ("median", [1, 8]), ("trend", [None, None])])
def test_lines_of_phases(line: Any, heights: list[float | None]) -> None:
    frame = days("AAABBB", [1, 1, 4, 7, 8, 9])
    (ax,) = sw.plots.phases(frame, "calls", phase="phase", time="session", line=line)
    drawn = [one for one in ax.lines if one.get_color() == "#555555"]
    ends = [np.asarray(one.get_ydata(), dtype=float) for one in drawn]
    if line == "trend":
        np.testing.assert_allclose(ends, [[0.5, 3.5], [7, 9]])
    else:
        np.testing.assert_allclose(ends, [[height, height] for height in heights])
    assert "phase" in ax.get_xlabel().splitlines()[1]


def baselines(starts: dict[str, int], length: int = 12) -> pd.DataFrame:
    parts = [
        days("".join("A" if k < start else "B" for k in range(1, length + 1)), case=name)
        for name, start in starts.items()
    ]
    return pd.concat(parts, ignore_index=True)


def test_panels_of_a_multiple_baseline_stand_in_the_order_of_their_starts() -> None:
    frame = baselines({"late": 9, "early": 4, "middle": 6})
    panels = sw.plots.phases(frame, "calls", phase="phase", time="session", case="case")
    assert [texts(ax)[-1] for ax in panels] == ["early", "middle", "late"]
    assert [dashed(ax) for ax in panels] == [[3.5], [5.5], [8.5]]
    assert texts(panels[0])[:2] == ["A", "B"]
    assert texts(panels[1]) == ["middle"]  # the conditions are named above the first panel only
    assert len({ax.get_ylim() for ax in panels}) == len({ax.get_xlim() for ax in panels}) == 1


def test_the_line_of_the_change_leads_from_panel_to_panel() -> None:
    frame = baselines({"a": 4, "b": 6, "c": 9})
    panels = sw.plots.phases(frame, "calls", phase="phase", time="session", case="case")
    figure = panels[0].figure
    figure.canvas.draw()
    ends = []
    for ax in panels:
        for line in ax.lines:
            if not line.get_clip_on() and line.get_marker() in ("None", ""):
                ends.append(line.get_transform().transform(np.column_stack(line.get_data())))
    first, second = ends[0], ends[1]
    assert len(ends) == 4  # two pieces in each of two gaps
    np.testing.assert_allclose(first[-1], second[0], atol=0.5)  # the pieces meet, within half a pixel
    np.testing.assert_allclose(first[0][1], panels[0].get_window_extent().y0, atol=0.5)
    np.testing.assert_allclose(second[-1][1], panels[1].get_window_extent().y1, atol=0.5)


def test_lines_that_would_touch_are_not_led_on() -> None:
    frame = pd.concat([days("AABBBBBBAAAA", case="a"), days("AAAAAAAAABBA", case="b")], ignore_index=True)
    panels = sw.plots.phases(frame, "calls", phase="phase", time="session", case="case")
    assert all(line.get_clip_on() or line.get_marker() == "o" for ax in panels for line in ax.lines)
    assert texts(panels[1]) == ["A", "B", "A", "b"]  # so that every panel names its phases


def test_conditions_that_alternate_are_series_of_their_own() -> None:
    frame = days("AAAACBCBBCBC")
    (ax,) = sw.plots.phases(frame, "calls", phase="phase", time="session")
    marks = {tuple(line.get_xdata()): line.get_marker() for line in joined(ax)}
    assert marks == {(1, 2, 3, 4): "o", (5, 7, 10, 12): "s", (6, 8, 9, 11): "^"}
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["A", "C", "B"]
    assert dashed(ax) == [4.5]


@pytest.mark.parametrize(
    ("values", "low"),
    [([0, 3, 2, 8, 9, 7], 0.0), ([52, 55, 54, 60, 61, 66], 52.0), ([-3, 2, 1, 4, 5, 6], -3.0), ([2] * 6, 1.0)],
)
def test_the_axis_begins_at_zero_unless_the_values_lie_far_above(values: list[float], low: float) -> None:
    (ax,) = sw.plots.phases(days("AAABBB", values), "calls", phase="phase", time="session")
    bounds = ax.spines["left"].get_bounds()
    assert bounds is not None
    assert bounds[0] == low
    assert ax.get_ylim()[0] < low


def test_a_questionnaire_is_drawn_on_its_range() -> None:
    frame = days("AAABBB", [9, 10, 9, 6, 5, 6]).rename(columns={"calls": "phq9_total"})
    (ax,) = sw.plots.phases(frame, "phq9_total", phase="phase", time="session")
    bounds = ax.spines["left"].get_bounds()
    assert bounds is not None
    assert bounds[0] == 0
    assert ax.get_ylim()[1] > 27


def test_drawing_into_a_figure_and_in_indonesian() -> None:
    figure = Figure(figsize=(5, 4))
    panels = sw.plots.phases(
        baselines({"a": 4, "b": 6}), "calls", phase="phase", time="session", case="case", figure=figure, language="id"
    )
    assert all(ax.figure is figure for ax in panels)
    assert panels[-1].get_xlabel() == "Sesi"
    figure.canvas.draw()


def test_the_same_data_give_the_same_picture() -> None:
    def picture() -> bytes:
        figure = Figure(figsize=(5, 4))
        sw.plots.phases(baselines({"a": 4, "b": 6}), "calls", phase="phase", time="session", case="case", figure=figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        return buffer.getvalue()

    assert picture() == picture()


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (days("AAAB").assign(session=[1, 2, 2, 3]), "occur twice"),
        (days("AAAB").assign(phase=["A", None, "A", "B"]), "1 of 4 rows have no phase"),
        (days("AAAB").assign(calls=np.nan), "holds no number"),
        (days("AAAB").drop(columns="phase"), "no column"),
        (pd.concat([days("AB", case=f"c{k}") for k in range(13)]), "13 cases"),
    ],
)
def test_what_cannot_be_drawn(frame: pd.DataFrame, says: str) -> None:
    with pytest.raises(SwevalError, match=says):
        sw.plots.phases(frame, "calls", phase="phase", time="session", case="case")


def test_unknown_lines_are_refused() -> None:
    unknown: Any = "mode"
    with pytest.raises(DataError, match="line must be"):
        sw.plots.phases(days("AABB"), "calls", phase="phase", time="session", line=unknown)


def test_limits_of_the_control_chart() -> None:
    """Those of the effect: two standard deviations; and 3 / 1.128 mean moving ranges, the X-mR chart."""
    values = np.array([4.0, 7.0, 5.0, 8.0])
    mean, low, high = control_limits(values)
    assert (mean, high - mean, mean - low) == pytest.approx((6.0, 2 * values.std(ddof=1), 2 * values.std(ddof=1)))
    assert control_limits(values, limits="moving_range")[2] == pytest.approx(6 + 2.66 * (3 + 2 + 3) / 3, rel=1e-3)
    for ours, theirs in (("sd", "band"), ("moving_range", "individuals")):
        chart = sw.effects.control_chart(values, [9.0, 3.0], kind=theirs)
        assert control_limits(values, limits=ours) == pytest.approx((chart.centre, chart.low[0], chart.high[0]), 1e-14)
    gap = np.array([4.0, np.nan, 5.0, 8.0])
    assert control_limits(gap, limits="moving_range")[2] == pytest.approx(17 / 3 + 3 * np.sqrt(np.pi) / 2 * 3)


def test_points_outside_have_a_ring_and_are_counted() -> None:
    frame = days("AAAAABBBBB", [4, 5, 6, 5, 5, 6, 9, 9, 2, 5])
    ax = sw.plots.control_chart(frame, "calls", phase="phase", time="session")
    rings = [line for line in ax.lines if line.get_markersize() == 10]
    assert list(rings[0].get_xdata()) == [7, 8, 9]
    assert ax.get_xlabel().splitlines()[2] == "Ringed: outside the limits; after A 3 of 5 sessions"
    assert ax.get_xlabel().splitlines()[1] == "Lines: mean of A, and 2 standard deviations either side"
    half = sw.plots.control_chart(frame, "calls", phase="phase", time="session", width=2.5, language="id")
    assert "2,5 simpangan baku" in half.get_xlabel()


@pytest.mark.parametrize(
    ("frame", "options", "says"),
    [
        (days("AAAA"), {}, "one phase"),
        (days("AABB"), {}, "2 values"),
        (days("AAABB", [3, 3, 3, 4, 5]), {}, "does not vary"),
        (days("AAABB"), {"limits": "range"}, "limits must be"),
        (days("AAABB"), {"width": 0}, "above zero"),
        (days("AAAAAB", [1, np.nan, 2, np.nan, 3, 4]), {"limits": "moving_range"}, "neighbouring"),
    ],
)
def test_charts_that_cannot_be_drawn(frame: pd.DataFrame, options: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        sw.plots.control_chart(frame, "calls", phase="phase", time="session", **options)
