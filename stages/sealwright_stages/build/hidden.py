"""What a build holds that neither its folder nor its processes' memory shows, looked for from outside.

- Its tmpfs (/tmp and the like) are memory: what lies in them counts as such, an empty file as 1 KiB.
- A file that has lost its last name takes room as long as a process holds it open or mapped.
- A look never fails because a process ended meanwhile, or because the machine refuses one to an ordinary user.

Source: proc(5) for root, fd, maps and map_files.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from sealwright_stages.sandbox.bwrap import SCRATCH

_BLOCK = 512  # bytes of st_blocks
_GONE = b" (deleted)"
_INODE = 1024  # bytes of the kernel's memory that an inode of a tmpfs takes, about


def in_scratch(pids: Iterable[int]) -> int:
    """Bytes that lie in the tmpfs of the sandbox that the first of `pids` with another root than ours is in."""
    ours = Path("/").stat()
    for pid in pids:
        root = Path(f"/proc/{pid}/root")
        with contextlib.suppress(OSError):
            if os.path.samestat(root.stat(), ours):
                continue
            held = [os.statvfs(f"{root}{folder}") for folder in SCRATCH]
            bytes_held = sum((each.f_blocks - each.f_bfree) * each.f_frsize for each in held)
            return bytes_held + sum(each.f_files - each.f_ffree for each in held) * _INODE
    return 0


def unlinked(pids: Iterable[int], device: int) -> int:
    """Bytes of disk in files of `device` (as in st_dev) that have no name any more, and that `pids` hold."""
    sizes: dict[int, int] = {}
    for pid in pids:
        for path in (*_descriptors(pid), *_mapped(pid)):
            with contextlib.suppress(OSError):
                held = os.stat(path)  # noqa: PTH116 - thousands of them, often
                if held.st_nlink == 0 and held.st_dev == device and stat.S_ISREG(held.st_mode):
                    sizes[held.st_ino] = held.st_blocks * _BLOCK
    return sum(sizes.values())


def _descriptors(pid: int) -> list[str]:
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        return [f"{folder}/{name}" for name in os.listdir(folder)]  # noqa: PTH208
    return []


def _mapped(pid: int) -> list[str]:
    """The mapped files that may have no name; the kernel says so at the end of a line, as a name may, too."""
    with contextlib.suppress(OSError):
        maps = Path(f"/proc/{pid}/maps").read_bytes()
        if _GONE in maps:
            gone = [line.split(maxsplit=1)[0] for line in maps.splitlines() if line.endswith(_GONE)]
            ranges = ([int(end, 16) for end in each.split(b"-")] for each in gone)
            return [f"/proc/{pid}/map_files/{begin:x}-{end:x}" for begin, end in ranges]
    return []
