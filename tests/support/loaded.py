"""A process that has `sealwright` loaded, and becomes a run of it as often as it is asked.

Loading takes two thirds of the processor time of a short run, and the walks begin hundreds. What a fork of that process
does is the whole program from its `main` on, to the end of the interpreter: a process of its own in a session of its
own, with the environment, folder, mounts and files that were asked for. What it does not try is loading itself; the tests that
run the installed program do.

- It imports and does nothing else, so that each run begins as a new one would. It has one thread.
- A run is a child of whoever asks, who must be a subreaper: what stands between has ended.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_MOST = 1 << 18
_NEW_MOUNTS = 0x20000
LOADED = (
    *("sealwright_console.cli", "sealwright_console.batch", "sealwright_console.batch_ahead"),
    *("sealwright_console.batch_face", "sealwright_console.closed_gate", "sealwright_console.recent"),
    *("sealwright_console.summary", "sealwright_stages.ahead", "sealwright_stages.assembly"),
    *("sealwright_stages.audit", "sealwright_stages.release", "sealwright_stages.sandbox.readiness", "pygit2"),
)


class Run:
    """A run that was begun; as much of `subprocess.Popen` as the walks need."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._end = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Its exit code (negative: the signal), None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                os.close(self._end)
        return self.returncode

    def wait(self, seconds: float) -> int:
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + seconds
        while (code := self.poll()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired("sealwright", seconds)
            select.select([self._end], [], [], left)
        return code


class Loaded:
    """The process, from `with` to its end."""

    def __enter__(self) -> Loaded:
        """Start it."""
        self._ask, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            argv = [sys.executable, "-P", str(Path(__file__)), str(theirs.fileno())]
            self._child = subprocess.Popen(argv, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL)
        assert self._ask.recv(_MOST) == b"loaded"
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._ask.close()
        self._child.wait(10)

    def begin(self, words: Sequence[str], cwd: Path, env: Mapping[str, str], out: int, err: int) -> Run:
        """Begin `sealwright` with these words; its stdin is empty, `out` and `err` are descriptors."""
        asked = json.dumps([list(words), str(cwd), dict(env)]).encode()
        with Path("/proc/self/ns/mnt").open("rb") as mounts:
            socket.send_fds(self._ask, [asked], [out, err, mounts.fileno()])
        return Run(int(self._ask.recv(_MOST)))


def _serve(ask: socket.socket) -> list[str]:
    """Fork what is asked for; gives its words, in the process that is to be it."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(ask, _MOST, 3)
        if not data:
            os._exit(0)
        told, tell = os.pipe()
        if (between := os.fork()) == 0:
            if (pid := os.fork()) != 0:
                os.write(tell, str(pid).encode())
                os._exit(0)
            ask.close()
            os.close(told)
            os.close(tell)
            return _become(json.loads(data), *descriptors)
        os.waitpid(between, 0)
        ask.send(os.read(told, 64))
        for each in (told, tell, *descriptors):
            os.close(each)


def _become(asked: tuple[list[str], str, dict[str, str]], out: int, err: int, mounts: int) -> list[str]:
    words, folder, env = asked
    os.setsid()
    others = os.fstat(mounts).st_ino != Path("/proc/self/ns/mnt").stat().st_ino
    if others and ctypes.CDLL(None, use_errno=True).setns(mounts, _NEW_MOUNTS) != 0:
        raise OSError(ctypes.get_errno(), "the mounts of whoever asks")
    os.close(mounts)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(  # noqa: SIM115
        2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False
    )
    return words


if __name__ == "__main__":
    import importlib

    for name in LOADED:
        importlib.import_module(name)
    asked_of = socket.socket(fileno=int(sys.argv[1]))
    asked_of.send(b"loaded")
    words = _serve(asked_of)
    sys.argv = [str(Path(sys.executable).with_name("sealwright")), *words]
    from sealwright_console.cli import main

    sys.exit(main())
