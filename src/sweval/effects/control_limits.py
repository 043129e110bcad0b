"""Control charts: limits from the baseline, and which later measurements fall outside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from sweval.effects.case_arrays import FloatArray
from sweval.effects.samples import orientation
from sweval.errors import DataError, DesignError, did_you_mean

__all__ = ["control_chart", "proportion_frequency_test"]

Kind = Literal["individuals", "moving_range", "band", "proportion", "count"]
_KINDS = ("individuals", "moving_range", "band", "proportion", "count")
_D2, _D4 = 1.1283791670955126, 3.2665316  # of ranges of two normal values: 2/sqrt(pi), and 1 + 3 d3/d2


@dataclass(frozen=True, kw_only=True, eq=False)
class ControlChart:
    """Limits of a control chart and what lies outside.

    Attributes
    ----------
    centre
        The baseline's mean (of moving ranges: theirs).
    low, high
        Limits, one per measurement that was charted (baseline first); they differ for proportions only.
    sigma
        The standard deviation behind them; one per measurement for proportions.
    charted
        What was charted: values, moving ranges or proportions, baseline first.
    outside
        Whether each lies outside the limits.
    better_outside
        Treated measurements outside on the side of improvement.
    two_in_a_row
        Whether two treated ones in a row lie outside on that side, the usual rule with a 2-sd band.
    """

    centre: float
    low: FloatArray
    high: FloatArray
    sigma: FloatArray
    charted: FloatArray
    outside: NDArray[np.bool_]
    better_outside: int
    two_in_a_row: bool


@dataclass(frozen=True, kw_only=True)
class ProportionTest:
    """Share of successes in both phases and the two-sided binomial p of the second where the first is the truth."""

    share_baseline: float
    share_treated: float
    p_value: float


def control_chart(
    baseline: ArrayLike,
    treated: ArrayLike,
    *,
    better: str = "higher",
    kind: Kind = "individuals",
    width: float | None = None,
    trials: tuple[ArrayLike, ArrayLike] | None = None,
) -> ControlChart:
    """Return limits within which measurements stay while nothing changes, and which treated ones leave them.

    The limits take measurements as independent. Where one day resembles the next, ranges between neighbours are small,
    limits from them too narrow, and points outside no news.

    Parameters
    ----------
    baseline, treated
        Values of one case in the order of time; for "proportion" and "count" the numbers of events. None missing.
    better
        "higher" or "lower".
    kind
        "individuals": mean and 3 sigma, sigma being the mean moving range over 1.128 (X-mR chart). "moving_range": the
        ranges themselves (mR chart). "band": mean and 2 standard deviations. "proportion": of `trials` (p chart).
        "count": of events (c chart).
    width
        Number of sigmas; by default 3, for "band" 2.
    trials
        Opportunities of each measurement of both phases, for "proportion".

    Returns
    -------
    ControlChart

    Raises
    ------
    DataError, DesignError
        If the baseline has fewer than two measurements, a value is missing or impossible, or an argument is unknown.

    Notes
    -----
    Sigma is not rounded. A lower limit of ranges, proportions and counts is not below 0.

    Examples
    --------
    >>> chart = control_chart([5, 7, 6, 8, 6], [9, 12, 13], kind="band")
    >>> round(chart.centre, 2), chart.high[0].round(2).item(), chart.two_in_a_row
    (6.4, 8.68, True)
    """
    if kind not in _KINDS:
        raise DesignError(f'kind="{kind}" is unknown.', fix=did_you_mean(str(kind), _KINDS))
    if width is not None and not (np.isfinite(width) and width > 0):
        raise DesignError("width must be above zero: the number of standard deviations to each side.")
    sign = orientation(better)
    a, b = _series(baseline, "baseline"), _series(treated, "treated")
    if a.size < 2:
        raise DataError(f"limits need two measurements or more in the baseline; there are {a.size}.")
    k = width if width is not None else 2.0 if kind == "band" else 3.0
    values, first, ceiling = np.concatenate([a, b]), a.size, np.inf
    if kind == "moving_range":
        values, first = np.abs(np.diff(values)), a.size - 1
        centre = float(np.abs(np.diff(a)).mean())
        sigma = np.full(values.size, centre * (_D4 - 1) / 3)
    elif kind == "proportion":
        done = _trials(trials, a, b)
        centre = float(a.sum() / done[: a.size].sum())
        values, ceiling = values / done, 1.0
        sigma = np.sqrt(centre * (1 - centre) / done)
    else:
        centre = float(a.mean())
        if kind == "count" and (values < 0).any():
            raise DataError(f"{int((values < 0).sum())} counts are below 0.")
        one = float(np.sqrt(max(centre, 0.0))) if kind == "count" else baseline_sigma(a, kind)
        sigma = np.full(values.size, one)
    floor = -np.inf if kind in ("individuals", "band") else 0.0
    low, high = np.maximum(centre - k * sigma, floor), np.minimum(centre + k * sigma, ceiling)
    side = (values > high) if sign > 0 else (values < low)
    later = side[first:]
    return ControlChart(
        centre=centre,
        low=low,
        high=high,
        sigma=sigma,
        charted=values,
        outside=(values > high) | (values < low),
        better_outside=int(later.sum()),
        two_in_a_row=bool((later[1:] & later[:-1]).any()),
    )


def proportion_frequency_test(
    successes_baseline: int, n_baseline: int, successes_treated: int, n_treated: int
) -> ProportionTest:
    """Return the binomial test of a share of good days against that of the baseline.

    The share of the baseline is taken as known, which a short one does not deserve: the p-value is too small.

    Parameters
    ----------
    successes_baseline, n_baseline, successes_treated, n_treated
        Measurements that meet a criterion set beforehand, and all measurements of the phase.

    Returns
    -------
    ProportionTest
        Two-sided: outcomes no more likely than the one seen.

    Raises
    ------
    DataError
        If a number is no count, or the baseline's share is 0 or 1, where every other outcome would be impossible.

    Examples
    --------
    >>> found = proportion_frequency_test(2, 10, 7, 12)
    >>> round(found.p_value, 4)
    0.0039
    """
    for done, all_of in ((successes_baseline, n_baseline), (successes_treated, n_treated)):
        if not (float(done).is_integer() and float(all_of).is_integer() and 0 <= done <= all_of and all_of > 0):
            raise DataError("successes are whole numbers between 0 and the number of measurements.")
    share = successes_baseline / n_baseline
    if share in (0, 1):
        raise DataError(
            f"in the baseline {'no' if share == 0 else 'every'} measurement meets the criterion, so no share can be "
            "tested against it.",
            fix="Take a criterion that is met now and then in the baseline, or compare with NAP.",
        )
    k = np.arange(n_treated + 1)
    log_chance = (
        gammaln(n_treated + 1)
        - gammaln(k + 1)
        - gammaln(n_treated - k + 1)
        + k * np.log(share)
        + (n_treated - k) * np.log1p(-share)
    )
    chance = np.exp(log_chance)
    as_rare = chance <= chance[successes_treated] * (1 + 1e-7)
    return ProportionTest(
        share_baseline=share,
        share_treated=successes_treated / n_treated,
        p_value=float(min(1.0, chance[as_rare].sum())),
    )


def baseline_sigma(values: FloatArray, kind: Literal["individuals", "band"]) -> float:
    """Return sigma of an "individuals" or "band" chart; missing values (nan) are left out, and ranges across them."""
    if kind == "band":
        return float(np.std(values[np.isfinite(values)], ddof=1))
    ranges = np.abs(np.diff(values))
    return float(ranges[np.isfinite(ranges)].mean()) / _D2


def _series(values: ArrayLike, name: str) -> FloatArray:
    """Return a complete series."""
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError("the measurements hold entries that are no numbers.", where=name) from error
    if found.ndim != 1:
        raise DataError("measurements come as one list of numbers.", where=name)
    missing = int((~np.isfinite(found)).sum())
    if missing:
        raise DataError(f"{missing} of {found.size} measurements are missing.", where=name, fix="Leave them out first.")
    return found


def _trials(trials: tuple[ArrayLike, ArrayLike] | None, a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the opportunities of all measurements."""
    if trials is None:
        raise DesignError("a proportion needs the number of opportunities.", fix="Give trials=(baseline, treated).")
    done = np.concatenate([_series(trials[0], "trials"), _series(trials[1], "trials")])
    values = np.concatenate([a, b])
    if done.size != values.size or (done <= 0).any() or (values > done).any() or (values < 0).any():
        raise DataError("every measurement needs its opportunities, above 0 and no fewer than its events.")
    return done
