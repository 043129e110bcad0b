"""Trim and fill, the selection model and Egger's test against metafor, and where they must refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DesignError
from sweval.models.engine.meta.bias import selection_model, trim_and_fill
from sweval.models.engine.meta.univariate import meta_regression

FOLDER = Path(__file__).parents[2] / "reference" / "meta"
R = json.loads((FOLDER / "bias.json").read_text())


def data(number: int) -> tuple[np.ndarray, np.ndarray, dict]:
    frame = pd.read_csv(FOLDER / f"meta_{number}.csv")
    return frame["yi"].to_numpy(), frame["vi"].to_numpy(), R[f"meta_{number}"]


@pytest.mark.parametrize("number", [2, 3])
def test_egger(number: int) -> None:
    """metafor's regtest, 1e-7."""
    y, v, expected = data(number)
    fit = meta_regression(y, v, np.column_stack([np.ones(len(y)), np.sqrt(v)]), test="z")
    found = [fit.statistics[1], fit.p_values[1], fit.coefficients[0]]
    np.testing.assert_allclose(found, [expected["egger"][key] for key in ("z", "p", "limit")], rtol=1e-7)


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("side", ["left", "right"])
def test_trim_and_fill(number: int, side: str) -> None:
    """metafor's trimfill (L0), 1e-7; seven and eighteen effects are filled in on the left, none on the right."""
    y, v, expected = data(number)
    found, wanted = trim_and_fill(y, v, side=side, test="z"), expected[f"trimfill_{side}"]  # type: ignore[arg-type]
    assert found.missing == wanted["k0"] == len(found.filled)
    np.testing.assert_allclose(
        [found.fit.coefficients[0], found.fit.std_errors[0], found.fit.tau2],
        [wanted["b"], wanted["se"], wanted["tau2"]],
        rtol=1e-7,
    )
    mirrored = trim_and_fill(-y, v, side="right" if side == "left" else "left", test="z")
    np.testing.assert_allclose(mirrored.fit.coefficients, -found.fit.coefficients, rtol=1e-12)


@pytest.mark.parametrize("number", [2, 3])
def test_selection_model(number: int) -> None:
    """metafor's selmodel with one step at .025: 5e-6, as its optimiser ends there; the flat log-likelihood to 1e-9."""
    y, v, expected = data(number)
    found, wanted = selection_model(y, v), expected["selection"]
    np.testing.assert_allclose(
        [found.estimate, found.std_error, found.tau2, found.weight],
        [wanted["b"], wanted["se"], wanted["tau2"], wanted["delta"][1]],
        rtol=5e-6,
    )
    np.testing.assert_allclose(
        [found.log_likelihood, found.statistic, found.p_value],
        [wanted["logLik"], wanted["LRT"], wanted["LRTp"]],
        rtol=1e-9,
    )


def test_selection_model_recovers_a_known_selection() -> None:
    """4,000 studies of mean .2 and tau .2; of those not significant a third is seen: within 4 standard errors."""
    rng = np.random.default_rng(6)
    v = rng.uniform(0.01, 0.1, 8000)
    y = rng.normal(0.2, np.sqrt(0.04 + v))
    seen = (y > 1.96 * np.sqrt(v)) | (rng.random(8000) < 1 / 3)
    found = selection_model(y[seen][:4000], v[seen][:4000])
    assert found.estimate == pytest.approx(0.2, abs=4 * found.std_error)
    assert found.weight == pytest.approx(1 / 3, abs=4 * found.weight_error)
    assert float(meta_regression(y[seen], v[seen]).coefficients[0]) > 0.25


def test_refusals() -> None:
    v = np.full(4, 0.01)
    with pytest.raises(DesignError, match=r"all of the 4 effects have a one-sided p below 0\.025"):
        selection_model(np.array([0.5, 0.6, 0.7, 0.8]), v)
    with pytest.raises(DesignError, match="none of the 4 effects have"):
        selection_model(np.array([0.0, 0.1, 0.05, 0.08]), v)
    with pytest.raises(DesignError, match="three effects or more; there are 2"):
        trim_and_fill(np.array([0.1, 0.2]), v[:2])


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_selection_model_knows_no_unit(scale: float) -> None:
    y, v, _ = data(2)
    one, other = selection_model(y, v), selection_model(scale * y, scale**2 * v)
    found = [other.estimate / scale, other.std_error / scale, other.weight, other.p_value]
    np.testing.assert_allclose(found, [one.estimate, one.std_error, one.weight, one.p_value], rtol=1e-6)
    assert other.log_likelihood == pytest.approx(one.log_likelihood - len(y) * np.log(scale))
