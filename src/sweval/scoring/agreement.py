"""Agreement of raters, and of the members of a team about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sweval.errors import SwevalError, did_you_mean
from sweval.result import Estimate, Fit, Result

if TYPE_CHECKING:
    import numpy as np

    from sweval.scoring.agreement_data import Ratings, Scale

KINDS = ("icc", "kappa", "weighted_kappa", "fleiss", "gwet", "krippendorff", "kendall", "rwg")
"""What `agreement(kind=)` can be asked for."""


def agreement(
    frame: Any,
    *,
    kind: str,
    raters: Sequence[str] | str | None = None,
    ratings: Sequence[str] | str | None = None,
    unit: str | None = None,
    scale: Scale = None,
    conf_level: float = 0.95,
    rng: np.random.Generator | int | None = None,
) -> Result:
    """Estimate how far raters agree, or whether the mean of a team or neighbourhood stands for its members.

    Use it before ratings or codes of observers become an outcome, and before answers of members are averaged per team.
    Agreement says nothing about validity: raters can agree and be wrong. Units must be rated independently, and should
    be as different as those the raters will see later, as every coefficient is low where nothing differs.

    Parameters
    ----------
    frame
        Any supported frame, in one of three forms. Wide: a column per rater, a row per rated unit. Long: a row per
        rating. Members: a row per member of a unit, a column per item about it.
    kind
        "icc": ratings are numbers. "kappa": two raters (Cohen) or more (Conger, and each pair) put units into
        categories. "weighted_kappa": ordered categories, near misses count less (linear and quadratic weights).
        "fleiss": several raters, who may differ by unit. "gwet": AC1 and AC2, steady where one category is rare.
        "krippendorff": any number of raters with gaps; nominal, ordinal, interval and ratio. "kendall": do raters rank
        alike. "rwg": may members' answers be averaged per unit.
    raters
        Wide: the list of the raters' columns. Long: the column that names the rater; left out for "icc" if each unit
        has raters of its own.
    ratings
        Long: the column of the rating. Members: the item columns.
    unit
        Long: the column of the rated unit (child, tape, file). Members: the column of the team or neighbourhood.
    scale
        What could have been answered: lowest and highest, `(1, 5)`, or all categories in order, `["no", "partly",
        "yes"]`. Needed for "rwg"; for text it makes order; "gwet" counts these categories.
    conf_level
        Level of the intervals.
    rng
        A seed or generator: then the intervals of Krippendorff's alpha come from 2,000 bootstrap samples of units.

    Returns
    -------
    Result
        Rows by kind, with `n` the units that count.
        "icc": `icc_1_1`, `icc_2_1`, `icc_3_1`, `icc_1_k`, `icc_2_k`, `icc_3_k` (Shrout and Fleiss), and
        `icc_2_1_generalized`, `icc_2_k_generalized` with limits that hold with few raters.
        "kappa": `percent_agreement`, `kappa`, `marginal_homogeneity`; "weighted_kappa": `kappa_linear`,
        `kappa_quadratic`, `marginal_homogeneity`. "fleiss": `percent_agreement`, `fleiss_kappa`. "gwet":
        `percent_agreement`, `gwet_ac1`, `gwet_ac2_linear`, `gwet_ac2_quadratic`. "krippendorff":
        `krippendorff_alpha_nominal`, `_ordinal`, `_interval`, `_ratio`. "kendall": `kendall_w`.
        "rwg": for each unit `rwg` (one item) or `rwg_j`, against even and `_slightly_skewed` answers, `rwg_star_j`,
        `awg`, `ad_mean`, `ad_median`; over units `mean_` and `median_` of each, `icc_1` and `icc_2`; a note says in
        plain words whether a mean per unit is defensible, by which bounds.

    Raises
    ------
    SwevalError
        If arguments do not fit together, or `kind` is unknown.
    DataError
        If columns are absent, ratings lie outside the scale, a rater rated a unit twice, too few units were rated by
        all, or nothing varies, so that the coefficient does not exist.

    Notes
    -----
    ICC: mean squares of the complete table with exact F limits; absolute agreement ICC(2,1) = ICC(A,1) with
    Satterthwaite df (Shrout and Fleiss 1979, doi:10.1037/0033-2909.86.2.420; McGraw and Wong 1996,
    doi:10.1037/1082-989X.1.1.30). Where two raters differ much in level these limits of ICC(2,1) may hold the truth
    in 3 of 4 studies only; generalized limits (Ionan et al. 2014, doi:10.1186/1471-2288-14-121) held it in 94 to 97 of
    100. Without a column of raters, units of unequal size have the exact limits of Wald (1940).

    Kappa, AC1, AC2 and alpha: limits on Fisher's z with the jackknife standard error over units and t on units - 1. In
    simulations with 8 to 30 units they held nearer to their level than limits on the scale of the coefficient or
    percentiles of the bootstrap. Perfect agreement has a lower limit from the exact bound on the share of units with a
    disagreement. A coefficient that hangs on one unit gets no interval but a note. `std_error` of kappa of two raters
    is that of Fleiss, Cohen and Everitt (1969), of Fleiss' kappa and AC1/AC2 that of Gwet (2008,
    doi:10.1348/000711006X126600), of alpha the jackknife's.

    Team measures: James, Demaree and Wolf (1984), Lindell, Brandt and Whitney (1999), Brown and Hauenstein (2005,
    doi:10.1177/1094428105275376), Burke and Dunlap (2002, doi:10.1177/1094428102005002002), LeBreton and Senter (2008,
    doi:10.1177/1094428106296642).

    Examples
    --------
    >>> import pandas as pd
    >>> import sweval as sw
    >>> tapes = pd.DataFrame({"anna": [1, 2, 2, 3, 4, 5, 4, 1], "ben": [1, 2, 3, 3, 4, 4, 5, 2]})
    >>> result = sw.agreement(tapes, raters=["anna", "ben"], kind="icc")
    >>> row = result.effect("icc_2_1")
    >>> f"{row.estimate:.2f} [{row.conf_low:.2f}, {row.conf_high:.2f}]"
    '0.87 [0.53, 0.97]'
    """
    if not 0 < conf_level < 1:
        raise SwevalError(f"conf_level is {conf_level:g}, but must lie between 0 and 1.", fix="Use 0.95.")
    if kind not in KINDS:
        raise SwevalError(f'kind="{kind}" is unknown.', where="agreement", fix=did_you_mean(kind, KINDS))
    if kind == "rwg":
        return _of_members(frame, raters, ratings, unit, scale, conf_level)
    from sweval.scoring.agreement_data import long_ratings, wide_ratings

    if ratings is not None:
        if not (isinstance(ratings, str) and isinstance(unit, str) and (raters is None or isinstance(raters, str))):
            raise SwevalError(
                "ratings belongs to long data: one column each of rated units, raters and ratings.",
                where="agreement",
                fix='Write unit="child", raters="coder", ratings="score"; or raters=["anna", "ben"] alone.',
            )
        if raters is None and kind != "icc":
            raise SwevalError(f'kind="{kind}" needs to know who rated.', where="agreement", fix="Name raters.")
        data = long_ratings(frame, raters, ratings, unit, scale)
    elif raters is None or isinstance(raters, str):
        raise SwevalError(
            "the columns of the ratings are not named.",
            where="agreement",
            fix='Write raters=["anna", "ben"]; for long data unit="child", raters="coder", ratings="score".',
        )
    else:
        data = wide_ratings(frame, raters, unit, scale)
    rows, notes = _of_raters(data, kind, conf_level, rng)
    used = max(row.n or 0 for row in rows)
    return _result(rows, notes, data.outcome, kind, len(data.codes), used)


def _of_raters(
    data: Ratings, kind: str, conf_level: float, rng: np.random.Generator | int | None
) -> tuple[list[Estimate], list[str]]:
    """Return rows and notes of raters who rated units."""
    from sweval.scoring import agreement_categories as categories
    from sweval.scoring import agreement_numbers as numbers

    if kind == "icc":
        return numbers.icc_rows(data, conf_level)
    if kind == "kendall":
        return numbers.kendall_rows(data)
    if kind == "kappa":
        return categories.kappa_rows(data, ("unweighted",), conf_level)
    if kind == "weighted_kappa":
        return categories.kappa_rows(data, ("linear", "quadratic"), conf_level)
    if kind == "fleiss":
        return categories.fleiss_rows(data, conf_level)
    if kind == "gwet":
        return categories.gwet_rows(data, conf_level)
    import numpy as np

    return categories.krippendorff_rows(data, conf_level, None if rng is None else np.random.default_rng(rng))


def _of_members(
    frame: Any,
    raters: Sequence[str] | str | None,
    ratings: Sequence[str] | str | None,
    unit: str | None,
    scale: Scale,
    conf_level: float,
) -> Result:
    """Return what says whether the answers of members may be averaged."""
    from sweval.scoring.agreement_aggregation import aggregation_rows
    from sweval.scoring.agreement_data import members_in_columns, members_of_units

    if ratings is not None and unit is not None and raters is None:
        data = members_of_units(frame, [ratings] if isinstance(ratings, str) else ratings, unit, scale)
    elif ratings is None and raters is not None and not isinstance(raters, str):
        data = members_in_columns(frame, raters, scale)
    else:
        raise SwevalError(
            'kind="rwg" needs the unit and the items.',
            where="agreement",
            fix='Write unit="team", ratings=["q1", "q2"], scale=(1, 5).',
        )
    rows, notes = aggregation_rows(data, conf_level)
    return _result(rows, notes, data.outcome, "rwg", data.rows, len(data.answers), clusters=len(data.names))


def _result(
    rows: list[Estimate],
    notes: list[str],
    outcome: str,
    kind: str,
    total: int,
    used: int,
    *,
    clusters: int | None = None,
) -> Result:
    fit = Fit(
        outcome=outcome,
        model=f"agreement: {kind}",
        rows=total,
        used=used,
        dropped=total - used,
        clusters=clusters,
        engine="sweval",
    )
    return Result(estimates=tuple(rows), fits=(fit,), notes=tuple(dict.fromkeys(notes)))
