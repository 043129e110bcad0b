"""Rows that count clients by category: how many, which share with its interval, and who stood well already before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from sweval.effects.change_anchor import NOT_APPLICABLE
from sweval.effects.proportion import wilson_interval
from sweval.models.base.change_rules import Sorted
from sweval.models.base.robust_fit import logistic_fit
from sweval.models.base.rows import Facts
from sweval.result import BETTER, Estimate

Codes = NDArray[np.intp]
FloatArray = NDArray[np.float64]


def category_rows(
    facts: Facts, sorted_: Sorted, pre: FloatArray, lost: Codes | int, *, cluster: Codes | None = None, arm: str = ""
) -> list[Estimate]:
    """Return counts and proportions of the clients who were sorted, and the share on the functional side before.

    Parameters
    ----------
    facts
        What all rows have in common.
    sorted_, pre
        The clients and their scores before.
    lost
        Clients who could not be sorted because the score after is missing: how many, or the cluster of each.
    cluster
        Cluster of each sorted client, where they come in clusters.
    arm
        Begins the terms, such as `arm[program]: `, where the rows are of one arm.
    """
    category, method = sorted_.category, sorted_.method
    is_in = {name: category == name for name in sorted_.shown}
    counts = {name: int(events.sum()) for name, events in is_in.items()}
    applies = ~is_in[NOT_APPLICABLE] if NOT_APPLICABLE in is_in else np.ones(len(category), dtype=bool)
    facts = replace(facts, n=int(applies.sum()))
    rows = [facts.row(f"{arm}{name}", "count", float(count), method=method) for name, count in counts.items()]
    counts.pop(NOT_APPLICABLE, None)
    own = None if cluster is None else cluster[applies]
    for name in counts:
        events = is_in[name][applies]
        rows.append(proportion_row(facts, f"{arm}{name}", "proportion", events, own, method))
    gone = lost if isinstance(lost, int) else len(lost)
    if gone:
        everyone = replace(facts, n=facts.n + gone)
        joined = None if own is None or isinstance(lost, int) else np.concatenate([own, lost])
        for name in counts:
            events = np.concatenate([is_in[name][applies], np.full(gone, name == "unchanged")])
            rows.append(
                proportion_row(everyone, f"{arm}{name}", "proportion_intention_to_treat", events, joined, method)
            )
    if sorted_.cutoff is not None:
        sign = BETTER[str(facts.better)]
        well = (sign * pre > sign * sorted_.cutoff)[applies]
        rows.append(proportion_row(facts, f"{arm}functional before", "proportion_functional_before", well, own, method))
    return rows


def proportion_row(
    facts: Facts, term: str, measure: str, events: NDArray[np.bool_], cluster: Codes | None, method: str
) -> Estimate:
    """Return the row of one proportion with Wilson's interval, or one that knows of clusters."""
    count, n = int(events.sum()), len(events)
    more: dict[str, Any] = {"n": n, "conf_level": facts.conf_level}
    if n == 0:
        return facts.row(term, measure, np.nan, method=f"{method}; nobody", n=0)
    if cluster is None:
        low, high = wilson_interval(count, n, conf_level=facts.conf_level)
        words = "Wilson interval"
    else:
        _, codes = np.unique(cluster, return_inverse=True)
        clusters = int(codes.max()) + 1
        more["clusters"] = clusters
        if 0 < count < n and clusters > 1:
            limits, more["df"] = _clustered_interval(events, codes.astype(np.intp), facts.conf_level)
            low, high = np.asarray(limits[0]), np.asarray(limits[1])
            words = "t interval on the logit scale, CR2, Satterthwaite df"
        else:
            # all clients alike, or one cluster: as if every cluster were one client
            low, high = wilson_interval(count * clusters / n, clusters, conf_level=facts.conf_level)
            words = "Wilson interval with clusters in place of clients"
    return facts.row(
        term, measure, count / n, method=f"{method}; {words}", conf_low=float(low), conf_high=float(high), **more
    )


def _clustered_interval(events: NDArray[np.bool_], cluster: Codes, level: float) -> tuple[tuple[float, float], float]:
    """Return the limits of a proportion among clients in clusters, and the degrees of freedom."""
    y = events.astype(float)
    fit = logistic_fit(y, np.ones((len(y), 1)), cluster, weights=None, working="constant", kind="CR2")
    test = fit.covariance.contrast(fit.contrast(np.ones((1, 1)))[0])
    reach = float(stdtrit(test.df, (1 + level) / 2)) * test.std_error
    middle = float(logit(y.mean()))
    return (float(expit(middle - reach)), float(expit(middle + reach))), float(test.df)
