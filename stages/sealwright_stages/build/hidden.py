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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.sandbox.bwrap import SCRATCH

_BLOCK = 512  # bytes of st_blocks
_INODE = 1024  # bytes of the kernel's memory that an inode of a tmpfs takes, about
_PAGE = os.sysconf("SC_PAGE_SIZE")
_IN_MEMORY = tuple(map(os.fsencode, (*SCRATCH, "/dev/zero", "/memfd:", "/SYSV", "/anon_hugepage", "[")))
_GONE = b" (deleted)"


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
            most = max(most, int(Path(f"/proc/{task}/statm").read_text(encoding="ascii").split()[1]) * _PAGE)
    return most


@dataclass
class Nameless:
    """Bytes of disk in files without a name, and whether there may be more that can't be looked at."""

    bytes: int = 0
    beyond: bool = False


def unlinked(pids: Sequence[int], enough: Callable[[], bool] = lambda: False) -> Nameless:
    """What `pids` hold in files that have no name any more and lie on a disk; a part once there was `enough` looking.

    On which disk is not asked: where layers lie over each other, a file's device is not that of its folder.
    """
    sizes: dict[tuple[int, int], int] = {}
    found = Nameless()
    memory = _devices(pids)
    for pid in pids:
        if enough():
            break
        tasks = _tasks(pid)
        held = [each for task in tasks for each in _held(f"/proc/{pid}/task/{task}/fd")]
        gone = _gone(tasks)
        if os.geteuid() == 0:
            held += _led(gone)
        elif any(not path.startswith(_IN_MEMORY) for path in gone.values()):
            found.beyond = True
        for link, what in held:
            if stat.S_ISSOCK(what.st_mode):
                found.beyond = found.beyond or _in_flight(link)
            elif what.st_nlink == 0 and what.st_dev not in memory and stat.S_ISREG(what.st_mode):
                sizes[what.st_dev, what.st_ino] = what.st_blocks * _BLOCK
    found.bytes = sum(sizes.values())
    return found


def _devices(pids: Sequence[int]) -> set[int]:
    """The devices (as in st_dev) of the tmpfs of the sandbox that `pids` are of: what is in them counts as memory."""
    for folders in _scratch(pids):
        with contextlib.suppress(OSError):
            return {os.stat(folder).st_dev for folder in folders}  # noqa: PTH116 - beside the others
    return set()


def _tasks(pid: int) -> list[str]:
    """The numbers of a process's threads."""
    try:
        return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - many, often
    except OSError:
        return []


def _held(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """The descriptors of a thread, and what each leads to."""
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = os.listdir(folder)  # noqa: PTH208 - many, often
    return _led(f"{folder}/{name}" for name in names)


def _led(links: Iterable[str]) -> Iterator[tuple[str, os.stat_result]]:
    for link in links:
        with contextlib.suppress(OSError):
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


def _gone(tasks: Iterable[str]) -> dict[str, bytes]:
    """The mapped files of a process that may have no name: link and path of each. All its living threads map the same.

    The kernel says so at the end of a line, as a name may, too.
    """
    for task in tasks:
        with contextlib.suppress(OSError):
            maps = Path(f"/proc/{task}/maps").read_bytes()
            if not maps:  # this thread has ended
                continue
            if _GONE not in maps:
                return {}
            lines = (line.split(maxsplit=5) for line in maps.splitlines() if line.endswith(_GONE))
            return {_mapping(task, words[0]): words[5] for words in lines}
    return {}


def _mapping(task: str, addresses: bytes) -> str:
    begin, end = (int(each, 16) for each in addresses.split(b"-"))
    return f"/proc/{task}/map_files/{begin:x}-{end:x}"
