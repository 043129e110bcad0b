"""Single cases in tables, report and study file: one line per case, nobody named, nothing compared with groups."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sweval as sw
from sweval.reporting.sentences import effect_sentences
from sweval.reporting.tables import block, records, tables
from sweval.result import Result

STUDY = """
[study]
title = "Home visits"
data  = "families.csv"
client = "family"

[[comparisons]]
name = "Home visits"
kind = "single_case"
service = "family"
phase = "phase"
time = "week"
baseline = "A"
treated = "B"
design = "multiple_baseline"
piecewise = true

[[outcomes]]
column = "conflicts"
better = "lower"

[report]
formats = ["html", "xlsx"]
"""


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(12)
    parts = []
    for number, start in enumerate((6, 8, 10)):
        week = np.arange(1, 19)
        y = rng.poisson(np.where(week < start, 9, 4))
        phase = np.where(week < start, "A", "B")
        parts.append(pd.DataFrame({"family": f"Smith {number}", "week": week, "phase": phase, "conflicts": y}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def result(frame: pd.DataFrame) -> Result:
    design = sw.SingleCase(
        case="family", phase="phase", time="week", baseline="A", treated="B", name="Home visits", service="family"
    )
    return design.fit(frame, "conflicts", better="lower")


def test_one_line_per_case_and_one_for_all(result: Result) -> None:
    held = {table.name: table for table in tables(result.tidy())}
    assert list(held) == ["effects", "cases", "case_indices"]
    lines = [[cell.text for cell in row.cells] for row in held["cases"].rows]
    assert [line[1] for line in lines] == ["case 1", "case 2", "case 3", "all cases"]
    nap = result.effect("nonoverlap_of_all_pairs", term="case 1")
    assert lines[0][4] == f"{nap.estimate:.2f} [{nap.conf_low:.2f}, {nap.conf_high:.2f}]"
    mean = result.effect("baseline_phase_mean", term="case 1")
    assert lines[0][2] == f"{mean.estimate:.2f} (5)"


def test_no_row_is_left_out_and_none_stands_beside_group_effects(result: Result) -> None:
    rows = records(result.tidy())
    blocks = {row["measure"]: block(row) for row in rows}
    assert blocks.pop("hedges_g") == "effects"
    assert set(blocks.values()) == {"cases"}
    held = {table.name: table for table in tables(result.tidy())}
    first = {"baseline_phase_mean", "treated_phase_mean", "nonoverlap_of_all_pairs", "nonoverlap_of_all_pairs_serial"}
    first |= {"tau_baseline_corrected", "within_case_smd"}
    assert len(held["case_indices"].rows) == sum(row["measure"] not in first | {"hedges_g"} for row in rows)


@pytest.mark.parametrize(("language", "case"), [("en", "case 1"), ("id", "kasus 1")])
def test_every_measure_has_words(result: Result, language: str, case: str) -> None:
    held = {table.name: table for table in tables(result.tidy(), language=language)}
    texts = [cell.text for name in ("cases", "case_indices") for row in held[name].rows for cell in row.cells]
    assert case in texts
    assert not [text for text in texts if "_" in text]


def test_the_sentence_knows_that_there_are_no_comparison_clients(result: Result) -> None:
    (said,) = effect_sentences(result.tidy())
    assert "3 clients did" in said
    assert "with the service than without" in said
    assert "comparison clients" not in said
    (indonesian,) = effect_sentences(result.tidy(), language="id")
    assert "3 klien" in indonesian


def test_study_from_file_to_report(tmp_path: Path, frame: pd.DataFrame, result: Result) -> None:
    frame.to_csv(tmp_path / "families.csv", index=False)
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    study = sw.Study.read(tmp_path / "study.toml")
    found = study.run()
    assert found.effect("nonoverlap_of_all_pairs", term="case 2").estimate == pytest.approx(
        result.effect("nonoverlap_of_all_pairs", term="case 2").estimate
    )
    assert found.clients["client"].tolist() == [f"Smith {number}" for number in range(3)]
    sw.report(found, tmp_path / "out", formats=["html", "xlsx"])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Single cases: each client before and during the service" in page
    assert "case 3: phase[B]" in page
    assert "Smith" not in page
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "effects.csv").read_text(encoding="utf-8-sig"))))
    assert len(rows) == len(found.estimates)
    assert not any("Smith" in value for row in rows for value in row.values())


def test_coefficients_and_small_slopes_can_be_read(frame: pd.DataFrame) -> None:
    """In Indonesian the case of a coefficient has its name; a slope of .001 a day is no 0.00."""
    days = frame.assign(week=frame.week * 500)
    design = sw.SingleCase(
        case="family", phase="phase", time="week", baseline="A", treated="B", piecewise=True, name="Home visits"
    )
    found = design.fit(days, "conflicts", better="lower")
    held = {table.name: table for table in tables(found.tidy(), language="id")}
    assert held["coefficients"].rows[0].cells[1].text == "kasus 1: (Intercept)"
    slopes = [row for row in found.estimates if row.measure == "baseline_slope" and 0 < abs(row.estimate) < 0.02]
    assert slopes
    texts = [row.cells[4].text for row in held["case_indices"].rows]
    for row in slopes:
        assert f"{abs(row.estimate):.4f}".replace(".", ",") in " ".join(texts)
