"""A report is written whole or not at all, over nothing but its own files, and always with the same bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from sweval.errors import OutputError, SwevalError, SwevalWarning
from sweval.reporting import folder as folder_module
from sweval.reporting.report import report
from sweval.reporting.spreadsheet_safe import csv_bytes, safe_text
from sweval.result import COLUMNS, Result

ALL = ("html", "xlsx")


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_what_is_written_and_in_which_order(synthetic: Result, tmp_path: Path) -> None:
    paths = report(synthetic, tmp_path / "a" / "b", formats=ALL, inputs={"clients.sav": "ab" * 32})
    assert [path.name for path in paths] == [
        "effects.csv", "forest.svg", "forest.png", "report.html", "effects.xlsx", "manifest.json",
    ]  # fmt: skip
    assert sorted(path.name for path in paths) == sorted(os.listdir(tmp_path / "a" / "b"))
    manifest = json.loads(paths[-1].read_text(encoding="utf-8"))
    assert manifest["complete"] is True
    assert manifest["inputs"] == {"clients.sav": "ab" * 32}
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == {
        name: digest for name, digest in digests(paths[0].parent).items() if name != "manifest.json"
    }


def test_csv_holds_tidy_at_full_precision(synthetic: Result, tmp_path: Path) -> None:
    report(synthetic, tmp_path)
    back = pd.read_csv(tmp_path / "effects.csv")
    assert tuple(back.columns) == COLUMNS
    assert back["variance"].dropna().unique().tolist() == [0.126**2]
    assert len(back) == len(synthetic.estimates)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", " =1", "\n=1", "＝1"])
def test_csv_text_that_would_run_is_marked(text: str) -> None:
    assert safe_text(text) == "'" + text


@pytest.mark.parametrize("text", ["usual", "a=b", "", " ", "'=1", "0.5"])
def test_csv_text_that_would_not_run_is_left(text: str) -> None:
    assert safe_text(text) == text


def test_csv_numbers_are_never_marked() -> None:
    frame = pd.DataFrame({"b": [-1.5, None], "arm": ["-x", None], "ok": pd.array([True, None], dtype="boolean")})
    assert csv_bytes(frame) == b"b,arm,ok\n-1.5,'-x,True\n,,\n"


def test_other_files_are_never_overwritten(synthetic: Result, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(OutputError, match=r"report\.html is there already.*--out"):
        report(synthetic, tmp_path)
    assert os.listdir(tmp_path) == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "mine"


def test_a_foreign_manifest_lists_nothing(synthetic: Result, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"files": {"effects.csv": {}}}')
    with pytest.raises(OutputError, match=r"manifest\.json is there already"):
        report(synthetic, tmp_path)


def test_own_files_are_replaced_and_others_kept(synthetic: Result, tmp_path: Path) -> None:
    report(synthetic, tmp_path)
    (tmp_path / "remarks.txt").write_text("mine")
    report(synthetic, tmp_path, title="Again")
    assert "Again" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "remarks.txt").read_text() == "mine"


def test_a_file_that_is_no_longer_written_is_removed(synthetic: Result, tmp_path: Path) -> None:
    report(synthetic, tmp_path, formats=ALL)
    report(synthetic, tmp_path)
    assert not (tmp_path / "effects.xlsx").exists()
    assert "effects.xlsx" not in json.loads((tmp_path / "manifest.json").read_bytes())["files"]


def test_a_file_that_was_changed_since_is_kept_and_named(synthetic: Result, tmp_path: Path) -> None:
    report(synthetic, tmp_path, formats=ALL)
    (tmp_path / "effects.xlsx").write_bytes(b"with my remarks")
    with pytest.warns(SwevalWarning, match=r"effects\.xlsx is of an earlier report and was changed since"):
        report(synthetic, tmp_path)
    assert (tmp_path / "effects.xlsx").read_bytes() == b"with my remarks"


def test_a_manifest_removes_nothing_outside_its_folder(synthetic: Result, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    report(synthetic, tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["files"]["../precious.txt"] = {"bytes": 4, "sha256": hashlib.sha256(b"mine").hexdigest()}
    path.write_text(json.dumps(manifest))
    report(synthetic, tmp_path / "out")
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_notes_to_check_come_first_and_are_marked(synthetic: Result, tmp_path: Path) -> None:
    pressing = "Group work, phq9_total: Check: the arms differ at baseline."
    result = dataclasses.replace(synthetic, notes=(*synthetic.notes, pressing))
    for language, words in (("en", "Please check"), ("id", "Harap diperiksa")):
        report(result, tmp_path, language=language)
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        marked = page[page.index('<div class="check">') :]
        assert words in marked[: marked.index("</div>")]
        assert pressing in marked[: marked.index("</div>")]
        assert page.count(pressing) == 1
        assert page.index(pressing) < page.index(synthetic.notes[0])
    report(synthetic, tmp_path)
    assert '<div class="check">' not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_link_is_not_followed(synthetic: Result, tmp_path: Path) -> None:
    target = tmp_path / "precious.txt"
    target.write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").symlink_to(target)
    with pytest.raises(OutputError, match="is there already"):
        report(synthetic, out)
    assert target.read_text() == "mine"


def test_a_file_in_place_of_the_folder(synthetic: Result, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="a file, not a folder"):
        report(synthetic, tmp_path / "out")


def test_a_failure_half_way_leaves_nothing(synthetic: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = folder_module.write_bytes

    def full_disk(path: Path, data: bytes) -> Path:
        if path.name == "report.html":
            raise OutputError("the file cannot be written (No space left on device).", where=str(path))
        return real(path, data)

    monkeypatch.setattr(folder_module, "write_bytes", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        report(synthetic, tmp_path / "a" / "out")
    assert os.listdir(tmp_path) == []


def test_a_run_that_was_killed_can_be_repeated(
    synthetic: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = folder_module.write_bytes

    def killed(path: Path, data: bytes) -> Path:
        if path.name == "report.html":
            raise KeyboardInterrupt
        return real(path, data)

    monkeypatch.setattr(folder_module, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        report(synthetic, tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_bytes())["complete"] is False
    monkeypatch.undo()
    report(synthetic, tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_bytes())["complete"] is True


@pytest.mark.parametrize(("formats", "message"), [(("docx",), "comes with a later release"), (("pdf",), "no format")])
def test_formats_that_cannot_be_written(
    synthetic: Result, tmp_path: Path, formats: tuple[str, ...], message: str
) -> None:
    with pytest.raises(OutputError, match=message):
        report(synthetic, tmp_path / "out", formats=formats)
    assert os.listdir(tmp_path) == []


def test_unknown_language(synthetic: Result, tmp_path: Path) -> None:
    with pytest.raises(SwevalError, match="no words for the language"):
        report(synthetic, tmp_path / "out", language="fr")
    assert os.listdir(tmp_path) == []


def test_title_of_the_study_is_the_title_of_the_report(synthetic: Result, tmp_path: Path) -> None:
    report(synthetic.in_study("Harbour"), tmp_path)
    assert "<h1>Harbour</h1>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_same_result_gives_the_same_bytes_in_any_process(synthetic: Result, tmp_path: Path) -> None:
    """Hash seed, time zone and locale differ; the workbook's and the picture's clocks must not show."""
    stored = tmp_path / "rows.json"
    stored.write_text(json.dumps([dataclasses.asdict(row) for row in synthetic.estimates]))
    code = (
        "import json, sys; from sweval.reporting.report import report; from sweval.result import Estimate, Result;"
        "rows = tuple(Estimate(**row) for row in json.load(open(sys.argv[1], encoding='utf-8')));"
        "report(Result(estimates=rows, notes=('a note',)), sys.argv[2], formats=('html', 'xlsx'))"
    )
    found = []
    for name, seed, zone in (("one", "0", "UTC"), ("two", "4242", "Asia/Makassar")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}
        subprocess.run([sys.executable, "-c", code, str(stored), str(tmp_path / name)], check=True, env=environment)
        found.append(digests(tmp_path / name))
    assert found[0] == found[1]
    assert len(found[0]) == 6
