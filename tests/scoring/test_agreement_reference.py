"""Agreement against R's psych, irr, multilevel and statsmodels (numbers and scripts in tests/reference/agreement)."""

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
from sweval.scoring import agreement_teams as teams
from sweval.scoring.agreement_chance import agreement_weights

REFERENCE = Path(__file__).parents[1] / "reference" / "agreement"
FIXTURES: dict[str, Any] = json.loads((REFERENCE / "fixtures.json").read_text(encoding="utf-8"))
R: dict[str, Any] = json.loads((REFERENCE / "agreement.json").read_text(encoding="utf-8"))
SETS = (1, 2, 3, 4)
ITEMS = ["q1", "q2", "q3", "q4"]
EXACT = {"rel": 1e-10, "abs": 1e-12}  # The same closed formula in double precision; R printed 15 digits.


def fixture(name: str) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the printed numbers and the tolerance that they were stored with."""
    entry = FIXTURES[name]
    return entry["outputs"], {"rel": entry["rtol"], "abs": entry["atol"]}


def data(name: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCE / f"{name}.csv")


def of_units(result: sw.Result, measure: str) -> list[float]:
    return [row.estimate for row in result.estimates if row.measure == measure and row.term.startswith("team[")]


@pytest.mark.parametrize("number", SETS)
def test_six_intraclass_correlations_of_psych(number: int) -> None:
    frame = data(f"ratings_{number}")
    printed, near = fixture(f"ratings_{number}_icc")
    raters = [name for name in frame if name != "target"]
    result = sw.agreement(frame, raters=raters, kind="icc")
    rows = [result.effect(f"icc_{form}_{count}") for count in "1k" for form in "123"]
    for field, key in {
        "estimate": "icc", "conf_low": "lower", "conf_high": "upper", "statistic": "F", "df": "df2", "p_value": "p",
    }.items():  # fmt: skip
        assert [getattr(row, field) for row in rows] == pytest.approx(printed[key], **near)
    assert {(row.n, row.null, row.outcome) for row in rows} == {(len(frame), 0.0, ", ".join(raters))}
    narrower = sw.agreement(frame, raters=raters, kind="icc", conf_level=0.9)
    rows = [narrower.effect(f"icc_{form}_{count}") for count in "1k" for form in "123"]
    assert [row.conf_low for row in rows] == pytest.approx(R["icc_90"][f"ratings_{number}"]["low"], rel=1e-8, abs=1e-10)
    assert [row.conf_high for row in rows] == pytest.approx(R["icc_90"][f"ratings_{number}"]["high"], rel=1e-8)


@pytest.mark.parametrize("number", SETS)
def test_mcgraw_and_wong_forms_of_irr(number: int) -> None:
    frame = data(f"ratings_{number}")
    printed, near = fixture(f"ratings_{number}_icc_irr")
    result = sw.agreement(frame, raters=[name for name in frame if name != "target"], kind="icc")
    for key, measure in {
        "agreement_single": "icc_2_1", "consistency_single": "icc_3_1", "consistency_average": "icc_3_k",
    }.items():  # fmt: skip
        row, own = result.effect(measure), printed[key]
        assert (row.estimate, row.conf_low, row.conf_high, row.statistic) == pytest.approx(
            (own["value"], own["lower"], own["upper"], own["F"]), **near
        )
    # irr tests absolute agreement at the df of its interval; ours is the exact F test, so only the df are compared.
    ms = icc.mean_squares(frame.drop(columns="target").to_numpy(dtype=float))
    df = icc.agreement_df(ms, result.effect("icc_2_1").estimate)
    assert df == pytest.approx(printed["agreement_single"]["df2"], **near)
    p_value = special.fdtrc(ms.n - 1, df, ms.units / ms.error)
    assert p_value == pytest.approx(printed["agreement_single"]["p"], **near)


@pytest.mark.parametrize("number", SETS)
def test_kappas_of_irr_and_their_tests(number: int) -> None:
    frame = data(f"raters_{number}")
    printed, near = fixture(f"raters_{number}_kappa")
    result = sw.agreement(frame, raters=["r1", "r2"], kind="kappa")
    row = result.effect("kappa")
    found = (row.estimate, row.statistic, row.p_value, result.effect("percent_agreement").estimate)
    assert found == pytest.approx(
        (printed["kappa"], printed["z_kappa"], printed["p_kappa"], printed["percent_agreement"]), **near
    )
    assert (row.n, row.null, row.df) == (len(frame), 0.0, len(frame) - 1)
    weighted = sw.agreement(frame, raters=["r1", "r2"], kind="weighted_kappa")
    assert weighted.effect("kappa_linear").estimate == pytest.approx(printed["kappa_linear"], **near)
    assert weighted.effect("kappa_quadratic").estimate == pytest.approx(printed["kappa_quadratic"], **near)


@pytest.mark.parametrize("number", SETS)
def test_large_sample_variance_of_kappa_of_psych(number: int) -> None:
    printed, near = fixture(f"raters_{number}_kappa_psych")
    row = sw.agreement(data(f"raters_{number}"), raters=["r1", "r2"], kind="kappa").effect("kappa")
    assert row.std_error is not None
    assert row.std_error**2 == pytest.approx(printed["var_kappa"], **near)
    half = special.ndtri(0.975) * row.std_error  # psych's interval; ours is on Fisher's z with the jackknife
    assert (row.estimate - half, row.estimate + half) == pytest.approx(tuple(printed["ci_kappa"]), **near)
    weighted = sw.agreement(data(f"raters_{number}"), raters=["r1", "r2"], kind="weighted_kappa")
    assert weighted.effect("kappa_quadratic").estimate == pytest.approx(printed["weighted_kappa"], **near)


@pytest.mark.parametrize("number", SETS)
@pytest.mark.parametrize(("kind", "theirs"), [("linear", "linear"), ("quadratic", "quadratic"), ("unweighted", None)])
def test_statsmodels_gives_the_same_variances(number: int, kind: str, theirs: str | None) -> None:
    """Another program's code for Fleiss, Cohen and Everitt (1969), also for weights, where psych's is wrong."""
    from statsmodels.stats.inter_rater import cohens_kappa

    frame = data(f"raters_{number}")
    table = pd.crosstab(frame["r1"], frame["r2"]).to_numpy(dtype=float)
    found = cohens_kappa(table, wt=theirs)
    weights, n = agreement_weights(np.arange(1.0, len(table) + 1), kind), table.sum()
    assert spread.kappa_variance(table / n, weights) / n == pytest.approx(found.var_kappa, rel=1e-9)
    assert spread.kappa_null_variance(table / n, weights) / n == pytest.approx(found.var_kappa0, rel=1e-9)


@pytest.mark.parametrize("number", SETS)
def test_statsmodels_gives_the_same_fleiss_kappa_and_symmetry(number: int) -> None:
    from statsmodels.stats.contingency_tables import SquareTable
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    frame = data(f"raters_{number}")
    counts, _ = aggregate_raters(frame.to_numpy())
    found = sw.agreement(frame, raters=["r1", "r2"], kind="fleiss").effect("fleiss_kappa")
    assert found.estimate == pytest.approx(fleiss_kappa(counts), **EXACT)
    row = sw.agreement(frame, raters=["r1", "r2"], kind="kappa").effect("marginal_homogeneity")
    test = SquareTable(pd.crosstab(frame["r1"], frame["r2"]), shift_zeros=False).homogeneity()
    assert (row.statistic, row.df, row.p_value) == pytest.approx((test.statistic, test.df, test.pvalue), rel=1e-9)


@pytest.mark.parametrize("number", SETS)
def test_rwg_of_multilevel(number: int) -> None:
    frame = data(f"teams_{number}")
    printed, near = fixture(f"teams_{number}_rwg")
    result = sw.agreement(frame, ratings="q1", unit="team", scale=(1, 5), kind="rwg")
    assert of_units(result, "rwg") == pytest.approx(printed["rwg"], **near)
    rows = [row for row in result.estimates if row.measure == "rwg" and row.term.startswith("team[")]
    assert [(row.term, row.n) for row in rows] == [
        (f"team[{name}]", size) for name, size in zip(printed["group"], printed["size"], strict=True)
    ]
    own = R[f"teams_{number}"]
    assert of_units(result, "rwg_slightly_skewed") == pytest.approx(own["rwg_skewed"], **EXACT)
    assert of_units(result, "awg") == pytest.approx([value for value in own["awg_q1"] if value is not None], **EXACT)


@pytest.mark.parametrize("number", SETS)
def test_rwg_j_and_its_kin_of_multilevel(number: int) -> None:
    frame = data(f"teams_{number}")
    printed, near = fixture(f"teams_{number}_rwgj")
    result = sw.agreement(frame, ratings=ITEMS, unit="team", scale=(1, 5), kind="rwg")
    assert of_units(result, "rwg_j") == pytest.approx(printed["rwgj"], **near)
    assert result.effect("mean_rwg_j").estimate == pytest.approx(printed["mean"], **near)
    assert result.effect("median_rwg_j").estimate == pytest.approx(printed["median"], **near)
    own = R[f"teams_{number}"]
    for measure, key in {
        "rwg_j_slightly_skewed": "rwg_j_skewed", "rwg_star_j": "rwg_star_j", "awg": "awg", "ad_mean": "ad_mean",
        "ad_median": "ad_median",
    }.items():  # fmt: skip
        assert of_units(result, measure) == pytest.approx([value for value in own[key] if value is not None], **EXACT)


@pytest.mark.parametrize("number", SETS)
def test_icc_1_and_icc_2_of_multilevel(number: int) -> None:
    frame = data(f"teams_{number}")
    printed, near = fixture(f"teams_{number}_icc12")
    result = sw.agreement(frame, ratings=ITEMS, unit="team", scale=(1, 5), kind="rwg")
    one, two = result.effect("icc_1"), result.effect("icc_2")
    assert (one.estimate, two.estimate) == pytest.approx((printed["icc1"], printed["icc2"]), **near)
    assert (one.statistic, one.df, one.p_value) == pytest.approx((printed["F"], printed["df2"], printed["p"]), **near)
    assert (one.n, one.clusters) == (len(frame), frame["team"].nunique())


def test_multilevel_agrees_where_members_agree_fully_or_sit_at_an_end() -> None:
    edge = R["edge"]
    frame = pd.DataFrame(edge["data"])
    found = teams.spread_of_units(frame[["q1", "q2"]].to_numpy(dtype=float), frame["team"].to_numpy() - 1)
    values = {
        "rwg_j": teams.rwg(found.variances, 2.0), "rwg_star_j": teams.rwg_star(found.variances, 2.0),
        "awg": teams.awg(found, 1, 5), "ad_mean": found.about_mean.mean(axis=1),
        "ad_median": found.about_median.mean(axis=1),
    }  # fmt: skip
    for key, value in values.items():
        printed = [np.nan if number is None else number for number in edge[key]]
        assert value == pytest.approx(printed, **EXACT, nan_ok=True), key


def test_every_fixture_is_tested() -> None:
    """28 of 32 agreement fixtures lie here; the other four are alphas, in tests/reference/reliability."""
    kinds = {"icc", "icc_irr", "rwg", "rwgj", "icc12", "kappa", "kappa_psych"}
    assert {name.split("_", 2)[2] for name in FIXTURES} == kinds
    assert len(FIXTURES) == len(kinds) * len(SETS)
