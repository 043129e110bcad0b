"""Time syntheses against metafor and clubSandwich on the same simulated effects, and print the table of targets.

    python tests/benchmarks/bench_meta.py             R up to 1,000 effects (about a minute)
    python tests/benchmarks/bench_meta.py --full      R up to 5,000 dependent effects as well (some minutes more)
    python tests/benchmarks/bench_meta.py --no-r      ours only

Seconds of the processor with one BLAS thread. The model has three moderators, study and effect levels and errors that
correlate by .6; `che` is the fit by REML, `cr2` all t tests, `htz` the joint test of the moderators. `rma` are effects
of their own with three moderators and Knapp-Hartung tests; metafor was stopped after 13 minutes at 5,000 of them.
`curve` is a synthesis with its ten values of rho. Targets: 5,000 dependent effects in 2 s, 50,000 in ten times that,
5,000 independent ones in 0.5 s, the curve of 1,000 in 2 s.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from sweval.models.engine.meta.blocks import Component, Sampling
from sweval.models.engine.meta.multilevel import multilevel
from sweval.models.engine.meta.robust import robust_covariance
from sweval.models.engine.meta.univariate import meta_regression
from sweval.models.synthesis import Synthesis

HERE = Path(__file__)
SECONDS = {"che_5000": 2.0, "che_50000": 20.0, "rma_5000": 0.5, "curve_1000": 2.0}


def effects(k: int) -> pd.DataFrame:
    """Return k effects of k / 5 studies with errors that correlate by .6, and three moderators."""
    rng = np.random.default_rng(k)
    studies = k // 5
    study = np.sort(rng.integers(0, studies, k))
    v = rng.uniform(0.01, 0.1, k)
    error = np.sqrt(0.6) * rng.normal(size=studies)[study] + np.sqrt(0.4) * rng.normal(size=k)
    y = 0.3 + 0.2 * rng.normal(size=studies)[study] + 0.15 * rng.normal(size=k) + np.sqrt(v) * error
    frame = {"study": study, "y": y, "v": v, "x1": study % 2, "x2": rng.normal(size=k), "x3": study % 3}
    return pd.DataFrame(frame).round(12)


def design(frame: pd.DataFrame) -> np.ndarray:
    return np.column_stack([np.ones(len(frame)), frame[["x1", "x2", "x3"]]]).astype(float)


def che(frame: pd.DataFrame) -> dict[str, Any]:
    """Fit and test dependent effects."""
    study, k = pd.factorize(frame["study"])[0], len(frame)
    y, v, X = frame["y"].to_numpy(), frame["v"].to_numpy(), design(frame)
    begin = time.process_time()
    levels = (Component(name="study", codes=study), Component(name="effect", codes=np.arange(k)))
    fit = multilevel(y, Sampling(variance=v, group=study, rho=0.6), X, levels)
    fitted = time.process_time()
    robust = robust_covariance(fit)
    tests = robust.contrasts(np.eye(4))
    tested = time.process_time()
    joint = robust.wald(np.eye(4)[1:])
    return {
        "fit": fitted - begin,
        "cr2": tested - fitted,
        "htz": time.process_time() - tested,
        "estimate": fit.coefficients.tolist(),
        "se": [test.std_error for test in tests],
        "F": joint.statistic,
        "df": joint.df_denominator,
    }


def rma(frame: pd.DataFrame) -> dict[str, Any]:
    """Fit independent effects."""
    y, v, X = frame["y"].to_numpy(), frame["v"].to_numpy(), design(frame)
    begin = time.process_time()
    fit = meta_regression(y, v, X)
    return {"fit": time.process_time() - begin, "estimate": fit.coefficients.tolist(), "se": fit.std_errors.tolist()}


def curve(frame: pd.DataFrame) -> dict[str, Any]:
    """Run a whole synthesis, from table to rows, with its curve."""
    begin = time.process_time()
    result = Synthesis(effects="y", variance="v").fit(frame.assign(metric="person_total"))
    return {"fit": time.process_time() - begin, "estimate": [result.effect("mean_effect").estimate]}


def main() -> None:
    """Print seconds, R's seconds, and how well the numbers agree; exit with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--no-r", action="store_true")
    asked = parser.parse_args()
    theirs: dict[str, Any] = {}
    if not asked.no_r:
        with tempfile.TemporaryDirectory() as folder:
            for name in ("che_500", "che_1000", "rma_500", "rma_1000", *(("che_5000",) if asked.full else ())):
                effects(int(name.split("_")[1])).to_csv(Path(folder) / f"{name}.csv", index=False)
            script = str(HERE.with_suffix(".R"))
            done = subprocess.run(["Rscript", script, folder], check=True, capture_output=True, text=True)
            theirs = json.loads(done.stdout)
    che(effects(100))  # the first call loads libraries
    missed = []
    print(
        f"{'effects':12}{'fit':>9}{'cr2':>9}{'htz':>9}{'R fit':>9}{'R cr2':>9}{'R htz':>9}  worst relative difference"
    )
    for name in ("che_500", "che_1000", "che_5000", "che_50000", "rma_500", "rma_1000", "rma_5000", "curve_1000"):
        kind, k = name.split("_")
        found = {"che": che, "rma": rma, "curve": curve}[kind](effects(int(k)))
        other = theirs.get(name, {})
        cells = [found.get(part) for part in ("fit", "cr2", "htz")] + [
            other.get(part) for part in ("fit", "cr2", "htz")
        ]
        gap = ""
        if other:
            pairs = [(found[key], other[key]) for key in ("estimate", "se", "F", "df") if key in other]
            gap = f"{max(float(np.max(np.abs(np.array(a) / np.array(b) - 1))) for a, b in pairs):.1e}"
        print(f"{name:12}" + "".join(f"{'' if cell is None else f'{cell:.3f}':>9}" for cell in cells) + f"  {gap}")
        total = sum(cell for cell in cells[:3] if cell is not None)
        if total > SECONDS.get(name, np.inf):
            missed.append(f"{name}: {total:.2f} s, target {SECONDS[name]} s")
    if missed:
        sys.exit("\n".join(missed))


if __name__ == "__main__":
    main()
