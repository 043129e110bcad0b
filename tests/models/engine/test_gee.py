"""Marginal models against geepack, against dense algebra, and where they must refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import sqrtm
from scipy.special import expit

from sweval.errors import DesignError
from sweval.models.engine.gee import gee
from sweval.models.engine.logistic import SeparationError, logistic
from sweval.models.engine.ols import least_squares
from sweval.models.engine.sandwich import cluster_covariance

FOLDER = Path(__file__).parents[2] / "reference" / "binary"
FIXTURES = {
    fixture["id"]: fixture
    for fixture in json.loads((FOLDER / "fixtures.json").read_text())["fixtures"]
    if "_gee_" in fixture["id"]
}


@pytest.mark.parametrize("name", FIXTURES)
def test_geepack(name: str) -> None:
    """Estimates, plain sandwich, scale and alpha at the tolerance stored with each fixture (1e-6)."""
    fixture = FIXTURES[name]
    data, expected = pd.read_csv(FOLDER / fixture["inputs"]["data"]), fixture["outputs"]
    X = np.column_stack([np.ones(len(data)), data["treat"], data["x"]])
    fit = gee(data["y"].to_numpy(float), X, data["cluster"].to_numpy(), correlation=fixture["inputs"]["corstr"])

    def same(actual: object, wanted: object) -> None:
        np.testing.assert_allclose(actual, wanted, rtol=fixture["rtol"], atol=fixture["atol"])

    same(fit.coefficients, expected["estimate"])
    same([test.std_error for test in fit.robust("none").contrasts(np.eye(3))], expected["se"])
    same([test.statistic**2 for test in fit.robust("none").contrasts(np.eye(3))], expected["wald"])
    same([fit.scale, fit.alpha], [expected["scale"], expected.get("alpha", 0.0)])


def simulated(seed: int = 1, clusters: int = 9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clusters of 1 to 14 rows that share a treatment and a random effect."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(clusters), np.append([1, 1, 14], rng.integers(3, 12, clusters - 3)))
    X = np.column_stack([np.ones(len(cluster)), cluster % 2, rng.normal(size=len(cluster))]).astype(float)
    p = expit(X @ [-0.3, 0.5, 0.4] + rng.normal(0, 0.8, clusters)[cluster])
    return (rng.random(len(cluster)) < p).astype(float), X, cluster


@pytest.mark.parametrize("correction", ["none", "kauermann-carroll", "mancl-derouen"])
def test_corrections_equal_dense_algebra(correction: str) -> None:
    """The published formulas with D, V and H as matrices: (I - H)^-1/2 as a matrix square root, (I - H)^-1."""
    y, X, cluster = simulated()
    fit = gee(y, X, cluster)
    v = fit.means * (1 - fit.means)
    parts = []
    for j in np.unique(cluster):
        rows = cluster == j
        size = int(rows.sum())
        R = np.full((size, size), fit.alpha) + (1 - fit.alpha) * np.eye(size)
        root = np.sqrt(v[rows])
        parts.append((v[rows, None] * X[rows], root[:, None] * R * root, (y - fit.means)[rows]))
    M = np.linalg.inv(sum(D.T @ np.linalg.solve(V, D) for D, V, _ in parts))
    meat = np.zeros((3, 3))
    for D, V, e in parts:
        left = np.eye(len(e)) - D @ M @ D.T @ np.linalg.inv(V)
        power = {
            "none": lambda left: np.eye(len(left)),
            "kauermann-carroll": lambda left: np.linalg.inv(np.real(sqrtm(left))),
            "mancl-derouen": np.linalg.inv,
        }[correction](left)
        score = D.T @ np.linalg.solve(V, power @ e)
        meat += np.outer(score, score)
    np.testing.assert_allclose(fit.robust(correction).covariance, M @ meat @ M, rtol=1e-8)


def test_estimates_solve_the_equations() -> None:
    y, X, cluster = simulated(3)
    fit = gee(y, X, cluster)
    assert np.abs(fit.white.X.T @ fit.white.residuals).max() < 1e-8


def test_independence_is_logistic_regression() -> None:
    y, X, cluster = simulated(2)
    fit = gee(y, X, cluster, correlation="independence")
    np.testing.assert_allclose(fit.coefficients, logistic(y, X).coefficients, rtol=1e-10)
    plain = cluster_covariance(logistic(y, X).working, cluster, kind="CR3", working="inverse_weights")
    np.testing.assert_allclose(fit.robust("mancl-derouen").covariance, plain.covariance, rtol=1e-8)


def test_gaussian_independence_is_least_squares_with_cr2() -> None:
    _, X, cluster = simulated(4)
    y = np.random.default_rng(5).normal(size=len(cluster)) + X[:, 1]
    one = gee(y, X, cluster, family="gaussian", correlation="independence").robust().contrasts(np.eye(3))
    other = cluster_covariance(least_squares(y, X), cluster).contrasts(np.eye(3))
    for left, right in zip(one, other, strict=True):
        assert (left.estimate, left.std_error, left.df) == pytest.approx(
            (right.estimate, right.std_error, right.df), rel=1e-9
        )


def test_corrections_grow_in_their_order() -> None:
    """Few clusters: the plain sandwich is too small; Mancl-DeRouen is the largest."""
    y, X, cluster = simulated()
    fit = gee(y, X, cluster)
    errors = [
        fit.robust(kind).contrast(np.array([0, 1.0, 0])).std_error
        for kind in ("none", "kauermann-carroll", "mancl-derouen")
    ]
    assert errors[0] < errors[1] < errors[2]


def test_nothing_depends_on_the_order_of_rows() -> None:
    y, X, cluster = simulated(6)
    order = np.random.default_rng(7).permutation(len(y))
    one, other = gee(y, X, cluster), gee(y[order], X[order], 50 - cluster[order])
    assert one.alpha == pytest.approx(other.alpha, rel=1e-9)
    np.testing.assert_allclose(one.robust().covariance, other.robust().covariance, rtol=1e-8)


def test_a_large_offset_costs_no_digits() -> None:
    y, X, cluster = simulated(8)
    far = X.copy()
    far[:, 2] += 1e7
    one, other = (gee(y, matrix, cluster).robust().contrast(np.array([0, 0, 1.0])) for matrix in (X, far))
    assert (one.estimate, one.std_error, one.df) == pytest.approx((other.estimate, other.std_error, other.df), rel=1e-6)


def test_impossible_correlations_become_independence_and_say_so() -> None:
    """Pairs that differ on purpose pull alpha towards -1, which has no covariance for the cluster of ten."""
    y = np.concatenate([np.tile([0.0, 1], 60), [0, 1, 0, 0, 1, 0, 1, 0, 1, 1]])
    cluster = np.append(np.repeat(np.arange(60), 2), np.full(10, 60))
    X = np.column_stack([np.ones(130), cluster % 2]).astype(float)
    fit = gee(y, X, cluster)
    assert (fit.truncated, fit.alpha) == (True, 0.0)
    np.testing.assert_allclose(fit.coefficients, logistic(y, X).coefficients, atol=1e-9)


def test_small_trials_always_have_an_answer() -> None:
    """Of 300 trials of 8 clusters, several chase an alpha near its least value; these end at independence."""
    rng, truncated = np.random.default_rng(8), 0
    for _ in range(300):
        cluster = np.repeat(np.arange(8), rng.integers(5, 36, 8))
        y = (rng.random(len(cluster)) < rng.beta(30, 70, 8)[cluster]).astype(float)
        X = np.column_stack([np.ones(len(cluster)), cluster % 2]).astype(float)
        fit = gee(y, X, cluster)
        truncated += fit.truncated
        assert np.abs(fit.white.X.T @ fit.white.residuals).max() < 1e-7
    assert 0 < truncated < 100


def test_refused() -> None:
    y, X, cluster = simulated(9)
    with pytest.raises(DesignError, match="only one cluster"):
        gee(y, X, np.zeros(len(y), dtype=int))
    with pytest.raises(DesignError, match="every cluster has one row"):
        gee(y, X, np.arange(len(y)))
    with pytest.raises(DesignError, match="neither 0 nor 1"):
        gee(y + 1, X, cluster)
    with pytest.raises(SeparationError):
        gee(np.where(X[:, 1] == 1, 0, y), X, cluster)
