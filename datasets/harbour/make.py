"""Simulate the Harbour programme and write `clients.sav`; the same seed gives the same file.

Twenty-four agencies take part. Twelve, drawn by lot, train their staff (indirect service); in every agency half of the
clients, drawn by lot, are invited to group work in two groups of six to nine (direct service). Clients answer the PHQ-9
and the WHO-5 before (`pre`), after (`post`) and half a year later (`followup`).

Two traits, depression and lack of well-being, follow for client i of agency k in group g at wave t

    trait = trend[t] - training[t] * agency_arm - group_work[t] * client_arm
            + agency[k] + stable[i] + client_arm * group[g, t > pre] + passing[i, t]

All effects are normal; their variances add up to 1 in both arms, because what the group shares is taken from the
passing part of its members. An answer is the interval of `loading * trait + noise` that the item's thresholds cut.

Run `python make.py` to write the file again and to print the truth.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat

SEED = 20260
AGENCIES = 24
SMALLEST, LARGEST = 24, 35  # clients of an agency; half of them, rounded down, make two groups of 6 to 9
WAVES = ("pre", "post", "followup")
OUTCOMES = ("phq9", "who5")

TREND = np.array([0.0, -0.25, -0.30])
TRAINING = np.array([[0.0, 0.32, 0.24], [0.0, 0.28, 0.21]])  # outcome x wave, in sd of the trait, as improvement
GROUP_WORK = np.array([[0.0, 0.45, 0.34], [0.0, 0.38, 0.28]])
AGENCY, STABLE, PASSING, GROUP = 0.05, 0.57, 0.38, 0.08  # variances; GROUP is part of PASSING in the treated arm
BETWEEN_TRAITS = 0.7  # correlation of depression and lack of well-being in every random effect

PHQ_LOADING = np.array([0.74, 0.80, 0.66, 0.70, 0.62, 0.74, 0.68, 0.62, 0.60])
PHQ_SHIFT = np.array([-0.05, 0.0, -0.30, -0.35, 0.10, -0.10, 0.05, 0.55, 1.05])
PHQ_CUTS = np.array([-0.90, 0.15, 0.95])
WHO_LOADING = np.array([0.80, 0.78, 0.74, 0.70, 0.72])
WHO_SHIFT = np.array([0.0, 0.10, 0.15, 0.20, -0.10])
WHO_CUTS = np.array([-1.0, -0.25, 0.40, 1.05, 1.75])

SKIPPED, REFUSED = 0.007, 0.003  # share of single answers coded 9 and 8
LEAVING = {"post": (-2.2, 0.06), "followup": (-2.0, 0.06)}  # logit of leaving: constant, slope on the last PHQ-9 sum
NO_ANSWER_CODES = {8: "refused", 9: "no answer"}

PHQ = [f"phq_{item}" for item in range(1, 10)]
WHO = [f"who_{item}" for item in range(1, 6)]
LABELS = {
    "id": "Client number",
    "wave": "Occasion",
    "agency": "Agency number",
    "agency_arm": "Agency drawn for staff training",
    "client_arm": "Client drawn for group work",
    "group_id": "Work group",
    "age": "Age in years",
    "sex": "Sex",
} | {name: f"{scale} item {name[4:]}" for scale, names in [("PHQ-9", PHQ), ("WHO-5", WHO)] for name in names}
VALUE_LABELS = {
    "agency_arm": {0: "usual", 1: "training"},
    "client_arm": {0: "usual", 1: "group_work"},
    "sex": {1: "female", 2: "male"},
} | dict.fromkeys(PHQ + WHO, NO_ANSWER_CODES)


def simulate(rng: np.random.Generator, *, agencies: int = AGENCIES) -> pd.DataFrame:
    """Draw one programme, one row per client and wave, with the codes that the file holds."""
    sizes = rng.integers(SMALLEST, LARGEST + 1, agencies)
    agency = np.repeat(np.arange(agencies), sizes)
    trained = rng.permutation(np.arange(agencies) % 2)[agency]
    treated, group = _assign(rng, sizes)
    clients = agency.size
    traits = _traits(rng, agency, trained, treated, group)
    sex = np.where(rng.random(clients) < 0.62, 1.0, 2.0)
    age = np.clip(np.round(rng.normal(43.0, 13.0, clients)), 18, 85)
    waves = []
    for number, wave in enumerate(WAVES):
        answers = np.hstack(
            [
                _answers(rng, traits[:, 0, number], PHQ_LOADING, PHQ_SHIFT, PHQ_CUTS),
                _answers(rng, -traits[:, 1, number], WHO_LOADING, WHO_SHIFT, WHO_CUTS),
            ]
        ).astype(float)
        draw = rng.random(answers.shape)
        answers[draw < SKIPPED + REFUSED] = 9.0
        answers[draw < REFUSED] = 8.0
        waves.append(
            pd.DataFrame(
                {
                    "id": [f"{number:04d}" for number in range(1, clients + 1)],
                    "wave": wave,
                    "agency": [f"{number + 1:02d}" for number in agency],
                    "agency_arm": trained.astype(float),
                    "client_arm": treated.astype(float),
                    "group_id": [f"G{number + 1:03d}" if number >= 0 else "" for number in group],
                    "age": age,
                    "sex": sex,
                }
            ).assign(**dict(zip(PHQ + WHO, answers.T, strict=True)))
        )
    here = _staying(rng, waves)
    frame = pd.concat([wave[stays] for wave, stays in zip(waves, here, strict=True)], keys=range(len(WAVES)))
    return frame.rename_axis(["t", "i"]).sort_values(["i", "t"]).reset_index(drop=True)


def truth() -> dict[str, dict[str, float]]:
    """Return comparison -> outcome -> the standardised effect at `post` that the shipped study estimates.

    Difference of the two arms' mean sum scores over the person-level total sd within arms, had every client answered
    everything; positive means improvement. Exact: the trait is normal in each of the four cells (agency arm x client
    arm), and given the trait the answers are independent.
    """
    sizes = np.arange(SMALLEST, LARGEST + 1)
    share = (sizes // 2).sum() / sizes.sum()
    weights = np.outer([0.5, 0.5], [1.0 - share, share])
    found: dict[str, dict[str, float]] = {"Staff training": {}, "Group work": {}}
    for number, outcome in enumerate(OUTCOMES):
        shifts = np.add.outer([0.0, TRAINING[number, 1]], [0.0, GROUP_WORK[number, 1]])
        cells = [_sum_moments(outcome, TREND[1] - shift) for shift in shifts.ravel()]
        mean, variance = np.reshape(cells, (2, 2, 2)).transpose(2, 0, 1)
        sign = -1.0 if outcome == "phq9" else 1.0
        found["Staff training"][outcome] = sign * _standardised(mean, variance, weights)
        found["Group work"][outcome] = sign * _standardised(mean.T, variance.T, weights.T)
    return found


def write(path: Path) -> None:
    """Write the committed file, its header's date and time fixed so that the bytes do not change."""
    frame = simulate(np.random.default_rng(SEED))
    pyreadstat.write_sav(
        frame,
        str(path),
        file_label="Harbour programme (simulated)",
        column_labels=[LABELS[name] for name in frame.columns],
        variable_value_labels=VALUE_LABELS,
        missing_ranges={name: list(NO_ANSWER_CODES) for name in PHQ + WHO},
        variable_measure=dict.fromkeys(frame.columns[:6], "nominal") | dict.fromkeys(PHQ + WHO, "ordinal"),
        variable_format={name: "F3.0" for name in frame.columns if frame[name].dtype.kind == "f"},
        row_compress=True,
    )
    raw = bytearray(path.read_bytes())
    raw[92:109] = b"01 Jan 2600:00:00"
    path.write_bytes(raw)


def _assign(rng: np.random.Generator, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw half of each agency's clients and deal them into two groups; group -1 means none."""
    treated, group = [], []
    for number, size in enumerate(sizes):
        place = rng.permutation(size)
        treated.append(place < size // 2)
        group.append(np.where(place < size // 2, 2 * number + place % 2, -1))
    return np.concatenate(treated), np.concatenate(group)


def _traits(
    rng: np.random.Generator, agency: np.ndarray, trained: np.ndarray, treated: np.ndarray, group: np.ndarray
) -> np.ndarray:
    """Return clients x outcomes x waves: how much depression and how little well-being."""
    root = np.linalg.cholesky([[1.0, BETWEEN_TRAITS], [BETWEEN_TRAITS, 1.0]])

    def effects(*shape: int) -> np.ndarray:
        return np.moveaxis(rng.standard_normal((*shape, 2)) @ root.T, -1, -2 if len(shape) > 1 else -1)

    clients, later = agency.size, np.array([0.0, 1.0, 1.0])
    shared = np.sqrt(GROUP) * effects(group.max() + 1)[group] * treated[:, None]
    passing = np.sqrt(PASSING - GROUP * np.outer(treated, later))[:, None, :] * effects(clients, len(WAVES))
    lasting = np.sqrt(AGENCY) * effects(agency.max() + 1)[agency] + np.sqrt(STABLE) * effects(clients)
    fixed = TREND - trained[:, None, None] * TRAINING - treated[:, None, None] * GROUP_WORK
    return fixed + lasting[:, :, None] + shared[:, :, None] * later + passing


def _answers(
    rng: np.random.Generator, trait: np.ndarray, loading: np.ndarray, shift: np.ndarray, cuts: np.ndarray
) -> np.ndarray:
    """Return clients x items: the number of thresholds that each answer passes."""
    noise = rng.standard_normal((trait.size, loading.size)) * np.sqrt(1.0 - loading**2)
    leaning = trait[:, None] * loading + noise - shift
    return (leaning[:, :, None] > cuts).sum(axis=2)


def _staying(rng: np.random.Generator, waves: list[pd.DataFrame]) -> list[np.ndarray]:
    """Return which clients are there at each wave; leaving depends on the last answers seen and is for good."""
    here = [np.ones(len(waves[0]), dtype=bool)]
    for number, wave in enumerate(WAVES[1:], start=1):
        seen = waves[number - 1][PHQ].where(lambda answer: answer < min(NO_ANSWER_CODES))
        constant, slope = LEAVING[wave]
        logit = constant + slope * (seen.mean(axis=1).fillna(1.3).to_numpy() * len(PHQ) - 12.0)
        here.append(here[-1] & (rng.random(logit.size) >= 1.0 / (1.0 + np.exp(-logit))))
    return here


def _sum_moments(outcome: str, centre: float) -> tuple[float, float]:
    """Return mean and variance of the sum score where the trait is normal with this mean and variance 1."""
    from scipy.special import ndtr

    side, loading, shift, cuts = (
        (1.0, PHQ_LOADING, PHQ_SHIFT, PHQ_CUTS) if outcome == "phq9" else (-1.0, WHO_LOADING, WHO_SHIFT, WHO_CUTS)
    )
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    trait = side * (centre + nodes)
    passed = ndtr((trait[:, None, None] * loading[:, None] - shift[:, None] - cuts) / np.sqrt(1 - loading**2)[:, None])
    mean = passed.sum(axis=2)
    square = (passed * (2.0 * np.arange(1, cuts.size + 1) - 1.0)).sum(axis=2)
    total, spread = mean.sum(axis=1), (square - mean**2).sum(axis=1)
    centre_of_sum = weights @ total
    return float(centre_of_sum), float(weights @ (spread + (total - centre_of_sum) ** 2))


def _standardised(mean: np.ndarray, variance: np.ndarray, weights: np.ndarray) -> float:
    """Return (row 1 - row 0) / pooled sd within rows, for cell means and variances and the cells' shares."""
    within = weights / weights.sum(axis=1, keepdims=True)
    centre = (within * mean).sum(axis=1)
    spread = (within * (variance + (mean - centre[:, None]) ** 2)).sum(axis=1)
    return float((centre[1] - centre[0]) / np.sqrt(weights.sum(axis=1) @ spread))


if __name__ == "__main__":
    write(Path(__file__).with_name("clients.sav"))
    for comparison, effects in truth().items():
        sys.stdout.write(f"{comparison}: " + ", ".join(f"{key} = {value:.4f}" for key, value in effects.items()) + "\n")
