"""One model of the effects: moderators as columns, the working model fitted, and the means it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sweval.models.base.design import located
from sweval.models.base.synthesis_data import Effects
from sweval.models.base.synthesis_fit import Fitted, Plan, fit_working_model
from sweval.models.base.synthesis_rows import Target, mean_targets
from sweval.models.base.terms import Encoded, Read, Term, columns_of, encode, read_columns


@dataclass(frozen=True, kw_only=True)
class Modelled:
    """A fitted working model with its terms and means."""

    fitted: Fitted
    read: Read
    terms: tuple[Term, ...]
    targets: tuple[Target, ...]

    def weights(self, column: str) -> dict[str, Target]:
        """Return the means at the levels of a column."""
        return {str(target.level): target for target in self.targets if target.column == column}


def model_effects(effects: Effects, terms: Sequence[Term], plan: Plan, *, reference: Mapping[str, object]) -> Modelled:
    """Fit the working model with moderators."""
    columns = columns_of(terms)
    known = {name: level for name, level in reference.items() if name in columns}
    read = read_columns(columns, effects.table, reference=known, where=plan.where)
    if terms:
        encoded = encode(terms, effects.table, reference=known, where=plan.where)
    else:
        one = np.ones((len(effects.y), 1))
        encoded = Encoded(X=one, names=("(Intercept)",), terms=((),), levels={}, numeric={}, notes=())
    with located(plan.where):
        fitted = fit_working_model(effects, encoded, plan)
    return Modelled(
        fitted=fitted, read=read, terms=tuple(terms), targets=tuple(mean_targets(fitted, read, terms))
    )  # fmt: skip


def part_of(effects: Effects, plan: Plan, keep: NDArray[np.bool_]) -> tuple[Effects, Plan]:
    """Return some of the effects, studies numbered anew, and the plan for them."""
    held, study = np.unique(effects.study[keep], return_inverse=True)
    given = plan.covariance
    part = replace(
        effects,
        y=effects.y[keep],
        v=effects.v[keep],
        w=effects.w[keep],
        study=study.astype(np.intp),
        studies=tuple(effects.studies[at] for at in held),
        table=effects.table[keep].reset_index(drop=True),
        positions=effects.positions[keep],
        notes=(),
    )
    return part, replace(plan, covariance=None if given is None else given[np.ix_(keep, keep)])
