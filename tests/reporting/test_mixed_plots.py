"""Diagnostic pictures show the numbers of the fit, in order, without ids, and leave the user's style alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import sweval as sw
from sweval.errors import SwevalError
from sweval.models.base.mixed_result import MixedResult
from sweval.models.mixed_model import MixedModel


@pytest.fixture(scope="module")
def fitted() -> MixedResult:
    rng = np.random.default_rng(4)
    agency = np.repeat(np.arange(12), rng.integers(4, 9, 12))
    wave = rng.integers(0, 4, len(agency))
    y = 2 * rng.normal(size=12)[agency] + (1 + rng.normal(size=12)[agency]) * wave + rng.normal(size=len(agency))
    frame = pd.DataFrame({"agency": [f"house {k}" for k in agency], "wave": wave, "distress": y})
    return MixedModel(fixed="wave", random={"agency": "1 + wave"}).fit(frame, "distress")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    pyplot.close("all")


PLOTS = [sw.plots.residuals, sw.plots.normal_quantiles, sw.plots.random_effects, sw.plots.influence]


def points(drawn: Axes) -> np.ndarray:
    """Return the positions of the marked points."""
    return np.asarray(drawn.collections[-1].get_offsets())


def texts(drawn: Axes) -> list[str]:
    drawn.figure.draw_without_rendering()
    found = [drawn.get_xlabel(), drawn.get_ylabel(), *(t.get_text() for t in drawn.texts)]
    return [*found, *(t.get_text() for t in (*drawn.get_yticklabels(), *drawn.get_xticklabels()))]


@pytest.mark.parametrize("plot", PLOTS)
def test_it_draws_where_it_is_told(fitted: MixedResult, plot: Callable[..., Axes]) -> None:
    ax, before = Figure().add_subplot(), pyplot.get_fignums()
    assert plot(fitted, ax) is ax
    assert pyplot.get_fignums() == before
    assert isinstance(plot(fitted), Axes)


@pytest.mark.parametrize("plot", PLOTS)
def test_no_id_of_a_unit_is_printed(fitted: MixedResult, plot: Callable[..., Axes]) -> None:
    assert not any("house" in text for text in texts(plot(fitted)))


@pytest.mark.parametrize("plot", [sw.plots.random_effects, sw.plots.influence])
def test_ids_are_printed_on_request(fitted: MixedResult, plot: Callable[..., Axes]) -> None:
    assert sum("house" in text for text in texts(plot(fitted, labels=True))) == 12


@pytest.mark.parametrize("plot", PLOTS)
def test_the_users_style_does_not_change(fitted: MixedResult, plot: Callable[..., Axes]) -> None:
    with mpl.rc_context({"font.size": 17}):
        plot(fitted)
        assert mpl.rcParams["font.size"] == 17


def test_residuals_stand_against_predictions(fitted: MixedResult) -> None:
    drawn = sw.plots.residuals(fitted)
    np.testing.assert_allclose(points(drawn)[:, 0], fitted.predict())
    np.testing.assert_allclose(points(drawn)[:, 1], fitted.residuals("standardized"))
    assert drawn.get_ylim()[0] == -drawn.get_ylim()[1]
    assert "Predicted distress" in texts(drawn)


def test_many_residuals_become_counts() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"agency": np.repeat(np.arange(40), 100), "y": rng.normal(size=4000)})
    drawn = sw.plots.residuals(MixedModel(fixed="1", random={"agency": "1"}).fit(frame, "y"))
    assert drawn.collections[0].get_array().sum() == 4000


def test_quantiles_are_sorted_and_mostly_within_the_band(fitted: MixedResult) -> None:
    drawn = sw.plots.normal_quantiles(fitted)
    x, y = points(drawn).T
    np.testing.assert_allclose(y, np.sort(fitted.residuals("standardized")))
    np.testing.assert_allclose(x, -x[::-1], atol=1e-12)
    band = drawn.collections[0].get_paths()[0].vertices
    inside = [band[np.isclose(band[:, 0], at), 1].min() <= value <= band[np.isclose(band[:, 0], at), 1].max()
              for at, value in zip(x, y, strict=True)]  # fmt: skip
    assert np.mean(inside) > 0.8


def test_random_effects_are_sorted_with_their_intervals(fitted: MixedResult) -> None:
    drawn = sw.plots.random_effects(fitted, term="agency: wave")
    effects = fitted.random_effects().query("term == 'wave'").sort_values("estimate")
    np.testing.assert_allclose(points(drawn)[:, 0], effects["estimate"])
    lines = np.array([path.vertices[:, 0] for path in drawn.collections[0].get_paths()])
    np.testing.assert_allclose(lines[:, 1] - lines[:, 0], 2 * 1.959963984540054 * effects["std_error"])
    assert "agency: wave, 95% interval" in texts(drawn)


def test_influence_is_sorted(fitted: MixedResult) -> None:
    drawn = sw.plots.influence(fitted)
    np.testing.assert_allclose(points(drawn)[:, 0], np.sort(fitted.influence()["cooks_distance"]))
    assert '12 units of "agency", sorted' in texts(drawn)


def test_what_is_not_in_the_model_is_refused(fitted: MixedResult) -> None:
    with pytest.raises(SwevalError, match='no random effect "client: wave"'):
        sw.plots.random_effects(fitted, term="client: wave")
    with pytest.raises(SwevalError, match="no grouping factor"):
        sw.plots.influence(fitted, factor="client")


def test_an_effect_that_does_not_vary_has_no_quantiles() -> None:
    rng = np.random.default_rng(6)
    agency = np.repeat(np.arange(10), 8)
    y = rng.normal(size=80)
    y = y - np.bincount(agency, y)[agency] / 8
    flat = MixedModel(fixed="1", random={"agency": "1"}).fit(pd.DataFrame({"agency": agency, "y": y}), "y")
    with pytest.raises(SwevalError, match="does not vary"):
        sw.plots.normal_quantiles(flat, term="agency: (Intercept)")
