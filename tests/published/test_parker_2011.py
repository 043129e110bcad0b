"""Parker, Vannest and Davis (2011), Effect size in single-case research: a review of nine nonoverlap techniques.

The data of the worked example and of the one for Tau-U, with the fractions that the paper arrives at
(doi:10.1177/0145445511399147).
"""

from __future__ import annotations

import pytest

import sweval as sw

A, B = [20, 20, 26, 25, 22, 23], [28, 25, 24, 27, 30, 30, 29]


def test_the_worked_example() -> None:
    e = sw.effects
    found = {
        "PND": e.percentage_of_nonoverlapping_data(A, B),
        "PEM": e.percentage_exceeding_median(A, B).estimate,
        "PAND": e.percentage_of_all_nonoverlapping_data(A, B).estimate,
        "IRD": e.improvement_rate_difference(A, B),
        "NAP": e.nonoverlap_of_all_pairs(A, B).estimate,
        "Tau": e.tau_nonoverlap(A, B).estimate,
    }
    printed = {"PND": 5 / 7, "PEM": 1, "PAND": 11 / 13, "IRD": 6 / 7 - 1 / 6, "NAP": 38.5 / 42, "Tau": 35 / 42}
    assert {name: float(value) for name, value in found.items()} == pytest.approx(printed, rel=1e-12)


def test_tau_and_tau_u() -> None:
    a, b = [3, 3, 4, 5], [4, 5, 6, 7, 7]
    assert float(sw.effects.tau_nonoverlap(a, b).estimate) == pytest.approx(16 / 20)
    found = sw.effects.tau_u(a, b, variant="parker").comparison("A vs. B - Trend A")
    assert float(found) == pytest.approx(11 / 20)
