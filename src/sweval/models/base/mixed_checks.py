"""What no mixed model can tell apart, refused in the words of the data before anything is fitted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError
from sweval.models.base.grouping import Grouping, nested
from sweval.models.base.random_terms import RandomTerm
from sweval.models.base.residual_terms import ResidualTerms
from sweval.models.base.values import counted
from sweval.models.engine.mixed.model import Factor

Array = NDArray[np.float64]

_SAME = 1e-10
"""An eigenvalue of scaled cross-products below this is zero."""


def refuse_doubles(
    groupings: Sequence[Grouping], random: Sequence[RandomTerm], residual: ResidualTerms, *, where: str
) -> None:
    """Refuse two factors with the same units, and residuals that say again what a random term says.

    Raises
    ------
    DesignError
        Naming both.
    """
    for number, term in enumerate(random):
        again = residual.kind == "unstructured" or (residual.kind == "compound_symmetry" and term.intercept)
        if again and set(term.factor) == set(residual.unit):
            raise DesignError(
                f'the random term of "{term.name}" and residual="{residual.spelled}" say the same, and the data cannot '
                "tell them apart.",
                where=where,
                fix="Leave one of them out.",
            )
        for other in range(number):
            one, two = groupings[number], groupings[other]
            if nested(one, two) and nested(two, one):
                raise DesignError(
                    f'"{two.name}" and "{one.name}" tell the same {one.units} units apart.',
                    where=where,
                    fix="Leave one of them out.",
                )


def refuse_without_variation(
    y: Array, X: Array, parts: tuple[Sequence[Grouping], Sequence[Factor]], *, outcome: str, where: str
) -> None:
    """Refuse factors of which the rows show no variation between units, or none within.

    Parameters
    ----------
    y, X
        Outcome (n,) and terms (n, p).
    parts
        The units of every factor (and last those within which residuals correlate), and the factors.
    outcome
        Name of the outcome.
    where
        What to call the model in an error.

    Raises
    ------
    DesignError
        If a factor has one unit, as many random effects as rows, or units that the terms tell apart; or if the outcome
        is the same in all rows of each unit.
    """
    groupings, factors = parts
    for own, factor in zip(groupings, factors, strict=False):
        rows = int((own.codes >= 0).sum())
        if own.units < 2:
            raise DesignError(
                f'all usable rows are in {counted(own.units, "unit")} of "{own.name}", so its variance cannot be '
                "estimated.",
                where=where,
                fix=f'Leave it out: one "{own.name}" says nothing about how they differ in general.',
            )
        if own.units * factor.q >= rows:
            raise DesignError(
                f'the {own.units} "{own.name}" have {counted(own.units * factor.q, "random effect")}, and '
                f"{counted(rows, 'row')} cannot tell them from the residuals.",
                where=where,
                fix="Leave out a slope."
                if factor.q > 1
                else "Leave it out, or name a column whose units hold several rows.",
            )
        if _constant_within(y, own.codes):
            raise DesignError(
                f'"{outcome}" is the same in all rows of each "{own.name}", so it is a measure of these.',
                where=where,
                fix=f'Keep one row per "{own.name}", and leave it out of the random terms.',
            )
        if factor.q == 1 and own.units <= X.shape[1] and _told_apart(X, own.codes, factor.Z[:, 0]):
            raise DesignError(
                f'the fixed terms tell the {own.units} "{own.name}" apart, so nothing is left to vary between them.',
                where=where,
                fix=f'An effect of what is the same in each "{own.name}", such as its arm, needs more of them: at '
                "least two in each arm, better four or more.",
            )
    if len(factors) < len(groupings) and groupings[-1].units == int((groupings[-1].codes >= 0).sum()):
        raise DesignError(
            f'every row is a "{groupings[-1].name}" of its own, so residuals cannot correlate within it.',
            where=where,
            fix='Use residual="independent", or name a column whose units hold several rows.',
        )


def _constant_within(y: Array, codes: NDArray[np.integer]) -> bool:
    """Tell whether all rows are in units, and no unit holds two values."""
    if (codes < 0).any():
        return False
    first = np.zeros(int(codes.max()) + 1)
    first[codes] = y
    return bool((first[codes] == y).all())


def _told_apart(X: Array, codes: NDArray[np.integer], z: Array) -> bool:
    """Tell whether the columns of all units lie in the space of the terms."""
    spread = X - X.mean(axis=0)
    constant = ~spread.any(axis=0)
    spread[:, constant] = X[:, constant]
    units = np.zeros((len(X), int(codes.max()) + 1))
    has = np.flatnonzero(codes >= 0)
    units[has, codes[has]] = z[has]
    return _rank(np.column_stack([spread, units])) == _rank(spread)


def _rank(columns: Array) -> int:
    length = np.sqrt((columns * columns).sum(axis=0))
    scaled = columns[:, length > 0] / length[length > 0]
    return int((np.linalg.eigvalsh(scaled.T @ scaled) > _SAME).sum())
