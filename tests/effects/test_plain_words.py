"""A standardised effect as a share of people: the definitions, the limits, and which rows may be translated."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

import sweval as sw
from sweval.errors import SwevalError
from sweval.result import Estimate

FOLDER = Path(__file__).parents[1] / "reference" / "plain_words"
REFERENCE = json.loads((FOLDER / "reference.json").read_text(encoding="utf-8"))
FIXTURES = {
    entry["id"]: entry for entry in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
}

ROW = Estimate(
    comparison="Group work", outcome="phq9_total", term="arm[program]", measure="hedges_g", estimate=0.4,
    std_error=0.15, conf_low=0.1, conf_high=0.7, conf_level=0.95, statistic=2.6, df=98.0, p_value=0.01, null=0.0,
    better="lower", n=100, method="Hedges g", metric="person_total", standardizer="posttest_pooled",
    level_assigned="client", level_outcome="client", variance=0.0225, weight_variance=0.02,
)  # fmt: skip
TRANSLATIONS = {
    "cohens_u1": sw.effects.cohens_u1,
    "cohens_u2": sw.effects.cohens_u2,
    "cohens_u3": sw.effects.cohens_u3,
    "common_language_effect": sw.effects.common_language_effect,
    "overlap": sw.effects.overlap,
    "improvement_index": sw.effects.improvement_index,
    "binomial_effect_size_display": sw.effects.binomial_effect_size_display,
}
EVEN = ("cohens_u1", "cohens_u2", "overlap")
OF_PACKAGE = {
    "cles": ("common_language_effect", "p_superiority"),
    "u3": ("cohens_u3", "Cohens_U3"),
    "u2": ("cohens_u2", "Cohens_U2"),
    "overlap": ("overlap", "Overlap"),
}


def test_the_definitions_by_numerical_integration() -> None:
    """Two normal curves a distance d apart: each number from what it says, not from its formula.

    The tolerances are those of the grid (steps of .0001; the minimum of two curves has a corner).
    """
    for d in (-0.8, 0.3, 1.7):
        treated, control = stats.norm(d), stats.norm(0)
        assert sw.effects.cohens_u3(d).estimate == pytest.approx(control.cdf(treated.median()), abs=1e-12)
        grid = np.linspace(-12, 14, 260_001)
        above, below = treated.pdf(grid), control.pdf(grid)
        better = integrate.simpson(above * control.cdf(grid), x=grid)
        assert sw.effects.common_language_effect(d).estimate == pytest.approx(better, abs=1e-9)
        common = integrate.trapezoid(np.minimum(above, below), x=grid)
        assert sw.effects.overlap(d).estimate == pytest.approx(common, abs=1e-7)
        # of the area under either curve, what is not under both
        assert sw.effects.cohens_u1(d).estimate == pytest.approx((2 - 2 * common) / (2 - common), abs=1e-7)
        u2 = float(sw.effects.cohens_u2(d).estimate)
        cut = stats.norm(abs(d)).ppf(1 - u2)  # exceeded by the share u2 of the better group
        assert stats.norm(0).cdf(cut) == pytest.approx(u2, abs=1e-9)
        assert sw.effects.improvement_index(d).estimate == pytest.approx(100 * (stats.norm.cdf(d) - 0.5), abs=1e-12)


def test_metafor_maps() -> None:
    maps, d = REFERENCE["maps"], REFERENCE["d"]
    assert sw.effects.cohens_u3(d).estimate == pytest.approx(maps["u3"], rel=1e-13)
    assert sw.effects.common_language_effect(d).estimate == pytest.approx(maps["cles"], rel=1e-13)
    assert sw.effects.binomial_effect_size_display(d).estimate == pytest.approx(maps["besd"], rel=1e-13)
    r = 2 * np.asarray(sw.effects.binomial_effect_size_display(d).estimate) - 1
    assert r == pytest.approx(maps["rpb"], rel=1e-12, abs=1e-15)
    unequal = sw.effects.binomial_effect_size_display(0.6, share_treated=0.3).estimate
    assert unequal == pytest.approx(0.5 + 0.6 / np.sqrt(0.36 + 1 / 0.21) / 2, rel=1e-13)


@pytest.mark.parametrize("name", [name for name in FIXTURES if name.split("_")[1] in OF_PACKAGE and "np" not in name])
def test_effectsize(name: str) -> None:
    """effectsize maps d (no J) and its noncentral-t limits; the limits of our g are those of d."""
    entry = FIXTURES[name]
    measure, column = OF_PACKAGE[name.split("_")[1]]
    i, out = entry["inputs"], entry["outputs"]
    row = sw.effects.hedges_g(i["treatment"], i["control"])
    d = row.estimate / float(sw.effects.small_sample_factor(row.df))
    found = TRANSLATIONS[measure](d, conf_low=row.conf_low, conf_high=row.conf_high)
    # their noncentral-t quantiles are good to about 1e-5 of d in the smallest sets; the fixture's tolerance is kept
    assert [float(found.estimate), float(found.conf_low), float(found.conf_high)] == pytest.approx(
        [out[column], out["CI_low"], out["CI_high"]], rel=entry["rtol"], abs=entry["atol"]
    )
    assert dataclasses.replace(row, estimate=d) != row
    translated = TRANSLATIONS[measure](dataclasses.replace(row, estimate=d))
    assert [translated.estimate, translated.conf_low, translated.conf_high] == [
        float(found.estimate), float(found.conf_low), float(found.conf_high)
    ]  # fmt: skip


@given(st.floats(-4, 4), st.floats(0, 3), st.floats(0, 3))
def test_limits_hold_every_value_of_the_interval(d: float, below: float, above: float) -> None:
    inside = np.linspace(d - below, d + above, 41)
    for name, function in TRANSLATIONS.items():
        found = function(d, conf_low=d - below, conf_high=d + above)
        values = np.asarray(function(inside).estimate)
        assert found.conf_low <= values.min() + 1e-12, name
        assert found.conf_high >= values.max() - 1e-12, name
        # and no more than them: a grid of 41 comes within its step, or meets the turn at 0
        assert found.conf_low >= values.min() - 0.16 * (100 if name == "improvement_index" else 1), name


def test_an_interval_that_holds_no_difference_reaches_its_value() -> None:
    held = {"conf_low": -0.2, "conf_high": 0.6}
    assert sw.effects.overlap(0.2, **held).conf_high == 1
    assert sw.effects.cohens_u1(0.2, **held).conf_low == 0
    assert sw.effects.cohens_u2(0.2, **held).conf_low == 0.5
    assert sw.effects.overlap(-0.4, conf_low=-0.6, conf_high=-0.2).conf_high < 1


@pytest.mark.parametrize("measure", TRANSLATIONS)
def test_a_row_gives_a_complete_row(measure: str) -> None:
    found = TRANSLATIONS[measure](ROW)
    assert (found.measure, found.comparison, found.n, found.df, found.p_value) == (
        measure,
        "Group work",
        100,
        98.0,
        0.01,
    )
    assert found.metric in ("probability", "percent")
    assert found.conf_level == 0.95
    assert found.std_error is found.variance is found.weight_variance is None
    nothing = dataclasses.replace(ROW, estimate=0.0, conf_low=0.0, conf_high=0.0)
    assert TRANSLATIONS[measure](nothing).estimate == found.null
    assert "equal spread" in found.method
    assert found.method.endswith("Hedges g")
    bare = TRANSLATIONS[measure](dataclasses.replace(ROW, conf_low=None, conf_high=None))
    assert bare.conf_low is bare.conf_high is None


@pytest.mark.parametrize("measure", TRANSLATIONS)
@pytest.mark.parametrize(
    "metric", ["within_cluster", "between_cluster", "within_case", "log_odds_ratio", "raw", "aggregate", None]
)
def test_other_scales_are_refused(measure: str, metric: str | None) -> None:
    with pytest.raises(SwevalError, match="persons among persons"):
        TRANSLATIONS[measure](dataclasses.replace(ROW, metric=metric))


def test_an_uncontrolled_change_says_so_or_is_refused() -> None:
    row = dataclasses.replace(ROW, metric="uncontrolled_change", measure="standardized_mean_change", term="change")
    found = sw.effects.cohens_u3(row)
    assert found.metric == "uncontrolled_probability"
    for share in (found, sw.effects.matched_rank_biserial([10, 12, 9, 14], [13, 12, 8, 19])):
        with pytest.raises(SwevalError, match="persons among persons"):
            sw.effects.cohens_u3(share)  # a share or a rank correlation is in no standard deviations
    assert "without a comparison group" in found.method
    for function in (sw.effects.improvement_index, sw.effects.binomial_effect_size_display):
        with pytest.raises(SwevalError, match="change without a comparison group"):
            function(row)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"conf_low": 0.1}, "two limits"),
        ({"conf_low": 0.6, "conf_high": 0.1}, "above conf_high"),
        ({"effect": [0.1, np.nan]}, "1 of 2 effects are missing"),
    ],
)
def test_bad_numbers_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(SwevalError, match=said):
        sw.effects.cohens_u3(**{"effect": 0.3, **arguments})


def test_rows_bring_their_own_limits_and_records_are_no_numbers() -> None:
    with pytest.raises(SwevalError, match="own limits"):
        sw.effects.cohens_u3(ROW, conf_low=0.1, conf_high=0.2)
    effect = sw.effects.standardize(1.0, 2.0, nu=18, kappa=0.4, df=18)
    with pytest.raises(SwevalError, match="numbers of the record"):
        sw.effects.cohens_u3(effect)
    with pytest.raises(SwevalError, match="between 0 and 1"):
        sw.effects.binomial_effect_size_display(0.3, share_treated=1.0)


def test_a_display_of_an_infinite_limit_is_an_end() -> None:
    """Odds ratios with an empty cell have an infinite limit."""
    found = sw.effects.binomial_effect_size_display(0.8, conf_low=-np.inf, conf_high=np.inf)
    assert (float(found.conf_low), float(found.conf_high)) == (0.0, 1.0)
    assert float(found.estimate) == pytest.approx(0.5 + 0.8 / np.sqrt(0.8**2 + 4) / 2, rel=1e-14)
