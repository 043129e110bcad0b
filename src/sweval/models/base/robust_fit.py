"""The fits that `ClusterRobust` can ask for, as one record: least squares, logistic regression, marginal models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from sweval.models.engine.absorb import absorbed_least_squares
from sweval.models.engine.gee import gee
from sweval.models.engine.logistic import log_likelihood, logistic
from sweval.models.engine.ols import Array, LeastSquares, least_squares
from sweval.models.engine.sandwich import KINDS, ClusterCovariance, Kind, cluster_covariance

Codes = NDArray[np.intp]
FamilyName = Literal["gaussian", "binomial"]

WORKING = {"constant": "sampling weights", "inverse_weights": "inverse-variance weights"}
GEE_KINDS: dict[str, Kind] = {"KC": "CR2", "MD": "CR3"}
ALL_KINDS = (*KINDS, *GEE_KINDS)
_CORRECTIONS = {"CR2": "Kauermann-Carroll (CR2)", "CR3": "Mancl-DeRouen (CR3)"}


@dataclass(frozen=True, kw_only=True)
class RobustFit:
    """A fitted model with its cluster-robust covariance.

    Parameters
    ----------
    covariance
        Of all coefficients of the fit, those of absorbed effects included.
    at
        Positions of the terms' coefficients among them.
    kept, aliased
        Columns of the design matrix that were used, and that add nothing.
    method, engine
        In words.
    log_likelihood
        Of logistic regression; None elsewhere.
    alpha
        Working correlation of a marginal model.
    notes
        What was done.
    """

    covariance: ClusterCovariance
    at: tuple[int, ...]
    kept: tuple[int, ...]
    aliased: tuple[int, ...]
    method: str
    engine: str
    log_likelihood: float | None = None
    alpha: float | None = None
    notes: tuple[str, ...] = ()

    def contrast(self, weights: Array) -> Array:
        """Return contrasts of the terms' coefficients, shape (m, kept), as contrasts of all coefficients."""
        L = np.atleast_2d(weights)
        out = np.zeros((len(L), len(self.covariance.fit.coefficients)))
        out[:, self.at] = L
        return out

    @property
    def coefficients(self) -> Array:
        """Return the terms' coefficients, shape (kept,)."""
        return self.covariance.fit.coefficients[list(self.at)]


def linear_fit(
    y: Array,
    X: Array,
    cluster: Codes,
    *,
    weights: Array | None,
    working: str,
    kind: str,
    absorb: Sequence[Codes],
) -> RobustFit:
    """Fit least squares, with the effects of absorbed factors taken out."""
    fit: LeastSquares
    if absorb:
        absorbed = absorbed_least_squares(y, X, absorb, cluster, weights=weights)
        fit, at, kept, aliased = absorbed.fit, absorbed.at, absorbed.kept, absorbed.aliased
    else:
        fit = least_squares(y, X, weights=weights)
        at, kept, aliased = tuple(range(len(fit.kept))), fit.kept, fit.aliased
    covariance = cluster_covariance(
        fit,
        cluster,
        kind=cast(Kind, kind),
        working="inverse_weights" if working == "inverse_weights" else "constant",
    )
    weighted = "" if weights is None else f", {WORKING[working]}"
    return RobustFit(
        covariance=covariance,
        at=at,
        kept=kept,
        aliased=aliased,
        method=f"least squares{weighted}, {kind}, Satterthwaite df",
        engine="sweval least squares",
    )


def logistic_fit(y: Array, X: Array, cluster: Codes, *, weights: Array | None, working: str, kind: str) -> RobustFit:
    """Fit logistic regression.

    CR2 without weights is that of clubSandwich for `glm`. With sampling weights, and for KC and MD, the corrections are
    taken on the scale of Pearson residuals, whose variance is 1 under the model.
    """
    fit = logistic(y, X, weights=weights)
    pearson = kind in GEE_KINDS or (weights is not None and working == "constant")
    linear = fit.working
    if pearson:
        linear = _pearson(linear, None if working == "inverse_weights" else weights)
    covariance = cluster_covariance(
        linear,
        cluster,
        kind=GEE_KINDS.get(kind, cast(Kind, kind)),
        working="constant" if pearson else "inverse_weights",
    )
    weighted = "" if weights is None else f", {WORKING[working]}"
    named = _CORRECTIONS[GEE_KINDS[kind]] if kind in GEE_KINDS else kind
    return RobustFit(
        covariance=covariance,
        at=tuple(range(len(fit.kept))),
        kept=fit.kept,
        aliased=fit.aliased,
        method=f"logistic regression (log odds ratios){weighted}, {named}, Satterthwaite df",
        engine="sweval logistic",
        log_likelihood=fit.log_likelihood if weights is None else None,
    )


def marginal_fit(y: Array, X: Array, cluster: Codes, *, family: FamilyName, kind: str) -> RobustFit:
    """Fit a marginal model with an exchangeable working correlation."""
    fit = gee(y, X, cluster, family=family)
    chosen = GEE_KINDS.get(kind, cast(Kind, kind))
    link = "logit link (log odds ratios)" if family == "binomial" else "identity link"
    notes: tuple[str, ...] = ()
    if fit.truncated:
        notes = (
            "The working correlation was estimated below what the largest cluster allows; 0 (independence) was used.",
        )
    likelihood = None
    if family == "binomial" and fit.alpha == 0:
        likelihood = log_likelihood(y, np.log(fit.means) - np.log1p(-fit.means), np.ones(len(y)))
    return RobustFit(
        covariance=cluster_covariance(fit.white, cluster, kind=chosen),
        at=tuple(range(len(fit.kept))),
        kept=fit.kept,
        aliased=fit.aliased,
        method=(
            f"GEE, {link}, exchangeable working correlation {fit.alpha:.3f}, {_CORRECTIONS.get(chosen, chosen)}, "
            "Satterthwaite df"
        ),
        engine="sweval GEE",
        log_likelihood=likelihood,
        alpha=fit.alpha,
        notes=notes,
    )


def _pearson(working: LeastSquares, weights: Array | None) -> LeastSquares:
    """Return a logistic fit, linearised on the scale of the outcome, on that of Pearson residuals."""
    prior = np.ones(len(working.weights)) if weights is None else weights
    root = np.sqrt(working.weights / prior)
    return replace(working, residuals=root * working.residuals, X=root[:, None] * working.X, weights=prior)
