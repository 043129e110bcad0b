"""Find instruments in the catalogue by words, level, construct and licence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sweval.errors import InstrumentError, did_you_mean
from sweval.scoring.definition import catalogue
from sweval.scoring.records import DOMAINS, LEVELS, LICENCES, Instrument


def find(
    words: str | Sequence[str] = (),
    *,
    level: str | None = None,
    construct: str | None = None,
    licences: Sequence[str] = (),
) -> tuple[Instrument, ...]:
    """Return the instruments that fit everything that is asked for, ordered by level, domain and id.

    Parameters
    ----------
    words
        All must occur, as parts of words and in any case, among id, title, what is measured, for whom, level and names
        of scores.
    level
        One of `LEVELS`, or one of the domains within level individual (`DOMAINS`).
    construct
        Words that must occur in what is measured.
    licences
        Keys of `LICENCES`; any of them. None: all.

    Returns
    -------
    tuple of Instrument
        None if nothing fits.

    Raises
    ------
    InstrumentError
        If there is no such level or licence.

    Examples
    --------
    >>> [found.id for found in find("kroenke depression severity")]
    []
    >>> "phq9" in [found.id for found in find("depression", level="individual", licences=["public_domain"])]
    True
    """
    _known("level", [level] if level else [], (*LEVELS, *DOMAINS))
    _known("licence", licences, LICENCES)
    found = [
        entry
        for entry in catalogue()
        if level in (None, entry.level, entry.domain)
        and (not licences or entry.licence.kind in licences)
        and _holds(entry.construct, construct or "")
        and _holds(searchable(entry), words)
    ]
    # the catalogue is in order of level and id; within a level, domains stand together
    return tuple(sorted(found, key=lambda entry: (LEVELS.index(entry.level), ("", *DOMAINS).index(entry.domain))))


def searchable(instrument: Instrument) -> str:
    """Return the text in which words are looked for."""
    parts = [
        instrument.id, instrument.title, instrument.construct, instrument.level, place(instrument),
        instrument.population, instrument.respondent, *(scale.id.replace("_", " ") for scale in instrument.scores),
    ]  # fmt: skip
    return " ".join(parts).casefold()


def place(instrument: Instrument) -> str:
    """Return the level in words, with the domain where there is one."""
    return f"{instrument.level}: {instrument.domain.replace('_', ' ')}" if instrument.domain else instrument.level


def _holds(text: str, words: str | Sequence[str]) -> bool:
    wanted = words if isinstance(words, str) else " ".join(words)
    return all(word in text.casefold() for word in wanted.casefold().split())


def _known(what: str, wanted: Iterable[str], options: Iterable[str]) -> None:
    known = tuple(options)
    for name in wanted:
        if name not in known:
            raise InstrumentError(f'there is no {what} "{name}".', fix=did_you_mean(name, known))
