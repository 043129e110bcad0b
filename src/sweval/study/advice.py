"""Advice that names arguments of functions, said again in the words of a study file or of the command line."""

from __future__ import annotations

import re
from typing import get_type_hints

_ARGUMENT = r"\b(?P<name>[a-z_]+)=(?P<value>\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}|\"[^\"]*\"|'[^']*'|True|False)"
_BARE = r"\b(?P<name>[a-z_]+)=(?=[\s.,;:)]|$)"
_IN_STUDY = re.compile(r" \(in a study file: [^)]*\)")
_OPTIONS = ("missing", "coding", "items", "order", "variant", "accept_licence")


def in_toml(text: str) -> str:
    """Return advice that names an argument of a function, or a design, in the words of a study file.

    Examples
    --------
    >>> in_toml("If 99 is a missing code, pass missing=(9, 99).")
    'If 99 is a missing code, write missing = [9, 99].'
    >>> in_toml('Pass coding="1-4".')
    'Write coding = "1-4".'
    >>> in_toml("Pass sheet= to choose.")
    'Write sheet = "..." in [read] to choose.'
    >>> in_toml("If that is a code for no answer, make it missing first.")
    'If that is a code for no answer, declare it in missing.'
    >>> in_toml('Use TwoGroup with cluster="agency".')
    'Use kind = "two_group" with cluster = "agency".'
    """
    said = re.sub(rf"\b(?P<verb>[Pp])ass {_ARGUMENT}", _written, _IN_STUDY.sub("", text))
    said = re.sub(rf"\b(?P<verb>[Pp])ass {_BARE}", _written, said)
    said = re.sub(_ARGUMENT, _assigned, said)
    said = re.sub(_BARE, lambda found: found["name"], said)
    return _with_kinds(said).replace("make it missing first", "declare it in missing")


def in_options(text: str) -> str:
    """Return advice that names an argument of a function in the words of `sweval score`.

    Examples
    --------
    >>> in_options("If 99 is a missing code, pass missing=(9, 99).")
    'If 99 is a missing code, pass --missing 9 99.'
    >>> in_options('Pass coding="1-4".')
    'Pass --coding 1-4.'
    >>> in_options('Pass encoding="cp1252".')
    'Write encoding = "cp1252" in [read] of a study file.'
    """

    def option(found: re.Match[str]) -> str:
        name, value = found["name"], found["value"]
        if name not in _OPTIONS:
            return found[0]
        flag = "--" + name.replace("_", "-")
        if value[0] == "{":
            return f"in a study file: {_assigned(found)}"
        if value[0] in "([":
            return " ".join([flag, *(code.strip() for code in value[1:-1].split(",") if code.strip())])
        if value in ("True", "False"):
            return flag
        return f"{flag} {value if name == 'items' else value[1:-1]}"

    said = re.sub(_ARGUMENT, option, _IN_STUDY.sub("", text))
    said = re.sub(
        _BARE, lambda found: "--" + found["name"].replace("_", "-") if found["name"] in _OPTIONS else found[0], said
    )
    said = in_toml(said)
    return said.replace(" in [read]", " in [read] of a study file")


def _assigned(found: re.Match[str]) -> str:
    """Return `name=value` of Python as `name = value` of TOML."""
    value = found["value"].replace("'", '"')
    if value[0] in "([":
        value = f"[{value[1:-1].rstrip(',')}]"
    elif value[0] == "{":
        value = value.replace(": ", " = ")
    elif value in ("True", "False"):
        value = value.lower()
    return f"{found['name']} = {value}"


def _written(found: re.Match[str]) -> str:
    """Return `pass name=value` as `write name = value`, with the section where it is not the table at hand."""
    from sweval.data.read import FileOptions

    name = found["name"]
    given = _assigned(found) if "value" in found.re.groupindex else f'{name} = "..."'
    sections = {option: "read" for option in get_type_hints(FileOptions) if option != "missing"}
    section = (sections | {"accept_licence": "study"}).get(name)
    return f"{'W' if found['verb'] == 'P' else 'w'}rite {given}" + (f" in [{section}]" if section else "")


def _with_kinds(text: str) -> str:
    """Return the text with the class of each design as the `kind` of a study file; a quoted name is a user's own."""
    from sweval.models.base.design import kinds

    named = {design.__name__: stem for stem, design in kinds().items()}
    pattern = rf'(?<!")\b(?:{"|".join(named)})\b(?!")'
    return re.sub(pattern, lambda found: f'kind = "{named[found[0]]}"', text)
