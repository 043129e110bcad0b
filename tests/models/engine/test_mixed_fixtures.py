"""The mixed-model engine against lme4, lmerTest and pbkrtest on eight made-up data sets (`reference/mixed`).

Tolerances are those of the design: log-likelihood 1e-8 absolute; relative: estimates 1e-6, standard errors 1e-5,
Satterthwaite's df 1e-4, Kenward-Roger's df 1e-6. lme4 stops at a variance within about 1e-6 of its own optimum, which
is what limits variances, and what follows from them, to the tolerance stored with the fixture.
The random effects of the same eight fits (`ranef.json`) are tested with the module that computes them, `test_modes`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.models.engine.mixed.fit import MixedFit, mixed_fit
from sweval.models.engine.mixed.model import Factor

FOLDER = Path(__file__).parents[2] / "reference" / "mixed"
FIXTURES = {
    fixture["id"]: fixture for fixture in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
}
NAMES = ["lmm_few", "lmm_zero", "lmm_3level", "lmm_slope", "lmm_cross", "lmm_pn", "lmm_crt", "lmm_year"]
REML_AND_ML = [(name, method) for name in NAMES for method in ("reml", "ml")]


def units(*columns: pd.Series) -> np.ndarray:
    """Number the units of one column, or of one within another."""
    return pd.factorize(pd.Series([*zip(*columns, strict=True)]))[0]


def intercepts(*groups: str) -> Callable[[pd.DataFrame], list[Factor]]:
    """Return what makes random intercepts of these columns."""
    return lambda d: [Factor(units(d[group]), np.ones((len(d), 1))) for group in groups]


def nested(d: pd.DataFrame) -> list[Factor]:
    """Return classrooms within schools: their labels start anew in every school."""
    one = np.ones((len(d), 1))
    return [Factor(units(d.school, d.classroom), one), Factor(units(d.school), one)]


def slope(d: pd.DataFrame) -> list[Factor]:
    """Return an intercept and a slope of time for every id."""
    return [Factor(units(d.id), np.column_stack([np.ones(len(d)), d.time]))]


def treated(d: pd.DataFrame) -> list[Factor]:
    """Return effects of the groups of the treated arm only."""
    return [Factor(units(d.group), d[["treat"]].to_numpy(float))]


MODELS: dict[str, tuple[tuple[str, ...], Callable[[pd.DataFrame], list[Factor]]]] = {
    "lmm_few": (("x", "treat"), intercepts("group")),
    "lmm_zero": (("x", "z"), intercepts("group")),
    "lmm_3level": (("x", "w"), nested),
    "lmm_slope": (("time", "treat", "time:treat"), slope),
    "lmm_cross": (("cond", "length"), intercepts("subject", "item")),
    "lmm_pn": (("treat", "x"), treated),
    "lmm_crt": (("treat", "pre"), intercepts("cluster")),
    "lmm_year": (("year", "post"), intercepts("site")),
}


@functools.cache
def fitted(name: str, method: str) -> MixedFit:
    """Fit one of the eight models."""
    d = pd.read_csv(FOLDER / f"{name}.csv")
    terms, factors = MODELS[name]
    columns = [d[list(term.split(":"))].prod(axis=1).to_numpy(float) for term in terms]
    X = np.column_stack([np.ones(len(d)), *columns])
    return mixed_fit(d["y"].to_numpy(float), X, factors(d), reml=method == "reml")


def near(actual: object, expected: object, rtol: float, atol: float = 0.0) -> None:
    np.testing.assert_allclose(actual, np.array(expected, dtype=float), rtol=rtol, atol=atol)


def test_all_fixtures_are_used() -> None:
    kinds = ("satterthwaite", "satterthwaite_joint", "kr", "kr_joint")
    used = {f"{name}_{method}_{kind}" for name, method in REML_AND_ML for kind in ("loglik", "estimates")}
    assert set(FIXTURES) == used | {f"{name}_{kind}" for name in NAMES for kind in kinds}
    assert len(FIXTURES) == 64  # and 8 of random effects


@pytest.mark.parametrize(("name", "method"), REML_AND_ML)
def test_log_likelihood(name: str, method: str) -> None:
    fit, expected = fitted(name, method), FIXTURES[f"{name}_{method}_loglik"]["outputs"]
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(expected["logLik"], abs=1e-8)
    assert (fit.n, len(fit.coefficients)) == (expected["n"], expected["p"])


@pytest.mark.parametrize(("name", "method"), REML_AND_ML)
def test_estimates(name: str, method: str) -> None:
    fit, fixture = fitted(name, method), FIXTURES[f"{name}_{method}_estimates"]
    expected = fixture["outputs"]
    near(fit.coefficients, expected["fixef"], 1e-6)
    near(np.sqrt(np.diag(fit.covariance)), expected["se"], 1e-5)
    near(fit.covariance, expected["vcov"], fixture["rtol"])
    sigma2 = fit.residual_variances[0]
    near(np.sqrt(sigma2), expected["sigma"], 1e-6)
    # lme4 lists variances before covariances, and theta is the Cholesky root of the covariance over sigma
    listed = [value for C in fit.covariances for value in (*np.diag(C), *C[np.tril_indices(len(C), -1)])]
    scale = max(*listed, sigma2)
    near([*listed, sigma2], expected["VarCorr"]["vcov"], fixture["rtol"], fixture["rtol"] * scale)
    for C, theta in zip(fit.covariances, split(expected["theta"], fit), strict=True):
        L = np.zeros_like(C)
        L.T[np.triu_indices(len(C))] = theta
        near(C / sigma2, L @ L.T, fixture["rtol"], fixture["rtol"])


def split(theta: list[float], fit: MixedFit) -> list[list[float]]:
    """Return theta by factor."""
    ends = np.cumsum([len(C) * (len(C) + 1) // 2 for C in fit.covariances])[:-1]
    return [part.tolist() for part in np.split(np.array(theta), ends)]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "lmm_zero"])
def test_satterthwaite(name: str) -> None:
    fit, expected = fitted(name, "reml"), FIXTURES[f"{name}_satterthwaite"]["outputs"]
    tests = fit.contrasts(np.eye(len(fit.coefficients)), "satterthwaite")
    near([test.estimate for test in tests], expected["estimate"], 1e-6)
    near([test.std_error for test in tests], expected["se"], 1e-5)
    near([test.df for test in tests], expected["df"], 1e-4)
    near([test.statistic for test in tests], expected["t"], 1e-5)
    # far out in the tail a relative change of t counts t^2 times
    near([test.p_value for test in tests], expected["p"], 1e-4, 1e-8)
    assert not fit.any_singular


@pytest.mark.parametrize("name", [name for name in NAMES if name != "lmm_zero"])
def test_satterthwaite_of_several_contrasts(name: str) -> None:
    fixture = FIXTURES[f"{name}_satterthwaite_joint"]
    expected = fixture["outputs"]
    found = fitted(name, "reml").joint(np.array(fixture["inputs"]["L"], dtype=float), "satterthwaite")
    near(found.statistic, expected["F"], 2e-5)  # twice the tolerance of a standard error
    assert found.df_numerator == expected["ndf"]
    near(found.df_denominator, expected["ddf"], 1e-4)
    near(found.p_value, expected["p"], 1e-4, 1e-8)


def test_a_variance_of_zero_is_flagged_and_lmertest_is_wrong_there() -> None:
    """lmerTest gives n - p = 83 df to every coefficient of data in 12 groups, as if there were no groups.

    The engine says that the fit is singular, which tells its callers to use Kenward-Roger's df: 20 for the intercept.
    """
    fit = fitted("lmm_zero", "reml")
    for kind in ("satterthwaite", "satterthwaite_joint"):
        expected = FIXTURES[f"lmm_zero_{kind}"]["outputs"]
        near(expected["df" if kind == "satterthwaite" else "ddf"], 83, 1e-9)
    assert fit.n - len(fit.coefficients) == 83
    assert fit.singular == (True,)
    assert fit.any_singular
    assert fit.covariances[0].item() == 0
    near(fit.contrasts(np.eye(3), "kenward-roger")[0].df, 19.957269559600, 1e-6)
    # the estimates and plain standard errors of lmerTest are right nevertheless
    expected = FIXTURES["lmm_zero_satterthwaite"]["outputs"]
    near(fit.coefficients, expected["estimate"], 1e-6)
    near(np.sqrt(np.diag(fit.covariance)), expected["se"], 1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_kenward_roger(name: str) -> None:
    fit, expected = fitted(name, "reml"), FIXTURES[f"{name}_kr"]["outputs"]
    tests = fit.contrasts(np.eye(len(fit.coefficients)), "kenward-roger")
    near([test.std_error for test in tests], expected["se"], 1e-5)
    near([test.df for test in tests], expected["df"], 1e-6)
    near([test.statistic for test in tests], expected["t"], 1e-5)
    near([test.p_value for test in tests], expected["p"], 1e-4, 1e-8)
    near(adjusted(fit), expected["vcov"], 2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_kenward_roger_of_several_contrasts(name: str) -> None:
    fixture, fit = FIXTURES[f"{name}_kr_joint"], fitted(name, "reml")
    expected, L = fixture["outputs"], np.array(fixture["inputs"]["L"], dtype=float)
    found = fit.joint(L, "kenward-roger")
    near(found.statistic, expected["F"], 2e-5)
    assert found.df_numerator == expected["ndf"]
    near(found.df_denominator, expected["ddf"], 1e-6)
    near(found.p_value, expected["p"], 1e-4, 1e-8)
    value = L @ fit.coefficients
    unscaled = value @ np.linalg.solve(L @ adjusted(fit) @ L.T, value) / len(L)
    near(unscaled, expected["F_unscaled"], 2e-5)
    near(found.statistic / unscaled, expected["F_scaling"], 1e-6)


def adjusted(fit: MixedFit) -> np.ndarray:
    """Return Kenward and Roger's covariance from the standard errors of sums and differences of coefficients."""
    p = len(fit.coefficients)
    i, j = (index.ravel() for index in np.indices((p, p)))
    sums, differences = np.eye(p)[i] + np.eye(p)[j], np.eye(p)[i] - np.eye(p)[j]
    plus = np.array([test.std_error for test in fit.contrasts(sums, "kenward-roger")])
    apart = i != j
    minus = np.zeros(p * p)
    minus[apart] = [test.std_error for test in fit.contrasts(differences[apart], "kenward-roger")]
    return ((plus**2 - minus**2) / 4).reshape(p, p)
