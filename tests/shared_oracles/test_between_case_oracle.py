"""Between-case effects and interrupted series on real data, whose files we may not pass on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sweval as sw
from sweval.effects.between_case import between_case_fit
from sweval.effects.between_case_by_moments import between_case_moments
from sweval.effects.between_case_data import CaseModel
from sweval.errors import DesignError
from sweval.models.engine.mixed.fit import mixed_fit
from sweval.models.engine.mixed.model import Factor
from sweval.models.engine.ols import least_squares
from sweval.models.engine.series import codes_of, series_fit

ORACLES = Path(__file__).resolve().parents[3] / "shared" / "oracles"
FIXTURES = {
    entry["id"]: entry for entry in json.loads((ORACLES / "effects.json").read_text(encoding="utf-8"))["fixtures"]
}
DATA = {
    "Laski": (None, "outcome", "treatment", "time"),
    "Saddler": ("writing quality", "outcome", "treatment", "time"),
    "AlberMorgan": (None, "outcome", "condition", "session"),
    "BartonArwood": (None, "outcome", "condition", "session"),
    "Schutte": (None, "fatigue", "treatment", "week"),
}


def frame(name: str) -> pd.DataFrame:
    return pd.read_csv(ORACLES / "data" / name)


def sessions(name: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Return outcome and the columns that place it."""
    measure, outcome, phase, time = DATA[name]
    data = frame(f"scdhlm__{name}.csv")
    if measure:
        data = data[data["measure"] == measure]
    if name == "Schutte":
        data = data[data["case"] != "Case 4"]
    return data[outcome].to_numpy(float), {"case": data["case"], "phase": data[phase], "time": data[time]}


@pytest.mark.parametrize("name", [name for name in FIXTURES if "_gmlm_ri" in name or "_gREML_" in name])
def test_restricted_likelihood_of_scdhlm(name: str) -> None:
    """g_mlm and g_REML at their 1e-4, with the approximate J that those packages use."""
    entry = FIXTURES[name]
    out, rtol = entry["outputs"], entry["rtol"]
    random = ("level", "change") if "_rs_" in name else ("level",)
    y, columns = sessions(name.rsplit("_", maxsplit=1)[-1])
    model = CaseModel(j="approximate", random=random, interval="noncentral-t")
    found = between_case_fit(y, **columns, model=model)
    effect = found.effect
    error = out["SE_g_AB"] if "SE_g_AB" in out else out["V_g_AB"] ** 0.5
    assert [float(found.numerator), float(found.total_variance), float(effect.d)] == pytest.approx(
        [out["p_beta"], out["r_theta"], out["delta_AB"]], rel=rtol
    )
    assert [float(effect.nu), float(effect.weight_variance) ** 0.5] == pytest.approx(
        [out["nu"], out["kappa"]], rel=rtol
    )
    assert [float(effect.g), float(effect.variance) ** 0.5] == pytest.approx([out["g_AB"], error], rel=rtol)
    if "CI_noncentral" in out:
        assert [float(effect.conf_low), float(effect.conf_high)] == pytest.approx(out["CI_noncentral"], rel=rtol)
        row = sw.effects.between_case_g(
            y, **columns, model=CaseModel(j="approximate", random=random, interval="symmetric")
        )
        assert [row.conf_low, row.conf_high] == pytest.approx(out["CI_symmetric"], rel=rtol)
        assert float(found.log_likelihood) == pytest.approx(out["logLik"], abs=1e-6)
    if "phi" in out:
        parts = [float(found.rho), float(found.residual_variance), float(found.level_variance)]
        assert parts == pytest.approx([out["phi"], out["sigma_sq"], out["Tau"]], rel=rtol)


@pytest.mark.parametrize("name", ["Saddler", "Laski", "Schutte"])
def test_moments_of_scdhlm(name: str) -> None:
    entry = FIXTURES[f"bcsmd_mb_hps_{name}"]
    out = entry["outputs"]
    y, columns = sessions(name)
    found = between_case_moments(y, **columns)
    effect = found.effect.with_j("approximate")
    ours = (found.mean_change, found.total_variance, effect.d, found.rho, found.within_variance, found.icc, found.theta)
    theirs = ("D_bar", "S_sq", "delta_hat_unadj", "phi", "sigma_sq_w", "rho", "theta")
    assert [float(value) for value in ours] == pytest.approx([out[key] for key in theirs], rel=entry["rtol"])
    assert [float(effect.nu), float(effect.g), float(effect.variance)] == pytest.approx(
        [out["nu"], out["delta_hat"], out["V_delta_hat"]], rel=entry["rtol"]
    )
    assert (found.sessions, found.groups) == (out["g_dotdot"], out["K"])


def test_cases_in_schools_of_bryant() -> None:
    entry = FIXTURES["bcsmd_Bryant2016_3level"]
    out, rtol = entry["outputs"], entry["rtol"]
    data = frame("lmeInfo__Bryant2016.csv")
    columns = {
        "case": data["school"] + data["case"],
        "cluster": data["school"],
        "phase": data["treatment"],
        "time": data["session"],
    }
    model = CaseModel(j="approximate", interval="noncentral-t")
    found = between_case_fit(data["outcome"], **columns, model=model)
    effect = found.effect
    assert [float(found.numerator), float(found.total_variance), float(effect.nu)] == pytest.approx(
        [out["p_beta"], out["r_theta"], out["nu"]], rel=rtol
    )
    assert [float(effect.g), float(effect.variance) ** 0.5, float(effect.weight_variance) ** 0.5] == pytest.approx(
        [out["g_AB"], out["SE_g_AB"], out["kappa"]], rel=rtol
    )
    assert [float(effect.conf_low), float(effect.conf_high)] == pytest.approx(out["CI_noncentral"], rel=rtol)
    # nlme stops 2e-7 short of the likelihood that we reach
    assert float(found.log_likelihood) == pytest.approx(out["logLik"], abs=1e-6)
    assert float(found.log_likelihood) >= out["logLik"]


def lambert() -> pd.DataFrame:
    data = frame("scdhlm__Lambert.csv")
    return data[data["measure"] == "disruptive behavior"]


def test_reversal_design_of_lambert() -> None:
    entry = FIXTURES["bcsmd_calc_Lambert_TR"]
    out, rtol = entry["outputs"], entry["rtol"]
    data = lambert()
    columns = {"case": data["case"], "phase": data["treatment"], "time": data["time"]}
    found = between_case_fit(data["outcome"], **columns, model=CaseModel(j="approximate", interval="symmetric"))
    assert [float(found.rho), float(found.icc), float(found.effect.nu)] == pytest.approx(
        [out["Auto-correlation"], out["Intra-class correlation"], out["Degrees of freedom"]], rel=rtol
    )
    effect = found.effect
    assert [float(effect.g), float(effect.variance) ** 0.5, float(effect.conf_low), float(effect.conf_high)] == (
        pytest.approx(
            [out["BC-SMD estimate"], out["Std. Error"], out["95% CI (lower)"], out["95% CI (upper)"]], rel=rtol
        )
    )


def test_two_outcomes_in_one_series_are_refused() -> None:
    """The fixture bcsmd_abk_hps_Lambert was computed on disruptive behaviour and academic responses together.

    Its every session occurs twice, so no effect of it means anything; we refuse. On one outcome the moments are held to
    their definition in `tests/effects/test_between_case.py`, and here to the likelihood.
    """
    everything = frame("scdhlm__Lambert.csv")
    with pytest.raises(DesignError, match="sessions occur twice"):
        between_case_moments(
            everything["outcome"], case=everything["case"], phase=everything["treatment"], time=everything["time"]
        )
    data = lambert()
    columns = {"case": data["case"], "phase": data["treatment"], "time": data["time"]}
    found = between_case_moments(data["outcome"], **columns)
    assert found.design == "reversal"
    other = sw.effects.between_case_g(data["outcome"], **columns)
    assert float(found.effect.g) == pytest.approx(other.estimate, rel=0.06)


def test_seat_belts() -> None:
    """`since` counts from 1 in the first month of the law. nlme's errors of maximum likelihood are wider by n/(n-p)."""
    data = frame("datasets__Seatbelts.csv")
    first = int(data.loc[data["law"] == 1, "t"].min())
    since = np.where(data["law"] == 1, data["t"] - first + 1, 0)
    months = [data["month"] == k for k in range(2, 13)]
    X = np.column_stack([np.ones(len(data)), data["t"], data["law"], since, *months]).astype(float)
    y = data["drivers"].to_numpy(float)
    entry = FIXTURES["its_seatbelt_ols"]
    line = least_squares(y, X)
    assert line.coefficients[:4] == pytest.approx(list(entry["outputs"]["b"].values()), rel=entry["rtol"])
    assert line.standard_errors()[:4] == pytest.approx(list(entry["outputs"]["se"].values()), rel=entry["rtol"])
    assert line.sigma == pytest.approx(entry["outputs"]["sigma"], rel=entry["rtol"])
    entry = FIXTURES["its_seatbelt_ar1"]
    out, rtol = entry["outputs"], entry["rtol"]
    fit = series_fit(y, X, time=data["t"], reml=False)
    errors = np.sqrt(np.diag(fit.covariance) * fit.n / (fit.n - X.shape[1]))
    assert fit.coefficients[:4] == pytest.approx(out["b"], rel=rtol)
    assert errors[:4] == pytest.approx(out["se"], rel=rtol)
    assert [fit.rho, fit.sigma, fit.log_likelihood] == pytest.approx(
        [out["phi"], out["sigma"], out["logLik"]], rel=rtol
    )


def test_piecewise_model_of_fifty_cases() -> None:
    """scan's hplm: full likelihood, a random intercept, time from each case's first session; nlme's wider errors."""
    entry = FIXTURES["scan_hplm_exampleAB_50"]
    out, rtol = entry["outputs"], entry["rtol"]
    data = frame("scan__exampleAB_50.csv")
    treated = (data["phase"] == "B").to_numpy()
    start = data.loc[treated].groupby("case")["mt"].min()
    time = data["mt"] - data["case"].map(data.groupby("case")["mt"].min())
    since = np.where(treated, data["mt"] - data["case"].map(start), 0)
    X = np.column_stack([np.ones(len(data)), time, treated, since]).astype(float)
    fit = mixed_fit(data["values"].to_numpy(), X, [Factor(codes_of(data["case"], len(data)), X[:, :1])], reml=False)
    assert fit.coefficients == pytest.approx(list(out["estimate"].values()), rel=rtol)
    wider = np.sqrt(fit.n / (fit.n - 4))
    assert np.sqrt(np.diag(fit.covariance)) * wider == pytest.approx(list(out["se"].values()), rel=rtol)
    assert fit.residual_variances[0] ** 0.5 == pytest.approx(out["sigma"], rel=rtol)
