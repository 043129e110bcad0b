"""Test-retest reliability against R's psych and base functions (tests/reference/reliability), and by simulation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import sweval as sw
from sweval.errors import DesignError

REFERENCE = Path(__file__).parents[2] / "reference" / "reliability"
PRINTED = json.loads((REFERENCE / "omega.json").read_text(encoding="utf-8"))["retest"]
WAVES = {"client": "id", "wave": "wave", "first": "week 1", "second": "week 3"}


@pytest.fixture
def wide() -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "retest.csv")


@pytest.fixture
def long(wide: pd.DataFrame) -> pd.DataFrame:
    frame = wide.melt(id_vars="id", var_name="wave", value_name="phq9_total")
    return frame.assign(wave=frame["wave"].map({"first": "week 1", "second": "week 3"}))


def test_psych_icc_and_paired_t(long: pd.DataFrame) -> None:
    """The same formulae in double precision; R printed 15 digits."""
    result = sw.retest(long, "phq9_total", **WAVES)
    for measure, kind in (("icc_agreement", "agreement"), ("icc_consistency", "consistency")):
        row, printed = result.effect(measure), PRINTED[kind]
        found = (row.estimate, row.conf_low, row.conf_high)
        assert found == pytest.approx((printed["icc"], printed["low"], printed["high"]), rel=1e-9)
    row, printed = result.effect("pearson"), PRINTED["pearson"]
    assert (row.estimate, row.conf_low, row.conf_high) == pytest.approx(tuple(printed.values()), rel=1e-9)
    row, printed = result.effect("mean_change"), PRINTED["change"]
    found = (row.estimate, row.conf_low, row.conf_high)
    assert found == pytest.approx((printed["mean"], printed["low"], printed["high"]), rel=1e-9)
    assert row.p_value == pytest.approx(printed["p"], rel=1e-9)
    assert (row.better, row.n, row.df) == ("lower", 60, 59)


def test_errors_of_measurement_by_hand(wide: pd.DataFrame) -> None:
    change = wide["second"] - wide["first"]
    result = sw.retest(wide, "second", first="first")
    consistency = change.std() / np.sqrt(2)
    assert result.effect("sem_consistency").estimate == pytest.approx(consistency)
    between = change.mean() ** 2 / 2 - consistency**2 / len(change)
    agreement = np.sqrt(consistency**2 + between)
    assert result.effect("sem_agreement").estimate == pytest.approx(agreement)
    detectable = 1.959963984540054 * np.sqrt(2) * agreement
    assert result.effect("smallest_detectable_change").estimate == pytest.approx(detectable)


def test_the_interval_of_the_sem_covers() -> None:
    """Exact for normal errors: 400 draws of 15 clients lie within three standard errors of 95 %."""
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        true = rng.normal(20, 5, 15)
        frame = pd.DataFrame({"a": true + rng.normal(0, 2, 15), "b": true + rng.normal(0, 2, 15)})
        row = sw.retest(frame, "b", first="a").effect("sem_consistency")
        assert row.conf_low is not None
        assert row.conf_high is not None
        covered += row.conf_low <= 2 <= row.conf_high
    assert abs(covered / 400 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 400)


def test_days_between_the_waves(long: pd.DataFrame) -> None:
    days = {"week 1": "2026-03-02", "week 3": "2026-03-16"}
    dated = long.assign(day=long["wave"].map(days))
    result = sw.retest(dated, "phq9_total", day="day", **WAVES)
    assert result.effect("interval_days").estimate == 14
    assert "phq9_total: the waves are 14.0 days apart on average (SD 0.0)." in result.notes
    numbered = long.assign(day=np.where(long["wave"] == "week 1", 3, 10 + long["id"] % 2))
    assert sw.retest(numbered, "phq9_total", day="day", **WAVES).effect("interval_days").estimate == 7.5
    stamped = dated.assign(day=pd.to_datetime(dated["day"]))
    stamped.loc[0, "day"] = pd.NaT
    found = sw.retest(stamped, "phq9_total", day="day", **WAVES)
    assert found.effect("interval_days").n == 59
    assert any("1 without a day at one of them" in note for note in found.notes)
    assert sw.retest(pl.from_pandas(stamped), "phq9_total", day="day", **WAVES).tidy().equals(found.tidy())
    with pytest.raises(DesignError, match="the second wave is before the first for 60 clients"):
        sw.retest(dated, "phq9_total", day="day", **{**WAVES, "first": "week 3", "second": "week 1"})
    with pytest.raises(DesignError, match='"day" holds no date and no number in 120 rows'):
        sw.retest(long.assign(day="soon"), "phq9_total", day="day", **WAVES)


def test_several_scores_and_clients_seen_once(long: pd.DataFrame) -> None:
    frame = long.assign(gad7_total=long["phq9_total"] + long["id"] % 3).drop(index=[0, 70])
    result = sw.retest(frame, ["phq9_total", "gad7_total"], **WAVES)
    assert result.glance()["used"].tolist() == [58, 58]
    assert "phq9_total: 2 of 60 clients lack a score at one of the waves and are left out." in result.notes
    kept = long[~long["id"].isin([1, 11])]
    alone = sw.retest(kept, "phq9_total", **WAVES).effect("icc_agreement").estimate
    assert result.effect("icc_agreement", term="phq9_total").estimate == pytest.approx(alone)


def test_what_cannot_be_estimated_is_said(long: pd.DataFrame, wide: pd.DataFrame) -> None:
    with pytest.raises(DesignError, match='"phq9_total" is there at both waves for 3 clients; 4 are needed'):
        sw.retest(long[long["id"] < 4], "phq9_total", **WAVES)
    with pytest.raises(DesignError, match="belong together"):
        sw.retest(long, "phq9_total", wave="wave", first="week 1", second="week 3")
    with pytest.raises(DesignError, match='second="week 4" is not in "wave"'):
        sw.retest(long, "phq9_total", **{**WAVES, "second": "week 4"})
    with pytest.raises(DesignError, match="first and second are the same wave"):
        sw.retest(long, "phq9_total", **{**WAVES, "second": "week 1"})
    with pytest.raises(DesignError, match="more than one row at"):
        sw.retest(pd.concat([long, long.head(1)]), "phq9_total", **WAVES)
    with pytest.raises(DesignError, match="one outcome at a time"):
        sw.retest(wide, ["second", "id"], first="first")
    with pytest.raises(DesignError, match="same for all clients"):
        sw.retest(wide.assign(second=3), "second", first="first")
    with pytest.raises(DesignError, match="day needs one row per client and wave"):
        sw.retest(wide.assign(day=1), "second", first="first", day="day")
