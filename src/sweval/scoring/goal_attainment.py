"""Goal attainment scaling: clients' own goals, rated -2 to +2, as one score per client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw

from sweval.errors import DataError, SwevalError
from sweval.frames import require_columns, wrap

_WHERE = "goal_attainment"
_WORST, _BEST = -2, 2
Weights = Sequence[str] | Sequence[float] | str | None


@dataclass(frozen=True, kw_only=True)
class Attainment:
    """A frame with goal attainment scores, the notes on what was done, and the names of the added columns."""

    frame: Any
    notes: tuple[str, ...]
    columns: tuple[str, ...]


def goal_attainment(
    frame: Any,
    *,
    goals: Sequence[str] | str,
    weights: Weights = None,
    client: Sequence[str] | str | None = None,
    rho: float = 0.3,
    name: str = "gas",
) -> Any:
    """Add the goal attainment score T of Kiresuk and Sherman, an outcome for clients with goals of their own.

    Use it where client and worker set goals before service starts, each with five levels: -2 much less than expected,
    0 as expected, +2 much more. T is 50 where goals were reached as expected, with a standard deviation of about 10 if
    they were set well. It compares clients by what was expected of each, so it is no better than the goals: have them
    set, and rated, by someone other than the worker, and do not use it for goals set afterwards.

    Parameters
    ----------
    frame
        pandas, polars (eager or lazy), pyarrow, DuckDB relation or Spark frame. Wide: a row per client, a column per
        goal. Long: a row per goal.
    goals
        Wide: the list of the goals' columns. Long: the one column of ratings. A goal without rating does not count.
    weights
        Importance of the goals. Wide: a list, in the order of the goals, of numbers or of columns. Long: a column.
        Equal if left out.
    client
        Long: the column, or columns such as `["id", "wave"]`, that make one score. Wide: left out.
    rho
        Correlation that two goals of a client are taken to have; Kiresuk and Sherman take .3.
    name
        Begins the names of the added columns; several times need several names.

    Returns
    -------
    same type as `frame`
        With `<name>_t` (float, higher is better, missing without a rated goal) and `<name>_goals` (how many
        counted). Wide: the frame with these columns. Long: one row per client, with the key columns, every column that
        is the same in all rows of each client (arm, agency), and these two.
        `goal_attainment_with_notes` also tells what was left out.

    Raises
    ------
    DataError
        If a rating lies outside -2 to +2, a rated goal has no positive weight, or columns are absent or exist already.
    SwevalError
        If arguments do not fit together, or `rho` is not from 0 to below 1.

    Notes
    -----
    T = 50 + 10 * sum(w * x) / sqrt((1 - rho) * sum(w^2) + rho * sum(w)^2) over the rated goals, x the rating and w the
    weight (Kiresuk and Sherman 1968, Community Mental Health Journal 4:443-453, doi:10.1007/BF01530764).

    Examples
    --------
    >>> import pandas as pd
    >>> import sweval as sw
    >>> clients = pd.DataFrame({"g1": [1, 0], "g2": [0, 0], "g3": [-1, None], "g4": [2, 0]})
    >>> rated = sw.goal_attainment(clients, goals=["g1", "g2", "g3", "g4"], weights=[3, 2, 1, 4])
    >>> rated["gas_t"].round(1).tolist(), rated["gas_goals"].tolist()
    ([64.0, 50.0], [4, 3])
    """
    return goal_attainment_with_notes(frame, goals=goals, weights=weights, client=client, rho=rho, name=name).frame


def goal_attainment_with_notes(
    frame: Any,
    *,
    goals: Sequence[str] | str,
    weights: Weights = None,
    client: Sequence[str] | str | None = None,
    rho: float = 0.3,
    name: str = "gas",
) -> Attainment:
    """Score goals like `goal_attainment`, and say what was done.

    Parameters
    ----------
    frame, goals, weights, client, rho, name
        As in `goal_attainment`.

    Returns
    -------
    Attainment
        `frame`, `notes` and the names of the added `columns`.

    Raises
    ------
    DataError, SwevalError
        As in `goal_attainment`.

    Examples
    --------
    >>> import pandas as pd
    >>> clients = pd.DataFrame({"id": [1, 1, 2, 2], "rating": [1, -1, 0, None]})
    >>> print("\\n".join(goal_attainment_with_notes(clients, goals="rating", client="id").notes))
    gas_t: 1 of 4 goals have no rating and do not count.
    gas_t: 2 scores rest on 1 to 2 rated goals, 1.5 on average; weights equal, rho = 0.3.
    """
    if not 0 <= rho < 1:
        raise SwevalError(f"rho is {rho:g}, but must lie from 0 to below 1.", where=_WHERE, fix="Use 0.3.")
    wrapped = wrap(frame)
    columns = (f"{name}_t", f"{name}_goals")
    if isinstance(goals, str):
        return _long(wrapped, goals, weights, client, rho, columns)
    if client is not None:
        raise SwevalError(
            "client belongs to long data, with a row per goal.",
            where=_WHERE,
            fix='Write goals="rating", client="id"; or leave client out where each goal has its column.',
        )
    return _wide(wrapped, list(goals), weights, rho, columns)


def _wide(
    frame: nw.DataFrame[Any] | nw.LazyFrame[Any],
    goals: list[str],
    weights: Weights,
    rho: float,
    columns: tuple[str, str],
) -> Attainment:
    if not goals or len(set(goals)) < len(goals):
        raise SwevalError(
            f"goals names {'a column twice' if goals else 'no column'}.", where=_WHERE, fix="List each goal once."
        )
    if isinstance(weights, str) or (weights is not None and len(weights) != len(goals)):
        raise SwevalError(
            f"there are {len(goals)} goals, but weights holds {1 if isinstance(weights, str) else len(weights)}.",
            where=_WHERE,
            fix="Give one number or column per goal, in the order of goals.",
        )
    listed: list[str | float] = [1.0] * len(goals) if weights is None else list(weights)
    named = [weight for weight in listed if isinstance(weight, str)]
    _require(frame, [*goals, *named], columns)
    for weight in listed:
        if not isinstance(weight, str) and not weight > 0:
            raise SwevalError("a weight is not above 0.", where=_WHERE, fix="Leave out goals that should not count.")
    _check(frame, list(zip(goals, listed, strict=True)))
    ratings = [_number(goal) for goal in goals]
    given = [_number(weight) if isinstance(weight, str) else nw.lit(float(weight)) for weight in listed]
    counted = [_present(rating) for rating in ratings]
    clean = [
        (nw.when(there).then(rating).otherwise(nw.lit(0.0)), nw.when(there).then(weight).otherwise(nw.lit(0.0)))
        for rating, weight, there in zip(ratings, given, counted, strict=True)
    ]
    count = nw.sum_horizontal(*[there.cast(nw.Int64) for there in counted])
    scored = frame.with_columns(
        _t(
            nw.sum_horizontal(*[weight * rating for rating, weight in clean]),
            nw.sum_horizontal(*[weight for _, weight in clean]),
            nw.sum_horizontal(*[weight * weight for _, weight in clean]),
            count,
            rho,
        ).alias(columns[0]),
        count.alias(columns[1]),
    )
    facts = _facts(scored, columns[1])
    notes = _notes(columns[0], facts, int(facts["rows"]) * len(goals), weights, rho)
    return Attainment(frame=scored.to_native(), notes=tuple(notes), columns=columns)


def _long(
    frame: nw.DataFrame[Any] | nw.LazyFrame[Any],
    rating: str,
    weights: Weights,
    client: Sequence[str] | str | None,
    rho: float,
    columns: tuple[str, str],
) -> Attainment:
    keys = [client] if isinstance(client, str) else list(client or ())
    if not keys:
        raise SwevalError(
            "whose goals are they? client is missing.",
            where=_WHERE,
            fix='Write client="id", or client=["id", "wave"]; for one column per goal list them: goals=["g1", "g2"].',
        )
    if not (weights is None or isinstance(weights, str)):
        raise SwevalError("long data take the weights from a column.", where=_WHERE, fix='Write weights="weight".')
    _require(frame, [*keys, rating, *([weights] if weights else [])], columns)
    value = _number(rating)
    weight = _number(weights) if weights else nw.lit(1.0)
    _check(frame, [(rating, weights or 1.0)])
    keyed = frame.filter(~nw.any_horizontal(*[nw.col(key).is_null() for key in keys], ignore_nulls=False))
    there = _present(value)
    totals = (
        keyed.with_columns(
            nw.when(there).then(weight * value).otherwise(nw.lit(0.0)).alias("__wx"),
            nw.when(there).then(weight).otherwise(nw.lit(0.0)).alias("__w"),
            nw.when(there).then(weight * weight).otherwise(nw.lit(0.0)).alias("__ww"),
            there.cast(nw.Int64).alias(columns[1]),
        )
        .group_by(*keys)
        .agg(nw.col("__wx", "__w", "__ww", columns[1]).sum())
        .with_columns(nw.col(columns[1]).cast(nw.Int64))
        .with_columns(_t(nw.col("__wx"), nw.col("__w"), nw.col("__ww"), nw.col(columns[1]), rho).alias(columns[0]))
    )
    kept, dropped = _constant(keyed, keys, {rating, weights})
    if kept:
        others: Any = keyed.select(*keys, *kept).unique(subset=keys, keep="any")
        totals = totals.join(others, on=keys, how="left")
    scored = totals.select(*keys, *kept, *columns).sort(*keys)
    facts = _facts(scored, columns[1])
    read = int(_row(frame.select(nw.len().alias("rows")))["rows"])
    used = int(_row(keyed.select(nw.len().alias("rows")))["rows"])
    notes = []
    if used < read:
        notes.append(f"{columns[0]}: {read - used} of {read} rows have no {' or '.join(keys)} and are left out.")
    notes += _notes(columns[0], facts, used, weights, rho)
    if dropped:
        notes.append(f"{columns[0]}: left out as they differ between the goals of a client: {', '.join(dropped)}.")
    return Attainment(frame=scored.to_native(), notes=tuple(notes), columns=columns)


def _constant(
    frame: nw.DataFrame[Any] | nw.LazyFrame[Any], keys: list[str], not_these: set[str | None]
) -> tuple[list[str], list[str]]:
    """Return the columns that have one value in all rows of each client, and the others."""
    others = [name for name in frame.collect_schema().names() if name not in {*keys, *not_these}]
    if not others:
        return [], []
    spread = frame.group_by(*keys).agg(*[nw.col(name).n_unique().alias(name) for name in others])
    most = _row(spread.select(*[nw.col(name).max() for name in others]))
    kept = [name for name in others if most[name] == 1]
    return kept, [name for name in others if name not in kept]


def _t(weighted: nw.Expr, weights: nw.Expr, squares: nw.Expr, count: nw.Expr, rho: float) -> nw.Expr:
    """Return T as an expression; null without a rated goal."""
    bottom = ((1 - rho) * squares + rho * weights * weights).sqrt()
    return nw.when(count > 0).then(50 + 10 * weighted / nw.when(count > 0).then(bottom).otherwise(nw.lit(1.0)))


def _require(frame: nw.DataFrame[Any] | nw.LazyFrame[Any], names: list[str], columns: tuple[str, str]) -> None:
    require_columns(frame, names, where=_WHERE)
    taken = [name for name in columns if name in frame.collect_schema().names()]
    if taken:
        raise DataError(
            f"the data have the column {', '.join(taken)} already.", where=_WHERE, fix='Give another name="...".'
        )


def _number(name: str) -> nw.Expr:
    return nw.col(name).cast(nw.Float64)


def _present(rating: nw.Expr) -> nw.Expr:
    return ~(rating.is_null() | rating.is_nan()).fill_null(True)


def _check(frame: nw.DataFrame[Any] | nw.LazyFrame[Any], pairs: list[tuple[str, str | float]]) -> None:
    """Refuse text, ratings outside the five levels, and rated goals without a weight above 0."""
    schema = frame.collect_schema()
    named = dict.fromkeys(name for pair in pairs for name in pair if isinstance(name, str))
    text = [name for name in named if not schema[name].is_numeric()]
    if text:
        raise DataError(
            f"{', '.join(text)} should hold numbers, but hold{'s' if len(text) == 1 else ''} {schema[text[0]]}.",
            where=_WHERE,
            fix="Ratings run from -2 to +2, weights are above 0.",
        )
    outside = [
        (_present(_number(goal)) & ~_number(goal).is_between(_WORST, _BEST)).fill_null(False).cast(nw.Int64).sum()
        for goal, _ in pairs
    ]
    unweighted = [
        (_present(_number(goal)) & ~(_number(weight) > 0).fill_null(False)).cast(nw.Int64).sum()
        for goal, weight in pairs
        if isinstance(weight, str)
    ]
    wrong = _counts(frame, outside)
    if sum(wrong):
        goals = ", ".join(goal for (goal, _), count in zip(pairs, wrong, strict=True) if count)
        raise DataError(
            f"{sum(wrong)} ratings in {goals} lie outside -2 to +2.",
            where=_WHERE,
            fix="If levels are coded 1 to 5, subtract 3 first; read codes for missing values as missing.",
        )
    bare = sum(_counts(frame, unweighted))
    if bare:
        raise DataError(
            f"{bare} rated goals have no weight above 0.",
            where=_WHERE,
            fix="Fill in the weights, leave weights out to weigh all goals alike, or make these ratings missing.",
        )


def _counts(frame: nw.DataFrame[Any] | nw.LazyFrame[Any], sums: list[nw.Expr]) -> list[int]:
    """Return the sums, all in one pass."""
    if not sums:
        return []
    row = _row(frame.select(*[one.alias(f"n{place}") for place, one in enumerate(sums)]))
    return [int(row[f"n{place}"] or 0) for place in range(len(sums))]


def _facts(scored: nw.DataFrame[Any] | nw.LazyFrame[Any], count: str) -> dict[str, Any]:
    """Return how many rows there are, and how many goals count in those that have any."""
    some = scored.filter(nw.col(count) > 0).select(
        nw.len().alias("scored"),
        nw.col(count).sum().alias("goals"),
        nw.col(count).min().alias("fewest"),
        nw.col(count).max().alias("most"),
    )
    return {**_row(scored.select(nw.len().alias("rows"))), **_row(some)}


def _row(frame: nw.DataFrame[Any] | nw.LazyFrame[Any]) -> dict[str, Any]:
    table = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    return dict(table.rows(named=True)[0])


def _notes(column: str, facts: dict[str, Any], goals: int, weights: Weights, rho: float) -> list[str]:
    """Return what was left out, and what the scores rest on."""
    clients, scored, rated = int(facts["rows"]), int(facts["scored"] or 0), int(facts["goals"] or 0)
    notes = []
    if rated < goals:
        notes.append(f"{column}: {goals - rated} of {goals} goals have no rating and do not count.")
    if scored < clients:
        notes.append(f"{column}: {clients - scored} of {clients} scores are missing, as no goal is rated.")
    if scored == 0:
        return notes
    fewest, most = int(facts["fewest"]), int(facts["most"])
    span = f"{most}" if fewest == most else f"{fewest} to {most}"
    mean = "" if fewest == most else f", {rated / scored:.1f} on average"
    how = "equal" if weights is None else "as given"
    notes.append(f"{column}: {scored} scores rest on {span} rated goals{mean}; weights {how}, rho = {rho:g}.")
    return notes
