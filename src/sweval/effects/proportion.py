"""Intervals of a proportion."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.errors import DesignError

__all__ = ["wilson_interval"]

FloatArray = NDArray[np.float64]


def wilson_interval(count: ArrayLike, n: ArrayLike, *, conf_level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    r"""Return Wilson's score interval of a proportion, which holds its level in small samples and stays within 0 and 1.

    For independent clients. Clients in clusters or groups vary less independently than this interval assumes.

    Parameters
    ----------
    count
        How many of `n` have the property.
    n
        How many were looked at, 1 or more.
    conf_level
        Between 0 and 1.

    Returns
    -------
    low, high : numpy.ndarray

    Raises
    ------
    DesignError
        If a count does not lie between 0 and n, or n is 0.

    Notes
    -----
    .. math:: \frac{p + z^2/2n \pm z\sqrt{p(1-p)/n + z^2/4n^2}}{1 + z^2/n}

    Wilson (1927), doi:10.1080/01621459.1927.10502953.

    Examples
    --------
    >>> low, high = wilson_interval(10, 40)
    >>> print(f"{low:.4f} {high:.4f}")
    0.1419 0.4019
    """
    successes, size = np.asarray(count, dtype=float), np.asarray(n, dtype=float)
    if not ((size >= 1).all() and (successes >= 0).all() and (successes <= size).all()):
        raise DesignError("a proportion needs a count between 0 and n, and n of 1 or more.")
    if not 0 < conf_level < 1:
        raise DesignError("conf_level must lie between 0 and 1, for example 0.95.")
    z = float(special.ndtri((1 + conf_level) / 2))
    p = successes / size
    middle = (p + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z * np.sqrt(p * (1 - p) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    low = np.where(successes == 0, 0.0, middle - half)
    high = np.where(successes == size, 1.0, middle + half)
    return low, high
