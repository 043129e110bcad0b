"""Array functions for clustered clients: the single-study functions, traces of the layout, and simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import sweval as sw
from sweval.effects.clustered_differences import ClusterSizes
from sweval.errors import DesignError

LAYOUTS = [([20] * 5, [20] * 5), ([4, 9, 20], [5, 10, 25]), ([3, 3, 8, 12], [30, 2])]


@pytest.mark.parametrize("scale", ["total", "within"])
def test_arrays_hold_what_the_row_of_one_study_holds(scale: str) -> None:
    treated, control = (ClusterSizes.of(*(pair[k] for pair in LAYOUTS)) for k in (0, 1))
    found = sw.effects.clustered_difference(
        [2.0, 1.0, -3.0], sd=[10.0, 8.0, 9.0], treated=treated, control=control, icc=[0.1, 0.3, 0.0], scale=scale
    )
    for k, (sizes_t, sizes_c) in enumerate(LAYOUTS):
        row = sw.effects.clustered_g(
            [2.0, 1.0, -3.0][k], sd=[10.0, 8.0, 9.0][k], sizes_treated=sizes_t, sizes_control=sizes_c,
            icc=[0.1, 0.3, 0.0][k], scale=scale,
        )  # fmt: skip
        for name, array in (("estimate", found.g), ("conf_low", found.conf_low), ("variance", found.variance)):
            assert getattr(row, name) == pytest.approx(float(array[k]), rel=1e-10)


def test_equal_sizes_need_no_list() -> None:
    listed = [ClusterSizes.of([12] * m) for m in (7, 6)]
    counted = [ClusterSizes(persons=12 * m, clusters=m) for m in (7, 6)]
    for scale in ("total", "within", "between", "model"):
        one, other = (
            sw.effects.clustered_difference(2.0, sd=5.0, treated=pair[0], control=pair[1], icc=0.2, scale=scale)
            for pair in (listed, counted)
        )
        for name in ("g", "nu", "variance", "conf_high"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-12)
    row = sw.effects.clustered_g(2.0, sd=5.0, sizes_treated=[12] * 7, sizes_control=[12] * 6, icc=0.2, scale="between")
    between = sw.effects.clustered_difference(
        2.0, sd=5.0, treated=counted[0], control=counted[1], icc=0.2, scale="between"
    )
    assert float(between.g) == pytest.approx(row.estimate, rel=1e-12)
    assert float(between.nu) == pytest.approx(11, rel=1e-12)


def test_between_with_unequal_sizes_is_what_the_traces_of_the_layout_say() -> None:
    """c, nu and kappa from E and Var of the quadratic form, written with matrices."""
    sizes, icc = ([3, 8, 20, 4], [6, 6, 15]), 0.25
    mean, half, means = 0.0, 0.0, 0.0
    for arm in sizes:
        m = len(arm)
        V = np.diag([icc + (1 - icc) / n for n in arm])
        M = np.eye(m) - 1 / m
        mean, half = mean + np.trace(M @ V), half + np.trace(M @ V @ M @ V)
        means += V.sum() / m**2
    arms = [ClusterSizes.of(arm) for arm in sizes]
    found = sw.effects.clustered_difference(1.0, sd=1.0, treated=arms[0], control=arms[1], icc=icc, scale="between")
    assert float(found.nu) == pytest.approx(mean**2 / half, rel=1e-12)
    assert float(found.d) == pytest.approx(np.sqrt(mean / 5 / icc), rel=1e-12)
    assert float(found.weight_variance) == pytest.approx(means / icc, rel=1e-12)


def test_nu_of_a_models_variance_is_that_of_pustejovsky_2016() -> None:
    """df_puste of VIVECampbell: N = 100, n = 5, ICC = .1 -> n^2 M (M - 2) / {M[(n-1)rho+1]^2 + (M-2)(n-1)(1-rho)^2}."""
    arm = ClusterSizes(persons=50, clusters=10)
    found = sw.effects.clustered_difference(1.0, sd=1.0, treated=arm, control=arm, icc=0.1, scale="model")
    expected = 25 * 20 * 18 / (20 * 1.4**2 + 18 * 4 * 0.9**2)
    assert float(found.nu) == pytest.approx(expected, rel=1e-12)


def test_a_test_that_ignored_the_clusters_is_corrected() -> None:
    """sd = 1 and d = t sqrt(1/N_T + 1/N_C): the statistic is then the corrected t of Hedges (2007b), df h."""
    arm = ClusterSizes(persons=100, clusters=5)
    found = sw.effects.clustered_difference(2.5 * np.sqrt(0.02), sd=1.0, treated=arm, control=arm, icc=0.1)
    t, df = sw.effects.corrected_t(2.5, persons=200, mean_size=20, icc=0.1)
    assert [float(found.statistic), float(found.df)] == pytest.approx([float(t), float(df)], rel=1e-12)


def test_a_clustered_standard_error_brings_its_own_degrees_of_freedom() -> None:
    arm = ClusterSizes(persons=60, clusters=4)
    found = sw.effects.clustered_difference(3.0, sd=9.0, treated=arm, control=arm, icc=0.15, clustered=(1.4, 6.2))
    given = sw.effects.clustered_difference(3.0, sd=9.0, treated=arm, control=arm, icc=0.15)
    assert float(found.statistic) == pytest.approx(3 / 1.4, rel=1e-12)
    assert float(found.df) == 6.2
    assert float(found.g) == float(given.g)
    assert found.interval == "generalized interval"


@pytest.mark.parametrize("model", ["within", "total"])
def test_partially_nested_arrays_hold_what_the_row_holds(model: str) -> None:
    row = sw.effects.partially_nested_g(
        3.1, sd=9.4, group_sizes=[7] * 12, n_control=71, icc=0.1, control_variance=model
    )
    found = sw.effects.partially_nested_difference(
        [3.1, 3.1], sd=9.4, n_treated=84, n_control=71, group_size=7, icc=0.1, control_variance=model
    )
    assert found.g == pytest.approx([row.estimate] * 2, rel=1e-12)
    assert found.conf_high == pytest.approx([row.conf_high] * 2, rel=1e-9)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"icc": 1.0}, "icc: an intraclass correlation"),
        ({"icc": 0.0, "scale": "between"}, "no variance between clusters"),
        ({"scale": "persons"}, "scale must be"),
        ({"treated": ClusterSizes(persons=3, clusters=4)}, "treated: an arm needs"),
        ({"treated": ClusterSizes(persons=5, clusters=1), "control": ClusterSizes(persons=5, clusters=1),
          "scale": "between"}, "too few clusters"),
    ],
)  # fmt: skip
def test_impossible_trials_are_refused(bad: dict[str, Any], words: str) -> None:
    arm = ClusterSizes(persons=60, clusters=4)
    given: dict[str, Any] = {"sd": 2.0, "treated": arm, "control": arm, "icc": 0.1}
    with pytest.raises(DesignError, match=words):
        sw.effects.clustered_difference(1.0, **(given | bad))
    with pytest.raises(DesignError, match="whole numbers"):
        ClusterSizes.of([4, 2.5])  # type: ignore[list-item]


def test_unequal_cluster_means_are_unbiased_units() -> None:
    """6 + 6 clusters of 3 to 30, ICC .2, effect 1 in units of the clusters' standard deviation."""
    sizes: list[NDArray[np.float64]] = [np.array([4.0, 6, 8, 10, 15, 30]), np.array([3.0, 5, 9, 12, 20, 26])]
    rng, icc = np.random.default_rng(12), 0.2
    means = [rng.normal(0, np.sqrt(icc + (1 - icc) / n), (4000, 6)) for n in sizes]
    s = np.sqrt(sum(part.var(axis=1, ddof=1) * 5 for part in means) / 10)
    arms = [ClusterSizes.of([int(k) for k in n]) for n in sizes]
    error = means[0].mean(axis=1) - means[1].mean(axis=1)
    found = sw.effects.clustered_difference(
        error + np.sqrt(icc), sd=s, treated=arms[0], control=arms[1], icc=icc, scale="between"
    )
    off = found.g - 1 - error * (np.cov(found.g, error)[0, 1] / error.var())
    assert abs(off.mean()) < 3.5 * off.std() / np.sqrt(4000) + 0.005
    covered = ((found.conf_low <= 1) & (found.conf_high >= 1)).mean()
    assert 0.94 - 3 * 0.0035 < covered < 0.96 + 3 * 0.0035
