"""Published sizes of effects have a source, say where they were read, and mean what they say."""

from __future__ import annotations

import pytest

import sweval as sw
from sweval.errors import SwevalError

KINDS = {"means", "percentiles", "range", "convention"}


@pytest.mark.parametrize("source", sw.effects.benchmark_sources())
def test_every_source_is_complete(source: str) -> None:
    found = sw.effects.benchmark(source)
    assert found.id == source
    assert found.kind in KINDS
    year = source.rpartition("_")[2]
    assert year in found.source
    assert f"({year})" in found.citation
    assert found.read_in
    assert set(found.population) == set(found.labels) == {"en", "id"}
    assert found.population["en"] != found.population["id"]
    assert {len(labels) for labels in found.labels.values()} == {len(found.values)}
    assert all(0 < value < 2 for value in found.values)
    if found.kind == "percentiles":
        shares = [float(label) for label in found.labels["en"]]
        assert shares == sorted(shares)
        assert list(found.values) == sorted(found.values)


def test_a_source_printed_its_mean_also_as_a_probability() -> None:
    """Weisz et al. print both d and the probability that a treated young person fares better: 63 and 58 per cent."""
    for source, printed in (("weisz_2017", 0.63), ("weisz_2013", 0.58)):
        mean = sw.effects.benchmark(source).values[0]
        assert sw.effects.common_language_effect(mean).estimate == pytest.approx(printed, abs=0.005)


def test_only_a_convention_has_words_of_size() -> None:
    for source in sw.effects.benchmark_sources():
        found = sw.effects.benchmark(source)
        if {"small", "medium", "large"} & set(found.labels["en"]):
            assert found.kind == "convention"
            assert "no better basis" in found.population["en"]


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(SwevalError, match="kraft_2023"):
        sw.effects.benchmark("kraft2023")


def test_a_range_with_exceptions_is_not_called_lowest_and_highest() -> None:
    """The summary that was read says "with few exceptions": some medians lie outside."""
    found = sw.effects.benchmark("tanner_smith_2018")
    assert "few exceptions" in found.read_in
    assert not any(word in label for label in found.labels["en"] for word in ("lowest", "highest"))
    assert not any("ter" in label for label in found.labels["id"])  # terendah, tertinggi
