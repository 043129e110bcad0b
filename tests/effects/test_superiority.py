"""Who does better, from raw scores: estimates by counting, intervals by simulation, and every degenerate sample."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

import sweval as sw
from sweval.effects.medians import _median_distribution
from sweval.errors import SwevalError
from sweval.result import Estimate

FOLDER = Path(__file__).parents[1] / "reference" / "plain_words"
REFERENCE = json.loads((FOLDER / "reference.json").read_text(encoding="utf-8"))
FIXTURES = {
    entry["id"]: entry for entry in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
}
RANKED = (
    sw.effects.probability_of_superiority,
    sw.effects.cliffs_delta,
    sw.effects.generalized_odds_ratio,
    sw.effects.cohens_u3_nonparametric,
)

FloatArray = NDArray[np.float64]
few = st.lists(st.integers(0, 6), min_size=2, max_size=9)


def ids(kind: str) -> list[str]:
    return [name for name in FIXTURES if name.startswith(f"es_{kind}_") and name.removeprefix(f"es_{kind}_").isdigit()]


def normal(rng: np.random.Generator, n: int, shift: float, spread: float) -> FloatArray:
    return rng.standard_normal(n) * spread + shift


def ordered(rng: np.random.Generator, n: int, shift: float, spread: float) -> FloatArray:
    return np.digitize(normal(rng, n, shift, spread), [-1, -0.3, 0.4, 1.2]).astype(float)


def skewed(rng: np.random.Generator, n: int, shift: float, spread: float) -> FloatArray:
    return np.clip(np.round(3 * np.exp(0.6 * normal(rng, n, shift, spread)) - 1), 0, 27)


DRAWS: dict[str, Callable[[np.random.Generator, int, float, float], FloatArray]] = {
    "normal": normal,
    "ordered": ordered,
    "skewed": skewed,
}


@settings(max_examples=40)
@given(few, few, st.sampled_from(["higher", "lower"]))
def test_by_counting_all_pairs(treated: list[int], control: list[int], better: str) -> None:
    if len({*treated, *control}) == 1:
        return
    sign = 1 if better == "higher" else -1
    pairs = [sign * (x - y) for x in treated for y in control]
    expected = np.mean([(pair > 0) + 0.5 * (pair == 0) for pair in pairs])
    for interval in ("score", "newcombe", "fisher"):
        row = sw.effects.probability_of_superiority(treated, control, better=better, interval=interval)
        assert row.estimate == pytest.approx(expected, abs=1e-12)
        assert row.conf_low is not None
        assert row.conf_high is not None
        assert -1e-12 <= row.conf_low <= row.estimate + 1e-12
        assert row.estimate - 1e-12 <= row.conf_high <= 1 + 1e-12
    delta = sw.effects.cliffs_delta(treated, control, better=better)
    assert delta.estimate == pytest.approx(2 * expected - 1, abs=1e-12)


@settings(max_examples=40)
@given(few, few)
def test_turned_round_they_say_the_opposite(treated: list[int], control: list[int]) -> None:
    if len({*treated, *control}) == 1:
        return
    for interval in ("score", "newcombe"):
        a = sw.effects.probability_of_superiority(treated, control, interval=interval)
        b = sw.effects.probability_of_superiority(control, treated, interval=interval)
        c = sw.effects.probability_of_superiority(treated, control, better="lower", interval=interval)
        for other in (b, c):
            assert [1 - other.estimate, 1 - other.conf_high, 1 - other.conf_low] == pytest.approx(
                [a.estimate, a.conf_low, a.conf_high], abs=1e-9
            )
    up = sw.effects.cohens_u3_nonparametric(treated, control)
    down = sw.effects.cohens_u3_nonparametric(treated, control, better="lower")
    assert up.estimate + down.estimate == pytest.approx(1, abs=1e-12)


def test_mann_whitney_of_r() -> None:
    x, y = REFERENCE["x"], REFERENCE["y"]
    row = sw.effects.probability_of_superiority(x, y)
    assert row.estimate == pytest.approx(REFERENCE["w"] / (len(x) * len(y)), rel=1e-14)


def test_brunner_munzel_of_scipy() -> None:
    """Where the groups overlap widely, standard error and df are those of the Brunner-Munzel test.

    Our p-value takes the variance at one half, so that it agrees with the interval; it is close, not equal.
    """
    rng = np.random.default_rng(4)
    x, y = rng.normal(0.2, 1, 30), rng.normal(0, 3, 15)
    row = sw.effects.probability_of_superiority(x, y)
    test = stats.brunnermunzel(x, y)
    assert (row.estimate - 0.5) / row.std_error == pytest.approx(-test.statistic, rel=1e-10)
    from_t = 2 * stats.t.sf(abs(test.statistic), row.df)
    assert from_t == pytest.approx(test.pvalue, rel=1e-10)
    assert row.p_value == pytest.approx(test.pvalue, rel=0.05)


@settings(max_examples=40)
@given(few, few, st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_interval_and_p_value_agree_at_one_half(treated: list[int], control: list[int], level: float) -> None:
    if len({*treated, *control}) == 1:
        return
    row = sw.effects.probability_of_superiority(treated, control, conf_level=level)
    assert row.conf_low is not None
    assert row.conf_high is not None
    assert row.p_value is not None
    if abs(row.p_value - (1 - level)) > 1e-9:
        assert (row.p_value < 1 - level) == (not row.conf_low <= 0.5 <= row.conf_high)


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize(
    ("m", "n", "shift", "spread"), [(5, 5, 1.0, 1.0), (15, 6, 2.0, 1.0), (6, 15, 0.0, 3.0), (20, 20, 0.5, 1.0)]
)
def test_the_interval_keeps_its_level(kind: str, m: int, n: int, shift: float, spread: float) -> None:
    """300 samples: a true 95 % shows up below 91.3 % once in a thousand cells. The table is in tests/simulation."""
    rng = np.random.default_rng([m, n, len(kind)])
    draw = DRAWS[kind]
    many, others = draw(rng, 200_000, shift, spread), np.sort(draw(rng, 200_000, 0.0, 1.0))
    ranks = np.searchsorted(others, many, "left") + np.searchsorted(others, many, "right")
    truth = float(ranks.mean()) / (2 * others.size)
    held = 0
    for _ in range(300):
        row = sw.effects.probability_of_superiority(draw(rng, m, shift, spread), draw(rng, n, 0.0, 1.0))
        assert row.conf_low is not None
        assert row.conf_high is not None
        held += row.conf_low <= truth <= row.conf_high
    assert held >= 0.913 * 300


@pytest.mark.parametrize("name", ids("rank_biserial"))
def test_rank_biserial_of_effectsize(name: str) -> None:
    i, out = FIXTURES[name]["inputs"], FIXTURES[name]["outputs"]
    row = sw.effects.cliffs_delta(i["treatment"], i["control"], interval="fisher")
    assert [row.estimate, row.conf_low, row.conf_high] == pytest.approx(
        [out["r_rank_biserial"], out["CI_low"], out["CI_high"]], rel=1e-12
    )


@pytest.mark.parametrize("name", [*ids("cles_np"), *ids("u3_np")])
def test_nonparametric_estimates_of_effectsize(name: str) -> None:
    i, out = FIXTURES[name]["inputs"], FIXTURES[name]["outputs"]
    if "cles" in name:
        row = sw.effects.probability_of_superiority(i["treatment"], i["control"])
        assert row.estimate == pytest.approx(out["p_superiority"], rel=1e-12)
    else:
        row = sw.effects.cohens_u3_nonparametric(i["treatment"], i["control"], ties="none")
        assert row.estimate == pytest.approx(out["Cohens_U3"], rel=1e-12)


def test_clesn_of_metafor() -> None:
    i, out = FIXTURES["escalc_clesn"]["inputs"], FIXTURES["escalc_clesn"]["outputs"]
    found = sw.effects.superiority_from_summary(
        mean_treated=i["m1i"], sd_treated=i["sd1i"], n_treated=i["n1i"],
        mean_control=i["m2i"], sd_control=i["sd2i"], n_control=i["n2i"],
    )  # fmt: skip
    assert found.estimate == pytest.approx(out["yi"], rel=1e-10)
    assert found.variance == pytest.approx(out["vi"], rel=1e-10)
    assert ((found.conf_low < found.estimate) & (found.estimate < found.conf_high)).all()
    pooled = sw.effects.superiority_from_summary(
        mean_treated=12, sd_treated=4, n_treated=30, mean_control=10, sd_control=5, n_control=20, equal_spread=True
    )
    assert pooled.estimate == pytest.approx(stats.norm.cdf(2 / np.sqrt((29 * 16 + 19 * 25) / 48) / np.sqrt(2)))


def test_a_reported_change_covers_and_has_its_variance() -> None:
    """2,000 samples of 20 persons: the variance within 10 per cent, coverage within three Monte Carlo errors of .95."""
    rng = np.random.default_rng(6)
    runs, n, r = 2000, 20, 0.6
    before = rng.standard_normal((runs, n))
    after = 0.5 + 1.3 * (r * before + np.sqrt(1 - r**2) * rng.standard_normal((runs, n)))
    correlation = np.array([np.corrcoef(one, other)[0, 1] for one, other in zip(before, after, strict=True)])
    found = sw.effects.superiority_from_change_summary(
        mean_before=before.mean(1), sd_before=before.std(1, ddof=1), mean_after=after.mean(1),
        sd_after=after.std(1, ddof=1), n=n, correlation=correlation,
    )  # fmt: skip
    truth = stats.norm.cdf(0.5 / np.sqrt(1 + 1.3**2))
    assert found.variance.mean() == pytest.approx(found.estimate.var(), rel=0.1)
    held = ((found.conf_low <= truth) & (truth <= found.conf_high)).mean()
    assert held == pytest.approx(0.95, abs=0.016)
    with pytest.raises(SwevalError, match="3 persons"):
        sw.effects.superiority_from_change_summary(
            mean_before=1, sd_before=1, mean_after=1, sd_after=1, n=2, correlation=0.5
        )
    with pytest.raises(SwevalError, match="above zero"):
        sw.effects.superiority_from_change_summary(
            mean_before=1, sd_before=0, mean_after=1, sd_after=1, n=9, correlation=0.5
        )


def test_variance_of_a_reported_probability() -> None:
    """Counted over samples from the distributions that each formula takes: 8 per cent are three Monte Carlo errors."""
    rng = np.random.default_rng(9)
    m, n = 12, 18
    ranks = np.array([stats.rankdata(row)[:m].sum() for row in rng.random((3000, m + n))])
    counted = ((ranks - m * (m + 1) / 2) / (m * n)).var()
    assert sw.effects.superiority_variance(0.5, n_treated=m, n_control=n, kind="no_difference") == pytest.approx(
        counted, rel=0.08
    )
    x, y = rng.exponential(3.0, (3000, m)), rng.exponential(1.0, (3000, n))
    a = np.array([(one[:, None] > other).mean() for one, other in zip(x, y, strict=True)])
    for kind in ("newcombe", "hanley_mcneil"):
        found = sw.effects.superiority_variance(0.75, n_treated=m, n_control=n, kind=kind)
        assert found * (m - 1) * (n - 1) / (m * n) == pytest.approx(a.var(), rel=0.08)
    largest = sw.effects.superiority_variance(0.75, n_treated=m, n_control=n, kind="largest")
    assert largest == pytest.approx(0.75 * 0.25 / (m - 1))
    fewer = sw.effects.superiority_variance(0.75, n_treated=m, n_control=n, kind="hanley_mcneil", tied=0.2)
    assert fewer == pytest.approx(
        sw.effects.superiority_variance(0.75, n_treated=m, n_control=n, kind="hanley_mcneil")
        - 0.05 / ((m - 1) * (n - 1))
    )


def test_groups_that_do_not_overlap() -> None:
    row = sw.effects.probability_of_superiority([5, 6, 7, 8], [1, 2, 3])
    assert (row.estimate, row.conf_high) == (1.0, 1.0)
    assert row.conf_low is not None
    assert 0.2 < row.conf_low < 0.9  # effectsize prints [1, 1]
    lower = sw.effects.probability_of_superiority([5, 6, 7, 8], [1, 2, 3], better="lower")
    assert (lower.estimate, lower.conf_low) == (0.0, 0.0)
    newcombe = sw.effects.probability_of_superiority([5, 6, 7, 8], [1, 2, 3], interval="newcombe")
    assert newcombe.conf_low is not None
    assert 0.2 < newcombe.conf_low < 0.9
    with pytest.raises(SwevalError, match="odds have no end"):
        sw.effects.generalized_odds_ratio([5, 6, 7, 8], [1, 2, 3])
    u3 = sw.effects.cohens_u3_nonparametric([5, 6, 7, 8], [1, 2, 3])
    assert (u3.estimate, u3.conf_high) == (1.0, 1.0)
    assert u3.conf_low is not None
    assert u3.conf_low < 0.9


def test_odds_follow_the_probability() -> None:
    a = sw.effects.probability_of_superiority([1, 2, 3, 4, 6], [1, 1, 2, 5])
    odds = sw.effects.generalized_odds_ratio([1, 2, 3, 4, 6], [1, 1, 2, 5])
    assert odds.estimate == pytest.approx(a.estimate / (1 - a.estimate))
    assert odds.conf_low == pytest.approx(a.conf_low / (1 - a.conf_low))
    assert (odds.null, odds.p_value) == (1.0, a.p_value)


@pytest.mark.parametrize("function", RANKED)
def test_degenerate_samples_are_refused(function: Callable[..., Estimate]) -> None:
    with pytest.raises(SwevalError, match="all 5 scores are equal"):
        function([2, 2, 2], [2, 2])
    with pytest.raises(SwevalError, match="1 of 3 scores are missing"):
        function([1, 2, np.nan], [1, 2])
    with pytest.raises(SwevalError, match="two or more"):
        function([1], [1, 2])
    with pytest.raises(SwevalError, match="better must be"):
        function([1, 2], [2, 3], better="up")
    with pytest.raises(SwevalError, match="conf_level"):
        function([1, 2], [2, 3], conf_level=95)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(SwevalError, match="interval must be one of"):
        sw.effects.probability_of_superiority([1, 2], [2, 3], interval="delong")
    with pytest.raises(SwevalError, match="ties must be"):
        sw.effects.cohens_u3_nonparametric([1, 2], [2, 3], ties="strict")
    with pytest.raises(SwevalError, match="kind must be one of"):
        sw.effects.superiority_variance(0.5, n_treated=5, n_control=5, kind="delong")
    with pytest.raises(SwevalError, match="between 0 and 1"):
        sw.effects.superiority_variance(1.5, n_treated=5, n_control=5)
    for call in (
        lambda: sw.effects.superiority_variance(0.5, n_treated=1, n_control=5),
        lambda: sw.effects.superiority_from_summary(
            mean_treated=1, sd_treated=1, n_treated=1, mean_control=1, sd_control=1, n_control=5
        ),
    ):
        with pytest.raises(SwevalError, match="two persons"):
            call()


@pytest.mark.parametrize("m", [2, 5, 6, 11, 12])
def test_the_median_of_all_resamples(m: int) -> None:
    """Every resample of up to six persons, or 200,000 of more: mean and variance of their median (Monte Carlo 1 %)."""
    rng = np.random.default_rng(m)
    values = np.sort(rng.standard_normal(m))
    places = np.array(np.meshgrid(*[range(m)] * m)).reshape(m, -1) if m <= 6 else rng.integers(m, size=(m, 200_000))
    medians = np.median(values[places], axis=0)
    found, weight = _median_distribution(values)
    tolerance = 1e-9 if m <= 6 else 0.01
    assert weight @ found == pytest.approx(medians.mean(), abs=max(tolerance, 1e-9))
    variance = weight @ found**2 - (weight @ found) ** 2
    assert variance == pytest.approx(medians.var(), rel=max(tolerance, 1e-9))


def test_u3_keeps_its_level_and_says_when_it_has_none() -> None:
    """300 samples of 12 and 15: the lower limit of a true 95 % is 91.3 % (one in a thousand)."""
    rng = np.random.default_rng(21)
    held = 0
    for _ in range(300):
        row = sw.effects.cohens_u3_nonparametric(normal(rng, 12, 0.5, 1.0), normal(rng, 15, 0.0, 1.0))
        assert row.conf_low is not None
        assert row.conf_high is not None
        held += row.conf_low <= stats.norm.cdf(0.5) <= row.conf_high
    assert held >= 0.913 * 300
    coarse = sw.effects.cohens_u3_nonparametric([1, 2, 2, 2, 3], [1, 1, 2, 2, 3])
    assert coarse.conf_low is coarse.conf_high is coarse.conf_level is None
    assert "50% of all scores equal the median and there are 3 different values" in coarse.method
    categories = sw.effects.cohens_u3_nonparametric([1, 1, 2, 4, 5, 5, 5], [1, 1, 1, 2, 3, 5, 2, 2])
    assert "7% of all scores" in categories.method
    assert categories.conf_low is None


def test_matched_pairs() -> None:
    before, after = REFERENCE["before"], REFERENCE["after"]
    row = sw.effects.matched_rank_biserial(before, after, better="lower")
    n = sum(x != y for x, y in zip(before, after, strict=True))
    assert row.estimate == pytest.approx(2 * REFERENCE["v"] / (n * (n + 1) / 2) - 1, rel=1e-12)
    assert row.metric == "uncontrolled_dominance"
    assert "1 clients without change left out" in row.method
    # as in the package that this interval is named after: tanh(atanh r +- z SE)
    error = np.sqrt((2 * n**3 + 3 * n**2 + n) / 6) / (n * (n + 1) / 2)
    assert row.conf_low == pytest.approx(np.tanh(np.arctanh(row.estimate) - stats.norm.ppf(0.975) * error))
    all_up = sw.effects.matched_rank_biserial([1, 2, 3], [2, 4, 6])
    assert (all_up.estimate, all_up.conf_low, all_up.conf_level) == (1.0, None, None)
    with pytest.raises(SwevalError, match="none of 2 clients changed"):
        sw.effects.matched_rank_biserial([1, 2], [1, 2])
    with pytest.raises(SwevalError, match="3 scores before and 2 after"):
        sw.effects.matched_rank_biserial([1, 2, 3], [1, 2])
