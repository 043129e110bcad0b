"""An instrument on one page of text: what `describe()` returns and `sweval show` prints."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from sweval.scoring.records import KEY_STATUS, LICENCES, Change, Instrument, Item, Norm, Reliability, Scale

_WIDTH = 100
_INDENT = 14


def card(instrument: Instrument) -> str:
    """Return everything a user needs to know before scoring, line by line."""
    lines = [f"{instrument.id}  {instrument.title}", ""]
    for name, text in _facts(instrument):
        lines += _entry(name, text)
    for scale in instrument.scores:
        lines += ["", *_scale(instrument, scale)]
    lines += ["", *_published(instrument)]
    for safety in instrument.safety:
        lines += _entry("safety", f"item {safety.item}, answer {safety.at_least} or more: {safety.note}")
    for trap in instrument.traps:
        lines += _entry("watch out", trap)
    for source in instrument.key.sources:
        lines += _entry("key read in", source)
    return "\n".join(lines).rstrip()


def _facts(instrument: Instrument) -> Iterable[tuple[str, str]]:
    level = f"{instrument.level} ({instrument.domain.replace('_', ' ')})" if instrument.domain else instrument.level
    yield "measures", instrument.construct
    yield "level", level
    if instrument.population or instrument.respondent:
        asked = f"; answered by: {instrument.respondent}" if instrument.respondent else ""
        yield "for", f"{instrument.population}{asked}"
    yield "items", f"{len(instrument.items)}; {_codes(instrument.items)}"
    reversed_items = [item.id for item in instrument.items if item.reversed]
    yield "reversed", ", ".join(reversed_items) if reversed_items else "none"
    for gate in instrument.gates:
        asked_if = " or ".join(f"{name} is {_either(codes)}" for name, codes in gate.when_any.items())
        yield "asked only if", f"{', '.join(gate.asks)}: {asked_if}; else counted as {gate.otherwise}"
    for coding in instrument.codings:
        yield "coding", f'"{coding.name}": {coding.note}'
    licence = instrument.licence
    holder = f" Owner: {licence.holder}." if licence.holder else ""
    yield "licence", f"{LICENCES[licence.kind]}. {licence.note}{holder}".strip()
    yield "key", KEY_STATUS[instrument.key.status]
    if instrument.citation:
        yield "cite", f"{instrument.citation}{f'. doi:{instrument.doi}' if instrument.doi else ''}"


def _scale(instrument: Instrument, scale: Scale) -> list[str]:
    """Return the lines of one score."""
    which = "all items" if len(scale.items) == len(instrument.items) else f"items {', '.join(scale.items)}"
    times = f", times {scale.multiply:g}" if scale.multiply != 1 else ""
    better = f"; {scale.better} is better" if scale.better else ""
    low, high = scale.range
    lines = _entry("score", f"{scale.column}: {scale.op} of {which}{times}; {low:g} to {high:g}{better}")
    rule = scale.missing
    if rule.max_missing:
        rounded = ", rounded to a whole number" if rule.rounded else ""
        text = f"up to {rule.max_missing} missing answers are replaced by the mean of the others{rounded}"
    else:
        text = "no score unless every item is answered"
    origin = (
        f" ({rule.source}{'' if rule.verified or not rule.max_missing else '; not checked'})" if rule.source else ""
    )
    lines += _entry("missing", text + origin)
    if scale.band_set is not None:
        rows = "; ".join(f"{band.min:g} to {band.max:g} {band.label}" for band in scale.bands)
        checked = "" if scale.band_set.verified else "; not checked"
        lines += _entry("bands", f"{rows} ({scale.band_set.source}{checked})")
        lines += _entry("", f"cut at {', '.join(f'{band.cut:g}' for band in scale.bands[1:])}, without rounding")
    return lines


def _published(instrument: Instrument) -> list[str]:
    """Return published reliabilities, norms and changes, each with whether it was checked."""
    lines: list[str] = []
    for row in instrument.reliability:
        kind = "alpha" if row.type == "alpha" else f"test-retest{f' over {row.interval}' if row.interval else ''}"
        where = f", {row.population}" if row.population else ""
        lines += _entry("reliability", f"{row.score}: {kind} {row.value:.2f}{where} ({_source(row)})")
    for norm in instrument.norms:
        size = f", n = {norm.n}" if norm.n else ""
        text = f"{norm.score}: {norm.population}: mean {norm.mean:g}, SD {norm.sd:g}{size} ({_source(norm)})"
        lines += _entry("norm", text)
    for change in instrument.change:
        lines += _entry("change", f"{change.score}: {change.mcid:g} points matter to clients ({_source(change)})")
    return lines


def _source(row: Reliability | Norm | Change) -> str:
    return row.source if row.verified else f"{row.source}; not checked"


def _codes(items: Sequence[Item]) -> str:
    spans: dict[tuple[int, ...], list[str]] = {}
    for item in items:
        spans.setdefault(item.codes, []).append(item.id)
    if len(spans) == 1:
        return f"answers coded {_span(items[0])}"
    by_id = {item.id: item for item in items}
    return "answers coded " + "; ".join(f"{_span(by_id[ids[0]])} (items {', '.join(ids)})" for ids in spans.values())


def _span(item: Item) -> str:
    return f"{item.low} to {item.high}" if item.gapless else ", ".join(map(str, item.codes))


def _either(codes: Sequence[int]) -> str:
    return " or ".join(map(str, codes))


def _entry(name: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=name.ljust(_INDENT), subsequent_indent=" " * _INDENT, break_long_words=False
    )
