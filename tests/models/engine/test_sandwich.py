"""Cluster-robust tests against clubSandwich, against dense algebra, and where they must refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DesignError
from sweval.models.engine.ols import least_squares
from sweval.models.engine.sandwich import KINDS, cluster_covariance

FOLDER = Path(__file__).parents[2] / "reference" / "cluster_robust"
FIXTURES = json.loads((FOLDER / "fixtures.json").read_text())["fixtures"]
TESTS = {"chi-sq": "chi-square", "Naive-F": "naive F", "HTZ": "HTZ"}


def design(formula: str, data: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """Build the matrix of the few R formulas in use; no intercept after `0 +`, whose first factor keeps all levels."""
    columns: dict[str, np.ndarray] = {}
    right = formula.split("~")[1].strip()
    if not right.startswith("0"):
        columns["(Intercept)"] = np.ones(len(data))
    terms = (
        ["treat", "x", "treat:x"]
        if "*" in right
        else [part.strip() for part in right.split("+") if part.strip() != "0"]
    )
    for term in terms:
        factor = re.fullmatch(r"factor\((\w+)\)", term)
        if factor:
            for level in sorted(data[factor[1]].unique())[1 if columns else 0 :]:
                columns[f"{term}{level}"] = (data[factor[1]] == level).to_numpy(dtype=float)
        else:
            columns[term] = np.prod([data[name].to_numpy(dtype=float) for name in term.split(":")], axis=0)
    return list(columns), np.column_stack(list(columns.values()))


@pytest.mark.parametrize("fixture", FIXTURES, ids=[fixture["id"] for fixture in FIXTURES])
def test_linear_fixture(fixture: dict) -> None:
    """Every fixture at its own tolerance (rtol 1e-7 for robust, 1e-9 for classical numbers, as stored with it)."""
    given, expected = fixture["inputs"], fixture["outputs"]
    data = pd.read_csv(FOLDER / given["data"])
    names, X = design(given["formula"], data)
    weights = data[given["weights"]].to_numpy(float) if given.get("weights") else None
    fit = least_squares(data["y"].to_numpy(float), X, weights=weights)

    def same(actual: object, wanted: object) -> None:
        np.testing.assert_allclose(actual, np.array(wanted, dtype=float), rtol=fixture["rtol"], atol=fixture["atol"])

    at = [names.index(term) for term in expected.get("terms", [])]
    if "sigma" in expected:
        same(fit.coefficients[at], expected["estimate"])
        same(fit.standard_errors()[at], expected["se"])
        same([fit.sigma, fit.df], [expected["sigma"], expected["df_residual"]])
        return
    working = "inverse_weights" if given.get("target") else "constant"
    robust = cluster_covariance(fit, pd.factorize(data[given["cluster"]])[0], kind=given["type"], working=working)
    if "Fstat" in expected:
        L = np.eye(len(names))[[names.index(term) for term in given["tested"]]]
        for k, name in enumerate(expected["test"]):
            found = robust.wald(L, test=TESTS[name])
            same([found.statistic, found.p_value], [expected["Fstat"][k], expected["p"][k]])
            same(found.df_denominator, np.inf if expected["df_denom"][k] is None else expected["df_denom"][k])
        return
    found = robust.contrasts(np.eye(len(names))[at])
    for field, key in (
        ("estimate", "estimate"),
        ("std_error", "se"),
        ("statistic", "t"),
        ("df", "df"),
        ("p_value", "p"),
    ):
        same([getattr(row, field) for row in found], expected[key])


def dense_cr2(y: np.ndarray, X: np.ndarray, w: np.ndarray, cluster: np.ndarray, target: np.ndarray) -> tuple:
    """CR2 with matrices as large as the data: covariance and Satterthwaite df of every coefficient."""
    n, p = X.shape
    M = np.linalg.inv(X.T @ (w[:, None] * X))
    left = np.eye(n) - X @ M @ (X * w[:, None]).T
    e, phi = left @ y, np.diag(target)
    meat, P = np.zeros((p, p)), []
    for j in np.unique(cluster):
        rows = cluster == j
        root = np.diag(np.sqrt(target[rows]))
        values, vectors = np.linalg.eigh(root @ (left @ phi @ left.T)[np.ix_(rows, rows)] @ root)
        power = np.where(values > 1e-10, np.maximum(values, 1e-10) ** -0.5, 0)
        adjusted = (X[rows] * w[rows, None]).T @ root @ (vectors * power) @ vectors.T @ root
        score = adjusted @ e[rows]
        meat += np.outer(score, score)
        P.append(M @ adjusted @ left[rows])
    P = np.array(P)
    df = []
    for k in range(p):
        inner = P[:, k] @ phi @ P[:, k].T
        df.append(np.trace(inner) ** 2 / (inner**2).sum())
    return M @ meat @ M, np.array(df)


@pytest.mark.parametrize("working", ["constant", "inverse_weights"])
@pytest.mark.parametrize("spread", [0.0, 1.5])
def test_p_by_p_algebra_equals_dense_algebra(working: str, spread: float) -> None:
    """Weights from equal to two hundredfold, a cluster of one row, and a dummy that a cluster alone determines."""
    rng = np.random.default_rng(5)
    cluster = np.repeat(np.arange(7), [1, 3, 9, 14, 2, 8, 6])
    n = len(cluster)
    X = np.column_stack([np.ones(n), rng.normal(size=(n, 2)), cluster == 3, cluster >= 4]).astype(float)
    y, w = rng.normal(size=n), np.exp(spread * rng.normal(size=n))
    fit = least_squares(y, X, weights=w)
    found = cluster_covariance(fit, cluster, working=working)
    V, df = dense_cr2(y, X, w, cluster, np.ones(n) if working == "constant" else 1 / w)
    known = [0, 1, 2, 4]
    # 1e-9: the condition number of the dense route leaves no more
    np.testing.assert_allclose(found.covariance[np.ix_(known, known)], V[np.ix_(known, known)], rtol=1e-9, atol=1e-12)
    tests = found.contrasts(np.eye(5))
    np.testing.assert_allclose([tests[k].df for k in known], df[known], rtol=1e-9)
    assert np.isnan(tests[3].std_error)
    assert np.isnan(tests[3].p_value)


def test_weights_as_large_or_as_small_give_the_same() -> None:
    """The unit of the weights does not matter."""
    rng = np.random.default_rng(6)
    cluster = np.repeat(np.arange(8), 6)
    X = np.column_stack([np.ones(48), rng.normal(size=48)])
    y, w = rng.normal(size=48), rng.uniform(0.5, 3, 48)
    for working in ("constant", "inverse_weights"):
        one, other = (
            cluster_covariance(least_squares(y, X, weights=w * k), cluster, working=working).contrast(
                np.array([0, 1.0])
            )
            for k in (1, 1e6)
        )
        assert one.std_error == pytest.approx(other.std_error, rel=1e-12)
        assert one.df == pytest.approx(other.df, rel=1e-11)


def test_means_taken_off_equal_one_dummy_per_cluster() -> None:
    """Theorem 2 of Pustejovsky & Tipton (2018): absorbing the clusters' effects changes neither CR2 nor df."""
    rng = np.random.default_rng(7)
    cluster = np.repeat(np.arange(6), [4, 9, 5, 12, 7, 6])
    x, y = rng.normal(size=(43, 2)), rng.normal(size=43) + cluster
    dummies = (cluster[:, None] == np.arange(6)).astype(float)
    full = cluster_covariance(least_squares(y, np.column_stack([dummies, x])), cluster).contrasts(np.eye(8)[6:])
    off = np.eye(43) - dummies @ np.linalg.pinv(dummies)
    absorbed = cluster_covariance(least_squares(off @ y, off @ x), cluster).contrasts(np.eye(2))
    for one, other in zip(full, absorbed, strict=True):
        assert one.std_error == pytest.approx(other.std_error, rel=1e-10)
        assert one.df == pytest.approx(other.df, rel=1e-9)


def test_a_cluster_may_hold_most_of_the_rows() -> None:
    """30,000 rows in one cluster: a matrix as large as the cluster would take 7 GB."""
    rng = np.random.default_rng(8)
    cluster = np.concatenate([np.zeros(30_000, dtype=int), np.repeat(np.arange(1, 20), 30)])
    n = len(cluster)
    X, w = np.column_stack([np.ones(n), rng.normal(size=n)]), rng.uniform(0.5, 2, n)
    y = rng.normal(size=n)
    for weights, working in ((None, "constant"), (w, "constant"), (w, "inverse_weights")):
        found = cluster_covariance(least_squares(y, X, weights=weights), cluster, working=working)
        assert 1 < found.contrast(np.array([0, 1.0])).df < 20


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_depends_on_the_order_of_rows_or_the_names_of_clusters(kind: str) -> None:
    rng = np.random.default_rng(9)
    cluster = np.repeat(np.arange(9), rng.integers(2, 9, 9))
    n = len(cluster)
    X, y = np.column_stack([np.ones(n), rng.normal(size=(n, 2))]), rng.normal(size=n)
    order = rng.permutation(n)
    one = cluster_covariance(least_squares(y, X), cluster, kind=kind)
    other = cluster_covariance(least_squares(y[order], X[order]), 1000 - 7 * cluster[order], kind=kind)
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-10, atol=1e-13)
    assert one.wald(np.eye(3)[1:]).p_value == pytest.approx(other.wald(np.eye(3)[1:]).p_value, rel=1e-9)


def test_a_large_offset_costs_no_digits() -> None:
    """A year, or an amount around 1e7, beside the same column centred (clubSandwich loses five digits here)."""
    rng = np.random.default_rng(10)
    cluster, x = np.repeat(np.arange(10), 8), np.tile(np.arange(8.0), 10)
    y = rng.normal(size=80) + 0.3 * x
    near, far = (
        cluster_covariance(least_squares(y + shift, np.column_stack([np.ones(80), x + shift])), cluster)
        for shift in (0.0, 1e7)
    )
    one, other = near.contrast(np.array([0, 1.0])), far.contrast(np.array([0, 1.0]))
    assert one.estimate == pytest.approx(other.estimate, rel=1e-8)  # y + 1e7 itself keeps nine digits
    assert one.std_error == pytest.approx(other.std_error, rel=1e-8)
    assert one.df == pytest.approx(other.df, rel=1e-10)


def test_one_cluster_is_refused() -> None:
    fit = least_squares(np.array([1.0, 2, 4, 3]), np.column_stack([np.ones(4), [0, 1, 0, 1.0]]))
    with pytest.raises(DesignError, match="only one cluster"):
        cluster_covariance(fit, np.zeros(4, dtype=int))


def test_one_cluster_per_arm_gives_no_standard_error() -> None:
    """Elsewhere such data get a standard error near 1e-16 and three stars."""
    y, arm = np.random.default_rng(11).normal(size=20), np.repeat([0.0, 1], 10)
    found = cluster_covariance(least_squares(y, np.column_stack([np.ones(20), arm])), arm.astype(int))
    assert np.isnan(found.contrast(np.array([0, 1.0])).std_error)
    assert np.isnan(found.wald(np.array([[0, 1.0]])).p_value)


def test_more_contrasts_than_clusters_are_refused() -> None:
    rng = np.random.default_rng(12)
    cluster = np.repeat(np.arange(4), 30)
    X = np.column_stack([np.ones(120), rng.normal(size=(120, 5))])
    found = cluster_covariance(least_squares(rng.normal(size=120), X), cluster)
    with pytest.raises(DesignError, match="4 clusters"):
        found.wald(np.eye(6)[1:])
    with pytest.raises(DesignError, match="depend on each other"):
        found.wald(np.array([[0, 1.0, 0, 0, 0, 0], [0, 2.0, 0, 0, 0, 0]]))


def test_one_contrast_tested_jointly_equals_its_t_test() -> None:
    rng = np.random.default_rng(13)
    cluster = np.repeat(np.arange(8), 5)
    found = cluster_covariance(
        least_squares(rng.normal(size=40), np.column_stack([np.ones(40), rng.normal(size=40)])), cluster
    )
    t, F = found.contrast(np.array([0, 1.0])), found.wald(np.array([[0, 1.0]]))
    assert F.statistic == pytest.approx(t.statistic**2, rel=1e-10)
    assert F.df_denominator == pytest.approx(t.df, rel=1e-10)
    assert F.p_value == pytest.approx(t.p_value, rel=1e-9)
