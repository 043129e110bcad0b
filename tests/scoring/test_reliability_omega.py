"""Omega, item statistics and their intervals against R's psych, the jackknife and simulation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sweval as sw
from sweval.scoring.consistency import correlation, pairwise_covariance
from sweval.scoring.factors import bifactor_omega, minres, omega_interval, one_factor_omega, quartimin, varimax

REFERENCE = Path(__file__).parents[1] / "reference" / "reliability"
PRINTED = json.loads((REFERENCE / "omega.json").read_text(encoding="utf-8"))


def items(name: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCE / f"{name}.csv").drop(columns="id")


def definition(folder: Path, frame: pd.DataFrame, op: str = "sum", more: str = "") -> Path:
    path = folder / "scale.toml"
    path.write_text(
        f'id = "scale"\ntitle = "t"\nlevel = "group"\nconstruct = "c"\n[items]\nnumber = {frame.shape[1]}\n'
        f'codes = [1, 2, 3, 4, 5]\n{more}\n[[scores]]\nid = "total"\nop = "{op}"\n',
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("name", ["items_1", "items_3", "items_4", "items_5"])
def test_psych_omega_total_and_loadings_of_one_factor(name: str) -> None:
    """The optimiser of psych stops at loadings right to about 1e-6."""
    frame, printed = items(name).to_numpy(float), PRINTED["one"][name]
    covariance = pairwise_covariance(frame)
    loadings, _ = minres(correlation(covariance), 1)
    assert loadings[:, 0] == pytest.approx(printed["loadings"], abs=2e-6)
    assert one_factor_omega(frame, covariance).standardized == pytest.approx(printed["omega_total"], abs=1e-6)


def test_psych_omega_total_and_hierarchical() -> None:
    """Where no uniqueness ends at its bound, to the five digits at which GPArotation stops rotating."""
    printed = PRINTED["three"]["items_5"]
    found = bifactor_omega(pairwise_covariance(items("items_5").to_numpy(float)))
    assert not found.bounded
    assert found.total == pytest.approx(printed["omega_total"], abs=1e-7)
    assert found.hierarchical == pytest.approx(printed["omega_hierarchical"], abs=1e-5)
    assert found.general == pytest.approx(printed["general"], abs=5e-5)


@pytest.mark.parametrize("name", ["items_1", "items_3"])
def test_psych_omega_at_a_bound(name: str) -> None:
    """With a uniqueness at its bound, psych follows a slope that is not quite that of its criterion: four digits."""
    printed = PRINTED["three"][name]
    found = bifactor_omega(pairwise_covariance(items(name).to_numpy(float)))
    assert found.bounded
    assert found.total == pytest.approx(printed["omega_total"], abs=1e-4)
    assert found.hierarchical == pytest.approx(printed["omega_hierarchical"], abs=1e-4)


def test_a_population_with_known_omegas_is_recovered() -> None:
    """General loadings .6 and group loadings .4, three groups of four: an exact Schmid-Leiman structure."""
    general, group = np.full(12, 0.6), np.kron(np.eye(3), np.full((4, 1), 0.4))
    matrix = np.outer(general, general) + group @ group.T
    np.fill_diagonal(matrix, 1.0)
    found = bifactor_omega(matrix)
    common, groups, unique = (12 * 0.6) ** 2, 3 * (4 * 0.4) ** 2, 12 * (1 - 0.36 - 0.16)
    variance = common + groups + unique
    assert found.total == pytest.approx((common + groups) / variance, rel=1e-7)
    assert found.hierarchical == pytest.approx(common / variance, rel=1e-6)


def test_rotations_do_what_they_are_named_for() -> None:
    """Varimax keeps communalities; quartimin of a clean oblique structure finds it and the factors' correlation."""
    pattern = np.kron(np.eye(2), np.array([[0.8], [0.7], [0.6], [0.5]]))
    between = np.array([[1.0, 0.4], [0.4, 1.0]])
    reduced = pattern @ between @ pattern.T
    values, vectors = np.linalg.eigh(reduced)
    loadings = vectors[:, -2:] * np.sqrt(values[-2:])
    turned = varimax(loadings)
    assert (turned**2).sum(axis=1) == pytest.approx((loadings**2).sum(axis=1), rel=1e-12)
    oblique, factors = quartimin(turned)
    assert np.sort(np.abs(oblique), axis=1) == pytest.approx(np.sort(pattern, axis=1), abs=1e-7)
    assert abs(factors[0, 1]) == pytest.approx(0.4, abs=1e-7)


def test_the_standard_error_of_omega_is_that_of_the_jackknife() -> None:
    """400 rows: leaving each out in turn gives the same to second order, about 1 %."""
    frame = items("items_5").to_numpy(float)
    found = one_factor_omega(frame, pairwise_covariance(frame))
    rows = len(frame)
    without = [np.delete(frame, row, axis=0) for row in range(rows)]
    left = np.array([one_factor_omega(part, pairwise_covariance(part)).omega for part in without])
    jackknife = np.sqrt((rows - 1) / rows * np.square(left - left.mean()).sum())
    assert found.std_error == pytest.approx(jackknife, rel=0.02)


@pytest.mark.parametrize("skewed", [False, True])
def test_the_interval_of_omega_covers(skewed: bool) -> None:
    """One factor, unequal loadings, 100 rows, 400 draws: within .025 of 95 %, or .04 with exponential answers."""
    rng = np.random.default_rng(7)
    own = np.array([0.4, 0.5, 0.6, 0.7, 0.8])
    unique = np.sqrt(1 - own**2)
    true = own.sum() ** 2 / (own.sum() ** 2 + (unique**2).sum())

    def noise(*shape: int) -> np.ndarray:
        return rng.exponential(size=shape) - 1 if skewed else rng.normal(size=shape)

    covered = []
    for _ in range(400):
        sample = noise(100, 1) * own + noise(100, 5) * unique
        found = one_factor_omega(sample, pairwise_covariance(sample))
        if not found.bounded:
            low, high = omega_interval(found, 100)
            covered.append(low <= true <= high)
    assert len(covered) > 390
    assert np.mean(covered) == pytest.approx(0.95, abs=0.04 if skewed else 0.025)


@pytest.mark.parametrize("name", ["items_1", "items_5"])
def test_item_statistics(tmp_path: Path, name: str) -> None:
    frame, printed = items(name), PRINTED["statistics"][name]
    result = sw.reliability(frame, definition(tmp_path, frame), items="i{item}")
    for measure, key in (("item_mean", "mean"), ("item_sd", "sd"), ("alpha_without", "alpha_without")):
        rows = [row for row in result.estimates if row.measure == measure]
        assert [row.term for row in rows] == list(frame.columns)
        assert [row.estimate for row in rows] == pytest.approx(printed[key], rel=1e-12)
    shares = [row.estimate for row in result.estimates if row.measure == "share_lowest"]
    assert shares == pytest.approx([(frame.sum(axis=1) == frame.shape[1]).mean(), *(frame == 1).mean()])
    assert result.effect("share_highest", term="i2").estimate == pytest.approx((frame["i2"] == 5).mean())
    assert result.effect("omega_total").estimate == pytest.approx(
        PRINTED["three"][name]["omega_total"], abs=1e-4 if name == "items_1" else 1e-7
    )


def test_few_items_have_omega_of_one_factor_only(tmp_path: Path) -> None:
    frame = items("items_4")
    result = sw.reliability(frame, definition(tmp_path, frame), items="i{item}", conf_level=0.9)
    omega = result.effect("omega")
    assert result.effect("omega_total").estimate == pytest.approx(PRINTED["one"]["items_4"]["omega_total"], abs=1e-6)
    assert (omega.conf_level, omega.df) == (0.9, len(frame) - 1)
    assert omega.conf_low is not None
    assert omega.conf_high is not None
    assert omega.conf_low < omega.estimate < omega.conf_high < 1
    assert "omega_hierarchical" not in set(result.tidy()["measure"])
    pair = sw.reliability(frame[["i1", "i2"]], definition(tmp_path, frame[["i1", "i2"]]), items="i{item}")
    assert not {"omega", "alpha_without"} & set(pair.tidy()["measure"])


def test_an_item_at_the_bound_leaves_omega_without_an_interval(tmp_path: Path) -> None:
    frame = items("items_2")
    result = sw.reliability(frame, definition(tmp_path, frame), items="i{item}")
    assert result.effect("omega").conf_low is None
    assert any("omega has no interval" in note and "read alpha" in note for note in result.notes)


def test_recoded_items_count_as_scoring_counts_them(tmp_path: Path) -> None:
    """A definition that gives 1 to 5 the points 100 to 0 has the same alpha and item-rest r, and 25 times the SEM."""
    frame = items("items_1")
    plain = sw.reliability(frame, definition(tmp_path, frame), items="i{item}")
    points = "[[points]]\nitems = [1, 2, 3, 4, 5, 6]\ncodes = { 1 = 100, 2 = 75, 3 = 50, 4 = 25, 5 = 0 }\n"
    recoded = sw.reliability(frame, definition(tmp_path, frame, "mean", points), items="i{item}")
    for measure in ("alpha", "omega", "omega_hierarchical"):
        assert recoded.effect(measure).estimate == pytest.approx(plain.effect(measure).estimate, rel=1e-7)
    assert recoded.effect("sem").estimate == pytest.approx(plain.effect("sem").estimate / 6 * 25)
    assert recoded.effect("item_mean", term="i1").estimate == pytest.approx(125 - 25 * frame["i1"].mean())
    assert recoded.effect("share_lowest", term="i1").estimate == pytest.approx((frame["i1"] == 5).mean())


def test_every_instrument_of_the_catalogue_has_reliabilities(any_instrument: sw.Instrument) -> None:
    """Random answers that share one factor give every sum or mean an alpha near what its items have in common."""
    rng = np.random.default_rng(3)
    people = rng.random(120)
    columns = {}
    for item in any_instrument.items:
        place = np.clip(0.7 * people + 0.3 * rng.random(120), 0, 0.999)
        columns[item.id] = np.array(item.codes)[(place * len(item.codes)).astype(int)]
    for gate in any_instrument.gates:
        for name in gate.asks:
            columns[name] = np.where(np.isin(columns[name], any_instrument.item(name).codes), columns[name], 0)
    result = sw.reliability(pd.DataFrame(columns), any_instrument, items="{item}")
    summed = [scale for scale in any_instrument.of_variant("").scores if scale.op in ("sum", "mean")]
    alphas = {row.term for row in result.estimates if row.measure == "alpha"}
    assert alphas == {scale.column for scale in summed if len(scale.items) > 1}
    assert all(np.isfinite(row.estimate) for row in result.estimates)
