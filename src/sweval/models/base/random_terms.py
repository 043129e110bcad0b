"""Random terms: grouping factors and what varies between their units, looked up and never evaluated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError, did_you_mean
from sweval.models.base.formula_reader import FormulaReader
from sweval.models.base.terms import Read, Term, columns_of, parse_terms, term_columns

Array = NDArray[np.float64]

_LEVEL = re.compile(r"(.+)\[(.+)\]", re.DOTALL)
_EFFECTS = 'Effects read "1", "1 + wave", "0 + wave", or "1 || wave" where they do not correlate.'


@dataclass(frozen=True, kw_only=True)
class RandomTerm:
    """What varies between the units of one grouping factor.

    Parameters
    ----------
    factor
        Grouping columns from the highest: `("agency", "client")` is client within agency.
    terms
        Columns whose effects vary, without the intercept.
    intercept
        Whether the level varies.
    diagonal
        Whether the effects do not correlate.
    """

    factor: tuple[str, ...]
    terms: tuple[Term, ...] = ()
    intercept: bool = True
    diagonal: bool = False

    @property
    def name(self) -> str:
        """Return the factor as the keys of `random` spell it."""
        return factor_name(self.factor)


def factor_name(columns: Sequence[str]) -> str:
    """Return `agency/client`; names that hold an operator between back-quotes."""
    return "/".join(f"`{name}`" if set(name) & set("/:") else name for name in columns)


def formula_name(name: str) -> str:
    """Return a column's name as formulas spell it: between back-quotes where it holds an operator."""
    return f"`{name}`" if set(name) & set("()+:*|~/^%-") else name


def formula_term(effects: str, factor: Sequence[str], *, diagonal: bool) -> str:
    """Return a random term as R's lme4 writes it, from its effects as `random` spells them.

    Examples
    --------
    >>> formula_term("1 || wave", ("agency", "client"), diagonal=True)
    '(1 + wave || agency:client)'
    """
    reader = FormulaReader(effects, "random", _EFFECTS)
    pieces = [effects[start:end].strip() for start, end in reader.split(0, len(effects), "||")]
    return f"({' + '.join(pieces)} {'||' if diagonal else '|'} {':'.join(map(formula_name, factor))})"


def parse_random(random: Mapping[str, str], *, where: str = "random") -> tuple[RandomTerm, ...]:
    """Read grouping factors with their effects.

    Parameters
    ----------
    random
        Factor -> effects, for example `{"agency": "1 + wave", "agency/client": "1"}`. `a/b` is b within a. Effects are
        terms; the intercept is understood unless they begin with `0`; `||` instead of `+` keeps them from correlating.
    where
        What to call it in an error.

    Raises
    ------
    DesignError
        Naming the factor, and the position of what cannot be read.

    Examples
    --------
    >>> first, second = parse_random({"agency": "1 + wave", "agency/client": "1"})
    >>> first.factor, first.terms, first.intercept
    (('agency',), (('wave',),), True)
    >>> second.name, second.factor
    ('agency/client', ('agency', 'client'))
    """
    if not isinstance(random, Mapping) or not random:
        raise DesignError(
            "no grouping factor is named.", where=where, fix='Write for example random={"agency": "1 + wave"}.'
        )
    found: list[RandomTerm] = []
    for key, effects in random.items():
        place = f'{where}, "{key}"'
        if not isinstance(key, str) or not isinstance(effects, str):
            raise DesignError("factors and their effects are texts.", where=place, fix=_EFFECTS)
        factor = parse_factor(key, where=place)
        if any(set(factor) == set(other.factor) for other in found):
            raise DesignError("the same factor is named twice.", where=place, fix="Join its effects with +.")
        terms, intercept, diagonal = parse_effects(effects, where=place)
        found.append(RandomTerm(factor=factor, terms=terms, intercept=intercept, diagonal=diagonal))
    return tuple(found)


def parse_effects(text: str, *, where: str) -> tuple[tuple[Term, ...], bool, bool]:
    """Return terms, whether the intercept varies, and whether the effects do not correlate.

    Examples
    --------
    >>> parse_effects("0 + wave", where="random")
    ((('wave',),), False, False)
    >>> parse_effects("1 || wave", where="random")
    ((('wave',),), True, True)
    """
    reader = FormulaReader(text, where, _EFFECTS)
    blocks = reader.split(0, len(text), "||")
    for start, end in blocks:
        for at, sign, _ in reader.signs(start, end):
            if sign == "|":
                reader.fail(at, "found a single bar")
    pieces: list[tuple[int, int]] = []
    for start, end in blocks:
        own = reader.split(start, end, "+")
        if len(blocks) > 1 and len(own) > 1:
            reader.fail(own[1][0] - 1, "+ and || are mixed; use + where effects correlate, or || where none do")
        pieces += own
    terms: list[Term] = []
    constants = []
    for start, end in pieces:
        piece = text[start:end].strip()
        if piece in ("0", "1"):
            constants.append(piece)
        elif not piece:
            reader.fail(start, "an effect is missing")
        else:
            reader.refuse_minus(start, end, 'Write "0 + ..." for effects without an intercept.')
            terms += parse_terms(" " * start + text[start:end], where=where)
    if {"0", "1"} <= set(constants):
        reader.fail(0, "the effects hold both 0 (no intercept) and 1 (an intercept)")
    intercept = "0" not in constants
    if not terms and not intercept:
        reader.fail(0, "without an intercept and without a column nothing varies")
    unique: dict[frozenset[str], Term] = {}
    for term in terms:
        unique.setdefault(frozenset(term), term)
    return tuple(sorted(unique.values(), key=len)), intercept, len(blocks) > 1


def random_columns(term: RandomTerm, read: Read, *, rows: int, where: str) -> list[tuple[str, Term, Array]]:
    """Return name, term and values of every random effect; `arm[program]` is 1 in that level and else 0.

    Raises
    ------
    DesignError
        If a level is not in the data, or effects that are not to correlate hold a category.
    """
    numeric, base = dict(read.numeric), {}
    for name in columns_of(term.terms):
        if name in read.numeric or name in read.coded:
            continue
        column, level = split_level(name)
        labels, codes = read.coded[column]
        if level not in labels:
            raise DesignError(
                f'"{column}" has no level "{level}".', where=where, fix=did_you_mean(level or "", list(labels))
            )
        base[name] = column
        numeric[name] = (codes == list(labels).index(str(level))).astype(float)
    categories = [name for name in columns_of(term.terms) if name in read.coded]
    if term.diagonal and categories:
        example = " || ".join(f"{categories[0]}[{label}]" for label in read.coded[categories[0]][0][:2])
        raise DesignError(
            f'"{categories[0]}" is a category, and || would leave open which of its levels correlate.',
            where=where,
            fix=f'Name the levels, as in "0 || {example}", or use + instead of ||.',
        )
    blocks = term_columns(term.terms, numeric, read.coded, rows=rows, intercept=term.intercept, where=where)
    return [(label, tuple(base.get(name, name) for name in own), values) for label, own, values in blocks]


def effect_columns(term: RandomTerm, present: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that the effects need: `arm` for `arm[program]`, where no column has that very name."""
    own = [name if name in present else split_level(name)[0] for name in columns_of(term.terms)]
    return tuple(dict.fromkeys(own))


def split_level(name: str) -> tuple[str, str | None]:
    """Return `("arm", "program")` for `arm[program]`, and a plain name with None."""
    match = _LEVEL.fullmatch(name)
    return (match[1], match[2]) if match else (name, None)


def parse_factor(text: str, *, where: str) -> tuple[str, ...]:
    """Return the grouping columns of a key such as `agency/client`."""
    reader = FormulaReader(text, where, 'A factor reads "agency", or "agency/client" for clients within agencies.')
    for at, sign, _ in reader.signs(0, len(text)):
        if sign == ":":
            reader.fail(at, "found :", 'Write "agency/client", the higher level first.')
    columns = tuple(reader.name(start, end, "a grouping column") for start, end in reader.split(0, len(text), "/"))
    if len(set(columns)) < len(columns):
        reader.fail(0, "a grouping column is named twice")
    return columns
