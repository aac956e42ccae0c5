"""The folder that is served: locked, and changed only by putting something whole in a place where nothing is.

- One publisher at a time, by a lock on the folder itself, which a dead process does not hold.
- A release is made below `.sealwright-new`, on the same disk, and renamed into its place. What a crash left there is
  removed by the next publisher. git never sees it.
- Nothing in the site is followed: a symbolic link in the way is refused.
- What stands in a place is never renamed over, changed or removed. Pages that list are the one exception, and only
  where they are ours.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from sealwright_stages.errors import MachineError, PublishError
from sealwright_stages.files import remove_tree
from sealwright_stages.publish.files import FOLDER, make_folder, read_file, write_file
from sealwright_stages.publish.place import Place

STAGING = ".sealwright-new"
_TREE = "tree"
_MAX_PAGE = 64 << 20


class Site:
    """An open and locked site; made by `locked`."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path, self.fd = path, fd

    def standing(self, place: Place) -> int | None:
        """The open folder that stands in a place, or None; the caller closes it.

        Raises:
            PublishError: something on the way is no folder.
        """
        found = _entered(self.fd, place.parts)
        if found[1] == len(place.parts):
            return found[0]
        os.close(found[0])
        return None

    @contextlib.contextmanager
    def staged(self, place: Place) -> Iterator[tuple[Path, int]]:
        """A new and empty folder to fill: its path, and itself. It is gone again after the block unless it landed."""
        try:
            os.mkdir(STAGING, 0o700, dir_fd=self.fd)
            folder = os.open(STAGING, FOLDER, dir_fd=self.fd)
            try:
                write_file(".gitignore", b"*\n", folder)
                for part in (_TREE, *place.parts):
                    make_folder(part, folder)
                    inner = os.open(part, FOLDER, dir_fd=folder)
                    os.close(folder)
                    folder = inner
                yield self.path / STAGING / _TREE / str(place), folder
            finally:
                os.close(folder)
        finally:
            self.clear()

    def land(self, place: Place) -> None:
        """Put the staged folder, which is on disk, in its place in one step.

        Raises:
            PublishError: something stands there by now.
        """
        parent, depth = _entered(self.fd, place.parts)
        try:
            if depth == len(place.parts):
                raise _taken(place)
            outermost = "/".join((STAGING, _TREE, *place.parts[: depth + 1]))
            for length in range(len(place.parts), depth, -1):
                _sync("/".join((STAGING, _TREE, *place.parts[:length])), self.fd)
            os.rename(outermost, place.parts[depth], src_dir_fd=self.fd, dst_dir_fd=parent)
            os.fsync(parent)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise _taken(place) from error
            raise
        finally:
            os.close(parent)

    def put(self, folder: str, name: str, data: bytes, mark: bytes) -> bool:
        """Write a page of ours, whole, into a folder of the site; False if one stands there without our `mark`."""
        parts = tuple(folder.split("/")) if folder else ()
        fd, depth = _entered(self.fd, parts)
        try:
            if depth != len(parts):
                return False
            held = read_file(name, fd, _MAX_PAGE)
            if held == data:
                return True
            if _lies(name, fd) if held is None else mark not in held:
                return False
            os.mkdir(STAGING, 0o700, dir_fd=self.fd)
            staging = os.open(STAGING, FOLDER, dir_fd=self.fd)
            try:
                write_file(".gitignore", b"*\n", staging)
                write_file("page", data, staging)
                os.rename("page", name, src_dir_fd=staging, dst_dir_fd=fd)
            finally:
                os.close(staging)
            os.fsync(fd)
            return True
        finally:
            os.close(fd)
            self.clear()

    def clear(self) -> None:
        """Remove what was being made, also what an earlier publisher that died left."""
        if _lies(STAGING, self.fd):
            remove_tree(self.path / STAGING)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[Site]:
    """Hold the site while the block runs; it is made if it isn't there.

    Raises:
        MachineError: it can't be used, or another publisher is at work in it.
    """
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _unfit(path, error) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        site = Site(path, fd)
        site.clear()
        yield site
    except BlockingIOError as error:
        raise MachineError(
            f"{path} is in use", "another publisher is at work in it", "run again after it"
        ) from error
    except OSError as error:
        raise _unfit(path, error) from error
    finally:
        os.close(fd)


def _entered(top: int, parts: tuple[str, ...]) -> tuple[int, int]:
    """The innermost folder of `parts` that is there, open, and how many of them lead to it."""
    fd = os.dup(top)
    for depth, part in enumerate(parts):
        try:
            inner = os.open(part, FOLDER, dir_fd=fd)
        except FileNotFoundError:
            return fd, depth
        except OSError as error:
            os.close(fd)
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            because = "it is a link or a file, and no folder"
            raise PublishError("/".join(parts[: depth + 1]), because, "find out who put it there") from error
        os.close(fd)
        fd = inner
    return fd, len(parts)


def _lies(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _sync(path: str, top: int) -> None:
    fd = os.open(path, FOLDER, dir_fd=top)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _taken(place: Place) -> PublishError:
    return PublishError(str(place), "something was put there meanwhile", "look at it, then publish again")


def _unfit(path: Path, error: OSError) -> MachineError:
    because = error.strerror or str(error)
    return MachineError(f"{path} can't be written", because, "make room or fix the folder, then publish again")
