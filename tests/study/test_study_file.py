"""A study file is refused whole, with every problem and its path inside the file, before the data are opened."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sweval.errors import StudyError
from sweval.models.base.design import kinds
from sweval.study import Study
from sweval.study.advice import in_toml

GOOD = """
[study]
title = "T"
data = "clients.csv"

[[comparisons]]
kind = "two_group"
arm = "arm"
treated = "a"
control = "b"

[[outcomes]]
column = "y"
better = "higher"
"""
PHQ9 = 'instrument = "phq9"\nitems = "q{item}"\n'


def problems_of(folder: Path, text: str) -> str:
    (folder / "clients.csv").write_text("arm,y\na,1\nb,2\n")
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        Study.read(path)
    return str(caught.value)


def test_a_good_file_is_read_without_opening_the_data(tmp_path: Path) -> None:
    (tmp_path / "clients.csv").write_bytes(b"\xff\xfe not a table")
    (tmp_path / "study.toml").write_text(GOOD, encoding="utf-8-sig")
    study = Study.read(tmp_path / "study.toml")
    assert study.title == "T"
    assert study.file.comparisons[0].name == "TwoGroup"
    assert (study.report.formats, study.report.small_cells, study.language) == (("html",), 11, "en")


def test_all_problems_at_once_each_with_its_path(tmp_path: Path) -> None:
    text = """
    [study]
    titel = "T"
    data = "nobody.csv"
    language = "fr"
    accept_licence = "yes"

    [[comparisons]]
    name = "A"
    kind = "cluster_trail"

    [[comparisons]]
    name = "B"
    kind = "cluster_trial"
    service = "trainings"
    arm = 3
    treatd = "x"
    control = "y"

    [[outcomes]]
    instrument = "phq_9"
    items = "phq_{item}"

    [[outcomes]]
    column = "y"
    better = "more"
    items = "y_{item}"

    [[outcomes]]
    instrument = "phq9"

    [report]
    formats = ["html", "docx", "pdf"]
    small_cells = "11"

    [extra]
    """
    said = problems_of(tmp_path, text)
    for part in (
        'study.titel: unknown key. Did you mean "title"?',
        "study.title: is missing.",
        'study.data: there is no file "nobody.csv"',
        'study.language: there are no words for "fr"',
        'report.formats[2]: format "docx": Word output comes with a later release; use html or xlsx.',
        'report.formats[3]: "pdf" is no format of a report.',
        "study.accept_licence: should be a valid boolean.",
        'comparisons[1].kind: there is no design "cluster_trail". Did you mean "cluster_trial"',
        'comparisons[2].treatd: unknown key. Did you mean "treated"?',
        "comparisons[2].treated: is missing.",
        "comparisons[2].arm: should be a valid string.",
        "comparisons[2].cluster: is missing.",
        'comparisons[2].service: there is no service "trainings". Did you mean "training"?',
        'outcomes[1].instrument: the catalogue has no instrument "phq_9". Did you mean "phq9"',
        "outcomes[2].better: should be 'higher' or 'lower'.",
        'outcomes[3].items: is missing: give a pattern such as "phq_{item}"',
        'report.small_cells: should be a valid integer.',
        'extra: unknown section.',
    ):  # fmt: skip
        assert part in said, part
    assert said.startswith("study.toml: 18 problems (tables are counted from 1):")
    assert said.count("\n  - ") == 18


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "T"', "title = 5", "study.title: should be a valid string."),
        ('data = "clients.csv"', 'data = "client.csv"', 'study.data: there is no file "client.csv".*"clients.csv"'),
        ('data = "clients.csv"', 'data = "../x.csv"', "study.data: the file must be inside the folder"),
        ('data = "clients.csv"', 'data = "/etc/passwd"', "study.data: the file must be inside the folder"),
        ('data = "clients.csv"', 'data = "http://x.org/a.csv"', "study.data: a web address is not opened"),
        ('data = "clients.csv"', 'data = "a\\\\b.csv"', "study.data: the file must be inside the folder"),
        ('title = "T"', 'title = "T"\nlanguage = "fr"', 'study.language: there are no words for "fr"'),
        ('kind = "two_group"', "", "comparisons[1].kind: is missing. There are: "),
        ('column = "y"\nbetter = "higher"', "", "outcomes[1]: needs either `instrument`"),
        ('column = "y"\n', 'instrument = "phq9"\nitems = "q{item}"\n', "outcomes[1].better: the instrument says it"),
        (
            'column = "y"\nbetter = "higher"',
            'instrument = "phq9"\nitems = "q{item}"\nscores = ["totl"]',
            'outcomes[1].scores: phq9 has no score "totl". Did you mean "total"?',
        ),
        (
            'better = "higher"',
            'better = "higher"\n[[outcomes]]\ncolumn = "y"\nbetter = "lower"',
            'outcomes[2]: the outcome "y" is in outcomes[1] already.',
        ),
        (
            'better = "higher"',
            'better = "higher"\n[report]\nformats = ["docx"]',
            "Word output comes with a later release",
        ),
        (
            'better = "higher"',
            'better = "higher"\n[report]\nsmall_cells = -1',
            "report.small_cells: must not be negative",
        ),
        ('better = "higher"', 'better = "higher"\n[read]\ndelimeter = ";"', 'Did you mean "delimiter"?'),
        ("[[comparisons]]", "[comparisons]", "comparisons: must be a list of tables: write [[comparisons]]."),
        ("[[outcomes]]", "[study]", "no valid TOML"),
        ('title = "T"', "title = T", "no valid TOML"),
    ],
)
def test_one_problem(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    said = problems_of(tmp_path, GOOD.replace(old, new))
    pattern = ".*".join(re.escape(part) for part in message.split(".*"))
    assert re.search(pattern, said), said


def test_no_outcome(tmp_path: Path) -> None:
    assert "outcomes: is missing" in problems_of(tmp_path, GOOD[: GOOD.index("[[outcomes]]")])


def test_two_comparisons_need_names_that_differ(tmp_path: Path) -> None:
    table = GOOD[GOOD.index("[[comparisons]]") : GOOD.index("[[outcomes]]")]
    twice = GOOD.replace(table, table + table)
    assert "comparisons[2].name: is missing" in problems_of(tmp_path, twice)
    named = GOOD.replace(table, (table + 'name = "A"\n') * 2)
    assert 'comparisons[2].name: another comparison is called "A" too.' in problems_of(tmp_path, named)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("arm,y\na,1\n")
    inside = tmp_path / "study"
    inside.mkdir()
    (inside / "link.csv").symlink_to(outside)
    assert "must be inside the folder" in problems_of(inside, GOOD.replace("clients.csv", "link.csv"))


def test_an_instrument_file_outside_the_folder_is_not_opened(tmp_path: Path) -> None:
    text = GOOD.replace('column = "y"\nbetter = "higher"', 'instrument = "../own.toml"\nitems = "q{item}"')
    (tmp_path / "own.toml").write_text("id = 1")
    folder = tmp_path / "study"
    folder.mkdir()
    assert "outcomes[1].instrument: the file must be inside the folder" in problems_of(folder, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"cannot be read \(No such file"):
        Study.read(tmp_path / "nothing.toml")


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_bytes('[study]\ntitle = "Zoë"'.encode("cp1252"))
    with pytest.raises(StudyError, match="not text in UTF-8"):
        Study.read(tmp_path / "study.toml")


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_every_design_can_be_named_and_says_which_keys_it_lacks(tmp_path: Path, kind: str) -> None:
    text = GOOD.replace('kind = "two_group"', f'kind = "{kind}"\nno_such_key = 1')
    said = problems_of(tmp_path, text)
    assert "comparisons[1].no_such_key: unknown key." in said
    assert "there is no design" not in said


def test_a_list_of_one_must_be_a_list(tmp_path: Path) -> None:
    said = problems_of(tmp_path, GOOD.replace('column = "y"\nbetter = "higher"', 'instrument = "phq9"\nmissing = 99'))
    assert "outcomes[1].missing: must be a list: write missing = [99]." in said
    said = problems_of(tmp_path, GOOD + '[report]\nformats = "html"\n')
    assert 'report.formats: must be a list: write formats = ["html"].' in said


def test_an_unknown_key_lists_every_key_there_is(tmp_path: Path) -> None:
    said = problems_of(tmp_path, GOOD.replace('kind = "two_group"', 'kind = "growth"\nkoo = 1'))
    assert "shape, times." in said
    assert " more" not in said


def test_a_service_of_another_name_is_told_how_to_choose(tmp_path: Path) -> None:
    said = problems_of(tmp_path, GOOD.replace('arm = "arm"', 'arm = "arm"\nservice = "outreach"'))
    assert 'comparisons[1].service: there is no service "outreach". Choose by whom the workers worked with.' in said
    assert "direct service: individual, family or group" in said


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'title = "T"',
            'title = "T"\nmissing = { age = -99 }',
            "study.missing.age: must be a list: write age = [-99].",
        ),
        ('title = "T"', 'title = "T"\nmissing = [-99]', "study.missing: should be a table"),
        ('better = "higher"', "range = [40, 0]", "outcomes[1].range: needs the lowest and the highest value"),
        ('better = "higher"', "range = 40", "outcomes[1].range: "),
        ('better = "higher"', 'order = "long"', "outcomes[1].order: belongs to an instrument"),
        ('better = "higher"', 'variant = "long"', "outcomes[1].variant: belongs to an instrument"),
        ('column = "y"\nbetter = "higher"', PHQ9 + "range = [0, 3]", "outcomes[1].range: belongs to a column"),
        ('column = "y"\nbetter = "higher"', PHQ9 + 'order = "x"', 'phq9 has no order "x". The items have one order'),
        ('column = "y"\nbetter = "higher"', PHQ9 + 'variant = "x"', "phq9 has no variants: leave this key out."),
    ],
)
def test_codes_ranges_orders_and_variants(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    assert message in problems_of(tmp_path, GOOD.replace(old, new))


@pytest.mark.parametrize("name", ["clients.sav", "clients.CSV", "clients.xlsx"])
def test_data_in_place_of_a_study_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"id,arm\n1,a\n")
    with pytest.raises(StudyError, match="this is a data file, and a study file is wanted") as caught:
        Study.read(tmp_path / name)
    assert f"`sweval codebook {name}`" in str(caught.value)


def test_what_is_no_text_may_be_data(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_bytes(b"\xff\xfe\x00 data")
    with pytest.raises(StudyError, match=r"not text in UTF-8\. .*`sweval codebook`"):
        Study.read(tmp_path / "study.toml")


@pytest.mark.parametrize(
    ("old", "new", "advice"),
    [
        ('"clients.csv"', r'"C:\Users\me\clients.csv"', "forward slashes"),
        ('"clients.csv"', r'"data\new.csv"', "forward slashes"),
        ('"clients.csv"', "\u201cclients.csv\u201d", "curly quotes (\u201c \u201d)"),
        ('"T"', "T", "Texts stand in quotes"),
    ],
)
def test_what_people_paste_into_toml(tmp_path: Path, old: str, new: str, advice: str) -> None:
    assert advice in problems_of(tmp_path, GOOD.replace(old, new))


def test_every_design_has_a_name_in_a_study_file() -> None:
    for stem, design in kinds().items():
        assert in_toml(f"Use {design.__name__}, or name it.") == f'Use kind = "{stem}", or name it.'
    assert in_toml('The arm "TwoGroup" is empty.') == 'The arm "TwoGroup" is empty.'
    assert in_toml('coding={"never": 0, "often": 1}') == 'coding = {"never" = 0, "often" = 1}'
    assert in_toml("Add it to coding=, or to missing= if it is no answer.") == (
        "Add it to coding, or to missing if it is no answer."
    )


def test_permission_is_given_in_the_study_table() -> None:
    said = in_toml("If you hold it, pass accept_licence=True (in a study file: accept_licence = true).")
    assert said == "If you hold it, write accept_licence = true in [study]."
