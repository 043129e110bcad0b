"""Marginal likelihood of nested random intercepts by Laplace's approximation, with its exact gradient.

The curvature of all random effects is a forest: a unit meets only the units above it. It is eliminated from the lowest
level up, one small matrix per unit, so the cost is linear in rows and units however many levels there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweval.models.engine.generalized.family import Family
from sweval.models.engine.ols import Array

Codes = NDArray[np.intp]

_SETTLED = 1e-9
_MOST_STEPS = 100


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Nested units: `parents[f]` holds for every unit of level f its unit at level f + 1; level 0 is the lowest."""

    counts: tuple[int, ...]
    parents: tuple[Codes, ...]

    @property
    def levels(self) -> int:
        """Return the number of levels."""
        return len(self.counts)

    def up(self, values: Array, level: int) -> Array:
        """Add values of the units of a level, shape (units, m), within their parents."""
        into = self.parents[level]
        return np.column_stack([np.bincount(into, column, minlength=self.counts[level + 1]) for column in values.T])

    def aggregate(self, leaves: Array) -> list[Array]:
        """Return the sums of leaf values, shape (leaves,), within the units of every level."""
        sums = [leaves]
        for level in range(self.levels - 1):
            sums.append(self.up(sums[-1][:, None], level)[:, 0])
        return sums

    def to_leaves(self, values: Sequence[Array]) -> Array:
        """Return for every leaf the values along its way up, shape (leaves, levels)."""
        chain = values[-1][:, None]
        for level in range(self.levels - 2, -1, -1):
            chain = np.column_stack([values[level], chain[self.parents[level]]])
        return chain

    def factor(self, weights: Array, t: Array) -> tuple[list[Array], list[Array], float]:
        """Eliminate I + T Z'WZ T; return pivots, coupling with the levels above, and the log-determinant."""
        S = weights[:, None, None] * np.outer(t, t)
        pivots, couplings, logdet = [], [], 0.0
        for level in range(self.levels):
            d = 1 + S[:, 0, 0]
            g = S[:, 0, 1:] / d[:, None]
            pivots.append(d)
            couplings.append(g)
            logdet += float(np.log(d).sum())
            if level < self.levels - 1:
                m = S.shape[1] - 1
                rest = S[:, 1:, 1:] - (d[:, None] * g)[:, :, None] * g[:, None, :]
                S = self.up(rest.reshape(len(d), m * m), level).reshape(-1, m, m)
        return pivots, couplings, logdet

    def solve(self, pivots: list[Array], couplings: list[Array], right: Sequence[Array]) -> list[Array]:
        """Solve with the factored matrix for one right-hand side per level."""
        pushed = np.zeros((self.counts[0], self.levels))
        own = []
        for level in range(self.levels):
            own.append(right[level] + pushed[:, 0])
            if level < self.levels - 1:
                pushed = self.up(pushed[:, 1:] - couplings[level] * own[-1][:, None], level)
        chain = (own[-1] / pivots[-1])[:, None]
        found = [chain[:, 0]]
        for level in range(self.levels - 2, -1, -1):
            above = chain[self.parents[level]]
            x = own[level] / pivots[level] - (couplings[level] * above).sum(axis=1)
            chain = np.column_stack([x, above])
            found.insert(0, x)
        return found

    def leaf_covariance(self, pivots: list[Array], couplings: list[Array]) -> Array:
        """Return the inverse's block of every leaf and the units above it, shape (leaves, levels, levels)."""
        V: Array = (1 / pivots[-1])[:, None, None]
        for level in range(self.levels - 2, -1, -1):
            above = V[self.parents[level]]
            cross = -(couplings[level][:, None, :] @ above)
            corner = (1 / pivots[level])[:, None, None] - cross @ couplings[level][:, :, None]
            V = np.block([[corner, cross], [cross.swapaxes(1, 2), above]])
        return V


class Laplace:
    """Log-likelihood of `link(mean) = offset + Xb + sum_f t_f u_f`, u standard normal per unit; rows sorted by leaf.

    Tierney & Kadane (1986, Journal of the American Statistical Association 81, 82-86). The gradient is that of the
    approximation itself: the modes move with the parameters, and the curvature with the modes.

    Parameters
    ----------
    family
        Outcome family.
    y, X, offset
        Outcome (n,), columns (n, p), known part of the predictor (n,).
    starts
        First row of every leaf (unit of the lowest level).
    forest
        How the units are nested.
    """

    def __init__(self, family: Family, y: Array, X: Array, offset: Array, *, starts: Codes, forest: Forest) -> None:
        self.family, self.y, self.X, self.offset, self.starts, self.forest = family, y, X, offset, starts, forest
        self.sizes = np.diff(np.append(starts, len(y)))
        self.modes = [np.zeros(count) for count in forest.counts]

    def evaluate(self, beta: Array, deviations: Array) -> tuple[float, Array]:
        """Return log-likelihood and its gradient in (b, t)."""
        forest, t, fixed = self.forest, deviations, self.offset + self.X @ beta
        self._find_modes(fixed, t)
        predictor = self._predictor(fixed, t, self.modes)
        mean = self.family.mean(predictor)
        w, dw = self.family.variance(mean)
        slope, W, dW = self._leaves(self.y - mean), self._leaves(w), self._leaves(dw)
        pivots, couplings, logdet = forest.factor(W, t)
        q = forest.leaf_covariance(pivots, couplings) @ t
        spread = q @ t
        twist = forest.aggregate(spread * dW)
        a = forest.to_leaves(forest.solve(pivots, couplings, [t[f] * twist[f] for f in range(forest.levels)]))
        back, u = a @ t, forest.to_leaves(self.modes)
        rows = self.y - mean - np.repeat(spread, self.sizes) * dw / 2 + np.repeat(back, self.sizes) * w / 2
        by_t = slope @ u - W @ q - (spread * dW) @ u / 2 - slope @ a / 2 + (back * W) @ u / 2
        value = float(self.family.log_likelihood(self.y, predictor).sum())
        value -= (logdet + sum(float(mode @ mode) for mode in self.modes)) / 2
        return value, np.concatenate([self.X.T @ rows, by_t])

    def _find_modes(self, fixed: Array, t: Array) -> None:
        """Move the modes of all units to the maximum of the joint log-density, from where the last call ended.

        Below a top unit no step moves a linear predictor by more than 1.
        """
        forest, modes = self.forest, self.modes
        for _ in range(_MOST_STEPS):
            mean = self.family.mean(self._predictor(fixed, t, modes))
            slopes = forest.aggregate(self._leaves(self.y - mean))
            right = [t[f] * slopes[f] - modes[f] for f in range(forest.levels)]
            pivots, couplings, _ = forest.factor(self._leaves(self.family.variance(mean)[0]), t)
            step = forest.solve(pivots, couplings, right)
            share = self._share(np.abs(forest.to_leaves(step) @ t))
            modes = [mode + part * move for mode, part, move in zip(modes, share, step, strict=True)]
            if max(float(np.abs(move).max()) for move in step) < _SETTLED:
                break
        self.modes = modes

    def _share(self, moved: Array) -> list[Array]:
        """Return for every unit the share of a step that moves no leaf under its top unit by more than 1."""
        largest = moved
        for level in range(self.forest.levels - 1):
            into = np.zeros(self.forest.counts[level + 1])
            np.maximum.at(into, self.forest.parents[level], largest)
            largest = into
        shares = [1 / np.maximum(1.0, largest)]
        for level in range(self.forest.levels - 2, -1, -1):
            shares.insert(0, shares[0][self.forest.parents[level]])
        return shares

    def _predictor(self, fixed: Array, t: Array, modes: Sequence[Array]) -> Array:
        return fixed + np.repeat(self.forest.to_leaves(modes) @ t, self.sizes)

    def _leaves(self, rows: Array) -> Array:
        return np.asarray(np.add.reduceat(rows, self.starts))
