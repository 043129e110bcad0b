"""Whole clusters assigned: Hedges (2007) written out, and the facts of the fit."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sweval.effects.kernel import small_sample_factor
from sweval.effects.variance_components import anova_icc
from sweval.models.cluster_trial import ClusterTrial
from sweval.models.engine.ols import least_squares
from sweval.models.engine.sandwich import cluster_covariance

TRIAL = {"arm": "arm", "treated": "training", "control": "usual", "cluster": "agency"}


def test_equal_clusters_are_a_t_test_of_cluster_means_and_hedges_2007_written_out(program: pd.DataFrame) -> None:
    """With equal n the mixed model is the t test of the means; c and h as Hedges (2007), eq. 15 and text below 17."""
    frame = program.groupby("agency", group_keys=False).head(8).reset_index(drop=True)
    frame["post"] += 2.5 * (pd.factorize(frame.agency)[0] % 3)  # a clear intraclass correlation
    result = ClusterTrial(**TRIAL).fit(frame, "post", better="lower")
    n, N = 8, 80
    codes, arm = pd.factorize(frame.agency)[0], (frame.arm == "training").to_numpy()
    rho = anova_icc(frame.post, codes, arm.astype(int)).icc  # of equal clusters REML is the analysis of variance
    assert rho > 0.2
    means = frame.groupby("agency").post.mean()
    trained = frame.groupby("agency").arm.first() == "training"
    test = stats.ttest_ind(means[trained], means[~trained])
    difference = means[trained].mean() - means[~trained].mean()
    error = difference / test.statistic
    row, robust = result.effect("coefficient", term="arm[training]"), result.effect("coefficient_cr2")
    # 1e-7: the variances are found by a search
    assert (row.estimate, row.std_error, row.df) == pytest.approx((difference, error, 8.0), rel=1e-7)
    other = result.effect("coefficient_kenward_roger")
    assert (other.std_error, other.df) == pytest.approx((row.std_error, row.df), rel=1e-7)
    S = np.sqrt(sum(((v - v.mean()) ** 2).sum() for v in (frame.post[arm], frame.post[~arm])) / (N - 2))
    c = np.sqrt(1 - 2 * (n - 1) * rho / (N - 2))
    h = ((N - 2) - 2 * (n - 1) * rho) ** 2 / (
        (N - 2) * (1 - rho) ** 2 + n * (N - 2 * n) * rho**2 + 2 * (N - 2 * n) * rho * (1 - rho)
    )
    effect = result.effect("hedges_g")
    assert effect.estimate == pytest.approx(-float(small_sample_factor(h)) * c * difference / S, rel=1e-7)
    assert effect.weight_variance == pytest.approx((c * error / S) ** 2, rel=1e-7)
    assert (effect.df, effect.p_value) == pytest.approx((8.0, test.pvalue), rel=1e-7)
    assert result.effect("icc").estimate == result.fits[0].icc == pytest.approx(rho, rel=1e-7)
    X = np.column_stack([np.ones(N), arm]).astype(float)
    beside = cluster_covariance(least_squares(frame.post.to_numpy(), X), codes).contrast(np.array([0, 1.0]))
    assert (robust.estimate, robust.std_error, robust.df) == pytest.approx(
        (beside.estimate, beside.std_error, beside.df), rel=1e-12
    )
    assert "least squares, CR2" in robust.method


def test_twenty_clusters_need_no_kenward_roger() -> None:
    rng = np.random.default_rng(8)
    agency = np.repeat(np.arange(20), 9)
    frame = pd.DataFrame({"agency": agency, "arm": np.where(agency % 2, "training", "usual")})
    frame["y"] = rng.normal(size=20)[agency] + rng.normal(size=180)
    rows = ClusterTrial(**TRIAL).fit(frame, "y", better="lower").estimates
    assert [row.measure for row in rows if row.measure.startswith("coefficient_")] == ["coefficient_cr2"]
    fewer = ClusterTrial(**TRIAL).fit(frame[frame.agency < 19], "y", better="lower").estimates
    assert [row.measure for row in fewer if row.measure.startswith("coefficient_")] == [
        "coefficient_kenward_roger", "coefficient_cr2",
    ]  # fmt: skip


def test_a_register_of_many_clients_is_quick() -> None:
    rng = np.random.default_rng(9)
    n = 200_000
    agency = rng.integers(0, 400, n)
    frame = pd.DataFrame(
        {"agency": agency, "arm": np.where(agency % 2, "training", "usual"), "pre": rng.normal(size=n)}
    )
    frame["y"] = 0.1 * rng.normal(size=400)[agency] + frame.pre + rng.normal(size=n)
    start = time.process_time()
    result = ClusterTrial(**TRIAL, baseline="pre").fit(frame, "y", better="lower")
    # 2 s where it was written; ten times that is a cost that grows with the square of something
    assert time.process_time() - start < 20
    assert result.effect("icc").estimate == pytest.approx(0.005, abs=0.002)  # .01 / (.01 + 2)


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
