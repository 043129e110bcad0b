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
    """A named fact; `rows` where it is a table, `checked` False where it was not compared with its source."""

    name: str
    text: str = ""
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
    for gate in instrument.gates:
        asked_if = " or ".join(f"{name} is {_either(codes)}" for name, codes in gate.when_any.items())
        yield Fact(name="asked only if", text=f"{_listed(gate.asks)}: {asked_if}; not asked counts as {gate.otherwise}")
    for coding in instrument.codings:
        yield Fact(name="other coding", text=f'coding="{coding.name}": {coding.note}')


def _score(instrument: Instrument, scale: Scale) -> Iterator[Fact]:
    yield Fact(name="made", text=_made(instrument, scale))
    low, high = scale.range
    better = f"; {scale.better} is better" if scale.better else "; no direction is stated to be better"
    yield Fact(name="range", text=f"{low:g} to {high:g}{better}")
    yield _missing(scale.missing, len(scale.items))
    if scale.bands:
        rows = tuple((f"{band.min:g} to {band.max:g}", band.label) for band in scale.bands)
        cuts = ", ".join(f"{band.cut:g}" for band in scale.bands[1:])
        cut = f"; cut at {cuts}, without rounding" if cuts else ""
        yield Fact(name="bands", text=f"{scale.band_set.source}{cut}", rows=rows, checked=scale.band_set.verified)


def _made(instrument: Instrument, scale: Scale) -> str:
    """Return the rule of a score in words."""
    which = "all items" if len(scale.items) == len(instrument.items) else f"items {_listed(scale.items)}"
    times = f", times {scale.multiply:g}" if scale.multiply != 1 else ""
    return f"{scale.op} of {which}{times}"


def _missing(rule: MissingRule, items: int) -> Fact:
    if rule.max_missing:
        rounded = ", rounded to a whole number" if rule.rounded else ""
        upto = "one missing answer is" if rule.max_missing == 1 else f"up to {rule.max_missing} missing answers are"
        text = f"{upto} replaced by the mean of the others{rounded}; with more there is no score"
    else:
        text = "no score unless every item is answered" if items > 1 else "no score without the answer"
    whose = "the authors' rule: " if rule.by_authors and rule.source else ""
    origin = f" ({whose}{rule.source})" if rule.source else ""
    return Fact(name="missing", text=text + origin, checked=rule.verified or not rule.max_missing)


def _safety(instrument: Instrument) -> Iterator[Fact]:
    for safety in instrument.safety:
        yield Fact(name="safety", text=f"item {safety.item}, answer {safety.at_least} or more: {safety.note}")


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
