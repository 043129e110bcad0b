"""How far between-case effects are off, and how often their intervals hold the true one, with 3 to 8 cases.

Multiple baselines and A-B-A-B designs of 20 sessions are simulated, with and without autocorrelation, and analysed as
`between_case_g` does by default. The intervals of the noncentral t and g -+ t SE stand beside the default.
The table goes into docs/explain/between_case.csv, which docs/explain/between_case.md shows.

    python tests/simulation/between_case.py --check        # 48 cells of 10,000 designs; about 7 minutes on two cores
    python tests/simulation/between_case.py --replications 500 --out quick.csv
"""

from __future__ import annotations

import argparse
import csv
import itertools
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy.special import stdtr, stdtrit

from sweval.effects.between_case_data import CaseData, CaseModel, case_data
from sweval.effects.between_case_numbers import between_case_numbers
from sweval.effects.kernel import standardize

Array = NDArray[np.float64]

SEED = 20265
EFFECT = 1.0
"""True effect, in standard deviations between and within cases."""
SESSIONS = 20
TABLE = Path(__file__).resolve().parents[2] / "docs" / "explain" / "between_case.csv"
_BATCH = 500


@dataclass(frozen=True, kw_only=True, order=True)
class Cell:
    """One kind of design: how many cases, autocorrelation of neighbouring sessions, share of variance between cases."""

    design: str
    cases: int
    rho: float
    icc: float


CELLS = tuple(
    Cell(design=design, cases=cases, rho=rho, icc=icc)
    for design, cases, rho, icc in itertools.product(
        ("multiple baseline", "A-B-A-B"), (3, 4, 6, 8), (0.0, 0.3, 0.5), (0.2, 0.6)
    )
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one cell gave; shares are of all replications.

    `bias` is that of g; `coverage`, `too_high` and `too_low` belong to the default interval (its lower limit above the
    truth, its upper one below); `false_claims` are tests at 5% that reject where the effect is zero.
    """

    design: str
    cases: int
    rho: float
    icc: float
    replications: int
    bias: float
    coverage: float
    too_high: float
    too_low: float
    false_claims: float
    width: float
    coverage_noncentral_t: float
    coverage_symmetric: float
    false_claims_symmetric: float
    width_symmetric: float
    at_bound: float
    not_settled: int


def sessions(cell: Cell) -> CaseData:
    """Return the design: staggered starts from session 6 to 16, or four phases of five sessions."""
    case, time = np.repeat(np.arange(cell.cases), SESSIONS), np.tile(np.arange(1, SESSIONS + 1), cell.cases)
    if cell.design == "A-B-A-B":
        treated = ((time - 1) // (SESSIONS // 4)) % 2 == 1
    else:
        treated = time > np.linspace(5, SESSIONS - 5, cell.cases).round()[case]
    return case_data(np.zeros(len(case)), case, np.where(treated, "B", "A"), time)


def outcomes(cell: Cell, data: CaseData, count: int, rng: np.random.Generator) -> Array:
    """Return outcomes whose total variance is 1."""
    errors = rng.normal(size=(count, cell.cases, SESSIONS))
    for k in range(1, SESSIONS):
        errors[:, :, k] = cell.rho * errors[:, :, k - 1] + np.sqrt(1 - cell.rho**2) * errors[:, :, k]
    levels = rng.normal(size=(count, cell.cases, 1))
    y = np.sqrt(cell.icc) * levels + np.sqrt(1 - cell.icc) * errors
    return y.reshape(count, -1) + EFFECT * data.treated


def simulate(cell: Cell, replications: int) -> Row:
    """Return what the designs of one cell gave; the numbers do not depend on how cells are shared among workers."""
    rng = np.random.default_rng([SEED, CELLS.index(cell)])
    data = sessions(cell)
    sums: list[dict[str, Array]] = []
    for start in range(0, replications, _BATCH):
        sums.append(_batch(outcomes(cell, data, min(_BATCH, replications - start), rng), data))
    found = {name: np.concatenate([one[name] for one in sums]) for name in sums[0]}
    means = {name: float(values.mean()) for name, values in found.items() if not name.startswith("width")}
    return Row(
        **asdict(cell),
        replications=replications,
        width=float(np.median(found["width"])),
        width_symmetric=float(np.median(found["width_symmetric"])),
        not_settled=round(means.pop("not_settled") * replications),
        **means,
    )


def _batch(y: Array, data: CaseData) -> dict[str, Array]:
    found = between_case_numbers(y, data, CaseModel())
    effect, total = found.effect, np.sqrt(found.total_variance)
    kappa = np.sqrt(effect.weight_variance)
    other = standardize(found.numerator, total, nu=effect.nu, kappa=kappa, df=effect.nu)
    error = np.sqrt(effect.variance)
    reach = -stdtrit(effect.nu, 0.025) * error
    # the fit does not change when the effect is taken off, so one data set tells of zero as well
    t = (found.numerator - EFFECT) / (found.numerator / effect.statistic)
    null = standardize(found.numerator - EFFECT, total, nu=effect.nu, kappa=kappa, df=effect.nu)
    t_symmetric = null.g / np.sqrt(null.variance)
    held = {
        "bias": effect.g - EFFECT,
        "coverage": (effect.conf_low <= EFFECT) & (effect.conf_high >= EFFECT),
        "too_high": effect.conf_low > EFFECT,
        "too_low": effect.conf_high < EFFECT,
        "false_claims": 2 * stdtr(effect.df, -np.abs(t)) < 0.05,
        "width": effect.conf_high - effect.conf_low,
        "coverage_noncentral_t": (other.conf_low <= EFFECT) & (other.conf_high >= EFFECT),
        "coverage_symmetric": np.abs(effect.g - EFFECT) <= reach,
        "false_claims_symmetric": 2 * stdtr(effect.nu, -np.abs(t_symmetric)) < 0.05,
        "width_symmetric": 2 * reach,
        "at_bound": found.singular,
        "not_settled": ~found.converged,
    }
    return {name: np.asarray(values, dtype=float) for name, values in held.items()}


def complaints(rows: Sequence[Row]) -> list[str]:
    """Return the cells that are not as the page says."""
    out = []
    for row in rows:
        slack = 3 * np.sqrt(0.05 * 0.95 / row.replications)
        name = f"{row.design}, {row.cases} cases, rho {row.rho}, icc {row.icc}"
        if not 0.93 - slack <= row.coverage <= 0.98 + slack:
            out.append(f"{name}: coverage {row.coverage:.3f}")
        if row.false_claims > 0.055 + slack:
            out.append(f"{name}: false claims {row.false_claims:.3f}")
        if abs(row.bias) > 0.02 + 3 * 0.5 / np.sqrt(row.replications):
            out.append(f"{name}: bias {row.bias:.3f}")
        if row.not_settled > 0.001 * row.replications + 1:
            out.append(f"{name}: {row.not_settled} searches did not settle")
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate all cells and write the table."""
    parser = argparse.ArgumentParser(description="Coverage of between-case effects.")
    parser.add_argument("--replications", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=TABLE)
    parser.add_argument("--check", action="store_true", help="fail where a cell is not as the page says")
    options = parser.parse_args(arguments)
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, mp_context=context) as pool:
        jobs = pool.map(simulate, CELLS, itertools.repeat(options.replications))
        rows = list(track(jobs, total=len(CELLS), description="designs"))
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(row).items()}
            )
    found = complaints(rows) if options.check else []
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
