"""The (restricted) log-likelihood with the residual scale profiled out, and its exact derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np

from sweval.models.engine.mixed.model import Array, inverse
from sweval.models.engine.mixed.moments import Moments
from sweval.models.engine.mixed.structure import Structure
from sweval.models.engine.mixed.sweep import Swept, sweep

_LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """The criterion -2 log L at one set of parameters.

    Parameters
    ----------
    value
        -2 log L but for terms that do not depend on the parameters.
    gradient, hessian
        In the parameters of the structures.
    along
        Gradient along the basis directions of all levels, from which the boundary is judged.
    swept
        What the sweep returned.
    beta
        Coefficients of Q.
    residual_sum
        Weighted sum of squares left.
    """

    value: float
    gradient: Array
    hessian: Array
    along: Array
    swept: Swept
    beta: Array
    residual_sum: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Objective:
    """The criterion of one model.

    Parameters
    ----------
    found
        Cross-products.
    structures
        One per level, chain first, then border.
    reml
        Restricted (True) or full likelihood.
    """

    found: Moments
    structures: tuple[Structure, ...]
    reml: bool

    @property
    def nu(self) -> int:
        """Return the divisor of the residual variance."""
        return self.found.n - self.found.p if self.reml else self.found.n

    def split(self, phi: Array) -> list[Array]:
        """Return the parameters level by level."""
        return [phi[span] for span in self._spans]

    @cached_property
    def _spans(self) -> tuple[slice, ...]:
        sizes = [len(s.start) for s in self.structures]
        ends = list(accumulate(sizes))
        return tuple(slice(end - size, end) for end, size in zip(ends, sizes, strict=True))

    def start(self) -> Array:
        """Return the neutral start."""
        return np.concatenate([s.start for s in self.structures])

    def swept(self, phi: Array, order: int) -> Swept:
        """Sweep at the parameters."""
        parts = self.split(phi)
        psi = [s.psi(part) for s, part in zip(self.structures, parts, strict=True)]
        basis = [s.basis(part) for s, part in zip(self.structures, parts, strict=True)]
        return sweep(self.found, psi, basis, order=order)

    def value(self, phi: Array) -> float:
        """Return -2 log L; infinite where V is not positive definite."""
        with np.errstate(all="ignore"):
            try:
                swept = self.swept(phi, 0)
                _, left, logdet = self._solve(swept.M)
            except np.linalg.LinAlgError:
                return np.inf
            return self._criterion(swept.logdet, logdet, left)

    def full(self, phi: Array) -> Evaluation:
        """Return the criterion with its derivatives."""
        swept = self.swept(phi, 2)
        beta, left, logdet = self._solve(swept.M)
        p = self.found.p
        v = np.append(-beta, 1.0)
        slopes = swept.d_M @ v
        dleft = slopes @ v
        a = slopes[:, :p]
        spread = inverse(swept.M[:p, :p])
        ddleft = (swept.dd_M @ v) @ v - 2 * a @ spread @ a.T
        nu = self.nu
        g = swept.d_logdet + nu * dleft / left
        H = swept.dd_logdet + nu * (ddleft / left - np.outer(dleft, dleft) / left**2)
        if self.reml:
            T = spread @ swept.d_M[:, :p, :p]
            D = len(T)
            g = g + np.trace(T, axis1=1, axis2=2)
            H = H + (swept.dd_M[:, :, :p, :p] * spread).sum(axis=(2, 3))
            H = H - T.reshape(D, -1) @ np.swapaxes(T, 1, 2).reshape(D, -1).T
        first, second = self._chain(phi)
        return Evaluation(
            value=self._criterion(swept.logdet, logdet, left),
            gradient=first.T @ g,
            hessian=first.T @ H @ first + second @ g,
            along=g,
            swept=swept,
            beta=beta,
            residual_sum=left,
        )

    def constant(self, log_R: float, log_weights: float) -> float:
        """Return what -2 log L needs beside the criterion."""
        return self.nu * (1 + _LOG_2PI - np.log(self.nu)) + (2 * log_R if self.reml else 0.0) - log_weights

    def _solve(self, M: Array) -> tuple[Array, float, float]:
        """Return coefficients, residual sum of squares and log|M_xx|."""
        p = self.found.p
        L = np.linalg.cholesky(M[:p, :p])
        half = np.linalg.solve(L, M[:p, p])
        left = float(M[p, p] - half @ half)
        if not left > 0:
            raise np.linalg.LinAlgError
        return np.linalg.solve(L.T, half), left, 2 * float(np.log(np.diag(L)).sum())

    def _criterion(self, logdet: float, log_xx: float, left: float) -> float:
        value = logdet + self.nu * float(np.log(left)) + (log_xx if self.reml else 0.0)
        return value if np.isfinite(value) else np.inf

    def _chain(self, phi: Array) -> tuple[Array, Array]:
        """Return the derivatives of all basis coordinates in all parameters."""
        parts = [s.chain(part) for s, part in zip(self.structures, self.split(phi), strict=True)]
        return stack_chains([first for first, _ in parts], [second for _, second in parts])


def stack_chains(firsts: Sequence[Array], seconds: Sequence[Array]) -> tuple[Array, Array]:
    """Return block diagonal first derivatives (b, t) and second derivatives (t, t, b)."""
    rows, columns = sum(f.shape[0] for f in firsts), sum(f.shape[1] for f in firsts)
    first, second = np.zeros((rows, columns)), np.zeros((columns, columns, rows))
    row = column = 0
    for f, s in zip(firsts, seconds, strict=True):
        b, t = f.shape
        first[row : row + b, column : column + t] = f
        second[column : column + t, column : column + t, row : row + b] = s
        row, column = row + b, column + t
    return first, second
