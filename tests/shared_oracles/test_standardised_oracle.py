"""Standardised effects of real studies from metafor, effectsize, esc, VIVECampbell and lme4; inputs we may not pass on.

VIVECampbell rounds inside its chain; the fixtures come from its source with the rounding off, and are met exactly.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sweval as sw
from sweval.effects.kernel import small_sample_factor

ORACLES = Path(__file__).resolve().parents[3] / "shared" / "oracles"
FIXTURES = {
    entry["id"]: entry for entry in json.loads((ORACLES / "effects.json").read_text(encoding="utf-8"))["fixtures"]
}


def get(name: str) -> tuple[dict[str, Any], dict[str, Any], float]:
    """Return inputs (lists as arrays), outputs and relative tolerance."""
    entry = FIXTURES[name]
    inputs = {key: np.array(value) if isinstance(value, list) else value for key, value in entry["inputs"].items()}
    return inputs, entry["outputs"], entry["rtol"]


@pytest.mark.parametrize(
    ("name", "standardizer", "vtype"),
    [
        ("esc_SMD_normand", "pooled", "LS"),
        ("esc_SMD1_normand", "control", "LS"),
        ("esc_SMD_LS_furukawa", "pooled", "LS"),
        ("esc_SMD_LS2_furukawa", "pooled", "LS2"),
        ("esc_SMD_AV_furukawa", "pooled", "AV"),
    ],
)
def test_two_groups_as_metafor_prints_them(name: str, standardizer: str, vtype: str) -> None:
    i, out, rtol = get(name)
    found = sw.effects.large_sample_difference(
        i["m1"] - i["m2"], sd_treated=i["sd1"], n_treated=i["n1"], sd_control=i["sd2"], n_control=i["n2"],
        standardizer=standardizer, vtype=vtype,
    )  # fmt: skip
    assert found.estimate == pytest.approx(np.array(out["yi"]), rel=rtol, abs=1e-12)
    assert found.variance == pytest.approx(np.array(out["vi"]), rel=rtol)


@pytest.mark.parametrize(
    ("name", "standardizer", "vtype"),
    [
        ("esc_SMCC_morrisT", "change", "LS"),
        ("esc_SMCC_morrisC", "change", "LS"),
        ("esc_MC_morrisT", "raw", "LS"),
        ("esc_MC_morrisC", "raw", "LS"),
        ("esc_SMCRH_morrisT", "pretest", "H"),
    ],
)
def test_changes_as_metafor_prints_them(name: str, standardizer: str, vtype: str) -> None:
    """escalc standardises by its first standard deviation, in these calls the one after."""
    i, out, rtol = get(name)
    found = sw.effects.large_sample_change(
        i["m_post"] - i["m_pre"], sd_pre=i["sd_post"], sd_post=i["sd_pre"], n=i["ni"], correlation=i["ri"],
        standardizer=standardizer, vtype=vtype,
    )  # fmt: skip
    assert found.estimate == pytest.approx(np.array(out["yi"]), rel=rtol, abs=1e-12)
    assert found.variance == pytest.approx(np.array(out["vi"]), rel=rtol)


def test_difference_of_changes_in_own_units() -> None:
    i, out, rtol = get("esc_dppc1_morris")
    parts = [
        sw.effects.large_sample_change(
            i[f"{a}_m_post"] - i[f"{a}_m_pre"], sd_pre=i[f"{a}_sd_pre"], n=i[f"{a}_ni"], correlation=i[f"{a}_ri"]
        )
        for a in "TC"
    ]
    arms = [
        sw.effects.ArmChange(
            change=i[f"{a}_m_post"] - i[f"{a}_m_pre"], sd_pre=i[f"{a}_sd_pre"], n=i[f"{a}_ni"], correlation=i[f"{a}_ri"]
        )
        for a in "TC"
    ]
    found = sw.effects.difference_of_changes(arms[0], arms[1], variant="ppc1")
    assert found.g == pytest.approx(np.array(out["yi"]), rel=rtol)
    assert parts[0].variance + parts[1].variance == pytest.approx(np.array(out["vi"]), rel=rtol)


@pytest.mark.parametrize(("method", "standardizer"), [("av", "average"), ("b", "pretest")])
def test_repeated_measures_effects_of_beat_the_blues(method: str, standardizer: str) -> None:
    """effectsize takes x - y in units of y, here before minus after in units of after, J(n - 1), a normal interval."""
    i, out, rtol = get(f"es_rmd_{method}_btheb")
    row = sw.effects.pre_post(i["post"], i["pre"], standardizer=standardizer)
    n, r = len(i["pre"]), float(np.corrcoef(i["pre"], i["post"])[0, 1])
    nu = 2 * (n - 1) / (1 + r**2) if method == "av" else n - 1
    d, j = row.estimate / float(small_sample_factor(nu)), float(small_sample_factor(n - 1))
    square = (row.weight_variance or 0) if method == "av" else 2 * (1 - r) / n + d**2 / (2 * n)
    half = 1.959963984540054 * np.sqrt(square)
    (estimate,) = (value for key, value in out.items() if not key.startswith("CI"))
    assert [d * j, (d - half) * j, (d + half) * j] == pytest.approx([estimate, out["CI_low"], out["CI_high"]], rel=rtol)


def test_g_of_esc_with_its_approximate_j() -> None:
    i, out, rtol = get("esc_mean_sd_g")
    found = sw.effects.standardized_mean_difference(
        i["g1m"] - i["g2m"], sd_treated=i["g1s"], n_treated=i["g1n"], sd_control=i["g2s"], n_control=i["g2n"]
    )
    near = found.with_j("approximate")
    assert float(near.g) == pytest.approx(out["es"], rel=rtol)
    variance = found.weight_variance + near.g**2 / (2 * (i["g1n"] + i["g2n"]))
    assert float(variance) == pytest.approx(out["var"], rel=1e-3)  # esc takes d, times J^2, in the second term


def test_standardised_coefficient_of_esc() -> None:
    i, out, rtol = get("esc_beta_g")
    found = sw.effects.difference_from_beta(i["beta"], n_treated=i["n1"], n_control=i["n2"])
    assert float(found.d) == pytest.approx(out["es"], rel=rtol)
    variance = found.weight_variance + found.d**2 / (2 * (i["n1"] + i["n2"]))
    assert float(variance) == pytest.approx(out["var"], rel=rtol)


def first_term(i: dict[str, Any]) -> float:
    """Return kappa^2 of the analysis that VIVECampbell calls `model`, persons taken as independent."""
    sizes = 1 / i["N_cl_grp"] + 1 / i["N_ind_grp"]
    if i.get("t_val"):
        return float(i["g"] ** 2 / i["t_val"] ** 2)
    if i.get("SE"):
        return float((i["SE"] / i["SD"]) ** 2)
    if i["model"] == "DiD":
        return float(2 * (1 - i["prepost_cor"]) * sizes)
    return float((1 - i.get("R2", 0.0)) * sizes)


@pytest.mark.parametrize("name", [name for name in FIXTURES if name.startswith("pn_vg_")])
def test_variances_of_partially_nested_trials_to_the_last_digit(name: str) -> None:
    i, out, rtol = get(name)
    term = first_term(i)
    assert term == pytest.approx(out["var_term1"], rel=rtol)
    found = sw.effects.partially_nested_variance(
        i["g"], weight_variance=term, n_treated=i["N_cl_grp"], n_control=i["N_ind_grp"],
        group_size=i["avg_grp_size"], icc=i["ICC"], covariates=i.get("q", 1), groups_modelled=i["cluster_adj"],
    )  # fmt: skip
    assert float(found.df) == pytest.approx(out["df"], rel=rtol)
    assert float(found.weight_variance) == pytest.approx(out["Wgt"], rel=rtol)
    assert float(found.variance) == pytest.approx(out["vgt"], rel=rtol)
    h, variance = sw.effects.variance_stabilized(i["g"], weight_variance=found.weight_variance, df=found.df)
    assert [float(h), float(variance)] == pytest.approx([out["hg"], out["vhg"]], rel=rtol)


def test_schools_of_the_exam_data_as_lme4_fits_them() -> None:
    i, out, rtol = get("crt_icc_exam")
    frame = pd.read_csv(ORACLES / "data" / i["csv"])
    frame["arm"] = frame["arm"].astype(int)
    trial = sw.ClusterTrial(arm="arm", treated=1, control=0, cluster="school")
    result = trial.fit(frame, "normexam", better="higher")
    row = result.effect("coefficient", term="arm[1]")
    assert [row.estimate, row.std_error] == pytest.approx([out["b"][1], out["se"][1]], rel=rtol)
    assert result.effect("icc").estimate == pytest.approx(out["icc"], rel=rtol)
    assert result.fits[0].log_likelihood == pytest.approx(out["logLik"], rel=1e-8)
    assert result.effect("sd", term="school: (Intercept)").estimate ** 2 == pytest.approx(out["var_b"], rel=rtol)
    assert result.effect("sd", term="residual").estimate ** 2 == pytest.approx(out["var_w"], rel=rtol)


def test_achievement_awards_as_lme4_fits_them() -> None:
    i, out, rtol = get("crt_awards_lmer1")
    frame = pd.read_csv(ORACLES / "data" / i["csv"])
    trial = sw.ClusterTrial(arm="treated", treated=1, control=0, cluster="school_id", baseline="lagscore")
    result = trial.fit(frame, "awarded", better="higher")
    row = result.effect("coefficient", term="treated[1]")
    assert [row.estimate, row.std_error] == pytest.approx([out["b"][1], out["se"][1]], rel=rtol)
    assert result.effect("sd", term="school_id: (Intercept)").estimate ** 2 == pytest.approx(out["var_b"], rel=rtol)
    assert result.fits[0].log_likelihood == pytest.approx(out["logLik"], rel=1e-8)
