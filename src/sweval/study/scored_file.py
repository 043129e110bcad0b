"""Score a Parquet file of any size into another, part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweval.data.write import replacing
from sweval.errors import DataError
from sweval.scoring.score import Asked
from sweval.scoring.stream import score_parts

if TYPE_CHECKING:
    import pandas as pd

_ROWS = 1 << 20
"""Rows of a part: large enough for the kernel to be fast, small enough for any machine."""


@dataclass(frozen=True, kw_only=True)
class ScoredFile:
    """What was written: rows, the score columns, and the notes on what was done."""

    rows: int
    columns: tuple[str, ...]
    notes: tuple[str, ...]


def score_parquet(
    source: Path,
    target: Path,
    asked: Asked,
    *,
    variant: str | None = None,
    progress: Callable[[int, int], None] = lambda done, rows: None,
) -> ScoredFile:
    """Score a Parquet file into another without ever holding more than a part of it.

    Use it for registers that do not fit into memory; where they do, read the file and call `sweval.score`.

    Parameters
    ----------
    source, target
        The files. The target appears when all went well.
    asked
        What to score, and how it is coded.
    variant
        The name of a variant of the instrument.
    progress
        Is told the rows done, and those of the file.

    Returns
    -------
    ScoredFile

    Raises
    ------
    InstrumentError, DataError
        As `sweval.score`, and if the source is damaged.
    OutputError
        If the target cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> import sweval as sw
    >>> folder = Path(tempfile.mkdtemp())
    >>> pd.DataFrame([[5, 4, 3, 4, 5]], columns=[f"who_{i}" for i in range(1, 6)]).to_parquet(folder / "raw.parquet")
    >>> asked = Asked(instrument=sw.instrument("who5"), items="who_{item}")
    >>> score_parquet(folder / "raw.parquet", folder / "scored.parquet", asked).rows
    1
    >>> float(pd.read_parquet(folder / "scored.parquet")["who5_percent"].iloc[0])
    84.0
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = _opened(source)
    rows = file.metadata.num_rows
    before, after, writer = file.schema_arrow.names, [], None
    with replacing(target) as temporary:

        def write(part: Any) -> None:
            nonlocal writer
            if writer is None:
                after.extend(part.column_names)
                writer = pq.ParquetWriter(temporary, part.schema)
            writer.write_table(part)

        def parts() -> Iterator[Any]:
            done = 0
            if not rows:
                yield file.schema_arrow.empty_table()
                return
            for batch in file.iter_batches(_ROWS):
                yield pa.Table.from_batches([batch])
                done += len(batch)
                progress(done, rows)

        try:
            notes = score_parts(parts(), write, asked, variant=variant)
        except pa.ArrowException as error:
            raise DataError(
                "the Parquet file is damaged.", where=source.name, fix="Copy or export it again."
            ) from error
        finally:
            if writer is not None:
                writer.close()
    added = tuple(name for name in after if name not in before)
    return ScoredFile(rows=rows, columns=added, notes=notes)


def empty_frame(source: Path) -> pd.DataFrame:
    """Return the columns of a Parquet file without its rows; raises DataError where it is damaged."""
    frame: pd.DataFrame = _opened(source).schema_arrow.empty_table().to_pandas()
    return frame


def _opened(source: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(source)
    except FileNotFoundError as error:
        raise DataError("there is no such file.", where=str(source), fix="Check the name and the folder.") from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            "the Parquet file is damaged or cut off.", where=source.name, fix="Copy or export it again."
        ) from error
