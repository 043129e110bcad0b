"""Series with AR(1) errors: nlme's and sandwich's numbers, the general engine's, and what a grid can find."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DesignError
from sweval.models.engine.mixed.fit import mixed_fit
from sweval.models.engine.mixed.model import Factor, Residual
from sweval.models.engine.newey_west import newey_west_bandwidth, newey_west_covariance
from sweval.models.engine.ols import least_squares
from sweval.models.engine.sandwich import Kind, cluster_covariance
from sweval.models.engine.serial import serial_moments
from sweval.models.engine.serial_fit import serial_optimum, serial_variances
from sweval.models.engine.series import series_fit

FOLDER = Path(__file__).parents[2] / "reference" / "between_case"
FIXTURES = {
    entry["id"]: entry
    for entry in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
    if entry["area"] == "its"
}


def given(name: str) -> tuple[np.ndarray, np.ndarray, pd.DataFrame, dict[str, Any], dict[str, float]]:
    """Return outcome, terms and data of a fixture, what R printed, and its tolerance."""
    entry = FIXTURES[name]
    data = pd.read_csv(FOLDER / entry["inputs"]["data"])
    X = np.column_stack([np.ones(len(data)), data[["t", "level", "since"]]])
    return data["y"].to_numpy(float), X, data, entry["outputs"], {"rel": entry["rtol"], "abs": entry["atol"]}


def names(part: str) -> list[str]:
    found = [name for name in FIXTURES if part in name]
    assert found
    return found


@pytest.mark.parametrize("name", names("_gls_"))
def test_generalised_least_squares_of_nlme(name: str) -> None:
    """nlme prints the standard errors of a maximum likelihood fit times sqrt(n / (n - p)); ours are the plain ones."""
    y, X, data, expected, tolerance = given(name)
    reml = FIXTURES[name]["inputs"]["method"] == "REML"
    fit = series_fit(y, X, time=data["t"], reml=reml)
    wider = 1.0 if reml else np.sqrt(fit.n / (fit.n - 4))
    assert fit.converged
    assert fit.coefficients == pytest.approx(expected["estimate"], **tolerance)
    assert np.sqrt(np.diag(fit.covariance)) * wider == pytest.approx(expected["se"], **tolerance)
    assert [fit.rho, fit.sigma] == pytest.approx([expected["phi"], expected["sigma"]], **tolerance)
    assert fit.log_likelihood == pytest.approx(expected["logLik"], abs=1e-8)


@pytest.mark.parametrize("name", names("_nw_lag"))
def test_newey_west_of_sandwich(name: str) -> None:
    y, X, _, expected, tolerance = given(name)
    inputs = FIXTURES[name]["inputs"]
    covariance = newey_west_covariance(least_squares(y, X), lag=inputs["lag"], adjust=inputs["adjust"])
    assert np.sqrt(np.diag(covariance)) == pytest.approx(expected["se"], **tolerance)


@pytest.mark.parametrize("name", names("_nw_auto"))
def test_bandwidth_of_sandwich(name: str) -> None:
    y, X, _, expected, tolerance = given(name)
    assert newey_west_bandwidth(least_squares(y, X)) == pytest.approx(expected["bw"], **tolerance)


@pytest.mark.parametrize("name", names("_hc3"))
def test_errors_of_unequal_variance_of_sandwich(name: str) -> None:
    """Every row a cluster of its own: the cluster-robust covariances are then those of sandwich's vcovHC."""
    y, X, _, expected, tolerance = given(name)
    kinds: dict[str, Kind] = {"HC0": "CR0", "HC1": "CR1S", "HC2": "CR2", "HC3": "CR3"}
    for theirs, ours in kinds.items():
        covariance = cluster_covariance(least_squares(y, X), np.arange(len(y)), kind=ours).covariance
        assert np.sqrt(np.diag(covariance)) == pytest.approx(expected[theirs], **tolerance)


def panel(seed: int, units: int, length: int, *, gaps: float, levels: bool) -> tuple[np.ndarray, ...]:
    """Return outcome, terms, unit and time of series with autocorrelation .4 and lost sessions."""
    rng = np.random.default_rng(seed)
    unit, time = np.repeat(np.arange(units), length), np.tile(np.arange(length), units)
    kept = rng.uniform(size=len(unit)) >= gaps
    unit, time = unit[kept], time[kept]
    after = (time >= length // 3 + (length // 6) * (unit % 3)).astype(float)
    y = rng.normal(size=len(unit))
    for row in range(1, len(y)):
        if unit[row] == unit[row - 1]:
            y[row] += 0.4 * y[row - 1]
    y = y + after + 1.3 * levels * rng.normal(size=units)[unit]
    return y, np.column_stack([np.ones(len(y)), after]), unit, time


@pytest.mark.parametrize(
    ("units", "length", "gaps", "levels", "reml"),
    [
        (1, 40, 0.0, False, True),
        (1, 30, 0.3, False, False),
        (3, 15, 0.2, False, True),
        (4, 20, 0.0, True, True),
        (5, 16, 0.2, True, False),
        (6, 12, 0.4, True, True),
    ],
)
def test_all_derivatives_are_those_of_the_general_engine(
    units: int, length: int, gaps: float, levels: bool, reml: bool
) -> None:
    """Both engines search by Newton to about 1e-8 of the parameters; they share no code but the tests."""
    y, X, unit, time = panel(units, units, length, gaps=gaps, levels=levels)
    factors = [Factor(unit, X[:, :1])] if levels else []
    general = mixed_fit(y, X, factors, residual=Residual(kind="ar1", unit=unit, occasion=time), reml=reml)
    own = series_fit(y, X, time=time, series=unit, levels=levels, reml=reml)
    assert own.converged
    assert own.log_likelihood == pytest.approx(general.log_likelihood, abs=1e-9)
    assert own.coefficients == pytest.approx(general.coefficients, rel=1e-6)
    assert own.covariance == pytest.approx(general.covariance, rel=1e-6, abs=1e-9)
    assert own.rho == pytest.approx(general.correlation, abs=1e-7)
    for name in ("P", "Q", "R", "observed", "expected", "average"):
        expected = getattr(general.variances, name)
        found = getattr(own.variances, name)
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6 * float(np.abs(expected).max())), name
    if reml:
        errors = np.sqrt(np.diag(own.covariance)).tolist()
        their_tests = general.contrasts(np.eye(2), "kenward-roger")
        for ours, theirs, least in zip(own.contrasts(np.eye(2)), their_tests, errors, strict=True):
            bounded = [max(theirs.std_error, least), min(max(theirs.df, 2.0), own.n - 2)]
            assert [ours.std_error, ours.df] == pytest.approx(bounded, rel=1e-5)
        both = own.joint(np.eye(2)), general.joint(np.eye(2), "kenward-roger")
        assert both[0].p_value == pytest.approx(both[1].p_value, rel=1e-4)


def dense_log_likelihood(y: np.ndarray, X: np.ndarray, time: np.ndarray, rho: float) -> float:
    """Return the restricted log-likelihood of one series, its variance profiled out, from full matrices."""
    R = rho ** np.abs(time[:, None] - time).astype(float)
    inverse = np.linalg.inv(R)
    C = X.T @ inverse @ X
    left = y - X @ np.linalg.solve(C, X.T @ inverse @ y)
    nu = len(y) - X.shape[1]
    scale = float(left @ inverse @ left) / nu
    logs = np.linalg.slogdet(R)[1] + np.linalg.slogdet(C)[1]
    return -(nu * (1 + np.log(2 * np.pi * scale)) + logs) / 2


def test_no_point_of_a_grid_is_likelier_than_the_optimum() -> None:
    """Short series, whose likelihood may have two tops; trends make that more frequent."""
    for seed in range(20):
        y, X, _, time = panel(seed, 1, 11, gaps=0.1, levels=False)
        X = np.column_stack([X, time])
        fit = series_fit(y, X, time=time)
        grid = max(dense_log_likelihood(y, X, time, rho) for rho in np.linspace(-0.97, 0.975, 150))
        assert fit.log_likelihood == pytest.approx(dense_log_likelihood(y, X, time, fit.rho), abs=1e-8)
        assert fit.log_likelihood >= grid - 1e-9


def test_a_batch_gives_what_its_members_give() -> None:
    y, X, unit, time = panel(1, 4, 12, gaps=0.0, levels=True)
    rng = np.random.default_rng(0)
    outcomes = y + rng.normal(size=(5, len(y)))
    line = [least_squares(one, X) for one in outcomes]
    W = np.stack([np.column_stack([one.Q, one.residuals / one.sigma]) for one in line])
    found = serial_moments(W, unit, time, random=True)
    best = serial_optimum(found, reml=True)
    all_at_once = serial_variances(found, best, scale=np.array([one.sigma for one in line]), reml=True)
    for place, one in enumerate(outcomes):
        alone = series_fit(one, X, time=time, series=unit, levels=True)
        assert best.rho[place] == pytest.approx(alone.rho, abs=1e-9)
        assert all_at_once.one(place).expected == pytest.approx(alone.variances.expected, rel=1e-8)


def test_independent_errors_are_least_squares() -> None:
    """With rho held at 0 and no levels nothing but least squares is left."""
    y, X, unit, time = panel(3, 1, 20, gaps=0.0, levels=False)
    line = least_squares(y, X)
    found = serial_moments(np.column_stack([line.Q, line.residuals])[None], unit, time, random=False)
    best = serial_optimum(found, reml=True, independent=True)
    own = serial_variances(found, best, scale=np.ones(1), reml=True)
    assert best.rho[0] == 0
    assert own.sigma2[0] == pytest.approx(line.sigma**2, rel=1e-12)


def test_order_of_rows_and_origin_of_time_do_not_matter() -> None:
    y, X, unit, time = panel(4, 3, 12, gaps=0.2, levels=True)
    straight = series_fit(y, X, time=time, series=unit, levels=True)
    mixed = np.random.default_rng(1).permutation(len(y))
    turned = series_fit(y[mixed], X[mixed], time=time[mixed] - 500, series=unit[mixed].astype(str), levels=True)
    assert turned.coefficients == pytest.approx(straight.coefficients, rel=1e-7)
    assert turned.rho == pytest.approx(straight.rho, abs=1e-7)


def test_kenward_roger_is_kept_inside_what_can_be() -> None:
    """Nine points and a trend: the df may fall below 2, and the adjusted error below the plain one."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        time = np.arange(9)
        X = np.column_stack([np.ones(9), time, time >= 4])
        fit = series_fit(np.cumsum(rng.normal(size=9)), X, time=time)
        for test, least in zip(fit.contrasts(np.eye(3)), np.sqrt(np.diag(fit.covariance)), strict=True):
            assert test.std_error >= least * (1 - 1e-9)
            assert 2 <= test.df <= 6


def test_a_walk_is_said_to_be_at_the_edge() -> None:
    y = np.cumsum(np.random.default_rng(11).normal(size=60)) + np.linspace(0, 90, 60) ** 1.5
    fit = series_fit(y, np.ones((60, 1)), time=np.arange(60))
    assert fit.at_edge
    assert fit.rho == pytest.approx(0.98, abs=1e-3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"time": np.r_[np.arange(19), 18]}, "repeat the time"),
        ({"time": np.arange(20) / 2}, "no whole numbers"),
        ({"time": np.arange(19)}, "times of shape"),
        ({"time": ["x"] * 20}, "must be numbers"),
        ({"series": np.arange(20)}, "one row"),
        ({"series": np.arange(19)}, "labels of shape"),
        ({"levels": True}, "no variance of levels"),
    ],
)
def test_series_that_cannot_be_fitted(change: dict[str, Any], says: str) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DesignError, match=says):
        series_fit(rng.normal(size=20), np.ones((20, 1)), **{"time": np.arange(20), **change})


def test_too_few_rows_and_unlike_lengths() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([np.ones(5), np.arange(5), np.arange(5) ** 2])
    with pytest.raises(DesignError, match="5 rows for 3 coefficients"):
        series_fit(rng.normal(size=5), X, time=np.arange(5))
    with pytest.raises(DesignError, match="differ in length"):
        series_fit(rng.normal(size=4), X, time=np.arange(4))


def test_tests_that_need_a_restricted_fit_or_independent_rows() -> None:
    y, X, _, time = panel(5, 1, 20, gaps=0.0, levels=False)
    full = series_fit(y, X, time=time, reml=False)
    with pytest.raises(DesignError, match="REML"):
        full.contrasts([0, 1])
    assert full.contrasts([0, 1], "satterthwaite")[0].df > 2
    with pytest.raises(DesignError, match="depend on each other"):
        series_fit(y, X, time=time).joint(np.array([[0, 1], [0, 2]]))


def test_lags_that_do_not_exist() -> None:
    y, X, _, _ = panel(5, 1, 20, gaps=0.0, levels=False)
    for lag in (-1, 20):
        with pytest.raises(DesignError, match="lag"):
            newey_west_covariance(least_squares(y, X), lag=lag)
