"""The two outcome families of generalised mixed models, each with its canonical link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, gammaln

from sweval.errors import DesignError
from sweval.models.engine.ols import Array

FamilyName = Literal["binomial", "poisson"]

_HIGHEST = 300.0
"""Log rates are cut here, so that a far step of a search stays a number."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Log-likelihood of one row and its derivatives in the linear predictor.

    Parameters
    ----------
    name
        "binomial" (zeros and ones, logit link) or "poisson" (counts, log link).
    """

    name: FamilyName

    def log_likelihood(self, y: Array, predictor: Array) -> Array:
        """Return the log-likelihood of every row, without the part that holds y only."""
        if self.name == "binomial":
            return np.asarray(y * predictor - np.logaddexp(0.0, predictor))
        return np.asarray(y * predictor - np.exp(np.minimum(predictor, _HIGHEST)))

    def mean(self, predictor: Array) -> Array:
        """Return the mean; `y - mean` is the first derivative."""
        return np.asarray(expit(predictor) if self.name == "binomial" else np.exp(np.minimum(predictor, _HIGHEST)))

    def variance(self, mean: Array) -> tuple[Array, Array]:
        """Return minus the second derivative, and its own derivative."""
        if self.name == "poisson":
            return mean, mean
        variance = mean * (1 - mean)
        return variance, variance * (1 - 2 * mean)

    def constant(self, y: Array) -> float:
        """Return the part of the log-likelihood that holds y only."""
        return 0.0 if self.name == "binomial" else -float(gammaln(y + 1).sum())

    def refuse(self, y: Array) -> None:
        """Refuse outcomes that are not of the family.

        Raises
        ------
        DesignError
            If there are other values than 0 and 1, or than whole numbers from 0, or they are all equal.
        """
        bad = ~((y == 0) | (y == 1)) if self.name == "binomial" else ~(np.isfinite(y) & (y >= 0) & (y == np.floor(y)))
        if bad.any():
            kind = "neither 0 nor 1" if self.name == "binomial" else "no counts (0, 1, 2, ...)"
            raise DesignError(
                f"{int(bad.sum())} values of the outcome are {kind}.", fix="Correct or recode them first."
            )
        if len(y) == 0 or y.min() == y.max():
            raise DesignError("the outcome is constant: every row has the same value.", fix="Check how it was coded.")
