"""The table of a synthesis: every number once, small numbers of studies shown, and the same from the shell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.models.synthesis import Synthesis
from sweval.reporting.language import load_language
from sweval.reporting.plain_text import plain_effects
from sweval.reporting.report import report
from sweval.reporting.synthesis_table import SYNTHESIS
from sweval.reporting.tables import tables
from sweval.study import Study

FOLDER = Path(__file__).parents[1] / "reference" / "meta"


def table() -> pd.DataFrame:
    frame = pd.read_csv(FOLDER / "meta_2.csv").rename(columns={"yi": "estimate", "vi": "variance"})
    return frame.assign(metric="person_total", service=np.where(frame["level"] == "direct", "group", "training"))


def test_every_row_of_a_synthesis_is_in_its_table() -> None:
    result = Synthesis(compare="side", moderators="year").fit(table())
    joined = result + result.bias()
    shown = {found.name: found for found in tables(joined.tidy())}
    wanted = [row for row in joined.estimates if row.measure in SYNTHESIS]
    assert len(shown["synthesis"].rows) == len(wanted)
    assert {row.measure for row in wanted} >= {"mean_effect", "difference_within_studies", "egger", "selection_weight"}
    assert "effects" not in shown
    names = [column.name for column in shown["synthesis"].columns]
    first = dict(zip(names, shown["synthesis"].rows[0].cells, strict=True))
    mean = result.effect("mean_effect", term="side[direct]")
    assert (first["effects"].text, first["studies"].text) == ("17", "9")  # 9 studies are no secret
    assert first["estimate"].numbers == (mean.estimate, mean.conf_low, mean.conf_high)


@pytest.mark.parametrize(("language", "caption"), [("en", "Many studies together"), ("id", "Banyak studi bersama")])
def test_the_terminal_prints_it(language: str, caption: str) -> None:
    text = plain_effects(Synthesis(compare="side").fit(table()).tidy(), language=language)
    assert text.startswith(caption)
    assert "side[indirect] - side[direct]" in text


def test_a_study_file_can_ask_for_it(tmp_path: Path) -> None:
    """`kind = "synthesis"`: the data are the effects, the outcome is their column."""
    table().to_csv(tmp_path / "effects.csv", index=False)
    (tmp_path / "study.toml").write_text(
        '[study]\ntitle = "All our years"\ndata = "effects.csv"\n'
        '[[comparisons]]\nname = "Direct against indirect"\nkind = "synthesis"\ncompare = "side"\nrho = 0.5\n'
        '[[outcomes]]\ncolumn = "estimate"\nbetter = "higher"\n',
        encoding="utf-8",
    )
    found = Study.read(tmp_path / "study.toml").run()
    wanted = Synthesis(compare="side", rho=0.5).fit(table())
    term = "side[indirect] - side[direct]"
    one, other = (r.effect("difference_in_effects", term=term) for r in (found, wanted))
    assert (one.estimate, one.p_value) == pytest.approx((other.estimate, other.p_value), rel=1e-9)
    assert (one.comparison, one.better, one.study) == ("Direct against indirect", "higher", "All our years")


def test_a_report_of_a_synthesis_shows_it_first(tmp_path: Path) -> None:
    """The answer to the main question is on the page, and nothing says that there is none."""
    report(Synthesis(compare="side").fit(table()), tmp_path, formats=("html",))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    words = load_language("en")
    assert words.say("table.synthesis") in page
    assert words.say("report.no_effects") not in page
