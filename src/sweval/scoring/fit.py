"""Do the answers fit the instrument? Refusals that name column, count and likely cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from sweval.errors import InstrumentError
from sweval.scoring.answers import MANY_STRAYS, Facts
from sweval.scoring.records import Instrument

_LISTED = 5
_CODES_LISTED = 10
_PLAUSIBLE_CODE = 9999
_RARE = 0.5
"""A code that is more of the answers than this is an answer, whatever it means."""
_TEXT = {
    "digits": (
        "numbers stored as text",
        'Convert them to numbers first, or declare what each text means: coding={{"{0}": {0}, "{1}": {1}, ...}}.',
    ),
    "labels": (
        "text, not answer codes",
        "Read the file with its codes instead of labels, or declare what each label means: "
        'coding={{"first label": {0}, "second label": {1}, ...}}.',
    ),
    "other": ("neither numbers nor text", "Items take the answer codes {0}, {1}, ..."),
}


def refuse_misfits(instrument: Instrument, facts: Sequence[Facts]) -> None:
    """Refuse text, fractions, and values that are no codes.

    Raises
    ------
    InstrumentError
        Naming the columns, how many answers do not fit, and what is likely the matter.
    """
    _refuse_stray_words(instrument, facts)
    for kind, (what, fix) in _TEXT.items():
        names = [entry.column.name for entry in facts if entry.text == kind]
        if names:
            codes = instrument.items[0].codes
            verb = "holds" if len(names) == 1 else "hold"
            raise InstrumentError(f"{_some(names)} {verb} {what}.", where=instrument.id, fix=fix.format(*codes[:2]))
    misfits = [entry for entry in facts if entry.outside]
    fractions = [entry for entry in misfits if entry.fractions]
    if fractions:
        counts = _some(f"{entry.column.name} ({entry.fractions})" for entry in fractions)
        raise InstrumentError(
            f"answers are fractions in {counts}; the number of rows stands in brackets.",
            where=instrument.id,
            fix="Items take the answers as they were given: whole codes, no means and no imputed values.",
        )
    if misfits:
        counts = _some(f"{entry.column.name} ({_rows(entry.outside)})" for entry in misfits)
        raise InstrumentError(
            f"answers outside {_expected(misfits)} in {counts}.{_observed(facts)}",
            where=instrument.id,
            fix=_hint(instrument, facts) or "Check which columns hold the items, and how the form codes its answers.",
        )


def _refuse_stray_words(instrument: Instrument, facts: Sequence[Facts]) -> None:
    """Refuse columns of numbers with some cells of text among them: these are slips, not labels."""
    mixed = [entry for entry in facts if 0 < entry.words < entry.answered]
    if mixed:
        counts = _some(f"{entry.column.name} ({entry.words} of {entry.answered} answers)" for entry in mixed)
        raise InstrumentError(
            f"some cells are no whole numbers in {counts}; the other answers there are numbers.",
            where=instrument.id,
            fix='Correct these cells in the file; a word that stands for no answer can be declared: missing=("word",).',
        )


def _hint(instrument: Instrument, facts: Sequence[Facts]) -> str:
    """Return the likely cause, if there is one: another coding, missing codes, or both."""
    strays: Counter[float] = sum((entry.strays for entry in facts), Counter())
    named = _named(instrument, facts)
    if named:
        return named
    codes = {tuple(entry.column.numbers) for entry in facts}
    if any(entry.column.words.keys() - map(str, entry.column.numbers) for entry in facts):
        return "Add what is lacking to coding=, or to missing= if it stands for no answer."
    if len(codes) != 1 or not strays:
        return ""
    expected = codes.pop()
    low, high = expected[0], expected[-1]
    far = sorted(int(code) for code in strays if not low - 1 <= code <= high + 1)
    near = sorted(int(code) for code in strays if low - 1 <= code <= high + 1)
    hints, lacking = [], sorted([*near, *far])
    if near and (low - 1 not in near or not far):
        first = min(entry.low for entry in facts if entry.low is not None)
        last = max(near) if far else max(entry.high for entry in facts if entry.high is not None)
        if last - first == len(expected) - 1 == 1:
            hints.append(
                f"The items look coded {first:g} and {last:g} where {low} and {high} is expected. Say which means "
                f"which: coding={{{first:g}: {high}, {last:g}: {low}}} if {first:g} stands for {high}, "
                f"or coding={{{first:g}: {low}, {last:g}: {high}}}."
            )
            lacking = far
        elif last - first == len(expected) - 1:
            span = f"{first:g} to {last:g} where {low} to {high} is expected"
            hints.append(f'The items look coded {span}: pass coding="{first:g}-{last:g}".')
            lacking = far
    rare = all(strays[code] <= _RARE * sum(entry.answered for entry in facts) for code in lacking)
    if 0 < len(lacking) <= _CODES_LISTED and all(abs(code) <= _PLAUSIBLE_CODE for code in lacking) and rare:
        hints.append(_as_missing(lacking, strays, facts))
    return " ".join(hints)


def _named(instrument: Instrument, facts: Sequence[Facts]) -> str:
    """Return the codings of the instrument that have every answer seen, if the declared one was used."""
    if any(entry.column.recoded or entry.fractions or len(entry.strays) >= MANY_STRAYS for entry in facts):
        return ""
    fitting = []
    for coding in instrument.codings:
        raw = {item: set(row.codes) for row in coding.recodes for item in row.items}
        seen = [(raw.get(entry.column.item.id, set(entry.column.item.codes)), entry) for entry in facts]
        if all(codes.issuperset(entry.strays) and codes.issuperset(_ends(entry)) for codes, entry in seen):
            fitting.append(f'coding="{coding.name}" ({coding.note})')
    return f"The answers fit {' or '.join(fitting)}." if fitting else ""


def _ends(facts: Facts) -> set[float]:
    return {end for end in (facts.low, facts.high) if end is not None}


def _as_missing(codes: Sequence[int], counts: Counter[float], facts: Sequence[Facts]) -> str:
    """Return how to declare the codes as missing, along with those that are declared already."""
    declared = dict.fromkeys(code for entry in facts for code in entry.missing)
    listed = ", ".join(map(repr, [*declared, *codes]))
    argument = f"missing=({listed}{'' if len(declared) + len(codes) > 1 else ','})"
    if len(codes) == 1:
        return f"If {codes[0]} is a missing code, pass {argument}. If it is a slip, correct it in the file."
    which = _listed(f"{code} ({_answers(int(counts[code]))})" for code in codes)
    return f"If {which} are missing codes, pass {argument}. Correct in the file those that are slips."


def _expected(misfits: Sequence[Facts]) -> str:
    spans = dict.fromkeys(_span(list(entry.column.numbers)) for entry in misfits)
    return "the declared labels" if "" in spans else " and ".join(spans)


def _span(codes: Sequence[int]) -> str:
    if not codes:
        return ""
    if len(codes) == codes[-1] - codes[0] + 1:
        return f"{codes[0]} to {codes[-1]}"
    return ", ".join(map(str, codes))


def _observed(facts: Sequence[Facts]) -> str:
    """State the observed range, unless it is so wide that these may be no codes but somebody's data."""
    lows = [entry.low for entry in facts if entry.low is not None]
    highs = [entry.high for entry in facts if entry.high is not None]
    if not lows or min(lows) < -_PLAUSIBLE_CODE or max(highs) > _PLAUSIBLE_CODE:
        return ""
    return f" The answers run from {min(lows):g} to {max(highs):g}."


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return ", ".join(listed[:_LISTED]) + more


def _answers(count: int) -> str:
    return f"{count} answer" if count == 1 else f"{count} answers"


def _listed(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
