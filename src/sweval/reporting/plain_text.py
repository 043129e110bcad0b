"""Tables for a terminal: plain characters, no wider than it needs to be."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from sweval.reporting.cells import Table
from sweval.reporting.html import visible
from sweval.reporting.language import MINUS, load_language
from sweval.reporting.tables import tables
from sweval.scoring.finder import place
from sweval.scoring.records import Instrument

if TYPE_CHECKING:
    import pandas as pd

_LEFT_OUT = ("design", "service")
_WIDEST_CELL = 44
_NARROW = 14
_WIDEST_ID = 22
SHORT_LICENCES = {
    "public_domain": "public domain",
    "cc": "CC",
    "free": "free",
    "free_noncommercial": "non-commercial",
    "permission_required": "ask owner",
    "unclear": "unclear",
}
"""Licence class -> what a narrow column says."""
_ASK_FIRST = {
    "permission_required": "the owner asks for permission; to score, add --accept-licence",
    "unclear": "no statement of the owner was found",
}


def plain_effects(tidy: pd.DataFrame, *, language: str = "en", small_cells: int = 11) -> str:
    """Return a synthesis, the effect table and what cannot be compared with it, for a terminal; yes/no outcomes too."""
    words = load_language(language)
    shown = [
        table
        for table in tables(tidy, language=language, small_cells=small_cells)
        if table.name in ("synthesis", "effects", "apart", "risks", "contrasts")
    ]
    if not shown:
        return words.say("report.no_effects")
    parts = [_plain(table) for table in shown]
    return "\n\n".join(parts).replace(MINUS, "-")


def plain_frame(frame: pd.DataFrame, *, width: int) -> str:
    """Return a data frame of texts with long cells folded, so that lines stay within the width where they can."""
    names = [str(name) for name in frame.columns]
    rows = [["" if value is None else visible(str(value)) for value in row] for row in frame.itertuples(index=False)]
    natural = [max(len(line[i]) for line in [names, *rows]) for i in range(len(names))]
    spare = max(width - 2 * (len(names) - 1) - sum(min(size, _NARROW) for size in natural), 0)
    wide = sum(max(size - _NARROW, 0) for size in natural) or 1
    widths = [min(size, _NARROW + spare * max(size - _NARROW, 0) // wide) for size in natural]
    lines = [_folded(names, widths), *(_folded(row, widths) for row in rows)]
    return "\n".join(line.rstrip() for block in lines for line in block)


def plain_catalogue(instruments: Sequence[Instrument], *, width: int) -> str:
    """Return instruments as a table, level by level; an id is never folded, since it is what one types."""
    if not instruments:
        return "No questionnaire fits. Search with fewer or shorter words."
    ids = [entry.id for entry in instruments]
    first = min(_WIDEST_ID, max(map(len, [*ids, "id"])))
    second = max(len(SHORT_LICENCES[entry.licence.kind]) for entry in instruments)
    indent = " " * (first + second + 11)
    lines = [f"{'id':{first}}  items  {'licence':{second}}  title: what it measures"]
    for level, entries in groupby(instruments, key=place):
        lines += ["", level]
        for entry in entries:
            licence = SHORT_LICENCES[entry.licence.kind]
            start = f"{'' if len(entry.id) > first else entry.id:{first}}  {len(entry.items):5}  {licence:{second}}  "
            lines += [entry.id] if len(entry.id) > first else []
            part = " [key read in part]" if entry.key.status == "partial" else ""
            text = visible(f"{entry.title}: {entry.construct}{part}")
            lines += textwrap.wrap(text, width, initial_indent=start, subsequent_indent=indent, break_on_hyphens=False)
    said = [
        f"{SHORT_LICENCES[kind]}: {meaning}"
        for kind, meaning in _ASK_FIRST.items()
        if any(entry.licence.kind == kind for entry in instruments)
    ]
    return "\n".join([*lines, *([""] if said else []), *said])


def _plain(table: Table) -> str:
    kept = [i for i, column in enumerate(table.columns) if column.name not in _LEFT_OUT]
    head = [table.columns[i].label for i in kept]
    right = [table.columns[i].numeric for i in kept]
    body = [(row.group, [visible(row.cells[i].text) for i in kept]) for row in table.rows]
    widths = [
        min(_WIDEST_CELL, max(len(line[i]) for line in [head, *(cells for _, cells in body)])) for i in range(len(kept))
    ]
    out = [table.caption, _line(head, widths, right)]
    for group, rows in groupby(body, key=lambda row: row[0]):
        if group is not None:
            out.append(visible(group))
        out += [_line(["  " + cells[0], *cells[1:]], widths, right) for _, cells in rows]
    return "\n".join(out)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    sizes = [widths[0] + 2, *widths[1:]]
    shown = [
        textwrap.shorten(cell, size, placeholder="…") if len(cell) > size else cell
        for cell, size in zip(cells, sizes, strict=True)
    ]
    return "  ".join(
        cell.rjust(size) if flush else cell.ljust(size) for cell, size, flush in zip(shown, sizes, right, strict=True)
    ).rstrip()


def _folded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return the lines of one row."""
    parts = [textwrap.wrap(cell, max(width, 1)) or [""] for cell, width in zip(cells, widths, strict=True)]
    height = max(len(part) for part in parts)
    return [
        "  ".join((part[y] if y < len(part) else "").ljust(width) for part, width in zip(parts, widths, strict=True))
        for y in range(height)
    ]
