"""Instruments are found by words, level, construct and licence, and nothing that does not fit is."""

from __future__ import annotations

import pytest

from sweval.errors import InstrumentError
from sweval.scoring.definition import catalogue
from sweval.scoring.finder import find, place, searchable
from sweval.scoring.records import DOMAINS, LEVELS, LICENCES


def test_nothing_asked_finds_all_once_level_by_level() -> None:
    found = find()
    assert sorted(entry.id for entry in found) == sorted(entry.id for entry in catalogue())
    groups = [place(entry) for entry in found]
    assert groups == sorted(groups, key=list(dict.fromkeys(groups)).index)  # no group is taken up again
    assert [entry.level for entry in found] == sorted((e.level for e in found), key=LEVELS.index)


@pytest.mark.parametrize("level", [*LEVELS, *DOMAINS])
def test_a_level_or_domain_holds_its_own_and_all_of_them(level: str) -> None:
    found = {entry.id for entry in find(level=level)}
    assert found == {entry.id for entry in catalogue() if level in (entry.level, entry.domain)}
    assert found


@pytest.mark.parametrize("kind", LICENCES)
def test_a_licence(kind: str) -> None:
    assert {entry.id for entry in find(licences=[kind])} == {e.id for e in catalogue() if e.licence.kind == kind}


def test_words_are_all_wanted_in_any_case_and_order() -> None:
    assert [entry.id for entry in find("QUESTIONNAIRE-9 patient")] == ["phq9"]
    assert find(["patient", "questionnaire-9"]) == find("QUESTIONNAIRE-9 patient")
    assert find("patient zebra") == ()
    assert "proqol5" in [entry.id for entry in find("burnout")]  # by the name of a score
    assert all("burnout" in searchable(entry) for entry in find("burnout"))


def test_a_construct_is_no_title() -> None:
    assert "phq9" in [entry.id for entry in find(construct="depression")]
    assert find(construct="questionnaire") == ()


def test_several_licences_widen_and_conditions_narrow() -> None:
    both = {entry.id for entry in find(licences=["cc", "public_domain"])}
    assert {entry.id for entry in find(licences=["cc"])} < both
    assert [entry.id for entry in find("well-being", level="individual", licences=["cc"])][:1] == ["who5"]


def test_what_does_not_exist_is_named() -> None:
    with pytest.raises(InstrumentError, match='Did you mean "family"'):
        find(level="famly")
    with pytest.raises(InstrumentError, match='Did you mean "public_domain"'):
        find(licences=["public domain"])
