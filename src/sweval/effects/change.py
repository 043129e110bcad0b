"""Has this client changed by more than chance, and is the score now that of people without the problem?

The reliable change index and the cut-offs of Jacobson & Truax (1991), doi:10.1037/0022-006X.59.1.12. Arrays in, arrays
out, one entry per client; `sweval.ReliableChange` does the same for a data frame and counts the categories.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.samples import orientation
from sweval.errors import DesignError

__all__ = [
    "CATEGORIES",
    "change_categories",
    "clinical_cutoff",
    "reliable_change_index",
    "reliable_change_threshold",
]

FloatArray = NDArray[np.float64]

CATEGORIES = ("recovered", "improved", "unchanged", "deteriorated", "harmed")
"""From best to worst; without a cut-off only the three in the middle."""


def reliable_change_index(pre: ArrayLike, post: ArrayLike, *, sd: float, reliability: float) -> FloatArray:
    r"""Return each client's change in units of its standard error.

    Parameters
    ----------
    pre, post
        Scores of the same clients in the same order.
    sd
        Standard deviation of the score before the service (of this sample, or published).
    reliability
        Of the score, above 0 and below 1. With internal consistency (alpha) more change is called reliable than with a
        test-retest correlation, because alpha does not count fluctuation between days as error.

    Returns
    -------
    numpy.ndarray
        (post - pre) / s_diff, in the direction of the score: negative where the score fell.

    Raises
    ------
    DesignError
        If the standard deviation is not positive, or the reliability not between 0 and 1.

    Notes
    -----
    .. math:: s_\mathrm{diff} = s_1 \sqrt{2(1 - r)}

    Jacobson & Truax (1991), doi:10.1037/0022-006X.59.1.12; they write it as sqrt(2 S_E^2) with S_E = s_1 sqrt(1 - r).

    Examples
    --------
    >>> reliable_change_index([47.5], [32.5], sd=7.5, reliability=0.8).round(3).tolist()
    [-3.162]
    """
    return (np.asarray(post, dtype=float) - np.asarray(pre, dtype=float)) / _standard_error(sd, reliability)


def reliable_change_threshold(*, sd: float, reliability: float, conf_level: float = 0.95) -> float:
    """Return by how many points a client must change to have changed reliably.

    Parameters
    ----------
    sd, reliability
        As in `reliable_change_index`.
    conf_level
        0.95 for the usual 1.96 standard errors.

    Returns
    -------
    float
        z * s_diff, in points of the score.

    Raises
    ------
    DesignError
        As `reliable_change_index`.

    Examples
    --------
    >>> round(reliable_change_threshold(sd=7.5, reliability=0.8), 2)
    9.3
    """
    return _critical(conf_level) * _standard_error(sd, reliability)


def clinical_cutoff(
    kind: str,
    *,
    better: str,
    clinical_mean: float = math.nan,
    clinical_sd: float = math.nan,
    functional_mean: float = math.nan,
    functional_sd: float = math.nan,
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

    Returns
    -------
    float

    Raises
    ------
    DesignError
        If a needed number is missing or a standard deviation not positive.

    Notes
    -----
    .. math::
        a = M_1 \pm 2 s_1, \quad b = M_0 \mp 2 s_0, \quad c = \frac{s_1 M_0 + s_0 M_1}{s_1 + s_0}

    upper signs where higher is better; 1 the clinical, 0 the functional population. Jacobson & Truax (1991). The R
    package clinicalsignificance takes s_1 in b; the definition has the functional population's s_0.

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
    >>> pre, post = [24, 20, 15, 8, 6], [8, 14, 14, 14, 20]
    >>> index = reliable_change_index(pre, post, sd=5, reliability=0.9)
    >>> change_categories(pre, post, index, better="lower", cutoff=10).tolist()
    ['recovered', 'improved', 'unchanged', 'harmed', 'harmed']
    """
    sign = orientation(better)
    before, after, moved = (sign * np.asarray(part, dtype=float) for part in (pre, post, index))
    if not (np.isfinite(before).all() and np.isfinite(after).all() and np.isfinite(moved).all()):
        raise DesignError("only clients with a score before and after can be sorted into categories.")
    critical = _critical(conf_level)
    up, down = moved > critical, moved < -critical
    code = np.where(up, 1, np.where(down, 3, 2))
    if cutoff is not None:
        line = sign * cutoff
        code[up & (before < line) & (after > line)] = 0
        code[down & (before > line) & (after < line)] = 4
    return np.array(CATEGORIES)[code]


def _standard_error(sd: float, reliability: float) -> float:
    """Return s_diff."""
    if not (math.isfinite(sd) and sd > 0):
        raise DesignError(
            "reliable change needs a standard deviation above zero.", fix="Do all clients have the same score before?"
        )
    if not 0 < reliability < 1:
        raise DesignError(
            "the reliability must lie between 0 and 1, both excluded.",
            fix="Take it from the instrument's manual or a published study.",
        )
    return sd * math.sqrt(2 * (1 - reliability))


def _critical(conf_level: float) -> float:
    """Return the two-sided normal quantile."""
    if not 0 < conf_level < 1:
        raise DesignError("conf_level must lie between 0 and 1, for example 0.95.")
    return float(special.ndtri((1 + conf_level) / 2))
