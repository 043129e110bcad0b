"""Every tutorial runs from top to bottom in a fresh process, and the numbers that it asserts hold."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "tutorials"
PAGES = sorted(path for path in FOLDER.glob("*.md") if "{code-cell}" in path.read_text(encoding="utf-8"))
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def script(page: Path) -> str:
    """Return the code cells as one script; a line `!command` of a notebook becomes a call that must succeed."""
    lines = ["import subprocess"]
    for cell in CELL.findall(page.read_text(encoding="utf-8")):
        for line in cell.splitlines():
            if line.startswith("!"):
                lines.append(f"subprocess.run({line[1:]!r}, shell=True, check=True)")
            elif not line.startswith(":"):
                lines.append(line)
    return "\n".join(lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tutorial_runs_and_its_numbers_hold(page: Path, tmp_path: Path) -> None:
    code = script(page)
    assert "assert " in code, "a tutorial states a number that a reader can check"
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", "page.py"],
        cwd=tmp_path,
        env={**os.environ, "PATH": beside},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
