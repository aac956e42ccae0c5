"""Walks a folder that others have filled: of any depth and any modes, and nothing in it is followed.

- Depth has no limit, neither of names nor of open descriptors: at most `_OPEN` folders are held open, and the way
  back out of a deeper one is `..`, which must lead to the folder that it was entered from.
- Every name is taken relative to an open folder; a symbolic link is an entry like a file.
- A folder that its owner can't enter is opened up by descriptor while it is walked, and gets its mode back; but in
  a restless tree, where others are at work, nothing is ever changed, and what can't be seen is said to be shut.
- Names that vanish while the walk goes on are passed over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

READ, CHANGE = 0o500, 0o700  # what an owner needs of a folder to look into it, to empty it
_OPEN = 64
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True)
class Entry:
    """Something found: its open parent, its name there, and what it is. Good until the walk goes on."""

    parent: int
    name: str
    held: os.stat_result
    shut: bool = False
    """Whether there may be more in it that was not seen; in a restless tree only."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, and no link to one."""
        return stat.S_ISDIR(self.held.st_mode)


@dataclass
class _Level:
    """A folder that is being walked: its descriptor (None while far below it), and the names still to come."""

    fd: int | None
    itself: os.stat_result
    name: str
    rest: list[str]
    opened_up: bool = False


def walk(path: Path, need: int, *, restless: bool = False) -> Iterator[Entry]:
    """Everything below `path`, each folder after what is in it, `path` itself last; nothing if it is not there.

    `need` is READ or CHANGE. A `restless` tree is being changed by others: what can't be walked of it is given as an
    entry that is shut.

    Raises:
        OSError: a folder can't be entered, or was moved meanwhile.
    """
    top = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    levels = [_Level(top, os.fstat(top), "", [path.name])]
    try:
        while levels:
            here = levels[-1]
            if here.fd is None:
                raise AssertionError("the innermost folder is always open")
            if here.rest:
                found = _look(here.fd, here.rest.pop())
                inner = _entered(found, need, restless=restless) if found and found.is_folder else found
                if isinstance(inner, _Level):
                    _push(levels, inner)
                elif inner is not None:
                    yield inner
                continue
            left = _pop(levels, restless=restless)
            if levels and left is not None:
                yield left
    finally:
        for level in levels:
            if level.fd is not None:
                os.close(level.fd)


def _look(folder: int, name: str) -> Entry | None:
    try:
        return Entry(folder, name, os.stat(name, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        return None


def _entered(found: Entry, need: int, *, restless: bool) -> _Level | Entry | None:
    try:
        handle = os.open(found.name, os.O_PATH | _FOLDER, dir_fd=found.parent)
        try:
            itself = os.fstat(handle)
            opened_up = not restless and os.geteuid() != 0 and itself.st_mode & need != need
            if opened_up:  # a handle takes no fchmod, and a name could be another's by now
                Path(f"/proc/self/fd/{handle}").chmod(stat.S_IMODE(itself.st_mode) | need)
            fd = os.open(".", _FOLDER, dir_fd=handle)
        finally:
            os.close(handle)
        try:
            return _Level(fd, itself, found.name, os.listdir(fd), opened_up)  # noqa: PTH208 - of a descriptor
        except BaseException:
            os.close(fd)
            raise
    except FileNotFoundError:
        return None
    except OSError:
        if restless:
            return replace(found, shut=True)
        raise


def _push(levels: list[_Level], inner: _Level) -> None:
    if len(levels) >= _OPEN:
        outer = levels[-1]
        if outer.fd is not None:
            os.close(outer.fd)
        outer.fd = None
    levels.append(inner)


def _pop(levels: list[_Level], *, restless: bool) -> Entry | None:
    """Leave the innermost folder; None if it can't be told any more where it stands."""
    inner = levels.pop()
    assert inner.fd is not None  # noqa: S101 - the innermost folder is always open
    try:
        if levels and levels[-1].fd is None:
            levels[-1].fd = _outwards(inner.fd, levels[-1].itself)
        if inner.opened_up:
            with contextlib.suppress(PermissionError):
                os.fchmod(inner.fd, stat.S_IMODE(inner.itself.st_mode))
    except OSError:
        if not restless:
            raise
        lost = inner
        while (outer := levels[-1].fd) is None:  # the rest of what lies so deep is lost to this walk
            lost = levels.pop()
        return Entry(outer, lost.name, lost.itself, shut=True)
    finally:
        os.close(inner.fd)
    parent = levels[-1].fd if levels else None
    return None if parent is None else Entry(parent, inner.name, inner.itself)


def _outwards(folder: int, parent: os.stat_result) -> int:
    """The open parent of a folder, if it is still the one that it was entered from."""
    fd = os.open("..", _FOLDER, dir_fd=folder)
    if not os.path.samestat(os.fstat(fd), parent):
        os.close(fd)
        raise OSError(errno.ESTALE, "a folder was moved while it was walked")
    return fd
