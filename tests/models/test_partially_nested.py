"""Groups in one arm: against Welch, against agency dummies, and both variance models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sweval.effects.variance_components import moment_components, pooled_sd_moments
from sweval.errors import DesignError
from sweval.models.cluster_robust import ClusterRobust
from sweval.models.partially_nested import PartiallyNested

GROUPS = {"arm": "offer", "treated": "group_work", "control": "usual", "group": "group"}


def test_without_agencies_it_is_welch_on_group_means(program: pd.DataFrame) -> None:
    result = PartiallyNested(**GROUPS).fit(program, "post", better="lower")
    means = program.groupby("group").post.mean()
    expected = stats.ttest_ind(means, program.post[program.offer == "usual"], equal_var=False)
    row, effect = result.effect("coefficient", term="offer[group_work]"), result.effect("hedges_g")
    assert (row.statistic, row.df, row.p_value) == pytest.approx(
        (expected.statistic, expected.df, expected.pvalue), rel=1e-9
    )
    assert (effect.clusters, effect.level_assigned) == (len(means), "client")
    assert [(r.term, r.clusters) for r in result.estimates if r.measure == "mean"] == [
        ("offer[usual]", None), ("offer[group_work]", len(means)),
    ]  # fmt: skip
    assert result.effect("icc").term == "group"


def test_within_agencies_it_is_fixed_effects_with_cr2(program: pd.DataFrame) -> None:
    result = PartiallyNested(**GROUPS, baseline="pre", cluster="agency").fit(program, "post", better="lower")
    open_model = ClusterRobust(fixed="agency + offer + pre", cluster="agency", reference={"offer": "usual"})
    expected = open_model.fit(program, "post").effect("coefficient", term="offer[group_work]")
    row = result.effect("coefficient", term="offer[group_work]")
    assert (row.estimate, row.std_error, row.df) == pytest.approx(
        (expected.estimate, expected.std_error, expected.df), rel=1e-9
    )
    assert [r.term for r in result.estimates if r.measure == "icc"] == ["group", "agency"]
    assert result.effect("hedges_g").clusters == 10


@pytest.mark.parametrize("model", ["within", "total"])
@pytest.mark.parametrize("cluster", [None, "agency"])
def test_design_factor_and_df_follow_the_named_variance_model(
    model: str, cluster: str | None, program: pd.DataFrame
) -> None:
    design = PartiallyNested(**GROUPS, cluster=cluster, control_variance=model)
    result = design.fit(program, "post", better="lower")
    arm = (program.offer == "group_work").to_numpy(dtype=int)
    factors = [pd.factorize(program.group)[0]] + ([pd.factorize(program.agency)[0]] if cluster else [])
    parts = moment_components(program.post, arm, factors, residual_by_arm=model == "total")
    inside = parts.residual[1]
    outside = inside + (parts.factors[0] if model == "total" else 0)
    moments = pooled_sd_moments(
        arm, factors, parts.factors, residual=(outside, inside), target=sum(parts.factors) + inside
    )
    row, effect = result.effect("coefficient", term="offer[group_work]"), result.effect("hedges_g")
    sides = [program.post[arm == side] for side in (0, 1)]
    sd = np.sqrt(sum((len(v) - 1) * v.var() for v in sides) / (len(arm) - 2))
    assert effect.weight_variance == pytest.approx((moments.c * row.std_error / sd) ** 2, rel=1e-9)
    assert f"control variance: {model}" in effect.method
    other = result.effect("hedges_g_alternative")
    assert other.p_value == pytest.approx(effect.p_value, rel=1e-8)
    assert other.estimate != effect.estimate


@pytest.mark.parametrize(("model", "icc"), [("within", 0.6), ("total", 0.6)])
def test_the_variance_model_that_made_the_data_is_chosen(model: str, icc: float) -> None:
    rng = np.random.default_rng(3)
    k, n = 60, 12
    control = rng.normal(0, 1 if model == "total" else np.sqrt(1 - icc), k * n)
    group = np.repeat(np.arange(k), n)
    treated = rng.normal(0, np.sqrt(icc), k)[group] + rng.normal(0, np.sqrt(1 - icc), k * n)
    frame = pd.DataFrame(
        {
            "offer": np.repeat(["group_work", "usual"], k * n),
            "group": [f"g{i}" for i in group] + [None] * (k * n),
            "y": np.concatenate([treated, control]),
        }
    )
    result = PartiallyNested(**GROUPS).fit(frame, "y", better="higher")
    assert f"control variance: {model}" in result.effect("hedges_g").method
    assert any(f'Control variance "{model}" fits the variances of the arms better' in note for note in result.notes)
    assert result.effect("icc").estimate == pytest.approx(icc, abs=0.12)  # three standard errors


def test_a_group_of_one_is_fine_and_agencies_with_one_arm_are_said(program: pd.DataFrame) -> None:
    program.loc[program.index[program.offer == "group_work"][0], "group"] = "alone"
    frame = program[~((program.agency == "agency 3") & (program.offer == "usual"))]
    result = PartiallyNested(**GROUPS, cluster="agency").fit(frame, "post", better="lower")
    assert '1 of 10 "agency" have one arm only and do not inform the effect.' in result.notes


def test_refused(program: pd.DataFrame) -> None:
    whole = program.assign(offer=np.where(program.arm == "training", "group_work", "usual"))
    whole["group"] = whole.agency.where(whole.offer == "group_work")
    with pytest.raises(DesignError, match=r'0 of 10 "agency" have clients in both arms.*ClusterTrial'):
        PartiallyNested(**GROUPS, cluster="agency").fit(whole, "post", better="lower")
    with pytest.raises(DesignError, match="control_variance"):
        PartiallyNested(**GROUPS, control_variance="same")


def test_a_covariate_of_the_group_is_said_not_to_be_adjusted_for(program: pd.DataFrame) -> None:
    sizes = program.groupby("group").id.transform("size").fillna(0)
    result = PartiallyNested(**GROUPS, covariates="size").fit(program.assign(size=sizes), "post", better="lower")
    assert any(note.startswith('"size" was not adjusted for') for note in result.notes)
