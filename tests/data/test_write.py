"""Writing: a file is whole or not there, and links are not followed."""

from __future__ import annotations

import os

import pytest

from sweval.data import write
from sweval.errors import OutputError


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "effects.csv"
    write.write_text(path, "Zoë\n")
    write.write_bytes(path, b"\x00new")
    assert path.read_bytes() == b"\x00new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["effects.csv"]


def test_permissions_are_those_of_any_new_file_or_of_the_old_one(tmp_path):
    mask = os.umask(0o022)
    try:
        path = write.write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o644
    path.chmod(0o600)
    assert write.write_bytes(path, b"x").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path, monkeypatch, step):
    path = tmp_path / "effects.csv"
    path.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write.os, step, fail)
    with pytest.raises(OutputError, match="No space left on device"):
        write.write_text(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["effects.csv"]


def test_a_link_is_not_followed(tmp_path):
    victim, link = tmp_path / "victim", tmp_path / "effects.csv"
    victim.write_text("old")
    link.symlink_to(victim)
    with pytest.raises(OutputError, match="symbolic link"):
        write.write_text(link, "new")
    assert victim.read_text() == "old"


@pytest.mark.parametrize(("name", "words"), [("", "folder"), ("nowhere/a.csv", "does not exist")])
def test_targets_that_cannot_be(tmp_path, name, words):
    with pytest.raises(OutputError, match=words):
        write.write_bytes(tmp_path / name, b"")
