"""Answers that ask for action reach the report, counted once per client and wave, and few clients stay hidden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.reporting.report import report, to_check
from sweval.reporting.tables import tables
from sweval.result import Result
from sweval.scoring.definition import instrument
from sweval.study import Study
from sweval.study.safety import safety_counts

PHQ9 = instrument("phq9")


def counts(found: Result) -> dict[str, tuple[float, int | None, float]]:
    """Return term -> clients with such an answer, clients who answered, clients who did not."""
    given = {row.term: (row.estimate, row.n) for row in found.estimates if row.measure == "safety"}
    left = {row.term: row.estimate for row in found.estimates if row.measure == "safety_unanswered"}
    return {term: (*pair, left[term]) for term, pair in given.items()}


def frame(triggered: list[float | None], wave: list[object], client: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"phq9_safety": triggered, "wave": wave, "id": client})


def test_clients_are_counted_once_per_wave() -> None:
    data = frame([1, 1, 0, None, 0, 1], ["pre", "pre", "pre", "pre", "post", "post"], ["a", "a", "b", "c", "a", "b"])
    assert counts(safety_counts(data, PHQ9, client="id", wave="wave")) == {
        "wave[pre]": (1.0, 2, 1.0),
        "wave[post]": (1.0, 2, 0.0),
    }
    assert counts(safety_counts(data, PHQ9, client=None, wave=None)) == {"all rows": (3.0, 5, 1.0)}


def test_waves_stand_in_order_and_rows_without_one_are_kept() -> None:
    data = frame([0, 1, 1, 0], [12, 6, None, 0], ["a", "b", "c", "d"])
    assert list(counts(safety_counts(data, PHQ9, client="id", wave="wave"))) == [
        "wave[0]", "wave[6]", "wave[12]", "wave: none",
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", ["Int64", "float64", "object"])
def test_every_kind_of_column(dtype: str) -> None:
    data = frame([1, None, 0], ["a"] * 3, [1, 2, 3]).astype({"phq9_safety": dtype})
    assert counts(safety_counts(data, PHQ9, client="id", wave="wave")) == {"wave[a]": (1.0, 2, 1.0)}


def test_an_instrument_without_safety_items_says_nothing() -> None:
    assert safety_counts(pd.DataFrame({"who5_raw": [1.0]}), instrument("who5"), client=None, wave=None).estimates == ()


def test_the_note_asks_to_look_and_holds_no_count() -> None:
    data = frame([1, 1, 1, 0], ["pre"] * 4, ["a", "b", "c", "d"])
    notes = safety_counts(data, PHQ9, client="id", wave="wave").notes
    assert to_check(notes) == notes
    assert "phq9_safety" in notes[0]
    assert not any(word in notes[0].split() for word in ("3", "4", "three", "a", "b", "c"))
    quiet = safety_counts(data.assign(phq9_safety=0.0), PHQ9, client="id", wave="wave")
    assert quiet.notes == ()


def many(given: int, asked: int, wave: str) -> pd.DataFrame:
    triggered = np.repeat([1.0, 0.0], [given, asked - given])
    return pd.DataFrame({"phq9_safety": triggered, "wave": wave, "id": [f"{wave}{i}" for i in range(asked)]})


def test_few_clients_are_hidden_in_the_report_and_none_and_many_are_shown(tmp_path: Path) -> None:
    data = pd.concat([many(12, 40, "pre"), many(4, 38, "post"), many(0, 36, "later")], ignore_index=True)
    found = safety_counts(data, PHQ9, client="id", wave="wave")
    table = next(table for table in tables(found.tidy()) if table.name == "safety")
    shown = {row.cells[1].text: [cell.text for cell in row.cells[2:]] for row in table.rows}
    assert shown == {"pre": ["40", "12", "0"], "post": ["38", "<11", "0"], "later": ["36", "0", "0"]}
    assert not any(4.0 in cell.numbers for row in table.rows for cell in row.cells)
    assert any("item 9, answer 1 or more" in note for note in table.notes)
    for language, heading in (("en", "Answers that ask for action"), ("id", "Jawaban yang perlu ditindaklanjuti")):
        folder = tmp_path / language
        report(found, folder, language=language, formats=("html", "xlsx"))
        page = (folder / "report.html").read_text(encoding="utf-8")
        assert f"<h2>{heading}</h2>" in page
        assert "&lt;11" in page


def test_a_study_counts_the_clients_of_each_wave(write_study: Callable[..., Path], rows: pd.DataFrame) -> None:
    path = write_study(rows)
    result = Study.read(path).run()
    ninth = rows["phq_9"].between(1, 3)
    expected = {
        f"wave[{wave}]": (float(rows.loc[ninth & (rows["wave"] == wave), "id"].nunique()), 120, 0.0)
        for wave in ("pre", "post")
    }
    assert counts(result) == expected
    assert all(given for given, *_ in expected.values())
    said = [note for note in to_check(result.notes) if "phq9_safety" in note]
    assert len(said) == 1
    assert [row.measure for row in result.estimates][-2:] != ["safety", "safety_unanswered"]  # reliability comes after
    page = report(result, path.parent / "out")[-2].read_text(encoding="utf-8")
    assert page.index("Answers that ask for action") < page.index("Who took part")
