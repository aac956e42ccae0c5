"""Looking at a running build from outside."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil
import pytest

from sealwright_stages.build.hidden import unlinked
from sealwright_stages.build.reserve import Reserve
from sealwright_stages.build.watch import RoomWatch, Taken, TreeWatch, room
from support.ordinary import as_ordinary_user
from walk.walking import until


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


def test_room_counts_a_file_that_only_one_thread_has_open(tmp_path: Path) -> None:
    held, end = threading.Event(), threading.Event()

    def hold() -> None:
        assert ctypes.CDLL(None).unshare(0x400) == 0  # CLONE_FILES: a table of descriptors of its own
        with (tmp_path / "gone").open("wb") as stream:
            stream.write(b"x" * 200_000)
            stream.flush()
            (tmp_path / "gone").unlink()
            held.set()
            assert end.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    found = unlinked([os.getpid()])
    end.set()
    thread.join()
    assert found.bytes >= 200_000
    assert unlinked([os.getpid()]).bytes < 200_000


def test_a_descriptor_on_its_way_is_something_that_was_not_seen(tmp_path: Path) -> None:
    near, far = socket.socketpair()
    with near, far, (tmp_path / "file").open("wb") as stream:
        assert not unlinked([os.getpid()]).beyond
        socket.send_fds(near, [b"x"], [stream.fileno()])
        assert unlinked([os.getpid()]).beyond


_SHOW_NOTHING = """
import ctypes, os, threading, time
def go_on():
    print("up", flush=True)
    kept = bytearray(1) * (40 << 20)
    print("full", flush=True)
    time.sleep(60)
threading.Thread(target=go_on).start()
ctypes.CDLL(None).syscall({}, 0)
"""


def test_memory_counts_though_the_first_thread_has_ended() -> None:
    leave = 60 if os.uname().machine == "x86_64" else 93  # exit(2), of this thread alone
    program = [sys.executable, "-c", _SHOW_NOTHING.format(leave)]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert [child.stdout.readline(), child.stdout.readline()] == [b"up\n", b"full\n"]
        until(lambda: psutil.Process(child.pid).memory_info().rss == 0, "its first thread has ended")
        sampled = TreeWatch(child.pid).sample()
        child.kill()
    assert sampled.memory >= 40 << 20


def test_what_was_not_seen_counts_as_all_that_the_disk_has_lost(tmp_path: Path) -> None:
    looked = threading.Event()

    def look(_folder: Path, _end: threading.Event) -> Taken:
        looked.set()
        return Taken(5, 1, beyond=True)

    free = [Taken(900, 90), Taken(200, 20)]
    watch = RoomWatch(tmp_path, os.getpid(), measure=look, free=lambda _folder: free.pop(0) if free else Taken())
    with watch:
        assert looked.wait(10)
    assert (watch.used.bytes, watch.used.files) == (700, 70)


_LOOK = """
import sys; from pathlib import Path; from sealwright_stages.build.watch import room
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


@pytest.mark.parametrize(
    ("disk", "memory", "said"),
    [
        ([2000, 500], [2000, 500], ""),
        ([2000, 200], [2000], "disk is nearly full: 200 MiB"),
        ([2000], [2000, 100], "memory is nearly full: 100 MiB"),
    ],
)
def test_the_machine_keeps_a_reserve(tmp_path: Path, disk: list[int], memory: list[int], said: str) -> None:
    def told(values: list[int]) -> int:
        return (values.pop(0) if len(values) > 1 else values[0]) << 20

    reserve = Reserve(tmp_path, lambda _folder: told(disk), lambda: told(memory))
    reached = reserve.reached()
    assert said in reached
    assert bool(reached) == bool(said)


def test_a_machine_that_had_little_keeps_a_quarter_of_it(tmp_path: Path) -> None:
    left = [100, 30, 20]
    reserve = Reserve(tmp_path, lambda _folder: left.pop(0) << 20, lambda: 1 << 40)
    assert reserve.reached() == ""
    assert "25 are kept" in reserve.reached()
