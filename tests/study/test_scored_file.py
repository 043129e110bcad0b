"""A Parquet file scored part by part gives what the whole gives at once, and appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import sweval as sw
from sweval.errors import DataError, InstrumentError
from sweval.scoring.score import Asked, score_with_notes
from sweval.study import scored_file
from sweval.study.scored_file import score_parquet

PHQ9 = Asked(instrument=sw.instrument("phq9"), items="q{item}", missing=(9,))


def answers(rows: int) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    made = {f"q{k}": rng.choice([0, 1, 2, 3, 9], rows, p=[0.4, 0.3, 0.15, 0.1, 0.05]) for k in range(1, 10)}
    return pl.DataFrame({"client": [f"c{k}" for k in range(rows)], **made}).with_columns(pl.col("q2").cast(pl.Int8))


def test_parts_give_what_the_whole_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = answers(1000)
    frame.write_parquet(tmp_path / "raw.parquet")
    monkeypatch.setattr(scored_file, "_ROWS", 64)
    told: list[tuple[int, int]] = []
    done = score_parquet(
        tmp_path / "raw.parquet", tmp_path / "out.parquet", PHQ9, progress=lambda *so_far: told.append(so_far)
    )
    whole = score_with_notes(frame.lazy(), "phq9", items="q{item}", missing=(9,))
    assert pl.read_parquet(tmp_path / "out.parquet").equals(whole.frame.collect())
    assert (done.rows, done.columns, done.notes) == (1000, whole.columns, whole.notes)
    assert any("prorated" in note for note in done.notes)
    assert told[0] == (64, 1000)
    assert told[-1] == (1000, 1000)


def test_what_does_not_fit_is_counted_over_the_whole_file_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = answers(300)
    spoilt = frame.with_columns(q1=pl.when(pl.int_range(300) % 100 == 50).then(7).otherwise(pl.col("q1")))
    spoilt.write_parquet(tmp_path / "raw.parquet")
    monkeypatch.setattr(scored_file, "_ROWS", 64)
    with pytest.raises(InstrumentError, match=r"q1 \(3 rows\)"):
        score_parquet(tmp_path / "raw.parquet", tmp_path / "out.parquet", PHQ9)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw.parquet"]


def test_a_damaged_file_and_absent_columns_are_said(tmp_path: Path) -> None:
    (tmp_path / "raw.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match="damaged or cut off"):
        score_parquet(tmp_path / "raw.parquet", tmp_path / "out.parquet", PHQ9)
    answers(5).drop("q3").write_parquet(tmp_path / "raw.parquet")
    with pytest.raises(DataError, match="q3"):
        score_parquet(tmp_path / "raw.parquet", tmp_path / "out.parquet", PHQ9)
    answers(5).write_parquet(tmp_path / "raw.parquet")
    with pytest.raises(InstrumentError, match="no variant"):
        score_parquet(tmp_path / "raw.parquet", tmp_path / "out.parquet", PHQ9, variant="old")


def test_an_empty_file_gets_its_columns(tmp_path: Path) -> None:
    answers(3).head(0).write_parquet(tmp_path / "raw.parquet")
    assert score_parquet(tmp_path / "raw.parquet", tmp_path / "out.parquet", PHQ9).rows == 0
    assert "phq9_total_band" in pl.read_parquet(tmp_path / "out.parquet").columns
