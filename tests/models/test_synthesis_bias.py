"""What a synthesis rests on: bias, influence and order of studies, against clubSandwich, metafor and fits by hand."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DesignError
from sweval.models.base.synthesis_result import SynthesisResult
from sweval.models.synthesis import Synthesis

FOLDER = Path(__file__).parents[1] / "reference" / "meta"
R = json.loads((FOLDER / "bias.json").read_text())


@cache
def default(number: int, moderators: str = "") -> SynthesisResult:
    """Return the default model of a table, fitted once for all tests."""
    return Synthesis(moderators=moderators).fit(table(number))


def table(number: int) -> pd.DataFrame:
    frame = pd.read_csv(FOLDER / f"meta_{number}.csv").rename(columns={"yi": "estimate", "vi": "variance"})
    return frame.assign(metric="person_total")


@pytest.mark.parametrize("number", [2, 3])
def test_regressions_on_precision(number: int) -> None:
    """CR2 of clubSandwich on the working model with the standard error, and with the variance, as moderator: 1e-5."""
    found, expected = default(number).bias(), R[f"meta_{number}"]
    for measure, predictor, at in (
        ("egger", "regression_sei", 1),
        ("mean_effect_pet", "regression_sei", 0),
        ("mean_effect_peese", "regression_vi", 0),
    ):
        row = found.effect(measure)
        wanted = [expected[predictor][key][at] for key in ("b", "se", "df", "p")]
        np.testing.assert_allclose([row.estimate, row.std_error, row.df, row.p_value], wanted, rtol=2e-5)
    pet, chosen = found.effect("mean_effect_pet"), found.effect("mean_effect_pet_peese")
    assert pet.p_value is not None
    wanted_measure = "mean_effect_peese" if pet.p_value < 0.1 else "mean_effect_pet"
    assert chosen.estimate == found.effect(wanted_measure).estimate


def test_independent_effects_are_their_own_composites() -> None:
    """With one effect per study trim and fill and the selection model are metafor's."""
    frame = table(2).assign(study=lambda d: np.arange(len(d)))
    found, expected = Synthesis(model="RE", test="knapp-hartung").fit(frame).bias(), R["meta_2"]
    assert found.effect("missing_effects").estimate == 7
    assert found.effect("mean_effect_trim_and_fill").estimate == pytest.approx(expected["trimfill_left"]["b"], rel=1e-7)
    assert found.effect("mean_effect_selection").std_error == pytest.approx(expected["selection"]["se"], rel=5e-6)
    weight = found.effect("selection_weight")
    assert (weight.estimate, weight.p_value) == pytest.approx(
        (expected["selection"]["delta"][1], expected["selection"]["LRTp"]), rel=5e-6
    )


def test_negative_effects_mirror_positive_ones() -> None:
    one, other = (
        default(3).bias(),
        Synthesis().fit(table(3).assign(estimate=lambda d: -d["estimate"])).bias(),
    )
    for measure in ("egger", "mean_effect_pet_peese", "mean_effect_trim_and_fill", "mean_effect_selection"):
        assert other.effect(measure).estimate == pytest.approx(-one.effect(measure).estimate, rel=1e-5)
    assert other.effect("selection_weight").estimate == pytest.approx(one.effect("selection_weight").estimate, rel=1e-5)


def test_what_cannot_be_checked_is_said() -> None:
    equal = Synthesis().fit(table(1).assign(variance=0.05, estimate=lambda d: d["estimate"] + 0.01 * d["es"])).bias()
    assert "All effects are equally precise, so nothing tells small studies from large ones." in equal.notes
    few = table(1)[table(1)["study"].isin([f"study0{k}" for k in range(1, 8)])]
    notes = Synthesis(moderators="level").fit(few).bias().notes
    assert any("with 7 studies no check on bias can find much" in note for note in notes)
    assert "Trim and fill and the selection model leave the moderators out." in notes
    strong = Synthesis().fit(table(1).assign(estimate=lambda d: d["estimate"] + 9)).bias()
    assert any("effects have a one-sided p below 0.025, so nothing tells how" in note for note in strong.notes)


def test_weights_free_of_the_effect_are_used_where_there_are_some() -> None:
    frame = table(2)
    free = Synthesis().fit(frame.assign(weight_variance=0.9 * frame["variance"])).bias()
    scaled = Synthesis().fit(frame).bias().effect("egger").estimate
    assert free.effect("egger").estimate == pytest.approx(scaled / np.sqrt(0.9), rel=1e-6)


def test_leave_one_out_and_influence_are_fits_without_a_study() -> None:
    result = default(2, "level")
    left, moved = result.leave_one_out(), result.influence()
    rest = table(2)[table(2)["study"] != "study05"]
    again = Synthesis(moderators="level").fit(rest)
    row = left[(left["study"] == "study05") & (left["term"] == "level[direct]")].iloc[0]
    mean = again.effect("mean_effect", term="level[direct]")
    assert [row["estimate"], row["std_error"], row["df"]] == pytest.approx(
        [mean.estimate, mean.std_error, mean.df], rel=1e-6
    )
    before, after = (r.effect("coefficient", term="level[indirect]").estimate for r in (result, again))
    change = moved[moved["study"] == "study05"].iloc[0]
    assert change["level[indirect]"] == pytest.approx(before - after, rel=1e-5)
    tau2 = sum(r.estimate for r in again.estimates if r.measure == "tau2")
    assert change["tau2"] == pytest.approx(tau2, rel=1e-6)
    assert (moved["cooks_distance"] > 0).all()
    assert moved["effects"].sum() == len(table(2))


def test_a_level_that_one_study_has_is_gone_without_it() -> None:
    frame = table(1).assign(kind=lambda d: np.where(d["study"] == "study02", "camp", d["level"]))
    left = Synthesis(moderators="kind").fit(frame).leave_one_out()
    assert left.loc[left["study"] == "study02", "estimate"].isna().all()
    assert left.loc[left["study"] == "study03", "estimate"].notna().all()


def test_independent_effects_left_out_and_added_as_in_metafor() -> None:
    """leave1out and cumul of metafor stop at 1e-5 in tau squared: 3e-4; the first cumulative row has two studies."""
    frame = table(2).assign(study=lambda d: np.arange(len(d)))
    result = Synthesis(model="RE", test="z").fit(frame)
    left, expected = result.leave_one_out(), R["meta_2"]["leave_one_out"]
    np.testing.assert_allclose(left["estimate"], expected["estimate"], rtol=3e-4)
    np.testing.assert_allclose(left["std_error"], expected["se"], rtol=3e-4)
    added, expected = result.cumulative("year"), R["meta_2"]["cumulative"]
    np.testing.assert_allclose(added["estimate"], expected["estimate"][1:], rtol=1e-3)
    assert added["studies"].tolist() == list(range(2, 31))


def test_order_needs_numbers_and_one_mean() -> None:
    result = default(1)
    assert result.cumulative("year")["effects"].iloc[-1] == 80
    with pytest.raises(DesignError, match='no column "yaer"'):
        result.cumulative("yaer")
    with pytest.raises(DesignError, match='"level" holds no numbers'):
        result.cumulative("level")
    with pytest.raises(DesignError, match="followed for one mean"):
        default(1, "level").cumulative("year")


def test_weights_of_effects() -> None:
    """Weights of a mean add up to 100 and give the mean; those of each level as well."""
    for design in (Synthesis(), Synthesis(model="RE", test="z")):
        result = design.fit(table(1))
        effects = result.effects()
        assert effects["weight"].sum() == pytest.approx(100)
        mean = (effects["weight"] * effects["estimate"]).sum() / 100
        assert mean == pytest.approx(result.effect("mean_effect").estimate, rel=1e-9)
    effects = default(1, "level").effects()
    by_level = effects.groupby(table(1)["level"].to_numpy())["weight"].sum()
    assert by_level.tolist() != [100.0, 100.0]  # correlated errors let effects of the other level count as well
    alone = Synthesis(model="RE", test="z", moderators="level").fit(table(1)).effects()
    assert alone.groupby(table(1)["level"].to_numpy())["weight"].sum().tolist() == pytest.approx([100, 100])
