"""Time scoring of ten million questionnaires of nine items: `python tests/benchmarks/bench_scoring.py [ROWS]`.

Every figure is the best of several runs in one process. The yardstick is what no program can avoid: taking the nine
columns out of the polars frame as 8-bit integers, adding them up in numpy, and handing the sums back to polars.
`sw.score` also checks every code, applies the rule for missing answers, and adds bands and the number of answers.
"""

from __future__ import annotations

import dataclasses
import gc
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

import sweval as sw
from sweval.scoring.definition import Instrument

COLUMNS = [f"phq_{i}" for i in range(1, 10)]
LABELS = ["none-minimal", "mild", "moderate", "moderately severe", "severe"]
MISSING = 0.01


def main(rows: int) -> None:
    """Print the table."""
    narrow = answers(rows)
    wide = narrow.cast(pl.Int64)
    by_hand = narrow.to_pandas()
    check(narrow, by_hand)
    plain = without_bands()
    print(f"PHQ-9, {rows:,} rows, {MISSING:.0%} of the answers missing; seconds, best run\n", flush=True)
    hand = report("pandas by hand: mean, prorating, pd.cut, count", lambda: pandas_by_hand(by_hand), repeats=2)
    report("sw.score from the same pandas frame", lambda: sw.score(by_hand, "phq9", items="phq_{item}"), repeats=2)
    for frame, kind in [(narrow, "Int8"), (wide, "Int64")]:
        print(f"\npolars frame with {kind} columns")
        one_way = report("numpy column sum, conversion out of polars", partial(numpy_sum, frame))
        both_ways = report("numpy column sum, conversion out and back", partial(numpy_sum_and_back, frame))
        total = report("sw.score: total and answered", partial(sw.score, frame, plain, items="phq_{item}"))
        full = report("sw.score: total, band and answered", partial(sw.score, frame, "phq9", items="phq_{item}"))
        print(f"  {'sum, out':>30} {'sum, out and back':>20} {'faster than pandas':>20}")
        for name, seconds in [("without band", total), ("with band", full)]:
            print(f"  {name:<14}{seconds / one_way:>14.1f} x {seconds / both_ways:>18.1f} x {hand / seconds:>18.1f} x")


def report(name: str, work: Callable[[], Any], repeats: int = 7) -> float:
    """Time one way and print its line."""
    seconds = best(work, repeats)
    print(f"  {name:<50}{seconds:>8.3f}", flush=True)
    return seconds


def without_bands() -> Instrument:
    """Return the PHQ-9 as if it had no bands: writing ten million labels costs as much as the rest."""
    phq9 = sw.instrument("phq9")
    return dataclasses.replace(phq9, scores=tuple(dataclasses.replace(scale, bands=()) for scale in phq9.scores))


def answers(rows: int) -> pl.DataFrame:
    """Return random answers 0 to 3 as Int8, some of them missing."""
    rng = np.random.default_rng(1)
    columns = {}
    for name in COLUMNS:
        codes = pl.Series(rng.integers(0, 4, rows, dtype=np.int8))
        columns[name] = codes.set(pl.Series(rng.random(rows, dtype=np.float32) < MISSING), None)
    return pl.DataFrame(columns)


def best(work: Callable[[], Any], repeats: int) -> float:
    """Return the seconds of the fastest run."""
    seconds = []
    for _ in range(repeats):
        gc.collect()
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def numpy_sum(frame: pl.DataFrame) -> np.ndarray:
    """Add the columns as 8-bit integers; missing answers count as 0, which no scorer may do."""
    total = np.zeros(len(frame), dtype=np.int8)
    for name in COLUMNS:
        total += frame[name].fill_null(0).cast(pl.Int8).to_numpy()
    return total


def numpy_sum_and_back(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the columns and put the sum into the frame as a number like any other."""
    return frame.with_columns(pl.Series("total", numpy_sum(frame).astype(np.float64)))


def pandas_by_hand(frame: pd.DataFrame) -> pd.DataFrame:
    """Score as one would write it in pandas."""
    items = frame[COLUMNS]
    answered = items.notna().sum(axis=1)
    total = (items.mean(axis=1) * 9).where(answered >= 7)
    band = pd.cut(total, [-np.inf, 4.5, 9.5, 14.5, 19.5, np.inf], labels=LABELS, right=False)
    return frame.assign(total=total, band=band, answered=answered)


def check(frame: pl.DataFrame, by_hand: pd.DataFrame) -> None:
    """Stop if the two ways do not give the same scores."""
    head = sw.score(frame.head(100_000), "phq9", items="phq_{item}")
    hand = pandas_by_hand(by_hand.head(100_000))
    np.testing.assert_allclose(head["phq9_total"].to_numpy(), hand["total"].to_numpy(), rtol=1e-12)
    if head["phq9_total_answered"].to_list() != hand["answered"].tolist():
        raise SystemExit("the two ways disagree")


if __name__ == "__main__":
    main(int(sys.argv[1].replace("_", "")) if len(sys.argv) > 1 else 10_000_000)
