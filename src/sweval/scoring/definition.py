"""The catalogue of instruments: one TOML file each, found by walking `catalogue/<level>/`; or the user's own file."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sweval.errors import InstrumentError, did_you_mean
from sweval.scoring.records import LEVELS, Band, Instrument, Item, MissingRule, Scale

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Band",
    "Instrument",
    "Item",
    "MissingRule",
    "Scale",
    "catalogue",
    "direction_of",
    "instrument",
    "instruments",
    "scale_of",
]

_CATALOGUE = Path(__file__).with_name("catalogue")


def instrument(id_or_path: str | os.PathLike[str] | Instrument, *, accept_licence: bool = False) -> Instrument:
    """Return an instrument of the catalogue, or the one a TOML file of the user defines.

    Use it to look the rules up (`describe()`), or to keep a definition that several calls share. Functions that take
    an instrument accept the id or the path as well.

    Parameters
    ----------
    id_or_path
        Id in the catalogue, such as `"phq9"`, or the path of a definition (ends in `.toml`).
    accept_licence
        True if you hold the owner's permission, for instruments whose licence asks for it.

    Returns
    -------
    Instrument
        Frozen record with items, scores, bands, licence and sources.

    Raises
    ------
    InstrumentError
        If the id is unknown, the file is invalid (all problems are listed), or the licence was not accepted.

    Examples
    --------
    >>> import sweval as sw
    >>> sw.instrument("phq9").scale("total").column
    'phq9_total'
    """
    if isinstance(id_or_path, Instrument):
        return id_or_path  # Whoever holds the record accepted its licence when it was read.
    if isinstance(id_or_path, (str, os.PathLike)):
        found = _find(os.fspath(id_or_path))
    else:
        raise InstrumentError(
            f"an instrument is named by its id or path, not by {type(id_or_path).__name__}.",
            fix='Write "phq9", or the path of a .toml file.',
        )
    if found.licence.kind == "permission_required" and not accept_licence:
        holder = f" ({found.licence.holder})" if found.licence.holder else ""
        raise InstrumentError(
            f"{found.id}: the owner{holder} asks users for permission. {found.licence.note}".rstrip(),
            fix="If you hold it, pass accept_licence=True (in a study file: accept_licence = true).",
        )
    return found


def instruments() -> pd.DataFrame:
    """Return the catalogue as a data frame, ordered by level and id.

    Returns
    -------
    pandas.DataFrame
        Columns `id`, `title`, `level`, `construct`, `items` (their number), `licence` and `status` (of the key).

    Examples
    --------
    >>> import sweval as sw
    >>> bool((sw.instruments()["id"] == "phq9").any())
    True
    """
    import pandas as pd

    rows = [
        (entry.id, entry.title, entry.level, entry.construct, len(entry.items), entry.licence.kind, entry.key.status)
        for entry in catalogue()
    ]
    return pd.DataFrame(rows, columns=["id", "title", "level", "construct", "items", "licence", "status"])


def catalogue() -> tuple[Instrument, ...]:
    """Return every instrument, ordered by level and id, to read its card; scoring asks for the licence first."""
    return tuple(map(_load, _files().values()))


def direction_of(column: str) -> str | None:
    """Return which direction of a score column is better: "higher", "lower", or None if no instrument knows it.

    Parameters
    ----------
    column
        A column name as `sweval.score` makes it, such as `phq9_total`.

    Examples
    --------
    >>> direction_of("phq9_total")
    'lower'
    >>> direction_of("days_waited") is None
    True
    """
    scale = scale_of(column)
    return None if scale is None else scale.better


def scale_of(column: str) -> Scale | None:
    """Return the score of the catalogue that makes a column, or None if no instrument does.

    Parameters
    ----------
    column
        A column name as `sweval.score` makes it, such as `phq9_total`.

    Examples
    --------
    >>> scale_of("phq9_total").range
    (0.0, 27.0)
    """
    for name, path in _files().items():
        if column.startswith(f"{name}_"):
            for scale in _load(path).scores:
                if scale.column == column:
                    return scale
    return None


@cache
def _files() -> dict[str, Path]:
    """Return id -> file for the whole catalogue, ordered by level and id; only names are read."""
    order = {level: number for number, level in enumerate(LEVELS)}
    paths = sorted(_CATALOGUE.glob("*/*.toml"), key=lambda path: (order.get(path.parent.name, len(order)), path.stem))
    return {path.stem: path for path in paths}


@cache
def _load(path: Path) -> Instrument:
    from sweval.scoring.definition_file import read_definition

    return read_definition(path)


def _find(name: str) -> Instrument:
    files = _files()
    if name in files:
        return _load(files[name])
    path = Path(name)
    if path.suffix.casefold() == ".toml":
        from sweval.scoring.definition_file import read_definition

        return read_definition(path)
    raise InstrumentError(
        f'the catalogue has no instrument "{name}".',
        fix=f"{did_you_mean(name, files)} For a definition of your own, pass the path of its .toml file.",
    )
