"""Profile-likelihood intervals of standard deviations and correlations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, cast

import numpy as np
from scipy.special import ndtri

from sweval.models.engine.mixed.fit import MixedFit
from sweval.models.engine.mixed.fixed_parameter import (
    FixedVariance,
    Held,
    HeldSd,
    Root,
    SdParts,
    correlated,
    rise,
    root_between,
    sd_parts,
    triangles,
)
from sweval.models.engine.mixed.levels import Level
from sweval.models.engine.mixed.model import Array
from sweval.models.engine.mixed.modes import placed_levels
from sweval.models.engine.mixed.objective import Objective
from sweval.models.engine.mixed.optimise import minimise, optimise
from sweval.models.engine.mixed.structure import MOST_RHO, Diagonal, Full, Structure

Kind = Literal["sd", "correlation", "residual_sd", "residual_correlation"]

MOST_CLASSES: dict[Kind, int] = {"sd": 8, "correlation": 8, "residual_sd": 4}
"""With more residual classes than these there is no interval: its time grows faster than the cube of the classes."""
_STEPS = 12
_LONGEST = 0.34
_NONE = 1e-5
_NOTHING = 1e-3
"""A standard deviation of this share of the estimate that is still within: a flat profile, so zero is within."""
_FIRM = 1e-6


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An interval of one variance parameter.

    Parameters
    ----------
    kind
        What it is.
    factor
        Number of the grouping factor; None for residuals.
    effects
        Numbers of the one or two random effects; for a residual standard deviation the class.
    estimate
        The estimate of the fit.
    low, high
        The limits; NaN where the data do not determine the parameter.
    """

    kind: Kind
    factor: int | None
    effects: tuple[int, ...]
    estimate: float
    low: float
    high: float


def profile_intervals(
    fit: MixedFit, *, conf_level: float = 0.95, likelihood: Literal["fitted", "full"] = "fitted"
) -> tuple[Interval, ...]:
    """Return profile-likelihood intervals of every standard deviation and correlation of a fit.

    Use them for variance components, whose estimates are skewed, so that an estimate and its standard error say little.
    With few units they are rough; they stand on the likelihood, not on degrees of freedom.

    Parameters
    ----------
    fit
        The model. Its random effects and its residual structure are looked at; an unstructured residual covariance has
        no intervals, nor have parameters of a model with more residual classes than `MOST_CLASSES` says.
    conf_level
        Level of the intervals.
    likelihood
        "fitted": the likelihood of the fit, restricted for REML. "full": the full likelihood also for REML fits, as R's
        lme4 does; with few units its intervals lie too low (8 clusters, intraclass correlation .2: 95 % intervals of
        the clusters' standard deviation covered 85 % of the time, those of the restricted likelihood 94 %).

    Returns
    -------
    tuple of Interval
        By factor its standard deviations, then its correlations, then the residuals.

    Notes
    -----
    A limit is where the deviance, minimised over all other parameters, is chi-square(1) above its minimum. A lower
    limit of 0 or a limit of -1 or 1 means that the boundary itself is within (Bates, Machler, Bolker & Walker, 2015,
    Journal of Statistical Software 67(1), section 5.1).

    Examples
    --------
    >>> from sweval.models.engine.mixed.fit import mixed_fit
    >>> from sweval.models.engine.mixed.model import Factor
    >>> rng = np.random.default_rng(1)
    >>> agency = np.repeat(np.arange(8), 5)
    >>> y = 2 * rng.normal(size=8)[agency] + rng.normal(size=40)
    >>> fit = mixed_fit(y, np.ones((40, 1)), [Factor(agency, np.ones((40, 1)))])
    >>> [(found.kind, round(found.low, 1), round(found.high, 1)) for found in profile_intervals(fit)]
    [('sd', 1.1, 3.4), ('residual_sd', 0.8, 1.2)]
    """
    profile = _Profile(fit, reml=fit.reml and likelihood == "fitted", z=float(ndtri((1 + conf_level) / 2)))
    classes = len(fit.residual_variances)
    out = []
    for number, factor in enumerate(fit.factors):
        sds = np.sqrt(np.clip(np.diag(fit.covariances[number]), 0, None))
        for k in range(factor.q):
            sd = float(sds[k])
            out.append(profile.sd(number, k, sd) if classes <= MOST_CLASSES["sd"] else _without("sd", number, (k,), sd))
        for pair in [(a, b) for b in range(factor.q) for a in range(b)] if factor.covariance == "full" else []:
            covariance = float(fit.covariances[number][pair])
            if classes <= MOST_CLASSES["correlation"]:
                out.append(profile.correlation(number, pair, covariance, sds))
            else:
                product = float(sds[pair[0]] * sds[pair[1]])
                estimate = _correlation(covariance, product)
                out.append(_without("correlation", number, pair, estimate))
    for number, variance in enumerate(fit.residual_variances):
        sd = float(np.sqrt(variance))
        few = classes <= MOST_CLASSES["residual_sd"]
        out.append(profile.residual_sd(number, sd) if few else _without("residual_sd", None, (number,), sd))
    if fit.correlation is not None:
        out.append(profile.residual_correlation(fit.correlation))
    return tuple(out)


def _correlation(covariance: float, product: float) -> float:
    """Return a correlation, which rounding must not put beyond 1; NaN where one of the two does not vary."""
    return float(np.clip(covariance / product, -1.0, 1.0)) if product > 0 else np.nan


def _without(kind: Kind, factor: int | None, effects: tuple[int, ...], estimate: float) -> Interval:
    """Return an estimate without limits."""
    return Interval(kind=kind, factor=factor, effects=effects, estimate=estimate, low=np.nan, high=np.nan)


class _Profile:
    """One fit, its optimum under the profiled likelihood, and the search for limits."""

    def __init__(self, fit: MixedFit, *, reml: bool, z: float) -> None:
        self.fit, self.z = fit, z
        self.levels, self.place = placed_levels(fit)
        self.objective = replace(fit._objective, reml=reml)
        best = fit._optimum if fit.reml == reml else optimise(self.objective)
        nu = fit._objective.nu
        self.scale = float(np.sqrt(fit.variances.sigma2 / (fit._optimum.at.residual_sum / nu)))
        self.phi = best.phi
        self.sigma = float(np.sqrt(best.at.residual_sum / self.objective.nu))
        self.floors: dict[tuple[int, int], float] = {}
        self.least = FixedVariance(objective=self.objective, weights=self._nothing()).value(best.phi)

    def sd(self, factor: int, k: int, estimate: float) -> Interval:
        """Return the interval of a standard deviation."""
        level, at = self.levels[factor], self.place[factor]
        row, psi, parts = self._parts(factor, k)
        here = float(np.sqrt(max(float(row @ psi @ row), 0.0)))
        before = sum(len(part) for part in self.objective.split(self.phi)[:at])
        together = slice(before + 1, before + 1 + parts.together)

        def evaluate(value: float, last: tuple[float, Array] | None) -> tuple[float, Array]:
            structure = HeldSd(parts, value, np.append(2 * np.log(self.sigma), parts.at))
            inner = self._with(factor, structure)
            weights = inner.weights.copy()
            span = _span(inner.objective, at)
            weights[span] = triangles((np.outer(row, row) * (2 - np.eye(len(row))))[None])[0]
            old, start = (here, self._start_with(factor, structure)) if last is None else (last[0], last[1].copy())
            if old > 0:
                start[together] *= value / old  # effects that correlate with this one follow it
            return self._minimum(replace(inner, weights=weights, square=value * value), start)

        low, high = self._sd_limits(evaluate, here, self._floor(factor, k), int(level.codes.max()) + 1)
        return Interval(
            kind="sd", factor=factor, effects=(k,), estimate=estimate, low=low * self.scale, high=high * self.scale
        )

    def _parts(self, factor: int, k: int) -> tuple[Array, Array, SdParts]:
        """Return what makes an effect of the scaled ones, their covariance, and its parts for that effect."""
        level, at = self.levels[factor], self.place[factor]
        psi = self.sigma**2 * self.objective.structures[at].psi(self.objective.split(self.phi)[at])
        return level.T[k], psi, sd_parts(level.T[k], psi, diagonal=not isinstance(level.structure, Full))

    def _floor(self, factor: int, k: int) -> float:
        """Return how far the deviance lies above its minimum where an effect does not vary at all."""
        if (factor, k) not in self.floors:
            absent = self._parts(factor, k)[2].absent()
            found = self._minimum(self._with(factor, absent), self._start_with(factor, absent))[0]
            self.floors[factor, k] = rise(found, self.least)
        return self.floors[factor, k]

    def residual_sd(self, number: int, estimate: float) -> Interval:
        """Return the interval of the residual standard deviation of a class."""
        weights = self._nothing()
        last = len(self.levels) - 1
        if number or self.fit.residual.kind == "compound_symmetry":
            weights[_span(self.objective, self.place[last]).start + max(number - 1, 0)] = 1.0
        criterion = FixedVariance(objective=self.objective, weights=weights, offset=1.0)
        here = self.sigma * float(np.sqrt(criterion.share(self.phi)))

        def evaluate(value: float, last: tuple[float, Array] | None) -> tuple[float, Array]:
            return self._minimum(criterion.at(value * value), self.phi if last is None else last[1])

        low, high = self._sd_limits(evaluate, here, np.inf, self.fit.n)
        return Interval(
            kind="residual_sd",
            factor=None,
            effects=(number,),
            estimate=estimate,
            low=low * self.scale,
            high=high * self.scale,
        )

    def correlation(self, factor: int, pair: tuple[int, int], covariance: float, sds: Array) -> Interval:
        """Return the interval of a correlation; without limits where one of the two does not vary."""
        level, sizes = self.levels[factor], self._sizes(factor)
        unscale = _inverse(level.T)
        product = float(sds[pair[0]] * sds[pair[1]])
        estimate = _correlation(covariance, product)
        psi = self._psi(factor)
        spread = np.sqrt(np.clip(np.diag(psi), 0, None))
        if not (spread[list(pair)] > 1e-6 * sizes[list(pair)]).all() or not product > 0:
            return Interval(kind="correlation", factor=factor, effects=pair, estimate=np.nan, low=np.nan, high=np.nan)
        here = float(np.clip(psi[pair] / (spread[pair[0]] * spread[pair[1]]), -1, 1))
        if any(self._floor(factor, k) < self.z**2 for k in pair):  # what may not vary may correlate in any way
            return Interval(kind="correlation", factor=factor, effects=pair, estimate=estimate, low=-1.0, high=1.0)
        within = [(here, self._start_with(factor, correlated(unscale, sizes, pair, here, psi)))]

        def deviance(rho: float) -> float:
            structure = correlated(unscale, sizes, pair, rho, psi)
            # only from within: beyond the limits a standard deviation may run to zero, and is stationary there
            start = min(within, key=lambda known: abs(known[0] - rho))[1]
            found, phi = self._minimum(self._with(factor, structure), start)
            if found - self.least < self.z**2:
                within.append((rho, phi))
            return found

        low = self._correlation_limit(deviance, here, -1.0)
        high = self._correlation_limit(deviance, here, 1.0)
        return Interval(kind="correlation", factor=factor, effects=pair, estimate=estimate, low=low, high=high)

    def residual_correlation(self, estimate: float) -> Interval:
        """Return the interval of the correlation of residuals."""
        last = len(self.levels) - 1
        level, at = self.levels[last], self.place[len(self.levels) - 1]
        kind = self.fit.residual.kind
        phi = float(self.objective.split(self.phi)[at][0])
        largest = int(np.bincount(level.codes[level.codes >= 0]).max())

        def parameter(rho: float) -> Array:
            if kind == "ar1":
                return np.arctanh(np.array([rho / MOST_RHO]))
            return np.log1p(largest * np.array([rho / (1 - rho)]))

        here = (
            MOST_RHO * float(np.tanh(phi)) if kind == "ar1" else np.expm1(phi) / largest / (1 + np.expm1(phi) / largest)
        )
        bottom, top = (-MOST_RHO, MOST_RHO) if kind == "ar1" else (-1.0 / (largest - 1), 1.0)

        def deviance(rho: float) -> float:
            held = Held(level.structure, parameter(rho))
            return self._minimum(self._with(last, held), self._start_with(last, held))[0]

        low = self._correlation_limit(deviance, here, bottom, inside=True)
        high = self._correlation_limit(deviance, here, top, inside=True)
        return Interval(kind="residual_correlation", factor=None, effects=(), estimate=estimate, low=low, high=high)

    def _sd_limits(
        self,
        evaluate: Callable[[float, tuple[float, Array] | None], tuple[float, Array]],
        here: float,
        floor: float,
        units: int,
    ) -> tuple[float, float]:
        """Return the limits of a standard deviation, in the scale of the sweep."""

        def search() -> Callable[[float], float]:
            last: tuple[float, Array] | None = None

            @cache  # the search evaluates its ends again
            def root(value: float) -> float:
                nonlocal last
                if value == here:
                    return 0.0
                found, phi = evaluate(value, last)
                last = (value, phi)
                return float(np.sign(value - here) * np.sqrt(rise(found, self.least)))

            return root

        if not here > 1e-6 * self.sigma:
            return 0.0, _crossing(search(), self.z, 0.01 * self.sigma, 0.5)
        # with m units the standard error of log sd is at least 1 / sqrt(2 m); a first step of that size is not wasted
        step = min(_LONGEST, 1.3 * self.z / float(np.sqrt(2 * units)))
        low = np.nan if np.isnan(floor) else 0.0
        if floor > self.z**2:
            low = _crossing(search(), -self.z, here, -step)
        return low, _crossing(search(), self.z, here, step)

    def _correlation_limit(
        self, deviance: Callable[[float], float], here: float, end: float, *, inside: bool = False
    ) -> float:
        """Return the limit between the estimate and an end, or the end where it is within."""
        if abs(end - here) < 1e-9:
            return end

        @cache
        def root(rho: float) -> float:
            return float(np.sqrt(rise(deviance(rho), self.least))) - self.z

        nearly = here + (end - here) * (1 - 1e-6) if inside else end
        if root(nearly) < 0:
            return end
        if root(here) >= 0:  # so near to 1 or -1 that numbers of 16 digits cannot tell; an origin far from the data
            return np.nan
        found = root_between(root, here, nearly)
        return found if abs(found - here) > _NONE * abs(nearly - here) else np.nan

    def _minimum(self, criterion: FixedVariance, start: Array) -> tuple[float, Array]:
        """Return the least value over the free parameters, and where it is."""
        if not len(start):
            return criterion.value(start), start
        try:
            phi, at, _ = minimise(criterion, start)
        except np.linalg.LinAlgError:  # V cannot be told from a singular one: the data say nothing here
            return np.nan, start
        curvature = np.linalg.eigvalsh(at.hessian)
        firm = curvature[0] > _FIRM * max(1.0, float(curvature[-1]))  # then the boundary is a minimum, no mere saddle
        opened = None if firm else self._reopened(criterion.objective, phi)
        if opened is not None:
            other, there, _ = minimise(criterion, opened)
            if there.value < at.value:
                phi, at = other, there
        return at.value, phi

    def _reopened(self, objective: Objective, phi: Array) -> Array | None:
        """Return a start off the boundary if a level has lost a variance, which is a stationary point for any data."""
        parts, moved = objective.split(phi), False
        for number, structure in enumerate(objective.structures):
            if isinstance(structure, Root | HeldSd):
                size = self.sigma if isinstance(structure, HeldSd) else 1.0
                lost = structure.own & (np.abs(parts[number]) < 1e-4 * size)
                if lost.any():
                    parts[number] = parts[number] + 0.3 * size * lost
                    moved = True
            elif isinstance(structure, Full | Diagonal) and not structure.owns_residual:
                values = np.linalg.eigvalsh(structure.psi(parts[number]))
                if values[0] < 1e-8 * max(1.0, float(values[-1])):
                    parts[number] = parts[number] + 0.3 * structure.start
                    moved = True
        return np.concatenate(parts) if moved else None

    def _with(self, level: int, structure: object) -> FixedVariance:
        """Return the criterion with another structure for a level, its scale profiled out."""
        structures = list(self.objective.structures)
        structures[self.place[level]] = cast(Structure, structure)
        objective = replace(self.objective, structures=tuple(structures))
        return FixedVariance(objective=objective, weights=np.zeros(sum(_widths(objective))))

    def _start_with(self, level: int, structure: object) -> Array:
        parts = self.objective.split(self.phi)
        parts[self.place[level]] = cast(Structure, structure).start
        return np.concatenate(parts)

    def _nothing(self) -> Array:
        return np.zeros(sum(_widths(self.objective)))

    def _psi(self, factor: int) -> Array:
        at, level = self.place[factor], self.levels[factor]
        psi = self.objective.structures[at].psi(self.objective.split(self.phi)[at])
        return level.T @ psi @ level.T.T

    def _sizes(self, factor: int) -> Array:
        """Return a typical relative standard deviation of every effect."""
        level: Level = self.levels[factor]
        sizes = np.sqrt(np.clip(np.diag(self._psi(factor)), 0, None))
        return np.where(sizes > 1e-6 * np.diag(level.T), sizes, 0.3 * np.diag(level.T))


def _inverse(matrix: Array) -> Array:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def _crossing(root: Callable[[float], float], target: float, start: float, step: float) -> float:
    """Return where the signed root of the deviance is at the target, going from a start in growing steps of its log."""
    inner = start
    for _ in range(_STEPS):
        outer, step = inner * float(np.exp(step)), 1.5 * step
        reached = abs(root(outer))
        if np.isnan(reached):
            return np.nan
        if reached > abs(target):
            found = root_between(lambda value: root(value) - target, inner, outer)
            # a limit on the estimate is none: the search has lost the optimum among rounding errors
            return found if abs(found - start) > _NONE * start else np.nan
        if outer < _NOTHING * start:
            return 0.0
        inner = outer
    return np.inf if step > 0 else 0.0


def _span(objective: Objective, at: int) -> slice:
    """Return where the coordinates of a level are."""
    widths = _widths(objective)
    return slice(sum(widths[:at]), sum(widths[: at + 1]))


def _widths(objective: Objective) -> list[int]:
    """Return the number of coordinates of every level."""
    return [len(s.coordinates(s.start)) for s in objective.structures]
