"""Cluster trials, growth, partially nested groups, stepped wedges and moderation against `oracles/levels.json`.

The R fits there used default settings, so each entry holds its own tolerance (relative 1e-4 or 1e-3, 1e-6 for exact
formulas); the same models at tight settings are in `tests/models/engine/test_mixed_published.py`. The criterion itself
suffers little from loose settings, and is compared to 1e-6 absolute.
GEE (`crt_gee_logit`, `gee_btheb`) is not a mixed model and not here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweval.models.engine.mixed import kenward_roger
from sweval.models.engine.mixed.fit import MixedFit, mixed_fit
from sweval.models.engine.mixed.model import Factor, Residual
from sweval.models.engine.ols import least_squares
from sweval.models.engine.sandwich import ContrastTest, cluster_covariance

ORACLES = Path(__file__).resolve().parents[3] / "shared" / "oracles"
ENTRIES: dict[str, Any] = {
    entry["id"]: entry for entry in json.loads((ORACLES / "levels.json").read_text(encoding="utf-8"))["entries"]
}


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(ORACLES / "data" / f"{ENTRIES[name]['data']}.csv")


def near(name: str, actual: object, expected: object) -> None:
    """Compare at the tolerance of the entry."""
    rtol = float(ENTRIES[name]["tolerance"].removeprefix("rel "))
    np.testing.assert_allclose(actual, np.array(expected, dtype=float), rtol=rtol)


def near_p(tests: tuple[ContrastTest, ...], expected: list[float]) -> None:
    """Compare p-values; one of 1e-12 changes fifty times as much as its t."""
    np.testing.assert_allclose([test.p_value for test in tests], expected, rtol=1e-3, atol=1e-10)


def columns(*values: Any) -> np.ndarray:
    """Return a constant and these columns."""
    return np.column_stack([np.ones(len(values[0])), *values]).astype(float)


def units(*values: pd.Series) -> np.ndarray:
    return pd.factorize(pd.Series([*zip(*values, strict=True)]))[0]


def one(*values: pd.Series) -> Factor:
    """Return a random intercept."""
    return Factor(units(*values), np.ones((len(values[0]), 1)))


def crt(d: pd.DataFrame) -> MixedFit:
    return mixed_fit(d.Bagrut_status.to_numpy(float), columns(d.treated, d.mother_ed), [one(d.school_id)])


def blues(d: pd.DataFrame) -> MixedFit:
    X = columns(d["bdi.pre"], d.time, d.treatment == "BtheB", d.drug == "Yes", d.length == ">6m")
    return mixed_fit(d.bdi.to_numpy(float), X, [one(d.id)])


def companies(d: pd.DataFrame) -> MixedFit:
    return mixed_fit(d.JSAT.to_numpy(float), columns(d.TIME), [one(d.COMPANY, d.SUBNUM), one(d.COMPANY)])


def wedge(d: pd.DataFrame) -> MixedFit:
    periods = [d.period == k for k in (2, 3, 4, 5)]
    return mixed_fit(d.y.to_numpy(float), columns(*periods, d.trt), [one(d.cp), one(d.cluster)])


def schools(d: pd.DataFrame) -> MixedFit:
    catholic = d.sector == "Catholic"
    X = columns(d.cses, catholic, d.meanses, d.cses * catholic)
    return mixed_fit(d.mAch.to_numpy(float), X, [Factor(units(d.school), columns(d.cses))])


FITS: dict[str, Callable[[pd.DataFrame], MixedFit]] = {
    "crt_lmm": crt,
    "growth_btheb_ri": blues,
    "growth_three_level": companies,
    "sw_nested_exchangeable": wedge,
    "cross_level_moderation": schools,
}


@pytest.mark.parametrize("name", FITS)
def test_mixed_model(name: str) -> None:
    expected, fit = ENTRIES[name]["values"], FITS[name](read(name))
    assert -2 * fit.log_likelihood == pytest.approx(expected["reml"], abs=1e-6)
    near(name, fit.coefficients, expected["est"])
    plain, kr = (fit.contrasts(np.eye(len(fit.coefficients)), df) for df in ("satterthwaite", "kenward-roger"))
    near(name, [test.std_error for test in plain], expected["se"])
    near(name, [test.df for test in plain], expected["df_satt"])
    near(name, [test.std_error for test in kr], expected["se_kr"])
    near(name, [test.df for test in kr], expected["df_kr"])
    for tests, key in ((plain, "p_satt"), (kr, "p_kr")):
        near_p(tests, expected[key])
    listed = [value for C in fit.covariances for value in (*np.diag(C), *C[np.tril_indices(len(C), -1)])]
    near(name, [*listed, fit.residual_variances[0]], expected["vcov"])


@pytest.mark.parametrize("kind", ["CR1", "CR1S", "CR2"])
def test_cluster_robust_trial(kind: Any) -> None:
    name = f"crt_ols_{kind}"
    expected, d = ENTRIES[name]["values"], read(name)
    fit = least_squares(d.Bagrut_status.to_numpy(float), columns(d.treated, d.mother_ed))
    tests = cluster_covariance(fit, units(d.school_id), kind=kind).contrasts(np.eye(3))
    near(name, [test.estimate for test in tests], expected["est"])
    near(name, [test.std_error for test in tests], expected["se"])
    if kind == "CR2":  # the entries give J - 1 df to the others, sweval Satterthwaite's to all
        near(name, [test.df for test in tests], expected["df"])
        near(name, [test.p_value for test in tests], expected["p"])


def test_school_means_within_pairs() -> None:
    name = "crt_cluster_means_pair"
    d, expected = read(name), ENTRIES[name]["values"]
    means = d.groupby("school_id").agg({"Bagrut_status": "mean", "treated": "first", "pair": "first"})
    pairs = [means.pair == pair for pair in sorted(means.pair.unique())[1:]]
    fit = least_squares(means.Bagrut_status.to_numpy(float), columns(means.treated, *pairs))
    near(name, [fit.coefficients[1], fit.standard_errors()[1]], [expected["est"], expected["se"]])


def test_partially_nested_with_a_residual_variance_for_each_arm() -> None:
    name = "pn_heteroscedastic"
    d, expected = read(name), ENTRIES[name]["values"]
    grouped = d.arm == 1
    fit = mixed_fit(
        d.mAch.to_numpy(float),
        columns(d.arm, d.ses),
        [Factor(np.where(grouped, units(d.gid), -1), np.ones((len(d), 1)))],
        residual=Residual(kind="by_class", classes=d.arm.to_numpy()),
    )
    assert fit.log_likelihood == pytest.approx(expected["logLik"], abs=1e-6)
    near(name, fit.coefficients, [*expected["fixed"].values()])
    near(name, np.sqrt(np.diag(fit.covariance)), [*expected["se"].values()])
    near(name, fit.covariances[0].item(), expected["tau2"])
    sigma = expected["sigma"]  # of the arm with groups, nlme's reference here
    near(name, np.sqrt(fit.residual_variances), [sigma * expected["ratio"]["0"], sigma])


OCCASIONS = (2, 3, 5, 8)


def repeated(kind: Any) -> MixedFit:
    """Fit the marginal model of Beat the Blues: an effect of the arm at every wave."""
    d = read("mmrm_us")
    treated = (d.treatment == "BtheB").to_numpy(float)
    waves = [(d.time == time).to_numpy(float) for time in OCCASIONS[1:]]
    X = columns(d["bdi.pre"], treated, *waves, *(treated * wave for wave in waves))
    wave = np.searchsorted(OCCASIONS, d.time)
    return mixed_fit(d.bdi.to_numpy(float), X, [], residual=Residual(kind=kind, unit=units(d.id), occasion=wave))


def correlation(eta: float) -> float:
    """Return mmrm's correlation of its unbounded parameter."""
    return float(eta / np.sqrt(1 + eta * eta))


def unbounded(rho: float) -> float:
    return float(rho / np.sqrt(1 - rho * rho))


def unstructured(fit: MixedFit) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Return log standard deviations and a unit triangle, whose rows are scaled to a correlation by the former."""
    lower = np.tril_indices(4, -1)

    def theta(eta: np.ndarray) -> np.ndarray:
        L = np.eye(4)
        L[lower] = eta[4:]
        L = np.diag(np.exp(eta[:4])) @ L
        return (L @ L.T).T[np.triu_indices(4)]

    assert fit.residual_covariance is not None
    root = np.linalg.cholesky(fit.residual_covariance)
    scale = np.diag(root)
    return np.concatenate([np.log(scale), (root / scale[:, None])[lower]]), theta


def compound_symmetry(fit: MixedFit) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Return log standard deviation and unbounded correlation; the engine has variance less covariance, covariance."""

    def theta(eta: np.ndarray) -> np.ndarray:
        variance, rho = np.exp(2 * eta[0]), correlation(eta[1])
        return np.array([variance * (1 - rho), variance * rho])

    assert fit.correlation is not None
    return np.array([np.log(fit.residual_variances[0]) / 2, unbounded(fit.correlation)]), theta


def ar1(fit: MixedFit) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Return log standard deviation and unbounded correlation; the engine has the variance and the correlation."""

    def theta(eta: np.ndarray) -> np.ndarray:
        return np.array([np.exp(2 * eta[0]), correlation(eta[1])])

    assert fit.correlation is not None
    return np.array([np.log(fit.residual_variances[0]) / 2, unbounded(fit.correlation)]), theta


def derivatives(at: np.ndarray, theta: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return d theta / d eta (t, s) and the second derivatives (s, s, t) by central differences, right to 1e-6."""
    h = 1e-4 * np.eye(len(at))
    first = np.column_stack([(theta(at + a) - theta(at - a)) / 2e-4 for a in h])
    second = [
        [(theta(at + a + b) - theta(at + a - b) - theta(at - a + b) + theta(at - a - b)) / 4e-8 for b in h] for a in h
    ]
    return first, np.array(second)


@pytest.mark.parametrize("name", ["mmrm_us", "mmrm_cs", "mmrm_ar1"])
def test_repeated_measures_as_mmrm_has_them(name: str) -> None:
    """mmrm takes Kenward and Roger's formulas in parameters of its own and with the observed information.

    sweval takes them in variances (and rho) and with the expected information, which simulation supports; in mmrm's
    parameters its derivatives must give mmrm's numbers.
    """
    kind, own = {
        "mmrm_us": ("unstructured", unstructured),
        "mmrm_cs": ("compound_symmetry", compound_symmetry),
        "mmrm_ar1": ("ar1", ar1),
    }[name]
    fit, expected = repeated(kind), ENTRIES[name]["values"]
    # mmrm's optimiser stops up to 1.4e-6 below the best
    assert -1e-7 < 2 * fit.log_likelihood - expected["reml2"] < 2e-6
    plain = fit.contrasts(np.eye(9))
    near(name, [test.estimate for test in plain], expected["satt"]["est"])
    near(name, [test.std_error for test in plain], expected["satt"]["se"])
    near(name, [test.df for test in plain], expected["satt"]["df"])
    near_p(plain, expected["satt"]["p"])
    found = fit.variances.reparametrised(*derivatives(*own(fit)))
    H = np.linalg.solve(fit._root.T, np.eye(9)).T
    adjusted = kenward_roger.contrasts(found, H, fit.coefficients, "observed")
    near(name, [test.std_error for test in adjusted], expected["kr"]["se"])
    near(name, [test.df for test in adjusted], expected["kr"]["df"])
    near_p(adjusted, expected["kr"]["p"])
