"""The rules of room_watch: what a build takes of its disk, seen from outside."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sealwright_stages.build.room_watch import RoomWatch, Taken, room

WIDE = Taken(1 << 40, 1 << 30)


def _ourselves() -> list[int]:
    return [os.getpid()]


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


class _Disk(RoomWatch):
    """A watch whose disk loses so many bytes each time that it is asked; each look costs 50 ms of a processor."""

    shrinks = 0

    def _free(self) -> Taken:
        self.asked = getattr(self, "asked", 0) + 1
        return Taken(1 << 40, 1 << 30) if self.asked == 1 else Taken((1 << 40) - self.shrinks, 1 << 30)


@pytest.mark.parametrize(("shrinks", "at_least", "at_most"), [(0, 1.5, 9.0), (600, 0.45, 1.2), (400, 1.5, 9.0)])
def test_a_look_is_soon_where_the_disk_loses_half_of_what_is_left(
    tmp_path: Path, shrinks: int, at_least: float, at_most: float
) -> None:
    watch = _Disk(tmp_path, _ourselves, Taken(1000, 1000))
    watch.shrinks = shrinks
    free, begun = watch._free(), time.monotonic()
    watch._rest(0.05, free)
    assert at_least <= time.monotonic() - begun <= at_most
