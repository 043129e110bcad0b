"""Change that matters: percentages (none of a zero), smallest differences for clients and groups, always a category."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sweval.effects.change_anchor import (
    ANCHOR_CATEGORIES,
    NOT_APPLICABLE,
    anchor_between,
    anchor_categories,
    anchor_category,
    anchor_within,
    percentage_categories,
    percentage_change,
)
from sweval.errors import DataError, DesignError

WORSE, NONE, SMALL, MAYBE, PROBABLY, LARGE = ANCHOR_CATEGORIES


def test_a_percentage_of_zero_does_not_exist() -> None:
    """Known error of the R package: with 0 before and lower better, a client is improved and deteriorated at once.

    Its four clients give 2 + 1 + 2 = 5 there; here every client has one category, and the one with 0 has none.
    """
    pre, post = [10.0, 10, 10, 0], [4.0, 10, 16, 5]
    for better in ("lower", "higher"):
        found = percentage_categories(pre, post, better=better, improvement=0.5)
        assert len(found) == 4
        assert found[3] == NOT_APPLICABLE
    assert percentage_categories(pre, post, better="lower", improvement=0.5).tolist() == [
        "improved", "unchanged", "deteriorated", NOT_APPLICABLE,
    ]  # fmt: skip
    assert math.isnan(percentage_change([0.0], [0.0])[0])


@pytest.mark.parametrize("share", [0.1, 0.2, 0.25, 0.3, 0.35, 0.5])
def test_a_change_of_exactly_the_share_counts(share: float) -> None:
    """20 points before: 20 (1 - share) is that much less, in whatever way the computer writes 0.3."""
    after = round(20 * (1 - share), 10)
    assert percentage_categories([20.0], [after], better="lower", improvement=share).tolist() == ["improved"]
    assert percentage_categories([20.0], [after], better="higher", improvement=share).tolist() == ["deteriorated"]


def test_improvement_and_deterioration_may_differ() -> None:
    found = percentage_categories([10, 10], [12, 8], better="lower", improvement=0.3, deterioration=0.2)
    assert found.tolist() == ["deteriorated", "unchanged"]
    found = anchor_categories([10, 10], [12, 8], better="higher", improvement=3, deterioration=2)
    assert found.tolist() == ["unchanged", "deteriorated"]


def test_impossible_percentages_and_thresholds_are_refused() -> None:
    with pytest.raises(DesignError, match="2 scores are below 0"):
        percentage_change([-1.0, 3], [2.0, -5])
    with pytest.raises(DesignError, match="share above 0"):
        percentage_categories([1.0], [2.0], better="lower", improvement=0)
    with pytest.raises(DesignError, match="points above 0"):
        anchor_categories([1.0], [2.0], better="lower", improvement=5, deterioration=-1)
    with pytest.raises(DesignError, match="before and after"):
        anchor_categories([1.0], [np.nan], better="lower", improvement=5)
    with pytest.raises(DesignError, match="above 0"):
        anchor_category(1, 0, 2, mid=0, better="lower")
    with pytest.raises(DesignError, match="within its interval"):
        anchor_category(3, 0, 2, mid=1, better="lower")
    with pytest.raises(DesignError, match="within its interval"):
        anchor_category(1, math.nan, 2, mid=1, better="lower")
    with pytest.raises(DesignError, match="conf_level"):
        anchor_within([1, 2, 4], [3, 5, 4], mid=1, better="higher", conf_level=95)


@pytest.mark.parametrize(
    ("estimate", "low", "high", "category"),
    [
        (-3.0, -5.0, -1.0, WORSE),
        (0.5, -1.0, 2.0, NONE),
        (4.0, -1.0, 9.0, NONE),  # holds 0 and the threshold
        (2.0, 0.0, 4.0, NONE),  # touches 0
        (2.0, 1.0, 3.0, SMALL),
        (4.0, 2.0, 6.0, MAYBE),
        (4.0, 3.0, 5.0, MAYBE),  # touches the threshold from below
        (5.0, 3.0, 7.0, PROBABLY),  # lies on it
        (6.0, 4.0, 8.0, PROBABLY),
        (6.0, 5.0, 7.0, LARGE),  # touches it from above
        (9.0, 6.0, 12.0, LARGE),
    ],
)
def test_the_six_categories_by_where_the_interval_lies(estimate: float, low: float, high: float, category: str) -> None:
    assert str(anchor_category(estimate, low, high, mid=5, better="higher")) == category
    assert str(anchor_category(-estimate, -high, -low, mid=5, better="lower")) == category


def test_an_interval_around_zero_has_a_category_where_higher_is_better() -> None:
    """Known error of the R package: lower -1.11, upper 2.44 gives NA for better_is = "higher"."""
    assert str(anchor_category(0.665, -1.11, 2.44, mid=5, better="higher")) == NONE


@given(
    ends=st.lists(st.floats(-20, 20), min_size=3, max_size=3),
    mid=st.floats(0.01, 20),
    better=st.sampled_from(["higher", "lower"]),
)
def test_every_interval_has_exactly_one_category_and_more_is_never_worse(
    ends: list[float], mid: float, better: str
) -> None:
    low, middle, high = sorted(ends)
    found = str(anchor_category(middle, low, high, mid=mid, better=better))
    assert found in ANCHOR_CATEGORIES
    sign = 1 if better == "higher" else -1
    shifted = str(anchor_category(middle + sign, low + sign, high + sign, mid=mid, better=better))
    assert ANCHOR_CATEGORIES.index(shifted) >= ANCHOR_CATEGORIES.index(found)


def test_the_rows_are_those_of_the_t_tests() -> None:
    rng = np.random.default_rng(3)
    pre, post = rng.normal(20, 5, 15), rng.normal(14, 6, 15)
    row = anchor_within(pre, post, mid=4, better="lower", conf_level=0.9)
    test = stats.ttest_rel(post, pre)
    limits = test.confidence_interval(0.9)
    assert (row.statistic, row.p_value, row.conf_low, row.conf_high) == pytest.approx(
        (test.statistic, test.pvalue, limits.low, limits.high)
    )
    assert (row.n, row.df, row.metric, row.conf_level) == (15, 14.0, "raw", 0.9)
    other = anchor_between(post, pre[:9], mid=4, better="lower")
    welch = stats.ttest_ind(post, pre[:9], equal_var=False)
    interval = welch.confidence_interval()
    assert (other.statistic, other.df, other.conf_low, other.conf_high) == pytest.approx(
        (welch.statistic, welch.df, interval.low, interval.high)
    )
    assert other.method.split("; ")[-1] in ANCHOR_CATEGORIES
    assert other.n == 24


def test_groups_that_tell_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="same amount"):
        anchor_within([10, 12, 14], [8, 10, 12], mid=1, better="lower")
    with pytest.raises(DataError, match="missing"):
        anchor_between([1.0, np.nan], [3.0, 4.0], mid=1, better="lower")
