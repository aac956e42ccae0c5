"""Hash the files that somebody asks about, while something else is done.

- Only a regular file is read; a pipe, a device or a folder is refused before a byte of it is.
- A file that changes while it is hashed has no hash: size, times and inode are the same before and after.
- The blocks are large: whoever waits for the interpreter between two of them waits seldom.
"""

from __future__ import annotations

import hashlib
import os
import queue
import stat
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 16 << 20


@dataclass(frozen=True)
class Hashed:
    """The SHA-256 (hex) and size of a file as it was read; `trouble` is why it has none."""

    path: Path
    sha256: str = ""
    size: int = -1
    trouble: str = ""


def hash_file(path: Path, *, follow: bool = True) -> Hashed:
    """Hash a file. A symbolic link that a person named is that person's own name for it; one that lies in a folder that
    was named is not followed, and has no hash."""
    try:
        if not stat.S_ISREG(mode := path.stat(follow_symlinks=follow).st_mode):
            return Hashed(path, trouble=_strange(mode))
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        descriptor = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
        try:
            return _hashed(path, descriptor)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        return Hashed(path, trouble=getattr(error, "strerror", None) or str(error))


def _strange(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "it is a symbolic link in a folder, and not followed: name the link itself"
    what = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
    return f"it is {what}, and no regular file"


def _hashed(path: Path, descriptor: int) -> Hashed:
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode):
        return Hashed(path, trouble=_strange(before.st_mode))
    digest, size = hashlib.sha256(), 0
    buffer = bytearray(min(_BLOCK, before.st_size + 1))
    view = memoryview(buffer)
    while count := os.readv(descriptor, [buffer]):
        digest.update(view[:count])
        size += count
        if size > before.st_size:
            break
    if size != before.st_size or _state(os.fstat(descriptor)) != _state(before):
        return Hashed(path, trouble="it changed while it was read: ask again when whoever writes it is done")
    return Hashed(path, digest.hexdigest(), size)


def _state(held: os.stat_result) -> tuple[int, ...]:
    return held.st_dev, held.st_ino, held.st_size, held.st_mtime_ns, held.st_ctime_ns


class Hasher:
    """Hashes files one after the other in a thread of its own, in their order; `named` are those that a person named."""

    def __init__(self, paths: Sequence[Path], named: Collection[Path]) -> None:
        self._named = named
        self._found: queue.SimpleQueue[Hashed] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(paths,), name="file hash", daemon=True)
        self._thread.start()

    def _run(self, paths: Sequence[Path]) -> None:
        for path in paths:
            try:
                self._found.put(hash_file(path, follow=path in self._named))
            except BaseException as error:  # noqa: BLE001 - whoever waits for it is told
                self._found.put(Hashed(path, trouble=f"{type(error).__name__}: {error}"))

    def next(self) -> Hashed:
        """What was found of the next file; waits for it."""
        return self._found.get()
