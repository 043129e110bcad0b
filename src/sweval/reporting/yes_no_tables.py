"""Yes/no outcomes: risk of each group with its counts, and the contrasts of groups; small counts are hidden."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from sweval.effects.translation import ORIENTED_RISKS
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
    measure_in_words,
    number_cell,
    text_cell,
)
from sweval.reporting.language import Language
from sweval.result import BETTER

_GROUPS = ("events", "risk")
YES_NO = (*_GROUPS, "risk_difference", "risk_ratio", "odds_ratio", "nnt", "odds_ratio_conditional")
"""The measures of yes/no outcomes."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """The groups of one column in one analysis, reference first, and the contrasts with the reference."""

    comparison: str | None
    outcome: str | None
    groups: dict[str, dict[str, Record]] = field(default_factory=dict)
    contrasts: list[Record] = field(default_factory=list)

    @property
    def reference(self) -> str | None:
        """The term that all others are compared with."""
        return next(iter(self.groups), None)

    def group_of(self, contrast: Record) -> str:
        """Return the term of the group that is contrasted; a column of 0 and 1 gives its name to the contrast."""
        return contrast["term"] if contrast["term"] in self.groups else f"{contrast['term']}[1]"

    def hidden(self, small_cells: int) -> tuple[set[str], set[str]]:
        """Return the groups with fewer events, or fewer without, than may be shown; and those to withhold beside them.

        With the difference and the ratio of risks the count of one group tells that of the other.
        """
        small = set()
        for term, found in self.groups.items():
            if "events" in found:
                events, n = int(found["events"]["estimate"]), found["events"]["n"]
                if any(0 < count < small_cells for count in (events, n - events)):
                    small.add(term)
        return small, set(self.groups) - small if small else set()


def families(rows: list[Record]) -> list[Family]:
    """Return the rows of yes/no outcomes by analysis and column, in the order of the rows."""
    found: list[Family] = []
    for row in map(_as_event, rows):
        own = [one for one in found if (one.comparison, one.outcome) == (row["comparison"], row["outcome"])]
        if row["measure"] in _GROUPS:
            if not own or own[-1].contrasts:
                own = [Family(comparison=row["comparison"], outcome=row["outcome"])]
                found += own
            own[-1].groups.setdefault(row["term"], {})[row["measure"]] = row
            continue
        # the odds ratio of the mixed model comes after the contrasts of all columns
        of_term = [one for one in own if any(other["term"] == row["term"] for other in one.contrasts)]
        if not own:
            own = [Family(comparison=row["comparison"], outcome=row["outcome"])]
            found += own
        (of_term or own)[-1].contrasts.append(row)
    for family in found:
        terms = list(dict.fromkeys(row["term"] for row in family.contrasts))
        family.contrasts.sort(key=lambda row: terms.index(row["term"]))
    return found


def _as_event(row: Record) -> Record:
    """Return a difference that is positive for an improvement as one of the event, of which the words speak."""
    oriented = row["measure"] == "risk_difference" and row["metric"] == ORIENTED_RISKS
    if not oriented or row["better"] != "lower":
        return row
    ends = (("estimate", "estimate"), ("conf_low", "conf_high"), ("conf_high", "conf_low"))
    return row | {name: None if row[source] is None else -row[source] for name, source in ends}


def risks_table(rows: list[Record], words: Language, small_cells: int) -> Table:
    """Return one row per group: events of n, and the risk; a small count hides its risk as well."""
    columns = (
        Column(name="outcome", label=words.say("column.outcome")),
        Column(name="group", label=words.say("column.group")),
        Column(name="events", label=words.say("column.events"), digits=0),
        Column(name="n", label=words.say("column.n"), digits=0),
        interval_column("risk", rows, words, digits=3),
    )
    lines: list[Row] = []
    notes = [words.say("table.risks_note")]
    for family in families(rows):
        small, beside = family.hidden(small_cells)
        if small:
            notes.append(words.say("table.risks_suppressed_note", limit=small_cells))
        for term, found in family.groups.items():
            counted = found.get("events")
            lines.append(
                Row(
                    group=family.comparison,
                    cells=(
                        text_cell(family.outcome, words),
                        text_cell(_group(term, family), words),
                        *_counts(counted, words, small_cells, hidden=term in small, withheld=term in beside),
                        interval_cell(found["risk"], rows, words, digits=3)
                        if "risk" in found and term not in small
                        else text_cell(None, words),
                    ),
                )
            )
    return finished("risks", columns, lines, words, list(dict.fromkeys(notes)))


def contrasts_table(rows: list[Record], words: Language, small_cells: int) -> Table:
    """Return one row per contrast and measure, each with its interval, df and p; an open interval in words."""
    columns = (
        Column(name="outcome", label=words.say("column.outcome")),
        Column(name="contrast", label=words.say("column.contrast")),
        Column(name="measure", label=words.say("column.measure")),
        interval_column("estimate", rows, words, digits=3),
        Column(name="df", label=words.say("column.df"), digits=1),
        Column(name="p", label=words.say("column.p"), digits=3),
    )
    lines = []
    for family in families(rows):
        for row in family.contrasts:
            lines.append(
                Row(
                    group=family.comparison,
                    cells=(
                        text_cell(family.outcome, words),
                        text_cell(contrast_in_words(row, family, words), words),
                        text_cell(measure_in_words(row, words), words),
                        _needed(row, family, words)
                        if row["measure"] == "nnt"
                        else interval_cell(row, rows, words, digits=3),
                        number_cell(row["df"], words, 1),
                        Cell(text=words.p_value(row["p_value"]), numbers=(row["p_value"],)),
                    ),
                )
            )
    return finished("contrasts", columns, lines, words, [words.say("table.contrasts_note")])


def contrast_in_words(row: Record, family: Family, words: Language) -> str:
    """Return which group is compared with which."""
    if family.reference is None:
        return level_of(row["term"]) or row["term"]
    group = _group(family.group_of(row), family)
    return words.say("sentence.contrast", group=group, reference=_group(family.reference, family))


def risk_sentences(rows: list[Record], words: Language, small_cells: int) -> Iterator[tuple[Record, dict[str, str]]]:
    """Give every risk difference with what a sentence says of it; `treated_risk` only where no count is hidden."""
    for family in families(rows):
        small, _ = family.hidden(small_cells)
        for row in family.contrasts:
            if row["measure"] != "risk_difference":
                continue
            term, alone = family.group_of(row), family.reference is None
            said = {
                "treated": words.say("sentence.treated_unknown") if alone else _group(term, family),
                "control": words.say("sentence.control_unknown")
                if family.reference is None
                else _group(family.reference, family),
                "difference": in_hundred(row["estimate"], words),
                "low": in_hundred(row["conf_low"], words),
                "high": in_hundred(row["conf_high"], words),
            }
            risks = [family.groups.get(name or "", {}).get("risk") for name in (term, family.reference)]
            if not small and all(risk is not None and risk["estimate"] is not None for risk in risks):
                treated, control = (words.number(100 * risk["estimate"], 1) for risk in risks if risk is not None)
                said |= {"treated_risk": treated, "control_risk": control}
            needed = [r for r in family.contrasts if r["measure"] == "nnt" and r["term"] == row["term"]]
            if needed:
                said["needed"] = _needed_sentence(needed[0], row, words)
            yield row, said


def in_hundred(value: float | None, words: Language) -> str:
    """Return a difference of risks as so many more or fewer in 100."""
    if value is None:
        return words.say("table.empty")
    return words.say("sentence.fewer" if value < 0 else "sentence.more", count=words.number(abs(100 * value), 1))


def _needed(row: Record, family: Family, words: Language) -> Cell:
    """Return the number needed to treat with its interval; one that runs through infinity in words."""
    text = f"{words.say(f'sentence.{_whom(row)[1]}_short')} {words.number(abs(row['estimate']), 1)}"
    if row["conf_low"] is not None:
        # for harm both limits are negative: the one nearer to zero comes first
        low, high = sorted((abs(row["conf_low"]), abs(row["conf_high"])))
        limits = words.interval(low, high, 1)
        return Cell(text=f"{text} {limits}", numbers=(row["estimate"], row["conf_low"], row["conf_high"]))
    same = [r for r in family.contrasts if r["measure"] == "risk_difference" and r["term"] == row["term"]]
    if same and same[0]["conf_low"] is not None:
        text += f" [{_open(same[0], words, 'through_infinity_short', '_short')}]"
    return Cell(text=text)  # a workbook has no two limits to show either


def _needed_sentence(row: Record, difference: Record, words: Language) -> str:
    _, what = _whom(row)
    count = words.number(abs(row["estimate"]), 1)
    served = words.say("sentence.needed", count=count, what=words.say(f"sentence.{what}"))
    if row["conf_low"] is not None:
        low, high = sorted((abs(row["conf_low"]), abs(row["conf_high"])))
        limits = {"low": words.number(low, 1), "high": words.number(high, 1), "level": words.level(row["conf_level"])}
        return f"{served} {words.say('sentence.needed_interval', **limits)}"
    if difference["conf_low"] is None:
        return served
    interval = _open(difference, words, "through_infinity", "")
    return f"{served} {words.say('sentence.needed_open', interval=interval)}"


def _whom(row: Record) -> tuple[tuple[str, str], str]:
    """Return the words for a gain and a loss, and the one that the estimate is of."""
    sides = ("to_benefit", "to_harm") if row["better"] in BETTER else ("one_more", "one_less")
    return sides, sides[0] if row["estimate"] >= 0 else sides[1]


def _open(difference: Record, words: Language, key: str, ending: str) -> str:
    """Return the two parts of an interval through infinity (Altman 1998): from a gain to a loss."""
    sign = BETTER.get(difference["better"] or "", 1.0)
    low, high = sorted((sign * difference["conf_low"], sign * difference["conf_high"]))
    gain, loss = (f"sentence.{name}{ending}" for name in _whom(difference)[0])
    return words.say(
        f"sentence.{key}",
        gain=_reciprocal(high, words),
        gained=words.say(gain),
        loss=_reciprocal(-low, words),
        lost=words.say(loss),
    )


def _reciprocal(limit: float, words: Language) -> str:
    return "∞" if limit <= 0 or math.isinf(1 / limit) else words.number(1 / limit, 1)


def _group(term: str, family: Family) -> str:
    """Return the level of a group; the whole term where the column is 0 and 1."""
    levels = [level_of(name) for name in family.groups]
    return term if None in levels or set(levels) <= {"0", "1"} else level_of(term) or term


def _counts(
    counted: Record | None, words: Language, small_cells: int, *, hidden: bool, withheld: bool
) -> tuple[Cell, Cell]:
    """Return events and n of a group."""
    if counted is None:
        return text_cell(None, words), text_cell(None, words)
    if hidden or withheld:
        secret = Cell(text=words.say("table.withheld"))
        few = hidden and counted["estimate"] < small_cells
        return count_cell(int(counted["estimate"]), words, small_cells) if few else secret, secret
    return count_cell(int(counted["estimate"]), words, 0), count_cell(counted["n"], words, 0)
