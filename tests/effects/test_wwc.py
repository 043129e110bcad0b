"""The conventions of the What Works Clearinghouse: limits, corrections, and what is called what."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import sweval as sw
from sweval.errors import SwevalError

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "reference" / "plain_words" / "reference.json").read_text(encoding="utf-8")
)
OF_R = {
    "BH": "benjamini_hochberg",
    "BY": "benjamini_yekutieli",
    "holm": "holm",
    "hochberg": "hochberg",
    "bonferroni": "bonferroni",
}


@pytest.mark.parametrize("name", OF_R)
def test_adjusted_p_values_of_r(name: str) -> None:
    found = sw.effects.adjusted_p_values(REFERENCE["p"], method=OF_R[name])
    assert found == pytest.approx(REFERENCE["adjusted"][name], rel=1e-13)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from([0.01, 0.05, 0.1]))
def test_benjamini_and_hochberg_as_they_wrote_it(p: list[float], level: float) -> None:
    """The largest i with p_(i) <= i level / k, and everything up to it; not the adjusted p-values."""
    ordered = np.sort(p)
    below = [i for i, one in enumerate(ordered, start=1) if one <= i * level / len(p)]
    cut = ordered[max(below) - 1] if below else -1.0
    adjusted = sw.effects.adjusted_p_values(p)
    # at a tie with the limit the two forms may differ by rounding
    clear = np.abs(adjusted - level) > 1e-12
    assert ((adjusted <= level) == (np.asarray(p) <= cut))[clear].all()


def test_domains_are_adjusted_apart() -> None:
    p, domain = [0.01, 0.04, 0.03, 0.2], ["mood", "mood", "school", "school"]
    found = sw.effects.adjusted_p_values(p, domain=domain)
    assert found.tolist() == pytest.approx([0.02, 0.04, 0.06, 0.2])


def test_bad_p_values_are_refused() -> None:
    for bad in ([0.1, np.nan], [0.1, 1.2]):
        with pytest.raises(SwevalError, match="1 of 2 p-values"):
            sw.effects.adjusted_p_values(bad)
    with pytest.raises(SwevalError, match="method must be one of"):
        sw.effects.adjusted_p_values([0.1], method="BH")
    with pytest.raises(SwevalError, match="each test needs one"):
        sw.effects.adjusted_p_values([0.1, 0.2], domain=["mood"])


def test_the_limits_of_baseline_equivalence_belong_to_the_milder_side() -> None:
    found = sw.effects.baseline_equivalence([0.0, 0.05, -0.05, 0.0501, -0.25, 0.2501, 3.0])
    assert found.tolist() == [*["satisfied"] * 3, *["adjustment_required"] * 2, *["not_satisfied"] * 2]
    with pytest.raises(SwevalError, match="1 of 2 baseline effects"):
        sw.effects.baseline_equivalence([0.1, np.nan])


def test_omega_approximates_j() -> None:
    """To .0002 from 20 persons on (Hedges, 1981, gives .007 as its largest error, at 2 degrees of freedom)."""
    n = np.array([20, 50, 400])
    assert sw.effects.wwc_small_sample_factor(n) == pytest.approx(sw.effects.small_sample_factor(n - 2), abs=2e-4)
    with pytest.raises(SwevalError, match="more than 3"):
        sw.effects.wwc_small_sample_factor(3)


def test_the_cluster_correction_keeps_the_level() -> None:
    """Clusters assigned, no effect, persons analysed: 5 per cent of the corrected tests claim one, and far more others.

    2,000 trials; three Monte Carlo standard errors are 1.5 points.
    """
    rng = np.random.default_rng(12)
    trials, clusters, size, icc = 2000, 20, 15, 0.2
    y = rng.normal(0, np.sqrt(icc), (trials, clusters, 1)) + rng.normal(0, np.sqrt(1 - icc), (trials, clusters, size))
    arms = y.reshape(trials, 2, -1)
    n = arms.shape[2]
    d = (arms[:, 0].mean(1) - arms[:, 1].mean(1)) / np.sqrt(arms.var(axis=2, ddof=1).mean(1))
    g = sw.effects.wwc_small_sample_factor(2 * n) * d
    found = sw.effects.wwc_cluster_correction(g, n_treated=n, n_control=n, clusters=clusters, icc=icc)
    assert (found.p_value < 0.05).mean() == pytest.approx(0.05, abs=0.02)
    assert (2 * stats.norm.sf(np.abs(found.t)) < 0.05).mean() > 0.25


def test_default_intraclass_correlations() -> None:
    facts = {"n_treated": 200, "n_control": 200, "clusters": 20}
    for outcome, icc in (("achievement", 0.2), ("other", 0.1)):
        assumed = sw.effects.wwc_cluster_correction(0.3, **facts, outcome=outcome)
        given_ = sw.effects.wwc_cluster_correction(0.3, **facts, icc=icc)
        assert assumed.icc == icc
        assert assumed.p_value == given_.p_value
    assert sw.effects.wwc_cluster_correction([0.1, 0.3], **facts).t_corrected.shape == (2,)
    alone = sw.effects.wwc_cluster_correction(0.3, **facts, icc=0)
    assert alone.t_corrected == pytest.approx(alone.t)
    with pytest.raises(SwevalError, match="achievement"):
        sw.effects.wwc_cluster_correction(0.3, **facts, outcome="reading")
    with pytest.raises(SwevalError, match="more than two clusters"):
        sw.effects.wwc_cluster_correction(0.3, n_treated=20, n_control=20, clusters=2)


def test_findings_are_called_what_they_are() -> None:
    found = sw.effects.wwc_findings(
        [0.4, 0.4, -0.4, -0.4, 0.1, 0.24, 0.25, 0.0], [0.001, 0.06, 0.001, 0.9, 0.001, 0.9, 0.9, 0.001],
        domain=list("abcdefgh"),
    )  # fmt: skip
    assert found.characterisation.tolist() == [
        "statistically significant positive",
        "substantively important positive",
        "statistically significant negative",
        "substantively important negative",
        "statistically significant positive",
        "indeterminate",
        "substantively important positive",
        "indeterminate",
    ]
    together = sw.effects.wwc_findings([0.2, 0.2, 0.2], [0.03, 0.2, 0.9])
    assert together.significant.tolist() == [False] * 3
    with pytest.raises(SwevalError, match="needs both"):
        sw.effects.wwc_findings([0.1], [0.1, 0.2])
    with pytest.raises(SwevalError, match="1 of 1 effects"):
        sw.effects.wwc_findings([np.nan], [0.1])
    with pytest.raises(SwevalError, match="level"):
        sw.effects.wwc_findings([0.1], [0.1], level=5)


def test_a_difference_of_differences_is_unbiased_and_covers() -> None:
    """1,000 pairs of groups that differed by .3 before; three Monte Carlo errors are .02 of bias, .021 of coverage."""
    rng = np.random.default_rng(8)
    runs, n, r = 1000, 25, 0.7
    pre = rng.standard_normal((runs, 2, n))
    post = r * pre + np.sqrt(1 - r**2) * rng.standard_normal((runs, 2, n))
    pre[:, 0] += 0.3
    post[:, 0] += 0.3 + 0.5

    def g(y: np.ndarray) -> np.ndarray:
        d = (y[:, 0].mean(1) - y[:, 1].mean(1)) / np.sqrt(y.var(axis=2, ddof=1).mean(1))
        return np.asarray(d * sw.effects.small_sample_factor(2 * n - 2))

    found = sw.effects.wwc_difference_in_differences(g(post), g(pre), n_treated=n, n_control=n, correlation=r)
    assert found.g.mean() == pytest.approx(0.5, abs=0.03)
    assert found.variance.mean() == pytest.approx(found.g.var(), rel=0.15)
    held = ((found.conf_low <= 0.5) & (found.conf_high >= 0.5)).mean()
    assert 0.929 <= held <= 0.975
    with pytest.raises(SwevalError, match="correlation"):
        sw.effects.wwc_difference_in_differences(0.3, 0.1, n_treated=20, n_control=20, correlation=1.0)
    with pytest.raises(SwevalError, match="two persons"):
        sw.effects.wwc_difference_in_differences(0.3, 0.1, n_treated=1, n_control=20, correlation=0.5)
