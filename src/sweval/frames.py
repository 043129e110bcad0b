"""The border: any data frame in, plain arrays for the numbers, the same frame type out.

Everything inside sweval may rely on what this module grants: NaN is null, columns exist, and a column's kind is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import narwhals as nw

from sweval.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd


def wrap(frame: Any) -> nw.DataFrame | nw.LazyFrame:
    """Return the frame behind narwhals' interface.

    Raises
    ------
    DataError
        If the object is no data frame that narwhals knows (pandas, polars, pyarrow, DuckDB, Spark).
    """
    try:
        wrapped: nw.DataFrame | nw.LazyFrame = nw.from_native(frame)
        wrapped.collect_schema()  # where pandas lets two columns share a name, narwhals says so only now
    except nw.exceptions.DuplicateError as error:
        raise DataError("two columns of the data have the same name.", fix="Rename one of them.") from error
    except TypeError as error:
        raise DataError(
            f"a {type(frame).__name__} is no data frame.",
            fix="Pass a pandas, polars, pyarrow, DuckDB or Spark frame; sweval.read() makes one from a file.",
        ) from error
    return wrapped


def require_columns(frame: nw.DataFrame | nw.LazyFrame, columns: Iterable[str], *, where: str) -> None:
    """Check that every column exists exactly once.

    Raises
    ------
    DataError
        Naming all absent columns and the nearest present ones.
    """
    present = frame.collect_schema().names()
    absent = [name for name in dict.fromkeys(columns) if name not in present]
    if absent:
        hints = [did_you_mean(name, present) for name in absent[:3]]
        if len(absent) > 1:
            hints = [f'For "{name}": {hint[0].lower()}{hint[1:]}' for name, hint in zip(absent, hints, strict=False)]
        raise DataError(
            f"the data have no column {', '.join(repr(name) for name in absent)}.", where=where, fix=" ".join(hints)
        )


def take(frame: Any, columns: Iterable[str], *, where: str) -> pd.DataFrame:
    """Return the named columns as a pandas frame with a plain row index; NaN and null are both missing.

    Lazy frames are collected, but only these columns. Row order is kept.

    Parameters
    ----------
    frame
        Any supported frame.
    columns
        Names; doubles are taken once.
    where
        What to call the caller in an error, for example `ClusterTrial`.
    """
    names = list(dict.fromkeys(columns))
    wrapped = wrap(frame)
    require_columns(wrapped, names, where=where)
    selected = wrapped.select(names)
    collected = selected.collect() if isinstance(selected, nw.LazyFrame) else selected
    table: pd.DataFrame = collected.to_pandas().reset_index(drop=True)
    return table
