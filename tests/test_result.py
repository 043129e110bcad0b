"""The one row type and container: same columns, same types and the same bytes, whatever was fitted."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from sweval.errors import SwevalError
from sweval.result import BETTER, COLUMNS, GLANCE_COLUMNS, SERVICES, Estimate, Fit, Result

EFFECT = Estimate(
    comparison="Staff training",
    service="training",
    outcome="phq9_total",
    term="arm[training]",
    measure="hedges_g",
    estimate=0.25,
    std_error=0.1,
    conf_low=-0.0123,
    conf_high=0.5,
    conf_level=0.95,
    statistic=2.5,
    df=21.96,
    p_value=0.0004,
    null=0.0,
    better="lower",
    n=600,
    clusters=24,
    method="CR2",
)
MEAN = Estimate(term="arm[usual]", measure="mean", outcome="days", estimate=1234.5, n=3, method="unadjusted")
FIT = Fit(outcome="phq9_total", model="ClusterTrial", rows=10, used=8, dropped=2, engine="ols")


def test_columns_are_the_promised_ones_in_order() -> None:
    promised = (
        "comparison service outcome term measure estimate std_error conf_low conf_high conf_level statistic df "
        "p_value null better n clusters method study metric standardizer adjusted level_assigned level_outcome "
        "variance weight_variance"
    )
    assert " ".join(COLUMNS) == promised
    glance = "outcome model rows used dropped clusters icc log_likelihood converged singular engine"
    assert " ".join(GLANCE_COLUMNS) == glance


@pytest.mark.parametrize("estimates", [(), (MEAN,), (EFFECT, MEAN)])
def test_tidy_has_all_columns_and_the_same_types_whatever_the_rows(estimates: tuple[Estimate, ...]) -> None:
    tidy = Result(estimates=estimates).tidy()
    assert tuple(tidy.columns) == COLUMNS
    assert len(tidy) == len(estimates)
    kinds = {"estimate": "float64", "p_value": "float64", "n": "Int64", "clusters": "Int64", "adjusted": "boolean"}
    assert {name: str(tidy[name].dtype) for name in kinds} == kinds


def test_what_a_row_does_not_have_is_null() -> None:
    tidy = Result(estimates=(MEAN,)).tidy()
    assert tidy[["std_error", "p_value", "clusters", "comparison", "adjusted"]].isna().all(axis=None)


def test_glance_has_a_row_per_fit() -> None:
    glance = Result(estimates=(), fits=(FIT, FIT)).glance()
    assert glance["used"].tolist() == [8, 8]
    assert str(glance["rows"].dtype) == "Int64"
    assert glance["icc"].isna().all()


def test_repr_repeats_byte_for_byte() -> None:
    result = Result(estimates=(EFFECT, MEAN), notes=("2 of 10 rows were left out.",))
    assert repr(result) == (
        "comparison      outcome     term           measure   estimate  std_error  conf_low  conf_high  df    p_value\n"
        "Staff training  phq9_total  arm[training]  hedges_g  0.250     0.100      -0.012    0.500      22.0  <.001\n"
        "                days        arm[usual]     mean      1234.5\n"
        "\n"
        "method: CR2\n"
        "method: unadjusted\n"
        "note: 2 of 10 rows were left out."
    )


def test_html_escapes_what_the_data_say() -> None:
    row = dataclasses.replace(MEAN, outcome="<b>days</b>")
    html = Result(estimates=(row,), notes=("a & b",))._repr_html_()
    assert "&lt;b&gt;days&lt;/b&gt;" in html
    assert "<li>a &amp; b</li>" in html
    assert '<th scope="col">estimate</th>' in html


def test_results_add_up_and_equal_notes_stand_once() -> None:
    left = Result(estimates=(EFFECT,), fits=(FIT,), notes=("a", "b"))
    right = Result(estimates=(MEAN,), notes=("b", "c"))
    both = left + right
    assert both.estimates == (EFFECT, MEAN)
    assert both.notes == ("a", "b", "c")
    assert both.fits == (FIT,)
    assert sum([left, right]).estimates == both.estimates


def test_client_frames_are_joined() -> None:
    one = Result(estimates=(), clients=pd.DataFrame({"client": ["0007"]}))
    two = Result(estimates=(), clients=pd.DataFrame({"client": ["0008"]}))
    joined = (one + Result(estimates=()) + two).clients
    assert joined is not None
    assert joined["client"].tolist() == ["0007", "0008"]


def test_a_result_does_not_add_to_something_else() -> None:
    with pytest.raises(TypeError):
        Result(estimates=()) + 1


def test_effect_finds_the_one_row() -> None:
    result = Result(estimates=(EFFECT, MEAN, dataclasses.replace(MEAN, term="arm[training]")))
    assert result.effect("hedges_g") is EFFECT
    assert result.effect("mean", term="arm[usual]") is MEAN


def test_effect_names_what_there_is_when_nothing_fits() -> None:
    with pytest.raises(SwevalError, match=r'no row with measure "hedges"\. Did you mean "hedges_g"\?'):
        Result(estimates=(EFFECT,)).effect("hedges")


def test_effect_names_the_terms_when_several_fit() -> None:
    several = (MEAN, dataclasses.replace(MEAN, term="arm[training]"))
    with pytest.raises(SwevalError, match=r"2 rows .* Terms: arm\[usual\], arm\[training\]"):
        Result(estimates=several).effect("mean")


def test_study_title_reaches_every_row() -> None:
    titled = Result(estimates=(EFFECT, MEAN)).in_study("Harbour")
    assert titled.tidy()["study"].tolist() == ["Harbour", "Harbour"]


def test_rows_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EFFECT.estimate = 1.0


def test_services_are_the_seven_of_suasa_and_each_is_direct_or_indirect() -> None:
    assert {side: [name for name in SERVICES if SERVICES[name] == side] for side in ("direct", "indirect")} == {
        "direct": ["individual", "family", "group"],
        "indirect": ["planning", "consultation", "training", "community"],
    }
    assert BETTER == {"higher": 1.0, "lower": -1.0}


def test_labels_of_outcomes_are_joined_and_stay_in_a_study() -> None:
    one = Result(estimates=(MEAN,), labels={"a": "Stress"})
    assert dict((one + Result(estimates=(), labels={"b": "Work"})).labels) == {"a": "Stress", "b": "Work"}
    assert dict(one.in_study("S").labels) == {"a": "Stress"}
