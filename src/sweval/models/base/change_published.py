"""What an instrument's file knows about change: reliabilities, norms, what matters to clients, where bands begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweval.errors import DesignError, InstrumentError

if TYPE_CHECKING:
    from sweval.scoring.records import Instrument, Scale


@dataclass(frozen=True, kw_only=True)
class Published:
    """The verified facts of one score; each with its source in words.

    Parameters
    ----------
    reliabilities, differences
        Value and words: published reliabilities, and smallest changes that matter.
    norms
        Mean, standard deviation and words.
    bands
        Label of a band -> the score at which it begins; the lowest band has no beginning of its own.
    """

    reliabilities: tuple[tuple[float, str], ...] = ()
    differences: tuple[tuple[float, str], ...] = ()
    norms: tuple[tuple[float, float, str], ...] = ()
    bands: dict[str, float] | None = None


def published(outcome: str) -> Published:
    """Return what the catalogue holds on a score column, as far as it was verified; nothing for other columns."""
    found = _score_of(outcome)
    if found is None:
        return Published()
    own, scale = found
    bands = scale.band_set
    return Published(
        reliabilities=tuple(
            (row.value, ", ".join(part for part in (row.type, row.interval, row.source) if part))
            for row in own.reliability
            if row.verified and row.score == scale.id
        ),
        differences=tuple((row.mcid, row.source) for row in own.change if row.verified and row.score == scale.id),
        norms=tuple(
            (row.mean, row.sd, f"{row.population}, {row.source}")
            for row in own.norms
            if row.verified and row.score == scale.id
        ),
        bands={band.label: band.cut for band in bands.bands[1:]} if bands is not None and bands.verified else None,
    )


def the_reliability(given: float | None, outcome: str, *, where: str) -> tuple[float, list[str]]:
    """Return the reliability that was given, or the only verified one of the instrument, with a note.

    Raises
    ------
    DesignError
        If it is neither given nor the only one.
    """
    if given is not None:
        return given, []
    found = published(outcome).reliabilities
    if len(found) == 1:
        value, words = found[0]
        return value, [f"Reliability {value:g} of {outcome} taken from the instrument's file ({words})."]
    listed = "; ".join(f"{value:g} ({words})" for value, words in found)
    raise DesignError(
        f'the reliability of "{outcome}" is not known.'
        if not found
        else f'several reliabilities of "{outcome}" are published: {listed}.',
        where=where,
        fix="Give reliability, such as reliability = 0.84, from the manual or a study of clients like yours; for an "
        "instrument of ours `sweval show` lists what is published, with sources.",
    )


def the_norm(mean: float | None, sd: float | None, outcome: str, *, where: str) -> tuple[float, float, list[str]]:
    """Return mean and standard deviation of people without the problem: as given, or the only verified norm.

    Raises
    ------
    DesignError
        If several norms are published; nan where there is none.
    """
    if mean is not None or sd is not None:
        return float("nan") if mean is None else mean, float("nan") if sd is None else sd, []
    found = published(outcome).norms
    if not found:
        return float("nan"), float("nan"), []
    if len(found) > 1:
        listed = "; ".join(f"{value:g} ({words})" for value, _, words in found)
        raise DesignError(
            f'several norms of "{outcome}" are published: {listed}.',
            where=where,
            fix="Say functional_mean=... and functional_sd=..., people like your clients but without the problem.",
        )
    value, spread, words = found[0]
    taken = f"taken from the instrument's file ({words})"
    return value, spread, [f"Norm mean {value:g} and standard deviation {spread:g} of {outcome} {taken}."]


def the_difference(given: float | None, outcome: str, *, where: str) -> tuple[float, list[str]]:
    """Return the smallest change that matters to clients: as given, or the only verified one.

    Raises
    ------
    DesignError
        If it is neither given nor the only one.
    """
    if given is not None:
        return given, []
    found = published(outcome).differences
    if len(found) == 1:
        value, words = found[0]
        return value, [f"{value:g} points of {outcome} matter to clients by the instrument's file ({words})."]
    listed = "; ".join(f"{value:g} ({words})" for value, words in found)
    raise DesignError(
        f'how many points of "{outcome}" matter to clients is not known.'
        if not found
        else f'several smallest changes of "{outcome}" that matter are published: {listed}.',
        where=where,
        fix="Say improvement=..., the points from a study that asked clients whether they felt better.",
    )


def band_cutoff(label: str, outcome: str, *, where: str) -> float:
    """Return the score at which a band of the instrument begins.

    Raises
    ------
    DesignError
        If the score has no such verified band; the message names those there are.
    """
    bands = published(outcome).bands or {}
    if label in bands:
        return bands[label]
    listed = ", ".join(f'"{name}"' for name in bands)
    also = f", or the band of {outcome} at which it lies" if bands else ""
    raise DesignError(
        f'the cutoff must be a score, "a", "b" or "c"{also}; "{label}" is none of them.',
        where=where,
        fix=f"Its bands above the lowest are {listed}." if bands else None,
    )


def _score_of(outcome: str) -> tuple[Instrument, Scale] | None:
    """Return the instrument of the catalogue, and its score, that makes a column."""
    from sweval.scoring.definition import instrument, scale_of

    scale = scale_of(outcome)
    if scale is None:
        return None
    try:
        own = instrument(outcome.removesuffix(f"_{scale.id}"), accept_licence=True)  # looked up; nothing is scored
    except InstrumentError:
        return None
    return (own, scale) if any(one.column == outcome for one in own.scores) else None
