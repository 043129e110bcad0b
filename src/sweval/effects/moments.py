"""Means and standard deviations of two arms, or of one group twice, checked once: what ratios of means start from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.arrays import floats, refuse
from sweval.effects.samples import orientation, pairs, scores

__all__ = ["TwoMeans", "TwoMoments", "two_means", "two_means_of_scores", "two_moments", "two_moments_of_scores"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TwoMeans:
    """Means and standard deviations of two independent arms, one entry per study; made by `two_means`.

    Attributes
    ----------
    mean_treated, sd_treated, n_treated, mean_control, sd_control, n_control
        As reported, of one shape.
    better
        Which direction of the score is an improvement.

    Examples
    --------
    >>> groups = two_means(14.7, 10.1, 52, 19.5, 11.1, 45, better="lower")
    >>> print(f"{groups.pooled_sd:.2f}")
    10.57
    """

    mean_treated: FloatArray
    sd_treated: FloatArray
    n_treated: FloatArray
    mean_control: FloatArray
    sd_control: FloatArray
    n_control: FloatArray
    better: str

    @property
    def n(self) -> FloatArray:
        """Clients of both arms."""
        return self.n_treated + self.n_control

    @property
    def pooled_sd(self) -> FloatArray:
        """The standard deviation pooled over both arms."""
        squares = (self.n_treated - 1) * self.sd_treated**2 + (self.n_control - 1) * self.sd_control**2
        return np.sqrt(squares / (self.n - 2))

    @property
    def d(self) -> FloatArray:
        """The difference, treated minus control, in pooled standard deviations, without the small-sample factor."""
        return (self.mean_treated - self.mean_control) / self.pooled_sd


@dataclass(frozen=True, kw_only=True)
class TwoMoments:
    """Means and standard deviations of one group, after and before; made by `two_moments`.

    Attributes
    ----------
    mean_after, sd_after, mean_before, sd_before, n, correlation
        As reported, of one shape; the correlation is that of the scores before and after.
    better
        Which direction of the score is an improvement.

    Examples
    --------
    >>> two_moments(38.5, 11.6, 30.6, 15.0, 20, 0.47).better
    'higher'
    """

    mean_after: FloatArray
    sd_after: FloatArray
    mean_before: FloatArray
    sd_before: FloatArray
    n: FloatArray
    correlation: FloatArray
    better: str


def two_means(
    mean_treated: ArrayLike,
    sd_treated: ArrayLike,
    n_treated: ArrayLike,
    mean_control: ArrayLike,
    sd_control: ArrayLike,
    n_control: ArrayLike,
    *,
    better: str = "higher",
) -> TwoMeans:
    """Check means and standard deviations of two arms, of one study or many; ratios and correlations take the result.

    Parameters
    ----------
    mean_treated, sd_treated, n_treated, mean_control, sd_control, n_control
        Numbers, or arrays with one entry per study.
    better
        "higher" or "lower": which direction of the score is an improvement.

    Returns
    -------
    TwoMeans

    Raises
    ------
    DesignError
        If a standard deviation is not above 0, an arm has fewer than two clients, or `better` is unknown.

    Examples
    --------
    >>> import sweval as sw
    >>> groups = two_means(14.7, 10.1, 52, 19.5, 11.1, 45, better="lower")
    >>> print(f"{sw.effects.log_response_ratio(groups).estimate:.3f}")
    0.282
    """
    orientation(better)
    m1, s1, n1, m2, s2, n2 = floats(
        mean_treated=mean_treated,
        sd_treated=sd_treated,
        n_treated=n_treated,
        mean_control=mean_control,
        sd_control=sd_control,
        n_control=n_control,
    )
    _check_spread(s1, s2)
    refuse((n1 < 2) | (n2 < 2) | (n1 % 1 != 0) | (n2 % 1 != 0), "an arm has two clients or more, in whole numbers")
    return TwoMeans(
        mean_treated=m1, sd_treated=s1, n_treated=n1, mean_control=m2, sd_control=s2, n_control=n2, better=better
    )


def two_means_of_scores(treated: ArrayLike, control: ArrayLike, *, better: str = "higher") -> TwoMeans:
    """Return means and standard deviations of two samples of scores.

    Parameters
    ----------
    treated, control
        Scores, one per client, none missing.
    better
        "higher" or "lower": which direction of the score is an improvement.

    Returns
    -------
    TwoMeans

    Raises
    ------
    DataError
        If scores are missing, or fewer than two in an arm.
    DesignError
        If the scores of an arm are all equal.

    Examples
    --------
    >>> print(two_means_of_scores([12, 15, 11], [10, 9, 13]).mean_treated.round(2))
    12.67
    """
    t, c = scores(treated, name="treated"), scores(control, name="control")
    return two_means(t.mean(), t.std(ddof=1), t.size, c.mean(), c.std(ddof=1), c.size, better=better)


def two_moments(
    mean_after: ArrayLike,
    sd_after: ArrayLike,
    mean_before: ArrayLike,
    sd_before: ArrayLike,
    n: ArrayLike,
    correlation: ArrayLike,
    *,
    better: str = "higher",
) -> TwoMoments:
    """Check means and standard deviations of one group after and before, of one study or many.

    Without a comparison arm a change is no effect of the service; the metric of what is made from this says so.

    Parameters
    ----------
    mean_after, sd_after, mean_before, sd_before, n, correlation
        Numbers, or arrays with one entry per study; the correlation is that of the scores before and after.
    better
        "higher" or "lower": which direction of the score is an improvement.

    Returns
    -------
    TwoMoments

    Raises
    ------
    DesignError
        If a standard deviation is not above 0, there are fewer than three clients, a correlation is not between -1 and
        1, or `better` is unknown.

    Examples
    --------
    >>> import sweval as sw
    >>> change = two_moments(38.5, 11.6, 30.6, 15.0, 20, 0.47)
    >>> print(f"{sw.effects.log_response_ratio_of_change(change).estimate:.4f}")
    0.2259
    """
    orientation(better)
    m1, s1, m2, s2, size, r = floats(
        mean_after=mean_after,
        sd_after=sd_after,
        mean_before=mean_before,
        sd_before=sd_before,
        n=n,
        correlation=correlation,
    )
    _check_spread(s1, s2)
    refuse((size < 3) | (size % 1 != 0), "a group has three clients or more, in whole numbers", where="n")
    refuse(np.abs(r) >= 1, "the correlation must lie between -1 and 1", where="correlation")
    return TwoMoments(mean_after=m1, sd_after=s1, mean_before=m2, sd_before=s2, n=size, correlation=r, better=better)


def two_moments_of_scores(after: ArrayLike, before: ArrayLike, *, better: str = "higher") -> TwoMoments:
    """Return means, standard deviations and correlation of the scores of the same clients after and before.

    Parameters
    ----------
    after, before
        Scores, one per client in the same order, none missing.
    better
        "higher" or "lower": which direction of the score is an improvement.

    Returns
    -------
    TwoMoments

    Raises
    ------
    DataError
        If scores are missing, the lengths differ, or every client changed by the same amount.
    DesignError
        If there are fewer than three clients, or scores after are all equal.

    Examples
    --------
    >>> print(two_moments_of_scores([12, 15, 11, 16], [10, 9, 13, 12]).mean_after)
    13.5
    """
    b, a = pairs(before, after, name="clients")
    refuse(np.asarray(np.ptp(a) == 0), "the scores after are all equal, so they have no standard deviation")
    r = float(np.corrcoef(a, b)[0, 1])
    return two_moments(a.mean(), a.std(ddof=1), b.mean(), b.std(ddof=1), a.size, r, better=better)


def _check_spread(*sds: FloatArray) -> None:
    for sd in sds:
        refuse(sd <= 0, "a standard deviation must be above 0")
