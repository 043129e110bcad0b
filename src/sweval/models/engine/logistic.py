"""Logistic regression by iteratively reweighted least squares, with separation found and refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.special import expit

from sweval.errors import DesignError
from sweval.models.engine.ols import Array, LeastSquares, least_squares

_CONVERGED = 1e-9
_MOST_STEPS = 60
_SUSPECT_STEPS = 12
_FARTHEST = 300.0
_SUSPECT_PREDICTOR = 15.0
"""Fits that take this many steps, or reach odds of e^15, are looked at for separation."""


class SeparationError(DesignError):
    """The terms tell some zeros and ones apart without error, so that a coefficient is infinite.

    Parameters
    ----------
    columns
        Numbers of the columns of the design matrix that do so (together, where there are several).
    """

    def __init__(
        self, what: str, *, columns: tuple[int, ...], where: str | None = None, fix: str | None = None
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.columns = columns


@dataclass(frozen=True, kw_only=True)
class Logistic:
    """A logistic regression.

    Parameters
    ----------
    coefficients
        Log odds ratios, shape (p,), of the columns in `kept`.
    covariance
        Inverse Fisher information, shape (p, p); holds for independent rows.
    probabilities
        Fitted probabilities, shape (n,).
    log_likelihood
        At the estimate; with weights, the weighted sum.
    kept, aliased
        Column numbers of the design matrix that were used, and that add nothing to the columns before them.
    working
        The fit linearised on the scale of the outcome: residuals `y - m`, columns `m (1 - m) x`, weights `1 / (m (1 -
        m))` (times the prior weights). For clusters hand it to `cluster_covariance(..., working="inverse_weights")`;
        CR2 is then that of clubSandwich for `glm`, whose square root is taken on this scale too.
    """

    coefficients: Array
    covariance: Array
    probabilities: Array
    log_likelihood: float
    kept: tuple[int, ...]
    aliased: tuple[int, ...]
    working: LeastSquares

    def standard_errors(self) -> Array:
        """Return the standard errors that hold for independent rows, shape (p,)."""
        return np.sqrt(np.diag(self.covariance))


def logistic(y: Array, X: Array, *, weights: Array | None = None) -> Logistic:
    """Fit `logit P(y = 1) = Xb` by maximum likelihood.

    Newton steps, halved where the likelihood falls, until the Newton decrement is below 1e-9. Standard errors from here
    hold for independent rows; with clusters use `cluster_covariance`.

    Parameters
    ----------
    y
        Zeros and ones, shape (n,).
    X
        Design matrix, shape (n, p), with its constant if there is to be one.
    weights
        Positive prior weights, shape (n,).

    Returns
    -------
    Logistic

    Raises
    ------
    SeparationError
        If a combination of columns tells zeros from ones, wholly or in part (Albert & Anderson 1984, Biometrika 71,
        1-10); found by the linear programme of Konis (2007).
    DesignError
        If the outcome holds other values than 0 and 1 or only one of them, or as for `least_squares`.

    Examples
    --------
    >>> y = np.array([0.0, 0, 0, 1, 0, 1, 1, 1])
    >>> X = np.column_stack([np.ones(8), np.repeat([0.0, 1.0], 4)])
    >>> logistic(y, X).coefficients.round(4).tolist()
    [-1.0986, 2.1972]
    """
    y, X = np.asarray(y, dtype=float), np.asarray(X, dtype=float)
    prior = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    _refuse(y)
    share = float(np.average(y, weights=prior)) if (prior > 0).all() and np.isfinite(prior).all() else 0.5
    variance = share * (1 - share)
    given, (X, shift) = X, centred(X)
    start = _step(y, X, np.full(len(y), np.log(share / (1 - share))), prior, variance)
    kept, aliased = start.kept, start.aliased
    X, given, shift = X[:, kept], given[:, kept], shift[np.ix_(kept, kept)]
    b, predictor = start.coefficients, X @ start.coefficients
    value = log_likelihood(y, predictor, prior)
    looked = False
    for count in range(_MOST_STEPS):
        if not looked and (count >= _SUSPECT_STEPS or np.abs(predictor).max() > _SUSPECT_PREDICTOR):
            _refuse_separation(y, X, kept)
            looked = True
        step = _step(y, X, predictor, prior, None)
        if len(step.kept) < X.shape[1]:  # weights near zero hide a column
            _refuse_separation(y, X, kept)
            break
        move = step.coefficients - b
        decrement = float(np.linalg.norm(step.R @ move))
        if decrement < _CONVERGED:
            last = replace(step, coefficients=b + move, X=given, kept=kept, aliased=aliased)
            return _finish(y, X, shift, prior, last)
        for _ in range(40):
            tried = X @ (b + move)
            found = log_likelihood(y, tried, prior)
            if found >= value - 1e-12 * (1 + abs(value)):
                break
            move = move / 2
        b, predictor, value = b + move, tried, found
    raise DesignError(
        "the logistic regression did not converge: a coefficient grows without limit or terms nearly coincide.",
        fix="Use fewer terms, or join rare levels.",
    )


def log_likelihood(y: Array, predictor: Array, weights: Array) -> float:
    """Return the (weighted) Bernoulli log-likelihood at a linear predictor."""
    return float(weights @ (y * predictor - np.logaddexp(0.0, predictor)))


def _refuse(y: Array) -> None:
    """Refuse an outcome that is not made of zeros and ones."""
    bad = int((~((y == 0) | (y == 1))).sum())
    if bad:
        raise DesignError(f"{bad} values of the outcome are neither 0 nor 1.", fix="Code it 0 and 1.")
    if len(y) and y.min() == y.max():
        raise DesignError(f"the outcome is constant: it is {y[0]:g} in every row.", fix="Check how it was coded.")


def _step(y: Array, X: Array, predictor: Array, prior: Array, variance: float | None) -> LeastSquares:
    """Do one weighted least squares step from a linear predictor."""
    far = np.clip(predictor, -_FARTHEST, _FARTHEST)
    if variance is None:
        w = expit(far) * expit(-far)
        residual = np.where(y == 1, 1 + np.exp(-far), -1 - np.exp(far))  # (y - m) / w without cancellation
    else:
        w, residual = np.full(len(y), variance), (y - expit(far)) / variance
    try:
        return least_squares(far + residual, X, weights=prior * w)
    except DesignError as error:
        if "reproduce" not in error.what:
            raise
        raise SeparationError(
            "the terms tell every 0 from every 1, so the odds ratios are infinite.",
            columns=separating_columns(y, X),
            fix="Check whether a term is a copy of the outcome.",
        ) from error


def _finish(y: Array, X: Array, shift: Array, prior: Array, last: LeastSquares) -> Logistic:
    """Return the fit in the columns as given, with everything evaluated at the estimate itself."""
    predictor = X @ last.coefficients
    v = expit(predictor) * expit(-predictor)
    step = _step(y, X, predictor, prior, None)
    R = step.R @ shift
    b = np.asarray(np.linalg.solve(shift, last.coefficients), dtype=np.float64)
    inverse = np.linalg.inv(R)
    working = replace(
        last,
        coefficients=b,
        covariance=inverse @ inverse.T,
        residuals=np.where(y == 1, expit(-predictor), -expit(predictor)),
        X=v[:, None] * last.X,
        Q=step.Q,
        R=R,
        weights=prior / v,
    )
    return Logistic(
        coefficients=b,
        covariance=working.covariance,
        probabilities=expit(predictor),
        log_likelihood=log_likelihood(y, predictor, prior),
        kept=last.kept,
        aliased=last.aliased,
        working=working,
    )


def centred(X: Array) -> tuple[Array, Array]:
    """Return the columns less their means, where a constant takes these up, and S with `X = centred @ S`.

    A year or an amount with a large offset then costs no digits.

    Parameters
    ----------
    X
        Design matrix, shape (n, p).
    """
    shift = np.eye(X.shape[1])
    same = np.flatnonzero((X.max(axis=0) == X.min(axis=0)) & (X[0] != 0)) if len(X) else np.zeros(0, dtype=int)
    if not same.size or not np.isfinite(X).all():
        return X, shift
    means = X.mean(axis=0)
    means[same] = 0.0
    shift[same[0]] += means / X[0, same[0]]
    return X - means, shift


def separating_columns(y: Array, X: Array) -> tuple[int, ...]:
    """Return the columns that separate zeros from ones, wholly or in part; empty where maximum likelihood is finite.

    A single column that does it alone is named alone. Otherwise: with s = 1 for ones and -1 for zeros, the data are
    separated if a direction d has s x'd >= 0 in every row and > 0 in one (Konis 2007, PhD thesis, University of
    Oxford); the columns are those with weight in d.

    Parameters
    ----------
    y
        Zeros and ones, shape (n,).
    X
        Independent columns, shape (n, p).
    """
    zeros, ones = X[y == 0], X[y == 1]
    spread = X.max(axis=0) > X.min(axis=0)
    apart = (zeros.max(axis=0) <= ones.min(axis=0)) | (ones.max(axis=0) <= zeros.min(axis=0))
    alone = np.flatnonzero(spread & apart)
    if alone.size:
        return tuple(int(k) for k in alone)
    centre = np.where(spread, (X.max(axis=0) + X.min(axis=0)) / 2, 0.0)
    constant = (~spread & (X[0] != 0)).any()
    scaled = (X - centre if constant else X) / np.where(spread, np.abs(X - centre).max(axis=0), 1.0)
    rows = np.unique(np.where(y == 1, 1.0, -1.0)[:, None] * scaled, axis=0)
    found = linprog(-rows.sum(axis=0), A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1, 1), method="highs")
    if found.x is None or -found.fun <= 1e-7 * len(rows):
        return ()
    return tuple(int(k) for k in np.flatnonzero((np.abs(found.x) > 1e-6) & spread))


def _refuse_separation(y: Array, X: Array, kept: tuple[int, ...]) -> None:
    """Refuse separated data, naming the columns."""
    columns = tuple(kept[k] for k in separating_columns(y, X))
    if columns:
        raise SeparationError(
            f"the columns {', '.join(map(str, columns))} tell some zeros and ones apart without error, so an odds "
            "ratio is infinite.",
            columns=columns,
            fix="Join levels, or leave the term out.",
        )


def is_binary(values: NDArray[np.float64]) -> bool:
    """Tell whether an array holds both 0 and 1 and nothing else.

    Examples
    --------
    >>> is_binary(np.array([0.0, 1, 1])), is_binary(np.array([1.0, 2]))
    (True, False)
    """
    return bool(((values == 0) | (values == 1)).all() and (values == 0).any() and (values == 1).any())
