"""Two-group effects against metafor and effectsize on simulated data, and against what raw scores must obey.

Where a package does something else on purpose, the test takes its number back to ours by its own published formula:
effectsize multiplies the noncentral-t limits by J (we do not: the pivot is for the population effect); metafor's
variance types are functions of g and kappa^2, so they check both.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import sweval as sw
from sweval.effects import summaries
from sweval.effects.kernel import small_sample_factor
from sweval.errors import DataError, DesignError

FOLDER = Path(__file__).parents[1] / "reference" / "effects"
FIXTURES = {
    entry["id"]: entry for entry in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
}
TWO_GROUP = [name for name in FIXTURES if name.startswith(("es_hedges_g", "es_cohens_d", "es_glass"))]


def close(actual: Any, expected: Any, entry: dict[str, Any]) -> None:
    """Hold a number or an array to the fixture's own tolerance."""
    assert np.asarray(actual, dtype=float) == pytest.approx(
        np.asarray(expected, dtype=float), rel=entry["rtol"], abs=entry["atol"]
    )


def summary_of(entry: dict[str, Any], conf_level: float = 0.95) -> Callable[[Any], Any]:
    """Return a caller that hands a fixture's means, deviations and sizes to a function of `summaries`."""
    i = {
        name: np.array(value, dtype=float)
        for name, value in entry["inputs"].items()
        if name not in {"data", "grouping"}
    }
    return lambda numbers: numbers(
        i["m1i"] - i["m2i"],
        sd_treated=i["sd1i"],
        n_treated=i["n1i"],
        sd_control=i["sd2i"],
        n_control=i["n2i"],
        conf_level=conf_level,
    )


def sizes(entry: dict[str, Any]) -> tuple[Any, Any]:
    return np.array(entry["inputs"]["n1i"], dtype=float), np.array(entry["inputs"]["n2i"], dtype=float)


@pytest.mark.parametrize("name", TWO_GROUP)
def test_raw_scores_equal_effectsize(name: str) -> None:
    entry = FIXTURES[name]
    treated, control = entry["inputs"]["treatment"], entry["inputs"]["control"]
    out, level = entry["outputs"], entry["outputs"]["CI"]
    row = sw.effects.hedges_g(treated, control, conf_level=level)
    j = float(small_sample_factor(row.df))
    if name.startswith("es_cohens_d"):
        close([row.estimate / j, row.conf_low, row.conf_high], [out["Cohens_d"], out["CI_low"], out["CI_high"]], entry)
    elif name.startswith("es_glass"):
        close(sw.effects.glass_delta(treated, control).estimate, out["Glass_delta_adjusted"], entry)
    elif "welch" in name:  # effectsize takes J at Welch's df of the difference, we at the df of the mean variance
        welch = sw.effects.hedges_g_heteroscedastic(treated, control)
        nu = float(summary_nu(treated, control))
        d = welch.estimate / float(small_sample_factor(nu))
        close(d * float(small_sample_factor(welch.df)), out["Hedges_g"], entry)
    else:
        close(
            [row.estimate, row.conf_low * j, row.conf_high * j], [out["Hedges_g"], out["CI_low"], out["CI_high"]], entry
        )


def summary_nu(treated: Any, control: Any) -> float:
    """Return the degrees of freedom of (s_T^2 + s_C^2) / 2 by Satterthwaite, written out."""
    v, w = np.var(treated, ddof=1), np.var(control, ddof=1)
    return float((v + w) ** 2 / (v**2 / (len(treated) - 1) + w**2 / (len(control) - 1)))


def test_g_and_kappa_equal_metafor() -> None:
    """Variance types LS, LS2, UB and AV of escalc(SMD) are formulas in g, J and kappa^2 = 1/n1 + 1/n2."""
    entry = FIXTURES["escalc_smd"]
    found = summary_of(entry)(summaries.two_groups)
    n1, n2 = sizes(entry)
    N = n1 + n2
    g, kappa_squared, j = found.g, found.weight_variance, small_sample_factor(N - 2)
    close(g, entry["outputs"]["yi"], entry)
    close(kappa_squared + g**2 / (2 * N), entry["outputs"]["vi"], entry)
    close(kappa_squared + (1 - (N - 4) / ((N - 2) * j**2)) * g**2, FIXTURES["escalc_smd_ub"]["outputs"]["vi"], entry)
    close(j**2 * (kappa_squared + found.d**2 / (2 * N)), FIXTURES["escalc_smd_ls2"]["outputs"]["vi"], entry)
    mean_g = (N * g).sum() / N.sum()
    close(kappa_squared + mean_g**2 / (2 * N), FIXTURES["escalc_smd_av"]["outputs"]["vi"], entry)


def test_glass_delta_equals_metafor() -> None:
    entry = FIXTURES["escalc_smd1"]
    close(summary_of(entry)(summaries.glass).g, entry["outputs"]["yi"], entry)


def test_heteroscedastic_d_equals_metafor_but_for_j() -> None:
    """metafor takes J at N - 2; the standard deviation has fewer degrees of freedom than that."""
    entry = FIXTURES["escalc_smdh"]
    n1, n2 = sizes(entry)
    found = summary_of(entry)(summaries.heteroscedastic)
    close(found.d * small_sample_factor(n1 + n2 - 2), entry["outputs"]["yi"], entry)
    assert (found.nu < n1 + n2 - 2 + 1e-9).all()


@given(
    treated=st.lists(st.integers(0, 60), min_size=2, max_size=12),
    control=st.lists(st.integers(0, 60), min_size=2, max_size=12),
)
def test_p_value_is_that_of_the_t_test_and_the_interval_agrees(treated: list[int], control: list[int]) -> None:
    if 0 in (np.ptp(treated), np.ptp(control)):
        return
    student = stats.ttest_ind(treated, control)
    row = sw.effects.hedges_g(treated, control)
    assert row.p_value == pytest.approx(float(student.pvalue), rel=1e-9, abs=1e-12)
    if len(control) > 2 and summary_nu(treated, control) > 1.01:
        welch = stats.ttest_ind(treated, control, equal_var=False)
        for other in (sw.effects.glass_delta(treated, control), sw.effects.hedges_g_heteroscedastic(treated, control)):
            assert other.p_value == pytest.approx(float(welch.pvalue), rel=1e-9, abs=1e-12)


@given(
    scores=st.lists(st.integers(0, 27), min_size=6, max_size=20), shift=st.integers(-50, 50), scale=st.floats(0.1, 10)
)
def test_effects_do_not_depend_on_unit_origin_or_labels(scores: list[int], shift: int, scale: float) -> None:
    treated, control = np.array(scores[::2], dtype=float), np.array(scores[1::2], dtype=float)
    if np.ptp(treated) + np.ptp(control) == 0:
        return
    row = sw.effects.hedges_g(treated, control, better="higher")
    moved = sw.effects.hedges_g(treated * scale + shift, control * scale + shift, better="higher")
    turned = sw.effects.hedges_g(treated, control, better="lower")
    swapped = sw.effects.hedges_g(control, treated, better="higher")
    assert moved.estimate == pytest.approx(row.estimate, rel=1e-9, abs=1e-9)
    assert turned.estimate == -row.estimate == swapped.estimate
    assert (turned.conf_low, turned.conf_high) == pytest.approx((-row.conf_high, -row.conf_low))
    assert turned.p_value == row.p_value


def test_all_roads_lead_to_the_same_row() -> None:
    treated, control = [12.0, 15, 11, 18, 14], [10.0, 9, 13, 8, 12, 7]
    row = sw.effects.hedges_g(treated, control, better="lower")
    means = sw.effects.hedges_g_from_summary(
        mean_treated=np.mean(treated), sd_treated=np.std(treated, ddof=1), n_treated=5,
        mean_control=np.mean(control), sd_control=np.std(control, ddof=1), n_control=6, better="lower",
    )  # fmt: skip
    t = float(stats.ttest_ind(treated, control).statistic)
    from_t = sw.effects.hedges_g_from_t(t, n_treated=5, n_control=6, better="lower")
    for other in (means, from_t):
        for field in ("estimate", "std_error", "conf_low", "conf_high", "p_value", "df", "n", "weight_variance"):
            assert getattr(other, field) == pytest.approx(getattr(row, field), rel=1e-10), field
    assert row.estimate < 0
    assert row.std_error == pytest.approx(math.sqrt(row.variance or 0))


def test_the_row_says_what_it_is() -> None:
    row = sw.effects.hedges_g([1, 2, 4], [1, 1, 3], better="higher")
    assert (row.measure, row.term, row.metric, row.standardizer) == (
        "hedges_g", "arm[treated]", "person_total", "posttest_pooled",
    )  # fmt: skip
    assert (row.null, row.better, row.n, row.adjusted, row.level_assigned) == (0.0, "higher", 6, False, "client")
    assert "positive = improvement" in row.method
    assert "noncentral-t" in row.method


@pytest.mark.parametrize(
    ("treated", "control", "words"),
    [
        ([1, np.nan, 3, np.nan], [1, 2, 3], "treated: 2 of 4 scores are missing"),
        ([1, 2, 3], [1, None, 3], "control: 1 of 3 scores are missing"),
        ([1], [1, 2, 3], "treated: there are 1 scores"),
        ([], [1, 2, 3], "treated: there are 0 scores"),
        ([2, 2], [2, 2], "no standard deviation"),
        (["a", "b"], [1, 2], "no numbers"),
        ([[1, 2], [3, 4]], [1, 2], "one list"),
    ],
)
def test_unusable_scores_are_refused_with_counts_and_without_values(treated: Any, control: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        sw.effects.hedges_g(treated, control)


def test_a_control_group_without_spread_has_no_glass_delta() -> None:
    with pytest.raises(DesignError, match="above zero"):
        sw.effects.glass_delta([1, 2, 3], [2, 2, 2])


@pytest.mark.parametrize("better", ["Higher", "up", "", None])
def test_a_direction_is_needed(better: Any) -> None:
    with pytest.raises(DesignError, match='"higher" or "lower"'):
        sw.effects.hedges_g([1, 2, 3], [2, 3, 5], better=better)


@pytest.mark.parametrize("n", [1, 2.5, 0, float("nan")])
def test_group_sizes_are_whole_and_two_or_more(n: float) -> None:
    with pytest.raises(DesignError, match="n_treated must be a whole number"):
        sw.effects.hedges_g_from_t(1.0, n_treated=n, n_control=10)


def test_two_clients_per_group_get_a_row_that_says_so() -> None:
    row = sw.effects.hedges_g([1, 2], [3, 5])
    assert "too few persons for a variance" in row.method
    assert row.std_error > 10
