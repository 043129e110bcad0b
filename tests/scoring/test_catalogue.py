"""Every instrument of the catalogue, found by walking it: keys, ranges, missing rules, bands, worked vectors."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sweval as sw
from sweval.scoring import definition
from sweval.scoring.definition import Instrument

CATALOGUE = Path(definition.__file__).with_name("catalogue")


def test_every_file_is_listed_once_and_lies_in_the_folder_of_its_level() -> None:
    listed = sw.instruments()
    files = {path.stem: path.parent.name for path in CATALOGUE.glob("*/*.toml")}
    assert dict(zip(listed["id"], listed["level"], strict=True)) == files
    assert len(files) == len(list(CATALOGUE.glob("*/*.toml")))


def test_all_five_levels_are_covered() -> None:
    assert set(sw.instruments()["level"]) == {"individual", "family", "group", "organization", "community"}


def test_an_instrument_says_where_everything_was_read(any_instrument: Instrument) -> None:
    assert any_instrument.key.status == "verified"
    assert any_instrument.key.sources
    assert any_instrument.citation
    assert any_instrument.licence.note
    assert all(scale.better for scale in any_instrument.scores)


def test_bands_reach_results_only_if_they_were_read_in_a_source(any_instrument: Instrument) -> None:
    assert [scale.id for scale in any_instrument.scores if scale.bands and not scale.bands_verified] == []


def test_worked_vectors_come_out(any_instrument: Instrument) -> None:
    names = [f"x_{item.id}" for item in any_instrument.items]
    frame = pd.DataFrame([vector.answers for vector in any_instrument.vectors], columns=names, dtype=float)
    scored = sw.score(frame, any_instrument, items="x_{item}")
    checked = set()
    for row, vector in enumerate(any_instrument.vectors):
        for suffix, expected in vector.expected.items():
            value = scored[f"{any_instrument.id}_{suffix}"].iloc[row]
            where = f"{vector.source}, row {row + 1}, {suffix}"
            if expected is None:
                assert pd.isna(value), where
            elif isinstance(expected, str):
                assert value == expected, where
            else:  # Fractions are written to 16 digits in the file.
                assert value == pytest.approx(expected, rel=1e-14), where
            checked.add(suffix)
    assert {scale.id for scale in any_instrument.scores} <= checked


def test_the_declared_range_is_reached_and_never_left(any_instrument: Instrument, answers_of) -> None:
    rows = [
        {f"x_{item.id}": item.high if item.reversed == low else item.low for item in any_instrument.items}
        for low in (True, False)
    ]
    extremes = sw.score(pd.DataFrame(rows), any_instrument, items="x_{item}")
    random = sw.score(answers_of(any_instrument, 500, 0.05, 1), any_instrument, items="x_{item}")
    for scale in any_instrument.scores:
        assert extremes[scale.column].tolist() == list(scale.range)
        values = random[scale.column].dropna()
        assert values.between(*scale.range).all()


def test_one_step_on_one_item_moves_the_score_the_keyed_way(any_instrument: Instrument) -> None:
    for item in any_instrument.items:
        rows = [{f"x_{other.id}": other.codes[1] for other in any_instrument.items} for _ in range(2)]
        rows[0][f"x_{item.id}"], rows[1][f"x_{item.id}"] = item.low, item.high
        scored = sw.score(pd.DataFrame(rows), any_instrument, items="x_{item}")
        for scale in any_instrument.scores:
            change = scored[scale.column].diff().iloc[1]
            points = (item.high - item.low) * scale.multiply / (len(scale.items) if scale.op == "mean" else 1)
            expected = 0 if item.id not in scale.items else -points if item.reversed else points
            assert change == pytest.approx(expected, abs=1e-12), (item.id, scale.id)


def test_a_score_ends_where_the_missing_rule_says(any_instrument: Instrument) -> None:
    for scale in any_instrument.scores:
        gated = {name for gate in any_instrument.gates for name in gate.asks}
        free = [name for name in scale.items if name not in gated]
        allowed = scale.missing.max_missing
        rows = []
        for lacking in range(min(allowed + 2, len(free) + 1)):
            row: dict[str, float] = {f"x_{item.id}": item.high for item in any_instrument.items}
            rows.append(row | {f"x_{name}": math.nan for name in free[:lacking]})
        scored = sw.score(pd.DataFrame(rows, dtype=float), any_instrument, items="x_{item}")
        assert scored[scale.column].notna().tolist() == [lacking <= allowed for lacking in range(len(rows))]
        answered = [len(scale.items) - lacking for lacking in range(len(rows))]
        assert scored[f"{scale.column}_answered"].tolist() == answered


def test_every_attainable_value_has_the_band_whose_printed_edges_hold_it(any_instrument: Instrument) -> None:
    for scale in any_instrument.scores:
        if not scale.bands:
            continue
        for lower, upper in itertools.pairwise(scale.bands):
            assert lower.max <= upper.cut <= upper.min
        size = len(scale.items)
        low = sum(any_instrument.item(name).low for name in scale.items)
        high = sum(any_instrument.item(name).high for name in scale.items)
        divisor = size if scale.op == "mean" else 1
        complete = np.arange(low, high + 1) * scale.multiply / divisor
        for value in complete:
            inside = [band for band in scale.bands if band.min <= value <= band.max]
            nearest = [band for band in scale.bands if band.cut <= value][-1]
            assert not inside or nearest in inside, (scale.column, value)


def test_direction_of_a_score_column_is_known(any_instrument: Instrument) -> None:
    for scale in any_instrument.scores:
        assert definition.direction_of(scale.column) == scale.better
    assert definition.direction_of("days_waited") is None
    assert definition.direction_of(f"{any_instrument.id}_nothing") is None


def test_the_card_names_scores_items_licence_sources_and_traps(any_instrument: Instrument) -> None:
    card = any_instrument.describe()
    flat = " ".join(card.split())
    for scale in any_instrument.scores:
        assert scale.column in flat
    for text in [*any_instrument.traps, *any_instrument.key.sources, any_instrument.licence.note]:
        assert " ".join(text.split()) in flat
    assert max(map(len, card.splitlines())) <= 100
    published = (*any_instrument.norms, *any_instrument.reliability, *any_instrument.change)
    assert flat.count("not checked") >= sum(not row.verified for row in published)
