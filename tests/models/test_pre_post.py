"""Change without and with a comparison arm."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sweval.effects.kernel import small_sample_factor
from sweval.errors import DesignError
from sweval.models.pre_post import PrePost

ARMS = {"arm": "offer", "treated": "group_work", "control": "usual"}


def test_one_group_is_the_paired_t_test_and_is_marked_uncontrolled(program: pd.DataFrame) -> None:
    result = PrePost(pre="pre").fit(program, "post", better="lower")
    expected = stats.ttest_rel(program.post, program.pre)
    change, effect = result.effect("coefficient"), result.effect("standardized_mean_change")
    assert (change.term, effect.term) == ("change", "change")
    assert (change.statistic, change.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-10)
    n = len(program)
    g = float(small_sample_factor(n - 1)) * (program.pre - program.post).mean() / program.pre.std()
    assert effect.estimate == pytest.approx(g, rel=1e-12)
    assert effect.weight_variance == pytest.approx((change.std_error / program.pre.std()) ** 2, rel=1e-12)
    assert (effect.metric, effect.standardizer, effect.level_assigned) == ("uncontrolled_change", "pretest", None)
    assert any("not the effect of the program" in note for note in result.notes)


def test_two_groups_are_d_ppc2_of_morris(program: pd.DataFrame) -> None:
    result = PrePost(pre="pre", **ARMS).fit(program, "post", better="lower")
    gain, treated = program.post - program.pre, program.offer == "group_work"
    expected = stats.ttest_ind(gain[treated], gain[~treated])
    row, effect = result.effect("coefficient", term="offer[group_work]"), result.effect("hedges_g")
    assert (row.statistic, row.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-10)
    sides = [program.pre[treated], program.pre[~treated]]
    sd = np.sqrt(sum((len(v) - 1) * v.var() for v in sides) / (len(gain) - 2))
    assert effect.estimate == pytest.approx(-float(small_sample_factor(len(gain) - 2)) * row.estimate / sd, rel=1e-12)
    assert (effect.standardizer, effect.metric) == ("pretest_pooled", "person_total")


def test_long_data_and_clusters(program: pd.DataFrame, waves: pd.DataFrame) -> None:
    long = PrePost(client="id", wave="wave", pre="pre", post="post", **ARMS, cluster="agency")
    wide = PrePost(pre="pre", **ARMS, cluster="agency")
    one, other = long.fit(waves, "distress", better="lower"), wide.fit(program, "post", better="lower")
    for row, same in zip(one.estimates, other.estimates, strict=True):
        assert row.estimate == pytest.approx(same.estimate, rel=1e-12)
    assert one.effect("hedges_g").clusters == 10
    assert one.effect("hedges_g").df < 10
    alone = PrePost(client="id", wave="wave", pre="pre", post="post", cluster="agency").fit(
        waves, "distress", better="lower"
    )
    assert alone.effect("standardized_mean_change").df < 10


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pre": "pre", "arm": "offer"}, "belong together"),
        ({"pre": "pre", "post": "post"}, "waves need both"),
        ({"pre": "pre", "wave": "wave"}, "waves need both"),
        ({"pre": "pre", "post": "post", "wave": "wave", "outcome_wave": "post"}, "named as post"),
    ],
)
def test_fields_that_do_not_fit_together(fields: dict, message: str) -> None:
    with pytest.raises(DesignError, match=message):
        PrePost(**fields)


def test_values_before_that_do_not_vary(program: pd.DataFrame) -> None:
    with pytest.raises(DesignError, match="before do not vary"):
        PrePost(pre="pre").fit(program.assign(pre=3.0), "post", better="lower")


def test_the_same_change_for_all_is_refused(program: pd.DataFrame) -> None:
    with pytest.raises(DesignError, match="change: the outcome is constant"):
        PrePost(pre="pre").fit(program.assign(pre=program.age, post=program.age - 2), "post", better="lower")
