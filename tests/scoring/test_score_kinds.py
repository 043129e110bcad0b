"""What scores can be made of, each worked by hand: points, caps, tables, parts, limits, variants, orders, safety."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import sweval as sw
from sweval.errors import InstrumentError
from sweval.scoring.definition import instrument
from sweval.scoring.score import score_with_notes

HEAD = """
id = "odd"
title = "Odd"
level = "individual"
construct = "oddity"
"""
SIX = HEAD + "[items]\nnumber = 6\ncodes = [1, 2, 3]\nreversed = [2]\n"


def defined(folder: Path, text: str) -> Path:
    path = folder / "odd.toml"
    path.write_text(text, encoding="utf-8")
    return path


def scored(path: Path, rows: list[list[float]], **asked: object) -> pd.DataFrame:
    """Score in memory and as a plan, which must agree, and return the first."""
    frame = pd.DataFrame(rows, columns=[f"x_{k + 1}" for k in range(len(rows[0]))], dtype=float)
    found = sw.score(frame, path, items="x_{item}", **asked)
    planned = sw.score(pl.from_pandas(frame).lazy(), path, items="x_{item}", **asked).collect()
    assert pl.from_pandas(found).equals(planned.cast(dict.fromkeys(frame, pl.Float64)))
    return found


nan = float("nan")


def test_points_say_what_a_code_counts_in_all_scores_or_in_one(tmp_path: Path) -> None:
    text = SIX + (
        "[[points]]\nitems = [1]\ncodes = { 1 = 100, 2 = 50, 3 = 0 }\n"
        '[[scores]]\nid = "whole"\nop = "sum"\nitems = [1, 2]\nrange = [1, 103]\n'
        '[[scores]]\nid = "own"\nop = "mean"\nitems = [1, 2, 3]\n'
        "points = [{ items = [1, 3], codes = { 1 = 0, 2 = 1, 3 = 1 } }]\n"
    )
    found = scored(defined(tmp_path, text), [[1, 1, 1, 1, 1, 1], [3, 3, 3, 1, 1, 1], [2, 2, nan, 1, 1, 1]])
    assert found["odd_whole"].tolist() == [103, 1, 52]
    assert found["odd_own"].tolist()[:2] == [(0 + 3 + 0) / 3, (1 + 1 + 1) / 3]
    assert np.isnan(found["odd_own"].iloc[2])


def test_any_cap_and_blanks_that_count_nothing(tmp_path: Path) -> None:
    text = SIX + (
        '[missing]\nmax_missing = 1\nfill = "zero"\nverified = true\n'
        "[[points]]\nitems = [3, 4, 5]\ncodes = { 1 = 0, 2 = 0, 3 = 1 }\n"
        '[[scores]]\nid = "flag"\nop = "any"\nitems = [3, 4, 5]\nrange = [0, 1]\n'
        '[[scores]]\nid = "days"\nop = "sum"\nitems = [1, 6]\ncap = 4\nrange = [2, 4]\n'
        '[[scores]]\nid = "free"\nop = "weighted"\nof = ["days"]\nweights = [-1]\nadd = 4\nrange = [0, 2]\n'
    )
    rows = [[1, 1, 1, 2, 2, 1], [3, 1, 1, 3, nan, 3], [2, 1, nan, nan, 3, nan], [nan, 1, 1, 1, nan, nan]]
    path = defined(tmp_path, text)
    found = scored(path, rows)
    assert found["odd_flag"].tolist()[:2] == [0, 1]
    assert np.isnan(found["odd_flag"].iloc[2])
    assert found["odd_flag"].iloc[3] == 0
    assert found["odd_days"].tolist()[:3] == [2, 4, 2]
    assert found["odd_free"].tolist()[:3] == [2, 0, 2]
    assert found[["odd_days", "odd_free"]].iloc[3].isna().all()
    frame = pd.DataFrame(rows, columns=[f"x_{k}" for k in range(1, 7)])
    notes = score_with_notes(frame, path, items="x_{item}").notes
    assert "odd_flag: 2 of 4 rows are with missing answers counted as no point from 2 of 3 answers." in notes
    assert "odd_free: 1 of 4 rows have no score because a score that it is made of is missing." in notes


def test_a_mean_is_rescaled_and_rounded_half_up(tmp_path: Path) -> None:
    text = SIX + (
        '[[scores]]\nid = "percent"\nop = "mean"\nitems = [1, 3]\nmultiply = 50\nadd = -50\nrange = [0, 100]\n'
        '[[scores]]\nid = "tenth"\nop = "mean"\nitems = [1, 3, 4, 5]\ndecimals = 1\nrange = [1, 3]\n'
    )
    found = scored(defined(tmp_path, text), [[1, 1, 1, 1, 1, 1], [3, 1, 2, 2, 2, 1], [1, 1, 1, 1, 2, 1]])
    assert found["odd_percent"].tolist() == [0, 75, 0]
    assert found["odd_tenth"].tolist() == [1, 2.3, 1.3]  # 9 / 4 and 5 / 4, halves go up


def test_a_score_made_of_scores_may_have_limits_of_its_own(tmp_path: Path) -> None:
    text = SIX + (
        "[missing]\nmax_missing = 1\nverified = true\n"
        '[[scores]]\nid = "a"\nop = "mean"\nitems = [1, 3]\n[[scores]]\nid = "b"\nop = "mean"\nitems = [4, 5]\n'
        '[[scores]]\nid = "both"\nop = "weighted"\nof = ["a", "b"]\nweights = [1, 1]\n'
        "missing = { verified = true, limits = [{ items = [1, 3, 4, 5], max_missing = 1 }] }\n"
    )
    rows = [[2, 1, 2, 3, 3, 1], [2, 1, nan, 3, 3, nan], [2, 1, nan, 3, nan, 1], [nan, 1, nan, 3, 3, 1]]
    path = defined(tmp_path, text)
    found = scored(path, rows)
    assert found["odd_a"].isna().tolist() == [False, False, False, True]
    assert found["odd_both"].tolist()[:2] == [5, 5]
    assert found["odd_both"].isna().tolist() == [False, False, True, True]
    frame = pd.DataFrame(rows, columns=[f"x_{k}" for k in range(1, 7)])
    notes = score_with_notes(frame, path, items="x_{item}").notes
    assert (
        "odd_both: 2 of 4 rows have no score because a score that it is made of is missing or more than 1 of 4 items "
        "were left out." in notes
    )


def test_a_table_reads_the_points_of_its_score(tmp_path: Path) -> None:
    text = SIX + (
        '[[scores]]\nid = "raw"\nop = "sum"\nitems = [1, 2]\n'
        "points = [{ items = [1], codes = { 1 = 2, 2 = 1, 3 = 0 } }]\n"
        '[[scores]]\nid = "T"\nop = "table"\nof = ["raw"]\n'
        '[[scores.tables]]\nsource = "x"\nverified = true\nrows = [[1, 30], [2, 40], [3, 50], [4, 60], [5, 70]]\n'
    )
    found = scored(defined(tmp_path, text), [[1, 1, 1, 1, 1, 1], [3, 3, 1, 1, 1, 1], [2, 2, 1, 1, 1, 1]])
    assert found["odd_T"].tolist() == [70, 30, 50]


def test_limits_on_other_items_take_a_score_away(tmp_path: Path) -> None:
    text = SIX + (
        "[missing]\nmax_missing = 1\nverified = true\nlimits = [{ items = [1, 2, 3, 4, 5, 6], max_missing = 2 }]\n"
        '[[scores]]\nid = "part"\nop = "mean"\nitems = [1, 3]\n'
        '[scores.bands]\nsource = "x"\nverified = true\nrows = [[1, 1.9, "low"], [2, 3, "high"]]\n'
    )
    rows = [[2, nan, 2, nan, 1, 1], [2, nan, 2, nan, nan, 1], [2, nan, nan, 1, 1, 1], [2, nan, nan, nan, 1, 1]]
    path = defined(tmp_path, text)
    found = scored(path, rows)
    assert found["odd_part"].isna().tolist() == [False, True, False, True]
    assert found["odd_part_band"].isna().tolist() == [False, True, False, True]
    notes = score_with_notes(pd.DataFrame(rows, columns=[f"x_{k}" for k in range(1, 7)]), path, items="x_{item}").notes
    assert "odd_part: 2 of 4 rows have no score because more than 2 of 6 items were left out." in notes


TABLE = SIX + (
    '[[variants]]\nname = "young"\nnote = "x"\n[[variants]]\nname = "old"\nnote = "x"\n'
    '[[gates]]\nasks = [3]\nvariant = "old"\notherwise = 1\n'
    '[[scores]]\nid = "raw"\nop = "sum"\nitems = [1, 3]\n'
    '[[scores]]\nid = "T"\nop = "table"\nof = ["raw"]\n'
    '[[scores.tables]]\nvariant = "young"\nsource = "x"\nverified = true\n'
    "rows = [[2, 30.5, 4.0], [3, 40.0, 3.0], [4, 50.0, 2.0], [5, 60.0, 3.0], [6, 70.0, 4.0]]\n"
    '[[scores.tables]]\nvariant = "old"\nsource = "x"\nverified = true\n'
    "rows = [[2, 31.5, 4.5], [3, 41.0, 3.5], [4, 51.0, 2.5], [5, 61.0, 3.5], [6, 71.0, 4.5]]\n"
    '[[scores.bands]]\nsource = "x"\nverified = true\nrows = [[30, 49.9, "low"], [50, 71, "high"]]\n'
)


def test_a_table_follows_the_variant_and_carries_its_error(tmp_path: Path) -> None:
    path = defined(tmp_path, TABLE)
    rows = [[1, 1, 1, 1, 1, 1], [3, 1, 2, 1, 1, 1], [2, 1, nan, 1, 1, 1]]
    young = scored(path, rows, variant="young")
    assert young["odd_T"].tolist()[:2] == [30.5, 60.0]
    assert young["odd_T_se"].tolist()[:2] == [4.0, 3.0]
    assert young["odd_T_band"].tolist()[:2] == ["low", "high"]
    assert young[["odd_raw", "odd_T", "odd_T_se", "odd_T_band"]].iloc[2].isna().all()
    old = scored(path, rows, variant="old")
    assert old["odd_T"].tolist() == [31.5, 61.0, 41.0]  # item 3 is not asked of the old


def test_a_column_names_the_variant_of_each_row(tmp_path: Path) -> None:
    path = defined(tmp_path, TABLE)
    frame = pd.DataFrame([[1, 1, 1, 1, 1, 1]] * 4, columns=[f"x_{k}" for k in range(1, 7)], index=[7, 7, 1, 2])
    frame["age"] = ["old", "young", "young", "old"]
    found = score_with_notes(frame, path, items="x_{item}", variant="age")
    assert found.frame["odd_T"].tolist() == [31.5, 30.5, 30.5, 31.5]
    assert found.frame.index.tolist() == [7, 7, 1, 2]
    assert found.columns[:3] == ("odd_raw", "odd_raw_answered", "odd_T")
    with pytest.raises(InstrumentError, match="names no variant in 1 of 4 rows"):
        sw.score(frame.assign(age=["old", "young", "young", "middle"]), path, items="x_{item}", variant="age")
    with pytest.raises(InstrumentError, match="neither a variant of the instrument nor a column"):
        sw.score(frame, path, items="x_{item}", variant="yuong")
    with pytest.raises(InstrumentError, match="for data in memory only"):
        sw.score(pl.from_pandas(frame).lazy(), path, items="x_{item}", variant="age")
    with pytest.raises(InstrumentError, match="has no variants"):
        sw.score(pd.DataFrame({f"p{k}": [0] for k in range(1, 10)}), "phq9", items="p{item}", variant="old")


def test_without_a_variant_its_scores_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    frame = pd.DataFrame([[1, 1, 1, 1, 1, 1]], columns=[f"x_{k}" for k in range(1, 7)])
    found = score_with_notes(frame, defined(tmp_path, TABLE), items="x_{item}")
    assert "odd_T" not in found.frame
    assert 'odd: odd_T not computed: name the variant ("young", "old") with variant=.' in found.notes


def test_another_numbering_brings_the_items_back_to_ours(tmp_path: Path) -> None:
    text = SIX + (
        '[[orders]]\nname = "other"\nnote = "x"\nitems = [6, 5, 4, 3, 2, 1]\n'
        '[[scores]]\nid = "first"\nop = "sum"\nitems = [1]\n[[scores]]\nid = "second"\nop = "sum"\nitems = [2]\n'
    )
    path = defined(tmp_path, text)
    frame = pd.DataFrame([[1, 1, 1, 1, 1, 3]], columns=[f"x_{k}" for k in range(1, 7)])
    found = sw.score(frame, path, items="x_{item}", order="other")
    assert (found["odd_first"].iloc[0], found["odd_second"].iloc[0]) == (3, 3)
    listed = sw.score(frame, path, items=[f"x_{k}" for k in range(1, 7)], order="other")
    assert listed.equals(found)
    with pytest.raises(InstrumentError, match='no order "othr"'):
        sw.score(frame, path, items="x_{item}", order="othr")


def test_answers_that_ask_for_action_are_counted(tmp_path: Path) -> None:
    text = SIX + (
        '[[scores]]\nid = "total"\nop = "sum"\nitems = [1, 3]\n'
        '[[safety]]\nitem = 4\nat_least = 2\nnote = "x"\n[[safety]]\nscore = "total"\nat_least = 5\nnote = "x"\n'
    )
    found = scored(
        defined(tmp_path, text),
        [[1, 1, 1, 1, 1, 1], [3, 1, 2, 3, 1, 1], [1, 1, 1, 2, 1, 1], [nan, 1, 1, nan, 1, 1], [3, 1, 3, nan, 1, 1]],
    )
    assert found["odd_safety"].tolist()[:3] == [0, 2, 1]
    assert np.isnan(found["odd_safety"].iloc[3])
    assert found["odd_safety"].iloc[4] == 1


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("[[points]]\nitems = [2]\ncodes = { 1 = 1, 2 = 2, 3 = 3 }", "is reversed already"),
        ("[[points]]\nitems = [1]\ncodes = { 1 = 1, 2 = 2 }", 'do not say what 3 counts, a code of item "1"'),
        ("[[points]]\nitems = [9]\ncodes = { 1 = 1 }", 'there is no item "9"'),
        ('[[scores]]\nid = "b"\nop = "table"\nof = ["a"]', "tables: is missing"),
        ('[[scores]]\nid = "b"\nop = "table"\n', "of: is missing"),
        ('[[scores]]\nid = "b"\nop = "weighted"\nof = ["c"]\nweights = [1]', 'there is no score "c" before this one'),
        ('[[scores]]\nid = "b"\nop = "weighted"\nof = ["a"]\nweights = [1, 2]', "must be 1 numbers"),
        ('[[scores]]\nid = "b"\nop = "weighted"\nof = ["a"]\nweights = [1]\ncap = 3', "is decided by the scores"),
        (
            '[[scores]]\nid = "b"\nop = "weighted"\nof = ["a"]\nweights = [1]\nmissing = { max_missing = 1 }',
            "missing: is decided by the scores",
        ),
        ('[[scores]]\nid = "b"\nop = "sum"\nof = ["a"]', 'is for scores with op "table" or "weighted"'),
        ('[[scores]]\nid = "b"\nop = "mean"\nmissing = { max_missing = 1, fill = "zero" }', "applies to sums only"),
        (
            '[[scores]]\nid = "b"\nop = "sum"\nmissing = { max_missing = 1, fill = "mode" }',
            "none of the possible values",
        ),
        ('[[scores]]\nid = "b"\nop = "any"\nmissing = { max_missing = 1 }', 'must be "zero"'),
        ('[[scores]]\nid = "b"\nop = "sum"\nmissing = { limits = [{ items = [1], max_missing = 1 }] }', "at least one"),
        ('[[orders]]\nname = "o"\nnote = "x"\nitems = [1, 2]', "must name every item once"),
        ("[[gates]]\nasks = [1]\notherwise = 1", "give either when_any"),
        ('[[gates]]\nasks = [1]\notherwise = 1\nvariant = "v"', 'there is no variant "v"'),
        ('[[safety]]\nitem = 1\nscore = "a"\nat_least = 1\nnote = "x"', "give either an item or a score"),
        ('[[safety]]\nscore = "z"\nat_least = 1\nnote = "x"', 'there is no score "z"'),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, wrong: str, expected: str) -> None:
    text = SIX + '[[scores]]\nid = "a"\nop = "sum"\n' + wrong + "\n"
    with pytest.raises(InstrumentError) as caught:
        instrument(defined(tmp_path, text))
    assert expected in str(caught.value)
