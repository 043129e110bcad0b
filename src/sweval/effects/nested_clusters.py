"""Effects of trials with clusters in clusters (clients in teams in agencies), from reported numbers; one row."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from sweval.effects.kernel import standardize
from sweval.effects.samples import effect_row, orientation
from sweval.effects.variance_components import mean_difference_variance, pooled_sd_moments
from sweval.errors import DesignError
from sweval.result import Estimate

__all__ = ["nested_clusters_g"]


def nested_clusters_g(
    difference: float,
    *,
    sd: float,
    arm: ArrayLike,
    factors: Sequence[ArrayLike],
    iccs: Sequence[float],
    better: str = "higher",
    conf_level: float = 0.95,
) -> Estimate:
    r"""Return g of a trial of whole clusters with any number of levels, from a mean difference and given ICCs.

    With raw data fit a `sweval.MixedModel`; with two levels `clustered_g` needs cluster sizes only.

    Parameters
    ----------
    difference
        Treated - control, in raw units: the difference of the means over persons.
    sd
        Standard deviation of persons, pooled within arms.
    arm
        0 for control and 1 for treated, one entry per person. For a report build the layout from its counts, as in the
        example.
    factors
        For every level the number of the cluster of every person: [agency, team]. Teams need numbers of their own over
        all agencies.
    iccs
        For every level the share of a person's variance (within arms) that lies between its clusters and not above;
        taken as known.
    better
        "higher" or "lower".
    conf_level
        Of the noncentral-t interval.

    Returns
    -------
    Estimate
        measure "hedges_g", metric "person_total", level_assigned "cluster"; `clusters` counts those of the first level.

    Raises
    ------
    DesignError
        If shares are out of range or the layout is no trial of two arms.

    Notes
    -----
    c, nu and kappa^2 are those of `pooled_sd_moments` and `mean_difference_variance`: traces of the layout, exact for
    normal data and any sizes. Hedges (2011), Journal of Educational and Behavioral Statistics 36, 346-380, treats three
    levels.

    Examples
    --------
    >>> import numpy as np
    >>> team = np.repeat(np.arange(24), 8)  # 24 teams of 8 clients, 3 teams to each of 8 agencies
    >>> agency, arm = team // 3, (team < 12).astype(int)
    >>> row = nested_clusters_g(2.1, sd=6.0, arm=arm, factors=[agency, team], iccs=[0.08, 0.05])
    >>> print(f"{row.estimate:.3f} [{row.conf_low:.3f}, {row.conf_high:.3f}], {row.clusters} agencies")
    0.344 [-0.161, 0.852], 8 agencies
    """
    sign = orientation(better)
    shares = np.asarray(iccs, dtype=float)
    if shares.shape != (len(factors),) or len(factors) == 0 or (shares < 0).any() or not shares.sum() < 1:
        raise DesignError("every level needs one share of the variance, and together they stay below 1.")
    residual = float(1 - shares.sum())
    moments = pooled_sd_moments(arm, factors, list(shares), residual=residual)
    kappa = mean_difference_variance(arm, factors, list(shares), residual=residual) ** 0.5
    effect = standardize(
        sign * difference, sd, nu=moments.nu, kappa=kappa, df=moments.nu, c=moments.c, conf_level=conf_level
    )
    given = ", ".join(f"{share:g}" for share in shares)
    row = effect_row(
        effect,
        better=better,
        n=int(np.size(arm)),
        method=f"Hedges g of a trial with clusters in clusters, given ICCs {given}, exact J",
        standardizer="posttest_pooled",
        conf_level=conf_level,
    )
    first = np.unique(np.asarray(factors[0]))
    return dataclasses.replace(row, clusters=int((first >= 0).sum()), level_assigned="cluster")
