"""Looks at the room that a running build takes: bytes and entries of its folder, and files without a name.

- Room is what the folder takes, and its files without a name that a process still holds; and how many entries it has,
  since a disk that has room for no further file is full too.
- Where a build has what can't be looked into (a folder that is shut, a descriptor on its way), whatever the disk has
  lost since the build began counts as its own.
- A look takes place in a thread of its own, at most a thirtieth of the time; at most a tenth while the disk loses so
  much that the build could be near its limit.
- If that thread fails, whoever asks hears of it: no build goes on unwatched.
- When the build is dead it is looked at a last time, for a fifth of a second at most.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.build.hidden import Nameless, unlinked
from sealwright_stages.tree_walk import READ, walk

_BLOCK = 512  # bytes of st_blocks
_PAUSE = 0.5
_SLICE = 0.25
_SELDOM, _OFTEN = 30, 9
"""How many times as long as a look took it is until the next."""
_LAST = 0.2  # seconds


@dataclass(frozen=True)
class Taken:
    """What a folder takes of a disk: bytes, entries of any kind, and whether there may be more that was not seen."""

    bytes: int = 0
    files: int = 0
    beyond: bool = False

    def most(self, other: Taken) -> Taken:
        """The larger one of each."""
        return Taken(max(self.bytes, other.bytes), max(self.files, other.files))


Measure = Callable[[Path, Callable[[], bool]], Taken]


def room(folder: Path, enough: Callable[[], bool] = lambda: False) -> Taken:
    """What `folder` takes, following nothing; a part of it once there was `enough` looking."""
    total = files = 0
    beyond = False
    try:
        for entry in walk(folder, READ, restless=True):
            total += entry.held.st_blocks * _BLOCK
            files += 1
            beyond = beyond or entry.shut
            if enough():
                break
    except OSError:  # a folder vanished or was shut while it was read; the next look counts again
        beyond = True
    return Taken(total, files, beyond)


def free(folder: Path) -> Taken:
    """Bytes and files that the disk of `folder` has room for."""
    held = os.statvfs(folder)
    return Taken(held.f_bfree * held.f_frsize, held.f_ffree)


class RoomWatch:
    """Measures, again and again, what a folder, and the processes that work in it, take of a disk."""

    def __init__(
        self,
        folder: Path,
        pids: Callable[[], Iterable[int]],
        limit: Taken,
        measure: Measure = room,
        free: Callable[[Path], Taken] = free,
    ) -> None:
        self._used = self._peak = Taken()
        self._error: Exception | None = None
        self._measure = measure
        self._folder = folder
        self._limit = limit
        self._free = free
        self._begun = free(folder)
        self._pids = pids
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="room", daemon=True)

    @property
    def used(self) -> Taken:
        """What it was at the last look; raises what made the looking fail."""
        if self._error is not None:
            raise self._error
        return self._used

    def last(self) -> Taken:
        """What the build left behind, as far as a short look tells; asked when the build is dead."""
        self._stop()
        end = time.monotonic() + _LAST
        self._took(self._measure(self._folder, lambda: time.monotonic() > end), Nameless())
        return self.used

    @property
    def peak(self) -> Taken:
        """The most that any look saw."""
        return self._peak

    def __enter__(self) -> RoomWatch:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop()

    def _stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _took(self, named: Taken, nameless: Nameless) -> None:
        taken = Taken(named.bytes + nameless.bytes, named.files)
        if named.beyond or nameless.beyond:
            now = self._free(self._folder)
            taken = taken.most(Taken(self._begun.bytes - now.bytes, self._begun.files - now.files))
        self._used, self._peak = taken, self._peak.most(taken)

    def _watch(self) -> None:
        try:
            while not self._end.is_set():
                begun = time.thread_time()
                free = self._free(self._folder)
                nameless = unlinked(list(self._pids()), self._end.is_set)
                named = self._measure(self._folder, self._end.is_set)
                if not self._end.is_set():
                    self._took(named, nameless)
                self._rest(time.thread_time() - begun, free)
        except Exception as error:  # noqa: BLE001 - carried to the thread that asks
            self._error = error

    def _rest(self, cost: float, free: Taken) -> None:
        """Wait until the next look: not long if what is `free` shrinks by half of what the build may still take."""
        since = time.monotonic()
        left = Taken((self._limit.bytes - self._used.bytes) // 2, (self._limit.files - self._used.files) // 2)
        while not self._end.wait(_SLICE):
            rested, now = time.monotonic() - since, self._free(self._folder)
            near = free.bytes - now.bytes > left.bytes or free.files - now.files > left.files
            if rested >= max(_PAUSE, (_OFTEN if near else _SELDOM) * cost):
                return
