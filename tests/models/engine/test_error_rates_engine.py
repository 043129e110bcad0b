"""The simulation of type-I error: it tests what `ClusterTrial` tests, can be repeated, and a small share of it holds.

The full run (`nox -s simulate`) has 5,000 trials a cell; here are 300, with bounds that follow from that number.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sweval.models.cluster_trial import ClusterTrial

_SCRIPT = Path(__file__).resolve().parents[2] / "simulation" / "error_rates.py"
RUNS = 300


def _script() -> ModuleType:
    """Load the script, which is no module of the package."""
    spec = importlib.util.spec_from_file_location("error_rates", _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["error_rates"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


script = _script()


@pytest.mark.parametrize(
    ("clusters", "icc", "seed"), [(6, 0.0, 1), (6, 0.2, 2), (8, 0.05, 3), (20, 0.1, 4), (40, 0, 5)]
)
def test_the_script_tests_what_cluster_trial_tests(clusters: int, icc: float, seed: int) -> None:
    """Same tests, same unit of g; 1e-9: the same engine, fed by arrays and by a frame."""
    cell = script.Cell(clusters=clusters, treated=2, sizes="unequal", icc=icc)
    y, arm, cluster = script.draw(cell, np.random.default_rng(seed))
    trial = script.tested(y, arm, cluster)
    frame = pd.DataFrame({"y": y, "arm": np.where(arm == 1, "t", "c"), "agency": [f"a{code:02d}" for code in cluster]})
    result = ClusterTrial(arm="arm", treated="t", control="c", cluster="agency").fit(frame, "y", better="higher")
    rows = {row.measure: row for row in result.estimates if row.term == "arm[t]"}
    fields = ("estimate", "std_error", "df", "statistic", "p_value")
    for measure, test in (
        ("coefficient", trial.default),
        ("coefficient_cr2", trial.cr2),
        ("coefficient_kenward_roger", trial.kenward_roger),
    ):
        if measure in rows:
            found = [getattr(rows[measure], name) for name in fields]
            assert found == pytest.approx([getattr(test, name) for name in fields], rel=1e-9)
    assert {"coefficient", "coefficient_cr2"} <= set(rows)
    assert trial.singular or ("coefficient_kenward_roger" in rows) == (clusters < 20)
    # Hedges' g as in the row, its interval from the true value .5: shift the outcome and look whether it is held
    moved = ClusterTrial(arm="arm", treated="t", control="c", cluster="agency").fit(
        frame.assign(y=y + script.EFFECT * arm), "y", better="higher"
    )
    row = moved.effect("hedges_g")
    held = row.conf_low <= script.EFFECT <= row.conf_high
    assert script.rates([trial]).coverage_g == float(held)


def test_bounds_hold_in_a_share_of_the_cells() -> None:
    """Three Monte Carlo standard errors around .05 and .06; least squares without clusters breaks them."""
    for key in ((8, 4, "unequal", 0.2), (12, 3, "equal", 0.1)):
        clusters, treated, sizes, icc = key
        cell = script.Cell(clusters=clusters, treated=treated, sizes=sizes, icc=icc)
        found = script.simulated(cell, RUNS)
        assert found.replications == RUNS
        assert found.untested == 0
        assert 0 < found.default < 0.05 + 3 * np.sqrt(0.05 * 0.95 / RUNS)
        for rate in (found.kenward_roger, found.cr2):
            assert 0 < rate < 0.06 + 3 * np.sqrt(0.06 * 0.94 / RUNS)
        assert found.coverage_g > 0.95 - 3 * np.sqrt(0.05 * 0.95 / RUNS)
        rng = np.random.default_rng(script.stream(cell))
        # exact where sizes are equal and close to it otherwise, so both bounds apply
        assert found.cluster_means == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / RUNS))
        naive = [_p_without_clusters(*script.draw(cell, rng)) < 0.05 for _ in range(RUNS)]
        assert script.misses(replace(found, default=float(np.mean(naive))))


def _p_without_clusters(y: np.ndarray, arm: np.ndarray, _: np.ndarray) -> float:
    """Return the p-value of a t test that takes clients as independent."""
    return float(stats.ttest_ind(y[arm == 1], y[arm == 0]).pvalue)


def test_numbers_do_not_depend_on_workers(tmp_path: Path) -> None:
    tables = []
    for workers in ("1", "2"):
        out = tmp_path / f"{workers}.csv"
        asked = ["--clusters", "6", "--replications", "3", "--workers", workers, "--out", str(out), "--check"]
        done = subprocess.run([sys.executable, str(_SCRIPT), *asked], capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr  # three trials claim no effect, which is below every floor
        assert "0.0000 < 0.02" in done.stderr
        tables.append(out.read_bytes())
    assert tables[0] == tables[1]
    assert len(tables[0].splitlines()) == 1 + 16
    drawn = [script.draw(cell, np.random.default_rng(script.stream(cell)))[0][0] for cell in script.cells()]
    assert len(set(drawn)) == 80  # no two cells share their random numbers


def test_bars_catch_a_wrong_rate() -> None:
    good = script.Rates(
        replications=5000,
        singular=0.0,
        untested=0.0,
        mean_df=6.0,
        default=0.0592,
        kenward_roger=0.07,
        cr2=0.07,
        cluster_means=0.05,
        coverage=0.9408,
        coverage_g=0.95,
    )
    # .05 + 3 sqrt(.05 .95 / 5000) = .05925; .06 + 3 sqrt(.06 .94 / 5000) = .07008
    assert script.misses(good) == []
    for change in ({"default": 0.0593}, {"kenward_roger": 0.0701}, {"cr2": 0.0701}, {"default": 0.0408}):
        assert len(script.misses(replace(good, **change))) == 1
    assert script.misses(replace(good, singular=0.051, default=0.02)) == []
    assert len(script.misses(replace(good, singular=0.051, default=0.0198))) == 1


def test_the_table_of_the_documentation_is_of_the_whole_simulation_and_misses_nothing() -> None:
    path = Path(__file__).resolve().parents[3] / "docs" / "explain" / "error_rates.csv"
    table = pd.read_csv(path)
    cells = [tuple(row) for row in table[["clusters", "treated", "sizes", "icc"]].itertuples(index=False)]
    assert sorted(cells) == sorted((c.clusters, c.treated, c.sizes, c.icc) for c in script.cells())
    assert len(set(cells)) == 80
    assert (table["replications"] == 5000).all()
    assert table["misses"].isna().all()
    names = [field.name for field in fields(script.Rates)]
    for row in table[names].to_dict("records"):
        assert script.misses(script.Rates(**row)) == []
