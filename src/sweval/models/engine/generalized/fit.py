"""Generalised mixed models: logistic and Poisson with nested random intercepts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog, minimize

from sweval.errors import DesignError
from sweval.models.engine.generalized.family import Family, FamilyName
from sweval.models.engine.generalized.laplace import Forest, Laplace
from sweval.models.engine.generalized.quadrature import Quadrature
from sweval.models.engine.logistic import SeparationError, logistic
from sweval.models.engine.ols import Array, least_squares

Codes = NDArray[np.intp]

_STARTS = (0.5, 1.5)
_NEAR_ZERO = 1e-2
_STEP = 1e-4
_CONVERGED = 1e-6


@dataclass(frozen=True, kw_only=True)
class Glmm:
    """A fitted generalised mixed model.

    Parameters
    ----------
    coefficients
        Shape (p,), of the columns in `kept`; effects for a unit of average random effect, not for the whole population.
    covariance
        Inverse observed information of the coefficients, with the standard deviations estimated; shape (p, p). It holds
        for many units; there is no Kenward-Roger correction for these models.
    deviations
        Standard deviation of the random intercepts, one per factor in the order given.
    log_likelihood
        At the estimate, with all constants.
    singular
        Per factor: whether its standard deviation is estimated at zero.
    converged
        Whether `gradient` is below 1e-6.
    gradient
        Newton decrement at the estimate, free of the scale of the columns.
    points
        Quadrature points; 1 is Laplace's approximation.
    kept, aliased
        Column numbers of the design matrix that were used, and that add nothing to the columns before them.
    units
        Number of units of every factor.
    n
        Rows.
    """

    coefficients: Array
    covariance: Array
    deviations: tuple[float, ...]
    log_likelihood: float
    singular: tuple[bool, ...]
    converged: bool
    gradient: float
    points: int
    kept: tuple[int, ...]
    aliased: tuple[int, ...]
    units: tuple[int, ...]
    n: int

    def standard_errors(self) -> Array:
        """Return the standard errors of the coefficients, shape (p,)."""
        return np.sqrt(np.diag(self.covariance))


class _Likelihood(Protocol):
    def evaluate(self, beta: Array, deviations: Array) -> tuple[float, Array]: ...


def glmm(
    y: Array,
    X: Array,
    factors: Sequence[NDArray[np.integer]],
    *,
    family: FamilyName = "binomial",
    offset: Array | None = None,
    points: int = 11,
) -> Glmm:
    """Fit a logistic or Poisson model with random intercepts by maximum likelihood.

    Use it where the effect for a given agency is asked for, or the variation between agencies. For the effect over all
    clients, and for tests with few clusters, use `gee` or `logistic` with `cluster_covariance`: the standard errors
    here are those of large samples.

    Parameters
    ----------
    y
        Zeros and ones, or counts; shape (n,).
    X
        Design matrix, shape (n, p), with its constant if there is to be one.
    factors
        Codes of the units, each shape (n,): one factor, or several of which each is nested in another.
    family
        "binomial" (logit link) or "poisson" (log link).
    offset
        Known part of the linear predictor, shape (n,), for example the log of the time at risk.
    points
        Points of the adaptive Gauss-Hermite quadrature for one factor (11 gives six digits and more); 1 is Laplace's
        approximation, which is used for several factors whatever is said here.

    Returns
    -------
    Glmm

    Raises
    ------
    SeparationError
        If a coefficient is infinite.
    DesignError
        If the outcome is not of the family or constant, a factor has one unit (or, for zeros and ones, a unit per row),
        or factors are not nested.

    Notes
    -----
    Quadrature: Pinheiro & Bates (1995); Laplace: Tierney & Kadane (1986). The standard errors are from differences of
    the exact gradient of the approximated likelihood. A standard deviation is called zero only where the likelihood
    falls from there: at zero its slope is zero for any data, so a search may stop there by mistake.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> agency = np.repeat(np.arange(30), 20)
    >>> p = 1 / (1 + np.exp(-rng.normal(size=30)[agency]))
    >>> fit = glmm((rng.random(600) < p).astype(float), np.ones((600, 1)), [agency])
    >>> round(fit.deviations[0], 2)
    0.75
    """
    y, X = np.asarray(y, dtype=float), np.asarray(X, dtype=float)
    shift = np.zeros(len(y)) if offset is None else np.asarray(offset, dtype=float)
    if not np.isfinite(shift).all() or len(shift) != len(y):
        raise DesignError("the offset holds missing or infinite values, or differs in length from the outcome.")
    kind = Family(name=family)
    kind.refuse(y)
    order, forest, codes = _nested(factors, len(y))
    if family == "binomial" and forest.counts[0] == len(y):
        raise DesignError(
            "every unit has one row, so that its variation cannot be told from that of yes and no.",
            fix="Leave this factor out.",
        )
    b, R, kept, aliased = _without_random_effects(kind, y, X, shift)
    X = X[:, kept]
    lowest = codes[0][order]
    starts = np.flatnonzero(np.append(True, lowest[1:] != lowest[:-1]))
    rows = (y[order], X[order], shift[order])
    likelihood: _Likelihood
    if forest.levels == 1 and points > 1:
        likelihood = Quadrature(kind, *rows, starts=starts, points=points)
    else:
        points = 1
        likelihood = Laplace(kind, *rows, starts=starts, forest=forest)
    search = _Search(likelihood, b, np.asarray(np.linalg.inv(R), dtype=np.float64), forest.levels)
    at, free = search.best()
    at, gradient, information = search.polish(at, free)
    value, _ = search.evaluate(at)
    p = len(b)
    singular = tuple(not bool(f) for f in free[p:])
    basis = np.zeros((p, int(free.sum())))
    basis[:, :p] = search.basis
    half = basis @ np.linalg.inv(information) @ basis.T
    place = _positions(factors, codes)
    found = np.abs(at[p:])
    return Glmm(
        coefficients=b + search.basis @ at[:p],
        covariance=(half + half.T) / 2,
        deviations=tuple(float(found[k]) for k in place),
        log_likelihood=value + kind.constant(y),
        singular=tuple(singular[k] for k in place),
        converged=gradient < _CONVERGED,
        gradient=gradient,
        points=points,
        kept=kept,
        aliased=aliased,
        units=tuple(forest.counts[k] for k in place),
        n=len(y),
    )


class _Search:
    """Maximum over (g, t) with b = start + basis g, so that g has about unit curvature whatever the columns' units."""

    def __init__(self, likelihood: _Likelihood, start: Array, basis: Array, levels: int) -> None:
        self.likelihood, self.start, self.basis, self.levels = likelihood, start, basis, levels
        self.p = len(start)

    def evaluate(self, at: Array) -> tuple[float, Array]:
        value, gradient = self.likelihood.evaluate(self.start + self.basis @ at[: self.p], at[self.p :])
        return value, np.concatenate([self.basis.T @ gradient[: self.p], gradient[self.p :]])

    def climb(self, at: Array, free: NDArray[np.bool_]) -> Array:
        """Search over the free parameters; the others stay."""

        def objective(x: Array) -> tuple[float, Array]:
            full = at.copy()
            full[free] = x
            value, gradient = self.evaluate(full)
            return (-value, -gradient[free]) if np.isfinite(value) else (1e300, np.zeros(len(x)))

        options = {"gtol": 1e-5, "ftol": 1e-13, "maxiter": 500}
        found = minimize(objective, at[free], jac=True, method="L-BFGS-B", options=options)
        out = at.copy()
        out[free] = found.x
        return out

    def best(self) -> tuple[Array, NDArray[np.bool_]]:
        """Return the best of the searches, with standard deviations that belong at zero held there."""
        free = np.ones(self.p + self.levels, dtype=bool)
        found: list[tuple[float, Array, NDArray[np.bool_]]] = []
        for start in _STARTS:
            at = self.climb(np.append(np.zeros(self.p), np.full(self.levels, start)), free)
            held = self._at_zero(at, free)
            if held.all():  # no deviation at zero, where alone a search can stop by mistake
                return at, held
            at = self.climb(np.where(held, at, 0.0), held)
            found.append((self.evaluate(at)[0], at, held))
        _, at, held = max(found, key=lambda entry: entry[0])
        return at, held

    def _at_zero(self, at: Array, free: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell which parameters stay free; leaves at zero only deviations from where the likelihood falls."""
        for _ in range(2 * self.levels):
            moved = False
            near = [k for k in range(self.p, len(at)) if abs(at[k]) < _NEAR_ZERO]
            zero = at.copy()
            zero[near] = 0.0
            held = free.copy()
            held[near] = False
            if not near:
                return held
            zero = self.climb(zero, held)
            for k in near:
                beside = zero.copy()
                beside[k] = _STEP * 10
                if self.evaluate(beside)[1][k] > 0:  # twice the slope in the variance, which zero itself hides
                    beside[k] = 0.1
                    at[:] = self.climb(beside, free)
                    moved = True
                    break
            if not moved:
                at[:] = zero
                return held
        return held

    def polish(self, at: Array, free: NDArray[np.bool_]) -> tuple[Array, float, Array]:
        """Take Newton steps; return the place, the Newton decrement and the free parameters' information there."""
        value, gradient = self.evaluate(at)
        for _ in range(8):
            information = self._information(at, free)
            try:
                step = np.linalg.solve(information, gradient[free])
                np.linalg.cholesky(information)
            except np.linalg.LinAlgError as error:
                raise DesignError(
                    "the mixed model has no clear maximum: a coefficient or standard deviation grows without limit.",
                    fix="Use fewer terms, or join rare levels.",
                ) from error
            size = float(np.sqrt(max(float(gradient[free] @ step), 0.0)))
            if size < _CONVERGED / 100:
                break
            tried = at.copy()
            tried[free] += step
            moved, slope = self.evaluate(tried)
            if not moved >= value - 1e-9 * (1 + abs(value)):
                break
            at, value, gradient = tried, moved, slope
        return at, size, information

    def _information(self, at: Array, free: NDArray[np.bool_]) -> Array:
        """Return minus the Hessian by central differences of the exact gradient."""
        rows = []
        for k in np.flatnonzero(free):
            high, low = at.copy(), at.copy()
            high[k] += _STEP
            low[k] -= _STEP
            rows.append((self.evaluate(low)[1] - self.evaluate(high)[1])[free] / (2 * _STEP))
        H = np.array(rows)
        return (H + H.T) / 2


def _nested(factors: Sequence[NDArray[np.integer]], n: int) -> tuple[Codes, Forest, list[Codes]]:
    """Return the order of rows by unit, the nesting, and the codes from the lowest factor up."""
    if not factors:
        raise DesignError("a mixed model needs a column of units.", fix="Name the cluster.")
    codes = []
    for factor in factors:
        if len(factor) != n:
            raise DesignError(f"a factor has {len(factor)} rows, the outcome {n}.")
        code = np.unique(factor, return_inverse=True)[1].astype(np.intp)
        if code.max() == 0:
            raise DesignError(
                "there is only one unit, so how much units vary cannot be seen.", fix="Name a column with several."
            )
        codes.append(code)
    codes.sort(key=lambda code: -int(code.max()))
    parents = []
    for low, high in itertools.pairwise(codes):
        first = np.zeros(low.max() + 1, dtype=np.intp)
        first[low] = high
        if (first[low] != high).any():
            raise DesignError(
                "the units of one factor lie in several units of another: they are not nested.",
                fix="Crossed factors need a linear mixed model; or make ids that name the upper unit too.",
            )
        if low.max() == high.max():
            raise DesignError("two factors have the same units.", fix="Leave one out.")
        parents.append(first)
    forest = Forest(counts=tuple(int(code.max()) + 1 for code in codes), parents=tuple(parents))
    return np.argsort(codes[0], kind="stable"), forest, codes


def _positions(factors: Sequence[NDArray[np.integer]], codes: list[Codes]) -> list[int]:
    """Return for every factor in the order given its level from the lowest up."""
    units = [int(code.max()) for code in codes]
    return [units.index(len(np.unique(factor)) - 1) for factor in factors]


def _without_random_effects(
    kind: Family, y: Array, X: Array, offset: Array
) -> tuple[Array, Array, tuple[int, ...], tuple[int, ...]]:
    """Return coefficients, root of the information, kept and aliased columns of the fit without random effects."""
    if kind.name == "binomial" and not offset.any():
        fit = logistic(y, X)
        return fit.coefficients, fit.working.R, fit.kept, fit.aliased
    predictor = np.log(y + 0.5) if kind.name == "poisson" else np.where(y == 1, 1.0, -1.0) + offset
    X0, kept = X, tuple(range(X.shape[1]))
    aliased: tuple[int, ...] = ()
    b = np.full(X.shape[1], np.nan)
    value = -np.inf
    for count in range(60):
        mean = kind.mean(predictor)
        w = np.maximum(kind.variance(mean)[0], 1e-300)
        step = least_squares(predictor - offset + (y - mean) / w, X, weights=w)
        if count == 0:
            kept, aliased = step.kept, step.aliased
            X = X0[:, kept]
            b = step.coefficients
        elif len(step.kept) < X.shape[1]:
            break
        else:
            move = step.coefficients - b
            for _ in range(40):
                found = float(kind.log_likelihood(y, offset + X @ (b + move)).sum())
                if found >= value - 1e-12 * (1 + abs(value)):
                    break
                move = move / 2
            b = b + move
            if float(np.linalg.norm(step.R @ move)) < 1e-9:
                _refuse_infinite(kind, y, X, kept, mean)
                return b, step.R, kept, aliased
        predictor = offset + X @ b
        value = float(kind.log_likelihood(y, predictor).sum())
    _refuse_infinite(kind, y, X, kept, np.zeros(1))
    raise DesignError("the model does not converge: terms nearly coincide.", fix="Use fewer terms.")


def _refuse_infinite(kind: Family, y: Array, X: Array, kept: tuple[int, ...], mean: Array) -> None:
    """Refuse counts that are all zero in some direction of the columns, where a coefficient is minus infinity."""
    if mean.min() > 1e-6 * (1 + mean.mean()) or kind.name == "binomial":
        return
    zero, some = X[y == 0], X[y > 0]
    found = linprog(
        zero.sum(axis=0), A_ub=zero, b_ub=np.zeros(len(zero)), A_eq=some, b_eq=np.zeros(len(some)),
        bounds=(-1, 1), method="highs",
    )  # fmt: skip
    if found.x is not None and -found.fun > 1e-7 * len(zero):
        columns = tuple(kept[k] for k in np.flatnonzero(np.abs(found.x) > 1e-6))
        raise SeparationError(
            f"all counts are 0 where the columns {', '.join(map(str, columns))} say so: a rate ratio is infinite.",
            columns=columns,
            fix="Join levels, or leave the term out.",
        )
