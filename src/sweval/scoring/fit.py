"""Do the answers fit the instrument? Refusals that name column, count and likely cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from sweval.errors import InstrumentError
from sweval.scoring.answers import Facts
from sweval.scoring.records import Instrument

_LISTED = 5
_PLAUSIBLE_CODE = 9999
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
            fix=_hint(facts) or "Check which columns hold the items, and how the form codes its answers.",
        )


def _hint(facts: Sequence[Facts]) -> str:
    """Return the likely cause, if there is one: another coding, missing codes, or both."""
    strays: Counter[float] = sum((entry.strays for entry in facts), Counter())
    codes = {tuple(entry.column.numbers) for entry in facts}
    if any(entry.column.words.keys() - map(str, entry.column.numbers) for entry in facts):
        return "Add what is lacking to coding=, or to missing= if it stands for no answer."
    if len(codes) != 1 or not strays:
        return ""
    expected = codes.pop()
    low, high = expected[0], expected[-1]
    far = sorted(int(code) for code in strays if not low - 1 <= code <= high + 1)
    near = sorted(int(code) for code in strays if low - 1 <= code <= high + 1)
    hints = []
    if near and (low - 1 not in near or not far):
        first = min(entry.low for entry in facts if entry.low is not None)
        last = max(near) if far else max(entry.high for entry in facts if entry.high is not None)
        if last - first == len(expected) - 1:
            span = f"{first:g} to {last:g} where {low} to {high} is expected"
            hints.append(f'The items look coded {span}: pass coding="{first:g}-{last:g}".')
    if 0 < len(far) <= _LISTED and all(abs(code) <= _PLAUSIBLE_CODE for code in far):
        which = ", ".join(map(str, far))
        kind = "is a missing code" if len(far) == 1 else "are missing codes"
        hints.append(f"If {which} {kind}, pass missing=({which},).")
    return " ".join(hints)


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
