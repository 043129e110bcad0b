"""The pages of the instruments: one with all of them, which a script makes searchable, and one card each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sweval.scoring.card_facts import NOT_CHECKED, NOT_CHECKED_MEANS, Fact, Part, parts
from sweval.scoring.finder import find, place
from sweval.scoring.records import LICENCES, Instrument

_CODE = re.compile(r"""(\b[a-z_]+=(?:"[^"]*"|\{[^}]*\}|[\w(][^\s;,.]*))""")
_DOI = re.compile(r"(?:doi:|https?://doi\.org/)(10\.\d{4,9}/(?:[^\s();,]|\([^\s()]*\))*(?:[^\s();,.]|\([^\s()]*\)))")
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>#|$~^])")


def pages() -> dict[str, str]:
    """Return the text of every page by its path without ending, below the folder of generated pages."""
    found = find()
    return {"instruments": _index(found), **{f"instruments/{entry.id}": _card(entry) for entry in found}}


def _index(found: tuple[Instrument, ...]) -> str:
    header = "| Instrument | Measures | Level | For | Items | Licence |\n|---|---|---|---|---|---|"
    cards = "\n".join(f"{entry.id} <instruments/{entry.id}>" for entry in found)
    return "\n\n".join(
        [
            "# Instruments",
            f"{len(found)} questionnaires can be scored: `sw.score(frame, id, items=...)`. Each card says how, by "
            "whose rule, who may use it, and what was not checked; `sweval show ID` prints the same. Items are "
            "numbered, never printed: the wording is with the owner of the questionnaire. To score one that is not "
            "here, [write its definition](../../howto/own_instrument.md).",
            f":::{{container}} catalogue\n{header}\n" + "\n".join(map(_row, found)) + "\n:::",
            f"```{{toctree}}\n:hidden:\n{cards}\n```",
        ]
    )


def _row(entry: Instrument) -> str:
    scores = ", ".join(scale.id.replace("_", " ") for scale in entry.scores)
    several = f" (scores: {markdown(scores)})" if len(entry.scores) > 1 else ""
    asked = "; ".join(text for text in (entry.population, entry.respondent) if text)
    cells = [
        f"[**{markdown(entry.id)}**](instruments/{entry.id}.md) {markdown(entry.title)}",
        markdown(entry.construct) + several,
        markdown(place(entry)),
        markdown(asked),
        str(len(entry.items)),
        markdown(LICENCES[entry.licence.kind]),
    ]
    return "| " + " | ".join(cells) + " |"


def _card(entry: Instrument) -> str:
    found = parts(entry)
    licence = ", accept_licence=True" if entry.licence.kind == "permission_required" else ""
    call = f'sw.score(frame, "{entry.id}", items="{entry.id}_{{item}}"{licence})'
    blocks = [f"# {markdown(f'{entry.id}: {entry.title}')}", f"```python\n{call}\n```"]
    for part in found:
        blocks.append(f"## Score `{part.column}`" if part.column else f"## {part.title}")
        blocks.append("\n".join(_definitions(part)))
    if not all(fact.checked for part in found for fact in part.facts):
        blocks.append(markdown(NOT_CHECKED_MEANS))
    return "\n\n".join(blocks)


def _definitions(part: Part) -> Iterator[str]:
    """Give the lines of a definition list; facts of one name stand under one term."""
    before = ""
    for fact in part.facts:
        if fact.name != before:
            yield f"\n{fact.name}"
        yield from _definition(fact)
        before = fact.name


def _definition(fact: Fact) -> Iterator[str]:
    mark = "" if fact.checked else f" **\\[{NOT_CHECKED}\\]**"
    lines = []
    if fact.rows:
        lines += [f"| {fact.head[0]} | {fact.head[1]} |", "|---|---|"]
        lines += [f"| {markdown(left)} | {markdown(right)} |" for left, right in fact.rows]
        lines += [""]
    if fact.text:
        lines.append(markdown(fact.text) + mark)
    yield f": {lines[0]}"
    yield from (f"  {line}".rstrip() for line in lines[1:])


def markdown(text: str) -> str:
    """Return plain text as Markdown that shows it unchanged: arguments as code, a DOI as a link."""
    made = []
    for place_of, piece in enumerate(_CODE.split(" ".join(text.split()))):
        made.append(f"`{piece}`" if place_of % 2 else _plain(piece))
    return "".join(made)


def _plain(text: str) -> str:
    made = []
    for place_of, piece in enumerate(_DOI.split(text)):
        shown = _PUNCTUATION.sub(r"\\\1", piece)
        made.append(f"[doi:{shown}](<https://doi.org/{piece}>)" if place_of % 2 else shown)
    return "".join(made)
