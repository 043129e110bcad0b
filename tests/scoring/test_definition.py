"""A definition is checked whole: every problem is named with its place, and nothing half-right gets through."""

from __future__ import annotations

from pathlib import Path

import pytest

import sweval as sw
from sweval.errors import InstrumentError
from sweval.scoring.definition import Instrument

MINIMAL = """
id = "mood"
title = "Mood, three items"
level = "individual"
construct = "mood"

[items]
number = 3
codes = [0, 1, 2, 3]
reversed = [2]

[[scores]]
id = "total"
op = "sum"
better = "higher"
range = [0, 9]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mood.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(folder: Path, text: str) -> str:
    with pytest.raises(InstrumentError) as caught:
        sw.instrument(write(folder, text))
    assert str(caught.value).startswith("mood.toml: the definition has")
    return str(caught.value)


def test_a_short_definition_is_enough(tmp_path: Path) -> None:
    mood = sw.instrument(write(tmp_path, MINIMAL))
    assert isinstance(mood, Instrument)
    assert [item.id for item in mood.items] == ["1", "2", "3"]
    assert mood.scale("total").column == "mood_total"
    assert mood.item("2").reversed
    assert mood.licence.kind == "unclear"
    assert mood.key.status == "own"
    assert mood.scale("total").missing.max_missing == 0
    assert sw.instrument(mood) is mood
    assert repr(mood) == "<Instrument mood: Mood, three items; 3 items; describe() shows the rules>"


def test_a_path_works_wherever_an_id_does(tmp_path: Path) -> None:
    import pandas as pd

    path = write(tmp_path, MINIMAL)
    frame = pd.DataFrame({"m1": [3], "m2": [0], "m3": [3]})
    for instrument in (path, str(path), sw.instrument(path)):
        assert sw.score(frame, instrument, items="m{item}")["mood_total"].tolist() == [9.0]


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    text = """
id = "Mood"
titel = "x"
level = "famly"
construct = "mood"
[items]
number = 3
codes = [0, 1, 2, 3]
reversed = [2, 4]
[licence]
kind = "publc_domain"
[[scores]]
id = "total"
op = "summ"
[[scores]]
id = "part"
op = "sum"
itms = [1]
[[scores]]
id = "other"
op = "sum"
items = [1, 5]
range = [0, 9]
"""
    message = problems_of(tmp_path, text)
    for expected in [
        "10 problems",
        '- titel: unknown key. Did you mean "title"',
        "- id: must be small letters",
        "- title: is missing.",
        '- level: "famly" is none of the possible values. Did you mean "family"?',
        '- licence.kind: "publc_domain" is none of the possible values. Did you mean "public_domain"?',
        '- items.reversed: there is no item "4".',
        '- scores[1].op: "summ" is none of the possible values. Did you mean "sum"?',
        '- scores[2].itms: unknown key. Did you mean "items"',
        '- scores[3].items: there is no item "5".',
        "- scores[3].range: is 0 to 9, but the items can reach 0 to 3.",
    ]:
        assert expected in message


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("range = [0, 9]", "range = [3, 12]", "scores[1].range: is 3 to 12, but the items can reach 0 to 9"),
        ("number = 3", "", "items: give either number"),
        ("number = 3", 'number = 3\nids = ["a"]', "items: give either number"),
        ("number = 3", 'ids = ["a", "a", "2"]', 'items.ids: "a" stands there twice'),
        ("codes = [0, 1, 2, 3]", "codes = [0, 1, 1]", "items.codes: 1 stands there twice"),
        ("codes = [0, 1, 2, 3]", "codes = [0]", "items.codes: an item needs at least two codes"),
        ("codes = [0, 1, 2, 3]", 'codes = [0, "1"]', "items.codes[2]: should be a valid integer"),
        ("codes = [0, 1, 2, 3]", "codes = [0, 1, 3]", "cannot be reversed: its codes do not mirror"),
        ("reversed = [2]", "codes_of = { 7 = [0, 1] }", 'items.codes_of: there is no item "7"'),
        ("reversed = [2]", "reversed = [2, 2]", 'items.reversed: "2" stands there twice'),
        ('op = "sum"', 'op = "sum"\nitems = []', "scores[1].items: is empty"),
        ('op = "sum"', 'op = "sum"\nitems = [1, 1, 2, 3]', 'scores[1].items: "1" stands there twice'),
        ('op = "sum"', 'op = "sum"\nmissing = { max_missing = 3 }', "is 3, but the score has only 3 items"),
        ('op = "sum"', 'op = "sum"\nmissing = { max_missing = -1 }', "must not be negative"),
        ('op = "sum"', 'op = "mean"\nmissing = { rounded = true }', "scores[1].missing.rounded: applies to sums only"),
        ('better = "higher"', 'better = "up"', "scores[1].better"),
        ("range = [0, 9]", '[[scores]]\nid = "total"\nop = "mean"', 'two scores would make the column "mood_total"'),
        (
            "range = [0, 9]",
            "[[gates]]\nasks = [9]\nwhen_any = { 1 = [7] }\notherwise = 0",
            "gates[1].asks: there is no",
        ),
        ("range = [0, 9]", "[[gates]]\nasks = [3]\nwhen_any = { 1 = [7] }\notherwise = 5", "7 is no code of item"),
        ("range = [0, 9]", "[[gates]]\nasks = [3]\nwhen_any = { 1 = [1] }\notherwise = 5", "5 is no code of item"),
        ("range = [0, 9]", "[[gates]]\nasks = [3]\nwhen_any = { 3 = [1] }\notherwise = 0", "cannot depend on itself"),
        (
            "range = [0, 9]",
            '[[codings]]\nname = "us"\nnote = "n"\nrecodes = [{ items = [1], codes = { 1 = 9 } }]',
            "codings[1].recodes[1].codes: 9 is no code of item",
        ),
        (
            "range = [0, 9]",
            '[[codings]]\nname = "us"\nnote = "n"\nrecodes = [{ items = [1], code = { 1 = 1 } }]',
            'codings[1].recodes[1].code: unknown key. Did you mean "codes"?',
        ),
        (
            "range = [0, 9]",
            '[[reliability]]\nscore = "totl"\ntype = "omega"\nvalue = 0.8\nsource = "x"',
            'reliability[1].score: there is no score "totl". Did you mean "total"?',
        ),
        ("range = [0, 9]", '[[reliability]]\nscore = "total"\ntype = "alpha"\nvalue = 0.8', "reliability[1].source"),
        ("range = [0, 9]", '[[safety]]\nitem = "1"\nat_least = 8\nnote = "x"', "safety[1].at_least: 8 is no code"),
        ("range = [0, 9]", '[[vectors]]\nsource = "x"\nrows = [{ answers = [0, 1] }]', "must hold 3 answers"),
        (
            "range = [0, 9]",
            '[[vectors]]\nsource = "x"\nrows = [{ answers = [0, 1, 7], totl = 3 }]',
            'vectors[1].rows[1].totl: is no score. Did you mean "total"',
        ),
        ("[items]", "[[items]]", "items"),
        ("[[scores]]", "[scores]", "scores: must be a list of tables: write [[scores]]"),
        ('construct = "mood"', 'construct = "mood"\ndoi = "doi.org/10.1"', "doi: "),
    ],
)
def test_each_rule_is_enforced(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in MINIMAL
    assert expected in problems_of(tmp_path, MINIMAL.replace(old, new, 1))


@pytest.mark.parametrize(
    ("op", "rows", "expected"),
    [
        (
            "sum",
            '[[0, 4, "a"], [6, 9, "b"]]',
            "leaves a gap to the band before: it starts at 6, the one before ends at 4",
        ),
        ("sum", '[[0, 5, "a"], [4, 9, "b"]]', "overlaps the band before"),
        ("sum", '[[0, 4, "a"], [5, 8, "b"]]', "cover 0 to 8, but scores run from 0 to 9"),
        ("sum", '[[1, 4, "a"], [5, 9, "b"]]', "cover 1 to 9, but scores run from 0 to 9"),
        ("sum", '[[0, 9, "a"]]', "needs at least two bands"),
        ("sum", '[[0, 4, "a"], [5, 9, "a"]]', 'the label "a" stands there twice'),
        ("sum", '[[0, 4, "a"], [9, 5, "b"]]', "runs from 9 down to 5"),
        ("mean", '[[0, 1, "a"], [2, 3, "b"]]', "a score can lie between 1 and 2"),
        ("mean", '[[0, 1.4, "a"], [1.6, 3, "b"]]', "leaves a gap to the band before"),
    ],
)
def test_bands_must_cover_every_score_once(tmp_path: Path, op: str, rows: str, expected: str) -> None:
    bands = f'[scores.bands]\nsource = "x"\nrows = {rows}\n'
    text = MINIMAL.replace("range = [0, 9]", bands).replace('op = "sum"', f'op = "{op}"')
    assert expected in problems_of(tmp_path, text)


@pytest.mark.parametrize(
    ("op", "rows", "cuts"),
    [
        ("sum", '[[0, 4, "a"], [5, 5, "b"], [6, 9, "c"]]', [4.5, 5.5]),
        ("mean", '[[0, 1.4, "a"], [1.5, 3, "b"]]', [1.45]),
        ("mean", '[[0, 1.99, "a"], [2.0, 3, "b"]]', [1.995]),
        ("mean", '[[0, 2, "a"], [2, 3, "b"]]', [2.0]),
    ],
)
def test_bands_are_cut_half_way_between_printed_edges_or_at_a_shared_one(
    tmp_path: Path, op: str, rows: str, cuts: list[float]
) -> None:
    bands = f'[scores.bands]\nsource = "x"\nrows = {rows}\n'
    text = MINIMAL.replace("range = [0, 9]", bands).replace('op = "sum"', f'op = "{op}"')
    assert [band.cut for band in sw.instrument(write(tmp_path, text)).scale("total").bands[1:]] == cuts


def test_an_owner_who_asks_for_permission_is_respected(tmp_path: Path) -> None:
    licence = '\n[licence]\nkind = "permission_required"\nholder = "A. Uthor"\nnote = "Write to the owner."\n'
    path = write(tmp_path, MINIMAL + licence)
    with pytest.raises(
        InstrumentError, match=r"the owner \(A\. Uthor\) asks users for permission.*accept_licence=True"
    ):
        sw.instrument(path)
    assert sw.instrument(path, accept_licence=True).id == "mood"
    import pandas as pd

    frame = pd.DataFrame({"m1": [3], "m2": [0], "m3": [3]})
    with pytest.raises(InstrumentError, match="accept_licence"):
        sw.score(frame, path, items="m{item}")
    assert len(sw.score(frame, path, items="m{item}", accept_licence=True)) == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("phq_9", 'the catalogue has no instrument "phq_9". Did you mean "phq9"'),
        ("nowhere.toml", "nowhere.toml: the file cannot be read"),
    ],
)
def test_an_unknown_instrument_is_named_with_the_nearest(name: str, expected: str) -> None:
    with pytest.raises(InstrumentError) as caught:
        sw.instrument(name)
    assert expected in str(caught.value)


def test_what_names_no_instrument_is_refused() -> None:
    with pytest.raises(InstrumentError, match="named by its id or path, not by NoneType"):
        sw.instrument(None)


@pytest.mark.parametrize("content", [b"id = ", b"\xff\xfe\x00", b"id = 'x'\nid = 'y'"])
def test_what_is_no_toml_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mood.toml"
    path.write_bytes(content)
    with pytest.raises(InstrumentError, match="this is no valid TOML"):
        sw.instrument(path)


def test_unknown_scores_and_items_are_named_with_the_nearest() -> None:
    phq9 = sw.instrument("phq9")
    with pytest.raises(InstrumentError, match=r'phq9 has no score "totl"\. Did you mean "total"'):
        phq9.scale("totl")
    with pytest.raises(InstrumentError, match='phq9 has no item "10"'):
        phq9.item("10")
