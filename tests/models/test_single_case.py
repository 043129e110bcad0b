"""Single-case design: against the effect functions, the laws that must hold, and every awkward series a program has."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

import sweval as sw
from sweval.errors import DataError, DesignError
from sweval.models.single_case import SingleCase
from sweval.result import METRICS, Result

AB = SingleCase(case="id", phase="phase", time="week", baseline="A", treated="B", name="Visits", service="family")


def series(*phases: tuple[str, list[float]], case: str = "k1", first: int = 1) -> pd.DataFrame:
    """Return one case: phases in order, one session a week."""
    rows = [(case, label, value) for label, values in phases for value in values]
    frame = pd.DataFrame(rows, columns=["id", "phase", "y"])
    return frame.assign(week=range(first, first + len(frame)))


@pytest.fixture
def families() -> pd.DataFrame:
    """Return a multiple baseline: 4 families, 20 weeks, services start at 6, 8, 10, 12; lower is better."""
    rng = np.random.default_rng(7)
    parts = []
    for number, start in enumerate((6, 8, 10, 12)):
        week = np.arange(1, 21)
        y = rng.normal(20, 3) - 4 * (week >= start) + rng.normal(0, 2, 20)
        phase = np.where(week < start, "A", "B")
        parts.append(pd.DataFrame({"id": f"family {number}", "week": week, "phase": phase, "y": y.round(1)}))
    return pd.concat(parts, ignore_index=True)


def rows_of(result: Result, term: str) -> dict[str, float]:
    return {row.measure: row.estimate for row in result.estimates if row.term == term}


def test_rows_are_what_the_effect_functions_say(families: pd.DataFrame) -> None:
    result = dataclasses.replace(AB, scale="count", goal=12.0, tau_u="parker").fit(families, "y", better="lower")
    for number, (_, own) in enumerate(families.groupby("id", sort=False), 1):
        a, b = (own.loc[own.phase == label, "y"].to_numpy() for label in "AB")
        t = tuple(own.loc[own.phase == label, "week"].to_numpy() for label in "AB")
        found = rows_of(result, f"case {number}")
        way = {"better": "lower"}
        effects = sw.effects
        want = {
            "nonoverlap_of_all_pairs": effects.nonoverlap_of_all_pairs(a, b, **way).estimate,
            "tau": effects.tau_nonoverlap(a, b, **way).estimate,
            "tau_baseline_corrected": effects.tau_baseline_corrected(a, b, time=t, **way).effect.estimate,
            "tau_u_parker": effects.tau_u(a, b, variant="parker", **way).comparison("A vs. B - Trend A"),
            "percentage_of_nonoverlapping_data": effects.percentage_of_nonoverlapping_data(a, b, **way),
            "percentage_exceeding_median": effects.percentage_exceeding_median(a, b, **way).estimate,
            "percentage_exceeding_trend": effects.percentage_exceeding_trend(a, b, time=t, **way).estimate,
            "percentage_of_all_nonoverlapping_data": effects.percentage_of_all_nonoverlapping_data(
                a, b, **way
            ).estimate,
            "improvement_rate_difference": effects.improvement_rate_difference(a, b, **way),
            "within_case_smd": effects.standardized_mean_difference_within_case(a, b, **way).estimate,
            "log_response_ratio": effects.log_response_ratio_within_case(a, b, **way).estimate,
            "log_ratio_of_medians": effects.log_ratio_of_medians(a, b, **way).estimate,
            "percent_of_goal_obtained": effects.percent_of_goal_obtained(a, b, goal=12).estimate,
            "baseline_phase_mean": a.mean(),
            "treated_phase_mean": b.mean(),
        }
        for measure, value in want.items():
            assert found[measure] == pytest.approx(float(value), rel=1e-12), measure


def test_every_row_says_what_it_is(families: pd.DataFrame) -> None:
    design = dataclasses.replace(AB, design="multiple_baseline", randomized=True, piecewise=True, scale="count")
    result = design.fit(families, "y", better="lower")
    assert len({row.measure for row in result.estimates}) > 15
    for row in result.estimates:
        assert row.metric in METRICS
        assert row.method
        assert row.n
        assert math.isfinite(row.estimate)
        assert (row.conf_low is None) == (row.conf_high is None) == (row.conf_level is None)
        if row.metric == "nonoverlap" and row.conf_low is not None:
            assert -1 <= row.conf_low <= row.estimate <= row.conf_high <= 1
        assert "family" not in row.term
    assert [row.metric for row in result.estimates].count("person_total") == 1
    assert all("family" not in note for note in result.notes)
    assert result.clients["client"].tolist() == [f"family {k}" for k in range(4)]
    assert result.clients["case"].tolist() == [f"case {k}" for k in range(1, 5)]


def test_the_between_case_effect_is_that_of_its_function(families: pd.DataFrame) -> None:
    row = AB.fit(families, "y", better="lower").effect("hedges_g")
    want = sw.effects.between_case_g(
        families.y, case=families.id, phase=families.phase, time=families.week, better="lower"
    )
    assert (row.estimate, row.conf_low, row.df) == pytest.approx((want.estimate, want.conf_low, want.df), rel=1e-9)
    assert (row.metric, row.standardizer, row.term, row.n) == ("person_total", "between_case_total", "phase[B]", 4)
    two = AB.fit(families[families.id.isin(["family 0", "family 1"])], "y", better="lower")
    assert all(row.metric != "person_total" for row in two.estimates)
    assert any("needs 3 cases" in note for note in two.notes)


def test_order_ids_and_kind_of_frame_do_not_matter(families: pd.DataFrame) -> None:
    plain = AB.fit(families, "y", better="lower")
    shuffled = families.sample(frac=1, random_state=3)
    other = AB.fit(pl.from_pandas(shuffled.assign(id=shuffled.id.str[-1].astype(int))), "y", better="lower")
    names = dict(zip(other.clients["client"].astype(int), other.clients["case"], strict=True))
    for number in range(4):
        assert rows_of(other, names[number]) == pytest.approx(rows_of(plain, f"case {number + 1}"), rel=1e-12)
    assert rows_of(other, "all cases") == pytest.approx(rows_of(plain, "all cases"), rel=1e-9)
    assert other.effect("hedges_g").estimate == pytest.approx(plain.effect("hedges_g").estimate, rel=1e-6)


def test_the_other_direction_turns_every_oriented_index(families: pd.DataFrame) -> None:
    one, other = (AB.fit(families, "y", better=way) for way in ("lower", "higher"))
    for number in range(1, 5):
        a, b = (rows_of(result, f"case {number}") for result in (one, other))
        assert a["nonoverlap_of_all_pairs"] == pytest.approx(1 - b["nonoverlap_of_all_pairs"], abs=1e-12)
        for measure in ("tau", "tau_baseline_corrected", "within_case_smd"):
            assert a[measure] == pytest.approx(-b[measure], abs=1e-12)
        for measure in ("baseline_phase_mean", "treated_phase_mean", "baseline_slope"):
            assert a[measure] == pytest.approx(b[measure], abs=1e-12)
    assert one.effect("hedges_g").estimate == pytest.approx(-other.effect("hedges_g").estimate, rel=1e-8)


def test_phases_that_come_back_are_compared_in_pairs() -> None:
    """A1 with B1 and A2 with B2, weighted by comparisons: NAP is the share of the 3*3 + 2*4 pairs that were made."""
    frame = series(("A", [5, 6, 4]), ("B", [7, 6, 8]), ("A", [5, 7]), ("B", [8, 9, 6, 7]))
    abab = dataclasses.replace(AB, design="abab")
    found = abab.fit(frame, "y", better="higher").effect("nonoverlap_of_all_pairs")
    first, second = (
        sw.effects.nonoverlap_of_all_pairs(a, b) for a, b in (([5, 6, 4], [7, 6, 8]), ([5, 7], [8, 9, 6, 7]))
    )
    assert found.estimate == pytest.approx((9 * first.estimate + 8 * second.estimate) / 17, rel=1e-12)
    assert first.conf_low < found.conf_low < found.estimate < found.conf_high <= 1
    named = frame.assign(phase=["A1"] * 3 + ["B1"] * 3 + ["A2"] * 2 + ["B2"] * 4)
    labels = dataclasses.replace(abab, baseline=("A1", "A2"), treated=("B1", "B2"))
    assert labels.fit(named, "y", better="higher").effect("nonoverlap_of_all_pairs") == found
    open_end = pd.concat([frame, series(("A", [6.0, 5, 6]), first=13)], ignore_index=True)
    extra = abab.fit(open_end, "y", better="higher")
    assert extra.effect("nonoverlap_of_all_pairs").estimate == found.estimate
    assert any("3 sessions in phases without a partner" in note for note in extra.notes)
    with pytest.raises(DesignError, match=r'1 case returns to the baseline.*"abab"'):
        AB.fit(frame, "y", better="higher")


def test_no_overlap_in_any_phase_stays_inside_the_range() -> None:
    frame = series(("A", [1, 2, 1]), ("B", [8, 9, 8]), ("A", [2, 1, 2]), ("B", [9, 8, 9]))
    row = dataclasses.replace(AB, design="abab").fit(frame, "y", better="higher").effect("nonoverlap_of_all_pairs")
    assert (row.estimate, row.conf_high) == (1, 1)
    assert 0.5 < row.conf_low < 1


def test_alternating_conditions_are_compared_as_wholes() -> None:
    frame = series(*[(label, [value]) for label, value in zip("ABBABAAB", [5, 7, 8, 4, 9, 6, 5, 7], strict=True)])
    design = dataclasses.replace(AB, design="alternating", randomized=True)
    result = design.fit(frame, "y", better="higher")
    found = rows_of(result, "case 1")
    assert found["nonoverlap_of_all_pairs"] == 1
    assert "tau_baseline_corrected" not in found
    test = result.effect("randomization_test")
    orders = sw.effects.alternating_orders(8, treated=4, longest_run=2)
    assert test.p_value == pytest.approx(1 / len(orders))


def test_more_orders_than_can_be_listed_are_drawn() -> None:
    """40 sessions have millions of orders; the difference is far beyond chance, so that p is its least: 1 / 10,000."""
    frame = series(*((label, [5 + 4 * (label == "B") + k % 3]) for k, label in enumerate("ABBA" * 10)))
    design = dataclasses.replace(AB, design="alternating", randomized=True)
    row = design.fit(frame, "y", better="higher").effect("randomization_test")
    assert row.p_value == pytest.approx(1e-4, abs=1e-12)
    assert "10,000 drawn possible orders" in row.method
    assert row == design.fit(frame, "y", better="higher").effect("randomization_test")


def test_randomised_starts_of_several_cases(families: pd.DataFrame) -> None:
    design = dataclasses.replace(AB, design="multiple_baseline", randomized=True, least_phase=5)
    row = design.fit(families, "y", better="lower").effect("randomization_test")
    starts = sw.effects.start_points(20, least_baseline=5, least_treated=5)
    values = [own.y.to_numpy() for _, own in families.groupby("id")]
    made = [(own.phase == "B").to_numpy() for _, own in families.groupby("id")]
    want = sw.effects.randomization_test(values, made, [starts] * 4, better="lower")
    assert (row.estimate, row.p_value) == pytest.approx((want.statistic, want.p_value))
    with pytest.raises(DesignError, match="none of those that could have been drawn"):
        dataclasses.replace(design, least_phase=6).fit(families, "y", better="lower")


def test_draws_are_among_the_sessions_planned() -> None:
    """Weeks 2 and 9 were not counted: the start was drawn among ten weeks all the same."""
    frame = series(("A", [4, np.nan, 5, 4]), ("B", [7, 8, 9, 7, np.nan, 8]))
    design = dataclasses.replace(AB, randomized=True, least_phase=4)
    row = design.fit(frame, "y", better="higher").effect("randomization_test")
    assert row.p_value == pytest.approx(1 / 3)  # starts in week 5, 6, 7
    assert "all 3 possible starts" in row.method


def test_regression_of_each_case(families: pd.DataFrame) -> None:
    result = dataclasses.replace(AB, piecewise=True).fit(families, "y", better="lower")
    own = families[families.id == "family 2"]
    want = sw.effects.piecewise_regression(own.y, own.phase.tolist(), time=own.week, errors="ar1")
    for number, term in enumerate(want.terms):
        row = result.effect("coefficient", term=f"case 3: {term}")
        assert (row.estimate, row.std_error, row.df) == pytest.approx(
            (want.estimate[number], want.std_error[number], want.df[number]), rel=1e-6
        )
    short = dataclasses.replace(AB, piecewise=True).fit(series(("A", [1, 2]), ("B", [3])), "y", better="higher")
    assert any("too short" in note for note in short.notes)


def test_the_mean_over_cases_is_a_t_test_of_cases(families: pd.DataFrame) -> None:
    result = AB.fit(families, "y", better="lower")
    row = result.effect("nonoverlap_of_all_pairs", term="all cases")
    values = result.clients["nonoverlap_of_all_pairs"]
    assert row.estimate == pytest.approx(values.mean())
    assert row.std_error == pytest.approx(values.sem())
    assert (row.df, row.p_value, row.n) == (3, None, 4)
    index = result.effect("improvement_rate_difference", term="all cases")
    values = result.clients["improvement_rate_difference"]
    assert index.statistic == pytest.approx(values.mean() / values.sem())
    assert index.p_value == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    same = pd.concat([series(("A", [1, 2, 3]), ("B", [7, 8]), case=f"c{k}") for k in range(3)])
    even = AB.fit(same, "y", better="higher")
    none = even.effect("improvement_rate_difference", term="all cases")
    assert (none.estimate, none.conf_low, none.p_value) == (1, None, None)
    nap = even.effect("nonoverlap_of_all_pairs", term="all cases")
    own = even.effect("nonoverlap_of_all_pairs_serial", term="case 1")
    assert nap.conf_low == pytest.approx(1 - (1 - own.conf_low) / np.sqrt(3))
    assert (nap.conf_high, nap.df, nap.std_error) == (1, None, None)


def test_missing_sessions_and_other_phases_are_said() -> None:
    frame = series(("A", [4, np.nan, 5, 4]), ("B", [7, 8, np.nan, 9, 7]), ("follow-up", [8, 8]))
    frame.loc[7, "week"] = np.nan
    stray = pd.DataFrame({"id": [None, "k2"], "phase": ["A", "A"], "y": [1.0, 2.0], "week": [1, 1]})
    result = AB.fit(pd.concat([frame, stray], ignore_index=True), "y", better="higher")
    said = "\n".join(result.notes)
    for words in (
        '2 sessions of other phases ("follow-up") left out',
        '1 session without a case in "id" left out',
        '1 session without a time in "week" left out',
        '2 sessions without "y" left out',
        "1 case without measurements in both phases left out",
        "2 times of... between".replace("2 times of...", '3 times of "week"'),
    ):
        assert words in said
    assert (result.fits[0].rows, result.fits[0].used) == (13, 6)


def test_short_phases_are_defined_and_said() -> None:
    result = AB.fit(series(("A", [4]), ("B", [6, 7, 5])), "y", better="higher")
    found = rows_of(result, "case 1")
    assert found["nonoverlap_of_all_pairs"] == 1
    assert "within_case_smd" not in found
    assert "tau_baseline_corrected" not in found
    assert result.effect("nonoverlap_of_all_pairs").std_error is None
    assert any(note.startswith("Check: 1 case has a phase of fewer than 3") for note in result.notes)


def test_constant_phases_and_all_ties() -> None:
    flat = rows_of(AB.fit(series(("A", [4, 4, 4]), ("B", [4, 4, 4])), "y", better="higher"), "case 1")
    assert (flat["nonoverlap_of_all_pairs"], flat["tau"], flat["percentage_of_nonoverlapping_data"]) == (0.5, 0, 0)
    assert "within_case_smd" not in flat
    step = AB.fit(series(("A", [4, 4, 4]), ("B", [6, 6, 6])), "y", better="higher")
    assert rows_of(step, "case 1")["nonoverlap_of_all_pairs"] == 1
    assert any("none, since nothing varies" in note for note in step.notes)


def test_autocorrelation_widens_the_second_interval() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=400)
    wave = np.convolve(noise, 0.7 ** np.arange(12))[:400]
    frame = pd.DataFrame({"id": np.repeat(range(20), 20), "week": np.tile(range(20), 20), "y": wave})
    frame["phase"] = np.where(frame.week < 10, "A", "B")
    result = AB.fit(frame, "y", better="higher")
    phi = result.effect("within_phase_autocorrelation").estimate
    assert 0.5 < phi < 0.85
    for case in ("case 1", "case 20"):
        plain, wide = (result.effect(f"nonoverlap_of_all_pairs{end}", term=case) for end in ("", "_serial"))
        assert wide.estimate == plain.estimate
        assert wide.conf_high - wide.conf_low > plain.conf_high - plain.conf_low
    assert any(note.startswith("Check: Intervals of single cases") for note in result.notes)
    given = dataclasses.replace(AB, phi=0.0).fit(frame, "y", better="higher")
    assert given.effect("nonoverlap_of_all_pairs_serial", term="case 1").conf_low == pytest.approx(
        given.effect("nonoverlap_of_all_pairs", term="case 1").conf_low
    )


def test_dates_are_times() -> None:
    frame = series(("A", [4, 5, 6]), ("B", [7, 8, 9]))
    days = pd.to_datetime("2025-03-01") + pd.to_timedelta(7 * frame.week, unit="D")
    row, dated = (AB.fit(f, "y", better="higher").effect("baseline_slope") for f in (frame, frame.assign(week=days)))
    assert dated.estimate == pytest.approx(row.estimate / 7)
    loose = dataclasses.replace(AB, time=None).fit(frame, "y", better="higher")
    assert any("order of the rows" in note for note in loose.notes)


def test_weeks_as_dates_are_weeks(families: pd.DataFrame) -> None:
    """Errors of neighbours: rho is that of sessions a week apart, and only slopes are per day instead of per week."""
    design = dataclasses.replace(AB, piecewise=True)
    dated = families.assign(week=pd.to_datetime("2025-03-01") + pd.to_timedelta(7 * families.week, unit="D"))
    weeks, days = (design.fit(frame, "y", better="lower") for frame in (families, dated))
    assert days.effect("hedges_g").estimate == pytest.approx(weeks.effect("hedges_g").estimate, rel=1e-8)
    for term, unit in (("phase[B]", 1), ("time", 7), ("phase[B]:time", 7)):
        one, other = (result.effect("coefficient", term=f"case 2: {term}") for result in (weeks, days))
        assert (other.estimate * unit, other.std_error * unit, other.conf_low * unit, other.df) == pytest.approx(
            (one.estimate, one.std_error, one.conf_low, one.df), rel=1e-6
        )
    assert sum("7 apart or a multiple" in note for note in days.notes) == 1


def test_table_is_one_row_per_case_in_the_kind_of_frame_given(families: pd.DataFrame) -> None:
    table, other = AB.table(families, "y", better="lower"), AB.table(pl.from_pandas(families), "y", better="lower")
    assert isinstance(other, pl.DataFrame)
    assert len(table) == other.height == 4
    assert other["nonoverlap_of_all_pairs"].to_list() == table["nonoverlap_of_all_pairs"].tolist()
    assert list(table.columns) == other.columns


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"design": "abc"}, "design"),
        ({"scale": "ratio"}, "scale"),
        ({"tau_u": "best"}, "tau_u"),
        ({"case": None}, "column of the cases"),
        ({"treated": "A"}, "both baseline and treated"),
        ({"baseline": ()}, "names no phase"),
        ({"phi": 1.0}, "phi"),
        ({"goal": float("nan")}, "goal"),
        ({"least_phase": 0}, "least_phase"),
        ({"outcome_wave": "B", "wave": "week"}, "outcome_wave"),
    ],
)
def test_designs_that_make_no_sense(change: dict[str, object], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        dataclasses.replace(AB, **change)


def test_data_that_do_not_fit_the_design() -> None:
    frame = series(("A", [4, 5, 6]), ("B", [7, 8, 9]))
    with pytest.raises(DesignError, match='"C" is not in "phase"'):
        dataclasses.replace(AB, treated="C").fit(frame, "y", better="higher")
    with pytest.raises(DesignError, match="begins with the treated phase"):
        AB.fit(series(("B", [7, 8]), ("A", [4, 5])), "y", better="higher")
    with pytest.raises(DesignError, match="1 session has the same case and time"):
        AB.fit(frame.assign(week=[1, 2, 2, 4, 5, 6]), "y", better="higher")
    with pytest.raises(DesignError, match="no case has measurements in both"):
        AB.fit(frame.assign(id=["a", "a", "a", "b", "b", "b"]), "y", better="higher")
    with pytest.raises(DesignError, match="never goes from baseline to service"):
        dataclasses.replace(AB, design="abab").fit(series(("B", [7, 8]), ("A", [4, 5])), "y", better="higher")
    with pytest.raises(DesignError, match="1, 2, 3"):
        AB.fit(frame.assign(week=list("abcdef")), "y", better="higher")
    with pytest.raises(DesignError, match="two parts"):
        AB.fit(frame, "week", better="higher")
    with pytest.raises(DataError, match=r"Visits: .* below 0"):
        dataclasses.replace(AB, scale="count").fit(frame.assign(y=-frame.y), "y", better="higher")
    with pytest.raises(DesignError, match="higher or lower"):
        AB.fit(frame, "y")
    with pytest.raises(DataError, match="no column"):
        AB.fit(frame.drop(columns="week"), "y", better="higher")
    same = dataclasses.replace(AB, design="multiple_baseline").fit(frame, "y", better="higher")
    assert any("start at different times" in note for note in same.notes)


def test_a_case_beyond_the_goal_has_no_percentage_of_it() -> None:
    """Lower is better, the goal is 5; case 1 goes from 3 up to 4.5: worse, though three quarters of "the way"."""
    worse = series(("A", [3, 2, 4, 3]), ("B", [4, 5, 4, 5]))
    better = series(("A", [9, 8, 10, 9]), ("B", [7, 6, 7, 8]), case="k2")
    result = dataclasses.replace(AB, goal=5.0).fit(pd.concat([worse, better]), "y", better="lower")
    assert "percent_of_goal_obtained" not in rows_of(result, "case 1")
    assert rows_of(result, "case 2")["percent_of_goal_obtained"] == pytest.approx(50)
    assert rows_of(result, "all cases")["percent_of_goal_obtained"] == pytest.approx(50)
    assert any("1 case without a percentage of the goal" in note for note in result.notes)
    assert not any("goal" in note for note in dataclasses.replace(AB, goal=5.0).fit(better, "y", better="lower").notes)


def test_notes_come_once(families: pd.DataFrame) -> None:
    half = families.assign(week=families.week / 2)
    notes = dataclasses.replace(AB, piecewise=True).fit(half, "y", better="lower").notes
    assert len(notes) == len(set(notes))
    assert sum("no whole numbers" in note for note in notes) == 1
