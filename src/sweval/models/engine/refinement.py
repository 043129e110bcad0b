"""Digits that the QR decomposition of an ill-conditioned design loses, won back in twice the precision.

Residuals and their products with the columns are summed in pairs of numbers (Dekker 1971, Numerische Mathematik 18,
224-242), and the small correction that they ask for is solved for with the R already at hand: the corrected seminormal
equations (Bjorck 1987, Linear Algebra and its Applications 88/89, 31-48), repeated until it is as small as rounding.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WELL_CONDITIONED = 1e3
"""Below this condition number of the scaled design QR alone keeps twelve digits, and nothing is refined."""

_SPLIT = 2.0**27 + 1
_MOST_STEPS = 8


def refined(y: Array, X: Array, weights: Array, coefficients: Array, R: Array, shift: Array) -> tuple[Array, Array]:
    """Return better coefficients and residuals of `min sum w (y - Xb)^2`, or the ones given where R is too poor.

    Parameters
    ----------
    y, X, weights
        The problem, shapes (n,), (n, p), (n,).
    coefficients
        Those of the QR decomposition, shape (p,).
    R, shift
        With `sqrt(w) X = Q R S`, shapes (p, p).

    Returns
    -------
    coefficients, residuals
        Shapes (p,) and (n,); the residuals unweighted.
    """
    b = coefficients
    residual, rest = _residuals(y, X, b)
    last = np.inf
    for _ in range(_MOST_STEPS):
        gradient = np.array([_sum_of_products(weights * column, residual, rest) for column in X.T])
        half = np.linalg.solve(R.T, np.linalg.solve(shift.T, gradient))
        size = float(np.linalg.norm(half))
        if not size < last / 4:
            break
        last = size
        b = b + np.linalg.solve(shift, np.linalg.solve(R, half))
        residual, rest = _residuals(y, X, b)
    return b, residual


def _residuals(y: Array, X: Array, b: Array) -> tuple[Array, Array]:
    """Return y - Xb as the sum of two parts, the second the rounding of the first."""
    total, rest = y, np.zeros_like(y)
    for column, value in zip(X.T, b.tolist(), strict=True):
        product, lost = _product(column, np.full_like(column, -value))
        total, rounding = _sum(total, product)
        rest = rest + (rounding + lost)
    return _sum(total, rest)


def _sum_of_products(x: Array, high: Array, low: Array) -> float:
    """Return x'(high + low)."""
    total, rest = _product(x, high)
    rest = rest + x * low
    while len(total) > 1:
        if len(total) % 2:
            total, rest = np.append(total, 0.0), np.append(rest, 0.0)
        total, rounding = _sum(total[::2], total[1::2])
        rest = rest[::2] + rest[1::2] + rounding
    return float(total[0] + rest[0])


def _sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return a + b rounded, and what rounding took away."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _product(a: Array, b: Array) -> tuple[Array, Array]:
    """Return ab rounded, and what rounding took away."""
    product = a * b
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    return product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2


def _halves(a: Array) -> tuple[Array, Array]:
    """Return two numbers of 26 bits that add up to a."""
    wide = _SPLIT * a
    high = wide - (wide - a)
    return high, a - high
