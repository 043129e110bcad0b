"""The closed form for groups in one arm, against Welch's test and against the algebra written out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sweval.errors import DesignError
from sweval.models.engine.group_means import deviations, group_mean_difference


def layout(rng: np.random.Generator, k: int = 6, controls: int = 30) -> tuple[np.ndarray, np.ndarray]:
    group = np.concatenate([np.repeat(np.arange(k), rng.integers(1, 9, k)), np.full(controls, -1)])
    return group, rng.normal(size=len(group)) + np.where(group >= 0, rng.normal(size=k)[group], 0)


def test_without_adjusters_it_is_welch_of_group_means_against_clients() -> None:
    group, y = layout(np.random.default_rng(1))
    found = group_mean_difference(y, np.zeros((len(y), 0)), group).effect()
    means = [y[group == k].mean() for k in range(6)]
    expected = stats.ttest_ind(means, y[group < 0], equal_var=False)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert found.df == pytest.approx(expected.df, rel=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-10)


def test_slope_and_its_share_of_the_variance_written_out() -> None:
    rng = np.random.default_rng(2)
    group, y = layout(rng)
    x = rng.normal(size=len(y)) + (group >= 0)
    y = y + 0.7 * x
    found = group_mean_difference(y, x[:, None], group)
    unit = np.where(group < 0, 6, group)
    dx, dy = (v - np.array([v[unit == k].mean() for k in range(7)])[unit] for v in (x, y))
    slope = dx @ dy / (dx @ dx)
    assert found.slopes[0] == pytest.approx(slope, rel=1e-12)
    e, treated = dy - slope * dx, group >= 0
    share = (dx[~treated] @ dx[~treated]) / (dx @ dx)
    s2 = {
        True: e[treated] @ e[treated] / (treated.sum() - 6 - (1 - share)),
        False: e[~treated] @ e[~treated] / ((~treated).sum() - 1 - share),
    }
    adjusted = np.array([(y - slope * x)[group == k].mean() for k in range(6)])
    apart = np.mean([x[group == k].mean() for k in range(6)]) - x[~treated].mean()
    variance = (
        adjusted.var(ddof=1) / 6
        + s2[False] / (~treated).sum()
        + apart**2 * (s2[True] * (1 - share) + s2[False] * share) / (dx @ dx)
    )
    effect = found.effect()
    assert effect.estimate == pytest.approx(adjusted.mean() - (y - slope * x)[~treated].mean(), rel=1e-12)
    assert effect.std_error == pytest.approx(np.sqrt(variance), rel=1e-12)
    assert 5 < effect.df < len(y)


def test_adding_a_constant_to_the_adjuster_moves_only_the_intercept() -> None:
    rng = np.random.default_rng(3)
    group, y = layout(rng)
    x = rng.normal(size=len(y))
    one, other = (group_mean_difference(y, (x + shift)[:, None], group) for shift in (0.0, 1e4))
    assert one.effect().estimate == pytest.approx(other.effect().estimate, rel=1e-9)
    assert one.effect().std_error == pytest.approx(other.effect().std_error, rel=1e-9)
    assert one.intercept().std_error < other.intercept().std_error


def test_an_adjuster_that_is_the_same_within_groups_is_left_out() -> None:
    rng = np.random.default_rng(4)
    group, y = layout(rng)
    leader = np.where(group >= 0, np.array([0.1, 0.7, 0.3, 0.9, 1.3, 2.1])[group], 0.4)
    found = group_mean_difference(y, np.column_stack([leader, rng.normal(size=len(y))]), group)
    assert found.kept == (1,)


def test_groups_of_one_member_are_fine() -> None:
    rng = np.random.default_rng(5)
    group = np.concatenate([np.arange(5), np.full(12, -1)])
    y, x = rng.normal(size=17), rng.normal(size=17)
    assert np.isfinite(group_mean_difference(y, x[:, None], group).effect().p_value)


def test_refused() -> None:
    with pytest.raises(DesignError, match="fewer than two groups"):
        group_mean_difference(np.arange(6.0), np.zeros((6, 0)), np.array([0, 0, 0, -1, -1, -1]))
    with pytest.raises(DesignError, match="too few clients"):
        group_mean_difference(
            np.array([1.0, 2, 4, 3, 5, 1]), np.array([[1.0], [1], [2], [2], [1], [4]]), np.array([0, 0, 1, 1, -1, -1])
        )


def test_deviations_leave_exact_zeros() -> None:
    values = np.column_stack([np.repeat([0.1, 1e8 + 0.3], 3), np.arange(6.0)])
    out = deviations(values, np.repeat([0, 1], 3))
    assert not out[:, 0].any()
    assert out[:, 1].tolist() == [-1, 0, 1, -1, 0, 1]
