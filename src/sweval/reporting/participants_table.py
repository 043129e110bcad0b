"""Who took part: clients of each arm, and means and standard deviations before and after with the clients behind."""

from __future__ import annotations

from itertools import groupby

from sweval.reporting.cells import (
    Cell,
    Column,
    Record,
    Row,
    Table,
    count_cell,
    finished,
    level_of,
    number_cell,
    text_cell,
    withheld_counts,
)
from sweval.reporting.language import Language

CLIENTS = "clients"
"""The measure that counts the clients of an arm where not all of them have a value at each wave."""

DESCRIPTIVE = (CLIENTS, "baseline_mean", "baseline_sd", "mean", "sd")
_WAVES = {"before": ("baseline_mean", "baseline_sd"), "after": ("mean", "sd")}

Arms = dict[str, dict[str, Record]]


def participants_table(rows: list[Record], words: Language, small_cells: int) -> Table:
    """Return one row per analysis and arm; counts at each wave where they differ from the clients used."""
    found: list[tuple[str | None, str | None, Arms]] = []
    for (comparison, outcome), analysis in groupby(rows, key=lambda row: (row["comparison"], row["outcome"])):
        arms: Arms = {}
        for row in analysis:
            arms.setdefault(row["term"], {})[row["measure"]] = row
        found.append((comparison, outcome, arms))
    by_wave = any(
        _at(arm, wave) not in (None, _used(arm)) for *_, arms in found for arm in arms.values() for wave in _WAVES
    )
    columns = [
        Column(name="outcome", label=words.say("column.outcome")),
        Column(name="arm", label=words.say("column.arm")),
        Column(name="n", label=words.say("column.clients_used" if by_wave else "column.n"), digits=0),
        Column(name="clusters", label=words.say("column.clusters"), digits=0),
    ]
    for wave in _WAVES:
        columns.append(Column(name=f"{wave}_n", label=words.say(f"column.{wave}_n"), digits=0))
        columns += [
            Column(name=f"{wave}_{what}", label=words.say(f"column.{wave}_{what}"), digits=2) for what in ("mean", "sd")
        ]
    lines = [
        Row(
            group=comparison,
            cells=(
                text_cell(outcome, words),
                text_cell(level_of(term) or term, words),
                *cells,
            ),
        )
        for comparison, outcome, arms in found
        for term, cells in _cells(arms, words, small_cells, by_wave=by_wave).items()
    ]
    notes = [words.say("table.participants_waves_note" if by_wave else "table.participants_note")]
    counts = [
        count for *_, arms in found for arm in arms.values() for count in (_used(arm), *(_at(arm, w) for w in _WAVES))
    ]
    if any(count is not None and count < small_cells for count in counts):
        notes.append(words.say("table.suppressed_note", limit=small_cells))
    return finished("participants", columns, lines, words, notes)


def _cells(arms: Arms, words: Language, small_cells: int, *, by_wave: bool) -> dict[str, list[Cell]]:
    """Return arm -> cells after its name; a small count hides mean and standard deviation at that wave."""
    used = _counts({term: _used(arm) for term, arm in arms.items()}, words, small_cells)
    at = {wave: _counts({term: _at(arm, wave) for term, arm in arms.items()}, words, small_cells) for wave in _WAVES}
    found: dict[str, list[Cell]] = {}
    for term, arm in arms.items():
        cells = [used[term], count_cell(next(iter(arm.values()))["clusters"], words, 0)]
        for wave, measures in _WAVES.items():
            count = _at(arm, wave)
            small = count is not None and count < small_cells
            cells.append(at[wave][term] if by_wave else text_cell(None, words))
            for measure in measures:
                value = arm[measure]["estimate"] if measure in arm and not small else None
                cells.append(number_cell(value, words, 2))
        found[term] = cells
    return found


def _counts(counts: dict[str, int | None], words: Language, small_cells: int) -> dict[str, Cell]:
    """Return the counts of all arms; with one small count a second is withheld, which would give it away."""
    withheld = withheld_counts(counts, small_cells)
    return {
        term: Cell(text=words.say("table.withheld")) if term in withheld else count_cell(count, words, small_cells)
        for term, count in counts.items()
    }


def _at(arm: dict[str, Record], wave: str) -> int | None:
    """Return how many clients stand behind the mean at a wave."""
    count: int | None = next((arm[measure]["n"] for measure in _WAVES[wave] if measure in arm), None)
    return count


def _used(arm: dict[str, Record]) -> int | None:
    """Return how many clients of the arm were used."""
    if CLIENTS in arm:
        return int(arm[CLIENTS]["estimate"])
    return next((count for wave in _WAVES if (count := _at(arm, wave)) is not None), None)
