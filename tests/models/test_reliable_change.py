"""`ReliableChange` from a data frame: a package's numbers end to end, missing follow-up, and what it must refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import sweval as sw
from sweval.effects.change_index import group_level_change, reliable_change_threshold
from sweval.effects.proportion import wilson_interval
from sweval.errors import DesignError
from sweval.models.base.change_published import Published, published

FOLDER = Path(__file__).parents[1] / "reference" / "change"
FIXTURES = {
    entry["id"]: entry
    for entry in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
    if "_combined_" in entry["id"]
}
METHODS = {
    "JT": "jacobson_truax",
    "GLN": "gulliksen_lord_novick",
    "HLL": "hsu_linn_nunnally",
    "EN": "edwards_nunnally",
    "NK": "nunnally_kotsch",
    "HA": "hageman_arrindell",
}
CATEGORIES = ["recovered", "improved", "unchanged", "deteriorated", "harmed"]


def frame_of(rows: list[tuple[Any, Any, float | None]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["id", "wave", "score"])


def five_clients() -> pd.DataFrame:
    """Lower is better; sd before = 6.519, with reliability .9 the threshold is 5.71 points."""
    before, after = [24.0, 20, 15, 8, 14], [8.0, 13, 14, 15, 20]
    return frame_of(
        [(f"00{i}", wave, score) for i in range(5) for wave, score in (("pre", before[i]), ("post", after[i]))]
    )


def design(**more: Any) -> sw.ReliableChange:
    given: dict[str, Any] = {"client": "id", "wave": "wave", "pre": "pre", "post": "post", "reliability": 0.9}
    return sw.ReliableChange(**(given | more))


@pytest.mark.parametrize("name", FIXTURES)
def test_index_categories_and_cutoff_equal_the_package_end_to_end(name: str) -> None:
    """clinicalsignificance drops clients without a post score before it takes mean and sd; so do index and cut-off."""
    entry = FIXTURES[name]
    i, out = entry["inputs"], entry["outputs"]
    frame = pd.read_csv(FOLDER / i["data"], dtype={"id": str})
    result = sw.ReliableChange(
        client="id", wave="time", pre=i["pre"], post=i["post"], reliability=i["reliability"], cutoff="c",
        functional_mean=i["m_functional"], functional_sd=i["sd_functional"], method=METHODS[i["method"]],
        reliability_post=i.get("reliability_post"),
    ).fit(frame, "score", better=i["better_is"])  # fmt: skip
    assert result.clients is not None
    used = result.clients.dropna(subset=["post"])
    assert used["client"].tolist() == [str(key) for key in out["id"]]
    assert used["index"].to_numpy() == pytest.approx(np.array(out["rci"]), rel=entry["rtol"], abs=entry["atol"])
    assert used["category"].str.title().tolist() == out["category"]
    for word, count in out["counts"].items():
        assert result.effect("count", term=word.lower()).estimate == count
    assert result.effect("cutoff").estimate == pytest.approx(out["cutoff"], rel=entry["rtol"])


@pytest.mark.parametrize("method", METHODS.values())
def test_the_range_of_no_change_is_that_of_the_index(method: str) -> None:
    """A score after within `unchanged_low` and `unchanged_high` is unchanged, one outside is not; for every client."""
    entry = FIXTURES["rc_large_combined_c_jt"]
    frame = pd.read_csv(FOLDER / entry["inputs"]["data"], dtype={"id": str})
    clients = (
        sw.ReliableChange(client="id", wave="time", pre=1, post=2, reliability=0.9, method=method)
        .fit(frame, "score", better="lower")
        .clients
    )
    assert clients is not None
    seen = clients.dropna(subset=["category"])
    expected = np.where(
        seen["post"] < seen["unchanged_low"],
        "improved",
        np.where(seen["post"] > seen["unchanged_high"], "deteriorated", "unchanged"),
    )
    assert seen["category"].tolist() == expected.tolist()
    assert clients.loc[clients["post"].isna(), ["index", "unchanged_low", "category"]].isna().all(axis=None)


def test_shares_of_the_group_stand_beside_hageman_and_arrindells_categories() -> None:
    frame = pd.read_csv(FOLDER / "rc_large.csv", dtype={"id": str})
    result = sw.ReliableChange(
        client="id", wave="time", pre=1, post=2, reliability=0.9, method="hageman_arrindell", cutoff="c",
        functional_mean=9, functional_sd=7,
    ).fit(frame, "score", better="lower")  # fmt: skip
    assert result.clients is not None
    seen = result.clients.dropna(subset=["post"])
    found = group_level_change(
        seen["pre"], seen["post"], better="lower", sd=float(seen["pre"].std()), reliability=0.9,
        cutoff=result.effect("cutoff").estimate,
    )  # fmt: skip
    shares = [result.effect("proportion_group_level", term=term).estimate for term in ("improved", "functional after")]
    assert shares == pytest.approx(found)
    assert "Cut-off c of true scores" in " ".join(result.notes)


def test_clients_with_no_percentage_are_counted_and_in_no_share() -> None:
    wide = pd.DataFrame({"pre": [10.0, 10, 10, 0, 0], "post": [4.0, 10, 16, 5, np.nan]})
    result = sw.ReliableChange(pre="pre", method="percentage").fit(wide, "post", better="lower")
    assert result.effect("count", term="not applicable").estimate == 1
    shares = [row for row in result.estimates if row.measure == "proportion"]
    assert {row.n for row in shares} == {3}
    assert sum(row.estimate for row in shares) == pytest.approx(1)
    assert any("1 client had 0 before" in note for note in result.notes)
    assert not [row for row in result.estimates if row.measure == "proportion_intention_to_treat"]  # the lost had 0
    more = pd.concat([wide, pd.DataFrame({"pre": [12.0], "post": [np.nan]})])
    everyone = sw.ReliableChange(pre="pre", method="percentage").fit(more, "post", better="lower")
    assert everyone.effect("proportion_intention_to_treat", term="unchanged").n == 4
    both_arms = pd.concat([wide, wide]).assign(arm=["a"] * 5 + ["b"] * 5)
    arms = sw.ReliableChange(pre="pre", method="percentage", arm="arm", treated="a", control="b")
    compared = arms.fit(both_arms, "post", better="lower").tidy().query("measure == 'risk'")
    assert compared["estimate"].tolist() == pytest.approx([1 / 3, 1 / 3])
    assert result.clients is not None
    assert result.clients["category"].tolist()[:4] == ["improved", "unchanged", "deteriorated", "not applicable"]


def test_a_change_that_matters_and_a_cutoff_together_make_five_categories() -> None:
    wide = pd.DataFrame({"pre": [16.0, 16, 16, 8], "post": [9.0, 11, 13, 14]})
    result = sw.ReliableChange(pre="pre", method="anchor", improvement=5, cutoff=10).fit(wide, "post", better="lower")
    assert result.clients is not None
    assert result.clients["category"].tolist() == ["recovered", "improved", "unchanged", "harmed"]
    assert result.clients[["unchanged_low", "unchanged_high"]].values.tolist()[0] == [11.0, 21.0]
    assert result.effect("reliable_change_threshold").estimate == 5
    assert any("Measurement error is not looked at" in note for note in result.notes)


def test_the_level_of_the_index_is_not_that_of_the_intervals() -> None:
    at_90 = design(level=0.9).fit(five_clients(), "score", better="lower")
    expected = reliable_change_threshold(sd=float(np.std([24, 20, 15, 8, 14], ddof=1)), reliability=0.9, conf_level=0.9)
    assert at_90.effect("reliable_change_threshold").estimate == pytest.approx(expected)
    assert at_90.effect("proportion", term="improved").conf_level == 0.95


def test_a_cutoff_may_be_named_by_the_band_of_the_instrument() -> None:
    wide = pd.DataFrame({"pre": [20.0, 12, 8], "phq9_total": [9.0, 10, 11]})
    result = sw.ReliableChange(pre="pre", reliability=0.86, cutoff="moderate").fit(wide, "phq9_total")
    bands = {band.label: band.cut for band in sw.instrument("phq9").scale("total").bands}
    assert result.effect("cutoff").estimate == bands["moderate"]
    with pytest.raises(DesignError, match=r'"medium" is none of them.*"moderate"'):
        sw.ReliableChange(pre="pre", reliability=0.86, cutoff="medium").fit(wide, "phq9_total")


def test_the_only_verified_norm_and_smallest_change_are_used_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from sweval.models.base import change_published

    norms, differences = [(6.0, 4.0, "adults, some study")], [(5.0, "some study")]
    monkeypatch.setattr(
        change_published, "published", lambda outcome: Published(norms=tuple(norms), differences=tuple(differences))
    )
    result = design(cutoff="c").fit(five_clients(), "score", better="lower")
    assert any("Norm mean 6 and standard deviation 4 of score taken from" in note for note in result.notes)
    mean, sd = 16.2, float(np.std([24, 20, 15, 8, 14], ddof=1))
    assert result.effect("cutoff").estimate == pytest.approx((sd * 6 + 4 * mean) / (sd + 4))
    matters = design(method="anchor", reliability=None).fit(five_clients(), "score", better="lower")
    assert any("5 points of score matter to clients by the instrument's file" in note for note in matters.notes)
    norms.append((7.0, 5.0, "students, other study"))
    differences.append((3.0, "other study"))
    with pytest.raises(DesignError, match=r"several norms .* 6 \(adults, some study\); 7 \(students"):
        design(cutoff="c").fit(five_clients(), "score", better="lower")
    with pytest.raises(DesignError, match=r"several smallest changes .* 5 \(some study\); 3 \("):
        design(method="anchor", reliability=None).fit(five_clients(), "score", better="lower")


def test_what_matters_to_clients_is_asked_for() -> None:
    with pytest.raises(DesignError, match=r"matter to clients is not known.*improvement="):
        design(method="anchor", reliability=None).fit(five_clients(), "score", better="lower")


def test_a_study_file_takes_every_method(tmp_path: Path) -> None:
    """`kind = "reliable_change"`: the keys are the fields."""
    wide = pd.DataFrame({"id": range(8), "arm": ["a", "b"] * 4, "before": [20, 18, 22, 15, 19, 21, 17, 23.0]})
    wide["after"] = wide["before"] - [9, 2, 8, 1, 3, 2, 7, 4]
    wide.to_csv(tmp_path / "clients.csv", index=False)
    (tmp_path / "study.toml").write_text(
        """
[study]
title = "Casework"
data = "clients.csv"
client = "id"

[[comparisons]]
name = "Casework"
kind = "reliable_change"
pre = "before"
method = "anchor"
improvement = 5
arm = "arm"
treated = "a"
control = "b"

[[outcomes]]
column = "after"
better = "lower"
""",
        encoding="utf-8",
    )
    result = sw.Study.read(tmp_path / "study.toml").run()
    row = result.tidy().query("measure == 'risk_difference'").iloc[0]
    assert (row["outcome"], row["estimate"]) == ("after: improved or better", 0.75)


def test_rows_of_a_small_program_by_hand() -> None:
    result = design(cutoff=10, name="Group work", service="group").fit(five_clients(), "score", better="lower")
    assert result.clients is not None
    assert list(result.clients.columns) == [
        "client", "pre", "post", "index", "category", "unchanged_low", "unchanged_high",
    ]  # fmt: skip
    assert result.clients["client"].tolist() == ["000", "001", "002", "003", "004"]
    assert result.clients["category"].tolist() == ["recovered", "improved", "unchanged", "harmed", "deteriorated"]
    sd = float(np.std([24, 20, 15, 8, 14], ddof=1))
    assert result.clients["index"].tolist() == pytest.approx([x / (sd * np.sqrt(0.2)) for x in (-16, -7, -1, 7, 6)])
    table = result.tidy()
    proportions = table[table["measure"] == "proportion"]
    assert proportions["term"].tolist() == CATEGORIES
    assert proportions["estimate"].tolist() == [0.2] * 5
    assert proportions["conf_low"].tolist() == pytest.approx([float(wilson_interval(1, 5)[0])] * 5)
    assert set(table["n"]) == {5}
    assert set(table["comparison"]) == {"Group work"}
    assert result.effect("reliable_change_threshold").estimate == pytest.approx(
        reliable_change_threshold(sd=sd, reliability=0.9)
    )
    assert result.effect("cutoff").estimate == 10.0
    assert result.effect("proportion_functional_before").estimate == 0.2
    assert any("this sample's standard deviation" in note and f"{sd:.4g}" in note for note in result.notes)
    glance = result.glance().iloc[0]
    assert (glance["rows"], glance["used"], glance["dropped"]) == (5, 5, 0)


def test_without_a_cutoff_there_are_three_categories() -> None:
    result = design().fit(five_clients(), "score", better="lower")
    table = result.tidy()
    assert table.loc[table["measure"] == "count", "term"].tolist() == CATEGORIES[1:4]
    assert table.loc[table["measure"] == "count", "estimate"].tolist() == [2, 1, 2]
    assert "cutoff" not in set(table["measure"])


def test_clients_without_follow_up_are_counted_and_taken_as_unchanged() -> None:
    frame = pd.concat(
        [
            five_clients(),
            frame_of([("x1", "pre", 30.0), ("x2", "pre", 10.0), ("x2", "post", np.nan), ("x3", "post", 4.0)]),
        ]
    )
    result = design(cutoff=10).fit(frame, "score", better="lower")
    proportion = result.effect("proportion", term="unchanged")
    assert (proportion.estimate, proportion.n) == (0.2, 5)
    everyone = result.effect("proportion_intention_to_treat", term="unchanged")
    assert (everyone.estimate, everyone.n) == (pytest.approx(3 / 7), 7)
    assert result.effect("proportion_intention_to_treat", term="recovered").estimate == pytest.approx(1 / 7)
    terms = [row for row in result.estimates if row.measure == "proportion_intention_to_treat"]
    assert sum(row.estimate for row in terms) == pytest.approx(1)
    assert any(note.startswith("2 of 7 clients have no score after") for note in result.notes)
    assert any(note.startswith("1 client without a score before") for note in result.notes)
    assert result.clients is not None
    assert result.clients["category"].isna().sum() == 2
    assert (result.fits[0].rows, result.fits[0].used, result.fits[0].dropped) == (8, 5, 3)
    # the index is of clients with both; the other standard deviation is named
    assert any("over all 7 with a score before it is" in note for note in result.notes)


def test_a_published_sd_replaces_the_samples_in_the_index_only() -> None:
    result = design(sd=5.0, cutoff="a").fit(five_clients(), "score", better="lower")
    assert result.effect("reliable_change_threshold").estimate == pytest.approx(1.959964 * 5 * np.sqrt(0.2), rel=1e-6)
    sample = np.array([24, 20, 15, 8, 14.0])
    assert result.effect("cutoff").estimate == pytest.approx(sample.mean() - 2 * sample.std(ddof=1))
    assert any("given standard deviation 5" in note for note in result.notes)


def test_norms_that_do_not_separate_are_noted() -> None:
    healthy = design(cutoff="c", functional_mean=25, functional_sd=5).fit(five_clients(), "score", better="lower")
    assert any("does not separate two populations" in note for note in healthy.notes)
    clinical = design(cutoff="c", functional_mean=5, functional_sd=5).fit(five_clients(), "score", better="lower")
    assert not any("does not separate" in note for note in clinical.notes)


def test_any_frame_any_order_any_label_gives_the_same_rows() -> None:
    long = five_clients()
    result = design(cutoff=10).fit(long, "score", better="lower")
    shuffled = long.sample(frac=1, random_state=3).assign(wave=lambda table: table["wave"].map({"pre": 1, "post": 2.0}))
    other = design(cutoff=10, pre=1, post="2").fit(pl.from_pandas(shuffled), "score", better="lower")
    pd.testing.assert_frame_equal(result.tidy(), other.tidy())
    assert result.clients is not None
    assert other.clients is not None
    assert other.clients["client"].tolist() == shuffled["id"].drop_duplicates().tolist()  # in order of appearance
    pd.testing.assert_frame_equal(result.clients, other.clients.sort_values("client", ignore_index=True))


@pytest.mark.parametrize("dtype", ["int64", "Int64", "float64", "object", "str"])
def test_ids_are_the_same_clients_as_numbers_and_as_text(dtype: str) -> None:
    frame = five_clients().assign(id=lambda table: table["id"].astype(int))
    expected = design(cutoff=10).fit(frame.assign(id=frame["id"].map("{} ".format)), "score", better="lower")
    found = design(cutoff=10).fit(frame.astype({"id": dtype}), "score", better="lower")
    assert found.clients is not None
    assert expected.clients is not None
    assert found.clients["client"].tolist() == ["0", "1", "2", "3", "4"]
    pd.testing.assert_frame_equal(found.clients, expected.clients)


def test_one_row_per_client_needs_no_wave() -> None:
    long = five_clients()
    wide = long.pivot_table(index="id", columns="wave", values="score").reset_index()
    result = sw.ReliableChange(client="id", pre="pre", reliability=0.9, cutoff=10).fit(wide, "post", better="lower")
    expected = design(cutoff=10).fit(long, "score", better="lower")
    assert result.clients is not None
    assert expected.clients is not None
    assert result.clients["category"].tolist() == expected.clients["category"].tolist()
    assert result.effect("proportion", term="recovered").estimate == 0.2
    nameless = sw.ReliableChange(pre="pre", reliability=0.9).fit(wide, "post", better="lower")
    assert nameless.clients is not None
    assert nameless.clients["client"].tolist() == ["1", "2", "3", "4", "5"]


def test_a_score_of_ours_knows_its_direction() -> None:
    frame = five_clients().rename(columns={"score": "phq9_total"})
    assert design(cutoff=10).fit(frame, "phq9_total").effect("proportion", term="recovered").better == "lower"


def test_reliability_is_asked_for_unless_one_verified_value_is_in_the_instruments_file() -> None:
    with pytest.raises(DesignError, match=r"reliability .*Give reliability, such as"):
        design(reliability=None).fit(five_clients(), "score", better="lower")


def test_the_only_verified_reliability_is_used_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from sweval.models.base import change_published

    known = [(0.84, "test_retest, 48 hours, some study")]
    monkeypatch.setattr(
        change_published, "published", lambda outcome: change_published.Published(reliabilities=tuple(known))
    )
    result = design(reliability=None).fit(five_clients(), "score", better="lower")
    assert any("Reliability 0.84 of score taken from the instrument's file (test_retest" in n for n in result.notes)
    known.append((0.89, "alpha, some study"))
    with pytest.raises(DesignError, match=r"several reliabilities .* are published: 0.84 .*; 0.89 .*"):
        design(reliability=None).fit(five_clients(), "score", better="lower")


def test_published_reliabilities_are_verified_rows_of_the_same_score() -> None:
    assert published("days_waited") == Published()
    instrument = sw.instrument("phq9")
    expected = [row.value for row in instrument.reliability if row.verified and row.score == "total"]
    assert [value for value, _ in published("phq9_total").reliabilities] == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reliability": 1.0}, "between 0 and 1"),
        ({"reliability": 0}, "between 0 and 1"),
        ({"reliability": "high"}, "reliability must be a number"),
        ({"sd": 0}, "sd must be above zero"),
        ({"functional_sd": -2.0}, "functional_sd must be above zero"),
        ({"cutoff": float("nan")}, "cutoff must be a score"),
        ({"cutoff": True}, "cutoff must be a score"),
        ({"method": "edwards_nunally"}, "no method of reliable change.*Did you mean"),
        ({"post": None}, "pre and post are needed"),
        ({"client": None}, "pre and post are needed"),
        ({"wave": None}, "column that holds the waves"),
        ({"outcome_wave": "post"}, "not by outcome_wave"),
        ({"reliability_post": 0.8}, "uses no reliability_post"),
        ({"method": "nunnally_kotsch", "reliability_post": 1.5}, "between 0 and 1"),
        ({"method": "percentage"}, "uses no reliability"),
        ({"improvement": 5}, "uses no improvement"),
        ({"method": "anchor", "reliability": None, "improvement": 0}, "improvement must be above zero"),
        ({"method": "cutoff", "reliability": None}, "needs a cutoff"),
        ({"level": 95}, "between 0 and 1"),
    ],
)
def test_impossible_designs_are_refused_when_they_are_made(change: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        design(**change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cutoff": "d"}, 'cutoff must be a score, "a", "b" or "c"'),
        ({"cutoff": "c"}, "needs functional_mean and functional_sd"),
        ({"cutoff": "b", "functional_mean": 5}, "needs functional_sd"),
        ({"post": "followup"}, r'post="followup" is not in "wave".*pre'),
        ({"post": "pre"}, "same wave"),
    ],
)
def test_designs_that_do_not_fit_the_data_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        design(**change).fit(five_clients(), "score", better="lower")


def test_two_rows_of_a_client_at_a_wave_are_refused_with_a_count() -> None:
    twice = pd.concat([five_clients(), frame_of([("000", "post", 3.0), ("001", "post", 3.0)])])
    with pytest.raises(DesignError, match='more than one row at "post" for 2 clients') as caught:
        design().fit(twice, "score", better="lower")
    assert "000" not in str(caught.value)
    wide = pd.DataFrame({"id": [1, 1, 2], "pre": [1.0, 2, 3], "post": [2.0, 3, 3]})
    with pytest.raises(DesignError, match="more than one row for 1 client"):
        sw.ReliableChange(client="id", pre="pre", reliability=0.9).fit(wide, "post", better="lower")


def test_a_score_without_spread_or_without_pairs_is_refused() -> None:
    equal = frame_of([(i, wave, 10.0 if wave == "pre" else 8.0) for i in range(4) for wave in ("pre", "post")])
    with pytest.raises(DesignError, match=r"same .* before"):
        design().fit(equal, "score", better="lower")
    lonely = frame_of([(1, "pre", 3.0), (1, "post", 4.0), (2, "pre", 5.0), (3, "post", 5.0)])
    with pytest.raises(DesignError, match=r'"score" is there both before and after for 1 client;'):
        design().fit(lonely, "score", better="lower")


def test_changes_within_measurement_error_are_refused_by_name() -> None:
    """A negative variance of true change: `hageman_arrindell` on clients who all changed alike."""
    alike = frame_of([(i, wave, 10.0 + 2 * i - (wave == "post")) for i in range(6) for wave in ("pre", "post")])
    with pytest.raises(DesignError, match=r"Program.*changes vary no more than measurement error"):
        design(method="hageman_arrindell", name="Program").fit(alike, "score", better="lower")


def test_direction_is_needed_where_it_is_not_known() -> None:
    with pytest.raises(DesignError, match="higher or lower"):
        design().fit(five_clients(), "score")
