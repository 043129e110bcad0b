"""What a study says about mistakes that give a number all the same: it asks the reader to look, or sets them right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from sweval.errors import StudyError
from sweval.result import CHECK
from sweval.study import Study

Writer = Callable[..., Path]

STUDY = """
[study]
title = "Hints"
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

[[outcomes]]
column = "days_waited"
better = "lower"
"""
SECOND = """
[[comparisons]]
name = "Clients"
kind = "two_group"
service = "individual"
arm = "arm"
treated = "training"
control = "usual"

[[outcomes]]"""


def with_second(text: str) -> str:
    return text.replace("\n[[outcomes]]", SECOND, 1)


def checks(notes: tuple[str, ...]) -> list[str]:
    return [note for note in notes if CHECK in note]


def test_a_clean_study_asks_nothing(rows: pd.DataFrame, write_study: Writer) -> None:
    assert checks(Study.read(write_study(rows, STUDY)).run().notes) == []


def test_a_code_for_no_answer_in_a_column_is_pointed_out_and_can_be_declared(
    rows: pd.DataFrame, write_study: Writer
) -> None:
    later = np.flatnonzero(rows["wave"] == "post")[:6]
    emptied = rows.copy()
    emptied.loc[later, "days_waited"] = np.nan
    rows.loc[later, "days_waited"] = 999
    said = checks(Study.read(write_study(rows, STUDY)).run().notes)
    assert said == [
        f'Staff training, days_waited: {CHECK}"days_waited" is 999 in 6 clients, far from all other values. '
        "If that is a code for no answer, declare it: missing = [999]."
    ]
    declared = Study.read(
        write_study(rows, STUDY.replace('better = "lower"', 'better = "lower"\nmissing = [999]'))
    ).run()
    assert "days_waited: 6 values with the code 999 read as missing." in declared.notes
    wanted = Study.read(write_study(emptied, STUDY)).run()
    pd.testing.assert_frame_equal(declared.tidy(), wanted.tidy())


def test_the_baseline_of_one_comparison_is_no_outcome_of_another(rows: pd.DataFrame, write_study: Writer) -> None:
    result = Study.read(write_study(rows, with_second(STUDY))).run()
    assert {row.outcome for row in result.estimates if row.comparison == "Clients"} == {"days_waited"}
    assert any(note.startswith("Clients, days_waited: No baseline is named.") for note in result.notes)


def test_without_any_baseline_each_wave_is_compared_and_that_is_pointed_out(
    rows: pd.DataFrame, write_study: Writer
) -> None:
    result = Study.read(write_study(rows, STUDY.replace('baseline = "pre"\n', ""))).run()
    assert {row.outcome for row in result.estimates} == {"days_waited at pre", "days_waited at post"}
    assert len(checks(result.notes)) == 1
    assert all("neither a baseline wave nor an outcome_wave is named" in note for note in checks(result.notes))


def test_a_comparison_that_ignores_whole_clusters_is_pointed_out(rows: pd.DataFrame, write_study: Writer) -> None:
    said = checks(Study.read(write_study(rows, with_second(STUDY))).run().notes)
    assert len(said) == 1
    assert said[0].startswith(f'Clients, days_waited: {CHECK}"arm" is the same for all rows of each "agency"')


@pytest.mark.parametrize("column", ["notes", "days_waited"])
def test_a_column_that_holds_no_waves_is_refused_without_its_content(
    column: str, rows: pd.DataFrame, write_study: Writer
) -> None:
    rows["notes"] = [f"SECRET {number}" for number in range(len(rows))]
    rows["days_waited"] += np.arange(len(rows))
    text = STUDY.replace('wave = "wave"', f'wave = "{column}"').replace("days_waited", "phq_1")
    with pytest.raises(StudyError, match="this is not a column of waves") as caught:
        Study.read(write_study(rows, text.replace('wave = "phq_1"', f'wave = "{column}"'))).run()
    assert "SECRET" not in str(caught.value)
    assert str(rows["days_waited"].iloc[0]) not in str(caught.value)


def test_waves_and_arms_in_other_capitals_are_named(rows: pd.DataFrame, write_study: Writer) -> None:
    waves = rows.copy()
    waves.loc[waves.index[1], "wave"] = "Post"
    with pytest.raises(
        StudyError, match='waves in "wave" differ only in capital letters: "Post" \\(1\\), "post" \\(119\\)'
    ):
        Study.read(write_study(waves, STUDY)).run()
    rows.loc[rows.index[1], "arm"] = "Training"
    with pytest.raises(StudyError, match="differ only in capital letters"):
        Study.read(write_study(rows, STUDY)).run()


def test_spaces_in_waves_and_arms_known_from_another_wave_are_counted(rows: pd.DataFrame, write_study: Writer) -> None:
    rows.loc[rows.index[1], "wave"] = "post "
    rows.loc[rows.index[[2, 4]], "arm"] = None
    notes = Study.read(write_study(rows, STUDY)).run().notes
    place = "Staff training, days_waited: "
    assert f'{place}In 1 row extra spaces in "wave" were ignored.' in notes
    assert f'{place}For 2 clients "arm" is empty at one wave; the value at another was taken.' in notes


def test_labelled_files(rows: pd.DataFrame, tmp_path: Path) -> None:
    coded = rows.assign(
        wave=rows["wave"].map({"pre": 1.0, "post": 2.0}),
        phq_1=rows["phq_1"].where(rows.index % 10 != 0, 9),
        days_waited=rows["days_waited"].where(rows.index % 12 != 1, 99.0),
    )
    pyreadstat.write_sav(
        coded,
        str(tmp_path / "clients.sav"),
        variable_value_labels={"wave": {1: "pre", 2: "post"}, "days_waited": {99: "no answer"}},
        missing_ranges={"phq_1": [9]},
    )
    text = STUDY.replace("clients.csv", "clients.sav") + '\n[[outcomes]]\ninstrument = "phq9"\nitems = "phq_{item}"\n'
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    notes = Study.read(path).run().notes
    assert "phq9: the file declares codes missing, and they were read so (9: 24)." in notes
    assert any('some of its values are codes with a label: 99 = "no answer" (20)' in note for note in checks(notes))

    path.write_text(text.replace('baseline = "pre"', 'baseline = "post"'), encoding="utf-8")
    swapped = checks(Study.read(path).run().notes)
    assert any('the baseline "post" comes after the outcome wave "pre"' in note for note in swapped)
