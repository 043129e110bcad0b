"""The distribution of a score with the bands of its questionnaire, whole or split by arm and wave."""

from __future__ import annotations

import itertools
import math
import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweval.errors import DataError, InstrumentError, did_you_mean
from sweval.frames import take
from sweval.models.base.values import is_number, levels, numbers
from sweval.reporting.canvas import drawing, plain, points_wide, text_width
from sweval.scoring.definition import instrument as find_instrument
from sweval.scoring.definition import scale_of
from sweval.scoring.records import Band, Instrument, Scale
from sweval.scoring.rules import points_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_WHERE = "plots.scale"
_BAR, _SHADE, _CUT, _SOFT = "#0072B2", "#EDEDED", "#555555", "#444444"
_MANY_BARS, _FEWER_BARS = 64, 32
_MANY_GROUPS = 24
_REACH = 0.74  # of a strip's height; the shares of the bands stand above
_NAME = 18


@dataclass(frozen=True, kw_only=True)
class _Group:
    """One strip: its name, the scores there are, and how many rows have none."""

    name: str
    scores: NDArray[np.float64]
    missing: int


def scale(
    frame: Any,
    column: str,
    ax: Axes | None = None,
    *,
    by: str | Sequence[str] = (),
    variant: str | None = None,
    instrument: str | os.PathLike[str] | Instrument | None = None,
) -> Axes:
    """Draw how a score is distributed, with the bands and cut-offs of its questionnaire.

    Use it to see where clients stand and how waves or arms differ in shape: floor and ceiling, two humps, few clients
    above the cut-off. It is a description: what a difference is worth, an effect with its interval says.

    Parameters
    ----------
    frame
        Any supported frame that holds the score, one row per answered questionnaire.
    column
        The score as `sweval.score` names it, for example `phq9_total`; another column of numbers is drawn without
        bands.
    ax
        Where to draw; by default a new figure, high enough for all groups.
    by
        One or two columns, for example `"wave"` or `("arm", "wave")`: one strip for each group, on the same scales.
    variant
        Whose bands to draw, where the instrument has several sets.
    instrument
        Where the score is of a questionnaire of your own: its file or `Instrument`.

    Returns
    -------
    matplotlib.axes.Axes
        Bars are shares of the rows that have a score; n and the rows without a score stand at the right. Vertical lines
        are the cuts between bands, with the share in each band above the bars; bands that were not checked against
        their source are said to be.

    Raises
    ------
    DataError
        If the column is absent or holds no number, or `by` makes more than 24 groups.
    InstrumentError
        If the instrument has no such score, or the score no bands of that variant.

    Examples
    --------
    >>> import pandas as pd
    >>> import sweval as sw
    >>> scores = pd.DataFrame({"phq9_total": [3, 8, 12, 20, None], "wave": ["pre", "pre", "post", "post", "post"]})
    >>> sw.plots.scale(scores, "phq9_total", by="wave").get_xlabel().splitlines()[0]
    'phq9_total (lower is better)'
    """
    found, step = _scale(column, instrument)
    found = _of_variant(found, variant, column)
    keys = [by] if isinstance(by, str) else list(by)
    groups, left_out = _groups(take(frame, [column, *keys], where=_WHERE), column, keys)
    edges = _edges(found, step, np.concatenate([group.scores for group in groups]))
    with drawing(ax, width=7.6, height=1.9 + 1.25 * len(groups)) as canvas:
        _draw(canvas, groups, edges, found)
        _name_the_axes(canvas, column, found, keys, left_out)
        if found and found.bands:
            _draw_bands(canvas, found.bands, groups)
    return canvas


def _scale(column: str, instrument: str | os.PathLike[str] | Instrument | None) -> tuple[Scale | None, float]:
    """Return the score's definition, if there is one, and the distance between its neighbouring values (0: none)."""
    if instrument is None:
        scale = scale_of(column)
        if scale is None:
            return None, 0.0
        instrument = column.removesuffix(f"_{scale.id}")
    own = find_instrument(instrument, accept_licence=True)  # its bands are looked up; nothing is scored
    for candidate in own.scores:
        if candidate.column == column:
            return candidate, _distance(own, candidate)
    raise InstrumentError(
        f'{own.id} makes no column "{column}".', fix=f"It makes {', '.join(scale.column for scale in own.scores)}."
    )


def _distance(instrument: Instrument, scale: Scale) -> float:
    if scale.op not in ("sum", "mean", "any"):
        return 0.0
    points = [list(counts.values()) for counts in points_of(instrument, scale).values()]
    unit = math.gcd(*(count - counts[0] for counts in points for count in counts)) if scale.op != "any" else 1
    return abs(scale.multiply) * unit / (len(scale.items) if scale.op == "mean" else 1)


def _of_variant(found: Scale | None, variant: str | None, column: str) -> Scale | None:
    """Return the score with the bands of a variant."""
    if variant is None:
        return found
    known = [entry.variant for entry in found.band_sets if entry.variant] if found else []
    if found is None or variant not in known:
        raise InstrumentError(f'{column} has no bands of a variant "{variant}".', fix=did_you_mean(variant, known))
    return replace(found, variant=variant)


def _groups(table: pd.DataFrame, column: str, keys: Sequence[str]) -> tuple[list[_Group], int]:
    """Return the strips from top to bottom, and how many rows belong to none."""
    values, _ = numbers(table[column], where=_WHERE)
    if not len(values) or np.isnan(values).all():
        raise DataError(f'"{column}" holds no number, so there is nothing to draw.', where=_WHERE)
    if not keys:
        return [_group("", values)], 0
    if len(keys) > 2:
        raise DataError(f"by names {len(keys)} columns.", where=_WHERE, fix="Name one or two.")
    split = [_levels(table[key]) for key in keys]
    groups, used = [], 0
    for places in itertools.product(*(range(len(labels)) for _, labels in split)):
        rows = np.all([codes == place for (codes, _), place in zip(split, places, strict=True)], axis=0)
        if rows.any():
            name = ", ".join(labels[place] for (_, labels), place in zip(split, places, strict=True))
            groups.append(_group(name, values[rows]))
            used += int(rows.sum())
    if len(groups) > _MANY_GROUPS:
        raise DataError(
            f"by makes {len(groups)} groups, too many for one picture.",
            where=_WHERE,
            fix=f"Draw at most {_MANY_GROUPS}: choose rows first, or a column with fewer values.",
        )
    if not any(len(group.scores) for group in groups):
        raise DataError(f'no row has both a value of {" and ".join(keys)} and a number in "{column}".', where=_WHERE)
    return groups, len(table) - used


def _group(name: str, values: NDArray[np.float64]) -> _Group:
    absent = np.isnan(values)
    return _Group(name=name, scores=values[~absent], missing=int(absent.sum()))


def _levels(column: pd.Series) -> tuple[NDArray[np.intp], list[str]]:
    """Return each row's level (-1 = none) and the levels: numbers and ordered categories in order, others as met."""
    codes, labels = levels(column, where=_WHERE)
    if is_number(column) or getattr(column.dtype, "ordered", False):
        return codes, labels
    met = [int(code) for code in dict.fromkeys(codes.tolist()) if code >= 0]
    place = np.full(len(labels) + 1, -1, dtype=np.intp)
    place[met] = np.arange(len(met))
    return place[codes], [labels[code] for code in met]


def _edges(found: Scale | None, step: float, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of the bars: one bar per possible score where these are not too many."""
    low, high = found.range if found else (float(scores.min()), float(scores.max()))
    low, high = min(low, float(scores.min())), max(high, float(scores.max()))
    if not high > low:
        return np.array([low - 0.5, low + 0.5])
    step = step or float(np.array_equal(scores, np.round(scores)))
    if not step:
        return np.asarray(np.linspace(low, high, 26), dtype=np.float64)
    possible = round((high - low) / step) + 1
    if possible > _MANY_BARS:
        step *= math.ceil(possible / _FEWER_BARS)
        possible = math.ceil((high - low) / step) + 1
    return np.asarray(low + step * (np.arange(possible + 1) - 0.5), dtype=np.float64)


def _draw(ax: Axes, groups: Sequence[_Group], edges: NDArray[np.float64], found: Scale | None) -> None:
    shares = [np.histogram(group.scores, edges)[0] / max(len(group.scores), 1) for group in groups]
    peak = max(float(share.max()) for share in shares)
    low, high = float(edges[0]), float(edges[-1])
    pad = 0.01 * (high - low)
    ax.set(xlim=(low - pad, high + pad), ylim=(-(len(groups) - 1) - 0.04, 1.0))
    for place, (group, share) in enumerate(zip(groups, shares, strict=True)):
        base = -float(place)
        ax.bar(
            edges[:-1], _REACH * share / peak, np.diff(edges), bottom=base, align="edge", color=_BAR,
            edgecolor="white", linewidth=0.6, zorder=2,
        )  # fmt: skip
        ax.axhline(base, color="black", linewidth=0.8, zorder=3)
        _name_the_group(ax, group, base)
    top = _round_share(peak)
    ax.set_yticks(
        [y for place in range(len(groups)) for y in (-place, -place + _REACH * top / peak)],
        ["0", f"{100 * top:g}"] * len(groups),
    )
    plain(ax)
    ax.spines[["left", "bottom"]].set_visible(False)


def _name_the_group(ax: Axes, group: _Group, base: float) -> None:
    """Write name, n and missing at the right of a strip."""
    counts = f"n = {len(group.scores):,}\n{group.missing:,} missing"
    right: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "ha": "left", "parse_math": False}
    if not group.name:
        ax.text(1.02, base + 0.4, counts, va="center", color=_SOFT, **right)
        return
    name = "\n".join(textwrap.wrap(group.name, _NAME, max_lines=2, placeholder=" …"))
    ax.text(1.02, base + 0.52, name, va="bottom", fontweight="bold", **right)
    ax.text(1.02, base + 0.46, counts, va="top", color=_SOFT, **right)


def _draw_bands(ax: Axes, bands: Sequence[Band], groups: Sequence[_Group]) -> None:
    """Draw the bands behind the bars and the cuts between them, with their names above and the shares inside."""
    low, high = ax.get_xlim()
    cuts = [band.cut for band in bands[1:]]
    ends = list(itertools.pairwise([low, *cuts, high]))
    for number, (start, end) in enumerate(ends):
        if number % 2:
            ax.axvspan(start, end, color=_SHADE, linewidth=0, zorder=0)
        if number:
            ax.axvline(start, color=_CUT, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
    unit = points_wide(ax) / (high - low)
    rooms = [(end - start) * unit - 4.0 for start, end in ends]
    _name_the_bands(ax, bands, ends, rooms)
    for place, group in enumerate(groups):
        if len(bands) < 2 or not len(group.scores):
            continue
        counts = np.bincount(np.searchsorted(cuts, group.scores, side="right"), minlength=len(bands))
        for (start, end), room, count in zip(ends, rooms, counts.tolist(), strict=True):
            text = f"{100 * count / len(group.scores):.0f}%"
            if text_width(text, ax) <= room:
                x, y = (start + end) / 2, -place + 0.87
                ax.text(x, y, text, ha="center", va="center", color=_SOFT, fontsize="small")
    edges = [*(band.min for band in bands), bands[-1].max]
    kept = [edge for place, edge in enumerate(edges) if not place or (edge - edges[place - 1]) * unit >= 14.0]
    ax.set_xticks(kept, [f"{edge:g}" for edge in kept])


def _name_the_bands(
    ax: Axes, bands: Sequence[Band], ends: Sequence[tuple[float, float]], rooms: Sequence[float]
) -> None:
    """Write the names above, level where all of them fit and upright otherwise."""
    folded = [_folded(band.label, room, ax) for band, room in zip(bands, rooms, strict=True)]
    level = None not in folded
    for band, lines, (start, end) in zip(bands, folded, ends, strict=True):
        ax.text(
            (start + end) / 2,
            1.015,
            "\n".join(lines) if level and lines else textwrap.fill(band.label, _NAME),
            transform=ax.get_xaxis_transform(),
            ha="center",
            va="bottom",
            rotation=0 if level else 90,
            fontsize="small",
            parse_math=False,
        )


def _folded(label: str, room: float, ax: Axes) -> list[str] | None:
    """Return the lines of a label that fit into the room (points), None where a word does not."""
    lines: list[str] = []
    for word in label.split():
        if text_width(word, ax) > room:
            return None
        if lines and text_width(f"{lines[-1]} {word}", ax) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _round_share(peak: float) -> float:
    """Return a round share near the top of the highest bar, for the scale at the left."""
    unit = 10.0 ** math.floor(math.log10(peak)) if peak > 0 else 1.0
    return float(max(step * unit for step in (1.0, 2.0, 5.0) if step * unit <= peak * 1.0000001))


def _name_the_axes(ax: Axes, column: str, found: Scale | None, keys: Sequence[str], left_out: int) -> None:
    lines = [column + (f" ({found.better} is better)" if found and found.better else "")]
    if found and found.band_set:
        lines.append(f"bands: {found.band_set.source}{'' if found.band_set.verified else ' [not checked]'}")
    elif found and found.band_sets:
        named = ", ".join(f'"{entry.variant}"' for entry in found.band_sets)
        lines.append(f"bands need variant = {named}")
    if left_out:
        rows = "1 row has" if left_out == 1 else f"{left_out:,} rows have"
        lines.append(f"{rows} no value of {' or '.join(keys)} and {'is' if left_out == 1 else 'are'} left out")
    ax.set_xlabel("\n".join(lines), parse_math=False)
    ax.set_ylabel("Share of rows with a score, %")
