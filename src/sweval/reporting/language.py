"""The words and number habits of the language a report is written in; every text comes from words/<language>.toml."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from sweval.errors import SwevalError, did_you_mean

MINUS = "\N{MINUS SIGN}"


def languages() -> tuple[str, ...]:
    """Return the codes of the languages there are words for."""
    folder = files("sweval.reporting") / "words"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


@dataclass(frozen=True, kw_only=True)
class Language:
    """Texts and number format of one language.

    Examples
    --------
    >>> load_language("id").number(-0.5, 2)
    '−0,50'
    >>> load_language("en").interval(0.1, 0.25)
    '[0.10, 0.25]'
    """

    code: str
    words: Mapping[str, str]

    def say(self, key: str, **values: object) -> str:
        """Return the text of a dotted key with its placeholders filled."""
        text = self.words[key]
        return text.format(**values) if values else text

    def known(self, key: str, fallback: str) -> str:
        """Return the text of a key, or the fallback where there are no words for it."""
        return self.words.get(key, fallback)

    def number(self, value: float | None, digits: int) -> str:
        """Return a number in fixed notation, a dash where there is none, words where it is not finite."""
        if value is None or math.isnan(value):
            return self.say("table.empty")
        if math.isinf(value):
            return self.say("table.not_estimable")
        text = f"{value:.{digits}f}"
        if float(text) == 0:
            text = text.removeprefix("-")
        return text.replace("-", MINUS).replace(".", self.words["locale.decimal"])

    def interval(self, low: float | None, high: float | None, digits: int = 2) -> str:
        """Return an interval in brackets; nothing where there is none."""
        if low is None or high is None or math.isnan(low) or math.isnan(high):
            return ""
        return self.say("locale.interval", low=self.number(low, digits), high=self.number(high, digits))

    def p_value(self, value: float | None) -> str:
        """Return a p-value with three decimals and a floor, without stars."""
        if value is not None and value < 0.001:
            return "<" + self.number(0.001, 3)
        return self.number(value, 3)

    def level(self, value: float | None) -> str:
        """Return a confidence level as a percentage, 95% where none is recorded."""
        percent = 100 * (0.95 if value is None else value)
        return f"{percent:.4g}%".replace(".", self.words["locale.decimal"])

    def listing(self, items: Sequence[str]) -> str:
        """Return items joined as in a sentence."""
        if len(items) < 2:
            return "".join(items)
        return self.say("locale.and", first=self.words["locale.joiner"].join(items[:-1]), last=items[-1])


@cache
def load_language(code: str) -> Language:
    """Return the language with this code.

    Raises
    ------
    SwevalError
        If there are no words for it.
    """
    if code not in languages():
        raise SwevalError(f'there are no words for the language "{code}".', fix=did_you_mean(code, languages()))
    text = (files("sweval.reporting") / "words" / f"{code}.toml").read_text(encoding="utf-8")
    sections: dict[str, dict[str, str]] = tomllib.loads(text)
    words = {f"{section}.{key}": value for section, entries in sections.items() for key, value in entries.items()}
    return Language(code=code, words=words)
