"""The rules as expressions, for frames that stay where they are: polars lazy, DuckDB, Spark.

One aggregate over the item columns is collected (range check and counts); the scores themselves are only planned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import narwhals as nw

from sweval.scoring.answers import MANY_STRAYS, Facts
from sweval.scoring.notes import Tally
from sweval.scoring.records import Instrument, Scale
from sweval.scoring.request import Column, RawCode


class LazyScores:
    """The scores of a lazy frame: `facts` and `tallies` are collected, `frame()` is a plan."""

    def __init__(
        self, frame: nw.LazyFrame[Any], instrument: Instrument, columns: Sequence[Column], missing: Sequence[RawCode]
    ) -> None:
        self._frame, self._instrument, self._columns, self._missing = frame, instrument, columns, missing
        schema = frame.collect_schema()
        self._kinds = {column.name: schema[column.name] for column in columns}
        raw = {column.item.id: self._present(column) for column in columns}
        declared = {column.item.id: self._declared(column, raw[column.item.id]) for column in columns}
        self._codes, self._unasked = self._gated(declared)
        self.facts, self.tallies, self.unasked = self._collect(raw)

    def frame(self) -> nw.LazyFrame[Any]:
        """Return the frame with the score columns."""
        frame = self._frame
        for scale in self._instrument.scores:
            answered, value = self._answered(scale), self._value(scale)
            frame = frame.with_columns(value.alias(scale.column))
            if scale.bands:
                frame = frame.with_columns(_band(scale).alias(f"{scale.column}_band"))
            frame = frame.with_columns(answered.alias(f"{scale.column}_answered"))
        return frame

    def _present(self, column: Column) -> nw.Expr:
        """Return the raw answers as text or float64, with nan, blank text and missing codes as null."""
        expression = nw.col(column.name)
        kind = self._kinds[column.name]
        if _is_text(kind):
            expression = expression.cast(nw.String).str.strip_chars()
            codes: list[Any] = ["", *map(str, self._missing)]
        elif not _is_number(kind):
            return expression
        else:
            if kind.is_float():
                expression = nw.when(~expression.is_nan()).then(expression)
            elif kind == nw.Boolean:
                expression = expression.cast(nw.Int32)
            expression = expression.cast(nw.Float64)
            codes = [float(code) for code in self._missing if not isinstance(code, str)]
        return nw.when(~expression.is_in(codes)).then(expression) if codes else expression

    def _declared(self, column: Column, raw: nw.Expr) -> nw.Expr:
        """Return declared codes as float64; null where there is none."""
        kind = self._kinds[column.name]
        itself = nw.col(column.name)
        nothing = nw.when(itself.is_null() & ~itself.is_null()).then(nw.lit(0.0))
        if not column.recoded:
            return raw if _is_number(kind) else nothing
        expression: nw.Expr = nothing
        for code, declared in _raw_codes(column, kind).items():
            expression = nw.when(raw == code).then(nw.lit(float(declared))).otherwise(expression)
        return expression

    def _gated(self, codes: dict[str, nw.Expr]) -> tuple[dict[str, nw.Expr], list[nw.Expr]]:
        """Return the codes with unasked items filled, and for each gate an expression that counts them in a row."""
        counts = []
        for gate in self._instrument.gates:
            closed = nw.all_horizontal(
                *(
                    ~codes[name].is_null() & ~codes[name].is_in([float(code) for code in when])
                    for name, when in gate.when_any.items()
                ),
                ignore_nulls=True,
            )
            unasked = {name: closed & codes[name].is_null() for name in gate.asks}
            counts.append(nw.sum_horizontal(*(mark.cast(nw.Int64) for mark in unasked.values())))
            filled = {
                name: nw.when(mark).then(nw.lit(float(gate.otherwise))).otherwise(codes[name])
                for name, mark in unasked.items()
            }
            codes = {**codes, **filled}
        return codes, counts

    def _answered(self, scale: Scale) -> nw.Expr:
        return nw.sum_horizontal(*((~self._codes[name].is_null()).cast(nw.Int32) for name in scale.items))

    def _value(self, scale: Scale) -> nw.Expr:
        """Return the score; the arithmetic and its order are those of `rules.score_value`."""
        keyed = []
        for name in scale.items:
            item = self._instrument.item(name)
            code = self._codes[name]
            keyed.append(nw.lit(float(item.low + item.high)) - code if item.reversed else code)
        total = nw.sum_horizontal(*keyed)
        answered, members = self._answered(scale), len(scale.items)
        if scale.op == "mean":
            value = total / answered.cast(nw.Float64) * scale.multiply
        elif scale.missing.max_missing == 0:
            value = total * scale.multiply
        else:
            prorated = total * float(members) / answered.cast(nw.Float64)
            if scale.missing.rounded:
                prorated = (prorated + 0.5).floor()
            value = nw.when(answered == members).then(total).otherwise(prorated) * scale.multiply
        return nw.when(answered >= members - scale.missing.max_missing).then(value)

    def _collect(self, raw: dict[str, nw.Expr]) -> tuple[list[Facts], list[Tally], list[int]]:
        """Collect the one aggregate that checks and counts."""
        wanted: dict[str, nw.Expr] = {"rows": nw.len()}
        for number, column in enumerate(self._columns):
            expression, kind = raw[column.item.id], self._kinds[column.name]
            wanted[f"answered_{number}"] = (~expression.is_null()).cast(nw.Int64).sum()
            if _is_number(kind) or (_is_text(kind) and column.recoded):
                stray = ~expression.is_null() & ~expression.is_in(list(_raw_codes(column, kind)))
                wanted[f"outside_{number}"] = stray.cast(nw.Int64).sum()
            if _is_number(kind):
                wanted[f"low_{number}"], wanted[f"high_{number}"] = expression.min(), expression.max()
                fraction = ~expression.is_null() & (expression != expression.floor())
                wanted[f"fractions_{number}"] = fraction.cast(nw.Int64).sum()
            for place, code in enumerate(self._missing):
                if _is_text(kind) or (_is_number(kind) and not isinstance(code, str)):
                    hit = nw.col(column.name) == (str(code) if _is_text(kind) else code)
                    wanted[f"missing_{number}_{place}"] = hit.cast(nw.Int64).sum()
        for number, scale in enumerate(self._instrument.scores):
            for count in range(len(scale.items) + 1):
                wanted[f"tally_{number}_{count}"] = (self._answered(scale) == count).cast(nw.Int64).sum()
        for number, expression in enumerate(self._unasked):
            wanted[f"unasked_{number}"] = expression.sum()
        found = self._frame.select(**wanted).collect().rows(named=True)[0]
        rows = int(found["rows"])
        facts = [self._facts(number, column, rows, found) for number, column in enumerate(self._columns)]
        tallies = [
            Tally(
                scale=scale,
                rows=rows,
                by_answered={
                    count: int(found[f"tally_{number}_{count}"] or 0) for count in range(len(scale.items) + 1)
                },
            )
            for number, scale in enumerate(self._instrument.scores)
        ]
        return facts, tallies, [int(found[f"unasked_{number}"] or 0) for number in range(len(self._unasked))]

    def _facts(self, number: int, column: Column, rows: int, found: dict[str, Any]) -> Facts:
        """Return the facts of one column; if something is outside the codes, ask for its values."""
        low, high = found.get(f"low_{number}"), found.get(f"high_{number}")
        facts = Facts(
            column=column,
            rows=rows,
            answered=int(found[f"answered_{number}"] or 0),
            low=None if low is None else float(low),
            high=None if high is None else float(high),
            outside=int(found.get(f"outside_{number}") or 0),
            fractions=int(found.get(f"fractions_{number}") or 0),
            missing=Counter(
                {code: int(found.get(f"missing_{number}_{place}") or 0) for place, code in enumerate(self._missing)}
            ),
        )
        kind = self._kinds[column.name]
        if facts.answered and not _is_number(kind) and not (_is_text(kind) and column.recoded):
            facts.text = "labels" if _is_text(kind) else "other"
        if facts.outside and _is_number(kind):
            facts.strays = self._strays(column)
        return facts

    def _strays(self, column: Column) -> Counter[float]:
        expression = self._present(column)
        values = (
            self._frame.select(value=expression)
            .filter(~nw.col("value").is_null(), ~nw.col("value").is_in([float(code) for code in column.numbers]))
            .group_by("value")
            .agg(rows=nw.len())
            .collect()
        )
        if len(values) > MANY_STRAYS:
            return Counter()
        return Counter({float(value): int(rows) for value, rows in values.rows() if float(value).is_integer()})


def _band(scale: Scale) -> nw.Expr:
    value = nw.col(scale.column)
    expression: nw.Expr = nw.when(~value.is_null()).then(nw.lit(scale.bands[0].label))
    for band in scale.bands[1:]:
        expression = nw.when(value >= band.cut).then(nw.lit(band.label)).otherwise(expression)
    return expression


def _is_text(kind: Any) -> bool:
    return kind in (nw.String, nw.Categorical, nw.Enum)


def _is_number(kind: Any) -> bool:
    return bool(kind.is_numeric() or kind == nw.Boolean)


def _raw_codes(column: Column, kind: Any) -> dict[Any, int]:
    """Return raw code -> declared code, as a column of this kind holds the raw codes."""
    if _is_text(kind):
        return dict(column.words)
    return {float(raw): code for raw, code in column.numbers.items()}
