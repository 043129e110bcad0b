"""`Growth` against lmerTest, pbkrtest and nlme on data of our own (R script and numbers: tests/reference/growth)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweval.effects.kernel import small_sample_factor
from sweval.errors import DataError, DesignError
from sweval.models.base import growth_model
from sweval.models.growth import Growth
from sweval.result import Estimate, Result

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
MODELS: dict[str, Any] = json.loads((REFERENCE / "growth" / "fixtures.json").read_text(encoding="utf-8"))["models"]
MONTHS = {"pre": 0.0, "m3": 3.0, "m6": 6.0, "m12": 12.0}


def design(**fields: Any) -> Growth:
    usual = {"arm": "arm", "treated": "program", "control": "usual", "client": "id", "wave": "wave", "times": MONTHS}
    return Growth(**(usual | fields))


@pytest.fixture(scope="module")
def clinics() -> pd.DataFrame:
    """Return clients of 16 agencies at four waves; the worse off left earlier."""
    return pd.read_csv(REFERENCE / "growth" / "clinics.csv")


def term_of(name: str) -> str:
    """Return R's name of a coefficient as ours."""
    parts = []
    for part in name.split(":"):
        step = {"step3": "wave[m3]", "step6": "wave[m6]", "step12": "wave[m12]", "time": "wave", "sexm": "sex[m]"}
        parts.append({"armprogram": "arm[program]", "arm1": "arm[1]"}.get(part, step.get(part, part)))
    return ":".join(parts)


def coefficients(result: Result, measure: str = "coefficient") -> dict[str, Estimate]:
    return {row.term: row for row in result.estimates if row.measure == measure}


def check_coefficients(result: Result, model: dict[str, Any], *, kind: str = "", rel: float = 1e-5) -> None:
    """Compare estimates and standard errors to `rel`, df to 100 times that.

    lme4 stops within 1e-10 of its optimum and lmerTest differentiates numerically there. nlme stops some 1e-5 short in
    the parameters of unstructured residuals, at a lower likelihood than ours: `rel` is 1e-4 for these.
    """
    rows = coefficients(result, "coefficient" + ("_kenward_roger" if kind == "beside" else ""))
    assert set(rows) == {term_of(name) for name in model["terms"]}
    se, df = ("kr_se", "kr_df") if kind else ("se", "df")
    for k, name in enumerate(model["terms"]):
        row = rows[term_of(name)]
        assert row.estimate == pytest.approx(model["estimate"][k], rel=rel, abs=rel / 10), name
        assert row.std_error == pytest.approx(model[se][k], rel=2 * rel), name
        if df in model:
            assert row.df == pytest.approx(model[df][k], rel=100 * rel), name


def check_components(result: Result, model: dict[str, Any]) -> None:
    rows = {(row.term, row.measure): row.estimate for row in result.estimates}
    for part in model["components"]:
        grp, one, two, value = (part.get(key) for key in ("grp", "var1", "var2", "sdcor"))
        effect = {"time": "wave", None: ""}.get(one, one)
        if grp == "Residual":
            found = rows["residual", "sd"]
        elif two is None:
            found = rows[f"{grp}: {effect}", "sd"]
        else:
            found = rows[f"{grp}: (Intercept), wave", "correlation"]
        assert found == pytest.approx(value, rel=1e-4)


def test_the_slope_data_agree_with_lmertest() -> None:
    model = MODELS["lmm_slope"]
    frame = pd.read_csv(REFERENCE / "mixed" / "lmm_slope.csv").rename(columns={"treat": "arm", "time": "wave"})
    result = design(treated=1, control=0, times={}).fit(frame, "y", better="lower")
    check_coefficients(result, model)
    check_components(result, model)
    row = result.effect("hedges_g")
    slope = coefficients(result)["arm[1]:wave"]
    assert [row.df, row.p_value, row.statistic] == pytest.approx([slope.df, slope.p_value, -slope.statistic])
    j = float(small_sample_factor(34 - 2))
    assert row.estimate == pytest.approx(-model["d"] * j, rel=1e-5)
    assert result.fits[0].log_likelihood == pytest.approx(model["logLik"], abs=1e-8)


def test_clients_in_agencies_with_dropout_agree_with_lmertest(clinics: pd.DataFrame) -> None:
    plain = design(covariates=("age", "sex")).fit(clinics, "y", better="lower")
    check_coefficients(plain, MODELS["clients"])
    check_components(plain, MODELS["clients"])
    assert not coefficients(plain, "coefficient_kenward_roger"), "there are more than 20 clients"
    result = design(covariates=("age",), cluster="agency").fit(clinics, "y", better="lower")
    check_coefficients(result, MODELS["agencies"])
    check_coefficients(result, MODELS["agencies"], kind="beside")
    check_components(result, MODELS["agencies"])
    row = result.effect("hedges_g")
    assert row.level_assigned == "cluster"
    assert (row.clusters, row.n) == (16, clinics["id"].nunique())
    assert row.p_value == pytest.approx(MODELS["agencies"]["p"][-1], rel=1e-3)
    assert row.standardizer == "pretest_pooled"
    chosen = design(covariates=("age",), cluster="agency").fit(clinics, "y", better="lower", df="kenward-roger")
    assert chosen.effect("hedges_g").p_value == pytest.approx(MODELS["agencies"]["kr_p"][-1], rel=1e-4)


def test_a_variance_at_the_edge_gets_kenward_roger_and_a_note(clinics: pd.DataFrame) -> None:
    few = clinics[clinics["agency"].isin([f"a{k:02d}" for k in range(1, 7)])]
    result = design(cluster="agency").fit(few, "y", better="lower")
    assert result.fits[0].singular
    check_coefficients(result, MODELS["few_agencies"], kind="used")
    assert "Kenward-Roger standard error" in result.effect("hedges_g").method
    assert any("instead of Satterthwaite" in note for note in result.notes)


def test_waves_as_categories_agree_with_nlme(clinics: pd.DataFrame) -> None:
    result = design(shape="waves", covariates="age").fit(clinics, "y", better="lower")
    check_coefficients(result, MODELS["unstructured"], rel=1e-4)
    assert result.fits[0].log_likelihood == pytest.approx(MODELS["unstructured"]["logLik"], abs=1e-6)
    last = coefficients(result)["arm[program]:wave[m12]"]
    row = result.effect("hedges_g")
    assert [row.df, row.p_value] == pytest.approx([last.df, last.p_value])
    assert result.effect("wald", term="arm:wave").df is not None
    clustered = design(shape="waves", cluster="agency").fit(clinics, "y", better="lower")
    check_coefficients(clustered, MODELS["agencies_waves"], rel=1e-4)
    assert clustered.effect("hedges_g").std_error > row.std_error


def test_too_many_waves_fall_back_to_the_better_simple_form(
    clinics: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth_model, "MOST_UNSTRUCTURED", 3)
    result = design(shape="waves").fit(clinics, "y", better="lower")
    check_coefficients(result, MODELS["ar1"])
    assert result.fits[0].log_likelihood == pytest.approx(MODELS["ar1"]["logLik"], abs=1e-6)
    assert MODELS["ar1"]["logLik"] > MODELS["compound_symmetry"]["logLik"]
    assert any("4 waves are more than 3" in note and "fades with time" in note for note in result.notes)


def test_lines_that_do_not_fit_are_told(clinics: pd.DataFrame) -> None:
    said = "depart from straight lines (F test, p < 0.001)"
    assert not any("straight lines (F" in note for note in design().fit(clinics, "y", better="lower").notes)
    step = clinics.assign(y=clinics["y"] - 4 * ((clinics["arm"] == "program") & (clinics["wave"] == "m3")))
    assert any(said in note for note in design().fit(step, "y", better="lower").notes)
    assert not any(said in note for note in design(shape="waves").fit(step, "y", better="lower").notes)


@pytest.mark.parametrize(("alike", "said"), [(True, "the same correlation of all waves"), (False, "fades with time")])
def test_the_simple_form_is_the_one_that_made_the_data(alike: bool, said: str) -> None:
    rng = np.random.default_rng(3)
    time = np.arange(10)
    lag = np.abs(time[:, None] - time)
    root = np.linalg.cholesky(np.where(lag == 0, 1, 0.7) if alike else 0.7**lag)
    values = (rng.normal(size=(40, 10)) @ root.T).ravel()
    frame = pd.DataFrame({"id": np.repeat(np.arange(40), 10), "wave": np.tile(time, 40), "y": values})
    frame["arm"] = np.where(frame["id"] % 2, "program", "usual")
    found = design(shape="waves", times={}).fit(frame, "y", better="lower")
    assert found.effect("correlation", term="residual").estimate == pytest.approx(0.7, abs=0.08)
    assert any("10 waves are more than 8" in note and said in note for note in found.notes)


@pytest.mark.parametrize("shape", ["linear", "waves"])
def test_two_waves_of_everybody_are_the_t_test_on_the_gains(clinics: pd.DataFrame, shape: str) -> None:
    two = clinics[clinics["wave"].isin(["pre", "m12"])]
    both = two[two.groupby("id")["y"].transform("size") == 2]
    result = design(shape=shape, times={"pre": 0, "m12": 12}).fit(both, "y", better="lower")
    term = "arm[program]:wave" + ("[m12]" if shape == "waves" else "")
    row, gains = coefficients(result)[term], MODELS["gains"]
    scale = 1 if shape == "waves" else 12
    assert row.estimate * scale == pytest.approx(gains["estimate"], rel=1e-8)
    assert row.std_error * scale == pytest.approx(gains["se"], rel=1e-7)
    assert row.df == pytest.approx(gains["df"], rel=1e-6)
    effect = result.effect("hedges_g")
    assert effect.p_value == pytest.approx(gains["p"], rel=1e-6)
    assert any("own slope" in note for note in result.notes) == (shape == "linear")


def test_nothing_depends_on_units_or_names_or_order(clinics: pd.DataFrame) -> None:
    base = design().fit(clinics, "y", better="lower").effect("hedges_g")
    mixed = clinics.sample(frac=1, random_state=1).assign(
        y=lambda rows: 100 - 3 * rows["y"], id=lambda rows: "x" + rows["id"]
    )
    weeks = {label: 4.0 * month + 7 for label, month in MONTHS.items()}
    other = design(times=weeks).fit(mixed, "y", better="higher").effect("hedges_g")
    for name in ("estimate", "std_error", "conf_low", "conf_high", "df", "p_value"):
        assert getattr(other, name) == pytest.approx(getattr(base, name), rel=1e-5), name
    swapped = design(treated="usual", control="program").fit(clinics, "y", better="lower")
    assert swapped.effect("hedges_g").estimate == pytest.approx(-base.estimate, rel=1e-6)


def test_numeric_waves_are_the_same_as_named_ones(clinics: pd.DataFrame) -> None:
    named = design().fit(clinics, "y", better="lower")
    numbered = clinics.assign(wave=clinics["wave"].map(MONTHS) + 2020)
    result = design(times={}).fit(numbered, "y", better="lower")
    assert result.effect("hedges_g").estimate == pytest.approx(named.effect("hedges_g").estimate, rel=1e-7)
    assert any('Time is counted from the baseline: "2020" is 0, "2023" is 3' in note for note in result.notes)


def test_rows_say_who_was_seen(clinics: pd.DataFrame) -> None:
    result = design().fit(clinics, "y", better="lower")
    for prefix, wave in (("baseline_", "pre"), ("", "m12")):
        for arm in ("program", "usual"):
            values = clinics.loc[(clinics["wave"] == wave) & (clinics["arm"] == arm), "y"]
            mean = result.effect(f"{prefix}mean", term=f"arm[{arm}]")
            assert (mean.estimate, mean.n) == (pytest.approx(values.mean()), len(values))
            assert result.effect(f"{prefix}sd", term=f"arm[{arm}]").estimate == pytest.approx(values.std())
    record = result.fits[0]
    assert (record.rows, record.used, record.dropped) == (356, 356, 0)
    notes = "\n".join(result.notes)
    seen = clinics.pivot(index="id", columns="wave", values="y").notna()
    assert (
        f"Of {len(seen)} clients {seen.all(axis=1).sum()} have all 4 waves and {(seen.sum(axis=1) == 1).sum()} one"
        in notes
    )
    lost = clinics.groupby("arm")["id"].nunique() - clinics[clinics["wave"] == "m12"].groupby("arm")["id"].nunique()
    assert f"{lost['program']} of " in notes
    assert "missing at random" in notes


def test_baseline_and_outcome_waves_choose_the_rows(clinics: pd.DataFrame) -> None:
    result = design(outcome_wave=["m3", "m6"], shape="waves").fit(clinics, "y", better="lower")
    assert {"arm[program]:wave[m3]", "arm[program]:wave[m6]"} <= set(coefficients(result))
    assert "from pre to m6" in result.effect("hedges_g").method
    assert any('at other waves ("m12") were left out' in note for note in result.notes)
    later = design(baseline="m3").fit(clinics, "y", better="lower")
    assert any('at other waves ("pre") were left out' in note for note in later.notes)


def refused(frame: pd.DataFrame, **fields: Any) -> str:
    with pytest.raises(DesignError) as error:
        design(**fields).fit(frame, "y", better="lower")
    return str(error.value)


def test_what_cannot_be_analysed_is_refused_in_plain_words(clinics: pd.DataFrame) -> None:
    said = refused(clinics, times={})
    assert 'the waves of "wave" are not numbers' in said
    assert 'shape="waves"' in said
    moved = clinics.copy()
    moved.loc[moved["id"].eq("k001") & moved["wave"].eq("m3"), "arm"] = "program"
    assert '"arm" changes between the waves for 1 client' in refused(moved)
    assert "several rows at the same wave" in refused(pd.concat([clinics, clinics.head(2)]))
    anew = clinics.assign(id=clinics.groupby("agency")["id"].transform(lambda ids: pd.factorize(ids)[0]))
    assert "started anew" in refused(anew, cluster="agency")
    assert "no wave after" in refused(clinics[clinics["wave"] == "pre"], times={"pre": 0})
    assert 'times names "m9"' in refused(clinics, times=MONTHS | {"m9": 9})
    assert 'times leaves out "m12"' in refused(clinics, times={"pre": 0, "m3": 3, "m6": 6})
    assert "same time" in refused(clinics, times=MONTHS | {"m12": 6})
    assert "both the baseline and an outcome wave" in refused(clinics, outcome_wave="pre")
    assert "comes before the baseline" in refused(clinics, baseline="m6", outcome_wave=["m3", "m12"])
    assert 'the baseline "age" is not in "wave"' in refused(clinics, baseline="age")
    assert "no client" in refused(clinics.assign(id=range(len(clinics))))
    gone = clinics[~(clinics["wave"].eq("m12") & clinics["arm"].eq("usual"))]
    assert 'at the last wave "m12" 0 clients of "usual"' in refused(gone)
    assert 'one "agency" only' in refused(clinics[clinics["agency"].isin(["a01", "a02", "a04"])], cluster="agency")
    with pytest.raises(DataError, match="no column 'agancy'"):
        design(cluster="agancy").fit(clinics, "y", better="lower")


def test_a_design_that_cannot_be_is_refused_when_it_is_made() -> None:
    with pytest.raises(DesignError, match="client and wave are not named"):
        Growth(arm="arm", treated="t", control="c")
    with pytest.raises(DesignError, match='shape="curve" is unknown'):
        design(shape="curve")
    with pytest.raises(DesignError, match="no finite number"):
        design(times={"pre": float("nan")})
    with pytest.raises(DesignError, match='df="z" is unknown'):
        design().fit(pd.DataFrame(), "y", better="lower", df="z")  # type: ignore[arg-type]


def test_missing_ids_arms_and_values_are_counted(clinics: pd.DataFrame) -> None:
    frame = clinics.copy()
    frame.loc[0, "y"] = np.nan
    frame.loc[frame.index[-1], "id"] = None
    frame.loc[frame["id"].eq("k003"), "arm"] = "other"
    frame.loc[frame["id"].eq("k005"), "age"] = np.nan
    result = design(covariates="age").fit(frame, "y", better="lower")
    notes = "\n".join(result.notes)
    for said in (
        '1 row without a client id in "id" was left out',
        '1 client in other arms of "arm" was left out',
        '1 client without a value in "age" was left out (program: 0, usual: 1)',
        '1 row without a value in "y" was left out',
    ):
        assert said in notes
    record = result.fits[0]
    assert record.rows == record.used + record.dropped == len(frame)
    assert "k003" not in notes
    assert "k005" not in notes


def test_a_covariate_that_changes_is_taken_at_the_baseline(clinics: pd.DataFrame) -> None:
    frame = clinics.assign(mood=clinics["y"] + 1)
    at_pre = frame["id"].map(frame[frame["wave"] == "pre"].set_index("id")["mood"])
    one = design(covariates="mood").fit(frame, "y", better="lower")
    two = design(covariates="mood").fit(frame.assign(mood=at_pre), "y", better="lower")
    assert one.effect("hedges_g").estimate == two.effect("hedges_g").estimate
    assert any('"mood" changes between waves' in note for note in one.notes)


def test_every_kind_of_frame_gives_the_same(clinics: pd.DataFrame) -> None:
    import polars as pl

    base = design(covariates="sex").fit(clinics, "y", better="lower")
    other = design(covariates="sex").fit(pl.from_pandas(clinics).lazy(), "y", better="lower")
    assert base.estimates == other.estimates


def test_agencies_with_clients_in_both_arms_are_counted(clinics: pd.DataFrame) -> None:
    whole = design(cluster="agency").fit(clinics, "y", better="lower")
    assert not any("clients of both arms" in note for note in whole.notes)
    first = clinics.loc[clinics["arm"].eq("usual"), ["id", "agency"]].iloc[0]
    frame = clinics.assign(arm=clinics["arm"].where(clinics["id"] != first["id"], "program"))
    one = design(cluster="agency").fit(frame, "y", better="lower")
    (note,) = (note for note in one.notes if "clients of both arms" in note)
    assert note.startswith('Check: 1 of 16 "agency" has clients of both arms, 1 of them in the smaller arm')
    assert one.effect("hedges_g").level_assigned == "client"
    half = clinics.assign(arm=np.where(pd.factorize(clinics["id"])[0] % 2, "program", "usual"))
    said = [note for note in design(cluster="agency").fit(half, "y", better="lower").notes if "both arms" in note]
    assert [note.startswith('16 of 16 "agency" have clients of both arms') for note in said] == [True]


def test_a_covariate_filled_from_another_wave_is_counted(clinics: pd.DataFrame) -> None:
    frame = clinics.copy()
    frame.loc[frame["id"].isin(["k001", "k004"]) & frame["wave"].eq("pre"), "age"] = np.nan
    filled = design(covariates="age").fit(frame, "y", better="lower")
    assert '"age" is empty at the first wave in use for 2 clients; its value at another wave was taken.' in filled.notes
    assert filled.effect("hedges_g") == design(covariates="age").fit(clinics, "y", better="lower").effect("hedges_g")
    assert not any("is empty" in note for note in design(covariates="age").fit(clinics, "y", better="lower").notes)


def test_a_client_with_rows_twice_at_two_waves_is_one_client(clinics: pd.DataFrame) -> None:
    assert "Growth: 1 client with several rows at the same wave" in refused(pd.concat([clinics, clinics.head(2)]))
