"""Reliable change: the worked example of Jacobson & Truax (1991), a package's numbers, and what must hold for all."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sweval.effects.change import CATEGORIES, change_categories, clinical_cutoff
from sweval.effects.change_index import reliable_change_index, reliable_change_threshold
from sweval.effects.proportion import wilson_interval
from sweval.errors import DesignError

FOLDER = Path(__file__).parents[1] / "reference" / "effects"
FIXTURES = {
    entry["id"]: entry
    for entry in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
    if entry["area"] == "reliable_change"
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


def test_the_worked_example_of_the_paper() -> None:
    """Jacobson & Truax (1991), p. 14: 32.5 to 47.5 with s_1 = 7.5, r_xx = .80: S_diff = 4.74, RC = 3.16."""
    assert reliable_change_threshold(sd=7.5, reliability=0.80, conf_level=0.6826894921) == pytest.approx(
        4.74, abs=0.005
    )
    assert float(reliable_change_index(32.5, 47.5, sd=7.5, reliability=0.80)) == pytest.approx(3.16, abs=0.005)


@pytest.mark.parametrize("name", [name for name in FIXTURES if "_rci_" in name])
def test_index_and_categories_equal_the_package(name: str) -> None:
    entry = FIXTURES[name]
    i, out = entry["inputs"], entry["outputs"]
    ids, pre, post = complete(i["data"])
    assert ids == [str(key) for key in out["id"]]
    index = reliable_change_index(pre, post, sd=float(pre.std(ddof=1)), reliability=i["reliability"])
    close(index, out["rci"], entry)
    found = change_categories(pre, post, index, better=i["better_is"])
    assert [word.title() for word in found] == out["category"]
    threshold = reliable_change_threshold(sd=float(pre.std(ddof=1)), reliability=i["reliability"])
    close(threshold, out["s_diff"] * out["critical_value"], entry)


@pytest.mark.parametrize("name", [name for name in FIXTURES if "_combined_" in name])
def test_recovered_and_harmed_equal_the_package(name: str) -> None:
    entry = FIXTURES[name]
    i, out = entry["inputs"], entry["outputs"]
    _, pre, post = complete(i["data"])
    cutoff = clinical_cutoff(
        "c",
        better=i["better_is"],
        clinical_mean=float(pre.mean()),
        clinical_sd=float(pre.std(ddof=1)),
        functional_mean=i["m_functional"],
        functional_sd=i["sd_functional"],
    )
    close(cutoff, out["cutoff"], entry)
    index = reliable_change_index(pre, post, sd=float(pre.std(ddof=1)), reliability=i["reliability"])
    found = change_categories(pre, post, index, better=i["better_is"], cutoff=cutoff)
    assert [word.title() for word in found] == out["category"]
    assert {word.title(): int((found == word).sum()) for word in CATEGORIES} == out["counts"]


@pytest.mark.parametrize("name", [name for name in FIXTURES if "_cutoff_" in name])
def test_cutoffs_a_and_c_equal_the_package(name: str) -> None:
    entry = FIXTURES[name]
    i, out = entry["inputs"], entry["outputs"]
    _, pre, _ = complete(i["data"])
    found = clinical_cutoff(
        i["type"],
        better=i["better_is"],
        clinical_mean=float(pre.mean()),
        clinical_sd=float(pre.std(ddof=1)),
        functional_mean=i["m_functional"],
        functional_sd=i["sd_functional"],
    )
    close(found, out["cutoff"], entry)


def test_cutoff_b_takes_the_functional_standard_deviation() -> None:
    """Jacobson & Truax (1991), p. 13: two standard deviations of the functional population from its mean."""
    found = clinical_cutoff("b", better="lower", clinical_mean=30, clinical_sd=9, functional_mean=10, functional_sd=4)
    assert found == 18.0
    assert clinical_cutoff("b", better="higher", functional_mean=60, functional_sd=7.5) == 45.0


def test_a_change_on_the_threshold_and_a_score_on_the_cutoff_do_not_count() -> None:
    pre, post = np.array([20.0, 20.0, 20.0]), np.array([10.0, 9.0, 10.0])
    index = np.array([-1.959963984540054, -2.5, -2.5])
    found = change_categories(pre, post, index, better="lower", cutoff=10.0)
    assert found.tolist() == ["unchanged", "recovered", "improved"]


@given(
    scores=st.lists(st.tuples(st.integers(0, 27), st.integers(0, 27)), min_size=2, max_size=40),
    cutoff=st.integers(0, 27),
    reliability=st.floats(0.3, 0.97),
)
def test_turning_the_scale_turns_nothing_else(scores: list[tuple[int, int]], cutoff: int, reliability: float) -> None:
    """27 - score with better="higher" must give every client the same category, and each exactly one."""
    pre, post = np.array(scores, dtype=float).T
    index = reliable_change_index(pre, post, sd=5.0, reliability=reliability)
    lower = change_categories(pre, post, index, better="lower", cutoff=cutoff)
    higher = change_categories(27 - pre, 27 - post, -index, better="higher", cutoff=27 - cutoff)
    assert lower.tolist() == higher.tolist()
    assert set(lower) <= set(CATEGORIES)
    without = change_categories(pre, post, index, better="lower")
    assert set(without) <= set(CATEGORIES[1:4])
    merged = {"recovered": "improved", "harmed": "deteriorated"}
    assert [merged.get(word, word) for word in lower] == without.tolist()


def test_a_million_clients_take_less_than_three_tenths_of_a_second() -> None:
    rng = np.random.default_rng(4)
    pre, post = rng.integers(0, 28, 1_000_000).astype(float), rng.integers(0, 28, 1_000_000).astype(float)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        index = reliable_change_index(pre, post, sd=5.0, reliability=0.86)
        change_categories(pre, post, index, better="lower", cutoff=10)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.3


@pytest.mark.parametrize(("sd", "reliability"), [(0, 0.8), (-1, 0.8), (np.nan, 0.8), (5, 1.0), (5, 0.0), (5, np.nan)])
def test_impossible_errors_of_measurement_are_refused(sd: float, reliability: float) -> None:
    with pytest.raises(DesignError):
        reliable_change_index([1.0], [2.0], sd=sd, reliability=reliability)


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
