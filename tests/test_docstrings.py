"""Every public thing says what it is for; what users call also says what it takes, returns and how it is used."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import sweval

MODULES = [found.name for found in pkgutil.walk_packages(sweval.__path__, prefix="sweval.")]


def public_members(module: ModuleType) -> list[tuple[str, object]]:
    """Return the public functions, classes and their public methods that this module defines."""
    found: list[tuple[str, object]] = []
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value):
            found.append((name, value))
            found += [
                (f"{name}.{method}", member)
                for method, member in vars(value).items()
                if not method.startswith("_")
                and inspect.isfunction(inspect.unwrap(getattr(member, "__func__", member)))
            ]
        elif inspect.isfunction(value):
            found.append((name, value))
    return found


@pytest.mark.parametrize("module", ["sweval", *MODULES])
def test_every_module_and_public_member_has_a_docstring(module: str) -> None:
    loaded = importlib.import_module(module)
    empty = not Path(str(loaded.__file__)).read_text(encoding="utf-8").strip()
    assert empty or loaded.__doc__, f"{module} has no docstring"
    bare = [name for name, member in public_members(loaded) if not (inspect.getdoc(member) or "").strip()]
    assert bare == []


def called_by_users() -> list[str]:
    """Return the names a user types after `sw.`: functions, classes, effects and plots."""
    names = [name for name in dir(sweval) if callable(getattr(sweval, name))]
    effects = [f"effects.{name}" for name in dir(sweval.effects) if inspect.isfunction(getattr(sweval.effects, name))]
    plots = [f"plots.{name}" for name in sweval.plots.__all__ if _draws(getattr(sweval.plots, name))]
    return [*names, *effects, *plots]


def _draws(member: object) -> bool:
    """Tell whether a function gives Axes to the reader."""
    return inspect.isfunction(member) and inspect.signature(member).return_annotation == "Axes"


def test_all_plots_are_found() -> None:
    assert {"plots.forest", "plots.items", "plots.scale", "plots.residuals"} <= set(called_by_users())


@pytest.mark.parametrize("name", called_by_users())
def test_what_users_call_is_documented_in_full(name: str) -> None:
    member: object = sweval
    for part in name.split("."):
        member = getattr(member, part)
    text = inspect.getdoc(member) or ""
    missing = [] if name in {"SwevalError", "Estimate"} or ">>> " in text else ["Examples"]
    if inspect.isfunction(member):
        takes = [key for key in inspect.signature(member).parameters if key != "self"]
        missing += [] if not takes or "\nParameters\n---" in text else ["Parameters"]
        missing += (
            [] if "\nReturns\n---" in text or inspect.signature(member).return_annotation == "None" else ["Returns"]
        )
    assert missing == [], f"sw.{name}"


@pytest.mark.parametrize(
    "name", ["ClusterTrial", "PartiallyNested", "TwoGroup", "PrePost", "ClusterRobust", "ReliableChange"]
)
def test_fit_of_every_design_is_documented(name: str) -> None:
    text = inspect.getdoc(getattr(sweval, name).fit) or ""
    assert "Returns" in text
    assert "outcome" in text
