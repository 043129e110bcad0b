"""The child process of `native`: parse one file, hand over arrays and JSON, and end.

Everything here runs on files that may be hostile or broken. Nothing here is imported by the parent.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from sweval.data.raw import Code, RawColumn, RawTable, encode_texts, save_table
from sweval.data.refusal import RefusalError

_FAMILIES = {"sav": "spss", "por": "spss", "dta": "stata", "sas7bdat": "sas", "xpt": "sas"}


def main(request: dict[str, Any]) -> None:
    """Parse the file of the request and write either a table or a refusal into its folder."""
    folder = Path(request["folder"])
    try:
        save_table(_parse(Path(request["path"]), request["format"], request["options"]), folder)
    except RefusalError as refusal:
        (folder / "refusal.json").write_text(json.dumps({"what": refusal.what, "fix": refusal.fix}), encoding="utf-8")


def _parse(path: Path, file_format: str, options: dict[str, Any]) -> RawTable:
    if file_format == "xlsx":
        from sweval.data.workbook import parse_workbook

        return parse_workbook(path, sheet=options.get("sheet"))
    if file_format == "parquet":
        from sweval.data.parquet import parse_parquet

        return parse_parquet(path)
    return _parse_statistical(path, file_format, options)


def _parse_statistical(path: Path, file_format: str, options: dict[str, Any]) -> RawTable:
    import pyreadstat

    read = {
        "sav": pyreadstat.read_sav,
        "por": pyreadstat.read_por,
        "dta": pyreadstat.read_dta,
        "sas7bdat": pyreadstat.read_sas7bdat,
        "xpt": pyreadstat.read_xport,
    }[file_format]
    arguments: dict[str, Any] = {"output_format": "dict", "disable_datetime_conversion": True}
    if file_format in ("sav", "dta", "sas7bdat"):
        arguments["user_missing"] = True
    if options.get("encoding") and file_format != "por":
        arguments["encoding"] = options["encoding"]
    values, facts = _guarded(read, path, arguments)
    labels = dict(facts.variable_value_labels)
    if options.get("catalog"):
        labels |= _catalog_labels(Path(options["catalog"]), facts.variable_to_label, options.get("encoding"))
    rows = len(next(iter(values.values()))) if values else 0
    columns = tuple(_column(name, values[name], facts, labels.get(name, {})) for name in facts.column_names)
    notes = _transport_notes(path, facts) if file_format == "xpt" else ()
    return RawTable(family=_FAMILIES[file_format], rows=rows, columns=columns, notes=notes)


def _transport_notes(path: Path, facts: Any) -> tuple[str, ...]:
    """Refuse a SAS transport file that was cut off; its format has no row count, so its length has to tell.

    Records are 80 bytes long and rows follow each other without a gap; only blanks may fill the last record.
    """
    data = path.read_bytes()
    refusal = RefusalError("the file is cut off: it ends inside a row.", "Copy or export it again.")
    if len(data) % 80:
        raise refusal
    members = re.findall(rb"HEADER RECORD\*{7}MEMB(?:ER|V8) ", data)
    start = re.search(rb"HEADER RECORD\*{7}OBS(?:V8)? +HEADER RECORD", data)
    width = sum(facts.variable_storage_width.values())
    if len(members) > 1:
        return (f"the file holds {len(members)} tables; only the first was read.",)
    if start is not None and width:
        rest = (len(data) - start.start() - 80) % width
        if rest >= 80 or data[len(data) - rest :].strip(b" "):
            raise refusal
    return ()


def _guarded(read: Any, path: Path, arguments: dict[str, Any]) -> Any:
    """Call a reader of pyreadstat and turn its complaints into sentences."""
    from pyreadstat import PyreadstatError, ReadstatError

    try:
        return read(str(path), **arguments)
    except (ReadstatError, PyreadstatError, UnicodeDecodeError, LookupError) as error:
        said = str(error).lower()
        if isinstance(error, UnicodeDecodeError | LookupError) or "encoding" in said or "convert string" in said:
            raise RefusalError(
                "the text of the file does not fit its character encoding.",
                'Pass the encoding it was written in, for example encoding="cp1252".',
            ) from error
        if "expected number of rows" in said or "truncated" in said or "unexpected end" in said:
            raise RefusalError(
                "the file is cut off: it holds fewer rows than its header promises.", "Copy or export it again."
            ) from error
        raise RefusalError(
            f"the file is damaged or incomplete ({str(error).strip().rstrip('.')}).", "Copy or export it again."
        ) from error


def _catalog_labels(catalog: Path, formats: dict[str, str], encoding: str | None) -> dict[str, dict[Code, str]]:
    """Return the value labels of each variable whose format is in the catalog."""
    import pyreadstat

    _, facts = _guarded(pyreadstat.read_sas7bcat, catalog, {"encoding": encoding} if encoding else {})
    return {name: facts.value_labels[used] for name, used in formats.items() if used in facts.value_labels}


def _column(name: str, values: Any, facts: Any, labels: dict[Code, str]) -> RawColumn:
    measure = facts.variable_measure.get(name)
    is_text = facts.readstat_variable_types[name] == "string"
    shared: dict[str, Any] = {
        "name": name,
        "label": facts.column_names_to_labels.get(name) or None,
        "measure": None if measure in (None, "unknown") else measure,
        "format": facts.original_variable_types.get(name),
        "value_labels": tuple((_code(code, is_text), str(label)) for code, label in labels.items()),
        "missing_ranges": tuple(
            (_code(span["lo"], is_text), _code(span["hi"], is_text)) for span in facts.missing_ranges.get(name, [])
        ),
    }
    cells = values.tolist() if isinstance(values, np.ndarray) else values
    if is_text:
        codes, texts = encode_texts(cells)
        return RawColumn(kind="text", data=codes, texts=texts, **shared)
    tagged: Counter[str] = Counter()
    try:
        numbers = np.array(cells, dtype=np.float64)
    except (ValueError, TypeError):
        # A tagged missing value (.a to .z) arrives as its letter among the numbers.
        tagged = Counter(f".{cell}" for cell in cells if isinstance(cell, str))
        numbers = np.array([np.nan if isinstance(cell, str) else cell for cell in cells], dtype=np.float64)
    return RawColumn(kind="number", data=numbers, tagged=tuple(sorted(tagged.items())), **shared)


def _code(code: Any, is_text: bool) -> Code:
    """Return a text code, a number, or the tag of a missing number as people write it (".a")."""
    if is_text:
        return str(code)
    return f".{code}" if isinstance(code, str) else float(code)
