"""A score that is no number is refused without its content, also in the traceback."""

import traceback

import pytest

from sweval.effects import samples
from sweval.errors import DataError


def test_no_traceback_shows_a_cell() -> None:
    with pytest.raises(DataError) as caught:
        samples.scores(["Sari, 7"], name="scores")
    assert "Sari" not in "".join(traceback.format_exception(caught.value, limit=0))
