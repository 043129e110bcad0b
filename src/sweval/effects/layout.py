"""Clustered layouts as integer codes, and the traces that their variances need.

`arm` holds 0, 1, ...; a factor 0, 1, ... with -1 for a person whom it does not touch. Z is the indicator matrix of a
factor, M the projection off the arm means; neither is ever built.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.errors import DesignError

__all__: list[str] = []

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def persons_df(sizes: IntArray) -> float:
    """Return N - A, the nominal degrees of freedom of a standard deviation pooled over arms."""
    df = float(sizes.sum() - (sizes > 0).sum())
    if df < 1:
        raise DesignError("no arm has two persons, so nothing varies within arms.")
    return df


def checked(y: ArrayLike, factors: Sequence[ArrayLike], arm: ArrayLike) -> tuple[FloatArray, list[IntArray], IntArray]:
    """Return float values and integer codes of one length; levels of each factor are made consecutive."""
    values, arms = np.asarray(y, dtype=float), np.asarray(arm, dtype=np.int64)
    codes = [np.asarray(factor, dtype=np.int64) for factor in factors]
    if any(part.shape != values.shape for part in [arms, *codes]) or values.ndim != 1 or values.size == 0:
        raise DesignError("outcome, arm and factors need one value per person each.")
    missing = int((~np.isfinite(values)).sum())
    if missing:
        raise DesignError(f"{missing} of {values.size} outcome values are missing.", fix="Leave those rows out first.")
    if (arms < 0).any():
        raise DesignError("every person needs an arm, coded 0, 1, ...")
    return values, [_consecutive(code) for code in codes], arms


def _consecutive(code: IntArray) -> IntArray:
    """Renumber levels 0, 1, ... and keep -1."""
    renumbered = np.full(code.shape, -1, dtype=np.int64)
    touched = code >= 0
    if touched.any():
        renumbered[touched] = np.unique(code[touched], return_inverse=True)[1]
    return renumbered


def per_arm(residual: float | Sequence[float], arms: int) -> FloatArray:
    """Return one residual variance per arm."""
    noise = np.asarray(residual, dtype=float)
    if noise.ndim and noise.shape != (arms,):
        raise DesignError(f"there are {arms} arms, so {arms} residual variances are needed, or one.")
    return np.broadcast_to(noise, (arms,)).astype(float)


def counts_of(code: IntArray, arms: IntArray, groups: int) -> FloatArray:
    """Return persons per level and arm, shape (levels, arms)."""
    touched = code >= 0
    levels = int(code.max(initial=-1)) + 1
    flat = np.bincount(code[touched] * groups + arms[touched], minlength=levels * groups)
    return flat.reshape(levels, groups).astype(float)


def traces_of(code: IntArray, arms: IntArray, sizes: IntArray) -> FloatArray:
    """Return tr(Z' M Z) restricted to each arm."""
    count = counts_of(code, arms, sizes.size)
    return count.sum(axis=0) - (count**2).sum(axis=0) / np.maximum(sizes, 1)


def square_norms(codes: list[IntArray], arms: IntArray, sizes: IntArray) -> FloatArray:
    """Return the matrix of ||Z_k' M Z_l||_F^2.

    Z_k' M Z_l = C - sum_a n_ka n_la' / N_a, where C counts persons per pair of levels; only pairs that occur are held.
    """
    counts = [counts_of(code, arms, sizes.size) / np.sqrt(np.maximum(sizes, 1)) for code in codes]
    result = np.zeros((len(codes), len(codes)))
    for k, left in enumerate(codes):
        for m in range(k, len(codes)):
            right = codes[m]
            both = (left >= 0) & (right >= 0)
            width = int(right.max(initial=-1)) + 1
            pairs, number = np.unique(left[both] * width + right[both], return_counts=True)
            first, second = np.divmod(pairs, max(width, 1))
            cross = float((number * (counts[k][first] * counts[m][second]).sum(axis=1)).sum())
            mixed = float(((counts[k].T @ counts[k]) * (counts[m].T @ counts[m])).sum())
            result[k, m] = result[m, k] = float((number.astype(float) ** 2).sum()) - 2 * cross + mixed
    return result
