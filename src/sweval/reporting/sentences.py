"""One plain sentence per effect: interval, design and df in it, no verdict on size, no stars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sweval.effects.binary_scales import LATENT
from sweval.effects.translation import BETWEEN_CASES
from sweval.errors import InstrumentError
from sweval.reporting.cells import Record, level_of
from sweval.reporting.change_table import without_secret_events
from sweval.reporting.language import Language, load_language
from sweval.reporting.of_hundred import people, people_change
from sweval.reporting.tables import block, by_side, design_in_words, records, service_in_words, side
from sweval.reporting.yes_no_tables import risk_sentences
from sweval.result import BETTER
from sweval.scoring.definition import instrument

if TYPE_CHECKING:
    import pandas as pd


def effect_sentences(tidy: pd.DataFrame, *, language: str = "en", small_cells: int = 11) -> tuple[str, ...]:
    """Say every standardised effect in words, direct service first.

    The first sentence gives the difference, its interval, what was assigned, how many clients and clusters stand behind
    it and the df; the second says the same as so many of 100 clients; the last, on which side of no difference the
    interval lies. None says that an effect is large, or that there is none.

    Parameters
    ----------
    tidy
        `Result.tidy()`; the rows of unadjusted means name the comparison arm.
    language
        `"en"` or `"id"`.
    small_cells
        Counts below it are said as `<11`.
    """
    words = load_language(language)
    rows = records(tidy)
    arms = comparison_arms(rows)
    said = [
        _effect(row, arms.get((row["comparison"], row["outcome"])), words, small_cells)
        for row in by_side(row for row in rows if block(row) == "effects")
    ]
    said += [
        _change(row, words, small_cells)
        for row in by_side(row for row in rows if block(row) == "apart")
        if row["measure"] == "standardized_mean_change"
    ]
    return tuple(said)


def yes_no_sentences(tidy: pd.DataFrame, *, language: str = "en", small_cells: int = 11) -> tuple[str, ...]:
    """Say every risk difference in words, with the number needed to treat; parameters as in `effect_sentences`."""
    words = load_language(language)
    rows = [row for row in without_secret_events(records(tidy), small_cells) if block(row) == "yes_no"]
    said = []
    for row, found in risk_sentences(rows, words, small_cells):
        common = facts_of(row, words, small_cells) | found
        parts = []
        if "treated_risk" in found:
            parts.append(words.say("sentence.risks", **common))
        key = "sentence.risk_difference" if parts else "sentence.risk_difference_alone"
        parts.append(words.say(key, **common, basis=_basis(row, common["n"], words)))
        sign = BETTER.get(row["better"] or "")
        if sign is not None and row["conf_low"] is not None:
            limits = sorted((sign * row["conf_low"], sign * row["conf_high"]))
            verdict = where_the_interval_lies({"conf_low": limits[0], "conf_high": limits[1]})
            parts += [words.say(verdict)] if verdict else []
        parts += [found["needed"]] if "needed" in found else []
        said.append(" ".join(parts))
    return tuple(said)


def _basis(row: Record, n: str, words: Language) -> str:
    """Return how many rows and clusters a number rests on."""
    parts = [words.say("sentence.n_rows", n=n)]
    if row["clusters"] is not None:
        parts.append(words.say("design.clusters", clusters=row["clusters"]))
    return words.say("locale.joiner").join(parts)


def question(tidy: pd.DataFrame, *, language: str = "en") -> str:
    """Return the question that the effects of a study answer."""
    words = load_language(language)
    rows = records(tidy)
    effects = [row for row in rows if block(row) in ("effects", "yes_no")]
    effects = effects or [row for row in rows if block(row) in ("apart", "cases")]
    named = list(dict.fromkeys(row["comparison"] for row in effects if row["comparison"]))
    outcomes = list(dict.fromkeys(row["outcome"] for row in effects if row["outcome"]))
    if not named or not outcomes:
        return words.say("report.question_plain")
    return words.say("report.question", comparisons=words.listing(named), outcomes=words.listing(outcomes))


def outcome_sentences(
    tidy: pd.DataFrame, *, language: str = "en", labels: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Say for each analysed outcome which scale it is, what values it can take, and which direction is better.

    Of an outcome that is called by a label (`labels`: column -> label) the column is said as well.
    """
    words = load_language(language)
    better = {
        row["outcome"]: row["better"]
        for row in records(tidy)
        if block(row) in ("effects", "apart", "cases", "yes_no") and row["outcome"] is not None
    }
    said = []
    for outcome, direction in better.items():
        column = outcome.partition(" at ")[0]
        called = [name for name, label in (labels or {}).items() if f"{outcome} at ".startswith(f"{label} at ")]
        parts = [words.say("sentence.column", column=name) for name in called]
        parts += _scale_in_words(column, words)
        if direction is not None:
            parts.append(words.say(f"sentence.{direction}"))
        if parts:
            said.append(words.say("sentence.outcome", outcome=outcome, what=words.say("locale.joiner").join(parts)))
    return tuple(said)


def _scale_in_words(column: str, words: Language) -> Iterator[str]:
    """Give title and range of a score column of the catalogue; nothing for any other column."""
    for end in (place for place, sign in enumerate(column) if sign == "_"):
        if not column[:end].isidentifier():
            continue
        try:
            found = instrument(column[:end], accept_licence=True)
        except InstrumentError:
            continue
        for scale in found.scores:
            if scale.column == column:
                yield found.title
                low, high = (words.number(limit, 0 if limit == int(limit) else 2) for limit in scale.range)
                yield words.say("locale.range", low=low, high=high)
                return


def comparison_arms(rows: list[Record]) -> dict[tuple[str | None, str | None], str]:
    """Return the one arm that is not the treated one, where the rows name exactly two."""
    arms: dict[tuple[str | None, str | None], dict[str, None]] = {}
    treated: dict[tuple[str | None, str | None], str] = {}
    for row in rows:
        key = row["comparison"], row["outcome"]
        if row["measure"] == "mean":
            arms.setdefault(key, {})[row["term"]] = None
        elif block(row) == "effects":
            treated[key] = row["term"]
    others = {key: [term for term in found if term != treated.get(key)] for key, found in arms.items()}
    return {key: level_of(found[0]) or found[0] for key, found in others.items() if len(found) == 1}


def _effect(row: Record, comparison_arm: str | None, words: Language, small_cells: int) -> str:
    if row["standardizer"] == BETWEEN_CASES:
        return _effect_of_cases(row, words)
    treated = level_of(row["term"])
    size = words.number(abs(row["estimate"]), 2)
    same = size == words.number(0.0, 2)
    sentence = words.say(
        "sentence.effect_zero" if same else "sentence.effect",
        **facts_of(row, words, small_cells),
        treated=words.say("sentence.treated", arm=treated) if treated else words.say("sentence.treated_unknown"),
        control=words.say("sentence.control", arm=comparison_arm)
        if comparison_arm
        else words.say("sentence.control_unknown"),
        size=size,
        direction=words.say("sentence.better" if row["estimate"] > 0 else "sentence.worse"),
    )
    verdict = where_the_interval_lies(row)
    of_people = "" if row["standardizer"] == LATENT else people(row, words)  # nobody has a score there
    parts = [sentence, of_people, words.say(verdict) if verdict else ""]
    return " ".join(part for part in parts if part)


def _effect_of_cases(row: Record, words: Language) -> str:
    """Say a between-case effect: the same clients without and with the service, and no comparison clients."""
    sentence = words.say(
        "sentence.effect_cases",
        **facts_of(row, words, 0),
        size=words.number(abs(row["estimate"]), 2),
        direction=words.say("sentence.better" if row["estimate"] > 0 else "sentence.worse"),
    )
    verdict = where_the_interval_lies(row)
    return f"{sentence} {words.say(verdict)}" if verdict else sentence


def _change(row: Record, words: Language, small_cells: int) -> str:
    sentence = words.say(
        "sentence.change",
        **facts_of(row, words, small_cells),
        size=words.number(abs(row["estimate"]), 2),
        direction=words.say("sentence.improved" if row["estimate"] > 0 else "sentence.worsened"),
    )
    return f"{sentence} {people_change(row, words)} {words.say('in_words.not_alone')}"


def facts_of(row: Record, words: Language, small_cells: int) -> dict[str, str]:
    """Return what every sentence may say of a row: names, interval, counts, design and df in words."""
    n = row["n"]
    return {
        "comparison": row["comparison"] or words.say("table.empty"),
        "side": words.say(f"sentence.side_{side(row)}", service=service_in_words(row, words)),
        "outcome": row["outcome"] or words.say("table.empty"),
        "level": words.level(row["conf_level"]),
        "low": words.number(row["conf_low"], 2),
        "high": words.number(row["conf_high"], 2),
        "design": _design(row, words),
        "n": words.say("table.empty") if n is None else f"<{small_cells}" if n < small_cells else str(n),
        "inference": words.say("sentence.no_df")
        if row["df"] is None
        else words.say("sentence.t", df=words.number(row["df"], 1)),
    }


def _design(row: Record, words: Language) -> str:
    design = design_in_words(row, words)
    if row["clusters"] is None:
        return design
    return words.say("locale.joiner").join([design, words.say("design.clusters", clusters=row["clusters"])])


def where_the_interval_lies(row: Record) -> str | None:
    """Return the key of the sentence that says on which side of 0 the limits lie; None without limits."""
    low, high = row["conf_low"], row["conf_high"]
    if low is None or high is None:
        return None
    if low > 0:
        return "sentence.excludes_null_better"
    return "sentence.excludes_null_worse" if high < 0 else "sentence.includes_null"
