"""Every problem of a study file at once, each with its path inside the file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from sweval.errors import StudyError, did_you_mean
from sweval.study.advice import in_toml

__all__ = ["Problems", "checked", "checked_keys", "fields_of", "in_toml", "list_of_tables", "text_of", "value_of"]


class Problems:
    """Collects problems; `raise_if_any` names them all in one error."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.found: list[tuple[str, str]] = []

    def add(self, path: str, what: str) -> None:
        """Record one problem at a path inside the file, in the words of the file."""
        self.found.append((path, in_toml(what)))

    def raise_if_any(self) -> None:
        """Raise what was found.

        Raises
        ------
        StudyError
            With one line per problem.
        """
        if not self.found:
            return
        if len(self.found) == 1:
            path, what = self.found[0]
            raise StudyError(f"{path}: {what}", where=self.file.name)
        lines = "".join(f"\n  - {path}: {what}" for path, what in self.found)
        raise StudyError(f"{len(self.found)} problems (tables are counted from 1):{lines}", where=self.file.name)


def fields_of(record: type[Any]) -> dict[str, Any]:
    """Return the keys that a table may have, and the type of each, from the record it fills."""
    hints = get_type_hints(record)
    return {field.name: hints[field.name] for field in dataclasses.fields(record) if field.init}


def checked(table: object, record: type[Any], path: str, problems: Problems) -> dict[str, Any] | None:
    """Return the values of a table after a check against the fields of the record; None if anything is wrong."""
    values = checked_keys(table, fields_of(record), path, problems)
    if not isinstance(table, dict):
        return None
    absent = [
        field.name
        for field in dataclasses.fields(record)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if field.init and field.name not in table
    ]
    for name in absent:
        problems.add(f"{path}.{name}", "is missing.")
    return None if absent else values


def text_of(table: object, key: str) -> str | None:
    """Return a text of a table that may have other problems; None where it is no text."""
    value = table.get(key) if isinstance(table, dict) else None
    return value if isinstance(value, str) else None


def checked_keys(table: object, kinds: Mapping[str, Any], path: str, problems: Problems) -> dict[str, Any] | None:
    """Return the values of a table whose keys and their types are given; None if anything is wrong."""
    if not isinstance(table, dict):
        problems.add(path, "must be a table.")
        return None
    before = len(problems.found)
    values: dict[str, Any] = {}
    for name, raw in table.items():
        if name not in kinds:
            problems.add(f"{path}.{name}", f"unknown key. {did_you_mean(name, kinds, listed=len(kinds))}")
            continue
        values[name] = value_of(kinds[name], raw, f"{path}.{name}", problems)
    return values if len(problems.found) == before else None


def value_of(kind: Any, raw: object, path: str, problems: Problems) -> Any:
    """Return a value in its type. Text is never taken for a number, nor a number for text."""
    try:
        return _adapter(kind).validate_json(json.dumps(raw, default=str), strict=True)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        if not isinstance(raw, (list, dict)) and _fits(kind, [raw]):
            problems.add(path, f"must be a list: write {path.rpartition('.')[2]} = [{json.dumps(raw, default=str)}].")
            return None
        # A choice of types gives one fault per type: the reader needs one sentence.
        problems.add(path, " or ".join(dict.fromkeys(_sentence(fault["msg"]) for fault in faults)) + ".")
        return None


def _fits(kind: Any, raw: object) -> bool:
    """Return whether a value has the type."""
    try:
        _adapter(kind).validate_json(json.dumps(raw, default=str), strict=True)
    except ValidationError:
        return False
    return True


def list_of_tables(raw: Mapping[str, Any], name: str, problems: Problems) -> list[tuple[str, Any]]:
    """Return path and content of every `[[name]]`."""
    tables = raw.get(name, [])
    if not isinstance(tables, list):
        problems.add(name, f"must be a list of tables: write [[{name}]].")
        return []
    return [(f"{name}[{number}]", table) for number, table in enumerate(tables, 1)]


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _sentence(message: str) -> str:
    said = message.removeprefix("Input ").removeprefix("Value error, ").rstrip(".")
    return said.replace("should be an object", "should be a table")
