"""Trend within phases, autocorrelation, and the conservative dual criterion of single cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sweval.effects.case_arrays import FloatArray, Phase, PhasePair, mean, median, phase_pair, rectangular, variance
from sweval.effects.nonoverlap_counts import binomial_tail, trend_line
from sweval.errors import DataError, DesignError, did_you_mean

__all__ = [
    "autocorrelation",
    "conservative_dual_criterion",
    "phase_trend",
    "within_phase_autocorrelation",
]

_TRENDS = ("ols", "bisplit", "trisplit")


@dataclass(frozen=True, kw_only=True, eq=False)
class Trend:
    """Straight line of each series: value at its first time, slope per unit of time, standardised slope."""

    intercept: FloatArray
    slope: FloatArray
    beta: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class DualCriterion:
    """What the conservative dual criterion finds.

    Attributes
    ----------
    count, total
        Treated measurements better than both lines, and all.
    needed
        The fewest that would be more than chance at .05 (one-sided); more than `total` where nothing would be.
    p_value
        One-sided binomial p of `count` of `total` where each has one half.
    changed
        1 where p is below .05, else 0.
    """

    count: FloatArray
    total: FloatArray
    needed: FloatArray
    p_value: FloatArray
    changed: FloatArray


def phase_trend(values: Phase, *, time: Phase | None = None, shape: Literal["linear", "squared"] = "linear") -> Trend:
    """Return the least squares trend of each series.

    Parameters
    ----------
    values
        One series in the order of time, or many. Missing values are left out.
    time
        Times; by default 0, 1, 2, ... The first time of each series is taken as 0.
    shape
        "linear", or "squared": on the square of time alone, as scan's quadratic trend.

    Returns
    -------
    Trend
        nan where there is one measurement; `beta` is nan where all values are equal.

    Raises
    ------
    DataError, DesignError
        If the input is no series, or the shape is unknown.

    Examples
    --------
    >>> found = phase_trend([3, 5, 7, 9])
    >>> float(found.intercept), float(found.slope), round(float(found.beta), 6)
    (3.0, 2.0, 1.0)
    """
    if shape not in ("linear", "squared"):
        raise DesignError(f'shape="{shape}" is unknown.', fix='Use "linear" or "squared".')
    y, single = rectangular(values, name="values")
    t = (
        np.broadcast_to(np.arange(y.shape[1], dtype=float), y.shape)
        if time is None
        else rectangular(time, name="time")[0]
    )
    if t.shape != y.shape:
        raise DataError("every value needs a time, and every time a value.", where="time")
    there = np.isfinite(y) & np.isfinite(t)
    count = there.sum(axis=1).astype(float)
    if (count == 0).any():
        raise DataError(f"{int((count == 0).sum())} of {len(y)} series have no measurement.")
    y, t = np.where(there, y, np.nan), np.where(there, t, np.nan)
    x = t - np.nanmin(t, axis=1)[:, None]
    x = x**2 if shape == "squared" else x
    away = x - mean(x, count)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.nansum(away * y, axis=1) / np.nansum(away**2, axis=1)
        beta = slope * np.sqrt(variance(x, count) / variance(y, count))
    intercept = mean(y, count) - slope * mean(x, count)
    one = 0 if single else slice(None)
    return Trend(intercept=intercept[one], slope=slope[one], beta=np.where(np.isfinite(beta), beta, np.nan)[one])


def autocorrelation(values: Phase, *, lags: int = 3) -> FloatArray:
    """Return the autocorrelations of each series, the last axis being the lags 1, 2, ...

    Measurements are taken as equally spaced. In a short series the estimate is low by about (1 + 3 r)/n, and no test of
    it has power: do not conclude from a small one that there is none.

    Parameters
    ----------
    values
        One series in the order of time, or many. Missing values are left out.
    lags
        How many.

    Returns
    -------
    array
        Shape (lags,), or (series, lags) where many were given.

    Raises
    ------
    DesignError
        If `lags` is below 1.

    Notes
    -----
    r_k = sum (y_t - mean)(y_{t+k} - mean) / sum (y_t - mean)^2, as R's `acf`; nan where all values are equal or the
    series is not longer than the lag.

    Examples
    --------
    >>> autocorrelation([1, 2, 3, 4, 5], lags=2).round(2).tolist()
    [0.4, -0.1]
    """
    if lags < 1:
        raise DesignError("lags must be 1 or more.")
    y, single = rectangular(values, name="values")
    there = np.isfinite(y)
    y = np.take_along_axis(y, np.argsort(~there, axis=1, kind="stable"), axis=1)
    count = there.sum(axis=1).astype(float)
    away = y - mean(y, np.maximum(count, 1))[:, None]
    total = np.nansum(away**2, axis=1)
    found = np.full((len(y), lags), np.nan)
    for lag in range(1, lags + 1):
        if lag < y.shape[1]:
            products = np.nansum(away[:, lag:] * away[:, :-lag], axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                found[:, lag - 1] = np.where((count > lag) & (total > 0), products / total, np.nan)
    return found[0] if single else found


def within_phase_autocorrelation(baseline: Phase, treated: Phase) -> float:
    """Return one lag-1 autocorrelation of the residuals from the phase means, pooled over phases and cases.

    One short series says next to nothing about its autocorrelation; many together do. It is what the adjusted intervals
    of `SingleCase` use.

    Parameters
    ----------
    baseline, treated
        As for `nonoverlap_of_all_pairs`.

    Returns
    -------
    float
        Between -1 and 1; nan where nothing varies. A trend within phases looks like autocorrelation and is counted.

    Raises
    ------
    DataError
        If a case lacks a phase.

    Notes
    -----
    r is the sum of lagged products over the sum of squares. Residuals from a mean of n values give r of about
    -1/n where there is none, and a slope below one in phi; the bias, -(1 + 3 phi)/n to first order (Huitema and McKean
    1991, doi:10.1037/0033-2909.110.2.291), is taken off with the average length of the phases.

    Examples
    --------
    >>> round(within_phase_autocorrelation([3, 4, 5, 4, 3, 2], [8, 9, 9, 8, 7, 6, 7, 8]), 2)
    1.0
    """
    pair = phase_pair(baseline, treated, better="higher")
    lagged = squares = weight = 0.0
    for values, n in ((pair.baseline, pair.m), (pair.treated, pair.n)):
        away = values - mean(values, n)[:, None]
        own = np.nansum(away**2, axis=1)
        lagged += float(np.nansum(away[:, 1:] * away[:, :-1]))
        squares += float(own.sum())
        weight += float((own / n).sum())
    if squares == 0:
        return float("nan")
    shorter = weight / squares  # the average of 1/n, weighted as r is
    r = lagged / squares
    return float(np.clip((r + shorter) / max(1 - 3 * shorter, 0.1), -1.0, 1.0))


def conservative_dual_criterion(
    baseline: Phase,
    treated: Phase,
    *,
    better: str = "higher",
    trend: Literal["ols", "bisplit", "trisplit"] = "ols",
    shift: float = 0.25,
    time: tuple[Phase, Phase] | None = None,
) -> DualCriterion:
    """Return whether more treated measurements than chance are better than the baseline's mean and its trend.

    A rule for reading graphs alike, not a test that holds with autocorrelation.

    Parameters
    ----------
    baseline, treated, better
        As for `nonoverlap_of_all_pairs`; the baseline has two measurements or more.
    trend
        "ols", or a line through the medians of halves ("bisplit") or of the outer thirds ("trisplit").
    shift
        By how many standard deviations of the baseline both lines are moved towards improvement; 0 is the dual
        criterion without caution.
    time
        Times of both phases; by default 1, 2, ... without gaps.

    Returns
    -------
    DualCriterion

    Raises
    ------
    DataError, DesignError
        If a baseline is too short (2, for the split lines 5 in both phases), or an argument is unknown.

    Notes
    -----
    Fisher, Kelley and Lomas (2003), doi:10.1901/jaba.2003.36-387.

    Examples
    --------
    >>> found = conservative_dual_criterion([3, 4, 3, 5], [7, 8, 7, 9, 8, 9, 10, 9])
    >>> int(found.count), int(found.needed), round(float(found.p_value), 4)
    (8, 7, 0.0039)
    """
    if trend not in _TRENDS:
        raise DesignError(f'trend="{trend}" is unknown.', fix=did_you_mean(str(trend), _TRENDS))
    if not (np.isfinite(shift) and shift >= 0):
        raise DesignError("shift must be 0 or more.")
    pair = phase_pair(baseline, treated, better=better, time=time, least=(2, 1))
    if trend != "ols" and min(pair.m.min(), pair.n.min()) < 5:
        raise DataError("lines through medians of parts need five measurements or more in both phases.")
    line = trend_line(pair)[0] if trend == "ols" else _split_line(pair, parts=2 if trend == "bisplit" else 3)
    up = shift * np.sqrt(variance(pair.baseline, pair.m))[:, None]
    above = (pair.treated > line + up) & (pair.treated > mean(pair.baseline, pair.m)[:, None] + up)
    count = above.sum(axis=1).astype(float)
    p = binomial_tail(count, pair.n)
    shape = pair.shaped
    return DualCriterion(
        count=shape(count),
        total=shape(pair.n),
        needed=shape(_needed(pair.n)),
        p_value=shape(p),
        changed=shape(p < 0.05),
    )


def _needed(total: FloatArray) -> FloatArray:
    """Return the fewest successes with a one-sided binomial p below .05."""
    wanted = np.arange(total.max() + 2)
    p = binomial_tail(wanted[None, :], np.broadcast_to(total[:, None], (len(total), wanted.size)))
    return np.argmax(p < 0.05, axis=1).astype(float)


def _split_line(pair: PhasePair, *, parts: int) -> FloatArray:
    """Return the line through the medians of the first and last part of each baseline, at the treated times."""
    place = np.arange(pair.baseline.shape[1])
    head = place < np.floor(pair.m / parts)[:, None]
    start = np.ceil(pair.m * (parts - 1) / parts)[:, None]
    tail = (place >= start) & (place < pair.m[:, None])

    def middle(values: FloatArray, where: NDArray[np.bool_]) -> FloatArray:
        return median(np.where(where, values, np.nan))

    t0, t1 = middle(pair.baseline_time, head), middle(pair.baseline_time, tail)
    y0, y1 = middle(pair.baseline, head), middle(pair.baseline, tail)
    slope = ((y1 - y0) / (t1 - t0))[:, None]
    return np.asarray(y0[:, None] + slope * (pair.treated_time - t0[:, None]))
