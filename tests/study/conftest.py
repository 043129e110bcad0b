"""A small study on disk: 12 agencies drawn to training or usual service, two waves, PHQ-9 items and a waiting time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

STUDY = """
[study]
title = "Twelve agencies"
data = "clients.csv"
client = "id"
wave = "wave"

[[comparisons]]
name = "Staff training"
kind = "cluster_trial"
service = "training"
arm = "arm"
treated = "training"
control = "usual"
cluster = "agency"
baseline = "pre"

[[outcomes]]
instrument = "phq9"
items = "phq_{item}"
missing = [9]

[[outcomes]]
column = "days_waited"
better = "lower"
"""

Writer = Callable[..., Path]


def clients(agencies: int = 12, size: int = 10) -> pd.DataFrame:
    """Return one row per client and wave; the same rows at every call."""
    rng = np.random.default_rng(20261124)
    rows = []
    for agency in range(1, agencies + 1):
        arm = "training" if agency % 2 else "usual"
        place = rng.normal(0, 0.3)
        for number in range(size):
            person = rng.normal(0, 0.6)
            for wave in ("pre", "post"):
                helped = 0.4 if (arm, wave) == ("training", "post") else 0.0
                level = 1.5 + place + person - helped
                items = np.clip(np.rint(level + rng.normal(0, 0.7, 9)), 0, 3).astype(int)
                rows.append(
                    {"id": f"{agency:02d}{number:02d}", "wave": wave, "agency": f"A{agency:02d}", "arm": arm}
                    | {f"phq_{i}": int(code) for i, code in enumerate(items, 1)}
                    | {"days_waited": float(np.round(10 + 5 * person + rng.normal(0, 2), 1))}
                )
    return pd.DataFrame(rows)


@pytest.fixture
def rows() -> pd.DataFrame:
    return clients()


@pytest.fixture
def write_study(tmp_path: Path) -> Writer:
    """Return a function that writes data and study file into an empty folder, and gives the study file's path."""

    def write(frame: pd.DataFrame, text: str = STUDY, *, data: str = "clients.csv") -> Path:
        frame.to_csv(tmp_path / data, index=False)
        path = tmp_path / "study.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
