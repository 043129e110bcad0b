"""Do the intervals of agreement hold what they promise: against brute force, draws, and simulated ratings."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special

import sweval as sw
from sweval.scoring import agreement_chance as chance
from sweval.scoring import agreement_icc as icc
from sweval.scoring import agreement_spread as spread
from sweval.scoring.agreement_aggregation import _order_limits

REFERENCE = Path(__file__).parents[1] / "reference" / "agreement"
RATERS = list("abc")


def codes(seed: int, units: int, gaps: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ratings = np.clip(rng.integers(1, 5, (units, 1)) + rng.integers(-1, 2, (units, 3)), 1, 5).astype(float)
    ratings[rng.random(ratings.shape) < gaps] = np.nan
    return pd.DataFrame(ratings, columns=RATERS)


@pytest.mark.parametrize(
    ("kind", "measure", "gaps"),
    [
        ("kappa", "kappa", 0.0),
        ("weighted_kappa", "kappa_quadratic", 0.0),
        ("fleiss", "fleiss_kappa", 0.0),
        ("gwet", "gwet_ac2_linear", 0.0),
        ("krippendorff", "krippendorff_alpha_nominal", 0.25),
        ("krippendorff", "krippendorff_alpha_ordinal", 0.25),
        ("krippendorff", "krippendorff_alpha_interval", 0.25),
        ("krippendorff", "krippendorff_alpha_ratio", 0.25),
    ],
)
def test_the_interval_is_that_of_leaving_out_each_unit_in_turn(kind: str, measure: str, gaps: float) -> None:
    """The features only save time: dropping rows from the data gives the same interval."""
    frame = codes(11, 14, gaps)
    frame = frame[frame.notna().sum(axis=1) >= 2].reset_index(drop=True)

    def estimate(rows: pd.DataFrame) -> float:
        result = sw.agreement(rows, raters=RATERS, kind=kind, scale=(1, 5))
        return next(row.estimate for row in result.estimates if row.measure == measure)

    row = next(
        row
        for row in sw.agreement(frame, raters=RATERS, kind=kind, scale=(1, 5)).estimates
        if row.measure == measure and row.term == "all raters"
    )
    n = len(frame)
    left_out = np.array([estimate(frame.drop(index=place)) for place in range(n)])
    error = np.sqrt((n - 1) / n * np.square(left_out - left_out.mean()).sum())
    half = special.stdtrit(n - 1, 0.975) * error / (1 - row.estimate**2)
    expected = np.tanh(np.arctanh(row.estimate) + np.array([-half, half]))
    assert (row.conf_low, row.conf_high) == pytest.approx(tuple(expected), rel=1e-9)
    assert (row.n, row.df) == (n, n - 1)


def test_large_sample_variance_of_weighted_kappa_is_the_delta_method() -> None:
    """A numerical gradient of kappa in the cells of the table, independent of the formula."""
    rng = np.random.default_rng(3)
    shares = rng.dirichlet(np.ones(16)).reshape(4, 4)
    weights = chance.agreement_weights(np.arange(4.0), "quadratic")

    def kappa(table: np.ndarray) -> float:
        expected = table.sum(axis=1) @ weights @ table.sum(axis=0)
        return float(((table * weights).sum() - expected) / (1 - expected))

    gradient = np.zeros((4, 4))
    for place in np.ndindex(4, 4):
        step = np.zeros((4, 4))
        step[place] = 1e-6
        gradient[place] = (kappa(shares + step) - kappa(shares - step)) / 2e-6
    variance = (shares * gradient**2).sum() - (shares * gradient).sum() ** 2
    assert spread.kappa_variance(shares, weights) == pytest.approx(variance, rel=1e-7)


@pytest.mark.parametrize("kind", ["fleiss", "gwet"])
def test_linearization_and_jackknife_meet_in_large_samples(kind: str) -> None:
    counts = chance.category_counts(codes(5, 2000).to_numpy(dtype=int) - 1, 5)
    weights = chance.agreement_weights(np.arange(5.0), "linear" if kind == "gwet" else "unweighted")
    make = chance.fleiss_kappa if kind == "fleiss" else chance.gwet_ac
    jackknife = spread.jackknife_error(spread.leave_one_out(make(counts, weights)))
    assert np.sqrt(spread.linearized_variance(counts, weights, kind)) == pytest.approx(jackknife, rel=2e-3)


def test_wald_s_interval_is_exact_for_units_of_unequal_size() -> None:
    """2,000 draws of normal members lie within 3 standard errors of 95 %, however unequal the units."""
    rng = np.random.default_rng(20240101)
    sizes = np.array([2, 2, 3, 10, 20, 5, 4, 8])
    units = np.repeat(np.arange(len(sizes)), sizes)
    for rho in (0.0, 0.3):
        held = 0
        for _ in range(2000):
            values = np.sqrt(rho) * rng.normal(size=len(sizes))[units] + np.sqrt(1 - rho) * rng.normal(size=len(units))
            found = icc.intraclass_of_units(icc.one_way(values, units), 0.95)
            held += found.low <= rho <= found.high
        assert abs(held / 2000 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 2000)


def test_generalized_limits_are_quantiles_of_the_generalized_pivot() -> None:
    """A million draws of the three chi-squares instead of quadrature; .002 is three standard errors of a quantile."""
    rng = np.random.default_rng(8)
    ratings = rng.normal(size=(15, 1)) + 0.7 * rng.normal(size=(1, 3)) + 0.6 * rng.normal(size=(15, 3))
    ms = icc.mean_squares(ratings)
    n, k, draws = ms.n, ms.k, 1_000_000
    units = ms.units * (n - 1) / rng.chisquare(n - 1, draws)
    raters = ms.raters * (k - 1) / rng.chisquare(k - 1, draws)
    error = ms.error * (n - 1) * (k - 1) / rng.chisquare((n - 1) * (k - 1), draws)
    between = (units - error) / k
    pivot = between / (between + (raters - error) / n + error)
    assert icc.generalized_limits(ms, 0.9) == pytest.approx(tuple(np.quantile(pivot, [0.05, 0.95])), abs=2e-3)


def test_generalized_limits_stay_where_a_correlation_can_be() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        ratings = rng.normal(size=(4, 2))
        low, high = icc.generalized_limits(icc.mean_squares(ratings), 0.95)
        assert -1 <= low < high <= 1


def test_fisher_interval_of_kappa_with_twenty_units() -> None:
    """Three raters, five categories: 1,000 studies within 3 standard errors of 95 %, or above."""
    rng = np.random.default_rng(20240101)
    weights = np.eye(5)

    def study(units: int) -> chance.Coefficient:
        ratings = rng.integers(0, 5, (units, 3))
        same = rng.random(units) < 0.6
        ratings[same] = ratings[same, :1]
        return chance.conger_kappa(ratings, weights)

    true = study(200_000).estimate
    assert true == pytest.approx(0.6, abs=0.01)
    held = 0
    for _ in range(1000):
        found = study(20)
        error = spread.jackknife_error(spread.leave_one_out(found))
        low, high = spread.fisher_interval(found.estimate, error, 19, 0.95)
        held += low <= true <= high
    assert held / 1000 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 1000)


def test_what_was_simulated_is_what_the_documentation_says() -> None:
    """coverage.csv, made by coverage.py: 2,000 studies for each line."""
    with (REFERENCE / "coverage.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    usual = [
        row
        for row in rows
        if row["made"] in {"by_cause", "rounded"}
        and not row["kind"].startswith("gwet_ac2")
        and not row["kind"].endswith("bootstrap")
    ]
    assert min(float(row["coverage"]) for row in usual if int(row["units"]) >= 20) > 0.90
    assert min(float(row["coverage"]) for row in usual) > 0.80
    drawn = [float(row["coverage"]) for row in rows if row["kind"].endswith("bootstrap") and int(row["units"]) <= 20]
    assert sum(drawn) / len(drawn) < 0.90
    general = [float(row["coverage"]) for row in rows if row["kind"] == "icc_2_1_generalized"]
    assert len(general) == 24
    assert 0.94 < min(general) <= max(general) < 0.97
    assert min(float(row["coverage"]) for row in rows if row["kind"] == "icc_2_1") < 0.80


@pytest.mark.parametrize("count", [6, 9, 15, 40])
def test_order_statistics_hold_the_median(count: int) -> None:
    """The number of values below the median is binomial, so the confidence of the limits is known exactly."""
    values = np.arange(float(count))
    low, high = _order_limits(values, 0.95)
    assert low is not None
    assert high is not None
    missed = 2 * special.bdtr(low, count, 0.5)  # the median lies below the limit with so many values below it
    assert missed <= 0.05
    assert high == count - 1 - low
    if low + 1 < high - 1:
        assert 2 * special.bdtr(low + 1, count, 0.5) > 0.05  # the next narrower limits would promise too much


def test_five_units_have_no_order_limits() -> None:
    assert _order_limits(np.arange(5.0), 0.95) == (None, None)
