"""Shares before and after: metafor's matched pairs, McNemar's test of R, and exact coverage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import gammaln

import sweval as sw
from sweval.errors import DesignError

MORE = json.loads(
    (Path(__file__).parents[1] / "reference" / "binary_effects" / "more.json").read_text(encoding="utf-8")
)
CELLS = [MORE["inputs"]["tables"][name] for name in ("ai", "bi", "ci", "di")]
MEASURES: dict[str, Any] = {
    "MPRD": sw.effects.change_in_risk,
    "MPRR": sw.effects.change_in_log_risk,
    "MPORC": sw.effects.change_in_log_odds,
    "MPOR": lambda pairs: sw.effects.change_in_log_odds(pairs, kind="marginal"),
    "MPPETO": lambda pairs: sw.effects.change_in_log_odds(pairs, kind="peto"),
}


@pytest.mark.parametrize("measure", MEASURES)
def test_matched_pairs_equal_metafor(measure: str) -> None:
    """The third table has an empty cell; before, nobody had the event in none of them."""
    entry = next(e for e in MORE["escalc"] if e["measure"] == measure)
    found = MEASURES[measure](sw.effects.paired_events(*CELLS))
    assert found.estimate == pytest.approx(np.array(entry["yi"]), rel=1e-12, abs=1e-15)
    assert found.variance == pytest.approx(np.array(entry["vi"]), rel=1e-12)
    assert found.p_value == pytest.approx(np.array(MORE["mcnemar_p"]), rel=1e-10)


def test_exact_coverage_and_agreement_with_mcnemar() -> None:
    """Over all 816 tables of 15 clients: .94 or better, and no interval that contradicts its p-value."""
    n = 15
    tables = np.array(
        [(a, b, c, n - a - b - c) for a in range(n + 1) for b in range(n + 1 - a) for c in range(n + 1 - a - b)]
    )
    speaking = {
        "MPRD": np.ones(len(tables), dtype=bool),
        "MPRR": tables[:, :3].sum(1) > 0,
        "MPORC": tables[:, 1] + tables[:, 2] > 0,
    }
    for name, speaks in speaking.items():
        held = tables[speaks]
        found = MEASURES[name](sw.effects.paired_events(*held.T))
        assert ((found.p_value < 0.05) == ((found.conf_low > 0) | (found.conf_high < 0))).all()
        for p in ([0.3, 0.2, 0.1, 0.4], [0.1, 0.3, 0.05, 0.55], [0.5, 0.2, 0.2, 0.1]):
            truth = {
                "MPRD": p[1] - p[2],
                "MPRR": np.log((p[0] + p[1]) / (p[0] + p[2])),
                "MPORC": np.log(p[1] / p[2]),
            }[name]
            weight = np.exp(gammaln(n + 1) - gammaln(held + 1).sum(1) + (held * np.log(p)).sum(1))
            inside = (found.conf_low <= truth) & (found.conf_high >= truth)
            assert (weight * inside).sum() + 1 - weight.sum() > 0.94, (name, p)


def test_direction_metric_and_rows() -> None:
    lost = sw.effects.paired_events(10, 4, 12, 14, better="lower")
    row = sw.effects.change_in_risk(lost).row()
    assert row.estimate == pytest.approx(0.2)
    assert (row.metric, row.n) == ("uncontrolled_risk_difference", 40)
    assert sw.effects.change_in_log_odds(lost).metric == "uncontrolled_log_odds_ratio"
    assert sw.effects.change_in_log_odds(lost, kind="marginal").metric is None
    assert sw.effects.change_in_log_risk(lost).metric == "uncontrolled_log_risk_ratio"


def test_tables_that_say_nothing() -> None:
    stayed = sw.effects.paired_events(10, 0, 0, 5)
    found = sw.effects.change_in_risk(stayed)
    assert float(found.p_value) == 1.0
    assert found.conf_low < 0 < found.conf_high
    assert sw.effects.change_in_log_risk(stayed).conf_low < 0
    with pytest.raises(DesignError, match="nobody changed"):
        sw.effects.change_in_log_odds(stayed)
    with pytest.raises(DesignError, match="nobody had the event"):
        sw.effects.change_in_log_risk(sw.effects.paired_events(0, 0, 0, 5))
    with pytest.raises(DesignError, match="same outcome"):
        sw.effects.change_in_log_odds(sw.effects.paired_events(0, 3, 0, 5), kind="marginal")
    assert sw.effects.change_in_log_odds(sw.effects.paired_events(0, 3, 0, 5)).conf_high == np.inf
    for wrong, words in (((1.5, 1, 1, 1), "whole"), ((0, 0, 0, 0), "nobody"), ((1, -1, 1, 1), "whole")):
        with pytest.raises(DesignError, match=words):
            sw.effects.paired_events(*wrong)
    with pytest.raises(DesignError, match="kind"):
        sw.effects.change_in_log_odds(stayed, kind="x")
