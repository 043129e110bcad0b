"""The picture of a score tells n, missing and bands as they are, and splits by arm and wave on the same scales."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import sweval as sw
from sweval.errors import DataError, InstrumentError, SwevalError
from sweval.reporting import score_plots
from sweval.scoring.definition import catalogue


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture
def scores() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    total = rng.integers(0, 28, 240).astype(float)
    total[::12] = np.nan
    return pd.DataFrame(
        {"phq9_total": total, "arm": ["usual", "training"] * 120, "wave": np.repeat(["pre", "post", "later"], 80)}
    )


def texts(drawn: Axes) -> list[str]:
    return [text.get_text() for text in drawn.texts]


def bars(drawn: Axes) -> list[tuple[float, float, float]]:
    """Return left edge, base and height of the bars that are seen."""
    found = [patch for container in drawn.containers for patch in container.patches]
    return [(bar.get_x(), bar.get_y(), bar.get_height()) for bar in found if bar.get_height()]


def test_bars_are_shares_of_the_scores_there_are() -> None:
    drawn = sw.plots.scale(pd.DataFrame({"phq9_total": [0, 3, 3, 27, None]}), "phq9_total")
    found = bars(drawn)
    assert [left for left, _, _ in found] == [-0.5, 2.5, 26.5]
    heights = np.array([height for _, _, height in found])
    np.testing.assert_allclose(heights / heights.max(), [0.5, 1, 0.5])
    top = drawn.get_yticks()[1]
    assert drawn.get_yticklabels()[1].get_text() == "50"  # percent, at the height of the bar of 3
    np.testing.assert_allclose(top, heights.max())
    assert "n = 4\n1 missing" in texts(drawn)


def test_bands_are_cut_where_scoring_cuts_them() -> None:
    """A prorated 4.5 is "mild", and so it stands right of the line and in the share of that band."""
    drawn = sw.plots.scale(pd.DataFrame({"phq9_total": [4.0, 4.5, 9.4, 20.0]}), "phq9_total")
    lines = [line.get_xdata()[0] for line in drawn.lines if line.get_linestyle() != "-"]
    assert lines == [4.5, 9.5, 14.5, 19.5]
    assert texts(drawn)[:6] == ["n = 4\n0 missing", "none-minimal", "mild", "moderate", "moderately severe", "severe"]
    assert texts(drawn)[6:] == ["25%", "50%", "0%", "0%", "25%"]
    assert bars(drawn)[1][0] == 4.5
    assert [tick.get_text() for tick in drawn.get_xticklabels()] == ["0", "5", "10", "15", "20", "27"]
    assert drawn.get_xlabel() == "phq9_total (lower is better)\nbands: Kroenke, Spitzer & Williams 2001"


def test_bands_that_nobody_checked_are_said_to_be(scores: pd.DataFrame) -> None:
    phq9 = sw.instrument("phq9")
    scale = phq9.scale("total")
    unchecked = dataclasses.replace(scale, band_sets=(dataclasses.replace(scale.band_set, verified=False),))
    own = dataclasses.replace(phq9, scores=(unchecked,))
    assert sw.plots.scale(scores, "phq9_total", instrument=own).get_xlabel().endswith("2001 [not checked]")


def test_groups_stand_below_each_other_on_one_scale(scores: pd.DataFrame) -> None:
    drawn = sw.plots.scale(scores, "phq9_total", by=("arm", "wave"))
    named = [text.get_text() for text in drawn.texts if text.get_fontweight() == "bold"]
    assert named == [
        "usual, pre", "usual, post", "usual, later", "training, pre", "training, post", "training, later",
    ]  # fmt: skip
    counted = [text for text in texts(drawn) if text.startswith("n = ")]
    has = scores["phq9_total"].notna()
    assert counted == [
        f"n = {(has & rows).sum()}\n{(~has & rows).sum()} missing"
        for arm in ("usual", "training")
        for wave in ("pre", "post", "later")
        for rows in [(scores["arm"] == arm) & (scores["wave"] == wave)]
    ]
    strip = [(base, height) for _, base, height in bars(drawn)]
    sums = {base: sum(height for other, height in strip if other == base) for base, _ in strip}
    np.testing.assert_allclose(list(sums.values()), next(iter(sums.values())))  # equal areas: shares within a strip
    assert list(sums) == [0, -1, -2, -3, -4, -5]


def test_waves_keep_their_order(scores: pd.DataFrame) -> None:
    def order(column: pd.Series) -> list[str]:
        drawn = sw.plots.scale(scores.assign(wave=column), "phq9_total", by="wave")
        return [text.get_text() for text in drawn.texts if text.get_fontweight() == "bold"]

    assert order(pd.Series(np.repeat([10, 2, 0], 80))) == ["0", "2", "10"]
    ordered = pd.Categorical(scores["wave"], categories=["later", "post", "pre"], ordered=True)
    assert order(pd.Series(ordered)) == ["later", "post", "pre"]
    assert order(scores["wave"]) == ["pre", "post", "later"]


def test_rows_of_no_group_are_counted(scores: pd.DataFrame) -> None:
    drawn = sw.plots.scale(scores.assign(wave=[None] + ["pre"] * 239), "phq9_total", by="wave")
    assert drawn.get_xlabel().splitlines()[-1] == "1 row has no value of wave and is left out"


@pytest.mark.parametrize("column", ["phq9_total", "who5_percent", "k10_total", "proqol5_burnout"])
@pytest.mark.parametrize("by", [(), ("arm", "wave")])
def test_texts_never_overlap(scores: pd.DataFrame, column: str, by: tuple[str, ...]) -> None:
    data = scores.assign(**{column: scores["phq9_total"] + 10}, arm=scores["arm"] + " of the whole of the county")
    drawn = sw.plots.scale(data, column, by=by)
    canvas = FigureCanvasAgg(drawn.figure)
    canvas.draw()
    found = [*drawn.texts, *drawn.get_yticklabels(), *drawn.get_xticklabels(), drawn.xaxis.label, drawn.yaxis.label]
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in found if text.get_text()]
    clashes = [(a, b) for a, b in itertools.combinations(boxes, 2) if a.shrunk(0.9, 0.8).overlaps(b.shrunk(0.9, 0.8))]
    assert clashes == []
    width, height = drawn.figure.bbox.width, drawn.figure.bbox.height
    assert all(box.x0 >= -1 and box.x1 <= width + 1 and box.y0 >= -1 and box.y1 <= height + 1 for box in boxes)


def test_a_column_that_is_no_score_of_ours_is_drawn_without_bands() -> None:
    drawn = sw.plots.scale(pd.DataFrame({"days": [0.5, 3.25, 8.0, None]}), "days")
    assert drawn.get_xlabel() == "days"
    assert texts(drawn) == ["n = 3\n1 missing"]
    assert sum(height for *_, height in bars(drawn)) > 0
    constant = sw.plots.scale(pd.DataFrame({"days": [4, 4]}), "days")
    assert len(bars(constant)) == 1


def test_bands_of_a_variant() -> None:
    data = pd.DataFrame({"pcptsd5_total": [0, 3, 5]})
    sensitive, efficient = (sw.plots.scale(data, "pcptsd5_total", variant=name) for name in ("sensitive", "efficient"))
    assert texts(sensitive)[-2:] == ["33%", "67%"]
    assert texts(efficient)[-2:] == ["67%", "33%"]
    plain = sw.plots.scale(data, "pcptsd5_total")
    assert texts(plain) == ["n = 3\n0 missing"]
    assert plain.get_xlabel().endswith('bands need variant = "sensitive", "efficient"')
    with pytest.raises(InstrumentError, match='Did you mean "sensitive"'):
        sw.plots.scale(data, "pcptsd5_total", variant="sensitiv")
    with pytest.raises(InstrumentError, match="no bands of a variant"):
        sw.plots.scale(data.rename(columns={"pcptsd5_total": "phq9_total"}), "phq9_total", variant="sensitive")


@pytest.mark.parametrize("column", [scale.column for entry in catalogue() for scale in entry.scores])
def test_every_score_of_the_catalogue_has_edges_that_hold_it(column: str) -> None:
    found, step = score_plots._scale(column, None)
    assert found is not None
    edges = score_plots._edges(found, step, np.array(found.range))
    assert edges[0] <= found.range[0] < found.range[1] <= edges[-1]
    assert 2 <= len(edges) - 1 <= 64


def test_answers_coded_in_steps_make_wide_bars() -> None:
    """The CBI's answers count 0, 25, ..., 100, and so a mean of six is a multiple of 25 / 6."""
    found, step = score_plots._scale("cbi_personal", None)
    assert step == pytest.approx(25 / 6)
    assert len(score_plots._edges(found, step, np.array([0.0, 100.0]))) == 26


def test_an_instrument_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "mood.toml"
    path.write_text(
        'id = "mood"\ntitle = "Mood"\nlevel = "group"\nconstruct = "mood"\n[items]\nnumber = 2\ncodes = [0, 1, 2]\n'
        '[[scores]]\nid = "total"\nop = "sum"\n[scores.bands]\nrows = [[0, 1, "low"], [2, 4, "high"]]\nsource = "us"\n',
        encoding="utf-8",
    )
    data = pd.DataFrame({"mood_total": [0, 4, 2]})
    assert "high" in texts(sw.plots.scale(data, "mood_total", instrument=path))
    with pytest.raises(InstrumentError, match="mood_total"):
        sw.plots.scale(data.rename(columns={"mood_total": "mood"}), "mood", instrument=path)


def test_what_cannot_be_drawn_is_refused(scores: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no column 'phq_total'"):
        sw.plots.scale(scores, "phq_total")
    with pytest.raises(DataError, match="holds no number"):
        sw.plots.scale(scores.assign(phq9_total=np.nan), "phq9_total")
    with pytest.raises(SwevalError, match="240 groups"):
        sw.plots.scale(scores.assign(client=np.arange(240)), "phq9_total", by="client")
    with pytest.raises(DataError, match="3 columns"):
        sw.plots.scale(scores.assign(site="a"), "phq9_total", by=("arm", "wave", "site"))


def test_it_draws_where_it_is_told(scores: pd.DataFrame) -> None:
    ax, before = Figure().add_subplot(), pyplot.get_fignums()
    assert sw.plots.scale(scores, "phq9_total", ax, by="arm") is ax
    assert pyplot.get_fignums() == before
