"""Reported cluster trials: relations that must hold between d_T, d_W and d_B, corrections, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sweval as sw
from sweval.effects.kernel import small_sample_factor
from sweval.errors import DesignError

SIZES = {"sizes_treated": [10, 14, 6], "sizes_control": [12, 9, 9]}


def d_of(row: sw.Estimate, nu: float) -> float:
    return row.estimate / float(small_sample_factor(nu))


def test_without_clustering_it_is_the_two_group_effect() -> None:
    row = sw.effects.clustered_g(3.0, sd=8.0, icc=0.0, **SIZES)
    plain = sw.effects.hedges_g_from_summary(
        mean_treated=3.0, sd_treated=8.0, n_treated=30, mean_control=0.0, sd_control=8.0, n_control=30
    )
    for field in ("estimate", "variance", "weight_variance", "conf_low", "conf_high", "p_value", "df", "n"):
        assert getattr(row, field) == pytest.approx(getattr(plain, field), rel=1e-12)
    assert (row.clusters, row.level_assigned, row.metric) == (6, "cluster", "person_total")


@given(icc=st.floats(0.01, 0.9), n=st.integers(2, 30), m=st.integers(2, 12))
def test_the_three_effects_are_one_effect_on_three_scales(icc: float, n: int, m: int) -> None:
    """Population values of the sds: S_T^2 = c^2, S_W^2 = 1 - rho, S_B^2 = rho + (1 - rho)/n for sigma_T = 1.

    Then d_T = d_W sqrt(1 - rho) = d_B sqrt(rho) (Hedges, 2007), here for a true difference of .4.
    """
    sizes = {"sizes_treated": [n] * m, "sizes_control": [n] * m}
    factors = sw.effects.cluster_factors(**sizes, icc=icc)
    total = sw.effects.clustered_g(0.4, sd=factors.c, icc=icc, **sizes)
    within = sw.effects.clustered_g(0.4, sd=(1 - icc) ** 0.5, icc=icc, scale="within", **sizes)
    between = sw.effects.clustered_g(0.4, sd=(icc + (1 - icc) / n) ** 0.5, icc=icc, scale="between", **sizes)
    assert d_of(total, factors.nu) == pytest.approx(0.4)
    assert d_of(within, 2 * m * (n - 1)) * (1 - icc) ** 0.5 == pytest.approx(0.4)
    assert d_of(between, 2 * m - 2) * icc**0.5 == pytest.approx(0.4)
    # the raw difference has one variance, whatever the scale
    scaled = [
        total.weight_variance,
        (within.weight_variance or 0) * (1 - icc),
        (between.weight_variance or 0) * icc,
    ]
    assert scaled == pytest.approx([factors.kappa_squared] * 3)


def test_orientation_and_words() -> None:
    row = sw.effects.clustered_g(-3.0, sd=8.0, icc=0.1, better="lower", **SIZES)
    assert row.estimate > 0
    assert "given ICC 0.1" in row.method
    within = sw.effects.clustered_g(-3.0, sd=8.0, icc=0.1, scale="within", **SIZES)
    assert (within.metric, within.estimate < 0) == ("within_cluster", True)


def test_reported_variance_grows_by_the_design_effect() -> None:
    """Fixture crt_pomade: 1 + (15 - 1) * .15 = 3.1."""
    found = sw.effects.corrected_variance([0.04, 0.06, 0.08, 0.1], mean_size=15, icc=0.15)
    assert found == pytest.approx([0.124, 0.186, 0.248, 0.31], rel=1e-12)


def test_corrected_t_is_the_test_of_the_corrected_effect() -> None:
    """t_A = d_T / kappa, with df h: the correction of Hedges (2007b) and the effect of Hedges (2007) are one thing."""
    sizes = {"sizes_treated": [20] * 5, "sizes_control": [20] * 5}
    t = 2.5
    difference = t * np.sqrt(1 / 100 + 1 / 100)  # in units of the sd
    t_a, df = sw.effects.corrected_t(t, persons=200, mean_size=20, icc=0.1)
    row = sw.effects.clustered_g(float(difference), sd=1.0, icc=0.1, **sizes)
    assert float(t_a) == pytest.approx(row.statistic)
    assert float(df) == pytest.approx(row.df)
    unchanged, n_minus_2 = sw.effects.corrected_t(t, persons=200, mean_size=20, icc=0.0)
    assert (float(unchanged), float(n_minus_2)) == (pytest.approx(2.5), pytest.approx(198))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"icc": 1.0}, "intraclass"),
        ({"icc": -0.1}, "intraclass"),
        ({"icc": float("nan")}, "intraclass"),
        ({"scale": "persons"}, "total"),
        ({"scale": "between"}, "equal size"),
        ({"sizes_treated": [3.5, 2]}, "sizes_treated: cluster sizes"),
        ({"sizes_control": []}, "sizes_control: cluster sizes"),
        ({"sizes_control": [5, 0]}, "sizes_control: cluster sizes"),
        ({"sd": 0.0}, "above zero"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        sw.effects.clustered_g(3.0, **({"sd": 8.0, "icc": 0.1} | SIZES | change))


def test_between_scale_needs_variance_between() -> None:
    with pytest.raises(DesignError, match="no variance between"):
        sw.effects.clustered_g(1.0, sd=2.0, sizes_treated=[4, 4], sizes_control=[4, 4], icc=0.0, scale="between")


@pytest.mark.parametrize("wrong", [{"icc": 1.0}, {"mean_size": 0.5}, {"persons": 30.0}])
def test_corrections_refuse_impossible_numbers(wrong: dict[str, float]) -> None:
    with pytest.raises(DesignError):
        sw.effects.corrected_t(2.0, **({"persons": 200.0, "mean_size": 20.0, "icc": 0.1} | wrong))
