"""A comparison is fitted to the outcomes it names, or to all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.errors import StudyError
from sweval.study import Study

FILE = """
[study]
title = "T"
data = "clients.csv"

[[comparisons]]
name = "Adjusted"
kind = "two_group"
arm = "arm"
treated = "a"
control = "b"
baseline = "before"
{first}

[[comparisons]]
name = "Plain"
kind = "two_group"
arm = "arm"
treated = "a"
control = "b"
{second}

[[outcomes]]
column = "y"
better = "higher"

[[outcomes]]
column = "z"
better = "lower"
"""


def study(folder: Path, first: str = "", second: str = "") -> Study:
    rng = np.random.default_rng(3)
    before = rng.normal(size=40)
    frame = pd.DataFrame({"arm": ["a", "b"] * 20, "before": before, "y": before + rng.normal(size=40)})
    frame.assign(z=rng.normal(size=40)).to_csv(folder / "clients.csv", index=False)
    path = folder / "study.toml"
    path.write_text(FILE.format(first=first, second=second), encoding="utf-8")
    return Study.read(path)


@pytest.mark.parametrize(
    ("first", "second", "pairs"),
    [
        ("", "", {("Adjusted", "y"), ("Adjusted", "z"), ("Plain", "y"), ("Plain", "z")}),
        ('outcomes = ["y"]', "", {("Adjusted", "y"), ("Plain", "y"), ("Plain", "z")}),
        ('outcomes = ["y"]', 'outcomes = ["z"]', {("Adjusted", "y"), ("Plain", "z")}),
    ],
)
def test_which_outcomes_are_fitted(tmp_path: Path, first: str, second: str, pairs: set[tuple[str, str]]) -> None:
    tidy = study(tmp_path, first, second).run().tidy()
    assert set(tidy[["comparison", "outcome"]].dropna().itertuples(index=False, name=None)) == pairs


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ('outcomes = ["yy"]', "", 'comparisons.1.outcomes.*there is no outcome "yy"'),
        ('outcomes = "y"', "", "must be a list of names"),
        ('outcomes = ["y"]', 'outcomes = ["y"]', "no comparison names it"),
    ],
)
def test_what_is_refused(tmp_path: Path, first: str, second: str, said: str) -> None:
    with pytest.raises(StudyError, match=said.replace("comparisons.1", r"comparisons\S*")):
        study(tmp_path, first, second)
