"""Shares of measurements that do not overlap: PND, PEM, PET, PAND and the improvement rate difference.

They describe. Only PEM, PET and PAND come with tests, which take measurements as independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, chdtrc, ndtri

from sweval.effects.case_arrays import Phase, PhasePair, in_blocks, level, mean, median, phase_pair
from sweval.errors import DesignError, did_you_mean

__all__ = [
    "improvement_rate_difference",
    "percentage_exceeding_median",
    "percentage_exceeding_trend",
    "percentage_of_all_nonoverlapping_data",
    "percentage_of_nonoverlapping_data",
]

FloatArray = NDArray[np.float64]
_PAND = ("exact", "sort")


@dataclass(frozen=True, kw_only=True, eq=False)
class Exceeding:
    """Share of treated measurements above a line, and tests of it against one half.

    Attributes
    ----------
    estimate
        The share, 0 to 1.
    count, total
        Measurements strictly above the line, and all of them.
    p_binomial
        One-sided p of the binomial test (independent measurements).
    chi_square, p_chi_square
        Pearson's test with 1 degree of freedom, without continuity correction.
    beyond_limit
        Share above the upper limit of the line (`percentage_exceeding_trend` only, otherwise nan).
    """

    estimate: FloatArray
    count: FloatArray
    total: FloatArray
    p_binomial: FloatArray
    chi_square: FloatArray
    p_chi_square: FloatArray
    beyond_limit: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class AllNonoverlap:
    """PAND with the table behind it; `phi`, `chi_square` and `p_value` belong to the method "sort"."""

    estimate: FloatArray
    n_baseline: FloatArray
    n_treated: FloatArray
    phi: FloatArray
    chi_square: FloatArray
    p_value: FloatArray


def percentage_of_nonoverlapping_data(baseline: Phase, treated: Phase, *, better: str = "higher") -> FloatArray:
    """Return PND: the share (0 to 1) of treated measurements better than the best of the baseline.

    Describe with it, do not infer: it has no standard error, one lucky day decides it, and it falls the longer the
    baseline is.

    Parameters
    ----------
    baseline, treated, better
        As for `nonoverlap_of_all_pairs`.

    Returns
    -------
    array
        One share per case; one number where one case was given.

    Raises
    ------
    DataError
        If a case lacks a phase.

    Notes
    -----
    Scruggs, Mastropieri and Casto (1987), doi:10.1177/074193258700800206.

    Examples
    --------
    >>> print(f"{percentage_of_nonoverlapping_data([20, 20, 26, 25, 22, 23], [28, 25, 24, 27, 30, 30, 29]):.3f}")
    0.714
    """
    pair = phase_pair(baseline, treated, better=better)
    return pair.shaped(pnd_of(pair))


def percentage_exceeding_median(
    baseline: Phase, treated: Phase, *, better: str = "higher", ties: Literal["half", "none"] = "half"
) -> Exceeding:
    """Return PEM: the share of treated measurements better than the median of the baseline.

    Parameters
    ----------
    baseline, treated, better
        As for `nonoverlap_of_all_pairs`.
    ties
        Measurements equal to the median count "half" (as in SingleCaseES) or "none" (as in scan). The tests always
        count those strictly better.

    Returns
    -------
    Exceeding

    Raises
    ------
    DataError, DesignError
        If a case lacks a phase, or `ties` is neither.

    Notes
    -----
    Ma (2006), doi:10.1177/0145445504272974.

    Examples
    --------
    >>> float(percentage_exceeding_median([20, 20, 26, 25, 22, 23], [28, 25, 24, 27, 30, 30, 29]).estimate)
    1.0
    """
    if ties not in ("half", "none"):
        raise DesignError('ties must be "half" or "none".')
    pair = phase_pair(baseline, treated, better=better)
    line = median(pair.baseline)[:, None]
    return _exceeding(pair, line, ties=0.5 if ties == "half" else 0.0)


def percentage_exceeding_trend(
    baseline: Phase,
    treated: Phase,
    *,
    better: str = "higher",
    conf_level: float = 0.95,
    time: tuple[Phase, Phase] | None = None,
) -> Exceeding:
    """Return PET: the share of treated measurements better than the baseline's straight line, drawn on.

    With a short baseline the line leads anywhere: a few points decide where it stands twenty sessions later.

    Parameters
    ----------
    baseline, treated, better
        As for `nonoverlap_of_all_pairs`; the baseline has two measurements or more, else there is no line.
    conf_level
        One-sided level of the line's limit, for `beyond_limit`; it is nan with two measurements in the baseline.
    time
        Times of both phases; by default 1, 2, ... without gaps.

    Returns
    -------
    Exceeding

    Raises
    ------
    DataError
        If a case lacks a phase.

    Examples
    --------
    >>> float(percentage_exceeding_trend([1, 2, 3, 4], [6, 7, 9, 9]).estimate)
    1.0
    """
    pair = phase_pair(baseline, treated, better=better, time=time)
    fit, se = trend_line(pair)
    found = _exceeding(pair, fit, ties=0.0)
    limit = fit + ndtri(level(conf_level)) * se
    beyond = (pair.treated > limit).sum(axis=1) / pair.n
    shape = pair.shaped
    known = shape(np.isfinite(fit[:, 0])) > 0
    return Exceeding(
        estimate=np.where(known, found.estimate, np.nan),
        count=np.where(known, found.count, np.nan),
        total=found.total,
        p_binomial=np.where(known, found.p_binomial, np.nan),
        chi_square=np.where(known, found.chi_square, np.nan),
        p_chi_square=np.where(known, found.p_chi_square, np.nan),
        beyond_limit=shape(np.where(np.isfinite(se[:, 0]), beyond, np.nan)),
    )


def percentage_of_all_nonoverlapping_data(
    baseline: Phase,
    treated: Phase,
    *,
    better: str = "higher",
    method: Literal["exact", "sort"] = "exact",
    pooled: bool = False,
) -> AllNonoverlap:
    """Return PAND: the largest share of all measurements that can be kept so that the phases do not overlap.

    Parameters
    ----------
    baseline, treated, better
        As for `nonoverlap_of_all_pairs`.
    method
        "exact": the definition, by search. "sort": how many measurements stay in their phase when sorted by value
        (ties: baseline first), with phi and a chi-square test that takes measurements as independent.
    pooled
        One number over all cases in place of one per case.

    Returns
    -------
    AllNonoverlap

    Raises
    ------
    DataError, DesignError
        If a case lacks a phase, or the method is unknown.

    Notes
    -----
    Parker, Hagan-Burke and Vannest (2007), doi:10.1177/00224669070400040101.

    Examples
    --------
    >>> found = percentage_of_all_nonoverlapping_data([20, 20, 26, 25, 22, 23], [28, 25, 24, 27, 30, 30, 29])
    >>> print(f"{found.estimate:.4f}")
    0.8462
    """
    if method not in _PAND:
        raise DesignError(f'method="{method}" is unknown.', fix=did_you_mean(str(method), _PAND))
    pair = phase_pair(baseline, treated, better=better)
    counted = most_kept(pair) if method == "exact" else _in_place(pair)
    m, n = pair.m, pair.n
    if pooled:
        m, n, counted = (one.sum(keepdims=True) for one in (m, n, counted))
    one = 0 if pooled or pair.single else slice(None)
    if method == "exact":
        share = counted / (m + n)
        phi = chi_square = p = np.full(len(m), np.nan)
    else:
        moved = m - counted  # measurements of each phase that stand where the other phase should
        share = 1 - 2 * moved / (m + n)
        phi = 1 - moved * (m + n) / (m * n)
        chi_square = (m + n) * phi**2
        p = chdtrc(1, chi_square)
    return AllNonoverlap(
        estimate=share[one],
        n_baseline=m[one],
        n_treated=n[one],
        phi=phi[one],
        chi_square=chi_square[one],
        p_value=p[one],
    )


def improvement_rate_difference(
    baseline: Phase, treated: Phase, *, better: str = "higher", pooled: bool = False
) -> FloatArray:
    """Return the robust improvement rate difference, PAND brought to a scale on which 0 is chance and 1 no overlap.

    Parameters
    ----------
    baseline, treated, better
        As for `nonoverlap_of_all_pairs`.
    pooled
        One number over all cases (as scan) in place of one per case (as SingleCaseES).

    Returns
    -------
    array
        One number per case; one where one case was given, or with `pooled`.

    Raises
    ------
    DataError
        If a case lacks a phase.

    Notes
    -----
    [(m + n)^2 PAND - m^2 - n^2] / (2mn); Parker, Vannest and Brown (2009), doi:10.1177/001440290907500201.

    Examples
    --------
    >>> print(f"{improvement_rate_difference([20, 20, 26, 25, 22, 23], [28, 25, 24, 27, 30, 30, 29]):.4f}")
    0.6905
    """
    found = percentage_of_all_nonoverlapping_data(baseline, treated, better=better, pooled=pooled)
    return ird_of(found.estimate, found.n_baseline, found.n_treated)


def pnd_of(pair: PhasePair) -> FloatArray:
    """Return PND of phases that are arrays already."""
    best = np.max(pair.baseline, axis=1, initial=-np.inf, where=np.isfinite(pair.baseline))
    return (pair.treated > best[:, None]).sum(axis=1) / pair.n


def most_kept(pair: PhasePair) -> FloatArray:
    """Return how many measurements can be kept: the i lowest of the baseline, and all treated above the i-th."""
    (kept,) = in_blocks(pair, _kept)
    return kept


def _kept(pair: PhasePair) -> tuple[FloatArray, ...]:
    ordered = np.sort(pair.baseline, axis=1)
    above = (pair.treated[:, None, :] > ordered[:, :, None]).sum(axis=2)
    kept = np.where(np.isfinite(ordered), np.arange(1, ordered.shape[1] + 1) + above, 0)
    return (np.maximum(kept.max(axis=1), pair.n).astype(float),)


def ird_of(pand: FloatArray, m: FloatArray, n: FloatArray) -> FloatArray:
    """Return the robust improvement rate difference from PAND."""
    return np.asarray(((m + n) ** 2 * pand - m**2 - n**2) / (2 * m * n))


def trend_line(pair: PhasePair) -> tuple[FloatArray, FloatArray]:
    """Return the baseline's least squares line at the treated times and its standard error; nan where there is none."""
    m, t = pair.m, pair.baseline_time
    centre = mean(t, m)[:, None]
    spread = np.nansum((t - centre) ** 2, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.nansum((t - centre) * pair.baseline, axis=1) / spread
        level_ = mean(pair.baseline, m)
        fitted = level_[:, None] + slope[:, None] * (t - centre)
        sigma2 = np.where(m > 2, np.nansum((pair.baseline - fitted) ** 2, axis=1) / np.maximum(m - 2, 1), np.nan)
        away = pair.treated_time - centre
        fit = level_[:, None] + slope[:, None] * away
        se = np.sqrt(sigma2[:, None] * (1 / m[:, None] + away**2 / spread[:, None]))
    known = ((m > 1) & (spread > 0))[:, None]
    return np.where(known, fit, np.nan), np.where(known, se, np.nan)


def _exceeding(pair: PhasePair, line: FloatArray, *, ties: float) -> Exceeding:
    """Count treated measurements above a line."""
    count = (pair.treated > line).sum(axis=1).astype(float)
    equal = (pair.treated == line).sum(axis=1)
    chi_square = (2 * count - pair.n) ** 2 / pair.n
    shape = pair.shaped
    return Exceeding(
        estimate=shape((count + ties * equal) / pair.n),
        count=shape(count),
        total=shape(pair.n),
        p_binomial=shape(binomial_tail(count, pair.n)),
        chi_square=shape(chi_square),
        p_chi_square=shape(chdtrc(1, chi_square)),
        beyond_limit=shape(np.full(len(count), np.nan)),
    )


def binomial_tail(count: FloatArray, total: FloatArray) -> FloatArray:
    """Return the chance of so many or more of `total` where each has one half."""
    return np.where(count > 0, bdtrc(np.maximum(count - 1, 0), total.astype(int), 0.5), 1.0)


def _in_place(pair: PhasePair) -> FloatArray:
    """Return how many measurements of the baseline are among the m lowest of all; ties: baseline first."""
    both = np.concatenate([pair.baseline, pair.treated], axis=1)
    order = np.argsort(both, axis=1, kind="stable")  # nan last
    of_baseline = order < pair.baseline.shape[1]
    return (of_baseline & (np.arange(both.shape[1]) < pair.m[:, None])).sum(axis=1).astype(float)
