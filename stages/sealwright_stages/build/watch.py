"""Looks at a running build from outside: processor, memory, processes, bytes moved, and room taken.

- Memory is what the processes have in it, and what lies in the sandbox's tmpfs.
- Room is what the folder takes, and its files without a name that a process still holds; and how many entries it has,
  since a disk that has room for no further file is full too.
- Where a build has what can't be looked into (a folder that is shut, a descriptor on its way), whatever the disk has
  lost since the build began counts as its own.
- Time and bytes of processes that have ended count on through the parent that reaped them.
- A look never fails because a process ended meanwhile.
- The room that a tree takes is measured in a thread of its own, at most a tenth of the time; if that thread
  fails, whoever asks hears of it: no build goes on unwatched.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from sealwright_stages.build.hidden import behind_the_dead, in_scratch, unlinked
from sealwright_stages.ports import Sampled
from sealwright_stages.tree_walk import READ, walk

_BLOCK = 512  # bytes of st_blocks
_FIRST = 0.2  # seconds until the first look at the room


class TreeWatch:
    """Samples a process and all its descendants."""

    def __init__(self, pid: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._top = psutil.Process(pid)
        self._clock = clock
        self._seen: tuple[float, float] | None = None

    def sample(self) -> Sampled:
        """Look once; processor time is over the interval since the last look, in percent of one core."""
        busy = memory = processes = read = written = 0.0
        tree = family(self._top)
        for process in tree:
            with contextlib.suppress(psutil.Error), process.oneshot():
                times = process.cpu_times()
                busy += times.user + times.system + times.children_user + times.children_system
                memory += process.memory_info().rss or behind_the_dead(process.pid)
                processes += 1
                moved = process.io_counters()
                read += moved.read_bytes
                written += moved.write_bytes
        now = self._clock()
        percent = 0.0
        if self._seen is not None and now > self._seen[0]:
            percent = max(0.0, (busy - self._seen[1]) / (now - self._seen[0]) * 100)
        self._seen = (now, busy)
        memory += in_scratch(process.pid for process in tree)
        return Sampled(round(percent), int(memory), int(processes), int(read), int(written))


def family(top: psutil.Process) -> list[psutil.Process]:
    """A process and all its descendants."""
    try:
        return [top, *top.children(recursive=True)]
    except psutil.Error:
        return []


@dataclass(frozen=True)
class Taken:
    """What a folder takes of a disk: bytes, entries of any kind, and whether there may be more that was not seen."""

    bytes: int = 0
    files: int = 0
    beyond: bool = False


def room(folder: Path, end: threading.Event | None = None) -> Taken:
    """What `folder` takes, following nothing; a part of it when `end` is set meanwhile."""
    total = files = 0
    beyond = False
    try:
        for entry in walk(folder, READ, restless=True):
            total += entry.held.st_blocks * _BLOCK
            files += 1
            beyond = beyond or entry.shut
            if end is not None and end.is_set():
                break
    except OSError:  # a folder vanished or was shut while it was read; the next look counts again
        beyond = True
    return Taken(total, files, beyond)


def disk_free(folder: Path) -> int:
    """Bytes that are free on the disk of `folder`."""
    return free(folder).bytes


def free(folder: Path) -> Taken:
    """Bytes and files that the disk of `folder` has room for."""
    held = os.statvfs(folder)
    return Taken(held.f_bfree * held.f_frsize, held.f_ffree)


class RoomWatch:
    """Measures, again and again, what a folder, and the process that works in it, takes of a disk."""

    def __init__(
        self,
        folder: Path,
        pid: int,
        pause: float = 2.0,
        measure: Callable[[Path, threading.Event], Taken] = room,
        free: Callable[[Path], Taken] = free,
    ) -> None:
        self._used = Taken()
        self._error: Exception | None = None
        self._measure = measure
        self._folder = folder
        self._ask_free, self._free = free, free(folder)
        self._top = psutil.Process(pid)
        self._pause = pause
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="room", daemon=True)

    @property
    def used(self) -> Taken:
        """What it was at the last look; raises what made the looking fail."""
        if self._error is not None:
            raise self._error
        return self._used

    def __enter__(self) -> RoomWatch:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        try:
            self._end.wait(min(_FIRST, self._pause))  # a look reads all of /proc, and many builds are over by then
            while not self._end.is_set():
                begun = time.monotonic()
                nameless = unlinked([each.pid for each in family(self._top)], self._end)
                named = self._measure(self._folder, self._end)
                taken = Taken(named.bytes + nameless.bytes, named.files)
                if named.beyond or nameless.beyond:
                    now = self._ask_free(self._folder)
                    lost = Taken(self._free.bytes - now.bytes, self._free.files - now.files)
                    taken = Taken(max(taken.bytes, lost.bytes), max(taken.files, lost.files))
                self._used = taken
                self._end.wait(max(self._pause, 9 * (time.monotonic() - begun)))
        except Exception as error:  # noqa: BLE001 - carried to the thread that asks
            self._error = error
