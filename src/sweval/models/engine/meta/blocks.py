"""How effects depend on each other, cut into the independent blocks that keep all work linear in the effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError
from sweval.models.engine.ols import Array

Codes = NDArray[np.intp]

_LARGEST_BLOCK = 4000
"""Effects in one block above which matrices no longer fit an ordinary machine."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """The sampling covariance of the effects.

    Parameters
    ----------
    variance
        Sampling variances, shape (k,).
    group
        Codes of the studies; effects of different studies are independent. None where all effects are.
    rho
        Correlation of the sampling errors of two effects of one study: `rho sqrt(v_i v_j)`.
    pairs
        Positions i and j and covariance of the pairs that differ from this, such as two arms compared with one control
        arm.
    matrix
        The whole covariance, shape (k, k), instead of all this.
    """

    variance: Array
    group: Codes | None = None
    rho: float = 0.0
    pairs: tuple[Codes, Codes, Array] | None = None
    matrix: Array | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.rho < 1:
            raise DesignError(
                f"the correlation rho is {self.rho:g}; it must be 0 or more and below 1.", fix="Try rho=0.6."
            )
        bad = int((~(np.isfinite(self.variance) & (self.variance > 0))).sum())
        if bad:
            raise DesignError(
                f"{bad} sampling variance{'s are' if bad > 1 else ' is'} zero, negative or missing.",
                fix="Leave these effects out, or compute their variances.",
            )

    def joined(self) -> list[Codes]:
        """Return codes of which equal ones depend on each other (-1 = on nobody)."""
        if self.matrix is not None:
            from scipy.sparse import csr_array
            from scipy.sparse.csgraph import connected_components

            return [np.asarray(connected_components(csr_array(self.matrix != 0), directed=False)[1], dtype=np.intp)]
        return [] if self.group is None or (self.rho == 0 and self.pairs is None) else [self.group]

    def of(self, rows: Codes, place: Codes) -> Array:
        """Return the covariances of many blocks of n effects: shape (m, n, n) for rows of shape (m, n).

        `place` holds for every effect its position in `rows`, read as one line, or -1.
        """
        if self.matrix is not None:
            return np.asarray(self.matrix[rows[:, :, None], rows[:, None, :]], dtype=float)
        m, n = rows.shape
        V = np.zeros((m, n, n))
        if self.rho and self.group is not None:
            root, group = np.sqrt(self.variance[rows]), self.group[rows]
            V = self.rho * root[:, :, None] * root[:, None, :] * (group[:, :, None] == group[:, None, :])
        one = np.arange(n)
        V[:, one, one] = self.variance[rows]
        if self.pairs is not None:
            first, second, covariance = self.pairs
            here = (place[first] >= 0) & (place[second] >= 0)
            a, b = place[first[here]], place[second[here]]
            V[a // n, a % n, b % n] = V[a // n, b % n, a % n] = covariance[here]
        return V


@dataclass(frozen=True, kw_only=True)
class Component:
    """A variance component: effects with the same code share a random effect; code -1 has none.

    Parameters
    ----------
    name
        What to call it: "study", "effect".
    codes
        Shape (k,).
    """

    name: str
    codes: Codes


@dataclass(frozen=True, kw_only=True)
class Batch:
    """All blocks of one size n.

    Parameters
    ----------
    rows
        Positions of the effects, shape (m, n).
    V
        Sampling covariance, shape (m, n, n).
    same
        For every component which two effects share its random effect, shape (K, m, n, n), zeros and ones.
    label
        Number of every block, shape (m,).
    """

    rows: Codes
    V: Array
    same: Array
    label: Codes


def blocks_of(k: int, joined: list[Codes]) -> Codes:
    """Return the block of every effect: the finest split in which effects with an equal code are together.

    Raises
    ------
    DesignError
        If a block holds more than 4,000 effects.
    """
    block: Codes = np.arange(k, dtype=np.intp)
    for codes in joined:
        held = np.flatnonzero(codes >= 0)
        _, at, level = np.unique(codes[held], return_index=True, return_inverse=True)
        if (block[held] == block[held[at]][level]).all():  # nested in the blocks there are
            continue
        block = _merged(block, held, level)
    _, block = np.unique(block, return_inverse=True)
    largest = int(np.bincount(block).max())
    if largest > _LARGEST_BLOCK:
        raise DesignError(
            f"{largest} effects depend on each other through the levels of the model; {_LARGEST_BLOCK} is the most.",
            fix="Leave out the level that crosses studies, or analyse fewer effects.",
        )
    return block


def _merged(block: Codes, held: Codes, level: Codes) -> Codes:
    """Return the blocks after joining those that share a level."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, label = np.unique(block, return_inverse=True)
    size = int(label.max()) + 1
    nodes = size + int(level.max()) + 1
    edges = coo_array((np.ones(len(held)), (label[held], size + level)), shape=(nodes, nodes))
    return np.asarray(connected_components(edges, directed=False)[1], dtype=np.intp)[label]


def batches_of(block: Codes, sampling: Sampling, components: tuple[Component, ...]) -> tuple[Batch, ...]:
    """Return the blocks, those of equal size together.

    Raises
    ------
    DesignError
        If the sampling covariance of some block is not positive definite.
    """
    order = np.argsort(block, kind="stable")
    sizes = np.bincount(block)
    start = np.append(0, np.cumsum(sizes)[:-1])
    place: Codes = np.full(len(block), -1, dtype=np.intp)
    batches = []
    for n in np.unique(sizes):
        label = np.flatnonzero(sizes == n)
        rows = order[start[label][:, None] + np.arange(n)]
        place[rows.ravel()] = np.arange(rows.size)
        V = sampling.of(rows, place)
        place[rows.ravel()] = -1
        if n > 1:
            _refuse_indefinite(V)
        codes = [component.codes[rows] for component in components]
        same = [(c[:, :, None] == c[:, None, :]) & (c[:, :, None] >= 0) for c in codes]
        stacked = np.array(same, dtype=float) if same else np.zeros((0, len(label), n, n))
        batches.append(Batch(rows=rows, V=V, same=stacked, label=label))
    return tuple(batches)


def _refuse_indefinite(V: Array) -> None:
    """Refuse covariances of which some combination of effects would have no variance, or a negative one."""
    scale = np.sqrt(np.diagonal(V, axis1=1, axis2=2))
    lowest = np.linalg.eigvalsh(V / (scale[:, :, None] * scale[:, None, :]))[:, 0]
    bad = int((lowest < 1e-10).sum())
    if bad:
        raise DesignError(
            f"the sampling covariance of the effects in {bad} {'study' if bad == 1 else 'studies'} is impossible or "
            "says that one effect is a copy of others (it is not positive definite).",
            fix="Check the covariances, and whether an effect is in the data twice.",
        )
