"""Effects from what reports print when they print neither counts nor means: tests and confidence limits."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.arrays import Effects, floats, numbers, refuse, tail_quantile, two_sided_p, wald
from sweval.effects.kernel import noncentral_t_interval
from sweval.errors import DesignError

__all__ = [
    "chi_square_to_d",
    "chi_square_to_phi",
    "effects_from_interval",
    "p_to_t",
    "t_to_d",
    "t_to_r",
    "z_to_d",
    "z_to_r",
]

FloatArray = NDArray[np.float64]


def effects_from_interval(
    estimate: ArrayLike,
    conf_low: ArrayLike,
    conf_high: ArrayLike,
    *,
    measure: str,
    metric: str | None,
    logarithm: bool = False,
    conf_level: float = 0.95,
) -> Effects:
    """Return effects with the variances that their printed confidence limits imply.

    Parameters
    ----------
    estimate, conf_low, conf_high
        As printed.
    measure, metric
        What they are, such as "log_odds_ratio" for both.
    logarithm
        True for printed ratios: their logarithms are returned.
    conf_level
        Of the printed limits.

    Returns
    -------
    Effects
        With limits estimate +- z * SE; `method` says how many estimates lie off the middle of their printed limits by
        more than a tenth of the width, which is a misprint or another kind of interval.

    Raises
    ------
    DesignError
        If an estimate lies outside its limits, or a ratio is not above 0.

    Notes
    -----
    Variance ((high - low)/(2 z))^2.

    Examples
    --------
    >>> effects = effects_from_interval([1.8, 0.6], [1.1, 0.3], [2.9, 1.2], measure="log_odds_ratio",
    ...                                 metric="log_odds_ratio", logarithm=True)
    >>> effects.estimate.round(4).tolist(), effects.variance.round(4).tolist()
    ([0.5878, -0.5108], [0.0612, 0.1251])
    """
    y, low, high = floats(estimate=estimate, conf_low=conf_low, conf_high=conf_high)
    refuse((low >= high) | (y < low) | (y > high), "an estimate lies outside its confidence limits")
    if logarithm:
        refuse(low <= 0, "a ratio and its limits must be above 0")
        y, low, high = np.log(y), np.log(low), np.log(high)
    variance = ((high - low) / (2 * tail_quantile(conf_level))) ** 2
    lopsided = int((np.abs(y - (low + high) / 2) > 0.1 * (high - low)).sum())
    said = f"; {lopsided} of {y.size} lie off the middle of their limits" if lopsided else ""
    return wald(
        y,
        variance,
        measure=measure,
        metric=metric,
        method=f"standard error from the printed confidence limits{said}",
        conf_level=conf_level,
    )


def chi_square_to_d(
    chi_square: ArrayLike, n: ArrayLike, *, direction: ArrayLike = 1, conf_level: float = 0.95
) -> Effects:
    """Return standardised differences from the chi-square of a two-by-two table, where nothing else is printed.

    Counts give better effects (`cox_d`); this one supposes arms and outcomes of equal size.

    Parameters
    ----------
    chi_square, n
        Chi-square with one degree of freedom and without continuity correction, and all clients.
    direction
        1 or -1: chi-square does not know whether the treated did better.
    conf_level
        Of the limits, estimate +- z * SE.

    Returns
    -------
    Effects
        measure "d_from_chi_square", metric "person_total".

    Raises
    ------
    DesignError
        If chi-square is not between 0 and n, or a direction is not 1 or -1.

    Notes
    -----
    d = 2 sqrt(X/(n - X)), variance d^2/X (Lipsey & Wilson, 2001). For a printed phi: X = n * phi^2.

    Examples
    --------
    >>> effect = chi_square_to_d(9.9, 100)
    >>> print(f"{effect.estimate:.4f} {effect.variance:.4f}")
    0.6630 0.0444
    """
    x, total, sign = floats(chi_square=chi_square, n=n, direction=direction)
    refuse((x <= 0) | (x >= total), "chi-square must lie between 0 and the number of clients", where="chi_square")
    refuse(np.abs(sign) != 1, "direction is 1 or -1", where="direction")
    effects = wald(
        sign * 2 * np.sqrt(x / (total - x)),
        4 / (total - x),
        measure="d_from_chi_square",
        metric="person_total",
        method="d from chi-square, arms and outcomes supposed of equal size",
        conf_level=conf_level,
    )
    return dataclasses.replace(effects, n=total)


def chi_square_to_phi(
    chi_square: ArrayLike,
    n: ArrayLike,
    *,
    df: int = 1,
    adjust: bool = False,
    two_sided: bool = True,
    conf_level: float = 0.95,
) -> Effects:
    """Return phi (Cohen's w) without its sign, from a chi-square; `phi_coefficient` has the sign and needs the counts.

    Parameters
    ----------
    chi_square, n
        Chi-square without continuity correction, and all clients.
    df
        Degrees of freedom of the chi-square.
    adjust
        Whether to take away the upward bias (Bergsma, 2013, doi:10.1016/j.jkss.2012.10.002); limits as well.
    two_sided
        False gives a lower limit only, at the same level, and the largest phi for the upper one (as effectsize prints).
    conf_level
        Of the limits, by the noncentral chi-square. The test looks at one side, two limits at both: they can hold 0
        where p lies below 1 - `conf_level`. A lower limit alone (`two_sided` False, no `adjust`) agrees with p.

    Returns
    -------
    Effects
        measure "phi_unsigned", without metric or variance.

    Raises
    ------
    DesignError
        If chi-square is below 0 or larger than so many clients can give, or there are fewer than two clients.

    Examples
    --------
    >>> effect = chi_square_to_phi(28.1, 251, adjust=True)
    >>> print(f"{effect.estimate:.3f} [{effect.conf_low:.3f}, {effect.conf_high:.3f}]")
    0.329 [0.201, 0.454]
    """
    x, total = floats(chi_square=chi_square, n=n)
    if not isinstance(df, (int, np.integer)) or df < 1:
        raise DesignError("degrees of freedom are a whole number of 1 or more.", where="df")
    most = max(shorter for shorter in range(1, int(np.sqrt(df)) + 1) if df % shorter == 0)  # side of the table less 1
    refuse((x < 0) | (total < 2), "chi-square is 0 or more, of two clients or more")
    refuse(x > total * most, "chi-square is larger than so many clients can give", where="chi_square")
    tail_quantile(conf_level)
    tail = (1 - conf_level) / 2 if two_sided else 1 - conf_level
    bias = df / (total - 1) if adjust else 0.0
    estimate, low, high = (
        np.sqrt(np.maximum(part / total - bias, 0.0))
        for part in (x, _noncentrality(x, df, 1 - tail), _noncentrality(x, df, tail))
    )
    return Effects(
        measure="phi_unsigned",
        metric=None,
        estimate=estimate,
        variance=np.full(estimate.shape, np.nan),
        conf_low=low,
        conf_high=np.clip(high if two_sided else np.inf, estimate, np.sqrt(most)),
        conf_level=conf_level,
        statistic=x,
        p_value=special.chdtrc(df, x),
        df=np.full(estimate.shape, float(df)),
        n=total,
        about="association",
        method=f"phi from chi-square{', bias-adjusted' if adjust else ''}; noncentral chi-square limits"
        + ("" if two_sided else ", one-sided"),
    )


def t_to_d(t: ArrayLike, df: ArrayLike, *, paired: bool = False, conf_level: float = 0.95) -> Effects:
    """Return rough standardised differences from a t (or the signed root of an F with one degree of freedom).

    Supposes two arms of equal size; with their sizes use `difference_from_test`.

    Parameters
    ----------
    t, df
        The statistic, and the degrees of freedom of its error.
    paired
        True for a t of paired scores: t/sqrt(df), in standard deviations of the change, which no other effect is
        measured in.
    conf_level
        Of the limits, by the noncentral t.

    Returns
    -------
    Effects
        measure "d_from_t", metric "person_total", or "change_score" if paired.

    Raises
    ------
    DesignError
        If degrees of freedom are not above 0.

    Notes
    -----
    d = 2 t/sqrt(df) (Rosenthal, 1994), variance 4/df + d^2/(2 df).

    Examples
    --------
    >>> effect = t_to_d(2.2, 58)
    >>> print(f"{effect.estimate:.4f} [{effect.conf_low:.4f}, {effect.conf_high:.4f}]")
    0.5777 [0.0501, 1.1007]
    """
    statistic, error_df = floats(t=t, df=df)
    refuse(error_df <= 0, "degrees of freedom must be above 0", where="df")
    factor = (1 if paired else 2) / np.sqrt(error_df)
    low, high = noncentral_t_interval(statistic, error_df, conf_level=conf_level)
    d = factor * statistic
    return Effects(
        measure="d_from_t",
        metric="change_score" if paired else "person_total",
        estimate=d,
        variance=factor**2 + d**2 / (2 * error_df),
        conf_low=factor * low,
        conf_high=factor * high,
        conf_level=conf_level,
        statistic=statistic,
        p_value=two_sided_p(statistic, error_df),
        df=error_df,
        about="change" if paired else "arms",
        method=f"d from t and its df, {'paired' if paired else 'arms supposed of equal size'}; noncentral t limits",
    )


def t_to_r(t: ArrayLike, df: ArrayLike, *, conf_level: float = 0.95) -> Effects:
    """Return (partial) correlations from a t, t/sqrt(t^2 + df).

    Parameters
    ----------
    t, df
        The statistic (or the signed root of an F with one degree of freedom), and the df of its error.
    conf_level
        Of the limits, by the noncentral t.

    Returns
    -------
    Effects
        measure "r_from_t", metric "correlation", variance (1 - r^2)^2/(df + 1).

    Raises
    ------
    DesignError
        If degrees of freedom are not above 0.

    Examples
    --------
    >>> print(f"{t_to_r(2.2, 58).estimate:.4f}")
    0.2775
    """
    statistic, error_df = floats(t=t, df=df)
    refuse(error_df <= 0, "degrees of freedom must be above 0", where="df")
    low, high = noncentral_t_interval(statistic, error_df, conf_level=conf_level)
    r, lowest, highest = (part / np.sqrt(part**2 + error_df) for part in (statistic, low, high))
    return Effects(
        measure="r_from_t",
        metric="correlation",
        estimate=r,
        variance=(1 - r**2) ** 2 / (error_df + 1),
        conf_low=lowest,
        conf_high=highest,
        conf_level=conf_level,
        statistic=statistic,
        p_value=two_sided_p(statistic, error_df),
        df=error_df,
        about="association",
        method="correlation from t and its df; noncentral t limits",
    )


def z_to_d(z: ArrayLike, n: ArrayLike, *, conf_level: float = 0.95) -> Effects:
    """Return rough standardised differences from a z statistic, 2 z/sqrt(n), arms supposed of equal size.

    Parameters
    ----------
    z, n
        The statistic, and all clients.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure "d_from_z", metric "person_total".

    Raises
    ------
    DesignError
        If there are no clients.

    Examples
    --------
    >>> print(f"{z_to_d(2.2, 60).estimate:.4f}")
    0.5680
    """
    score, total = floats(z=z, n=n)
    refuse(total < 1, "there must be clients", where="n")
    effects = wald(
        2 * score / np.sqrt(total),
        4 / total,
        measure="d_from_z",
        metric="person_total",
        method="d from z, arms supposed of equal size",
        conf_level=conf_level,
    )
    return dataclasses.replace(effects, n=total)


def z_to_r(z: ArrayLike, n: ArrayLike, *, conf_level: float = 0.95) -> Effects:
    """Return correlations from a z statistic, z/sqrt(z^2 + n).

    Parameters
    ----------
    z, n
        The statistic, and all clients.
    conf_level
        Of the limits: those of z, in the same map.

    Returns
    -------
    Effects
        measure "r_from_z", metric "correlation", variance (1 - r^2)^2/(n - 1).

    Raises
    ------
    DesignError
        If there are fewer than two clients.

    Examples
    --------
    >>> print(f"{z_to_r(2.2, 60).estimate:.4f}")
    0.2732
    """
    score, total = floats(z=z, n=n)
    refuse(total < 2, "there must be two clients or more", where="n")
    reach = tail_quantile(conf_level)
    r, low, high = (part / np.sqrt(part**2 + total) for part in (score, score - reach, score + reach))
    return Effects(
        measure="r_from_z",
        metric="correlation",
        estimate=r,
        variance=(1 - r**2) ** 2 / (total - 1),
        conf_low=low,
        conf_high=high,
        conf_level=conf_level,
        statistic=score,
        p_value=two_sided_p(score),
        n=total,
        about="association",
        method="correlation from z; limits of z, transformed",
    )


def p_to_t(p: ArrayLike, df: ArrayLike, *, direction: ArrayLike = 1) -> FloatArray:
    """Return the t behind a two-sided p-value that was printed exactly; "p < .05" gives no t.

    Parameters
    ----------
    p, df
        p above 0 and up to 1, and degrees of freedom; infinity gives z.
    direction
        1 or -1: a two-sided p does not know whether the treated did better.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    DesignError
        If a p is impossible, df are not above 0, or a direction is not 1 or -1.

    Examples
    --------
    >>> print(f"{p_to_t(0.0318, 58):.3f}")
    2.200
    """
    value, sign = floats(p=p, direction=direction)
    freedom = numbers(df, name="df")
    refuse((value <= 0) | (value > 1), "a p-value lies above 0 and at most at 1", where="p")
    refuse(np.abs(sign) != 1, "direction is 1 or -1", where="direction")
    refuse(~(freedom > 0), "degrees of freedom must be above 0", where="df")
    finite = np.where(np.isinf(freedom), 1.0, freedom)
    t = np.where(np.isinf(freedom), -special.ndtri(value / 2), -special.stdtrit(finite, value / 2))
    return np.asarray(sign * t)


def _noncentrality(x: FloatArray, df: int, level: float) -> FloatArray:
    """Return the noncentrality at which P(X <= x) is the level; 0 where even that of no effect lies below it."""
    low, high = np.zeros(x.shape), x + 40 * np.sqrt(x + 10) + 100
    for _ in range(100):
        middle = (low + high) / 2
        above = special.chndtr(x, df, middle) > level
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(special.chndtr(x, df, 0.0) <= level, 0.0, (low + high) / 2)
