"""Count wrong optima in small trials: `python tests/benchmarks/check_optima.py [--trials N] [--layout NAME] [--no-r]`.

A thousand REML fits of every layout. Wrong is a log-likelihood more than 1e-6 below the best of lme4 (two optimisers)
and ten starts of other searches (Brent's in ten intervals, quasi-Newton, simplex) on a dense likelihood that shares
nothing with the engine. The same likelihood, at the engine's estimates, must give the engine's log-likelihood: one
above what can be reached is wrong too. Takes about an hour of one processor; needs R with lme4 unless told otherwise.
"""

from __future__ import annotations

import argparse
import os
import runpy
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__)
TRIALS = runpy.run_path(str(HERE.parents[1] / "reference" / "mixed" / "small_trials.py"))
TESTS = runpy.run_path(str(HERE.parents[1] / "models" / "engine" / "test_mixed_optima.py"))
WRONG, STARTS = 1e-6, 10


def main() -> None:
    """Print a line for each layout; exit with 1 if any optimum is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--layout", choices=TRIALS["LAYOUTS"])
    parser.add_argument("--no-r", action="store_true")
    asked = parser.parse_args()
    head = (
        f"{'layout':<48} {'trials':>6} {'zero %':>6} {'wrong':>5} {'most below':>10} {'not sure':>8} {'lme4 wrong':>10}"
    )
    print(head, flush=True)
    wrong = 0
    for name in [asked.layout] if asked.layout else TRIALS["LAYOUTS"]:
        wrong += check(name, asked.trials, with_r=not asked.no_r)
    if wrong:
        raise SystemExit(f"{wrong} wrong")


def check(name: str, trials: int, *, with_r: bool) -> int:
    """Fit all trials of a layout; print and return how many are wrong."""
    ours, others, below, singular, unsure = np.empty(trials), np.empty(trials), np.empty(trials), 0, 0
    for number in range(trials):
        trial = TRIALS["trial"](name, number)
        fit, likelihood = TESTS["fitted"](trial, reml=True), TRIALS["Likelihood"](trial, reml=True)
        relative = [C / fit.residual_variances[0] for C in fit.covariances]
        ours[number] = fit.log_likelihood
        below[number] = abs(fit.log_likelihood - likelihood.at(relative, TESTS["last_of"](fit, trial)))
        others[number] = likelihood.best(starts=STARTS, seed=number)
        singular += fit.any_singular
        unsure += not fit.converged
    best, lme4_wrong = others, "-"
    formula = TRIALS["LAYOUTS"][name].formula
    if with_r and formula:
        of_r = by_lme4(name, formula, trials)
        best = np.maximum(best, of_r.max(axis=1))
        lme4_wrong = str(int((of_r[:, 1] < np.maximum(best, ours) - WRONG).sum()))
    bad = (ours < best - WRONG) | (below > WRONG)
    line = f"{name:<48} {trials:>6} {100 * singular / trials:>6.1f} {int(bad.sum()):>5} {(best - ours).max():>10.1e}"
    print(f"{line} {unsure:>8} {lme4_wrong:>10}", flush=True)
    for number in np.flatnonzero(bad)[:10]:
        print(
            f"    trial {number}: ours {ours[number]:.9f}, best {best[number]:.9f}, off by itself {below[number]:.1e}"
        )
    return int(bad.sum())


def by_lme4(name: str, formula: str, trials: int) -> np.ndarray:
    """Return log-likelihoods of two optimisers of lme4, shape (trials, 2); the second is the default."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trials.csv"
        frames: list[Any] = [pd.DataFrame(TRIALS["trial"](name, k).columns).assign(trial=k) for k in range(trials)]
        pd.concat(frames).to_csv(file, index=False)
        command = ["Rscript", str(HERE.with_suffix(".R")), str(file), formula]
        one = {"OPENBLAS_NUM_THREADS": "1"}
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | one).stdout
    rows = np.array([[float(value) for value in line.split()] for line in printed.splitlines()])
    assert rows[:, 0].tolist() == list(range(trials))
    return rows[:, 1:]


if __name__ == "__main__":
    main()
