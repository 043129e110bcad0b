"""`sweval.effects` finds its functions by walking the folder."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sweval as sw

FOLDER = Path(sw.effects.__file__).parent
STEMS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


def declared(stem: str) -> list[str]:
    """Return the names in a file's `__all__`, read without importing it."""
    for node in ast.parse((FOLDER / f"{stem}.py").read_text(encoding="utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id == "__all__":
            return list(ast.literal_eval(node.value))
    raise AssertionError(f"{stem} has no __all__")


@pytest.mark.parametrize("stem", STEMS)
def test_every_declared_name_is_there_and_listed(stem: str) -> None:
    for name in declared(stem):
        assert name in dir(sw.effects)
        assert getattr(sw.effects, name) is not None


def test_no_name_is_declared_twice_or_hidden_by_a_file() -> None:
    names = [name for stem in STEMS for name in declared(stem)]
    assert sorted(names) == sorted(set(names)) == dir(sw.effects)
    assert not set(names) & set(STEMS)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="cohens_kappa"):
        _ = sw.effects.cohens_kappa
    with pytest.raises(AttributeError, match="_private"):
        _ = sw.effects._private


def test_importing_the_folder_loads_no_numbers() -> None:
    code = "import sys, sweval; sweval.effects; print('numpy' in sys.modules, 'scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"]
