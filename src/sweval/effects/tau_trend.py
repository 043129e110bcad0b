"""Tau with a correction for a trend that was there before the service, and the family called Tau-U."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from sweval.effects.case_arrays import CaseEffect, Phase, PhasePair, in_blocks, level, phase_pair
from sweval.effects.kendall import Kendall, kendall, theil_sen, trend_p_value
from sweval.effects.nonoverlap import STANDARD_ERRORS, StandardError, as_tau, nap_of
from sweval.errors import DataError, DesignError, did_you_mean

__all__ = ["combine_tau", "tau_baseline_corrected", "tau_u"]

FloatArray = NDArray[np.float64]
Variant = Literal["parker", "tarlow", "complete"]
_VARIANTS = ("parker", "tarlow", "complete")
_EQUAL = 1e-9  # residuals closer than this share of the series' range are ties that rounding has parted

COMPARISONS = (
    "A vs. B",
    "Trend A",
    "Trend B",
    "A vs. B - Trend A",
    "A vs. B + Trend B",
    "A vs. B + Trend B - Trend A",
)
"""The comparisons of Tau-U; A is the baseline."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TauBC:
    """Baseline-corrected Tau.

    Attributes
    ----------
    effect
        Estimate, standard error and interval.
    slope, intercept
        Theil and Sen's line of the baseline, in the units of the outcome and of time.
    trend_p_value
        Two-sided p of Kendall's test of a trend in the baseline.
    corrected
        1 where the line was taken off, else 0.
    z, p_value
        Of Kendall's test of phase and values (`method="kendall"` only, otherwise nan).
    """

    effect: CaseEffect
    slope: FloatArray
    intercept: FloatArray
    trend_p_value: FloatArray
    corrected: FloatArray
    z: FloatArray
    p_value: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class TauU:
    """All comparisons of Tau-U, each (cases, 6) in the order of `COMPARISONS`, or (6,) where one case was given.

    Attributes
    ----------
    estimate
        `s / d`; with the variant "parker" it can exceed 1.
    s, d, sd_s
        Kendall's S, what it is divided by, and its standard deviation under independence.
    std_error, z, p_value
        `estimate / z`, and the normal approximation.
    conf_low, conf_high
        By Fisher's z with n - 3, as scan does; nan where the estimate is 1 or more.
    """

    estimate: FloatArray
    s: FloatArray
    d: FloatArray
    sd_s: FloatArray
    std_error: FloatArray
    z: FloatArray
    p_value: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray

    def comparison(self, name: str) -> FloatArray:
        """Return the estimate of one comparison."""
        if name not in COMPARISONS:
            raise DesignError(f'there is no comparison "{name}".', fix=did_you_mean(name, COMPARISONS))
        return np.asarray(self.estimate[..., COMPARISONS.index(name)])


def tau_baseline_corrected(
    baseline: Phase,
    treated: Phase,
    *,
    better: str = "higher",
    method: Literal["nonoverlap", "kendall"] = "nonoverlap",
    correct: Literal["always", "if_significant"] = "always",
    time: tuple[Phase, Phase] | None = None,
    std_error: StandardError = "unbiased",
    conf_level: float = 0.95,
) -> TauBC:
    """Return Tau after taking off the trend of the baseline.

    Use it where clients were already getting better (or worse) before the service. With a short baseline its line is
    little more than noise, which is drawn on through the whole treated phase.

    Parameters
    ----------
    baseline, treated, better
        As for `nonoverlap_of_all_pairs`; the baseline has two measurements or more.
    method
        "nonoverlap": Tau of the corrected values, as SingleCaseES. "kendall": tau-b with phase, as Tarlow and scan.
    correct
        "always", or "if_significant": only where Kendall's test finds a trend at .05, which makes the index jump.
    time
        Times of both phases; by default 1, 2, ... without gaps.
    std_error
        Of "nonoverlap", as for `nonoverlap_of_all_pairs`; SingleCaseES has "without_ties".
    conf_level
        Of the interval, which takes the line as known and measurements as independent: it is too narrow.

    Returns
    -------
    TauBC

    Raises
    ------
    DataError, DesignError
        If a baseline has fewer than two measurements, or an argument is unknown.

    Notes
    -----
    Tarlow (2017), doi:10.1177/0145445516676750. Standard error of "kendall": sqrt(2 (1 - tau^2) / (m + n)), as there.

    Examples
    --------
    >>> found = tau_baseline_corrected([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])
    >>> float(found.effect.estimate), float(found.slope)
    (0.0, 1.0)
    """
    for name, value, known in (
        ("method", method, ("nonoverlap", "kendall")),
        ("correct", correct, ("always", "if_significant")),
        ("std_error", std_error, STANDARD_ERRORS),
    ):
        if value not in known:
            raise DesignError(f'{name}="{value}" is unknown.', fix=did_you_mean(str(value), known))
    pair = phase_pair(baseline, treated, better=better, time=time, least=(2, 1))
    corrected, line = baseline_corrected(pair, only_if_significant=correct == "if_significant")
    shape = pair.shaped
    if method == "nonoverlap":
        effect = as_tau(nap_of(corrected, std_error=std_error, conf_level=conf_level))
        z = p = shape(np.full(len(pair.m), np.nan))
    else:
        tau, z, p = in_blocks(corrected, _with_phase)
        tau = np.where(np.isfinite(tau), tau, 0.0)
        se = np.sqrt(2 / (pair.m + pair.n) * (1 - tau**2))
        reach = float(ndtri((1 + level(conf_level)) / 2)) * se
        z, p = shape(z), shape(p)
        effect = CaseEffect(
            estimate=shape(tau),
            std_error=shape(se),
            conf_low=shape(np.maximum(tau - reach, -1)),
            conf_high=shape(np.minimum(tau + reach, 1)),
            n_baseline=shape(pair.m),
            n_treated=shape(pair.n),
        )
    sign = 1.0 if better == "higher" else -1.0
    return TauBC(
        effect=effect,
        slope=shape(sign * line.slope),
        intercept=shape(sign * line.intercept),
        trend_p_value=shape(line.p_value),
        corrected=shape(line.used),
        z=z,
        p_value=p,
    )


def tau_u(
    baseline: Phase, treated: Phase, *, variant: Variant, better: str = "higher", conf_level: float = 0.95
) -> TauU:
    """Return Tau-U, of which there are several: the variant must be named, and reported.

    One and the same case can give 1.05, .92 and .67. Prefer `tau_nonoverlap` and `tau_baseline_corrected`; use this to
    compare with older studies.

    Parameters
    ----------
    baseline, treated, better
        As for `nonoverlap_of_all_pairs`; both phases have two measurements or more.
    variant
        "parker": S over the m x n pairs of the phases, as in the paper and in SingleCaseES; it can exceed 1.
        "tarlow": over all pairs that were compared, with continuity correction. "complete": tau-b (scan's default).
    conf_level
        Of the interval.

    Returns
    -------
    TauU
        What is mostly meant by Tau-U is the comparison "A vs. B - Trend A".

    Raises
    ------
    DataError, DesignError
        If a phase has fewer than two measurements, or the variant is unknown.

    Notes
    -----
    Parker, Vannest, Davis and Sauber (2011), doi:10.1016/j.beth.2010.08.006; Brossart, Laird and Armstrong (2018),
    doi:10.1080/23311908.2018.1518687, on the confusion.

    Examples
    --------
    >>> found = tau_u([3, 3, 4, 5], [4, 5, 6, 7, 7], variant="parker")
    >>> print(f"{found.comparison('A vs. B - Trend A'):.2f}")
    0.55
    """
    if variant not in _VARIANTS:
        raise DesignError(f'variant="{variant}" is unknown.', fix=did_you_mean(str(variant), _VARIANTS))
    pair = phase_pair(baseline, treated, better=better, least=(2, 2))
    m, n = pair.m, pair.n

    def work(part: PhasePair) -> tuple[FloatArray, ...]:
        tests = [kendall(x, y, continuity=variant == "tarlow") for x, y in _series(part)]
        ties = (part.baseline[:, :, None] == part.treated[:, None, :]).sum(axis=(1, 2))
        return *(_stacked(tests, name) for name in ("s", "d", "sd", "z", "p_value", "n")), ties.astype(float)

    s, d, sd, z, p, count, ties = in_blocks(pair, work)
    between, within_a, within_b, total = m * n, m * (m - 1) / 2, n * (n - 1) / 2, (m + n) * (m + n - 1) / 2
    if variant == "complete":
        d[:, 0] = between - ties / 2
    else:
        minus = between if variant == "parker" else between + within_a
        d = np.stack([between, within_a, within_b, minus, between + within_b, total], axis=1)
    if variant != "tarlow":  # without ties, as the paper has them
        sd[:, 0] = np.sqrt(between * (m + n + 1) / 3)
        for column, size in ((1, m), (2, n)):
            sd[:, column] = np.sqrt(size * (size - 1) * (2 * size + 5) / 18)
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = s / d
        se = tau / z
        centre = np.arctanh(np.where(np.abs(tau) < 1, tau, np.nan))
        reach = float(ndtri((1 + level(conf_level)) / 2)) / np.sqrt(np.where(count > 3, count - 3, np.nan))
    one = 0 if pair.single else slice(None)
    return TauU(
        estimate=tau[one],
        s=s[one],
        d=d[one],
        sd_s=sd[one],
        std_error=np.abs(se)[one],
        z=z[one],
        p_value=p[one],
        conf_low=np.tanh(centre - reach)[one],
        conf_high=np.tanh(centre + reach)[one],
    )


def combine_tau(tau: ArrayLike, n: ArrayLike, *, conf_level: float = 0.95) -> tuple[float, float, float, float]:
    """Return the mean of Tau over cases by Fisher's z with weights n - 3, its interval and p, as scan does.

    Parameters
    ----------
    tau, n
        Tau and number of measurements of each case.
    conf_level
        Of the interval.

    Returns
    -------
    tuple
        Mean, lower limit, upper limit, two-sided p.

    Raises
    ------
    DataError
        If a Tau is -1, 1 or beyond, where z is infinite, or a case has three measurements or fewer.

    Examples
    --------
    >>> mean, low, high, p = combine_tau([0.5, 0.7], [20, 25])
    >>> print(f"{mean:.3f} [{low:.3f}, {high:.3f}]")
    0.622 [0.393, 0.779]
    """
    tau, n = np.atleast_1d(np.asarray(tau, dtype=float)), np.atleast_1d(np.asarray(n, dtype=float))
    odd = int((~(np.abs(tau) < 1)).sum())
    if odd:
        raise DataError(
            f"{odd} of {tau.size} values of Tau are missing, 1 or beyond, where Fisher's z has no value.",
            fix="Use the plain mean, or NAP.",
        )
    if (n <= 3).any():
        raise DataError("every case needs more than three measurements.")
    weight = n - 3
    centre = float((np.arctanh(tau) * weight).sum() / weight.sum())
    se = float(1 / np.sqrt(weight.sum()))
    reach = float(ndtri((1 + level(conf_level)) / 2)) * se
    limits = float(np.tanh(centre - reach)), float(np.tanh(centre + reach))
    return float(np.tanh(centre)), *limits, float(2 * ndtr(-abs(centre / se)))


@dataclass(frozen=True, kw_only=True, eq=False)
class BaselineLine:
    """Line of each baseline (oriented), the p of its trend, and whether it was taken off."""

    intercept: FloatArray
    slope: FloatArray
    p_value: FloatArray
    used: FloatArray


def baseline_corrected(pair: PhasePair, *, only_if_significant: bool = False) -> tuple[PhasePair, BaselineLine]:
    """Return the phases less the baseline's line; values that rounding has parted are made equal again."""
    intercept, slope, p = in_blocks(pair, _line)
    used = np.isfinite(slope) & (~np.isfinite(p) | (p <= 0.05) if only_if_significant else True)
    off = np.where(used, intercept, 0.0)[:, None], np.where(used, slope, 0.0)[:, None]
    a = pair.baseline - off[0] - off[1] * pair.baseline_time
    b = pair.treated - off[0] - off[1] * pair.treated_time
    step = _EQUAL * np.maximum(
        np.nanmax(np.abs(np.concatenate([pair.baseline, pair.treated], axis=1)), axis=1), np.finfo(float).tiny
    )
    grid = (2.0 ** np.ceil(np.log2(step)))[:, None]
    line = BaselineLine(intercept=intercept, slope=slope, p_value=p, used=used.astype(float))
    return pair.shifted(np.round(a / grid) * grid, np.round(b / grid) * grid), line


def _series(pair: PhasePair) -> list[tuple[FloatArray, FloatArray]]:
    """Return values and order of each comparison: an order that falls in the baseline takes its trend off."""
    both = np.concatenate([pair.baseline, pair.treated], axis=1)
    a, b = np.isfinite(pair.baseline), np.isfinite(pair.treated)
    place_a = np.where(a, np.arange(1.0, a.shape[1] + 1), np.nan)
    place_b = np.where(b, np.arange(1.0, b.shape[1] + 1), np.nan)
    back, ones = pair.m[:, None] + 1 - place_a, np.where(b, pair.m[:, None] + 1, np.nan)
    after = pair.m[:, None] + place_b
    zeros = np.where(a, 0.0, np.nan)

    def joined(one: FloatArray, other: FloatArray) -> FloatArray:
        return np.concatenate([one, other], axis=1)

    return [
        (both, joined(zeros, ones)),
        (pair.baseline, place_a),
        (pair.treated, place_b),
        (both, joined(back, ones)),
        (both, joined(zeros, after)),
        (both, joined(back, after)),
    ]


def _with_phase(pair: PhasePair) -> tuple[FloatArray, ...]:
    """Return tau-b of values and phase, with its test."""
    test = kendall(*_series(pair)[0])
    return test.tau_b, test.z, test.p_value


def _line(pair: PhasePair) -> tuple[FloatArray, ...]:
    """Return Theil and Sen's line of the baseline and the p of its trend."""
    intercept, slope = theil_sen(pair.baseline, pair.baseline_time)
    return intercept, slope, trend_p_value(pair.baseline, pair.baseline_time)


def _stacked(tests: list[Kendall], name: str) -> FloatArray:
    return np.stack([getattr(test, name) for test in tests], axis=1)
