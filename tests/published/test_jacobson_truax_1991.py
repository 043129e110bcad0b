"""Jacobson & Truax (1991), doi:10.1037/0022-006X.59.1.12: the client of their example."""

from __future__ import annotations

import pandas as pd
import pytest

import sweval as sw


def test_the_client_who_went_from_32_to_47() -> None:
    """P. 14: 32.5 before, 47.5 after, s_1 = 7.5, r_xx = .80: S_diff = 4.74 and RC = 3.16, as printed."""
    line = sw.effects.change_line("jacobson_truax", sd=7.5, reliability=0.80)
    assert line.std_error == pytest.approx(4.74, abs=0.005)
    index = sw.effects.reliable_change_index([32.5], [47.5], sd=7.5, reliability=0.80)
    assert index[0] == pytest.approx(3.16, abs=0.005)


def test_the_same_client_in_a_data_frame_changed_reliably() -> None:
    """RC larger than 1.96 is unlikely without actual change (p. 14); another client stands beside, who did not move."""
    frame = pd.DataFrame({"before": [32.5, 40.0], "after": [47.5, 40.0]})
    design = sw.ReliableChange(pre="before", sd=7.5, reliability=0.80)
    clients = design.fit(frame, "after", better="higher").clients
    assert clients is not None
    assert clients["index"].tolist() == pytest.approx([3.16, 0.0], abs=0.005)
    assert clients["category"].tolist() == ["improved", "unchanged"]
