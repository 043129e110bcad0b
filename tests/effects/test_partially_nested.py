"""Reported partially nested trials: limits, unequal groups, the two variance models, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sweval as sw
from sweval.effects.variance_components import mean_difference_variance, pooled_sd_moments
from sweval.errors import DesignError


@pytest.mark.parametrize("model", ["within", "total"])
def test_without_correlation_it_is_the_two_group_effect(model: str) -> None:
    row = sw.effects.partially_nested_g(3.0, sd=8.0, group_sizes=[6] * 5, n_control=25, icc=0.0, control_variance=model)
    plain = sw.effects.hedges_g_from_summary(
        mean_treated=3.0, sd_treated=8.0, n_treated=30, mean_control=0.0, sd_control=8.0, n_control=25
    )
    for field in ("estimate", "variance", "weight_variance", "conf_low", "conf_high", "p_value", "df", "n"):
        assert getattr(row, field) == pytest.approx(getattr(plain, field), rel=1e-12)
    assert (row.clusters, row.level_assigned) == (5, "client")


@pytest.mark.parametrize("model", ["within", "total"])
def test_unequal_groups_are_exact(model: str) -> None:
    """The row's variance, df and factor are those of the layout spelled out person by person."""
    sizes, n_control, icc = [3, 9, 5, 8, 4], 17, 0.2
    row = sw.effects.partially_nested_g(
        2.0, sd=5.0, group_sizes=sizes, n_control=n_control, icc=icc, control_variance=model
    )
    arm = np.repeat([1, 0], [sum(sizes), n_control])
    group = np.concatenate([np.repeat(np.arange(5), sizes), np.full(n_control, -1)])
    residual = [1 - icc if model == "within" else 1.0, 1 - icc]
    layout = pooled_sd_moments(arm, [group], [icc], residual=residual, target=1.0)
    assert row.df == pytest.approx(layout.nu, rel=1e-12)
    assert row.estimate == pytest.approx(layout.c * 0.4 * float(sw.effects.small_sample_factor(layout.nu)), rel=1e-12)
    assert row.weight_variance == pytest.approx(
        mean_difference_variance(arm, [group], [icc], residual=residual), rel=1e-12
    )
    assert model in ("within", "total")
    assert ("within groups" in row.method) == (model == "within")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"control_variance": "equal"}, "within"),
        ({"icc": 1.0}, "intraclass"),
        ({"group_sizes": [12]}, "two or more groups"),
        ({"n_control": 1}, "two persons"),
        ({"group_sizes": [2.5, 3]}, "whole numbers"),
        ({"better": "more"}, "higher"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"sd": 8.0, "group_sizes": [6, 6], "n_control": 10, "icc": 0.1}
    with pytest.raises(DesignError, match=words):
        sw.effects.partially_nested_g(3.0, **(given | change))


def test_factors_refuse_one_group() -> None:
    with pytest.raises(DesignError, match="more than one group"):
        sw.effects.partially_nested_factors(n_treated=8, n_control=10, group_size=8, icc=0.1)


def test_reported_variances_are_corrected_as_vivecampbell_does_without_its_rounding() -> None:
    """vgt_smd_1armcluster(84, 71, 7, ICC = .1, g = .31): groups modelled, and gain scores without."""
    layout = {"n_treated": 84, "n_control": 71, "group_size": 7, "icc": 0.1}
    sizes = 1 / 84 + 1 / 71
    post = sw.effects.partially_nested_variance(0.31, weight_variance=sizes, **layout, groups_modelled=True)
    assert float(post.variance) == pytest.approx(0.0250237207451729, rel=1e-12)
    assert float(post.weight_variance) == pytest.approx(0.0246982987248107, rel=1e-12)
    gain = sw.effects.partially_nested_variance(0.31, weight_variance=0.8 * sizes, **layout)
    assert float(gain.variance) == pytest.approx(0.02570436232888, rel=1e-12)
    coefficient = sw.effects.partially_nested_variance(0.31, weight_variance=(1.9 / 9.4) ** 2, **layout, covariates=4)
    assert float(coefficient.variance) == pytest.approx(0.0502046624456152, rel=1e-12)
    assert float(coefficient.df) == pytest.approx(143.654421008521, rel=1e-12)
    with pytest.raises(DesignError, match="more persons than covariates"):
        sw.effects.partially_nested_variance(0.31, weight_variance=sizes, **layout, covariates=200)
