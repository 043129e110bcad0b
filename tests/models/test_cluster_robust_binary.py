"""Yes/no outcomes in the open model: clubSandwich and geepack through a data frame, risks, and clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from sweval.errors import DataError, DesignError
from sweval.models.base.conditional_odds import _agree
from sweval.models.cluster_robust import ClusterRobust
from sweval.models.engine.logistic import logistic
from sweval.models.engine.sandwich import ContrastTest
from sweval.result import Result

FOLDER = Path(__file__).parents[1] / "reference" / "binary"
FIXTURES = {fixture["id"]: fixture for fixture in json.loads((FOLDER / "fixtures.json").read_text())["fixtures"]}
STANDARDISED = json.loads((FOLDER / "standardised.json").read_text())
LOGIT = {"cluster": "cluster", "family": "binomial"}


@pytest.mark.parametrize("kind", ["CR0", "CR2"])
@pytest.mark.parametrize("data", ["cr_logit1", "cr_logit2"])
def test_club_sandwich(data: str, kind: str) -> None:
    """The engine's fixtures by terms, at their tolerance of 1e-6."""
    expected = FIXTURES[f"{data}_{kind.lower()}"]["outputs"]
    result = ClusterRobust(fixed="treat + x", kind=kind, **LOGIT).fit(pd.read_csv(FOLDER / f"{data}.csv"), "y")
    for k, term in enumerate(expected["terms"]):
        row = result.effect("coefficient", term=term)
        for field, key in (("estimate", "estimate"), ("std_error", "se"), ("df", "df"), ("p_value", "p")):
            assert getattr(row, field) == pytest.approx(expected[key][k], rel=1e-6, abs=1e-9)
    assert result.fits[0].log_likelihood == pytest.approx(FIXTURES[f"{data}_glm"]["outputs"]["logLik"], rel=1e-8)


@pytest.mark.parametrize("data", ["cr_logit1", "cr_logit2"])
def test_all_slopes_are_the_htz_test(data: str) -> None:
    expected = FIXTURES[f"{data}_wald"]["outputs"]
    row = ClusterRobust(fixed="treat + x", **LOGIT).fit(pd.read_csv(FOLDER / f"{data}.csv"), "y").effect("wald")
    assert (row.estimate, row.df, row.p_value) == pytest.approx(
        (expected["Fstat"], expected["df_denom"], expected["p"]), rel=1e-6
    )


@pytest.mark.parametrize("data", ["bin_1", "bin_2"])
def test_geepack(data: str) -> None:
    expected = FIXTURES[f"{data}_gee_exchangeable"]["outputs"]
    model = ClusterRobust(fixed="treat + x", kind="CR0", correlation="exchangeable", **LOGIT)
    result = model.fit(pd.read_csv(FOLDER / f"{data}.csv"), "y")
    for k, term in enumerate(expected["terms"]):
        row = result.effect("coefficient", term=term)
        assert (row.estimate, row.std_error) == pytest.approx((expected["estimate"][k], expected["se"][k]), rel=1e-6)
    assert result.fits[0].icc == pytest.approx(expected["alpha"], rel=1e-6)


@pytest.mark.parametrize("data", ["cr_logit1", "cr_logit2"])
@pytest.mark.parametrize("fixed", ["treat + x", "treat * x"])
def test_risks_and_contrasts_equal_those_made_in_r(data: str, fixed: str) -> None:
    """`standardised.R`: linear_contrast of the gradient by clubSandwich, with an interaction too. 1e-7, as glm fits."""
    expected = STANDARDISED[f"{data} {fixed}"]
    result = ClusterRobust(fixed=fixed, **LOGIT).fit(pd.read_csv(FOLDER / f"{data}.csv"), "y")
    b, a = expected["risk"]
    wanted = {"risk_difference": a - b, "risk_ratio": a / b, "odds_ratio": a / (1 - a) / (b / (1 - b))}
    for measure, value in wanted.items():
        row, known = result.effect(measure, term="treat"), expected[measure]
        scale = 1.0 if measure == "risk_difference" else value  # R's are those of logarithms
        assert (row.estimate, row.std_error) == pytest.approx((value, scale * known["std_error"]), rel=1e-7)
        assert row.df == pytest.approx(known["df"], rel=1e-7)
    for level, value in ((0, b), (1, a)):
        row, known = result.effect("risk", term=f"treat[{level}]"), expected[f"risk_{level}"]
        assert (row.estimate, row.std_error, row.df) == pytest.approx(
            (value, known["std_error"], known["df"]), rel=1e-7
        )
    assert result.effect("nnt").estimate == pytest.approx(1 / (a - b), rel=1e-7)


def trial(seed: int = 1, *, clusters: int = 12, effect: float = 0.8, size: int = 15) -> pd.DataFrame:
    """Agencies of unequal size, half of them treated; who is housed."""
    rng = np.random.default_rng(seed)
    agency = np.repeat(np.arange(clusters), rng.integers(size - 7, size + 8, clusters))
    n, arm = len(agency), agency % 2
    age = rng.normal(40, 10, n)
    p = expit(-0.4 + effect * arm + 0.02 * (age - 40) + rng.normal(0, 0.4, clusters)[agency])
    return pd.DataFrame(
        {
            "agency": [f"a{k:02d}" for k in agency],
            "arm": np.where(arm == 1, "program", "usual"),
            "treated": arm,
            "age": age,
            "site": np.array(["north", "south", "west"])[rng.integers(0, 3, n)],
            "housed": (rng.random(n) < p).astype(int),
        }
    )


MODEL = {"fixed": "arm + age", "cluster": "agency", "family": "binomial", "reference": {"arm": "usual"}}


def test_without_covariates_risks_are_the_shares() -> None:
    frame = trial()
    result = ClusterRobust(**MODEL | {"fixed": "arm"}).fit(frame, "housed")
    shares = frame.groupby("arm")["housed"].mean()
    for arm, share in shares.items():
        assert result.effect("risk", term=f"arm[{arm}]").estimate == pytest.approx(share, rel=1e-10)
    row = result.effect("risk_difference", term="arm[program]")
    assert row.estimate == pytest.approx(shares["program"] - shares["usual"], rel=1e-10)
    assert row.adjusted is False
    linear = ClusterRobust(fixed="arm", cluster="agency", reference={"arm": "usual"}).fit(frame, "housed")
    assert row.std_error == pytest.approx(linear.effect("coefficient", term="arm[program]").std_error, rel=0.01)


def test_text_and_numbers_give_the_same_contrasts() -> None:
    frame = trial()
    one, other = (
        ClusterRobust(**MODEL | {"fixed": f"{name} + age", "reference": {}}).fit(
            frame.assign(arm=np.where(frame.treated == 1, "b", "a")), "housed"
        )
        for name in ("arm", "treated")
    )
    for measure in ("risk_difference", "risk_ratio", "odds_ratio", "nnt", "odds_ratio_conditional"):
        left, right = one.effect(measure, term="arm[b]"), other.effect(measure, term="treated")
        assert left.estimate == pytest.approx(right.estimate, rel=1e-8)
        assert left.conf_low == (None if right.conf_low is None else pytest.approx(right.conf_low, rel=1e-7))


def test_a_closed_interval_of_nnt_is_the_reciprocal() -> None:
    frame = trial(2, effect=2.0, clusters=20)
    for better, sign in (("higher", 1), ("lower", -1), (None, 1)):
        result = ClusterRobust(**MODEL).fit(frame, "housed", better=better)
        difference, row = result.effect("risk_difference"), result.effect("nnt")
        limits = sorted((sign / difference.conf_low, sign / difference.conf_high))
        assert difference.conf_low > 0
        assert row.estimate == pytest.approx(sign / difference.estimate)
        assert [row.conf_low, row.conf_high] == pytest.approx(limits)
        assert row.conf_low < row.estimate < row.conf_high
        assert ("NNTB" in row.method) == (better is not None)


def test_an_interval_of_nnt_over_infinity_is_said_in_words() -> None:
    """Altman (1998): the interval of the difference holds 0, so that of its reciprocal has two parts."""
    result = ClusterRobust(**MODEL).fit(trial(3, effect=0.2), "housed", better="higher")
    difference, row = result.effect("risk_difference"), result.effect("nnt")
    assert difference.conf_low < 0 < difference.conf_high
    assert (row.conf_low, row.conf_high, row.conf_level) == (None, None, None)
    assert f"NNTB {1 / difference.conf_high:.1f} to infinity to NNTH {-1 / difference.conf_low:.1f}" in row.method
    plain = ClusterRobust(**MODEL).fit(trial(3, effect=0.2), "housed").effect("nnt")
    assert "one more event" in plain.method
    worse = ClusterRobust(**MODEL).fit(trial(3, effect=0.2), "housed", better="lower").effect("nnt")
    assert f"NNTB {-1 / difference.conf_low:.1f} to infinity to NNTH {1 / difference.conf_high:.1f}" in worse.method


def test_ratio_intervals_are_symmetric_on_the_log_scale() -> None:
    result = ClusterRobust(**MODEL).fit(trial(), "housed")
    for measure in ("risk_ratio", "odds_ratio"):
        row = result.effect(measure)
        assert row.conf_low * row.conf_high == pytest.approx(row.estimate**2, rel=1e-9)
        assert row.statistic == pytest.approx(np.log(row.estimate) * row.estimate / row.std_error, rel=1e-9)
        assert row.null == 1.0


def test_limits_of_shares_stay_shares() -> None:
    """Four clusters leave so few df that a t interval passes -1 or 1; a number needed to treat is at least 1."""
    result = ClusterRobust(**MODEL | {"fixed": "arm"}).fit(trial(4, clusters=4, effect=1.5), "housed", better="higher")
    difference, row = result.effect("risk_difference"), result.effect("nnt")
    assert difference.conf_high == 1.0
    assert row.df == difference.df
    assert "NNTB 1.0 to infinity" in row.method
    for level in ("usual", "program"):
        risk = result.effect("risk", term=f"arm[{level}]")
        assert 0 <= risk.conf_low < risk.estimate < risk.conf_high <= 1


def test_levels_that_cannot_be_told_apart_have_no_risks() -> None:
    frame = trial().assign(half=lambda data: np.where(data.arm == "program", "b", "a"))
    result = ClusterRobust(**MODEL | {"fixed": "arm + half"}).fit(frame, "housed")
    assert {row.term.partition("[")[0] for row in result.estimates if row.measure == "risk"} == {"arm"}
    assert any(note.startswith('No risks by "half"') for note in result.notes)


def test_a_category_of_three_levels_has_two_contrasts() -> None:
    result = ClusterRobust(**MODEL | {"fixed": "arm + site"}).fit(trial(), "housed")
    terms = [row.term for row in result.estimates if row.measure == "risk_difference"]
    assert terms == ["arm[program]", "site[south]", "site[west]"]
    assert [row.term for row in result.estimates if row.measure == "risk"][2:] == [
        "site[north]", "site[south]", "site[west]",
    ]  # fmt: skip


def test_true_and_false_are_accepted_and_counted_as_one() -> None:
    frame = trial()
    one = ClusterRobust(**MODEL).fit(frame, "housed")
    for outcome in (frame.housed == 1, (frame.housed == 1).astype("boolean"), (frame.housed == 1).astype(object)):
        other = ClusterRobust(**MODEL).fit(frame.assign(housed=outcome), "housed")
        assert [row.estimate for row in one.estimates] == [row.estimate for row in other.estimates]
        assert any("true was read as 1" in note for note in other.notes)


def test_missing_outcomes_are_counted() -> None:
    frame = trial()
    yes = (frame.housed == 1).astype("boolean")
    yes[[0, 5, 9]] = pd.NA
    result = ClusterRobust(**MODEL).fit(frame.assign(housed=yes), "housed")
    assert (result.fits[0].used, result.fits[0].dropped) == (len(frame) - 3, 3)
    assert '3 rows without a value in "housed" were left out.' in result.notes


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (lambda y: y + 1, 'values of .* in "housed" are neither 0 nor 1'),
        (lambda y: np.where(y == 1, "yes", "no"), '"housed" holds 2 labels, not 0 and 1'),
        (lambda y: y * 0, '"housed" is 0 in all'),
        (lambda y: y * 0 + 1, '"housed" is 1 in all'),
        (lambda y: y / 0.5 * 0.5 + 0.25, "neither 0 nor 1"),
    ],
)
def test_outcomes_that_are_not_zero_and_one_are_refused(values: object, message: str) -> None:
    frame = trial()
    with pytest.raises(DesignError, match=message):
        ClusterRobust(**MODEL).fit(frame.assign(housed=values(frame.housed)), "housed")


def test_events_are_counted_in_each_group() -> None:
    frame = trial()
    result = ClusterRobust(**MODEL).fit(frame, "housed")
    coded = ClusterRobust(**MODEL | {"fixed": "treated", "reference": {}}).fit(frame, "housed")
    for arm, term, number in (("usual", "treated[0]", 0), ("program", "treated[1]", 1)):
        rows = frame[frame["treated"] == number]
        for row in (result.effect("events", term=f"arm[{arm}]"), coded.effect("events", term=term)):
            assert (row.estimate, row.n, row.clusters) == (rows.housed.sum(), len(rows), rows.agency.nunique())


def test_an_arm_without_events_is_refused_by_name() -> None:
    """Elsewhere: an odds ratio of 1.7e10, converged; or 25.6 with z = 57."""
    frame = trial()
    none = frame.assign(housed=np.where(frame.arm == "usual", 0, frame.housed))
    count = int((frame.arm == "usual").sum())
    for correlation in ("independence", "exchangeable"):
        model = ClusterRobust(**MODEL, correlation=correlation)
        with pytest.raises(DesignError, match=f'"housed" is 0 in all {count} rows where "arm" is "usual"'):
            model.fit(none, "housed")
    with pytest.raises(DesignError, match=r'"housed" is 1 in all .* where "treated" is "1"'):
        ClusterRobust(**MODEL | {"fixed": "treated", "reference": {}}).fit(
            frame.assign(housed=np.where(frame.treated == 1, 1, frame.housed)), "housed"
        )
    with pytest.raises(DesignError, match='"age" tells zeros of "housed" from ones'):
        ClusterRobust(**MODEL).fit(frame.assign(housed=(frame.age > 41).astype(int)), "housed")
    linear = ClusterRobust(fixed="arm", cluster="agency", reference={"arm": "usual"}).fit(none, "housed")
    assert linear.effect("coefficient", term="arm[program]").std_error > 0  # what the message advises works


def test_one_cluster_is_refused_and_one_per_arm_has_no_standard_error() -> None:
    frame = trial()
    with pytest.raises(DesignError, match="only one cluster"):
        ClusterRobust(**MODEL).fit(frame.assign(agency="a"), "housed")
    result = ClusterRobust(**MODEL | {"fixed": "arm"}).fit(frame.assign(agency=frame.arm), "housed")
    for measure in ("coefficient", "risk_difference", "risk_ratio", "odds_ratio", "nnt"):
        row = result.effect(measure, term="arm[program]")
        assert (row.std_error, row.p_value, row.conf_low) == (None, None, None)
    conditional = [row for row in result.estimates if row.measure == "odds_ratio_conditional"]
    assert all(row.p_value is None for row in conditional)


def test_a_mixed_model_shows_no_p_value_where_the_corrected_test_disagrees() -> None:
    """Of 20 small trials without an effect, the z test of the mixed model alone may reject; then it shows nothing."""
    seen = {True: 0, False: 0}
    for seed in range(20):
        result = ClusterRobust(**MODEL | {"fixed": "arm"}).fit(trial(seed, clusters=6, effect=0.0), "housed")
        corrected = result.effect("coefficient", term="arm[program]")
        row = result.effect("odds_ratio_conditional")
        z = np.log(row.estimate) * row.estimate / row.std_error
        agree = (abs(z) > 1.959964) == (corrected.p_value < 0.05)
        seen[agree] += 1
        assert (row.p_value is not None) == agree
        assert any(note.startswith("The mixed logistic model shows no p-value for") for note in result.notes) != agree
    assert seen[False] > 0
    assert seen[True] > 0
    assert result.effect("sd").term == "agency: (Intercept)"


def test_agreement_needs_the_same_side() -> None:
    test = ContrastTest(estimate=-1.0, std_error=0.2, df=8.0, statistic=-5.0, p_value=0.001)
    assert not _agree(1.0, 0.001, test, 0.05)
    assert _agree(-1.0, 0.001, test, 0.05)
    assert not _agree(-1.0, 0.2, test, 0.05)


def test_sampling_weights_count_clients() -> None:
    """A client with weight 2 moves estimates as two would; the standard error counts it once."""
    frame = trial()
    frame["w"] = 1.0 + (np.arange(len(frame)) % 3 == 0)
    weighted = ClusterRobust(**MODEL, weights="w").fit(frame, "housed")
    X = np.column_stack([np.ones(len(frame)), frame.arm == "program", frame.age])
    expected = logistic(frame.housed.to_numpy(float), X.astype(float), weights=frame.w.to_numpy())
    for k, term in enumerate(("(Intercept)", "arm[program]", "age")):
        assert weighted.effect("coefficient", term=term).estimate == pytest.approx(expected.coefficients[k], rel=1e-9)
    equal = ClusterRobust(**MODEL, weights="w", kind="KC").fit(frame.assign(w=7.0), "housed")
    plain = ClusterRobust(**MODEL, kind="KC").fit(frame, "housed")
    for row in (r for r in equal.estimates if r.measure == "coefficient"):
        other = plain.effect("coefficient", term=row.term)
        assert (row.std_error, row.df) == pytest.approx((other.std_error, other.df), rel=1e-8)
    assert not [row for row in weighted.estimates if row.measure == "odds_ratio_conditional"]


def test_corrections_of_marginal_models_have_their_names() -> None:
    frame, found = trial(), {}
    for kind in ("CR0", "CR2", "KC", "CR3", "MD"):
        result = ClusterRobust(**MODEL, correlation="exchangeable", kind=kind).fit(frame, "housed")
        found[kind] = result.effect("coefficient", term="arm[program]")
    assert found["CR2"].std_error == found["KC"].std_error
    assert found["CR3"].std_error == found["MD"].std_error
    assert found["CR0"].std_error < found["KC"].std_error < found["MD"].std_error
    assert "Kauermann-Carroll" in found["CR2"].method
    assert "Mancl-DeRouen" in found["CR3"].method


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"family": "binomal"}, DesignError, 'Did you mean "binomial"'),
        ({"correlation": "ar1"}, DesignError, 'correlation="ar1" is unknown'),
        ({"family": "gaussian", "kind": "MD"}, DesignError, 'it equals kind="CR3"'),
        ({"correlation": "exchangeable", "weights": "age"}, DesignError, "takes no weights"),
        ({"absorb": "site"}, DesignError, "least squares only"),
        ({"family": "gaussian", "absorb": ("site", "sight")}, DataError, 'Did you mean "site"'),
    ],
)
def test_refused(fields: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        ClusterRobust(**MODEL | fields).fit(trial(), "housed")


FIXED = FOLDER.parent / "cluster_robust"
FIXED_EFFECTS = {f["id"]: f for f in json.loads((FIXED / "fixtures.json").read_text())["fixtures"]}


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR1S", "CR2"])
@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ("cr_fe", {"fixed": "t + treat + x", "absorb": "cluster", "cluster": "cluster", "reference": {"t": 0}}),
        ("cr_fe", {"fixed": "treat + x", "absorb": ["cluster", "t"], "cluster": "cluster"}),
        ("cr_year", {"fixed": "year + policy", "absorb": "state", "cluster": "state"}),
    ],
)
def test_absorbed_effects_equal_dummies_of_club_sandwich(data: str, fields: dict, kind: str) -> None:
    expected = FIXED_EFFECTS[f"{data}_{kind.lower()}"]["outputs"]
    result = ClusterRobust(**fields, kind=kind).fit(pd.read_csv(FIXED / f"{data}.csv"), "y")
    for k, term in enumerate(expected["terms"]):
        row = result.effect("coefficient", term=term)
        for field, key in (("estimate", "estimate"), ("std_error", "se"), ("df", "df"), ("p_value", "p")):
            assert getattr(row, field) == pytest.approx(expected[key][k], rel=1e-7, abs=1e-10)
    assert not [row for row in result.estimates if row.term == "(Intercept)"]
    assert any("were absorbed" in note for note in result.notes)
    if kind == "CR2" and "t +" not in fields["fixed"]:
        wald, row = FIXED_EFFECTS[f"{data}_wald"]["outputs"], result.effect("wald", term="all slopes")
        at = wald["test"].index("HTZ")
        assert (row.estimate, row.df) == pytest.approx((wald["Fstat"][at], wald["df_denom"][at]), rel=1e-7)


def rejections(replications: int, clusters: int, seed: int, correlation: str = "independence") -> float:
    """Share of rejections without an effect: clusters of 5 to 35 clients, half treated, ICC .05 on the risk scale."""
    rng, count = np.random.default_rng(seed), 0
    arm = np.arange(clusters) % 2
    done = 0
    while done < replications:
        sizes = rng.integers(5, 36, clusters)
        risk = rng.beta(0.3 * 19, 0.7 * 19, clusters)  # variance p (1 - p) / 20: ICC .05
        cluster = np.repeat(np.arange(clusters), sizes)
        frame = pd.DataFrame(
            {"y": (rng.random(len(cluster)) < risk[cluster]).astype(int), "arm": arm[cluster], "c": cluster}
        )
        if frame.groupby("arm")["y"].nunique().min() < 2:
            continue
        model = ClusterRobust(fixed="arm", cluster="c", family="binomial", correlation=correlation)
        row = _difference(model.fit(frame, "y"))
        count += row < 0.05
        done += 1
    return count / replications


def _difference(result: Result) -> float:
    return float(result.effect("risk_difference").p_value)


def test_the_default_holds_its_level_with_ten_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 trials of 10 unequal clusters: at most .05 + 3 Monte Carlo SE = .096; ignoring clusters rejects about .17."""
    monkeypatch.setattr("sweval.models.cluster_robust.conditional_rows", lambda *_, **__: ([], []))  # for speed
    assert rejections(200, 10, seed=7) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
