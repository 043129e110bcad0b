"""Random-effects meta-analysis of independent effects against metafor, and at its edges."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DesignError
from sweval.models.engine.meta.blocks import Component, Sampling
from sweval.models.engine.meta.heterogeneity import ESTIMATORS, q_profile, sums
from sweval.models.engine.meta.multilevel import multilevel, orthogonal
from sweval.models.engine.meta.univariate import meta_regression

FOLDER = Path(__file__).parents[2] / "reference" / "meta"
FIXTURES = [f for f in json.loads((FOLDER / "fixtures.json").read_text())["fixtures"] if "_rma_" in f["id"]]
MORE = json.loads((FOLDER / "more.json").read_text())


def design(formula: str, data: pd.DataFrame) -> np.ndarray:
    one, indirect = np.ones(len(data)), (data["level"] == "indirect").to_numpy(dtype=float)
    if formula == "~0 + level":
        return np.column_stack([1 - indirect, indirect])
    return np.column_stack([one, indirect, data["rct"], data["year"]]) if "year" in formula else one[:, None]


@pytest.mark.parametrize("fixture", FIXTURES, ids=[fixture["id"] for fixture in FIXTURES])
def test_fixture(fixture: dict) -> None:
    """Every number of every fixture at the tolerance stored with it: 1e-7 for REML, 1e-6 for the other estimators."""
    given, expected = fixture["inputs"], fixture["outputs"]
    data = pd.read_csv(FOLDER / given["data"])
    fit = meta_regression(
        data["yi"].to_numpy(), data["vi"].to_numpy(), design(given.get("mods", "~1"), data),
        method=given["method"], test="knapp-hartung" if given.get("test") == "knha" else "z",
    )  # fmt: skip
    L = np.eye(len(fit.coefficients))
    _, low, high = fit.interval(L)
    pred, pi_low, pi_high = fit.prediction(L)
    found = {
        "tau2": fit.tau2, "estimate": fit.coefficients, "se": fit.std_errors, "vcov": fit.covariance,
        "z": fit.statistics, "t": fit.statistics, "df": fit.df, "p": fit.p_values, "ci_lb": low, "ci_ub": high,
        "pred": pred, "pi_lb": pi_low, "pi_ub": pi_high, "QE": fit.q, "QEp": fit.q_p, "QM": fit.qm, "QMp": fit.qm_p,
        "I2": fit.i2, "H2": fit.h2, "logLik": fit.log_likelihood,
    }  # fmt: skip
    for key in expected.keys() - {"terms"}:
        wanted = np.array(expected[key], dtype=float).squeeze()
        np.testing.assert_allclose(
            np.squeeze(found[key]), wanted, rtol=fixture["rtol"], atol=fixture["atol"], err_msg=key
        )


def second() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    data = pd.read_csv(FOLDER / "meta_2.csv")
    X = np.column_stack([np.ones(len(data)), data["level"] == "indirect", data["rct"]]).astype(float)
    return data["yi"].to_numpy(), data["vi"].to_numpy(), X


@pytest.mark.parametrize("method", ["REML", "ML", "DL", "HE", "SJ", "EB", "HS"])
def test_estimators_with_moderators(method: str) -> None:
    """metafor with a stopping rule of 1e-13: 1e-7."""
    y, v, X = second()
    fit, expected = meta_regression(y, v, X, method=method, test="z"), MORE[f"estimator_{method}"]  # type: ignore[arg-type]
    found = {
        "tau2": fit.tau2, "tau2_se": fit.tau2_se, "b": fit.coefficients, "se": fit.std_errors, "R2": fit.r2,
        "I2": fit.i2, "H2": fit.h2, "logLik": fit.log_likelihood, "QM": fit.qm, "QMp": fit.qm_p,
    }  # fmt: skip
    for key, wanted in expected.items():
        np.testing.assert_allclose(found[key], wanted, rtol=1e-7, err_msg=key)


def test_paule_mandel_solves_its_equation_and_equals_empirical_bayes() -> None:
    y, v, X = second()
    fit = meta_regression(y, v, X, method="PM")
    Q = orthogonal(X)[2]
    assert sums(y, Q, 1 / (v + fit.tau2)).q == pytest.approx(len(y) - 3, rel=1e-10)
    assert fit.tau2 == meta_regression(y, v, X, method="EB").tau2


def test_interval_of_tau_squared() -> None:
    """metafor's confint at a root tolerance of 1e-15."""
    y, v, _ = second()
    low, high = meta_regression(y, v).heterogeneity_interval()
    np.testing.assert_allclose(low, MORE["q_profile"]["low"], rtol=1e-8)
    np.testing.assert_allclose(high, MORE["q_profile"]["high"], rtol=1e-8)


def test_t_and_ad_hoc_tests() -> None:
    y, v, X = second()
    fit, expected = meta_regression(y, v, X[:, [0, 2]], test="t"), MORE["t"]
    np.testing.assert_allclose(fit.std_errors, expected["se"], rtol=1e-7)
    np.testing.assert_allclose(fit.p_values, expected["p"], rtol=1e-6)
    np.testing.assert_allclose([fit.qm, fit.qm_p], [expected["QM"], expected["QMp"]], rtol=1e-6)
    data = pd.read_csv(FOLDER / "meta_4.csv")
    fit = meta_regression(data["yi"].to_numpy(), data["vi"].to_numpy(), test="knapp-hartung-adhoc")
    np.testing.assert_allclose([fit.std_errors[0], fit.qm], [MORE["adhoc"]["se"], MORE["adhoc"]["QM"]], rtol=1e-8)


def test_prediction_intervals_differ_in_their_df_only() -> None:
    from scipy.stats import t

    y, v, _ = second()
    fit = meta_regression(y, v, test="z")
    spread = np.sqrt(fit.covariance[0, 0] + fit.tau2)
    for kind, quantile in (("model", 1.959963984540054), ("riley", t.ppf(0.975, 29)), ("hts", t.ppf(0.975, 28))):
        _, low, high = fit.prediction(np.ones((1, 1)), kind=kind)  # type: ignore[arg-type]
        np.testing.assert_allclose([low[0], high[0]], fit.coefficients[0] + np.array([-1, 1]) * quantile * spread)
    with pytest.raises(DesignError, match="2 effects leave no degrees of freedom"):
        meta_regression(y[:2], v[:2]).prediction(np.ones((1, 1)), kind="hts")


def test_reml_is_the_multilevel_model_with_one_level() -> None:
    """Two programs of ours for one model: 1e-9."""
    y, v, X = second()
    one = meta_regression(y, v, X, test="z")
    two = multilevel(y, Sampling(variance=v), X, (Component(name="effect", codes=np.arange(len(y))),))
    np.testing.assert_allclose(two.sigma2, one.tau2, rtol=1e-9)
    np.testing.assert_allclose(two.covariance, one.covariance, rtol=1e-9)
    assert two.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-12)


def test_an_offset_costs_no_digits() -> None:
    y, v, X = second()
    X = X + np.array([0, 0, 2.0e6])
    np.testing.assert_allclose(
        meta_regression(y, v, X).std_errors[1:], meta_regression(y, v, second()[2]).std_errors[1:], rtol=1e-8
    )


@pytest.mark.parametrize("method", ESTIMATORS)
def test_identical_effects(method: str) -> None:
    """No heterogeneity: tau squared 0, I squared 0, the mean is the effect, the interval of tau squared is (0, 0)."""
    y, v = np.full(5, 0.3), np.array([0.01, 0.02, 0.03, 0.04, 0.05])
    fit = meta_regression(y, v, method=method, test="z")
    assert (fit.tau2, fit.i2) == (0, 0)
    assert fit.coefficients[0] == pytest.approx(0.3, rel=1e-12)
    assert q_profile(y, v, np.full((5, 1), 5**-0.5)) == (0, 0)
    robust = meta_regression(y, v, method=method, test="knapp-hartung-adhoc")
    assert robust.std_errors[0] == pytest.approx(fit.std_errors[0])


def test_five_thousand_effects_with_three_moderators() -> None:
    """metafor was stopped after 13 minutes; the bar is half a second."""
    rng = np.random.default_rng(2)
    k = 5000
    v = rng.uniform(0.01, 0.1, k)
    X = np.column_stack([np.ones(k), rng.normal(size=(k, 3))])
    y = X @ [0.3, 0.1, 0, -0.1] + rng.normal(0, np.sqrt(v + 0.04))
    begin = time.process_time()
    fit = meta_regression(y, v, X)
    assert time.process_time() - begin < 0.5
    assert fit.tau2 == pytest.approx(0.04, rel=0.15)


def test_refusals() -> None:
    y, v = np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.1, 0.1])
    for changed, message in (
        ({"v": v * 0}, "3 sampling variances are zero"),
        ({"y": y * np.nan}, "3 missing or infinite"),
        ({"X": np.eye(3)}, "3 effects for 3 coefficients"),
        ({"method": "XX"}, '"XX" is no estimator'),
        ({"test": "wald"}, '"wald" is no test'),
    ):
        with pytest.raises(DesignError, match=message):
            meta_regression(**({"y": y, "v": v} | changed))  # type: ignore[arg-type]
