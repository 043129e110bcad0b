"""What a mixed model says beside its numbers: notes, the printed form and refusals in the words of the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.models.engine.mixed import profile
from sweval.models.mixed_model import MixedModel

FOLDER = Path(__file__).parents[1] / "reference" / "mixed_model"
NESTED = {"agency": "1", "agency/client": "1"}


@pytest.fixture
def visits() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "visits.csv")


def noted(result: object, words: str) -> list[str]:
    """Return the notes that hold these words."""
    return [note for note in result.notes if words in note]


def test_an_interval_that_the_likelihood_does_not_give_is_pointed_out(
    visits: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = profile.profile_intervals
    assert not noted(MixedModel(fixed="wave", random={"agency": "1"}).fit(visits, "y"), "no interval for")

    def partly(*arguments: object, **more: object) -> tuple[profile.Interval, ...]:
        first, *rest = whole(*arguments, **more)
        return (replace(first, low=np.nan, high=np.nan), *rest)

    monkeypatch.setattr(profile, "profile_intervals", partly)
    result = MixedModel(fixed="wave", random={"agency": "1"}).fit(visits, "y")
    row = result.effect("sd", term="agency: (Intercept)")
    assert (row.conf_low, row.conf_high) == (None, None)
    assert "its profile gave no limits" in row.method
    assert noted(result, "Check: no interval for agency: (Intercept), sd: the likelihood gave no limits")
