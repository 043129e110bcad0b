"""Effects as shares of people on Beat the Blues, conversions of d, and R's adjusted p-values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import sweval as sw

ORACLES = Path(__file__).resolve().parents[3] / "shared" / "oracles"
FIXTURES = {
    entry["id"]: entry for entry in json.loads((ORACLES / "effects.json").read_text(encoding="utf-8"))["fixtures"]
}


def get(name: str) -> tuple[dict[str, Any], dict[str, Any], float]:
    entry = FIXTURES[name]
    return entry["inputs"], entry["outputs"], entry["rtol"]


def cohens_d(inputs: dict[str, Any]) -> tuple[float, dict[str, float]]:
    """Return d (no J) and the limits, which belong to d as they do to g."""
    row = sw.effects.hedges_g(inputs["treatment"], inputs["control"])
    assert row.conf_low is not None
    assert row.conf_high is not None
    d = row.estimate / float(sw.effects.small_sample_factor(row.df))
    return d, {"conf_low": row.conf_low, "conf_high": row.conf_high}


@pytest.mark.parametrize(("name", "column"), [("es_overlap_btheb", "Overlap"), ("es_u1_btheb", "Cohens_U1")])
def test_overlap_and_u1(name: str, column: str) -> None:
    i, out, rtol = get(name)
    d, limits = cohens_d(i)
    function = sw.effects.overlap if "overlap" in name else sw.effects.cohens_u1
    found = function(d, **limits)
    assert [float(found.estimate), float(found.conf_low), float(found.conf_high)] == pytest.approx(
        [out[column], out["CI_low"], out["CI_high"]], rel=rtol
    )


def test_from_raw_scores() -> None:
    i, out, rtol = get("es_cliff_btheb")
    row = sw.effects.cliffs_delta(i["treatment"], i["control"], interval="fisher")
    assert [row.estimate, row.conf_low, row.conf_high] == pytest.approx(
        [out["r_rank_biserial"], out["CI_low"], out["CI_high"]], rel=rtol
    )
    i, out, rtol = get("es_psupnp_btheb")
    row = sw.effects.probability_of_superiority(i["treatment"], i["control"])
    assert row.estimate == pytest.approx(out["p_superiority"], rel=rtol)
    i, out, rtol = get("es_u3np_btheb")
    row = sw.effects.cohens_u3_nonparametric(i["treatment"], i["control"], ties="none")
    assert row.estimate == pytest.approx(out["Cohens_U3"], rel=rtol)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("transf_dtou3", sw.effects.cohens_u3),
        ("transf_dtocles", sw.effects.common_language_effect),
        ("transf_dtobesd", sw.effects.binomial_effect_size_display),
    ],
)
def test_maps_of_metafor(name: str, function: Any) -> None:
    i, out, rtol = get(name)
    assert function(i["d"]).estimate == pytest.approx(out["value"], rel=rtol)


def test_conversions_of_effectsize() -> None:
    """The part of es_convert that is about people; odds, risks and t are tested with the binary effects."""
    i, out, rtol = get("es_convert")
    assert sw.effects.cohens_u3(i["d"]).estimate == pytest.approx(out["d2U3"], rel=rtol)
    assert sw.effects.common_language_effect(i["d"]).estimate == pytest.approx(out["d2ps"], rel=rtol)
    assert sw.effects.overlap(i["d"]).estimate == pytest.approx(out["d2ov"], rel=rtol)
    assert sw.effects.number_needed_to_treat(0.12).estimate == pytest.approx(out["arr2nnt"], rel=rtol)


@pytest.mark.parametrize(
    ("column", "method"), [("BH", "benjamini_hochberg"), ("holm", "holm"), ("BY", "benjamini_yekutieli")]
)
def test_adjusted_p_values(column: str, method: str) -> None:
    i, out, rtol = get("wwc_bh")
    assert sw.effects.adjusted_p_values(i["p"], method=method) == pytest.approx(out[column], rel=rtol)
