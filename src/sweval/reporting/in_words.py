"""`sw.in_words`: an effect in plain words, for people who decide about a service and read no tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sweval.effects.benchmarks import Benchmark, benchmark
from sweval.effects.binary_scales import LATENT
from sweval.effects.translation import BETWEEN_CASES, UNCONTROLLED, UNCONTROLLED_SHARE
from sweval.errors import SwevalError
from sweval.reporting.cells import Record
from sweval.reporting.language import Language, load_language
from sweval.reporting.of_hundred import control, of_hundred, shares, treated
from sweval.reporting.sentences import (
    comparison_arms,
    facts_of,
    where_the_interval_lies,
    yes_no_sentences,
)
from sweval.reporting.tables import block, by_side, records
from sweval.result import Estimate, Result

if TYPE_CHECKING:
    import pandas as pd

_CHANGE = "standardized_mean_change"
_OF_PEOPLE = ("cohens_u3", "cohens_u3_nonparametric")
_OF_PAIRS = ("common_language_effect", "probability_of_superiority")
_NORMAL = ("cohens_u3", "common_language_effect")
_CHANGES = (UNCONTROLLED, UNCONTROLLED_SHARE)


def in_words(
    what: Estimate | Result, *, language: str = "en", against: str | None = None, small_cells: int = 11
) -> str:
    """Say effects as so many of 100 people, with interval and design, for a board or a newspaper.

    It never calls an effect large or small, and says so when the data do not settle whether the service helped or
    harmed. Standardised effects are translated by Cohen's U3, which takes scores as normal with equal spread; the text
    says that too.

    Parameters
    ----------
    what
        A row, for example `result.effect("hedges_g")`, or a whole result, whose rows of means name the comparison arm.
        Standardised effects and changes, risk differences, U3 and probabilities of superiority have words. Yes/no
        outcomes on the scale of standardised effects (`cox_d`) have none: nobody has a score there.
    language
        `"en"` or `"id"`.
    against
        A source of `sw.effects.benchmark_sources()` to set beside standardised effects; the text names it.
    small_cells
        Counts below it are said as `<11`.

    Returns
    -------
    str
        One paragraph per effect, direct service first, then yes/no outcomes; of several the last paragraph says what
        the numbers of people assume.

    Raises
    ------
    SwevalError
        If no row has words, or there is no such language or source.

    Examples
    --------
    >>> row = Estimate(comparison="Group work", service="group", outcome="phq9_total", term="arm[program]", n=120,
    ...                measure="hedges_g", estimate=0.4, conf_low=0.04, conf_high=0.76, conf_level=0.95, df=118.0,
    ...                better="lower", metric="person_total", level_assigned="client", adjusted=False, method="example")
    >>> in_words(row).split("did ")[1].split("; ")[0]
    'better than about 66 of 100 comparison clients'
    >>> in_words(row).split(". ")[2]
    'The whole interval lies on the side of improvement'
    """
    words = load_language(language)
    result = what if isinstance(what, Result) else Result(estimates=(what,))
    source = None if against is None else benchmark(against)
    said = _paragraphs(result.tidy(), words, source, small_cells)
    if not said:
        measures = ", ".join(dict.fromkeys(row.measure for row in result.estimates)) or "none"
        raise SwevalError(
            f"there are no words for these rows (measures: {measures}).",
            fix='Pass a row with metric "person_total", a change, a share such as cohens_u3, or, for a yes/no outcome, '
            "its risk difference.",
        )
    return "\n\n".join(said)


def _paragraphs(tidy: pd.DataFrame, words: Language, source: Benchmark | None, small_cells: int) -> list[str]:
    rows = by_side(row for row in records(tidy) if row["standardizer"] != LATENT)
    arms = comparison_arms(rows)
    said = []
    for row in rows:
        arm = arms.get((row["comparison"], row["outcome"]))
        if block(row) == "effects":
            said.append(_effect(row, arm, words, small_cells))
        elif row["measure"] == _CHANGE:
            said.append(_change(row, shares(row), words, small_cells))
        elif row["measure"] in (*_OF_PEOPLE, *_OF_PAIRS):
            said.append(_share(row, arm, words, small_cells))
    said += yes_no_sentences(tidy, language=words.code, small_cells=small_cells)
    closing = " ".join(_closing(rows, words, source))
    if closing:
        return [*said, closing] if len(said) > 1 else [f"{said[0]} {closing}"]
    return said


def _closing(rows: list[Record], words: Language, source: Benchmark | None) -> list[str]:
    """Return what holds for all paragraphs: the assumption behind numbers of people, and a named source."""
    effects = [row for row in rows if block(row) == "effects"]
    normal = [*effects, *(row for row in rows if row["measure"] in (_CHANGE, *_NORMAL))]
    changes = [row["metric"] in _CHANGES for row in normal]
    parts = [] if all(changes) else [words.say("in_words.bell")]
    parts += [words.say("in_words.bell_change")] if any(changes) else []
    return [*parts, *([_against(effects, source, words)] if source is not None and effects else [])]


def _effect(row: Record, arm: str | None, words: Language, small_cells: int) -> str:
    found = shares(row)
    verdict = where_the_interval_lies(row)
    settled = [words.say(verdict)] if verdict else []
    if row["standardizer"] == BETWEEN_CASES:
        first = words.say("in_words.board_cases", count=of_hundred(found[0], words), **_where(row, words))
        fits = _fits(row, found, words, small_cells, design=words.say("in_words.own_comparison"))
        return " ".join([first, fits, *settled])
    who = {"treated": treated(row, words), "control": control(arm, words)}
    first = words.say("in_words.board", count=of_hundred(found[0], words), **who, **_where(row, words))
    return " ".join([first, _fits(row, found, words, small_cells), *settled])


def _change(row: Record, found: tuple[float, float | None, float | None], words: Language, small_cells: int) -> str:
    first = words.say("in_words.board_change", count=of_hundred(found[0], words), **_where(row, words))
    fits = _fits(row, found, words, small_cells, design=words.say("in_words.no_comparison"))
    return " ".join([first, fits, words.say("in_words.not_alone")])


def _share(row: Record, arm: str | None, words: Language, small_cells: int) -> str:
    """Return the words of a row that is a share already."""
    found = (row["estimate"], row["conf_low"], row["conf_high"])
    if row["metric"] in _CHANGES and row["measure"] in _OF_PEOPLE:
        return _change(row, found, words, small_cells)
    count = of_hundred(found[0], words)
    if row["measure"] in _OF_PAIRS:
        change = "_change" if row["metric"] in _CHANGES else ""
        first = words.say(f"in_words.board_pairs{change}", count=count, **_where(row, words))
    else:
        who = {"treated": treated(row, words), "control": control(arm, words)}
        first = words.say("in_words.board", count=count, **who, **_where(row, words))
    parts = [first, _fits(row, found, words, small_cells)]
    if row["metric"] in _CHANGES:
        parts.append(words.say("in_words.not_alone"))
    elif found[1] is not None and found[2] is not None:
        verdict = where_the_interval_lies({"conf_low": found[1] - 0.5, "conf_high": found[2] - 0.5})
        parts += [words.say(verdict)] if verdict else []
    return " ".join(parts)


def _fits(
    row: Record,
    found: tuple[float, float | None, float | None],
    words: Language,
    small_cells: int,
    *,
    design: str | None = None,
) -> str:
    """Return what the interval holds, and what it rests on."""
    facts = facts_of(row, words, small_cells)
    basis = {"design": design or facts["design"], "n": facts["n"], "inference": facts["inference"]}
    _, low, high = found
    if low is None or high is None:
        return words.say("in_words.no_interval", **basis)
    limits = {"low": of_hundred(low, words), "high": of_hundred(high, words), "level": facts["level"]}
    return words.say("in_words.fits", **limits, **basis)


def _against(effects: list[Record], source: Benchmark, words: Language) -> str:
    """Return what a named source printed, and the effects beside it; no verdict."""
    values = [
        words.say(f"in_words.{source.kind}_value", value=words.number(value, 2), label=label)
        for label, value in zip(source.labels[words.code], source.values, strict=True)
    ]
    return words.say(
        f"in_words.{source.kind}",
        source=source.source,
        population=source.population[words.code],
        values=words.listing(values),
        sizes=words.listing([words.number(row["estimate"], 2) for row in effects]),
    )


def _where(row: Record, words: Language) -> dict[str, str]:
    """Return which comparison and outcome are spoken of."""
    facts = facts_of(row, words, 0)
    return {
        "comparison": row["comparison"] or words.say("in_words.unnamed"),
        "side": facts["side"],
        "outcome": row["outcome"] or words.say("in_words.unnamed_outcome"),
    }
