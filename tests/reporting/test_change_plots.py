"""`sw.plots.change`: every client is drawn once, in the right place, shape and count; and who it is not for is told."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

import sweval as sw
from sweval.errors import SwevalError
from sweval.result import Result


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    pyplot.close("all")


FRAME = pd.DataFrame(
    {"pre": [24.0, 20, 15, 8, 14, 15, 19, 9], "post": [8.0, 13, 14, 15, 20, 14, np.nan, 9]}
)  # recovered, improved, unchanged (twice the same scores), harmed, deteriorated, unchanged, nobody after, unchanged


def fitted(better: str = "lower", **more: object) -> Result:
    given: dict[str, object] = {"pre": "pre", "reliability": 0.9, "sd": 6.5, "cutoff": 10.0}
    frame = FRAME if better == "lower" else 27 - FRAME
    if better == "higher":
        given["cutoff"] = 17.0
    return sw.ReliableChange(**(given | more)).fit(frame, "post", better=better)  # type: ignore[arg-type]


def marks(ax: Axes) -> dict[str, PathCollection]:
    """Return the marks of each category by its label up to the count."""
    return {str(item.get_label()): item for item in ax.collections if isinstance(item, PathCollection)}


def said(ax: Axes) -> str:
    legend = ax.get_legend()
    assert legend is not None
    parts = [*ax.texts, *legend.get_texts(), legend.get_title()]
    return " | ".join(" ".join(text.get_text().split()) for text in parts)


def test_every_client_with_both_scores_is_drawn_at_their_scores() -> None:
    ax = sw.plots.change(fitted())
    drawn = marks(ax)
    assert {" ".join(label.split()) for label in drawn} == {
        "recovered: 1", "reliably improved: 1", "no reliable change: 3", "reliably worse: 1",
        "reliably worse, across the cut-off: 1",
    }  # fmt: skip
    assert drawn["recovered: 1"].get_offsets().tolist() == [[24.0, 8.0]]
    same = drawn["no reliable change: 3"]
    assert sorted(map(tuple, same.get_offsets().tolist())) == [(9.0, 9.0), (15.0, 14.0)]
    sizes = dict(zip(map(tuple, same.get_offsets().tolist()), same.get_sizes(), strict=True))
    assert sizes[15.0, 14.0] > sizes[9.0, 9.0]  # two clients
    assert "Not drawn, no score after: 1" in said(ax)
    assert "a larger mark: several with the same scores" in said(ax)


def test_shapes_and_colours_both_differ() -> None:
    drawn = list(marks(sw.plots.change(fitted())).values())
    assert len({tuple(item.get_facecolor()[0]) for item in drawn}) == 5
    assert len({item.get_paths()[0].vertices.tobytes() for item in drawn}) == 5


def test_the_band_is_what_the_index_calls_no_change_and_the_cutoff_crosses_both_axes() -> None:
    result = fitted()
    ax = sw.plots.change(result)
    threshold = result.effect("reliable_change_threshold").estimate
    (band,) = [item for item in ax.collections if not isinstance(item, PathCollection)]
    corners = band.get_paths()[0].vertices
    above = np.abs(corners[:, 1] - corners[:, 0])
    assert above == pytest.approx(np.full(len(above), threshold))
    lines = [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in ax.lines]
    ends = list(ax.get_xlim())
    assert ([10.0, 10.0], ends) in lines
    assert (ends, [10.0, 10.0]) in lines
    assert ax.get_xlim() == ax.get_ylim()
    assert said(ax).count("cut-off 10") == 2


@pytest.mark.parametrize(("better", "corner"), [("lower", (0.98, 0.02)), ("higher", (0.02, 0.98))])
def test_the_direction_of_better_is_said_where_better_is(better: str, corner: tuple[float, float]) -> None:
    ax = sw.plots.change(fitted(better))
    (text,) = [text for text in ax.texts if text.get_text() == "got better"]
    assert text.get_position() == corner
    assert f"{better.title()} is better" in said(ax)
    recovered = marks(ax)["recovered: 1"].get_offsets()[0]
    assert (recovered[1] > recovered[0]) == (better == "higher")


def test_indonesian_words_and_axes() -> None:
    ax = sw.plots.change(fitted(), language="id")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("post sebelum", "post sesudah")
    assert "pulih: 1" in said(ax)
    assert "Lebih rendah lebih baik" in said(ax)
    assert "got better" not in said(ax)


def test_a_rule_without_measurement_error_does_not_say_reliably() -> None:
    result = fitted(method="percentage", reliability=None, sd=None, cutoff=None)
    ax = sw.plots.change(result)
    assert "reliabl" not in said(ax)
    assert "improved: 1" in said(ax)
    drawn = fitted(method="cutoff", reliability=None, sd=None)
    ax = sw.plots.change(drawn)
    assert all(isinstance(item, PathCollection) for item in ax.collections)  # no band where there is none


def test_it_draws_on_the_axes_of_a_reader() -> None:
    _, ax = pyplot.subplots()
    assert sw.plots.change(fitted(), ax) is ax


def test_what_cannot_be_drawn_is_refused() -> None:
    result = fitted()
    with pytest.raises(SwevalError, match="several outcomes"):
        sw.plots.change(result + result.__class__(estimates=(), fits=(result.fits[0].__class__(
            outcome="other", model="x", rows=1, used=1, dropped=0, engine="x"),)))  # fmt: skip
    with pytest.raises(SwevalError, match="holds no clients"):
        sw.plots.change(Result(estimates=result.estimates, fits=result.fits))
    assert result.clients is not None
    nobody = result.clients.assign(post=np.nan)
    with pytest.raises(SwevalError, match="no client has both"):
        sw.plots.change(Result(estimates=result.estimates, fits=result.fits, clients=nobody))


def test_a_published_report_shows_counts_and_no_client(tmp_path: object) -> None:
    """The picture shows single clients, so the report has the table of counts and no picture."""
    from pathlib import Path

    folder = Path(str(tmp_path)) / "out"
    sw.report(fitted(name="Casework", service="individual"), folder)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "reliably improved" in page
    assert "<svg" not in page
    assert "<img" not in page
