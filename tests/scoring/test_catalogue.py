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
from sweval.scoring.definition import Instrument, Scale

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
    for scale in any_instrument.scores:
        assert all(entry.verified for entry in scale.band_sets)
        assert all(table.verified for table in scale.tables)


def test_worked_vectors_come_out(any_instrument: Instrument) -> None:
    names = [f"x_{item.id}" for item in any_instrument.items]
    frame = pd.DataFrame([vector.answers for vector in any_instrument.vectors], columns=names, dtype=float)
    checked = set()
    for row, vector in enumerate(any_instrument.vectors):
        scored = sw.score(frame[row : row + 1], any_instrument, items="x_{item}", variant=vector.variant or None)
        for suffix, expected in vector.expected.items():
            value = scored[f"{any_instrument.id}_{suffix}"].iloc[0]
            where = f"{vector.source}, row {row + 1}, {suffix}"
            if expected is None:
                assert pd.isna(value), where
            elif isinstance(expected, str):
                assert value == expected, where
            else:  # Fractions are written to 16 digits in the file.
                assert value == pytest.approx(expected, rel=1e-14), where
            checked.add(suffix)
    assert {scale.id for scale in any_instrument.scores} <= checked


def extremes(instrument: Instrument, scale: Scale) -> list[dict[str, float]]:
    """Return the answers that give the lowest and the highest value of a score, if tables rise."""
    weights = dict.fromkeys(scale.items, 1.0)
    for weight, part in zip(scale.weights, scale.parts, strict=False):
        weights |= dict.fromkeys(part.items, weight)
    counted = scale.points or {name: table for part in scale.parts for name, table in part.points.items()}
    rows = []
    for way in (1, -1):
        row = {}
        for item in instrument.items:
            points = counted.get(item.id) or {c: item.low + item.high - c if item.reversed else c for c in item.codes}
            sign = way * weights.get(item.id, 1.0) * scale.multiply
            row[f"x_{item.id}"] = float(min(item.codes, key=lambda code, p=points, s=sign: s * p[code]))
        rows.append(row)
    return rows


def test_the_declared_range_is_reached_and_never_left(any_instrument: Instrument, variant: str, answers_of) -> None:
    found, asked = any_instrument.of_variant(variant), {"items": "x_{item}", "variant": variant or None}
    random = sw.score(answers_of(any_instrument, 500, 0.05, 1), any_instrument, **asked)
    for scale in found.scores:
        reached = sw.score(pd.DataFrame(extremes(any_instrument, scale)), any_instrument, **asked)[scale.column]
        ends = [scale.table.rows[0][1], scale.table.rows[-1][1]] if scale.table else scale.range
        assert sorted(reached) == pytest.approx(sorted(ends))
        low, high = scale.range
        assert random[scale.column].dropna().between(low - 1e-9, high + 1e-9).all()


def test_tables_have_a_row_for_every_value_that_can_be_reached(any_instrument: Instrument) -> None:
    for scale in any_instrument.scores:
        for table in scale.tables:
            low, high = scale.parts[0].range
            assert [row[0] for row in table.rows] == list(np.arange(low, high + 1)), (scale.column, table.variant)


def test_one_step_on_one_item_moves_the_score_the_keyed_way(any_instrument: Instrument) -> None:
    found = any_instrument.of_variant("")
    for item in found.items:
        rows = [{f"x_{other.id}": other.codes[1] for other in found.items} for _ in range(2)]
        rows[0][f"x_{item.id}"], rows[1][f"x_{item.id}"] = item.low, item.high
        scored = sw.score(pd.DataFrame(rows), any_instrument, items="x_{item}")
        for scale in found.scores:
            if scale.op not in ("sum", "mean") or scale.cap is not None or scale.decimals is not None:
                continue
            change = scored[scale.column].diff().iloc[1]
            counted = scale.points.get(item.id, {item.low: item.low, item.high: item.high})
            points = (counted[item.high] - counted[item.low]) * scale.multiply
            points /= len(scale.items) if scale.op == "mean" else 1
            expected = 0 if item.id not in scale.items else -points if item.reversed else points
            assert change == pytest.approx(expected, abs=1e-12), (item.id, scale.id)


def test_a_score_ends_where_the_missing_rule_says(any_instrument: Instrument) -> None:
    found = any_instrument.of_variant("")
    for scale in found.scores:
        if scale.op == "weighted" or scale.missing.limits:
            continue
        gated = {name for gate in found.gates for name in gate.asks}
        free = [name for name in scale.items if name not in gated]
        allowed = scale.missing.max_missing
        rows = []
        for lacking in range(min(allowed + 2, len(free) + 1)):
            row: dict[str, float] = {f"x_{item.id}": item.high for item in found.items}
            rows.append(row | {f"x_{name}": math.nan for name in free[:lacking]})
        scored = sw.score(pd.DataFrame(rows, dtype=float), any_instrument, items="x_{item}")
        complete = range(len(rows)) if scale.op != "table" else range(1)  # prorated values need not stand in a table
        for lacking in complete:
            assert pd.notna(scored[scale.column].iloc[lacking]) == (lacking <= allowed)
        answered = [len(scale.items) - lacking for lacking in range(len(rows))]
        assert scored[f"{scale.column}_answered"].tolist() == answered


def test_every_attainable_value_has_the_band_whose_printed_edges_hold_it(
    any_instrument: Instrument, variant: str
) -> None:
    for scale in any_instrument.of_variant(variant).scores:
        if not scale.bands:
            continue
        for lower, upper in itertools.pairwise(scale.bands):
            assert lower.max <= upper.cut <= upper.min
        divisor = len(scale.items) if scale.op == "mean" else 1
        low, high = sorted((end - scale.add) / scale.multiply * divisor for end in scale.range)
        complete = np.arange(round(low), round(high) + 1) * scale.multiply / divisor + scale.add
        if scale.table is not None:
            complete = np.array([row[1] for row in scale.table.rows])
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
