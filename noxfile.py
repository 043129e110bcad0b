#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["nox[uv]>=2025.2.9"]
# ///
"""What developers and CI run; `nox` alone runs lint, types and tests, `nox -l` lists the rest."""

from __future__ import annotations

import os
import time

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
os.environ.setdefault("UV_NATIVE_TLS", "true")  # trust the certificates that the machine trusts, as pip does

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Tests run side by side, so that matrices of a few rows are not shared out among threads that wait for each other."""

PROJECT = nox.project.load_toml("pyproject.toml")


def _group(name: str) -> list[str]:
    """Return the requirements of a dependency group of pyproject.toml."""
    return list(nox.project.dependency_groups(PROJECT, name))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff."""
    session.install(*_group("lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy."""
    session.install("-e", ".", *_group("types"))
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests and every example in a docstring; `nox -s tests -- -k word` picks some."""
    session.install("-e", ".", *_group("test"))
    session.run("pytest", "-q", "-n", "auto", "--dist", "worksteal", *session.posargs, env=ONE_THREAD)


@nox.session(default=False, python="3.11", venv_backend="uv")
def minimum(session: nox.Session) -> None:
    """Run the tests with the oldest versions that pyproject.toml allows, on every tenth instrument."""
    session.install("-e", ".", *_group("test"), "--resolution=lowest-direct")
    # old releases call what their own new dependencies deprecate; that says nothing about sweval
    options = ("-q", "-n", "auto", "--dist", "worksteal", "--every", "10", "-W", "ignore::DeprecationWarning")
    session.run("pytest", *options, *session.posargs, env=ONE_THREAD)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Execute the tutorials and build the documentation; any warning is an error."""
    session.install("-e", ".[docs,big]")
    command = ("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")
    session.run(*command, *session.posargs, env=ONE_THREAD)


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Run the embedded study from file to report, in an empty folder, from an installed wheel, within seconds."""
    session.install(".")
    session.chdir(session.create_tmp())
    session.run("sweval", "--help", silent=True)  # the first start compiles, which is not the demo's time
    began = time.perf_counter()
    session.run("sweval", "demo", *session.posargs)
    if (took := time.perf_counter() - began) > 15:
        session.error(f"the demo took {took:.1f} s")


@nox.session(default=False)
def spark(session: nox.Session) -> None:
    """Score frames of a real Spark; needs Java."""
    session.install("-e", ".", *_group("test"), "pyspark[sql]>=4")
    session.run("pytest", "-q", "tests/spark", *session.posargs, env=ONE_THREAD)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Time scoring against the same rules by hand; models, single cases, change, syntheses beside R if there is R."""
    session.install("-e", ".[big]", *_group("test"))
    session.run("python", "tests/benchmarks/bench_scoring.py")
    session.run("python", "tests/benchmarks/bench_mixed.py", *session.posargs)
    for name in ("bench_change", "bench_single_case", "bench_meta"):
        session.run("python", f"tests/benchmarks/{name}.py")


@nox.session(default=False)
def simulate(session: nox.Session) -> None:
    """Count false claims and coverage in simulated studies of every design, and planted errors of scoring keys."""
    session.install("-e", ".", *_group("test"))
    session.run("pytest", "-q", "-n", "auto", "tests/datasets", "--programmes", "2000")
    session.run("python", "tests/simulation/key_errors.py")
    session.run("python", "tests/simulation/error_rates.py", "--check", *session.posargs)
    for name in ("effect_coverage", "between_case", "single_case", "meta_error_rates"):
        session.run("python", f"tests/simulation/{name}.py", "--check")


if __name__ == "__main__":
    nox.main()
