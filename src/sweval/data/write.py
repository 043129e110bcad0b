"""Write a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sweval.errors import OutputError


def write_bytes(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write bytes to a file so that it is never seen half written.

    The bytes go to a temporary file in the same folder, are forced to disk, and replace the target in one step: after
    a crash or a full disk the old file is still whole.

    Parameters
    ----------
    path
        Target; its folder must exist. An existing regular file is replaced, a symbolic link is refused.
    data
        The whole content.

    Returns
    -------
    pathlib.Path
        The target.

    Raises
    ------
    OutputError
        If the target is a link, a folder, or cannot be written; nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> write_bytes(folder + "/effects.csv", b"estimate").read_bytes()
    b'estimate'
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary file to write to, which replaces the target in one step when all went well.

    For files that are written part by part; `write_bytes` writes one that is in memory.

    Parameters
    ----------
    path
        Target; its folder must exist. An existing regular file is replaced, a symbolic link is refused.

    Yields
    ------
    pathlib.Path
        An empty file in the same folder.

    Raises
    ------
    OutputError
        As `write_bytes`. Any error inside the block leaves the target as it was.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with replacing(folder + "/effects.csv") as temporary:
    ...     _ = temporary.write_text("estimate")
    >>> (Path(folder) / "effects.csv").read_text()
    'estimate'
    """
    target = Path(path)
    if target.is_symlink():
        raise OutputError(
            "the target is a symbolic link and is not followed.",
            where=str(target),
            fix="Delete the link, or choose another name.",
        )
    if target.is_dir():
        raise OutputError("the target is a folder.", where=str(target), fix="Give a file name inside it.")
    if not target.parent.is_dir():
        raise OutputError("the folder of the target does not exist.", where=str(target), fix="Create it first.")
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:40]}.", suffix=".part", dir=target.parent)
        os.close(handle)
        yield Path(temporary)
        _sync_file(temporary)
        Path(temporary).chmod(_mode(target))
        os.replace(temporary, target)
        _sync_folder(target.parent)
    except OSError as error:
        raise OutputError(
            f"the file cannot be written ({error.strerror or type(error).__name__}).",
            where=str(target),
            fix="Check the free space, and that you may write into this folder.",
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write text as UTF-8 with the line ends it has; otherwise like `write_bytes`.

    Raises
    ------
    OutputError
        As `write_bytes`.

    Examples
    --------
    >>> import tempfile
    >>> write_text(tempfile.mkdtemp() + "/note.txt", "Zoë").read_text(encoding="utf-8")
    'Zoë'
    """
    return write_bytes(path, text.encode("utf-8"))


def _mode(target: Path) -> int:
    """Return the permissions of the file that is replaced, or those of any new file."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_file(path: str) -> None:
    """Force what was written to disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Force the new name to disk; systems that cannot open folders need no such step."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
