"""Least squares on the linear regression sets of the Statistical Reference Datasets of NIST.

A set asks for one digit less than can be reached, at most 9: the log relative error of the worst coefficient and of the
worst standard error. QR alone reaches 7.6 and 5.6 digits of Wampler4 and Wampler5; refinement reaches all.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweval.errors import DesignError
from sweval.models.engine.ols import least_squares

SETS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "reference" / "nist" / "linear.json").read_text(encoding="utf-8")
)["sets"]
EXACT = ["Wampler1", "Wampler2"]


def problem(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return outcome and design: powers of x, or the columns as they are."""
    given = SETS[name]
    x = np.array(given["x"], dtype=float).reshape(len(given["y"]), -1)
    columns = [x**k for k in range(1, given["degree"] + 1)]
    one = [np.ones((len(x), 1))] if given["constant"] else []
    return np.array(given["y"], dtype=float), np.column_stack([*one, *columns])


def digits(found: object, certified: object) -> float:
    """Return how many digits of the worst number are right."""
    a, b = np.atleast_1d(np.asarray(found, dtype=float)), np.atleast_1d(np.asarray(certified, dtype=float))
    assert a.shape == b.shape
    return float((-np.log10(np.maximum(np.abs(a - b) / np.abs(b), 1e-15))).min())


@pytest.mark.parametrize("name", [name for name in SETS if name not in (*EXACT, "Filip")])
def test_certified_digits(name: str) -> None:
    given, fit = SETS[name], least_squares(*problem(name))
    needed = min(given["attainable_digits"] - 1, 9)
    assert fit.aliased == ()
    assert digits(fit.coefficients, given["estimate"]) >= needed
    assert digits(fit.standard_errors(), given["se"]) >= 9
    assert digits(fit.sigma, given["residual_sd"]) >= 9


@pytest.mark.parametrize("name", EXACT)
def test_an_outcome_without_error_is_refused(name: str) -> None:
    """All certified standard errors are 0, so there is nothing to test."""
    assert SETS[name]["residual_sd"] == 0
    with pytest.raises(DesignError, match="reproduce the outcome exactly"):
        least_squares(*problem(name))


def test_filip_is_not_silently_wrong() -> None:
    """Its tenth power cannot be told from the lower ones in double precision: it is named, the rest is right.

    What is left is the polynomial of degree nine, here in exact arithmetic. Its columns leave about 1e-7 of each other,
    so that rounding of 1e-16 costs half of the digits of the coefficients, and none of what they predict.
    """
    y, X = problem("Filip")
    fit = least_squares(y, X)
    assert fit.aliased == (10,)
    assert fit.kept == tuple(range(10))
    exact = solved(y, X[:, :10])
    assert digits(fit.coefficients, exact) >= 5
    residuals = [
        float(Fraction(v) - sum(Fraction(a) * b for a, b in zip(row, exact, strict=True)))
        for v, row in zip(y.tolist(), X[:, :10].tolist(), strict=True)
    ]
    assert digits(fit.sigma, np.sqrt(np.sum(np.square(residuals)) / 72)) >= 9


def solved(y: np.ndarray, X: np.ndarray) -> list[Fraction]:
    """Return least squares coefficients in rational arithmetic: no rounding at all."""
    rows = [[Fraction(value) for value in row] for row in X.tolist()]
    outcome = [Fraction(value) for value in y.tolist()]
    p = len(rows[0])
    A = [[sum(row[i] * row[j] for row in rows) for j in range(p)] for i in range(p)]
    A = [[*A[i], sum(row[i] * value for row, value in zip(rows, outcome, strict=True))] for i in range(p)]
    for i in range(p):
        A[i] = [value / A[i][i] for value in A[i]]
        for k in range(p):
            if k != i:
                A[k] = [a - A[k][i] * b for a, b in zip(A[k], A[i], strict=True)]
    return [row[p] for row in A]
