"""Array functions for two groups: metafor's numbers, the rows of single studies, and what must be refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import sweval as sw
from sweval.effects.kernel import small_sample_factor
from sweval.errors import DesignError

FOLDER = Path(__file__).parents[1] / "reference" / "effects"
FIXTURES = {
    entry["id"]: entry for entry in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
}
ESCALC = [
    ("escalc_md", "raw", "LS"),
    ("escalc_md_ho", "raw", "HO"),
    ("escalc_smd", "pooled", "LS"),
    ("escalc_smd_ls2", "pooled", "LS2"),
    ("escalc_smd_ub", "pooled", "UB"),
    ("escalc_smd_av", "pooled", "AV"),
    ("escalc_smd1", "control", "LS"),
    ("escalc_smd1h", "control_unequal", "LS"),
    ("escalc_smdh", "average", "LS"),
]


def numbers(entry: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return difference and the other numbers of a fixture."""
    i = {name: np.array(value) for name, value in entry["inputs"].items() if name[0] in "mns" and name[-1] == "i"}
    return i["m1i"] - i["m2i"], {
        "sd_treated": i["sd1i"],
        "n_treated": i["n1i"],
        "sd_control": i["sd2i"],
        "n_control": i["n2i"],
    }


@pytest.mark.parametrize(("name", "standardizer", "vtype"), ESCALC)
def test_estimate_and_variance_are_those_of_metafor(name: str, standardizer: str, vtype: str) -> None:
    entry = FIXTURES[name]
    difference, rest = numbers(entry)
    found = sw.effects.large_sample_difference(difference, **rest, standardizer=standardizer, vtype=vtype)
    for ours, theirs in ((found.estimate, "yi"), (found.variance, "vi")):
        assert ours == pytest.approx(np.array(entry["outputs"][theirs]), rel=entry["rtol"], abs=entry["atol"])


@pytest.mark.parametrize(
    ("standardizer", "single"),
    [("pooled", "hedges_g"), ("control", "glass_delta"), ("average", "hedges_g_heteroscedastic")],
)
def test_arrays_hold_what_the_rows_of_single_studies_hold(standardizer: str, single: str) -> None:
    rng = np.random.default_rng(1)
    samples = [(rng.normal(1, 2, n), rng.normal(0, 1, m)) for n, m in ((5, 9), (12, 6), (40, 40))]
    found = sw.effects.standardized_mean_difference(
        [t.mean() - c.mean() for t, c in samples],
        sd_treated=[t.std(ddof=1) for t, _ in samples],
        n_treated=[t.size for t, _ in samples],
        sd_control=[c.std(ddof=1) for _, c in samples],
        n_control=[c.size for _, c in samples],
        standardizer=standardizer,
    )
    for k, (t, c) in enumerate(samples):
        row = getattr(sw.effects, single)(t, c)
        for name, array in (("estimate", found.g), ("conf_low", found.conf_low), ("variance", found.variance)):
            assert getattr(row, name) == pytest.approx(float(array[k]), rel=1e-10)


def test_an_approximate_j_is_there_for_parity() -> None:
    """esc_mean_sd, WWC: 1 - 3/(4 nu - 1); the limits do not depend on J."""
    exact = sw.effects.standardized_mean_difference(-2.0, sd_treated=2, n_treated=50, sd_control=3, n_control=60)
    near = exact.with_j("approximate")
    assert float(near.g / near.d) == 1 - 3 / (4 * 108 - 1)
    assert float(near.g) == pytest.approx(float(exact.g), rel=1e-5)
    assert near.conf_low == exact.conf_low
    assert exact.with_j("exact").variance == exact.variance
    with pytest.raises(DesignError, match='"exact" or "approximate"'):
        small_sample_factor(10, j="hedges")


def test_tests_of_one_sample_give_one_effect() -> None:
    """t, F, p, point-biserial correlation and standardised coefficient of the same data are the same d."""
    rng = np.random.default_rng(2)
    t, c = rng.normal(0.8, 1, 14), rng.normal(0, 1, 22)
    row = sw.effects.hedges_g(t, c)
    student = stats.ttest_ind(t, c)
    arm, y = np.repeat([1, 0], [14, 22]), np.concatenate([t, c])
    r = float(np.corrcoef(arm, y)[0, 1])
    sizes = {"n_treated": 14, "n_control": 22}
    ways = [
        sw.effects.difference_from_test(student.statistic, test="t", **sizes),
        sw.effects.difference_from_test(student.statistic**2, test="F", direction=np.sign(student.statistic), **sizes),
        sw.effects.difference_from_test(student.pvalue, test="p", direction=np.sign(student.statistic), **sizes),
        sw.effects.difference_from_test(r, test="correlation", **sizes),
        sw.effects.difference_from_beta(r, **sizes),  # alone in the model, the coefficient is the correlation
    ]
    for found in ways:
        assert float(found.g) == pytest.approx(row.estimate, rel=1e-9)
        assert float(found.p_value) == pytest.approx(row.p_value, rel=1e-7)
    s = sw.effects.sd_within_arms(y.std(ddof=1), difference=t.mean() - c.mean(), **sizes)
    pooled = np.sqrt((13 * t.var(ddof=1) + 21 * c.var(ddof=1)) / 34)
    assert float(s) == pytest.approx(pooled, rel=1e-12)
    single = sw.effects.hedges_g_from_test(student.pvalue, test="p", direction=-1, better="lower", **sizes)
    assert single.estimate == pytest.approx(-row.estimate, rel=1e-7)


def test_standardised_coefficient_is_that_of_esc() -> None:
    """esc_beta(0.32, sdy = 5, 100, 150) prints 0.686686914538017 and variance 0.0176097445038622."""
    found = sw.effects.difference_from_beta(0.32, n_treated=100, n_control=150)
    assert float(found.d) == pytest.approx(0.686686914538017, rel=1e-12)
    assert float(found.weight_variance + found.d**2 / 500) == pytest.approx(0.0176097445038622, rel=1e-12)


def test_studies_with_impossible_numbers_are_counted_and_placed() -> None:
    good = {"sd_treated": [2.0, 3.0], "n_treated": [10, 12], "sd_control": [2.0, 3.0], "n_control": [10, 12]}
    for bad, words in (
        ({"sd_control": [2.0, 0.0]}, "sd_control: a standard deviation must be above zero .1 of 2.*number 2"),
        ({"n_treated": [1, 12]}, "n_treated: a group needs two persons"),
        ({"sd_treated": [np.nan, 3.0]}, "sd_treated: 1 of 2 values are missing"),
        ({"n_control": [1.0, 2.0, 3.0]}, "different lengths"),
        ({"standardizer": "posttest"}, "standardizer must be"),
    ):
        with pytest.raises(DesignError, match=words):
            sw.effects.standardized_mean_difference([1.0, 2.0], **(good | bad))
    with pytest.raises(DesignError, match="do not go together"):
        sw.effects.large_sample_difference([1.0, 2.0], **good, standardizer="average", vtype="UB")


@pytest.mark.parametrize(
    ("value", "test", "words"),
    [(-1.0, "F", "never negative"), (0.0, "p", "above 0"), (1.2, "p", "above 0"), (1.0, "correlation", "between"),
     (2.0, "z", "test must be"), (np.inf, "t", "not finite")],
)  # fmt: skip
def test_impossible_tests_are_refused(value: float, test: str, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        sw.effects.difference_from_test(value, test=test, n_treated=10, n_control=10)


def test_a_coefficient_that_leaves_no_variance_is_refused() -> None:
    with pytest.raises(DesignError, match="larger than the standard deviation"):
        sw.effects.difference_from_beta(1.05, n_treated=10, n_control=10)


def test_glass_delta_of_many_treated_and_few_controls_holds_its_level() -> None:
    """With Welch's df in a noncentral t the truth is in .89 of the intervals (30 and 8, delta 2), see the kernel."""
    rng = np.random.default_rng(3)
    t, c = rng.normal(2, 1, (600, 30)), rng.normal(size=(600, 8))
    found = sw.effects.standardized_mean_difference(
        t.mean(axis=1) - c.mean(axis=1), sd_treated=t.std(axis=1, ddof=1), n_treated=30,
        sd_control=c.std(axis=1, ddof=1), n_control=8, standardizer="control",
    )  # fmt: skip
    covered = ((found.conf_low <= 2) & (found.conf_high >= 2)).mean()
    assert 0.95 - 3.5 * 0.0089 < covered < 0.97 + 3.5 * 0.0071  # .966 in 10,000
