"""Finding the optimum: trust-region Newton steps, a check of the boundary, and restarts.

A standard deviation of zero is a stationary point for any data, so a search that looks at gradients in standard
deviations alone can stop there. Here the start is the best of a coarse grid, negative curvature is followed, and an
optimum with a singular covariance is only accepted if the criterion rises in every direction that the data leave open
(the gradient in the covariance itself, on its null space, is positive semidefinite).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from sweval.models.engine.mixed.model import Array
from sweval.models.engine.mixed.objective import Evaluation, Objective
from sweval.models.engine.mixed.structure import Autoregressive, Diagonal, Full, Structure

_MOST_STEPS = 100
_SETTLED = 1e-9
"""Expected fall of -2 log L below which a last step ends the search."""
_SNAP = 1e-3
_RISE = 1e-9
_SLOPE = -1e-4
"""A gradient in a variance at zero that is steeper than this means that the optimum is elsewhere."""
_SAME = 1e-8
_RESTARTS = 5
_MANY_ROWS = 20_000
"""Rows above which the likelihood has one optimum for all that is known, and one start is enough."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Optimum:
    """Where the search ended.

    Parameters
    ----------
    phi
        Parameters.
    at
        The criterion there.
    singular
        For every level whether its covariance has lost a dimension.
    converged
        Whether the last step was small, the curvature is right and the boundary check holds.
    decrement
        Expected further fall of -2 log L, scale free.
    """

    phi: Array
    at: Evaluation
    singular: tuple[bool, ...]
    converged: bool
    decrement: float


def optimise(objective: Objective) -> Optimum:
    """Return the best optimum found."""
    grid = _grid(objective)
    values = [objective.value(phi) for phi in grid] if len(grid) > 1 else [np.inf]
    found = [_settled(objective, grid[k]) for k in _valleys(objective, values)]
    best = min(found, key=lambda one: one.at.value)
    for _ in range(_RESTARTS):
        better = [k for k, value in enumerate(values) if value < best.at.value - 1e-7]
        start = grid[min(better, key=lambda k: values[k])] if better else _off_boundary(objective, best)
        if start is None:
            return best
        other = _settled(objective, start)
        if not better and abs(other.at.value - best.at.value) < _SAME:
            return best
        if not other.at.value < best.at.value:
            break
        best = other
    return Optimum(phi=best.phi, at=best.at, singular=best.singular, converged=False, decrement=best.decrement)


class Point(Protocol):
    """A criterion at one set of parameters."""

    @property
    def value(self) -> float:
        """Return the criterion."""
        ...

    @property
    def gradient(self) -> Array:
        """Return its first derivatives."""
        ...

    @property
    def hessian(self) -> Array:
        """Return its second derivatives."""
        ...


P_co = TypeVar("P_co", bound=Point, covariant=True)


class Criterion(Protocol[P_co]):
    """What can be minimised."""

    def full(self, phi: Array) -> P_co:
        """Return the criterion with its derivatives."""
        ...


def minimise(objective: Criterion[P_co], start: Array) -> tuple[Array, P_co, float]:
    """Follow Newton steps within a trust region; return the point, its evaluation and the expected further fall."""
    phi, radius = start, 1.0
    at = objective.full(phi)
    for _ in range(_MOST_STEPS):
        step, fall, inside = _step(at.gradient, at.hessian, radius)
        there = _attempt(objective, phi + step)
        if fall < _SETTLED and inside:  # Newton's last step doubles the digits that are right
            if there and there.value <= at.value + 1e-9:
                phi, at = phi + step, there
            break
        gain = at.value - there.value if there else -np.inf
        trust = gain / fall if fall > 0 else -np.inf
        if there and trust > 0.05:
            phi, at = phi + step, there
        if trust < 0.25:
            radius = 0.3 * float(np.linalg.norm(step))
        elif trust > 0.75 and not inside:
            radius = min(2.5 * radius, 20.0)
        if radius < 1e-9:
            break
    return phi, at, _step(at.gradient, at.hessian, radius)[1]


def _attempt(objective: Criterion[P_co], phi: Array) -> P_co | None:
    """Return the evaluation, or None where V is not positive definite."""
    with np.errstate(all="ignore"):
        try:
            found = objective.full(phi)
        except np.linalg.LinAlgError:
            return None
    return found if np.isfinite(found.value) and np.isfinite(found.hessian).all() else None


def _grid(objective: Objective) -> list[Array]:
    """Return coarse starts: every random level at several sizes, a series at several correlations."""
    levels = [s.start for s in objective.structures]
    free = [k for k, s in enumerate(objective.structures) if not s.owns_residual]
    sizes: tuple[float, ...] = (
        (0.0, 0.1, 0.3, 1.0, 3.0) if len(free) == 1 else (0.1, 0.5, 1.5) if len(free) == 2 else (0.2, 1.0)
    )
    if len(free) > 4 or objective.found.n > _MANY_ROWS:
        sizes = (0.4,)
    out = []
    for scales in itertools.product(sizes, repeat=len(free)):
        parts = list(levels)
        for k, scale in zip(free, scales, strict=True):
            parts[k] = scale * levels[k]
        series = [(k, s.starts) for k, s in enumerate(objective.structures) if isinstance(s, Autoregressive)]
        for own in series[0][1] if series else ():
            parts[series[0][0]] = own
            out.append(np.concatenate(parts))
        if not series:
            out.append(np.concatenate(parts))
    return out


def _valleys(objective: Objective, values: list[float]) -> list[int]:
    """Return the best start; for a series, whose likelihood may have several tops, the best of each valley."""
    best = int(np.argmin(values))
    series = [s for s in objective.structures if isinstance(s, Autoregressive)]
    if not series:
        return [best]
    width = len(series[0].starts)
    first = best - best % width
    own = [np.inf, *values[first : first + width], np.inf]
    return [first + k for k in range(width) if own[k + 1] < min(own[k], own[k + 2])] or [best]


def _settled(objective: Objective, start: Array) -> Optimum:
    """Minimise from a start, put what is nearly zero on the boundary, and judge the result."""
    phi, at, decrement = minimise(objective, start)
    parts = objective.split(phi)
    snapped = [_snapped(s, part) for s, part in zip(objective.structures, parts, strict=True)]
    candidate = np.concatenate(snapped)
    if (candidate != phi).any() and objective.value(candidate) <= at.value + _RISE:
        phi = candidate
        at = objective.full(phi)
    singular = tuple(_singular(s, part) for s, part in zip(objective.structures, objective.split(phi), strict=True))
    curvature = np.linalg.eigvalsh(at.hessian)
    tolerance = 1e-6 * max(1.0, float(np.abs(curvature).max()))
    good = decrement < 1e-6 and bool(curvature[0] > -tolerance)
    return Optimum(phi=phi, at=at, singular=singular, converged=good, decrement=decrement)


def _step(gradient: Array, hessian: Array, radius: float) -> tuple[Array, float, bool]:
    """Return the step to the least value of the quadratic model within the radius, and the fall it promises."""
    values, vectors = np.linalg.eigh(hessian)
    g = vectors.T @ gradient
    floor = 1e-9 * max(1.0, float(np.abs(values).max()))

    def at(shift: float) -> Array:
        out: Array = -g / np.maximum(values + shift, floor)
        return out

    if values[0] > floor:
        z = at(0.0)
        if np.linalg.norm(z) <= radius:
            return vectors @ z, float(-(g @ z) - 0.5 * (values * z) @ z), True
    low = max(0.0, -float(values[0])) + floor
    if np.linalg.norm(at(low)) < radius:
        z = at(low)  # hard case: nothing pulls along the negative curvature, so go there as far as allowed
        z[0] += np.sqrt(max(radius**2 - float(z @ z), 0.0)) * (1.0 if z[0] >= 0 else -1.0)
    else:
        high = low + float(np.linalg.norm(g)) / radius + 1.0
        while high - low > 1e-3 * high:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if np.linalg.norm(at(middle)) > radius else (low, middle)
        z = at(high)
    return vectors @ z, float(-(g @ z) - 0.5 * (values * z) @ z), False


def _snapped(structure: Structure, phi: Array) -> Array:
    """Return the parameters with dimensions of the covariance that are nearly lost put to zero."""
    if isinstance(structure, Full):
        L = structure.root(phi)
        values, vectors = np.linalg.eigh(L @ L.T)
        small = values < _SNAP**2
        if not small.any():
            return phi
        return triangle(structure, vectors[:, ~small] * np.sqrt(values[~small]))
    if isinstance(structure, Diagonal) and not structure.owns_residual:
        return np.where(np.abs(phi) < _SNAP, 0.0, phi)
    return phi


def _singular(structure: Structure, phi: Array) -> bool:
    """Tell whether the covariance has lost a dimension (a variance of 0, or a correlation of 1 or -1)."""
    if structure.owns_residual:
        return False
    values = np.linalg.eigvalsh(structure.psi(phi))
    return bool(values[0] <= 1e-10 * max(1.0, float(values[-1])))


def triangle(structure: Full, root: Array) -> Array:
    """Return the parameters of the covariance `root root'`, root of any width."""
    q = structure.q
    wide = np.zeros((q, max(q, root.shape[1])))
    wide[:, : root.shape[1]] = root
    upper = np.asarray(np.linalg.qr(wide.T, mode="r"))[:q]
    L = upper.T * np.where(np.diag(upper) < 0, -1.0, 1.0)
    out: Array = L[structure.places]
    return out


def _off_boundary(objective: Objective, best: Optimum) -> Array | None:
    """Return a start off the boundary where the criterion falls there, or None where the optimum holds."""
    moved, parts, place = False, [], 0
    for structure, phi in zip(objective.structures, objective.split(best.phi), strict=True):
        size = len(structure.basis(phi))
        along = best.at.along[place : place + size]
        place += size
        parts.append(phi)
        if structure.owns_residual:
            continue
        psi = structure.psi(phi)
        slope = _slope(structure, along)
        values, vectors = np.linalg.eigh(psi)
        null = vectors[:, values <= 1e-8 * max(1.0, float(values[-1]))]
        if not null.shape[1]:
            continue
        if isinstance(structure, Full):
            falls, directions = np.linalg.eigh(null.T @ slope @ null)
            if falls[0] < _SLOPE:
                d = null @ directions[:, 0]
                values = np.clip(values, 0.0, None)
                parts[-1] = triangle(structure, np.column_stack([vectors * np.sqrt(values), np.sqrt(0.05) * d]))
                moved = True
        else:
            falls_too = (np.diag(psi) <= 1e-8) & (along < _SLOPE)
            if falls_too.any():
                parts[-1] = np.where(falls_too, np.sqrt(0.05), phi)
                moved = True
    return np.concatenate(parts) if moved else None


def _slope(structure: Structure, along: Array) -> Array:
    """Return the gradient as a symmetric matrix: the directions off the diagonal count twice."""
    if not isinstance(structure, Full):
        return np.diag(along)
    out = np.zeros((structure.q, structure.q))
    out[structure.places] = along
    out = (out + out.T) / 2
    return out
