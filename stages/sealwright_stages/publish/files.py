"""The plain files of a folder: walked, hashed and copied by descriptor, so that nothing outside is ever reached.

- A symbolic link, a pipe, a device or a socket is refused, and so is a name that a web server, git or a shell could
  take for something else. Names are never followed: each is opened relative to its open folder.
- What is copied is hashed as it is written, and on disk before the copy is said to be there.
- A file that grows while it is copied is refused; it can't fill the disk.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from sealwright_stages.errors import PublishError

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~#@-]{0,254}\Z")
_CHUNK = 1 << 20
_DEEPEST = 16
_NEXT = "find out who made it so; publish evidence as `run` leaves it"


@dataclass(frozen=True)
class File:
    """A plain file: its path below the folder, its bytes' number and SHA-256."""

    path: str
    size: int
    sha256: str


def listing(files: Sequence[File], prefix: str = "") -> bytes:
    """The files as `sha256sum` writes them, sorted by path; `prefix` stands before each path."""
    lines = sorted((f"{prefix}{file.path}", file.sha256) for file in files)
    return "".join(f"{sha256}  {path}\n" for path, sha256 in lines).encode()


def hashed(top: int, leave: str = "") -> list[File]:
    """Every file below the open folder `top`, but for those in its folder `leave`.

    Raises:
        PublishError: something is no plain file, or has no plain name.
        OSError: it can't be read.
    """
    found = []
    for prefix, _, names, folder in _walk(top, leave):
        for name in names:
            with _opened(name, folder, prefix) as stream:
                size, sha256 = _carried(stream, None, prefix + name)
                found.append(File(prefix + name, size, sha256))
    return found


def copied(top: int, target: int, leave: str = "") -> list[File]:
    """Copy every file below the open folder `top`, but for those in its folder `leave`, into the open and empty folder
    `target`, and onto the disk.

    Raises:
        PublishError: something is no plain file, has no plain name, or grows.
        OSError: it can't be read or written.
    """
    found = []
    for prefix, folders, names, folder in _walk(top, leave):
        there = os.open(prefix or ".", FOLDER, dir_fd=target)
        try:
            for name in folders:
                make_folder(name, there)
            for name in names:
                with _opened(name, folder, prefix) as stream:
                    size, sha256 = _copy(stream, name, there, prefix)
                found.append(File(prefix + name, size, sha256))
            os.fsync(there)
        finally:
            os.close(there)
    return found


def make_folder(name: str, parent: int) -> None:
    """A new folder that all may read, whatever the umask."""
    os.mkdir(name, 0o700, dir_fd=parent)
    fd = os.open(name, FOLDER, dir_fd=parent)
    os.fchmod(fd, 0o755)
    os.close(fd)


def write_file(name: str, data: bytes, folder: int) -> None:
    """A new file in an open folder, on disk."""
    with os.fdopen(os.open(name, WRITE, 0o600, dir_fd=folder), "wb") as stream:
        os.fchmod(stream.fileno(), 0o644)
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def read_file(name: str, folder: int, limit: int) -> bytes | None:
    """The bytes of a plain file of an open folder; None if there is none, or it has more than `limit`."""
    try:
        with os.fdopen(os.open(name, READ, dir_fd=folder), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return None
            data = stream.read(limit + 1)
    except OSError:
        return None
    return data if len(data) <= limit else None


def _walk(top: int, leave: str) -> Iterator[tuple[str, list[str], list[str], int]]:
    """Each folder: its path with a slash behind it (empty for the top), its folders, its files, its descriptor."""

    def fail(error: OSError) -> None:
        raise error

    for root, folders, names, folder in os.fwalk(".", dir_fd=top, onerror=fail, follow_symlinks=False):
        prefix = f"{root[2:]}/" if root != "." else ""
        if prefix.count("/") > _DEEPEST:
            raise PublishError(prefix[:80], f"it lies more than {_DEEPEST} folders deep", _NEXT)
        for name in (*folders, *names):
            _refuse_odd(prefix, name, folder)
        if not prefix and leave in folders:
            folders.remove(leave)
        folders.sort()
        yield prefix, folders, sorted(names), folder


def _refuse_odd(prefix: str, name: str, folder: int) -> None:
    if not NAME.match(name):
        raise PublishError(
            f"{prefix}{name}", "its name is not plain: letters, digits and . _ + ~ # @ - only", _NEXT
        )
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise PublishError(f"{prefix}{name}", "it is no plain file", _NEXT)


def _opened(name: str, folder: int, prefix: str) -> BinaryIO:
    try:
        stream = os.fdopen(os.open(name, READ, dir_fd=folder), "rb")
    except OSError as error:
        raise PublishError(f"{prefix}{name}", error.strerror or "it can't be read", _NEXT) from error
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise PublishError(f"{prefix}{name}", "it is no plain file", _NEXT)
    return stream


def _copy(stream: BinaryIO, name: str, folder: int, prefix: str) -> tuple[int, str]:
    with os.fdopen(os.open(name, WRITE, 0o600, dir_fd=folder), "wb") as copy:
        os.fchmod(copy.fileno(), 0o644)
        carried = _carried(stream, copy, prefix + name)
        copy.flush()
        os.fsync(copy.fileno())
    return carried


def _carried(stream: BinaryIO, copy: BinaryIO | None, name: str) -> tuple[int, str]:
    """Read a file to its end, as far as it went when it was opened; gives bytes and SHA-256."""
    digest, size, most = hashlib.sha256(), 0, os.fstat(stream.fileno()).st_size
    while part := stream.read(_CHUNK):
        size += len(part)
        if size > most:
            raise PublishError(name, "it grows while it is read", _NEXT)
        digest.update(part)
        if copy is not None:
            copy.write(part)
    return size, digest.hexdigest()
