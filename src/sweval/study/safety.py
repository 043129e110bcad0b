"""How many clients of a study gave an answer that asks for action, wave by wave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sweval.models.base.values import is_number, levels
from sweval.reporting.safety_table import ALL_ROWS, SAFETY, UNANSWERED
from sweval.result import CHECK, Estimate, Result

if TYPE_CHECKING:
    import pandas as pd

    from sweval.scoring.records import Instrument


def safety_counts(frame: pd.DataFrame, instrument: Instrument, *, client: str | None, wave: str | None) -> Result:
    """Return, for each wave, how many clients triggered a safety item and how many left all of them open.

    Parameters
    ----------
    frame
        Rows with the column `<id>_safety` (how many safety items were triggered; missing where none was answered).
    instrument
        Its safety items say what is counted.
    client, wave
        Columns; without `client` rows are counted, without `wave` all rows together.

    Returns
    -------
    Result
        Rows with the measures `safety` (n: clients who answered) and `safety_unanswered`; nothing where the instrument
        has no safety item. The note holds no count, as counts of few clients are suppressed in the report.
    """
    column = f"{instrument.id}_safety"
    if not instrument.safety or column not in frame.columns:
        return Result(estimates=())
    triggered = frame[column].to_numpy(dtype=float, na_value=np.nan)
    asked = "; ".join(_in_words(instrument))
    unit = "clients" if client in frame.columns else "rows"
    who = frame[client].to_numpy() if client in frame.columns else np.arange(len(frame))
    rows: list[Estimate] = []
    for term, inside in _waves(frame, wave):
        given = _distinct(who, inside & (triggered > 0))
        answered = _distinct(who, inside & ~np.isnan(triggered))
        open_ = _distinct(who, inside) - answered
        for measure, count, method in (
            (SAFETY, given, f"{unit} with such an answer: {asked}"),
            (UNANSWERED, open_, f"{unit} without an answer"),
        ):
            rows.append(
                Estimate(outcome=column, term=term, measure=measure, estimate=float(count), n=answered, method=method)
            )
    notes: tuple[str, ...] = ()
    if (triggered > 0).any():
        notes = (
            f"{instrument.id}: {CHECK}clients gave answers that ask for action ({asked}). The report counts them by "
            f"wave; the column {column} of the scored data tells whose they are.",
        )
    return Result(estimates=tuple(rows), notes=notes)


def _in_words(instrument: Instrument) -> list[str]:
    return [f"item {safety.item}, answer {safety.at_least} or more ({safety.note})" for safety in instrument.safety]


def _waves(frame: pd.DataFrame, wave: str | None) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return term and rows of each wave: numbers and ordered categories in order, others as met; the rest last."""
    if wave is None or wave not in frame.columns:
        return [(ALL_ROWS, np.ones(len(frame), dtype=bool))]
    codes, labels = levels(frame[wave], where="study.wave")
    order = list(range(len(labels)))
    if not (is_number(frame[wave]) or getattr(frame[wave].dtype, "ordered", False)):
        order = [code for code in dict.fromkeys(codes.tolist()) if code >= 0]
    found = [(f"{wave}[{labels[code]}]", codes == code) for code in order]
    return found + ([(f"{wave}: none", codes < 0)] if (codes < 0).any() else [])


def _distinct(who: NDArray[np.generic], rows: NDArray[np.bool_]) -> int:
    import pandas as pd

    return int(pd.Series(who[rows]).nunique(dropna=False))
