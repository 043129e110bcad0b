"""The mixed logistic model that stands beside a cluster-robust one: odds ratios within a cluster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from sweval.errors import DesignError
from sweval.models.base.rows import Facts
from sweval.models.engine.generalized.fit import glmm
from sweval.models.engine.ols import Array
from sweval.models.engine.sandwich import ContrastTest
from sweval.result import Estimate

FEW_CLUSTERS = 40
"""Below it a mixed logistic model shows a p-value only where the corrected logistic regression agrees."""

_QUADRATURE_ROWS = 50_000
_MOST_ROWS = 500_000


def conditional_rows(
    y: Array,
    X: Array,
    cluster: NDArray[np.intp],
    names: Sequence[str],
    *,
    facts: Facts,
    cluster_name: str,
    beside: dict[int, ContrastTest],
) -> tuple[list[Estimate], list[str]]:
    """Return odds ratios of a mixed logistic model with a random intercept of the cluster, its sd, and notes.

    Parameters
    ----------
    y, X, cluster
        Outcome, columns of the design matrix, codes of the clusters.
    names
        Names of the columns.
    facts
        What all rows have in common.
    cluster_name
        Column of the clusters.
    beside
        Column number -> test of the corrected logistic regression; these columns get rows.
    """
    if len(y) > _MOST_ROWS:
        return [], [f"No mixed logistic model beside it: {len(y)} rows are more than {_MOST_ROWS}."]
    try:
        fit = glmm(y, X, [cluster], points=11 if len(y) <= _QUADRATURE_ROWS else 1)
    except DesignError as refused:
        return [], [f"No mixed logistic model beside it: {refused.what}"]
    way = f"{fit.points}-point adaptive quadrature" if fit.points > 1 else "Laplace approximation"
    base = f'mixed logistic regression, random intercept of "{cluster_name}", {way}'
    few = int(facts.clusters or 0) < FEW_CLUSTERS
    rows: list[Estimate] = []
    silent: list[str] = []
    errors = fit.standard_errors()
    for position, k in enumerate(fit.kept):
        if k not in beside:
            continue
        b, error = float(fit.coefficients[position]), float(errors[position])
        z = b / error
        p = float(2 * ndtr(-abs(z)))
        method = f"{base}; odds within one {cluster_name}; no Kenward-Roger, which is not defined for such models"
        shown: dict[str, float] = {}
        if few and not _agree(b, p, beside[k], 1 - facts.conf_level):
            silent.append(names[k])
            method += "; no p-value or interval, as the corrected logistic regression does not agree"
        else:
            reach = float(ndtri((1 + facts.conf_level) / 2)) * error
            shown = {
                "statistic": z,
                "p_value": p,
                "null": 1.0,
                "conf_low": float(np.exp(b - reach)),
                "conf_high": float(np.exp(b + reach)),
                "conf_level": facts.conf_level,
            }
            method += "; z test and interval on the log scale"
        rows.append(
            facts.row(
                names[k],
                "odds_ratio_conditional",
                float(np.exp(b)),
                std_error=float(np.exp(b)) * error,
                method=method,
                **shown,
            )
        )
    notes = []
    if silent:
        notes.append(
            f"The mixed logistic model shows no p-value for {', '.join(silent)}: its test rejects too often with fewer "
            f"than {FEW_CLUSTERS} clusters, and the corrected logistic regression does not agree with it."
        )
    if fit.singular[0]:
        notes.append(
            f'The mixed logistic model finds no variation between values of "{cluster_name}" beyond chance (sd 0).'
        )
    rows.append(
        facts.row(
            f"{cluster_name}: (Intercept)",
            "sd",
            fit.deviations[0],
            method=f"{base}; standard deviation on the scale of log odds",
        )
    )
    return rows, notes


def _agree(estimate: float, p: float, other: ContrastTest, level: float) -> bool:
    """Tell whether both tests come to the same side of the level, and of 0 where both reject."""
    if np.isnan(other.p_value):
        return False
    rejects = p < level
    return rejects == (other.p_value < level) and (not rejects or estimate * other.estimate > 0)
