"""Goal attainment scaling: the published formula, gaps, weights, both forms of data, every kind of frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import sweval as sw
from sweval.errors import DataError, SwevalError
from sweval.scoring.goal_attainment import goal_attainment_with_notes

GOALS = ["g1", "g2", "g3", "g4"]
WIDE = pd.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "g1": [1, 0, 2, None],
        "g2": [0, 0, 2, None],
        "g3": [-1, None, 2, None],
        "g4": [2, 0, 2, None],
    }
)
BACKENDS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "pandas nullable": lambda frame: frame.convert_dtypes(),
    "polars": pl.from_pandas,
    "polars lazy": lambda frame: pl.from_pandas(frame).lazy(),
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "duckdb": duckdb.from_df,
}


def t(ratings: list[float], weights: list[float], rho: float = 0.3) -> float:
    """Kiresuk and Sherman's formula for one client, written apart from the package."""
    x, w = np.array(ratings), np.array(weights)
    return float(50 + 10 * (w @ x) / np.sqrt((1 - rho) * (w @ w) + rho * w.sum() ** 2))


def as_pandas(frame: Any) -> pd.DataFrame:
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, pl.DataFrame | pa.Table):
        return frame.to_pandas()
    return frame.df() if isinstance(frame, duckdb.DuckDBPyRelation) else frame


def long(frame: pd.DataFrame = WIDE) -> pd.DataFrame:
    made = frame.melt("id", GOALS, var_name="goal", value_name="rating")
    return made.assign(weight=made["goal"].map(dict(zip(GOALS, [3.0, 2.0, 1.0, 4.0], strict=True))))


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.5])
def test_the_published_formula(rho: float) -> None:
    scored = sw.goal_attainment(WIDE, goals=GOALS, weights=[3, 2, 1, 4], rho=rho)
    expected = [t([1, 0, -1, 2], [3, 2, 1, 4], rho), t([0, 0, 0], [3, 2, 4], rho), t([2, 2, 2, 2], [3, 2, 1, 4], rho)]
    assert scored["gas_t"].head(3).tolist() == pytest.approx(expected, rel=1e-12)
    assert pd.isna(scored["gas_t"].iloc[3])
    assert scored["gas_goals"].tolist() == [4, 3, 4, 0]
    assert scored[WIDE.columns].equals(WIDE)


def test_value_printed_elsewhere() -> None:
    """Scores 1, 0, -1, 2 with weights 3, 2, 1, 4: 64.0028 (R, direct formula)."""
    scored = sw.goal_attainment(WIDE, goals=GOALS, weights=[3, 2, 1, 4])
    assert scored["gas_t"].iloc[0] == pytest.approx(64.0028008402801, rel=1e-12)


def test_as_expected_is_fifty_and_equal_weights_are_any_equal_weights() -> None:
    frame = WIDE.head(3).fillna(0)
    plain = sw.goal_attainment(frame, goals=GOALS)["gas_t"]
    sevens = sw.goal_attainment(frame, goals=GOALS, weights=[7, 7, 7, 7])["gas_t"]
    assert plain.tolist() == pytest.approx(sevens.tolist(), rel=1e-12)
    assert plain.iloc[1] == 50


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_kind_of_frame_wide(backend: str) -> None:
    given = BACKENDS[backend](WIDE)
    scored = sw.goal_attainment(given, goals=GOALS, weights=[3, 2, 1, 4])
    assert type(scored) is type(given)
    expected = sw.goal_attainment(WIDE, goals=GOALS, weights=[3, 2, 1, 4])
    found = as_pandas(scored)
    assert found["gas_t"].astype(float).tolist() == pytest.approx(expected["gas_t"].tolist(), nan_ok=True)
    assert found["gas_goals"].tolist() == [4, 3, 4, 0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_kind_of_frame_long_equals_wide(backend: str) -> None:
    given = BACKENDS[backend](long().sample(frac=1, random_state=3))
    found = goal_attainment_with_notes(given, goals="rating", weights="weight", client="id")
    assert type(found.frame) is type(given)
    frame = as_pandas(found.frame)
    assert list(frame.columns) == ["id", "gas_t", "gas_goals"]
    assert frame["id"].tolist() == ["a", "b", "c", "d"]
    expected = sw.goal_attainment(WIDE, goals=GOALS, weights=[3, 2, 1, 4])["gas_t"]
    assert frame["gas_t"].astype(float).tolist() == pytest.approx(expected.tolist(), nan_ok=True)
    assert found.notes == (
        "gas_t: 5 of 16 goals have no rating and do not count.",
        "gas_t: 1 of 4 scores are missing, as no goal is rated.",
        "gas_t: 3 scores rest on 3 to 4 rated goals, 3.7 on average; weights as given, rho = 0.3.",
        "gas_t: left out as they differ between the goals of a client: goal.",
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_the_same_for_a_client_stays(backend: str) -> None:
    frame = long().assign(arm=lambda rows: rows["id"].map({"a": "t", "b": "t", "c": "c", "d": "c"}))
    found = as_pandas(sw.goal_attainment(BACKENDS[backend](frame), goals="rating", weights="weight", client="id"))
    assert list(found.columns) == ["id", "arm", "gas_t", "gas_goals"]
    assert found["arm"].tolist() == ["t", "t", "c", "c"]


def test_columns_of_categories_stay_too() -> None:
    frame = long().assign(arm=lambda rows: rows["id"].map({"a": "t", "b": "t", "c": "c", "d": "c"}).astype("category"))
    found = sw.goal_attainment(frame, goals="rating", client="id")
    assert found["arm"].tolist() == ["t", "t", "c", "c"]


def test_clients_at_several_times() -> None:
    frame = pd.concat([long().assign(wave="pre"), long().assign(wave="post", rating=2)])
    found = sw.goal_attainment(frame, goals="rating", weights="weight", client=["id", "wave"], name="goals")
    assert len(found) == 8
    assert found.loc[found["wave"].eq("post"), "goals_t"].tolist() == pytest.approx([t([2] * 4, [3, 2, 1, 4])] * 4)


def test_rows_without_a_client_are_left_out_and_counted() -> None:
    frame = long().astype({"id": object})
    frame.loc[[0, 5], "id"] = None
    found = goal_attainment_with_notes(frame, goals="rating", client="id")
    assert found.notes[0] == "gas_t: 2 of 16 rows have no id and are left out."
    assert len(found.frame) == 4


def test_weights_from_columns() -> None:
    frame = WIDE.head(1).assign(w1=3.0, w2=2.0, w3=1.0, w4=4.0)
    scored = sw.goal_attainment(frame, goals=GOALS, weights=["w1", "w2", "w3", "w4"])
    assert scored["gas_t"].iloc[0] == pytest.approx(t([1, 0, -1, 2], [3, 2, 1, 4]))
    with pytest.raises(DataError, match="1 rated goals have no weight above 0"):
        sw.goal_attainment(frame.assign(w2=None).astype({"w2": float}), goals=GOALS, weights=["w1", "w2", "w3", "w4"])
    unrated = frame.assign(w2=float("nan"), g2=float("nan"))  # no weight, but no rating either
    scored = sw.goal_attainment(unrated, goals=GOALS, weights=["w1", "w2", "w3", "w4"])
    assert scored["gas_t"].iloc[0] == pytest.approx(t([1, -1, 2], [3, 1, 4]))


def test_a_design_takes_the_score_as_its_outcome() -> None:
    """Clients who reach one level more, half of them treated: the difference in T is what the formula says."""
    rng = np.random.default_rng(1)
    ratings = rng.integers(-1, 2, (60, 3)) + np.repeat([0, 1], 30)[:, None]
    frame = pd.DataFrame(ratings, columns=["g1", "g2", "g3"]).assign(arm=np.repeat(["usual", "service"], 30))
    scored = sw.goal_attainment(frame, goals=["g1", "g2", "g3"])
    result = sw.TwoGroup(arm="arm", treated="service", control="usual").fit(scored, "gas_t", better="higher")
    means = scored.groupby("arm")["gas_t"].mean()
    row = result.effect("coefficient", term="arm[service]")
    assert row.estimate == pytest.approx(means["service"] - means["usual"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"goals": GOALS, "rho": 1.0}, "rho is 1"),
        ({"goals": []}, "goals names no column"),
        ({"goals": ["g1", "g1"]}, "goals names a column twice"),
        ({"goals": ["g1", "g9"]}, "no column 'g9'"),
        ({"goals": GOALS, "client": "id"}, "client belongs to long data"),
        ({"goals": GOALS, "weights": [1, 2]}, "there are 4 goals, but weights holds 2"),
        ({"goals": GOALS, "weights": "id"}, "there are 4 goals, but weights holds 1"),
        ({"goals": GOALS, "weights": [1, 2, 0, 1]}, "a weight is not above 0"),
        ({"goals": "g1"}, "whose goals are they"),
        ({"goals": "g1", "client": "id", "weights": [1]}, "take the weights from a column"),
        ({"goals": ["id", "g1"]}, "id should hold numbers"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SwevalError, match=message):
        sw.goal_attainment(WIDE, **arguments)


@pytest.mark.parametrize("backend", BACKENDS)
def test_ratings_outside_the_five_levels_are_refused(backend: str) -> None:
    with pytest.raises(DataError, match=r"3 ratings in g1, g2 lie outside -2 to \+2.*subtract 3"):
        sw.goal_attainment(BACKENDS[backend](WIDE.assign(g1=[5, 0, 4, None], g2=[0, -3, None, 1])), goals=GOALS)


def test_a_name_in_use_is_refused() -> None:
    once = sw.goal_attainment(WIDE, goals=GOALS)
    with pytest.raises(DataError, match="the data have the column gas_t, gas_goals already"):
        sw.goal_attainment(once, goals=GOALS)
    assert "gas2_t" in sw.goal_attainment(once, goals=GOALS, name="gas2")
