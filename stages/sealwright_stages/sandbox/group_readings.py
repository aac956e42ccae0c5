"""What the kernel's control groups tell of a sandbox: who is in it, its memory, its time, the most it was charged.

- A figure that no group gives is None, never a guess.
- A group's time is exact: it counts every process that was ever in it, whoever waited for it.
- Its memory is what its processes have for themselves, a page that many share but once, and what lies in its tmpfs.
- What was charged counts pages that files were read into, and the sandbox's tmpfs, beside the processes' own.

Source: the kernel's admin-guide on cgroup-v1 (cpuacct, memory) and cgroup-v2.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sealwright_stages.sandbox.cgroups import Groups


def members(groups: Groups) -> list[int] | None:
    """The processes in the groups, by their numbers here; None where there is no group."""
    for folder in groups.folders:
        with contextlib.suppress(OSError, ValueError):
            return [int(word) for word in (folder / "cgroup.procs").read_bytes().split()]
    return None


def milliseconds(groups: Groups) -> int | None:
    """Processor time of all that was ever in a group."""
    for text in _texts(groups, "cpu.stat"):
        for line in text.splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) // 1000
    for text in _texts(groups, "cpuacct.usage"):
        return int(text) // 1_000_000
    return None


def memory(groups: Groups) -> int | None:
    """Bytes of memory now, without those that only spare reading files anew."""
    for text in _texts(groups, "memory.stat"):
        told = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
        own = told.get("anon", told.get("total_rss"))
        shared = told.get("shmem") if "anon" in told else told.get("total_shmem")
        if own is not None and shared is not None:
            return int(own) + int(shared)
    return None


def charged(groups: Groups) -> int | None:
    """The most bytes of memory that were charged to a group at once."""
    for name in ("memory.peak", "memory.max_usage_in_bytes"):
        for text in _texts(groups, name):
            return int(text)
    return None


def _texts(groups: Groups, name: str) -> Iterator[str]:
    for folder in groups.folders:
        with contextlib.suppress(OSError):
            text = Path(folder, name).read_text(encoding="ascii").strip()
            if text:
                yield text
