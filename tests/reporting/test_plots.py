"""The forest plot shows what the rows say, never two things at one place, and the same bytes for the same rows."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from sweval.errors import SwevalError
from sweval.reporting.plots import forest, forest_in_words, forest_picture
from sweval.result import Result


@pytest.fixture
def axes() -> Axes:
    return Figure(figsize=(9, 4), layout="constrained").add_subplot()


def many(result: Result, count: int) -> pd.DataFrame:
    template = result.estimates[1]
    names = ("short", "A name of a comparison that is much longer than any sensible column is wide, and goes on")
    rows = [
        dataclasses.replace(
            template,
            comparison=f"{i} {names[i % 2]}",
            service="group" if i % 3 else "training",
            estimate=0.1 * (i % 7) - 0.2,
        )
        for i in range(count)
    ]
    return Result(estimates=tuple(rows)).tidy()


def text_boxes(drawn: Axes) -> list[Bbox]:
    figure = drawn.figure
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    found = [*drawn.texts, *drawn.get_yticklabels(), *drawn.get_xticklabels(), drawn.xaxis.label]
    return [text.get_window_extent(renderer) for text in found if text.get_text() and text.get_visible()]


def test_rows_are_drawn_from_top_to_bottom_direct_first(synthetic: Result, axes: Axes) -> None:
    drawn = forest(synthetic.tidy(), axes)
    assert drawn is axes
    assert [label.get_text() for label in drawn.get_yticklabels()] == [
        "Direct service",
        "Group work: phq9_total",
        "Group work: who5_percent",
        "Indirect service",
        "Staff training: phq9_total",
        "Staff training: who5_percent",
    ]
    assert drawn.yaxis_inverted()
    squares = [float(points.get_offsets()[0][0]) for points in drawn.collections]
    assert squares == [0.455, -0.42, 0.312, 0.18]
    lines = [tuple(line.get_xdata()) for line in drawn.lines[:4]]
    assert lines == [(0.21, 0.7), (-0.7, -0.14), (0.05, 0.574), (-0.11, 0.47)]
    assert "0.46 [0.21, 0.70]" in [text.get_text() for text in drawn.texts]


def test_more_precise_effects_have_larger_squares(synthetic: Result, axes: Axes) -> None:
    precise = dataclasses.replace(synthetic.estimates[1], std_error=0.05)
    tidy = Result(estimates=(precise, synthetic.estimates[1])).tidy()
    sizes = [points.get_sizes()[0] for points in forest(tidy, axes).collections]
    assert sizes[0] > sizes[1]


def test_an_interval_that_leaves_the_picture_ends_in_an_arrow(synthetic: Result, axes: Axes) -> None:
    wide = dataclasses.replace(synthetic.estimates[1], conf_low=-9.0, conf_high=9.0)
    drawn = forest(Result(estimates=(wide,)).tidy(), axes)
    assert drawn.get_xlim()[0] > -2
    assert [line.get_marker() for line in drawn.lines if line.get_marker() in "<>"] == ["<", ">"]
    assert "0.31 [−9.00, 9.00]" in [text.get_text() for text in drawn.texts]


def test_a_long_name_never_hides_the_outcome(synthetic: Result, axes: Axes) -> None:
    labels = [label.get_text() for label in forest(many(synthetic, 2), axes).get_yticklabels()]
    assert "1 A name of a comparison that is much …\nphq9_total" in labels


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_texts_never_overlap(synthetic: Result, count: int) -> None:
    drawn = forest(many(synthetic, count))
    boxes = text_boxes(drawn)
    clashes = [(a, b) for a, b in itertools.combinations(boxes, 2) if a.shrunk(0.9, 0.8).overlaps(b.shrunk(0.9, 0.8))]
    assert clashes == []
    width, height = drawn.figure.bbox.width, drawn.figure.bbox.height
    assert all(box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1 for box in boxes)


def test_a_label_is_never_read_as_markup(synthetic: Result) -> None:
    row = dataclasses.replace(synthetic.estimates[1], comparison=r"$\frac{1}$ <script>alert(1)</script> -- x", term="a")
    svg = forest_picture(Result(estimates=(row,)).tidy())
    assert b"<script" not in svg
    assert b"<metadata" not in svg or b"dc:date" not in svg


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_same_rows_same_bytes(synthetic: Result, kind: str) -> None:
    tidy = synthetic.tidy()
    assert forest_picture(tidy, kind=kind) == forest_picture(tidy.copy(), kind=kind)


def test_the_users_style_does_not_leak_in_or_out(synthetic: Result) -> None:
    import matplotlib as mpl

    plain = forest_picture(synthetic.tidy())
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "yellow"}):
        assert forest_picture(synthetic.tidy()) == plain
        assert mpl.rcParams["font.size"] == 30


def test_rows_on_other_scales_are_left_out_where_some_can_be_compared(synthetic: Result, axes: Axes) -> None:
    labels = [label.get_text() for label in forest(synthetic.tidy(), axes).get_yticklabels()]
    assert not any("Before and after" in label for label in labels)


def test_one_other_scale_alone_can_be_drawn(synthetic: Result, axes: Axes) -> None:
    tidy = synthetic.tidy()
    drawn = forest(tidy[tidy["measure"] == "standardized_mean_change"], axes)
    assert drawn.get_xlabel() == "standardised change, no comparison arm and 95% confidence interval"


def test_what_cannot_be_drawn_is_refused(synthetic: Result) -> None:
    tidy = synthetic.tidy()
    with pytest.raises(SwevalError, match="no standardised effect"):
        forest(tidy[tidy["measure"] == "coefficient"])
    apart = tidy[tidy["measure"] == "standardized_mean_change"]
    with pytest.raises(SwevalError, match="several scales"):
        forest(pd.concat([apart, apart.assign(metric="within_case", measure="nap")], ignore_index=True))


def test_words_for_who_cannot_see_it(synthetic: Result) -> None:
    assert forest_in_words(synthetic.tidy()).startswith(
        "Forest plot of 4 effects: Group work: phq9_total 0.46, interval 0.21 to 0.70; "
    )


def test_indonesian_axis(synthetic: Result, axes: Axes) -> None:
    drawn = forest(synthetic.tidy(), axes, language="id")
    assert "0,46 [0,21; 0,70]" in [text.get_text() for text in drawn.texts]
    drawn.figure.draw_without_rendering()
    assert all("." not in tick.get_text() for tick in drawn.get_xticklabels())


def test_a_notebook_shows_the_second_figure_too(tmp_path: Path) -> None:
    """A notebook's backend turns interactive drawing on when it is first used; drawing must not undo that."""
    (tmp_path / "notebook_backend.py").write_text(
        "import matplotlib\nfrom matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas\n"
        "matplotlib.interactive(True)\n",
        encoding="utf-8",
    )
    code = (
        "import matplotlib, sweval as sw\n"
        "row = sw.Estimate(term='a', measure='hedges_g', metric='person_total', estimate=.3, conf_low=.1, conf_high=.5,"
        " conf_level=.95, method='m', comparison='Group', service='group', outcome='phq9')\n"
        "sw.plots.forest(sw.Result(estimates=(row,)).tidy())\n"
        "assert matplotlib.is_interactive()\n"
    )
    env = os.environ | {"MPLBACKEND": "module://notebook_backend", "PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=env)


def test_results_on_other_scales_are_counted_below_the_axis(synthetic: Result, axes: Axes) -> None:
    """The forest of effects never drops a row in silence."""
    tidy = synthetic.tidy()
    assert "not drawn: 1" in forest(tidy, axes).get_xlabel()
    assert "not drawn: 1" in forest_in_words(tidy)
    alone = tidy[tidy["metric"] == "person_total"]
    assert "not drawn" not in forest(alone, Figure().add_subplot()).get_xlabel()
