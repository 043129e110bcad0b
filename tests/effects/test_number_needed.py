"""How many must be served for one more to benefit: both formulas, and an interval that may run through infinity."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import sweval as sw
from sweval.errors import SwevalError
from sweval.result import Estimate

RISK = Estimate(
    term="arm[program]", measure="risk_difference", estimate=0.12, conf_low=0.02, conf_high=0.22, conf_level=0.95,
    statistic=2.4, df=40.0, p_value=0.02, null=0.0, better="higher", n=90, method="risk difference", metric="raw",
)  # fmt: skip
G = dataclasses.replace(RISK, measure="hedges_g", estimate=0.5, conf_low=0.1, conf_high=0.9, metric="person_total")


def test_counting_people_gives_the_same_number() -> None:
    """A million simulated pairs: the event is to pass a cut-off that the given part of the comparison group passes.

    The Monte Carlo error of a difference of two shares is at most .0007, so of 1/RD at most 2 per cent here.
    """
    rng = np.random.default_rng(3)
    control, treated = rng.standard_normal(1_000_000), rng.standard_normal(1_000_000) + 0.5
    for rate in (0.2, 0.5):
        cut = np.quantile(control, 1 - rate)
        counted = 1 / ((treated > cut).mean() - (control > cut).mean())
        found = sw.effects.number_needed_to_treat_from_effect(0.5, comparison_event_rate=rate)
        assert found.estimate == pytest.approx(counted, rel=0.02)
        # an unwanted event below a low cut-off: the service keeps people out of it
        low = np.quantile(control, rate)
        counted = 1 / ((control < low).mean() - (treated < low).mean())
        found = sw.effects.number_needed_to_treat_from_effect(0.5, comparison_event_rate=rate, event="unwanted")
        assert found.estimate == pytest.approx(counted, rel=0.02)
    wins = (treated > control).mean()
    found = sw.effects.number_needed_to_treat_from_effect(0.5, method="kraemer_kupfer")
    assert found.estimate == pytest.approx(1 / (2 * wins - 1), rel=0.02)


def test_furukawa_and_leucht_by_their_formula() -> None:
    d, rate = np.array([0.2, 0.5, 0.8]), 0.2
    expected = 1 / (stats.norm.cdf(d + stats.norm.ppf(rate)) - rate)
    found = sw.effects.number_needed_to_treat_from_effect(d, comparison_event_rate=rate)
    assert found.estimate == pytest.approx(expected, rel=1e-12)


@given(st.floats(-0.9, 0.9).filter(lambda x: abs(x) > 1e-3), st.floats(0.001, 0.5), st.floats(0.001, 0.5))
def test_the_interval_holds_just_the_reciprocals_of_its_differences(rd: float, below: float, above: float) -> None:
    low, high = max(rd - below, -1.0), min(rd + above, 1.0)
    found = sw.effects.number_needed_to_treat(rd, conf_low=low, conf_high=high)
    assert found.closed == (low > 0 or high < 0)
    inside = np.linspace(low, high, 57)
    inside = inside[np.abs(inside) > 1e-9]
    numbers = 1 / inside
    if found.closed:
        assert found.conf_low <= numbers.min() + 1e-9
        assert found.conf_high >= numbers.max() - 1e-9
        assert found.conf_low <= found.estimate <= found.conf_high
    else:
        assert np.isnan(found.conf_low)
        assert np.isnan(found.conf_high)
        gains, losses = numbers[numbers > 0], -numbers[numbers < 0]
        assert (gains >= found.benefit_from - 1e-9).all()
        assert (losses >= found.harm_from - 1e-9).all()


def test_altmans_two_cases() -> None:
    closed = sw.effects.number_needed_to_treat(RISK)
    assert [closed.estimate, closed.conf_low, closed.conf_high] == pytest.approx([1 / 0.12, 1 / 0.22, 50.0])
    assert (closed.measure, closed.conf_level, closed.std_error) == ("nnt", 0.95, None)
    open_row = dataclasses.replace(RISK, estimate=0.05, conf_low=-0.05, conf_high=0.15)
    found = sw.effects.number_needed_to_treat(open_row)
    assert found.estimate == pytest.approx(20.0)
    assert found.conf_low is found.conf_high is None
    assert "NNTB 6.7 to infinity to NNTH 20.0" in found.method
    edge = sw.effects.number_needed_to_treat(dataclasses.replace(RISK, conf_low=0.0))
    assert "NNTB 4.5 to infinity to NNTH infinity" in edge.method


def test_a_wanted_fall_is_a_benefit() -> None:
    row = dataclasses.replace(RISK, better="lower", estimate=-0.12, conf_low=-0.22, conf_high=-0.02)
    found = sw.effects.number_needed_to_treat(row)
    assert [found.estimate, found.conf_low, found.conf_high] == pytest.approx([1 / 0.12, 1 / 0.22, 50.0])
    harm = sw.effects.number_needed_to_treat(dataclasses.replace(RISK, better="lower"))
    assert [harm.estimate, harm.conf_low, harm.conf_high] == pytest.approx([-1 / 0.12, -50.0, -1 / 0.22])


def test_a_difference_that_is_turned_already_is_not_turned_back() -> None:
    """5 of 100 placed in care against 20 of 100: the service keeps 15 of 100 out of it, one in 6.7."""
    spared = sw.effects.two_by_two(5, 100, 20, 100, better="lower")
    row = sw.effects.risk_difference(spared).row()
    found = sw.effects.number_needed_to_treat(row)
    assert [found.estimate, found.conf_low, found.conf_high] == pytest.approx(
        [1 / 0.15, 1 / row.conf_high, 1 / row.conf_low]
    )
    assert found.metric == "number_needed"
    kept = sw.effects.two_by_two(95, 100, 80, 100, better="higher")
    same = sw.effects.number_needed_to_treat(sw.effects.risk_difference(kept).row())
    assert found.estimate == pytest.approx(same.estimate)


def test_a_row_of_an_effect() -> None:
    found = sw.effects.number_needed_to_treat_from_effect(G, comparison_event_rate=0.3)
    rd = sw.effects.risk_difference_from_effect([0.5, 0.1, 0.9], comparison_event_rate=0.3)
    assert [found.estimate, found.conf_high, found.conf_low] == pytest.approx((1 / rd).tolist())
    assert found.measure == "nnt_furukawa_leucht"
    assert "comparison event rate 0.3" in found.method
    assert "equal spread" in found.method
    kupfer = sw.effects.number_needed_to_treat_from_effect(G, method="kraemer_kupfer")
    assert kupfer.measure == "nnt_kraemer_kupfer"


def test_arrays_of_effects_and_rates() -> None:
    found = sw.effects.number_needed_to_treat_from_effect(
        np.array([0.2, 0.5])[:, None], conf_low=np.array([-0.1, 0.2])[:, None], conf_high=np.array([0.5, 0.8])[:, None],
        comparison_event_rate=[0.1, 0.3, 0.5],
    )  # fmt: skip
    assert found.estimate.shape == found.harm_from.shape == (2, 3)
    assert found.closed.tolist() == [[False] * 3, [True] * 3]


def test_refusals() -> None:
    nnt, from_effect = sw.effects.number_needed_to_treat, sw.effects.number_needed_to_treat_from_effect
    with pytest.raises(SwevalError, match="comparison_event_rate"):
        from_effect(0.5)
    with pytest.raises(SwevalError, match="uses no comparison_event_rate"):
        from_effect(0.5, comparison_event_rate=0.3, method="kraemer_kupfer")
    for rate in (0.0, 1.0, 20.0, np.nan):
        with pytest.raises(SwevalError, match="between 0 and 1"):
            from_effect(0.5, comparison_event_rate=rate)
    with pytest.raises(SwevalError, match="wanted"):
        from_effect(0.5, comparison_event_rate=0.3, event="relapse")
    with pytest.raises(SwevalError, match="method must be one of"):
        from_effect(0.5, comparison_event_rate=0.3, method="cook")
    with pytest.raises(SwevalError, match="are 0, so that"):
        nnt(0.0)
    with pytest.raises(SwevalError, match="are 0, so that"):
        from_effect(0.0, comparison_event_rate=0.3)
    with pytest.raises(SwevalError, match="Give shares"):
        nnt(12.0)
    with pytest.raises(SwevalError, match="risk difference"):
        nnt(G)
    with pytest.raises(SwevalError, match="cannot be told apart"):
        nnt(dataclasses.replace(RISK, better=None))
    with pytest.raises(SwevalError, match="own limits"):
        nnt(RISK, conf_low=0.1, conf_high=0.2)
    with pytest.raises(SwevalError, match="comparison group"):
        from_effect(dataclasses.replace(G, metric="uncontrolled_change"), comparison_event_rate=0.3)
    with pytest.raises(SwevalError, match="one comparison_event_rate"):
        from_effect(G, comparison_event_rate=[0.1, 0.2])
