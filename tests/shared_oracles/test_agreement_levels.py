"""Agreement on real ratings and teams against irr, irrCAC, psych and multilevel: `levels.json`, at its tolerance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

import sweval as sw
from sweval.scoring import agreement_icc as icc
from sweval.scoring import agreement_spread as spread
from sweval.scoring.agreement_chance import agreement_weights

ORACLES = Path(__file__).resolve().parents[3] / "shared" / "oracles"
ENTRIES = {entry["id"]: entry for entry in json.loads((ORACLES / "levels.json").read_text())["entries"]}
NEAR = {"rel": 1e-6}
LEAD = [f"LEAD{number:02d}" for number in range(1, 12)]


def entry(name: str) -> tuple[dict[str, Any], pd.DataFrame]:
    found = ENTRIES[name]
    return found["values"], pd.read_csv(ORACLES / "data" / f"{found['data']}.csv")


@pytest.mark.parametrize(
    ("name", "measure"),
    [("icc_two_con_ave", "icc_3_k"), ("icc_two_agr_sin", "icc_2_1"), ("icc_two_con_sin", "icc_3_1")],
)
def test_intraclass_correlations(name: str, measure: str) -> None:
    values, frame = entry(name)
    row = sw.agreement(frame, raters=list(frame), kind="icc").effect(measure)
    found = (row.estimate, row.statistic, row.conf_low, row.conf_high)
    assert found == pytest.approx((values["icc"], values["F"], values["lower"], values["upper"]), **NEAR)
    ms = icc.mean_squares(frame.to_numpy(dtype=float))
    df2 = icc.agreement_df(ms, row.estimate) if measure == "icc_2_1" else row.df  # irr tests at the df of the interval
    assert df2 == pytest.approx(values["df2"], **NEAR)
    assert special.fdtrc(values["df1"], df2, row.statistic) == pytest.approx(values["p"], **NEAR)


def test_absolute_agreement_of_means() -> None:
    """irr puts ICC(A,k) where the df belong to ICC(A,1), so its limits are reached from its df; ours are psych's."""
    values, frame = entry("icc_two_agr_ave")
    row = sw.agreement(frame, raters=list(frame), kind="icc").effect("icc_2_k")
    assert (row.estimate, row.statistic) == pytest.approx((values["icc"], values["F"]), **NEAR)
    ms = icc.mean_squares(frame.to_numpy(dtype=float))
    df = icc.agreement_df(ms, row.estimate)
    limits = [icc.step_up(limit, ms.k) for limit in icc.agreement_limits(ms, df, 0.95)]
    assert (df, *limits) == pytest.approx((values["df2"], values["lower"], values["upper"]), **NEAR)
    assert special.fdtrc(values["df1"], df, row.statistic) == pytest.approx(values["p"], **NEAR)


def test_one_way_correlation_of_couples() -> None:
    values, frame = entry("dyad_icc")
    row = sw.agreement(_long(frame), unit="couple", ratings="satisfaction", kind="icc").effect("icc_1_1")
    assert (row.estimate, row.statistic, row.df, row.p_value) == pytest.approx(
        (values["icc"], values["F"], values["df"][1], values["p_F_upper"]), **NEAR
    )


def _long(frame: pd.DataFrame) -> pd.DataFrame:
    couple, own = next(name for name in frame if "ouple" in name), "Satisfaction_A"
    return frame.rename(columns={couple: "couple", own: "satisfaction"})[["couple", "satisfaction"]]


@pytest.mark.parametrize(
    ("name", "kind", "measure"),
    [
        ("kappa2_unweighted", "kappa", "kappa"),
        ("kappa2_equal", "weighted_kappa", "kappa_linear"),
        ("kappa2_squared", "weighted_kappa", "kappa_quadratic"),
    ],
)
def test_kappas(name: str, kind: str, measure: str) -> None:
    values, frame = entry(name)
    row = sw.agreement(frame, raters=["rater1", "rater2"], kind=kind).effect(measure)
    found = (row.estimate, row.statistic, row.p_value, row.n)
    assert found == pytest.approx((values["kappa"], values["z"], values["p"], values["n"]), **NEAR)


def test_kendall() -> None:
    values, frame = entry("kendall_w")
    row = sw.agreement(frame, raters=list(frame), kind="kendall").effect("kendall_w")
    found = (row.estimate, row.statistic, row.p_value)
    assert found == pytest.approx((values["W"], values["chisq"], values["p"]), **NEAR)


def test_gwet_ac2() -> None:
    values, frame = entry("gwet_ac2_quadratic")
    row = sw.agreement(frame, raters=list(frame), kind="gwet").effect("gwet_ac2_quadratic")
    assert (row.estimate, row.std_error) == pytest.approx((values["coeff"], values["se"]), abs=1e-5)
    assert (values["pa"] - values["pe"]) / (1 - values["pe"]) == pytest.approx(row.estimate, **NEAR)


@pytest.mark.parametrize("level", ["interval", "ratio"])
def test_krippendorff(level: str) -> None:
    values, frame = entry(f"kripp_{level}")
    row = sw.agreement(frame, raters=list(frame), kind="krippendorff").effect(f"krippendorff_alpha_{level}")
    assert row.estimate == pytest.approx(values["alpha"], **NEAR)


def test_vision_table() -> None:
    """7,477 eyes in a printed cross-table: kappa, its variance, and the marginal homogeneity test."""
    values, frame = entry("cohen_kappa_ci_vision")
    table = frame.iloc[:, 1:].to_numpy()
    right, left = np.indices(table.shape)
    eyes = pd.DataFrame({"right": np.repeat(right, table.ravel()), "left": np.repeat(left, table.ravel())})
    result = sw.agreement(eyes, raters=["right", "left"], kind="kappa")
    row = result.effect("kappa")
    assert row.std_error is not None
    assert (row.estimate, row.std_error**2) == pytest.approx((values["kappa"], values["var"]), **NEAR)
    half = special.ndtri(0.975) * row.std_error
    assert [row.estimate - half, row.estimate, row.estimate + half] == pytest.approx(values["ci"][0], **NEAR)
    assert [row.conf_low, row.conf_high] == pytest.approx(values["ci"][0][::2], abs=2e-4)  # large n: all intervals meet
    weighted = sw.agreement(eyes, raters=["right", "left"], kind="weighted_kappa").effect("kappa_quadratic")
    assert weighted.estimate == pytest.approx(values["weighted"], **NEAR)
    weights = agreement_weights(np.arange(4.0), "quadratic")  # 7.0257e-5: the delta method's; psych's is wrong here
    assert spread.kappa_variance(table / table.sum(), weights) / table.sum() == pytest.approx(7.0257e-5, rel=1e-4)
    values, _ = entry("stuart_maxwell")
    test = result.effect("marginal_homogeneity")
    assert (test.statistic, test.p_value) == pytest.approx((values["chisq"][0][0], values["p"][0][0]), **NEAR)


def test_rwg_of_one_item() -> None:
    values, frame = entry("rwg_single")
    result = sw.agreement(frame, ratings="AF06", unit="GRP", scale=(1, 5), kind="rwg")
    found = [result.effect("rwg", term=f"GRP[{name}]").estimate for name in values["group"]]
    assert found == pytest.approx(values["value"], **NEAR)
    mean = result.effect("mean_rwg")
    assert mean.estimate == pytest.approx(values["mean"], **NEAR)
    assert mean.clusters == values["n_groups"]


@pytest.mark.parametrize(
    ("name", "measure"),
    [("rwg_j_lindell", "rwg_star_j"), ("awg", "awg"), ("ad_mean", "ad_mean"), ("ad_median", "ad_median")],
)
def test_agreement_in_companies(name: str, measure: str) -> None:
    values, frame = entry(name)
    result = sw.agreement(frame, ratings=LEAD, unit="COMPID", scale=(1, 5), kind="rwg")
    found = [result.effect(measure, term=f"COMPID[{group}]").estimate for group in values["group"]]
    assert found == pytest.approx(values["value"], **NEAR)
    mean = result.effect(f"mean_{measure}")
    assert mean.estimate == pytest.approx(values["mean"], **NEAR)
    assert mean.clusters == values["n_groups"]


def test_icc_1_and_icc_2_of_companies() -> None:
    values, frame = entry("icc1_icc2_aov")
    result = sw.agreement(frame, ratings="TSIG01", unit="COMPID", scale=(1, 5), kind="rwg")
    one, two = result.effect("icc_1"), result.effect("icc_2")
    found = (one.estimate, two.estimate, one.statistic, one.df, one.p_value)
    assert found == pytest.approx((values["icc1"], values["icc2"], values["F"], values["df"][1], values["p"]), **NEAR)


def test_goal_attainment() -> None:
    values = ENTRIES["gas_t_score"]["values"]
    frame = pd.DataFrame({"a": [1], "b": [0], "c": [-1], "d": [2]})
    for key, rho in {"rho.3": 0.3, "rho0": 0.0, "rho.5": 0.5}.items():
        scored = sw.goal_attainment(frame, goals=list("abcd"), weights=[3, 2, 1, 4], rho=rho)
        assert scored["gas_t"].iloc[0] == pytest.approx(values[key], **NEAR)
