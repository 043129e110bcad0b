"""Time mixed models and cluster-robust tests against R on the same data, and print the table of targets.

    python tests/benchmarks/bench_mixed.py                      all data sets; R takes about three minutes of it
    python tests/benchmarks/bench_mixed.py --only sleep ct10k   some of them
    python tests/benchmarks/bench_mixed.py --r R.json           keep what R printed in a file, or use what the file has

`bench_mixed_r.json` is such a file, of one machine: with it the log-likelihoods can be compared where there is no R,
but a ratio of times of two machines says nothing.

Our time is preparation from columns (numbering units, design matrix), fit, and Satterthwaite and Kenward-Roger of all
coefficients; lme4's is `lmer()` alone. Both are seconds of the processor with one BLAS thread, the fastest of several
runs, so that other work on the machine counts little. Every data set runs in a process of its own, whose peak memory is
given. R needs the packages lme4, lmerTest, pbkrtest, clubSandwich and jsonlite.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Columns = dict[str, np.ndarray]
HERE = Path(__file__)
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a data set asks for: a share of R's time, seconds, or megabytes; `runs` of ours, and whether R runs."""

    share: float | None = None
    seconds: float | None = None
    megabytes: float | None = None
    runs: int = 3
    r: bool = True


TARGETS = {
    "sleep": Target(share=1.0, runs=30),
    "ct10k": Target(share=0.15, runs=10),
    "long60k": Target(share=0.05, runs=10),
    "long300k": Target(share=0.05),
    "slope60k": Target(share=0.05, runs=10),
    "long1m": Target(share=0.05, megabytes=700),
    "slope1m": Target(seconds=5.0, runs=2, r=False),  # lme4 takes many minutes
    "ratings": Target(share=1.0),
    "few20k": Target(seconds=0.1, runs=10),
    "robust50k": Target(share=0.01, runs=5),
}


def main() -> None:
    """Write the data, run R and ours, print the table; exit with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--r", type=Path, help="json of R's times: used if it exists, written otherwise")
    parser.add_argument("--write", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--fit", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.write:
        write(asked.write[0], Path(asked.write[1]), csv=asked.write[2] == "csv")
        return
    if asked.fit:
        print(json.dumps(ours(asked.fit[0], Path(asked.fit[1]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        missed = compare(asked.only, Path(folder), asked.r)
    if missed:
        raise SystemExit(f"missed: {', '.join(missed)}")


def compare(names: list[str], folder: Path, stored: Path | None) -> list[str]:
    """Print one line for each data set; return those that miss their target or disagree with R."""
    known = json.loads(stored.read_text(encoding="utf-8")) if stored and stored.exists() else {}
    missed = []
    print(f"{'data':<10} {'ours, s':>8} {'R, s':>8} {'ratio':>7} {'target':>9} {'log L - R':>10} {'MB':>5}", flush=True)
    for name in names:
        new = name not in known and TARGETS[name].r
        run(
            [sys.executable, str(HERE), "--write", name, str(folder), "csv" if new else "npz"]
        )  # keeps this process small
        if new:
            known |= of_r(name, folder)
            if stored:
                stored.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        found = json.loads(run([sys.executable, str(HERE), "--fit", name, str(folder)]))
        if not verdict(name, found, known.get(name, {})):
            missed.append(name)
        for file in folder.iterdir():
            file.unlink()
    others = {n: {k: r[k] for k in ("lmerTest", "pbkrtest") if k in r} for n, r in known.items() if n in names}
    print("\nR with tests of all coefficients, seconds:", json.dumps({n: r for n, r in others.items() if r}))
    return missed


def verdict(name: str, found: dict[str, Any], r: dict[str, Any]) -> bool:
    """Print the line of a data set; return whether it is fast, small and right enough."""
    target, took = TARGETS[name], found["seconds"]
    ratio = took / r["fit"] if r else np.nan
    good = (target.share is None or ratio <= target.share) and (target.seconds is None or took <= target.seconds)
    good = good and (target.megabytes is None or found["megabytes"] <= target.megabytes)
    gap = found["log_likelihood"] - r["logLik"] if "logLik" in r else np.nan
    if "logLik" in r:  # lme4's default settings stop short of the optimum by up to about 1e-3 on large data
        good = good and -1e-6 <= gap <= 1e-2
    if "se" in r:
        good = good and np.allclose(found["se"], r["se"], rtol=1e-8) and np.allclose(found["df"], r["df"], rtol=1e-8)
    asked = f"{target.share} x" if target.share is not None else f"{target.seconds} s"
    asked += f" {target.megabytes:.0f} MB" if target.megabytes else ""
    numbers = f"{took:>8.4f} {r.get('fit', np.nan):>8.3f} {ratio:>7.4f} {asked:>9} {gap:>10.1e}"
    print(f"{name:<10} {numbers} {found['megabytes']:>5.0f} {'PASS' if good else 'FAIL'}", flush=True)
    return bool(good)


def run(command: list[str]) -> str:
    """Run a program with one thread and return what it printed."""
    done = subprocess.run(command, env=os.environ | ONE_THREAD, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def of_r(name: str, folder: Path) -> dict[str, Any]:
    """Return R's times and log-likelihood."""
    found: dict[str, Any] = json.loads(run(["Rscript", str(HERE.with_suffix(".R")), str(folder), name]))
    return found


def write(name: str, folder: Path, *, csv: bool) -> None:
    """Write a data set for us, and as text for R."""
    columns = DATA[name]()
    np.savez(folder / f"{name}.npz", **columns)  # type: ignore[arg-type]
    if csv:
        import pandas as pd

        pd.DataFrame(columns).to_csv(folder / f"{name}.csv", index=False)


def ours(name: str, folder: Path) -> dict[str, Any]:
    """Time one data set in this process."""
    with np.load(folder / f"{name}.npz") as file:
        columns = {key: file[key] for key in file.files}
    work = robust if name == "robust50k" else mixed
    work(name, columns)  # imports, and what a first call sets up
    took = []
    for _ in range(TARGETS[name].runs):
        gc.collect()
        began = time.process_time()
        found = work(name, columns)
        took.append(time.process_time() - began)
    return found | {
        "seconds": min(took),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3),
    }


def mixed(name: str, d: Columns) -> dict[str, Any]:
    """Fit a mixed model and test all coefficients in two ways."""
    import pandas as pd

    from sweval.models.engine.mixed.fit import mixed_fit
    from sweval.models.engine.mixed.model import Factor

    terms, random = MODELS[name]
    one = np.ones(len(d["y"]))
    X = np.column_stack([one, *(np.prod([d[part] for part in term.split(":")], axis=0) for term in terms)])
    factors = [
        Factor(pd.factorize(d[group])[0], np.column_stack([one, *(d[slope] for slope in slopes)]).astype(float))
        for group, slopes in random.items()
    ]
    fit = mixed_fit(d["y"], X, factors)
    fit.contrasts(np.eye(X.shape[1]), "satterthwaite")
    fit.contrasts(np.eye(X.shape[1]), "kenward-roger")
    return {"log_likelihood": fit.log_likelihood}


def robust(name: str, d: Columns) -> dict[str, Any]:
    """Fit least squares and test all coefficients with CR2."""
    import pandas as pd

    from sweval.models.engine.ols import least_squares
    from sweval.models.engine.sandwich import cluster_covariance

    X = np.column_stack([np.ones(len(d["y"])), d["treated"], *(d[f"x{k}"] for k in range(1, 6))])
    fit = least_squares(d["y"], X)
    tests = cluster_covariance(fit, pd.factorize(d["cluster"])[0], kind="CR2").contrasts(np.eye(7))
    return {"se": [test.std_error for test in tests], "df": [test.df for test in tests]}


MODELS: dict[str, tuple[tuple[str, ...], dict[str, tuple[str, ...]]]] = {
    "sleep": (("days",), {"subject": ("days",)}),
    "ct10k": (("treated", "x"), {"cluster": ()}),
    "long60k": (("treated", "time", "treated:time"), {"client": (), "org": ("time",)}),
    "long300k": (("treated", "time", "treated:time"), {"client": (), "org": ("time",)}),
    "long1m": (("treated", "time", "treated:time"), {"client": (), "org": ("time",)}),
    "slope60k": (("treated", "time", "treated:time"), {"client": ("time",), "org": ()}),
    "slope1m": (("treated", "time", "treated:time"), {"client": ("time",), "org": ()}),
    "ratings": (("service", "lectage", "studage"), {"student": (), "lecturer": ()}),
    "few20k": (("treated", "x"), {"org": ()}),
}


def published(name: str) -> Columns:
    """Return one of the published tables that the tests use too."""
    import runpy

    make = runpy.run_path(str(HERE.parents[1] / "reference" / "mixed" / "published.py"))["MAKERS"][name]
    return {key: values.to_numpy() for key, values in make().astype(float).items()}


def clusters(rows: int, units: int, *, seed: int, unit: str, equal: bool) -> Columns:
    """Return clients in clusters, every other cluster treated."""
    rng = np.random.RandomState(seed)  # its streams are frozen, unlike those of default_rng
    size = np.full(units, 1 / units) if equal else rng.gamma(2.0, 1.0, units)
    code = np.sort(rng.choice(units, rows, p=size / size.sum()))
    x, treated = rng.normal(size=rows) + rng.normal(size=units)[code], (code % 2).astype(float)
    y = 0.3 * treated + 0.5 * x + 0.4 * rng.normal(size=units)[code] + rng.normal(size=rows)
    return {"y": y, "treated": treated, "x": x, unit: code}


def waves(clients: int, orgs: int, *, seed: int, unequal: bool = False, slopes: bool = False) -> Columns:
    """Return clients of organisations at three waves, or at one to five where waves are missing or added."""
    rng = np.random.RandomState(seed)
    count = rng.choice([1, 2, 3, 4, 5], clients, p=[0.1, 0.2, 0.4, 0.2, 0.1]) if unequal else np.full(clients, 3)
    org = np.sort(rng.randint(0, orgs, clients))
    client = np.repeat(np.arange(clients), count)
    ends = np.cumsum(count)
    when = (np.arange(ends[-1]) - np.repeat(ends - count, count)).astype(float)
    of_org = org[client]
    treated = (of_org % 2).astype(float)
    y = 10 - 0.5 * when - 0.2 * treated * when + rng.normal(size=clients)[client] + 1.5 * rng.normal(size=len(when))
    y += 0.6 * rng.normal(size=orgs)[of_org] + 0.2 * rng.normal(size=orgs)[of_org] * when
    if slopes:
        y += 0.5 * rng.normal(size=clients)[client] * when
    return {"y": y, "treated": treated, "time": when, "client": client, "org": of_org}


def wide_clusters() -> Columns:
    """Return 50,000 rows in 500 clusters with six columns."""
    d = clusters(50_000, 500, seed=7, unit="cluster", equal=False)
    rng = np.random.RandomState(8)
    return d | {f"x{k}": rng.normal(size=len(d["y"])) for k in range(2, 6)} | {"x1": d.pop("x")}


DATA: dict[str, Callable[[], Columns]] = {
    "sleep": lambda: published("sleep"),
    "ct10k": lambda: clusters(10_000, 500, seed=1, unit="cluster", equal=True),
    "long60k": lambda: waves(20_000, 400, seed=2),
    "long300k": lambda: waves(100_000, 1000, seed=3),
    "long1m": lambda: waves(333_333, 2000, seed=4, unequal=True),
    "slope60k": lambda: waves(20_000, 400, seed=9, unequal=True, slopes=True),
    "slope1m": lambda: waves(333_333, 2000, seed=5, unequal=True, slopes=True),
    "ratings": lambda: published("ratings"),
    "few20k": lambda: clusters(20_000, 10, seed=6, unit="org", equal=False),
    "robust50k": wide_clusters,
}

if __name__ == "__main__":
    main()
