"""Effects from models: the single-study function, least squares on raw data, published formulas, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import sweval as sw
from sweval.errors import DesignError


def test_reported_ancova_is_the_row_of_the_single_study() -> None:
    row = sw.effects.hedges_g_adjusted(3.95, std_error=1.71, df=94, sd=10.58, nu=95)
    found = sw.effects.adjusted_difference(3.95, sd=10.58, n_treated=52, n_control=45, std_error=1.71)
    for name, array in (("estimate", found.g), ("conf_low", found.conf_low), ("variance", found.variance)):
        assert getattr(row, name) == pytest.approx(float(array), rel=1e-12)


def test_a_given_correlation_says_on_average_what_a_standard_error_says() -> None:
    """8 + 8 persons, one covariate: mean SE^2 / sigma^2 over samples against kappa^2; without the factor 8 % less."""
    rng, r, runs = np.random.default_rng(7), 0.6, 4000
    x = rng.normal(size=(runs, 16))
    arm = np.repeat([1.0, 0.0], 8)
    inside = x - np.where(arm, x[:, :8].mean(axis=1)[:, None], x[:, 8:].mean(axis=1)[:, None])
    gap = x[:, :8].mean(axis=1) - x[:, 8:].mean(axis=1)
    true = (1 - r**2) * (1 / 8 + 1 / 8 + gap**2 / (inside**2).sum(axis=1))
    found = sw.effects.adjusted_difference(0.5, sd=1.0, n_treated=8, n_control=8, correlation=r)
    assert float(found.weight_variance) == pytest.approx(true.mean(), abs=4 * true.std() / np.sqrt(runs))
    plain = (1 - r**2) / 4
    assert float(found.weight_variance) == pytest.approx(plain * 13 / 12, rel=1e-12)


def test_growth_over_the_spread_before() -> None:
    found = sw.effects.growth_difference(
        [0.49, 0.49], std_error=0.21, duration=[6.0, 12.0], sd_pre=5.1, n_treated=40, n_control=38
    )
    assert found.d == pytest.approx([0.49 * 6 / 5.1, 0.49 * 12 / 5.1], rel=1e-12)
    assert found.statistic == pytest.approx([0.49 / 0.21] * 2, rel=1e-12)
    few = sw.effects.growth_difference(0.49, std_error=0.21, duration=6, sd_pre=5.1, n_treated=40, n_control=38, df=7.5)
    assert float(few.conf_low) < float(found.conf_low[0])


def test_a_models_variance_as_unit_is_what_lmeinfo_prints() -> None:
    """g_mlm of a three-level model (Bryant et al., 2016): delta, nu and g as printed by lmeInfo 0.3.2."""
    nu = 20.169721874135
    found = sw.effects.model_difference(
        16.4247645765173, std_error=2.9746174902165, df=np.inf, variance=1163.90464499648,
        variance_se=1163.90464499648 * np.sqrt(2 / nu),
    )  # fmt: skip
    assert float(found.d) == pytest.approx(0.481438095770191, rel=1e-9)
    assert float(found.nu) == pytest.approx(nu, rel=1e-12)
    assert float(found.with_j("approximate").g) == pytest.approx(0.463311408354113, rel=1e-9)
    assert float(np.sqrt(found.weight_variance)) == pytest.approx(0.087191154154016, rel=1e-9)


def test_stabilised_effects_are_those_of_pustejovsky_and_rodgers() -> None:
    """sqrt(2) sign(g) [log(|g| + sqrt(g^2 + a^2)) - log a] is what VIVECampbell codes; odd, and 0 at 0."""
    g = np.array([-1.2, -0.31, 0.0, 0.31, 2.0])
    h, variance = sw.effects.variance_stabilized(g, weight_variance=0.0247, df=147.65)
    a = np.sqrt(2 * 0.0247 * 147.65)
    written = np.sqrt(2) * np.sign(g) * (np.log(np.abs(g) + np.sqrt(g**2 + a**2)) - np.log(a))
    assert h == pytest.approx(written, rel=1e-12, abs=1e-15)
    assert variance == pytest.approx(1 / 147.65, rel=1e-12)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({}, "either its standard error or the correlation"),
        ({"std_error": 1.0, "correlation": 0.5}, "either its standard error or the correlation"),
        ({"std_error": 0.0}, "std_error: this number must be above zero"),
        ({"correlation": 1.0}, "between -1 and 1"),
        ({"std_error": 1.0, "covariates": 7}, "too few persons for so many"),
        ({"std_error": 1.0, "covariates": -1}, "never negative"),
        ({"std_error": 1.0, "sd": np.inf}, "sd: 1 of 1 values"),
    ],
)
def test_impossible_adjustments_are_refused(bad: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"sd": 2.0, "n_treated": 5, "n_control": 5}
    with pytest.raises(DesignError, match=words):
        sw.effects.adjusted_difference(1.0, **(given | bad))


def test_impossible_models_are_refused() -> None:
    with pytest.raises(DesignError, match="duration"):
        sw.effects.growth_difference(1.0, std_error=1.0, duration=0, sd_pre=1.0, n_treated=9, n_control=9)
    with pytest.raises(DesignError, match="variance_se"):
        sw.effects.model_difference(1.0, std_error=1.0, df=9, variance=4.0, variance_se=0.0)
    with pytest.raises(DesignError, match="weight_variance"):
        sw.effects.variance_stabilized(0.2, weight_variance=-1.0, df=9)
