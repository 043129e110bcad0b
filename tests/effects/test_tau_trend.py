"""Tau with trend: Tarlow's example, scan's table by hand, Kendall's tests against scipy, ties and short phases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import sweval as sw
from sweval.effects.kendall import kendall, theil_sen, trend_p_value
from sweval.effects.tau_trend import COMPARISONS
from sweval.errors import DataError, DesignError


@pytest.mark.parametrize("seed", range(6))
def test_kendall_equals_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (
        rng.integers(0, 6, 14).astype(float),
        rng.normal(size=14) if seed % 2 else rng.integers(0, 4, 14).astype(float),
    )
    found, want = kendall(x[None], y[None]), stats.kendalltau(x, y, method="asymptotic")
    assert found.tau_b[0] == pytest.approx(want.statistic, rel=1e-12)
    assert found.p_value[0] == pytest.approx(want.pvalue, rel=1e-10)


@pytest.mark.parametrize("n", [2, 3, 5, 8, 12])
def test_exact_p_of_a_trend_equals_scipy(n: int) -> None:
    y = np.random.default_rng(n).permutation(n).astype(float)
    found = trend_p_value(y[None], np.arange(n, dtype=float)[None])
    assert found[0] == pytest.approx(stats.kendalltau(np.arange(n), y, method="exact").pvalue, rel=1e-12)


def test_line_equals_scipy() -> None:
    rng = np.random.default_rng(2)
    y, t = rng.normal(size=9), np.sort(rng.choice(30, 9, replace=False)).astype(float)
    intercept, slope = theil_sen(y[None], t[None])
    want = stats.theilslopes(y, t)
    assert slope[0] == pytest.approx(want.slope, rel=1e-12)
    assert intercept[0] == pytest.approx(np.median(y - want.slope * t), rel=1e-12)


def test_one_case_three_values_of_tau_u() -> None:
    """Rising from the first day on: the variants differ only in what they divide the same S by."""
    a, b = [1, 2, 3, 4, 5], [6, 7, 8, 9, 10]
    found = {name: sw.effects.tau_u(a, b, variant=name) for name in ("parker", "tarlow", "complete")}
    assert len({float(one.s[3]) for one in found.values()}) == 1
    assert float(found["parker"].comparison("A vs. B - Trend A")) == pytest.approx((25 - 10) / 25)
    assert float(found["tarlow"].comparison("A vs. B - Trend A")) == pytest.approx((25 - 10) / 35)
    assert found["parker"].estimate.shape == (len(COMPARISONS),)
    over = sw.effects.tau_u([5, 4, 3], [6, 7, 8], variant="parker")
    assert over.comparison("A vs. B - Trend A") > 1
    assert np.isnan(over.conf_high[3])
    with pytest.raises(DesignError, match="no comparison"):
        over.comparison("A vs B")


def test_the_trend_is_taken_off_and_reported_in_the_units_of_the_outcome() -> None:
    a, b = [20, 18, 16, 14], [12, 10, 8, 6, 4]
    found = sw.effects.tau_baseline_corrected(a, b, better="lower")
    assert (float(found.effect.estimate), float(found.slope), float(found.intercept)) == (0, -2, 22)
    days = ([1, 3, 5, 7], [9, 11, 13, 15, 17])
    assert float(sw.effects.tau_baseline_corrected(a, b, better="lower", time=days).slope) == -1


def test_correcting_only_a_significant_trend() -> None:
    a, b = [4, 6, 5, 7, 5], [8, 9, 9, 10, 8]
    plain = sw.effects.tau_baseline_corrected(a, b, correct="if_significant")
    assert (float(plain.corrected), plain.trend_p_value > 0.05) == (0, True)
    assert float(plain.effect.estimate) == float(sw.effects.tau_nonoverlap(a, b).estimate)
    rising = [1, 2, 3, 4, 5, 6]
    assert float(sw.effects.tau_baseline_corrected(rising, b, correct="if_significant").corrected) == 1


def test_ties_survive_the_correction_at_any_scale() -> None:
    """Thirds and sevenths: values that are equal after the line is off must not be parted by rounding."""
    for scale in (1e-6, 1 / 3, 7, 1e6):
        a, b = scale * np.array([1.0, 2, 4, 5]), scale * np.array([7.0, 8, 9, 10])
        exact = sw.effects.tau_baseline_corrected([3, 6, 12, 15], [21, 24, 27, 30]).effect.estimate
        assert float(sw.effects.tau_baseline_corrected(a, b).effect.estimate) == float(exact)


def test_kendall_method_stays_within_its_range() -> None:
    found = sw.effects.tau_baseline_corrected([1, 2, 3], [9, 10, 11, 12], method="kendall")
    assert -1 <= found.effect.conf_low <= found.effect.estimate <= found.effect.conf_high <= 1
    same = sw.effects.tau_baseline_corrected([3, 3, 3], [3, 3], method="kendall")
    assert float(same.effect.estimate) == 0


def test_mean_by_fishers_z() -> None:
    mean, low, high, p = sw.effects.combine_tau([0.5, 0.5], [20, 20])
    assert mean == pytest.approx(0.5)
    reach = stats.norm.ppf(0.975) / np.sqrt(34)
    assert (low, high) == pytest.approx((np.tanh(np.arctanh(0.5) - reach), np.tanh(np.arctanh(0.5) + reach)))
    assert p == pytest.approx(2 * stats.norm.sf(np.arctanh(0.5) * np.sqrt(34)))
    with pytest.raises(DataError, match="1 of 2"):
        sw.effects.combine_tau([1.0, 0.5], [20, 20])
    with pytest.raises(DataError, match="three"):
        sw.effects.combine_tau([0.2], [3])


def test_refusals() -> None:
    with pytest.raises(DataError, match="fewer than 2"):
        sw.effects.tau_baseline_corrected([1], [2, 3])
    with pytest.raises(DataError, match="fewer than 2"):
        sw.effects.tau_u([1, 2], [3], variant="parker")
    with pytest.raises(DesignError, match="unknown"):
        sw.effects.tau_u([1, 2], [3, 4], variant="best")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="unknown"):
        sw.effects.tau_baseline_corrected([1, 2], [3], correct="never")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="time"):
        sw.effects.tau_baseline_corrected([1, 2], [3], time=([1], [2]))
    with pytest.raises(DataError, match="no time"):
        sw.effects.tau_baseline_corrected([1, 2], [3], time=([1, float("nan")], [2]))
