"""Publication bias in independent effects: trim and fill, and a selection model with one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import chdtrc, log_ndtr, ndtr, ndtri

from sweval.errors import DesignError
from sweval.models.engine.meta.heterogeneity import Estimator
from sweval.models.engine.meta.univariate import MetaRegression, Test, meta_regression
from sweval.models.engine.ols import Array

_MOST_STEPS = 100


@dataclass(frozen=True, kw_only=True)
class TrimAndFill:
    """What trim and fill finds.

    Parameters
    ----------
    missing
        How many effects it takes to be missing.
    side
        On which side: "left" (low effects) or "right".
    fit
        The model of the effects with the missing ones filled in.
    filled, filled_variance
        The mirrored effects.
    """

    missing: int
    side: Literal["left", "right"]
    fit: MetaRegression
    filled: Array
    filled_variance: Array


def trim_and_fill(
    y: Array,
    v: Array,
    *,
    side: Literal["left", "right"] = "left",
    method: Estimator = "REML",
    test: Test = "knapp-hartung",
) -> TrimAndFill:
    """Fill in the effects that a symmetric funnel would have (Duval & Tweedie 2000, estimator L0).

    Exploratory only: it finds "missing" studies wherever effects vary, and misses them where selection is by p-value.

    Parameters
    ----------
    y, v
        Independent effects and their variances, shape (k,).
    side
        Where effects are missing: "left" where low effects were not published.
    method, test
        Of the random-effects model.

    Raises
    ------
    DesignError
        If there are fewer than three effects.

    Notes
    -----
    Duval & Tweedie (2000, Biometrics 56, 455-463). Ranks of equal distances are those of their order.

    Examples
    --------
    >>> y = np.array([0.1, 0.2, 0.3, 0.5, 0.7, 0.9])
    >>> found = trim_and_fill(y, np.array([0.01, 0.01, 0.02, 0.04, 0.08, 0.12]))
    >>> found.missing, round(float(found.fit.coefficients[0]), 3)
    (2, 0.24)
    """
    if len(y) < 3:
        raise DesignError(f"trim and fill needs three effects or more; there are {len(y)}.")
    sign = 1.0 if side == "left" else -1.0
    order = np.argsort(sign * y, kind="stable")
    sorted_y, sorted_v = sign * y[order], v[order]
    k, missing = len(y), 0
    centred = sorted_y
    mean = 0.0
    for _ in range(_MOST_STEPS):
        kept = slice(0, k - missing)
        mean = float(meta_regression(sorted_y[kept], sorted_v[kept], method=method, test="z").coefficients[0])
        centred = sorted_y - mean
        ranks = np.empty(k)
        ranks[np.argsort(np.abs(centred), kind="stable")] = np.arange(1, k + 1)
        above = float(ranks[centred > 0].sum())
        found = int(max(np.rint((4 * above - k * (k + 1)) / (2 * k - 1)), 0))
        found = min(found, k - 2)
        if found == missing:
            break
        missing = found
    mirrored = -centred[k - missing :] + mean
    joined = np.concatenate([sorted_y, mirrored]), np.concatenate([sorted_v, sorted_v[k - missing :]])
    return TrimAndFill(
        missing=missing,
        side=side,
        fit=meta_regression(sign * joined[0], joined[1], method=method, test=test),
        filled=sign * mirrored,
        filled_variance=sorted_v[k - missing :],
    )


@dataclass(frozen=True, kw_only=True)
class SelectionModel:
    """A fitted three-parameter selection model.

    Parameters
    ----------
    estimate, std_error
        Mean of all studies, published or not.
    tau2
        Variance between studies.
    weight, weight_error
        How likely an effect that is not significant is to be seen, relative to one that is; its standard error is NaN
        at a bound.
    statistic, p_value
        Likelihood-ratio test of no selection (weight 1), chi-square with 1 df.
    significant
        How many effects are significant in the wanted direction.
    log_likelihood
        With all constants.
    """

    estimate: float
    std_error: float
    tau2: float
    weight: float
    weight_error: float
    statistic: float
    p_value: float
    significant: int
    log_likelihood: float


def selection_model(y: Array, v: Array, *, cut: float = 0.025) -> SelectionModel:
    """Fit a random-effects model of effects that are seen more often when they are significant and positive.

    Use it with some dozens of independent effects; with few the weight is a guess, and its standard error says so.

    Parameters
    ----------
    y, v
        Independent effects and their variances, shape (k,).
    cut
        One-sided p-value below which an effect counts as significant.

    Raises
    ------
    DesignError
        If all or none of the effects are significant, so that nothing tells how the others were selected.

    Notes
    -----
    Vevea & Hedges (1995, Psychometrika 60, 419-435) with one step, maximum likelihood. With u = (c - mu) / s, s^2 =
    v + tau2 and c the critical value of each study, the density of a seen effect is w phi((y - mu) / s) / s divided by
    1 - (1 - weight) Phi(u).

    Examples
    --------
    >>> y = np.array([0.1, 0.45, 0.5, 0.62, 0.3, 0.7, 0.2, 0.55])
    >>> found = selection_model(y, np.array([0.01, 0.04, 0.05, 0.08, 0.03, 0.09, 0.01, 0.06]))
    >>> found.significant, found.estimate < float(y.mean())
    (6, True)
    """
    unit = float(np.sqrt(np.median(v)))  # so that steps of the search mean the same on every scale
    y, v = y / unit, v / unit**2
    critical = -float(ndtri(cut)) * np.sqrt(v)
    hit = y > critical
    if hit.all() or not hit.any():
        raise DesignError(
            f"{'all' if hit.all() else 'none'} of the {len(y)} effects have a one-sided p below {cut:g}, so nothing "
            "tells how the others were selected.",
            fix="Use Egger's test instead.",
        )
    model = _Selection(y, v, critical, hit)
    plain = meta_regression(y, v, method="ML", test="z")
    best: NDArray[np.float64] | None = None
    for weight in (1.0, 0.3, 0.05):
        start = np.array([plain.coefficients[0], max(plain.tau2, 0.1 * float(np.median(v))), weight])
        found = minimize(
            model.value, start, jac=model.slope, method="L-BFGS-B", bounds=[(None, None), (0, None), (1e-8, None)],
            options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 2000},
        )  # fmt: skip
        if best is None or found.fun < model.value(best):
            best = np.asarray(found.x, dtype=float)
    best, covariance = _polished(model, np.zeros(3) if best is None else best)
    statistic = max(2 * (-model.value(best) - plain.log_likelihood), 0.0)
    errors = np.sqrt(np.diag(covariance))
    return SelectionModel(
        estimate=unit * float(best[0]),
        std_error=unit * float(errors[0]),
        tau2=unit**2 * float(best[1]),
        weight=float(best[2]),
        weight_error=float(errors[2]),
        statistic=statistic,
        p_value=float(chdtrc(1, statistic)),
        significant=int(hit.sum()),
        log_likelihood=-model.value(best) - len(y) * float(np.log(unit)),
    )


class _Selection:
    """Minus the log-likelihood in (mean, tau2, weight), and its gradient."""

    def __init__(self, y: Array, v: Array, critical: Array, hit: NDArray[np.bool_]) -> None:
        self.y, self.v, self.critical, self.hit = y, v, critical, hit

    def value(self, at: Array) -> float:
        mean, tau2, weight = at
        s2 = self.v + tau2
        seen = 1 - (1 - weight) * ndtr((self.critical - mean) / np.sqrt(s2))
        normal = np.log(2 * np.pi * s2) / 2 + (self.y - mean) ** 2 / (2 * s2)
        return float((normal + np.log(seen)).sum() - (~self.hit).sum() * np.log(weight))

    def slope(self, at: Array) -> Array:
        mean, tau2, weight = at
        s2 = self.v + tau2
        s = np.sqrt(s2)
        u = (self.critical - mean) / s
        below, density = np.exp(log_ndtr(u)), np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)
        seen = 1 - (1 - weight) * below
        r = self.y - mean
        return np.array(
            [
                (-r / s2 + (1 - weight) * density / s / seen).sum(),
                (1 / (2 * s2) - r**2 / (2 * s2**2) + (1 - weight) * density * u / (2 * s2) / seen).sum(),
                (below / seen).sum() - (~self.hit).sum() / weight,
            ]
        )


def _polished(model: _Selection, at: Array) -> tuple[Array, Array]:
    """Return the minimum by Newton's method in the parameters off their bounds, and the inverse information there."""
    covariance = np.full((3, 3), np.nan)
    free = np.array([True, at[1] > 1e-8, at[2] > 1e-7])
    for _ in range(20):
        H = np.zeros((3, 3))
        for k in np.flatnonzero(free):
            step = 1e-5 * max(abs(float(at[k])), 1e-2)
            move = step * np.eye(3)[k]
            H[k] = (model.slope(at + move) - model.slope(at - move)) / (2 * step)
        part = ((H + H.T) / 2)[np.ix_(free, free)]
        if np.linalg.eigvalsh(part)[0] <= 0:
            break
        covariance[np.ix_(free, free)] = np.linalg.inv(part)
        change = np.linalg.solve(part, model.slope(at)[free])
        new = at.copy()
        new[free] -= change
        if (new[1:] < 0).any() or model.value(new) > model.value(at) + 1e-9:
            break
        at = new
        if np.abs(change).max() < 1e-12:
            break
    return at, covariance
