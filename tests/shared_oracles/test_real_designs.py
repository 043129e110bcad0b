"""Designs on real data against R: numbers of `tests/reference/real_designs.R`; data that we may not pass on."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from sweval.models.cluster_robust import ClusterRobust
from sweval.models.cluster_trial import ClusterTrial
from sweval.models.pre_post import PrePost
from sweval.models.two_group import TwoGroup
from sweval.result import Result

ORACLES = Path(__file__).resolve().parents[3] / "shared" / "oracles"
R = json.loads((Path(__file__).parents[1] / "reference" / "real_designs.json").read_text())


def same(result: Result, expected: dict, terms: dict[str, str]) -> None:
    """Compare each coefficient: estimates 1e-9, standard errors and df 1e-8 (R prints 15 digits)."""
    for name, term in terms.items():
        k, row = expected["terms"].index(name), result.effect("coefficient", term=term)
        assert row.estimate == pytest.approx(expected["estimate"][k], rel=1e-9)
        assert row.std_error == pytest.approx(expected["std_error"][k], rel=1e-8)
        assert row.df == pytest.approx(expected["df"][k], rel=1e-8)
        assert row.statistic == pytest.approx(expected["statistic"][k], rel=1e-8)
        assert row.p_value == pytest.approx(expected["p_value"][k], rel=1e-7)


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(ORACLES / "data" / name)


def test_beat_the_blues() -> None:
    expected, frame = R["beat_the_blues"], read("HSAUR3__BtheB.csv")
    arms = {"arm": "treatment", "treated": "BtheB", "control": "TAU"}
    result = TwoGroup(**arms, baseline="bdi.pre").fit(frame, "bdi.2m", better="lower")
    terms = {"(Intercept)": "(Intercept)", "armBtheB": "treatment[BtheB]"}
    same(result, expected["fit"], terms | {"bdi_pre": "bdi.pre"})
    same(TwoGroup(**arms).fit(frame, "bdi.2m", better="lower"), expected["post_only"], terms)
    gain = PrePost(pre="bdi.pre", **arms).fit(frame, "bdi.2m", better="lower")
    same(gain, expected["gain"], terms)
    fit, effect = result.fits[0], result.effect("hedges_g")
    assert (fit.rows, fit.used, fit.dropped) == (100, 97, 3)
    assert any(note.startswith('3 rows without a value in "bdi.2m" were left out') for note in result.notes)
    kappa = expected["fit"]["std_error"][1] / expected["pooled_sd"]
    assert effect.weight_variance == pytest.approx(kappa**2, rel=1e-8)
    assert effect.estimate > 0
    alone = PrePost(pre="bdi.pre").fit(frame, "bdi.2m", better="lower").effect("coefficient")
    paired = expected["paired"]
    assert (alone.estimate, alone.statistic, alone.df, alone.p_value) == pytest.approx(
        (paired["estimate"], paired["statistic"], paired["df"], paired["p_value"]), rel=1e-8
    )


def test_jobs() -> None:
    expected, frame = R["jobs"], read("jobs2.csv")
    arms = {"arm": "treat", "treated": 1, "control": 0, "baseline": "depress1"}
    terms = {"(Intercept)": "(Intercept)", "treat": "treat[1]", "depress1": "depress1"}
    result = TwoGroup(**arms).fit(frame, "depress2", better="lower")
    same(result, expected["fit"], terms)
    same(
        TwoGroup(**arms, covariates=["age", "econ_hard"]).fit(frame, "depress2", better="lower"),
        expected["covariates"],
        terms | {"age": "age", "econ_hard": "econ_hard"},
    )
    assert result.fits[0].used == 899


def searched(result: Result, expected: dict, terms: dict[str, str]) -> None:
    """Compare a mixed model: lme4's search ends some 1e-7 from the optimum, lmerTest's df stand on differences."""
    for name, term in terms.items():
        k, row = expected["terms"].index(name), result.effect("coefficient", term=term)
        for field, digits in (("estimate", 1e-6), ("std_error", 1e-6), ("df", 1e-4), ("statistic", 1e-6)):
            assert getattr(row, field) == pytest.approx(expected[field][k], rel=digits), (term, field)
    assert result.fits[0].log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-8)


def test_achievement_awards() -> None:
    expected, frame = R["achievement_awards"], read("clubSandwich__AchievementAwards2001.csv")
    trial = {"arm": "treated", "treated": 1, "control": 0, "cluster": "school_id"}
    terms = {"(Intercept)": "(Intercept)", "treated": "treated[1]"}
    adjusted = ClusterTrial(**trial, baseline="lagscore").fit(frame, "awarded", better="higher")
    searched(adjusted, expected["mixed"], terms | {"lagscore": "lagscore"})
    alone = ClusterTrial(**trial).fit(frame, "awarded", better="higher")
    searched(alone, expected["mixed_unadjusted"], terms)
    for result, key in ((adjusted, "fit"), (alone, "unadjusted")):
        row, wanted = result.effect("coefficient_cr2"), expected[key]
        assert (row.estimate, row.std_error, row.df, row.p_value) == pytest.approx(
            tuple(wanted[field][1] for field in ("estimate", "std_error", "df", "p_value")), rel=1e-7
        )
    between, within = expected["mixed_unadjusted"]["variances"]
    assert adjusted.effect("icc").estimate == pytest.approx(between / (between + within), rel=1e-6)
    assert adjusted.effect("hedges_g").clusters == 39
    slopes = {"treated": "treated", "lagscore": "lagscore", "sexGirl": "sex[Girl]", "(Intercept)": "(Intercept)"}
    for cluster, kind, key in (
        ("school_id", "CR2", "open_model"),
        ("school_id", "CR3", "open_model_cr3"),
        ("pair", "CR2", "open_model_by_pair"),
    ):
        model = ClusterRobust(fixed="treated + lagscore + sex", cluster=cluster, kind=kind)
        same(model.fit(frame, "awarded"), expected[key], slopes)
    joint = ClusterRobust(fixed="treated + lagscore + sex", cluster="school_id").fit(frame, "awarded").effect("wald")
    wanted = expected["all_slopes"]
    assert (joint.estimate, joint.df, joint.p_value) == pytest.approx(
        (wanted["statistic"], wanted["df_denominator"], wanted["p_value"]), rel=1e-7
    )


EFFECTS = {entry["id"]: entry for entry in json.loads((ORACLES / "effects.json").read_text())["fixtures"]}


def test_difference_in_differences_with_state_and_year_effects() -> None:
    """Fixture did_mortality_cr2 (clubSandwich 0.6.0, rtol 1e-9): 50 states x 14 years, a dummy for each."""
    fixture = EFFECTS["did_mortality_cr2"]
    frame = read(fixture["inputs"]["csv"])
    frame = frame[(frame.cause == "Motor Vehicle") & frame.beertaxa.notna()].reset_index(drop=True)
    model = ClusterRobust(
        fixed="state + year + legal + beertaxa", cluster="state", reference={"state": 1, "year": 1970}
    )
    result = model.fit(frame, "mrate")
    for k, term in enumerate(fixture["outputs"]["term"]):
        row = result.effect("coefficient", term=term)
        for field, key in (("estimate", "beta"), ("std_error", "SE"), ("df", "df"), ("p_value", "p")):
            assert getattr(row, field) == pytest.approx(fixture["outputs"][key][k], rel=fixture["rtol"])


def test_awards_by_randomisation_pair() -> None:
    """Fixture crt_awards_cr2_pair (clubSandwich 0.6.0, rtol 1e-9)."""
    fixture = EFFECTS["crt_awards_cr2_pair"]
    model = ClusterRobust(fixed="treated + lagscore + sex", cluster="pair")
    result = model.fit(read(fixture["inputs"]["csv"]), "awarded")
    for k, term in enumerate(("(Intercept)", "treated", "lagscore", "sex[Girl]")):
        row = result.effect("coefficient", term=term)
        for field, key in (("estimate", "beta"), ("std_error", "SE"), ("df", "df"), ("p_value", "p")):
            assert getattr(row, field) == pytest.approx(fixture["outputs"][key][k], rel=fixture["rtol"])


def test_girls_of_the_achievement_awards() -> None:
    """Entry crt_lmm (lmerTest 3.1.3), at its tolerance."""
    entries = json.loads((ORACLES / "levels.json").read_text())["entries"]
    (entry,) = [entry for entry in entries if entry["id"] == "crt_lmm"]
    trial = ClusterTrial(arm="treated", treated=1, control=0, cluster="school_id", covariates="mother_ed")
    result = trial.fit(read("achievement_awards_girls.csv"), "Bagrut_status", better="higher")
    wanted = entry["values"]
    for k, term in enumerate(("(Intercept)", "treated[1]", "mother_ed")):
        row = result.effect("coefficient", term=term)
        assert (row.estimate, row.std_error, row.df, row.p_value) == pytest.approx(
            tuple(wanted[field][k] for field in ("est", "se", "df_satt", "p_satt")), rel=1e-4
        )
    sds = [result.effect("sd", term=term).estimate for term in ("school_id: (Intercept)", "residual")]
    assert [sd**2 for sd in sds] == pytest.approx(wanted["vcov"], rel=1e-4)
    assert -2 * result.fits[0].log_likelihood == pytest.approx(wanted["reml"], rel=1e-7)
