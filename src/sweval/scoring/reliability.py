"""How far the items of a score measure one thing: Cronbach's alpha, standard error of measurement, item-rest r."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from sweval.errors import InstrumentError, SwevalError
from sweval.frames import require_columns, wrap
from sweval.result import Estimate, Fit, Result
from sweval.scoring import kernel
from sweval.scoring.definition import instrument as find_instrument
from sweval.scoring.fit import refuse_misfits
from sweval.scoring.records import Instrument, Scale
from sweval.scoring.request import CodingArgument, RawCode, missing_codes, request
from sweval.scoring.score import answers


def reliability(
    frame: Any,
    instrument: str | os.PathLike[str] | Instrument,
    *,
    items: str | Sequence[str],
    missing: Sequence[RawCode] | RawCode = (),
    coding: CodingArgument = None,
    accept_licence: bool = False,
    conf_level: float = 0.95,
) -> Result:
    """Estimate the reliability of every score of an instrument in these data.

    Use it to see whether the items hang together in your sample, and for the standard error of measurement. Alpha is
    no proof that the items measure one thing only, and it underestimates reliability where items differ in how well
    they measure. Answers of one person at several waves are several rows: give one wave at a time.

    Parameters
    ----------
    frame, instrument, items, missing, coding, accept_licence
        As in `sweval.score`. Items are reversed as the instrument says.
    conf_level
        Level of the interval of alpha.

    Returns
    -------
    Result
        For each score: rows `alpha` (with interval), `alpha_standardized`, `sem` (in points of the score), and
        `item_rest_r` for each item (term = its column). Covariances use every pair of answers present; the interval
        counts only rows with all items answered.

    Raises
    ------
    InstrumentError
        If the answers do not fit the instrument, or fewer than three rows have all items answered.

    Notes
    -----
    With the covariance matrix C of k keyed items, alpha = k / (k - 1) * (1 - trace(C) / sum(C)) (Cronbach 1951,
    Psychometrika 16:297-334). Interval: 1 - (1 - alpha) * F, with quantiles of F on n - 1 and (n - 1)(k - 1) degrees of
    freedom (Feldt 1965, Psychometrika 30:357-370). Standardized: k * r / (1 + (k - 1) * r), r the mean correlation.
    SEM = SD of the score * sqrt(1 - alpha).

    Examples
    --------
    >>> import pandas as pd
    >>> import sweval as sw
    >>> rows = [[0, 1, 1, 0, 1], [2, 2, 3, 2, 2], [5, 4, 5, 5, 4], [3, 3, 2, 3, 4], [1, 2, 1, 1, 0]]
    >>> answers = pd.DataFrame(rows, columns=[f"who_{i}" for i in range(1, 6)])
    >>> result = sw.reliability(answers, "who5", items="who_{item}")
    >>> round(result.effect("alpha", term="who5_raw").estimate, 3)
    0.966
    """
    if not 0 < conf_level < 1:
        raise SwevalError(f"conf_level is {conf_level:g}, but must lie between 0 and 1.", fix="Use 0.95.")
    found = find_instrument(instrument, accept_licence=accept_licence)
    absent = missing_codes(missing)
    columns = request(found, items, coding, absent)
    names = {column.item.id: column.name for column in columns}
    wrapped = wrap(frame)
    require_columns(wrapped, list(names.values()), where=found.id)
    selected = wrapped.select(list(names.values()))
    table = selected.collect() if isinstance(selected, nw.LazyFrame) else selected
    plan = kernel.layout(found)
    codes, facts = answers(table, columns, absent, plan)
    refuse_misfits(found, facts)
    kernel.fill_gated(found.gates, found.items, codes, plan)
    fills = dict(zip(names, plan.fills, strict=True))
    results = []
    for entry in kernel.score_columns(found, codes, plan):
        keyed = np.column_stack(
            [
                _keyed(codes[item.id], fills[item.id], item.low + item.high if item.reversed else None)
                for item in map(found.item, entry.scale.items)
            ]
        )
        results.append(_of_scale(entry.scale, [names[name] for name in entry.scale.items], keyed, entry, conf_level))
    return sum(results[1:], results[0])


def cronbach_alpha(covariance: NDArray[np.float64]) -> float:
    """Return Cronbach's alpha of items with this covariance matrix, shape (k, k)."""
    count = len(covariance)
    return float(count / (count - 1) * (1 - np.trace(covariance) / covariance.sum()))


def standardized_alpha(covariance: NDArray[np.float64]) -> float:
    """Return alpha of the standardized items: from the mean correlation, shape (k, k) covariances given."""
    count = len(covariance)
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    mean = (correlation.sum() - count) / (count * (count - 1))
    return float(count * mean / (1 + (count - 1) * mean))


def feldt_interval(alpha: float, rows: int, items: int, *, conf_level: float = 0.95) -> tuple[float, float]:
    """Return the interval of Feldt (1965) for alpha; exact for normal, essentially parallel items."""
    from scipy.special import fdtri

    tail = (1 - conf_level) / 2
    high, low = fdtri(rows - 1, (rows - 1) * (items - 1), [tail, 1 - tail])
    return float(1 - (1 - alpha) * low), float(1 - (1 - alpha) * high)


def item_rest_correlations(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation of each item with the sum of the others, shape (k,)."""
    with_rest = covariance.sum(axis=1) - np.diag(covariance)
    rest = covariance.sum() - 2 * covariance.sum(axis=1) + np.diag(covariance)
    return np.asarray(with_rest / np.sqrt(np.diag(covariance) * rest))


def pairwise_covariance(keyed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return covariances from every pair of answers present (nan = missing), shape (k, k)."""
    present = ~np.isnan(keyed)
    if present.all():
        return np.atleast_2d(np.cov(keyed, rowvar=False))
    weights = present.astype(float)
    centred = np.where(present, keyed - np.nanmean(keyed, axis=0), 0.0)
    pairs = weights.T @ weights
    means = (centred.T @ weights) / pairs
    return np.asarray((centred.T @ centred - pairs * means * means.T) / (pairs - 1))


def _keyed(codes: NDArray[Any], fill: int, mirror: int | None) -> NDArray[np.float64]:
    values = np.where(codes == fill, np.nan, codes.astype(float))
    return values if mirror is None else mirror - values


def _of_scale(
    scale: Scale, names: Sequence[str], keyed: NDArray[np.float64], scored: kernel.Scored, conf_level: float
) -> Result:
    """Return the rows of one score."""
    complete = int(np.count_nonzero(~np.isnan(keyed).any(axis=1)))
    if keyed.shape[1] < 2:
        return Result(estimates=(), notes=(f"{scale.column}: one item alone has no alpha.",))
    if complete < 3:
        raise InstrumentError(
            f"{complete} of {len(keyed)} rows have answers to all {keyed.shape[1]} items of {scale.column}.",
            fix="Reliability needs at least three complete rows.",
        )
    covariance = pairwise_covariance(keyed)
    if not covariance.sum() > 0:
        raise InstrumentError(
            f"the score {scale.column} does not vary in these data, so it has no reliability.",
            fix="Check that the columns hold the answers, and how items are reversed.",
        )
    alpha = cronbach_alpha(covariance)
    low, high = feldt_interval(alpha, complete, keyed.shape[1], conf_level=conf_level)
    values = scored.values[~np.isnan(scored.values)]
    common: dict[str, Any] = {"outcome": scale.column, "term": scale.column, "better": scale.better, "n": complete}
    rows = [
        Estimate(
            measure="alpha",
            estimate=alpha,
            conf_low=low,
            conf_high=high,
            conf_level=conf_level,
            df=float(complete - 1),
            method="Cronbach alpha of keyed items, pairwise covariances, interval of Feldt (1965)",
            **common,
        )
    ]
    notes = _notes(scale, keyed, complete, alpha)
    flat = [name for name, variance in zip(names, np.diag(covariance), strict=True) if not variance > 0]
    if flat:
        notes.append(f"{scale.column}: {', '.join(flat)} never vary, so correlations leave them out.")
    else:
        rows.append(
            Estimate(
                measure="alpha_standardized",
                estimate=standardized_alpha(covariance),
                method="alpha of standardized items, from the mean correlation",
                **common,
            )
        )
    if alpha <= 1:
        rows.append(
            Estimate(
                measure="sem",
                estimate=float(np.std(values, ddof=1) * np.sqrt(1 - alpha)),
                method="SD of the score * sqrt(1 - alpha)",
                **{**common, "n": len(values)},
            )
        )
    varying = np.diag(covariance) > 0
    correlations = item_rest_correlations(covariance[np.ix_(varying, varying)])
    rows += [
        Estimate(
            measure="item_rest_r",
            estimate=float(value),
            method="correlation of the keyed item with the sum of the other items",
            **{**common, "term": name},
        )
        for name, value in zip(np.array(names)[varying].tolist(), correlations, strict=True)
    ]
    fit = Fit(
        outcome=scale.column,
        model="reliability",
        rows=len(keyed),
        used=complete,
        dropped=len(keyed) - complete,
        engine="sweval",
    )
    return Result(estimates=tuple(rows), fits=(fit,), notes=tuple(notes))


def _notes(scale: Scale, keyed: NDArray[np.float64], complete: int, alpha: float) -> list[str]:
    notes = []
    if complete < len(keyed):
        notes.append(
            f"{scale.column}: {len(keyed) - complete} of {len(keyed)} rows lack an answer; covariances use the pairs "
            f"present, the interval of alpha counts the {complete} complete rows."
        )
    if alpha < 0:
        notes.append(f"{scale.column}: alpha is negative: items run against each other. Check which are reversed.")
    return notes
