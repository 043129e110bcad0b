"""Levels of phases: SingleCaseES on simulated cases, the delta method by simulation, zeros, goals, constant phases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sweval as sw
from sweval.effects.case_combination import combine_phase_pairs, mean_over_cases
from sweval.errors import DataError, DesignError

FOLDER = Path(__file__).parents[1] / "reference" / "single_case"
FIXTURES = {entry["id"]: entry for entry in json.loads((FOLDER / "fixtures.json").read_text("utf-8"))["fixtures"]}
LEVEL = ("LRRi", "LRRd", "LOR", "LRM", "SMD", "PoGO")


def ours(call: str, i: dict[str, Any]) -> dict[str, Any]:
    """Return our numbers under the package's names; its LRRd counts improvement as negative."""
    a, b, way = i["A"], i["B"], {"better": "higher" if i["improvement"] == "increase" else "lower"}
    sign, raw = 1.0, i.get("bias_correct", True) is False
    if call in ("LRRi", "LRRd"):
        form = "increase" if call == "LRRi" else "decrease"
        sign = 1.0 if call == "LRRi" else -1.0
        found = sw.effects.log_response_ratio_within_case(
            a, b, scale=i["scale"], form=form, bias_correct=not raw, **way
        )
    elif call == "LOR":
        found = sw.effects.log_odds_ratio_within_case(a, b, scale=i["scale"], **way)
    elif call == "LRM":
        found = sw.effects.log_ratio_of_medians(a, b, **way)
    elif call == "SMD":
        sd = "pooled" if i.get("std_dev") == "pool" else "baseline"
        j = "none" if raw else "approximate"
        found = sw.effects.standardized_mean_difference_within_case(a, b, sd=sd, j=j, **way)
    else:
        found = sw.effects.percent_of_goal_obtained(a, b, goal=i["goal"])
    ends = sorted([sign * found.conf_low, sign * found.conf_high])
    return {"Est": sign * found.estimate, "SE": found.std_error, "CI_lower": ends[0], "CI_upper": ends[1]}


@pytest.mark.parametrize("name", [k for k, e in FIXTURES.items() if e["provenance"]["call"].split("(")[0] in LEVEL])
def test_single_case_es(name: str) -> None:
    """PoGO: the estimate only, since the package leaves the covariance with the shared baseline out."""
    entry = FIXTURES[name]
    call = entry["provenance"]["call"].split("(")[0]
    found = ours(call, entry["inputs"])
    compared = {"Est"} if call == "PoGO" else set(found) & set(entry["outputs"])
    assert compared
    for key in compared:
        assert float(found[key]) == pytest.approx(entry["outputs"][key], rel=entry["rtol"], abs=entry["atol"])


def test_no_fixture_is_left_out() -> None:
    overlap = {"NAP", "Tau", "Tau_BC", "Tau_U", "PND", "PEM", "PAND", "IRD"}  # in test_nonoverlap
    assert {e["provenance"]["call"].split("(")[0] for e in FIXTURES.values()} == {*LEVEL, *overlap}


def test_standard_error_of_the_goal_is_the_true_one() -> None:
    """Simulated spread of PoGO (20,000 cases, 3 % tolerance = about 6 Monte Carlo standard errors)."""
    rng = np.random.default_rng(6)
    a, b = rng.normal(10, 2, (20_000, 12)), rng.normal(16, 2, (20_000, 12))
    found = sw.effects.percent_of_goal_obtained(a, b, goal=20.0)
    assert np.sqrt(np.mean(found.std_error**2)) == pytest.approx(found.estimate.std(), rel=0.03)
    left_out = 100 * np.sqrt(4 / 12 * (2 + 0.6**2)) / 10  # the package's variance at the truth
    assert left_out > 1.25 * found.estimate.std()


def test_orientation_and_scales() -> None:
    a, b = [40.0, 50, 45], [60.0, 70, 65, 75]
    up = sw.effects.log_response_ratio_within_case(a, b, scale="percentage")
    assert up.estimate == pytest.approx(np.log(67.5 / 45), abs=0.02)
    rest = sw.effects.log_response_ratio_within_case(a, b, scale="percentage", form="decrease")
    assert rest.estimate == pytest.approx(np.log(55 / 32.5), abs=0.05)
    turned = sw.effects.log_response_ratio_within_case(
        [100 - x for x in a], [100 - x for x in b], scale="percentage", better="lower"
    )
    assert turned.estimate == pytest.approx(float(up.estimate), rel=1e-12)
    share = sw.effects.log_odds_ratio_within_case([x / 100 for x in a], [x / 100 for x in b], scale="proportion")
    assert share.estimate == pytest.approx(float(sw.effects.log_odds_ratio_within_case(a, b).estimate), rel=1e-12)


def test_phases_of_zeros() -> None:
    """Counts have a floor of 1/(2n); other scales have one only where the resolution is said."""
    found = sw.effects.log_response_ratio_within_case([4, 5, 6], [0, 0, 0, 0], better="lower", bias_correct=False)
    assert found.estimate == pytest.approx(np.log(5 * 8))
    assert np.isfinite(found.std_error)
    rate = sw.effects.log_response_ratio_within_case([4, 5, 6], [0, 0], better="lower", scale="rate")
    assert np.isnan(rate.estimate)
    assert np.isnan(rate.std_error)
    timed = sw.effects.log_response_ratio_within_case(
        [4, 5, 6], [0, 0], better="lower", scale="rate", resolution=20, bias_correct=False
    )
    assert timed.estimate == pytest.approx(np.log(5 * 80))
    none = sw.effects.log_odds_ratio_within_case([0, 0], [50, 60])
    assert np.isnan(none.estimate)
    floored = sw.effects.log_odds_ratio_within_case([0, 0], [50, 60], resolution=0.2)
    assert np.isfinite(floored.estimate)
    assert np.isnan(sw.effects.log_ratio_of_medians([0, 0, 0], [1, 2, 3]).estimate)


def test_constant_and_one_point_phases() -> None:
    flat = sw.effects.standardized_mean_difference_within_case([3, 3, 3], [5, 6, 7])
    assert np.isnan(flat.estimate)
    pooled = sw.effects.standardized_mean_difference_within_case([3, 3, 3], [5, 6, 7], sd="pooled")
    assert np.isfinite([pooled.estimate, pooled.conf_low]).all()
    assert np.isnan(sw.effects.standardized_mean_difference_within_case([3], [5, 6, 7]).estimate)
    one = sw.effects.log_response_ratio_within_case([3], [5, 6, 7])
    assert np.isfinite(one.estimate)
    assert np.isnan(one.std_error)
    assert np.isnan(sw.effects.percent_of_goal_obtained([20, 20], [25, 26], goal=20).estimate)
    mixed = sw.effects.standardized_mean_difference_within_case([[3, 3, 3], [3, 4, 5]], [[5, 6], [7, 8]])
    assert np.isnan(mixed.estimate).tolist() == [True, False]


def test_interval_allows_for_the_sd_of_a_short_baseline() -> None:
    """Baseline of 3, 20 treated days that spread 4 times as widely: at Welch's df .54 held, and most left g outside.

    3 MC SE of 1,500 = .017.
    """
    rng = np.random.default_rng(4)
    a, b = rng.normal(0, 1, (1500, 3)), rng.normal(20, 4, (1500, 20))
    found = sw.effects.standardized_mean_difference_within_case(a, b)
    assert np.mean((found.conf_low <= 20) & (found.conf_high >= 20)) == pytest.approx(0.95, abs=0.017)
    assert ((found.conf_low <= found.estimate) & (found.estimate <= found.conf_high)).all()


def test_exact_interval_covers_the_estimand_of_the_case() -> None:
    """Independent normal days, 8 + 8, effect 1.5 sd: coverage of the noncentral-t interval, 3 MC SE of 3,000 = .012."""
    rng = np.random.default_rng(3)
    found = sw.effects.standardized_mean_difference_within_case(
        rng.normal(0, 1, (3000, 8)), rng.normal(1.5, 1, (3000, 8)), sd="pooled"
    )
    assert np.mean((found.conf_low <= 1.5) & (found.conf_high >= 1.5)) == pytest.approx(0.95, abs=0.012)
    assert np.mean(found.estimate) == pytest.approx(1.5, abs=0.04)


def test_values_outside_the_scale_are_refused() -> None:
    with pytest.raises(DataError, match="1 measurements lie below 0"):
        sw.effects.log_response_ratio_within_case([-1, 2], [3, 4])
    with pytest.raises(DataError, match="outside 0 to 1"):
        sw.effects.log_odds_ratio_within_case([0.2, 0.3], [40, 50], scale="proportion")
    with pytest.raises(DesignError, match="shares"):
        sw.effects.log_odds_ratio_within_case([1, 2], [3, 4], scale="count")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="resolution"):
        sw.effects.log_response_ratio_within_case([1, 2], [3, 4], resolution=0)
    with pytest.raises(DesignError, match="unknown"):
        sw.effects.standardized_mean_difference_within_case([1, 2], [3, 4], sd="total")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="goal"):
        sw.effects.percent_of_goal_obtained([1, 2], [3, 4], goal=float("nan"))


def test_phase_pairs_are_weighted_as_asked() -> None:
    estimate, se, m, n = [0.8, 1.0], [0.1, 0.02], [5, 5], [5, 15]
    assert combine_phase_pairs(estimate, se, n_baseline=m, n_treated=n).estimate == pytest.approx(0.95)
    assert combine_phase_pairs(estimate, se, weights="equal").estimate == pytest.approx(0.9)
    heavy = combine_phase_pairs(estimate, se, weights="inverse_variance")
    assert heavy.estimate == pytest.approx((80 + 2500) / 2600)
    assert heavy.std_error == pytest.approx(2600**-0.5)
    with pytest.raises(DesignError, match="missing"):
        combine_phase_pairs(estimate, se)
    with pytest.raises(DataError, match="not above zero"):
        combine_phase_pairs(estimate, [0.1, 0], weights="inverse_variance")


def test_mean_over_cases_is_a_t_test_of_cases() -> None:
    from scipy import stats

    values = [0.9, 0.7, 0.8, 0.95]
    found, want = mean_over_cases(values, null=0.5), stats.ttest_1samp(values, 0.5)
    assert found.p_value == pytest.approx(want.pvalue, rel=1e-12)
    assert (found.conf_low, found.conf_high) == pytest.approx(tuple(want.confidence_interval()), rel=1e-12)
    assert mean_over_cases(values, limits=(0, 1), conf_level=0.9999).conf_high == 1
    low, high = [0.6, 0.4, 0.5, 0.7], [0.95, 0.9, 0.95, 1.0]
    wide = mean_over_cases(values, own=(low, high), null=0.5, limits=(0, 1))
    reach = np.sqrt(np.sum(np.subtract(values, low) ** 2)) / 4
    assert wide.conf_low == pytest.approx(min(found.conf_low, np.mean(values) - reach))
    assert wide.conf_high == 1
    assert np.isnan(wide.p_value)
    same = mean_over_cases([1.0, 1.0], own=([0.5, 0.6], [1.0, 1.0]), limits=(0, 1))
    assert (same.conf_low, same.conf_high) == pytest.approx((1 - np.sqrt(0.41) / 2, 1))
    for few in ([0.9, 0.7], [1.0, 1.0, 1.0], [0.4, float("nan")]):
        assert np.isnan(mean_over_cases(few).std_error)
    with pytest.raises(DataError, match="no case"):
        mean_over_cases([float("nan")])
