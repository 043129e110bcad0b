"""Random effects are what their definition says, for nested, crossed and singular factors, and what lme4 prints."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.models.engine.mixed.fit import MixedFit, mixed_fit
from sweval.models.engine.mixed.model import Factor, Residual
from sweval.models.engine.mixed.modes import conditional_modes, random_effects

FOLDER = Path(__file__).parents[2] / "reference" / "mixed"
FIXTURES = json.loads((FOLDER / "ranef.json").read_text(encoding="utf-8"))
N = 120


def dense(levels: list[tuple], residuals: np.ndarray, base: np.ndarray | None = None) -> list[tuple]:
    """Return Psi Z'V^-1 e and the blocks of Psi - Psi Z'V^-1 Z Psi with matrices as large as the data."""
    n = len(residuals)
    V = np.eye(n) if base is None else base.copy()
    blocks = []
    for codes, Z, psi in levels:
        units, q = codes.max() + 1, Z.shape[1]
        wide = np.zeros((n, units * q))
        for row in np.flatnonzero(codes >= 0):
            wide[row, codes[row] * q : (codes[row] + 1) * q] = Z[row]
        G = np.kron(np.eye(units), psi)
        V += wide @ G @ wide.T
        blocks.append((wide, G, units, q))
    inverse = np.linalg.inv(V)
    out = []
    for wide, G, units, q in blocks:
        C = G - G @ wide.T @ inverse @ wide @ G
        own = np.arange(units * q).reshape(units, q)
        out.append(((G @ wide.T @ inverse @ residuals).reshape(units, q), C[own[:, :, None], own[:, None, :]]))
    return out


def layouts() -> dict[str, list[tuple]]:
    """Return levels of every kind: codes, columns, covariance."""
    rng = np.random.default_rng(1)

    def psd(q: int, rank: int | None = None) -> np.ndarray:
        L = rng.normal(size=(q, rank or q))
        return L @ L.T

    top = np.repeat(np.arange(4), N // 4)
    middle = top * 3 + rng.integers(0, 3, N)
    low = np.unique(middle * 4 + rng.integers(0, 4, N), return_inverse=True)[1]
    item, rater = rng.integers(0, 7, N), rng.integers(0, 5, N)
    some = np.where(rng.random(N) < 0.2, -1, low)
    one = np.ones((N, 1))
    two = np.column_stack([one, rng.normal(size=N)])
    return {
        "one factor with slope": [(middle, two, psd(2))],
        "singular": [(middle, two, psd(2, 1))],
        "three levels in another order": [(top, two, psd(2)), (low, one, psd(1)), (middle, two, psd(2))],
        "crossed": [(middle, two, psd(2)), (item, one, psd(1))],
        "nested and twice crossed": [
            (top, one, psd(1)), (item, two, psd(2)), (rater, one, psd(1)), (middle, one, psd(1)), (low, one, psd(1)),
        ],
        "rows without a unit, and a zero variance": [
            (some, one, psd(1)), (top, two, psd(2, 1)), (item, one, np.zeros((1, 1))),
        ],
    }  # fmt: skip


@pytest.mark.parametrize("name", layouts())
def test_modes_are_those_of_dense_algebra(name: str) -> None:
    levels = layouts()[name]
    residuals = np.random.default_rng(2).normal(size=N)
    for found, (effects, variances) in zip(conditional_modes(levels, residuals), dense(levels, residuals), strict=True):
        # both are exact; what is left is rounding, with condition numbers of about 1e3
        np.testing.assert_allclose(found.effects, effects, atol=1e-11)
        np.testing.assert_allclose(found.variances, variances, atol=1e-11)


def fitted(formula: str, data: str) -> tuple[MixedFit, dict[str, np.ndarray]]:
    """Fit one of the reference models; return it with the unit labels of its factors."""
    d = pd.read_csv(FOLDER / data)
    n, one = len(d), np.ones(len(d))
    fixed, _, random = formula.removeprefix("y ~ ").partition(" + (")
    columns = [one]
    for term in fixed.split(" + "):
        names = term.split(" * ")
        columns += [d[name].to_numpy(float) for name in names]
        if len(names) == 2:
            columns.append(columns[-1] * columns[-2])
    factors, labels = [], {}
    for part in random.rstrip(")").split(") + ("):
        effects, _, group = part.partition(" | ")
        Z = {"1": one[:, None], "time": np.column_stack([one, d.get("time", one)])}.get(effects)
        Z = d[["treat"]].to_numpy(float) if Z is None else Z
        names = group.split("/")
        for depth in range(len(names), 0, -1):
            key = d[names[:depth][::-1]].astype(str).agg(":".join, axis=1)
            codes, units = pd.factorize(key)
            factors.append(Factor(codes, np.asarray(Z, dtype=float)))
            labels[":".join(names[:depth][::-1])] = np.array(units)
    assert len(columns[0]) == n
    return mixed_fit(d["y"].to_numpy(float), np.column_stack(columns), factors), labels


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture["id"])
def test_random_effects_are_those_of_lme4(fixture: dict) -> None:
    fit, labels = fitted(fixture["inputs"]["formula"], fixture["inputs"]["data"])
    assert set(labels) == set(fixture["outputs"])
    for (name, units), modes in zip(labels.items(), random_effects(fit), strict=True):
        expected = fixture["outputs"][name]
        place = [int(np.flatnonzero(units == level)[0]) for level in expected["level"]]
        # as the fixture says: what lme4's optimiser leaves open
        tolerance = {"rtol": fixture["rtol"], "atol": fixture["atol"]}
        np.testing.assert_allclose(modes.effects[place], np.array(expected["effect"], dtype=float), **tolerance)
        np.testing.assert_allclose(modes.variances[place], np.array(expected["condVar"], dtype=float), **tolerance)


@pytest.mark.parametrize("kind", ["ar1", "by_class", "weights"])
def test_the_structure_of_residuals_counts(kind: str) -> None:
    rng = np.random.default_rng(3)
    unit, time = np.repeat(np.arange(20), 6), np.tile(np.arange(6), 20)
    agency = unit // 4
    y = rng.normal(size=5)[agency] * 2 + rng.normal(size=20)[unit] + rng.normal(size=120) * (1 + time % 2)
    factors = [Factor(agency, np.ones((120, 1)))]
    weights = rng.uniform(0.5, 2, 120) if kind == "weights" else None
    residual = {
        "ar1": Residual(kind="ar1", unit=unit, occasion=time),
        "by_class": Residual(kind="by_class", classes=time % 2),
    }.get(kind)
    fit = mixed_fit(y, np.ones((120, 1)), factors, residual=residual, weights=weights)
    if kind == "ar1":
        assert fit.correlation is not None
        same = (unit[:, None] == unit) * np.power(fit.correlation, np.abs(time[:, None] - time))
        R = fit.residual_variances[0] * same
    elif kind == "by_class":
        R = np.diag(np.array(fit.residual_variances)[time % 2])
    else:
        R = np.diag(fit.residual_variances[0] / np.asarray(weights))
    (expected,) = dense([(agency, np.ones((120, 1)), fit.covariances[0])], y - fit.coefficients[0], base=R)
    (found,) = random_effects(fit)
    np.testing.assert_allclose(found.effects, expected[0], atol=1e-9)
    np.testing.assert_allclose(found.variances, expected[1], atol=1e-9)


def test_nested_data_need_no_matrix_as_large_as_the_data() -> None:
    rng = np.random.default_rng(4)
    n = 60_000
    client = np.repeat(np.arange(n // 3), 3)
    agency = client // 50
    y = rng.normal(size=n) + rng.normal(size=n // 3)[client] + rng.normal(size=400)[agency]
    one = np.ones((n, 1))
    fit = mixed_fit(y, one, [Factor(client, one), Factor(agency, one)])
    tracemalloc.start()
    clients, agencies = random_effects(fit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert clients.effects.shape == (20_000, 1)
    assert agencies.variances.shape == (400, 1, 1)
    assert peak < 100e6  # a matrix of clients x clients alone would be 3.2 GB
