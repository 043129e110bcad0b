"""Whatever the page for readers who know R calls by name is there."""

from __future__ import annotations

import re
from pathlib import Path

import sweval as sw

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "from_r.md"
_WORD = re.compile(r"(?<![\w\"])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w\"]|\s*=)")


def named() -> set[str]:
    """Return the names with an underscore in the right-hand column, without values and keywords of arguments."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ") and "`" in line]
    return {name for row in rows for name in _WORD.findall(row.split(" | ")[-1])}


def test_every_function_on_the_page_exists() -> None:
    known = {*dir(sw), *dir(sw.effects), *sw.plots.__all__, "with_j", "leave_one_out"}
    assert len(named()) > 80
    assert named() - known == set()
