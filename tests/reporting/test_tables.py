"""One row per comparison and outcome, direct before indirect; what cannot be compared stands apart; nothing is lost."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from sweval.reporting.cells import Table, level_of
from sweval.reporting.language import load_language
from sweval.reporting.tables import block, records, tables
from sweval.result import METRICS, Estimate, Result


def named(result: Result, name: str, **options: object) -> Table:
    return next(table for table in tables(result.tidy(), **options) if table.name == name)


def texts(table: Table) -> list[tuple[str | None, ...]]:
    return [(row.group, *(cell.text for cell in row.cells)) for row in table.rows]


def test_effects_stand_direct_before_indirect_in_the_order_of_the_study(synthetic: Result) -> None:
    table = named(synthetic, "effects")
    assert [column.name for column in table.columns] == [
        "comparison", "service", "design", "outcome", "n", "clusters", "effect", "df", "p",
    ]  # fmt: skip
    design = "whole clusters assigned to an arm, adjusted for baseline"
    group = ("Direct service", "Group work", "group", design)
    training = ("Indirect service", "Staff training", "training", design)
    assert texts(table) == [
        (*group, "phq9_total", "652", "24", "0.46 [0.21, 0.70]", "20.3", "0.031"),
        (*group, "who5_percent", "652", "24", "−0.42 [−0.70, −0.14]", "20.3", "0.031"),
        (*training, "phq9_total", "652", "24", "0.31 [0.05, 0.57]", "20.3", "0.031"),
        (*training, "who5_percent", "652", "24", "0.18 [−0.11, 0.47]", "20.3", "0.031"),
    ]


def test_numbers_behind_the_cells_are_not_rounded(synthetic: Result) -> None:
    cell = named(synthetic, "effects").rows[0].cells[6]
    assert cell.numbers == (0.455, 0.21, 0.7)


def test_what_has_another_yardstick_stands_apart_with_a_sentence(synthetic: Result) -> None:
    table = named(synthetic, "apart")
    assert texts(table) == [
        ("Direct service", "Before and after", "phq9_total", "standardised change, no comparison arm",
         "standard deviations between clients, no comparison arm", "57", "0.60 [0.40, 0.80]", "56.0", "<0.001")
    ]  # fmt: skip
    assert "must not be set beside the effects" in table.notes[0]


def test_every_row_is_in_exactly_one_table(synthetic: Result) -> None:
    odd = Estimate(term="x", measure="wald", estimate=0.4, method="CR2, AHT")
    tidy = (synthetic + Result(estimates=(odd,))).tidy()
    held = pd.Series([block(row) for row in records(tidy)]).value_counts()
    shown = {table.name: table for table in tables(tidy)}
    assert set(held.index) == set(shown)
    assert [len(shown[name].rows) for name in ("effects", "apart", "icc", "coefficients", "other")] == [4, 1, 4, 4, 1]
    assert held["participants"] == 4 * 2 * 4
    assert len(shown["participants"].rows) == 4 * 2
    assert (held["reliability"], len(shown["reliability"].rows)) == (5, 1)


def test_participants_and_reliability_cells(synthetic: Result) -> None:
    assert texts(named(synthetic, "participants"))[1] == (
        "Staff training", "phq9_total", "training", "322", "24", "13.90", "5.00", "10.50", "5.25",
    )  # fmt: skip
    assert texts(named(synthetic, "reliability")) == [
        (None, "phq9_total", "690", "0.86 [0.84, 0.88]", "1.97", "phq_1", "0.50")
    ]


def with_counts(result: Result, counts: dict[str, int]) -> Result:
    rows = tuple(
        dataclasses.replace(row, n=counts.get(level_of(row.term) or "", row.n)) if row.measure in MEANS else row
        for row in result.estimates
    )
    return dataclasses.replace(result, estimates=rows)


MEANS = ("mean", "sd", "baseline_mean", "baseline_sd")


def test_a_small_count_is_hidden_and_so_is_the_one_that_would_give_it_away(synthetic: Result) -> None:
    table = named(with_counts(synthetic, {"training": 10}), "participants")
    usual, training = texts(table)[:2]
    assert training == ("Staff training", "phq9_total", "training", "<11", "24", "–", "–", "–", "–")
    assert usual[3] == "withheld"
    assert usual[5:] == ("13.90", "5.00", "10.50", "5.25")
    assert all(cell.numbers != (10,) for row in table.rows for cell in row.cells)
    assert "Counts below 11" in table.notes[-1]


def test_the_limit_itself_is_shown_and_zero_shows_all(synthetic: Result) -> None:
    assert texts(named(with_counts(synthetic, {"training": 11}), "participants"))[1][3] == "11"
    shown = named(with_counts(synthetic, {"training": 3}), "participants", small_cells=0)
    assert texts(shown)[1][3] == "3"
    assert len(shown.notes) == 1


def waves(counts: dict[str, tuple[int, int, int]]) -> Result:
    """Return the rows of a growth analysis: arm -> clients used, with a value before, with a value after."""
    common = {"comparison": "Outreach", "outcome": "stress", "better": "lower"}
    rows = [
        Estimate(**common, term="arm[outreach]", measure="hedges_g", metric="person_total", estimate=0.5, adjusted=True,
                 n=271, level_assigned="cluster", method="Hedges g (Feingold 2009): difference in growth from 1 to 4"),
        Estimate(**common, term="agency", measure="baseline_icc", estimate=0.2, n=266, method="REML"),
    ]  # fmt: skip
    for arm, (used, before, after) in counts.items():
        own = {"term": f"arm[{arm}]", "method": "unadjusted"}
        rows.append(Estimate(**common, **own, measure="clients", estimate=float(used), n=used))
        for prefix, n in (("", after), ("baseline_", before)):
            rows += [Estimate(**common, **own, measure=f"{prefix}{m}", estimate=20.5, n=n) for m in ("mean", "sd")]
    return Result(estimates=tuple(rows))


def test_clients_used_stand_beside_those_seen_at_each_wave() -> None:
    table = named(waves({"usual": (148, 145, 107), "outreach": (123, 121, 98)}), "participants")
    assert [column.label for column in table.columns] == [
        "Outcome", "Arm", "Clients used", "n at baseline", "Mean at baseline", "SD at baseline",
        "n at outcome", "Mean at outcome", "SD at outcome",
    ]  # fmt: skip
    assert texts(table)[0] == ("Outreach", "stress", "usual", "148", "145", "20.50", "20.50", "107", "20.50", "20.50")
    assert "n are those with a value then" in table.notes[0]


def test_a_small_count_at_one_wave_hides_the_means_of_that_wave() -> None:
    table = named(waves({"usual": (148, 145, 107), "outreach": (123, 121, 9)}), "participants")
    usual, outreach = texts(table)
    assert outreach[3:] == ("123", "121", "20.50", "20.50", "<11", "–", "–")
    assert usual[3:] == ("148", "145", "20.50", "20.50", "withheld", "20.50", "20.50")
    assert "Counts below 11" in table.notes[-1]


def test_growth_compares_changes_and_adjusts_for_no_baseline() -> None:
    effects = named(waves({"usual": (148, 145, 107), "outreach": (123, 121, 98)}), "effects")
    assert "whole clusters assigned to an arm, changes from baseline compared" in texts(effects)[0]


def test_further_estimates_have_df_and_p_and_say_what_n_counts() -> None:
    joint = Estimate(
        comparison="Own model", term="all slopes", measure="wald", estimate=23.64, method="CR2, AHT", n=941, df=6.04,
        p_value=0.0009,
    )  # fmt: skip
    result = waves({"usual": (148, 145, 107), "outreach": (123, 121, 98)}) + Result(estimates=(joint,))
    table = named(result, "other")
    assert [column.label for column in table.columns][-5:] == ["n", "n counts", "Estimate [95% CI]", "df", "p"]
    assert [row[-5:] for row in texts(table)] == [
        ("266", "clients", "0.200", "–", "–"), ("941", "rows", "23.640", "6.0", "<0.001"),
    ]  # fmt: skip


def test_differing_confidence_levels_are_said_in_every_cell(synthetic: Result) -> None:
    rows = [dataclasses.replace(synthetic.estimates[1], conf_level=0.9), synthetic.estimates[1]]
    table = named(Result(estimates=tuple(rows)), "effects")
    assert [row.cells[6].text for row in table.rows] == ["0.31 [0.05, 0.57] (90%)", "0.31 [0.05, 0.57] (95%)"]
    assert table.columns[6].label == "Effect g [90%/95% CI]"


def test_an_effect_without_interval_or_service(synthetic: Result) -> None:
    bare = Estimate(term="arm[program]", measure="hedges_g", metric="person_total", estimate=0.2, method="given")
    table = named(Result(estimates=(bare,)), "effects")
    assert table.rows[0].group == "Service not stated"
    assert "0.20" in [cell.text for cell in table.rows[0].cells]


def test_an_effect_that_is_not_finite_is_said_not_shown(synthetic: Result) -> None:
    broken = dataclasses.replace(synthetic.estimates[1], estimate=float("inf"), conf_low=None, conf_high=None)
    table = named(Result(estimates=(broken,)), "effects")
    assert table.rows[0].cells[6].text == "not estimable"


def test_indonesian_table(synthetic: Result) -> None:
    row = texts(named(synthetic, "effects", language="id"))[0]
    assert row[0] == "Pelayanan langsung"
    assert row[7] == "0,46 [0,21; 0,70]"


@pytest.mark.parametrize(
    ("term", "level"), [("arm[training]", "training"), ("arm[a [b]]", "a [b]"), ("wave", None), (None, None)]
)
def test_level_of_a_term(term: str | None, level: str | None) -> None:
    assert level_of(term) == level


def changed(counts: dict[str, int]) -> Result:
    """Return the rows of a reliable change analysis of one outcome."""
    common = {"comparison": "Casework", "outcome": "phq9_total", "method": "Jacobson and Truax (1991)", "n": 60}
    rows = []
    for name, count in counts.items():
        rows.append(Estimate(**common, term=name, measure="count", estimate=float(count)))
        for measure in ("proportion", "proportion_intention_to_treat"):
            share = {"estimate": count / 60, "conf_low": 0.01, "conf_high": 0.99, "conf_level": 0.95}
            rows.append(Estimate(**common, **share, term=name, measure=measure))
    rows.append(Estimate(**common, term="change", measure="reliable_change_threshold", estimate=5.977))
    return Result(estimates=tuple(rows))


def test_who_changed_reliably() -> None:
    table = named(changed({"improved": 25, "unchanged": 23, "deteriorated": 12}), "change")
    assert texts(table)[0] == (
        "Casework", "phq9_total", "reliably improved", "25", "0.42 [0.01, 0.99]", "0.42 [0.01, 0.99]",
    )  # fmt: skip
    assert table.rows[0].cells[2].numbers == (25,)
    assert "phq9_total: a change of more than 5.98 points is larger than measurement error." in table.notes


def test_a_small_number_of_harmed_clients_cannot_be_worked_out() -> None:
    table = named(changed({"improved": 25, "unchanged": 31, "deteriorated": 4}), "change")
    assert [row[3:] for row in texts(table)] == [
        ("withheld", "–", "–"), ("31", "0.52 [0.01, 0.99]", "0.52 [0.01, 0.99]"), ("<11", "–", "–"),
    ]  # fmt: skip
    assert "Counts below 11" in table.notes[-1]
    assert "4" not in [row[3] for row in texts(named(changed({"improved": 25, "deteriorated": 4}), "change"))]


def test_nobody_harmed_is_no_secret() -> None:
    table = named(changed({"improved": 25, "unchanged": 35, "deteriorated": 0}), "change")
    assert [row[3] for row in texts(table)] == ["25", "35", "0"]


def test_an_effect_under_the_other_assumption_is_no_second_effect(synthetic: Result) -> None:
    other = dataclasses.replace(synthetic.estimates[1], measure="hedges_g_alternative")
    result = synthetic + Result(estimates=(other,))
    assert len(named(result, "effects").rows) == 4
    assert named(result, "other").rows[0].cells[3].text.startswith("Hedges g under the assumption not chosen")


def test_a_partially_nested_design_says_that_only_the_treated_are_in_groups(synthetic: Result) -> None:
    method = "Hedges g, partially nested (control variance: within)"
    rows = tuple(
        dataclasses.replace(row, method=method, level_assigned="client") if row.measure == "hedges_g" else row
        for row in synthetic.estimates
    )
    effects = tables(Result(estimates=rows).tidy())[0]
    place = [column.name for column in effects.columns].index("design")
    said = {row.cells[place].text for row in effects.rows}
    assert said == {"clients assigned to an arm, the treated in groups, adjusted for baseline"}


def test_rows_with_different_standard_deviations_say_so(synthetic: Result) -> None:
    assert len(named(synthetic, "effects").notes) == 1
    effects = [row for row in synthetic.estimates if row.metric == "person_total"]
    kinds = ("pretest_pooled", "pretest_pooled", "posttest_pooled", "posttest_pooled")
    rows = [dataclasses.replace(row, standardizer=kind) for row, kind in zip(effects, kinds, strict=True)]
    note = named(Result(estimates=tuple(rows)), "effects").notes[1]
    assert "before the service, both arms pooled (2) and after the service, both arms pooled (2)" in note


@pytest.mark.parametrize("code", ["en", "id"])
def test_every_metric_has_words(code: str) -> None:
    words = load_language(code).words
    assert {key.partition(".")[2] for key in words if key.startswith("metric.")} == set(METRICS)


def test_a_note_names_no_column_that_is_not_there() -> None:
    """With 4 clients in every category all shares are withheld, and so is the column of those of all clients."""
    shown, withheld = (
        named(changed(counts), "change")
        for counts in ({"improved": 25, "unchanged": 35}, {"improved": 4, "unchanged": 4})
    )
    for table in (shown, withheld):
        there = any(column.name == "share_of_all" for column in table.columns)
        assert ("Beside them" in table.notes[0]) == there
    assert withheld.notes[0] == "Shares are of the clients seen before and after."
