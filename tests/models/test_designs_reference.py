"""Designs against R on a made-up programme: lme4, lmerTest, pbkrtest, clubSandwich and nlme.

`tests/reference/designs/designs.R` printed the numbers.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pandas as pd
import pytest

from sweval.models.cluster_trial import ClusterTrial
from sweval.models.partially_nested import PartiallyNested
from sweval.models.two_group import TwoGroup
from sweval.result import Result

FOLDER = Path(__file__).parents[1] / "reference" / "designs"
R = json.loads((FOLDER / "designs.json").read_text(encoding="utf-8"))
TRIAL = ClusterTrial(arm="arm", treated="training", control="usual", cluster="agency", baseline="pre")
OFFER = {"arm": "offer", "treated": "group_work", "control": "usual"}
# lme4's search ends some 1e-7 from the optimum, its df are built on differences; CR2 and KR are algebra on top
CLOSE = {"estimate": 1e-6, "std_error": 1e-5, "df": 1e-4, "p_value": 1e-4}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.read_csv(FOLDER / "programme.csv")


def same(result: Result, expected: dict, terms: list[str], *, measure: str = "coefficient") -> None:
    """Compare rows with R's, by place."""
    for k, term in enumerate(terms):
        row = result.effect(measure, term=term)
        for name, digits in CLOSE.items():
            if name in expected:
                assert getattr(row, name) == pytest.approx(expected[name][k], rel=digits), (term, name)


def beside(result: Result, expected: dict, measure: str, term: str) -> None:
    """Compare the single row of the effect, second in R's table, with R's."""
    same(result, {name: values[1:] for name, values in expected.items()}, [term], measure=measure)
    assert sum(row.measure == measure for row in result.estimates) == 1


def within_agencies(result: Result) -> None:
    """Compare CR2 of a model with one indicator per agency."""
    row = result.effect("coefficient_cr2")
    wanted = tuple(R["within_agencies_cr2"][name] for name in ("estimate", "std_error", "df", "p_value"))
    assert (row.estimate, row.std_error, row.df, row.p_value) == pytest.approx(wanted, rel=1e-8)


def test_cluster_trial_is_lmer_with_kenward_roger_and_cr2_beside(frame: pd.DataFrame) -> None:
    result, expected = TRIAL.fit(frame, "post", better="lower"), R["cluster_trial"]
    same(result, expected["satterthwaite"], ["(Intercept)", "arm[training]", "pre"])
    beside(result, expected["kenward_roger"], "coefficient_kenward_roger", "arm[training]")
    beside(result, expected["cr2"], "coefficient_cr2", "arm[training]")
    fit, effect = result.fits[0], result.effect("hedges_g")
    assert fit.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-8)
    assert (fit.engine, fit.converged, fit.singular, fit.clusters) == ("sweval mixed", True, False, 12)
    assert fit.model == "arm + pre + (1 | agency)"
    between, within = (result.effect("sd", term=term).estimate ** 2 for term in ("agency: (Intercept)", "residual"))
    assert (between, within) == pytest.approx(expected["variances"], rel=1e-5)
    # without the baseline: the effect's unit belongs to the unadjusted outcome
    assert fit.icc == result.effect("icc").estimate == pytest.approx(R["cluster_trial_icc"], rel=1e-5)
    assert effect.df == pytest.approx(expected["satterthwaite"]["df"][1], rel=1e-4)
    assert effect.p_value == pytest.approx(expected["satterthwaite"]["p_value"][1], rel=1e-4)


def test_a_variance_of_zero(frame: pd.DataFrame) -> None:
    """R's lmerTest gives 152 df there, with 12 agencies; pbkrtest 12, which stands beside."""
    result, expected = TRIAL.fit(frame, "flat", better="lower"), R["cluster_trial_flat"]
    wanted = {name: expected["satterthwaite"][name] for name in ("estimate", "std_error")}
    same(result, wanted, ["(Intercept)", "arm[training]", "pre"])
    beside(result, expected["kenward_roger"], "coefficient_kenward_roger", "arm[training]")
    beside(result, expected["cr2"], "coefficient_cr2", "arm[training]")
    row, effect = result.effect("coefficient", term="arm[training]"), result.effect("hedges_g")
    assert expected["kenward_roger"]["df"][1] < row.df < expected["satterthwaite"]["df"][1]
    assert (effect.df, effect.p_value) == pytest.approx((row.df, row.p_value), rel=1e-9)
    assert result.fits[0].singular
    assert any(note.startswith("A variance is estimated at zero.") for note in result.notes)
    assert any('"agency" is estimated at zero' in note for note in result.notes)
    assert result.effect("icc").estimate == 0


def test_a_variance_of_zero_with_few_agencies_brings_kenward_roger(frame: pd.DataFrame) -> None:
    few = frame[frame.agency.isin(["a03", "a04", "a05", "a08", "a09"])]
    result = TRIAL.fit(few, "flat", better="lower")
    row, effect = result.effect("coefficient", term="arm[training]"), result.effect("hedges_g")
    assert result.fits[0].singular
    assert "Kenward-Roger" in row.method
    assert "Kenward-Roger" in effect.method
    assert effect.df == row.df < 5
    assert not any(row.measure == "coefficient_kenward_roger" for row in result.estimates)
    assert any(note.startswith("Kenward-Roger's tests are used instead of") for note in result.notes)


def test_two_groups_in_agencies(frame: pd.DataFrame) -> None:
    result, expected = (
        TwoGroup(**OFFER, baseline="pre", cluster="agency").fit(frame, "post", better="lower"),
        R["two_group"],
    )
    same(result, expected["satterthwaite"], ["(Intercept)", "offer[group_work]", "pre"])
    beside(result, expected["kenward_roger"], "coefficient_kenward_roger", "offer[group_work]")
    within_agencies(result)
    assert result.effect("icc").estimate == pytest.approx(R["two_group_icc"], rel=1e-5)
    assert result.fits[0].model == "offer + pre + (1 | agency)"


@pytest.mark.parametrize(("cluster", "key"), [(None, "groups"), ("agency", "groups_in_agencies")])
def test_groups_in_one_arm_are_lme_with_a_residual_variance_per_arm(
    cluster: str | None, key: str, frame: pd.DataFrame
) -> None:
    design = PartiallyNested(**OFFER, group="group", baseline="pre", cluster=cluster)
    result, expected = design.fit(frame, "post", better="lower"), R[key]
    same(
        result,
        {name: expected[name] for name in ("estimate", "std_error")},
        ["(Intercept)", "offer[group_work]", "pre"],
    )
    fit = result.fits[0]
    assert fit.log_likelihood == pytest.approx(expected["log_likelihood"], abs=1e-7)
    outer = [] if cluster is None else ["agency: (Intercept)"]
    terms = [*outer, "group: (Intercept)", "residual: usual", "residual: group_work"]
    found = [result.effect("sd", term=term).estimate ** 2 for term in terms]
    random = [expected["random"]] if cluster is None else expected["random"]
    # nlme stops earlier, and prints variances with 7 digits
    assert found == pytest.approx([*random, *expected["residual"]], rel=2e-4)
    where = " + (1 | agency)" if cluster else ""
    text = f"offer + pre + (0 + offer[group_work] | group){where}; residual variance by offer"
    assert fit.model == text
    if cluster:
        within_agencies(result)


def test_groups_without_adjustment(frame: pd.DataFrame) -> None:
    result, expected = PartiallyNested(**OFFER, group="group").fit(frame, "post", better="lower"), R["groups_alone"]
    wanted = {name: expected[name] for name in ("estimate", "std_error")}
    same(result, wanted, ["(Intercept)", "offer[group_work]"])
    inside = expected["residual"][1]
    if "control variance: total" in result.effect("hedges_g").method:
        share = expected["random"] / (expected["random"] + inside)
        assert result.effect("icc").estimate == pytest.approx(share, rel=2e-4)


def test_the_programme_is_made_by_its_script(frame: pd.DataFrame) -> None:
    spec = importlib.util.spec_from_file_location("make_programme", FOLDER / "make_programme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    again = module.programme()
    again["group"] = again["group"].where(again["group"] != "")
    pd.testing.assert_frame_equal(again, frame, check_dtype=False)
