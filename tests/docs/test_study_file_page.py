"""The page on the study file names every key that there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_type_hints

import pytest

from sweval.data.read import FileOptions
from sweval.result import SERVICES
from sweval.study.file import OutcomeTable, ReportTable, StudyTable
from sweval.study.problems import fields_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "study_file.md"


@pytest.mark.parametrize(
    "keys",
    [fields_of(StudyTable), fields_of(OutcomeTable), fields_of(ReportTable), get_type_hints(FileOptions), SERVICES],
    ids=["study", "outcomes", "report", "read", "service"],
)
def test_every_key_is_on_the_page(keys: dict[str, Any]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [key for key in keys if f"`{key}`" not in text] == []
