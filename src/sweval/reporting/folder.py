"""The folder a report is written to: all files or none, nobody else's file touched, a manifest written last."""

from __future__ import annotations

import hashlib
import json
import platform
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from sweval.data.write import write_bytes
from sweval.errors import OutputError, SwevalWarning

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

    Warns
    -----
    SwevalWarning
        If a file of an earlier report, which this one does not have, was changed since and is therefore kept.
    """
    earlier = _earlier(folder)
    listed = {*earlier, MANIFEST} if earlier is not None else set()
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
    entries = {name: {"bytes": len(data), "sha256": sha256(data)} for name, data in files.items()}
    outdated = {name: entry for name, entry in (earlier or {}).items() if name not in files}
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The list comes first, so that a run that is killed half way can be repeated over its own files.
        write_bytes(folder / MANIFEST, _manifest(outdated | entries, inputs, complete=False))
        for name, content in files.items():
            write_bytes(folder / name, content)
        kept = _remove(folder, outdated)
        write_bytes(folder / MANIFEST, _manifest(entries, inputs, complete=True))
    except OSError as error:
        _take_away(new, made)
        raise OutputError(f"the folder cannot be written ({error.strerror}).", where=str(folder)) from error
    except OutputError:
        _take_away(new, made)
        raise
    if kept:
        text = f"{folder}: {', '.join(kept)} is of an earlier report and was changed since; it was left as it is."
        warnings.warn(SwevalWarning(text), stacklevel=3)
    return [folder / name for name in (*files, MANIFEST)]


def sha256(content: bytes) -> str:
    """Return the hexadecimal SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def holds_report(folder: Path) -> bool:
    """Return whether an earlier report of ours is in the folder."""
    return _earlier(folder) is not None


def _manifest(entries: Mapping[str, object], inputs: Mapping[str, str], *, complete: bool) -> bytes:
    content = {
        "kind": _OURS,
        "complete": complete,
        "versions": {"python": platform.python_version(), "sweval": version("sweval")}
        | {name: version(name) for name in _VERSIONS},
        "inputs": dict(inputs),
        "files": dict(entries),
        "text_cells": "A text cell of a csv file that a spreadsheet would run as a formula starts with an apostrophe.",
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def _earlier(folder: Path) -> dict[str, object] | None:
    """Return name -> entry of the files that an earlier manifest of ours lists; None if there is no such manifest."""
    path = folder / MANIFEST
    if not path.is_file() or path.is_symlink():
        return None
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("kind") != _OURS or not isinstance(content.get("files"), dict):
        return None
    return dict(content["files"])


def _remove(folder: Path, outdated: Mapping[str, object]) -> list[str]:
    """Remove files that are still as the earlier report wrote them; return the names of those that are not."""
    kept = []
    for name, entry in outdated.items():
        path = folder / name
        if Path(name).name != name or "\\" in name or not _exists(path):  # a manifest names nothing outside its folder
            continue
        written = entry.get("sha256") if isinstance(entry, dict) else None
        if path.is_file() and not path.is_symlink() and sha256(path.read_bytes()) == written:
            path.unlink()
        else:
            kept.append(name)
    return kept


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _take_away(files: list[Path], folders: list[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
    for path in folders:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
