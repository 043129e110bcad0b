"""Two arms of clients: the classical tests, and CR2 where a cluster is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sweval.effects.kernel import standardize
from sweval.models.engine.ols import least_squares
from sweval.models.engine.sandwich import cluster_covariance
from sweval.models.two_group import TwoGroup

ARMS = {"arm": "offer", "treated": "group_work", "control": "usual"}


def test_without_baseline_it_is_the_t_test_and_hedges_g(program: pd.DataFrame) -> None:
    result = TwoGroup(**ARMS).fit(program, "post", better="lower")
    sides = [program.post[program.offer == label] for label in ("group_work", "usual")]
    expected = stats.ttest_ind(*sides)
    row, effect = result.effect("coefficient", term="offer[group_work]"), result.effect("hedges_g")
    # 1e-12: the same closed form by another route
    assert row.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert (row.df, effect.df) == (len(program) - 2, len(program) - 2)
    assert row.p_value == pytest.approx(expected.pvalue, rel=1e-11)
    sizes = [len(side) for side in sides]
    sd = np.sqrt(sum((n - 1) * side.var() for n, side in zip(sizes, sides, strict=True)) / (sum(sizes) - 2))
    wanted = standardize(
        sides[1].mean() - sides[0].mean(),
        sd,
        nu=sum(sizes) - 2,
        kappa=np.sqrt(sum(1 / n for n in sizes)),
        df=sum(sizes) - 2,
    )
    assert effect.estimate == pytest.approx(float(wanted.g), rel=1e-12)
    assert effect.variance == pytest.approx(float(wanted.variance), rel=1e-12)
    assert effect.weight_variance == pytest.approx(sum(1 / n for n in sizes), rel=1e-12)
    assert (effect.conf_low, effect.conf_high) == pytest.approx(
        (float(wanted.conf_low), float(wanted.conf_high)), rel=1e-9
    )
    assert effect.std_error == pytest.approx(np.sqrt(effect.variance), rel=1e-12)
    assert effect.p_value == pytest.approx(row.p_value, rel=1e-9)
    assert (effect.adjusted, effect.standardizer, effect.level_assigned) == (False, "posttest_pooled", "client")
    assert "positive = improvement" in effect.method


def test_rows_stand_in_the_promised_order(program: pd.DataFrame) -> None:
    result = TwoGroup(**ARMS, baseline="pre", covariates="sex", cluster="agency", name="Offer", service="group").fit(
        program, "post", better="lower"
    )
    assert [(row.term, row.measure) for row in result.estimates] == [
        ("(Intercept)", "coefficient"),
        ("offer[group_work]", "coefficient"),
        ("pre", "coefficient"),
        ("sex[m]", "coefficient"),
        ("offer[group_work]", "hedges_g"),
        ("offer[usual]", "mean"),
        ("offer[usual]", "sd"),
        ("offer[group_work]", "mean"),
        ("offer[group_work]", "sd"),
        ("offer[usual]", "baseline_mean"),
        ("offer[usual]", "baseline_sd"),
        ("offer[group_work]", "baseline_mean"),
        ("offer[group_work]", "baseline_sd"),
        ("agency", "icc"),
    ]
    assert {(row.comparison, row.service, row.outcome, row.better) for row in result.estimates} == {
        ("Offer", "group", "post", "lower")
    }
    assert result.estimates[4].adjusted is True


def test_with_clusters_the_test_is_cr2(program: pd.DataFrame) -> None:
    result = TwoGroup(**ARMS, baseline="pre", cluster="agency").fit(program, "post", better="lower")
    X = np.column_stack([np.ones(len(program)), program.offer == "group_work", program.pre]).astype(float)
    robust = cluster_covariance(least_squares(program.post.to_numpy(), X), pd.factorize(program.agency)[0])
    expected, row = robust.contrast(np.array([0, 1.0, 0])), result.effect("coefficient", term="offer[group_work]")
    assert (row.std_error, row.df) == pytest.approx((expected.std_error, expected.df), rel=1e-12)
    assert result.effect("hedges_g").level_assigned == "client"
    assert result.effect("hedges_g").clusters == 10
    assert 0 < result.effect("icc").estimate < 1


def test_whole_clusters_are_recognised(program: pd.DataFrame) -> None:
    """The same data through ClusterTrial give the same numbers."""
    from sweval.models.cluster_trial import ClusterTrial

    arms = {"arm": "arm", "treated": "training", "control": "usual", "cluster": "agency", "baseline": "pre"}
    one, other = (kind(**arms).fit(program, "post", better="lower") for kind in (TwoGroup, ClusterTrial))
    assert one.estimates == other.estimates
    assert one.effect("hedges_g").level_assigned == "cluster"


def test_an_adjuster_that_repeats_another_is_said(program: pd.DataFrame) -> None:
    program["months"] = program.age * 12
    result = TwoGroup(**ARMS, covariates=["age", "months"]).fit(program, "post", better="lower")
    assert '"months" adds nothing to the terms before it and was left out.' in result.notes
    assert "months" not in [row.term for row in result.estimates]
