"""Yes/no outcomes of two arms: metafor, effectsize and statsmodels, brute force, and tables that say nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats
from statsmodels.stats.proportion import confint_proportions_2indep

import sweval as sw
from sweval.effects.score_limits import difference_limits, log_odds_ratio_limits, log_risk_ratio_limits
from sweval.errors import DesignError

FOLDER = Path(__file__).parents[1] / "reference" / "binary_effects"
FIXTURES = {
    entry["id"]: entry for entry in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
}
MORE = json.loads((FOLDER / "more.json").read_text(encoding="utf-8"))
MEASURES: dict[str, Any] = {
    "RR": sw.effects.log_risk_ratio,
    "OR": sw.effects.log_odds_ratio,
    "RD": sw.effects.risk_difference,
    "PETO": sw.effects.peto_log_odds_ratio,
    "AS": sw.effects.arcsine_difference,
    "PHI": sw.effects.phi_coefficient,
    "YUQ": sw.effects.yules_q,
    "YUY": sw.effects.yules_y,
    "PBIT": sw.effects.probit_d,
    "OR2DN": sw.effects.cox_d,
    "OR2DL": lambda table: sw.effects.cox_d(table, scale="logistic"),
}
TWO_BY_TWO = ("oddsratio", "riskratio", "arr", "cohens_h")


def table_of(a: Any, b: Any, c: Any, d: Any, **how: Any) -> Any:
    """Return a table from the cells that metafor takes."""
    a, b, c, d = (np.asarray(cell, dtype=float) for cell in (a, b, c, d))
    return sw.effects.two_by_two(a, a + b, c, c + d, **how)


def our_tables() -> Any:
    with (FOLDER / "es_2x2.csv").open(encoding="utf-8") as file:
        rows = [[float(row[cell]) for cell in ("ai", "bi", "ci", "di")] for row in csv.DictReader(file)]
    return table_of(*np.array(rows).T)


@pytest.mark.parametrize("measure", MEASURES)
def test_ten_tables_equal_metafor(measure: str) -> None:
    entry = FIXTURES[f"escalc_2x2_{measure.lower()}"]
    found = MEASURES[measure](our_tables())
    for actual, name in ((found.estimate, "yi"), (found.variance, "vi")):
        assert actual == pytest.approx(np.array(entry["outputs"][name]), rel=entry["rtol"], abs=entry["atol"])


@pytest.mark.parametrize("entry", [e for e in MORE["escalc"] if e["inputs"] == "tables" and e["measure"][:2] != "MP"])
def test_other_variances_equal_metafor(entry: dict[str, Any]) -> None:
    """Printed with 15 digits, so 1e-12."""
    cells = MORE["inputs"]["tables"]
    how = {} if entry["vtype"] == "LS" else {"vtype": entry["vtype"]}
    found = MEASURES[entry["measure"]](table_of(*(cells[name] for name in ("ai", "bi", "ci", "di"))), **how)
    assert found.estimate == pytest.approx(np.array(entry["yi"]), rel=1e-12)
    assert found.variance == pytest.approx(np.array(entry["vi"]), rel=1e-12)


@pytest.mark.parametrize("name", [name for name in FIXTURES if name.split("_")[1] in TWO_BY_TWO or "cohens_h" in name])
def test_single_tables_equal_effectsize(name: str) -> None:
    """Its limits are estimate +- z * SE (of the logarithm for ratios): they check our variances, not our limits."""
    entry = FIXTURES[name]
    (a, c), (b, d) = entry["inputs"]["table"]
    table, out = table_of(a, b, c, d), entry["outputs"]
    key = next(key for key in out if not key.startswith("CI"))
    measure = {
        "Odds_ratio": sw.effects.log_odds_ratio,
        "Risk_ratio": sw.effects.log_risk_ratio,
        "ARR": sw.effects.risk_difference,
        "Cohens_h": sw.effects.cohens_h,
    }[key]
    found = measure(table)
    half = stats.norm.isf(0.025) * found.std_error
    back = np.exp if key.endswith("ratio") else np.asarray
    numbers = [float(back(value)) for value in (found.estimate, found.estimate - half, found.estimate + half)]
    assert numbers == pytest.approx([out[key], out["CI_low"], out["CI_high"]], rel=entry["rtol"], abs=entry["atol"])


@pytest.mark.parametrize("name", [name for name in FIXTURES if name.startswith("es_phi")])
def test_adjusted_phi_equals_effectsize(name: str) -> None:
    """Its search for the lower limit stops after a few digits; ours is at its level to 1e-9."""
    entry = FIXTURES[name]
    (a, c), (b, d) = entry["inputs"]["table"]
    raw = float(sw.effects.phi_coefficient(table_of(a, b, c, d)).estimate)
    n = a + b + c + d
    found = sw.effects.chi_square_to_phi(n * raw**2, n, adjust=True, two_sided=False)
    out = entry["outputs"]
    assert float(found.estimate) == pytest.approx(out["phi_adjusted"], rel=entry["rtol"], abs=1e-6)
    assert (float(found.conf_low), float(found.conf_high)) == pytest.approx((out["CI_low"], out["CI_high"]), abs=5e-5)
    if found.conf_low > 0:
        lowest = n * (float(found.conf_low) ** 2 + 1 / (n - 1))
        assert stats.ncx2.cdf(n * raw**2, 1, lowest) == pytest.approx(0.95, abs=1e-9)


@pytest.mark.parametrize("counts", [(12, 20, 6, 20), (5, 20, 9, 20), (1, 21, 4, 21), (30, 100, 22, 107), (2, 9, 8, 11)])
def test_score_limits_of_ratios_equal_statsmodels(counts: tuple[int, int, int, int]) -> None:
    """An independent programme; it stops at 1e-6 or so."""
    table = sw.effects.two_by_two(*counts)
    for row, compare in ((sw.effects.risk_ratio(table), "ratio"), (sw.effects.odds_ratio(table), "odds-ratio")):
        expected = confint_proportions_2indep(*counts, compare=compare, method="score")
        assert (row.conf_low, row.conf_high) == pytest.approx(expected, rel=1e-5)


@settings(max_examples=40)
@given(n1=st.integers(2, 40), n2=st.integers(2, 40), share1=st.floats(0, 1), share2=st.floats(0, 1))
def test_score_limits_are_where_the_test_turns(n1: int, n2: int, share1: float, share2: float) -> None:
    """At each finite limit the score test, with the risks found by brute force, is at its quantile."""
    x1, x2 = round(share1 * n1), round(share2 * n2)
    counts = tuple(np.asarray(float(value)) for value in (x1, n1, x2, n2))
    z = np.asarray(1.959963985)
    held = difference_limits(*counts, z)
    for value, goal in ((float(held.low), z), (float(held.high), -z)):
        if abs(value) < 1 - 1e-9:
            assert brute_score(value, x1, n1, x2, n2) == pytest.approx(float(goal), abs=2e-4)
    for limits in (log_risk_ratio_limits(*counts, z), log_odds_ratio_limits(*counts, z)):
        assert float(limits.low) <= float(limits.high)


def brute_score(value: float, x1: int, n1: int, x2: int, n2: int) -> float:
    """Return the score test of a risk difference with its likelihood maximised numerically."""

    def minus(p2: float) -> float:
        p1 = p2 + value
        return -float(
            special.xlogy(x1, p1)
            + special.xlogy(n1 - x1, 1 - p1)
            + special.xlogy(x2, p2)
            + special.xlogy(n2 - x2, 1 - p2)
        )

    bounds = (max(0.0, -value) + 1e-12, min(1.0, 1 - value) - 1e-12)
    p2 = float(optimize.minimize_scalar(minus, bounds=bounds, method="bounded", options={"xatol": 1e-10}).x)
    p1, total = p2 + value, n1 + n2
    variance = (p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) * total / (total - 1)
    return (x1 / n1 - x2 / n2 - value) / float(np.sqrt(variance))


def test_one_p_value_serves_all_measures_and_agrees_with_their_limits() -> None:
    """Chi-square with N - 1 (by R's chisq.test); an interval of a score test excludes 0 exactly when p < .05."""
    cells = MORE["inputs"]["tables"]
    table = table_of(*(cells[name] for name in ("ai", "bi", "ci", "di")))
    for measure in (sw.effects.log_odds_ratio, sw.effects.log_risk_ratio, sw.effects.risk_difference):
        assert measure(table).p_value == pytest.approx(np.array(MORE["chi_square_n_minus_1_p"]), rel=1e-10)
    x1, x2 = (grid.ravel() for grid in np.meshgrid(np.arange(16), np.arange(13), indexing="ij"))
    grid = sw.effects.two_by_two(x1, 15, x2, 12, silent="missing")
    for measure in (
        sw.effects.log_odds_ratio, sw.effects.log_risk_ratio, sw.effects.risk_difference, sw.effects.phi_coefficient,
        sw.effects.cox_d, sw.effects.yules_q, sw.effects.probit_d,
    ):  # fmt: skip
        found = measure(grid)
        excludes = (found.conf_low > 0) | (found.conf_high < 0)
        speaks = ~np.isnan(found.estimate)
        assert (excludes == (found.p_value < 0.05))[speaks].all()


def test_exact_coverage_in_small_arms() -> None:
    """Summed over all tables, not simulated: .92 or better, on average .95 to .97; estimate +- z * SE falls to .80."""
    found: dict[str, list[float]] = {}
    for n1, n2 in ((10, 10), (10, 30)):
        x1, x2 = (grid.ravel() for grid in np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1), indexing="ij"))
        table = sw.effects.two_by_two(x1, n1, x2, n2, silent="missing")
        rows = {name: MEASURES[name](table) for name in ("OR", "RR", "RD", "AS", "PBIT")}
        for p1, p2 in ((0.1, 0.1), (0.1, 0.5), (0.3, 0.3), (0.5, 0.2), (0.7, 0.5), (0.05, 0.3)):
            weight = stats.binom.pmf(x1, n1, p1) * stats.binom.pmf(x2, n2, p2)
            truth = {
                "OR": special.logit(p1) - special.logit(p2),
                "RR": np.log(p1 / p2),
                "RD": p1 - p2,
                "AS": np.arcsin(np.sqrt(p1)) - np.arcsin(np.sqrt(p2)),
                "PBIT": stats.norm.ppf(p1) - stats.norm.ppf(p2),
            }
            for name, row in rows.items():
                inside = (row.conf_low <= truth[name] + 1e-12) & (row.conf_high >= truth[name] - 1e-12)
                found.setdefault(name, []).append(float((weight * (inside | np.isnan(row.estimate))).sum()))
    for name, covered in found.items():
        assert min(covered) > 0.92, name
        assert 0.945 < np.mean(covered) < 0.975, name


@pytest.mark.parametrize("name", MEASURES)
def test_a_bad_event_turns_every_effect(name: str) -> None:
    plain = MEASURES[name](sw.effects.two_by_two(5, 20, 9, 22))
    turned = MEASURES[name](sw.effects.two_by_two(5, 20, 9, 22, better="lower"))
    assert [float(turned.estimate), float(turned.conf_low), float(turned.conf_high)] == pytest.approx(
        [-float(plain.estimate), -float(plain.conf_high), -float(plain.conf_low)]
    )
    assert (turned.variance, turned.p_value) == (plain.variance, plain.p_value)
    assert turned.better == "lower"
    assert turned.method.endswith("positive = improvement")


def test_rows_carry_what_a_table_of_effects_needs() -> None:
    row = sw.effects.log_odds_ratio(sw.effects.two_by_two(0, 20, 4, 21, better="lower")).row()
    assert (row.metric, row.measure, row.null, row.n, row.better) == (
        "log_odds_ratio",
        "log_odds_ratio",
        0.0,
        41,
        "lower",
    )
    assert row.std_error == pytest.approx(float(np.sqrt(row.variance or 0)))
    assert "1/2 added" in row.method
    assert "1/2 added" not in sw.effects.arcsine_difference(sw.effects.two_by_two(0, 20, 4, 21)).row().method
    ratio = sw.effects.odds_ratio(sw.effects.two_by_two(12, 20, 6, 20))
    assert (ratio.metric, ratio.null, ratio.std_error, ratio.variance) == (None, 1.0, None, None)
    assert "above 1 = improvement" in ratio.method
    assert sw.effects.cox_d(sw.effects.two_by_two(12, 20, 6, 20)).row().metric == "person_total"
    with pytest.raises(DesignError, match="10 effects"):
        sw.effects.log_odds_ratio(our_tables()).row()
    assert len(sw.effects.log_odds_ratio(our_tables()).rows()) == 10
    with pytest.raises(DesignError, match="no logarithm"):
        sw.effects.risk_difference(our_tables()).exponentiated()


def test_cox_is_a_tenth_larger_than_logistic() -> None:
    table = sw.effects.two_by_two(30, 80, 40, 85)
    cox, logistic = sw.effects.cox_d(table), sw.effects.cox_d(table, scale="logistic")
    assert float(cox.estimate / logistic.estimate) == pytest.approx(np.pi / np.sqrt(3) / 1.65)
    assert float(cox.estimate / logistic.estimate) == pytest.approx(1.099, abs=5e-4)
    assert float(cox.variance) == pytest.approx(float(sw.effects.log_odds_ratio(table).variance) / 2.7225)


@pytest.mark.parametrize("silent", ["refuse", "missing", "half"])
def test_tables_without_events(silent: str) -> None:
    """A risk difference is defined; a ratio is refused, missing, or says only how large the arms are."""
    table = sw.effects.two_by_two([0, 5], [20, 20], [0, 9], [15, 20], silent=silent)
    assert sw.effects.risk_difference(table, half=False).estimate.tolist() == pytest.approx([0.0, -0.2])
    for measure in (sw.effects.log_odds_ratio, sw.effects.log_risk_ratio, sw.effects.cox_d, sw.effects.yules_y):
        if silent == "refuse":
            with pytest.raises(DesignError, match=r"same outcome.*1 of 2 studies, the first is number 1"):
                measure(table)
        else:
            found = measure(table)
            assert np.isnan(found.estimate[0]) == (silent == "missing")
            assert np.isnan(found.p_value[0]) == (silent == "missing")
            assert np.isfinite(found.estimate[1])
    everybody = sw.effects.two_by_two(20, 20, 15, 15)
    assert sw.effects.log_risk_ratio(everybody).conf_low < 0 < sw.effects.log_risk_ratio(everybody).conf_high
    with pytest.raises(DesignError, match="same outcome"):
        sw.effects.log_odds_ratio(everybody)


def test_an_empty_cell_leaves_a_limit_open() -> None:
    row = sw.effects.odds_ratio(sw.effects.two_by_two(0, 20, 5, 20))
    assert row.conf_low == 0.0
    assert row.conf_high is not None
    assert row.estimate < row.conf_high < 1
    assert sw.effects.odds_ratio(sw.effects.two_by_two(5, 20, 0, 20)).conf_high == np.inf
    assert float(sw.effects.phi_coefficient(sw.effects.two_by_two(0, 9, 9, 9)).estimate) == -1.0


def test_clusters_widen_and_give_t() -> None:
    alone = sw.effects.two_by_two(40, 100, 25, 100)
    inflation = sw.effects.design_effect(0.05, 20)
    together = sw.effects.two_by_two(40, 100, 25, 100, design_effect=inflation, clusters=10)
    for measure in (sw.effects.log_odds_ratio, sw.effects.risk_difference, sw.effects.cox_d, sw.effects.cohens_h):
        one, many = measure(alone), measure(together)
        assert float(many.variance) == pytest.approx(1.95 * float(one.variance))
        assert many.conf_low < one.conf_low < one.conf_high < many.conf_high
        assert many.df == 8.0
        row = many.row()
        assert (row.clusters, row.df, row.level_assigned) == (10, 8.0, "cluster")
    peto = sw.effects.peto_log_odds_ratio(together)
    assert float(peto.statistic) == pytest.approx(float(peto.estimate / peto.std_error))
    assert float(sw.effects.design_effect(0.05, [20] * 10)) == pytest.approx(1.95)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"counts": (21, 20, 5, 20)}, "more events than clients"),
        ({"counts": (2.5, 20, 5, 20)}, "whole numbers"),
        ({"counts": (-1, 20, 5, 20)}, "whole numbers"),
        ({"counts": (0, 0, 5, 20)}, "one client or more"),
        ({"counts": (np.nan, 20, 5, 20)}, "missing"),
        ({"counts": ("a", 20, 5, 20)}, "no numbers"),
        ({"counts": ([1, 2], 20, [1, 2, 3], 20)}, "different lengths"),
        ({"better": "up"}, "better"),
        ({"silent": "drop"}, "silent"),
        ({"design_effect": 0.5}, "1 or more"),
        ({"design_effect": 2.0}, "number of clusters"),
        ({"design_effect": 2.0, "clusters": 2}, "3 or more"),
        ({"design_effect": 30.0, "clusters": 4}, "less than two independent clients"),
    ],
)
def test_what_is_no_table_is_refused(wrong: dict[str, Any], words: str) -> None:
    counts = wrong.pop("counts", (12, 20, 6, 20))
    with pytest.raises(DesignError, match=words):
        sw.effects.two_by_two(*counts, **wrong)


def test_unknown_choices_are_refused() -> None:
    table = sw.effects.two_by_two(12, 20, 6, 20)
    for call in (
        lambda: sw.effects.cox_d(table, scale="probit"),
        lambda: sw.effects.risk_difference(table, vtype="XX"),
        lambda: sw.effects.phi_coefficient(table, vtype="XX"),
        lambda: sw.effects.log_odds_ratio(table, conf_level=95),
        lambda: sw.effects.design_effect(1.5, 20),
        lambda: sw.effects.design_effect(0.1, 0),
    ):
        with pytest.raises(DesignError):
            call()
