"""Who is in the analysis: every row used or dropped is counted, and what cannot be right is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sweval.errors import DataError, DesignError, SwevalError
from sweval.models.cluster_trial import ClusterTrial
from sweval.models.partially_nested import PartiallyNested
from sweval.models.two_group import TwoGroup
from sweval.result import Result

TRIAL = {"arm": "arm", "treated": "training", "control": "usual", "cluster": "agency"}
GROUPS = {"arm": "offer", "treated": "group_work", "control": "usual", "group": "group"}


def trial(frame: object, **more: object) -> Result:
    return ClusterTrial(**(TRIAL | more)).fit(frame, "post", better="lower")


def test_every_reason_is_noted_with_its_count_and_arm(program: pd.DataFrame) -> None:
    frame = program
    frame.loc[[0, 1, 60], "post"] = np.nan
    frame.loc[[1, 2], "pre"] = np.nan
    frame.loc[3, "agency"] = "  "
    frame.loc[[4, 5], "arm"] = ["other", None]
    frame.loc[[6, 7], "arm"] = [" usual", "usual\u00a0"]
    frame.loc[8, "sex"] = None
    result = trial(frame, baseline="pre", covariates=["age", "sex"])
    fit = result.fits[0]
    assert fit.rows == fit.used + fit.dropped == len(frame)
    assert fit.dropped == 8
    assert result.notes[:7] == (
        'For 2 rows extra spaces in "arm" were ignored.',
        '1 row in other arms of "arm" was left out.',
        '1 row without a value in "arm" was left out.',
        '3 rows without a value in "post" were left out (training: 1, usual: 2).',
        '1 row without a baseline ("pre") was left out (training: 0, usual: 1).',
        '1 row without a value in "sex" was left out (training: 0, usual: 1).',
        '1 row without a value in "agency" (no cluster) was left out (training: 0, usual: 1).',
    )
    clean = frame.drop(index=[0, 1, 2, 3, 4, 5, 8, 60]).replace({"arm": {" usual": "usual", "usual\u00a0": "usual"}})
    assert trial(clean, baseline="pre", covariates=["age", "sex"]).estimates == result.estimates


def test_one_row_per_wave_gives_the_same_as_one_row_per_client(program: pd.DataFrame, waves: pd.DataFrame) -> None:
    wide = trial(program, baseline="pre", covariates="age")
    design = ClusterTrial(**TRIAL, baseline="pre", client="id", wave="wave", covariates="age")
    long = design.fit(waves.sample(frac=1, random_state=1), "distress", better="lower")
    assert long.effect("hedges_g").estimate == pytest.approx(wide.effect("hedges_g").estimate, rel=1e-12)
    assert [row.term for row in long.estimates[:3]] == ["(Intercept)", "arm[training]", "distress at pre"]
    assert long.fits[0].rows == len(program)
    assert {row.outcome for row in long.estimates} == {"distress"}


def test_several_outcome_waves_are_analysed_one_by_one(waves: pd.DataFrame) -> None:
    later = waves[waves.wave == "post"].assign(wave="later")
    frame = pd.concat([waves, later], ignore_index=True)
    design = ClusterTrial(**TRIAL, baseline="pre", client="id", wave="wave")
    result = design.fit(frame, "distress", better="lower")
    assert [fit.outcome for fit in result.fits] == ["distress at post", "distress at later"]
    only = ClusterTrial(**TRIAL, baseline="pre", client="id", wave="wave", outcome_wave="later")
    assert [fit.outcome for fit in only.fit(frame, "distress", better="lower").fits] == ["distress"]


def test_a_client_who_drops_out_is_counted_and_an_arm_known_at_one_wave_is_enough(waves: pd.DataFrame) -> None:
    gone = waves.index[(waves.wave == "post")][:4]
    frame = waves.drop(index=gone)
    frame.loc[(frame.wave == "post") & (frame.id == "010"), ["arm", "agency"]] = None
    design = ClusterTrial(**TRIAL, baseline="pre", client="id", wave="wave")
    result = design.fit(frame, "distress", better="lower")
    assert result.fits[0].dropped == 4
    assert '4 clients without a value in "distress" at post were left out (training: 0, usual: 4).' in result.notes


def test_rows_without_id_or_wave_are_counted(waves: pd.DataFrame) -> None:
    frame = pd.concat([waves, waves.iloc[[0, 1]].assign(id=None)], ignore_index=True)
    frame.loc[len(frame)] = frame.loc[2].to_dict() | {"wave": None}
    result = ClusterTrial(**TRIAL, baseline="pre", client="id", wave="wave").fit(frame, "distress", better="lower")
    assert '2 rows without a client id in "id" were left out.' in result.notes
    assert '1 row without a value in "wave" was left out.' in result.notes
    assert result.fits[0].rows == waves.id.nunique() + 2
    assert result.fits[0].used == waves.id.nunique()


def test_a_covariate_that_changes_is_taken_at_the_first_wave(waves: pd.DataFrame) -> None:
    frame = waves.assign(mood=np.where(waves.wave == "pre", waves.age, 0))
    design = ClusterTrial(**TRIAL, baseline="pre", client="id", wave="wave", covariates="mood")
    same = ClusterTrial(**TRIAL, baseline="pre", client="id", wave="wave", covariates="age")
    one, other = (d.fit(frame, "distress", better="lower") for d in (design, same))
    assert one.effect("hedges_g").estimate == pytest.approx(other.effect("hedges_g").estimate, rel=1e-12)
    assert any(note.startswith('"mood" changes between waves for') for note in one.notes)


def test_arms_coded_as_numbers_match_however_they_are_typed(program: pd.DataFrame) -> None:
    base = trial(program).effect("hedges_g").estimate
    code = (program.arm == "training").astype(int)
    for column in (code, code.astype(float), code.astype(str), code.astype("Int64"), code.astype(float).astype(str)):
        for treated, control in ((1, 0), ("1", "0"), (1.0, 0.0)):
            row = trial(program.assign(arm=column), treated=treated, control=control).effect("hedges_g")
            assert row.estimate == base
            assert row.term == "arm[1]"


def test_ids_may_be_numbers_text_or_categories(program: pd.DataFrame) -> None:
    base = trial(program).effect("hedges_g").estimate
    number = program.agency.str.removeprefix("agency ").astype(int)
    for column in (number, number.astype(float), number.astype("Int64"), program.agency.astype("category")):
        assert trial(program.assign(agency=column)).effect("hedges_g").estimate == base


def test_other_frames_give_the_same(program: pd.DataFrame) -> None:
    import polars as pl
    import pyarrow as pa

    base = trial(program, covariates="sex").estimates
    table = pl.from_pandas(program)
    for frame in (table, table.lazy(), pa.Table.from_pandas(program)):
        assert trial(frame, covariates="sex").estimates == base


def change(frame: pd.DataFrame, **columns: object) -> pd.DataFrame:
    return frame.assign(**columns)


REFUSED = {
    "unknown arm label": (lambda f: f, {"treated": "Training"}, 'usual" \\(\\d+\\). Did you mean "training"'),
    "labels that differ in case": (
        lambda f: change(f, arm=[*f.arm[:-1], "Training"]), {}, "differ only in capital letters",
    ),
    "same label twice": (lambda f: f, {"treated": "usual"}, "same label"),
    "all in one arm": (lambda f: change(f, arm="usual"), {}, 'no row of "arm" is "training"'),
    "one in an arm": (
        lambda f: change(f, arm=["training", *["usual"] * (len(f) - 1)]), {}, '1 usable row of "training"',
    ),
    "no rows": (lambda f: f.iloc[:0], {}, "the data have no rows"),
    "one client per cluster": (lambda f: change(f, agency=f.id), {}, 'every "agency" holds one client only.*TwoGroup'),
    "one cluster": (lambda f: change(f, agency="a"), {}, 'all usable rows are in one "agency"'),
    "one cluster per arm": (lambda f: change(f, agency=f.arm), {}, 'has one "agency" only'),
    "cluster in both arms": (
        lambda f: change(f, arm=f.offer),
        {"treated": "group_work"},
        '10 of 10 "agency" have clients in both arms.*TwoGroup',
    ),
    "no cluster at all": (lambda f: change(f, agency=None), {}, '"agency" holds no value'),
    "constant outcome": (lambda f: change(f, post=3), {}, '"post" has the same value'),
    "infinite outcome": (lambda f: change(f, post=[np.inf, *f.post[1:]]), {}, '1 value in "post" is infinite'),
    "text outcome": (
        lambda f: change(f, post=["n/a", "?", "unknown", *f.post[3:].astype(str)]),
        {},
        '3 of \\d+ values in "post" are not numbers',
    ),
    "yes/no outcome": (lambda f: change(f, post=f.post > 10), {}, "yes/no"),
    "text baseline": (lambda f: f, {"baseline": "sex"}, "yes/no|not numbers"),
    "infinite covariate": (lambda f: change(f, age=[np.inf, *f.age[1:]]), {"covariates": "age"}, "infinite"),
    "no outcome left": (lambda f: change(f, post=np.nan), {}, '0 usable rows of "training"'),
    "a column in two parts": (lambda f: f, {"covariates": "agency"}, "named both as"),
    "repeated clients": (
        lambda f: change(f, id=["1", "1", "1", "2", "2", *f.id[5:]]),
        {"client": "id"},
        "2 clients with several rows \\(5 rows: 1, 2, 3, 4, 5\\)",
    ),
    "free text as a category": (
        lambda f: change(f, note=[f"text {k}" for k in range(len(f))]),
        {"covariates": "note"},
        "most of them once",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, program: pd.DataFrame) -> None:
    prepare, more, message = REFUSED[case]
    with pytest.raises(DesignError, match=message) as caught:
        trial(prepare(program), **more)
    assert str(caught.value).startswith("ClusterTrial: ")


LONG_REFUSED = {
    "duplicate client-wave rows": (
        lambda f: pd.concat([f, f.iloc[:2]], ignore_index=True),
        {},
        "2 clients with several rows at the same wave .*rows 1, 2, ",
    ),
    "client changes arm": (
        lambda f: change(f, arm=["training", *f.arm[1:]]), {}, '"arm" changes between the waves for 1 client',
    ),
    "client changes cluster": (
        lambda f: change(f, agency=["agency 1", *f.agency[1:]]), {}, '"agency" changes between the waves for 1 client',
    ),
    "unknown baseline": (lambda f: f, {"baseline": "per"}, 'neither a wave in "wave" nor a column.*Did you mean "pre"'),
    "unknown outcome wave": (lambda f: f, {"outcome_wave": "pots"}, 'Did you mean "post"'),
    "baseline is the outcome": (lambda f: f, {"outcome_wave": "pre"}, "both the baseline and the outcome wave"),
    "no id": (lambda f: f, {"client": None}, 'Name the id column'),
}  # fmt: skip


@pytest.mark.parametrize("case", LONG_REFUSED)
def test_long_data_refused(case: str, waves: pd.DataFrame) -> None:
    prepare, more, message = LONG_REFUSED[case]
    design = {"client": "id", "wave": "wave", "baseline": "pre"} | more
    with pytest.raises(DesignError, match=message):
        ClusterTrial(**TRIAL, **design).fit(prepare(waves), "distress", better="lower")


GROUP_REFUSED = {
    "control clients in groups": (
        lambda f: change(f, group=f.group.fillna("x")),
        'clients of the control arm "usual" have a value in "group".*ClusterTrial',
    ),
    "one group": (lambda f: change(f, group=f.group.where(f.group.isna(), "x")), 'in one "group" only'),
    "no groups": (lambda f: change(f, group=None), '0 usable rows of "group_work"'),
}  # fmt: skip


@pytest.mark.parametrize("case", GROUP_REFUSED)
def test_groups_refused(case: str, program: pd.DataFrame) -> None:
    prepare, message = GROUP_REFUSED[case]
    with pytest.raises(DesignError, match=message):
        PartiallyNested(**GROUPS).fit(prepare(program), "post", better="lower")


def test_group_ids_used_again_in_another_agency_are_different_groups(program: pd.DataFrame) -> None:
    reused = program.assign(group=program.group.map({f"g{k}": f"g{k % 2}" for k in range(20)}))
    design = PartiallyNested(**GROUPS, cluster="agency")
    one, other = (design.fit(frame, "post", better="lower") for frame in (program, reused))
    for row, same in zip(one.estimates, other.estimates, strict=True):
        assert row.estimate == pytest.approx(same.estimate, rel=1e-12)
    assert '2 of the ids in "group" occur in several "agency"; taken as different groups.' in other.notes


def test_treated_clients_without_a_group_are_left_out(program: pd.DataFrame) -> None:
    program.loc[program.group == "g3", "group"] = np.nan
    result = PartiallyNested(**GROUPS).fit(program, "post", better="lower")
    assert any("(no group)" in note and "usual: 0" in note for note in result.notes)
    assert result.fits[0].rows == result.fits[0].used + result.fits[0].dropped


def test_absent_columns_are_named_with_the_nearest(program: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"no column 'agancy'.*Did you mean \"agency\""):
        trial(program, cluster="agancy")


def test_no_message_shows_what_a_client_wrote(program: pd.DataFrame) -> None:
    wrote = "my neighbour hits me"
    for column in ("post", "pre", "sex", "arm"):
        text = [f"{wrote} {k}" for k in range(len(program))]
        with pytest.raises(SwevalError) as caught:
            trial(program.assign(**{column: text}), baseline="pre", covariates="sex")
        assert "neighbour" not in str(caught.value)


def test_two_values_are_said(program: pd.DataFrame) -> None:
    frame = program.assign(post=(program.post > program.post.median()) + 1)
    result = TwoGroup(arm="arm", treated="training", control="usual").fit(frame, "post", better="lower")
    assert any("two values only" in note for note in result.notes)


def test_a_covariate_missing_before_is_not_filled_from_after(waves: pd.DataFrame) -> None:
    rng = np.random.default_rng(5)
    waves = waves.assign(stress=rng.normal(size=len(waves)))
    lost = waves.index[waves.wave == "pre"][:3]
    waves.loc[lost, "stress"] = np.nan
    design = ClusterTrial(**TRIAL, baseline="pre", covariates=("stress",), client="id", wave="wave")
    result = design.fit(waves, "distress", better="lower")
    assert result.fits[0].dropped == 3
    assert any('3 clients without a value in "stress" were left out' in note for note in result.notes)


def test_a_client_seen_only_at_another_wave_is_counted_in_the_arm(waves: pd.DataFrame) -> None:
    gone = waves[(waves.wave == "pre")].id.iloc[:2]
    waves = waves[~(waves.id.isin(gone) & (waves.wave == "post"))]
    design = ClusterTrial(**TRIAL, client="id", wave="wave", outcome_wave="post")
    notes = design.fit(waves, "distress", better="lower").notes
    assert any('2 clients without a value in "distress" at post were left out' in note for note in notes)
    assert not any('"arm"' in note for note in notes)
