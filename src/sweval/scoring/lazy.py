"""The rules as expressions, for frames that stay where they are: polars lazy, DuckDB, Spark.

One aggregate over the item columns is collected (range check and counts); the scores themselves are only planned. The
plan goes by helper columns, which it drops at the end: `codes` (declared codes, float64), then the number of answers.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import narwhals as nw

from sweval.scoring.answers import MANY_STRAYS, Facts
from sweval.scoring.notes import Tally
from sweval.scoring.records import Gate, Instrument, Scale
from sweval.scoring.request import Column, RawCode

_HELPER = "__sweval_"


class LazyScores:
    """The scores of a lazy frame: `facts`, `tallies` and `unasked` are collected, `frame()` is a plan.

    Parameters
    ----------
    frame
        The lazy frame.
    instrument
        The rules.
    columns
        The item columns with their raw codes.
    missing
        Raw codes that stand for a missing answer.
    counted
        Whether to count what the notes tell; without, `tallies` and `unasked` are empty.
    """

    def __init__(
        self,
        frame: nw.LazyFrame[Any],
        instrument: Instrument,
        columns: Sequence[Column],
        missing: Sequence[RawCode],
        *,
        counted: bool,
    ) -> None:
        self._instrument, self._columns, self._missing = instrument, columns, missing
        schema = frame.collect_schema()
        self._kinds = {column.name: schema[column.name] for column in columns}
        raw = {column.item.id: self._present(column) for column in columns}
        coded = frame.with_columns(
            **{_code(column.item.id): self._declared(column, raw[column.item.id]) for column in columns}
        )
        for number, gate in enumerate(instrument.gates):
            coded = _gated(coded, gate, number)
        self._frame = coded.with_columns(
            **{
                _answered(scale): _count(~nw.col(_code(name)).is_null() for name in scale.items)
                for scale in self._scales
            }
        )
        self._valued = self._with_values(self._frame)
        self.facts, self.tallies, self.unasked = self._collect(raw, counted=counted)

    @property
    def _scales(self) -> tuple[Scale, ...]:
        return self._instrument.scores

    def frame(self) -> nw.LazyFrame[Any]:
        """Return the frame with the score columns."""
        frame = self._valued
        kept: list[Any] = [name for name in frame.collect_schema().names() if not name.startswith(_HELPER)]
        for scale in self._scales:
            kept.append(nw.col(_value(scale)).alias(scale.column))
            if scale.table is not None and scale.table.has_errors:
                kept.append(_looked_up(scale, nw.col(_raw(scale)), place=2).alias(f"{scale.column}_se"))
            if scale.bands:
                kept.append(_band(scale).alias(f"{scale.column}_band"))
            kept.append(nw.col(_answered(scale)).alias(f"{scale.column}_answered"))
        if self._instrument.safety:
            kept.append(self._safety().alias(self._instrument.safety_column))
        return frame.select(*kept)

    def _with_values(self, frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
        """Return the frame with the scores in helper columns; scores made of scores come after those."""
        looked_up = [scale for scale in self._scales if scale.op == "table"]
        weighted = [scale for scale in self._scales if scale.op == "weighted"]
        plain = {_value(scale): self._value(scale) for scale in self._scales if scale.op in ("sum", "mean", "any")}
        plain |= {_raw(scale): self._value(scale.parts[0]) for scale in looked_up}
        frame = frame.with_columns(**plain)
        if looked_up:
            frame = frame.with_columns(
                **{
                    _value(scale): _last_steps(scale, _looked_up(scale, nw.col(_raw(scale)), place=1))
                    for scale in looked_up
                }
            )
        for scale in weighted:
            total = nw.col(_value(scale.parts[0])) * scale.weights[0]
            for weight, part in zip(scale.weights[1:], scale.parts[1:], strict=True):
                total = total + nw.col(_value(part)) * weight
            value, within = _last_steps(scale, total), _within_limits(scale)
            frame = frame.with_columns(**{_value(scale): nw.when(*within).then(value) if within else value})
        return frame

    def _safety(self) -> nw.Expr:
        """Return how many safety items of a row ask for action; null where none was answered."""
        asked = {
            entry: nw.col(_code(entry.item) if entry.item else _value(self._instrument.scale(entry.score)))
            for entry in self._instrument.safety
        }
        if len(asked) == 1:
            ((entry, value),) = asked.items()
            return (value >= entry.at_least).cast(nw.Int32)
        given = nw.any_horizontal(*(~value.is_null() for value in asked.values()), ignore_nulls=True)
        hits = _count((value >= entry.at_least).fill_null(value=False) for entry, value in asked.items())
        return nw.when(given).then(hits)

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

    def _value(self, scale: Scale) -> nw.Expr:
        """Return a score made of items; the arithmetic and its order are those of `rules.score_value`."""
        keyed = []
        for item in map(self._instrument.item, scale.items):
            code = nw.col(_code(item.id))
            if item.id in scale.points:
                counts: nw.Expr = nw.when(code.is_null() & ~code.is_null()).then(nw.lit(0.0))
                for answer, point in scale.points[item.id].items():
                    counts = nw.when(code == float(answer)).then(nw.lit(float(point))).otherwise(counts)
                keyed.append(counts)
            else:
                keyed.append(nw.lit(float(item.low + item.high)) - code if item.reversed else code)
        total = nw.sum_horizontal(*keyed)
        answered, members = nw.col(_answered(scale)), len(scale.items)
        if scale.op == "any":
            value = nw.when(total > 0).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
        elif scale.op == "mean":
            value = total / answered.cast(nw.Float64)
        elif scale.missing.max_missing == 0 or scale.missing.fill == "zero":
            value = total
        else:
            value = total * float(members) / answered.cast(nw.Float64)  # the total itself where nothing is missing
            if scale.missing.rounded:
                value = (value + 0.5).floor()
        if scale.cap is not None:
            value = nw.when(value > scale.cap).then(nw.lit(float(scale.cap))).otherwise(value)
        enough = answered >= max(members - scale.missing.max_missing, 1)
        return nw.when(enough, *_within_limits(scale)).then(_last_steps(scale, value))

    def _collect(self, raw: dict[str, nw.Expr], *, counted: bool) -> tuple[list[Facts], list[Tally], list[int]]:
        """Collect the one aggregate that checks and, if wanted, counts."""
        wanted: dict[str, nw.Expr] = {"rows": nw.len()}
        for number, column in enumerate(self._columns):
            wanted |= {f"{name}_{number}": value for name, value in self._checks(column, raw[column.item.id]).items()}
        if counted:
            wanted |= self._counts()
        found = self._valued.select(**wanted).collect().rows(named=True)[0]
        rows = int(found["rows"])
        facts = [self._facts(number, column, rows, found) for number, column in enumerate(self._columns)]
        if not counted:
            return facts, [], []
        tallies = []
        for number, scale in enumerate(self._scales):
            counts = {count: int(found[f"tally_{number}_{count}"] or 0) for count in _tallied(scale)}
            scored = int(found.get(f"scored_{number}", sum(counts.values())) or 0)
            tallies.append(Tally(scale=scale, rows=rows, by_answered=counts, scored=scored))
        unasked = [int(found[f"unasked_{number}"] or 0) for number in range(len(self._instrument.gates))]
        return facts, tallies, unasked

    def _counts(self) -> dict[str, nw.Expr]:
        """Return what to aggregate for the notes: rows by number of answers, rows with a score, answers not asked."""
        wanted: dict[str, nw.Expr] = {}
        for number, scale in enumerate(self._scales):
            if scale.parts or scale.missing.limits:
                wanted[f"scored_{number}"] = _sum(~nw.col(_value(scale)).is_null())
            for count in _tallied(scale):
                wanted[f"tally_{number}_{count}"] = _sum(nw.col(_answered(scale)) == count)
        for number in range(len(self._instrument.gates)):
            wanted[f"unasked_{number}"] = nw.col(f"{_HELPER}unasked_{number}").sum()
        return wanted

    def _whole(self, column: Column) -> bool:
        """Tell whether the smallest and largest number of a column tell that all are codes."""
        numeric = any(not isinstance(code, str) for code in self._missing)
        return self._kinds[column.name].is_integer() and column.item.gapless and not column.recoded and not numeric

    def _checks(self, column: Column, present: nw.Expr) -> dict[str, nw.Expr]:
        """Return what to aggregate over one item column."""
        kind, itself = self._kinds[column.name], nw.col(column.name)
        if self._whole(column):
            return {"answered": itself.count(), "low": itself.min(), "high": itself.max()}
        checks = {"answered": _sum(~present.is_null())}
        if _is_number(kind) or (_is_text(kind) and column.recoded):
            checks["outside"] = _sum(~present.is_null() & ~present.is_in(list(_raw_codes(column, kind))))
        if _is_number(kind):
            checks |= {"low": present.min(), "high": present.max()}
            checks["fractions"] = _sum(~present.is_null() & (present != present.floor()))
        for place, code in enumerate(self._missing):
            if _is_text(kind) or (_is_number(kind) and not isinstance(code, str)):
                checks[f"missing_{place}"] = _sum(nw.col(column.name) == (str(code) if _is_text(kind) else code))
        return checks

    def _facts(self, number: int, column: Column, rows: int, found: dict[str, Any]) -> Facts:
        """Return the facts of one column; if something is outside the codes, ask for its values."""
        kind = self._kinds[column.name]
        low, high = found.get(f"low_{number}"), found.get(f"high_{number}")
        counts = {
            name: int(found.get(f"{name}_{number}") or 0)
            for name in ("answered", "outside", "fractions", *(f"missing_{i}" for i in range(len(self._missing))))
        }
        facts = Facts(
            column=column,
            rows=rows,
            answered=counts["answered"],
            low=None if low is None else float(low),
            high=None if high is None else float(high),
            outside=counts["outside"],
            fractions=counts["fractions"],
            missing=Counter({code: counts[f"missing_{place}"] for place, code in enumerate(self._missing)}),
        )
        if facts.answered and not _is_number(kind) and not (_is_text(kind) and column.recoded):
            facts.text = "labels" if _is_text(kind) else "other"
        item = column.item
        if self._whole(column) and any(
            end is not None and not item.low <= end <= item.high for end in (facts.low, facts.high)
        ):
            stray = ~nw.col(column.name).is_null() & ~self._present(column).is_in(list(_raw_codes(column, kind)))
            facts.outside = int(self._frame.select(outside=_sum(stray)).collect().rows()[0][0])
        if facts.outside and _is_number(kind):
            facts.strays = self._strays(column)
        return facts

    def _strays(self, column: Column) -> Counter[float]:
        codes = [float(code) for code in column.numbers]
        values = (
            self._frame.select(value=self._present(column))
            .filter(~nw.col("value").is_null(), ~nw.col("value").is_in(codes))
            .group_by("value")
            .agg(rows=nw.len())
            .collect()
        )
        if len(values) > MANY_STRAYS:
            return Counter()
        return Counter({float(value): int(rows) for value, rows in values.rows() if float(value).is_integer()})


def _gated(frame: nw.LazyFrame[Any], gate: Gate, number: int) -> nw.LazyFrame[Any]:
    """Fill the codes of unasked items, and count them per row in a helper column."""
    deciding = {name: nw.col(_code(name)) for name in gate.when_any}
    closed = nw.all_horizontal(
        nw.lit(value=True),
        *(
            ~code.is_null() & ~code.is_in([float(value) for value in gate.when_any[name]])
            for name, code in deciding.items()
        ),
        *(nw.col(_code(name)).is_null() | (nw.col(_code(name)) == float(gate.otherwise)) for name in gate.asks),
        ignore_nulls=True,
    )
    unasked = {name: closed & nw.col(_code(name)).is_null() for name in gate.asks}
    return frame.with_columns(
        **{f"{_HELPER}unasked_{number}": _count(unasked.values())},
        **{
            _code(name): nw.when(mark).then(nw.lit(float(gate.otherwise))).otherwise(nw.col(_code(name)))
            for name, mark in unasked.items()
        },
    )


def _last_steps(scale: Scale, value: nw.Expr) -> nw.Expr:
    """Multiply, add and round, as `rules.score_value` does."""
    value = value if scale.multiply == 1 else value * scale.multiply
    value = value if scale.add == 0 else value + scale.add
    if scale.decimals is None:
        return value
    whole = (value * 10.0**scale.decimals + 0.5).floor()
    return (whole / 10.0**scale.decimals).round(scale.decimals)  # some engines divide by multiplying with 0.1


def _within_limits(scale: Scale) -> list[nw.Expr]:
    """Return a condition for each limit on what may be missing among other items."""
    return [
        _count(~nw.col(_code(name)).is_null() for name in limit.items) >= len(limit.items) - limit.max_missing
        for limit in scale.missing.limits
    ]


def _looked_up(scale: Scale, value: nw.Expr, *, place: int) -> nw.Expr:
    """Return what the table of a score makes of a value."""
    expression: nw.Expr = nw.when(value.is_null() & ~value.is_null()).then(nw.lit(0.0))
    for row in scale.table.rows if scale.table is not None else ():
        expression = nw.when(value == row[0]).then(nw.lit(float(row[place]))).otherwise(expression)
    return expression


def _band(scale: Scale) -> nw.Expr:
    value = nw.col(_value(scale))
    expression: nw.Expr = nw.when(~value.is_null()).then(nw.lit(scale.bands[0].label))
    for band in scale.bands[1:]:
        expression = nw.when(value >= band.cut).then(nw.lit(band.label)).otherwise(expression)
    return expression


def _code(item_id: str) -> str:
    return f"{_HELPER}code_{item_id.replace('.', '__')}"  # Spark takes a dot for a field inside a column


def _answered(scale: Scale) -> str:
    return f"{_HELPER}answered_{scale.id}"


def _value(scale: Scale) -> str:
    return f"{_HELPER}value_{scale.id}"


def _raw(scale: Scale) -> str:
    return f"{_HELPER}raw_{scale.id}"


def _tallied(scale: Scale) -> range:
    """The numbers of answers that give a score."""
    return range(max(len(scale.items) - scale.missing.max_missing, 1), len(scale.items) + 1)


def _sum(condition: nw.Expr) -> nw.Expr:
    return condition.cast(nw.Int64).sum()


def _count(conditions: Iterable[nw.Expr]) -> nw.Expr:
    return reduce(operator.add, (condition.cast(nw.Int32) for condition in conditions))


def _is_text(kind: Any) -> bool:
    return kind in (nw.String, nw.Categorical, nw.Enum)


def _is_number(kind: Any) -> bool:
    return bool(kind.is_numeric() or kind == nw.Boolean)


def _raw_codes(column: Column, kind: Any) -> dict[Any, int]:
    """Return raw code -> declared code, as a column of this kind holds the raw codes."""
    if _is_text(kind):
        return dict(column.words)
    return {float(raw): code for raw, code in column.numbers.items()}
