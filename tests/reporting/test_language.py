"""Both languages say the same things, with numbers as their readers write them."""

from __future__ import annotations

import math
import re
import string

import pytest

from sweval.errors import SwevalError
from sweval.reporting.language import languages, load_language


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_languages_are_english_and_indonesian() -> None:
    assert languages() == ("en", "id")


def test_words_have_equal_keys_and_placeholders() -> None:
    english, indonesian = load_language("en").words, load_language("id").words
    assert list(english) == list(indonesian)
    for key, text in english.items():
        assert placeholders(text) == placeholders(indonesian[key]), key


def test_no_text_is_empty_and_none_grades_an_effect() -> None:
    for code in languages():
        for key, text in load_language(code).words.items():
            assert text.strip(), key
            assert "signifi" not in text.casefold(), key
            assert "*" not in text, key


def test_every_sentence_is_translated() -> None:
    english, indonesian = load_language("en").words, load_language("id").words
    plain = {key: re.sub(r"\{.*?\}|[^a-z ]", "", text).strip() for key, text in english.items()}
    assert [key for key, text in plain.items() if " " in text and english[key] == indonesian[key]] == []


@pytest.mark.parametrize(
    ("value", "english", "indonesian"),
    [(-0.5, "−0.50", "−0,50"), (0.004, "0.00", "0,00"), (-0.004, "0.00", "0,00"), (1234.5, "1234.50", "1234,50")],
)
def test_numbers(value: float, english: str, indonesian: str) -> None:
    assert load_language("en").number(value, 2) == english
    assert load_language("id").number(value, 2) == indonesian


def test_what_is_no_number_is_said() -> None:
    words = load_language("en")
    assert words.number(None, 2) == words.number(math.nan, 2) == "–"
    assert words.number(math.inf, 2) == "not estimable"
    assert words.interval(None, 0.2) == words.interval(math.nan, 0.2) == ""


def test_intervals_p_values_and_levels() -> None:
    english, indonesian = load_language("en"), load_language("id")
    assert (english.interval(-0.1, 0.25), indonesian.interval(-0.1, 0.25)) == ("[−0.10, 0.25]", "[−0,10; 0,25]")
    assert (english.p_value(0.0004), indonesian.p_value(0.0004)) == ("<0.001", "<0,001")
    assert english.p_value(0.0421) == "0.042"
    assert (english.level(0.95), indonesian.level(0.999)) == ("95%", "99,9%")


def test_listing() -> None:
    words = load_language("en")
    assert words.listing(["a"]) == "a"
    assert words.listing(["a", "b", "c"]) == "a, b and c"


def test_unknown_language() -> None:
    with pytest.raises(SwevalError, match="no words for the language"):
        load_language("xx")


def test_the_cut_off_of_reliable_change_has_a_name() -> None:
    names = {language: load_language(language).say("measure.cutoff") for language in ("en", "id")}
    assert names["en"].startswith("cut-off")
    assert names["id"].startswith("titik potong")
