"""A result as a study with two comparisons, two outcomes and a pre-post part would return it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from sweval.result import Estimate, Result


def analysis(
    comparison: str, service: str | None, outcome: str, effect: tuple[float, float, float], arms: tuple[str, str]
) -> tuple[Estimate, ...]:
    """Return the rows of one fitted comparison, in the order in which designs return them."""
    g, low, high = effect
    control, treated = arms
    common = {"comparison": comparison, "service": service, "outcome": outcome, "better": "lower", "clusters": 24}
    inference = {"conf_level": 0.95, "df": 20.31, "p_value": 0.0312, "null": 0.0, "n": 652}
    term = f"arm[{treated}]"
    coefficient = Estimate(
        **common, **inference, term=term, measure="coefficient", metric="raw", method="OLS, CR2, Satterthwaite df",
        estimate=-1.6, std_error=0.6, conf_low=-2.8, conf_high=-0.4,
    )  # fmt: skip
    standardised = Estimate(
        **common, **inference, term=term, measure="hedges_g", metric="person_total", adjusted=True,
        method="Hedges g, CR2, Satterthwaite df; positive = improvement", level_assigned="cluster",
        level_outcome="client", estimate=g, std_error=0.126, conf_low=low, conf_high=high, variance=0.126**2,
    )  # fmt: skip
    described = [
        Estimate(**common, term=f"arm[{arm}]", measure=measure, estimate=value, n=n, method="unadjusted")
        for arm, n in ((control, 330), (treated, 322))
        for measure, value in (("mean", 10.5), ("sd", 5.25), ("baseline_mean", 13.9), ("baseline_sd", 5.0))
    ]
    icc = Estimate(**common, term="agency", measure="icc", estimate=0.062, method="analysis of variance")
    return (coefficient, standardised, *described, icc)


@pytest.fixture
def synthetic() -> Result:
    rows = [
        *analysis("Staff training", "training", "phq9_total", (0.312, 0.05, 0.574), ("usual", "training")),
        *analysis("Staff training", "training", "who5_percent", (0.18, -0.11, 0.47), ("usual", "training")),
        *analysis("Group work", "group", "phq9_total", (0.455, 0.21, 0.7), ("usual", "group_work")),
        *analysis("Group work", "group", "who5_percent", (-0.42, -0.7, -0.14), ("usual", "group_work")),
    ]
    for measure, value in (("alpha", 0.861), ("sem", 1.97)):
        rows.append(
            Estimate(
                outcome="phq9_total",
                term="phq9_total",
                measure=measure,
                estimate=value,
                n=690,
                method="alpha; Feldt",
                conf_low=value - 0.02,
                conf_high=value + 0.02,
                conf_level=0.95,
            )
        )
    rows += [
        Estimate(outcome="phq9_total", term=f"phq_{i}", measure="item_rest_r", estimate=0.4 + i / 10, n=690, method="r")
        for i in (2, 1, 3)
    ]
    rows.append(
        Estimate(
            comparison="Before and after",
            service="individual",
            outcome="phq9_total",
            term="change",
            n=57,
            measure="standardized_mean_change",
            metric="uncontrolled_change",
            method="change; positive = improvement",
            estimate=0.6,
            conf_low=0.4,
            conf_high=0.8,
            conf_level=0.95,
            df=56.0,
            p_value=0.00001,
        )
    )
    notes = ("clients.sav: 712 rows and 38 columns were read.", "Group work, phq9_total: 31 rows were left out.")
    return Result(estimates=tuple(rows), notes=notes)


@pytest.fixture
def relabelled(synthetic: Result) -> Callable[[str], Result]:
    """Return a function that puts one text at every place of the result where a label from the data can stand."""

    def relabel(text: str) -> Result:
        def label(value: str | None) -> str | None:
            return None if value is None else f"{value}{text}"

        rows = tuple(
            dataclasses.replace(
                row,
                comparison=label(row.comparison),
                outcome=label(row.outcome),
                term=row.term[:-1] + text + "]" if row.term.endswith("]") else row.term + text,
                method=row.method + text,
            )
            for row in synthetic.estimates
        )
        return Result(estimates=rows, notes=tuple(note + text for note in synthetic.notes)).in_study("Study" + text)

    return relabel
