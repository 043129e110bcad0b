"""Reliable change and cut-offs: an R package's numbers, the definitions where it departs from them, what must hold."""

from __future__ import annotations

import csv
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sweval.effects.change import (
    CATEGORIES,
    change_categories,
    clinical_cutoff,
    cutoff_categories,
    position_after,
)
from sweval.effects.change_index import (
    CHANGE_INDICES,
    change_line,
    critical_value,
    group_level_change,
    reliable_change_index,
    reliable_change_threshold,
)
from sweval.effects.proportion import wilson_interval
from sweval.errors import DesignError

FOLDER = Path(__file__).parents[1] / "reference" / "change"
FIXTURES = {
    entry["id"]: entry for entry in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
}
METHODS = {
    "JT": "jacobson_truax",
    "GLN": "gulliksen_lord_novick",
    "HLL": "hsu_linn_lord",
    "EN": "edwards_nunnally",
    "NK": "nunnally_kotsch",
    "HA": "hageman_arrindell",
}
Scores = NDArray[np.float64]


def complete(name: str) -> tuple[list[str], Scores, Scores]:
    """Return ids, scores before and after of the clients with both, in the order of the file."""
    with (FOLDER / name).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    before = {row["id"]: row["score"] for row in rows if row["time"] == "1"}
    after = {row["id"]: row["score"] for row in rows if row["time"] == "2"}
    ids = [key for key, value in before.items() if value and after.get(key)]
    return ids, np.array([float(before[key]) for key in ids]), np.array([float(after[key]) for key in ids])


def close(actual: Any, expected: Any, entry: dict[str, Any]) -> None:
    assert np.asarray(actual, dtype=float) == pytest.approx(
        np.asarray(expected, dtype=float), rel=entry["rtol"], abs=entry["atol"]
    )


def cutoff_and_position(i: dict[str, Any], pre: Scores, post: Scores) -> tuple[float, Scores | None]:
    """Return the cut-off of a fixture, and where clients stand against it by Hageman & Arrindell."""
    sd = float(pre.std(ddof=1))
    error = sd * math.sqrt(1 - i["reliability"]) if i["method"] == "HA" else 0.0
    cutoff = clinical_cutoff(
        i.get("type", "c"), better=i["better_is"], clinical_mean=float(pre.mean()), clinical_sd=sd,
        functional_mean=i["m_functional"], functional_sd=i["sd_functional"], error=error,
    )  # fmt: skip
    if not error:
        return cutoff, None
    return cutoff, position_after(post, cutoff=cutoff, sd=float(post.std(ddof=1)), error=error)


def index_of(i: dict[str, Any], pre: Scores, post: Scores) -> Scores:
    return reliable_change_index(
        pre, post, method=METHODS[i["method"]], sd=float(pre.std(ddof=1)), reliability=i["reliability"],
        reliability_post=i.get("reliability_post"),
    )  # fmt: skip


def test_all_45_fixtures_are_here() -> None:
    assert len(FIXTURES) == 45


@pytest.mark.parametrize("name", [name for name in FIXTURES if "_rci_" in name])
def test_index_and_categories_equal_the_package(name: str) -> None:
    """Six indices on three samples; for Hageman & Arrindell the package cuts at 1.645, the authors at 1.65."""
    entry = FIXTURES[name]
    i, out = entry["inputs"], entry["outputs"]
    ids, pre, post = complete(i["data"])
    assert ids == [str(key) for key in out["id"]]
    index = index_of(i, pre, post)
    close(index, out["rci"], entry)
    found = change_categories(
        pre, post, index, better=i["better_is"], critical=critical_value(method=METHODS[i["method"]])
    )
    assert [word.title() for word in found] == out["category"]
    line = change_line(
        METHODS[i["method"]], sd=float(pre.std(ddof=1)), reliability=i["reliability"],
        reliability_post=i.get("reliability_post"), pre_mean=float(pre.mean()), post_mean=float(post.mean()),
        change_sd=float((post - pre).std(ddof=1)),
    )  # fmt: skip
    printed = {"JT": "s_diff", "GLN": "se_prediction", "HLL": "se_prediction", "EN": "se_measurement"}
    if i["method"] in printed:
        close(line.std_error, out[printed[i["method"]]], entry)
    if i["method"] == "HA":
        close(math.sqrt(2 / out["r_dd"]) * out["se_measurement"], line.std_error, entry)


@pytest.mark.parametrize("name", [name for name in FIXTURES if "_combined_" in name])
def test_recovered_and_harmed_equal_the_package(name: str) -> None:
    entry = FIXTURES[name]
    i, out = entry["inputs"], entry["outputs"]
    _, pre, post = complete(i["data"])
    cutoff, position = cutoff_and_position(i, pre, post)
    close(cutoff, out["cutoff"], entry)
    found = change_categories(
        pre, post, index_of(i, pre, post), better=i["better_is"], cutoff=cutoff,
        critical=critical_value(method=METHODS[i["method"]]), position=position,
    )  # fmt: skip
    assert [word.title() for word in found] == out["category"]
    assert {word.title(): int((found == word).sum()) for word in CATEGORIES} == out["counts"]


@pytest.mark.parametrize("name", [name for name in FIXTURES if "_cutoff_" in name])
def test_cutoffs_and_categories_by_them_alone_equal_the_package(name: str) -> None:
    entry = FIXTURES[name]
    i, out = entry["inputs"], entry["outputs"]
    _, pre, post = complete(i["data"])
    cutoff, position = cutoff_and_position(i, pre, post)
    close(cutoff, out["cutoff"], entry)
    found = cutoff_categories(pre, post, better=i["better_is"], cutoff=cutoff, position=position)
    assert [word.title() for word in found] == out["category"]


def test_cutoff_b_takes_the_functional_standard_deviation() -> None:
    """Known error of the package, which takes the clinical one; Jacobson & Truax (1991), p. 13, the functional one."""
    found = clinical_cutoff("b", better="lower", clinical_mean=30, clinical_sd=9, functional_mean=10, functional_sd=4)
    assert found == 18.0
    assert clinical_cutoff("b", better="higher", functional_mean=60, functional_sd=7.5) == 45.0
    # on true scores: sqrt(5^2 - 3^2) = 4
    assert clinical_cutoff("b", better="lower", functional_mean=10, functional_sd=5, error=3) == 18.0


def test_reliability_of_differences_is_that_of_two_spreads_and_their_correlation() -> None:
    """Hageman & Arrindell write r_DD with r_k = 1 - E^2/s_k^2; here it is 1 - 2E^2/Var(change), the same."""
    _, pre, post = complete("rc_large.csv")
    s1, s2, r = float(pre.std(ddof=1)), float(post.std(ddof=1)), float(np.corrcoef(pre, post)[0, 1])
    error = s1 * math.sqrt(0.1)
    r1, r2 = 1 - error**2 / s1**2, 1 - error**2 / s2**2
    r_dd = (s1**2 * r1 + s2**2 * r2 - 2 * s1 * s2 * r) / (s1**2 + s2**2 - 2 * s1 * s2 * r)
    m1, m2 = float(pre.mean()), float(post.mean())
    by_hand = ((post - pre) * r_dd + (m2 - m1) * (1 - r_dd)) / (math.sqrt(r_dd) * math.sqrt(2) * error)
    found = reliable_change_index(pre, post, method="hageman_arrindell", sd=s1, reliability=0.9)
    assert found == pytest.approx(by_hand, rel=1e-10)


def test_shares_of_the_group_are_those_of_true_scores() -> None:
    """100,000 clients with known true scores: the estimated shares are the true ones to within sampling (0.005)."""
    rng = np.random.default_rng(8)
    n, error = 100_000, 2.0
    before = rng.normal(20, 5, n)
    after = before - rng.normal(4, 3, n)
    pre, post = before + rng.normal(0, error, n), after + rng.normal(0, error, n)
    sd = float(pre.std(ddof=1))
    reliability = 1 - error**2 / sd**2
    improved, functional = group_level_change(pre, post, better="lower", sd=sd, reliability=reliability, cutoff=15)
    assert improved == pytest.approx((after < before).mean(), abs=0.005)
    assert functional == pytest.approx((after < 15).mean(), abs=0.005)
    turned = group_level_change(-pre, -post, better="higher", sd=sd, reliability=reliability, cutoff=-15)
    assert turned == pytest.approx((improved, functional), abs=1e-12)
    assert group_level_change(pre, post, better="lower", sd=sd, reliability=reliability)[1] is None


@pytest.mark.parametrize("method", ["jacobson_truax", "gulliksen_lord_novick", "hageman_arrindell"])
def test_clients_who_did_not_change_are_seldom_called_changed(method: str) -> None:
    """True scores stay: .05 of clients by the two-sided 1.96 (Hageman & Arrindell twice 1.65, about .10) and no more.

    Gulliksen's prediction error also holds what a client's true score may be, so it is exact here too. Hageman &
    Arrindell take differences for true only so far as they exceed error; without any there is none to be taken.
    """
    rng = np.random.default_rng(2)
    n, sd, reliability = 40_000, 6.0, 0.85
    error = sd * math.sqrt(1 - reliability)
    true = rng.normal(20, sd * math.sqrt(reliability), n)
    drift = 0.0 if method != "hageman_arrindell" else rng.normal(0, 0.5 * error, n)
    pre, post = true + rng.normal(0, error, n), true + drift + rng.normal(0, error, n)
    index = reliable_change_index(pre, post, method=method, sd=sd, reliability=reliability)
    share = float((np.abs(index) > critical_value(method=method)).mean())
    assert share == pytest.approx(0.05, abs=0.004) if method != "hageman_arrindell" else share < 0.05


def test_a_change_on_the_threshold_and_a_score_on_the_cutoff_do_not_count() -> None:
    pre, post = np.array([20.0, 20.0, 20.0]), np.array([10.0, 9.0, 10.0])
    index = np.array([-1.959963984540054, -2.5, -2.5])
    found = change_categories(pre, post, index, better="lower", cutoff=10.0)
    assert found.tolist() == ["unchanged", "recovered", "improved"]
    assert cutoff_categories([10.0, 20, 20], [5.0, 10, 9], better="lower", cutoff=10).tolist() == [
        "unchanged", "unchanged", "improved",
    ]  # fmt: skip


@given(
    scores=st.lists(st.tuples(st.integers(0, 27), st.integers(0, 27)), min_size=2, max_size=40),
    cutoff=st.integers(0, 27),
    reliability=st.floats(0.3, 0.97),
    method=st.sampled_from(list(CHANGE_INDICES)),
)
def test_turning_the_scale_turns_nothing_else(
    scores: list[tuple[int, int]], cutoff: int, reliability: float, method: str
) -> None:
    """27 - score with better="higher" must give every client the same category, and each exactly one."""
    pre, post = np.array(scores, dtype=float).T
    try:
        index = reliable_change_index(pre, post, method=method, sd=5.0, reliability=reliability)
    except DesignError:
        assert method == "hageman_arrindell"  # no true change is left; tested below
        return
    turned = reliable_change_index(27 - pre, 27 - post, method=method, sd=5.0, reliability=reliability)
    assert turned == pytest.approx(-index, abs=1e-9)
    index = np.round(index, 9)  # so that rounding moves nobody across the threshold
    lower = change_categories(pre, post, index, better="lower", cutoff=cutoff)
    higher = change_categories(27 - pre, 27 - post, -index, better="higher", cutoff=27 - cutoff)
    assert lower.tolist() == higher.tolist()
    assert set(lower) <= set(CATEGORIES)
    without = change_categories(pre, post, index, better="lower")
    assert set(without) <= set(CATEGORIES[1:4])
    merged = {"recovered": "improved", "harmed": "deteriorated"}
    assert [merged.get(word, word) for word in lower] == without.tolist()


def test_a_million_clients_take_less_than_three_tenths_of_a_second() -> None:
    """From two arrays to categories: mean and standard deviation, index, cut-off c, categories."""
    rng = np.random.default_rng(4)
    pre, post = rng.integers(0, 28, 1_000_000).astype(float), rng.integers(0, 28, 1_000_000).astype(float)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        mean, sd = float(pre.mean()), float(pre.std(ddof=1))
        index = reliable_change_index(pre, post, sd=sd, reliability=0.86)
        cutoff = clinical_cutoff(
            "c", better="lower", clinical_mean=mean, clinical_sd=sd, functional_mean=4, functional_sd=4
        )
        change_categories(pre, post, index, better="lower", cutoff=cutoff)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.3


@pytest.mark.parametrize(("sd", "reliability"), [(0, 0.8), (-1, 0.8), (np.nan, 0.8), (5, 1.0), (5, 1.2), (5, 0.0)])
@pytest.mark.parametrize("method", CHANGE_INDICES)
def test_impossible_errors_of_measurement_are_refused(sd: float, reliability: float, method: str) -> None:
    with pytest.raises(DesignError, match=r"standard deviation above zero|between 0 and 1"):
        reliable_change_index([1.0, 5, 9], [2.0, 3, 1], method=method, sd=sd, reliability=reliability)


def test_a_missing_reliability_is_refused() -> None:
    with pytest.raises(DesignError, match="between 0 and 1"):
        reliable_change_index([1.0], [2.0], sd=5, reliability=math.nan)
    with pytest.raises(DesignError, match="between 0 and 1"):
        change_line("nunnally_kotsch", sd=5, reliability=0.8, reliability_post=1.0, pre_mean=3)


@pytest.mark.parametrize(
    ("method", "lacks"),
    [
        ("gulliksen_lord_novick", "pre_mean"),
        ("hsu_linn_nunnally", "pre_mean and post_mean"),
        ("hageman_arrindell", "pre_mean and post_mean and change_sd"),
    ],
)
def test_an_index_that_needs_a_sample_says_what_it_lacks(method: str, lacks: str) -> None:
    with pytest.raises(DesignError, match=f"needs {lacks}"):
        reliable_change_index([20.0], [12.0], method=method, sd=5, reliability=0.8)


def test_changes_within_measurement_error_have_no_true_variance() -> None:
    """A negative variance of true changes is refused, not turned into the root of a negative number."""
    pre, post = np.array([10.0, 14, 18, 22]), np.array([11.0, 15, 18, 23])
    with pytest.raises(DesignError, match="changes vary no more than measurement error"):
        reliable_change_index(pre, post, method="hageman_arrindell", sd=5, reliability=0.5)
    with pytest.raises(DesignError, match="changes vary no more than measurement error"):
        group_level_change(pre, pre - 3, better="lower", sd=5, reliability=0.9)
    with pytest.raises(DesignError, match="the norm group vary no more"):
        clinical_cutoff(
            "c", better="lower", clinical_mean=20, clinical_sd=5, functional_mean=5, functional_sd=2, error=2.5
        )
    with pytest.raises(DesignError, match="the scores after vary no more"):
        position_after([10.0, 11, 12], cutoff=9, sd=1.0, error=1.5)


def test_an_unknown_index_is_named_with_the_likely_one() -> None:
    with pytest.raises(DesignError, match="edwards_nunnally"):
        change_line("edwards_nunally", sd=5, reliability=0.8)


def test_hsu_has_two_names() -> None:
    one, other = (
        change_line(name, sd=5, reliability=0.8, pre_mean=20, post_mean=15)
        for name in ("hsu_linn_lord", "hsu_linn_nunnally")
    )
    assert one == other


@pytest.mark.parametrize("level", [0, 1, -0.5, 95])
def test_impossible_levels_are_refused(level: float) -> None:
    with pytest.raises(DesignError, match="conf_level"):
        critical_value(level)


def test_critical_values() -> None:
    assert critical_value(0.9) == pytest.approx(1.6448536269514722)
    assert critical_value(0.9, method="hageman_arrindell") == pytest.approx(1.2815515655446004)
    assert reliable_change_threshold(sd=5, reliability=0.5, conf_level=0.9) == pytest.approx(5 * 1.6448536269514722)


@pytest.mark.parametrize(
    ("kind", "given_numbers", "words"),
    [
        ("d", {}, "must be"),
        ("a", {"functional_mean": 1.0, "functional_sd": 1.0}, "clinical_mean and clinical_sd"),
        ("b", {"functional_mean": 1.0}, "needs functional_sd"),
        ("c", {"clinical_mean": 1.0, "clinical_sd": 1.0, "functional_mean": 1.0}, "needs functional_sd"),
        ("b", {"functional_mean": 1.0, "functional_sd": 0.0}, "above zero"),
    ],
)
def test_cutoffs_without_their_numbers_are_refused(kind: str, given_numbers: dict[str, float], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        clinical_cutoff(kind, better="lower", **given_numbers)


def test_missing_scores_have_no_category() -> None:
    with pytest.raises(DesignError, match="before and after"):
        change_categories([1.0, np.nan], [1.0, 2.0], [0.0, np.nan], better="lower")
    with pytest.raises(DesignError, match="before and after"):
        cutoff_categories([1.0, np.nan], [1.0, 2.0], better="lower", cutoff=3)
    with pytest.raises(DesignError, match="better"):
        cutoff_categories([1.0], [2.0], better="up", cutoff=3)


def test_wilson_interval_solves_its_equation() -> None:
    """The limits are the p0 at which the score test just rejects: |p - p0| = z sqrt(p0 (1 - p0) / n)."""
    for count, n, level in [(10, 40, 0.95), (1, 9, 0.9), (0, 12, 0.95), (12, 12, 0.99)]:
        z = {0.95: 1.959963984540054, 0.9: 1.6448536269514722, 0.99: 2.5758293035489004}[level]
        for limit in wilson_interval(count, n, conf_level=level):
            p0 = float(limit)
            assert abs(count / n - p0) == pytest.approx(z * np.sqrt(p0 * (1 - p0) / n), abs=1e-12)
    assert float(wilson_interval(0, 12)[0]) == 0.0
    assert float(wilson_interval(12, 12)[1]) == 1.0


@pytest.mark.parametrize(("count", "n"), [(3, 2), (-1, 5), (0, 0)])
def test_impossible_proportions_are_refused(count: int, n: int) -> None:
    with pytest.raises(DesignError, match="between 0 and n"):
        wilson_interval(count, n)
