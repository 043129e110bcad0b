"""Conditional modes of the random effects: what each unit has more than the average, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sweval.models.engine.mixed.fit import MixedFit
from sweval.models.engine.mixed.levels import Level, levels_of
from sweval.models.engine.mixed.model import Array, Codes
from sweval.models.engine.mixed.moments import arrange


@dataclass(frozen=True, kw_only=True, eq=False)
class Modes:
    """Random effects of one grouping factor.

    Parameters
    ----------
    effects
        Conditional modes, shape (units, q), in the order of the factor's codes; zeros where Psi is zero.
    variances
        Their conditional variances given the variance parameters and the fixed effects, shape (units, q, q).
    """

    effects: Array
    variances: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class _Level:
    """A level of the chain after elimination: `u = W (b - B u_above)`, with variance W given what is above.

    `above` holds the columns of the chain's higher levels, `across` those of the border; W, b, B by unit.
    """

    W: Array
    b: Array
    above: Array
    across: Array
    parent: NDArray[np.intp]


def random_effects(fit: MixedFit) -> tuple[Modes, ...]:
    """Return the random effects of every factor: what R's lme4 calls conditional modes, with their variances.

    Use them to see which units differ and to predict for known units; they are shrunk towards zero, the more so the
    fewer rows a unit has, so their spread is smaller than the standard deviation in the model.

    Parameters
    ----------
    fit
        From `mixed_fit`.

    Returns
    -------
    tuple of Modes
        In the order of the factors given. Units are numbered as there, 0 to the number of different codes.

    Notes
    -----
    With C = Psi - Psi Z'V^-1 Z Psi, `effects = Psi Z'V^-1 (y - Xb)` and `variances` are the blocks of C: uncertainty
    of b and of the variance parameters is not in them, as in `ranef(condVar = TRUE)` of lme4 (Bates, Machler, Bolker &
    Walker, 2015, Journal of Statistical Software 67(1)). Where Psi is zero both are zero.

    Examples
    --------
    >>> from sweval.models.engine.mixed.fit import mixed_fit
    >>> from sweval.models.engine.mixed.model import Factor
    >>> agency, y = np.repeat(np.arange(4), 3), np.array([1.0, 2, 3, 4, 5, 6, 3, 4, 5, 8, 9, 10])
    >>> (found,) = random_effects(mixed_fit(y, np.ones((12, 1)), [Factor(agency, np.ones((12, 1)))]))
    >>> found.effects[:, 0].round(2).tolist()
    [-2.88, 0.0, -0.96, 3.85]
    """
    levels, place = placed_levels(fit)
    structures, parts = fit._objective.structures, fit._objective.split(fit._optimum.phi)
    root = np.ones(fit.n) if fit.weights is None else np.sqrt(np.asarray(fit.weights, dtype=float))
    residuals = root * (fit.y - fit.X @ fit.coefficients)
    inside = [
        (level.codes, root[:, None] * level.Z, structures[place[k]].psi(parts[place[k]]))
        for k, level in enumerate(levels)
    ]
    out = []
    for level, found in zip(levels, conditional_modes(inside, residuals)[: len(fit.factors)], strict=False):
        variances = fit.variances.sigma2 * (level.T @ found.variances @ level.T.T)
        out.append(Modes(effects=found.effects @ level.T.T, variances=variances))
    return tuple(out)


def placed_levels(fit: MixedFit) -> tuple[tuple[Level, ...], dict[int, int]]:
    """Return the levels of a fit, and where each is in the order of the sweep."""
    weights = np.ones(fit.n) if fit.weights is None else np.asarray(fit.weights, dtype=float)
    levels = levels_of(fit.factors, fit.residual, weights)
    order = arrange([level.codes for level in levels], [level.Z.shape[1] for level in levels])
    return levels, {k: at for at, k in enumerate((*order.chain, *order.border))}


def conditional_modes(levels: Sequence[tuple[Codes, Array, Array]], residuals: Array) -> tuple[Modes, ...]:
    """Return modes and variances of every level of `V = I + sum_k Z_k (I x Psi_k) Z_k'`.

    Parameters
    ----------
    levels
        Codes (n,), columns (n, q) and covariance Psi (q, q) of each. Code -1 marks a row in no unit. Psi may be
        singular, and for a level of residuals indefinite.
    residuals
        `y - Xb`, shape (n,), divided by the residual standard deviation where variances are to be in its unit.

    Returns
    -------
    tuple of Modes
        In the order of the levels.

    Notes
    -----
    Eliminates the levels from the lowest upwards and substitutes back, so nested data cost O(n); crossed factors are
    one dense block. With `A = Z'V_below^-1 Z` and `W = Psi (I + A Psi)^-1` no Psi is inverted.
    """
    codes = [np.asarray(code, dtype=np.intp) for code, _, _ in levels]
    inside = [np.where(code[:, None] >= 0, Z, 0.0) for code, (_, Z, _) in zip(codes, levels, strict=True)]
    order = arrange(list(codes), [Z.shape[1] for Z in inside])
    rows = np.argsort(order.codes[0], kind="stable")
    chain = [code[rows] for code in order.codes]
    Z = [inside[k][rows] for k in order.chain]
    psi = [levels[k][2] for k in order.chain]
    wide = _indicators([codes[k][rows] for k in order.border], [inside[k][rows] for k in order.border], len(residuals))
    eliminated, border_A, border_b = _upward(chain, Z, psi, wide, residuals[rows])
    border_psi = _block_diagonal([(int(codes[k].max()) + 1, levels[k][2]) for k in order.border])
    border_C = _weighed(border_A[None], border_psi)[0]
    border_u = border_C @ border_b
    found: list[Modes | None] = [None] * len(levels)
    units_u, units_V = _downward(eliminated, border_u, border_C)
    for place, k in enumerate(order.chain):
        found[k] = _by_code(codes[k][rows], chain[place], units_u[place], units_V[place], levels[k][2])
    start = 0
    for k in order.border:
        q, units = inside[k].shape[1], int(codes[k].max()) + 1
        own = np.arange(start, start + units * q).reshape(units, q)
        found[k] = Modes(effects=border_u[own], variances=border_C[own[:, :, None], own[:, None, :]])
        start += units * q
    return tuple(modes for modes in found if modes is not None)


def _upward(
    chain: list[NDArray[np.intp]], Z: list[Array], psi: list[Array], wide: sparse.csr_array, e: Array
) -> tuple[list[_Level], Array, Array]:
    """Eliminate the chain from its lowest level; return its levels, and `Z'V^-1 Z` and `Z'V^-1 e` of the border."""
    firsts = [np.flatnonzero(np.append(True, code[1:] != code[:-1])) for code in chain]
    border_A, border_b = (wide.T @ wide).toarray(), wide.T @ e
    # cross[k] holds Z_k'V^-1 [Z_k, higher Z, e] and far[k] holds Z_k'V^-1 [border], by unit of the level in hand
    columns = [np.column_stack([*Z[k:], e]) for k in range(len(Z))]
    cross = [np.add.reduceat(z[:, :, None] * c[:, None, :], firsts[0], axis=0) for z, c in zip(Z, columns, strict=True)]
    far = [_sums_by_unit(z, wide, firsts[0]) for z in Z]
    out = []
    for k in range(len(chain)):
        q = Z[k].shape[1]
        A, B, b, across = cross[k][:, :, :q], cross[k][:, :, q:-1], cross[k][:, :, -1], far[k]
        W = _weighed(A, psi[k])
        last = k + 1 == len(chain)
        parents = np.zeros(len(firsts[k]), dtype=np.intp) if last else chain[k + 1][firsts[k]]
        starts = np.flatnonzero(np.append(True, parents[1:] != parents[:-1]))
        parent = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(parents))))
        out.append(_Level(W=W, b=b, above=B, across=across, parent=parent))
        flat = across.reshape(len(across) * q, across.shape[2])
        weighed = (W @ across).reshape(flat.shape)
        border_A = border_A - flat.T @ weighed
        border_b = border_b - weighed.T @ b.ravel()
        used = 0
        for above in range(k + 1, len(chain)):
            width = Z[above].shape[1]
            left = np.swapaxes(B[:, :, used : used + width], 1, 2) @ W
            right = np.concatenate([B[:, :, used:], b[:, :, None]], axis=2)
            cross[above] = np.add.reduceat(cross[above] - left @ right, starts, axis=0)
            far[above] = np.add.reduceat(far[above] - left @ across, starts, axis=0)
            used += width
    return out, (border_A + border_A.T) / 2, border_b


def _downward(levels: list[_Level], border_u: Array, border_C: Array) -> tuple[list[Array], list[Array]]:
    """Substitute back from the top; return effects and variances by unit for every level of the chain."""
    u_above, C_above = np.zeros((1, 0)), np.zeros((1, 0, 0))
    C_border = np.zeros((1, 0, len(border_u)))
    effects: list[Array] = []
    variances: list[Array] = []
    for number, level in enumerate(reversed(levels)):
        u, C, far = u_above[level.parent], C_above[level.parent], C_border[level.parent]
        near, across = level.W @ level.above, level.W @ level.across
        shift = (near @ u[:, :, None])[:, :, 0] + across @ border_u
        own = (level.W @ level.b[:, :, None])[:, :, 0] - shift
        with_above = -(near @ C + across @ np.swapaxes(far, 1, 2))
        with_border = -(near @ far + across @ border_C)
        spread = level.W - with_above @ np.swapaxes(near, 1, 2) - with_border @ np.swapaxes(across, 1, 2)
        spread = (spread + np.swapaxes(spread, 1, 2)) / 2
        effects.append(own)
        variances.append(spread)
        if number + 1 < len(levels):
            # the level below has its columns before those of the levels above it
            u_above = np.concatenate([own, u], axis=1)
            C_above = np.concatenate(
                [
                    np.concatenate([spread, with_above], axis=2),
                    np.concatenate([np.swapaxes(with_above, 1, 2), C], axis=2),
                ],
                axis=1,
            )
            C_border = np.concatenate([with_border, far], axis=1)
    return effects[::-1], variances[::-1]


def _weighed(A: Array, psi: Array) -> Array:
    """Return `Psi (I + A Psi)^-1`, symmetric, for A of shape (units, q, q)."""
    W = np.linalg.solve(np.eye(len(psi)) + psi @ A, np.broadcast_to(psi, A.shape))
    return (W + np.swapaxes(W, 1, 2)) / 2


def _indicators(codes: list[NDArray[np.intp]], Z: list[Array], n: int) -> sparse.csr_array:
    """Return the columns of all border effects, unit by unit, shape (n, units q)."""
    blocks = [sparse.csr_array((n, 0))]
    for code, z in zip(codes, Z, strict=True):
        q, has = z.shape[1], np.flatnonzero(code >= 0)
        columns = code[has, None] * q + np.arange(q)
        place = (np.repeat(has, q), columns.ravel())
        blocks.append(sparse.csr_array((z[has].ravel(), place), shape=(n, (int(code.max()) + 1) * q)))
    return sparse.csr_array(sparse.hstack(blocks, format="csr"))


def _sums_by_unit(Z: Array, wide: sparse.csr_array, first: NDArray[np.intp]) -> Array:
    """Return `Z'[border]` by unit, shape (units, q, columns)."""
    n, q = Z.shape
    out = np.zeros((len(first), q, wide.shape[1]))
    if not wide.shape[1]:
        return out
    ends = np.append(first, n)
    for a in range(q):
        out[:, a] = (sparse.csr_array((Z[:, a], np.arange(n), ends), shape=(len(first), n)) @ wide).toarray()
    return out


def _block_diagonal(parts: list[tuple[int, Array]]) -> Array:
    """Return the covariance of all border effects."""
    size = sum(units * len(psi) for units, psi in parts)
    out = np.zeros((size, size))
    start = 0
    for units, psi in parts:
        q = len(psi)
        own = np.arange(start, start + units * q).reshape(units, q)
        out[own[:, :, None], own[:, None, :]] = psi
        start += units * q
    return out


def _by_code(codes: NDArray[np.intp], units: NDArray[np.intp], effects: Array, variances: Array, psi: Array) -> Modes:
    """Return the units in the order of the factor's codes; one without rows has its prior."""
    count = int(codes.max()) + 1
    u, V = np.zeros((count, len(psi))), np.broadcast_to(psi, (count, *psi.shape)).copy()
    has = codes >= 0
    number = np.cumsum(np.append(False, units[1:] != units[:-1]))  # rows are sorted by unit
    u[codes[has]], V[codes[has]] = effects[number[has]], variances[number[has]]
    return Modes(effects=u, variances=V)
