"""Variance components of a partially nested comparison, under both views of what groups do to the spread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np

from sweval.models.base.sample import Array, Codes
from sweval.models.engine.mixed.fit import MixedFit, mixed_fit
from sweval.models.engine.mixed.icc import icc_intervals
from sweval.models.engine.mixed.model import Factor, Residual

Control = Literal["within", "total"]


@dataclass(frozen=True, kw_only=True, eq=False)
class NestedVariances:
    """Variances of an outcome, nothing but the arm taken into account.

    Parameters
    ----------
    control
        "within": the control arm has the variance within groups. "total": that and the variance of groups.
    factors
        Variance of groups, then of agencies if there are any.
    residual
        Variance of the treated clients within groups.
    outside
        Residual variance of the control clients as estimated.
    single
        Makes a fit with one factor, whose intraclass correlation has an exact interval; None with agencies.
    """

    control: Control
    factors: tuple[float, ...]
    residual: float
    outside: float
    single: Callable[[], MixedFit] | None = field(repr=False)

    @property
    def better(self) -> Control:
        """Return the view under which the control arm's variance is more likely (chi-square likelihood)."""

        def misfit(variance: float) -> float:
            return float(np.log(variance) + self.outside / variance)

        return "total" if misfit(self.residual + self.factors[0]) < misfit(self.residual) else "within"

    @property
    def interval(self) -> str:
        """Return what the interval is, in words that continue a sentence."""
        return ", no interval" if self.single is None else "; exact F interval (Harville & Fenech 1985)"

    def limits(self, conf_level: float) -> list[tuple[float, float]]:
        """Return the limits of the share of every factor, NaN where there are none."""
        if self.single is None:
            return [(np.nan, np.nan)] * len(self.factors)
        return [(found.low, found.high) for found in icc_intervals(self.single(), conf_level=conf_level)]


def nested_variances(
    values: Array,
    treated: Codes,
    units: Sequence[tuple[str, Codes]],
    *,
    control: Control,
    fit: MixedFit | None = None,
) -> NestedVariances:
    """Estimate the components by REML.

    Parameters
    ----------
    values
        Outcome, shape (n,).
    treated
        1 in the treated arm, 0 in the control arm.
    units
        Name and codes of groups (-1 in the control arm), then of agencies if there are any.
    control
        With "total" each arm has a residual variance of its own, with "within" both have the same.
    fit
        The fit of the values on the arm alone with own residual variances, if there is one already.
    """
    one = np.ones((len(values), 1))
    X = np.column_stack([one, treated])
    factors = [Factor(codes, one) for _, codes in units]
    single: Callable[[], MixedFit] | None
    if control == "within":
        common = mixed_fit(values, X, factors)
        fit, single = common, lambda: common
    else:
        fit = fit or mixed_fit(values, X, factors, residual=Residual(kind="by_class", classes=treated))
        # without agencies the arms have nothing in common, so the treated alone have the same components
        alone = treated == 1
        single = partial(mixed_fit, values[alone], one[alone], [Factor(units[0][1][alone], one[alone])])
    return NestedVariances(
        control=control,
        factors=tuple(float(found[0, 0]) for found in fit.covariances),
        residual=fit.residual_variances[-1],
        outside=fit.residual_variances[0],
        single=single if len(units) == 1 else None,
    )
