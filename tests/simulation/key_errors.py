"""How often the audit of a scoring key finds a planted error, and how often it sees one where there is none.

Answers of 200 clients to the real definitions of the catalogue are simulated, one error is planted, and the audit has
to name exactly the items in error. Loadings differ by up to half their size, items in how easily they are endorsed, the
clients in how high they stand (from nearly all at the bottom to nearly all at the top), subscales correlate from .5 to
1, and the items' thresholds are uneven. Only samples whose lowest alpha lies between two limits count.

    python tests/simulation/key_errors.py               # about 6 minutes on one core
    python tests/simulation/key_errors.py --sets 2      # quick
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from sweval.scoring.consistency import cronbach_alpha
from sweval.scoring.definition import instrument, instruments
from sweval.scoring.key_audit import KeyAudit, audit_key
from sweval.scoring.records import Instrument, Scale
from sweval.scoring.rules import points_of

CLIENTS = 200
KINDS = ("clean", "unreversed", "reversed_twice", "swapped", "shifted", "cut off", "keyed file", "shifted file")
"""Planted in one item (or two that change places), except for the last two: all reversed items, all items.

"cut off" is a shift whose answers outside the form were made the form's last code.
"""

_SKEWS = (-1.2, -0.6, 0.0, 0.6, 1.2)
_UNEVEN = 0.12


def judging_scores(found: Instrument) -> list[Scale]:
    """Return the largest score of each item, where it has at least three items."""
    by_size = sorted((scale for scale in found.scores if scale.op in ("sum", "mean")), key=lambda s: -len(s.items))
    kept: list[Scale] = []
    for scale in by_size:
        covered = {name for other in kept for name in other.items}
        if len(scale.items) >= 3 and not set(scale.items) <= covered:
            kept.append(scale)
    return kept


def reversed_items(found: Instrument) -> set[str]:
    """Return the items whose lowest code counts most in their largest score."""
    turned_round = set()
    for scale in reversed(judging_scores(found)):
        for name, points in points_of(found, scale).items():
            code = found.item(name)
            (turned_round.add if points[code.low] > points[code.high] else turned_round.discard)(name)
    return turned_round


def simulate(
    found: Instrument, rng: np.random.Generator, *, alpha: tuple[float, float] = (0.7, 1.0), spread: float = 0.5
) -> pd.DataFrame:
    """Return the raw answers of a clean set: columns are item ids, rows clients."""
    scores = judging_scores(found)
    group = {name: scale.id for scale in sorted(found.scores, key=lambda s: -len(s.items)) for name in scale.items}
    nested = any(len({group[name] for name in scale.items}) > 1 for scale in scores)
    items = [item for item in found.items if any(item.id in scale.items for scale in scores)]
    for _ in range(20000):
        loading, skew = rng.uniform(0.25, 0.85), rng.choice(_SKEWS)
        shared = rng.uniform(0.5, 1.0) if nested or len(scores) == 1 else rng.uniform(0.0, 0.4)
        general = rng.normal(size=CLIENTS)
        factors = {
            name: np.sqrt(shared) * general + np.sqrt(1 - shared) * rng.normal(size=CLIENTS)
            for name in sorted(set(group.values()))
        }
        keyed = {}
        for item in items:
            own = min(0.95, loading * rng.uniform(1 - spread, 1 + spread))
            trait = own * factors[group[item.id]] + np.sqrt(1 - own**2) * rng.normal(size=CLIENTS)
            steps = len(item.codes) - 1
            cuts = np.linspace(-1.5, 1.5, steps) if steps > 1 else np.zeros(1)
            cuts = np.sort(cuts + skew + rng.normal(0, 0.4) + rng.normal(0, _UNEVEN, steps))
            keyed[item.id] = np.array(item.codes)[np.searchsorted(cuts, trait)]
        frame = pd.DataFrame(keyed)
        if (frame.nunique() < 2).any():
            continue
        answers = turned(found, frame, sorted(reversed_items(found) & set(frame)))
        alphas = [alpha_of(found, scale, answers) for scale in scores]
        if alpha[0] <= min(alphas) <= alpha[1]:
            return answers
    raise RuntimeError(f"no sample of {found.id} has such an alpha")


def alpha_of(found: Instrument, scale: Scale, answers: pd.DataFrame) -> float:
    """Return alpha of what the answers count in a score; 0 where an item counts the same for everybody."""
    points = np.column_stack([answers[name].map(counts) for name, counts in points_of(found, scale).items()])
    if (np.ptp(points, axis=0) == 0).any():
        return 0.0
    return cronbach_alpha(np.cov(points.astype(float), rowvar=False))


def turned(found: Instrument, frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the frame with some items mirrored."""
    mirrored = {name: found.item(name).low + found.item(name).high - frame[name] for name in names}
    return frame.assign(**mirrored)


def plant(
    kind: str, found: Instrument, clean: pd.DataFrame, rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[str, str]] | None:
    """Return the answers with one error of a kind and what the audit must find, or None where the key has no such."""
    turns = reversed_items(found)
    mixed = [scale for scale in judging_scores(found) if len({name in turns for name in scale.items}) == 2]
    mixed = [scale for scale in mixed if len({found.item(name).codes for name in scale.items}) == 1]
    keyed = sorted({name for scale in mixed for name in scale.items if name in turns})
    plain = [name for name in clean if name not in turns]
    if kind == "clean":
        return clean, {}
    if kind == "unreversed" and plain:
        name = str(rng.choice(plain))
        return turned(found, clean, [name]), {name: "unreversed"}
    if ("shifted" in kind or kind == "cut off") and not all(item.gapless for item in found.items):
        return None
    if kind == "shifted":
        name, step = str(rng.choice(list(clean))), int(rng.choice([-1, 1]))
        return clean.assign(**{name: clean[name] + step}), {name: "shifted"}
    if kind == "cut off":
        name, step = str(rng.choice(list(clean))), int(rng.choice([-1, 1]))
        item = found.item(name)
        return clean.assign(**{name: (clean[name] + step).clip(item.low, item.high)}), {name: "shifted"}
    if kind == "shifted file":
        return clean + int(rng.choice([-1, 1])), dict.fromkeys(clean, "shifted")
    if kind == "reversed_twice" and keyed:
        name = str(rng.choice(keyed))
        return turned(found, clean, [name]), {name: "reversed_twice"}
    if kind == "keyed file" and len(keyed) > 1:
        return turned(found, clean, keyed), dict.fromkeys(keyed, "reversed_twice")
    if kind == "swapped" and mixed:
        scale = mixed[int(rng.integers(len(mixed)))]
        first = str(rng.choice([name for name in scale.items if name in turns]))
        second = str(rng.choice([name for name in scale.items if name not in turns]))
        both = {first: clean[second], second: clean[first]}
        return clean.assign(**both), {first: "swapped", second: "swapped"}
    return None


def leaves_the_form(found: Instrument, answers: pd.DataFrame) -> bool:
    """Say whether any answer is no code of the form."""
    return any(not set(answers[name].unique()) <= set(found.item(name).codes) for name in answers)


def audit(found: Instrument, answers: pd.DataFrame) -> KeyAudit:
    """Return the audit of answers in item order; items of no larger score are answered at random."""
    return audit_key(answers[[item.id for item in found.items]], found, items=[item.id for item in found.items])


def auditable() -> Iterator[Instrument]:
    """Return the instruments whose every item has a score of three items or more."""
    for name in instruments()["id"]:
        found = instrument(name, accept_licence=True)
        covered = {item for scale in judging_scores(found) for item in scale.items}
        plain = all(scale.op in ("sum", "mean") for scale in found.scores) and not found.gates
        if plain and len(covered) == len(found.items):
            yield found


def main() -> None:
    """Print hits and false alarms by kind of error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=12, help="sets of each kind for each instrument")
    parser.add_argument("--alpha", type=float, nargs=2, default=(0.7, 1.0), help="limits of alpha")
    parser.add_argument("--seed", type=int, default=20260)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    exact: Counter[str] = Counter()
    named: Counter[str] = Counter()
    sets: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for found in track(list(auditable()), "instruments"):
        for _ in range(asked.sets):
            clean = simulate(found, rng, alpha=tuple(asked.alpha))
            for kind in KINDS:
                planted = plant(kind, found, clean, rng)
                if planted is None:
                    continue
                answers, expected = planted
                label = kind
                if kind == "shifted":
                    label += " out of the form" if leaves_the_form(found, answers) else " inside the form"
                got = audit(found, answers).found
                sets[label] += 1
                exact[label] += got == expected
                named[label] += expected.keys() <= got.keys()
                others[label] += bool(got.keys() - expected.keys())
    console = Console(width=110)
    console.print(f"{'planted':<24}{'sets':>7}{'named exactly':>16}{'item found':>13}{'sets with another item':>25}")
    for kind in sets:
        console.print(f"{kind:<24}{sets[kind]:>7}{exact[kind]:>16}{named[kind]:>13}{others[kind]:>25}")


if __name__ == "__main__":
    main()
