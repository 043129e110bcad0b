"""Logistic regression against R's glm and clubSandwich, at its edges, and where it must refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from sweval.errors import DesignError
from sweval.models.engine.logistic import SeparationError, logistic, separating_columns
from sweval.models.engine.sandwich import cluster_covariance

FOLDER = Path(__file__).parents[2] / "reference" / "binary"
FIXTURES = {
    fixture["id"]: fixture
    for fixture in json.loads((FOLDER / "fixtures.json").read_text())["fixtures"]
    if fixture["id"].startswith("cr_logit")
}


@pytest.mark.parametrize("name", FIXTURES)
def test_glm_and_club_sandwich(name: str) -> None:
    """Every fixture at its own tolerance: 1e-8 for glm, 1e-6 for clubSandwich, as stored with it."""
    fixture = FIXTURES[name]
    data, expected = pd.read_csv(FOLDER / fixture["inputs"]["data"]), fixture["outputs"]
    X = np.column_stack([np.ones(len(data)), data["treat"], data["x"]])
    fit = logistic(data["y"].to_numpy(float), X)

    def same(actual: object, wanted: object) -> None:
        np.testing.assert_allclose(actual, wanted, rtol=fixture["rtol"], atol=fixture["atol"])

    if "logLik" in expected:
        same(fit.coefficients, expected["estimate"])
        same(fit.standard_errors(), expected["se"])
        same(fit.log_likelihood, expected["logLik"])
        return
    kind = fixture["inputs"].get("type", "CR2")
    robust = cluster_covariance(fit.working, pd.factorize(data["cluster"])[0], kind=kind, working="inverse_weights")
    if "Fstat" in expected:
        test = robust.wald(np.eye(3)[1:])
        same(
            [test.statistic, test.df_denominator, test.p_value],
            [expected["Fstat"], expected["df_denom"], expected["p"]],
        )
        return
    for field, key in (
        ("estimate", "estimate"),
        ("std_error", "se"),
        ("statistic", "t"),
        ("df", "df"),
        ("p_value", "p"),
    ):
        same([getattr(row, field) for row in robust.contrasts(np.eye(3))], expected[key])


def simulated(n: int = 300, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(n), rng.integers(0, 2, n), rng.normal(size=n)]).astype(float)
    return (rng.random(n) < expit(X @ [-0.5, 0.7, 0.4])).astype(float), X


def test_the_score_is_zero_at_the_estimate() -> None:
    """The equations themselves, to the rounding of a sum of 300 terms."""
    y, X = simulated()
    w = np.random.default_rng(2).uniform(0.2, 5, len(y))
    for weights in (None, w):
        fit = logistic(y, X, weights=weights)
        score = X.T @ ((1.0 if weights is None else w) * (y - fit.probabilities))
        assert np.abs(score).max() < 1e-10


def test_weights_count_rows() -> None:
    y, X = simulated(80)
    times = np.random.default_rng(3).integers(1, 4, len(y))
    one = logistic(y, X, weights=times.astype(float))
    other = logistic(np.repeat(y, times), np.repeat(X, times, axis=0))
    np.testing.assert_allclose(one.coefficients, other.coefficients, rtol=1e-10)
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-9)
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)


def test_a_large_offset_costs_no_digits() -> None:
    """A date counted from 1582 beside the same centred: 1e7 leaves nine digits of the column itself."""
    y, X = simulated()
    far = X.copy()
    far[:, 2] += 1e7
    near, shifted = logistic(y, X), logistic(y, far)
    np.testing.assert_allclose(shifted.coefficients[1:], near.coefficients[1:], rtol=1e-7)
    np.testing.assert_allclose(shifted.standard_errors()[1:], near.standard_errors()[1:], rtol=1e-7)


def test_a_copy_of_a_column_is_left_out() -> None:
    y, X = simulated()
    fit = logistic(y, np.column_stack([X, 2 * X[:, 1] - 3]))
    assert (fit.kept, fit.aliased) == ((0, 1, 2), (3,))
    np.testing.assert_allclose(fit.coefficients, logistic(y, X).coefficients, rtol=1e-10)


def test_rare_events_are_not_taken_for_separation() -> None:
    """Two events in one arm and one in the other of 100,000 rows: far out, and finite."""
    y, arm = np.zeros(100_000), np.repeat([0.0, 1.0], 50_000)
    y[[0, 50_000, 50_001]] = 1
    fit = logistic(y, np.column_stack([np.ones(len(y)), arm]))
    assert fit.coefficients[1] == pytest.approx(np.log(2 / 49_998) - np.log(1 / 49_999), rel=1e-9)


def test_a_steep_slope_is_not_taken_for_separation() -> None:
    """Fitted odds beyond e^15, with one row on the wrong side that makes the estimate finite."""
    x = np.append(np.linspace(-4, 4, 400), [-0.3, 0.3])
    y = np.append((np.linspace(-4, 4, 400) > 0).astype(float), [1.0, 0.0])
    fit = logistic(y, np.column_stack([np.ones(402), x]))
    assert np.abs(fit.coefficients[0] + fit.coefficients[1] * x).max() > 15
    assert np.abs(np.column_stack([np.ones(402), x]).T @ (y - fit.probabilities)).max() < 1e-9


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        ("arm without events", (1,)),
        ("a threshold of a number", (2,)),
        ("two columns together", (1, 2)),
        ("a copy of the outcome", (1,)),
    ],
)
def test_separation_is_refused_by_name(change: str, columns: tuple[int, ...]) -> None:
    """Elsewhere: an odds ratio of 1.7e10, or 25.6 with a standard error of .45, converged and without a word."""
    y, X = simulated()
    if change == "arm without events":
        y[X[:, 1] == 1] = 0
    elif change == "a threshold of a number":
        y = (X[:, 2] > 0.3).astype(float)
    elif change == "two columns together":
        y = (X[:, 1] + X[:, 2] > 0.3).astype(float)
    else:
        X[:, 1] = y
    with pytest.raises(SeparationError) as caught:
        logistic(y, X)
    assert caught.value.columns == columns


def test_separation_in_a_reference_level_names_the_other_levels() -> None:
    y, X = simulated()
    site = np.arange(len(y)) % 3
    y[site == 0] = 1
    X = np.column_stack([np.ones(len(y)), site == 1, site == 2, X[:, 2]]).astype(float)
    assert set(separating_columns(y, X)) == {1, 2}


def test_columns_of_any_unit_are_searched_alike() -> None:
    y, X = simulated()
    y = (X[:, 1] + X[:, 2] > 0.3).astype(float)
    for unit in (1e-6, 1e6):
        assert separating_columns(y, X * [1, 1, unit]) == (1, 2)
    assert separating_columns(*simulated()) == ()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([1.0, 2, 1, 2]), "2 values of the outcome are neither 0 nor 1"),
        (np.array([0.0, np.nan, 1, 0]), "1 values of the outcome are neither 0 nor 1"),
        (np.zeros(4), "constant: it is 0 in every row"),
    ],
)
def test_refused_outcomes(y: np.ndarray, message: str) -> None:
    with pytest.raises(DesignError, match=message):
        logistic(y, np.column_stack([np.ones(4), [0, 1, 0, 1.0]]))
