"""Read one instrument definition (TOML) and check it whole: every problem is reported at once, with its path.

pydantic checks the shape (types, unknown and missing keys); `definition_checks` checks what the numbers mean.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_type_hints

from pydantic import StringConstraints, TypeAdapter, ValidationError

from sweval.errors import InstrumentError, did_you_mean
from sweval.scoring import definition_checks as checks
from sweval.scoring.definition_scores import PointsTable, ScoreTable, scales
from sweval.scoring.definition_words import Name, Text, WholeNumber, one_of
from sweval.scoring.records import (
    DOMAINS,
    LEVELS,
    Aggregate,
    Change,
    Coding,
    Gate,
    Instrument,
    Item,
    ItemId,
    Key,
    Licence,
    MissingRule,
    Norm,
    Order,
    Recode,
    Record,
    Reliability,
    Safety,
    Scale,
    Variant,
    Vector,
)


@dataclass(frozen=True, kw_only=True)
class ItemsTable(Record):
    """`[items]`: either `number` (ids 1, 2, ...) or `ids`; `codes_of` overrides the codes of single items."""

    number: WholeNumber | None = None
    ids: tuple[ItemId, ...] = ()
    codes: tuple[WholeNumber, ...]
    codes_of: dict[ItemId, tuple[WholeNumber, ...]] = field(default_factory=dict)
    reversed: tuple[ItemId, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GateTable(Record):
    """`[[gates]]`."""

    asks: tuple[ItemId, ...]
    when_any: dict[ItemId, tuple[WholeNumber, ...]] = field(default_factory=dict)
    otherwise: WholeNumber
    variant: str = ""


@dataclass(frozen=True, kw_only=True)
class RecodeTable(Record):
    """One row of a coding: TOML keys are text, so the raw codes are."""

    items: tuple[ItemId, ...]
    codes: dict[int, WholeNumber]


@dataclass(frozen=True, kw_only=True)
class CodingTable(Record):
    """`[[codings]]`."""

    name: Name
    note: Text
    recodes: tuple[RecodeTable, ...]


@dataclass(frozen=True, kw_only=True)
class VectorsTable(Record):
    """`[[vectors]]`: each row holds `answers` (nan = missing) and expected values by score id."""

    source: Text
    variant: str = ""
    rows: tuple[dict[str, Any], ...]


class _Field(NamedTuple):
    type: Any
    many: bool = False
    required: bool = False
    default: Any = ""


_FIELDS = {
    "id": _Field(Name, required=True),
    "title": _Field(Text, required=True),
    "level": _Field(Annotated[str, one_of(LEVELS)], required=True),
    "construct": _Field(Text, required=True),
    "domain": _Field(Annotated[str, one_of(DOMAINS)]),
    "population": _Field(Text),
    "respondent": _Field(Text),
    "citation": _Field(Text),
    "doi": _Field(Annotated[str, StringConstraints(pattern=r"^10\.\d{4,9}/\S+$")]),
    "licence": _Field(Licence, default=Licence()),
    "key": _Field(Key, default=Key()),
    "items": _Field(ItemsTable, required=True, default=None),
    "scores": _Field(ScoreTable, many=True, required=True),
    "missing": _Field(MissingRule, default=MissingRule()),
    "points": _Field(PointsTable, many=True),
    "gates": _Field(GateTable, many=True),
    "codings": _Field(CodingTable, many=True),
    "orders": _Field(Order, many=True),
    "variants": _Field(Variant, many=True),
    "aggregate": _Field(Aggregate, default=None),
    "norms": _Field(Norm, many=True),
    "reliability": _Field(Reliability, many=True),
    "change": _Field(Change, many=True),
    "safety": _Field(Safety, many=True),
    "traps": _Field(tuple[Text, ...], default=()),
    "vectors": _Field(VectorsTable, many=True),
}


def read_definition(path: Path) -> Instrument:
    """Read and check one definition.

    Raises
    ------
    InstrumentError
        If the file cannot be read, is no TOML, or has any problem; the message lists all problems with their paths.
    """
    raw = _toml(path)
    problems = checks.Problems()
    for name in raw:
        if name not in _FIELDS:
            problems.add(name, f"unknown key. {did_you_mean(name, _FIELDS)}")
    parts = {name: _part(raw, name, spec, problems) for name, spec in _FIELDS.items()}
    instrument = _instrument(parts, problems)
    if problems.found or instrument is None:
        lines = "".join(f"\n  - {where}: {what}" for where, what in problems.found)
        count = len(problems.found)
        raise InstrumentError(
            f"the definition has {count} problem{'s' if count > 1 else ''} (tables are counted from 1):{lines}",
            where=str(path.name),
        )
    return instrument


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise InstrumentError(f"the file cannot be read ({error.strerror}).", where=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InstrumentError(f"this is no valid TOML: {error}.", where=str(path)) from error


def _part(raw: dict[str, Any], name: str, spec: _Field, problems: checks.Problems) -> Any:
    """Return the checked value of one top-level key; tables of a list that have a problem are left out."""
    if name not in raw:
        if spec.required:
            problems.add(name, "is missing.")
        return [] if spec.many else spec.default
    if not spec.many:
        value = _value(spec.type, raw[name], name, problems)
        return spec.default if value is None else value
    if not isinstance(raw[name], list):
        problems.add(name, f"must be a list of tables: write [[{name}]].")
        return []
    places = [(f"{name}[{number}]", table) for number, table in enumerate(raw[name], 1)]
    values = [(place, _value(spec.type, table, place, problems)) for place, table in places]
    return [(place, value) for place, value in values if value is not None]


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _value(kind: Any, raw: Any, place: str, problems: checks.Problems) -> Any:
    """Return the value, or None after adding every fault of its shape."""
    try:
        return _adapter(kind).validate_python(raw)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            steps = fault["loc"]
            if fault["type"] == "unexpected_keyword_argument":
                message = f"unknown key. {did_you_mean(str(steps[-1]), _keys_at(kind, steps[:-1]))}"
            else:
                message = _sentence(fault["type"], fault["msg"])
            problems.add(_path(place, steps), message)
        return None


def _keys_at(kind: Any, steps: tuple[int | str, ...]) -> list[str]:
    """Return the keys that a table may have, at a path inside a type."""
    for step in (name for name in steps if isinstance(name, str)):
        kind = get_type_hints(kind)[step]
        kind = next((option for option in get_args(kind) if dataclasses.is_dataclass(option)), kind)
    return [entry.name for entry in dataclasses.fields(kind)]


def _path(place: str, steps: Iterable[int | str]) -> str:
    return place + "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in steps)


def _sentence(kind: str, message: str) -> str:
    """Return pydantic's message as a sentence of ours."""
    if kind == "missing":
        return "is missing."
    text = message.removeprefix("Input ").removeprefix("Value error, ")
    return text if text.endswith((".", "?")) else f"{text}."


def _instrument(parts: dict[str, Any], problems: checks.Problems) -> Instrument | None:
    """Assemble the records and run every check that the valid parts allow."""
    checks.check_words(parts, problems)
    table: ItemsTable | None = parts["items"]
    items = _items(table, problems) if table is not None else ()
    if not items:
        return None
    by_id = {item.id: item for item in items}
    scores = scales(parts["scores"], parts["id"], by_id, (parts["missing"], parts["points"]), problems)
    gates = tuple(
        Gate(asks=gate.asks, when_any=dict(gate.when_any), otherwise=gate.otherwise, variant=gate.variant)
        for _, gate in parts["gates"]
    )
    codings = tuple(
        Coding(
            name=coding.name,
            note=coding.note,
            recodes=tuple(Recode(items=row.items, codes=dict(row.codes)) for row in coding.recodes),
        )
        for _, coding in parts["codings"]
    )
    plain = ("orders", "variants", "norms", "reliability", "change", "safety")
    simple: dict[str, Any] = {name: tuple(value for _, value in parts[name]) for name in plain}
    whole = Instrument(
        **{name: parts[name] for name in ("id", "title", "level", "construct", "domain", "population", "respondent")},
        citation=parts["citation"],
        doi=parts["doi"],
        licence=parts["licence"],
        key=parts["key"],
        items=items,
        scores=scores,
        gates=gates,
        codings=codings,
        aggregate=parts["aggregate"],
        **simple,
        traps=parts["traps"],
        vectors=tuple(_vectors(parts["vectors"], items, scores, problems)),
    )
    checks.check_whole(whole, parts, problems)
    return whole


def _items(table: ItemsTable, problems: checks.Problems) -> tuple[Item, ...]:
    if (table.number is None) == (not table.ids):
        problems.add("items", "give either number (ids 1, 2, 3, ...) or ids.")
        return ()
    ids = table.ids or tuple(str(number) for number in range(1, (table.number or 0) + 1))
    checks.check_items(ids, table.codes, table.codes_of, table.reversed, problems)
    return tuple(
        Item(id=name, codes=tuple(sorted(table.codes_of.get(name, table.codes))), reversed=name in table.reversed)
        for name in ids
    )


def _vectors(
    tables: list[tuple[str, VectorsTable]],
    items: tuple[Item, ...],
    scores: tuple[Scale, ...],
    problems: checks.Problems,
) -> Iterable[Vector]:
    for place, table in tables:
        for number, row in enumerate(table.rows, 1):
            vector = checks.vector(
                f"{place}.rows[{number}]", (table.source, table.variant), row, items, scores, problems
            )
            if vector is not None:
                yield vector
