"""Parquet files; runs in the child process of `native`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from sweval.data.phrases import columns_text
from sweval.data.raw import RawColumn, RawTable, encode_texts
from sweval.data.refusal import RefusalError

_EXACT = 2**53


def parse_parquet(path: Path) -> RawTable:
    """Return the columns of a Parquet file.

    Raises
    ------
    RefusalError
        If the file is damaged, or a column holds lists, structures or bytes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise RefusalError("the Parquet file is damaged or cut off.", "Copy or export it again.") from error
    names = table.column_names
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise RefusalError(f"{columns_text(repeated)} stand there more than once.", "Rename them.")
    notes: list[str] = []
    columns = [_column(name, table.column(name), notes) for name in names]
    return RawTable(family="parquet", rows=table.num_rows, columns=tuple(columns), notes=tuple(notes))


def _column(name: str, values: Any, notes: list[str]) -> RawColumn:
    import pyarrow as pa

    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.cast(kind.value_type)
        kind = values.type
    if pa.types.is_null(kind):
        return RawColumn(name=name, kind="number", data=np.full(len(values), np.nan))
    if pa.types.is_boolean(kind):
        truth = values.cast(pa.int8()).fill_null(-1).to_numpy()
        return RawColumn(name=name, kind="boolean", data=np.asarray(truth, dtype=np.int8))
    if pa.types.is_integer(kind):
        return _integers(name, values, notes)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        if pa.types.is_decimal(kind):
            notes.append(f"{columns_text([name])}: decimal numbers were turned into floating point numbers.")
        numbers = values.cast(pa.float64(), safe=False).to_numpy()
        return RawColumn(name=name, kind="number", data=np.asarray(numbers, dtype=np.float64))
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            notes.append(f"{columns_text([name])}: times with a time zone were turned into UTC.")
        moments = values.cast(pa.timestamp("us"), safe=False).to_numpy()
        return RawColumn(name=name, kind="datetime", data=np.asarray(moments, dtype="datetime64[us]"))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or "string_view" in str(kind):
        codes, texts = encode_texts(values.to_pylist())
        return RawColumn(name=name, kind="text", data=codes, texts=texts)
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        unit = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[kind.unit]
        whole = pa.int32() if kind.bit_width == 32 else pa.int64()
        seconds = values.cast(whole).cast(pa.float64(), safe=False).to_numpy() * unit
        return RawColumn(name=name, kind="number", data=seconds, format="TIME")
    raise RefusalError(
        f'column "{name}" holds {kind}, which is no number, text or date.', "Leave it out, or turn it into text."
    )


def _integers(name: str, values: Any, notes: list[str]) -> RawColumn:
    """Return whole numbers; where a double cannot hold them and cells are missing, they become text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    span = pc.min_max(values).as_py()
    low, high = (0, 0) if span["min"] is None else (span["min"], span["max"])
    if high >= 2**63 or (values.null_count and max(-low, high) > _EXACT):
        notes.append(f"{columns_text([name])}: numbers too long for exact arithmetic were turned into text.")
        codes, texts = encode_texts([None if value is None else str(value) for value in values.to_pylist()])
        return RawColumn(name=name, kind="text", data=codes, texts=texts)
    if values.null_count:
        numbers = values.cast(pa.float64(), safe=False).to_numpy()
        return RawColumn(name=name, kind="number", data=np.asarray(numbers, dtype=np.float64))
    return RawColumn(name=name, kind="number", data=values.cast(pa.int64()).to_numpy().astype(np.int64))
