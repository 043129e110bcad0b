"""The Rasch model against the likelihood written out over all answer patterns, and against eRm."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq, minimize

from sweval.errors import DataError
from sweval.scoring.rasch import conditional, fit_rasch, item_fit, raw_scores

REFERENCE = Path(__file__).parents[1] / "reference" / "food_insecurity"
SURVEY = pd.read_csv(REFERENCE / "survey.csv")
ANSWERS = SURVEY.iloc[:, 2:10].to_numpy(dtype=float)
WEIGHT = SURVEY["weight"].to_numpy(dtype=float)
ERM = json.loads((REFERENCE / "erm.json").read_text())
ERM_STOPS = 2e-5
"""Where the optimiser of eRm (nlm) stops: its log-likelihood is lower than ours, its gradient about 1e-3."""
ERM_PERSONS_STOP = 2e-4
"""Where its person parameters stop."""


def by_pattern(severity: np.ndarray) -> dict[int, list[tuple[tuple[int, ...], float]]]:
    """Return, by raw score, every pattern with its probability given the score."""
    table: dict[int, list[tuple[tuple[int, ...], float]]] = {}
    for pattern in itertools.product((0, 1), repeat=len(severity)):
        table.setdefault(sum(pattern), []).append((pattern, float(np.exp(-np.dot(pattern, severity)))))
    return {
        score: [(pattern, value / sum(v for _, v in entries)) for pattern, value in entries]
        for score, entries in table.items()
    }


def fitted(weight: np.ndarray) -> np.ndarray:
    inside = (ANSWERS.sum(axis=1) > 0) & (ANSWERS.sum(axis=1) < 8)
    totals = np.bincount(ANSWERS.sum(axis=1).astype(int), weights=weight, minlength=9)
    return fit_rasch((weight * inside) @ ANSWERS, totals.astype(float)).severity


@pytest.mark.parametrize("kind", ["plain", "weighted"])
def test_severities_are_those_of_erm(kind: str) -> None:
    weight = WEIGHT if kind == "weighted" else np.ones(len(WEIGHT))
    severity = fitted(weight)
    assert severity.sum() == pytest.approx(0, abs=1e-12)
    assert severity == pytest.approx(ERM[kind]["severity"], abs=ERM_STOPS)
    assert raw_scores(severity).severity[1:-1] == pytest.approx(ERM[kind]["person"], abs=ERM_PERSONS_STOP)
    assert raw_scores(severity).std_error[1:-1] == pytest.approx(ERM[kind]["person_std_error"], abs=ERM_PERSONS_STOP)


@pytest.mark.parametrize("kind", ["plain", "weighted"])
def test_inverse_information_gives_the_standard_errors_of_erm(kind: str) -> None:
    weight = WEIGHT if kind == "weighted" else np.ones(len(WEIGHT))
    inside = (ANSWERS.sum(axis=1) > 0) & (ANSWERS.sum(axis=1) < 8)
    totals = np.bincount(ANSWERS.sum(axis=1).astype(int), weights=weight, minlength=9).astype(float)
    fit = fit_rasch((weight * inside) @ ANSWERS, totals)
    assert np.sqrt(np.diag(fit.inverse_information)) == pytest.approx(ERM[kind]["std_error"], rel=5 * ERM_STOPS)
    assert fit.gradient < 1e-12


def test_severities_are_the_top_of_the_likelihood_over_all_patterns() -> None:
    few = ANSWERS[:60, :5]
    scores = few.sum(axis=1).astype(int)
    inside = (scores > 0) & (scores < 5)

    def minus_log_likelihood(free: np.ndarray) -> float:
        chances = {score: dict(entries) for score, entries in by_pattern(np.append(free, -free.sum())).items()}
        rows = zip(few[inside].astype(int).tolist(), scores[inside].tolist(), WEIGHT[:60][inside], strict=True)
        return -sum(weight * np.log(chances[score][tuple(row)]) for row, score, weight in rows)

    best = minimize(minus_log_likelihood, np.zeros(4), method="BFGS", options={"gtol": 1e-6})
    totals = np.bincount(scores, weights=WEIGHT[:60], minlength=6).astype(float)
    fit = fit_rasch((WEIGHT[:60] * inside) @ few, totals)
    assert fit.severity[:4] == pytest.approx(best.x, abs=1e-5)
    assert fit.log_likelihood == pytest.approx(-best.fun, rel=1e-9)


def test_conditional_probabilities_are_sums_over_patterns() -> None:
    severity = np.array([-1.5, -0.2, 0.3, 0.4, 2.2])
    found = conditional(severity)
    for score, entries in by_pattern(severity).items():
        patterns = np.array([pattern for pattern, _ in entries], dtype=float)
        chance = np.array([value for _, value in entries])
        assert found.single[score] == pytest.approx(chance @ patterns, abs=1e-14)
        assert found.pair[score] == pytest.approx((patterns * chance[:, None]).T @ patterns, abs=1e-14)
        unscaled = np.exp(-patterns @ severity).sum()
        assert found.log_patterns[score] == pytest.approx(np.log(unscaled), abs=1e-13)


@pytest.mark.parametrize("spread", [0.5, 1.0, 3.0])
def test_a_raw_score_has_the_severity_at_which_it_is_expected(spread: float) -> None:
    severity = spread * np.linspace(-1.5, 1.5, 8)
    found = raw_scores(severity)
    for score, target in enumerate([0.5, 1, 2, 3, 4, 5, 6, 7, 7.5]):
        root = brentq(lambda t, aim=target: (1 / (1 + np.exp(severity - t))).sum() - aim, -30, 30, xtol=1e-14)
        chance = 1 / (1 + np.exp(severity - root))
        assert found.severity[score] == pytest.approx(root, abs=1e-10)
        assert found.std_error[score] == pytest.approx((chance * (1 - chance)).sum() ** -0.5, rel=1e-9)


def test_infit_is_one_where_the_model_holds_and_high_where_an_item_is_thrown_by_dice() -> None:
    rng = np.random.default_rng(5)
    severity = np.linspace(-1.4, 1.4, 8)
    said = (rng.random((20000, 8)) < 1 / (1 + np.exp(severity - rng.normal(0, 1.5, (20000, 1))))).astype(float)
    fit = item_fit(said, np.ones(len(said)), severity)
    assert np.abs((fit.infit - 1) / fit.infit_std_error).max() < 3.5
    assert np.abs(fit.outfit - 1).max() < 0.06
    said[:, 3] = rng.integers(0, 2, len(said))
    totals = np.bincount(said.sum(axis=1).astype(int), minlength=9).astype(float)
    inside = (said.sum(axis=1) > 0) & (said.sum(axis=1) < 8)
    again = item_fit(said, np.ones(len(said)), fit_rasch(inside @ said, totals).severity)
    assert int(again.infit.argmax()) == 3
    assert again.infit[3] > 1.3


def test_weights_are_numbers_of_rows() -> None:
    repeated = np.repeat(ANSWERS, WEIGHT.astype(int), axis=0)
    severity = fitted(WEIGHT)
    weighted = item_fit(ANSWERS, WEIGHT, severity)
    counted = item_fit(repeated, np.ones(len(repeated)), severity)
    assert weighted.infit == pytest.approx(counted.infit, rel=1e-12)
    assert weighted.outfit == pytest.approx(counted.outfit, rel=1e-12)


@pytest.mark.parametrize("answer", [0.0, 1.0])
def test_an_item_with_one_answer_only_is_refused(answer: float) -> None:
    said = ANSWERS.copy()
    said[:, 2] = answer
    inside = (said.sum(axis=1) > 0) & (said.sum(axis=1) < 8)
    with pytest.raises(DataError, match="same answer everywhere"):
        fit_rasch(inside @ said, np.bincount(said.sum(axis=1).astype(int), minlength=9).astype(float))


def test_items_that_fall_into_parts_are_refused() -> None:
    # Whoever affirms one of the last two has affirmed both of the first two: nothing says how far apart they lie.
    said = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 0, 1]] * 4, dtype=float)
    with pytest.raises(DataError, match="no finite estimate"):
        fit_rasch(said.sum(axis=0), np.bincount(said.sum(axis=1).astype(int), minlength=5).astype(float))
