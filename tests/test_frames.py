"""The border for frames: whatever the library, the same pandas frame inside, and a clear error where there is none."""

from __future__ import annotations

from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sweval.errors import DataError, MissingLibraryError, SwevalError, did_you_mean
from sweval.frames import require_columns, take, wrap

ROWS = {"id": ["007", "7", "008"], "score": [1.0, float("nan"), 3.0], "arm": ["usual", None, "training"]}


def frames() -> dict[str, Any]:
    """Return the same three rows in every library."""
    arrow = pa.table(ROWS)
    return {
        "pandas": pd.DataFrame(ROWS, index=[5, 5, 1]),
        "polars": pl.DataFrame(ROWS),
        "polars lazy": pl.LazyFrame(ROWS),
        "pyarrow": arrow,
        "duckdb": duckdb.from_arrow(arrow),
    }


@pytest.mark.parametrize("library", frames())
def test_take_gives_the_same_rows_from_every_library(library: str) -> None:
    table = take(frames()[library], ["id", "score", "id", "arm"], where="test")
    assert list(table.columns) == ["id", "score", "arm"]
    assert table.index.tolist() == [0, 1, 2]
    assert table["id"].tolist() == ["007", "7", "008"]
    assert table["score"].isna().tolist() == [False, True, False]
    assert table["arm"].isna().tolist() == [False, True, False]


def test_take_leaves_the_callers_frame_alone() -> None:
    frame = pd.DataFrame(ROWS, index=[5, 5, 1])
    before = frame.copy()
    taken = take(frame, ["id"], where="test")
    taken["id"] = "changed"
    pd.testing.assert_frame_equal(frame, before)


def test_what_is_no_frame_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"a list is no data frame\. Pass a pandas, polars"):
        wrap([1, 2])


def test_absent_columns_are_all_named_with_the_nearest_present_ones() -> None:
    with pytest.raises(DataError) as caught:
        require_columns(wrap(pd.DataFrame(ROWS)), ["scor", "id", "zzz"], where="ClusterTrial")
    assert str(caught.value) == (
        "ClusterTrial: the data have no column 'scor', 'zzz'. "
        'For "scor": did you mean "score"? For "zzz": there are: id, score, arm.'
    )
    with pytest.raises(DataError) as caught:
        require_columns(wrap(pd.DataFrame(ROWS)), ["zzz"], where="predict")
    assert str(caught.value) == "predict: the data have no column 'zzz'. There are: id, score, arm."


@pytest.mark.parametrize(
    ("name", "options", "hint"),
    [
        ("agancy", ["agency", "arm"], 'Did you mean "agency"?'),
        ("ARM", ["arm", "agency"], 'Did you mean "arm"?'),
        ("PHQ-9", ["phq2", "phq9", "phq8"], 'Did you mean "phq9"?'),
        ("x", [], "There are none."),
        ("zzz", ["a", "b"], "There are: a, b."),
        (
            "zzz",
            [f"c{number}" for number in range(14)],
            "There are: " + ", ".join(f"c{n}" for n in range(12)) + " and 2 more.",
        ),
    ],
)
def test_hints(name: str, options: list[str], hint: str) -> None:
    assert did_you_mean(name, options) == hint


def test_an_error_reads_where_what_fix() -> None:
    error = SwevalError("2 rows have no agency.", where="clients.sav", fix="Fill them in.")
    assert str(error) == "clients.sav: 2 rows have no agency. Fill them in."
    assert isinstance(error, ValueError)
    assert str(SwevalError("It is empty.")) == "It is empty."


def test_a_missing_library_names_the_extra() -> None:
    error = MissingLibraryError("polars", extra="big", purpose='backend="polars"')
    assert str(error) == 'backend="polars" needs polars. Install it with: pip install "sweval[big]"'


def test_two_columns_of_one_name_are_refused() -> None:
    twice = pd.DataFrame([[1, 2]], columns=["score", "score"])
    with pytest.raises(DataError, match="two columns of the data have the same name"):
        wrap(twice)
