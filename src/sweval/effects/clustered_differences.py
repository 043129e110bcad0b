"""Standardised effects of studies with clustered clients, many studies at once: arrays in, arrays out.

Differences are already oriented (positive = improvement). The intraclass correlation is given: from earlier studies, or
estimated and then accompanied by a standard error that knows of the clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.arrays import floats, refuse
from sweval.effects.clustered import ArmSizes
from sweval.effects.kernel import Standardized, standardize
from sweval.effects.partially_nested import partially_nested_factors
from sweval.errors import DesignError

__all__ = ["ClusterSizes", "clustered_difference", "partially_nested_difference"]

FloatArray = NDArray[np.float64]

_SCALES = ("total", "within", "between", "model")


@dataclass(frozen=True, kw_only=True)
class ClusterSizes:
    """Persons and clusters of one arm; arrays, one entry per study.

    Attributes
    ----------
    persons, clusters
        Numbers in the arm. Reports that give no more than that are taken to have clusters of equal size.
    squares, cubes
        Sums of the squared and cubed sizes; for unequal sizes, see `of`.
    inverses
        Mean of 1 / size over the clusters, and
    inverse_squares
        mean of its square: for scale="between" with unequal sizes.
    """

    persons: ArrayLike
    clusters: ArrayLike
    squares: ArrayLike | None = None
    cubes: ArrayLike | None = None
    inverses: ArrayLike | None = None
    inverse_squares: ArrayLike | None = None

    @classmethod
    def of(cls, *sizes: Sequence[int]) -> ClusterSizes:
        """Return the sums of lists of cluster sizes, one list per study.

        Raises
        ------
        DesignError
            If a size is no whole number of 1 or more.
        """
        for each in sizes:
            ArmSizes.of(each, name="sizes")
        lists = [np.asarray(each, dtype=float) for each in sizes]

        def over(number: Callable[[FloatArray], float]) -> ArrayLike:
            found = [number(each) for each in lists]
            return found[0] if len(found) == 1 else found

        return cls(
            persons=over(lambda n: float(n.sum())),
            clusters=over(lambda n: float(n.size)),
            squares=over(lambda n: float((n**2).sum())),
            cubes=over(lambda n: float((n**3).sum())),
            inverses=over(lambda n: float((1 / n).mean())),
            inverse_squares=over(lambda n: float((1 / n**2).mean())),
        )

    def arrays(self, name: str) -> tuple[FloatArray, ...]:
        """Return persons, clusters, sums of squares and cubes, and both means, filled in for equal sizes.

        Raises
        ------
        DesignError
            If an arm has fewer persons than clusters, or no cluster.
        """
        n, m = floats(persons=self.persons, clusters=self.clusters)
        refuse((m < 1) | (n < m), "an arm needs one cluster or more, and a person in each", where=name)
        size = n / m
        given = (self.squares, self.cubes, self.inverses, self.inverse_squares)
        equal = (m * size**2, m * size**3, 1 / size, 1 / size**2)
        rest = [
            filled if part is None else np.asarray(part, dtype=float) for part, filled in zip(given, equal, strict=True)
        ]
        return tuple(np.broadcast_arrays(n, m, *rest))


def clustered_difference(
    difference: ArrayLike,
    *,
    sd: ArrayLike,
    treated: ClusterSizes,
    control: ClusterSizes,
    icc: ArrayLike,
    scale: str = "total",
    clustered: tuple[ArrayLike, ArrayLike] | None = None,
    conf_level: float = 0.95,
) -> Standardized:
    r"""Return standardised effects of trials of whole clusters (Hedges, 2007), sizes equal or unequal.

    A report that took clients as independent is corrected by the same call: give its means and standard deviation, or
    with sd = 1 its uncorrected d (t * sqrt(1/N_T + 1/N_C)).

    Parameters
    ----------
    difference
        Of the means over persons, oriented; for "between" of the unweighted means of the clusters' means.
    sd
        Standard deviation that `scale` names.
    treated, control
        Sizes of both arms.
    icc
        Intraclass correlation within arms, before any adjustment, from 0 to below 1.
    scale
        "total": of persons, pooled within arms. "within" clusters. "between": of cluster means, within arms. "model":
        the root of the sum of both variances of a mixed model.
    clustered
        (standard error, df) of a difference whose report respected the clusters, adjusted for covariates or not. df is
        Satterthwaite's, or the number of clusters - 2. Without it the variance follows from the intraclass correlation,
        which is then taken as known.
    conf_level
        Between 0 and 1.

    Returns
    -------
    Standardized

    Raises
    ------
    DesignError
        If a number is missing or impossible, the scale unknown, or "between" is asked with icc = 0.

    Notes
    -----
    total, within: as `cluster_factors` and `clustered_g`. between, with :math:`v_j = \rho + (1-\rho)/n_j` in units of
    the total variance: :math:`c^2 = E(S_B^2)/(\sigma_T^2\rho)`,
    :math:`\kappa^2 = \sum_a \sum_j v_j/m_a^2/\rho`, and nu by Satterthwaite from the same :math:`v_j`, exact for normal
    data. model: c = 1 and

    .. math:: \nu = \frac{n^2M(M-2)}{M[(n-1)\rho+1]^2+(M-2)(n-1)(1-\rho)^2}

    (Pustejovsky, 2016), n the mean size. Hedges (2007), doi:10.3102/1076998606298043.

    Examples
    --------
    >>> arm = ClusterSizes(persons=[100, 60], clusters=[5, 6])
    >>> found = clustered_difference([2.0, 3.1], sd=[10.0, 9.4], treated=arm, control=arm, icc=0.1)
    >>> found.g.round(3).tolist(), found.nu.round(1).tolist()
    ([0.197, 0.325], [170.5, 109.3])
    """
    if scale not in _SCALES:
        raise DesignError('scale must be "total", "within", "between" or "model".')
    b, s, rho = floats(difference=difference, sd=sd, icc=icc)
    refuse((rho < 0) | (rho >= 1), "an intraclass correlation lies from 0 to below 1", where="icc")
    t, c = treated.arrays("treated"), control.arrays("control")
    clusters, persons = t[1] + c[1], t[0] + c[0]
    spare = {"within": persons - clusters, "between": clusters - 2, "model": clusters - 2}.get(scale, persons - 2)
    refuse(spare < 2, "there are too few clusters or persons for this standard deviation")
    factor, nu, kappa_squared = {"total": _total, "within": _within, "between": _between, "model": _model}[scale](
        t, c, rho
    )
    if clustered is None:
        return standardize(b, s, nu=nu, kappa=np.sqrt(kappa_squared), df=nu, c=factor, conf_level=conf_level)
    error, df = floats(std_error=clustered[0], df=clustered[1])
    return standardize(b, s, nu=nu, kappa=factor * error / s, df=df, c=factor, conf_level=conf_level, separate=True)


def partially_nested_difference(
    difference: ArrayLike,
    *,
    sd: ArrayLike,
    n_treated: ArrayLike,
    n_control: ArrayLike,
    group_size: ArrayLike,
    icc: ArrayLike,
    control_variance: str = "within",
    conf_level: float = 0.95,
) -> Standardized:
    """Return standardised effects of trials with groups in the treated arm only.

    Parameters
    ----------
    difference
        Treated - control, oriented.
    sd
        Standard deviation of persons pooled within arms.
    n_treated, n_control, group_size, icc, control_variance
        As in `partially_nested_factors`. Where it is not known which variance model holds, show both.
    conf_level
        Between 0 and 1.

    Returns
    -------
    Standardized

    Raises
    ------
    DesignError
        As `partially_nested_factors`.

    Examples
    --------
    >>> for model in ("within", "total"):
    ...     found = partially_nested_difference(3.1, sd=9.4, n_treated=84, n_control=71, group_size=7, icc=0.1,
    ...                                         control_variance=model)
    ...     print(f"{found.g:.3f} [{found.conf_low:.3f}, {found.conf_high:.3f}]")
    0.320 [-0.030, 0.672]
    0.327 [-0.030, 0.687]
    """
    b, s = floats(difference=difference, sd=sd)
    found = partially_nested_factors(
        n_treated=n_treated, n_control=n_control, group_size=group_size, icc=icc, control_variance=control_variance
    )
    kappa = np.sqrt(found.kappa_squared)
    return standardize(b, s, nu=found.nu, kappa=kappa, df=found.nu, c=found.c, conf_level=conf_level)


Arm = tuple[FloatArray, ...]


def _total(t: Arm, c: Arm, rho: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return c, h and kappa^2 of Hedges (2007)."""
    df = t[0] + c[0] - 2
    b = sum(n - squares / n for n, _, squares, *_ in (t, c))
    a = sum(squares + (squares / n) ** 2 - 2 * cubes / n for n, _, squares, cubes, *_ in (t, c))
    expected = df * (1 - rho) + b * rho
    nu = expected**2 / (df * (1 - rho) ** 2 + a * rho**2 + 2 * b * rho * (1 - rho))
    return np.sqrt(expected / df), nu, _of_means(t, c, rho)


def _within(t: Arm, c: Arm, rho: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    return np.ones_like(rho), t[0] + c[0] - t[1] - c[1], _of_means(t, c, rho) / (1 - rho)


def _between(t: Arm, c: Arm, rho: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the factors of the standard deviation of cluster means, with Var(mean j) = rho + (1 - rho) / n_j."""
    refuse(rho == 0, "with an intraclass correlation of 0 there is no variance between clusters", where="icc")
    expected, half, kappa_squared = (np.zeros_like(rho + t[1]) for _ in range(3))
    for _, m, _, _, inverse, inverse_square in (t, c):
        mean = rho + (1 - rho) * inverse
        square = rho**2 + 2 * rho * (1 - rho) * inverse + (1 - rho) ** 2 * inverse_square
        expected = expected + (m - 1) * mean
        half = half + (m - 2) * square + mean**2  # tr((M V)^2) with M the projection off the mean
        kappa_squared = kappa_squared + mean / m
    df = t[1] + c[1] - 2
    return np.sqrt(expected / df / rho), expected**2 / half, kappa_squared / rho


def _model(t: Arm, c: Arm, rho: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    clusters = t[1] + c[1]
    n = (t[0] + c[0]) / clusters
    below = clusters * ((n - 1) * rho + 1) ** 2 + (clusters - 2) * (n - 1) * (1 - rho) ** 2
    return np.ones_like(rho), n**2 * clusters * (clusters - 2) / below, _of_means(t, c, rho)


def _of_means(t: Arm, c: Arm, rho: FloatArray) -> FloatArray:
    """Return the variance of the difference of the means over persons, in units of the total variance."""
    first, second = ((1 + (squares / n - 1) * rho) / n for n, _, squares, *_ in (t, c))
    return first + second
