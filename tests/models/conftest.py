"""A small programme that all design tests share: agencies, two arms, two waves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def program() -> pd.DataFrame:
    """Return 10 agencies of unequal size; agencies assigned to `arm`, clients to `offer` with groups in one arm."""
    rng = np.random.default_rng(20)
    sizes = rng.integers(8, 15, 10)
    agency = np.repeat(np.arange(10), sizes)
    n = len(agency)
    offer = rng.permuted(np.tile(["group_work", "usual"], n))[:n]
    number = agency * 2 + rng.integers(0, 2, n)
    group = np.where(offer == "group_work", number, -1)
    pre = rng.normal(14, 4, n)
    post = 0.5 * pre + 4 + rng.normal(size=10)[agency] + np.where(group >= 0, rng.normal(size=20)[number] - 1, 0)
    post = post - 1.5 * (agency >= 5) + rng.normal(0, 3, n)
    return pd.DataFrame(
        {
            "id": [f"{k:03d}" for k in range(n)],
            "agency": [f"agency {k}" for k in agency],
            "arm": np.where(agency >= 5, "training", "usual"),
            "offer": offer,
            "group": [f"g{k}" if k >= 0 else None for k in group],
            "age": rng.integers(18, 80, n),
            "sex": rng.choice(["f", "m"], n),
            "pre": pre,
            "post": post,
        }
    )


@pytest.fixture
def waves(program: pd.DataFrame) -> pd.DataFrame:
    """Return the same clients with one row per wave."""
    fixed = program.drop(columns=["pre", "post"])
    return pd.concat([fixed.assign(wave=wave, distress=program[wave]) for wave in ("pre", "post")], ignore_index=True)
