"""Which clients changed by more than measurement error, which recovered, and how many more of them in which arm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sweval.effects.change_anchor import NOT_APPLICABLE
from sweval.effects.change_index import ALSO_CALLED, CHANGE_INDICES
from sweval.errors import DesignError, did_you_mean
from sweval.frames import take
from sweval.models.base.change_arms import Arms, clients_arms, contrast_rows, usable
from sweval.models.base.change_counts import category_rows
from sweval.models.base.change_growth import client_slopes
from sweval.models.base.change_rules import OTHER_RULES, RULES, Sorted, sort_clients, sort_slopes
from sweval.models.base.design import Design, check_level, direction, located
from sweval.models.base.rows import Facts
from sweval.models.base.two_waves import TwoWaves, scores_at_waves, scores_in_columns
from sweval.models.base.values import counted, keyed, numbers
from sweval.result import Estimate, Fit, Result

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class ReliableChange(Design):
    """Sort clients into recovered, improved, unchanged, deteriorated and harmed, and count them, by arm too.

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
        How to tell change from none: an index of `sweval.effects.CHANGE_INDICES` ("jacobson_truax" by default,
        "gulliksen_lord_novick", "hsu_linn_lord", "edwards_nunnally", "nunnally_kotsch", "hageman_arrindell"); "growth"
        (own slope over three or more waves, which must be numbers); "percentage" of the score before; "anchor" (the
        smallest change that matters to clients, in points); "cutoff" alone. The last three do not look at measurement
        error.
    reliability, reliability_post
        Of the score, between 0 and 1, for the indices; `reliability_post` for "nunnally_kotsch". It may be left out
        only where the instrument's file holds exactly one verified value.
    sd
        Standard deviation for the index, such as that of a norm sample. The default is this sample's, before the
        service, over the clients with both measurements.
    cutoff
        A published cut-off score; "a", "b" or "c" of Jacobson & Truax to compute one; or the band of the instrument at
        whose beginning it lies ("moderate"). None to look at change only. "a" and "c" use this sample's mean and
        standard deviation before the service.
    functional_mean, functional_sd
        Of people without the problem (norms), for "b" and "c"; by default the only verified norm of the instrument.
    improvement, deterioration
        For "percentage" shares of the score before (0.5 by default); for "anchor" points (by default those verified in
        the instrument's file). Deterioration is by default as large as improvement.
    level
        Two-sided confidence level of the index: 0.95 for 1.96 standard errors.
    arm, treated, control
        Column and labels of two arms, to compare how many recovered, and how many improved or better.
    cluster
        Column of the agency, group or team the clients belong to.

    Notes
    -----
    The index of Jacobson & Truax is (post - pre) / (sd * sqrt(2 (1 - reliability))); the others are in
    `sweval.effects.change_line`. All comparisons with an index or a cut-off are strict. Clients without the second
    measurement are counted; a second set of proportions takes them as unchanged (intention to treat). Clients who were
    on the functional side already before cannot recover; how many they are is a row of its own.

    "growth": slope (average plus the client's own deviation) over its posterior standard deviation, so that a client
    who improves like the average has improved; arms are not in the model. Arms without clusters are compared by score
    intervals, with clusters by logistic regression with CR2 and Satterthwaite's df (as `ClusterRobust`).

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
    reliability_post: float | None = None
    sd: float | None = None
    cutoff: float | str | None = None
    functional_mean: float | None = None
    functional_sd: float | None = None
    improvement: float | None = None
    deterioration: float | None = None
    level: float = 0.95
    arm: str | None = None
    treated: object = None
    control: object = None
    cluster: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.method not in (*RULES, *ALSO_CALLED):
            raise DesignError(
                f'"{self.method}" is no method of reliable change.',
                where=self.where,
                fix=did_you_mean(self.method, RULES),
            )
        self._check_waves()
        self._check_numbers()
        self._check_method()
        if (self.arm is None) != (self.treated is None) or (self.arm is None) != (self.control is None):
            raise DesignError("arm, treated and control belong together.", where=self.where, fix="Name all three.")

    def _check_waves(self) -> None:
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
        if self.wave is None and self.method == "growth":
            raise DesignError(
                "growth is seen in rows of the same client at several waves.",
                where=self.where,
                fix='Name client="..." and wave="...", one row per client and wave.',
            )

    def _check_numbers(self) -> None:
        if not isinstance(self.cutoff, str) and self.cutoff is not None:
            _number(self.cutoff, 'the cutoff must be a score, "a", "b" or "c"', self.where)
        for name in ("reliability", "reliability_post"):
            value = getattr(self, name)
            if value is not None and not 0 < _number(value, f"the {name} must be a number", self.where) < 1:
                raise DesignError(
                    f"the {name} must lie between 0 and 1, both excluded.",
                    where=self.where,
                    fix="Take it from the instrument's manual or a published study.",
                )
        for name in ("sd", "functional_sd", "improvement", "deterioration"):
            value = getattr(self, name)
            if value is not None and _number(value, f"{name} must be a number", self.where) <= 0:
                raise DesignError(f"{name} must be above zero.", where=self.where)
        if self.functional_mean is not None:
            _number(self.functional_mean, "functional_mean must be a number", self.where)
        if not 0 < _number(self.level, "the level must be a number", self.where) < 1:
            raise DesignError("the level must lie between 0 and 1.", where=self.where, fix="Try 0.95.")

    def _check_method(self) -> None:
        """Refuse numbers that the method does not use, which the user believes it does."""
        if self.method in OTHER_RULES:
            unused = ["reliability", "reliability_post", "sd"]
        else:
            unused = ["improvement", "deterioration"]
            unused += [] if self.method == "nunnally_kotsch" else ["reliability_post"]
        if self.method in ("growth", "cutoff"):
            unused += ["improvement", "deterioration"]
        given = [name for name in unused if getattr(self, name) is not None]
        if given:
            raise DesignError(
                f'the method "{self.method}" uses no {" and no ".join(given)}.',
                where=self.where,
                fix=f"Leave {'it' if len(given) == 1 else 'them'} out, or choose a method that does.",
            )
        if self.method == "cutoff" and self.cutoff is None:
            raise DesignError('the method "cutoff" needs a cutoff.', where=self.where, fix="Say cutoff=... as well.")

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
            Of the intervals. It does not move the threshold of the index; that is `level`.

        Returns
        -------
        Result
            Rows per category (measures "count", "proportion" and, if clients lack the second measurement,
            "proportion_intention_to_treat"), the threshold in points ("reliable_change_threshold") where all clients
            have the same, the cut-off ("cutoff") and the share who were on its functional side before
            ("proportion_functional_before"). With arms these rows also by arm (`arm[program]: recovered`), and events,
            risk, risk_difference, risk_ratio, odds_ratio and nnt of the outcomes `score: recovered` and
            `score: improved or better`.

            `clients` has one row per client: client, pre, post, index (in the direction of the score), category,
            unchanged_low and unchanged_high (between them a score after is no change).

        Raises
        ------
        DataError
            If a column is not there.
        DesignError
            If a client has two rows at a wave, a number that the method needs is not known, scores do not vary or vary
            no more than measurement error, or arms and clusters do not let a difference be seen.
        """
        check_level(conf_level, where=self.where)
        better = direction(outcome, better, where=self.where)
        table = take(frame, self._columns(outcome), where=self.where)
        scores = self._scores(table, outcome)
        notes = list(scores.notes)
        keep = ~np.isnan(scores.first)
        unknown = int((~keep).sum())
        if unknown:
            notes.append(f"{counted(unknown, 'client')} without a score before left out.")
        arms = None
        if self.arm is not None:
            arms = clients_arms(self, table, scores)
            in_arms, said = usable(arms.kept(keep), self)
            notes += said
            keep[keep] = in_arms
            arms = arms.kept(keep)
        clusters = self._clusters(table, scores, keep, arms)
        ids, pre, post = scores.ids[keep], scores.first[keep], scores.second[keep]
        with located(self.where):
            both, found = self._sorted(table, outcome, ids, pre, post, better)
        notes += found.notes
        lost = ~both
        if lost.any():
            notes.append(
                f"{int(lost.sum())} of {len(pre)} clients have no score after. Proportions are of the "
                f"{int(both.sum())} with both; beside them stand proportions of all, with those clients taken as "
                "unchanged."
            )
        facts = Facts(
            comparison=self.name,
            service=self.service,
            outcome=outcome,
            better=better,
            conf_level=conf_level,
            n=int(both.sum()),
            clusters=None if clusters is None else len(np.unique(clusters[both])),
        )
        gone = lost & (pre > 0) if self.method == "percentage" else lost  # of 0 there would be no percentage
        estimates = category_rows(
            facts, found, pre[both], _gone(clusters, gone), cluster=None if clusters is None else clusters[both]
        )
        if arms is not None:
            with located(self.where):
                rows, said = _by_arm(facts, found, pre, (both, gone), arms)
            estimates += rows
            notes += said
        if found.threshold is not None:
            estimates.append(facts.row("change", "reliable_change_threshold", found.threshold, method=found.method))
        if found.cutoff is not None:
            estimates.append(facts.row("cutoff", "cutoff", found.cutoff, method=found.cutoff_method))
        estimates += [facts.row(term, measure, value, method=how) for term, measure, value, how in found.extras]
        record = Fit(
            outcome=outcome,
            model=f"reliable change ({CHANGE_INDICES.get(self._method, OTHER_RULES.get(self._method, ''))})",
            rows=len(scores.ids),
            used=int(both.sum()),
            dropped=len(scores.ids) - int(both.sum()),
            clusters=facts.clusters,
            engine="sweval reliable change",
        )
        return Result(
            estimates=tuple(estimates),
            fits=(record,),
            notes=tuple(notes),
            clients=_clients(ids, pre, post, both, found),
        )

    @property
    def _method(self) -> str:
        return ALSO_CALLED.get(self.method, self.method)

    def _columns(self, outcome: str) -> list[str]:
        """Return all columns to read."""
        before = None if self.wave is not None else str(self.pre)
        named = (self.client, self.wave, before, outcome, self.arm, self.cluster)
        return list(dict.fromkeys(name for name in named if name is not None))

    def _scores(self, table: pd.DataFrame, outcome: str) -> TwoWaves:
        """Return ids, scores before and scores after, one entry per client."""
        if self.wave is None:
            return scores_in_columns(table, str(self.pre), outcome, client=self.client, part="pre", where=self.where)
        waves = {"pre": self.pre, "post": self.post}
        return scores_at_waves(table, outcome, client=str(self.client), wave=self.wave, waves=waves, where=self.where)

    def _clusters(
        self, table: pd.DataFrame, scores: TwoWaves, keep: Mask, arms: Arms | None
    ) -> NDArray[np.intp] | None:
        """Return each kept client's cluster; clients without one were left out where there are arms."""
        if self.cluster is None:
            return None
        if arms is not None:
            return arms.cluster
        raise DesignError(
            "clusters are used to compare arms, and no arm is named.",
            where=self.where,
            fix="Add arm, treated and control, or leave cluster out.",
        )

    def _sorted(
        self,
        table: pd.DataFrame,
        outcome: str,
        ids: NDArray[np.object_],
        pre: FloatArray,
        post: FloatArray,
        better: str,
    ) -> tuple[Mask, Sorted]:
        """Return which clients can be sorted, and how they are."""
        both = ~np.isnan(post)
        if both.sum() < 2:
            raise DesignError(
                f'"{outcome}" is there both before and after for {counted(int(both.sum()), "client")}; 2 are needed.'
            )
        if self.method != "growth":
            return both, sort_clients(self, outcome, pre[both], post[both], better=better, everyone=pre)
        index = self._growth(table, outcome, ids)
        return both, sort_slopes(self, outcome, index[both], pre[both], post[both], better=better)

    def _growth(self, table: pd.DataFrame, outcome: str, ids: NDArray[np.object_]) -> FloatArray:
        """Return each client's index from the scores at all waves."""
        y, _ = numbers(table[outcome], where=self.where)
        wave, labels, _ = keyed(table[str(self.wave)], as_label=True)
        try:
            times = np.array([float(label) for label in labels])
        except ValueError as error:
            raise DesignError(
                f'the waves in "{self.wave}" are no numbers, so growth per unit of time cannot be seen.',
                where=self.where,
                fix="Give the waves as numbers, such as months since the start: 0, 3, 12.",
            ) from error
        client, keys, _ = keyed(table[str(self.client)], as_label=False)
        place = {key: number for number, key in enumerate(ids.tolist())}
        code = np.array([*(place.get(key, -1) for key in keys), -1], dtype=np.intp)[client]
        rows = (code >= 0) & (wave >= 0) & ~np.isnan(y)
        return client_slopes(code[rows], times[wave[rows]], y[rows]).index


def _by_arm(
    facts: Facts, found: Sorted, pre: FloatArray, who: tuple[Mask, Mask], arms: Arms
) -> tuple[list[Estimate], list[str]]:
    """Return counts and proportions of each arm, control first, and the contrasts of both.

    `who` are the clients who were sorted and those who count as unchanged.
    """
    both, gone = who
    rows: list[Estimate] = []
    seen = arms.kept(both)
    for side in (0, 1):
        here = seen.code == side
        own = replace(
            found, category=found.category[here], index=found.index[here], low=found.low[here], high=found.high[here]
        )
        cluster = None if seen.cluster is None else seen.cluster[here]
        of_arm = replace(facts, n=int(here.sum()), clusters=None if cluster is None else len(np.unique(cluster)))
        lost = _gone(arms.cluster, gone & (arms.code == side))
        rows += category_rows(of_arm, own, pre[both][here], lost, cluster=cluster, arm=f"{arms.term(side)}: ")
    applies = found.category != NOT_APPLICABLE
    contrasts, notes = contrast_rows(facts, seen.kept(applies), found.category[applies], found.shown, arms.kept(gone))
    return [*rows, *contrasts], notes


def _gone(clusters: NDArray[np.intp] | None, lost: Mask) -> NDArray[np.intp] | int:
    """Return the clusters of the lost clients, or how many they are."""
    return int(lost.sum()) if clusters is None else clusters[lost]


def _number(value: object, what: str, where: str) -> float:
    """Return a finite number that was given as one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise DesignError(f"{what}.", where=where)
    return float(value)


def _clients(ids: NDArray[np.object_], pre: FloatArray, post: FloatArray, both: Mask, found: Sorted) -> pd.DataFrame:
    """Return one row per client; what comes of the second score is missing where that is."""
    import pandas as pd

    parts: dict[str, Any] = {"client": ids, "pre": pre, "post": post}
    for name, values in (
        ("index", found.index),
        ("category", found.category),
        ("unchanged_low", found.low),
        ("unchanged_high", found.high),
    ):
        whole = np.full(len(pre), None if values.dtype == object else np.nan, dtype=values.dtype)
        whole[both] = values
        parts[name] = whole
    return pd.DataFrame(parts)
