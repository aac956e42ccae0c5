"""The rules of room_watch: what a build takes of its disk, seen from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sealwright_stages.build.room_watch import RoomWatch, Taken, room
from support.ordinary import as_ordinary_user

WIDE = Taken(1 << 40, 1 << 30)


def _ourselves() -> list[int]:
    return [os.getpid()]


def _nobody() -> list[int]:
    return []


def _soon(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def test_whoever_asks_hears_that_the_looking_failed(tmp_path: Path) -> None:
    looked = threading.Event()

    def fail(_folder: Path, _enough: Callable[[], bool]) -> Taken:
        looked.set()
        raise RecursionError("too deep")

    watch = RoomWatch(tmp_path, _ourselves, WIDE, measure=fail)
    with watch:
        assert looked.wait(10)
    with pytest.raises(RecursionError):
        _ = watch.used


def test_who_asks_last_hears_it_too(tmp_path: Path) -> None:
    def fail() -> list[int]:
        raise RecursionError("too deep")

    with RoomWatch(tmp_path, fail, WIDE) as watch, pytest.raises(RecursionError):
        watch.last()


def test_room_counts_a_file_without_a_name_as_long_as_it_is_open(tmp_path: Path) -> None:
    with (tmp_path / "gone").open("wb") as stream:
        stream.write(b"x" * 200_000)
        stream.flush()
        (tmp_path / "gone").unlink()
        with RoomWatch(tmp_path, _ourselves, WIDE, measure=lambda folder, enough: Taken()) as watch:
            assert _soon(lambda: watch.used.bytes >= 200_000)
    assert watch.peak.bytes >= 200_000


def test_room_counts_entries_of_any_kind(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    assert room(tmp_path).files == 13


def test_a_dead_build_is_looked_at_a_last_time_and_not_for_long(tmp_path: Path) -> None:
    with RoomWatch(tmp_path, _ourselves, WIDE) as watch:
        assert _soon(lambda: watch.used.files > 0)
        (tmp_path / "late").write_bytes(b"x" * 100_000)
        assert watch.last().bytes >= 100_000

    def endless(_folder: Path, enough: Callable[[], bool]) -> Taken:
        while not enough():
            time.sleep(0.01)
        return Taken(1, 1)

    with RoomWatch(tmp_path, _ourselves, WIDE, measure=endless) as watch:
        assert watch.last() == Taken(1, 1)


def test_what_was_not_seen_counts_as_all_that_the_disk_has_lost(tmp_path: Path) -> None:
    free = [Taken(900, 90)]

    def look(_folder: Path, _enough: Callable[[], bool]) -> Taken:
        free[0] = Taken(200, 20)
        return Taken(5, 1, beyond=True)

    with RoomWatch(tmp_path, _nobody, WIDE, measure=look, free=lambda _folder: free[0]) as watch:
        assert _soon(lambda: watch.used == Taken(700, 70))
        assert watch.last() == Taken(700, 70), "also when it is dead"
    assert watch.peak == Taken(700, 70)


_LOOK = """
import sys; from pathlib import Path; from sealwright_stages.build.room_watch import room
print(room(Path(sys.argv[1])))
"""


@pytest.mark.parametrize("mode", [0o000, 0o300, 0o400])
def test_a_folder_that_is_shut_is_something_that_was_not_seen(tmp_path: Path, mode: int) -> None:
    user = as_ordinary_user() if os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory(prefix="sealwright-shut-") as name:
        (Path(name) / "shut").mkdir()
        (Path(name) / "shut" / "file").touch()
        if user:
            for path in (Path(name), Path(name) / "shut"):
                os.chown(path, 65532, 65532)
        (Path(name) / "shut").chmod(mode)
        done = subprocess.run(
            [*user, sys.executable, "-c", _LOOK, name], cwd="/", capture_output=True, timeout=20, check=False
        )
        (Path(name) / "shut").chmod(0o700)
    assert b"beyond=True" in done.stdout, done.stderr


@pytest.mark.parametrize(("shrinks", "at_least", "at_most"), [(0, 1.5, 9.0), (600, 0.45, 1.2), (400, 1.5, 9.0)])
def test_a_look_is_soon_where_the_disk_loses_half_of_what_is_left(
    tmp_path: Path, shrinks: int, at_least: float, at_most: float
) -> None:
    before, after = Taken(1 << 40, 1 << 30), Taken((1 << 40) - shrinks, 1 << 30)
    watch = RoomWatch(tmp_path, _ourselves, Taken(1000, 1000), free=lambda _folder: after)
    begun = time.monotonic()
    watch._rest(0.05, before)
    assert at_least <= time.monotonic() - begun <= at_most
