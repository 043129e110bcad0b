"""Delimited files: what is read, what is refused, and that nothing changes in silence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sweval.data.read import read_source
from sweval.errors import DataError


def cells(source, column):
    return [None if pd.isna(value) else value for value in source.frame[column].tolist()]


def test_semicolons_and_decimal_commas_are_found_and_reported(save):
    source = read_source(save("a.csv", "id;skor\n1;3,5\n2;4\n"))
    assert source.frame["skor"].tolist() == [3.5, 4.0]
    assert any("semicolons" in note for note in source.notes)
    assert any('"skor"' in note and "decimal mark" in note for note in source.notes)


def test_quoted_decimal_commas_in_a_comma_file_are_read_and_reported(save):
    source = read_source(save("a.csv", 'id,skor\n1,"3,5"\n2,"4,25"\n'))
    assert source.frame["skor"].tolist() == [3.5, 4.25]
    assert any('"skor"' in note for note in source.notes)


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("id,income\n1,1.250\n2,980\n", {}, ["1.250", "980"]),
        ("id,income\n1,1.250\n2,980\n", {"decimal": ","}, [1250, 980]),
        ("id,income\n1,1.250\n2,980\n", {"decimal": "."}, [1.25, 980.0]),
        ('id,income\n1,"1,250"\n2,980\n', {}, ["1,250", "980"]),
        ('id,income\n1,"1,250"\n2,980\n', {"decimal": "."}, [1250, 980]),
        ("id,income,x\n1,1.250,2.5\n2,980,1.0\n", {}, [1.25, 980.0]),
        ("id;income;x\n1;1.250;2,5\n2;980;1\n", {}, [1250, 980]),
        ("id;income\n1;1,250\n2;980\n", {}, [1.25, 980.0]),
        ('id,income\n1,"1,250.50"\n2,980\n', {}, [1250.5, 980.0]),
        ("id;income\n1;1.250,50\n2;980\n", {}, [1250.5, 980.0]),
        ("id,income\n1,0.125\n2,980\n", {}, [0.125, 980.0]),
    ],
)
def test_a_mark_before_three_digits_is_read_by_evidence_or_not_at_all(save, content, options, expected):
    source = read_source(save("a.csv", content), **options)
    assert source.frame["income"].tolist() == expected
    if isinstance(expected[0], str):
        assert any("1250 or 1.25" in note for note in source.notes)


def test_ids_with_zeros_in_front_or_many_digits_stay_text(save):
    source = read_source(save("a.csv", "id,long\n007,1234567890123456789\n010,\n"))
    assert cells(source, "id") == ["007", "010"]
    assert cells(source, "long") == ["1234567890123456789", None]


def test_the_last_safe_number_is_a_number_and_the_next_one_is_text(save):
    source = read_source(save("a.csv", "a,b\n999999999999999,1000000000000000\n"))
    assert source.frame["a"].tolist() == [999999999999999]
    assert source.frame["b"].tolist() == ["1000000000000000"]


def test_ids_that_look_like_powers_of_ten_stay_text(save):
    assert read_source(save("a.csv", "id,x\n12E3,1e-05\n4E5,2.5\n")).frame["id"].tolist() == ["12E3", "4E5"]


def test_only_empty_cells_are_missing(save):
    source = read_source(save("a.csv", "id,site\n1,NA\n2,None\n3,null\n4,nan\n5,\n6, \n"))
    assert cells(source, "site") == ["NA", "None", "null", "nan", None, None]


def test_missing_tokens_empty_cells_and_are_counted(save):
    path = save("a.csv", "id,phq\n1,NA\n2,3\n3,-99\n4,NA\n")
    source = read_source(path, missing=("NA", "-99"))
    assert cells(source, "phq") == [None, 3.0, None, None]
    assert {reason.code: reason.count for reason in source.codebook.missing("phq")} == {"NA": 2, "-99": 1}


def test_a_column_of_numbers_with_some_text_stays_text_and_the_rows_are_named_not_the_values(save):
    source = read_source(save("a.csv", "id,a\n1,3\n2,tidak tahu\n3,2\n4,O\n5,1\n"))
    assert source.frame["a"].tolist() == ["3", "tidak tahu", "2", "O", "1"]
    (note,) = source.notes
    assert "2 cells (rows 3 and 5)" in note
    assert "tidak" not in note


def test_missing_words_are_proposed_as_tokens(save):
    (note,) = read_source(save("a.csv", "id,a\n1,3\n2,NA\n3,2\n")).notes
    assert "missing=['NA']" in note


def test_whole_numbers_are_int64_without_and_float64_with_missing_cells(save):
    frame = read_source(save("a.csv", "a,b,c\n1,1,1.0\n2,,2.0\n")).frame
    assert [str(kind) for kind in frame.dtypes] == ["int64", "float64", "int64"]
    assert np.isnan(frame["b"].iloc[1])


def test_iso_dates_are_dates(save):
    source = read_source(save("a.csv", "id,d,t\n1,2025-01-31,2025-01-31 10:30\n2,,2025-02-01T09:00:00\n"))
    assert source.frame["d"].dtype == "datetime64[us]"
    assert source.frame["d"].iloc[0] == pd.Timestamp("2025-01-31")
    assert pd.isna(source.frame["d"].iloc[1])
    assert source.frame["t"].iloc[0] == pd.Timestamp("2025-01-31 10:30")
    assert [variable.type for variable in source.codebook.variables][1:] == ["date", "date and time"]


def test_ambiguous_dates_stay_text_even_beside_an_unambiguous_one(save):
    for second in ("07/06/2025", "31/12/2025"):
        source = read_source(save("a.csv", f"id,d\n1,05/06/2025\n2,{second}\n"))
        assert source.frame["d"].tolist() == ["05/06/2025", second]
        assert any("two ways" in note for note in source.notes)


def test_the_declared_order_is_used_and_an_impossible_date_is_an_error_with_its_row(save):
    path = save("a.csv", "id,d\n1,05/06/2025\n2,31/12/2025\n")
    assert read_source(path, dates="day-first").frame["d"].tolist() == [
        pd.Timestamp("2025-06-05"),
        pd.Timestamp("2025-12-31"),
    ]
    with pytest.raises(DataError, match=r'column "d" holds no month-first date in row 3'):
        read_source(path, dates="month-first")


def test_month_names_in_english_and_indonesian_are_dates(save):
    frame = read_source(save("a.csv", "id,d\n1,31 Desember 2025\n2,5 May 2025\n3,01JAN2025\n")).frame
    assert frame["d"].tolist() == [pd.Timestamp("2025-12-31"), pd.Timestamp("2025-05-05"), pd.Timestamp("2025-01-01")]


def test_two_digit_years_are_not_guessed(save):
    source = read_source(save("a.csv", "id,d\n1,05/06/25\n2,07/06/25\n"), dates="day-first")
    assert source.frame["d"].tolist() == ["05/06/25", "07/06/25"]
    assert any("four digits" in note for note in source.notes)


def test_one_spelling_of_true_and_false_is_yes_no_and_several_stay_text(save):
    source = read_source(save("a.csv", "a,b,c\nTRUE,True,yes\nFALSE,FALSE,no\n,yes,yes\n"))
    assert str(source.frame["a"].dtype) == "boolean"
    assert source.frame["b"].tolist() == ["True", "FALSE", "yes"]
    assert source.frame["c"].tolist() == ["yes", "no", "yes"]
    assert len(source.notes) == 1


@pytest.mark.parametrize(
    ("content", "encoding", "expected"),
    [
        ("id,nama\n1,Zoë\n".encode("utf-8-sig"), None, "Zoë"),
        ("\ufeff\ufeffid,nama\n1,Zoë\n".encode(), None, "Zoë"),
        ("id,nama\n1,Zoë\n".encode("utf-16"), None, "Zoë"),
        ("id,nama\n1,Zoë\n".encode("utf-16-le"), "utf-16-le", "Zoë"),
        ("id,nama\n1,Zoë\n".encode("cp1252"), "cp1252", "Zoë"),
    ],
)
def test_encodings_with_a_mark_or_declared(save, content, encoding, expected):
    frame = read_source(save("a.csv", content), encoding=encoding).frame
    assert list(frame.columns) == ["id", "nama"]
    assert frame["nama"].tolist() == [expected]


def test_utf8_read_as_something_else_is_reported(save):
    source = read_source(save("a.csv", "id,nama\n1,José\n"), encoding="latin-1")
    assert any("valid UTF-8" in note for note in source.notes)


def test_names_are_trimmed_with_a_note(save):
    source = read_source(save("a.csv", "id ,phq9\nx,1\n"))
    assert list(source.frame.columns) == ["id", "phq9"]
    assert any('"id"' in note for note in source.notes)


def test_row_names_without_a_header_are_left_out_with_a_note(save):
    source = read_source(save("a.csv", '"","id"\n"1","x"\n"2","y"\n'))
    assert list(source.frame.columns) == ["id"]
    assert any("numbers the rows" in note for note in source.notes)


def test_blank_rows_are_left_out_and_later_rows_keep_their_numbers(save):
    source = read_source(save("a.csv", "id,a\n\nx,3\n,\ny,oops\nz,4\n\n"))
    assert source.frame["id"].tolist() == ["x", "y", "z"]
    assert any("1 row without any cell" in note for note in source.notes)
    assert any("row 5" in note for note in source.notes)


def test_a_sep_line_names_the_delimiter(save):
    assert read_source(save("a.csv", "sep=;\nid;a\nx;3\n")).frame["a"].tolist() == [3]


def test_cells_with_quotes_line_ends_and_delimiters(save):
    source = read_source(save("a.csv", 'id,note,a\r\nx,"one, ""two""\r\nthree",1\r\ny,,oops\r\nz,,2\r\n'))
    assert cells(source, "note") == ['one, "two"\r\nthree', None, None]


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("id,phq9\n", {}, ["2 columns", "0 data rows"]),
        (b"\n\n", {}, ["blank lines"]),
        ("phq1,phq1\n1,2\n", {}, ['"phq1"', "more than once"]),
        ("id,a\n1,2,3\n2,3,4\n", {}, ["row 2 has 3 cells", "has 2"]),
        ("id,a\n1,2\n2\n3,4\n", {}, ["row 3 has 1 cell"]),
        ("id,a\n1,2\n2", {}, ["row 3 has 1 cell", "cut off"]),
        ('id,a\n1,2\n2,"abc\n3,4\n', {}, ["row 3", "never closed"]),
        ('id,a\n1,2\n2,"abc"d\n', {}, ["row 3", "quote inside"]),
        ("id,a\n1,2\n2,3\x00\n", {}, ["row 3", "NUL"]),
        ("id,nama\n1,a\n2,Zoë\n".encode("cp1252"), {}, ["row 3", "0xeb", 'encoding="cp1252"']),
        ("id,nama\n1,Zoë\n".encode("utf-16-le"), {}, ["utf-16-le"]),
        ("id,a\n1,2\n", {"encoding": "klingon"}, ["klingon"]),
        ("a;b,c\n1;2,3\n", {}, ["commas (2 columns) or semicolons (2 columns)", "delimiter="]),
        ("Laporan Program\nid,a\n1,3\n", {}, ["row 2 has 2 cells", "title lines"]),
        ("1,2\n3,4\n", {}, ["row 1 holds only numbers"]),
        ("id,,b\n1,2,3\n", {}, ["column 2", "no name"]),
        ("id,a\n1,1.5e400\n", {}, ['column "a"', "row 2", "infinite"]),
        ("id,a\n1,2\n", {"delimiter": ";;"}, ["one character"]),
        ("id,a\n1,2\n", {"decimal": ";"}, ["decimal"]),
        ("id,a\n1,2\n", {"dates": "random"}, ["day-first"]),
    ],
)
def test_refusals_name_the_file_the_row_and_what_to_do(save, content, options, words):
    with pytest.raises(DataError) as caught:
        read_source(save("clients.csv", content), **options)
    message = str(caught.value)
    assert message.startswith("clients.csv: ")
    for word in words:
        assert word in message


def test_a_long_file_without_a_last_line_end_is_reported(save):
    content = "id,a\n" + "\n".join(f"c{row},1" for row in range(1500))
    assert any("cut off" in note for note in read_source(save("a.csv", content)).notes)
    assert not read_source(save("b.csv", content + "\n")).notes


def test_ten_thousand_columns(save):
    content = ",".join(f"c{place}" for place in range(10_000)) + "\n" + ",".join(["1"] * 10_000) + "\n"
    assert read_source(save("a.csv", content)).frame.shape == (1, 10_000)


def test_chunks_join_without_losing_rows_or_order(save):
    rows = 2_503
    source = read_source(save("a.csv", "id,a\n" + "".join(f"c{row},{row % 7}\n" for row in range(rows))))
    assert source.frame["a"].tolist() == [row % 7 for row in range(rows)]
    assert source.frame["id"].iloc[-1] == f"c{rows - 1}"
    longer = save("b.csv", "id,a\n" + "".join(f"c{row},1{',9' if row == 2398 else ''}\n" for row in range(rows)))
    with pytest.raises(DataError, match="row 2400 has 3 cells"):
        read_source(longer)
