"""The open model: clubSandwich's numbers through a data frame, R's names, and clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DataError, DesignError
from sweval.models.cluster_robust import ClusterRobust

FOLDER = Path(__file__).parents[1] / "reference" / "cluster_robust"
FIXTURES = {fixture["id"]: fixture for fixture in json.loads((FOLDER / "fixtures.json").read_text())["fixtures"]}
MODELS = {
    "cr_few": {"fixed": "treat + x", "cluster": "cluster"},
    "cr_unbal": {"fixed": "x1 + x2", "cluster": "cluster"},
    "cr_25": {"fixed": "treat * x", "cluster": "cluster"},
    "cr_wt": {"fixed": "treat + x", "cluster": "cluster", "weights": "w"},
    "cr_fe": {"fixed": "cluster + t + treat + x", "cluster": "cluster", "reference": {"t": 0}},
    "cr_year": {"fixed": "state + year + policy", "cluster": "state"},
}


@pytest.mark.parametrize("data", MODELS)
@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR1S", "CR2", "CR3"])
def test_club_sandwich(data: str, kind: str) -> None:
    """The same fixtures as the engine's, now by terms; raw years where clubSandwich needed centred ones."""
    fixture = FIXTURES.get(f"{data}_{kind.lower()}")
    if fixture is None:  # no CR3 reference where clusters have fixed effects
        assert kind == "CR3"
        return
    result = ClusterRobust(**MODELS[data], kind=kind).fit(pd.read_csv(FOLDER / f"{data}.csv"), "y")
    for k, term in enumerate(fixture["outputs"]["terms"]):
        row = result.effect("coefficient", term=term)
        for field, key in (("estimate", "estimate"), ("std_error", "se"), ("df", "df"), ("p_value", "p")):
            assert getattr(row, field) == pytest.approx(fixture["outputs"][key][k], rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("data", ["cr_few", "cr_unbal"])
def test_all_slopes_are_the_htz_test(data: str) -> None:
    expected = FIXTURES[f"{data}_wald"]["outputs"]
    row = ClusterRobust(**MODELS[data]).fit(pd.read_csv(FOLDER / f"{data}.csv"), "y").effect("wald", term="all slopes")
    at = expected["test"].index("HTZ")
    assert (row.estimate, row.df, row.p_value) == pytest.approx(
        (expected["Fstat"][at], expected["df_denom"][at], expected["p"][at]), rel=1e-7
    )


def test_inverse_variance_weights() -> None:
    expected = FIXTURES["cr_wt_cr2_inverse_var"]["outputs"]
    model = ClusterRobust(**MODELS["cr_wt"], working="inverse_weights")
    row = model.fit(pd.read_csv(FOLDER / "cr_wt.csv"), "y").effect("coefficient", term="treat")
    assert (row.std_error, row.df) == pytest.approx((expected["se"][1], expected["df"][1]), rel=1e-7)
    assert "inverse-variance weights" in row.method


def test_coefficients_that_rest_on_one_cluster_have_no_standard_error() -> None:
    """One dummy per cluster: clubSandwich prints an SE of about 1e-16 for them."""
    result = ClusterRobust(**MODELS["cr_fe"]).fit(pd.read_csv(FOLDER / "cr_fe.csv"), "y")
    row = result.effect("coefficient", term="cluster[c01]")
    assert (row.std_error, row.p_value, row.conf_low) == (None, None, None)
    assert any(note.startswith("No standard error for") for note in result.notes)


def test_a_term_of_several_columns_has_its_own_joint_test(program: pd.DataFrame) -> None:
    program["site"] = np.array(["north", "south", "west"])[np.arange(len(program)) % 3]
    result = ClusterRobust(fixed="offer + site + age", cluster="agency", reference={"offer": "usual"}).fit(
        program, "post"
    )
    assert [row.term for row in result.estimates] == [
        "(Intercept)", "offer[group_work]", "site[south]", "site[west]", "age", "site", "all slopes",
    ]  # fmt: skip


def test_odd_names_work(program: pd.DataFrame) -> None:
    names = {"offer": "C", "age": "Q", "pre": "usia (tahun) + 1", "sex": "jenis kelamin", "agency": "größe"}
    model = ClusterRobust(fixed="C * Q + `usia (tahun) + 1` + jenis kelamin", cluster="größe")
    plain = ClusterRobust(fixed="offer * age + pre + sex", cluster="agency")
    one, other = model.fit(program.rename(columns=names), "post"), plain.fit(program, "post")
    assert [row.estimate for row in one.estimates] == [row.estimate for row in other.estimates]


def test_dropped_rows_are_counted(program: pd.DataFrame) -> None:
    program.loc[[0, 1], "post"] = np.nan
    program.loc[2, "agency"] = None
    program.loc[3, "sex"] = ""
    result = ClusterRobust(fixed="offer + sex", cluster="agency").fit(program, "post")
    fit = result.fits[0]
    assert (fit.rows, fit.used, fit.dropped) == (len(program), len(program) - 4, 4)
    assert '2 rows without a value in "post" were left out.' in result.notes


def test_one_wave_can_be_chosen(waves: pd.DataFrame) -> None:
    model = ClusterRobust(fixed="offer", cluster="agency", wave="wave", outcome_wave="post")
    result = model.fit(waves, "distress")
    assert result.fits[0].used == len(waves) / 2
    assert result.fits[0].rows == result.fits[0].used + result.fits[0].dropped


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"fixed": "offer + agee"}, DataError, '"agee" is no column.*Did you mean "age"'),
        ({"fixed": "offer | agency"}, DataError, '"\\|" is no operator here'),
        ({"fixed": "offer +"}, DesignError, "at character"),
        ({"fixed": "offer + post"}, DesignError, "both the outcome and a term"),
        ({"fixed": "offer", "kind": "CR4"}, DesignError, "kind"),
        ({"fixed": "offer", "weights": "bad"}, DesignError, '2 weights in "bad" were zero or negative'),
        ({"fixed": "offer", "reference": {"offer": "Usual"}}, DesignError, 'Did you mean "usual"'),
        ({"fixed": "offer", "cluster": "one"}, DesignError, "only one cluster"),
        ({"fixed": "copy"}, DesignError, "reproduce the outcome exactly"),
    ],
)
def test_refused(fields: dict, error: type, message: str, program: pd.DataFrame) -> None:
    frame = program.assign(bad=[0.0, -1.0, *[1.0] * (len(program) - 2)], one="a", copy=2 * program.post + 1)
    with pytest.raises(error, match=message):
        ClusterRobust(**({"cluster": "agency"} | fields)).fit(frame, "post")
