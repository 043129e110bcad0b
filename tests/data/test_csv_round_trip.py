"""Property: what pandas writes as csv comes back, whatever the texts and numbers are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from sweval.data.read import read_source

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff\x85\u2028\u2029"),
    max_size=12,
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(
    texts=st.lists(TEXTS, min_size=1, max_size=20),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_texts_come_back_as_they_were(texts, delimiter):
    # The letter in front keeps numbers, dates and yes/no apart, which are meant to change their type.
    texts = [f"x{text}" for text in texts]
    frame = pd.DataFrame({"id": [f"c{place}" for place in range(len(texts))], "text": texts})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        frame.to_csv(path, index=False, sep=delimiter)
        back = read_source(path, delimiter=delimiter).frame
    assert back["text"].tolist() == texts
    assert back["id"].tolist() == frame["id"].tolist()


@given(numbers=st.lists(st.one_of(NUMBERS, st.none(), st.integers(-999, 999).map(float)), min_size=1, max_size=20))
def test_numbers_come_back_bit_for_bit(numbers):
    frame = pd.DataFrame({"id": [f"c{place}" for place in range(len(numbers))], "x": numbers}, dtype=object)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        frame.to_csv(path, index=False)
        back = read_source(path, decimal=".").frame
    expected = np.array([np.nan if number is None else number for number in numbers])
    np.testing.assert_array_equal(back["x"].to_numpy(dtype=np.float64), expected)


@given(codes=st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=1, max_size=30))
def test_row_count_and_missing_count_are_kept(codes):
    frame = pd.DataFrame({"id": [f"c{place}" for place in range(len(codes))], "item": pd.array(codes, dtype="Int64")})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        frame.to_csv(path, index=False)
        source = read_source(path)
    item = source.codebook.variable("item")
    assert item.n + item.n_missing == len(codes)
    assert item.n_missing == sum(code is None for code in codes)
