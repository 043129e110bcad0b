"""A mixed model in a study file: its random terms are a table, and its rows reach the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import sweval as sw
from sweval.errors import StudyError

Writer = Callable[..., Path]

MIXED = """
[study]
title = "Growth"
data = "clients.csv"
client = "id"
wave = "wave"

[[comparisons]]
name = "Waves"
kind = "mixed_model"
service = "training"
fixed = "arm * wave"
reference = { arm = "usual", wave = "pre" }

[comparisons.random]
agency = "1"
"agency/id" = "1"

[[outcomes]]
column = "days_waited"
better = "lower"
"""


def test_a_mixed_model_in_a_study_file(rows: pd.DataFrame, write_study: Writer) -> None:
    result = sw.Study.read(write_study(rows, MIXED)).run()
    model = sw.MixedModel.formula(
        "days_waited ~ arm * wave + (1 | agency) + (1 | agency:id)", reference={"arm": "usual", "wave": "pre"}
    )
    wanted = model.fit(rows)
    assert [(row.term, row.measure, row.estimate, row.df) for row in result.estimates] == [
        (row.term, row.measure, row.estimate, row.df) for row in wanted.estimates
    ]
    assert {row.comparison for row in result.estimates} == {"Waves"}
    assert all(note.startswith(("clients.csv: ", "Waves, days_waited: ")) for note in result.notes)


def test_its_rows_reach_the_report(rows: pd.DataFrame, write_study: Writer, tmp_path: Path) -> None:
    path = write_study(rows, MIXED)
    sw.report(sw.Study.read(path).run(), tmp_path / "out", formats=["html"])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "agency: (Intercept)" in page
    assert "standard deviation" in page


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('agency = "1"', "agency = 1", "comparisons[1].random"),
        ('"agency/id" = "1"', '"agency/id" = "log(x)"', "at character 4"),
        ('"agency/id" = "1"', 'agencies = "1"', "agencies"),
        ('"agency/id" = "1"', 'arm = "1 | wave"', "a single bar"),
        ('fixed = "arm * wave"', 'fixed = "arm * wave"\nresidual = "ar1(wave)"', "should read like"),
        ('fixed = "arm * wave"', 'fixed = "arm * wave"\nrandon = "1"', "unknown key"),
        ('fixed = "arm * wave"', 'fixed = "y ~ arm"', 'fixed names the outcome "y"'),
    ],
)
def test_mistakes_are_named_with_their_place(
    old: str, new: str, said: str, rows: pd.DataFrame, write_study: Writer
) -> None:
    with pytest.raises(StudyError) as caught:
        sw.Study.read(write_study(rows, MIXED.replace(old, new))).run()
    assert said in str(caught.value)


def test_reused_ids_are_refused_in_the_words_of_the_file(rows: pd.DataFrame, write_study: Writer) -> None:
    numbered = rows.assign(id=rows["id"].str[-2:])
    text = MIXED.replace('"agency/id" = "1"', 'id = "1"')
    with pytest.raises(StudyError, match=r'write "agency/id" instead of "id".* crossed = \["id"\]'):
        sw.Study.read(write_study(numbered, text)).run()
    both = text.replace('kind = "mixed_model"', 'kind = "mixed_model"\ncrossed = ["id"]')
    assert sw.Study.read(write_study(numbered, both)).run().estimates
