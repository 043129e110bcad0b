"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared"

# Reference data that we may not pass on lie beside some checkouts; elsewhere there is nothing to test.
collect_ignore = [] if _SHARED.is_dir() else ["shared_oracles"]
collect_ignore += ["reference", "benchmarks", "simulation"]  # scripts that made stored numbers, or take times


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `nox -s simulate` ask for more simulated programmes, and `nox -s minimum` for fewer instruments."""
    parser.addoption("--every", type=int, default=1, help="test every so many-th instrument of the catalogue")
    parser.addoption("--programmes", type=int, default=150, help="how many Harbour programmes to simulate")
