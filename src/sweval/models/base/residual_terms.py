"""How residuals vary and correlate, as a text that is looked up and never evaluated."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sweval.errors import DesignError, did_you_mean
from sweval.models.base.formula_reader import FormulaReader
from sweval.models.base.random_terms import factor_name, parse_factor
from sweval.models.engine.mixed.model import ResidualKind

_FORMS: dict[str, ResidualKind] = {
    "independent": "independent",
    "by(arm)": "by_class",
    "ar1(wave | client)": "ar1",
    "compound_symmetry(client)": "compound_symmetry",
    "unstructured(wave | client)": "unstructured",
}
_FIX = "Residuals read " + ", ".join(f'"{form}"' for form in _FORMS) + "; the names are columns."


@dataclass(frozen=True, kw_only=True)
class ResidualTerms:
    """A residual structure in column names.

    Parameters
    ----------
    kind
        As the engine names it.
    classes
        Column whose levels have a variance each.
    unit
        Grouping columns, from the highest, within which residuals correlate.
    occasion
        Column of time or of the occasion.
    """

    kind: ResidualKind
    classes: str | None = None
    unit: tuple[str, ...] = ()
    occasion: str | None = None

    @property
    def spelled(self) -> str:
        """Return the structure as it was asked for."""
        word = next(form for form, kind in _FORMS.items() if kind == self.kind).partition("(")[0]
        if self.kind == "independent":
            return word
        within = factor_name(self.unit)
        return f"{word}({self.classes or (f'{self.occasion} | {within}' if self.occasion else within)})"


def parse_residual(text: str, *, where: str = "residual") -> ResidualTerms:
    """Read a residual structure.

    Parameters
    ----------
    text
        "independent"; "by(arm)" for a variance in each arm; "ar1(wave | client)" for a correlation that fades with time
        (whole numbers); "compound_symmetry(client)" for one that does not; "unstructured(wave | client)".
    where
        What to call it in an error.

    Raises
    ------
    DesignError
        With the position of what cannot be read.

    Examples
    --------
    >>> parse_residual("ar1(wave | agency/client)")
    ResidualTerms(kind='ar1', classes=None, unit=('agency', 'client'), occasion='wave')
    """
    reader = FormulaReader(text, where, _FIX)
    match = re.fullmatch(r"\s*(\w+)\s*(?:(\()(.*)\)\s*)?", text, re.DOTALL)
    words = {form.partition("(")[0]: (form, kind) for form, kind in _FORMS.items()}
    if match is None or match[1] not in words:
        word = match[1] if match else text
        raise DesignError(f'"{word}" is no structure of residuals.', where=where, fix=did_you_mean(word, list(_FORMS)))
    form, kind = words[match[1]]
    if (match[2] is None) != ("(" not in form):
        reader.fail(match.end(1), f'this should read like "{form}"')
    if match[2] is None:
        return ResidualTerms(kind=kind)
    start, end = match.span(3)
    if kind == "by_class":
        return ResidualTerms(kind=kind, classes=reader.name(start, end, "the column"))
    sides = reader.split(start, end, "|")
    if len(sides) != form.count("|") + 1:
        reader.fail(start, f'this should read like "{form}"')
    unit = parse_factor(" " * sides[-1][0] + text[slice(*sides[-1])], where=where)
    occasion = reader.name(*sides[0], "the column of time") if len(sides) == 2 else None
    return ResidualTerms(kind=kind, unit=unit, occasion=occasion)
