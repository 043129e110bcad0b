"""What each column of a file means: labels, codes, the reasons why cells are missing, and counts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweval.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from typing import Unpack

    import pandas as pd

    from sweval.data.read import FileOptions

Code = int | float | str
SMALL_CELLS = 11
"""An extreme that fewer rows hold is a client's value, and not shown."""
_FEW = "(few)"
_NUMBERS = ("whole number", "number", "time in seconds")


@dataclass(frozen=True, kw_only=True)
class MissingReason:
    """Why cells are missing: a user-missing code or range, its label if it has one, and how many cells hold it."""

    code: Code
    label: str | None = None
    count: int


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One column.

    Parameters
    ----------
    type
        "whole number", "number", "text", "date", "date and time", "time in seconds" or "yes/no".
    measure
        "nominal", "ordinal" or "scale" where the file says so.
    values
        Value labels of the codes that are not user-missing.
    missing
        The declared reasons; cells that are just empty are not among them.
    n, n_missing, n_distinct
        Rows with a value, rows without (empty or for a reason), and the number of different values.
    lowest, highest
        Of a column of numbers; None where fewer than 11 rows hold it, so that no client's value is shown, unless it has
        a value label or is written as codes for no answer are (-99, 99, 999).
    """

    name: str
    label: str | None = None
    type: str
    measure: str | None = None
    values: Mapping[Code, str]
    missing: tuple[MissingReason, ...] = ()
    n: int
    n_missing: int
    n_distinct: int
    lowest: int | float | None = None
    highest: int | float | None = None

    def limits(self) -> tuple[str, str]:
        """Return the lowest and the highest value as texts; "(few)" in place of one that is not shown."""
        if self.type not in _NUMBERS or not self.n:
            return "", ""
        low, high = (_FEW if value is None else str(value) for value in (self.lowest, self.highest))
        return low, high


def like_code(value: float) -> bool:
    """Tell whether a number is written as codes for no answer are: 99, 888 or 77, or -9, of equal digits.

    Examples
    --------
    >>> [value for value in (-99, -9, 9, 12, 77, 90, 99.5, 999) if like_code(value)]
    [-99, -9, 77, 999]
    """
    digits = str(abs(int(value)))
    return value == int(value) and len(set(digits)) == 1 and digits[0] in "789" and (len(digits) > 1 or value < 0)


@dataclass(frozen=True, kw_only=True)
class Codebook:
    """The variables of a file in their order.

    Examples
    --------
    >>> labels = {1: "usual", 2: "training"}
    >>> arm = Variable(name="arm", type="whole number", values=labels, n=9, n_missing=0, n_distinct=2)
    >>> Codebook(variables=(arm,)).values("arm")
    {1: 'usual', 2: 'training'}
    """

    variables: tuple[Variable, ...]

    def variable(self, column: str) -> Variable:
        """Return the entry of a column.

        Raises
        ------
        DataError
            If there is no such column; the message names the nearest ones.
        """
        for variable in self.variables:
            if variable.name == column:
                return variable
        raise DataError(
            f'the codebook has no column "{column}".',
            fix=did_you_mean(column, [known.name for known in self.variables]),
        )

    def label(self, column: str) -> str | None:
        """Return the label of a column, None where it has none."""
        return self.variable(column).label

    def values(self, column: str) -> dict[Code, str]:
        """Return code -> label of a column; empty where it has no value labels."""
        return dict(self.variable(column).values)

    def missing(self, column: str) -> tuple[MissingReason, ...]:
        """Return the declared reasons why cells of a column are missing."""
        return self.variable(column).missing

    def frame(self) -> pd.DataFrame:
        """Return one row per variable; see `codebook` for the columns."""
        import pandas as pd

        rows = [
            {
                "variable": variable.name,
                "label": variable.label or "",
                "type": variable.type,
                "measure": variable.measure or "",
                "values": "; ".join(f"{code} = {label}" for code, label in variable.values.items()),
                "missing": "; ".join(_reason_text(reason) for reason in _with_empty(variable)),
                "lowest": variable.limits()[0],
                "highest": variable.limits()[1],
                "n": variable.n,
                "n_missing": variable.n_missing,
                "n_distinct": variable.n_distinct,
            }
            for variable in self.variables
        ]
        return pd.DataFrame(rows, columns=list(rows[0]) if rows else None)


def codebook(path: str | os.PathLike[str], **options: Unpack[FileOptions]) -> pd.DataFrame:
    """Return what each column of a file means.

    Use it before an analysis, to see codes, labels, declared missing values, and codes that are not declared: a lowest
    age of -99. It shows no values of clients besides codes that the file itself labels or declares as missing, and the
    lowest and highest number of a column where at least 11 rows hold it, or it is written as codes for no answer are.

    Parameters
    ----------
    path
        A file that `sweval.read` reads.
    **options
        The same as for `sweval.read`: `encoding`, `delimiter`, `decimal`, `dates`, `missing`, `sheet`, `catalog`.

    Returns
    -------
    pandas.DataFrame
        One row per column of the file: `variable`, `label`, `type`, `measure`, `values` ("1 = usual; 2 = training"),
        `missing` ("98 = refused (3); empty (1)", counts in parentheses), `lowest` and `highest` of columns of numbers
        ("(few)" where fewer than 11 rows hold it), `n` (rows with a value), `n_missing`, `n_distinct`.

    Raises
    ------
    DataError
        If the file cannot be read.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "clients.csv"
    >>> _ = path.write_text("id,arm\\n007,usual\\n008,training\\n")
    >>> codebook(path)[["variable", "type", "n"]]
      variable  type  n
    0       id  text  2
    1      arm  text  2
    """
    from sweval.data.read import read_source, warn_of

    source = read_source(path, **options)
    warn_of(source.notes)
    return source.codebook.frame()


def _with_empty(variable: Variable) -> list[MissingReason]:
    empty = variable.n_missing - sum(reason.count for reason in variable.missing)
    return [*variable.missing, *([MissingReason(code="empty", count=empty)] if empty else [])]


def _reason_text(reason: MissingReason) -> str:
    return f"{reason.code}" + (f" = {reason.label}" if reason.label else "") + f" ({reason.count})"
