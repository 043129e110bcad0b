"""What no mixed model can tell apart, refused in the words of the data before anything is fitted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError
from sweval.models.base.grouping import Grouping, nested
from sweval.models.base.mixed_design import RandomPart
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


def refuse_unidentified(
    groupings: Sequence[Grouping], factors: Sequence[Factor], parts: Sequence[RandomPart], *, where: str
) -> None:
    """Refuse a random part with more variances and covariances than its units can show, whatever the outcome.

    Parameters
    ----------
    groupings, factors, parts
        Units, columns and names of every factor.
    where
        What to call the model in an error.

    Raises
    ------
    DesignError
        Naming the columns that are the same in all rows of each unit.
    """
    for own, factor, part in zip(groupings, factors, parts, strict=False):
        if factor.q < 2 or _variances_told_apart(own.codes, factor):
            continue
        same = [name for k, name in enumerate(part.names) if name != "(Intercept)" and _same(own.codes, factor, k)]
        if not same:
            raise DesignError(
                f'the data cannot tell the variances and covariances of "{part.name}" apart.',
                where=where,
                fix="Leave out a slope, or use || so that effects do not correlate.",
            )
        listed = " and ".join(f'"{name}"' for name in same)
        raise DesignError(
            f'{listed} {"is" if len(same) == 1 else "are"} the same in all rows of each "{part.name}", so its units '
            "cannot show how that effect varies and correlates between them.",
            where=where,
            fix="Leave the slope out. For another variance in each category name its levels with ||, as in "
            f'"0 || {same[0]} || ...".',
        )


def _variances_told_apart(codes: NDArray[np.integer], factor: Factor) -> bool:
    """Tell whether no change of Psi leaves every `Z_i Psi Z_i'` as it is: those of its entries are independent."""
    has, q = codes >= 0, factor.q
    diagonal = factor.covariance == "diagonal"
    columns = factor.Z[has]
    if np.linalg.matrix_rank(columns) < q:
        return True  # refused later, in words of its own
    Z = columns if diagonal else np.linalg.qr(columns)[0]  # a full Psi has its like for other columns of the same span
    products = np.zeros((int(codes.max()) + 1, q, q))
    np.add.at(products, codes[has], Z[:, :, None] * Z[:, None, :])
    pairs = [(k, k) for k in range(q)] if diagonal else [(a, b) for b in range(q) for a in range(b, q)]
    one = np.eye(q)
    turned = [products @ (np.outer(one[a], one[b]) + np.outer(one[b], one[a])) for a, b in pairs]
    gram = np.array([[float(np.einsum("uab,uba->", x, y)) for y in turned] for x in turned])
    length = np.sqrt(np.diag(gram))
    if length.min() <= _SAME * length.max():
        return False  # no unit holds both of two columns, so nothing shows how they correlate
    return bool(np.linalg.eigvalsh(gram / np.outer(length, length))[0] > _SAME)


def _same(codes: NDArray[np.integer], factor: Factor, k: int) -> bool:
    """Tell whether no unit holds two values of a column."""
    has = codes >= 0
    first = np.zeros(int(codes.max()) + 1)
    first[codes[has]] = factor.Z[has, k]
    return bool((first[codes[has]] == factor.Z[has, k]).all())


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
