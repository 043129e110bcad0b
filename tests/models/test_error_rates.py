"""Type-I error and coverage by simulation: a small seeded share of longer runs.

In 1,500 to 2,000 runs of such layouts the rates lay between .02 (many variances estimated at zero, where Kenward and
Roger's test takes over) and .06. The bounds here are three Monte Carlo standard errors of these runs around that range.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sweval.models.base.design import Design
from sweval.models.cluster_trial import ClusterTrial
from sweval.models.partially_nested import PartiallyNested

RUNS = 100
_TRIAL = ClusterTrial(arm="arm", treated="t", control="c", cluster="agency", baseline="pre")
_GROUPS = PartiallyNested(arm="arm", treated="t", control="c", group="group", baseline="pre")
_OUTER = PartiallyNested(arm="arm", treated="t", control="c", group="group", baseline="pre", cluster="agency")


def cluster_trial(rng: np.random.Generator, clusters: int, icc: float) -> pd.DataFrame:
    """Half of the clusters treated, sizes 4 to 26, no effect, variance 1 within arms."""
    agency = np.repeat(np.arange(clusters), rng.integers(4, 27, clusters))
    return _people(rng, agency, agency % 2 == 0, rng.normal(0, np.sqrt(icc), clusters)[agency], 1 - icc)


def groups(rng: np.random.Generator, k: int, icc: float) -> pd.DataFrame:
    """k groups of 5 to 10, as many control clients, equal total variance, no effect."""
    sizes = rng.integers(5, 11, k)
    group = np.concatenate([np.repeat(np.arange(k), sizes), np.full(sizes.sum(), -1)])
    shared = np.where(group >= 0, rng.normal(0, np.sqrt(icc), k)[group], 0)
    frame = _people(rng, group, group >= 0, shared, np.where(group >= 0, 1 - icc, 1))
    frame["group"] = pd.Series(group).where(group >= 0)
    return frame


def groups_in_agencies(rng: np.random.Generator, clusters: int, icc: float) -> pd.DataFrame:
    """One to three groups of 6 to 9 in every agency and as many control clients; agency ICC .05."""
    per = rng.integers(1, 4, clusters)
    host = np.repeat(np.arange(clusters), per)
    sizes = rng.integers(6, 10, len(host))
    group = np.concatenate([np.repeat(np.arange(len(host)), sizes), np.full(sizes.sum(), -1)])
    agency = np.tile(np.repeat(host, sizes), 2)
    shared = rng.normal(0, np.sqrt(0.05), clusters)[agency] + np.where(
        group >= 0, rng.normal(0, np.sqrt(icc), len(host))[group], 0
    )
    frame = _people(rng, agency, group >= 0, shared, 0.95 - np.where(group >= 0, icc, 0))
    frame["group"] = pd.Series(group).where(group >= 0)
    return frame


def _people(
    rng: np.random.Generator, agency: np.ndarray, treated: np.ndarray, shared: np.ndarray, own: object
) -> pd.DataFrame:
    """Outcome of total variance 1 that correlates .6 with the baseline."""
    pre, noise = rng.normal(size=(2, len(agency)))
    y = shared + np.sqrt(own) * (0.6 * pre + 0.8 * noise)
    return pd.DataFrame({"agency": agency, "arm": np.where(treated, "t", "c"), "pre": pre, "y": y})


CELLS = [
    ("8 clusters", _TRIAL, cluster_trial, 8, 0.05),
    ("24 clusters", _TRIAL, cluster_trial, 24, 0.15),
    ("4 groups", _GROUPS, groups, 4, 0.1),
    ("6 groups", _GROUPS, groups, 6, 0.2),
    ("10 groups", _GROUPS, groups, 10, 0.0),
    ("groups in 4 agencies", _OUTER, groups_in_agencies, 4, 0.1),
    ("groups in 8 agencies", _OUTER, groups_in_agencies, 8, 0.2),
]


@pytest.mark.parametrize(
    ("design", "draw", "size", "icc"), [cell[1:] for cell in CELLS], ids=[cell[0] for cell in CELLS]
)
def test_nominal_rate(design: Design, draw: object, size: int, icc: float) -> None:
    """Rejections of a true null at .05, which is also the non-coverage of both intervals (they agree at 0)."""
    rng = np.random.default_rng(2024)
    effects = [design.fit(draw(rng, size, icc), "y", better="higher").effect("hedges_g") for _ in range(RUNS)]
    rejected = np.mean([row.p_value < 0.05 for row in effects])
    missed = np.mean([not row.conf_low < 0 < row.conf_high for row in effects])
    assert rejected == missed
    assert rejected < 0.065 + 3 * np.sqrt(0.065 * 0.935 / RUNS)
    # unbiased at 0; the variance is right to what these runs can show: its relative error is sqrt(2 / 100)
    bias = np.mean([row.estimate for row in effects]) / (np.std([row.estimate for row in effects]) / np.sqrt(RUNS))
    assert abs(bias) < 3.3
    ratio = np.mean([row.variance for row in effects]) / np.var([row.estimate for row in effects])
    assert 0.6 < ratio < 1.7
