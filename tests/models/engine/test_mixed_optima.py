"""No small trial ends at a wrong optimum: the engine against a dense likelihood and several starts of another search.

Wrong is a log-likelihood more than 1e-6 below the best that is known. `tests/benchmarks/check_optima.py` does the same
with a thousand trials of every layout, and lme4.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweval.errors import DesignError
from sweval.models.engine.mixed.fit import MixedFit, mixed_fit
from sweval.models.engine.mixed.model import Factor, Residual

TRIALS = runpy.run_path(str(Path(__file__).parents[2] / "reference" / "mixed" / "small_trials.py"))
PER_LAYOUT = 20


def fitted(trial: Any, *, reml: bool) -> MixedFit:
    """Fit a trial with the engine."""
    residual = None
    if trial.series:
        once = np.zeros(len(trial.y), dtype=int)
        residual = Residual(kind="ar1", unit=once, occasion=np.arange(len(trial.y)))
    elif trial.classes is not None:
        residual = Residual(kind="by_class", classes=trial.classes)
    return mixed_fit(trial.y, trial.X, [Factor(codes, Z) for codes, Z in trial.terms], residual=residual, reml=reml)


def last_of(fit: MixedFit, trial: Any) -> float | None:
    """Return the correlation of a series, or the ratio of two residual variances."""
    if trial.series:
        return fit.correlation
    return None if trial.classes is None else fit.residual_variances[1] / fit.residual_variances[0]


@pytest.mark.parametrize("name", TRIALS["LAYOUTS"])
def test_no_wrong_optimum(name: str) -> None:
    for number in range(PER_LAYOUT):
        trial, reml = TRIALS["trial"](name, number), number % 2 == 0
        fit, likelihood = fitted(trial, reml=reml), TRIALS["Likelihood"](trial, reml=reml)
        assert fit.converged
        relative = [C / fit.residual_variances[0] for C in fit.covariances]
        # what the engine says of its optimum holds there; sums of a hundred terms near 1
        assert fit.log_likelihood == pytest.approx(likelihood.at(relative, last_of(fit, trial)), abs=1e-8)
        assert fit.log_likelihood > likelihood.best(starts=3, seed=number) - 1e-6


@pytest.mark.parametrize(("name", "number"), [("series of 12", 793), ("series of 24", 387), ("series of 24", 461)])
def test_a_series_with_two_tops_ends_on_the_higher(name: str, number: int) -> None:
    """One start, or few, ended on the lower top of these, next to the bound of the autocorrelation or far from it."""
    trial = TRIALS["trial"](name, number)
    fit, likelihood = fitted(trial, reml=True), TRIALS["Likelihood"](trial, reml=True)
    grid = np.linspace(-0.9799, 0.9799, 400)
    assert fit.log_likelihood >= max(likelihood.at([], rho) for rho in grid) - 1e-6


def test_an_autocorrelation_at_its_bound_is_flagged_and_not_tested() -> None:
    """Trend and correlation cannot be told apart here: no test is given as if nothing were wrong."""
    fit = fitted(TRIALS["trial"]("series of 12", 233), reml=True)
    assert fit.correlation_at_edge
    assert fit.any_singular
    with pytest.raises(DesignError, match="the edge of what is possible"):
        fit.contrasts(np.eye(len(fit.coefficients)), "kenward-roger")
