"""Yes/no outcomes, rates, ratios, correlations and conversions on real data; data that we may not pass on.

Limits of packages are estimate +- z * SE where ours are score, t or noncentral-t limits: their limits then check our
variances, and the test says so.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import sweval as sw
from sweval.effects.score_limits import score_at_null

ORACLES = Path(__file__).resolve().parents[3] / "shared" / "oracles"
FIXTURES = {
    entry["id"]: entry for entry in json.loads((ORACLES / "effects.json").read_text(encoding="utf-8"))["fixtures"]
}
Z = float(stats.norm.isf(0.025))


def get(name: str) -> tuple[dict[str, Any], dict[str, Any], float]:
    """Return inputs (lists as arrays), outputs and relative tolerance."""
    entry = FIXTURES[name]
    inputs = {
        key: np.array([np.nan if part is None else part for part in value]) if isinstance(value, list) else value
        for key, value in entry["inputs"].items()
    }
    return inputs, entry["outputs"], entry["rtol"]


def close(effects: Any, out: dict[str, Any], rtol: float) -> None:
    assert effects.estimate == pytest.approx(np.array(out["yi"]), rel=rtol, abs=1e-14)
    assert effects.variance == pytest.approx(np.array(out["vi"]), rel=rtol)


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("esc_OR_recid", sw.effects.log_odds_ratio),
        ("esc_RD_recid", sw.effects.risk_difference),
        ("esc_AS_recid", sw.effects.arcsine_difference),
        ("esc_PETO_recid", sw.effects.peto_log_odds_ratio),
        ("esc_PBIT_recid", sw.effects.probit_d),
        ("esc_PHI_recid", sw.effects.phi_coefficient),
    ],
)
def test_reoffending_after_cognitive_behavioural_programmes(name: str, measure: Any) -> None:
    """58 studies; fewer re-offend, so with better="lower" the effects turn positive."""
    i, out, rtol = get(name)
    counts = (i["ai"], i["ai"] + i["bi"], i["ci"], i["ci"] + i["di"])
    close(measure(sw.effects.two_by_two(*counts)), out, rtol)
    assert measure(sw.effects.two_by_two(*counts, better="lower")).estimate.mean() > 0


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("esc_ROM_normand", sw.effects.log_response_ratio),
        ("esc_VR_normand", sw.effects.log_variability_ratio),
        ("esc_CVR_normand", sw.effects.log_cv_ratio),
    ],
)
def test_days_in_hospital(name: str, measure: Any) -> None:
    i, out, rtol = get(name)
    close(measure(sw.effects.two_means(i["m1"], i["sd1"], i["n1"], i["m2"], i["sd2"], i["n2"])), out, rtol)


@pytest.mark.parametrize("arm", ["T", "C"])
def test_ratio_of_means_in_the_example_of_morris(arm: str) -> None:
    i, out, rtol = get(f"esc_ROMC_morris{arm}")
    moments = sw.effects.two_moments(i["m_post"], i["sd_post"], i["m_pre"], i["sd_pre"], i["ni"], i["ri"])
    close(sw.effects.log_response_ratio_of_change(moments), out, rtol)


@pytest.mark.parametrize("arm", ["T", "C"])
def test_mean_change_in_the_example_of_morris(arm: str) -> None:
    """Raw change, variance (s_1^2 + s_2^2 - 2 r s_1 s_2)/n: a mean of one group, of the differences."""
    name = f"esc_MC_morris{arm}"
    i, out, rtol = get(name)
    sd = np.sqrt(i["sd_post"] ** 2 + i["sd_pre"] ** 2 - 2 * i["ri"] * i["sd_post"] * i["sd_pre"])
    close(sw.effects.single_mean(i["m_post"] - i["m_pre"], sd, i["ni"]), out, rtol)


@pytest.mark.parametrize("scale", ["raw", "fisher_z"])
def test_conscientiousness_and_adherence(scale: str) -> None:
    i, out, rtol = get("esc_COR_molloy" if scale == "raw" else "esc_ZCOR_molloy")
    close(sw.effects.pearson_correlation(i["ri"], i["ni"], scale=scale), out, rtol)


@pytest.mark.parametrize("scale", ["raw", "arcsine"])
def test_quitting_by_arm(scale: str) -> None:
    i, out, rtol = get("esc_PR_hasselblad" if scale == "raw" else "esc_PAS_hasselblad")
    close(sw.effects.single_share(i["xi"], i["ni"], scale=scale), out, rtol)


@pytest.mark.parametrize(
    ("name", "measure"),
    [("esc_IRD_hart", sw.effects.rate_difference), ("esc_IRSD_hart", sw.effects.root_rate_difference)],
)
def test_strokes_per_year(name: str, measure: Any) -> None:
    i, out, rtol = get(name)
    with (ORACLES / "data" / i["csv"]).open(encoding="utf-8") as file:
        rows = [[float(row[key]) for key in ("x1i", "t1i", "x2i", "t2i")] for row in csv.DictReader(file)]
    close(measure(sw.effects.event_rates(*np.array(rows).T, better="higher")), out, rtol)


@pytest.mark.parametrize(
    ("name", "measure", "key"),
    [
        ("es_oddsratio_rct", sw.effects.log_odds_ratio, "Odds_ratio"),
        ("es_riskratio_rct", sw.effects.log_risk_ratio, "Risk_ratio"),
        ("es_arr_rct", sw.effects.risk_difference, "ARR"),
    ],
)
def test_trial_of_effectsize(name: str, measure: Any, key: str) -> None:
    """Its limits check our variances."""
    i, out, rtol = get(name)
    (a, c), (b, d) = i["table"]
    found = measure(sw.effects.two_by_two(a, a + b, c, c + d))
    back = np.asarray if key == "ARR" else np.exp
    numbers = [float(back(found.estimate + k * Z * found.std_error)) for k in (0, -1, 1)]
    assert numbers == pytest.approx([out[key], out["CI_low"], out["CI_high"]], rel=rtol)


def test_phi_of_the_trial() -> None:
    """Its search for the lower limit stops early; ours is checked against the distribution in the tests of effects."""
    i, out, rtol = get("es_phi_rct")
    (a, c), (b, d) = i["table"]
    n = a + b + c + d
    chi_square = float(sw.effects.phi_coefficient(sw.effects.two_by_two(a, a + b, c, c + d)).estimate) ** 2 * n
    assert chi_square == pytest.approx(float(score_at_null(a, a + b, c, c + d)) ** 2 * n / (n - 1))
    found = sw.effects.chi_square_to_phi(chi_square, n, adjust=True, two_sided=False)
    assert float(found.estimate) == pytest.approx(out["phi_adjusted"], rel=rtol)
    assert (float(found.conf_low), float(found.conf_high)) == pytest.approx((out["CI_low"], out["CI_high"]), abs=5e-5)


@pytest.mark.parametrize(("name", "scale"), [("esc_2x2_coxd", "cox"), ("esc_2x2_d", "logistic")])
def test_standardised_odds_of_esc(name: str, scale: str) -> None:
    i, out, rtol = get(name)
    found = sw.effects.cox_d(
        sw.effects.two_by_two(i["g1yes"], i["g1yes"] + i["g1no"], i["g2yes"], i["g2yes"] + i["g2no"]), scale=scale
    )
    numbers = [float(part) for part in (found.estimate, found.std_error, found.variance, 1 / found.variance)]
    assert numbers == pytest.approx([out["es"], out["se"], out["var"], out["w"]], rel=rtol)


def test_chi_square_and_coefficient_of_esc() -> None:
    """esc's variance of the coefficient's d is that of large samples; its z has 7 digits, so do its limits."""
    i, out, rtol = get("esc_chisq_d")
    found = sw.effects.chi_square_to_d(i["chisq"], i["n"])
    assert [float(found.estimate), float(found.variance)] == pytest.approx([out["es"], out["var"]], rel=rtol)
    assert [float(found.conf_low), float(found.conf_high)] == pytest.approx([out["ci.lo"], out["ci.hi"]], rel=1e-7)
    i, out, rtol = get("esc_beta_g")
    total, d = i["n1"] + i["n2"], out["es"]
    effect = sw.effects.difference_from_beta(i["beta"], n_treated=i["n1"], n_control=i["n2"])
    assert float(effect.d) == pytest.approx(d, rel=rtol)
    assert float(effect.weight_variance) + d**2 / (2 * total) == pytest.approx(out["var"], rel=rtol)


def test_conversions_of_effectsize() -> None:
    """U3, superiority, overlap and NNT of this fixture are tested with the words for plain readers."""
    i, out, rtol = get("es_convert")
    e = sw.effects
    t, printed = e.t_to_d(i["t"], i["df"]), out["t2d"]
    assert [
        float(e.d_to_odds_ratio(i["d"], scale="logistic")),
        float(e.odds_ratio_to_d(i["or"], scale="logistic")),
        float(e.odds_ratio_to_risk_ratio(i["or"], i["p0"])),
        float(t.estimate), float(t.conf_low), float(t.conf_high),
        float(e.d_to_r(i["d"])),
    ] == pytest.approx(
        [out["d2or"], out["or2d"], out["or2rr"], printed["d"], printed["CI_low"], printed["CI_high"], out["d2r"]],
        rel=rtol,
    )  # fmt: skip


def test_quartiles_and_limits_of_metafor() -> None:
    """The fixture switches the test of skewness off."""
    i, out, rtol = get("conv_fivenum")
    found = sw.effects.moments_from_quartiles(
        median=i["median"], n=i["n"], q1=i["q1"], q3=i["q3"], minimum=i["min"], maximum=i["max"], skewed="keep"
    )
    assert found.mean == pytest.approx(np.array(out["mean"]), rel=rtol)
    assert found.sd == pytest.approx(np.array(out["sd"]), rel=rtol)
    i, out, rtol = get("conv_wald")
    close(
        sw.effects.effects_from_interval(
            i["or"], i["lb"], i["ub"], measure="log_odds_ratio", metric="log_odds_ratio", logarithm=True
        ),
        out,
        rtol,
    )
