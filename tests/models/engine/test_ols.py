"""Least squares: the digits, the columns that add nothing, and what is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from sweval.errors import DesignError
from sweval.models.engine.ols import least_squares


def exact(y: list[float], columns: list[list[float]]) -> list[float]:
    """Solve the normal equations in rational numbers."""
    X = [[Fraction(v) for v in row] for row in zip(*columns, strict=True)]
    p = len(columns)
    rows = [
        [sum(r[i] * r[j] for r in X) for j in range(p)] + [sum(r[i] * Fraction(v) for r, v in zip(X, y, strict=True))]
        for i in range(p)
    ]
    for i in range(p):
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for k in range(p):
            if k != i:
                rows[k] = [a - rows[k][i] * b for a, b in zip(rows[k], rows[i], strict=True)]
    return [float(row[-1]) for row in rows]


def test_against_exact_rational_arithmetic_with_an_offset_of_ten_million() -> None:
    rng = np.random.default_rng(1)
    x, z = 1e7 + rng.integers(0, 50, 40).astype(float), rng.integers(0, 9, 40).astype(float)
    y = 1e6 + rng.integers(0, 100, 40).astype(float)
    X = np.column_stack([np.ones(40), x, z])
    # 1e-13 for the slopes: all inputs are exact, so only the rounding of the algorithm is left
    np.testing.assert_allclose(
        least_squares(y, X).coefficients[1:], exact(list(y), [list(c) for c in X.T])[1:], rtol=1e-13
    )


def test_weights_of_two_equal_two_copies_of_a_row() -> None:
    rng = np.random.default_rng(2)
    X, y, w = np.column_stack([np.ones(15), rng.normal(size=15)]), rng.normal(size=15), rng.integers(1, 4, 15)
    weighted = least_squares(y, X, weights=w.astype(float))
    copied = least_squares(np.repeat(y, w), np.repeat(X, w, axis=0))
    np.testing.assert_allclose(weighted.coefficients, copied.coefficients, rtol=1e-12)
    np.testing.assert_allclose(weighted.residuals, y - X @ weighted.coefficients, rtol=1e-10, atol=1e-13)


def test_later_columns_are_the_aliased_ones() -> None:
    rng = np.random.default_rng(3)
    x, z = rng.normal(size=(2, 30)) + 2020
    X = np.column_stack([np.ones(30), x, 3 * x - 7, z, np.zeros(30), np.full(30, 5.0), x + z])
    fit = least_squares(rng.normal(size=30), X)
    assert fit.kept == (0, 1, 3)
    assert fit.aliased == (2, 4, 5, 6)


def test_a_complement_stored_with_seven_digits_is_aliased() -> None:
    """Shares in single precision that sum to 1 but for their rounding: no garbage slopes."""
    share = np.random.default_rng(4).random(50).astype(np.float32)
    X = np.column_stack([np.ones(50), share, (np.float32(1) - share)]).astype(float)
    assert least_squares(np.random.default_rng(5).normal(size=50), X).aliased == (2,)


@pytest.mark.parametrize(
    ("y", "X", "weights", "message"),
    [
        ([1, 2, np.nan], np.ones((3, 1)), None, "outcome hold 1 missing"),
        ([1, 2, np.inf], np.ones((3, 1)), None, "outcome hold 1 missing or infinite"),
        ([1, 2, 3], [[1], [np.inf], [1]], None, "terms hold 1"),
        ([4, 4, 4], np.ones((3, 1)), None, "constant"),
        ([1, 2, 3], np.ones((3, 1)), [1, 0, 1], "1 weights are zero or negative"),
        ([1, 2, 3], np.ones((3, 1)), [1, -1, -1], "2 weights"),
        ([1, 2], [[1, 0], [1, 1]], None, "2 rows for 2 coefficients"),
        ([1, 3, 5, 7], [[1, 0], [1, 1], [1, 2], [1, 3]], None, "reproduce the outcome exactly"),
        ([1e7, 3e7, 5e7, 7e7], [[1, 0], [1, 1], [1, 2], [1, 3]], None, "reproduce the outcome exactly"),
        ([1, 2, 3], np.ones((2, 1)), None, "differ in length"),
    ],
)
def test_refused(y: list, X: object, weights: list | None, message: str) -> None:
    with pytest.raises(DesignError, match=message):
        least_squares(
            np.array(y, dtype=float), np.array(X, dtype=float), weights=weights and np.array(weights, dtype=float)
        )
