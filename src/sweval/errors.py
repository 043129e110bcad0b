"""Every error that invalid input can cause: what is wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SwevalError(ValueError):
    """Base of all errors that sweval raises on purpose.

    Parameters
    ----------
    what
        One sentence: what is wrong, with counts but never with a client's values.
    where
        File, column or path inside the study file. Optional.
    fix
        What the user can do. Optional.
    """

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        self.what, self.where, self.fix = what, where, fix
        text = f"{where}: {what}" if where else what
        super().__init__(f"{text} {fix}" if fix else text)


class DataError(SwevalError):
    """A file or a data frame cannot be used as it is."""


class InstrumentError(SwevalError):
    """An instrument is unknown, its definition is invalid, or the answers do not fit it."""


class DesignError(SwevalError):
    """A design does not fit the data, or the data do not identify the effect."""


class StudyError(SwevalError):
    """A study file is invalid; `where` holds the path inside the file."""


class OutputError(SwevalError):
    """A result cannot be written where it was asked for."""


class MissingLibraryError(SwevalError):
    """An optional library is needed; the message names the extra that installs it."""

    def __init__(self, library: str, *, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {library}.", fix=f'Install it with: pip install "sweval[{extra}]"')


class SwevalWarning(UserWarning):
    """Something was done that the user should know of, where no result can carry the note."""


def did_you_mean(name: str, options: Iterable[str], *, listed: int = 12) -> str:
    """Return a sentence that names the nearest options, or lists the first few.

    Examples
    --------
    >>> did_you_mean("agancy", ["agency", "arm"])
    'Did you mean "agency"?'
    >>> did_you_mean("PHQ-9", ["phq9", "gad7"])
    'Did you mean "phq9"?'
    """
    known = [str(option) for option in options]
    wanted = _folded(str(name))
    near = [option for option in known if wanted and _folded(option) == wanted][:2]
    near = near or difflib.get_close_matches(str(name), known, n=2, cutoff=0.6)
    if near:
        return "Did you mean " + " or ".join(f'"{option}"' for option in near) + "?"
    if not known:
        return "There are none."
    more = f" and {len(known) - listed} more" if len(known) > listed else ""
    return "There are: " + ", ".join(known[:listed]) + more + "."


def _folded(name: str) -> str:
    """Return a name without case, spaces and punctuation, which people write in their own way."""
    return "".join(sign for sign in name.casefold() if sign.isalnum())
