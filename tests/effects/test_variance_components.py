"""Moments of the pooled standard deviation against dense matrices and printed formulas; components against truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sweval.effects.clustered import cluster_factors
from sweval.effects.partially_nested import partially_nested_factors
from sweval.effects.variance_components import (
    anova_icc,
    mean_difference_variance,
    pooled_sd_moments,
)
from sweval.errors import DesignError

Codes = NDArray[np.int64]


def dense(
    arm: Codes, factors: list[Codes], variances: list[float], residual: list[float]
) -> tuple[float, float, float]:
    """Return E(S^2), Var(S^2) and Var(mean difference) from full n x n matrices."""
    n = len(arm)
    V = np.diag(np.array(residual)[arm])
    for code, variance in zip(factors, variances, strict=True):
        Z = (code[:, None] == np.arange(code.max() + 1)).astype(float)
        V = V + variance * Z @ Z.T
    D = (arm[:, None] == np.arange(2)).astype(float)
    M = np.eye(n) - D @ np.diag(1 / D.sum(axis=0)) @ D.T
    w = D[:, 1] / D[:, 1].sum() - D[:, 0] / D[:, 0].sum()
    return (
        float(np.trace(M @ V) / (n - 2)),
        float(2 * np.trace(M @ V @ M @ V) / (n - 2) ** 2),
        float(w @ V @ w),
    )


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), s1=st.floats(0, 2), s2=st.floats(0, 2), r=st.floats(0.1, 3))
def test_moments_equal_dense_matrices_for_any_layout(seed: int, s1: float, s2: float, r: float) -> None:
    """Agencies across both arms, crossed with groups that exist in one arm only, residual variance by arm."""
    rng = np.random.default_rng(seed)
    arm = np.concatenate([[0, 0, 1, 1], rng.integers(0, 2, 40)])
    agency, group = rng.integers(0, 6, arm.size), np.where(arm == 1, rng.integers(0, 5, arm.size), -1)
    residual = [r, 0.4]
    mean, variance, difference = dense(arm, [agency, group], [s1, s2], residual)
    found = pooled_sd_moments(arm, [agency, group], [s1, s2], residual=residual, target=1.7)
    assert found.expected == pytest.approx(mean, rel=1e-10)
    assert found.nu == pytest.approx(2 * mean**2 / variance, rel=1e-10)
    assert found.c == pytest.approx(np.sqrt(mean / 1.7), rel=1e-10)
    assert mean_difference_variance(arm, [agency, group], [s1, s2], residual=residual) == pytest.approx(
        difference, rel=1e-10
    )


@pytest.mark.parametrize("rho", [0.0, 0.05, 0.3, 0.9])
@pytest.mark.parametrize(("treated", "control"), [([7] * 4, [7] * 5), ([3, 9, 1, 14], [6, 2, 11])])
def test_one_factor_is_c_h_and_kappa_of_hedges_2007(treated: list[int], control: list[int], rho: float) -> None:
    sizes = [*control, *treated]
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    arm = np.repeat([0, 1], [sum(control), sum(treated)])
    found = pooled_sd_moments(arm, [cluster], [rho], residual=1 - rho)
    formula = cluster_factors(treated, control, icc=rho)
    assert found.c == pytest.approx(formula.c, rel=1e-12)
    assert found.nu == pytest.approx(formula.nu, rel=1e-12)
    kappa_squared = mean_difference_variance(arm, [cluster], [rho], residual=1 - rho)
    assert kappa_squared == pytest.approx(formula.kappa_squared, rel=1e-12)


@pytest.mark.parametrize("rho", [0.0, 0.1, 0.4])
def test_equal_clusters_give_the_formulas_as_printed(rho: float) -> None:
    """Hedges (2007): c = sqrt(1 - 2(n-1) rho/(N-2)) and h with n for every size."""
    n, clusters = 8, 7
    N = n * clusters
    found = cluster_factors([n] * 3, [n] * 4, icc=rho)
    top = (N - 2) - 2 * (n - 1) * rho
    bottom = (N - 2) * (1 - rho) ** 2 + n * (N - 2 * n) * rho**2 + 2 * (N - 2 * n) * rho * (1 - rho)
    assert found.c == pytest.approx(np.sqrt(top / (N - 2)), rel=1e-12)
    assert found.nu == pytest.approx(top**2 / bottom, rel=1e-12)


@pytest.mark.parametrize("rho", [0.0, 0.15, 0.5])
@pytest.mark.parametrize("model", ["within", "total"])
def test_groups_in_one_arm_are_both_partially_nested_models(model: str, rho: float) -> None:
    n, groups, n_control = 6, 5, 22
    arm = np.repeat([1, 0], [n * groups, n_control])
    group = np.concatenate([np.repeat(np.arange(groups), n), np.full(n_control, -1)])
    residual = [1 - rho if model == "within" else 1.0, 1 - rho]
    found = pooled_sd_moments(arm, [group], [rho], residual=residual, target=1.0)
    formula = partially_nested_factors(
        n_treated=n * groups, n_control=n_control, group_size=n, icc=rho, control_variance=model
    )
    assert found.c == pytest.approx(float(formula.c), rel=1e-12)
    assert found.nu == pytest.approx(float(formula.nu), rel=1e-12)
    assert mean_difference_variance(arm, [group], [rho], residual=residual) == pytest.approx(
        float(formula.kappa_squared), rel=1e-12
    )


@pytest.mark.parametrize("rho", [0.1, 0.25])
def test_partially_nested_formulas_as_printed(rho: float) -> None:
    n, m, nc = 6, 5, 22
    nt = n * m
    N = nt + nc
    within = partially_nested_factors(n_treated=nt, n_control=nc, group_size=n, icc=rho)
    assert float(within.c) == pytest.approx(np.sqrt(1 - (nc + n - 2) * rho / (N - 2)), rel=1e-12)
    assert float(within.inflation) == pytest.approx(1 + (n * nc / N - 1) * rho, rel=1e-12)
    total = partially_nested_factors(n_treated=nt, n_control=nc, group_size=n, icc=rho, control_variance="total")
    big = 1 - rho + n * rho
    assert float(total.c) == pytest.approx(np.sqrt(1 - (n - 1) * rho / (N - 2)), rel=1e-12)
    assert float(total.nu) == pytest.approx(
        ((nt - m) * (1 - rho) + (m - 1) * big + nc - 1) ** 2 / ((nt - m) * (1 - rho) ** 2 + (m - 1) * big**2 + nc - 1),
        rel=1e-12,
    )


def test_anova_icc_is_the_textbook_table() -> None:
    """Mean squares by hand for four clusters of two in two arms."""
    y = [1, 2, 4, 5, 2, 3, 6, 7]
    found = anova_icc(y, [0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 0, 0, 1, 1, 1, 1])
    between, within = (2 * 2 * 1.5**2 + 2 * 2 * 2**2) / 2, 8 * 0.25 / 4
    assert found.within == pytest.approx(within)
    assert found.between == pytest.approx((between - within) / 2)
    assert found.icc == pytest.approx((between - within) / (between + within))
    assert (found.df, found.clusters, found.mean_size, found.truncated) == ((2, 4), 4, 2.0, False)


def test_anova_icc_is_unbiased_and_its_interval_covers_with_unequal_clusters() -> None:
    """4,000 trials with true sigma_B^2 = .3: Monte Carlo error of the mean .004, of the coverage .35 %."""
    rng = np.random.default_rng(7)
    sizes = np.array([3, 8, 12, 5, 20, 6, 9, 4])
    cluster, arm = np.repeat(np.arange(8), sizes), np.repeat(np.repeat([0, 1], 4), sizes)
    between, covered = [], 0
    for _ in range(4000):
        y = rng.normal(scale=np.sqrt(0.3), size=8)[cluster] + rng.normal(scale=np.sqrt(0.7), size=cluster.size) + arm
        found = anova_icc(y, cluster, arm)
        mean_square_between = found.within + found.mean_size * found.between
        between.append((mean_square_between - found.within) / found.mean_size)
        covered += found.conf_low <= 0.3 <= found.conf_high
    assert np.mean(between) == pytest.approx(0.30, abs=0.025)  # truncation adds about .01
    assert covered / 4000 == pytest.approx(0.95, abs=0.02)


def test_a_negative_icc_is_set_to_zero_and_flagged() -> None:
    found = anova_icc([1, 9, 2, 8, 1, 9, 3, 7], np.repeat(np.arange(4), 2), np.repeat([0, 1], 4))
    assert (found.icc, found.between, found.truncated, found.conf_low) == (0.0, 0.0, True, 0.0)


@pytest.mark.parametrize(
    ("cluster", "arm", "words"),
    [([0, 0, 1, 1], [0, 0, 1, 1], "cluster per arm"), ([0, 1, 2, 3], [0, 0, 1, 1], "person per cluster")],
)
def test_what_cannot_be_told_apart_is_refused(cluster: list[int], arm: list[int], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        anova_icc([1.0, 2.0, 3.0, 5.0], cluster, arm)


def test_a_large_register_is_quick_and_small() -> None:
    """200,000 persons in 4,000 groups inside 300 agencies: nothing of size n x n may be built."""
    rng = np.random.default_rng(2)
    agency = rng.integers(0, 300, 200_000)
    arm = (agency % 2).astype(np.int64)
    group = np.where(arm == 1, rng.integers(0, 4000, 200_000), -1)
    found = pooled_sd_moments(arm, [agency, group], [0.1, 0.1], residual=0.8, target=0.95)
    assert 0.99 < found.c < 1
    assert found.nu > 10_000
