"""One self-contained page: no script, nothing loaded, everything escaped, readable in print and on a phone."""

from __future__ import annotations

import base64
import html
import re
import unicodedata
from collections.abc import Sequence
from itertools import groupby

from sweval.reporting.cells import Cell, Column, Row, Table

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --paper: #fff; --line: #d0d7de; --band: #f3f5f7 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #a5adb7; --paper: #15181c; --line: #3a4149; --band: #20252b }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 66rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: break-word }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .5rem }
h2 { font-size: 1.25rem; margin: 2.25rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line) }
p, ul { max-width: 46rem; margin: .5rem 0 }
li { margin: .35rem 0 }
.lead { font-size: 1.1rem }
.soft, figcaption, .notes { color: var(--soft); font-size: .9rem }
.wide { overflow-x: auto; margin: 1rem 0 .25rem }
.wide:focus-visible { outline: 2px solid #0072b2 }
table { border-collapse: collapse; width: 100%; font-size: .9rem; line-height: 1.35 }
caption { text-align: left; font-weight: 600; padding: 0 0 .5rem }
th, td { padding: .4rem .75rem .4rem 0; text-align: left; vertical-align: top; font-weight: 400 }
thead th { font-weight: 600; border-top: 2px solid var(--ink); border-bottom: 1px solid var(--ink);
  vertical-align: bottom }
tbody tr + tr > * { border-top: 1px solid var(--line) }
tbody:last-child tr:last-child > * { border-bottom: 2px solid var(--ink) }
tbody th[scope=rowgroup] { font-weight: 600; background: var(--band); padding-left: .5rem }
.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
thead .n { white-space: normal }
.check { max-width: 46rem; margin: 1rem 0; padding: .5rem 1rem; border: 2px solid #b35900; border-left-width: .5rem }
figure { margin: 1.25rem 0 }
figure img { display: block; width: 100%; min-width: 40rem; max-width: 58rem; background: #fff; padding: .5rem }
details > summary { cursor: pointer; font-weight: 600 }
@media screen and (max-width: 40rem) {
  h1 { font-size: 1.4rem }
  table, caption, tbody, tr, td, tbody th { display: block }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
  tbody tr { border-top: 1px solid var(--line); padding: .4rem 0 }
  tbody tr > *, tbody tr + tr > *, tbody:last-child tr:last-child > * { border: 0; padding: .1rem 0 }
  tbody th[scope=row] { font-weight: 600 }
  tbody th[scope=rowgroup] { padding: .3rem .5rem }
  td { display: flex; justify-content: space-between; gap: 1.5rem; text-align: right }
  td.n { white-space: normal }
  td.n::before { max-width: 55% }
  td::before { content: attr(data-label); color: var(--soft); text-align: left; white-space: normal }
}
@media print {
  :root { --ink: #000; --soft: #333; --paper: #fff; --line: #aaa; --band: #eee }
  body { max-width: none; padding: 0; font-size: 9.5pt }
  .wide { overflow: visible } table, figure img { min-width: 0 }
  h2 { break-after: avoid } tr, figure { break-inside: avoid }
}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]|[\ud800-\udfff]")


def visible(text: str) -> str:
    """Return the text with control characters, which no file format holds safely, replaced by a visible sign."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", unicodedata.normalize("NFC", text))


def page(*, title: str, language: str, body: Sequence[str], footer: str) -> str:
    """Return the whole page; `body` holds finished markup of this module, every other argument is plain text."""
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="{_escaped(language)}">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_escaped(_POLICY)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{_escaped(title)}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            f"<h1>{_escaped(title)}</h1>",
            *body,
            "</main>",
            f'<footer class="soft"><p>{_escaped(footer)}</p></footer>',
            "</body>",
            "</html>",
            "",
        ]
    )


def heading(text: str) -> str:
    """Return a section heading."""
    return f"<h2>{_escaped(text)}</h2>"


def paragraph(text: str, *, style: str | None = None, language: str | None = None) -> str:
    """Return a paragraph; `language` where it differs from the page's."""
    return f"<p{_attributes(style, language)}>{_escaped(text)}</p>"


def bullets(texts: Sequence[str], *, language: str | None = None) -> str:
    """Return a list; `language` where it differs from the page's."""
    items = "\n".join(f"<li>{_escaped(text)}</li>" for text in texts)
    return f"<ul{_attributes(None, language)}>\n{items}\n</ul>"


def marked(title: str, markup: str) -> str:
    """Return a part that must not be overlooked."""
    return f'<div class="check">\n<p><strong>{_escaped(title)}</strong></p>\n{markup}\n</div>'


def folded(summary: str, markup: str) -> str:
    """Return a part that the reader opens."""
    return f"<details>\n<summary>{_escaped(summary)}</summary>\n{markup}\n</details>"


def picture(svg: bytes, *, alternative: str, caption: str) -> str:
    """Return a figure; the drawing is part of the page but cannot touch its styles or ids."""
    data = base64.b64encode(svg).decode("ascii")
    return (
        f'<figure>\n<div class="wide" tabindex="0" role="group" aria-label="{_escaped(caption)}">'
        f'<img src="data:image/svg+xml;base64,{data}" alt="{_escaped(alternative)}"></div>\n'
        f"<figcaption>{_escaped(caption)}</figcaption>\n</figure>"
    )


def table(table: Table) -> str:
    """Return a table with caption, column and row headings, and its footnotes.

    On a phone every row becomes a card; the roles keep it a table for a screen reader then.
    """
    head = "".join(
        f'<th role="columnheader" scope="col"{_aligned(column)}>{_escaped(column.label)}</th>'
        for column in table.columns
    )
    bodies = []
    for group, rows in groupby(table.rows, key=lambda row: row.group):
        lines = [_line(row, table.columns) for row in rows]
        if group is not None:
            span = len(table.columns)
            lines.insert(
                0, f'<tr role="row"><th role="rowheader" scope="rowgroup" colspan="{span}">{_escaped(group)}</th></tr>'
            )
        bodies.append('<tbody role="rowgroup">\n' + "\n".join(lines) + "\n</tbody>")
    notes = "".join(f'\n<p class="notes">{_escaped(note)}</p>' for note in table.notes)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{_escaped(table.caption)}">\n<table role="table">\n'
        f"<caption>{_escaped(table.caption)}</caption>\n"
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
        + "\n".join(bodies)
        + f"\n</table>\n</div>{notes}"
    )


def _line(row: Row, columns: Sequence[Column]) -> str:
    cells = [_cell(cell, column, first=i == 0) for i, (cell, column) in enumerate(zip(row.cells, columns, strict=True))]
    return f'<tr role="row">{"".join(cells)}</tr>'


def _cell(cell: Cell, column: Column, *, first: bool) -> str:
    if first:
        return f'<th role="rowheader" scope="row">{_escaped(cell.text)}</th>'
    return f'<td role="cell"{_aligned(column)} data-label="{_escaped(column.label)}">{_escaped(cell.text)}</td>'


def _aligned(column: Column) -> str:
    return ' class="n"' if column.numeric else ""


def _attributes(style: str | None, language: str | None) -> str:
    return (f' class="{_escaped(style)}"' if style else "") + (f' lang="{_escaped(language)}"' if language else "")


def _escaped(text: str) -> str:
    return html.escape(visible(text), quote=True)
