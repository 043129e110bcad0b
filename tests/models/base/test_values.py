"""Labels, ids and numbers as evaluators' files hold them."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DesignError
from sweval.models.base.values import counted, id_key, keyed, label_key, levels, missing, numbers


@pytest.mark.parametrize(
    ("value", "label", "ident"),
    [
        (1, "1", "1"),
        (1.0, "1", "1"),
        (np.int8(1), "1", "1"),
        ("1", "1", "1"),
        ("1.0", "1", "1.0"),
        ("007", "007", "007"),
        (" usual\u00a0", "usual", "usual"),
        ("\ufeffusual  care\t", "usual care", "usual care"),
        (1.5, "1.5", "1.5"),
        (True, "True", "True"),
        ("  ", None, None),
        (None, None, None),
        (float("nan"), None, None),
        (pd.NA, None, None),
        (pd.NaT, None, None),
        (pd.Timestamp("2024-03-01"), "2024-03-01", "2024-03-01"),
        (12345678901234567, "12345678901234567", "12345678901234567"),
    ],
)
def test_keys(value: object, label: str | None, ident: str | None) -> None:
    assert label_key(value) == label
    assert id_key(value) == ident


def test_ids_with_leading_zeros_stay_apart() -> None:
    codes, labels, trimmed = keyed(pd.Series(["007", "7", "007 ", None]), as_label=False)
    assert labels == ["007", "7"]
    assert codes[0] == codes[2] != codes[1]
    assert codes[3] == -1
    assert trimmed == 1


@pytest.mark.parametrize("kind", ["int64", "Int64", "float64", "Float32", "category", "object", "string"])
def test_every_storage_of_the_same_labels(kind: str) -> None:
    codes, labels, _ = keyed(pd.Series([2, 10, 1, 2]).astype(kind), as_label=True)
    assert labels == ["1", "2", "10"]
    assert codes.tolist() == [1, 2, 0, 1]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 2, 3]),
        pd.Series([1, 2, 3], dtype="Int64"),
        pd.Series([1.0, 2, 3], dtype="Float32"),
        pd.Series([Decimal(1), Decimal(2), Decimal(3)]),
        pd.Series([1, 2.0, 3], dtype=object),
        pd.Series([1, 2, 3], dtype="category"),
    ],
)
def test_numbers_of_every_storage(column: pd.Series) -> None:
    values, notes = numbers(column, where="x")
    assert values.tolist() == [1, 2, 3]
    assert notes == []


def test_missing_is_nan_and_text_of_numbers_is_said() -> None:
    values, notes = numbers(pd.Series(["1", " 2.5 ", "", None], name="score"), where="x")
    np.testing.assert_array_equal(values, [1, 2.5, np.nan, np.nan])
    assert notes == ['"score" is stored as text but holds only numbers; its 2 values were read as such.']
    assert np.isnan(numbers(pd.Series([1, None], dtype="Int64"), where="x")[0][1])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([True, False], "yes/no"),
        ([True, None, False], "yes/no"),
        (["yes", "no", "yes"], "yes/no"),
        (["improved", "not", "improved"], "text with 2 different values"),
        (["1", "2", "unknown", "n.a.", "ten"], '3 of 5 values in "score" are not numbers'),
        (["1,5", "2,5", "3,5"], "3 of them have a decimal comma"),
        ([1.0, np.inf, -np.inf], '2 values in "score" are infinite'),
        (pd.date_range("2024-01-01", periods=3), "dates or times"),
    ],
)
def test_not_numbers(values: object, message: str) -> None:
    column = pd.Series(values, name="score", dtype=object if isinstance(values, list) and None in values else None)
    with pytest.raises(DesignError, match=message) as caught:
        numbers(column, where="x")
    assert "unknown" not in str(caught.value)
    assert "improved" not in str(caught.value)


def test_blank_text_is_missing() -> None:
    assert missing(pd.Series(["a", " ", None])).tolist() == [False, True, True]
    assert missing(pd.Series([1.0, np.nan])).tolist() == [False, True]


def test_levels_and_counts() -> None:
    column = pd.Series(pd.Categorical(["low", "high", None], categories=["low", "mid", "high"], ordered=True))
    codes, labels = levels(column, where="x")
    assert labels == ["low", "high"]
    assert codes.tolist() == [0, 1, -1]
    assert (counted(1, "row"), counted(0, "row")) == ("1 row", "0 rows")
