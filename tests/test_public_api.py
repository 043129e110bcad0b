"""The public names are promises, and importing them costs nothing until they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sweval

PUBLIC = [
    "ClusterRobust",
    "ClusterTrial",
    "Estimate",
    "Growth",
    "KeyAudit",
    "MixedModel",
    "PartiallyNested",
    "PrePost",
    "ReliableChange",
    "Result",
    "SingleCase",
    "Study",
    "SwevalError",
    "Synthesis",
    "TwoGroup",
    "__version__",
    "agreement",
    "audit_key",
    "codebook",
    "dataset",
    "datasets",
    "effects",
    "food_insecurity",
    "goal_attainment",
    "in_words",
    "instrument",
    "instruments",
    "plots",
    "read",
    "reliability",
    "report",
    "reported_effects",
    "retest",
    "score",
    "score_with_notes",
]
HEAVY = "pandas numpy scipy statsmodels matplotlib seaborn narwhals pyreadstat pydantic typer rich"


def run(code: str) -> str:
    """Return what a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def best_of(tries: int, code: str) -> float:
    """Return the least of the seconds that fresh interpreters print; processor time, as other tests run beside."""
    return min(float(run(code)) for _ in range(tries))


def test_public_names_are_these_and_no_others() -> None:
    assert dir(sweval) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(sweval, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Anova'"):
        _ = sweval.Anova


def test_import_loads_nothing_heavy() -> None:
    assert run(f"import sys, sweval; print([name for name in '{HEAVY}'.split() if name in sys.modules])") == "[]"


def test_import_takes_less_than_0_15_seconds() -> None:
    clock = "import time; start = time.process_time(); import sweval; print(time.process_time() - start)"
    assert best_of(5, clock) < 0.15


def test_help_takes_less_than_0_4_seconds() -> None:
    clock = (
        "import contextlib, io, sys, time; sys.argv = ['sweval', '--help']\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    from sweval.cli import main; main()\n"
        "print(time.process_time())"  # of the whole process, the interpreter's start included
    )
    assert best_of(5, clock) < 0.4
