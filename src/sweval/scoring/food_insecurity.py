"""Prevalence of food insecurity in a survey from the Food Insecurity Experience Scale (SDG indicator 2.1.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from sweval.errors import DataError, SwevalError
from sweval.result import CHECK, Estimate, Fit, Result
from sweval.scoring.food_sample import FoodSample, read_food_sample
from sweval.scoring.food_standard import (
    APART,
    MOST_UNIQUE,
    STANDARD,
    THRESHOLDS,
    Equating,
    class_probabilities,
    equate,
    probability_slopes,
)
from sweval.scoring.rasch import Floats, RaschFit, conditional, fit_rasch, item_fit, raw_scores
from sweval.scoring.request import CodingArgument, RawCode

_INFIT = (0.7, 1.3)


def food_insecurity(
    frame: Any,
    *,
    items: str | Sequence[str],
    missing: Sequence[RawCode] | RawCode = (),
    coding: CodingArgument = None,
    weight: str | None = None,
    cluster: str | None = None,
    by: str | None = None,
    conf_level: float = 0.95,
) -> Result:
    """Estimate the prevalence of moderate or severe, and of severe, food insecurity from the FIES.

    Use it for a survey of many persons or households: it calibrates the eight items in these data, puts them on FAO's
    global standard and returns the share of the population beyond each threshold, comparable between countries. For
    single persons or a small group, `sweval.score(..., "fies8")` gives the probability by raw score on the standard
    itself. A cut at raw score 4 or 7 is not this indicator.

    Parameters
    ----------
    frame
        One row per respondent, any supported frame.
    items, missing, coding
        As in `sweval.score`, for the instrument `fies8`.
    weight
        Column of sampling weights. For the share of persons from household answers, multiply by household size first.
    cluster
        Column of primary sampling units; standard errors then allow for likeness within them.
    by
        Column of groups; their prevalence is added, with the items calibrated on all rows together.
    conf_level
        Level of the intervals.

    Returns
    -------
    Result
        Rows `prevalence` (terms "moderate or severe" and "severe", with interval; further terms for the groups of
        `by`), `item_severity` on the global standard, `infit` and `outfit` for each item, `probability` of each class
        by raw score, and `reliability` of the scale.

    Raises
    ------
    InstrumentError
        If the answers do not fit the instrument.
    DataError
        If a weight is not positive, or the items cannot be calibrated.

    Notes
    -----
    Rows with all eight answers count. Item severities are weighted conditional maximum likelihood estimates of the
    Rasch model. Scale and shift make mean and standard deviation of the common items equal to the standard's; items
    that lie 0.35 or more away are set aside one by one, the farthest first and at most three. Persons with raw score r
    are beyond a threshold t with probability 1 - Phi((t - theta_r) / se_r), and 0 for r = 0 (Cafiero, Viviani and Nord
    2018, Measurement 116:146-152; the steps and the standard as in FAO's program RM.weights). For r = 8 the standard
    error follows the manual of that program, not its code (see `rasch.raw_scores`): in its four example surveys the
    prevalences differ from its own by at most 0.3 percentage points for that reason, and otherwise by 0.03.

    Standard errors are linearised over clusters (or rows) and count the sampling of the item severities as well, which
    items are common being taken as given; strata are not used. Intervals are t intervals of the logit.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import sweval as sw
    >>> rng = np.random.default_rng(1)
    >>> person = rng.normal(-1.0, 2.0, size=(600, 1))
    >>> severity = np.array([-1.2, -0.8, -1.1, 0.4, -0.3, 0.5, 0.8, 1.9])
    >>> said = (rng.random((600, 8)) < 1 / (1 + np.exp(severity - person))).astype(int)
    >>> frame = pd.DataFrame(said, columns=[f"f{i}" for i in range(1, 9)])
    >>> result = sw.food_insecurity(frame, items=list(frame))
    >>> round(result.effect("prevalence", term="moderate or severe").estimate, 2)
    0.37
    """
    if not 0 < conf_level < 1:
        raise SwevalError(f"conf_level is {conf_level:g}, but must lie between 0 and 1.", fix="Use 0.95.")
    sample = read_food_sample(frame, items, missing, coding, {"weight": weight, "cluster": cluster, "by": by})
    if sample.inside.sum() < sample.answers.shape[1]:
        raise DataError(
            f"only {int(sample.inside.sum())} rows are neither all yes nor all no: too few to calibrate eight items.",
            where="food_insecurity",
            fix='Use the table of the global standard for single persons: sweval.score(..., "fies8").',
        )
    counted = sample.weight * sample.inside
    totals = np.bincount(sample.scores, weights=sample.weight, minlength=len(STANDARD) + 1).astype(float)
    fit = fit_rasch(counted @ sample.answers, totals)
    equating = equate(fit.severity)
    probability = class_probabilities(fit.severity, equating)
    estimates = [
        *_prevalences(sample, fit, equating, conf_level, clustered=cluster is not None, by=by),
        *_item_rows(sample, fit, equating),
        *_score_rows(sample, fit, probability, totals),
    ]
    notes = [*sample.notes, *_equating_notes(sample.columns, fit, equating), *_misfit_notes(sample, fit)]
    return Result(
        estimates=tuple(estimates),
        fits=(
            Fit(
                outcome="fies8",
                model="Rasch model, weighted conditional maximum likelihood, equated to FAO's global standard",
                rows=sample.rows,
                used=len(sample.weight),
                dropped=sample.rows - len(sample.weight),
                clusters=int(sample.cluster.max()) + 1 if cluster is not None else None,
                log_likelihood=fit.log_likelihood,
                converged=True,
                engine="sweval",
            ),
        ),
        notes=tuple(notes),
    )


def _prevalences(
    sample: FoodSample, fit: RaschFit, equating: Equating, conf_level: float, *, clustered: bool, by: str | None
) -> list[Estimate]:
    """Return the rows of the whole sample and of each group."""
    scores = sample.scores
    probability = class_probabilities(fit.severity, equating)
    slope = probability_slopes(fit.severity, equating)
    pull = _influence(sample, fit)
    members = [("", np.ones(len(scores), dtype=bool))]
    if sample.group is not None:
        labels = sorted(
            {label for label in sample.group if label is not None}, key=lambda label: (str(type(label)), label)
        )
        members += [(f", {by}[{label}]", sample.group == label) for label in labels]
    rows = []
    for suffix, inside in members:
        weight = np.where(inside, sample.weight, 0.0)
        share = np.bincount(scores, weights=weight, minlength=len(probability)) / weight.sum()
        count = len(np.unique(sample.cluster[inside]))
        for place, name in enumerate(THRESHOLDS):
            estimate = float(share @ probability[:, place])
            own = weight * (probability[scores, place] - estimate) / weight.sum()
            linear = own + sample.weight * (pull @ (share @ slope[:, place]))
            rows.append(
                _prevalence(
                    term=f"{name}{suffix}",
                    estimate=estimate,
                    std_error=_cluster_error(linear, sample.cluster),
                    df=float(count - 1),
                    conf_level=conf_level,
                    n=int(inside.sum()),
                    clusters=count if clustered else None,
                )
            )
    return rows


def _prevalence(
    *, term: str, estimate: float, std_error: float, df: float, conf_level: float, n: int, clusters: int | None
) -> Estimate:
    low = high = None
    if df > 0 and 0 < estimate < 1:
        reach = float(stdtrit(df, (1 + conf_level) / 2)) * std_error / (estimate * (1 - estimate))
        low, high = (float(expit(logit(estimate) + sign * reach)) for sign in (-1.0, 1.0))
    return Estimate(
        outcome="fies8",
        term=term,
        measure="prevalence",
        estimate=estimate,
        std_error=std_error if df > 0 else None,
        conf_low=low,
        conf_high=high,
        conf_level=conf_level if low is not None else None,
        df=df if df > 0 else None,
        better="lower",
        n=n,
        clusters=clusters,
        method="mean probability beyond the threshold of FAO's global standard; linearised standard error with "
        "calibration, t interval of the logit",
        metric="share",
    )


def _influence(sample: FoodSample, fit: RaschFit) -> Floats:
    """Return what each row, per unit of weight, adds to the item severities, shape (n, 8)."""
    score = np.where(sample.inside[:, None], conditional(fit.severity).single[sample.scores] - sample.answers, 0.0)
    return np.asarray(score @ fit.inverse_information)


def _cluster_error(linear: Floats, cluster: NDArray[np.intp]) -> float:
    """Return the standard error of a sum of linearised values drawn by cluster."""
    sums = np.bincount(cluster, weights=linear)
    count = len(sums)
    return float(np.sqrt(count / (count - 1) * ((sums - sums.mean()) ** 2).sum()))


def _item_rows(sample: FoodSample, fit: RaschFit, equating: Equating) -> list[Estimate]:
    quality = item_fit(sample.answers, sample.weight, fit.severity)
    linear = sample.weight[:, None] * _influence(sample, fit)
    used = int(sample.inside.sum())
    rows = []
    for place, name in enumerate(sample.columns):
        common: dict[str, Any] = {"outcome": "fies8", "term": name, "n": used}
        rows.append(
            Estimate(
                measure="item_severity",
                estimate=float(equating.shift + equating.scale * fit.severity[place]),
                std_error=equating.scale * _cluster_error(linear[:, place], sample.cluster),
                method="weighted conditional maximum likelihood, robust standard error; "
                + ("common item" if equating.common[place] else "unique item, not used in the equating"),
                metric="global standard",
                **common,
            )
        )
        rows.append(
            Estimate(
                measure="infit",
                estimate=float(quality.infit[place]),
                std_error=float(quality.infit_std_error[place]),
                null=1.0,
                method="information-weighted mean square given the raw score",
                **common,
            )
        )
        rows.append(
            Estimate(
                measure="outfit",
                estimate=float(quality.outfit[place]),
                null=1.0,
                method="unweighted mean square given the raw score",
                **common,
            )
        )
    return rows


def _score_rows(sample: FoodSample, fit: RaschFit, probability: Floats, totals: Floats) -> list[Estimate]:
    """Return the probabilities by raw score, and the share of true variance among the rows that calibrate."""
    counts = np.bincount(sample.scores, minlength=len(probability))
    rows = [
        Estimate(
            outcome="fies8",
            term=f"{name}, raw score {score}",
            measure="probability",
            estimate=float(probability[score, place]),
            n=int(counts[score]),
            better="lower",
            method="1 - Phi((threshold - severity of the raw score) / its standard error); 0 for raw score 0",
            metric="share",
        )
        for place, name in enumerate(THRESHOLDS)
        for score in range(len(probability))
    ]
    person = raw_scores(fit.severity)
    weight = totals[1:-1] / totals[1:-1].sum()
    severity, error = person.severity[1:-1], person.std_error[1:-1]
    between = float(weight @ (severity - weight @ severity) ** 2)
    rows.append(
        Estimate(
            outcome="fies8",
            term="fies8",
            measure="reliability",
            estimate=between / (between + float(weight @ error**2)),
            n=int(sample.inside.sum()),
            method="Rasch reliability over raw scores 1 to 7",
        )
    )
    return rows


def _equating_notes(names: Sequence[str], fit: RaschFit, equating: Equating) -> list[str]:
    notes = [
        f"food_insecurity: severities were put on FAO's global standard 2014-2016 (scale {equating.scale:.3f}, shift "
        f"{equating.shift:.3f}); raw score 0 counts as food secure."
    ]
    unique = [name for name, common in zip(names, equating.common, strict=True) if not common]
    if unique:
        notes.append(
            f"food_insecurity: {_listed(unique)} {'lies' if len(unique) == 1 else 'lie'} {APART} or more from the "
            "standard and took no part in the equating."
        )
    distance = np.abs(equating.shift + equating.scale * fit.severity - np.array(STANDARD))
    apart = [
        name
        for name, common, far in zip(names, equating.common, distance, strict=True)
        if common and float(far) >= APART
    ]
    if apart:
        notes.append(
            f"{CHECK}after {MOST_UNIQUE} items were set aside, {_listed(apart)} still lie {APART} or more from FAO's "
            "standard, so the prevalence is hardly comparable with other surveys."
        )
    return notes


def _misfit_notes(sample: FoodSample, fit: RaschFit) -> list[str]:
    infit = item_fit(sample.answers, sample.weight, fit.severity).infit
    odd = [
        f"{name} ({value:.2f})"
        for name, value in zip(sample.columns, infit.tolist(), strict=True)
        if not _INFIT[0] <= value <= _INFIT[1]
    ]
    if not odd:
        return []
    return [
        f"{CHECK}the infit of {_listed(odd)} lies outside {_INFIT[0]} to {_INFIT[1]}: these items do not measure the "
        "same thing as the others here; look at their translation and at how they were asked."
    ]


def _listed(names: Iterable[str]) -> str:
    *first, last = list(names)
    return f"{', '.join(first)} and {last}" if first else last
