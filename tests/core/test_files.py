"""File operations: whole or not at all."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages.errors import MachineError
from sealwright_stages.files import remove_tree, sha256_file, write_whole

OLD = b"old and whole"


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB; needs root and the right to mount."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = os.geteuid() == 0 and (
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False).returncode == 0
    )
    if not mounted:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_leaves_the_old_file_and_no_half_one(tiny_disk: Path) -> None:
    target = tiny_disk / "state.json"
    write_whole(target, OLD)
    with pytest.raises(MachineError, match="No space left") as caught:
        write_whole(target, b"x" * (1 << 20))
    assert target.read_bytes() == OLD
    assert [entry.name for entry in tiny_disk.iterdir()] == ["state.json"]
    assert caught.value.next_step


def test_after_the_disk_was_full_it_can_be_written_again(tiny_disk: Path) -> None:
    target = tiny_disk / "state.json"
    with pytest.raises(MachineError):
        write_whole(target, b"x" * (1 << 20))
    write_whole(target, OLD)
    assert target.read_bytes() == OLD


@given(st.binary(max_size=1000))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    target = tmp_path_factory.getbasetemp() / "whole"
    write_whole(target, data)
    assert target.read_bytes() == data
    assert not list(target.parent.glob(".whole.*"))


def test_a_folder_that_is_missing_is_a_machine_error(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="can't be written"):
        write_whole(tmp_path / "missing" / "file", b"x")


def test_a_file_planted_under_the_temporary_name_is_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(OLD)
    (tmp_path / f".state.{os.getpid()}.new").symlink_to(victim)
    with pytest.raises(MachineError):
        write_whole(tmp_path / "state", b"new")
    assert victim.read_bytes() == OLD


def test_a_link_in_the_place_of_the_file_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(OLD)
    (tmp_path / "state").symlink_to(victim)
    write_whole(tmp_path / "state", b"new")
    assert victim.read_bytes() == OLD
    assert not (tmp_path / "state").is_symlink()


def test_the_mode_asked_for_is_given(tmp_path: Path) -> None:
    write_whole(tmp_path / "key", b"x", 0o600)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_only_regular_files_are_hashed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert sha256_file(tmp_path / "file").startswith("e3b0c44298fc")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", ".", "missing"):
        with pytest.raises(OSError, match=r".+"):
            sha256_file(tmp_path / name)


def test_a_tree_is_removed_whatever_modes_are_in_it(tmp_path: Path) -> None:
    inner = tmp_path / "tree" / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").write_bytes(b"x")
    (inner / "file").chmod(0o000)
    inner.chmod(0o500)
    (tmp_path / "tree" / "a").chmod(0o500)
    remove_tree(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def test_a_link_is_removed_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(OLD)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to("../outside")
    (tmp_path / "direct").symlink_to("outside")
    remove_tree(tmp_path / "tree")
    remove_tree(tmp_path / "direct")
    assert (tmp_path / "outside" / "file").read_bytes() == OLD
    assert not (tmp_path / "direct").is_symlink()


def test_what_is_not_there_needs_no_removing(tmp_path: Path) -> None:
    remove_tree(tmp_path / "nothing")
    (tmp_path / "dangling").symlink_to("nowhere")
    remove_tree(tmp_path / "dangling")
    assert list(tmp_path.iterdir()) == []
