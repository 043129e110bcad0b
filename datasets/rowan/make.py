"""Simulate the Rowan home visits and write `data.csv`; the same seed gives the same file.

Five families, one after the other, get home visits. Parents count their child's outbursts every week for 20 weeks; the
week of the first visit was drawn by lot, at least five weeks after the beginning and before the end. Weekly counts are

    round(max(0, level[i] - effect[i] * visited + wave[i, t]))

with a wave of autocorrelation `PHI`, so that one week resembles the next. Some weeks were not counted.

Run `python make.py` to write the file again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

SEED = 20261
WEEKS = 20
STARTS = (6, 9, 11, 14, 8)
LEVELS = (14.0, 18.0, 11.0, 16.0, 13.0)
EFFECTS = (6.0, 7.0, 5.0, 6.0, 1.0)  # the last family hardly gains
PHI, SPREAD = 0.3, 2.0
MISSED = 4


def main(folder: Path = Path(__file__).parent) -> None:
    """Write the file."""
    rng = np.random.default_rng(SEED)
    week = np.arange(1, WEEKS + 1)
    parts = []
    for number, (start, level, effect) in enumerate(zip(STARTS, LEVELS, EFFECTS, strict=True), 1):
        shock = rng.normal(size=WEEKS)
        wave = shock.copy()
        for t in range(1, WEEKS):
            wave[t] = PHI * wave[t - 1] + np.sqrt(1 - PHI**2) * shock[t]
        visited = week >= start
        outbursts = np.maximum(level - effect * visited + SPREAD * wave, 0).round().astype(int)
        phase = np.where(visited, "visits", "before")
        parts.append(pd.DataFrame({"family": f"R{number}", "week": week, "phase": phase, "outbursts": outbursts}))
    frame = pd.concat(parts, ignore_index=True)
    missed = np.sort(rng.choice(len(frame), MISSED, replace=False))
    frame["outbursts"] = frame["outbursts"].astype("Int64")
    frame.loc[missed, "outbursts"] = pd.NA
    frame.to_csv(folder / "data.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
