"""Effect sizes as functions of arrays: `sweval.effects.hedges_g(treated, control, better="higher")`.

Every name in the `__all__` of a file in this folder is importable from here. The files are looked through when a name
is first asked for, so importing sweval stays light and a new file needs no entry anywhere.
"""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def _home() -> dict[str, str]:
    """Return public name -> module, for every file of this folder."""
    from importlib import import_module
    from pkgutil import iter_modules

    stems = sorted(found.name for found in iter_modules(__path__))
    modules = [import_module(f"{__name__}.{stem}") for stem in stems]
    return {name: module.__name__ for module in modules for name in module.__all__}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    from importlib import import_module

    home = None if name.startswith("_") else _home().get(name)
    if home is None:
        raise AttributeError(f"module 'sweval.effects' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_home())
