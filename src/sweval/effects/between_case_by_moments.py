"""The between-case standardised mean difference by moments, without iteration: the closed form of its inventors.

It rests on balanced comparisons (the same session in all cases), needs no optimiser, and checks the likelihood route of
`between_case_g`, which uses the data better and is the one to report.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.between_case_data import CaseData, case_data
from sweval.effects.kernel import Standardized, standardize
from sweval.effects.samples import effect_row, orientation
from sweval.errors import DesignError
from sweval.result import Estimate

__all__ = ["CaseMoments", "between_case_g_moments", "between_case_moments"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

DESIGNS = ("multiple_baseline", "reversal")


@dataclass(frozen=True, kw_only=True, eq=False)
class CaseMoments:
    """A between-case effect by moments, with what it is made of.

    Attributes
    ----------
    effect
        d, g, variance and noncentral-t limits.
    mean_change
        Mean over cases (and pairs of phases) of treatment less baseline, in raw units, oriented.
    total_variance
        Variance over cases at equal times and conditions.
    within_variance
        Variance of sessions around the course of their case.
    rho, icc
        Autocorrelation, and share of the variance that lies between cases.
    theta
        Standard error of the mean change in total standard deviations.
    sessions, groups
        Sessions behind the total variance, and the times and conditions they fall into.
    design
        "multiple_baseline" or "reversal".
    data
        What was used.
    """

    effect: Standardized
    mean_change: float
    total_variance: float
    within_variance: float
    rho: float
    icc: float
    theta: float
    sessions: int
    groups: int
    design: str
    data: CaseData


def between_case_g_moments(
    outcome: ArrayLike,
    *,
    case: ArrayLike,
    phase: ArrayLike,
    time: ArrayLike,
    baseline: str | None = None,
    better: str = "higher",
    design: str | None = None,
    conf_level: float = 0.95,
) -> Estimate:
    """Return the between-case standardised mean difference by the moments of Hedges, Pustejovsky & Shadish.

    Use it to check `between_case_g`, or where its search fails. It wastes sessions that not all cases have.

    Parameters
    ----------
    outcome, case, phase, time, better
        As in `between_case_g`.
    baseline
        The condition that is the baseline; by default the one that every case begins with.
    design
        "reversal" for A-B-A-B, (AB)^k; "multiple_baseline" for staggered A-B. By default what the phases show.
    conf_level
        Between 0 and 1.

    Returns
    -------
    Estimate
        As `between_case_g`; the interval is that of the noncentral t.

    Raises
    ------
    DataError, DesignError
        As `between_case_moments`.

    Examples
    --------
    >>> rng = np.random.default_rng(4)
    >>> case, time = np.repeat(["a", "b", "c", "d"], 16), np.tile(np.arange(1, 17), 4)
    >>> phase = np.where(time < np.repeat([5, 7, 9, 11], 16), "A", "B")
    >>> y = np.repeat(rng.normal(20, 2, 4), 16) + 3 * (phase == "B") + rng.normal(0, 2, 64)
    >>> row = between_case_g_moments(y, case=case, phase=phase, time=time)
    >>> print(f"{row.estimate:.2f} [{row.conf_low:.2f}, {row.conf_high:.2f}]")
    1.05 [0.54, 1.76]
    """
    data = case_data(outcome, case, phase, time, baseline=baseline)
    found = _moments(data, orientation(better), design, (None, None), conf_level)
    named = found.design.replace("_", " ")
    row = effect_row(
        found.effect,
        better=better,
        n=len(found.data.outcome),
        method=f"between-case standardised mean difference, {found.data.cases} cases, moments ({named}), "
        f"autocorrelation {found.rho:.2f}",
        standardizer="between_case_total",
        conf_level=conf_level,
    )
    return dataclasses.replace(
        row, term=f"phase[{found.data.treatment}]", clusters=found.data.cases, level_assigned="phase"
    )


def between_case_moments(
    outcome: ArrayLike,
    *,
    case: ArrayLike,
    phase: ArrayLike,
    time: ArrayLike,
    baseline: str | None = None,
    better: str = "higher",
    design: str | None = None,
    known: tuple[float | None, float | None] = (None, None),
) -> CaseMoments:
    r"""Return the moment estimates behind `between_case_g_moments`.

    Use it to see the parts, or to try other correlations than the estimated ones.

    Parameters
    ----------
    outcome, case, phase, time, baseline, better, design
        As in `between_case_g_moments`.
    known
        Autocorrelation and intraclass correlation, where they are known from elsewhere; estimated by default.

    Returns
    -------
    CaseMoments

    Raises
    ------
    DataError, DesignError
        As `between_case_g`, and if a case lacks a condition (of a pair), or no session is shared by the cases.

    Notes
    -----
    .. math::
        d = \bar D / S, \quad \theta^2 = \mathrm{Var}(\bar D)/\sigma_T^2, \quad
        \nu = \frac{(N-K)^2}{\mathrm{tr}(A \Sigma A \Sigma)}

    with S^2 pooled over sessions and conditions, A the projection off their means, and Sigma the correlation matrix
    rho_{icc} + (1 - rho_{icc}) phi^lag within cases. Multiple baselines: Hedges, Pustejovsky & Shadish (2013), Research
    Synthesis Methods 4, 324-341, doi:10.1002/jrsm.1086; (AB)^k: the same (2012), 3, 224-239, doi:10.1002/jrsm.1052.
    Distances in time are those of the sessions, so that gaps count.

    Examples
    --------
    >>> rng = np.random.default_rng(4)
    >>> case, time = np.repeat(["a", "b", "c", "d"], 16), np.tile(np.arange(1, 17), 4)
    >>> phase = np.where((time - 1) // 4 % 2 == 0, "A", "B")
    >>> y = np.repeat(rng.normal(20, 2, 4), 16) + 3 * (phase == "B") + rng.normal(0, 2, 64)
    >>> found = between_case_moments(y, case=case, phase=phase, time=time)
    >>> print(f"{found.design}: change {found.mean_change:.2f}, variance {found.total_variance:.2f}")
    reversal: change 3.24, variance 8.97
    """
    data = case_data(outcome, case, phase, time, baseline=baseline)
    return _moments(data, orientation(better), design, known, 0.95)


def _moments(
    data: CaseData, sign: float, design: str | None, known: tuple[float | None, float | None], conf_level: float
) -> CaseMoments:
    """Return the estimates of checked sessions."""
    rho, icc = known
    pair = _pairs(data)
    if design is None:
        design = "reversal" if pair.max() else "multiple_baseline"
    if design not in DESIGNS:
        raise DesignError(f"design must be one of {', '.join(DESIGNS)}.")
    if design == "multiple_baseline":
        pair = np.zeros_like(pair)
    y, cell = data.outcome * sign, _cells(data, pair)
    size, mean = np.bincount(cell), np.bincount(cell, y) / np.bincount(cell)
    changes = len(size) // 2
    weight = (2.0 * data.treated - 1) / size[cell] / changes
    used, group = (
        (np.ones(len(y), bool), _codes(data.time, data.treated)) if design != "reversal" else _shared(data, pair)
    )
    held = np.bincount(group[used])
    df = int(used.sum()) - len(held)
    if df < 1:
        raise DesignError(
            "no session of one condition is shared by two cases, so the cases cannot be compared at equal times.",
            fix="Use between_case_g, which does not need that.",
        )
    centred = y[used] - (np.bincount(group[used], y[used]) / held)[group[used]]
    total = float(centred @ centred) / df
    left = y - mean[cell]
    if not total > 1e-24 * float(y @ y) or not float(left @ left) > 1e-24 * float(y @ y):
        raise DesignError("the phases reproduce the outcome exactly, so no variance can be estimated.")
    phi, within = _nuisance(left, cell if design == "reversal" else data.case, cell, data, rho)
    share = max(0.0, 1 - within / total) if icc is None else icc
    R = _correlation(data, share, phi)
    V = R[np.ix_(used, used)]
    same = group[used][:, None] == group[used]
    AV = V - (same / held[group[used]]) @ V
    nu = df**2 / float((AV * AV.T).sum())
    theta = float(np.sqrt(weight @ R @ weight))
    change = float(weight @ y)
    return CaseMoments(
        effect=standardize(change, np.sqrt(total), nu=nu, kappa=theta, df=nu, conf_level=conf_level),
        mean_change=change,
        total_variance=total,
        within_variance=within,
        rho=phi,
        icc=share,
        theta=theta,
        sessions=int(used.sum()),
        groups=len(held),
        design=design,
        data=data,
    )


def _pairs(data: CaseData) -> IntArray:
    """Return the number of the pair (baseline, treatment) of a session; it rises when a case returns to baseline."""
    back = np.zeros(len(data.case), dtype=np.intp)
    back[1:] = (np.diff(data.case) == 0) & data.treated[:-1] & ~data.treated[1:]
    total = np.cumsum(back)
    return total - total[np.searchsorted(data.case, np.arange(data.cases))][data.case]


def _cells(data: CaseData, pair: IntArray) -> IntArray:
    """Return case x pair x condition of every session.

    Raises
    ------
    DesignError
        If a pair lacks one of its conditions.
    """
    number = _codes(data.case, pair)
    cell = 2 * number + data.treated
    if not np.bincount(cell, minlength=2 * (number.max() + 1)).all():
        empty = int((np.bincount(cell, minlength=2 * (number.max() + 1)) == 0).sum())
        raise DesignError(
            f"{empty} phases are missing: every case needs baseline and treatment (in every pair of phases).",
            fix="Leave incomplete pairs out, or use between_case_g, which takes them.",
        )
    return cell


def _codes(*columns: NDArray[np.generic]) -> IntArray:
    """Return the number of every combination that occurs."""
    _, inverse = np.unique(np.column_stack(columns), axis=0, return_inverse=True)
    return inverse.reshape(-1).astype(np.intp)


def _shared(data: CaseData, pair: IntArray) -> tuple[NDArray[np.bool_], IntArray]:
    """Return the sessions whose place within their phase all cases have, and pair x condition x place."""
    cell = _codes(data.case, pair, data.treated)
    order = np.argsort(cell, kind="stable")  # rows are sorted by time within cases
    place = np.empty(len(cell), dtype=np.intp)
    place[order] = np.arange(len(cell)) - np.searchsorted(cell[order], cell[order])
    group = _codes(pair, data.treated, place)
    used = np.bincount(group)[group] == data.cases
    return used, np.where(used, _codes(~used, group), 0)


def _nuisance(
    left: FloatArray, series: IntArray, cell: IntArray, data: CaseData, rho: float | None
) -> tuple[float, float]:
    """Return autocorrelation and within-case variance, both corrected for the means that were taken out."""
    size = np.bincount(cell)
    if rho is None:
        order = np.lexsort((data.time, series))
        follows = np.diff(series[order]) == 0
        lagged = float((left[order][1:] * left[order][:-1])[follows].sum())
        # means of cells that are taken out pull the autocorrelation down
        rho = lagged / float(left @ left) + float((1 - 1 / size).sum() / (size - 1).sum())
    R = _correlation(data, 0.0, rho)
    same = cell[:, None] == cell
    lost = float((R * same / size[cell]).sum())
    return rho, float(left @ left) / (len(left) - lost)


def _correlation(data: CaseData, share: float, rho: float) -> FloatArray:
    """Return the correlation of all sessions: levels that cases share, and AR(1) errors."""
    lag = np.abs(data.time[:, None] - data.time).astype(float)
    own = data.case[:, None] == data.case
    out: FloatArray = np.where(own, share + (1 - share) * np.power(rho, lag), 0.0)
    return out
