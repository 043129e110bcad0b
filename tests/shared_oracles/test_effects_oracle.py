"""Effects on real data and of published packages; data and inputs that we may not pass on.

Where a package does something else on purpose or by mistake (an extra J in the limits, an approximate J, cut-off b with
the clinical standard deviation) the test takes its number back to the definition and says so.
"""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sweval as sw
from sweval.effects import summaries
from sweval.effects.clustered import cluster_factors
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


def test_two_groups_of_beat_the_blues() -> None:
    """effectsize's g and d; its limits for g carry an extra J, ours do not."""
    i, out, rtol = get("es_g_btheb")
    row = sw.effects.hedges_g(i["treatment"], i["control"])
    j = float(small_sample_factor(row.df))
    assert [row.estimate, row.conf_low * j, row.conf_high * j] == pytest.approx(
        [out["Hedges_g"], out["CI_low"], out["CI_high"]], rel=rtol
    )
    _, d, _ = get("es_d_btheb")
    assert [row.estimate / j, row.conf_low, row.conf_high] == pytest.approx(
        [d["Cohens_d"], d["CI_low"], d["CI_high"]], rel=rtol
    )
    _, narrow, _ = get("es_g90_btheb")
    row = sw.effects.hedges_g(i["treatment"], i["control"], conf_level=0.9)
    assert [row.conf_low * j, row.conf_high * j] == pytest.approx([narrow["CI_low"], narrow["CI_high"]], rel=rtol)
    _, welch, _ = get("es_d_welch_btheb")
    t, c = i["treatment"], i["control"]
    found = summaries.heteroscedastic(
        t.mean() - c.mean(), sd_treated=t.std(ddof=1), n_treated=len(t), sd_control=c.std(ddof=1), n_control=len(c)
    )
    assert [float(found.d), float(found.conf_low), float(found.conf_high)] == pytest.approx(
        [welch["Cohens_d"], welch["CI_low"], welch["CI_high"]], rel=rtol
    )


def test_change_of_beat_the_blues() -> None:
    i, out, rtol = get("es_rmd_b_btheb")  # effectsize divides by its second argument's sd, here the one after
    row = sw.effects.pre_post(i["post"], i["pre"], better="higher")
    assert row.estimate == pytest.approx(out["Beckers_d"], rel=rtol)


def test_adjusted_difference_of_beat_the_blues() -> None:
    """Our functions turn the ingredients that R printed into the adjusted effect."""
    _, out, rtol = get("anc_btheb")
    n_control, n_treated = out["n"]
    nu = n_control + n_treated - 2
    sd_control, sd_treated = out["sd_post"]
    sd = float(summaries.pooled_sd(sd_treated, n_treated, sd_control, n_control))
    row = sw.effects.hedges_g_adjusted(out["b"], std_error=out["se"], df=out["df"], sd=sd, nu=nu, better="lower")
    assert row.estimate == pytest.approx(-out["b"] / sd * float(small_sample_factor(nu)), rel=rtol)
    assert row.statistic == pytest.approx(-out["b"] / out["se"], rel=rtol)
    frame = pd.read_csv(ORACLES / "data" / "HSAUR3__BtheB.csv")
    fitted = sw.TwoGroup(arm="treatment", treated="BtheB", control="TAU", baseline="bdi.pre").fit(
        frame, "bdi.2m", better="lower"
    )
    same = fitted.effect("hedges_g")
    for field in ("estimate", "std_error", "conf_low", "conf_high", "df", "p_value"):
        assert getattr(same, field) == pytest.approx(getattr(row, field), rel=1e-9)


@pytest.mark.parametrize("name", ["esc_SMD_normand", "esc_SMD_LS_furukawa"])
def test_hedges_g_of_published_trials(name: str) -> None:
    i, out, rtol = get(name)
    found = summaries.two_groups(
        i["m1"] - i["m2"], sd_treated=i["sd1"], n_treated=i["n1"], sd_control=i["sd2"], n_control=i["n2"]
    )
    assert found.g == pytest.approx(np.array(out["yi"]), rel=rtol, abs=1e-12)
    assert found.weight_variance + found.g**2 / (2 * (i["n1"] + i["n2"])) == pytest.approx(
        np.array(out["vi"]), rel=rtol
    )


def test_glass_delta_of_published_trials() -> None:
    i, out, rtol = get("esc_SMD1_normand")
    found = summaries.glass(
        i["m1"] - i["m2"], sd_treated=i["sd1"], n_treated=i["n1"], sd_control=i["sd2"], n_control=i["n2"]
    )
    assert found.g == pytest.approx(np.array(out["yi"]), rel=rtol)


def test_g_from_means_of_esc_but_for_its_approximate_j() -> None:
    i, out, rtol = get("esc_mean_sd_g")
    found = summaries.two_groups(
        i["g1m"] - i["g2m"], sd_treated=i["g1s"], n_treated=i["g1n"], sd_control=i["g2s"], n_control=i["g2n"]
    )
    approximate = 1 - 3 / (4 * (i["g1n"] + i["g2n"]) - 9)
    assert float(found.d) * approximate == pytest.approx(out["es"], rel=rtol)
    assert float(found.g) == pytest.approx(out["es"], rel=1e-4)


def test_effects_of_change_of_morris_2008() -> None:
    i, out, rtol = get("esc_SMCRH_morrisT")
    change = i["m_post"] - i["m_pre"]
    found = summaries.pre_post(change, sd_pre=i["sd_post"], n=i["ni"], correlation=i["ri"])
    assert found.g == pytest.approx(np.array(out["yi"]), rel=rtol)  # the fixture's first sd is the one after
    i, out, rtol = get("esc_dppc2_morris")
    both = summaries.pre_post_control(
        (i["T_m_post"] - i["T_m_pre"]) - (i["C_m_post"] - i["C_m_pre"]),
        sd_pre_treated=i["T_sd_pre"], n_treated=i["T_ni"], sd_pre_control=i["C_sd_pre"], n_control=i["C_ni"],
        correlation=i["T_ri"],
    )  # fmt: skip
    assert both.g == pytest.approx(np.array(out["yi"]), rel=rtol)
    assert both.variance == pytest.approx(np.array(out["vi"]), rel=rtol)
    assert small_sample_factor(both.nu) == pytest.approx(np.array(out["J"]), rel=rtol)
    i, out, rtol = get("esc_dppc1_morris")
    parts = [
        summaries.pre_post(
            i[f"{a}_m_post"] - i[f"{a}_m_pre"], sd_pre=i[f"{a}_sd_pre"], n=i[f"{a}_ni"], correlation=i[f"{a}_ri"]
        )
        for a in "TC"
    ]
    assert parts[0].g - parts[1].g == pytest.approx(np.array(out["yi"]), rel=rtol)


def exam() -> tuple[list[int], list[int]]:
    """Return cluster sizes of the treated and the control arm."""
    with (ORACLES / "data" / "mlmRev__Exam_arm.csv").open(encoding="utf-8") as file:
        counts = Counter((row["school"], row["arm"]) for row in csv.DictReader(file))
    sizes: dict[str, list[int]] = {"1": [], "0": []}
    for (_, arm), n in counts.items():
        sizes[arm].append(n)
    return sizes["1"], sizes["0"]


@pytest.mark.parametrize("name", ["crt_dW_exam", "crt_awards_dW"])
def test_within_cluster_effect_of_hedges_2007(name: str) -> None:
    """eefAnalytics: d_W with V = kappa^2 + d^2/(2(N - M)), no J, 1.96."""
    i, out, rtol = get(name)
    treated, control = exam() if name == "crt_dW_exam" else (i["n_T"], i["n_C"])
    row = sw.effects.clustered_g(
        i["mean_difference"], sd=i["S_W"], sizes_treated=treated, sizes_control=control, icc=i["icc"], scale="within"
    )
    nu = row.df
    d = row.estimate / float(small_sample_factor(nu))
    half = 1.96 * math.sqrt(row.weight_variance + d**2 / (2 * nu))
    assert nu == sum(treated) + sum(control) - len(treated) - len(control)
    assert [d, d - half, d + half] == pytest.approx([out["g"], out["LB"], out["UB"]], rel=rtol)


def test_total_effect_of_the_achievement_awards() -> None:
    """eefAnalytics with the ordinary S_T: c and kappa^2 of Hedges (2007), unequal sizes, 1.96, no J.

    Its second variance term is c^2 d^2/(2h), where the delta method gives d^2/(2h): 2 % of a term that is itself 0.1 %
    of the variance.
    """
    i, out, rtol = get("crt_awards_dT")
    factors = cluster_factors(i["n_T"], i["n_C"], icc=i["icc"])
    row = sw.effects.clustered_g(
        i["mean_difference"], sd=i["S_T"], sizes_treated=i["n_T"], sizes_control=i["n_C"], icc=i["icc"]
    )
    d = row.estimate / float(small_sample_factor(factors.nu))
    half = 1.96 * math.sqrt(factors.kappa_squared + factors.c**2 * d**2 / (2 * factors.nu))
    assert [d, d - half, d + half] == pytest.approx([out["g"], out["LB"], out["UB"]], rel=rtol)


def test_variances_corrected_for_clusters() -> None:
    i, out, rtol = get("crt_pomade")
    found = sw.effects.corrected_variance(i["v"], mean_size=i["n"], icc=i["icc"])
    assert found == pytest.approx(np.array(out["value"]), rel=rtol)


def test_factors_of_partially_nested_trials() -> None:
    i, out, rtol = get("pn_gamma")
    found = sw.effects.partially_nested_factors(n_treated=i["NT"], n_control=i["NC"], group_size=i["n"], icc=i["icc"])
    assert found.c == pytest.approx(np.array(out["value"]), rel=rtol)
    _, out, rtol = get("pn_df")
    assert found.nu == pytest.approx(np.array(out["value"]), rel=rtol)


@pytest.mark.parametrize("name", [name for name in FIXTURES if name.startswith("pn_vg_")])
def test_variances_of_partially_nested_trials(name: str) -> None:
    """VIVECampbell: V = first term * adjustment + g^2/(2 df), with the df it printed.

    With `cluster_adj` the standard error knew of the groups and is scaled by c^2; without it by the design effect.
    """
    i, out, rtol = get(name)
    found = sw.effects.partially_nested_factors(
        n_treated=i["N_cl_grp"], n_control=i["N_ind_grp"], group_size=i["avg_grp_size"], icc=i["ICC"]
    )
    adjustment = float(found.c) ** 2 if i["cluster_adj"] else float(found.inflation)
    assert float(found.nu) == pytest.approx(out["h"], rel=rtol)
    assert adjustment == pytest.approx(out["adj_value"], rel=rtol)
    kappa_squared = out["var_term1"] * adjustment
    assert kappa_squared == pytest.approx(out["Wgt"], rel=rtol)
    assert kappa_squared + i["g"] ** 2 / (2 * out["df"]) == pytest.approx(out["vgt"], rel=rtol)
