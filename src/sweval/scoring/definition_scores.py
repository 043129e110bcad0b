"""The scores of a definition file: their tables, what they can reach, and the records they become."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BeforeValidator

from sweval.errors import did_you_mean
from sweval.result import BETTER
from sweval.scoring import definition_checks as checks
from sweval.scoring.definition_words import ScoreId, Text, WholeNumber, one_of
from sweval.scoring.records import OPS, BandSet, Item, ItemId, MissingRule, Record, Scale, Table

Points = dict[str, dict[int, int]]


@dataclass(frozen=True, kw_only=True)
class BandsTable(Record):
    """`[scores.bands]`, or one of several `[[scores.bands]]` for variants: rows of min, max and label, with source."""

    rows: tuple[tuple[float, float, Text], ...]
    source: Text
    verified: bool = False
    variant: str = ""


@dataclass(frozen=True, kw_only=True)
class PointsTable(Record):
    """`[[points]]`, or an entry of a score's `points`: what each code of some items counts."""

    items: tuple[ItemId, ...]
    codes: dict[int, WholeNumber]


@dataclass(frozen=True, kw_only=True)
class ScoreTable(Record):
    """`[[scores]]`. Without `items` a score uses all; without `missing` it follows the instrument's rule."""

    id: ScoreId
    op: Annotated[str, one_of(OPS)]
    items: tuple[ItemId, ...] | None = None
    of: tuple[ScoreId, ...] = ()
    weights: tuple[float, ...] = ()
    points: tuple[PointsTable, ...] = ()
    tables: tuple[Table, ...] = ()
    multiply: float = 1.0
    add: float = 0.0
    cap: float | None = None
    decimals: WholeNumber | None = None
    better: Annotated[str, one_of(BETTER)] | None = None
    range: tuple[float, float] | None = None
    missing: MissingRule | None = None
    bands: Annotated[
        tuple[BandsTable, ...], BeforeValidator(lambda value: [value] if isinstance(value, dict) else value)
    ] = ()


def scales(
    tables: Sequence[tuple[str, ScoreTable]],
    instrument_id: str,
    items: Mapping[str, Item],
    general: tuple[MissingRule, Sequence[tuple[str, PointsTable]]],
    problems: checks.Problems,
) -> tuple[Scale, ...]:
    """Return the scores, in the order of the file; a score may be made of those before it.

    Parameters
    ----------
    tables
        Place in the file and table of each score.
    instrument_id
        With the score's id it makes the column.
    items
        By id.
    general
        The instrument's rule for missing answers and its `[[points]]`, which scores follow unless they say otherwise.
    problems
        Where to add problems.
    """
    rule, counted = general
    everywhere = points([(place, table) for place, table in counted], items, problems)
    made: list[Scale] = []
    for place, table in tables:
        column = f"{instrument_id}_{table.id}"
        build = _made_of_scores if table.op in ("table", "weighted") else _made_of_items
        scale = build(place, table, column, (items, rule, everywhere, {entry.id: entry for entry in made}), problems)
        if scale is not None:
            made.append(_finished(place, table, scale, problems))
    return tuple(made)


def points(tables: Sequence[tuple[str, PointsTable]], items: Mapping[str, Item], problems: checks.Problems) -> Points:
    """Return item id -> code -> points, of tables that count every code of known items that are not reversed."""
    found: Points = {}
    for place, table in tables:
        checks.check_known(f"{place}.items", table.items, items, problems)
        for name in table.items:
            item = items.get(name)
            if item is None:
                continue
            if item.reversed:
                problems.add(f"{place}.items", f'"{name}" is reversed already: let its points say so.')
            lacking = sorted(set(item.codes) - set(table.codes))
            if lacking:
                problems.add(f"{place}.codes", f'do not say what {lacking[0]} counts, a code of item "{name}".')
            else:
                found[name] = {code: table.codes[code] for code in item.codes}
    return found


Known = tuple[Mapping[str, Item], MissingRule, Points, Mapping[str, Scale]]


def _made_of_items(place: str, table: ScoreTable, column: str, known: Known, problems: checks.Problems) -> Scale | None:
    items, rule, everywhere, _ = known
    members = table.items if table.items is not None else tuple(items)
    missing = table.missing or rule
    present = checks.check_members(place, members, items, problems)
    checks.check_rule(place, missing, table.op, members, items, problems)
    for name, value in (("of", table.of), ("weights", table.weights), ("tables", table.tables)):
        if value:
            problems.add(f"{place}.{name}", f'is for scores with op "table" or "weighted", not "{table.op}".')
    own = points(
        [(f"{place}.points[{number}]", entry) for number, entry in enumerate(table.points, 1)], items, problems
    )
    counted = {name: found for name, found in {**everywhere, **own}.items() if name in members}
    if table.op == "any" and any(value < 0 for found in counted.values() for value in found.values()):
        problems.add(f"{place}.points", "must not be negative where the score asks whether there are any.")
    spans = [(min(counted[item.id].values()), max(counted[item.id].values())) if item.id in counted
             else (item.low, item.high) for item in present]  # fmt: skip
    ends = (math.nan, math.nan)
    if spans:
        low, high = float(sum(low for low, _ in spans)), float(sum(high for _, high in spans))
        if table.op == "mean":
            low, high = low / len(spans), high / len(spans)
        elif table.op == "any":
            low, high = float(low > 0), float(high > 0)
        if table.cap is not None:
            low, high = min(low, table.cap), min(high, table.cap)
        ends = (low, high)
    return Scale(
        id=table.id, column=column, op=table.op, items=members, range=ends, missing=missing, points=counted
    )  # fmt: skip


def _made_of_scores(
    place: str, table: ScoreTable, column: str, known: Known, problems: checks.Problems
) -> Scale | None:
    *_, made = known
    own = table.missing or MissingRule()
    filled = own.max_missing or own.rounded or own.fill != "mean" or (own.limits and table.op == "table")
    decided = {"items": table.items, "missing": filled, "points": table.points, "cap": table.cap}
    for name in (name for name, value in decided.items() if value):
        problems.add(f"{place}.{name}", f'is decided by the scores in "of" where op is "{table.op}".')
    unknown = [name for name in table.of if name not in made]
    for name in unknown:
        problems.add(f"{place}.of", f'there is no score "{name}" before this one. {did_you_mean(name, made)}')
    if not table.of:
        problems.add(f"{place}.of", "is missing: it names the scores that this one is made of.")
    if unknown or not table.of:
        return None
    parts = tuple(made[name] for name in table.of)
    members = tuple(dict.fromkeys(name for part in parts for name in part.items))
    common: dict[str, Any] = {"id": table.id, "column": column, "op": table.op, "items": members, "parts": parts}
    if table.op == "table":
        if len(parts) > 1 or parts[0].op not in ("sum", "mean", "any"):
            problems.add(f"{place}.of", "must name one score, which is itself made of items.")
        if not table.tables:
            problems.add(f"{place}.tables", "is missing: it turns the values of the score into results.")
            return None
        checks.check_tables(f"{place}.tables", table.tables, problems)
        results = [row[1] for entry in table.tables for row in entry.rows if len(row) > 1]
        ends = (min(results), max(results)) if results else (math.nan, math.nan)
        return Scale(**common, range=ends, missing=parts[0].missing, points=parts[0].points, tables=table.tables)
    if len(table.weights) != len(parts):
        problems.add(f"{place}.weights", f"must be {len(parts)} numbers, one for each score in of.")
        return None
    spans = [sorted((weight * part.range[0], weight * part.range[1]))
             for weight, part in zip(table.weights, parts, strict=True)]  # fmt: skip
    ends = (sum(low for low, _ in spans), sum(high for _, high in spans))
    checks.check_rule(place, own, "weighted", members, known[0], problems)
    rule = replace(own, max_missing=max(len(members) - 1, 0))
    return Scale(**common, range=ends, missing=rule, weights=table.weights)


def _finished(place: str, table: ScoreTable, scale: Scale, problems: checks.Problems) -> Scale:
    """Add what all scores have: the last steps of the arithmetic, the range they lead to, and the bands."""
    low, high = sorted(end * table.multiply + table.add for end in scale.range)
    if table.decimals is not None:
        low, high = (math.floor(end * 10.0**table.decimals + 0.5) / 10.0**table.decimals for end in (low, high))
    if table.range is not None and not math.isnan(low) and not all(map(math.isclose, table.range, (low, high))):
        problems.add(
            f"{place}.range",
            f"is {table.range[0]:g} to {table.range[1]:g}, but the items can reach {low:g} to {high:g}.",
        )
    attainable = (low, high) if table.range is None or math.isnan(low) else table.range
    step = abs(table.multiply) / (len(scale.items) or 1 if table.op == "mean" else 1)
    sets = []
    for number, entry in enumerate(table.bands, 1):
        where = f"{place}.bands" if len(table.bands) == 1 else f"{place}.bands[{number}]"
        covered = (attainable, table.op == "table")
        sets.append(
            BandSet(
                variant=entry.variant,
                bands=checks.bands(where, entry.rows, step, covered, problems),
                source=entry.source,
                verified=entry.verified,
            )
        )
    return replace(
        scale,
        multiply=table.multiply,
        add=table.add,
        cap=table.cap,
        decimals=table.decimals,
        better=table.better,
        range=attainable,
        tables=table.tables,
        band_sets=tuple(sets),
    )
