"""The child process: a crash, a hang or a lie of the reader ends in a sentence, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

import sweval
from sweval.data import native
from sweval.data.raw import BrokenTableError, RawColumn, RawTable, load_table, save_table
from sweval.data.read import read_source
from sweval.errors import DataError


@pytest.fixture
def sav(tmp_path):
    path = tmp_path / "clients.sav"
    frame = pd.DataFrame({"arm": [1.0, 2.0], "score": [3.0, 4.5]})
    pyreadstat.write_sav(frame, str(path), variable_value_labels={"arm": {1: "usual", 2: "training"}})
    return path


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Return the folder in which this process makes its temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_one_changed_byte_that_crashes_the_reader_is_an_error(sav, temporary):
    damaged = bytearray(sav.read_bytes())
    # The first variable record follows the header of 176 bytes; its second field is the type, 4 = text of 4 letters.
    assert damaged[176:184] == b"\x02\0\0\0\0\0\0\0"
    damaged[180] = 4
    sav.write_bytes(damaged)
    with pytest.raises(DataError, match=r"^clients\.sav: ") as caught:
        read_source(sav)
    assert "export it as .csv" in str(caught.value)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.abort()", "crashed (SIGABRT)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memory"),
        ("raise ZeroDivisionError('Siti Aminah')", "ZeroDivisionError"),
        ("raise MemoryError", "memory"),
        ("import sys; sys.exit(3)", "exit code 3"),
        ("pass", "unusable"),
    ],
)
def test_every_bad_end_of_the_child_names_the_file_and_no_content(sav, temporary, monkeypatch, code, words):
    monkeypatch.setattr(native, "_START", code)
    with pytest.raises(DataError) as caught:
        read_source(sav)
    assert str(caught.value).startswith("clients.sav: ")
    assert words in str(caught.value)
    assert "Siti" not in str(caught.value)
    assert list(temporary.iterdir()) == []


def test_a_reader_that_hangs_is_stopped(sav, temporary, monkeypatch):
    monkeypatch.setattr(native, "_START", "import time; time.sleep(60)")
    with pytest.raises(DataError, match=r"clients\.sav: reading took longer than 0\.3 seconds"):
        native.parse(sav, "sav", {}, timeout=0.3)
    assert list(temporary.iterdir()) == []


def test_success_leaves_nothing_behind_and_the_input_as_it_was(sav, temporary):
    before = sav.read_bytes(), sav.stat().st_mtime_ns
    assert read_source(sav).frame["arm"].tolist() == [1, 2]
    assert list(temporary.iterdir()) == []
    assert (sav.read_bytes(), sav.stat().st_mtime_ns) == before


def test_the_working_folder_cannot_replace_a_library(sav):
    (sav.parent / "pyreadstat.py").write_text("raise SystemExit('imported from the working folder')")
    (sav.parent / "json.py").write_text("raise SystemExit('imported from the working folder')")
    script = "import sweval; print(len(sweval.read('clients.sav')))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=sav.parent, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("2", 0), done.stderr


def test_a_package_found_by_pythonpath_only_works_in_the_child(sav, tmp_path):
    """The isolated child ignores PYTHONPATH; the folders it needs are handed over instead."""
    copied = tmp_path / "elsewhere"
    copied.mkdir()
    (copied / "sweval").symlink_to(Path(sweval.__file__).parent, target_is_directory=True)
    script = "import sys, sweval.data.native as n; print([p for p in n._import_folders() if p.endswith('elsewhere')])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(copied)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(copied) in done.stdout


def test_a_table_survives_the_border(tmp_path):
    column = RawColumn(
        name="Größe",
        kind="text",
        data=np.array([0, -1], dtype=np.int32),
        texts=("a\ud800",),
        label="Label",
        value_labels=(("a", "b"), (1.0, "c")),
        missing_ranges=((-1e300, 2.0),),
        tagged=((".a", 3),),
    )
    table = RawTable(family="spss", rows=2, columns=(column,), notes=("note",), row_numbers=np.array([2, 5]))
    save_table(table, tmp_path)
    back = load_table(tmp_path)
    assert back.row_numbers.tolist() == [2, 5]
    assert back.columns[0].data.tolist() == [0, -1]
    for name in ("name", "texts", "label", "value_labels", "missing_ranges", "tagged", "format"):
        assert getattr(back.columns[0], name) == getattr(column, name)


@pytest.mark.parametrize(
    "column",
    [
        {"data": np.array([0, 1], dtype=np.int32)},
        {"data": np.array([0, -2], dtype=np.int32)},
        {"data": np.array([0], dtype=np.int32)},
        {"data": np.array([0.0, 1.0])},
        {"kind": "complex"},
    ],
)
def test_a_table_that_lies_is_not_loaded(tmp_path, column):
    honest = {"name": "a", "kind": "text", "data": np.array([0, 0], dtype=np.int32), "texts": ("x",)}
    save_table(RawTable(family="spss", rows=2, columns=(RawColumn(**{**honest, **column}),)), tmp_path)
    with pytest.raises(BrokenTableError):
        load_table(tmp_path)
