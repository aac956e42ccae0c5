"""Folders that others have filled: any depth, any modes, nothing followed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sealwright_stages.build.room_watch import room
from sealwright_stages.files import remove_tree
from sealwright_stages.sandbox.ownership import hand_over, take_back
from sealwright_stages.tree_walk import CHANGE, READ, walk
from support.ordinary import as_ordinary_user

DEPTH = 3000  # beyond Python's recursion, the descriptors of a process, and the longest path


def _deep(top: Path, depth: int = DEPTH) -> None:
    """Folders in each other, with a file of 8 KiB and a link to / at the bottom."""
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    with os.fdopen(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here), "wb") as stream:
        stream.write(b"x" * 8192)
    os.symlink("/", "root", dir_fd=here)
    os.close(here)


def _open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_depth_has_no_limit_and_few_folders_are_held_open(tmp_path: Path) -> None:
    _deep(tmp_path / "deep")
    before, most, names = _open_descriptors(), 0, []
    for number, entry in enumerate(walk(tmp_path / "deep", READ)):
        names.append(entry.name)
        if number % 100 == 0:
            most = max(most, _open_descriptors())
    assert sorted(names) == ["d"] * DEPTH + ["deep", "file", "root"]
    assert most - before <= 70
    assert _open_descriptors() == before
    assert room(tmp_path / "deep").bytes >= 8192
    remove_tree(tmp_path / "deep")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands folders over")
def test_a_folder_of_any_depth_is_handed_over_and_taken_back(tmp_path: Path) -> None:
    _deep(tmp_path / "deep")
    for do, owner in ((hand_over, 61500), (take_back, os.geteuid())):
        do(tmp_path / "deep", 61500)
        assert {entry.held.st_uid for entry in walk(tmp_path / "deep", READ)} == {owner}
    assert Path("/").stat().st_uid == 0
    remove_tree(tmp_path / "deep")


def test_a_folder_is_told_after_what_is_in_it_and_a_link_is_an_entry(tmp_path: Path) -> None:
    (tmp_path / "top" / "inner").mkdir(parents=True)
    (tmp_path / "top" / "inner" / "link").symlink_to(tmp_path)
    assert [entry.name for entry in walk(tmp_path / "top", READ)] == ["link", "inner", "top"]
    (tmp_path / "direct").symlink_to("top")
    assert [entry.is_folder for entry in walk(tmp_path / "direct", READ)] == [False]
    assert list(walk(tmp_path / "nothing", READ)) == []


def test_the_way_back_must_lead_where_it_was_entered_from(tmp_path: Path) -> None:
    _deep(tmp_path / "deep", 200)
    going = walk(tmp_path / "deep", CHANGE)
    assert {next(going).name, next(going).name} == {"file", "root"}
    middle = tmp_path / "deep" / Path(*["d"] * 100)
    middle.rename(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="was moved"):
        list(going)


def test_what_moves_in_a_restless_tree_is_passed_over(tmp_path: Path) -> None:
    _deep(tmp_path / "deep", 200)
    going = walk(tmp_path / "deep", READ, restless=True)
    next(going)  # we are at the bottom
    (tmp_path / "deep" / Path(*["d"] * 100)).rename(tmp_path / "elsewhere")
    names = [entry.name for entry in going]
    assert names[-1] == "deep" and len(names) < 200


_AS_ORDINARY_USER = """
import os, sys
from pathlib import Path
from sealwright_stages.build.room_watch import room
from sealwright_stages.files import remove_tree
top = Path(sys.argv[1])
(top / "x" / "y").mkdir(parents=True)
(top / "x" / "y" / "file").write_bytes(b"x" * 65536)
os.chmod(top / "x" / "y", 0)
os.chmod(top / "x", 0)
before = (top / "x").stat().st_ctime_ns
assert room(top).bytes < 65536, "who only looks changes no mode, and does not get in"
assert (top / "x").stat().st_ctime_ns == before
remove_tree(top)
assert not top.exists()
"""


def test_a_folder_that_its_owner_can_not_enter_is_opened_up_but_never_by_who_only_looks(tmp_path: Path) -> None:
    place = Path("/var/tmp" if os.geteuid() == 0 else tmp_path, f"sealwright-walk-{os.getpid()}")
    place.mkdir()
    if os.geteuid() == 0:
        os.chown(place, 65532, 65532)
    drop = as_ordinary_user() if os.geteuid() == 0 else ()
    argv = [*drop, sys.executable, "-c", _AS_ORDINARY_USER, str(place / "top")]
    env = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(argv, capture_output=True, timeout=30, check=False, env=env)
    left = sorted(stat.S_IMODE(path.stat().st_mode) for path in place.rglob("*"))
    remove_tree(place)
    assert (done.returncode, done.stderr, left) == (0, b"", [])
