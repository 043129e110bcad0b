"""What a new user does wrong, through `sweval run`: one message that says what, where, how many and what to do.

Exit code 1, no traceback, and no file beside the user's own; or a note, where the run can go on without a wrong number.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from typer.testing import CliRunner, Result

from sweval.cli import app

Writer = Callable[..., Path]
ITEMS = [f"phq_{i}" for i in range(1, 10)]


def run(path: Path) -> Result:
    return CliRunner().invoke(app, ["run", str(path)])


def refusal(path: Path) -> str:
    """Return the message of a run that must fail and leave nothing behind."""
    before = sorted(os.listdir(path.parent))
    result = run(path)
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert sorted(os.listdir(path.parent)) == before
    return result.stderr


def notes_of(path: Path) -> str:
    """Return the notes of a run that goes on, from its report."""
    result = run(path)
    assert result.exit_code == 0, result.output
    return (path.parent / "study-results" / "report.html").read_text(encoding="utf-8").replace("&quot;", '"')


def edited(path: Path, old: str, new: str) -> Path:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_a_wrong_column(rows: pd.DataFrame, write_study: Writer) -> None:
    said = refusal(edited(write_study(rows), 'cluster = "agency"', 'cluster = "agancy"'))
    assert 'comparisons[1].cluster: the data have no column "agancy". Did you mean "agency"?' in said


def test_a_wrong_item_pattern(rows: pd.DataFrame, write_study: Writer) -> None:
    said = refusal(edited(write_study(rows), '"phq_{item}"', '"phq{item}"'))
    assert "study.toml, outcomes[1] (phq9): the data have no column" in said
    assert 'did you mean "phq_1"' in said


def test_a_missing_code_among_the_answers(rows: pd.DataFrame, write_study: Writer) -> None:
    rows.loc[[3, 8, 9], "phq_4"] = 99
    said = refusal(write_study(rows))
    assert "outcomes[1] (phq9): answers outside 0 to 3 in phq_4 (3 rows)" in said
    assert "If 99 is a missing code, write missing = [9, 99]." in said, "9 is declared already"


def test_items_coded_from_one(rows: pd.DataFrame, write_study: Writer) -> None:
    path = write_study(rows.assign(**{item: rows[item] + 1 for item in ITEMS}))
    said = refusal(path)
    assert "The items look coded 1 to 4 where 0 to 3 is expected: write coding = \"1-4\"." in said  # fmt: skip
    advised = run(edited(path, "missing = [9]", 'missing = [9]\ncoding = "1-4"'))
    assert advised.exit_code == 0, advised.output
    right = pd.read_csv(path.parent / "study-results" / "effects.csv")
    assert run(write_study(rows)).exit_code == 0
    pd.testing.assert_frame_equal(right, pd.read_csv(path.parent / "study-results" / "effects.csv"))


def test_one_agency_only(rows: pd.DataFrame, write_study: Writer) -> None:
    arm = np.where(rows["id"].str[-1].isin(list("02468")), "training", "usual")
    said = refusal(write_study(rows.assign(agency="A01", arm=arm)))
    assert 'comparisons[1] ("Staff training"), outcome "phq9_total": ' in said
    assert 'one "agency"' in said


def test_one_agency_in_an_arm(rows: pd.DataFrame, write_study: Writer) -> None:
    said = refusal(write_study(rows[rows["agency"].isin(["A01", "A02"])]))
    assert 'comparisons[1] ("Staff training"), outcome "phq9_total"' in said
    assert "agency" in said


def test_all_agencies_in_one_arm(rows: pd.DataFrame, write_study: Writer) -> None:
    said = refusal(write_study(rows.assign(arm="training")))
    assert re.search('"arm".*"usual".*"training" .120', said)


def test_an_arm_label_with_a_trailing_space(rows: pd.DataFrame, write_study: Writer) -> None:
    path = write_study(rows)
    clean = notes_of(path)
    effects = path.parent / "study-results" / "effects.csv"
    wanted = effects.read_bytes()
    rows.loc[rows.index[:30], "arm"] += " "
    write_study(rows)
    said = re.compile('<li>Staff training, phq9_total: [^<]*15 (?:rows|clients)[^<]*spaces[^<]*"arm"[^<]*ignored')
    assert said.search(notes_of(path))
    assert not said.search(clean)
    assert effects.read_bytes() == wanted


def test_two_rows_for_a_client_at_a_wave(rows: pd.DataFrame, write_study: Writer) -> None:
    said = refusal(write_study(pd.concat([rows, rows.iloc[[0, 5]]])))
    assert re.search(r"2 clients .*rows 1, 6, 241, 242", said)
    assert 'one row per "id" and "wave"' in said
    assert "0100" not in said, "no client is named"


def test_clients_without_a_cluster(rows: pd.DataFrame, write_study: Writer) -> None:
    rows.loc[[0, 1, 2, 3], "agency"] = None
    page = notes_of(write_study(rows))
    assert re.search('<li>Staff training, phq9_total: 2 clients [^<]*"agency"[^<]* left out[^<]*training:? 2', page)
    effects = pd.read_csv(write_study(rows).parent / "study-results" / "effects.csv")
    assert effects.loc[effects["measure"] == "hedges_g", ["n", "clusters"]].to_numpy().tolist() == [
        [118, 12],
        [118, 12],
    ]


def test_an_unknown_key(rows: pd.DataFrame, write_study: Writer) -> None:
    said = refusal(edited(write_study(rows), "cluster =", "clusters ="))
    assert 'comparisons[1].clusters: unknown key. Did you mean "cluster"?' in said
    assert "comparisons[1].cluster: is missing." in said


def test_word_output_is_refused_before_any_work(rows: pd.DataFrame, write_study: Writer) -> None:
    path = write_study(rows)
    path.write_text(path.read_text(encoding="utf-8") + '[report]\nformats = ["html", "docx"]\n', encoding="utf-8")
    assert "Word output comes with a later release; use html or xlsx." in refusal(path)


def test_a_direction_that_nobody_knows(rows: pd.DataFrame, write_study: Writer) -> None:
    said = refusal(edited(write_study(rows), 'better = "lower"', ""))
    assert 'outcome "days_waited": ' in said
    assert 'Say better = "higher" or better = "lower".' in said


def test_a_file_of_the_users_is_in_the_way(rows: pd.DataFrame, write_study: Writer) -> None:
    path = write_study(rows)
    (path.parent / "study-results").mkdir()
    (path.parent / "study-results" / "effects.csv").write_text("mine")
    said = refusal(path)
    assert "effects.csv is there already and was not written by sweval." in said
    assert "--out" in said
    assert (path.parent / "study-results" / "effects.csv").read_text() == "mine"


def test_no_clients_value_is_in_any_output(rows: pd.DataFrame, write_study: Writer) -> None:
    """Canaries in ids, clusters and free text are in no file, packed ones included."""
    import zipfile

    rows["id"] = "canaryid" + rows["id"]
    rows["agency"] = "canaryagency" + rows["agency"]
    rows["remarks"] = "canarytext " + rows["id"]
    path = write_study(rows)
    path.write_text(path.read_text(encoding="utf-8") + '[report]\nformats = ["html", "xlsx"]\n', encoding="utf-8")
    result = run(path)
    assert result.exit_code == 0
    folder = path.parent / "study-results"
    held = [result.output.encode(), *(file.read_bytes() for file in folder.iterdir())]
    with zipfile.ZipFile(folder / "effects.xlsx") as archive:
        held += [archive.read(name) for name in archive.namelist()]
    assert len(held) > 10
    assert not [blob[:80] for blob in held if b"canary" in blob]
