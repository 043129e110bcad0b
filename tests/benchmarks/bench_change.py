"""Time the sorting of a million clients, from arrays and from data frames, beside R in the same run.

    python tests/benchmarks/bench_change.py

Prints a table; the best of five. R is left out where there is no Rscript. Categories are those of Jacobson & Truax
with cut-off c: mean, standard deviation, index, cut-off, categories.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

import sweval as sw
from sweval.effects.change import CATEGORIES

CLIENTS = 1_000_000
DESIGN = {"reliability": 0.86, "cutoff": "c", "functional_mean": 4.0, "functional_sd": 4.0}


def best(work: Callable[[], object], times: int = 5) -> float:
    """Return the shortest wall time in seconds."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def clients() -> pd.DataFrame:
    """Return a million clients with whole scores of 0 to 27 before and after."""
    rng = np.random.default_rng(7)
    pre = np.clip(rng.normal(15, 5, CLIENTS).round(), 0, 27)
    return pd.DataFrame({"pre": pre, "post": np.clip(pre - 4 + rng.normal(0, 5, CLIENTS), 0, 27).round()})


def on_arrays(pre: np.ndarray, post: np.ndarray) -> np.ndarray:
    """Sort a million clients from two arrays."""
    mean, sd = float(pre.mean()), float(pre.std(ddof=1))
    cutoff = sw.effects.clinical_cutoff(
        "c", better="lower", clinical_mean=mean, clinical_sd=sd, functional_mean=4.0, functional_sd=4.0
    )
    index = sw.effects.reliable_change_index(pre, post, sd=sd, reliability=0.86)
    return sw.effects.change_categories(pre, post, index, better="lower", cutoff=cutoff)


def main() -> int:
    frame = clients()
    pre, post = frame["pre"].to_numpy(), frame["post"].to_numpy()
    found = on_arrays(pre, post)
    counts = {name: int((found == name).sum()) for name in CATEGORIES}
    lines = [("sweval, two arrays", best(lambda: on_arrays(pre, post)))]
    wide = sw.ReliableChange(pre="pre", **DESIGN)
    lines.append(("sweval, ReliableChange.fit, pandas, one row per client",
                  best(lambda: wide.fit(frame, "post", better="lower"), 3)))  # fmt: skip
    polars = pl.from_pandas(frame)
    lines.append(("sweval, ReliableChange.fit, polars, one row per client",
                  best(lambda: wide.fit(polars, "post", better="lower"), 3)))  # fmt: skip
    long = pd.DataFrame(
        {"id": np.tile(np.arange(CLIENTS), 2), "wave": np.repeat([1, 2], CLIENTS), "score": np.concatenate([pre, post])}
    )
    waves = sw.ReliableChange(client="id", wave="wave", pre=1, post=2, **DESIGN)
    lines.append(("sweval, ReliableChange.fit, pandas, two rows per client",
                  best(lambda: waves.fit(long, "score", better="lower"), 2)))  # fmt: skip
    rscript = shutil.which("Rscript")
    if rscript:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clients.csv"
            frame.to_csv(path, index=False)
            script = Path(__file__).with_suffix(".R")
            printed = subprocess.run(
                [rscript, str(script), str(path)], check=True, capture_output=True, text=True
            ).stdout
        told = json.loads(printed)
        if told["counts"] != {name: count for name, count in counts.items() if count}:
            print("R sorts the clients otherwise:", told["counts"], counts)
            return 1
        lines.append(("plain R, vectorised by hand", told["plain_r"]))
        if "clinicalsignificance" in told:
            lines.append(("clinicalsignificance::cs_combined", told["clinicalsignificance"]))
    for name, seconds in lines:
        print(f"{name:<58}{seconds:>8.3f} s")
    print(counts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
