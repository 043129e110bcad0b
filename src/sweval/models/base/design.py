"""What all designs share: names of columns in, one `Result` out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from sweval.errors import DesignError, did_you_mean
from sweval.result import BETTER, SERVICES, Result


@dataclass(frozen=True, kw_only=True)
class Design(ABC):
    """A frozen record of column names and of what is compared; `fit` does the analysis.

    The fields of a design are the keys of a `[[comparisons]]` table in a study file.

    Parameters
    ----------
    name
        What to call the comparison in tables.
    service
        Type of service, which decides whether it is direct or indirect: individual, family, group (direct); planning,
        consultation, training, community (indirect).
    client
        Column that holds the client's id. Needed where the data have several rows per client.
    wave
        Column that tells the waves apart, where the data have one row per client and wave.
    outcome_wave
        Wave (or waves) at which the outcome is taken. The default is every wave but the baseline, in the order of
        their numbers or else of their first appearance in the rows.
    """

    name: str | None = None
    service: str | None = None
    client: str | None = None
    wave: str | None = None
    outcome_wave: object = field(default=None)

    def __post_init__(self) -> None:
        if self.service is not None and self.service not in SERVICES:
            raise DesignError(
                f'"{self.service}" is no type of service.',
                where=self.where,
                fix=service_advice(self.service),
            )
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, list):  # a study file has lists where a frozen record has tuples
                object.__setattr__(self, entry.name, tuple(value))
        if self.outcome_wave is not None and self.wave is None:
            raise DesignError(
                "outcome_wave is given, but not the column that holds the waves.",
                where=self.where,
                fix='Add wave="...".',
            )

    @property
    def where(self) -> str:
        """Return what to call the design in an error."""
        return self.name or type(self).__name__

    @property
    def outcome_waves(self) -> tuple[object, ...]:
        """Return the outcome waves as a tuple; empty where none is named."""
        if self.outcome_wave is None:
            return ()
        return self.outcome_wave if isinstance(self.outcome_wave, tuple) else (self.outcome_wave,)

    @abstractmethod
    def fit(self, frame: Any, outcome: str, *, better: str | None = None, conf_level: float = 0.95) -> Result:
        """Analyse one outcome.

        Parameters
        ----------
        frame
            Any data frame that narwhals knows (pandas, polars, pyarrow, DuckDB, Spark).
        outcome
            Column of the outcome.
        better
            "higher" or "lower": which direction is an improvement. Known for scores of our instruments.
        conf_level
            Level of the intervals.
        """


@contextmanager
def located(where: str) -> Iterator[None]:
    """Name the design in an error that engine or effects raised without knowing it."""
    try:
        yield
    except DesignError as error:
        if error.where is not None:
            raise
        raise DesignError(error.what, where=where, fix=error.fix) from error


def direction(outcome: str, better: str | None, *, where: str) -> str:
    """Return "higher" or "lower": as asked, or as the instrument behind the column says.

    Raises
    ------
    DesignError
        If it is neither given nor known.
    """
    from sweval.scoring.definition import direction_of

    if better is not None and better not in BETTER:
        raise DesignError(f'better="{better}" is neither "higher" nor "lower".', where=where)
    found = better or direction_of(outcome)
    if found is None:
        raise DesignError(
            f'it is not known whether higher or lower values of "{outcome}" are better.',
            where=where,
            fix='Say better="higher" or better="lower".',
        )
    return found


def service_advice(name: str) -> str:
    """Return the type of service that was likely meant, or how to choose one."""
    advice = did_you_mean(name, SERVICES)
    if advice.startswith("Did you mean"):
        return advice
    return (
        "Choose by whom the workers worked with. Clients themselves, which is direct service: individual, family or "
        "group. Others who then help clients, which is indirect service: planning (of services), consultation (of an "
        "organisation), training (of staff) or community (neighbourhoods)."
    )


def check_level(conf_level: float, *, where: str) -> None:
    """Refuse a confidence level outside (0, 1)."""
    if not 0 < conf_level < 1:
        raise DesignError(f"conf_level is {conf_level}; it must lie between 0 and 1.", where=where, fix="Try 0.95.")


def names(value: object) -> tuple[str, ...]:
    """Return one or several column names as a tuple."""
    if isinstance(value, str):
        return (value,)
    return tuple(str(name) for name in value) if isinstance(value, (tuple, list)) else ()


def kinds() -> dict[str, type[Design]]:
    """Return file stem -> design for every file in `models/`; the file `cluster_trial` holds `ClusterTrial`."""
    from importlib import import_module
    from pkgutil import iter_modules

    from sweval import models

    found: dict[str, type[Design]] = {}
    for stem in sorted(module.name for module in iter_modules(models.__path__) if not module.ispkg):
        found[stem] = getattr(import_module(f"sweval.models.{stem}"), stem.title().replace("_", ""))
    return found
