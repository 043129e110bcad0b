"""Planted errors in the key of simulated answers: each must be named, and none where the key fits."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import sweval as sw
from sweval.errors import InstrumentError
from sweval.scoring.definition import Instrument, instrument
from sweval.scoring.item_ranges import Codes, code_offsets
from sweval.scoring.item_signs import item_signs
from sweval.scoring.score import score_with_notes

MIXED = ["rses", "pss10", "fad_gf", "olbi", "proqol5", "collective_efficacy", "cesd20", "ucla20", "isel12", "brs"]
"""Scales with items of both keys; every kind of error is planted in each."""
KINDS = ["unreversed", "reversed_twice", "swapped", "shifted"]


def _load() -> ModuleType:
    path = Path(__file__).parents[1] / "simulation" / "key_errors.py"
    spec = importlib.util.spec_from_file_location("key_errors", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


key_errors = _load()


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("kind", KINDS)
def test_each_of_40_planted_errors_is_named_and_nothing_else(name: str, kind: str) -> None:
    rng = np.random.default_rng([KINDS.index(kind), MIXED.index(name)])
    found = instrument(name)
    clean = key_errors.simulate(found, rng, alpha=(0.7, 0.9))
    answers, expected = key_errors.plant(kind, found, clean, rng)
    audit = key_errors.audit(found, answers)
    assert audit.found == expected
    assert len(audit.notes) == 1
    assert all(column in audit.notes[0] for column in expected)


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("draw", range(4))
def test_40_clean_sets_give_no_alarm(name: str, draw: int) -> None:
    found = instrument(name)
    clean = key_errors.simulate(found, np.random.default_rng([draw, MIXED.index(name)]), alpha=(0.7, 0.9))
    audit = key_errors.audit(found, clean)
    assert audit.found == {}
    assert audit.tidy()["found"].isna().all()
    assert not [note for note in audit.notes if "mean of" not in note]


@pytest.fixture(scope="module")
def rses() -> Instrument:
    return instrument("rses")


@pytest.fixture(scope="module")
def clean(rses: Instrument) -> pd.DataFrame:
    answers: pd.DataFrame = key_errors.simulate(rses, np.random.default_rng(11), alpha=(0.8, 0.9))
    return answers


def audit(frame: Any, **settings: Any) -> sw.KeyAudit:
    return sw.audit_key(frame, "rses", items="{item}", **settings)


def test_a_file_that_is_keyed_already_is_told_from_one_whose_other_items_are_wrong(
    rses: Instrument, clean: pd.DataFrame
) -> None:
    """Five of ten items are reversed: by signs alone it could as well be the other five."""
    keyed = [item.id for item in rses.items if item.reversed]
    found = audit(key_errors.turned(rses, clean, keyed))
    assert found.found == dict.fromkeys(keyed, "reversed_twice")
    assert "2, 5, 6, 8 and 9 run against the other items, and these are all that the key reverses" in found.notes[0]
    assert found.notes[1] == 'rses: with coding="keyed" all items run along: pass it if the file is like that.'
    assert audit(key_errors.turned(rses, clean, keyed), coding="keyed").found == {}


def test_a_file_with_other_codes_is_reported_and_scored_once_they_are_declared(clean: pd.DataFrame) -> None:
    shifted = audit(clean + 1)
    assert set(shifted.found.values()) == {"shifted"}
    assert len(shifted.found) == 10
    assert shifted.notes == ('rses: Check: all items look coded 1 to 4 where the form has 0 to 3: pass coding="1-4".',)
    declared = audit(clean + 1, coding="1-4")
    assert declared.found == {}
    assert declared.tidy()["mean"].tolist() == pytest.approx((clean + 1).mean().tolist())


def test_another_order_of_the_items_is_called_swapped(rses: Instrument, clean: pd.DataFrame) -> None:
    """Items 2 and 6 are reversed here, 3 and 10 in the print of 1965."""
    printed = clean.assign(**{"2": clean["3"], "3": clean["2"], "6": clean["10"], "10": clean["6"]})
    found = audit(printed)
    assert found.found == dict.fromkeys(["2", "3", "6", "10"], "swapped")
    assert "2 and 6 (reversed by the key) and 3 and 10 (not reversed) run against" in found.notes[0]
    (order,) = [entry.name for entry in rses.orders]
    assert f'order="{order}" all items run along' in found.notes[1]
    assert audit(printed, order=order).found == {}


def test_a_wider_form_or_rows_of_another_coding_are_outside(clean: pd.DataFrame) -> None:
    item = next(name for name in clean if clean[name].nunique() == 4)
    some = clean.assign(**{item: clean[item].where(clean.index >= 100, clean[item] + 1)})
    above = int((some[item] == 4).sum())
    assert above
    assert (some[item] == 0).any()
    found = audit(some)
    assert found.found == {item: "outside"}
    assert f"{item} ({above})" in found.notes[0]
    assert "some rows are coded otherwise" in found.notes[0]
    row = found.tidy().set_index("column").loc[item]
    assert (row["outside"], row["highest"], row["answered"]) == (above, 4, len(clean))
    assert row["mean"] == pytest.approx(some[item].mean())


def test_a_shift_inside_the_form_shows_by_the_answer_that_nobody_gave() -> None:
    """Nobody at the bottom, half of all one above it, while all other items start at the bottom."""
    usual = np.array([90, 60, 35, 15, 0])
    items = [Codes(counts=usual, below=0, above=0, reversed=False) for _ in range(8)]
    odd = Codes(counts=np.array([0, 90, 60, 35, 15]), below=0, above=0, reversed=False)
    found = code_offsets([*items, odd])
    assert [finding.offset if finding else None for finding in found] == [None] * 8 + ["higher"]
    mirrored = Codes(counts=odd.counts[::-1], below=0, above=0, reversed=True)
    assert [finding.offset if finding else None for finding in code_offsets([*items, mirrored])][-1] == "lower"


def test_an_item_that_nearly_all_endorse_is_no_shift_where_items_differ_anyway() -> None:
    """Items from hard to easy, the last with an unused answer at its hard end."""
    counts = [
        [95, 60, 30, 10, 5],
        [60, 60, 45, 25, 10],
        [40, 55, 55, 35, 15],
        [20, 40, 60, 55, 25],
        [10, 25, 50, 70, 45],
    ]
    items = [Codes(counts=np.array(row), below=0, above=0, reversed=False) for row in counts]
    easy = Codes(counts=np.array([0, 5, 25, 65, 105]), below=0, above=0, reversed=False)
    assert code_offsets([*items, easy]) == [None] * 6


@pytest.mark.parametrize("name", ["rses", "pss10", "gad7"])
def test_a_shift_that_was_cut_off_at_the_end_of_the_form_shows_where_items_are_alike(name: str) -> None:
    found, rng = instrument(name), np.random.default_rng(12)
    low, high = found.items[0].low, found.items[0].high
    trait = 0.6 * rng.normal(size=(200, 1)) + 0.8 * rng.normal(size=(200, len(found.items)))
    keyed = pd.DataFrame(
        np.clip(np.round(trait * (high - low + 1) / 5 + (low + high) / 2), low, high),
        columns=[item.id for item in found.items],
    )
    raw = key_errors.turned(found, keyed, sorted(key_errors.reversed_items(found)))
    assert key_errors.audit(found, raw).found == {}
    for step in (-1, 1):
        cut = raw.assign(**{"3": (raw["3"] + step).clip(low, high)})
        assert key_errors.audit(found, cut).found == {"3": "shifted"}


def test_the_whole_scale_the_other_way_round_shows_by_norms_only(rses: Instrument) -> None:
    """A mean of 22.6 in the population and a little more here: its mirror image is far below."""
    rng = np.random.default_rng(4)
    trait = rng.normal(size=(200, 1)) + 0.8 * rng.normal(size=(200, 10))
    keyed = pd.DataFrame(np.clip(np.round(2.8 + 0.6 * trait), 0, 3), columns=[item.id for item in rses.items])
    raw = key_errors.turned(rses, keyed, [item.id for item in rses.items if item.reversed])
    assert audit(raw).notes == ()
    found = audit(3 - raw)
    assert found.found == {}
    assert "is the highest code stored for the lowest answer?" in found.notes[0]
    assert "22.62 in US adults (SD 5.8; this norm was not checked against a source)" in found.notes[0]


def test_missing_answers_and_lazy_frames_change_nothing(rses: Instrument, clean: pd.DataFrame) -> None:
    answers = key_errors.turned(rses, clean, ["3"]).astype(float)
    answers = answers.mask(np.random.default_rng(1).random(answers.shape) < 0.05)
    found = audit(answers.fillna(9), missing=9)
    assert found.found == {"3": "unreversed"}
    lazy = audit(pl.from_pandas(answers.fillna(9)).lazy(), missing=9)
    assert lazy.tidy().equals(found.tidy())
    assert lazy.notes == found.notes
    assert audit(answers).tidy().equals(found.tidy())


def test_what_scoring_refuses_far_outside_the_form_is_refused_here_too(clean: pd.DataFrame) -> None:
    with pytest.raises(InstrumentError, match="missing=\\(99,\\)"):
        audit(clean.mask(clean == 3, 99))
    with pytest.raises(InstrumentError, match="fractions"):
        audit(clean + 0.5)
    with pytest.raises(InstrumentError, match="text"):
        audit(clean.replace({0: "never", 1: "rarely", 2: "often", 3: "always"}))
    with pytest.raises(InstrumentError, match=r"no item has more than 19 answers.*at least 20 people"):
        audit(clean.head(19))


def test_items_that_cannot_be_judged_are_named(clean: pd.DataFrame) -> None:
    found = audit(clean.assign(**{"7": 2}))
    assert found.found == {}
    assert found.notes[0].startswith("rses: signs of 7 cannot be judged")
    row = found.tidy().set_index("column").loc["7"]
    assert np.isnan(row["item_rest_r"])
    assert pd.isna(row["score"])
    noise = pd.DataFrame(np.random.default_rng(2).integers(0, 4, clean.shape), columns=clean.columns)
    assert audit(noise).found == {}
    assert "hang together too little" in audit(noise).notes[0]


def test_two_items_cannot_say_which_of_them_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "pair.toml"
    path.write_text(
        'id = "pair"\ntitle = "t"\nlevel = "group"\nconstruct = "c"\n[items]\nnumber = 2\ncodes = [1, 2, 3, 4, 5]\n'
        '[[scores]]\nid = "total"\nop = "sum"\n',
        encoding="utf-8",
    )
    rng = np.random.default_rng(3)
    first = rng.integers(1, 6, 60)
    frame = pd.DataFrame({"a1": first, "a2": np.clip(6 - first + rng.integers(-1, 2, 60), 1, 5)})
    found = sw.audit_key(frame, path, items="a{item}")
    assert found.found == {}
    assert any("a1 and a2, the two items of pair_total, run against each other" in note for note in found.notes)


def test_two_swapped_items_of_four_cannot_be_told_from_the_other_two() -> None:
    """The scale reverses two of four: after a swap two run against two, one of each key on either side."""
    found = instrument("pss4")
    clean = key_errors.simulate(found, np.random.default_rng(1), alpha=(0.75, 0.95))
    swapped = clean.assign(**{"1": clean["2"], "2": clean["1"]})
    audit = key_errors.audit(found, swapped)
    assert audit.found == dict.fromkeys(["1", "2", "3", "4"], "swapped")
    assert len(audit.notes) == 1
    assert "with as many reversed items on either side" in audit.notes[0]
    assert any(pair in audit.notes[0] for pair in ("1 and 2 run against 3 and 4", "3 and 4 run against 1 and 2"))


def test_scoring_notes_the_same_items_by_their_column_whatever_their_order_in_the_score(tmp_path: Path) -> None:
    path = tmp_path / "mixed.toml"
    path.write_text(
        'id = "mixed"\ntitle = "t"\nlevel = "group"\nconstruct = "c"\n[items]\nnumber = 5\ncodes = [1, 2, 3, 4, 5]\n'
        'reversed = [2]\n[[scores]]\nid = "total"\nop = "sum"\nitems = [5, 3, 1, 2, 4]\n',
        encoding="utf-8",
    )
    rng = np.random.default_rng(8)
    trait = 3 + rng.normal(size=(100, 1)) + 0.8 * rng.normal(size=(100, 5))
    frame = pd.DataFrame(np.clip(np.round(trait), 1, 5), columns=[f"m{item}" for item in range(1, 6)])
    (note,) = score_with_notes(frame, path, items="m{item}").notes
    assert note.startswith("mixed_total: m2 runs against the other items.")
    assert sw.audit_key(frame, path, items="m{item}").found == {"m2": "reversed_twice"}


def test_signs_are_those_of_a_worked_example() -> None:
    """Three items that agree and one mirrored: its item-rest correlation changes its sign and nothing else."""
    rng = np.random.default_rng(6)
    keyed = rng.normal(size=(300, 1)) + rng.normal(size=(300, 4))
    straight = item_signs(keyed, np.zeros(4, dtype=bool))
    mirrored = item_signs(keyed * np.array([1, 1, 1, -1]), np.zeros(4, dtype=bool))
    assert straight is not None
    assert mirrored is not None
    rest = [np.corrcoef(keyed[:, i], np.delete(keyed / keyed.std(0), i, 1).sum(1))[0, 1] for i in range(4)]
    assert straight.item_rest_r == pytest.approx(rest, rel=1e-12)
    assert mirrored.item_rest_r == pytest.approx([*rest[:3], -rest[3]], rel=1e-12)
    assert mirrored.against.tolist() == [False, False, False, True]
    values, vectors = np.linalg.eigh(np.corrcoef(keyed, rowvar=False))
    assert np.abs(straight.loadings) == pytest.approx(np.abs(vectors[:, -1]) * np.sqrt(values[-1]), rel=1e-10)
    assert item_signs(keyed[:19], np.zeros(4, dtype=bool)) is None


def test_every_instrument_of_the_catalogue_can_be_audited(any_instrument: Instrument) -> None:
    """Answers that share one factor, whatever the form: a row for each item, and only what there is a word for."""
    rng = np.random.default_rng(9)
    people = rng.random(120)
    columns = {}
    for item in any_instrument.items:
        place = np.clip(0.6 * people + 0.4 * rng.random(120), 0, 0.999)
        columns[item.id] = np.array(item.codes)[(place * len(item.codes)).astype(int)]
    found = sw.audit_key(pd.DataFrame(columns), any_instrument, items="{item}", accept_licence=True)
    assert found.tidy()["column"].tolist() == list(columns)
    assert set(found.found.values()) <= {"reversed_twice", "unreversed", "swapped", "shifted"}
    turned = [name for name in columns if found.found.get(name) == "reversed_twice"]
    assert all(row.reversed for row in found.items if row.column in turned)


def test_what_is_printed_names_no_client_and_repeats(clean: pd.DataFrame) -> None:
    printed = repr(audit(clean + 1))
    assert printed == repr(audit(clean + 1))
    assert printed.startswith("rses: 10 items look wrong, of 10\n")
    assert "note: rses: Check: all items" in printed
    assert repr(audit(clean)).startswith("rses: no items look wrong, of 10\n")
