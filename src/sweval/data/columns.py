"""From the columns a reader found to a data frame and its codebook: missing codes, dates, number types.

Rules. Whole numbers without a missing cell are int64, all other numbers float64 with NaN. Dates are datetime64[us].
Times and durations are seconds. User-missing and tagged codes become null; their reasons are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweval.data.codebook import SMALL_CELLS, Code, Codebook, MissingReason, Variable, like_code
from sweval.data.native_dates import format_meaning, to_datetimes
from sweval.data.phrases import columns_text, count_text, rows_text
from sweval.data.raw import RawColumn, RawTable
from sweval.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_EXACT = 2.0**53


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A data frame with its codebook and what was done on the way."""

    frame: pd.DataFrame
    codebook: Codebook
    notes: tuple[str, ...]


def finish(table: RawTable, *, where: str) -> Finished:
    """Turn the columns of a reader into a data frame and a codebook.

    Parameters
    ----------
    table
        Columns whose texts need no further reading; see `text_values.resolve` for files without types.
    where
        Name of the file for errors.

    Raises
    ------
    DataError
        If the file has no columns or rows, or a column holds infinite numbers.
    """
    import pandas as pd

    if not table.columns:
        raise DataError("the file has no columns.", where=where, fix="Check that the right file was exported.")
    if table.rows == 0:
        raise DataError(
            f"the file has {count_text(len(table.columns), 'column')} but 0 data rows.",
            where=where,
            fix="Check that the data were exported along with the header.",
        )
    series: dict[str, pd.Series] = {}
    variables = []
    undated: list[str] = []
    uncounted: list[str] = []
    for column in table.columns:
        infinite = np.isinf(column.data) if column.data.dtype.kind == "f" else np.zeros(0, dtype=bool)
        if infinite.any():
            raise DataError(
                f'column "{column.name}" holds {count_text(int(infinite.sum()), "infinite number")} '
                f"({rows_text(table.file_rows(infinite))}).",
                where=where,
                fix="Correct or empty these cells.",
            )
        kept, reasons = _without_user_missing(column)
        values, kind = _typed(kept, table.family)
        if kind == "number" and format_meaning(table.family, column.format) is not None:
            undated.append(column.name)
        if table.family == "stata" and _counts_periods(column.format):
            uncounted.append(column.name)
        series[column.name] = values
        variables.append(_variable(column, kept, kind, reasons))
    notes = list(table.notes)
    if undated:
        notes.append(
            f"{columns_text(undated)}: some dates lie outside the years 1 to 9999; the numbers of the file are kept."
        )
    if uncounted:
        notes.append(
            f"{columns_text(uncounted)}: dates that Stata counts in weeks, months, quarters, half-years, years, "
            "business days or with leap seconds stay the numbers of the file."
        )
    return Finished(frame=pd.DataFrame(series), codebook=Codebook(variables=tuple(variables)), notes=tuple(notes))


def plain_code(code: float | str) -> Code:
    """Return a code as people write it: 1, not 1.0."""
    if isinstance(code, str):
        return code
    return int(code) if float(code).is_integer() and abs(code) < _EXACT else float(code)


def text_dtype() -> object:
    """Return the dtype that this pandas gives to text: object before version 3, str since."""
    import pandas as pd

    return pd.Series(["text"]).dtype


def _without_user_missing(column: RawColumn) -> tuple[RawColumn, tuple[MissingReason, ...]]:
    """Return the column with user-missing cells emptied, and how many cells went for which reason."""
    labels = dict(column.value_labels)
    tagged = [MissingReason(code=tag, label=labels.get(tag), count=count) for tag, count in column.tagged]
    if not column.missing_ranges:
        return column, tuple(tagged)
    if column.kind == "text":
        codes = np.array([_in_ranges(text, column.missing_ranges) for text in column.texts], dtype=bool)
        mask = np.append(codes, False)[column.data]
        data = np.where(mask, np.int32(-1), column.data).astype(np.int32)
        held: list[float | str] = [column.texts[code] for code in column.data[mask]]
    else:
        numbers = column.data.astype(np.float64)
        mask = np.zeros(len(numbers), dtype=bool)
        for low, high in column.missing_ranges:
            mask |= (numbers >= _bound(low)) & (numbers <= _bound(high))
        data = np.where(mask, np.nan, numbers)
        held = numbers[mask].tolist()
    reasons = _reasons(column, labels, held)
    kept = RawColumn(**{**{name: getattr(column, name) for name in RawColumn.__dataclass_fields__}, "data": data})
    return kept, (*tagged, *reasons)


def _reasons(column: RawColumn, labels: dict[Code, str], held: list[float | str]) -> list[MissingReason]:
    """Count the emptied cells by declared code; codes of a range that have no label are counted together."""
    counts: dict[float | str, int] = {}
    for code in held:
        counts[code] = counts.get(code, 0) + 1
    reasons = []
    for low, high in column.missing_ranges:
        inside = [code for code in dict.fromkeys([*labels, *counts]) if _in_ranges(code, ((low, high),))]
        if low == high:
            inside = [low]
        singled = [code for code in inside if code in labels or low == high]
        reasons += [
            MissingReason(code=plain_code(code), label=labels.get(code), count=counts.pop(code, 0))
            for code in sorted(singled, key=str if column.kind == "text" else float)
        ]
        rest = sum(counts.pop(code) for code in inside if code in counts)
        if low != high and (rest or not singled):
            reasons.append(MissingReason(code=f"{_bound_text(low)} to {_bound_text(high)}", count=rest))
    return reasons


def _typed(column: RawColumn, family: str) -> tuple[pd.Series, str]:
    """Return the values with their final type, and the name of the type for the codebook."""
    import pandas as pd

    if column.kind == "text":
        lookup = np.array([*column.texts, None], dtype=object)
        return pd.Series(lookup[column.data], dtype=text_dtype()), "text"
    if column.kind == "boolean":
        missing = column.missing
        if missing.any():
            return pd.Series(pd.arrays.BooleanArray(column.data == 1, missing)), "yes/no"
        return pd.Series(column.data == 1), "yes/no"
    if column.kind == "datetime":
        return pd.Series(column.data), _date_type(column.data)
    meaning = format_meaning(family, column.format)
    if meaning is not None and meaning.meaning == "time":
        return pd.Series(_narrowed(column.data * meaning.factor)), "time in seconds"
    if meaning is not None:
        moments = to_datetimes(column.data.astype(np.float64), family, meaning)
        if moments is not None:
            return pd.Series(moments), meaning.meaning
    values = _narrowed(column.data)
    present = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    whole = values.dtype.kind == "i" or (len(present) > 0 and bool((present == np.trunc(present)).all()))
    return pd.Series(values), "whole number" if whole and meaning is None else "number"


def _narrowed(data: np.ndarray) -> np.ndarray:
    """Return int64 where every number is whole and none is missing, otherwise float64."""
    if data.dtype.kind == "i":
        return data.astype(np.int64)
    if len(data) and np.isfinite(data).all() and (np.abs(data) < _EXACT).all() and (data == np.trunc(data)).all():
        return data.astype(np.int64)
    return data.astype(np.float64)


def _date_type(moments: np.ndarray) -> str:
    present = moments[~np.isnat(moments)]
    return "date" if (present == present.astype("datetime64[D]")).all() else "date and time"


def _variable(column: RawColumn, kept: RawColumn, kind: str, reasons: tuple[MissingReason, ...]) -> Variable:
    missing = kept.missing
    present = kept.data[~missing]
    reason_codes = {reason.code for reason in reasons}
    tags = {tag for tag, _ in column.value_labels if isinstance(tag, str)} if column.kind == "number" else set()
    values = {
        plain_code(code): label
        for code, label in column.value_labels
        if code not in tags and plain_code(code) not in reason_codes
    }
    unused = tuple(
        MissingReason(code=tag, label=label, count=0)
        for tag, label in column.value_labels
        if tag in tags and tag not in reason_codes
    )
    numeric = kept.kind == "number" and kind not in ("date", "date and time")
    lowest, highest = _extremes(present, values) if numeric and len(present) else (None, None)
    return Variable(
        name=column.name,
        label=column.label,
        type=kind,
        measure=column.measure,
        values=values,
        missing=reasons + unused,
        n=int((~missing).sum()),
        n_missing=int(missing.sum()),
        n_distinct=len(np.unique(present)),
        lowest=lowest,
        highest=highest,
    )


def _extremes(present: np.ndarray, labels: Mapping[Code, str]) -> tuple[int | float | None, int | float | None]:
    """Return the lowest and the highest number, None in place of a client's own."""
    codes = [plain_code(value) for value in (present.min().item(), present.max().item())]
    low, high = (
        code
        if not isinstance(code, str)
        and (code in labels or like_code(code) or np.count_nonzero(present == code) >= SMALL_CELLS)
        else None
        for code in codes
    )
    return low, high


def _counts_periods(display: str | None) -> bool:
    return display is not None and display.lstrip("%-")[:2] in ("tw", "tm", "tq", "th", "ty", "tb", "tC")


def _in_ranges(code: float | str, ranges: tuple[tuple[float | str, float | str], ...]) -> bool:
    for low, high in ranges:
        if isinstance(code, str) or isinstance(low, str) or isinstance(high, str):
            if isinstance(code, str) and str(low) <= code <= str(high):
                return True
        elif low <= code <= high:
            return True
    return False


def _bound(value: float | str) -> float:
    return float(value)


def _bound_text(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if abs(value) > 1e300:
        return "lowest" if value < 0 else "highest"
    return str(plain_code(value))
