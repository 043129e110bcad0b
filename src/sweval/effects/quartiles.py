"""Means and standard deviations from medians, quartiles and ranges, for reports that print nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.arrays import floats, numbers, refuse, same_shape
from sweval.errors import DesignError

__all__ = ["EstimatedMoments", "moments_from_quartiles"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class EstimatedMoments:
    """Means and standard deviations that were worked out from quantiles.

    Attributes
    ----------
    mean, sd
        NaN where the quantiles were too skewed and were to be left out.
    skewed
        Whether the quantiles are more skewed than a sample from a normal distribution would be.

    Examples
    --------
    >>> bool(moments_from_quartiles(median=8, n=40, q1=5, q3=11).skewed)
    False
    """

    mean: FloatArray
    sd: FloatArray
    skewed: NDArray[np.bool_]


def moments_from_quartiles(
    *,
    median: ArrayLike,
    n: ArrayLike,
    q1: ArrayLike | None = None,
    q3: ArrayLike | None = None,
    minimum: ArrayLike | None = None,
    maximum: ArrayLike | None = None,
    skewed: str = "refuse",
) -> EstimatedMoments:
    """Return mean and standard deviation from a median with quartiles, with the range, or with both.

    For scores that are about normal. Reports often give medians because scores are skewed; then this is wrong, and
    such studies are refused unless told otherwise.

    Parameters
    ----------
    median, n
        Median and number of clients (5 or more).
    q1, q3, minimum, maximum
        Quartiles, range, or both; NaN for those a study does not print.
    skewed
        For quantiles too skewed for a normal distribution: "refuse", "missing" (NaN) or "keep".

    Returns
    -------
    EstimatedMoments

    Raises
    ------
    DesignError
        If quantiles are out of order, neither quartiles nor range are complete, or quantiles are too skewed.

    Notes
    -----
    Mean: Luo et al. (2018, doi:10.1177/0962280216669183), eq. 7, 11 and 15. Standard deviation: Wan et al. (2014,
    doi:10.1186/1471-2288-14-135), eq. 9 and 16; with quartiles and range Shi et al. (2020, doi:10.1002/jrsm.1429).
    Skewness test: Shi et al. (2023), as in metafor.

    Examples
    --------
    >>> found = moments_from_quartiles(median=8, n=40, q1=5, q3=11, minimum=1, maximum=16)
    >>> print(f"{found.mean:.3f} {found.sd:.3f}")
    8.061 3.921
    """
    if skewed not in {"refuse", "missing", "keep"}:
        raise DesignError('skewed must be "refuse", "missing" or "keep".')
    middle, size = floats(median=median, n=n)
    given = {"minimum": minimum, "q1": q1, "q3": q3, "maximum": maximum}
    parts = {name: numbers(np.nan if part is None else part, name=name) for name, part in given.items()}
    for name, part in parts.items():
        refuse(np.isinf(part), "a quantile is infinite", where=name)
    lowest, low, high, highest, middle, size = same_shape(**parts, median=middle, n=size)
    refuse(size < 5, "5 clients or more are needed", where="n")
    range_given, quartiles_given = ~np.isnan(lowest + highest), ~np.isnan(low + high)
    refuse(~(range_given | quartiles_given), "neither both quartiles nor minimum and maximum are given")
    order = np.stack([lowest, low, middle, high, highest])
    for upper in range(1, 5):
        refuse((order[:upper] > order[upper]).any(axis=0), "minimum, quartiles, median and maximum are out of order")
    centre = (_centre(lowest, highest, middle), _centre(low, high, middle))
    mean, sd = _moments(middle, size, (lowest, highest), (low, high), (range_given, quartiles_given))
    refuse(~(sd > 0), "the quantiles do not vary, so there is no standard deviation")
    too_skewed = _skewness(size, centre, range_given, quartiles_given)
    if skewed == "refuse":
        refuse(
            too_skewed,
            "the quantiles are too skewed for scores from a normal distribution",
            fix='Leave such studies out by skewed="missing", and say how many they were.',
        )
    left_out = too_skewed & (skewed == "missing")
    return EstimatedMoments(mean=np.where(left_out, np.nan, mean), sd=np.where(left_out, np.nan, sd), skewed=too_skewed)


def _centre(low: FloatArray, high: FloatArray, median: FloatArray) -> FloatArray:
    """Return how far the median lies from the middle of two quantiles, as a share of their distance."""
    distance = np.where(high > low, high - low, np.nan)
    return np.nan_to_num(np.abs(low + high - 2 * median) / distance)


def _moments(
    median: FloatArray,
    n: FloatArray,
    ends: tuple[FloatArray, FloatArray],
    quartiles: tuple[FloatArray, FloatArray],
    given: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation, by range alone, quartiles alone, or both."""
    both = given[0] & given[1]
    w_range = np.where(both, 2.2 / (2.2 + n**0.75), np.where(given[0], 4 / (4 + n**0.75), 0.0))
    w_quartiles = np.where(both, 0.7 - 0.72 / n**0.55, np.where(given[1], 0.7 + 0.39 / n, 0.0))
    low, high = (np.nan_to_num(part) for part in ends)
    q1, q3 = (np.nan_to_num(part) for part in quartiles)
    mean = w_range * (low + high) / 2 + w_quartiles * (q1 + q3) / 2 + (1 - w_range - w_quartiles) * median
    by_range = (high - low) / (2 * special.ndtri((n - 0.375) / (n + 0.25)))
    by_quartiles = (q3 - q1) / (2 * special.ndtri((0.75 * n - 0.125) / (n + 0.25)))
    share = np.where(both, 1 / (1 + 0.07 * n**0.6), np.where(given[0], 1.0, 0.0))
    return mean, share * by_range + (1 - share) * by_quartiles


def _skewness(
    n: FloatArray,
    centre: tuple[FloatArray, FloatArray],
    range_given: NDArray[np.bool_],
    quartiles_given: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return whether the quantiles are too skewed for a normal distribution, at the five per cent level."""
    both = range_given & quartiles_given
    joined = np.maximum(2.65 * np.log(0.6 * n) / np.sqrt(n) * centre[0], centre[1])
    value = np.where(both, joined, np.where(range_given, centre[0], centre[1]))
    alone = np.where(range_given, 1 / np.log(n + 9) + 2.5 / (n + 1), 2.65 / np.sqrt(n) - 6 / n**2)
    return np.asarray(value >= np.where(both, 3 / np.sqrt(n) - 40 / n**3, alone))
