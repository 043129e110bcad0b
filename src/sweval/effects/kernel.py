"""The one road from a raw difference to a standardised effect: J, the exact variance and the noncentral-t interval.

Every standardised effect of sweval goes through `standardize`, whatever the design: a design differs only in what it
passes for the standard error, the standard deviation and their degrees of freedom.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.pivots import generalized_interval
from sweval.errors import DesignError

__all__ = ["Standardized", "noncentral_t_interval", "small_sample_factor", "standardize"]

FloatArray = NDArray[np.float64]

_SERIES = (1.0, -1 / 8, 1 / 128, 5 / 1024, -21 / 32768, -399 / 262144)
_SERIES_FROM = 200.0
_NU_FLOOR = 2.001
_LOG_TINY = 36.0
_MOST_NODES = 1024
_FAR = 9.0
_BLOCK = 1 << 20
_EXCESS = (0.0, 0.0, *(2.0 ** (k - 1) / factorial(k) for k in range(2, 11)))


@dataclass(frozen=True, kw_only=True)
class Standardized:
    """A standardised effect, or an array of them; every field has the same shape (numpy, 0-dimensional for one effect).

    Attributes
    ----------
    d
        c * b / s, without the small-sample factor.
    g
        J(nu) * d: the estimate to report.
    variance
        Variance of g for reports; it depends on g.
    weight_variance
        kappa squared, free of g: for the weights of a synthesis (Pustejovsky & Rodgers, 2019).
    conf_low, conf_high
        Limits for the population effect.
    statistic, p_value
        d / kappa = b / SE(b), and its two-sided p at `df`; they agree with the interval at 0.
    nu, df
        Degrees of freedom of s (in J and the variance) and of SE(b) (in interval and p).
    interval
        What the limits are: "noncentral-t interval" or "generalized interval".
    """

    d: FloatArray
    g: FloatArray
    variance: FloatArray
    weight_variance: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    nu: FloatArray
    df: FloatArray
    interval: str

    def with_j(self, j: str) -> Standardized:
        """Return the same effects with g and variance at another `j` of `small_sample_factor`; limits do not change."""
        g, variance = _estimate(self.d, self.weight_variance, self.nu, j=j)
        return dataclasses.replace(self, g=g, variance=variance)


def small_sample_factor(nu: ArrayLike, *, j: str = "exact") -> FloatArray:
    r"""Return the factor J that makes a standardised mean difference unbiased.

    Use it with the degrees of freedom of the standard deviation in the denominator, not with those of the test.

    Parameters
    ----------
    nu
        Degrees of freedom of the standard deviation, above 1; infinity (a known standard deviation) gives 1.
    j
        "exact", or "approximate" for 1 - 3/(4 nu - 1), which Hedges (1981) gave as well and which the What Works
        Clearinghouse and the R packages esc and scdhlm use.

    Returns
    -------
    numpy.ndarray
        J, of the shape of `nu`.

    Raises
    ------
    DesignError
        If any `nu` is not above 1, where J is not defined, or `j` is unknown.

    Notes
    -----
    .. math:: J(\nu) = \frac{\Gamma(\nu/2)}{\sqrt{\nu/2}\;\Gamma((\nu-1)/2)}

    Hedges (1981), doi:10.3102/10769986006002107. From `nu` = 200 the ratio of gamma functions is taken from its
    asymptotic series, which is exact to the last digits there while the difference of log-gammas is not.

    Examples
    --------
    >>> round(float(small_sample_factor(10)), 6)
    0.922746
    """
    if j not in ("exact", "approximate"):
        raise DesignError('j must be "exact" or "approximate".')
    nu = np.asarray(nu, dtype=float)
    bad = ~(nu > 1)
    if bad.any():
        raise DesignError(
            f"{int(bad.sum())} standard deviation(s) rest on one degree of freedom or less, "
            "so no effect can be standardised by them.",
            fix="Use more clients (or clusters), or supply a published standard deviation.",
        )
    if j == "approximate":
        return 1 - 3 / (4 * nu - 1)
    small = np.minimum(nu, _SERIES_FROM)
    exact = np.exp(special.gammaln(small / 2) - special.gammaln((small - 1) / 2)) / np.sqrt(small / 2)
    inverse = 2 / (np.maximum(nu, _SERIES_FROM) - 1)
    series = np.sqrt(1 - 1 / nu) * np.polynomial.polynomial.polyval(inverse, _SERIES)
    return np.where(nu < _SERIES_FROM, exact, series)


def noncentral_t_interval(t: ArrayLike, df: ArrayLike, *, conf_level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    r"""Return the confidence limits of the noncentrality behind an observed t.

    Multiplied by kappa they are the limits of a standardised effect. Do not multiply them by J as well: the pivot is
    for the population effect.

    Parameters
    ----------
    t
        Observed t statistics.
    df
        Their degrees of freedom, above 0; infinity gives the normal limits. Broadcast against `t`.
    conf_level
        Between 0 and 1; the tails are equal.

    Returns
    -------
    low, high : numpy.ndarray
        Noncentralities with P(T >= t) = alpha/2 and P(T <= t) = alpha/2.

    Raises
    ------
    DesignError
        If `t` is not finite, `df` not positive, or `conf_level` not between 0 and 1.

    Notes
    -----
    Inversion as in Steiger & Fouladi (1997). With :math:`s = \sqrt{\chi^2_\nu/\nu}` the tail is
    :math:`P(T \le t) = E\,\Phi(t s - \lambda)`. The expectation is a trapezoidal sum over log s, which converges
    geometrically because the integrand is analytic; for extreme t / sqrt(df), where s varies far more than the normal
    part does, it is a double-exponential sum over the normal part. Library routines for the noncentral t lose accuracy
    or fail in the tails; this one is tested against 25-digit arithmetic.

    Examples
    --------
    >>> low, high = noncentral_t_interval(2.5, 18)
    >>> print(f"{low:.4f} {high:.4f}")
    0.3494 4.5915
    """
    if not 0 < conf_level < 1:
        raise DesignError("conf_level must lie between 0 and 1, for example 0.95.")
    t, df = np.broadcast_arrays(np.asarray(t, dtype=float), np.asarray(df, dtype=float))
    if not np.isfinite(t).all() or not (df > 0).all():
        raise DesignError("an interval needs a finite t statistic and positive degrees of freedom.")
    tail = (1 - conf_level) / 2
    flat_t, flat_df = t.ravel(), df.ravel()
    limits = _upper_limit(np.concatenate([-flat_t, flat_t]), np.concatenate([flat_df, flat_df]), tail)
    low, high = -limits[: t.size], limits[t.size :]
    return low.reshape(t.shape), high.reshape(t.shape)


def standardize(
    b: ArrayLike,
    s: ArrayLike,
    *,
    nu: ArrayLike,
    kappa: ArrayLike,
    df: ArrayLike,
    c: ArrayLike = 1.0,
    conf_level: float = 0.95,
    separate: bool = False,
) -> Standardized:
    r"""Turn effects in raw units into standardised effects with variance and interval. All arguments broadcast.

    Parameters
    ----------
    b
        Effects in raw units, already oriented if a sign convention is wanted.
    s
        The standard deviations that serve as units, above 0.
    nu
        Degrees of freedom of `s`: s^2 nu / sigma^2 is about chi-square(nu). They enter J and the variance. Infinity
        for a supplied (known) standard deviation.
    kappa
        sqrt(Var(b)) / sigma. Where the standard error of b was estimated this is c * SE(b) / s.
    df
        Degrees of freedom of SE(b); they enter interval and p. Equal to `nu` only where kappa is known from the
        design (two independent groups, or a given intraclass correlation).
    c
        Design factor: s / c estimates the population standard deviation. 1 without clustering, below 1 where s is
        pooled over clustered persons and so too small.
    conf_level
        Between 0 and 1.
    separate
        True where SE(b) was estimated apart from `s`, as with clusters: the limits are then those of
        `generalized_interval`. False where SE(b) is (nearly) a known multiple of `s`.

    Returns
    -------
    Standardized

    Raises
    ------
    DesignError
        If a standard deviation or kappa is not positive, or `nu` is not above 1.

    Notes
    -----
    .. math::
        d = c\,b/s, \quad g = J(\nu)\,d, \quad
        V = J^2 \tfrac{\nu}{\nu-2} \kappa^2 + g^2 \left(J^2 \tfrac{\nu}{\nu-2} - 1\right), \quad
        \mathrm{CI} = \kappa\,[\lambda_L, \lambda_U]

    V is the exact variance of a scaled noncentral t with g in place of the parameter (Hedges, 1981; Morris, 2008,
    eq. 25; Pustejovsky, Hedges & Shadish, 2014). For 1 < nu <= 2 that variance does not exist; nu/(nu-2) is then
    taken at nu = 2.001 (the convention of the R package lmeInfo), a variance so large that the effect gets next to
    no weight anywhere. Where kappa holds an estimated standard error, V has that error too: with few clusters
    of unequal size the CR2 variance, and so V, is too small on average (to about 0.7 in the worst layout that was
    simulated, 6 clusters with 2 treated). The interval, which knows df, is what to read then.

    Examples
    --------
    >>> effect = standardize(2.0, 4.0, nu=18, kappa=(2 / 10) ** 0.5, df=18)
    >>> print(f"{effect.g:.4f} {effect.variance:.4f} {effect.conf_low:.4f} {effect.conf_high:.4f}")
    0.4788 0.2136 -0.3981 1.3847
    """
    b, s, nu, kappa, df, c = np.broadcast_arrays(*(np.asarray(part, dtype=float) for part in (b, s, nu, kappa, df, c)))
    if not (np.isfinite(b).all() and (s > 0).all() and (kappa > 0).all() and (c > 0).all()):
        raise DesignError(
            "an effect can be standardised only if it is finite and its standard deviation and standard error are "
            "above zero.",
            fix="Check whether the outcome varies within the arms.",
        )
    d = c * b / s
    g, variance = _estimate(d, kappa**2, nu, j="exact")
    t = d / kappa
    if separate:
        low, high = generalized_interval(d, kappa, 1.0, nu=nu, df=df, conf_level=conf_level)
    else:
        low, high = (kappa * limit for limit in noncentral_t_interval(t, df, conf_level=conf_level))
    return Standardized(
        d=d,
        g=g,
        variance=variance,
        weight_variance=kappa**2,
        conf_low=low,
        conf_high=high,
        statistic=t,
        p_value=_two_sided_p(t, df),
        nu=nu,
        df=df,
        interval="generalized interval" if separate else "noncentral-t interval",
    )


def _estimate(d: FloatArray, weight_variance: FloatArray, nu: FloatArray, *, j: str) -> tuple[FloatArray, FloatArray]:
    """Return g and its variance."""
    factor = small_sample_factor(nu, j=j)
    g = factor * d
    inflation = factor**2 / (1 - 2 / np.maximum(nu, _NU_FLOOR))
    return g, inflation * weight_variance + g**2 * (inflation - 1)


def _two_sided_p(t: FloatArray, df: FloatArray) -> FloatArray:
    """Return P(|T| >= |t|); normal at infinite df."""
    finite = np.where(np.isinf(df), 1.0, df)
    return np.where(np.isinf(df), 2 * special.ndtr(-np.abs(t)), 2 * special.stdtr(finite, -np.abs(t)))


def _upper_limit(t: FloatArray, df: FloatArray, tail: float) -> FloatArray:
    """Return lambda with P(T <= t; df, lambda) = tail, elementwise over flat arrays."""
    quantile = float(special.ndtri(tail))
    limit = t - quantile  # exact at infinite df
    count = _node_counts(t, df)
    for nodes, chosen in _blocks(count, np.isfinite(df)):
        limit[chosen] = _solve(t[chosen], df[chosen], tail, nodes)
    return limit


def _node_counts(t: FloatArray, df: FloatArray) -> NDArray[np.int64]:
    """Return how many trapezoid nodes each element needs, rounded up to a power of two; 0 where the other rule serves.

    The step follows from the error bound of the trapezoidal rule for an analytic integrand whose normal part varies
    over 1 / t and whose chi part varies over 1 / sqrt(2 df).
    """
    finite = np.where(np.isinf(df), 1e12, df)
    low, high = _range(finite)
    step = 0.55 / ((1 + 2.2 / np.sqrt(2 * finite)) * np.sqrt(t**2 + 2 * finite + 12))
    power = np.ceil(np.log2((high - low) / step))
    count = (2.0 ** np.maximum(power, 5)).astype(np.int64)
    return np.where(count > _MOST_NODES, 0, count)


def _range(df: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return where the density of log s, in the variable of `_log_s`, has fallen by exp(-36)."""
    scale = _LOG_TINY / df
    left = -(scale + np.sqrt(scale**2 + 4 * scale)) / 2
    right = np.minimum(np.sqrt(scale), np.log1p(2 * (scale + 1 + np.log1p(4 * scale) / 2)) / 2)
    folded = _folded(df)
    return (
        np.where(folded, left + special.wrightomega(-left), left),
        np.where(folded, right + special.wrightomega(-right), right),
    )


def _folded(df: FloatArray) -> NDArray[np.bool_]:
    """Tell for which df the left tail of log s is so long that x - exp(-x) is put in its place."""
    return df < 30


def _blocks(count: NDArray[np.int64], wanted: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield (nodes, indices) so that no block needs more than about a million nodes at once."""
    for nodes in np.unique(count[wanted]):
        members = np.flatnonzero(wanted & (count == nodes))
        size = max(1, _BLOCK // max(int(nodes), 64))
        for start in range(0, members.size, size):
            yield int(nodes), members[start : start + size]


def _solve(t: FloatArray, df: FloatArray, tail: float, nodes: int) -> FloatArray:
    """Solve P(T <= t) = tail for lambda by Newton steps on the probit scale, kept inside a bracket."""
    quantile = float(special.ndtri(tail))
    limit = t - quantile * np.sqrt(1 + t**2 / (2 * df))
    low, high = np.full(t.shape, -np.inf), np.full(t.shape, np.inf)
    widest = 4 * (1 + np.abs(t) / np.sqrt(2 * df))
    left = np.arange(t.size)
    for turn in range(15):
        rule = _ScaleRule(t[left], df[left], nodes) if nodes else _NormalRule(t[left], df[left])
        now, bottom, top, most = limit[left], low[left], high[left], widest[left]
        for step in range(8):
            below, slope = rule(now)
            bottom, top = np.where(below > tail, now, bottom), np.where(below > tail, top, now)
            flat = (below < 1e-18) | (below > 1 - 1e-15) | (slope < 1e-300)
            probit = special.ndtri(np.where(flat, 0.5, below))
            density = np.exp(-(probit**2) / 2) / np.sqrt(2 * np.pi)
            newton = (probit - quantile) * density / np.where(flat, 1.0, slope)
            proposal = now + np.where(flat, np.sign(below - tail) * most, np.clip(newton, -most, most))
            halve = ~((proposal >= bottom) & (proposal <= top))
            if turn > 0 and step % 2 == 0:  # Newton's steps can bounce between flat stretches
                halve |= np.isfinite(bottom) & np.isfinite(top)
            middle = (np.maximum(bottom, now - most) + np.minimum(top, now + most)) / 2
            proposal = np.where(halve, middle, proposal)
            moved = np.abs(proposal - now) > 1e-12 * (1 + np.abs(proposal))
            now = proposal
            if not moved.any():
                break
        limit[left], low[left], high[left] = now, bottom, top
        left = left[moved]
        if left.size == 0:
            break
    return limit


class _ScaleRule:
    """P(T <= t) and minus its derivative in lambda, as a trapezoidal sum over log s."""

    def __init__(self, t: FloatArray, df: FloatArray, nodes: int) -> None:
        low, high = _range(df)
        x = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, nodes)
        folded = _folded(df)[:, None]
        tilt = np.exp(-np.where(folded, x, 0.0))
        log_s = np.where(folded, x - tilt, x)
        weight = np.exp(-df[:, None] * _excess(log_s)) * np.where(folded, 1 + tilt, 1.0)
        self.weight = weight / weight.sum(axis=1, keepdims=True)
        self.scaled = t[:, None] * np.exp(log_s)

    def __call__(self, limit: FloatArray) -> tuple[FloatArray, FloatArray]:
        z = self.scaled - limit[:, None]
        density = np.exp(-0.5 * z * z)
        below = np.einsum("ij,ij->i", self.weight, special.ndtr(z))
        return below, np.einsum("ij,ij->i", self.weight, density) / np.sqrt(2 * np.pi)


class _NormalRule:
    """The same two numbers as an integral over the normal part, where s varies far more than it does.

    With a = |t| the event T <= a is s >= (Z + lambda) / a; its probability has a power of Z + lambda at the lower end,
    which the double-exponential rule takes in its stride. For t < 0 everything is mirrored.
    """

    def __init__(self, t: FloatArray, df: FloatArray) -> None:
        grid = np.linspace(-3.4, 3.4, 241)
        inner = np.pi / 2 * np.sinh(grid)
        self.place = special.expit(2 * inner)  # in (0, 1)
        self.step = (grid[1] - grid[0]) * np.pi / 4 * np.cosh(grid) / np.cosh(inner) ** 2
        self.negative, self.size, self.df = t < 0, np.abs(t)[:, None], df[:, None]

    def __call__(self, limit: FloatArray) -> tuple[FloatArray, FloatArray]:
        mirrored = np.where(self.negative, -limit, limit)
        start = np.clip(-mirrored, -_FAR, _FAR)[:, None]
        width = _FAR + 1 - start
        distance = width * self.place + np.maximum(start + mirrored[:, None], 0)
        z = start + width * self.place
        weight = width * self.step * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        half = self.df / 2
        square = half * (distance / self.size) ** 2
        beyond = np.where(self.negative[:, None], special.gammainc(half, square), special.gammaincc(half, square))
        below = (weight * beyond).sum(axis=1) + np.where(self.negative, 0.0, special.ndtr(-mirrored))
        log_density = half * np.log(square) - square - special.gammaln(half)
        return below, (weight * 2 * np.exp(log_density) / distance).sum(axis=1)


def _excess(u: FloatArray) -> FloatArray:
    """Return (exp(2u) - 1)/2 - u without cancellation near 0."""
    near = np.clip(u, -0.05, 0.05)
    series = np.polynomial.polynomial.polyval(near, _EXCESS)
    return np.where(np.abs(u) < 0.05, series, np.expm1(2 * u) / 2 - u)
