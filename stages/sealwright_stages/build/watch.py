"""Looks at a running build from outside: processor, memory, processes, and bytes moved.

- Memory is what the processes have in it, and what lies in the sandbox's tmpfs; where a control group counts it,
  pages that processes share count once.
- Time and bytes of processes that have ended count on through the parent that reaped them; time is exact where a
  control group counts it. Neither ever goes back.
- A process whose first thread has ended shows no memory; its other threads do.
- A look never fails because a process ended meanwhile.
- Looks come four times a second, and take at most a twentieth of a core: a build of more processes is looked at
  less often.
- Who belongs to a build is told by its control group, else by the kernel's lists of children: never by a reading of
  all processes of the machine, unless there is nothing else.

Source: proc(5) for task/TID/children.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil

from sealwright_stages.build.hidden import behind_the_dead, in_scratch
from sealwright_stages.ports import Sampled, Used
from sealwright_stages.sandbox.cgroups import Groups
from sealwright_stages.sandbox.group_readings import charged, members, memory, milliseconds

EVERY = 0.25
_SHARE = 20
"""How many times as long as a look took (of a processor) it is until the next, at least."""


class TreeWatch:
    """Samples a process and all its descendants, which are in `groups` if there are any."""

    def __init__(
        self,
        pid: int,
        groups: Groups | None = None,
        clock: Callable[[], float] = time.monotonic,
        spent: Callable[[], float] = time.thread_time,
    ) -> None:
        self._top = pid
        self._groups = groups or Groups()
        self._clock, self._spent = clock, spent
        self._known: dict[int, psutil.Process] = {}
        self._seen: float | None = None
        self._last = Sampled(0, 0, 0, 0, 0)
        self._memory = self._processes = 0
        self.pause = EVERY
        """Seconds until the next look is due."""

    def sample(self) -> Sampled:
        """Look once; processor time is over the interval since the last look, in percent of one core."""
        begun = self._spent()
        pids = family(self._top, self._groups)
        self._known = {pid: process for pid in pids if (process := self._known.get(pid) or _process(pid))}
        counted, held = milliseconds(self._groups), memory(self._groups)
        busy = 0.0
        read = written = resident = processes = 0
        for process in self._known.values():
            with contextlib.suppress(psutil.Error):
                moved = process.io_counters()
                read += moved.read_bytes
                written += moved.write_bytes
                processes += 1
                if held is None:
                    resident += process.memory_info().rss or behind_the_dead(process.pid)
                if counted is None:
                    times = process.cpu_times()
                    busy += times.user + times.system + times.children_user + times.children_system
        sample = Sampled(
            cpu=0,
            memory=resident + in_scratch(self._known) if held is None else held,
            processes=processes,
            read=max(self._last.read, read),
            written=max(self._last.written, written),
            cpu_ms=max(self._last.cpu_ms, round(busy * 1000) if counted is None else counted),
        )
        now = self._clock()
        if self._seen is not None and now > self._seen:
            percent = (sample.cpu_ms - self._last.cpu_ms) / (now - self._seen) / 10
            sample = replace(sample, cpu=round(percent))
        self._seen, self._last = now, sample
        self._memory, self._processes = max(self._memory, sample.memory), max(self._processes, processes)
        self.pause = max(EVERY, _SHARE * (self._spent() - begun))
        return sample

    def used(self) -> Used:
        """What was taken until now; asked when the build is dead, its time is what the group counted to its end."""
        counted, last = milliseconds(self._groups), self._last
        return Used(
            cpu_ms=last.cpu_ms if counted is None else max(counted, last.cpu_ms),
            cpu_by="looks" if counted is None else "cgroup",
            memory=self._memory,
            charged=charged(self._groups) or 0,
            processes=self._processes,
            read=last.read,
            written=last.written,
        )


def family(pid: int, groups: Groups) -> list[int]:
    """A process and all its descendants."""
    return members(groups) or descendants(pid)


def descendants(pid: int) -> list[int]:
    """A process and all its descendants, as the kernel lists them; those that end meanwhile may be missing."""
    if not _KERNEL_LISTS:
        with contextlib.suppress(psutil.Error):
            return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        return []
    found, ahead = {pid: None}, [pid]
    while ahead:
        each = ahead.pop()
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{each}/task"):  # noqa: PTH208 - this runs often
                with contextlib.suppress(OSError):
                    children = Path(f"/proc/{each}/task/{task}/children").read_bytes()
                    fresh = [child for child in map(int, children.split()) if child not in found]
                    found |= dict.fromkeys(fresh)
                    ahead += fresh
    return list(found)


def _process(pid: int) -> psutil.Process | None:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid)
    return None


_KERNEL_LISTS = Path(f"/proc/self/task/{threading.get_native_id()}/children").exists()
