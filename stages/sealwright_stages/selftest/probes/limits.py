"""Ways to take more of the machine than allowed. The sandbox of these allows 64 processes and 256 MiB."""

import contextlib
import ctypes
import mmap
import os
import resource
import signal
import time
from pathlib import Path

from sealwright_stages.selftest.probes.common import (
    LIBC,
    SCRATCH,
    Bait,
    any_of,
    call,
    checked,
    leave_behind,
    refuse,
)

_MIB = 1 << 20


def processes(_bait: Bait) -> None:
    """Make more processes than allowed."""
    for _ in range(200):
        if os.fork() == 0:
            os._exit(0)  # it counts until its parent asks how it ended, which this one never does


def memory(_bait: Bait) -> None:
    """Take more memory than allowed."""
    mmap.mmap(-1, 400 * _MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def locked_memory(_bait: Bait) -> None:
    """Take memory that can't be swapped out."""
    taken = mmap.mmap(-1, _MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(taken))
    checked(LIBC.mlock(ctypes.c_void_p(address), ctypes.c_size_t(_MIB)), "mlock")


def memory_file(_bait: Bait) -> None:
    """Take memory in a file without a name. No process shows it."""
    os.close(call("memfd_create", b"hidden", 0))


def memory_segment(_bait: Bait) -> None:
    """Take memory in a System V segment. It outlives its maker."""
    segment = checked(LIBC.shmget(0, _MIB, 0o1600), "shmget")
    LIBC.shmctl(segment, 0, None)


def large_file(_bait: Bait) -> None:
    """Make a sparse file larger than allowed."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path = SCRATCH / "sparse"
    try:
        with path.open("wb") as stream:
            stream.truncate(1 << 40)
    finally:
        path.unlink()


def _fill(path: Path, most: int) -> None:
    try:
        with path.open("wb") as stream:
            for _ in range(most):
                stream.write(bytes(_MIB))
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def fill_scratch(_bait: Bait) -> None:
    """Write more into /tmp than it holds."""
    _fill(SCRATCH / "full", 64)


def fill_shared(_bait: Bait) -> None:
    """Write more into /dev/shm than it holds."""
    _fill(Path("/dev/shm/full"), 64)  # noqa: S108 - the sandbox's own


def core_dump(_bait: Bait) -> None:
    """Have a dump handed to the host's program for them. It is started, as root, unless the limit is just 1."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if resource.getrlimit(resource.RLIMIT_CORE) == (1, 1):
        raise refuse("none is made")


def priority(_bait: Bait) -> None:
    """Take a higher or a real-time priority."""
    any_of(lambda: os.nice(-1), lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))


# What follows is tried under the eyes of the builder, each in a sandbox of its own. It ends by being ended.


def shared_memory(_bait: Bait) -> None:
    """Take memory that processes share. No limit of a process counts it."""
    taken = mmap.mmap(-1, 400 * _MIB, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
    for place in range(0, 400 * _MIB, _MIB):
        taken[place : place + _MIB] = bytes(_MIB)
    time.sleep(4)


def many_files(_bait: Bait) -> None:
    """Fill the disk with files of which none is too large."""
    for number in range(60):
        Path(f"/build/{number}").write_bytes(os.urandom(_MIB))
    time.sleep(4)


def many_names(_bait: Bait) -> None:
    """Use up the disk's inodes with empty files."""
    for number in range(20_000):
        os.close(os.open(f"/build/{number}", os.O_CREAT | os.O_WRONLY))
    time.sleep(5)


def endless_time(_bait: Bait) -> None:
    """Go on for longer than allowed."""
    time.sleep(4)


def _say(piece: bytes) -> None:
    for _ in range(48):
        os.write(1, piece * (_MIB // len(piece)))
    os.write(1, b"\n")


def endless_lines(_bait: Bait) -> None:
    """Say more than allowed, in lines."""
    _say(b"sixteen bytes..\n")


def endless_line(_bait: Bait) -> None:
    """Say more than allowed, in one line without an end."""
    _say(b"sixteen bytes...")


def endless_noise(_bait: Bait) -> None:
    """Say more than allowed, in bytes that are no text."""
    _say(b"\x00\x1b[2J\xff\xfe\x9b31m\x07\x08\xc0\x80")


def daemon(bait: Bait) -> None:
    """Go on after the build, forked twice and deaf to signals."""
    leave_behind(f"{bait.token}-daemon", "import time; time.sleep(60)")
