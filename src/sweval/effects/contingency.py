"""Counts of two arms, checked once: what every effect of a yes/no outcome starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.arrays import Effects, floats, oriented, refuse, tail_quantile, two_sided_p
from sweval.effects.samples import orientation
from sweval.effects.score_limits import ScoreLimits, score_at_null
from sweval.errors import DesignError

__all__ = ["TwoByTwo", "design_effect", "two_by_two"]

FloatArray = NDArray[np.float64]

_SILENT = ("refuse", "missing", "half")


@dataclass(frozen=True, kw_only=True)
class TwoByTwo:
    """Clients with and without an event in two arms, one entry per study; made by `two_by_two`.

    Attributes
    ----------
    events_treated, n_treated, events_control, n_control
        The counts, of one shape.
    better
        "higher" if the event is an improvement, "lower" if it is what the service should prevent.
    silent
        What to do where a table says nothing about a measure.
    design_effect, clusters
        How many times clusters inflate a variance, and how many clusters there are.

    Examples
    --------
    >>> int(two_by_two(12, 20, 6, 20).n)
    40
    """

    events_treated: FloatArray
    n_treated: FloatArray
    events_control: FloatArray
    n_control: FloatArray
    better: str
    silent: str
    design_effect: FloatArray
    clusters: FloatArray | None

    @property
    def n(self) -> FloatArray:
        """Clients of both arms."""
        return self.n_treated + self.n_control

    @property
    def cells(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Treated with and without the event, control with and without."""
        a, c = self.events_treated, self.events_control
        return a, self.n_treated - a, c, self.n_control - c

    @property
    def incomplete(self) -> NDArray[np.bool_]:
        """Whether one of the four cells is empty."""
        return np.asarray(np.min(np.stack(self.cells), axis=0) == 0)

    @property
    def filled(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """The cells, with 1/2 added to all four where one is empty."""
        half = np.where(self.incomplete, 0.5, 0.0)
        a, b, c, d = (cell + half for cell in self.cells)
        return a, b, c, d

    @property
    def effective(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Events and clients of either arm, as many as they are worth beside independent ones."""
        w = 1 / self.design_effect
        return self.events_treated * w, self.n_treated * w, self.events_control * w, self.n_control * w

    @property
    def df(self) -> FloatArray | None:
        """Clusters - 2, or None for independent clients."""
        return None if self.clusters is None else self.clusters - 2

    def quantile(self, conf_level: float) -> FloatArray:
        """Return the quantile of limits, of t where clients come in clusters."""
        return tail_quantile(conf_level, self.df)

    def limits(self, search: Callable[..., ScoreLimits], conf_level: float) -> ScoreLimits:
        """Return score limits, clusters respected."""
        return search(*self.effective, self.quantile(conf_level))

    def effects(
        self,
        estimate: ArrayLike,
        variance: ArrayLike,
        limits: tuple[ArrayLike, ArrayLike],
        *,
        names: tuple[str, str | None],
        method: str,
        conf_level: float,
        filled: bool = True,
        speaks: NDArray[np.bool_] | None = None,
    ) -> Effects:
        """Return oriented effects with the score test of no difference.

        Parameters
        ----------
        estimate, variance, limits
            The numbers of treated against control; the design effect enters the variance here, the limits before.
        names
            Measure and metric.
        method, conf_level
            What was done.
        filled
            Whether the estimate comes from `filled` cells.
        speaks
            Which tables say something about the measure (from `speaking`), None for all.

        Returns
        -------
        Effects
        """
        held = np.ones(self.n.shape, dtype=bool) if speaks is None else speaks
        numbers = [
            np.where(held, np.asarray(part, dtype=float), np.nan)
            for part in (estimate, np.asarray(variance) * self.design_effect, *limits, score_at_null(*self.effective))
        ]
        plain = Effects(
            measure=names[0],
            metric=names[1],
            estimate=numbers[0],
            variance=numbers[1],
            conf_low=numbers[2],
            conf_high=numbers[3],
            conf_level=conf_level,
            statistic=numbers[4],
            p_value=two_sided_p(numbers[4], self.df),
            df=self.df,
            n=self.n,
            clusters=self.clusters,
            corrected=self.incomplete if filled else np.zeros(self.n.shape, dtype=bool),
            method=method if self.clusters is None else f"{method}; clients count 1/design effect each, t by clusters",
        )
        return oriented(plain, self.better, orientation(self.better))

    def speaking(self, *, all_events: bool) -> NDArray[np.bool_]:
        """Return which tables say something about a ratio; those without any event do not.

        Parameters
        ----------
        all_events
            Whether a table in which everybody has the event says something (it does about a risk ratio, not about
            odds).

        Returns
        -------
        numpy.ndarray
            All True unless `silent` is "missing".

        Raises
        ------
        DesignError
            If there are such tables and `silent` is "refuse".
        """
        a, b, c, d = self.cells
        empty = (a == 0) & (c == 0)
        if not all_events:
            empty |= (b == 0) & (d == 0)
        if self.silent == "refuse":
            refuse(
                empty,
                "all clients of both arms have the same outcome, which says nothing about this measure",
                fix='Use risk_difference; or leave such studies out by silent="missing", and say how many they were.',
            )
        return ~empty if self.silent == "missing" else np.ones_like(empty)


def two_by_two(
    events_treated: ArrayLike,
    n_treated: ArrayLike,
    events_control: ArrayLike,
    n_control: ArrayLike,
    *,
    better: str = "higher",
    silent: str = "refuse",
    design_effect: ArrayLike = 1.0,
    clusters: ArrayLike | None = None,
) -> TwoByTwo:
    """Check the counts of two arms, of one study or many; every effect of a yes/no outcome takes what it returns.

    Parameters
    ----------
    events_treated, n_treated, events_control, n_control
        Clients with the event, and clients, of either arm: numbers, or arrays with one entry per study.
    better
        "higher" if the event is an improvement (housed, back in school), "lower" if the service should prevent it
        (placed in care, arrested). Every effect is turned so that positive, or a ratio above 1, means improvement.
    silent
        For tables that say nothing about a measure, such as a ratio without any event: "refuse"; "missing" gives NaN;
        "half" adds 1/2 to each cell, and the estimate then reflects nothing but the sizes of the arms.
    design_effect, clusters
        Where clients come in clusters that were assigned whole: 1 + (n - 1) * ICC (see `design_effect`), and the number
        of clusters of both arms.

    Returns
    -------
    TwoByTwo

    Raises
    ------
    DesignError
        If counts are no counts, `better` or `silent` unknown, or a design effect comes without clusters.

    Examples
    --------
    >>> import sweval as sw
    >>> table = sw.effects.two_by_two(12, 20, 6, 20, better="higher")
    >>> print(f"{sw.effects.odds_ratio(table).estimate:.2f}, {sw.effects.risk_ratio(table).estimate:.2f}")
    3.50, 2.00
    """
    orientation(better)
    if silent not in _SILENT:
        raise DesignError(f"silent must be one of {', '.join(_SILENT)}.")
    x1, n1, x2, n2, inflation, number = floats(
        events_treated=events_treated,
        n_treated=n_treated,
        events_control=events_control,
        n_control=n_control,
        design_effect=design_effect,
        clusters=3.0 if clusters is None else clusters,
    )
    for name, value in zip(
        ("events_treated", "n_treated", "events_control", "n_control"), (x1, n1, x2, n2), strict=True
    ):
        refuse((value != np.floor(value)) | (value < 0), "counts are whole numbers of 0 or more", where=name)
    refuse((n1 < 1) | (n2 < 1), "each arm needs one client or more")
    refuse((x1 > n1) | (x2 > n2), "there are more events than clients in an arm")
    refuse(inflation < 1, "a design effect is 1 or more", where="design_effect")
    refuse((number < 3) | (number != np.floor(number)), "clusters is a whole number of 3 or more", where="clusters")
    refuse(
        (n1 + n2) / inflation < 2, "the design effect leaves less than two independent clients", where="design_effect"
    )
    if clusters is None:
        refuse(inflation > 1, "a design effect needs the number of clusters, for with few of them intervals are wider")
    return TwoByTwo(
        events_treated=x1,
        n_treated=n1,
        events_control=x2,
        n_control=n2,
        better=better,
        silent=silent,
        design_effect=inflation,
        clusters=None if clusters is None else number,
    )


def design_effect(icc: ArrayLike, cluster_sizes: ArrayLike) -> FloatArray:
    """Return how many times clusters inflate the variance of a difference between arms: 1 + (n - 1) * ICC.

    For whole clusters in one arm each. The ICC of an event is the one on the scale of its probability, not that of the
    latent variable of a logistic mixed model, which is larger.

    Parameters
    ----------
    icc
        Intraclass correlation of the event, between 0 and 1.
    cluster_sizes
        Clients per cluster: one number (all alike), or the sizes of all clusters, whose n is sum(n^2)/sum(n).

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    DesignError
        If the ICC does not lie between 0 and 1, or a size is below 1.

    Examples
    --------
    >>> print(f"{design_effect(0.05, [10, 20, 30]):.4f}")
    2.1167
    """
    (rho,), (size,) = floats(icc=icc), floats(cluster_sizes=cluster_sizes)
    refuse((rho < 0) | (rho > 1), "an intraclass correlation lies between 0 and 1", where="icc")
    refuse(np.asarray(size.size == 0), "there are no clusters", where="cluster_sizes")
    refuse(size < 1, "a cluster has one client or more", where="cluster_sizes")
    return np.asarray(1 + ((size**2).sum() / size.sum() - 1) * rho)
