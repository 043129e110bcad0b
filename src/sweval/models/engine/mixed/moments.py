"""One pass over the rows: the cross-products by unit that are all a mixed model needs.

Levels that are nested form a chain, lowest first; factors that cross it are the border, one dense block. A fit sees
only what is here, so that the same cross-products may come from wherever the rows are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sweval.errors import DesignError
from sweval.models.engine.mixed.model import Array, Codes

_BUDGET = 25_000_000
"""Numbers in an array of cross-products by unit above which crossed factors become border."""
_JOINED = 25_000_000
"""Numbers in the sums of joined units above which units are kept apart."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaf:
    """The lowest level. Units with equal A in one parent are one group, as only A decides how they are weighed.

    Parameters
    ----------
    A
        `Z'Z` of each group, shape (g, q, q).
    count
        Units in each group, shape (g,).
    squares
        Sum over the group's units of the products of rows of B, shape (g, q q, m m), where `B = Z'[rest]`; or None.
    B
        Where few units are alike: `Z'[rest]` of each unit, shape (q, m, g), and no squares.
    starts
        First group of each parent.
    """

    A: Array
    count: Array
    squares: Array | None
    B: Array | None
    starts: NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Cross-products of a model in the columns `[Z of higher levels, border, Q, e]`.

    Parameters
    ----------
    leaf
        The lowest level of the chain; None where only crossed factors are left.
    total
        Cross-products of all those columns by unit of the second level (one unit if there is none), shape (J, m, m).
    widths
        Columns of the levels above the leaf, lowest first.
    starts
        For every level above the leaf, the first unit of each of its parents; the last has one parent.
    border
        (units, q) of every crossed factor.
    p, n
        Fixed effects, and rows.
    """

    leaf: Leaf | None
    total: Array
    widths: tuple[int, ...]
    starts: tuple[NDArray[np.intp], ...]
    border: tuple[tuple[int, int], ...]
    p: int
    n: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Order:
    """Which level is where: indices into the levels given, and the codes that nest.

    Parameters
    ----------
    chain
        Levels that nest, lowest first.
    border
        Levels that cross the chain.
    codes
        For every level of the chain its units 0 .. J-1, rows without unit in units of their own.
    """

    chain: tuple[int, ...]
    border: tuple[int, ...]
    codes: tuple[NDArray[np.intp], ...]


def arrange(codes: Sequence[Codes], widths: list[int]) -> Order:
    """Find the longest chain of nested levels from the level with most units upwards; the rest is border."""
    by_size = sorted(range(len(codes)), key=lambda k: (-int(codes[k].max() + 1), k))
    chain = by_size[:1]
    border: list[int] = []
    for k in by_size[1:]:
        (chain if _nested(codes[chain[-1]], codes[k]) else border).append(k)
    across = sum(widths[k] * int(codes[k].max() + 1) for k in border)
    while border and len(chain) > 1 and _total_size(codes, widths, chain, across) > _BUDGET:
        k = chain.pop(1)
        border.append(k)
        across += widths[k] * int(codes[k].max() + 1)
    out: list[NDArray[np.intp]] = []
    above = np.zeros(len(codes[0]), dtype=np.intp)
    for k in reversed(chain):
        above = _filled(codes[k], above)
        out.append(above)
    return Order(chain=tuple(chain), border=tuple(border), codes=tuple(reversed(out)))


def moments(Z: list[Array], order: Order, codes: Sequence[Codes], Q: Array, e: Array) -> Moments:
    """Return the cross-products of a model.

    Parameters
    ----------
    Z
        Columns of every level (n, q), rows outside its units zero.
    order
        From `arrange`.
    codes
        Units of every level, as given to `arrange`.
    Q, e
        Orthonormal fixed effects (n, p) and the least squares residual of the outcome (n,), rows weighted.
    """
    n, p = Q.shape
    chain = [Z[k] for k in order.chain]
    rows = _sorted_rows(order.codes)
    inside = [c if rows is None else c[rows] for c in order.codes]
    dense = np.column_stack([*chain[1:], Q, e])
    if rows is not None:
        dense = dense[rows]
        chain = [z[rows] for z in chain[:1]] + chain[1:]
    wide, sizes = _border_columns([Z[k] for k in order.border], [codes[k] for k in order.border], rows)
    above = sum(z.shape[1] for z in chain[1:])
    first = [_first_rows(c) for c in inside]
    leaf_parent = inside[1][first[0]] if len(inside) > 1 else np.zeros(len(first[0]), dtype=np.intp)
    leaf = _leaf(chain[0], dense, wide, above, first[0], leaf_parent)
    total = _totals(dense, wide, above, first[1] if len(first) > 1 else np.zeros(1, dtype=np.intp))
    starts = []
    for level in range(1, len(inside)):
        parents = inside[level + 1][first[level]] if level + 1 < len(inside) else np.zeros(len(first[level]), np.intp)
        starts.append(_first_rows(parents))
    return Moments(
        leaf=leaf,
        total=total,
        widths=tuple(z.shape[1] for z in chain[1:]),
        starts=tuple(starts),
        border=tuple(sizes),
        p=p,
        n=n,
    )


def _nested(lower: Codes, upper: Codes) -> bool:
    """Tell whether every unit of `lower` lies in one unit of `upper`; rows without a lower unit do not matter."""
    has = lower >= 0
    units = int(lower.max()) + 1
    low, high = np.full(units, np.iinfo(np.intp).max, dtype=np.intp), np.full(units, -2, dtype=np.intp)
    np.minimum.at(low, lower[has], upper[has])
    np.maximum.at(high, lower[has], upper[has])
    return bool((low == high).all())


def _total_size(codes: Sequence[Codes], widths: list[int], chain: list[int], across: int) -> int:
    return int(codes[chain[1]].max() + 1) * (sum(widths[k] for k in chain[1:]) + across) ** 2


def _filled(codes: Codes, above: NDArray[np.intp]) -> NDArray[np.intp]:
    """Give rows without a unit one of their own in each parent, and number units so that those of a parent follow."""
    units = int(codes.max()) + 1
    own = np.where(codes >= 0, codes, units + above).astype(np.intp)
    width = int(own.max()) + 1
    parents = int(above.max()) + 1
    if parents == 1:
        key = own
    elif parents * width <= 8 * len(codes) + 1024:
        key = above * width + own
    else:  # number units by their parent first, without a table of all pairs
        parent = np.empty(width, dtype=np.intp)
        parent[own] = above
        rank = np.empty(width, dtype=np.intp)
        rank[np.argsort(parent, kind="stable")] = np.arange(width)
        key = rank[own]
    counts = np.bincount(key)
    if counts.all():
        return key
    used = counts > 0
    numbers = np.cumsum(used) - 1
    out: NDArray[np.intp] = numbers[key].astype(np.intp)
    return out


def _sorted_rows(codes: tuple[NDArray[np.intp], ...]) -> NDArray[np.intp] | None:
    """Return the order of rows by the lowest level, which `_filled` numbered in the order of all levels above."""
    lowest = codes[0]
    if (np.diff(lowest) >= 0).all():
        return None
    return np.argsort(lowest, kind="stable")


def _first_rows(codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return where a new unit begins in sorted codes."""
    return np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))


def _border_columns(
    Z: list[Array], codes: list[Codes], rows: NDArray[np.intp] | None
) -> tuple[sparse.csr_array | None, list[tuple[int, int]]]:
    """Return the indicator columns of crossed factors, unit by unit, and their sizes."""
    if not Z:
        return None, []
    blocks, sizes = [], []
    for z, code in zip(Z, codes, strict=True):
        units, q = int(code.max()) + 1, z.shape[1]
        has = np.flatnonzero(code >= 0)
        columns = code[has, None] * q + np.arange(q)
        place = (np.repeat(has, q), columns.ravel())
        blocks.append(sparse.csr_array((z[has].ravel(), place), shape=(len(code), units * q)))
        sizes.append((units, q))
    wide = sparse.csr_array(sparse.hstack(blocks, format="csr"))
    return wide if rows is None else wide[rows], sizes


def _leaf(
    Z: Array, dense: Array, wide: sparse.csr_array | None, above: int, first: NDArray[np.intp], parent: NDArray[np.intp]
) -> Leaf:
    """Return the lowest level, alike units joined where that saves work."""
    units, q, across = len(first), Z.shape[1], 0 if wide is None else wide.shape[1]
    m = dense.shape[1] + across
    A = np.empty((q, q, units))
    B = np.empty((q, m, units))
    for a in range(q):
        for b in range(a + 1):
            A[a, b] = A[b, a] = np.add.reduceat(Z[:, a] * Z[:, b], first)
        for column in range(dense.shape[1]):
            place = column if column < above else column + across
            B[a, place] = np.add.reduceat(Z[:, a] * dense[:, column], first)
        if wide is not None:
            ends = np.append(first, len(Z))
            sums = sparse.csr_array((Z[:, a], np.arange(len(Z)), ends), shape=(units, len(Z))) @ wide
            B[a, above : above + across] = sums.toarray().T
    scale = np.abs(A).max() or 1.0
    kinds = np.round(A.reshape(q * q, units) / scale, 12)
    order = np.lexsort((*kinds, parent))
    new = (np.diff(kinds[:, order]) != 0).any(axis=0) | (np.diff(parent[order]) != 0)
    begin = np.flatnonzero(np.append(True, new))
    groups = len(begin)
    if units > 1 and (2 * groups * q > units or groups * (q * m) ** 2 > _JOINED):
        return Leaf(
            A=np.ascontiguousarray(A.transpose(2, 0, 1)),
            count=np.ones(units),
            squares=None,
            B=B,
            starts=_first_rows(parent),
        )
    squares = np.empty((groups, q * q, m * m))
    ends = np.append(begin[1:], units)
    B = np.ascontiguousarray(B[:, :, order])
    if groups > 4 * q * q * m * m:
        flat = B.reshape(q, m, units)
        for a in range(q):
            for b in range(q):
                for c in range(m):
                    block = np.add.reduceat(flat[a, c] * flat[b], begin, axis=1)
                    squares[:, a * q + b, c * m : (c + 1) * m] = block.T
    else:
        for g, (start, end) in enumerate(zip(begin, ends, strict=True)):
            part = B[:, :, start:end].reshape(q * m, end - start)
            product = (part @ part.T).reshape(q, m, q, m)
            squares[g] = product.transpose(0, 2, 1, 3).reshape(q * q, m * m)
    return Leaf(
        A=np.ascontiguousarray(A[:, :, order[begin]].transpose(2, 0, 1)),
        count=(ends - begin).astype(float),
        squares=squares,
        B=None,
        starts=_first_rows(parent[order[begin]]),
    )


def _totals(dense: Array, wide: sparse.csr_array | None, above: int, first: NDArray[np.intp]) -> Array:
    """Return the cross-products of all columns by unit of the second level."""
    across = 0 if wide is None else wide.shape[1]
    m, units = dense.shape[1] + across, len(first)
    if across and units * m * m > 8 * _BUDGET:
        raise DesignError(
            f"the crossed factors have {across} units, too many for this model.",
            fix="Make the factor with fewer units a fixed effect, or leave it out.",
        )
    out = np.empty((units, m, m))
    place = np.arange(dense.shape[1])
    place = np.where(place < above, place, place + across)
    if units == 1:
        out[0][np.ix_(place, place)] = dense.T @ dense
    else:
        for column in range(dense.shape[1]):
            block = np.add.reduceat(dense[:, column, None] * dense[:, column:], first, axis=0)
            out[:, place[column], place[column:]] = block
            out[:, place[column:], place[column]] = block
    if wide is not None:
        ends = np.append(first, len(dense))
        for unit in range(units):
            part, rows = wide[ends[unit] : ends[unit + 1]], dense[ends[unit] : ends[unit + 1]]
            inner, mixed = (part.T @ part).toarray(), part.T @ rows
            out[unit, above : above + across, above : above + across] = inner
            out[unit, above : above + across, place] = mixed.T
            out[unit, place[:, None], np.arange(above, above + across)] = mixed.T
    return out
