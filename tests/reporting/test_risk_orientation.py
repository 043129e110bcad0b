"""A risk difference says benefit for benefit, whether its row is turned (reported counts) or not (models)."""

from __future__ import annotations

import pytest

from sweval.reporting.language import load_language
from sweval.reporting.of_hundred import of_hundred
from sweval.reporting.plots import forest
from sweval.reporting.sentences import effect_sentences, yes_no_sentences
from sweval.reporting.tables import tables
from sweval.result import Estimate, Result


def _row(metric: str, sign: int) -> Result:
    low, high = sorted((sign * 0.1, sign * 0.3))
    row = Estimate(term="arm[treated]", comparison="A", outcome="placed", measure="risk_difference", metric=metric,
                   estimate=sign * 0.2, conf_low=low, conf_high=high, conf_level=0.95, better="lower", n=100,
                   method="example")  # fmt: skip
    return Result(estimates=(row,))


@pytest.mark.parametrize(("metric", "sign"), [("raw", -1), ("risk_difference", 1)])
def test_fewer_unwanted_events_are_a_benefit(metric: str, sign: int) -> None:
    tidy = _row(metric, sign).tidy()
    (said,) = yes_no_sentences(tidy)
    assert "20.0 fewer" in said
    assert '"the treated clients" had' in said
    assert 'than "the comparison clients"' in said
    assert "[1]" not in said
    assert "side of improvement" in said
    (contrasts,) = [table for table in tables(tidy) if table.name == "contrasts"]
    held = [cell.numbers for line in contrasts.rows for cell in line.cells if len(cell.numbers) == 3]
    assert held == [(-0.2, -0.3, -0.1)]
    texts = {text.get_text() for text in forest(tidy).texts}
    assert ("better →" in " ".join(texts)) == (sign > 0)


def test_a_d_from_counts_is_not_said_as_a_score() -> None:
    """Nobody has a score there, so nobody did better than so many of 100."""
    row = Estimate(term="arm[treated]", comparison="A", outcome="housed", measure="cox_d", metric="person_total",
                   standardizer="latent", estimate=0.4, conf_low=0.1, conf_high=0.7, conf_level=0.95, better="higher",
                   n=100, method="example")  # fmt: skip
    (said,) = effect_sentences(Result(estimates=(row,)).tidy())
    assert "0.40 standard deviations better" in said
    assert "of 100" not in said


@pytest.mark.parametrize(("share", "said"), [(0.9999, "99.9"), (0.00001, "0.1"), (0.504, "50.4"), (0.5, "50")])
def test_nearly_all_is_not_all(share: float, said: str) -> None:
    assert of_hundred(share, load_language("en")) == said
