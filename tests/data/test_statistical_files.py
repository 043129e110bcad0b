"""SPSS, Stata and SAS files: labels, reasons for missing cells, dates, ids; written here and read back."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from sweval.data.native_dates import format_meaning, to_datetimes
from sweval.data.read import read_source
from sweval.errors import DataError


@pytest.fixture
def clients(tmp_path):
    """Return an SPSS file as an agency would have it."""
    path = tmp_path / "clients.sav"
    frame = pd.DataFrame(
        {
            "id": ["007", "010", "011", "012"],
            "arm": [1.0, 2.0, 2.0, 1.0],
            "phq_1": [0.0, 98.0, 3.0, 99.0],
            "income": [1200.5, -1.0, 2500.0, np.nan],
            "city": ["Köln", "XX", "", "Łódź"],
            "visit": [datetime.date(2025, 6, 5), datetime.date(2024, 2, 29), None, datetime.date(1960, 1, 1)],
        }
    )
    pyreadstat.write_sav(
        frame,
        str(path),
        column_labels={"phq_1": "Little interest", "arm": "Bedingung für Klienten"},
        variable_value_labels={
            "arm": {1: "usual", 2: "training"},
            "phq_1": {0: "never", 98: "refused", 99: "no answer"},
            "city": {"XX": "unknown"},
        },
        missing_ranges={"phq_1": [98, 99], "income": [{"lo": -9, "hi": -1}, 2500], "city": ["XX"]},
        variable_measure={"phq_1": "ordinal", "arm": "nominal"},
    )
    return path


def test_user_missing_cells_are_null_and_everything_else_is_kept(clients):
    frame = read_source(clients).frame
    assert frame["id"].tolist() == ["007", "010", "011", "012"]
    assert frame["arm"].tolist() == [1, 2, 2, 1]
    assert frame["arm"].dtype == np.int64
    np.testing.assert_array_equal(frame["phq_1"].to_numpy(), [0.0, np.nan, 3.0, np.nan])
    np.testing.assert_array_equal(frame["income"].to_numpy(), [1200.5, np.nan, np.nan, np.nan])
    assert frame["city"].isna().tolist() == [False, True, True, False]
    assert frame["city"].tolist()[0] == "Köln"
    assert frame["visit"].tolist()[1] == pd.Timestamp("2024-02-29")
    assert pd.isna(frame["visit"].iloc[2])


def test_the_codebook_keeps_labels_codes_and_the_reasons(clients):
    book = read_source(clients).codebook
    assert book.values("arm") == {1: "usual", 2: "training"}
    assert book.values("phq_1") == {0: "never"}
    assert book.label("arm") == "Bedingung für Klienten"
    assert book.variable("phq_1").measure == "ordinal"
    assert {(reason.code, reason.label, reason.count) for reason in book.missing("phq_1")} == {
        (98, "refused", 1),
        (99, "no answer", 1),
    }
    assert {(reason.code, reason.count) for reason in book.missing("income")} == {("-9 to -1", 1), (2500, 1)}
    assert {(reason.code, reason.label, reason.count) for reason in book.missing("city")} == {("XX", "unknown", 1)}
    assert (book.variable("income").n, book.variable("income").n_missing) == (1, 3)


def test_the_codebook_frame_tells_reasons_from_empty_cells(clients):
    table = read_source(clients).codebook.frame().set_index("variable")
    assert table.loc["phq_1", "missing"] == "98 = refused (1); 99 = no answer (1)"
    assert table.loc["income", "missing"] == "-9 to -1 (1); 2500 (1); empty (1)"
    assert table.loc["arm", "values"] == "1 = usual; 2 = training"
    assert table["type"].tolist() == ["text", "whole number", "whole number", "number", "text", "date"]


def test_zsav_reads_like_sav(clients, tmp_path):
    frame, facts = pyreadstat.read_sav(str(clients), user_missing=True)
    path = tmp_path / "clients.zsav"
    pyreadstat.write_sav(
        frame, str(path), row_compress=False, compress=True, missing_ranges=facts.missing_ranges,
        variable_value_labels=facts.variable_value_labels,
    )  # fmt: skip
    pd.testing.assert_frame_equal(read_source(path).frame, read_source(clients).frame)


def test_stata_missing_letters_are_counted(tmp_path):
    path = tmp_path / "a.dta"
    frame = pd.DataFrame({"x": [1, "a", "b", 3, "a"], "y": [1.5, np.nan, 2.0, 3.0, 4.0], "s": list("abcde")})
    pyreadstat.write_dta(
        frame, str(path), missing_user_values={"x": ["a", "b"]}, variable_value_labels={"x": {1: "one", "a": "refused"}}
    )
    source = read_source(path)
    np.testing.assert_array_equal(source.frame["x"].to_numpy(), [1.0, np.nan, np.nan, 3.0, np.nan])
    assert source.codebook.values("x") == {1: "one"}
    assert {(reason.code, reason.label, reason.count) for reason in source.codebook.missing("x")} == {
        (".a", "refused", 2),
        (".b", None, 1),
    }


@pytest.mark.parametrize("version", [5, 8])
def test_a_transport_file_cut_inside_a_row_is_refused(tmp_path, version):
    path = tmp_path / "a.xpt"
    frame = pd.DataFrame({f"x{place}": np.arange(60.0) + place + 0.5 for place in range(15)})
    pyreadstat.write_xport(frame, str(path), file_format_version=version)
    whole = path.read_bytes()
    assert read_source(path).frame.shape == (60, 15)
    for lost in (1, 80, 400, 2000):
        path.write_bytes(whole[:-lost])
        with pytest.raises(DataError, match="cut off"):
            read_source(path)


def test_a_truncated_spss_file_is_refused(clients, tmp_path):
    path = tmp_path / "cut.sav"
    path.write_bytes(clients.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"^cut\.sav: the file is (cut off|damaged)"):
        read_source(path)


def test_a_file_without_rows_is_refused(tmp_path):
    path = tmp_path / "a.sav"
    pyreadstat.write_sav(pd.DataFrame({"x": pd.Series(dtype=float)}), str(path))
    with pytest.raises(DataError, match="0 data rows"):
        read_source(path)


def test_dates_beyond_the_calendar_keep_their_numbers_with_a_note(tmp_path):
    path = tmp_path / "a.sav"
    frame = pd.DataFrame({"good": [0.0, 86_400.0], "bad": [1e305, 86_400.0]})
    pyreadstat.write_sav(frame, str(path), variable_format={"good": "DATE11", "bad": "DATETIME20"})
    source = read_source(path)
    assert source.frame["good"].tolist() == [pd.Timestamp("1582-10-14"), pd.Timestamp("1582-10-15")]
    assert source.frame["bad"].tolist() == [1e305, 86_400.0]
    assert any('"bad"' in note and "9999" in note for note in source.notes)


@pytest.mark.parametrize(
    ("family", "display", "number", "moment"),
    [
        ("spss", "EDATE10", 13744944000.0, "2018-05-06"),
        ("spss", "DATETIME20", 13744980610.0, "2018-05-06T10:10:10"),
        ("sas", "YYMMDD10", 21310.0, "2018-05-06"),
        ("sas", "DATETIME18.", 315705601.0, "1970-01-02T00:00:01"),
        ("stata", "%td", 21310.0, "2018-05-06"),
        ("stata", "%tdD_m_Y", -29093.0, "1880-05-06"),
        ("stata", "%tc", 1841220610000.0, "2018-05-06T10:10:10"),
    ],
)
def test_epochs_and_units(family, display, number, moment):
    meaning = format_meaning(family, display)
    assert to_datetimes(np.array([number]), family, meaning)[0] == np.datetime64(moment)


@pytest.mark.parametrize(
    ("family", "display"), [("spss", "F8.2"), ("spss", None), ("sas", "BEST12"), ("stata", "%9.0g"), ("stata", "%tm")]
)
def test_other_formats_are_no_dates(family, display):
    assert format_meaning(family, display) is None
