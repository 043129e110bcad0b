"""The correlation of before and after that a report leaves out: recovered from other numbers, or its range shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.arrays import floats, refuse
from sweval.errors import DesignError
from sweval.result import Estimate

__all__ = ["over_correlations", "pre_post_correlation"]

FloatArray = NDArray[np.float64]

CORRELATIONS = (0.3, 0.5, 0.7)
"""What a correlation of before and after may be where nothing is known of it."""


def pre_post_correlation(
    *,
    sd_pre: ArrayLike,
    sd_post: ArrayLike,
    sd_change: ArrayLike | None = None,
    change: ArrayLike | None = None,
    t: ArrayLike | None = None,
    n: ArrayLike | None = None,
) -> FloatArray:
    """Recover the correlation of before and after from what a report gives instead.

    Parameters
    ----------
    sd_pre, sd_post
        Standard deviations before and after.
    sd_change
        Standard deviation of the change; or, in its place,
    change, t, n
        mean change, paired t and number of clients (for F, t is its root).

    Returns
    -------
    numpy.ndarray
        r = (s_1^2 + s_2^2 - s_D^2) / (2 s_1 s_2); where t is given, s_D = sqrt(n) times the size of change / t.

    Raises
    ------
    DesignError
        If neither is complete, or the numbers contradict each other (r beyond -1 or 1).

    Examples
    --------
    >>> float(pre_post_correlation(sd_pre=15, sd_post=11.6, sd_change=14).round(3))
    0.47
    >>> float(pre_post_correlation(sd_pre=15, sd_post=11.6, change=7.9, t=2.524, n=20).round(2))
    0.47
    """
    if sd_change is None:
        if change is None or t is None or n is None:
            raise DesignError(
                "a correlation can be recovered from the standard deviation of the change, or from mean change, paired "
                "t and number of clients."
            )
        b, statistic, size = floats(change=change, t=t, n=n)
        refuse(statistic == 0, "a paired t of 0 says nothing of the correlation", where="t")
        sd_change = np.abs(b / statistic) * np.sqrt(size)
    s1, s2, sd = floats(sd_pre=sd_pre, sd_post=sd_post, sd_change=sd_change)
    r = (s1**2 + s2**2 - sd**2) / (2 * s1 * s2)
    refuse(np.abs(r) > 1, "the reported numbers contradict each other: the correlation would be beyond 1")
    return r


def over_correlations(
    effect: Callable[..., Estimate], *numbers: Any, correlations: Sequence[float] = CORRELATIONS, **more: Any
) -> tuple[Estimate, ...]:
    """Return one row per assumed correlation of before and after, for reports that do not give it.

    Show all rows; none of them is the result.

    Parameters
    ----------
    effect
        `pre_post_from_summary`, `pre_post_control_from_summary`, or any function with `correlation=`.
    *numbers, **more
        Its other arguments.
    correlations
        What to assume.

    Returns
    -------
    tuple of Estimate
        measure ends in "_if_correlation_alternative", `method` names the assumed value.

    Raises
    ------
    DesignError
        As `effect`.

    Examples
    --------
    >>> import sweval as sw
    >>> rows = over_correlations(sw.effects.pre_post_from_summary, 7.9, sd_pre=15, n=20)
    >>> [round(row.std_error, 3) for row in rows]
    [0.282, 0.243, 0.196]
    """
    rows = []
    for r in correlations:
        row = effect(*numbers, correlation=r, **more)
        rows.append(
            dataclasses.replace(
                row,
                measure=f"{row.measure}_if_correlation_alternative",
                method=f"{row.method}; correlation of before and after not reported, taken as {r:g}",
            )
        )
    return tuple(rows)
