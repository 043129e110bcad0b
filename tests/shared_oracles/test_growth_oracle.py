"""Growth on Beat the Blues (Proudfoot et al. 2003), data of an R package that we may not pass on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.effects.kernel import small_sample_factor
from sweval.models.growth import Growth

ORACLES = Path(__file__).resolve().parents[3] / "shared" / "oracles"
FIXTURES = {
    entry["id"]: entry for entry in json.loads((ORACLES / "effects.json").read_text(encoding="utf-8"))["fixtures"]
}


def test_linear_growth_of_beat_the_blues_agrees_with_lme4() -> None:
    entry = FIXTURES["growth_btheb_lmer"]
    out, rtol = entry["outputs"], entry["rtol"]
    wide = pd.read_csv(ORACLES / "data" / entry["inputs"]["csv"])
    waves = ["bdi.pre", "bdi.2m", "bdi.3m", "bdi.5m", "bdi.8m"]
    frame = wide.melt(id_vars=["id", "treatment"], value_vars=waves, var_name="wave", value_name="bdi")
    times = dict(zip(waves, entry["inputs"]["times"], strict=True))
    design = Growth(arm="treatment", treated="BtheB", control="TAU", client="id", wave="wave", times=times)
    result = design.fit(frame, "bdi", better="lower")
    names = {
        "(Intercept)": "(Intercept)",
        "month": "wave",
        "tx": "treatment[BtheB]",
        "month:tx": "treatment[BtheB]:wave",
    }
    for k, name in enumerate(out["terms"]):
        row = result.effect("coefficient", term=names[name])
        assert row.estimate == pytest.approx(out["b"][k], rel=rtol)
        assert row.std_error == pytest.approx(out["se"][k], rel=rtol)
    level = result.effect("sd", term="id: (Intercept)").estimate
    slope = result.effect("sd", term="id: wave").estimate
    assert level**2 == pytest.approx(out["var_int"], rel=rtol)
    assert slope**2 == pytest.approx(out["var_slope"], rel=rtol)
    covariance = result.effect("correlation", term="id: (Intercept), wave").estimate * level * slope
    assert covariance == pytest.approx(out["cov"], abs=2e-3)
    assert result.effect("sd", term="residual").estimate ** 2 == pytest.approx(out["sigma2"], rel=rtol)
    assert result.fits[0].log_likelihood == pytest.approx(out["logLik_REML"], abs=1e-6)
    row = result.effect("hedges_g")
    factor = float(small_sample_factor(len(wide) - 2))
    assert row.estimate / factor == pytest.approx(-out["feingold_gma_d"], rel=rtol), "positive = improvement"
    spread = [result.effect("baseline_sd", term=f"treatment[{arm}]") for arm in ("BtheB", "TAU")]
    pooled = np.sqrt(sum((arm.n - 1) * arm.estimate**2 for arm in spread if arm.n) / (len(wide) - 2))
    assert pooled == pytest.approx(out["sd_pre_pooled"], rel=rtol)
