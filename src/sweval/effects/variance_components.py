"""The intraclass correlation by analysis of variance, and what clusters do to a pooled standard deviation.

Layouts are given as arrays of integer codes, one per person: `arm` 0, 1, ...; a factor 0, 1, ... with -1 for a person
whom the factor does not touch (a client of the arm without groups). Nothing of size persons x persons is ever built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.layout import (
    checked,
    counts_of,
    per_arm,
    persons_df,
    square_norms,
    traces_of,
)
from sweval.errors import DesignError

__all__ = [
    "Icc",
    "PooledSd",
    "anova_icc",
    "mean_difference_variance",
    "pooled_sd_moments",
]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Icc:
    """An intraclass correlation within arms: share of the person-level variance that lies between clusters.

    `mean_size` is the cluster size n0 of the unbalanced analysis of variance. `truncated` is True if the estimate was
    negative and was set to 0 (the interval is the untruncated one, cut at 0). `df` are those between and within.
    """

    icc: float
    between: float
    within: float
    conf_low: float
    conf_high: float
    clusters: int
    mean_size: float
    df: tuple[int, int]
    truncated: bool


@dataclass(frozen=True, kw_only=True)
class PooledSd:
    """How the pooled within-arm standard deviation S of persons behaves under a clustered layout.

    `expected` is E(S^2); S / c is consistent for the wanted standard deviation; `nu` are its degrees of freedom.
    """

    expected: float
    c: float
    nu: float


def anova_icc(y: ArrayLike, cluster: ArrayLike, arm: ArrayLike, *, conf_level: float = 0.95) -> Icc:
    r"""Estimate the intraclass correlation within arms by one-way analysis of variance, clusters of unequal size.

    For trials that assign whole clusters, and to see in closed form what REML finds by a search: they agree where
    clusters are equal. Where clusters hold clients of both arms, each half counts as a cluster of its own; use a
    `MixedModel` for such layouts.

    Parameters
    ----------
    y
        Outcome, one value per person, none missing.
    cluster, arm
        Integer codes, one per person. Clusters are told apart by (arm, cluster).
    conf_level
        Of the interval, which is exact for equal cluster sizes and approximate otherwise (Searle, 1971).

    Returns
    -------
    Icc

    Raises
    ------
    DesignError
        If every arm has one cluster only, or every cluster one person only: the two variances cannot be told apart.

    Notes
    -----
    .. math::
        \hat\sigma_B^2 = (MS_B - MS_W)/n_0, \quad
        n_0 = \Big(N - \sum_a \sum_{j \in a} n_j^2/N_a\Big) / (M - A)

    for N persons in M clusters in A arms.

    Examples
    --------
    >>> found = anova_icc([1, 2, 4, 5, 2, 3, 6, 7], [0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 0, 0, 1, 1, 1, 1])
    >>> print(f"{found.icc:.3f}, {found.clusters} clusters")
    0.923, 4 clusters
    """
    values, codes, arms = checked(y, [cluster], arm)
    inner = codes[0]
    if (inner < 0).any():
        raise DesignError("every person needs a cluster.", fix="Leave out the rows without one.")
    joint = np.unique(inner + arms * (int(inner.max()) + 1), return_inverse=True)[1]
    sizes = np.bincount(joint)
    arm_of_cluster = np.zeros(sizes.size, dtype=np.int64)
    arm_of_cluster[joint] = arms
    persons, clusters, groups = values.size, sizes.size, np.unique(arms).size
    df_between, df_within = clusters - groups, persons - clusters
    if df_between < 1 or df_within < 1:
        lacking = "cluster per arm" if df_between < 1 else "person per cluster"
        raise DesignError(
            f"with one {lacking} only, differences between clusters cannot be told from differences within.",
            fix="Supply an intraclass correlation from earlier studies.",
        )
    cluster_means = np.bincount(joint, values) / sizes
    arm_means = np.bincount(arms, values) / np.maximum(np.bincount(arms), 1)
    mean_square_between = float((sizes * (cluster_means - arm_means[arm_of_cluster]) ** 2).sum() / df_between)
    mean_square_within = float(((values - cluster_means[joint]) ** 2).sum() / df_within)
    if mean_square_between + mean_square_within == 0:
        raise DesignError("the outcome does not vary within the arms.")
    squares = np.bincount(arm_of_cluster, sizes.astype(float) ** 2)
    mean_size = float((persons - (squares / np.maximum(np.bincount(arms), 1)).sum()) / df_between)
    between = max(0.0, (mean_square_between - mean_square_within) / mean_size)
    low, high = _icc_limits(
        mean_square_between, mean_square_within, mean_size, (df_between, df_within), conf_level=conf_level
    )
    return Icc(
        icc=between / (between + mean_square_within),
        between=between,
        within=mean_square_within,
        conf_low=low,
        conf_high=high,
        clusters=clusters,
        mean_size=mean_size,
        df=(df_between, df_within),
        truncated=mean_square_between < mean_square_within,
    )


def pooled_sd_moments(
    arm: ArrayLike,
    factors: Sequence[ArrayLike],
    variances: Sequence[float],
    *,
    residual: float | Sequence[float],
    target: float | None = None,
) -> PooledSd:
    r"""Return design factor and degrees of freedom of the pooled person-level standard deviation, for any layout.

    The ordinary pooled standard deviation underestimates the population's when persons come in clusters, and rests on
    fewer degrees of freedom than N - 2. This holds for any number of nested or crossed random-intercept factors; for
    one factor it is c and h of Hedges (2007), for groups in one arm both variance models of a partially nested trial.

    Parameters
    ----------
    arm
        Integer codes, one per person.
    factors
        For each factor the integer codes, one per person; -1 where the factor does not touch the person.
    variances
        Variance of each factor.
    residual
        Residual variance, one for all or one per arm (arms 0, 1, ... in order).
    target
        The variance whose root S / c is to estimate. The default is the sum of all components; with residual variances
        per arm it must be given.

    Returns
    -------
    PooledSd

    Raises
    ------
    DesignError
        If lengths disagree, a variance is negative, or no arm has two persons.

    Notes
    -----
    With M the projection off the arm means, R the diagonal matrix of residual variances, A arms and Z_k the indicator
    matrix of factor k,

    .. math::
        E(S^2) = \frac{\sum_k \sigma_k^2 \operatorname{tr}(Z_k'MZ_k) + \operatorname{tr}(MR)}{N-A}, \quad
        \operatorname{Var}(S^2) = \frac{2\operatorname{tr}(MVMV)}{(N-A)^2}, \quad
        c = \sqrt{E(S^2)/\sigma_T^2}, \quad \nu = 2E(S^2)^2/\operatorname{Var}(S^2)

    The traces are sums over counts of persons per pair of levels.

    Examples
    --------
    >>> import numpy as np
    >>> arm, school = np.repeat([0, 1], 100), np.repeat(np.arange(10), 20)
    >>> found = pooled_sd_moments(arm, [school], [0.2], residual=0.8)
    >>> print(f"{found.c:.4f} {found.nu:.1f}")
    0.9806 118.5
    """
    _, codes, arms = checked(np.zeros(np.size(arm)), factors, arm)
    sizes = np.bincount(arms)
    noise = per_arm(residual, sizes.size)
    weights = np.asarray(variances, dtype=float)
    if weights.shape != (len(codes),) or (weights < 0).any() or (noise < 0).any():
        raise DesignError("each factor needs one variance, and no variance may be negative.")
    if target is None:
        if np.ndim(residual) > 0:
            raise DesignError("with one residual variance per arm, say which variance is the standard: target=...")
        target = float(weights.sum() + noise[0])
    df = persons_df(sizes)
    traces = np.array([traces_of(code, arms, sizes) for code in codes]).reshape(len(codes), sizes.size)
    squares = square_norms(codes, arms, sizes)
    free = np.maximum(sizes - 1.0, 0.0)
    mean = float(weights @ traces.sum(axis=1) + noise @ free)
    half_variance = float(weights @ squares @ weights + 2 * weights @ traces @ noise + noise**2 @ free)
    if mean <= 0 or target <= 0:
        raise DesignError("all variances are zero, so there is no standard deviation.")
    return PooledSd(expected=mean / df, c=float(np.sqrt(mean / df / target)), nu=mean**2 / half_variance)


def mean_difference_variance(
    arm: ArrayLike, factors: Sequence[ArrayLike], variances: Sequence[float], *, residual: float | Sequence[float]
) -> float:
    r"""Return the variance of the difference of the two arm means under the same layout as `pooled_sd_moments`.

    Parameters
    ----------
    arm
        Integer codes, 0 and 1, one per person.
    factors, variances, residual
        As in `pooled_sd_moments`.

    Returns
    -------
    float
        :math:`\sum_k \sigma_k^2 \sum_l (n_{l1}/N_1 - n_{l0}/N_0)^2 + \sigma_{e1}^2/N_1 + \sigma_{e0}^2/N_0`.

    Raises
    ------
    DesignError
        If there are not two arms.

    Examples
    --------
    >>> mean_difference_variance([0, 0, 1, 1], [[0, 0, 1, 1]], [0.5], residual=1.0)
    2.0
    """
    _, codes, arms = checked(np.zeros(np.size(arm)), factors, arm)
    sizes = np.bincount(arms)
    if sizes.size != 2 or (sizes == 0).any():
        raise DesignError("a difference of means needs two arms, coded 0 and 1.")
    total = float((per_arm(residual, 2) / sizes).sum())
    for code, variance in zip(codes, variances, strict=True):
        count = counts_of(code, arms, 2)
        total += float(variance * ((count[:, 1] / sizes[1] - count[:, 0] / sizes[0]) ** 2).sum())
    return total


def _icc_limits(
    between: float, within: float, size: float, df: tuple[int, int], *, conf_level: float
) -> tuple[float, float]:
    """Return the F-based limits of the intraclass correlation, cut at 0."""
    if within == 0:
        return 1.0, 1.0
    ratio, tail = between / within, (1 - conf_level) / 2
    limits = [ratio / float(special.fdtri(*df, level)) for level in (1 - tail, tail)]
    low, high = (max(0.0, (limit - 1) / (limit + size - 1)) for limit in limits)
    return low, high
