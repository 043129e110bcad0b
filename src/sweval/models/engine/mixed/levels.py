"""From grouping factors and residual structure to the levels that the sweep knows, well scaled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError
from sweval.models.engine.mixed.model import MOST_OCCASIONS, Array, Codes, Factor, Residual
from sweval.models.engine.mixed.structure import (
    Autoregressive,
    ByClass,
    CompoundSymmetry,
    Diagonal,
    Full,
    Structure,
    Unstructured,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Level:
    """One level of the model.

    Parameters
    ----------
    codes
        Units 0 .. J-1 of every row, -1 for none.
    Z
        Scaled columns, zero outside units.
    T
        What turns effects of the scaled columns into those of the columns given: `u = T u_scaled`.
    structure
        Covariance of the scaled effects.
    """

    codes: NDArray[np.intp]
    Z: Array
    T: Array
    structure: Structure


def levels_of(factors: tuple[Factor, ...], residual: Residual, weights: Array) -> tuple[Level, ...]:
    """Return the levels: those of the factors in their order, then that of the residuals if it has a structure."""
    out = [_random_level(factor) for factor in factors]
    if residual.kind == "by_class":
        out.append(_class_level(_given(residual.classes, "classes")))
    elif residual.kind != "independent":
        if weights.min() != weights.max():
            raise DesignError(
                "prior weights and correlated residuals cannot be combined.", fix="Leave out one of the two."
            )
        unit = _numbered(_given(residual.unit, "unit"))
        if residual.kind == "compound_symmetry":
            sizes = np.bincount(unit[unit >= 0])
            ones = (unit >= 0).astype(float)[:, None]
            level = Level(codes=unit, Z=ones, T=np.eye(1), structure=CompoundSymmetry(int(sizes.max())))
        else:
            level = _occasion_level(unit, _given(residual.occasion, "occasion"), residual)
        out.append(level)
    return tuple(out)


def _given(codes: Codes | None, what: str) -> Codes:
    if codes is None:
        raise DesignError(f"the residual structure needs {what}.")
    return codes


def _numbered(codes: Codes) -> NDArray[np.intp]:
    """Return units 0 .. J-1 without gaps, in the same order; -1 stays."""
    top = int(codes.max(initial=-1)) + 1
    if top <= 4 * len(codes) and top > 0 and np.bincount(codes[codes >= 0], minlength=top).all():
        return codes.astype(np.intp, copy=False)
    values, inverse = np.unique(codes, return_inverse=True)
    out: NDArray[np.intp] = inverse.reshape(-1).astype(np.intp) - int((values < 0).sum())
    return out


def _random_level(factor: Factor) -> Level:
    """Scale the columns of a factor; centre slopes where the covariance is full and there is an intercept."""
    codes = _numbered(factor.codes)
    has = codes >= 0
    Z = np.asarray(factor.Z, dtype=float)
    inside = Z if has.all() else Z[has]
    q = Z.shape[1]
    T = np.eye(q)
    constant = [k for k in range(q) if inside[0, k] != 0 and (inside[:, k] == inside[0, k]).all()]
    if factor.covariance == "full" and constant and q > 1:
        one = constant[0]
        for k in range(q):
            if k != one:
                T[one, k] = -float(inside[:, k].mean()) / float(inside[0, one])
    scaled = inside @ T if q > 1 else inside
    size = np.sqrt(np.einsum("ij,ij->j", scaled, scaled) / len(scaled))
    size = np.where(size > 0, size, 1.0)
    T = T / size
    ones = q == 1 and bool(constant) and float(inside[0, 0]) == 1.0 and bool(has.all())
    out = Z if ones else np.where(has[:, None], Z @ T, 0.0)
    structure: Structure = Full(q) if factor.covariance == "full" and q > 1 else Diagonal(q)
    return Level(codes=codes, Z=out, T=T, structure=structure)


def _class_level(classes: Codes) -> Level:
    """Return a level whose units are the rows: what each class has more than class 0."""
    count = int(classes.max()) + 1
    if count < 2 or classes.min() < 0:
        raise DesignError("the residual classes must number every row, and be two or more.")
    few = int((np.bincount(classes, minlength=count) < 2).sum())
    if few:
        raise DesignError(
            f"{few} residual classes have fewer than two rows.", fix="Join small classes, or use one variance."
        )
    Z = (classes[:, None] == np.arange(1, count)).astype(float)
    codes = np.arange(len(classes), dtype=np.intp)
    return Level(codes=codes, Z=Z, T=np.eye(count - 1), structure=ByClass(count - 1))


def _occasion_level(unit: NDArray[np.intp], occasion: Codes, residual: Residual) -> Level:
    """Return a level whose columns mark the occasions within a unit."""
    times, place = np.unique(occasion, return_inverse=True)
    has = unit >= 0
    pairs = unit[has] * np.intp(len(times)) + place.reshape(-1)[has]
    repeated = len(pairs) - len(np.unique(pairs))
    if repeated:
        raise DesignError(
            f"{repeated} rows repeat the occasion of another row of the same unit.",
            fix="Keep one row per unit and occasion, or use another residual structure.",
        )
    most = 20 if residual.kind == "unstructured" else MOST_OCCASIONS
    if not 2 <= len(times) <= most:
        raise DesignError(
            f"there are {len(times)} occasions; between 2 and {most} are possible.",
            fix="Use a random intercept and slope for many occasions.",
        )
    Z = (place.reshape(-1)[:, None] == np.arange(len(times))) * has[:, None].astype(float)
    structure: Structure = Autoregressive(times.astype(float)) if residual.kind == "ar1" else Unstructured(len(times))
    return Level(codes=unit, Z=Z, T=np.eye(len(times)), structure=structure)
