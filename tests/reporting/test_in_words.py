"""What a board reads: people, interval, design; no verdict on size; both languages."""

from __future__ import annotations

import dataclasses
import re

import pytest

import sweval as sw
from sweval.errors import SwevalError
from sweval.reporting.in_words import in_words
from sweval.reporting.language import languages
from sweval.result import Estimate, Result

RISKS = [
    Estimate(
        comparison="Housing first", service="community", outcome="housed", term=term, measure="risk", estimate=risk,
        n=200, method="share",
    )
    for term, risk in (("arm[usual]", 0.3), ("arm[program]", 0.42))
]  # fmt: skip
DIFFERENCE = dataclasses.replace(
    RISKS[1], measure="risk_difference", estimate=0.12, conf_low=0.02, conf_high=0.22, conf_level=0.95, df=11.0,
    better="higher", metric="raw", clusters=14, method="risk difference",
)  # fmt: skip


def test_a_result_is_said_effect_by_effect(synthetic: Result) -> None:
    said = in_words(synthetic).split("\n\n")
    assert said[0] == (
        'Group work (direct service, group): on phq9_total, the average client of the arm "group_work" did better than '
        'about 68 of 100 clients of the arm "usual"; with no difference it would be 50. What was measured fits '
        "anything from 58 to 76 (95% confidence interval; whole clusters assigned to an arm, adjusted for baseline, "
        "24 clusters; 652 clients; t with 20.3 df). The whole interval lies on the side of improvement."
    )
    assert "The whole interval lies on the side of harm." in said[1]
    assert said[2].startswith("Before and after")
    assert said[2].endswith("This is not an effect of the service alone.")
    assert "no comparison arm; 57 clients" in said[2]
    assert said[4].endswith("the data do not settle whether the service helped or harmed here.")
    assert said[5].startswith("These numbers of people hold if scores spread like a bell")
    assert "Those before and after hold" in said[5]
    assert len(said) == 6


def test_indonesian(synthetic: Result) -> None:
    said = in_words(synthetic, language="id")
    assert "lebih baik daripada sekitar 68 dari 100 klien" in said
    assert "t dengan db 20,3" in said


@pytest.mark.parametrize("language", languages())
def test_every_number_stands_beside_what_it_would_be_without_a_difference(synthetic: Result, language: str) -> None:
    for source in sw.effects.benchmark_sources():
        *said, closing = in_words(synthetic, language=language, against=source).split("\n\n")
        for paragraph in said:
            assert re.search(r"\b100\b.*\b50\b", paragraph)
            assert "95%" in paragraph
        assert sw.effects.benchmark(source).source in closing


def test_no_size_without_the_name_of_who_calls_it_so(synthetic: Result) -> None:
    for word in ("small", "medium", "large", "kecil", "sedang", "besar"):
        for language in languages():
            assert not re.search(rf"\b{word}\b", in_words(synthetic, language=language), re.IGNORECASE)
    assert "Cohen (1988) calls effects of 0.20 small" in in_words(synthetic, against="cohen_1988")


def test_shares_and_pairs_and_risks_have_words(synthetic: Result) -> None:
    g = synthetic.estimates[1]
    assert "about 62 of 100" in in_words(sw.effects.cohens_u3(g))
    assert in_words(sw.effects.cohens_u3(g)) == in_words(g)
    pairs = in_words(sw.effects.common_language_effect(g))
    assert "of 100 pairs of one treated and one comparison client the treated one does better in about 59" in pairs
    raw = sw.effects.probability_of_superiority([3, 4, 5, 6, 9], [1, 2, 3, 4, 5])
    assert "spread like a bell" not in in_words(raw)
    assert "about 82" in in_words(raw)  # 19 of 25 pairs and 3 ties
    risks = in_words(Result(estimates=(*RISKS, DIFFERENCE)))
    assert '"program" had the event 42.0 times in 100' in risks
    assert "The whole interval lies on the side of improvement." in risks


def test_an_event_that_was_prevented_is_said_as_one() -> None:
    """5 of 100 against 20 of 100 placed in care. The row is positive for improvement; the sentence is of the event."""
    spared = sw.effects.two_by_two(5, 100, 20, 100, better="lower")
    said = in_words(sw.effects.risk_difference(spared).row())
    assert "had the event 15.0 fewer times in 100" in said
    assert "from 24.6 fewer to 6.2 fewer" in said
    assert "The whole interval lies on the side of improvement." in said
    assert "harm" not in said


@pytest.mark.parametrize("scale", ["cox_d", "probit_d"])
def test_a_yes_no_outcome_is_not_said_as_scores(scale: str) -> None:
    row = getattr(sw.effects, scale)(sw.effects.two_by_two(12, 20, 6, 20)).row()
    for asked in (row, sw.effects.cohens_u3(row)):
        with pytest.raises(SwevalError, match="risk difference"):
            in_words(asked)


def test_a_change_is_called_a_change() -> None:
    row = sw.effects.pre_post([10, 12, 9, 14, 11, 8], [8, 11, 9, 10, 9, 7], better="lower")
    for said in (in_words(row), in_words(sw.effects.cohens_u3(row))):
        assert "afterwards stood better than about" in said
        assert "no comparison arm" in said
        assert "not an effect of the service alone" in said
        assert "equally wide at both times" in said
    pairs = in_words(sw.effects.common_language_effect(row))
    assert "one client afterwards and another before" in pairs
    for effect in (row, sw.effects.common_language_effect(row)):
        said = in_words(effect, language="id")
        assert "pada pengukuran akhir" in said
        assert "pada pengukuran awal" in said
        assert "klien sebelumnya" not in said  # that would be other clients, served earlier


def test_clients_compared_with_themselves_have_no_comparison_clients(synthetic: Result) -> None:
    row = dataclasses.replace(synthetic.estimates[1], standardizer="between_case_total", n=12)
    said = in_words(row)
    assert "with the service the average client stood better than about 62 of 100 clients without it" in said
    assert "each client compared with himself or herself; 12 clients" in said
    assert "comparison client" not in said
    assert "the same clients with the service against without" in sw.effects.cohens_u3(row).method


def test_a_limit_beside_fifty_is_not_rounded_to_it(synthetic: Result) -> None:
    row = dataclasses.replace(synthetic.estimates[1], conf_low=0.005, estimate=0.2, conf_high=3.2)
    assert "anything from 50.2 to 99.9" in in_words(row)
    none = dataclasses.replace(row, conf_low=None, conf_high=None)
    assert "There is no interval" in in_words(none)
    assert "side of improvement" not in in_words(none)


def test_small_counts_are_hidden(synthetic: Result) -> None:
    assert "<11 clients" in in_words(dataclasses.replace(synthetic.estimates[1], n=9))


def test_rows_without_words_are_refused(synthetic: Result) -> None:
    with pytest.raises(SwevalError, match="measures: coefficient"):
        in_words(synthetic.estimates[0])
    with pytest.raises(SwevalError, match="measures: none"):
        in_words(Result(estimates=()))
    with pytest.raises(SwevalError, match="benchmark"):
        in_words(synthetic, against="hattie")
    with pytest.raises(SwevalError, match="language"):
        in_words(synthetic, language="nl")
