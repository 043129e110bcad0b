"""The synthesis as users call it: numbers of metafor and clubSandwich, laws, and every table it must refuse."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from sweval.errors import DataError, DesignError
from sweval.models.base.synthesis_result import SynthesisResult
from sweval.models.synthesis import Synthesis
from sweval.models.two_group import TwoGroup
from sweval.result import Estimate, Result

FOLDER = Path(__file__).parents[1] / "reference" / "meta"
FIXTURES = {f["id"]: f for f in json.loads((FOLDER / "fixtures.json").read_text())["fixtures"]}
MORE = json.loads((FOLDER / "more.json").read_text())
MODERATORS = {"mean": "", "cell": "level", "full": "level + rct + year"}


@cache
def default(number: int, moderators: str = "") -> SynthesisResult:
    """Return the default model of a table, fitted once for all tests."""
    return Synthesis(moderators=moderators).fit(table(number))


def table(number: int) -> pd.DataFrame:
    frame = pd.read_csv(FOLDER / f"meta_{number}.csv").rename(columns={"yi": "estimate", "vi": "variance"})
    return frame.assign(metric="person_total")


def column(result: Result, measure: str, field: str) -> list[float]:
    return [getattr(row, field) for row in result.estimates if row.measure == measure]


def same(found: object, wanted: object, fixture: dict[str, Any]) -> None:
    np.testing.assert_allclose(found, np.array(wanted, dtype=float), rtol=fixture["rtol"], atol=fixture["atol"])


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("model", MODERATORS)
def test_the_default_is_che_with_cr2(number: int, model: str) -> None:
    """metafor and clubSandwich at the tolerance of the fixtures; cell means are asked for as levels of a moderator."""
    result = default(number, MODERATORS[model])
    base, robust = FIXTURES[f"meta_{number}_che_{model}"], FIXTURES[f"meta_{number}_che_{model}_cr2"]
    same(column(result, "tau2", "estimate"), [base["outputs"][f"sigma2_{x}"] for x in ("study", "es")], base)
    measure = "coefficient" if model == "full" else "mean_effect"
    for field, key in (
        ("estimate", "estimate"), ("std_error", "se"), ("statistic", "t"), ("df", "df"), ("p_value", "p")
    ):  # fmt: skip
        same(column(result, measure, field), robust["outputs"][key], robust)
    q, glance = result.effect("q"), result.glance().iloc[0]
    same([q.estimate, q.p_value], [base["outputs"]["QE"], base["outputs"]["QEp"]], base)
    same(glance["log_likelihood"], base["outputs"]["logLik"], base)
    if model == "full":
        joint = FIXTURES[f"meta_{number}_che_full_htz_all"]
        row = result.effect("wald", term="all moderators")
        same([row.estimate, row.df, row.p_value], [joint["outputs"][x] for x in ("Fstat", "df_denom", "p")], joint)
    if model == "cell":
        joint = FIXTURES[f"meta_{number}_che_cell_htz_level"]
        row = result.effect("coefficient", term="level[indirect]")
        assert row.statistic is not None
        same([row.statistic**2, row.df, row.p_value], [joint["outputs"][x] for x in ("Fstat", "df_denom", "p")], joint)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_independent_effects(number: int) -> None:
    result = Synthesis(model="RE", test="knapp-hartung", moderators="level").fit(table(number))
    fixture = FIXTURES[f"meta_{number}_rma_knha_cell"]
    for field, key in (("estimate", "estimate"), ("std_error", "se"), ("p_value", "p"), ("conf_low", "ci_lb")):
        same(column(result, "mean_effect", field), fixture["outputs"][key], fixture)
    same(result.effect("tau2").estimate, fixture["outputs"]["tau2"], fixture)
    same(result.effect("i2").estimate, fixture["outputs"]["I2"], fixture)
    fixture = FIXTURES[f"meta_{number}_rma_pi_cell"]
    same(column(result, "prediction", "conf_low"), fixture["outputs"]["pi_lb"], fixture)
    same(column(result, "prediction", "conf_high"), fixture["outputs"]["pi_ub"], fixture)
    for method in ("DL", "HE", "SJ", "ML", "EB", "PM", "EE"):
        fixture = FIXTURES[f"meta_{number}_rma_{method.lower()}"]
        row = Synthesis(model="RE", method=method, test="z").fit(table(number)).effect("mean_effect")
        same(
            [row.estimate, row.std_error, row.conf_high],
            [fixture["outputs"][x] for x in ("estimate", "se", "ci_ub")],
            fixture,
        )


def test_subgroup_correlated_effects() -> None:
    """metafor: 1e-5, where its searches end."""
    result = Synthesis(model="SCE", subgroup="level", moderators="level").fit(table(1))
    expected = MORE["sce_published"]
    np.testing.assert_allclose(column(result, "tau2", "estimate"), expected["tau2"], rtol=2e-5)
    np.testing.assert_allclose(column(result, "mean_effect", "estimate"), expected["b"], rtol=1e-5)
    np.testing.assert_allclose(column(result, "mean_effect", "std_error"), expected["robust_se"], rtol=1e-5)
    np.testing.assert_allclose(column(result, "mean_effect", "df"), expected["df"], rtol=1e-5)
    mean, prediction = result.estimates[:2]
    assert (mean.measure, prediction.measure) == ("mean_effect", "prediction")
    from scipy.stats import t

    assert mean.df is not None
    assert mean.std_error is not None
    reach = t.ppf(0.975, mean.df) * np.sqrt(mean.std_error**2 + expected["tau2"][0])
    assert prediction.conf_high == pytest.approx(mean.estimate + reach, rel=1e-5)


def test_further_levels_clusters_and_given_covariances() -> None:
    frame = table(1).assign(scale=lambda d: (np.arange(1, len(d) + 1) * 7) % 5)
    crossed = Synthesis(random=("scale",), test="z").fit(frame)
    np.testing.assert_allclose(column(crossed, "tau2", "estimate"), MORE["crossed"]["sigma2"], rtol=1e-5, atol=1e-6)
    with pytest.raises(DesignError, match="effects of different clusters depend on each other"):
        Synthesis(random=("scale",)).fit(frame)
    frame["team"] = ((pd.factorize(frame["study"], sort=True)[0] + 1) * 3) % 11
    teams = Synthesis(cluster="team", moderators="level").fit(frame)
    np.testing.assert_allclose(column(teams, "coefficient", "std_error"), MORE["team"]["se"], rtol=1e-5)
    assert teams.effect("q").clusters == 11
    V = np.diag(frame["variance"])
    same_study = frame["study"].to_numpy()[:, None] == frame["study"].to_numpy()
    root = np.sqrt(frame["variance"].to_numpy())
    V = np.where(same_study, 0.6 * np.outer(root, root), 0.0) + 0.4 * V
    given = Synthesis().fit(frame, covariance=V)
    assert given.effect("mean_effect").std_error == pytest.approx(
        Synthesis().fit(frame).effect("mean_effect").std_error, rel=1e-9
    )
    assert given.sensitivity.empty
    frame.loc[3, "estimate"] = np.nan
    part = Synthesis().fit(frame, covariance=V)
    assert part.effect("q").estimate == pytest.approx(Synthesis().fit(frame).effect("q").estimate, rel=1e-9)
    with pytest.raises(DesignError, match=r"shape \(3, 3\), but the table has 80 rows"):
        Synthesis().fit(frame, covariance=np.eye(3))
    frame["team"] = np.arange(len(frame)) % 3
    with pytest.raises(DesignError, match='studies are in several clusters of "team"'):
        Synthesis(cluster="team").fit(frame)


def test_sensitivity_repeats_the_analysis() -> None:
    result = default(1, "level")
    curve = result.sensitivity
    assert curve["rho"].unique().tolist() == pytest.approx(np.arange(0, 1, 0.1))
    for rho in (0.0, 0.9):
        one = Synthesis(moderators="level", rho=rho).fit(table(1)).effect("mean_effect", term="level[direct]")
        row = curve[(curve["rho"] == rho) & (curve["term"] == "level[direct]")].iloc[0]
        assert [row["estimate"], row["std_error"], row["df"]] == pytest.approx(
            [one.estimate, one.std_error, one.df], rel=1e-7
        )
    assert sum("is assumed. From 0 to .9" in note for note in result.notes) == 1
    assert Synthesis(model="HE").fit(table(1)).sensitivity.empty


FIELDS = ("estimate", "std_error", "conf_low", "conf_high", "df", "p_value")


def close(one: Result, other: Result) -> None:
    """1e-6: the search for variances ends within 1e-7 standard errors wherever it starts."""
    assert [(r.term, r.measure) for r in one.estimates] == [(r.term, r.measure) for r in other.estimates]
    for row, twin in zip(one.estimates, other.estimates, strict=True):
        for field in FIELDS:
            assert getattr(row, field) == (
                None if getattr(twin, field) is None else pytest.approx(getattr(twin, field), rel=1e-6, abs=1e-7)
            )


def test_order_names_and_kind_of_frame_do_not_matter() -> None:
    frame, design = table(2), Synthesis(moderators="level + year")
    expected = design.fit(frame)
    close(design.fit(frame.sample(frac=1, random_state=3)[frame.columns[::-1]]), expected)
    close(design.fit(frame.assign(study=pd.factorize(frame["study"])[0] + 100)), expected)
    close(design.fit(pl.DataFrame(frame)), expected)
    errors = frame.assign(error=np.sqrt(frame["variance"])).drop(columns="variance")
    close(Synthesis(moderators="level + year", std_error="error").fit(errors), expected)


def test_units_do_not_matter() -> None:
    frame = table(2)
    one = Synthesis(moderators="level").fit(frame).effect("coefficient", term="level[indirect]")
    ten = frame.assign(estimate=10 * frame["estimate"], variance=100 * frame["variance"])
    other = Synthesis(moderators="level").fit(ten).effect("coefficient", term="level[indirect]")
    assert [10 * one.estimate, one.df, one.p_value] == pytest.approx(
        [other.estimate, other.df, other.p_value], rel=1e-7
    )


def test_rows_of_ours_come_straight_in() -> None:
    """Tables of several studies joined: only standardised effects enter, and a title tells studies apart."""
    rng, results = np.random.default_rng(4), []
    for number in range(5):
        frame = pd.DataFrame(
            {"arm": ["offer", "usual"] * 20, "score": rng.normal(size=40), "other": rng.normal(size=40)}
        )
        frame.loc[frame["arm"] == "offer", ["score", "other"]] += 0.5
        design = TwoGroup(arm="arm", treated="offer", control="usual", service="group" if number % 2 else "training")
        both = design.fit(frame, "score", better="higher") + design.fit(frame, "other", better="higher")
        results.append(both.in_study(f"Study {number}"))
    joined = sum(results[1:], results[0])
    found = Synthesis(moderators="side").fit(joined)
    assert [row.term for row in found.estimates if row.measure == "mean_effect"] == ["side[direct]", "side[indirect]"]
    assert (found.effect("q").n, found.effect("q").clusters) == (10, 5)
    assert any('without a value in "variance" were left out' in note for note in found.notes)
    assert found.effect("mean_effect", term="side[direct]").metric == "person_total"
    only = Synthesis().fit(joined.tidy(), "score")
    assert (only.effect("q").n, only.effect("q").outcome) == (5, "score")
    assert any("Every study has one effect" in note for note in only.notes)
    with pytest.raises(DesignError, match='10 of 10 effects have no study in "study"'):
        Synthesis().fit(joined.tidy().assign(study=None))
    with pytest.raises(DesignError, match="2 of 12 effects have no study") as refused:
        Synthesis().fit(joined + both)
    assert "in_study" in str(refused.value)


def test_numbers_from_reports() -> None:
    rows = tuple(
        Estimate(
            term="arm[treated]",
            measure="hedges_g",
            estimate=g,
            variance=v,
            study=name,
            metric="person_total",
            method="x",
        )
        for name, g, v in (("Ardi", 0.3, 0.04), ("Budi", 0.5, 0.05), ("Citra", 0.1, 0.03), ("Dewi", 0.4, 0.06))
    )
    result = Synthesis().fit(Result(estimates=rows))
    assert isinstance(result, SynthesisResult)
    assert result.effect("mean_effect").clusters == 4
    assert type(result + result) is Result


def refused(frame: pd.DataFrame, message: str, **fields: Any) -> None:
    with pytest.raises((DesignError, DataError), match=message):
        Synthesis(**fields).fit(frame)


def test_unlike_metrics_are_not_mixed() -> None:
    frame = table(1)
    frame.loc[:9, "metric"] = "uncontrolled_change"
    refused(
        frame,
        r'different things, by rows: uncontrolled_change \(10\), person_total \(70\).*metric="person_total"',
    )
    chosen = Synthesis(metric="person_total").fit(frame)
    assert chosen.effect("q").n == 70
    assert any('10 rows with another metric than "person_total" were left out' in note for note in chosen.notes)
    frame.loc[:9, "metric"] = None
    refused(frame, "10 of 80 effects do not say what they are measured in")
    said = Synthesis().fit(frame.drop(columns="metric")).notes
    assert any("Nothing in the data says what the effects are measured in" in note for note in said)


def test_the_same_effect_never_counts_twice() -> None:
    frame = table(1)
    refused(pd.concat([frame, frame.iloc[:2]]), "2 rows repeat another row in every column")
    refused(frame.assign(es=frame["rct"]), 'rows have the same "study" and "es"', effect="es")
    tidy = frame.assign(comparison="A", outcome=frame["es"].astype(str), term="arm", measure="hedges_g")
    again = pd.concat([tidy, tidy.iloc[:3].assign(measure="cox_d")])
    refused(again, "3 rows give a result that is in the data already, under another measure")
    alternative = pd.concat([tidy, tidy.iloc[:3].assign(measure="hedges_g_alternative")])
    assert Synthesis().fit(alternative).effect("q").n == 80
    kinds = tidy.assign(measure=np.where(frame["rct"] == 1, "hedges_g", "cox_d"))
    assert any("of several kinds on one scale: hedges_g" in note for note in Synthesis().fit(kinds).notes)


def test_standard_errors_are_no_variances() -> None:
    """By another column, by the intervals, by the numbers of persons; and a table of variances passes all three."""
    frame = table(1)
    error = np.sqrt(frame["variance"])
    right = frame.assign(
        std_error=error, conf_low=frame["estimate"] - 1.96 * error, conf_high=frame["estimate"] + 1.96 * error,
        n=np.round(4 / frame["variance"] + 2),
    )  # fmt: skip
    assert Synthesis().fit(right).effect("q").n == 80
    wrong = right.assign(variance=error)
    refused(wrong, '"variance" is equal to "std_error"')
    refused(wrong.drop(columns="std_error"), 'the intervals fit "variance" as standard errors')
    refused(
        wrong.drop(columns=["std_error", "conf_low"]), "far too large for variances.*just right for standard errors"
    )
    alone = Synthesis().fit(frame.assign(variance=4 * error))
    assert any("more alike than their variances allow" in note for note in alone.notes)


def test_impossible_variances() -> None:
    frame = table(1)
    refused(
        frame.assign(variance=np.where(frame["es"] < 3, 0.0, frame["variance"])), '2 variances in "variance" were zero'
    )
    refused(frame.assign(se=-1.0), '80 standard errors in "se" were zero or negative', std_error="se")
    refused(frame.drop(columns="variance"), "no column 'variance'")
    refused(frame.assign(estimate="high"), '80 of 80 values in "estimate" are not numbers')


def test_too_little_to_combine() -> None:
    frame = table(1)
    refused(frame[frame["study"] == "study03"], "only one study, so how much studies vary cannot be seen")
    refused(frame.iloc[:1], "only one study")
    refused(frame.iloc[[0, 3]], "2 effects for 2 coefficients", moderators="rct")
    refused(frame.iloc[:0], "no complete row")
    refused(frame.assign(rct=1), '"rct" is the same for all 80 effects', moderators="rct")
    refused(frame, 'the term "levle" is no column', moderators="levle")


def test_identical_effects_and_one_per_study() -> None:
    frame = table(4).assign(estimate=0.3)
    result = Synthesis().fit(frame)
    row = result.effect("mean_effect")
    assert row.estimate == pytest.approx(0.3)
    assert result.effect("tau2").estimate == 0
    assert row.std_error is None or row.std_error == pytest.approx(0, abs=1e-8)
    assert any("more alike than their variances allow" in note for note in result.notes)
    assert any("Every study has one effect" in note for note in default(4).notes)


def test_a_level_of_one_study_has_a_mean_without_a_standard_error() -> None:
    frame = table(1).assign(kind=lambda d: np.where(d["study"] == "study02", "camp", d["level"]))
    result = Synthesis(moderators="kind").fit(frame)
    row = result.effect("mean_effect", term="kind[camp]")
    assert (row.std_error, row.p_value, row.clusters) == (None, None, 1)
    assert any('only one study has "camp" in "kind"' in note for note in result.notes)
    assert any("no standard error for kind[camp]" in note for note in result.notes)
    shown = Synthesis(moderators="first + rct", generalized_inverse=True).fit(
        table(1).assign(first=lambda d: (d["study"] == "study02").astype(int))
    )
    np.testing.assert_allclose(column(shown, "coefficient", "std_error"), MORE["alone"]["se"], rtol=1e-5)


def test_few_degrees_of_freedom_are_said() -> None:
    frame = table(1)
    few = frame[frame["study"].isin(["study01", "study03", "study05", "study09"])]
    result = Synthesis().fit(few)
    df = result.effect("mean_effect").df
    assert df is not None
    assert df < 4
    assert any("fewer than 4 degrees of freedom for (Intercept)" in note for note in result.notes)
    assert not any("fewer than 4" in note for note in Synthesis().fit(frame).notes)


def test_what_moderators_compare_is_said() -> None:
    notes = Synthesis(moderators="level + year").fit(table(1)).notes
    assert 'In 13 of 22 studies effects differ in "level".' in notes
    assert any(note.startswith('"year" differs between studies only') for note in notes)


def test_numeric_moderators_only_and_aliased_ones() -> None:
    frame = table(1).assign(decade=lambda d: d["year"] / 10)
    result = Synthesis(moderators="year + decade").fit(frame)
    assert '"decade" adds nothing to the terms before it and was left out.' in result.notes
    mean = result.effect("mean_effect", term="at average moderators")
    centred = Synthesis(moderators="centred").fit(frame.assign(centred=frame["year"] - frame["year"].mean()))
    assert mean.estimate == pytest.approx(centred.effect("coefficient", term="(Intercept)").estimate, rel=1e-8)


def test_shared_control_arms() -> None:
    """Two programmes against one control arm: 1 / n_C + g g / (2 nu), by hand for the first study."""
    frame = table(1).assign(n=80.0)
    frame.loc[frame["study"] == "study03", "variance"] = 0.05
    frame["control_arm"] = np.where(frame["study"] == "study03", "waiting list", None)
    frame["control_n"] = np.where(frame["study"] == "study03", 40.0, np.nan)
    plain, shared = Synthesis().fit(frame), Synthesis(control="control_arm", control_n="control_n").fit(frame)
    assert shared.effect("q").estimate != plain.effect("q").estimate
    V = 0.6 * np.sqrt(np.outer(frame["variance"], frame["variance"]))
    V = np.where(frame["study"].to_numpy()[:, None] == frame["study"].to_numpy(), V, 0)
    at = np.flatnonzero(frame["study"] == "study03")
    g = frame["estimate"].to_numpy()[at]
    V[np.ix_(at, at)] = 1 / 40 + np.outer(g, g) / (2 * (80 + 80 - 40 - 3))
    np.fill_diagonal(V, frame["variance"])
    with pytest.raises(DesignError, match="not positive definite"):
        Synthesis(control="control_arm", control_n="control_n").fit(frame.assign(control_n=frame["control_n"] / 4))
    assert shared.effect("q").estimate == pytest.approx(Synthesis().fit(frame, covariance=V).effect("q").estimate)
    refused(
        frame.drop(columns="n"), 'persons of both arms in a column "n"', control="control_arm", control_n="control_n"
    )


FIELDS_REFUSED = {
    "model": ({"model": "XYZ"}, '"XYZ" is no model'),
    "test": ({"test": "CR9"}, '"CR9" is no test'),
    "method": ({"method": "DL"}, 'method="DL" with test="CR2" is for independent effects'),
    "knapp": ({"test": "knapp-hartung"}, "is for independent effects"),
    "subgroup": ({"subgroup": "level"}, 'model="SCE" needs subgroup'),
    "random": ({"model": "RE", "random": "scale"}, "takes no further levels"),
    "rho": ({"rho": 1.2}, "rho is 1.2"),
    "variance": ({"variance": "v", "std_error": "s"}, "both given"),
    "control": ({"control": "arm"}, "belong together"),
    "independent control": ({"model": "HE", "control": "a", "control_n": "n"}, "knows no shared control arm"),
    "robumeta": ({"model": "CORR", "test": "z"}, "has its own estimator"),
    "client": ({"client": "id"}, "its rows are effects"),
    "terms": ({"moderators": "level - year +"}, "moderators: at character"),
}


@pytest.mark.parametrize("case", FIELDS_REFUSED)
def test_fields_that_do_not_go_together(case: str) -> None:
    fields, message = FIELDS_REFUSED[case]
    with pytest.raises(DesignError, match=message):
        Synthesis(**fields)


def test_two_runs_print_the_same() -> None:
    again = Synthesis(moderators="level").fit(table(2))
    assert repr(default(2, "level")) == repr(again)


def services(number: int = 1) -> pd.DataFrame:
    """A table with service types: direct effects of individual and group work, indirect ones of training."""
    frame = table(number)
    kinds = np.where(frame["level"] == "indirect", "training", np.where(frame["rct"] == 1, "group", "individual"))
    return frame.assign(service=kinds)


def test_direct_against_indirect() -> None:
    """Difference as clubSandwich tests it, within studies as metafor fits it there, and adjusted as the full model."""
    result = Synthesis(compare="side", moderators="rct + year").fit(services())
    term = "side[indirect] - side[direct]"
    joint = FIXTURES["meta_1_che_cell_htz_level"]
    row = result.effect("difference_in_effects", term=term)
    assert row.statistic is not None
    same([row.statistic**2, row.df, row.p_value], [joint["outputs"][x] for x in ("Fstat", "df_denom", "p")], joint)
    inside, expected = result.effect("difference_within_studies", term=term), MORE["within"]
    np.testing.assert_allclose(
        [inside.estimate, inside.std_error, inside.df, inside.p_value],
        [expected[key] for key in ("b", "se", "df", "p")],
        rtol=2e-5,
    )
    assert (inside.n, inside.clusters) == (expected["k"], 13)
    full = FIXTURES["meta_1_che_full_cr2"]
    adjusted = result.effect("difference_adjusted", term=term)
    same(
        [adjusted.estimate, adjusted.std_error, adjusted.df],
        [full["outputs"][x][1] for x in ("estimate", "se", "df")],
        full,
    )
    assert adjusted.adjusted
    means = [row for row in result.estimates if row.measure == "mean_effect"]
    assert [(row.term, row.n, row.clusters) for row in means] == [("side[direct]", 43, 17), ("side[indirect]", 37, 18)]


def test_three_services_are_compared_in_pairs_and_together() -> None:
    result = Synthesis(compare="service", reference={"service": "training"}).fit(services())
    pairs = [row.term for row in result.estimates if row.measure == "difference_in_effects"]
    assert pairs == [
        "service[group] - service[training]",
        "service[individual] - service[training]",
        "service[individual] - service[group]",
    ]
    asked = Synthesis(moderators="service", reference={"service": "training"}).fit(services())
    for row in [row for row in asked.estimates if row.term in ("service[group]", "service[individual]")]:
        if row.measure == "coefficient":
            twin = result.effect("difference_in_effects", term=f"{row.term} - service[training]")
            assert [twin.estimate, twin.std_error, twin.df] == pytest.approx([row.estimate, row.std_error, row.df])
    joint = asked.effect("coefficient", term="(Intercept)"), result.effect("wald", term="all levels of service")
    assert joint[1].p_value is not None
    assert 0 < joint[1].p_value < 1
    assert result.effect("mean_effect", term="service[group]").service == "group"
    sides = Synthesis(compare="side", model="SCE").fit(services(2))
    assert len([row for row in sides.estimates if row.measure == "tau2"]) == 2
    own = Synthesis(compare="service", model="SCE").fit(services())
    assert [row.term for row in own.estimates if row.measure == "tau2"] == [
        "study, service[group]", "study, service[individual]", "study, service[training]"
    ]  # fmt: skip


def test_what_cannot_be_told_apart_is_said() -> None:
    frame = services(2)
    design = np.where(frame["level"] == "direct", "trial", "register")
    notes = Synthesis(compare="side").fit(frame.assign(level_assigned=design)).notes
    assert (
        'Check: "side" and "level_assigned" go together in every effect (direct: trial; indirect: register), so the '
        "data cannot say which of them makes a difference."
    ) in notes
    mixed = np.where(design == "trial", np.where(frame["rct"] == 1, "clinic", "home"), "town")
    notes = Synthesis(compare="side").fit(frame.assign(design=mixed)).notes
    assert any('no value of "design" occurs at all levels of "side"' in note for note in notes)
    adjusted = Synthesis(compare="side", moderators="arm").fit(frame.assign(arm=design))
    assert not [row for row in adjusted.estimates if row.measure == "difference_adjusted"]
    assert any('some levels of "side" cannot be told from arm' in note for note in adjusted.notes)
    apart = frame[frame.groupby("study")["level"].transform("nunique") == 1]
    notes = Synthesis(compare="side").fit(apart).notes
    assert "No study has effects of both indirect and direct, so no difference within studies can be tested." in notes
    assert any(note.startswith('"side" differs between studies only') for note in notes)


def test_weights_of_robumeta() -> None:
    """Equal weights in a study and one moment variance; rho reaches the estimate through it alone."""
    frame = table(1)
    result = Synthesis(model="CORR", rho=0.8).fit(frame)
    size = frame.groupby("study")["variance"].transform("size")
    weight = 1 / (size * (frame.groupby("study")["variance"].transform("mean") + result.effect("tau2").estimate))
    mean = result.effect("mean_effect")
    assert mean.estimate == pytest.approx(float(np.average(frame["estimate"], weights=weight)), rel=1e-10)
    np.testing.assert_allclose(result.effects()["weight"], 100 * weight / weight.sum(), rtol=1e-9)
    assert result.sensitivity["estimate"].nunique() > 1
    assert not [row for row in result.estimates if row.measure in ("q", "i2")]


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("model", ["mean", "cell"])
def test_normal_intervals_are_those_of_metafor(number: int, model: str) -> None:
    result = Synthesis(test="z", moderators=MODERATORS[model]).fit(table(number))
    fixture = FIXTURES[f"meta_{number}_che_{model}_pi"]
    for measure, prefix in (("mean_effect", "ci"), ("prediction", "pi")):
        for field, side in (("conf_low", "lb"), ("conf_high", "ub")):
            same(column(result, measure, field), fixture["outputs"][f"{prefix}_{side}"], fixture)


@pytest.mark.parametrize("model", ["CHE", "CORR"])
def test_rounding_of_identical_effects_is_no_evidence(model: str) -> None:
    """A difference of 1e-17 with a standard error of 1e-18 is nothing, and must not look significant."""
    frame = table(1).assign(estimate=0.1 + 0.2)
    result = Synthesis(compare="level", model=model).fit(frame)
    tested = [row for row in result.estimates if row.measure != "q"]
    assert [row.p_value for row in tested] == [None] * len(tested)
    assert any("no standard errors: all effects are what the model says" in note for note in result.notes)
    assert not any("rests on one study" in note or "nan" in note for note in result.notes)
    bias = result.bias()
    assert bias.estimates == ()
    assert any("no funnel" in note for note in bias.notes)


def test_rounding_of_identical_independent_effects_is_no_evidence() -> None:
    frame = table(4).assign(estimate=0.1 + 0.2)
    row = Synthesis(model="RE", test="knapp-hartung").fit(frame).effect("mean_effect")
    assert (row.std_error, row.p_value) == (None, None)
    assert Synthesis(model="RE", test="z").fit(frame).effect("mean_effect").std_error is not None


def test_variances_are_no_standard_errors() -> None:
    frame = table(1).assign(
        conf_low=lambda d: d["estimate"] - 1.96 * np.sqrt(d["variance"]),
        conf_high=lambda d: d["estimate"] + 1.96 * np.sqrt(d["variance"]),
        error=lambda d: np.sqrt(d["variance"]),
    )
    with pytest.raises(DesignError, match="as variances, not as standard errors"):
        Synthesis(std_error="variance").fit(frame)
    Synthesis(std_error="error").fit(frame)


def test_a_service_of_no_side_is_named_and_the_cluster_too() -> None:
    words = {"direct": "group", "indirect": "training"}
    frame = table(1).assign(service=lambda d: d["level"].map(words), team=lambda d: d["study"])
    frame.loc[frame.index[:2], "service"] = "yoga"
    result = Synthesis(compare="side", cluster="team").fit(frame)
    assert any('2 rows whose "service" is none of' in note for note in result.notes)
    assert "yoga" not in " ".join(result.notes)
    assert "CR2 by team" in result.effect("mean_effect", term="side[direct]").method
