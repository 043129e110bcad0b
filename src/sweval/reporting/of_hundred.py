"""A standardised effect as so many of 100 clients (Cohen's U3), in words."""

from __future__ import annotations

import math

from scipy import special

from sweval.reporting.cells import Record, level_of
from sweval.reporting.language import Language


def of_hundred(share: float, words: Language) -> str:
    """Return so many of 100; with a decimal where rounding would say 0, 50 or 100, but neither none nor all."""
    count = 100 * share
    blunt = round(count) in (0, 50, 100) and not math.isclose(count, round(count), abs_tol=1e-9)
    return words.number(min(max(count, 0.1), 99.9) if blunt else count, 1 if blunt else 0)


def shares(row: Record) -> tuple[float, float | None, float | None]:
    """Return U3 of a standardised effect and of its limits."""
    low, high = (None if row[key] is None else float(special.ndtr(row[key])) for key in ("conf_low", "conf_high"))
    return float(special.ndtr(row["estimate"])), low, high


def people(row: Record, words: Language) -> str:
    """Return the sentence that a report sets beside an effect in standard deviations."""
    return _sentence("people", row, words)


def people_change(row: Record, words: Language) -> str:
    """Return the same sentence of a change without a comparison arm."""
    return _sentence("people_change", row, words)


def treated(row: Record, words: Language) -> str:
    """Return who had the service: the average client of the arm, where the row names one."""
    arm = level_of(row["term"])
    named = arm is not None and arm != "treated"
    return words.say("in_words.treated", arm=arm) if named else words.say("in_words.treated_unknown")


def control(comparison_arm: str | None, words: Language) -> str:
    """Return who had not."""
    if comparison_arm is None:
        return words.say("in_words.control_unknown")
    return words.say("in_words.control", arm=comparison_arm)


def _sentence(key: str, row: Record, words: Language) -> str:
    share, low, high = shares(row)
    count = of_hundred(share, words)
    if low is None or high is None:
        return words.say(f"in_words.{key}_alone", count=count)
    limits = {"low": of_hundred(low, words), "high": of_hundred(high, words)}
    return words.say(f"in_words.{key}", count=count, **limits)
