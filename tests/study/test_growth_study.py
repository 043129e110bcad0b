"""A study file with `kind = "growth"`: times as a table, and what a new user does wrong."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
from typer.testing import CliRunner

from sweval.cli import app
from sweval.models.growth import Growth

CLINICS = pd.read_csv(Path(__file__).resolve().parents[1] / "reference" / "growth" / "clinics.csv")
STUDY = """
[study]
title = "Clinics"
data = "clinics.csv"
client = "id"
wave = "wave"

[[comparisons]]
kind = "growth"
service = "individual"
arm = "arm"
treated = "program"
control = "usual"
times = { pre = 0, m3 = 3, m6 = 6, m12 = 12 }

[[outcomes]]
column = "y"
better = "lower"
"""


def checked(folder: Path, text: str, frame: pd.DataFrame = CLINICS) -> tuple[int, str]:
    """Return exit code and all that `sweval check` says."""
    frame.to_csv(folder / "clinics.csv", index=False)
    (folder / "study.toml").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(folder / "study.toml")])
    assert "Traceback" not in result.output
    return result.exit_code, result.output + result.stderr


def test_a_study_gives_the_rows_of_the_design(tmp_path: Path) -> None:
    assert checked(tmp_path, STUDY)[0] == 0
    assert CliRunner().invoke(app, ["run", str(tmp_path / "study.toml")]).exit_code == 0
    rows = pd.read_csv(tmp_path / "study-results" / "effects.csv")
    design = Growth(
        arm="arm",
        treated="program",
        control="usual",
        client="id",
        wave="wave",
        times={"pre": 0, "m3": 3, "m6": 6, "m12": 12},
    )
    row = design.fit(CLINICS, "y", better="lower").effect("hedges_g")
    found = rows[rows["measure"] == "hedges_g"].iloc[0]
    assert [found["estimate"], found["conf_low"], found["df"]] == pytest.approx([row.estimate, row.conf_low, row.df])
    page = (tmp_path / "study-results" / "report.html").read_text(encoding="utf-8")
    assert "standard deviations better than the arm" in page


def test_another_comparison_may_name_the_baseline(tmp_path: Path) -> None:
    other = """
[[comparisons]]
name = "Last wave"
kind = "two_group"
arm = "arm"
treated = "program"
control = "usual"
baseline = "pre"
outcome_wave = "m12"
"""
    code, said = checked(tmp_path, STUDY.replace('kind = "growth"', 'name = "Growth"\nkind = "growth"') + other)
    assert code == 0
    assert 'Clients with a value, by wave: "pre" 108' in said


MISTAKES = [
    ('treated = "program"', 'treated = "programme"', 'no row of "arm" is "programme"'),
    ("m12 = 12 }", "m21 = 12 }", 'times names "m21", which is not in "wave". Did you mean "m12"?'),
    (", m12 = 12 }", " }", 'times leaves out "m12"'),
    ("m12 = 12", 'm12 = "12"', "comparisons[1].times: should be a valid number"),
    ("times = {", 'shape = "wave"\ntimes = {', 'shape = "wave" is unknown. Did you mean "waves"?'),
    ("times = {", 'shape = ["waves"]\ntimes = {', "comparisons[1].shape"),
    (
        "times = { pre = 0, m3 = 3, m6 = 6, m12 = 12 }",
        "",
        'if they are one apart: times = {"pre" = 0, "m3" = 1, "m6" = 2',
    ),
    ('client = "id"\n', "", 'client is not named. Add client = "..."'),
    ('better = "lower"', "", 'Say better = "higher" or better = "lower"'),
    ("times = {", 'baseline = "before"\ntimes = {', 'the baseline "before" is not in "wave"'),
    ("times = {", 'cluster = "agancy"\ntimes = {', 'the data have no column "agancy". Did you mean "agency"?'),
]


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES, ids=[f"{k}" for k in range(len(MISTAKES))])
def test_mistakes_are_told_plainly(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in STUDY
    code, output = checked(tmp_path, STUDY.replace(old, new))
    assert code == 1
    assert said in output


def test_times_and_references_may_be_value_labels(tmp_path: Path) -> None:
    """An SPSS file holds codes; the study names what they mean, in the keys of times and in the values of reference."""
    order = {"pre": 1, "m3": 2, "m6": 3, "m12": 4}
    arms = {"usual": 1, "program": 2}
    coded = CLINICS.assign(wave=CLINICS["wave"].map(order), arm=CLINICS["arm"].map(arms))
    labels = {name: {code: label for label, code in codes.items()} for name, codes in (("wave", order), ("arm", arms))}
    pyreadstat.write_sav(coded, str(tmp_path / "clinics.sav"), variable_value_labels=labels)
    mixed = """
[[comparisons]]
name = "Model"
kind = "mixed_model"
fixed = "arm"
reference = { arm = "usual" }
random = { id = "1" }
"""
    text = STUDY.replace("clinics.csv", "clinics.sav").replace('kind = "growth"', 'name = "Program"\nkind = "growth"')
    text = text.replace("\n[[outcomes]]", f"{mixed}\n[[outcomes]]")
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["run", str(tmp_path / "study.toml")])
    assert result.exit_code == 0, result.output
    rows = pd.read_csv(tmp_path / "study-results" / "effects.csv")
    assert "arm[program]" in set(rows["term"])
    assert len(rows[rows["measure"] == "hedges_g"]) == 1
