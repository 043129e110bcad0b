"""How often the interval of the difference in recovered clients holds the true difference, with clusters and without.

    python tests/simulation/change_coverage.py [replications]

Clients of a cluster share a normal deviate on the probit scale, so that risks hold exactly; also with few clusters, and
with events so rare that an arm often has none.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy import special

from sweval.models.base.change_arms import Arms, contrast_rows
from sweval.models.base.rows import Facts

CASES = (
    # clusters per arm (0 = independent clients), clients per cluster, risk as usual, risk treated, probit ICC
    (0, 20, 0.20, 0.50, 0.0),
    (0, 20, 0.05, 0.05, 0.0),
    (0, 60, 0.30, 0.45, 0.0),
    (4, 10, 0.30, 0.30, 0.10),
    (4, 10, 0.30, 0.60, 0.10),
    (6, 10, 0.20, 0.40, 0.20),
    (6, 10, 0.05, 0.10, 0.10),
    (12, 15, 0.25, 0.35, 0.10),
    (12, 15, 0.03, 0.03, 0.05),
)


def covered(case: tuple[int, int, float, float, float], rng: np.random.Generator) -> tuple[bool, bool]:
    """Draw one trial; return whether the interval holds the true difference, and whether an arm was all alike."""
    clusters, size, usual, treated, icc = case
    per_arm = max(clusters, 1) * size
    code = np.repeat([0, 1], per_arm)
    cluster = np.repeat(np.arange(2 * max(clusters, 1)), size)
    shared = rng.normal(size=2 * max(clusters, 1))[cluster]
    latent = np.sqrt(icc) * shared + np.sqrt(1 - icc) * rng.normal(size=2 * per_arm)
    event = latent < special.ndtri(np.where(code == 1, treated, usual))
    arms = Arms(code=code, cluster=cluster if clusters else None, column="arm", labels=("usual", "program"), notes=())
    category = np.where(event, "improved", "unchanged").astype(object)
    facts = Facts(
        comparison=None, service=None, outcome="score", better="lower", conf_level=0.95, n=len(code), clusters=None
    )
    nobody = arms.kept(np.zeros(len(code), dtype=bool))
    rows, notes = contrast_rows(facts, arms, category, ("improved", "unchanged", "deteriorated"), nobody)
    (row,) = [row for row in rows if row.measure == "risk_difference"]
    if row.conf_low is None or row.conf_high is None:
        return False, bool(notes)
    return row.conf_low <= treated - usual <= row.conf_high, bool(notes)


def main() -> int:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print(f"{times} replications; Monte Carlo standard error {np.sqrt(0.95 * 0.05 / times):.4f}")
    print("clusters  size  usual  program   icc   coverage  an arm all alike")
    for number, case in enumerate(CASES):
        rng = np.random.default_rng([17, number])
        found = np.array([covered(case, rng) for _ in range(times)])
        clusters, size, usual, treated, icc = case
        print(
            f"{clusters or '-':>8}{size:>6}{usual:>7.2f}{treated:>9.2f}{icc:>6.2f}"
            f"{found[:, 0].mean():>11.3f}{found[:, 1].mean():>18.3f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
