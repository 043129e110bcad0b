"""Single-case graphs by the conventions of the field: phases, panels of a multiple baseline, alternating treatments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sweval.errors import DataError
from sweval.reporting.canvas import FONT, plain, points_wide, text_width
from sweval.reporting.language import Language, load_language
from sweval.reporting.phase_series import Floats, Phase, Series, series_of
from sweval.scoring.definition import scale_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Line = Literal["mean", "median", "trend"]

_WHERE = "plots.phases"
_WIDTH, _PANEL, _GAP = 6.8, 2.0, 0.34
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.8, 0.25, 0.5, 0.62
_NOTE = 0.2
INK, SOFT = "black", "#555555"
# Marks that black and white print tells apart, filled and open in turn.
_MARKS = (("o", INK), ("s", "white"), ("^", INK), ("D", "white"), ("v", INK), ("o", "white"))
DASHES = (0, (5, 3))
_LINES: dict[str, dict[str, Any]] = {
    "mean": {"linestyle": "-", "linewidth": 1.1},
    "median": {"linestyle": "-", "linewidth": 1.1},
    "trend": {"linestyle": (0, (6, 2, 1, 2)), "linewidth": 1.1},
}


def phases(
    frame: Any,
    outcome: str,
    *,
    phase: str,
    time: str,
    case: str | None = None,
    line: Line | None = None,
    figure: Figure | None = None,
    language: str = "en",
) -> tuple[Axes, ...]:
    """Draw sessions against time by phases: one panel per client, all on the same scales.

    Use it to look at a single-case design before any number: reversal, multiple baseline, alternating treatments. The
    names of clients stand in the picture, so use pseudonyms where others will see it.

    Parameters
    ----------
    frame
        Any data frame with one row per client and session, or a mapping of names to columns.
    outcome, phase, time
        Columns: what was measured; the condition of the session; when, as a number.
    case
        Column that names the client; without it all rows are of one client.
    line
        Draw the "mean", the "median" or the least-squares "trend" of every phase.
    figure
        Where to draw; by default a new one, high enough for all panels.
    language
        `"en"` or `"id"`.

    Returns
    -------
    tuple of matplotlib.axes.Axes
        One per client, in the order in which their second phase begins. Points are joined within phases only, and not
        across a session whose value is missing. Phase changes are dashed lines; where every client has as many, they
        are joined from panel to panel (multiple baseline). Where conditions alternate each is a series with its own
        mark. A questionnaire's score is drawn on its whole range, other outcomes from zero unless they lie far above.

    Raises
    ------
    DataError
        If a column is absent or holds no number, rows lack phase, time or client, a session occurs twice, there are
        more than 12 clients, or `line` is unknown.

    Notes
    -----
    Conventions: Horner, Carr, Halle, McGee, Odom & Wolery (2005), doi:10.1177/001440290507100203.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.DataFrame({"session": range(1, 9), "phase": list("AAAABBBB"), "calls": [3, 4, 3, 5, 7, 8, 8, 9]})
    >>> panels = phases(days, "calls", phase="phase", time="session", line="mean")
    >>> [text.get_text() for text in panels[0].texts]
    ['A', 'B']
    """
    words = load_language(language)
    if line is not None and line not in _LINES:
        raise DataError('line must be "mean", "median" or "trend".', where=_WHERE)
    found = series_of(frame, outcome, phase=phase, time=time, case=case, where=_WHERE)
    apart = [one.alternates for one in found]
    shown = [one.by_condition() if alone else one for one, alone in zip(found, apart, strict=True)]
    marks = {name: _MARKS[k % len(_MARKS)] for k, name in enumerate(_conditions(found))} if any(apart) else {}
    notes = _notes(found, line, words)
    panels = _panels(figure, len(found), len(notes))
    limits = y_limits(np.concatenate([one.outcome for one in found]), outcome)
    stepped = len(found) > 1 and not any(apart) and _staggered([one.changes for one in found])
    for number, (ax, one, alone) in enumerate(zip(panels, shown, apart, strict=True)):
        draw_axes(ax, found, limits)
        if alone:
            _draw_alternating(ax, one, marks, line)
        else:
            for part in one.phases:
                draw_phase(ax, part, line=line)
            named = [part.condition for part in one.phases] == [part.condition for part in shown[0].phases]
            repeated = number > 0 and named and (stepped or one.changes == shown[0].changes)
            draw_changes(ax, one, labels=not repeated)
        if one.name:
            _name(ax, one)
    if stepped:
        for changes in zip(*(one.changes for one in found), strict=True):
            _join_changes(panels, changes)
    _name_the_axes(panels, outcome, words, notes)
    return tuple(panels)


def draw_phase(ax: Axes, part: Phase, *, line: str | None, mark: tuple[str, str] = _MARKS[0]) -> None:
    """Draw the points of a phase, joined but for missing values, and its line."""
    shape, fill = mark
    ax.plot(
        part.time,
        part.outcome,
        color=INK,
        linewidth=1.0,
        marker=shape,
        markersize=5,
        markerfacecolor=fill,
        markeredgecolor=INK,
        markeredgewidth=1.0,
        clip_on=False,
        zorder=3,
    )
    known = ~np.isnan(part.outcome)
    x, y = part.time[known], part.outcome[known]
    if line is None or not len(x) or (line == "trend" and len(x) < 2):
        return
    ends = np.array([part.time[0], part.time[-1]])
    if line == "trend":
        slope, level = np.polyfit(x - x.mean(), y, 1)
        height = level + slope * (ends - x.mean())
    else:
        height = np.repeat(y.mean() if line == "mean" else np.median(y), 2)
        ends = ends + np.array([-0.3, 0.3])
    ax.plot(ends, height, color=SOFT, zorder=2, **_LINES[line])


def draw_changes(ax: Axes, one: Series, *, labels: bool) -> None:
    """Draw the phase changes, and the names of the conditions above their phases."""
    for change in one.changes:
        ax.axvline(change, color=INK, linewidth=0.9, linestyle=DASHES, zorder=1)
    if not labels:
        return
    low, high = ax.get_xlim()
    edges = [low, *one.changes, high]
    unit = points_wide(ax) / (high - low)
    for (start, end), part in zip(itertools.pairwise(edges), one.phases, strict=True):
        ax.text(
            (start + end) / 2,
            1.04,
            folded(part.condition, (end - start) * unit - 3.0, ax),
            transform=ax.get_xaxis_transform(),
            ha="center",
            va="baseline",
            linespacing=1.0,
            parse_math=False,
        )


def _draw_alternating(ax: Axes, one: Series, marks: dict[str, tuple[str, str]], line: str | None) -> None:
    """Draw each condition as a series with its own mark, named in a legend; a baseline before it is a phase."""
    start = max((part.time[0] for part in one.phases), default=0.0)
    early = [part for part in one.phases if part.time[-1] < start and part is one.phases[0]]
    rest = [part for part in one.phases if part not in early]
    for part in one.phases:
        draw_phase(ax, part, line=line, mark=marks[part.condition])
        shape, fill = marks[part.condition]
        ax.plot(
            [], [], color=INK, linewidth=1.0, marker=shape, markersize=5, markerfacecolor=fill, label=part.condition
        )
    for part in early:
        first = min(float(other.time[0]) for other in rest)
        ax.axvline((float(part.time[-1]) + first) / 2, color=INK, linewidth=0.9, linestyle=DASHES, zorder=1)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(one.phases), frameon=False, borderaxespad=0.2)


def folded(label: str, room: float, ax: Axes) -> str:
    """Return the label in as many lines as the room (points) asks for; words longer than the room stay whole."""
    lines: list[str] = []
    for word in label.split():
        if lines and text_width(f"{lines[-1]} {word}", ax, size="medium") <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines[:3])


def _conditions(found: Sequence[Series]) -> list[str]:
    return list(dict.fromkeys(name for one in found for name in one.conditions))


def _notes(found: Sequence[Series], line: str | None, words: Language) -> list[str]:
    """Return what the picture has to say below the axis."""
    out = [] if line is None else [words.say(f"phases.{line}")]
    missing = sum(int(np.isnan(one.outcome).sum()) for one in found)
    if missing:
        out.append(words.say("phases.missing", count=missing))
    return out


def _panels(figure: Figure | None, count: int, notes: int) -> list[Axes]:
    """Return the axes of all panels, one below the other."""
    from matplotlib import pyplot

    height = _TOP + _BOTTOM + _NOTE * notes + count * _PANEL + (count - 1) * _GAP
    if count == 1:
        height += 0.6
    if figure is None:
        figure = pyplot.figure(figsize=(_WIDTH, height))
    with pyplot.rc_context(FONT):
        width, height = figure.get_size_inches()
        grid = {
            "left": _LEFT / width,
            "right": 1 - _RIGHT / width,
            "top": 1 - _TOP / height,
            "bottom": (_BOTTOM + _NOTE * notes) / height,
            "hspace": _GAP / _PANEL,
        }
        made = figure.subplots(count, 1, sharex=True, sharey=True, squeeze=False, gridspec_kw=grid)
        return [ax for row in made for ax in row]


def y_limits(values: Floats, outcome: str) -> tuple[float, float, float]:
    """Return the lowest value of the axis, its highest, and where the frame begins (a little below)."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    known = scale_of(outcome)
    if known is not None and known.range[0] <= low and high <= known.range[1]:
        low, high = known.range
    elif 0 <= low <= 0.5 * high:
        low = 0.0
    elif not high > low:
        low, high = low - 1.0, high + 1.0
    span = high - low
    return low, high + 0.06 * span, low - 0.05 * span


def draw_axes(ax: Axes, found: Sequence[Series], limits: tuple[float, float, float]) -> None:
    """Set the scales; the axis of the outcome begins a little below its lowest value, so that points stand free."""
    from matplotlib.ticker import MaxNLocator

    low, high, floor = limits
    first = min(float(one.time.min()) for one in found)
    last = max(float(one.time.max()) for one in found)
    step = min((float(np.diff(one.time).min()) for one in found if len(one.time) > 1), default=1.0)
    ax.set(xlim=(first - step, last + step), ylim=(floor, high))
    whole = MaxNLocator(nbins=12, integer=step >= 1, steps=[1, 2, 5, 10])
    ax.set_xticks([tick for tick in whole.tick_values(first, last) if first <= tick <= last])
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    ticks = [tick for tick in ax.get_yticks() if low - 1e-9 * (high - low) <= tick <= high]
    ax.set_yticks(ticks)
    ax.spines["left"].set_bounds(low, high)
    plain(ax)


def _name(ax: Axes, one: Series) -> None:
    """Write the client's name into the lower right corner, where data are fewest after improvement or above it."""
    values, low = one.outcome, ax.get_ylim()
    late = values[one.time > np.mean(ax.get_xlim())]
    high = late.size and np.nanmean(late) > np.mean(low) if not np.isnan(late).all() else True
    ax.text(
        0.995,
        0.07 if high else 0.95,
        one.name,
        transform=ax.transAxes,
        ha="right",
        va="bottom" if high else "top",
        parse_math=False,
        bbox={"boxstyle": "square,pad=0.3", "facecolor": "white", "edgecolor": INK, "linewidth": 0.8},
        zorder=5,
    )


def _staggered(changes: Sequence[Sequence[float]]) -> bool:
    """Tell whether lines can lead every change on to that of the next panel without touching each other."""
    return len({len(own) for own in changes}) == 1 and all(
        max(above[k], below[k]) < min(above[k + 1], below[k + 1])
        for above, below in itertools.pairwise(changes)
        for k in range(len(above) - 1)
    )


def _join_changes(panels: Sequence[Axes], changes: Sequence[float]) -> None:
    """Lead the line of the phase change from panel to panel, as a staircase."""
    gap = _GAP / _PANEL
    for (above, below), (here, there) in zip(itertools.pairwise(panels), itertools.pairwise(changes), strict=True):
        style: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": DASHES, "clip_on": False}
        above.plot([here, here, there], [0, -gap / 2, -gap / 2], transform=above.get_xaxis_transform(), **style)
        below.plot([there, there], [1 + gap / 2, 1], transform=below.get_xaxis_transform(), **style)


def _name_the_axes(panels: Sequence[Axes], outcome: str, words: Language, notes: Sequence[str]) -> None:
    figure: Any = panels[0].figure
    for ax in panels[:-1]:
        ax.tick_params(labelbottom=False)
    panels[-1].set_xlabel("\n".join([words.say("phases.session"), *notes]), parse_math=False)
    if len(panels) == 1:
        panels[0].set_ylabel(outcome, parse_math=False)
        return
    top, bottom = panels[0].get_position().y1, panels[-1].get_position().y0
    size = math.floor(float(panels[0].yaxis.label.get_fontsize()))
    figure.text(0.02, (top + bottom) / 2, outcome, rotation=90, va="center", fontsize=size, parse_math=False)
