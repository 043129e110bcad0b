"""What a fitted mixed model answers: the numbers of emmeans, lme4 and lmerTest, or plain words."""

from __future__ import annotations

import html
import json
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import sweval as sw
from sweval.errors import DataError, SwevalError, SwevalWarning
from sweval.models.base.mixed_result import MixedResult
from sweval.models.mixed_model import MixedModel
from sweval.result import Result

FOLDER = Path(__file__).parents[2] / "reference"
R = json.loads((FOLDER / "marginal_means" / "marginal_means.json").read_text(encoding="utf-8"))
WAVES = {"time": [0, 8]}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    d = pd.read_csv(FOLDER / "mixed" / "lmm_slope.csv")
    site = [list("abc")[(row + 1) % 3] for row in range(len(d))]
    block = [row % 7 for row in range(len(d))]
    return d.assign(arm=np.where(d["treat"] == 1, "program", "usual"), site=site, block=block)


def fit(data: pd.DataFrame, fixed: str = "arm * time + site", random: str = "1 + time", **more: object) -> MixedResult:
    grouping = more.pop("grouping", "id")
    return MixedModel(fixed=fixed, random={grouping: random}, reference={"arm": "usual"}, **more).fit(data, "y")


@pytest.fixture(scope="module")
def result(data: pd.DataFrame) -> MixedResult:
    return fit(data)


def compare(rows: Sequence[object], expected: dict, how: str) -> None:
    """Compare estimate, standard error, df, limits and p-values with R."""
    # lme4 stops where the deviance is flat to about 1e-9, which leaves 1e-5 in variances and 1e-4 in Satterthwaite's df
    names = {"estimate": "estimate", "se": "std_error", "df": "df", "low": "conf_low", "high": "conf_high"}
    if rows[0].p_value is not None:
        names["p"] = "p_value"
    for theirs, ours in names.items():
        if theirs in expected:
            found = [getattr(row, ours) for row in rows]
            np.testing.assert_allclose(
                found, np.atleast_1d(expected[theirs]), rtol=2e-4, atol=1e-6, err_msg=f"{how} {ours}"
            )


@pytest.mark.parametrize("df", ["satterthwaite", "kenward-roger"])
def test_marginal_means_contrasts_and_slopes_are_those_of_emmeans(result: MixedResult, df: str) -> None:
    expected = R[df]

    def contrasts(*args: object, **more: object) -> list:
        return [row for row in result.contrasts(*args, df=df, **more).estimates if row.measure == "contrast"]

    compare(result.marginal_means("arm", df=df).estimates, expected["means"], "means")
    grid = result.marginal_means("time * arm", at=WAVES, df=df).estimates
    assert [row.term for row in grid] == [
        "time[0], arm[usual]", "time[0], arm[program]", "time[8], arm[usual]", "time[8], arm[program]",
    ]  # fmt: skip
    compare(grid, expected["means_at"], "means at waves")
    compare(contrasts("arm", by="time", at=WAVES), expected["arms_by_wave"], "arms by wave")
    compare(contrasts("site", adjust="tukey"), expected["sites_tukey"], "Tukey")
    compare(contrasts("site", adjust="holm"), expected["sites_holm"], "Holm")
    compare(contrasts("site", method="reference"), expected["sites_reference"], "against the first")
    compare(result.marginal_means("arm", trend="time", df=df).estimates, expected["slopes"], "slopes")
    compare(contrasts("arm", trend="time"), expected["slope_difference"], "difference of slopes")
    joint = result.contrasts("site", df=df).effect("joint_test")
    # emmeans rounds F and its df to three and two decimals
    assert joint.estimate == pytest.approx(expected["sites_joint"]["F"], abs=6e-4)
    assert joint.df == pytest.approx(expected["sites_joint"]["den"], rel=0.02)
    assert joint.p_value == pytest.approx(expected["sites_joint"]["p"], abs=2e-4)


def test_the_difference_at_wave_0_is_the_coefficient(result: MixedResult) -> None:
    row = result.contrasts("arm", at={"time": 0, "site": "a"}).effect("contrast")
    own = result.effect("coefficient", term="arm[program]")
    assert row.term == "arm[program] - arm[usual]"
    assert (row.estimate, row.df) == (pytest.approx(own.estimate), pytest.approx(own.df))
    assert "Satterthwaite df" in row.method


def test_a_number_with_two_values_is_averaged_over_both(data: pd.DataFrame) -> None:
    coded = MixedModel(fixed="treat * time + site", random={"id": "1 + time"}).fit(data, "y")
    by_code = coded.marginal_means("site").estimates
    by_label = fit(data).marginal_means("site").estimates
    assert [row.estimate for row in by_code] == pytest.approx([row.estimate for row in by_label])


def test_combinations_that_the_data_do_not_determine_are_left_out(data: pd.DataFrame) -> None:
    lacking = data[(data["arm"] == "usual") | (data["site"] != "c")]
    found = fit(lacking, "arm * site + time").marginal_means("arm * site")
    assert len(found.estimates) == 5
    assert any("arm[program], site[c]" in note for note in found.notes)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (lambda r: r.marginal_means("sites"), 'Did you mean "site"'),
        (lambda r: r.marginal_means("arm", at={"site": "z"}), 'no level "z"'),
        (lambda r: r.marginal_means("arm", at={"time": "late"}), "is a number"),
        (lambda r: r.marginal_means("arm", at={"time": []}), "no value"),
        (lambda r: r.marginal_means("arm", trend="site"), "no slope"),
        (lambda r: r.marginal_means("time", trend="time"), "both the trend"),
        (lambda r: r.marginal_means("arm", df="z"), "is unknown"),
        (lambda r: r.contrasts("time"), "nothing can be compared"),
        (lambda r: r.contrasts("arm", by="arm"), "also in by"),
        (lambda r: r.contrasts("arm", method="all"), "is unknown"),
        (lambda r: r.contrasts("site", method="reference", adjust="tukey"), "all pairs"),
        (lambda r: r.residuals("raw"), "is unknown"),
        (lambda r: r.influence("agency"), "no grouping factor"),
        (lambda r: r.contrasts("site", trend="time"), 'same in every "site": the model has no term site:time'),
        (lambda r: r.contrasts("time", at={"time": [0, 0.0]}), 'value of "time" more than once'),
        (lambda r: r.marginal_means("site", at={"site": ["a", "a"]}), 'value of "site" more than once'),
        (lambda r: r.contrasts("time", at={"time": [1, 1 + 1e-14]}), "the same by the model"),
        (lambda r: r.marginal_means("arm", conf_level=0), "must lie between 0 and 1"),
        (lambda r: r.marginal_means("arm", conf_level=95), "must lie between 0 and 1"),
        (lambda r: r.marginal_means("arm", conf_level="0.9"), "no number"),
        (lambda r: r.marginal_means("arm", df=""), "is unknown"),
        (lambda r: r.marginal_means("arm", df=["satterthwaite"]), "is unknown"),
        (lambda r: r.marginal_means("arm", at=[1]), "must name columns"),
        (lambda r: r.marginal_means("arm", at={1: 2}), "named by text"),
        (lambda r: r.marginal_means("arm", trend=3), "named by text"),
        (lambda r: r.marginal_means(3), "named by text"),
        (lambda r: r.marginal_means(None), "named by text"),
        (lambda r: r.marginal_means([["arm"]]), "named by text"),
        (lambda r: r.contrasts("arm", by=3), "named by text"),
        (lambda r: r.likelihood_ratio(3), "no result of a mixed model"),
        (lambda r: r.likelihood_ratio(r + r), "no result of a mixed model"),
    ],
)
def test_questions_without_an_answer_are_refused(result: MixedResult, question, said: str) -> None:
    with pytest.raises(SwevalError, match=said):
        question(result)


def test_predictions_are_those_of_lme4(result: MixedResult, data: pd.DataFrame) -> None:
    np.testing.assert_allclose(result.predict().head(6), R["predictions"]["conditional"], rtol=1e-5)
    np.testing.assert_allclose(result.predict(random=False).head(6), R["predictions"]["marginal"], rtol=1e-5)
    for random in (True, False):
        again = result.predict(data.sample(frac=1, random_state=1), random=random)
        np.testing.assert_allclose(np.sort(again), np.sort(result.predict(random=random)))


def test_a_unit_that_is_new_has_the_value_of_an_average_one(result: MixedResult, data: pd.DataFrame) -> None:
    new = data.assign(id=data["id"].where(data["id"] != "p03", "somebody"))
    with pytest.warns(SwevalWarning, match=r'^\d+ rows belong to no "id" that the model has seen'):
        found = result.predict(new)
    known = result.known_units(new)["id"]
    assert (~known == (data["id"] == "p03")).all()
    np.testing.assert_allclose(found[~known], result.predict(random=False)[~known])
    np.testing.assert_allclose(found[known], result.predict()[known])


def test_rows_without_a_value_have_no_prediction_and_unknown_levels_are_refused(
    result: MixedResult, data: pd.DataFrame
) -> None:
    found = result.predict(data.assign(time=data["time"].where(data.index != 4)))
    assert found.index[found.isna()].tolist() == [4]
    with pytest.raises(SwevalError, match=r'^predict: 1 row of "site" hold levels') as caught:
        result.predict(data.assign(site=data["site"].where(data.index != 4, "elsewhere")))
    assert "elsewhere" not in str(caught.value)
    with pytest.raises(SwevalError, match="no column 'time'"):
        result.predict(data.drop(columns="time"))


def test_residuals_add_up(result: MixedResult, data: pd.DataFrame) -> None:
    np.testing.assert_allclose(result.predict() + result.residuals(), data["y"])
    np.testing.assert_allclose(result.predict(random=False) + result.residuals("marginal"), data["y"])
    sd = result.effect("sd", term="residual").estimate
    np.testing.assert_allclose(result.residuals("standardized") * sd, result.residuals())


def test_residuals_of_classes_are_standardized_by_their_own_sd(data: pd.DataFrame) -> None:
    by_arm = fit(data, random="1", residual="by(arm)")
    ratio = by_arm.residuals() / by_arm.residuals("standardized")
    for arm in ("usual", "program"):
        own = by_arm.effect("sd", term=f"residual: {arm}").estimate
        np.testing.assert_allclose(ratio[(data["arm"] == arm).to_numpy()], own)


def test_rows_left_out_keep_the_row_numbers_of_the_data(data: pd.DataFrame) -> None:
    holes = data.assign(y=data["y"].where(~data.index.isin([0, 7])))
    found = fit(holes).residuals()
    assert found.index.tolist() == [row for row in range(len(data)) if row not in (0, 7)]


def test_predictions_and_residuals_align_with_a_pandas_frame(data: pd.DataFrame) -> None:
    mixed = data.sample(frac=1, random_state=3)
    mixed.index = pd.Index([f"r{row}" for row in mixed.index])
    mixed.loc[mixed.index[:3], "y"] = np.nan
    found = fit(mixed)
    assert found.predict().index.equals(mixed.index[3:])
    table = mixed.assign(p=found.predict(), e=found.residuals(), new=found.predict(mixed))
    np.testing.assert_allclose((table["p"] + table["e"])[3:], mixed["y"][3:])
    np.testing.assert_allclose(table["new"][3:], table["p"][3:])
    assert table["p"].isna().sum() == 3
    assert found.known_units(mixed).index.equals(mixed.index)
    import polars as pl

    plain = fit(pl.from_pandas(mixed))
    assert plain.predict().index.tolist() == list(range(3, len(mixed)))
    np.testing.assert_allclose(plain.predict(), found.predict(), rtol=1e-9)


@pytest.mark.parametrize("held", ["soon", True, pd.Timestamp("2024-01-01")])
def test_text_in_a_column_of_numbers_is_refused_in_plain_words(
    result: MixedResult, data: pd.DataFrame, held: object
) -> None:
    with pytest.raises(SwevalError, match=r'^predict: "time" must hold numbers') as caught:
        result.predict(data.assign(time=held))
    assert "binomial" not in str(caught.value)
    assert "soon" not in str(caught.value)


def test_an_absent_column_of_units_is_an_error_before_any_warning(result: MixedResult, data: pd.DataFrame) -> None:
    # a warning would be an error of its own here
    with pytest.raises(DataError, match="the data have no column 'id'"):
        result.predict(data.head(3).drop(columns="id"))


def test_rows_that_need_no_unit_are_not_called_unknown() -> None:
    rng = np.random.default_rng(5)
    treated = np.repeat([0, 1], 30)
    group = np.where(treated == 1, np.arange(60) // 5, -1)
    d = pd.DataFrame({"treated": treated, "group": pd.Series(group).where(group >= 0)})
    d["y"] = treated + rng.normal(size=12)[group] * treated + rng.normal(size=60)
    found = MixedModel(fixed="treated", random={"group": "0 + treated"}).fit(d, "y")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(found.predict(d), found.predict())
    assert found.known_units(d)["group"].all()
    d.loc[59, "group"] = 99
    with pytest.warns(SwevalWarning, match=r'^1 row belongs to no "group"'):
        found.predict(d)
    assert found.known_units(d)["group"].tolist() == [True] * 59 + [False]


def test_random_effects_are_named(result: MixedResult, data: pd.DataFrame) -> None:
    found = result.random_effects()
    assert list(found.columns) == ["factor", "unit", "term", "estimate", "std_error"]
    assert len(found) == 2 * data["id"].nunique()
    assert set(found["unit"]) == set(data["id"])
    assert set(found["term"]) == {"(Intercept)", "time"}
    assert (found["std_error"] > 0).all()


def test_nested_units_are_named_by_all_their_columns() -> None:
    d = pd.read_csv(FOLDER / "mixed" / "lmm_3level.csv")
    found = MixedModel(fixed="x + w", random={"school": "1", "school/classroom": "1"}).fit(d, "y").random_effects()
    rooms = found[found["factor"] == "school/classroom"]
    assert rooms["unit"].str.count("/").eq(1).all()
    assert len(rooms) == len(d[["school", "classroom"]].drop_duplicates())


def test_r_squared_is_that_of_its_formula(result: MixedResult) -> None:
    found = result.r_squared()
    assert found.effect("r_squared_marginal").estimate == pytest.approx(R["r_squared"]["marginal"], rel=1e-4)
    assert found.effect("r_squared_conditional").estimate == pytest.approx(R["r_squared"]["conditional"], rel=1e-4)


def test_likelihood_ratios_are_those_of_lme4(result: MixedResult, data: pd.DataFrame) -> None:
    intercepts = fit(data, random="1")
    slope = result.likelihood_ratio(intercepts)
    expected = R["likelihood_ratio"]
    row, mixture = slope.estimates
    assert (row.statistic, row.df) == (pytest.approx(expected["slope_reml"], rel=1e-6), 2.0)
    assert row.p_value == pytest.approx(chi2.sf(row.statistic, 2))
    # half a chi-square with 1 df and half one with 2: the slope's variance and its covariance (Stram & Lee 1994)
    assert mixture.p_value == pytest.approx((chi2.sf(row.statistic, 1) + chi2.sf(row.statistic, 2)) / 2)
    assert "conservative" in slope.notes[0]
    assert intercepts.likelihood_ratio(result).estimates == slope.estimates
    fixed = result.likelihood_ratio(fit(data, "arm * time"))
    assert fixed.effect("likelihood_ratio").statistic == pytest.approx(expected["fixed_ml"], rel=1e-5)
    assert "fitted again by maximum likelihood" in fixed.estimates[0].method
    assert "rejects too often" in fixed.notes[0]


def test_restricted_likelihoods_do_not_depend_on_the_units_of_a_column(data: pd.DataFrame) -> None:
    data = data.assign(months=12 * data["time"], later=data["time"] - 3)
    weights = pd.Series(1.0 + np.arange(len(data)) % 3)
    for more in ({}, {"weights": "weight"}):
        d = data.assign(weight=weights)
        large = fit(d, "arm * time", **more)
        plain = large.likelihood_ratio(fit(d, "arm * time", random="1", **more)).estimates
        for fixed in ("arm * months", "months * arm", "arm * later"):
            other = large.likelihood_ratio(fit(d, fixed, random="1", **more)).estimates
            # the optimum is found to about 1e-8 in the deviance
            assert [row.statistic for row in other] == pytest.approx([row.statistic for row in plain], abs=1e-6)
            assert "restricted" in other[0].method


def test_an_interaction_without_its_slope_has_no_slope_to_ask_for(data: pd.DataFrame) -> None:
    with pytest.raises(SwevalError, match=r"is 0 by the model, whatever the data, at arm\[usual\]"):
        fit(data, "arm + time:block").marginal_means("arm", trend="time", at={"block": 0})
    centred = data.assign(block=(data["block"] - data["block"].mean()) / 3)
    with pytest.raises(SwevalError, match="is 0 by the model"):  # the mean of a centred column is zero but for 1e-17
        fit(centred, "arm + time:block").marginal_means("arm", trend="time")
    with pytest.raises(SwevalError, match="the model has no term arm:time"):
        fit(centred, "arm + time").contrasts("arm", trend="time")


def test_a_variance_at_zero_has_half_the_p_value() -> None:
    d = pd.read_csv(FOLDER / "mixed" / "lmm_3level.csv")
    both = MixedModel(fixed="x + w", random={"school": "1", "school/classroom": "1"}).fit(d, "y")
    one = MixedModel(fixed="x + w", random={"school/classroom": "1"}).fit(d, "y")
    row, mixture = both.likelihood_ratio(one).estimates
    assert mixture.p_value == pytest.approx(row.p_value / 2)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (lambda d: fit(d[d["time"] > 0]), "different rows"),
        (lambda d: fit(d, "arm + site * time"), "neither model contains the other"),
        (fit, "nothing to test"),
        (lambda d: fit(d, grouping="block"), "random terms"),
    ],
)
def test_models_that_cannot_be_compared_are_refused(result: MixedResult, data: pd.DataFrame, other, said: str) -> None:
    with pytest.raises(SwevalError, match=said):
        result.likelihood_ratio(other(data))


def test_influence_is_what_a_fit_without_the_unit_changes(result: MixedResult, data: pd.DataFrame) -> None:
    found = result.influence().set_index("unit")
    expected = R["influence"]
    row = found.loc[expected["unit"]]
    order = ["(Intercept)", "arm[program]", "time", "site[b]", "site[c]", "arm[program]:time"]
    np.testing.assert_allclose(row[order].astype(float), expected["change"], rtol=1e-3, atol=1e-5)
    assert row["cooks_distance"] == pytest.approx(expected["cooks"], rel=1e-3)
    assert found["rows"].sum() == len(data)


def test_a_coefficient_that_rests_on_one_unit_has_no_change() -> None:
    rng = np.random.default_rng(0)
    agency = np.repeat(list("abcdefgh"), 6)
    d = pd.DataFrame({"agency": agency, "arm": np.where(agency == "h", "new", "old"), "y": rng.normal(size=48)})
    found = MixedModel(fixed="arm", random={"agency": "1"}, reference={"arm": "old"}).fit(d, "y").influence()
    lost = found[found["unit"] == "h"].iloc[0]
    assert np.isnan(lost["cooks_distance"])
    assert found["cooks_distance"].notna().sum() == 7


def test_on_the_boundary_contrasts_use_kenward_and_roger() -> None:
    d = pd.read_csv(FOLDER / "mixed" / "lmm_zero.csv")
    d = d.assign(half=np.where(d["z"] > d["z"].median(), "high", "low"))
    one = MixedModel(fixed="x + half", random={"group": "1"}).fit(d, "y")
    row = one.contrasts("half", df="satterthwaite").estimates[0]
    assert row.df == one.effect("coefficient", term="half[low]").df  # one variance at zero: its own df
    d["pair"] = pd.factorize(d["group"])[0] // 2
    both = {"pair": "1", "pair/group": "1"}
    zero = MixedModel(fixed="x + half", random=both).fit(d, "y")
    found = zero.contrasts("half", df="satterthwaite")
    assert "Kenward-Roger" in found.estimates[0].method
    assert "Kenward-Roger was used" in found.notes[0]
    with pytest.raises(SwevalError, match="Fit by REML"):
        MixedModel(fixed="x + half", random=both, method="ML").fit(d, "y").contrasts("half")


@pytest.mark.parametrize(("groups", "df"), [(5, "kenward-roger"), (6, "satterthwaite")])
def test_contrasts_are_tested_as_the_rows_are_where_a_variance_is_zero(groups: int, df: str) -> None:
    rng = np.random.default_rng(8)
    group = np.repeat(np.arange(groups), 6)
    d = pd.DataFrame({"group": group, "half": np.where(np.arange(len(group)) % 2, "b", "a")})
    d["y"] = rng.normal(size=len(d))
    d["y"] -= d.groupby("group")["y"].transform("mean")  # groups do not differ at all
    asked = {"fixed": "half", "random": {"group": "1"}}
    found = MixedModel(**asked).fit(d, "y")
    contrast = found.contrasts("half", df="satterthwaite")
    own = found.effect("coefficient", term="half[b]")
    row = contrast.estimates[0]
    assert (row.df, row.std_error) == (pytest.approx(own.df), pytest.approx(own.std_error))
    assert any("Kenward-Roger was used" in note for note in contrast.notes) == (df == "kenward-roger")
    assert ("Kenward-Roger" in row.method) == (df == "kenward-roger")
    by_likelihood = MixedModel(**asked, method="ML").fit(d, "y")
    if df == "satterthwaite":
        assert by_likelihood.contrasts("half").estimates[0].df == by_likelihood.effect("coefficient", term="half[b]").df
        return
    assert np.isnan(by_likelihood.effect("coefficient", term="half[b]").df or np.nan)
    with pytest.raises(SwevalError, match="Fit by REML"):
        by_likelihood.contrasts("half")


def test_added_results_are_plain_and_copies_are_not(result: MixedResult) -> None:
    joined = result + result.r_squared()
    assert type(joined) is Result
    assert len(joined.estimates) == len(result.estimates) + 2
    assert type(sum([result, result])) is Result
    assert type(result.in_study("A study")) is MixedResult
    assert isinstance(result, sw.Result)


def test_many_residual_classes_are_fitted_without_intervals_in_short_time() -> None:
    rng = np.random.default_rng(3)
    row = np.arange(72)
    d = pd.DataFrame({"agency": row % 9, "worker": row // 6, "x": rng.normal(size=72)})
    d["y"] = d["x"] + rng.normal(size=9)[d["agency"]] + rng.normal(size=72) * (1 + d["worker"] / 6)
    start = time.process_time()
    found = MixedModel(fixed="x", random={"agency": "1"}, residual="by(worker)").fit(d, "y")
    assert time.process_time() - start < 15  # with intervals about 25 seconds or more, without about one
    sds = [row for row in found.estimates if row.measure == "sd"]
    assert len(sds) == 13
    assert all(row.conf_low is None and "no interval with more than" in row.method for row in sds)
    some = MixedModel(fixed="x", random={"agency": "1"}, residual="by(worker)").fit(d[d["worker"] < 4], "y")
    lacking = [row for row in some.estimates if row.measure == "sd" and row.conf_low is None]
    assert len(lacking) <= 2  # a profile that cannot be followed with some version of scipy has none, and says so
    assert all("no limits" in row.method for row in lacking)
    assert bool(lacking) == any("no interval for" in note for note in some.notes)


def test_the_print_says_what_is_needed_and_no_ids(result: MixedResult, data: pd.DataFrame) -> None:
    text = repr(result)
    assert text == repr(fit(data))
    assert html.unescape(result._repr_html_().removeprefix("<pre>").removesuffix("</pre>")) == text
    for said in ("arm[program]:time", "id: time, sd", "95% interval", '34 units of "id"', "REML", "Satterthwaite df"):
        assert said in text
    assert not any(unit in text for unit in data["id"].unique())
    assert "*" not in text.replace("arm * time", "")
    few = MixedModel(fixed="x + treat", random={"group": "1"}).fit(pd.read_csv(FOLDER / "mixed" / "lmm_few.csv"), "y")
    assert "the same, Kenward-Roger" in repr(few)
    assert "group, ICC" in repr(few)


def test_no_question_changes_the_result(result: MixedResult) -> None:
    before = repr(result)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result.marginal_means("arm")
        result.contrasts("site", adjust="holm")
        result.r_squared()
        result.influence()
    assert repr(result) == before
