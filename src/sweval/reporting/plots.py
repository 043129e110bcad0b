"""Pictures of results; each function returns the matplotlib Axes, so a reader can change anything on it."""

from __future__ import annotations

import io
import math
import textwrap
import warnings
from typing import TYPE_CHECKING

from sweval.effects.translation import ORIENTED_RISKS
from sweval.errors import SwevalError
from sweval.reporting.canvas import FONT
from sweval.reporting.cells import Record, level_of, levels, measure_in_words
from sweval.reporting.change_plots import change
from sweval.reporting.control_charts import control_chart
from sweval.reporting.item_plots import items
from sweval.reporting.language import Language, load_language
from sweval.reporting.mixed_plots import influence, normal_quantiles, random_effects, residuals
from sweval.reporting.phase_plots import phases
from sweval.reporting.score_plots import scale
from sweval.reporting.synthesis_forest import study_forest
from sweval.reporting.synthesis_plots import funnel, orchard, rho_curve
from sweval.reporting.tables import SIDES, block, by_side, records, side
from sweval.result import BETTER

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "change",
    "control_chart",
    "drawn",
    "forest",
    "forest_in_words",
    "forest_picture",
    "funnel",
    "influence",
    "items",
    "normal_quantiles",
    "orchard",
    "phases",
    "random_effects",
    "residuals",
    "rho_curve",
    "scale",
    "study_forest",
]

# Okabe and Ito's blue and vermillion, and grey: told apart with every kind of colour vision, in print by headings.
_COLOURS = {"direct": "#0072B2", "indirect": "#D55E00", "unknown": "#555555"}
_WIDTH, _ROW_HEIGHT, _MARGIN = 9.0, 0.3, 1.35
_LABEL_WIDTH = 40
RISK_DIFFERENCE = "risk_difference"
"""The measure of yes/no outcomes that is drawn."""


def forest(tidy: pd.DataFrame, ax: Axes | None = None, *, language: str = "en") -> Axes:
    """Draw effects and their intervals, direct service above indirect service.

    Use it to see several effects at once; not for rows on different scales, which no axis can hold: where some rows
    can be compared (metric `person_total`) only these are drawn. Of yes/no outcomes it draws the risk differences.

    Parameters
    ----------
    tidy
        `Result.tidy()`, or some of its rows.
    ax
        Where to draw. By default a new figure, high enough for all rows.
    language
        `"en"` or `"id"`.

    Returns
    -------
    matplotlib.axes.Axes
        Squares at the estimates (area by precision), lines for the intervals, the numbers in a column at the right;
        below the axis how many results are on other scales and not drawn.

    Raises
    ------
    SwevalError
        If there is no standardised effect to draw, or the rows are on several scales of which none can be compared.

    Examples
    --------
    >>> from sweval.result import Estimate, Result
    >>> row = Estimate(comparison="Staff training", service="training", outcome="phq9_total",
    ...                term="arm[training]", measure="hedges_g", metric="person_total", method="example",
    ...                estimate=0.3, conf_low=0.1, conf_high=0.5)
    >>> forest(Result(estimates=(row,)).tidy()).get_xlabel()
    'Effect (Hedges g) and 95% confidence interval'
    """
    words = load_language(language)
    rows, others = drawn(tidy), _left_out(tidy)
    lines = _lines(rows, words)
    if ax is None:
        from matplotlib import pyplot

        # the first figure of a notebook turns its display on; inside the context that would be undone at the end
        figure = pyplot.figure(figsize=_size(lines), layout="constrained")
        with pyplot.rc_context(FONT):
            ax = figure.add_subplot()
            _draw(ax, rows, lines, words, others)
    else:
        _draw(ax, rows, lines, words, others)
    return ax


def forest_picture(tidy: pd.DataFrame, *, language: str = "en", kind: str = "svg") -> bytes:
    """Return the forest plot as an SVG or PNG file; the same rows give the same bytes."""
    from matplotlib import style
    from matplotlib.figure import Figure

    words = load_language(language)
    rows, others = drawn(tidy), _left_out(tidy)
    lines = _lines(rows, words)
    with style.context(["default", {**FONT, "svg.hashsalt": "sweval"}]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=_size(lines), layout="constrained")
        _draw(figure.add_subplot(), rows, lines, words, others)
        return _saved(figure, kind)


def forest_in_words(tidy: pd.DataFrame, *, language: str = "en") -> str:
    """Return what the forest plot shows, for readers who cannot see it."""
    words = load_language(language)
    rows = drawn(tidy)
    said = [
        words.say(
            "plot.alt_row",
            label=_label(row),
            estimate=words.number(row["estimate"], 2),
            low=words.number(row["conf_low"], 2),
            high=words.number(row["conf_high"], 2),
        )
        for row in rows
    ]
    others = _left_out(tidy)
    said_others = f" {words.say('plot.left_out', count=others)}." if others else ""
    return words.say("plot.alt", count=len(rows), rows="; ".join(said)) + said_others


def drawn(tidy: pd.DataFrame) -> list[Record]:
    """Return the rows that one axis can hold, direct before indirect.

    Raises
    ------
    SwevalError
        If there are none.
    """
    rows = records(tidy)
    effects = [row for row in rows if block(row) == "effects"]
    apart = [row for row in rows if block(row) == "apart"]
    apart = apart or [row for row in rows if row["measure"] == RISK_DIFFERENCE]
    if not effects and len({(row["metric"], row["measure"]) for row in apart}) > 1:
        raise SwevalError(
            "the rows are on several scales, none of which can be compared with another.",
            fix="Draw one measure at a time: forest(tidy[tidy['measure'] == ...]).",
        )
    if not effects and not apart:
        raise SwevalError(
            "there is no standardised effect to draw.",
            fix="Pass the tidy() of a design with two arms; coefficients alone have no common scale.",
        )
    return by_side(effects or apart)


def _left_out(tidy: pd.DataFrame) -> int:
    """Return how many results stand on other scales than the effects that are drawn."""
    rows = records(tidy)
    if not any(block(row) == "effects" for row in rows):
        return 0
    return sum(block(row) == "apart" or row["measure"] == RISK_DIFFERENCE for row in rows)


def _label(row: Record) -> str:
    return ": ".join(_parts(row)) or str(row["term"])


def _parts(row: Record) -> list[str]:
    """Return comparison and outcome; of a yes/no outcome, which may have several contrasts, the group as well."""
    named = [text for text in (row["comparison"], row["outcome"]) if text]
    if row["measure"] == RISK_DIFFERENCE and named:
        named[-1] += f" ({level_of(row['term']) or row['term']})"
    return named


def _folded(row: Record) -> list[str]:
    """Return the label in at most two lines; a long comparison never pushes the outcome out."""
    whole = " ".join(_label(row).split())
    if len(whole) <= _LABEL_WIDTH:
        return [whole]
    named = _parts(row)
    if len(named) == 2:
        return [textwrap.shorten(text, _LABEL_WIDTH, placeholder=" …") or text[:_LABEL_WIDTH] for text in named]
    return textwrap.wrap(whole, _LABEL_WIDTH, max_lines=2, placeholder=" …")


def _lines(rows: list[Record], words: Language) -> list[tuple[str, Record | None]]:
    """Return label and row of every line from top to bottom; a heading has no row."""
    lines: list[tuple[str, Record | None]] = []
    for name in SIDES:
        found = [row for row in rows if side(row) == name]
        if not found:
            continue
        lines.append((words.say(f"side.{name}"), None))
        for row in found:
            lines.append(("\n".join(_folded(row)), row))
    return lines


def _size(lines: list[tuple[str, Record | None]]) -> tuple[float, float]:
    return _WIDTH, _MARGIN + _ROW_HEIGHT * sum(1 + label.count("\n") for label, _ in lines)


def _draw(ax: Axes, rows: list[Record], lines: list[tuple[str, Record | None]], words: Language, others: int) -> None:
    low, high = _window(rows)
    heaviest = max((_precision(row) for row in rows), default=0.0)
    places: list[float] = []
    y = 0.0
    for label, row in lines:
        height = 1.0 + label.count("\n")
        place = y + height / 2
        places.append(place)
        if row is not None:
            _mark(ax, row, place, (low, high), heaviest)
            limits = words.interval(row["conf_low"], row["conf_high"])
            ax.text(
                1.03,
                place,
                f"{words.number(row['estimate'], 2)} {limits}".rstrip(),
                transform=ax.get_yaxis_transform(),
                va="center_baseline",
            )
        y += height
    ax.set(xlim=(low, high), ylim=(y + 0.3, -1.0))
    ax.set_yticks(places, [label for label, _ in lines])
    for tick, (_, row) in zip(ax.get_yticklabels(), lines, strict=True):
        tick.set(parse_math=False, ha="left", fontweight="normal" if row else "bold")
    ax.tick_params(axis="y", length=0, pad=_widest(lines, ax))
    ax.spines[["left", "right", "top"]].set_visible(False)
    ax.axvline(0, color="black", linewidth=0.8, zorder=1)
    _name_the_axis(ax, rows, words)
    if others:
        ax.set_xlabel(f"{ax.get_xlabel()}\n{words.say('plot.left_out', count=others)}")


def _name_the_axis(ax: Axes, rows: list[Record], words: Language) -> None:
    level = levels(rows, words)
    known = block(rows[0]) == "effects"
    axis = "plot.axis" if known else "plot.axis_apart"
    ax.set_xlabel(words.say(axis, level=level, measure=measure_in_words(rows[0], words)))
    ax.xaxis.set_major_formatter(lambda value, _: words.number(value, 1 if _tenths(ax) else 2))
    left, right = _sides(rows)
    ax.annotate(words.say(f"plot.{left}"), (0, -0.5), (-6, 0), textcoords="offset points", ha="right", va="center")
    ax.annotate(words.say(f"plot.{right}"), (0, -0.5), (6, 0), textcoords="offset points", ha="left", va="center")
    ax.text(
        1.03,
        -0.5,
        words.say("plot.values" if known else "plot.values_apart", level=level),
        transform=ax.get_yaxis_transform(),
        va="center_baseline",
        fontweight="bold",
    )


def _sides(rows: list[Record]) -> tuple[str, str]:
    """Return what lies left and right of zero; of risk differences that are not turned, by outcome."""
    if rows[0]["metric"] == ORIENTED_RISKS and all(row["better"] in BETTER for row in rows):
        return "worse", "better"
    if rows[0]["measure"] != RISK_DIFFERENCE or {row["better"] for row in rows} == {"higher"}:
        return "worse", "better"
    return ("better_left", "worse_right") if {row["better"] for row in rows} == {"lower"} else ("fewer", "more")


def _mark(ax: Axes, row: Record, y: float, window: tuple[float, float], heaviest: float) -> None:
    """Draw one square with its interval; an interval that leaves the window ends in an arrow."""
    colour = _COLOURS[side(row)]
    low, high, estimate = row["conf_low"], row["conf_high"], row["estimate"]
    if low is not None and high is not None:
        shown = max(low, window[0]), min(high, window[1])
        ax.plot(shown, (y, y), color=colour, linewidth=1.5, solid_capstyle="butt", zorder=2)
        for limit, edge, arrow in ((low, window[0], "<"), (high, window[1], ">")):
            if limit != min(max(limit, window[0]), window[1]):
                ax.plot([edge], [y], marker=arrow, color=colour, markersize=6, clip_on=False, zorder=3)
    if estimate is not None and math.isfinite(estimate):
        area = 28.0 + 82.0 * (_precision(row) / heaviest if heaviest else 0.0)
        ax.scatter([estimate], [y], s=area, marker="s", color=colour, linewidths=0, zorder=3)


def _precision(row: Record) -> float:
    return 1.0 / row["std_error"] ** 2 if row["std_error"] else 0.0


def _window(rows: list[Record]) -> tuple[float, float]:
    """Return the shown range: all estimates, the intervals up to a bound, zero well inside."""
    estimates = [row["estimate"] for row in rows if row["estimate"] is not None and math.isfinite(row["estimate"])]
    bound = max(1.0, 2.5 * max((abs(value) for value in estimates), default=0.0))
    ends = [row[name] for row in rows for name in ("conf_low", "conf_high") if row[name] is not None]
    shown = [0.0, *estimates, *(min(max(end, -bound), bound) for end in ends)]
    low, high = min(shown), max(shown)
    span = max(high - low, 0.4)
    # A fifth of the width on either side of zero leaves room for the words at the top.
    low, high = min(low - 0.04 * span, -0.25 * span), max(high + 0.04 * span, 0.25 * span)
    return low, high


def _tenths(ax: Axes) -> bool:
    """Whether one decimal tells all tick marks apart."""
    return all(math.isclose(tick * 10, round(tick * 10), abs_tol=1e-6) for tick in ax.get_xticks())


def _widest(lines: list[tuple[str, Record | None]], ax: Axes) -> float:
    """Return the width of the widest label in points, so that labels can start at one left edge."""
    from matplotlib.textpath import TextToPath

    measure = TextToPath().get_text_width_height_descent
    fonts = [tick.get_fontproperties() for tick in ax.get_yticklabels()]
    return 6.0 + max(
        measure(part, font, False)[0]
        for (label, _), font in zip(lines, fonts, strict=True)
        for part in label.split("\n")
    )


def _saved(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return buffer.getvalue()
