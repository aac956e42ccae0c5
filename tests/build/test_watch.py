"""Looking at a running build from outside."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sealwright_stages.build.watch import RoomWatch, Taken, room


def test_whoever_asks_hears_that_the_looking_failed(tmp_path: Path) -> None:
    looked = threading.Event()

    def fail(_folder: Path, _end: threading.Event) -> Taken:
        looked.set()
        raise RecursionError("too deep")

    watch = RoomWatch(tmp_path, os.getpid(), measure=fail)
    with watch:
        assert looked.wait(10)
    with pytest.raises(RecursionError):
        _ = watch.used


def test_room_counts_a_file_without_a_name_as_long_as_it_is_open(tmp_path: Path) -> None:
    looked = threading.Event()
    with (tmp_path / "gone").open("wb") as stream:
        stream.write(b"x" * 200_000)
        stream.flush()
        (tmp_path / "gone").unlink()
        watch = RoomWatch(tmp_path, os.getpid(), measure=lambda folder, end: looked.set() or Taken())
        with watch:
            assert looked.wait(10)
        assert watch.used.bytes >= 200_000


def test_room_counts_entries_of_any_kind(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    assert room(tmp_path).files == 13
