"""Intervals of variance components end where the likelihood says, agree with lme4, and cover."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.stats import f as f_distribution

from sweval.effects.variance_components import anova_icc
from sweval.models.engine.mixed import icc as shares_of_variance
from sweval.models.engine.mixed import profile
from sweval.models.engine.mixed.fit import MixedFit, mixed_fit
from sweval.models.engine.mixed.icc import icc_intervals
from sweval.models.engine.mixed.model import Factor, Residual
from sweval.models.engine.mixed.profile import profile_intervals

FOLDER = Path(__file__).parents[2] / "reference"
LME4 = json.loads((FOLDER / "profile" / "profile.json").read_text(encoding="utf-8"))
CRITICAL = 3.841458820694124  # chi-square(1), 95 %


def columns(d: pd.DataFrame, *names: str) -> np.ndarray:
    return np.column_stack([np.ones(len(d)), *(d[name].to_numpy(float) for name in names)])


def codes(d: pd.DataFrame, *names: str) -> np.ndarray:
    return pd.factorize(d[list(names)].astype(str).agg("/".join, axis=1))[0]


def reference_fit(name: str) -> MixedFit:
    """Fit a model of lme4's reference, factors in lme4's order."""
    d = pd.read_csv(FOLDER / "mixed" / f"{name}.csv")
    one = np.ones((len(d), 1))
    X, factors = {
        "lmm_few": lambda: (columns(d, "x", "treat"), [Factor(codes(d, "group"), one)]),
        "lmm_zero": lambda: (columns(d, "x", "z"), [Factor(codes(d, "group"), one)]),
        "lmm_3level": lambda: (
            columns(d, "x", "w"),
            [Factor(codes(d, "school", "classroom"), one), Factor(codes(d, "school"), one)],
        ),
        "lmm_slope": lambda: (
            np.column_stack([columns(d, "time", "treat"), d["time"] * d["treat"]]),
            [Factor(codes(d, "id"), columns(d, "time"))],
        ),
        "lmm_cross": lambda: (
            columns(d, "cond", "length"),
            [Factor(codes(d, "subject"), one), Factor(codes(d, "item"), one)],
        ),
    }[name]()
    return mixed_fit(d["y"].to_numpy(float), X, factors)


@pytest.mark.parametrize("name", ["lmm_few", "lmm_zero", "lmm_3level", "lmm_slope", "lmm_cross"])
def test_intervals_of_the_full_likelihood_are_those_of_lme4(name: str) -> None:
    found = profile_intervals(reference_fit(name), likelihood="full")
    if name == "lmm_slope":  # lme4 lists the correlation between the two standard deviations
        found = (found[0], found[2], found[1], found[3])
    # lme4 reads its limits off a spline through the profile, at best good to about five digits
    np.testing.assert_allclose([x.low for x in found], LME4[name]["low"], rtol=3e-5, atol=1e-6)
    np.testing.assert_allclose([x.high for x in found], LME4[name]["high"], rtol=3e-5)


def small_data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return outcome, time, client and agency of 12 clients x 5 waves in 4 agencies."""
    rng = np.random.default_rng(8)
    client, wave = np.repeat(np.arange(12), 5), np.tile(np.arange(5.0), 12)
    y = 2 * rng.normal(size=12)[client] + (0.7 * rng.normal(size=12)[client]) * wave
    return y + rng.normal(size=60) * (1 + 0.5 * (wave > 2)), wave, client, client // 3


def dense_deviance(V: np.ndarray, y: np.ndarray, X: np.ndarray, *, reml: bool) -> float:
    """Return -2 log L up to a constant, with matrices as large as the data."""
    sign, logdet = np.linalg.slogdet(V)
    if sign <= 0:
        return np.inf
    inverse = np.linalg.inv(V)
    C = X.T @ inverse @ X
    r = y - X @ np.linalg.solve(C, X.T @ inverse @ y)
    return float(logdet + r @ inverse @ r + (np.linalg.slogdet(C)[1] if reml else 0.0))


def least(function, start: np.ndarray) -> float:
    """Minimise without derivatives, again and again from where the last search ended."""
    x, best = np.asarray(start, dtype=float), np.inf
    for _ in range(8):
        found = minimize(function, x, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000})
        x = found.x
        if best - found.fun < 1e-10:
            break
        best = found.fun
    return float(found.fun)


@pytest.mark.parametrize("reml", [True, False])
def test_limits_are_where_the_deviance_of_dense_algebra_is_3_84_above_its_minimum(*, reml: bool) -> None:
    y, wave, client, _ = small_data()
    X = np.column_stack([np.ones(60), wave])
    fit = mixed_fit(y, X, [Factor(client, X)], reml=reml)
    same = client[:, None] == client

    def cov(a: float, b: float, rho: float, s: float) -> np.ndarray:
        psi = np.array([[a * a, rho * a * b], [rho * a * b, b * b]])
        return same * (X @ psi @ X.T) + s * s * np.eye(60)

    psi = fit.covariances[0]
    a, b = np.sqrt(np.diag(psi))
    at = np.array([a, b, psi[0, 1] / (a * b), np.sqrt(fit.residual_variances[0])])

    def deviance(x: np.ndarray) -> float:
        x = np.array([abs(x[0]), abs(x[1]), np.tanh(x[2]), x[3]])
        return dense_deviance(cov(*x), y, X, reml=reml)

    inside = np.array([at[0], at[1], np.arctanh(at[2]), at[3]])
    minimum = deviance(inside)
    for number, found in zip((0, 1, 2, 3), profile_intervals(fit), strict=True):
        for limit in (found.low, found.high):
            if limit in (0.0, -1.0, 1.0):
                continue
            held = np.arctanh(limit) if number == 2 else limit
            free = [k for k in range(4) if k != number]

            def rest(x: np.ndarray, free=free, number=number, held=held) -> float:
                full = np.empty(4)
                full[free], full[number] = x, held
                return deviance(full)

            # the search without derivatives ends within 1e-6 of the least value
            assert least(rest, inside[free]) - minimum == pytest.approx(CRITICAL, abs=2e-5)


@pytest.mark.parametrize("kind", ["by_class", "ar1", "compound_symmetry"])
def test_limits_of_residual_structures_are_where_dense_algebra_has_them(kind: str) -> None:
    y, wave, client, agency = small_data()
    X = np.column_stack([np.ones(60), wave])
    late = (wave > 2).astype(int)
    residual = {
        "by_class": Residual(kind="by_class", classes=late),
        "ar1": Residual(kind="ar1", unit=client, occasion=wave.astype(int)),
        "compound_symmetry": Residual(kind="compound_symmetry", unit=client),
    }[kind]
    fit = mixed_fit(y, X, [Factor(agency, np.ones((60, 1)))], residual=residual)
    same = (client[:, None] == client).astype(float)

    def cov(x: np.ndarray) -> np.ndarray:
        tau = x[0] ** 2 * (agency[:, None] == agency)
        if kind == "by_class":
            return tau + np.diag(np.where(late, x[2], x[1]) ** 2)
        rho = np.tanh(x[2])
        apart = np.abs(wave[:, None] - wave)
        R = same * np.power(rho, apart) if kind == "ar1" else np.where(apart == 0, same, same * rho)
        return tau + x[1] ** 2 * R

    found = [x for x in profile_intervals(fit) if x.factor is None]
    third = fit.residual_variances[1] ** 0.5 if kind == "by_class" else np.arctanh(fit.correlation or 0.0)
    inside = np.array([fit.covariances[0][0, 0] ** 0.5, fit.residual_variances[0] ** 0.5, third])

    def deviance(x: np.ndarray) -> float:
        return dense_deviance(cov(x), y, X, reml=True)

    assert [x.kind for x in found] == ["residual_sd", "residual_sd" if kind == "by_class" else "residual_correlation"]
    for number, interval in enumerate(found, start=1):
        for limit in (interval.low, interval.high):
            held = np.arctanh(limit) if interval.kind == "residual_correlation" else limit
            free = [k for k in range(3) if k != number]

            def rest(x: np.ndarray, free=free, number=number, held=held) -> float:
                full = np.empty(3)
                full[free], full[number] = x, held
                return deviance(full)

            starts = [inside[free], inside[free] + 0.5]  # a variance of zero is stationary for any data
            assert min(least(rest, s) for s in starts) - deviance(inside) == pytest.approx(CRITICAL, abs=2e-5)


def test_limits_do_not_depend_on_units_and_origin() -> None:
    y, wave, client, _ = small_data()
    X, other = np.column_stack([np.ones(60), wave]), np.column_stack([np.ones(60), 2020 + wave / 365])
    plain = profile_intervals(mixed_fit(y, X, [Factor(client, X)]))
    moved = profile_intervals(mixed_fit(1000 * y + 1e6, other, [Factor(client, other)]))
    for number, scale in ((1, 365_000.0), (3, 1000.0)):  # the slope and the residual keep their meaning
        expected = [scale * plain[number].low, scale * plain[number].high]
        np.testing.assert_allclose([moved[number].low, moved[number].high], expected, rtol=1e-5)


def test_the_boundary_is_a_limit_where_it_is_within() -> None:
    zero = profile_intervals(reference_fit("lmm_zero"))[0]
    assert (zero.estimate, zero.low) == (0.0, 0.0)
    assert 0.3 < zero.high < 1
    y, wave, client, _ = small_data()
    X = np.column_stack([np.ones(15), wave[:15]])
    three = profile_intervals(mixed_fit(y[:15], X, [Factor(client[:15], X)]))
    correlation = next(x for x in three if x.kind == "correlation")
    assert np.isnan(correlation.low) or correlation.low == -1 or correlation.high == 1


def singular_data(seed: int) -> MixedFit:
    """Return a fit whose three effects of 10 units vary in two directions only."""
    rng = np.random.default_rng(seed)
    unit, wave = np.repeat(np.arange(10), 12), np.tile(np.repeat(np.arange(3), 4), 10)
    X = np.column_stack([np.ones(120), wave == 1, wave == 2]).astype(float)
    effects = rng.normal(size=(10, 2)) @ np.array([[1.5, -0.5, -0.4], [0, 0.6, 0.5]])
    y = (X * effects[unit]).sum(axis=1) + rng.normal(size=120)
    return mixed_fit(y, X, [Factor(unit, X)])


def test_a_correlation_of_a_singular_fit_ends_where_dense_algebra_has_it_and_not_at_its_estimate() -> None:
    # with one standard deviation at zero the deviance is flat in the correlation; a search that begins there once took
    # the estimate itself for its limit
    fit = singular_data(30)
    assert fit.any_singular
    found = next(x for x in profile_intervals(fit) if x.kind == "correlation" and x.effects == (0, 1))
    assert found.low < found.estimate < found.high
    same = fit.factors[0].codes[:, None] == fit.factors[0].codes

    def deviance(x: np.ndarray, rho: float) -> float:
        L = np.array([[1, 0, 0], [rho, np.sqrt(1 - rho * rho), 0], x[2:5]]) * np.append(np.exp(x[:2]), 1.0)[:, None]
        V = same * (fit.X @ L @ L.T @ fit.X.T) + np.exp(2 * x[5]) * np.eye(fit.n)
        return dense_deviance(V, fit.y, fit.X, reml=True)

    psi, residual = fit.covariances[0], fit.residual_variances[0]
    sds = np.sqrt(np.diag(psi))
    third = np.linalg.lstsq(
        np.array([[sds[0], 0], [found.estimate * sds[1], np.sqrt(1 - found.estimate**2) * sds[1]]]),
        psi[2, :2],
        rcond=None,
    )[0]
    start = np.array([*np.log(sds[:2]), *third, 0.1, np.log(residual) / 2])
    minimum = dense_deviance(same * (fit.X @ psi @ fit.X.T) + residual * np.eye(fit.n), fit.y, fit.X, reml=True)
    # the search without derivatives ends within 1e-3 of the least value where a variance is lost
    assert least(lambda x: deviance(x, found.high), start) - minimum == pytest.approx(CRITICAL, abs=1e-3)


def test_a_correlation_is_not_bounded_where_one_of_the_two_may_not_vary_at_all() -> None:
    found = profile_intervals(singular_data(15))
    sds = {x.effects[0]: x for x in found if x.kind == "sd" and x.factor == 0}
    loose = [x for x in found if x.kind == "correlation" and 0 in (sds[k].low for k in x.effects)]
    assert loose
    assert all((x.low, x.high) == (-1, 1) for x in loose)


@pytest.mark.parametrize("lower", [0.5, np.nan])
def test_there_is_no_interval_where_the_profile_finds_a_better_fit_or_nothing(
    lower: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = reference_fit("lmm_slope")
    minimum = profile._Profile._minimum

    def wrong(self: profile._Profile, *arguments: object) -> tuple[float, np.ndarray]:
        value, at = minimum(self, *arguments)
        return value - 100 * lower, at

    monkeypatch.setattr(profile._Profile, "_minimum", wrong)
    for found in profile_intervals(fit):
        assert np.isnan(found.low), found
        assert np.isnan(found.high), found


def test_small_models_take_a_fraction_of_a_second() -> None:
    fit = reference_fit("lmm_slope")
    profile_intervals(fit)
    start = time.process_time()
    first = profile_intervals(fit)
    assert time.process_time() - start < 1.5  # about .25 s on an idle core
    assert profile_intervals(fit) == first


def clustered(rng: np.random.Generator, sizes: np.ndarray, tau: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return outcome, design and clusters; the arm is assigned to clusters and a covariate to clients."""
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    n = len(cluster)
    X = np.column_stack([np.ones(n), cluster % 2, rng.normal(size=n)])
    return tau * rng.normal(size=len(sizes))[cluster] + rng.normal(size=n), X, cluster


def test_the_interval_of_the_icc_is_searles_for_equal_sizes() -> None:
    rng = np.random.default_rng(0)
    y, _, cluster = clustered(rng, np.full(8, 10), 1.0)
    (found,) = icc_intervals(mixed_fit(y, np.ones((80, 1)), [Factor(cluster, np.ones((80, 1)))]))
    expected = anova_icc(y, cluster, np.zeros(80, dtype=int))
    np.testing.assert_allclose(
        [found.estimate, found.low, found.high], [expected.icc, expected.conf_low, expected.conf_high], rtol=1e-7
    )


def test_the_interval_of_the_icc_ends_at_quantiles_of_f() -> None:
    rng = np.random.default_rng(3)
    y, X, cluster = clustered(rng, np.array([3, 9, 14, 5, 22, 7, 4]), 1.2)
    n, Z = len(y), (cluster[:, None] == np.arange(7)).astype(float)
    (found,) = icc_intervals(mixed_fit(y, X, [Factor(cluster, np.ones((n, 1)))]))
    both = np.column_stack([X, Z])
    rank = np.linalg.matrix_rank(both)
    residual = y - both @ np.linalg.lstsq(both, y, rcond=None)[0]
    for icc, probability in ((found.low, 0.975), (found.high, 0.025)):
        inverse = np.linalg.inv(np.eye(n) + icc / (1 - icc) * Z @ Z.T)
        e = y - X @ np.linalg.solve(X.T @ inverse @ X, X.T @ inverse @ y)
        ratio = (e @ inverse @ e - residual @ residual) / (rank - 3) / (residual @ residual / (n - rank))
        assert ratio == pytest.approx(f_distribution.ppf(probability, rank - 3, n - rank), rel=1e-6)


def test_intervals_cover_with_eight_clusters() -> None:
    rng = np.random.default_rng(11)
    runs, hits = 120, np.zeros(2)
    for _ in range(runs):
        y, X, cluster = clustered(rng, np.maximum(3, rng.gamma(2, 7.5, 8)).astype(int), 0.5)
        fit = mixed_fit(y, X, [Factor(cluster, np.ones((len(y), 1)))])
        (icc,) = icc_intervals(fit)
        sd = profile_intervals(fit)[0]
        hits += icc.low <= 0.2 <= icc.high, sd.low <= 0.5 <= sd.high
    # three Monte Carlo standard errors; the profile is approximate with eight clusters, so .93 is asked of it
    assert hits[0] / runs > 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)
    assert hits[1] / runs > 0.93 - 3 * np.sqrt(0.93 * 0.07 / runs)


def test_shares_of_several_factors_have_profile_intervals() -> None:
    fit = reference_fit("lmm_3level")
    found = icc_intervals(fit)
    total = sum(float(psi[0, 0]) for psi in fit.covariances) + fit.residual_variances[0]
    for share, psi in zip(found, fit.covariances, strict=True):
        assert share.estimate == pytest.approx(float(psi[0, 0]) / total)
        assert 0 <= share.low < share.estimate < share.high < 1
    assert not found[0].exact
    # held at its limit, the share's restricted deviance is 3.84 above the minimum
    codes_of = [factor.codes for factor in fit.factors]

    def deviance(classroom: float, school: float, s: float) -> float:
        V = s**2 * np.eye(fit.n)
        for value, code in ((classroom, codes_of[0]), (school, codes_of[1])):
            V += value * (code[:, None] == code)
        return dense_deviance(V, fit.y, fit.X, reml=True)

    psi = [float(p[0, 0]) for p in fit.covariances]
    s = fit.residual_variances[0] ** 0.5
    for limit in (found[0].low, found[0].high):
        odds = limit / (1 - limit)
        held = least(lambda x, odds=odds: deviance(odds * (x[0] ** 2 + x[1] ** 2), x[0] ** 2, x[1]), [psi[1] ** 0.5, s])
        assert held - deviance(psi[0], psi[1], s) == pytest.approx(CRITICAL, abs=2e-5)


def test_models_without_a_single_icc_have_none() -> None:
    y, wave, client, agency = small_data()
    X = np.column_stack([np.ones(60), wave])
    assert icc_intervals(mixed_fit(y, X, [Factor(client, X)])) == ()
    by_class = Residual(kind="by_class", classes=(wave > 2).astype(int))
    assert icc_intervals(mixed_fit(y, X, [Factor(agency, np.ones((60, 1)))], residual=by_class)) == ()


def test_less_variation_than_chance_still_has_an_upper_limit() -> None:
    rng = np.random.default_rng(6)
    cluster = np.repeat(np.arange(10), 8)
    y = rng.normal(size=80)
    y = y - np.bincount(cluster, y)[cluster] / 8  # all clusters have the same mean
    (found,) = icc_intervals(mixed_fit(y, np.ones((80, 1)), [Factor(cluster, np.ones((80, 1)))]))
    assert (found.estimate, found.low) == (0.0, 0.0)
    assert 0.01 < found.high < 0.3


@pytest.mark.parametrize("better", [True, False])
def test_shares_have_no_interval_where_the_profile_finds_a_better_fit_or_nothing(
    *, better: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = shares_of_variance.minimise

    def wrong(criterion: object, start: np.ndarray) -> tuple[object, object, float]:
        if not better:
            raise np.linalg.LinAlgError
        phi, at, fall = whole(criterion, start)
        return phi, replace(at, value=at.value - 50), fall

    monkeypatch.setattr(shares_of_variance, "minimise", wrong)
    for found in icc_intervals(reference_fit("lmm_3level")):
        assert np.isnan(found.low), found
        assert np.isnan(found.high), found


def test_a_residual_standard_deviation_that_may_be_zero_has_an_interval_from_zero() -> None:
    # six rows in each class: the deviance levels off below the cut, and rounding errors far down are no limit
    rng = np.random.default_rng(3)
    row = np.arange(72)
    agency, worker, x = row % 9, row // 6, rng.normal(size=72)
    y = x + rng.normal(size=9)[agency] + rng.normal(size=72) * (1 + worker / 6)
    first = worker < 4
    residual = Residual(kind="by_class", classes=worker[first])
    X = np.column_stack([np.ones(24), x[first]])
    fit = mixed_fit(y[first], X, [Factor(agency[first], np.ones((24, 1)))], residual=residual)
    found = [x for x in profile_intervals(fit) if x.kind == "residual_sd"]
    assert [x.low == 0 for x in found] == [True, True, False, False]
    # an upper limit that the search cannot follow, as with some versions of scipy, is none
    assert all(np.isnan(x.high) or x.estimate < x.high < 5 for x in found)
    assert sum(np.isnan(x.high) for x in found) <= 1


@pytest.mark.parametrize("seed", [101, 110])
def test_a_correlation_of_one_is_not_more_than_one(seed: int) -> None:
    for found in profile_intervals(singular_data(seed)):
        assert found.low <= found.estimate <= found.high
