"""The open mixed model: numbers of lme4, lmerTest, pbkrtest and nlme through a data frame, and clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars
import pytest

from sweval.errors import DataError, DesignError
from sweval.models.mixed_model import MixedModel

FOLDER = Path(__file__).parents[1] / "reference" / "mixed_model"
R = json.loads((FOLDER / "fixtures.json").read_text())["models"]
USUAL = {"reference": {"arm": "usual"}}
NESTED = {"agency": "1", "agency/client": "1"}
MODELS = {
    "promise": {"fixed": "arm * wave", "random": {"agency": "1 + wave", "agency/client": "1"}, **USUAL},
    "nested": {"fixed": "arm * wave + site", "random": NESTED, **USUAL},
    "ml": {"fixed": "arm * wave", "random": NESTED, "method": "ML", **USUAL},
    "double_bar": {"fixed": "wave", "random": {"agency": "1 || wave"}},
    "category": {"fixed": "wave", "random": {"agency": "1 + sex"}},
    "cells": {"fixed": "wave", "random": {"agency": "0 + sex"}},
    "crossed": {"fixed": "wave", "random": {"agency": "1", "worker": "1"}, "crossed": ("worker",)},
    "partial": {"fixed": "arm", "random": {"group": "0 + arm[program]"}, **USUAL},
    "weighted": {"fixed": "wave", "random": {"agency": "1"}, "weights": "weight"},
}
FORMULAS = {
    "promise": "y ~ arm * wave + (1 + wave | agency) + (1 | agency:client)",
    "nested": "y ~ arm * wave + site + (1 | agency/client)",
    "double_bar": "y ~ wave + (wave || agency)",
    "category": "y ~ wave + (sex | agency)",
    "crossed": "y ~ wave + (1 | agency) + (1 | worker)",
}


@pytest.fixture
def visits() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "visits.csv")


def of_agencies(frame: pd.DataFrame) -> pd.Series:
    """Return an outcome of agencies on the rows of their clients."""
    return frame.agency.str[1:].astype(float)


def in_words(term: str) -> str:
    """Return R's name of a coefficient in ours: `armprogram:wave` is `arm[program]:wave`."""
    named = {"armprogram": "arm[program]", "sitenorth": "site[north]", "sitewest": "site[west]"}
    named |= {"sexm": "sex[m]", "sexf": "sex[f]", "program": "arm[program]"}
    return ":".join(named.get(part, part) for part in term.split(":"))


@pytest.mark.parametrize("name", MODELS)
def test_lmer_test_and_pbkrtest(name: str, visits: pd.DataFrame) -> None:
    """Estimates 1e-6, standard errors 1e-5, Satterthwaite's df 1e-4: R differentiates numerically. KR df 1e-5."""
    expected = R[name]
    result = MixedModel(**MODELS[name]).fit(visits, "y")
    fit = result.fits[0]
    assert fit.log_likelihood == pytest.approx(expected["logLik"], abs=1e-8)
    assert (fit.converged, fit.singular, fit.engine) == (True, False, "sweval mixed")
    for k, term in enumerate(expected["terms"]):
        row = result.effect("coefficient", term=in_words(term))
        assert row.estimate == pytest.approx(expected["estimate"][k], rel=1e-6, abs=1e-7)
        assert row.std_error == pytest.approx(expected["se"][k], rel=1e-5)
        assert row.df == pytest.approx(expected["df"][k], rel=1e-4)
        assert row.p_value == pytest.approx(expected["p"][k], rel=1e-3, abs=1e-12)
        if "kr_se" in expected and fit.clusters < 20:
            beside = result.effect("coefficient_kenward_roger", term=in_words(term))
            assert beside.std_error == pytest.approx(expected["kr_se"][k], rel=1e-5)
            assert beside.df == pytest.approx(expected["kr_df"][k], rel=1e-5)
    assert len([row for row in result.estimates if row.measure == "coefficient"]) == len(expected["terms"])


@pytest.mark.parametrize("name", MODELS)
def test_variance_components_of_lme4(name: str, visits: pd.DataFrame) -> None:
    """1e-5: lme4 stops where the likelihood is flat to 1e-10; interval of every component around its estimate."""
    result = MixedModel(**MODELS[name]).fit(visits, "y")
    for part in R[name]["components"]:
        factor = "/".join(sorted(part["grp"].split(":")))
        effects = ", ".join(in_words(v) for v in (part["var1"], part["var2"]) if v is not None)
        term = "residual" if factor == "Residual" else f"{factor}: {effects}"
        row = result.effect("correlation" if part["var2"] else "sd", term=term)
        assert row.estimate == pytest.approx(part["sdcor"], rel=1e-5, abs=1e-5)
        assert row.conf_low < row.estimate < row.conf_high


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_is_the_same_model(name: str, visits: pd.DataFrame) -> None:
    more = {key: value for key, value in MODELS[name].items() if key in ("reference", "crossed")}
    one = MixedModel.formula(FORMULAS[name], **more).fit(visits)
    other = MixedModel(**MODELS[name]).fit(visits, "y")
    assert [(row.term, row.measure, row.estimate) for row in one.estimates] == [
        (row.term, row.measure, row.estimate) for row in other.estimates
    ]


def test_kenward_roger_can_be_asked_for(visits: pd.DataFrame) -> None:
    result = MixedModel(**MODELS["nested"]).fit(visits, "y", df="kenward-roger")
    assert [row.df for row in result.estimates if row.measure == "coefficient"] == pytest.approx(
        R["nested"]["kr_df"], rel=1e-5
    )
    assert not [row for row in result.estimates if row.measure.endswith("_kenward_roger")]
    assert "Kenward-Roger" in result.effect("coefficient", term="wave").method


def test_joint_test_of_a_term_with_several_columns(visits: pd.DataFrame) -> None:
    """contestMD of lmerTest; its df rest on numerical derivatives."""
    expected = R["nested"]["joint"]
    row = MixedModel(**MODELS["nested"]).fit(visits, "y").effect("wald")
    assert row.term == "site"
    assert (row.statistic, row.df, row.p_value) == pytest.approx(
        (expected["F"], expected["df"], expected["p"]), rel=1e-4
    )


def test_shares_of_variance(visits: pd.DataFrame) -> None:
    result = MixedModel(**MODELS["nested"]).fit(visits, "y")
    sd = {row.term: row.estimate for row in result.estimates if row.measure == "sd"}
    total = sum(value**2 for value in sd.values())
    row = result.effect("icc", term="agency")
    assert row.estimate == pytest.approx(sd["agency: (Intercept)"] ** 2 / total)
    assert row.conf_low < row.estimate < row.conf_high
    assert (result.fits[0].icc, result.fits[0].clusters) == (row.estimate, 10)
    assert result.effect("icc", term="agency/client").estimate == pytest.approx(
        sd["agency/client: (Intercept)"] ** 2 / total
    )


def test_residual_variance_by_arm(visits: pd.DataFrame) -> None:
    """nlme: varIdent; 1e-5, its search stops at about 1e-7 of the criterion."""
    expected = R["by"]
    result = MixedModel(fixed="arm * wave", random={"agency": "1"}, residual="by(arm)", **USUAL).fit(visits, "y")
    assert result.fits[0].log_likelihood == pytest.approx(expected["logLik"], abs=1e-7)
    sds = [result.effect("sd", term=f"residual: {arm}").estimate for arm in ("usual", "program")]
    first = sds[1] if visits.arm[0] == "program" else sds[0]  # nlme's first stratum is that of the first row
    assert first == pytest.approx(expected["sigma"], rel=1e-4)
    assert sds[1] / sds[0] == pytest.approx(expected["ratio"], rel=1e-4)
    assert result.effect("sd", term="agency: (Intercept)").estimate == pytest.approx(expected["sd"], rel=1e-4)
    for k, term in enumerate(expected["terms"]):
        row = result.effect("coefficient", term=in_words(term))
        assert (row.estimate, row.std_error) == pytest.approx((expected["estimate"][k], expected["se"][k]), rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "residual"),
    [
        ("ar1", "ar1(wave | agency/client)"),
        ("compound_symmetry", "compound_symmetry(agency/client)"),
        ("unstructured", "unstructured(wave | agency/client)"),
    ],
)
def test_correlated_residuals(kind: str, residual: str, visits: pd.DataFrame) -> None:
    """nlme's gls, no random effect; gls stops at about 1e-6."""
    expected = R[kind]
    result = MixedModel(fixed="arm * wave", residual=residual, **USUAL).fit(visits, "y")
    assert result.fits[0].log_likelihood == pytest.approx(expected["logLik"], abs=1e-6)
    for k, term in enumerate(expected["terms"]):
        row = result.effect("coefficient", term=in_words(term))
        assert (row.estimate, row.std_error) == pytest.approx((expected["estimate"][k], expected["se"][k]), rel=1e-3)
    correlations = [row.estimate for row in result.estimates if row.measure == "correlation"]
    named = expected["correlations"] if kind == "unstructured" else [expected["rho"]]
    assert sorted(correlations) == pytest.approx(sorted(named), rel=1e-3)


def test_clients_in_no_group_stay_in(visits: pd.DataFrame) -> None:
    """Those of the usual arm have no group, and nothing varies between groups there."""
    result = MixedModel(**MODELS["partial"]).fit(visits, "y")
    rows = int((visits.arm == "usual").sum())
    assert result.fits[0].dropped == 0
    assert any(note.startswith(f'{rows} rows without a value in "group" stayed in') for note in result.notes)


def test_left_out_rows_and_units_are_counted(visits: pd.DataFrame) -> None:
    visits.loc[[0, 1], "y"] = np.nan
    visits.loc[5, "agency"] = None
    visits["sex"] = visits["sex"].astype(object)
    visits.loc[7, "sex"] = " "
    result = MixedModel(fixed="arm + sex", random=NESTED).fit(visits, "y")
    fit = result.fits[0]
    assert (fit.rows, fit.used, fit.dropped) == (len(visits), len(visits) - 4, 4)
    assert '2 rows without a value in "y" were left out.' in result.notes
    assert '1 row without a value in "agency" (no unit) was left out.' in result.notes
    assert '1 row without a value in "sex" was left out.' in result.notes
    units = len(visits.drop(index=[0, 1, 5, 7])[["agency", "client"]].drop_duplicates())
    assert f'Random effects of 10 "agency" and {units} "agency/client"; {len(visits) - 4} rows.' in result.notes


def test_numbers_that_start_anew_in_each_agency_are_refused(visits: pd.DataFrame) -> None:
    clients = visits.client.nunique()
    with pytest.raises(DesignError, match=f'of {clients} ids in "client" occur in more than one "agency"') as caught:
        MixedModel(fixed="arm", random={"agency": "1", "client": "1"}).fit(visits, "y")
    assert 'write "agency/client" instead of "client"' in str(caught.value)
    assert 'add crossed=["client"]' in str(caught.value)


def test_ids_that_are_unique_need_no_slash(visits: pd.DataFrame) -> None:
    named = visits.assign(person=visits.agency + "-" + visits.client.astype(str))
    one = MixedModel(fixed="arm", random={"agency": "1", "person": "1"}).fit(named, "y")
    other = MixedModel(fixed="arm", random=NESTED).fit(visits, "y")
    assert one.fits[0].log_likelihood == pytest.approx(other.fits[0].log_likelihood, abs=1e-9)


def test_residuals_within_reused_numbers_are_refused(visits: pd.DataFrame) -> None:
    with pytest.raises(DesignError, match=r'rows? repeat "wave" within a "client"'):
        MixedModel(fixed="arm", residual="ar1(wave | client)").fit(visits, "y")
    with pytest.raises(DesignError, match='ids in "client" occur in more than one "agency"'):
        MixedModel(fixed="arm", random={"agency": "1"}, residual="compound_symmetry(client)").fit(visits, "y")


@pytest.fixture
def flat() -> pd.DataFrame:
    """Return agencies whose means are equal, so that nothing varies between them."""
    rng = np.random.default_rng(5)
    agency = np.repeat(np.arange(8), 6)
    y = rng.normal(size=48)
    y = y - pd.Series(y).groupby(agency).transform("mean").to_numpy()
    return pd.DataFrame({"agency": agency, "arm": np.where(agency % 2, "b", "a"), "x": rng.normal(size=48), "y": y})


def test_a_variance_of_zero_is_said_and_changes_the_test(flat: pd.DataFrame) -> None:
    """n - p = 46 would be too many df, those of eight agencies that differ, 6, too few; Kenward-Roger stands beside.

    Balanced, with F = MSB / MSW the variance component's estimate is cut at zero: v = MSB / n for MSB > MSW, else the
    pooled mean square; x has the variance 2 (1/df_between + 1/df_within) in units of v.
    """
    result = MixedModel(fixed="arm", random={"agency": "1"}).fit(flat, "y")
    row = result.effect("coefficient", term="arm[b]")
    between, within = 6, 40
    s2, free = 2 * (1 / between + 1 / within), 2 / (between + within)
    share = between / (between + within)
    slope = np.sqrt(s2) * (1 - share)  # what x adds to v beyond what it adds to the pooled mean square
    df = 2 * (1 + slope / np.sqrt(2 * np.pi)) ** 2 / (free + slope**2 * (1 - 1 / np.pi) / 2)
    assert row.df == pytest.approx(df, rel=1e-6)
    assert result.effect("coefficient_kenward_roger", term="arm[b]").df == pytest.approx(6, abs=1e-6)
    assert (result.fits[0].singular, result.effect("sd", term="agency: (Intercept)").estimate) == (True, 0)
    assert any("is estimated at zero" in note for note in result.notes)
    assert any("an estimate that cannot be negative" in note for note in result.notes)


def test_with_five_units_at_zero_kenward_roger_is_used(flat: pd.DataFrame) -> None:
    result = MixedModel(fixed="x", random={"agency": "1"}).fit(flat[flat.agency < 5], "y")
    assert result.fits[0].singular
    assert "Kenward-Roger" in result.effect("coefficient", term="x").method
    assert any(note.startswith("Kenward-Roger's tests are used instead") for note in result.notes)


def test_maximum_likelihood_at_two_zeros_has_no_test(flat: pd.DataFrame) -> None:
    frame = flat.assign(pair=flat.agency // 2)
    model = MixedModel(fixed="x", random={"pair": "1", "pair/agency": "1"}, method="ML")
    result = model.fit(frame, "y")
    row = result.effect("coefficient", term="x")
    assert (row.std_error, row.df, row.p_value) == (None, None, None)
    assert any("coefficients stand without tests" in note for note in result.notes)


def test_columns_that_add_nothing_are_named(visits: pd.DataFrame) -> None:
    frame = visits.assign(twice=2.0 * visits.wave, one=1)
    result = MixedModel(fixed="wave + twice + one", random=NESTED).fit(frame, "y")
    assert '"twice" adds nothing to the terms before it and was left out.' in result.notes
    assert '"one" has the same value in all rows and was left out.' in result.notes
    assert [row.term for row in result.estimates if row.measure == "coefficient"] == ["(Intercept)", "wave"]


def test_large_numbers_lose_no_digits(visits: pd.DataFrame) -> None:
    """Outcome and time shifted by 1e7: slopes, spreads and df stay; the data keep nine digits."""
    moved = visits.assign(y=visits.y + 1e7, wave=visits.wave + 1e7)
    one, other = (MixedModel(fixed="wave", random=NESTED).fit(frame, "y") for frame in (visits, moved))
    for measure, term in (("coefficient", "wave"), ("sd", "agency: (Intercept)"), ("sd", "residual")):
        row, twin = one.effect(measure, term=term), other.effect(measure, term=term)
        assert twin.estimate == pytest.approx(row.estimate, rel=1e-6)
    row, twin = (found.effect("coefficient", term="wave") for found in (one, other))
    assert (twin.std_error, twin.df) == pytest.approx((row.std_error, row.df), rel=1e-5)


def test_slopes_on_years_keep_their_numbers_and_get_a_note(visits: pd.DataFrame) -> None:
    model = MixedModel(fixed="wave", random={"agency": "1 + wave", "agency/client": "1"})
    one, other = model.fit(visits, "y"), model.fit(visits.assign(wave=visits.wave + 2018), "y")
    assert other.fits[0].log_likelihood == pytest.approx(one.fits[0].log_likelihood, abs=1e-8)
    for measure, term in (("coefficient", "wave"), ("sd", "agency: wave"), ("sd", "residual")):
        row, twin = one.effect(measure, term=term), other.effect(measure, term=term)
        assert (twin.estimate, twin.conf_low) == pytest.approx((row.estimate, row.conf_low), rel=1e-6)
    assert any(note.startswith('The (Intercept) of "agency" is what varies at "wave" = 0') for note in other.notes)
    assert not any(note.startswith("The (Intercept)") for note in one.notes)


def test_clients_taken_as_different_are_pointed_out(visits: pd.DataFrame) -> None:
    named = visits.assign(id=visits.agency + visits.client.astype(str))
    result = MixedModel(fixed="arm", random={"agency": "1"}, client="id").fit(named, "y")
    count = int((named.id.value_counts() > 1).sum())
    assert any(note.startswith(f"Check: {count} clients have several rows") for note in result.notes)
    result = MixedModel(fixed="arm", random={"agency": "1", "id": "1"}, client="id").fit(named, "y")
    assert not any(note.startswith("Check:") for note in result.notes)


def test_a_nested_factor_alone_is_pointed_out(visits: pd.DataFrame) -> None:
    result = MixedModel(fixed="arm", random={"agency/client": "1"}).fit(visits, "y")
    assert any(note.startswith('"agency/client" stands without "agency"') for note in result.notes)


def test_one_wave_can_be_chosen(visits: pd.DataFrame) -> None:
    result = MixedModel(fixed="arm", random={"agency": "1"}, wave="wave", outcome_wave=3).fit(visits, "y")
    assert result.fits[0].used == int((visits.wave == 3).sum())


def test_the_outcome_is_named_once(visits: pd.DataFrame) -> None:
    model = MixedModel.formula("y ~ arm + (1 | agency)")
    assert model.fit(visits, "y").fits[0].outcome == "y"
    with pytest.raises(DesignError, match='names the outcome "y", and fit is asked for "wave"'):
        model.fit(visits, "wave")
    with pytest.raises(DesignError, match="no outcome is named"):
        MixedModel(fixed="arm", random={"agency": "1"}).fit(visits)
    with pytest.raises(DesignError, match="random is in the formula already"):
        MixedModel.formula("y ~ arm + (1 | agency)", random={"agency": "1"})


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"fixed": "arm + wve"}, DataError, '"wve" is no column.*Did you mean "wave"'),
        ({"random": {"agencies": "1"}}, DataError, "agencies"),
        ({"random": {"agency": "1 + wve"}}, DataError, '"wve" is no column'),
        ({"random": {"agency": "0 + arm[none]"}}, DesignError, '"arm" has no level "none"'),
        ({"random": {"agency": "1 || sex"}}, DesignError, '"sex" is a category, and ||'),
        ({"random": {}}, DesignError, "no grouping factor"),
        ({"random": {"one": "1"}}, DesignError, 'all usable rows are in 1 unit of "one"'),
        ({"random": {"row": "1"}}, DesignError, "247 rows cannot tell them from the residuals"),
        ({"random": {"pair": "1 + wave"}}, DesignError, "have 248 random effects"),
        ({"random": {"arm": "1"}}, DesignError, 'the fixed terms tell the 2 "arm" apart'),
        ({"fixed": "agency"}, DesignError, 'the fixed terms tell the 10 "agency" apart'),
        ({"fixed": "arm + place"}, DesignError, 'the fixed terms tell the 10 "agency" apart'),
        ({"random": {"agency": "1", "place": "1"}}, DesignError, "tell the same 10 units apart"),
        ({"random": NESTED, "residual": "compound_symmetry(agency/client)"}, DesignError, "say the same"),
        ({"random": NESTED, "residual": "unstructured(wave | agency/client)"}, DesignError, "say the same"),
        ({"fixed": "arm + y"}, DesignError, "both the outcome and a term"),
        ({"random": {"y": "1"}}, DesignError, "both the outcome and a grouping column"),
        ({"fixed": "copy"}, DesignError, "reproduce the outcome exactly"),
        ({"fixed": "infinite"}, DesignError, '1 value in "infinite" is infinite'),
        ({"weights": "bad"}, DesignError, '2 weights in "bad" were zero or negative'),
        ({"reference": {"arm": "Usual"}}, DesignError, 'Did you mean "usual"'),
        ({"crossed": ("worker",)}, DesignError, 'crossed names "worker"'),
        ({"method": "REMl"}, DesignError, 'method="REMl" is unknown'),
        ({"residual": "ar2(wave | client)"}, DesignError, "is no structure of residuals"),
        ({"residual": "ar1(half | agency/client)"}, DesignError, "no whole numbers"),
        ({"residual": "by(site"}, DesignError, "is no structure|should read"),
        ({"residual": "compound_symmetry(row)"}, DesignError, 'every row is a "row" of its own'),
    ],
)
def test_refused(fields: dict, error: type, message: str, visits: pd.DataFrame) -> None:
    frame = visits.assign(
        one="a",
        row=np.arange(len(visits)),
        pair=np.arange(len(visits)) // 2,
        place="in " + visits.agency,
        copy=2 * visits.y + 1,
        half=visits.wave / 2,
        bad=[0.0, -1.0, *[1.0] * (len(visits) - 2)],
        infinite=[np.inf, *visits.wave[1:]],
    )
    with pytest.raises(error, match=message):
        MixedModel(**({"fixed": "arm", "random": {"agency": "1"}} | fields)).fit(frame, "y")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": 5.0}, "has the same value in all"),
        ({"y": np.nan}, "no complete row is left"),
        ({"y": "a"}, "yes/no|not numbers"),
    ],
)
def test_outcomes_without_information(change: dict, message: str, visits: pd.DataFrame) -> None:
    with pytest.raises(DesignError, match=message):
        MixedModel(fixed="arm", random={"agency": "1"}).fit(visits.assign(**change), "y")


def test_options_of_fit_are_checked(visits: pd.DataFrame) -> None:
    model = MixedModel(fixed="arm", random={"agency": "1"})
    with pytest.raises(DesignError, match=r'df="kr" is unknown'):
        model.fit(visits, "y", df="kr")
    with pytest.raises(DesignError, match="better"):
        model.fit(visits, "y", better="up")
    with pytest.raises(DesignError, match="conf_level"):
        model.fit(visits, "y", conf_level=95)
    with pytest.raises(DesignError, match="needs a REML fit"):
        MixedModel(fixed="arm", random={"agency": "1"}, method="ML").fit(visits, "y", df="kenward-roger")


def test_any_frame_gives_the_same_rows(visits: pd.DataFrame) -> None:
    model = MixedModel(**MODELS["promise"])
    one, other = model.fit(visits, "y"), model.fit(polars.from_pandas(visits).lazy(), "y")
    assert one.estimates == other.estimates
