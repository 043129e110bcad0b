"""State and year effects of 50 states over 14 years, absorbed; clubSandwich's numbers with a dummy for each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.models.engine.absorb import absorbed_least_squares
from sweval.models.engine.sandwich import cluster_covariance

ORACLES = Path(__file__).resolve().parents[3] / "shared" / "oracles"


def test_difference_in_differences_with_absorbed_state_and_year() -> None:
    """Fixture did_mortality_cr2 (clubSandwich 0.6.0, rtol 1e-9)."""
    fixtures = json.loads((ORACLES / "effects.json").read_text())["fixtures"]
    fixture = next(entry for entry in fixtures if entry["id"] == "did_mortality_cr2")
    data = pd.read_csv(ORACLES / "data" / fixture["inputs"]["csv"])
    data = data[(data["cause"] == "Motor Vehicle") & data["beertaxa"].notna()]
    state, year = (pd.factorize(data[column])[0] for column in ("state", "year"))
    X = np.column_stack([np.ones(len(data)), data[["legal", "beertaxa"]].to_numpy(float)])
    found = absorbed_least_squares(data["mrate"].to_numpy(float), X, [state, year], state)
    tests = cluster_covariance(found.fit, state).contrasts(np.eye(len(found.fit.coefficients))[list(found.at)])
    at = [fixture["outputs"]["term"].index(name) for name in ("legal", "beertaxa")]
    for field, key in (("estimate", "beta"), ("std_error", "SE"), ("df", "df"), ("p_value", "p")):
        wanted = [fixture["outputs"][key][k] for k in at]
        assert [getattr(test, field) for test in tests] == pytest.approx(wanted, rel=fixture["rtol"])
