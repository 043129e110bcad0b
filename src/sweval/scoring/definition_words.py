"""The types of single values in a definition file, each with its check."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from pydantic.types import Strict

from sweval.errors import did_you_mean


def one_of(options: Iterable[str]) -> AfterValidator:
    """Return a check that accepts only these words, and names the nearest in its error."""
    words = tuple(options)

    def check(value: str) -> str:
        if value not in words:
            raise ValueError(f'"{value}" is none of the possible values. {did_you_mean(value, words)}')
        return value

    return AfterValidator(check)


def _id(value: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9_]*", value) is None:
        raise ValueError("must be small letters, digits and _, and start with a letter.")
    return value


def _score_id(value: str) -> str:
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", value) is None:
        raise ValueError("must be letters, digits and _, and start with a letter.")
    return value


WholeNumber = Annotated[int, Strict()]
Name = Annotated[str, AfterValidator(_id)]
ScoreId = Annotated[str, AfterValidator(_score_id)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
