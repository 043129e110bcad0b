"""The sentence beside an effect holds interval, design and df, and claims no more than they do."""

from __future__ import annotations

import dataclasses

from sweval.reporting.sentences import effect_sentences, question
from sweval.result import Result


def test_the_sentence_of_each_effect(synthetic: Result) -> None:
    said = effect_sentences(synthetic.tidy())
    assert said[0] == (
        'Group work (direct service, group): on phq9_total, the arm "group_work" did 0.46 standard deviations better '
        'than the arm "usual", with a 95% confidence interval from 0.21 to 0.70 (whole clusters assigned to an arm, '
        "adjusted for baseline, 24 clusters; 652 clients; t with 20.3 df). "
        "Said of people: the average treated client did better than about 68 of 100 comparison clients (58 to 76; "
        "50 would be no difference). "
        "The whole interval lies on the side of improvement."
    )
    assert "did 0.42 standard deviations worse than" in said[1]
    assert said[1].endswith("The whole interval lies on the side of harm.")
    assert said[3].endswith("the data do not settle whether the service helped or harmed here.")
    assert len(said) == 5


def test_a_change_without_comparison_arm_is_no_effect(synthetic: Result) -> None:
    said = effect_sentences(synthetic.tidy())[-1]
    assert "no comparison arm" in said
    assert "afterwards the average client stood better than about 73 of 100 clients before (66 to 79;" in said
    assert said.endswith("This is not an effect of the service alone.")


def test_an_effect_of_nothing_has_no_direction(synthetic: Result) -> None:
    row = dataclasses.replace(synthetic.estimates[1], estimate=-0.001, conf_low=-0.3, conf_high=0.3)
    (said,) = effect_sentences(Result(estimates=(row,)).tidy())
    assert "did the same to two decimals" in said
    assert "about 50.0 of 100 comparison clients (38 to 62; 50 would be no difference" in said
    assert "the comparison clients" in said


def test_small_counts_are_hidden_in_words_too(synthetic: Result) -> None:
    row = dataclasses.replace(synthetic.estimates[1], n=9)
    (said,) = effect_sentences(Result(estimates=(row,)).tidy())
    assert "<11 clients" in said


def test_missing_inference_is_said(synthetic: Result) -> None:
    row = dataclasses.replace(synthetic.estimates[1], df=None, conf_low=None, conf_high=None)
    (said,) = effect_sentences(Result(estimates=(row,)).tidy())
    assert "df not given" in said
    assert said.endswith("did better than about 62 of 100 comparison clients (50 would be no difference).")


def test_indonesian(synthetic: Result) -> None:
    said = effect_sentences(synthetic.tidy(), language="id")[0]
    assert "0,46 simpangan baku lebih baik daripada" in said
    assert "t dengan db 20,3" in said


def test_the_question_names_what_can_be_answered(synthetic: Result) -> None:
    assert question(synthetic.tidy()) == (
        "Question: do clients do better with Staff training and Group work than without, "
        "on phq9_total and who5_percent?"
    )
    assert question(Result(estimates=()).tidy()) == "Question: do clients do better with the service than without?"
