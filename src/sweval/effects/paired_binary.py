"""One group and an event, before and after (or two raters of the same clients): how many gained and how many lost.

Without a comparison arm a change is no effect of the service; the metrics say so.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.arrays import Effects, floats, oriented, refuse, tail_quantile, two_sided_p
from sweval.effects.rates import share_limits
from sweval.effects.samples import orientation
from sweval.effects.score_limits import invert
from sweval.errors import DesignError

__all__ = ["PairedEvents", "change_in_log_odds", "change_in_log_risk", "change_in_risk", "paired_events"]

FloatArray = NDArray[np.float64]

_WIDEST = 30.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairedEvents:
    """Clients by the event before and after, one entry per study; made by `paired_events`.

    Attributes
    ----------
    both, gained, lost, neither
        Clients with the event both times, only after, only before, never.
    better
        "higher" if the event is an improvement, "lower" if not.

    Examples
    --------
    >>> float(paired_events(10, 12, 4, 14).n)
    40.0
    """

    both: FloatArray
    gained: FloatArray
    lost: FloatArray
    neither: FloatArray
    better: str

    @property
    def n(self) -> FloatArray:
        """All clients."""
        return self.both + self.gained + self.lost + self.neither

    @property
    def incomplete(self) -> NDArray[np.bool_]:
        """Whether one of the four counts is 0."""
        return np.asarray(np.min(np.stack([self.both, self.gained, self.lost, self.neither]), axis=0) == 0)

    @property
    def filled(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """The counts, with 1/2 added to all four where one is 0."""
        half = np.where(self.incomplete, 0.5, 0.0)
        return self.both + half, self.gained + half, self.lost + half, self.neither + half

    def effects(
        self,
        estimate: FloatArray,
        variance: FloatArray,
        limits: tuple[FloatArray, FloatArray],
        *,
        names: tuple[str, str | None],
        method: str,
        conf_level: float,
    ) -> Effects:
        """Return oriented effects with McNemar's test.

        Parameters
        ----------
        estimate, variance, limits
            The numbers of after against before.
        names
            Measure and metric.
        method, conf_level
            What was done.

        Returns
        -------
        Effects
        """
        changed = self.gained + self.lost
        score = (self.gained - self.lost) / np.sqrt(np.where(changed > 0, changed, 1.0))
        plain = Effects(
            measure=names[0],
            metric=names[1],
            estimate=estimate,
            variance=variance,
            conf_low=limits[0],
            conf_high=limits[1],
            conf_level=conf_level,
            statistic=score,
            p_value=two_sided_p(score),
            n=self.n,
            corrected=self.incomplete,
            about="change",
            method=f"{method}; McNemar's test",
        )
        return oriented(plain, self.better, orientation(self.better))


def paired_events(
    both: ArrayLike, gained: ArrayLike, lost: ArrayLike, neither: ArrayLike, *, better: str = "higher"
) -> PairedEvents:
    """Check counts of clients by an event before and after, of one study or many.

    Parameters
    ----------
    both, gained, lost, neither
        Clients with the event both times, only after, only before, never.
    better
        "higher" if the event is an improvement, "lower" if it is what the service should prevent.

    Returns
    -------
    PairedEvents

    Raises
    ------
    DesignError
        If counts are no counts, or nobody was counted.

    Examples
    --------
    >>> import sweval as sw
    >>> row = sw.effects.change_in_risk(paired_events(10, 12, 4, 14)).row()
    >>> print(f"{row.estimate:.2f} [{row.conf_low:.3f}, {row.conf_high:.3f}] p = {row.p_value:.3f}")
    0.20 [0.004, 0.384] p = 0.046
    """
    orientation(better)
    a, b, c, d = floats(both=both, gained=gained, lost=lost, neither=neither)
    for name, value in (("both", a), ("gained", b), ("lost", c), ("neither", d)):
        refuse((value % 1 != 0) | (value < 0), "counts are whole numbers of 0 or more", where=name)
    refuse(a + b + c + d == 0, "nobody was counted")
    return PairedEvents(both=a, gained=b, lost=c, neither=d, better=better)


def change_in_risk(pairs: PairedEvents, *, conf_level: float = 0.95) -> Effects:
    """Return how much the share with the event rose from before to after.

    Parameters
    ----------
    pairs
        By `paired_events`.
    conf_level
        Of the limits, which invert the score test (Tango, 1998) and agree with McNemar's.

    Returns
    -------
    Effects
        measure "change_in_risk", metric "uncontrolled_risk_difference".

    Notes
    -----
    (gained - lost)/n; 1/2 is added to the four counts of a study where one is 0, for estimate and variance.

    Examples
    --------
    >>> print(f"{change_in_risk(paired_events(10, 12, 4, 14)).variance:.5f}")
    0.00900
    """
    z = tail_quantile(conf_level)
    b, c, n = pairs.gained, pairs.lost, pairs.n

    def score(value: FloatArray) -> FloatArray:
        linear, constant = -b - c + (2 * n - b + c) * value, -c * value * (1 - value)
        share = (np.sqrt(np.maximum(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
        variance = n * np.maximum(2 * share + value * (1 - value), 0.0)
        return (b - c - n * value) / np.sqrt(np.maximum(variance, 1e-300))

    limits = invert(score, (b - c) / n, -1.0, 1.0, z)
    both, gained, lost, neither = pairs.filled
    total = both + gained + lost + neither
    p, q = gained / total, lost / total
    return pairs.effects(
        p - q,
        (p * (1 - p) + 2 * p * q + q * (1 - q)) / total,
        limits,
        names=("change_in_risk", "uncontrolled_risk_difference"),
        method="change of a share; score interval (Tango)",
        conf_level=conf_level,
    )


def change_in_log_risk(pairs: PairedEvents, *, conf_level: float = 0.95) -> Effects:
    """Return the log ratio of the shares with the event after and before.

    Parameters
    ----------
    pairs
        By `paired_events`; somebody must have the event before or after.
    conf_level
        Of the limits, which invert the score test (Tang, Tang & Chan, 2003) and agree with McNemar's.

    Returns
    -------
    Effects
        measure "log_risk_ratio_of_change", metric "uncontrolled_log_risk_ratio".

    Raises
    ------
    DesignError
        If nobody had the event before or after.

    Examples
    --------
    >>> print(f"{change_in_log_risk(paired_events(10, 12, 4, 14)).estimate:.4f}")
    0.4520
    """
    z = tail_quantile(conf_level)
    a, b, c, n = pairs.both, pairs.gained, pairs.lost, pairs.n
    refuse(a + b + c == 0, "nobody had the event before or after, which says nothing about a ratio")

    def score(value: FloatArray) -> FloatArray:
        ratio = np.exp(value)
        square, linear = n * (1 + ratio), (a + c) * ratio**2 - (a + b + 2 * c)
        constant = c * (1 - ratio) * (a + b + c) / n
        share = (np.sqrt(np.maximum(linear**2 - 4 * square * constant, 0.0)) - linear) / (2 * square)
        variance = square * share + (a + b + c) * (ratio - 1)
        return (a + b - (a + c) * ratio) / np.sqrt(np.maximum(variance, 1e-300))

    with np.errstate(divide="ignore"):
        centre = np.clip(np.log(a + b) - np.log(a + c), -_WIDEST, _WIDEST)
    low, high = invert(score, centre, -_WIDEST, _WIDEST, z)
    both, gained, lost, _ = pairs.filled
    after, before = both + gained, both + lost
    return pairs.effects(
        np.log(after / before),
        (gained + lost) / (after * before),
        (np.where(a + b == 0, -np.inf, low), np.where(a + c == 0, np.inf, high)),
        names=("log_risk_ratio_of_change", "uncontrolled_log_risk_ratio"),
        method="log ratio of the shares after and before; score interval (Tang)",
        conf_level=conf_level,
    )


def change_in_log_odds(pairs: PairedEvents, *, kind: str = "conditional", conf_level: float = 0.95) -> Effects:
    """Return the log odds ratio of the event after against before.

    Parameters
    ----------
    pairs
        By `paired_events`.
    kind
        "conditional": gained against lost, within clients (the default); "peto": the same by Peto's one step;
        "marginal": the odds of all clients after against before.
    conf_level
        Of the limits: Wilson's limits of the share of gains among those who changed, for "conditional"; estimate
        +- z * SE for the others.

    Returns
    -------
    Effects
        measure "log_odds_ratio_of_change" with the kind added where it is not "conditional", metric
        "uncontrolled_log_odds_ratio" (None for "marginal", which is another quantity).

    Raises
    ------
    DesignError
        If nobody changed (for "marginal": if all or none have the event before or after), or `kind` is unknown.

    Notes
    -----
    log(gained/lost) with variance 1/gained + 1/lost; Peto (O - E)/V with V = (gained + lost)/4; marginal by the delta
    method. 1/2 is added to the four counts of a study where one is 0.

    Examples
    --------
    >>> effect = change_in_log_odds(paired_events(10, 12, 4, 14))
    >>> print(f"{effect.estimate:.4f} [{effect.conf_low:.3f}, {effect.conf_high:.3f}]")
    1.0986 [0.020, 2.177]
    """
    if kind not in {"conditional", "peto", "marginal"}:
        raise DesignError('kind must be "conditional", "peto" or "marginal".')
    z = tail_quantile(conf_level)
    both, gained, lost, neither = pairs.filled
    total = both + gained + lost + neither
    if kind == "marginal":
        after, before = pairs.both + pairs.gained, pairs.both + pairs.lost
        refuse(
            (after == 0) | (after == pairs.n) | (before == 0) | (before == pairs.n),
            "before or after all clients have the same outcome, which says nothing about odds",
        )
        p, q = (both + gained) / total, (both + lost) / total
        estimate = np.log(p / (1 - p) * (1 - q) / q)
        up, down = gained / total, lost / total
        spread = up * (1 - up) + down * (1 - down) + 2 * up * down
        variance = spread / (total * p * (1 - p) * q * (1 - q))
    else:
        refuse(pairs.gained + pairs.lost == 0, "nobody changed, which says nothing about odds")
        ratio = kind == "conditional"
        estimate = np.log(gained / lost) if ratio else 2 * (gained - lost) / (gained + lost)
        variance = 1 / gained + 1 / lost if ratio else 4 / (gained + lost)
    if kind == "conditional":
        limits = share_limits(pairs.gained, pairs.gained + pairs.lost, z)
    else:
        limits = (estimate - z * np.sqrt(variance), estimate + z * np.sqrt(variance))
    return pairs.effects(
        estimate,
        variance,
        limits,
        names=(
            "log_odds_ratio_of_change" + ("" if kind == "conditional" else f"_{kind}"),
            None if kind == "marginal" else "uncontrolled_log_odds_ratio",
        ),
        method=f"log odds ratio after against before, {kind}; "
        + ("Wilson interval" if kind == "conditional" else "interval estimate +- z * SE"),
        conf_level=conf_level,
    )
