"""What each kind of published report needs, and how its numbers become an effect."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweval.effects.adjusted_differences import adjusted_difference, growth_difference
from sweval.effects.arrays import Effects
from sweval.effects.binary import log_odds_ratio, log_risk_ratio, risk_difference
from sweval.effects.binary_scales import cox_d
from sweval.effects.clustered_differences import ClusterSizes, clustered_difference, partially_nested_difference
from sweval.effects.contingency import two_by_two
from sweval.effects.kernel import Standardized, standardize
from sweval.effects.mean_changes import (
    ArmChange,
    baseline_adjusted_difference,
    difference_of_changes,
    standardized_mean_change,
)
from sweval.effects.mean_differences import difference_from_beta, difference_from_test, standardized_mean_difference
from sweval.effects.missing_correlation import CORRELATIONS, pre_post_correlation
from sweval.effects.samples import effect_row
from sweval.effects.summaries import pooled_sd
from sweval.result import BETTER, Estimate

ALTERNATIVE = "_alternative"
"""Ends the measure of an effect under an assumption nobody chose; reports and syntheses leave such rows aside."""
ASSUMED = f"_if_correlation{ALTERNATIVE}"


class Cells:
    """The cells of one row of the table that a kind may use; numbers are None where the cell is empty."""

    def __init__(
        self, numbers: dict[str, float | None], words: dict[str, str], *, better: str, conf_level: float,
        correlation: float | None,
    ) -> None:  # fmt: skip
        self.numbers, self.words = numbers, words
        self.better, self.conf_level, self.correlation = better, conf_level, correlation
        self.assumed = False
        self.sign = BETTER[better]

    def __getitem__(self, name: str) -> float:
        value = self.numbers[name]
        return np.nan if value is None else value

    def given(self, name: str) -> float | None:
        """Return a number that may be left out."""
        return self.numbers.get(name)

    @property
    def n(self) -> int:
        return int(sum(self.numbers.get(name) or 0 for name in ("n_treated", "n_control")))

    @property
    def difference(self) -> float:
        """Treated - control after the service, oriented."""
        return self.sign * (self["mean_treated"] - self["mean_control"])

    @property
    def sd(self) -> float:
        """Standard deviation pooled within arms."""
        sd = self.given("sd")
        return sd if sd is not None else float(pooled_sd(*(self[name] for name in _ARMS)))

    def of_arm(self, arm: str) -> float | None:
        """Return the correlation of before and after that the report lets one recover for an arm."""
        before, after, change = (self.given(f"{name}_{arm}") for name in ("sd_pre", "sd", "sd_change"))
        t = self.given("paired_t")
        if before is None or after is None or (change is None and t is None):
            return None
        if change is not None:
            return float(pre_post_correlation(sd_pre=before, sd_post=after, sd_change=change))
        moved = self[f"mean_{arm}"] - self[f"mean_pre_{arm}"]
        return float(pre_post_correlation(sd_pre=before, sd_post=after, change=moved, t=t, n=self[f"n_{arm}"]))

    def correlations(self, *arms: str) -> list[tuple[float, bool]]:
        """Return the correlation of before and after: reported, recovered, or all that might be (then True)."""
        r = self.given("correlation")
        if r is not None:
            return [(r, False)]
        found = [(value, self.given(f"n_{arm}") or 2) for arm in arms if (value := self.of_arm(arm)) is not None]
        if found:
            return [(sum(value * (n - 1) for value, n in found) / sum(n - 1 for _, n in found), False)]
        if self.correlation is not None:
            self.assumed = True
            return [(self.correlation, False)]
        return [(value, True) for value in CORRELATIONS]


_ARMS = ("sd_treated", "n_treated", "sd_control", "n_control")
_MEANS = ("mean_treated", "sd_treated", "n_treated", "mean_control", "sd_control", "n_control")
_SIZES = ("n_treated", "n_control")
_BEFORE = ("mean_pre_treated", "sd_pre_treated", "mean_pre_control", "sd_pre_control")
_COUNTS = ("events_treated", "n_treated", "events_control", "n_control")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of report.

    Parameters
    ----------
    words
        What the report gives.
    needs, optional
        Columns; a name with "|" needs one of several.
    make
        Turns the cells of a row into rows of the result.
    """

    words: str
    needs: tuple[str, ...]
    optional: tuple[str, ...] = ()
    make: Callable[[Cells], list[Estimate]]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return all columns the kind can use."""
        return tuple(part for name in (*self.needs, *self.optional) for part in name.split("|"))


def _row(
    cells: Cells, effect: Standardized, method: str, standardizer: str, *, n: int | None = None, **more: Any
) -> Estimate:
    """Return the row of one effect."""
    row = effect_row(
        effect,
        better=cells.better,
        n=cells.n if n is None else n,
        method=f"{method}, as reported; exact J",
        standardizer=standardizer,
        conf_level=cells.conf_level,
    )
    plain: dict[str, Any] = {
        name: None if getattr(row, name) is not None and np.isnan(getattr(row, name)) else getattr(row, name)
        for name in ("statistic", "p_value")
    }
    return dataclasses.replace(row, **{**plain, **more})


def _with_correlation(row: Estimate, r: float, assumed: bool) -> Estimate:
    """Mark a row whose correlation is one of several that might be."""
    if not assumed:
        return row
    said = f"{row.method}; correlation of before and after not reported, taken as {r:g}"
    return dataclasses.replace(row, measure=f"{row.measure}{ASSUMED}", method=said)


def _two_group(cells: Cells) -> list[Estimate]:
    kind = cells.words.get("standardizer") or "pooled"
    effect = standardized_mean_difference(
        cells.difference, sd_treated=cells["sd_treated"], n_treated=cells["n_treated"],
        sd_control=cells["sd_control"], n_control=cells["n_control"], standardizer=kind, conf_level=cells.conf_level,
    )  # fmt: skip
    measure = "glass_delta" if kind == "control" else "hedges_g"
    return [_row(cells, effect, "means and standard deviations of two groups", f"posttest_{kind}", measure=measure)]


def _of_test(test: str, words: str) -> Callable[[Cells], list[Estimate]]:
    def make(cells: Cells) -> list[Estimate]:
        direction = cells["direction"] if test in ("F", "p") else cells.sign
        effect = difference_from_test(
            cells["statistic"], test=test, n_treated=cells["n_treated"], n_control=cells["n_control"],
            direction=direction, conf_level=cells.conf_level,
        )  # fmt: skip
        return [_row(cells, effect, words, "posttest_pooled")]

    return make


def _beta(cells: Cells) -> list[Estimate]:
    effect = difference_from_beta(
        cells.sign * cells["statistic"], n_treated=cells["n_treated"], n_control=cells["n_control"],
        conf_level=cells.conf_level,
    )  # fmt: skip
    return [_row(cells, effect, "standardised regression coefficient of the arm", "posttest_pooled")]


def _adjusted(cells: Cells) -> list[Estimate]:
    covariates = cells.given("covariates")
    effect = adjusted_difference(
        cells.sign * cells["difference"], sd=cells.sd, n_treated=cells["n_treated"], n_control=cells["n_control"],
        std_error=cells.given("std_error"), correlation=None if cells.given("std_error") else cells["correlation"],
        covariates=1 if covariates is None else covariates, conf_level=cells.conf_level,
    )  # fmt: skip
    return [
        _row(cells, effect, "adjusted difference / unadjusted standard deviation", "posttest_pooled", adjusted=True)
    ]


def _pre_post(cells: Cells) -> list[Estimate]:
    rows = []
    unit = cells.words.get("standardizer") or "pretest"
    for r, assumed in cells.correlations("treated"):
        effect = standardized_mean_change(
            cells.sign * (cells["mean_treated"] - cells["mean_pre_treated"]), sd_pre=cells["sd_pre_treated"],
            sd_post=cells.given("sd_treated"), n=cells["n_treated"], correlation=r, standardizer=unit,
            conf_level=cells.conf_level,
        )  # fmt: skip
        row = _row(
            cells, effect, "change of one group, no control group", unit, n=int(cells["n_treated"]), term="change",
            measure="standardized_mean_change", level_assigned=None,
            metric="change_score" if unit == "change" else "uncontrolled_change",
        )  # fmt: skip
        rows.append(_with_correlation(row, r, assumed))
    return rows


def _pre_post_control(cells: Cells) -> list[Estimate]:
    rows, variant = [], cells.words.get("variant") or "ppc2"
    unit = {"ppc1": "pretest_own_arm", "ppc2": "pretest_pooled", "ppc3": "pretest_posttest_pooled"}.get(variant, "")
    for r, assumed in cells.correlations("treated", "control"):
        arms = [
            ArmChange(
                change=cells.sign * (cells[f"mean_{arm}"] - cells[f"mean_pre_{arm}"]), sd_pre=cells[f"sd_pre_{arm}"],
                n=cells[f"n_{arm}"], correlation=r, sd_post=cells.given(f"sd_{arm}"),
            )
            for arm in ("treated", "control")
        ]  # fmt: skip
        effect = difference_of_changes(*arms, variant=variant, conf_level=cells.conf_level)
        rows.append(_with_correlation(_row(cells, effect, f"difference of changes (d_{variant})", unit), r, assumed))
    return rows


def _baseline_adjusted(cells: Cells) -> list[Estimate]:
    rows = []
    before = cells.sign * (cells["mean_pre_treated"] - cells["mean_pre_control"])
    nt, nc = cells["n_treated"], cells["n_control"]
    pre = standardized_mean_difference(
        before, sd_treated=cells["sd_pre_treated"], n_treated=nt, sd_control=cells["sd_pre_control"], n_control=nc
    )
    post = standardized_mean_difference(
        cells.difference, sd_treated=cells["sd_treated"], n_treated=nt, sd_control=cells["sd_control"], n_control=nc
    )
    for r, assumed in cells.correlations("treated", "control"):
        effect = baseline_adjusted_difference(
            post, pre, n_treated=nt, n_control=nc, correlation=r, conf_level=cells.conf_level
        )
        row = _row(cells, effect, "effect after less the difference before", "posttest_pooled", adjusted=True)
        rows.append(_with_correlation(row, r, assumed))
    return rows


def _clustered(cells: Cells) -> list[Estimate]:
    arms = [
        ClusterSizes(persons=cells[f"n_{arm}"], clusters=cells[f"clusters_{arm}"]) for arm in ("treated", "control")
    ]
    clusters = int(cells["clusters_treated"] + cells["clusters_control"])
    t = cells.given("statistic")
    adjusted = cells.given("difference")
    error = cells.given("std_error")
    df = cells.given("df")
    if t is not None and cells.given("mean_treated") is None and adjusted is None:
        difference, sd = cells.sign * t * np.sqrt(1 / cells["n_treated"] + 1 / cells["n_control"]), 1.0
        words = "t test that ignored the clusters, corrected"
    else:
        difference = cells.difference if adjusted is None else cells.sign * adjusted
        sd, words = cells.sd, "trial of whole clusters"
    effect = clustered_difference(
        difference, sd=sd, treated=arms[0], control=arms[1], icc=cells["icc"],
        clustered=None if error is None else (error, clusters - 2 if df is None else df), conf_level=cells.conf_level,
    )  # fmt: skip
    how = "standard error as reported" if error is not None else "equal cluster sizes"
    words = f"{words} (Hedges 2007), given ICC {cells['icc']:g}, {how}"
    return [
        _row(cells, effect, words, "posttest_pooled", clusters=clusters, adjusted=adjusted is not None,
             level_assigned="cluster")
    ]  # fmt: skip


def _partially_nested(cells: Cells) -> list[Estimate]:
    chosen = cells.words.get("control_variance") or "within"
    rows = []
    for model in (chosen, "total" if chosen == "within" else "within"):
        effect = partially_nested_difference(
            cells.difference, sd=cells.sd, n_treated=cells["n_treated"], n_control=cells["n_control"],
            group_size=cells["group_size"], icc=cells["icc"], control_variance=model, conf_level=cells.conf_level,
        )  # fmt: skip
        words = f"groups in one arm (control variance: {model}), given ICC {cells['icc']:g}"
        row = _row(
            cells, effect, words, "posttest_pooled", clusters=round(cells["n_treated"] / cells["group_size"]),
            measure="hedges_g" if model == chosen else f"hedges_g{ALTERNATIVE}",
        )  # fmt: skip
        rows.append(row)
    return rows


def _growth(cells: Cells) -> list[Estimate]:
    sd = cells.given("sd_pre")
    if sd is None:
        parts = ("sd_pre_treated", "n_treated", "sd_pre_control", "n_control")
        sd = float(pooled_sd(*(cells[name] for name in parts)))
    effect = growth_difference(
        cells.sign * cells["coefficient"], std_error=cells["std_error"], duration=cells["duration"], sd_pre=sd,
        n_treated=cells["n_treated"], n_control=cells["n_control"], df=cells.given("df"), conf_level=cells.conf_level,
    )  # fmt: skip
    return [_row(cells, effect, "difference in growth (Feingold 2009)", "pretest_pooled", adjusted=True)]


def _hedges_g(cells: Cells) -> list[Estimate]:
    """Take an effect that is standardised already, with its standard error; df from the sizes."""
    nu = cells.n - 2.0
    effect = standardize(
        cells.sign * cells["estimate"], 1.0, nu=np.inf, kappa=cells["std_error"], df=nu, conf_level=cells.conf_level
    )
    row = _row(cells, effect, "g and standard error", "as_reported")
    return [dataclasses.replace(row, method="g and standard error as reported; t interval; positive = improvement")]


def _counts(numbers: Callable[..., Effects]) -> Callable[[Cells], list[Estimate]]:
    def make(cells: Cells) -> list[Estimate]:
        table = two_by_two(*(cells[name] for name in _COUNTS), better=cells.better)
        row = numbers(table, conf_level=cells.conf_level).row()
        return [dataclasses.replace(row, n=cells.n)]

    return make


KINDS: dict[str, Kind] = {
    "two_group": Kind(words="means of two groups", needs=_MEANS, optional=("standardizer",), make=_two_group),
    "t": Kind(words="t of two groups", needs=("statistic", *_SIZES), make=_of_test("t", "t of two groups")),
    "F": Kind(
        words="F of two groups", needs=("statistic", "direction", *_SIZES), make=_of_test("F", "F of two groups")
    ),
    "p": Kind(
        words="exact two-sided p of two groups", needs=("statistic", "direction", *_SIZES),
        make=_of_test("p", "p of two groups"),
    ),
    "correlation": Kind(
        words="point-biserial correlation of arm and outcome", needs=("statistic", *_SIZES),
        make=_of_test("correlation", "point-biserial correlation"),
    ),
    "beta": Kind(words="standardised coefficient, no covariates", needs=("statistic", *_SIZES), make=_beta),
    "ancova": Kind(
        words="adjusted difference, regression coefficient",
        needs=("difference", "sd|sd_treated", *_SIZES, "std_error|correlation"), optional=("sd_control", "covariates"),
        make=_adjusted,
    ),
    "pre_post": Kind(
        words="one group before and after",
        needs=("mean_pre_treated", "mean_treated", "sd_pre_treated", "n_treated"),
        optional=("sd_treated", "sd_change_treated", "paired_t", "correlation", "standardizer"), make=_pre_post,
    ),
    "pre_post_control": Kind(
        words="two groups before and after",
        needs=("mean_treated", "n_treated", "mean_control", "n_control", *_BEFORE),
        optional=("sd_treated", "sd_control", "sd_change_treated", "sd_change_control", "correlation", "variant"),
        make=_pre_post_control,
    ),
    "baseline_adjusted": Kind(
        words="effects after and before, subtracted", needs=(*_MEANS, *_BEFORE),
        optional=("sd_change_treated", "sd_change_control", "correlation"), make=_baseline_adjusted,
    ),
    "clustered": Kind(
        words="trial of whole clusters; means, a difference with its standard error, or a t that ignored the clusters",
        needs=(*_SIZES, "clusters_treated", "clusters_control", "icc", "mean_treated|difference|statistic"),
        optional=("mean_control", "sd", "sd_treated", "sd_control", "std_error", "df"), make=_clustered,
    ),
    "partially_nested": Kind(
        words="groups in the treated arm only", needs=(*_MEANS, "group_size", "icc"), optional=("control_variance",),
        make=_partially_nested,
    ),
    "growth": Kind(
        words="arm x time of a growth model",
        needs=("coefficient", "std_error", "duration", "sd_pre|sd_pre_treated", *_SIZES),
        optional=("sd_pre_control", "df"), make=_growth,
    ),
    "hedges_g": Kind(words="g and its standard error", needs=("estimate", "std_error", *_SIZES), make=_hedges_g),
    "odds_ratio": Kind(words="counts; log odds ratio", needs=_COUNTS, make=_counts(log_odds_ratio)),
    "risk_ratio": Kind(words="counts; log risk ratio", needs=_COUNTS, make=_counts(log_risk_ratio)),
    "risk_difference": Kind(words="counts; risk difference", needs=_COUNTS, make=_counts(risk_difference)),
    "cox_d": Kind(words="counts; on the scale of standardised effects", needs=_COUNTS, make=_counts(cox_d)),
}  # fmt: skip
"""Name in the column `kind` -> what it needs."""

WITH: dict[str, dict[str, tuple[str, ...]]] = {
    "ancova": {"sd_treated": ("sd_control",)},
    "growth": {"sd_pre_treated": ("sd_pre_control",)},
    "clustered": {
        "mean_treated": ("mean_control", "sd_treated", "sd_control"),
        "difference": ("std_error", "sd|sd_treated"),
        "sd_treated": ("sd_control",),
    },
}
"""Kind -> column -> what has to stand beside it where it is filled."""
