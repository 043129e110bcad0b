"""One arithmetic everywhere: the kernel, the lazy expressions and a plain-Python reading of the rules agree."""

from __future__ import annotations

import math

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sweval as sw
from sweval.errors import InstrumentError
from sweval.scoring import kernel
from sweval.scoring.definition import Instrument
from sweval.scoring.score import score_with_notes

SHARED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def added_columns(instrument: Instrument) -> list[str]:
    safety = [instrument.safety_column] if instrument.safety else []
    return [name for scale in instrument.scores for name in scale.columns] + safety


def as_records(table: pl.DataFrame, columns: list[str]) -> list[dict]:
    return table.select(columns).to_dicts()


@given(rows=st.integers(1, 30), lacking=st.sampled_from([0.0, 0.05, 0.3, 1.0]), seed=st.integers(0, 2**32 - 1))
@settings(SHARED, max_examples=4)
def test_kernel_lazy_paths_and_plain_python_agree(
    any_instrument: Instrument, variant: str, answers_of, plain, rows: int, lacking: float, seed: int
) -> None:
    frame = answers_of(any_instrument, rows, lacking, seed)
    columns = added_columns(any_instrument.of_variant(variant))
    asked = {"items": "x_{item}", "variant": variant or None}
    eager = pl.from_pandas(frame)
    expected = as_records(sw.score(eager, any_instrument, **asked), columns)

    lazy = sw.score(eager.lazy(), any_instrument, **asked)
    assert isinstance(lazy, pl.LazyFrame)
    assert as_records(lazy.collect(), columns) == expected  # Same operations in the same order: equal to the last bit.

    plain_names = eager.rename(lambda name: name.replace(".", "_"))
    relation = duckdb.from_arrow(plain_names.to_arrow())
    planned = sw.score(relation, any_instrument, items=plain_names.columns, variant=variant or None)
    assert isinstance(planned, duckdb.DuckDBPyRelation)
    assert as_records(planned.pl(), columns) == expected

    for number, record in enumerate(expected):
        answers = {item.id: frame[f"x_{item.id}"].iloc[number] for item in any_instrument.items}
        given_codes = {name: None if math.isnan(value) else int(value) for name, value in answers.items()}
        by_hand = plain(any_instrument, given_codes, variant)
        assert by_hand.keys() == record.keys()
        for name, value in by_hand.items():  # mean * items and sum * items / answered differ in the last bit.
            assert record[name] == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value), name


def test_every_kind_of_frame_gives_the_same(any_instrument: Instrument, answers_of) -> None:
    floats = answers_of(any_instrument, 40, 0.08, 5)
    nullable = floats.astype("Int64")
    table = pl.from_pandas(floats)
    narrow = table.with_columns(pl.all().cast(pl.Int16))
    frames = [floats, nullable, nullable.astype("Int16"), table, narrow, pa.table(narrow.to_arrow())]
    frames.append(nullable.astype("int16[pyarrow]"))
    frames.append(
        pd.DataFrame({name: [None if pd.isna(x) else int(x) for x in floats[name]] for name in floats}, dtype=object)
    )
    columns = added_columns(any_instrument.of_variant(""))
    expected = None
    for frame in frames:
        scored = sw.score(frame, any_instrument, items="x_{item}")
        assert type(scored) is type(frame)
        records = pl.from_arrow(scored) if isinstance(scored, pa.Table) else scored
        records = pl.from_pandas(records[columns]) if isinstance(records, pd.DataFrame) else records
        found = as_records(records, columns)
        expected = expected or found
        assert found == expected


def test_notes_are_the_same_on_both_paths(any_instrument: Instrument, answers_of) -> None:
    table = pl.from_pandas(answers_of(any_instrument, 60, 0.08, 7))
    eager = score_with_notes(table, any_instrument, items="x_{item}")
    lazy = score_with_notes(table.lazy(), any_instrument, items="x_{item}")
    only_in_memory = [note for note in eager.notes if "against the other items" in note]
    assert [note for note in eager.notes if note not in only_in_memory] == list(lazy.notes)
    assert eager.columns == lazy.columns == tuple(eager.frame.columns[-len(eager.columns) :])


def test_chunks_and_threads_change_nothing(
    any_instrument: Instrument, answers_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pl.from_pandas(answers_of(any_instrument, 1000, 0.1, 11))
    whole = sw.score(table, any_instrument, items="x_{item}")
    monkeypatch.setattr(kernel, "_CHUNK", 64)
    monkeypatch.setattr(kernel, "_THREADED_ROWS", 1)
    assert sw.score(table, any_instrument, items="x_{item}").equals(whole)


def test_an_empty_frame_gets_empty_columns(any_instrument: Instrument, answers_of) -> None:
    table = pl.from_pandas(answers_of(any_instrument, 3, 0.0, 1)).head(0)
    scored = sw.score(table, any_instrument, items="x_{item}")
    assert len(scored) == 0
    assert set(table.columns) < set(scored.columns)


def test_types_of_the_new_columns() -> None:
    table = pl.DataFrame({f"phq_{i}": [0, 3, None] for i in range(1, 10)})
    for scored in (sw.score(table, "phq9", items="phq_{item}"), sw.score(table.lazy(), "phq9", items="phq_{item}")):
        kinds = scored.lazy().collect_schema()
        assert kinds["phq9_total"] == pl.Float64
        assert kinds["phq9_total_band"] == pl.String
        assert kinds["phq9_total_answered"] == pl.Int32


def test_pandas_keeps_its_index_and_the_given_frame_is_untouched() -> None:
    frame = pd.DataFrame(np.ones((4, 9), dtype=int), columns=[f"phq_{i}" for i in range(1, 10)], index=[5, 5, 2, 9])
    before = frame.copy(deep=True)
    scored = sw.score(frame, "phq9", items="phq_{item}")
    pd.testing.assert_frame_equal(frame, before)
    assert scored.index.tolist() == [5, 5, 2, 9]
    assert scored["phq9_total"].tolist() == [9.0] * 4
    assert scored["phq9_total_band"].tolist() == ["mild"] * 4


def test_a_dot_in_a_name_is_refused_where_rows_lie_in_duckdb() -> None:
    relation = duckdb.from_arrow(pl.DataFrame({f"q.{k}": [0] for k in range(1, 8)}).to_arrow())
    with pytest.raises(InstrumentError, match=r"take the dot in q\.1"):
        sw.score(relation, "gad7", items="q.{item}")
