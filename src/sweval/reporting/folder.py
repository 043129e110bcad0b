"""The folder a report is written to: all files or none, nobody else's file touched, a manifest written last."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from sweval.data.write import write_bytes
from sweval.errors import OutputError

MANIFEST = "manifest.json"
_OURS = "sweval report"
_VERSIONS = ("numpy", "scipy", "pandas", "statsmodels", "pyreadstat", "matplotlib")


def write_folder(folder: Path, files: Mapping[str, bytes], *, inputs: Mapping[str, str], option: str) -> list[Path]:
    """Write files into a folder, then the manifest that lists them.

    Parameters
    ----------
    folder
        Made where it does not exist.
    files
        Name -> content.
    inputs
        Name -> SHA-256 of what was read.
    option
        How the user names another folder, for the error message.

    Raises
    ------
    OutputError
        If a file of that name is there which no manifest of ours lists, or the folder cannot be written. Nothing is
        written in the first case; in the second, files that were new are taken away again.
    """
    listed = _listed(folder)
    if folder.exists() and not folder.is_dir():
        raise OutputError("this is a file, not a folder.", where=str(folder), fix=f"Name another folder with {option}.")
    foreign = sorted(name for name in (*files, MANIFEST) if _exists(folder / name) and name not in listed)
    if foreign:
        raise OutputError(
            f"{', '.join(foreign)} is there already and was not written by sweval.",
            where=str(folder),
            fix=f"Move it away, or name another folder with {option}.",
        )
    new = [folder / name for name in (*files, MANIFEST) if not _exists(folder / name)]
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The list comes first, so that a run that is killed half way can be repeated over its own files.
        write_bytes(folder / MANIFEST, _manifest(files, inputs, complete=False))
        for name, content in files.items():
            write_bytes(folder / name, content)
        write_bytes(folder / MANIFEST, _manifest(files, inputs, complete=True))
    except OSError as error:
        _take_away(new, made)
        raise OutputError(f"the folder cannot be written ({error.strerror}).", where=str(folder)) from error
    except OutputError:
        _take_away(new, made)
        raise
    return [folder / name for name in (*files, MANIFEST)]


def sha256(content: bytes) -> str:
    """Return the hexadecimal SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def _manifest(files: Mapping[str, bytes], inputs: Mapping[str, str], *, complete: bool) -> bytes:
    content = {
        "kind": _OURS,
        "complete": complete,
        "versions": {"python": platform.python_version(), "sweval": version("sweval")}
        | {name: version(name) for name in _VERSIONS},
        "inputs": dict(inputs),
        "files": {name: {"bytes": len(data), "sha256": sha256(data)} for name, data in files.items()},
        "text_cells": "A text cell of a csv file that a spreadsheet would run as a formula starts with an apostrophe.",
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def _listed(folder: Path) -> frozenset[str]:
    """Return the names that an earlier manifest of ours lists, with the manifest itself."""
    path = folder / MANIFEST
    if not path.is_file() or path.is_symlink():
        return frozenset()
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return frozenset()
    if not isinstance(content, dict) or content.get("kind") != _OURS or not isinstance(content.get("files"), dict):
        return frozenset()
    return frozenset(content["files"]) | {MANIFEST}


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _take_away(files: list[Path], folders: list[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
    for path in folders:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
