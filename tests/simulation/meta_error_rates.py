"""Type-I error of the tests of a synthesis and coverage of its prediction interval, with few studies.

    python tests/simulation/meta_error_rates.py [--replications 5000] [--workers 2] [--out FILE.csv]

Studies bring 1 to 8 effects each, errors correlate by a true rho of .7 or .2 where the analysis takes .6, true effects
vary between studies (tau .2) and within (.1). The moderators of the studies explain nothing: `two` is a quarter of the
studies against the rest, `three` a quarter, a quarter and half, `inside` differs within studies. Rejections at .05 of

    cr2     t test of the coefficient of `two` and of `inside`, CR2 and Satterthwaite's df
    aht     the joint test of both coefficients of `three`, CR2 and the approximate Hotelling test
    cr1     the same t test of `two` with CR1 and its Satterthwaite df
    z       the same coefficient tested by the model alone

and the share of new studies' effects that the 95 % prediction interval of the mean holds. Tests that the data do
not allow count as no rejection; `undefined` says how many of aht. The bar: cr2 and aht at most .05 plus three Monte
Carlo standard errors everywhere. `docs/explain/synthesis_error_rates.csv` holds what it wrote.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy.special import ndtr, stdtrit

from sweval.errors import DesignError
from sweval.models.engine.meta.blocks import Component, Sampling
from sweval.models.engine.meta.multilevel import multilevel
from sweval.models.engine.meta.robust import robust_covariance

STUDIES = (6, 10, 20, 40)
RHOS = (0.7, 0.2)
TAU, OMEGA, ASSUMED = 0.2, 0.1, 0.6
CHUNK = 250


def layout(studies: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return the study and variance of every effect, and the moderators as columns; the same for all replications."""
    rng = np.random.default_rng(studies)
    sizes = np.resize([1, 3, 8, 2, 5, 1, 4, 2], studies)
    study = np.repeat(np.arange(studies), sizes)
    v = (np.resize([0.03, 0.08, 0.05, 0.15, 0.02, 0.1, 0.06, 0.2], studies))[study] * rng.uniform(0.8, 1.25, len(study))
    quarter = max(2, studies // 4)
    first, second = study < quarter, (study >= quarter) & (study < 2 * quarter)
    inside = (np.arange(len(study)) % 2).astype(float)
    columns = {"two": first[:, None], "three": np.column_stack([first, second]), "inside": inside[:, None]}
    return (
        study,
        v,
        {name: np.column_stack([np.ones(len(study)), value]).astype(float) for name, value in columns.items()},
    )


def replicate(job: tuple[int, float, int, int]) -> dict[str, int]:
    """Run a chunk of replications of one cell and count."""
    studies, rho, seed, count = job
    study, v, designs = layout(studies)
    k, rng = len(study), np.random.default_rng([studies, int(100 * rho), seed])
    sampling = Sampling(variance=v, group=study, rho=ASSUMED)
    levels = (Component(name="study", codes=study), Component(name="effect", codes=np.arange(k)))
    held = dict.fromkeys(("cr2 two", "cr2 inside", "aht three", "cr1 two", "z two", "prediction", "undefined"), 0)
    for _ in range(count):
        shared = np.sqrt(rho) * rng.normal(size=studies)[study] + np.sqrt(1 - rho) * rng.normal(size=k)
        y = 0.3 + TAU * rng.normal(size=studies)[study] + OMEGA * rng.normal(size=k) + np.sqrt(v) * shared
        for name, X in designs.items():
            fit = multilevel(y, sampling, X, levels)
            robust = robust_covariance(fit)
            if name == "three":
                try:
                    p = robust.wald(np.eye(3)[1:]).p_value
                except DesignError:
                    p = np.nan
                held["undefined"] += int(np.isnan(p))
                held["aht three"] += int(p < 0.05)
                continue
            held[f"cr2 {name}"] += int(robust.contrasts(np.eye(2)[1:])[0].p_value < 0.05)
            if name == "two":
                held["cr1 two"] += int(robust_covariance(fit, kind="CR1").contrasts(np.eye(2)[1:])[0].p_value < 0.05)
                held["z two"] += int(2 * ndtr(-abs(fit.coefficients[1]) / np.sqrt(fit.covariance[1, 1])) < 0.05)
        fit = multilevel(y, sampling, np.ones((k, 1)), levels)
        mean = robust_covariance(fit).contrasts(np.ones((1, 1)))[0]
        reach = stdtrit(mean.df, 0.975) * np.sqrt(mean.std_error**2 + fit.sigma2.sum())
        new = 0.3 + np.hypot(TAU, OMEGA) * rng.normal()
        held["prediction"] += int(abs(new - mean.estimate) < reach)
    return held


def jobs(replications: int) -> Iterator[tuple[int, float, int, int]]:
    """Yield the chunks of every cell."""
    for studies in STUDIES:
        for rho in RHOS:
            for seed, start in enumerate(range(0, replications, CHUNK)):
                yield studies, rho, seed, min(CHUNK, replications - start)


def main() -> None:
    """Count in all cells and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replications", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    listed = list(jobs(asked.replications))
    totals: dict[str, dict[str, int]] = {}
    with ProcessPoolExecutor(asked.workers) as pool:
        for (studies, rho, _, _), found in zip(listed, pool.map(replicate, listed), strict=True):
            cell = totals.setdefault(f"{studies} studies, rho {rho}", dict.fromkeys(found, 0))
            for name, number in found.items():
                cell[name] += number
    rates = {cell: {name: n / asked.replications for name, n in found.items()} for cell, found in totals.items()}
    names = list(next(iter(rates.values())))
    print(f"{'cell':22}" + "".join(f"{name:>12}" for name in names))
    for cell, found in rates.items():
        print(f"{cell:22}" + "".join(f"{found[name]:12.3f}" for name in names))
    bar = 0.05 + 3 * np.sqrt(0.05 * 0.95 / asked.replications)
    worst = max(found[name] for found in rates.values() for name in ("cr2 two", "cr2 inside", "aht three"))
    print(f"bar {bar:.4f}; worst of cr2 and aht {worst:.4f}")
    if asked.out:
        lines = [
            f"{cell.split()[0]},{cell.split()[-1]},{name},{rate:.4f},{asked.replications}"
            for cell, found in rates.items()
            for name, rate in found.items()
        ]
        asked.out.write_text("\n".join(["studies,rho,test,rate,replications", *lines]) + "\n")


if __name__ == "__main__":
    main()
