"""Covariance structures of one level: the matrix, its parameters, and how they are differentiated.

The covariance of all rows is `V = sigma^2 (I + sum_k Z_k (I x Psi_k) Z_k')`. Random effects have a positive
semidefinite `Psi = L L'`. Residual structures use the same form with a `Psi` that need not be semidefinite: residuals
that correlate as R within a unit are a level whose columns mark the occasions and whose `Psi` is `R - I`.

Every structure describes `Psi` near the current parameters `phi` by a few direction matrices (`basis`), and gives the
first and second derivatives of the coordinates on that basis (`chain`). Inference uses the variance parameters
themselves (`natural`): variances and covariances, and for AR(1) the correlation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sweval.models.engine.mixed.model import Array

MOST_RHO = 0.98
"""Largest autocorrelation, either way; that of the simulations behind the default tests of a series."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Natural:
    """Variance parameters of a level as directions of V: identity part and basis part, first and second derivatives.

    Parameters
    ----------
    identity
        Shape (t,): share of the identity matrix in dV/dtheta.
    basis
        Shape (t, b): coordinates of dV/dtheta on the basis of the level.
    curvature
        Shape (t, t, b): those of the second derivatives; None where V is linear.
    """

    identity: Array
    basis: Array
    curvature: Array | None = None


class Structure(Protocol):
    """What the sweep, the optimiser and the inference ask of a level."""

    @property
    def q(self) -> int:
        """Return the size of Psi."""
        ...

    @property
    def start(self) -> Array:
        """Return neutral parameters."""
        ...

    @property
    def owns_residual(self) -> bool:
        """Tell whether the level belongs to the residuals, so that Psi need not be semidefinite."""
        ...

    def psi(self, phi: Array) -> Array:
        """Return Psi, shape (q, q)."""
        ...

    def basis(self, phi: Array) -> Array:
        """Return the direction matrices, shape (b, q, q)."""
        ...

    def coordinates(self, phi: Array) -> Array:
        """Return Psi on the basis, shape (b,)."""
        ...

    def chain(self, phi: Array) -> tuple[Array, Array]:
        """Return first (b, t) and second derivatives (t, t, b) of the coordinates."""
        ...

    def natural(self, phi: Array, sigma2: float) -> Natural:
        """Return the variance parameters as directions."""
        ...


def symmetric_basis(q: int) -> tuple[Array, tuple[tuple[int, int], ...]]:
    """Return the directions of a symmetric matrix, lower triangle by columns, and their positions."""
    positions = tuple((a, b) for b in range(q) for a in range(b, q))
    out = np.zeros((len(positions), q, q))
    for number, (a, b) in enumerate(positions):
        out[number, a, b] = out[number, b, a] = 1.0
    return out, positions


@cache
def _triangle(q: int) -> tuple[Array, NDArray[np.intp], NDArray[np.intp], Array]:
    """Return basis, rows, columns and second derivatives of a matrix L L' in the lower triangle of L."""
    basis, positions = symmetric_basis(q)
    units = np.zeros((len(positions), q, q))
    for number, (a, b) in enumerate(positions):
        units[number, a, b] = 1.0
    rows, columns = (np.array([place[side] for place in positions]) for side in (0, 1))
    second = units[:, None] @ np.swapaxes(units, 1, 2)[None]
    second = (second + np.swapaxes(second, -1, -2))[:, :, rows, columns]
    return basis, rows, columns, second


@dataclass(frozen=True, eq=False)
class Full:
    """Correlated random effects: `phi` is the lower triangle of L by columns."""

    q: int
    owns_residual: bool = False

    @property
    def places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return rows and columns of the parameters in L."""
        _, rows, columns, _ = _triangle(self.q)
        return rows, columns

    @property
    def start(self) -> Array:
        """Return the parameters of the identity."""
        rows, columns = self.places
        return (rows == columns).astype(float)

    def root(self, phi: Array) -> Array:
        """Return L."""
        out = np.zeros((self.q, self.q))
        out[self.places] = phi
        return out

    def psi(self, phi: Array) -> Array:
        """Return L L'."""
        L = self.root(phi)
        return L @ L.T

    def basis(self, phi: Array) -> Array:
        """Return the symmetric unit matrices."""
        return _triangle(self.q)[0]

    def coordinates(self, phi: Array) -> Array:
        """Return the lower triangle of Psi."""
        return self.psi(phi)[self.places]

    def chain(self, phi: Array) -> tuple[Array, Array]:
        """Return d vech(L L') / dL, shape (b, t), and its second derivatives, shape (t, t, b)."""
        L = self.root(phi)
        _, rows, columns, second = _triangle(self.q)
        first = np.zeros((len(phi), self.q, self.q))
        first[np.arange(len(phi)), rows, :] = L[:, columns].T
        first = first + np.swapaxes(first, 1, 2)
        return first[:, rows, columns].T, second

    def natural(self, phi: Array, sigma2: float) -> Natural:
        """Return the variances and covariances."""
        return Natural(identity=np.zeros(len(phi)), basis=np.eye(len(phi)))


@dataclass(frozen=True, eq=False)
class Diagonal:
    """Uncorrelated random effects: `phi` is the standard deviation of each, in residual standard deviations."""

    q: int
    owns_residual: bool = False

    @property
    def start(self) -> Array:
        """Return ones."""
        return np.ones(self.q)

    def psi(self, phi: Array) -> Array:
        """Return the diagonal of squares."""
        return np.diag(phi * phi)

    def basis(self, phi: Array) -> Array:
        """Return one unit matrix per effect."""
        return np.eye(self.q)[:, :, None] * np.eye(self.q)[:, None, :]

    def coordinates(self, phi: Array) -> Array:
        """Return the variances."""
        return phi * phi

    def chain(self, phi: Array) -> tuple[Array, Array]:
        """Return the derivatives of the squares."""
        one = np.eye(self.q)
        return np.diag(2 * phi), 2 * one[:, :, None] * one[:, None, :]

    def natural(self, phi: Array, sigma2: float) -> Natural:
        """Return the variances."""
        return Natural(identity=np.zeros(self.q), basis=np.eye(self.q))


@dataclass(frozen=True, eq=False)
class ByClass(Diagonal):
    """A residual variance for each class of rows: `phi` is the log of its ratio to that of class 0."""

    owns_residual: bool = True

    @property
    def start(self) -> Array:
        """Return equal variances."""
        return np.zeros(self.q)

    def psi(self, phi: Array) -> Array:
        """Return what each class has more than class 0."""
        return np.diag(np.expm1(phi))

    def coordinates(self, phi: Array) -> Array:
        """Return the diagonal."""
        return np.expm1(phi)

    def chain(self, phi: Array) -> tuple[Array, Array]:
        """Return the derivatives of the ratios."""
        one = np.eye(self.q)
        ratio = np.exp(phi)
        return np.diag(ratio), ratio[:, None, None] * one[:, :, None] * one[:, None, :]

    def natural(self, phi: Array, sigma2: float) -> Natural:
        """Return the variance of every class, class 0 first."""
        basis = np.vstack([-np.ones(self.q), np.eye(self.q)])
        return Natural(identity=np.append(1.0, np.zeros(self.q)), basis=basis)


@dataclass(frozen=True, eq=False)
class CompoundSymmetry:
    """One covariance within a unit, negative ones allowed: `phi` is the log of `1 + largest psi`."""

    largest: int
    q: int = 1
    owns_residual: bool = True

    @property
    def start(self) -> Array:
        """Return independence."""
        return np.zeros(1)

    def psi(self, phi: Array) -> Array:
        """Return covariance / (variance - covariance)."""
        return np.expm1(phi)[:, None] / self.largest

    def basis(self, phi: Array) -> Array:
        """Return the only direction."""
        return np.ones((1, 1, 1))

    def coordinates(self, phi: Array) -> Array:
        """Return psi."""
        return np.expm1(phi) / self.largest

    def chain(self, phi: Array) -> tuple[Array, Array]:
        """Return the derivatives of psi."""
        slope = np.exp(phi) / self.largest
        return slope[:, None], slope[:, None, None]

    def natural(self, phi: Array, sigma2: float) -> Natural:
        """Return variance less covariance, and covariance: V is linear in both."""
        return Natural(identity=np.array([1.0, 0.0]), basis=np.array([[0.0], [1.0]]))


@dataclass(frozen=True, eq=False)
class Autoregressive:
    """AR(1) within a unit: `phi` is atanh(rho / MOST_RHO); the columns of the level mark the occasions at `times`.

    In a short series the likelihood may rise without end as rho goes to 1 and the variance to infinity, because trend
    and correlation cannot be told apart; so rho is bounded.
    """

    times: Array
    owns_residual: bool = True

    @property
    def q(self) -> int:
        """Return the number of occasions."""
        return len(self.times)

    @property
    def start(self) -> Array:
        """Return a small positive correlation."""
        return np.array([0.2])

    @property
    def starts(self) -> tuple[Array, ...]:
        """Return several correlations to start from, as short series have several optima."""
        return tuple(
            np.arctanh([rho / MOST_RHO]) for rho in (-0.8, -0.5, -0.2, 0.1, 0.3, 0.5, 0.65, 0.75, 0.85, 0.93, 0.975)
        )

    def rho(self, phi: Array) -> float:
        """Return the correlation of neighbouring occasions."""
        return MOST_RHO * float(np.tanh(phi[0]))

    def psi(self, phi: Array) -> Array:
        """Return R - I."""
        return self.basis(phi)[0]

    def basis(self, phi: Array) -> Array:
        """Return R - I, dR/drho and its second derivative."""
        rho, lag = self.rho(phi), np.abs(self.times[:, None] - self.times)
        off = lag > 0
        first, second = np.zeros_like(lag), np.zeros_like(lag)
        first[off] = lag[off] * np.power(rho, lag[off] - 1)
        more = lag > 1
        second[more] = lag[more] * (lag[more] - 1) * np.power(rho, lag[more] - 2)
        return np.stack([np.where(off, np.power(rho, lag), 0.0), first, second])

    def coordinates(self, phi: Array) -> Array:
        """Return the first direction."""
        return np.array([1.0, 0.0, 0.0])

    def chain(self, phi: Array) -> tuple[Array, Array]:
        """Return the derivatives through rho = MOST_RHO tanh(phi)."""
        t = np.tanh(phi[0])
        slope = MOST_RHO * (1 - t * t)
        return np.array([[0.0], [slope], [0.0]]), np.array([[[0.0, -2 * t * slope, slope * slope]]])

    def natural(self, phi: Array, sigma2: float) -> Natural:
        """Return the variance and rho, in which V is not linear."""
        curvature = np.zeros((2, 2, 3))
        curvature[0, 1, 1] = curvature[1, 0, 1] = 1.0
        curvature[1, 1, 2] = sigma2
        return Natural(
            identity=np.array([1.0, 0.0]), basis=np.array([[1.0, 0, 0], [0, sigma2, 0]]), curvature=curvature
        )


@dataclass(frozen=True, eq=False)
class Unstructured:
    """Any covariance of the occasions: `phi` is the lower triangle of L by columns without L[0, 0], which is 1."""

    q: int
    owns_residual: bool = True

    @property
    def full(self) -> Full:
        """Return the structure of L L'."""
        return Full(self.q)

    @property
    def start(self) -> Array:
        """Return the identity."""
        return self.full.start[1:]

    def psi(self, phi: Array) -> Array:
        """Return L L' - I."""
        return self.full.psi(np.append(1.0, phi)) - np.eye(self.q)

    def basis(self, phi: Array) -> Array:
        """Return the symmetric unit matrices."""
        return self.full.basis(phi)

    def coordinates(self, phi: Array) -> Array:
        """Return the lower triangle of L L' - I."""
        return self.full.coordinates(np.append(1.0, phi)) - self.full.start

    def chain(self, phi: Array) -> tuple[Array, Array]:
        """Return the derivatives of L L' without those in L[0, 0]."""
        first, second = self.full.chain(np.append(1.0, phi))
        return first[:, 1:], second[1:, 1:]

    def natural(self, phi: Array, sigma2: float) -> Natural:
        """Return all variances and covariances of the occasions."""
        size = len(phi) + 1
        return Natural(identity=np.zeros(size), basis=np.eye(size))
