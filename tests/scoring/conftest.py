"""Random answers to any instrument, and its rules read once more in plain Python."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from sweval.scoring.definition import Instrument, Scale, instrument, instruments


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever asks for `any_id` runs for every instrument, and with `variant` for each variant of it."""
    if "any_id" not in metafunc.fixturenames and "any_instrument" not in metafunc.fixturenames:
        return
    ids = instruments()["id"].tolist()[:: metafunc.config.getoption("--every")]
    if "variant" in metafunc.fixturenames:
        found = [instrument(name, accept_licence=True) for name in ids]
        pairs = [(entry.id, name) for entry in found for name in [v.name for v in entry.variants] or [""]]
        metafunc.parametrize(("any_id", "variant"), pairs)
    else:
        metafunc.parametrize("any_id", ids)


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


def plain_score(
    instrument: Instrument, answers: dict[str, int | None], variant: str = ""
) -> dict[str, float | str | int | None]:
    """Return what one questionnaire must score: the rules in plain Python, written apart from the package."""
    answers = dict(answers)
    for gate in instrument.gates:
        deciding = {name: answers[name] for name in gate.when_any}
        if gate.variant and gate.variant != variant:
            continue
        if all(answer is not None for answer in deciding.values()):
            asked = any(answer in gate.when_any[name] for name, answer in deciding.items())
            asked = asked or any(answers[name] not in (None, gate.otherwise) for name in gate.asks)
            for name in gate.asks:
                if not asked and answers[name] is None:
                    answers[name] = gate.otherwise
    values: dict[str, float | None] = {}
    out: dict[str, float | str | int | None] = {}
    for scale in instrument.scores:
        if scale.op == "table":
            rows = {table.variant: table.rows for table in scale.tables}
            table = rows.get(variant, rows.get(""))
            if table is None:
                continue
            match = [row for row in table if row[0] == values[scale.parts[0].id]]
            values[scale.id] = match[0][1] if match else None
            if len(table[0]) == 3:
                out[f"{scale.column}_se"] = match[0][2] if match else None
        elif scale.op == "weighted":
            parts = [values[part.id] for part in scale.parts]
            whole = None not in parts and _within_limits(scale, answers)
            values[scale.id] = sum(w * x for w, x in zip(scale.weights, parts, strict=True)) if whole else None
        else:
            values[scale.id] = _of_items(instrument, scale, answers)
        if values[scale.id] is not None:
            value = values[scale.id] * scale.multiply + scale.add
            if scale.decimals is not None:
                value = math.floor(value * 10**scale.decimals + 0.5) / 10**scale.decimals
            values[scale.id] = value
        out[scale.column] = values[scale.id]
        sets = {entry.variant: entry.bands for entry in scale.band_sets}
        bands = sets.get(variant, sets.get(""))
        if bands:
            out[f"{scale.column}_band"] = None if values[scale.id] is None else _band(bands, values[scale.id])
        out[f"{scale.column}_answered"] = sum(answers[name] is not None for name in scale.items)
    if instrument.safety:
        seen = [(answers[row.item] if row.item else values[row.score], row.at_least) for row in instrument.safety]
        known = [value >= least for value, least in seen if value is not None]
        out[f"{instrument.id}_safety"] = sum(known) if known else None
    return out


def _of_items(instrument: Instrument, scale: Scale, answers: dict[str, int | None]) -> float | None:
    """Return a sum, a mean or whether there is any point, before the last steps."""
    counted = []
    for name in scale.items:
        item, answer = instrument.item(name), answers[name]
        if answer is not None and name in scale.points:
            counted.append(scale.points[name][answer])
        elif answer is not None:
            counted.append(min(item.codes) + max(item.codes) - answer if item.reversed else answer)
    size, rule = len(scale.items), scale.missing
    if not counted or size - len(counted) > rule.max_missing:
        return None
    if not _within_limits(scale, answers):
        return None
    mean = sum(counted) / len(counted)
    if scale.op == "any":
        value = float(any(counted))
    elif scale.op == "mean":
        value = mean
    elif size == len(counted) or rule.fill == "zero":
        value = float(sum(counted))
    else:
        value = mean * size
        value = math.floor(value + 0.5) if rule.rounded else value
    return value if scale.cap is None else min(value, scale.cap)


def _within_limits(scale: Scale, answers: dict[str, int | None]) -> bool:
    return all(
        sum(answers[name] is None for name in limit.items) <= limit.max_missing for limit in scale.missing.limits
    )


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
