"""What the card of an instrument says, fact by fact in words; terminal and documentation print the same facts."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sweval.scoring.finder import place
from sweval.scoring.records import (
    KEY_STATUS,
    LICENCES,
    Change,
    Instrument,
    Item,
    MissingRule,
    Norm,
    Reliability,
    Scale,
    Vector,
)

LICENCE_MEANS = {
    "public_domain": "Anyone may use, copy and adapt it.",
    "cc": "Use and copy it under the terms of the licence that the note names, with credit.",
    "free": "Use it without asking, with credit; the note says what else the owner wishes.",
    "free_noncommercial": "Care, teaching and research may use it; for commercial use ask the owner.",
    "permission_required": "Ask the owner before you use it. Scoring it needs accept_licence=True.",
    "unclear": "It is not clear what a user may do. Ask before you print or distribute it.",
}
"""Licence class -> what a user may do."""

NOT_CHECKED = "not checked"
"""Marks a value that nobody has compared with the source it is said to be from."""

NOT_CHECKED_MEANS = f"[{NOT_CHECKED}]: taken over from the named source, which was not read again. Look it up first."


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A named fact; `rows` under `head` where it is a table, `checked` False where it was not compared."""

    name: str
    text: str = ""
    head: tuple[str, str] = ("score", "label")
    rows: tuple[tuple[str, str], ...] = ()
    checked: bool = True


@dataclass(frozen=True, kw_only=True)
class Part:
    """Facts that belong together; `column` where they are about one score."""

    title: str
    facts: tuple[Fact, ...]
    column: str = ""


def parts(instrument: Instrument) -> tuple[Part, ...]:
    """Return the card in reading order; parts without a fact are left out."""
    found = [
        Part(title="What it is", facts=tuple(_identity(instrument))),
        Part(title="Answers", facts=tuple(_answers(instrument))),
        *(
            Part(title=f"Score {scale.column}", facts=tuple(_score(instrument, scale)), column=scale.column)
            for scale in instrument.scores
        ),
        Part(title="Answers that ask for action", facts=tuple(_safety(instrument))),
        Part(title="Units", facts=tuple(_aggregate(instrument))),
        Part(title="Published values", facts=tuple(_published(instrument))),
        Part(title="Watch out", facts=tuple(Fact(name="trap", text=trap) for trap in instrument.traps)),
        Part(title="Sources", facts=tuple(_sources(instrument))),
    ]
    return tuple(part for part in found if part.facts)


def _identity(instrument: Instrument) -> Iterator[Fact]:
    yield Fact(name="measures", text=instrument.construct)
    yield Fact(name="level", text=place(instrument))
    if instrument.population or instrument.respondent:
        told = f"answered by: {instrument.respondent}" if instrument.respondent else ""
        yield Fact(name="for", text="; ".join(text for text in (instrument.population, told) if text))
    licence = instrument.licence
    holder = f"Owner: {licence.holder}." if licence.holder else ""
    said = (f"{LICENCES[licence.kind]}.", licence.note, holder, LICENCE_MEANS[licence.kind])
    yield Fact(name="licence", text=" ".join(text for text in said if text))
    if instrument.citation:
        yield Fact(name="cite", text=f"{instrument.citation}{f'. doi:{instrument.doi}' if instrument.doi else ''}")


def _answers(instrument: Instrument) -> Iterator[Fact]:
    yield Fact(name="items", text=f"{len(instrument.items)}; {_codes(instrument.items)}")
    turned = [item.id for item in instrument.items if item.reversed]
    yield Fact(name="reversed", text=_listed(turned) if turned else "none")
    shared = _shared_points(instrument)
    if shared:
        yield _points(shared)
    for gate in instrument.gates:
        either = " or ".join(f"{name} is {_either(codes)}" for name, codes in gate.when_any.items())
        conditions = [f'the variant is not "{gate.variant}"'] if gate.variant else []
        asked_if = " and ".join([*conditions, *([either] if either else [])])
        yield Fact(name="asked only if", text=f"{_listed(gate.asks)}: {asked_if}; not asked counts as {gate.otherwise}")
    for variant in instrument.variants:
        yield Fact(name="variants", text=f'variant="{variant.name}": {variant.note}')
    for coding in instrument.codings:
        yield Fact(name="other coding", text=f'coding="{coding.name}": {coding.note}')
    for order in instrument.orders:
        turn = f"in turn our items {_listed(order.items)}"
        yield Fact(name="other order", text=f'order="{order.name}": {order.note} ({turn})')


def _score(instrument: Instrument, scale: Scale) -> Iterator[Fact]:
    yield Fact(name="made", text=_made(instrument, scale))
    if scale.points and not _shared_points(instrument):
        yield _points(scale.points)
    low, high = scale.range
    better = f"; {scale.better} is better" if scale.better else "; no direction is stated to be better"
    yield Fact(name="range", text=f"{low:g} to {high:g}{better}")
    yield _missing(scale)
    for table in scale.tables:
        first, last = table.rows[0], table.rows[-1]
        errors = "; with standard errors" if table.has_errors else ""
        whose = f'variant="{table.variant}": ' if table.variant else ""
        ends = f"{len(table.rows)} rows, from {first[0]:g} gives {first[1]:g} to {last[0]:g} gives {last[1]:g}{errors}"
        yield Fact(name="table", text=f"{whose}{ends} ({table.source})", checked=table.verified)
    for entry in scale.band_sets:
        rows = tuple((f"{band.min:g} to {band.max:g}", band.label) for band in entry.bands)
        cuts = ", ".join(f"{band.cut:g}" for band in entry.bands[1:])
        cut = f"; cut at {cuts}, without rounding" if cuts else ""
        if entry.variant:
            yield Fact(name="bands", text=f'for variant="{entry.variant}":')
        yield Fact(name="bands", text=f"{entry.source}{cut}", rows=rows, checked=entry.verified)


def _made(instrument: Instrument, scale: Scale) -> str:
    """Return the rule of a score in words."""
    everything = len(scale.items) == len(instrument.items)
    which = "all items" if everything else f"item{'s' * (len(scale.items) != 1)} {_listed(scale.items)}"
    if scale.op == "any":
        made = f"1 if {'any of ' * (len(scale.items) > 1)}{which} counts a point, else 0"
    elif scale.op == "table":
        made = f"read from a table for {scale.parts[0].column}"
    elif scale.op == "weighted":
        terms = (f"{weight:g} x {part.column}" for weight, part in zip(scale.weights, scale.parts, strict=True))
        made = "sum of " + ", ".join(terms)
    else:
        made = f"{scale.op} of {which}" + (", each as it counts" if scale.points else "")
    steps = [
        f"at most {scale.cap:g}" if scale.cap is not None else "",
        f"times {scale.multiply:.6g}" if scale.multiply != 1 else "",
        f"{'plus' if scale.add > 0 else 'minus'} {abs(scale.add):g}" if scale.add else "",
        "" if scale.decimals is None else f"rounded to {_decimals(scale.decimals)}",
    ]
    return ", ".join([made, *filter(None, steps)])


def _decimals(count: int) -> str:
    return "a whole number" if count == 0 else f"{count} decimal{'s' * (count != 1)}"


def _missing(scale: Scale) -> Fact:
    rule: MissingRule = scale.missing
    if scale.op == "table":
        return Fact(name="missing", text=f"no score without {scale.parts[0].column}")
    if scale.op == "weighted":
        text = "no score if one of its parts is missing"
    elif rule.max_missing:
        rounded = ", rounded to a whole number" if rule.rounded else ""
        upto = "one missing answer" if rule.max_missing == 1 else f"up to {rule.max_missing} missing answers"
        are, count = ("is", "counts") if rule.max_missing == 1 else ("are", "count")
        filled = f"{count} 0" if rule.fill == "zero" else f"{are} replaced by the mean of the others{rounded}"
        text = f"{upto} {filled}; with more there is no score"
    else:
        text = "no score unless every item is answered" if len(scale.items) > 1 else "no score without the answer"
    for limit in rule.limits:
        text += f", nor with more than {limit.max_missing} missing among items {_listed(limit.items)}"
    whose = "the authors' rule: " if rule.by_authors and rule.source else ""
    origin = f" ({whose}{rule.source})" if rule.source else ""
    plain = not rule.limits and (scale.op == "weighted" or not rule.max_missing)
    return Fact(name="missing", text=text + origin, checked=rule.verified or plain)


def _shared_points(instrument: Instrument) -> dict[str, dict[int, int]]:
    """Return what answers count where it is the same in every score, else nothing."""
    found: dict[str, dict[int, int]] = {}
    for scale in (scale for scale in instrument.scores if not scale.parts):
        for item in scale.items:
            points = scale.points.get(item, {})
            if found.setdefault(item, points) != points:
                return {}
    return {item: points for item, points in found.items() if points}


def _points(points: dict[str, dict[int, int]]) -> Fact:
    """Return what each answer counts, items that count alike together."""
    alike: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for item, counts in points.items():
        alike.setdefault(tuple(sorted(counts.items())), []).append(item)
    rows = tuple(
        (f"item{'s' * (len(names) != 1)} {_listed(names)}", "; ".join(_counts(dict(row))))
        for row, names in alike.items()
    )
    return Fact(name="points", head=("items", "answers"), rows=rows)


def _counts(points: dict[int, int]) -> Iterator[str]:
    for count in dict.fromkeys(points.values()):
        codes = [str(code) for code, other in points.items() if other == count]
        yield f"{', '.join(codes)} count{'s' * (len(codes) == 1)} {count}"


def _safety(instrument: Instrument) -> Iterator[Fact]:
    for safety in instrument.safety:
        what = f"item {safety.item}, answer" if safety.item else f"{instrument.scale(safety.score).column} at"
        yield Fact(name="safety", text=f"{what} {safety.at_least} or more: {safety.note}")
    if instrument.safety:
        yield Fact(name="column", text=f"{instrument.safety_column} counts them in every row")


def _aggregate(instrument: Instrument) -> Iterator[Fact]:
    found = instrument.aggregate
    if found is None:
        return
    yield Fact(name="unit", text=found.unit)
    few = f" From {found.min_n} answers per unit on." if found.min_n else ""
    source = f" ({found.source})" if found.source else ""
    yield Fact(name="aggregate", text=f"{found.note}{few}{source}", checked=found.verified)


def _published(instrument: Instrument) -> Iterator[Fact]:
    for row in instrument.reliability:
        kind = "alpha" if row.type == "alpha" else f"test-retest{f' over {row.interval}' if row.interval else ''}"
        where = f", {row.population}" if row.population else ""
        yield _value("reliability", row, f"{kind} {row.value:.2f}{where}")
    for norm in instrument.norms:
        size = f", n = {norm.n:,}" if norm.n else ""
        yield _value("norm", norm, f"{norm.population}: mean {norm.mean:g}, SD {norm.sd:g}{size}")
    for change in instrument.change:
        yield _value("change", change, f"{change.mcid:g} points matter to clients")


def _value(name: str, row: Reliability | Norm | Change, text: str) -> Fact:
    return Fact(name=name, text=f"{row.score}: {text} ({row.source})", checked=row.verified)


def _sources(instrument: Instrument) -> Iterator[Fact]:
    yield Fact(name="key", text=KEY_STATUS[instrument.key.status])
    for source in instrument.key.sources:
        yield Fact(name="key read in", text=source)
    for source, found in itertools.groupby(instrument.vectors, key=_vector_source):
        count = len(list(found))
        yield Fact(name="tested with", text=f"{count} worked answer sheet{'s' * (count != 1)}: {source}")


def _vector_source(vector: Vector) -> str:
    return vector.source


def _codes(items: Sequence[Item]) -> str:
    spans: dict[tuple[int, ...], list[Item]] = {}
    for item in items:
        spans.setdefault(item.codes, []).append(item)
    if len(spans) == 1:
        return f"answers coded {_span(items[0])}"
    return "answers coded " + "; ".join(
        f"{_span(found[0])} ({'item' if len(found) == 1 else 'items'} {_listed([item.id for item in found])})"
        for found in spans.values()
    )


def _span(item: Item) -> str:
    return f"{item.low} to {item.high}" if item.gapless else ", ".join(map(str, item.codes))


def _either(codes: Iterable[int]) -> str:
    return " or ".join(map(str, codes))


def _listed(ids: Sequence[str]) -> str:
    """Return ids with runs of three or more numbers shortened.

    Examples
    --------
    >>> _listed(["1", "2", "3", "7", "9", "AD1"])
    '1 to 3, 7, 9, AD1'
    """
    runs: list[list[str]] = []
    for name in ids:
        follows = runs and name.isdecimal() and runs[-1][-1].isdecimal() and int(name) == int(runs[-1][-1]) + 1
        if follows:
            runs[-1].append(name)
        else:
            runs.append([name])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)
