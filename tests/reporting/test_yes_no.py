"""Yes/no outcomes in the report: counts and risks per group, contrasts with df and p, the interval of the NNT."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import openpyxl
import pytest

from sweval.reporting.plain_text import plain_effects
from sweval.reporting.plots import forest
from sweval.reporting.report import report
from sweval.reporting.sentences import yes_no_sentences
from sweval.reporting.tables import tables
from sweval.result import Estimate, Result

OPEN = {"estimate": 0.027, "conf_low": -0.236, "conf_high": 0.289}
CLOSED = {"estimate": 0.25, "conf_low": 0.1, "conf_high": 0.4}
HARM = {"estimate": -0.25, "conf_low": -0.4, "conf_high": -0.1}


def analysis(
    difference: dict[str, float],
    events: dict[str, tuple[int, int]],
    *,
    better: str | None = "higher",
    column: str = "prog",
) -> Result:
    """Return the rows of one yes/no outcome; events: group, reference first -> with the event, of how many."""
    common = {"comparison": "Outreach", "service": "community", "outcome": "work", "better": better, "n": 207}
    common |= {"clusters": 12, "conf_level": 0.95}
    groups = list(events)
    term = column if set(groups) == {"0", "1"} else f"{column}[{groups[1]}]"
    rows = []
    for group, (count, n) in events.items():
        counted = {**common, "n": n, "term": f"{column}[{group}]", "method": "counted"}
        rows.append(Estimate(**counted, measure="events", estimate=float(count)))
    for group, (count, n) in events.items():
        limits = {"conf_low": 0.2, "conf_high": 0.8, "df": 4.7, "metric": "raw", "method": "mean predicted risk"}
        rows.append(Estimate(**common, **limits, term=f"{column}[{group}]", measure="risk", estimate=count / n))
    tested = {"df": 9.34, "method": "against", "term": term}
    rows.append(Estimate(**common, **tested, **difference, measure="risk_difference", metric="raw", p_value=0.822))
    ratio = {"estimate": 1.043, "conf_low": 0.696, "conf_high": 1.563, "p_value": 0.821}
    rows.append(Estimate(**common, **tested, **ratio, measure="risk_ratio"))
    sign = -1.0 if better == "lower" else 1.0
    low, high = sorted((sign * difference["conf_low"], sign * difference["conf_high"]))
    held = {"conf_low": 1 / high, "conf_high": 1 / low} if low > 0 or high < 0 else {}
    rows.append(Estimate(**common, **tested, **held, measure="nnt", estimate=sign / difference["estimate"]))
    return Result(estimates=tuple(rows))


EVENTS = {"usual": (68, 108), "outreach": (65, 99)}


def cells(result: Result, name: str, **options: object) -> list[tuple[str, ...]]:
    (table,) = [table for table in tables(result.tidy(), **options) if table.name == name]
    return [tuple(cell.text for cell in row.cells) for row in table.rows]


def test_counts_and_risks_of_each_group() -> None:
    assert cells(analysis(OPEN, EVENTS), "risks") == [
        ("work", "usual", "68", "108", "0.630 [0.200, 0.800]"),
        ("work", "outreach", "65", "99", "0.657 [0.200, 0.800]"),
    ]


def test_contrasts_have_df_and_p_and_the_open_interval_is_in_the_cell() -> None:
    against = ("work", "outreach against usual")
    assert cells(analysis(OPEN, EVENTS), "contrasts") == [
        (*against, "risk difference", "0.027 [−0.236, 0.289]", "9.3", "0.822"),
        (*against, "risk ratio", "1.043 [0.696, 1.563]", "9.3", "0.821"),
        (*against, "number needed to treat", "benefit 37.0 [benefit 3.5 to ∞ to harm 4.2]", "9.3", "–"),
    ]


@pytest.mark.parametrize(
    ("difference", "better", "shown"),
    [
        (CLOSED, "higher", "benefit 4.0 [2.5, 10.0]"),
        (CLOSED, "lower", "harm 4.0 [2.5, 10.0]"),
        (HARM, "higher", "harm 4.0 [2.5, 10.0]"),
        (HARM, "lower", "benefit 4.0 [2.5, 10.0]"),
        (HARM, None, "less 4.0 [2.5, 10.0]"),
        (OPEN, "lower", "harm 37.0 [benefit 4.2 to ∞ to harm 3.5]"),
        (OPEN, None, "more 37.0 [more 3.5 to ∞ to less 4.2]"),
    ],
)
def test_the_number_needed_says_of_what(difference: dict[str, float], better: str | None, shown: str) -> None:
    assert cells(analysis(difference, EVENTS, better=better), "contrasts")[-1][3] == shown


@pytest.mark.parametrize("few", [(10, 99), (92, 99)])
def test_few_with_or_without_the_event_are_hidden_with_what_would_tell_them(few: tuple[int, int]) -> None:
    result = analysis(OPEN, {"usual": (68, 108), "outreach": few})
    usual, outreach = cells(result, "risks")
    assert outreach[1:] == ("outreach", "<11" if few[0] < 11 else "withheld", "withheld", "–")
    assert usual[1:4] == ("usual", "withheld", "withheld")
    (said,) = yes_no_sentences(result.tidy())
    assert "times in 100 than" in said
    assert "63.0" not in said
    assert cells(result, "risks", small_cells=0)[1][2:4] == tuple(map(str, few))
    assert cells(analysis(OPEN, {"usual": (68, 108), "outreach": (11, 22)}), "risks")[1][2:4] == ("11", "22")


def test_in_words() -> None:
    assert yes_no_sentences(analysis(OPEN, EVENTS).tidy()) == (
        'Outreach (indirect service, community): on work, "outreach" had the event 65.7 times in 100, and "usual" '
        "63.0 times. That is 2.7 more in 100, with a 95% confidence interval from 23.6 fewer to 28.9 more (207 rows, "
        "12 clusters; t with 9.3 df). The interval holds values on both sides of no difference: the data do not settle "
        "whether the service helped or harmed here. About 37.0 would have to be served for one more to benefit. The "
        "interval of the difference holds zero, so that of this number has two parts: from 3.5 for one more to benefit "
        "through infinity to 4.2 for one more to be harmed.",
    )
    (said,) = yes_no_sentences(analysis(CLOSED, EVENTS, better="lower").tidy())
    assert "The whole interval lies on the side of harm." in said
    assert (
        "4.0 would have to be served for one more to be harmed. Its 95% confidence interval is from 2.5 to 10" in said
    )
    (said,) = yes_no_sentences(analysis(CLOSED, EVENTS, better=None).tidy())
    assert "side of" not in said


def test_a_column_of_zero_and_one_keeps_its_name() -> None:
    result = analysis(OPEN, {"0": (68, 108), "1": (65, 99)}, column="treated")
    assert [row[1] for row in cells(result, "risks")] == ["treated[0]", "treated[1]"]
    assert cells(result, "contrasts")[0][1] == "treated[1] against treated[0]"


def test_several_columns_keep_their_contrasts_apart() -> None:
    one, two = analysis(OPEN, EVENTS), analysis(CLOSED, {"man": (60, 100), "woman": (73, 107)}, column="sex")
    mixed = dataclasses.replace(one.estimates[-2], measure="odds_ratio_conditional", df=None)
    found = cells(one + two + Result(estimates=(mixed,)), "contrasts")
    assert [row[1] for row in found] == ["outreach against usual"] * 4 + ["woman against man"] * 3
    assert found[3][2] == "odds ratio within a cluster, by a mixed model"


def test_the_report_has_tables_picture_and_words_that_fit(tmp_path: Path) -> None:
    named = dataclasses.replace(analysis(OPEN, EVENTS), labels={"work": "In paid work"})
    paths = report(named, tmp_path / "out", formats=("html", "xlsx"))
    assert [path.name for path in paths][:3] == ["effects.csv", "risk_differences.svg", "risk_differences.png"]
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for part in (
        "outreach against usual",
        "Forest plot of 1 effects: Outreach: In paid work (outreach) 0.03, interval −0.24 to 0.29.",
        "In paid work: column work, higher is better.",
        "on In paid work, &quot;outreach&quot; had the event 65.7 times in 100",
        "The number needed to treat is how many must be served",
    ):
        assert part in page, part
    assert "Hedges g" not in page
    assert "no standardised effect" not in page
    assert "<h2>Yes/no outcomes</h2>" not in page
    assert ",work," in (tmp_path / "out" / "effects.csv").read_text(encoding="utf-8")


def test_coefficients_of_a_logistic_regression_are_called_logarithms() -> None:
    row = Estimate(term="x", measure="coefficient", metric="log_odds", estimate=0.1, method="logistic regression")
    for metric, notes in (("log_odds", 2), ("raw", 1)):
        (table,) = tables(Result(estimates=(dataclasses.replace(row, metric=metric),)).tidy())
        assert len(table.notes) == notes


def test_an_open_interval_stands_in_the_workbook_in_words(tmp_path: Path) -> None:
    report(analysis(OPEN, EVENTS), tmp_path / "out", formats=("xlsx",))
    sheet = openpyxl.load_workbook(tmp_path / "out" / "effects.xlsx")["Risk differences"]
    shown = {row[3]: row[4:7] for row in sheet.iter_rows(min_row=3, max_row=5, values_only=True)}
    assert shown["risk difference"] == (0.027, -0.236, 0.289)
    assert shown["number needed to treat"][0] == "benefit 37.0 [benefit 3.5 to ∞ to harm 4.2]"


def test_beside_effects_it_has_a_section_of_its_own(synthetic: Result, tmp_path: Path) -> None:
    report(synthetic + analysis(OPEN, EVENTS), tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.index("<h2>Yes/no outcomes</h2>") > page.index("Effect g")
    assert "Hedges g is the difference" in page
    assert {"forest.svg", "risk_differences.svg"} <= {path.name for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize(
    ("better", "sides"),
    [("higher", {"← worse", "better →"}), ("lower", {"← better", "worse →"}), (None, {"← fewer", "more →"})],
)
def test_the_picture_says_which_side_is_better(better: str | None, sides: set[str]) -> None:
    from matplotlib import pyplot

    axes = forest(analysis(OPEN, EVENTS, better=better).tidy())
    assert sides <= {text.get_text() for text in axes.texts}
    assert axes.get_xlabel() == "risk difference and 95% confidence interval"
    pyplot.close(axes.figure)


def test_the_terminal_shows_them() -> None:
    said = plain_effects(analysis(OPEN, EVENTS).tidy())
    assert "no standardised effect" not in said
    assert "0.027 [-0.236, 0.289]" in said


def test_indonesian() -> None:
    (said,) = yes_no_sentences(analysis(OPEN, EVENTS).tidy(), language="id")
    assert "mengalami kejadian itu 65,7 kali dalam 100" in said
