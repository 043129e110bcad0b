"""What a linear mixed model is told: grouping factors and the structure of the residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError

Array = NDArray[np.float64]
Codes = NDArray[np.integer]

ResidualKind = Literal["independent", "by_class", "ar1", "compound_symmetry", "unstructured"]
MOST_OCCASIONS = 200


@dataclass(frozen=True, eq=False)
class Factor:
    """One grouping factor with the columns whose effects vary between its units.

    Parameters
    ----------
    codes
        Unit of every row, shape (n,); -1 where a row belongs to no unit.
    Z
        Columns with random effects, shape (n, q); a column of ones is a random intercept.
    covariance
        "full": the q effects of a unit correlate. "diagonal": they do not.
    """

    codes: Codes
    Z: Array
    covariance: Literal["full", "diagonal"] = "full"

    @property
    def q(self) -> int:
        """Return the number of random effects per unit."""
        return int(self.Z.shape[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Residual:
    """How residuals vary and correlate.

    Parameters
    ----------
    kind
        "independent"; "by_class": each class has its own variance; "ar1": correlation rho^|difference of occasions|
        within a unit; "compound_symmetry": one correlation within a unit, negative ones allowed; "unstructured": every
        occasion has its variance and every pair its covariance.
    classes
        Class 0 .. C-1 of every row, for "by_class".
    unit
        Unit of every row, for the kinds within a unit.
    occasion
        Integer time of every row, for "ar1" and "unstructured"; at most one row per unit and occasion.
    """

    kind: ResidualKind = "independent"
    classes: Codes | None = None
    unit: Codes | None = None
    occasion: Codes | None = None


def require_finite(y: Array, X: Array, factors: tuple[Factor, ...]) -> None:
    """Refuse columns of unequal length, and numbers that are none."""
    for factor in factors:
        if factor.Z.ndim != 2 or len(factor.Z) != len(y) or len(factor.codes) != len(y):
            raise DesignError("a grouping factor has not one row per outcome.")
        finite = np.isfinite(factor.Z)
        if not finite.all():
            bad = int(np.size(factor.Z) - finite.sum())
            raise DesignError(f"the random terms hold {bad} missing or infinite values.", fix="Leave these rows out.")
        rows = factor.codes >= 0
        inside, Z = (factor.codes, factor.Z) if rows.all() else (factor.codes[rows], factor.Z[rows])
        units = int(np.count_nonzero(np.bincount(inside))) if len(inside) else 0
        if units < 2:
            raise DesignError(
                f"a grouping factor has {units} unit{'' if units == 1 else 's'}; its variance cannot be estimated.",
                fix="Name a column with several units, better ten or more.",
            )
        if units * factor.q >= len(y) and units == int(rows.sum()):
            raise DesignError(
                f"a grouping factor has {units} units for {int(rows.sum())} rows, so its variance cannot be told from "
                "that of the residuals.",
                fix="Name a column whose units hold several rows.",
            )
        if _repeats(Z):
            raise DesignError(
                "the random terms of a grouping factor repeat each other.", fix="Leave one of the terms out."
            )
    if X.ndim != 2 or len(X) != len(y):
        raise DesignError(f"outcome and terms differ in length ({len(y)}, {len(X)}).")


def inverse(X: Array) -> Array:
    """Return the inverse of every matrix in a stack."""
    return np.asarray(np.linalg.inv(X), dtype=np.float64)


def _repeats(Z: Array) -> bool:
    """Tell whether a column follows from the others."""
    if Z.shape[1] == 1:
        return not Z.any()
    size = np.sqrt(np.einsum("ij,ij->j", Z, Z))
    if not size.all():
        return True
    constant = [k for k in range(Z.shape[1]) if (Z[:, k] == Z[0, k]).all()]
    scaled = np.delete(Z, constant[:1], axis=1)
    if constant:
        scaled = scaled - scaled.mean(axis=0)
    left = np.sqrt(np.einsum("ij,ij->j", scaled, scaled))
    if (left < 1e-10 * np.delete(size, constant[:1])).any():
        return True
    values = np.linalg.eigvalsh((scaled / left).T @ (scaled / left))
    return bool(values[0] < 1e-12)
