"""Two arms and an event: odds, risks and their differences, for one study or many.

Every function takes a table of counts (`two_by_two`), which knows whether the event is good or bad. Log ratios come as
`Effects` and can be averaged over studies; `odds_ratio` and `risk_ratio` give one row for readers.

Limits come from score tests on the counts as they are (Miettinen & Nurminen, 1985) and hold in small samples: with 10
to 50 clients per arm and risks of .05 to .70 they cover .92 to 1.00, on average .96 (of the tables that say something;
the lowest for ratios in unequal arms). Estimates and variances of ratios need cells with somebody in them: where one is
empty, 1/2 is added to the four cells of that table and the row says so.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from sweval.effects.arrays import Effects, refuse, two_sided_p
from sweval.effects.contingency import TwoByTwo
from sweval.effects.samples import orientation
from sweval.effects.score_limits import difference_limits, log_odds_ratio_limits, log_risk_ratio_limits
from sweval.errors import DesignError
from sweval.result import Estimate

__all__ = [
    "log_odds_ratio",
    "log_risk_ratio",
    "odds_ratio",
    "peto_log_odds_ratio",
    "risk_difference",
    "risk_ratio",
]

FloatArray = NDArray[np.float64]

_SCORE = "score interval (Miettinen & Nurminen)"


def log_odds_ratio(table: TwoByTwo, *, conf_level: float = 0.95) -> Effects:
    r"""Return log odds ratios with their variances, for averaging over studies; `odds_ratio` gives one for readers.

    Odds ratios are symmetric in event and no event, but are no risk ratios: with common events they lie further from 1.

    Parameters
    ----------
    table
        Counts, by `two_by_two`.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure and metric "log_odds_ratio".

    Raises
    ------
    DesignError
        If all clients of a table have the same outcome (unless the table says what to do then).

    Notes
    -----
    log(ad/bc) with variance 1/a + 1/b + 1/c + 1/d, times the design effect; 1/2 is added to the cells of tables with
    an empty one. Limits: score test (Miettinen & Nurminen, 1985, doi:10.1002/sim.4780040211) on the counts as they are.

    Examples
    --------
    >>> import sweval as sw
    >>> effect = log_odds_ratio(sw.effects.two_by_two(12, 20, 6, 20))
    >>> print(f"{effect.estimate:.3f} {effect.variance:.3f} [{effect.conf_low:.2f}, {effect.conf_high:.2f}]")
    1.253 0.446 [-0.05, 2.55]
    """
    speaks = table.speaking(all_events=False)
    limits = table.limits(log_odds_ratio_limits, conf_level)
    a, b, c, d = table.filled
    return table.effects(
        np.log(a * d / (b * c)),
        1 / a + 1 / b + 1 / c + 1 / d,
        (limits.low, limits.high),
        names=("log_odds_ratio", "log_odds_ratio"),
        method=f"log odds ratio; {_SCORE}",
        conf_level=conf_level,
        speaks=speaks,
    )


def odds_ratio(table: TwoByTwo, *, conf_level: float = 0.95) -> Estimate:
    """Return one odds ratio with its score interval; above 1 means improvement.

    Parameters
    ----------
    table
        Counts of one study, by `two_by_two`; with better="lower" the ratio is turned over.
    conf_level
        Of the interval.

    Returns
    -------
    Estimate
        measure "odds_ratio", null 1; no standard error, which belongs to the logarithm (`log_odds_ratio`).

    Raises
    ------
    DesignError
        As `log_odds_ratio`, and for several studies (`log_odds_ratio(table).exponentiated().rows()`).

    Examples
    --------
    >>> import sweval as sw
    >>> row = odds_ratio(sw.effects.two_by_two(12, 20, 6, 20))
    >>> print(f"{row.estimate:.2f} [{row.conf_low:.2f}, {row.conf_high:.2f}] p = {row.p_value:.3f}")
    3.50 [0.95, 12.85] p = 0.060
    """
    return log_odds_ratio(table, conf_level=conf_level).exponentiated().row()


def log_risk_ratio(table: TwoByTwo, *, conf_level: float = 0.95) -> Effects:
    """Return log risk ratios with their variances, for averaging over studies; `risk_ratio` gives one for readers.

    A risk ratio of the event is not that of its absence: choose the one people ask about, and keep it in all studies.

    Parameters
    ----------
    table
        Counts, by `two_by_two`; with better="lower" the ratio is risk without the service to risk with it.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure and metric "log_risk_ratio".

    Raises
    ------
    DesignError
        If a table has no event in either arm (unless the table says what to do then).

    Notes
    -----
    Log of the ratio of the risks, variance 1/a - 1/n_T + 1/c - 1/n_C; empty cells and limits as `log_odds_ratio`.

    Examples
    --------
    >>> import sweval as sw
    >>> effect = log_risk_ratio(sw.effects.two_by_two(12, 20, 6, 20))
    >>> print(f"{effect.estimate:.3f} {effect.variance:.3f}")
    0.693 0.150
    """
    speaks = table.speaking(all_events=True)
    limits = table.limits(log_risk_ratio_limits, conf_level)
    a, b, c, d = table.filled
    return table.effects(
        np.log(a / (a + b)) - np.log(c / (c + d)),
        1 / a - 1 / (a + b) + 1 / c - 1 / (c + d),
        (limits.low, limits.high),
        names=("log_risk_ratio", "log_risk_ratio"),
        method=f"log risk ratio; {_SCORE}",
        conf_level=conf_level,
        speaks=speaks,
    )


def risk_ratio(table: TwoByTwo, *, conf_level: float = 0.95) -> Estimate:
    """Return one risk ratio with its score interval; above 1 means improvement.

    Parameters
    ----------
    table
        Counts of one study, by `two_by_two`; with better="lower" the ratio is turned over.
    conf_level
        Of the interval.

    Returns
    -------
    Estimate
        measure "risk_ratio", null 1; no standard error, which belongs to the logarithm (`log_risk_ratio`).

    Raises
    ------
    DesignError
        As `log_risk_ratio`, and for several studies.

    Examples
    --------
    >>> import sweval as sw
    >>> row = risk_ratio(sw.effects.two_by_two(12, 20, 6, 20))
    >>> print(f"{row.estimate:.2f} [{row.conf_low:.2f}, {row.conf_high:.2f}]")
    2.00 [0.97, 4.44]
    """
    return log_risk_ratio(table, conf_level=conf_level).exponentiated().row()


def risk_difference(table: TwoByTwo, *, vtype: str = "LS", half: bool = True, conf_level: float = 0.95) -> Effects:
    """Return risk differences: of every client served, how many more had a good end (or were spared a bad one).

    Defined for every table, also without any event. `.row()` gives the row of one study.

    Parameters
    ----------
    table
        Counts, by `two_by_two`.
    vtype
        Variance, named as in metafor: "LS" p(1 - p)/n, "UB" with n - 1, "AV" with the risks of all studies together.
    half
        True adds 1/2 to the cells of tables with an empty one, for estimate and variance, so that no study gets an
        infinite weight; False takes the risks as they are.
    conf_level
        Of the limits.

    Returns
    -------
    Effects
        measure and metric "risk_difference"; limits of the score test, which agree with the p-value.

    Raises
    ------
    DesignError
        For an unknown `vtype`.

    Examples
    --------
    >>> import sweval as sw
    >>> row = risk_difference(sw.effects.two_by_two(12, 20, 6, 20)).row()
    >>> print(f"{row.estimate:.2f} [{row.conf_low:.3f}, {row.conf_high:.3f}]")
    0.30 [-0.012, 0.559]
    """
    limits = table.limits(difference_limits, conf_level)
    a, b, c, d = table.filled if half else table.cells
    return table.effects(
        a / (a + b) - c / (c + d),
        _difference_variance(vtype, a, b, c, d),
        (limits.low, limits.high),
        names=("risk_difference", "risk_difference"),
        method=f"risk difference; {_SCORE}",
        conf_level=conf_level,
        filled=half,
    )


def peto_log_odds_ratio(table: TwoByTwo, *, half: bool = True, conf_level: float = 0.95) -> Effects:
    """Return log odds ratios by Peto's one step, which serves rare events in arms of about equal size.

    Badly biased where effects are large or the arms differ in size: with risks of .05 against .70 its interval covers
    .15. `log_odds_ratio` is the general choice.

    Parameters
    ----------
    table
        Counts, by `two_by_two`.
    half
        True adds 1/2 to the cells of tables with an empty one (as metafor does by default); False takes the counts as
        they are, which the method allows.
    conf_level
        Of the limits, which are (O - E)/V +- z/sqrt(V).

    Returns
    -------
    Effects
        measure "peto_log_odds_ratio", metric "log_odds_ratio".

    Raises
    ------
    DesignError
        As `log_odds_ratio`.

    Notes
    -----
    (O - E)/V and 1/V, with E and V of the hypergeometric distribution (Yusuf et al., 1985,
    doi:10.1016/s0033-0620(85)80003-7).

    Examples
    --------
    >>> import sweval as sw
    >>> rare = sw.effects.two_by_two(2, 200, 8, 200, better="lower")
    >>> print(f"{peto_log_odds_ratio(rare).estimate:.4f}")
    1.2277
    """
    speaks = table.speaking(all_events=False)
    a, b, c, d = table.filled if half else table.cells
    total, events = a + b + c + d, a + c
    information = events * (b + d) * (a + b) * (c + d) / (total**2 * (total - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = (a - events * (a + b) / total) / information
        error = 1 / np.sqrt(information / table.design_effect)
        statistic = estimate / error
    reach = table.quantile(conf_level) * error
    effects = table.effects(
        estimate,
        1 / np.where(information > 0, information, np.nan),
        (estimate - reach, estimate + reach),
        names=("peto_log_odds_ratio", "log_odds_ratio"),
        method="log odds ratio by Peto's one step; interval estimate +- z * SE",
        conf_level=conf_level,
        filled=half,
        speaks=speaks,
    )
    turned = np.where(speaks, orientation(table.better) * statistic, np.nan)
    return dataclasses.replace(effects, statistic=turned, p_value=two_sided_p(turned, table.df))


def _difference_variance(vtype: str, a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:
    """Return the variance of a risk difference by metafor's names."""
    n1, n2 = a + b, c + d
    if vtype == "LS":
        return a * b / n1**3 + c * d / n2**3
    if vtype == "UB":
        refuse((n1 <= 1) | (n2 <= 1), 'vtype "UB" needs two clients or more in each arm')
        return a * b / (n1**2 * (n1 - 1)) + c * d / (n2**2 * (n2 - 1))
    if vtype == "AV":
        p1, p2 = a.sum() / n1.sum(), c.sum() / n2.sum()
        return np.asarray(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
    raise DesignError('vtype must be "LS", "UB" or "AV".')
