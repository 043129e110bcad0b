"""Correlations and numbers of one group: metafor, R, and unbiasedness by quadrature."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import sweval as sw
from sweval.effects.kernel import noncentral_t_interval
from sweval.errors import DesignError

MORE = json.loads(
    (Path(__file__).parents[1] / "reference" / "binary_effects" / "more.json").read_text(encoding="utf-8")
)
CALLS: dict[str, Callable[..., Any]] = {
    "COR": lambda ri, ni, vtype: sw.effects.pearson_correlation(ri, ni, vtype=vtype),
    "ZCOR": lambda ri, ni, vtype: sw.effects.pearson_correlation(ri, ni, scale="fisher_z"),
    "SPCOR": lambda ti, ni, mi, r2i, vtype: sw.effects.semipartial_correlation(ti, ni, mi, r2i),
    "PR": lambda xi, ni, vtype: sw.effects.single_share(xi, ni),
    "PLN": lambda xi, ni, vtype: sw.effects.single_share(xi, ni, scale="log"),
    "PLO": lambda xi, ni, vtype: sw.effects.single_share(xi, ni, scale="logit"),
    "PAS": lambda xi, ni, vtype: sw.effects.single_share(xi, ni, scale="arcsine"),
    "PFT": lambda xi, ni, vtype: sw.effects.single_share(xi, ni, scale="freeman_tukey"),
    "IR": lambda xi, ti, vtype: sw.effects.single_rate(xi, ti),
    "IRLN": lambda xi, ti, vtype: sw.effects.single_rate(xi, ti, scale="log"),
    "IRS": lambda xi, ti, vtype: sw.effects.single_rate(xi, ti, scale="root"),
    "IRFT": lambda xi, ti, vtype: sw.effects.single_rate(xi, ti, scale="freeman_tukey"),
    "MN": lambda mi, sdi, ni, vtype: sw.effects.single_mean(mi, sdi, ni),
    "MNLN": lambda mi, sdi, ni, vtype: sw.effects.single_mean(mi, sdi, ni, scale="log"),
    "SMN": lambda mi, sdi, ni, vtype: sw.effects.single_mean(mi, sdi, ni, scale="standardized"),
    "SDLN": lambda mi, sdi, ni, vtype: sw.effects.single_spread(sdi, ni),
    "CVLN": lambda mi, sdi, ni, vtype: sw.effects.single_spread(sdi, ni, mean=mi),
}


@pytest.mark.parametrize(
    "entry", [e for e in MORE["escalc"] if e["measure"] in CALLS], ids=lambda e: f"{e['measure']}-{e['vtype']}"
)
def test_numbers_equal_metafor(entry: dict[str, Any]) -> None:
    found = CALLS[entry["measure"]](**MORE["inputs"][entry["inputs"]], vtype=entry["vtype"])
    assert found.estimate == pytest.approx(np.array(entry["yi"]), rel=1e-12)
    assert found.variance == pytest.approx(np.array(entry["vi"]), rel=1e-12)


def test_limits_of_a_correlation_are_those_of_r() -> None:
    held = MORE["fisher_z"]
    found = sw.effects.pearson_correlation(held["r"], held["n"])
    assert [float(found.conf_low), float(found.conf_high)] == pytest.approx(held["limits"], rel=1e-10)
    assert float(sw.effects.pearson_correlation(held["r"], held["n"], better="lower").estimate) == -held["r"]


def test_unbiased_correlation_is_unbiased() -> None:
    """60,000 correlations of 8 clients: the raw mean is .03 too low, the corrected one right to 4 standard errors."""
    rng = np.random.default_rng(11)
    x = rng.normal(size=(60_000, 8))
    y = 0.6 * x + 0.8 * rng.normal(size=x.shape)
    dx, dy = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    r = (dx * dy).sum(1) / np.sqrt((dx**2).sum(1) * (dy**2).sum(1))
    found = sw.effects.pearson_correlation(r, 8, scale="unbiased", vtype="UB")
    error = found.estimate.std() / np.sqrt(r.size)
    assert abs(found.estimate.mean() - 0.6) < 4 * error
    assert r.mean() < 0.58
    assert found.variance.mean() == pytest.approx(found.estimate.var(), rel=0.03)  # UB: unbiased as well


def test_partial_correlation_by_residuals() -> None:
    """The definition: the correlation of what a covariate leaves over; its variance has one degree of freedom less."""
    rng = np.random.default_rng(5)
    z = rng.normal(size=40)
    x, y = z + rng.normal(size=40), z + rng.normal(size=40)
    design = np.column_stack([np.ones(40), x, z])
    coefficients, ssr, *_ = np.linalg.lstsq(design, y, rcond=None)
    error = np.sqrt(ssr[0] / 37 * np.linalg.inv(design.T @ design)[1, 1])
    found = sw.effects.partial_correlation(coefficients[1] / error, 40, 2)
    left = [v - np.polyval(np.polyfit(z, v, 1), z) for v in (x, y)]
    r = float(np.corrcoef(*left)[0, 1])
    assert float(found.estimate) == pytest.approx(r, rel=1e-10)
    assert float(found.variance) == pytest.approx((1 - r**2) ** 2 / 38)
    z_scale = sw.effects.partial_correlation(coefficients[1] / error, 40, 2, scale="fisher_z")
    assert float(z_scale.variance) == pytest.approx(1 / 36)
    total = 1 - ssr[0] / ((y - y.mean()) ** 2).sum()
    semi = sw.effects.semipartial_correlation(coefficients[1] / error, 40, 2, total)
    assert float(semi.estimate) == pytest.approx(float(np.corrcoef(left[0], y)[0, 1]), rel=1e-10)


def test_point_biserial_is_the_correlation_and_its_limits_those_of_t() -> None:
    treated, control = [12.0, 15, 11, 18, 14], [10.0, 9, 13, 8, 12, 11]
    found = sw.effects.point_biserial_correlation(sw.effects.two_means_of_scores(treated, control))
    both, arm = np.array(treated + control), np.array([1] * 5 + [0] * 6)
    assert float(found.estimate) == pytest.approx(float(np.corrcoef(arm, both)[0, 1]), rel=1e-12)
    test = stats.ttest_ind(treated, control)
    assert float(found.p_value) == pytest.approx(float(test.pvalue), rel=1e-10)
    low, _ = noncentral_t_interval(float(test.statistic), 9)
    assert float(found.conf_low) == pytest.approx(float(low / np.sqrt(low**2 + 9)), rel=1e-10)


def test_fisher_z_of_other_correlations() -> None:
    """The delta method, as metafor's ZPHI, ZPB and ZBIS."""
    groups = sw.effects.two_means([14.7, 20], [10.1, 4], [52, 9], [19.5, 18], [11.1, 5], [45, 11])
    for plain in (
        sw.effects.point_biserial_correlation(groups),
        sw.effects.biserial_correlation(groups),
        sw.effects.phi_coefficient(sw.effects.two_by_two([12, 5], 20, [6, 9], 20)),
    ):
        z = plain.fisher_z()
        assert np.tanh(z.estimate) == pytest.approx(plain.estimate)
        assert np.tanh(z.conf_low) == pytest.approx(plain.conf_low)
        assert z.variance == pytest.approx(plain.variance / (1 - plain.estimate**2) ** 2)
        assert (z.metric, z.measure) == (None, f"{plain.measure}_fisher_z")
    with pytest.raises(DesignError, match="no correlation"):
        sw.effects.risk_difference(sw.effects.two_by_two(12, 20, 6, 20)).fisher_z()
    with pytest.raises(DesignError, match="no Fisher z"):
        sw.effects.phi_coefficient(sw.effects.two_by_two(0, 9, 9, 9)).fisher_z()


def test_one_group_is_tested_against_nothing_and_keeps_its_limits() -> None:
    share = sw.effects.single_share([0, 10, 40], [40, 40, 40], scale="logit")
    assert np.isnan(share.p_value).all()
    assert (share.conf_low[0], share.conf_high[2]) == (-np.inf, np.inf)
    low, high = sw.effects.wilson_interval([0, 10, 40], [40, 40, 40])
    raw = sw.effects.single_share([0, 10, 40], [40, 40, 40])
    assert raw.conf_low == pytest.approx(low)
    assert raw.conf_high == pytest.approx(high)
    rows = raw.rows()
    assert (rows[0].p_value, rows[0].statistic, rows[0].metric) == (None, None, "share")
    assert "1/2 added" in rows[0].method
    probit = sw.effects.single_share(10, 40, scale="probit")
    assert float(probit.estimate) == pytest.approx(stats.norm.ppf(0.25))
    density = stats.norm.pdf(stats.norm.ppf(0.25))
    assert float(probit.variance) == pytest.approx(0.25 * 0.75 / 40 / density**2)  # the delta method
    sd = sw.effects.single_spread(5.0, 30)
    assert np.exp([float(sd.conf_low), float(sd.conf_high)]) == pytest.approx(
        np.sqrt(29 * 25 / stats.chi2.ppf([0.975, 0.025], 29))
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sw.effects.pearson_correlation(1.0, 20), "between -1 and 1"),
        (lambda: sw.effects.pearson_correlation(0.5, 3), "4 clients"),
        (lambda: sw.effects.pearson_correlation(0.5, 4, scale="unbiased"), "5 clients"),
        (lambda: sw.effects.pearson_correlation(0.5, 9, scale="z"), "scale"),
        (lambda: sw.effects.pearson_correlation(0.5, 9, vtype="UB"), "vtype"),
        (lambda: sw.effects.partial_correlation(2.0, 6, 4), "3 clients more"),
        (lambda: sw.effects.partial_correlation(2.0, 60, 4, scale="z"), "scale"),
        (lambda: sw.effects.semipartial_correlation(5.0, 60, 4, 0.1), "contradict"),
        (lambda: sw.effects.semipartial_correlation(2.0, 60, 4, 1.0), "between 0 and 1"),
        (lambda: sw.effects.semipartial_correlation(2.0, 5, 4, 0.5), "2 clients more"),
        (lambda: sw.effects.point_biserial_correlation(sw.effects.two_means(2, 1, 9, 3, 1, 9), vtype="XX"), "vtype"),
        (lambda: sw.effects.log_odds_ratio_from_means(sw.effects.two_means(2, 1, 9, 3, 1, 9), scale="x"), "scale"),
        (lambda: sw.effects.single_share(5, 4), "counts from 0 to n"),
        (lambda: sw.effects.single_share(1, 4, scale="x"), "scale"),
        (lambda: sw.effects.single_rate(-1, 4), "counts of 0 or more"),
        (lambda: sw.effects.single_rate(1, 4, scale="x"), "scale"),
        (lambda: sw.effects.single_mean(1, 0, 4), "above 0"),
        (lambda: sw.effects.single_mean(-1, 1, 4, scale="log"), "no logarithm"),
        (lambda: sw.effects.single_mean(1, 1, 2, scale="standardized"), "three clients"),
        (lambda: sw.effects.single_mean(1, 1, 4, scale="x"), "scale"),
        (lambda: sw.effects.single_spread(0, 4), "above 0"),
        (lambda: sw.effects.single_spread(1, 4, mean=0), "coefficient of variation"),
    ],
)
def test_what_is_impossible_is_refused(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        call()


TETRACHORIC = json.loads(
    (Path(__file__).parents[1] / "reference" / "binary_effects" / "tetrachoric.json").read_text(encoding="utf-8")
)


def test_tetrachoric_correlation_is_that_of_maximum_likelihood() -> None:
    """R's optim over cuts and correlation, with a numerical Hessian: 1e-6; psych stops at about 1e-4."""
    a, b, c, d = np.array([entry["cells"] for entry in TETRACHORIC], dtype=float).T
    found = sw.effects.tetrachoric_correlation(sw.effects.two_by_two(a, a + b, c, c + d))
    assert found.estimate == pytest.approx([entry["rho"] for entry in TETRACHORIC], abs=1e-6)
    assert found.variance == pytest.approx([entry["variance"] for entry in TETRACHORIC], rel=1e-5)
    assert found.estimate == pytest.approx([entry["psych"] for entry in TETRACHORIC], abs=2e-4)
    assert (found.conf_low < found.estimate).all()
    assert ((found.p_value < 0.05) == ((found.conf_low > 0) | (found.conf_high < 0))).all()
    with pytest.raises(DesignError, match="cell is empty"):
        sw.effects.tetrachoric_correlation(sw.effects.two_by_two(0, 20, 4, 20))


def test_limits_hold_a_biserial_correlation_beyond_one() -> None:
    effect = sw.effects.biserial_correlation(sw.effects.two_means([9.5, 1.1], [1.0, 0.7], 6, [1.1, 9.5], [0.7, 1.0], 5))
    assert (np.abs(effect.estimate) > 1).all()
    assert (effect.conf_low <= effect.estimate).all()
    assert (effect.estimate <= effect.conf_high).all()


@pytest.mark.parametrize(
    ("call", "term"),
    [
        (lambda e: e.single_share(10, 40), "group"),
        (lambda e: e.single_spread(5.0, 30), "group"),
        (lambda e: e.pearson_correlation(0.2, 50), "association"),
        (lambda e: e.partial_correlation(2.5, 60, 4), "association"),
        (lambda e: e.semipartial_correlation(2.5, 60, 4, 0.3), "association"),
        (lambda e: e.t_to_r(2.2, 58), "association"),
        (lambda e: e.z_to_r(2.2, 60), "association"),
        (lambda e: e.chi_square_to_phi(9.9, 100), "association"),
        (lambda e: e.t_to_d(2.2, 58, paired=True), "change"),
        (lambda e: e.change_in_risk(e.paired_events(10, 12, 4, 14)), "change"),
        (lambda e: e.change_in_log_odds(e.paired_events(10, 12, 4, 14), kind="marginal"), "change"),
        (lambda e: e.log_response_ratio_of_change(e.two_moments(38.5, 11.6, 30.6, 15.0, 20, 0.47)), "change"),
        (lambda e: e.log_variability_ratio_of_change(e.two_moments(38.5, 11.6, 30.6, 15.0, 20, 0.47)), "change"),
        (lambda e: e.log_cv_ratio_of_change(e.two_moments(38.5, 11.6, 30.6, 15.0, 20, 0.47)), "change"),
    ],
)
def test_nobody_was_assigned_where_there_are_no_arms(call: Callable[[Any], Any], term: str) -> None:
    row = call(sw.effects).row()
    assert (row.term, row.level_assigned) == (term, None)
    assert (row.null is None) == (term == "group")  # nothing is compared, so there is nothing to test
    assert call(sw.effects).row(term="mine").term == "mine"
    arms = sw.effects.cox_d(sw.effects.two_by_two(12, 20, 6, 20)).row()
    assert (arms.term, arms.level_assigned) == ("arm[treated]", "client")


def test_a_variance_that_is_not_used_is_refused() -> None:
    for vtype in ("AV", "UB", "bogus"):
        with pytest.raises(DesignError, match="leave vtype out"):
            sw.effects.pearson_correlation(0.2, 50, scale="fisher_z", vtype=vtype)
