"""Write programme.csv, a made-up programme: agencies assigned to `arm`, clients within them to `offer` with groups.

`post` differs between agencies and groups; `flat` does not, so that a variance is estimated at zero.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def programme(seed: int = 4) -> pd.DataFrame:
    """Return the programme."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(7, 17, 12)
    agency = np.repeat(np.arange(12), sizes)
    n = len(agency)
    place = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    offer = place < sizes[agency] // 2
    group = np.where(offer, 2 * agency + place % 2, -1)
    arm = agency >= 7
    pre = 14 + 4 * rng.normal(size=n) + rng.normal(size=12)[agency]
    noise = rng.normal(size=n) * np.where(offer, 2.4, 3.2)
    shared = 1.3 * rng.normal(size=24)[group] * offer
    post = 4 + 0.5 * pre - 1.5 * arm - 1.2 * offer + 1.5 * rng.normal(size=12)[agency] + shared + noise
    flat = 4 + 0.5 * pre - arm + 3 * rng.normal(size=n)
    return pd.DataFrame(
        {
            "agency": [f"a{k:02d}" for k in agency],
            "arm": np.where(arm, "training", "usual"),
            "offer": np.where(offer, "group_work", "usual"),
            "group": [f"g{k:02d}" if k >= 0 else "" for k in group],
            "pre": pre.round(1),
            "post": post.round(1),
            "flat": (flat - pd.Series(flat).groupby(agency).transform("mean") * 0.6).round(1),
        }
    )


if __name__ == "__main__":
    programme().to_csv(Path(__file__).with_name("programme.csv"), index=False)
