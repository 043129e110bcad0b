"""Model terms: column names joined by `+ : *` and parentheses, looked up and never evaluated."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError, did_you_mean
from sweval.models.base.values import is_number, label_key, levels, numbers

if TYPE_CHECKING:
    import pandas as pd

Term = tuple[str, ...]

MOST_COLUMNS = 200
MOST_FACTORS = 3
_DEEPEST = 50
_FEW_LEVELS = 10
_OPERATORS = "+:*()"
_FOREIGN = "~|^/-%"


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The columns of a design matrix.

    Parameters
    ----------
    X
        Shape (n, p); the first column is the intercept.
    names
        `(Intercept)`, `wave`, `arm[program]`, `arm[program]:wave`.
    terms
        For each column the term it belongs to; `()` for the intercept.
    levels
        Levels of every categorical column, reference first, in the order of the terms.
    numeric
        Values of every numeric column, shape (n,), in the order of the terms.
    notes
        What was done to the values, for example text that was read as numbers.
    """

    X: NDArray[np.float64]
    names: tuple[str, ...]
    terms: tuple[Term, ...]
    levels: Mapping[str, tuple[str, ...]]
    numeric: Mapping[str, NDArray[np.float64]]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Read:
    """Columns of a table as numbers, or as levels with each row's level number; and what was done to the values."""

    numeric: Mapping[str, NDArray[np.float64]]
    coded: Mapping[str, tuple[Sequence[str], NDArray[np.intp]]]
    notes: tuple[str, ...]

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """Return the levels of every categorical column, reference first."""
        return {name: tuple(labels) for name, (labels, _) in self.coded.items()}


def parse_terms(text: str, *, where: str = "fixed") -> tuple[Term, ...]:
    """Split a formula's right-hand side into terms, main effects first.

    Parameters
    ----------
    text
        For example `arm * wave + age`. A name that holds an operator stands between back-quotes; a space inside a name
        needs none.
    where
        What to call the formula in an error.

    Returns
    -------
    tuple of tuple of str
        Each term as the names it multiplies; the intercept is understood.

    Raises
    ------
    DesignError
        With the position of what cannot be read; or for more than three names multiplied, or too many terms.

    Examples
    --------
    >>> parse_terms("arm * wave + age")
    (('arm',), ('wave',), ('age',), ('arm', 'wave'))
    >>> parse_terms("(arm + `days+1`):wave")
    (('arm', 'wave'), ('days+1', 'wave'))
    """
    parser = _Parser(text, where)
    found = parser.sum(0)
    if parser.peek() is not None:
        parser.fail(f'found "{parser.peek()}" where + : or * should stand')
    return tuple(sorted(found, key=len))


def columns_of(terms: Sequence[Term]) -> tuple[str, ...]:
    """Return every column name once, in order of appearance."""
    return tuple(dict.fromkeys(itertools.chain.from_iterable(terms)))


def encode(
    terms: Sequence[Term], table: pd.DataFrame, *, reference: Mapping[str, object] | None = None, where: str = "fixed"
) -> Encoded:
    """Make the design matrix of terms from a table without missing values.

    Numbers enter as they are. Text, yes/no and category columns get one column per level but the reference level; where
    a main effect is absent its interaction keeps all levels, as in R.

    Parameters
    ----------
    terms
        From `parse_terms`.
    table
        Complete rows; must hold every column.
    reference
        Column -> reference level. The default is the first level in sorted order (in their own order for ordered
        categories). Naming a numeric column here makes it categorical.
    where
        What to call the terms in an error.

    Raises
    ------
    DesignError
        If a reference level is not in the data, a column is no number and no category, or more than 200 columns arise.
    """
    read = read_columns(columns_of(terms), table, reference=reference, where=where)
    blocks = term_columns(terms, read.numeric, read.coded, rows=len(table), where=where)
    return Encoded(
        X=np.column_stack([column for _, _, column in blocks]),
        names=tuple(label for label, _, _ in blocks),
        terms=tuple(term for _, term, _ in blocks),
        levels=read.levels,
        numeric=read.numeric,
        notes=read.notes,
    )


def read_columns(
    names: Sequence[str], table: pd.DataFrame, *, reference: Mapping[str, object] | None = None, where: str = "fixed"
) -> Read:
    """Read complete columns as numbers or as levels, by their type and by the references that are asked for.

    Parameters
    ----------
    names
        Columns of the terms.
    table
        Complete rows; must hold every column.
    reference
        Column -> reference level, as for `encode`.
    where
        What to call the terms in an error.

    Raises
    ------
    DesignError
        If a reference level is not in the data, or a column is no number and no category.
    """
    reference = dict(reference or {})
    absent = [name for name in reference if name not in names]
    if absent:
        raise DesignError(
            f'the reference names the column "{absent[0]}", which is in no term.',
            where=where,
            fix=did_you_mean(absent[0], names),
        )
    notes: list[str] = []
    numeric: dict[str, NDArray[np.float64]] = {}
    coded: dict[str, tuple[list[str], NDArray[np.intp]]] = {}
    for name in names:
        if is_number(table[name]) and name not in reference:
            numeric[name], said = numbers(table[name], where=where)
            notes += said
        else:
            coded[name] = _levels(table[name], reference.get(name), where=where)
            if name not in reference and _numbers_as_text(table[name], coded[name][0]):
                notes.append(
                    f'"{name}" is stored as text but holds only numbers; it entered as a category with '
                    f"{len(coded[name][0])} levels. If it is a quantity, make it a number."
                )
    return Read(numeric=numeric, coded=coded, notes=tuple(notes))


def term_columns(
    terms: Sequence[Term],
    numeric: Mapping[str, NDArray[np.float64]],
    coded: Mapping[str, tuple[Sequence[str], NDArray[np.intp]]],
    *,
    rows: int,
    intercept: bool = True,
    where: str = "fixed",
) -> list[tuple[str, Term, NDArray[np.float64]]]:
    """Return name, term and values of every column of the design matrix, the intercept first.

    Without an intercept the first category keeps all its levels, as in R.

    Parameters
    ----------
    terms
        From `parse_terms`.
    numeric
        Values of the numeric columns.
    coded
        Levels of the categorical columns, reference first, and each row's level number.
    rows
        Number of rows n.
    intercept
        Whether a column of ones comes first.
    where
        What to call the terms in an error.

    Raises
    ------
    DesignError
        If more than 200 columns arise.
    """
    present = {frozenset(term) for term in terms} | ({frozenset[str]()} if intercept else set())
    blocks: list[tuple[str, Term, NDArray[np.float64]]] = [("(Intercept)", (), np.ones(rows))] if intercept else []
    for term in terms:
        parts = []
        for name in term:
            if name in numeric:
                parts.append([(name, numeric[name])])
            else:
                labels, codes = coded[name]
                first = 1 if frozenset(term) - {name} in present else 0
                parts.append([(f"{name}[{labels[k]}]", (codes == k).astype(float)) for k in range(first, len(labels))])
        if len(blocks) + np.prod([len(part) for part in parts], dtype=float) > MOST_COLUMNS:
            raise DesignError(
                f"the terms need more than {MOST_COLUMNS} columns.",
                where=where,
                fix=f'"{":".join(term)}" has many levels; leave it out, or join levels.',
            )
        for combination in itertools.product(*reversed(parts)):
            chosen = combination[::-1]  # the first name's levels vary fastest, as in R
            column = np.prod([values for _, values in chosen], axis=0)
            blocks.append((":".join(label for label, _ in chosen), term, column))
        if len(term) == 1 and term[0] in coded:
            present.add(frozenset())  # the levels of a first category add up to an intercept
    return blocks


def _levels(column: pd.Series, reference: object, *, where: str) -> tuple[list[str], NDArray[np.intp]]:
    """Return the levels, reference first, and each row's level number."""
    codes, labels = levels(column, where=where)
    counts = np.bincount(codes, minlength=len(labels))
    present = set(np.flatnonzero(counts))
    if len(present) > _FEW_LEVELS and (counts == 1).sum() > len(present) / 2:
        raise DesignError(
            f'"{column.name}" holds {len(present)} different values, most of them once: ids or free text.',
            where=where,
            fix="Leave it out, or make it a number.",
        )
    order = [number for number in range(len(labels)) if number in present]
    if reference is not None:
        wanted = label_key(reference)
        if wanted is None or wanted not in [labels[number] for number in order]:
            raise DesignError(
                f'the reference level "{wanted}" of "{column.name}" is not in the data.',
                where=where,
                fix=did_you_mean(str(wanted), [labels[number] for number in order]),
            )
        order.remove(labels.index(wanted))
        order.insert(0, labels.index(wanted))
    place = np.full(len(labels), -1, dtype=np.intp)
    place[order] = np.arange(len(order))
    return [labels[number] for number in order], place[codes]


def _numbers_as_text(column: pd.Series, labels: Sequence[str]) -> bool:
    """Tell whether a column that nobody made a category holds texts that all are numbers."""
    if str(column.dtype) in ("category", "bool", "boolean"):
        return False
    try:
        return bool(np.isfinite([float(label) for label in labels]).all())
    except ValueError:
        return False


class _Parser:
    """Recursive descent over `+`, `*`, `:` (binding tighter in this order) and parentheses."""

    def __init__(self, text: str, where: str) -> None:
        self.text, self.where, self.at = str(text), where, 0

    def peek(self) -> str | None:
        """Return the next character that is no space, or None at the end."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else None

    def fail(self, problem: str) -> None:
        raise DesignError(
            f"at character {self.at + 1}, {problem}.",
            where=self.where,
            fix='Terms are column names joined by + : * and parentheses, for example "arm * wave + age".',
        )

    def sum(self, depth: int) -> list[Term]:
        terms = self.product(depth)
        while self.peek() == "+":
            self.at += 1
            terms = _unique([*terms, *self.product(depth)])
        return terms

    def product(self, depth: int) -> list[Term]:
        terms = self.interaction(depth)
        while self.peek() == "*":
            self.at += 1
            right = self.interaction(depth)
            terms = _unique([*terms, *right, *self.multiplied(terms, right)])
        return terms

    def interaction(self, depth: int) -> list[Term]:
        terms = self.atom(depth)
        while self.peek() == ":":
            self.at += 1
            terms = self.multiplied(terms, self.atom(depth))
        return terms

    def multiplied(self, left: list[Term], right: list[Term]) -> list[Term]:
        """Return every left term joined with every right term, within the limits."""
        if len(left) * len(right) > MOST_COLUMNS:
            self.fail(f"more than {MOST_COLUMNS} terms arise")
        terms = _unique([tuple(dict.fromkeys((*a, *b))) for a in left for b in right])
        if max(len(term) for term in terms) > MOST_FACTORS:
            self.fail(f"more than {MOST_FACTORS} columns are multiplied")
        return terms

    def atom(self, depth: int) -> list[Term]:
        character = self.peek()
        if character == "(":
            if depth >= _DEEPEST:
                self.fail("there are too many parentheses")
            self.at += 1
            terms = self.sum(depth + 1)
            if self.peek() != ")":
                self.fail("a closing parenthesis is missing")
            self.at += 1
            return terms
        if character == "`":
            end = self.text.find("`", self.at + 1)
            if end < 0:
                self.fail("a closing back-quote is missing")
            name, self.at = self.text[self.at + 1 : end], end + 1
        else:
            end = self.at
            while end < len(self.text) and self.text[end] not in _OPERATORS + "`":
                end += 1
            name, start = self.text[self.at : end].strip(), self.at
            if not name:
                self.fail(
                    "a column name is missing"
                    if character is None
                    else f'found "{character}" where a column name should stand'
                )
            if name.isdecimal():
                self.fail(f'"{name}" is a number; the intercept is always in the model, and terms are column names')
            self.at = start + len(self.text[start:end].rstrip())
        return [(name,)]


def foreign_operator(name: str) -> str:
    """Return a sentence when an unknown name holds an operator of other formula languages."""
    found = [mark for mark in _FOREIGN if mark in name]
    return f' "{found[0]}" is no operator here; only + : * and parentheses are.' if found else ""


def _unique(terms: Sequence[Term]) -> list[Term]:
    """Drop terms of the same names; the first stays."""
    return list({frozenset(term): term for term in reversed(terms)}.values())[::-1]
