"""Fit regressions with AR(1) errors, with or without a level of its own for each series; whole batches at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError
from sweval.models.engine.mixed.structure import MOST_RHO
from sweval.models.engine.mixed.variances import Variances
from sweval.models.engine.serial import (
    Array,
    Indices,
    Products,
    SerialMoments,
    curvature_direction,
    serial_products,
    serial_value,
)

_RHOS = np.array([-0.8, -0.5, -0.2, 0.1, 0.3, 0.5, 0.65, 0.75, 0.85, 0.93, 0.97])
_LEVELS = np.array([0.0, 0.05, 0.2, 0.7, 2.0, 8.0])
_UNIT = 0.1
"""The variance of levels is searched as `psi = _UNIT expm1(t)`: linear at zero, where it may end, and a log far off."""
_MOST_T = 30.0
_MOST_STEPS = 80
_SETTLED = 1e-13
_GRID_BLOCK = 400
EDGE = MOST_RHO - 1e-3
"""Autocorrelations beyond this have run to the bound: the series are too short to tell them from trend."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SerialOptimum:
    """The maximum of the likelihood of every data set in a batch.

    Parameters
    ----------
    rho, psi
        Autocorrelation, and the variance of levels over that of the residuals; shape (batch,).
    value
        -2 log L but for constants.
    converged
        Whether the last step was small and the curvature right.
    """

    rho: Array
    psi: Array
    value: Array
    converged: NDArray[np.bool_]

    @property
    def at_edge(self) -> NDArray[np.bool_]:
        """Tell where the autocorrelation ran to its bound."""
        return np.abs(self.rho) > EDGE


@dataclass(frozen=True, kw_only=True, eq=False)
class SerialVariances:
    """Estimates and derivatives in (residual variance, rho, variance of levels): `Variances` with a batch axis."""

    beta: Array
    phi: Array
    sigma2: Array
    P: Array
    Q: Array
    R: Array
    observed: Array
    expected: Array
    average: Array

    def one(self, place: int = 0) -> Variances:
        """Return the record of one data set, as the tests of the mixed engine take it."""
        return Variances(
            beta=self.beta[place],
            phi=self.phi[place],
            sigma2=float(self.sigma2[place]),
            P=self.P[place],
            Q=self.Q[place],
            R=self.R[place],
            observed=self.observed[place],
            expected=self.expected[place],
            average=self.average[place],
        )


def serial_optimum(found: SerialMoments, *, reml: bool, independent: bool = False) -> SerialOptimum:
    """Return the best optimum of every data set.

    The likelihood of short series may have several tops, so a coarse grid is looked at and every valley searched.

    Parameters
    ----------
    found
        Cross-products.
    reml
        Restricted or full likelihood.
    independent
        Hold rho at 0.

    Raises
    ------
    DesignError
        If so little is left within series that the likelihood cannot be computed.
    """
    try:
        return _optimum(found, reml=reml, independent=independent)
    except np.linalg.LinAlgError as error:
        raise DesignError(
            "the terms and the levels of the series explain the outcome all but exactly.",
            fix="Check whether the outcome changes from session to session.",
        ) from error


def _optimum(found: SerialMoments, *, reml: bool, independent: bool) -> SerialOptimum:
    """Search every valley of the grid."""
    rhos = np.zeros(1) if independent else _RHOS
    levels = _LEVELS if found.random else np.zeros(1)
    member, k, j = _starts(found, rhos, levels, reml=reml)
    x, t, value, good = _search(
        found.take(member), np.arctanh(rhos[k] / MOST_RHO), np.log1p(levels[j] / _UNIT), reml=reml, fixed=independent
    )
    order = np.lexsort((value, member))
    best = order[np.unique(member[order], return_index=True)[1]]
    return SerialOptimum(
        rho=MOST_RHO * np.tanh(x[best]), psi=_UNIT * np.expm1(t[best]), value=value[best], converged=good[best]
    )


def _starts(found: SerialMoments, rhos: Array, levels: Array, *, reml: bool) -> tuple[Indices, Indices, Indices]:
    """Return data set, number of rho and number of level of every valley on the grid."""
    batch = len(found.base)
    grid_rho, grid_psi = np.repeat(rhos, len(levels))[:, None], np.tile(levels, len(rhos))[:, None]
    flat = np.empty((len(grid_rho), batch))
    for start in range(0, batch, _GRID_BLOCK):
        part = slice(start, start + _GRID_BLOCK)
        block = found.take(np.arange(batch)[part])
        M, logdet = serial_value(block, np.broadcast_to(grid_rho, flat[:, part].shape), grid_psi)
        flat[:, part] = _criterion(M, logdet, found, reml=reml)
    values = flat.reshape(len(rhos), len(levels), batch)
    level, lowest = values.argmin(axis=1), values.min(axis=1)
    walled = np.pad(lowest, ((1, 1), (0, 0)), constant_values=np.inf)
    k, member = np.nonzero((lowest <= walled[:-2]) & (lowest < walled[2:]))
    return member, k, level[k, member]


def _criterion(M: Array, logdet: Array, found: SerialMoments, *, reml: bool) -> Array:
    """Return -2 log L but for constants."""
    p = found.p
    L = np.linalg.cholesky(M)
    diagonal = np.log(np.diagonal(L, axis1=-2, axis2=-1))
    nu = found.n - p if reml else found.n
    out: Array = logdet + 2 * nu * diagonal[..., p] + (2 * diagonal[..., :p].sum(axis=-1) if reml else 0.0)
    return out


def _derivatives(found: SerialMoments, x: Array, t: Array, *, reml: bool) -> tuple[Array, Array, Array]:
    """Return the criterion, its gradient and its Hessian in (x, t): rho = MOST_RHO tanh x, psi = _UNIT expm1 t."""
    tanh = np.tanh(x)
    at = serial_products(found, MOST_RHO * tanh, _UNIT * np.expm1(t))
    p = found.p
    nu = found.n - p if reml else found.n
    value = _criterion(at.M, at.logdet, found, reml=reml)
    spread = np.linalg.inv(at.M[:, :p, :p])
    beta = (spread @ at.M[:, :p, p:])[..., 0]
    v = np.concatenate([-beta, np.ones((len(beta), 1))], axis=1)
    left = (at.M[:, p] * v).sum(axis=1)[:, None]
    slopes = (at.d_M @ v[:, None, :, None])[..., 0]
    d_left = (slopes * v[:, None]).sum(axis=2)
    a = slopes[:, :, :p]
    bent = (at.dd_M @ v[:, None, None, :, None])[..., 0]
    dd_left = (bent * v[:, None, None]).sum(axis=3) - 2 * a @ spread @ np.swapaxes(a, 1, 2)
    g = at.d_logdet + nu * d_left / left
    H = at.dd_logdet + nu * (dd_left / left[..., None] - d_left[:, :, None] * d_left[:, None] / left[..., None] ** 2)
    if reml:
        T = spread[:, None] @ at.d_M[:, :, :p, :p]
        g = g + np.trace(T, axis1=2, axis2=3)
        H = H + (at.dd_M[:, :, :, :p, :p] * spread[:, None, None]).sum(axis=(3, 4))
        H = H - (T[:, :, None] * np.swapaxes(T, 2, 3)[:, None]).sum(axis=(3, 4))
    first = np.stack([MOST_RHO * (1 - tanh**2), _UNIT * np.exp(t)], axis=1)[:, : g.shape[1]]
    second = np.stack([-2 * tanh * first[:, 0], _UNIT * np.exp(t)], axis=1)[:, : g.shape[1]]
    H = first[:, :, None] * H * first[:, None]
    diagonal = np.arange(g.shape[1])
    H[:, diagonal, diagonal] += second * g
    return value, first * g, H


def _search(
    found: SerialMoments, x: Array, t: Array, *, reml: bool, fixed: bool
) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
    """Follow Newton steps within a trust region from every start; t stays at or above 0."""
    d = 2 if found.random else 1
    here = np.stack([x, t], axis=1)
    value, g, H = _derivatives(found, x, t, reml=reml)
    radius = np.ones(len(x))
    good = np.zeros(len(x), dtype=bool)
    active = np.arange(len(x))
    for _ in range(_MOST_STEPS):
        step, fall = _step(g[active], H[active], here[active], radius[active], fixed=fixed)
        done = fall < _SETTLED
        good[active[done]] = True
        active, step, fall = active[~done], step[~done], fall[~done]
        if not len(active):
            break
        there = here[active].copy()
        there[:, :d] += step
        there[:, 1] = np.clip(there[:, 1], 0.0, _MOST_T)
        new, new_g, new_H = _derivatives(found.take(active), there[:, 0], there[:, 1], reml=reml)
        gain = value[active] - new
        # near the optimum the fall drowns in rounding
        better = (gain > 0.05 * fall) | ((fall < 1e-9) & (gain > -1e-10))
        length = np.sqrt((step * step).sum(axis=1))
        radius[active] = np.where(better, np.maximum(radius[active], 2.0 * length), 0.3 * length)
        moved = active[better]
        here[moved], value[moved], g[moved], H[moved] = there[better], new[better], new_g[better], new_H[better]
        active = active[radius[active] > 1e-10]
    return here[:, 0], here[:, 1], value, good


def _step(g: Array, H: Array, here: Array, radius: Array, *, fixed: bool) -> tuple[Array, Array]:
    """Return Newton's steps, curvature made positive and length cut to the radius, and the fall they promise."""
    g, H = g.copy(), H.copy()
    held = np.zeros(g.shape, dtype=bool)
    if fixed:
        held[:, 0] = True
    if g.shape[1] == 2:
        held[:, 1] = (here[:, 1] <= 0) & (g[:, 1] >= 0)
    g[held] = 0.0
    H[held[:, :, None] | held[:, None]] = 0.0
    number, which = np.nonzero(held)
    H[number, which, which] = 1.0
    values, vectors = np.linalg.eigh(H)
    curvature = np.maximum(np.abs(values), 1e-8)
    z = (np.swapaxes(vectors, 1, 2) @ g[..., None])[..., 0] / curvature
    step = -(vectors @ z[..., None])[..., 0]
    length = np.sqrt((step * step).sum(axis=1))
    share = np.minimum(1.0, radius / np.maximum(length, 1e-300))
    fall = (curvature * z * z).sum(axis=1) * share * (1 - share / 2)
    return step * share[:, None], fall


def serial_variances(found: SerialMoments, best: SerialOptimum, *, scale: Array, reml: bool) -> SerialVariances:
    """Return estimates and derivatives at the optimum; `scale` (batch,) is what the residuals were divided by."""
    p, n = found.p, found.n
    nu = n - p if reml else n
    at = serial_products(found, best.rho, best.psi)
    bend_M, bend_log = curvature_direction(found, best.rho, best.psi)
    x = slice(0, p)
    beta = (np.linalg.solve(at.M[:, x, x], at.M[:, x, p:]))[..., 0]
    v = np.concatenate([-beta, np.ones((len(beta), 1))], axis=1)
    s2 = (at.M[:, p] * v).sum(axis=1) / nu
    # everything below is in units of `scale`, put back at the end
    P, D, bent, split_M, split_log = _natural(at, best, s2, n, bend_M, bend_log)
    linear, log_linear = D - split_M, bent - split_log
    phi = np.linalg.inv(at.M[:, x, x]) * s2[:, None, None]
    T = phi[:, None] @ P[:, :, x, x]
    a = (P @ v[:, None, :, None])[..., x, 0]
    quadratic = ((linear @ v[:, None, None, :, None])[..., 0] * v[:, None, None]).sum(axis=3) / 2
    quadratic = quadratic - a @ phi @ np.swapaxes(a, 1, 2)
    trace = -log_linear
    if reml:
        trace = trace - (linear[..., x, x] * phi[:, None, None]).sum(axis=(3, 4))
        trace = trace + (T[:, :, None] * np.swapaxes(T, 2, 3)[:, None]).sum(axis=(3, 4))
    observed = -trace / 2 + quadratic
    curved = split_log + ((split_M @ v[:, None, None, :, None])[..., 0] * v[:, None, None]).sum(axis=3)
    if reml:
        curved = curved + (split_M[..., x, x] * phi[:, None, None]).sum(axis=(3, 4))
    observed = observed + curved / 2
    theta = np.ones((len(s2), P.shape[1]))
    theta[:, [0, *range(2, P.shape[1])]] = (scale**2)[:, None]
    info = theta[:, :, None] * theta[:, None]
    square = (scale**2)[:, None, None]
    one, two = (theta[:, :, None, None] * square[:, None]), info[..., None, None] * square[:, None, None]
    return SerialVariances(
        beta=beta * scale[:, None],
        phi=phi * square,
        sigma2=s2 * scale**2,
        P=P[:, :, x, x] / one,
        Q=linear[..., x, x] / two,
        R=-split_M[..., x, x] / two,
        observed=observed / info,
        expected=trace / 2 / info,
        average=quadratic / 2 / info,
    )


def _natural(
    at: Products, best: SerialOptimum, s2: Array, n: int, bend_M: Array, bend_log: Array
) -> tuple[Array, Array, Array, Array, Array]:
    """Return first and second derivatives of M and log |V| in theta, and the share that is due to V's own curvature."""
    s, psi, t = s2[:, None, None], best.psi, at.d_M.shape[1]
    M1 = np.concatenate([-(at.M / s)[:, None], at.d_M], axis=1) / s[:, None]
    log1 = np.concatenate([(n / s2)[:, None], at.d_logdet], axis=1)
    M2 = np.empty((len(s2), t + 1, t + 1, *at.M.shape[1:]))
    M2[:, 0, 0], M2[:, 1:, 1:] = 2 * at.M / s**3, at.dd_M / s[:, None, None]
    M2[:, 0, 1:] = M2[:, 1:, 0] = -at.d_M / s[:, None] ** 2
    log2 = np.zeros((len(s2), t + 1, t + 1))
    log2[:, 0, 0], log2[:, 1:, 1:] = -n / s2**2, at.dd_logdet
    J = np.tile(np.eye(t + 1), (len(s2), 1, 1))
    if t == 2:
        J[:, 0, 2], J[:, 2, 2] = -psi / s2, 1 / s2
    P = np.einsum("bia,ba...->bi...", J, M1)
    slope = np.einsum("bia,ba->bi", J, log1)
    D = np.einsum("bia,bac...,blc->bil...", J, M2, J)
    bent = J @ log2 @ np.swapaxes(J, 1, 2)
    if t == 2:
        for row, column, by in ((0, 0, 2 * psi / s2**2), (0, 2, -1 / s2**2), (2, 0, -1 / s2**2)):
            D[:, row, column] += by[:, None, None] * M1[:, 2]
            bent[:, row, column] += by * log1[:, 2]
    split_M, split_log = np.zeros_like(D), np.zeros_like(bent)
    split_M[:, 0, 1] = split_M[:, 1, 0] = P[:, 1] / s
    split_log[:, 0, 1] = split_log[:, 1, 0] = slope[:, 1] / s2
    split_M[:, 1, 1], split_log[:, 1, 1] = bend_M / s, bend_log
    return P, D, bent, split_M, split_log
