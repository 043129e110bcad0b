"""What must hold in an instrument definition beyond its shape. Each check adds to the same list of problems."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sweval.errors import did_you_mean
from sweval.scoring.records import (
    FILLS,
    KEY_STATUS,
    LICENCES,
    RELIABILITIES,
    Band,
    Instrument,
    Item,
    MissingRule,
    Scale,
    Table,
    Vector,
)


class Problems:
    """All problems found so far: place inside the file, and a sentence."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def add(self, place: str, what: str) -> None:
        """Add one."""
        self.found.append((place, what))


def check_items(
    ids: Sequence[str],
    codes: Sequence[int],
    codes_of: Mapping[str, Sequence[int]],
    reversed_ids: Sequence[str],
    problems: Problems,
) -> None:
    """Ids and codes are unique; every item named elsewhere exists; a reversed answer is again a code."""
    for name in _doubles(ids):
        problems.add("items.ids", f'"{name}" stands there twice.')
    _check_codes("items.codes", codes, problems)
    for name, own in codes_of.items():
        _check_codes(f"items.codes_of.{name}", own, problems)
    for place, names in [("items.reversed", reversed_ids), ("items.codes_of", list(codes_of))]:
        check_known(place, names, ids, problems)
    for name in _doubles(reversed_ids):
        problems.add("items.reversed", f'"{name}" stands there twice.')
    for name in reversed_ids:
        own = codes_of.get(name, codes)
        if own and {min(own) + max(own) - code for code in own} != set(own):
            problems.add("items.reversed", f'"{name}" cannot be reversed: its codes do not mirror onto each other.')


def check_members(
    place: str, members: Sequence[str], items: Mapping[str, Item], problems: Problems
) -> tuple[Item, ...]:
    """The items of a score exist, once each; returns those that do."""
    check_known(f"{place}.items", members, items, problems)
    for name in _doubles(members):
        problems.add(f"{place}.items", f'"{name}" stands there twice.')
    if not members:
        problems.add(f"{place}.items", "is empty.")
    return tuple(items[name] for name in members if name in items)


def check_rule(
    place: str, rule: MissingRule, op: str, members: Sequence[str], items: Mapping[str, Item], problems: Problems
) -> None:
    """Something must be answered before anything can stand for the rest."""
    where, count = f"{place}.missing", len(members)
    if rule.max_missing < 0:
        problems.add(f"{where}.max_missing", "must not be negative.")
    elif count and rule.max_missing >= count:
        problems.add(f"{where}.max_missing", f"is {rule.max_missing}, but the score has only {count} items.")
    if rule.rounded and op != "sum":
        problems.add(f"{where}.rounded", "applies to sums only.")
    if rule.fill not in FILLS:
        problems.add(f"{where}.fill", f'"{rule.fill}" is none of the possible values. {did_you_mean(rule.fill, FILLS)}')
    elif rule.fill == "zero" and op == "mean":
        problems.add(f"{where}.fill", "a mean leaves missing answers out; no point applies to sums only.")
    elif op == "any" and rule.max_missing and rule.fill != "zero":
        problems.add(f"{where}.fill", 'must be "zero" where the score asks whether there are any points.')
    for number, limit in enumerate(rule.limits, 1):
        check_known(f"{where}.limits[{number}].items", limit.items, items, problems)
        if not 0 <= limit.max_missing < len(limit.items):
            problems.add(f"{where}.limits[{number}].max_missing", "must leave at least one answer.")


def check_tables(place: str, tables: Sequence[Table], problems: Problems) -> None:
    """Every row has a value of its own and a result; errors stand in every row or in none."""
    for number, table in enumerate(tables, 1):
        sizes = {len(row) for row in table.rows}
        if not sizes or len(sizes) > 1 or not sizes <= {2, 3}:
            problems.add(f"{place}[{number}].rows", "must each hold a value and its result, or also a standard error.")
        for value in _doubles([row[0] for row in table.rows if row]):
            problems.add(f"{place}[{number}].rows", f"{value:g} stands there twice.")
    for name in _doubles([table.variant for table in tables]):
        problems.add(f"{place}.variant", f'"{name}" stands there twice.' if name else "only one table can be without.")


def bands(
    place: str,
    rows: Sequence[tuple[float, float, str]],
    step: float,
    covered: tuple[tuple[float, float], bool],
    problems: Problems,
) -> tuple[Band, ...]:
    """Return the bands with their cuts, if they cover the whole range without gap or overlap.

    Neighbours either share an edge (it belongs to the upper band) or stand one printed unit apart, as in 0-4, 5-9 or
    1-2.9, 3-5: the cut is then half-way, so that no unrounded score falls between. Whole-number bands say nothing
    about scores between them and are refused where one item moves the score by less than one (`step`). `covered` is the
    attainable range, and whether bands may reach beyond it.
    """
    attainable, beyond = covered
    made: list[Band] = []
    for number, (low, high, label) in enumerate(rows, 1):
        if low > high:
            problems.add(f"{place}.rows[{number}]", f"runs from {low:g} down to {high:g}.")
        cut = -math.inf
        if number > 1:
            above = rows[number - 2][1]
            gap, unit = Decimal(str(low)) - Decimal(str(above)), _printed_unit(low, above)
            if gap not in (0, unit):
                kind = "overlaps" if gap < 0 else "leaves a gap to"
                problems.add(
                    f"{place}.rows[{number}]",
                    f"{kind} the band before: it starts at {low:g}, the one before ends at {above:g}.",
                )
            elif gap == 1 and step < 1:
                problems.add(
                    f"{place}.rows[{number}]",
                    f"a score can lie between {above:g} and {low:g}: give edges with decimals, or one shared edge.",
                )
            cut = float((Decimal(str(low)) + Decimal(str(above))) / 2)
        made.append(Band(min=low, max=high, label=label, cut=cut))
    if len(rows) < 2:
        problems.add(f"{place}.rows", "needs at least two bands, which together cover the range.")
    for label in _doubles([label for _, _, label in rows]):
        problems.add(f"{place}.rows", f'the label "{label}" stands there twice.')
    ends = (rows[0][0], rows[-1][1]) if rows else (math.nan, math.nan)
    inside = ends[0] <= attainable[0] and attainable[1] <= ends[1]
    if rows and not math.isnan(attainable[0]) and not (inside and (beyond or ends == attainable)):
        problems.add(
            f"{place}.rows",
            f"cover {rows[0][0]:g} to {rows[-1][1]:g}, but scores run from {attainable[0]:g} to {attainable[1]:g}.",
        )
    return tuple(made)


def vector(
    place: str,
    table: tuple[str, str],
    row: Mapping[str, Any],
    items: Sequence[Item],
    scores: Sequence[Scale],
    problems: Problems,
) -> Vector | None:
    """Return one worked example of a table with a source and a variant; nan stands for a missing answer or score."""
    source, variant = table
    answers = row.get("answers")
    if not isinstance(answers, list) or len(answers) != len(items):
        problems.add(f"{place}.answers", f"must hold {len(items)} answers, one per item.")
        return None
    for item, answer in zip(items, answers, strict=True):
        if not _is_nan(answer) and answer not in item.codes:
            problems.add(f"{place}.answers", f'{answer!r} is no code of item "{item.id}".')
    ends = ("", "_se", "_band", "_answered")
    suffixes = [f"{scale.id}{end}" for scale in scores for end in ends] + ["safety"]
    expected = {name: None if _is_nan(value) else value for name, value in row.items() if name != "answers"}
    for name in expected:
        if name not in suffixes:
            problems.add(f"{place}.{name}", f"is no score. {did_you_mean(name, suffixes)}")
    return Vector(
        source=source,
        variant=variant,
        answers=tuple(None if _is_nan(value) else value for value in answers),
        expected=expected,
    )


def check_words(parts: Mapping[str, Any], problems: Problems) -> None:
    """Licence class, status of the key and type of a reliability are known words."""
    words = [
        ("licence.kind", parts["licence"].kind, LICENCES),
        ("key.status", parts["key"].status, KEY_STATUS),
        *((f"{place}.type", row.type, RELIABILITIES) for place, row in parts["reliability"]),
    ]
    for place, word, options in words:
        if word not in options:
            problems.add(place, f'"{word}" is none of the possible values. {did_you_mean(word, options)}')


def check_whole(instrument: Instrument, parts: Mapping[str, Any], problems: Problems) -> None:
    """What is named in one table must exist in another; column names must not collide."""
    items = {item.id: item for item in instrument.items}
    scores = [scale.id for scale in instrument.scores]
    columns = [f"{scale.column}{end}" for scale in instrument.scores for end in ("", "_se", "_band", "_answered")]
    columns += [instrument.safety_column] if instrument.safety else []
    for name in _doubles(columns):
        problems.add("scores", f'two scores would make the column "{name}".')
    for (place, gate), record in zip(parts["gates"], instrument.gates, strict=True):
        check_known(f"{place}.asks", gate.asks, items, problems)
        check_known(f"{place}.when_any", list(gate.when_any), items, problems)
        if bool(gate.when_any) == bool(gate.variant):
            problems.add(place, "give either when_any (answers that open it) or variant (for which it is closed).")
        for name, codes in record.when_any.items():
            _check_in(f"{place}.when_any.{name}", codes, items.get(name), problems)
        for name in gate.asks:
            _check_in(f"{place}.otherwise", [gate.otherwise], items.get(name), problems)
            if name in gate.when_any:
                problems.add(f"{place}.asks", f'"{name}" cannot depend on itself.')
    for name in _doubles([coding.name for coding in instrument.codings]):
        problems.add("codings", f'the name "{name}" stands there twice.')
    for place, coding in parts["codings"]:
        for number, recode in enumerate(coding.recodes, 1):
            check_known(f"{place}.recodes[{number}].items", recode.items, items, problems)
            for name in recode.items:
                _check_in(f"{place}.recodes[{number}].codes", recode.codes.values(), items.get(name), problems)
    for table in ("norms", "reliability", "change"):
        for place, row in parts[table]:
            check_known(f"{place}.score", [row.score], scores, problems, what="score")
    for place, row in parts["safety"]:
        if bool(row.item) == bool(row.score):
            problems.add(place, "give either an item or a score.")
        elif row.item:
            check_known(f"{place}.item", [row.item], items, problems)
            _check_in(f"{place}.at_least", [row.at_least], items.get(row.item), problems)
        else:
            check_known(f"{place}.score", [row.score], scores, problems, what="score")
    for place, order in parts["orders"]:
        if sorted(order.items) != sorted(items):
            problems.add(f"{place}.items", "must name every item once.")
    for table in ("orders", "variants"):
        for name in _doubles([row.name for _, row in parts[table]]):
            problems.add(table, f'the name "{name}" stands there twice.')
    _check_variants(instrument, parts, problems)


def _check_variants(instrument: Instrument, parts: Mapping[str, Any], problems: Problems) -> None:
    """Variants named by tables, bands, gates and vectors are those that the instrument lists."""
    known = [variant.name for variant in instrument.variants]
    used = [(f"scores.{scale.id}.tables", table.variant) for scale in instrument.scores for table in scale.tables]
    used += [(f"scores.{scale.id}.bands", entry.variant) for scale in instrument.scores for entry in scale.band_sets]
    used += [(place, gate.variant) for place, gate in parts["gates"]]
    used += [(place, table.variant) for place, table in parts["vectors"]]
    for place, name in used:
        if name:
            check_known(f"{place}.variant", [name], known, problems, what="variant")
    for scale in instrument.scores:
        for name in _doubles([entry.variant for entry in scale.band_sets]):
            problems.add(
                f"scores.{scale.id}.bands", f'two sets are for "{name}".' if name else "two sets have no variant."
            )


def _check_codes(place: str, codes: Sequence[int], problems: Problems) -> None:
    if len(codes) < 2:
        problems.add(place, "an item needs at least two codes.")
    for code in _doubles(codes):
        problems.add(place, f"{code} stands there twice.")


def check_known(
    place: str, names: Sequence[str], known: Collection[str], problems: Problems, *, what: str = "item"
) -> None:
    """Everything named exists; a near name is offered."""
    for name in names:
        if name not in known:
            problems.add(place, f'there is no {what} "{name}". {did_you_mean(name, known)}')


def _check_in(place: str, codes: Collection[int], item: Item | None, problems: Problems) -> None:
    for code in codes:
        if item is not None and code not in item.codes:
            problems.add(place, f'{code} is no code of item "{item.id}".')


def _doubles(values: Sequence[Any]) -> list[Any]:
    return sorted({value for value in values if values.count(value) > 1})


def _printed_unit(*edges: float) -> Decimal:
    """One unit in the last place of the finer of two printed numbers: 1 for 4 and 5, 0.1 for 2.9 and 3."""
    places = max((-int(Decimal(f"{edge:g}").normalize().as_tuple().exponent) for edge in edges), default=0)
    return Decimal(1).scaleb(-max(places, 0))


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
