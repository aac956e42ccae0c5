"""What all cached build roots have in common: who may make one, whom a record counts for, where a build is put.

- A record counts only where nobody but its owner's group can write: fetchers and builders are in none.
- Two consoles don't make one root at once, and none makes anew or removes one that another uses.
- A root that no run has used for thirty days goes when the next one is made.
- Where something is mounted into a root, it has a real folder: a link there is refused, never followed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from sealwright_stages.errors import BuildError, InterruptedRunError, MachineError
from sealwright_stages.files import remove_tree
from sealwright_stages.ports import Workshop

_LOOK = 0.2  # seconds between two looks whether another run has ended
_KEPT = 30 * 86400.0  # seconds that an unused root is kept
_PLACE = re.compile(r"[0-9a-f]{64}")
_USED: dict[Path, int] = {}  # roots that this process uses, each with the descriptor that says so to others
_USED_LOCK = threading.Lock()
_MOUNT_POINTS = ("build", "sources", "out", "needs", "proc", "dev", "tmp", "run", "var/tmp")


@contextlib.contextmanager
def held(folder: Path, workshop: Workshop) -> Iterator[None]:
    """Hold the place of a cached root, so that two consoles don't make it at once; says so while it waits.

    Raises:
        InterruptedRunError: the run was interrupted while another one held it.
    """
    said = False
    while (descriptor := _locked(folder)) is None:
        if not said:
            workshop.progress(0, 0, "waits for another run, which makes this build root")
            said = True
        if workshop.cancel.wait(_LOOK):
            raise InterruptedRunError(
                "the build root was not made", "the run was interrupted", "run again to resume"
            )
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(folder: Path) -> int | None:
    """A descriptor by which this thread alone holds a place; None if somebody else does."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        folder.chmod(0o755)
    descriptor = _try(folder / "lock", fcntl.LOCK_EX)
    with contextlib.suppress(OSError):
        if descriptor is not None and os.path.samestat(os.fstat(descriptor), (folder / "lock").lstat()):
            return descriptor  # else it went away, with the place, before we had it
    if descriptor is not None:
        os.close(descriptor)
    return None


def _try(path: Path, how: int) -> int | None:
    """A descriptor that holds the lock file `path`; None if somebody else does, or its folder is gone."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            return descriptor
        os.close(descriptor)
    return None


def use(folder: Path) -> None:
    """Take note, for as long as this process lives, that the root of a place we hold is built in or made into others."""
    with _USED_LOCK:
        if folder not in _USED:
            descriptor = _try(folder / "used", fcntl.LOCK_SH)
            if descriptor is not None:
                _USED[folder] = descriptor
        os.utime(folder / "used")


def vacate(folder: Path) -> None:
    """Return if the root of a place we hold may go: no other run uses it.

    Raises:
        BuildError: one does.
    """
    if not _vacant(folder):
        raise BuildError(
            "the cached build root must be made anew, and can't be",
            "it is not what it was, and another run uses it",
            "end that run, then run again",
            "environment-failed",
        )


def prune(environments: Path, now: float) -> None:
    """Remove the roots that no run has used for thirty days before `now` (seconds since 1970)."""
    for folder in environments.iterdir():
        if folder in _USED or not _PLACE.fullmatch(folder.name) or folder.is_symlink():
            continue
        if now - _last_use(folder) < _KEPT:
            continue
        descriptor = _locked(folder)
        if descriptor is None:
            continue
        with contextlib.suppress(MachineError):
            if now - _last_use(folder) >= _KEPT and _vacant(folder):
                remove_tree(folder)
        os.close(descriptor)


def _last_use(folder: Path) -> float:
    times = [0.0]
    for path in (folder / "used", folder / "root.json"):
        with contextlib.suppress(OSError):
            times.append(path.lstat().st_mtime)
    return max(times)


def _vacant(folder: Path) -> bool:
    with _USED_LOCK:
        if (ours := _USED.pop(folder, None)) is not None:
            os.close(ours)
        if (descriptor := _try(folder / "used", fcntl.LOCK_EX)) is None:
            return False
        os.close(descriptor)
        return True


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

    Nothing may ever write to either: a root is mounted read-only, and made anew as a whole. What can't be shared, on a disk
    without hard links say, stays a file of its own.
    """
    spare = root.with_name(f"{root.name}.shared")
    for line in set(ours).intersection(theirs):
        name = os.fsdecode(line.split(b"\n", 2)[1])
        mine, other = root / name, base / name
        with contextlib.suppress(OSError):
            one, two = mine.lstat(), other.lstat()
            if stat.S_ISREG(one.st_mode) and (one.st_mtime_ns, one.st_uid) == (two.st_mtime_ns, two.st_uid):
                os.link(other, spare, follow_symlinks=False)
                spare.rename(mine)
