"""Whole clusters assigned: Hedges (2007) written out, and the facts of the fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sweval.effects.kernel import small_sample_factor
from sweval.effects.variance_components import anova_icc
from sweval.models.cluster_trial import ClusterTrial
from sweval.models.engine.ols import least_squares
from sweval.models.engine.sandwich import cluster_covariance

TRIAL = {"arm": "arm", "treated": "training", "control": "usual", "cluster": "agency"}


def test_effect_is_hedges_2007_with_equal_clusters_written_out(program: pd.DataFrame) -> None:
    """c and h for equal n (Hedges 2007, eq. 15 and text below 17 as in our effects page); SE from CR2."""
    frame = program.groupby("agency", group_keys=False).head(8).reset_index(drop=True)
    frame["post"] += 2.5 * (pd.factorize(frame.agency)[0] % 3)  # a clear intraclass correlation
    result = ClusterTrial(**TRIAL).fit(frame, "post", better="lower")
    n, N = 8, 80
    codes, arm = pd.factorize(frame.agency)[0], (frame.arm == "training").to_numpy()
    rho = anova_icc(frame.post, codes, arm.astype(int)).icc
    assert rho > 0.2
    S = np.sqrt(sum(((v - v.mean()) ** 2).sum() for v in (frame.post[arm], frame.post[~arm])) / (N - 2))
    c = np.sqrt(1 - 2 * (n - 1) * rho / (N - 2))
    h = ((N - 2) - 2 * (n - 1) * rho) ** 2 / (
        (N - 2) * (1 - rho) ** 2 + n * (N - 2 * n) * rho**2 + 2 * (N - 2 * n) * rho * (1 - rho)
    )
    X = np.column_stack([np.ones(N), arm]).astype(float)
    test = cluster_covariance(least_squares(frame.post.to_numpy(), X), codes).contrast(np.array([0, 1.0]))
    effect = result.effect("hedges_g")
    # 1e-10: the same closed form, once by traces over the layout
    assert effect.estimate == pytest.approx(-float(small_sample_factor(h)) * c * test.estimate / S, rel=1e-10)
    assert effect.weight_variance == pytest.approx((c * test.std_error / S) ** 2, rel=1e-10)
    assert (effect.df, effect.p_value) == pytest.approx((test.df, test.p_value), rel=1e-9)
    assert result.effect("icc").estimate == pytest.approx(rho, rel=1e-12)


def test_facts(program: pd.DataFrame) -> None:
    result = ClusterTrial(**TRIAL, baseline="pre", name="Staff training", service="training").fit(
        program, "post", better="lower"
    )
    effect, fit = result.effect("hedges_g"), result.fits[0]
    assert (effect.level_assigned, effect.level_outcome, effect.metric) == ("cluster", "client", "person_total")
    assert (effect.n, effect.clusters, fit.clusters) == (len(program), 10, 10)
    assert effect.conf_low < effect.estimate < effect.conf_high
    assert (effect.p_value < 0.05) == (effect.conf_low > 0 or effect.conf_high < 0)
    arms = [row for row in result.estimates if row.measure == "mean"]
    assert [row.clusters for row in arms] == [5, 5]
    assert sum(row.n for row in arms) == len(program)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("nudge", [-1e-4, 1e-4])
def test_interval_and_p_value_agree_at_zero(level: float, nudge: float, program: pd.DataFrame) -> None:
    """Move the treated arm until the raw interval just holds 0, or not: the effect's interval says the same."""
    design, treated = ClusterTrial(**TRIAL), program.arm == "training"
    row = design.fit(program, "post", better="lower", conf_level=level).effect("coefficient", term="arm[training]")
    moved = program.assign(post=program.post - (row.conf_high + nudge) * treated)
    effect = design.fit(moved, "post", better="lower", conf_level=level).effect("hedges_g")
    assert (effect.p_value > 1 - level) == (effect.conf_low < 0 < effect.conf_high) == (nudge < 0)


def test_few_clusters_are_said(program: pd.DataFrame) -> None:
    few = program[program.agency.isin([f"agency {k}" for k in (0, 1, 5, 6)])]
    result = ClusterTrial(**TRIAL).fit(few, "post", better="lower")
    assert any("rests on few" in note for note in result.notes)


def test_an_effect_that_rests_on_one_cluster_is_refused(program: pd.DataFrame) -> None:
    """An adjuster that marks all treated agencies but one leaves the effect to that one."""
    from sweval.errors import DesignError

    program["site"] = np.where(program.agency.isin([f"agency {k}" for k in (6, 7, 8, 9)]), "north", "south")
    with pytest.raises(DesignError, match='the effect rests on a single "agency"'):
        ClusterTrial(**TRIAL, covariates="site").fit(program, "post", better="lower")
