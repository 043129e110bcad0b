"""How many clients changed: one row per outcome, arm and category, with shares of those seen and of all."""

from __future__ import annotations

from dataclasses import dataclass, field

from sweval.effects.change import CATEGORIES
from sweval.models.base.change_rules import NO_ERROR
from sweval.reporting.cells import (
    Cell,
    Column,
    Record,
    Row,
    Table,
    count_cell,
    finished,
    interval_cell,
    interval_column,
    level_of,
    text_cell,
    withheld_counts,
)
from sweval.reporting.language import Language

_COUNT, _SHARE, _SHARE_OF_ALL, _BEFORE, _THRESHOLD = CHANGE = (
    "count",
    "proportion",
    "proportion_intention_to_treat",
    "proportion_functional_before",
    "reliable_change_threshold",
)
"""The measures of `ReliableChange`."""

_FUNCTIONAL_BEFORE = "functional before"
_EVENTS = (": recovered", ": improved or better")
_UPPER = ("recovered", "improved")


@dataclass(frozen=True, kw_only=True)
class _Group:
    """The categories of one outcome, in one arm or of all clients."""

    comparison: str | None
    outcome: str | None
    arm: str | None
    terms: dict[str, dict[str, Record]] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """Return how many clients each category has."""
        return {name: int(found[_COUNT]["estimate"]) for name, found in self.terms.items() if _COUNT in found}

    def small(self, small_cells: int) -> set[str]:
        """Return the categories with fewer clients than may be shown."""
        return {name for name, count in self.counts().items() if 0 < count < small_cells}

    def beside(self, small_cells: int) -> set[str]:
        """Return what to withhold beside one small count: the smallest other, where all together are known.

        In an arm how many recovered and how many improved are known from the risks, so it is another of the rest.
        """
        there: dict[str, int | None] = {name: count for name, count in self.counts().items() if count}
        rest = {name: count for name, count in there.items() if name not in _UPPER}
        alone = len(self.small(small_cells)) == 1 and set(rest) <= self.small(small_cells)
        return withheld_counts(there if self.arm is None or alone else rest, small_cells)


def category_in_words(name: str, words: Language, *, reliable: bool) -> str:
    """Return a category in the reader's language; "reliably" only where the rule looks at measurement error."""
    plain = words.known(f"change.{name.replace(' ', '_')}", name)
    return plain if reliable else words.known(f"change.{name}_any", plain)


def change_table(rows: list[Record], words: Language, small_cells: int) -> Table:
    """Return the table; a small count hides its shares as well, since shares give it away.

    Where there are arms, rows of all clients are left out: less the rows of one arm they would give away the other's.
    """
    columns = (
        Column(name="outcome", label=words.say("column.outcome")),
        Column(name="arm", label=words.say("column.arm")),
        Column(name="category", label=words.say("column.category")),
        Column(name="n", label=words.say("column.clients"), digits=0),
        interval_column("share", rows, words),
        interval_column("share_of_all", rows, words),
    )
    notes: list[str] = []
    for row in rows:
        if row["measure"] == _THRESHOLD:
            points = words.number(row["estimate"], 2)
            key = "table.threshold_note" if _reliable([row]) else "table.threshold_any_note"
            notes.append(words.say(key, outcome=row["outcome"] or "", points=points))
    lines: list[Row] = []
    groups = _groups(rows)
    compared = _secret(groups, small_cells)
    for group in groups:
        small, beside = group.small(small_cells), group.beside(small_cells)
        if (group.comparison, group.outcome) in compared:
            beside = set(group.counts()) - small
            notes.append(words.say("table.change_arms_note", limit=small_cells))
        elif small:
            notes.append(words.say("table.suppressed_note", limit=small_cells))
        for name, found in group.terms.items():
            if name == _FUNCTIONAL_BEFORE:
                lines.append(_before_line(group, found[_BEFORE], rows, words, small_cells))
                continue
            secret = name in small or name in beside
            reliable = _reliable(list(found.values()))
            shares = [
                interval_cell(found[measure], rows, words)
                if measure in found and not secret
                else text_cell(None, words)
                for measure in (_SHARE, _SHARE_OF_ALL)
            ]
            count = (
                Cell(text=words.say("table.withheld"))
                if name in beside
                else count_cell(group.counts().get(name), words, small_cells if name in small else 0)
            )
            said = category_in_words(name, words, reliable=reliable)
            lines.append(_line(group, said, count, shares, words))
    of_all = any(line.cells[-1].text != words.say("table.empty") for line in lines)
    first = ["change_note", *(["change_all_note"] if of_all else []), *([] if _reliable(rows) else ["change_any_note"])]
    begin = " ".join(words.say(f"table.{key}") for key in first)
    return finished("change", columns, lines, words, list(dict.fromkeys([begin, *notes])))


def without_secret_events(rows: list[Record], small_cells: int) -> list[Record]:
    """Leave out what compares arms in events of which too few clients of an arm had one.

    How many recovered, and how many improved or better, are sums of the categories of those who did well. Where one of
    these is too small to be shown, a risk, a ratio or even a difference gives it away with the sizes of the arms.
    """
    groups = _groups([row for row in rows if row["measure"] in CHANGE])
    secret = {(name, f"{outcome}{event}") for name, outcome in _secret(groups, small_cells) for event in _EVENTS}
    return [row for row in rows if (row["comparison"], row["outcome"]) not in secret]


def _secret(groups: list[_Group], small_cells: int) -> set[tuple[str | None, str | None]]:
    """Return the analyses with arms in which fewer clients of an arm recovered, or improved, than may be shown."""
    return {
        (group.comparison, group.outcome)
        for group in groups
        if group.arm and group.small(small_cells).intersection(_UPPER)
    }


def _groups(rows: list[Record]) -> list[_Group]:
    """Return the categories by analysis and arm; only the arms where there are any."""
    found: dict[tuple[str | None, str | None, str | None], _Group] = {}
    for row in rows:
        if row["measure"] == _THRESHOLD:
            continue
        head, colon, name = row["term"].rpartition(": ")
        known = name in CATEGORIES or not colon or level_of(head) is not None
        arm = (level_of(head) or None) if colon and known else None
        key = (row["comparison"], row["outcome"], arm)
        group = found.setdefault(key, _Group(comparison=key[0], outcome=key[1], arm=arm))
        group.terms.setdefault(name if arm else row["term"], {})[row["measure"]] = row
    split = {key[:2] for key in found if key[2] is not None}
    return [group for key, group in found.items() if key[2] is not None or key[:2] not in split]


def _line(group: _Group, category: str, count: Cell, shares: list[Cell], words: Language) -> Row:
    cells = (text_cell(group.outcome, words), text_cell(group.arm, words), text_cell(category, words), count, *shares)
    return Row(group=group.comparison, cells=cells)


def _before_line(group: _Group, row: Record, rows: list[Record], words: Language, small_cells: int) -> Row:
    """Return the line of clients who were on the functional side already before, and so cannot recover."""
    count, n = round(row["estimate"] * row["n"]), int(row["n"])
    secret = any(0 < part < small_cells for part in (count, n - count))
    shares = [text_cell(None, words) if secret else interval_cell(row, rows, words), text_cell(None, words)]
    shown = (
        Cell(text=words.say("table.withheld"))
        if secret and count >= small_cells
        else count_cell(count, words, small_cells if secret else 0)
    )
    return _line(group, words.say("change.functional_before"), shown, shares, words)


def _reliable(rows: list[Record]) -> bool:
    """Tell whether the rule of these rows looks at measurement error."""
    return not any(NO_ERROR in row["method"] for row in rows)
