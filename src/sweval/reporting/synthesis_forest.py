"""The forest plot of a synthesis: studies by group, diamonds for means, prediction intervals, columns of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DesignError, did_you_mean
from sweval.models.base.values import label_key
from sweval.reporting.canvas import drawing, number_ticks, plain, text_width
from sweval.reporting.language import Language, load_language

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from sweval.models.base.synthesis_result import SynthesisResult

_POINT, _DIAMOND, _GREY = "#0072B2", "#D55E00", "#555555"
_ROW = 0.26
_ROOM, _WIDER = 28, 0.09
"""Characters of a label that a picture 9 inches wide has room for, and inches for each one more."""
_MOST_ROWS = 150
_GAP = 14.0
"""Points between columns of text."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the plot: a heading, an effect, a mean, or where the true effect of a new study lies."""

    kind: Literal["heading", "effect", "mean", "prediction"]
    label: str
    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    weight: float = math.nan
    extra: tuple[str, ...] = ()


def study_forest(
    result: SynthesisResult,
    ax: Axes | None = None,
    *,
    by: Literal["effect", "study"] = "effect",
    columns: Sequence[str] = (),
    ratio: bool | None = None,
    language: str = "en",
) -> Axes:
    """Draw the effects of a synthesis, and the means they give, as the field prints them.

    Use it to see every study beside the mean; for more than 150 lines draw studies instead of effects, or `orchard`.

    Parameters
    ----------
    result
        From `Synthesis.fit`. With one categorical moderator (or `compare`) effects stand in groups.
    ax
        Where to draw; by default a new figure, high enough for all lines.
    by
        "effect": a line for each effect; "study": one for each study (and group), its effects averaged under the
        assumed correlation of their errors.
    columns
        Columns of the table to print beside each effect, such as the year or the number of persons.
    ratio
        Whether effects are logarithms and the axis shows ratios, evenly spaced in logarithms. By default they are for
        the metrics that are logarithms.
    language
        `"en"` or `"id"`.

    Returns
    -------
    matplotlib.axes.Axes
        Squares by weight with intervals; a diamond for each mean, and below it a line for where the true effect of a
        new study lies.

    Raises
    ------
    DesignError
        If a column is not there, or there are too many lines.

    Examples
    --------
    >>> import pandas as pd
    >>> from sweval.models.synthesis import Synthesis
    >>> frame = pd.DataFrame({"study": list("abcdef"), "estimate": [0.1, 0.4, 0.3, 0.5, 0.2, 0.6],
    ...                       "variance": [0.02, 0.03, 0.04, 0.05, 0.03, 0.06], "metric": "person_total"})
    >>> study_forest(Synthesis().fit(frame)).get_xlabel()
    'Effect'
    """
    words = load_language(language)
    lines = forest_lines(result, by=by, columns=columns, words=words)
    if len(lines) > _MOST_ROWS:
        raise DesignError(
            f"{len(lines)} lines are too many for one picture.", where="plots", fix='Say by="study", or draw orchard().'
        )
    metric = result.fitted.effects.metric or ""
    ratios = metric.startswith("log_") if ratio is None else ratio
    longest = max(len(line.label) for line in lines)
    width = 9.0 + _WIDER * max(longest - _ROOM, 0)
    with drawing(ax, width=width, height=1.2 + _ROW * len(lines)) as canvas:
        _draw(canvas, lines, columns, ratios, result.facts.conf_level, words)
    return canvas


def forest_lines(
    result: SynthesisResult, *, by: str = "effect", columns: Sequence[str] = (), words: Language
) -> list[Line]:
    """Return the lines from top to bottom."""
    table = result.fitted.effects.table
    for name in columns:
        if name not in table:
            raise DesignError(
                f'there is no column "{name}".', where="plots", fix=did_you_mean(name, list(table.columns))
            )
    effects = result.effects()
    means = {row.term: row for row in result.estimates if row.measure == "mean_effect"}
    predicted = {row.term: row for row in result.estimates if row.measure == "prediction"}
    lines: list[Line] = []
    for target in result.targets:
        at = np.ones(len(effects), dtype=bool)
        if target.column is not None:
            lines.append(Line(kind="heading", label=f"{target.column}: {target.level}"))
            at = _at_level(result, target.column, str(target.level))
        lines += _effect_lines(result, effects, at, by, columns)
        mean, wide = means[target.term], predicted.get(target.term)
        label = words.say("synthesis_plot.mean_counts", effects=target.effects, studies=target.studies)
        limits = _known(mean.conf_low), _known(mean.conf_high)
        lines.append(Line(kind="mean", label=label, estimate=mean.estimate, low=limits[0], high=limits[1]))
        if wide is not None:
            low, high = _known(wide.conf_low), _known(wide.conf_high)
            lines.append(Line(kind="prediction", label=words.say("synthesis_plot.prediction"), low=low, high=high))
    return lines


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _at_level(result: SynthesisResult, column: str, level: str) -> NDArray[np.bool_]:
    """Tell which effects are at a level."""
    return np.array([label_key(value) == level for value in result.fitted.effects.table[column]])


def _effect_lines(
    result: SynthesisResult, effects: pd.DataFrame, at: NDArray[np.bool_], by: str, columns: Sequence[str]
) -> list[Line]:
    """Return the lines of the effects of one group, studies in their order."""
    from scipy.special import ndtri

    from sweval.models.base.synthesis_fit import sampling_of
    from sweval.models.base.synthesis_model import part_of
    from sweval.models.engine.meta.summaries import aggregate

    part, plan = part_of(result.fitted.effects, result.fitted.plan, at)
    codes, y, v = np.arange(len(part.y), dtype=np.intp), part.y, part.v
    if by == "study":
        codes = part.study
        y, v, _ = aggregate(part.y, sampling_of(part, plan), codes)
    weight = np.bincount(codes, effects["weight"].to_numpy()[at])
    reach = float(ndtri((1 + result.facts.conf_level) / 2)) * np.sqrt(v)
    lines = []
    for code, (estimate, half) in enumerate(zip(y.tolist(), reach.tolist(), strict=True)):
        rows = part.table[codes == code]
        lines.append(
            Line(
                kind="effect", label=part.studies[int(part.study[codes == code][0])], estimate=estimate,
                low=estimate - half, high=estimate + half, weight=float(weight[code]),
                extra=tuple(_listed(rows[name].tolist()) for name in columns),
            )
        )  # fmt: skip
    return lines


def _listed(values: list[object]) -> str:
    """Return the different values of a study as text."""
    seen = dict.fromkeys(label_key(value) or "" for value in values)
    return ", ".join(seen) if len(seen) < 3 else f"{next(iter(seen))} …"


def _draw(
    ax: Axes, lines: list[Line], columns: Sequence[str], ratios: bool, conf_level: float, words: Language
) -> None:
    heaviest = max((line.weight for line in lines if line.kind == "effect"), default=0.0)
    window = _window(lines)
    for y, line in enumerate(lines):
        if line.kind == "effect":
            _square(ax, line, y, heaviest, window)
        elif line.kind == "mean":
            _diamond(ax, line, y)
        elif line.kind == "prediction":
            shown = max(line.low, window[0]), min(line.high, window[1])
            ax.plot(shown, (y, y), color=_GREY, linewidth=2.2, solid_capstyle="butt", zorder=2)
    ax.axvline(0, color="black", linewidth=0.8, zorder=1)
    ax.set(xlim=window, ylim=(len(lines) - 0.4, -1.6))
    ax.set_yticks(range(len(lines)), [line.label for line in lines])
    for tick, line in zip(ax.get_yticklabels(), lines, strict=True):
        tick.set(parse_math=False, fontweight="normal" if line.kind == "effect" else "bold")
    ax.tick_params(axis="y", length=0)
    plain(ax)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(words.say("synthesis_plot.effect_ratio" if ratios else "synthesis_plot.effect"))
    if ratios:
        _ratio_ticks(ax, window, words)
    else:
        number_ticks(ax.xaxis, words)
    _text_columns(ax, lines, columns, ratios, conf_level, words)


def _window(lines: list[Line]) -> tuple[float, float]:
    """Return the shown range: all estimates and intervals up to a bound, zero inside."""
    estimates = [line.estimate for line in lines if math.isfinite(line.estimate)]
    bound = 3.0 * max((abs(value) for value in estimates), default=1.0) or 1.0
    ends = [end for line in lines for end in (line.low, line.high) if math.isfinite(end)]
    shown = [0.0, *estimates, *(min(max(end, -bound), bound) for end in ends)]
    span = max(max(shown) - min(shown), 0.2)
    return min(shown) - 0.04 * span, max(shown) + 0.04 * span


def _square(ax: Axes, line: Line, y: float, heaviest: float, window: tuple[float, float]) -> None:
    """Draw an effect; an interval that leaves the window ends in an arrow."""
    shown = max(line.low, window[0]), min(line.high, window[1])
    ax.plot(shown, (y, y), color=_POINT, linewidth=1.2, solid_capstyle="butt", zorder=2)
    for limit, edge, arrow in ((line.low, window[0], "<"), (line.high, window[1], ">")):
        if limit != min(max(limit, window[0]), window[1]):
            ax.plot([edge], [y], marker=arrow, color=_POINT, markersize=5, clip_on=False, zorder=3)
    area = 10.0 + 70.0 * max(line.weight, 0.0) / heaviest if heaviest > 0 else 30.0
    ax.scatter([line.estimate], [y], s=area, marker="s", color=_POINT, linewidths=0, zorder=3)


def _diamond(ax: Axes, line: Line, y: float) -> None:
    """Draw a mean with its interval."""
    if math.isfinite(line.low):
        across, down = [line.low, line.estimate, line.high, line.estimate], [y, y - 0.34, y, y + 0.34]
        ax.fill(across, down, color=_DIAMOND, zorder=3)
    else:
        ax.scatter([line.estimate], [y], marker="D", s=30, color=_DIAMOND, zorder=3)


def _ratio_ticks(ax: Axes, window: tuple[float, float], words: Language) -> None:
    """Put round ratios on an axis of logarithms."""
    steps = (1, 1.5, 2, 3, 4, 5, 7) if window[1] - window[0] < 2.5 else (1, 2, 5)
    ratios = [step * 10.0**power for power in range(-4, 5) for step in steps]
    kept = [ratio for ratio in ratios if window[0] <= math.log(ratio) <= window[1]]
    digits = 2 if min(kept, default=1.0) < 0.1 else 1
    ax.set_xticks([math.log(ratio) for ratio in kept], [words.number(ratio, digits) for ratio in kept])


def _text_columns(
    ax: Axes, lines: list[Line], columns: Sequence[str], ratios: bool, conf_level: float, words: Language
) -> None:
    """Write the columns at the right: those asked for, the weight, the effect with its interval."""
    level = words.level(conf_level)
    texts = [[line.extra[k] if line.extra else "" for line in lines] for k in range(len(columns))]
    heads = list(columns)
    texts.append([words.number(line.weight, 1) if math.isfinite(line.weight) else "" for line in lines])
    heads.append(f"{words.say('synthesis_plot.weight')} (%)")
    texts.append([_numbers(line, ratios, words) for line in lines])
    heads.append(words.say("synthesis_plot.values", level=level))
    offset = _GAP
    for head, column in zip(heads, texts, strict=True):
        width = max(text_width(text, ax) for text in [head, *column] if text) if any([head, *column]) else 0.0
        for y, text in [(-1.0, head), *enumerate(column)]:
            if text:
                heavy = y < 0 or lines[int(y)].kind in ("mean", "prediction")
                ax.annotate(
                    text, (1, y), (offset, 0), xycoords=ax.get_yaxis_transform(), textcoords="offset points",
                    va="center_baseline", fontsize="small", fontweight="bold" if heavy else "normal",
                    annotation_clip=False, parse_math=False,
                )  # fmt: skip
        offset += 1.12 * width + _GAP


def _numbers(line: Line, ratios: bool, words: Language) -> str:
    """Return an estimate with its limits; ratios where these are drawn."""
    if line.kind == "heading":
        return ""
    value = math.exp if ratios else float
    limits = words.interval(value(line.low), value(line.high)) if math.isfinite(line.low) else ""
    return limits if line.kind == "prediction" else f"{words.number(value(line.estimate), 2)} {limits}".rstrip()
