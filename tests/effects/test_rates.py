"""Counts over time: metafor's numbers, exact coverage, and studies without any event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import sweval as sw
from sweval.errors import DesignError

MORE = json.loads(
    (Path(__file__).parents[1] / "reference" / "binary_effects" / "more.json").read_text(encoding="utf-8")
)
MEASURES: dict[str, Any] = {
    "IRR": sw.effects.log_rate_ratio,
    "IRD": sw.effects.rate_difference,
    "IRSD": sw.effects.root_rate_difference,
}


@pytest.mark.parametrize("entry", [e for e in MORE["escalc"] if e["inputs"] == "times"], ids=lambda e: e["measure"])
def test_rates_equal_metafor(entry: dict[str, Any]) -> None:
    """One study has no event in an arm: 1/2 is added to both counts, but not for the roots."""
    held = MORE["inputs"]["times"]
    rates = sw.effects.event_rates(held["x1i"], held["t1i"], held["x2i"], held["t2i"], better="higher")
    found = MEASURES[entry["measure"]](rates)
    assert found.estimate == pytest.approx(np.array(entry["yi"]), rel=1e-12)
    assert found.variance == pytest.approx(np.array(entry["vi"]), rel=1e-12)
    assert found.corrected is not None
    assert found.corrected.tolist() == [False, entry["measure"] != "IRSD", False]


def test_exact_coverage_of_small_counts() -> None:
    """Summed over all counts: .93 or better and on average .95 to .97, where estimate +- z * SE falls to .81."""
    x1, x2 = (grid.ravel() for grid in np.meshgrid(np.arange(70), np.arange(70), indexing="ij"))
    for name, measure in MEASURES.items():
        covered = []
        for t1, t2 in ((1, 1), (1, 3)):
            row = measure(sw.effects.event_rates(x1, t1, x2, t2, better="higher", silent="missing"))
            for a in (1, 3, 8):
                for b in (1, 2, 8):
                    truth = {"IRR": np.log(a / b), "IRD": a - b, "IRSD": np.sqrt(a) - np.sqrt(b)}[name]
                    inside = (row.conf_low <= truth) & (row.conf_high >= truth) | np.isnan(row.estimate)
                    weight = stats.poisson.pmf(x1, a * t1) * stats.poisson.pmf(x2, b * t2)
                    covered.append(float((weight * inside).sum()))
        assert min(covered) > 0.93, name
        assert 0.945 < np.mean(covered) < 0.975, name


def test_ratio_and_difference_share_one_test_that_agrees_with_both() -> None:
    x1, x2 = (grid.ravel() for grid in np.meshgrid(np.arange(25), np.arange(25), indexing="ij"))
    rates = sw.effects.event_rates(x1, 2.0, x2, 3.0, silent="missing")
    ratio, difference = sw.effects.log_rate_ratio(rates), sw.effects.rate_difference(rates)
    speaks = ~np.isnan(ratio.estimate)
    assert ratio.p_value[speaks] == pytest.approx(difference.p_value[speaks])
    for found in (ratio, difference):
        excludes = (found.conf_low > 0) | (found.conf_high < 0)
        assert (excludes == (found.p_value < 0.05))[speaks].all()
    share = (x1[speaks] - (x1 + x2)[speaks] * 0.4) / np.sqrt((x1 + x2)[speaks] * 0.24)  # binomial, given the sum
    assert -ratio.statistic[speaks] == pytest.approx(share)


def test_direction_and_rows() -> None:
    fewer = sw.effects.event_rates(4, 50.0, 11, 60.0)
    row = sw.effects.rate_ratio(fewer)
    assert row.estimate == pytest.approx(11 / 60 / (4 / 50))
    assert (row.better, row.n, row.null, row.metric) == ("lower", 15, 1.0, None)
    assert sw.effects.rate_difference(fewer).row().metric == "rate_difference"
    assert sw.effects.root_rate_difference(fewer).row().metric == "root_rate_difference"
    assert sw.effects.rate_ratio(sw.effects.event_rates(0, 10, 5, 10)).conf_high == np.inf


def test_no_event_at_all() -> None:
    none = sw.effects.event_rates(0, 10.0, 0, 12.0)
    difference = sw.effects.rate_difference(none)
    assert difference.conf_low < 0 < difference.conf_high
    with pytest.raises(DesignError, match="neither arm has an event"):
        sw.effects.log_rate_ratio(none)
    assert np.isnan(sw.effects.log_rate_ratio(sw.effects.event_rates(0, 10, 0, 12, silent="missing")).estimate)
    half = sw.effects.log_rate_ratio(sw.effects.event_rates(0, 10, 0, 12, silent="half", better="higher"))
    assert float(half.estimate) == pytest.approx(np.log(1.2))


@pytest.mark.parametrize(
    ("counts", "how", "words"),
    [
        ((1.5, 10, 3, 10), {}, "whole numbers"),
        ((-1, 10, 3, 10), {}, "whole numbers"),
        ((1, 0, 3, 10), {}, "time must be above 0"),
        ((1, 10, 3, 10), {"better": "down"}, "better"),
        ((1, 10, 3, 10), {"silent": "drop"}, "silent"),
    ],
)
def test_what_are_no_rates_is_refused(counts: tuple[float, ...], how: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        sw.effects.event_rates(*counts, **how)
