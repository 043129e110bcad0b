"""Rows of a growth model: means of each arm by wave, and what varies between clients and clusters."""

from __future__ import annotations

from typing import Any

import numpy as np

from sweval.models.base.growth_model import GrowthFit
from sweval.models.base.repeated import Repeated
from sweval.models.base.rows import Facts
from sweval.models.base.values import label_key
from sweval.models.base.variance_rows import variance_rows
from sweval.result import Estimate

MOST_PROFILED = 20_000
"""Above this many rows intervals of standard deviations, which need many fits, are left out."""


def wave_rows(facts: Facts, sample: Repeated, arm: str, labels: tuple[object, object]) -> list[Estimate]:
    """Return the clients of each arm (control first), and mean and standard deviation at the last wave and baseline."""
    rows = []
    for side, label in ((~sample.treated, labels[0]), (sample.treated, labels[1])):
        count = int(side.sum())
        own: dict[str, Any] = {
            "n": count,
            "clusters": None if sample.cluster is None else len(np.unique(sample.cluster[side])),
            "method": "clients with a value at any of the waves in use",
        }
        rows.append(facts.row(f"{arm}[{label_key(label)}]", "clients", float(count), **own))
    for prefix, wave in (("", len(sample.labels) - 1), ("baseline_", 0)):
        values, who = sample.at(wave)
        treated = sample.treated[who]
        for side, label in ((~treated, labels[0]), (treated, labels[1])):
            clusters = None if sample.cluster is None else len(np.unique(sample.cluster[who[side]]))
            own = {
                "n": int(side.sum()),
                "clusters": clusters,
                "method": f"unadjusted, clients with a value at {sample.labels[wave]}",
                "metric": "raw",
            }
            term = f"{arm}[{label_key(label)}]"
            rows.append(facts.row(term, f"{prefix}mean", float(values[side].mean()), **own))
            rows.append(facts.row(term, f"{prefix}sd", float(values[side].std(ddof=1)), **own))
    return rows


def component_rows(facts: Facts, model: GrowthFit) -> list[Estimate]:
    """Return standard deviations and correlations of levels and slopes, and of the residuals."""
    if model.fit.n <= MOST_PROFILED:
        return variance_rows(facts, model.fit, model.data.design, classes=model.data.classes)
    method = f"REML; no interval above {MOST_PROFILED:,} rows"
    rows = []
    for part, covariance in zip(model.data.design.random, model.fit.covariances, strict=True):
        sds = np.sqrt(np.diag(covariance))
        for name, sd in zip(part.names, sds.tolist(), strict=True):
            rows.append(facts.row(f"{part.name}: {name}", "sd", sd, method=method))
        if sds.all():
            term = f"{part.name}: {', '.join(part.names)}"
            rows.append(facts.row(term, "correlation", float(covariance[0, 1] / sds.prod()), method=method))
    for label, residual in _residuals(model):
        rows.append(facts.row(label, "sd", float(np.sqrt(residual)), method=method))
    if model.fit.correlation is not None:
        rows.append(facts.row("residual", "correlation", model.fit.correlation, method=method))
    return rows


def _residuals(model: GrowthFit) -> list[tuple[str, float]]:
    """Return names and variances of the residuals."""
    if model.fit.residual_covariance is None:
        return [("residual", model.fit.residual_variances[0])]
    variances = np.diag(model.fit.residual_covariance).tolist()
    return [(f"residual: {label}", value) for label, value in zip(model.data.classes, variances, strict=True)]
