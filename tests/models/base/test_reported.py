"""Tables of published reports: every kind gives what its function gives, and no cell is passed over in silence."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import sweval as sw
from sweval.effects.clustered_differences import ClusterSizes
from sweval.errors import DataError, DesignError
from sweval.models.base.reported import reported_effects
from sweval.models.base.reported_kinds import KINDS

SIZES = {"n_treated": 40, "n_control": 38}
AFTER = {"mean_treated": 14.7, "sd_treated": 10.1, "mean_control": 19.5, "sd_control": 11.1}
BEFORE = {"mean_pre_treated": 21.0, "sd_pre_treated": 9.4, "mean_pre_control": 20.5, "sd_pre_control": 10.2}
COUNTS = {"events_treated": 9, "events_control": 17}
NUMBERS: dict[str, dict[str, Any]] = {
    "two_group": SIZES | AFTER,
    "t": SIZES | {"statistic": -2.1},
    "F": SIZES | {"statistic": 4.41, "direction": 1},
    "p": SIZES | {"statistic": 0.039, "direction": -1},
    "correlation": SIZES | {"statistic": -0.23},
    "beta": SIZES | {"statistic": -0.23},
    "ancova": SIZES | {"difference": -3.9, "sd_treated": 10.1, "sd_control": 11.1, "std_error": 1.7},
    "pre_post": SIZES | AFTER | BEFORE | {"correlation": 0.6},
    "pre_post_control": SIZES | AFTER | BEFORE | {"correlation": 0.6},
    "baseline_adjusted": SIZES | AFTER | BEFORE | {"correlation": 0.6},
    "clustered": SIZES | AFTER | {"clusters_treated": 5, "clusters_control": 4, "icc": 0.1},
    "partially_nested": SIZES | AFTER | {"group_size": 8, "icc": 0.1},
    "growth": SIZES | {"coefficient": -0.5, "std_error": 0.2, "duration": 6, "sd_pre": 9.8},
    "hedges_g": SIZES | {"estimate": -0.4, "std_error": 0.2},
    "odds_ratio": SIZES | COUNTS,
    "risk_ratio": SIZES | COUNTS,
    "risk_difference": SIZES | COUNTS,
    "cox_d": SIZES | COUNTS,
}


def table(*rows: dict[str, Any], **every: Any) -> pd.DataFrame:
    """Return a table whose rows have a study of their own."""
    return pd.DataFrame([{"study": f"Study {k}", "better": "lower"} | every | row for k, row in enumerate(rows, 1)])


def test_every_kind_has_numbers_here() -> None:
    assert set(NUMBERS) == set(KINDS)


@pytest.mark.parametrize("kind", NUMBERS)
def test_lower_is_better_turns_every_kind_and_nothing_else(kind: str) -> None:
    """Reports in which the treated fared better by a lower score are positive; for F and p the direction says so."""
    found = reported_effects(table({"kind": kind} | NUMBERS[kind]))
    turned = reported_effects(table({"kind": kind} | NUMBERS[kind], better="higher"))
    row, other = found.estimates[0], turned.estimates[0]
    assert row.estimate > 0 or kind == "p"
    if kind in ("F", "p"):
        assert other.estimate == row.estimate
    elif kind != "risk_ratio":  # its complement is another ratio
        assert other.estimate == pytest.approx(-row.estimate, rel=1e-9)
    assert row.std_error is not None
    assert row.study == "Study 1"
    assert row.level_outcome == "client"
    assert "positive = improvement" in row.method


def test_rows_hold_what_the_functions_give() -> None:
    e = sw.effects
    found = reported_effects(table(*({"kind": kind} | numbers for kind, numbers in NUMBERS.items())))
    rows = {f"Study {k}": [row for row in found.estimates if row.study == f"Study {k}"] for k in range(1, 19)}
    of = dict(zip(NUMBERS, rows.values(), strict=True))
    g = e.hedges_g_from_summary(**NUMBERS["two_group"], better="lower")
    for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value", "df", "n", "weight_variance"):
        assert getattr(of["two_group"][0], name) == pytest.approx(getattr(g, name), rel=1e-12)
    arms = [ClusterSizes(persons=n, clusters=m) for n, m in ((40, 5), (38, 4))]
    pooled = math.sqrt((39 * 10.1**2 + 37 * 11.1**2) / 76)
    clustered = e.clustered_difference(4.8, sd=pooled, treated=arms[0], control=arms[1], icc=0.1)
    assert of["clustered"][0].conf_low == pytest.approx(float(clustered.conf_low), rel=1e-12)
    ppc = e.pre_post_control_from_summary(
        (14.7 - 21.0) - (19.5 - 20.5), sd_pre_treated=9.4, n_treated=40, sd_pre_control=10.2, n_control=38,
        correlation=0.6, better="lower",
    )  # fmt: skip
    assert of["pre_post_control"][0].conf_low == pytest.approx(ppc.conf_low, rel=1e-12)
    assert [row.measure for row in of["partially_nested"]] == ["hedges_g", "hedges_g_alternative"]
    assert of["clustered"][0].level_assigned == "cluster"
    assert of["clustered"][0].clusters == 9
    assert of["pre_post"][0].metric == "uncontrolled_change"
    assert of["odds_ratio"][0].metric == "log_odds_ratio"
    assert (of["ancova"][0].adjusted, of["two_group"][0].adjusted) == (True, False)
    wide = of["clustered"][0].std_error or 0
    assert wide > (of["two_group"][0].std_error or math.inf)


def test_labels_travel_and_other_columns_are_left_alone() -> None:
    given = {
        "comparison": "group work", "service": "training", "outcome": "distress", "level_assigned": "organization",
        "year": 2019,
    }  # fmt: skip
    row = reported_effects(table({"kind": "two_group"} | NUMBERS["two_group"] | given)).estimates[0]
    assert (row.comparison, row.service, row.outcome, row.level_assigned) == (
        "group work", "training", "distress", "organization",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["pre_post", "pre_post_control", "baseline_adjusted"])
def test_a_missing_correlation_is_shown_for_three_values_or_assumed_aloud(kind: str) -> None:
    numbers = {key: value for key, value in NUMBERS[kind].items() if key != "correlation"}
    open_ = reported_effects(table({"kind": kind} | numbers))
    assert len(open_.estimates) == 3
    assert all(row.measure.endswith("_if_correlation_alternative") for row in open_.estimates)
    assert "Row 1 without the correlation" in open_.notes[0]
    assumed = reported_effects(table({"kind": kind} | numbers), correlation=0.6)
    given = reported_effects(table({"kind": kind} | NUMBERS[kind]))
    assert [row.estimate for row in assumed.estimates] == [row.estimate for row in given.estimates]
    assert "taken as 0.6" in assumed.notes[0]
    assert given.notes == ()


def test_a_correlation_is_recovered_where_the_report_allows() -> None:
    """s_D^2 = s_1^2 + s_2^2 - 2 r s_1 s_2 for both arms; pooled by n - 1."""
    r = {"treated": 0.5, "control": 0.7}
    change = {
        f"sd_change_{arm}": math.sqrt(
            BEFORE[f"sd_pre_{arm}"] ** 2 + AFTER[f"sd_{arm}"] ** 2
            - 2 * r[arm] * BEFORE[f"sd_pre_{arm}"] * AFTER[f"sd_{arm}"]
        )
        for arm in r
    }  # fmt: skip
    found = reported_effects(table({"kind": "pre_post_control"} | SIZES | AFTER | BEFORE | change))
    pooled = (39 * 0.5 + 37 * 0.7) / 76
    given = reported_effects(table({"kind": "pre_post_control"} | SIZES | AFTER | BEFORE | {"correlation": pooled}))
    assert found.estimates[0].weight_variance == pytest.approx(given.estimates[0].weight_variance, rel=1e-10)
    assert found.notes == ()


def test_a_paired_t_tells_the_correlation() -> None:
    """s_D = |change| sqrt(n) / |t|, so a report with t = -3.1 and 40 clients has one r, and keeps its t test."""
    row = reported_effects(table({"kind": "pre_post", "paired_t": -3.1} | SIZES | AFTER | BEFORE)).estimates[0]
    assert row.measure == "standardized_mean_change"
    assert row.statistic == pytest.approx(3.1, rel=1e-9)


def test_a_synthesis_takes_the_result_and_no_effect_twice() -> None:
    """Effects under an open correlation, and those under the other view of the control variance, are left out aloud."""
    known = [
        {"kind": "two_group"}
        | NUMBERS["two_group"]
        | {"mean_treated": 14.7 - k, "service": ("group", "training")[k % 2]}
        for k in range(5)
    ]
    open_ = {"kind": "pre_post_control"} | SIZES | AFTER | BEFORE
    groups = {"kind": "partially_nested"} | NUMBERS["partially_nested"]
    found = sw.Synthesis().fit(reported_effects(table(*known, open_, groups)))
    assert any(note.startswith("4 rows with an effect under an assumption") for note in found.notes)
    assert found.effect("mean_effect").n == 6


def test_three_ways_to_report_a_trial_of_clusters() -> None:
    """Means, the t that ignored the clusters, and a difference with its clustered standard error."""
    layout = {"kind": "clustered", "clusters_treated": 5, "clusters_control": 4, "icc": 0.1} | SIZES
    pooled = math.sqrt((39 * 10.1**2 + 37 * 11.1**2) / 76)
    t = -4.8 / pooled / math.sqrt(1 / 40 + 1 / 38)
    found = reported_effects(
        table(
            layout | AFTER,
            layout | {"statistic": t},
            layout | {"difference": -4.8, "sd": pooled, "std_error": 2.9},
            layout | {"difference": -4.8, "sd": pooled, "std_error": 2.9, "df": 5.1},
        )
    ).estimates
    assert found[1].estimate == pytest.approx(found[0].estimate, rel=1e-9)
    assert found[1].conf_low == pytest.approx(found[0].conf_low, rel=1e-9)
    assert (found[2].df, found[3].df) == (7, 5.1)
    assert found[2].statistic == pytest.approx(4.8 / 2.9)


def test_all_wrong_cells_are_named_at_once() -> None:
    good = {"kind": "two_group"} | NUMBERS["two_group"]
    frame = table(
        good,
        good | {"sd_control": None, "n_treated": 1},
        {"kind": "tt"} | SIZES,
        {"kind": "t", "study": None} | SIZES | {"statistic": "n.s."},
        good | {"better": "up", "service": "trainng"},
        {"kind": "odds_ratio"} | COUNTS | {"n_treated": 4, "n_control": 38},
        {"kind": "ancova", "difference": 1.0, "sd_treated": 2.0} | SIZES,
    )
    with pytest.raises(DataError) as caught:
        reported_effects(frame)
    said = str(caught.value)
    for words in (
        "row 2, sd_control is empty", "row 2, n_treated must be a whole number", "row 3, kind is unknown",
        'Did you mean "t"', "row 4, study is empty", "row 4, statistic holds no number", "row 5, better must be",
        "row 5, service is unknown", "row 6", "row 7, std_error or correlation is empty", "row 7, sd_control is empty",
    ):  # fmt: skip
        assert words in said, words
    assert "row 1," not in said
    assert "n.s." not in said


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("correlation", 1.0, "between -1 and 1"), ("icc", 1.0, "from 0 to below 1"), ("direction", 2, "1 or -1"),
        ("std_error", 0, "above 0"), ("n_control", 3.5, "whole number"), ("variant", "ppc9", "one of ppc1"),
        ("statistic", math.inf, "not finite"), ("group_size", 0.5, "1 or more"), ("covariates", -1, "0 or more"),
    ],
)  # fmt: skip
def test_impossible_numbers_are_refused_by_column(column: str, value: Any, words: str) -> None:
    kind = next(name for name, kind in KINDS.items() if column in kind.columns)
    with pytest.raises(DataError, match=f"row 1, {column} must.*{words}|row 1, {column} is {words}"):
        reported_effects(table({"kind": kind} | NUMBERS[kind] | {column: value}))


def test_files_and_frames_of_any_kind_say_the_same(tmp_path: Path) -> None:
    frame = table(*({"kind": kind} | NUMBERS[kind] for kind in ("two_group", "t", "risk_difference")))
    frame.to_csv(tmp_path / "reports.csv", index=False)
    frame.to_excel(tmp_path / "reports.xlsx", index=False)
    wanted = reported_effects(frame).tidy()
    others = [str(tmp_path / "reports.csv"), tmp_path / "reports.xlsx", pl.from_pandas(frame)]
    for other in others:
        pd.testing.assert_frame_equal(reported_effects(other).tidy(), wanted)


def test_a_report_is_called_by_its_study_and_the_sign_of_a_t_is_questioned() -> None:
    found = reported_effects(table({"kind": "t"} | NUMBERS["t"], {"kind": "t", "better": "higher"} | NUMBERS["t"]))
    assert [row.comparison for row in found.estimates] == ["Study 1", "Study 2"]
    assert [note.partition(" with a t")[0] for note in found.notes] == ["Check: Row 1"]


def test_empty_rows_are_counted_and_empty_tables_refused() -> None:
    frame = pd.concat([table({"kind": "p"} | NUMBERS["p"]), pd.DataFrame([{"study": None}])], ignore_index=True)
    assert reported_effects(frame).notes == ("Row 2 of the table without any entry.",)
    with pytest.raises(DataError, match="no rows"):
        reported_effects(frame.iloc[:0])
    with pytest.raises(DataError, match="needs a column kind"):
        reported_effects(pd.DataFrame({"study": ["a"]}))
    for bad in ({"better": "up"}, {"correlation": 1.0}, {"conf_level": 1.0}):
        with pytest.raises(DesignError):
            reported_effects(frame, **bad)


def test_the_table_of_the_docstring_names_every_kind() -> None:
    said = str(reported_effects.__doc__)
    assert [kind for kind in KINDS if f"`{kind}`" not in said] == []
