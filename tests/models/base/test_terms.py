"""Terms are read, never evaluated; coding and names are R's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DesignError
from sweval.models.base.terms import encode, parse_terms

FRAME = pd.DataFrame(
    {
        "arm": ["usual", "program", "program", "usual", "other", "other"],
        "wave": [0, 1, 2, 0, 1, 2],
        "female": [True, False, True, True, False, False],
        "phq total": [3.0, 4, 5, 6, 7, 1],
        "C": [1.0, 2, 1, 2, 1, 5],
        "Q": ["a", "b", "a", "b", "a", "b"],
        "umur (thn)": [1.0, 3, 2, 4, 2, 6],
        "größe": [1.5, 2.5, 1, 2, 3, 9],
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", [("a",)]),
        ("a*b", [("a",), ("b",), ("a", "b")]),
        ("b + a:b + a", [("b",), ("a",), ("a", "b")]),
        ("(a + b)*c", [("a",), ("b",), ("c",), ("a", "c"), ("b", "c")]),
        ("a*b*c", [("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c")]),
        ("a:b + b:a + a:a", [("a",), ("a", "b")]),
        (" phq total +`umur (thn)`", [("phq total",), ("umur (thn)",)]),
        ("a + b:c*d", [("a",), ("d",), ("b", "c"), ("b", "c", "d")]),
    ],
)
def test_parsed(text: str, expected: list) -> None:
    assert list(parse_terms(text)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at character 1, a column name is missing"),
        ("arm +", "at character 6, a column name is missing"),
        ("arm ++ age", 'at character 6, found "\\+"'),
        ("(arm + age", "at character 11, a closing parenthesis"),
        ("arm) + age", 'at character 4, found "\\)"'),
        ("`arm + age", "closing back-quote"),
        ("arm + 0", '"0" is a number'),
        ("a:b:c:d", "more than 3 columns"),
        ("(" * 60 + "a" + ")" * 60, "too many parentheses"),
        ("arm `wave`", 'found "`"'),
        (
            "(" + "+".join(f"a{i}" for i in range(20)) + "):(" + "+".join(f"b{i}" for i in range(20)) + ")",
            "more than 200",
        ),
    ],
)
def test_refused_with_position(text: str, message: str) -> None:
    with pytest.raises(DesignError, match=message):
        parse_terms(text)


def names(text: str, **options: object) -> list[str]:
    return list(encode(parse_terms(text), FRAME, **options).names)


def test_names_and_reference_levels() -> None:
    assert names("arm * wave") == [
        "(Intercept)", "arm[program]", "arm[usual]", "wave", "arm[program]:wave", "arm[usual]:wave",
    ]  # fmt: skip
    assert names("arm", reference={"arm": "usual"}) == ["(Intercept)", "arm[other]", "arm[program]"]
    assert names("wave", reference={"wave": 0}) == ["(Intercept)", "wave[1]", "wave[2]"]
    assert names("female") == ["(Intercept)", "female[True]"]
    assert names("C + Q + größe + `phq total`") == ["(Intercept)", "C", "Q[b]", "größe", "phq total"]


def test_an_interaction_without_its_main_effect_keeps_all_levels_as_in_r() -> None:
    assert names("wave + arm:wave") == ["(Intercept)", "wave", "arm[program]:wave", "arm[usual]:wave"]
    assert names("arm:wave") == ["(Intercept)", "arm[other]:wave", "arm[program]:wave", "arm[usual]:wave"]
    assert names("Q + arm:Q")[2:] == ["arm[program]:Q[a]", "arm[usual]:Q[a]", "arm[program]:Q[b]", "arm[usual]:Q[b]"]


def test_columns_hold_the_products() -> None:
    found = encode(parse_terms("female:C"), FRAME)
    np.testing.assert_array_equal(found.X[:, 1], [0, 2, 0, 0, 1, 5])
    np.testing.assert_array_equal(found.X[:, 2], [1, 0, 1, 2, 0, 0])


def test_ordered_categories_keep_their_order() -> None:
    wave = pd.Categorical(["pre", "post", "pre"], categories=["pre", "post", "later"], ordered=True)
    found = encode(parse_terms("wave"), pd.DataFrame({"wave": wave}))
    assert found.names == ("(Intercept)", "wave[post]")


def test_numbers_sort_as_numbers_when_they_are_levels() -> None:
    table = pd.DataFrame({"site": ["10", "9", "2", "10"]})
    assert encode(parse_terms("site"), table).names == ("(Intercept)", "site[9]", "site[10]")


@pytest.mark.parametrize(
    ("text", "reference", "message"),
    [
        ("arm", {"arm": "Usual"}, 'level "Usual" of "arm" is not in the data. Did you mean "usual"'),
        ("arm", {"wawe": 0}, "in no term"),
        ("day", None, "dates or times"),
        ("many", None, "more than 200 columns"),
        ("text", None, "600 different values, most of them once"),
        ("endless", None, '1 value in "endless" is infinite'),
    ],
)
def test_encoding_refused(text: str, reference: dict | None, message: str) -> None:
    table = pd.DataFrame(
        {
            "arm": ["usual"] * 600,
            "day": pd.date_range("2024-01-01", periods=600),
            "many": [f"site {i % 250}" for i in range(600)],
            "text": [f"words {i}" for i in range(600)],
            "endless": [np.inf] + [1.0] * 599,
        }
    )
    with pytest.raises(DesignError, match=message):
        encode(parse_terms(text), table, reference=reference)
