"""What is measured in different things is never averaged, ranked or drawn together without a word."""

from __future__ import annotations

import pytest

import sweval as sw
from sweval.errors import DesignError


def test_one_metric_passes() -> None:
    assert sw.effects.require_one_metric(["log_odds_ratio"] * 3) == "log_odds_ratio"


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ([], "no effects"),
        (["person_total", None, None], "2 of 3 effects do not say"),
        (["person_total", "within_cluster", "person_total"], r"person_total \(2\), within_cluster \(1\)"),
        (["person_totals"], '"person_totals" is no metric'),
    ],
)
def test_a_mixture_is_refused_with_counts(metrics: list[str | None], said: str) -> None:
    with pytest.raises(DesignError, match=said):
        sw.effects.require_one_metric(metrics, where="mean effect")
