"""Reliable change from several waves: each client's own slope against its posterior standard deviation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError
from sweval.models.engine.mixed.fit import MixedFit, mixed_fit
from sweval.models.engine.mixed.model import Factor
from sweval.models.engine.mixed.modes import random_effects

Array = NDArray[np.float64]

_FEWEST_DEEP = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Slopes:
    """Every client's change per unit of time, shrunk towards the average of all.

    Parameters
    ----------
    slopes
        Average slope plus the client's empirical Bayes deviation, in points per unit of time.
    std_errors
        Posterior standard deviations of these sums; 0 where clients are estimated not to differ in an average that is
        known exactly.
    deviations, deviation_errors
        The deviations alone and their conditional standard deviations: what the R package clinicalsignificance takes as
        the index, in which a client who improves like the average has not changed.
    fit
        The mixed model.
    """

    slopes: Array
    std_errors: Array
    deviations: Array
    deviation_errors: Array
    fit: MixedFit

    @property
    def index(self) -> Array:
        """Slope over its standard error, in the direction of the score."""
        return self.slopes / self.std_errors


def client_slopes(client: NDArray[np.intp], time: Array, y: Array) -> Slopes:
    r"""Return each client's slope with its posterior standard deviation.

    Parameters
    ----------
    client
        Codes 0 .. n-1 of the rows.
    time, y
        Time and score of the rows, none missing.

    Raises
    ------
    DesignError
        If fewer than three clients have values at three or more times, so that own slopes cannot be told from chance.

    Notes
    -----
    The model is `y ~ time + (time | client)`, REML. With W = Var(u_i | y) given the fixed effects b, A = Z_i'Z_i /
    sigma^2 and V = Var(b), the error of `b + u_i` has variance W + (I - W A) V (I - W A)' (Henderson, 1975,
    doi:10.2307/2529430); the index is its second entry over the root of that variance (Speer & Greenbaum, 1995, who
    take slopes over posterior standard deviations).
    """
    deep = int((_times_per_client(client, time) > 2).sum())
    if deep < _FEWEST_DEEP:
        raise DesignError(
            f"{deep} clients have scores at three waves or more; 3 are needed to tell their own growth from chance.",
            fix='Use method="jacobson_truax", which needs two waves.',
        )
    start = float(time.min())
    Z = np.column_stack([np.ones(len(y)), time - start])
    fit = mixed_fit(y, Z, [Factor(client, Z)])
    (modes,) = random_effects(fit)
    count = len(modes.effects)
    A = np.zeros((count, 2, 2))
    for a in range(2):
        for b in range(2):
            A[:, a, b] = np.bincount(client, Z[:, a] * Z[:, b], minlength=count)
    A /= fit.residual_variances[0]
    kept = np.eye(2) - modes.variances @ A
    total = modes.variances + kept @ fit.covariance @ np.swapaxes(kept, 1, 2)
    slopes = fit.coefficients[1] + modes.effects[:, 1]
    return Slopes(
        slopes=slopes,
        std_errors=np.sqrt(total[:, 1, 1]),
        deviations=modes.effects[:, 1],
        deviation_errors=np.sqrt(np.maximum(modes.variances[:, 1, 1], 0.0)),
        fit=fit,
    )


def _times_per_client(client: NDArray[np.intp], time: Array) -> NDArray[np.intp]:
    """Return at how many different times each client was seen."""
    _, place = np.unique(time, return_inverse=True)
    pairs = np.unique(np.column_stack([client, place]), axis=0)
    return np.bincount(pairs[:, 0], minlength=int(client.max()) + 1)
