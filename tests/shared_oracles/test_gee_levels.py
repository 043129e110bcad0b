"""Marginal models on real trials against geepack 1.3.9: `levels.json`, at the tolerance stored there (1e-4)."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from sweval.models.cluster_robust import ClusterRobust

ORACLES = Path(__file__).resolve().parents[3] / "shared" / "oracles"
ENTRIES = {entry["id"]: entry for entry in json.loads((ORACLES / "levels.json").read_text())["entries"]}
MODELS = {
    "crt_gee_logit": (
        {"fixed": "treated + mother_ed", "cluster": "school_id", "family": "binomial"},
        "Bagrut_status",
        ["(Intercept)", "treated", "mother_ed"],
    ),
    "gee_btheb": (
        {"fixed": "bdi.pre + time + treatment", "cluster": "id", "reference": {"treatment": "TAU"}},
        "bdi",
        ["(Intercept)", "bdi.pre", "time", "treatment[BtheB]"],
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_geepack(name: str) -> None:
    fields, outcome, terms = MODELS[name]
    entry = ENTRIES[name]
    frame = pd.read_csv(ORACLES / "data" / f"{entry['data']}.csv")
    result = ClusterRobust(**fields, correlation="exchangeable", kind="CR0").fit(frame, outcome)
    rows = [result.effect("coefficient", term=term) for term in terms]
    assert [row.estimate for row in rows] == pytest.approx(entry["values"]["est"], rel=1e-4)
    assert [row.std_error for row in rows] == pytest.approx(entry["values"]["se"], rel=1e-4)
    assert result.fits[0].icc == pytest.approx(entry["values"]["alpha"], rel=1e-4)
