"""One group: shares, rates, means and spreads, on the scales they are averaged on over studies.

For questions such as "what share of families drops out", not for effects: nothing is compared, so there is no test and
nothing is turned.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.arrays import Effects, floats, refuse, tail_quantile
from sweval.effects.kernel import noncentral_t_interval, small_sample_factor
from sweval.effects.rates import rate_limits
from sweval.errors import DesignError

__all__ = ["single_mean", "single_rate", "single_share", "single_spread"]

FloatArray = NDArray[np.float64]

_SHARES = {
    "raw": "share",
    "log": None,
    "logit": "log_odds",
    "probit": None,
    "arcsine": None,
    "freeman_tukey": None,
}


def single_share(events: ArrayLike, n: ArrayLike, *, scale: str = "raw", conf_level: float = 0.95) -> Effects:
    """Return shares of clients with an event, on a scale for averaging.

    Parameters
    ----------
    events, n
        Clients with the event, and clients.
    scale
        "raw", "log", "logit", "probit", "arcsine", or "freeman_tukey" (the double arcsine, Freeman & Tukey, 1950).
        Averages on the last cannot be turned back without a sample size, and mislead where sizes differ much; "logit"
        is the safe choice.
    conf_level
        Of the limits: Wilson's, transformed. The double arcsine has estimate +- z * SE.

    Returns
    -------
    Effects
        1/2 is added to both counts of groups in which nobody or everybody has the event; not for the arcsine scales,
        which need it not.

    Raises
    ------
    DesignError
        If counts are no counts, or `scale` is unknown.

    Examples
    --------
    >>> effect = single_share(10, 40, scale="logit")
    >>> print(f"{effect.estimate:.3f} {effect.variance:.4f}")
    -1.099 0.1333
    """
    if scale not in _SHARES:
        raise DesignError(f"scale must be one of {', '.join(_SHARES)}.")
    x, size = floats(events=events, n=n)
    refuse((x % 1 != 0) | (size % 1 != 0) | (x < 0) | (size < 1) | (x > size), "events must be counts from 0 to n")
    bare = scale in {"arcsine", "freeman_tukey"}
    corrected = np.zeros(x.shape, dtype=bool) if bare else np.asarray((x == 0) | (x == size))
    half = np.where(corrected, 0.5, 0.0)
    a, total = x + half, size + 2 * half
    estimate, variance = _share(scale, a / total, a, total)
    z = tail_quantile(conf_level)
    if scale == "freeman_tukey":
        low, high = estimate - z * np.sqrt(variance), estimate + z * np.sqrt(variance)
    else:
        middle = (x + z**2 / 2) / (size + z**2)
        reach = z * np.sqrt(x * (size - x) / size + z**2 / 4) / (size + z**2)
        lowest, highest = np.where(x == 0, 0.0, middle - reach), np.where(x == size, 1.0, middle + reach)
        low, high = (_on_scale(scale, limit) for limit in (lowest, highest))
    return _described(
        (estimate, variance, low, high),
        names=("share" if scale == "raw" else f"share_{scale}", _SHARES[scale]),
        method=f"share, {scale} scale; "
        + ("interval estimate +- z * SE" if scale == "freeman_tukey" else "Wilson interval"),
        n=size,
        conf_level=conf_level,
        corrected=corrected,
    )


def single_rate(events: ArrayLike, time: ArrayLike, *, scale: str = "raw", conf_level: float = 0.95) -> Effects:
    """Return rates of events over time, on a scale for averaging.

    Parameters
    ----------
    events, time
        Events, and the time in which they were counted.
    scale
        "raw", "log", "root", or "freeman_tukey".
    conf_level
        Of the limits: score limits of the rate, transformed. "freeman_tukey" has estimate +- z * SE.

    Returns
    -------
    Effects
        1/2 is added to counts of 0 on the scales "raw" and "log"; `n` counts events.

    Raises
    ------
    DesignError
        If counts are no counts, a time is not above 0, or `scale` is unknown.

    Examples
    --------
    >>> print(f"{single_rate(4, 50.0, scale='log').estimate:.3f}")
    -2.526
    """
    if scale not in {"raw", "log", "root", "freeman_tukey"}:
        raise DesignError("scale must be one of raw, log, root, freeman_tukey.")
    x, t = floats(events=events, time=time)
    refuse((x % 1 != 0) | (x < 0) | (t <= 0), "events must be counts of 0 or more, and the time above 0")
    corrected = np.asarray((x == 0) & (scale in {"raw", "log"}))
    a = x + np.where(corrected, 0.5, 0.0)
    z = tail_quantile(conf_level)
    lowest, highest = rate_limits(x, t, z)
    if scale == "raw":
        numbers = (a / t, a / t**2, lowest, highest)
    elif scale == "log":
        numbers = (np.log(a / t), 1 / a, _log(lowest), np.log(highest))
    else:
        root = np.sqrt(x / t)
        estimate = root if scale == "root" else (root + np.sqrt((x + 1) / t)) / 2
        variance = 1 / (4 * t)
        reach = z * np.sqrt(variance)
        limits = (np.sqrt(lowest), np.sqrt(highest)) if scale == "root" else (estimate - reach, estimate + reach)
        numbers = (estimate, variance, *limits)
    return _described(
        numbers,
        names=("rate" if scale == "raw" else f"rate_{scale}", None),
        method=f"rate, {scale} scale; "
        + ("interval estimate +- z * SE" if scale == "freeman_tukey" else "score interval")
        + "; n counts events",
        n=x,
        conf_level=conf_level,
        corrected=corrected,
    )


def single_mean(
    mean: ArrayLike, sd: ArrayLike, n: ArrayLike, *, scale: str = "raw", conf_level: float = 0.95
) -> Effects:
    """Return means of one group, on a scale for averaging.

    Parameters
    ----------
    mean, sd, n
        Mean, standard deviation and number of clients (2 or more).
    scale
        "raw"; "log" (means above 0 only); "standardized", mean/sd with the small-sample factor J, whose variance
        1/n + g^2/(2n) is that of large samples (a quarter too small with 8 clients; the limits are exact).
    conf_level
        Of the limits: t, for "standardized" noncentral t.

    Returns
    -------
    Effects

    Raises
    ------
    DesignError
        If a standard deviation is not above 0, a number is below 2, a mean of the log scale is not above 0, or `scale`
        is unknown.

    Examples
    --------
    >>> effect = single_mean(14.0, 5.0, 30)
    >>> print(f"{effect.estimate:.1f} [{effect.conf_low:.2f}, {effect.conf_high:.2f}]")
    14.0 [12.13, 15.87]
    """
    if scale not in {"raw", "log", "standardized"}:
        raise DesignError("scale must be one of raw, log, standardized.")
    m, s, size = floats(mean=mean, sd=sd, n=n)
    refuse((s <= 0) | (size < 2), "a standard deviation above 0 and two clients or more are needed")
    reach = tail_quantile(conf_level, size - 1) * s / np.sqrt(size)
    if scale == "raw":
        numbers = (m, s**2 / size, m - reach, m + reach)
    elif scale == "log":
        refuse(m <= 0, "a mean is not above 0 and has no logarithm", where="mean")
        numbers = (np.log(m), (s / m) ** 2 / size, np.log(m) - reach / m, np.log(m) + reach / m)
    else:
        refuse(size < 3, "a standardised mean needs three clients or more", where="n")
        g = small_sample_factor(size - 1) * m / s
        low, high = noncentral_t_interval(m / s * np.sqrt(size), size - 1, conf_level=conf_level)
        numbers = (g, 1 / size + g**2 / (2 * size), low / np.sqrt(size), high / np.sqrt(size))
    return _described(
        numbers,
        names=("mean" if scale == "raw" else f"mean_{scale}", "raw" if scale == "raw" else None),
        method=f"mean, {scale} scale; " + ("noncentral-t" if scale == "standardized" else "t") + " interval, n - 1 df",
        n=size,
        conf_level=conf_level,
        df=size - 1,
    )


def single_spread(sd: ArrayLike, n: ArrayLike, *, mean: ArrayLike | None = None, conf_level: float = 0.95) -> Effects:
    """Return log standard deviations of one group, or log coefficients of variation where means are given.

    Parameters
    ----------
    sd, n
        Standard deviation and number of clients (2 or more).
    mean
        Means above 0, for the coefficient of variation.
    conf_level
        Of the limits: chi-square for the standard deviation, t for the coefficient of variation.

    Returns
    -------
    Effects

    Raises
    ------
    DesignError
        If a standard deviation or mean is not above 0, or a number is below 2.

    Examples
    --------
    >>> print(f"{single_spread(5.0, 30).estimate:.4f}")
    1.6267
    """
    s, size = floats(sd=sd, n=n)
    refuse((s <= 0) | (size < 2), "a standard deviation above 0 and two clients or more are needed")
    bias, df, tail = 1 / (2 * (size - 1)), size - 1, (1 - conf_level) / 2
    z = tail_quantile(conf_level, df)
    if mean is None:
        low, high = (
            np.log(s) + np.log(df / (2 * quantile)) / 2
            for quantile in (special.gammainccinv(df / 2, tail), special.gammaincinv(df / 2, tail))
        )
        numbers = (np.log(s) + bias, bias, low, high)
    else:
        m, s, size, bias, df = floats(mean=mean, sd=s, n=size, bias=bias, df=df)
        refuse(m <= 0, "a mean is not above 0, so there is no coefficient of variation", where="mean")
        variance = bias + (s / m) ** 2 / size
        estimate = np.log(s / m) + bias
        numbers = (estimate, variance, estimate - z * np.sqrt(variance), estimate + z * np.sqrt(variance))
    return _described(
        numbers,
        names=("log_sd" if mean is None else "log_cv", None),
        method="log standard deviation; chi-square interval" if mean is None else "log coefficient of variation; t",
        n=size,
        conf_level=conf_level,
        df=None if mean is None else df,
    )


def _share(scale: str, p: FloatArray, a: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return a share and its variance on a scale."""
    if scale == "freeman_tukey":
        return (np.arcsin(np.sqrt(a / (n + 1))) + np.arcsin(np.sqrt((a + 1) / (n + 1)))) / 2, 1 / (4 * n + 2)
    estimate = _on_scale(scale, p)
    if scale == "probit":
        return estimate, 2 * np.pi * p * (1 - p) * np.exp(estimate**2) / n
    if scale == "arcsine":
        return estimate, 1 / (4 * n)
    if scale == "log":
        return estimate, 1 / a - 1 / n
    return estimate, p * (1 - p) / n if scale == "raw" else 1 / a + 1 / (n - a)


def _on_scale(scale: str, p: FloatArray) -> FloatArray:
    """Return a share on a scale; infinite where it is 0 or 1 and the scale ends there."""
    if scale == "raw":
        return p
    if scale == "arcsine":
        return np.arcsin(np.sqrt(p))
    if scale == "log":
        return _log(p)
    return np.asarray(special.logit(p) if scale == "logit" else special.ndtri(p))


def _log(values: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.log(values)


def _described(
    numbers: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    *,
    names: tuple[str, str | None],
    method: str,
    n: FloatArray,
    conf_level: float,
    df: FloatArray | None = None,
    corrected: NDArray[np.bool_] | None = None,
) -> Effects:
    """Return numbers about one group, which are tested against nothing."""
    estimate, variance, low, high = (np.asarray(part, dtype=float) for part in np.broadcast_arrays(*numbers))
    nothing = np.full(estimate.shape, np.nan)
    return Effects(
        measure=names[0],
        metric=names[1],
        estimate=estimate,
        variance=variance,
        conf_low=low,
        conf_high=high,
        conf_level=conf_level,
        statistic=nothing,
        p_value=nothing,
        df=df,
        n=n,
        corrected=corrected,
        about="group",
        method=method,
    )
