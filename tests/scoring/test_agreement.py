"""Agreement in its three forms of data: equal answers, gaps, refusals, notes, and what a coefficient cannot say."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import sweval as sw
from sweval.errors import DataError, SwevalError

REFERENCE = Path(__file__).parents[1] / "reference" / "agreement"
RATINGS = pd.read_csv(REFERENCE / "ratings_1.csv")
RATERS = ["r1", "r2", "r3"]
CODES = pd.read_csv(REFERENCE / "raters_2.csv")
TEAMS = pd.read_csv(REFERENCE / "teams_1.csv")
ITEMS = ["q1", "q2", "q3", "q4"]
WORDS = {1: "never", 2: "seldom", 3: "often", 4: "always"}


def numbers(result: sw.Result) -> dict[tuple[str, str, str], float]:
    fields = ("estimate", "std_error", "conf_low", "conf_high", "p_value")
    return {
        (row.term, row.measure, field): getattr(row, field)
        for row in result.estimates
        for field in fields
        if getattr(row, field) is not None
    }


def long(frame: pd.DataFrame, raters: list[str]) -> pd.DataFrame:
    return frame.assign(unit=range(len(frame))).melt("unit", raters, var_name="rater", value_name="rating")


@pytest.mark.parametrize("kind", ["icc", "kappa", "weighted_kappa", "fleiss", "gwet", "krippendorff", "kendall"])
def test_wide_and_long_data_give_the_same(kind: str) -> None:
    frame, raters = (RATINGS, RATERS) if kind in {"icc", "kendall"} else (CODES, ["r1", "r2"])
    wide = sw.agreement(frame, raters=raters, kind=kind)
    shuffled = long(frame, raters).sample(frac=1, random_state=1)
    other = sw.agreement(shuffled, unit="unit", raters="rater", ratings="rating", kind=kind)
    assert numbers(other) == pytest.approx(numbers(wide), rel=1e-9)  # units in another order: sums round otherwise
    assert {row.outcome for row in other.estimates} == {"rating"}


@pytest.mark.parametrize("kind", ["icc", "gwet", "krippendorff"])
def test_any_frame_will_do(kind: str) -> None:
    expected = numbers(sw.agreement(RATINGS, raters=RATERS, kind=kind))
    for frame in (pl.from_pandas(RATINGS), pl.from_pandas(RATINGS).lazy(), RATINGS.convert_dtypes()):
        assert numbers(sw.agreement(frame, raters=RATERS, kind=kind)) == expected
    assert numbers(sw.agreement(duckdb.from_df(RATINGS), raters=RATERS, kind=kind)) == expected


def test_text_in_a_declared_order_counts_as_numbers_do() -> None:
    words = CODES.replace(WORDS).astype(object)
    for kind in ("weighted_kappa", "gwet", "kappa"):
        expected = sw.agreement(CODES, raters=["r1", "r2"], kind=kind, scale=(1, 4))
        found = sw.agreement(words, raters=["r1", "r2"], kind=kind, scale=list(WORDS.values()))
        assert numbers(found) == pytest.approx(numbers(expected), rel=1e-12)
    ordered = words.astype(pd.CategoricalDtype(list(WORDS.values()), ordered=True))
    expected = sw.agreement(CODES, raters=["r1", "r2"], kind="weighted_kappa")
    found = sw.agreement(ordered, raters=["r1", "r2"], kind="weighted_kappa")
    assert numbers(found) == pytest.approx(numbers(expected), rel=1e-12)
    nominal = sw.agreement(words, raters=["r1", "r2"], kind="krippendorff")
    assert [row.measure for row in nominal.estimates] == ["krippendorff_alpha_nominal"]
    assert "text without an order" in " ".join(nominal.notes)


def test_blank_text_is_no_rating() -> None:
    words = CODES.replace(WORDS).astype(object)
    words.loc[0, "r1"], words.loc[1, "r2"] = "  ", None
    result = sw.agreement(words, raters=["r1", "r2"], kind="kappa")
    assert result.effect("kappa").n == len(CODES) - 2
    assert "2 of 120 units were not rated by all 2 raters and are left out." in result.notes
    assert result.glance()[["rows", "used", "dropped"]].to_numpy().tolist() == [[120, 118, 2]]
    expected = sw.agreement(CODES.iloc[2:], raters=["r1", "r2"], kind="kappa").effect("kappa")
    assert result.effect("kappa").estimate == pytest.approx(expected.estimate, rel=1e-12)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "ratio"])
def test_alpha_with_gaps_is_the_sum_over_all_pairs(level: str) -> None:
    """Written once more as Krippendorff defines it: pairs inside units against pairs among all pairable ratings."""
    rng = np.random.default_rng(4)
    ratings = np.clip(rng.integers(0, 5, (25, 1)) + rng.integers(-1, 2, (25, 4)), 0, 5).astype(float)
    ratings[rng.random(ratings.shape) < 0.3] = np.nan
    units = [unit[~np.isnan(unit)].tolist() for unit in ratings]
    units = [unit for unit in units if len(unit) > 1]
    pool = [value for unit in units for value in unit]

    def apart(a: float, b: float) -> float:
        if level == "nominal":
            return float(a != b)
        if level == "interval":
            return (a - b) ** 2
        if level == "ratio":
            return ((a - b) / (a + b)) ** 2 if a + b else 0.0
        low, high = sorted((a, b))
        between = sum(low <= value <= high for value in pool)
        return (between - (pool.count(a) + pool.count(b)) / 2) ** 2 if a != b else 0.0

    observed = sum(
        sum(apart(a, b) for a, b in itertools.permutations(unit, 2)) / (len(unit) - 1) for unit in units
    ) / len(pool)
    expected = sum(apart(a, b) for a, b in itertools.permutations(pool, 2)) / (len(pool) * (len(pool) - 1))
    frame = pd.DataFrame(ratings, columns=list("abcd"))
    row = sw.agreement(frame, raters=list("abcd"), kind="krippendorff").effect(f"krippendorff_alpha_{level}")
    assert row.estimate == pytest.approx(1 - observed / expected, rel=1e-10)
    assert row.n == len(units)


def test_one_way_correlation_of_ratings_without_a_rater() -> None:
    frame = long(RATINGS, RATERS)
    balanced = sw.agreement(frame, unit="unit", ratings="rating", kind="icc")
    full = sw.agreement(RATINGS, raters=RATERS, kind="icc")
    for measure in ("icc_1_1", "icc_1_k"):  # equal sizes: Wald's interval is the F interval
        own, other = balanced.effect(measure), full.effect(measure)
        assert (own.estimate, own.conf_low, own.conf_high) == pytest.approx(
            (other.estimate, other.conf_low, other.conf_high), rel=1e-8
        )
    assert "only the one-way forms" in balanced.notes[0]
    uneven = sw.agreement(frame.iloc[:-5], unit="unit", ratings="rating", kind="icc").effect("icc_1_1")
    assert uneven.method.endswith("test of 0 by F(11, 19)")


def test_several_raters_get_conger_and_every_pair() -> None:
    result = sw.agreement(RATINGS, raters=RATERS, kind="kappa")
    terms = [row.term for row in result.estimates if row.measure == "kappa"]
    assert terms == ["all raters", "r1 & r2", "r1 & r3", "r2 & r3"]
    pair = sw.agreement(RATINGS, raters=["r1", "r3"], kind="kappa").effect("kappa")
    found = result.effect("kappa", term="r1 & r3")
    assert found.estimate == pytest.approx(pair.estimate, rel=1e-12)
    observed = [row.estimate for row in result.estimates if row.measure == "percent_agreement"]
    assert observed[0] == pytest.approx(np.mean(observed[1:]))  # of all raters: the mean of the pairs


def test_perfect_agreement_has_a_lower_limit_below_one() -> None:
    frame = pd.DataFrame({"a": [0, 1] * 10, "b": [0, 1] * 10})
    for kind, measure in {"kappa": "kappa", "gwet": "gwet_ac1", "krippendorff": "krippendorff_alpha_nominal"}.items():
        row = sw.agreement(frame, raters=["a", "b"], kind=kind).effect(measure)
        assert (row.estimate, row.conf_high, row.std_error) == (1.0, 1.0, None)
        # 0 of 20 units disagree: at most 1 - .025^(1/20) = 16.8 % do; chance disagreement is about a half
        assert row.conf_low == pytest.approx(1 - (1 - 0.025 ** (1 / 20)) / 0.5, abs=0.02)


def test_a_coefficient_that_hangs_on_one_unit_has_no_interval() -> None:
    frame = pd.DataFrame({"a": [0] * 11 + [1], "b": [0] * 12})
    result = sw.agreement(frame, raters=["a", "b"], kind="kappa")
    row = result.effect("kappa")
    assert (row.estimate, row.std_error, row.conf_low, row.conf_level) == (0.0, None, None, None)
    assert any(note.startswith("Check: kappa (a & b) has no interval") for note in result.notes)
    assert any("only 1 of 12 units have a rating outside the commonest" in note for note in result.notes)


def test_one_category_only_is_refused_but_for_gwet() -> None:
    frame = pd.DataFrame({"a": [1] * 8, "b": [1] * 8})
    for kind in ("kappa", "fleiss", "krippendorff"):
        with pytest.raises(DataError, match="does not exist: every rating falls into one category"):
            sw.agreement(frame, raters=["a", "b"], kind=kind)
    with pytest.raises(SwevalError, match="scale does not say which others"):
        sw.agreement(frame, raters=["a", "b"], kind="gwet")
    assert sw.agreement(frame, raters=["a", "b"], kind="gwet", scale=(0, 1)).effect("gwet_ac1").estimate == 1.0


def test_gwet_counts_the_categories_of_the_form() -> None:
    result = sw.agreement(CODES, raters=["r1", "r2"], kind="gwet")
    assert any("4 occur in the data" in note for note in result.notes)
    more = sw.agreement(CODES, raters=["r1", "r2"], kind="gwet", scale=(1, 6))
    assert not any("occur in the data" in note for note in more.notes)
    assert more.effect("gwet_ac1").estimate > result.effect("gwet_ac1").estimate


def test_weights_follow_the_codes_and_not_only_their_order() -> None:
    """With codes 0, 1, 5 the step from 1 to 5 weighs more; a code that nobody used changes nothing."""
    frame = pd.DataFrame({"a": [0, 0, 1, 1, 5, 5, 5, 1], "b": [0, 1, 1, 1, 5, 1, 5, 1]})
    kappa = sw.agreement(frame, raters=["a", "b"], kind="weighted_kappa").effect("kappa_linear").estimate
    same = sw.agreement(frame, raters=["a", "b"], kind="weighted_kappa", scale=(0, 9)).effect("kappa_linear").estimate
    assert kappa == pytest.approx(same, rel=1e-12)
    ranks = frame.replace({5: 2})
    assert kappa != pytest.approx(
        sw.agreement(ranks, raters=["a", "b"], kind="weighted_kappa").effect("kappa_linear").estimate, abs=1e-3
    )


def test_raters_who_differ_in_level_are_noted() -> None:
    strict = RATINGS.assign(r2=RATINGS["r2"] - 4)
    result = sw.agreement(strict, raters=RATERS, kind="icc")
    assert any(note.startswith("Check: the raters differ in level") for note in result.notes)
    same = sw.agreement(RATINGS, raters=RATERS, kind="icc")
    assert result.effect("icc_3_1").estimate == pytest.approx(same.effect("icc_3_1").estimate)
    assert result.effect("icc_2_1").estimate < same.effect("icc_2_1").estimate
    own = result.effect("icc_2_1_generalized")
    assert own.estimate == result.effect("icc_2_1").estimate
    assert (own.conf_low, own.conf_high) != (result.effect("icc_2_1").conf_low, result.effect("icc_2_1").conf_high)


def test_bootstrap_repeats_with_its_seed() -> None:
    first = sw.agreement(CODES, raters=["r1", "r2"], kind="krippendorff", rng=7)
    assert numbers(first) == numbers(sw.agreement(CODES, raters=["r1", "r2"], kind="krippendorff", rng=7))
    plain = sw.agreement(CODES, raters=["r1", "r2"], kind="krippendorff")
    for own, other in zip(first.estimates, plain.estimates, strict=True):
        assert "bootstrap" in own.method
        assert own.estimate == other.estimate
        assert own.std_error == pytest.approx(other.std_error, rel=0.1)  # both estimate one standard error
        assert own.conf_low == pytest.approx(other.conf_low, abs=0.05)


def test_members_of_teams() -> None:
    result = sw.agreement(TEAMS, ratings=ITEMS, unit="team", scale=(1, 5), kind="rwg")
    assert result.glance()[["rows", "used", "dropped", "clusters"]].to_numpy().tolist() == [[81, 81, 0, 12]]
    one, two = result.effect("icc_1"), result.effect("icc_2")
    size = len(TEAMS) / 12
    for low in ("conf_low", "conf_high"):  # reliability of a mean of so many members
        single = getattr(one, low)
        assert getattr(two, low) == pytest.approx(size * single / (1 + (size - 1) * single))
    median = result.effect("median_rwg_j")
    values = sorted(row.estimate for row in result.estimates if row.measure == "rwg_j")
    assert (median.conf_low, median.conf_high) == (values[2], values[9])  # binomial(12, 1/2): P(2 or fewer) = .019
    verdict = next(note for note in result.notes if "A mean per team" in note)
    assert verdict.startswith("A mean per team is defensible")
    assert "12 of 12 at 0.70 or more" in verdict
    assert "LeBreton and Senter 2008" in verdict


@pytest.mark.parametrize(
    ("number", "doubt"),
    [(2, "the means tell the units apart too unreliably"), (3, "no difference between the units shows")],
)
def test_a_mean_that_is_hard_to_defend(number: int, doubt: str) -> None:
    frame = pd.read_csv(REFERENCE / f"teams_{number}.csv")
    notes = sw.agreement(frame, ratings=ITEMS, unit="team", scale=(1, 5), kind="rwg").notes
    verdict = next(note for note in notes if "mean per team" in note)
    assert verdict.startswith("Check: a mean per team is hard to defend")
    assert doubt in verdict


def test_members_who_disagree_are_set_to_zero_and_noted() -> None:
    frame = pd.DataFrame({"team": ["a"] * 4 + ["b"] * 4 + ["c"], "q": [1, 1, 5, 5, 3, 3, 3, 4, 2]})
    result = sw.agreement(frame, ratings="q", unit="team", scale=(1, 5), kind="rwg")
    assert result.effect("rwg", term="team[a]").estimate == 0
    assert any(
        note.startswith("rwg: in 1 of 2 units the members differ more than by even answers") for note in result.notes
    )
    assert "1 units (team) have one member only and are left out." in result.notes
    assert any("members do not agree enough in most units" in note for note in result.notes)


def test_columns_of_raters_can_be_members_too() -> None:
    result = sw.agreement(RATINGS, raters=RATERS, scale=(1, 10), kind="rwg")
    values = RATINGS[RATERS].to_numpy(dtype=float)
    found = [row.estimate for row in result.estimates if row.measure == "rwg"]
    assert found == pytest.approx(np.maximum(1 - values.var(axis=1, ddof=1) / (99 / 12), 0))


def test_no_rwg_against_skewed_answers_where_none_is_tabled() -> None:
    frame = TEAMS.assign(**{item: TEAMS[item].clip(upper=4) for item in ITEMS})
    result = sw.agreement(frame, ratings=ITEMS, unit="team", scale=(1, 4), kind="rwg")
    assert not any("skewed" in row.measure for row in result.estimates)
    assert any("list 5 to 11 points, not 4" in note for note in result.notes)


def test_means_of_items_are_no_single_answers() -> None:
    frame = TEAMS.assign(mean=TEAMS[ITEMS].mean(axis=1))
    notes = sw.agreement(frame, ratings="mean", unit="team", scale=(1, 5), kind="rwg").notes
    assert any("hold fractions" in note for note in notes)


def test_members_who_lack_an_answer_or_a_team() -> None:
    frame = TEAMS.astype({"q1": float}).astype({"team": object})
    frame.loc[0, "q1"], frame.loc[5, "team"] = np.nan, None
    result = sw.agreement(frame, ratings=ITEMS, unit="team", scale=(1, 5), kind="rwg")
    assert "1 of 81 rows have no team and are left out." in result.notes
    assert "1 of 81 rows lack an answer to one of 4 items and are left out." in result.notes
    assert result.fits[0].used == 79


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "iccs", "raters": RATERS}, 'kind="iccs" is unknown. Did you mean "icc"'),
        ({"kind": "icc", "raters": RATERS, "conf_level": 95}, "conf_level is 95"),
        ({"kind": "icc"}, "the columns of the ratings are not named"),
        ({"kind": "icc", "raters": "r1"}, "the columns of the ratings are not named"),
        ({"kind": "icc", "raters": ["r1"]}, "raters names 1 column"),
        ({"kind": "icc", "raters": ["r1", "r1"]}, "raters names a column twice"),
        ({"kind": "icc", "raters": ["r1", "r9"]}, "no column 'r9'"),
        ({"kind": "icc", "raters": RATERS, "ratings": "r1"}, "ratings belongs to long data"),
        ({"kind": "kappa", "ratings": "r1", "unit": "target"}, "needs to know who rated"),
        ({"kind": "rwg", "ratings": ["r1"], "unit": "target"}, "scale is needed"),
        ({"kind": "rwg", "ratings": ["r1"], "scale": (1, 5)}, "needs the unit and the items"),
        ({"kind": "rwg", "ratings": ["r1"], "unit": "target", "scale": (3, 3)}, "scale has no range"),
        ({"kind": "icc", "raters": RATERS, "scale": (1, 3)}, "lie outside the scale 1 to 3"),
        ({"kind": "gwet", "raters": RATERS, "scale": (1, 2, 3)}, "none of the 3 categories that scale names"),
        ({"kind": "gwet", "raters": RATERS, "scale": ("low", "high")}, "scale mixes text"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SwevalError, match=message):
        sw.agreement(RATINGS, **arguments)


def test_ratings_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(DataError, match="r2 text"):
        sw.agreement(RATINGS.assign(r2="x"), raters=RATERS, kind="kappa")
    words = CODES.replace(WORDS).astype(object)
    for kind in ("icc", "kendall"):
        with pytest.raises(DataError, match="text"):
            sw.agreement(words, raters=["r1", "r2"], kind=kind)
    with pytest.raises(SwevalError, match="weighted kappa needs ordered categories"):
        sw.agreement(words, raters=["r1", "r2"], kind="weighted_kappa")
    with pytest.raises(DataError, match="240 ratings are none of the 2 categories"):
        sw.agreement(words, raters=["r1", "r2"], kind="kappa", scale=["yes", "no"])
    with pytest.raises(DataError, match="all ratings are equal"):
        sw.agreement(RATINGS.assign(r1=3, r2=3, r3=3), raters=RATERS, kind="icc")
    with pytest.raises(DataError, match="never differ but for a constant step"):
        sw.agreement(RATINGS.assign(r2=RATINGS["r1"] + 1), raters=["r1", "r2"], kind="icc")
    with pytest.raises(DataError, match="a rater gave all units the same rating"):
        sw.agreement(RATINGS.assign(r2=3), raters=RATERS, kind="kendall")
    with pytest.raises(DataError, match="hold one unit only"):
        sw.agreement(TEAMS.assign(team="a"), ratings=ITEMS, unit="team", scale=(1, 5), kind="rwg")


def test_a_unit_rated_twice_is_refused_without_showing_it() -> None:
    frame = long(RATINGS, RATERS)
    twice = pd.concat([frame, frame.head(1)])
    with pytest.raises(DataError, match="2 rows share both unit and rater with another row"):
        sw.agreement(twice, unit="unit", raters="rater", ratings="rating", kind="icc")
    with pytest.raises(DataError, match="2 rows share their target"):
        sw.agreement(RATINGS.assign(target=[1, *range(1, 12)]), raters=RATERS, unit="target", kind="icc")


def test_too_few_complete_units_name_a_way_out() -> None:
    gaps = RATINGS.astype({"r1": float})
    gaps.loc[2:, "r1"] = np.nan
    with pytest.raises(DataError, match=r"2 of 12 units were rated by all 3 raters.*krippendorff"):
        sw.agreement(gaps, raters=RATERS, kind="icc")
    assert sw.agreement(gaps, raters=RATERS, kind="krippendorff").effect("krippendorff_alpha_interval").n == 12


def test_a_mean_of_raters_may_have_no_lower_limit() -> None:
    """The limits of one rater reach -1 / (k - 1), where the reliability of a mean has none."""
    frame = pd.DataFrame({"a": [3, 1, 2, 4], "b": [4, 1, 3, 2]})
    row = sw.agreement(frame, raters=["a", "b"], kind="icc").effect("icc_2_k")
    assert row.estimate == pytest.approx(0.64)
    assert row.conf_low is None
    assert row.method.endswith("no lower limit exists")
    against = pd.DataFrame({"a": [1, 2, 4, 2], "b": [2, 1, 3, 4], "c": [2, 4, 1, 2], "d": [4, 1, 2, 3]})
    assert "agreement worse than by chance" in " ".join(sw.agreement(against, raters=list("abcd"), kind="icc").notes)
    with pytest.raises(DataError, match="the units have the same mean"):
        sw.agreement(pd.DataFrame({"a": [1, 2, 3], "b": [3, 2, 1]}), raters=["a", "b"], kind="icc")


def test_teams_without_any_difference() -> None:
    frame = pd.DataFrame({"team": list("aabb"), "q": [1, 3, 1, 3]})
    result = sw.agreement(frame, ratings="q", unit="team", scale=(1, 5), kind="rwg")
    assert result.effect("icc_1").p_value == pytest.approx(1)
    assert not any(row.measure == "icc_2" for row in result.estimates)  # minus infinity: 1 - 1 / F with F = 0
    assert any("no difference between the units shows" in note for note in result.notes)


def test_items_that_run_against_the_others_are_noted() -> None:
    turned = TEAMS.assign(q2=6 - TEAMS["q2"])
    result = sw.agreement(turned, ratings=ITEMS, unit="team", scale=(1, 5), kind="rwg")
    assert any(note.startswith("Check: q2 runs against the other items.") for note in result.notes)
    plain = sw.agreement(TEAMS, ratings=ITEMS, unit="team", scale=(1, 5), kind="rwg")
    assert not any("against the other items" in note for note in plain.notes)
    assert result.effect("mean_rwg_j").estimate == pytest.approx(plain.effect("mean_rwg_j").estimate)


def test_measurements_are_no_categories() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(150, 2)), columns=["a", "b"])
    for kind in ("kappa", "weighted_kappa", "fleiss", "gwet"):
        with pytest.raises(SwevalError, match="the ratings have 300 different values"):
            sw.agreement(frame, raters=["a", "b"], kind=kind)
    result = sw.agreement(frame, raters=["a", "b"], kind="krippendorff")
    assert "No alpha for ratios: some ratings are below zero, or too many differ." in result.notes
    assert abs(result.effect("krippendorff_alpha_interval").estimate) < 0.3
