"""Test-retest reliability: how far a score stays the same while nothing happens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError
from sweval.frames import take
from sweval.models.base.design import check_level
from sweval.models.base.two_waves import TwoWaves, scores_at_waves, scores_in_columns
from sweval.models.base.values import counted
from sweval.result import Estimate, Fit, Result
from sweval.scoring.agreement_icc import MeanSquares, mean_squares, one_rater_agreement, one_rater_consistency
from sweval.scoring.definition import direction_of

FloatArray = NDArray[np.float64]

_WHERE = "retest"
_FEWEST = 4


def retest(
    frame: Any,
    outcome: str | Sequence[str],
    *,
    first: object,
    second: object = None,
    client: str | None = None,
    wave: str | None = None,
    day: str | None = None,
    conf_level: float = 0.95,
) -> Result:
    """Estimate the test-retest reliability of scores from two waves between which clients should not have changed.

    Use it for the reliability that belongs to change over time: of the reliable change index, and to say how large a
    change of one client must be to exceed measurement error. The waves should be a week or two apart, with nothing done
    in between: true change of clients counts as error here. For how items hang together at one wave see
    `sweval.reliability`.

    Parameters
    ----------
    frame
        Any supported frame; one row per client and wave, or one row per client.
    outcome
        Column of a score, or several. With one row per client, the column of the second wave.
    first, second
        Labels of the two waves. With one row per client, `first` is the column of the first wave and `second` is left
        out.
    client, wave
        Columns of the client's id and of the wave. Without `wave` there is one row per client.
    day
        Column of the date, or of the day as a number: adds the mean number of days between the waves.
    conf_level
        Level of the intervals.

    Returns
    -------
    Result
        For each score: `icc_agreement` and `icc_consistency` with exact or nearly exact intervals, `pearson` (Fisher's
        interval), `mean_change` (second less first; t interval), `sem_agreement` and `sem_consistency` in points of the
        score, `smallest_detectable_change`, and `interval_days`.

    Raises
    ------
    DataError
        If a column is not there.
    DesignError
        If fewer than four clients have both scores, scores do not vary, or a client has two rows at a wave.

    Notes
    -----
    From the mean squares of clients by waves: icc_agreement = ICC(A,1) counts a shift of all clients as error,
    icc_consistency = ICC(C,1) does not (McGraw and Wong 1996, Psychological Methods 1:30-46). SEM (consistency) is the
    root of the residual mean square, with its chi-square interval; SEM (agreement) adds the variance between waves. The
    smallest detectable change is z * sqrt(2) * SEM (agreement), z = 1.96 for a level of .95 (de Vet, Terwee, Knol and
    Bouter 2006, J Clin Epidemiol 59:1033-1039).

    Examples
    --------
    >>> import pandas as pd
    >>> import sweval as sw
    >>> frame = pd.DataFrame({"first": [12, 15, 9, 20, 7, 16, 11, 14], "who5_raw": [13, 15, 8, 19, 9, 17, 10, 15]})
    >>> result = sw.retest(frame, "who5_raw", first="first")
    >>> round(result.effect("icc_agreement").estimate, 3)
    0.962
    >>> round(result.effect("smallest_detectable_change").estimate, 2)
    2.28
    """
    check_level(conf_level, where=_WHERE)
    if (wave is None) != (second is None) or (wave is not None and client is None):
        raise DesignError(
            "client, wave, first and second belong together.",
            where=_WHERE,
            fix='With one row per client and wave: client="id", wave="wave", first="week 1", second="week 3". With one '
            "row per client: first is the column of the first wave, and wave and second are left out.",
        )
    outcomes = [outcome] if isinstance(outcome, str) else list(outcome)
    if not outcomes or (wave is None and len(outcomes) > 1):
        raise DesignError("with one row per client, name one outcome at a time.", where=_WHERE)
    results = []
    for column in outcomes:
        if wave is None:
            pair = scores_in_columns(frame, str(first), column, client=client, part="first", where=_WHERE)
        else:
            waves = {"first": first, "second": second}
            pair = scores_at_waves(frame, column, client=str(client), wave=wave, waves=waves, where=_WHERE)
        results.append(_of_score(frame, column, pair, day, conf_level))
    return sum(results[1:], results[0])


def _of_score(frame: Any, outcome: str, pair: TwoWaves, day: str | None, conf_level: float) -> Result:
    both = ~np.isnan(pair.first) & ~np.isnan(pair.second)
    used = int(both.sum())
    if used < _FEWEST:
        raise DesignError(
            f'"{outcome}" is there at both waves for {counted(used, "client")}; {_FEWEST} are needed.', where=_WHERE
        )
    table = np.column_stack([pair.first[both], pair.second[both]])
    if not (np.ptp(table, axis=0) > 0).all():
        raise DesignError(f'"{outcome}" is the same for all clients at one of the waves.', where=_WHERE)
    notes = list(pair.notes)
    if used < len(both):
        lost = f"{len(both) - used} of {len(both)} clients"
        notes.append(f"{outcome}: {lost} lack a score at one of the waves and are left out.")
    common = {"outcome": outcome, "term": outcome, "better": direction_of(outcome), "n": used, "conf_level": conf_level}
    rows = [*_correlations(table, common), *_errors(table, common)]
    if day is not None:
        row, note = _interval(frame, pair, both, day, common)
        rows.append(row)
        notes.append(note)
    fit = Fit(
        outcome=outcome, model="test-retest", rows=len(both), used=used, dropped=len(both) - used, engine="sweval"
    )
    return Result(estimates=tuple(rows), fits=(fit,), notes=tuple(notes))


def _correlations(table: FloatArray, common: dict[str, Any]) -> list[Estimate]:
    """Return both intraclass correlations and Pearson's r."""
    from scipy.special import ndtri

    ms = mean_squares(table)
    rows = []
    if ms.error > 0:
        for measure, method, found in (
            ("icc_agreement", "ICC(A,1), McGraw & Wong (1996)", one_rater_agreement(ms, common["conf_level"])),
            ("icc_consistency", "ICC(C,1), McGraw & Wong (1996)", one_rater_consistency(ms, common["conf_level"])),
        ):
            rows.append(
                Estimate(
                    measure=measure,
                    estimate=found.estimate,
                    conf_low=found.low,
                    conf_high=found.high,
                    statistic=found.f,
                    df=float(found.df2),
                    p_value=found.p_value,
                    null=0.0,
                    method=f"{method}; F({found.df1:g}, {found.df2:g})",
                    **common,
                )
            )
    r = float(np.asarray(np.corrcoef(table, rowvar=False))[0, 1])
    reach = float(ndtri((1 + common["conf_level"]) / 2)) / np.sqrt(len(table) - 3)
    z = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
    rows.append(
        Estimate(
            measure="pearson",
            estimate=r,
            conf_low=float(np.tanh(z - reach)),
            conf_high=float(np.tanh(z + reach)),
            method="Pearson correlation of the waves, Fisher z interval",
            **common,
        )
    )
    return rows


def _errors(table: FloatArray, common: dict[str, Any]) -> list[Estimate]:
    """Return the mean change, both standard errors of measurement and the smallest detectable change."""
    from scipy.special import chdtri, ndtri, stdtr, stdtrit

    ms: MeanSquares = mean_squares(table)
    level, df = common["conf_level"], len(table) - 1
    change = table[:, 1] - table[:, 0]
    error = float(change.std(ddof=1) / np.sqrt(len(change)))
    reach = float(stdtrit(df, (1 + level) / 2)) * error
    mean = float(change.mean())
    tails = chdtri(df, [(1 - level) / 2, (1 + level) / 2])
    low, high = np.sqrt(ms.error * df / tails)
    agreement = float(np.sqrt(ms.error + max(0.0, (ms.raters - ms.error) / ms.n)))
    detectable = float(ndtri((1 + level) / 2)) * np.sqrt(2) * agreement
    bare = {**common, "conf_level": None}
    return [
        Estimate(
            measure="mean_change",
            estimate=mean,
            std_error=error,
            conf_low=mean - reach,
            conf_high=mean + reach,
            statistic=mean / error if error > 0 else None,
            df=float(df),
            p_value=float(2 * stdtr(df, -abs(mean / error))) if error > 0 else None,
            null=0.0,
            method="second wave less first, paired t",
            **common,
        ),
        Estimate(
            measure="sem_consistency",
            estimate=float(np.sqrt(ms.error)),
            conf_low=float(low),
            conf_high=float(high),
            df=float(df),
            method="root of the residual mean square of clients by waves, chi-square interval",
            **common,
        ),
        Estimate(
            measure="sem_agreement",
            estimate=agreement,
            method="root of residual variance and variance between waves",
            **bare,
        ),
        Estimate(
            measure="smallest_detectable_change",
            estimate=float(detectable),
            method=f"z * sqrt(2) * SEM (agreement), level {level:g}; de Vet et al. (2006)",
            **bare,
        ),
    ]


def _interval(
    frame: Any, pair: TwoWaves, both: NDArray[np.bool_], day: str, common: dict[str, Any]
) -> tuple[Estimate, str]:
    """Return the mean number of days between the waves, and a note on their spread."""
    days = _days(frame, day)
    earlier, later = (days[rows[both]] for rows in pair.rows)
    if np.array_equal(*pair.rows):
        raise DesignError(
            "day needs one row per client and wave, so that each wave has its day.",
            where=_WHERE,
            fix="Leave day out, or bring the data into long form.",
        )
    between = later - earlier
    known = between[~np.isnan(between)]
    if not len(known):
        raise DesignError(f'"{day}" is missing for every client at one of the waves.', where=_WHERE)
    backwards = int((known < 0).sum())
    if backwards:
        raise DesignError(
            f'the second wave is before the first for {counted(backwards, "client")} by "{day}".',
            where=_WHERE,
            fix="Correct the dates, or change first and second round.",
        )
    row = Estimate(
        measure="interval_days",
        estimate=float(known.mean()),
        method=f'mean days between the waves, from "{day}"',
        **{**common, "n": len(known), "conf_level": None},
    )
    spread = float(known.std(ddof=1)) if len(known) > 1 else 0.0
    lost = f"; {len(between) - len(known)} without a day at one of them" if len(known) < len(between) else ""
    note = f"{common['outcome']}: the waves are {row.estimate:.1f} days apart on average (SD {spread:.1f}{lost})."
    return row, note


def _days(frame: Any, day: str) -> FloatArray:
    """Return a column of dates or numbers as days, nan where missing."""
    import pandas as pd

    column = take(frame, [day], where=_WHERE)[day]
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan)
    dates = pd.to_datetime(column, errors="coerce")
    unread = int((dates.isna() & column.notna()).sum())
    if unread:
        raise DesignError(
            f'"{day}" holds no date and no number in {counted(unread, "row")}.',
            where=_WHERE,
            fix="Store dates as dates, or as text such as 2026-03-31.",
        )
    since = (dates - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    return since.to_numpy(dtype=float, na_value=np.nan)
