"""The embedded programme: the intervals of both comparisons cover its known truth at least as often as they say."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from scipy import stats

import sweval as sw
from sweval.data.datasets import about, folder

HERE = folder("harbour")
MISSING = (8, 9)


def load_make() -> ModuleType:
    """Return datasets/harbour/make.py as a module."""
    spec = importlib.util.spec_from_file_location("harbour_make", HERE / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make = load_make()


def designs() -> list[Any]:
    """Return the comparisons of the shipped study file, for data that hold codes in place of labels."""
    study = tomllib.loads((HERE / "study.toml").read_text(encoding="utf-8"))
    kinds = {"cluster_trial": sw.ClusterTrial, "partially_nested": sw.PartiallyNested}
    found = []
    for table in study["comparisons"]:
        codes = {label: code for code, label in make.VALUE_LABELS[table["arm"]].items()}
        fields = {key: value for key, value in table.items() if key != "kind"}
        fields |= {key: codes[fields[key]] for key in ("treated", "control")}
        found.append(kinds[table["kind"]](client=study["study"]["client"], wave=study["study"]["wave"], **fields))
    return found


def scored(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the frame with both scores, and outcome -> score column."""
    frame = sw.score(frame, "phq9", items="phq_{item}", missing=MISSING)
    frame = sw.score(frame, "who5", items="who_{item}", missing=MISSING)
    return frame, {"phq9": "phq9_total", "who5": "who5_raw"}


def covered(interval: tuple[float, float], value: float) -> bool:
    """Say whether the interval holds the value."""
    return interval[0] <= value <= interval[1]


def test_intervals_cover_the_truth_at_the_nominal_rate(request: pytest.FixtureRequest) -> None:
    programmes = request.config.getoption("--programmes")
    truth, rows = make.truth(), []
    for seed in range(programmes):
        frame, columns = scored(make.simulate(np.random.default_rng([2026, seed])))
        for design in designs():
            for outcome, column in columns.items():
                found = design.fit(frame, column).effect("hedges_g")
                value = truth[design.name][outcome]
                hit = covered((found.conf_low, found.conf_high), value)
                rows.append((design.name, outcome, found.estimate - value, found.std_error, hit))
    table = pd.DataFrame(rows, columns=["comparison", "outcome", "error", "std_error", "hit"])
    # Exact binomial bounds: true coverage of .95 falls outside them in 1 of 1,000 runs, and the seeds are fixed.
    least, most = stats.binom.ppf([0.0005, 0.9995], programmes, 0.95)
    for (comparison, outcome), cell in table.groupby(["comparison", "outcome"]):
        assert least <= cell["hit"].sum() <= most, f"{comparison}, {outcome}: {cell['hit'].mean():.3f}"
        noise = cell["error"].std() / np.sqrt(programmes)
        assert abs(cell["error"].mean()) < 3.3 * noise, f"{comparison}, {outcome}: bias {cell['error'].mean():.4f}"
        # the mean variance estimates the variance of the estimates, whose relative error is sqrt(2 / programmes)
        ratio = (cell["std_error"] ** 2).mean() / cell["error"].var()
        assert abs(np.log(ratio)) < 3.3 * np.sqrt(2 / programmes), f"{comparison}, {outcome}: ratio {ratio:.3f}"


def test_truth_is_what_a_programme_of_many_agencies_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "SKIPPED", 0.0)
    monkeypatch.setattr(make, "REFUSED", 0.0)
    monkeypatch.setattr(make, "LEAVING", dict.fromkeys(("post", "followup"), (-99.0, 0.0)))
    frame = make.simulate(np.random.default_rng(7), agencies=6000).query("wave == 'post'")
    sums = {"phq9": -frame[make.PHQ].sum(axis=1), "who5": frame[make.WHO].sum(axis=1)}
    for comparison, arm in {"Staff training": "agency_arm", "Group work": "client_arm"}.items():
        for outcome, score in sums.items():
            of_arm = score.groupby(frame[arm])
            mean, variance, n = of_arm.mean(), of_arm.var(), of_arm.size()
            shown = (mean[1] - mean[0]) / np.sqrt(((n - 1) * variance).sum() / (n - 1).sum())
            # 6,000 agencies of some 29: standard error .009 where agencies are drawn, .005 where clients are
            assert shown == pytest.approx(make.truth()[comparison][outcome], abs=0.03)


def test_about_prints_the_truth_to_its_digits() -> None:
    assert about("harbour")["truth"] == {
        comparison: {outcome: round(value, 4) for outcome, value in effects.items()}
        for comparison, effects in make.truth().items()
    }


def test_make_writes_the_committed_file_again(tmp_path: Path) -> None:
    make.write(tmp_path / "again.sav")
    first, first_meta = pyreadstat.read_sav(str(HERE / "clients.sav"), user_missing=True)
    again, again_meta = pyreadstat.read_sav(str(tmp_path / "again.sav"), user_missing=True)
    pd.testing.assert_frame_equal(first, again)
    for kept in ("column_names_to_labels", "variable_value_labels", "missing_ranges", "variable_measure", "file_label"):
        assert getattr(first_meta, kept) == getattr(again_meta, kept), kept
    assert first_meta.creation_time == again_meta.creation_time


def test_every_column_is_described_and_no_item_is_worded() -> None:
    frame = sw.dataset("harbour")
    facts = about("harbour")
    assert list(frame.columns) == list(facts["columns"])
    assert len(frame) == facts["rows"]
    assert all(make.LABELS[name].split()[-2:] == ["item", name[4:]] for name in make.PHQ + make.WHO)


def test_groups_are_of_six_to_nine_and_lie_in_one_agency() -> None:
    frame = sw.dataset("harbour").query("wave == 'pre'")
    grouped = frame[frame["client_arm"] == 1].groupby("group_id")
    assert grouped.size().between(6, 9).all()
    assert (grouped["agency"].nunique() == 1).all()
    assert frame[frame["client_arm"] == 0]["group_id"].isna().all()
    assert frame.groupby("agency")["agency_arm"].first().value_counts().to_dict() == {0: 12, 1: 12}


def test_ids_stay_text_and_declared_codes_are_missing() -> None:
    frame = sw.dataset("harbour")
    assert frame["id"].str.fullmatch(r"\d{4}").all()
    assert frame[make.PHQ].max(axis=None) == 3
    assert frame[make.WHO].max(axis=None) == 5
    assert frame[make.PHQ + make.WHO].isna().any(axis=None)
