"""Where each client stood before and after, with the range that is no change and the cut-off: for the caseworker.

Every mark is a client. It is for the people who serve them, not for a published report, which counts clients instead.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sweval.errors import SwevalError
from sweval.models.base.change_rules import NO_ERROR
from sweval.reporting.canvas import drawing, plain
from sweval.reporting.change_table import category_in_words
from sweval.reporting.language import Language, load_language
from sweval.result import BETTER, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FloatArray = NDArray[np.float64]

_BAND, _LINE, _SOFT = "#E4E4E4", "#444444", "#555555"
# Okabe and Ito's colours; shapes tell the categories apart in print. A triangle points where better is.
_STYLES = {
    "recovered": ("#009E73", "*", 3.2),
    "improved": ("#0072B2", "better", 1.4),
    "unchanged": ("#7A7A7A", "s", 0.8),
    "deteriorated": ("#E69F00", "worse", 1.4),
    "harmed": ("#D55E00", "X", 1.7),
}
_AREA = 26.0
_ROOM = 0.06
_STEPS = 401
_LEGEND_WIDTH = 24


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What a picture needs to know of an analysis."""

    outcome: str
    better: str
    cutoff: float | None
    reliable: bool
    words: Language


def change(result: Result, ax: Axes | None = None, *, language: str = "en") -> Axes:
    """Draw every client's score after against the score before, with what is no change shaded.

    Use it with the people who know the clients: who got better beyond measurement error, who crossed the cut-off, who
    needs a second look. It shows single clients, so it belongs in no published report; there the counts do.

    Parameters
    ----------
    result
        Of `ReliableChange.fit`, for one outcome.
    ax
        Where to draw; by default a new figure.
    language
        `"en"` or `"id"`.

    Returns
    -------
    matplotlib.axes.Axes
        On the dashed line a client has the same score as before; marks in the grey band changed by no more than the
        rule allows for chance (or for what does not matter). Categories differ in shape and colour and stand in the
        legend with their counts; a larger mark is several clients with the same two scores.

    Raises
    ------
    SwevalError
        If the result holds no clients, nobody with both scores, or several outcomes.

    Examples
    --------
    >>> import pandas as pd
    >>> import sweval as sw
    >>> frame = pd.DataFrame({"before": [19, 15, 12, 21, 8], "phq9_total": [6, 13, 17, 9, 7]})
    >>> result = sw.ReliableChange(pre="before", reliability=0.86, cutoff=10).fit(frame, "phq9_total")
    >>> sw.plots.change(result).get_xlabel()
    'phq9_total before'
    """
    words = load_language(language)
    if result.clients is None:
        raise SwevalError("the result holds no clients.", fix="Draw the result of ReliableChange.")
    if len({row.outcome for row in result.fits}) != 1:
        raise SwevalError("the result holds several outcomes.", fix="Fit and draw one at a time.")
    outcome = str(result.fits[0].outcome)
    rows = [row for row in result.estimates if row.outcome == outcome]
    facts = _Facts(
        outcome=result.labels.get(outcome, outcome),
        better=str(rows[0].better),
        cutoff=next((row.estimate for row in rows if row.measure == "cutoff"), None),
        reliable=NO_ERROR not in rows[0].method,
        words=words,
    )
    clients = result.clients
    pre, post, low, high = (
        clients[name].to_numpy(dtype=float) for name in ("pre", "post", "unchanged_low", "unchanged_high")
    )
    category = clients["category"].to_numpy(dtype=object)
    seen = ~np.isnan(post) & np.array([isinstance(value, str) for value in category])
    if not seen.any():
        raise SwevalError("no client has both scores, so there is nothing to draw.")
    with drawing(ax, width=8.4, height=5.8) as canvas:
        _set_range(canvas, pre[seen], post[seen])
        _draw_band(canvas, facts, pre[seen], low[seen], high[seen])
        _draw_clients(canvas, facts, pre[seen], post[seen], category[seen])
        if facts.cutoff is not None:
            _draw_cutoff(canvas, facts, facts.cutoff)
        _name(canvas, facts, int((~seen).sum()))
    return canvas


def _set_range(ax: Axes, pre: FloatArray, post: FloatArray) -> None:
    """Give both axes the same range, so that the diagonal is no change."""
    low, high = float(min(pre.min(), post.min())), float(max(pre.max(), post.max()))
    room = _ROOM * max(high - low, 1.0)
    ax.set(xlim=(low - room, high + room), ylim=(low - room, high + room))
    ax.set_aspect("equal")
    plain(ax)


def _draw_band(ax: Axes, facts: _Facts, pre: FloatArray, low: FloatArray, high: FloatArray) -> None:
    """Shade what is no change, and draw the line of equal scores with its name."""
    left, right = ax.get_xlim()
    known = ~np.isnan(low)
    if known.any():
        x, first = np.unique(pre[known], return_index=True)
        at = np.linspace(left, right, _STEPS)
        below, above = (_extended(x, part[known][first], at) for part in (low, high))
        # percentages meet at zero
        ax.fill_between(at, below, above, where=below <= above, color=_BAND, linewidth=0, zorder=0)
    ax.plot((left, right), (left, right), color=_SOFT, linewidth=0.9, linestyle=(0, (5, 4)), zorder=1)


def _extended(x: FloatArray, y: FloatArray, at: FloatArray) -> FloatArray:
    """Return the straight line through known points at other places."""
    slope = (y[-1] - y[0]) / (x[-1] - x[0]) if len(x) > 1 else 1.0
    return np.asarray(y[0] + slope * (at - x[0]), dtype=float)


def _draw_clients(ax: Axes, facts: _Facts, pre: FloatArray, post: FloatArray, category: NDArray[np.object_]) -> None:
    """Draw a mark for each pair of scores, larger where several clients share it; name the categories with counts."""
    from matplotlib.collections import PathCollection

    up = BETTER[facts.better] > 0
    shared = False
    for name, (colour, shape, size) in _STYLES.items():
        here = category == name
        said = f"{category_in_words(name, facts.words, reliable=facts.reliable)}: {int(here.sum())}"
        label = textwrap.fill(said, _LEGEND_WIDTH)
        marker = {"better": "^" if up else "v", "worse": "v" if up else "^"}.get(shape, shape)
        spots, counts = np.unique(np.stack([pre[here], post[here]], axis=1), axis=0, return_counts=True)
        shared = shared or bool((counts > 1).any())
        if here.any():
            ax.scatter(
                spots[:, 0], spots[:, 1], s=_AREA * size * counts**0.75, marker=marker, color=colour,
                edgecolors="white", linewidths=0.6, label=label, zorder=3,
            )  # fmt: skip
    title = facts.words.say("change_plot.shared" if shared else "change_plot.clients")
    legend = ax.legend(
        title=title, loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, alignment="left", borderaxespad=0.0
    )
    drawn = [size for name, (_, _, size) in _STYLES.items() if (category == name).any()]
    for handle, size in zip(legend.legend_handles, drawn, strict=True):
        if isinstance(handle, PathCollection):
            handle.set_sizes(np.array([1.6 * _AREA * size]))


def _draw_cutoff(ax: Axes, facts: _Facts, cutoff: float) -> None:
    """Draw the cut-off on both axes, with its name and where the functional side is."""
    left, right = ax.get_xlim()
    ax.plot((cutoff, cutoff), (left, right), color=_LINE, linewidth=1.0, zorder=2)
    ax.plot((left, right), (cutoff, cutoff), color=_LINE, linewidth=1.0, zorder=2)
    number = facts.words.number(cutoff, 0 if cutoff == round(cutoff) else 1)
    ax.annotate(
        facts.words.say("change_plot.cutoff", cutoff=number), (right, cutoff), (-2, 3), textcoords="offset points",
        va="bottom", ha="right", fontsize="small", zorder=4,
    )  # fmt: skip
    ax.annotate(
        facts.words.say("change_plot.cutoff", cutoff=number), (cutoff, right), (0, 4), textcoords="offset points",
        va="bottom", ha="center", fontsize="small", annotation_clip=False,
    )  # fmt: skip


def _name(ax: Axes, facts: _Facts, lost: int) -> None:
    """Name the axes, say which side is better, and how many clients are not drawn."""
    words, up = facts.words, BETTER[facts.better] > 0
    ax.set_xlabel(words.say("change_plot.before", outcome=facts.outcome))
    ax.set_ylabel(words.say("change_plot.after", outcome=facts.outcome))
    for better, (x, y), ha, va in (
        (up, (0.02, 0.98), "left", "top"),
        (not up, (0.98, 0.02), "right", "bottom"),
    ):
        ax.text(
            x, y, words.say("change_plot.better" if better else "change_plot.worse"),
            transform=ax.transAxes, ha=ha, va=va, fontweight="bold", color=_LINE, zorder=4,
        )  # fmt: skip
    notes = [words.say(f"change_plot.direction_{facts.better}"), words.say("change_plot.band")]
    if lost:
        notes.append(words.say("change_plot.lost", count=lost))
    ax.text(1.02, 0.0, "\n\n".join(notes), transform=ax.transAxes, ha="left", va="bottom", fontsize="small")
