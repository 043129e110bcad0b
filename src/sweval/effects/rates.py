"""Two arms and a count over time: placements per year in care, calls per month. Rates, their ratios and differences.

Counts of the same client over time are independent only if one event does not bring the next; where they cluster in
clients or agencies the intervals here are too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.arrays import Effects, floats, oriented, refuse, tail_quantile, two_sided_p
from sweval.effects.samples import orientation
from sweval.effects.score_limits import invert
from sweval.errors import DesignError
from sweval.result import Estimate

__all__ = ["EventRates", "event_rates", "log_rate_ratio", "rate_difference", "rate_ratio", "root_rate_difference"]

FloatArray = NDArray[np.float64]

_SILENT = ("refuse", "missing", "half")


@dataclass(frozen=True, kw_only=True)
class EventRates:
    """Events and time observed in two arms, one entry per study; made by `event_rates`.

    Attributes
    ----------
    events_treated, time_treated, events_control, time_control
        The counts, and the time (person-years, client-months) in which they were counted.
    better
        "higher" if more events are an improvement, "lower" if fewer are.
    silent
        What to do where neither arm has an event and a ratio is asked for.

    Examples
    --------
    >>> event_rates(4, 50.0, 11, 60.0).better
    'lower'
    """

    events_treated: FloatArray
    time_treated: FloatArray
    events_control: FloatArray
    time_control: FloatArray
    better: str
    silent: str

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Whether an arm has no event."""
        return np.asarray((self.events_treated == 0) | (self.events_control == 0))

    @property
    def filled(self) -> tuple[FloatArray, FloatArray]:
        """Events, with 1/2 added in both arms where one has none."""
        half = np.where(self.empty, 0.5, 0.0)
        return self.events_treated + half, self.events_control + half

    def effects(
        self,
        estimate: FloatArray,
        variance: FloatArray,
        limits: tuple[FloatArray, FloatArray],
        *,
        names: tuple[str, str],
        method: str,
        conf_level: float,
        filled: bool = True,
        speaks: NDArray[np.bool_] | None = None,
    ) -> Effects:
        """Return oriented effects with the score test of equal rates.

        Parameters
        ----------
        estimate, variance, limits
            The numbers of treated against control.
        names
            Measure and metric.
        method, conf_level
            What was done.
        filled
            Whether the estimate comes from `filled` events.
        speaks
            Which studies say something about the measure; None for all.

        Returns
        -------
        Effects
        """
        x1, t1, x2, t2 = self.events_treated, self.time_treated, self.events_control, self.time_control
        events = x1 + x2
        pooled = np.where(events > 0, events, 1.0) / (t1 * t2)
        score = (x1 / t1 - x2 / t2) / np.sqrt(pooled)
        held = np.ones(events.shape, dtype=bool) if speaks is None else speaks
        numbers = [np.where(held, part, np.nan) for part in (estimate, variance, *limits, score)]
        plain = Effects(
            measure=names[0],
            metric=names[1],
            estimate=numbers[0],
            variance=numbers[1],
            conf_low=numbers[2],
            conf_high=numbers[3],
            conf_level=conf_level,
            statistic=numbers[4],
            p_value=two_sided_p(numbers[4]),
            n=events,
            corrected=self.empty if filled else np.zeros(events.shape, dtype=bool),
            method=f"{method}; n counts events",
        )
        return oriented(plain, self.better, orientation(self.better))


def event_rates(
    events_treated: ArrayLike,
    time_treated: ArrayLike,
    events_control: ArrayLike,
    time_control: ArrayLike,
    *,
    better: str = "lower",
    silent: str = "refuse",
) -> EventRates:
    """Check counts over time of two arms, of one study or many; the effects on rates take what it returns.

    Parameters
    ----------
    events_treated, time_treated, events_control, time_control
        Events, and the time in which they were counted, in the same unit in both arms.
    better
        "lower" if the service should prevent the events (the default, as most counted events are such), or "higher".
    silent
        For studies without an event in either arm, where a ratio is asked for: "refuse"; "missing" gives NaN; "half"
        adds 1/2 to each count, and the estimate then reflects nothing but the times.

    Returns
    -------
    EventRates

    Raises
    ------
    DesignError
        If counts are no counts, a time is not above 0, or `better` or `silent` is unknown.

    Examples
    --------
    >>> import sweval as sw
    >>> row = sw.effects.rate_ratio(event_rates(4, 50.0, 11, 60.0, better="lower"))
    >>> print(f"{row.estimate:.2f}")
    2.29
    """
    orientation(better)
    if silent not in _SILENT:
        raise DesignError(f"silent must be one of {', '.join(_SILENT)}.")
    x1, t1, x2, t2 = floats(
        events_treated=events_treated,
        time_treated=time_treated,
        events_control=events_control,
        time_control=time_control,
    )
    for name, value in (("events_treated", x1), ("events_control", x2)):
        refuse((value != np.floor(value)) | (value < 0), "counts are whole numbers of 0 or more", where=name)
    refuse((t1 <= 0) | (t2 <= 0), "the time must be above 0 in both arms")
    return EventRates(
        events_treated=x1, time_treated=t1, events_control=x2, time_control=t2, better=better, silent=silent
    )


def log_rate_ratio(rates: EventRates, *, conf_level: float = 0.95) -> Effects:
    """Return log rate ratios with their variances, for averaging over studies; `rate_ratio` gives one for readers.

    Parameters
    ----------
    rates
        Counts over time, by `event_rates`.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure and metric "log_rate_ratio".

    Raises
    ------
    DesignError
        If a study has no event in either arm (unless `rates` says what to do then).

    Notes
    -----
    log of the ratio, variance 1/x_T + 1/x_C; 1/2 is added to both counts where one is 0. Given their sum the treated
    count is binomial: the limits are Wilson's limits of its share, turned into a ratio.

    Examples
    --------
    >>> effect = log_rate_ratio(event_rates(4, 50.0, 11, 60.0, better="higher"))
    >>> print(f"{effect.estimate:.3f} {effect.variance:.3f} [{effect.conf_low:.3f}, {effect.conf_high:.3f}]")
    -0.829 0.341 [-1.919, 0.260]
    """
    x1, t1, x2, t2 = rates.events_treated, rates.time_treated, rates.events_control, rates.time_control
    neither = (x1 == 0) & (x2 == 0)
    if rates.silent == "refuse":
        refuse(
            neither,
            "neither arm has an event, which says nothing about a ratio",
            fix='Use rate_difference; or leave such studies out by silent="missing", and say how many they were.',
        )
    a, c = rates.filled
    low, high = share_limits(x1, x1 + x2, tail_quantile(conf_level))
    scale = np.log(t2 / t1)
    return rates.effects(
        np.log(a / c) + scale,
        1 / a + 1 / c,
        (low + scale, high + scale),
        names=("log_rate_ratio", "log_rate_ratio"),
        method="log rate ratio; Wilson interval of the treated arm's share of the events",
        conf_level=conf_level,
        speaks=~neither if rates.silent == "missing" else None,
    )


def rate_ratio(rates: EventRates, *, conf_level: float = 0.95) -> Estimate:
    """Return one rate ratio with its interval; above 1 means improvement.

    Parameters
    ----------
    rates
        Counts over time of one study, by `event_rates`; with better="lower" the ratio is turned over.
    conf_level
        Of the interval.

    Returns
    -------
    Estimate
        measure "rate_ratio", null 1; `n` counts events.

    Raises
    ------
    DesignError
        As `log_rate_ratio`, and for several studies.

    Examples
    --------
    >>> row = rate_ratio(event_rates(4, 50.0, 11, 60.0, better="lower"))
    >>> print(f"{row.estimate:.2f} [{row.conf_low:.2f}, {row.conf_high:.2f}]")
    2.29 [0.77, 6.81]
    """
    return log_rate_ratio(rates, conf_level=conf_level).exponentiated().row()


def rate_difference(rates: EventRates, *, conf_level: float = 0.95) -> Effects:
    """Return differences of rates: how many more events per unit of time; defined also without any event.

    Parameters
    ----------
    rates
        Counts over time, by `event_rates`.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure and metric "rate_difference", in events per unit of the time given.

    Notes
    -----
    x_T/t_T - x_C/t_C, variance x_T/t_T^2 + x_C/t_C^2; 1/2 is added to both counts where one is 0. The limits invert
    the score test, as those of `log_rate_ratio` do: one p-value serves both.

    Examples
    --------
    >>> effect = rate_difference(event_rates(4, 50.0, 11, 60.0, better="lower"))
    >>> print(f"{effect.estimate:.3f} [{effect.conf_low:.3f}, {effect.conf_high:.3f}]")
    0.103 [-0.042, 0.259]
    """
    x1, t1, x2, t2 = rates.events_treated, rates.time_treated, rates.events_control, rates.time_control
    z = tail_quantile(conf_level)

    def score(value: FloatArray) -> FloatArray:
        control = _rate_at_difference(value, x1, t1, x2, t2)
        variance = np.maximum(control + value, 0.0) / t1 + control / t2
        return (x1 / t1 - x2 / t2 - value) / np.sqrt(np.maximum(variance, 1e-300))

    below, above = (_highest_rate(x, t, z) for x, t in ((x2, t2), (x1, t1)))
    low, high = invert(score, x1 / t1 - x2 / t2, -4 * below, 4 * above, z)
    a, c = rates.filled
    return rates.effects(
        a / t1 - c / t2,
        a / t1**2 + c / t2**2,
        (low, high),
        names=("rate_difference", "rate_difference"),
        method="rate difference; score interval",
        conf_level=conf_level,
    )


def root_rate_difference(rates: EventRates, *, conf_level: float = 0.95) -> Effects:
    """Return differences of the square roots of rates, whose variance does not depend on the rates.

    For a synthesis with many zero counts.

    Parameters
    ----------
    rates
        Counts over time, by `event_rates`.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure and metric "root_rate_difference".

    Notes
    -----
    Variance 1/(4 t_T) + 1/(4 t_C). The limits join the score limits of both rates, each distance squared and added
    (Zou & Donner, 2008, doi:10.1002/sim.3095); nothing is added to the counts.

    Examples
    --------
    >>> effect = root_rate_difference(event_rates(0, 50.0, 11, 60.0, better="lower"))
    >>> print(f"{effect.estimate:.3f}")
    0.428
    """
    x1, t1, x2, t2 = rates.events_treated, rates.time_treated, rates.events_control, rates.time_control
    z = tail_quantile(conf_level)
    treated, control = np.sqrt(x1 / t1), np.sqrt(x2 / t2)
    (low_1, high_1), (low_2, high_2) = (
        tuple(np.sqrt(limit) for limit in rate_limits(x, t, z)) for x, t in ((x1, t1), (x2, t2))
    )
    difference = treated - control
    return rates.effects(
        difference,
        1 / (4 * t1) + 1 / (4 * t2),
        (
            difference - np.hypot(treated - low_1, high_2 - control),
            difference + np.hypot(high_1 - treated, control - low_2),
        ),
        names=("root_rate_difference", "root_rate_difference"),
        method="difference of root rates; limits joined from the score limits of both, p of the score test",
        conf_level=conf_level,
        filled=False,
    )


def rate_limits(x: FloatArray, t: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return score limits of a Poisson rate."""
    half = z * np.sqrt(x + z**2 / 4)
    return np.where(x == 0, 0.0, (x + z**2 / 2 - half) / t), (x + z**2 / 2 + half) / t


def share_limits(x: FloatArray, n: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Wilson's limits of x of n as log odds; infinite where x is 0 or n."""
    size = np.where(n > 0, n, 1.0)
    middle, half = x + z**2 / 2, z * np.sqrt(x * (size - x) / size + z**2 / 4)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.log((middle - half) / (size - x + z**2 / 2 + half))
        high = np.log((middle + half) / (size - x + z**2 / 2 - half))
    return np.where(x == 0, -np.inf, low), np.where(x == n, np.inf, high)


def _highest_rate(x: FloatArray, t: FloatArray, z: FloatArray) -> FloatArray:
    """Return the upper score limit of a rate, to search no further than a few times that."""
    return rate_limits(x, t, z)[1]


def _rate_at_difference(
    value: FloatArray, x1: FloatArray, t1: FloatArray, x2: FloatArray, t2: FloatArray
) -> FloatArray:
    """Return the most likely control rate where the difference is given."""
    time = t1 + t2
    b = x1 + x2 - time * value
    root = np.sqrt(np.maximum(b**2 + 4 * time * x2 * value, 0.0))
    return np.maximum((b + root) / (2 * time), np.maximum(0.0, -value))
