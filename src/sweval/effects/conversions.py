"""From one effect to another: d, odds ratio, risk ratio, correlation. Numbers or arrays in, arrays out.

Every conversion assumes something about what was not reported; a converted effect is never as good as one computed from
counts or means. Intervals: convert the limits, for the maps are monotone; only `d_to_f` and `d_to_eta_squared` are not,
as they lose the direction: where the limits of d lie on both sides of 0 the lower limit is 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.arrays import floats, refuse
from sweval.errors import DesignError

__all__ = [
    "d_to_eta_squared",
    "d_to_f",
    "d_to_odds_ratio",
    "d_to_r",
    "odds_ratio_to_d",
    "odds_ratio_to_risk_difference",
    "odds_ratio_to_risk_ratio",
    "r_to_d",
    "risk_ratio_to_odds_ratio",
]

FloatArray = NDArray[np.float64]

_DIVISORS = {"cox": 1.65, "logistic": float(np.pi / np.sqrt(3))}


def odds_ratio_to_d(odds_ratio: ArrayLike, *, scale: str = "cox") -> FloatArray:
    """Return the standardised difference behind an odds ratio; multiply its variance by the square of the same factor.

    Parameters
    ----------
    odds_ratio
        Above 0.
    scale
        "cox": log(OR)/1.65, the default; "logistic": log(OR) * sqrt(3)/pi (effectsize, esc, metafor's OR2DL).

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    DesignError
        If an odds ratio is not above 0, or `scale` is unknown.

    Examples
    --------
    >>> print(f"{odds_ratio_to_d(2.3):.4f} {odds_ratio_to_d(2.3, scale='logistic'):.4f}")
    0.5048 0.4592
    """
    (ratio,) = floats(odds_ratio=odds_ratio)
    refuse(ratio <= 0, "a ratio must be above 0", where="odds_ratio")
    return np.asarray(np.log(ratio) / _divisor(scale))


def d_to_odds_ratio(d: ArrayLike, *, scale: str = "cox") -> FloatArray:
    """Return the odds ratio that a standardised difference amounts to.

    Parameters
    ----------
    d
        Standardised differences.
    scale
        "cox" or "logistic", as `odds_ratio_to_d`.

    Returns
    -------
    numpy.ndarray

    Examples
    --------
    >>> print(f"{d_to_odds_ratio(0.37, scale='logistic'):.4f}")
    1.9564
    """
    (value,) = floats(d=d)
    return np.asarray(np.exp(value * _divisor(scale)))


def d_to_r(
    d: ArrayLike,
    *,
    n_treated: ArrayLike | None = None,
    n_control: ArrayLike | None = None,
    share_treated: ArrayLike = 0.5,
) -> FloatArray:
    """Return the correlation of arm and score behind a standardised difference.

    Parameters
    ----------
    d
        Standardised differences.
    n_treated, n_control
        Sizes of the arms, both or none; the result is then the point-biserial correlation of that sample.
    share_treated
        Without sizes: the share of clients in the treated arm.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    DesignError
        If only one size is given, a size is below 2, or the share is not between 0 and 1.

    Notes
    -----
    r = d/sqrt(d^2 + h) with h = (N - 2)(1/n_T + 1/n_C), or 1/(p(1 - p)), which is 4 for arms of equal size.

    Examples
    --------
    >>> print(f"{d_to_r(0.37):.4f} {d_to_r(0.37, n_treated=20, n_control=40):.4f}")
    0.1819 0.1747
    """
    (value,) = floats(d=d)
    h = _spread(n_treated, n_control, share_treated)
    return np.asarray(value / np.sqrt(value**2 + h))


def r_to_d(
    r: ArrayLike,
    *,
    n_treated: ArrayLike | None = None,
    n_control: ArrayLike | None = None,
    share_treated: ArrayLike = 0.5,
) -> FloatArray:
    """Return the standardised difference behind a correlation of arm and score.

    Parameters
    ----------
    r
        Correlations between -1 and 1.
    n_treated, n_control, share_treated
        As `d_to_r`.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    DesignError
        As `d_to_r`, and for correlations of 1 or beyond.

    Examples
    --------
    >>> print(f"{r_to_d(0.5):.4f}")
    1.1547
    """
    (value,) = floats(r=r)
    refuse(np.abs(value) >= 1, "a correlation must lie between -1 and 1", where="r")
    return np.asarray(value * np.sqrt(_spread(n_treated, n_control, share_treated) / (1 - value**2)))


def odds_ratio_to_risk_ratio(odds_ratio: ArrayLike, baseline_risk: ArrayLike) -> FloatArray:
    """Return the risk ratio that an odds ratio means where the risk without the service is known.

    Parameters
    ----------
    odds_ratio
        Above 0; of counts, or of a model without covariates.
    baseline_risk
        Risk in the comparison arm, between 0 and 1.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    DesignError
        If a ratio or risk is impossible.

    Notes
    -----
    OR/(1 - p + p OR) (Grant, 2014, doi:10.1136/bmj.f7450).

    Examples
    --------
    >>> print(f"{odds_ratio_to_risk_ratio(2.3, 0.3):.4f}")
    1.6547
    """
    ratio, risk = _ratio_and_risk(odds_ratio, baseline_risk, name="odds_ratio")
    return np.asarray(ratio / (1 - risk + risk * ratio))


def odds_ratio_to_risk_difference(odds_ratio: ArrayLike, baseline_risk: ArrayLike) -> FloatArray:
    """Return the risk difference that an odds ratio means where the risk without the service is known.

    Parameters
    ----------
    odds_ratio
        Above 0.
    baseline_risk
        Risk in the comparison arm, between 0 and 1.

    Returns
    -------
    numpy.ndarray
        Risk with the service minus risk without.

    Raises
    ------
    DesignError
        If a ratio or risk is impossible.

    Examples
    --------
    >>> print(f"{odds_ratio_to_risk_difference(2.3, 0.3):.4f}")
    0.1964
    """
    return np.asarray(
        (odds_ratio_to_risk_ratio(odds_ratio, baseline_risk) - 1) * np.asarray(baseline_risk, dtype=float)
    )


def risk_ratio_to_odds_ratio(risk_ratio: ArrayLike, baseline_risk: ArrayLike) -> FloatArray:
    """Return the odds ratio that a risk ratio means where the risk without the service is known.

    Parameters
    ----------
    risk_ratio
        Above 0.
    baseline_risk
        Risk in the comparison arm, between 0 and 1.

    Returns
    -------
    numpy.ndarray

    Raises
    ------
    DesignError
        If a ratio or risk is impossible, or both together give a risk of 1 or more.

    Examples
    --------
    >>> print(f"{risk_ratio_to_odds_ratio(1.6546763, 0.3):.4f}")
    2.3000
    """
    ratio, risk = _ratio_and_risk(risk_ratio, baseline_risk, name="risk_ratio")
    refuse(ratio * risk >= 1, "risk ratio and baseline risk give a risk of 1 or more with the service")
    return np.asarray(ratio * (1 - risk) / (1 - ratio * risk))


def d_to_f(d: ArrayLike) -> FloatArray:
    """Return Cohen's f of two arms of equal size, half of d without its sign; it has no direction.

    Parameters
    ----------
    d
        Standardised differences.

    Returns
    -------
    numpy.ndarray

    Examples
    --------
    >>> float(d_to_f(0.4))
    0.2
    """
    (value,) = floats(d=d)
    return np.asarray(np.abs(value) / 2)


def d_to_eta_squared(d: ArrayLike) -> FloatArray:
    """Return the share of variance that lies between two arms of equal size, f^2/(1 + f^2).

    Parameters
    ----------
    d
        Standardised differences.

    Returns
    -------
    numpy.ndarray

    Examples
    --------
    >>> print(f"{d_to_eta_squared(0.4):.4f}")
    0.0385
    """
    f = d_to_f(d)
    return np.asarray(f**2 / (1 + f**2))


def _divisor(scale: str) -> float:
    if scale not in _DIVISORS:
        raise DesignError('scale must be "cox" or "logistic".')
    return _DIVISORS[scale]


def _spread(n_treated: ArrayLike | None, n_control: ArrayLike | None, share_treated: ArrayLike) -> FloatArray:
    """Return h of the maps between d and r."""
    if n_treated is None and n_control is None:
        (share,) = floats(share_treated=share_treated)
        refuse(
            (share <= 0) | (share >= 1), "the share of treated clients must lie between 0 and 1", where="share_treated"
        )
        return 1 / (share * (1 - share))
    if n_treated is None or n_control is None:
        raise DesignError("give the sizes of both arms, or of none.")
    n1, n2 = floats(n_treated=n_treated, n_control=n_control)
    refuse((n1 < 2) | (n2 < 2), "an arm has two clients or more")
    return (n1 + n2 - 2) * (1 / n1 + 1 / n2)


def _ratio_and_risk(ratio: ArrayLike, risk: ArrayLike, *, name: str) -> tuple[FloatArray, FloatArray]:
    value, share = floats(**{name: ratio, "baseline_risk": risk})
    refuse(value <= 0, "a ratio must be above 0", where=name)
    refuse((share <= 0) | (share >= 1), "the risk must lie between 0 and 1", where="baseline_risk")
    return value, share
