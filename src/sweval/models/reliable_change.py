"""Which clients changed by more than measurement error, and which recovered (Jacobson & Truax, 1991)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweval.effects.change import CATEGORIES, change_categories, clinical_cutoff
from sweval.effects.change_index import reliable_change_index, reliable_change_threshold
from sweval.effects.proportion import wilson_interval
from sweval.errors import DesignError, InstrumentError, did_you_mean
from sweval.models.base.design import Design, check_level, direction
from sweval.models.base.rows import Facts
from sweval.models.base.two_waves import TwoWaves, scores_at_waves, scores_in_columns
from sweval.models.base.values import counted
from sweval.result import BETTER, Estimate, Fit, Result

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

_METHODS = ("jacobson_truax",)
_METHOD = "reliable change index of Jacobson & Truax (1991), 1.96 standard errors"


@dataclass(frozen=True, kw_only=True)
class ReliableChange(Design):
    """Sort clients into recovered, improved, unchanged, deteriorated and harmed, and count them.

    Use it to say how many clients got better or worse beyond measurement error. Without a comparison arm it does not
    say that the service was the cause.

    Parameters
    ----------
    client, wave
        Columns of the client's id and of the wave, for one row per client and wave. Without `wave` the data have one
        row per client, `pre` is the column before and the outcome the column after.
    pre, post
        Labels of the waves before and after.
    method
        "jacobson_truax".
    reliability
        Of the score, between 0 and 1. It may be left out only where the instrument's file holds exactly one verified
        value.
    sd
        Standard deviation for the index, such as that of a norm sample. The default is this sample's, before the
        service, over the clients with both measurements.
    cutoff
        A published cut-off score, or "a", "b" or "c" of Jacobson & Truax to compute one; None to count reliable change
        only. "a" and "c" use this sample's mean and standard deviation before the service.
    functional_mean, functional_sd
        Of people without the problem (norms); needed for "b" and "c".

    Notes
    -----
    The index is (post - pre) / (sd * sqrt(2 (1 - reliability))). All comparisons are strict. Clients without the second
    measurement are counted; a second set of proportions takes them as unchanged (intention to treat).

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "id": [1, 1, 2, 2, 3, 3, 4, 4], "wave": ["pre", "post"] * 4, "phq9_total": [19, 6, 15, 13, 12, 17, 21, 9],
    ... })
    >>> design = ReliableChange(client="id", wave="wave", pre="pre", post="post", reliability=0.86, cutoff=10)
    >>> result = design.fit(frame, "phq9_total", better="lower")
    >>> result.clients["category"].tolist()
    ['recovered', 'unchanged', 'deteriorated', 'recovered']
    >>> result.effect("proportion", term="recovered").estimate
    0.5
    """

    pre: object
    post: object = None
    method: str = "jacobson_truax"
    reliability: float | None = None
    sd: float | None = None
    cutoff: float | str | None = None
    functional_mean: float | None = None
    functional_sd: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method not in _METHODS:
            raise DesignError(
                f'"{self.method}" is no method of reliable change.',
                where=self.where,
                fix=did_you_mean(self.method, _METHODS),
            )
        if self.outcome_wave is not None:
            raise DesignError("the waves are named by pre and post, not by outcome_wave.", where=self.where)
        if self.wave is not None and (self.client is None or self.post is None):
            raise DesignError("with several rows per client, client, pre and post are needed.", where=self.where)
        if self.wave is None and self.post is not None:
            raise DesignError(
                "post names a wave, but the column that holds the waves is not given.",
                where=self.where,
                fix='Add wave="...". With one row per client leave post out: the outcome is the column after.',
            )
        if self.cutoff not in (None, "a", "b", "c"):
            _number(self.cutoff, 'the cutoff must be a score, "a", "b" or "c"', self.where)
        if self.reliability is not None and not (
            0 < _number(self.reliability, "the reliability must be a number", self.where) < 1
        ):
            raise DesignError(
                "the reliability must lie between 0 and 1, both excluded.",
                where=self.where,
                fix="Take it from the instrument's manual or a published study.",
            )
        for name in ("sd", "functional_sd"):
            value = getattr(self, name)
            if value is not None and _number(value, f"{name} must be a number", self.where) <= 0:
                raise DesignError(f"{name} must be above zero.", where=self.where)
        if self.functional_mean is not None:
            _number(self.functional_mean, "functional_mean must be a number", self.where)

    def fit(self, frame: Any, outcome: str, *, better: str | None = None, conf_level: float = 0.95) -> Result:
        """Classify every client on one outcome.

        Parameters
        ----------
        frame
            Any data frame that narwhals knows (pandas, polars, pyarrow, DuckDB, Spark).
        outcome
            Column of the score.
        better
            "higher" or "lower"; known for scores of our instruments.
        conf_level
            Of the intervals of the proportions. It does not move the threshold of the index.

        Returns
        -------
        Result
            Rows per category (measures "count", "proportion" and, if clients lack the second measurement,
            "proportion_intention_to_treat"), the threshold in points ("reliable_change_threshold"), the cut-off
            ("cutoff") and the share who were on its functional side before ("proportion_functional_before"). `clients`
            has one row per client: client, pre, post, index (negative where the score fell), category.

        Raises
        ------
        DataError
            If a column is not there.
        DesignError
            If a client has two rows at a wave, the reliability is not known, or scores do not vary.
        """
        check_level(conf_level, where=self.where)
        better = direction(outcome, better, where=self.where)
        scores = self._scores(frame, outcome)
        ids, pre, post, notes = scores.ids, scores.first, scores.second, list(scores.notes)
        unknown = np.isnan(pre)
        if unknown.any():
            notes.append(f"{counted(int(unknown.sum()), 'client')} without a score before left out.")
        ids, pre, post, rows = ids[~unknown], pre[~unknown], post[~unknown], len(ids)
        both = ~np.isnan(post)
        if both.sum() < 2:
            raise DesignError(
                f'"{outcome}" is there both before and after for {counted(int(both.sum()), "client")}; 2 are needed.',
                where=self.where,
            )
        reliability, said = self._reliability(outcome)
        sd, said_sd = self._sd(pre, both, outcome)
        cutoff, said_cutoff = self._cutoff(pre[both], better)
        notes += [*said, *said_sd, *said_cutoff]
        index = np.full(len(pre), np.nan)
        index[both] = reliable_change_index(pre[both], post[both], sd=sd, reliability=reliability)
        category = np.full(len(pre), None, dtype=object)
        category[both] = change_categories(pre[both], post[both], index[both], better=better, cutoff=cutoff)
        lost = int((~both).sum())
        if lost:
            notes.append(
                f"{lost} of {len(pre)} clients have no score after. Proportions are of the {int(both.sum())} with "
                "both; beside them stand proportions of all, with those clients taken as unchanged."
            )
        facts = Facts(
            comparison=self.name,
            service=self.service,
            outcome=outcome,
            better=better,
            conf_level=conf_level,
            n=int(both.sum()),
            clusters=None,
        )
        estimates = _category_rows(facts, category[both], pre[both], cutoff, lost)
        threshold = reliable_change_threshold(sd=sd, reliability=reliability)
        estimates.append(facts.row("change", "reliable_change_threshold", threshold, method=_METHOD))
        if cutoff is not None:
            estimates.append(facts.row("cutoff", "cutoff", cutoff, method=self._cutoff_method()))
        record = Fit(
            outcome=outcome,
            model="reliable change (Jacobson & Truax)",
            rows=rows,
            used=int(both.sum()),
            dropped=rows - int(both.sum()),
            engine="sweval reliable change",
        )
        return Result(
            estimates=tuple(estimates),
            fits=(record,),
            notes=tuple(notes),
            clients=_clients(ids, pre, post, index, category),
        )

    def _scores(self, frame: Any, outcome: str) -> TwoWaves:
        """Return ids, scores before and scores after, one entry per client."""
        if self.wave is None:
            return scores_in_columns(frame, str(self.pre), outcome, client=self.client, part="pre", where=self.where)
        waves = {"pre": self.pre, "post": self.post}
        return scores_at_waves(frame, outcome, client=str(self.client), wave=self.wave, waves=waves, where=self.where)

    def _reliability(self, outcome: str) -> tuple[float, list[str]]:
        """Return the reliability that was given, or the only verified one of the instrument."""
        if self.reliability is not None:
            return self.reliability, []
        found = _published(outcome)
        if len(found) == 1:
            value, words = found[0]
            return value, [f"Reliability {value:g} of {outcome} taken from the instrument's file ({words})."]
        listed = "; ".join(f"{value:g} ({words})" for value, words in found)
        raise DesignError(
            f'the reliability of "{outcome}" is not known.'
            if not found
            else f'several reliabilities of "{outcome}" are published: {listed}.',
            where=self.where,
            fix="Say reliability=..., from the manual or a study of clients like yours.",
        )

    def _sd(self, pre: FloatArray, both: NDArray[np.bool_], outcome: str) -> tuple[float, list[str]]:
        """Return the standard deviation of the index, with a note on where it comes from."""
        if self.sd is not None:
            return self.sd, [f"The index uses the given standard deviation {self.sd:g}."]
        sd = float(pre[both].std(ddof=1))
        if sd == 0:
            raise DesignError(f'all clients have the same "{outcome}" before, so it has no spread.', where=self.where)
        note = (
            f"The index uses this sample's standard deviation before the service, {sd:.4g}, "
            f"over the {int(both.sum())} clients with both scores"
        )
        everyone = float(pre.std(ddof=1))
        note += "." if both.all() else f" (over all {len(pre)} with a score before it is {everyone:.4g})."
        return sd, [f"{note} A published one (sd=...) makes programs comparable."]

    def _cutoff(self, pre: FloatArray, better: str) -> tuple[float | None, list[str]]:
        """Return the cut-off as a score, with a note if the norms make no sense for these clients."""
        if self.cutoff is None or not isinstance(self.cutoff, str):
            return (None if self.cutoff is None else float(self.cutoff)), []
        mean, sd = float(pre.mean()), float(pre.std(ddof=1))
        norm_mean = np.nan if self.functional_mean is None else float(self.functional_mean)
        norm_sd = np.nan if self.functional_sd is None else float(self.functional_sd)
        try:
            value = clinical_cutoff(
                self.cutoff,
                better=better,
                clinical_mean=mean,
                clinical_sd=sd,
                functional_mean=norm_mean,
                functional_sd=norm_sd,
            )
        except DesignError as error:
            raise DesignError(error.what, where=self.where, fix=error.fix) from error
        norms = "" if self.cutoff == "a" else f", norm mean {norm_mean:g} and standard deviation {norm_sd:g}"
        own = "" if self.cutoff == "b" else f", mean {mean:.4g} and standard deviation {sd:.4g} of these clients before"
        notes = [f"Cut-off {self.cutoff} is {value:.4g}{own}{norms}."]
        if self.cutoff != "a" and BETTER[better] * (norm_mean - mean) <= 0:
            notes.append(
                "Before the service these clients were on average as well as the norm group or better, so the cut-off "
                "does not separate two populations."
            )
        return value, notes

    def _cutoff_method(self) -> str:
        return (
            f"cut-off {self.cutoff} of Jacobson & Truax (1991)" if isinstance(self.cutoff, str) else "cut-off as given"
        )


def _number(value: object, what: str, where: str) -> float:
    """Return a finite number that was given as one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise DesignError(f"{what}.", where=where)
    return float(value)


def _category_rows(
    facts: Facts, category: NDArray[np.object_], pre: FloatArray, cutoff: float | None, lost: int
) -> list[Estimate]:
    """Return counts and proportions of clients with both scores, and the share functional before; `lost` have one."""
    shown = CATEGORIES if cutoff is not None else CATEGORIES[1:4]
    counts = {name: int((category == name).sum()) for name in shown}
    rows = [facts.row(name, "count", float(count), method=_METHOD) for name, count in counts.items()]
    rows += [_proportion(facts, name, "proportion", count, facts.n) for name, count in counts.items()]
    if lost:
        counts["unchanged"] += lost
        rows += [
            _proportion(facts, name, "proportion_intention_to_treat", count, facts.n + lost)
            for name, count in counts.items()
        ]
    if cutoff is not None:
        sign = BETTER[str(facts.better)]
        functional = int((sign * pre > sign * cutoff).sum())
        rows.append(_proportion(facts, "functional before", "proportion_functional_before", functional, facts.n))
    return rows


def _proportion(facts: Facts, term: str, measure: str, count: int, n: int) -> Estimate:
    """Return the row of one proportion with Wilson's interval."""
    low, high = wilson_interval(count, n, conf_level=facts.conf_level)
    return facts.row(
        term,
        measure,
        count / n,
        method=f"{_METHOD}; Wilson interval",
        conf_low=float(low),
        conf_high=float(high),
        conf_level=facts.conf_level,
        n=n,
    )


def _clients(
    ids: NDArray[np.object_], pre: FloatArray, post: FloatArray, index: FloatArray, category: NDArray[np.object_]
) -> pd.DataFrame:
    """Return one row per client; category is missing where the second score is."""
    import pandas as pd

    return pd.DataFrame({"client": ids, "pre": pre, "post": post, "index": index, "category": category})


def _published(outcome: str) -> list[tuple[float, str]]:
    """Return the verified reliabilities of a score column of our catalogue, each with its type and source."""
    from sweval.scoring.definition import direction_of, instrument

    if direction_of(outcome) is None:
        return []
    parts = outcome.split("_")
    for length in range(1, len(parts)):
        try:
            found = instrument("_".join(parts[:length]), accept_licence=True)
        except InstrumentError:
            continue
        scores = {scale.column: scale.id for scale in found.scores}
        if outcome in scores:
            return [
                (row.value, ", ".join(part for part in (row.type, row.interval, row.source) if part))
                for row in found.reliability
                if row.verified and row.score == scores[outcome]
            ]
    return []
