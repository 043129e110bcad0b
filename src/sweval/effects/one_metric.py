"""Effects are averaged, ranked or drawn on one axis only if they are measured in one thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sweval.errors import DesignError, did_you_mean
from sweval.result import METRICS

__all__ = ["require_one_metric"]


def require_one_metric(metrics: Iterable[str | None], *, where: str | None = None) -> str:
    """Return the metric that all effects share.

    Call it before anything that puts effects beside each other: a mean, a rank, an axis.

    Parameters
    ----------
    metrics
        `metric` of each row of `tidy()`.
    where
        What is to be done with them, for the message.

    Returns
    -------
    str
        One of `sweval.result.METRICS`.

    Raises
    ------
    DesignError
        If there is no effect, one does not say its metric or has one we do not know, or they have several; the message
        counts the rows of each.

    Examples
    --------
    >>> require_one_metric(["person_total", "person_total"])
    'person_total'
    """
    held = Counter(metrics)
    if not held:
        raise DesignError("there are no effects.", where=where)
    if None in held:
        raise DesignError(
            f"{held[None]} of {held.total()} effects do not say what they are measured in.",
            where=where,
            fix='Fill the column "metric": "person_total" for standardised mean differences between persons.',
        )
    named = {name: number for name, number in held.items() if name is not None}
    unknown = [name for name in named if name not in METRICS]
    if unknown:
        raise DesignError(f'"{unknown[0]}" is no metric.', where=where, fix=did_you_mean(unknown[0], METRICS))
    if len(named) > 1:
        counts = ", ".join(f"{name} ({number})" for name, number in named.items())
        raise DesignError(
            f"the effects are measured in different things, by rows: {counts}.",
            where=where,
            fix='Keep the rows of one metric, such as tidy[tidy["metric"] == "person_total"].',
        )
    return next(iter(named))
