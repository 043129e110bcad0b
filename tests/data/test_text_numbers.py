"""Numbers written as text: the value of each spelling, and which spellings are none."""

from __future__ import annotations

import pytest

from sweval.data.text_numbers import number_style, parse_numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0.0), ("-5", -5.0), ("+5", 5.0), (" 5 ", 5.0), ("2.5", 2.5), (".5", 0.5), ("5.", 5.0), ("1e-05", 1e-05),
        ("1.5E+10", 1.5e10), ("3,5", 3.5), ("-0,25", -0.25), ("1.234.567", 1234567.0), ("1,234,567.5", 1234567.5),
        ("12.345,6", 12345.6), ("0.125", 0.125), ("1234.567", 1234.567),
    ],
)  # fmt: skip
def test_spellings_with_one_meaning(text, value):
    style = number_style([text])
    assert parse_numbers([text], style, None).tolist() == [value]


@pytest.mark.parametrize(
    "text", ["", "-", "5-3", "1_000", "nan", "inf", "Infinity", "12E3", "0x1F", "٣", "1 250", "5%", "3,,5"]
)
def test_spellings_that_are_no_numbers(text):
    style = number_style([text])
    assert style is None or parse_numbers([text], style, ".") is None


@pytest.mark.parametrize("text", ["007", "00", "-07", "1234567890123456"])
def test_ids_are_marked_as_text(text):
    assert number_style([text]).whole_text


@pytest.mark.parametrize(
    ("texts", "decimal", "values"),
    [
        (["1.250", "3"], None, None),
        (["1.250", "3"], ",", [1250.0, 3.0]),
        (["1.250", "3"], ".", [1.25, 3.0]),
        (["1.250", "2.5"], None, [1.25, 2.5]),
        (["1.250", "2.5"], ",", [1.25, 2.5]),
        (["1,250", "2.5"], None, [1250.0, 2.5]),
        (["1.250", "1,250"], None, None),
        (["3,5", "2.5"], None, None),
    ],
)
def test_a_column_is_decided_over_all_its_cells(texts, decimal, values):
    found = parse_numbers(texts, number_style(texts), decimal)
    assert (found if found is None else found.tolist()) == values
