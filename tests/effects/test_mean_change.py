"""Effects of change against metafor, effectsize and Morris (2008), and the paired t test."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

import sweval as sw
from sweval.effects import summaries
from sweval.effects.kernel import small_sample_factor
from sweval.errors import DataError, DesignError

FOLDER = Path(__file__).parents[1] / "reference" / "effects"
FIXTURES = {
    entry["id"]: entry for entry in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
}
Scores = NDArray[np.float64]


def complete_pairs(number: int, arm: str) -> tuple[Scores, Scores]:
    """Return scores before and after of one simulated set."""
    with (FOLDER / "es_prepost.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row["set"], row["arm"]) == (str(number), arm)]
    pairs = [(float(row["pre"]), float(row["post"])) for row in rows if row["pre"] and row["post"]]
    return np.array([pre for pre, _ in pairs]), np.array([post for _, post in pairs])


def close(actual: Any, expected: Any, entry: dict[str, Any]) -> None:
    assert np.asarray(actual, dtype=float) == pytest.approx(
        np.asarray(expected, dtype=float), rel=entry["rtol"], abs=entry["atol"]
    )


@pytest.mark.parametrize("number", range(1, 11))
def test_raw_scores_equal_beckers_d_of_effectsize(number: int) -> None:
    entry = FIXTURES[f"es_rm_b_{number:02d}"]
    row = sw.effects.pre_post(entry["inputs"]["pre"], entry["inputs"]["post"])
    close(row.estimate, entry["outputs"]["Beckers_d"], entry)


@pytest.mark.parametrize("arm", ["T", "C"])
def test_summaries_equal_smcr_of_metafor(arm: str) -> None:
    """vi of SMCR = 2(1 - r)/n + g^2/(2n). The fixture standardises by its first sd (after the service)."""
    entry = FIXTURES[f"escalc_smcr_{arm}"]
    i = {key: np.array(entry["inputs"][key], dtype=float) for key in ("m1i", "m2i", "sd1i", "ni", "ri")}
    found = summaries.pre_post(i["m1i"] - i["m2i"], sd_pre=i["sd1i"], n=i["ni"], correlation=i["ri"])
    close(found.g, entry["outputs"]["yi"], entry)
    close(found.weight_variance + found.g**2 / (2 * i["ni"]), entry["outputs"]["vi"], entry)


@pytest.mark.parametrize("arm", ["T", "C"])
def test_raw_scores_equal_smcrh_of_metafor(arm: str) -> None:
    """vi of SMCRH = s_D^2/(s^2 (n - 1)) + g^2/(2(n - 1)); before and after exchanged, as in the fixture."""
    entry = FIXTURES[f"escalc_smcrh_{arm}"]
    for number in range(1, 11):
        pre, post = complete_pairs(number, arm)
        row = sw.effects.pre_post(post, pre, better="lower")
        n = len(pre)
        assert n == entry["inputs"]["ni"][number - 1]
        close(row.estimate, entry["outputs"]["yi"][number - 1], entry)
        vi = (row.weight_variance or 0) * n / (n - 1) + row.estimate**2 / (2 * (n - 1))
        close(vi, entry["outputs"]["vi"][number - 1], entry)


def test_difference_of_changes_of_the_first_study_of_morris() -> None:
    """Morris (2008), table 1, study 1: d_ppc2 = .77 (printed), treated 30.6 to 38.5, control 23.1 to 19.7, r = .47."""
    row = sw.effects.pre_post_control_from_summary(
        (38.5 - 30.6) - (19.7 - 23.1), sd_pre_treated=15.0, n_treated=20, sd_pre_control=13.8, n_control=20,
        correlation=0.47,
    )  # fmt: skip
    assert round(row.estimate, 2) == 0.77
    kappa_squared = 2 * (1 - 0.47) * (1 / 20 + 1 / 20)
    j = float(small_sample_factor(38))
    delta = row.estimate
    eq_25 = 2 * j**2 * (1 - 0.47) * (40 / 400) * (38 / 36) * (1 + delta**2 / kappa_squared) - delta**2
    assert row.variance == pytest.approx(eq_25, rel=1e-12)


@given(
    change=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=3, max_size=15),
    other=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=3, max_size=15),
)
def test_p_values_are_those_of_t_tests_of_the_change(
    change: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    (pre, post), (pre_c, post_c) = np.array(change, dtype=float).T, np.array(other, dtype=float).T
    if 0 in (np.ptp(pre), np.ptp(pre_c), np.ptp(post - pre), np.ptp(post_c - pre_c)):
        return
    paired = stats.ttest_rel(post, pre)
    row = sw.effects.pre_post(pre, post)
    assert (row.p_value, row.df) == pytest.approx((float(paired.pvalue), len(pre) - 1), rel=1e-9, abs=1e-12)
    student = stats.ttest_ind(post - pre, post_c - pre_c)
    both = sw.effects.pre_post_control(pre, post, pre_c, post_c)
    assert both.p_value == pytest.approx(float(student.pvalue), rel=1e-9, abs=1e-12)
    assert np.sign(both.estimate) == np.sign(np.round(student.statistic, 12))


def test_equal_spread_before_and_after_makes_raw_scores_and_summaries_one() -> None:
    """With s_post = s_pre the two forms of kappa are the same number."""
    pre = np.array([1.0, 2, 3, 4, 5, 6])
    post = pre[[1, 0, 3, 5, 2, 4]] + 2
    row = sw.effects.pre_post(pre, post)
    r = float(np.corrcoef(pre, post)[0, 1])
    summary = sw.effects.pre_post_from_summary(2.0, sd_pre=float(pre.std(ddof=1)), n=6, correlation=r)
    for field in ("estimate", "conf_low", "conf_high", "variance", "p_value"):
        assert getattr(summary, field) == pytest.approx(getattr(row, field), rel=1e-10)


def test_a_change_without_control_is_marked() -> None:
    row = sw.effects.pre_post([1, 2, 4], [2, 2, 3])
    assert (row.measure, row.metric, row.term, row.standardizer, row.level_assigned) == (
        "standardized_mean_change", "uncontrolled_change", "change", "pretest", None,
    )  # fmt: skip


def test_adjusted_difference_keeps_the_test_of_the_model() -> None:
    row = sw.effects.hedges_g_adjusted(-3.0, std_error=1.2, df=9.3, sd=8.0, nu=60, c=0.98, better="lower")
    assert row.estimate == pytest.approx(0.98 * 3 / 8 * float(small_sample_factor(60)))
    assert row.p_value == pytest.approx(float(2 * stats.t.sf(2.5, 9.3)))
    assert (row.adjusted, row.level_assigned) == (True, None)
    supplied = sw.effects.hedges_g_adjusted(-3.0, std_error=1.2, df=9.3, sd=8.0, nu=math.inf, better="lower")
    assert (supplied.estimate, supplied.standardizer) == (0.375, "supplied")


@pytest.mark.parametrize(
    ("pre", "post", "words"),
    [
        ([1, 2, 3], [1, 2], "3 scores before and 2 after"),
        ([1, 2, np.nan], [1, 2, 3], "scores, before: 1 of 3"),
        ([1, 2, 4], [2, 3, 5], "same amount"),
        ([2, 2, 2], [1, 2, 3], "scores are equal"),
    ],
)
def test_unusable_pairs_are_refused(pre: list[float], post: list[float], words: str) -> None:
    with pytest.raises(DataError, match=words):
        sw.effects.pre_post(pre, post)


@pytest.mark.parametrize("r", [1.0, -1.0, 1.2, float("nan")])
def test_the_correlation_is_never_assumed(r: float) -> None:
    with pytest.raises(DesignError, match="correlation"):
        sw.effects.pre_post_from_summary(1.0, sd_pre=2.0, n=10, correlation=r)
    with pytest.raises(TypeError, match="correlation"):
        sw.effects.pre_post_from_summary(1.0, sd_pre=2.0, n=10)
