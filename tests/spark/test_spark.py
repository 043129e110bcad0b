"""Scores of a Spark frame are planned, and are those of the same rows in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest
from pyspark.sql import DataFrame, SparkSession

import sweval as sw
from sweval.errors import InstrumentError
from sweval.scoring.score import score_with_notes


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    session = (
        SparkSession.builder.master("local[1]")
        .appName("sweval")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


def planned(spark: SparkSession, frame: pl.DataFrame) -> DataFrame:
    return spark.createDataFrame(frame.to_arrow())


def answers(instrument_id: str) -> pl.DataFrame:
    rng = np.random.default_rng(8)
    found = sw.instrument(instrument_id, accept_licence=True)
    columns = {f"x_{item.id}".replace(".", "_"): rng.choice(item.codes, 25) for item in found.items}
    frame = pl.DataFrame({"row": np.arange(25), **columns})
    lacking = {name: pl.Series(rng.random(25) < 0.06) for name in columns}
    return frame.with_columns(pl.when(~lacking[name]).then(pl.col(name)).alias(name) for name in columns)


@pytest.mark.parametrize("instrument_id", sw.instruments()["id"].tolist())
def test_every_instrument_is_scored_where_the_rows_lie(spark: SparkSession, instrument_id: str) -> None:
    frame = answers(instrument_id)
    found = sw.instrument(instrument_id, accept_licence=True)
    variant = found.variants[0].name if found.variants else None
    asked = {"items": frame.columns[1:], "variant": variant, "accept_licence": True}
    there = score_with_notes(planned(spark, frame), instrument_id, **asked)
    here = score_with_notes(frame.lazy(), instrument_id, **asked)
    assert isinstance(there.frame, DataFrame)
    assert there.notes == here.notes
    rows = pl.from_arrow(there.frame.toArrow()).sort("row")
    expected = here.frame.collect()
    for name in here.columns:
        assert rows[name].to_list() == expected[name].to_list(), name


def test_missing_codes_labels_and_refusals(spark: SparkSession) -> None:
    frame = pl.DataFrame({f"x_{k}": ["0", "3", "never" if k == 2 else "9"] for k in range(1, 8)})
    with pytest.raises(InstrumentError, match="text"):
        sw.score(planned(spark, frame), "gad7", items="x_{item}")
    coding = {"0": 0, "1": 1, "2": 2, "3": 3, "never": 0}
    scored = sw.score(planned(spark, frame), "gad7", items="x_{item}", coding=coding, missing=("9",))
    totals = [row["gad7_total"] for row in scored.select("gad7_total").collect()]
    assert totals == [0.0, 21.0, None]
    numbers = pl.DataFrame({f"x_{k}": [0, 1, 7] for k in range(1, 8)})
    with pytest.raises(InstrumentError, match=r"x_1 \(1 row\)"):
        sw.score(planned(spark, numbers), "gad7", items="x_{item}")


def test_a_dot_in_a_name_is_refused_in_words(spark: SparkSession) -> None:
    frame = pl.DataFrame({f"q.{k}": [0] for k in range(1, 8)})
    with pytest.raises(InstrumentError, match=r"take the dot in q\.1"):
        sw.score(planned(spark, frame), "gad7", items="q.{item}")
