"""Effects of trials that assign whole clusters, from reported numbers (Hedges, 2007, 2011).

From raw data use `sweval.ClusterTrial`, which also estimates the standard error and its degrees of freedom. Here the
intraclass correlation is taken as known: from earlier studies, or as a default that the report states.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.kernel import standardize
from sweval.effects.samples import effect_row, orientation
from sweval.errors import DesignError
from sweval.result import Estimate

__all__ = ["ClusterFactors", "cluster_factors", "clustered_g", "corrected_t", "corrected_variance"]

FloatArray = NDArray[np.float64]

_SCALES = {
    "total": ("person_total", "posttest_pooled", "standard deviation of persons"),
    "within": ("within_cluster", "within_cluster", "standard deviation within clusters"),
    "between": ("between_cluster", "between_cluster", "standard deviation of cluster means"),
}


@dataclass(frozen=True, kw_only=True)
class ClusterFactors:
    """What an intraclass correlation does to an effect in units of the persons' standard deviation.

    `c` and `nu` (Hedges' h) belong to the standard deviation, `kappa_squared` is Var(difference) / sigma_T^2,
    `inflation` the design effect 1 + (n - 1) rho of the variance of the difference.
    """

    c: float
    nu: float
    kappa_squared: float
    inflation: float


@dataclass(frozen=True, kw_only=True)
class ArmSizes:
    """Sums over the clusters of one arm: persons N, clusters m, B = N - S2/N, A, and S2/N, the size that inflates.

    S2 and S3 are the sums of squared and cubed sizes; A = (N^2 S2 + S2^2 - 2 N S3) / N^2 (Hedges, 2007).
    """

    persons: int
    clusters: int
    b: float
    a: float
    mean_size: float

    @classmethod
    def of(cls, sizes: Sequence[int] | ArrayLike, *, name: str) -> ArmSizes:
        """Return the sums of a list of cluster sizes.

        Raises
        ------
        DesignError
            If a size is no whole number of 1 or more, or there is no cluster.
        """
        n = np.asarray(sizes, dtype=float)
        if n.ndim != 1 or n.size == 0 or not (np.isfinite(n) & (n >= 1) & (n == np.round(n))).all():
            raise DesignError("cluster sizes must be a list of whole numbers of 1 or more.", where=name)
        total, squares, cubes = float(n.sum()), float((n**2).sum()), float((n**3).sum())
        return cls(
            persons=int(total),
            clusters=n.size,
            b=total - squares / total,
            a=squares + (squares / total) ** 2 - 2 * cubes / total,
            mean_size=squares / total,
        )


def cluster_factors(sizes_treated: ArrayLike, sizes_control: ArrayLike, *, icc: float) -> ClusterFactors:
    r"""Return c, h and kappa^2 of Hedges (2007) for clusters of equal or unequal size.

    Parameters
    ----------
    sizes_treated, sizes_control
        Persons per cluster, one entry per cluster.
    icc
        Intraclass correlation within arms, from 0 to below 1.

    Returns
    -------
    ClusterFactors

    Raises
    ------
    DesignError
        If a size is no whole number, or the intraclass correlation out of range.

    Notes
    -----
    .. math::
        c = \sqrt{1 - \rho\frac{N-2-B}{N-2}}, \quad
        h = \frac{[(N-2)(1-\rho)+B\rho]^2}{(N-2)(1-\rho)^2+A\rho^2+2B\rho(1-\rho)}, \quad
        \kappa^2 = \Big(\frac1{N_T}+\frac1{N_C}\Big)[1+(\tilde n-1)\rho]

    Hedges (2007), doi:10.3102/1076998606298043. S_T is too small by the factor c, so
    d_T = c * difference / S_T.

    Examples
    --------
    >>> found = cluster_factors([20] * 5, [20] * 5, icc=0.2)
    >>> print(f"{found.c:.4f} {found.nu:.1f} {found.inflation:.1f}")
    0.9806 118.5 4.8
    """
    t, c = ArmSizes.of(sizes_treated, name="sizes_treated"), ArmSizes.of(sizes_control, name="sizes_control")
    rho = checked_icc(icc)
    persons = t.persons + c.persons
    df = persons - 2.0
    b, a = t.b + c.b, t.a + c.a
    expected = df * (1 - rho) + b * rho
    if df < 1 or expected <= 0:
        raise DesignError("there are too few persons for a standard deviation within arms.")
    mean_size = (c.persons * t.mean_size + t.persons * c.mean_size) / persons
    inflation = 1 + (mean_size - 1) * rho
    return ClusterFactors(
        c=float(np.sqrt(expected / df)),
        nu=expected**2 / (df * (1 - rho) ** 2 + a * rho**2 + 2 * b * rho * (1 - rho)),
        kappa_squared=(1 / t.persons + 1 / c.persons) * inflation,
        inflation=inflation,
    )


def clustered_g(
    difference: float,
    *,
    sd: float,
    sizes_treated: ArrayLike,
    sizes_control: ArrayLike,
    icc: float,
    scale: str = "total",
    better: str = "higher",
    conf_level: float = 0.95,
) -> Estimate:
    """Return g of a trial that assigned whole clusters, from a mean difference, a standard deviation and an ICC.

    Parameters
    ----------
    difference
        Treated - control, in raw units: the difference of the means over persons.
    sd
        The standard deviation that `scale` names: of persons pooled within arms ("total"), within clusters ("within"),
        or of the cluster means within arms ("between").
    sizes_treated, sizes_control
        Persons per cluster; for a reported average size repeat it, `[12] * 7`.
    icc
        Intraclass correlation within arms, taken as known. One estimated in the same trial rests on few clusters: the
        interval is then too narrow; use `hedges_g_adjusted` with the clustered standard error and its df.
    scale
        "total" can be compared with effects of trials that assigned persons; "within" and "between" cannot, and are
        marked by their metric.
    better
        "higher" or "lower".
    conf_level
        Of the noncentral-t interval.

    Returns
    -------
    Estimate
        measure "hedges_g", level_assigned "cluster".

    Raises
    ------
    DesignError
        If sizes or ICC are out of range, the scale is unknown, or "between" is asked with unequal sizes or icc = 0.

    Notes
    -----
    total: c, h and kappa^2 of `cluster_factors`. within: c = 1, kappa^2 divided by 1 - rho, nu = N - M. between (equal
    sizes n): c = sqrt((1 + (n-1) rho) / (n rho)), kappa^2 = (1/m_T + 1/m_C)(1 + (n-1) rho) / (n rho), nu = M - 2.
    Hedges (2007), doi:10.3102/1076998606298043.

    Examples
    --------
    >>> row = clustered_g(2.0, sd=10.0, sizes_treated=[20] * 5, sizes_control=[20] * 5, icc=0.1)
    >>> print(f"{row.estimate:.3f} [{row.conf_low:.3f}, {row.conf_high:.3f}]")
    0.197 [-0.275, 0.670]
    """
    sign = orientation(better)
    if scale not in _SCALES:
        raise DesignError('scale must be "total", "within" or "between".')
    factors = cluster_factors(sizes_treated, sizes_control, icc=icc)
    t, c = ArmSizes.of(sizes_treated, name="sizes_treated"), ArmSizes.of(sizes_control, name="sizes_control")
    clusters, persons = t.clusters + c.clusters, t.persons + c.persons
    if scale == "total":
        factor, nu, kappa_squared = factors.c, factors.nu, factors.kappa_squared
    elif scale == "within":
        factor, nu, kappa_squared = 1.0, float(persons - clusters), factors.kappa_squared / (1 - icc)
    else:
        size = _common_size(t, c)
        if icc == 0:
            raise DesignError("with an intraclass correlation of 0 there is no variance between clusters to divide by.")
        ratio = (1 + (size - 1) * icc) / (size * icc)
        factor, nu, kappa_squared = ratio**0.5, clusters - 2.0, (1 / t.clusters + 1 / c.clusters) * ratio
    effect = standardize(sign * difference, sd, nu=nu, kappa=kappa_squared**0.5, df=nu, c=factor, conf_level=conf_level)
    metric, standardizer, words = _SCALES[scale]
    row = effect_row(
        effect,
        better=better,
        n=persons,
        method=f"Hedges g of a cluster trial (Hedges 2007), {words}, given ICC {icc:g}, exact J",
        standardizer=standardizer,
        conf_level=conf_level,
    )
    return dataclasses.replace(row, metric=metric, clusters=clusters, level_assigned="cluster")


def corrected_variance(variance: ArrayLike, *, mean_size: ArrayLike, icc: ArrayLike) -> FloatArray:
    """Return the sampling variance of an effect whose report ignored the clusters, corrected for them.

    Parameters
    ----------
    variance
        As reported, or computed as if persons had been assigned.
    mean_size
        Persons per cluster; for unequal sizes sum(n^2) / sum(n).
    icc
        Intraclass correlation, from 0 to below 1.

    Returns
    -------
    numpy.ndarray
        variance * [1 + (mean_size - 1) * icc] (Hedges, 2007).

    Raises
    ------
    DesignError
        If a size is below 1 or an intraclass correlation out of range.

    Examples
    --------
    >>> corrected_variance([0.04, 0.06], mean_size=15, icc=0.15).round(6).tolist()
    [0.124, 0.186]
    """
    size, rho = np.asarray(mean_size, dtype=float), np.asarray(icc, dtype=float)
    if not ((size >= 1).all() and (rho >= 0).all() and (rho < 1).all()):
        raise DesignError("cluster sizes must be 1 or more, and intraclass correlations from 0 to below 1.")
    return np.asarray(variance, dtype=float) * (1 + (size - 1) * rho)


def corrected_t(
    t: ArrayLike, *, persons: ArrayLike, mean_size: ArrayLike, icc: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    r"""Return the t that a report would have found had it not ignored its clusters, and its degrees of freedom.

    Parameters
    ----------
    t
        Reported t (or the signed root of F) of treated against control, persons taken as independent.
    persons
        N, both arms.
    mean_size
        Persons per cluster, equal in both arms.
    icc
        Intraclass correlation, from 0 to below 1; the What Works Clearinghouse takes .20 for achievement and .10 for
        other outcomes where none is known.

    Returns
    -------
    t, df : numpy.ndarray

    Raises
    ------
    DesignError
        If sizes or intraclass correlations are out of range.

    Notes
    -----
    .. math:: t_A = t\sqrt{\frac{(N-2)-2(n-1)\rho}{(N-2)[1+(n-1)\rho]}}, \quad
        df = \frac{[(N-2)-2(n-1)\rho]^2}{(N-2)(1-\rho)^2+n(N-2n)\rho^2+2(N-2n)\rho(1-\rho)}

    Hedges (2007b), doi:10.3102/1076998606298040.

    Examples
    --------
    >>> t, df = corrected_t(2.5, persons=200, mean_size=20, icc=0.1)
    >>> print(f"{t:.3f} {df:.1f}")
    1.454 170.5
    """
    total, n, rho = (np.asarray(part, dtype=float) for part in (persons, mean_size, icc))
    if not ((n >= 1).all() and (total > 2 * n).all() and (rho >= 0).all() and (rho < 1).all()):
        raise DesignError(
            "cluster sizes must be 1 or more with over two clusters, and intraclass correlations from 0 to below 1."
        )
    df = total - 2
    expected = df - 2 * (n - 1) * rho
    h = expected**2 / (df * (1 - rho) ** 2 + n * (total - 2 * n) * rho**2 + 2 * (total - 2 * n) * rho * (1 - rho))
    return np.asarray(t, dtype=float) * np.sqrt(expected / (df * (1 + (n - 1) * rho))), h


def checked_icc(icc: float) -> float:
    """Return an intraclass correlation from 0 to below 1."""
    if not 0 <= icc < 1:
        raise DesignError("the intraclass correlation must lie from 0 to below 1.")
    return float(icc)


def _common_size(t: ArmSizes, c: ArmSizes) -> float:
    """Return the size that all clusters share."""
    sizes = {t.persons / t.clusters, t.mean_size, c.persons / c.clusters, c.mean_size}
    if max(sizes) - min(sizes) > 1e-9:
        raise DesignError(
            'scale="between" needs clusters of equal size.', fix='Use scale="total", or repeat the average size.'
        )
    return t.mean_size
