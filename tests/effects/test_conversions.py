"""Conversions: there and back again, against simulation where they estimate, and what reports cannot print."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import sweval as sw
from sweval.errors import DesignError, SwevalError


@given(d=st.floats(-2.5, 2.5), n1=st.integers(2, 300), n2=st.integers(2, 300))
def test_there_and_back(d: float, n1: int, n2: int) -> None:
    e = sw.effects
    for scale in ("cox", "logistic"):
        assert float(e.odds_ratio_to_d(e.d_to_odds_ratio(d, scale=scale), scale=scale)) == pytest.approx(d, abs=1e-12)
    r = e.d_to_r(d, n_treated=n1, n_control=n2)
    assert float(e.r_to_d(r, n_treated=n1, n_control=n2)) == pytest.approx(d, abs=1e-9)
    ratio = e.odds_ratio_to_risk_ratio(e.d_to_odds_ratio(d), 0.3)
    assert float(e.risk_ratio_to_odds_ratio(ratio, 0.3)) == pytest.approx(float(e.d_to_odds_ratio(d)), rel=1e-9)


def test_risks_behind_an_odds_ratio() -> None:
    """12 of 20 against 6 of 20: odds ratio 3.5, risk ratio 2, difference .3."""
    assert float(sw.effects.odds_ratio_to_risk_ratio(3.5, 0.3)) == pytest.approx(2)
    assert float(sw.effects.odds_ratio_to_risk_difference(3.5, 0.3)) == pytest.approx(0.3)


def test_r_of_a_sample_is_its_point_biserial_correlation() -> None:
    groups = sw.effects.two_means(14.7, 10.1, 52, 19.5, 11.1, 45)
    r = sw.effects.d_to_r(groups.d, n_treated=52, n_control=45)
    assert float(r) == pytest.approx(float(sw.effects.point_biserial_correlation(groups).estimate))


def test_tests_give_back_the_t_of_raw_scores() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(1, 1, 30), rng.normal(0, 1, 30)
    test = stats.ttest_ind(a, b)
    t = sw.effects.p_to_t(test.pvalue, 58, direction=np.sign(test.statistic))
    assert float(t) == pytest.approx(float(test.statistic), rel=1e-9)
    arm = np.repeat([1.0, 0.0], 30)
    both = np.concatenate([a, b])
    found = sw.effects.t_to_r(t, 58)
    assert float(found.estimate) == pytest.approx(float(np.corrcoef(arm, both)[0, 1]), rel=1e-9)
    assert float(found.p_value) == pytest.approx(float(test.pvalue), rel=1e-9)
    assert float(sw.effects.p_to_t(0.05, np.inf)) == pytest.approx(stats.norm.isf(0.025))


def test_paired_t_stays_apart() -> None:
    assert sw.effects.t_to_d(2.2, 58).metric == "person_total"
    assert sw.effects.t_to_d(2.2, 58, paired=True).metric == "change_score"
    assert float(sw.effects.t_to_d(2.2, 58, paired=True).estimate) == pytest.approx(2.2 / np.sqrt(58))


def test_chi_square_knows_no_direction() -> None:
    plain, turned = sw.effects.chi_square_to_d(9.9, 100), sw.effects.chi_square_to_d(9.9, 100, direction=-1)
    assert float(plain.estimate) == -float(turned.estimate) > 0
    assert float(plain.statistic) == pytest.approx(np.sqrt(9.9))


def test_limits_of_phi_are_at_their_levels() -> None:
    x, n = 9.9, 100
    found = sw.effects.chi_square_to_phi(x, n)
    assert stats.ncx2.cdf(x, 1, n * float(found.conf_low) ** 2) == pytest.approx(0.975, abs=1e-8)
    assert stats.ncx2.cdf(x, 1, n * float(found.conf_high) ** 2) == pytest.approx(0.025, abs=1e-8)
    nothing = sw.effects.chi_square_to_phi(0.5, n)
    assert float(nothing.conf_low) == 0.0


def test_z_and_t_agree_in_large_samples() -> None:
    """To 4 digits with 100,000 clients."""
    assert float(sw.effects.z_to_d(3.0, 100_000).estimate) == pytest.approx(
        float(sw.effects.t_to_d(3.0, 99_998).estimate), rel=1e-4
    )
    assert float(sw.effects.z_to_r(3.0, 100_000).estimate) == pytest.approx(
        float(sw.effects.t_to_r(3.0, 99_998).estimate), rel=1e-4
    )
    z = sw.effects.z_to_r(-3.0, 50)
    assert z.conf_low < z.estimate < z.conf_high < 0


def test_printed_limits_give_back_the_variance() -> None:
    table = sw.effects.two_by_two([30, 12], [100, 50], [22, 20], [107, 60])
    odds = sw.effects.log_odds_ratio(table)
    half = stats.norm.isf(0.05) * odds.std_error
    printed = (np.exp(odds.estimate), np.exp(odds.estimate - half), np.exp(odds.estimate + half))
    back = sw.effects.effects_from_interval(
        *printed, measure="log_odds_ratio", metric="log_odds_ratio", logarithm=True, conf_level=0.90
    )
    assert back.estimate == pytest.approx(odds.estimate)
    assert back.variance == pytest.approx(odds.variance)
    assert "off the middle" not in back.method
    crooked = sw.effects.effects_from_interval(
        [1.8, 2.0], [1.1, 1.9], [2.9, 6.0], measure="log_odds_ratio", metric="log_odds_ratio", logarithm=True
    )
    assert "1 of 2 lie off the middle" in crooked.method


def test_quartiles_of_normal_samples_give_mean_and_sd() -> None:
    """Medians, quartiles and range of 3,000 samples of 40 with mean 20 and sd 6: both right on average to 1 %."""
    rng = np.random.default_rng(8)
    x = rng.normal(20, 6, (3000, 40))
    low, q1, median, q3, high = np.quantile(x, [0, 0.25, 0.5, 0.75, 1], axis=1)
    for given_ in (
        {"q1": q1, "q3": q3},
        {"minimum": low, "maximum": high},
        {"q1": q1, "q3": q3, "minimum": low, "maximum": high},
    ):
        found = sw.effects.moments_from_quartiles(median=median, n=40, skewed="keep", **given_)
        assert found.mean.mean() == pytest.approx(20, rel=0.01)
        assert found.sd.mean() == pytest.approx(6, rel=0.03)
        assert 0.02 < found.skewed.mean() < 0.08  # the test is at the five per cent level


def test_skewed_quartiles_are_refused_unless_told_otherwise() -> None:
    skewed = {"median": 3, "n": 60, "q1": 2, "q3": 20}
    with pytest.raises(DesignError, match="too skewed"):
        sw.effects.moments_from_quartiles(**skewed)
    assert np.isnan(sw.effects.moments_from_quartiles(**skewed, skewed="missing").mean)
    assert sw.effects.moments_from_quartiles(**skewed, skewed="keep").mean > 3
    mixed = sw.effects.moments_from_quartiles(
        median=[8, 14], n=[40, 65], q1=[5, 10], q3=[11, 19], minimum=[1, np.nan], maximum=[16, np.nan]
    )
    assert np.isfinite(mixed.sd).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sw.effects.odds_ratio_to_d(0), "above 0"),
        (lambda: sw.effects.odds_ratio_to_d(2, scale="x"), "scale"),
        (lambda: sw.effects.d_to_r(0.4, n_treated=20), "both arms"),
        (lambda: sw.effects.d_to_r(0.4, share_treated=1), "share"),
        (lambda: sw.effects.d_to_r(0.4, n_treated=1, n_control=9), "two clients"),
        (lambda: sw.effects.r_to_d(1), "between -1 and 1"),
        (lambda: sw.effects.odds_ratio_to_risk_ratio(2, 1), "between 0 and 1"),
        (lambda: sw.effects.risk_ratio_to_odds_ratio(4, 0.3), "risk of 1 or more"),
        (lambda: sw.effects.p_to_t(0, 20), "above 0"),
        (lambda: sw.effects.p_to_t(0.05, 20, direction=0), "direction"),
        (lambda: sw.effects.p_to_t(0.05, 0), "degrees of freedom"),
        (lambda: sw.effects.chi_square_to_d(100, 100), "between 0 and the number"),
        (lambda: sw.effects.chi_square_to_d(9, 100, direction=2), "direction"),
        (lambda: sw.effects.chi_square_to_phi(-1, 100), "0 or more"),
        (lambda: sw.effects.t_to_d(2, 0), "degrees of freedom"),
        (lambda: sw.effects.t_to_r(2, 0), "degrees of freedom"),
        (lambda: sw.effects.z_to_d(2, 0), "clients"),
        (lambda: sw.effects.z_to_r(2, 1), "two clients"),
        (lambda: sw.effects.effects_from_interval(3, 1, 2, measure="x", metric="raw"), "outside"),
        (lambda: sw.effects.effects_from_interval(0, -1, 1, measure="x", metric="raw", logarithm=True), "above 0"),
        (lambda: sw.effects.moments_from_quartiles(median=8, n=4, q1=5, q3=9), "5 clients"),
        (lambda: sw.effects.moments_from_quartiles(median=8, n=40, q1=5), "neither"),
        (lambda: sw.effects.moments_from_quartiles(median=8, n=40, q1=9, q3=10), "out of order"),
        (lambda: sw.effects.moments_from_quartiles(median=8, n=40, q1=8, q3=8), "do not vary"),
        (lambda: sw.effects.moments_from_quartiles(median=8, n=40, q1=5, q3=9, skewed="x"), "skewed"),
        (lambda: sw.effects.moments_from_quartiles(median=[8, 9], n=40, q1=[1, 2, 3], q3=9), "lengths"),
    ],
)
def test_impossible_numbers_are_refused(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        call()


@given(n1=st.integers(2, 80), n2=st.integers(2, 80), share1=st.floats(0.02, 0.98), share2=st.floats(0.02, 0.98))
def test_counts_come_back_from_their_margins(n1: int, n2: int, share1: float, share2: float) -> None:
    x1, x2 = min(max(round(share1 * n1), 1), n1 - 1), min(max(round(share2 * n2), 1), n2 - 1)
    ratio = x1 * (n2 - x2) / ((n1 - x1) * x2)
    phi = float(sw.effects.phi_coefficient(sw.effects.two_by_two(x1, n1, x2, n2)).estimate)
    for how in ({"odds_ratio": ratio}, {"phi": phi}):
        table = sw.effects.two_by_two_from_margins(n1, n2, x1 + x2, **how)
        assert (float(table.events_treated), float(table.events_control)) == (x1, x2)


def test_impossible_margins_are_refused() -> None:
    for how, words in (
        ({}, "not both"),
        ({"odds_ratio": 2, "phi": 0.2}, "not both"),
        ({"phi": 0.9}, "impossible"),
        ({"odds_ratio": -1}, "above 0"),
    ):
        with pytest.raises(DesignError, match=words):
            sw.effects.two_by_two_from_margins(40, 20, 10, **how)
    with pytest.raises(DesignError, match="between 0"):
        sw.effects.two_by_two_from_margins(40, 20, 60, odds_ratio=2)


@pytest.mark.parametrize(
    "call",
    [
        lambda e, x: e.cohens_u3(x),
        lambda e, x: e.cohens_u3(0.3, conf_low=x, conf_high=0.5),
        lambda e, x: e.number_needed_to_treat(x),
        lambda e, x: e.number_needed_to_treat_from_effect(0.5, comparison_event_rate=x),
        lambda e, x: e.risk_difference_from_effect(x, comparison_event_rate=0.3),
        lambda e, x: e.superiority_variance(x, n_treated=20, n_control=20),
        lambda e, x: e.wwc_small_sample_factor(x),
        lambda e, x: e.baseline_equivalence(x),
        lambda e, x: e.wwc_cluster_correction(x, n_treated=200, n_control=200, clusters=20),
        lambda e, x: e.wwc_findings([0.3], x),
        lambda e, x: e.adjusted_p_values(x),
        lambda e, x: e.moments_from_quartiles(median=8, n=40, q1=x, q3=11),
        lambda e, x: e.p_to_t(0.03, x),
        lambda e, x: e.pearson_correlation(x, 40),
    ],
)
def test_text_is_refused_and_not_shown(call: Callable[..., Any]) -> None:
    for text in ("Siti, 14", ["Siti, 14"]):
        with pytest.raises(SwevalError, match="no numbers") as caught:
            call(sw.effects, text)
        assert "Siti" not in str(caught.value)
        assert caught.value.__suppress_context__  # nor in the traceback


def test_a_missing_effect_gives_no_missing_p() -> None:
    for effects in (np.nan, [0.3, np.nan]):
        with pytest.raises(SwevalError, match="missing"):
            sw.effects.wwc_cluster_correction(effects, n_treated=200, n_control=200, clusters=20)
        with pytest.raises(SwevalError, match="missing"):
            sw.effects.risk_difference_from_effect(effects, comparison_event_rate=0.3)
    with pytest.raises(SwevalError, match="infinite"):
        sw.effects.moments_from_quartiles(median=8, n=40, q1=5, q3=np.inf)


@pytest.mark.parametrize(("df", "largest"), [(1, 1.0), (3, 1.0), (4, 2.0), (6, 2.0), (9, 3.0)])
def test_phi_has_an_end(df: int, largest: float) -> None:
    """Chi-square of a table is at most n times its shorter side less one (Cramer)."""
    n = 40
    end = sw.effects.chi_square_to_phi(n * largest, n, df=df)
    assert float(end.estimate) == pytest.approx(largest**0.5)
    assert end.conf_low < end.estimate <= end.conf_high
    with pytest.raises(DesignError, match="larger than so many clients can give"):
        sw.effects.chi_square_to_phi(n * largest + 0.1, n, df=df)
    for none in (0, -1, 2.5):
        with pytest.raises(DesignError, match="degrees of freedom"):
            sw.effects.chi_square_to_phi(3.0, n, df=none)  # type: ignore[arg-type]


def test_limits_of_phi_hold_the_estimate_and_the_lower_one_alone_agrees_with_p() -> None:
    x = np.concatenate([[0.0, 0.0001, 0.005], np.linspace(0.1, 12, 200)])
    both, one = (sw.effects.chi_square_to_phi(x, 50, two_sided=side) for side in (True, False))
    for effect in (both, one):
        assert (effect.conf_low <= effect.estimate).all()
        assert (effect.estimate <= effect.conf_high).all()
    assert ((one.conf_low > 1e-9) == (one.p_value < 0.05)).all()
