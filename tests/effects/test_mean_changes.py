"""Array functions for changes: metafor's and effectsize's numbers, Morris (2008), and what must be refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sweval as sw
from sweval.effects.kernel import small_sample_factor
from sweval.effects.mean_changes import ArmChange
from sweval.errors import DesignError

FOLDER = Path(__file__).parents[1] / "reference" / "effects"
FIXTURES = {
    entry["id"]: entry for entry in json.loads((FOLDER / "fixtures.json").read_text(encoding="utf-8"))["fixtures"]
}
ESCALC = {
    "mc": ("raw", "LS"),
    "smcc": ("change", "LS"),
    "smcr": ("pretest", "LS"),
    "smcrh": ("pretest", "H"),
    "smcrp": ("average", "LS"),
    "smcrph": ("average", "H"),
}
REPEATED = {"rm": "change_adjusted", "av": "average", "z": "change", "b": "pretest"}


@pytest.mark.parametrize("arm", ["T", "C"])
@pytest.mark.parametrize("measure", ESCALC)
def test_estimate_and_variance_are_those_of_metafor(measure: str, arm: str) -> None:
    """The fixtures' first score is the one after, by whose deviation escalc standardises; so before and after swap."""
    entry = FIXTURES[f"escalc_{measure}_{arm}"]
    i = {key: np.array(entry["inputs"][key], dtype=float) for key in ("m1i", "m2i", "sd1i", "sd2i", "ni", "ri")}
    standardizer, vtype = ESCALC[measure]
    found = sw.effects.large_sample_change(
        i["m1i"] - i["m2i"], sd_pre=i["sd1i"], sd_post=i["sd2i"], n=i["ni"], correlation=i["ri"],
        standardizer=standardizer, vtype=vtype,
    )  # fmt: skip
    for ours, theirs in ((found.estimate, "yi"), (found.variance, "vi")):
        assert ours == pytest.approx(np.array(entry["outputs"][theirs]), rel=entry["rtol"], abs=entry["atol"])
    assert found.metric == {"raw": "raw", "change": "change_score"}.get(standardizer, "uncontrolled_change")


@pytest.mark.parametrize("number", range(1, 11))
@pytest.mark.parametrize("method", REPEATED)
def test_raw_scores_give_the_four_repeated_measures_effects(method: str, number: int) -> None:
    """effectsize: x - y with the unit of y, J(n - 1) for all four, and a normal interval times J.

    J of the average unit is ours at 2(n - 1)/(1 + r^2), metafor's too, since two variances stand behind it.
    """
    entry = FIXTURES[f"es_rm_{method}_{number:02d}"]
    pre, post = np.array(entry["inputs"]["pre"], dtype=float), np.array(entry["inputs"]["post"], dtype=float)
    out = {key: value for key, value in entry["outputs"].items() if key.startswith(("d_", "Beckers"))}
    (theirs,) = out.values()
    row = sw.effects.pre_post(pre, post, standardizer=REPEATED[method])
    n, r = pre.size, float(np.corrcoef(pre, post)[0, 1])
    nu = 2 * (n - 1) / (1 + r**2) if method == "av" else n - 1
    d = row.estimate / float(small_sample_factor(nu))
    j = float(small_sample_factor(n - 1))
    assert d * j == pytest.approx(theirs, rel=entry["rtol"], abs=entry["atol"])
    square = {
        "rm": 2 * (1 - r) * (1 + d**2 / 2) / n,
        "av": row.weight_variance or 0,
        "z": 1 / n + d**2 / (2 * n),
        "b": 2 * (1 - r) / n + d**2 / (2 * n),
    }[method]
    half = 1.959963984540054 * math.sqrt(square)
    assert [(d - half) * j, (d + half) * j] == pytest.approx(
        [entry["outputs"]["CI_low"], entry["outputs"]["CI_high"]], rel=entry["rtol"], abs=entry["atol"]
    )
    assert row.metric == ("change_score" if method == "z" else "uncontrolled_change")
    assert row.standardizer == REPEATED[method]


def morris() -> tuple[ArmChange, ArmChange]:
    """Return both arms of the five studies of Morris (2008)."""
    table = sw.dataset("morris2008")
    treated, control = (
        ArmChange(
            change=(table[f"{arm}_post_mean"] - table[f"{arm}_pre_mean"]).to_numpy(),
            sd_pre=table[f"{arm}_pre_sd"].to_numpy(),
            sd_post=table[f"{arm}_post_sd"].to_numpy(),
            n=table[f"{arm}_n"].to_numpy(),
            correlation=table["correlation"].to_numpy(),
        )
        for arm in ("treated", "control")
    )
    return treated, control


def test_three_differences_of_changes_by_their_definitions() -> None:
    treated, control = morris()
    nt, nc = np.asarray(treated.n, dtype=float), np.asarray(control.n, dtype=float)
    first = sw.effects.difference_of_changes(treated, control, variant="ppc1")
    own = [
        small_sample_factor(n - 1) * np.asarray(arm.change) / np.asarray(arm.sd_pre)
        for arm, n in ((treated, nt), (control, nc))
    ]
    assert first.g == pytest.approx(own[0] - own[1], rel=1e-12)
    assert np.isnan(first.p_value).all()
    assert ((first.conf_low < first.g) & (first.g < first.conf_high)).all()
    second = sw.effects.difference_of_changes(treated, control)
    assert second.g.round(2).tolist() == [0.77, 0.80, 1.20, 1.05, 0.44]  # printed, Table 5
    third = sw.effects.difference_of_changes(treated, control, variant="ppc3")
    square = (
        (nt - 1) * (np.asarray(treated.sd_pre) ** 2 + np.asarray(treated.sd_post) ** 2)
        + (nc - 1) * (np.asarray(control.sd_pre) ** 2 + np.asarray(control.sd_post) ** 2)
    ) / (2 * (nt + nc - 2))
    assert third.d == pytest.approx((np.asarray(treated.change) - np.asarray(control.change)) / np.sqrt(square))


def test_a_correlation_is_recovered_or_its_range_shown() -> None:
    rng = np.random.default_rng(5)
    pre = rng.normal(50, 10, 25)
    post = 0.6 * pre + rng.normal(25, 6, 25)
    r = float(np.corrcoef(pre, post)[0, 1])
    change = post - pre
    t = float(change.mean() / change.std(ddof=1) * 5)
    sds = {"sd_pre": pre.std(ddof=1), "sd_post": post.std(ddof=1)}
    for found in (
        sw.effects.pre_post_correlation(**sds, sd_change=change.std(ddof=1)),
        sw.effects.pre_post_correlation(**sds, change=change.mean(), t=t, n=25),
    ):
        assert float(found) == pytest.approx(r, rel=1e-9)
    with pytest.raises(DesignError, match="contradict"):
        sw.effects.pre_post_correlation(sd_pre=3, sd_post=3, sd_change=7)
    with pytest.raises(DesignError, match="paired t"):
        sw.effects.pre_post_correlation(sd_pre=3, sd_post=3, t=2.0)
    with pytest.raises(DesignError, match="paired t of 0"):
        sw.effects.pre_post_correlation(sd_pre=3, sd_post=3, change=0.0, t=0.0, n=9)
    rows = sw.effects.over_correlations(sw.effects.pre_post_from_summary, 5.0, sd_pre=10, n=25)
    assert [row.measure for row in rows] == ["standardized_mean_change_if_correlation_alternative"] * 3
    assert [row.method[-3:] for row in rows] == ["0.3", "0.5", "0.7"]
    assert len({row.estimate for row in rows}) == 1
    assert rows[0].std_error > rows[1].std_error > rows[2].std_error


def test_the_effect_before_is_taken_off() -> None:
    numbers = {"sd_treated": 9.0, "n_treated": 40, "sd_control": 10.0, "n_control": 38}
    post, pre = (sw.effects.standardized_mean_difference(b, **numbers) for b in (4.0, 1.0))
    found = sw.effects.baseline_adjusted_difference(post, pre, n_treated=40, n_control=38, correlation=0.6)
    assert float(found.g) == pytest.approx(float(post.g - pre.g), rel=1e-12)
    assert float(found.weight_variance) == pytest.approx(0.8 * (1 / 40 + 1 / 38), rel=1e-12)


@pytest.mark.parametrize(
    ("bad", "words"),
    [({"correlation": 1.0}, "between -1 and 1"), ({"sd_pre": 0.0}, "sd_pre"), ({"n": 1}, "two clients"),
     ({"standardizer": "d_z"}, "standardizer must be")],
)  # fmt: skip
def test_impossible_changes_are_refused(bad: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        sw.effects.standardized_mean_change(1.0, **({"sd_pre": 2.0, "n": 10, "correlation": 0.5} | bad))


def test_choices_are_refused_where_they_do_not_fit() -> None:
    treated, control = morris()
    with pytest.raises(DesignError, match="variant must be"):
        sw.effects.difference_of_changes(treated, control, variant="ppc4")
    arm = ArmChange(change=1.0, sd_pre=2.0, n=10, correlation=0.5)
    with pytest.raises(DesignError, match="standard deviations after"):
        sw.effects.difference_of_changes(arm, arm, variant="ppc3")
    with pytest.raises(DesignError, match="do not go together"):
        sw.effects.large_sample_change(1.0, sd_pre=2.0, n=10, correlation=0.5, standardizer="raw", vtype="H")
