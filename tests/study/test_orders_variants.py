"""Outcomes whose items are numbered in another way, and whose tables depend on who answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sweval as sw
from sweval.errors import StudyError

Writer = Callable[..., Path]

STUDY = """
[study]
title = "Orders"
data = "clients.csv"
client = "id"
wave = "wave"

[[comparisons]]
name = "Staff training"
kind = "cluster_trial"
service = "training"
arm = "arm"
treated = "training"
control = "usual"
cluster = "agency"
baseline = "pre"

[[outcomes]]
"""
DESIGN = sw.ClusterTrial(
    name="Staff training",
    service="training",
    arm="arm",
    treated="training",
    control="usual",
    cluster="agency",
    client="id",
    wave="wave",
    baseline="pre",
)
LONELY = 'instrument = "djg6"\nitems = "q_{item}"\norder = "form"\n'
MONEY = 'instrument = "cfpb_fwb10"\nitems = "q_{item}"\n'


@pytest.fixture
def lonely(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(**{f"q_{i}": np.clip(rows[f"phq_{i}"], 0, 2) + 1 for i in range(1, 7)})


@pytest.fixture
def money(rows: pd.DataFrame) -> pd.DataFrame:
    items = {f"q_{i}": rows[f"phq_{i}"] for i in range(1, 10)} | {"q_10": rows["phq_1"]}
    asked = np.where(rows["id"].astype(int) % 3 == 0, "read_62plus", "self_18_61")
    return rows.assign(**items, asked=asked)


def effect(frame: pd.DataFrame, column: str) -> float:
    return DESIGN.fit(frame, column).effect("hedges_g").estimate


def found(result: sw.Result, column: str, measure: str = "hedges_g") -> float:
    (row,) = [row for row in result.estimates if (row.outcome, row.measure) == (column, measure)]
    return row.estimate


def test_items_in_the_order_of_the_form(lonely: pd.DataFrame, write_study: Writer) -> None:
    result = sw.Study.read(write_study(lonely, STUDY + LONELY)).run()
    scored = sw.score(lonely, "djg6", items="q_{item}", order="form")
    assert found(result, "djg6_total") == pytest.approx(effect(scored, "djg6_total"), rel=1e-12)
    # reliability follows the order too: items 4, 5 and 6 are the second, third and fifth of the form
    social = [row for row in result.estimates if row.measure == "item_rest_r" and row.outcome == "djg6_social"]
    assert {row.term for row in social} == {"q_2", "q_3", "q_5"}


@pytest.mark.parametrize("variant", ["asked", "read_18_61"])
def test_a_variant_is_a_name_or_a_column(variant: str, money: pd.DataFrame, write_study: Writer) -> None:
    result = sw.Study.read(write_study(money, f'{STUDY}{MONEY}variant = "{variant}"\n')).run()
    scored = sw.score(money, "cfpb_fwb10", items="q_{item}", variant=variant)
    assert found(result, "cfpb_fwb10_score") == pytest.approx(effect(scored, "cfpb_fwb10_score"), rel=1e-12)


def test_without_a_variant_only_scores_that_need_none_are_analysed(money: pd.DataFrame, write_study: Writer) -> None:
    result = sw.Study.read(write_study(money, STUDY + MONEY)).run()
    assert {row.outcome for row in result.estimates} == {"cfpb_fwb10_raw"}
    assert any("cfpb_fwb10_score not computed: name the variant" in note for note in result.notes)
    with pytest.raises(StudyError, match=r'the score "score" needs a variant\. There are: self_18_61'):
        sw.Study.read(write_study(money, f'{STUDY}{MONEY}scores = ["score"]\n'))


def test_mistakes_have_their_place(money: pd.DataFrame, write_study: Writer) -> None:
    with pytest.raises(StudyError, match=r'outcomes\[1\] \(cfpb_fwb10\): variant = "askd" is neither a variant'):
        sw.Study.read(write_study(money, f'{STUDY}{MONEY}variant = "askd"\n')).run()
    with pytest.raises(StudyError, match=r'outcomes\[1\].order: djg6 has no order "from". Did you mean "form"'):
        sw.Study.read(write_study(money, STUDY + LONELY.replace("form", "from")))
