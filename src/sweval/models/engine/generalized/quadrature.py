"""Marginal likelihood of one random intercept by adaptive Gauss-Hermite quadrature, with its exact gradient."""

from __future__ import annotations

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray

from sweval.models.engine.generalized.family import Family
from sweval.models.engine.ols import Array

_SETTLED = 1e-9
"""A Newton step of a mode below this leaves an error of its square."""
_MOST_STEPS = 100


class Quadrature:
    """Log-likelihood of `link(mean) = offset + Xb + t u`, u standard normal per unit; rows sorted by unit.

    The nodes sit at the mode of each unit and are scaled by the curvature there (Pinheiro & Bates 1995, Journal of
    Computational and Graphical Statistics 4, 12-35). The gradient is that of the approximation itself, moving nodes
    included, so that optimum and Hessian belong to the value that is printed. One point is Laplace's approximation.

    Parameters
    ----------
    family
        Outcome family.
    y, X, offset
        Outcome (n,), columns (n, p), known part of the predictor (n,).
    starts
        First row of every unit.
    points
        Number of nodes.
    """

    def __init__(
        self, family: Family, y: Array, X: Array, offset: Array, *, starts: NDArray[np.intp], points: int
    ) -> None:
        self.family, self.y, self.X, self.offset, self.starts = family, y, X, offset, starts
        self.sizes = np.diff(np.append(starts, len(y)))
        nodes, weights = hermegauss(points)
        self.nodes = nodes
        self.log_weights = np.log(weights) + nodes**2 / 2 - np.log(2 * np.pi) / 2
        self.modes = np.zeros(len(starts))

    def evaluate(self, beta: Array, deviations: Array) -> tuple[float, Array]:
        """Return log-likelihood and its gradient in (b, t)."""
        family, t, fixed = self.family, float(deviations[0]), self.offset + self.X @ beta
        self._find_modes(fixed, t)
        u = self.modes
        mean = family.mean(fixed + t * self._rows(u))
        w, dw = family.variance(mean)
        W, dW, score = self._sum(w), self._sum(dw), self._sum(self.y - mean)
        s = 1 / np.sqrt(1 + t * t * W)
        at = u[:, None] + s[:, None] * self.nodes
        predictor = fixed[:, None] + t * self._rows(at)
        logs = self.log_weights + self._sum(family.log_likelihood(self.y[:, None], predictor)) - at**2 / 2
        top = logs.max(axis=1)
        p = np.exp(logs - top[:, None])
        units = top + np.log(p.sum(axis=1))
        p /= p.sum(axis=1, keepdims=True)
        slopes = self.y[:, None] - family.mean(predictor)
        totals = self._sum(slopes)
        inner = t * totals - at
        A, B = (p * inner).sum(axis=1), (p * self.nodes * inner).sum(axis=1)
        curve = (1 / s + B) * s**3 / 2
        move = (A - curve * t**3 * dW) * s * s
        rows = (self._rows(p) * slopes).sum(axis=1) - self._rows(curve) * t * t * dw - self._rows(move) * t * w
        by_t = (p * at * totals).sum(axis=1) + move * (score - t * u * W) - curve * (2 * t * W + t * t * u * dW)
        return float((np.log(s) + units).sum()), np.append(self.X.T @ rows, by_t.sum())

    def _find_modes(self, fixed: Array, t: float) -> None:
        """Move each unit's mode to the maximum of its log-density, from where the last call ended.

        No step moves a linear predictor by more than 1: curvatures then change at most e-fold within it.
        """
        u = self.modes
        for _ in range(_MOST_STEPS):
            mean = self.family.mean(fixed + t * self._rows(u))
            step = (t * self._sum(self.y - mean) - u) / (1 + t * t * self._sum(self.family.variance(mean)[0]))
            step = step / np.maximum(1.0, abs(t) * np.abs(step))
            u = u + step
            if np.abs(step).max() < _SETTLED:
                break
        self.modes = u

    def _sum(self, rows: Array) -> Array:
        return np.asarray(np.add.reduceat(rows, self.starts, axis=0))

    def _rows(self, units: Array) -> Array:
        return np.repeat(units, self.sizes, axis=0)
