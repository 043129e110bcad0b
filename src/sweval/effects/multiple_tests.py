"""P-values of several outcomes at once, adjusted for there being several."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.arrays import numbers
from sweval.errors import DataError, DesignError

__all__ = ["adjusted_p_values"]

FloatArray = NDArray[np.float64]

_METHODS = ("benjamini_hochberg", "benjamini_yekutieli", "holm", "hochberg", "bonferroni")


def adjusted_p_values(
    p_values: ArrayLike, *, method: str = "benjamini_hochberg", domain: ArrayLike | None = None
) -> FloatArray:
    r"""Return p-values adjusted for the number of tests, to be compared with the level as they are.

    Use it where one study tests several outcomes and the reader would act on any of them. Decide beforehand which
    outcomes belong together.

    Parameters
    ----------
    p_values
        One per test, none missing.
    method
        "benjamini_hochberg" bounds the expected share of false claims among the claims (false discovery rate) and is
        what the What Works Clearinghouse uses; "benjamini_yekutieli" does so however the tests depend on each other.
        "holm", "hochberg" and "bonferroni" bound the chance of any false claim.
    domain
        Outcome domain of each test; tests are adjusted for those of their own domain only.

    Returns
    -------
    numpy.ndarray
        In the order given, at most 1.

    Raises
    ------
    DataError
        If p-values are missing or outside 0 and 1, or `domain` has another length.
    DesignError
        If `method` is not one of those named.

    Notes
    -----
    Benjamini & Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x: the i-th smallest of k is significant if some
    j-th smallest, j >= i, has :math:`p_{(j)} \le \alpha j/k`. Benjamini & Yekutieli (2001), Holm (1979), Hochberg
    (1988). As R's p.adjust.

    Examples
    --------
    >>> adjusted_p_values([0.001, 0.008, 0.039, 0.041]).round(4).tolist()
    [0.004, 0.016, 0.041, 0.041]
    """
    if method not in _METHODS:
        raise DesignError(f'method must be one of {", ".join(_METHODS)}, not "{method}".')
    p = np.atleast_1d(numbers(p_values, name="p_values"))
    if p.ndim != 1:
        raise DataError(f"p-values come as one list of numbers, not in {p.ndim} dimensions.")
    bad = int((~((p >= 0) & (p <= 1))).sum())
    if bad:
        raise DataError(
            f"{bad} of {p.size} p-values are missing or outside 0 and 1.",
            fix="Leave tests without a p-value out, and say how many they were.",
        )
    if domain is None:
        return _adjusted(p, method)
    domains = np.asarray(domain, dtype=str)
    if domains.shape != p.shape:
        raise DataError(f"{p.size} p-values and {domains.size} domains; each test needs one.")
    adjusted = np.empty_like(p)
    for name in np.unique(domains):
        of_it = domains == name
        adjusted[of_it] = _adjusted(p[of_it], method)
    return adjusted


def _adjusted(p: FloatArray, method: str) -> FloatArray:
    """Return adjusted p-values of one family, by steps from the smallest (down) or the largest (up)."""
    k = p.size
    if method == "bonferroni":
        return np.minimum(1.0, k * p)
    order = np.argsort(p, kind="stable")
    rank = np.arange(1, k + 1)
    factor = {
        "benjamini_hochberg": k / rank,
        "benjamini_yekutieli": k / rank * (1 / rank).sum(),
        "holm": k - rank + 1.0,
        "hochberg": k - rank + 1.0,
    }[method]
    scaled = factor * p[order]
    stepped = np.maximum.accumulate(scaled) if method == "holm" else np.minimum.accumulate(scaled[::-1])[::-1]
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, stepped)
    return adjusted
