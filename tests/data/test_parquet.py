"""Parquet: exact types in, the types of every other format out."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sweval.data.read import read_source
from sweval.errors import DataError


@pytest.fixture
def written(tmp_path):
    def write(**columns):
        path = tmp_path / "clients.parquet"
        pq.write_table(pa.table(columns), path)
        return path

    return write


def test_types(written):
    source = read_source(
        written(
            whole=pa.array([1, 2], pa.uint8()),
            gappy=pa.array([1, None], pa.int16()),
            real=pa.array([1.5, None], pa.float32()),
            money=pa.array([decimal.Decimal("1.10"), None]),
            truth=pa.array([True, None]),
            plain=pa.array([True, False]),
            text=pa.array(["007", None]),
            coded=pa.array(["b", "a"]).dictionary_encode(),
            day=pa.array([datetime.date(2025, 6, 5), None]),
            took=pa.array([datetime.time(0, 1), None]),
            nothing=pa.nulls(2),
        )
    )
    frame = source.frame
    assert frame["whole"].dtype == np.int64
    assert frame["gappy"].dtype == np.float64
    assert frame["money"].iloc[0] == 1.1
    assert str(frame["truth"].dtype) == "boolean"
    assert frame["plain"].tolist() == [True, False]
    assert frame["text"].iloc[0] == "007"
    assert frame["coded"].tolist() == ["b", "a"]
    assert frame["day"].iloc[0] == pd.Timestamp("2025-06-05")
    assert frame["took"].iloc[0] == 60.0
    assert frame["nothing"].isna().all()
    assert [note for note in source.notes if "decimal" in note]


def test_long_ids_are_exact_with_and_without_missing_cells(written):
    long = 1234567890123456789
    frame = read_source(written(a=pa.array([long, 1]), b=pa.array([long, None]))).frame
    assert frame["a"].tolist() == [long, 1]
    assert frame["b"].iloc[0] == str(long)


def test_columns_that_are_no_cells_are_refused(written):
    with pytest.raises(DataError, match=r'clients\.parquet: column "a" holds list'):
        read_source(written(a=pa.array([[1, 2], [3]])))


def test_infinite_numbers_are_refused(written):
    with pytest.raises(DataError, match=r'column "a" holds 1 infinite number \(row 3\)'):
        read_source(written(a=pa.array([1.0, float("inf")])))


def test_a_truncated_file_is_refused(written):
    path = written(a=pa.array([1, 2]))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="damaged or cut off"):
        read_source(path)
