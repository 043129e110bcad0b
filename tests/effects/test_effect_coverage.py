"""A small seeded share of tests/simulation/effect_coverage.py, and that its shortcuts give what the designs give.

300 replications per layout in place of 10,000: coverage within four Monte Carlo standard errors of .94 to .96, and a
bias, which a control variate makes precise, under .01 beyond four of its own. Without J the bias of 8 + 8 persons is
.05 at effect 1; without c that of 3 + 3 clusters .06.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from sweval.models.cluster_trial import ClusterTrial
from sweval.models.growth import Growth
from sweval.models.partially_nested import PartiallyNested

RUNS = 300


def script() -> ModuleType:
    """Return the simulation, which is no module of a package."""
    path = Path(__file__).parents[1] / "simulation" / "effect_coverage.py"
    spec = importlib.util.spec_from_file_location("effect_coverage", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["effect_coverage"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


SIMULATION = script()
LAYOUTS = SIMULATION.layouts()


@pytest.mark.parametrize("layout", [each for each in LAYOUTS if not each.fitted], ids=lambda each: each.name)
def test_intervals_hold_the_truth_and_estimates_are_unbiased(layout: object) -> None:
    reach = 4 * np.sqrt(0.95 * 0.05 / RUNS)
    for one in SIMULATION.simulated(layout, RUNS):
        assert 0.94 - reach < one.coverage < 0.96 + reach, one
        assert abs(one.bias) < 0.01 + 4 * one.bias_error, one


def test_every_layout_has_a_name_of_its_own_and_a_page() -> None:
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)
    table = pd.read_csv(SIMULATION.TABLE, keep_default_na=False)
    shown = set(zip(table.family, table.design, table.sizes, strict=True))
    assert shown == {(layout.family, layout.design, layout.sizes) for layout in LAYOUTS}
    assert (table.misses == "").all()


def test_a_miss_is_seen() -> None:
    found = {"effect": 0.5, "replications": 10_000, "bias_error": 0.001, "variance_ratio": 1.0}
    assert SIMULATION.misses(SIMULATION.Found(**found, coverage=0.95, bias=0.012)) == ""
    assert SIMULATION.misses(SIMULATION.Found(**found, coverage=0.93, bias=0.014)) == "coverage 0.9300, bias +0.0140"
    wide = SIMULATION.Found(**found, coverage=0.97, bias=0.0)
    assert SIMULATION.misses(wide) == "coverage 0.9700"
    assert SIMULATION.misses(wide, cautious=True) == ""


def test_trials_of_clusters_are_analysed_as_the_design_does() -> None:
    sizes = ([4, 9, 20], [5, 10, 25])
    _, effect = SIMULATION.cluster_trial(*sizes, 0.2)(np.random.default_rng(3), 1)
    y, cluster = SIMULATION.in_clusters(np.random.default_rng(3), 1, [*sizes[0], *sizes[1]], 0.2)
    frame = pd.DataFrame({"y": y[0], "agency": cluster, "arm": np.where(cluster < 3, "t", "c")})
    design = ClusterTrial(arm="arm", treated="t", control="c", cluster="agency")
    row, found = design.fit(frame, "y", better="higher").effect("hedges_g"), effect(0.0)
    for name, array in (("estimate", found.g), ("conf_low", found.conf_low), ("df", found.df)):
        assert getattr(row, name) == pytest.approx(float(array[0]), rel=1e-8), name


def test_groups_in_one_arm_are_analysed_as_the_design_does() -> None:
    _, effect = SIMULATION.partially_nested(8, 6, 40, 0.2, "total", fitted=True)(np.random.default_rng(3), 1)
    rng = np.random.default_rng(3)
    t, group = SIMULATION.in_clusters(rng, 1, [6] * 8, 0.2)
    c = rng.normal(0, 1.0, (1, 40))
    frame = pd.DataFrame(
        {
            "y": np.concatenate([t[0], c[0]]),
            "arm": ["t"] * 48 + ["c"] * 40,
            "group": pd.array([*group, *[None] * 40], dtype="Int64"),
        }
    )
    design = PartiallyNested(arm="arm", treated="t", control="c", group="group", control_variance="total")
    row, found = design.fit(frame, "y", better="higher").effect("hedges_g"), effect(0.0)
    for name, array in (("estimate", found.g), ("conf_low", found.conf_low), ("df", found.df)):
        assert getattr(row, name) == pytest.approx(float(array[0]), rel=1e-8), name


def test_growth_is_analysed_as_the_design_does_and_a_report_says_the_same() -> None:
    """Without missing waves the model's coefficient is the difference of mean slopes, with N - 2 df."""
    y = SIMULATION.lines(np.random.default_rng(3), 1, 20, 4)[0]
    frame = pd.DataFrame(
        {
            "y": y.ravel(),
            "id": np.repeat(np.arange(40), 4),
            "wave": np.tile(np.arange(4), 40),
            "arm": np.repeat(["t", "c"], 80),
        }
    )
    row = Growth(arm="arm", treated="t", control="c", client="id", wave="wave").fit(frame, "y", better="higher")
    effect = row.effect("hedges_g")
    for draw in (SIMULATION.growth(20, 4), SIMULATION.reported_growth(20, 4)):
        found = draw(np.random.default_rng(3), 1)[1](0.0)
        for name, array in (("estimate", found.g), ("conf_low", found.conf_low), ("df", found.df)):
            assert getattr(effect, name) == pytest.approx(float(array[0]), rel=1e-4), name
