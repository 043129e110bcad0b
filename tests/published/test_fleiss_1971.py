"""Fleiss (1971), Measuring nominal scale agreement among many raters, Table 1: 30 patients, six psychiatrists."""

from __future__ import annotations

import pandas as pd

import sweval as sw

CATEGORIES = ["depression", "personality disorder", "schizophrenia", "neurosis", "other"]
COUNTS = (
    "00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031 "
    "00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006"
)


def test_kappa_as_printed() -> None:
    rows = [
        [name for name, times in zip(CATEGORIES, counts, strict=True) for _ in range(int(times))]
        for counts in COUNTS.split()
    ]
    raters = [f"rater_{number}" for number in range(1, 7)]
    result = sw.agreement(pd.DataFrame(rows, columns=raters), raters=raters, kind="fleiss")
    row = result.effect("fleiss_kappa")
    assert round(row.estimate, 3) == 0.430
    assert round(float(row.statistic or 0), 2) == 17.65  # Fleiss, Nee and Landis (1979) gave the right test
    assert round(result.effect("percent_agreement").estimate, 3) == 0.556
