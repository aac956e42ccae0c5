"""A program on a pseudo terminal, as the person in front of it feels it: when it paints, and how much it writes.

Times are seconds from a key, or from the start of the program, until what is waited for stands in what it wrote.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_TESTS = Path(__file__).resolve().parents[1]
_ENVIRONMENT = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Byte code is kept, as by whoever installs the program."""
_KEPT = 1 << 15
_MOVES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


class Painted:
    """A program on a terminal of its own; what it writes is read, and counted in bytes."""

    def __init__(self, *argv: str | Path, columns: int = 80, lines: int = 24) -> None:
        self._here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))
        env = {**_ENVIRONMENT, "TERM": "xterm-256color", "LESSHISTFILE": "-", "PYTHONPATH": str(_TESTS)}
        self.begun = time.perf_counter()
        self.child = subprocess.Popen(
            argv, stdin=there, stdout=there, stderr=there, env=env, start_new_session=True
        )
        os.close(there)
        self.written = 0
        self._seen = b""

    def __enter__(self) -> Painted:
        return self

    def __exit__(self, *error: object) -> None:
        self.child.kill()
        self.child.wait()
        os.close(self._here)

    def press(self, keys: str, wanted: bytes, patience: float = 120) -> float:
        """Press keys; gives the seconds until `wanted` is painted, by output that comes after."""
        self._seen = b""
        begun = time.perf_counter()
        os.write(self._here, keys.encode())
        self.wait(wanted, patience)
        return time.perf_counter() - begun

    def wait(self, wanted: bytes, patience: float = 120) -> None:
        """Read until `wanted` is painted, colours and moves left out. Raises RuntimeError if it is not."""
        end = time.monotonic() + patience
        while wanted not in _MOVES.sub(b"", self._seen):
            if not select.select([self._here], [], [], max(0.0, end - time.monotonic()))[0]:
                raise RuntimeError(f"{wanted!r} was not painted: {self._seen[-400:]!r}")
            self._seen = self._seen[-_KEPT:] + self._read()

    def drain(self, seconds: float) -> int:
        """Read for so long what is painted; gives how many bytes that were."""
        before, end = self.written, time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self._here], [], [], left)[0]:
                self._read()
        return self.written - before

    def settle(self, seconds: float = 0.7, patience: float = 60) -> None:
        """Read until nothing was written for so long."""
        end = time.monotonic() + patience
        while self.drain(seconds):
            if time.monotonic() > end:
                raise RuntimeError("it does not come to rest")

    def used(self) -> float:
        """Seconds of processor time that the program took so far."""
        told = psutil.Process(self.child.pid).cpu_times()
        return told.user + told.system

    def _read(self) -> bytes:
        data = os.read(self._here, 1 << 16)
        self.written += len(data)
        return data


def on_terminal(code: str, *words: str | Path, columns: int = 80, lines: int = 24) -> Painted:
    """A Python program on a terminal."""
    return Painted(sys.executable, "-c", code, *words, columns=columns, lines=lines)


def first_paint(code: str, word: bytes) -> float:
    """Seconds from the start of a Python program to `word` on its terminal."""
    with on_terminal(code) as program:
        program.wait(word, 20)
        return time.perf_counter() - program.begun


@dataclass(frozen=True)
class Keys:
    """How long keys took, in seconds, the bytes written a second meanwhile, and the part of a core that was used."""

    times: Sequence[float]
    written: float
    core: float

    @property
    def p50(self) -> float:
        """The middle one."""
        return statistics.median(self.times)

    @property
    def p95(self) -> float:
        """One in twenty takes longer."""
        return statistics.quantiles(self.times, n=20)[18]


def keys_down(program: Painted, wanted: Sequence[bytes], pause: float = 0.13) -> Keys:
    """Press `j` at odd moments of the program's own ticks, once for each of `wanted`, which it then paints."""
    used, begun, written = program.used(), time.monotonic(), program.written
    times = []
    for number, word in enumerate(wanted):
        program.drain(pause + 0.017 * (number % 7))
        times.append(program.press("j", word))
    took = time.monotonic() - begun
    return Keys(times, (program.written - written) / took, (program.used() - used) / took)
