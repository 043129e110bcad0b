"""A reader's no, in words for the user; it crosses the process border as JSON."""

from __future__ import annotations


class RefusalError(Exception):
    """A file cannot be read, for a reason that can be said without showing its cells."""

    def __init__(self, what: str, fix: str = "") -> None:
        self.what, self.fix = what, fix
        super().__init__(what)
