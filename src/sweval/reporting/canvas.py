"""Where plots are drawn: on the reader's Axes, or on a new figure that looks the same in every style."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from sweval.reporting.language import Language

FONT: Any = {"font.family": "DejaVu Sans", "font.size": 9.5}
"""Matplotlib's own font, which every installation has."""


@contextmanager
def drawing(ax: Axes | None, *, width: float = 6.4, height: float = 4.2) -> Iterator[Axes]:
    """Give the axes to draw on; where there is none a new figure, in our font whatever the user's style."""
    if ax is not None:
        yield ax
        return
    from matplotlib import pyplot

    # the first figure of a notebook turns its display on; inside the context that would be undone at the end
    figure = pyplot.figure(figsize=(width, height), layout="constrained")
    with pyplot.rc_context(FONT):
        yield figure.add_subplot()


def plain(ax: Axes) -> None:
    """Take away the frame at the right and at the top."""
    ax.spines[["right", "top"]].set_visible(False)


def number_ticks(axis: Axis, words: Language) -> None:
    """Write numbers at the ticks with as many digits as their distance needs, at least one."""
    from matplotlib.ticker import MaxNLocator

    def written(value: float, _: object) -> str:
        places = axis.get_majorticklocs()
        step = abs(float(places[1] - places[0])) if len(places) > 1 else 0.1
        return words.number(value, max(1, math.ceil(-math.log10(step) - 1e-6)))

    axis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10]))
    axis.set_major_formatter(written)


def points_wide(ax: Axes) -> float:
    """Return the width of the axes in points (1/72 inch), after the layout has made room for what is drawn so far."""
    figure: Any = ax.figure.figure or ax.figure  # of a figure inside a figure, the outer one
    figure.draw_without_rendering()
    return max(72.0 * ax.get_window_extent().width / figure.dpi, 1.0)


def text_width(text: str, ax: Axes, *, size: str = "small") -> float:
    """Return the width of a text in points, in the font that the axes use."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    family = ax.xaxis.label.get_fontproperties().get_family()
    return float(TextToPath().get_text_width_height_descent(text, FontProperties(family=family, size=size), False)[0])
