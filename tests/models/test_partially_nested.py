"""Groups in one arm: against Welch, with agency dummies beside, and both variance models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sweval.effects.variance_components import anova_icc, pooled_sd_moments
from sweval.errors import DesignError
from sweval.models.cluster_robust import ClusterRobust
from sweval.models.engine.mixed.fit import mixed_fit
from sweval.models.engine.mixed.model import Factor, Residual
from sweval.models.partially_nested import PartiallyNested

GROUPS = {"arm": "offer", "treated": "group_work", "control": "usual", "group": "group"}


def test_equal_groups_are_welch_of_group_means(program: pd.DataFrame) -> None:
    """With equal groups that differ, REML with Satterthwaite's df is Welch's test of group means against clients."""
    rng = np.random.default_rng(12)
    group = np.repeat(np.arange(6), 7)
    treated = rng.normal(size=6)[group] + rng.normal(size=42)
    control = 2 * rng.normal(size=30)
    frame = pd.DataFrame(
        {
            "offer": ["group_work"] * 42 + ["usual"] * 30,
            "group": [f"g{k}" for k in group] + [None] * 30,
            "y": np.concatenate([treated, control]),
        }
    )
    result = PartiallyNested(**GROUPS).fit(frame, "y", better="higher")
    expected = stats.ttest_ind([treated[group == k].mean() for k in range(6)], control, equal_var=False)
    for measure in ("coefficient", "coefficient_welch"):
        row = result.effect(measure, term="offer[group_work]")
        # 1e-6: Satterthwaite's df of the model stand on variances that were searched for
        assert (row.statistic, row.df, row.p_value) == pytest.approx(
            (expected.statistic, expected.df, expected.pvalue), rel=1e-6
        )
    icc, total = result.effect("icc"), anova_icc(treated, group, np.zeros(42, dtype=int))
    assert icc.estimate == pytest.approx(total.icc, rel=1e-6)
    assert (icc.conf_low, icc.conf_high) == pytest.approx((total.conf_low, total.conf_high), rel=1e-6)


def test_without_agencies_welch_stands_beside(program: pd.DataFrame) -> None:
    result = PartiallyNested(**GROUPS).fit(program, "post", better="lower")
    means = program.groupby("group").post.mean()
    expected = stats.ttest_ind(means, program.post[program.offer == "usual"], equal_var=False)
    row, effect = result.effect("coefficient_welch"), result.effect("hedges_g")
    assert (row.statistic, row.df, row.p_value) == pytest.approx(
        (expected.statistic, expected.df, expected.pvalue), rel=1e-9
    )
    assert (effect.clusters, effect.level_assigned) == (len(means), "client")
    assert [(r.term, r.clusters) for r in result.estimates if r.measure == "mean"] == [
        ("offer[usual]", None), ("offer[group_work]", len(means)),
    ]  # fmt: skip
    assert result.effect("icc").term == "group"


def test_within_agencies_fixed_effects_with_cr2_stand_beside(program: pd.DataFrame) -> None:
    result = PartiallyNested(**GROUPS, baseline="pre", cluster="agency").fit(program, "post", better="lower")
    open_model = ClusterRobust(fixed="agency + offer + pre", cluster="agency", reference={"offer": "usual"})
    expected = open_model.fit(program, "post").effect("coefficient", term="offer[group_work]")
    row = result.effect("coefficient_cr2")
    assert (row.estimate, row.std_error, row.df) == pytest.approx(
        (expected.estimate, expected.std_error, expected.df), rel=1e-9
    )
    assert [r.term for r in result.estimates if r.measure == "icc"] == ["group", "agency"]
    assert result.effect("hedges_g").clusters == 10
    assert 'The model takes the effect as the same in every "agency".' in result.notes


@pytest.mark.parametrize("model", ["within", "total"])
@pytest.mark.parametrize("cluster", [None, "agency"])
def test_design_factor_and_df_follow_the_named_variance_model(
    model: str, cluster: str | None, program: pd.DataFrame
) -> None:
    design = PartiallyNested(**GROUPS, cluster=cluster, control_variance=model)
    result = design.fit(program, "post", better="lower")
    arm = (program.offer == "group_work").to_numpy(dtype=int)
    codes = [pd.factorize(program.group)[0]] + ([pd.factorize(program.agency)[0]] if cluster else [])
    one = np.ones((len(arm), 1))
    fit = mixed_fit(
        program.post.to_numpy(),
        np.column_stack([one, arm]),
        [Factor(code, one) for code in codes],
        residual=Residual(kind="by_class", classes=arm) if model == "total" else None,
    )
    factors = [float(found[0, 0]) for found in fit.covariances]
    inside = fit.residual_variances[-1]
    outside = inside + (factors[0] if model == "total" else 0)
    moments = pooled_sd_moments(arm, codes, factors, residual=(outside, inside), target=sum(factors) + inside)
    row, effect = result.effect("coefficient", term="offer[group_work]"), result.effect("hedges_g")
    sides = [program.post[arm == side] for side in (0, 1)]
    sd = np.sqrt(sum((len(v) - 1) * v.var() for v in sides) / (len(arm) - 2))
    assert effect.weight_variance == pytest.approx((moments.c * row.std_error / sd) ** 2, rel=1e-7)
    assert effect.df == row.df
    assert f"control variance: {model}" in effect.method
    shares = [r.estimate for r in result.estimates if r.measure == "icc"]
    assert shares == pytest.approx([part / (sum(factors) + inside) for part in factors], rel=1e-6, abs=1e-9)
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
    assert '1 of 10 "agency" have one arm only; they do not inform coefficient_cr2.' in result.notes


def test_refused(program: pd.DataFrame) -> None:
    whole = program.assign(offer=np.where(program.arm == "training", "group_work", "usual"))
    whole["group"] = whole.agency.where(whole.offer == "group_work")
    with pytest.raises(DesignError, match=r'0 of 10 "agency" have clients in both arms.*ClusterTrial'):
        PartiallyNested(**GROUPS, cluster="agency").fit(whole, "post", better="lower")
    with pytest.raises(DesignError, match="control_variance"):
        PartiallyNested(**GROUPS, control_variance="same")


def test_a_covariate_of_the_group_is_in_the_model_and_not_in_welch(program: pd.DataFrame) -> None:
    sizes = program.groupby("group").id.transform("size").fillna(0)
    result = PartiallyNested(**GROUPS, covariates="size").fit(program.assign(size=sizes), "post", better="lower")
    assert any(note.startswith('The row coefficient_welch is not adjusted for "size"') for note in result.notes)
    assert result.effect("coefficient", term="size").df < 25


def test_groups_that_do_not_differ_bring_kenward_roger() -> None:
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(5), 8)
    y = rng.normal(size=80)
    y[:40] -= 0.9 * np.array([y[:40][group == k].mean() for k in range(5)])[group]
    frame = pd.DataFrame({"offer": ["group_work"] * 40 + ["usual"] * 40, "group": [*group, *[None] * 40], "y": y})
    result = PartiallyNested(**GROUPS).fit(frame, "y", better="higher")
    row, effect = result.effect("coefficient", term="offer[group_work]"), result.effect("hedges_g")
    assert "Kenward-Roger" in row.method
    assert "Kenward-Roger" in effect.method
    assert 4 < row.df == effect.df < 78
    assert result.fits[0].singular
    assert any(note.startswith("Kenward-Roger's tests are used instead of") for note in result.notes)


def test_groups_of_one_client_each_are_no_groups(program: pd.DataFrame) -> None:
    alone = program.assign(group=program.id.where(program.offer == "group_work"))
    with pytest.raises(DesignError, match=r'every "group" holds one client only.*use TwoGroup'):
        PartiallyNested(**GROUPS).fit(alone, "post", better="lower")


@pytest.mark.parametrize(("arm", "words"), [("usual", 'in the arm "usual"'), ("group_work", 'within any "group"')])
def test_an_arm_without_variation_is_refused(arm: str, words: str, program: pd.DataFrame) -> None:
    same = program.assign(post=program.post.where(program.offer != arm, 7.0))
    with pytest.raises(DesignError, match=f'"post" does not vary {words}'):
        PartiallyNested(**GROUPS).fit(same, "post", better="lower")
