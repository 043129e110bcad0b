"""One group against a norm: the one-sample t test and its noncentral-t interval."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import sweval as sw
from sweval.effects.kernel import small_sample_factor
from sweval.errors import DataError, DesignError

SCORES = np.array([14.0, 11, 17, 9, 13, 12])


def test_the_test_is_students_and_the_interval_that_of_effectsize() -> None:
    """cohens_d(x, mu = 10): d = t / sqrt(n), limits from the noncentral t with n - 1 df."""
    row = sw.effects.distance_from_norm(SCORES, norm_mean=10.0)
    student = stats.ttest_1samp(SCORES, 10.0)
    assert (row.statistic, row.p_value, row.df) == pytest.approx((student.statistic, student.pvalue, 5), rel=1e-10)
    assert row.estimate == pytest.approx(student.statistic / np.sqrt(6) * float(small_sample_factor(5)), rel=1e-12)
    for limit, tail in ((row.conf_low, 0.975), (row.conf_high, 0.025)):
        assert stats.nct.cdf(student.statistic, 5, limit * np.sqrt(6)) == pytest.approx(tail, rel=1e-6)


def test_a_published_unit_is_taken_as_known() -> None:
    row = sw.effects.distance_from_norm(SCORES, norm_mean=6.0, norm_sd=4.0, better="lower")
    reach = stats.t.ppf(0.975, 5) * SCORES.std(ddof=1) / np.sqrt(6) / 4
    assert row.estimate == pytest.approx(-(SCORES.mean() - 6) / 4, rel=1e-12)
    assert (row.conf_low, row.conf_high) == pytest.approx((row.estimate - reach, row.estimate + reach), rel=1e-8)
    assert (row.metric, row.standardizer, row.term) == (None, "norm", "norm")


def test_impossible_norms_and_scores_are_refused() -> None:
    with pytest.raises(DesignError, match="above zero"):
        sw.effects.distance_from_norm(SCORES, norm_mean=6.0, norm_sd=0.0)
    with pytest.raises(DesignError, match="finite mean"):
        sw.effects.distance_from_norm(SCORES, norm_mean=np.nan)
    with pytest.raises(DataError, match="all 3 scores are equal"):
        sw.effects.distance_from_norm([2, 2, 2], norm_mean=1.0)
