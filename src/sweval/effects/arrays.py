"""One record for effects that are no standardised mean difference: many studies in, one row each out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.errors import DesignError
from sweval.result import Estimate

__all__ = ["Effects"]

FloatArray = NDArray[np.float64]

_LOG = "log_"
_TERMS = {"arms": "arm[treated]", "change": "change", "group": "group", "association": "association"}
_HELD = ("estimate", "variance", "conf_low", "conf_high", "statistic", "p_value", "df", "n", "clusters", "corrected")


@dataclass(frozen=True, kw_only=True)
class Effects:
    """An effect per study with variance and interval; all arrays have one shape (0-dimensional for one study).

    Ratios are held as logarithms, where they can be averaged; `exponentiated` turns them into ratios for readers.

    Attributes
    ----------
    measure, metric
        What kind of number it is, and the scale it may be compared on (`sweval.result.METRICS`); metric None where no
        other effect can be compared with it.
    estimate, variance
        The effects, oriented, and their sampling variances for a synthesis. The variance is that of large samples;
        the limits need not be estimate +- z * sqrt(variance).
    conf_low, conf_high, conf_level
        Limits that hold in small samples; infinite where the data set no limit.
    statistic, p_value, df, null
        The test of `null`, which agrees with the limits; df None where the reference is normal.
    n, clusters
        Persons (or, for rates, events) behind each effect, and their clusters where they come in clusters.
    corrected
        Whether 1/2 was added to the cells of that table for estimate and variance.
    better
        Which direction is an improvement; None where the measure has none.
    method
        How the numbers were made; the interval by name.
    standardizer
        For effects in standard deviations: whose.
    about
        What they speak of: "arms", the "change" of one group, one "group", or the "association" of two variables. Only
        arms are assigned.

    Examples
    --------
    >>> import sweval as sw
    >>> counts = sw.effects.two_by_two([12, 30], [20, 100], [6, 22], [20, 107], better="higher")
    >>> housed = sw.effects.log_odds_ratio(counts)
    >>> housed.estimate.round(3).tolist(), housed.variance.round(3).tolist()
    ([1.253, 0.504], [0.446, 0.105])
    >>> [round(row.estimate, 2) for row in housed.exponentiated().rows()]
    [3.5, 1.66]
    """

    measure: str
    metric: str | None
    estimate: FloatArray
    variance: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    conf_level: float
    statistic: FloatArray
    p_value: FloatArray
    df: FloatArray | None = None
    null: float = 0.0
    n: FloatArray | None = None
    clusters: FloatArray | None = None
    corrected: NDArray[np.bool_] | None = None
    better: str | None = None
    method: str
    standardizer: str | None = None
    about: str = "arms"

    @property
    def std_error(self) -> FloatArray:
        """The root of `variance`."""
        return np.sqrt(self.variance)

    def exponentiated(self) -> Effects:
        """Return ratios in place of their logarithms; without variance, which belongs to the logarithm.

        Returns
        -------
        Effects
            measure without "log_", null 1, metric None: ratios are averaged as logarithms only.

        Raises
        ------
        DesignError
            If the effects are no logarithms of ratios.
        """
        if not self.measure.startswith(_LOG):
            raise DesignError(f"{self.measure.replace('_', ' ')} is no logarithm of a ratio.")
        with np.errstate(over="ignore"):
            estimate, low, high = (np.exp(part) for part in (self.estimate, self.conf_low, self.conf_high))
        return dataclasses.replace(
            self,
            measure=self.measure.removeprefix(_LOG),
            metric=None,
            estimate=estimate,
            variance=np.full_like(self.variance, np.nan),
            conf_low=low,
            conf_high=high,
            null=1.0,
            method=self.method.replace("positive = improvement", "above 1 = improvement"),
        )

    def fisher_z(self) -> Effects:
        """Return correlations on Fisher's z scale, where they can be averaged; the variance by the delta method.

        Returns
        -------
        Effects
            measure with "_fisher_z" added, metric None: only the z of `pearson_correlation` has the variance 1/(n - 3).

        Raises
        ------
        DesignError
            If the effects are no correlations, or one is -1 or 1.
        """
        if self.metric != "correlation":
            raise DesignError(f"{self.measure.replace('_', ' ')} is no correlation.")
        refuse(np.abs(self.estimate) >= 1, "a correlation of 1 or beyond has no Fisher z")
        with np.errstate(divide="ignore"):
            z, low, high = (np.arctanh(part) for part in (self.estimate, self.conf_low, self.conf_high))
        return dataclasses.replace(
            self,
            measure=f"{self.measure}_fisher_z",
            metric=None,
            estimate=z,
            variance=self.variance / (1 - self.estimate**2) ** 2,
            conf_low=low,
            conf_high=high,
            method=f"{self.method}; Fisher's z",
        )

    def rows(self, *, term: str | None = None) -> tuple[Estimate, ...]:
        """Return one row of a result per effect.

        Parameters
        ----------
        term
            What the effects belong to; left out it follows from `about`, such as "arm[treated]".

        Returns
        -------
        tuple of Estimate
            In the order of the studies; `method` says where 1/2 was added to cells.
        """
        shape = self.estimate.shape
        flat = {
            name: np.broadcast_to(value, shape).ravel() for name in _HELD if (value := getattr(self, name)) is not None
        }
        named = _TERMS[self.about] if term is None else term
        return tuple(
            self._row({name: value[i] for name, value in flat.items()}, named) for i in range(self.estimate.size)
        )

    def row(self, *, term: str | None = None) -> Estimate:
        """Return the row of the only effect.

        Parameters
        ----------
        term
            As in `rows`.

        Returns
        -------
        Estimate

        Raises
        ------
        DesignError
            If there are several effects; `rows` gives them all.
        """
        if self.estimate.size != 1:
            raise DesignError(f"there are {self.estimate.size} effects; take rows() in place of row().")
        return self.rows(term=term)[0]

    def _row(self, held: dict[str, np.generic], term: str) -> Estimate:
        numbers = {name: None if np.isnan(float(value)) else float(value) for name, value in held.items()}
        variance, n, clusters = numbers.get("variance"), numbers.get("n"), numbers.get("clusters")
        added = "; 1/2 added to every count of this study for the estimate, since one is 0"
        return Estimate(
            term=term,
            measure=self.measure,
            estimate=float(held["estimate"]),
            std_error=None if variance is None else float(np.sqrt(variance)),
            conf_low=numbers["conf_low"],
            conf_high=numbers["conf_high"],
            conf_level=self.conf_level,
            statistic=numbers["statistic"],
            df=numbers.get("df"),
            p_value=numbers["p_value"],
            null=None if self.about == "group" else self.null,
            better=self.better,
            n=None if n is None else round(n),
            clusters=None if clusters is None else round(clusters),
            method=self.method + (added if held.get("corrected") else ""),
            metric=self.metric,
            standardizer=self.standardizer,
            adjusted=False,
            level_assigned=None if self.about != "arms" else "client" if clusters is None else "cluster",
            level_outcome="client",
            variance=variance,
            weight_variance=variance,
        )


def tail_quantile(conf_level: float, df: ArrayLike | None = None) -> FloatArray:
    """Return the two-sided quantile of the normal, or of t where df is given.

    Raises
    ------
    DesignError
        If `conf_level` does not lie between 0 and 1.
    """
    if not isinstance(conf_level, (int, float, np.number)) or not 0 < conf_level < 1:
        raise DesignError("conf_level must lie between 0 and 1, for example 0.95.")
    z = np.asarray(special.ndtri((1 + conf_level) / 2))
    if df is None:
        return z
    freedom = np.asarray(df, dtype=float)
    return np.where(
        np.isinf(freedom), z, -special.stdtrit(np.where(np.isinf(freedom), 1.0, freedom), (1 - conf_level) / 2)
    )


def two_sided_p(statistic: FloatArray, df: ArrayLike | None = None) -> FloatArray:
    """Return P(|T| >= |statistic|); normal without df."""
    far = -np.abs(statistic)
    if df is None:
        return 2 * special.ndtr(far)
    freedom = np.asarray(df, dtype=float)
    return 2 * np.where(
        np.isinf(freedom), special.ndtr(far), special.stdtr(np.where(np.isinf(freedom), 1.0, freedom), far)
    )


def wald(
    estimate: ArrayLike,
    variance: ArrayLike,
    *,
    measure: str,
    metric: str | None,
    method: str,
    df: ArrayLike | None = None,
    conf_level: float = 0.95,
) -> Effects:
    """Return effects with limits estimate +- quantile * sqrt(variance), where that holds (or is all there is)."""
    y, v = np.broadcast_arrays(np.asarray(estimate, dtype=float), np.asarray(variance, dtype=float))
    half = tail_quantile(conf_level, df) * np.sqrt(v)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = y / np.sqrt(v)
    return Effects(
        measure=measure,
        metric=metric,
        estimate=y,
        variance=v,
        conf_low=y - half,
        conf_high=y + half,
        conf_level=conf_level,
        statistic=statistic,
        p_value=two_sided_p(statistic, df),
        df=None if df is None else np.broadcast_to(np.asarray(df, dtype=float), y.shape),
        method=method,
    )


def oriented(effects: Effects, better: str, sign: float) -> Effects:
    """Return the effects with positive = improvement."""
    turned = (
        effects
        if sign > 0
        else dataclasses.replace(
            effects,
            estimate=-effects.estimate,
            conf_low=-effects.conf_high,
            conf_high=-effects.conf_low,
            statistic=-effects.statistic,
        )
    )
    return dataclasses.replace(turned, better=better, method=f"{effects.method}; positive = improvement")


def floats(**parts: ArrayLike) -> tuple[FloatArray, ...]:
    """Return each part as floats, all of one shape.

    Raises
    ------
    DesignError
        If a part holds no finite numbers, or the shapes do not fit.
    """
    held = {name: numbers(part, name=name) for name, part in parts.items()}
    for name, value in held.items():
        wrong = int((~np.isfinite(value)).sum())
        if wrong:
            raise DesignError(
                f"{wrong} of {value.size} values are missing or not finite.",
                where=name,
                fix="Leave those studies out first, and report how many they were.",
            )
    return same_shape(**held)


def numbers(part: ArrayLike, *, name: str) -> FloatArray:
    """Return a part as floats, missing and infinite ones among them.

    Raises
    ------
    DesignError
        If an entry is no number; the message does not show it.
    """
    try:
        return np.asarray(part, dtype=float)
    except (TypeError, ValueError):
        raise DesignError("there are entries that are no numbers.", where=name) from None


def same_shape(**parts: FloatArray) -> tuple[FloatArray, ...]:
    """Return the parts broadcast to one shape.

    Raises
    ------
    DesignError
        If the shapes do not fit.
    """
    try:
        return tuple(np.broadcast_arrays(*parts.values()))
    except ValueError:
        sizes = ", ".join(f"{name} {value.size}" for name, value in parts.items())
        raise DesignError(f"the arrays have different lengths: {sizes}.") from None


def refuse(wrong: NDArray[np.bool_], what: str, *, where: str | None = None, fix: str | None = None) -> None:
    """Raise if any study is wrong; the message counts them and names the first by its place.

    Raises
    ------
    DesignError
        If `wrong` holds anywhere.
    """
    if wrong.any():
        first = "" if wrong.ndim == 0 else f", the first is number {int(np.flatnonzero(wrong.ravel())[0]) + 1}"
        raise DesignError(f"{what} ({int(wrong.sum())} of {wrong.size} studies{first}).", where=where, fix=fix)
