"""What an instrument is, once its file has been read: frozen records, no behaviour beyond looking things up."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

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

OPS = ("sum", "mean", "any", "table", "weighted")
"""What a score does: `sum`, `mean` and `any` (1 if there is any point, else 0) with the points of its items, `table`
with one earlier score, `weighted` with several. The result is multiplied by `multiply`, and `add` is added."""

FILLS = ("mean", "zero")
"""What stands for a missing answer where the rule allows it: the mean of the answered items, or no point."""

KEY_STATUS = {"verified": "read in the named source", "partial": "read in part", "own": "the user's own"}
"""How far a scoring key was checked -> what it means in words."""

RELIABILITIES = ("alpha", "test_retest")
"""Types of published reliability."""


class _OrNumber:
    """Lets a file write an item's number as a number; pydantic asks for this where it reads one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(
            lambda value: str(value) if type(value) is int else value, handler(source)
        )


ItemId = Annotated[str, _OrNumber()]


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
class Limit(Record):
    """So many answers to these items may be missing, whatever the score's own items say."""

    items: tuple[ItemId, ...]
    max_missing: int


@dataclass(frozen=True, kw_only=True)
class MissingRule(Record):
    """When a score exists although answers are missing.

    Up to `max_missing` answers may be missing; they are replaced by the mean of the answered items of the score
    ("prorated"), or with `fill = "zero"` count no point. With more missing, or beyond one of the `limits`, there is no
    score. `rounded`: prorated values go to the nearest whole number.
    """

    max_missing: int = 0
    fill: str = "mean"
    rounded: bool = False
    limits: tuple[Limit, ...] = ()
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
class BandSet:
    """The bands of a score, for one variant or (empty name) for all that have no set of their own."""

    variant: str
    bands: tuple[Band, ...]
    source: str
    verified: bool


@dataclass(frozen=True, kw_only=True)
class Table(Record):
    """What each value of a score is turned into: rows of value, result and (not everywhere) standard error."""

    rows: tuple[tuple[float, ...], ...]
    variant: str = ""
    source: str
    verified: bool = False

    @property
    def has_errors(self) -> bool:
        return len(self.rows[0]) > 2


@dataclass(frozen=True, kw_only=True)
class Scale:
    """One score of an instrument; `column` is the column that `sweval.score` adds.

    `points` holds, for items that do not count by their code, what each code counts. A `table` reads its `parts[0]`, a
    `weighted` score adds up its `parts` times `weights`; their `items` are those of the parts.
    """

    id: str
    column: str
    op: str
    items: tuple[str, ...]
    multiply: float = 1.0
    add: float = 0.0
    cap: float | None = None
    decimals: int | None = None
    better: str | None = None
    range: tuple[float, float]
    missing: MissingRule = MissingRule()
    points: dict[str, dict[int, int]] = field(default_factory=dict)
    parts: tuple[Scale, ...] = ()
    weights: tuple[float, ...] = ()
    tables: tuple[Table, ...] = ()
    band_sets: tuple[BandSet, ...] = ()
    variant: str = ""

    @property
    def table(self) -> Table | None:
        """The table of the variant."""
        return next((table for table in self.tables if table.variant == self.variant), None) or next(
            (table for table in self.tables if not table.variant), None
        )

    @property
    def band_set(self) -> BandSet | None:
        """The bands of the variant with their source."""
        return next((entry for entry in self.band_sets if entry.variant == self.variant), None) or next(
            (entry for entry in self.band_sets if not entry.variant), None
        )

    @property
    def bands(self) -> tuple[Band, ...]:
        """The bands of the variant."""
        return self.band_set.bands if self.band_set else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that scoring adds for this scale."""
        band = (f"{self.column}_band",) if self.bands else ()
        error = (f"{self.column}_se",) if self.table and self.table.has_errors else ()
        return (self.column, *error, *band, f"{self.column}_answered")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Items that are asked only if any of some earlier items has one of some codes; else they count as `otherwise`.

    A gate with a `variant` is closed for that variant. Who answered one of the items otherwise was asked all of them,
    whatever the earlier items say.
    """

    asks: tuple[str, ...]
    when_any: dict[str, tuple[int, ...]]
    otherwise: int
    variant: str = ""


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
class Order(Record):
    """Another numbering in circulation, with a name to pass as `order=`: its first item is `items[0]`, and so on."""

    name: str
    note: str
    items: tuple[ItemId, ...]


@dataclass(frozen=True, kw_only=True)
class Variant(Record):
    """A choice that decides tables, bands or gates, with a name to pass as `variant=`."""

    name: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Aggregate(Record):
    """How a measure of teams or neighbourhoods is brought together: the unit, and from how many members on."""

    unit: str
    note: str
    min_n: int | None = None
    source: str = ""
    verified: bool = False


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
    """An item whose answer (or a score whose value) asks for action, whatever the scores say otherwise."""

    item: ItemId = ""
    score: str = ""
    at_least: int
    note: str


@dataclass(frozen=True, kw_only=True)
class Vector:
    """A worked example: answers in item order (None = missing) and what must come out, by column suffix."""

    source: str
    variant: str = ""
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
    orders: tuple[Order, ...] = ()
    variants: tuple[Variant, ...] = ()
    aggregate: Aggregate | None = None
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

    @property
    def safety_column(self) -> str:
        """The column that tells how many answers of a row ask for action."""
        return f"{self.id}_safety"

    def of_variant(self, name: str) -> Instrument:
        """Return the instrument with tables, bands and gates of one variant; scores that lack a table are left out."""
        return replace(
            self,
            scores=tuple(
                replace(scale, variant=name)
                for scale in self.scores
                if scale.op != "table" or replace(scale, variant=name).table is not None
            ),
            gates=tuple(gate for gate in self.gates if gate.variant in ("", name)),
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
