"""Every instrument has a row and a card in the documentation, which show the definition's words unchanged."""

from __future__ import annotations

import html
import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest
from markdown_it import MarkdownIt

from sweval.scoring.card_facts import LICENCE_MEANS, NOT_CHECKED, parts
from sweval.scoring.definition import catalogue
from sweval.scoring.records import LICENCES

DOCS = Path(__file__).resolve().parents[2] / "docs"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("catalogue_pages", DOCS / "_ext" / "catalogue.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    made: dict[str, str] = load().pages()
    return made


def read(markdown: str) -> str:
    """Return what a reader sees of one line of Markdown."""
    shown = re.sub(r"<[^>]+>", "", MarkdownIt("commonmark").renderInline(markdown))
    return html.unescape(shown)


def test_every_instrument_has_a_row_and_a_card(pages: dict[str, str]) -> None:
    ids = {entry.id for entry in catalogue()}
    assert set(pages) == {"instruments", *(f"instruments/{name}" for name in ids)}
    rows = re.findall(r"^\| \[\*\*(.+?)\*\*\]\(instruments/(\w+)\.md\)", pages["instruments"], re.MULTILINE)
    assert sorted(row[1] for row in rows) == sorted(ids)
    assert sorted(re.findall(r"^\w+ <instruments/(\w+)>$", pages["instruments"], re.MULTILINE)) == sorted(ids)


def test_a_card_holds_every_fact_of_the_definition(pages: dict[str, str]) -> None:
    for entry in catalogue():
        card = pages[f"instruments/{entry.id}"]
        seen = read(card)
        for part in parts(entry):
            for fact in part.facts:
                assert " ".join(fact.text.split()) in seen, (entry.id, fact)
                assert all(right in seen for _, right in fact.rows), (entry.id, fact)
        unchecked = sum(not fact.checked for part in parts(entry) for fact in part.facts)
        assert card.count(f"**\\[{NOT_CHECKED}\\]**") == unchecked
        assert f"# {entry.id}" in card.replace("\\", "")


@pytest.mark.parametrize(
    "text",
    [
        "a_b*c* [x](y) <b> #1 | ~ $2$ `c` 2^3",
        'pass coding="form", or coding={1: 0, 2: 1}; missing=(9, 99)',
        "Smith 2001. doi:10.1000/182_a(3). Next",
        "https://example.org/a_b",
    ],
)
def test_any_text_is_shown_unchanged(text: str) -> None:
    assert read(load().markdown(text)) == text


def test_a_doi_is_a_link_and_an_argument_is_code() -> None:
    markdown = load().markdown
    assert markdown("doi:10.1000/182.") == "[doi:10.1000/182](<https://doi.org/10.1000/182>)."
    assert markdown('say coding="4-1" then') == 'say `coding="4-1"` then'


def test_the_script_finds_the_columns_it_searches(pages: dict[str, str]) -> None:
    script = (DOCS / "_static" / "catalogue.js").read_text(encoding="utf-8")
    head = next(line for line in pages["instruments"].splitlines() if line.startswith("| Instrument"))
    wanted = set(re.findall(r'(?:column|values)\("(\w+)"\)', script))
    assert wanted == {"Level", "Measures", "Licence"}
    assert wanted <= {cell.strip() for cell in head.split("|")}
    assert "innerHTML" not in script


def test_every_licence_is_explained() -> None:
    assert list(LICENCE_MEANS) == list(LICENCES)
