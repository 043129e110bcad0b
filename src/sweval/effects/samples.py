"""What an effect function may rely on: complete scores that vary, a direction, and one way to make the row."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.kernel import Standardized
from sweval.errors import DataError, DesignError
from sweval.result import BETTER, Estimate

__all__: list[str] = []

FloatArray = NDArray[np.float64]


def scores(values: ArrayLike, *, name: str) -> FloatArray:
    """Return one sample of raw scores as floats.

    Raises
    ------
    DataError
        If values are missing or no numbers, fewer than two, or all equal. Nothing is dropped in silence.
    """
    try:
        sample = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise DataError("the scores hold entries that are no numbers.", where=name) from None
    if sample.ndim != 1:
        raise DataError(f"scores come as one list of numbers, not in {sample.ndim} dimensions.", where=name)
    missing = int((~np.isfinite(sample)).sum())
    if missing:
        raise DataError(
            f"{missing} of {sample.size} scores are missing.",
            where=name,
            fix="Leave those clients out first, and report how many they were.",
        )
    if sample.size < 2:
        raise DataError(f"there are {sample.size} scores; a standard deviation needs two or more.", where=name)
    return sample


def varying(values: ArrayLike, *, name: str) -> FloatArray:
    """Return the sample if its scores are not all equal.

    Raises
    ------
    DataError
        As `scores`, and if the standard deviation is zero.
    """
    sample = scores(values, name=name)
    if np.ptp(sample) == 0:
        raise DataError(
            f"all {sample.size} scores are equal, so there is no standard deviation to express an effect in.",
            where=name,
        )
    return sample


def pairs(pre: ArrayLike, post: ArrayLike, *, name: str) -> tuple[FloatArray, FloatArray]:
    """Return scores before and after, of the same clients in the same order.

    Raises
    ------
    DataError
        As `scores`, and if the lengths differ or every client changed by the same amount.
    """
    before, after = varying(pre, name=f"{name}, before"), scores(post, name=f"{name}, after")
    if before.size != after.size:
        raise DataError(
            f"{before.size} scores before and {after.size} after; each client needs both, in the same order.",
            where=name,
        )
    if np.ptp(after - before) == 0:
        raise DataError("every client changed by the same amount, so the change has no standard error.", where=name)
    return before, after


def orientation(better: str) -> float:
    """Return 1 if higher scores are better, -1 if lower.

    Raises
    ------
    DesignError
        For anything but "higher" and "lower".
    """
    if better not in BETTER:
        raise DesignError('better must be "higher" or "lower": which direction of the score is an improvement?')
    return BETTER[better]


def count(value: float, *, name: str) -> int:
    """Return a number of persons as an integer of at least 2.

    Raises
    ------
    DesignError
        For anything else.
    """
    if not np.isfinite(value) or value != int(value) or value < 2:
        raise DesignError(f"{name} must be a whole number of 2 or more.")
    return int(value)


def effect_row(
    effect: Standardized, *, better: str, n: int | None, method: str, standardizer: str, conf_level: float
) -> Estimate:
    """Return the row of one effect that is already oriented; callers replace what differs for their design."""
    return Estimate(
        term="arm[treated]",
        measure="hedges_g",
        estimate=float(effect.g),
        std_error=float(np.sqrt(effect.variance)),
        conf_low=float(effect.conf_low),
        conf_high=float(effect.conf_high),
        conf_level=conf_level,
        statistic=float(effect.statistic),
        df=float(effect.df),
        p_value=float(effect.p_value),
        null=0.0,
        better=better,
        n=n,
        method=f"{method}; {effect.interval}; positive = improvement"
        + ("" if effect.nu > 2 else "; too few persons for a variance, it is taken at 2.001 degrees of freedom"),
        metric="person_total",
        standardizer=standardizer,
        adjusted=False,
        level_assigned="client",
        level_outcome="client",
        variance=float(effect.variance),
        weight_variance=float(effect.weight_variance),
    )
