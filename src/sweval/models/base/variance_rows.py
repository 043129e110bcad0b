"""Rows of variance components: standard deviations, correlations and intraclass correlations, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sweval.models.base.mixed_design import MixedDesign
from sweval.models.base.rows import Facts
from sweval.result import CHECK, Estimate

if TYPE_CHECKING:
    from sweval.models.engine.mixed.fit import MixedFit
    from sweval.models.engine.mixed.icc import IccInterval
    from sweval.models.engine.mixed.profile import Interval


_NO_LIMITS = "no interval, as its profile gave no limits"


def variance_rows(facts: Facts, fit: MixedFit, design: MixedDesign, *, classes: Sequence[str] = ()) -> list[Estimate]:
    """Return the rows of all variance parameters of a fit.

    Parameters
    ----------
    facts
        What all rows have in common; `conf_level` is used.
    fit, design
        The fitted model.
    classes
        Labels of the residual classes or occasions, in the order of the engine.

    Returns
    -------
    list of Estimate
        Terms read `agency: (Intercept)` (measure `sd`), `agency: (Intercept), wave` (`correlation`), `residual` or
        `residual: program` (`sd`), `residual` (`correlation`), `agency` (`icc`). A correlation with an effect that does
        not vary has no row.
    """
    from sweval.models.engine.mixed.icc import icc_intervals
    from sweval.models.engine.mixed.profile import profile_intervals

    likelihood = "restricted likelihood" if fit.reml else "likelihood"
    rows = []
    for found in profile_intervals(fit, conf_level=facts.conf_level):
        if np.isfinite(found.estimate):
            term, measure = _named(found, design, classes)
            rows.append(
                facts.row(
                    term,
                    measure,
                    found.estimate,
                    method=_said(found, likelihood, len(classes)),
                    **_limits(facts, found),
                )
            )
    if fit.residual_covariance is not None:
        rows += _unstructured(facts, fit, classes)
    for share in icc_intervals(fit, conf_level=facts.conf_level):
        exact = "exact F interval (Harville & Fenech 1985)" if share.exact else f"profile of the {likelihood}"
        how = exact if share.exact or np.isfinite([share.low, share.high]).all() else _NO_LIMITS
        method = f"share of variance between units, given the fixed effects; {how}"
        name = design.random[share.factor].name
        units = {"clusters": design.random[share.factor].units}
        rows.append(facts.row(name, "icc", share.estimate, method=method, **_limits(facts, share), **units))
    return rows


def notes_on_limits(rows: Sequence[Estimate]) -> list[str]:
    """Return a note on variance parameters without an interval because the search for its limits failed."""
    failed = [f"{row.term}, {row.measure}" for row in rows if row.method is not None and _NO_LIMITS in row.method]
    return [f"{CHECK}no interval for {'; '.join(failed)}: the likelihood gave no limits there."] if failed else []


def _named(found: Interval, design: MixedDesign, classes: Sequence[str]) -> tuple[str, str]:
    """Return term and measure of a variance parameter."""
    if found.factor is not None:
        part = design.random[found.factor]
        effects = ", ".join(part.names[k] for k in found.effects)
        return f"{part.name}: {effects}", found.kind
    if found.kind == "residual_correlation":
        return "residual", "correlation"
    return (f"residual: {classes[found.effects[0]]}" if classes else "residual"), "sd"


def _said(found: Interval, likelihood: str, classes: int) -> str:
    """Return how the interval was made, and what a limit on the boundary means."""
    from sweval.models.engine.mixed.profile import MOST_CLASSES

    said = f"profile of the {likelihood}"
    most = MOST_CLASSES.get(found.kind, classes)
    if classes > most and not np.isfinite(found.low):
        return f"{likelihood}; no interval with more than {most} classes of residuals"
    endless = found.high == np.inf and found.kind in ("sd", "residual_sd")
    if not (np.isfinite(found.low) and (np.isfinite(found.high) or endless)):
        return f"{likelihood}; {_NO_LIMITS}"
    if found.kind in ("sd", "residual_sd"):
        return f"{said}; an interval from 0 includes no variation at all" if found.low == 0 else said
    if found.kind == "correlation" and found.low == -1 and found.high == 1:
        return f"{said}; the data do not bound it"
    if found.kind == "correlation" and (found.low == -1 or found.high == 1):
        return f"{said}; the data do not bound it on one side"
    return said


def _limits(facts: Facts, found: Interval | IccInterval) -> dict[str, Any]:
    """Return the columns of an interval; none where there are no limits."""
    if not (np.isfinite(found.low) and np.isfinite(found.high)):
        return {}
    return {"conf_low": found.low, "conf_high": found.high, "conf_level": facts.conf_level}


def _unstructured(facts: Facts, fit: MixedFit, classes: Sequence[str]) -> list[Estimate]:
    """Return standard deviations by occasion and their correlations, without intervals."""
    covariance = np.asarray(fit.residual_covariance, dtype=float)
    sds = np.sqrt(np.diag(covariance))
    labels = list(classes) or [str(k + 1) for k in range(len(sds))]
    method = "unstructured residuals, no interval"
    rows = [
        facts.row(f"residual: {label}", "sd", float(sd), method=method) for label, sd in zip(labels, sds, strict=True)
    ]
    for b in range(len(sds)):
        for a in range(b):
            value = float(covariance[a, b] / (sds[a] * sds[b]))
            rows.append(facts.row(f"residual: {labels[a]}, {labels[b]}", "correlation", value, method=method))
    return rows
