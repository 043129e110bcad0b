"""Randomisation tests: by hand, by trying every draw, and their error rate where the start was drawn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

import sweval as sw
from sweval.errors import DataError, DesignError

Y = np.array([4.0, 5, 4, 6, 5, 9, 8, 9, 10, 9])
MADE = np.arange(10) >= 5


def test_every_start_by_hand() -> None:
    table = sw.effects.start_points(10, least_baseline=3, least_treated=3)
    assert table.sum(axis=1).tolist() == [7, 6, 5, 4, 3]
    means = [Y[row].mean() - Y[~row].mean() for row in table]
    found = sw.effects.randomization_test([Y], [MADE], [table])
    assert found.statistic == pytest.approx(means[2])
    assert (found.p_value, found.draws, found.exact) == (1 / 5, 5, True)
    assert found.distribution.tolist() == pytest.approx(sorted(means))
    worse = sw.effects.randomization_test([Y], [MADE], [table], better="lower")
    assert worse.p_value == 1
    named = sw.effects.start_points(10, starts=[5, 6, 9])
    assert named.sum(axis=1).tolist() == [6, 5, 2]


def test_several_cases_are_all_combinations() -> None:
    rng = np.random.default_rng(2)
    values = [rng.normal(size=k) + 2 * (np.arange(k) >= 4) for k in (8, 9, 10)]
    made = [np.arange(k) >= 4 for k in (8, 9, 10)]
    tables = [sw.effects.start_points(k) for k in (8, 9, 10)]
    for statistic in ("mean_difference", "median_difference", "nonoverlap"):
        found = sw.effects.randomization_test(values, made, tables, statistic=statistic)
        each = [[one(y, row, statistic) for row in table] for y, table in zip(values, tables, strict=True)]
        sums = np.array([sum(combination) / 3 for combination in itertools.product(*each)])
        want = sum(one(y, row, statistic) for y, row in zip(values, made, strict=True)) / 3
        assert found.p_value == pytest.approx((sums >= want - 1e-12).mean())


def one(y: np.ndarray, treated: np.ndarray, statistic: str) -> float:
    b, a = y[treated], y[~treated]
    if statistic == "nonoverlap":
        return float(np.mean(b[:, None] > a) + 0.5 * np.mean(b[:, None] == a))
    middle = np.mean if statistic == "mean_difference" else np.median
    return float(middle(b) - middle(a))


def test_too_many_draws_are_sampled_and_the_seed_decides() -> None:
    rng = np.random.default_rng(5)
    values, tables = [rng.normal(size=20) for _ in range(6)], [sw.effects.start_points(20)] * 6
    made = [np.arange(20) >= 10] * 6
    first, again, other = (
        sw.effects.randomization_test(values, made, tables, rng=seed, draws=1999) for seed in (3, 3, 4)
    )
    assert not first.exact
    assert first.p_value == again.p_value
    assert first.p_value == pytest.approx(other.p_value, abs=0.05)
    assert first.p_value >= 1 / 2000


def test_error_rate_with_autocorrelation() -> None:
    """No effect, phi = .6, starts drawn by lot: p <= .1 in at most 10 % (+ 3 MC SE of 2,000) of the studies."""
    rng = np.random.default_rng(11)
    tables = [sw.effects.start_points(14, least_baseline=3, least_treated=3)] * 2
    hits = 0
    for _ in range(2000):
        e = rng.normal(size=(2, 14))
        y = e.copy()
        for t in range(1, 14):
            y[:, t] = 0.6 * y[:, t - 1] + 0.8 * e[:, t]
        made = [table[rng.integers(len(table))] for table in tables]
        hits += sw.effects.randomization_test(list(y), made, tables).p_value <= 0.1
    assert hits / 2000 <= 0.1 + 3 * np.sqrt(0.09 / 2000)


def test_phases_that_come_back() -> None:
    table = sw.effects.phase_changes(11, phases=4, least=2)
    for row in table:
        runs = [len(list(own)) for _, own in itertools.groupby(row)]
        assert len(runs) == 4
        assert min(runs) >= 2
        assert not row[0]
    assert len(np.unique(table, axis=0)) == len(table) == 20  # C(3 + 3, 3) ways to share out three free sessions


def test_orders_of_alternating_conditions() -> None:
    table = sw.effects.alternating_orders(8, longest_run=2)
    wanted = {
        order
        for order in itertools.product([True, False], repeat=8)
        if sum(order) == 4 and max(len(list(own)) for _, own in itertools.groupby(order)) <= 2
    }
    assert {tuple(map(bool, row)) for row in table} == wanted
    assert len(sw.effects.alternating_orders(6, longest_run=None)) == 20
    assert sw.effects.alternating_orders(5, treated=2, longest_run=1).astype(int).tolist() == [[0, 1, 0, 1, 0]]


def test_refusals() -> None:
    table = sw.effects.start_points(10)
    with pytest.raises(DesignError, match="none of those"):
        sw.effects.randomization_test([Y], [np.arange(10) >= 1], [table])
    with pytest.raises(DataError, match="missing"):
        sw.effects.randomization_test([np.r_[np.nan, Y[1:]]], [MADE], [table])
    with pytest.raises(DataError, match="same length"):
        sw.effects.randomization_test([Y[:5]], [MADE], [table])
    with pytest.raises(DataError, match="one entry per case"):
        sw.effects.randomization_test([], [], [])
    with pytest.raises(DesignError, match="unknown"):
        sw.effects.randomization_test([Y], [MADE], [table], statistic="t")  # type: ignore[arg-type]
    with pytest.raises(DesignError, match="with and without"):
        sw.effects.randomization_test([Y], [MADE], [np.vstack([MADE, np.ones(10, bool)])])
    with pytest.raises(DesignError, match="no such start"):
        sw.effects.start_points(5, least_baseline=3, least_treated=3)
    with pytest.raises(DesignError, match="do not fit"):
        sw.effects.phase_changes(7, phases=4, least=2)
    with pytest.raises(DesignError, match="more than are counted"):
        sw.effects.phase_changes(120, phases=6, least=2)
    with pytest.raises(DesignError, match="no order"):
        sw.effects.alternating_orders(6, treated=1, longest_run=2)
    with pytest.raises(DesignError, match=r"155,117,520 orders"):
        sw.effects.alternating_orders(30, longest_run=None)
    with pytest.raises(DesignError, match="a session"):
        sw.effects.alternating_orders(4, treated=0)


def test_drawn_orders_are_each_as_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders of 8 sessions in runs of 1 or 2: every one comes up as often, by chi-square."""
    from sweval.effects import randomization

    listed = sw.effects.alternating_orders(8, treated=3, longest_run=2)
    made = listed[0]
    assert randomization.drawn_orders(made) is None  # few enough to be listed
    monkeypatch.setattr(randomization, "_MOST_LISTED", 5)
    drawn = randomization.drawn_orders(made, draws=20_000, rng=3)
    assert drawn is not None
    assert (drawn[0] == made).all()
    known = {tuple(row): number for number, row in enumerate(listed.tolist())}
    count = np.bincount([known[tuple(row)] for row in drawn[1:].tolist()], minlength=len(listed))
    assert stats.chisquare(count).pvalue > 0.001
    with pytest.raises(DesignError, match="none of those"):
        randomization.drawn_orders([True] * 3 + [False] * 5)


def test_drawn_changes_are_each_as_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    from sweval.effects import randomization

    listed = sw.effects.phase_changes(12, phases=4, least=2)
    assert randomization.drawn_changes(listed[3], phases=4, least=2) is None
    monkeypatch.setattr(randomization, "_MOST_LISTED", 5)
    drawn = randomization.drawn_changes(listed[3], phases=4, least=2, draws=20_000, rng=3)
    assert drawn is not None
    known = {tuple(row): number for number, row in enumerate(listed.tolist())}
    count = np.bincount([known[tuple(row)] for row in drawn[1:].tolist()], minlength=len(listed))
    assert stats.chisquare(count).pvalue > 0.001
    with pytest.raises(DesignError, match="none of those"):
        randomization.drawn_changes([False, True] + [False] * 5 + [True] * 5, phases=4, least=2)
