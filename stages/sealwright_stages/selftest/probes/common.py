"""What the probes share: the bait, system calls by number, and how an attempt ends.

An attempt is a function that takes the bait. It returns: it got out. It raises OSError or MemoryError: it was held.
Anything else: it is broken, and so is one that takes longer than `SECONDS`.
"""

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HELD = 10
SECONDS = 20
LIBC = ctypes.CDLL(None, use_errno=True)
SCRATCH = Path("/tmp")  # noqa: S108 - the sandbox's own
NEWUSER = 0x10000000
_CALLS = {  # of x86-64, and of the generic table that newer architectures share
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "kcmp": (312, 272),
    "name_to_handle_at": (303, 264),
    "clone": (56, 220),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "syslog": (103, 116),
    "adjtimex": (159, 171),
    "settimeofday": (164, 170),
    "memfd_create": (319, 279),
    "pidfd_send_signal": (424, 424),
    "io_uring_setup": (425, 425),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "pidfd_open": (434, 434),
    "clone3": (435, 435),
    "io_setup": (206, 0),
    "io_destroy": (207, 1),
}


@dataclass(frozen=True)
class Bait:
    """What was set out: paths, ports and names of listeners, a process, a descriptor, a terminal."""

    file: str = ""
    other: str = ""
    socket: str = ""
    abstract: str = ""
    tcp: int = 0
    tcp6: int = 0
    udp: int = 0
    pid: int = 0
    token: str = ""
    fd: int = 0
    pty: str = ""


Attempt = Callable[[Bait], object]


def call(name: str, *arguments: object) -> int:
    """Make a system call by number; raises OSError as the kernel says."""
    number = _CALLS[name][0 if os.uname().machine == "x86_64" else 1]
    return checked(LIBC.syscall(number, *arguments), name)


def checked(status: int, name: str) -> int:
    """A C function's result, or the OSError that it stands for."""
    if status < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return status


def refuse(why: str) -> OSError:
    """What to raise where nothing was found to get out by."""
    return OSError(errno.EPERM, why)


def any_of(*ways: Callable[[], object]) -> None:
    """Get out by one of the ways; raises what the last one raised."""
    last: OSError = refuse("there is no way")
    for way in ways:
        try:
            way()
        except OSError as error:
            last = error
        else:
            return
    raise last


def open_one(paths: list[str], flags: int) -> None:
    """Open one of the files, and close it again at once: nothing is read from it or written to it."""
    any_of(*(lambda path=path: os.close(os.open(path, flags | os.O_NOCTTY | os.O_NONBLOCK)) for path in paths))


def leave_behind(name: str, program: str) -> None:
    """Start a Python program as a daemon called `name`, which no signal but the last ends; it runs on return."""
    reading, writing = os.pipe()  # closed when the program takes the daemon's place
    if (child := os.fork()) == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            signal.alarm(0)
            nothing = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1, 2):
                os.dup2(nothing, standard)
            os.execv(sys.executable, [sys.executable, "-c", program, name])  # noqa: S606 - a program of ours
        os._exit(0)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    reap(child)


def reap(child: int) -> None:
    """Wait for a child that is to end by itself."""
    os.waitpid(child, 0)


def try_each(attempts: Mapping[str, Attempt], names: list[str], bait: Bait) -> None:
    """Try the named ones, each in a process of its own, and print a line for each: NAME RESULT WHY."""
    for name in names:
        if (child := os.fork()) == 0:
            _try(attempts.get(name), name, bait)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            result = "held" if number == signal.SIGSYS else "broken"
            print(f"{name} {result} {signal.Signals(number).name}", flush=True)


def _try(attempt: Attempt | None, name: str, bait: Bait) -> None:
    signal.alarm(SECONDS)
    try:
        if attempt is None:
            raise LookupError("there is no such attempt")
        attempt(bait)
        line = f"{name} out"
    except (OSError, MemoryError) as error:
        line = f"{name} held {error}"
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is said
        line = f"{name} broken {type(error).__name__}: {error}"
    print(line.encode("ascii", "replace").decode().replace("\n", " "), flush=True)
    os._exit(0)
