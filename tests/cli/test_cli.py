"""The command line as a user meets it: exit codes, one message, quiet when piped, light when asked for help."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import sweval as sw
from sweval.cli import app
from sweval.data.datasets import folder
from sweval.reporting.plain_text import plain_frame
from sweval.result import CHECK, Result
from sweval.study import Study


def invoke(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(arguments))
    assert "Traceback" not in result.output
    return result.exit_code, result.stdout, result.stderr


def shell(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    code = "from sweval.cli import main; main()"
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=cwd, capture_output=True, text=True, check=False, encoding="utf-8", env=environment,
    )  # fmt: skip


@pytest.fixture
def harbour(tmp_path: Path) -> Path:
    for name in ("study.toml", "clients.sav"):
        shutil.copy(folder("harbour") / name, tmp_path / name)
    return tmp_path / "study.toml"


def test_demo_from_file_to_report(tmp_path: Path) -> None:
    done = shell("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "nothing but results where nobody watches"
    assert sorted(os.listdir(tmp_path / "sweval-demo")) == ["clients.sav", "study-results", "study.toml"]
    assert sorted(os.listdir(tmp_path / "sweval-demo" / "study-results")) == [
        "effects.csv", "forest.png", "forest.svg", "manifest.json", "report.html",
    ]  # fmt: skip
    lines = done.stdout.splitlines()
    direct, indirect = lines.index("Direct service"), lines.index("Indirect service")
    assert all(line.startswith("  Group work") for line in lines[direct + 1 : indirect])
    assert lines[indirect + 1].startswith("  Staff training")
    assert "Report: sweval-demo" in done.stdout.replace("\\", "/")


def test_demo_twice_is_the_same_and_an_edited_study_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def digests() -> dict[str, str]:
        files = [path for path in sorted((tmp_path / "sweval-demo").rglob("*")) if path.is_file()]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    monkeypatch.chdir(tmp_path)
    assert invoke("demo")[0] == 0
    first = digests()
    assert invoke("demo")[0] == 0
    assert digests() == first
    study = tmp_path / "sweval-demo" / "study.toml"
    study.write_text(study.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    code, _, err = invoke("demo")
    assert code == 1
    assert "study.toml is there already and differs from the embedded study." in err
    assert study.read_text(encoding="utf-8").endswith("# mine\n")


def test_the_input_is_never_touched(harbour: Path) -> None:
    inputs = sorted(harbour.parent.iterdir())
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in inputs]
    assert invoke("run", str(harbour))[0] == 0
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in inputs] == before


def test_run_into_a_folder_of_ones_own(harbour: Path, tmp_path: Path) -> None:
    code, out, _ = invoke("run", str(harbour), "--out", str(tmp_path / "elsewhere"))
    assert code == 0
    assert (tmp_path / "elsewhere" / "report.html").is_file()
    assert not (tmp_path / "study-results").exists()
    assert str(tmp_path / "elsewhere") in out


def test_check_writes_nothing(harbour: Path) -> None:
    before = sorted(os.listdir(harbour.parent))
    code, out, err = invoke("check", str(harbour))
    assert (code, err) == (0, "")
    assert "study.toml can be run: 2 comparisons, 2 outcomes." in out
    assert "- clients.sav: 1850 rows and 22 columns were read." in out
    assert sorted(os.listdir(harbour.parent)) == before


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_study_that_is_not_there(command: str, tmp_path: Path) -> None:
    done = shell(command, "nothing.toml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: nothing.toml: the study file cannot be read")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["run"], ["no-such-command"], ["run", "a.toml", "--no-such-option"], ["score", "x"]]
)
def test_wrong_usage_is_exit_code_two(arguments: list[str]) -> None:
    assert invoke(*arguments)[0] == 2


def test_score_with_several_missing_codes_after_one_option(tmp_path: Path) -> None:
    data = tmp_path / "answers.csv"
    items = ",".join(f"who_{i}" for i in range(1, 6))
    data.write_text(f"id,name,{items}\n007,=x,0,1,2,3,4\n008,b,5,5,5,5,99\n009,c,1,1,1,1,-9\n")
    out = tmp_path / "scored.csv"
    code, said, err = invoke(
        "score", str(data), "--missing", "99", "-9", "--instrument", "who5", "--items", "who_{item}", "--out", str(out)
    )
    assert (code, err) == (0, "")
    scored = pd.read_csv(out, dtype={"id": str})
    assert scored["id"].tolist() == ["007", "008", "009"]
    assert scored["name"].tolist() == ["'=x", "b", "c"]
    assert scored["who5_raw"].tolist()[0] == 10
    assert scored["who5_raw"].isna().tolist() == [False, True, True]
    assert "who5_raw: 2 of 3 rows have no score" in said
    assert "3 rows with who5_raw, who5_raw_answered, who5_percent" in said


def test_score_refuses_what_would_lose_data(tmp_path: Path) -> None:
    data = tmp_path / "answers.csv"
    data.write_text("q1\n1\n")
    options = ["--instrument", "phq9", "--items", "q{item}", "--out"]
    for target, message in ((data, "is there already"), (tmp_path / "x.sav", "ends in .csv")):
        code, _, err = invoke("score", str(data), *options, str(target))
        assert code == 1
        assert message in err
    assert data.read_text() == "q1\n1\n"


def scoring(tmp_path: Path, rows: str, *options: str) -> tuple[int, str, str]:
    data = tmp_path / "answers.csv"
    data.write_text("who_1,who_2,who_3,who_4,who_5\n" + rows)
    arguments = ["--instrument", "who5", "--items", "who_{item}", "--out", str(tmp_path / "scored.csv")]
    return invoke("score", str(data), *arguments, *options)


def test_score_advises_in_options_that_work(tmp_path: Path) -> None:
    code, _, err = scoring(tmp_path, "1,2,3,4,99\n1,2,3,-1,5\n0,0,0,0,0\n", "--missing", "9")
    assert code == 1
    assert "pass --missing 9 -1 99." in err
    assert scoring(tmp_path, "1,2,3,4,99\n1,2,3,-1,5\n0,0,0,0,0\n", "--missing", "9", "-1", "99")[0] == 0
    (tmp_path / "scored.csv").unlink()
    code, _, err = scoring(tmp_path, "1,2,3,4,5\n6,6,6,6,6\n")
    assert code == 1
    assert "pass --coding 1-6." in err
    assert scoring(tmp_path, "1,2,3,4,5\n6,6,6,6,6\n", "--coding", "1-6")[0] == 0


def test_score_with_another_order_and_with_a_column_of_variants(tmp_path: Path) -> None:
    data, out = tmp_path / "answers.csv", tmp_path / "scored.csv"
    data.write_text("q1,q2,q3,q4,q5,q6\n3,3,1,1,1,1\n")
    form = ["score", str(data), "--instrument", "djg6", "--items", "q{item}", "--out", str(out)]
    assert invoke(*form, "--order", "form")[0] == 0
    ordered = sw.score(pd.read_csv(data), "djg6", items="q{item}", order="form")
    assert pd.read_csv(out)["djg6_total"].tolist() == ordered["djg6_total"].tolist()
    code, _, err = invoke(*form[:-1], str(tmp_path / "b.csv"), "--order", "from")
    assert (code, 'there is no order "from". Did you mean "form"?' in err) == (1, True)
    answers = ",".join(["2"] * 10)
    data.write_text(f"asked,{','.join(f'q{i}' for i in range(1, 11))}\nself_62plus,{answers}\nread_18_61,{answers}\n")
    arguments = [
        "score",
        str(data),
        "--instrument",
        "cfpb_fwb10",
        "--items",
        "q{item}",
        "--out",
        str(tmp_path / "c.csv"),
    ]
    assert invoke(*arguments, "--variant", "asked")[0] == 0
    assert pd.read_csv(tmp_path / "c.csv")["cfpb_fwb10_score"].tolist() == [53, 52]
    code, said, _ = invoke(*arguments[:-1], str(tmp_path / "d.csv"))
    assert (code, "name the variant" in said, "with --variant." in said) == (0, True, True)


def test_score_refuses_a_missing_code_in_words(tmp_path: Path) -> None:
    code, _, err = scoring(tmp_path, "1,2,3,4,9\n", "--missing", "nine")
    assert (code, err.count('"nine" is no number, and the items are numbers.')) == (1, 1)
    assert not (tmp_path / "scored.csv").exists()


def test_a_data_file_in_place_of_a_study(harbour: Path) -> None:
    for command in ("run", "check"):
        code, out, err = invoke(command, str(harbour.parent / "clients.sav"))
        assert (code, out) == (1, "")
        assert "this is a data file" in err
        assert "sweval codebook clients.sav" in err


def test_a_failed_run_names_the_results_of_an_earlier_one(harbour: Path) -> None:
    results = harbour.parent / "study-results"
    text = harbour.read_text(encoding="utf-8")
    harbour.write_text(text.replace('"clients.sav"', '"client.sav"'), encoding="utf-8")
    code, _, err = invoke("run", str(harbour))
    assert (code, "earlier run" in err) == (1, False)
    harbour.write_text(text, encoding="utf-8")
    assert invoke("run", str(harbour))[0] == 0
    before = {path.name: path.read_bytes() for path in results.iterdir()}
    harbour.write_text(text.replace('"clients.sav"', '"client.sav"'), encoding="utf-8")
    code, _, err = invoke("run", str(harbour))
    assert code == 1
    assert f"The results in {results} are of an earlier run; they were left as they are." in err
    assert {path.name: path.read_bytes() for path in results.iterdir()} == before


def test_notes_to_check_are_printed(harbour: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Study.run
    pressing = f"Group work: {CHECK}something is odd."

    def run(self: Study, **options: Any) -> Result:
        found = real(self, **options)
        return dataclasses.replace(found, notes=(*found.notes, pressing))

    monkeypatch.setattr(Study, "run", run)
    for command in ("run", "check"):
        out = invoke(command, str(harbour))[1]
        lines = out[out.index("Please check:") :].splitlines()
        assert f"- {pressing}" in lines
        assert out.count(pressing) == 1


def test_codebook(harbour: Path) -> None:
    code, out, _ = invoke("codebook", str(harbour.parent / "clients.sav"))
    assert code == 0
    assert "PHQ-9 item 1" in out
    assert "8 = refused" in out
    assert max(len(line) for line in out.splitlines()) <= 120


def test_instruments_and_their_levels() -> None:
    code, out, _ = invoke("instruments")
    assert code == 0
    assert "phq9" in out
    assert max(map(len, out.splitlines())) <= 80
    code, family, _ = invoke("instruments", "--level", "family")
    assert "fad_gf" in family
    assert "phq9" not in family
    code, _, err = invoke("instruments", "--level", "famly")
    assert code == 1
    assert 'Did you mean "family"?' in err


def test_instruments_by_words_construct_and_licence() -> None:
    out = invoke("instruments", "patient", "questionnaire-9")[1]
    assert "phq9" in out
    assert "1 questionnaire." in out
    out = invoke("instruments", "--construct", "burnout", "--licence", "public_domain", "--licence", "free")[1]
    assert "cbi" in out
    assert "phq9" not in out
    code, out, _ = invoke("instruments", "zebra")
    assert code == 0
    assert "No questionnaire fits" in out
    code, _, err = invoke("instruments", "--licence", "comercial")
    assert code == 1
    assert 'Did you mean "free_noncommercial"?' in err


def test_show() -> None:
    code, out, _ = invoke("show", "phq9")
    assert code == 0
    assert "0 to 27" in out
    code, _, err = invoke("show", "phq99")
    assert code == 1
    assert "phq9" in err


def test_datasets() -> None:
    code, out, _ = invoke("datasets")
    assert code == 0
    assert "harbour" in out


def test_version_and_help_are_light(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom sweval.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'statsmodels', 'matplotlib', 'pydantic', 'narwhals', 'rich'}\n"
        "sys.stderr.write(','.join(sorted(heavy & set(sys.modules))))"
    )
    for option in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", code, option], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        assert done.stdout.startswith(("Usage: ", "sweval "))


def test_help_comes_at_once(tmp_path: Path) -> None:
    def seconds() -> float:
        before = os.times()
        assert shell("--help", cwd=tmp_path).returncode == 0
        after = os.times()
        # Processor time, so that other work on the machine does not count.
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(seconds() for _ in range(5)) < 0.4


def test_output_survives_a_terminal_without_unicode(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    code = "from sweval.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "show", "who5"], cwd=tmp_path, capture_output=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr


def test_long_cells_are_folded() -> None:
    frame = pd.DataFrame({"id": ["a", "b"], "text": ["word " * 40, None]})
    lines = plain_frame(frame, width=60).splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0] == "id  text"


def test_a_parquet_file_is_scored_part_by_part_into_another(tmp_path: Path) -> None:
    source, target = tmp_path / "raw.parquet", tmp_path / "scored.parquet"
    pd.DataFrame([[5, 4, 3, 4, 5], [0, 9, 1, 1, 1]], columns=[f"who_{k}" for k in range(1, 6)]).to_parquet(source)
    asked = ("--instrument", "who5", "--items", "who_{item}", "--out", str(target))
    code, out, _ = invoke("score", str(source), *asked, "--missing", "9")
    assert code == 0
    assert "2 rows with who5_raw" in out
    assert "1 answer with the code 9 was read as missing" in out
    assert pd.read_parquet(target)["who5_percent"].tolist()[0] == 84
    target.unlink()
    for wrong, expected in [
        ((str(source), *asked), "answers outside 0 to 5 in who_2 (1 row)"),
        ((str(source), *asked, "--missing", "refused"), "is no number"),
        ((str(tmp_path / "none.parquet"), *asked), "there is no such file"),
        ((str(tmp_path / "raw.csv"), *asked), "only a .parquet file is scored into .parquet"),
    ]:
        code, _, err = invoke("score", *wrong)
        assert code == 1
        assert expected in err
        assert not target.exists()
