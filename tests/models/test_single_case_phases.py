"""Single-case design: labels of phases, dates, and what notes and methods say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sweval.errors import DesignError
from sweval.models.single_case import SingleCase

AB = SingleCase(case="id", phase="phase", time="week", baseline="A", treated="B", name="Visits", service="family")


def series(*phases: tuple[str, list[float]], case: str = "k1", first: int = 1) -> pd.DataFrame:
    """Return one case: phases in order, one session a week."""
    rows = [(case, label, value) for label, values in phases for value in values]
    frame = pd.DataFrame(rows, columns=["id", "phase", "y"])
    return frame.assign(week=range(first, first + len(frame)))


def test_each_phase_goes_by_its_own_label() -> None:
    frame = series(*((label, [4, 6, 5, 7, 5, 6]) for label in ("A1", "B1", "A2", "B2")))
    labels = dataclasses.replace(AB, design="abab", baseline=("A1", "A2"), treated=("B1", "B2"), piecewise=True)
    terms = {row.term for row in labels.fit(frame, "y", better="higher").estimates if row.measure == "coefficient"}
    assert terms == {
        f"case 1: {term}{end}" for term in ("phase[B1]", "phase[A2]", "phase[B2]") for end in ("", ":time")
    } | {"case 1: (Intercept)", "case 1: time"}
    plain = frame.assign(phase=frame.phase.str[0])
    again = dataclasses.replace(labels, baseline="A", treated="B").fit(plain, "y", better="higher")
    assert {row.term for row in again.estimates if row.measure == "coefficient"} == terms
    three = pd.concat([frame.assign(id=f"k{k}", y=frame.y + k + np.arange(24) % (k + 2)) for k in range(3)])
    assert labels.fit(three, "y", better="higher").effect("hedges_g").term == "phase[B1+B2]"


def test_a_cut_autocorrelation_is_said() -> None:
    line = list(np.arange(30.0) + np.random.default_rng(2).normal(0, 0.1, 30))
    result = AB.fit(series(("A", line), ("B", line)), "y", better="higher")
    phi = result.effect("within_phase_autocorrelation").estimate
    assert phi > 0.8
    assert any(f"phi = 0.80, the most that is allowed for; it is {phi:.2f}" in note for note in result.notes)


def test_the_mean_says_whether_limits_of_cases_had_a_part() -> None:
    """The one baseline measurement of the last case gives it no standardised difference's limits, nor a PoGO's."""
    parts = [series(("A", [9, 8, 10 + k]), ("B", [7, 6, 5, 7]), case=f"c{k}") for k in range(3)]
    parts.append(series(("A", [9]), ("B", [7, 6, 5]), case="c3"))
    result = dataclasses.replace(AB, goal=2.0).fit(pd.concat(parts), "y", better="lower")
    nap, goal = (
        result.effect(measure, term="all cases") for measure in ("nonoverlap_of_all_pairs", "percent_of_goal_obtained")
    )
    assert "these very cases" in nap.method
    assert "these very cases" not in goal.method
    assert goal.conf_low is not None
    two = dataclasses.replace(AB, goal=2.0).fit(pd.concat(parts[2:]), "y", better="lower")
    none = two.effect("percent_of_goal_obtained", term="all cases")
    assert (none.conf_low, "; no interval; " in none.method) == (None, True)


def test_other_columns_are_not_read_out() -> None:
    frame = series(("A", [4, 5, 6]), ("B", [7, 8, 9]))
    more = pd.DataFrame({"id": "k1", "phase": [f"CANARY{k}" for k in range(20)], "y": 1.0, "week": range(20, 40)})
    result = AB.fit(pd.concat([frame, more]), "y", better="higher")
    assert any("20 sessions of 20 other phases left out" in note for note in result.notes)
    assert not any("CANARY" in note for note in result.notes)
    with pytest.raises(DesignError, match="22 different values") as error:
        dataclasses.replace(AB, treated="CANARY").fit(pd.concat([frame, more]), "y", better="higher")
    assert "CANARY1" not in str(error.value)


@pytest.mark.parametrize("kind", ["date", "text", "moment", "polars"])
def test_every_kind_of_date_is_a_time(kind: str) -> None:
    frame = series(("A", [4, 5, 7]), ("B", [7, 8, 9]))
    days = pd.to_datetime("2025-03-01") + pd.to_timedelta(7 * frame.week, unit="D")
    given = {
        "date": days.dt.date,
        "text": days.dt.strftime("%Y-%m-%d"),
        "moment": days.dt.strftime("%Y-%m-%dT00:00:00Z"),
        "polars": days.dt.date,
    }[kind]
    dated = frame.assign(week=given)
    result = AB.fit(pl.from_pandas(dated) if kind == "polars" else dated, "y", better="higher")
    assert result.effect("baseline_slope").estimate == pytest.approx(1.5 / 7)
    assert any('dates in "week", counted in days' in note for note in result.notes)
    assert not any("not used" in note for note in result.notes)


def test_a_day_that_is_none_is_refused() -> None:
    frame = series(("A", [4, 5, 7]), ("B", [7, 8, 9]))
    days = ["2025-02-27", "2025-02-28", "2025-02-30", "2025-03-02", "2025-03-03", "2025-03-04"]
    with pytest.raises(DesignError, match='1 date in "week" is no day') as error:
        AB.fit(frame.assign(week=days), "y", better="higher")
    assert "02-30" not in str(error.value)
