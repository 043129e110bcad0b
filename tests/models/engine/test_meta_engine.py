"""Meta-regression of dependent effects against metafor and clubSandwich, dense algebra, and where it must refuse."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DesignError
from sweval.models.engine.meta.blocks import Component, Sampling
from sweval.models.engine.meta.correlated_weights import correlated_weights
from sweval.models.engine.meta.likelihood import evaluate
from sweval.models.engine.meta.multilevel import MultilevelFit, multilevel
from sweval.models.engine.meta.robust import KINDS, robust_covariance
from sweval.models.engine.meta.rotated import rotated
from sweval.models.engine.meta.summaries import aggregate, component_interval, i_squared

FOLDER = Path(__file__).parents[2] / "reference" / "meta"
FIXTURES = json.loads((FOLDER / "fixtures.json").read_text())["fixtures"]
MORE = json.loads((FOLDER / "more.json").read_text())
CHE = [fixture for fixture in FIXTURES if "_che_" in fixture["id"]]


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / name).assign(
        code=lambda d: pd.factorize(d["study"])[0], indirect=lambda d: (d["level"] == "indirect").astype(float)
    )


def design(formula: str, data: pd.DataFrame) -> np.ndarray:
    """Return the matrix of the three R formulas in use."""
    one, indirect = np.ones(len(data)), data["indirect"].to_numpy()
    if formula == "~0 + level":
        return np.column_stack([1 - indirect, indirect])
    return np.column_stack([one, indirect, data["rct"], data["year"]]) if "year" in formula else one[:, None]


def nested(data: pd.DataFrame) -> tuple[Component, ...]:
    study = data["code"].to_numpy()
    return Component(name="study", codes=study), Component(name="effect", codes=np.arange(len(data)))


def sampling(data: pd.DataFrame, rho: float = 0.6) -> Sampling:
    return Sampling(variance=data["vi"].to_numpy(), group=data["code"].to_numpy(), rho=rho)


def che(data: pd.DataFrame, X: np.ndarray, **more: object) -> MultilevelFit:
    return multilevel(data["yi"].to_numpy(), sampling(data), X, nested(data), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("fixture", CHE, ids=[fixture["id"] for fixture in CHE])
def test_correlated_and_hierarchical_effects(fixture: dict) -> None:
    """Every fixture at the tolerance stored with it (1e-5; the optimiser of metafor allows no more)."""
    data, expected = read(fixture["inputs"]["data"]), fixture["outputs"]
    fit = che(data, design(fixture["inputs"]["mods"], data))
    assert fit.converged

    def same(actual: object, key: str) -> None:
        np.testing.assert_allclose(
            actual, np.array(expected[key], dtype=float), rtol=fixture["rtol"], atol=fixture["atol"]
        )

    if "vcov" in expected:
        same(fit.coefficients, "estimate")
        same(fit.covariance, "vcov")
        same(fit.sigma2[0], "sigma2_study")
        same(fit.sigma2[1], "sigma2_es")
        same(fit.log_likelihood, "logLik")
        same(fit.q, "QE")
        same(fit.q_p, "QEp")
    elif "Fstat" in expected:
        test = robust_covariance(fit).wald(np.array(fixture["inputs"]["C"]))
        same(test.statistic, "Fstat")
        same(test.df_denominator, "df_denom")
        same(test.p_value, "p")
    elif "t" in expected:
        tests = robust_covariance(fit).contrasts(np.eye(len(fit.coefficients)))
        for field, key in (("std_error", "se"), ("statistic", "t"), ("df", "df"), ("p_value", "p")):
            same([getattr(test, field) for test in tests], key)
    else:
        reach = 1.959963984540054 * np.sqrt(np.diag(fit.covariance) + fit.sigma2.sum())
        same(fit.coefficients - reach, "pi_lb")
        same(fit.coefficients + reach, "pi_ub")


def first() -> tuple[pd.DataFrame, np.ndarray]:
    data = read("meta_1.csv")
    return data, np.arange(len(data))


@pytest.mark.parametrize("case", ["ml", "crossed", "sce", "none", "given"])
def test_other_covariances(case: str) -> None:
    """metafor: maximum likelihood, a level that crosses studies, a variance per group, no levels, given covariances.

    Estimates to 1e-5: metafor's searches end there. Log-likelihoods, flat at the maximum, to 1e-8.
    """
    data, rows = first()
    y, study = data["yi"].to_numpy(), data["code"].to_numpy()
    one, expected = np.ones((len(y), 1)), MORE[case]
    effect = Component(name="effect", codes=rows)
    direct = data["indirect"].to_numpy() == 0
    level = np.column_stack([np.ones(len(y)), data["indirect"]])
    if case == "ml":
        fit = multilevel(y, sampling(data), level, nested(data), method="ML")
    elif case == "crossed":
        scale = ((rows + 1) * 7) % 5
        parts = (Component(name="study", codes=study), Component(name="scale", codes=scale), effect)
        fit = multilevel(y, sampling(data), one, parts)
    elif case == "sce":
        parts = tuple(
            Component(name=name, codes=np.where(which, study, -1))
            for name, which in (("direct", direct), ("indirect", ~direct))
        )
        fit = multilevel(y, sampling(data), np.column_stack([direct, ~direct]).astype(float), (*parts, effect))
    elif case == "none":
        fit = multilevel(y, sampling(data), np.column_stack([one, data["rct"]]), ())
    else:
        matrix = sampling(data).of(rows[None, :], rows)[0]
        matrix[0, 1] = matrix[1, 0] = 0.011
        matrix[3, 5] = matrix[5, 3] = 0.01
        fit = multilevel(y, Sampling(variance=np.diag(matrix), matrix=matrix), one, nested(data))
    assert fit.converged
    found = fit.sigma2.tolist()
    if case == "sce":
        np.testing.assert_allclose(
            [*found[:2], found[2]], [*expected["tau2"], expected["sigma2"]], rtol=1e-5, atol=1e-6
        )
    elif case != "none":
        np.testing.assert_allclose(found, expected["sigma2"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fit.coefficients, expected["b"], rtol=1e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), expected["se"], rtol=1e-5)
    np.testing.assert_allclose([fit.log_likelihood, fit.q], [expected["logLik"], expected["Q"]], rtol=1e-8)


def test_pairs_are_a_given_covariance() -> None:
    data, rows = first()
    given = sampling(data)
    matrix = given.of(rows[None, :], rows)[0]
    matrix[0, 1] = matrix[1, 0] = 0.011
    pairs = (np.array([1]), np.array([0]), np.array([0.011]))
    X, y = np.ones((len(data), 1)), data["yi"].to_numpy()
    one = multilevel(y, Sampling(variance=np.diag(matrix), matrix=matrix), X, nested(data))
    two = multilevel(y, Sampling(variance=given.variance, group=given.group, rho=0.6, pairs=pairs), X, nested(data))
    np.testing.assert_allclose(one.sigma2, two.sigma2, rtol=1e-10)
    assert one.coefficients[0] != che(data, X).coefficients[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_robust_covariance(kind: str) -> None:
    """clubSandwich's standard errors, df and p at a fit whose variances metafor found to 1e-5."""
    data, _ = first()
    X = np.column_stack([np.ones(len(data)), data["indirect"], data["rct"]])
    tests = robust_covariance(che(data, X), kind=kind).contrasts(np.eye(3))  # type: ignore[arg-type]
    expected = MORE[f"robust_{kind}"]
    np.testing.assert_allclose([test.std_error for test in tests], expected["se"], rtol=1e-5)
    np.testing.assert_allclose([test.df for test in tests], expected["df"], rtol=1e-5)
    np.testing.assert_allclose([test.p_value for test in tests], expected["p"], rtol=3e-5)


def test_every_joint_test() -> None:
    data, _ = first()
    X = np.column_stack([np.ones(len(data)), data["indirect"], data["rct"]])
    robust, expected = robust_covariance(che(data, X)), MORE["wald"]
    for k, test in enumerate(("chi-square", "naive F", "HTZ")):
        found = robust.wald(np.eye(3)[1:], test=test)  # type: ignore[arg-type]
        df = np.inf if expected["df"][k] is None else expected["df"][k]
        np.testing.assert_allclose(
            [found.statistic, found.df_denominator, found.p_value], [expected["F"][k], df, expected["p"][k]], rtol=2e-5
        )


def test_clusters_larger_than_studies() -> None:
    data, _ = first()
    team = ((pd.factorize(data["study"], sort=True)[0] + 1) * 3) % 11
    X = np.column_stack([np.ones(len(data)), data["indirect"]])
    fit = che(data, X, cluster=team)
    tests = robust_covariance(fit, cluster=team).contrasts(np.eye(2))
    np.testing.assert_allclose([test.std_error for test in tests], MORE["team"]["se"], rtol=1e-5)
    np.testing.assert_allclose([test.df for test in tests], MORE["team"]["df"], rtol=1e-5)
    with pytest.raises(DesignError, match="several independent blocks"):
        robust_covariance(che(data, X), cluster=team)


def test_a_moderator_that_one_study_has_alone_gets_no_standard_error() -> None:
    """The other coefficients keep clubSandwich's; the study's own dummy and the sum that rests on it get none."""
    data, _ = first()
    X = np.column_stack([np.ones(len(data)), data["study"] == "study02", data["rct"]]).astype(float)
    robust = robust_covariance(che(data, X))
    tests, expected = robust.contrasts(np.eye(3)), MORE["alone"]
    np.testing.assert_allclose([tests[k].std_error for k in (0, 2)], [expected["se"][k] for k in (0, 2)], rtol=1e-5)
    np.testing.assert_allclose([tests[k].df for k in (0, 2)], [expected["df"][k] for k in (0, 2)], rtol=1e-5)
    assert np.isnan([tests[1].std_error, tests[1].df, tests[1].p_value]).all()
    assert np.isnan(robust.wald(np.eye(3)[1:]).p_value)


def dense(y: np.ndarray, X: np.ndarray, V: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """CR2 with matrices as large as the data and V as it stands: covariance and df of every coefficient."""
    W = np.linalg.inv(V)
    M = np.linalg.inv(X.T @ W @ X)
    left = np.eye(len(y)) - X @ M @ X.T @ W
    e, meat, P = left @ y, 0.0, []
    for j in np.unique(cluster):
        at = np.ix_(cluster == j, cluster == j)
        D = np.linalg.cholesky(V[at]).T
        values, vectors = np.linalg.eigh(D @ (left @ V @ left.T)[at] @ D.T)
        A = D.T @ (vectors * values**-0.5) @ vectors.T @ D
        XWA = X[cluster == j].T @ W[at] @ A
        meat = meat + np.outer(XWA @ e[cluster == j], XWA @ e[cluster == j])
        P.append(M @ XWA @ left[cluster == j])
    stacked = np.array(P)
    df = []
    for k in range(X.shape[1]):
        inner = stacked[:, k] @ V @ stacked[:, k].T
        df.append(np.trace(inner) ** 2 / (inner**2).sum())
    return M @ meat @ M, np.array(df)


@pytest.mark.parametrize("spread", [0.1, 1.5])
def test_blocks_equal_dense_algebra(spread: float) -> None:
    """Sizes 1 to 9, variances up to fivehundredfold, an offset of 2,000, which costs the dense way digits."""
    rng = np.random.default_rng(8)
    study = np.repeat(np.arange(12), [1, 3, 9, 4, 2, 8, 6, 1, 1, 2, 5, 4])
    k = len(study)
    v = 0.05 * np.exp(spread * rng.normal(size=k))
    X = np.column_stack([np.ones(k), 2000 + rng.normal(size=k), study % 2])
    y = rng.normal(size=12)[study] * 0.3 + rng.normal(size=k) * np.sqrt(v + 0.03)
    order = rng.permutation(k)
    study, v, X, y = study[order], v[order], X[order], y[order]
    parts = (Component(name="study", codes=study), Component(name="effect", codes=np.arange(k)))
    fit = multilevel(y, Sampling(variance=v, group=study, rho=0.4), X, parts)
    same = study[:, None] == study
    V = 0.4 * np.sqrt(np.outer(v, v)) * same + np.diag(0.6 * v)
    V = V + fit.sigma2[0] * same + fit.sigma2[1] * np.eye(k)
    covariance, df = dense(y, X, V, study)
    robust = robust_covariance(fit)
    np.testing.assert_allclose(robust.covariance, covariance, rtol=1e-6)
    np.testing.assert_allclose([test.df for test in robust.contrasts(np.eye(3))], df, rtol=1e-7)


def test_derivatives() -> None:
    """First and second derivatives against differences of the value; the expectation by its definition tr(P G P G)."""
    data, rows = first()
    X, y = np.column_stack([np.ones(len(data)), data["rct"]]), data["yi"].to_numpy()
    fit = multilevel(y, sampling(data), X, nested(data))
    at, step = np.array([0.03, 0.05]), 1e-5
    for method in ("REML", "ML"):
        here = evaluate(at, fit.batches, fit.U, method=method)  # type: ignore[arg-type]
        for k in range(2):
            move = step * np.eye(2)[k]
            above, below = (evaluate(at + s * move, fit.batches, fit.U, method=method) for s in (1, -1))  # type: ignore[arg-type]
            assert here.gradient[k] == pytest.approx((above.deviance - below.deviance) / (2 * step), rel=1e-6)
            np.testing.assert_allclose(here.observed[k], (above.gradient - below.gradient) / (2 * step), rtol=1e-6)
    study = data["code"].to_numpy()
    G = [(study[:, None] == study).astype(float), np.eye(len(y))]
    V = sampling(data).of(rows[None, :], rows)[0] + at[0] * G[0] + at[1] * G[1]
    W = np.linalg.inv(V)
    P = W - W @ X @ np.linalg.inv(X.T @ W @ X) @ X.T @ W
    expected = [[np.trace(P @ a @ P @ b) for b in G] for a in G]
    np.testing.assert_allclose(evaluate(at, fit.batches, fit.U, method="REML").expected, expected, rtol=1e-9)


def test_the_quick_way_equals_the_general_one() -> None:
    """Study and effect levels without a matrix per study: value and every derivative, for each set of levels."""
    data, rows = first()
    X, y = np.column_stack([np.ones(len(data)), data["rct"], data["year"]]), data["yi"].to_numpy()
    study, effect = nested(data)
    for parts in ((study, effect), (effect, study), (study,), (effect,), ()):
        fit = multilevel(y, sampling(data), X, parts)
        quick = rotated(fit.batches, fit.U, len(parts))
        assert quick is not None
        for method in ("REML", "ML"):
            for at in (np.array([0.03, 0.05]), np.array([0.0, 0.2])):
                one = evaluate(at[: len(parts)], fit.batches, fit.U, method=method)  # type: ignore[arg-type]
                two = quick.evaluate(at[: len(parts)], method=method)  # type: ignore[arg-type]
                for name in ("deviance", "gradient", "observed", "expected", "coefficients", "phi", "distance"):
                    np.testing.assert_allclose(getattr(two, name), getattr(one, name), rtol=1e-9, err_msg=name)
    crossing = Component(name="scale", codes=rows % 5)
    assert rotated(multilevel(y, sampling(data), X, (study, crossing)).batches, fit.U, 2) is None


def test_no_search_ends_below_the_maximum() -> None:
    """40 small syntheses, many with a variance of zero: never worse than the best of a grid."""
    rng = np.random.default_rng(3)
    grid = [np.array([a, b]) for a in (0, 0.005, 0.03, 0.2) for b in (0, 0.005, 0.03, 0.2)]
    zeros = 0
    for _ in range(40):
        sizes = rng.integers(1, 6, 7)
        study = np.repeat(np.arange(7), sizes)
        k = len(study)
        v = rng.uniform(0.01, 0.2, k)
        y = rng.normal(0, 0.15, 7)[study] + rng.normal(0, np.sqrt(v))
        parts = (Component(name="study", codes=study), Component(name="effect", codes=np.arange(k)))
        fit = multilevel(y, Sampling(variance=v, group=study, rho=0.5), np.ones((k, 1)), parts)
        assert fit.converged
        here = evaluate(fit.sigma2, fit.batches, fit.U, method="REML").deviance
        assert here <= min(evaluate(at, fit.batches, fit.U, method="REML").deviance for at in grid) + 1e-9
        zeros += int((fit.sigma2 == 0).any())
    assert zeros > 10


def test_five_thousand_effects_take_less_than_two_seconds() -> None:
    """Fit, CR2, Satterthwaite and HTZ together; metafor and clubSandwich take 88 + 1.4 + 15 s."""
    rng = np.random.default_rng(1)
    sizes = rng.poisson(4, 1000) + 1
    study = np.repeat(np.arange(1000), sizes)[:5000]
    k = len(study)
    v = rng.uniform(0.01, 0.1, k)
    X = np.column_stack([np.ones(k), study % 2, rng.normal(size=k), study % 3])
    error = np.sqrt(v) * (np.sqrt(0.6) * rng.normal(size=1000)[study] + np.sqrt(0.4) * rng.normal(size=k))
    y = 0.3 + rng.normal(0, 0.2, 1000)[study] + rng.normal(0, np.sqrt(0.02), k) + error
    begin = time.process_time()
    parts = (Component(name="study", codes=study), Component(name="effect", codes=np.arange(k)))
    fit = multilevel(y, Sampling(variance=v, group=study, rho=0.6), X, parts)
    robust = robust_covariance(fit)
    robust.contrasts(np.eye(4))
    robust.wald(np.eye(4)[1:])
    assert time.process_time() - begin < 2
    assert fit.converged
    assert fit.sigma2 == pytest.approx([0.04, 0.02], rel=0.2)


REFUSED = {
    "negative variance": ({"v": [0.1, -0.1, 0.1, 0.1]}, "1 sampling variance is zero, negative or missing"),
    "missing effect": ({"y": [0.1, np.nan, 0.2, 0.3]}, "1 missing or infinite"),
    "rho of one": ({"rho": 1.0}, "rho is 1; it must be 0 or more and below 1"),
    "too few effects": ({"X": np.eye(4)}, "4 effects for 4 coefficients"),
    "one effect per study": ({"study": [0, 1, 2, 3]}, '"study" and "effect" cannot be told apart'),
    "one study": ({"study": [0, 0, 0, 0]}, 'variance of "study" cannot be seen'),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses(case: str) -> None:
    changed, message = REFUSED[case]
    given = {
        "y": [0.1, 0.5, 0.2, 0.3], "v": [0.1] * 4, "study": [0, 0, 1, 1], "rho": 0.5, "X": np.ones((4, 1)), **changed
    }  # fmt: skip
    study = np.array(given["study"])
    parts = (Component(name="study", codes=study), Component(name="effect", codes=np.arange(4)))
    with pytest.raises(DesignError, match=message):
        robust_covariance(
            multilevel(np.array(given["y"]), Sampling(variance=np.array(given["v"]), group=study, rho=given["rho"]),
                       given["X"], parts)
        )  # fmt: skip


def test_impossible_covariances_are_refused() -> None:
    matrix = np.array([[0.1, 0.2], [0.2, 0.1]])
    with pytest.raises(DesignError, match="not positive definite"):
        multilevel(np.array([0.1, 0.2]), Sampling(variance=np.diag(matrix), matrix=matrix), np.ones((2, 1)), ())


def test_a_level_that_crosses_studies_has_no_robust_test() -> None:
    data, rows = first()
    parts = (*nested(data), Component(name="scale", codes=((rows + 1) * 7) % 5))
    study = data["code"].to_numpy()
    fit = multilevel(data["yi"].to_numpy(), sampling(data), np.ones((len(data), 1)), parts)
    with pytest.raises(DesignError, match="effects of different clusters depend on each other"):
        robust_covariance(fit, cluster=study)


def test_shares_intervals_and_averages() -> None:
    """metafor: I squared by level 1e-5; confint's limits 1e-3, its own tolerance; averages of studies 1e-9."""
    data, _ = first()
    fit = che(data, np.ones((len(data), 1)))
    np.testing.assert_allclose(i_squared(fit), MORE["i2"], rtol=1e-5)
    for k in range(2):
        np.testing.assert_allclose(component_interval(fit, k), MORE["profile"][str(k + 1)], rtol=1e-3)
    y, v, count = aggregate(data["yi"].to_numpy(), sampling(data), data["code"].to_numpy())
    np.testing.assert_allclose(y, MORE["aggregate"]["yi"], rtol=1e-9)
    np.testing.assert_allclose(v, MORE["aggregate"]["vi"], rtol=1e-9)
    assert count.tolist() == data.groupby("code").size().tolist()


def test_weights_of_robumeta_are_a_diagonal_working_model() -> None:
    """One variance, equal weights in a study: the weighted mean by hand, and CR2 against dense algebra with 1 / w."""
    data, _ = first()
    y, v, study = (data[name].to_numpy() for name in ("yi", "vi", "code"))
    X = np.column_stack([np.ones(len(y)), data["rct"]]).astype(float)
    found = correlated_weights(y, v, X, study)
    size = np.bincount(study)
    weight = (1 / (size * (np.bincount(study, v) / size + found.tau2)))[study]
    W = np.diag(weight)
    np.testing.assert_allclose(found.fit.coefficients, np.linalg.solve(X.T @ W @ X, X.T @ W @ y), rtol=1e-10)
    covariance, df = dense(y, X, np.diag(1 / weight), study)
    robust = robust_covariance(found.fit, cluster=study)
    np.testing.assert_allclose(robust.covariance, covariance, rtol=1e-9)
    np.testing.assert_allclose([test.df for test in robust.contrasts(np.eye(2))], df, rtol=1e-9)
    with pytest.raises(DesignError, match="2 studies for 2 coefficients"):
        correlated_weights(y[:4], v[:4], X[:4], study[:4])


def test_nominal_rate_with_eight_studies() -> None:
    """A seeded share of the simulation in tests/simulation: a moderator of two studies in eight that explains nothing.

    CR2 rejects at most .065 and three Monte Carlo standard errors of 100 runs; the same errors with CR0 and a normal
    quantile reject far more.
    """
    rng = np.random.default_rng(12)
    study = np.repeat(np.arange(8), [1, 3, 8, 2, 5, 1, 4, 2])
    k = len(study)
    v = rng.uniform(0.02, 0.2, k)
    X = np.column_stack([np.ones(k), study < 2]).astype(float)
    parts = (Component(name="study", codes=study), Component(name="effect", codes=np.arange(k)))
    held, naive = 0, 0
    for _ in range(100):
        error = np.sqrt(v) * (np.sqrt(0.7) * rng.normal(size=8)[study] + np.sqrt(0.3) * rng.normal(size=k))
        y = 0.3 + 0.2 * rng.normal(size=8)[study] + 0.1 * rng.normal(size=k) + error
        fit = multilevel(y, Sampling(variance=v, group=study, rho=0.6), X, parts)
        held += robust_covariance(fit).contrasts(np.eye(2)[1:])[0].p_value < 0.05
        naive += abs(robust_covariance(fit, kind="CR0").contrasts(np.eye(2)[1:])[0].statistic) > 1.96
    assert held / 100 < 0.065 + 3 * np.sqrt(0.065 * 0.935 / 100)
    assert naive > 2 * held
