"""Random answers to any instrument, and its rules read once more in plain Python."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from sweval.scoring.definition import Instrument, instrument, instruments


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever asks for `any_id` runs for every instrument of the catalogue."""
    if "any_id" in metafunc.fixturenames:
        metafunc.parametrize("any_id", instruments()["id"].tolist())


@pytest.fixture
def any_instrument(any_id: str) -> Instrument:
    return instrument(any_id, accept_licence=True)


def random_answers(found: Instrument, rows: int, lacking: float, seed: int) -> pd.DataFrame:
    """Return answers as float columns `x_<item>` with nan at a given rate."""
    rng = np.random.default_rng(seed)
    columns = {f"x_{item.id}": rng.choice(item.codes, rows).astype(float) for item in found.items}
    frame = pd.DataFrame(columns)
    return frame.mask(rng.random(frame.shape) < lacking)


@pytest.fixture
def answers_of() -> Callable[..., pd.DataFrame]:
    return random_answers


def plain_score(instrument: Instrument, answers: dict[str, int | None]) -> dict[str, float | str | int | None]:
    """Return what one questionnaire must score: the rules in plain Python, written apart from the package."""
    answers = dict(answers)
    for gate in instrument.gates:
        deciding = {name: answers[name] for name in gate.when_any}
        if all(answer is not None for answer in deciding.values()):
            asked = any(answer in gate.when_any[name] for name, answer in deciding.items())
            for name in gate.asks:
                if not asked and answers[name] is None:
                    answers[name] = gate.otherwise
    out: dict[str, float | str | int | None] = {}
    for scale in instrument.scores:
        keyed = []
        for name in scale.items:
            item, answer = instrument.item(name), answers[name]
            if answer is not None:
                keyed.append(min(item.codes) + max(item.codes) - answer if item.reversed else answer)
        size, lacking = len(scale.items), len(scale.items) - len(keyed)
        value: float | None = None
        if keyed and lacking <= scale.missing.max_missing:
            mean = sum(keyed) / len(keyed)
            if scale.op == "mean":
                value = mean
            elif lacking == 0:
                value = float(sum(keyed))
            else:
                value = mean * size
                value = math.floor(value + 0.5) if scale.missing.rounded else value
            value *= scale.multiply
        out[scale.column] = value
        if scale.bands:
            out[f"{scale.column}_band"] = None if value is None else _band(scale.bands, value)
        out[f"{scale.column}_answered"] = len(keyed)
    return out


def _band(bands: tuple, value: float) -> str:
    """Walk the printed edges upwards; between two bands the nearer edge decides, and half-way goes up."""
    label = bands[0].label
    for lower, upper in itertools.pairwise(bands):
        if value - lower.max >= upper.min - value - 1e-9:
            label = upper.label
    return label


@pytest.fixture
def plain() -> Callable[..., dict[str, float | str | int | None]]:
    return plain_score
