"""Ratios of means and of spreads: metafor, effectsize, R's tests of variances, and coverage by simulation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sweval as sw
from sweval.errors import DataError, DesignError

FOLDER = Path(__file__).parents[1] / "reference" / "binary_effects"
FIXTURES = {
    entry["id"]: entry for entry in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
}
MORE = json.loads((FOLDER / "more.json").read_text(encoding="utf-8"))
MEASURES: dict[str, Any] = {
    "ROM": sw.effects.log_response_ratio,
    "VR": sw.effects.log_variability_ratio,
    "CVR": sw.effects.log_cv_ratio,
    "ROMC": sw.effects.log_response_ratio_of_change,
    "VRC": sw.effects.log_variability_ratio_of_change,
    "CVRC": sw.effects.log_cv_ratio_of_change,
    "RPB": sw.effects.point_biserial_correlation,
    "RBIS": sw.effects.biserial_correlation,
    "D2ORL": sw.effects.log_odds_ratio_from_means,
    "D2ORN": lambda groups: sw.effects.log_odds_ratio_from_means(groups, scale="cox"),
}


def from_inputs(held: dict[str, Any]) -> Any:
    """Return the record that metafor's arguments describe."""
    i = {name: np.array(value, dtype=float) for name, value in held.items() if name[-1] == "i"}
    if "n1i" in i:
        return sw.effects.two_means(*(i[name] for name in ("m1i", "sd1i", "n1i", "m2i", "sd2i", "n2i")))
    return sw.effects.two_moments(*(i[name] for name in ("m1i", "sd1i", "m2i", "sd2i", "ni", "ri")))


@pytest.mark.parametrize("name", [name for name in FIXTURES if name.startswith("escalc_") and "2x2" not in name])
def test_ten_sets_equal_metafor(name: str) -> None:
    entry = FIXTURES[name]
    found = MEASURES[name.split("_")[1].upper()](from_inputs(entry["inputs"]))
    for actual, key in ((found.estimate, "yi"), (found.variance, "vi")):
        assert actual == pytest.approx(np.array(entry["outputs"][key]), rel=entry["rtol"], abs=entry["atol"])


@pytest.mark.parametrize(
    "entry",
    [e for e in MORE["escalc"] if e["inputs"] in {"arms", "moments"}],
    ids=lambda e: f"{e['measure']}-{e['vtype']}",
)
def test_other_variances_equal_metafor(entry: dict[str, Any]) -> None:
    """metafor 3.8, before it corrected means for bias; of the coefficient of variation it corrected a part."""
    how: dict[str, Any] = {} if entry["vtype"] == "LS" else {"vtype": entry["vtype"]}
    if entry["measure"] in {"ROM", "ROMC", "CVRC"}:
        how["correct"] = False
    found = MEASURES[entry["measure"]](from_inputs(MORE["inputs"][entry["inputs"]]), **how)
    if entry["measure"] != "CVR":
        assert found.estimate == pytest.approx(np.array(entry["yi"]), rel=1e-12)
    assert found.variance == pytest.approx(np.array(entry["vi"]), rel=1e-12)


@pytest.mark.parametrize("name", [name for name in FIXTURES if name.startswith("es_means_ratio")])
def test_adjusted_ratio_equals_effectsize(name: str) -> None:
    """Its limits are normal and its variance has + (v_T^2 - v_C^2)/2, where Lajeunesse (2015) has a sum."""
    entry = FIXTURES[name]
    treated, control, out = entry["inputs"]["treatment"], entry["inputs"]["control"], entry["outputs"]
    row = sw.effects.means_ratio(treated, control)
    assert row.estimate == pytest.approx(out["Means_ratio_adjusted"], rel=entry["rtol"])
    log = sw.effects.log_response_ratio(sw.effects.two_means_of_scores(treated, control))
    v1, v2 = ((np.std(x, ddof=1) / np.mean(x)) ** 2 / len(x) for x in (treated, control))
    assert float(log.variance) == pytest.approx(v1 + v2)
    half = 1.959963984540054 * float(np.sqrt(v1 + v2 + (v1**2 - v2**2) / 2))
    limits = np.exp([float(log.estimate) - half, float(log.estimate) + half])
    assert limits == pytest.approx([out["CI_low"], out["CI_high"]], rel=entry["rtol"])


def test_corrections_take_the_bias_away() -> None:
    """200,000 samples of 8 and 8, spreads of .4 and .2 of the mean: what is left is under a third of the bias."""
    rng = np.random.default_rng(4)
    runs = 200_000
    x, y = rng.normal(20, 8, (runs, 8)), rng.normal(30, 6, (runs, 8))
    groups = sw.effects.two_means(x.mean(1), x.std(1, ddof=1), 8, y.mean(1), y.std(1, ddof=1), 8)
    for measure, truth in ((sw.effects.log_response_ratio, np.log(20 / 30)), (sw.effects.log_cv_ratio, np.log(2))):
        plain = measure(groups, correct=False).estimate.mean() - truth
        left = measure(groups).estimate.mean() - truth
        assert abs(left) < abs(plain) / 3, measure


def test_spread_of_two_arms_is_the_f_test_of_r() -> None:
    """var.test gives the limits of the ratio of variances."""
    f = MORE["f_test"]
    found = sw.effects.log_variability_ratio(sw.effects.two_means(1, f["sd1"], f["n1"], 1, f["sd2"], f["n2"]))
    limits = np.exp([2 * float(found.conf_low), 2 * float(found.conf_high)])
    assert limits == pytest.approx([f["low"], f["high"]], rel=1e-10)
    assert float(found.p_value) == pytest.approx(f["p"], rel=1e-10)


def test_spread_after_and_before_is_the_test_of_pitman_and_morgan() -> None:
    """The correlation of sum and difference, by R's cor.test."""
    held = MORE["pitman_morgan"]
    found = sw.effects.log_variability_ratio_of_change(sw.effects.two_moments_of_scores(held["after"], held["before"]))
    assert float(found.p_value) == pytest.approx(held["p"], rel=1e-10)
    assert float(found.statistic) == pytest.approx(held["t"], rel=1e-10)


def test_coverage_with_six_and_eight_clients() -> None:
    """4,000 samples each; .95 within four standard errors of the simulation for the exact ones, .935 to .975 else."""
    rng = np.random.default_rng(3)
    runs = 4000
    for n1, n2, (m1, s1), (m2, s2) in ((8, 15, (20, 4), (30, 6)), (6, 6, (20, 5), (24, 8))):
        x, y = rng.normal(m1, s1, (runs, n1)), rng.normal(m2, s2, (runs, n2))
        groups = sw.effects.two_means(x.mean(1), x.std(1, ddof=1), n1, y.mean(1), y.std(1, ddof=1), n2)
        truths = {"ROM": np.log(m1 / m2), "VR": np.log(s1 / s2), "CVR": np.log(s1 / m1 * m2 / s2)}
        for name, truth in truths.items():
            found = MEASURES[name](groups)
            covered = ((found.conf_low <= truth) & (found.conf_high >= truth)).mean()
            low, high = (0.936, 0.964) if name == "VR" else (0.935, 0.975)
            assert low < covered < high, (name, covered)
            assert ((found.p_value < 0.05) == ((found.conf_low > 0) | (found.conf_high < 0))).all()


def test_direction_metric_and_n() -> None:
    fewer_days = sw.effects.two_means(20, 12, 30, 31, 15, 28, better="lower")
    effect = sw.effects.log_response_ratio(fewer_days)
    assert float(effect.estimate) == pytest.approx(-np.log(20 / 31) - (0.6**2 / 30 - (15 / 31) ** 2 / 28) / 2)
    assert (effect.row().metric, effect.row().n, effect.row().better) == ("log_response_ratio", 58, "lower")
    spread = sw.effects.log_variability_ratio(fewer_days)
    assert spread.estimate < 0
    assert spread.better is None
    change = sw.effects.two_moments(20, 12, 31, 15, 30, 0.5, better="lower")
    plain = sw.effects.log_response_ratio_of_change(change, correct=False)
    assert float(plain.estimate) == pytest.approx(np.log(31 / 20))
    assert sw.effects.log_response_ratio_of_change(change).metric == "uncontrolled_log_response_ratio"
    assert sw.effects.log_cv_ratio(fewer_days).metric == "log_cv_ratio"


def test_what_has_no_ratio_is_refused() -> None:
    for call, words in (
        (lambda: sw.effects.log_response_ratio(sw.effects.two_means(0, 1, 9, 2, 1, 9)), "not above 0"),
        (lambda: sw.effects.log_cv_ratio(sw.effects.two_means(-2, 1, 9, 2, 1, 9)), "not above 0"),
        (lambda: sw.effects.log_cv_ratio_of_change(sw.effects.two_moments(-2, 1, 9, 2, 9, 0.1)), "not above 0"),
        (lambda: sw.effects.two_means(2, 0, 9, 2, 1, 9), "standard deviation"),
        (lambda: sw.effects.two_means(2, 1, 1, 2, 1, 9), "two clients"),
        (lambda: sw.effects.two_means(2, 1, 9, 2, 1, 9, better="up"), "better"),
        (lambda: sw.effects.two_moments(2, 1, 2, 1, 2, 0.5), "three clients"),
        (lambda: sw.effects.two_moments(2, 1, 2, 1, 9, 1.0), "between -1 and 1"),
        (lambda: sw.effects.log_response_ratio(sw.effects.two_means(2, 1, 9, 2, 1, 9), vtype="XX"), "vtype"),
        (lambda: sw.effects.means_ratio([1, -2, 9], [3, 4, 5]), "0 or more"),
        (lambda: sw.effects.two_moments_of_scores([5, 5, 5], [1, 2, 4]), "all equal"),
    ):
        with pytest.raises(DesignError, match=words):
            call()
    with pytest.raises(DataError, match="missing"):
        sw.effects.means_ratio([1, np.nan, 9], [3, 4, 5])
