"""Simulate visits.csv: ten agencies, clients numbered anew in each, four waves, workers who serve several agencies."""

import numpy as np
import pandas as pd

rng = np.random.default_rng(32)
rows = []
level, slope = rng.normal(0, 2.5, 10), rng.normal(0, 0.8, 10)
worker_effect, group_effect = rng.normal(0, 1.2, 7), rng.normal(0, 1.5, 30)
sex_effect = rng.normal(0, 1.6, 10)
for agency in range(10):
    program = int(agency % 2 == 1)
    for client in range(int(rng.integers(5, 9))):
        person, sex, site = rng.normal(0, 1.5), rng.choice(["f", "m"]), rng.choice(["east", "north", "west"])
        worker, group, before = rng.integers(7), 3 * agency + rng.integers(3), 0.0
        for wave in range(4):
            before = 0.5 * before + rng.normal(0, 1.6 if program else 1.1)
            y = 20 + level[agency] + person + (slope[agency] - 0.6 - 0.5 * program) * wave + before
            y += worker_effect[worker] + program * group_effect[group] + sex_effect[agency] * (sex == "m")
            y += {"east": 0, "north": 0.8, "west": -0.5}[site]
            if rng.random() < 0.06:
                continue
            rows.append(
                {
                    "agency": f"a{agency}",
                    "client": client + 1,
                    "wave": wave,
                    "arm": "program" if program else "usual",
                    "program": program,
                    "sex": sex,
                    "site": site,
                    "worker": f"w{worker}",
                    "group": f"g{group}" if program else None,
                    "weight": round(float(rng.uniform(0.5, 2)), 2),
                    "y": round(y, 2),
                }
            )
pd.DataFrame(rows).to_csv("visits.csv", index=False)
