"""Answers that do not fit are refused with column, count and likely cause; what was done is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import sweval as sw
from sweval.errors import DataError, InstrumentError
from sweval.scoring.score import score_with_notes

PHQ = [f"phq_{i}" for i in range(1, 10)]
LABELS = ["never", "some days", "most days", "every day"]


def phq(rows: int = 40, seed: int = 3) -> pd.DataFrame:
    """Return answers that hang together, so that nothing looks odd about them."""
    rng = np.random.default_rng(seed)
    person = rng.normal(0, 1, (rows, 1))
    answers = np.clip(np.round(1.2 + person + rng.normal(0, 0.7, (rows, 9))), 0, 3)
    return pd.DataFrame(answers.astype(int), columns=PHQ)


@pytest.fixture(params=["pandas", "polars", "polars lazy", "duckdb"])
def into(request: pytest.FixtureRequest) -> Callable[[pd.DataFrame], Any]:
    """Whatever is refused is refused on every path."""

    def convert(frame: pd.DataFrame) -> Any:
        if request.param == "pandas":
            return frame
        table = pl.from_pandas(frame)
        if request.param == "polars":
            return table
        if request.param == "polars lazy":
            return table.lazy()
        import duckdb

        return duckdb.from_arrow(table.to_arrow())

    return convert


def collected(scored: Any) -> pl.DataFrame:
    if isinstance(scored, pd.DataFrame):
        return pl.from_pandas(scored)
    return (
        scored.collect()
        if isinstance(scored, pl.LazyFrame)
        else scored
        if isinstance(scored, pl.DataFrame)
        else scored.pl()
    )


def refusal(frame: Any, **keywords: Any) -> str:
    with pytest.raises(InstrumentError) as caught:
        sw.score(frame, "phq9", **{"items": "phq_{item}", **keywords})
    return str(caught.value)


def test_codes_from_1_to_4_are_refused_and_the_coding_is_named(into: Callable[..., Any]) -> None:
    frame = phq()
    message = refusal(into(frame + 1))
    counts = (frame == 3).sum()
    assert f"phq_1 ({counts['phq_1']} rows)" in message
    assert "and 4 more" in message
    assert "The answers run from 1 to 4." in message
    assert 'look coded 1 to 4 where 0 to 3 is expected: pass coding="1-4".' in message
    shifted = collected(sw.score(into(frame + 1), "phq9", items="phq_{item}", coding="1-4"))
    assert shifted["phq9_total"].to_list() == frame.sum(axis=1).tolist()


def test_99_is_refused_with_the_way_to_declare_it(into: Callable[..., Any]) -> None:
    frame = phq()
    frame.loc[[2, 5], "phq_3"] = 99
    message = refusal(into(frame))
    assert "answers outside 0 to 3 in phq_3 (2 rows)" in message
    assert "If 99 is a missing code, pass missing=(99,)." in message
    scored = collected(sw.score(into(frame), "phq9", items="phq_{item}", missing=(9, 99)))
    assert scored["phq9_total_answered"].to_list() == [8 if row in (2, 5) else 9 for row in range(len(frame))]
    rest = frame.loc[2, [name for name in PHQ if name != "phq_3"]].sum()
    assert scored["phq9_total"][2] == rest * 9 / 8


def test_another_coding_and_a_missing_code_are_told_together(into: Callable[..., Any]) -> None:
    frame = phq() + 1
    frame.loc[0, "phq_2"] = 99
    message = refusal(into(frame))
    assert 'pass coding="1-4"' in message
    assert "missing=(99,)" in message


def test_codes_far_from_any_questionnaire_are_not_printed() -> None:
    frame = phq()
    frame["phq_4"] = np.arange(40) * 1_000_003
    message = refusal(frame)
    assert "phq_4 (39 rows)" in message
    assert "1000003" not in message
    assert "run from" not in message


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_what_no_questionnaire_can_hold_is_refused(into: Callable[..., Any], value: float) -> None:
    frame = phq().astype(float)
    frame.loc[[3, 4], "phq_2"] = value
    assert "answers outside 0 to 3 in phq_2 (2 rows). Check which columns hold the items" in refusal(into(frame))


def test_a_missing_code_may_be_written_in_any_way(into: Callable[..., Any]) -> None:
    frame = phq()
    frame.loc[0, "phq_1"] = -9
    for missing in (-9, (-9.0,), ["-9"], (-9, float("nan"))):
        scored = collected(sw.score(into(frame), "phq9", items="phq_{item}", missing=missing))
        assert scored["phq9_total_answered"].to_list() == [8, *[9] * 39]


def test_fractions_are_refused(into: Callable[..., Any]) -> None:
    frame = phq().astype(float)
    frame.loc[[1, 2, 3], "phq_5"] = 1.5
    assert "answers are fractions in phq_5 (3)" in refusal(into(frame))


def test_text_is_refused_until_it_is_declared(into: Callable[..., Any]) -> None:
    frame = phq()
    digits, labels = frame.astype(str), frame.apply(lambda column: column.map(dict(enumerate(LABELS))))
    assert "stored as text" in refusal(into(digits)) or "text, not answer codes" in refusal(into(digits))
    message = refusal(into(labels))
    assert "hold text, not answer codes" in message
    assert "every day" not in message
    expected = frame.sum(axis=1).tolist()
    as_text = {str(code): code for code in range(4)}
    for answers, coding in [(digits, as_text), (labels, {label: code for code, label in enumerate(LABELS)})]:
        blank = answers.mask(answers.index.to_series() == 7, " ")
        scored = collected(sw.score(into(blank), "phq9", items="phq_{item}", coding=coding))
        total = scored["phq9_total"].to_list()
        assert total[:7] + total[8:] == expected[:7] + expected[8:]
        assert total[7] is None or np.isnan(total[7])


def test_a_label_that_was_not_declared_is_refused(into: Callable[..., Any]) -> None:
    labels = phq().apply(lambda column: column.map(dict(enumerate(LABELS))))
    message = refusal(into(labels), coding={"never": 0, "some days": 1, "most days": 2})
    assert "rows" in message
    assert "Add what is lacking to coding=" in message


def test_a_table_reads_the_same_from_python_and_from_a_study_file(into: Callable[..., Any]) -> None:
    frame = phq()
    upside_down = 9 - frame
    expected = frame.sum(axis=1).tolist()
    for coding in ({9: 0, 8: 1, 7: 2, 6: 3}, {"9": 0, "8": 1, "7": 2, "6": 3}, "9-6"):
        scored = collected(sw.score(into(upside_down), "phq9", items="phq_{item}", coding=coding))
        assert scored["phq9_total"].to_list() == expected


def test_a_coding_of_the_instrument_goes_by_its_name(into: Callable[..., Any]) -> None:
    form = pd.DataFrame(
        {"HH3": [1, 2, 3, 3], "HH4": [2, 3, 3, 3], "AD1": [1, 2, 2, 1], "AD1a": [1, np.nan, np.nan, 3]}
        | {"AD2": [1, 2, np.nan, 2], "AD3": [1, 2, np.nan, np.nan]}
    )
    scored = collected(sw.score(into(form), "hfssm6", items="{item}", coding="form"))
    assert scored["hfssm6_total"].to_list()[:3] == [6.0, 1.0, 0.0]
    assert scored["hfssm6_total_answered"].to_list() == [6, 6, 6, 5]


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"coding": "0-4"}, 'coding="0-4" has 5 codes, but item 1 has 4: 0, 1, 2, 3.'),
        ({"coding": "high"}, 'coding="high" is not understood.'),
        ({"coding": {1: 7}}, "coding leads to 7, which is no code of the instrument."),
        ({"coding": {}}, "coding is empty."),
        ({"missing": (3,)}, "3 is given as a missing code but is an answer code of phq_1"),
        ({"items": 5}, "items must be a pattern or a list of columns, not int."),
        ({"items": "phq"}, 'items="phq" is no pattern'),
        ({"items": "{item}_{item}"}, "is no pattern with one place for the item"),
        ({"items": "{item.__class__}"}, "is no pattern"),
        ({"items": PHQ[:8]}, "items lists 8 columns, but the instrument has 9 items."),
        ({"items": [*PHQ[:8], "phq_1"]}, "items lists phq_1 more than once."),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused(keywords: dict[str, Any], expected: str) -> None:
    assert expected in refusal(phq(), **keywords)


def test_patterns_pad_numbers_and_take_ids_literally() -> None:
    frame = phq()
    padded = frame.set_axis([f"q[{i:02d}]*" for i in range(1, 10)], axis=1)
    assert sw.score(padded, "phq9", items="q[{item:02d}]*")["phq9_total"].equals(
        sw.score(frame, "phq9", items=PHQ)["phq9_total"]
    )
    with pytest.raises(InstrumentError, match='item "HH3" is no number'):
        sw.score(frame, "hfssm6", items="{item:02d}")


def test_absent_columns_are_named(into: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match=r"phq9: the data have no column 'phq_9'"):
        sw.score(into(phq().drop(columns="phq_9").assign(phq9=1)), "phq9", items="phq_{item}")


def test_a_score_column_is_never_overwritten(into: Callable[..., Any]) -> None:
    message = refusal(into(phq().assign(phq9_total_band="x")))
    assert "the data have the column phq9_total_band already" in message


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(DataError, match="a list is no data frame"):
        sw.score([1, 2], "phq9", items="phq_{item}")


def test_dates_are_refused(into: Callable[..., Any]) -> None:
    frame = phq().assign(phq_2=pd.Timestamp("2024-01-01"))
    assert "phq_2 holds neither numbers nor text" in refusal(into(frame))


def test_truth_values_are_codes_0_and_1(into: Callable[..., Any]) -> None:
    frame = pd.DataFrame({name: [True, False] for name in ["HH3", "HH4", "AD1", "AD1a", "AD2", "AD3"]})
    scored = collected(sw.score(into(frame), "hfssm6", items="{item}"))
    assert scored["hfssm6_total"].to_list() == [6.0, 0.0]


def test_a_column_without_any_answer_is_missing_throughout() -> None:
    frame = phq().assign(phq_1=None)
    for table in (frame, pl.from_pandas(frame), pl.from_pandas(frame).with_columns(phq_1=pl.lit(None))):
        assert set(sw.score(table, "phq9", items="phq_{item}")["phq9_total_answered"].to_list()) == {8}


def test_unsigned_wide_and_decimal_numbers_are_codes() -> None:
    frame = pl.from_pandas(phq())
    expected = sw.score(frame, "phq9", items="phq_{item}")["phq9_total"]
    for kind in (pl.UInt8, pl.UInt64, pl.Float32, pl.Decimal(10, 2)):
        assert sw.score(frame.cast(kind), "phq9", items="phq_{item}")["phq9_total"].equals(expected)
    assert sw.score(frame.cast(pl.Float64).fill_null(np.nan), "phq9", items="phq_{item}")["phq9_total"].equals(expected)


def test_notes_count_what_was_done(into: Callable[..., Any]) -> None:
    frame = phq().astype(float)
    frame.loc[[0, 1], "phq_1"] = 99
    frame.loc[1, "phq_2"] = 9
    frame.loc[4, PHQ[:5]] = np.nan
    notes = score_with_notes(into(frame), "phq9", items="phq_{item}", missing=(9, 99)).notes
    assert notes == (
        "phq9: 1 answer with the code 9 was read as missing.",
        "phq9: 2 answers with the code 99 were read as missing.",
        "phq9_total: 2 of 40 rows are prorated from 7 or 8 of 9 answers.",
        "phq9_total: 1 of 40 rows have no score because fewer than 7 of 9 items were answered.",
    )


def test_an_unchecked_rule_is_named_when_it_was_used() -> None:
    fad = pd.DataFrame(np.tile([3.0, 2.0] * 6, (3, 1)), columns=[f"f{i}" for i in range(1, 13)])
    fad.iloc[0, 0] = np.nan
    notes = score_with_notes(fad, "fad_gf", items="f{item}").notes
    assert notes == (
        "fad_gf_total: 1 of 3 rows are prorated from 11 of 12 answers; this rule was not checked against a source.",
    )


def test_odd_answers_are_noted(into: Callable[..., Any]) -> None:
    frame = phq().clip(1, 3).assign(phq_6=2)
    notes = score_with_notes(into(frame), "phq9", items="phq_{item}").notes
    assert "phq9: every answer is the same in phq_6." in notes
    assert any(note.startswith("phq9: nobody gave the lowest answer (0)") and 'coding="1-4"' in note for note in notes)
    assert not score_with_notes(into(phq()), "phq9", items="phq_{item}").notes


def test_an_item_that_runs_against_the_others_is_noted() -> None:
    frame = phq(200)
    assert not score_with_notes(frame, "phq9", items="phq_{item}").notes
    frame["phq_7"] = 3 - frame["phq_7"]
    (note,) = score_with_notes(frame, "phq9", items="phq_{item}").notes
    assert note.startswith("phq9_total: phq_7 runs against the other items.")


def test_gates_tell_not_asked_from_not_answered() -> None:
    frame = pd.DataFrame(
        [[0, 0, 0, None, None, None], [1, 0, 0, None, 0, 0], [0, 0, 1, None, 1, 1]],
        columns=["HH3", "HH4", "AD1", "AD1a", "AD2", "AD3"],
        dtype=float,
    )
    scored = score_with_notes(frame, "hfssm6", items="{item}")
    assert scored.frame["hfssm6_total"].tolist()[:2] == [0.0, 1.0]
    assert np.isnan(scored.frame["hfssm6_total"].iloc[2])
    assert scored.notes == (
        "hfssm6: 2 answers to AD1a not asked for, by the screening questions; counted as 0.",
        "hfssm6: 2 answers to AD2, AD3 not asked for, by the screening questions; counted as 0.",
        "hfssm6_total: 1 of 3 rows have no score because not all 6 items were answered.",
    )


def test_every_code_outside_is_named_with_its_count(into: Callable[..., Any]) -> None:
    frame = phq()
    frame.loc[[2, 5], "phq_3"] = -1
    frame.loc[7, "phq_4"] = -1
    frame.loc[1, "phq_4"] = 33
    message = refusal(into(frame))
    assert "The answers run from -1 to 33." in message
    assert "If -1 (3 answers) and 33 (1 answer) are missing codes, pass missing=(-1, 33)." in message
    scored = collected(sw.score(into(frame), "phq9", items="phq_{item}", missing=(-1, 33)))
    assert scored["phq9_total_answered"].to_list() == [8 if row in (1, 2, 5, 7) else 9 for row in range(len(frame))]


def test_missing_codes_that_are_declared_stay_in_the_advice() -> None:
    frame = phq()
    frame.loc[2, "phq_3"] = 99
    assert "If 99 is a missing code, pass missing=(9, 99)." in refusal(frame, missing=[9])


def test_a_few_cells_of_text_are_counted_and_not_called_labels() -> None:
    frame = phq()
    frame["phq_4"] = frame["phq_4"].astype(str)
    frame.loc[[3, 8], "phq_4"] = "canary"
    message = refusal(frame)
    assert "some cells are no whole numbers in phq_4 (2 of 40 answers)" in message
    assert "canary" not in message
    assert "label" not in message


def test_columns_listed_in_another_order_than_their_numbers_are_pointed_out() -> None:
    names = [f"phq_{k}" for k in (1, 2, 4, 3, 5, 6, 7, 8, 9)]
    frame = pd.DataFrame([[0] * 9], columns=names)
    notes = score_with_notes(frame, "phq9", items=names).notes
    assert any(note.startswith("Check: phq9") and "phq_3 stands after phq_4" in note for note in notes)
    for fine in ([f"phq_{k}" for k in range(1, 10)], [f"q{k}_mood" for k in range(10, 100, 10)], list("abcdefghi")):
        listed = score_with_notes(frame.set_axis(fine, axis=1), "phq9", items=fine).notes
        assert not any("stands after" in note for note in listed)


def test_what_to_do_with_yes_and_no_stored_as_one_and_two_is_asked_not_guessed() -> None:
    frame = pd.DataFrame([[1] * 10, [2] * 10], columns=[f"x{k}" for k in range(1, 11)])
    with pytest.raises(InstrumentError, match='The answers fit coding="yes1_no2"'):
        sw.score(frame, "ace10", items="x{item}")
    unnamed = dataclasses.replace(sw.instrument("ace10"), codings=())
    with pytest.raises(InstrumentError, match=r"coding=\{1: 1, 2: 0\} if 1 stands for 1"):
        sw.score(frame, unnamed, items="x{item}")
    with pytest.raises(InstrumentError, match="does not say which of two answers is which"):
        sw.score(frame, "ace10", items="x{item}", coding="1-2")
    assert sw.score(frame, "ace10", items="x{item}", coding={1: 1, 2: 0})["ace10_total"].tolist() == [10, 0]


def test_a_coding_of_the_instrument_that_fits_is_named_and_frequent_answers_are_not_called_missing() -> None:
    frame = pd.DataFrame([[1] * 6, [5] * 6, [3] * 6], columns=[f"x{k}" for k in range(1, 7)])
    with pytest.raises(InstrumentError, match='The answers fit coding="five"'):
        sw.score(frame, "djg6", items="x{item}")
    twos = pd.DataFrame([[2] * 8] * 3, columns=list("abcdefgh"))
    with pytest.raises(InstrumentError) as caught:
        sw.score(twos, dataclasses.replace(sw.instrument("fies8"), codings=()), items=list("abcdefgh"))
    assert "missing=" not in str(caught.value)


def test_who_answered_an_item_was_asked_whatever_the_screen_says() -> None:
    names = [f"x{k}" for k in range(1, 11)]
    rows = [[0, None, None, 3, None, 3, 4, 4, 4, 4], [0] + [None] * 7 + [0, 0], [0, 0, 0] + [None] * 5 + [2, 4]]
    scored = sw.score(pd.DataFrame(rows, columns=names), "audit", items="x{item}")
    assert scored["audit_total"].isna().tolist() == [True, False, False]
    assert scored["audit_total"].tolist()[1:] == [0, 6]


def test_missing_may_be_none_and_objects_may_hold_na_and_decimals() -> None:
    columns = [f"x{k}" for k in range(1, 8)]
    frame = pd.DataFrame([[1] * 7, [Decimal(2)] * 7, [pd.NA] + [0] * 6], columns=columns, dtype=object)
    assert sw.score(frame, "gad7", items="x{item}", missing=None)["gad7_total"].tolist()[:2] == [7, 14]
