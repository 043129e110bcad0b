"""Invent clients of agencies at four waves, of whom the worse off leave earlier; writes clinics.csv."""

from __future__ import annotations

import numpy as np
import pandas as pd

MONTHS = {"pre": 0, "m3": 3, "m6": 6, "m12": 12}

rng = np.random.default_rng(20261127)
rows = []
number = 0
for agency in range(1, 17):
    program = agency % 2 == 0
    level, slope = rng.normal(0, 1.5), rng.normal(0, 0.12)
    for _ in range(int(rng.integers(4, 10))):
        number += 1
        age, sex = int(rng.integers(18, 75)), str(rng.choice(["f", "m"]))
        own, trend = rng.normal(0, 3), rng.normal(0, 0.25)
        for wave, month in MONTHS.items():
            mean = 16 + level + own + 0.03 * (age - 45) + (slope + trend - 0.25 - 0.3 * program) * month
            y = round(float(mean + rng.normal(0, 2)), 1)
            if rng.random() > 0.06:
                rows.append((f"k{number:03d}", f"a{agency:02d}", "program" if program else "usual", wave, age, sex, y))
            if rng.random() < 0.12 / (1 + np.exp(-(y - 14) / 3)) * 2:
                break
pd.DataFrame(rows, columns=["id", "agency", "arm", "wave", "age", "sex", "y"]).to_csv("clinics.csv", index=False)
