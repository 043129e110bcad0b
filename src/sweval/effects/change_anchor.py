"""Did clients change enough to matter: by a percentage of where they began, or by a smallest difference that matters.

Neither looks at measurement error: a change can matter and still be chance, so show `reliable_change_index` beside it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.samples import orientation, pairs, varying
from sweval.errors import DesignError
from sweval.result import Estimate

__all__ = [
    "ANCHOR_CATEGORIES",
    "anchor_between",
    "anchor_categories",
    "anchor_category",
    "anchor_within",
    "percentage_categories",
    "percentage_change",
]

FloatArray = NDArray[np.float64]

ANCHOR_CATEGORIES = (
    "significantly worse",
    "statistically not significant",
    "statistically significant but not clinically relevant",
    "not significantly less than the threshold",
    "probably clinically significant effect",
    "large clinically significant effect",
)
"""From worst to best, by where an interval lies against zero and the smallest difference that matters."""

NOT_APPLICABLE = "not applicable"
"""The category of a client whose percentage change does not exist."""

_THREE = ("improved", "unchanged", "deteriorated")


def percentage_change(pre: ArrayLike, post: ArrayLike) -> FloatArray:
    """Return each client's change as a share of the score before: -0.5 where it was halved.

    Only for scores whose zero means "none of it", such as days or symptoms. Clients who begin low reach a large
    percentage easily.

    Parameters
    ----------
    pre, post
        Scores of the same clients in the same order, 0 or above; missing is nan.

    Returns
    -------
    numpy.ndarray
        (post - pre) / pre. nan where the score before is 0, from which no percentage can be taken, or missing.

    Raises
    ------
    DesignError
        If a score is below 0, where percentages mean nothing.

    Notes
    -----
    The R package clinicalsignificance calls a client with 0 before and more after improved, whichever direction is
    better. There is no percentage of 0, so here there is no category either.

    Examples
    --------
    >>> percentage_change([20, 10, 0], [10, 12, 5]).tolist()
    [-0.5, 0.2, nan]
    """
    before, after = np.asarray(pre, dtype=float), np.asarray(post, dtype=float)
    below = int((before < 0).sum() + (after < 0).sum())
    if below:
        raise DesignError(
            f"{below} scores are below 0; a percentage needs a scale that begins at 0.",
            fix="Judge change in points instead: a reliable change index, or a smallest difference that matters.",
        )
    out = np.full(np.broadcast_shapes(before.shape, after.shape), np.nan)
    return np.divide(after - before, before, out=out, where=np.broadcast_to(before > 0, out.shape))


def percentage_categories(
    pre: ArrayLike, post: ArrayLike, *, better: str, improvement: float = 0.5, deterioration: float | None = None
) -> NDArray[np.str_]:
    """Sort clients by percentage change: improved, unchanged, deteriorated, or not applicable.

    Parameters
    ----------
    pre, post
        Scores, none missing.
    better
        "higher" or "lower".
    improvement, deterioration
        Share of the score before from which a change counts, 0.5 for 50 percent; a change of exactly this size counts.
        Deterioration is by default as large as improvement.

    Returns
    -------
    numpy.ndarray
        Text. "not applicable" where the score before is 0: count and report these clients.

    Raises
    ------
    DesignError
        As `percentage_change`, and if a share is not above 0 or scores are missing.

    Examples
    --------
    >>> percentage_categories([20, 10, 10, 0], [10, 12, 15, 5], better="lower").tolist()
    ['improved', 'unchanged', 'deteriorated', 'not applicable']
    """
    limits = _limits(improvement, deterioration, "a share above 0, such as 0.5")
    before, after = _complete(pre, post)
    code = _sorted(orientation(better) * percentage_change(before, after), *limits)
    return np.array([*_THREE, NOT_APPLICABLE])[np.where(before == 0, 3, code)]


def anchor_categories(
    pre: ArrayLike, post: ArrayLike, *, better: str, improvement: float, deterioration: float | None = None
) -> NDArray[np.str_]:
    """Sort clients by the smallest change that matters to clients (minimal important difference, MID).

    Parameters
    ----------
    pre, post
        Scores, none missing.
    better
        "higher" or "lower".
    improvement, deterioration
        Points from which a change matters, above 0; a change of exactly this size counts. Deterioration is by default
        as large as improvement.

    Returns
    -------
    numpy.ndarray
        Text: improved, unchanged, deteriorated.

    Raises
    ------
    DesignError
        If a threshold is not above 0, or scores are missing.

    Examples
    --------
    >>> anchor_categories([20, 14, 12], [14, 12, 18], better="lower", improvement=5).tolist()
    ['improved', 'unchanged', 'deteriorated']
    """
    limits = _limits(improvement, deterioration, "points above 0")
    before, after = _complete(pre, post)
    return np.array(_THREE)[_sorted(orientation(better) * (after - before), *limits)]


def anchor_category(
    estimate: ArrayLike, conf_low: ArrayLike, conf_high: ArrayLike, *, mid: float, better: str
) -> NDArray[np.str_]:
    """Say whether the average effect on a group matters, by its interval against 0 and the smallest that matters.

    Parameters
    ----------
    estimate, conf_low, conf_high
        Difference in points of the score, raw sign, and its interval. Numbers or arrays.
    mid
        Smallest difference that matters, in points, above 0.
    better
        "higher" or "lower".

    Returns
    -------
    numpy.ndarray
        Entries of `ANCHOR_CATEGORIES`, one for every input, also for intervals that touch a limit. An interval that
        holds 0 is "statistically not significant" even if it holds the threshold too.

    Raises
    ------
    DesignError
        If the threshold is not above 0, numbers are missing, or limits are not around the estimate.

    Notes
    -----
    Five categories as in the R package clinicalsignificance, which has none for an interval around 0 where higher is
    better, and calls a significant worsening "not clinically relevant"; that is a sixth here.

    Examples
    --------
    >>> anchor_category([-9.9, -3, 1], [-13.8, -8, -1], [-6.1, -1, 3], mid=5, better="lower").tolist()[:2]
    ['large clinically significant effect', 'not significantly less than the threshold']
    """
    if not (math.isfinite(mid) and mid > 0):
        raise DesignError("the smallest difference that matters must be a number of points above 0.")
    sign = orientation(better)
    middle, one, other = (sign * np.asarray(part, dtype=float) for part in (estimate, conf_low, conf_high))
    low, high = np.minimum(one, other), np.maximum(one, other)
    if not ((low <= middle) & (middle <= high)).all():
        raise DesignError("an estimate must lie within its interval, and none of the three may be missing.")
    code = np.select([high < 0, low <= 0, high < mid, middle < mid, low < mid], range(5), default=5)
    return np.array(ANCHOR_CATEGORIES)[code]


def anchor_within(pre: ArrayLike, post: ArrayLike, *, mid: float, better: str, conf_level: float = 0.95) -> Estimate:
    """Return the average change of one group in points, with its category against the smallest that matters.

    Not an effect of the service: without a comparison arm it holds all that would have happened anyway.

    Parameters
    ----------
    pre, post
        Scores of the same clients in the same order, none missing.
    mid, better
        As in `anchor_category`.
    conf_level
        Level of the interval.

    Returns
    -------
    Estimate
        Paired t interval, raw sign; the last words of `method` are the category.

    Raises
    ------
    DataError
        If scores are missing, do not vary, or there are fewer than two clients.
    DesignError
        As `anchor_category`.

    Examples
    --------
    >>> row = anchor_within([20, 14, 25, 18], [9, 8, 13, 10], mid=5, better="lower")
    >>> round(row.estimate, 2), row.method.split("; ")[-1]
    (-9.25, 'probably clinically significant effect')
    """
    before, after = pairs(pre, post, name="anchor_within")
    change = after - before
    df = change.size - 1
    error = float(change.std(ddof=1)) / math.sqrt(change.size)
    numbers = float(change.mean()), error, float(df), change.size
    return _row(("change", "mean_change", "paired t"), numbers, mid=mid, better=better, conf_level=conf_level)


def anchor_between(
    treated: ArrayLike, control: ArrayLike, *, mid: float, better: str, conf_level: float = 0.95
) -> Estimate:
    """Return the difference of two groups in points, with its category against the smallest that matters.

    For clients who are independent of each other. Where they come in groups or agencies use a design that knows of them
    and pass its interval to `anchor_category`.

    Parameters
    ----------
    treated, control
        Scores after the service, none missing.
    mid, better
        As in `anchor_category`.
    conf_level
        Level of the interval.

    Returns
    -------
    Estimate
        treated - control, Welch's t interval, raw sign; the last words of `method` are the category.

    Raises
    ------
    DataError
        If scores are missing or there are fewer than two in an arm.
    DesignError
        As `anchor_category`.

    Examples
    --------
    >>> row = anchor_between([9, 8, 13, 10], [20, 14, 25, 18], mid=5, better="lower")
    >>> round(row.estimate, 2), round(row.df, 2), row.method.split("; ")[-1]
    (-9.25, 4.28, 'probably clinically significant effect')
    """
    one, other = varying(treated, name="treated"), varying(control, name="control")
    parts = np.array([one.var(ddof=1) / one.size, other.var(ddof=1) / other.size])
    df = float(parts.sum() ** 2 / (parts**2 / [one.size - 1, other.size - 1]).sum())
    numbers = float(one.mean() - other.mean()), math.sqrt(parts.sum()), df, one.size + other.size
    names = "arm[treated]", "mean_difference", "Welch t"
    return _row(names, numbers, mid=mid, better=better, conf_level=conf_level)


def _row(
    names: tuple[str, str, str],
    numbers: tuple[float, float, float, int],
    *,
    mid: float,
    better: str,
    conf_level: float,
) -> Estimate:
    """Return the row of a difference in points, from term, measure and test, and estimate, error, df and n."""
    (term, measure, test), (estimate, error, df, n) = names, numbers
    if not 0 < conf_level < 1:
        raise DesignError("conf_level must lie between 0 and 1, for example 0.95.")
    reach = float(special.stdtrit(df, (1 + conf_level) / 2)) * error
    category = str(anchor_category(estimate, estimate - reach, estimate + reach, mid=mid, better=better))
    statistic = estimate / error
    return Estimate(
        term=term,
        measure=measure,
        estimate=estimate,
        std_error=error,
        conf_low=estimate - reach,
        conf_high=estimate + reach,
        conf_level=conf_level,
        statistic=statistic,
        df=df,
        p_value=float(2 * special.stdtr(df, -abs(statistic))),
        null=0.0,
        better=better,
        n=n,
        metric="raw",
        level_outcome="client",
        method=f"difference in points, {test}; against a smallest difference that matters of {mid:g}; {category}",
    )


def _limits(improvement: float, deterioration: float | None, what: str) -> tuple[float, float]:
    """Return both thresholds."""
    limits = improvement, improvement if deterioration is None else deterioration
    if not all(math.isfinite(limit) and limit > 0 for limit in limits):
        raise DesignError(f"improvement and deterioration must be {what}.")
    return limits


def _sorted(change: FloatArray, improvement: float, deterioration: float) -> NDArray[np.intp]:
    """Return 0 improved, 1 unchanged, 2 deteriorated, for changes in the wanted direction."""
    return np.where(change >= improvement, 0, np.where(change <= -deterioration, 2, 1))


def _complete(pre: ArrayLike, post: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return scores before and after, none missing."""
    before, after = np.asarray(pre, dtype=float), np.asarray(post, dtype=float)
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise DesignError("only clients with a score before and after can be sorted into categories.")
    return before, after
