"""A yes/no outcome in a study file: the same numbers as in Python, in the report, and mistakes with their place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

import sweval as sw
from sweval.errors import StudyError

Writer = Callable[..., Path]

YES_NO = """
[study]
title = "Seen soon"
data = "clients.csv"
client = "id"
wave = "wave"

[[comparisons]]
name = "Staff training"
kind = "cluster_robust"
service = "training"
fixed = "arm"
cluster = "agency"
family = "binomial"
outcome_wave = "post"
reference = { arm = "usual" }

[[outcomes]]
column = "seen_soon"
better = "higher"
"""


@pytest.fixture
def seen(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(seen_soon=(rows["days_waited"] < 10).astype(int))


def test_a_study_file_gives_what_python_gives(seen: pd.DataFrame, write_study: Writer) -> None:
    result = sw.Study.read(write_study(seen, YES_NO)).run()
    model = sw.ClusterRobust(
        fixed="arm", cluster="agency", family="binomial", reference={"arm": "usual"}, wave="wave", outcome_wave="post"
    )
    wanted = model.fit(seen, "seen_soon", better="higher")
    assert [(row.term, row.measure, row.estimate, row.conf_low) for row in result.estimates] == [
        (row.term, row.measure, row.estimate, row.conf_low) for row in wanted.estimates
    ]
    assert {"risk_difference", "risk_ratio", "odds_ratio", "nnt"} <= {row.measure for row in result.estimates}


def test_its_rows_reach_the_report(seen: pd.DataFrame, write_study: Writer, tmp_path: Path) -> None:
    sw.report(sw.Study.read(write_study(seen, YES_NO)).run(), tmp_path / "out", formats=["html"])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "logistic regression" in page
    assert "arm[training]" in page


def test_an_outcome_is_called_by_its_label_in_the_file(seen: pd.DataFrame, tmp_path: Path) -> None:
    pyreadstat.write_sav(
        seen, str(tmp_path / "clients.sav"), column_labels={"seen_soon": "Seen within ten days", "arm": "Arm"}
    )
    path = tmp_path / "study.toml"
    path.write_text(YES_NO.replace("clients.csv", "clients.sav"), encoding="utf-8")
    result = sw.Study.read(path).run()
    assert dict(result.labels) == {"seen_soon": "Seen within ten days"}
    assert {row.outcome for row in result.estimates} == {"seen_soon"}
    sw.report(result, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "on Seen within ten days, &quot;training&quot; had the event" in page
    assert "Seen within ten days: column seen_soon, higher is better." in page


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('family = "binomial"', 'family = "logit"', 'family = "logit" is unknown'),
        ('family = "binomial"', 'family = "binomial"\nabsorb = "agency"', "absorbed"),
        ('column = "seen_soon"', 'column = "days_waited"', "neither 0 nor 1"),
        ('family = "binomial"', 'family = "binomial"\ncorelation = "exchangeable"', "unknown key"),
    ],
)
def test_mistakes_are_named(old: str, new: str, said: str, seen: pd.DataFrame, write_study: Writer) -> None:
    with pytest.raises(StudyError) as caught:
        sw.Study.read(write_study(seen, YES_NO.replace(old, new))).run()
    assert said in str(caught.value)
