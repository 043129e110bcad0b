"""Categories of change by arm: of every client served, how many more recovered, with clusters respected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sweval.effects.binary import odds_ratio, risk_difference, risk_ratio
from sweval.effects.contingency import design_effect, two_by_two
from sweval.effects.number_needed import number_needed_to_treat
from sweval.effects.variance_components import anova_icc
from sweval.errors import DesignError
from sweval.models.base.change_counts import proportion_row
from sweval.models.base.robust_fit import logistic_fit
from sweval.models.base.roles import Roles
from sweval.models.base.rows import Facts
from sweval.models.base.sample import _arms
from sweval.models.base.standardisation import event_rows, standardise, standardised_rows
from sweval.models.base.terms import Encoded, Read
from sweval.models.base.two_waves import TwoWaves
from sweval.models.base.values import counted, keyed, label_key, was
from sweval.result import Estimate

if TYPE_CHECKING:
    import pandas as pd

    from sweval.models.reliable_change import ReliableChange

Codes = NDArray[np.intp]

EVENTS = {
    "recovered": ("recovered",),
    "improved or better": ("recovered", "improved"),
}
"""What arms are compared by -> the categories that count as the event."""


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Arm (1 = treated, 0 = control, below 0 = neither) and cluster (-1 = none) of each client.

    Parameters
    ----------
    code, cluster
        One entry per client; cluster None where no column of clusters is named.
    column, labels
        The column of the arms, and both labels, control first.
    notes
        What was done to the labels.
    """

    code: Codes
    cluster: Codes | None
    column: str
    labels: tuple[str, str]
    notes: tuple[str, ...]

    def term(self, side: int) -> str:
        """Return the term of an arm, such as `arm[program]`."""
        return f"{self.column}[{self.labels[side]}]"

    def kept(self, keep: NDArray[np.bool_]) -> Arms:
        """Return the arms of some clients."""
        cluster = None if self.cluster is None else self.cluster[keep]
        return replace(self, code=self.code[keep], cluster=cluster)


def clients_arms(design: ReliableChange, table: pd.DataFrame, scores: TwoWaves) -> Arms:
    """Return arm and cluster of every client of `scores`.

    Raises
    ------
    DesignError
        If a label is not in the data, or a client changes arm or cluster between the waves.
    """
    where, name = design.where, str(design.arm)
    roles = Roles(where=where, arm=name, treated=design.treated, control=design.control)
    notes: list[str] = []
    code = _of_clients(_arms(table[name], "row", roles, notes), scores, -2, name, where)
    cluster = None
    if design.cluster is not None:
        codes, _, _ = keyed(table[design.cluster], as_label=False)
        cluster = _of_clients(codes, scores, -1, design.cluster, where)
    labels = str(label_key(design.control)), str(label_key(design.treated))
    return Arms(code=code, cluster=cluster, column=name, labels=labels, notes=tuple(notes))


def usable(arms: Arms, design: ReliableChange) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which clients are in one of the two arms and in a cluster, with a note on those who are not."""
    keep = np.ones(len(arms.code), dtype=bool)
    notes = list(arms.notes)
    reasons = [(arms.code == -1, f'in other arms of "{design.arm}"'), (arms.code == -2, f'without "{design.arm}"')]
    if arms.cluster is not None:
        reasons.append((arms.cluster < 0, f'without a value in "{design.cluster}" (no cluster)'))
    for out, why in reasons:
        count = int((keep & out).sum())
        keep &= ~out
        if count:
            notes.append(f"{counted(count, 'client')} {why} {was(count)} left out.")
    return keep, notes


def contrast_rows(
    facts: Facts, arms: Arms, category: NDArray[np.object_], shown: Sequence[str], lost: Arms
) -> tuple[list[Estimate], list[str]]:
    """Return risk difference, risk ratio, odds ratio and number needed to treat of every event, and notes.

    Parameters
    ----------
    facts
        Of the outcome; the rows carry `outcome: event`, of which more is better.
    arms, category
        Of the clients who were sorted.
    shown
        The categories there can be.
    lost
        Arms of the clients without a score after, who count as unchanged in the intention-to-treat rows.

    Raises
    ------
    DesignError
        If an arm has fewer than two clients, or all clients are in one cluster.
    """
    for side, label in enumerate(arms.labels):
        n = int((arms.code == side).sum())
        if n < 2:
            raise DesignError(
                f'the arm "{label}" has {counted(n, "client")} with both scores; 2 are needed to compare arms.',
                fix="Look at the labels of the arms and at missing scores, or leave arm out.",
            )
    rows: list[Estimate] = []
    notes: list[str] = []
    for event, categories in EVENTS.items():
        names = [name for name in categories if name in shown]
        if not names:
            continue
        own = replace(facts, outcome=f"{facts.outcome}: {event}", better="higher", n=len(category))
        y = np.isin(category, names)
        found, said = _contrasts(own, arms, y, event)
        rows += found
        notes += said
        if len(lost.code):
            everyone = replace(
                arms,
                code=np.concatenate([arms.code, lost.code]),
                cluster=None if arms.cluster is None or lost.cluster is None
                else np.concatenate([arms.cluster, lost.cluster]),
            )  # fmt: skip
            all_y = np.concatenate([y, np.zeros(len(lost.code), dtype=bool)])
            whole, _ = _contrasts(replace(own, n=len(all_y)), everyone, all_y, event)
            rows += [
                replace(row, measure=f"{row.measure}_intention_to_treat",
                        method=f"{row.method}; clients without a score after taken as unchanged")
                for row in whole if row.measure == "risk_difference"
            ]  # fmt: skip
    return rows, notes


def _contrasts(facts: Facts, arms: Arms, y: NDArray[np.bool_], event: str) -> tuple[list[Estimate], list[str]]:
    """Return the rows of one event."""
    if arms.cluster is None:
        return _independent(facts, arms, y), []
    _, codes = np.unique(arms.cluster, return_inverse=True)
    cluster = codes.astype(np.intp)
    count = int(cluster.max()) + 1
    if count < 2:
        raise DesignError(
            "all clients with both scores are in one cluster, so its effect cannot be told from that of the service.",
            fix="More clusters are needed; or leave arm out and describe this one.",
        )
    facts = replace(facts, clusters=count)
    by_arm = [len(np.unique(cluster[arms.code == side])) for side in (0, 1)]
    lonely = [label for label, clusters in zip(arms.labels, by_arm, strict=True) if clusters < 2]
    if lonely and not _shared(cluster, arms.code):
        raise DesignError(
            f'the arm "{lonely[0]}" has one cluster only, so the effect cannot be told from the cluster.',
            fix="At least two clusters in each arm are needed, better four or more.",
        )
    constant = [y[arms.code == side].min() == y[arms.code == side].max() for side in (0, 1)]
    alike = [label for label, same in zip(arms.labels, constant, strict=True) if same]
    if alike:
        note = (
            f'"{event}" is the same for all clients of the arm "{alike[0]}", so no logistic model can be fitted: the '
            "interval of the risk difference is a score interval widened by the clusters."
        )
        return _widened(facts, arms, y, cluster), [note]
    return _robust(facts, arms, y, cluster), []


def _independent(facts: Facts, arms: Arms, y: NDArray[np.bool_]) -> list[Estimate]:
    """Return risks and contrasts of clients who do not depend on each other: score intervals."""
    counts = _counts(arms, y)
    table, level = two_by_two(*counts), facts.conf_level
    difference = _placed(facts, arms, risk_difference(table, half=False, conf_level=level).row())
    rows = [*_risks(facts, arms, y), difference]
    if counts[0] + counts[2] > 0:
        rows.append(_placed(facts, arms, risk_ratio(table, conf_level=level)))
        if counts[0] + counts[2] < counts[1] + counts[3]:
            rows.append(_placed(facts, arms, odds_ratio(table, conf_level=level)))
    if difference.estimate != 0:
        rows.append(number_needed_to_treat(difference))
    return rows


def _widened(facts: Facts, arms: Arms, y: NDArray[np.bool_], cluster: Codes) -> list[Estimate]:
    """Return risks and the risk difference where an arm has no or nothing but events: the score interval of fewer."""
    counts = _counts(arms, y)
    clusters = int(cluster.max()) + 1
    known = 0 < y.sum() < len(y) and clusters < len(y)
    icc = anova_icc(y.astype(float), cluster, arms.code).icc if known else 0.0
    inflation = float(design_effect(icc, np.bincount(cluster)))
    table = two_by_two(*counts, design_effect=inflation, clusters=clusters)
    difference = _placed(facts, arms, risk_difference(table, half=False, conf_level=facts.conf_level).row())
    rows = [*_risks(facts, arms, y), difference]
    if difference.estimate != 0:
        rows.append(number_needed_to_treat(difference))
    return rows


def _robust(facts: Facts, arms: Arms, y: NDArray[np.bool_], cluster: Codes) -> list[Estimate]:
    """Return risks and contrasts by logistic regression on the arm with CR2, as `ClusterRobust` gives them."""
    name = arms.column
    treated = (arms.code == 1).astype(float)
    X = np.column_stack([np.ones(len(y)), treated])
    fit = logistic_fit(y.astype(float), X, cluster, weights=None, working="constant", kind="CR2")
    read = Read(numeric={}, coded={name: (list(arms.labels), arms.code)}, notes=())
    encoded = Encoded(
        X=X, names=("(Intercept)", arms.term(1)), terms=((), (name,)), levels={name: arms.labels}, numeric={}, notes=()
    )
    risks = standardise(name, arms.labels, fit, encoded, read, None)
    return [
        *event_rows(name, arms.labels, y.astype(float), cluster, read, facts),
        *standardised_rows(risks, fit, facts, label=None, adjusted=False),
    ]


def _risks(facts: Facts, arms: Arms, y: NDArray[np.bool_]) -> list[Estimate]:
    """Return events of n and the risk with its interval of either arm, control first."""
    events, risks = [], []
    for side in (0, 1):
        here = arms.code == side
        own = None if arms.cluster is None else arms.cluster[here]
        risk = proportion_row(replace(facts, n=int(here.sum())), arms.term(side), "risk", y[here], own, "unadjusted")
        risks.append(replace(risk, metric="raw", adjusted=False))
        events.append(
            replace(risk, measure="events", estimate=float(y[here].sum()), conf_low=None, conf_high=None,
                    conf_level=None, df=None, method="counted, not weighted or adjusted")
        )  # fmt: skip
    return [*events, *risks]


def _placed(facts: Facts, arms: Arms, row: Estimate) -> Estimate:
    """Return an effect with what all rows have in common, and its arms named."""
    against = f"; against {arms.term(0)}"
    return replace(
        row, comparison=facts.comparison, service=facts.service, outcome=facts.outcome, better=facts.better,
        term=arms.term(1), n=facts.n, clusters=facts.clusters, method=row.method + against,
    )  # fmt: skip


def _counts(arms: Arms, y: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return events and clients of the treated and of the control arm."""
    treated = arms.code == 1
    return int(y[treated].sum()), int(treated.sum()), int(y[~treated].sum()), int((~treated).sum())


def _shared(cluster: Codes, code: Codes) -> bool:
    """Tell whether a cluster has clients of both arms."""
    return len(np.unique(np.column_stack([cluster, code]), axis=0)) > int(cluster.max()) + 1


def _of_clients(codes: Codes, scores: TwoWaves, absent: int, column: str, where: str) -> Codes:
    """Return each client's value of a column that must not change between the waves."""
    padded = np.append(codes, absent)
    first, second = (padded[place] for place in scores.rows)
    known = (first > absent) & (second > absent)
    moved = int((known & (first != second)).sum())
    if moved:
        raise DesignError(
            f'{counted(moved, "client")} {"has" if moved == 1 else "have"} different values of "{column}" before and '
            "after.",
            where=where,
            fix="Keep the one that was assigned, in all rows of the client.",
        )
    return np.where(first > absent, first, second)
