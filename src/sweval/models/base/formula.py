"""Whole formulas and their fixed part, read character by character and never evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweval.models.base.formula_reader import FormulaReader
from sweval.models.base.random_terms import factor_name, parse_effects, parse_random
from sweval.models.base.terms import Term, parse_terms

_EXAMPLE = 'A formula reads "outcome ~ arm * wave + (1 + wave | agency) + (1 | agency:client)".'


@dataclass(frozen=True, kw_only=True)
class Formula:
    """A formula in the words of `MixedModel`: `fixed` with the outcome, and `random`."""

    fixed: str
    random: Mapping[str, str]


def parse_fixed(text: str, *, where: str = "fixed") -> tuple[str | None, tuple[Term, ...]]:
    """Return the outcome, where the text names one before `~`, and the terms; `1` alone is the intercept.

    Examples
    --------
    >>> parse_fixed("distress ~ arm * wave")
    ('distress', (('arm',), ('wave',), ('arm', 'wave')))
    >>> parse_fixed("1")
    (None, ())
    """
    reader = FormulaReader(text, where, 'Terms read "arm * wave + age"; "1" is the intercept alone.')
    sides = reader.split(0, len(text), "~")
    if len(sides) > 2:
        reader.fail(sides[2][0] - 1, "found a second ~")
    outcome = reader.name(*sides[0], "the outcome") if len(sides) == 2 else None
    kept = []
    for start, end in reader.split(*sides[-1], "+"):
        piece = text[start:end].strip()
        if piece == "0":
            reader.fail(start, "the intercept is always in the fixed part; 0 cannot take it out")
        if not piece and len(sides) == 2:
            reader.fail(start, "a term is missing")
        if piece != "1":
            kept.append((start, end))
    if not kept:
        return outcome, ()
    return outcome, parse_terms(reader.only(kept), where=where)


def parse_formula(text: str, *, where: str = "formula") -> Formula:
    """Read a formula as R's lme4 has it.

    `(1 | a/b)` stands for `(1 | a) + (1 | a:b)`, and `||` for effects that do not correlate. `(1 | a) + (0 + x | a)`
    says the same as `(1 + x || a)`.

    Parameters
    ----------
    text
        `outcome ~ terms + (effects | factor)`. Names that hold an operator or a parenthesis stand between back-quotes.
    where
        What to call it in an error.

    Raises
    ------
    DesignError
        With the position of what cannot be read, such as a function call.

    Examples
    --------
    >>> parse_formula("y ~ arm * wave + (1 + wave | agency) + (1 | agency:client)")
    Formula(fixed='y ~ arm * wave', random={'agency': '1 + wave', 'agency/client': '1'})
    """
    reader = FormulaReader(text, where, _EXAMPLE)
    reader.refuse_calls()
    sides = reader.split(0, len(text), "~")
    if len(sides) != 2:
        reader.fail(len(text) if len(sides) == 1 else sides[2][0] - 1, "a formula has one ~ after its outcome")
    outcome = text[slice(*sides[0])].strip()
    reader.name(*sides[0], "the outcome")
    fixed: list[str] = []
    random: list[tuple[tuple[str, ...], list[str]]] = []
    for start, end in reader.split(*sides[1], "+"):
        bar = next((at for at, sign, _ in reader.signs(start, end) if sign == "|"), None)
        if bar is None:
            reader.refuse_minus(start, end, "The intercept is always in the fixed part.")
            reader.refuse_foreign(start, end)
            if not text[start:end].strip():
                reader.fail(start, "a term is missing")
            fixed.append(text[start:end].strip())
        else:
            random += _bar(reader, start, end, bar)
    parse_fixed(" " * sides[1][0] + _blanked(reader, sides[1]), where=where)
    if not random:
        reader.fail(len(text), "no random term (... | group) is there; for least squares use ClusterRobust")
    joined = _joined(reader, random)
    parse_random(joined, where=where)
    terms = [piece for piece in fixed if piece != "1"] or ["1"]
    return Formula(fixed=f"{outcome} ~ {' + '.join(terms)}", random=joined)


def _bar(reader: FormulaReader, start: int, end: int, bar: int) -> list[tuple[tuple[str, ...], list[str]]]:
    """Return the factors of `(effects | factor)`, each with its effects as pieces, `||` first where asked for."""
    text = reader.text
    signs = list(reader.signs(start, end))
    marks = [(at, sign, depth) for at, sign, depth in signs if not sign.isspace()]
    whole = marks[0][1] == "(" and marks[-1][1] == ")" and all(depth > 0 for _, _, depth in marks)
    if not whole or any(sign == ")" and depth == 1 for _, sign, depth in marks[:-1]):
        reader.fail(bar, "a bar stands only in a random term of its own, (effects | group), joined with +")
    bars = [(at, depth) for at, sign, depth in marks if sign == "|"]
    double = len(bars) == 2 and bars[1][0] == bars[0][0] + 1
    if any(depth != 1 for _, depth in bars):
        reader.fail(bars[-1][0], "the bar of a random term stands directly inside its parentheses, (effects | group)")
    if len(bars) > 1 and not double:
        reader.fail(bars[-1][0], "found a second bar; a random term has one, (effects | group)")
    inner = (marks[0][0] + 1, bar)
    pieces = [text[a:b].strip() for a, b in reader.split(*inner, "+")]
    for a, b in reader.split(*inner, "+"):
        reader.refuse_minus(a, b, 'Write "0 + ..." for effects without an intercept.')
        reader.refuse_foreign(a, b)
    parse_effects(" " * inner[0] + text[slice(*inner)], where=reader.where)
    right = (bars[-1][0] + 1, marks[-1][0])
    nested, crossed = reader.split(*right, "/"), reader.split(*right, ":")
    if len(nested) > 1 and len(crossed) > 1:
        reader.fail(right[0], "a factor holds both / and :", "Write (1 | a/b) or (1 | a:b), one term for each.")
    columns = tuple(reader.name(a, b, "the grouping column") for a, b in (nested if len(nested) > 1 else crossed))
    effects = (["||"] if double else []) + pieces
    if len(nested) == 1:
        return [(columns, effects)]
    return [(columns[: depth + 1], effects) for depth in range(len(columns))]


def _joined(reader: FormulaReader, random: Sequence[tuple[tuple[str, ...], list[str]]]) -> dict[str, str]:
    """Return factor -> effects, higher grouping columns first, terms on the same factor joined by `||`."""
    factors = [set(columns) for columns, _ in random]
    found: dict[frozenset[str], tuple[tuple[str, ...], list[list[str]]]] = {}
    for columns, effects in random:
        above = sorted((len(other), k) for k, other in enumerate(factors) if other < set(columns))
        first = random[above[-1][1]][0] if above else ()
        ordered = (*first, *(name for name in columns if name not in first))
        found.setdefault(frozenset(columns), (ordered, []))[1].append(effects)
    out = {}
    for columns, parts in found.values():
        if len(parts) == 1:
            out[factor_name(columns)] = _spelled(parts[0])
            continue
        single = [part[-1] for part in parts if part == ["1"] or (part[0] == "0" and _one_column(part[1:]))]
        twice = [one for one in single if single.count(one) > 1]
        if twice:
            reader.fail(
                0, f'"{factor_name(columns)}" has the random effect "{twice[0]}" twice', "Leave one of them out."
            )
        if len(single) < len(parts):
            reader.fail(
                0,
                f'"{factor_name(columns)}" has several random terms, which leaves open what correlates',
                "Write one term: (1 + x | g) where effects correlate, (1 + x || g) where they do not.",
            )
        head = [] if "1" in single else ["0"]
        out[factor_name(columns)] = " || ".join([*head, *sorted(single, key=lambda part: part != "1")])
    return out


def _spelled(effects: list[str]) -> str:
    """Return the effects of one random term as `random` spells them."""
    if effects[0] != "||":
        return " + ".join(effects)
    understood = [] if {"0", "1"} & set(effects) else ["1"]
    return " || ".join([*understood, *effects[1:]])


def _one_column(pieces: list[str]) -> bool:
    """Tell whether the pieces are one term."""
    return len(pieces) == 1 and len(parse_terms(pieces[0])) == 1


def _blanked(reader: FormulaReader, side: tuple[int, int]) -> str:
    """Return the fixed terms of the right side in their places; `1` where there is none."""
    pieces = [piece for piece in reader.split(*side, "+") if all(sign != "|" for _, sign, _ in reader.signs(*piece))]
    return reader.only(pieces)[side[0] :] if pieces else "1"
