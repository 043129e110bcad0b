"""What the pictures of a synthesis show: every effect, every mean, in the right place and in words."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from sweval import plots
from sweval.errors import DesignError
from sweval.models.synthesis import Synthesis
from sweval.reporting.language import load_language
from sweval.reporting.synthesis_forest import forest_lines

mpl.use("agg")
FOLDER = Path(__file__).parents[1] / "reference" / "meta"
WORDS = load_language("en")


def table(metric: str = "person_total") -> pd.DataFrame:
    frame = pd.read_csv(FOLDER / "meta_2.csv").rename(columns={"yi": "estimate", "vi": "variance"})
    return frame.assign(metric=metric)


OVERALL, GROUPS = Synthesis().fit(table()), Synthesis(moderators="level").fit(table())
RATIOS = Synthesis().fit(table("log_odds_ratio"))


@pytest.fixture(autouse=True)
def _closed() -> object:
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_forest_has_a_line_for_every_effect_mean_and_prediction() -> None:
    lines = forest_lines(GROUPS, words=WORDS)
    kinds = [line.kind for line in lines]
    assert [kinds.count(kind) for kind in ("heading", "effect", "mean", "prediction")] == [2, 30, 2, 2]
    means = [line for line in lines if line.kind == "mean"]
    rows = [row for row in GROUPS.estimates if row.measure == "mean_effect"]
    assert [(line.estimate, line.low, line.high) for line in means] == [
        (row.estimate, row.conf_low, row.conf_high) for row in rows
    ]
    predicted = [row for row in GROUPS.estimates if row.measure == "prediction"]
    assert [line.low for line in lines if line.kind == "prediction"] == [row.conf_low for row in predicted]
    effects = [line for line in lines if line.kind == "effect"]
    assert sorted(line.estimate for line in effects) == sorted(table()["estimate"])
    one = next(line for line in effects if line.estimate == 1.035)
    assert one.low == pytest.approx(1.035 - 1.959964 * np.sqrt(0.1441), rel=1e-6)


def test_studies_are_averaged_under_the_assumed_correlation() -> None:
    lines = [line for line in forest_lines(OVERALL, by="study", words=WORDS) if line.kind == "effect"]
    assert [line.label for line in lines] == [f"study{k:02}" for k in range(1, 13)]
    part = table()[table()["study"] == "study06"]
    root = np.sqrt(part["variance"].to_numpy())
    V = 0.6 * np.outer(root, root) + 0.4 * np.diag(root**2)
    W = np.linalg.inv(V)
    assert lines[5].estimate == pytest.approx(float(W.sum(axis=0) @ part["estimate"] / W.sum()))
    assert lines[5].high - lines[5].estimate == pytest.approx(1.959964 / np.sqrt(W.sum()), rel=1e-6)
    assert sum(line.weight for line in lines) == pytest.approx(100)


def test_forest_prints_columns_weights_and_intervals() -> None:
    ax = plots.study_forest(OVERALL, columns=("year",))
    shown = texts(ax)
    assert shown[0] == "year"
    assert {"Weight (%)", "Effect [95% CI]", "1998"} <= set(shown)
    mean = OVERALL.effect("mean_effect")
    assert f"{mean.estimate:.2f} [{mean.conf_low:.2f}, {mean.conf_high:.2f}]" in shown
    assert [tick.get_text() for tick in ax.get_yticklabels()][-2:] == [
        "Mean (30 effects, 12 studies)", "Prediction interval"
    ]  # fmt: skip
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    with pytest.raises(DesignError, match='no column "yaer"'):
        plots.study_forest(OVERALL, columns=("yaer",))


def test_ratios_stand_on_a_logarithmic_axis() -> None:
    ax = plots.study_forest(RATIOS, by="study")
    ticks = dict(zip([tick.get_text() for tick in ax.get_xticklabels()], ax.get_xticks(), strict=True))
    assert ticks["2.0"] == pytest.approx(np.log(2))
    mean = RATIOS.effect("mean_effect")
    assert mean.conf_low is not None
    assert any(text.startswith(f"{np.exp(mean.estimate):.2f} [{np.exp(mean.conf_low):.2f}") for text in texts(ax))
    assert ax.get_xlabel() == "Ratio"
    assert plots.study_forest(RATIOS, by="study", ratio=False).get_xlabel() == "Effect"


def test_too_many_lines_are_refused() -> None:
    big = pd.concat([table().assign(study=lambda d, k=k: d["study"] + f"-{k}") for k in range(6)])
    big["estimate"] += np.random.default_rng(1).normal(0, 0.01, len(big))
    with pytest.raises(DesignError, match="lines are too many for one picture"):
        plots.study_forest(Synthesis(model="RE", test="t").fit(big))


def test_funnel_shows_every_effect_and_contours() -> None:
    ax = plots.funnel(GROUPS)
    offsets = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(offsets[:, 0], GROUPS.effects()["estimate"])
    np.testing.assert_allclose(offsets[:, 1], GROUPS.effects()["std_error"])
    widest = {patch.get_label(): patch.get_xy() for patch in ax.patches}
    deepest, edge = widest["p > 0.05"][:, 1].max(), widest["p > 0.05"][:, 0].max()
    assert edge == pytest.approx(1.959964 * deepest, rel=1e-5)
    assert ax.get_ylim()[1] == 0


def test_orchard_has_a_band_for_each_level() -> None:
    ax = plots.orchard(GROUPS)
    assert [tick.get_text().split("\n")[0] for tick in ax.get_yticklabels()] == ["direct", "indirect"]
    assert sum(len(found.get_offsets()) for found in ax.collections) == 30 + 2
    same = plots.orchard(GROUPS)
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), same.collections[0].get_offsets())


def test_curve_is_the_sensitivity() -> None:
    ax = plots.rho_curve(GROUPS)
    frame = GROUPS.sensitivity
    wanted = frame[(frame["measure"] == "mean_effect") & (frame["term"] == "level[direct]")]["estimate"]
    np.testing.assert_allclose(np.asarray(ax.lines[0].get_ydata(), dtype=float), wanted)
    with pytest.raises(DesignError, match="plays no part in this model"):
        plots.rho_curve(Synthesis(model="HE").fit(table()))


@pytest.mark.parametrize("draw", [plots.study_forest, plots.funnel, plots.orchard, plots.rho_curve])
def test_pictures_speak_indonesian_and_go_where_they_are_told(draw: object) -> None:
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    ax = figure.add_subplot()
    assert draw(GROUPS, ax, language="id") is ax  # type: ignore[operator]
    assert {ax.get_xlabel().split(" (")[0], ax.get_ylabel()} & {
        "Efek", "Galat baku", "Korelasi galat dalam satu studi yang diandaikan"
    }  # fmt: skip
    figure.savefig(io.BytesIO(), format="svg")


def test_long_names_leave_room_for_the_effects() -> None:
    name = "Wahyuningsih, van der Meer & O'Connor-Smith, parenting support in groups "
    frame = table().assign(study=lambda d: name + d["study"].astype(str))
    ax = plots.study_forest(Synthesis().fit(frame))
    assert ax.figure is not None
    ax.figure.draw_without_rendering()
    assert ax.get_window_extent().width / ax.figure.dpi > 2.0


def test_ticks_are_written_where_they_stand() -> None:
    """A tick at 0.25 must not read 0.2."""
    frame = table().assign(estimate=lambda d: d["estimate"] * 0.2, variance=lambda d: d["variance"] * 0.04)
    result = Synthesis().fit(frame)
    for draw in (plots.study_forest, plots.funnel, plots.orchard):
        for width in (0.3, 0.7, 1.8, 2.0, 12.0):
            ax = draw(result)
            ax.set_xlim(-0.45 * width, 0.55 * width)
            assert ax.figure is not None
            ax.figure.draw_without_rendering()
            texts = [label.get_text().replace("\u2212", "-") for label in ax.get_xticklabels()]
            np.testing.assert_allclose([float(text) for text in texts], ax.get_xticks(), atol=1e-9)
