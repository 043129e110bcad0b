"""The survey estimate of food insecurity: against its own steps written out once more, and against simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

import sweval as sw
from sweval.errors import DataError, InstrumentError, SwevalError
from sweval.scoring.food_standard import STANDARD, class_probabilities, equate
from sweval.scoring.rasch import fit_rasch

SURVEY = pd.read_csv(Path(__file__).parents[1] / "reference" / "food_insecurity" / "survey.csv")
ITEMS = list(SURVEY.columns[2:10])


def estimate(frame: pd.DataFrame = SURVEY, **options: object) -> sw.Result:
    return sw.food_insecurity(frame, items=ITEMS, **options)


def in_plain_steps(answers: np.ndarray, weight: np.ndarray) -> tuple[dict[str, float], list[bool], np.ndarray]:
    """Return the prevalences, the common items and the equated severities, step by step as FAO describes them."""
    scores = answers.sum(axis=1).astype(int)
    inside = (scores > 0) & (scores < 8)
    shares = np.bincount(scores, weights=weight, minlength=9) / weight.sum()
    severity = fit_rasch(
        (weight * inside) @ answers, np.bincount(scores, weights=weight, minlength=9).astype(float)
    ).severity
    standard = np.array(STANDARD)
    common = [True] * 8
    while True:
        kept = [place for place in range(8) if common[place]]
        scale = np.std(standard[kept], ddof=1) / np.std(severity[kept], ddof=1)
        moved = np.mean(standard[kept]) + scale * (severity - np.mean(severity[kept]))
        far = {place: abs(moved[place] - standard[place]) for place in kept}
        worst = max(far, key=far.__getitem__)
        if far[worst] < 0.35 or len(kept) == 5:
            break
        common[worst] = False
    prevalence = {}
    for name, cut in {"moderate or severe": standard[4], "severe": standard[7]}.items():
        total = 0.0
        for score in range(1, 9):
            aim = min(score, 7.5)
            theta = brentq(lambda t, aim=aim: (1 / (1 + np.exp(severity - t))).sum() - aim, -30, 30, xtol=1e-13)
            chance = 1 / (1 + np.exp(severity - theta))
            error = (chance * (1 - chance)).sum() ** -0.5
            on_standard = np.mean(standard[kept]) + scale * (theta - np.mean(severity[kept]))
            total += shares[score] * norm.sf((cut - on_standard) / (scale * error))
        prevalence[name] = total
    return prevalence, common, moved


@pytest.mark.parametrize("weight", [None, "weight"])
def test_the_estimate_is_that_of_the_steps_written_out(weight: str | None) -> None:
    result = estimate(weight=weight)
    weights = SURVEY["weight"].to_numpy(float) if weight else np.ones(len(SURVEY))
    prevalence, common, severity = in_plain_steps(SURVEY[ITEMS].to_numpy(float), weights)
    for term, expected in prevalence.items():
        assert result.effect("prevalence", term=term).estimate == pytest.approx(expected, abs=1e-9)
    for place, name in enumerate(ITEMS):
        row = result.effect("item_severity", term=name)
        assert row.estimate == pytest.approx(severity[place], abs=1e-9)
        assert ("common item" in row.method) == common[place]
    assert not all(common)
    assert any(ITEMS[common.index(False)] in note and "no part in the equating" in note for note in result.notes)


def test_the_tables_of_the_instrument_are_those_of_the_standard() -> None:
    # The tables were made by nejohnson2/pyFIES 0.1.1 at the standard's own severities.
    tables = [scale.table for scale in sw.instrument("fies8").scores if scale.op == "table"]
    expected = np.array([[row[1] for row in table.rows] for table in tables if table]).T
    standard = np.array(STANDARD)
    assert class_probabilities(standard, equate(standard)) == pytest.approx(expected, abs=1e-10)


def test_the_standard_equates_to_itself_wherever_its_zero_and_unit_lie() -> None:
    standard = np.array(STANDARD)
    there = equate(3 * standard - 2)
    assert (there.scale, there.shift, all(there.common)) == (pytest.approx(1 / 3), pytest.approx(2 / 3), True)
    assert class_probabilities(standard, equate(standard))[4, 0] > 0.5


def test_standard_errors_are_those_of_a_jackknife_over_villages() -> None:
    result = estimate(weight="weight", cluster="village")
    villages = SURVEY["village"].unique()
    for term in ("moderate or severe", "severe"):
        left_out = [
            estimate(SURVEY[SURVEY["village"] != village], weight="weight").effect("prevalence", term=term).estimate
            for village in villages
        ]
        count = len(villages)
        jackknife = np.sqrt((count - 1) / count * ((left_out - np.mean(left_out)) ** 2).sum())
        row = result.effect("prevalence", term=term)
        # The two agree to first order in 1 / villages; 24 villages leave some per cent.
        assert row.std_error == pytest.approx(jackknife, rel=0.06)
        assert row.df == count - 1
        assert row.clusters == count
        assert 0 < row.conf_low < row.estimate < row.conf_high < 1


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(11)
    severity = np.array(STANDARD)

    def draw(rows: int) -> np.ndarray:
        person = rng.normal(-1.2, 1.8, (rows, 1))
        return (rng.random((rows, 8)) < 1 / (1 + np.exp(severity - person))).astype(int)

    truth = {}
    probability = class_probabilities(severity, equate(severity))
    shares = np.bincount(draw(2_000_000).sum(axis=1), minlength=9) / 2_000_000
    for place, term in enumerate(("moderate or severe", "severe")):
        truth[term] = float(shares @ probability[:, place])
    hits = dict.fromkeys(truth, 0)
    samples = 150
    for _ in range(samples):
        result = estimate(pd.DataFrame(draw(600), columns=ITEMS))
        for term, expected in truth.items():
            row = result.effect("prevalence", term=term)
            hits[term] += row.conf_low <= expected <= row.conf_high
    # 150 intervals of 95 % hold the truth 142.5 times, give or take 2.7 at one standard error.
    assert all(134 <= count <= 149 for count in hits.values()), hits


def test_groups_average_to_the_whole() -> None:
    result = estimate(weight="weight", by="region")
    shares = SURVEY.groupby("region")["weight"].sum() / SURVEY["weight"].sum()
    for term in ("moderate or severe", "severe"):
        parts = [result.effect("prevalence", term=f"{term}, region[{name}]") for name in ("north", "south")]
        whole = result.effect("prevalence", term=term)
        assert np.dot(shares, [row.estimate for row in parts]) == pytest.approx(whole.estimate, abs=1e-12)
        assert sum(row.n for row in parts) == whole.n
        assert parts[0].estimate < parts[1].estimate


def test_weights_count_only_relative_to_each_other() -> None:
    once, thrice = estimate(weight="weight"), estimate(SURVEY.assign(weight=SURVEY["weight"] * 3), weight="weight")
    for one, other in zip(once.estimates, thrice.estimates, strict=True):
        assert one.estimate == pytest.approx(other.estimate, rel=1e-9)
        if one.std_error is not None:
            assert one.std_error == pytest.approx(other.std_error, rel=1e-6)


def test_rows_left_out_are_counted() -> None:
    frame = SURVEY.astype({"weight": float, "hungry": float, "village": object, "region": object})
    frame.loc[:2, "hungry"] = np.nan
    frame.loc[5, "weight"] = np.nan
    frame.loc[7, "village"] = None
    frame.loc[[9, 10], "region"] = None
    result = estimate(frame, weight="weight", cluster="village", by="region")
    assert result.fits[0].dropped == 5
    assert result.fits[0].used == len(SURVEY) - 5
    text = "\n".join(result.notes)
    assert "3 rows were left out, because not all eight items were answered" in text
    assert "1 row was left out, because they have no weight" in text
    assert "2 rows without region count in the total, but in no group" in text


def test_an_item_that_measures_something_else_is_named() -> None:
    rng = np.random.default_rng(3)
    frame = SURVEY.assign(healthy=rng.integers(0, 2, len(SURVEY)))
    assert any(note.startswith("Check: ") and "infit" in note and "healthy" in note for note in estimate(frame).notes)


def test_frames_of_other_kinds_give_the_same_rows() -> None:
    expected = estimate(weight="weight", cluster="village", by="region").estimates
    for frame in (pl.from_pandas(SURVEY), pl.from_pandas(SURVEY).lazy()):
        assert sw.food_insecurity(frame, items=ITEMS, weight="weight", cluster="village", by="region").estimates == (
            expected
        )


def test_yes_and_no_as_one_and_two_need_the_coding() -> None:
    frame = SURVEY.replace({name: {0: 2} for name in ITEMS})
    with pytest.raises(InstrumentError):
        estimate(frame)
    assert estimate(frame, coding="yes_no").estimates == estimate().estimates


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"weight": 0.0}, {"weight": "weight"}, "480 weights in weight are not positive"),
        ({"weight": "heavy"}, {"weight": "weight"}, "weights in weight are no numbers"),
        ({"village": 1}, {"cluster": "village"}, "one cluster only"),
        (dict.fromkeys(ITEMS, 0), {}, "too few to calibrate"),
        ({"runout": 1}, {}, "same answer everywhere"),
    ],
)
def test_what_cannot_be_estimated_is_refused(change: dict, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        estimate(SURVEY.assign(**change), **options)


def test_a_level_of_confidence_is_a_share() -> None:
    with pytest.raises(SwevalError, match="must lie between 0 and 1"):
        estimate(conf_level=95)
