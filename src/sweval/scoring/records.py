"""What an instrument is, once its file has been read: frozen records, no behaviour beyond looking things up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sweval.errors import InstrumentError, did_you_mean

LEVELS = ("individual", "family", "group", "organization", "community")
"""Whom a score describes. Social support and basic needs are individual, with a `domain`."""

DOMAINS = ("social_support", "basic_needs")
"""Domains that a reader looks for apart from the level."""

LICENCES = {
    "public_domain": "public domain",
    "cc": "Creative Commons",
    "free": "free to use with credit",
    "free_noncommercial": "free for non-commercial use",
    "permission_required": "the owner asks for permission",
    "unclear": "unclear: ask the owner",
}
"""Licence class -> what it means in words."""

OPS = ("sum", "mean")
"""What a score does with its keyed items; the result is multiplied by `multiply`."""

KEY_STATUS = {"verified": "read in the named source", "partial": "read in part", "own": "the user's own"}
"""How far a scoring key was checked -> what it means in words."""

RELIABILITIES = ("alpha", "test_retest")
"""Types of published reliability."""


class Record:
    """Base of what can stand in a definition file: keys that are not fields are refused (read by pydantic)."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question: its id, the codes an answer can have, and whether it is reversed (low + high - answer)."""

    id: str
    codes: tuple[int, ...]
    reversed: bool = False

    @property
    def low(self) -> int:
        return self.codes[0]

    @property
    def high(self) -> int:
        return self.codes[-1]

    @property
    def gapless(self) -> bool:
        """Whether every whole number between the lowest and the highest code is a code."""
        return len(self.codes) == self.high - self.low + 1


@dataclass(frozen=True, kw_only=True)
class MissingRule(Record):
    """When a score exists although answers are missing.

    Up to `max_missing` answers may be missing; they are replaced by the mean of the answered items of the score
    ("prorated"). With more missing there is no score. `rounded`: prorated values go to the nearest whole number.
    """

    max_missing: int = 0
    rounded: bool = False
    by_authors: bool = False
    verified: bool = False
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Band:
    """A labelled part of a score's range: `min` and `max` as printed, `cut` the value from which it really applies.

    Where the source prints whole numbers (0 to 4, then 5 to 9), prorated scores fall between: the cut is the half
    point, 4.5. Where two bands share an edge, the edge belongs to the upper one.
    """

    min: float
    max: float
    label: str
    cut: float


@dataclass(frozen=True, kw_only=True)
class Scale:
    """One score of an instrument; `column` is the column that `sweval.score` adds."""

    id: str
    column: str
    op: str
    items: tuple[str, ...]
    multiply: float
    better: str | None
    range: tuple[float, float]
    missing: MissingRule
    bands: tuple[Band, ...]
    bands_source: str
    bands_verified: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that scoring adds for this scale."""
        band = (f"{self.column}_band",) if self.bands else ()
        return (self.column, *band, f"{self.column}_answered")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Items that are asked only if any of some earlier items has one of some codes; else they count as `otherwise`."""

    asks: tuple[str, ...]
    when_any: dict[str, tuple[int, ...]]
    otherwise: int


@dataclass(frozen=True, kw_only=True)
class Recode:
    """The raw codes of some items in another coding, and the declared code each stands for."""

    items: tuple[str, ...]
    codes: dict[int, int]


@dataclass(frozen=True, kw_only=True)
class Coding:
    """Another coding in circulation, with a name to pass as `coding=`."""

    name: str
    note: str
    recodes: tuple[Recode, ...]


@dataclass(frozen=True, kw_only=True)
class Licence(Record):
    """Who may use the instrument; `kind` is one of `LICENCES`."""

    kind: str = "unclear"
    note: str = ""
    holder: str = ""


@dataclass(frozen=True, kw_only=True)
class Key(Record):
    """How far the scoring key was checked, and where it was read."""

    status: str = "own"
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Norm(Record):
    """Mean and standard deviation of a score in a population."""

    score: str
    population: str
    mean: float
    sd: float
    n: int | None = None
    source: str
    verified: bool = False


@dataclass(frozen=True, kw_only=True)
class Reliability(Record):
    """A published reliability of a score; `type` is `alpha` or `test_retest` (then with the interval)."""

    score: str
    type: str
    value: float
    interval: str = ""
    population: str = ""
    source: str
    verified: bool = False


@dataclass(frozen=True, kw_only=True)
class Change(Record):
    """The smallest change of a score that matters to clients."""

    score: str
    mcid: float
    source: str
    verified: bool = False


@dataclass(frozen=True, kw_only=True)
class Safety(Record):
    """An item whose answer asks for action, whatever the score."""

    item: str
    at_least: int
    note: str


@dataclass(frozen=True, kw_only=True)
class Vector:
    """A worked example: answers in item order (None = missing) and what must come out, by column suffix."""

    source: str
    answers: tuple[int | None, ...]
    expected: dict[str, float | str | None]


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """A questionnaire and its scoring rules, read from one TOML file. It holds no item wording.

    Examples
    --------
    >>> from sweval.scoring.definition import instrument
    >>> phq9 = instrument("phq9")
    >>> phq9.scale("total").range
    (0.0, 27.0)
    """

    id: str
    title: str
    level: str
    construct: str
    domain: str
    population: str
    respondent: str
    citation: str
    doi: str
    licence: Licence
    key: Key
    items: tuple[Item, ...]
    scores: tuple[Scale, ...]
    gates: tuple[Gate, ...]
    codings: tuple[Coding, ...]
    norms: tuple[Norm, ...]
    reliability: tuple[Reliability, ...]
    change: tuple[Change, ...]
    safety: tuple[Safety, ...]
    traps: tuple[str, ...]
    vectors: tuple[Vector, ...]

    def scale(self, score_id: str) -> Scale:
        """Return one score by its id.

        Raises
        ------
        InstrumentError
            If there is no such score; the message names those there are.
        """
        for scale in self.scores:
            if scale.id == score_id:
                return scale
        raise InstrumentError(
            f'{self.id} has no score "{score_id}".', fix=did_you_mean(score_id, [scale.id for scale in self.scores])
        )

    def item(self, item_id: str) -> Item:
        """Return one item by its id.

        Raises
        ------
        InstrumentError
            If there is no such item.
        """
        for item in self.items:
            if item.id == item_id:
                return item
        raise InstrumentError(
            f'{self.id} has no item "{item_id}".', fix=did_you_mean(item_id, [item.id for item in self.items])
        )

    def describe(self) -> str:
        """Return the instrument's card as text: items, range, rule, bands, reliability, licence, sources, traps."""
        from sweval.scoring.card import card

        return card(self)

    def __repr__(self) -> str:
        return f"<Instrument {self.id}: {self.title}; {len(self.items)} items; describe() shows the rules>"
