"""Lower layers never import higher ones, and the numbers need numpy and scipy only."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import sweval

ROOT = Path(sweval.__file__).parent
LAYERS = [
    ["errors"],
    ["frames", "result"],
    ["scoring", "data", "effects", "models.engine"],
    ["models"],
    ["reporting"],
    ["study"],
    ["cli"],
]
HEAVY = {"pandas", "statsmodels", "matplotlib", "seaborn", "pyreadstat", "polars", "duckdb", "pyarrow"}


def module_of(path: Path) -> str:
    """Return the dotted name below `sweval`, without `__init__`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def layer_of(module: str) -> int:
    """Return the layer of the longest prefix that has one."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        for layer, members in enumerate(LAYERS):
            if ".".join(parts[:length]) in members:
                return layer
    raise AssertionError(f"{module} is in no layer: add it to LAYERS")


def imports_of(tree: ast.AST) -> list[str]:
    """Return the full dotted names that are imported anywhere in the tree."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


FILES = {module_of(path): path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"}


@pytest.mark.parametrize("module", FILES)
def test_no_module_imports_a_higher_layer(module: str) -> None:
    own = layer_of(module)
    for name in imports_of(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        top, _, below = name.partition(".")
        if top == "sweval" and below and below != "__version__":
            assert layer_of(below) <= own, f"{module} imports {name}"


@pytest.mark.parametrize("module", [name for name in FILES if name.startswith(("effects", "models.engine"))])
def test_numbers_need_numpy_and_scipy_only(module: str) -> None:
    allowed = {"numpy", "scipy", "__future__"} | set(sys.stdlib_module_names)
    for name in imports_of(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        ours = name.startswith(("sweval.errors.", "sweval.result.", "sweval.effects", "sweval.models.engine"))
        assert ours or name.partition(".")[0] in allowed, f"{module} imports {name}"


@pytest.mark.parametrize("module", [name for name in FILES if not name.startswith(("effects", "models.engine"))])
def test_heavy_libraries_are_imported_where_they_are_used(module: str) -> None:
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    eager = ast.Module(
        body=[node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], type_ignores=[]
    )
    heavy = {name.partition(".")[0] for name in imports_of(eager)} & HEAVY
    assert not heavy, f"{module} imports {heavy} at the top"


def test_files_stay_short() -> None:
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in FILES.items()}
    assert {name: count for name, count in lines.items() if count > 440} == {}
