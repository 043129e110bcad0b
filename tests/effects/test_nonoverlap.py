"""Overlap of phases: SingleCaseES on simulated cases, the definitions, and every degenerate phase."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import sweval as sw
from sweval.effects.nonoverlap import score_limits
from sweval.errors import DataError, DesignError

FOLDER = Path(__file__).parents[1] / "reference" / "single_case"
FIXTURES = {entry["id"]: entry for entry in json.loads((FOLDER / "fixtures.json").read_text("utf-8"))["fixtures"]}
OVERLAP = ("NAP", "Tau", "Tau_BC", "Tau_U", "PND", "PEM", "PAND", "IRD")
UNIROOT = 2.5e-4
"""R's uniroot stops within 1.22e-4 of the root by default: so far are the package's limits off (those of Tau twice)."""
PARTED_TIE = "scd_taubc_c04"
"""Here the package loses a tie of two residuals to rounding; in fractions Tau is 59/60."""


def better(inputs: dict[str, Any]) -> str:
    return "higher" if inputs["improvement"] == "increase" else "lower"


def ours(call: str, i: dict[str, Any]) -> dict[str, Any]:
    """Return our numbers under the package's names."""
    a, b, way = i["A"], i["B"], {"better": better(i)}
    if call in ("NAP", "Tau"):
        which = {"Hanley": "hanley_mcneil", "null": "null", None: "without_ties"}[i.get("SE")]
        function = sw.effects.nonoverlap_of_all_pairs if call == "NAP" else sw.effects.tau_nonoverlap
        found = function(a, b, std_error=which, **way)
    elif call == "Tau_BC":
        found = sw.effects.tau_baseline_corrected(a, b, std_error="without_ties", **way).effect
    else:
        one = {
            "Tau_U": lambda: sw.effects.tau_u(a, b, variant="parker", **way).comparison("A vs. B - Trend A"),
            "PND": lambda: sw.effects.percentage_of_nonoverlapping_data(a, b, **way),
            "PEM": lambda: sw.effects.percentage_exceeding_median(a, b, **way).estimate,
            "PAND": lambda: sw.effects.percentage_of_all_nonoverlapping_data(a, b, **way).estimate,
            "IRD": lambda: sw.effects.improvement_rate_difference(a, b, **way),
        }[call]
        return {"Est": one()}
    return {"Est": found.estimate, "SE": found.std_error, "CI_lower": found.conf_low, "CI_upper": found.conf_high}


@pytest.mark.parametrize("name", [k for k, e in FIXTURES.items() if e["provenance"]["call"].split("(")[0] in OVERLAP])
def test_single_case_es(name: str) -> None:
    """Estimates and standard errors at 1e-9; limits as far as uniroot goes, ours being the root."""
    if name == PARTED_TIE:
        return
    entry = FIXTURES[name]
    found = ours(entry["provenance"]["call"].split("(")[0], entry["inputs"])
    for key, value in entry["outputs"].items():
        if key.startswith("CI"):
            assert float(found[key]) == pytest.approx(value, abs=UNIROOT)
        else:
            assert float(found[key]) == pytest.approx(value, rel=entry["rtol"], abs=entry["atol"])


def test_a_tie_of_residuals_is_a_tie() -> None:
    """`PARTED_TIE` in exact arithmetic: Theil and Sen's slope is 2/3, and Tau 59/60 where the package has 58/60."""
    i = FIXTURES[PARTED_TIE]["inputs"]
    a, b = ([Fraction(str(value)) for value in i[phase]] for phase in "AB")
    slope = median((a[k] - a[j]) / (k - j) for j, k in itertools.combinations(range(len(a)), 2))
    left = [value - slope * place for place, value in enumerate([*a, *b])]
    pairs = [(x, y) for x in left[: len(a)] for y in left[len(a) :]]
    exact = Fraction(sum((y < x) - (y > x) for x, y in pairs), len(pairs))  # lower is better
    assert exact == Fraction(59, 60)
    assert float(ours("Tau_BC", i)["Est"]) == pytest.approx(float(exact), rel=1e-14)


@pytest.mark.parametrize(("m", "n"), [(2, 3), (3, 2), (3, 3)])
def test_the_unbiased_variance_is_unbiased_with_ties(m: int, n: int) -> None:
    """Every sample of two distributions on 1, 2, 3: the mean of the formula is the variance of NAP, to rounding."""
    chance_a, chance_b = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
    a, b = (np.array(list(itertools.product(range(3), repeat=size))) for size in (m, n))
    weight = np.outer(chance_a[a].prod(axis=1), chance_b[b].prod(axis=1)).ravel()
    x, y = np.repeat(a, len(b), axis=0).astype(float), np.tile(b, (len(a), 1)).astype(float)
    found, usual = (
        sw.effects.nonoverlap_of_all_pairs(x, y, std_error=which)  # type: ignore[arg-type]
        for which in ("unbiased", "without_ties")
    )
    end = (found.estimate == 0) | (found.estimate == 1)  # there the variance is lifted above 0 on purpose
    square = np.where(end, 0, np.nan_to_num(found.std_error) ** 2)
    true = weight @ found.estimate**2 - (weight @ found.estimate) ** 2
    assert weight @ square == pytest.approx(true, rel=1e-12)
    assert weight @ np.where(end, 0, usual.std_error**2) > 1.1 * true
    same = ~(x[:, :, None] == y[:, None, :]).any(axis=(1, 2))
    assert found.std_error[same].tolist() == pytest.approx(usual.std_error[same].tolist(), rel=1e-12)


def test_without_spread_there_is_no_standard_error() -> None:
    assert np.isnan(sw.effects.nonoverlap_of_all_pairs([4.0] * 5, [4.0] * 6).std_error)


def test_limits_solve_the_equation_of_newcombe() -> None:
    """At both limits mn (NAP - x)^2 (2 - x)(1 + x) = z^2 x(1 - x)(2 + h + (1 + 2h) x(1 - x)), to rounding."""
    nap, m, n = np.array([0.3, 0.5, 0.917, 0.99, 1.0]), np.full(5, 6.0), np.array([7.0, 3, 7, 20, 9])
    z, h = stats.norm.ppf(0.975), (m + n) / 2 - 1
    for x in score_limits(nap, m, n):
        left = m * n * (nap - x) ** 2 * (2 - x) * (1 + x)
        right = z**2 * x * (1 - x) * (2 + h + (1 + 2 * h) * x * (1 - x))
        assert left == pytest.approx(right, rel=1e-9, abs=1e-12)


def test_no_overlap_still_has_an_interval() -> None:
    """SingleCaseES gives [1, 1] with a standard error; the lower root is well below 1, and falls with fewer points."""
    long, short = (sw.effects.nonoverlap_of_all_pairs(range(k), range(100, 100 + k)) for k in (10, 3))
    assert long.estimate == short.estimate == long.conf_high == 1
    assert 0 < short.conf_low < long.conf_low < 0.95
    worst = sw.effects.nonoverlap_of_all_pairs(range(10), range(100, 110), better="lower")
    assert (worst.estimate, worst.conf_low) == (0, 0)
    assert worst.conf_high == pytest.approx(1 - long.conf_low, abs=1e-15)


PHASES = st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(a=PHASES, b=PHASES)
def test_whatever_the_data_limits_hold_the_estimate_inside_the_range(a: list[float], b: list[float]) -> None:
    nap, tau = sw.effects.nonoverlap_of_all_pairs(a, b), sw.effects.tau_nonoverlap(a, b)
    assert 0 <= nap.conf_low <= nap.estimate <= nap.conf_high <= 1
    assert nap.conf_low < nap.conf_high
    assert tau.estimate == pytest.approx(2 * nap.estimate - 1, abs=1e-12)
    turned = sw.effects.nonoverlap_of_all_pairs(a, b, better="lower")
    assert turned.estimate == pytest.approx(1 - nap.estimate, abs=1e-12)
    assert turned.conf_low == pytest.approx(1 - nap.conf_high, abs=1e-12)
    pand = sw.effects.percentage_of_all_nonoverlapping_data(a, b).estimate
    assert pand == pytest.approx(pand_by_trying(a, b), abs=1e-12)


def pand_by_trying(a: list[float], b: list[float]) -> float:
    """Return PAND by trying every line between the phases."""
    lines = [-np.inf, *a, *b]
    return max(sum(x <= line for x in a) + sum(y > line for y in b) for line in lines) / (len(a) + len(b))


def test_a_batch_is_its_cases() -> None:
    rng = np.random.default_rng(4)
    a = [rng.integers(0, 9, k).astype(float) for k in (3, 8, 1, 12)]
    b = [rng.integers(2, 12, k).astype(float) for k in (9, 2, 5, 4)]
    for function in (sw.effects.nonoverlap_of_all_pairs, sw.effects.tau_nonoverlap):
        batch = function(a, b, better="lower")
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            one = function(x, y, better="lower")
            for field in ("estimate", "std_error", "conf_low", "conf_high"):
                assert getattr(batch, field)[k] == pytest.approx(float(getattr(one, field)), rel=1e-12, nan_ok=True)
    for function in (sw.effects.percentage_of_nonoverlapping_data, sw.effects.improvement_rate_difference):
        assert function(a, b).tolist() == pytest.approx([float(function(x, y)) for x, y in zip(a, b, strict=True)])


def test_missing_sessions_are_left_out() -> None:
    nan = float("nan")
    gaps = sw.effects.nonoverlap_of_all_pairs([1, nan, 2, 3], [nan, 4, 2])
    assert float(gaps.estimate) == float(sw.effects.nonoverlap_of_all_pairs([1, 2, 3], [4, 2]).estimate)
    assert (gaps.n_baseline, gaps.n_treated) == (3, 2)


def test_one_measurement_in_a_phase_has_an_interval_but_no_standard_error() -> None:
    found = sw.effects.nonoverlap_of_all_pairs([4], [5, 6, 3])
    assert found.estimate == pytest.approx(2 / 3)
    assert np.isnan(found.std_error)
    assert 0 < found.conf_low < 0.2
    null = sw.effects.nonoverlap_of_all_pairs([4], [5, 6, 3], std_error="null")
    assert null.std_error == pytest.approx(np.sqrt(5 / 36))


def test_all_ties_are_chance() -> None:
    same = [4.0] * 6
    assert sw.effects.nonoverlap_of_all_pairs(same, same).estimate == 0.5
    assert sw.effects.tau_nonoverlap(same, same).estimate == 0
    assert sw.effects.percentage_of_nonoverlapping_data(same, same) == 0
    assert sw.effects.percentage_exceeding_median(same, same).estimate == 0.5
    assert sw.effects.percentage_of_all_nonoverlapping_data(same, same).estimate == 0.5
    assert sw.effects.improvement_rate_difference(same, same) == 0
    assert np.isnan(sw.effects.rank_sum_test(same, same).p_value)


def test_autocorrelation_widens_and_never_moves() -> None:
    a, b = [3, 4, 3, 5, 4], [5, 6, 5, 7, 6, 8]
    plain, wide = (sw.effects.nonoverlap_of_all_pairs(a, b, phi=phi) for phi in (0.0, 0.4))
    assert plain.estimate == wide.estimate
    assert wide.conf_low < plain.conf_low < plain.conf_high < wide.conf_high <= 1
    assert wide.std_error == pytest.approx(plain.std_error * np.sqrt(1.4 / 0.6), rel=1e-12)
    with pytest.raises(DesignError, match="phi"):
        sw.effects.nonoverlap_of_all_pairs(a, b, phi=1.0)


def test_rank_sum_test_equals_scipy() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.integers(0, 6, 9), rng.integers(2, 9, 12)
    found = sw.effects.rank_sum_test(a, b)
    want = stats.mannwhitneyu(a, b, alternative="less", method="asymptotic")
    assert (float(found.w), float(found.p_value)) == pytest.approx((want.statistic, want.pvalue), rel=1e-12)


def test_tests_of_shares_equal_scipy() -> None:
    a, b = [3, 4, 5, 4, 6], [5, 6, 4, 7, 8, 4, 9]
    found = sw.effects.percentage_exceeding_median(a, b, ties="none")
    assert (float(found.count), float(found.total)) == (5, 7)
    assert float(found.p_binomial) == pytest.approx(stats.binomtest(5, 7, alternative="greater").pvalue, rel=1e-12)
    want = stats.chisquare([5, 2])
    assert (float(found.chi_square), float(found.p_chi_square)) == pytest.approx(
        (want.statistic, want.pvalue), rel=1e-12
    )
    table = sw.effects.percentage_of_all_nonoverlapping_data(a, b, method="sort")
    chi = stats.chi2_contingency([[3, 2], [2, 5]], correction=False)
    assert float(table.chi_square) == pytest.approx(chi.statistic, rel=1e-12)
    assert float(table.phi) == pytest.approx(np.sqrt(chi.statistic / 12), rel=1e-12)
    assert float(table.p_value) == pytest.approx(chi.pvalue, rel=1e-10)


def test_trend_drawn_on_equals_least_squares() -> None:
    a, b, t = [3, 5, 4, 6], [6, 9, 8, 7], ([1, 2, 4, 5], [7, 8, 9, 12])
    line = stats.linregress(t[0], a)
    fit = line.intercept + line.slope * np.array(t[1])
    found = sw.effects.percentage_exceeding_trend(a, b, time=t)
    assert float(found.estimate) == np.mean(np.array(b) > fit)
    one = sw.effects.percentage_exceeding_trend([4], b)
    assert np.isnan(one.estimate)
    assert np.isnan(one.p_binomial)
    two = sw.effects.percentage_exceeding_trend([4, 5], b)
    assert np.isfinite(two.estimate)
    assert np.isnan(two.beyond_limit)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ([], [1, 2], "baseline"),
        ([1, 2], [float("nan")], "treated phase"),
        ([[1, 2], [1]], [[3]], "2 cases"),
        (["low"], [2], "no numbers"),
        ([1, float("inf")], [2], "infinite"),
        ([[[1]]], [[[2]]], "dimensions"),
    ],
)
def test_refusals(a: Any, b: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        sw.effects.nonoverlap_of_all_pairs(a, b)


def test_unknown_options_are_refused() -> None:
    a, b = [1, 2], [3, 4]
    with pytest.raises(DesignError, match="unknown"):
        sw.effects.nonoverlap_of_all_pairs(a, b, std_error="jackknife")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="higher"):
        sw.effects.nonoverlap_of_all_pairs(a, b, better="up")
    with pytest.raises(DesignError, match="conf_level"):
        sw.effects.nonoverlap_of_all_pairs(a, b, conf_level=95)
    with pytest.raises(DesignError, match="unknown"):
        sw.effects.percentage_of_all_nonoverlapping_data(a, b, method="guess")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="half"):
        sw.effects.percentage_exceeding_median(a, b, ties="all")  # type: ignore[arg-type]


def test_one_long_series_among_many_short_ones_changes_nothing() -> None:
    """Blocks: 2,000 short cases and one of 3,000 sessions, which all together would need 36 GB of comparisons."""
    rng = np.random.default_rng(5)
    a = [rng.integers(0, 9, 6).astype(float) for _ in range(2000)]
    b = [rng.integers(2, 9, 8).astype(float) for _ in range(2000)]
    long = rng.normal(size=1000), rng.normal(1, 1, size=2000)
    both = [*a[:7], long[0], *a[7:]], [*b[:7], long[1], *b[7:]]
    nap, short = sw.effects.nonoverlap_of_all_pairs(*both), sw.effects.nonoverlap_of_all_pairs(a, b)
    assert np.delete(nap.estimate, 7).tolist() == short.estimate.tolist()
    assert np.delete(nap.std_error, 7).tolist() == pytest.approx(short.std_error.tolist(), rel=1e-12)
    assert nap.estimate[7] == pytest.approx(stats.mannwhitneyu(long[1], long[0]).statistic / 2e6, rel=1e-12)
    pand = sw.effects.percentage_of_all_nonoverlapping_data(*both).estimate
    assert np.delete(pand, 7).tolist() == sw.effects.percentage_of_all_nonoverlapping_data(a, b).estimate.tolist()
