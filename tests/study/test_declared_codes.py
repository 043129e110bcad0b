"""Codes that mean no answer, in columns that are no items: declared, pointed out, or outside a range that is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from typer.testing import CliRunner

from sweval.cli import app
from sweval.errors import StudyError
from sweval.result import CHECK
from sweval.study import Study

Writer = Callable[..., Path]

STUDY = """
[study]
title = "Codes"
data = "clients.csv"
client = "id"
wave = "wave"

[[comparisons]]
name = "Staff training"
kind = "cluster_trial"
service = "training"
arm = "arm"
treated = "training"
control = "usual"
cluster = "agency"
baseline = "pre"
covariates = ["age"]

[[outcomes]]
column = "days_waited"
better = "lower"
"""
MODEL = """
[[comparisons]]
name = "Own model"
kind = "cluster_robust"
fixed = "arm * age"
cluster = "agency"

[[outcomes]]"""


@pytest.fixture
def aged(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with an age per client, of whom 12 gave none."""
    number = rows["id"].astype(int)
    age = 18.0 + number % 50
    return rows.assign(age=np.where(number % 10 == 3, np.nan, age))


def coded(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(age=frame["age"].fillna(-99))


def declared(text: str) -> str:
    return text.replace('wave = "wave"', 'wave = "wave"\nmissing = { age = [-99] }', 1)


def test_codes_of_covariates_can_be_declared(aged: pd.DataFrame, write_study: Writer) -> None:
    result = Study.read(write_study(coded(aged), declared(STUDY))).run()
    assert "age: 24 values with the code -99 read as missing." in result.notes
    wanted = Study.read(write_study(aged, STUDY)).run()
    pd.testing.assert_frame_equal(result.tidy(), wanted.tidy())
    assert not [note for note in result.notes if CHECK in note]


@pytest.mark.parametrize("text", [STUDY, STUDY.replace("\n[[outcomes]]", MODEL).replace('covariates = ["age"]\n', "")])
def test_a_code_in_a_covariate_or_a_term_is_pointed_out_by_check(
    text: str, aged: pd.DataFrame, write_study: Writer
) -> None:
    out = CliRunner().invoke(app, ["check", str(write_study(coded(aged), text))]).stdout
    said = out[out.index("Please check:") :]
    assert f"- age: {CHECK}it is -99 in 24 rows, far from all other values." in said
    assert "missing = { age = [-99] } in [study]" in said
    path = write_study(coded(aged), text)
    path.write_text(declared(text), encoding="utf-8")
    assert "Please check:" not in CliRunner().invoke(app, ["check", str(path)]).stdout


def test_one_such_value_is_enough(aged: pd.DataFrame, write_study: Writer) -> None:
    aged.loc[aged.index[1], "days_waited"] = 999
    notes = Study.read(write_study(aged, STUDY)).check()
    assert any('"days_waited" is 999 in 1 client, far from all other values.' in note for note in notes)


def test_a_declared_code_may_have_a_label_and_its_column_be_read_by_labels(aged: pd.DataFrame, tmp_path: Path) -> None:
    arms = {"usual": 1.0, "training": 2.0}
    late = aged["agency"] == "A12"
    frame = aged.assign(arm=aged["arm"].map(arms).where(~late, 9.0))
    labels = {"arm": {1: "usual", 2: "training", 9: "not known"}}
    pyreadstat.write_sav(frame, str(tmp_path / "clients.sav"), variable_value_labels=labels)
    path = tmp_path / "study.toml"
    path.write_text(
        STUDY.replace("clients.csv", "clients.sav").replace(
            'wave = "wave"', 'wave = "wave"\nmissing = { arm = [9] }', 1
        ),
        encoding="utf-8",
    )
    notes = Study.read(path).check()
    assert f"arm: {int(late.sum())} values with the code 9 read as missing." in notes
    assert any("without a value in" in note and '"arm"' in note for note in notes)


def test_a_declared_column_must_be_there(aged: pd.DataFrame, write_study: Writer) -> None:
    with pytest.raises(StudyError, match=r'study\.missing: the data have no column "aeg"\. Did you mean "age"\?'):
        Study.read(write_study(aged, STUDY.replace('wave = "wave"', 'wave = "wave"\nmissing = { aeg = [9] }', 1))).run()


def test_values_outside_the_range_are_refused_with_their_number(aged: pd.DataFrame, write_study: Writer) -> None:
    with_range = STUDY + "range = [-40, 60]\n"
    assert Study.read(write_study(aged, with_range)).run().estimates
    aged.loc[aged.index[[1, 5]], "days_waited"] = 99
    with pytest.raises(StudyError) as caught:
        Study.read(write_study(aged, with_range)).run()
    assert str(caught.value) == (
        'study.toml, outcomes[1]: 2 values of "days_waited" lie outside the range from -40 to 60. '
        "If such codes mean no answer, declare them: missing = [99] in this outcome; else correct the data, or the "
        "range."
    )
    assert Study.read(write_study(aged, with_range + "missing = [99]\n")).run().estimates
    aged.loc[aged.index[1], "days_waited"] = 73.5
    with pytest.raises(StudyError, match=r"1 value .* lies outside .* missing = \[\.\.\.\]") as caught:
        Study.read(write_study(aged, with_range + "missing = [99]\n")).run()
    assert "73.5" not in str(caught.value)
