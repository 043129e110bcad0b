"""Worked examples that public scoring code printed for thirteen instruments, scored by ours.

The code was run by others; where it passes a partial sum off as a total, only scores with every item answered count.
Their `expected` uses the code's own names: `NAMES` says which of our columns each one is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sweval as sw

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "instruments" / "vectors.json"
SETS = {entry["instrument"]: entry for entry in json.loads(VECTORS.read_text(encoding="utf-8"))["vectors"]}

PRINTED_DIGITS = 0.005  # RAND-36 is printed to two decimals; all the others are whole numbers

CODINGS: dict[str, Any] = {"dast10": "keyed", "gds15": {"Y": 1, "N": 0}}

NAMES: dict[str, dict[str, str]] = {
    "phq9": {"PHQ9_SCORE": "total", "PHQ9_INTERPRETATION": "total_band"},
    "phq4": {
        "PHQ4_TOTAL_SCORE": "total",
        "PHQ4_TOTAL_SCORE_INTERPRETATION": "total_band",
        "PHQ4_ANXIETY_SCORE": "anxiety",
        "PHQ4_ANXIETY_POSITIVE_SCREENING": "anxiety_band",
        "PHQ4_DEPRESSION_SCORE": "depression",
        "PHQ4_DEPRESSION_POSITIVE_SCREENING": "depression_band",
    },
    "gad7": {"GAD7_SCORE": "total", "GAD7_INTERPRETATION": "total_band"},
    "audit": {
        "TOTAL": "total",
        "CONSUMPTION": "consumption",
        "DEPENDENCE": "dependence",
        "ALCOHOL_RELATED_PROBLEMS": "problems",
    },
    "dast10": {"DAST10_SCORE": "total", "DAST10_DEGREE_OF_PROBLEMS": "total_band"},
    "pcl5": {
        "PCL5_TOTAL_SYMPTOM_SEVERITY_SCORE": "total",
        **{f"PCL5_DSM_5_SYMPTOM_CLUSTER_{cluster}": cluster for cluster in "BCDE"},
    },
    "rand36": {
        "PHYSICAL_FUNCTIONING": "physical_functioning",
        "ROLE_LIMITATIONS_PHYSICAL_HEALTH": "role_physical",
        "ROLE_LIMITATIONS_EMOTIONAL_PROBLEMS": "role_emotional",
        "ENERGY_FATIGUE": "energy",
        "EMOTIONAL_WELLBEING": "emotional_wellbeing",
        "SOCIAL_FUNCTIONING": "social",
        "PAIN": "pain",
        "GENERAL_HEALTH": "general_health",
    },
    "cesd20": {"total": "total", "has_depression_risk": "total_band"},
    "gds15": {"total": "total"},
    "wsas": {"total": "total"},
    "pss10": {"PSS_Helpless": "helplessness", "PSS_SelfEff": "self_efficacy", "PSS_Total": "total"},
    "rses": {"RSE": "total"},
    "olbi": {"exhaustion": "exhaustion", "disengagement": "disengagement"},
}
NOT_OURS = {"PCL5_PTSS_INDICATION", "max_score"}  # a diagnosis by cluster counts; the highest possible total

BANDS: dict[str, dict[str | bool, str]] = {
    "phq9": {
        "None/minimal depression": "none-minimal",
        "Mild depression": "mild",
        "Moderate depression": "moderate",
        "Moderately severe depression": "moderately severe",
        "Severe depression": "severe",
    },
    "phq4": {
        "Normal": "normal",
        "Mild": "mild",
        "Moderate": "moderate",
        "Severe": "severe",
        True: "positive screen",
        False: "negative screen",
    },
    "gad7": {
        "No anxiety": "minimal",
        "Mild anxiety": "mild",
        "Moderate anxiety": "moderate",
        "Severe anxiety": "severe",
    },
    "dast10": {
        "No problems reported": "none",
        "Low level": "low",
        "Moderate level": "moderate",
        "Substantial level": "substantial",
        "Severe level": "severe",
    },
    "cesd20": {True: "at risk", False: "below cut-off"},
}


def scored(name: str, cases: list[dict[str, Any]]) -> pd.DataFrame:
    found = sw.instrument(name, accept_licence=True)
    columns = [f"x_{item.id}" for item in found.items]
    frame = pd.DataFrame([case["responses"] for case in cases], columns=columns)
    return sw.score(frame, found, items="x_{item}", coding=CODINGS.get(name))


def compare(name: str, key: str, expected: Any, value: Any) -> None:
    if expected is None:
        assert pd.isna(value), key
    elif isinstance(expected, (str, bool)):
        assert value == BANDS[name][expected], key
    else:
        assert value == pytest.approx(expected, abs=PRINTED_DIGITS), key


def test_every_set_is_compared() -> None:
    assert set(SETS) == set(NAMES)
    assert len(SETS) == 13


@pytest.mark.parametrize("name", SETS)
def test_complete_answers(name: str) -> None:
    cases = SETS[name]["cases"]
    ours = scored(name, cases)
    for row, case in enumerate(cases):
        assert set(case["expected"]) - NOT_OURS <= set(NAMES[name])
        for key, column in NAMES[name].items():
            compare(name, key, case["expected"][key], ours[f"{name}_{column}"].iloc[row])


@pytest.mark.parametrize("name", [name for name, entry in SETS.items() if entry["cases_missing"]])
def test_missing_answers(name: str) -> None:
    """Where the code follows the authors' rule all its numbers hold; else those whose items were all answered."""
    entry = SETS[name]
    found = sw.instrument(name, accept_licence=True)
    ours = scored(name, entry["cases_missing"])
    partial_sums = entry["missing_trust"].startswith("engine behaviour only")
    for row, case in enumerate(entry["cases_missing"]):
        for key, column in NAMES[name].items():
            if column.endswith("_band"):
                continue
            scale = found.scale(column)
            lacking = len(scale.items) - ours[f"{scale.column}_answered"].iloc[row]
            value = ours[scale.column].iloc[row]
            if partial_sums and lacking:
                assert pd.isna(value) == (lacking > scale.missing.max_missing), key
            else:
                compare(name, key, case["expected"][key], value)
