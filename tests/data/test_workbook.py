"""Excel workbooks: types of cells, ids, sheets, and the ways a sheet is no table."""

from __future__ import annotations

import datetime

import numpy as np
import openpyxl
import pandas as pd
import pytest
import xlsxwriter

from sweval.data.read import read_source
from sweval.errors import DataError


@pytest.fixture
def book(tmp_path):
    """Return a function that writes rows into the first sheet of a workbook."""

    def write(*rows, prepare=None):
        path = tmp_path / "clients.xlsx"
        workbook = openpyxl.Workbook()
        for row in rows:
            workbook.active.append(row)
        if prepare is not None:
            prepare(workbook)
        workbook.save(path)
        return path

    return write


def test_types_of_cells(book):
    path = book(
        ["id", "score", "day", "moment", "took", "came", "note"],
        ["007", 1, datetime.date(2025, 6, 5), datetime.datetime(2025, 6, 5, 10, 30), datetime.time(0, 1), True, "NA"],
        ["010", 2.5, datetime.date(2025, 6, 6), datetime.datetime(2025, 6, 6), datetime.time(1, 0), None, None],
    )
    source = read_source(path)
    assert source.frame["id"].tolist() == ["007", "010"]
    assert source.frame["score"].tolist() == [1.0, 2.5]
    assert source.frame["day"].tolist() == [pd.Timestamp("2025-06-05"), pd.Timestamp("2025-06-06")]
    assert source.frame["moment"].iloc[0] == pd.Timestamp("2025-06-05 10:30")
    assert source.frame["took"].tolist() == [60, 3600]
    assert source.frame["came"].iloc[0]
    assert source.frame["note"].iloc[0] == "NA"
    assert [variable.type for variable in source.codebook.variables] == [
        "text", "number", "date", "date and time", "time in seconds", "yes/no", "text",
    ]  # fmt: skip
    assert source.notes == ()


def test_numbers_and_texts_that_are_numbers_join_and_other_texts_are_reported(book):
    source = read_source(book(["id", "a", "b"], ["x", 5, 5], ["y", "6", "tidak tahu"], ["z", None, 7]))
    np.testing.assert_array_equal(source.frame["a"].to_numpy(), [5.0, 6.0, np.nan])
    assert source.frame["b"].tolist() == ["5", "tidak tahu", "7"]
    (note,) = source.notes
    assert "row 3" in note
    assert "tidak" not in note


def test_a_mixture_with_a_zero_in_front_stays_text(book):
    assert read_source(book(["id"], ["007"], [7])).frame["id"].tolist() == ["007", "7"]


def test_ids_that_excel_has_already_cut_are_refused(book):
    with pytest.raises(DataError, match=r"id.*more than 15 digits"):
        read_source(book(["id", "a"], [1.2345678901234568e18, 1], [None, 2]))


def test_missing_tokens_apply_to_text_and_number_cells(book):
    source = read_source(book(["id", "a"], ["x", "NA"], ["y", 3], ["z", -99]), missing=["NA", "-99"])
    np.testing.assert_array_equal(source.frame["a"].to_numpy(), [np.nan, 3.0, np.nan])


def test_other_sheets_and_hidden_rows_are_reported(book):
    def prepare(workbook):
        workbook.active.row_dimensions[3].hidden = True
        workbook.create_sheet("Follow-up").append(["id"])
        workbook["Follow-up"].append(["z"])

    path = book(["id", "a"], ["x", 1], ["y", 2], prepare=prepare)
    source = read_source(path)
    assert len(source.frame) == 2
    assert any('"Follow-up"' in note for note in source.notes)
    assert any("hidden row (row 3)" in note for note in source.notes)
    assert read_source(path, sheet="Follow-up").frame["id"].tolist() == ["z"]
    with pytest.raises(DataError, match='Did you mean "Follow-up"'):
        read_source(path, sheet="Folow-up")


def test_a_total_row_is_reported(book):
    source = read_source(book(["id", "a"], ["x", 1], ["Total", 1]))
    assert any("row 3 looks like a total" in note for note in source.notes)


def test_rows_above_the_header_and_between_clients_may_be_empty(book):
    source = read_source(book([None, None], ["id", "a"], ["x", 1], [None, None], ["y", "o"], ["z", 3], ["w", 4]))
    assert source.frame["id"].tolist() == ["x", "y", "z", "w"]
    assert any("row 5" in note for note in source.notes)


def merge_first_row(workbook):
    workbook.active.merge_cells("A1:B1")


@pytest.mark.parametrize(
    ("rows", "prepare", "words"),
    [
        ([["Laporan Program", None, None], ["id", "a", "b"], ["x", 1, 2]], None, "no header was found"),
        ([["Laporan", None], ["id", "a"], ["x", 1]], merge_first_row, "merged cells"),
        ([["id", "a"], ["x", "=1+1"]], None, "formulas that were never calculated"),
        ([["id", "a"]], None, "0 data rows"),
        ([], None, "empty"),
        ([["id", "id"], ["x", 1]], None, "more than once"),
        ([[1, 2], [3, 4]], None, "only numbers"),
        ([["id", None], ["x", 1]], None, "no name"),
    ],
)
def test_refusals(book, rows, prepare, words):
    path = book(*rows, prepare=prepare)
    with pytest.raises(DataError, match=words) as caught:
        read_source(path)
    assert str(caught.value).startswith("clients.xlsx: ")


def test_calculated_formulas_are_read(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["id", "a"])
        sheet.write_row(1, 0, ["x"])
        sheet.write_formula(1, 1, "=1+1", None, 2)
    assert read_source(path).frame["a"].tolist() == [2]


def test_a_truncated_workbook_is_refused(book):
    path = book(["id", "a"], ["x", 1])
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match="damaged"):
        read_source(path)


def test_a_workbook_with_a_password_or_of_the_old_format_is_refused(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    with pytest.raises(DataError, match="password"):
        read_source(path)
    with pytest.raises(DataError, match=r"old Excel format .* save it as \.xlsx"):
        read_source(path.rename(tmp_path / "a.xls"))
