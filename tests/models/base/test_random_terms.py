"""Formulas and random terms: what lme4's users write means the same here, and nothing is ever evaluated."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sweval.errors import DesignError, SwevalError
from sweval.models.base.formula import parse_fixed, parse_formula
from sweval.models.base.grouping import group, highest, nested, spread
from sweval.models.base.random_terms import parse_effects, parse_random, random_columns
from sweval.models.base.residual_terms import parse_residual
from sweval.models.base.terms import read_columns
from sweval.models.mixed_model import MixedModel


@pytest.mark.parametrize(
    ("formula", "fixed", "random"),
    [
        ("y ~ x + (1 | g)", "y ~ x", {"g": "1"}),
        ("y~1+(1|a/b/c)", "y ~ 1", {"a": "1", "a/b": "1", "a/b/c": "1"}),
        ("y ~ 1 + x + (x | g)", "y ~ x", {"g": "x"}),
        (
            "y ~ arm*wave + (1+wave|agency) + (1|agency:client)",
            "y ~ arm*wave",
            {"agency": "1+wave", "agency/client": "1"},
        ),
        ("y ~ x + (1 | client:agency) + (1 | agency)", "y ~ x", {"agency/client": "1", "agency": "1"}),
        ("y ~ x + (1 + x || g)", "y ~ x", {"g": "1 || x"}),
        ("y ~ x + (x || g)", "y ~ x", {"g": "1 || x"}),
        ("y ~ x + (0 + x || g)", "y ~ x", {"g": "0 || x"}),
        ("y ~ x + (1 | g) + (0 + x | g)", "y ~ x", {"g": "1 || x"}),
        ("y ~ x + (0 + arm[a] | g) + (0 + arm[b] | g)", "y ~ x", {"g": "0 || arm[a] || arm[b]"}),
        ("`y (t)` ~ (`a+b` + x):z + (1 | `kab/kota`)", "`y (t)` ~ (`a+b` + x):z", {"`kab/kota`": "1"}),
        ("jarak rumah ~ usia anak + (1 | desa)", "jarak rumah ~ usia anak", {"desa": "1"}),
    ],
)
def test_what_a_formula_means(formula: str, fixed: str, random: dict[str, str]) -> None:
    found = parse_formula(formula)
    assert found.fixed == fixed
    assert {key: value.replace(" + ", "+") for key, value in found.random.items()} == {
        key: value.replace(" + ", "+") for key, value in random.items()
    }
    parse_fixed(found.fixed)
    parse_random(found.random)


@pytest.mark.parametrize(
    ("formula", "character", "problem"),
    [
        ("y ~ log(x) + (1|g)", 8, "a function is called"),
        ("log(y) ~ x + (1|g)", 4, "a function is called"),
        ("y ~ x + (1|factor(g))", 18, "a function is called"),
        ("y ~ I(x^2) + (1|g)", 6, "a function is called"),
        ("y ~ x^2 + (1|g)", 6, '"^" is no operator'),
        ("y ~ x - z + (1|g)", 7, '"-" is no operator'),
        ("y ~ x - 1 + (1|g)", 7, "terms are not subtracted"),
        ("y ~ 0 + x + (1|g)", 5, "the intercept is always in the fixed part"),
        ("y ~ x + (x - 1|g)", 12, "terms are not subtracted"),
        ("y ~ x + (0|g)", 10, "nothing varies"),
        ("y ~ x", 6, "no random term"),
        ("y ~ x + (1|g", 9, "never closed"),
        ("y ~ x) + (1|g)", 6, "never opened"),
        ("y ~ x * (1|g)", 11, "a bar stands only in a random term of its own"),
        ("y ~ x (1|g)", 9, "a bar stands only in a random term of its own"),
        ("y ~ x | g", 7, "a bar stands only in a random term of its own"),
        ("y ~ a + ((1|g))", 12, "directly inside its parentheses"),
        ("y ~ x + (1|g|h)", 13, "a second bar"),
        ("y ~ x + (1 + x | | g)", 18, "a second bar"),
        ("y ~ x +  + (1|g)", 10, "a term is missing"),
        ("y ~ x*:z + (1|g)", 7, "a column name should stand"),
        ("y ~ x + (|g)", 10, "an effect is missing"),
        ("y ~ x + (1|)", 12, "the grouping column is missing"),
        ("y ~ x + (1|a+b)", 13, "must be one column name"),
        ("y ~ x + (1|a/b:c)", 12, "both / and :"),
        ("y ~ x + (1 + x | g) + (1 | g)", 1, "several random terms"),
        ("~ x + (1|g)", 1, "the outcome is missing"),
        ("y ~ x ~ z + (1|g)", 7, "one ~"),
        ("y ~ `x + (1|g)", 5, "back-quote is missing"),
        ("", 1, "one ~"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(formula: str, character: int, problem: str) -> None:
    with pytest.raises(DesignError) as caught:
        MixedModel.formula(formula)
    assert f"at character {character}, " in caught.value.what
    assert problem in caught.value.what
    assert caught.value.fix


CODE = [
    "__import__('os').system('touch evaluated')",
    "open('evaluated', 'w')",
    "x.__class__",
    "(lambda: 1)()",
    "{x!r}",
    "%s",
]


@pytest.mark.parametrize("code", CODE)
def test_code_is_a_name_or_an_error(code: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame({"y": [1.0, 2, 4, 3], "g": list("aabb")})
    for make in (
        lambda: MixedModel.formula(f"y ~ {code} + (1 | g)"),
        lambda: MixedModel.formula(f"y ~ (1 + {code} | g)"),
        lambda: MixedModel.formula(f"y ~ (1 | {code})"),
        lambda: MixedModel(fixed=code, random={"g": "1"}),
        lambda: MixedModel(fixed="1", random={"g": code}),
        lambda: MixedModel(fixed="1", random={"g": "1"}, residual=code),
    ):
        with pytest.raises(SwevalError):
            make().fit(frame, "y")
    assert list(tmp_path.iterdir()) == []


SIGNS = st.text(st.sampled_from("yxg01 +:*()|/~`[]-^.\t\u00a0é_"), max_size=40)


@given(SIGNS)
@example("y ~ (1|g)`")
@example("~|")
@example("(" * 300)
@example("y ~ " + "(" * 60 + "x" + ")" * 60 + " + (1|g)")
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever is read can be read again and says the same; all else is an error of ours."""
    try:
        found = parse_formula(text)
    except DesignError:
        pass
    else:
        outcome, _ = parse_fixed(found.fixed)
        assert outcome
        assert parse_random(found.random)
    with suppress(DesignError):
        parse_fixed(text)
    with suppress(DesignError):
        parse_residual(text)
    with suppress(DesignError):
        parse_effects(text, where="random")
    with suppress(DesignError):
        parse_random({text: "1", "g": text})


NAMES = st.lists(
    st.text(st.sampled_from("abxyz é_."), min_size=1, max_size=6).map(str.strip).filter(bool),
    min_size=4,
    max_size=4,
    unique=True,
)


@given(NAMES, st.booleans(), st.booleans(), st.booleans())
def test_what_is_written_is_what_is_read(names: list[str], slope: bool, double: bool, colon: bool) -> None:
    y, x, a, b = names
    effects = f"1 + {x}" if slope else "1"
    bar = "||" if double and slope else "|"
    nested_in = f"(1 | {a}:{b})" if colon else f"(1 | {a}/{b})"
    text = f"{y} ~ {x} + ({effects} {bar} {a}) + (1 | {a}:{b})" if colon else f"{y} ~ {x} + {nested_in}"
    found = parse_formula(text)
    assert parse_fixed(found.fixed) == (y, ((x,),))
    top, lower = parse_random(found.random)
    assert (top.factor, lower.factor) == ((a,), (a, b))
    if colon:
        assert (top.terms, top.diagonal) == (((x,),) if slope else (), bar == "||")


def test_names_in_a_nested_key() -> None:
    (term,) = parse_random({"`a/b` / `c:d`/ e f": "0 + x:z + x"})
    assert term.factor == ("a/b", "c:d", "e f")
    assert (term.terms, term.intercept) == ((("x",), ("x", "z")), False)
    assert parse_random({term.name: "1"})[0].factor == term.factor


@pytest.mark.parametrize(
    ("random", "problem"),
    [
        ({}, "no grouping factor"),
        ("agency", "no grouping factor"),
        ({"a:b": "1"}, 'Write "agency/client"'),
        ({"a/b": "1", "b/a": "1"}, "named twice"),
        ({"a/a": "1"}, "named twice"),
        ({"a/": "1"}, "a grouping column is missing"),
        ({"a": ""}, "an effect is missing"),
        ({"a": "1 +"}, "an effect is missing"),
        ({"a": "0 + 1"}, "both 0"),
        ({"a": "1 + x || z"}, "mixed"),
        ({"a": "1 | z"}, "a single bar"),
        ({"a": "2"}, '"2" is a number'),
        ({"a": 1}, "are texts"),
        ({"a": "log(x)"}, "found"),
    ],
)
def test_random_terms_that_are_refused(random: dict[str, str], problem: str) -> None:
    with pytest.raises(DesignError) as caught:
        parse_random(random)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ar2(w | c)", "There are: independent, by(arm), ar1(wave | client)"),
        ("ar1(w)", "should read like"),
        ("ar1", "should read like"),
        ("independent(c)", "should read like"),
        ("compound_symmetry(w | c)", "should read like"),
        ("by(log(arm))", "must be one column name"),
        ("unstructured( | c)", "is missing"),
    ],
)
def test_residuals_that_are_refused(text: str, problem: str) -> None:
    with pytest.raises(DesignError) as caught:
        parse_residual(text)
    assert problem in str(caught.value)


def test_residuals_are_spelled_as_asked() -> None:
    for text in (
        "independent",
        "by(arm)",
        "ar1(wave | agency/client)",
        "compound_symmetry(`a/b`)",
        "unstructured(w | c)",
    ):
        assert parse_residual(text).spelled == text


@pytest.mark.parametrize(
    ("effects", "names"),
    [
        ("1", ["(Intercept)"]),
        ("arm", ["(Intercept)", "arm[b]"]),
        ("0 + arm", ["arm[a]", "arm[b]"]),
        ("0 + arm + site", ["arm[a]", "arm[b]", "site[v]", "site[w]"]),
        ("0 + x", ["x"]),
        ("0 + arm[b]", ["arm[b]"]),
        ("1 + arm[b]:x", ["(Intercept)", "arm[b]:x"]),
        ("0 || arm[a] || arm[b]", ["arm[a]", "arm[b]"]),
    ],
)
def test_columns_of_random_effects(effects: str, names: list[str]) -> None:
    """As model.matrix of R codes the left side of a bar."""
    frame = pd.DataFrame({"arm": list("abab"), "site": list("uvwu"), "x": [1.0, 2, 3, 4]})
    read = read_columns(("arm", "site", "x"), frame)
    (term,) = parse_random({"g": effects})
    found = random_columns(term, read, rows=4, where="random")
    assert [label for label, _, _ in found] == names
    values = {label: own.tolist() for label, _, own in found}
    if "arm[b]" in values:
        assert values["arm[b]"] == [0, 1, 0, 1]
    if "arm[b]:x" in values:
        assert values["arm[b]:x"] == [0, 2, 0, 4]


def test_units_are_told_by_all_their_columns() -> None:
    frame = pd.DataFrame({"a": ["p", "p", "q", "q", None, "q"], "b": [1, 2, 1.0, 1, 1, None]})
    found, _ = group(frame, ("a", "b"))
    assert found.codes.tolist() == [0, 1, 2, 2, -1, -1]
    assert list(zip(*found.keys, strict=True)) == [("p", "1"), ("p", "2"), ("q", "1")]
    upper, _ = group(frame, ("a",))
    lower, _ = group(frame, ("b",))
    assert (nested(found, upper), nested(upper, found), nested(lower, upper)) == (True, False, False)
    assert spread(lower.codes, upper.codes).tolist() == [2, 1]
    assert highest([found, upper]) == [1]
    assert highest([upper, upper, found]) == [0]
    assert highest([upper, lower]) == [0, 1]
    part = found.at(np.array([False, True, True, True, True, True]))
    assert (part.codes.tolist(), part.units) == ([0, 1, 1, -1, -1], 2)
