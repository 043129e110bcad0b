"""Designs that compare two arms: the common fields and the way from a frame to rows."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweval.errors import DesignError
from sweval.models.base.design import Design, check_level, direction, located, names
from sweval.models.base.roles import Roles
from sweval.models.base.rows import Facts
from sweval.models.base.sample import Sample, draw
from sweval.models.base.values import label_key
from sweval.models.engine.ols import LeastSquares, least_squares
from sweval.result import Result


@dataclass(frozen=True, kw_only=True)
class Comparison(Design):
    """Base of the designs with a treated and a control arm, adjusted by baseline and covariates.

    Parameters
    ----------
    arm
        Column that holds the arms.
    treated, control
        Labels of the two arms. Rows of other arms are left out, with a note.
    baseline
        The outcome before the program: a wave (where `wave` is set) or a column.
    covariates
        Further columns to adjust for, measured before the program. Text becomes categories.
    """

    arm: str
    treated: object
    control: object
    baseline: object = None
    covariates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "covariates", names(self.covariates))
        super().__post_init__()

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

        Returns
        -------
        Result
            Coefficients, the standardised effect, mean and spread of each arm, and the ICC where there are clusters;
            for several outcome waves one set each.

        Raises
        ------
        DataError
            If a column is not there.
        DesignError
            If the design does not fit the data, or the data do not identify the effect.
        """
        check_level(conf_level, where=self.where)
        found = direction(outcome, better, where=self.where)
        results = []
        for sample in draw(frame, outcome, self._roles()):
            clusters = None if sample.cluster is None else int(sample.cluster.max()) + 1
            facts = Facts(
                comparison=self.name,
                service=self.service,
                outcome=sample.outcome,
                better=found,
                conf_level=conf_level,
                n=sample.n,
                clusters=clusters,
            )
            with located(self.where):
                results.append(self._analyse(sample, facts))
        return sum(results[1:], results[0])

    @property
    def effect_term(self) -> str:
        """Return the term of the effect, for example `arm[training]`."""
        return f"{self.arm}[{label_key(self.treated)}]"

    @abstractmethod
    def _roles(self) -> Roles:
        """Return which column plays which part."""

    @abstractmethod
    def _analyse(self, sample: Sample, facts: Facts) -> Result:
        """Turn arrays into rows."""

    def _common_roles(self, **more: Any) -> Roles:
        return Roles(
            where=self.where,
            arm=self.arm,
            treated=self.treated,
            control=self.control,
            baseline=self.baseline,
            covariates=self.covariates,
            client=self.client,
            wave=self.wave,
            outcome_waves=self.outcome_waves,
            **more,
        )


def adjusted_fit(sample: Sample, term: str, *, where: str) -> tuple[LeastSquares, tuple[str, ...], list[str]]:
    """Fit outcome on arm, baseline and covariates; return the fit, its terms, and notes on terms that add nothing.

    Raises
    ------
    DesignError
        If baseline and covariates leave nothing of the arm.
    """
    adjusters, labels = sample.adjusters
    X = np.column_stack([np.ones(sample.n), sample.arms(where=where).astype(float), adjusters])
    terms = ("(Intercept)", term, *labels)
    try:
        fit = least_squares(sample.y, X)
    except DesignError as error:
        raise DesignError(f'"{sample.outcome}": {error.what}', where=where, fix=error.fix) from error
    notes = [f'"{terms[k]}" adds nothing to the terms before it and was left out.' for k in fit.aliased]
    return fit, tuple(terms[k] for k in fit.kept), notes
