"""`sw.Study`: from a study file to one `Result` that holds every comparison on every outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sweval.errors import StudyError, SwevalError, did_you_mean
from sweval.models.base.values import label_key
from sweval.result import Result
from sweval.study.comparisons import whole_clusters, with_outcome_waves
from sweval.study.data import read_data
from sweval.study.file import Comparison, Given, ReportTable, Scored, StudyFile, columns_of, of_variant, read_study_file
from sweval.study.problems import in_toml
from sweval.study.safety import safety_counts

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study as its file declares it: data, outcomes, comparisons, report.

    For an analysis that others can read, repeat and check; for exploring, call the designs yourself. Make one with
    `Study.read`.

    Parameters
    ----------
    title
        The study's title.
    file
        The checked content of the study file.

    Examples
    --------
    >>> from sweval.data.datasets import folder
    >>> study = Study.read(folder("harbour") / "study.toml")
    >>> study.title
    'Harbour: staff training and group work'
    """

    title: str
    file: StudyFile

    @classmethod
    def read(cls, path: str | Path) -> Study:
        """Read a study file and check it; the data are not opened yet.

        Raises
        ------
        StudyError
            Naming every problem at once, each with its path inside the file.
        """
        file = read_study_file(Path(path))
        return cls(title=file.study.title, file=file)

    @property
    def report(self) -> ReportTable:
        """What `[report]` asks for."""
        return self.file.report

    @property
    def language(self) -> str:
        """The language of the report."""
        return self.file.study.language

    def check(self, *, progress: Progress | None = None) -> tuple[str, ...]:
        """Do everything that `run` does, and return only the notes: what would be dropped, recoded or assumed.

        Raises
        ------
        SwevalError
            As `run`.
        """
        return self.run(progress=progress).notes

    def run(self, *, progress: Progress | None = None) -> Result:
        """Read the data, score the instruments, and fit every comparison to its outcomes: those it names, or all.

        Parameters
        ----------
        progress
            Called before each step with its name, its number and the number of steps.

        Returns
        -------
        Result
            The rows of each comparison, then the reliability of the scales, all with the study's title. Notes stand in
            the order in which things were done and say where they belong.

        Raises
        ------
        SwevalError
            If the data do not fit the study file. A comparison that cannot be fitted to an outcome is an error too.
        """
        columns = [column for outcome in self.file.outcomes for column in columns_of(outcome)]
        steps = ["reading", *(f"scoring {outcome.instrument.id}" for outcome in self._scored)]
        pairs = [
            (comparison, column) for comparison in self.file.comparisons for column in comparison.outcomes or columns
        ]
        steps += [f"{comparison.name}: {column}" for comparison, column in pairs]
        tell = _Steps(steps, progress)
        tell.next()
        data = read_data(self.file)
        frame, scales = data.frame, Result(estimates=(), notes=data.notes, labels=data.labels)
        for outcome in self._scored:
            tell.next()
            frame, found = self._score(frame, outcome)
            scales += found
        self._require_columns(frame)
        better = {outcome.column: outcome.better for outcome in self.file.outcomes if isinstance(outcome, Given)}
        better |= {
            outcome.instrument.scale(score).column: outcome.instrument.scale(score).better
            for outcome in self._scored
            for score in outcome.scores
        }
        fitted = Result(estimates=())
        for comparison, column in pairs:
            tell.next()
            fitted += self._fit(frame, comparison, column, better[column])
        effects_first = replace(
            scales + fitted, estimates=fitted.estimates + scales.estimates, fits=fitted.fits + scales.fits
        )
        return effects_first.in_study(self.title)

    def inputs(self) -> dict[str, str]:
        """Return name and SHA-256 of every file that the study reads."""
        import hashlib

        paths = [self.file.path, self.file.data, *(o.source for o in self._scored if isinstance(o.source, Path))]
        if self.file.reading.get("catalog"):
            paths.append(self.file.reading["catalog"])
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    @property
    def _scored(self) -> tuple[Scored, ...]:
        return tuple(outcome for outcome in self.file.outcomes if isinstance(outcome, Scored))

    def _score(self, frame: pd.DataFrame, outcome: Scored) -> tuple[pd.DataFrame, Result]:
        """Return the frame with the score columns, and the reliability of the scores that are analysed."""
        from sweval.scoring.score import score_with_notes

        try:
            scored = score_with_notes(
                frame,
                outcome.instrument,
                items=outcome.items,
                missing=outcome.missing,
                coding=outcome.coding,
                order=outcome.order,
                variant=outcome.variant,
                accept_licence=self.file.study.accept_licence,
            )
        except SwevalError as error:
            raise self._placed(
                error, f"{outcome.path} ({outcome.instrument.id})", known=(outcome.instrument.id,)
            ) from error
        doubles = [outcome.instrument.scale(score).column for score in outcome.doubles]
        said = [f"{column}: not analysed, being another score in other units; name it in scores." for column in doubles]
        notes = (*_notes_on(outcome, scored.notes), *said)
        wanted = safety_counts(
            scored.frame, outcome.instrument, client=self.file.study.client, wave=self.file.study.wave
        )
        return scored.frame, Result(estimates=(), notes=notes) + wanted + self._reliability(frame, outcome)

    def _reliability(self, frame: pd.DataFrame, outcome: Scored) -> Result:
        """Return the reliability on the baseline wave; a scale for which there is none gets a note, not an error."""
        from sweval.scoring.reliability import reliability

        name = outcome.instrument.id
        rows, said = self._baseline_rows(frame)
        try:
            found = reliability(
                rows,
                of_variant(outcome.instrument, outcome.variant),
                items=outcome.items,
                order=outcome.order,
                missing=outcome.missing,
                coding=outcome.coding,
                accept_licence=self.file.study.accept_licence,
            )
        except SwevalError as error:
            return Result(estimates=(), notes=(f"{name}: no reliability was computed. {error}",))
        analysed = columns_of(outcome)
        estimates = tuple(row for row in found.estimates if row.outcome in analysed)
        fits = tuple(fit for fit in found.fits if fit.outcome in analysed)
        notes = (f"{name}: reliability is from {said}.", *_notes_on(outcome, found.notes))
        return Result(estimates=estimates, fits=fits, notes=notes)

    def _baseline_rows(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
        """Return the rows of the baseline wave, or all rows where the study has no such wave."""
        wave = self.file.study.wave
        designs = [comparison.design for comparison in self.file.comparisons]
        for baseline in [getattr(design, key, None) for key in ("baseline", "pre") for design in designs]:
            if wave is None or baseline is None or baseline in frame.columns or wave not in frame.columns:
                continue
            at = frame[wave].map(label_key) == label_key(baseline)
            if at.any():
                return frame.loc[at].reset_index(drop=True), f'the {int(at.sum())} rows at {wave} "{baseline}"'
        return frame, f"all {len(frame)} rows"

    def _fit(self, frame: pd.DataFrame, comparison: Comparison, column: str, better: str | None) -> Result:
        others = [other for other in self.file.comparisons if other is not comparison]
        design, said = with_outcome_waves(comparison.design, others, frame)
        said += whole_clusters(design, others, frame)
        try:
            found = design.fit(frame, column, better=better)
        except SwevalError as error:
            known = (comparison.design.where, type(comparison.design).__name__)
            raise self._placed(
                error, f'{comparison.path} ("{comparison.name}"), outcome "{column}"', known=known
            ) from error
        notes = tuple(_under(f"{comparison.name}, {column}", note) for note in (*said, *found.notes))
        return Result(estimates=found.estimates, fits=found.fits, notes=notes, clients=found.clients)

    def _require_columns(self, frame: pd.DataFrame) -> None:
        """Check every column that the study names, all at once."""
        present = [str(name) for name in frame.columns]
        wanted = {f"study.{key}": getattr(self.file.study, key) for key in ("client", "wave")}
        for comparison in self.file.comparisons:
            for key in ("arm", "cluster", "group", "client", "wave"):
                wanted.setdefault(f"{comparison.path}.{key}", getattr(comparison.design, key, None))
        wanted |= {
            f"{outcome.path}.column": outcome.column for outcome in self.file.outcomes if isinstance(outcome, Given)
        }
        named = {(key.rpartition(".")[2], value) for key, value in wanted.items() if key.startswith("study.")}
        absent = [
            f'{path}: the data have no column "{column}". {did_you_mean(column, present)}'
            for path, column in wanted.items()
            if column is not None and column not in present
            if path.startswith("study.") or (path.rpartition(".")[2], column) not in named
        ]
        if len(absent) == 1:
            raise StudyError(absent[0], where=self.file.path.name)
        if absent:
            lines = "".join(f"\n  - {line}" for line in absent)
            raise StudyError(f"{len(absent)} problems (tables are counted from 1):{lines}", where=self.file.path.name)

    def _placed(self, error: SwevalError, place: str, *, known: Sequence[str]) -> StudyError:
        """Return an error of a part with the place in the study file instead of the part's own name."""
        what = error.what if error.where is None or error.where in known else f"{error.where}: {error.what}"
        fix = None if error.fix is None else in_toml(error.fix)
        return StudyError(in_toml(what), where=f"{self.file.path.name}, {place}", fix=fix)


class _Steps:
    """Counts the steps for whoever shows progress."""

    def __init__(self, names: Sequence[str], progress: Progress | None) -> None:
        self.names, self.progress, self.done = names, progress, 0

    def next(self) -> None:
        """Tell that the next step begins."""
        if self.progress is not None:
            self.progress(self.names[self.done], self.done, len(self.names))
        self.done += 1


def _notes_on(outcome: Scored, notes: Sequence[str]) -> tuple[str, ...]:
    """Return the notes on an instrument without those on scores that the study does not analyse."""
    idle = {scale.column for scale in outcome.instrument.scores} - set(columns_of(outcome))
    kept = [note for note in notes if not note.startswith(tuple(f"{column}:" for column in idle))]
    return tuple(_under(outcome.instrument.id, note) for note in kept)


def _under(place: str, note: str) -> str:
    """Return a note that begins with where it belongs."""
    said = in_toml(note)
    return said if said.startswith(place) else f"{place}: {said}"
