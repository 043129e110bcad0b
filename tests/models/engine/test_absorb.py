"""Absorbed fixed effects give what dummies give: clubSandwich's numbers, then our own dummies on uneven data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DesignError
from sweval.models.engine.absorb import MOST_DUMMIES, absorbed_least_squares
from sweval.models.engine.ols import least_squares
from sweval.models.engine.sandwich import KINDS, Kind, cluster_covariance

FOLDER = Path(__file__).parents[2] / "reference" / "cluster_robust"
FIXTURES = {fixture["id"]: fixture for fixture in json.loads((FOLDER / "fixtures.json").read_text())["fixtures"]}
CASES = {"cr_fe": ("cluster", ["treat", "x"], ["cluster", "t"]), "cr_year": ("state", ["year", "policy"], ["state"])}


def codes(column: pd.Series) -> np.ndarray:
    return pd.factorize(column)[0]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR1S", "CR2"])
def test_club_sandwich(name: str, kind: Kind) -> None:
    """The fixtures' own tolerance, 1e-7."""
    cluster, terms, absorb = CASES[name]
    data = pd.read_csv(FOLDER / f"{name}.csv")
    X = np.column_stack([np.ones(len(data)), data[terms].to_numpy(float)])
    found = absorbed_least_squares(
        data["y"].to_numpy(float), X, [codes(data[column]) for column in absorb], codes(data[cluster])
    )
    expected = FIXTURES[f"{name}_{kind.lower()}"]["outputs"]
    L = np.eye(len(found.fit.coefficients))[list(found.at)]
    tests = cluster_covariance(found.fit, codes(data[cluster]), kind=kind).contrasts(L)
    for field, key in (("estimate", "estimate"), ("std_error", "se"), ("df", "df"), ("p_value", "p")):
        assert [getattr(test, field) for test in tests] == pytest.approx(expected[key], rel=1e-7, abs=1e-10)
    assert found.fit.df == FIXTURES[f"{name}_ols"]["outputs"]["df_residual"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_dummies(kind: Kind, weighted: bool) -> None:
    """Groups within clusters, unequal sizes, a term that is constant within groups; to rounding."""
    rng = np.random.default_rng(3)
    group = np.repeat(np.arange(24), rng.integers(2, 7, 24))
    cluster, n = group // 3, len(group)
    y, x = rng.normal(size=n) + rng.normal(size=24)[group], rng.normal(size=n)
    site = rng.integers(0, 4, n)
    weights = rng.uniform(0.5, 2, n) if weighted else None
    X = np.column_stack([np.ones(n), cluster % 2, x + 1e4, rng.normal(size=n)])
    found = absorbed_least_squares(y, X, [group, site], cluster, weights=weights)
    assert (found.kept, found.aliased, found.levels) == ((2, 3), (1,), (24, 4))
    dummies = np.column_stack([group[:, None] == np.arange(24), site[:, None] == np.arange(1, 4), X[:, 2:]]).astype(
        float
    )
    plain = least_squares(y, dummies, weights=weights)
    tests = cluster_covariance(found.fit, cluster, kind=kind).contrasts(
        np.eye(len(found.fit.coefficients))[list(found.at)]
    )
    wanted = cluster_covariance(plain, cluster, kind=kind).contrasts(np.eye(29)[-2:])
    for test, other in zip(tests, wanted, strict=True):
        assert (test.estimate, test.std_error, test.df) == pytest.approx(
            (other.estimate, other.std_error, other.df), rel=1e-9
        )
    assert (found.fit.df, found.fit.sigma) == pytest.approx((plain.df, plain.sigma), rel=1e-10)


def test_what_cannot_be_estimated_is_refused() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(10), 4)
    X = np.column_stack([np.ones(40), group % 2])
    with pytest.raises(DesignError, match="no term varies within"):
        absorbed_least_squares(rng.normal(size=40), X, [group], group)
    X = np.column_stack([np.ones(40), rng.normal(size=40)])
    with pytest.raises(DesignError, match="outcome does not vary within"):
        absorbed_least_squares(group.astype(float), X, [group], group)
    with pytest.raises(DesignError, match="reproduce the outcome exactly"):
        absorbed_least_squares(rng.normal(size=40), X, [np.minimum(np.arange(40), 38)], group)
    many = np.arange(3 * MOST_DUMMIES) % (MOST_DUMMIES + 2)
    clusters = np.arange(len(many)) // 7
    with pytest.raises(DesignError, match="401 absorbed levels need a column each"):
        absorbed_least_squares(rng.normal(size=len(many)), rng.normal(size=(len(many), 2)), [many], clusters)
