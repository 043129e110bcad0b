"""Run a native reader in a child process, so that a damaged file ends in a sentence instead of a dead session.

One changed byte in an SPSS file can crash the C library behind every Python reader of it. The child gets an
isolated interpreter, its own empty working folder, and hands over arrays and JSON; the parent checks both.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sweval.data.raw import BrokenTableError, RawTable, load_table
from sweval.data.sniff import NAMES
from sweval.errors import DataError

TIMEOUT_SECONDS = 900.0
"""Wall clock after which the child is ended."""

_START = (
    "import json, sys\n"
    "with open(sys.argv[1], encoding='utf-8') as file: request = json.load(file)\n"
    "sys.path += [folder for folder in request['import_from'] if folder not in sys.path]\n"
    "from sweval.data.native_child import main\n"
    "main(request)\n"
)
_LIBRARIES = ("sweval", "numpy", "narwhals", "pyreadstat", "openpyxl", "et_xmlfile", "pyarrow")
_EXPORT = "Open it in the program it comes from and save it again, or export it as .csv."


def parse(path: Path, file_format: str, options: Mapping[str, object], *, timeout: float = TIMEOUT_SECONDS) -> RawTable:
    """Parse a file in a child process.

    Parameters
    ----------
    path
        An existing file whose content was sniffed to be `file_format`.
    file_format
        "sav", "por", "dta", "sas7bdat", "xpt", "xlsx" or "parquet".
    options
        What the reader of this format takes: `encoding`, `catalog`, `sheet`; plain JSON values.
    timeout
        Seconds of wall clock before the child is ended.

    Raises
    ------
    DataError
        If the reader refuses, fails, crashes or takes too long. The message names the file and the likely cause.
    """
    with tempfile.TemporaryDirectory(prefix="sweval-read-") as name:
        folder = Path(name)
        request = {
            "path": str(path.resolve()),
            "format": file_format,
            "folder": name,
            "options": dict(options),
            "import_from": _import_folders(),
        }
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        code, errors = _run(folder, timeout, path.name)
        if code != 0:
            raise _failure(path.name, file_format, code, errors)
        refusal = folder / "refusal.json"
        if refusal.exists():
            said = json.loads(refusal.read_text(encoding="utf-8"))
            raise DataError(said["what"], where=path.name, fix=said["fix"] or _EXPORT)
        try:
            return load_table(folder)
        except BrokenTableError as error:
            raise DataError(
                "the reader returned something unusable, the file is probably damaged.", where=path.name, fix=_EXPORT
            ) from error


def _run(folder: Path, timeout: float, name: str) -> tuple[int, str]:
    """Return exit code and the end of what the child said on stderr."""
    # One thread is enough for a reader, and thread pools make the start slow.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-I", "-S", "-X", "utf8", "-c", _START, str(folder / "request.json")]
    with (folder / "stderr.txt").open("w+b") as errors:
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter and our own code; the path travels as data
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DataError(
                f"reading took longer than {timeout:g} seconds and was stopped.", where=name, fix=_EXPORT
            ) from error
        except OSError as error:
            raise DataError(
                f"the reader could not be started ({error.strerror}).",
                where=name,
                fix="Check that this Python installation can start itself.",
            ) from error
        size = errors.seek(0, os.SEEK_END)
        errors.seek(max(0, size - 4000))
        return done.returncode, errors.read().decode("utf-8", "replace")


def _failure(name: str, file_format: str, code: int, errors: str) -> DataError:
    """Return the error for a child that ended badly; its own words stay out, they may hold cells of the file."""
    what = NAMES[file_format]
    if code < 0:
        killed = code == -getattr(signal, "SIGKILL", 9)
        ended = "was ended by the system, probably for lack of memory" if killed else "crashed"
        return DataError(
            f"the reader {ended} ({_signal_name(-code)}); {what} that does this is usually damaged.",
            where=name,
            fix=_EXPORT,
        )
    kinds = re.findall(r"^((?:\w+\.)*\w*(?:[Ee]rror|Exception|Warning|Interrupt|Exit))\b", errors, flags=re.MULTILINE)
    kind = kinds[-1] if kinds else f"exit code {code}"
    if kind == "MemoryError":
        return DataError("there is not enough memory to read the file.", where=name, fix=_EXPORT)
    return DataError(
        f"the reader gave up ({kind}); the file is damaged, or no valid {what.split(' ', 1)[1]}.",
        where=name,
        fix=_EXPORT,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _import_folders() -> list[str]:
    """Return where the libraries of the child live; isolated interpreters know no PYTHONPATH."""
    folders = []
    for library in _LIBRARIES:
        found = importlib.util.find_spec(library)
        if found is not None and found.submodule_search_locations:
            folders += [str(Path(place).absolute().parent) for place in found.submodule_search_locations]
    return list(dict.fromkeys(folders))
