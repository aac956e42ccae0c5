"""Small, careful file operations in the log's folder, on relative paths.

- A file appears under its name only when it is whole and on disk; a batch of files costs one fsync per folder.
- Nothing here swallows an error of fsync, or tries again after one: what the disk holds is not known then.
- A folder has one authority at a time: a lock that a dead process does not hold keeps others out.
- On a full disk the reserve gives way, once; what could not be written leaves nothing that takes up space.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sealwright_appendlog.reserve import Reserve, sync

_MOST_PIECES = 1024
"""IOV_MAX of Linux: what one writev takes."""


class Folder:
    """The log's folder. Its own path may be ".", so that a process without a way to its parents can work."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reserve = Reserve(path)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files by their relative paths: temporary name, fsync, rename, fsync of each folder.

        Raises:
            OSError: the disk is full or refuses; whatever was renamed is whole.
        """
        try:
            self._write(files)
        except OSError as error:
            if not self.reserve.gives_way(error):
                raise
            self._write(files)

    def _write(self, files: Mapping[str, bytes]) -> None:
        touched: set[Path] = set()
        renames: list[tuple[Path, Path]] = []
        for name, data in files.items():
            path = self.path / name
            touched |= self.make_parents(path)
            temporary = path.with_name(f".{path.name}.new")
            renames.append((temporary, path))
            try:
                _write_new(temporary, data)
            except OSError:
                for unfinished, _ in renames:
                    with contextlib.suppress(OSError):
                        unfinished.unlink()
                raise
            touched.add(path.parent)
        for temporary, path in renames:
            temporary.rename(path)
        for folder in touched:
            sync_folder(folder)

    def make_parents(self, path: Path) -> set[Path]:
        """Make the folders above `path` inside the log; returns those whose names are not on disk yet."""
        missing = []
        parent = path.parent
        while parent != self.path and not parent.is_dir():
            missing.append(parent)
            parent = parent.parent
        for folder in reversed(missing):
            folder.mkdir(mode=0o755, exist_ok=True)
        return {folder.parent for folder in missing}

    def remove(self, name: str) -> None:
        """Remove a derived file, if it is there."""
        (self.path / name).unlink(missing_ok=True)


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    try:
        write_all(descriptor, data)
        sync(descriptor)
    finally:
        os.close(descriptor)


def write_all(
    descriptor: int, data: bytes | memoryview, gives_way: Callable[[OSError], bool] = lambda _: False
) -> None:
    """Write `data` at the descriptor's position, all of it; goes on after an error for which something gives way.

    Raises:
        OSError: the disk is full or refuses; a part may be written.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except OSError as error:
            if not gives_way(error):
                raise


def write_pieces(descriptor: int, pieces: Sequence[bytes | bytearray | memoryview]) -> None:
    """Write pieces one after the other, by as few calls as can be.

    Raises:
        OSError: as `write_all`.
    """
    for at in range(0, len(pieces), _MOST_PIECES):
        group = pieces[at : at + _MOST_PIECES]
        written = os.writev(descriptor, group)
        for piece in group:
            write_all(descriptor, memoryview(piece)[written:])  # nothing, unless the call wrote a part
            written = max(0, written - len(piece))


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def lock(folder: Path, seconds: float) -> int:
    """Lock a folder for this process and nobody else; gives the descriptor whose closing unlocks it.

    Raises:
        OSError: somebody else has it, also after `seconds`.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise BlockingIOError(
                    f"another authority has {folder}; it may be frozen, so end it first"
                ) from None
            time.sleep(0.05)
