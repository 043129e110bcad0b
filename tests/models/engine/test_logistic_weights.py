"""Logistic regression with sampling weights against clubSandwich: `tests/reference/binary/weighted.R`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.models.engine.logistic import logistic
from sweval.models.engine.sandwich import Kind, cluster_covariance

FOLDER = Path(__file__).parents[2] / "reference" / "binary"
R = json.loads((FOLDER / "weighted.json").read_text())


@pytest.mark.parametrize("kind", ["CR0", "CR2", "CR3"])
def test_club_sandwich_with_weights(kind: Kind) -> None:
    """R iterates to 1e-14; 1e-8 leaves room for its rounding only."""
    data = pd.read_csv(FOLDER / "cr_logit1.csv")
    X = np.column_stack([np.ones(len(data)), data[["treat", "x"]].to_numpy(float)])
    weights = 1 + (np.arange(1, len(data) + 1) % 3) / 2
    fit = logistic(data["y"].to_numpy(float), X, weights=weights)
    robust = cluster_covariance(fit.working, pd.factorize(data["cluster"])[0], kind=kind, working="inverse_weights")
    tests = robust.contrasts(np.eye(3))
    for field, key in (("estimate", "estimate"), ("std_error", "se"), ("df", "df")):
        assert [getattr(test, field) for test in tests] == pytest.approx(R[kind][key], rel=1e-8)
