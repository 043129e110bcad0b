"""How often sweval finds an effect where there is none, and how often its intervals hold the true one.

Trials of whole clusters are simulated, and each is tested as `ClusterTrial` tests it by default, whatever it does where
the variance between clusters is estimated at zero. Kenward-Roger, CR2 and a t test on cluster means stand beside it.
The table goes into docs/explain/error_rates.csv, which docs/explain/error_rates.md shows.

    python tests/simulation/error_rates.py --check        # all 80 cells; about 25 minutes on two cores
    python tests/simulation/error_rates.py --replications 200 --out quick.csv

The numbers depend on seed and replications, not on the number of workers.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sweval.effects.kernel import standardize
from sweval.effects.variance_components import pooled_sd_moments
from sweval.models.base.mixed_rows import inference_for
from sweval.models.base.rows import pooled_sd
from sweval.models.engine.mixed.fit import mixed_fit
from sweval.models.engine.mixed.model import Factor
from sweval.models.engine.ols import least_squares, two_sided_p
from sweval.models.engine.sandwich import ContrastTest, cluster_covariance

Array = NDArray[np.float64]
Codes = NDArray[np.intp]

SEED = 20260
EFFECT = 0.5
"""True effect behind the coverage, in standard deviations of clients."""
TABLE = Path(__file__).resolve().parents[2] / "docs" / "explain" / "error_rates.csv"
_LEVEL = 0.05
_SLOPE = np.array([0.0, 1.0])
_MEAN_SIZE, _SIZE_CV, _LEAST_SIZE = 15, 0.7, 3


@dataclass(frozen=True, kw_only=True, order=True)
class Cell:
    """One kind of trial: clusters, how many of them are treated, equal or unequal sizes, ICC."""

    clusters: int
    treated: int
    sizes: str
    icc: float


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one simulated trial says of the effect: the tests, p by cluster means, and the unit of Hedges' g."""

    singular: bool
    default: ContrastTest
    kenward_roger: ContrastTest
    cr2: ContrastTest
    p_of_means: float
    sd: float
    nu: float
    c: float


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What was found in one cell: shares of all its trials.

    Parameters
    ----------
    replications
        Simulated trials.
    singular
        Fits with a variance of zero between clusters.
    untested
        Trials in which a method had no degrees of freedom; they count as no effect claimed.
    mean_df
        Degrees of freedom of the default test, on average.
    default, kenward_roger, cr2, cluster_means
        Effects claimed at the 5 % level where there is none; the last by a t test on the clusters' unweighted means.
    coverage, coverage_g
        95 % intervals that hold the truth: of the difference, and of Hedges' g (true value .5).
    """

    replications: int
    singular: float
    untested: float
    mean_df: float
    default: float
    kenward_roger: float
    cr2: float
    cluster_means: float
    coverage: float
    coverage_g: float


def cells() -> list[Cell]:
    """Return all cells, the slowest first."""
    layouts = itertools.product((40, 20, 12, 8, 6), (0.0, 0.05, 0.1, 0.2), (2, 4), ("equal", "unequal"))
    return [
        Cell(clusters=clusters, treated=max(2, clusters // share), sizes=sizes, icc=icc)
        for clusters, icc, share, sizes in layouts
    ]


def stream(cell: Cell) -> np.random.SeedSequence:
    """Return the seed of a cell, which depends on nothing but the cell."""
    key = (cell.clusters, cell.treated, int(cell.sizes == "unequal"), round(1000 * cell.icc))
    return np.random.SeedSequence(SEED, spawn_key=key)


def draw(cell: Cell, rng: np.random.Generator) -> tuple[Array, Codes, Codes]:
    """Return outcome, arm and cluster of one trial without any effect; variance 1 within arms."""
    sizes = np.full(cell.clusters, _MEAN_SIZE)
    if cell.sizes == "unequal":
        shape = _SIZE_CV**-2
        sizes = np.maximum(_LEAST_SIZE, np.rint(rng.gamma(shape, _MEAN_SIZE / shape, cell.clusters)).astype(np.intp))
    cluster = np.repeat(np.arange(cell.clusters), sizes)
    between = np.sqrt(cell.icc) * rng.standard_normal(cell.clusters)
    y = between[cluster] + np.sqrt(1 - cell.icc) * rng.standard_normal(cluster.size)
    return y, (cluster < cell.treated).astype(np.intp), cluster


def tested(y: Array, arm: Codes, cluster: Codes) -> Trial:
    """Test the effect as `ClusterTrial` does, and by the methods that stand beside it."""
    one = np.ones((y.size, 1))
    X = np.column_stack([one, arm])
    fit = mixed_fit(y, X, [Factor(cluster, one)])
    between, residual = float(fit.covariances[0][0, 0]), fit.residual_variances[0]
    unit = pooled_sd_moments(arm, [cluster], [between], residual=residual)
    chosen = inference_for(fit, int(cluster[-1]) + 1, "cluster", "satterthwaite").df or "kenward-roger"
    (kenward_roger,) = fit.contrasts(_SLOPE, "kenward-roger")
    return Trial(
        singular=fit.any_singular,
        default=kenward_roger if chosen == "kenward-roger" else fit.contrasts(_SLOPE, chosen)[0],
        kenward_roger=kenward_roger,
        cr2=cluster_covariance(least_squares(y, X), cluster).contrast(_SLOPE),
        p_of_means=p_of_means(y, arm, cluster),
        sd=pooled_sd(y, arm == 1),
        nu=unit.nu,
        c=unit.c,
    )


def p_of_means(y: Array, arm: Codes, cluster: Codes) -> float:
    """Return p of the t test of the clusters' unweighted means, the simplest test that holds with few clusters."""
    means = np.bincount(cluster, y) / np.bincount(cluster)
    own_arm = np.zeros(means.size, dtype=np.intp)
    own_arm[cluster] = arm
    sides = [means[own_arm == side] for side in (0, 1)]
    variance = sum(float(((side - side.mean()) ** 2).sum()) for side in sides) / (means.size - 2)
    error = np.sqrt(variance * sum(1 / side.size for side in sides))
    return two_sided_p(float((sides[1].mean() - sides[0].mean()) / error), means.size - 2)


def simulated(cell: Cell, replications: int) -> Rates:
    """Return the rates of one cell, from a stream of random numbers of its own."""
    rng = np.random.default_rng(stream(cell))
    return rates([tested(*draw(cell, rng)) for _ in range(replications)])


def rates(trials: Sequence[Trial]) -> Rates:
    """Return shares of claimed effects and of intervals that hold the truth."""
    tests = [[getattr(trial, name) for trial in trials] for name in ("default", "kenward_roger", "cr2")]
    usable = np.array([[test.df > 0 for test in method] for method in tests])
    claimed = np.array([[test.p_value < _LEVEL for test in method] for method in tests]) & usable
    default, kenward_roger, cr2 = claimed.mean(axis=1).tolist()
    own = [trial for trial, known in zip(trials, usable[0], strict=True) if known]
    df = np.array([trial.default.df for trial in own])
    sd, c = np.array([trial.sd for trial in own]), np.array([trial.c for trial in own])
    shifted = EFFECT + np.array([trial.default.estimate for trial in own])  # an effect moves the estimate and no more
    found = standardize(
        shifted,
        sd,
        nu=np.array([trial.nu for trial in own]),
        kappa=c * np.array([trial.default.std_error for trial in own]) / sd,
        df=df,
        c=c,
        separate=True,
    )
    missed = np.sum((found.conf_low > EFFECT) | (found.conf_high < EFFECT))
    return Rates(
        replications=len(trials),
        singular=float(np.mean([trial.singular for trial in trials])),
        untested=float(1 - usable.all(axis=0).mean()),
        mean_df=float(df.mean()),
        default=default,
        kenward_roger=kenward_roger,
        cr2=cr2,
        cluster_means=float(np.mean([trial.p_of_means < _LEVEL for trial in trials])),
        coverage=1 - default,
        coverage_g=1 - float(missed) / len(trials),
    )


def misses(found: Rates) -> list[str]:
    """Return the bars that a cell misses.

    At most .05 (default) or .06 (the others) plus three Monte Carlo standard errors. Nor shall the default be careful
    beyond need: at least .041, or .02 where more than 5 % of the fits have no variance between clusters.
    """
    floor = 0.02 if found.singular > 0.05 else 0.041
    out = []
    for name, rate, bar in (
        ("default", found.default, 0.05),
        ("Kenward-Roger", found.kenward_roger, 0.06),
        ("CR2", found.cr2, 0.06),
    ):
        ceiling = bar + 3 * np.sqrt(bar * (1 - bar) / found.replications)
        if rate > ceiling:
            out.append(f"{name} {rate:.4f} > {ceiling:.4f}")
    if found.default < floor:
        out.append(f"default {found.default:.4f} < {floor}")
    return out


def run(chosen: Sequence[Cell], replications: int, workers: int, out: Path) -> dict[Cell, Rates]:
    """Simulate the cells in processes with one thread each; the table is written anew after every cell."""
    os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    found: dict[Cell, Rates] = {}
    with (
        ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool,
        Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task("cells", total=len(chosen))
        jobs = {pool.submit(simulated, cell, replications): cell for cell in chosen}
        for job in as_completed(jobs):
            found[jobs[job]] = job.result()
            write(found, out)
            progress.advance(task)
    return found


def write(found: dict[Cell, Rates], out: Path) -> None:
    """Write the table, by number of clusters, with the bars that are missed."""
    rows = [
        {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in (asdict(cell) | asdict(one)).items()
        }
        | {"misses": "; ".join(misses(one))}
        for cell, one in sorted(found.items())
    ]
    with out.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def main() -> int:
    """Run the simulation from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--replications", type=int, default=5000, help="simulated trials per cell")
    parser.add_argument("--clusters", type=int, nargs="*", help="only cells with so many clusters")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--out", type=Path, default=TABLE, help="table to write")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a cell misses its bar")
    given = parser.parse_args()
    chosen = [cell for cell in cells() if not given.clusters or cell.clusters in given.clusters]
    found = run(chosen, given.replications, given.workers, given.out)
    bad = {cell: misses(one) for cell, one in sorted(found.items()) if misses(one)}
    for cell, words in bad.items():
        print(f"{cell}: {'; '.join(words)}", file=sys.stderr)
    print(f"{len(found) - len(bad)} of {len(found)} cells hold their bars.", file=sys.stderr)
    return 1 if given.check and bad else 0


if __name__ == "__main__":
    sys.exit(main())
