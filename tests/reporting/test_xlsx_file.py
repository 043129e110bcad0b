"""The workbook holds numbers as numbers, texts as texts, and hides what the page hides."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from sweval.reporting.report import report
from sweval.result import Result


def book_of(result: Result, folder: Path, **options: object) -> openpyxl.Workbook:
    report(result, folder, formats=("xlsx",), **options)
    return openpyxl.load_workbook(folder / "effects.xlsx")


def cells(sheet: openpyxl.worksheet.worksheet.Worksheet) -> list[tuple[object, ...]]:
    return [tuple(row) for row in sheet.iter_rows(values_only=True)]


def test_sheets_and_numbers(synthetic: Result, tmp_path: Path) -> None:
    book = book_of(synthetic, tmp_path / "out")
    assert book.sheetnames == [
        "Effects", "Not comparable", "Who took part", "Reliability", "Clustering", "Coefficients", "Notes",
    ]  # fmt: skip
    rows = cells(book["Effects"])
    assert rows[1] == (
        "Side", "Comparison", "Service", "Design", "Outcome", "n", "Clusters", "Effect g", "Lower limit", "Upper limit",
        "df", "p",
    )  # fmt: skip
    assert rows[2][5:] == (652, 24, 0.455, 0.21, 0.7, 20.31, 0.0312)
    assert [row[0] for row in rows[2:6]] == ["Direct service"] * 2 + ["Indirect service"] * 2
    assert book["Effects"]["H3"].number_format == "0.00"
    assert cells(book["Notes"])[1] == ("clients.sav: 712 rows and 38 columns were read.",)


@pytest.mark.parametrize(
    "payload", ['=HYPERLINK("http://127.0.0.1")', "+1+1", "@SUM(A1)", "http://127.0.0.1/", "\x00x"]
)
def test_no_text_becomes_a_formula_or_a_link(relabelled: Callable[[str], Result], tmp_path: Path, payload: str) -> None:
    result = relabelled(payload)
    starts = tuple(dataclasses.replace(row, comparison=payload + (row.comparison or "")) for row in result.estimates)
    path = tmp_path / "out"
    book = book_of(dataclasses.replace(result, estimates=starts), path)
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert "f" not in kinds
    with zipfile.ZipFile(path / "effects.xlsx") as archive:
        assert not [name for name in archive.namelist() if "externalLink" in name]
        assert not [name for name in archive.namelist() if name.startswith("xl/worksheets/_rels")]


def test_small_counts_are_hidden(synthetic: Result, tmp_path: Path) -> None:
    rows = tuple(dataclasses.replace(row, n=7) for row in synthetic.estimates)
    book = book_of(dataclasses.replace(synthetic, estimates=rows), tmp_path / "out")
    held = [value for sheet in book for row in cells(sheet) for value in row]
    assert 7 not in held
    assert "<11" in held
    assert 13.9 not in held, "the mean of a hidden arm is hidden too"


def test_columns_are_wide_enough_to_read(synthetic: Result, tmp_path: Path) -> None:
    sheet = book_of(synthetic, tmp_path / "out")["Effects"]
    widths = {letter: sheet.column_dimensions[letter].width for letter in "BDH"}
    assert widths["B"] >= len("Staff training")
    assert 20 < widths["D"] <= 51
    assert widths["H"] >= 9


def test_indonesian_sheet_names(synthetic: Result, tmp_path: Path) -> None:
    assert book_of(synthetic, tmp_path / "out", language="id").sheetnames[0] == "Efek"
