"""The page is whole, readable without sight or colour, and no text of the data can become markup."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sweval.reporting.html import visible
from sweval.reporting.report import report
from sweval.result import Result

VOID = {"meta", "img", "br", "hr", "link", "input"}
PAYLOADS = [
    "<img src=x onerror=alert(1)>",
    "</td></table><script>alert(1)</script>",
    '"><svg/onload=alert(1)>',
    "' onmouseover='alert(1)",
    "<!-- -->",
    "]]><b>",
    "{outcome} {0} %s ${x}",
    "&lt;b&gt; &amp;",
    "javascript:alert(1)",
    "=HYPERLINK(\"http://127.0.0.1\",\"x\")",
    "line\nbreak\ttab",
    "\x00\x07\x1b[31m \u202eevil",
    "😀 Zoë Ünïcode 中文",
]  # fmt: skip


class Outline(HTMLParser):
    """The tags and attribute names of a page in order; the texts apart."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError("the page has no comments")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def page_of(result: Result, folder: Path, **options: object) -> str:
    report(result, folder, **options)
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def page(synthetic: Result, tmp_path: Path) -> str:
    return page_of(synthetic, tmp_path / "out", title="Family check-in")


def test_no_label_changes_the_structure(relabelled: Callable[[str], Result], tmp_path: Path) -> None:
    plain = outline(page_of(relabelled("plain"), tmp_path / "plain"))
    for number, payload in enumerate(PAYLOADS):
        injected = outline(page_of(relabelled(payload), tmp_path / str(number)))
        assert injected.tags == plain.tags, payload
        assert visible(payload) in "".join(injected.text), payload


def test_nothing_runs_and_nothing_is_loaded(page: str) -> None:
    found = outline(page)
    assert not {tag for tag, _ in found.tags} & {"script", "iframe", "object", "embed", "link", "base", "form"}
    assert not [name for _, name, _ in found.attributes if name.startswith("on") or name == "style"]
    sources = [value for _, name, value in found.attributes if name in ("src", "href")]
    assert sources
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    policy = [value for tag, name, value in found.attributes if tag == "meta" and name == "content"]
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in policy
    assert "@import" not in page
    assert "url(" not in page


def test_headings_captions_scopes_and_alternatives(page: str) -> None:
    found = outline(page)
    count = [tag for tag, _ in found.tags].count
    assert count("h1") == 1
    assert count("caption") == count("table") == 6
    assert all("scope" in names for tag, names in found.tags if tag == "th")
    assert [value for tag, name, value in found.attributes if (tag, name) == ("html", "lang")] == ["en"]
    (alternative,) = [value for tag, name, value in found.attributes if (tag, name) == ("img", "alt")]
    assert alternative.startswith("Forest plot of 4 effects")
    assert count("main") == 1


def test_what_the_page_says(page: str) -> None:
    text = " ".join("".join(outline(page).text).split())
    for part in (
        "Family check-in",
        "Question: do clients do better",
        "0.46 [0.21, 0.70]",
        "whole clusters assigned to an arm, adjusted for baseline",
        "Results that cannot be compared with the effects above",
        "13.90",
        "Standard error of measurement",
        "31 rows were left out",
        "Hedges g, CR2, Satterthwaite df",
        "How to read these numbers",
    ):
        assert part in text
    assert "signifi" not in text.casefold()
    assert "***" not in text


def test_page_in_indonesian(synthetic: Result, tmp_path: Path) -> None:
    page = page_of(synthetic, tmp_path / "out", language="id")
    found = outline(page)
    languages = [value for _, name, value in found.attributes if name == "lang"]
    assert languages[0] == "id"
    assert set(languages[1:]) == {"en"}, "what the program writes in English is marked as English"
    assert "0,46 [0,21; 0,70]" in page
    assert "Cara membaca angka-angka ini" in page


def test_a_result_without_effects_has_a_page(tmp_path: Path) -> None:
    page = page_of(Result(estimates=()), tmp_path / "out")
    assert "This result holds no standardised effect." in page
    assert "Nothing was dropped, recoded or assumed." in page
    assert not (tmp_path / "out" / "forest.svg").exists()


def test_control_characters_become_visible() -> None:
    assert visible("a\x00b\u202ec\nd") == "a\ufffdb\ufffdc\nd"
