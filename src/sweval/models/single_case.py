"""One client, or several, measured again and again before and during a service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sweval.errors import DataError, DesignError, did_you_mean
from sweval.models.base.design import Design, check_level, direction, located
from sweval.models.base.rows import Facts
from sweval.models.base.single_case_data import CaseRoles, Sessions, labels_of, read_sessions
from sweval.models.base.single_case_indices import Indices, Wanted, indices_of
from sweval.models.base.single_case_rows import (
    as_given,
    between_rows,
    case_rows,
    clients_frame,
    notes_on,
    overall_rows,
    piecewise_rows,
    randomization_rows,
)
from sweval.result import Fit, Result

if TYPE_CHECKING:
    import pandas as pd

    from sweval.effects.case_level import Scale
    from sweval.effects.tau_trend import Variant

_DESIGNS = ("ab", "abab", "multiple_baseline", "alternating")
_SCALES = ("count", "rate", "proportion", "percentage")
_TAU_U = ("parker", "tarlow", "complete")


@dataclass(frozen=True, kw_only=True)
class SingleCase(Design):
    """Compare treated with untreated times of the same client: one case, several, or thousands.

    Use it where each client (or family, team, agency) was measured many times before and during the service. It says
    how far the phases of a case overlap and differ; that the service was the cause is told only by a design: a start
    drawn by lot, services that start at different times (multiple baseline), phases that come back (ABAB), or
    conditions that alternate. Do not use it for two measurements per client (`PrePost`, `ReliableChange`).

    Parameters
    ----------
    case
        Column of the case, such as the client's id; by default `client`.
    phase
        Column of the phase of each session.
    time
        Column of the session, the week (numbers) or the date (counted in days, also from text such as 2025-03-31); by
        default `wave`, else the order of the rows.
    baseline, treated
        Labels of the phases without and with the service; several where phases have labels of their own:
        `baseline=("A1", "A2")`.
    design
        "ab": a baseline, then the service. "multiple_baseline": the same, the services starting at different times.
        "abab": phases come back; each baseline phase is compared with the treated one after it. "alternating":
        conditions change from session to session; all sessions of one are compared with all of the other.
    scale
        "count", "rate", "proportion" or "percentage" where the outcome has a true zero: adds the log response ratio and
        the log ratio of medians, for shares also the log odds ratio.
    resolution
        Smallest steps in one unit of the scale, see `effects.log_response_ratio_within_case`.
    goal
        The level aimed at: adds the percentage of it that was obtained.
    tau_u
        "parker", "tarlow" or "complete": adds Tau-U in this variant.
    phi
        Autocorrelation that the wider intervals allow for; by default that of all cases together, if above zero.
    piecewise
        Whether to add a regression of each case on level, trend and change of slope: AR(1) errors from 12 measurements
        on, otherwise independent ones.
    randomized
        Whether the start (AB, multiple baseline), the changes (ABAB) or the order (alternating) was drawn by lot before
        the study: adds a randomisation test.
    least_phase
        Fewest measurements of a phase that the draw allowed.
    longest_run
        Most sessions in a row under one condition that the draw of an alternating design allowed; None for any.

    Notes
    -----
    Cases are called "case 1", "case 2" in the order in which they first appear; their ids stand in `clients` only.
    Intervals of single cases take measurements as independent, which days in a row are not: beside NAP stands one that
    allows for the autocorrelation of all cases. Means over cases use how much cases differ and are free of that. With
    three cases or more the between-case effect (Pustejovsky, Hedges and Shadish 2014) joins the effects of groups.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "id": ["s1"] * 12, "week": range(1, 13), "phase": ["A"] * 5 + ["B"] * 7,
    ...     "outbursts": [9, 8, 10, 9, 11, 8, 6, 5, 6, 4, 3, 4],
    ... })
    >>> design = SingleCase(case="id", phase="phase", time="week", baseline="A", treated="B")
    >>> result = design.fit(frame, "outbursts", better="lower")
    >>> row = result.effect("nonoverlap_of_all_pairs")
    >>> print(f"{row.term}: {row.estimate:.3f} [{row.conf_low:.3f}, {row.conf_high:.3f}]")
    case 1: 0.986 [0.663, 1.000]
    """

    case: str | None = None
    phase: str
    time: str | None = None
    baseline: object
    treated: object
    design: str = "ab"
    scale: str | None = None
    resolution: float | None = None
    goal: float | None = None
    tau_u: str | None = None
    phi: float | None = None
    piecewise: bool = False
    randomized: bool = False
    least_phase: int = 3
    longest_run: int | None = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.outcome_wave is not None:
            raise DesignError("all times are used; leave outcome_wave out.", where=self.where)
        if self.case is None and self.client is None:
            raise DesignError('the column of the cases is not named; add case="...".', where=self.where)
        for name, known in (("design", _DESIGNS), ("scale", _SCALES), ("tau_u", _TAU_U)):
            value = getattr(self, name)
            if value is not None and value not in known:
                raise DesignError(
                    f'{name}="{value}" is unknown.', where=self.where, fix=did_you_mean(str(value), known)
                )
        for name in ("baseline", "treated"):
            if not labels_of(getattr(self, name)):
                raise DesignError(f"{name} names no phase.", where=self.where)
        both = set(labels_of(self.baseline)) & set(labels_of(self.treated))
        if both:
            raise DesignError(f'"{min(both)}" is both baseline and treated.', where=self.where)
        if self.phi is not None and not 0 <= self.phi < 1:
            raise DesignError("phi must lie between 0 and 1, 1 excluded.", where=self.where)
        if self.goal is not None and not np.isfinite(self.goal):
            raise DesignError("the goal must be a finite number.", where=self.where)
        if self.least_phase < 1 or (self.longest_run is not None and self.longest_run < 1):
            raise DesignError("least_phase and longest_run must be 1 or more.", where=self.where)

    def fit(
        self,
        frame: Any,
        outcome: str,
        *,
        better: str | None = None,
        conf_level: float = 0.95,
        rng: int | np.random.Generator = 1,
    ) -> Result:
        """Analyse one outcome of every case.

        Parameters
        ----------
        frame
            Any data frame that narwhals knows, one row per case and session.
        outcome
            Column of the outcome.
        better
            "higher" or "lower"; known for scores of our instruments.
        conf_level
            Level of the intervals.
        rng
            Seed or generator, for a randomisation test with too many draws to count.

        Returns
        -------
        Result
            Rows per case and index (term "case 1"), their means (term "all cases"), and with three cases or more the
            between-case effect. `clients` has one row per case: client, case, sizes and means of the phases, and every
            index in a column of its own.

        Raises
        ------
        DataError
            If a column is not there, or values do not fit the scale.
        DesignError
            If the phases do not come as the design says, or no case can be used.
        """
        check_level(conf_level, where=self.where)
        found = direction(outcome, better, where=self.where)
        with located(self.where), _named(self.where):
            sessions = read_sessions(frame, outcome, self._roles())
            indices = indices_of(sessions, found, self._wanted(conf_level))
            return self._result(sessions, indices, outcome, found, conf_level, rng)

    def table(self, frame: Any, outcome: str, *, better: str | None = None, conf_level: float = 0.95) -> Any:
        """Return one row per case with every index in a column: for hundreds or thousands of cases.

        Parameters
        ----------
        frame, outcome, better, conf_level
            As for `fit`.

        Returns
        -------
        frame
            The `clients` of `fit`, as the kind of frame that was given (a lazy one is collected): pandas stays pandas,
            polars polars. Notes on what was left out come with `fit` only.

        Raises
        ------
        DataError, DesignError
            As `fit`.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({
        ...     "id": ["a"] * 6 + ["b"] * 6, "phase": list("AAABBB") * 2, "y": [3, 4, 3, 6, 7, 5, 2, 2, 3, 2, 4, 4],
        ... })
        >>> design = SingleCase(case="id", phase="phase", baseline="A", treated="B")
        >>> design.table(frame, "y", better="higher")["nonoverlap_of_all_pairs"].round(3).tolist()
        [1.0, 0.778]
        """
        check_level(conf_level, where=self.where)
        found = direction(outcome, better, where=self.where)
        with located(self.where), _named(self.where):
            sessions = read_sessions(frame, outcome, self._roles())
            return as_given(clients_frame(sessions, indices_of(sessions, found, self._wanted(conf_level))), frame)

    def _roles(self) -> CaseRoles:
        return CaseRoles(
            where=self.where,
            case=str(self.case or self.client),
            phase=self.phase,
            time=self.time or self.wave,
            baseline=labels_of(self.baseline),
            treated=labels_of(self.treated),
            design=self.design,
        )

    def _wanted(self, conf_level: float) -> Wanted:
        return Wanted(
            scale=cast("Scale | None", self.scale),
            resolution=self.resolution,
            goal=self.goal,
            tau_u=cast("Variant | None", self.tau_u),
            ordered=self.design != "alternating",
            phi=self.phi,
            conf_level=conf_level,
        )

    def _result(
        self,
        sessions: Sessions,
        indices: Indices,
        outcome: str,
        better: str,
        conf_level: float,
        rng: int | np.random.Generator,
    ) -> Result:
        facts = Facts(
            comparison=self.name,
            service=self.service,
            outcome=outcome,
            better=better,
            conf_level=conf_level,
            n=len(sessions.value),
            clusters=len(sessions.ids),
        )
        notes = [*sessions.notes, *notes_on(indices, len(sessions.ids), given=self.phi is not None)]
        between, said = between_rows(facts, sessions, "+".join(labels_of(self.treated)))
        rows = [*between, *case_rows(facts, indices), *overall_rows(facts, indices)]
        notes += said
        if self.randomized:
            rows += randomization_rows(
                facts, sessions, design=self.design, least=self.least_phase, longest_run=self.longest_run, rng=rng
            )
        if self.piecewise:
            more, said = piecewise_rows(facts, sessions)
            rows, notes = rows + more, notes + said
        record = Fit(
            outcome=outcome,
            model=f"single case, {self.design.replace('_', ' ')}",
            rows=sessions.rows,
            used=len(sessions.value),
            dropped=sessions.rows - len(sessions.value),
            clusters=len(sessions.ids),
            engine="sweval single case",
        )
        clients: pd.DataFrame = clients_frame(sessions, indices)
        return Result(estimates=tuple(rows), fits=(record,), notes=tuple(dict.fromkeys(notes)), clients=clients)


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Name the design in an error about data that an effect raised without knowing it."""
    try:
        yield
    except DataError as error:
        raise DataError(error.what, where=where, fix=error.fix) from error
