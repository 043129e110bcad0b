"""Arms compared by how many recovered: counts that add up, intervals that know of clusters, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sweval as sw
from sweval.errors import DesignError
from sweval.reporting.report import report
from sweval.reporting.sentences import yes_no_sentences
from sweval.reporting.tables import tables
from sweval.result import Result


def program(n: int = 96, *, clusters: int = 12, seed: int = 3, lost: float = 0.12) -> pd.DataFrame:
    """Return clients of agencies, half of which have the program (6 points better, agencies differ by sd 2)."""
    rng = np.random.default_rng(seed)
    agency = np.arange(n) % clusters
    treated = agency < clusters // 2
    pre = np.clip(rng.normal(16, 5, n).round(), 0, 27)
    post = pre - np.where(treated, 6, 1) + rng.normal(0, 2, clusters)[agency] + rng.normal(0, 4, n)
    post = np.clip(post, 0, 27).round()
    post[rng.random(n) < lost] = np.nan
    return pd.DataFrame(
        {"id": np.arange(n), "arm": np.where(treated, "program", "usual"), "agency": agency, "pre": pre, "post": post}
    )


def design(**more: Any) -> sw.ReliableChange:
    given: dict[str, Any] = {
        "client": "id", "pre": "pre", "reliability": 0.86, "sd": 5.0, "cutoff": 10,
        "arm": "arm", "treated": "program", "control": "usual",
    }  # fmt: skip
    return sw.ReliableChange(**(given | more))


def test_counts_of_arms_add_up_and_make_the_effects() -> None:
    frame = program()
    result = design().fit(frame, "post", better="lower")
    assert result.clients is not None
    joined = result.clients.merge(frame[["id", "arm"]].astype({"id": str}), left_on="client", right_on="id")
    for name in ("recovered", "improved", "unchanged", "deteriorated", "harmed"):
        by_hand = joined.groupby("arm")["category"].apply(lambda found, name=name: int((found == name).sum()))
        for arm in ("usual", "program"):
            assert result.effect("count", term=f"arm[{arm}]: {name}").estimate == by_hand[arm]
        assert result.effect("count", term=name).estimate == by_hand.sum()
    seen = joined.dropna(subset=["category"])
    event = seen["category"].isin(["recovered", "improved"])
    risk = event.groupby(seen["arm"]).mean()
    table = result.tidy().query("outcome == 'post: improved or better'").set_index("measure")
    assert table.loc["risk_difference", "estimate"] == pytest.approx(risk["program"] - risk["usual"])
    assert table.loc["risk_ratio", "estimate"] == pytest.approx(risk["program"] / risk["usual"])
    odds = risk / (1 - risk)
    assert table.loc["odds_ratio", "estimate"] == pytest.approx(odds["program"] / odds["usual"])
    assert table.loc["nnt", "estimate"] == pytest.approx(1 / (risk["program"] - risk["usual"]))
    assert set(table["better"]) == {"higher"}
    assert "Miettinen & Nurminen" in table.loc["risk_difference", "method"]
    assert table.loc["risk_difference", "term"] == "arm[program]"
    # everybody, the lost as unchanged
    everyone = joined.assign(event=joined["category"].isin(["recovered", "improved"])).groupby("arm")["event"].mean()
    itt = table.loc["risk_difference_intention_to_treat"]
    assert itt["estimate"] == pytest.approx(everyone["program"] - everyone["usual"])
    assert itt["n"] == len(frame)


def test_with_clusters_it_is_the_logistic_model_of_cluster_robust() -> None:
    """The same risks, difference, interval, df and p as ClusterRobust on the event itself, to 1e-9."""
    frame = program()
    result = design(cluster="agency").fit(frame, "post", better="lower")
    assert result.clients is not None
    event = frame.assign(event=result.clients["category"].isin(["recovered"]).to_numpy().astype(float))
    event = event[result.clients["category"].notna().to_numpy()]
    model = sw.ClusterRobust(fixed="arm", cluster="agency", reference={"arm": "usual"}, family="binomial")
    expected = model.fit(event, "event", better="higher")
    rows = [row for row in result.estimates if row.outcome == "post: recovered"]
    for measure in ("risk_difference", "risk_ratio", "odds_ratio", "nnt"):
        (row,) = [row for row in rows if row.measure == measure]
        other = expected.effect(measure)
        for name in ("estimate", "conf_low", "conf_high", "df"):
            assert getattr(row, name) == pytest.approx(getattr(other, name), rel=1e-9), (measure, name)
        assert row.clusters == 12
    assert len([row for row in rows if row.measure in ("events", "risk")]) == 4


def test_clusters_widen_the_interval_and_not_the_estimate() -> None:
    frame = program()
    frame["post"] = (frame["post"] + 5 * np.sin(3.0 * frame["agency"])).clip(0, 27)  # agencies that differ much
    alone, clustered = design(), design(cluster="agency")
    rows = [
        one.fit(frame, "post", better="lower").tidy().query("outcome == 'post: recovered'").set_index("measure")
        for one in (alone, clustered)
    ]
    estimates = [table.loc["risk_difference", "estimate"] for table in rows]
    widths = [table.loc["risk_difference", "conf_high"] - table.loc["risk_difference", "conf_low"] for table in rows]
    assert estimates[0] == pytest.approx(estimates[1])
    assert widths[1] > 1.2 * widths[0]


@pytest.mark.parametrize("cluster", [None, "agency"])
def test_nobody_recovered_in_one_arm_has_an_answer(cluster: str | None) -> None:
    """No event in one arm: a score interval, with clusters of fewer clients; ratios only where counts allow them."""
    frame = program(lost=0)
    usual = frame["arm"] == "usual"
    frame.loc[usual, "post"] = frame.loc[usual, "pre"]
    result = design(cluster=cluster).fit(frame, "post", better="lower")
    table = result.tidy().query("outcome == 'post: recovered'").set_index("measure")
    row = table.loc["risk_difference"]
    assert 0 < row["conf_low"] < row["estimate"] < row["conf_high"] < 1
    low = table[(table["term"] == "arm[usual]") & (table.index == "risk")].iloc[0]
    assert (low["estimate"], low["conf_low"]) == (0.0, 0.0)
    assert 0 < low["conf_high"] < 0.45
    if cluster is None:
        assert np.isinf(table.loc["odds_ratio", "conf_high"]) or pd.isna(table.loc["odds_ratio", "conf_high"])
    else:
        assert "odds_ratio" not in table.index
        assert any('"recovered" is the same for all clients of the arm "usual"' in note for note in result.notes)
        alone = design().fit(frame, "post", better="lower").tidy().query("outcome == 'post: recovered'")
        other = alone.set_index("measure").loc["risk_difference"]
        assert row["conf_high"] - row["conf_low"] > other["conf_high"] - other["conf_low"]


def test_nobody_recovered_at_all_is_a_difference_of_zero() -> None:
    frame = program(lost=0).assign(post=lambda table: table["pre"])
    for more in ({}, {"cluster": "agency"}):
        table = design(**more).fit(frame, "post", better="lower").tidy().query("outcome == 'post: recovered'")
        table = table.set_index("measure")
        row = table.loc["risk_difference"]
        assert row["estimate"] == 0
        assert row["conf_low"] < 0 < row["conf_high"]
        assert "nnt" not in table.index
        assert "risk_ratio" not in table.index


def test_long_data_other_arms_and_lost_arms_are_told() -> None:
    frame = program()
    frame.loc[0, "arm"] = "waiting"
    frame.loc[1, "arm"] = None
    frame.loc[2, "agency"] = np.nan
    long = frame.melt(id_vars=["id", "arm", "agency"], value_vars=["pre", "post"], var_name="wave", value_name="score")
    waves = {"client": "id", "wave": "wave", "pre": "pre", "post": "post", "cluster": "agency"}
    result = design(**waves).fit(long, "score", better="lower")
    wide = design(cluster="agency").fit(frame, "post", better="lower")
    assert [row.estimate for row in result.estimates] == [row.estimate for row in wide.estimates]
    assert 'in other arms of "arm"' in " ".join(result.notes)
    assert '1 client without "arm" was left out.' in result.notes
    assert '1 client without a value in "agency" (no cluster) was left out.' in result.notes
    moved = long.copy()
    moved.loc[(moved["id"] == 5) & (moved["wave"] == "post"), "arm"] = (
        "program" if frame.loc[5, "arm"] == "usual" else "usual"
    )
    with pytest.raises(DesignError, match='1 client has different values of "arm" before and after'):
        design(**waves).fit(moved, "score", better="lower")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"treated": None}, "arm, treated and control belong together"),
        ({"arm": None, "treated": None, "control": None, "cluster": "agency"}, "no arm is named"),
        ({"treated": "programme"}, '"programme"'),
        ({"control": "program"}, "same label"),
    ],
)
def test_arms_that_make_no_comparison_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        design(**change).fit(program(), "post", better="lower")


def test_one_cluster_or_one_client_in_an_arm_is_refused() -> None:
    frame = program(lost=0)
    with pytest.raises(DesignError, match="all clients with both scores are in one cluster"):
        design(cluster="agency").fit(frame.assign(agency=1), "post", better="lower")
    two = frame.assign(agency=np.where(frame["arm"] == "usual", 1, frame["agency"] + 2))
    with pytest.raises(DesignError, match='the arm "usual" has one cluster only'):
        design(cluster="agency").fit(two, "post", better="lower")
    few = pd.concat([frame[frame["arm"] == "usual"].head(1), frame[frame["arm"] == "program"]])
    with pytest.raises(DesignError, match='the arm "usual" has 1 client with both scores'):
        design().fit(few, "post", better="lower")


def shown(result: Result, small_cells: int) -> dict[str, Any]:
    return {table.name: table for table in tables(result.tidy(), small_cells=small_cells)}


def test_few_who_recovered_cannot_be_worked_out_from_the_tables_of_a_report(tmp_path: Path) -> None:
    """Fewer than 11 recovered in one arm: no other count and no comparison is printed; a difference of shares gives
    the counts away with the sizes of the arms."""
    result = design(name="Program").fit(program(), "post", better="lower")
    assert 0 < result.effect("count", term="arm[usual]: recovered").estimate < 11
    found = shown(result, 11)
    counts = [row.cells[3].text for row in found["change"].rows if "before" not in row.cells[2].text]
    assert set(counts) <= {"<11", "withheld"}
    assert "<11" in counts
    assert "risks" not in found
    assert "contrasts" not in found
    assert any("small_cells = 1" in note for note in found["change"].notes)
    assert yes_no_sentences(result.tidy(), small_cells=11) == ()
    page = report(result, tmp_path)
    assert not [path.name for path in page if path.name.startswith("risk_differences")]
    assert ' and "usual" ' in " ".join(yes_no_sentences(result.tidy(), small_cells=0))


def test_few_who_got_worse_cannot_be_worked_out_from_the_risks() -> None:
    """Risks tell how many improved or better and so the sum of the rest: of the rest two counts are hidden, not one."""
    frame = program(900, clusters=12, lost=0.0)
    frame["post"] = np.minimum(frame["post"], frame["pre"] + 1)
    worse = np.flatnonzero((frame["arm"] == "program") & frame["pre"].between(12, 15))[:4]
    frame.loc[worse, "post"] = frame.loc[worse, "pre"] + 9
    result = design(name="Program").fit(frame, "post", better="lower")
    assert result.effect("count", term="arm[program]: deteriorated").estimate == 4
    found = shown(result, 11)
    counts = {row.cells[2].text: row.cells[3].text for row in found["change"].rows if row.cells[1].text == "program"}
    assert counts["reliably worse"] == "<11"
    assert counts["no reliable change"] == "withheld"
    assert int(counts["recovered"]) == result.effect("count", term="arm[program]: recovered").estimate
    assert "risks" in found
    assert "odds ratio" in {row.cells[2].text for row in found["contrasts"].rows}


def test_all_counts_stand_in_the_tables_where_none_is_to_be_hidden() -> None:
    result = design(name="Program").fit(program(), "post", better="lower")
    found = shown(result, 0)
    assert "risks" in found
    assert [row.cells[1].text for row in found["change"].rows] == ["usual"] * 6 + ["program"] * 6
    assert "odds ratio" in {row.cells[2].text for row in found["contrasts"].rows}
    for row in found["change"].rows[:5]:
        name = {"reliably improved": "improved", "no reliable change": "unchanged", "reliably worse": "deteriorated"}
        term = name.get(row.cells[2].text, "harmed" if "across" in row.cells[2].text else row.cells[2].text)
        assert int(row.cells[3].text) == result.effect("count", term=f"arm[usual]: {term}").estimate
