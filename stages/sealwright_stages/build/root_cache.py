"""What all cached build roots have in common: who may make one, whom a record counts for, where a build is put.

- A record counts only where nobody but its owner's group can write: fetchers and builders are in none.
- Two consoles don't make one root at once.
- Where something is mounted into a root, it has a real folder: a link there is refused, never followed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from sealwright_stages.errors import BuildError

_MOUNT_POINTS = ("build", "sources", "out", "needs", "proc", "dev", "tmp", "run", "var/tmp")


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the place of a cached root, so that two consoles don't make it at once."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def out_of_reach(*paths: Path) -> bool:
    """Whether these are ours, and no stranger can write them."""
    found = [path.lstat() for path in paths]
    return all(each.st_uid == os.geteuid() and not each.st_mode & 0o002 for each in found)


def add_mount_points(root: Path) -> None:
    """Make the folders that a sandbox mounts something on, where they are missing.

    Raises:
        BuildError: one of them is something else than a folder.
    """
    root.chmod(0o755)
    for name in _MOUNT_POINTS:
        path = root
        for part in name.split("/"):
            path /= part
            if not os.path.lexists(path):
                path.mkdir()
                path.chmod(0o755)
            if path.is_symlink() or not path.is_dir():
                raise BuildError(
                    "the build root is refused",
                    f"/{name} in it is no folder, and something is to be mounted there",
                    "make it a folder",
                    "environment-refused",
                )


def share(base: Path, ours: Sequence[bytes], root: Path, theirs: Sequence[bytes]) -> None:
    """Put the base's files in place of those of `root` that are the same, by their entries and times.

    Nothing may ever write to either: a root is mounted read-only, and made anew as a whole.
    """
    for line in set(ours).intersection(theirs):
        name = os.fsdecode(line.split(b"\n", 2)[1])
        mine, other = root / name, base / name
        one, two = mine.lstat(), other.lstat()
        if stat.S_ISREG(one.st_mode) and (one.st_mtime_ns, one.st_uid) == (two.st_mtime_ns, two.st_uid):
            mine.unlink()
            os.link(other, mine, follow_symlinks=False)
