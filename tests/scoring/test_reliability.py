"""Reliability against R's psych (numbers and script in tests/reference/reliability)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import sweval as sw
from sweval.errors import InstrumentError, SwevalError

REFERENCE = Path(__file__).parents[1] / "reference" / "reliability"
PRINTED = json.loads((REFERENCE / "alpha.json").read_text(encoding="utf-8"))
TIGHT = {"rel": 1e-9, "abs": 1e-11}  # The same formula in double precision; R printed 15 digits.


def items(name: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCE / f"{name}.csv").drop(columns="id")


def definition(folder: Path, frame: pd.DataFrame, reversed_items: list[int] | None = None, op: str = "sum") -> Path:
    codes = list(range(int(frame.min().min()), int(frame.max().max()) + 1))
    path = folder / "scale.toml"
    path.write_text(
        f'id = "scale"\ntitle = "t"\nlevel = "group"\nconstruct = "c"\n[items]\nnumber = {frame.shape[1]}\n'
        f'codes = {codes}\nreversed = {reversed_items or []}\n[[scores]]\nid = "total"\nop = "{op}"\n',
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("name", ["items_1", "items_2", "items_3", "items_4"])
def test_psych_alpha(tmp_path: Path, name: str) -> None:
    frame, printed = items(name), PRINTED[name]
    result = sw.reliability(frame, definition(tmp_path, frame), items="i{item}")
    alpha = result.effect("alpha")
    assert alpha.estimate == pytest.approx(printed["raw_alpha"], **TIGHT)
    assert (alpha.conf_low, alpha.conf_high) == pytest.approx((printed["feldt_low"], printed["feldt_high"]), **TIGHT)
    assert (alpha.n, alpha.df, alpha.term, alpha.outcome) == (len(frame), len(frame) - 1, "scale_total", "scale_total")
    assert result.effect("alpha_standardized").estimate == pytest.approx(printed["std_alpha"], **TIGHT)
    sem = frame.sum(axis=1).std() * np.sqrt(1 - printed["raw_alpha"])
    assert result.effect("sem").estimate == pytest.approx(sem, **TIGHT)
    rest = [row for row in result.estimates if row.measure == "item_rest_r"]
    assert [row.estimate for row in rest] == pytest.approx(printed["item_rest_r"], **TIGHT)
    assert [row.term for row in rest] == list(frame.columns)
    assert result.glance()[["rows", "used", "dropped"]].to_numpy().tolist() == [[len(frame), len(frame), 0]]


def test_psych_alpha_with_gaps_uses_every_pair_of_answers(tmp_path: Path) -> None:
    frame = items("items_3").astype(float)
    path = definition(tmp_path, frame)
    frame.iloc[0::7, 1] = np.nan
    frame.iloc[2::11, 4] = np.nan
    result = sw.reliability(frame, path, items="i{item}")
    printed = PRINTED["items_3_gaps"]
    assert result.effect("alpha").estimate == pytest.approx(printed["raw_alpha"], **TIGHT)
    assert result.effect("alpha_standardized").estimate == pytest.approx(printed["std_alpha"], **TIGHT)
    complete = int(frame.notna().all(axis=1).sum())
    assert result.effect("alpha").n == complete
    assert f"{len(frame) - complete} of {len(frame)} rows lack an answer" in result.notes[0]


def test_reversed_items_are_turned_before_anything_is_computed(tmp_path: Path) -> None:
    frame = items("items_1")
    span = int(frame.min().min() + frame.max().max())
    expected = sw.reliability(frame, definition(tmp_path, frame), items="i{item}")
    turned = frame.assign(i2=span - frame["i2"], i5=span - frame["i5"])
    found = sw.reliability(turned, definition(tmp_path, frame, [2, 5]), items="i{item}")
    assert [row.estimate for row in found.estimates] == pytest.approx([row.estimate for row in expected.estimates])


def test_a_mean_has_the_same_alpha_and_a_smaller_sem(tmp_path: Path) -> None:
    frame = items("items_1")
    total = sw.reliability(frame, definition(tmp_path, frame), items="i{item}")
    mean = sw.reliability(frame, definition(tmp_path, frame, op="mean"), items="i{item}")
    assert mean.effect("alpha").estimate == total.effect("alpha").estimate
    assert mean.effect("sem").estimate == pytest.approx(total.effect("sem").estimate / frame.shape[1])


def test_lazy_frames_and_missing_codes_work_alike(tmp_path: Path) -> None:
    frame = items("items_1")
    path = definition(tmp_path, frame)
    frame.iloc[3, 2] = 99
    eager = sw.reliability(frame, path, items="i{item}", missing=(99,))
    lazy = sw.reliability(pl.from_pandas(frame).lazy(), path, items="i{item}", missing=99)
    assert eager.tidy().equals(lazy.tidy())
    assert eager.effect("alpha").n == len(frame) - 1
    with pytest.raises(InstrumentError, match="99"):
        sw.reliability(frame, path, items="i{item}")


def test_the_interval_of_feldt_covers_alpha(tmp_path: Path) -> None:
    """Parallel normal items: the interval is exact, so 2,000 draws lie within 3 standard errors of 95 %."""
    from sweval.scoring.consistency import cronbach_alpha, feldt_interval

    rng = np.random.default_rng(20240101)
    draws, rows, count = 2000, 25, 6
    true = count * 0.4 / (1 + (count - 1) * 0.4)
    scores = np.sqrt(0.4) * rng.normal(size=(draws, rows, 1)) + np.sqrt(0.6) * rng.normal(size=(draws, rows, count))
    covered = 0
    for one in scores:
        low, high = feldt_interval(cronbach_alpha(np.cov(one, rowvar=False)), rows, count)
        covered += low <= true <= high
    assert abs(covered / draws - 0.95) < 3 * np.sqrt(0.95 * 0.05 / draws)


def test_what_has_no_reliability_is_said(tmp_path: Path) -> None:
    frame = items("items_1")
    path = definition(tmp_path, frame)
    with pytest.raises(InstrumentError, match=r"2 of 2 rows have answers to all 6 items.*three complete rows"):
        sw.reliability(frame.head(2), path, items="i{item}")
    with pytest.raises(InstrumentError, match="does not vary"):
        sw.reliability(frame.clip(upper=frame.min().min()), path, items="i{item}")
    with pytest.raises(SwevalError, match="conf_level is 95"):
        sw.reliability(frame, path, items="i{item}", conf_level=95)


def test_items_that_never_vary_and_negative_alpha_are_noted(tmp_path: Path) -> None:
    frame = items("items_1")
    path = definition(tmp_path, frame)
    flat = sw.reliability(frame.assign(i4=2), path, items="i{item}")
    assert "scale_total: i4 never vary, so correlations leave them out." in flat.notes
    assert {row.term for row in flat.estimates if row.measure == "item_rest_r"} == set(frame.columns) - {"i4"}
    span = int(frame.min().min() + frame.max().max())
    against = frame.assign(i2=span - frame["i2"], i4=span - frame["i4"], i6=span - frame["i6"])
    result = sw.reliability(against, path, items="i{item}")
    assert result.effect("alpha").estimate < 0
    assert any("alpha is negative" in note for note in result.notes)
