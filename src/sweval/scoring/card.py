"""An instrument's card as text, for a terminal: what `describe()` returns and `sweval show` prints."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from sweval.scoring.card_facts import NOT_CHECKED, NOT_CHECKED_MEANS, Fact, Part, parts
from sweval.scoring.records import Instrument

_WIDTH = 80
_INDENT = 14
_LISTED = ("trap", "key read in", "tested with")


def card(instrument: Instrument) -> str:
    """Return everything a user needs to know before scoring, at most 80 columns wide where words allow it."""
    found = parts(instrument)
    lines = _wrapped(f"{instrument.id}  {instrument.title}", "", " " * (len(instrument.id) + 2))
    for part in found:
        lines += ["", f"SCORE {part.column}" if part.column else part.title.upper(), *_facts(part)]
    if not all(fact.checked for part in found for fact in part.facts):
        lines += ["", *_wrapped(NOT_CHECKED_MEANS, "", "")]
    return "\n".join(lines)


def _facts(part: Part) -> Iterator[str]:
    """Give the lines of a part; a name that repeats is printed once."""
    before = ""
    for fact in part.facts:
        yield from _fact(fact, "" if fact.name == before else fact.name)
        before = fact.name


def _fact(fact: Fact, name: str) -> Iterator[str]:
    mark = "" if fact.checked else f" [{NOT_CHECKED}]"
    width = max((len(left) for left, _ in fact.rows), default=0)
    for place, (left, right) in enumerate(fact.rows):
        start = (name if place == 0 else "").ljust(_INDENT)
        if width > _WIDTH // 2:
            yield from _wrapped(f"{left}: {right}", start, " " * (_INDENT + 2))
            continue
        start += left.ljust(width) + "  "
        yield from _wrapped(right, start, " " * len(start))
    if fact.text or not fact.rows:
        bullet = "- " if fact.name in _LISTED else ""
        start = (name if not fact.rows else "").ljust(_INDENT) + bullet
        yield from _wrapped(fact.text + mark, start, " " * len(start))


def _wrapped(text: str, first: str, then: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )
