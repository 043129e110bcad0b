"""Values of a column as labels, ids or numbers: the rules by which "1", 1 and 1.0 are the same arm."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweval.data.codebook import like_code
from sweval.errors import DesignError

if TYPE_CHECKING:
    import pandas as pd

_SPACE = re.compile(r"[\s\u200b\u2060\ufeff]+")
_WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))\.0+")
_COMMA = re.compile(r"-?\d+,\d+")
_NO_LEVELS = ("datetime", "timedelta", "period", "interval", "complex", "date", "time")
_YES_NO = {"yes", "no", "y", "n", "true", "false", "ya", "tidak"}


def counted(count: int, noun: str) -> str:
    """Return `1 client`, `2 clients`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def was(count: int) -> str:
    """Return the verb that fits a count."""
    return "was" if count == 1 else "were"


def label_key(value: Any) -> str | None:
    """Return a label as it is compared and printed; None if missing.

    Spaces around it (also no-break spaces) do not count, and 1, 1.0 and "1" are the same label.

    Examples
    --------
    >>> label_key(" usual\\u00a0"), label_key(1.0), label_key("1"), label_key(float("nan"))
    ('usual', '1', '1', None)
    """
    key = id_key(value)
    match = None if key is None else _WHOLE.fullmatch(key)
    return match[1] if match else key


def id_key(value: Any) -> str | None:
    """Return an id as it is compared: text without spaces around it, whole numbers without a decimal point."""
    if value is None or isinstance(value, (float, np.floating)):
        if value is None or np.isnan(value):
            return None
        return str(int(value)) if np.isfinite(value) and value == int(value) else repr(float(value))
    if isinstance(value, str):
        return value if value.isalnum() else _SPACE.sub(" ", value).strip() or None
    text = str(value).removesuffix(" 00:00:00")  # a date that a file stores as a time
    return None if text in ("<NA>", "NaT") else text


def keyed(column: pd.Series, *, as_label: bool) -> tuple[NDArray[np.intp], list[str], int]:
    """Return each row's code (-1 = missing), the keys, and how many rows had extra spaces taken off.

    Labels are sorted; ids, of which there may be a million, are in order of appearance.
    """
    import pandas as pd

    codes, uniques = pd.factorize(column)
    raw = uniques.tolist()
    if not as_label and getattr(uniques.dtype, "kind", "") in "iu":  # whole numbers are ids as they stand
        return codes.astype(np.intp), [str(value) for value in raw], 0
    keys = [(label_key if as_label else id_key)(value) for value in raw]
    labels = [key for key in dict.fromkeys(keys) if key is not None]
    if as_label:
        labels.sort(key=_order)
    place: dict[str | None, int] = {label: number for number, label in enumerate(labels)}
    place[None] = -1
    recode = np.array([place[key] for key in keys] + [-1], dtype=np.intp)
    spaced = [isinstance(value, str) and id_key(value) not in (None, value) for value in raw]
    return recode[codes], labels, int(np.array([*spaced, False])[codes].sum())


def levels(column: pd.Series, *, where: str) -> tuple[NDArray[np.intp], list[str]]:
    """Return each row's level number (-1 = missing) and the levels, in their own order for ordered categories."""
    kind = str(column.dtype)
    if kind.startswith(_NO_LEVELS):
        raise DesignError(
            f'the column "{column.name}" holds dates or times.',
            where=where,
            fix="Make it a number (days since a date) or a category (year) first.",
        )
    codes, labels, _ = keyed(column, as_label=True)
    categories = getattr(column.dtype, "categories", None)
    if categories is None or not column.dtype.ordered:
        return codes, labels
    ordered = [key for key in dict.fromkeys(map(label_key, categories)) if key in set(labels)]
    place = np.array([ordered.index(label) for label in labels] + [-1], dtype=np.intp)
    return place[codes], [key for key in ordered if key is not None]


def missing(column: pd.Series) -> NDArray[np.bool_]:
    """Tell which values are missing; blank text is."""
    if is_number(column):
        return column.isna().to_numpy(dtype=bool)
    return keyed(column, as_label=True)[0] < 0


def is_number(column: pd.Series) -> bool:
    """Tell whether a column holds numbers (not yes/no)."""
    from pandas.api import types

    return bool(types.is_numeric_dtype(column) and not types.is_bool_dtype(column)) or _numeric_objects(column)


def numbers(column: pd.Series, *, where: str) -> tuple[NDArray[np.float64], list[str]]:
    """Return a column as floats, missing as NaN, with notes on what was done.

    Raises
    ------
    DesignError
        If values are yes/no, dates, infinite, or text that is no number; with counts, never with the values.
    """
    import pandas as pd
    from pandas.api import types

    name, notes = column.name, []
    kind = str(column.dtype)
    if types.is_bool_dtype(column) or (kind == "object" and column.map(lambda value: isinstance(value, bool)).any()):
        raise _binary(str(name), where)
    if kind.startswith(_NO_LEVELS):
        raise DesignError(f'the column "{name}" holds dates or times, not numbers.', where=where)
    if types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=float, na_value=np.nan)
    else:
        text = column.astype(object).map(lambda value: value.strip() or None if isinstance(value, str) else value)
        values = pd.to_numeric(text, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        filled = text.notna().to_numpy()
        failed = filled & np.isnan(values)
        if failed.any():
            bad = [str(value) for value in text[failed]]
            if {value.casefold() for value in bad} <= _YES_NO:
                raise _binary(str(name), where)
            if len(set(bad)) == 2 and failed.sum() == filled.sum():
                raise DesignError(
                    f'"{name}" holds text with 2 different values, not numbers.',
                    where=where,
                    fix="If one of them is an event, code it as 1 and the other as 0; ClusterRobust with "
                    'family="binomial" then gives risks and odds ratios.',
                )
            comma = sum(bool(_COMMA.fullmatch(value)) for value in bad)
            raise DesignError(
                f'{int(failed.sum())} of {int(filled.sum())} values in "{name}" are not numbers.',
                where=where,
                fix=f"{comma} of them have a decimal comma: read the file with decimal=','."
                if comma
                else "Correct them in the file, or declare them missing.",
            )
        if any(isinstance(value, str) for value in text[filled]):
            notes.append(
                f'"{name}" is stored as text but holds only numbers; its {int(filled.sum())} values were read as such.'
            )
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise DesignError(
            f'{counted(infinite, "value")} in "{name}" {"is" if infinite == 1 else "are"} infinite.',
            where=where,
            fix="Correct them, or make them missing.",
        )
    return values, notes


def _numeric_objects(column: pd.Series) -> bool:
    """Tell whether an object column holds Python or Decimal numbers only."""
    if str(column.dtype) != "object":
        return False
    held = list(column.dropna())
    return bool(held) and all(not isinstance(value, (str, bool)) and hasattr(value, "__float__") for value in held)


def _binary(name: str, where: str) -> DesignError:
    return DesignError(
        f'"{name}" holds yes/no values, not numbers.',
        where=where,
        fix='Code it 0 and 1 as numbers; ClusterRobust with family="binomial" then gives risks and odds ratios.',
    )


def case_twins(labels: list[str]) -> list[int]:
    """Return the positions of labels that differ from another only in capital letters."""
    folded = [label.casefold() for label in labels]
    return [number for number, label in enumerate(folded) if folded.count(label) > 1]


def missing_code(values: NDArray[np.float64]) -> tuple[float, int] | None:
    """Return a value that looks like a code for no answer, and how often it occurs; None if there is none.

    Such a code is made of equal digits 9, 8 or 7 and lies further from the other values than these from each other.
    """
    seen = np.unique(values[np.isfinite(values)])
    if seen.size < 3:
        return None
    for code, rest in ((seen[-1], seen[:-1]), (seen[0], seen[1:])):
        gap = np.abs(rest - code).min()
        if like_code(code) and gap > rest[-1] - rest[0]:
            return float(code), int((values == code).sum())
    return None


def _order(label: str) -> tuple[int, float, str]:
    """Sort numbers by size and before text."""
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)
