"""How far one group stands from a published norm; one row."""

from __future__ import annotations

import dataclasses
import math

from numpy.typing import ArrayLike

from sweval.effects.kernel import standardize
from sweval.effects.samples import effect_row, orientation, varying
from sweval.errors import DesignError
from sweval.result import Estimate

__all__ = ["distance_from_norm"]


def distance_from_norm(
    scores: ArrayLike,
    *,
    norm_mean: float,
    norm_sd: float | None = None,
    better: str = "higher",
    conf_level: float = 0.95,
) -> Estimate:
    """Return how many standard deviations a group's mean lies from that of a norm sample.

    To describe who a service reaches, not what it does: it compares different people and holds no effect.

    Parameters
    ----------
    scores
        Raw scores, one per client, none missing.
    norm_mean
        Published mean, taken as known.
    norm_sd
        Published standard deviation; without it that of the scores is the unit.
    better
        "higher" or "lower": positive means better off than the norm.
    conf_level
        Of the interval.

    Returns
    -------
    Estimate
        measure "distance_from_norm", without a metric, since it may be averaged with nothing; statistic, df = n - 1
        and p are those of the one-sample t test.

    Raises
    ------
    DataError
        If scores are missing (the message counts them) or all equal.
    DesignError
        If a published number is impossible.

    Notes
    -----
    kappa = SE(mean) / s; nu = n - 1, or infinity for a published standard deviation.

    Examples
    --------
    >>> row = distance_from_norm([14, 11, 17, 9, 13], norm_mean=6.0, norm_sd=4.0, better="lower")
    >>> print(f"{row.estimate:.2f} [{row.conf_low:.2f}, {row.conf_high:.2f}]")
    -1.70 [-2.64, -0.76]
    """
    sample = varying(scores, name="scores")
    if not math.isfinite(norm_mean) or (norm_sd is not None and not (math.isfinite(norm_sd) and norm_sd > 0)):
        raise DesignError("a norm needs a finite mean and a standard deviation above zero.")
    n, own = sample.size, float(sample.std(ddof=1))
    s, nu = (own, n - 1.0) if norm_sd is None else (norm_sd, math.inf)
    effect = standardize(
        orientation(better) * (sample.mean() - norm_mean),
        s,
        nu=nu,
        kappa=own / math.sqrt(n) / s,
        df=n - 1,
        conf_level=conf_level,
        separate=norm_sd is not None,
    )
    unit = "that of the scores" if norm_sd is None else "published"
    row = effect_row(
        effect,
        better=better,
        n=n,
        method=f"difference from a published mean, standard deviation: {unit}, exact J",
        standardizer="sample" if norm_sd is None else "norm",
        conf_level=conf_level,
    )
    return dataclasses.replace(row, term="norm", measure="distance_from_norm", metric=None, level_assigned=None)
