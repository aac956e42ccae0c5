"""The rules of hidden: files without a name, whoever holds them."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from sealwright_stages.build.hidden import unlinked
from walk.walking import until


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


_MAPPED = """
import ctypes, os, sys, threading, time
with open(sys.argv[1], "w+b") as stream:
    stream.write(bytes(200_000))
    stream.flush()
    libc = ctypes.CDLL(None)
    libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 4]
    assert libc.mmap(None, 200_000, 1, 1, stream.fileno(), 0) > 0
os.remove(sys.argv[1])
def go_on():
    print("up", flush=True)
    time.sleep(60)
threading.Thread(target=go_on).start()
if {leaves}:
    libc.syscall({leave}, 0)
time.sleep(60)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may measure what another has mapped")
@pytest.mark.parametrize("leaves", [False, True])
def test_a_file_that_is_only_mapped_takes_room_though_the_first_thread_has_ended(
    tmp_path: Path, *, leaves: bool
) -> None:
    leave = 60 if os.uname().machine == "x86_64" else 93  # exit(2), of this thread alone
    program = _MAPPED.format(leaves=leaves, leave=leave)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "gone")], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == b"up\n"
        if leaves:
            until(lambda: psutil.Process(child.pid).memory_info().rss == 0, "its first thread has ended")
        found = unlinked([child.pid])
        child.kill()
    assert found.bytes >= 200_000 and not found.beyond
