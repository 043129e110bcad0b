"""A formula as text: where its signs stand, outside back-quotes and at which depth of parentheses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NoReturn

from sweval.errors import DesignError

_FOREIGN = "^%-/"
_MAKE_IT = (
    "Names are looked up, never evaluated: make the new column in the data first, and name it here. A column whose "
    "name holds a parenthesis stands between back-quotes."
)


class FormulaReader:
    """A text whose back-quotes and parentheses are known, so that operators are found where they count."""

    def __init__(self, text: str, where: str, fix: str) -> None:
        if not isinstance(text, str):
            raise DesignError("this is no text.", where=where, fix=fix)
        self.text, self.where, self.fix = text, where, fix

    def fail(self, at: int, problem: str, fix: str | None = None) -> NoReturn:
        """Refuse the text at a position, counted from 1."""
        while at < len(self.text) and self.text[at].isspace():
            at += 1
        raise DesignError(f"at character {at + 1}, {problem}.", where=self.where, fix=fix or self.fix)

    def signs(self, start: int, end: int) -> Iterator[tuple[int, str, int]]:
        """Yield position, character and depth of parentheses of everything outside back-quotes."""
        at, opened = start, list[int]()
        while at < end:
            sign = self.text[at]
            if sign == "`":
                close = self.text.find("`", at + 1, end)
                if close < 0:
                    self.fail(at, "a closing back-quote is missing")
                at = close
            elif sign == "(":
                opened.append(at)
                yield at, sign, len(opened)
            elif sign == ")":
                if not opened:
                    self.fail(at, "found a closing parenthesis that was never opened")
                yield at, sign, len(opened)
                opened.pop()
            else:
                yield at, sign, len(opened)
            at += 1
        if opened:
            self.fail(opened[-1], "this parenthesis is never closed")

    def split(self, start: int, end: int, mark: str) -> list[tuple[int, int]]:
        """Return the pieces between marks outside parentheses."""
        cuts, last = [], -1
        for at, _, depth in self.signs(start, end):
            if depth == 0 and at > last and self.text.startswith(mark, at, end):
                cuts.append(at)
                last = at + len(mark) - 1
        edges = [start, *(edge for cut in cuts for edge in (cut, cut + len(mark))), end]
        return list(zip(edges[::2], edges[1::2], strict=True))

    def only(self, pieces: Sequence[tuple[int, int]]) -> str:
        """Return the pieces in their places, joined by +, with spaces for all else: positions stay true."""
        out = [" "] * pieces[-1][1]
        for number, (start, end) in enumerate(pieces):
            out[start:end] = self.text[start:end]
            if number:
                out[start - 1] = "+"
        return "".join(out)

    def name(self, start: int, end: int, what: str) -> str:
        """Return the one column name that a piece holds."""
        piece = self.text[start:end].strip()
        if not piece:
            self.fail(start, f"{what} is missing")
        if piece[0] == piece[-1] == "`" and len(piece) > 2 and "`" not in piece[1:-1]:
            return piece[1:-1]
        strange = [at for at, sign, _ in self.signs(start, end) if sign in "()+:*|~/"]
        if strange or "`" in piece:
            at = strange[0] if strange else start
            self.fail(at, f"{what} must be one column name", _MAKE_IT)
        return piece

    def refuse_calls(self) -> None:
        """Refuse `log(age)`: nothing is evaluated."""
        for at, sign, _ in self.signs(0, len(self.text)):
            before = self.text[at - 1 : at]
            if sign == "(" and before and (before.isalnum() or before in "_.`"):
                self.fail(at, "a function is called", _MAKE_IT)

    def refuse_minus(self, start: int, end: int, fix: str) -> None:
        """Refuse `- 1`."""
        match = re.search(r"-\s*[01]\s*$", self.text[start:end])
        if match:
            self.fail(start + match.start(), "terms are not subtracted", fix)

    def refuse_foreign(self, start: int, end: int) -> None:
        """Refuse operators of R that we do not have."""
        for at, sign, _ in self.signs(start, end):
            if sign in _FOREIGN:
                self.fail(
                    at,
                    f'"{sign}" is no operator of the fixed part; only + : * and parentheses are',
                    "Where it is part of a column's name, put the name between back-quotes.",
                )
