"""Coverage of the intervals of the probability of superiority and of U3, from raw scores.

    python tests/simulation/superiority_coverage.py [samples per cell, 2000]

prints a line per layout and the smallest coverage of each method. `fisher` is what the R package effectsize prints.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

import sweval as sw

FloatArray = NDArray[np.float64]

SIZES = ((4, 4), (5, 5), (8, 8), (6, 15), (15, 6), (30, 8), (20, 20), (50, 50))
SHAPES = ((0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (2.0, 1.0), (0.5, 2.0), (0.0, 3.0), (2.0, 0.3))
KINDS = ("normal", "ordered", "skewed")
METHODS = ("score", "newcombe", "fisher")


def draw(kind: str, rng: np.random.Generator, n: int, shift: float, spread: float) -> FloatArray:
    """Return one sample: normal, in five ordered categories, or a count with a floor."""
    z = rng.standard_normal(n) * spread + shift
    if kind == "ordered":
        return np.digitize(z, [-1, -0.3, 0.4, 1.2]).astype(float)
    return z if kind == "normal" else np.clip(np.round(3 * np.exp(0.6 * z) - 1), 0, 27)


def truths(kind: str, shift: float, spread: float) -> tuple[float, float]:
    """Return the probability of superiority and U3 of the populations."""
    rng = np.random.default_rng(1)
    x, y = draw(kind, rng, 400_001, shift, spread), np.sort(draw(kind, rng, 400_000, 0.0, 1.0))
    below = np.searchsorted(y, x, "left") + np.searchsorted(y, x, "right")
    middle = np.median(x)
    u3 = np.searchsorted(y, middle, "left") + np.searchsorted(y, middle, "right")
    return float(below.mean()) / (2 * y.size), float(u3) / (2 * y.size)


def cells(samples: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the layout and the coverage of each method in it."""
    for kind in KINDS:
        for m, n in SIZES:
            for shift, spread in SHAPES:
                rng = np.random.default_rng([m, n, int(10 * shift), int(10 * spread)])
                superior, u3 = truths(kind, shift, spread)
                held = dict.fromkeys([*METHODS, "u3"], 0)
                counted = dict.fromkeys(held, 0)
                for _ in range(samples):
                    x, y = draw(kind, rng, m, shift, spread), draw(kind, rng, n, 0.0, 1.0)
                    if np.ptp(np.concatenate([x, y])) == 0:
                        continue
                    rows = {name: sw.effects.probability_of_superiority(x, y, interval=name) for name in METHODS}
                    rows["u3"] = sw.effects.cohens_u3_nonparametric(x, y)
                    for name, row in rows.items():
                        if row.conf_low is not None and row.conf_high is not None:
                            counted[name] += 1
                            truth = u3 if name == "u3" else superior
                            held[name] += row.conf_low - 1e-9 <= truth <= row.conf_high + 1e-9
                name = f"{kind:8} {m:2}+{n:2} shift {shift:.1f} spread {spread:.1f} A {superior:.3f}"
                yield name, {key: held[key] / counted[key] for key in held if counted[key] > samples / 10}


def main() -> None:
    """Print the table."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    found: dict[str, list[float]] = {}
    for name, coverage in cells(samples):
        print(name, " ".join(f"{key} {value:.3f}" for key, value in coverage.items()), flush=True)
        for key, value in coverage.items():
            found.setdefault(key, []).append(value)
    for key, values in found.items():
        low = sum(value < 0.93 for value in values)
        print(f"{key}: smallest {min(values):.3f}, mean {np.mean(values):.3f}, {low} of {len(values)} below .93")


if __name__ == "__main__":
    main()
