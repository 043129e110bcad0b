"""Who recovered, improved, stayed, got worse: categories of clients from an index, a cut-off, or both.

Jacobson & Truax (1991), doi:10.1037/0022-006X.59.1.12; cut-offs on true scores by Hageman & Arrindell (1999). Arrays
in, arrays out, one entry per client; `sweval.ReliableChange` does the same for a data frame and counts the categories.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweval.effects.change_index import critical_value, true_sd
from sweval.effects.samples import orientation
from sweval.errors import DesignError

__all__ = [
    "CATEGORIES",
    "change_categories",
    "clinical_cutoff",
    "cutoff_categories",
    "position_after",
]

FloatArray = NDArray[np.float64]

CATEGORIES = ("recovered", "improved", "unchanged", "deteriorated", "harmed")
"""From best to worst; without a cut-off only the three in the middle."""


def clinical_cutoff(
    kind: str,
    *,
    better: str,
    clinical_mean: float = math.nan,
    clinical_sd: float = math.nan,
    functional_mean: float = math.nan,
    functional_sd: float = math.nan,
    error: float = 0.0,
) -> float:
    r"""Return the score that separates people with the problem from people without it.

    Parameters
    ----------
    kind
        "a": two standard deviations beyond the clinical mean, where no norms exist. "b": within two standard deviations
        of the functional mean. "c": as likely to come from either population; the best where both are known.
    better
        "higher" or "lower": which direction of the score is an improvement.
    clinical_mean, clinical_sd
        Of people with the problem (clients before the service); needed for "a" and "c".
    functional_mean, functional_sd
        Of people without it (norms); needed for "b" and "c".
    error
        Standard error of measurement, sd * sqrt(1 - reliability). Above zero it gives the cut-offs of Hageman &
        Arrindell (1999), in which the spread of true scores stands for that of scores.

    Returns
    -------
    float

    Raises
    ------
    DesignError
        If a needed number is missing, or a standard deviation not above zero and above the error.

    Notes
    -----
    .. math::
        a = M_1 \pm 2 s_1, \quad b = M_0 \mp 2 s_0, \quad c = \frac{s_1 M_0 + s_0 M_1}{s_1 + s_0}

    upper signs where higher is better; 1 the clinical, 0 the functional population. Jacobson & Truax (1991). The R
    package clinicalsignificance takes s_1 in b; the definition has the functional population's s_0. With an error E
    every s is sqrt(s^2 - E^2).

    Examples
    --------
    >>> clinical_cutoff("c", better="higher", clinical_mean=40, clinical_sd=7.5, functional_mean=60, functional_sd=7.5)
    50.0
    """
    sign = orientation(better)
    if kind not in ("a", "b", "c"):
        raise DesignError('the cut-off must be "a", "b", "c" or a score.')
    needed = {
        "a": {"clinical_mean": clinical_mean, "clinical_sd": clinical_sd},
        "b": {"functional_mean": functional_mean, "functional_sd": functional_sd},
    }
    numbers = needed["a"] | needed["b"] if kind == "c" else needed[kind]
    lacking = [name for name, value in numbers.items() if not math.isfinite(value)]
    if lacking:
        raise DesignError(f'cut-off "{kind}" needs {" and ".join(lacking)}.')
    if any(value <= 0 for name, value in numbers.items() if name.endswith("_sd")):
        raise DesignError("a cut-off needs standard deviations above zero.")
    if error:
        clinical_sd = clinical_sd if kind == "b" else true_sd(clinical_sd, error, what="clients before the service")
        functional_sd = functional_sd if kind == "a" else true_sd(functional_sd, error, what="the norm group")
    if kind == "a":
        return clinical_mean + sign * 2 * clinical_sd
    if kind == "b":
        return functional_mean - sign * 2 * functional_sd
    return (clinical_sd * functional_mean + functional_sd * clinical_mean) / (clinical_sd + functional_sd)


def change_categories(
    pre: ArrayLike,
    post: ArrayLike,
    index: ArrayLike,
    *,
    better: str,
    cutoff: float | None = None,
    conf_level: float = 0.95,
    critical: float | None = None,
    position: ArrayLike | None = None,
) -> NDArray[np.str_]:
    """Sort clients into recovered, improved, unchanged, deteriorated and harmed.

    Parameters
    ----------
    pre, post
        Scores, none missing.
    index
        From `reliable_change_index`.
    better
        "higher" or "lower".
    cutoff
        From `clinical_cutoff`, or published. Without one nobody is called recovered or harmed.
    conf_level
        0.95: changes beyond 1.96 standard errors are reliable.
    critical
        How many standard errors instead, such as `critical_value(method="hageman_arrindell")`.
    position
        From `position_after`: then recovery also needs a true score that is beyond the cut-off by more than `critical`
        standard errors; for harm it is enough that the estimated true score is across it.

    Returns
    -------
    numpy.ndarray
        Text. recovered: reliably improved, and across the cut-off to the functional side; harmed: reliably worse, and
        across it the other way. All comparisons are strict: a score on the cut-off, or a change on the threshold,
        counts as neither.

    Raises
    ------
    DesignError
        If `better` is neither "higher" nor "lower", or scores are missing.

    Examples
    --------
    >>> from sweval.effects.change_index import reliable_change_index
    >>> pre, post = [24, 20, 15, 8, 6], [8, 14, 14, 14, 20]
    >>> index = reliable_change_index(pre, post, sd=5, reliability=0.9)
    >>> change_categories(pre, post, index, better="lower", cutoff=10).tolist()
    ['recovered', 'improved', 'unchanged', 'harmed', 'harmed']
    """
    limit = critical_value(conf_level) if critical is None else critical
    code = change_codes(pre, post, index, better=better, cutoff=cutoff, critical=limit, position=position)
    return np.array(CATEGORIES)[code]


def change_codes(
    pre: ArrayLike,
    post: ArrayLike,
    index: ArrayLike,
    *,
    better: str,
    cutoff: float | None,
    critical: float,
    position: ArrayLike | None = None,
) -> NDArray[np.intp]:
    """Return the categories of `change_categories` as places in `CATEGORIES`."""
    sign = orientation(better)
    before, after, moved = _complete(pre, post, index)
    up, down = (moved > critical, moved < -critical) if sign > 0 else (moved < -critical, moved > critical)
    code = np.where(up, 1, np.where(down, 3, 2))
    if cutoff is not None:
        was_below, was_above = _sides(before, cutoff, sign)
        if position is None:
            is_below, is_above = _sides(after, cutoff, sign)
        else:
            standing = sign * np.asarray(position, dtype=float)
            is_below, is_above = standing < 0, standing > critical  # harm need not be proved twice
        code[up & was_below & is_above] = 0
        code[down & was_above & is_below] = 4
    return code


def cutoff_categories(
    pre: ArrayLike, post: ArrayLike, *, better: str, cutoff: float, position: ArrayLike | None = None,
    critical: float = 1.65,
) -> NDArray[np.str_]:  # fmt: skip
    """Sort clients by the cut-off alone: improved, unchanged, deteriorated.

    It ignores measurement error, so a client who moves by one point across the cut-off has improved. Prefer
    `change_categories` with both; use this where no reliability is known.

    Parameters
    ----------
    pre, post
        Scores, none missing.
    better
        "higher" or "lower".
    cutoff
        From `clinical_cutoff`, or published.
    position, critical
        From `position_after`: how many standard errors a client must be beyond the cut-off afterwards.

    Returns
    -------
    numpy.ndarray
        Text. improved: on the clinical side before and on the functional side after; deteriorated: the other way.
        A score on the cut-off is on neither side.

    Raises
    ------
    DesignError
        If `better` is neither "higher" nor "lower", or scores are missing.

    Examples
    --------
    >>> cutoff_categories([24, 20, 8], [8, 14, 11], better="lower", cutoff=10).tolist()
    ['improved', 'unchanged', 'deteriorated']
    """
    sign = orientation(better)
    before, after = _complete(pre, post)
    was_below, was_above = _sides(before, cutoff, sign)
    if position is None:
        is_below, is_above = _sides(after, cutoff, sign)
    else:
        standing = sign * np.asarray(position, dtype=float)
        is_below, is_above = standing < -critical, standing > critical
    code = np.where(was_below & is_above, 0, np.where(was_above & is_below, 2, 1))
    return np.array(CATEGORIES[1:4])[code]


def position_after(
    post: ArrayLike, *, cutoff: float, sd: float, error: float, mean: float | None = None
) -> NDArray[np.float64]:
    r"""Return how many standard errors each client's true score afterwards is estimated to be beyond the cut-off.

    The second criterion of Hageman & Arrindell (1999), CS-INDIV: whether a client is across the cut-off is as uncertain
    as the score, so it must be exceeded by 1.65 standard errors.

    Parameters
    ----------
    post
        Scores afterwards, none missing.
    cutoff
        `clinical_cutoff` with the same error.
    sd
        Standard deviation of the scores afterwards.
    error
        Standard error of measurement, sd before * sqrt(1 - reliability).
    mean
        Mean of the scores afterwards; by default that of `post`.

    Returns
    -------
    numpy.ndarray
        Negative below the cut-off.

    Raises
    ------
    DesignError
        If the scores vary no more than the error.

    Notes
    -----
    .. math:: \frac{M_2 + r_2 (x_2 - M_2) - c}{\sqrt{r_2}\, E}, \qquad r_2 = 1 - E^2/s_2^2

    Examples
    --------
    >>> position_after([4, 10, 16], cutoff=10, sd=6, error=2).round(2).tolist()
    [-2.83, 0.0, 2.83]
    """
    after = np.asarray(post, dtype=float)
    middle = float(after.mean()) if mean is None else mean
    r = (true_sd(sd, error, what="the scores after") / sd) ** 2
    return np.asarray((middle + r * (after - middle) - cutoff) / (math.sqrt(r) * error), dtype=float)


def _complete(*parts: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    """Return arrays of floats without missing values."""
    arrays = tuple(np.asarray(part, dtype=float) for part in parts)
    if not all(np.isfinite(array).all() for array in arrays):
        raise DesignError("only clients with a score before and after can be sorted into categories.")
    return arrays


def _sides(scores: NDArray[np.float64], cutoff: float, sign: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return who is on the clinical and who on the functional side of a cut-off."""
    return (scores < cutoff, scores > cutoff) if sign > 0 else (scores > cutoff, scores < cutoff)
