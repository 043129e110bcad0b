"""Piecewise regression of one case: level, trend, and what the phases change in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from sweval.effects.case_arrays import level
from sweval.errors import DataError, DesignError, did_you_mean
from sweval.models.engine.ols import least_squares, two_sided_p
from sweval.models.engine.series import series_fit

__all__ = ["piecewise_regression"]

FloatArray = NDArray[np.float64]
Model = Literal["ward", "huitema_mckean", "before_change"]
_MODELS = ("ward", "huitema_mckean", "before_change")
_ERRORS = ("independent", "ar1")


@dataclass(frozen=True, kw_only=True, eq=False)
class Piecewise:
    """Coefficients of a piecewise regression.

    Attributes
    ----------
    terms
        "(Intercept)", "time", then for each later phase "phase[B]" (change of level) and "phase[B]:time" (of slope).
    estimate, std_error, df, statistic, p_value, conf_low, conf_high
        One per term; t intervals.
    delta_r_squared
        What each term but the intercept explains beyond the others (independent errors only, otherwise nan).
    rho
        Autocorrelation of the errors; 0 where they were taken as independent.
    sigma
        Standard deviation of the errors.
    n
        Measurements.
    """

    terms: tuple[str, ...]
    estimate: FloatArray
    std_error: FloatArray
    df: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    conf_low: FloatArray
    conf_high: FloatArray
    delta_r_squared: FloatArray
    rho: float
    sigma: float
    n: int


def piecewise_regression(
    values: ArrayLike,
    phase: Sequence[object],
    *,
    time: ArrayLike | None = None,
    model: Model = "ward",
    slope: bool = True,
    errors: Literal["independent", "ar1"] = "independent",
    conf_level: float = 0.95,
) -> Piecewise:
    """Return level, trend and what changes in both at the start of each later phase, against the first one.

    Use it where both phases have 5 measurements or more and a trend may be there anyway. With `errors="ar1"` standard
    errors allow for days that resemble the next; take that by default where there are 12 measurements or more.

    Parameters
    ----------
    values
        Measurements of one case in the order of time. Missing ones are left out.
    phase
        Label of the phase of each.
    time
        Times; by default 1, 2, ... Whole numbers with `errors="ar1"`.
    model
        When time is 0, and when a change of slope begins. "ward": at the first measurement; at the first of the phase.
        "huitema_mckean": as `time` has it; at the first of the phase. "before_change": as `time` has it; one unit
        before the phase, so that "phase[B]" is the change of level there (scan's B&L-B).
    slope
        Whether phases change the slope.
    errors
        "independent" (least squares) or "ar1" (REML, Kenward-Roger).
    conf_level
        Of the t intervals.

    Returns
    -------
    Piecewise
        In the units and direction of the outcome.

    Raises
    ------
    DataError, DesignError
        If lengths differ, a phase comes back (name each on its own: A1, B1, A2, ...), there is one phase, or there are
        too few measurements.

    Notes
    -----
    Huitema and McKean (2000), doi:10.1177/00131640021970358.

    Examples
    --------
    >>> found = piecewise_regression([3, 4, 3, 5, 4, 8, 9, 9, 11, 10], ["A"] * 5 + ["B"] * 5)
    >>> {term: round(float(b), 2) for term, b in zip(found.terms, found.estimate)}
    {'(Intercept)': 3.2, 'time': 0.3, 'phase[B]': 3.5, 'phase[B]:time': 0.3}
    """
    for name, value, known in (("model", model, _MODELS), ("errors", errors, _ERRORS)):
        if value not in known:
            raise DesignError(f'{name}="{value}" is unknown.', fix=did_you_mean(str(value), known))
    y = np.asarray(values, dtype=float)
    t = np.arange(1.0, y.size + 1) if time is None else np.asarray(time, dtype=float)
    if y.ndim != 1 or len(phase) != y.size or t.shape != y.shape:
        raise DataError("values, phases and times need the same length.")
    there = np.isfinite(y) & np.isfinite(t)
    labels = [str(label) for label, kept in zip(phase, there, strict=True) if kept]
    y, t = y[there], t[there]
    X, terms = _design(labels, t, model=model, slope=slope)
    if errors == "ar1":
        fit = series_fit(y, X, time=t)
        if fit.aliased:
            raise _too_short()
        tests = fit.contrasts(np.eye(len(terms)))
        se, df = (np.array([getattr(test, part) for test in tests]) for part in ("std_error", "df"))
        b, rho, sigma = fit.coefficients, fit.rho, fit.sigma
        explained = np.full(len(terms), np.nan)
    else:
        line = least_squares(y, X)
        if line.aliased:
            raise _too_short()
        b, se, rho, sigma = line.coefficients, line.standard_errors(), 0.0, line.sigma
        df = np.full(len(terms), float(line.df))
        explained = (b / se) ** 2 * sigma**2 / float(((y - y.mean()) ** 2).sum())
        explained[0] = np.nan
    reach = np.array([float(stdtrit(d, (1 + level(conf_level)) / 2)) for d in df]) * se
    t_values = b / se
    return Piecewise(
        terms=terms,
        estimate=b,
        std_error=se,
        df=df,
        statistic=t_values,
        p_value=np.array([two_sided_p(float(one), float(d)) for one, d in zip(t_values, df, strict=True)]),
        conf_low=b - reach,
        conf_high=b + reach,
        delta_r_squared=explained,
        rho=rho,
        sigma=sigma,
        n=y.size,
    )


def _design(labels: list[str], t: FloatArray, *, model: str, slope: bool) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the design matrix: constant, time, changes of level, changes of slope."""
    order = list(dict.fromkeys(labels))
    changes = sum(one != other for one, other in pairwise(labels))
    if changes >= len(order) > 0:
        raise DesignError(
            "a phase comes back, so its label does not say which of its times is meant.",
            fix="Name each phase on its own: A1, B1, A2, B2.",
        )
    if len(order) < 2:
        raise DesignError("there is one phase; two are needed.")
    codes = np.array([order.index(label) for label in labels])
    columns, terms = [np.ones(t.size), t - t[0] if model == "ward" else t], ["(Intercept)", "time"]
    inside = [(codes == number).astype(float) for number in range(1, len(order))]
    columns += inside
    terms += [f"phase[{label}]" for label in order[1:]]
    if slope:
        for label, dummy in zip(order[1:], inside, strict=True):
            begin = t[dummy > 0][0] - (1.0 if model == "before_change" else 0.0)
            columns.append(dummy * (t - begin))
            terms.append(f"phase[{label}]:time")
    return np.column_stack(columns), tuple(terms)


def _too_short() -> DesignError:
    return DesignError("a phase is too short for its own slope.", fix="Use slope=False, or leave that phase out.")
