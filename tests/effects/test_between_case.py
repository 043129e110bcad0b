"""Between-case effects: scdhlm's and lmeInfo's numbers, the laws any such effect keeps, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sweval as sw
from sweval.effects.between_case import between_case_fit
from sweval.effects.between_case_by_moments import between_case_moments
from sweval.effects.between_case_data import CaseModel, case_data
from sweval.effects.between_case_interval import VarianceParts, two_variance_interval
from sweval.effects.between_case_numbers import between_case_numbers
from sweval.errors import DataError, DesignError
from sweval.models.engine.mixed.fit import mixed_fit
from sweval.models.engine.mixed.model import Factor, Residual

FOLDER = Path(__file__).parents[1] / "reference" / "between_case"
FIXTURES = {
    entry["id"]: entry
    for entry in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
    if entry["area"] == "between_case_smd"
}
PARITY = {"j": "approximate"}


def sessions(name: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Return outcome and the columns that place it."""
    data = pd.read_csv(FOLDER / name)
    return data["y"].to_numpy(float), {"case": data["case"], "phase": data["treatment"], "time": data["session"]}


def names(part: str) -> list[str]:
    found = [name for name in FIXTURES if name.endswith(part)]
    assert len(found) == 3
    return found


@pytest.mark.parametrize("name", names("_gmlm"))
def test_numbers_of_lme_info(name: str) -> None:
    """At the fixtures' tolerance, 1e-4; the search of nlme stops a little earlier than ours."""
    entry = FIXTURES[name]
    y, columns = sessions(entry["inputs"]["data"])
    expected, tolerance = entry["outputs"], {"rel": entry["rtol"], "abs": entry["atol"]}
    found = between_case_fit(y, **columns, model=CaseModel(interval="noncentral-t", **PARITY))
    effect = found.effect
    for ours, theirs in (
        (found.numerator, "p_beta"),
        (found.total_variance, "r_theta"),
        (effect.d, "delta_AB"),
        (effect.nu, "nu"),
        (np.sqrt(effect.weight_variance), "kappa"),
        (effect.g, "g_AB"),
        (np.sqrt(effect.variance), "SE_g_AB"),
        (found.log_likelihood, "logLik"),
    ):
        assert float(ours) == pytest.approx(expected[theirs], **tolerance), theirs
    assert found.coefficients == pytest.approx(expected["beta"], **tolerance)
    assert [float(part) for part in (found.level_variance, found.rho, found.residual_variance)] == pytest.approx(
        expected["theta"], **tolerance
    )
    assert [float(effect.conf_low), float(effect.conf_high)] == pytest.approx(expected["CI_noncentral"], **tolerance)
    row = sw.effects.between_case_g(y, **columns, model=CaseModel(interval="symmetric", **PARITY))
    assert [row.conf_low, row.conf_high] == pytest.approx(expected["CI_symmetric"], **tolerance)
    assert row.estimate == pytest.approx(expected["g_AB"], **tolerance)


@pytest.mark.parametrize("name", [*names("_greml"), *names("_lme_ar1")])
def test_numbers_of_scdhlm_and_nlme(name: str) -> None:
    entry = FIXTURES[name]
    y, columns = sessions(entry["inputs"]["data"])
    expected, tolerance = entry["outputs"], {"rel": entry["rtol"], "abs": entry["atol"]}
    found = between_case_fit(y, **columns, model=CaseModel(**PARITY))
    if "fixef" in expected:
        assert found.coefficients == pytest.approx(expected["fixef"], **tolerance)
        assert float(found.numerator_error) == pytest.approx(expected["se"][1], **tolerance)
        tau2, sigma2, phi = expected["tau2"], expected["sigma2"], expected["phi"]
    else:
        assert float(found.effect.g) == pytest.approx(expected["g_AB"], **tolerance)
        assert float(found.effect.variance) == pytest.approx(expected["V_g_AB"], **tolerance)
        tau2, sigma2, phi = expected["Tau"], expected["sigma_sq"], expected["phi"]
    parts = [float(part) for part in (found.level_variance, found.residual_variance, found.rho)]
    assert parts == pytest.approx([tau2, sigma2, phi], **tolerance)


@pytest.mark.parametrize("name", names("_hps"))
def test_moments_of_multiple_baselines(name: str) -> None:
    entry = FIXTURES[name]
    y, columns = sessions(entry["inputs"]["data"])
    expected = entry["outputs"]
    found = between_case_moments(y, **columns)
    effect = found.effect.with_j("approximate")
    ours = {
        "g_dotdot": found.sessions,
        "K": found.groups,
        "D_bar": found.mean_change,
        "S_sq": found.total_variance,
        "delta_hat_unadj": effect.d,
        "phi": found.rho,
        "sigma_sq_w": found.within_variance,
        "rho": found.icc,
        "theta": found.theta,
        "nu": effect.nu,
        "delta_hat": effect.g,
        "V_delta_hat": effect.variance,
    }
    assert {key: float(value) for key, value in ours.items()} == pytest.approx(expected, rel=1e-10, abs=1e-12)


def reversal(seed: int = 1, cases: int = 4) -> tuple[np.ndarray, dict[str, Any]]:
    """Return an A-B-A-B design; phases differ in length between cases."""
    rng = np.random.default_rng(seed)
    case, time, phase = [], [], []
    for k in range(cases):
        lengths = rng.integers(3, 7, 4)
        phase += list(np.repeat(["A", "B", "A", "B"], lengths))
        case += [f"c{k}"] * int(lengths.sum())
        time += list(range(1, int(lengths.sum()) + 1))
    level = rng.normal(10, 2, cases)
    y = np.array([level[int(name[1:])] for name in case]) + rng.normal(0, 1.5, len(case))
    return y + 2.0 * (np.array(phase) == "B"), {"case": case, "phase": phase, "time": time}


def test_moments_of_a_reversal_design_from_their_definition() -> None:
    """Hedges, Pustejovsky & Shadish (2012) written out with design matrices and full covariances."""
    y, columns = reversal()
    found = between_case_moments(y, **columns)
    frame = pd.DataFrame({"y": y, **columns})
    turn = (frame["phase"] != frame.groupby("case")["phase"].shift()).groupby(frame["case"]).cumsum()
    frame["pair"] = (turn + 1) // 2
    frame["place"] = frame.groupby(["case", turn]).cumcount()
    cells = frame.groupby(["case", "pair", "phase"])
    means = cells["y"].mean().unstack()
    assert found.mean_change == pytest.approx((means["B"] - means["A"]).mean())
    left = frame["y"] - cells["y"].transform("mean")
    shared = frame[frame.groupby(["pair", "phase", "place"])["y"].transform("size") == 4]
    D = pd.get_dummies(shared["pair"].astype(str) + shared["phase"] + shared["place"].astype(str)).to_numpy(float)
    A = np.eye(len(shared)) - D @ np.linalg.inv(D.T @ D) @ D.T
    S2 = shared["y"].to_numpy() @ A @ shared["y"].to_numpy() / np.trace(A)
    assert found.total_variance == pytest.approx(S2)
    lagged = sum(
        float((part[1:].to_numpy() * part[:-1].to_numpy()).sum()) for _, part in left.groupby([frame["case"], turn])
    )
    n = cells["y"].size()
    phi = lagged / float(left @ left) + float((1 - 1 / n).sum() / (n - 1).sum())
    assert found.rho == pytest.approx(phi)
    same = frame["case"].to_numpy()[:, None] == frame["case"].to_numpy()
    lag = np.abs(frame["time"].to_numpy()[:, None] - frame["time"].to_numpy()).astype(float)
    C = pd.get_dummies(frame["case"] + frame["pair"].astype(str) + frame["phase"]).to_numpy(float)
    H = C @ np.linalg.inv(C.T @ C) @ C.T
    within = float(left @ left) / (len(y) - np.trace(H @ (same * phi**lag)))
    share = max(0.0, 1 - within / S2)
    V = same * (share + (1 - share) * phi**lag)
    rows = shared.index.to_numpy()
    AV = A @ V[np.ix_(rows, rows)]
    assert float(found.effect.nu) == pytest.approx(np.trace(A) ** 2 / np.trace(AV @ AV))
    w = np.zeros(len(y))
    for _, part in frame.groupby(["case", "pair"]):
        on = (part["phase"] == "B").to_numpy()
        w[part.index] = np.where(on, 1 / on.sum(), -1 / (~on).sum()) / 8
    assert found.theta == pytest.approx(np.sqrt(w @ V @ w))


def test_two_routes_to_one_design_are_near_each_other() -> None:
    y, columns = reversal(seed=3, cases=8)
    moments = sw.effects.between_case_g_moments(y, **columns)
    likelihood = sw.effects.between_case_g(y, **columns)
    assert moments.estimate == pytest.approx(likelihood.estimate, abs=0.15)
    assert {moments.metric, likelihood.metric} == {"person_total"}


def staggered(seed: int = 0, *, cases: int = 4, length: int = 16) -> tuple[np.ndarray, dict[str, Any]]:
    """Return a multiple baseline whose true effect is 1."""
    rng = np.random.default_rng(seed)
    case, time = np.repeat(np.arange(cases), length), np.tile(np.arange(1, length + 1), cases)
    start = np.linspace(4, length - 4, cases).round()[case]
    y = rng.normal(size=cases)[case] + rng.normal(size=len(case)) + np.sqrt(2) * (time > start)
    return y, {"case": case, "phase": np.where(time > start, "B", "A"), "time": time}


def test_both_engines_give_one_effect() -> None:
    """The quick route and the general engine, on the same model; and the log-likelihood with its constants."""
    y, columns = staggered()
    found = between_case_fit(y, **columns)
    X = np.column_stack([np.ones(len(y)), columns["phase"] == "B"]).astype(float)
    residual = Residual(kind="ar1", unit=columns["case"], occasion=columns["time"])
    general = mixed_fit(y, X, [Factor(columns["case"], X[:, :1])], residual=residual)
    C = np.linalg.inv(general.variances.expected)
    total = general.residual_variances[0] + general.covariances[0][0, 0]
    assert float(found.effect.nu) == pytest.approx(2 * total**2 / (C[0, 0] + C[2, 2] + 2 * C[0, 2]), rel=1e-5)
    assert float(found.effect.d) == pytest.approx(general.coefficients[1] / np.sqrt(total), rel=1e-6)
    assert float(found.log_likelihood) == pytest.approx(general.log_likelihood, abs=1e-8)
    test = general.contrasts(np.array([0, 1]), "kenward-roger")[0]
    assert float(found.numerator_df) == pytest.approx(test.df, rel=1e-5)


def test_scale_origin_direction_and_order_of_rows() -> None:
    y, columns = staggered(seed=2)
    plain = sw.effects.between_case_g(y, **columns)
    moved = sw.effects.between_case_g(
        50 - 7 * y, case=columns["case"], phase=columns["phase"], time=columns["time"] + 1000, better="lower"
    )
    mixed = np.random.default_rng(1).permutation(len(y))
    turned = sw.effects.between_case_g(y[mixed], **{name: values[mixed] for name, values in columns.items()})
    worse = sw.effects.between_case_g(y, **columns, better="lower")
    for field in ("estimate", "std_error", "conf_low", "conf_high", "p_value", "df"):
        assert getattr(moved, field) == pytest.approx(getattr(plain, field), rel=1e-6), field
        assert getattr(turned, field) == pytest.approx(getattr(plain, field), rel=1e-6), field
    assert worse.estimate == pytest.approx(-plain.estimate, rel=1e-9)
    assert [worse.conf_low, worse.conf_high] == pytest.approx([-plain.conf_high, -plain.conf_low], rel=1e-6)


@pytest.mark.parametrize("interval", ["symmetric", "noncentral-t", "generalized"])
def test_interval_and_p_value_agree_at_zero(interval: str) -> None:
    y, columns = staggered(seed=5)
    phase = columns["phase"] == "B"
    for shift in (-1.2, -0.9, -0.6, 0.2):
        row = sw.effects.between_case_g(y + shift * phase, **columns, model=CaseModel(interval=interval))
        low, high, p = float(row.conf_low or 0), float(row.conf_high or 0), float(row.p_value or 0)
        assert (low <= 0 <= high) == (p >= 0.05)
        limit = sw.effects.between_case_g(
            y + shift * phase, **columns, model=CaseModel(interval=interval), conf_level=1 - p
        )
        assert min(abs(float(limit.conf_low or 0)), abs(float(limit.conf_high or 0))) == pytest.approx(0, abs=1e-5)


def test_limits_are_those_of_a_simulated_pivot() -> None:
    """The sum over normal scores against half a million draws; both err by less than a hundredth of the width."""
    rng = np.random.default_rng(1)
    for level, cases, b, error in ((1.5, 3, 2.0, 0.4), (0.0, 4, 0.3, 0.5), (4.0, 8, -3.0, 0.2)):
        c, within_df, df = 0.1, 60.0, 40.0
        mean, cross = level + c, -c * 2 / within_df
        parts = VarianceParts(
            level=np.array([level]),
            residual=np.ones(1),
            level_spread=np.array([2 * mean**2 / (cases - 1) - c * cross]),
            cross=np.array([cross]),
            residual_spread=np.array([2 / within_df]),
        )
        low, high = two_variance_interval(np.array([b]), np.array([error]), np.array([df]), parts, conf_level=0.95)
        within = within_df / rng.chisquare(within_df, 500_000)
        between = mean * (cases - 1) / rng.chisquare(cases - 1, 500_000)
        total = within + np.maximum(between - c * within, 0)
        limits = np.quantile((b - error * rng.standard_t(df, 500_000)) / np.sqrt(total), [0.025, 0.975])
        assert [float(low[0]), float(high[0])] == pytest.approx(limits.tolist(), abs=0.01 * float(np.ptp(limits)))


def test_the_row_says_what_it_is() -> None:
    y, columns = staggered(seed=6)
    row = sw.effects.between_case_g(y, **columns)
    facts = (row.measure, row.metric, row.standardizer, row.term, row.level_assigned, row.n, row.clusters)
    assert facts == ("hedges_g", "person_total", "between_case_total", "phase[B]", "phase", 64, 4)
    assert "REML; AR(1) errors" in row.method
    found = between_case_fit(y, **columns)
    nu = float(found.effect.nu)
    assert row.estimate == pytest.approx(float(found.effect.d) * float(sw.effects.small_sample_factor(nu)), rel=1e-12)


def test_a_batch_of_outcomes_gives_what_each_gives() -> None:
    y, columns = staggered(seed=7)
    data = case_data(y, columns["case"], columns["phase"], columns["time"])
    outcomes = y + np.random.default_rng(0).normal(size=(6, len(y)))
    together = between_case_numbers(outcomes, data, CaseModel())
    for place, one in enumerate(outcomes):
        alone = between_case_fit(one, **columns)
        assert together.effect.g[place] == pytest.approx(float(alone.effect.g), rel=1e-8)
        assert together.effect.conf_low[place] == pytest.approx(float(alone.effect.conf_low), rel=1e-7)


def test_a_trend_model_is_read_at_its_horizon() -> None:
    """Straight lines without noise but for the cases' own: the effect at the end is what the lines say."""
    rng = np.random.default_rng(3)
    case, time = np.repeat(np.arange(5), 20), np.tile(np.arange(1, 21), 5)
    start = np.array([6, 8, 10, 12, 14])[case]
    since = np.clip(time - start, 0, None)
    y = 0.3 * time + 2.0 * (since > 0) + 0.5 * since + rng.normal(size=5)[case] + 0.01 * rng.normal(size=100)
    model = CaseModel(baseline_trend=1, treatment_trend=1, start=6, end=16, correlation="independent")
    found = between_case_fit(y, case=case, phase=since > 0, time=time, model=model)
    assert float(found.numerator) == pytest.approx(2 + 0.5 * 10, abs=0.05)
    assert np.isnan(found.rho)
    other = between_case_fit(y, case=case, phase=since > 0, time=time, model=CaseModel(**{**vars(model), "end": 11.0}))
    assert float(other.numerator) == pytest.approx(2 + 0.5 * 5, abs=0.05)


def test_random_trends_standardise_by_the_variance_at_the_end() -> None:
    """Where slopes differ the variance between cases depends on time: level^2 + 2 t cov + t^2 slope^2."""
    rng = np.random.default_rng(5)
    cases, length = 60, 12
    case, time = np.repeat(np.arange(cases), length), np.tile(np.arange(1, length + 1), cases)
    phase = time > 3 + case % 6
    slope = rng.normal(0, 0.5, cases)
    y = rng.normal(0, 1, cases)[case] + slope[case] * time + phase + rng.normal(0, 1, len(case))
    model = CaseModel(baseline_trend=1, random=("level", "trend"), start=4, end=12, correlation="independent")
    found = between_case_fit(y, case=case, phase=phase, time=time, model=model)
    assert float(found.level_variance) == pytest.approx(1 + 12**2 * 0.25, rel=0.35)
    early = between_case_fit(
        y, case=case, phase=phase, time=time, model=CaseModel(**{**vars(model), "start": 0.0, "end": 1.0})
    )
    assert float(early.level_variance) < float(found.level_variance) / 5
    assert float(early.log_likelihood) == pytest.approx(float(found.log_likelihood), abs=1e-5)


def test_clusters_of_cases_add_a_variance() -> None:
    rng = np.random.default_rng(8)
    cluster, case = np.repeat(np.arange(6), 45), np.repeat(np.arange(18), 15)
    time = np.tile(np.arange(1, 16), 18)
    y = rng.normal(0, 1, 6)[cluster] + rng.normal(0, 1, 18)[case] + rng.normal(size=270) + (time > 5 + case % 4)
    columns = {"case": case, "phase": time > 5 + case % 4, "time": time}
    found = between_case_fit(y, **columns, cluster=cluster)
    flat = between_case_fit(y, **columns)
    assert float(found.effect.nu) < float(flat.effect.nu)
    assert found.model.random == ("level",)
    assert "18 cases" in sw.effects.between_case_g(y, **columns, cluster=cluster).method


def test_information_changes_degrees_of_freedom_only() -> None:
    y, columns = staggered(seed=9)
    found = {
        kind: between_case_fit(y, **columns, model=CaseModel(information=kind))
        for kind in ("expected", "observed", "average")
    }
    assert len({round(float(one.effect.nu), 6) for one in found.values()}) == 3
    assert len({round(float(one.effect.d), 9) for one in found.values()}) == 1


def test_cases_alike_end_on_the_bound_and_say_so() -> None:
    rng = np.random.default_rng(0)
    y, columns = staggered(seed=1)
    y = rng.normal(size=len(y)) + (columns["phase"] == "B")
    y = y - pd.Series(y).groupby(columns["case"]).transform("mean").to_numpy()
    found = between_case_fit(y, **columns)
    assert float(found.level_variance) == 0
    assert bool(found.singular)
    assert "ended on its bound" in sw.effects.between_case_g(y, **columns).method
    assert float(found.icc) == 0


def test_a_case_still_in_baseline_is_kept_and_counted() -> None:
    y, columns = staggered(seed=10, cases=5)
    waiting = columns["case"] == 4
    row = sw.effects.between_case_g(y, **{**columns, "phase": np.where(waiting, "A", columns["phase"])})
    assert row.clusters == 5
    assert "1 cases have one condition only" in row.method


def test_fewer_than_three_cases_are_refused() -> None:
    y, columns = staggered(cases=3)
    two = columns["case"] < 2
    for function in (sw.effects.between_case_g, sw.effects.between_case_g_moments):
        with pytest.raises(DesignError, match="2 cases have sessions of both conditions"):
            function(y[two], **{name: values[two] for name, values in columns.items()})


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"outcome": ["x"] * 64}, DataError, "no numbers"),
        ({"outcome": [np.nan] * 3 + [1.0] * 61}, DataError, "3 of 64 outcomes are missing"),
        ({"outcome": np.ones((8, 8))}, DataError, "one list"),
        ({"case": [None] * 2 + ["a"] * 62}, DataError, "case: 2 of 64"),
        ({"case": pd.array([1, None] + [1] * 62, dtype="Int64")}, DataError, "case: 1 of 64"),
        ({"phase": ["A"] * 63}, DataError, "phase: there are 64 outcomes"),
        ({"phase": ["A", "B"] * 31 + ["C", "C"]}, DesignError, "3 conditions"),
        ({"time": [1] * 64}, DesignError, "occur twice"),
        ({"time": np.arange(64) / 3}, DesignError, "no whole numbers"),
        ({"phase": ["B"] + ["A"] * 15 + (["A"] * 8 + ["B"] * 8) * 3}, DesignError, "begin with different"),
        ({"cluster": list(range(64))}, DesignError, "more than one cluster"),
        ({"better": "up"}, DesignError, "better must be"),
        ({"model": CaseModel(baseline="C")}, DesignError, "not among the phases"),
        ({"outcome": np.repeat([1.0, 2.0, 3.0, 4.0], 16)}, DesignError, "do not vary"),
    ],
)
def test_sessions_that_make_no_effect(change: dict[str, Any], error: type[Exception], says: str) -> None:
    y, columns = staggered()
    with pytest.raises(error, match=says):
        sw.effects.between_case_g(**{"outcome": y, **columns, **change})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"correlation": "ma1"}, "correlation must be"),
        ({"interval": "wald"}, "interval must be"),
        ({"information": "none"}, "information must be"),
        ({"j": "hedges"}, "j must be"),
        ({"baseline_trend": 4}, "degree"),
        ({"treatment_trend": -1}, "degree"),
        ({"random": ("trend",)}, "must begin with"),
        ({"random": ("level", "level")}, "must begin with"),
        ({"treatment_trend": 1}, "when it is read"),
        ({"start": 5, "end": 5}, "after start"),
    ],
)
def test_models_that_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(DesignError, match=says):
        CaseModel(**options)


def test_trends_in_treatment_need_cases_that_stay_in_it() -> None:
    y, columns = reversal()
    with pytest.raises(DesignError, match="4 cases return to baseline"):
        sw.effects.between_case_g(y, **columns, model=CaseModel(treatment_trend=1, start=3, end=8))


def test_trends_that_the_sessions_cannot_tell_apart() -> None:
    """Two sessions per case and a bent trend."""
    case, time = np.repeat(np.arange(4), 2), np.tile([1, 2], 4)
    y = np.random.default_rng(0).normal(size=8)
    with pytest.raises(DesignError, match="repeat each other"):
        sw.effects.between_case_g(
            y, case=case, phase=time, time=time, model=CaseModel(baseline_trend=2, start=1, end=2)
        )


def test_moments_refuse_what_they_cannot_use() -> None:
    y, columns = staggered(cases=4)
    with pytest.raises(DesignError, match="design must be"):
        between_case_moments(y, **columns, design="abab")
    waiting = columns["case"] == 3
    with pytest.raises(DesignError, match="1 phases are missing"):
        between_case_moments(y, **{**columns, "phase": np.where(waiting, "A", columns["phase"])})
    apart = {**columns, "time": columns["time"] + 100 * columns["case"]}
    with pytest.raises(DesignError, match="shared by two cases"):
        between_case_moments(y, **apart)
    flat = 2.0 * (columns["phase"] == "B")
    with pytest.raises(DesignError, match="exactly"):
        between_case_moments(flat, **columns)


def test_moments_take_correlations_from_elsewhere() -> None:
    y, columns = staggered(seed=4)
    free = between_case_moments(y, **columns)
    held = between_case_moments(y, **columns, known=(0.5, 0.6))
    assert (held.rho, held.icc) == (0.5, 0.6)
    assert held.mean_change == free.mean_change
    assert float(held.effect.nu) < float(free.effect.nu)


def test_coverage_of_a_small_simulation() -> None:
    """Five cases, 16 sessions, no autocorrelation, half the variance between cases: 1,000 designs, seed fixed.

    In the long simulation (`tests/simulation/between_case.py`) such designs were covered .95; three Monte Carlo
    standard errors are .021 here. The bias of g is below .01 there, and its standard error .01 here.
    """
    y, columns = staggered(cases=5)
    data = case_data(y, columns["case"], columns["phase"], columns["time"])
    rng = np.random.default_rng(20)
    level = np.sqrt(0.5) * rng.normal(size=(1000, 5))[:, data.case]
    outcomes = level + np.sqrt(0.5) * rng.normal(size=(1000, len(y))) + data.treated
    effect = between_case_numbers(outcomes, data, CaseModel()).effect
    covered = float(((effect.conf_low <= 1) & (effect.conf_high >= 1)).mean())
    assert 0.929 <= covered <= 0.975
    assert float(effect.g.mean()) == pytest.approx(1, abs=0.03)
