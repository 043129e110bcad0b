"""What a mixed model says beside its numbers: notes, the printed form and refusals in the words of the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DesignError
from sweval.models.base.random_terms import parse_random
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


@pytest.mark.parametrize("low", [np.nan, 0.0])
def test_an_interval_that_the_likelihood_does_not_give_is_pointed_out(
    low: float, visits: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = profile.profile_intervals
    assert not noted(MixedModel(fixed="wave", random={"agency": "1"}).fit(visits, "y"), "no interval for")

    def partly(*arguments: object, **more: object) -> tuple[profile.Interval, ...]:
        first, *rest = whole(*arguments, **more)
        return (replace(first, low=low, high=np.nan), *rest)

    monkeypatch.setattr(profile, "profile_intervals", partly)
    result = MixedModel(fixed="wave", random={"agency": "1"}).fit(visits, "y")
    row = result.effect("sd", term="agency: (Intercept)")
    assert (row.conf_low, row.conf_high) == (None, None)
    assert "its profile gave no limits" in row.method
    assert noted(result, "Check: no interval for agency: (Intercept), sd: the likelihood gave no limits")


@pytest.mark.parametrize("effects", ["1 + arm", "0 + arm", "arm"])
def test_variances_that_the_units_cannot_tell_apart_are_refused(effects: str, visits: pd.DataFrame) -> None:
    # all rows of an agency are in one arm: two variances are there, not two and a covariance
    with pytest.raises(DesignError, match=r'(is|are) the same in all rows of each "agency"'):
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


def test_an_effect_between_units_needs_the_slope_within_them(visits: pd.DataFrame) -> None:
    model = MixedModel.formula("y ~ arm * wave + (1 | agency) + (1 | agency:client)", reference={"arm": "usual"})
    (note,) = noted(model.fit(visits, "y"), "is not allowed to vary")
    assert note.startswith('Check: "arm" is the same in all rows of each "agency", and the effect of "wave" is not')
    assert note.endswith("Let it vary: (1 + wave | agency).")
    for formula in ("arm * wave + (1 + wave | agency)", "arm + wave + (1 | agency)", "sex * wave + (1 | agency)"):
        assert not noted(MixedModel.formula(f"y ~ {formula}").fit(visits), "is not allowed to vary")


@pytest.mark.parametrize(
    "random",
    [
        {"agency": "1 + wave", "agency/client": "1"},
        {"agency": "1 || wave"},
        {"agency": "0 + sex"},
        {"agency": "0 || sex[m] || sex[f]"},
        {"agency/client": "wave"},
    ],
)
def test_the_printed_formula_is_read_as_the_same_model(random: dict[str, str], visits: pd.DataFrame) -> None:
    model = MixedModel(fixed="arm * wave", random=random)
    header = repr(model.fit(visits, "y")).splitlines()[0]
    again = MixedModel.formula(header)
    assert again.fixed == "y ~ arm * wave"
    assert parse_random(again.random) == parse_random(random)
    assert "/" not in header


def test_names_that_hold_operators_are_printed_between_back_quotes(visits: pd.DataFrame) -> None:
    frame = visits.rename(columns={"y": "y (t)", "agency": "kab/kota"})
    header = repr(MixedModel.formula("`y (t)` ~ wave + (1 | `kab/kota`)").fit(frame)).splitlines()[0]
    assert header == "`y (t)` ~ wave + (1 | `kab/kota`)"
    residual = MixedModel(fixed="wave", residual="ar1(wave | agency/client)").fit(visits, "y")
    assert repr(residual).splitlines()[:2] == ["y ~ wave", "residuals: ar1(wave | agency/client)"]


def test_numbers_stored_as_text_are_pointed_out_as_a_category(visits: pd.DataFrame) -> None:
    words = '"wave" is stored as text but holds only numbers; it entered as a category with 4 levels'
    frame = visits.assign(wave=visits.wave.astype(str))
    assert noted(MixedModel(fixed="wave", random={"agency": "1"}).fit(frame, "y"), words)
    for other, more in ((frame.astype({"wave": "category"}), {}), (frame, {"reference": {"wave": "0"}})):
        assert not noted(MixedModel(fixed="wave", random={"agency": "1"}, **more).fit(other, "y"), "stored as text")


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_criteria_of_the_fitted_likelihood_are_printed(method: str, visits: pd.DataFrame) -> None:
    # four fixed effects, two variances and a covariance of agencies, one variance of clients, that of the residuals
    model = MixedModel(fixed="arm * wave", random={"agency": "1 + wave", "agency/client": "1"}, method=method)
    result = model.fit(visits, "y")
    fit = result.fits[0]
    deviance = -2 * fit.log_likelihood
    said = f"9 parameters; deviance {deviance:.2f}, AIC {deviance + 18:.2f}, BIC {deviance + 9 * np.log(fit.used):.2f}"
    (line,) = [line for line in repr(result).splitlines() if line.startswith("9 parameters")]
    assert line == said + ("; restricted, so only for models with the same fixed effects" if method == "REML" else "")


def test_shares_of_variance_are_given_their_meaning(visits: pd.DataFrame) -> None:
    nested = MixedModel(fixed="wave", random=NESTED).fit(visits, "y")
    total = sum(row.estimate for row in nested.estimates if row.measure == "icc")
    assert noted(
        nested,
        f'Two rows of the same "agency/client" correlate {total:.3f}: the sum of the shares of "agency" and '
        '"agency/client".',
    )
    assert "agency/client, share of variance" in repr(nested)
    single = MixedModel(fixed="wave", random={"agency": "1"}).fit(visits, "y")
    assert "agency, ICC" in repr(single)
    assert not noted(single, "correlate")
    slopes = MixedModel(fixed="wave", random={"agency": "1 + wave"}).fit(visits, "y")
    assert noted(slopes, 'No ICC: how alike two rows of a unit are depends on their "wave"')


def test_an_outcome_of_two_values_is_pointed_out(visits: pd.DataFrame) -> None:
    frame = visits.assign(works=(visits.y > visits.y.median()).astype(int))
    result = MixedModel(fixed="wave", random={"agency": "1"}).fit(frame, "works")
    assert noted(result, 'Check: "works" holds only 0 and 1')
    assert noted(result, 'family="binomial"')


@pytest.mark.parametrize("random", [{"agency": "1"}, NESTED])
def test_a_client_with_two_rows_at_a_wave_is_refused(random: dict[str, str], visits: pd.DataFrame) -> None:
    frame = visits.assign(id=visits.agency + "-" + visits.client.astype(str))
    doubled = pd.concat([frame, frame.iloc[[4]]], ignore_index=True)
    client = "client" if random == NESTED else "id"  # ids of "client" start anew in each agency
    model = MixedModel(fixed="wave", random=random, client=client, wave="wave")
    model.fit(frame, "y")
    with pytest.raises(DesignError, match=rf"1 client with several rows at the same wave \(rows 5, {len(doubled)}\)"):
        model.fit(doubled, "y")


def test_clients_who_cross_agencies_may_be_seen_in_two_at_a_wave(visits: pd.DataFrame) -> None:
    random = {"agency": "1", "client": "1"}
    model = MixedModel(fixed="wave", random=random, crossed="client", client="client", wave="wave")
    assert model.fit(visits, "y").fits[0].used == len(visits)
