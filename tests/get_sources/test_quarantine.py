"""The quarantine is emptied before anything begins, and nothing odd lies in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sealwright_stages.get_sources.quarantine import discard, purge, refuse_odd_files
from sealwright_stages.verify.codes import RefusedError
from verify.workbench import sha256


def test_what_a_crash_left_is_deleted_and_told(tmp_path: Path) -> None:
    quarantine = tmp_path / "quarantine"
    half = quarantine / "thing/thing_fetch_x"
    half.mkdir(parents=True)
    (half / "x.tar.gz").write_bytes(b"half")
    (quarantine / "stray").write_bytes(b"s")
    gone = purge(quarantine)
    assert {(d.name, d.sha256, d.size) for d in gone} == {
        ("thing/thing_fetch_x/x.tar.gz", sha256(b"half"), 4),
        ("stray", sha256(b"s"), 1),
    }
    assert all(d.because for d in gone)
    assert list(quarantine.iterdir()) == []
    assert purge(quarantine) == []


def test_a_link_in_the_quarantine_is_removed_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"k")
    quarantine = tmp_path / "quarantine"
    (quarantine / "thing").mkdir(parents=True)
    (quarantine / "thing/link").symlink_to(outside)
    (quarantine / "top").symlink_to(outside)
    os.mkfifo(quarantine / "thing/pipe")
    purge(quarantine)
    assert list(quarantine.iterdir()) == [] and (outside / "kept").exists()


def test_a_folder_of_many_files_is_told_as_one_deletion(tmp_path: Path) -> None:
    folder = tmp_path / "quarantine/thing/promoted"
    folder.mkdir(parents=True)
    for number in range(60):
        (folder / f"f{number}").write_bytes(b"x")
    gone = purge(tmp_path / "quarantine")
    assert [(d.name, d.size) for d in gone] == [("thing/promoted", 60)]


def test_what_is_discarded_is_named_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x\x1b[2J"
    path.write_bytes(b"bad")
    (gone,) = discard(path, "thing/file/x", "digest")
    assert (gone.sha256, gone.size, gone.name.isprintable()) == (sha256(b"bad"), 3, True)
    assert not path.exists() and discard(path, "thing/file/x", "digest") == []


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
def test_only_plain_files_with_one_name_may_lie_there(tmp_path: Path, kind: str) -> None:
    (tmp_path / "q").mkdir()
    (tmp_path / "plain").write_bytes(b"")
    refuse_odd_files(tmp_path / "q")
    odd = tmp_path / "q/odd"
    {
        "link": lambda: odd.symlink_to(tmp_path / "plain"),
        "hard link": lambda: os.link(tmp_path / "plain", odd),
        "pipe": lambda: os.mkfifo(odd),
    }[kind]()
    with pytest.raises(RefusedError) as refused:
        refuse_odd_files(tmp_path / "q")
    assert refused.value.code == "quarantine-odd-file"
