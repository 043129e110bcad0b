"""The card says what a user must know before scoring, marks what nobody checked, and fits a terminal."""

from __future__ import annotations

import dataclasses

from sweval.scoring.card import card
from sweval.scoring.card_facts import LICENCE_MEANS, NOT_CHECKED_MEANS, parts
from sweval.scoring.definition import Instrument, instrument


def flat(found: Instrument) -> str:
    return " ".join(card(found).split())


def test_the_card_of_the_phq9_read_by_eye() -> None:
    assert card(instrument("phq9")).startswith(
        "phq9  Patient Health Questionnaire-9\n\nWHAT IT IS\nmeasures      depression severity\n"
    )
    lines = card(instrument("phq9")).splitlines()
    start = lines.index("SCORE phq9_total")
    assert lines[start + 1 : start + 3] == ["made          sum of all items", "range         0 to 27; lower is better"]
    first = next(place for place, line in enumerate(lines) if line.startswith("bands"))
    assert lines[first : first + 5] == [
        "bands         0 to 4    none-minimal",
        "              5 to 9    mild",
        "              10 to 14  moderate",
        "              15 to 19  moderately severe",
        "              20 to 27  severe",
    ]
    assert "item 9, answer 1 or more" in flat(instrument("phq9"))


def test_lines_fit_eighty_columns_where_words_allow_it(any_instrument: Instrument) -> None:
    assert all(len(line) <= 80 or len(line.split()[-1]) > 60 for line in card(any_instrument).splitlines())


def test_every_unchecked_value_is_marked_and_no_other(any_instrument: Instrument) -> None:
    facts = [fact for part in parts(any_instrument) for fact in part.facts]
    unchecked = sum(not fact.checked for fact in facts)
    said = flat(any_instrument)
    assert said.count("[not checked]") == unchecked + (unchecked > 0)  # once more where it is explained
    assert (NOT_CHECKED_MEANS in said) == (unchecked > 0)


def test_checking_a_value_takes_its_mark_away() -> None:
    phq9 = instrument("phq9")
    checked = dataclasses.replace(
        phq9,
        norms=(),
        change=(),
        reliability=tuple(dataclasses.replace(row, verified=True) for row in phq9.reliability),
    )
    assert "not checked" in card(phq9)
    assert "not checked" not in card(checked)
    unread = dataclasses.replace(checked.scale("total"), bands_verified=False)
    assert flat(dataclasses.replace(checked, scores=(unread,))).count("[not checked]") == 2


def test_the_licence_says_what_it_means(any_instrument: Instrument) -> None:
    assert LICENCE_MEANS[any_instrument.licence.kind] in flat(any_instrument)


def test_gates_and_codings_are_told() -> None:
    said = flat(instrument("hfssm6"))
    assert "AD1a: AD1 is 1; not asked counts as 0" in said
    assert 'coding="form": 1 often' in said


def test_runs_of_items_are_short_and_none_is_lost() -> None:
    assert "reversed 1, 4, 15, 17, 29" in flat(instrument("proqol5"))
    said = flat(instrument("cbi"))
    scales = {scale.id: scale for scale in instrument("cbi").scores}
    first = scales["personal"].items
    assert f"items {first[0]} to {first[-1]}" in said
