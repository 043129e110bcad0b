"""Krippendorff (2011), Computing Krippendorff's alpha-reliability, section D: 12 units, 4 observers, missing data.

Gwet (2014, Handbook of inter-rater reliability) analyses the same ratings: AC1 and Fleiss' kappa.
"""

from __future__ import annotations

import pandas as pd
import pytest

import sweval as sw

_ = None
OBSERVERS = pd.DataFrame(
    {
        "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        "C": [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    }
)
ALPHA = {"nominal": 0.743, "ordinal": 0.815, "interval": 0.849, "ratio": 0.797}


@pytest.mark.parametrize("level", ALPHA)
def test_alpha_at_four_levels_as_printed(level: str) -> None:
    row = sw.agreement(OBSERVERS, raters=list("ABCD"), kind="krippendorff").effect(f"krippendorff_alpha_{level}")
    assert round(row.estimate, 3) == ALPHA[level]
    assert row.n == 11


def test_ac1_and_fleiss_kappa_with_their_standard_errors_as_printed() -> None:
    ac1 = sw.agreement(OBSERVERS, raters=list("ABCD"), kind="gwet").effect("gwet_ac1")
    fleiss = sw.agreement(OBSERVERS, raters=list("ABCD"), kind="fleiss").effect("fleiss_kappa")
    assert (round(ac1.estimate, 5), round(float(ac1.std_error or 0), 5)) == (0.77544, 0.14295)
    assert (round(fleiss.estimate, 5), round(float(fleiss.std_error or 0), 5)) == (0.76117, 0.15302)
