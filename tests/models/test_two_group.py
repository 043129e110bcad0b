"""Two arms of clients: the classical tests, and a mixed model with CR2 beside it where a cluster is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sweval.effects.kernel import standardize
from sweval.models.cluster_robust import ClusterRobust
from sweval.models.engine.ols import least_squares
from sweval.models.engine.sandwich import cluster_covariance
from sweval.models.two_group import TwoGroup
from sweval.result import CHECK

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
        ("offer[group_work]", "coefficient_kenward_roger"),
        ("offer[group_work]", "coefficient_cr2"),
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
        ("agency: (Intercept)", "sd"),
        ("residual", "sd"),
    ]
    assert {(row.comparison, row.service, row.outcome, row.better) for row in result.estimates} == {
        ("Offer", "group", "post", "lower")
    }
    assert result.estimates[6].adjusted is True


def test_with_clusters_cr2_within_them_stands_beside_the_mixed_model(program: pd.DataFrame) -> None:
    result = TwoGroup(**ARMS, baseline="pre", cluster="agency").fit(program, "post", better="lower")
    open_model = ClusterRobust(fixed="agency + offer + pre", cluster="agency", reference={"offer": "usual"})
    expected = open_model.fit(program, "post").effect("coefficient", term="offer[group_work]")
    row = result.effect("coefficient_cr2")
    assert (row.estimate, row.std_error, row.df) == pytest.approx(
        (expected.estimate, expected.std_error, expected.df), rel=1e-9
    )
    assert row.method == "least squares within agency, CR2, Satterthwaite df"
    assert result.effect("hedges_g").level_assigned == "client"
    assert result.effect("hedges_g").clusters == 10
    icc = result.effect("icc")
    assert 0 <= icc.conf_low < icc.estimate < icc.conf_high < 1
    assert 'The model takes the effect as the same in every "agency".' in result.notes


def test_where_few_clusters_hold_both_arms_cr2_is_of_all_rows(program: pd.DataFrame) -> None:
    """Two clients of two agencies crossed over: what is seen between agencies must not be thrown away."""
    crossed = program.groupby("agency").head(1).index[[0, 9]]
    program.loc[crossed, "arm"] = program.arm[crossed].map({"usual": "training", "training": "usual"})
    arms = {"arm": "arm", "treated": "training", "control": "usual", "cluster": "agency", "baseline": "pre"}
    result = TwoGroup(**arms).fit(program, "post", better="lower")
    X = np.column_stack([np.ones(len(program)), program.arm == "training", program.pre]).astype(float)
    robust = cluster_covariance(least_squares(program.post.to_numpy(), X), pd.factorize(program.agency)[0])
    expected, row = robust.contrast(np.array([0, 1.0, 0])), result.effect("coefficient_cr2")
    assert (row.estimate, row.std_error, row.df) == pytest.approx(
        (expected.estimate, expected.std_error, expected.df), rel=1e-12
    )
    assert not any(note.startswith(CHECK) for note in result.notes)
    assert result.effect("hedges_g").level_assigned == "client"


def test_agencies_of_different_level_are_no_reason_to_look() -> None:
    """Arms drawn by lot client by client: all rows pooled have a large CR2 standard error, differences within not."""
    urgent = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        agency = np.repeat(np.arange(12), 8)
        y = 2 * rng.normal(size=12)[agency] + rng.normal(size=96)
        frame = pd.DataFrame({"agency": agency, "offer": rng.choice(["group_work", "usual"], 96), "post": y})
        notes = TwoGroup(**ARMS, cluster="agency").fit(frame, "post", better="lower").notes
        urgent += any(note.startswith(CHECK) for note in notes)
    # by chance the root of chi-square(11) / 11 is above 1.5 in 1 % of programmes
    assert urgent <= 2


def test_an_effect_that_differs_between_agencies_is_said() -> None:
    """The random intercept alone takes the effect as one; where it is not, CR2 shows it."""
    rng = np.random.default_rng(6)
    agency = np.repeat(np.arange(10), 40)
    offer = np.tile([0, 1], 200)
    y = rng.normal(size=400) + (1 + 1.5 * rng.normal(size=10)[agency]) * offer
    frame = pd.DataFrame({"agency": agency, "offer": np.where(offer, "group_work", "usual"), "post": y})
    result = TwoGroup(**ARMS, cluster="agency").fit(frame, "post", better="lower")
    (note,) = [note for note in result.notes if note.startswith(CHECK)]
    model, robust = result.effect("coefficient", term="offer[group_work]"), result.effect("coefficient_cr2")
    assert f"{robust.std_error / model.std_error:.1f} times as large" in note
    assert 'The effect seems to differ between "agency"' in note


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
