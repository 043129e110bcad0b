"""Has this client changed by more than measurement error? The reliable change indices of six authors.

All of them compare the score after with the one that was to be expected had nothing truly changed, and that is a line
in the score before: `ChangeLine`. Arrays in, arrays out, one entry per client.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from sweval.effects.samples import orientation
from sweval.errors import DesignError, did_you_mean

__all__ = [
    "CHANGE_INDICES",
    "ChangeLine",
    "change_line",
    "group_level_change",
    "reliable_change_index",
    "reliable_change_threshold",
]

FloatArray = NDArray[np.float64]

CHANGE_INDICES = {
    "jacobson_truax": "Jacobson & Truax (1991)",
    "gulliksen_lord_novick": "Gulliksen, Lord & Novick (Hsu, 1989)",
    "hsu_linn_lord": "Hsu, Linn & Lord",
    "edwards_nunnally": "Edwards & Nunnally (Speer, 1992)",
    "nunnally_kotsch": "Nunnally & Kotsch (1983)",
    "hageman_arrindell": "Hageman & Arrindell (1999)",
}
"""Name of an index -> its authors."""

ALSO_CALLED = {"hsu_linn_nunnally": "hsu_linn_lord"}
"""Other names in use -> the name here."""

_HAGEMAN_ARRINDELL_CUT = 1.65


@dataclass(frozen=True, kw_only=True)
class ChangeLine:
    """The score after that was to be expected without true change, as a line in the score before.

    Parameters
    ----------
    intercept, slope
        Of the line, in points of the score.
    std_error
        How far scores fall from the line by measurement error alone: one standard error, in points.
    """

    intercept: float
    slope: float
    std_error: float

    def expected(self, pre: ArrayLike) -> FloatArray:
        """Return the expected score after, in points."""
        return np.asarray(self.intercept + self.slope * np.asarray(pre, dtype=float), dtype=float)

    def index(self, pre: ArrayLike, post: ArrayLike) -> FloatArray:
        """Return (score after - expected score) / standard error; negative where the score is lower than expected."""
        found = np.asarray(post, dtype=float) - self.expected(pre)
        return np.asarray(found / self.std_error, dtype=float)


def change_line(
    method: str = "jacobson_truax",
    *,
    sd: float,
    reliability: float,
    reliability_post: float | None = None,
    pre_mean: float = math.nan,
    post_mean: float = math.nan,
    change_sd: float = math.nan,
) -> ChangeLine:
    r"""Return what an index expects of a client who has not truly changed.

    Use "jacobson_truax" unless there is a reason against it. The four that expect regression to the mean (Gulliksen,
    Hsu, Edwards, Nunnally) call an extreme client who came half way back unchanged; Hsu's also takes the average change
    of the sample as no change, so it sorts clients against each other, not against where they began.

    Parameters
    ----------
    method
        One of `CHANGE_INDICES`.
    sd
        Standard deviation of the score before the service (of this sample, or published).
    reliability
        Of the score, above 0 and below 1. With internal consistency (alpha) more change is called reliable than with a
        test-retest correlation, because alpha does not count fluctuation between days as error.
    reliability_post
        Of the score after; for "nunnally_kotsch", where it is by default the same.
    pre_mean, post_mean
        Means of the clients before and after; `post_mean` for "hsu_linn_lord" and "hageman_arrindell".
    change_sd
        Standard deviation of the clients' changes; for "hageman_arrindell".

    Returns
    -------
    ChangeLine

    Raises
    ------
    DesignError
        If the standard deviation is not positive, a reliability not between 0 and 1, a number that the method needs
        is missing, or the changes vary no more than measurement error, so that no true change is left.

    Notes
    -----
    With r the reliability, s the standard deviation, M1 and M2 the means before and after:

    .. math::

        \text{jacobson\_truax: } & x_2 - x_1, & s\sqrt{2(1-r)} \\
        \text{gulliksen\_lord\_novick: } & (x_2 - M_1) - r(x_1 - M_1), & s\sqrt{1-r^2} \\
        \text{hsu\_linn\_lord: } & (x_2 - M_2) - r(x_1 - M_1), & s\sqrt{1-r^2} \\
        \text{edwards\_nunnally: } & x_2 - [r(x_1 - M_1) + M_1], & s\sqrt{1-r} \\
        \text{nunnally\_kotsch: } & x_2 - [r(x_1 - M_1) + M_1], & s\sqrt{r^2(1-r) + 1 - r_2} \\
        \text{hageman\_arrindell: } & (x_2 - x_1) r_{DD} + (M_2 - M_1)(1 - r_{DD}), & \sqrt{r_{DD}}\, s\sqrt{2(1-r)}

    The first term over the second is the index. r_DD = 1 - 2 s^2 (1-r) / Var(x_2 - x_1) is the reliability of the
    differences, which Hageman & Arrindell write with the two standard deviations and their correlation. Jacobson &
    Truax (1991), doi:10.1037/0022-006X.59.1.12; the others as in the R package clinicalsignificance.

    Examples
    --------
    >>> line = change_line(sd=7.5, reliability=0.8)
    >>> line.slope, round(line.std_error, 3)
    (1.0, 4.743)
    >>> change_line("edwards_nunnally", sd=7.5, reliability=0.8, pre_mean=40).expected([30, 40]).tolist()
    [32.0, 40.0]
    """
    method = ALSO_CALLED.get(method, method)
    if method not in CHANGE_INDICES:
        raise DesignError(f'"{method}" is no index of reliable change.', fix=did_you_mean(method, CHANGE_INDICES))
    error = _standard_error(sd, reliability)
    needed = {
        "hageman_arrindell": {"pre_mean": pre_mean, "post_mean": post_mean, "change_sd": change_sd},
        "hsu_linn_lord": {"pre_mean": pre_mean, "post_mean": post_mean},
        "jacobson_truax": {},
    }.get(method, {"pre_mean": pre_mean})
    lacking = [name for name, value in needed.items() if not math.isfinite(value)]
    if lacking:
        raise DesignError(f'the index "{method}" needs {" and ".join(lacking)}.')
    if method == "jacobson_truax":
        return ChangeLine(intercept=0.0, slope=1.0, std_error=math.sqrt(2) * error)
    if method == "hageman_arrindell":
        r_dd = _reliability_of_differences(error, change_sd)
        shift = (post_mean - pre_mean) * (1 - r_dd) / r_dd
        return ChangeLine(intercept=-shift, slope=1.0, std_error=math.sqrt(2 / r_dd) * error)
    start = post_mean if method == "hsu_linn_lord" else pre_mean
    spread = {
        "edwards_nunnally": 1 - reliability,
        "nunnally_kotsch": reliability**2 * (1 - reliability)
        + 1
        - _reliability(reliability if reliability_post is None else reliability_post),
    }.get(method, 1 - reliability**2)
    return ChangeLine(
        intercept=start - reliability * pre_mean, slope=reliability, std_error=float(sd) * math.sqrt(spread)
    )


def reliable_change_index(
    pre: ArrayLike,
    post: ArrayLike,
    *,
    method: str = "jacobson_truax",
    sd: float,
    reliability: float,
    reliability_post: float | None = None,
) -> FloatArray:
    r"""Return each client's change in units of its standard error.

    Parameters
    ----------
    pre, post
        Scores of the same clients in the same order, none missing where the method needs means (all but
        "jacobson_truax").
    method
        One of `CHANGE_INDICES`; what they expect is in `change_line`. Means, and for "hageman_arrindell" the standard
        deviation of the changes, are those of `pre` and `post`.
    sd, reliability, reliability_post
        As in `change_line`.

    Returns
    -------
    numpy.ndarray
        In the direction of the score: negative where it fell.

    Raises
    ------
    DesignError
        As `change_line`.

    Notes
    -----
    For Jacobson & Truax (1991), doi:10.1037/0022-006X.59.1.12,

    .. math:: \frac{x_2 - x_1}{s_1 \sqrt{2(1 - r)}}

    they write the denominator as sqrt(2 S_E^2) with S_E = s_1 sqrt(1 - r).

    Examples
    --------
    >>> reliable_change_index([47.5], [32.5], sd=7.5, reliability=0.8).round(3).tolist()
    [-3.162]
    >>> pre, post = [30, 24, 21, 35], [14, 20, 21, 18]
    >>> reliable_change_index(pre, post, method="edwards_nunnally", sd=6, reliability=0.8).round(2).tolist()
    [-5.78, -1.75, -0.48, -5.78]
    """
    before, after = np.asarray(pre, dtype=float), np.asarray(post, dtype=float)
    means = {} if method == "jacobson_truax" else sample_moments(before, after)
    line = change_line(method, sd=sd, reliability=reliability, reliability_post=reliability_post, **means)
    return line.index(before, after)


def reliable_change_threshold(*, sd: float, reliability: float, conf_level: float = 0.95) -> float:
    """Return by how many points a client must change to have changed reliably, by Jacobson & Truax's index.

    Parameters
    ----------
    sd, reliability
        As in `change_line`.
    conf_level
        0.95 for the usual 1.96 standard errors.

    Returns
    -------
    float
        z * s_diff, in points of the score.

    Raises
    ------
    DesignError
        As `change_line`.

    Examples
    --------
    >>> round(reliable_change_threshold(sd=7.5, reliability=0.8), 2)
    9.3
    """
    return critical_value(conf_level) * change_line(sd=sd, reliability=reliability).std_error


def critical_value(conf_level: float = 0.95, *, method: str = "jacobson_truax") -> float:
    """Return how many standard errors a change must exceed to be called reliable.

    Two-sided, 1.96 at 0.95; "hageman_arrindell" one-sided, with the 1.65 of its authors at 0.95.

    Raises
    ------
    DesignError
        If the level does not lie between 0 and 1.

    Examples
    --------
    >>> round(critical_value(), 2), critical_value(method="hageman_arrindell")
    (1.96, 1.65)
    """
    if not 0 < conf_level < 1:
        raise DesignError("conf_level must lie between 0 and 1, for example 0.95.")
    if method == "hageman_arrindell":
        return _HAGEMAN_ARRINDELL_CUT if conf_level == 0.95 else float(special.ndtri(conf_level))
    return float(special.ndtri((1 + conf_level) / 2))


def group_level_change(
    pre: ArrayLike, post: ArrayLike, *, better: str, sd: float, reliability: float, cutoff: float | None = None
) -> tuple[float, float | None]:
    r"""Estimate which share of a group truly improved, and which share is truly beyond the cut-off afterwards.

    Hageman & Arrindell (1999) keep this apart from the sorting of single clients: shares of a group can be estimated
    although no single client can be sorted safely.

    Parameters
    ----------
    pre, post
        Scores of the same clients, none missing.
    better
        "higher" or "lower".
    sd, reliability
        As in `change_line`.
    cutoff
        `clinical_cutoff` with the measurement error; without it only the first share.

    Returns
    -------
    improved, functional : float

    Raises
    ------
    DesignError
        If the changes, or the scores after, vary no more than measurement error.

    Notes
    -----
    .. math:: \Phi\frac{\pm(M_2 - M_1)}{s_D \sqrt{r_{DD}}}, \qquad \Phi\frac{\pm(M_2 - c)}{s_2 \sqrt{r_2}}

    True changes and true scores are taken as normal. The numbers have no interval: sampling is not in them.

    Examples
    --------
    >>> pre, post = [30, 24, 21, 35, 28], [14, 20, 25, 18, 20]
    >>> improved, functional = group_level_change(pre, post, better="lower", sd=6, reliability=0.9, cutoff=18)
    >>> round(improved, 3), round(functional, 3)
    (0.838, 0.344)
    """
    sign = orientation(better)
    before, after = np.asarray(pre, dtype=float), np.asarray(post, dtype=float)
    error = _standard_error(sd, reliability)
    change = after - before
    spread = float(change.std(ddof=1))
    true_change = spread * math.sqrt(_reliability_of_differences(error, spread))
    improved = float(special.ndtr(sign * change.mean() / true_change))
    if cutoff is None:
        return improved, None
    true_after = true_sd(float(after.std(ddof=1)), error, what="the scores after")
    return improved, float(special.ndtr(sign * (after.mean() - cutoff) / true_after))


def true_sd(sd: float, error: float, *, what: str) -> float:
    """Return the standard deviation of true scores, sqrt(s^2 - SE^2).

    Raises
    ------
    DesignError
        If it is not positive, naming `what`.
    """
    if not sd > error:
        raise DesignError(
            f"{what} vary no more than measurement error (standard deviation {sd:.4g}, error {error:.4g}), so their "
            "true scores have no variance.",
            fix="Check the reliability and the standard deviation it goes with, or use the index of Jacobson & Truax.",
        )
    return math.sqrt(sd**2 - error**2)


def sample_moments(pre: FloatArray, post: FloatArray) -> dict[str, float]:
    """Return the means and the standard deviation of change that an index may need; none where they do not exist."""
    if pre.size < 2:
        return {}
    return {
        "pre_mean": float(pre.mean()),
        "post_mean": float(post.mean()),
        "change_sd": float((post - pre).std(ddof=1)),
    }


def _reliability_of_differences(error: float, change_sd: float) -> float:
    """Return r_DD, the share of the variance of changes that is not measurement error."""
    found = 1 - 2 * error**2 / change_sd**2 if change_sd > 0 else -math.inf
    if not found > 0:
        raise DesignError(
            f"the clients' changes vary no more than measurement error (standard deviation {change_sd:.4g}, error "
            f"{math.sqrt(2) * error:.4g}), so true changes have no variance.",
            fix="Check the reliability and the standard deviation it goes with, or use the index of Jacobson & Truax.",
        )
    return found


def _standard_error(sd: float, reliability: float) -> float:
    """Return the standard error of measurement."""
    if not (math.isfinite(sd) and sd > 0):
        raise DesignError(
            "reliable change needs a standard deviation above zero.", fix="Do all clients have the same score before?"
        )
    return sd * math.sqrt(1 - _reliability(reliability))


def _reliability(value: float) -> float:
    """Return a reliability that is one."""
    if not 0 < value < 1:
        raise DesignError(
            "the reliability must lie between 0 and 1, both excluded.",
            fix="Take it from the instrument's manual or a published study.",
        )
    return value
