"""The card says what a user must know before scoring, marks what nobody checked, and fits a terminal."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sweval.scoring.card import card
from sweval.scoring.card_facts import LICENCE_MEANS, NOT_CHECKED_MEANS, parts
from sweval.scoring.definition import Instrument, instrument

ODD = """
id = "odd"
title = "Odd"
level = "group"
construct = "oddness"
[items]
number = 3
codes = [0, 1, 2]
[[variants]]
name = "old"
note = "as it was"
[[orders]]
name = "back"
note = "from the last"
items = [3, 2, 1]
[[gates]]
asks = [3]
variant = "old"
otherwise = 0
[[points]]
items = [1]
codes = { 0 = 0, 1 = 5, 2 = 5 }
[[scores]]
id = "raw"
op = "sum"
cap = 4
multiply = 2
add = 1
decimals = 1
missing = { max_missing = 1, fill = "zero", source = "us", limits = [{ items = [1, 2], max_missing = 1 }] }
[[scores]]
id = "flag"
op = "any"
items = [1, 2]
[[scores]]
id = "T"
op = "table"
of = ["flag"]
[[scores.tables]]
variant = "old"
source = "us"
rows = [[0, 10, 1], [1, 20.5, 1]]
[[scores]]
id = "mix"
op = "weighted"
of = ["raw", "flag"]
weights = [0.5, 2]
add = -3
[[safety]]
score = "raw"
at_least = 4
note = "act"
[aggregate]
unit = "team"
min_n = 5
note = "Average."
source = "us"
"""


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
    bands = checked.scale("total").band_sets[0]
    unread = dataclasses.replace(checked.scale("total"), band_sets=(dataclasses.replace(bands, verified=False),))
    assert flat(dataclasses.replace(checked, scores=(unread,))).count("[not checked]") == 2


def test_the_licence_says_what_it_means(any_instrument: Instrument) -> None:
    assert LICENCE_MEANS[any_instrument.licence.kind] in flat(any_instrument)


def test_every_choice_and_every_source_is_told(any_instrument: Instrument) -> None:
    said = flat(any_instrument)
    choices = {"variant": any_instrument.variants, "coding": any_instrument.codings, "order": any_instrument.orders}
    for argument, named in choices.items():
        assert all(f'{argument}="{entry.name}": {entry.note}' in said for entry in named)
    for scale in any_instrument.scores:
        sources = [entry.source for entry in (*scale.tables, *scale.band_sets)]
        assert all(" ".join(source.split()) in said for source in sources)
        assert all(band.label in said for entry in scale.band_sets for band in entry.bands)
        assert all(f"more than {limit.max_missing} missing among" in said for limit in scale.missing.limits)
    if any_instrument.aggregate:
        assert any_instrument.aggregate.note in said
    assert all(safety.note in said for safety in any_instrument.safety)


def test_rules_of_every_kind_in_words(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(ODD, encoding="utf-8")
    said = flat(instrument(path))
    for rule in (
        "made sum of all items, each as it counts, at most 4, times 2, plus 1, rounded to 1 decimal",
        "missing one missing answer counts 0; with more there is no score, nor with more than 1 missing among items 1,",
        "points item 1 0 counts 0; 1, 2 count 5",
        "made 1 if any of items 1, 2 counts a point, else 0",
        "made read from a table for odd_flag",
        'table variant="old": 2 rows, from 0 gives 10 to 1 gives 20.5; with standard errors (us) [not checked]',
        "made sum of 0.5 x odd_raw, 2 x odd_flag, minus 3",
        "missing no score if one of its parts is missing",
        'asked only if 3: the variant is not "old"; not asked counts as 0',
        'other order order="back": from the last (in turn our items 3, 2, 1)',
        "safety odd_raw at 4 or more: act",
        "odd_safety counts them in every row",
        "aggregate Average. From 5 answers per unit on. (us) [not checked]",
    ):
        assert rule in said, rule


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
