"""`read` and `read_source`: what they refuse before any reader runs, labels, backends, notes, checksum."""

from __future__ import annotations

import hashlib
import importlib.util
import warnings

import pandas as pd
import polars as pl
import pyarrow as pa
import pyreadstat
import pytest

import sweval as sw
from sweval.data.read import read_source
from sweval.errors import DataError, MissingLibraryError, SwevalWarning


@pytest.fixture
def labelled(tmp_path):
    path = tmp_path / "clients.sav"
    frame = pd.DataFrame(
        {"arm": [1.0, 2.0, 9.0], "same": [1.0, 2.0, 3.0], "part": [0.0, 1.0, 4.0], "plain": [1.0, 2.0, 3.0]}
    )
    pyreadstat.write_sav(
        frame,
        str(path),
        variable_value_labels={
            "arm": {1: "usual", 2: "training", 9: "unknown"},
            "same": {1: "No", 2: "No", 3: "Yes"},
            "part": {0: "never", 4: "daily"},
        },
        missing_ranges={"arm": [9]},
    )
    return path


def test_labels_replace_codes_where_asked(labelled):
    frame = sw.read(labelled, labels=["arm"])
    assert frame["arm"].tolist()[:2] == ["usual", "training"]
    assert pd.isna(frame["arm"].iloc[2])
    assert frame["same"].tolist() == [1, 2, 3]


def test_labels_that_would_merge_codes_are_an_error_that_names_them(labelled):
    for labels in (["same"], True):
        with pytest.raises(DataError, match=r'"same" gives the same label to the codes 1, 2'):
            sw.read(labelled, labels=labels)


def test_partly_labelled_columns_keep_codes_or_refuse(labelled, tmp_path):
    with pytest.raises(DataError, match=r'"part" has codes without a label in 1 row'):
        sw.read(labelled, labels=["part"])
    path = tmp_path / "part.sav"
    pyreadstat.write_sav(
        pd.DataFrame({"part": [0.0, 1.0], "arm": [1.0, 1.0]}),
        str(path),
        variable_value_labels={"part": {0: "never"}, "arm": {1: "usual"}},
    )
    with pytest.warns(SwevalWarning, match='"part"'):
        frame = sw.read(path, labels=True)
    assert frame["part"].tolist() == [0, 1]
    assert frame["arm"].tolist() == ["usual", "usual"]


@pytest.mark.parametrize(("labels", "words"), [(["plain"], "no value labels"), (["amr"], 'Did you mean "arm"')])
def test_labels_of_columns_without_any(labelled, labels, words):
    with pytest.raises(DataError, match=words):
        sw.read(labelled, labels=labels)


def test_backends_hold_the_same_cells(labelled):
    expected = {"arm": [1.0, 2.0, None], "same": [1, 2, 3], "part": [0, 1, 4], "plain": [1, 2, 3]}
    polars, arrow = sw.read(labelled, backend="polars"), sw.read(labelled, backend="pyarrow")
    assert isinstance(polars, pl.DataFrame)
    assert isinstance(arrow, pa.Table)
    assert polars.to_dict(as_series=False) == expected
    assert arrow.to_pydict() == expected


def test_a_backend_that_is_not_installed_names_the_extra(labelled, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "polars" else find(name, *more)
    )
    with pytest.raises(MissingLibraryError, match=r"sweval\[big\]"):
        sw.read(labelled, backend="polars")


def test_parquet_without_its_library_names_the_extra(save, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "pyarrow" else find(name, *more)
    )
    with pytest.raises(MissingLibraryError, match=r"sweval\[big\]"):
        sw.read(save("a.parquet", b"PAR1...."))


def test_an_unknown_backend_is_refused(labelled):
    with pytest.raises(DataError, match="pandas"):
        sw.read(labelled, backend="spark")


def test_notes_are_warnings_of_read_and_fields_of_the_source(save):
    path = save("a.csv", "id;a\nx;1\n")
    with pytest.warns(SwevalWarning, match=r"a\.csv: the cells are separated by semicolons") as caught:
        sw.read(path)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_source(path).notes) == 1


def test_the_checksum_is_that_of_the_bytes(save, labelled):
    for path in (save("a.csv", "id,a\nx,1\n"), labelled):
        source = read_source(path)
        assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert source.path == path.name


@pytest.mark.parametrize("backend", ["pandas", "polars"])
def test_the_input_is_not_touched(save, backend):
    path = save("a.csv", "id,a\nx,1\n")
    before = path.read_bytes(), path.stat().st_mtime_ns
    sw.read(path, backend=backend)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.sav", b"", "0 bytes"),
        ("a.csv", b"", "0 bytes"),
        ("a.sav", b"this is no SPSS file", "plain text"),
        ("a.sav", b"<stata_dta><header>", "Stata file"),
        ("a.dta", b"$FL2@(#) SPSS DATA FILE", "SPSS file"),
        ("a.xlsx", b"id,a\n1,2\n", "plain text"),
        ("a.csv", b"PK\x03\x04....[Content_Types].xml", "Excel workbook"),
        ("a.csv", b"\x1f\x8b\x08\x00", "gzip"),
        ("a.xlsx", b"<html><table>", "web page"),
        ("a.pkl", b"\x80\x04", "pickle"),
        ("a.RData", b"RDX3\n", "R workspaces"),
        ("a.rds", b"\x1f\x8b", "R data files"),
        ("a.docx", b"PK\x03\x04", "unknown"),
        ("a.ods", b"PK\x03\x04", "OpenDocument"),
        ("a", b"id,a\n1,2\n", "unknown"),
    ],
)
def test_files_that_are_not_what_they_seem(save, name, content, words):
    with pytest.raises(DataError, match=words) as caught:
        sw.read(save(name, content))
    assert str(caught.value).startswith(f"{name}: ")


@pytest.mark.parametrize("address", ["https://example.org/a.csv", "s3://bucket/a.csv", "file:///etc/passwd"])
def test_addresses_are_refused(address):
    with pytest.raises(DataError, match="files only"):
        sw.read(address)


def test_missing_files_folders_and_non_paths(save, tmp_path):
    save("clients.csv", "id\n1\n")
    with pytest.raises(DataError, match=r'no such file. Did you mean "clients\.csv"'):
        sw.read(tmp_path / "client.csv")
    with pytest.raises(DataError, match="folder"):
        sw.read(tmp_path)
    with pytest.raises(DataError, match="path is needed"):
        sw.read(None)
    with pytest.raises(DataError, match="no such file"):
        sw.read("nul\0byte.csv")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sheet": "Follow-up"}, "sheet= does not apply"),
        ({"catalog": "a.sas7bcat"}, "catalog= does not apply"),
        ({"delimeter": ";"}, 'Did you mean "delimiter"'),
        ({"encoding": 8}, "encoding must be a text"),
    ],
)
def test_options_that_do_not_fit(save, options, words):
    with pytest.raises(DataError, match=words):
        sw.read(save("a.csv", "id,a\nx,1\n"), **options)


def test_codebook_of_a_file(labelled):
    table = sw.codebook(labelled)
    assert list(table.columns) == [
        "variable", "label", "type", "measure", "values", "missing", "lowest", "highest", "n", "n_missing",
        "n_distinct",
    ]  # fmt: skip
    assert table["missing"].iloc[0] == "9 = unknown (1)"
    assert table["values"].iloc[0] == "1 = usual; 2 = training"


def test_the_codebook_shows_lowest_and_highest_but_no_value_of_few_clients(save):
    rows = [f"{1000 + i},{-99 if i < 2 else 20 + i % 3},{999 if i == 5 else 30.5 - i / 7},a" for i in range(40)]
    book = sw.codebook(save("a.csv", "\n".join(["id,age,days,name", *rows]) + "\n")).set_index("variable")
    assert book.loc["age", ["lowest", "highest"]].tolist() == ["-99", "22"]
    assert book.loc["days", ["lowest", "highest"]].tolist() == ["(few)", "999"]
    assert book.loc["id", ["lowest", "highest"]].tolist() == ["(few)", "(few)"]
    assert book.loc["name", ["lowest", "highest"]].tolist() == ["", ""]


def test_labelled_codes_are_no_secret_and_declared_ones_no_extreme(labelled):
    book = read_source(labelled).codebook
    assert (book.variable("arm").lowest, book.variable("arm").highest) == (1, 2)
    assert (book.variable("part").lowest, book.variable("part").highest) == (0, 4)
    assert (book.variable("plain").lowest, book.variable("plain").highest) == (None, None)


def test_the_codebook_knows_its_columns(labelled):
    with pytest.raises(DataError, match='Did you mean "arm"'):
        read_source(labelled).codebook.values("arn")
