"""How much memory builds may take on this machine: what is available, and what our control group lets us have.

Source: proc(5) for meminfo and cgroup; the kernel's cgroup-v1 and cgroup-v2 documents for the limits' files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil

_V1, _V2 = ("memory", "memory.limit_in_bytes"), (".", "memory.max")


def spare_memory(membership: Path = Path("/proc/self/cgroup"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes."""
    return min([psutil.virtual_memory().available, *_limits(membership, groups)])


def _limits(membership: Path, groups: Path) -> Iterator[int]:
    """The limits of our group and of those above it."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        base, name = _V1 if controllers else _V2
        for group in (Path(path), *Path(path).parents):
            with contextlib.suppress(OSError, ValueError):  # there is none, or it is "max"
                yield int((groups / base / group.relative_to("/") / name).read_text())
