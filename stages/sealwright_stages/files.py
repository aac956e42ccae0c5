"""Small, careful file operations: whole or not at all.

- A file appears under its name only when it is whole and on disk: temporary name, fsync, rename, fsync of
  the folder.
- A full disk or a refused write is a `MachineError` that names the folder, and leaves no half file.
- A disk is full when it has no room for 64 KiB or for one more file.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from pathlib import Path

from sealwright_stages.errors import MachineError
from sealwright_stages.tree_walk import CHANGE, walk

_CHUNK = 1 << 20
_ROOM = 64 << 10


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write `data` to `path` so that a crash leaves the old file or the new one, never a part.

    Raises:
        MachineError: the disk is full or the folder refuses.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise MachineError(
            f"{path} can't be written", error.strerror or str(error), "make room or fix the folder, run again"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_full(folder: Path) -> bool:
    """Whether the disk below `folder` has no room left, as another user's failed write would have found it."""
    held = os.statvfs(folder)
    return held.f_bavail * held.f_frsize < _ROOM or (held.f_files > 0 and held.f_favail == 0)


def read_small(path: Path, limit: int, *, follow: bool = False) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; a symbolic link counts as one only with `follow`.

    Raises:
        OSError: it can't be read, is not a regular file, or is larger.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    with open(
        path, "rb", opener=lambda name, _: os.open(name, flags)
    ) as stream:  # a folder is refused by its name
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit} bytes", str(path))
    return data


def sha256_file(path: Path, *, follow: bool = False) -> str:
    """SHA-256 of a regular file, as 64 hex digits; a symbolic link counts as one only with `follow`.

    Raises:
        OSError: it can't be read, or is not a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(f"{path} is not a regular file")
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remove_tree(path: Path) -> None:
    """Remove a folder of whatever depth and modes a build left; a symbolic link is removed, not followed.

    Raises:
        MachineError: something can't be removed.
    """
    try:
        if not path.parent.is_dir():
            return
        for entry in walk(path, CHANGE):
            with contextlib.suppress(FileNotFoundError):
                if entry.is_folder:
                    os.rmdir(entry.name, dir_fd=entry.parent)
                else:
                    os.unlink(entry.name, dir_fd=entry.parent)
    except OSError as error:
        raise MachineError(
            f"{path} can't be removed", error.strerror or str(error), "remove it by hand, then run again"
        ) from error
