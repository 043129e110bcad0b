"""Other scales of the same two-by-two table: association, arcsine and probit differences, and standard deviations."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sweval.effects.arrays import Effects
from sweval.effects.binary import log_odds_ratio
from sweval.effects.contingency import TwoByTwo
from sweval.effects.score_limits import difference_limits, log_odds_ratio_limits
from sweval.errors import DesignError

__all__ = ["arcsine_difference", "cohens_h", "cox_d", "phi_coefficient", "probit_d", "yules_q", "yules_y"]

FloatArray = NDArray[np.float64]

COX_DIVISOR = 1.65
"""Log odds per standard deviation by Cox."""
LOGISTIC_DIVISOR = float(np.pi / np.sqrt(3))
"""Standard deviation of a logistic distribution, 1.814."""
LATENT = "latent"
"""The standardizer of effects in standard deviations of what lies behind an event."""

_VIA_DIFFERENCE = "limits by way of the score interval of the risk difference"
_VIA_ODDS = "limits by way of the score interval of the odds ratio"
_JOINED = "limits joined from Wilson's limits of both risks, p of the chi-square test with N - 1"


def cox_d(table: TwoByTwo, *, scale: str = "cox", conf_level: float = 0.95) -> Effects:
    """Return log odds ratios in standard deviations, so that yes/no outcomes stand beside standardised differences.

    They assume that the event stands for a continuous state beyond a cut-off. Where the outcome is a plain fact
    (housed or not) report `risk_difference` as well.

    Parameters
    ----------
    table
        Counts, by `two_by_two`.
    scale
        "cox": log odds ratio / 1.65 (Cox; Sanchez-Meca, Marin-Martinez & Chacon-Moscoso, 2003,
        doi:10.1037/1082-989x.8.4.448), the default; "logistic": times sqrt(3)/pi, 9 % smaller.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure "cox_d" or "logistic_d", metric "person_total", standardizer "latent".

    Raises
    ------
    DesignError
        As `log_odds_ratio`, and for an unknown `scale`.

    Examples
    --------
    >>> import sweval as sw
    >>> effect = cox_d(sw.effects.two_by_two(30, 80, 40, 85))
    >>> print(f"{effect.estimate:.4f} {effect.variance:.5f}")
    -0.2382 0.03694
    """
    if scale not in {"cox", "logistic"}:
        raise DesignError('scale must be "cox" or "logistic".')
    cox = scale == "cox"
    divisor = COX_DIVISOR if cox else LOGISTIC_DIVISOR
    odds = log_odds_ratio(table, conf_level=conf_level)
    return dataclasses.replace(
        odds,
        measure="cox_d" if cox else "logistic_d",
        metric="person_total",
        estimate=odds.estimate / divisor,
        variance=odds.variance / divisor**2,
        conf_low=odds.conf_low / divisor,
        conf_high=odds.conf_high / divisor,
        standardizer=LATENT,
        method=("log odds ratio / 1.65 (Cox); " if cox else "log odds ratio * sqrt(3)/pi (logistic); ") + odds.method,
    )


def probit_d(table: TwoByTwo, *, conf_level: float = 0.95) -> Effects:
    """Return differences of probits: the standardised difference if a normal variable lies behind the event.

    Parameters
    ----------
    table
        Counts, by `two_by_two`.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure "probit_d", metric "person_total", standardizer "latent".

    Raises
    ------
    DesignError
        As `log_odds_ratio`.

    Notes
    -----
    z_T - z_C with z = Phi^-1(p) and variance sum of 2 pi p(1 - p) exp(z^2)/n (Sanchez-Meca et al., 2003). The limits
    are the probit differences of the risks that fit best at the limits of the odds ratio.

    Examples
    --------
    >>> import sweval as sw
    >>> print(f"{probit_d(sw.effects.two_by_two(12, 20, 6, 20)).estimate:.3f}")
    0.778
    """
    speaks = table.speaking(all_events=False)
    a, b, c, d = table.filled
    p1, p2 = a / (a + b), c / (c + d)
    z1, z2 = special.ndtri(p1), special.ndtri(p2)
    variance = 2 * np.pi * (p1 * (1 - p1) * np.exp(z1**2) / (a + b) + p2 * (1 - p2) * np.exp(z2**2) / (c + d))
    limits = table.limits(log_odds_ratio_limits, conf_level)
    effects = table.effects(
        z1 - z2,
        variance,
        (_probits(limits.low, limits.risks_low), _probits(limits.high, limits.risks_high)),
        names=("probit_d", "person_total"),
        method=f"difference of probits; {_VIA_ODDS}",
        conf_level=conf_level,
        speaks=speaks,
    )
    return dataclasses.replace(effects, standardizer=LATENT)


def arcsine_difference(table: TwoByTwo, *, conf_level: float = 0.95) -> Effects:
    """Return differences of arcsine roots, whose variance does not depend on the risks; no cell need be filled.

    For a synthesis with many empty cells. `cohens_h` is twice this.

    Parameters
    ----------
    table
        Counts, by `two_by_two`.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure and metric "arcsine_difference".

    Notes
    -----
    asin sqrt(p_T) - asin sqrt(p_C), variance 1/(4 n_T) + 1/(4 n_C). The limits join Wilson's limits of the two risks
    on the arcsine scale, each distance squared and added (Zou & Donner, 2008, doi:10.1002/sim.3095): they covered .93
    or better in arms of 10 clients, where estimate +- z * SE fell to .81. The p-value is that of the chi-square test
    with N - 1.

    Examples
    --------
    >>> import sweval as sw
    >>> spared = sw.effects.two_by_two(0, 20, 4, 21, better="lower")
    >>> print(f"{arcsine_difference(spared).estimate:.4f}")
    0.4516
    """
    x1, n1, x2, n2 = table.effective
    treated, control, z = _angle(x1 / n1), _angle(x2 / n2), table.quantile(conf_level)
    (low_1, high_1), (low_2, high_2) = _wilson_angles(x1, n1, z), _wilson_angles(x2, n2, z)
    difference = treated - control
    return table.effects(
        difference,
        1 / (4 * table.n_treated) + 1 / (4 * table.n_control),
        (
            difference - np.hypot(treated - low_1, high_2 - control),
            difference + np.hypot(high_1 - treated, control - low_2),
        ),
        names=("arcsine_difference", "arcsine_difference"),
        method=f"arcsine difference; {_JOINED}",
        conf_level=conf_level,
        filled=False,
    )


def cohens_h(table: TwoByTwo, *, conf_level: float = 0.95) -> Effects:
    """Return Cohen's h, twice the arcsine difference; mostly met in power tables.

    Parameters
    ----------
    table
        Counts, by `two_by_two`.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure "cohens_h", without metric; variance 1/n_T + 1/n_C.

    Examples
    --------
    >>> import sweval as sw
    >>> print(f"{cohens_h(sw.effects.two_by_two(12, 20, 6, 20)).estimate:.4f}")
    0.6129
    """
    half = arcsine_difference(table, conf_level=conf_level)
    return dataclasses.replace(
        half,
        measure="cohens_h",
        metric=None,
        estimate=2 * half.estimate,
        variance=4 * half.variance,
        conf_low=2 * half.conf_low,
        conf_high=2 * half.conf_high,
        method=f"Cohen's h, twice the {half.method}",
    )


def phi_coefficient(table: TwoByTwo, *, vtype: str = "LS", conf_level: float = 0.95) -> Effects:
    """Return phi, the correlation of arm and event; it is small by necessity where the event is rare.

    Parameters
    ----------
    table
        Counts, by `two_by_two`.
    vtype
        Variance, named as in metafor: "LS" for one sample classified twice (Yule, 1912), "ST" for arms of fixed size.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure "phi", metric "correlation".

    Raises
    ------
    DesignError
        As `log_odds_ratio`, and for an unknown `vtype`.

    Notes
    -----
    The limits are phi of the risks that fit best at the limits of the risk difference. No 1/2 is added to any cell.

    Examples
    --------
    >>> import sweval as sw
    >>> effect = phi_coefficient(sw.effects.two_by_two(12, 20, 6, 20))
    >>> print(f"{effect.estimate:.4f} {effect.variance:.5f}")
    0.3015 0.02266
    """
    if vtype not in {"LS", "ST"}:
        raise DesignError('vtype must be "LS" or "ST".')
    a, b, c, d = table.cells
    varies = (a + c > 0) & (b + d > 0)
    speaks = table.speaking(all_events=False) & varies
    n1, n2 = table.n_treated, table.n_control
    p1, p2 = a / n1, c / n2
    limits = table.limits(difference_limits, conf_level)
    phi = _phi(p1, p2, n1, n2)
    make = _phi_variance_one_sample if vtype == "LS" else _phi_variance_fixed_arms
    return table.effects(
        phi,
        make(phi, p1, p2, n1, n2),
        (_phi(*limits.risks_low, n1, n2), _phi(*limits.risks_high, n1, n2)),
        names=("phi", "correlation"),
        method=f"phi coefficient; {_VIA_DIFFERENCE}",
        conf_level=conf_level,
        filled=False,
        speaks=speaks,
    )


def yules_q(table: TwoByTwo, *, conf_level: float = 0.95) -> Effects:
    """Return Yule's Q = (OR - 1)/(OR + 1), an odds ratio squeezed between -1 and 1.

    Parameters
    ----------
    table
        Counts, by `two_by_two`.
    conf_level
        Of the limits, which are those of the odds ratio, transformed.

    Returns
    -------
    Effects
        measure "yules_q", without metric.

    Raises
    ------
    DesignError
        As `log_odds_ratio`.

    Examples
    --------
    >>> import sweval as sw
    >>> print(f"{yules_q(sw.effects.two_by_two(12, 20, 6, 20)).estimate:.4f}")
    0.5556
    """
    return _squeezed(log_odds_ratio(table, conf_level=conf_level), 2, measure="yules_q", name="Yule's Q")


def yules_y(table: TwoByTwo, *, conf_level: float = 0.95) -> Effects:
    """Return Yule's Y = (sqrt(OR) - 1)/(sqrt(OR) + 1): phi of the table with the same odds ratio and even margins.

    Parameters
    ----------
    table
        Counts, by `two_by_two`.
    conf_level
        Of the limits, which are those of the odds ratio, transformed.

    Returns
    -------
    Effects
        measure "yules_y", without metric.

    Raises
    ------
    DesignError
        As `log_odds_ratio`.

    Examples
    --------
    >>> import sweval as sw
    >>> print(f"{yules_y(sw.effects.two_by_two(12, 20, 6, 20)).estimate:.4f}")
    0.3033
    """
    return _squeezed(log_odds_ratio(table, conf_level=conf_level), 4, measure="yules_y", name="Yule's Y")


def _squeezed(effects: Effects, part: int, *, measure: str, name: str) -> Effects:
    """Return tanh(log odds ratio / part), with the variance of the delta method."""
    estimate, low, high = (np.tanh(value / part) for value in (effects.estimate, effects.conf_low, effects.conf_high))
    return dataclasses.replace(
        effects,
        measure=measure,
        metric=None,
        estimate=estimate,
        variance=effects.variance * ((1 - estimate**2) / part) ** 2,
        conf_low=low,
        conf_high=high,
        method=f"{name}; {effects.method}",
    )


def _probits(limit: FloatArray, risks: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Return the difference of the probits of two risks; infinite where the limit is."""
    treated, control = (special.ndtri(np.clip(risk, 1e-15, 1 - 1e-15)) for risk in risks)
    return np.where(np.isinf(limit), limit, treated - control)


def _wilson_angles(x: FloatArray, n: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Wilson's limits of a risk on the arcsine scale."""
    middle = (x + z**2 / 2) / (n + z**2)
    half = z * np.sqrt(x * (n - x) / n + z**2 / 4) / (n + z**2)
    return _angle(middle - half), _angle(middle + half)


def _angle(p: FloatArray) -> FloatArray:
    return np.arcsin(np.sqrt(np.clip(p, 0.0, 1.0)))


def _spread(share: FloatArray) -> FloatArray:
    """Return p(1 - p), and 1 where it vanishes and nothing is divided by it in the end."""
    return np.where((share > 0) & (share < 1), share * (1 - share), 1.0)


def _phi(p1: FloatArray, p2: FloatArray, n1: FloatArray, n2: FloatArray) -> FloatArray:
    """Return phi of two risks in arms of these sizes; 0 where nobody or everybody has the event."""
    share = (n1 * p1 + n2 * p2) / (n1 + n2)
    return np.clip((p1 - p2) * np.sqrt(n1 * n2) / (n1 + n2) / np.sqrt(_spread(share)), -1.0, 1.0)


def _phi_variance_one_sample(
    phi: FloatArray, p1: FloatArray, p2: FloatArray, n1: FloatArray, n2: FloatArray
) -> FloatArray:
    """Return the variance where neither margin is fixed (Yule, 1912, p. 603)."""
    total = n1 + n2
    row, column = n1 / total, (n1 * p1 + n2 * p2) / total
    rows, columns = row * (1 - row), _spread(column)
    uneven, odd = 2 * row - 1, 2 * column - 1
    mixed = phi * (1 + phi**2 / 2) * uneven * odd / np.sqrt(rows * columns)
    return (1 - phi**2 + mixed - 0.75 * phi**2 * (uneven**2 / rows + odd**2 / columns)) / total


def _phi_variance_fixed_arms(
    _: FloatArray, p1: FloatArray, p2: FloatArray, n1: FloatArray, n2: FloatArray
) -> FloatArray:
    """Return the delta-method variance where the sizes of the arms are fixed."""
    total = n1 + n2
    share = (n1 * p1 + n2 * p2) / total
    spread = _spread(share)
    scale = np.sqrt(n1 * n2) / total / np.sqrt(spread)
    bend = (p1 - p2) * (1 - 2 * share) / (2 * spread)
    by_treated, by_control = scale * (1 - bend * n1 / total), scale * (-1 - bend * n2 / total)
    return by_treated**2 * p1 * (1 - p1) / n1 + by_control**2 * p2 * (1 - p2) / n2
