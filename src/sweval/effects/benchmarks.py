"""Published distributions of effects to hold an effect against, each under the name of its source.

There is no scale of small, medium and large here: whether an effect matters depends on the outcome, the cost and what
else could be done. What a source printed about effects of a known kind of service says at least what is usual there.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from sweval.errors import DesignError, did_you_mean

__all__ = ["Benchmark", "benchmark", "benchmark_sources"]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What one source printed about the size of effects.

    Attributes
    ----------
    id, source, citation, doi
        Key in the file, short name, full reference; `doi` where it is known.
    kind
        "means" (mean effects), "percentiles" (of a distribution of effects), "range" (where most of several medians
        lie) or "convention".
    values
        The numbers, in standard deviations.
    labels
        Language code -> what each number is: a problem, a percentile, a word of the source.
    population
        Language code -> what the numbers are about.
    read_in
        Where the printed numbers were read.
    """

    id: str
    source: str
    citation: str
    doi: str | None
    kind: str
    values: tuple[float, ...]
    labels: dict[str, tuple[str, ...]]
    population: dict[str, str]
    read_in: str


def benchmark_sources() -> tuple[str, ...]:
    """Return the ids of all sources.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> benchmark_sources()
    ('cohen_1988', 'kraft_2023', 'tanner_smith_2018', 'weisz_2013', 'weisz_2017')
    """
    return tuple(sorted(_entries()))


def benchmark(source: str) -> Benchmark:
    """Return what one source printed about the size of effects.

    Choose the source whose kind of service, comparison and outcome come nearest to yours, before looking at the
    effect; name it wherever the comparison is shown.

    Parameters
    ----------
    source
        One of `benchmark_sources()`.

    Returns
    -------
    Benchmark

    Raises
    ------
    DesignError
        If there is no such source.

    Examples
    --------
    >>> found = benchmark("weisz_2017")
    >>> dict(zip(found.labels["en"], found.values, strict=True))
    {'all problems': 0.46, 'anxiety': 0.61, 'depression': 0.29}
    """
    entries = _entries()
    if source not in entries:
        raise DesignError(f'there is no benchmark of the source "{source}".', fix=did_you_mean(source, sorted(entries)))
    entry = entries[source]
    return Benchmark(
        id=source,
        source=entry["source"],
        citation=entry["citation"],
        doi=entry.get("doi"),
        kind=entry["kind"],
        values=tuple(float(value["value"]) for value in entry["values"]),
        labels={code: tuple(value["at"][code] for value in entry["values"]) for code in entry["population"]},
        population=dict(entry["population"]),
        read_in=entry["read_in"],
    )


@cache
def _entries() -> dict[str, dict[str, Any]]:
    """Return the file's entries by id."""
    return tomllib.loads((files("sweval.effects") / "benchmarks.toml").read_text(encoding="utf-8"))
