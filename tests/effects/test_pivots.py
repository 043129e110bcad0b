"""The generalised interval: exact where an exact one is known, its definition by brute force, and its coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sweval.effects.kernel import noncentral_t_interval, standardize
from sweval.effects.pivots import generalized_interval


@pytest.mark.parametrize(("df", "level"), [(2.1, 0.95), (4, 0.9), (60, 0.95), (np.inf, 0.99)])
def test_a_known_standard_deviation_gives_the_interval_of_the_coefficient(df: float, level: float) -> None:
    reach = stats.t.ppf((1 + level) / 2, df) * 2
    found = generalized_interval(10, 2, 10, nu=np.inf, df=df, conf_level=level)
    # the t quantile of the library is good to about 1e-12
    assert found == pytest.approx(((10 - reach) / 10, (10 + reach) / 10), rel=1e-9)


@pytest.mark.parametrize(
    ("b", "error", "sd", "nu", "df"),
    [(2.4, 0.9, 5.5, 500, 20), (-3, 1.5, 4, 12, 3), (0.4, 2, 1, 4, 60), (9, 1, 6, 30, 5)],
)
def test_limits_are_the_quantiles_of_the_pivot(b: float, error: float, sd: float, nu: float, df: float) -> None:
    rng = np.random.default_rng(11)
    draws = 2_000_000
    pivot = np.sqrt(rng.chisquare(nu, draws) / nu) * (b - rng.standard_t(df, draws) * error) / sd
    for limit, level in zip(generalized_interval(b, error, sd, nu=nu, df=df), (0.025, 0.975), strict=True):
        # the share of draws below a limit has a standard error of .00011; four of them
        assert (pivot < limit).mean() == pytest.approx(level, abs=4.5e-4)


def test_the_limits_exclude_0_exactly_when_the_t_test_rejects() -> None:
    rng = np.random.default_rng(12)
    b, error = rng.normal(0, 2, 3000), rng.uniform(0.3, 2, 3000)
    df, nu = rng.uniform(1.5, 40, 3000), rng.uniform(3, 500, 3000)
    low, high = generalized_interval(b, error, 3.0, nu=nu, df=df)
    rejects = 2 * stats.t.sf(np.abs(b / error), df) < 0.05
    assert ((low > 0) | (high < 0)).tolist() == rejects.tolist()


@pytest.mark.parametrize(("nu", "df", "kappa"), [(600, 22, 0.1), (60, 10, 0.25), (100, 4, 0.35), (8, 4, 0.5)])
@pytest.mark.parametrize("delta", [0.0, 0.5, 1.5])
def test_coverage_where_standard_error_and_deviation_are_apart(
    nu: float, df: float, kappa: float, delta: float
) -> None:
    rng, draws = np.random.default_rng(13), 2500
    b = delta + kappa * rng.standard_normal(draws)
    error = kappa * np.sqrt(rng.chisquare(df, draws) / df)
    sd = np.sqrt(rng.chisquare(nu, draws) / nu)
    low, high = generalized_interval(b, error, sd, nu=nu, df=df)
    cover = ((low <= delta) & (delta <= high)).mean()
    # Monte Carlo error .004, three of them; the pivot is not exact: with 8 and 4 df it covers .964 (60,000 draws)
    assert 0.937 < cover < 0.977


def test_noncentral_t_limits_times_an_estimated_kappa_would_cover_far_too_often() -> None:
    rng, draws = np.random.default_rng(14), 2000
    b, error = 1.5 + 0.1 * rng.standard_normal(draws), 0.1 * np.sqrt(rng.chisquare(22, draws) / 22)
    low, high = noncentral_t_interval(b / error, np.full(draws, 22.0))
    assert ((error * low <= 1.5) & (error * high >= 1.5)).mean() > 0.99


def test_standardize_takes_it_where_asked() -> None:
    effect = standardize(2.0, 4.0, nu=80, kappa=0.3, df=6, c=0.97, separate=True)
    low, high = generalized_interval(0.485, 0.3, 1, nu=80, df=6)
    assert (float(effect.conf_low), float(effect.conf_high)) == pytest.approx((float(low), float(high)), rel=1e-12)
    assert effect.interval == "generalized interval"
    assert effect.p_value == pytest.approx(2 * stats.t.sf(0.485 / 0.3, 6), rel=1e-10)
