"""What a mixed model says beside its numbers: notes, the printed form and refusals in the words of the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DesignError
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


@pytest.mark.parametrize("effects", ["1 + arm", "0 + arm", "arm"])
def test_variances_that_the_units_cannot_tell_apart_are_refused(effects: str, visits: pd.DataFrame) -> None:
    # all rows of an agency are in one arm: two variances are there, not two and a covariance
    with pytest.raises(DesignError, match='(is|are) the same in all rows of each "agency"'):
        MixedModel(fixed="arm * wave", random={"agency": effects}).fit(visits, "y")


def test_variances_of_each_arm_and_slopes_on_what_varies_little_are_not_refused(visits: pd.DataFrame) -> None:
    frame = visits.assign(year=2018 + visits.wave / 365)
    for effects in ("0 || arm[program] || arm[usual]", "1 + year", "1 + sex", "1 || arm[program]"):
        result = MixedModel(fixed="arm", random={"agency": effects}).fit(frame, "y")
        assert result.effect("sd", term="residual").estimate > 0


def test_no_test_is_called_the_more_cautious_one(visits: pd.DataFrame) -> None:
    # its df may be more than Satterthwaite's
    result = MixedModel(fixed="wave", random={"agency": "1"}).fit(visits, "y")
    assert noted(result, "the tests of Kenward and Roger stand beside")
    assert not noted(result, "are the more cautious")


def test_a_joint_test_in_an_interaction_says_where_it_is(visits: pd.DataFrame) -> None:
    result = MixedModel(fixed="arm * site + wave * site", random={"agency": "1"}, reference={"arm": "usual"}).fit(
        visits, "y"
    )
    row = result.effect("wald", term="site")
    assert row.method.startswith("Satterthwaite F test of 2 coefficients, where arm is usual and wave is 0; ")
    assert "where" not in result.effect("wald", term="arm:site").method
    lines = repr(result).splitlines()
    table = lines[next(k for k, line in enumerate(lines) if line.startswith("joint test")) :]
    assert table[0].split() == ["joint", "test", "F", "df1", "df2", "p_value"]
    site = next(line for line in table if line.startswith("site, where arm is usual and wave is 0"))
    assert site.split()[-3:-1] == ["2", f"{row.df:.1f}"]
    plain = MixedModel(fixed="site", random={"agency": "1"}).fit(visits, "y")
    assert "where" not in plain.effect("wald", term="site").method


def test_a_random_term_that_is_there_twice_is_named() -> None:
    with pytest.raises(DesignError, match=r'"agency" has the random effect "1" twice'):
        MixedModel.formula("y ~ wave + (1|agency) + (1|agency)")
    with pytest.raises(DesignError, match='"agency" has several random terms, which leaves open'):
        MixedModel.formula("y ~ wave + (1 + wave|agency) + (1 + sex|agency)")


def test_models_of_which_each_has_something_more_are_named_as_such(visits: pd.DataFrame) -> None:
    more = MixedModel(fixed="wave", random={"agency": "1", "agency/client": "1"}).fit(visits, "y")
    other = MixedModel(fixed="wave + site + arm", random={"agency": "1"}).fit(visits, "y")
    with pytest.raises(DesignError, match="the one has more random terms, the other more fixed terms"):
        more.likelihood_ratio(other)


def test_text_as_outcome_is_called_text(visits: pd.DataFrame) -> None:
    with pytest.raises(DesignError, match='"sex" holds text with 2 different values, not numbers'):
        MixedModel(fixed="wave", random={"agency": "1"}).fit(visits, "sex")
    answers = visits.assign(better=np.where(visits.y > visits.y.median(), "yes", "no"))
    with pytest.raises(DesignError, match='"better" holds yes/no values, not numbers'):
        MixedModel(fixed="wave", random={"agency": "1"}).fit(answers, "better")
