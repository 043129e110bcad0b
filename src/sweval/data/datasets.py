"""The data sets that come with sweval: one folder each, with the data, `about.toml` and what made the data."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweval.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

_ABOUT = "about.toml"


def dataset(name: str, *, backend: str = "pandas", labels: Sequence[str] = ()) -> Any:
    """Return an embedded data set as a data frame, read by `sweval.read` as a file of your own would be.

    For trying things out, teaching and tests. All of them are simulated, or are small published tables typed in anew.

    Parameters
    ----------
    name
        A name from `datasets()`, for example "harbour".
    backend
        "pandas" or "polars".
    labels
        Columns whose codes are to be replaced by their value labels.

    Returns
    -------
    pandas.DataFrame or polars.DataFrame
        Codes that the file declares as user-missing are null.

    Raises
    ------
    DataError
        If there is no data set of this name.

    Examples
    --------
    >>> import sweval as sw
    >>> clients = sw.dataset("harbour", labels=["agency_arm"])
    >>> clients["agency_arm"].drop_duplicates().tolist()
    ['training', 'usual']
    """
    file = folder(name) / about(name)["data"]
    from sweval.data.read import read

    return read(file, backend=backend, labels=labels)


def datasets() -> pd.DataFrame:
    """Return what data sets there are: name, title, rows, columns, licence and what each reproduces.

    Returns
    -------
    pandas.DataFrame
        One row per data set, in the order of the names.

    Examples
    --------
    >>> import sweval as sw
    >>> "harbour" in sw.datasets()["name"].tolist()
    True
    """
    import pandas as pd

    rows = []
    for name in _folders():
        facts = about(name)
        rows.append(
            {
                "name": name,
                "title": facts["title"],
                "rows": facts["rows"],
                "columns": len(facts["columns"]),
                "licence": facts["licence"],
                "reproduces": facts["reproduces"],
            }
        )
    return pd.DataFrame(rows)


def about(name: str) -> dict[str, Any]:
    """Return the facts of a data set: the content of its `about.toml`.

    Raises
    ------
    DataError
        If there is no data set of this name.

    Examples
    --------
    >>> about("harbour")["origin"]
    'simulated'
    """
    return tomllib.loads((folder(name) / _ABOUT).read_text(encoding="utf-8"))


def folder(name: str) -> Path:
    """Return the folder of a data set: its data, `about.toml`, `study.toml` where there is one, and what made it.

    Raises
    ------
    DataError
        If there is no data set of this name.

    Examples
    --------
    >>> (folder("harbour") / "study.toml").is_file()
    True
    """
    known = _folders()
    if name not in known:
        raise DataError(f'there is no data set "{name}".', fix=did_you_mean(name, known))
    return known[name]


def _folders() -> dict[str, Path]:
    """Return name -> folder; in the wheel they lie inside the package, in a checkout beside `src`."""
    package = Path(__file__).resolve().parents[1]
    homes = [package / "_datasets", package.parents[1] / "datasets"]
    home = next((home for home in homes if home.is_dir()), None)
    return {} if home is None else {path.parent.name: path.parent for path in sorted(home.glob(f"*/{_ABOUT}"))}
