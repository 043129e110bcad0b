"""Pictures of a synthesis besides the forest plot: funnel, orchard, and what the assumed correlation matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from sweval.errors import DesignError
from sweval.models.base.values import label_key
from sweval.reporting.canvas import drawing, number_ticks, plain
from sweval.reporting.language import load_language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sweval.models.base.synthesis_result import SynthesisResult

# Okabe and Ito's colours, told apart with every kind of colour vision
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
_CONTOURS = ((0.10, "#FFFFFF"), (0.05, "#DDDDDD"), (0.01, "#BBBBBB"))


def funnel(result: SynthesisResult, ax: Axes | None = None, *, language: str = "en") -> Axes:
    """Draw effects against their standard errors, with contours of the p-value.

    Use it to see whether small studies show larger effects, and whether those missing would have had large p-values. An
    uneven funnel has many causes; `result.bias()` asks further.

    Parameters
    ----------
    result
        From `Synthesis.fit`.
    ax
        Where to draw; by default a new figure.
    language
        `"en"` or `"id"`.

    Returns
    -------
    matplotlib.axes.Axes
        Precise effects at the top; white where p > .10 (two-sided), darker greys below .10, .05 and .01; a dashed line
        at each mean.

    Examples
    --------
    >>> import pandas as pd
    >>> from sweval.models.synthesis import Synthesis
    >>> frame = pd.DataFrame({"study": list("abcdef"), "estimate": [0.1, 0.4, 0.3, 0.5, 0.2, 0.6],
    ...                       "variance": [0.02, 0.03, 0.04, 0.05, 0.03, 0.06], "metric": "person_total"})
    >>> funnel(Synthesis().fit(frame)).get_ylabel()
    'Standard error'
    """
    words = load_language(language)
    y, error = result.fitted.effects.y, np.sqrt(result.fitted.effects.v)
    deepest = 1.08 * float(error.max())
    reach = max(float(np.abs(y).max()) * 1.15, -float(ndtri(0.005)) * deepest * 1.15)
    with drawing(ax) as canvas:
        canvas.set_facecolor("#999999")
        for p, colour in reversed(_CONTOURS):
            edge = -float(ndtri(p / 2)) * deepest
            digits = words.number(p, 2)
            canvas.fill(
                [-edge, 0, edge], [deepest, 0, deepest], color=colour, linewidth=0, zorder=1,
                label=words.say("synthesis_plot.not_significant", p=digits),
            )  # fmt: skip
        for colour, target in zip(_COLOURS, result.targets, strict=False):
            mean = result.effect("mean_effect", term=target.term).estimate
            canvas.axvline(mean, color=colour, linewidth=1.2, linestyle="--", zorder=2)
        canvas.scatter(y, error, s=16, color="black", alpha=0.7, linewidths=0, zorder=3)
        canvas.axvline(0, color="black", linewidth=0.8, zorder=2)
        canvas.set(xlim=(-reach, reach), ylim=(deepest, 0), ylabel=words.say("synthesis_plot.std_error"))
        canvas.set_xlabel(words.say("synthesis_plot.effect"))
        for axis in (canvas.xaxis, canvas.yaxis):
            number_ticks(axis, words)
        canvas.legend(loc="upper right", fontsize="small", framealpha=1)
        plain(canvas)
    return canvas


def orchard(result: SynthesisResult, ax: Axes | None = None, *, language: str = "en") -> Axes:
    """Draw all effects of each group as points around its mean, with confidence and prediction interval.

    Use it for many effects: it shows how far studies lie apart, which the interval of a mean hides.

    Parameters
    ----------
    result
        From `Synthesis.fit`; with a categorical moderator one band for each level.
    ax
        Where to draw; by default a new figure.
    language
        `"en"` or `"id"`.

    Returns
    -------
    matplotlib.axes.Axes
        Points by precision, a thick line for the confidence interval of the mean, a thin one for where the true effect
        of a new study lies.

    Examples
    --------
    >>> import pandas as pd
    >>> from sweval.models.synthesis import Synthesis
    >>> frame = pd.DataFrame({"study": list("abcdef"), "estimate": [0.1, 0.4, 0.3, 0.5, 0.2, 0.6],
    ...                       "variance": [0.02, 0.03, 0.04, 0.05, 0.03, 0.06], "metric": "person_total"})
    >>> orchard(Synthesis().fit(frame)).get_xlabel()
    'Effect (larger points are more precise)'
    """
    words = load_language(language)
    effects, rng = result.fitted.effects, np.random.default_rng(1)
    precision = 1 / np.sqrt(effects.v)
    labels = []
    with drawing(ax, height=1.4 + 1.1 * len(result.targets)) as canvas:
        for place, target in enumerate(result.targets):
            at = np.ones(len(effects.y), dtype=bool)
            if target.column is not None:
                at = np.array([label_key(value) == target.level for value in effects.table[target.column]])
            colour = _COLOURS[place % len(_COLOURS)]
            spread = place + rng.uniform(-0.3, 0.3, int(at.sum()))
            sizes = 8 + 60 * (precision[at] / precision.max()) ** 2
            canvas.scatter(effects.y[at], spread, s=sizes, color=colour, alpha=0.35, linewidths=0, zorder=2)
            mean = result.effect("mean_effect", term=target.term)
            wide = [row for row in result.estimates if row.measure == "prediction" and row.term == target.term]
            for row, width in ((row, 1.2 if row in wide else 4.5) for row in (*wide, mean)):
                if row.conf_low is not None and row.conf_high is not None:
                    limits = [row.conf_low, row.conf_high]
                    canvas.plot(limits, [place, place], color="black", linewidth=width, zorder=3)
            canvas.scatter([mean.estimate], [place], s=70, color=colour, edgecolors="black", zorder=5)
            counts = words.say("synthesis_plot.mean_counts", effects=target.effects, studies=target.studies)
            labels.append(counts if target.level is None else f"{target.level}\n{counts}")
        canvas.axvline(0, color="black", linewidth=0.8, zorder=1)
        canvas.set_yticks(range(len(labels)), labels)
        for tick in canvas.get_yticklabels():
            tick.set_parse_math(False)
        canvas.set(ylim=(len(labels) - 0.45, -0.55))
        canvas.tick_params(axis="y", length=0)
        canvas.set_xlabel(f"{words.say('synthesis_plot.effect')} ({words.say('synthesis_plot.sizes')})")
        number_ticks(canvas.xaxis, words)
        plain(canvas)
    return canvas


def rho_curve(result: SynthesisResult, ax: Axes | None = None, *, language: str = "en") -> Axes:
    """Draw the means against the assumed correlation of the errors within a study.

    Use it to see whether a guess decides anything; mostly the lines are flat.

    Parameters
    ----------
    result
        From `Synthesis.fit`.
    ax
        Where to draw; by default a new figure.
    language
        `"en"` or `"id"`.

    Returns
    -------
    matplotlib.axes.Axes
        A line with its band for each mean; the dotted line is at the correlation that the rows assume.

    Raises
    ------
    DesignError
        If the correlation plays no part in the model.

    Examples
    --------
    >>> import pandas as pd
    >>> from sweval.models.synthesis import Synthesis
    >>> frame = pd.DataFrame({"study": list("aabbcd"), "estimate": [0.1, 0.4, 0.3, 0.5, 0.2, 0.6],
    ...                       "variance": [0.02, 0.03, 0.04, 0.05, 0.03, 0.06], "metric": "person_total"})
    >>> rho_curve(Synthesis().fit(frame)).get_xlabel()
    'Assumed correlation of errors within a study'
    """
    words = load_language(language)
    frame = result.sensitivity
    if frame.empty:
        raise DesignError(
            "the correlation of errors plays no part in this model: studies have one effect each, or errors are taken "
            "as independent or given.",
            where="plots",
        )
    with drawing(ax) as canvas:
        shown = frame[frame["measure"] == "mean_effect"]
        for colour, target in zip(_COLOURS, result.targets, strict=False):
            line = shown[shown["term"] == target.term]
            label = words.say("synthesis_plot.mean") if target.level is None else target.level
            canvas.plot(line["rho"], line["estimate"], color=colour, linewidth=1.8, label=label, zorder=3)
            canvas.fill_between(line["rho"], line["conf_low"], line["conf_high"], color=colour, alpha=0.15, linewidth=0)
        rho = result.fitted.plan.rho
        canvas.axvline(
            rho, color="black", linewidth=0.9, linestyle=":", zorder=2, label=words.say("synthesis_plot.assumed")
        )
        canvas.axhline(0, color="black", linewidth=0.8, zorder=1)
        canvas.set_xlabel(words.say("synthesis_plot.rho"))
        canvas.set_ylabel(words.say("synthesis_plot.mean_axis", level=words.level(result.facts.conf_level)))
        canvas.xaxis.set_major_formatter(lambda value, _: words.number(value, 1))
        number_ticks(canvas.yaxis, words)
        for text in canvas.legend(loc="best", frameon=False).get_texts():
            text.set_parse_math(False)
        plain(canvas)
    return canvas
