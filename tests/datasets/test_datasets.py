"""Whatever lies in the folder is listed, described in full and read."""

from __future__ import annotations

import polars as pl
import pytest

import sweval as sw
from sweval.data.datasets import about, folder
from sweval.errors import DataError

NAMES = sw.datasets()["name"].tolist()


def test_the_list_has_a_row_for_every_folder() -> None:
    assert sorted(path.parent.name for path in folder("harbour").parent.glob("*/about.toml")) == NAMES
    assert list(sw.datasets().columns) == ["name", "title", "rows", "columns", "licence", "reproduces"]


@pytest.mark.parametrize("name", NAMES)
def test_about_agrees_with_the_data(name: str) -> None:
    frame, facts = sw.dataset(name), about(name)
    assert list(frame.columns) == list(facts["columns"])
    assert len(frame) == facts["rows"]
    assert {"title", "origin", "licence", "reproduces", "describes", "truth"} <= set(facts)


@pytest.mark.parametrize("name", NAMES)
def test_polars_gets_the_same_rows(name: str) -> None:
    frame = sw.dataset(name, backend="polars")
    assert isinstance(frame, pl.DataFrame)
    assert frame.shape == sw.dataset(name).shape


def test_labels_take_the_place_of_codes_where_asked() -> None:
    frame = sw.dataset("harbour", labels=["agency_arm", "client_arm"])
    assert set(frame["agency_arm"]) == {"usual", "training"}
    assert set(frame["client_arm"]) == {"usual", "group_work"}
    assert set(frame["sex"]) == {1, 2}


def test_an_unknown_name_is_refused_with_a_hint() -> None:
    with pytest.raises(DataError, match=r'there is no data set "harbor"\. Did you mean "harbour"\?'):
        sw.dataset("harbor")


@pytest.mark.parametrize("name", ["../datasets/harbour", "", "/etc"])
def test_a_path_is_no_name(name: str) -> None:
    with pytest.raises(DataError):
        folder(name)
