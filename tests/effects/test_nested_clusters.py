"""Clusters in clusters: two levels are Hedges (2007), three follow from the expected sum of squares, simulation."""

from __future__ import annotations

import numpy as np
import pytest

import sweval as sw
from sweval.effects.kernel import small_sample_factor
from sweval.errors import DesignError

TEAM = np.repeat(np.arange(24), 8)
AGENCY, ARM = TEAM // 3, (TEAM < 12).astype(int)


def test_two_levels_are_those_of_hedges_2007() -> None:
    sizes = ([4, 9, 20], [5, 10, 25, 3])
    cluster = np.repeat(np.arange(7), [*sizes[0], *sizes[1]])
    row = sw.effects.nested_clusters_g(2.0, sd=5.0, arm=(cluster < 3).astype(int), factors=[cluster], iccs=[0.2])
    same = sw.effects.clustered_g(2.0, sd=5.0, sizes_treated=sizes[0], sizes_control=sizes[1], icc=0.2)
    for name in ("estimate", "std_error", "conf_low", "df", "n", "clusters", "metric", "level_assigned"):
        left, right = getattr(row, name), getattr(same, name)
        assert left == (right if isinstance(right, str) else pytest.approx(right, rel=1e-10)), name


def test_three_levels_of_equal_size() -> None:
    """E(S^2)(N - 2) = (N - 2) - 2(pn - 1) rho_1 - 2(n - 1) rho_2 and Var = (2/m)(rho_1 + rho_2/p + rest/(pn))."""
    n, p, m, rho = 8, 3, 4, (0.08, 0.05)
    row = sw.effects.nested_clusters_g(2.1, sd=6.0, arm=ARM, factors=[AGENCY, TEAM], iccs=rho)
    persons = 2 * m * p * n
    c = np.sqrt(1 - (2 * (p * n - 1) * rho[0] + 2 * (n - 1) * rho[1]) / (persons - 2))
    assert row.estimate == pytest.approx(2.1 / 6 * c * float(small_sample_factor(row.df)), rel=1e-12)
    kappa_squared = 2 / m * (rho[0] + rho[1] / p + (1 - sum(rho)) / (p * n))
    assert row.weight_variance == pytest.approx(kappa_squared, rel=1e-12)
    assert row.clusters == 8


def test_three_levels_hold_the_truth() -> None:
    rng, runs, truth = np.random.default_rng(4), 3000, 0.6
    y = (
        rng.normal(0, np.sqrt(0.15), (runs, 8))[:, AGENCY]
        + rng.normal(0, np.sqrt(0.1), (runs, 24))[:, TEAM]
        + rng.normal(0, np.sqrt(0.75), (runs, TEAM.size))
    )
    arms = [y[:, k == ARM] for k in (0, 1)]
    error = arms[1].mean(axis=1) - arms[0].mean(axis=1)
    s = np.sqrt(sum(part.var(axis=1) * 96 for part in arms) / 190)
    row = sw.effects.nested_clusters_g(1.0, sd=1.0, arm=ARM, factors=[AGENCY, TEAM], iccs=[0.15, 0.1])
    g = (error + truth) / s * row.estimate
    off = g - truth - error * (np.cov(g, error)[0, 1] / error.var())
    assert abs(off.mean()) < 0.01
    low = sw.effects.noncentral_t_interval((error + truth) / s * row.statistic, row.df)
    kappa = np.sqrt(row.weight_variance or 0)
    covered = ((low[0] * kappa <= truth) & (truth <= low[1] * kappa)).mean()
    assert abs(covered - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / runs)


@pytest.mark.parametrize("iccs", [[0.5, 0.5], [0.1], [-0.1, 0.2], []])
def test_impossible_shares_are_refused(iccs: list[float]) -> None:
    with pytest.raises(DesignError, match="share of the variance"):
        sw.effects.nested_clusters_g(1.0, sd=1.0, arm=ARM, factors=[AGENCY, TEAM], iccs=iccs)
