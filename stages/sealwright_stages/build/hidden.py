"""What a build holds that neither its folder nor its processes' memory shows, looked for from outside.

- Its tmpfs (/tmp and the like) are memory: what lies in them counts as such, an empty file as 1 KiB.
- A process whose first thread has ended shows no memory; its other threads do.
- A file that has lost its last name takes room as long as a thread holds it open or mapped; each thread can have
  descriptors of its own.
- A descriptor that was sent and not received is in no table, and what an ordinary user's process has mapped can't be
  measured by another: that there may be more is said then.
- A look never fails because a process ended meanwhile, or because the machine refuses one to an ordinary user.

Source: proc(5) for root, statm, task, fd, fdinfo (`scm_fds`: Linux 5.6), maps and map_files; unix(7) for SCM_RIGHTS.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.sandbox.bwrap import SCRATCH

_BLOCK = 512  # bytes of st_blocks
_INODE = 1024  # bytes of the kernel's memory that an inode of a tmpfs takes, about
_PAGE = os.sysconf("SC_PAGE_SIZE")
_IN_MEMORY = (*SCRATCH, "/dev/zero", "/memfd:", "/SYSV", "/anon_hugepage", "[")
_DELETED = " (deleted)"


def in_scratch(pids: Iterable[int]) -> int:
    """Bytes that lie in the tmpfs of the sandbox that `pids` are of."""
    for folders in _scratch(pids):
        with contextlib.suppress(OSError):
            held = [os.statvfs(folder) for folder in folders]
            bytes_held = sum((each.f_blocks - each.f_bfree) * each.f_frsize for each in held)
            return bytes_held + sum(each.f_files - each.f_ffree for each in held) * _INODE
    return 0


def _scratch(pids: Iterable[int]) -> Iterator[list[str]]:
    """The tmpfs of each of `pids` that has another root than ours."""
    ours = Path("/").stat()
    for pid in pids:
        root = Path(f"/proc/{pid}/root")
        with contextlib.suppress(OSError):
            if not os.path.samestat(root.stat(), ours):
                yield [f"{root}{folder}" for folder in SCRATCH]


def behind_the_dead(pid: int) -> int:
    """Bytes of memory of a process that shows none: its first thread has ended, and others share the memory still."""
    most = 0
    for task in _tasks(pid):
        with contextlib.suppress(OSError, ValueError, IndexError):
            most = max(most, int(Path(task, "statm").read_text(encoding="ascii").split()[1]) * _PAGE)
    return most


@dataclass
class Nameless:
    """Bytes of disk in files without a name, and whether there may be more that can't be looked at."""

    bytes: int = 0
    beyond: bool = False


def unlinked(pids: Sequence[int], end: threading.Event | None = None) -> Nameless:
    """What `pids` hold in files that have no name any more and lie on a disk; a part when `end` is set.

    On which disk is not asked: where layers lie over each other, a file's device is not that of its folder.
    """
    sizes: dict[tuple[int, int], int] = {}
    found = Nameless()
    memory = _devices(pids)
    for pid in pids:
        if end is not None and end.is_set():
            break
        for task in _tasks(pid):
            for link, held in _held(f"{task}/fd"):
                if stat.S_ISSOCK(held.st_mode):
                    found.beyond = found.beyond or _in_flight(link)
                elif held.st_nlink == 0 and held.st_dev not in memory and stat.S_ISREG(held.st_mode):
                    sizes[held.st_dev, held.st_ino] = held.st_blocks * _BLOCK
        if os.geteuid() != 0:
            found.beyond = found.beyond or _maps_deleted(pid)
            continue
        for _, held in _held(f"/proc/{pid}/map_files"):
            if held.st_nlink == 0 and held.st_dev not in memory and stat.S_ISREG(held.st_mode):
                sizes[held.st_dev, held.st_ino] = held.st_blocks * _BLOCK
    found.bytes = sum(sizes.values())
    return found


def _devices(pids: Sequence[int]) -> set[int]:
    """The devices (as in st_dev) of the tmpfs of the sandbox that `pids` are of: what is in them counts as memory."""
    for folders in _scratch(pids):
        with contextlib.suppress(OSError):
            return {os.stat(folder).st_dev for folder in folders}  # noqa: PTH116 - beside the others
    return set()


def _tasks(pid: int) -> list[str]:
    """The folders of a process's threads."""
    try:
        return [f"/proc/{pid}/task/{name}" for name in os.listdir(f"/proc/{pid}/task")]  # noqa: PTH208 - many, often
    except OSError:
        return []


def _held(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """The links of a folder of descriptors or mappings, and what each leads to."""
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = os.listdir(folder)  # noqa: PTH208 - many, often
    for name in names:
        with contextlib.suppress(OSError):
            link = f"{folder}/{name}"
            yield link, os.stat(link)  # noqa: PTH116 - many, often


def _in_flight(link: str) -> bool:
    """Whether a socket holds descriptors that were sent to it; one that can't be asked holds some."""
    try:
        told = Path(link.replace("/fd/", "/fdinfo/")).read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return any(line.startswith("scm_fds:") and line.split()[1] != "0" for line in told.splitlines())


def _maps_deleted(pid: int) -> bool:
    """Whether a process has mapped a file of a disk that has no name any more."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False  # it has ended
    paths = (line.split(maxsplit=5)[5] for line in lines if line.endswith(_DELETED))
    return any(not path.startswith(_IN_MEMORY) for path in paths)
