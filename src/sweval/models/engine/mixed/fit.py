"""Fit a linear mixed model: from arrays to estimates, with everything that inference needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from sweval.errors import DesignError
from sweval.models.engine.mixed import kenward_roger, satterthwaite
from sweval.models.engine.mixed.levels import Level, levels_of
from sweval.models.engine.mixed.model import Array, Factor, Residual, require_finite
from sweval.models.engine.mixed.moments import Order, arrange, moments
from sweval.models.engine.mixed.objective import Objective
from sweval.models.engine.mixed.optimise import Optimum, optimise
from sweval.models.engine.mixed.structure import MOST_RHO, Autoregressive, Diagonal
from sweval.models.engine.mixed.sweep import left_within
from sweval.models.engine.mixed.variances import Variances, variances
from sweval.models.engine.ols import LeastSquares, least_squares
from sweval.models.engine.sandwich import ContrastTest, WaldTest

Df = Literal["satterthwaite", "kenward-roger"]

_NOTHING_LEFT = 1e-11
"""Share of the least squares residuals that must be left within units; below it rounding decides."""
_CHECKED = 200_000
"""Rows up to which that is looked at; larger outcomes that are constant within units do not converge."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedFit:
    """A fitted linear mixed model.

    Parameters
    ----------
    coefficients, covariance
        Fixed effects of the kept columns and their model-based covariance, shapes (p,) and (p, p).
    kept, aliased
        Columns of the design matrix that were used, and that add nothing to the columns before them.
    n
        Rows.
    reml
        Restricted (True) or full maximum likelihood.
    log_likelihood
        At the optimum, with all constants, as lme4 prints it.
    covariances
        Covariance matrix of the effects of every factor, in the order given.
    residual_variances
        Residual variance of every class; one where there are no classes, none where residuals are unstructured.
    correlation
        Correlation of neighbouring ("ar1") or of any two residuals of a unit ("compound_symmetry").
    residual_covariance
        Covariance of the residuals of a unit by occasion, for "unstructured" (occasions in sorted order).
    converged, gradient
        Whether the search ended well; sqrt(g' H^-1 g) of the scale-free criterion, which should be below 1e-4.
    singular
        For every factor whether a variance is zero or a correlation 1 or -1.
    y, X, factors, residual, weights
        What was fitted; `X` with kept columns only.
    """

    coefficients: Array
    covariance: Array
    kept: tuple[int, ...]
    aliased: tuple[int, ...]
    n: int
    reml: bool
    log_likelihood: float
    covariances: tuple[Array, ...]
    residual_variances: tuple[float, ...]
    correlation: float | None
    residual_covariance: Array | None
    converged: bool
    gradient: float
    singular: tuple[bool, ...]
    y: Array = field(repr=False)
    X: Array = field(repr=False)
    factors: tuple[Factor, ...] = field(repr=False)
    residual: Residual = field(repr=False)
    weights: Array | None = field(repr=False)
    _objective: Objective = field(repr=False)
    _optimum: Optimum = field(repr=False)
    _variances: Variances = field(repr=False)
    _root: Array = field(repr=False)

    @property
    def any_singular(self) -> bool:
        """Tell whether any covariance lies on its boundary, where the usual df of Satterthwaite are wrong."""
        return any(self.singular) or self.correlation_at_edge

    @property
    def correlation_at_edge(self) -> bool:
        """Tell whether the autocorrelation runs to its bound, so that it cannot be told from trend."""
        return self.residual.kind == "ar1" and abs(self.correlation or 0.0) > MOST_RHO - 1e-3

    @property
    def one_zero(self) -> int | None:
        """Return the number of the variance parameter at zero, if it is the only thing that lies on the boundary.

        Satterthwaite's df then follow from the distribution of an estimate that cannot be negative. None where nothing
        is on the boundary, or more than one variance, or a correlation.
        """
        if sum(self.singular) != 1 or self.correlation_at_edge:
            return None
        structures = self._objective.structures
        at = sum(len(s.natural(s.start, 1.0).identity) for s in structures if s.owns_residual) or 1
        found = []
        for structure, phi in zip(structures, self._objective.split(self._optimum.phi), strict=True):
            if structure.owns_residual:
                continue
            if isinstance(structure, Diagonal):
                found += [at + k for k in np.flatnonzero(phi == 0).tolist()]
            at += len(phi)
        return found[0] if len(found) == 1 else None

    @property
    def variances(self) -> Variances:
        """Return the variance parameters with the derivatives of the likelihood in them."""
        return self._variances

    def contrasts(self, L: Array, df: Df = "satterthwaite") -> tuple[ContrastTest, ...]:
        """Test every row of L (m, p) on its own.

        Parameters
        ----------
        L
            Contrasts of the kept coefficients, shape (m, p) or (p,).
        df
            "satterthwaite" (Giesbrecht & Burns 1985; Fai & Cornelius 1996; where one variance is zero with the moments
            of an estimate that cannot be negative, Self & Liang 1987) or "kenward-roger" (Kenward & Roger 1997,
            Biometrics 53, 983-997), which also adjusts the standard errors and needs a REML fit.

        Raises
        ------
        DesignError
            For Kenward-Roger on a maximum likelihood fit, or if the variance parameters are not identified.
        """
        H = self._in_q(L)
        values = H @ self._variances.beta
        if df == "kenward-roger":
            self._need_reml()
            return kenward_roger.contrasts(self._variances, H, values)
        return satterthwaite.contrasts(self._variances, H, values, self.one_zero)

    def joint(self, L: Array, df: Df = "satterthwaite") -> WaldTest:
        """Test that all rows of L (m, p) times the coefficients are 0 together.

        Parameters
        ----------
        L
            Contrasts of the kept coefficients, shape (m, p).
        df
            As in `contrasts`. The F of Kenward-Roger is scaled (Kenward & Roger 1997, section 3.2).

        Raises
        ------
        DesignError
            If the rows depend on each other, and as in `contrasts`.
        """
        H = self._in_q(L)
        if np.linalg.matrix_rank(H) < len(H):
            raise DesignError(
                "the joint contrasts depend on each other.", fix="Leave out those that follow from others."
            )
        if df == "kenward-roger":
            self._need_reml()
            return kenward_roger.joint(self._variances, H)
        return satterthwaite.joint(self._variances, H, self.one_zero)

    def _in_q(self, L: Array) -> Array:
        """Return contrasts of the coefficients as contrasts of those of Q."""
        out: Array = np.linalg.solve(self._root.T, np.atleast_2d(np.asarray(L, dtype=float)).T).T
        return out

    def _need_reml(self) -> None:
        if self.correlation_at_edge:
            raise DesignError(
                f"the autocorrelation runs to {self.correlation:.2f}, the edge of what is possible: so few occasions "
                "cannot tell it from the terms of the model.",
                fix="Use more occasions or units, or fewer terms in time.",
            )
        if not self.reml:
            raise DesignError("Kenward-Roger needs a REML fit.", fix='Fit with method="REML".')


def mixed_fit(
    y: Array,
    X: Array,
    factors: Sequence[Factor],
    *,
    residual: Residual | None = None,
    weights: Array | None = None,
    reml: bool = True,
) -> MixedFit:
    """Fit `y = X b + sum_k Z_k u_k + e` by restricted or full maximum likelihood.

    Use it for clients in groups, groups in agencies, and repeated measures. Levels that nest cost time in proportion
    to the number of *different* units (alike ones are joined); factors that cross cost the cube of the smaller factor.
    Do not use it with one or two units per factor: no variance can be told from so few.

    Parameters
    ----------
    y
        Outcome, shape (n,).
    X
        Design matrix, shape (n, p), with its constant.
    factors
        Grouping factors with their random-effect columns; which nest is found from the codes.
    residual
        Structure of the residuals; independent with one variance by default.
    weights
        Positive prior weights: the residual variance of a row is sigma^2 / weight.
    reml
        Restricted maximum likelihood (default) or maximum likelihood.

    Returns
    -------
    MixedFit

    Raises
    ------
    DesignError
        If numbers are missing, the outcome is constant, a factor has fewer than two units or as many as rows, or the
        parameters are more than the rows can tell apart.

    Notes
    -----
    The likelihood is that of Bates, Machler, Bolker & Walker (2015, Journal of Statistical Software 67(1)), profiled
    in the residual scale. See `sweep` for the algebra and `optimise` for the search.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> agency = np.repeat(np.arange(8), 5)
    >>> y = rng.normal(size=8)[agency] + rng.normal(size=40)
    >>> fit = mixed_fit(y, np.ones((40, 1)), [Factor(agency, np.ones((40, 1)))])
    >>> fit.converged, [round(test.df, 1) for test in fit.contrasts(np.eye(1))]
    (True, [7.0])
    """
    factors, residual = tuple(factors), residual or Residual()
    y, X = np.asarray(y, dtype=float), np.asarray(X, dtype=float)
    require_finite(y, X, factors)
    line = least_squares(y, X, weights=weights)
    levels = levels_of(factors, residual, line.weights)
    if not levels:
        raise DesignError("the model has no random term.", fix="Name a grouping factor, or use least squares.")
    objective, order = _objective(levels, line, reml=reml)
    random = not objective.structures[0].owns_residual
    if random and len(y) <= _CHECKED and left_within(objective.found) < _NOTHING_LEFT * objective.nu:
        raise DesignError(
            "rows of one unit hardly differ, so the units explain the outcome all but exactly.",
            fix="If the outcome is a measure of the units, keep one row per unit; else leave the random term out.",
        )
    best = optimise(objective)
    return _assembled(objective, best, levels, order, line, (y, factors, residual, weights))


def _objective(levels: tuple[Level, ...], line: LeastSquares, *, reml: bool) -> tuple[Objective, Order]:
    """Return the criterion of the levels in the order of the sweep."""
    root = np.sqrt(line.weights)
    codes = [level.codes for level in levels]
    order = arrange(codes, [level.Z.shape[1] for level in levels])
    weighted = [
        level.Z if line.weights.min() == line.weights.max() == 1 else root[:, None] * level.Z for level in levels
    ]
    spread = line.sigma or 1.0
    found = moments(weighted, order, codes, line.Q, root * line.residuals / spread)
    structures = tuple(levels[k].structure for k in (*order.chain, *order.border))
    return Objective(found=found, structures=structures, reml=reml), order


def _assembled(
    objective: Objective,
    best: Optimum,
    levels: tuple[Level, ...],
    order: Order,
    line: LeastSquares,
    given: tuple[Array, tuple[Factor, ...], Residual, Array | None],
) -> MixedFit:
    """Put the optimum back into the units and the order of what was given."""
    y, factors, residual, weights = given
    spread = line.sigma or 1.0
    found = variances(objective, best, scale=spread)
    place = {k: number for number, k in enumerate((*order.chain, *order.border))}
    psi = [s.psi(part) for s, part in zip(objective.structures, objective.split(best.phi), strict=True)]
    sigma2 = found.sigma2
    covariances, singular = [], []
    residual_variances: tuple[float, ...] = (sigma2,)
    correlation = residual_covariance = None
    for k, level in enumerate(levels):
        relative = psi[place[k]]
        if not level.structure.owns_residual:
            covariances.append(level.T @ (sigma2 * relative) @ level.T.T)
            singular.append(best.singular[place[k]])
        elif residual.kind == "by_class":
            residual_variances = (sigma2, *(sigma2 * (1 + np.diag(relative))).tolist())
        elif residual.kind == "compound_symmetry":
            share = float(relative[0, 0])
            residual_variances, correlation = (sigma2 * (1 + share),), share / (1 + share)
        elif isinstance(level.structure, Autoregressive):
            correlation = level.structure.rho(objective.split(best.phi)[place[k]])
        else:
            residual_variances, residual_covariance = (), sigma2 * (relative + np.eye(len(relative)))
    shift = np.linalg.solve(line.R, found.beta)
    inverse = np.linalg.inv(line.R)
    n = len(y)
    constant = objective.constant(float(np.log(np.abs(np.diag(line.R))).sum()), float(np.log(line.weights).sum()))
    value = best.at.value + constant + 2 * objective.nu * float(np.log(spread))
    return MixedFit(
        coefficients=line.coefficients + shift,
        covariance=inverse @ found.phi @ inverse.T,
        kept=line.kept,
        aliased=line.aliased,
        n=n,
        reml=objective.reml,
        log_likelihood=-value / 2,
        covariances=tuple(covariances),
        residual_variances=residual_variances,
        correlation=correlation,
        residual_covariance=residual_covariance,
        converged=best.converged,
        gradient=float(np.sqrt(max(2 * best.decrement, 0.0))),
        singular=tuple(singular),
        y=y,
        X=line.X,
        factors=factors,
        residual=residual,
        weights=weights,
        _objective=objective,
        _optimum=best,
        _variances=found.shifted(line.R @ line.coefficients),
        _root=line.R,
    )
