"""Shrout and Fleiss (1979), Intraclass correlations, Tables 2 and 4: six targets rated by four judges."""

from __future__ import annotations

import pandas as pd
import pytest

import sweval as sw

RATINGS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
PRINTED = {"icc_1_1": 0.17, "icc_2_1": 0.29, "icc_3_1": 0.71, "icc_1_k": 0.44, "icc_2_k": 0.62, "icc_3_k": 0.91}


@pytest.mark.parametrize("measure", PRINTED)
def test_the_six_correlations_as_printed(measure: str) -> None:
    judges = ["j1", "j2", "j3", "j4"]
    result = sw.agreement(pd.DataFrame(RATINGS, columns=judges), raters=judges, kind="icc")
    assert round(result.effect(measure).estimate, 2) == PRINTED[measure]
