"""Time scoring against the same rules written by hand, and against R: `python tests/benchmarks/bench_scoring.py`.

    python tests/benchmarks/bench_scoring.py --rows 1_000_000       a tenth of the PHQ-9 data
    python tests/benchmarks/bench_scoring.py --parquet 100_000_000  and a Parquet file of so many rows, with peak memory

PHQ-9 (nine items, 1 % of the answers missing, prorated, with bands and the number of answers), and a questionnaire of
60 items in five scales with reversed items. Every figure is the best of several runs in one process; R's is the time
of `psych::scoreItems` per row, where there is R with psych. Also printed: what no program can avoid, taking nine
columns of 8-bit integers out of polars, adding them up in numpy, and handing the sums back.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq

import sweval as sw
from sweval.scoring.definition import Instrument

PHQ = [f"phq_{i}" for i in range(1, 10)]
LABELS = ["none-minimal", "mild", "moderate", "moderately severe", "severe"]
CUTS = [4.5, 9.5, 14.5, 19.5]
WIDE = [f"w_{i}" for i in range(1, 61)]
SCALES = [WIDE[12 * number : 12 * number + 12] for number in range(5)]
MISSING = 0.01
FEWEST = {"polars by hand": 5.0, "R psych::scoreItems": 20.0, "lazy polars by hand": 1 / 1.5, "DuckDB by hand": 1 / 1.5}
"""How many times faster than each we have to be; planning for an engine may take half as long again."""


def main() -> None:
    """Print the tables; exit with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=number, default=10_000_000)
    parser.add_argument("--parquet", type=number, default=0)
    parser.add_argument("--stream", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.stream:
        stream(Path(asked.stream[0]), Path(asked.stream[1]))
        return
    missed = short(asked.rows) + wide(asked.rows // 10)
    if asked.parquet:
        missed += parquet(asked.parquet)
    if missed:
        raise SystemExit(f"missed: {', '.join(missed)}")


def number(text: str) -> int:
    """Return a number written with or without underscores."""
    return int(text.replace("_", ""))


def short(rows: int) -> list[str]:
    """Time the PHQ-9; return what was missed."""
    frame, wanted = answers(PHQ, 4, rows), {"items": "phq_{item}"}
    check(sw.score(frame.head(100_000), "phq9", **wanted), frame.head(100_000).with_columns(**phq_by_hand()))
    print(f"PHQ-9, {rows:,} rows; seconds, best run\n", flush=True)
    plain = timed("numpy: columns out of polars, added, and back", lambda: numpy_sum(frame))
    eager = timed("sw.score, polars", lambda: sw.score(frame, "phq9", **wanted))
    print(f"  {eager / plain:.1f} times what cannot be avoided\n")
    others = {"polars by hand": timed("polars by hand", lambda: frame.with_columns(**phq_by_hand()), 3)}
    others["pandas by hand"] = timed("pandas by hand", partial(pandas_by_hand, frame.to_pandas()), 1)
    others["R psych::scoreItems"] = of_r(frame, [PHQ], [], rows)
    missed = compared("PHQ-9", eager, others)
    lazy = timed("sw.score, lazy polars, collected", lambda: sw.score(frame.lazy(), "phq9", **wanted).collect(), 3)
    hand = timed("lazy polars by hand", lambda: frame.lazy().with_columns(**phq_by_hand()).collect(), 3)
    missed += compared("PHQ-9", lazy, {"lazy polars by hand": hand})
    table = duckdb.from_arrow(frame.to_arrow())
    planned = timed("sw.score, DuckDB, fetched", lambda: sw.score(table, "phq9", **wanted).pl(), 3)
    hand = timed("DuckDB by hand, fetched", lambda: phq_in_duckdb(table).pl(), 3)
    return missed + compared("PHQ-9", planned, {"DuckDB by hand": hand})


def wide(rows: int) -> list[str]:
    """Time 60 items in five scales; return what was missed."""
    frame, made = answers(WIDE, 5, rows), five_scales()
    wanted = {"items": "w_{item}"}
    check(sw.score(frame.head(50_000), made, **wanted), frame.head(50_000).with_columns(**wide_by_hand()))
    print(f"\n60 items in five scales, {rows:,} rows; seconds, best run\n", flush=True)
    eager = timed("sw.score, polars", lambda: sw.score(frame, made, **wanted))
    others = {"polars by hand": timed("polars by hand", lambda: frame.with_columns(**wide_by_hand()), 3)}
    others["R psych::scoreItems"] = of_r(frame, SCALES, [names[2] for names in SCALES], rows)
    return compared("60 items", eager, others)


def parquet(rows: int) -> list[str]:
    """Score a Parquet file in a process of its own, and print its peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "raw.parquet", Path(folder) / "scored.parquet"
        part = answers(PHQ, 4, 1_000_000).to_arrow()
        with pq.ParquetWriter(source, part.schema) as writer:
            for _ in range(rows // len(part)):
                writer.write_table(part)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, __file__, "--stream", source, target], check=True, capture_output=True, text=True
        )
        megabytes = json.loads(done.stdout)
        print(f"\nParquet, {rows:,} rows: {time.perf_counter() - began:.0f} s, {megabytes:.0f} MB at most", flush=True)
        good = pq.ParquetFile(target).metadata.num_rows == rows // len(part) * len(part) and megabytes < 2000
    return [] if good else ["Parquet"]


def stream(source: Path, target: Path) -> None:
    """Score a file and print the peak memory of this process in megabytes."""
    from sweval.scoring.score import Asked
    from sweval.study.scored_file import score_parquet

    score_parquet(source, target, Asked(instrument=sw.instrument("phq9"), items="phq_{item}"))
    status = Path("/proc/self/status")  # unlike ru_maxrss it does not count what the parent process held
    if status.exists():
        print(next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1e3)
    else:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3))


def compared(what: str, ours: float, others: dict[str, float]) -> list[str]:
    """Print how many times faster we are; return what was missed."""
    missed = []
    for name, seconds in others.items():
        fewest = FEWEST.get(name)
        good = fewest is None or not seconds or seconds / ours >= fewest
        verdict = "" if fewest is None or not seconds else f"   at least {fewest:.2f}: {'PASS' if good else 'FAIL'}"
        print(f"  {seconds / ours:8.2f} times as fast as {name}{verdict}", flush=True)
        missed += [] if good else [f"{what} against {name}"]
    return missed


def timed(name: str, work: Callable[[], Any], repeats: int = 5) -> float:
    """Time one way, best of several runs, and print its line."""
    seconds = []
    for _ in range(repeats):
        gc.collect()
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    print(f"  {name:<50}{min(seconds):>8.3f}", flush=True)
    return min(seconds)


def answers(columns: list[str], codes: int, rows: int) -> pl.DataFrame:
    """Return random answers 0, 1, ... as Int8, some of them missing."""
    rng = np.random.default_rng(1)
    made = {}
    for name in columns:
        given = pl.Series(rng.integers(0, codes, rows, dtype=np.int8))
        made[name] = given.set(pl.Series(rng.random(rows, dtype=np.float32) < MISSING), None)
    return pl.DataFrame(made)


def phq_by_hand() -> dict[str, pl.Expr]:
    """Return the rules as one would write them in polars."""
    answered = pl.sum_horizontal(*(pl.col(name).is_not_null().cast(pl.Int32) for name in PHQ))
    points = pl.sum_horizontal(*(pl.col(name).cast(pl.Float64) for name in PHQ))
    total = pl.when(answered >= 7).then(points * 9 / answered)
    band = pl.when(total.is_not_null()).then(pl.lit(LABELS[0]))
    for cut, label in zip(CUTS, LABELS[1:], strict=True):
        band = pl.when(total >= cut).then(pl.lit(label)).otherwise(band)
    return {"total": total, "band": band, "answered": answered, "safety": (pl.col(PHQ[8]) >= 1).cast(pl.Int32)}


def phq_in_duckdb(table: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Return the rules as one would write them in SQL, step by step."""
    answered = " + ".join(f"({name} IS NOT NULL)::INT" for name in PHQ)
    points = " + ".join(f"coalesce({name}, 0)::DOUBLE" for name in PHQ)
    cases = " ".join(f"WHEN total < {cut} THEN '{label}'" for cut, label in zip(CUTS, LABELS, strict=False))
    counted = table.project(f"*, {answered} AS answered")
    added = counted.project(f"*, CASE WHEN answered >= 7 THEN ({points}) * 9 / answered END AS total")
    return added.project(
        f"*, CASE WHEN total IS NULL THEN NULL {cases} ELSE '{LABELS[-1]}' END AS band, ({PHQ[8]} >= 1)::INT AS safety"
    )


def wide_by_hand() -> dict[str, pl.Expr]:
    """Return five means of twelve items, the third reversed, of at least nine answers."""
    made = {}
    for place, names in enumerate(SCALES):
        keyed = [4 - pl.col(name) if name == names[2] else pl.col(name) for name in names]
        answered = pl.sum_horizontal(*(pl.col(name).is_not_null().cast(pl.Int32) for name in names))
        points = pl.sum_horizontal(*(column.cast(pl.Float64) for column in keyed))
        made[f"s{place}"] = pl.when(answered >= 9).then(points / answered)
        made[f"s{place}_answered"] = answered
    return made


def five_scales() -> Instrument:
    """Return the same questionnaire as a definition."""
    scores = "".join(
        f'[[scores]]\nid = "s{place}"\nop = "mean"\nbetter = "lower"\nitems = {[name[2:] for name in names]}\n'
        for place, names in enumerate(SCALES)
    )
    text = (
        'id = "wide"\ntitle = "Wide"\nlevel = "individual"\nconstruct = "any"\n'
        f"[items]\nnumber = 60\ncodes = [0, 1, 2, 3, 4]\nreversed = {[names[2][2:] for names in SCALES]}\n"
        f"[missing]\nmax_missing = 3\n{scores}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wide.toml"
        path.write_text(text, encoding="utf-8")
        return sw.instrument(path)


def pandas_by_hand(frame: pd.DataFrame) -> pd.DataFrame:
    """Score the PHQ-9 as one would write it in pandas."""
    items = frame[PHQ]
    answered = items.notna().sum(axis=1)
    total = (items.mean(axis=1) * 9).where(answered >= 7)
    band = pd.cut(total, [-np.inf, *CUTS, np.inf], labels=LABELS, right=False)
    return frame.assign(total=total, band=band, answered=answered)


def numpy_sum(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the columns as 8-bit integers; missing answers count as 0, which no scorer may do."""
    total = np.zeros(len(frame), dtype=np.int8)
    for name in PHQ:
        total += frame[name].fill_null(0).cast(pl.Int8).to_numpy()
    return frame.with_columns(pl.Series("total", total.astype(np.float64)))


def of_r(frame: pl.DataFrame, scales: list[list[str]], reversed_items: list[str], rows: int) -> float:
    """Return the seconds that `psych::scoreItems` would take for all rows, from a part of them; 0 without R."""
    if shutil.which("Rscript") is None:
        return 0.0
    few = min(rows, 100_000)
    keys = ", ".join(
        f"s{place} = c({', '.join(repr('-' + name if name in reversed_items else name) for name in names)})"
        for place, names in enumerate(scales)
    )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "answers.csv"
        frame.head(few).write_csv(source)
        script = (
            f"suppressMessages(library(psych)); d <- read.csv({str(source)!r}); k <- list({keys}); "
            "run <- function(i) system.time(suppressWarnings(scoreItems(k, d, impute = 'none')))['elapsed']; "
            "cat(min(sapply(1:2, run)))"
        )
        done = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=False)
    if done.returncode:
        return 0.0
    seconds = float(done.stdout) * rows / few
    print(f"  {'R psych::scoreItems, from ' + format(few, ',') + ' rows':<50}{seconds:>8.3f}", flush=True)
    return seconds


def check(ours: pl.DataFrame, hand: pl.DataFrame) -> None:
    """Stop if the two ways do not give the same scores."""
    pairs = {"phq9_total": "total", "phq9_total_answered": "answered", "phq9_total_band": "band"}
    pairs |= {f"wide_s{place}{end}": f"s{place}{end}" for place in range(5) for end in ("", "_answered")}
    for name, other in pairs.items():
        if name not in ours.columns:
            continue
        a, b = ours[name], hand[other]
        same = (
            a.to_list() == b.to_list()
            if a.dtype == pl.String
            else np.allclose(a.to_numpy(), b.to_numpy(), equal_nan=True)
        )
        if not same:
            raise SystemExit(f"the two ways disagree on {name}")


if __name__ == "__main__":
    main()
