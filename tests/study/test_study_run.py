"""A study gives what its parts give when they are called one by one, and its notes say where they belong."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sweval as sw
from sweval.errors import StudyError, SwevalError
from sweval.study import Study
from sweval.study.safety import safety_counts

Writer = Callable[..., Path]

WITHOUT_COMPARISONS = """
[study]
title = "Scales only"
data = "clients.csv"

[[outcomes]]
instrument = "phq9"
items = ["phq_1", "phq_2", "phq_3", "phq_4", "phq_5", "phq_6", "phq_7", "phq_8", "phq_9"]
"""


def test_a_study_is_its_parts(rows: pd.DataFrame, write_study: Writer) -> None:
    result = Study.read(write_study(rows)).run()
    scored = sw.score(rows, "phq9", items="phq_{item}", missing=[9])
    design = sw.ClusterTrial(
        name="Staff training", service="training", arm="arm", treated="training", control="usual",
        cluster="agency", baseline="pre", client="id", wave="wave",
    )  # fmt: skip
    baseline = rows[rows["wave"] == "pre"].reset_index(drop=True)
    parts = [  # effects come first: they are what the reader of effects.csv looks for
        design.fit(scored, "phq9_total"),
        design.fit(scored, "days_waited", better="lower"),
        safety_counts(scored, sw.instrument("phq9"), client="id", wave="wave"),
        sw.reliability(baseline, "phq9", items="phq_{item}", missing=[9]),
    ]
    wanted = sum(parts, start=parts[0].__class__(estimates=())).in_study("Twelve agencies")
    pd.testing.assert_frame_equal(result.tidy(), wanted.tidy())
    pd.testing.assert_frame_equal(result.glance(), wanted.glance())


def test_every_note_says_where_it_belongs(rows: pd.DataFrame, write_study: Writer) -> None:
    rows.loc[(rows["wave"] == "post") & (rows.index % 7 == 0), "days_waited"] = np.nan
    rows.loc[3, "phq_2"] = 9
    notes = Study.read(write_study(rows)).run().notes
    assert "clients.csv: 240 rows and 14 columns were read." in notes
    assert 'phq9: reliability is from the 120 rows at wave "pre".' in notes
    assert any(note.startswith("Staff training, days_waited: ") and "17" in note for note in notes)
    assert all(note.startswith(("clients.csv: ", "phq9", "Staff training, ")) for note in notes)


def test_checking_writes_nothing_and_gives_the_notes_of_a_run(rows: pd.DataFrame, write_study: Writer) -> None:
    path = write_study(rows)
    before = sorted(path.parent.iterdir())
    study = Study.read(path)
    assert study.check() == study.run().notes
    assert sorted(path.parent.iterdir()) == before


def test_steps_are_told_in_order(rows: pd.DataFrame, write_study: Writer) -> None:
    told: list[tuple[str, int, int]] = []
    Study.read(write_study(rows)).run(progress=lambda *step: told.append(step))
    assert told == [
        ("reading", 0, 4),
        ("scoring phq9", 1, 4),
        ("Staff training: phq9_total", 2, 4),
        ("Staff training: days_waited", 3, 4),
    ]


def test_inputs_are_known_by_their_checksum(rows: pd.DataFrame, write_study: Writer) -> None:
    study = Study.read(write_study(rows))
    assert list(study.inputs()) == ["study.toml", "clients.csv"]
    assert all(len(digest) == 64 for digest in study.inputs().values())


def test_without_comparisons_there_are_scores_and_their_reliability(rows: pd.DataFrame, write_study: Writer) -> None:
    result = Study.read(write_study(rows, WITHOUT_COMPARISONS)).run()
    safety = ["safety", "safety_unanswered"]
    assert result.tidy()["measure"].tolist()[:2] == safety
    reliability = sw.reliability(rows, "phq9", items="phq_{item}").tidy()["measure"]
    assert set(result.tidy()["measure"]) == {*safety, *reliability}
    assert "phq9: reliability is from all 240 rows." in result.notes


def test_a_scale_without_reliability_is_a_note_not_an_error(rows: pd.DataFrame, write_study: Writer) -> None:
    text = WITHOUT_COMPARISONS
    few = rows.head(2)
    result = Study.read(write_study(few, text)).run()
    assert {row.outcome for row in result.estimates} == {"phq9_safety"}
    assert any(note.startswith("phq9: no reliability was computed.") for note in result.notes)


def test_labels_of_a_coded_column_can_be_named(rows: pd.DataFrame, write_study: Writer, tmp_path: Path) -> None:
    import pyreadstat

    by_text = Study.read(write_study(rows)).run()
    coded = rows.assign(arm=rows["arm"].map({"usual": 0, "training": 1}), wave=rows["wave"].map({"pre": 1, "post": 2}))
    labels = {"arm": {0: "usual", 1: "training"}, "wave": {1: "pre", 2: "post"}}
    pyreadstat.write_sav(coded, str(tmp_path / "clients.sav"), variable_value_labels=labels)
    path = tmp_path / "study.toml"
    path.write_text(path.read_text().replace("clients.csv", "clients.sav"))
    result = Study.read(path).run()
    pd.testing.assert_frame_equal(result.tidy(), by_text.tidy())
    assert 'clients.sav: the codes of "arm" were read as their value labels.' in result.notes
    assert 'clients.sav: the codes of "wave" were read as their value labels.' in result.notes


def test_codes_of_a_labelled_column_can_be_named(rows: pd.DataFrame, write_study: Writer, tmp_path: Path) -> None:
    import pyreadstat

    coded = rows.assign(arm=rows["arm"].map({"usual": 0, "training": 1}))
    pyreadstat.write_sav(
        coded, str(tmp_path / "clients.sav"), variable_value_labels={"arm": {0: "usual", 1: "training"}}
    )
    path = write_study(rows)
    text = path.read_text().replace("clients.csv", "clients.sav")
    path.write_text(text.replace('treated = "training"', "treated = 1").replace('control = "usual"', "control = 0"))
    result = Study.read(path).run()
    assert not any("value labels" in note for note in result.notes)
    assert "arm[1]" in set(result.tidy()["term"])


def test_labels_in_one_comparison_and_codes_in_another(rows: pd.DataFrame, write_study: Writer, tmp_path: Path) -> None:
    import pyreadstat

    coded = rows.assign(arm=rows["arm"].map({"usual": 0, "training": 1}))
    pyreadstat.write_sav(
        coded, str(tmp_path / "clients.sav"), variable_value_labels={"arm": {0: "usual", 1: "training"}}
    )
    path = write_study(rows)
    text = path.read_text().replace("clients.csv", "clients.sav")
    table = text[text.index("[[comparisons]]") : text.index("[[outcomes]]")]
    other = table.replace("Staff training", "Again").replace('"training"\ncontrol = "usual"', "1\ncontrol = 0")
    path.write_text(text.replace(table, table + other))
    with pytest.raises(StudyError, match=r'comparisons\[1\] names value labels of "arm" and comparisons\[2\] names'):
        Study.read(path).run()


def test_absent_columns_are_named_all_at_once_with_their_paths(rows: pd.DataFrame, write_study: Writer) -> None:
    path = write_study(rows.rename(columns={"agency": "agnecy", "days_waited": "days_wait"}))
    with pytest.raises(StudyError) as caught:
        Study.read(path).run()
    assert str(caught.value) == (
        "study.toml: 2 problems (tables are counted from 1):"
        '\n  - comparisons[1].cluster: the data have no column "agency". Did you mean "agnecy"?'
        '\n  - outcomes[2].column: the data have no column "days_waited". Did you mean "days_wait"?'
    )


def test_an_outcome_that_cannot_be_fitted_is_an_error_with_its_place(rows: pd.DataFrame, write_study: Writer) -> None:
    with pytest.raises(SwevalError) as caught:
        Study.read(write_study(rows.assign(days_waited=3.0))).run()
    assert str(caught.value).startswith('study.toml, comparisons[1] ("Staff training"), outcome "days_waited": ')


def test_reading_options_can_be_given(rows: pd.DataFrame, write_study: Writer) -> None:
    path = write_study(rows)
    data = path.parent / "clients.csv"
    data.write_bytes(data.read_text().replace("A01", "Zoë").encode("cp1252"))
    with pytest.raises(SwevalError, match="encoding"):
        Study.read(path).run()
    path.write_text(path.read_text() + '\n[read]\nencoding = "cp1252"\n')
    assert Study.read(path).run().estimates


def test_a_score_in_other_units_is_not_analysed_twice_unless_asked(rows: pd.DataFrame, write_study: Writer) -> None:
    renamed = rows.rename(columns={f"phq_{i}": f"who_{i}" for i in range(1, 6)})
    path = write_study(renamed, WITHOUT_COMPARISONS)
    start = path.read_text(encoding="utf-8").partition("[[outcomes]]")[0]
    path.write_text(start + '[[outcomes]]\ninstrument = "who5"\nitems = "who_{item}"\n', encoding="utf-8")
    result = Study.read(path).run()
    assert {row.outcome for row in result.estimates} == {"who5_percent"}
    assert any(note.startswith("who5_raw: not analysed") for note in result.notes)
    path.write_text(path.read_text(encoding="utf-8") + 'scores = ["raw", "percent"]\n', encoding="utf-8")
    result = Study.read(path).run()
    assert {row.outcome for row in result.estimates} == {"who5_raw", "who5_percent"}
    assert not any("not analysed" in note for note in result.notes)


def test_every_wave_but_the_baseline_is_an_outcome_of_its_own(rows: pd.DataFrame, write_study: Writer) -> None:
    later = rows[rows["wave"] == "post"].assign(wave="later")
    effects = Study.read(write_study(pd.concat([rows, later]))).run().tidy()
    outcomes = effects.loc[effects["measure"] == "hedges_g", "outcome"].tolist()
    assert sorted(outcomes) == [
        "days_waited at later", "days_waited at post", "phq9_total at later", "phq9_total at post",
    ]  # fmt: skip


def test_a_study_is_frozen(rows: pd.DataFrame, write_study: Writer) -> None:
    study = Study.read(write_study(rows))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(study, "title", "other")  # noqa: B010
