"""A risk difference says benefit for benefit, whether its row is turned (reported counts) or not (models)."""

import pytest

from sweval.reporting.plots import forest
from sweval.reporting.sentences import yes_no_sentences
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
    assert "side of improvement" in said
    (contrasts,) = [table for table in tables(tidy) if table.name == "contrasts"]
    held = [cell.numbers for line in contrasts.rows for cell in line.cells if len(cell.numbers) == 3]
    assert held == [(-0.2, -0.3, -0.1)]
    texts = {text.get_text() for text in forest(tidy).texts}
    assert ("better →" in " ".join(texts)) == (sign > 0)
