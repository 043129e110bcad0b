"""J, the noncentral-t limits and the one road to a standardised effect."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from sweval.effects.kernel import noncentral_t_interval, small_sample_factor, standardize
from sweval.errors import DesignError

REFERENCE = Path(__file__).parents[1] / "reference" / "effects" / "noncentral_t.json"


def test_limits_equal_25_digit_arithmetic() -> None:
    """All of df 1.2 .. 1e6, t -40 .. 40. 1e-9 is what double precision allows for limits up to 100."""
    rows = json.loads(REFERENCE.read_text(encoding="utf-8"))
    assert len(rows) >= 96
    for row in rows:
        low, high = noncentral_t_interval(row["t"], row["df"], conf_level=row["conf_level"])
        assert (float(low), float(high)) == pytest.approx((row["low"], row["high"]), rel=1e-11, abs=1e-10), row


def test_limits_where_library_routines_fail_still_solve_their_equation() -> None:
    """Beyond 1024 nodes the other rule takes over; the tail is checked by adaptive quadrature over the normal part."""
    for t, df in [(1000.0, 5.0), (1e4, 20.0), (-1e5, 1.2), (300.0, 2.0), (40.0, 0.5)]:
        low, high = (float(limit) for limit in noncentral_t_interval(t, df))
        for limit, tail in ((low, 0.975), (high, 0.025)):

            def integrand(z: float, limit: float = limit, t: float = t, df: float = df) -> float:
                ratio = (limit + z) / t
                beyond = stats.chi2.sf(df * ratio**2, df) if ratio > 0 else 1.0
                return float(stats.norm.pdf(z)) * (beyond if t > 0 else 1 - beyond)

            edge = min(max(-limit, -9.0), 9.0)
            below = sum(
                integrate.quad(integrand, a, b, epsabs=1e-13, limit=200)[0]
                for a, b in ((-9.0, edge), (edge, 9.0))
                if b > a
            )
            assert below == pytest.approx(tail, abs=1e-9), (t, df)


def test_huge_df_gives_the_normal_limits() -> None:
    for df, tolerance in ((1e13, 1e-9), (np.inf, 1e-14)):
        low, high = noncentral_t_interval(2.0, df)
        assert float(low) == pytest.approx(2 - stats.norm.ppf(0.975), abs=tolerance)
        assert float(high) == pytest.approx(2 + stats.norm.ppf(0.975), abs=tolerance)


def test_ten_thousand_intervals_take_well_under_a_second() -> None:
    rng = np.random.default_rng(1)
    t, df = rng.normal(scale=3, size=10_000), rng.uniform(3, 400, size=10_000)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        noncentral_t_interval(t, df)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.9


@settings(deadline=None)
@given(t=st.floats(-200, 200), df=st.floats(0.5, 1e7), level=st.floats(0.5, 0.999), other=st.floats(0.01, 5))
def test_limits_are_ordered_mirrored_and_monotone(t: float, df: float, level: float, other: float) -> None:
    low, high = noncentral_t_interval(t, df, conf_level=level)
    mirrored = noncentral_t_interval(-t, df, conf_level=level)
    further = noncentral_t_interval(t + other, df, conf_level=level)
    assert low < t < high
    assert (-float(mirrored[1]), -float(mirrored[0])) == pytest.approx((float(low), float(high)), abs=1e-9, rel=1e-9)
    assert further[0] > low
    assert further[1] > high


@settings(deadline=None)
@given(t=st.floats(-40, 40), df=st.floats(1.2, 1e6), kappa=st.floats(0.01, 2), nu=st.floats(2.5, 1e5))
def test_interval_and_p_value_agree_at_zero(t: float, df: float, kappa: float, nu: float) -> None:
    effect = standardize(t * kappa, 1.0, nu=nu, kappa=kappa, df=df)
    excluded = effect.conf_low > 0 or effect.conf_high < 0
    if abs(float(effect.p_value) - 0.05) > 1e-9:
        assert excluded == (effect.p_value < 0.05)
    assert float(effect.p_value) == pytest.approx(float(2 * stats.t.sf(abs(t), df)), rel=1e-9, abs=1e-300)


def test_small_sample_factor_at_known_points() -> None:
    """J(2) = 1/sqrt(pi), J(3) = sqrt(2/3) * Gamma(3/2) / Gamma(1), and continuity where the series takes over."""
    assert float(small_sample_factor(2)) == pytest.approx(1 / np.sqrt(np.pi), rel=1e-15)
    assert float(small_sample_factor(3)) == pytest.approx(np.sqrt(np.pi) / 2 * np.sqrt(2 / 3), rel=1e-15)
    assert float(small_sample_factor(np.inf)) == 1.0
    below, above = small_sample_factor([200 - 1e-9, 200])
    assert float(below) == pytest.approx(float(above), rel=1e-12)
    grid = np.array([5.0, 20.0, 300.0, 1e5])
    assert small_sample_factor(grid) == pytest.approx(1 - 3 / (4 * grid - 1), rel=2e-3)


def test_variance_is_that_of_the_scaled_noncentral_t() -> None:
    """With the true effect put in for g, V is the exact variance of J d: scipy's moments of the noncentral t."""
    kappa, nu, delta = 0.37, 11.0, 0.8
    g_for_delta = delta / float(small_sample_factor(nu))  # the d whose g equals delta
    effect = standardize(g_for_delta, 1.0, nu=nu, kappa=kappa, df=nu)
    exact = (float(small_sample_factor(nu)) * kappa) ** 2 * stats.nct.var(nu, delta / kappa)
    assert float(effect.variance) == pytest.approx(exact, rel=1e-9)


def test_known_standard_deviation_needs_no_correction() -> None:
    effect = standardize(3.0, 6.0, nu=np.inf, kappa=0.2, df=15.0)
    assert float(effect.g) == 0.5
    assert float(effect.variance) == pytest.approx(0.04)


def test_design_factor_scales_the_effect_but_not_its_test() -> None:
    plain = standardize(3.0, 6.0, nu=30, kappa=0.2, df=8)
    scaled = standardize(3.0, 6.0, nu=30, kappa=0.9 * 0.2, df=8, c=0.9)
    assert float(scaled.g) == pytest.approx(0.9 * float(plain.g))
    assert float(scaled.conf_high) == pytest.approx(0.9 * float(plain.conf_high))
    assert float(scaled.p_value) == pytest.approx(float(plain.p_value))


def test_two_or_fewer_degrees_of_freedom_give_a_huge_variance_not_a_negative_one() -> None:
    effect = standardize(1.0, 1.0, nu=1.5, kappa=0.5, df=3)
    assert effect.variance > 100
    assert effect.weight_variance == 0.25


@pytest.mark.parametrize(
    ("b", "s", "nu", "kappa", "df"),
    [(1, 0, 10, 0.2, 10), (np.nan, 1, 10, 0.2, 10), (1, 1, 10, 0, 10), (1, 1, 1, 0.2, 10), (1, 1, 10, 0.2, 0)],
)
def test_what_cannot_be_standardised_is_refused(b: float, s: float, nu: float, kappa: float, df: float) -> None:
    with pytest.raises(DesignError):
        standardize(b, s, nu=nu, kappa=kappa, df=df)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_outside_zero_and_one_is_refused(level: float) -> None:
    with pytest.raises(DesignError, match="between 0 and 1"):
        noncentral_t_interval(1.0, 10, conf_level=level)
