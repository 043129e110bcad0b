"""Trend, autocorrelation, the dual criterion, control charts and piecewise regression, held to their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import sweval as sw
from sweval.errors import DataError, DesignError


def test_trend_of_each_series_equals_scipy() -> None:
    rng = np.random.default_rng(1)
    y, t = rng.normal(size=9), np.sort(rng.choice(20, 9, replace=False)).astype(float)
    found, want = sw.effects.phase_trend(y, time=t), stats.linregress(t - t.min(), y)
    assert (float(found.intercept), float(found.slope)) == pytest.approx((want.intercept, want.slope), rel=1e-12)
    assert float(found.beta) == pytest.approx(want.rvalue, rel=1e-12)
    squared = sw.effects.phase_trend(y, time=t, shape="squared")
    assert float(squared.slope) == pytest.approx(stats.linregress((t - t.min()) ** 2, y).slope, rel=1e-12)
    many = sw.effects.phase_trend([[1, 2, 3], [5, 5, 5, 5], [4]])
    assert many.slope.tolist()[:2] == [1, 0]
    assert np.isnan(many.beta[1])
    assert np.isnan(many.slope[2])


def test_autocorrelation_by_hand() -> None:
    y = np.array([4.0, 7, 5, 9, 6, 8])
    d = y - y.mean()
    found = sw.effects.autocorrelation(y, lags=2)
    assert found.tolist() == pytest.approx([(d[1:] * d[:-1]).sum() / (d @ d), (d[2:] * d[:-2]).sum() / (d @ d)])
    gaps = sw.effects.autocorrelation([[4, np.nan, 7, 5], [2, 2, 2, 2]], lags=3)
    assert gaps[0, 0] == pytest.approx(float(sw.effects.autocorrelation([4, 7, 5], lags=1)[0]))
    assert np.isnan(gaps[0, 2])
    assert np.isnan(gaps[1]).all()


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6])
def test_pooled_autocorrelation_is_nearly_unbiased(phi: float) -> None:
    """400 cases of 10 + 15 sessions; the plain estimate is too low by .1 and more, ours by less than .05."""
    rng = np.random.default_rng(int(10 * phi))
    e = rng.normal(size=(400, 25))
    y = e.copy()
    for t in range(1, 25):
        y[:, t] = phi * y[:, t - 1] + np.sqrt(1 - phi**2) * e[:, t]
    assert sw.effects.within_phase_autocorrelation(y[:, :10], y[:, 10:] + 3) == pytest.approx(phi, abs=0.05)
    assert np.isnan(sw.effects.within_phase_autocorrelation([2, 2, 2], [5, 5]))


def test_dual_criterion_counts_what_is_beyond_both_lines() -> None:
    a, b = np.array([5.0, 6, 4, 7, 6]), np.array([9.0, 8, 10, 7, 11, 12, 6, 11])
    line, up = stats.linregress(np.arange(1, 6), a), 0.25 * a.std(ddof=1)
    fit = line.intercept + line.slope * np.arange(6, 14)
    beyond = int(((b > fit + up) & (b > a.mean() + up)).sum())
    found = sw.effects.conservative_dual_criterion(a, b)
    assert int(found.count) == beyond
    assert float(found.p_value) == pytest.approx(stats.binomtest(beyond, 8, alternative="greater").pvalue, rel=1e-12)
    needed = next(k for k in range(9) if stats.binomtest(k, 8, alternative="greater").pvalue < 0.05)
    assert int(found.needed) == needed
    turned = sw.effects.conservative_dual_criterion(-a, -b, better="lower")
    assert float(turned.count) == float(found.count)
    assert int(sw.effects.conservative_dual_criterion(a, b[:4]).needed) == 5  # four points can never be enough


def test_split_lines_go_through_medians_of_parts() -> None:
    a, b = [1.0, 3, 2, 9, 5, 6, 8], [7.0, 8, 9, 10, 11]
    halves = sw.effects.conservative_dual_criterion(a, b, trend="bisplit", shift=0)
    slope = (6 - 2) / (6 - 2)  # medians of 1, 3, 2 at time 2 and of 5, 6, 8 at time 6
    fit = 2 + slope * (np.arange(8, 13) - 2)
    assert int(halves.count) == int(((np.array(b) > fit) & (np.array(b) > np.mean(a))).sum())
    with pytest.raises(DataError, match="five"):
        sw.effects.conservative_dual_criterion([1, 2, 3], b, trend="trisplit")
    with pytest.raises(DesignError, match="unknown"):
        sw.effects.conservative_dual_criterion(a, b, trend="lowess")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="shift"):
        sw.effects.conservative_dual_criterion(a, b, shift=-1)


def test_refusals_of_trend_and_autocorrelation() -> None:
    with pytest.raises(DesignError, match="shape"):
        sw.effects.phase_trend([1, 2], shape="cubic")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="time"):
        sw.effects.phase_trend([1, 2], time=[1])
    with pytest.raises(DataError, match="no measurement"):
        sw.effects.phase_trend([np.nan, np.nan])
    with pytest.raises(DesignError, match="lags"):
        sw.effects.autocorrelation([1, 2], lags=0)


def test_limits_of_every_chart() -> None:
    a, b = np.array([5.0, 7, 6, 8, 6]), np.array([9.0, 12, 13, 6])
    ranges = np.abs(np.diff(a))
    x = sw.effects.control_chart(a, b)
    assert x.high[0] == pytest.approx(a.mean() + 3 * ranges.mean() / 1.128, rel=2e-4)  # 1.128 as tables print it
    r = sw.effects.control_chart(a, b, kind="moving_range")
    assert r.high[0] == pytest.approx(3.267 * ranges.mean(), rel=2e-4)
    assert r.low[0] == 0
    assert len(r.charted) == 8
    band = sw.effects.control_chart(a, b, kind="band")
    assert band.high[0] == pytest.approx(a.mean() + 2 * a.std(ddof=1), rel=1e-12)
    assert (band.better_outside, band.two_in_a_row) == (3, True)
    assert sw.effects.control_chart(a, b, kind="band", better="lower").better_outside == 0
    c = sw.effects.control_chart(a, b, kind="count", width=1)
    assert (c.low[0], c.high[0]) == pytest.approx((6.4 - np.sqrt(6.4), 6.4 + np.sqrt(6.4)))
    p = sw.effects.control_chart([2, 3, 1], [8, 4], kind="proportion", trials=([10, 12, 8], [10, 5]))
    centre = 6 / 30
    assert p.centre == pytest.approx(centre)
    assert p.high.tolist() == pytest.approx(
        [centre + 3 * np.sqrt(centre * (1 - centre) / n) for n in (10, 12, 8, 10, 5)]
    )
    assert p.outside.tolist() == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"baseline": [1]}, "two measurements"),
        ({"baseline": [1, np.nan]}, "1 of 2"),
        ({"kind": "cusum"}, "unknown"),
        ({"width": 0}, "width"),
        ({"kind": "proportion"}, "opportunities"),
        ({"kind": "proportion", "trials": ([1, 1], [1])}, "no fewer than"),
        ({"kind": "count", "baseline": [-1, 2]}, "below 0"),
    ],
)
def test_charts_that_cannot_be_drawn(arguments: dict, words: str) -> None:
    given = {"baseline": [3, 4], "treated": [5]} | arguments
    with pytest.raises((DataError, DesignError), match=words):
        sw.effects.control_chart(given.pop("baseline"), given.pop("treated"), **given)


def test_frequency_test_equals_scipy() -> None:
    found = sw.effects.proportion_frequency_test(3, 12, 9, 15)
    assert found.p_value == pytest.approx(stats.binomtest(9, 15, 3 / 12).pvalue, rel=1e-12)
    with pytest.raises(DataError, match="no measurement meets"):
        sw.effects.proportion_frequency_test(0, 12, 9, 15)
    with pytest.raises(DataError, match="whole numbers"):
        sw.effects.proportion_frequency_test(3, 2, 9, 15)


def test_piecewise_models_are_one_regression_in_other_coordinates() -> None:
    """The three models fit the same lines: levels at the change differ by one step of slope, fitted values do not."""
    rng = np.random.default_rng(5)
    y, phase = np.r_[rng.normal(5, 1, 8), rng.normal(9, 1, 10)], ["A"] * 8 + ["B"] * 10
    ward, hm, before = (
        sw.effects.piecewise_regression(y, phase, model=name) for name in ("ward", "huitema_mckean", "before_change")
    )
    assert ward.sigma == pytest.approx(hm.sigma) == pytest.approx(before.sigma)
    assert hm.estimate[0] == pytest.approx(ward.estimate[0] - ward.estimate[1], rel=1e-9)
    assert before.estimate[2] == pytest.approx(hm.estimate[2] - hm.estimate[3], rel=1e-9)
    line_a, line_b = stats.linregress(np.arange(8), y[:8]), stats.linregress(np.arange(10), y[8:])
    assert ward.estimate.tolist() == pytest.approx(
        [
            line_a.intercept,
            line_a.slope,
            line_b.intercept - (line_a.intercept + 8 * line_a.slope),
            line_b.slope - line_a.slope,
        ],
        rel=1e-8,
    )
    flat = sw.effects.piecewise_regression(y, phase, slope=False)
    assert flat.terms == ("(Intercept)", "time", "phase[B]")


def test_what_a_term_explains_is_the_loss_without_it() -> None:
    rng = np.random.default_rng(9)
    y, phase = np.r_[rng.normal(5, 1, 8), rng.normal(7, 1, 10)], ["A"] * 8 + ["B"] * 10
    full, without = (sw.effects.piecewise_regression(y, phase, slope=slope) for slope in (True, False))
    total = ((y - y.mean()) ** 2).sum()
    sse = [one.sigma**2 * (18 - len(one.terms)) for one in (full, without)]
    assert full.delta_r_squared[3] == pytest.approx((sse[1] - sse[0]) / total, rel=1e-9)


def test_serial_errors_are_those_of_the_series_engine() -> None:
    from sweval.models.engine.series import series_fit

    rng = np.random.default_rng(3)
    y, phase, t = rng.normal(size=20).cumsum(), ["A"] * 9 + ["B"] * 11, np.arange(1, 21)
    found = sw.effects.piecewise_regression(y, phase, errors="ar1")
    inside = np.r_[np.zeros(9), np.ones(11)]
    X = np.column_stack([np.ones(20), t - 1, inside, inside * (t - 10)])
    fit = series_fit(y, X, time=t)
    assert found.estimate.tolist() == pytest.approx(fit.coefficients.tolist(), rel=1e-9)
    tests = fit.contrasts(np.eye(4))
    assert found.std_error.tolist() == pytest.approx([test.std_error for test in tests], rel=1e-9)
    assert found.rho == pytest.approx(fit.rho)


def test_regressions_that_cannot_be_had() -> None:
    with pytest.raises(DesignError, match="comes back"):
        sw.effects.piecewise_regression(range(8), list("AABBAABB"))
    with pytest.raises(DesignError, match="one phase"):
        sw.effects.piecewise_regression([1, 3, 2, 4], list("AAAA"))
    with pytest.raises(DesignError, match="slope=False"):
        sw.effects.piecewise_regression([1, 3, 2, 4, 3, 9], list("AAAAAB"))
    with pytest.raises(DataError, match="same length"):
        sw.effects.piecewise_regression([1, 3, 2], list("AB"))
    with pytest.raises(DesignError, match="unknown"):
        sw.effects.piecewise_regression([1, 3, 2], list("AAB"), errors="ma")  # type: ignore[arg-type]
