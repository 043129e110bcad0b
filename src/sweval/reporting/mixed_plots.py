"""Pictures that show whether a mixed model fits: residuals, random effects, and what rests on one cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri

from sweval.errors import DesignError, did_you_mean
from sweval.reporting.canvas import drawing, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sweval.models.base.mixed_result import MixedResult

_POINT, _LINE, _BAND = "#0072B2", "#D55E00", "#DDDDDD"
_MANY_POINTS = 3000
_MANY_UNITS = 60
_GROUPS = 8


def residuals(result: MixedResult, ax: Axes | None = None) -> Axes:
    """Draw standardized residuals against predicted values.

    Use it to see whether errors vary alike at all heights (no funnel) and whether a curve is missing: the line joins
    the means of groups of neighbouring rows and should stay near zero.

    Parameters
    ----------
    result
        From `MixedModel`.
    ax
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import pandas as pd
    >>> from sweval.models.mixed_model import MixedModel
    >>> frame = pd.DataFrame({"agency": list("aabbccddee"), "distress": [4, 5, 7, 9, 3, 4, 6, 6, 8, 9.5]})
    >>> residuals(MixedModel(fixed="1", random={"agency": "1"}).fit(frame, "distress")).get_ylabel()
    'Standardized residual'
    """
    x = result.predict().to_numpy(dtype=float)
    y = result.residuals("standardized").to_numpy(dtype=float)
    with drawing(ax) as canvas:
        canvas.axhline(0, color="black", linewidth=0.8, zorder=1)
        if len(x) > _MANY_POINTS:
            canvas.hexbin(x, y, gridsize=45, mincnt=1, bins="log", cmap="Blues", linewidths=0.2, zorder=2)
        else:
            canvas.scatter(x, y, s=14, color=_POINT, alpha=_alpha(len(x)), linewidths=0, zorder=2)
        centres, means = _group_means(x, y)
        if len(centres) > 2:
            canvas.plot(centres, means, color=_LINE, linewidth=1.8, zorder=3, label="mean of neighbouring rows")
            canvas.legend(loc="best", frameon=False)
        canvas.set(xlabel=f"Predicted {result.facts.outcome}", ylabel="Standardized residual")
        _symmetric(canvas, y)
        plain(canvas)
    return canvas


def normal_quantiles(result: MixedResult, ax: Axes | None = None, *, term: str | None = None) -> Axes:
    """Draw residuals, or the random effects of one term, against the normal distribution.

    Use it to see outliers and long tails; not to test normality, which estimates of fixed effects hardly need.

    Parameters
    ----------
    result
        From `MixedModel`.
    ax
        Where to draw; by default a new figure.
    term
        A random effect as the rows name it, for example `agency: (Intercept)`; by default residuals are drawn.

    Returns
    -------
    matplotlib.axes.Axes
        The line is the normal distribution with the mean and spread of the values. The band holds each point with
        probability 95 % if all are normal and independent (quantiles of order statistics).

    Raises
    ------
    DesignError
        If there is no such random effect, or it does not vary.

    Examples
    --------
    >>> import pandas as pd
    >>> from sweval.models.mixed_model import MixedModel
    >>> frame = pd.DataFrame({"agency": list("aabbccddee"), "distress": [4, 5, 7, 9, 3, 4, 6, 6, 8, 9.5]})
    >>> model = MixedModel(fixed="1", random={"agency": "1"}).fit(frame, "distress")
    >>> normal_quantiles(model, term="agency: (Intercept)").get_xlabel()
    'Normal quantile'
    """
    if term is None:
        values, name = result.residuals("standardized").to_numpy(dtype=float), "Standardized residual"
    else:
        effects, name = _effects(result, term)
        values = effects["estimate"].to_numpy(dtype=float)
        if not values.std() > 0:
            raise DesignError(f'"{term}" does not vary in this fit, so there is nothing to draw.', where="plots")
    values = np.sort(values)
    n = len(values)
    rank = np.arange(1, n + 1)
    expected = ndtri((rank - 0.5) / n)
    centre, spread = float(values.mean()), float(values.std(ddof=1))
    low, high = (centre + spread * ndtri(betaincinv(rank, n - rank + 1, p)) for p in (0.025, 0.975))
    with drawing(ax) as canvas:
        canvas.fill_between(expected, low, high, color=_BAND, linewidth=0, zorder=1, label="95% of normal samples")
        canvas.plot(expected, centre + spread * expected, color="black", linewidth=0.8, zorder=2)
        canvas.scatter(expected, values, s=14, color=_POINT, alpha=_alpha(n), linewidths=0, zorder=3)
        canvas.set(xlabel="Normal quantile", ylabel=name)
        canvas.legend(loc="upper left", frameon=False)
        plain(canvas)
    return canvas


def random_effects(
    result: MixedResult, ax: Axes | None = None, *, term: str | None = None, labels: bool = False
) -> Axes:
    """Draw the random effects of one term, sorted, with 95 % intervals.

    Use it to see how far units lie apart and whether single ones stand out. It is no league table: intervals of most
    units overlap, and effects of small units are pulled to zero.

    Parameters
    ----------
    result
        From `MixedModel`.
    ax
        Where to draw; by default a new figure.
    term
        A random effect as the rows name it, for example `agency: (Intercept)`; by default the first.
    labels
        Whether to print the ids of units. They are left out by default: do not publish them.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    DesignError
        If there is no such random effect.

    Examples
    --------
    >>> import pandas as pd
    >>> from sweval.models.mixed_model import MixedModel
    >>> frame = pd.DataFrame({"agency": list("aabbccddee"), "distress": [4, 5, 7, 9, 3, 4, 6, 6, 8, 9.5]})
    >>> random_effects(MixedModel(fixed="1", random={"agency": "1"}).fit(frame, "distress")).get_ylabel()
    '5 units of "agency", sorted'
    """
    effects, name = _effects(result, term)
    effects = effects.sort_values("estimate", kind="stable")
    values, errors = effects["estimate"].to_numpy(dtype=float), effects["std_error"].to_numpy(dtype=float)
    place = np.arange(len(values))
    reach = float(ndtri(0.975)) * errors
    few = len(values) <= _MANY_UNITS
    with drawing(ax, height=_height(len(values))) as canvas:
        canvas.axvline(0, color="black", linewidth=0.8, zorder=1)
        canvas.hlines(
            place, values - reach, values + reach, color=_POINT, alpha=1 if few else 0.35, linewidth=1.3, zorder=2
        )
        canvas.scatter(values, place, s=22 if few else 5, color=_POINT, linewidths=0, zorder=3)
        canvas.set(
            xlabel=f"{name}, 95% interval", ylabel=f'{len(values)} units of "{effects["factor"].iloc[0]}", sorted'
        )
        canvas.set_yticks(place if labels else [], effects["unit"].tolist() if labels else [])
        canvas.set_ylim(-0.8, len(values) - 0.2)
        plain(canvas)
    return canvas


def influence(result: MixedResult, ax: Axes | None = None, *, factor: str | None = None, labels: bool = False) -> Axes:
    """Draw how far all coefficients move when one unit is left out.

    Use it before a conclusion that few clusters carry. The model is fitted again without each unit, which takes as many
    fits as there are units.

    Parameters
    ----------
    result
        From `MixedModel`.
    ax
        Where to draw; by default a new figure.
    factor
        Grouping factor; by default the one with the fewest units.
    labels
        Whether to print the ids of units. They are left out by default: do not publish them.

    Returns
    -------
    matplotlib.axes.Axes
        Cook's distances from the largest down. A unit without which the model cannot be fitted is named in the axis
        label as a count.

    Examples
    --------
    >>> import pandas as pd
    >>> from sweval.models.mixed_model import MixedModel
    >>> frame = pd.DataFrame({"agency": list("aabbccddee"), "distress": [4, 5, 7, 9, 3, 4, 6, 6, 8, 9.5]})
    >>> influence(MixedModel(fixed="1", random={"agency": "1"}).fit(frame, "distress")).get_ylabel()
    '5 units of "agency", sorted'
    """
    found = result.influence(factor)
    parts = result.design.random
    name = factor or min(parts, key=lambda part: part.units).name
    lost = int(found["cooks_distance"].isna().sum())
    found = found.dropna(subset=["cooks_distance"]).sort_values("cooks_distance", kind="stable")
    values, place = found["cooks_distance"].to_numpy(dtype=float), np.arange(len(found))
    few = len(values) <= _MANY_UNITS
    with drawing(ax, height=_height(len(values))) as canvas:
        canvas.hlines(place, 0, values, color=_POINT, linewidth=1.3 if few else 0.8, zorder=2)
        canvas.scatter(values, place, s=22 if few else 5, color=_POINT, linewidths=0, zorder=3)
        missing = f" ({lost} not shown: no fit without them)" if lost else ""
        canvas.set(
            xlabel="Cook's distance of all coefficients", ylabel=f'{len(values)} units of "{name}", sorted{missing}'
        )
        canvas.set_yticks(place if labels else [], found["unit"].tolist() if labels else [])
        canvas.set_ylim(-0.8, len(values) - 0.2)
        canvas.set_xlim(left=0)
        plain(canvas)
    return canvas


def _effects(result: MixedResult, term: str | None) -> tuple[Any, str]:
    """Return the random effects of one term, and its name."""
    found = result.random_effects()
    names = found["factor"] + ": " + found["term"]
    known = list(dict.fromkeys(names))
    if not known:
        raise DesignError("the model has no random effects.", where="plots")
    chosen = known[0] if term is None else term
    if chosen not in known:
        raise DesignError(f'there is no random effect "{chosen}".', where="plots", fix=did_you_mean(chosen, known))
    return found[names == chosen], chosen


def _group_means(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean x and y of at most eight groups of neighbouring rows, at least ten rows each."""
    order = np.argsort(x, kind="stable")
    parts = np.array_split(order, max(1, min(_GROUPS, len(x) // 10)))
    return np.array([x[part].mean() for part in parts]), np.array([y[part].mean() for part in parts])


def _symmetric(ax: Axes, y: NDArray[np.float64]) -> None:
    top = 1.08 * max(float(np.abs(y).max()), 1.0)
    ax.set_ylim(-top, top)


def _alpha(count: int) -> float:
    return 0.8 if count <= 200 else 0.5 if count <= 1000 else 0.3


def _height(units: int) -> float:
    return float(np.clip(1.2 + 0.17 * units, 2.6, 8.0))
