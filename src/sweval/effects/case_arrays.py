"""Two phases of single cases as arrays: one row per case, padded with nan, turned so that larger is better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.samples import orientation
from sweval.errors import DataError, DesignError

__all__: list[str] = []

FloatArray = NDArray[np.float64]
_MOST_CELLS = 4_000_000
Phase = ArrayLike | Sequence[ArrayLike]
"""One phase: the values of one case in the order of time, or those of many cases."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PhasePair:
    """Values and times of both phases, each (cases, longest phase) with nan after the last, and how many there are."""

    baseline: FloatArray
    treated: FloatArray
    baseline_time: FloatArray
    treated_time: FloatArray
    m: FloatArray
    n: FloatArray
    single: bool

    def shaped(self, values: ArrayLike) -> FloatArray:
        """Return one number per case; without an axis where one case was given."""
        found = np.asarray(values, dtype=float)
        return found[0] if self.single else found

    def part(self, rows: NDArray[np.intp]) -> PhasePair:
        """Return some of the cases, in arrays no wider than they need."""
        m, n = self.m[rows], self.n[rows]
        a, b = slice(int(m.max())), slice(int(n.max()))
        return PhasePair(
            baseline=self.baseline[rows, a],
            treated=self.treated[rows, b],
            baseline_time=self.baseline_time[rows, a],
            treated_time=self.treated_time[rows, b],
            m=m,
            n=n,
            single=False,
        )

    def shifted(self, baseline: FloatArray, treated: FloatArray) -> PhasePair:
        """Return the same phases with other values."""
        return PhasePair(
            baseline=baseline,
            treated=treated,
            baseline_time=self.baseline_time,
            treated_time=self.treated_time,
            m=self.m,
            n=self.n,
            single=self.single,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class CaseEffect:
    """An index of each case; positive (or above chance) means improvement.

    Attributes
    ----------
    estimate
        Shape (cases,), or one number where one case was given.
    std_error, conf_low, conf_high
        nan where the index has none.
    n_baseline, n_treated
        Measurements that were used.
    """

    estimate: FloatArray
    std_error: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    n_baseline: FloatArray
    n_treated: FloatArray


def phase_pair(
    baseline: Phase,
    treated: Phase,
    *,
    better: str,
    time: tuple[Phase, Phase] | None = None,
    least: tuple[int, int] = (1, 1),
) -> PhasePair:
    """Return both phases as arrays.

    Parameters
    ----------
    baseline, treated
        Values of one case in the order of time, or of many cases: a list of lists, or an array (cases, longest) with
        nan. Missing values are left out.
    better
        "higher" or "lower".
    time
        Times of both, of the same shape. The default is the place in the series without its gaps.
    least
        Measurements that the baseline and the treated phase must have.

    Raises
    ------
    DataError
        If a phase of a case is shorter, the two hold different numbers of cases, or values are infinite or no numbers.
    """
    sign = orientation(better)
    a, single = rectangular(baseline, name="baseline")
    b, also = rectangular(treated, name="treated")
    if single != also or len(a) != len(b):
        raise DataError(f"the baseline holds {len(a)} cases, the treated phase {len(b)}.")
    times = None if time is None else tuple(rectangular(one, name="time")[0] for one in time)
    if times is not None and (times[0].shape != a.shape or times[1].shape != b.shape):
        raise DataError("every value needs a time, and every time a value.", where="time")
    a, a_time, m = _packed(a, None if times is None else times[0])
    b, b_time, n = _packed(b, None if times is None else times[1])
    for name, count, wanted in (("baseline", m, least[0]), ("treated phase", n, least[1])):
        short = int((count < wanted).sum())
        if short:
            raise DataError(
                f"{short} of {len(count)} cases have fewer than {wanted} measurements in the {name}.",
                fix="Leave those cases out first, and report how many they were.",
            )
    if times is None:
        b_time = b_time + m[:, None]
    return PhasePair(
        baseline=sign * a, treated=sign * b, baseline_time=a_time, treated_time=b_time, m=m, n=n, single=single
    )


def in_blocks(pair: PhasePair, work: Callable[[PhasePair], tuple[FloatArray, ...]]) -> tuple[FloatArray, ...]:
    """Return what `work` finds for every case, done in blocks of cases of like length.

    Work compares all measurements of a case with each other: one long series would make the arrays of all cases huge.
    """
    cells = (pair.m + pair.n) ** 2
    if len(cells) * float(cells.max()) <= _MOST_CELLS:
        return work(pair)
    order = np.argsort(cells, kind="stable")
    out: list[FloatArray] = []
    start = 0
    while start < len(order):
        rest = cells[order[start:]]
        fit = int((rest * np.arange(1, len(rest) + 1) <= _MOST_CELLS).sum())
        rows = order[start : start + max(fit, 1)]
        found = work(pair.part(rows))
        out = out or [np.empty((len(order), *one.shape[1:])) for one in found]
        for whole, one in zip(out, found, strict=True):
            whole[rows] = one
        start += len(rows)
    return tuple(out)


def rectangular(values: Phase, *, name: str) -> tuple[FloatArray, bool]:
    """Return values as an array (cases, longest) with nan, and whether one case was given.

    Raises
    ------
    DataError
        If something is no number or is infinite.
    """
    try:
        lists = list(values) if isinstance(values, (list, tuple)) else None
        if lists is not None and any(np.ndim(one) == 1 for one in lists):
            rows = [np.asarray(one, dtype=float) for one in lists]
            if any(row.ndim != 1 for row in rows):
                raise DataError("every case is one list of numbers.", where=name)
            found = np.full((len(rows), max(row.size for row in rows)), np.nan)
            for number, row in enumerate(rows):
                found[number, : row.size] = row
            single = False
        else:
            found = np.asarray(values, dtype=float)
            single = found.ndim == 1
    except (TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError("the measurements hold entries that are no numbers.", where=name) from error
    if found.ndim not in (1, 2):
        raise DataError(f"measurements come as one list per case, not in {found.ndim} dimensions.", where=name)
    if np.isinf(found).any():
        raise DataError("measurements must not be infinite.", where=name)
    return np.atleast_2d(found), single


def level(conf_level: float) -> float:
    """Return a confidence level that is one."""
    if not 0 < conf_level < 1:
        raise DesignError(f"conf_level is {conf_level}; it must lie between 0 and 1.", fix="Try 0.95.")
    return conf_level


def median(values: FloatArray) -> FloatArray:
    """Return the median of each row without nan; nan where a row has none (numpy's own is slow on many short rows)."""
    ordered = np.sort(values, axis=-1)
    count = np.isfinite(values).sum(axis=-1)
    rows = np.arange(len(values))
    low = ordered[rows, np.maximum(count - 1, 0) // 2]
    high = ordered[rows, np.minimum(count // 2, values.shape[-1] - 1)]
    return np.where(count > 0, 0.5 * (low + high), np.nan)


def mean(values: FloatArray, count: FloatArray) -> FloatArray:
    """Return the mean of each row without nan."""
    return np.nansum(values, axis=-1) / count


def variance(values: FloatArray, count: FloatArray) -> FloatArray:
    """Return the variance of each row without nan; nan where there is one value."""
    squares = np.nansum((values - mean(values, count)[..., None]) ** 2, axis=-1)
    return np.where(count > 1, squares / np.maximum(count - 1, 1), np.nan)


def _packed(values: FloatArray, time: FloatArray | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return values without gaps, their times (default: 1, 2, ...) and how many there are."""
    there = np.isfinite(values)
    count = there.sum(axis=1)
    place = np.where(np.arange(values.shape[1]) < count[:, None], np.arange(1.0, values.shape[1] + 1), np.nan)
    order = np.argsort(~there, axis=1, kind="stable")
    packed = np.take_along_axis(values, order, axis=1)
    if time is None:
        return packed, place, count.astype(float)
    untimed = int((there & ~np.isfinite(time)).sum())
    if untimed:
        raise DataError(f"{untimed} measurements have no time.", where="time")
    return packed, np.where(np.isfinite(packed), np.take_along_axis(time, order, axis=1), np.nan), count.astype(float)
