"""The control chart of one client: does the second phase leave the band that the first one sets?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sweval.effects.control_limits import baseline_sigma
from sweval.errors import DataError
from sweval.reporting.canvas import drawing
from sweval.reporting.language import load_language
from sweval.reporting.phase_plots import INK, SOFT, draw_axes, draw_changes, draw_phase, y_limits
from sweval.reporting.phase_series import Floats, series_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Limits = Literal["sd", "moving_range"]

_WHERE = "plots.control_chart"
_FEWEST = 3


def control_limits(values: Floats, *, limits: Limits = "sd", width: float = 2.0) -> tuple[float, float, float]:
    """Return mean, lower and upper limit of the sessions of one phase in order of time.

    Parameters
    ----------
    values
        Sessions, shape (n,); missing ones are NaN.
    limits
        "sd": `width` standard deviations either side of the mean. "moving_range": three times sigma from the mean
        absolute difference of neighbouring sessions (the X-mR or individuals chart), which a trend or a shift within
        the phase widens less. The numbers are those of `effects.control_chart`.
    width
        Of the band in standard deviations, for "sd".

    Raises
    ------
    DataError
        If fewer than three values are there, or they do not vary.

    Examples
    --------
    >>> mean, low, high = control_limits(np.array([4.0, 6.0, 5.0, 5.0]), limits="moving_range")
    >>> mean, round(low, 2), round(high, 2)
    (5.0, 2.34, 7.66)
    """
    known = values[~np.isnan(values)]
    if len(known) < _FEWEST:
        raise DataError(f"the first phase has {len(known)} values; limits need {_FEWEST} or more.", where=_WHERE)
    if limits == "moving_range" and not np.isfinite(np.diff(values)).any():
        raise DataError("no two neighbouring sessions of the first phase have values.", where=_WHERE)
    spread = baseline_sigma(values, "individuals" if limits == "moving_range" else "band")
    reach = (3.0 if limits == "moving_range" else width) * spread
    if not reach > 0:
        raise DataError("the first phase does not vary, so it sets no limits.", where=_WHERE)
    mean = float(known.mean())
    return mean, mean - reach, mean + reach


def control_chart(
    frame: Any,
    outcome: str,
    ax: Axes | None = None,
    *,
    phase: str,
    time: str,
    limits: Limits = "sd",
    width: float = 2.0,
    language: str = "en",
) -> Axes:
    """Draw the sessions of one client with the mean and limits of the first phase carried through all phases.

    Use it to see whether sessions leave what the baseline lets expect. It is no test: the limits come from few
    sessions, and where neighbouring sessions resemble each other more points fall outside by chance.

    Parameters
    ----------
    frame
        Any data frame with one row per session of one client, or a mapping of names to columns.
    outcome
        Column of what was measured.
    ax
        Where to draw; by default a new figure.
    phase, time
        Columns: the condition of the session; when, as a number.
    limits
        "sd": `width` standard deviations (the two-standard-deviation band). "moving_range": the X-mR chart.
    width
        Of the band, in standard deviations.
    language
        `"en"` or `"id"`.

    Returns
    -------
    matplotlib.axes.Axes
        Points outside the limits have a ring.

    Raises
    ------
    DataError
        As `phases`, if there is only one phase, `limits` is unknown, or the first phase has fewer than three values or
        does not vary.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.DataFrame({"session": range(1, 9), "phase": list("AAAABBBB"), "calls": [3, 4, 3, 5, 7, 8, 8, 9]})
    >>> control_chart(days, "calls", phase="phase", time="session").get_xlabel().splitlines()[2]
    'Ringed: outside the limits; after A 4 of 4 sessions'
    """
    words = load_language(language)
    if limits not in ("sd", "moving_range"):
        raise DataError('limits must be "sd" or "moving_range".', where=_WHERE)
    if not width > 0:
        raise DataError("width must be above zero.", where=_WHERE)
    one = series_of(frame, outcome, phase=phase, time=time, case=None, where=_WHERE)[0]
    if len(one.phases) < 2:
        raise DataError("all sessions are of one phase; a chart compares later phases with the first.", where=_WHERE)
    first, rest = one.phases[0], one.phases[1:]
    mean, low, high = control_limits(first.outcome, limits=limits, width=width)
    later = np.concatenate([part.outcome for part in rest])
    later = later[~np.isnan(later)]
    outside = (one.outcome < low) | (one.outcome > high)
    said = {"phase": first.condition, "width": words.number(width, 0 if width == round(width) else 1)}
    counts = {"count": int(((later < low) | (later > high)).sum()), "total": len(later)}
    notes = [words.say(f"phases.limits_{limits}", **said), words.say("phases.outside", **said, **counts)]
    missing = int(np.isnan(one.outcome).sum())
    if missing:
        notes.append(words.say("phases.missing", count=missing))
    with drawing(ax, width=6.8, height=3.5) as canvas:
        # a band below zero is not drawn where the outcome never is
        lowest = max(low, 0.0) if np.nanmin(one.outcome) >= 0 else low
        draw_axes(canvas, [one], y_limits(np.append(one.outcome, [lowest, high]), outcome))
        canvas.axhline(mean, color=SOFT, linewidth=1.1, zorder=1)
        for limit in (low, high):
            canvas.axhline(limit, color=SOFT, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        for part in one.phases:
            draw_phase(canvas, part, line=None)
        canvas.plot(
            one.time[outside],
            one.outcome[outside],
            linestyle="none",
            marker="o",
            markersize=10,
            markerfacecolor="none",
            markeredgecolor=INK,
            clip_on=False,
            zorder=4,
        )
        canvas.set_xlabel("\n".join([words.say("phases.session"), *notes]), parse_math=False)
        canvas.set_ylabel(outcome, parse_math=False)
        draw_changes(canvas, one, labels=True)
    return canvas
