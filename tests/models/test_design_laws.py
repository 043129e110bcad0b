"""What must not matter, and what must turn round: laws that every comparison of two arms obeys."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DesignError
from sweval.models.base.comparison import Comparison
from sweval.models.base.design import kinds
from sweval.models.cluster_trial import ClusterTrial
from sweval.models.partially_nested import PartiallyNested
from sweval.models.pre_post import PrePost
from sweval.models.two_group import TwoGroup
from sweval.result import Result

OFFER = {"arm": "offer", "treated": "group_work", "control": "usual"}
TRAINING = {"arm": "arm", "treated": "training", "control": "usual", "cluster": "agency"}
DESIGNS = {
    "two groups": TwoGroup(**OFFER),
    "two groups adjusted": TwoGroup(**OFFER, baseline="pre", covariates=("age", "sex")),
    "two groups in agencies": TwoGroup(**OFFER, baseline="pre", cluster="agency"),
    "cluster trial": ClusterTrial(**TRAINING),
    "cluster trial adjusted": ClusterTrial(**TRAINING, baseline="pre", covariates=("age", "sex")),
    "gains": PrePost(pre="pre", **OFFER),
    "gains in agencies": PrePost(pre="pre", **OFFER, cluster="agency"),
    "groups": PartiallyNested(**OFFER, group="group"),
    "groups adjusted": PartiallyNested(**OFFER, group="group", baseline="pre", covariates=("age", "sex")),
    "groups in agencies": PartiallyNested(**OFFER, group="group", baseline="pre", cluster="agency"),
}
FIELDS = ("estimate", "std_error", "conf_low", "conf_high", "df", "p_value")


def fit(design: str, frame: pd.DataFrame, *, better: str = "lower") -> Result:
    return DESIGNS[design].fit(frame, "post", better=better)


def close(one: object, other: object) -> None:
    """1e-8: limits of the noncentral t are found by iteration; the rest agrees to about 1e-12."""
    assert one == (other if other is None else pytest.approx(other, rel=1e-8, abs=1e-10))


def same_rows(one: Result, other: Result) -> None:
    assert [(r.term, r.measure) for r in one.estimates] == [(r.term, r.measure) for r in other.estimates]
    for row, twin in zip(one.estimates, other.estimates, strict=True):
        for field in FIELDS:
            close(getattr(row, field), getattr(twin, field))


@pytest.mark.parametrize("design", DESIGNS)
def test_order_of_rows_and_columns(design: str, program: pd.DataFrame) -> None:
    shuffled = program.sample(frac=1, random_state=4)[list(program.columns[::-1])]
    same_rows(fit(design, program), fit(design, shuffled))


@pytest.mark.parametrize("design", DESIGNS)
def test_names_of_agencies_and_groups(design: str, program: pd.DataFrame) -> None:
    names = {f"agency {k}": f"{(7 * k) % 10:03d}" for k in range(10)}
    groups = {f"g{k}": f"Gruppe {(3 * k) % 20}" for k in range(20)}
    renamed = program.assign(agency=program.agency.map(names), group=program.group.map(groups))
    same_rows(fit(design, program), fit(design, renamed))


@pytest.mark.parametrize("design", DESIGNS)
def test_unit_of_the_outcome(design: str, program: pd.DataFrame) -> None:
    """In other units (a + 10 y) coefficients scale and the standardised effect stays."""
    scaled = program.assign(post=50 + 10 * program.post, pre=50 + 10 * program.pre)
    one, other = fit(design, program), fit(design, scaled)
    effect, twin = one.effect("hedges_g"), other.effect("hedges_g")
    for field in (*FIELDS, "variance", "weight_variance"):
        close(getattr(effect, field), getattr(twin, field))
    raw, ten = (r.effect("coefficient", term=effect.term) for r in (one, other))
    close(10 * raw.estimate, ten.estimate)
    close(raw.p_value, ten.p_value)


@pytest.mark.parametrize("design", [name for name in DESIGNS if not name.startswith("groups")])
def test_arms_swapped(design: str, program: pd.DataFrame) -> None:
    plan = DESIGNS[design]
    swapped = dataclasses.replace(plan, treated=plan.control, control=plan.treated).fit(program, "post", better="lower")
    one, other = plan.fit(program, "post", better="lower").effect("hedges_g"), swapped.effect("hedges_g")
    close(one.estimate, -other.estimate)
    close((one.conf_low, one.conf_high), (-other.conf_high, -other.conf_low))
    close((one.p_value, one.df, one.variance), (other.p_value, other.df, other.variance))


@pytest.mark.parametrize("design", DESIGNS)
def test_direction_of_improvement(design: str, program: pd.DataFrame) -> None:
    one, other = fit(design, program), fit(design, program, better="higher")
    close(one.effect("hedges_g").estimate, -other.effect("hedges_g").estimate)
    for row, twin in zip(one.estimates, other.estimates, strict=True):
        if row.measure == "coefficient":
            assert row.estimate == twin.estimate


@pytest.mark.parametrize("design", DESIGNS)
def test_every_row_is_complete(design: str, program: pd.DataFrame) -> None:
    result = fit(design, program)
    for row in result.estimates:
        assert row.method
        assert row.n
        assert np.isfinite(row.estimate)
        if row.p_value is not None:
            assert row.df is not None
            assert row.null == 0.0
            assert (row.p_value < 0.05) == (not row.conf_low < 0 < row.conf_high)
    effect = result.effect("hedges_g")
    assert effect.std_error == pytest.approx(np.sqrt(effect.variance), rel=1e-12)
    assert effect.adjusted == ("adjusted" in design or "in agencies" in design or "gains" in design)
    assert effect.term == DESIGNS[design].arm + f"[{DESIGNS[design].treated}]"
    fits = result.fits[0]
    assert fits.rows == fits.used + fits.dropped
    assert repr(result) == repr(fit(design, program))


@pytest.mark.parametrize("design", DESIGNS)
def test_direction_and_level_are_asked_for(design: str, program: pd.DataFrame) -> None:
    with pytest.raises(DesignError, match='better="higher" or better="lower"'):
        DESIGNS[design].fit(program, "post")
    with pytest.raises(DesignError, match="neither"):
        DESIGNS[design].fit(program, "post", better="up")
    with pytest.raises(DesignError, match="conf_level is 95"):
        DESIGNS[design].fit(program, "post", better="lower", conf_level=95)


def test_the_direction_of_our_own_scores_is_known(program: pd.DataFrame) -> None:
    frame = program.rename(columns={"post": "phq9_total"})
    assert DESIGNS["two groups"].fit(frame, "phq9_total").effect("hedges_g").better == "lower"


def test_every_file_is_a_design() -> None:
    found = kinds()
    assert {"pre_post", "two_group", "cluster_trial", "partially_nested", "cluster_robust"} <= set(found)
    for stem, kind in found.items():
        assert kind.__name__ == stem.title().replace("_", "")
        assert kind.__dataclass_params__.frozen


def test_service_is_checked_and_lists_become_tuples() -> None:
    with pytest.raises(DesignError, match=r'"trainning" is no type of service. Did you mean "training"'):
        TwoGroup(**OFFER, service="trainning")
    design = TwoGroup(**OFFER, covariates=["age"], wave="wave", outcome_wave=["post", "later"])
    assert (design.covariates, design.outcome_waves) == (("age",), ("post", "later"))
    assert TwoGroup(**OFFER, covariates="age").covariates == ("age",)
    assert isinstance(design, Comparison)
    with pytest.raises(DesignError, match="outcome_wave is given"):
        TwoGroup(**OFFER, outcome_wave="post")
